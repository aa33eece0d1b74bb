//! The server from outside: real sockets on loopback, raw bytes, real clients.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on should stop"
)]

mod attacks;
mod clients;
mod flows;
mod lending;
mod names;
mod vetting;
mod world;
