//! Who may decide what, what a consent is for, and what changes make it count for nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::common::{after, exact, group, question, quorum, simple, start};
use approvals::{
    ApprovalError, Channel, Choice, Decision, Exact, Id, Question, Risk, Scope, Script, State, Store, Task,
    Use,
};
use model::{AbsPath, Action, Effect, HostZone, NetFacts, Origin, RunFacts, Task as RunTask};

struct World {
    dir: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        Self { dir, store }
    }

    fn ask(&self, question: Question) -> Id {
        self.store.ask(question, start()).unwrap().0.request.id
    }

    fn state(&self, id: Id, seconds: i64) -> State {
        self.store.get(id, after(seconds)).unwrap().unwrap().state
    }

    fn used(&self, exact: &Exact, seconds: i64) -> bool {
        self.store.consume(exact, &Use { call: None, subagent: None }, after(seconds)).unwrap().is_some()
    }

    fn approve(&self, id: Id, account: &str, seconds: i64) -> Result<State, ApprovalError> {
        let decision = Decision::approve(account, Channel::Terminal);
        self.store.decide(id, decision, after(seconds)).map(|case| case.state)
    }

    fn deny(&self, id: Id, account: &str, seconds: i64) -> Result<State, ApprovalError> {
        let decision = Decision::deny(account, Channel::Terminal, Some("not today".to_owned()));
        self.store.decide(id, decision, after(seconds)).map(|case| case.state)
    }

    fn file(&self, id: Id, name: &str) -> PathBuf {
        self.dir.path().join("approvals/open").join(id.to_string()).join(name)
    }
}

#[test]
fn one_consent_is_one_call() {
    let world = World::new();
    let id = world.ask(simple("s", "make deploy"));
    let action = exact("s", "make deploy");
    assert_eq!(id.to_string(), "A1");
    assert!(!world.used(&action, 1), "nobody has agreed yet");
    assert_eq!(world.approve(id, "ann", 2).unwrap(), State::Approved);
    let by = Use { call: Some("call-2".to_owned()), subagent: None };
    let consent = world.store.consume(&action, &by, after(3)).unwrap().unwrap();
    assert_eq!((consent.id(), consent.people(), consent.scope()), (id, &["ann".to_owned()][..], "once"));
    assert!(!world.used(&action, 3) && !world.used(&action, 4));
    assert_eq!(world.state(id, 5), State::Consumed);
    assert!(matches!(
        world.approve(id, "ann", 6),
        Err(ApprovalError::Settled { state: State::Consumed, .. })
    ));
    // Asked again, it is another request, and the old consent is no part of it.
    let (again, new) = world.store.ask(simple("s", "make deploy"), after(7)).unwrap();
    assert!(
        new && again.request.id != id
            && again.request.digest != world.store.get(id, after(7)).unwrap().unwrap().request.digest
    );
    assert!(!world.used(&action, 8));
}

#[test]
fn asking_twice_is_one_request() {
    let world = World::new();
    let id = world.ask(simple("s", "a"));
    let (case, new) = world.store.ask(simple("s", "a"), after(1)).unwrap();
    assert!(!new && case.request.id == id);
    assert_ne!(world.ask(simple("other", "a")), id);
    assert_eq!(world.store.pending(after(1)).unwrap().len(), 2);
}

#[test]
fn whatever_differs_is_another_action() {
    let world = World::new();
    let id = world.ask(simple("s", "run it"));
    world.approve(id, "ann", 1).unwrap();
    let base = exact("s", "run it");
    let mut others = vec![exact("s", "run  it"), exact("t", "run it")];
    others.push(Exact { cwd: "/w/sub".to_owned(), ..base.clone() });
    others.push(Exact { agent: "codex".to_owned(), ..base.clone() });
    others.push(Exact { variables: BTreeSet::from(["LD_PRELOAD".to_owned()]), ..base.clone() });
    others.push(Exact { targets: vec!["elsewhere".to_owned()], ..base.clone() });
    others.push(Exact { policy: "p2".to_owned(), ..base.clone() });
    others.push(Exact { sandbox: Some("strict".to_owned()), ..base.clone() });
    let script = Script { path: "/w/run".to_owned(), sha256: "00".to_owned() };
    others.push(Exact { scripts: BTreeSet::from([script]), ..base.clone() });
    for other in &others {
        assert!(!world.used(other, 2), "{other:?}");
    }
    // Two numbers that are one as doubles are two actions.
    let number = |n: &str| Exact { input: format!("{{\"id\":{n}}}"), ..base.clone() };
    assert_ne!(number("9007199254740992").digest().unwrap(), number("9007199254740993").digest().unwrap());
    assert!(world.used(&base, 2), "and the action itself runs");
}

#[test]
fn people_are_counted_and_not_accounts() {
    let world = World::new();
    let mut two = quorum(vec![group("production", &["ann", "bob", "eve"])]);
    two.approve = 2;
    two.people.insert("ann@chat".to_owned(), "ann".to_owned());
    two.people.insert("bob@chat".to_owned(), "bob".to_owned());
    let id = world.ask(question(exact("s", "x"), two));
    assert_eq!(world.approve(id, "ann", 1).unwrap(), State::Pending);
    assert_eq!(world.approve(id, "ann@chat", 2).unwrap(), State::Pending);
    assert_eq!(world.approve(id, "ann", 3).unwrap(), State::Pending);
    assert!(!world.used(&exact("s", "x"), 4));
    assert_eq!(world.approve(id, "bob@chat", 5).unwrap(), State::Approved);
    assert!(world.used(&exact("s", "x"), 6));
}

#[test]
fn each_group_must_be_among_them_and_the_driver_is_not_enough() {
    let world = World::new();
    let both = quorum(vec![group("developer", &[]), group("production", &["ann", "bob"])]);
    let id = world.ask(question(exact("s", "x"), both));
    // Ann drives and is in both groups: one person all the same.
    assert_eq!(world.approve(id, "ann", 1).unwrap(), State::Pending);
    assert!(matches!(world.approve(id, "mallory", 2), Err(ApprovalError::NotAllowed { .. })));
    assert_eq!(world.approve(id, "bob", 3).unwrap(), State::Approved);

    let mut four_eyes = quorum(vec![group("production", &["ann", "bob"])]);
    four_eyes.driver_alone = false;
    let id = world.ask(question(exact("s", "y"), four_eyes));
    assert_eq!(world.approve(id, "ann", 1).unwrap(), State::Pending);
    assert!(!world.used(&exact("s", "y"), 2));
    assert_eq!(world.approve(id, "bob", 3).unwrap(), State::Approved);
    let id = world.ask(simple("s", "z"));
    assert!(matches!(world.approve(id, "bob", 1), Err(ApprovalError::NotAllowed { .. })), "not the driver");
}

#[test]
fn denials_count_and_carry_the_persons_words() {
    let world = World::new();
    let mut many = quorum(vec![group("production", &["bob", "eve", "joe"])]);
    many.deny = 2;
    let id = world.ask(question(exact("s", "x"), many));
    assert_eq!(world.deny(id, "bob", 1).unwrap(), State::Pending);
    assert_eq!(world.deny(id, "eve", 2).unwrap(), State::Denied);
    assert!(matches!(world.approve(id, "joe", 3), Err(ApprovalError::Settled { .. })));
    let case = world.store.get(id, after(3)).unwrap().unwrap();
    assert_eq!(case.denial(), Some(("eve", Some("not today"))));
    // A consent that was not used yet can be taken back.
    let id = world.ask(simple("s", "y"));
    world.approve(id, "ann", 1).unwrap();
    assert_eq!(world.deny(id, "ann", 2).unwrap(), State::Denied);
    assert!(!world.used(&exact("s", "y"), 3));
}

#[test]
fn time_ends_requests_and_consents() {
    let world = World::new();
    let id = world.ask(simple("s", "x"));
    assert_eq!(world.state(id, 599), State::Pending);
    assert_eq!(world.state(id, 600), State::Expired);
    assert!(matches!(
        world.approve(id, "ann", 600),
        Err(ApprovalError::Settled { state: State::Expired, .. })
    ));
    let id = world.ask(simple("s", "y"));
    world.approve(id, "ann", 599).unwrap();
    assert_eq!(world.state(id, 599 + 3599), State::Approved);
    assert!(!world.used(&exact("s", "y"), 599 + 3600));
    // A clock that was set back does not bring a closed one to life.
    let id = world.ask(simple("s", "z"));
    world.store.close(id, after(10)).unwrap();
    assert_eq!(world.state(id, 0), State::Expired);
    assert!(world.approve(id, "ann", 1).is_err());
}

#[test]
fn scopes_are_what_was_said_and_never_wider() {
    let world = World::new();
    let with = |scope: Scope| Decision { scope, ..Decision::approve("ann", Channel::Console) };
    let id = world.ask(simple("s", "x"));
    world.store.decide(id, with(Scope::Session { until: after(3600) }), after(1)).unwrap();
    assert!(world.used(&exact("s", "x"), 2) && world.used(&exact("s", "x"), 3000));
    assert!(!world.used(&exact("t", "x"), 5) && !world.used(&exact("s", "x"), 3600));
    let id = world.ask(simple("s", "y"));
    for scope in [
        Scope::Session { until: after(9 * 3600) },
        Scope::Session { until: after(1) },
        Scope::Template { effect: 1, pattern: "the-*".to_owned(), until: after(60) },
        Scope::Template { effect: 0, pattern: "*".to_owned(), until: after(60) },
        Scope::Template { effect: 0, pattern: String::new(), until: after(60) },
    ] {
        let refused = world.store.decide(id, with(scope.clone()), after(2));
        assert!(matches!(refused, Err(ApprovalError::BadScope { .. })), "{scope:?}");
    }
    let template = Scope::Template { effect: 0, pattern: "the-*".to_owned(), until: after(60) };
    world.store.decide(id, with(template), after(2)).unwrap();
    let found = world.store.templates("s", after(3)).unwrap();
    assert_eq!((found.len(), found[0].pattern.as_str()), (1, "the-*"));
    assert_eq!(found[0].groups, ["developer"]);
    assert!(world.store.templates("t", after(3)).unwrap().is_empty());
    assert!(world.store.templates("s", after(60)).unwrap().is_empty());
    // Two people who mean different things agree on one call.
    let mut two = quorum(vec![group("production", &["ann", "bob"])]);
    two.approve = 2;
    let id = world.ask(question(exact("s", "z"), two));
    world.store.decide(id, with(Scope::Session { until: after(3600) }), after(1)).unwrap();
    world.approve(id, "bob", 2).unwrap();
    assert!(world.used(&exact("s", "z"), 3) && !world.used(&exact("s", "z"), 4));
}

#[test]
fn critical_and_high_demand_more() {
    let world = World::new();
    let risky = |risk, command: &str| Question { risk, ..simple("s", command) };
    let id = world.ask(risky(Risk::High, "x"));
    let chat = world.store.decide(id, Decision::approve("ann", Channel::Chat), after(1));
    assert!(matches!(chat, Err(ApprovalError::WrongChannel { .. })));
    assert_eq!(world.approve(id, "ann", 1).unwrap(), State::Approved);
    let id = world.ask(risky(Risk::Critical, "y"));
    assert!(matches!(world.approve(id, "ann", 1), Err(ApprovalError::NotConfirmed { .. })));
    let typed =
        |word: &str| Decision { typed: Some(word.to_owned()), ..Decision::approve("ann", Channel::Terminal) };
    assert!(world.store.decide(id, typed("yes"), after(1)).is_err());
    let lasting = Decision { scope: Scope::Session { until: after(60) }, ..typed("the-target") };
    assert!(matches!(world.store.decide(id, lasting, after(1)), Err(ApprovalError::BadScope { .. })));
    assert_eq!(world.store.decide(id, typed("the-target"), after(1)).unwrap().state, State::Approved);
}

#[test]
fn breaking_glass_is_for_those_named_and_has_a_reason() {
    let world = World::new();
    let mut strict = quorum(vec![group("production", &["bob", "eve"])]);
    strict.approve = 2;
    strict.driver_alone = false;
    strict.break_glass.insert("ann".to_owned());
    let id = world.ask(question(exact("s", "x"), strict));
    let broken = |account: &str, words: &str| Decision {
        break_glass: true,
        words: Some(words.to_owned()),
        ..Decision::approve(account, Channel::Terminal)
    };
    assert!(matches!(world.approve(id, "ann", 1), Err(ApprovalError::NotAllowed { .. })));
    assert!(matches!(
        world.store.decide(id, broken("ann", "now!"), after(1)),
        Err(ApprovalError::NoReason { .. })
    ));
    let reason = "the site is down and bob is on a plane";
    assert!(matches!(
        world.store.decide(id, broken("bob", reason), after(1)),
        Err(ApprovalError::NotAllowed { .. })
    ));
    assert_eq!(world.store.decide(id, broken("ann", reason), after(1)).unwrap().state, State::Approved);
    assert!(world.used(&exact("s", "x"), 2));
}

/// Every single byte of what is on disk: with any other in its place nothing runs by it.
#[test]
fn a_changed_byte_anywhere_is_no_consent() {
    let world = World::new();
    let id = world.ask(simple("s", "x"));
    world.approve(id, "ann", 1).unwrap();
    for name in ["request.json", "0001.json"] {
        let path = world.file(id, name);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(
                !world.used(&exact("s", "x"), 2),
                "{name}, byte {at}: {}",
                String::from_utf8_lossy(&bytes)
            );
        }
        for at in 0..whole.len() {
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(!world.used(&exact("s", "x"), 2), "{name}, cut at {at}");
        }
        std::fs::write(&path, &whole).unwrap();
    }
    assert!(world.used(&exact("s", "x"), 2), "as it was, it counts");
}

#[test]
fn forged_and_moved_entries_count_for_nothing() {
    let world = World::new();
    let (one, two) = (world.ask(simple("s", "one")), world.ask(simple("s", "two")));
    world.approve(one, "ann", 1).unwrap();
    let entry = std::fs::read(world.file(one, "0001.json")).unwrap();
    // Consent to one action moved to another.
    std::fs::write(world.file(two, "0001.json"), &entry).unwrap();
    assert!(matches!(world.store.get(two, after(2)), Err(ApprovalError::EntryDamaged { .. })));
    assert!(!world.used(&exact("s", "two"), 2));
    assert_eq!(world.store.damaged(after(2)).unwrap().len(), 1);
    // The whole request renamed.
    let open = world.dir.path().join("approvals/open");
    std::fs::create_dir(open.join("A9")).unwrap();
    for name in ["request.json", "0001.json"] {
        std::fs::copy(world.file(one, name), open.join("A9").join(name)).unwrap();
    }
    assert!(matches!(
        world.store.get("A9".parse().unwrap(), after(2)),
        Err(ApprovalError::RequestDamaged { .. })
    ));
    // Signed by another machine's key; the name is one that fits here too.
    let elsewhere = World::new();
    for command in ["fill one", "fill two"] {
        let _ = elsewhere.ask(simple("s", command));
    }
    let other = elsewhere.ask(simple("s", "three"));
    elsewhere.approve(other, "ann", 1).unwrap();
    std::fs::create_dir(open.join(other.to_string())).unwrap();
    for name in ["request.json", "0001.json"] {
        std::fs::copy(elsewhere.file(other, name), open.join(other.to_string()).join(name)).unwrap();
    }
    assert!(matches!(world.store.get(other, after(2)), Err(ApprovalError::EntryDamaged { .. })));
    assert!(!world.used(&exact("s", "three"), 2));
    // A consumed one whose use was removed from the disk is the machine's own files rolled back; the rest still holds.
    assert!(world.used(&exact("s", "one"), 3));
}

#[test]
fn a_waiting_process_hears_of_a_decision_at_once() {
    let world = World::new();
    let id = world.ask(simple("s", "x"));
    let state = world.dir.path().to_path_buf();
    let (said, heard) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let store = Store::open(&state).unwrap();
            let case = store.wait(id, std::time::Duration::from_secs(20), start()).unwrap().unwrap();
            (case.state, std::time::Instant::now())
        });
        std::thread::sleep(std::time::Duration::from_millis(300));
        world.deny(id, "ann", 0).unwrap();
        let said = std::time::Instant::now();
        let (state, heard) = waiting.join().unwrap();
        assert_eq!(state, State::Denied);
        (said, heard)
    });
    let took = heard.saturating_duration_since(said);
    assert!(took < std::time::Duration::from_millis(100), "{took:?}");
    let id = world.ask(simple("s", "y"));
    let case = world.store.wait(id, std::time::Duration::from_millis(50), start()).unwrap().unwrap();
    assert_eq!(case.state, State::Pending);
}

#[test]
fn what_is_old_is_put_away_and_still_found() {
    let world = World::new();
    let id = world.ask(simple("s", "x"));
    world.deny(id, "ann", 1).unwrap();
    let later = world.store.ask(simple("s", "y"), after(4000)).unwrap().0.request.id;
    assert_eq!(later.to_string(), "A2");
    assert!(!world.file(id, "request.json").exists());
    assert_eq!(world.state(id, 4000), State::Denied);
    let history = world.store.history(10, after(4000)).unwrap();
    assert_eq!(history.iter().map(|c| c.request.id.to_string()).collect::<Vec<_>>(), ["A2", "A1"]);
    assert_eq!(history[1].decisions().next().unwrap().1.choice, Choice::Deny);
}

fn path(text: &str) -> AbsPath {
    AbsPath::parse(text).unwrap()
}

fn task() -> Task {
    Task {
        session: Some("s".to_owned()),
        workspace: path("/w"),
        paths: BTreeSet::from([path("/srv/data")]),
        hosts: BTreeSet::from(["*.example.org".to_owned(), "one.example".to_owned()]),
        programs: BTreeSet::from(["terraform".to_owned()]),
        words: "move the data".to_owned(),
        account: "ann".to_owned(),
        group: "developer".to_owned(),
        subagents: false,
        from: start(),
        until: after(7200),
    }
}

#[test]
fn a_tasks_authority_reaches_what_it_names() {
    let world = World::new();
    let granted = world.store.grant(task()).unwrap();
    assert_eq!(granted.id, "T1");
    assert!(task().counts("s", &path("/w"), false, after(1)));
    assert!(
        !task().counts("t", &path("/w"), false, after(1))
            && !task().counts("s", &path("/x"), false, after(1))
    );
    assert!(!task().counts("s", &path("/w"), false, after(7200)));
    assert!(!task().counts("s", &path("/w"), true, after(1)), "not for sub-agents unless said");
    let host = |name: &str, sensitive| {
        Effect::here(
            Action::Send(NetFacts {
                host: name.to_owned(),
                zone: HostZone::Public,
                carries_sensitive: sensitive,
                ..net()
            }),
            None,
        )
    };
    for (name, within) in [
        ("a.example.org", true),
        ("ONE.example", true),
        ("example.org", false),
        ("badexample.org", false),
        ("one.example.evil", false),
        ("", false),
    ] {
        assert_eq!(task().covers(&host(name, false)), within, "{name}");
    }
    assert!(!task().covers(&host("one.example", true)), "no secrets");
    let run = |program: &str, understood| {
        let facts = RunFacts {
            program: program.to_owned(),
            understood,
            why: None,
            origin: Origin::System,
            task: RunTask::Other,
        };
        Effect::here(Action::Run(facts), None)
    };
    assert!(task().covers(&run("/usr/bin/terraform", true)));
    assert!(!task().covers(&run("terraform", false)) && !task().covers(&run("sh", true)));
    assert!(world.store.revoke("T1").unwrap() && !world.store.revoke("T1").unwrap());
    assert!(world.store.granted().unwrap().is_empty());
}

fn net() -> NetFacts {
    serde_json::from_value(serde_json::json!({
        "host": "", "zone": "public", "port": null, "method": "get", "allowlisted": false,
        "carries_sensitive": false, "carries_data": false, "environment": "unknown"
    }))
    .unwrap()
}

#[test]
fn a_task_must_end_and_must_name_something() {
    let world = World::new();
    for bad in [
        Task { until: after(9 * 3600), ..task() },
        Task { until: start(), ..task() },
        Task { paths: BTreeSet::from([AbsPath::root()]), ..task() },
        Task { hosts: BTreeSet::from(["*".to_owned()]), ..task() },
        Task { paths: BTreeSet::new(), hosts: BTreeSet::new(), programs: BTreeSet::new(), ..task() },
    ] {
        assert!(matches!(world.store.grant(bad.clone()), Err(ApprovalError::BadScope { .. })), "{bad:?}");
    }
    // A forged or changed grant is none.
    let granted = world.store.grant(task()).unwrap();
    let file = world.dir.path().join("approvals/tasks").join(format!("{}.json", granted.id));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("/srv/data", "/srv")).unwrap();
    assert!(world.store.granted().unwrap().is_empty());
}

#[test]
fn chats_are_told_in_their_own_form_and_nothing_of_a_command_is_obeyed() {
    use approvals::webhook::{Form, message};
    let world = World::new();
    let mut asked = simple("s", "x");
    asked.story.text = format!("echo <!channel> ```*b* & \u{202e} {}; rm -rf /srv", "y".repeat(9000));
    asked.story.reason = "it loses <data>".to_owned();
    asked.risk = Risk::High;
    let id = world.ask(asked);
    let case = world.store.get(id, start()).unwrap().unwrap();
    let slack = message(Form::Slack, &case, Some("http://127.0.0.1:1/approvals/A1"));
    let text = slack.to_string();
    assert!(
        !text.contains("<!channel>") && text.contains("&lt;!channel&gt;") && !text.contains('\u{202e}'),
        "{text}"
    );
    assert!(text.contains("rm -rf /srv"), "the end is kept");
    for block in slack["blocks"].as_array().unwrap() {
        match block["type"].as_str().unwrap() {
            "header" => assert!(block["text"]["text"].as_str().unwrap().chars().count() <= 150),
            "section" => {
                assert!(block["text"]["text"].as_str().unwrap_or_default().chars().count() <= 3000);
                for field in block["fields"].as_array().into_iter().flatten() {
                    assert!(field["text"].as_str().unwrap().chars().count() <= 2000);
                }
            }
            "context" | "actions" => {}
            other => panic!("a block of kind {other}"),
        }
    }
    let teams = message(Form::Teams, &case, None);
    let card = &teams["attachments"][0]["content"];
    assert_eq!((card["type"].as_str(), card["version"].as_str()), (Some("AdaptiveCard"), Some("1.4")));
    assert!(teams.to_string().len() < 28_000 && card["actions"].as_array().unwrap().is_empty());
    assert!(card.to_string().contains("ambit approvals show A1"));
    let plain = message(Form::Plain, &case, None);
    assert_eq!(plain["digest"].as_str(), Some(case.request.digest.as_str()));
}
