//! What a contained command may touch. A profile is decided before the command starts and nothing in it comes from the
//! command itself.

use crate::error::ContainError;
use model::AbsPath;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

/// How strong a sandbox is. A greater tier is a stronger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// Landlock, system-call filter and connections made on behalf, without namespaces: paths outside can be asked
    /// about (`stat`), processes outside can be seen, and there is no overlay.
    B,
    /// Namespaces of user, mounts, processes, network, IPC and host name; a root that holds only what is listed; then
    /// everything of tier B again as a second wall.
    A,
}

impl Tier {
    /// The letter.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Tier {
    type Err = ContainError;
    fn from_str(text: &str) -> Result<Self, ContainError> {
        match text {
            "A" | "a" => Ok(Self::A),
            "B" | "b" => Ok(Self::B),
            other => Err(ContainError::NoSuchTier(other.to_owned())),
        }
    }
}

/// Bounds on what a contained command can use up. They keep one command from harming the machine; they are no quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Processes and threads at one time. Tier A on Linux 6.14 or later holds it exactly (`pid_max` of the process
    /// namespace); before, `RLIMIT_NPROC` of the user namespace does, which does not bind the user 0.
    pub processes: u32,
    /// Bytes of all private files together: home, `/tmp`, `/run`, `/dev/shm`. They lie in memory.
    pub private_bytes: u64,
    /// Bytes of one file (`RLIMIT_FSIZE`).
    pub file_bytes: u64,
    /// Bytes of memory that the command's processes hold together; beyond it the command is ended. Looked at every
    /// 200 ms. `None`: no bound but the machine's, where the kernel takes contained processes first.
    pub memory_bytes: Option<u64>,
    /// Open files of one process (`RLIMIT_NOFILE`).
    pub open_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            processes: 4096,
            private_bytes: 4 << 30,
            file_bytes: 64 << 30,
            memory_bytes: None,
            open_files: 65_536,
        }
    }
}

/// A variable of the command's environment.
pub type Variable = (OsString, OsString);

/// What a contained command may touch.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// The profile's name, for records: `command`, `agent`.
    pub name: String,
    /// The directory that the command works on: readable and writable, but for the protected names in it.
    pub project: AbsPath,
    /// Where the command starts; in the project or a directory of `read` or `write`.
    pub cwd: AbsPath,
    /// The person's home. The command sees an empty one in its place, with toolchains and caches.
    pub home: AbsPath,
    /// Ambit's state. It does not exist inside; caches of contained commands are kept beneath it.
    pub state: AbsPath,
    /// Further paths to be read.
    pub read: Vec<AbsPath>,
    /// Further paths to be read and written.
    pub write: Vec<AbsPath>,
    /// Paths below those of `write` that stay as they are.
    pub held: Vec<AbsPath>,
    /// Whether Ambit's state can be read and written: only for a whole agent, whose hooks run in the same bounds.
    pub share_state: bool,
    /// Names below the project that are given free though protected, such as `AGENTS.md`.
    pub unprotected: Vec<String>,
    /// Credential files below home or project that are shown all the same.
    pub credentials: Vec<AbsPath>,
    /// The command's whole environment; see [`crate::environment`].
    pub variables: Vec<Variable>,
    /// Bounds on what is used up.
    pub limits: Limits,
    /// The weakest tier that will do.
    pub minimum: Tier,
    /// This tier and no other; `None` takes the strongest that this machine reaches.
    pub tier: Option<Tier>,
    /// How a person lets one more host or path in, told in denials.
    pub ask: String,
}

impl fmt::Debug for Profile {
    // Values of variables may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.iter().map(|(name, _)| name).collect();
        f.debug_struct("Profile")
            .field("name", &self.name)
            .field("project", &self.project)
            .field("cwd", &self.cwd)
            .field("home", &self.home)
            .field("read", &self.read)
            .field("write", &self.write)
            .field("variables", &names)
            .field("limits", &self.limits)
            .field("minimum", &self.minimum)
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

impl Profile {
    /// The profile `command`: one command at work on a project.
    ///
    /// # Errors
    /// [`ContainError::TooWide`] when the project holds the home or is the root: everything that is withheld lies there.
    pub fn command(
        project: AbsPath,
        cwd: AbsPath,
        home: AbsPath,
        state: AbsPath,
    ) -> Result<Self, ContainError> {
        if home.is_under(&project) || state.is_under(&project) {
            return Err(ContainError::TooWide { project: project.to_string() });
        }
        Ok(Self {
            name: "command".to_owned(),
            project,
            cwd,
            home,
            state,
            read: Vec::new(),
            write: Vec::new(),
            held: Vec::new(),
            share_state: false,
            unprotected: Vec::new(),
            credentials: Vec::new(),
            variables: Vec::new(),
            limits: Limits::default(),
            minimum: Tier::B,
            tier: None,
            ask: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_never_holds_the_home() {
        let p = |s: &str| AbsPath::parse(s).unwrap();
        for wide in ["/", "/home", "/home/ann"] {
            let made = Profile::command(p(wide), p(wide), p("/home/ann"), p("/home/ann/.local/state/ambit"));
            assert!(matches!(made, Err(ContainError::TooWide { .. })), "{wide}");
        }
        assert!(
            Profile::command(p("/home/ann/w"), p("/home/ann/w"), p("/home/ann"), p("/home/ann/.s")).is_ok()
        );
    }

    #[test]
    fn debug_tells_no_values() {
        let p = |s: &str| AbsPath::parse(s).unwrap();
        let mut profile = Profile::command(p("/w"), p("/w"), p("/h"), p("/s")).unwrap();
        profile.variables.push(("TOKEN".into(), "hunter2".into()));
        let text = format!("{profile:?}");
        assert!(text.contains("TOKEN") && !text.contains("hunter2"), "{text}");
    }
}
