//! Which paths are Ambit's own or hold an agent's guard rails: an agent that could change them could free itself.

use crate::machine::follow;
use model::AbsPath;

/// The paths that guard rails hang on.
#[derive(Debug, Clone, Default)]
pub struct Rails {
    own: Vec<AbsPath>,
    home: Option<AbsPath>,
}

/// Settings of agents, below the home or a project, that hold hooks and permissions.
const SETTINGS: &[(&str, &[&str])] = &[
    (".claude", &["settings.json", "settings.local.json", "hooks"]),
    (".codex", &["config.toml", "hooks.json", "rules"]),
    (".gemini", &["settings.json", "policies"]),
    (".qwen", &["settings.json"]),
    (".cursor", &["hooks.json", "cli-config.json"]),
    (".copilot", &["hooks", "settings.json", "config.json"]),
    (".opencode", &["plugin", "opencode.json"]),
];

/// Directories for administrators' files of agents.
const ADMIN: &[&str] = &[
    "/etc/claude-code",
    "/etc/codex",
    "/etc/gemini-cli",
    "/etc/qwen-code",
    "/etc/cursor",
    "/etc/github-copilot",
    "/etc/opencode",
    "/etc/ambit",
    "/Library/Application Support/ClaudeCode",
    "/Library/Application Support/Cursor",
];

impl Rails {
    /// Guard rails of an installation: `own` are Ambit's program, state and configuration.
    #[must_use]
    pub fn new(own: impl IntoIterator<Item = AbsPath>, home: Option<&AbsPath>) -> Self {
        let mut all = Vec::new();
        for path in own {
            let real = follow(&path).path;
            if real != path {
                all.push(real);
            }
            all.push(path);
        }
        let home = home.map(|h| follow(h).path);
        if let Some(home) = &home {
            all.push(home.join(".claude.json"));
            all.push(home.join(".config/ambit"));
            all.push(home.join(".local/state/ambit"));
            all.push(home.join(".config/opencode/plugin"));
            all.push(home.join(".config/opencode/opencode.json"));
        }
        all.extend(ADMIN.iter().filter_map(|p| AbsPath::parse(p).ok()));
        Self { own: all, home }
    }

    /// Whether a path is, or lies beneath, a guard rail.
    #[must_use]
    pub fn holds(&self, path: &AbsPath) -> bool {
        if self.own.iter().any(|own| path.is_under(own)) {
            return true;
        }
        let parts: Vec<&str> = path.components().collect();
        for (at, part) in parts.iter().enumerate() {
            if *part == ".ambit" {
                return true;
            }
            if let Some((_, names)) = SETTINGS.iter().find(|(dir, _)| dir == part) {
                match parts.get(at + 1) {
                    Some(next) if names.contains(next) => return true,
                    // The whole directory: whoever moves or deletes it moves what is in it.
                    None if self.home.as_ref().is_some_and(|h| path.parent().as_ref() == Some(h)) => {
                        return true;
                    }
                    _ => {}
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_settings_and_own_files_and_no_more() {
        let p = |s: &str| AbsPath::parse(s).unwrap();
        let rails = Rails::new([p("/opt/ambit/bin/ambit")], Some(&p("/home/ann")));
        for held in [
            "/opt/ambit/bin/ambit",
            "/w/.ambit/ambit.toml",
            "/w/.ambit",
            "/w/.claude/settings.json",
            "/w/.claude/settings.local.json",
            "/home/ann/.claude/settings.json",
            "/home/ann/.claude",
            "/home/ann/.local/state/ambit/ledger/head",
            "/etc/claude-code/managed-settings.json",
            "/home/ann/.codex/config.toml",
        ] {
            assert!(rails.holds(&p(held)), "{held}");
        }
        for free in [
            "/w/.claude/commands/x.md",
            "/w/src/settings.json",
            "/w/ambit.toml",
            "/opt/ambit/bin/other",
            "/w/.claude",
        ] {
            assert!(!rails.holds(&p(free)), "{free}");
        }
    }
}
