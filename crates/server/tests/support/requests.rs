//! Requests for approval, made up.

use approvals::{Exact, Group, Question, Quorum, Risk, Shown, Store, Story};
use jiff::{SignedDuration, Timestamp};
use model::{Action, Effect, Environment, ServiceFacts, SignalFacts, Tri, Verb};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|n| (*n).to_owned()).collect()
}

/// A request that `ana` drives: for herself where there are no groups, else for them, `approve` of them.
pub(crate) fn request(
    state: &Path,
    now: Timestamp,
    command: &str,
    risk: Risk,
    groups: &[(&str, &[&str])],
    approve: u8,
) -> String {
    let action = if risk == Risk::Ordinary {
        Action::Signal(SignalFacts { process: "the-server".to_owned(), own: Tri::Unknown, machine: false })
    } else {
        Action::Operate(ServiceFacts {
            provider: "kubernetes".to_owned(),
            verb: Verb::Delete,
            resource: "deployment/shop".to_owned(),
            environment: Environment::Production,
            dry_run: false,
        })
    };
    let words =
        if risk == Risk::Ordinary { "signal the-server" } else { "delete deployment/shop in production" };
    let driver = groups.is_empty();
    let mut all = vec![Group { name: "developer".to_owned(), members: BTreeSet::new(), driver: true }];
    if !driver {
        all = groups
            .iter()
            .map(|(name, members)| Group { name: (*name).to_owned(), members: names(members), driver: false })
            .collect();
    }
    let question = Question {
        exact: Exact {
            agent: "claude-code".to_owned(),
            session: "5f0c7a31-live-0000-0000-000000000000".to_owned(),
            input: format!("{{\"command\":{command:?}}}"),
            cwd: "/home/ana/src/shop".to_owned(),
            variables: BTreeSet::new(),
            targets: vec![action.target().to_string()],
            scripts: BTreeSet::new(),
            sandbox: None,
            policy: "7d1f9a3c5be24410".to_owned(),
        },
        call: Some(format!("toolu_{}", command.len())),
        subagent: None,
        driver: "ana".to_owned(),
        dialog: false,
        risk,
        quorum: Quorum {
            groups: all,
            approve,
            deny: 1,
            driver_alone: driver,
            break_glass: BTreeSet::new(),
            people: BTreeMap::new(),
        },
        story: Story {
            title: words.to_owned(),
            text: command.to_owned(),
            risky: Some((0, u32::try_from(command.len()).unwrap())),
            canonical: None,
            warnings: Vec::new(),
            effects: vec![Shown {
                effect: Effect::here(action, None),
                words: words.to_owned(),
                verdict: "ask".to_owned(),
                rule: if driver { "standard/signal" } else { "organisation/production" }.to_owned(),
            }],
            deciding: Some(0),
            rule: if driver { "standard/signal" } else { "organisation/production" }.to_owned(),
            layer: if driver { "preset" } else { "organisation" }.to_owned(),
            reason: if driver {
                "a process that this session did not start would be ended"
            } else {
                "production is changed"
            }
            .to_owned(),
            instead: Some("show it first, with --dry-run".to_owned()),
            prompt: Some("prompt-1".to_owned()),
            untrusted_seen: !driver,
            sensitive_read: false,
            agent_says: Some("The user asked me to do this; it is safe.".to_owned()),
        },
        asked_at: now,
        expires_at: now + SignedDuration::from_mins(10),
    };
    let (case, new) = Store::open(state).unwrap().ask(question, now).unwrap();
    assert!(new, "it was asked before");
    case.request.id.to_string()
}

/// What waits in the sample.
pub(crate) fn ask_all(state: &Path, now: Timestamp) {
    request(state, now, "pkill -f the-server", Risk::Ordinary, &[], 1);
    let production: (&str, &[&str]) = ("production", &["ana", "ben", "cem"]);
    request(
        state,
        now,
        "kubectl --context prod delete deployment shop -n shop",
        Risk::High,
        &[production],
        2,
    );
    request(
        state,
        now,
        "kubectl --context prod delete deployment shop --all --force",
        Risk::Critical,
        &[production],
        2,
    );
}
