//! What is known of an effect: one type of facts for each group of kinds.

use crate::{Environment, HostZone, Lending, Tri};
use serde::{Deserialize, Serialize};

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
    /// The repository's root or the directory git would run in; empty where that is not known.
    #[serde(default)]
    pub repository: String,
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
    /// Remote name or URL, without a password: as given, or the one that git takes by itself; empty when not known.
    pub remote: String,
    /// The host behind it; empty when it is a directory or not known.
    #[serde(default)]
    pub host: String,
    /// The environment of the host, or that the remote's name suggests.
    #[serde(default)]
    pub environment: Environment,
    /// Whether the remote is a directory that this session made.
    #[serde(default)]
    pub own: bool,
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
    /// The host that the command sends it to; empty when it is not known or the secret stays on the machine.
    pub host: String,
    /// Whether configured terms or a grant of a person let the program have it.
    #[serde(default)]
    pub terms: Lending,
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
    /// The environment the host belongs to.
    #[serde(default)]
    pub environment: Environment,
    /// Whether it is a remote that the repository's own configuration names already.
    #[serde(default)]
    pub configured: bool,
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
