//! Reading many records with their sealed values: both files once, from front to back. For whoever reads all of it, as
//! an index does; [`Reader::sealed`] is for single records.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::read::{Entry, Forward, Reader};
use crate::record::{Sealed, Stored};
use crate::sidecar::{Slot, Slots};

/// A record with its sealed values, or why they cannot be trusted.
pub type WithSealed = (Entry, Stored, Result<BTreeMap<String, Sealed>>);

/// Records in order with their sealed values. See [`Reader::forward_sealed`].
#[derive(Debug)]
pub struct ForwardSealed {
    reader: Reader,
    entries: Forward,
    /// The sidecar that is being read, and its segment.
    side: Option<(u64, Slots)>,
    /// A value that belongs to a later record.
    ahead: Option<Slot>,
}

impl Reader {
    /// From record `index` on, each record with its sealed values. It ends where the ledger ended when a segment's
    /// values were first read: ask for a new one when the ledger has grown.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn forward_sealed(&self, index: u64) -> Result<ForwardSealed> {
        Ok(ForwardSealed { reader: self.clone(), entries: self.forward(index)?, side: None, ahead: None })
    }
}

impl ForwardSealed {
    fn step(&mut self, entry: &Entry, record: &Stored) -> Result<BTreeMap<String, Sealed>> {
        let mut out: BTreeMap<_, _> =
            record.sealed.keys().map(|name| (name.clone(), Sealed::Erased)).collect();
        if out.is_empty() {
            return Ok(out);
        }
        if self.side.as_ref().is_none_or(|(segment, _)| *segment != entry.segment()) {
            self.side = Some((entry.segment(), self.reader.values_from(entry)?));
            self.ahead = None;
        }
        let Some((_, slots)) = &mut self.side else { return Ok(out) };
        let mut trouble = None;
        loop {
            let slot = match self.ahead.take() {
                Some(slot) => slot,
                None => match slots.next()? {
                    Some(slot) => slot,
                    None => break,
                },
            };
            if slot.index > entry.index() {
                self.ahead = Some(slot);
                break;
            }
            if slot.index < entry.index() {
                continue;
            }
            if let Some(committed) = record.sealed.get(&slot.name) {
                match slot.open(committed) {
                    Ok(value) => {
                        out.insert(slot.name.clone(), value);
                    }
                    Err(e) => trouble = Some(e),
                }
            }
        }
        trouble.map_or(Ok(out), Err)
    }
}

impl Iterator for ForwardSealed {
    type Item = Result<WithSealed>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = match self.entries.next()? {
            Ok(entry) => entry,
            Err(e) => return Some(Err(e)),
        };
        let record = match entry.record() {
            Ok(record) => record,
            Err(e) => return Some(Err(e)),
        };
        let sealed = self.step(&entry, &record);
        Some(Ok((entry, record, sealed)))
    }
}
