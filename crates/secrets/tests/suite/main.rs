//! Secrets, from outside: found in every shape, hidden, put back.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on should stop"
)]

mod detectors;
mod hiding;
mod robust;
mod shapes;
