//! Effects and concessions in, a verdict out: Cedar, in layers, compiled.
//!
//! [`compile`] turns Cedar text into [`Compiled`] policy, [`Compiled::write`] keeps it as a file that [`Snapshot::open`]
//! reads by parts, and [`Policy::judge`] finds the least concession under which every effect of a call is permitted.
//! Pure: no environment, clock, home or terminal; paths and texts come in by argument.

mod asking;
mod cases;
mod check;
mod compile;
mod config;
mod error;
mod grant;
mod judge;
mod ladder;
mod memory;
mod preset;
mod request;
mod restrict;
mod snapshot;
mod source;
mod verdict;

pub use asking::{Asking, ChatForm, LONGEST_WAIT_S, Webhook};
pub use cases::{Case, CaseEffects, CaseFailure, CaseFile, run_cases};
pub use check::{Diagnostic, Severity, check};
pub use compile::{Compiled, Rule, RuleEffect, compile};
pub use config::{
    Approvers, Branches, COMMENTED_EXAMPLE, Config, Delegates, McpOverride, Mode, Names, Network, Paths,
    Preset, READ_HOSTS, WorkspaceDirs,
};
pub use error::{CaseError, ConfigError, PolicyError, SnapshotError};

pub use grant::{Grant, GrantScope};
pub use judge::{Judge, Policy, Subject};
pub use preset::{POLICIES_DIGEST, SCHEMA, floor_sources, preset_sources};
pub use restrict::{Ignored, restrict};
pub use snapshot::Snapshot;
pub use source::{Layer, Source, Sources, load_dir};
pub use verdict::{EffectResult, Verdict};
