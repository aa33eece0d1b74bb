//! `ambit approvals stats`: how well asking works, from the record.

use super::super::story::{Clock, Opened, end_of, parse_when, span_words};
use crate::environment;
use crate::output::style::{self, paint};
use crate::output::{complain, line};
use anyhow::{Context as _, Result};
use approvals::measure::{Asked, MOST_IN_100, Measures, measure};
use ledger::{Kind, Query, Reader};
use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;

/// `ambit approvals stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only what was recorded since: a date, a time, or `2h`, `3d`, `yesterday`
    #[arg(long, value_name = "WHEN", default_value = "30d")]
    since: String,
    /// Only what was recorded before
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let clock = Clock::system();
    let reader = Reader::open(&environment::roots()?.state);
    let query = Query {
        kinds: vec![Kind::DECISION, Kind::APPROVAL_ASKED, Kind::APPROVAL_DECIDED],
        since: Some(parse_when(&args.since, &clock).context("--since")?),
        until: args.until.as_deref().map(|w| end_of(w, &clock)).transpose().context("--until")?,
        ..Query::default()
    };
    let (calls, asked) = gathered(&reader, query)?;
    let found = measure(&calls, &asked);
    if args.json {
        let mut value = serde_json::to_value(&found)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("findings".to_owned(), serde_json::to_value(found.findings())?);
        }
        line(value.to_string());
    } else {
        tell(&found);
    }
    Ok(ExitCode::SUCCESS)
}

fn gathered(reader: &Reader, query: Query) -> Result<(BTreeMap<String, u64>, Vec<Asked>)> {
    let mut calls: BTreeMap<String, u64> = BTreeMap::new();
    let mut asked: Vec<Asked> = Vec::new();
    // Questions by their request, or, of records without one, by their call.
    let mut places: HashMap<String, usize> = HashMap::new();
    for hit in reader.find(query)? {
        let (entry, record) = hit?;
        let session = record.session.clone().unwrap_or_default();
        let key = record
            .text("approval")
            .map(str::to_owned)
            .or_else(|| record.call.as_ref().map(|call| format!("{session}\0{call}")));
        if record.kind == Kind::DECISION {
            *calls.entry(session).or_default() += 1;
        } else if record.kind == Kind::APPROVAL_ASKED {
            let letters = record.number("letters").unwrap_or(0);
            let rule = record.text("rule").unwrap_or_default().to_owned();
            let at = record.at;
            let opened = Opened::new(reader, &entry, record);
            let title = opened.sealed("title").and_then(|t| t.as_str()).unwrap_or_default().to_owned();
            if let Some(key) = key {
                places.entry(key).or_insert(asked.len());
            }
            asked.push(Asked { session, at, rule, title, letters, ..Asked::default() });
        } else if let Some(question) = key.and_then(|k| places.get(&k)).and_then(|at| asked.get_mut(*at)) {
            question.agreed = match record.text("decision") {
                Some("approve") => Some(true),
                Some("deny") => Some(false),
                _ => question.agreed,
            };
            question.decided = Some(record.at);
            question.looked_ms = record.number("looked_ms");
            question.by = record.subject.clone();
        }
    }
    Ok((calls, asked))
}

fn tell(found: &Measures) {
    let row = |name: &str, text: String| line(format!("{:<28}{text}", name));
    row("calls judged", found.calls.to_string());
    row("questions", format!("{} in {} sessions", found.questions, found.sessions));
    let many = format!("{:.1}", found.in_100_calls);
    let look = if found.in_100_calls > MOST_IN_100 { style::BAD } else { style::GOOD };
    row("questions in 100 calls", format!("{} (at most {MOST_IN_100}; under 3 is good)", paint(look, &many)));
    row("questions a session", format!("{:.1} in the middle", found.a_session));
    row("decided", format!("{}, agreed to {:.0} %", found.decided, found.agreed_share * 100.0));
    row("time to a decision", span_words(found.decision_ms));
    row("agreed to unread", found.unread.to_string());
    let findings = found.findings();
    if findings.is_empty() {
        complain("nothing stands out");
    }
    for finding in findings {
        line(format!("{} {finding}", paint(style::WARNING, "!")));
    }
}
