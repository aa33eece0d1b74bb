//! A session's records put together: each call with its decision, its approvals and its outcome; sub-agents as a tree.

use crate::opened::Opened;
use std::collections::HashMap;

/// One call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Call {
    /// What was decided before it.
    pub decision: Option<Opened>,
    /// What became of it.
    pub outcome: Option<Opened>,
    /// Whatever else was recorded about it: who was asked, who agreed, what was kept.
    pub more: Vec<Opened>,
}

/// What happened, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Moment {
    /// A call.
    Call(Box<Call>),
    /// Anything else.
    Record(Box<Opened>),
    /// A sub-agent with all that it did.
    Subagent(Box<Subagent>),
}

/// A sub-agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Subagent {
    /// Its identifier.
    pub id: String,
    /// Its type; empty when its start was not seen.
    pub role: String,
    /// Its first record.
    pub first: Opened,
    /// Whether its end was recorded.
    pub ended: bool,
    /// What it did.
    pub moments: Vec<Moment>,
}

impl Call {
    /// The record by which it is known: the decision, else whatever there is.
    #[must_use]
    pub fn head(&self) -> Option<&Opened> {
        self.decision.as_ref().or(self.outcome.as_ref()).or_else(|| self.more.first())
    }
}

/// Where a moment lies: in a sub-agent's list or in the session's own.
type Place = (Option<String>, usize);

/// Puts records, which are in order, together.
#[must_use]
pub fn gather(records: Vec<Opened>) -> Vec<Moment> {
    let mut own: Vec<Moment> = Vec::new();
    let mut below: HashMap<String, Subagent> = HashMap::new();
    // Where in the session's own list each sub-agent stands.
    let mut order: Vec<(usize, String)> = Vec::new();
    let mut places: HashMap<String, Place> = HashMap::new();
    for record in records {
        let subagent = Some(record.clear("subagent")).filter(|id| !id.is_empty()).map(str::to_owned);
        if let Some(id) = &subagent {
            let start = record.kind == ledger::Kind::SUBAGENT_START;
            let found = below.entry(id.clone()).or_insert_with(|| {
                order.push((own.len(), id.clone()));
                Subagent {
                    id: id.clone(),
                    role: String::new(),
                    first: record.clone(),
                    ended: false,
                    moments: Vec::new(),
                }
            });
            if start {
                found.role = record.clear("type").to_owned();
                continue;
            }
            if record.kind == ledger::Kind::SUBAGENT_END {
                found.ended = true;
                continue;
            }
        }
        let place = record.call.as_ref().and_then(|call| places.get(call)).cloned();
        let known = match place {
            Some((Some(id), at)) => below.get_mut(&id).and_then(|s| s.moments.get_mut(at)),
            Some((None, at)) => own.get_mut(at),
            None => None,
        };
        let decision = record.kind == ledger::Kind::DECISION;
        match known {
            Some(Moment::Call(call)) if !decision => {
                if record.kind == ledger::Kind::OUTCOME {
                    call.outcome = Some(record);
                } else {
                    call.more.push(record);
                }
                continue;
            }
            _ => {}
        }
        let list = match subagent.as_ref().and_then(|id| below.get_mut(id)) {
            Some(subagent) => &mut subagent.moments,
            None => &mut own,
        };
        if let Some(call) = record.call.as_ref().filter(|_| decision) {
            places.insert(call.clone(), (subagent.clone(), list.len()));
        }
        list.push(if decision {
            Moment::Call(Box::new(Call { decision: Some(record), ..Call::default() }))
        } else if record.kind == ledger::Kind::OUTCOME {
            Moment::Call(Box::new(Call { outcome: Some(record), ..Call::default() }))
        } else {
            Moment::Record(Box::new(record))
        });
    }
    // From the end, so that earlier places stay.
    for (at, id) in order.into_iter().rev() {
        if let Some(subagent) = below.remove(&id) {
            own.insert(at.min(own.len()), Moment::Subagent(Box::new(subagent)));
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opened::Body;
    use jiff::Timestamp;
    use ledger::Kind;
    use serde_json::json;

    fn record(index: u64, kind: Kind, call: &str, subagent: &str) -> Opened {
        let mut body = Body::default();
        if !subagent.is_empty() {
            body.what.insert("subagent".to_owned(), json!(subagent));
        }
        Opened {
            index,
            at: Timestamp::UNIX_EPOCH,
            kind,
            agent: None,
            session: Some("s".to_owned()),
            call: Some(call.to_owned()).filter(|c| !c.is_empty()),
            subject: None,
            body,
        }
    }

    #[test]
    fn calls_find_their_outcomes_and_subagents_their_calls() {
        let moments = gather(vec![
            record(0, Kind::PROMPT, "", ""),
            record(1, Kind::DECISION, "a", ""),
            record(2, Kind::SUBAGENT_START, "", "x"),
            record(3, Kind::DECISION, "b", "x"),
            record(4, Kind::OUTCOME, "a", ""),
            record(5, Kind::APPROVAL_DECIDED, "b", ""),
            record(6, Kind::OUTCOME, "b", "x"),
            record(7, Kind::SUBAGENT_END, "", "x"),
            record(8, Kind::OUTCOME, "nobody", ""),
        ]);
        let [Moment::Record(prompt), Moment::Call(a), Moment::Subagent(x), Moment::Call(unjudged)] =
            &moments[..]
        else {
            panic!("{moments:?}")
        };
        assert_eq!(prompt.index, 0);
        assert_eq!(a.outcome.as_ref().map(|o| o.index), Some(4));
        assert!(x.ended && x.moments.len() == 1);
        let Moment::Call(b) = &x.moments[0] else { panic!("{x:?}") };
        assert_eq!((b.more[0].index, b.outcome.as_ref().map(|o| o.index)), (5, Some(6)));
        assert!(unjudged.decision.is_none());
        assert_eq!(unjudged.head().map(|r| r.index), Some(8));
    }
}
