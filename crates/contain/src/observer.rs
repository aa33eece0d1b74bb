//! What is told of a contained command, at the moment it happens.

use crate::profile::Tier;

/// Why something was withheld; the word is part of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// A connection that leads past the proxy.
    Connection,
    /// A decoy was opened: a credential is withheld.
    Credential,
    /// A protected name was made or replaced; the command was ended for it.
    Protected,
    /// A bound was reached; the command was ended for it.
    Limit,
}

impl Denied {
    /// The word in records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Credential => "credential",
            Self::Protected => "protected",
            Self::Limit => "limit",
        }
    }
}

/// One thing that happened in a contained command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The walls stand and the command is about to run.
    Start {
        /// The tier that was reached.
        tier: Tier,
        /// What could not be had and is done without, in words; usually empty.
        without: Vec<String>,
    },
    /// A program is run.
    Exec {
        /// Its process, as the machine counts.
        pid: u32,
        /// The program's path as it was given to the kernel.
        program: String,
        /// Its arguments with the program's name, capped; personal and possibly secret. Empty when they could not be read.
        arguments: Vec<String>,
    },
    /// A lookup, a connection or a request by the proxy.
    Network(egress::Event),
    /// Something was withheld.
    Denied {
        /// Why.
        why: Denied,
        /// The process, where known.
        pid: Option<u32>,
        /// What it wanted: an address, a path, a bound.
        target: String,
    },
    /// The command has ended, and every process of it with it.
    End {
        /// As a shell tells it: the exit status, or 128 and the signal's number.
        status: u8,
        /// Milliseconds since its start.
        millis: u64,
    },
}

/// Receives events at event time, from the supervisor's thread and from those of the proxy. It must not wait long,
/// because the command does.
pub trait Observer: Send + Sync {
    /// One event.
    fn observe(&self, event: Event);
}

/// Hears nothing. For tests and for runs outside of a session.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Observer for Nobody {
    fn observe(&self, _: Event) {}
}
