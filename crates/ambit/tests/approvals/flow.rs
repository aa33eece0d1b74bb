//! A call waits, is decided, and runs once.

use crate::world::{GUIDING, World};
use approvals::{Channel, Decision, Scope, State, Task};
use jiff::{SignedDuration, Timestamp};
use model::AbsPath;
use std::time::{Duration, Instant};

/// Decides what waits as soon as something does; how long after the decision the hook answered.
fn decided_while_waiting(
    world: &World,
    decide: impl Fn(&World) -> Decision + Sync,
) -> (crate::world::Judged, Duration) {
    std::thread::scope(|scope| {
        let decided = scope.spawn(|| {
            let case = world.soon_waiting();
            std::thread::sleep(Duration::from_millis(300));
            world.store().decide(case.request.id, decide(world), Timestamp::now()).unwrap();
            Instant::now()
        });
        let judged = world.propose(GUIDING, "call-1");
        let heard = Instant::now();
        (judged, heard.saturating_duration_since(decided.join().unwrap()))
    })
}

fn yes(world: &World) -> Decision {
    Decision::approve(world.driver(), Channel::Console)
}

#[test]
fn a_waiting_call_runs_when_a_person_agrees() {
    let world = World::with("[approvals]\nwait_s = 30");
    let (judged, took) = decided_while_waiting(&world, yes);
    assert_eq!(judged.verdict(), "allow", "{judged:?}");
    assert!(judged.reason().contains("agreed (A1)"), "{judged:?}");
    // The whole way to the agent: looking, checking, two durable records, the shell around the hook.
    assert!(took < Duration::from_millis(1500), "{took:?}");
    let ask = world.records("approval.asked");
    assert_eq!((ask.len(), world.records("approval.used").len()), (1, 1));
    assert_eq!(world.records("decision")[0]["what"]["approval"], "A1");
    world.ended(GUIDING, "call-1");
    world.verify();
    // It was for that call alone.
    let judged = {
        std::fs::write(
            world.sandbox.home().join(".config/ambit/ambit.toml"),
            "mode = \"enforce\"\n[approvals]\nwait_s = 0\n",
        )
        .unwrap();
        world.propose(GUIDING, "call-2")
    };
    assert_eq!(judged.verdict(), "deny", "{judged:?}");
}

#[test]
fn a_denial_carries_the_persons_words() {
    let world = World::with("[approvals]\nwait_s = 30");
    let no = |world: &World| {
        Decision::deny(world.driver(), Channel::Terminal, Some("write it to notes.md".to_owned()))
    };
    let (judged, _) = decided_while_waiting(&world, no);
    assert_eq!(judged.verdict(), "deny");
    assert!(judged.reason().contains("write it to notes.md"), "{judged:?}");
    // Asked again at once, the answer stands, and nobody is bothered.
    let again = world.propose(GUIDING, "call-2");
    assert!(again.verdict() == "deny" && again.reason().contains("write it to notes.md"), "{again:?}");
    assert!(again.wall < Duration::from_secs(10), "{again:?}");
    assert_eq!(world.records("approval.asked").len(), 1);
}

#[test]
fn undecided_it_is_denied_for_now_and_runs_once_when_repeated() {
    let world = World::with("[approvals]\nwait_s = 1");
    let judged = world.propose(GUIDING, "call-1");
    assert_eq!(judged.verdict(), "deny", "{judged:?}");
    assert!(
        judged.reason().contains("approval A1 pending") && judged.reason().contains("same call again"),
        "{judged:?}"
    );
    assert!(judged.wall >= Duration::from_secs(1));
    let id = world.waiting().request.id;
    world.store().decide(id, yes(&world), Timestamp::now()).unwrap();
    // Anything else is another action.
    let other = world.propose("echo 'Be rude.' > AGENTS.md", "call-2");
    assert_eq!(other.verdict(), "deny");
    let judged = world.propose(GUIDING, "call-3");
    assert_eq!(judged.verdict(), "allow", "{judged:?}");
    assert_eq!(world.propose(GUIDING, "call-4").verdict(), "deny");
    let used = world.records("approval.used");
    assert_eq!((used.len(), used[0]["call"].as_str()), (1, Some("call-3")));
    world.ended(GUIDING, "call-3");
    world.verify();
}

#[test]
fn calls_side_by_side_share_no_consent() {
    let world = World::with("[approvals]\nwait_s = 0");
    assert_eq!(world.propose(GUIDING, "call-0").verdict(), "deny");
    world.store().decide(world.waiting().request.id, yes(&world), Timestamp::now()).unwrap();
    let allowed: usize = std::thread::scope(|scope| {
        let world = &world;
        let tries: Vec<_> = (1..=8)
            .map(|n| {
                scope.spawn(move || {
                    usize::from(world.propose(GUIDING, &format!("call-{n}")).verdict() == "allow")
                })
            })
            .collect();
        tries.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(allowed, 1);
}

#[test]
fn what_was_changed_on_disk_is_no_consent() {
    let world = World::with("[approvals]\nwait_s = 0");
    world.propose(GUIDING, "call-1");
    let case = world.waiting();
    world.store().decide(case.request.id, yes(&world), Timestamp::now()).unwrap();
    let file = world.state().join("approvals/open/A1/request.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"deny\":1", "\"deny\":2")).unwrap();
    let judged = world.propose(GUIDING, "call-2");
    assert_eq!(judged.verdict(), "deny", "{judged:?}");
    let run = world.ambit(&["approvals", "list"]).output().unwrap();
    assert!(crate::world::text(&run).contains("damaged"), "{run:?}");
}

#[test]
fn a_session_consent_lasts_and_a_tasks_authority_covers_what_it_names() {
    let world = World::with("[approvals]\nwait_s = 0");
    world.propose(GUIDING, "call-1");
    let now = Timestamp::now();
    let until = now.checked_add(SignedDuration::from_secs(600)).unwrap();
    let decision = Decision { scope: Scope::Session { until }, ..yes(&world) };
    let case = world.store().decide(world.waiting().request.id, decision, now).unwrap();
    assert_eq!(case.state, State::Approved);
    for call in ["call-2", "call-3"] {
        assert_eq!(world.propose(GUIDING, call).verdict(), "allow");
    }
    // A directory outside the project.
    let outside = world.sandbox.home().join("elsewhere");
    std::fs::create_dir_all(&outside).unwrap();
    let command = format!("touch {}/made", outside.display());
    let before = world.propose(&command, "call-4");
    let abs = |path: &std::path::Path| AbsPath::parse(path.to_str().unwrap()).unwrap();
    let task = Task {
        session: None,
        workspace: abs(&world.sandbox.work()),
        paths: [abs(&outside)].into(),
        hosts: [].into(),
        programs: [].into(),
        words: "test".to_owned(),
        account: case.request.question.driver.clone(),
        group: "developer".to_owned(),
        subagents: true,
        from: now,
        until,
    };
    let granted = world.store().grant(task).unwrap();
    let after = world.propose(&command, "call-5");
    assert_eq!((before.verdict(), after.verdict()), ("deny", "allow"), "{before:?} {after:?}");
    world.store().revoke(&granted.id).unwrap();
    // What the session has made it may write again; anything else there it may not any more.
    let other = format!("touch {}/other", outside.display());
    assert_eq!(world.propose(&other, "call-6").verdict(), "deny");
}

#[test]
fn two_people_for_production_and_never_the_driver_alone() {
    let world = World::with(
        "[approvers]\nproduction = [\"ann\", \"bob\", \"root\"]\n[people]\nann = [\"ann\", \"ann@chat\"]\n[approvals]\nwait_s = 0\napprove = 2",
    );
    let command = "git push --force origin main";
    let judged = world.propose(command, "call-1");
    assert_eq!(judged.verdict(), "deny", "{judged:?}");
    let case = world.waiting();
    let id = case.request.id;
    if !case.request.question.quorum.groups.iter().any(|g| g.name == "production") {
        // Policy asks the developer about this one: then one suffices.
        world.store().decide(id, yes(&world), Timestamp::now()).unwrap();
        assert_eq!(world.propose(command, "call-2").verdict(), "allow");
        return;
    }
    let say = |account: &str| {
        let word = case.request.word();
        let decision = Decision { typed: Some(word), ..Decision::approve(account, Channel::Console) };
        world.store().decide(id, decision, Timestamp::now()).map(|c| c.state)
    };
    assert_eq!(say("ann").unwrap(), State::Pending);
    assert_eq!(say("ann@chat").unwrap(), State::Pending);
    assert!(say("mallory").is_err());
    assert_eq!(world.propose(command, "call-2").verdict(), "deny");
    assert_eq!(say("bob").unwrap(), State::Approved);
    assert_eq!(world.propose(command, "call-3").verdict(), "allow");
}

#[test]
fn with_a_person_at_the_session_the_agents_own_question_asks() {
    let world = World::with("[approvals]\nwait_s = 20");
    let judged = world.propose_attended(GUIDING, "call-1");
    assert_eq!(judged.verdict(), "ask", "{judged:?}");
    // The person there says yes: the call has run, and nothing is left of the request.
    world.ended(GUIDING, "call-1");
    let case = world.store().history(1, Timestamp::now()).unwrap().remove(0);
    assert_eq!((case.state, case.channel()), (State::Consumed, Some(Channel::Agent)));
    assert_eq!(world.records("approval.decided").len(), 1);
    // Somebody elsewhere says no first.
    assert_eq!(world.propose_attended(GUIDING, "call-2").verdict(), "ask");
    let shown = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            let decision = Decision::deny(world.driver(), Channel::Console, Some("not now".to_owned()));
            world.store().decide(world.waiting().request.id, decision, Timestamp::now()).unwrap();
        });
        world.question_shown(GUIDING)
    });
    assert_eq!(shown.behavior(), "deny", "{shown:?}");
    assert!(shown.json.to_string().contains("not now"));
    // Somebody elsewhere says yes first, for another command, since the no still stands.
    let other = "echo 'Be brief.' > AGENTS.md";
    assert_eq!(world.propose_attended(other, "call-3").verdict(), "ask");
    world.store().decide(world.waiting().request.id, yes(&world), Timestamp::now()).unwrap();
    let shown = world.question_shown(other);
    assert_eq!(shown.behavior(), "allow", "{shown:?}");
    world.ended(other, "call-3");
    assert_eq!(world.store().history(1, Timestamp::now()).unwrap()[0].state, State::Consumed);
    world.verify();
}

#[test]
fn how_well_asking_works_is_told_from_the_record() {
    let world = World::with("[approvals]\nwait_s = 0");
    world.propose("git status --short", "call-1");
    world.propose(GUIDING, "call-2");
    let run = world.ambit(&["approvals", "stats", "--json"]).output().unwrap();
    let stats: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(
        (stats["calls"].as_u64(), stats["questions"].as_u64(), stats["decided"].as_u64()),
        (Some(2), Some(1), Some(0))
    );
    assert_eq!(stats["in_100_calls"].as_f64(), Some(50.0));
    let run = world.ambit(&["approvals", "show", "A1"]).output().unwrap();
    let shown = crate::world::text(&run);
    for part in ["A1", "AGENTS.md", "stopped by", "needs", "digest"] {
        assert!(shown.contains(part), "{shown}");
    }
}
