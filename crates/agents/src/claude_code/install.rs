//! Installing into Claude Code's settings, and taking it out again.

use super::settings;
use serde_json::{Map, Value, json};
use similar::TextDiff;
use std::path::{Path, PathBuf};

/// The file that an administrator distributes, below `/etc` on Linux.
pub const MANAGED_FILE: &str = "claude-code/managed-settings.json";

/// A file before and after; nothing is written by making one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file.
    pub path: PathBuf,
    /// Its bytes now; `None` when there is none.
    pub before: Option<Vec<u8>>,
    /// Its bytes afterwards; `None` when it goes away.
    pub after: Option<Vec<u8>>,
}

impl Change {
    /// Whether anything would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.before == self.after
    }

    /// The change as a unified diff.
    #[must_use]
    pub fn diff(&self) -> String {
        let text =
            |b: &Option<Vec<u8>>| b.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        let (before, after) = (text(&self.before), text(&self.after));
        let name = self.path.display().to_string();
        let old = if self.before.is_some() { name.as_str() } else { "/dev/null" };
        let new = if self.after.is_some() { name.as_str() } else { "/dev/null" };
        TextDiff::from_lines(&before, &after).unified_diff().context_radius(3).header(old, new).to_string()
    }
}

/// Why settings cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The file cannot be read.
    #[error("cannot read the agent's settings: {0}")]
    Read(#[from] std::io::Error),
    /// The file is not JSON.
    #[error("`{path}` is not valid JSON (line {line}, column {column}): {why}; mend it or move it away, then run this again", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
        /// The parser's words.
        why: String,
    },
    /// A part of the file has another shape than the agent documents.
    #[error("in `{path}`, {part} does not have the shape that Claude Code documents; mend it, then run this again", path = path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The part.
        part: String,
    },
}

/// What installing would do to the settings file `path`, with hooks that run `program`; `arguments` say where its
/// files lie.
///
/// # Errors
/// [`InstallError`] when the file is there and cannot be read or understood.
pub fn plan_install(path: &Path, program: &str, arguments: &[String]) -> Result<Change, InstallError> {
    let before = read(path)?;
    let mut map = parse(path, before.as_deref())?;
    settings::add(&mut map, program, arguments)
        .map_err(|part| InstallError::Shape { path: path.to_owned(), part: part.to_owned() })?;
    Ok(Change { path: path.to_owned(), after: Some(text(&map, before.as_deref())), before })
}

/// What taking Ambit out of the settings file would do. `backup` holds the bytes from before the installation
/// (`None`: there was no file) and `written` those that the installation wrote: when the file is still as it was
/// written, it is restored byte for byte; otherwise only Ambit's own entries go.
///
/// # Errors
/// [`InstallError`] when the file is there and cannot be read or understood.
pub fn plan_uninstall(
    path: &Path,
    written: Option<&[u8]>,
    backup: Option<Option<&[u8]>>,
) -> Result<Change, InstallError> {
    let before = read(path)?;
    if let (Some(now), Some(written), Some(backup)) = (&before, written, backup)
        && now == written
    {
        return Ok(Change { path: path.to_owned(), after: backup.map(<[u8]>::to_vec), before });
    }
    let Some(bytes) = before.clone() else {
        return Ok(Change { path: path.to_owned(), before: None, after: None });
    };
    let mut map = parse(path, Some(&bytes))?;
    let whole = map.clone();
    settings::remove(&mut map);
    let after = if map == whole { bytes.clone() } else { text(&map, Some(&bytes)) };
    Ok(Change { path: path.to_owned(), before: Some(bytes), after: Some(after) })
}

/// The files that an administrator distributes: hooks that neither a user's nor a repository's settings can switch
/// off, and a floor for the agent's version. Paths are relative to the directory for administrators (`/etc`).
#[must_use]
pub fn managed_files(program: &str, arguments: &[String]) -> Vec<(PathBuf, String)> {
    let mut map = Map::new();
    let (major, minor, patch) = super::FIRST_FAIL_CLOSED;
    map.insert("requiredMinimumVersion".to_owned(), json!(format!("{major}.{minor}.{patch}")));
    map.insert("allowManagedHooksOnly".to_owned(), json!(true));
    map.insert(
        "permissions".to_owned(),
        json!({ "disableBypassPermissionsMode": "disable", "deny": settings::read_deny_rules() }),
    );
    // `add` cannot fail on tables that were made just now.
    let _ = settings::add(&mut map, program, arguments);
    vec![(PathBuf::from(MANAGED_FILE), pretty(&map, "  "))]
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, InstallError> {
    match fs_err::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(InstallError::Read(e)),
    }
}

fn parse(path: &Path, bytes: Option<&[u8]>) -> Result<Map<String, Value>, InstallError> {
    let Some(bytes) = bytes.filter(|b| !b.iter().all(u8::is_ascii_whitespace)) else {
        return Ok(Map::new());
    };
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(InstallError::Shape { path: path.to_owned(), part: "the whole file".to_owned() }),
        Err(e) => Err(InstallError::Json {
            path: path.to_owned(),
            line: e.line(),
            column: e.column(),
            why: e.to_string(),
        }),
    }
}

/// JSON in the indentation that the file had, two spaces otherwise.
fn text(map: &Map<String, Value>, before: Option<&[u8]>) -> Vec<u8> {
    let old = before.map(String::from_utf8_lossy).unwrap_or_default();
    let indent: String = old
        .lines()
        .nth(1)
        .map(|l| l.chars().take_while(|c| *c == ' ' || *c == '\t').collect())
        .filter(|s: &String| !s.is_empty())
        .unwrap_or_else(|| "  ".to_owned());
    pretty(map, &indent).into_bytes()
}

fn pretty(map: &Map<String, Value>, indent: &str) -> String {
    use serde::Serialize;
    let mut out = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut writer = serde_json::Serializer::with_formatter(&mut out, format);
    // Writing JSON values to memory has no way to fail.
    let _ = map.serialize(&mut writer);
    out.push(b'\n');
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(dir: &tempfile::TempDir, bytes: Option<&str>) -> PathBuf {
        let path = dir.path().join("settings.json");
        if let Some(b) = bytes {
            std::fs::write(&path, b).unwrap();
        }
        path
    }

    #[test]
    fn installing_twice_changes_nothing_and_uninstalling_restores_the_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let original = "{\n   \"model\": \"x\",  \"permissions\": {\"deny\": [\"Bash(rm *)\"]},\n   \"hooks\": {\"PreToolUse\": [{\"matcher\": \"Bash\", \"hooks\": [{\"type\": \"command\", \"command\": \"mine\"}]}]}}";
        let path = at(&dir, Some(original));
        let first = plan_install(&path, "/opt/am bit's/ambit", &[]).unwrap();
        assert!(first.diff().contains("+"));
        let written = first.after.clone().unwrap();
        std::fs::write(&path, &written).unwrap();
        assert!(plan_install(&path, "/opt/am bit's/ambit", &[]).unwrap().is_empty());
        let moved = plan_install(&path, "/usr/bin/ambit", &[]).unwrap();
        assert!(!String::from_utf8_lossy(moved.after.as_ref().unwrap()).contains("/opt/am"));
        let back = plan_uninstall(&path, Some(&written), Some(first.before.as_deref())).unwrap();
        assert_eq!(back.after.as_deref(), Some(original.as_bytes()));
        // Changed since: only our own entries go.
        let text = String::from_utf8(written.clone()).unwrap().replace("\"x\"", "\"y\"");
        std::fs::write(&path, &text).unwrap();
        let back = plan_uninstall(&path, Some(&written), Some(first.before.as_deref())).unwrap();
        let v: Value = serde_json::from_slice(back.after.as_ref().unwrap()).unwrap();
        assert_eq!(v["model"], "y");
        assert_eq!(v["permissions"]["deny"], json!(["Bash(rm *)"]));
        assert_eq!(v["hooks"]["PreToolUse"].as_array().unwrap().len(), 1);
        assert!(v["hooks"].get("PostToolUse").is_none());
    }

    #[test]
    fn a_file_that_was_not_there_goes_away_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = at(&dir, None);
        let first = plan_install(&path, "/a/ambit", &[]).unwrap();
        let written = first.after.clone().unwrap();
        std::fs::write(&path, &written).unwrap();
        assert_eq!(plan_uninstall(&path, Some(&written), Some(None)).unwrap().after, None);
    }

    #[test]
    fn broken_settings_are_named_with_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = at(&dir, Some("{\n \"a\": }"));
        let e = plan_install(&path, "/a/ambit", &[]).unwrap_err().to_string();
        assert!(e.contains("line 2"), "{e}");
        let path = at(&dir, Some("{\"hooks\": []}"));
        assert!(plan_install(&path, "/a/ambit", &[]).unwrap_err().to_string().contains("`hooks`"));
    }

    #[test]
    fn the_fallback_blocks_what_is_not_a_whole_answer() {
        let dir = tempfile::tempdir().unwrap();
        let run = |body: Option<&str>| {
            let program = dir.path().join("ambit");
            let _ = std::fs::remove_file(&program);
            if let Some(body) = body {
                std::fs::write(&program, format!("#!/bin/sh\n{body}\n")).unwrap();
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            let command =
                settings::hook_command(program.to_str().unwrap(), &["--home".into(), "/h o".into()], true);
            let out = std::process::Command::new("/bin/sh").arg("-c").arg(command).output().unwrap();
            (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
        };
        assert_eq!(run(None).0, Some(2));
        assert_eq!(run(Some("exit 0")).0, Some(2));
        assert_eq!(run(Some("exit 1")).0, Some(2));
        assert_eq!(run(Some("kill -9 $$")).0, Some(2));
        assert_eq!(run(Some("echo garbage")).0, Some(2));
        assert_eq!(run(Some("printf '{\"hookSpecificOutput\":{}'")).0, Some(2));
        assert_eq!(run(Some("printf '{\"suppressOutput\":true}'; exit 1")).0, Some(2));
        assert_eq!(
            run(Some("printf '{\"suppressOutput\":true}'")),
            (Some(0), "{\"suppressOutput\":true}".to_owned())
        );
    }
}
