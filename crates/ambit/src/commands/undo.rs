//! `ambit undo`: gives back what a call lost.

use super::story::{Clock, one_line};
use crate::environment;
use crate::output::style::{self, paint};
use crate::output::{complain, line};
use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use ledger::{Durability, Kind, Ledger, Options, Record};
use model::AbsPath;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use snapshot::{About, Entry, Git, Manifest, Retention, StepKind, Store, Undone, Wish};
use std::process::ExitCode;

/// `ambit undo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The snapshot, by its name or the beginning of it; the newest of this project without it
    #[arg(conflicts_with_all = ["list", "session", "prune"])]
    call: Option<String>,
    /// All that a session lost, the newest first: the session, the beginning of its name, or `last`
    #[arg(long, value_name = "SESSION", num_args = 0..=1, default_missing_value = "last")]
    session: Option<String>,
    /// Show what can be given back
    #[arg(long)]
    list: bool,
    /// Remove snapshots that are too old or too large together, as happens by itself after each new one
    #[arg(long)]
    prune: bool,
    /// Only say what would be given back
    #[arg(long)]
    dry_run: bool,
    /// Give back also what was changed since; what is there now is kept as a snapshot of its own
    #[arg(long)]
    force: bool,
    /// Also remove what the call made where nothing was
    #[arg(long)]
    remove_made: bool,
    /// One JSON object a snapshot
    #[arg(long)]
    json: bool,
}

/// Runs it. Exit code 1 when something was not given back.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let roots = environment::roots()?;
    let store = guard::snapshots(&roots);
    if args.list {
        return list(&store, args.json);
    }
    if args.prune {
        let removed = store.prune(Retention::default(), Timestamp::now().as_millisecond())?;
        line(format!("{removed} snapshots removed"));
        return Ok(ExitCode::SUCCESS);
    }
    refuse_agents()?;
    let chosen = chosen(&store, args)?;
    let mut whole = true;
    for (entry, manifest) in chosen {
        whole &= give_back(&store, &entry, &manifest, args)?;
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// An undo overwrites files: that is for the person, and an agent asks for it.
fn refuse_agents() -> Result<()> {
    if environment::variable(environment::CLAUDECODE).is_some() {
        bail!("`ambit undo` is for the person, not for an agent; tell the person what you want back and why");
    }
    Ok(())
}

/// The snapshots that are meant, the newest first.
fn chosen(store: &Store, args: &Args) -> Result<Vec<(Entry, Manifest)>> {
    if let Some(id) = &args.call {
        let entry = store.find(id)?;
        let manifest = store.manifest(&entry)?;
        return Ok(vec![(entry, manifest)]);
    }
    let mut all = Vec::new();
    for entry in store.list()?.into_iter().rev().filter(|e| !e.given_back()) {
        // One that is damaged does not keep the others from being found.
        match store.manifest(&entry) {
            Ok(manifest) if manifest.undoes.is_none() => all.push((entry, manifest)),
            Ok(_) => {}
            Err(e) => complain(format!("{} {e}", paint(style::WARNING, "warning:"))),
        }
    }
    if let Some(session) = &args.session {
        let last = all.first().map(|(_, m)| m.session.clone());
        let name = if session == "last" { last.unwrap_or_default() } else { session.clone() };
        all.retain(|(_, m)| !name.is_empty() && m.session.starts_with(&name));
        if let Some((_, first)) = all.first().cloned() {
            if all.iter().any(|(_, m)| m.session != first.session) {
                bail!("`{session}` could mean more than one session; give more of its name");
            }
        } else {
            bail!("nothing is kept of session `{session}`; `ambit undo --list` shows what is");
        }
        return Ok(all);
    }
    let here = environment::current_dir()?;
    let project = guard::workspace_of(&here, environment::roots()?.home.as_ref());
    let about_here = |m: &Manifest| {
        m.cwd.is_under(&project)
            || m.paths.iter().any(|k| k.path.is_under(&project))
            || m.repositories.iter().any(|r| r.root == project)
    };
    all.retain(|(_, m)| about_here(m));
    all.truncate(1);
    if all.is_empty() {
        bail!(
            "nothing is kept for `{project}` that is not given back already; `ambit undo --list` shows all there is"
        );
    }
    Ok(all)
}

fn give_back(store: &Store, entry: &Entry, manifest: &Manifest, args: &Args) -> Result<bool> {
    let now = Timestamp::now();
    let wish = Wish { over_newer: args.force, remove_made: args.remove_made, only_look: args.dry_run };
    let digest = Sha256::digest(format!("{}\0{now}\0{}", entry.id, std::process::id()));
    let aside = About {
        id: digest.iter().take(6).map(|b| format!("{b:02x}")).collect(),
        session: manifest.session.clone(),
        call: None,
        agent: manifest.agent.clone(),
        now: now.as_millisecond(),
        cwd: manifest.cwd.clone(),
        what: format!("undo of {}", entry.id),
    };
    let program = guard::git_program();
    let environment = git_environment();
    let git = program.as_deref().map(|program| Git { program, environment: &environment });
    let undone = snapshot::undo(store, entry, wish, &aside, git.as_ref())?;
    if let (Some(id), false) = (&undone.aside, args.dry_run) {
        // The aside's own note: an undo of this undo takes what is there now for its doing.
        snapshot::settle(store, &store.find(id)?)?;
    }
    if !args.dry_run {
        record(entry, &undone, now)?;
    }
    if args.json {
        line(as_json(entry, manifest, &undone).to_string());
    } else {
        tell(entry, manifest, &undone, args);
    }
    Ok(undone.whole())
}

/// What git may know of the person: where their configuration and programs are, and who they are.
fn git_environment() -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = environment::OF_GIT
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), environment::variable(name)?)))
        .collect();
    for name in ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"] {
        out.push((name.to_owned(), "Ambit".to_owned()));
    }
    for name in ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"] {
        out.push((name.to_owned(), "ambit@localhost".to_owned()));
    }
    out
}

/// That a person gave something back is in the record like everything else.
fn record(entry: &Entry, undone: &Undone, now: Timestamp) -> Result<()> {
    let roots = environment::roots()?;
    let person = environment::person();
    let count = |wanted: fn(&StepKind) -> bool| undone.steps.iter().filter(|s| wanted(&s.kind)).count();
    let mut record = Record::new(Kind::UNDO)
        .subject(person.subject)
        .seal("person", person.login)
        .with("undo", entry.id.as_str())
        .with("given_back", count(|k| *k == StepKind::GivenBack))
        .with("removed", count(|k| *k == StepKind::Removed))
        .with("left_newer", count(|k| *k == StepKind::LeftNewer))
        .with("failed", count(|k| matches!(k, StepKind::Failed(_))));
    if let Some(aside) = &undone.aside {
        record = record.with("aside", aside.as_str());
    }
    let ledger = Ledger::open(&roots.state, Options::default())?;
    let _recorded =
        ledger.append(&record, Durability::Durable, now).context("the undo could not be recorded")?;
    Ok(())
}

fn word(kind: &StepKind) -> (&'static str, anstyle::Style) {
    match kind {
        StepKind::GivenBack => ("given back", style::GOOD),
        StepKind::Removed => ("removed", style::GOOD),
        StepKind::Same => ("as it was", style::FAINT),
        StepKind::LeftMade => ("left: the call made it", style::FAINT),
        StepKind::LeftNewer => ("left: changed since", style::WARNING),
        StepKind::Failed(_) => ("failed", style::BAD),
    }
}

/// Paths told one by one.
const TOLD: usize = 40;

fn tell(entry: &Entry, manifest: &Manifest, undone: &Undone, args: &Args) {
    let title = if args.dry_run { "would be undone" } else { "undone" };
    line(format!("{} {title}: {}", paint(style::STRONG, &entry.id), one_line(&manifest.what)));
    let telling: Vec<_> =
        undone.steps.iter().filter(|s| s.kind != StepKind::Same || undone.steps.len() <= 3).collect();
    for step in telling.iter().take(TOLD) {
        let (word, style) = word(&step.kind);
        let place = AbsPath::parse(&step.what)
            .ok()
            .and_then(|p| p.relative_to(&manifest.cwd).map(ToString::to_string))
            .filter(|p| !p.is_empty())
            .unwrap_or_else(|| step.what.clone());
        let why = match &step.kind {
            StepKind::Failed(why) => format!(": {why}"),
            _ => String::new(),
        };
        line(format!("  {:<24} {}{}", paint(style, word), one_line(&place), one_line(&why)));
    }
    if telling.len() > TOLD {
        line(format!("  and {} more", telling.len() - TOLD));
    }
    if let Some(aside) = &undone.aside {
        line(format!("  what was there is kept: `ambit undo {aside}` brings it back"));
    }
    let id = &entry.id;
    if undone.steps.iter().any(|s| s.kind == StepKind::LeftNewer) {
        line(format!("  `ambit undo --force {id}` gives back those too, and keeps what is there now"));
    }
    if undone.steps.iter().any(|s| s.kind == StepKind::LeftMade) {
        line(format!("  `ambit undo --remove-made {id}` also removes what the call made"));
    }
}

fn as_json(entry: &Entry, manifest: &Manifest, undone: &Undone) -> serde_json::Value {
    let steps: Vec<_> = undone
        .steps
        .iter()
        .map(|s| {
            let why = match &s.kind {
                StepKind::Failed(why) => Some(why),
                _ => None,
            };
            json!({"what": s.what, "became": word(&s.kind).0, "why": why})
        })
        .collect();
    json!({"id": entry.id, "command": manifest.what, "whole": undone.whole(), "aside": undone.aside, "steps": steps})
}

fn list(store: &Store, as_json: bool) -> Result<ExitCode> {
    let clock = Clock::system();
    let mut none = true;
    for entry in store.list()? {
        none = false;
        let manifest = match store.manifest(&entry) {
            Ok(manifest) => manifest,
            Err(e) => {
                complain(format!("{} {e}", paint(style::WARNING, "warning:")));
                continue;
            }
        };
        if as_json {
            line(
                json!({
                    "id": entry.id, "taken": entry.taken, "bytes": entry.bytes, "session": manifest.session,
                    "call": manifest.call, "agent": manifest.agent, "command": manifest.what, "cwd": manifest.cwd,
                    "paths": manifest.paths.len(), "repositories": manifest.repositories.len(),
                    "undoes": manifest.undoes, "given_back": entry.given_back(),
                })
                .to_string(),
            );
            continue;
        }
        let when = Timestamp::from_millisecond(entry.taken).map(|t| clock.minute(t)).unwrap_or_default();
        let state = match (entry.given_back(), &manifest.undoes) {
            (true, _) => " (given back)",
            (false, Some(_)) => " (kept by an undo)",
            (false, None) => "",
        };
        line(format!(
            "{}  {when}  {:>7}  {}{}",
            paint(style::STRONG, &entry.id),
            size(entry.bytes),
            one_line(&manifest.what),
            paint(style::FAINT, state)
        ));
    }
    if none && !as_json {
        line("nothing is kept: no call has lost anything that a snapshot was taken of");
    }
    Ok(ExitCode::SUCCESS)
}

fn size(bytes: u64) -> String {
    match bytes {
        b if b < 10_000 => format!("{b} B"),
        b if b < 10_000_000 => format!("{} kB", b / 1_000),
        b => format!("{} MB", b / 1_000_000),
    }
}
