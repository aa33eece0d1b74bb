//! What can go wrong in the kit itself, as opposed to in the agent under test.

use std::path::PathBuf;

/// A failure of the kit. An agent that fails is not one of these: it is an [`Outcome`](crate::Outcome) to look at.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// This machine lacks something the run needs; the test should be skipped, loudly.
    #[error("{0}")]
    Unavailable(String),
    /// A file of the sandbox or of the kit could not be read or written.
    #[error("cannot use `{path}`: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program of the kit could not be started.
    #[error("cannot start `{program}`: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A script, a log line or a payload is not what the kit expects.
    #[error("{what} is not valid: {why}")]
    Invalid {
        /// Which text.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

impl KitError {
    pub(crate) fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { path: path.into(), source }
    }

    pub(crate) fn start(program: impl std::fmt::Display, source: std::io::Error) -> Self {
        Self::Start { program: program.to_string(), source }
    }
}
