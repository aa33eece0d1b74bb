//! What the guard writes into the ledger. Field names are listed in `docs/ledger.md`.
//!
//! Clear fields hold the design's words only; whatever a person or a command put there is sealed, so that it can be
//! erased.

use crate::readers::Reading;
use agents::{Context, Outcome};
use ledger::{Kind, Record};
use model::{CallId, Tool, ToolCall};
use policy::Verdict;
use serde_json::{Value, json};

/// Who is at the machine and how the session is known.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account's name. Sealed wherever it is recorded.
    pub login: String,
    /// A pseudonym that stays when the name is erased.
    pub subject: String,
}

/// A record that says who and in which session.
#[must_use]
pub(crate) fn begin(kind: Kind, agent: &str, context: &Context, person: &Person) -> Record {
    let mut record = Record::new(kind)
        .agent(agent)
        .session(context.session.0.as_str())
        .subject(person.subject.as_str())
        .seal("person", person.login.as_str());
    if let Some(subagent) = &context.subagent {
        record = record.with("subagent", subagent.as_str());
    }
    if let Some(prompt) = &context.prompt {
        record = record.with("prompt", prompt.as_str());
    }
    record
}

/// What is in force beside the verdict.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InForce<'a> {
    /// `observe` or `enforce`.
    pub(crate) mode: &'a str,
    /// What was answered to the agent: `allow`, `contain`, `ask`, `deny`.
    pub(crate) applied: &'a str,
    /// The policy's digest.
    pub(crate) policy: &'a str,
    /// Whether a person sits at the session.
    pub(crate) attended: bool,
}

/// The decision on a call.
#[must_use]
pub(crate) fn decision(
    record: Record,
    call: &ToolCall,
    reading: &Reading,
    verdict: &Verdict,
    force: InForce<'_>,
) -> Record {
    let effects: Vec<Value> = reading
        .effects
        .iter()
        .zip(verdict.effects())
        .map(|(effect, result)| {
            json!({
                "kind": effect.kind().word(),
                "surface": effect.kind().surface().word(),
                "understood": effect.understood(),
                "verdict": result.kind.word(),
                "rule": result.rule,
                "span": effect.span.map(|s| [s.from, s.to]),
            })
        })
        .collect();
    let targets: Vec<Value> = reading.effects.iter().map(|e| Value::from(e.action.target())).collect();
    let mut record = record
        .with("verdict", force.applied)
        .with("rule", verdict.rule())
        .with("layer", verdict.layer().word())
        .with("mode", force.mode)
        .with("policy", force.policy)
        .with("tool", call.tool.word())
        .with("attended", force.attended)
        .with("effects", effects)
        .seal("targets", targets)
        .seal("reason", crate::words::reason(verdict, reading))
        .seal("cwd", call.cwd.as_str())
        .seal("input", input(&call.tool));
    if force.applied != verdict.kind().word() {
        record = record.with("would", verdict.kind().word());
    }
    if verdict.snapshot() {
        record = record.with("snapshot", true);
    }
    if verdict.needs().approvals > 0 {
        record = record.with("needs", json!(verdict.needs()));
    }
    if let Some(at) = verdict.deciding() {
        record = record.with("deciding", at);
    }
    if let Some(instead) = verdict.instead() {
        record = record.seal("instead", instead);
    }
    match &call.call {
        Some(id) => record.call(id.0.as_str()),
        None => record,
    }
}

/// The words a person looks for in a call: the command, the path, the URL; large texts only by their length.
fn input(tool: &Tool) -> Value {
    match tool {
        Tool::Shell { command, background } => json!({"command": capped(command), "background": background}),
        Tool::ReadFile { path } => json!({"path": path}),
        Tool::EditFile { path, text } | Tool::WriteFile { path, text } => {
            json!({"path": path, "bytes": text.len()})
        }
        Tool::Glob { pattern, path } | Tool::Grep { pattern, path } => {
            json!({"pattern": pattern, "path": path})
        }
        Tool::FetchUrl { url } => json!({"url": url}),
        Tool::WebSearch { query } => json!({"query": query}),
        Tool::Delegate { prompt } => json!({"task": capped(prompt)}),
        Tool::Mcp { server, name, input } => {
            json!({"server": server, "name": name, "input": capped(&input.to_string())})
        }
        Tool::Internal { name } => json!({"name": name}),
        Tool::Unknown { name, input } => json!({"name": name, "input": capped(&input.to_string())}),
    }
}

/// At most 64 KiB: a padded command must not fill the disk. The length tells what is missing.
fn capped(text: &str) -> String {
    const LIMIT: usize = 64 << 10;
    if text.len() <= LIMIT {
        return text.to_owned();
    }
    let cut = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= LIMIT).last().unwrap_or(0);
    format!("{} … ({} bytes in all)", text.get(..cut).unwrap_or(""), text.len())
}

/// The agent's own question. Where the agent does not say which call it is about, it is the newest that waits for a
/// person and is the same to the letter; the record says that it was found so, and how many there were.
#[must_use]
pub(crate) fn asked(record: Record, call: &ToolCall, waiting: &[CallId]) -> Record {
    match (&call.call, waiting.last()) {
        (Some(id), _) => record.call(id.0.as_str()),
        (None, Some(id)) => {
            record.call(id.0.as_str()).with("call_by", "same input").with("alike", waiting.len())
        }
        (None, None) => record,
    }
}

/// How a call ended.
#[must_use]
pub(crate) fn outcome(record: Record, call: &ToolCall, outcome: &Outcome) -> Record {
    let mut record =
        record.with("ok", outcome.ok).with("tool", call.tool.word()).with("interrupted", outcome.interrupted);
    if let Some(millis) = outcome.millis {
        record = record.with("millis", millis);
    }
    if let Some(error) = &outcome.error {
        record = record.seal("error", capped(error));
    }
    match &call.call {
        Some(id) => record.call(id.0.as_str()),
        None => record,
    }
}
