//! The words of Ambit as types: agent, session, call, effect, surface, concession, verdict.
//!
//! Words only: no I/O, no policy, no clock, no environment. What must be known of the machine comes in
//! through the [`Facts`] trait; what policy decides comes out as a [`VerdictKind`] with its needs.

mod call;
mod class;
mod effect;
mod facts;
mod git;
mod glob;
mod host;
mod lend;
mod path;
mod place;
mod reference;
mod verdict;

pub use call::{Agent, CallId, SessionId, Tool, ToolCall};
pub use effect::{
    Action, ChannelFacts, Effect, EffectKind, EscalateFacts, FetchMethod, InstallFacts, NetFacts, Origin,
    PersistFacts, PushFacts, QueryClass, QueryFacts, RefFacts, RemotePlace, RepoFacts, RevealFacts, RunFacts,
    SecretFacts, ServiceFacts, SignalFacts, Span, Surface, TamperFacts, Task, ToolFacts, Verb,
};
pub use facts::{AsWritten, Environment, Facts, FileKind, GitState, Named, Resolved, TreeSize, Tri};
pub use git::{GitConfig, GitLoss};
pub use glob::matches;
pub use host::{Host, HostZone};
pub use lend::{BackendTerms, Delivery, LendTerms, Lending, Placement, SecretTerms};
pub use path::{AbsPath, PathError};
pub use place::{PathClass, PathFacts, PathTarget, Vital, Zone, path_facts};
pub use reference::{is_secret_name, replace_secret_references, secret_references};
pub use verdict::{Concession, Needs, Offers, VerdictKind};
