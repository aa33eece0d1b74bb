//! A call that the hook let through contained: its ticket, the shell that runs it, and the directory it ends in.

use crate::output::print;
use anyhow::{Context as _, Result, bail};
use guard::Ticket;
use jiff::Timestamp;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The shells that may run the command, the agent's own kind first.
const SHELLS: [&str; 3] = ["/bin/bash", "/usr/bin/bash", "/bin/sh"];
/// Runs the command as the agent's shell would, and then says where it is, as the agent's shell does. What ends the
/// shell itself (`exit`, `exec`) says nothing, there as here.
const SCRIPT: &str = r#"eval "$1"
status=$?
[ -z "$2" ] || pwd -P >"$2/left" 2>/dev/null
exit "$status""#;
/// The longest path of a directory that is believed.
const LONGEST: u64 = 4096;

/// A ticket in use.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) ticket: Ticket,
    place: Option<tempfile::TempDir>,
}

impl Call {
    /// Uses up a ticket for the command that was given with it.
    pub(super) fn redeem(state: &Path, id: &str, command: &[OsString]) -> Result<Self> {
        let [command] = command else {
            bail!("the call `{id}` is one command; run the command itself, and Ambit judges it")
        };
        let command = command.to_str().context("the command is not valid UTF-8")?;
        let ticket = Ticket::redeem(state, id, command, Timestamp::now())?;
        // Where the shell says which directory it is in: only where the agent's own has to follow.
        let place = if ticket.moves() {
            Some(
                tempfile::Builder::new()
                    .prefix("ambit-")
                    .tempdir()
                    .context("a temporary directory is needed")?,
            )
        } else {
            None
        };
        Ok(Self { ticket, place })
    }

    /// The directory that the command may write to beside the project.
    pub(super) fn place(&self) -> Option<&Path> {
        self.place.as_ref().map(tempfile::TempDir::path)
    }

    /// The shell with the command.
    pub(super) fn command(&self) -> Vec<OsString> {
        self.command_as(&self.ticket.command)
    }

    /// The shell with this text in the command's place: the same with what is lent put in.
    pub(super) fn command_as(&self, text: &str) -> Vec<OsString> {
        let shell = SHELLS.iter().find(|s| Path::new(s).exists()).copied().unwrap_or("/bin/sh");
        let place = self.place().map(PathBuf::from).unwrap_or_default();
        vec![shell.into(), "-c".into(), SCRIPT.into(), "ambit".into(), text.into(), place.into_os_string()]
    }

    /// Notes where the command ended. What cannot be noted leaves the agent's shell where it was.
    pub(super) fn ended(&self, state: &Path) {
        let Some(place) = self.place() else { return };
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let Ok(file) = rustix::fs::open(place.join("left"), flags, rustix::fs::Mode::empty()) else { return };
        let mut text = String::new();
        if std::fs::File::from(file).take(LONGEST).read_to_string(&mut text).is_ok() {
            let _ = self.ticket.left_in(state, &text);
        }
    }
}

/// Prints the directory in which a call ended; where it is not known, the one where the shell is.
pub(super) fn left(state: &Path, id: &str) -> ExitCode {
    print(Ticket::left(state, id).as_ref().map_or(".", |dir| dir.as_str()));
    ExitCode::SUCCESS
}
