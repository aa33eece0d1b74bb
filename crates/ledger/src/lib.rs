//! The record that anybody can check: append-only, verifiable, without a daemon.
//!
//! Any number of processes append side by side ([`Ledger`]); each record becomes a leaf of an RFC 6962 tree, and signed
//! checkpoints (C2SP) seal the tree. What was decided is recorded before a call, what became of it after.
//!
//! What verification proves: nothing before the last checkpoint was changed, removed or reordered by anyone without the
//! signing key; and by nobody at all, if a checkpoint or the public key is kept elsewhere ([`VerifyOptions`]).
//! Records after the last checkpoint are protected only by the file system's permissions.
//!
//! Everything comes in by argument: the directory and the time. Nothing here reads the environment or the clock; a
//! monotonic clock is used only to give up waiting for a lock.

mod bulk;
mod error;
mod files;
mod frame;
mod head;
mod keys;
mod kind;
mod note;
mod offsets;
mod proof;
mod query;
mod read;
mod record;
mod recover;
mod seal;
mod sidecar;
mod store;
pub mod tree;
mod verify;
mod walk;

pub use bulk::{ForwardSealed, WithSealed};
pub use error::{LedgerError, Result};
pub use kind::Kind;
pub use note::{Checkpoint, PublicKey, SignedCheckpoint};
pub use proof::{Disclosure, Proof, Proven, verify_proof};
pub use query::{Hits, Predicate, Query};
pub use read::{Backward, Entry, Forward, Reader};
pub use record::{Durability, MAX_LINE, MAX_SEALED, Record, Recorded, Sealed, Stored, format_time};
pub use store::{Ledger, Options};
pub use tree::Hash;
pub use verify::{Fault, Finding, Progress, Report, Severity, Unsealed, VerifyOptions, verify};
