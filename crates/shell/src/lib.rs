//! What a shell command would do: text in, effects out.
//!
//! Grammar first (`syntax`), then the walk (`walk`, `expand`, `builtin`) which follows variables, directories and pipes
//! and finds the simple commands, then what each program does (`meaning`). Whatever is not understood on the way is an
//! effect of its own, never silence.

mod context;
mod meaning;
mod readers;
mod state;
mod walk;

// Until `programs` has its table.
pub(crate) struct Table;
