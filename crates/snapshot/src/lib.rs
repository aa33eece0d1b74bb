//! What a call would lose is kept before it runs, and given back when a person wants it.
//!
//! [`plan`] says from a call's effects what would be lost, without looking at the machine. [`take`] keeps it: small
//! files in one packed file, large ones as clones, hard links or copies, and of a repository its refs, its index and
//! whatever no commit holds, pinned under `refs/ambit/`. What cannot be kept whole is not kept at all, and the
//! concession is not made. [`settle`] notes after the call what it left, by which newer work is told from the call's
//! own when [`undo`] gives things back.
//!
//! Paths, times and the program `git` come in by argument; only a monotonic clock is read, to keep the time budget.

mod beneath;
mod collect;
mod error;
mod git;
mod keep;
mod manifest;
mod pattern;
mod plan;
mod repository;
mod settle;
mod store;
mod take;
mod undo;
mod undo_repository;

pub use error::{NotPlanned, NotTaken, SnapshotError};
pub use git::Git;
pub use manifest::{Content, Digest, Kept, KeptIndex, KeptRepository, Manifest};
pub use plan::{Plan, plan};
pub use settle::settle;
pub use store::{Entry, Retention, Store};
pub use take::{About, Budget, Taken, take};
pub use undo::{Step, StepKind, Undone, Wish, undo};
