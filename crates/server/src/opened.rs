//! A record with its sealed values opened, and how it reads.

use crate::words::{one_line, span_words};
use jiff::Timestamp;
use ledger::{Entry, Kind, Reader, Sealed, Stored};
use model::VerdictKind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What stands for a value that is gone.
pub(crate) const ERASED: &str = "(erased)";
/// What stands for a value that is not the one that was recorded.
const CHANGED: &str = "(cannot be trusted: verify the record)";

/// A record with those of its sealed values that are there.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// Its position in the ledger, from 0.
    pub index: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// The agent.
    pub agent: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// The call.
    pub call: Option<String>,
    /// The person's pseudonym.
    pub subject: Option<String>,
    /// The fields.
    pub body: Body,
}

/// The fields of a record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Body {
    /// The clear ones.
    pub what: Map<String, Value>,
    /// The sealed ones that are there.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub sealed: Map<String, Value>,
    /// The names of those that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<String>,
    /// Why sealed values cannot be shown, if they cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// One effect of a decision, as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectView<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// The surface where it lands.
    pub surface: &'a str,
    /// What it would be done to; `None` when erased.
    pub target: Option<&'a str>,
    /// The verdict on it alone.
    pub verdict: &'a str,
    /// The rule that decided on it.
    pub rule: &'a str,
    /// Where in the command it stands, in bytes.
    pub span: Option<(usize, usize)>,
    /// Whether Ambit understood it.
    pub understood: bool,
}

/// The verdict with this word.
pub(crate) fn verdict_kind(word: &str) -> Option<VerdictKind> {
    [VerdictKind::Allow, VerdictKind::Contain, VerdictKind::Ask, VerdictKind::Deny]
        .into_iter()
        .find(|v| v.word() == word)
}

impl Opened {
    /// Opens a record by its reader.
    #[must_use]
    pub fn read(reader: &Reader, entry: &Entry, record: Stored) -> Self {
        let sealed = reader.sealed(entry);
        Self::new(record, sealed)
    }

    /// A record and what became of its sealed values.
    #[must_use]
    pub fn new(record: Stored, sealed: ledger::Result<BTreeMap<String, Sealed>>) -> Self {
        let mut body = Body { what: record.what, ..Body::default() };
        match sealed {
            Ok(values) => {
                for (name, value) in values {
                    match value {
                        Sealed::Value(value) => {
                            body.sealed.insert(name, value);
                        }
                        Sealed::Erased => body.erased.push(name),
                    }
                }
            }
            Err(e) => body.trouble = Some(e.to_string()),
        }
        Self {
            index: record.index,
            at: record.at,
            kind: record.kind,
            agent: record.agent,
            session: record.session,
            call: record.call,
            subject: record.subject,
            body,
        }
    }

    /// A clear field that is text; empty when it is not there.
    #[must_use]
    pub fn clear(&self, name: &str) -> &str {
        self.body.what.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A clear field that is a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.body.what.get(name)?.as_u64()
    }

    /// A clear field that is true or false.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.body.what.get(name)?.as_bool()
    }

    /// A sealed field that is there and is text.
    #[must_use]
    pub fn sealed(&self, name: &str) -> Option<&str> {
        self.body.sealed.get(name).and_then(Value::as_str)
    }

    /// A sealed field on one line, or what stands for it; `None` when the record never had it.
    pub(crate) fn shown(&self, name: &str) -> Option<String> {
        match self.body.sealed.get(name) {
            Some(Value::String(text)) => Some(one_line(text)),
            Some(other) => Some(one_line(&other.to_string())),
            None if self.body.erased.iter().any(|gone| gone == name) => Some(ERASED.to_owned()),
            None if self.body.trouble.is_some() => Some(CHANGED.to_owned()),
            None => None,
        }
    }

    /// What was answered to the agent.
    #[must_use]
    pub fn verdict(&self) -> Option<VerdictKind> {
        verdict_kind(self.clear("verdict"))
    }

    /// What policy said, where something else was answered.
    #[must_use]
    pub fn would(&self) -> Option<VerdictKind> {
        verdict_kind(self.clear("would"))
    }

    /// The effects of a decision.
    pub fn effects(&self) -> impl Iterator<Item = EffectView<'_>> {
        let targets = self.body.sealed.get("targets").and_then(Value::as_array);
        let list = self.body.what.get("effects").and_then(Value::as_array);
        list.into_iter().flatten().enumerate().map(move |(at, effect)| {
            let word = |name: &str| effect.get(name).and_then(Value::as_str).unwrap_or("");
            let place = |n: usize| {
                effect
                    .get("span")
                    .and_then(|s| s.get(n))
                    .and_then(Value::as_u64)
                    .and_then(|n| usize::try_from(n).ok())
            };
            EffectView {
                kind: word("kind"),
                surface: word("surface"),
                target: targets.and_then(|t| t.get(at)).and_then(Value::as_str),
                verdict: word("verdict"),
                rule: word("rule"),
                span: place(0).zip(place(1)),
                understood: effect.get("understood").and_then(Value::as_bool).unwrap_or(false),
            }
        })
    }

    /// What a call was about, as it was given: its command, path, URL …
    #[must_use]
    pub fn subject_text(&self) -> String {
        let Some(input) = self.body.sealed.get("input") else {
            return self.shown("input").unwrap_or_default();
        };
        let word = |name: &str| input.get(name).and_then(Value::as_str);
        match (word("server"), word("name")) {
            (Some(server), Some(name)) => format!("{server}/{name} {}", word("input").unwrap_or("")),
            (None, Some(name)) => format!("{name} {}", word("input").unwrap_or("")),
            _ => match (word("pattern"), word("path")) {
                (Some(pattern), Some(path)) => format!("{pattern} in {path}"),
                _ => ["command", "path", "pattern", "url", "query", "task"]
                    .into_iter()
                    .find_map(word)
                    .unwrap_or("")
                    .to_owned(),
            },
        }
    }

    /// How a call ended: `ok`, `failed`, `interrupted`, with the time where it is known.
    pub(crate) fn ending(&self) -> String {
        let is = |name: &str| self.flag(name).unwrap_or(false);
        let word = match (is("interrupted"), is("ok")) {
            (true, _) => "interrupted",
            (false, true) => "ok",
            (false, false) => "failed",
        };
        match self.number("millis") {
            Some(millis) => format!("{word} {}", span_words(millis)),
            None => word.to_owned(),
        }
    }

    /// A word for the record, and what it says, on one line.
    pub(crate) fn summary(&self) -> (&'static str, String) {
        let sealed = |name: &str| self.shown(name).unwrap_or_default();
        match self.kind.as_str() {
            "decision" => ("call", one_line(&self.subject_text())),
            "outcome" => {
                let error = self.shown("error").map(|e| format!(": {e}")).unwrap_or_default();
                ("ran", format!("{}{error}", self.ending()))
            }
            "prompt" => ("prompt", sealed("text")),
            "session.start" => (
                "begin",
                format!("{} ({}, {})", sealed("workspace"), self.clear("mode"), self.clear("source")),
            ),
            "session.end" => ("end", one_line(self.clear("reason"))),
            "approval.asked" => ("asking", self.asking()),
            "approval.decided" => {
                let agreed = if self.clear("decision") == "approve" { "agreed" } else { "refused" };
                (agreed, format!("by {} in {}", sealed("person"), one_line(self.clear("channel"))))
            }
            "config.changed" => {
                ("config", format!("{} settings changed: {}", one_line(self.clear("source")), sealed("path")))
            }
            "policy.changed" => {
                ("policy", format!("other rules are in force: {}", short(self.clear("policy"))))
            }
            "policy.broken" => {
                ("broken", format!("the policy cannot be used, the last good one stays: {}", sealed("why")))
            }
            "subagent.start" => (
                "begin",
                format!("sub-agent {} {}", short(self.clear("subagent")), one_line(self.clear("type"))),
            ),
            "subagent.end" => ("end", format!("sub-agent {}", short(self.clear("subagent")))),
            "ledger.created" => ("ledger", format!("begun as {}", one_line(self.clear("origin")))),
            "ledger.torn" => ("ledger", one_line(self.clear("why"))),
            "ledger.erased" => (
                "erased",
                format!(
                    "`{}` of record {}: {}",
                    one_line(self.clear("field")),
                    self.number("index").unwrap_or_default(),
                    one_line(self.clear("reason"))
                ),
            ),
            "key.rotated" => ("key", format!("epoch {} begins", self.number("epoch").unwrap_or_default())),
            other => {
                let word = match other.split('.').next() {
                    Some("console") => "console",
                    Some("guard") => "failed",
                    Some("approval") => "approval",
                    Some("snapshot") => "snapshot",
                    Some("egress") => "egress",
                    Some("secret") => "secret",
                    _ => "other",
                };
                (word, self.all_fields())
            }
        }
    }

    fn asking(&self) -> String {
        let request = self.clear("approval");
        let by = one_line(self.clear("channel"));
        if request.is_empty() {
            format!("the person is asked by {by}")
        } else {
            one_line(&format!("{request} {by}"))
        }
    }

    /// `kind: name value, name value`.
    fn all_fields(&self) -> String {
        let mut out = self.kind.as_str().to_owned();
        let clear = self.body.what.iter().map(|(name, value)| {
            (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        });
        let sealed = self.body.sealed.keys().map(|name| (name.clone(), self.shown(name).unwrap_or_default()));
        for (at, (name, value)) in clear.chain(sealed).enumerate() {
            out.push_str(if at == 0 { ": " } else { ", " });
            out.push_str(&one_line(&format!("{name} {value}")));
        }
        out
    }

    /// Everything in it that a person may look for, in lower case.
    pub(crate) fn search_text(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.body.sealed {
            if name != "person" {
                gather(value, &mut out);
            }
        }
        out.to_lowercase()
    }

    /// The record as JSON: the envelope, `what` as it is, the sealed values that are there in `sealed`, and the names of
    /// those that are gone in `erased`. The shape of `ambit log --json`.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut out = Map::new();
        out.insert("index".to_owned(), self.index.into());
        out.insert("at".to_owned(), ledger::format_time(self.at).into());
        out.insert("kind".to_owned(), self.kind.as_str().into());
        for (name, word) in [
            ("agent", &self.agent),
            ("session", &self.session),
            ("call", &self.call),
            ("subject", &self.subject),
        ] {
            if let Some(word) = word {
                out.insert(name.to_owned(), word.as_str().into());
            }
        }
        out.insert("what".to_owned(), Value::Object(self.body.what.clone()));
        out.insert("sealed".to_owned(), Value::Object(self.body.sealed.clone()));
        if !self.body.erased.is_empty() {
            out.insert("erased".to_owned(), json!(self.body.erased));
        }
        if let Some(trouble) = &self.body.trouble {
            out.insert("unreadable".to_owned(), trouble.as_str().into());
        }
        Value::Object(out)
    }
}

/// The texts of a value, one a line.
fn gather(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            out.push_str(text);
            out.push('\n');
        }
        Value::Array(list) => list.iter().for_each(|v| gather(v, out)),
        Value::Object(map) => map.values().for_each(|v| gather(v, out)),
        _ => {}
    }
}

/// The beginning of an identifier.
pub(crate) fn short(id: &str) -> String {
    one_line(id).chars().take(8).collect()
}
