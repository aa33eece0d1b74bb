//! An effect: one thing that a call would do to the world.

mod facts;

pub use facts::*;

use crate::{Environment, PathFacts};
use serde::{Deserialize, Serialize};

/// Where an effect lands: the four risk surfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    /// Files and version control.
    Code,
    /// Programs, services, the machine.
    Command,
    /// Secrets and what leaves or enters by network.
    Data,
    /// MCP servers, messages, and the guard rails themselves.
    Tool,
}

/// The bytes of the command that an effect comes from: `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub from: u32,
    /// One past the last byte.
    pub to: u32,
}

/// The kind of an effect: what a Cedar action is named after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each kind is described at its variant of `Action`")]
pub enum EffectKind {
    Read,
    Write,
    Create,
    Delete,
    Discard,
    Rewrite,
    Push,
    Run,
    Escalate,
    Persist,
    Signal,
    Install,
    Publish,
    Operate,
    Query,
    UseSecret,
    Reveal,
    Send,
    Fetch,
    Call,
    Message,
    Tamper,
}

impl EffectKind {
    /// Every kind, in the order of the design's table.
    pub const ALL: [EffectKind; 22] = [
        Self::Read,
        Self::Write,
        Self::Create,
        Self::Delete,
        Self::Discard,
        Self::Rewrite,
        Self::Push,
        Self::Run,
        Self::Escalate,
        Self::Persist,
        Self::Signal,
        Self::Install,
        Self::Publish,
        Self::Operate,
        Self::Query,
        Self::UseSecret,
        Self::Reveal,
        Self::Send,
        Self::Fetch,
        Self::Call,
        Self::Message,
        Self::Tamper,
    ];

    /// The word used in policies, records and listings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Discard => "discard",
            Self::Rewrite => "rewrite",
            Self::Push => "push",
            Self::Run => "run",
            Self::Escalate => "escalate",
            Self::Persist => "persist",
            Self::Signal => "signal",
            Self::Install => "install",
            Self::Publish => "publish",
            Self::Operate => "operate",
            Self::Query => "query",
            Self::UseSecret => "use_secret",
            Self::Reveal => "reveal",
            Self::Send => "send",
            Self::Fetch => "fetch",
            Self::Call => "call",
            Self::Message => "message",
            Self::Tamper => "tamper",
        }
    }

    /// The kind with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.word() == word)
    }

    /// The surface on which effects of this kind land.
    #[must_use]
    pub fn surface(self) -> Surface {
        match self {
            Self::Read
            | Self::Write
            | Self::Create
            | Self::Delete
            | Self::Discard
            | Self::Rewrite
            | Self::Push => Surface::Code,
            Self::Run
            | Self::Escalate
            | Self::Persist
            | Self::Signal
            | Self::Install
            | Self::Publish
            | Self::Operate
            | Self::Query => Surface::Command,
            Self::UseSecret | Self::Reveal | Self::Send | Self::Fetch => Surface::Data,
            Self::Call | Self::Message | Self::Tamper => Surface::Tool,
        }
    }
}

impl Surface {
    /// The word used in policies, records and listings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Command => "command",
            Self::Data => "data",
            Self::Tool => "tool",
        }
    }
}

/// One thing that a call would do, with the facts that policy may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// What would be done, to what.
    pub action: Action,
    /// The part of the command it comes from; `None` for tools without a command text.
    pub span: Option<Span>,
    /// Where it would happen, if not on this machine (`ssh`, `kubectl exec`, `docker exec`).
    pub remote: Option<RemotePlace>,
}

/// Another machine or container on which an effect would happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RemotePlace {
    /// Its name as given: host, pod, container.
    pub name: String,
    /// The environment it belongs to.
    pub environment: Environment,
}

/// The kinds of effects, each with its own facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "facts", rename_all = "snake_case")]
pub enum Action {
    /// The content of a path is read.
    Read(PathFacts),
    /// The content of an existing or new file is changed.
    Write(PathFacts),
    /// Something new is made at a path (directory, link, empty file).
    Create(PathFacts),
    /// What lies at a path is lost.
    Delete(PathFacts),
    /// Uncommitted work or unreferenced commits of a repository are lost.
    Discard(RepoFacts),
    /// A ref or the history behind it is changed.
    Rewrite(RefFacts),
    /// Refs are sent to a remote.
    Push(PushFacts),
    /// A program runs whose own doing is not modelled by other effects.
    Run(RunFacts),
    /// Privileges or permissions are widened.
    Escalate(EscalateFacts),
    /// Something is set up to run later.
    Persist(PersistFacts),
    /// A process is signalled.
    Signal(SignalFacts),
    /// A package is installed.
    Install(InstallFacts),
    /// A package, image or release is published.
    Publish(InstallFacts),
    /// A service is operated through its tool.
    Operate(ServiceFacts),
    /// A database is queried.
    Query(QueryFacts),
    /// A secret is lent to a process.
    UseSecret(SecretFacts),
    /// A secret is shown.
    Reveal(RevealFacts),
    /// Data leaves the machine.
    Send(NetFacts),
    /// Data is fetched.
    Fetch(NetFacts),
    /// A tool of an MCP server is called.
    Call(ToolFacts),
    /// A message leaves in the person's name.
    Message(ChannelFacts),
    /// Ambit or an agent's own guard rails are changed or switched off.
    Tamper(TamperFacts),
}

impl Action {
    /// The kind, without the facts.
    #[must_use]
    pub fn kind(&self) -> EffectKind {
        match self {
            Self::Read(_) => EffectKind::Read,
            Self::Write(_) => EffectKind::Write,
            Self::Create(_) => EffectKind::Create,
            Self::Delete(_) => EffectKind::Delete,
            Self::Discard(_) => EffectKind::Discard,
            Self::Rewrite(_) => EffectKind::Rewrite,
            Self::Push(_) => EffectKind::Push,
            Self::Run(_) => EffectKind::Run,
            Self::Escalate(_) => EffectKind::Escalate,
            Self::Persist(_) => EffectKind::Persist,
            Self::Signal(_) => EffectKind::Signal,
            Self::Install(_) => EffectKind::Install,
            Self::Publish(_) => EffectKind::Publish,
            Self::Operate(_) => EffectKind::Operate,
            Self::Query(_) => EffectKind::Query,
            Self::UseSecret(_) => EffectKind::UseSecret,
            Self::Reveal(_) => EffectKind::Reveal,
            Self::Send(_) => EffectKind::Send,
            Self::Fetch(_) => EffectKind::Fetch,
            Self::Call(_) => EffectKind::Call,
            Self::Message(_) => EffectKind::Message,
            Self::Tamper(_) => EffectKind::Tamper,
        }
    }

    /// What it would be done to, for listings and as the Cedar resource's identifier.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::Read(p) | Self::Write(p) | Self::Create(p) | Self::Delete(p) => p.target.to_string(),
            Self::Discard(r) => format!("{} of {}", r.what, r.repository),
            Self::Rewrite(r) => r.reference.clone(),
            Self::Push(p) => match (p.remote.as_str(), p.reference.as_str()) {
                ("", "") => "default remote".to_owned(),
                (remote, "") => remote.to_owned(),
                ("", reference) => reference.to_owned(),
                (remote, reference) => format!("{remote} {reference}"),
            },
            Self::Run(r) => r.program.clone(),
            Self::Escalate(e) => format!("{} {}", e.what, e.target).trim_end().to_owned(),
            Self::Persist(p) => format!("{} {}", p.mechanism, p.place).trim_end().to_owned(),
            Self::Signal(s) => s.process.clone(),
            Self::Install(i) | Self::Publish(i) => match i.package.as_str() {
                "" => format!("{} packages of the project", i.registry),
                package => format!("{} {package}", i.registry),
            },
            Self::Operate(s) => {
                format!("{} {} {}", s.provider, s.verb.word(), s.resource).trim_end().to_owned()
            }
            Self::Query(q) => format!("{} {}", q.class.word(), q.database).trim_end().to_owned(),
            Self::UseSecret(s) => s.name.clone(),
            Self::Reveal(r) => format!("{} {}", r.what, r.name).trim_end().to_owned(),
            Self::Send(n) | Self::Fetch(n) => {
                if n.host.is_empty() {
                    "unknown host".to_owned()
                } else {
                    n.host.clone()
                }
            }
            Self::Call(t) => format!("{}/{}", t.server, t.tool),
            Self::Message(c) => format!("{} {}", c.channel, c.target).trim_end().to_owned(),
            Self::Tamper(t) => format!("{} {}", t.what, t.target).trim_end().to_owned(),
        }
    }
}

impl Effect {
    /// An effect on this machine.
    #[must_use]
    pub fn here(action: Action, span: Option<Span>) -> Self {
        Self { action, span, remote: None }
    }

    /// The kind of the effect.
    #[must_use]
    pub fn kind(&self) -> EffectKind {
        self.action.kind()
    }

    /// Whether Ambit knows what this effect is; a run that it does not understand is the only one it does not.
    #[must_use]
    pub fn understood(&self) -> bool {
        match &self.action {
            Action::Run(r) => r.understood,
            _ => true,
        }
    }
}
