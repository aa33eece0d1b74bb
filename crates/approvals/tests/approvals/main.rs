//! The store of requests, from outside.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;
mod decide;
mod races;
