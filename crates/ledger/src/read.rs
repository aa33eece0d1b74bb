//! Reading: one record, forwards, backwards, and on as the ledger grows. Readers take no lock: a record that is being
//! written is not there yet.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use crate::error::{LedgerError, Result};
use crate::files::{Paths, length, open_read};
use crate::frame::{Frames, HEADER, Next};
use crate::offsets::{self, Mark};
use crate::record::{Sealed, Stored, peek_at, peek_index, peek_kind};
use crate::sidecar::{self, Slot};
use crate::tree::{Hash, leaf_hash};

/// A record as it lies in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    index: u64,
    segment: u64,
    line: Vec<u8>,
}

impl Entry {
    /// Its position in the ledger, from 0.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// First index of its segment.
    pub(crate) fn segment(&self) -> u64 {
        self.segment
    }

    /// The line: canonical JSON.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Its kind, without parsing the line.
    #[must_use]
    pub fn kind(&self) -> &str {
        peek_kind(&self.line).and_then(|kind| std::str::from_utf8(kind).ok()).unwrap_or_default()
    }

    /// Its time as text, without parsing the line.
    #[must_use]
    pub fn at(&self) -> &str {
        peek_at(&self.line).and_then(|at| std::str::from_utf8(at).ok()).unwrap_or_default()
    }

    /// Its leaf hash.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        leaf_hash(&self.line)
    }

    /// The record.
    ///
    /// # Errors
    /// [`LedgerError::Canonical`] if the line is no record, which only tampering brings about.
    pub fn record(&self) -> Result<Stored> {
        serde_json::from_slice(&self.line)
            .map_err(|source| LedgerError::Canonical { name: format!("record {}", self.index), source })
    }
}

/// Reads a ledger, also one that others write at the same time, or a copy.
#[derive(Debug, Clone)]
pub struct Reader {
    paths: Paths,
}

impl Reader {
    pub(crate) fn new(paths: Paths) -> Self {
        Self { paths }
    }

    /// Reads the ledger in `state`. A ledger that does not exist is empty.
    #[must_use]
    pub fn open(state: &Path) -> Self {
        Self::new(Paths::new(state))
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Number of records.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn len(&self) -> Result<u64> {
        match self.backward()?.next() {
            Some(entry) => Ok(entry?.index + 1),
            None => Ok(0),
        }
    }

    /// Whether there is no record.
    ///
    /// # Errors
    /// As [`Reader::len`].
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The best mark at or before `index` in a segment that points where it says.
    fn mark(&self, first: u64, index: u64) -> Result<(u64, Mark)> {
        let marks = offsets::marks(&self.paths, first)?;
        let mut best =
            marks.first().copied().unwrap_or((first, Mark { offset: 0, side: 0, latest: i64::MIN }));
        for (at, mark) in marks.iter().skip(1).rev().filter(|(at, _)| *at <= index) {
            if offsets::fits(&self.paths, first, *at, mark)? {
                best = (*at, *mark);
                break;
            }
        }
        Ok(best)
    }

    /// Record `index`, without reading more than a few hundred others.
    ///
    /// # Errors
    /// If the files cannot be read, or are damaged there.
    pub fn get(&self, index: u64) -> Result<Option<Entry>> {
        self.forward(index)?.next().transpose()
    }

    /// From record `index` on. The iterator ends where the ledger ends for now, and goes on when asked again after the
    /// ledger has grown: that is how to follow it.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn forward(&self, index: u64) -> Result<Forward> {
        let first = self.paths.segments()?.into_iter().rfind(|first| *first <= index);
        let mut forward =
            Forward { paths: self.paths.clone(), frames: None, next: 0, from: index, since: None };
        if let Some(first) = first {
            let (at, mark) = self.mark(first, index)?;
            forward.open(first, mark.offset, at)?;
        }
        Ok(forward)
    }

    /// All records of `since` or later; clocks that step back do not hide any.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn forward_since(&self, since: Timestamp) -> Result<Forward> {
        let micros = since.as_microsecond();
        let mut start = 0;
        for first in self.paths.segments()?.into_iter().rev() {
            let marks = offsets::marks(&self.paths, first)?;
            // All records before a mark are at most as late as its `latest`.
            if let Some((index, _)) = marks.iter().rev().find(|(_, mark)| mark.latest < micros) {
                start = *index;
                break;
            }
        }
        Ok(Forward { since: Some(crate::record::format_time(since)), ..self.forward(start)? })
    }

    /// From the last record back to the first, a few hundred at a time.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn backward(&self) -> Result<Backward> {
        let segments = self.paths.segments()?;
        Ok(Backward {
            paths: self.paths.clone(),
            newest: segments.last().copied(),
            segments,
            marks: Vec::new(),
            end: u64::MAX,
            block: Vec::new(),
            since: None,
        })
    }

    /// The sealed values of a record.
    ///
    /// # Errors
    /// [`LedgerError::Tampered`] if a value is not the one that was recorded.
    pub fn sealed(&self, entry: &Entry) -> Result<BTreeMap<String, Sealed>> {
        let record = entry.record()?;
        if record.sealed.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (_, mark) = self.mark(entry.segment, entry.index)?;
        sidecar::values(&self.paths, entry.segment, mark.side, entry.index, &record.sealed)
    }

    /// The sealed values of a record's segment, from some place at or before its own on.
    pub(crate) fn values_from(&self, entry: &Entry) -> Result<sidecar::Slots> {
        let (_, mark) = self.mark(entry.segment, entry.index)?;
        sidecar::Slots::open(&self.paths, entry.segment, mark.side)
    }

    /// Where the sealed values of a record lie.
    pub(crate) fn slots(&self, entry: &Entry) -> Result<Vec<Slot>> {
        let (_, mark) = self.mark(entry.segment, entry.index)?;
        sidecar::openings(&self.paths, entry.segment, mark.side, entry.index)
    }
}

/// Records in order. See [`Reader::forward`].
#[derive(Debug)]
pub struct Forward {
    paths: Paths,
    frames: Option<(u64, Frames)>,
    /// Index of the next record.
    next: u64,
    /// Records before this are passed over.
    from: u64,
    since: Option<String>,
}

impl Forward {
    fn open(&mut self, first: u64, offset: u64, index: u64) -> Result<bool> {
        let path = self.paths.segment(first);
        let Some(file) = open_read(&path)? else { return Ok(false) };
        let limit = length(&file, &path)?;
        self.frames = Some((first, Frames::new(file, path, offset.min(limit), limit)));
        self.next = index;
        Ok(true)
    }

    /// Goes on to the next segment, if there is one.
    fn advance(&mut self) -> Result<bool> {
        let current = self.frames.as_ref().map(|(first, _)| *first);
        let next =
            self.paths.segments()?.into_iter().find(|first| current.is_none_or(|current| *first > current));
        match next {
            Some(first) => self.open(first, 0, first),
            None => Ok(false),
        }
    }

    fn step(&mut self) -> Result<Option<Entry>> {
        loop {
            let Some((first, frames)) = &mut self.frames else {
                if self.advance()? {
                    continue;
                }
                return Ok(None);
            };
            match frames.next()? {
                Next::Frame { kind: HEADER, .. } => {}
                Next::Frame { .. } => {
                    let index = self.next;
                    self.next += 1;
                    let early = || {
                        let at = peek_at(frames.body());
                        self.since.as_ref().is_some_and(|since| at.is_some_and(|at| at < since.as_bytes()))
                    };
                    if index >= self.from && !early() {
                        return Ok(Some(Entry { index, segment: *first, line: frames.body().to_vec() }));
                    }
                }
                Next::End { .. } => {
                    // A segment grows no more once it has a successor, so look for growth after looking for that.
                    if !frames.refresh()? && !self.advance()? {
                        return Ok(None);
                    }
                }
                Next::Bad { offset } => {
                    let path = frames.path().clone();
                    if frames.skip()?.is_some() {
                        self.next = frames.peek().and_then(peek_index).unwrap_or(self.next).max(self.next);
                        return Err(LedgerError::Corrupt { path, offset });
                    }
                    if frames.refresh()? {
                        continue;
                    }
                    if self.advance()? {
                        return Err(LedgerError::Corrupt { path, offset });
                    }
                    return Ok(None);
                }
            }
        }
    }
}

impl Iterator for Forward {
    type Item = Result<Entry>;
    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// Records from the last to the first. See [`Reader::backward`].
#[derive(Debug)]
pub struct Backward {
    paths: Paths,
    /// Segments that are still to be read; the last one is being read while `marks` is not empty.
    segments: Vec<u64>,
    newest: Option<u64>,
    marks: Vec<(u64, Mark)>,
    /// Offset in bytes where the next block ends.
    end: u64,
    block: Vec<Result<Entry>>,
    /// In microseconds: stop where all records are older.
    since: Option<i64>,
}

impl Backward {
    /// Ends where all further records are older than `since`; some older ones may come before that.
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since.as_microsecond());
        self
    }

    fn step(&mut self) -> Result<Option<Entry>> {
        while self.block.is_empty() {
            let Some(first) = self.segments.last().copied() else { return Ok(None) };
            if self.marks.is_empty() {
                self.marks = offsets::marks(&self.paths, first)?;
                self.end = u64::MAX;
            }
            let Some((index, mark)) = self.marks.pop() else { return Ok(None) };
            if !self.marks.is_empty() && !offsets::fits(&self.paths, first, index, &mark)? {
                continue;
            }
            self.read_block(first, index, mark.offset)?;
            self.end = mark.offset;
            if self.marks.is_empty() {
                self.segments.pop();
            }
            if self.since.is_some_and(|since| mark.latest < since) {
                self.segments.clear();
                self.marks.clear();
            }
        }
        self.block.pop().transpose()
    }

    /// Reads from a mark up to where the last block began, or to the end of the segment.
    fn read_block(&mut self, first: u64, mut index: u64, offset: u64) -> Result<()> {
        let path = self.paths.segment(first);
        let Some(file) = open_read(&path)? else { return Ok(()) };
        let limit = length(&file, &path)?.min(self.end);
        let mut frames = Frames::new(file, path.clone(), offset.min(limit), limit);
        loop {
            match frames.next()? {
                Next::Frame { kind: HEADER, .. } => {}
                Next::Frame { .. } => {
                    self.block.push(Ok(Entry { index, segment: first, line: frames.body().to_vec() }));
                    index += 1;
                }
                Next::End { .. } => return Ok(()),
                Next::Bad { offset } => {
                    let skipped = frames.skip()?;
                    // At the very end it may be a record in the making.
                    if skipped.is_some() || limit == self.end || self.newest != Some(first) {
                        self.block.push(Err(LedgerError::Corrupt { path: path.clone(), offset }));
                    }
                    if skipped.is_none() {
                        return Ok(());
                    }
                    index = frames.peek().and_then(peek_index).unwrap_or(index).max(index);
                }
            }
        }
    }
}

impl Iterator for Backward {
    type Item = Result<Entry>;
    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
