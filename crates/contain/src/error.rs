//! Why a command was not contained. It did not run then.

use crate::probe::Lack;
use crate::profile::Tier;
use std::io;

/// Why a command was not contained. In every case the command has not run.
#[derive(Debug, thiserror::Error)]
pub enum ContainError {
    /// The machine does not reach the tier.
    #[error("this machine cannot contain a command at tier {wanted}: {lack}; {mend}", mend = lack.mend())]
    Unavailable {
        /// The tier that was wanted.
        wanted: Tier,
        /// What is in the way.
        lack: Lack,
    },
    /// A tier that does not exist.
    #[error("`{0}` is no tier; use `A` or `B`")]
    NoSuchTier(String),
    /// The project holds the home.
    #[error(
        "the directory `{project}` holds your home or Ambit's own files, so nothing could be withheld from a command \
         that works on it; change to a project's directory"
    )]
    TooWide {
        /// The directory.
        project: String,
    },
    /// The directory in which the command would start is not to be seen inside.
    #[error(
        "the directory `{cwd}` is outside of the project `{project}`; change into it, or name it with `--write`"
    )]
    Outside {
        /// The directory.
        cwd: String,
        /// The project.
        project: String,
    },
    /// The launcher failed.
    #[error("the sandbox could not be built: {what}: {source}; the command did not run")]
    Setup {
        /// What was being done.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The program is not to be found inside.
    #[error("{program}: {source}")]
    Program {
        /// The program as given.
        program: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The launcher ended without a word.
    #[error("the sandbox ended before the command began; the command did not run")]
    Silent,
    /// Not written for this system.
    #[error("Ambit has no sandbox for this system ({0}); commands that need one are asked about")]
    System(&'static str),
}

impl ContainError {
    /// A failed step of the launcher.
    pub(crate) fn setup(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Setup { what: what.into(), source: source.into() }
    }
}

/// Short for results of this crate.
pub type Result<T> = std::result::Result<T, ContainError>;
