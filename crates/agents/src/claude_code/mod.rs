//! Claude Code. Its contract was observed with the real program, version 2.1.330; see `docs/agents/claude-code.md`.

mod answer;
mod doctor;
mod install;
mod payload;
mod settings;
mod tools;

pub use answer::render;
pub use doctor::{Examination, Finding, Level, Places, Tier, examine, find_program, version_of};
pub use install::{Change, InstallError, MANAGED_FILE, managed_files, plan_install, plan_uninstall};
pub use payload::parse;
pub use settings::{EVENTS, hook_command, is_ours, read_deny_rules};
pub use tools::tool_from;

/// The agent's short name.
pub const NAME: &str = "claude-code";

/// The first version that honours `onFailure: "block"`, by which a missing or failing hook blocks the call.
pub const FIRST_FAIL_CLOSED: (u32, u32, u32) = (2, 1, 295);

/// Seconds that the installed hook asks the agent to wait for it.
pub const HOOK_TIMEOUT_S: u64 = 60;

/// Seconds after which the hook answers *deny* by itself, well inside [`HOOK_TIMEOUT_S`].
pub const OWN_DEADLINE_S: u64 = 20;
