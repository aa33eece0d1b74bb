//! What class of file a path names, by its name and place.

use crate::place::{PathClass, Zone, strictest, zone_of};
use crate::{AbsPath, Facts};

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

pub(crate) fn class_of(facts: &dyn Facts, path: &AbsPath) -> PathClass {
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

pub(crate) fn class_of_pattern(facts: &dyn Facts, base: &AbsPath, pattern: &str) -> PathClass {
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
pub(crate) fn matches_glob(pattern: &str, name: &str) -> bool {
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
