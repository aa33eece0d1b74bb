//! The sandbox from outside: what gets out of it (nothing), and what works in it (everything that builds and tests need).
//! Each test runs for every user as whom this machine lets it, in tier A.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod escapes;
mod life;
mod work;
mod world;
