//! The one door to the environment: every variable that Ambit reads, and what it means.

use anyhow::{Context as _, Result};
use guard::{Person, Roots};
use model::AbsPath;
use std::path::PathBuf;

/// The person's home, as every program takes it.
pub(crate) const HOME: &str = "HOME";
/// Where state is kept, instead of `~/.local/state` (XDG base directory specification).
const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// Where configuration lies, instead of `~/.config` (XDG base directory specification).
const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// The directory for administrators' files, instead of `/etc`; for tests and images. An agent's environment cannot
/// set it for the installed hook to any avail: what lies there only tightens what the person's own files say.
const AMBIT_ADMIN_DIR: &str = "AMBIT_ADMIN_DIR";
/// Claude Code: the project's root.
pub(crate) const CLAUDE_PROJECT_DIR: &str = "CLAUDE_PROJECT_DIR";
/// Claude Code: `1` when a person sits at the session.
pub(crate) const CLAUDE_CODE_SESSION_ATTENDED: &str = "CLAUDE_CODE_SESSION_ATTENDED";
/// Claude Code: another directory for its settings.
pub(crate) const CLAUDE_CONFIG_DIR: &str = "CLAUDE_CONFIG_DIR";

/// A variable of the environment; empty counts as unset.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// An absolute path from a variable.
pub(crate) fn path_variable(name: &str) -> Option<AbsPath> {
    variable(name).and_then(|v| AbsPath::parse(&v).ok())
}

/// Where things lie for the person who runs this.
pub(crate) fn roots() -> Result<Roots> {
    let home = path_variable(HOME);
    let base = |name: &str, below: &str| -> Result<PathBuf> {
        if let Some(dir) = path_variable(name) {
            return Ok(dir.as_std().join("ambit"));
        }
        let home = home.as_ref().context(
            "the variable `HOME` is not set to an absolute path; set it, so that Ambit finds its files",
        )?;
        Ok(home.join(below).as_std().join("ambit"))
    };
    let admin =
        path_variable(AMBIT_ADMIN_DIR).map_or_else(|| PathBuf::from("/etc"), |p| p.as_std().to_owned());
    Ok(Roots {
        state: base(XDG_STATE_HOME, ".local/state")?,
        config: base(XDG_CONFIG_HOME, ".config")?,
        admin: admin.join("ambit"),
        program: std::env::current_exe().ok().and_then(|p| AbsPath::parse(p.to_str()?).ok()),
        home,
    })
}

/// The directory for administrators' files of agents: `/etc`.
pub(crate) fn admin_dir() -> PathBuf {
    path_variable(AMBIT_ADMIN_DIR).map_or_else(|| PathBuf::from("/etc"), |p| p.as_std().to_owned())
}

/// The current directory.
pub(crate) fn current_dir() -> Result<AbsPath> {
    let dir = std::env::current_dir()
        .context("the current directory cannot be found; change to one that exists")?;
    let text = dir.to_str().context("the current directory's name is not valid UTF-8")?;
    Ok(AbsPath::parse(text)?)
}

/// Who runs this, by the system's own word and not by a variable that an agent could set: the user's number, with the
/// login name where it is known for it.
pub(crate) fn person() -> Person {
    use sha2::{Digest, Sha256};
    let uid = rustix::process::getuid().as_raw();
    let login = login_of(uid).unwrap_or_else(|| format!("uid-{uid}"));
    let host = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let digest = Sha256::digest(format!("ambit subject\0{}\0{uid}", host.trim()));
    let subject: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    Person { login, subject: format!("p-{subject}") }
}

fn login_of(uid: u32) -> Option<String> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse::<u32>().ok()? == uid).then(|| name.to_owned())
    })
}
