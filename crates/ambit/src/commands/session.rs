//! `ambit session`: which sessions there were, and what happened in one.

use super::story::{
    Clock, Totals, end_of, find_session, fit, fitted, gather, one_line, parse_when, short_id, span_words,
    state, tell, verdict_kind, width,
};
use crate::environment;
use crate::output::style::{self, paint};
use crate::output::{complain, line};
use anyhow::Result;
use jiff::Timestamp;
use ledger::{Entry, Kind, LedgerError, Reader, Stored};
use std::collections::HashMap;
use std::process::ExitCode;

/// `ambit session`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List sessions, newest last
    List(List),
    /// Tell what happened in a session
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct List {
    /// How many, the newest ones; 0 for all
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: usize,
    /// Only what was recorded since: a date, a time, or `2h`, `3d`, `yesterday`
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only what was recorded before
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The session: its identifier, the beginning of it, or `last`
    #[arg(default_value = "last")]
    session: String,
    /// The whole story as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let reader = Reader::open(&environment::roots()?.state);
    let clock = Clock::system();
    match args.what {
        What::List(args) => list(&reader, &clock, &args),
        What::Show(args) => {
            let story = gather(&reader, &find_session(&reader, &args.session)?)?;
            if args.json {
                line(story.json(clock.now).to_string());
            } else {
                tell(&story, &clock, &mut line);
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What is known of a session while its records are gone through from the last to the first.
#[derive(Debug, Default)]
struct Row {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    ended: bool,
    begun: bool,
    totals: Totals,
    agent: Option<String>,
    subject: Option<String>,
    /// A record with the person's name and one with the workspace.
    named: Option<Entry>,
    start: Option<Entry>,
}

impl Row {
    fn add(&mut self, entry: &Entry, record: &Stored) {
        if self.last.is_none() {
            self.ended = record.kind == Kind::SESSION_END;
        }
        self.first = Some(self.first.map_or(record.at, |at| at.min(record.at)));
        self.last = Some(self.last.map_or(record.at, |at| at.max(record.at)));
        if let Some(verdict) =
            record.text("verdict").filter(|_| record.kind == Kind::DECISION).and_then(verdict_kind)
        {
            self.totals.count(verdict);
        }
        self.agent = self.agent.take().or_else(|| record.agent.clone());
        self.subject = self.subject.take().or_else(|| record.subject.clone());
        if self.named.is_none() && record.sealed.contains_key("person") {
            self.named = Some(entry.clone());
        }
        if record.kind == Kind::SESSION_START {
            self.start = Some(entry.clone());
            self.begun = matches!(record.text("source"), Some("startup" | "clear"));
        }
    }
}

/// Goes back until the newest `limit` sessions are whole: with their beginning found and another one before them.
fn list(reader: &Reader, clock: &Clock, args: &List) -> Result<ExitCode> {
    let since = args.since.as_deref().map(|w| parse_when(w, clock)).transpose()?;
    let until = args.until.as_deref().map(|w| end_of(w, clock)).transpose()?;
    let mut entries = reader.backward()?;
    if let Some(since) = since {
        entries = entries.since(since);
    }
    let mut rows: Vec<(String, Row)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for entry in entries {
        let (entry, record) = match entry.and_then(|e| e.record().map(|r| (e, r))) {
            Ok(found) => found,
            Err(e @ (LedgerError::Corrupt { .. } | LedgerError::Canonical { .. })) => {
                complain(format!("{} {e}", paint(style::BAD, "damaged:")));
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        let Some(id) = record.session.clone() else { continue };
        if since.is_some_and(|t| record.at < t) || until.is_some_and(|t| record.at >= t) {
            continue;
        }
        let place = match places.get(&id) {
            Some(place) => *place,
            None if args.limit > 0 && rows.len() >= args.limit => {
                if rows.iter().all(|(_, row)| row.begun) {
                    break;
                }
                continue;
            }
            None => {
                places.insert(id.clone(), rows.len());
                rows.push((id, Row::default()));
                rows.len() - 1
            }
        };
        if let Some((_, row)) = rows.get_mut(place) {
            row.add(&entry, &record);
        }
    }
    if rows.is_empty() {
        complain("no session is recorded there; `ambit doctor` tells whether the guard is on");
        return Ok(ExitCode::SUCCESS);
    }
    if !args.json {
        line(paint(style::FAINT, heading(width()).trim_end()));
    }
    for (id, row) in rows.iter().rev() {
        line(if args.json { json_row(reader, clock, id, row) } else { text_row(reader, clock, id, row) });
    }
    Ok(ExitCode::SUCCESS)
}

fn opened(reader: &Reader, entry: Option<&Entry>, name: &str) -> Option<String> {
    let entry = entry?;
    super::story::Opened::new(reader, entry, entry.record().ok()?).shown(name)
}

/// Columns left for the workspace.
fn workspace_room(width: usize) -> usize {
    width.saturating_sub(87).max(12)
}

fn heading(width: usize) -> String {
    let room = workspace_room(width);
    format!(
        "{:<10}{:<18}{:<7}{:<9}{:<13}{:<9}{:<room$} {:>5} {:>4} {:>4} {:>4}",
        "session", "start", "state", "time", "agent", "person", "workspace", "free", "cont", "ask", "deny"
    )
}

fn text_row(reader: &Reader, clock: &Clock, id: &str, row: &Row) -> String {
    let room = workspace_room(width());
    let state = state(row.ended, row.last, clock.now);
    let long = match (row.first, row.last) {
        (Some(first), Some(last)) => {
            span_words(u64::try_from(last.duration_since(first).as_millis()).unwrap_or(0))
        }
        _ => String::new(),
    };
    let long = long.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let person = opened(reader, row.named.as_ref(), "person").unwrap_or_default();
    let workspace = opened(reader, row.start.as_ref(), "workspace").unwrap_or_default();
    let number = |count: u64, width: usize, look| {
        let text = format!("{count:>width$}");
        if count == 0 { paint(style::FAINT, &text) } else { paint(look, &text) }
    };
    let totals = &row.totals;
    let state_look = if state == "live" { style::GOOD } else { style::FAINT };
    format!(
        "{}  {}{}{}{}{}{} {} {} {} {}",
        paint(style::STRONG, &fitted(&short_id(id), 8)),
        fitted(&row.first.map(|t| clock.minute(t)).unwrap_or_default(), 18),
        paint(state_look, &fitted(state, 7)),
        fitted(&long, 9),
        fitted(&row.agent.as_deref().map(one_line).unwrap_or_default(), 13),
        fitted(&fit(&person, 8), 9),
        fitted(&fit(&workspace, room), room),
        number(totals.free, 5, style::STRONG),
        number(totals.contained, 4, style::verdict(model::VerdictKind::Contain)),
        number(totals.asked, 4, style::verdict(model::VerdictKind::Ask)),
        number(totals.denied, 4, style::verdict(model::VerdictKind::Deny)),
    )
}

fn json_row(reader: &Reader, clock: &Clock, id: &str, row: &Row) -> String {
    let time = |at: Option<Timestamp>| at.map(ledger::format_time);
    serde_json::json!({
        "session": id,
        "state": state(row.ended, row.last, clock.now),
        "start": time(row.first),
        "last": time(row.last),
        "agent": row.agent.as_deref().map(one_line),
        "subject": row.subject,
        "person": opened(reader, row.named.as_ref(), "person"),
        "workspace": opened(reader, row.start.as_ref(), "workspace"),
        "totals": row.totals.json(),
    })
    .to_string()
}
