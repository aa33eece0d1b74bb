//! The concession `contain`: a shell command is rewritten so that Ambit runs it in the sandbox, under a ticket that only
//! the hook issues.
//!
//! `ambit run --call ID -- COMMAND` runs what the ticket ID says and nothing else, once. An agent that writes such a
//! line itself has it judged like every command, and finds no ticket.

use crate::lend::Loan;
use crate::roots::Roots;
use crate::session::SessionError;
use crate::settings::write_atomically;
use agents::Context;
use jiff::Timestamp;
use model::{AbsPath, Tool, ToolCall};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Tickets that nobody used are void after a day, in milliseconds: a person may take long to answer.
const VOID_AFTER: i64 = 24 * 3_600_000;

/// What `ambit run --call` may run, for which call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its name: 12 hexadecimal digits.
    pub id: String,
    /// The agent.
    pub agent: String,
    /// The session.
    pub session: String,
    /// The agent's identifier of the call.
    pub call: Option<String>,
    /// The sub-agent that made the call, if one did.
    pub subagent: Option<String>,
    /// The command, as the agent gave it and as it was judged.
    pub command: String,
    /// The directory in which the agent runs it.
    pub cwd: AbsPath,
    /// The project.
    pub workspace: AbsPath,
    /// When it was issued, in milliseconds since 1970-01-01 UTC.
    pub issued: i64,
    /// Whether it runs without bounds, and only what it prints is looked through for secrets.
    #[serde(default)]
    pub open: bool,
    /// The secrets that it is lent.
    #[serde(default)]
    pub lent: Vec<Loan>,
}

/// Why a ticket is not good.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// No such ticket was issued, or it was used.
    #[error(
        "no call `{0}` waits to be run: only the hook lets one through, and each runs once; run the command itself, and Ambit judges it"
    )]
    Unknown(String),
    /// Another command than the one that was judged.
    #[error(
        "the call `{0}` was let through with another command; run the command itself, and Ambit judges it"
    )]
    Other(String),
    /// It was issued too long ago.
    #[error("the call `{0}` was let through too long ago; run the command again, and Ambit judges it anew")]
    Void(String),
    /// The file cannot be read.
    #[error("the call cannot be looked up: {0}; mend the permissions of Ambit's state")]
    Io(#[from] std::io::Error),
}

fn dir(state: &Path) -> PathBuf {
    state.join("tickets")
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

impl Ticket {
    /// Issues a ticket for a call that is about to be let through.
    pub(crate) fn issue(
        roots: &Roots,
        context: &Context,
        call: &ToolCall,
        workspace: &AbsPath,
        (id, open, lent): (String, bool, Vec<Loan>),
        now: Timestamp,
    ) -> Result<Option<Self>, SessionError> {
        let Tool::Shell { command, .. } = &call.tool else { return Ok(None) };
        let ticket = Self {
            id,
            agent: call.agent.0.clone(),
            session: context.session.0.clone(),
            call: call.call.as_ref().map(|c| c.0.clone()),
            subagent: call.subagent.clone(),
            command: command.clone(),
            cwd: call.cwd.clone(),
            workspace: workspace.clone(),
            issued: now.as_millisecond(),
            open,
            lent,
        };
        let dir = dir(&roots.state);
        fs_err::create_dir_all(&dir)?;
        let bytes = serde_json::to_vec(&ticket).map_err(std::io::Error::from)?;
        write_atomically(&dir.join(&ticket.id), &bytes)?;
        Ok(Some(ticket))
    }

    /// The ticket with this name, used or not.
    #[must_use]
    pub fn read(state: &Path, id: &str) -> Option<Self> {
        if !is_id(id) {
            return None;
        }
        let file = dir(state).join(id);
        let bytes = fs_err::read(&file).or_else(|_| fs_err::read(file.with_extension("used"))).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Uses a ticket for `command`. Of two that use one, one gets it.
    ///
    /// # Errors
    /// [`TicketError`] when there is none, it was used, it is too old, or it is for another command.
    pub fn redeem(state: &Path, id: &str, command: &str, now: Timestamp) -> Result<Self, TicketError> {
        let unknown = || TicketError::Unknown(id.to_owned());
        if !is_id(id) {
            return Err(unknown());
        }
        let file = dir(state).join(id);
        let used = file.with_extension("used");
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(unknown()),
            Err(e) => return Err(e.into()),
        };
        let ticket: Self = serde_json::from_slice(&bytes).map_err(|_| unknown())?;
        if ticket.command != command {
            return Err(TicketError::Other(id.to_owned()));
        }
        if now.as_millisecond().saturating_sub(ticket.issued) > VOID_AFTER {
            return Err(TicketError::Void(id.to_owned()));
        }
        // A link, because it fails where the name is taken: a rename would succeed for both.
        match std::fs::hard_link(&file, &used) {
            Ok(()) => {}
            Err(e)
                if matches!(e.kind(), std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotFound) =>
            {
                return Err(unknown());
            }
            Err(e) => return Err(e.into()),
        }
        std::fs::remove_file(&file)?;
        Ok(ticket)
    }

    /// Whether the command may change the shell's directory, so that the agent's shell must follow.
    #[must_use]
    pub fn moves(&self) -> bool {
        moves(&self.command)
    }

    /// Notes the directory in which the contained command ended.
    ///
    /// # Errors
    /// What the system says.
    pub fn left_in(&self, state: &Path, directory: &str) -> std::io::Result<()> {
        write_atomically(&dir(state).join(&self.id).with_extension("left"), directory.as_bytes())
    }

    /// The directory in which the contained command ended, if it said so and the directory is there for the agent too.
    #[must_use]
    pub fn left(state: &Path, id: &str) -> Option<AbsPath> {
        if !is_id(id) {
            return None;
        }
        let text = fs_err::read_to_string(dir(state).join(id).with_extension("left")).ok()?;
        AbsPath::parse(text.trim_end_matches('\n')).ok().filter(|p| p.as_std().is_dir())
    }

    /// Takes away all that is left of a ticket.
    pub(crate) fn forget(state: &Path, id: &str) {
        let file = dir(state).join(id);
        for file in [file.with_extension("used"), file.with_extension("left"), file] {
            // Most of them are not there.
            let _ = std::fs::remove_file(file);
        }
    }

    /// Takes away tickets that are void.
    pub(crate) fn sweep(state: &Path, now: Timestamp) {
        let Ok(entries) = std::fs::read_dir(dir(state)) else { return };
        for entry in entries.flatten() {
            let changed = entry.metadata().and_then(|m| m.modified()).ok();
            let changed = changed.and_then(|t| Timestamp::try_from(t).ok());
            if changed.is_some_and(|t| now.as_millisecond().saturating_sub(t.as_millisecond()) > VOID_AFTER) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// The call as the agent made it, where this is the rewritten one: the agent's later events show what was rewritten.
    pub(crate) fn original(roots: &Roots, call: &ToolCall) -> Option<ToolCall> {
        let Tool::Shell { command, background } = &call.tool else { return None };
        let program = roots.program.as_ref()?;
        let rest = command.strip_prefix(&format!("{} run --call ", quoted(program.as_str())))?;
        let ticket = Self::read(&roots.state, rest.split(' ').next()?)?;
        let tool = Tool::Shell { command: ticket.command, background: *background };
        Some(ToolCall { tool, ..call.clone() })
    }
}

/// The command that runs a ticket's command contained: the agent's shell keeps its directory, exit status, output and
/// signals. A command that may change the directory is followed by one that takes the agent's shell there.
pub(crate) fn rewritten(program: &AbsPath, ticket: &Ticket) -> String {
    let program = quoted(program.as_str());
    let (id, command) = (&ticket.id, quoted(&ticket.command));
    let mut text = format!("{program} run --call {id} -- {command}");
    if ticket.moves() {
        text.push_str(&format!(" && cd -- \"$({program} run --left {id})\""));
    }
    text
}

/// Whether a command may change the shell's directory.
fn moves(command: &str) -> bool {
    command
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .any(|word| matches!(word, "cd" | "pushd" | "popd" | "eval" | "source"))
        || command.contains(". ")
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Agent, CallId, SessionId};

    fn world() -> (tempfile::TempDir, Roots, Context, ToolCall) {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots {
            home: AbsPath::parse("/h").ok(),
            state: dir.path().to_owned(),
            config: dir.path().to_owned(),
            admin: dir.path().to_owned(),
            program: AbsPath::parse("/opt/it's/ambit").ok(),
        };
        let cwd = AbsPath::parse("/w").unwrap();
        let context = Context {
            session: SessionId("s".into()),
            cwd: cwd.clone(),
            transcript: None,
            mode: None,
            subagent: None,
            prompt: None,
        };
        let call = ToolCall {
            agent: Agent("claude-code".into()),
            session: SessionId("s".into()),
            call: Some(CallId("c".into())),
            subagent: None,
            cwd,
            tool: Tool::Shell { command: "echo 'a b' > c".into(), background: true },
        };
        (dir, roots, context, call)
    }

    fn issued() -> (tempfile::TempDir, Roots, ToolCall, Ticket) {
        let (dir, roots, context, call) = world();
        let ticket = Ticket::issue(
            &roots,
            &context,
            &call,
            &call.cwd,
            ("7f3a".into(), false, Vec::new()),
            Timestamp::UNIX_EPOCH,
        );
        (dir, roots, call, ticket.unwrap().unwrap())
    }

    #[test]
    fn a_ticket_is_good_once_for_its_own_command_and_not_for_ever() {
        let (_dir, roots, _, ticket) = issued();
        let now = Timestamp::UNIX_EPOCH;
        let redeem = |id: &str, command: &str, now| Ticket::redeem(&roots.state, id, command, now);
        for forged in ["", "beef", "../7f3a", "7f3a/../7f3a"] {
            assert!(matches!(redeem(forged, &ticket.command, now), Err(TicketError::Unknown(_))), "{forged}");
        }
        assert!(matches!(redeem("7f3a", "echo other", now), Err(TicketError::Other(_))));
        let late = Timestamp::from_millisecond(VOID_AFTER + 1).unwrap();
        assert!(matches!(redeem("7f3a", &ticket.command, late), Err(TicketError::Void(_))));
        assert_eq!(redeem("7f3a", &ticket.command, now).unwrap(), ticket);
        assert!(matches!(redeem("7f3a", &ticket.command, now), Err(TicketError::Unknown(_))));
    }

    #[test]
    fn of_many_that_use_one_ticket_one_gets_it() {
        let (_dir, roots, _, ticket) = issued();
        let got = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let good =
                        Ticket::redeem(&roots.state, "7f3a", &ticket.command, Timestamp::UNIX_EPOCH).is_ok();
                    got.fetch_add(u32::from(good), std::sync::atomic::Ordering::SeqCst);
                });
            }
        });
        assert_eq!(got.into_inner(), 1);
    }

    #[test]
    fn what_is_rewritten_is_one_word_each_and_can_be_taken_back() {
        let (_dir, roots, call, mut ticket) = issued();
        let program = roots.program.clone().unwrap();
        let text = rewritten(&program, &ticket);
        assert_eq!(text, r"'/opt/it'\''s/ambit' run --call 7f3a -- 'echo '\''a b'\'' > c'");
        let again = ToolCall { tool: Tool::Shell { command: text, background: true }, ..call.clone() };
        assert_eq!(Ticket::original(&roots, &again), Some(call.clone()));
        assert_eq!(Ticket::original(&roots, &call), None);
        ticket.command = "cd sub && make".into();
        let text = rewritten(&program, &ticket);
        assert!(text.ends_with(r#" && cd -- "$('/opt/it'\''s/ambit' run --left 7f3a)""#), "{text}");
        // The shell reads each as one word.
        let shown = format!("printf '[%s]' {}", rewritten(&program, &issued().3));
        let run = std::process::Command::new("/bin/sh").args(["-c", &shown]).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&run.stdout),
            "[/opt/it's/ambit][run][--call][7f3a][--][echo 'a b' > c]"
        );
    }

    #[test]
    fn the_directory_that_was_left_is_one_that_is_there() {
        let (dir, roots, _, ticket) = issued();
        assert_eq!(Ticket::left(&roots.state, "7f3a"), None);
        ticket.left_in(&roots.state, dir.path().to_str().unwrap()).unwrap();
        assert_eq!(Ticket::left(&roots.state, "7f3a").unwrap().as_std(), dir.path());
        ticket.left_in(&roots.state, "/nowhere/at all").unwrap();
        assert_eq!(Ticket::left(&roots.state, "7f3a"), None);
        Ticket::forget(&roots.state, "7f3a");
        assert!(Ticket::read(&roots.state, "7f3a").is_none());
    }
}
