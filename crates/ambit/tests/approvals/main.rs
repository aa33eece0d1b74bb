//! Consent from outside: the installed hook, the command line, and an agent that tries to consent to itself.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on should stop")]

mod channels;
mod flow;
mod tries;
mod world;
