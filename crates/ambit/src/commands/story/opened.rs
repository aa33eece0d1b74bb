//! A record with its sealed values opened, and how it reads.

use super::text::{one_line, short_id};
use super::when::span_words;
use ledger::{Entry, Kind, Reader, Sealed, Stored};
use model::VerdictKind;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What stands for a value that is gone.
pub(crate) const ERASED: &str = "(erased)";
/// What stands for a value that is not the one that was recorded.
const CHANGED: &str = "(cannot be trusted: run ambit verify)";

/// A record with its sealed values.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    /// The record.
    pub(crate) record: Stored,
    sealed: BTreeMap<String, Sealed>,
    /// Why the sealed values cannot be shown, if they cannot.
    trouble: Option<String>,
}

/// One effect of a decision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EffectView<'a> {
    /// Its kind, as recorded.
    pub(crate) kind: &'a str,
    /// What it would be done to; `None` when erased.
    pub(crate) target: Option<&'a str>,
}

/// The verdict with this word.
pub(crate) fn verdict_kind(word: &str) -> Option<VerdictKind> {
    [VerdictKind::Allow, VerdictKind::Contain, VerdictKind::Ask, VerdictKind::Deny]
        .into_iter()
        .find(|v| v.word() == word)
}

impl Opened {
    /// Opens the sealed values of a record.
    pub(crate) fn new(reader: &Reader, entry: &Entry, record: Stored) -> Self {
        match reader.sealed(entry) {
            Ok(sealed) => Self { record, sealed, trouble: None },
            Err(e) => Self { record, sealed: BTreeMap::new(), trouble: Some(e.to_string()) },
        }
    }

    /// A sealed value, if it is there.
    pub(crate) fn sealed(&self, name: &str) -> Option<&Value> {
        match self.sealed.get(name)? {
            Sealed::Value(value) => Some(value),
            Sealed::Erased => None,
        }
    }

    /// A sealed text on one line, or what stands for it; `None` when the record never had it.
    pub(crate) fn shown(&self, name: &str) -> Option<String> {
        if !self.record.sealed.contains_key(name) {
            return None;
        }
        if self.trouble.is_some() {
            return Some(CHANGED.to_owned());
        }
        Some(match self.sealed(name) {
            Some(Value::String(text)) => one_line(text),
            Some(other) => one_line(&other.to_string()),
            None => ERASED.to_owned(),
        })
    }

    /// What was answered to the agent.
    pub(crate) fn verdict(&self) -> Option<VerdictKind> {
        verdict_kind(self.record.text("verdict")?)
    }

    /// What policy said, where something else was answered.
    pub(crate) fn would(&self) -> Option<VerdictKind> {
        verdict_kind(self.record.text("would")?)
    }

    /// A clear text on one line; empty when it is not there.
    pub(crate) fn clear(&self, name: &str) -> String {
        self.record.text(name).map(one_line).unwrap_or_default()
    }

    /// The effects of a decision.
    pub(crate) fn effects(&self) -> impl Iterator<Item = EffectView<'_>> {
        let targets = self.sealed("targets").and_then(Value::as_array);
        let list = self.record.what.get("effects").and_then(Value::as_array);
        list.into_iter().flatten().enumerate().map(move |(at, effect)| {
            let word = |name: &str| effect.get(name).and_then(Value::as_str).unwrap_or("");
            let target = targets.and_then(|t| t.get(at)).and_then(Value::as_str);
            EffectView { kind: word("kind"), target }
        })
    }

    /// The kinds of the effects, each once.
    pub(crate) fn effect_words(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        for effect in self.effects() {
            let word = one_line(effect.kind);
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(", ")
    }

    /// What a call was about: its command, path, URL …
    pub(crate) fn subject(&self) -> String {
        if self.sealed("input").is_none() {
            return self.shown("input").unwrap_or_default();
        }
        let word = |name: &str| self.sealed("input").and_then(|i| i.get(name)).and_then(Value::as_str);
        let whole = match (word("server"), word("name")) {
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
        };
        one_line(&whole)
    }

    /// How a call ended, from its outcome: `ok`, `failed`, `interrupted`, with the time where it is known.
    pub(crate) fn ending(&self) -> String {
        let is = |name: &str| self.record.what.get(name).and_then(Value::as_bool).unwrap_or(false);
        let word = match (is("interrupted"), is("ok")) {
            (true, _) => "interrupted",
            (false, true) => "ok",
            (false, false) => "failed",
        };
        match self.record.number("millis") {
            Some(millis) => format!("{word} {}", span_words(millis)),
            None => word.to_owned(),
        }
    }

    /// The record's own word for a listing, and what it says, for everything that is no decision.
    pub(crate) fn summary(&self) -> (&'static str, String) {
        let sealed = |name: &str| self.shown(name).unwrap_or_default();
        let kind = &self.record.kind;
        if *kind == Kind::OUTCOME {
            let error = self.shown("error").map(|e| format!(": {e}")).unwrap_or_default();
            ("ran", format!("{}{error}", self.ending()))
        } else if *kind == Kind::PROMPT {
            ("prompt", sealed("text"))
        } else if *kind == Kind::SESSION_START {
            ("begin", format!("{} ({}, {})", sealed("workspace"), self.clear("mode"), self.clear("source")))
        } else if *kind == Kind::SESSION_END {
            ("end", self.clear("reason"))
        } else if *kind == Kind::APPROVAL_ASKED {
            ("asking", format!("the person is asked by {}", self.clear("channel")))
        } else if *kind == Kind::APPROVAL_DECIDED {
            let decided = if self.record.text("decision") == Some("approve") { "agreed" } else { "refused" };
            (decided, format!("by {} in {}", sealed("person"), self.clear("channel")))
        } else if *kind == Kind::CONFIG_CHANGED {
            ("config", format!("{} settings changed: {}", self.clear("source"), sealed("path")))
        } else if *kind == Kind::POLICY_CHANGED {
            ("policy", format!("other rules are in force: {}", short_id(&self.clear("policy"))))
        } else if *kind == Kind::POLICY_BROKEN {
            ("broken", format!("the policy cannot be used, the last good one stays: {}", sealed("why")))
        } else if *kind == Kind::SUBAGENT_START {
            ("begin", format!("sub-agent {} {}", short_id(&self.clear("subagent")), self.clear("type")))
        } else if *kind == Kind::SUBAGENT_END {
            ("end", format!("sub-agent {}", short_id(&self.clear("subagent"))))
        } else if *kind == Kind::LEDGER_CREATED {
            ("ledger", format!("begun as {}", self.clear("origin")))
        } else if *kind == Kind::LEDGER_TORN {
            ("ledger", self.clear("why"))
        } else if *kind == Kind::LEDGER_ERASED {
            let index = self.record.number("index").unwrap_or_default();
            ("erased", format!("`{}` of record {index}: {}", self.clear("field"), self.clear("reason")))
        } else if *kind == Kind::KEY_ROTATED {
            ("key", format!("epoch {} begins", self.record.number("epoch").unwrap_or_default()))
        } else {
            let mut all = self.record.what.clone();
            for name in self.record.sealed.keys() {
                all.insert(name.clone(), self.shown(name).unwrap_or_default().into());
            }
            let word = if *kind == Kind::GUARD_FAILED { "failed" } else { "other" };
            (word, format!("{kind} {}", one_line(&Value::Object(all).to_string())))
        }
    }

    /// The record as JSON: the envelope, `what` as it is, the sealed values that are there in `sealed`, and the names of
    /// those that are gone in `erased`.
    pub(crate) fn json(&self) -> Value {
        let record = &self.record;
        let mut out = Map::new();
        out.insert("index".to_owned(), record.index.into());
        out.insert("at".to_owned(), ledger::format_time(record.at).into());
        out.insert("kind".to_owned(), record.kind.as_str().into());
        for (name, word) in [
            ("agent", &record.agent),
            ("session", &record.session),
            ("call", &record.call),
            ("subject", &record.subject),
        ] {
            if let Some(word) = word {
                out.insert(name.to_owned(), word.as_str().into());
            }
        }
        out.insert("what".to_owned(), Value::Object(record.what.clone()));
        let values = self.sealed.keys().filter_map(|n| Some((n.clone(), self.sealed(n)?.clone())));
        out.insert("sealed".to_owned(), Value::Object(values.collect()));
        let gone: Vec<&String> = self.sealed.keys().filter(|n| self.sealed(n).is_none()).collect();
        if !gone.is_empty() {
            out.insert("erased".to_owned(), json!(gone));
        }
        if let Some(trouble) = &self.trouble {
            out.insert("unreadable".to_owned(), trouble.as_str().into());
        }
        Value::Object(out)
    }
}
