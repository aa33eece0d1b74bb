//! Many people, calls and clocks at once, some of them killed: no call runs without exactly one consent of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{after, exact, simple, start};
use approvals::{Channel, Choice, Decision, State, Store, Use, What};

const DIRECTORY: &str = "APPROVALS_TEST_DIRECTORY";
const NAME: &str = "APPROVALS_TEST_NAME";
const COUNT: &str = "APPROVALS_TEST_COUNT";
const REQUESTS: u64 = 25;

/// Small, repeatable, good enough to mix.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn command(number: u64) -> String {
    format!("command {number}")
}

/// Where each call that ran is noted, after its consent was got: what the agent would do.
fn ran(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("ran-{name}"))
}

/// Not a test of its own: decides, uses, asks and lets time pass, all at random.
#[test]
#[ignore = "run by the others as a process of its own"]
fn child() {
    let Ok(dir) = std::env::var(DIRECTORY) else { return };
    let dir = Path::new(&dir);
    let name = std::env::var(NAME).unwrap();
    let count: u64 = std::env::var(COUNT).unwrap().parse().unwrap();
    let mut dice =
        Dice(0x9e37_79b9_7f4a_7c15 ^ (name.parse::<u64>().unwrap() + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
    let store = Store::open(dir).unwrap();
    let mut out = std::fs::OpenOptions::new().create(true).append(true).open(ran(dir, &name)).unwrap();
    for n in 0..count {
        let number = dice.roll(REQUESTS) + 1;
        let id = format!("A{number}").parse().unwrap();
        // Some clocks are late: past the request's own time, nothing may be decided.
        let now = after(if dice.roll(20) == 0 { 601 } else { 30 });
        match dice.roll(10) {
            0..3 => drop(store.decide(id, Decision::approve("ann", Channel::Terminal), now)),
            3 => drop(store.decide(id, Decision::deny("ann", Channel::Terminal, None), now)),
            4 => drop(store.decide(id, Decision::approve("mallory", Channel::Terminal), now)),
            5 if dice.roll(8) == 0 => drop(store.close(id, now)),
            _ => {
                let by = Use { call: Some(format!("{name}-{n}")), subagent: None };
                // What is asked for may differ from what was agreed to by the time it runs.
                let changed = dice.roll(4) == 0;
                let mut action = exact("s", &command(number));
                if changed {
                    action.targets.push("changed meanwhile".to_owned());
                }
                if let Ok(Some(consent)) = store.consume(&action, &by, now) {
                    assert!(!changed, "a changed action ran");
                    writeln!(out, "{}", consent.id()).unwrap();
                }
            }
        }
    }
}

fn spawn(dir: &Path, name: u64, count: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "races::child", "--nocapture"])
        .env(DIRECTORY, dir)
        .env(NAME, name.to_string())
        .env(COUNT, count.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// A place where many small writes to disk cost little, if there is one.
fn world() -> (tempfile::TempDir, Store) {
    let fast = Path::new("/dev/shm");
    let dir = if fast.is_dir() { tempfile::tempdir_in(fast) } else { tempfile::tempdir() }.unwrap();
    let store = Store::open(dir.path()).unwrap();
    for number in 1..=REQUESTS {
        let (case, new) = store.ask(simple("s", &command(number)), start()).unwrap();
        assert!(new && case.request.id.to_string() == format!("A{number}"));
    }
    (dir, store)
}

fn all_ran(dir: &Path, names: u64) -> BTreeMap<String, u32> {
    let mut ran_by = BTreeMap::new();
    for name in 0..names {
        let text = std::fs::read_to_string(ran(dir, &name.to_string())).unwrap_or_default();
        for id in text.lines() {
            *ran_by.entry(id.to_owned()).or_insert(0) += 1;
        }
    }
    ran_by
}

/// Replays a request by the rules, without the code under test: the state when it was used.
fn check(case: &approvals::Case, ran: u32) {
    let id = case.request.id;
    let mut agreed = false;
    let mut over = false;
    let mut uses = 0;
    for entry in &case.entries {
        match &entry.what {
            What::Decided(d) => {
                assert_eq!(d.account, "ann", "{id}: somebody else's decision was written");
                assert!(!over, "{id}: decided after its end");
                match d.choice {
                    Choice::Approve => {
                        assert!(!agreed && entry.at < case.request.question.expires_at, "{id}");
                        agreed = true;
                    }
                    Choice::Deny => over = true,
                }
            }
            What::Used(_) => {
                assert!(agreed && !over, "{id}: used without a consent");
                uses += 1;
                over = true;
            }
            What::Closed => over = true,
        }
    }
    assert!(uses <= 1 && ran <= uses, "{id}: ran {ran} times by {uses} consents");
}

#[test]
fn a_thousand_decisions_and_uses_at_once() {
    let (dir, store) = world();
    let children: Vec<_> = (0..8).map(|name| spawn(dir.path(), name, 250)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let ran = all_ran(dir.path(), 8);
    let mut used = 0;
    for case in store.history(100, after(30)).unwrap() {
        let times = ran.get(&case.request.id.to_string()).copied().unwrap_or(0);
        check(&case, times);
        // Nobody was killed: what was used up ran.
        assert_eq!(times, case.uses);
        used += case.uses;
    }
    assert_eq!(ran.values().sum::<u32>(), used);
    assert!(used >= 5, "the test is of no use if nothing ran: {used}");
    assert!(store.damaged(after(30)).unwrap().is_empty());
}

#[test]
fn killed_anywhere_nothing_decided_is_lost_and_nothing_else_runs() {
    let (dir, store) = world();
    let mut dice = Dice(42);
    let start = Instant::now();
    let mut names = 0;
    while names < 40 && start.elapsed() < Duration::from_secs(40) {
        let mut children: Vec<_> = (0..4).map(|more| spawn(dir.path(), names + more, 100_000)).collect();
        names += 4;
        std::thread::sleep(Duration::from_millis(30 + dice.roll(120)));
        for child in &mut children {
            // SIGKILL, wherever it is.
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(store.damaged(after(30)).unwrap().is_empty(), "a killed process leaves whole files or none");
    }
    let ran = all_ran(dir.path(), names);
    let cases = store.history(100, after(30)).unwrap();
    assert_eq!(cases.len() as u64, REQUESTS, "no request is lost");
    for case in &cases {
        check(case, ran.get(&case.request.id.to_string()).copied().unwrap_or(0));
    }
    assert!(cases.iter().any(|c| c.uses == 1));
    // Those that still wait can still be decided and used, once.
    for case in cases.iter().filter(|c| !c.state.settled()) {
        let id = case.request.id;
        if case.state == State::Pending {
            store.decide(id, Decision::approve("ann", Channel::Terminal), after(31)).unwrap();
        }
        let number = id.to_string().trim_start_matches('A').parse().unwrap();
        let by = Use { call: None, subagent: None };
        assert!(store.consume(&exact("s", &command(number)), &by, after(32)).unwrap().is_some());
        assert!(store.consume(&exact("s", &command(number)), &by, after(32)).unwrap().is_none());
    }
}

#[test]
fn threads_that_want_the_same_consent_get_one() {
    let (dir, store) = world();
    for number in 1..=10 {
        let id = format!("A{number}").parse().unwrap();
        store.decide(id, Decision::approve("ann", Channel::Console), after(1)).unwrap();
        let got: usize = std::thread::scope(|scope| {
            let try_it = || {
                let store = Store::open(dir.path()).unwrap();
                let by = Use { call: None, subagent: None };
                usize::from(store.consume(&exact("s", &command(number)), &by, after(2)).unwrap().is_some())
            };
            let threads: Vec<_> = (0..100).map(|_| scope.spawn(try_it)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(got, 1);
    }
}

#[test]
fn many_that_ask_at_once_get_names_of_their_own() {
    let (dir, _) = world();
    let mut ids: Vec<String> = std::thread::scope(|scope| {
        let ask = |thread: u64| {
            let store = Store::open(dir.path()).unwrap();
            let one = |n: u64| {
                store.ask(simple("t", &command(1000 * thread + n)), start()).unwrap().0.request.id.to_string()
            };
            (0..10).map(one).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (1..=8).map(|t| scope.spawn(move || ask(t))).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 80);
}
