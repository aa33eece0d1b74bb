//! What is decided here goes into the ledger, as everything does.

use crate::environment;
use anyhow::Result;
use approvals::{Case, Decision, Granted};
use jiff::Timestamp;
use ledger::{Durability, Kind, Ledger, Options, Record};

fn append(record: &Record) -> Result<()> {
    let roots = environment::roots()?;
    let _recorded = Ledger::open(&roots.state, Options::default())?.append(
        record,
        Durability::Durable,
        Timestamp::now(),
    )?;
    Ok(())
}

fn begin(kind: Kind, session: Option<&str>) -> Record {
    let person = environment::person();
    let record = Record::new(kind).subject(person.subject).seal("person", person.login);
    match session {
        Some(session) => record.session(session),
        None => record,
    }
}

/// A decision.
///
/// # Errors
/// When the ledger takes no record.
pub(crate) fn decided(case: &Case, decision: &Decision) -> Result<()> {
    let question = &case.request.question;
    let mut record = begin(Kind::APPROVAL_DECIDED, Some(&question.exact.session))
        .agent(question.exact.agent.as_str())
        .with("approval", case.request.id.to_string())
        .with("digest", case.request.digest.as_str())
        .with("decision", decision.choice.word())
        .with("channel", decision.channel.word())
        .with("scope", decision.scope.word())
        .with("rule", question.story.rule.as_str())
        .with("risk", question.risk.word())
        .with("state", case.state.word());
    if decision.break_glass {
        record = record.with("break_glass", true);
    }
    if let Some(millis) = decision.looked_ms {
        record = record.with("looked_ms", millis);
    }
    if let Some(words) = &decision.words {
        record = record.seal("words", words.as_str());
    }
    // Where the hook denied for now, it is another call that will run by this.
    record = match &question.call {
        Some(call) if question.dialog => record.call(call.as_str()),
        Some(call) => record.with("asked_by", call.as_str()),
        None => record,
    };
    append(&record)
}

/// A task's authority, granted or taken back.
///
/// # Errors
/// When the ledger takes no record.
pub(crate) fn task(kind: Kind, id: &str, granted: Option<&Granted>) -> Result<()> {
    let mut record = begin(kind, granted.and_then(|g| g.task.session.as_deref())).with("grant", id);
    if let Some(granted) = granted {
        let task = &granted.task;
        record = record
            .with("group", task.group.as_str())
            .with("until", task.until.to_string())
            .with("subagents", task.subagents)
            .seal("authority", task.to_string())
            .seal("words", task.words.as_str());
    }
    append(&record)
}
