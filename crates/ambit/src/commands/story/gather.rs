//! A session's records put together: each call with its decision, its approvals and its outcome.

use super::opened::Opened;
use anyhow::{Result, bail};
use jiff::Timestamp;
use ledger::{Kind, LedgerError, Query, Reader, Stored};
use model::VerdictKind;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// One call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    /// What was decided before it.
    pub(crate) decision: Option<Opened>,
    /// What became of it.
    pub(crate) outcome: Option<Opened>,
    /// Who agreed or refused.
    pub(crate) approval: Option<Opened>,
}

/// What happened, in order.
#[derive(Debug, Clone)]
pub(crate) enum Moment {
    /// A call.
    Call(Box<Call>),
    /// Anything else.
    Record(Box<Opened>),
}

/// How many calls of each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Ran freely.
    pub(crate) free: u64,
    /// Ran contained.
    pub(crate) contained: u64,
    /// A person was asked.
    pub(crate) asked: u64,
    /// Did not run.
    pub(crate) denied: u64,
}

impl Totals {
    /// Counts one.
    pub(crate) fn count(&mut self, verdict: VerdictKind) {
        match verdict {
            VerdictKind::Allow => self.free += 1,
            VerdictKind::Contain => self.contained += 1,
            VerdictKind::Ask => self.asked += 1,
            VerdictKind::Deny => self.denied += 1,
        }
    }

    /// All calls.
    pub(crate) fn calls(&self) -> u64 {
        self.free + self.contained + self.asked + self.denied
    }

    /// Questions per 100 calls, to one decimal.
    pub(crate) fn questions(&self) -> String {
        let tenths = (self.asked * 1000 + self.calls() / 2).checked_div(self.calls()).unwrap_or(0);
        format!("{}.{}", tenths / 10, tenths % 10)
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({"calls": self.calls(), "free": self.free, "contained": self.contained, "asked": self.asked, "denied": self.denied})
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} free, {} contained, {} asked, {} denied",
            self.free, self.contained, self.asked, self.denied
        )
    }
}

/// A session, whole.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    /// Its identifier.
    pub(crate) id: String,
    /// What happened.
    pub(crate) moments: Vec<Moment>,
    /// By what was answered.
    pub(crate) applied: Totals,
    /// By what policy said: differs in observe mode, and where nobody may answer a question.
    pub(crate) judged: Totals,
    /// First and last time.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
    /// Whether its end was recorded, with nothing after it.
    pub(crate) ended: bool,
}

/// The identifier that a person means by `wanted`: the whole, its beginning, or `last`.
pub(crate) fn find_session(reader: &Reader, wanted: &str) -> Result<String> {
    if wanted == "last" {
        for entry in reader.backward()? {
            match entry.and_then(|e| e.record()) {
                Ok(Stored { session: Some(id), .. }) => return Ok(id),
                Ok(_) | Err(LedgerError::Corrupt { .. } | LedgerError::Canonical { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        bail!(
            "no session is recorded yet; `ambit init` installs the guard, and the next session appears here"
        );
    }
    let needle = needle("session", wanted);
    let mut found = BTreeSet::new();
    for entry in reader.backward()? {
        let entry = match entry {
            Ok(entry) => entry,
            Err(LedgerError::Corrupt { .. }) => continue,
            Err(e) => return Err(e.into()),
        };
        if !std::str::from_utf8(entry.line()).is_ok_and(|line| line.contains(&needle)) {
            continue;
        }
        if let Ok(Stored { session: Some(id), .. }) = entry.record()
            && id.starts_with(wanted)
        {
            if id == wanted {
                return Ok(id);
            }
            found.insert(id);
        }
    }
    let mut ids = found.into_iter();
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => {
            bail!("no session begins with `{wanted}`; `ambit session list` shows those that are recorded")
        }
        (Some(one), Some(two)) => bail!("`{wanted}` could mean `{one}`, `{two}` or more; give more of it"),
    }
}

/// How a field whose value begins so looks in a record's line.
pub(crate) fn needle(field: &str, begin: &str) -> String {
    let value = Value::from(begin).to_string();
    format!("\"{field}\":{}", value.strip_suffix('"').unwrap_or(&value))
}

/// Reads a session.
pub(crate) fn gather(reader: &Reader, id: &str) -> Result<Story> {
    let mut story = Story {
        id: id.to_owned(),
        moments: Vec::new(),
        applied: Totals::default(),
        judged: Totals::default(),
        times: None,
        ended: false,
    };
    // The place of each call by its identifier; the newest one where an identifier comes twice.
    let mut places: HashMap<String, usize> = HashMap::new();
    for hit in reader.find(Query { session: Some(id.to_owned()), ..Query::default() })? {
        let (entry, record) = match hit {
            Ok(hit) => hit,
            Err(LedgerError::Corrupt { .. } | LedgerError::Canonical { .. }) => continue,
            Err(e) => return Err(e.into()),
        };
        let opened = Opened::new(reader, &entry, record);
        let (at, kind) = (opened.record.at, opened.record.kind.clone());
        story.times = Some(story.times.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        story.ended = kind == Kind::SESSION_END;
        if kind == Kind::DECISION {
            if let Some(verdict) = opened.verdict() {
                story.applied.count(verdict);
                story.judged.count(opened.would().unwrap_or(verdict));
            }
            if let Some(call) = &opened.record.call {
                places.insert(call.clone(), story.moments.len());
            }
            story.moments.push(Moment::Call(Box::new(Call { decision: Some(opened), ..Call::default() })));
            continue;
        }
        let about_call = kind == Kind::OUTCOME || kind == Kind::APPROVAL_DECIDED;
        let place = opened.record.call.as_ref().and_then(|call| places.get(call)).copied();
        match place.and_then(|at| story.moments.get_mut(at)) {
            Some(Moment::Call(call)) if about_call => {
                let slot = if kind == Kind::OUTCOME { &mut call.outcome } else { &mut call.approval };
                *slot = Some(opened);
            }
            _ if kind == Kind::OUTCOME => {
                story.moments.push(Moment::Call(Box::new(Call { outcome: Some(opened), ..Call::default() })));
            }
            _ => story.moments.push(Moment::Record(Box::new(opened))),
        }
    }
    Ok(story)
}

impl Story {
    /// The newest record that satisfies `wanted` and is no call.
    pub(crate) fn last(&self, wanted: &Kind) -> Option<&Opened> {
        self.moments.iter().rev().find_map(|moment| match moment {
            Moment::Record(record) if record.record.kind == *wanted => Some(&**record),
            _ => None,
        })
    }

    /// Any record, for what all of them say: agent, person.
    pub(crate) fn any(&self) -> Option<&Opened> {
        self.moments.iter().find_map(|moment| match moment {
            Moment::Record(record) => Some(&**record),
            Moment::Call(call) => call.decision.as_ref().or(call.outcome.as_ref()),
        })
    }

    /// `ended`, `live`, or `silent`: nothing for an hour, and no end recorded.
    pub(crate) fn state(&self, now: Timestamp) -> &'static str {
        state(self.ended, self.times.map(|(_, last)| last), now)
    }

    /// The whole story for programs.
    pub(crate) fn json(&self, now: Timestamp) -> Value {
        let moments = self.moments.iter().map(|moment| match moment {
            Moment::Record(record) => json!({"record": record.json()}),
            Moment::Call(call) => {
                let one = |part: &Option<Opened>| part.as_ref().map_or(Value::Null, Opened::json);
                json!({"decision": one(&call.decision), "approval": one(&call.approval), "outcome": one(&call.outcome)})
            }
        });
        json!({
            "session": self.id,
            "state": self.state(now),
            "start": self.times.map(|(first, _)| ledger::format_time(first)),
            "last": self.times.map(|(_, last)| ledger::format_time(last)),
            "totals": self.applied.json(),
            "judged": self.judged.json(),
            "moments": moments.collect::<Vec<_>>(),
        })
    }
}

/// The state of a session by its last record.
pub(crate) fn state(ended: bool, last: Option<Timestamp>, now: Timestamp) -> &'static str {
    match last {
        _ if ended => "ended",
        Some(last) if now.duration_since(last).as_secs() < 3600 => "live",
        _ => "silent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_per_hundred_calls() {
        assert_eq!(Totals::default().questions(), "0.0");
        assert_eq!(Totals { free: 11, asked: 2, ..Totals::default() }.questions(), "15.4");
    }

    #[test]
    fn needles_are_as_lines_write_them() {
        assert_eq!(needle("session", "7c9"), "\"session\":\"7c9");
        assert_eq!(needle("session", "a\"b"), "\"session\":\"a\\\"b");
    }
}
