//! Every class of tampering is found, each by the finding that names it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ledger::{
    Durability, Fault, Kind, Ledger, LedgerError, Options, PublicKey, Reader, Record, Report, Severity,
    SignedCheckpoint, VerifyOptions, verify, verify_proof,
};
use proptest::prelude::*;
use tempfile::TempDir;

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn record(n: i64) -> Record {
    Record::new(Kind::PROMPT).session("s").with("n", n).seal("text", format!("secret {n}"))
}

fn append(ledger: &Ledger, n: i64, durability: Durability) {
    let _ = ledger.append(&record(n), durability, t(n)).unwrap();
}

/// Twenty records, every fifth durable; index 0 is the ledger's own.
fn ledger_of(options: Options) -> (TempDir, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), options).unwrap();
    for n in 1..=20 {
        append(&ledger, n, if n % 5 == 0 { Durability::Durable } else { Durability::Relaxed });
    }
    (dir, ledger)
}

fn sample() -> (TempDir, Ledger) {
    ledger_of(Options::default())
}

fn check(dir: &Path) -> Report {
    verify(dir, &VerifyOptions::full(t(1000)), &mut |_| {}).unwrap()
}

fn file(dir: &Path, ending: &str) -> PathBuf {
    dir.join("ledger").join(format!("{:020}.{ending}", 0))
}

/// Offsets of all frames of the first segment, and its end.
fn frames(dir: &Path) -> Vec<usize> {
    let bytes = fs::read(file(dir, "seg")).unwrap();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        out.push(at);
        at += 9 + u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    }
    out.push(at);
    out
}

/// Writes a frame's checksum anew, as somebody who knows the format would.
fn mend_checksum(bytes: &mut [u8], at: usize) {
    let end = at + 9 + u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let crc = crc32c::crc32c(&bytes[at + 8..end]);
    bytes[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
}

fn change(path: &Path, with: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    with(&mut bytes);
    fs::write(path, bytes).unwrap();
}

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
fn untouched_is_sound() {
    let (dir, ledger) = ledger_of(Options { segment_bytes: 2000, ..Options::default() });
    let options = VerifyOptions { key: ledger.public_key().unwrap(), ..VerifyOptions::full(t(1000)) };
    let mut told = Vec::new();
    let report = verify(dir.path(), &options, &mut |progress| told.push(progress)).unwrap();
    assert_eq!(report.findings, []);
    assert!(report.intact());
    assert!(report.segments > 1);
    assert_eq!((report.records, report.unsealed.records, report.sealed), (21, 0, (20, 0)));
    assert_eq!(told.last().map(|p| (p.records, p.bytes == p.total)), Some((21, true)));
}

#[test]
fn the_unsealed_tail_is_told() {
    let (dir, ledger) = sample();
    for n in [20_i64, 20, 20] {
        let _ = ledger.append(&record(n), Durability::Relaxed, t(n)).unwrap();
    }
    let report = check(dir.path());
    assert!(report.intact());
    assert_eq!((report.unsealed.records, report.unsealed.oldest), (3, Some(980)));
}

#[test]
fn edit() {
    let (dir, _) = sample();
    let at = frames(dir.path())[8];
    change(&file(dir.path(), "seg"), |bytes| {
        let end = bytes[at..].windows(6).position(|w| w == b"\"n\":7}").unwrap() + at;
        bytes[end + 4] = b'8';
    });
    let report = check(dir.path());
    assert!(report.has(Fault::Unreadable), "{report:?}");
    // The same with the checksum made to fit.
    change(&file(dir.path(), "seg"), |bytes| mend_checksum(bytes, at));
    let report = check(dir.path());
    assert!(!report.has(Fault::Unreadable));
    assert!(report.has(Fault::RootMismatch) && report.has(Fault::WrongHead) && !report.intact());
    // It is found between the last checkpoint that fits and the first that does not.
    let found = report.findings.iter().find(|f| f.fault == Fault::RootMismatch).unwrap();
    assert_eq!(found.index, Some(7));
}

#[test]
fn delete() {
    let (dir, _) = sample();
    let at = frames(dir.path());
    change(&file(dir.path(), "seg"), |bytes| drop(bytes.drain(at[9]..at[10])));
    let report = check(dir.path());
    assert!(report.has(Fault::WrongIndex) && report.has(Fault::RootMismatch) && !report.intact());
}

#[test]
fn reorder() {
    let (dir, _) = sample();
    let at = frames(dir.path());
    change(&file(dir.path(), "seg"), |bytes| {
        let moved: Vec<u8> = bytes.drain(at[9]..at[10]).collect();
        let to = at[12] - moved.len();
        bytes.splice(to..to, moved);
    });
    let report = check(dir.path());
    assert!(report.has(Fault::WrongIndex) && report.has(Fault::RootMismatch) && !report.intact());
}

#[test]
fn truncate_past_a_checkpoint_even_with_the_head_made_to_fit() {
    let (dir, _) = sample();
    let at = frames(dir.path());
    fs::File::options().write(true).open(file(dir.path(), "seg")).unwrap().set_len(at[16] as u64).unwrap();
    let report = check(dir.path());
    assert!(report.has(Fault::Truncated) && report.has(Fault::WrongHead) && !report.intact());
    fs::remove_file(dir.path().join("ledger/head")).unwrap();
    assert!(!check(dir.path()).intact());
    // Going on after it does not hide it.
    let again = Ledger::open(dir.path(), Options::default()).unwrap();
    for n in 30..60 {
        append(&again, n, Durability::Durable);
    }
    let report = check(dir.path());
    assert!(report.has(Fault::RootMismatch) && report.has(Fault::Recorded) && !report.intact());
}

#[test]
fn a_power_loss_is_told_from_a_cut() {
    let (dir, ledger) = sample();
    append(&ledger, 30, Durability::Relaxed);
    append(&ledger, 40, Durability::Relaxed);
    let at = frames(dir.path());
    fs::File::options().write(true).open(file(dir.path(), "seg")).unwrap().set_len(at[23] as u64).unwrap();
    append(&ledger, 50, Durability::Durable);
    let report = check(dir.path());
    assert!(report.has(Fault::Recorded), "{report:?}");
    assert!(report.intact(), "{report:?}");
    assert_eq!(report.unsealed.records, 0);
    assert!(
        report.findings.iter().any(|f| f.severity == Severity::Warning && f.fault == Fault::RootMismatch)
    );
}

#[test]
fn rollback_to_an_old_copy_is_shown_by_a_remembered_checkpoint() {
    let (dir, ledger) = sample();
    let old = copy(dir.path());
    for n in 21..=30 {
        append(&ledger, n, Durability::Durable);
    }
    let remembered: Vec<SignedCheckpoint> = ledger.reader().checkpoint().unwrap().into_iter().collect();
    assert_eq!(remembered[0].checkpoint().size, 31);
    let with = |dir: &Path| {
        let options = VerifyOptions { remembered: remembered.clone(), ..VerifyOptions::default() };
        verify(dir, &options, &mut |_| {}).unwrap()
    };
    assert!(check(old.path()).intact(), "nothing in the copy itself can show it");
    let report = with(old.path());
    assert!(report.has(Fault::Rollback) && !report.intact());
    // Nor does it help to write on.
    let fork = Ledger::open(old.path(), Options::default()).unwrap();
    for n in 41..=60 {
        append(&fork, n, Durability::Durable);
    }
    assert!(with(old.path()).has(Fault::Rollback));
    assert!(with(dir.path()).intact());
}

#[test]
fn fork() {
    let (dir, ledger) = sample();
    let other = copy(dir.path());
    append(&ledger, 21, Durability::Durable);
    let fork = Ledger::open(other.path(), Options::default()).unwrap();
    append(&fork, 99, Durability::Durable);
    // Whoever keeps both checkpoints sees it.
    let theirs: Vec<_> = fork.reader().checkpoint().unwrap().into_iter().collect();
    let options = VerifyOptions { remembered: theirs, ..VerifyOptions::default() };
    let report = verify(dir.path(), &options, &mut |_| {}).unwrap();
    assert!(report.has(Fault::Fork) && report.has(Fault::Rollback) && !report.intact());
    // So does whoever finds both in one file.
    let more = fs::read(other.path().join("ledger/checkpoints")).unwrap();
    change(&dir.path().join("ledger/checkpoints"), |bytes| bytes.extend_from_slice(&more));
    assert!(check(dir.path()).has(Fault::Fork));
}

#[test]
fn head_edit() {
    let (dir, ledger) = sample();
    let head = dir.path().join("ledger/head");
    change(&head, |bytes| bytes[60] ^= 1);
    assert!(check(dir.path()).has(Fault::NoHead));
    change(&head, |bytes| {
        // Fixed fields and the three hashes of a tree of 21; what follows is left from longer heads.
        let end = 48 + 3 * 32;
        let crc = crc32c::crc32c(&bytes[..end]);
        bytes[end..end + 4].copy_from_slice(&crc.to_le_bytes());
    });
    let report = check(dir.path());
    assert!(report.has(Fault::WrongHead) && !report.intact());
    // Records that follow a false head are sealed falsely, which shows for ever.
    append(&ledger, 21, Durability::Durable);
    fs::remove_file(&head).unwrap();
    append(&ledger, 22, Durability::Durable);
    assert!(check(dir.path()).has(Fault::RootMismatch));
}

#[test]
fn torn_tail() {
    let (dir, ledger) = sample();
    change(&file(dir.path(), "seg"), |bytes| bytes.extend_from_slice(&[40, 0, 0, 0, 9, 9]));
    let report = check(dir.path());
    assert!(report.has(Fault::TornTail) && report.intact());
    append(&ledger, 21, Durability::Durable);
    let report = check(dir.path());
    assert!(report.has(Fault::Recorded) && !report.has(Fault::TornTail) && report.intact());
}

#[test]
fn sidecar_edit_and_removal() {
    let (dir, ledger) = sample();
    let side = file(dir.path(), "side");
    let original = fs::read(&side).unwrap();
    change(&side, |bytes| {
        let at = bytes.windows(8).position(|w| w == b"secret 7").unwrap();
        bytes[at + 7] = b'9';
    });
    let report = check(dir.path());
    assert!(report.has(Fault::SealedChanged) && !report.intact());
    assert_eq!(report.findings[0].index, Some(7));
    fs::write(&side, &original[..original.len() / 2]).unwrap();
    assert!(check(dir.path()).has(Fault::SealedMissing));
    fs::remove_file(&side).unwrap();
    let report = check(dir.path());
    assert!(report.has(Fault::SealedMissing) && !report.intact());
    fs::write(&side, &original).unwrap();
    // Erased properly, it is in order; put back, it is not.
    let _ = ledger.erase(7, "text", "asked", Record::new(Kind::LEDGER_ERASED), t(30)).unwrap();
    let report = check(dir.path());
    assert_eq!((report.findings.len(), report.sealed), (0, (19, 1)), "{report:?}");
    fs::write(&side, &original).unwrap();
    assert!(check(dir.path()).has(Fault::NotErased));
}

#[test]
fn removed_segment_and_edited_header() {
    let (dir, _) = ledger_of(Options { segment_bytes: 1500, ..Options::default() });
    let mut segments: Vec<_> = fs::read_dir(dir.path().join("ledger"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "seg"))
        .collect();
    segments.sort();
    let bytes = fs::read(&segments[1]).unwrap();
    change(&segments[1], |bytes| {
        let at = bytes.windows(9).position(|w| w == b"\"latest\":").unwrap();
        bytes[at + 9] ^= 1;
        mend_checksum(bytes, 0);
    });
    assert!(check(dir.path()).has(Fault::WrongHeader));
    fs::write(&segments[1], bytes).unwrap();
    fs::remove_file(&segments[1]).unwrap();
    let report = check(dir.path());
    assert!(report.has(Fault::MissingRecords) && report.has(Fault::RootMismatch) && !report.intact());
}

#[test]
fn key_rotation_and_theft_of_the_new_key() {
    let (dir, ledger) = sample();
    let first = ledger.public_key().unwrap().unwrap();
    let old = copy(dir.path());
    let second = ledger.rotate_key(t(30)).unwrap();
    assert_ne!(first, second);
    append(&ledger, 31, Durability::Durable);
    let options = VerifyOptions { key: Some(first.clone()), ..VerifyOptions::full(t(1000)) };
    assert_eq!(verify(dir.path(), &options, &mut |_| {}).unwrap().findings, []);
    assert_eq!(ledger.reader().keys().unwrap(), [first.clone(), second.clone()]);
    let wrong = VerifyOptions { key: Some(second), ..VerifyOptions::default() };
    assert!(verify(dir.path(), &wrong, &mut |_| {}).unwrap().has(Fault::BadKeys));
    // The old key, kept by a thief, seals nothing any more.
    fs::copy(old.path().join("keys/ledger.key"), dir.path().join("keys/ledger.key")).unwrap();
    append(&ledger, 32, Durability::Durable);
    let report = check(dir.path());
    assert!(report.has(Fault::BadSignature) && !report.intact());
    // The new key, stolen, cannot sign the past again: an older ledger under it does not begin with the known key.
    let thief = tempfile::tempdir().unwrap();
    fs::create_dir(thief.path().join("keys")).unwrap();
    fs::copy(dir.path().join("keys/ledger.key"), thief.path().join("keys/ledger.key")).unwrap();
    let rewritten = Ledger::open(thief.path(), Options::default()).unwrap();
    append(&rewritten, 1, Durability::Durable);
    let report = check(thief.path());
    assert!(report.has(Fault::BegunAnew));
}

#[test]
fn an_interrupted_rotation_is_settled() {
    for recorded in [true, false] {
        let (dir, ledger) = sample();
        let old = fs::read(dir.path().join("keys/ledger.key")).unwrap();
        let before = ledger.public_key().unwrap();
        let new = ledger.rotate_key(t(30)).unwrap();
        fs::rename(dir.path().join("keys/ledger.key"), dir.path().join("keys/ledger.next")).unwrap();
        if recorded {
            fs::write(dir.path().join("keys/ledger.key"), vec![0; old.len()]).unwrap();
        } else {
            // Another ledger of the same key, where the change never got into the record.
            let (other, _) = sample();
            fs::remove_dir_all(dir.path().join("ledger")).unwrap();
            fs::rename(other.path().join("ledger"), dir.path().join("ledger")).unwrap();
            fs::copy(other.path().join("keys/ledger.key"), dir.path().join("keys/ledger.key")).unwrap();
        }
        let ledger = Ledger::open(dir.path(), Options::default()).unwrap();
        append(&ledger, 40, Durability::Durable);
        assert!(!dir.path().join("keys/ledger.next").exists());
        let key: Option<PublicKey> = ledger.public_key().unwrap();
        assert_eq!(key == Some(new), recorded);
        assert_ne!(key, before);
        assert_eq!(check(dir.path()).findings, []);
    }
}

#[test]
fn half_a_checkpoint_is_set_aside() {
    let (dir, ledger) = sample();
    let path = dir.path().join("ledger/checkpoints");
    let whole = fs::read(&path).unwrap();
    for cut in (whole.len() - 200..whole.len()).step_by(9) {
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(check(dir.path()).intact(), "{cut}");
    }
    append(&ledger, 21, Durability::Durable);
    let report = check(dir.path());
    assert_eq!(report.findings, []);
    assert!(fs::read_dir(dir.path().join("ledger/torn")).unwrap().count() > 0);
}

#[test]
fn calls_without_decision_or_outcome() {
    let (dir, ledger) = sample();
    let put = |kind: Kind, call: &str, name: &str, value: &str, at: i64| {
        let record = Record::new(kind).session("s").call(call).with(name, value);
        let _ = ledger.append(&record, Durability::Relaxed, t(at)).unwrap();
    };
    for (call, at) in [("whole", 30), ("killed", 30), ("running", 990)] {
        put(Kind::DECISION, call, "verdict", "allow", at);
    }
    put(Kind::DECISION, "denied", "verdict", "deny", 30);
    put(Kind::DECISION, "ran anyway", "verdict", "deny", 30);
    put(Kind::DECISION, "asked", "verdict", "ask", 30);
    put(Kind::APPROVAL_DECIDED, "asked", "decision", "deny", 31);
    for call in ["whole", "bypassed", "ran anyway"] {
        put(Kind::OUTCOME, call, "status", "ok", 32);
    }
    let options = VerifyOptions { grace: 60, ..VerifyOptions::full(t(1000)) };
    let report = verify(dir.path(), &options, &mut |_| {}).unwrap();
    let of = |fault| -> Vec<&str> {
        let of = report.findings.iter().filter(|f| f.fault == fault);
        of.map(|f| f.what.split('`').nth(1).unwrap()).collect()
    };
    assert_eq!(of(Fault::NoOutcome), ["killed"]);
    assert_eq!(of(Fault::NoDecision), ["bypassed", "ran anyway"]);
    assert_eq!(report.calls, 7);
}

#[test]
fn proofs_stand_alone() {
    let (dir, ledger) = ledger_of(Options { segment_bytes: 1500, ..Options::default() });
    let key = ledger.public_key().unwrap().unwrap();
    for index in 0..=20 {
        let disclose: &[&str] = if index > 0 { &["text"] } else { &[] };
        let proof = ledger.reader().prove(index, disclose).unwrap();
        let json = serde_json::to_string(&proof).unwrap();
        assert!(json.len() < 2048, "{}", json.len());
        let proof = serde_json::from_str(&json).unwrap();
        let proven = verify_proof(&proof, Some(&key)).unwrap();
        assert_eq!(proven.record.index, index);
        if index > 0 {
            assert_eq!(proven.disclosed["text"], format!("secret {index}"));
        }
        let mut other = proof.clone();
        other.line = other.line.replacen("\"at\":\"20", "\"at\":\"21", 1);
        assert!(matches!(verify_proof(&other, None), Err(LedgerError::BadProof(_))));
        let mut other = proof.clone();
        other.index += 1;
        assert!(verify_proof(&other, None).is_err());
        if let Some(open) = proof.disclosed.get("text") {
            let mut other = proof.clone();
            let value = open.value.replace("secret", "public");
            other.disclosed.get_mut("text").unwrap().value = value;
            assert!(matches!(verify_proof(&other, None), Err(LedgerError::Tampered { .. })));
        }
    }
    let (_kept, stranger) = sample();
    let proof = ledger.reader().prove(3, &[]).unwrap();
    assert!(verify_proof(&proof, stranger.public_key().unwrap().as_ref()).is_err());
    // A proof outlives the erasure of what it does not disclose.
    let _ = ledger.erase(3, "text", "asked", Record::new(Kind::LEDGER_ERASED), t(50)).unwrap();
    verify_proof(&proof, Some(&key)).unwrap();
    assert!(matches!(ledger.reader().prove(3, &["text"]), Err(LedgerError::NoSuchField { .. })));
    let _ = ledger.append(&record(50), Durability::Relaxed, t(50)).unwrap();
    assert!(matches!(ledger.reader().prove(22, &[]), Err(LedgerError::NotSealed(22))));
    // Checkpoints follow from one another.
    let size = Reader::open(dir.path()).checkpoint().unwrap().unwrap().checkpoint().clone();
    let path = ledger.reader().prove_consistency(21, size.size).unwrap();
    let before = proof.checkpoint.checkpoint();
    assert!(ledger::tree::consistent(before.size, &before.root, size.size, &size.root, &path));
    assert!(!ledger::tree::consistent(before.size, &[0; 32], size.size, &size.root, &path));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is appended verifies, and any byte changed in a sealed segment is found.
    #[test]
    fn round_trip_and_any_changed_byte(
        texts in proptest::collection::vec("\\PC{0,60}", 1..12), segment in 300_u64..3000, seed in any::<usize>(), flip in 1_u8..
    ) {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(dir.path(), Options { segment_bytes: segment, ..Options::default() }).unwrap();
        for (n, text) in texts.iter().enumerate() {
            let durability = if n + 1 == texts.len() { Durability::Durable } else { Durability::Relaxed };
            let record = Record::new(Kind::PROMPT).with("text", text.as_str()).seal("hidden", text.as_str());
            let _ = ledger.append(&record, durability, t(0)).unwrap();
        }
        let report = check(dir.path());
        prop_assert_eq!(&report.findings, &[]);
        prop_assert_eq!(report.records, texts.len() as u64 + 1);
        let mut segments: Vec<_> = fs::read_dir(dir.path().join("ledger")).unwrap().map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "seg" || e == "side")).collect();
        segments.sort();
        let path = &segments[seed % segments.len()];
        change(path, |bytes| {
            let at = seed / 7 % bytes.len();
            bytes[at] ^= flip;
        });
        // A checksum in a sidecar is the one thing that nothing depends on.
        let side = path.extension().is_some_and(|e| e == "side");
        prop_assert!(side || !check(dir.path()).intact());
    }
}
