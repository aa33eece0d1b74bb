//! What is told of a contained command, at the moment it happens.

use crate::profile::Tier;

/// Why something was withheld; the word is part of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// A connection that leads past the proxy.
    Connection,
    /// A decoy was opened: a credential is withheld.
    Credential,
    /// A protected name was made or replaced.
    Protected,
    /// A bound was reached.
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
    /// The command is about to run.
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
        /// The program's path.
        program: String,
        /// Its arguments with the program's name, as they were; personal and possibly secret.
        arguments: Vec<String>,
    },
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

/// Receives events at event time; it must not wait long, because the command does.
pub trait Observer: Send {
    /// One event.
    fn observe(&mut self, event: Event);
}

/// Hears nothing. For tests and for `ambit run` outside of a session.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Observer for Nobody {
    fn observe(&mut self, _: Event) {}
}
