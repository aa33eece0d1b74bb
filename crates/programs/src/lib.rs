//! The table of programs: what each does with its options and operands, as data.
//!
//! A contributor adds a program by writing a file under `table/`, without touching Rust; the format is described in
//! `docs/programs.md`. This crate reads the table, matches the words of a command against an entry and says which
//! *role* each word has. What a role means for the machine (an effect) is said by the `shell` crate.

mod word;

pub use word::{Field, Piece};
