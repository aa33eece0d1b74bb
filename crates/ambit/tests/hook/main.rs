//! The installed hook, run as the agent runs it and by the real agent: what is allowed runs, what is not does not, and
//! whatever breaks, breaks closed.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

mod agent_fails;
mod agent_obeys;
mod conceded;
mod contained;
mod fail_closed;
mod install;
mod secrets;
mod world;
