//! Each agent's own contract, one module an agent: what its hooks say and understand, where its settings lie, how to
//! tell whether the guard is really on.
//!
//! Wire types stay inside each module; what leaves it is an [`Event`], what enters is an [`Answer`].

pub mod claude_code;
mod event;

pub use event::{Answer, Context, Event, Outcome, PayloadError, Report};
