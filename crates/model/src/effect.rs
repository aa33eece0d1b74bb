//! An effect: one thing that a call would do to the world.

use crate::{Environment, HostZone, PathFacts, Tri};
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

/// Where the code that would run comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Installed on the machine.
    System,
    /// A script or program of the project that this session has not written.
    Project,
    /// Written by this session.
    Session,
    /// Downloaded by this session or by this command.
    Downloaded,
    /// Given on the command line (`python -c`, a here-document).
    Inline,
    /// A file outside the project that is not part of the system.
    Elsewhere,
    /// Not known before the command runs.
    Unknown,
}

impl Origin {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Project => "project",
            Self::Session => "session",
            Self::Downloaded => "downloaded",
            Self::Inline => "inline",
            Self::Elsewhere => "elsewhere",
            Self::Unknown => "unknown",
        }
    }
}

/// What a run is for, where the program's table entry says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Compiles or packages the project.
    Build,
    /// Runs the project's tests.
    Test,
    /// Lints, formats or type-checks the project with its own configuration.
    Lint,
    /// Starts the project's own program or a task of its build file.
    Start,
    /// Anything else.
    Other,
}

impl Task {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
            Self::Lint => "lint",
            Self::Start => "start",
            Self::Other => "other",
        }
    }
}

/// A program that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Its name or path as far as known.
    pub program: String,
    /// Whether Ambit knows what it would do.
    pub understood: bool,
    /// What was not understood, in words: the option, program, variable or script by name.
    pub why: Option<String>,
    /// Where its code comes from.
    pub origin: Origin,
    /// What it is for.
    pub task: Task,
}

/// A repository whose uncommitted work or unreferenced commits would be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoFacts {
    /// The repository's root or the directory git would run in.
    pub repository: String,
    /// What is lost: `worktree`, `untracked`, `stash`, `branch`, `commits`, `reflog`.
    pub what: String,
    /// Whether there is anything to lose.
    pub dirty: Tri,
    /// Whether it is the session's workspace.
    pub in_workspace: bool,
}

/// A ref that is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefFacts {
    /// The ref as given, or the current branch.
    pub reference: String,
    /// Whether commits that were reachable no longer are (`rebase`, `commit --amend`, `filter-branch`).
    pub history: bool,
    /// Whether the branch is protected.
    pub protected: bool,
    /// Whether it was already pushed.
    pub pushed: Tri,
}

/// Refs that are sent to a remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushFacts {
    /// Remote name or URL as given; empty for the default.
    pub remote: String,
    /// Whether the remote is one of the repository's own.
    pub known: Tri,
    /// The destination ref; empty for the current branch.
    pub reference: String,
    /// Whether the remote's commits may be dropped.
    pub force: bool,
    /// Whether a remote ref is deleted.
    pub deletes: bool,
    /// Whether the destination is a protected branch.
    pub protected: Tri,
}

/// Privileges or permissions that are widened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscalateFacts {
    /// `user` (sudo, su, doas), `mode` (setuid, world-writable), `owner`, `capability`, `account`, `group`, `firewall`, `checks` (hooks and other checks are skipped).
    pub what: String,
    /// The user, path or object it is about.
    pub target: String,
}

/// Something that is set up to run later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersistFacts {
    /// `cron`, `service`, `shell_rc`, `git_hook`, `git_config`, `autostart`, `at`, `kernel`, `ssh_key`.
    pub mechanism: String,
    /// Where.
    pub place: String,
}

/// A process that is signalled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalFacts {
    /// Process as given: a pid, a name, a pattern, `%1`.
    pub process: String,
    /// Whether the session started it.
    pub own: Tri,
    /// Whether the whole machine is meant (shutdown, reboot, `kill -1`).
    pub machine: bool,
}

/// A package that is installed or published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallFacts {
    /// The ecosystem: `npm`, `pypi`, `crates`, `debian`, `go`, `container`, …
    pub registry: String,
    /// Whether it comes from that ecosystem's own registry (not from a URL, a path or another index).
    pub known_registry: bool,
    /// The package as given; empty when the project's own list is installed.
    pub package: String,
    /// Whether installing runs the package's own code.
    pub runs_scripts: bool,
    /// Whether it goes to the whole machine or user, not only to the project.
    pub global: bool,
}

/// What a service is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Shows, changes nothing.
    Read,
    /// Makes or changes.
    Write,
    /// Takes away.
    Delete,
    /// Changes who may do what, or the service itself.
    Admin,
    /// Not known.
    Unknown,
}

impl Verb {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Admin => "admin",
            Self::Unknown => "unknown",
        }
    }
}

/// A service that is operated through its tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFacts {
    /// `kubernetes`, `terraform`, `docker`, `aws`, `gcloud`, `azure`, `helm`, `systemd`, `github` …
    pub provider: String,
    /// What is asked.
    pub verb: Verb,
    /// What it is about, as given (`deployment/api`, `-chdir=prod`, `s3://bucket`).
    pub resource: String,
    /// The environment it belongs to.
    pub environment: Environment,
    /// Only shows what it would do.
    pub dry_run: bool,
}

/// What a query would do to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryClass {
    /// Reads.
    Read,
    /// Changes rows that a condition names.
    Write,
    /// Makes or changes tables, indexes, migrations.
    Schema,
    /// `DELETE` or `UPDATE` without a condition.
    Unbounded,
    /// Drops or truncates, resets, flushes.
    Drop,
    /// Grants, roles, server settings, programs run by the server.
    Admin,
    /// Not understood.
    Unknown,
}

impl QueryClass {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Schema => "schema",
            Self::Unbounded => "unbounded",
            Self::Drop => "drop",
            Self::Admin => "admin",
            Self::Unknown => "unknown",
        }
    }
}

/// A database that is queried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryFacts {
    /// Name, host or file as given, without password; empty for the client's default.
    pub database: String,
    /// What the query would do.
    pub class: QueryClass,
    /// The environment it belongs to.
    pub environment: Environment,
}

/// A secret that is lent to a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretFacts {
    /// Its name, never its value.
    pub name: String,
    /// The program it is lent to.
    pub program: String,
    /// The host it may be sent to; empty when it stays on the machine.
    pub host: String,
}

/// A secret that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevealFacts {
    /// `environment`, `credential_file`, `metadata`, `keychain`, `token`, `process_environment`, `key`, `password`.
    pub what: String,
    /// Its name or path, never its value.
    pub name: String,
}

/// What is done at a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FetchMethod {
    /// Only asks.
    Get,
    /// Sends a body or changes something.
    Change,
    /// A connection of another protocol (ssh, database, raw).
    Connect,
    /// A name lookup or echo request, whose name or payload may carry data.
    Probe,
    /// Not known.
    Unknown,
}

impl FetchMethod {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Change => "change",
            Self::Connect => "connect",
            Self::Probe => "probe",
            Self::Unknown => "unknown",
        }
    }
}

/// Network traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetFacts {
    /// The host; empty when not known.
    pub host: String,
    /// Where it lies.
    pub zone: HostZone,
    /// Port, when given.
    pub port: Option<u16>,
    /// What is done.
    pub method: FetchMethod,
    /// Whether the organisation lists the host as one that may be read from.
    pub allowlisted: bool,
    /// Whether what is sent comes from a secret, a credential file or outside the workspace, as far as the command tells.
    pub carries_sensitive: bool,
    /// Whether any local data is sent.
    pub carries_data: bool,
}

/// A tool of an MCP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolFacts {
    /// The server's name in the agent's configuration.
    pub server: String,
    /// The tool's name.
    pub tool: String,
    /// What the tool would do, by its annotations or its name.
    pub verb: Verb,
    /// Whether the verb was guessed from the name and not declared.
    pub guessed: bool,
    /// Whether the person has pinned this tool's description, and it is unchanged.
    pub pinned: Tri,
    /// The environment the server works on.
    pub environment: Environment,
}

/// A message that leaves in the person's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelFacts {
    /// `pull_request`, `issue`, `comment`, `mail`, `chat`, `release`, `review`.
    pub channel: String,
    /// Repository, address or room as given.
    pub target: String,
}

/// Guard rails that are changed or switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TamperFacts {
    /// `settings`, `policy`, `program`, `state`, `approval`, `process`, `environment`.
    pub what: String,
    /// The path, variable or command.
    pub target: String,
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
