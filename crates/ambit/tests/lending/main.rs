//! Lending from outside: a server on this machine's loopback that demands a token, and commands that use it without
//! having it.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails loudly")]

mod agents;
mod calls;
mod host;
mod persons;
mod world;
