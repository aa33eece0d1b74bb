//! Every call needs a decision before and, if it was let through, an outcome after.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::kind::Kind;
use crate::record::{Stored, peek_kind};

use super::report::{Fault, Severity, VerifyOptions};
use super::{Findings, finding};

/// What is known of a call.
#[derive(Debug, Default)]
struct Call {
    /// Index and time of the last decision.
    decided: Option<(u64, Timestamp)>,
    /// Whether the last word was no.
    refused: bool,
    outcome: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Pairs {
    calls: BTreeMap<(String, String), Call>,
}

impl Pairs {
    pub(super) fn record(&mut self, index: u64, line: &[u8]) {
        let kind = peek_kind(line).unwrap_or_default();
        let of = |known: &Kind| known.as_str().as_bytes() == kind;
        if ![Kind::DECISION, Kind::OUTCOME, Kind::APPROVAL_DECIDED].iter().any(of) {
            return;
        }
        let Ok(record) = serde_json::from_slice::<Stored>(line) else { return };
        let Some(id) = record.call.clone() else { return };
        let call = self.calls.entry((record.session.clone().unwrap_or_default(), id)).or_default();
        if record.kind == Kind::OUTCOME {
            call.outcome = Some(index);
        } else if record.kind == Kind::DECISION {
            call.decided = Some((index, record.at));
            call.refused = matches!(record.text("verdict"), Some("deny" | "ask"));
        } else {
            call.refused = record.text("decision") != Some("approve");
        }
    }

    /// Number of calls.
    pub(super) fn finish(self, options: &VerifyOptions, findings: &mut Findings) -> u64 {
        let grace = SignedDuration::from_secs(options.grace.into());
        for ((session, id), call) in &self.calls {
            match (call.decided, call.outcome) {
                (Some((index, at)), None) if !call.refused => {
                    if options.now.is_some_and(|now| now.duration_since(at) < grace) {
                        continue;
                    }
                    let what = format!(
                        "call `{id}` of session `{session}` was let through, and nothing tells its outcome"
                    );
                    let mend =
                        "the agent or its hook was killed or removed in between: look at what it left behind";
                    findings.add(finding(Fault::NoOutcome, Severity::Warning, what, mend).record(index));
                }
                (decided, Some(index)) if decided.is_none() || call.refused => {
                    let why =
                        if call.refused { "ran although it was refused" } else { "ran without a decision" };
                    let what = format!("call `{id}` of session `{session}` {why}");
                    let mend = "the hook was bypassed or failed open: look at the agent's hook settings";
                    findings.add(finding(Fault::NoDecision, Severity::Warning, what, mend).record(index));
                }
                _ => {}
            }
        }
        self.calls.len() as u64
    }
}
