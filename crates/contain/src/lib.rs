//! The sandbox: a command runs with bounded files, no credentials and controlled egress.
//!
//! What a command may touch is decided before it starts, by mechanisms that the command cannot undo. [`probe()`] tells
//! which [`Tier`] this machine reaches; a [`Profile`] says what may be touched; an [`Observer`] hears what happens.
//! There is no silent fallback: what cannot be contained does not run.

mod error;
#[cfg(target_os = "linux")]
mod linux;
mod observer;
mod probe;
mod profile;

pub use error::{ContainError, Result};
pub use observer::{Denied, Event, Nobody, Observer};
pub use probe::{Lack, Probe, apparmor_profile, probe, signature};
pub use profile::{Limits, Profile, Tier, Variable};
