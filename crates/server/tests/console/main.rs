//! The console from outside: over its own sockets, as browsers and as those who are no browsers speak to it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod client;
mod deciding;
mod door;
mod finding;
mod pages;

#[path = "../support/mod.rs"]
mod support;
