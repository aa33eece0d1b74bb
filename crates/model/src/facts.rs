//! What must be known of the machine to judge a call, as a trait.
//!
//! "Unknown" is an answer of its own everywhere: it is never the same as "harmless".

use crate::{AbsPath, GitConfig, GitLoss, Host};
use serde::{Deserialize, Serialize};

/// Yes, no, or not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tri {
    /// Known to be so.
    Yes,
    /// Known not to be so.
    No,
    /// Not known.
    #[default]
    Unknown,
}

impl Tri {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

impl From<bool> for Tri {
    fn from(b: bool) -> Self {
        if b { Self::Yes } else { Self::No }
    }
}

/// What git knows of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GitState {
    /// Tracked, and the same as in the index: can be had back.
    Clean,
    /// Tracked, with changes that no commit holds.
    Dirty,
    /// Not tracked and not ignored: git cannot give it back.
    Untracked,
    /// Ignored, as build output is.
    Ignored,
    /// Not in a work tree.
    Outside,
    /// Not known.
    #[default]
    Unknown,
}

impl GitState {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Dirty => "dirty",
            Self::Untracked => "untracked",
            Self::Ignored => "ignored",
            Self::Outside => "outside",
            Self::Unknown => "unknown",
        }
    }
}

/// What kind of file a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// An ordinary file.
    File,
    /// A directory.
    Directory,
    /// A device, socket or pipe.
    Special,
    /// Nothing is there.
    Absent,
    /// Not known.
    Unknown,
}

/// A path with its symlinks followed as far as it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The path that would really be touched.
    pub path: AbsPath,
    /// What is there.
    pub kind: FileKind,
}

/// How much lies in a tree, as far as it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeSize {
    /// Files found.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of the files, those that git cannot give back (untracked, ignored or dirty), if that was counted.
    pub not_in_git: Option<u64>,
    /// Whether the count ended early because of its budget.
    pub at_least: bool,
}

/// Which environment something belongs to, by the organisation's `ambit.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Named as production.
    Production,
    /// Its name suggests production; nobody has said so.
    LikelyProduction,
    /// Named as not production, or its name says so (`dev`, `test`, `staging`).
    NonProduction,
    /// On this machine (loopback, a local cluster, a file).
    Local,
    /// Not known.
    #[default]
    Unknown,
}

impl Environment {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::LikelyProduction => "likely_production",
            Self::NonProduction => "non_production",
            Self::Local => "local",
            Self::Unknown => "unknown",
        }
    }
}

/// Something that belongs to an environment, by kind and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Named<'a> {
    /// A host.
    Host(&'a Host),
    /// A kubernetes context; `None` is the current one.
    KubeContext(Option<&'a str>),
    /// A cloud profile, project or account: (provider, name); `None` is the current one.
    CloudProfile(&'a str, Option<&'a str>),
    /// A terraform workspace; `None` is the current one.
    TerraformWorkspace(Option<&'a str>),
    /// A database by its URL or name; `None` is the client's default.
    Database(Option<&'a str>),
    /// A directory whose name may tell (`envs/prod`).
    Directory(&'a AbsPath),
    /// An MCP server's name.
    McpServer(&'a str),
    /// Any other name that was given on the command line (namespace, stack, app).
    Other(&'a str),
}

/// What must be known of the machine. Implementations run no program and keep a time budget.
pub trait Facts {
    /// The project's root: edits inside it are what the person asked for.
    fn workspace(&self) -> &AbsPath;
    /// Other directories the person added to the project.
    fn extra_workspaces(&self) -> &[AbsPath] {
        &[]
    }
    /// The person's home directory.
    fn home(&self) -> Option<&AbsPath>;
    /// Follows symlinks and says what is there.
    fn resolve(&self, path: &AbsPath) -> Resolved;
    /// What git knows of a path.
    fn git_state(&self, path: &AbsPath) -> GitState;
    /// The configuration of the repository that holds `dir`.
    fn git_config(&self, dir: &AbsPath) -> GitConfig;
    /// Whether a command in the repository that holds `dir` would lose something of this kind. `No` is said only when all
    /// that could be lost was looked at.
    fn git_loss(&self, _dir: &AbsPath, _loss: GitLoss) -> Tri {
        Tri::Unknown
    }
    /// Whether the commit that is checked out is reached by a branch of a remote, as far as the repository's own notes of
    /// its remotes tell. A push to an address that no remote has leaves no note.
    fn git_pushed(&self, _dir: &AbsPath) -> Tri {
        Tri::Unknown
    }
    /// How much lies beneath a directory, or the size of a file.
    fn tree_size(&self, path: &AbsPath) -> Option<TreeSize>;
    /// Whether this session created the path: nothing was there before, so nothing of anybody else's is lost with it.
    fn made_by_session(&self, path: &AbsPath) -> bool;
    /// Whether this session wrote the path, new or not: code in it is the session's own ([`crate::Origin::Session`]).
    fn written_by_session(&self, path: &AbsPath) -> bool {
        self.made_by_session(path)
    }
    /// Whether this session downloaded the path.
    fn downloaded_by_session(&self, path: &AbsPath) -> bool;
    /// The text of a script that would run, if it is readable and not longer than `limit` bytes.
    fn script(&self, path: &AbsPath, limit: usize) -> Option<String>;
    /// The value of a variable in the agent's environment, if known.
    fn variable(&self, name: &str) -> Option<String>;
    /// Which environment something belongs to.
    fn environment(&self, named: &Named<'_>) -> Environment;
    /// Whether a branch is protected (`main`, `release/*`, … by `ambit.toml`).
    fn protected_branch(&self, branch: &str) -> bool;
    /// Whether a host is on the organisation's list of hosts that may be read from.
    fn allowed_host(&self, host: &Host) -> bool;
    /// Whether the organisation says that a path holds credentials, besides those known by name.
    fn is_credential(&self, _path: &AbsPath) -> bool {
        false
    }
    /// Whether the path is one of Ambit's own, or configures an agent's guard rails (program, state, policy, settings).
    fn is_guard_rail(&self, path: &AbsPath) -> bool;
}

/// Facts without a machine: paths are taken as written, everything else is unknown.
///
/// Used by `ambit check --facts none` and by tests of the pure rooms.
#[derive(Debug, Clone)]
pub struct AsWritten {
    /// The project's root.
    pub workspace: AbsPath,
    /// The person's home.
    pub home: AbsPath,
    /// Paths this session has written so far.
    pub made: std::collections::HashSet<AbsPath>,
    /// Paths this session has downloaded so far.
    pub downloaded: std::collections::HashSet<AbsPath>,
}

impl AsWritten {
    /// Facts for a workspace and home of which nothing else is known.
    #[must_use]
    pub fn new(workspace: AbsPath, home: AbsPath) -> Self {
        Self {
            workspace,
            home,
            made: std::collections::HashSet::new(),
            downloaded: std::collections::HashSet::new(),
        }
    }
}

/// Names that suggest an environment, where nobody has said so in `ambit.toml`. A guess, and marked as one.
pub(crate) fn guess_environment(name: &str) -> Environment {
    let mut guess = Environment::Unknown;
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|p| !p.is_empty()) {
        match part.to_ascii_lowercase().as_str() {
            "prod" | "production" | "prd" | "live" => return Environment::LikelyProduction,
            "dev" | "develop" | "development" | "test" | "testing" | "tests" | "staging" | "stage"
            | "stg" | "qa" | "sandbox" | "preview" | "ci" => guess = Environment::NonProduction,
            "localhost" | "local" | "minikube" | "kind" | "k3d" | "docker" | "orbstack" | "colima" => {
                guess = Environment::Local;
            }
            _ => {}
        }
    }
    guess
}

impl Named<'_> {
    /// What the name itself suggests, when nobody has said which environment it is.
    #[must_use]
    pub fn guess(&self) -> Environment {
        match self {
            Self::Host(h) => match h.zone() {
                crate::HostZone::Loopback => Environment::Local,
                _ => guess_environment(&h.to_string()),
            },
            Self::KubeContext(n)
            | Self::CloudProfile(_, n)
            | Self::TerraformWorkspace(n)
            | Self::Database(n) => n.map_or(Environment::Unknown, guess_environment),
            Self::Directory(d) => guess_environment(d.as_str()),
            Self::McpServer(n) | Self::Other(n) => guess_environment(n),
        }
    }
}

impl Facts for AsWritten {
    fn workspace(&self) -> &AbsPath {
        &self.workspace
    }
    fn home(&self) -> Option<&AbsPath> {
        Some(&self.home)
    }
    fn resolve(&self, path: &AbsPath) -> Resolved {
        Resolved { path: path.clone(), kind: FileKind::Unknown }
    }
    fn git_state(&self, _path: &AbsPath) -> GitState {
        GitState::Unknown
    }
    fn git_config(&self, _dir: &AbsPath) -> GitConfig {
        GitConfig::default()
    }
    fn tree_size(&self, _path: &AbsPath) -> Option<TreeSize> {
        None
    }
    fn made_by_session(&self, path: &AbsPath) -> bool {
        self.made.contains(path)
    }
    fn downloaded_by_session(&self, path: &AbsPath) -> bool {
        self.downloaded.contains(path)
    }
    fn script(&self, _path: &AbsPath, _limit: usize) -> Option<String> {
        None
    }
    fn variable(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| self.home.to_string())
    }
    fn environment(&self, named: &Named<'_>) -> Environment {
        named.guess()
    }
    fn protected_branch(&self, branch: &str) -> bool {
        matches!(branch, "main" | "master" | "trunk" | "production" | "prod" | "release")
            || branch.starts_with("release/")
    }
    fn allowed_host(&self, _host: &Host) -> bool {
        false
    }
    fn is_guard_rail(&self, _path: &AbsPath) -> bool {
        false
    }
}
