//! What a path is: where it lies, what class of file it is, what would be lost with it.

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
                target: PathTarget::Under { base, pattern, may_escape },
            }
        }
        PathTarget::Unknown(text) => PathFacts {
            target: PathTarget::Unknown(text),
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
fn strictest(a: PathClass, b: PathClass) -> PathClass {
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

fn zone_of(facts: &dyn Facts, path: &AbsPath) -> Zone {
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

/// Directories and files in the home directory that hold credentials. From the documentation of each tool.
const CREDENTIALS_IN_HOME: &[&str] = &[
    ".ssh",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".kube",
    ".docker/config.json",
    ".gnupg",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".mylogin.cnf",
    ".npmrc",
    ".pypirc",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".gem/credentials",
    ".git-credentials",
    ".config/git/credentials",
    ".config/gh/hosts.yml",
    ".config/glab-cli",
    ".config/hub",
    ".terraform.d/credentials.tfrc.json",
    ".vault-token",
    ".config/op",
    ".password-store",
    ".local/share/keyrings",
    "Library/Keychains",
    ".config/google-chrome",
    ".config/chromium",
    ".mozilla",
    ".config/BraveSoftware",
    ".config/doctl",
    ".config/heroku",
    ".config/fly",
    ".fly",
    ".oci",
    ".config/rclone",
    ".s3cfg",
    ".boto",
    ".config/sops",
    ".age",
    ".config/age",
    ".config/helm",
    ".m2/settings.xml",
    ".gradle/gradle.properties",
    ".nuget/NuGet",
    ".composer/auth.json",
    ".config/composer/auth.json",
    ".ngrok2",
    ".config/ngrok",
    ".databrickscfg",
    ".snowflake",
    ".snowsql",
    ".kaggle",
    ".huggingface",
    ".cache/huggingface/token",
    ".claude/.credentials.json",
    ".claude.json",
    ".codex/auth.json",
    ".gemini/oauth_creds.json",
    ".config/github-copilot",
    ".bash_history",
    ".zsh_history",
    ".psql_history",
    ".mysql_history",
    ".python_history",
    ".node_repl_history",
    ".config/anthropic",
    ".bitcoin",
    ".ethereum",
    ".electrum",
    ".config/solana",
    ".wallet",
    ".thunderbird",
];

/// File names that hold credentials wherever they lie.
fn is_credential_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "id_rsa"
            | "id_dsa"
            | "id_ecdsa"
            | "id_ed25519"
            | "id_ed25519_sk"
            | "id_ecdsa_sk"
            | ".netrc"
            | "_netrc"
            | ".pgpass"
            | ".git-credentials"
            | ".htpasswd"
            | ".vault-token"
            | "credentials.json"
            | "service-account.json"
            | "serviceaccount.json"
            | "secrets.yml"
            | "secrets.yaml"
            | "secrets.json"
            | "secrets.toml"
            | "kubeconfig"
            | ".dockercfg"
            | "master.key"
            | "credentials.yml.enc"
            | ".pypirc"
    ) || [".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".asc", ".age"]
        .iter()
        .any(|suffix| lower.ends_with(suffix) && lower.len() > suffix.len() && !lower.ends_with(".pub.asc"))
        || (lower.ends_with(".tfstate") || lower.ends_with(".tfstate.backup"))
}

fn is_env_file(name: &str) -> bool {
    if name == ".envrc" {
        return true;
    }
    match name.strip_prefix(".env") {
        Some("") => true,
        Some(rest) => {
            rest.starts_with('.')
                && !matches!(rest, ".example" | ".sample" | ".template" | ".dist" | ".defaults" | ".schema")
        }
        None => name.ends_with(".env") && name.len() > 4,
    }
}

fn class_of(facts: &dyn Facts, path: &AbsPath) -> PathClass {
    if facts.is_guard_rail(path) {
        return PathClass::GuardRail;
    }
    if facts.is_credential(path) {
        return PathClass::Credential;
    }
    let parts: Vec<&str> = path.components().collect();
    let name = parts.last().copied().unwrap_or("");
    let first = parts.first().copied().unwrap_or("");
    let has = |part: &str| parts.contains(&part);
    let pair = |a: &str, b: &str| parts.windows(2).any(|w| matches!(w, [x, y] if *x == a && *y == b));

    match first {
        "dev" => return device_class(&parts),
        "proc" => {
            return if matches!(name, "environ" | "mem" | "maps" | "auxv" | "kcore" | "sysrq-trigger")
                || has("fd")
                || has("root")
                || has("cwd")
            {
                PathClass::ProcessMemory
            } else {
                PathClass::System
            };
        }
        "sys" => return PathClass::Device,
        "etc" if matches!(name, "shadow" | "gshadow" | "sudoers" | "krb5.keytab") || has("sudoers.d") => {
            return PathClass::Credential;
        }
        "etc" if pair("etc", "ssh") && name.starts_with("ssh_host_") && !name.ends_with(".pub") => {
            return PathClass::Credential;
        }
        "var" if pair("run", "secrets") => return PathClass::Credential,
        "run" if has("secrets") || has("credentials") => return PathClass::Credential,
        _ => {}
    }
    if let Some(rel) = facts.home().and_then(|h| path.relative_to(h)) {
        if CREDENTIALS_IN_HOME.iter().any(|c| rel.starts_with(c)) && !public_in_ssh(name) {
            return PathClass::Credential;
        }
        if is_shell_rc(rel.as_str()) {
            return PathClass::ShellRc;
        }
    } else if (has(".ssh") || has(".aws") || has(".gnupg")) && !public_in_ssh(name) {
        return PathClass::Credential;
    }
    if is_credential_name(name) && !is_test_material(&parts) {
        return PathClass::Credential;
    }
    if is_env_file(name) {
        return PathClass::EnvFile;
    }
    if let Some(at) = parts.iter().position(|p| *p == ".git") {
        return match parts.get(at + 1).copied() {
            Some("hooks") => PathClass::Hook,
            Some("config" | "info" | "modules") => PathClass::GitConfig,
            Some(_) if name.ends_with(".lock") => PathClass::GitLock,
            _ => PathClass::GitData,
        };
    }
    if matches!(name, ".gitattributes" | ".gitmodules" | ".gitconfig" | ".lfsconfig") {
        return PathClass::GitConfig;
    }
    if pair(".cargo", "config.toml")
        || pair(".cargo", "config")
        || matches!(
            name,
            ".npmrc"
                | ".yarnrc"
                | ".yarnrc.yml"
                | ".pnpmfile.cjs"
                | "pip.conf"
                | ".mise.toml"
                | ".tool-versions"
        )
    {
        // They name programs, wrappers or registries that the next command of the tool runs or trusts.
        return PathClass::Hook;
    }
    if has(".husky") || matches!(name, ".pre-commit-config.yaml" | "lefthook.yml" | ".lefthook.yml") {
        return PathClass::Hook;
    }
    if is_agent_config(&parts, name) {
        return PathClass::AgentConfig;
    }
    if pair(".github", "workflows")
        || pair(".github", "actions")
        || has(".circleci")
        || has(".buildkite")
        || matches!(
            name,
            ".gitlab-ci.yml"
                | "Jenkinsfile"
                | "azure-pipelines.yml"
                | "bitbucket-pipelines.yml"
                | ".travis.yml"
                | ".drone.yml"
                | "cloudbuild.yaml"
                | "CODEOWNERS"
        )
    {
        return PathClass::Ci;
    }
    if matches!(
        name,
        "Cargo.lock"
            | "package-lock.json"
            | "yarn.lock"
            | "pnpm-lock.yaml"
            | "bun.lock"
            | "bun.lockb"
            | "poetry.lock"
            | "uv.lock"
            | "Pipfile.lock"
            | "Gemfile.lock"
            | "composer.lock"
            | "go.sum"
            | "mix.lock"
            | "flake.lock"
            | "packages.lock.json"
            | "gradle.lockfile"
    ) {
        return PathClass::Lockfile;
    }
    if first == "etc"
        && (has("cron.d")
            || has("cron.daily")
            || has("cron.hourly")
            || name == "crontab"
            || has("systemd")
            || has("init.d")
            || has("profile.d")
            || matches!(name, "profile" | "bash.bashrc" | "rc.local" | "ld.so.preload"))
        || pair("spool", "cron")
    {
        return PathClass::ShellRc;
    }
    match zone_of(facts, path) {
        Zone::Home if is_dependency(&parts) => PathClass::Dependency,
        Zone::System => PathClass::System,
        _ => PathClass::Source,
    }
}

/// Stores of package managers and installed toolchains, by the documentation of each.
fn is_dependency(parts: &[&str]) -> bool {
    parts.iter().any(|p| matches!(*p, "site-packages" | "node_modules" | ".ivy2"))
        || parts.windows(2).any(|w| {
            matches!(
                w,
                [".cargo", "registry" | "git"]
                    | [".rustup", "toolchains"]
                    | ["pkg", "mod"]
                    | [".m2", "repository"]
                    | [".gradle", "caches"]
                    | [".nvm" | ".pyenv" | ".rbenv", "versions"]
                    | ["share", "uv"]
                    | [".cache", "pip" | "uv"]
            )
        })
}

fn device_class(parts: &[&str]) -> PathClass {
    match parts.get(1).copied() {
        Some(
            "null" | "zero" | "full" | "random" | "urandom" | "stdin" | "stdout" | "stderr" | "fd" | "tty"
            | "ptmx",
        ) => PathClass::NullDevice,
        Some("shm") => PathClass::Source,
        Some(name) if is_disk(name) => PathClass::Disk,
        _ => PathClass::Device,
    }
}

/// Block devices by the kernel's names (Documentation/admin-guide/devices.txt), and memory.
fn is_disk(name: &str) -> bool {
    matches!(name, "disk" | "mapper" | "block" | "mem" | "kmem" | "port" | "rdisk")
        || ["sd", "hd", "nvme", "vd", "xvd", "mmcblk", "dm-", "md", "loop", "rdisk"].iter().any(|prefix| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
        })
}

fn public_in_ssh(name: &str) -> bool {
    name.ends_with(".pub") || matches!(name, "known_hosts" | "known_hosts.old")
}

/// Keys that lie among tests and fixtures are material of the project, not credentials of the person.
fn is_test_material(parts: &[&str]) -> bool {
    parts.iter().any(|p| {
        matches!(
            *p,
            "tests"
                | "test"
                | "testdata"
                | "test-data"
                | "fixtures"
                | "examples"
                | "node_modules"
                | "site-packages"
                | "certifi"
                | "vendor"
                | "spec"
        )
    })
}

fn is_shell_rc(rel: &str) -> bool {
    matches!(
        rel,
        ".bashrc"
            | ".bash_profile"
            | ".bash_login"
            | ".bash_logout"
            | ".profile"
            | ".zshrc"
            | ".zprofile"
            | ".zshenv"
            | ".zlogin"
            | ".zlogout"
            | ".kshrc"
            | ".cshrc"
            | ".tcshrc"
            | ".login"
            | ".inputrc"
            | ".xprofile"
            | ".xinitrc"
            | ".xsession"
            | ".vimrc"
            | ".tmux.conf"
            | ".gitconfig"
            | ".config/git/config"
            | ".pythonstartup"
            | ".pam_environment"
            | ".pythonrc.py"
            | ".condarc"
            | ".wgetrc"
            | ".curlrc"
            | ".screenrc"
            | ".emacs"
            | ".gdbinit"
            | ".lldbinit"
            | ".Rprofile"
            | ".irbrc"
            | ".psqlrc"
            | ".sqliterc"
            | ".lesskey"
            | ".lessfilter"
            | ".ripgreprc"
            | ".mailcap"
            | ".ackrc"
    ) || rel.starts_with(".config/systemd/")
        || rel.starts_with(".config/autostart/")
        || rel.starts_with(".config/fish/")
        || rel.starts_with(".config/environment.d/")
        || rel.starts_with(".config/nvim/")
        || rel.starts_with(".vim/")
        || rel.starts_with(".emacs.d/")
        || rel.starts_with(".oh-my-zsh/")
        || rel.starts_with("Library/LaunchAgents/")
        || rel.starts_with(".local/bin/")
        || rel.starts_with("bin/")
        || rel.starts_with(".cargo/bin/")
        || rel.starts_with(".cargo/config")
}

fn is_agent_config(parts: &[&str], name: &str) -> bool {
    parts.iter().any(|p| {
        matches!(
            *p,
            ".claude"
                | ".codex"
                | ".gemini"
                | ".qwen"
                | ".cursor"
                | ".opencode"
                | ".copilot"
                | ".windsurf"
                | ".continue"
                | ".kiro"
                | ".aider"
                | ".roo"
        )
    }) || matches!(
        name,
        "CLAUDE.md"
            | "CLAUDE.local.md"
            | "AGENTS.md"
            | "GEMINI.md"
            | "QWEN.md"
            | ".mcp.json"
            | "opencode.json"
            | ".cursorrules"
            | ".windsurfrules"
            | "copilot-instructions.md"
            | ".aider.conf.yml"
    ) || parts.windows(2).any(|w| {
        matches!(
            w,
            [".vscode", "tasks.json" | "settings.json" | "launch.json" | "mcp.json"]
                | [".github", "copilot" | "hooks"]
                | [".idea", _]
                | [".devcontainer", _]
        )
    })
}

fn class_of_pattern(facts: &dyn Facts, base: &AbsPath, pattern: &str) -> PathClass {
    // A pattern may match a guarded name in several ways; the names it can be seen to match are tried.
    let mut class = class_of(facts, base);
    let last = pattern.rsplit('/').next().unwrap_or(pattern);
    for name in [
        ".env",
        ".env.local",
        "id_rsa",
        "id_ed25519",
        "server.key",
        "server.pem",
        ".netrc",
        "credentials.json",
        ".bashrc",
        ".zshrc",
        ".ssh",
        ".aws",
        ".git",
        ".gitconfig",
        ".gitattributes",
        ".claude",
        ".ambit",
        "CLAUDE.md",
        "AGENTS.md",
    ] {
        // A bare `*` matches no name that begins with a dot, and means the ordinary files of the directory.
        let guarded_dot = name.starts_with('.') && !last.starts_with('.');
        if !guarded_dot && last != "*" && matches_glob(last, name) {
            class = strictest(class, class_of(facts, &base.join(name)));
        }
    }
    let literal: String = pattern.chars().take_while(|c| !matches!(c, '*' | '?' | '[' | '{')).collect();
    if literal.contains('/') {
        class = strictest(class, class_of(facts, &base.join(literal.trim_end_matches('/'))));
    }
    class
}

/// Whether a name matches a shell pattern of `*`, `?` and bracket expressions (a bracket matches any one character here).
fn matches_glob(pattern: &str, name: &str) -> bool {
    fn go(p: &[char], n: &[char]) -> bool {
        match (p.split_first(), n.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => go(rest, n) || n.split_first().is_some_and(|(_, n)| go(p, n)),
            (Some(('[', rest)), Some((_, n))) => {
                let after =
                    rest.iter().skip(1).position(|c| *c == ']').map(|at| rest.get(at + 2..).unwrap_or(&[]));
                after.is_some_and(|r| go(r, n))
            }
            (Some(('?', rest)), Some((_, n))) => go(rest, n),
            (Some((a, rest)), Some((b, n))) if a == b => go(rest, n),
            _ => false,
        }
    }
    // Patterns come from commands: the length bound keeps the backtracking bounded.
    let p: Vec<char> = pattern.chars().collect();
    let n: Vec<char> = name.chars().collect();
    p.len() > 64 || p.iter().filter(|c| **c == '*').count() > 6 || go(&p, &n)
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
