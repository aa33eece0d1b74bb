//! Why something is not kept, or cannot be given back.

use std::path::PathBuf;

/// Why no snapshot can be planned for a call: part of what it would lose is not known, or not Ambit's to keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what the call would lose cannot be kept: {0}")]
pub struct NotPlanned(pub(crate) String);

/// Why a planned snapshot was not taken. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// More would have to be kept than the budget allows.
    #[error("what would be lost is more than a snapshot keeps: {0}")]
    TooMuch(String),
    /// Something is there that cannot be read or cannot be kept.
    #[error("`{path}` cannot be kept: {why}", path = path.display())]
    Path {
        /// What could not be kept.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A repository whose state cannot be kept.
    #[error("the repository `{path}` cannot be kept: {why}", path = path.display())]
    Repository {
        /// The root of its work tree.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The store cannot be written.
    #[error("the snapshot cannot be written: {0}")]
    Store(#[from] std::io::Error),
}

/// Why the store cannot be used or a snapshot cannot be given back.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file of the store cannot be read or written.
    #[error("the snapshots at `{path}` cannot be used: {source}; mend the permissions of that directory or make room", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A snapshot's list cannot be understood.
    #[error("the snapshot `{id}` is damaged: {why}; what can still be read lies in `{path}`", path = path.display())]
    Damaged {
        /// The snapshot.
        id: String,
        /// What is wrong.
        why: String,
        /// Its directory.
        path: PathBuf,
    },
    /// No snapshot has this name.
    #[error("there is no snapshot `{0}`; `ambit undo --list` shows those there are")]
    Unknown(String),
    /// Several snapshots have names that begin so.
    #[error(
        "`{0}` could mean more than one snapshot; give more of the name, as `ambit undo --list` shows it"
    )]
    Ambiguous(String),
    /// What is there now could not be kept aside, so nothing was overwritten.
    #[error("nothing was given back, because what is there now could not be kept aside first: {0}")]
    Aside(#[from] NotTaken),
}

impl SnapshotError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

impl NotTaken {
    pub(crate) fn path(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Path { path: path.to_owned(), why: source.to_string() }
    }
}
