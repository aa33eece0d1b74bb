//! `ambit erase`: taking sealed values out of the record for good; what was erased, by whom and why stays in it.

use super::init::confirmed;
use super::story::{Clock, end_of, parse_when, short_id};
use crate::environment;
use crate::output::line;
use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use ledger::{Kind, Ledger, Options, Reader, Record, Sealed, Stored};
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

/// `ambit erase`. What is named together must fit together; what is erased cannot be had back.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of this session; the beginning of its identifier is enough
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Recorded since: a date, a time (RFC 3339), or `2h`, `3d`, `yesterday`
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Recorded until; a date includes that day
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Of this person: the account's name, or the beginning of the pseudonym
    #[arg(long)]
    person: Option<String>,
    /// The record with this index; can be given several times
    #[arg(long, value_name = "INDEX")]
    record: Vec<u64>,
    /// Only this sealed field (`input`, `targets`, `text`, `person` …); can be given several times
    #[arg(long, value_name = "NAME")]
    field: Vec<String>,
    /// Why; stays readable in the record for ever, so name nobody in it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Erase without asking
    #[arg(long, short)]
    yes: bool,
}

/// What is to be erased: the sealed fields by record.
type Chosen = BTreeMap<u64, Vec<String>>;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let narrowed = args.session.is_some()
        || args.since.is_some()
        || args.until.is_some()
        || args.person.is_some()
        || !args.record.is_empty();
    if !narrowed {
        bail!("name what to erase: --session, --since, --until, --person or --record");
    }
    if args.reason.trim().is_empty() {
        bail!("the reason is empty; whoever checks the record later wants to know why values are gone");
    }
    let state = environment::roots()?.state;
    let clock = Clock::system();
    let choice = Choice {
        since: args.since.as_deref().map(|w| parse_when(w, &clock)).transpose().context("--since")?,
        until: args.until.as_deref().map(|w| end_of(w, &clock)).transpose().context("--until")?,
        args,
    };
    let reader = Reader::open(&state);
    let (chosen, sessions) = choice.find(&reader)?;
    let values: usize = chosen.values().map(Vec::len).sum();
    if values == 0 {
        line("no sealed value fits; nothing to erase");
        return Ok(ExitCode::from(1));
    }
    tell(&chosen, &sessions, values);
    if !confirmed(args.yes, "erase these for good?")? {
        line("nothing was erased");
        return Ok(ExitCode::from(1));
    }
    let person = environment::person();
    let ledger = Ledger::open(&state, Options::default())?;
    for (index, fields) in &chosen {
        for field in fields {
            let by = Record::new(Kind::LEDGER_ERASED)
                .subject(person.subject.as_str())
                .seal("person", person.login.as_str());
            let _ = ledger.erase(*index, field, args.reason.trim(), by, Timestamp::now())?;
        }
    }
    line(format!("erased {values} values in {} records; `ambit verify` still holds", chosen.len()));
    line("Copies in backups, in the agent's own transcripts and in old blocks of the disk are not touched.");
    Ok(ExitCode::SUCCESS)
}

/// Says what would be erased: how many values of each field, of which sessions.
fn tell(chosen: &Chosen, sessions: &BTreeSet<String>, values: usize) {
    line(format!("{values} sealed values in {} records:", chosen.len()));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for field in chosen.values().flatten() {
        *counts.entry(field.as_str()).or_default() += 1;
    }
    for (field, count) in counts {
        line(format!("  {count:>6}  {field}"));
    }
    let named: Vec<String> = sessions.iter().map(|s| short_id(s)).collect();
    if !named.is_empty() {
        line(format!("of {} sessions: {}", named.len(), named.join(", ")));
    }
}

/// Which records are meant.
struct Choice<'a> {
    args: &'a Args,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Choice<'_> {
    /// The values that are still there and fit, and the sessions they belong to.
    fn find(&self, reader: &Reader) -> Result<(Chosen, BTreeSet<String>)> {
        let mut chosen = Chosen::new();
        let mut sessions = BTreeSet::new();
        let all = match self.since {
            Some(since) => reader.forward_since(since)?,
            None => reader.forward(0)?,
        };
        for entry in all {
            let entry =
                entry.context("the record is damaged; run `ambit verify` before anything is erased")?;
            let record = entry.record()?;
            if !self.fits(&record) {
                continue;
            }
            let sealed = reader.sealed(&entry)?;
            let person = sealed.get("person").and_then(|s| match s {
                Sealed::Value(value) => value.as_str(),
                Sealed::Erased => None,
            });
            if !self.of_person(&record, person) {
                continue;
            }
            let wanted = |name: &String| self.args.field.is_empty() || self.args.field.contains(name);
            let fields: Vec<String> = sealed
                .iter()
                .filter(|(name, value)| wanted(name) && matches!(value, Sealed::Value(_)))
                .map(|(name, _)| name.clone())
                .collect();
            if !fields.is_empty() {
                sessions.extend(record.session.clone());
                chosen.insert(record.index, fields);
            }
        }
        Ok((chosen, sessions))
    }

    fn fits(&self, record: &Stored) -> bool {
        let session = self.args.session.as_ref().is_none_or(|wanted| {
            record.session.as_ref().is_some_and(|found| found.starts_with(wanted.as_str()))
        });
        session
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
            && (self.args.record.is_empty() || self.args.record.contains(&record.index))
    }

    fn of_person(&self, record: &Stored, name: Option<&str>) -> bool {
        self.args.person.as_ref().is_none_or(|wanted| {
            name == Some(wanted.as_str())
                || record.subject.as_ref().is_some_and(|s| s.starts_with(wanted.as_str()))
        })
    }
}
