//! What can go wrong, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A failure of the ledger. Whoever lets an action through must treat every one of them as *not recorded*.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another process holds the lock for longer than the caller would wait.
    #[error("the ledger is held by another process for more than {} ms: see who has `{}` open", waited.as_millis(), path.display())]
    Busy {
        /// How long the caller was willing to wait.
        waited: Duration,
        /// The lock's file.
        path: PathBuf,
    },
    /// No room on the disk, or the quota is used up.
    #[error("no room left to {doing} `{}`: free some space, then try again", path.display())]
    Full {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file system cannot be written.
    #[error("cannot {doing} `{}`, since its file system is read-only: remount it or move the ledger", path.display())]
    ReadOnly {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to somebody else.
    #[error("not permitted to {doing} `{}`: give it back to the person who runs the agent", path.display())]
    Denied {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Any other failure of the file system.
    #[error("cannot {doing} `{}`: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A record or a sealed value over the limit.
    #[error("{what} has {bytes} bytes, more than the {limit} that a record may hold: shorten it first")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A word that does not name a kind of record.
    #[error("`{0}` is no kind of record: use lower-case words joined by dots, such as `session.start`")]
    BadKind(String),
    /// A name that no field can have.
    #[error("`{name}` cannot name a field: {why}")]
    BadField {
        /// The name.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// A value without a canonical form (RFC 8785).
    #[error("`{name}` has no canonical JSON form: {source}")]
    Canonical {
        /// The field.
        name: String,
        /// What the serializer said.
        source: serde_json::Error,
    },
    /// The signing key is gone although the ledger has records.
    #[error("the signing key `{}` is missing: restore it, or move the ledger aside to begin a new one", .0.display())]
    KeyMissing(PathBuf),
    /// The signing key cannot be read as one.
    #[error("the signing key `{}` is damaged: restore it, or move key and ledger aside to begin anew", .0.display())]
    KeyDamaged(PathBuf),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),
    /// Files that cannot be made sense of, so that appending would make it worse.
    #[error("cannot go on after `{}`: {why}; run the verification, then move the ledger aside to begin a new one", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Bytes in the middle of a segment that are no record.
    #[error("bytes from {offset} in `{}` are no record: run the verification", path.display())]
    Corrupt {
        /// The segment.
        path: PathBuf,
        /// Where the unreadable bytes begin.
        offset: u64,
    },
    /// There is no record with this index.
    #[error("there is no record {0} in this ledger")]
    NoSuchRecord(u64),
    /// The record has no sealed field of this name.
    #[error("record {index} has no sealed field `{field}`")]
    NoSuchField {
        /// Index of the record.
        index: u64,
        /// The name.
        field: String,
    },
    /// A sealed value that is not the one the record committed to.
    #[error(
        "the sealed value `{field}` of record {index} is not the one that was recorded: it was tampered with"
    )]
    Tampered {
        /// Index of the record.
        index: u64,
        /// The field.
        field: String,
    },
    /// Text that is no signed note, checkpoint or key of one.
    #[error("not a valid checkpoint: {0}")]
    BadNote(&'static str),
    /// A proof that does not prove.
    #[error("the proof does not hold: {0}")]
    BadProof(&'static str),
    /// No checkpoint covers the record yet.
    #[error("record {0} is not sealed yet: append a durable record or wait for the next checkpoint")]
    NotSealed(u64),
}

/// The result of everything here.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// Sorts a failure of the file system by what the person can do about it.
pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LedgerError {
    let path = path.to_path_buf();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            LedgerError::Full { doing, path }
        }
        io::ErrorKind::ReadOnlyFilesystem => LedgerError::ReadOnly { doing, path },
        io::ErrorKind::PermissionDenied => LedgerError::Denied { doing, path },
        _ => LedgerError::Io { doing, path, source },
    }
}
