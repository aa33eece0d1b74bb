//! A person's consent: asked for, bound to one exact action, decided by those who may, used once.
//!
//! No daemon and no lock: a request is a directory of files ([`Store`]), each made whole and exclusively. What was
//! decided is signed with the machine's key over the request's digest, the decision, its scope and the expiry, and all
//! of it is checked again when a call uses it ([`Store::consume`]).
//!
//! What this proves: no call runs by a consent that was not given, was given to another action, by people who may not,
//! is too old, or was used before. It does not prove who sat at the keyboard: that is for the channels to find out. Who
//! can read the machine's key can sign.
//!
//! The clock comes in by argument; a monotonic clock is used only to give up waiting.

mod decision;
mod error;
mod files;
mod keys;
pub mod measure;
mod request;
mod state;
mod store;
mod task;
pub mod webhook;

pub use decision::{Channel, Choice, Decision, Entry, Scope, Use, What};
pub use error::{ApprovalError, Result};
pub use request::{Digest, Exact, Group, Id, Question, Quorum, Request, Risk, Script, Shown, Story};
pub use state::{Case, LONGEST_SCOPE_S, State, USE_WITHIN_S, may_decide};
pub use store::{Consent, Store, Template};
pub use task::{Granted, Task};
