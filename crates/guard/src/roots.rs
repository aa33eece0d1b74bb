//! Where things lie on a machine. All of it comes in by argument, so that a test or another home is the same code.

use model::AbsPath;
use std::path::PathBuf;

/// The places that Ambit reads and writes.
#[derive(Debug, Clone)]
pub struct Roots {
    /// The person's home.
    pub home: Option<AbsPath>,
    /// What Ambit keeps: ledger, keys, sessions, compiled policy (`$XDG_STATE_HOME/ambit`).
    pub state: PathBuf,
    /// The person's own configuration (`$XDG_CONFIG_HOME/ambit`).
    pub config: PathBuf,
    /// The administrator's configuration (`/etc/ambit`).
    pub admin: PathBuf,
    /// Ambit's own program.
    pub program: Option<AbsPath>,
}

impl Roots {
    /// The directory that speaks for the organisation: the administrator's if it is there, else the person's own.
    #[must_use]
    pub fn organisation_dir(&self) -> PathBuf {
        if self.admin.is_dir() { self.admin.clone() } else { self.config.clone() }
    }

    /// The sessions' states.
    #[must_use]
    pub fn sessions(&self) -> PathBuf {
        self.state.join("sessions")
    }

    /// Ambit's own paths, which no agent may change.
    pub fn own(&self) -> impl Iterator<Item = AbsPath> {
        let dirs = [&self.state, &self.config, &self.admin];
        let dirs: Vec<AbsPath> =
            dirs.into_iter().filter_map(|p| p.to_str()).filter_map(|p| AbsPath::parse(p).ok()).collect();
        dirs.into_iter().chain(self.program.clone())
    }
}
