//! The test kit: the real coding agents, played against a scripted model, in a sandbox, with no network.
//!
//! Development code only; nothing that ships depends on it.
//!
//! ```no_run
//! use testkit::{OrSkip, Sandbox, Script, Step};
//!
//! let sandbox = Sandbox::new();
//! let hook = "ambit hook claude";
//! let Some(seen) = sandbox
//!     .claude()
//!     .with_hook("PreToolUse", "*", hook)
//!     .playing(Script::of([Step::bash("rm -rf build"), Step::text("done")]))
//!     .go()
//!     .or_skip("a destructive command is asked for")
//! else {
//!     return;
//! };
//! assert!(sandbox.work().join("build/out.o").exists(), "{}", seen.explain());
//! ```

mod claude;
mod error;
mod isolate;
mod outcome;
mod payload;
mod process;
mod programs;
mod sandbox;
mod script;
mod scripted_model;
mod skip;
mod terminal;
mod wire;

pub use claude::ClaudeRun;
pub use error::KitError;
pub use outcome::{Outcome, ToolResult};
pub use payload::{HookPayload, captured, captured_names};
pub use programs::{claude_program, kit_program};
pub use sandbox::{CANARY, Sandbox};
pub use script::{Call, Script, Step};
pub use scripted_model::{Body, RequestKind, RequestLog, ScriptedModel, SeenRequest};
pub use skip::{OrSkip, skipped};
pub use terminal::Terminal;
