//! Records in the formats that other systems take in. Each record becomes one line, so that a stream can be cut
//! anywhere and taken up again after the last record that arrived.
//!
//! Sealed values (commands, paths, prompts, names) go out only if that is asked for: what has left cannot be erased.

mod cef;
mod hec;
mod ocsf;
mod otlp;

use crate::error::Result;
use crate::opened::{Body, Opened};
use ledger::Reader;
use model::VerdictKind;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A format with the version of its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, the shape of `ambit log --json`.
    Jsonl,
    /// Open Cybersecurity Schema Framework, version [`OCSF_VERSION`].
    Ocsf,
    /// ArcSight Common Event Format, version 0 of the header (`CEF:0`).
    Cef,
    /// Events of Splunk's HTTP Event Collector.
    Hec,
    /// OpenTelemetry logs as OTLP/JSON: one `ExportLogsServiceRequest` a line.
    Otlp,
}

/// The version of OCSF whose classes and attributes are used.
pub const OCSF_VERSION: &str = ocsf::VERSION;

/// Who exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The machine's name.
    pub machine: String,
    /// Ambit's version.
    pub version: String,
    /// Whether sealed values go out too.
    pub sealed: bool,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Jsonl, Self::Ocsf, Self::Cef, Self::Hec, Self::Otlp];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Ocsf => "ocsf",
            Self::Cef => "cef",
            Self::Hec => "hec",
            Self::Otlp => "otlp",
        }
    }

    /// The format of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    /// A record as one line, without its end.
    #[must_use]
    pub fn line(self, record: &Opened, about: &About) -> String {
        let kept;
        let record = if about.sealed {
            record
        } else {
            kept = without_sealed(record);
            &kept
        };
        match self {
            Self::Jsonl => record.json().to_string(),
            Self::Ocsf => ocsf::event(record, about).to_string(),
            Self::Cef => cef::line(record, about),
            Self::Hec => hec::event(record, about).to_string(),
            Self::Otlp => otlp::request(record, about).to_string(),
        }
    }
}

/// The record with nothing in it but what stays readable for ever.
fn without_sealed(record: &Opened) -> Opened {
    Opened { body: Body { what: record.body.what.clone(), ..Body::default() }, ..record.clone() }
}

/// Reads records from `from` on and hands each to `take` as a line, until the ledger ends for now or `take` says to
/// stop. Gives back the index of the next record: what to go on from.
///
/// # Errors
/// If the ledger cannot be read. A damaged record is an error too: an export that left it out would look whole.
pub fn run(
    reader: &Reader,
    from: u64,
    format: Format,
    about: &About,
    take: &mut dyn FnMut(u64, &str) -> bool,
) -> Result<u64> {
    let mut next = from;
    for found in reader.forward_sealed(from)? {
        let (_, record, sealed) = found?;
        // A value that is not the one that was recorded is never passed on.
        let opened = Opened::new(record, Ok(if about.sealed { sealed? } else { BTreeMap::new() }));
        next = opened.index + 1;
        if !take(opened.index, &format.line(&opened, about)) {
            break;
        }
    }
    Ok(next)
}

/// How grave a record is, from 0 (nothing) to 4 (a guard that failed).
fn gravity(record: &Opened) -> u8 {
    match record.kind.as_str() {
        "guard.failed" | "ledger.torn" | "policy.broken" => 4,
        "decision" => match record.verdict() {
            Some(VerdictKind::Deny) => 3,
            Some(VerdictKind::Ask) => 2,
            Some(VerdictKind::Contain) => 1,
            _ => 0,
        },
        "approval.decided" | "config.changed" | "policy.changed" | "key.rotated" | "ledger.erased" => 2,
        "approval.asked" => 1,
        _ => 0,
    }
}

/// What the record says in one line: its own words where they went out, else its kind and verdict.
fn message(record: &Opened) -> String {
    let (_, text) = record.summary();
    if !text.is_empty() {
        return text;
    }
    let mut words = record.kind.to_string();
    for name in ["verdict", "tool", "rule"] {
        if !record.clear(name).is_empty() {
            words.push(' ');
            words.push_str(record.clear(name));
        }
    }
    words
}

/// The fields of a record under `ambit.`, flat: what has no place of its own in a format.
fn unmapped(record: &Opened) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("ambit.index".to_owned(), record.index.into());
    out.insert("ambit.kind".to_owned(), record.kind.as_str().into());
    for (name, value) in record.body.what.iter().chain(&record.body.sealed) {
        out.insert(format!("ambit.{name}"), value.clone());
    }
    out
}

#[cfg(test)]
mod tests;
