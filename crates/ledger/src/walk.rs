//! One pass over segments, for whoever has to rebuild the tree: verification, recovery and proofs.
//!
//! Position is what counts: record *n* is the n-th leaf. Where bytes cannot be read, the records that must have been
//! there (known from the index of the next one) are stood in for by the leaf of an empty line, which no record can have.
//! So the tree after the damage is well defined, never equal to the true one, and every checkpoint over it tells.

use std::collections::VecDeque;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::error::{LedgerError, Result};
use crate::files::{Paths, length, open_read};
use crate::frame::{self, Frames, Next};
use crate::record::peek_index;
use crate::tree::{Frontier, Hash, leaf_hash};

/// More missing records than this are not stood in for.
const MAX_MISSING: u64 = 1 << 24;
/// No frame of a record is shorter than this, in bytes.
const MIN_FRAME: u64 = 64;

/// First frame of a segment: where it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentHeader {
    /// Index of its first record.
    pub(crate) first: u64,
    /// The tree over all records before, largest subtree first, in hexadecimal.
    frontier: Vec<String>,
    /// Latest time of the records before, in microseconds since 1970.
    pub(crate) latest: i64,
    /// Name of the ledger.
    pub(crate) origin: String,
    /// Version of the format.
    v: u32,
}

impl SegmentHeader {
    pub(crate) fn new(tree: &Frontier, latest: i64, origin: String) -> Self {
        let frontier = tree.peaks().iter().map(|hash| HEXLOWER.encode(hash)).collect();
        Self { first: tree.size(), frontier, latest, origin, v: 1 }
    }

    /// The whole frame.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // A struct of numbers and strings always has a JSON form.
        frame::encode(frame::HEADER, &serde_json::to_vec(self).unwrap_or_default(), &mut out);
        out
    }

    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().filter(|header: &Self| header.v == 1)
    }

    pub(crate) fn tree(&self) -> Option<Frontier> {
        let hash = |text: &String| Hash::try_from(HEXLOWER.decode(text.as_bytes()).ok()?).ok();
        Frontier::from_parts(self.first, self.frontier.iter().map(hash).collect::<Option<_>>()?)
    }

    /// Reads the header of a segment, with the offset of the first record; `None` if there is none that fits.
    pub(crate) fn read(paths: &Paths, first: u64) -> Result<Option<(Self, u64)>> {
        let path = paths.segment(first);
        let Some(file) = open_read(&path)? else { return Ok(None) };
        let limit = length(&file, &path)?;
        let mut frames = Frames::small(file, path, 0, limit);
        let Next::Frame { kind: frame::HEADER, .. } = frames.next()? else { return Ok(None) };
        let header = Self::parse(frames.body()).filter(|header| header.first == first);
        Ok(header.map(|header| (header, frames.offset())))
    }
}

/// The leaf that stands in for a record that cannot be read.
pub(crate) fn lost_leaf() -> Hash {
    leaf_hash(b"")
}

/// What the pass meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// Another segment begins. `expected` is the index that should come; `missing` records are stood in for.
    Segment { first: u64, expected: u64, missing: u64 },
    /// The header of the segment; [`Walk::body`] has it.
    Header { first: u64, offset: u64 },
    /// A record; [`Walk::body`] has its line.
    Record { first: u64, offset: u64, index: u64, kind: u8 },
    /// Unreadable bytes with records after them; `missing` records are stood in for.
    Span { first: u64, offset: u64, bytes: u64, missing: u64 },
    /// Unreadable bytes at the very end.
    Tail { first: u64, offset: u64, bytes: u64 },
}

/// The pass.
#[derive(Debug)]
pub(crate) struct Walk {
    paths: Paths,
    rest: VecDeque<u64>,
    current: Option<(u64, Frames)>,
    /// Index of the next record.
    pub(crate) position: u64,
    /// The last segment that was entered, and where its readable part ends.
    pub(crate) end: Option<(u64, u64)>,
    /// The last segment and its length when the pass began, if it must not read further.
    stop: Option<(u64, u64)>,
}

impl Walk {
    /// Over the whole ledger from the segment that begins with `first`, which is record `first`. `stop` is the last
    /// segment and how many bytes of it to read.
    pub(crate) fn from_segment(paths: &Paths, first: u64, stop: Option<(u64, u64)>) -> Result<Self> {
        let rest = paths.segments()?.into_iter();
        let rest = rest.filter(|s| *s >= first && stop.is_none_or(|(last, _)| *s <= last)).collect();
        Ok(Self { paths: paths.clone(), rest, current: None, position: first, end: None, stop })
    }

    /// On from a place within a segment, where record `position` comes next.
    pub(crate) fn from_offset(paths: &Paths, first: u64, offset: u64, position: u64) -> Result<Self> {
        let mut walk = Self::from_segment(paths, first, None)?;
        walk.rest.retain(|segment| *segment > first);
        walk.position = position;
        walk.open(first, offset)?;
        Ok(walk)
    }

    fn open(&mut self, first: u64, offset: u64) -> Result<()> {
        let path = self.paths.segment(first);
        let Some(file) = open_read(&path)? else {
            return Err(LedgerError::Unreadable { path, why: "it has just gone".to_owned() });
        };
        let length = length(&file, &path)?;
        let limit = self.stop.filter(|(last, _)| *last == first).map_or(length, |(_, end)| end.min(length));
        self.current = Some((first, Frames::new(file, path, offset, limit)));
        self.end = Some((first, offset));
        Ok(())
    }

    /// Body of the header or record of the last event.
    pub(crate) fn body(&self) -> &[u8] {
        self.current.as_ref().map(|(_, frames)| frames.body()).unwrap_or_default()
    }

    /// What comes next; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Event>> {
        loop {
            let Some((first, frames)) = &mut self.current else {
                let Some(first) = self.rest.pop_front() else { return Ok(None) };
                let expected = self.position;
                let missing = first.checked_sub(expected).filter(|gap| *gap <= MAX_MISSING).unwrap_or(0);
                self.position += missing;
                self.open(first, 0)?;
                return Ok(Some(Event::Segment { first, expected, missing }));
            };
            let first = *first;
            match frames.next()? {
                Next::Frame { offset, kind: frame::HEADER } => {
                    self.end = Some((first, frames.offset()));
                    return Ok(Some(Event::Header { first, offset }));
                }
                Next::Frame { offset, kind } => {
                    self.end = Some((first, frames.offset()));
                    let index = self.position;
                    self.position += 1;
                    return Ok(Some(Event::Record { first, offset, index, kind }));
                }
                Next::End { .. } => self.current = None,
                Next::Bad { offset } => return self.bad(offset).map(Some),
            }
        }
    }

    fn bad(&mut self, offset: u64) -> Result<Event> {
        let Some((first, frames)) = &mut self.current else {
            return Ok(Event::Tail { first: 0, offset, bytes: 0 });
        };
        let first = *first;
        if let Some(bytes) = frames.skip()? {
            let next = frames.peek().and_then(peek_index).unwrap_or(self.position);
            // More records than the bytes can have held are not believed.
            let missing =
                next.checked_sub(self.position).filter(|gap| *gap <= bytes / MIN_FRAME + 1).unwrap_or(0);
            self.position += missing;
            return Ok(Event::Span { first, offset, bytes, missing });
        }
        let bytes = frames.limit().saturating_sub(offset);
        self.current = None;
        match self.rest.front() {
            None => Ok(Event::Tail { first, offset, bytes }),
            Some(next) => {
                let missing =
                    next.checked_sub(self.position).filter(|gap| *gap <= bytes / MIN_FRAME + 1).unwrap_or(0);
                self.position += missing;
                Ok(Event::Span { first, offset, bytes, missing })
            }
        }
    }
}
