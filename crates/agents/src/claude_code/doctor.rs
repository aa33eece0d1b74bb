//! Is the guard really on in Claude Code, and what would go round it.

use super::settings::is_ours;
use super::{FIRST_FAIL_CLOSED, MANAGED_FILE};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Where to look. All of it is given, so that an examination of another home or root is the same code.
#[derive(Debug, Clone)]
pub struct Places {
    /// The person's home.
    pub home: PathBuf,
    /// The project.
    pub project: PathBuf,
    /// The directory for administrators, `/etc`.
    pub admin: PathBuf,
    /// `CLAUDE_CONFIG_DIR`, where set.
    pub config_dir: Option<PathBuf>,
    /// The directories of `PATH`.
    pub path: Vec<PathBuf>,
}

/// Which settings hold the guard, from the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// An administrator's file: neither the person's nor the repository's settings can switch it off.
    Managed,
    /// The person's settings.
    User,
    /// The repository's settings, shared.
    Project,
    /// The repository's settings, the person's own.
    Local,
}

impl Tier {
    /// The tier in words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::User => "user",
            Self::Project => "project",
            Self::Local => "local",
        }
    }
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Good,
    /// Works, with a gap that the person should know.
    Warning,
    /// The guard is off, or can be walked round.
    Problem,
}

/// One thing that the doctor found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How grave.
    pub level: Level,
    /// What was found.
    pub what: String,
    /// What to do about it; empty where nothing is to be done.
    pub mend: String,
}

impl Finding {
    fn new(level: Level, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level, what: what.into(), mend: mend.into() }
    }
}

/// What the examination found, with the hook commands that are installed.
#[derive(Debug, Clone, Default)]
pub struct Examination {
    /// Findings in the order in which they matter.
    pub findings: Vec<Finding>,
    /// Installed `PreToolUse` commands of Ambit with the tier that holds them.
    pub hooks: Vec<(Tier, String)>,
}

impl Places {
    /// The settings files with their tiers, strongest first.
    #[must_use]
    pub fn files(&self) -> Vec<(Tier, PathBuf)> {
        let user = self.config_dir.clone().unwrap_or_else(|| self.home.join(".claude"));
        let mut files = vec![(Tier::Managed, self.admin.join(MANAGED_FILE))];
        let mut dropins: Vec<PathBuf> = fs_err::read_dir(self.admin.join("claude-code/managed-settings.d"))
            .map(|dir| {
                dir.flatten()
                    .map(|e| e.path())
                    .filter(|p| p.extension().is_some_and(|x| x == "json"))
                    .collect()
            })
            .unwrap_or_default();
        dropins.sort();
        files.extend(dropins.into_iter().map(|p| (Tier::Managed, p)));
        files.push((Tier::User, user.join("settings.json")));
        if self.project != self.home {
            files.push((Tier::Project, self.project.join(".claude/settings.json")));
            files.push((Tier::Local, self.project.join(".claude/settings.local.json")));
        }
        files
    }
}

/// Reads every settings file that the agent would read and says what it finds.
#[must_use]
pub fn examine(places: &Places) -> Examination {
    let mut out = Examination::default();
    let mut managed_only = None;
    let mut off: Vec<(Tier, PathBuf)> = Vec::new();
    for (tier, path) in places.files() {
        let settings = match read(&path) {
            Ok(Some(v)) => v,
            Ok(None) => continue,
            Err(why) => {
                out.findings.push(Finding::new(
                    Level::Problem,
                    format!("`{}` cannot be used: {why}", path.display()),
                    "mend the file; what Claude Code does with it depends on its version",
                ));
                continue;
            }
        };
        let ours = pre_tool_hooks(&settings);
        if ours.iter().any(|h| h.whole) {
            out.hooks.extend(ours.iter().filter(|h| h.whole).map(|h| (tier, h.command.clone())));
        }
        for hook in &ours {
            if !hook.whole {
                out.findings.push(Finding::new(
                    Level::Problem,
                    format!(
                        "the hook in `{}` has the matcher `{}`, so other tools pass unseen",
                        path.display(),
                        hook.matcher
                    ),
                    "run `ambit init` again, which installs it for every tool",
                ));
            }
            if !hook.blocks {
                out.findings.push(Finding::new(
                    Level::Problem,
                    format!(
                        "the hook in `{}` has no `onFailure: \"block\"`: a timeout would let the call run",
                        path.display()
                    ),
                    "run `ambit init` again",
                ));
            }
        }
        if settings.get("disableAllHooks").and_then(Value::as_bool) == Some(true) {
            off.push((tier, path.clone()));
        }
        if tier == Tier::Managed
            && settings.get("allowManagedHooksOnly").and_then(Value::as_bool) == Some(true)
        {
            managed_only = Some(path.clone());
        }
        out.findings.extend(overrides(tier, &path, &settings));
    }
    let best = out.hooks.iter().map(|(t, _)| *t).min();
    for (tier, path) in off {
        if best != Some(Tier::Managed) || tier == Tier::Managed {
            out.findings.push(Finding::new(
                Level::Problem,
                format!("`disableAllHooks` in `{}` switches every hook off, Ambit's too", path.display()),
                "take the key out, or have an administrator install the managed files: `ambit init --managed DIR`",
            ));
        }
    }
    if let Some(path) = managed_only
        && best.is_some_and(|t| t != Tier::Managed)
    {
        out.findings.push(Finding::new(
            Level::Problem,
            format!(
                "`allowManagedHooksOnly` in `{}` silences the hook, which is not installed there",
                path.display()
            ),
            "have the administrator add Ambit's managed files: `ambit init --managed DIR`",
        ));
    }
    if places.config_dir.is_some() && best != Some(Tier::Managed) {
        out.findings.push(Finding::new(
            Level::Warning,
            "`CLAUDE_CONFIG_DIR` is set: a session started without it, or with another value, reads other settings",
            "set it for every session, or install the managed files",
        ));
    }
    match best {
        None => out.findings.push(Finding::new(
            Level::Problem,
            "no settings file of Claude Code holds Ambit's hook",
            "run `ambit init`",
        )),
        Some(Tier::Managed) => out.findings.push(Finding::new(
            Level::Good,
            "installed in the managed settings: no user, repository, flag or environment variable can switch it off",
            "",
        )),
        Some(tier) => out.findings.push(Finding::new(
            Level::Warning,
            format!(
                "installed in the {} settings: `--settings`, `--bare`, `--safe-mode`, `--setting-sources` and, without a terminal, \
                 the repository's own settings can switch it off",
                tier.word()
            ),
            "fine on your own machine; an organisation installs the managed files: `ambit init --managed DIR`",
        )),
    }
    out.findings.sort_by_key(|f| std::cmp::Reverse(f.level));
    out
}

struct Hook {
    command: String,
    matcher: String,
    whole: bool,
    blocks: bool,
}

fn pre_tool_hooks(settings: &Value) -> Vec<Hook> {
    let mut found = Vec::new();
    let entries = settings.pointer("/hooks/PreToolUse").and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        let matcher = entry.get("matcher").and_then(Value::as_str).unwrap_or("").to_owned();
        for hook in entry.get("hooks").and_then(Value::as_array).into_iter().flatten() {
            let Some(command) = hook.get("command").and_then(Value::as_str).filter(|c| is_ours(c)) else {
                continue;
            };
            let conditional =
                hook.get("if").is_some() || hook.get("async").and_then(Value::as_bool) == Some(true);
            found.push(Hook {
                command: command.to_owned(),
                whole: matches!(matcher.as_str(), "" | "*" | ".*") && !conditional,
                matcher: if conditional { format!("{matcher} (with a condition)") } else { matcher.clone() },
                blocks: hook.get("onFailure").and_then(Value::as_str) == Some("block"),
            });
        }
    }
    found
}

/// Settings beside the hook that weaken it or deserve to be known.
fn overrides(tier: Tier, path: &Path, settings: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    let shown = path.display();
    if settings.pointer("/permissions/defaultMode").and_then(Value::as_str) == Some("bypassPermissions") {
        found.push(Finding::new(
            Level::Warning,
            format!("`{shown}` makes `bypassPermissions` the default mode: the agent's own questions are off, Ambit's verdicts hold"),
            "take `permissions.defaultMode` out unless the sessions run in a throw-away machine",
        ));
    }
    if let Some(env) = settings.get("env").and_then(Value::as_object) {
        for name in env.keys() {
            if [
                "LD_PRELOAD",
                "LD_LIBRARY_PATH",
                "PATH",
                "BASH_ENV",
                "NODE_OPTIONS",
                "CLAUDE_CODE_SHELL_PREFIX",
            ]
            .contains(&name.as_str())
                && tier != Tier::Managed
            {
                found.push(Finding::new(
                    Level::Warning,
                    format!("`{shown}` sets `{name}` for the agent, its commands and Ambit's hook: it can change which program runs"),
                    "take it out unless you put it there yourself",
                ));
            }
        }
    }
    for (event, list) in settings.get("hooks").and_then(Value::as_object).into_iter().flatten() {
        let foreign = list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|e| e.get("hooks"))
            .filter_map(Value::as_array)
            .flatten();
        let foreign =
            foreign.filter(|h| !h.get("command").and_then(Value::as_str).is_some_and(is_ours)).count();
        if foreign > 0 && matches!(event.as_str(), "PreToolUse" | "PermissionRequest") {
            found.push(Finding::new(
                Level::Warning,
                format!("`{shown}` has {foreign} other hook(s) on {event}: one that rewrites a command does so unseen by Ambit"),
                "make sure that you know them",
            ));
        }
    }
    found
}

fn read(path: &Path) -> Result<Option<Value>, String> {
    match fs_err::read(path) {
        Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => Ok(None),
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| format!("not valid JSON at line {}, column {}", e.line(), e.column())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.to_string()),
    }
}

/// The agent's program on the search path.
#[must_use]
pub fn find_program(places: &Places) -> Option<PathBuf> {
    places.path.iter().map(|d| d.join("claude")).find(|p| p.is_file())
}

/// The version in what `claude --version` prints (`2.1.330 (Claude Code)`), and whether it is at least
/// [`FIRST_FAIL_CLOSED`].
#[must_use]
pub fn version_of(output: &str) -> Option<((u32, u32, u32), bool)> {
    let word = output.split_whitespace().next()?;
    let mut parts = word.split('.').map(str::parse::<u32>);
    let version = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some((version, version >= FIRST_FAIL_CLOSED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claude_code::{managed_files, plan_install};

    fn places(root: &Path) -> Places {
        Places {
            home: root.join("home"),
            project: root.join("work"),
            admin: root.join("etc"),
            config_dir: None,
            path: vec![],
        }
    }
    fn write(path: &Path, bytes: &[u8]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    fn problems(places: &Places) -> Vec<String> {
        examine(places).findings.into_iter().filter(|f| f.level == Level::Problem).map(|f| f.what).collect()
    }

    #[test]
    fn sees_what_switches_the_hook_off() {
        let dir = tempfile::tempdir().unwrap();
        let p = places(dir.path());
        assert!(problems(&p).iter().any(|w| w.contains("no settings file")));
        let user = p.home.join(".claude/settings.json");
        let change = plan_install(&user, "/opt/ambit", &[]).unwrap();
        write(&user, change.after.as_deref().unwrap());
        assert_eq!(problems(&p), Vec::<String>::new());
        write(&p.project.join(".claude/settings.json"), b"{\"disableAllHooks\": true}");
        assert!(problems(&p).iter().any(|w| w.contains("disableAllHooks")));
        for (rel, text) in managed_files("/opt/ambit", &[]) {
            write(&p.admin.join(rel), text.as_bytes());
        }
        assert_eq!(problems(&p), Vec::<String>::new(), "managed hooks outlive the repository's switch");
        assert_eq!(examine(&p).hooks.first().map(|h| h.0), Some(Tier::Managed));
        write(&user, b"{ nonsense");
        assert!(problems(&p).iter().any(|w| w.contains("not valid JSON")));
    }

    #[test]
    fn reads_versions() {
        assert_eq!(version_of("2.1.330 (Claude Code)\n"), Some(((2, 1, 330), true)));
        assert_eq!(version_of("2.1.197 (Claude Code)"), Some(((2, 1, 197), false)));
        assert_eq!(version_of("nonsense"), None);
    }
}
