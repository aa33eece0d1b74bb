//! Many processes append at once, and some are killed in the middle of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use ledger::{Durability, Fault, Kind, Ledger, Options, Reader, Record, VerifyOptions, verify};

const CHILDREN: u64 = 8;
const DIRECTORY: &str = "LEDGER_TEST_DIRECTORY";

fn options() -> Options {
    Options { segment_bytes: 64 << 10, lock_wait: Duration::from_secs(30), ..Options::default() }
}

/// Not a test of its own: what each child process runs.
#[test]
#[ignore = "run by the others as a process of its own"]
fn child() {
    let Ok(dir) = std::env::var(DIRECTORY) else { return };
    let id: u64 = std::env::var("LEDGER_TEST_CHILD").unwrap().parse().unwrap();
    let count: u64 = std::env::var("LEDGER_TEST_COUNT").unwrap().parse().unwrap();
    let ledger = Ledger::open(Path::new(&dir), options()).unwrap();
    for n in 0..count {
        let durability = if n % 10 == 9 { Durability::Durable } else { Durability::Relaxed };
        let record = Record::new(Kind::PROMPT).with("child", id).with("n", n).seal("text", "x".repeat(300));
        let _ = ledger.append(&record, durability, Timestamp::now()).unwrap();
    }
}

fn spawn(dir: &Path, id: u64, count: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child", "--nocapture"])
        .env(DIRECTORY, dir)
        .env("LEDGER_TEST_CHILD", id.to_string())
        .env("LEDGER_TEST_COUNT", count.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What each child has in the ledger, in order.
fn found(dir: &Path) -> BTreeMap<u64, Vec<u64>> {
    let mut out: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for entry in Reader::open(dir).forward(0).unwrap() {
        let record = entry.unwrap().record().unwrap();
        if let Some(child) = record.number("child") {
            out.entry(child).or_default().push(record.number("n").unwrap());
        }
    }
    out
}

#[test]
fn eight_processes_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..CHILDREN).map(|id| spawn(dir.path(), id, 200)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let found = found(dir.path());
    assert_eq!(found.len() as u64, CHILDREN);
    for numbers in found.values() {
        assert_eq!(*numbers, (0..200).collect::<Vec<_>>());
    }
    let report = verify(dir.path(), &VerifyOptions::full(Timestamp::now()), &mut |_| {}).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!((report.records, report.sealed), (CHILDREN * 200 + 1, (CHILDREN * 200, 0)));
    assert!(report.segments > 1);
}

#[test]
fn killed_processes_leave_a_sound_ledger() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..6_u64 {
        let mut children: Vec<_> =
            (0..CHILDREN).map(|id| spawn(dir.path(), round * 100 + id, u64::MAX)).collect();
        std::thread::sleep(Duration::from_millis(150 + 70 * round));
        for child in &mut children {
            // SIGKILL: nothing in the child can tidy up.
            child.kill().unwrap();
        }
        for mut child in children {
            child.wait().unwrap();
        }
    }
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    let last = ledger.append(&Record::new(Kind::SESSION_END), Durability::Durable, Timestamp::now()).unwrap();
    let report = verify(dir.path(), &VerifyOptions::full(Timestamp::now()), &mut |_| {}).unwrap();
    assert!(report.intact(), "{:?}", report.findings);
    let recorded = BTreeSet::from([Fault::Recorded, Fault::BadCheckpoint]);
    assert!(report.findings.iter().all(|f| recorded.contains(&f.fault)), "{:?}", report.findings);
    assert_eq!((report.records, report.unsealed.records), (last.index() + 1, 0));
    assert!(report.records > 100, "the children hardly ran: {}", report.records);
    // What a child wrote is there without a gap up to where it was killed.
    for (child, numbers) in found(dir.path()) {
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "child {child}");
    }
}
