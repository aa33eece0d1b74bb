//! Where credentials lie: files of the project, of agents, of shells, of the person's global settings.

use model::AbsPath;
use std::path::{Path, PathBuf};

/// What kind of place a file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The project, or what was named on the command line.
    Project,
    /// An agent's transcripts and settings.
    Agent,
    /// A shell's history and start files.
    Shell,
    /// Settings of other programs in the person's home.
    Global,
    /// A commit.
    History,
    /// Standard input.
    Input,
}

impl Place {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Agent => "agent",
            Self::Shell => "shell",
            Self::Global => "global",
            Self::History => "history",
            Self::Input => "input",
        }
    }
}

/// Below the home: each agent's transcripts and settings.
const AGENTS: &[&str] = &[
    ".claude.json",
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".claude/projects",
    ".claude/history.jsonl",
    ".codex/config.toml",
    ".codex/auth.json",
    ".codex/history.jsonl",
    ".codex/sessions",
    ".gemini",
    ".cursor/mcp.json",
    ".copilot",
    ".config/opencode",
    ".local/share/opencode",
];

/// Below the home: histories and start files of shells and consoles.
const SHELLS: &[&str] = &[
    ".bash_history",
    ".zsh_history",
    ".local/share/fish/fish_history",
    ".python_history",
    ".psql_history",
    ".mysql_history",
    ".node_repl_history",
    ".bashrc",
    ".bash_profile",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".config/fish/config.fish",
];

/// Below the home: where other programs keep credentials.
const GLOBAL: &[&str] = &[
    ".env",
    ".aws/credentials",
    ".aws/config",
    ".azure",
    ".boto",
    ".s3cfg",
    ".netrc",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".condarc",
    ".docker/config.json",
    ".config/containers/auth.json",
    ".kube/config",
    ".config/gh/hosts.yml",
    ".config/glab-cli/config.yml",
    ".config/hub",
    ".git-credentials",
    ".gitconfig",
    ".cargo/credentials.toml",
    ".config/gcloud",
    ".config/rclone/rclone.conf",
    ".config/sops/age/keys.txt",
    ".terraform.d/credentials.tfrc.json",
    ".pgpass",
    ".my.cnf",
    ".ssh",
    ".vault-token",
    ".m2/settings.xml",
    ".gradle/gradle.properties",
    ".composer/auth.json",
    ".bundle/config",
    ".gem/credentials",
];

/// The places below a home that are there.
pub(crate) fn below(home: &AbsPath) -> Vec<(Place, PathBuf)> {
    [(Place::Agent, AGENTS), (Place::Shell, SHELLS), (Place::Global, GLOBAL)]
        .into_iter()
        .flat_map(|(place, paths)| paths.iter().map(move |p| (place, home.join(p).as_std().to_owned())))
        .filter(|(_, path)| path.exists())
        .collect()
}

/// Whether a directory holds what was downloaded or built, not what was written here.
fn is_made(dir: &Path) -> bool {
    let named =
        dir.file_name().is_some_and(|n| n == "node_modules" || n == "__pycache__" || n == ".terraform");
    named || dir.join("CACHEDIR.TAG").exists() || dir.join("pyvenv.cfg").exists()
}

/// The files below a path, ignored and hidden ones too; without git's own, and without what was downloaded or built
/// unless `all` is wanted. Links are not followed. Also the directories that were left out.
pub(crate) fn files(root: &Path, all: bool) -> (Vec<PathBuf>, Vec<PathBuf>) {
    use std::sync::{Arc, Mutex, PoisonError};
    let left_out: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let sink = Arc::clone(&left_out);
    let walk = ignore::WalkBuilder::new(root)
        .standard_filters(false)
        .follow_links(false)
        .sort_by_file_name(std::ffi::OsStr::cmp)
        .filter_entry(move |entry| {
            if !entry.file_type().is_some_and(|t| t.is_dir()) || entry.depth() == 0 {
                return true;
            }
            if entry.file_name() == ".git" {
                return false;
            }
            let made = !all && is_made(entry.path());
            if made {
                sink.lock().unwrap_or_else(PoisonError::into_inner).push(entry.path().to_owned());
            }
            !made
        })
        .build();
    let mut out: Vec<PathBuf> = walk
        .filter_map(Result::ok)
        .filter(|e| e.file_type().is_some_and(|t| t.is_file()))
        .map(ignore::DirEntry::into_path)
        .collect();
    // Credentials in a remote's address.
    let config = root.join(".git/config");
    if config.is_file() {
        out.push(config);
    }
    let left_out = std::mem::take(&mut *left_out.lock().unwrap_or_else(PoisonError::into_inner));
    (out, left_out)
}
