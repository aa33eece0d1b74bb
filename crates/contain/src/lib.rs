//! The sandbox: a command runs with bounded files, no credentials and controlled egress.
//!
//! What a command may touch is decided before it starts, by mechanisms that the command cannot undo. [`probe()`] tells
//! which [`Tier`] this machine reaches; a [`Profile`] says what may be touched; [`run`] runs the command and an
//! [`Observer`] hears what happens. There is no silent fallback: what cannot be contained does not run.

mod decoy;
mod environment;
mod error;
#[cfg(target_os = "linux")]
mod linux;
mod observer;
mod places;
mod probe;
mod profile;
mod protect;
mod seatbelt;
mod view;

pub use environment::allowed as allowed_variables;
pub use error::{ContainError, Result};
pub use observer::{Denied, Event, Nobody, Observer};
pub use probe::{Lack, Probe, apparmor_profile, probe, signature};
pub use profile::{Limits, Profile, Tier, Variable};
pub use seatbelt::seatbelt;

use std::ffi::OsString;
use std::sync::Arc;

/// Makes the rules of the command's network. It is asked when the first connection comes, so that a command without one
/// does not wait for it.
pub type RulesMaker = Box<dyn FnOnce() -> egress::Rules>;

/// What the caller begins once the command's process is there, such as threads that read its output.
pub type Started<'a> = Box<dyn FnOnce() -> std::io::Result<()> + 'a>;

/// Runs a command in the bounds of a profile and waits for it. Standard input, output and error are the caller's own;
/// signals are handed on; the answer is the exit status as a shell tells it (128 and the signal's number for one that a
/// signal ended). When this returns, no process of the command is left.
///
/// The caller must have no other thread yet, since the command's process begins as a copy of this one: `started` is
/// called when it may have some. It should end soon after: signals stay held back.
///
/// # Errors
/// [`ContainError`]; the command has not run then.
pub fn run(
    profile: Profile,
    command: &[OsString],
    rules: RulesMaker,
    observer: &Arc<dyn Observer>,
    started: Started<'_>,
) -> Result<u8> {
    #[cfg(target_os = "linux")]
    return linux::run(profile, command, rules, observer, started);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (profile, command, rules, observer, started);
        Err(ContainError::System(std::env::consts::OS))
    }
}
