//! Authority for a task, given before the work starts: these paths, these hosts, these programs, for so long.
//!
//! It stands in for the consent that a rule asks for, and for nothing else: what no consent permits, it does not. It
//! reaches ordinary files only, never what holds secrets or guards the agent, and no program that is not understood.

use std::collections::BTreeSet;
use std::fmt;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use model::{AbsPath, Action, Effect, NetFacts, PathClass, PathFacts, PathTarget};
use serde::{Deserialize, Serialize};

use crate::error::{ApprovalError, Result};
use crate::files;
use crate::state::LONGEST_SCOPE_S;
use crate::store::Store;

/// What a person grants for a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Only this session; any session in the workspace where it is `None`.
    pub session: Option<String>,
    /// Only sessions in this workspace.
    pub workspace: AbsPath,
    /// Files and directories that may be read, written and deleted, with all beneath them.
    pub paths: BTreeSet<AbsPath>,
    /// Hosts that may be talked to; `*.example.com` is every host beneath that one.
    pub hosts: BTreeSet<String>,
    /// Programs that may be run, by name; only those that Ambit understands.
    pub programs: BTreeSet<String>,
    /// What it is for, in the person's words.
    pub words: String,
    /// The account that grants it.
    pub account: String,
    /// As whose consent it counts: `developer`, or one group the person is in.
    pub group: String,
    /// Whether sub-agents have it too. They never have more.
    pub subagents: bool,
    /// When it was granted.
    pub from: Timestamp,
    /// When it ends, eight hours later at most.
    pub until: Timestamp,
}

/// A task's authority with its name and its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Its short name: `T3`.
    pub id: String,
    /// What was granted.
    pub task: Task,
    nonce: String,
    signature: String,
}

/// What is signed of it.
#[derive(Serialize)]
struct Signed<'a> {
    context: &'static str,
    id: &'a str,
    nonce: &'a str,
    task: &'a Task,
}

const CONTEXT: &str = "ambit approval task v1";

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut part = |name: &str, list: Vec<&str>| {
            if !list.is_empty() {
                parts.push(format!("{name} {}", list.join(", ")));
            }
        };
        part("paths", self.paths.iter().map(AbsPath::as_str).collect());
        part("hosts", self.hosts.iter().map(String::as_str).collect());
        part("programs", self.programs.iter().map(String::as_str).collect());
        f.write_str(&parts.join("; "))
    }
}

impl Task {
    /// Whether it is for this call's session at this time.
    #[must_use]
    pub fn counts(&self, session: &str, workspace: &AbsPath, subagent: bool, now: Timestamp) -> bool {
        now >= self.from
            && now < self.until
            && self.workspace == *workspace
            && self.session.as_deref().is_none_or(|only| only == session)
            && (self.subagents || !subagent)
    }

    /// Whether an effect lies within it.
    #[must_use]
    pub fn covers(&self, effect: &Effect) -> bool {
        if effect.remote.is_some() {
            return false;
        }
        match &effect.action {
            Action::Read(p) | Action::Write(p) | Action::Create(p) | Action::Delete(p) => self.path(p),
            Action::Send(n) | Action::Fetch(n) => self.host(n),
            Action::Run(run) => {
                let name = run.program.rsplit('/').next().unwrap_or_default();
                run.understood && self.programs.contains(name)
            }
            _ => false,
        }
    }

    fn path(&self, facts: &PathFacts) -> bool {
        let ordinary = matches!(facts.class, PathClass::Source | PathClass::Lockfile | PathClass::Dependency);
        let place = match &facts.target {
            PathTarget::Known(path) => path,
            PathTarget::Under { base, may_escape: false, .. } => base,
            PathTarget::Under { .. } | PathTarget::Unknown(_) => return false,
        };
        ordinary && self.paths.iter().any(|granted| place.is_under(granted))
    }

    fn host(&self, facts: &NetFacts) -> bool {
        let host = facts.host.to_lowercase();
        let named = |granted: &String| {
            let granted = granted.to_lowercase();
            match granted.strip_prefix("*.") {
                Some(above) => host.strip_suffix(above).is_some_and(|rest| rest.ends_with('.')),
                None => host == granted,
            }
        };
        !host.is_empty() && !facts.carries_sensitive && self.hosts.iter().any(named)
    }
}

impl Store {
    /// Grants a task its authority.
    ///
    /// # Errors
    /// [`ApprovalError::BadScope`] when it has no end within eight hours or grants nothing or everything.
    pub fn grant(&self, task: Task) -> Result<Granted> {
        let bad = |why: &str| Err(ApprovalError::BadScope { id: "the task".to_owned(), why: why.to_owned() });
        let lasts = task.until.duration_since(task.from).as_secs();
        if lasts <= 0 || lasts > LONGEST_SCOPE_S {
            return bad("it must end, within eight hours; what is to last is a rule, which can be reviewed");
        }
        if task.paths.is_empty() && task.hosts.is_empty() && task.programs.is_empty() {
            return bad("it names no path, host or program");
        }
        if task.paths.contains(&AbsPath::root())
            || task.hosts.iter().any(|h| h.trim_matches(['*', '.']).is_empty())
        {
            return bad("the root of all files and every host are more than a task needs");
        }
        files::make_dir(&self.tasks)?;
        let mut nonce = [0_u8; 16];
        getrandom::fill(&mut nonce).map_err(ApprovalError::Random)?;
        let nonce = HEXLOWER.encode(&nonce);
        let mut number = self.task_numbers()?.into_iter().max().unwrap_or(0);
        for _ in 0..1024 {
            number += 1;
            let id = format!("T{number}");
            let signature =
                self.key.sign(&Signed { context: CONTEXT, id: &id, nonce: &nonce, task: &task })?;
            let granted = Granted { id, task: task.clone(), nonce: nonce.clone(), signature };
            let bytes = serde_json::to_vec(&granted).map_err(ApprovalError::Canonical)?;
            if files::create_whole(&self.tasks, &format!("{}.json", granted.id), &bytes)? {
                return Ok(granted);
            }
        }
        Err(ApprovalError::Contended { id: format!("T{number}") })
    }

    fn task_numbers(&self) -> Result<Vec<u64>> {
        let number = |name: &String| name.strip_prefix('T')?.strip_suffix(".json")?.parse().ok();
        Ok(files::names(&self.tasks)?.iter().filter_map(number).collect())
    }

    /// Takes a task's authority back. `false` when it was taken back before.
    ///
    /// # Errors
    /// [`ApprovalError::BadId`] for a name that is none; when it cannot be written.
    pub fn revoke(&self, id: &str) -> Result<bool> {
        let number = id.strip_prefix(['T', 't']).and_then(|n| n.parse::<u64>().ok());
        let number = number.filter(|_| id.len() < 20).ok_or_else(|| ApprovalError::BadId(id.to_owned()))?;
        if !self.task_numbers()?.contains(&number) {
            return Err(ApprovalError::Unknown(id.to_owned()));
        }
        files::create_whole(&self.tasks, &format!("T{number}.revoked"), b"")
    }

    /// What was granted and not taken back, with valid signatures, oldest first. Whether it counts for a call,
    /// [`Task::counts`] tells.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn granted(&self) -> Result<Vec<Granted>> {
        let mut numbers = self.task_numbers()?;
        numbers.sort_unstable();
        let mut found = Vec::new();
        for number in numbers {
            if files::read(&self.tasks.join(format!("T{number}.revoked")))?.is_some() {
                continue;
            }
            let Some(bytes) = files::read(&self.tasks.join(format!("T{number}.json")))? else { continue };
            let Ok(granted) = serde_json::from_slice::<Granted>(&bytes) else { continue };
            let signed =
                Signed { context: CONTEXT, id: &granted.id, nonce: &granted.nonce, task: &granted.task };
            if granted.id == format!("T{number}") && self.key.holds(&signed, &granted.signature)? {
                found.push(granted);
            }
        }
        Ok(found)
    }
}
