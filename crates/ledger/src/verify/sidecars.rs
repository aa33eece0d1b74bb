//! Sealed values against the commitments in the records.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;

use crate::error::Result;
use crate::files::Paths;
use crate::read::Reader;
use crate::record::{Stored, commitment, peek_sealed};
use crate::sidecar::{Slot, Slots};

use super::report::{Fault, Severity};
use super::{Findings, finding};

pub(super) struct Sidecars {
    paths: Paths,
    slots: Option<Slots>,
    /// The next value, if it has been read already.
    ahead: Option<Slot>,
    /// Values that are gone or changed: whether they were there, and the place in the sidecar.
    gone: BTreeMap<(u64, String), (bool, u64, u64)>,
    /// Values whose erasure was recorded.
    erased: BTreeSet<(u64, String)>,
    first: u64,
    good: u64,
}

impl Sidecars {
    pub(super) fn new(paths: Paths) -> Self {
        Self {
            paths,
            slots: None,
            ahead: None,
            gone: BTreeMap::new(),
            erased: BTreeSet::new(),
            first: 0,
            good: 0,
        }
    }

    pub(super) fn enter(&mut self, first: u64) -> Result<()> {
        (self.slots, self.ahead, self.first) = (Some(Slots::open(&self.paths, first, 0)?), None, first);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Slot>> {
        match (self.ahead.take(), &mut self.slots) {
            (Some(slot), _) => Ok(Some(slot)),
            (None, Some(slots)) => slots.next(),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn record(&mut self, index: u64, line: &[u8], findings: &mut Findings) -> Result<()> {
        let mut wanted: BTreeMap<&str, &str> = peek_sealed(line).into_iter().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        while let Some(slot) = self.next()? {
            if slot.index > index {
                self.ahead = Some(slot);
                break;
            }
            let Some(hash) = wanted.get(slot.name.as_str()).filter(|_| slot.index == index) else {
                let what = format!("a sealed value `{}` belongs to no record", slot.name);
                let mend = "somebody wrote into the sidecar; the records do not depend on it";
                let found = finding(Fault::SealedChanged, Severity::Broken, what, mend);
                findings.add(found.at(self.first, slot.offset).record(slot.index));
                continue;
            };
            match &slot.opening {
                Some((salt, value)) if HEXLOWER.encode(&commitment(salt, value)) == **hash => self.good += 1,
                opening => {
                    let place = (opening.is_some(), self.first, slot.offset);
                    self.gone.insert((index, slot.name.clone()), place);
                }
            }
            wanted.remove(slot.name.as_str());
        }
        let end = self.slots.as_ref().map_or(0, Slots::offset);
        for name in wanted.keys() {
            self.gone.insert((index, (*name).to_owned()), (false, self.first, end));
        }
        Ok(())
    }

    pub(super) fn erased(&mut self, record: &Stored) {
        if let (Some(index), Some(field)) = (record.number("index"), record.text("field")) {
            self.erased.insert((index, field.to_owned()));
        }
    }

    /// Number of values that fit, and of those erased as recorded.
    pub(super) fn finish(self, reader: &Reader, findings: &mut Findings) -> (u64, u64) {
        let mut erased = 0;
        for ((index, name), (there, first, offset)) in &self.gone {
            let recorded = self.erased.contains(&(*index, name.clone()));
            let (fault, what, mend) = match (there, recorded) {
                (false, true) => {
                    erased += 1;
                    continue;
                }
                (true, true) => (Fault::NotErased, "was not erased to the end", "erase it again"),
                (true, false) => (
                    Fault::SealedChanged,
                    "is not the one that was recorded",
                    "it was tampered with: restore the sidecar from a backup",
                ),
                (false, false) => (
                    Fault::SealedMissing,
                    "is gone without a record of its erasure",
                    "restore the sidecar from a backup",
                ),
            };
            let severity = if fault == Fault::NotErased { Severity::Warning } else { Severity::Broken };
            let what = format!("the sealed value `{name}` of record {index} {what}");
            findings.add(finding(fault, severity, what, mend).at(*first, *offset).record(*index));
        }
        for (index, name) in self.erased.iter().filter(|key| !self.gone.contains_key(*key)) {
            let slots = match reader.get(*index) {
                Ok(Some(entry)) => reader.slots(&entry).unwrap_or_default(),
                _ => Vec::new(),
            };
            if slots.iter().any(|slot| slot.name == *name && slot.opening.is_some()) {
                let what =
                    format!("the sealed value `{name}` of record {index} is there although it was erased");
                let found = finding(Fault::NotErased, Severity::Warning, what, "erase it again");
                findings.add(found.record(*index));
            }
        }
        (self.good, erased)
    }
}
