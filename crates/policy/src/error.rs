//! What can go wrong with policies, their snapshot, and `ambit.toml`.

use crate::Diagnostic;
use std::path::PathBuf;

/// Why a call could not be judged. Whoever gets this denies the call.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The policy texts have errors.
    #[error("the policy has {} error(s); the first: {}; run `ambit policy check` to see all", .0.len(), first(.0))]
    Invalid(Vec<Diagnostic>),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(std::io::Error),
    /// The compiled form could not be made.
    #[error("the policy cannot be compiled: {0}; simplify the rule it names")]
    Encode(String),
    /// The snapshot cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Cedar refused the request.
    #[error("the effect cannot be put to policy: {0}; this is a fault in Ambit, and the call is refused")]
    Request(String),
}

fn first(diagnostics: &[Diagnostic]) -> String {
    diagnostics.first().map(ToString::to_string).unwrap_or_default()
}

/// Why a snapshot cannot be used. The answer to each is to compile from the sources again.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file could not be read.
    #[error("the compiled policy cannot be read: {0}; compile it again with `ambit policy compile`")]
    Io(#[from] std::io::Error),
    /// The file is not a snapshot.
    #[error("`{0}` is not a compiled policy; compile it again with `ambit policy compile`")]
    NotASnapshot(PathBuf),
    /// The file comes from another version of Ambit.
    #[error(
        "`{path}` was compiled by another version of Ambit (format {found}, this one reads {expected}); compile it again with `ambit policy compile`"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The format it says it has.
        found: u32,
        /// The format this program reads.
        expected: u32,
    },
    /// The file was damaged.
    #[error("`{path}` is damaged ({what}); compile it again with `ambit policy compile`")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The part that is wrong.
        what: String,
    },
}

/// What is wrong with an `ambit.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}; the keys are listed in docs/policy.md")]
pub struct ConfigError {
    /// The file, as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What is wrong, in the parser's words.
    pub message: String,
}

/// What is wrong with a file of cases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}; the form of a case is described in docs/policy.md")]
pub struct CaseError {
    /// The file, as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}
