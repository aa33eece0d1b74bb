//! What a record becomes in the index, and sessions as they are read from it.

use crate::opened::{Body, Opened};
use crate::words::{fit, one_line};
use jiff::Timestamp;
use ledger::Kind;
use model::VerdictKind;
use serde_json::Value;
use sqlx::Row as _;
use std::collections::HashMap;

/// Longest title, in characters.
const TITLE: usize = 400;

/// A row of `record`.
#[derive(Debug)]
pub(crate) struct RecordRow {
    pub(crate) opened: Opened,
    pub(crate) title: String,
    pub(crate) search: String,
    pub(crate) body: String,
}

/// A text, or nothing where it is empty.
pub(crate) fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

impl RecordRow {
    pub(crate) fn new(opened: Opened) -> Self {
        let title = fit(&opened.summary().1, TITLE);
        let search = opened.search_text();
        let body = serde_json::to_string(&opened.body).unwrap_or_else(|_| "{\"what\":{}}".to_owned());
        Self { opened, title, search, body }
    }

    /// What was answered to a call; of records about calls only.
    pub(crate) fn verdict(&self) -> Option<&str> {
        some(self.opened.clear("verdict")).filter(|_| self.opened.kind == Kind::DECISION)
    }

    /// What policy said of a call, where something else was answered.
    pub(crate) fn judged(&self) -> Option<&str> {
        some(self.opened.clear("would")).filter(|_| self.opened.kind == Kind::DECISION)
    }
}

/// What a batch adds to the tally: hour, what, name → count.
pub(crate) fn tally(rows: &[RecordRow]) -> HashMap<(i64, &'static str, String), i64> {
    let mut out = HashMap::new();
    for row in rows {
        let opened = &row.opened;
        let hour = opened.at.as_second().div_euclid(3600);
        let mut add = |what, name: &str| *out.entry((hour, what, name.to_owned())).or_insert(0) += 1;
        if let Some(verdict) = row.verdict() {
            add("verdict", verdict);
            if opened.would().or(opened.verdict()) >= Some(VerdictKind::Ask) {
                add("stopped", opened.clear("rule"));
            }
        }
        for effect in opened.effects() {
            add("surface", effect.surface);
            add("effect", effect.kind);
        }
    }
    out
}

/// The columns of which [`opened`] makes a record.
pub(crate) const COLUMNS: &str = "r.idx, r.at, r.kind, r.agent, r.session, r.call, r.subject, r.body";

/// A record from its row. A row that is none, which only damage brings about, becomes a record that says so.
pub(crate) fn opened(row: &sqlx::sqlite::SqliteRow) -> Result<Opened, sqlx::Error> {
    let text = |name: &str| row.try_get::<Option<String>, _>(name);
    let body: String = row.try_get("body")?;
    let body = serde_json::from_str(&body).unwrap_or_else(|e| Body {
        trouble: Some(format!("the index is damaged here ({e}); delete it, and it is built again")),
        ..Body::default()
    });
    Ok(Opened {
        index: u64::try_from(row.try_get::<i64, _>("idx")?).unwrap_or(0),
        at: time(row.try_get("at")?),
        kind: Kind::new(row.try_get::<String, _>("kind")?).unwrap_or(Kind::LEDGER_TORN),
        agent: text("agent")?,
        session: text("session")?,
        call: text("call")?,
        subject: text("subject")?,
        body,
    })
}

/// A time from its column.
pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A session as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its identifier.
    pub id: String,
    /// The agent.
    pub agent: String,
    /// The person's pseudonym.
    pub subject: String,
    /// The person's name, where it is not erased.
    pub person: String,
    /// Where it works.
    pub workspace: String,
    /// `observe` or `enforce`, as its start said.
    pub mode: String,
    /// Whether a person sits at it.
    pub attended: bool,
    /// Time of its first record.
    pub first: Timestamp,
    /// Time of its last record.
    pub last: Timestamp,
    /// Whether its end was recorded, with nothing after it.
    pub ended: bool,
    /// Number of its records.
    pub records: u64,
    /// Calls that ran freely.
    pub free: u64,
    /// Calls that ran contained.
    pub contained: u64,
    /// Calls about which a person was asked.
    pub asked: u64,
    /// Calls that were denied.
    pub denied: u64,
    /// Calls of which an outcome is recorded.
    pub ran: u64,
    /// Those of them that failed.
    pub failed: u64,
}

impl SessionRow {
    /// All calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.free + self.contained + self.asked + self.denied
    }

    /// `ended`, `live`, or `silent`: nothing for an hour, and no end recorded.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> &'static str {
        match () {
            () if self.ended => "ended",
            () if now.duration_since(self.last).as_secs() < 3600 => "live",
            () => "silent",
        }
    }

    pub(crate) fn from_row(row: &sqlx::sqlite::SqliteRow) -> Result<Self, sqlx::Error> {
        let text =
            |name: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<String>, _>(name)?.unwrap_or_default());
        let number =
            |name: &str| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or(0));
        Ok(Self {
            id: row.try_get("id")?,
            agent: text("agent")?,
            subject: text("subject")?,
            person: text("person")?,
            workspace: text("workspace")?,
            mode: text("mode")?,
            attended: row.try_get::<i64, _>("attended")? == 1,
            first: time(row.try_get("first")?),
            last: time(row.try_get("last")?),
            ended: row.try_get::<i64, _>("ended")? == 1,
            records: number("records")?,
            free: number("free")?,
            contained: number("contained")?,
            asked: number("asked")?,
            denied: number("denied")?,
            ran: number("ran")?,
            failed: number("failed")?,
        })
    }
}

/// What a batch of records changes of a session.
#[derive(Debug, Default)]
pub(crate) struct SessionChange {
    pub(crate) agent: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) person: Option<String>,
    pub(crate) workspace: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) attended: bool,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) ended: bool,
    /// Records, free, contained, asked, denied, ran, failed.
    pub(crate) counts: [i64; 7],
}

/// The changes of a batch, by session.
pub(crate) fn changes(rows: &[RecordRow]) -> HashMap<String, SessionChange> {
    let mut out: HashMap<String, SessionChange> = HashMap::new();
    for row in rows {
        let opened = &row.opened;
        let Some(session) = &opened.session else { continue };
        let at = opened.at.as_microsecond();
        let change = out.entry(session.clone()).or_insert_with(|| SessionChange {
            first: at,
            last: at,
            ..SessionChange::default()
        });
        change.first = change.first.min(at);
        change.last = change.last.max(at);
        let set = |slot: &mut Option<String>, value: Option<&str>| {
            if let Some(value) = value {
                *slot = Some(one_line(value));
            }
        };
        set(&mut change.agent, opened.agent.as_deref());
        set(&mut change.subject, opened.subject.as_deref());
        set(&mut change.person, opened.sealed("person"));
        change.ended = opened.kind == Kind::SESSION_END;
        if opened.kind == Kind::SESSION_START {
            set(&mut change.workspace, opened.sealed("workspace"));
            set(&mut change.mode, some(opened.clear("mode")));
            change.attended = opened.flag("attended").unwrap_or(false);
        }
        let [records, free, contained, asked, denied, ran, failed] = &mut change.counts;
        *records += 1;
        if opened.kind == Kind::DECISION {
            match opened.verdict() {
                Some(VerdictKind::Allow) => *free += 1,
                Some(VerdictKind::Contain) => *contained += 1,
                Some(VerdictKind::Ask) => *asked += 1,
                Some(VerdictKind::Deny) | None => *denied += 1,
            }
            // The working directory tells where a session works whose start was not seen.
            if change.workspace.is_none() && change.mode.is_none() {
                set(&mut change.mode, some(opened.clear("mode")));
            }
        } else if opened.kind == Kind::OUTCOME {
            *ran += 1;
            *failed += i64::from(opened.flag("ok") == Some(false));
        }
    }
    out
}

/// The path or host for which an effect is looked up: some targets say first what is done there (`worktree of /w`).
pub(crate) fn place(target: &str) -> &str {
    if target.starts_with('/') {
        return target;
    }
    match target.find(" /").and_then(|at| target.get(at + 1..)) {
        Some(path) => path,
        None => target,
    }
}

/// The value of a sealed field of `record.body`, for filters on it.
pub(crate) fn sealed_text<'a>(opened: &'a Opened, name: &str) -> Option<&'a str> {
    opened.body.sealed.get(name).and_then(Value::as_str)
}
