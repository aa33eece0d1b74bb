//! Reading all of a ledger with its sealed values gives what reading each record does.

use jiff::Timestamp;
use ledger::{Durability, Kind, Ledger, Options, Reader, Record};

#[test]
fn all_at_once_is_as_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let now = Timestamp::UNIX_EPOCH;
    // Small segments, so that several are gone through.
    let options = Options { segment_bytes: 16 << 10, ..Options::default() };
    let ledger = Ledger::open(dir.path(), options).unwrap();
    let mut erasable = Vec::new();
    for number in 0..700_u32 {
        let mut record = Record::new(Kind::DECISION).with("number", number);
        if number % 3 != 0 {
            record = record.seal("command", format!("make {number}")).seal("person", "ana");
        }
        let index = ledger.append(&record, Durability::Relaxed, now).unwrap().index();
        if number % 100 == 1 && number % 3 != 0 {
            erasable.push(index);
        }
    }
    for index in erasable {
        let record = Record::new(Kind::LEDGER_ERASED);
        let _recorded = ledger.erase(index, "command", "a test", record, now).unwrap();
    }
    let reader = Reader::open(dir.path());
    let len = reader.len().unwrap();
    for from in [0, 1, 255, 256, 257, 500, len - 1, len] {
        let mut next = from;
        for found in reader.forward_sealed(from).unwrap() {
            let (entry, record, sealed) = found.unwrap();
            assert_eq!((entry.index(), record.index), (next, next));
            assert_eq!(sealed.unwrap(), reader.sealed(&entry).unwrap(), "record {next}");
            next += 1;
        }
        assert_eq!(next, len, "from {from}");
    }
}
