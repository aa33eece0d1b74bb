//! What calls lose is kept, and given back, on real files and with the real git.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets what it does not expect has failed"
)]

mod files;
mod repositories;
mod world;
