//! Appending, reading back, recovering.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ledger::{Durability, Entry, Kind, Ledger, LedgerError, Options, Query, Reader, Record, Sealed};
use tempfile::TempDir;

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn open(dir: &TempDir) -> Ledger {
    Ledger::open(dir.path(), Options::default()).unwrap()
}

fn small() -> Options {
    Options { segment_bytes: 4096, ..Options::default() }
}

fn prompt(n: u64) -> Record {
    Record::new(Kind::PROMPT).session(format!("s{}", n % 3)).with("n", n).seal("text", format!("secret {n}"))
}

fn fill(ledger: &Ledger, count: u64) {
    for n in 0..count {
        let _ = ledger.append(&prompt(n), Durability::Relaxed, t(n.try_into().unwrap())).unwrap();
    }
}

fn all(dir: &Path) -> Vec<Entry> {
    Reader::open(dir).forward(0).unwrap().map(Result::unwrap).collect()
}

fn numbers(dir: &Path) -> Vec<u64> {
    all(dir).iter().filter_map(|e| e.record().unwrap().number("n")).collect()
}

fn torn(dir: &Path) -> usize {
    all(dir).iter().filter(|e| e.kind() == "ledger.torn").count()
}

fn last_segment(dir: &Path) -> PathBuf {
    let mut names: Vec<_> = fs::read_dir(dir.join("ledger"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "seg"))
        .collect();
    names.sort();
    names.pop().unwrap()
}

#[test]
fn what_goes_in_comes_out() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(&dir);
    assert!(ledger.reader().is_empty().unwrap());
    let recorded = ledger
        .append(
            &Record::new(Kind::DECISION)
                .session("s")
                .call("c")
                .agent("claude-code")
                .subject("p1")
                .with("verdict", "allow")
                .seal("command", "rm -rf build"),
            Durability::Durable,
            t(0),
        )
        .unwrap();
    assert_eq!(recorded.index(), 1);
    let entry = ledger.reader().get(1).unwrap().unwrap();
    assert_eq!(&entry.leaf(), recorded.leaf());
    let stored = entry.record().unwrap();
    assert_eq!((stored.kind, stored.at, stored.index), (Kind::DECISION, t(0), 1));
    assert_eq!(stored.call.as_deref(), Some("c"));
    let sealed = ledger.reader().sealed(&entry).unwrap();
    assert_eq!(sealed["command"], Sealed::Value("rm -rf build".into()));
    assert!(!String::from_utf8_lossy(entry.line()).contains("build"));
    assert_eq!(ledger.reader().get(0).unwrap().unwrap().kind(), "ledger.created");
    assert!(ledger.reader().get(2).unwrap().is_none());
    let key = ledger.public_key().unwrap().unwrap();
    assert_eq!(
        ledger.reader().get(0).unwrap().unwrap().record().unwrap().text("key"),
        Some(&*key.to_string())
    );
}

#[test]
fn reads_across_segments_both_ways() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), Options { segment_bytes: 100_000, ..Options::default() }).unwrap();
    fill(&ledger, 1500);
    let forward = all(dir.path());
    assert_eq!(forward.len(), 1501);
    assert!(forward.iter().zip(0..).all(|(e, n)| e.index() == n));
    let mut backward: Vec<_> = ledger.reader().backward().unwrap().map(Result::unwrap).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    for index in [0, 1, 255, 256, 257, 700, 1499, 1500] {
        let entry = ledger.reader().get(index).unwrap().unwrap();
        assert_eq!(entry, forward[usize::try_from(index).unwrap()]);
        if index > 0 {
            let value = Sealed::Value(format!("secret {}", index - 1).into());
            assert_eq!(ledger.reader().sealed(&entry).unwrap()["text"], value);
        }
    }
    // The marks are only a help.
    for file in fs::read_dir(dir.path().join("ledger")).unwrap().map(|e| e.unwrap().path()) {
        if file.extension().is_some_and(|e| e == "idx") {
            let length = fs::metadata(&file).unwrap().len();
            fs::write(&file, vec![7; usize::try_from(length).unwrap()]).unwrap();
        }
    }
    assert_eq!(ledger.reader().get(1499).unwrap().unwrap(), forward[1499]);
    assert_eq!(ledger.reader().backward().unwrap().map(Result::unwrap).next().unwrap(), forward[1500]);
}

#[test]
fn queries() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), Options { segment_bytes: 50_000, ..Options::default() }).unwrap();
    fill(&ledger, 900);
    // A clock that steps back must not hide a record.
    let _ = ledger.append(&prompt(10_000), Durability::Relaxed, t(5)).unwrap();
    let reader = ledger.reader();
    let n = |query: Query| -> Vec<u64> {
        let mut newest: Vec<_> =
            reader.find_newest(clone(&query)).unwrap().map(|hit| hit.unwrap().1.index).collect();
        newest.reverse();
        let hits: Vec<_> = reader.find(query).unwrap().map(|hit| hit.unwrap().1).collect();
        assert_eq!(newest, hits.iter().map(|r| r.index).collect::<Vec<_>>());
        hits.iter().filter_map(|r| r.number("n")).collect()
    };
    let session = Query { session: Some("s1".into()), ..Query::default() };
    assert_eq!(n(session), (0..900).filter(|n| n % 3 == 1).chain([10_000]).collect::<Vec<_>>());
    let late = Query { since: Some(t(890)), ..Query::default() };
    assert_eq!(n(late), (890..900).collect::<Vec<_>>());
    let early = Query { until: Some(t(7)), since: Some(t(4)), ..Query::default() };
    assert_eq!(n(early), [4, 5, 6, 10_000]);
    let kind = Query { kinds: vec![Kind::LEDGER_CREATED], ..Query::default() };
    assert_eq!(reader.find(kind).unwrap().count(), 1);
    let own = Query {
        predicate: Some(Box::new(|r| r.number("n").is_some_and(|n| n % 100 == 7))),
        ..Query::default()
    };
    assert_eq!(reader.find(own).unwrap().count(), 9);
    let nobody = Query { subject: Some("s1".into()), ..Query::default() };
    assert_eq!(n(nobody), [] as [u64; 0]);
}

fn clone(query: &Query) -> Query {
    Query {
        session: query.session.clone(),
        subject: query.subject.clone(),
        since: query.since,
        until: query.until,
        ..Query::default()
    }
}

#[test]
fn following_goes_on_as_the_ledger_grows() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), small()).unwrap();
    let mut follow = ledger.reader().forward(0).unwrap();
    assert!(follow.next().is_none());
    let mut seen = 0;
    for round in 0..10 {
        fill(&ledger, 7);
        for entry in follow.by_ref() {
            assert_eq!(entry.unwrap().index(), seen, "round {round}");
            seen += 1;
        }
        assert!(follow.next().is_none());
    }
    assert_eq!(seen, 71);
}

#[test]
fn erased_values_are_gone_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(&dir);
    fill(&ledger, 3);
    let record =
        ledger.erase(2, "text", "asked by the person", Record::new(Kind::LEDGER_ERASED), t(9)).unwrap();
    assert_eq!(ledger.reader().get(record.index()).unwrap().unwrap().kind(), "ledger.erased");
    let value = |index| {
        let reader = ledger.reader();
        reader.sealed(&reader.get(index).unwrap().unwrap()).unwrap()["text"].clone()
    };
    assert_eq!(value(1), Sealed::Value("secret 0".into()));
    assert_eq!(value(2), Sealed::Erased);
    assert_eq!(value(3), Sealed::Value("secret 2".into()));
    let side = fs::read(last_segment(dir.path()).with_extension("side")).unwrap();
    assert!(!String::from_utf8_lossy(&side).contains("secret 1"));
    assert!(matches!(
        ledger.erase(2, "nothing", "", Record::new(Kind::LEDGER_ERASED), t(9)),
        Err(LedgerError::NoSuchField { .. })
    ));
    assert!(matches!(
        ledger.erase(99, "text", "", Record::new(Kind::LEDGER_ERASED), t(9)),
        Err(LedgerError::NoSuchRecord(99))
    ));
}

#[test]
fn a_changed_sealed_value_is_tampering() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(&dir);
    fill(&ledger, 1);
    let path = last_segment(dir.path()).with_extension("side");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 2;
    bytes[end] ^= 1;
    fs::write(&path, bytes).unwrap();
    let reader = ledger.reader();
    let entry = reader.get(1).unwrap().unwrap();
    assert!(matches!(reader.sealed(&entry), Err(LedgerError::Tampered { index: 1, .. })));
}

/// A copy of the state, so that one ledger serves for many cuts.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for part in ["ledger", "keys"] {
        fs::create_dir(to.path().join(part)).unwrap();
        for file in fs::read_dir(from.join(part)).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file())
        {
            fs::copy(&file, to.path().join(part).join(file.file_name().unwrap())).unwrap();
        }
    }
    to
}

#[test]
fn cut_at_every_byte_of_the_last_three_records() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(&dir);
    fill(&ledger, 7);
    let before = fs::metadata(last_segment(dir.path())).unwrap().len();
    let mut ends = vec![before];
    for n in 7..10 {
        let _ = ledger.append(&prompt(n), Durability::Relaxed, t(n.try_into().unwrap())).unwrap();
        ends.push(fs::metadata(last_segment(dir.path())).unwrap().len());
    }
    let cuts: Vec<_> = (before..=ends[3]).flat_map(|cut| [(cut, true), (cut, false)]).collect();
    // Most of it is waiting for the disk.
    std::thread::scope(|scope| {
        for part in cuts.chunks(cuts.len().div_ceil(16)) {
            let (dir, ends) = (dir.path(), &ends);
            scope.spawn(move || part.iter().for_each(|(cut, head)| cut_at(dir, *cut, *head, ends)));
        }
    });
}

fn cut_at(dir: &Path, cut: u64, head: bool, ends: &[u64]) {
    let state = copy(dir);
    let segment = last_segment(state.path());
    fs::File::options().write(true).open(&segment).unwrap().set_len(cut).unwrap();
    if !head {
        fs::remove_file(state.path().join("ledger/head")).unwrap();
    }
    let again = Ledger::open(state.path(), Options::default()).unwrap();
    let _ = again.append(&prompt(100), Durability::Relaxed, t(100)).unwrap();
    let kept = ends.iter().filter(|end| **end <= cut).count() as u64 - 1;
    let expected: Vec<_> = (0..7 + kept).chain([100]).collect();
    assert_eq!(numbers(state.path()), expected, "cut at {cut}");
    let clean = ends.contains(&cut);
    // Without a head, the last checkpoint knows how many there were.
    let lost = ends.last().is_some_and(|end| cut < *end);
    assert_eq!(torn(state.path()), usize::from(!clean) + usize::from(lost), "cut at {cut}");
    let aside = fs::read_dir(state.path().join("ledger/torn")).map_or(0, Iterator::count);
    assert_eq!(aside, usize::from(!clean), "cut at {cut}");
    for entry in all(state.path()) {
        let values = again.reader().sealed(&entry).unwrap();
        assert!(values.values().all(|v| matches!(v, Sealed::Value(_))), "cut at {cut}");
    }
}

#[test]
fn a_record_without_its_head_counts() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(&dir);
    fill(&ledger, 3);
    let head = fs::read(dir.path().join("ledger/head")).unwrap();
    fill(&ledger, 2);
    fs::write(dir.path().join("ledger/head"), &head).unwrap();
    fill(&ledger, 1);
    assert_eq!(numbers(dir.path()), [0, 1, 2, 0, 1, 0]);
    assert_eq!(torn(dir.path()), 0);
    // And with half a record after it.
    fs::write(dir.path().join("ledger/head"), &head).unwrap();
    let mut bytes = fs::read(last_segment(dir.path())).unwrap();
    bytes.extend_from_slice(&[200, 0, 0, 0, 1, 2]);
    fs::write(last_segment(dir.path()), bytes).unwrap();
    fill(&ledger, 1);
    assert_eq!(numbers(dir.path()), [0, 1, 2, 0, 1, 0, 0]);
    assert_eq!(torn(dir.path()), 1);
}

#[test]
fn an_old_head_does_not_overwrite_later_segments() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), small()).unwrap();
    let mut heads = Vec::new();
    for n in 0..60 {
        let _ = ledger.append(&prompt(n), Durability::Relaxed, t(0)).unwrap();
        heads.push(fs::read(dir.path().join("ledger/head")).unwrap());
    }
    for head in heads {
        let state = copy(dir.path());
        fs::write(state.path().join("ledger/head"), head).unwrap();
        let again = Ledger::open(state.path(), small()).unwrap();
        let _ = again.append(&prompt(100), Durability::Relaxed, t(1)).unwrap();
        assert_eq!(numbers(state.path()), (0..60).chain([100]).collect::<Vec<_>>());
        let distinct: BTreeSet<_> = all(state.path()).iter().map(Entry::index).collect();
        assert_eq!(distinct.len(), 62);
    }
}

#[test]
fn damage_in_the_middle_stays_and_a_fresh_segment_begins() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(&dir);
    fill(&ledger, 9);
    let segment = last_segment(dir.path());
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    fs::remove_file(dir.path().join("ledger/head")).unwrap();
    fill(&ledger, 1);
    assert_ne!(last_segment(dir.path()), segment);
    assert_eq!(fs::read(&segment).unwrap(), bytes);
    let entries: Vec<_> = ledger.reader().forward(0).unwrap().collect();
    assert_eq!(entries.iter().filter(|e| matches!(e, Err(LedgerError::Corrupt { .. }))).count(), 1);
    let last = entries.last().unwrap().as_ref().unwrap();
    assert_eq!(last.index(), 11);
    assert_eq!(ledger.reader().backward().unwrap().filter(Result::is_err).count(), 1);
    assert_eq!(ledger.reader().get(10).unwrap().unwrap().kind(), "ledger.torn");
}

#[test]
fn a_stuck_process_is_an_error_not_a_hang() {
    let dir = tempfile::tempdir().unwrap();
    let ledger =
        Ledger::open(dir.path(), Options { lock_wait: Duration::from_millis(30), ..Options::default() })
            .unwrap();
    fill(&ledger, 1);
    let stuck = fs::File::open(dir.path().join("ledger/lock")).unwrap();
    stuck.lock().unwrap();
    let failed = ledger.append(&prompt(1), Durability::Relaxed, t(1));
    assert!(matches!(failed, Err(LedgerError::Busy { .. })));
    drop(stuck);
    fill(&ledger, 1);
}

#[test]
fn a_missing_key_fails_closed() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(&dir);
    fill(&ledger, 1);
    fs::remove_file(dir.path().join("keys/ledger.key")).unwrap();
    let failed = ledger.append(&prompt(1), Durability::Durable, t(1));
    assert!(matches!(failed, Err(LedgerError::KeyMissing(_))));
    fs::write(dir.path().join("keys/ledger.key"), "nonsense").unwrap();
    let failed = ledger.append(&prompt(1), Durability::Durable, t(1));
    assert!(matches!(failed, Err(LedgerError::KeyDamaged(_))));
}

#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(&dir);
    fill(&ledger, 2);
    for part in ["ledger", "keys"] {
        assert_eq!(fs::metadata(dir.path().join(part)).unwrap().permissions().mode() & 0o777, 0o700);
        for file in fs::read_dir(dir.path().join(part)).unwrap() {
            assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}

#[test]
fn threads_of_one_process_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), small()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let ledger = &ledger;
            scope.spawn(move || {
                for n in 0..50 {
                    let durability = if n % 10 == 0 { Durability::Durable } else { Durability::Relaxed };
                    let _ = ledger.append(&prompt(thread * 50 + n), durability, t(0)).unwrap();
                }
            });
        }
    });
    let found: BTreeSet<_> = numbers(dir.path()).into_iter().collect();
    assert_eq!(found, (0..200).collect());
    let start = t(0) - SignedDuration::from_secs(1);
    assert_eq!(ledger.reader().forward_since(start).unwrap().count(), 201);
}
