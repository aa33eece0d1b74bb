//! What a shell command would do: text in, effects out.
//!
//! Grammar first (`syntax`), then the walk (`walk`, `expand`, `builtin`) which follows variables, directories and pipes
//! and finds the simple commands, then what each program does (`meaning`). Whatever is not understood on the way is an
//! effect of its own, never silence.

mod analysis;
mod arith;
mod brace;
mod builtin;
mod context;
mod expand;
mod glob;
mod meaning;
mod readers;
mod redirect;
mod simple;
mod state;
mod syntax;
mod variables;
mod walk;

pub use analysis::{Analysis, analyse, commands};
pub(crate) use programs::Table;
