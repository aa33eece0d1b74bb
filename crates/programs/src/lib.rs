//! The table of programs: what each does with its options and operands, as data.
//!
//! A contributor adds a program by writing a file under `table/`, without touching Rust; the format is described in
//! `docs/programs.md`. This crate reads the table, matches the words of a command against an entry and says which
//! *role* each word has. What a role means for the machine (an effect) is said by the `shell` crate.

mod assign;
mod check;
mod describe;
mod error;
mod forms;
mod kinds;
mod load;
mod lookup;
mod matched;
mod matcher;
mod resolve;
mod role;
mod spec;
mod table;
mod template;
mod variables;
mod word;

pub use error::TableError;
pub use forms::{Form, missing_forms};
pub use kinds::{FactType, facts_of};
pub use matched::{Fact, Match, MatchedEffect, MatchedOption, Unknown};
pub use matcher::match_words;
pub use role::{Operand, Role, Times};
pub use spec::{Case, Expect, OptionSpec, Program, READERS, Spec, Sub, Syntax};
pub use table::{Table, check};
pub use template::{Fact as TemplateFact, Part, Template, Var, When};
pub use variables::{Class, variable, variable_set_to};
pub use word::{Field, Piece};
