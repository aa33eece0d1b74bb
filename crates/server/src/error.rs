//! What can go wrong in the console and the exports.

use std::path::PathBuf;

/// Why the console or an export cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The index cannot be opened or written.
    #[error("the index `{}` cannot be used: {source}; delete it, and it is built again from the record", path.display())]
    IndexOpen {
        /// The index's file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// A question to the index failed.
    #[error(
        "the index did not answer: {0}; if this stays so, delete it, and it is built again from the record"
    )]
    Index(#[from] sqlx::Error),
    /// The record cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    /// The approvals cannot be read.
    #[error(transparent)]
    Approvals(#[from] approvals::ApprovalError),
    /// The index's directory or file cannot be made.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The address is taken or not of this machine.
    #[error("`{address}` cannot be listened on: {source}; give another one with --listen")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// An address beyond this machine without a name by which browsers reach it.
    #[error(
        "`{0}` can be reached from other machines; say with --origin by which https address people reach it through a proxy that ends TLS, or listen on 127.0.0.1"
    )]
    Exposed(std::net::SocketAddr),
    /// The origin is none.
    #[error("`{0}` is no origin; give one like `https://ambit.example.com`, without a path")]
    BadOrigin(String),
    /// The system's source of randomness failed.
    #[error("the system gives no random bytes: {0}; without them nobody can be signed in")]
    Random(getrandom::Error),
    /// A file of the index was made by something else.
    #[error("`{0}` is no valid value of the index; delete the index, and it is built again from the record")]
    BadIndex(String),
    /// A part of the console ended that must not.
    #[error("{0} ended unexpectedly; start the console again")]
    Ended(&'static str),
}

/// A result of this crate.
pub type Result<T, E = ServerError> = std::result::Result<T, E>;
