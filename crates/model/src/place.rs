//! What a path is: where it lies, what class of file it is, what would be lost with it.

use crate::class::{class_of, class_of_pattern, matches_glob};
use crate::{AbsPath, Facts, FileKind, GitState, TreeSize, Tri};
use serde::{Deserialize, Serialize};

/// A path as a command names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathTarget {
    /// One path.
    Known(AbsPath),
    /// Some paths beneath a directory: a glob, or a name with an unknown part.
    Under {
        /// The directory that all of them share.
        base: AbsPath,
        /// The rest as written, for the person who reads it.
        pattern: String,
        /// Whether the pattern may climb out of `base` (an unknown part that may hold `..` or be absolute).
        may_escape: bool,
    },
    /// Not known before the command runs; the text as written.
    Unknown(String),
}

impl std::fmt::Display for PathTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(p) => write!(f, "{p}"),
            Self::Under { base, pattern, .. } => {
                write!(f, "{}/{pattern}", if base.as_str() == "/" { "" } else { base.as_str() })
            }
            Self::Unknown(text) => write!(f, "unknown path {text}"),
        }
    }
}

/// Where a path lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    /// In the project.
    Workspace,
    /// In a directory for temporary files.
    Temp,
    /// In the person's home, outside the project.
    Home,
    /// In another person's or a shared place (`/srv`, `/home/other`, `/mnt`).
    Elsewhere,
    /// In the system's directories.
    System,
    /// A device, `/proc` or `/sys`.
    Device,
    /// Not known.
    Unknown,
}

impl Zone {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Temp => "temp",
            Self::Home => "home",
            Self::Elsewhere => "elsewhere",
            Self::System => "system",
            Self::Device => "device",
            Self::Unknown => "unknown",
        }
    }
}

/// What class of file a path names, by its name and place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathClass {
    /// Anything else: source, data, documents.
    Source,
    /// Definitions of continuous integration, which run with the organisation's authority.
    Ci,
    /// Git hooks and tools' settings that name programs: they run with the next command.
    Hook,
    /// A repository's own configuration (`.git/config`, `.gitattributes`, `.gitmodules`) that can name programs.
    GitConfig,
    /// Anything else inside a `.git` directory.
    GitData,
    /// Instructions and settings of coding agents, and editors' task files that run by themselves.
    AgentConfig,
    /// Ambit's own files, and settings that hold its hooks.
    GuardRail,
    /// Locked versions of dependencies.
    Lockfile,
    /// Files that hold credentials.
    Credential,
    /// Files that hold secrets of a project (`.env`).
    EnvFile,
    /// Start-up files of shells and sessions, cron tables, units: they run later.
    ShellRc,
    /// The system's own files.
    System,
    /// `/dev/null`, `/dev/stdout` and their kin: writing loses nothing.
    NullDevice,
    /// A disk, or the machine's memory.
    Disk,
    /// Another device.
    Device,
    /// A package manager's own store of dependencies in the home: sources that anybody may read.
    Dependency,
    /// A lock that git left in a `.git` directory.
    GitLock,
    /// `/proc/PID/environ`, `/proc/PID/mem` and their kin.
    ProcessMemory,
}

impl PathClass {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Ci => "ci",
            Self::Hook => "hook",
            Self::GitConfig => "git_config",
            Self::GitData => "git_data",
            Self::AgentConfig => "agent_config",
            Self::GuardRail => "guard_rail",
            Self::Lockfile => "lockfile",
            Self::Credential => "credential",
            Self::EnvFile => "env_file",
            Self::ShellRc => "shell_rc",
            Self::System => "system",
            Self::NullDevice => "null_device",
            Self::Disk => "disk",
            Self::Device => "device",
            Self::Dependency => "dependency",
            Self::GitLock => "git_lock",
            Self::ProcessMemory => "process_memory",
        }
    }
}

/// What whole would be lost or changed, where it is more than a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vital {
    /// None of these.
    None,
    /// The root directory or one that holds the home or the system.
    Root,
    /// The person's home, or all that is in it.
    Home,
    /// The project itself, or all that is in it.
    Workspace,
    /// A repository's `.git`.
    GitDir,
    /// A disk.
    Disk,
    /// A directory of the system (`/usr`, `/etc`).
    System,
}

impl Vital {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Root => "root",
            Self::Home => "home",
            Self::Workspace => "workspace",
            Self::GitDir => "git_dir",
            Self::Disk => "disk",
            Self::System => "system",
        }
    }
}

/// The facts about a path that policy may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathFacts {
    /// The path.
    pub target: PathTarget,
    /// The path as it was named, where a symbolic link on it leads to `target`: deleting takes the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<AbsPath>,
    /// Where it lies.
    pub zone: Zone,
    /// What class of file it is.
    pub class: PathClass,
    /// What whole is at stake.
    pub vital: Vital,
    /// What git knows of it.
    pub git: GitState,
    /// Whether something is there.
    pub exists: Tri,
    /// Whether this session created it where nothing was before.
    pub made_by_session: bool,
    /// Whether all that lies beneath is meant.
    pub recursive: bool,
    /// How much lies there, where it was counted.
    pub size: Option<TreeSize>,
}

/// Collects the facts about a path.
///
/// `recursive` says that all beneath it is meant (`rm -r`, `grep -r`, `chmod -R`). Unknown targets get
/// [`Zone::Unknown`], never a harmless one.
#[must_use]
pub fn path_facts(facts: &dyn Facts, target: PathTarget, recursive: bool) -> PathFacts {
    match target {
        PathTarget::Known(path) => {
            let resolved = facts.resolve(&path);
            let class = strictest(class_of(facts, &resolved.path), class_of(facts, &path));
            let zone = zone_of(facts, &resolved.path);
            PathFacts {
                zone,
                class,
                vital: vital_of(facts, &resolved.path, recursive, class),
                git: GitState::Unknown,
                exists: match resolved.kind {
                    FileKind::Absent => Tri::No,
                    FileKind::Unknown => Tri::Unknown,
                    _ => Tri::Yes,
                },
                made_by_session: facts.made_by_session(&resolved.path),
                recursive,
                size: None,
                named: (resolved.path != path).then_some(path),
                target: PathTarget::Known(resolved.path),
            }
        }
        PathTarget::Under { base, pattern, may_escape } => {
            let base = facts.resolve(&base).path;
            let zone = if may_escape { Zone::Unknown } else { zone_of(facts, &base) };
            let class = class_of_pattern(facts, &base, &pattern);
            PathFacts {
                zone,
                class,
                vital: vital_under(facts, &base, &pattern, recursive),
                git: GitState::Unknown,
                exists: Tri::Unknown,
                made_by_session: facts.made_by_session(&base),
                recursive,
                size: None,
                named: None,
                target: PathTarget::Under { base, pattern, may_escape },
            }
        }
        PathTarget::Unknown(text) => PathFacts {
            target: PathTarget::Unknown(text),
            named: None,
            zone: Zone::Unknown,
            class: PathClass::Source,
            vital: Vital::None,
            git: GitState::Unknown,
            exists: Tri::Unknown,
            made_by_session: false,
            recursive,
            size: None,
        },
    }
}

impl PathFacts {
    /// Adds what git knows of the path. Only what would be lost is worth the look: it reads the repository's index.
    #[must_use]
    pub fn with_git_state(mut self, facts: &dyn Facts) -> Self {
        if let PathTarget::Known(path) = &self.target {
            self.git = if self.zone == Zone::Workspace { facts.git_state(path) } else { GitState::Outside };
        }
        self
    }
}

/// Of two classes of one file (as named, as resolved) the one that policy guards more.
pub(crate) fn strictest(a: PathClass, b: PathClass) -> PathClass {
    fn rank(c: PathClass) -> u8 {
        match c {
            PathClass::GuardRail => 14,
            PathClass::Credential => 13,
            PathClass::ProcessMemory => 12,
            PathClass::Disk => 12,
            PathClass::Device => 11,
            PathClass::EnvFile => 10,
            PathClass::Hook => 9,
            PathClass::GitConfig => 8,
            PathClass::ShellRc => 7,
            PathClass::AgentConfig => 6,
            PathClass::Ci => 5,
            PathClass::GitData | PathClass::GitLock => 4,
            PathClass::System => 3,
            PathClass::Lockfile => 2,
            PathClass::Source | PathClass::Dependency => 1,
            PathClass::NullDevice => 0,
        }
    }
    if rank(a) >= rank(b) { a } else { b }
}

const SYSTEM_DIRS: &[&str] = &[
    "bin",
    "boot",
    "etc",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "opt",
    "root",
    "run",
    "sbin",
    "snap",
    "usr",
    "var",
    "System",
    "Library",
    "Applications",
    "private",
    "nix",
];

pub(crate) fn zone_of(facts: &dyn Facts, path: &AbsPath) -> Zone {
    if path.is_under(facts.workspace()) || facts.extra_workspaces().iter().any(|w| path.is_under(w)) {
        return Zone::Workspace;
    }
    if facts.home().is_some_and(|h| path.is_under(h)) {
        return Zone::Home;
    }
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (None, _) => Zone::System,
        (Some("tmp"), _) | (Some("var"), Some("tmp")) | (Some("dev"), Some("shm")) => Zone::Temp,
        (Some("private"), Some("tmp")) | (Some("private"), Some("var")) => Zone::Temp,
        (Some("var"), Some("folders")) => Zone::Temp,
        (Some("dev" | "proc" | "sys"), _) => Zone::Device,
        (Some(top), _) if SYSTEM_DIRS.contains(&top) => Zone::System,
        _ => Zone::Elsewhere,
    }
}

fn vital_of(facts: &dyn Facts, path: &AbsPath, recursive: bool, class: PathClass) -> Vital {
    if path.as_str() == "/" {
        return Vital::Root;
    }
    if let Some(home) = facts.home() {
        if path == home {
            return Vital::Home;
        }
        if home.is_under(path) && recursive {
            return Vital::Root;
        }
    }
    if path == facts.workspace() {
        return Vital::Workspace;
    }
    if facts.workspace().is_under(path) && recursive {
        return Vital::Workspace;
    }
    if path.name() == Some(".git") {
        return Vital::GitDir;
    }
    if matches!(class, PathClass::Device | PathClass::Disk) && path.components().next() == Some("dev") {
        return Vital::Disk;
    }
    let mut parts = path.components();
    if let (Some(top), second, None) = (parts.next(), parts.next(), parts.next())
        && SYSTEM_DIRS.contains(&top)
        && (second.is_none()
            || matches!(
                (top, second),
                ("usr", Some("bin" | "lib" | "sbin" | "lib64" | "share")) | ("var", Some("lib"))
            ))
    {
        return Vital::System;
    }
    Vital::None
}

fn vital_under(facts: &dyn Facts, base: &AbsPath, pattern: &str, recursive: bool) -> Vital {
    // `*`, `.*`, `{*,.*}`, `*/*`: (nearly) everything in the directory.
    let everything = !pattern.is_empty()
        && pattern.chars().all(|c| matches!(c, '*' | '.' | '/' | '{' | '}' | ',' | '[' | ']' | '!' | '?'));
    if everything {
        let whole = vital_of(facts, base, recursive, PathClass::Source);
        if whole != Vital::None {
            return whole;
        }
    }
    if base.as_str() == "/" && recursive {
        return Vital::Root;
    }
    let last = pattern.rsplit('/').next().unwrap_or(pattern);
    if last.starts_with(".g") && matches_glob(last, ".git") {
        return Vital::GitDir;
    }
    Vital::None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AsWritten;

    fn facts() -> AsWritten {
        AsWritten::new(AbsPath::parse("/home/ann/app").unwrap(), AbsPath::parse("/home/ann").unwrap())
    }
    fn known(path: &str, recursive: bool) -> PathFacts {
        path_facts(&facts(), PathTarget::Known(AbsPath::parse(path).unwrap()), recursive)
    }

    #[test]
    fn zones() {
        assert_eq!(known("/home/ann/app/src/x.rs", false).zone, Zone::Workspace);
        assert_eq!(known("/home/ann/apple", false).zone, Zone::Home);
        assert_eq!(known("/tmp/x", false).zone, Zone::Temp);
        assert_eq!(known("/etc/hosts", false).zone, Zone::System);
        assert_eq!(known("/srv/x", false).zone, Zone::Elsewhere);
        assert_eq!(known("/dev/sda", false).zone, Zone::Device);
    }

    #[test]
    fn classes() {
        let class = |p: &str| known(p, false).class;
        assert_eq!(class("/home/ann/.ssh/id_ed25519"), PathClass::Credential);
        assert_eq!(class("/home/ann/.ssh/id_ed25519.pub"), PathClass::Source);
        assert_eq!(class("/home/ann/app/.env"), PathClass::EnvFile);
        assert_eq!(class("/home/ann/app/.env.example"), PathClass::Source);
        assert_eq!(class("/home/ann/app/.git/hooks/pre-commit"), PathClass::Hook);
        assert_eq!(class("/home/ann/app/.git/config"), PathClass::GitConfig);
        assert_eq!(class("/home/ann/app/.github/workflows/ci.yml"), PathClass::Ci);
        assert_eq!(class("/home/ann/.bashrc"), PathClass::ShellRc);
        assert_eq!(class("/dev/null"), PathClass::NullDevice);
        assert_eq!(class("/proc/self/environ"), PathClass::ProcessMemory);
        assert_eq!(class("/home/ann/app/tests/fixtures/server.pem"), PathClass::Source);
        assert_eq!(class("/home/ann/app/CLAUDE.md"), PathClass::AgentConfig);
    }

    #[test]
    fn vital_wholes() {
        let vital = |p: &str| known(p, true).vital;
        assert_eq!(vital("/"), Vital::Root);
        assert_eq!(vital("/home"), Vital::Root);
        assert_eq!(vital("/home/ann"), Vital::Home);
        assert_eq!(vital("/home/ann/app"), Vital::Workspace);
        assert_eq!(vital("/home/ann/app/.git"), Vital::GitDir);
        assert_eq!(vital("/home/ann/app/build"), Vital::None);
        assert_eq!(vital("/usr"), Vital::System);
        assert_eq!(vital("/dev/sda"), Vital::Disk);
        let under = |base: &str, pattern: &str| {
            path_facts(
                &facts(),
                PathTarget::Under {
                    base: AbsPath::parse(base).unwrap(),
                    pattern: pattern.into(),
                    may_escape: false,
                },
                true,
            )
            .vital
        };
        assert_eq!(under("/home/ann", "*"), Vital::Home);
        assert_eq!(under("/home/ann", "Downloads/*.zip"), Vital::None);
        assert_eq!(under("/home/ann/app", "*"), Vital::Workspace);
        assert_eq!(under("/home/ann/app", "*.pyc"), Vital::None);
        assert_eq!(under("/home/ann/app", ".g*"), Vital::GitDir);
    }
}
