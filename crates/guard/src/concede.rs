//! Making concessions: what a call would lose is kept, a command that must be contained is rewritten, and both are
//! remembered until the agent reports the call's end.

use crate::approve::Heard;
use crate::flow::{Guard, GuardError};
use crate::lend::Loan;
use crate::machine::follow;
use crate::readers::Reading;
use crate::roots::Roots;
use crate::session::SessionError;
use crate::settings::{hash_text, write_atomically};
use crate::ticket::{Ticket, rewritten};
use crate::withheld;
use crate::words::{shortened, visible};
use agents::{Answer, Context, Outcome, Report};
use jiff::Timestamp;
use ledger::Record;
use model::{AbsPath, Tool, ToolCall};
use policy::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use snapshot::{About, Budget, NotTaken, Plan, Retention, Store, Taken};
use std::path::PathBuf;

/// Where the program git may lie: places that only an administrator writes. `PATH` is not asked, because a repository's
/// settings can set it for the agent and so for its hooks.
const GIT: [&str; 5] = [
    "/usr/bin/git",
    "/usr/local/bin/git",
    "/opt/homebrew/bin/git",
    "/opt/local/bin/git",
    "/run/current-system/sw/bin/git",
];

/// The program git, if it lies in one of the places where systems install it.
#[must_use]
pub fn git_program() -> Option<PathBuf> {
    GIT.iter().map(PathBuf::from).find(|p| p.exists())
}

/// The store of snapshots.
#[must_use]
pub fn snapshots(roots: &Roots) -> Store {
    Store::at(&roots.state.join("undo"))
}

/// What would have to be kept, if anything would be lost and all of it can be kept. Looks at nothing but the effects.
pub(crate) fn planned(reading: &Reading) -> Option<Plan> {
    snapshot::plan(&reading.effects).ok().filter(|plan| !plan.is_empty())
}

/// Takes the snapshot that the verdict demands.
pub(crate) fn take(
    roots: &Roots,
    context: &Context,
    call: &ToolCall,
    (plan, reading, verdict): (Plan, &Reading, &Verdict),
    now: Timestamp,
) -> Result<Taken, NotTaken> {
    let alone: Vec<bool> = verdict.effects().iter().map(|e| e.snapshot).collect();
    // Where no effect alone depends on it, all do together.
    let all = !alone.contains(&true);
    let plan = plan.needing(&reading.effects, &|at| all || alone.get(at).copied().unwrap_or(true));
    let about = About {
        id: name(context, call, "snapshot", now),
        session: context.session.0.clone(),
        call: call.call.as_ref().map(|c| c.0.clone()),
        agent: call.agent.0.clone(),
        now: now.as_millisecond(),
        cwd: call.cwd.clone(),
        what: what(&call.tool),
    };
    let store = snapshots(roots);
    let taken = snapshot::take(&plan, &about, &store, &Budget::default(), git_program().as_deref())?;
    // What is too old or too much goes now. If it cannot, the call is none the worse for it.
    let _ = store.prune(Retention::default(), about.now);
    Ok(taken)
}

/// A call in one line, as a person knows it.
fn what(tool: &Tool) -> String {
    shortened(&visible(&match tool {
        Tool::Shell { command, .. } => command.clone(),
        Tool::EditFile { path, .. } | Tool::WriteFile { path, .. } | Tool::ReadFile { path } => {
            format!("{} {path}", tool.word())
        }
        other => other.word().to_owned(),
    }))
}

/// What was conceded to a call, kept until the agent reports its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conceded {
    /// The snapshot that was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot: Option<String>,
    /// The ticket under which the command runs contained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ticket: Option<String>,
}

impl Conceded {
    fn file(roots: &Roots, context: &Context, call: &ToolCall) -> Option<PathBuf> {
        let id = call.call.as_ref()?;
        let name: String = hash_text(&format!("{}\0{}", context.session.0, id.0)).chars().take(32).collect();
        Some(roots.state.join("conceded").join(name))
    }

    /// Keeps it. A call without an identifier cannot be found again and is not kept.
    pub(crate) fn keep(&self, roots: &Roots, context: &Context, call: &ToolCall) -> Result<(), SessionError> {
        let Some(file) = Self::file(roots, context, call) else { return Ok(()) };
        if let Some(dir) = file.parent() {
            fs_err::create_dir_all(dir)?;
        }
        let bytes = serde_json::to_vec(self).map_err(std::io::Error::from)?;
        Ok(write_atomically(&file, &bytes)?)
    }

    /// Takes it away; nothing where nothing was conceded.
    pub(crate) fn take(
        roots: &Roots,
        context: &Context,
        call: &ToolCall,
    ) -> Result<Option<Self>, SessionError> {
        let Some(file) = Self::file(roots, context, call) else { return Ok(None) };
        let bytes = match fs_err::read(&file) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        match fs_err::remove_file(&file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.into()),
            _ => Ok(serde_json::from_slice(&bytes).ok()),
        }
    }
}

/// Notes what the call left, so that an undo can tell it from newer work.
pub(crate) fn settle(roots: &Roots, id: &str) -> Result<(), snapshot::SnapshotError> {
    let store = snapshots(roots);
    snapshot::settle(&store, &store.find(id)?)
}

/// A verdict with what was done for it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) verdict: Verdict,
    /// What came of asking a person, where the verdict asks.
    pub(crate) heard: Option<Heard>,
    /// The snapshot that was taken.
    pub(crate) taken: Option<Taken>,
    /// Why none was taken though one was offered at first.
    pub(crate) not_kept: Option<String>,
    /// The ticket under which the command runs contained, and the agent's input with that command in it.
    pub(crate) rewritten: Option<(Ticket, Value)>,
    /// The same for a command that runs without bounds, and what it prints is looked through for secrets.
    pub(crate) filtered: Option<(Ticket, Value)>,
}

impl Made {
    pub(crate) fn of(verdict: Verdict) -> Self {
        Self { verdict, heard: None, taken: None, not_kept: None, rewritten: None, filtered: None }
    }

    /// Whether all that the verdict depends on was done.
    pub(crate) fn kept_what_the_verdict_demands(&self) -> bool {
        (!self.verdict.snapshot() || self.taken.is_some())
            && (!self.verdict.contained() || self.rewritten.is_some())
    }

    /// The input that the agent runs instead, if it was rewritten.
    pub(crate) fn input(&self) -> Option<Value> {
        self.ticket().map(|(_, input)| input.clone())
    }

    fn ticket(&self) -> Option<&(Ticket, Value)> {
        self.rewritten.as_ref().or(self.filtered.as_ref())
    }

    /// Adds to a verdict's words what was kept, or why not.
    pub(crate) fn tell(&self, text: &mut String) {
        if let Some(words) = self.heard.as_ref().and_then(Heard::words) {
            text.insert_str(0, &format!("{words}\n"));
        }
        if let Some(taken) = &self.taken {
            text.push_str(&format!("\n  {}", words(taken)));
        }
        if let Some(why) = &self.not_kept {
            text.push_str(&format!("\n  note: {}", visible(why)));
        }
    }

    /// Adds to the record what was kept, or why not, and how it runs.
    pub(crate) fn record(&self, mut record: Record) -> Record {
        if let Some(taken) = &self.taken {
            record = record.with("undo", taken.id.as_str()).with(
                "kept",
                json!({"paths": taken.paths, "repositories": taken.repositories, "bytes": taken.bytes}),
            );
        }
        if let Some(heard) = &self.heard {
            record = record.with("approval", heard.id().to_string());
        }
        if let Some((ticket, _)) = self.ticket() {
            record = record.with("ticket", ticket.id.as_str());
        }
        match &self.not_kept {
            Some(why) => record.seal("not_kept", why.as_str()),
            None => record,
        }
    }

    /// Remembers what was conceded until the agent reports the call's end.
    pub(crate) fn remember(
        &self,
        roots: &Roots,
        context: &Context,
        call: &ToolCall,
    ) -> Result<(), SessionError> {
        let conceded = Conceded {
            snapshot: self.taken.as_ref().map(|t| t.id.clone()),
            ticket: self.ticket().map(|(t, _)| t.id.clone()),
        };
        if conceded == Conceded::default() { Ok(()) } else { conceded.keep(roots, context, call) }
    }
}

impl Guard<'_> {
    /// Whether this call can run contained: a shell command of an agent that lets it be rewritten, in a project that
    /// does not hold the home, on a machine with a sandbox.
    pub(crate) fn can_contain(&self, report: &Report, call: &ToolCall, workspace: &AbsPath) -> bool {
        let Tool::Shell { command, .. } = &call.tool else { return false };
        if self.roots.program.is_none() || report.with_command(command).is_none() {
            return false;
        }
        let workspace = follow(workspace).path;
        let state = self.roots.state.to_str().and_then(|s| AbsPath::parse(s).ok());
        let wide = [self.roots.home.clone(), state].into_iter().flatten();
        let wide = wide.map(|p| follow(&p).path).any(|p| p.is_under(&workspace));
        !wide && follow(&call.cwd).path.is_under(&workspace) && (self.sandbox)()
    }

    /// Rewrites the command so that Ambit runs it under a ticket of its own: contained, or `open`, without bounds.
    pub(crate) fn rewrite(
        &self,
        report: &Report,
        call: &ToolCall,
        workspace: &AbsPath,
        (open, lent): (bool, Vec<Loan>),
    ) -> Result<Option<(Ticket, Value)>, SessionError> {
        let Some(program) = &self.roots.program else { return Ok(None) };
        let id = name(&report.context, call, "ticket", self.now);
        let ticket = Ticket::issue(self.roots, &report.context, call, workspace, (id, open, lent), self.now)?;
        Ok(ticket.and_then(|ticket| {
            let input = report.with_command(&rewritten(program, &ticket))?;
            Some((ticket, input))
        }))
    }

    /// After a call: notes what it left, and tells the agent what was withheld from a contained command.
    pub(crate) fn after_concessions(
        &self,
        context: &Context,
        call: &ToolCall,
        outcome: &Outcome,
    ) -> Result<Answer, GuardError> {
        let pass = Answer::Pass { notice: None };
        let Some(conceded) = Conceded::take(self.roots, context, call)? else { return Ok(pass) };
        let noted = conceded.snapshot.as_deref().map_or(Ok(()), |id| settle(self.roots, id));
        let told = match &conceded.ticket {
            // Of a command without bounds nothing was withheld.
            Some(id) if Ticket::read(&self.roots.state, id).is_some_and(|t| t.open) => None,
            Some(id) => withheld::words(self.roots, call, id, outcome),
            None => None,
        };
        if let Some(ticket) = &conceded.ticket {
            Ticket::forget(&self.roots.state, ticket);
        }
        Ok(match (told, noted) {
            (Some(context), _) => Answer::Tell { context },
            (None, Err(e)) => Answer::Pass { notice: Some(format!("Ambit: {e}")) },
            (None, Ok(())) => pass,
        })
    }
}

/// A name of 12 hexadecimal digits that no other snapshot or ticket has.
fn name(context: &Context, call: &ToolCall, what: &str, now: Timestamp) -> String {
    let id = call.call.as_ref().map(|c| c.0.as_str()).unwrap_or_default();
    hash_text(&format!("{what}\0{}\0{id}\0{now}", context.session.0)).chars().take(12).collect()
}

/// The words for a snapshot in a verdict's text.
fn words(taken: &Taken) -> String {
    let mut what = Vec::new();
    match taken.paths {
        0 => {}
        1 => what.push("1 path".to_owned()),
        n => what.push(format!("{n} paths")),
    }
    match taken.repositories {
        0 => {}
        1 => what.push("the state of the repository".to_owned()),
        n => what.push(format!("the state of {n} repositories")),
    }
    format!("kept: {}; the person gets it back with `ambit undo {}`", what.join(" and "), taken.id)
}
