//! What the tests ask about.

use std::collections::{BTreeMap, BTreeSet};

use approvals::{Exact, Group, Question, Quorum, Risk, Shown, Story};
use jiff::{SignedDuration, Timestamp};
use model::{Action, Effect, SignalFacts, Tri};

/// A time that all tests begin at.
pub(crate) fn start() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// So many seconds after the start.
pub(crate) fn after(seconds: i64) -> Timestamp {
    start().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

/// An action of a session.
pub(crate) fn exact(session: &str, command: &str) -> Exact {
    Exact {
        agent: "claude-code".to_owned(),
        session: session.to_owned(),
        input: format!("{{\"command\":{command:?}}}"),
        cwd: "/w".to_owned(),
        variables: BTreeSet::new(),
        targets: vec![command.to_owned()],
        scripts: BTreeSet::new(),
        sandbox: None,
        policy: "p1".to_owned(),
    }
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|n| (*n).to_owned()).collect()
}

/// A group with these members.
pub(crate) fn group(name: &str, members: &[&str]) -> Group {
    Group { name: name.to_owned(), members: names(members), driver: name == "developer" }
}

/// One person of these groups, who may be the driver.
pub(crate) fn quorum(groups: Vec<Group>) -> Quorum {
    Quorum {
        approve: u8::try_from(groups.len()).unwrap(),
        deny: 1,
        driver_alone: true,
        break_glass: BTreeSet::new(),
        people: BTreeMap::new(),
        groups,
    }
}

/// A question about an action, driven by `ann`, open for ten minutes.
pub(crate) fn question(exact: Exact, quorum: Quorum) -> Question {
    let facts = SignalFacts { process: "the-target".to_owned(), own: Tri::Unknown, machine: false };
    let effect = Effect::here(Action::Signal(facts), None);
    Question {
        story: Story {
            title: "signal the-target".to_owned(),
            text: exact.input.clone(),
            effects: vec![Shown {
                effect,
                words: "signal the-target".to_owned(),
                verdict: "ask".to_owned(),
                rule: "a-rule".to_owned(),
            }],
            deciding: Some(0),
            ..Story::default()
        },
        exact,
        call: Some("call-1".to_owned()),
        subagent: None,
        driver: "ann".to_owned(),
        dialog: false,
        risk: Risk::Ordinary,
        quorum,
        asked_at: start(),
        expires_at: after(600),
    }
}

/// A question that the driver may decide.
pub(crate) fn simple(session: &str, command: &str) -> Question {
    question(exact(session, command), quorum(vec![group("developer", &[])]))
}
