//! Finding the end of the ledger again when the head does not fit the segments.
//!
//! - Segments longer than the head says: a process died between writing a record and the head. Whole records count.
//! - Segments shorter than the head says: a power loss, or a cut. The last segment is read again from its header.
//! - Bytes at the very end that are no record: a torn write. They are moved to `torn/`.
//! - Bytes in the middle that are no record: damage, left where it is, and a fresh segment begins after it.
//!
//! All but the first leave a `ledger.torn` record, so no loss is silent.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::error::{LedgerError, Result, io_error};
use crate::files::{Paths, make_dir, write_whole};
use crate::head::Head;
use crate::kind::Kind;
use crate::record::{Record, peek_micros};
use crate::seal;
use crate::sidecar::Slots;
use crate::tree::{Frontier, leaf_hash};
use crate::walk::{Event, SegmentHeader, Walk, lost_leaf};

/// The end as it was found.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) head: Head,
    /// What has to be recorded about it.
    pub(crate) notes: Vec<Record>,
    /// Whether the last segment is damaged, so that a fresh one must begin.
    pub(crate) fresh: bool,
}

/// Goes on from a head that lags behind its segment.
pub(crate) fn roll_forward(paths: &Paths, head: Head) -> Result<Recovered> {
    let walk = Walk::from_offset(paths, head.first, head.offset, head.tree.size())?;
    follow(paths, walk, head)
}

/// Reads the last segment that has a header again; `None` if there are no segments at all.
/// `known` is the size that an intact head gave, to tell how much is missing; the last checkpoint may know of more.
pub(crate) fn rebuild(paths: &Paths, known: Option<u64>) -> Result<Option<Recovered>> {
    let segments = paths.segments()?;
    let Some(newest) = segments.last() else { return Ok(None) };
    for first in segments.iter().rev() {
        let Some((header, offset)) = SegmentHeader::read(paths, *first)? else { continue };
        let Some(tree) = header.tree() else { continue };
        let head = Head { first: *first, offset, side: 0, latest: header.latest, tree };
        let mut found = roll_forward(paths, head)?;
        let sealed = seal::last_checkpoint(paths)?.0.map(|note| note.checkpoint().size);
        let lost = known.max(sealed).unwrap_or(0).saturating_sub(found.head.tree.size());
        if lost > 0 {
            let kept = found.head.tree.size();
            found.notes.push(note("records are missing at the end").with("records", lost).with("kept", kept));
        }
        return Ok(Some(found));
    }
    let why = "no segment has a readable header".to_owned();
    Err(LedgerError::Unreadable { path: paths.segment(*newest), why })
}

fn note(why: &str) -> Record {
    Record::new(Kind::LEDGER_TORN).with("why", why)
}

fn follow(paths: &Paths, mut walk: Walk, mut head: Head) -> Result<Recovered> {
    let mut notes = Vec::new();
    let mut fresh = false;
    let lose = |tree: &mut Frontier, missing: u64| (0..missing).for_each(|_| tree.push(lost_leaf()));
    while let Some(event) = walk.next()? {
        match event {
            Event::Segment { missing, .. } => {
                fresh = false;
                lose(&mut head.tree, missing);
                if missing > 0 {
                    notes.push(note("records are missing between two segments").with("records", missing));
                }
            }
            Event::Header { .. } => {}
            Event::Record { .. } => {
                head.tree.push(leaf_hash(walk.body()));
                head.latest = head.latest.max(peek_micros(walk.body()).unwrap_or(i64::MIN));
            }
            Event::Span { first, offset, bytes, missing } => {
                fresh = true;
                lose(&mut head.tree, missing);
                let digest = digest(paths, first, offset, bytes)?;
                notes.push(place(note("bytes in the middle are no record"), first, offset, bytes, &digest));
            }
            Event::Tail { first, offset, bytes } => {
                let digest = set_aside(paths, first, offset, bytes)?;
                // A segment is made whole with its header; one that begins unreadable is of no use any more.
                fresh |= offset == 0;
                notes.push(place(note("a write was cut short"), first, offset, bytes, &digest));
            }
        }
    }
    if let Some((first, offset)) = walk.end {
        (head.first, head.offset) = (first, offset);
    }
    head.side = end_of_side(paths, &head)?;
    Ok(Recovered { head, notes, fresh })
}

fn place(record: Record, first: u64, offset: u64, bytes: u64, digest: &str) -> Record {
    record.with("segment", first).with("offset", offset).with("bytes", bytes).with("sha256", digest)
}

fn read(paths: &Paths, first: u64, offset: u64, bytes: u64) -> Result<Vec<u8>> {
    let path = paths.segment(first);
    let mut out = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
    fs::File::open(&path)
        .and_then(|file| file.read_exact_at(&mut out, offset))
        .map_err(io_error("read", &path))?;
    Ok(out)
}

fn digest(paths: &Paths, first: u64, offset: u64, bytes: u64) -> Result<String> {
    Ok(HEXLOWER.encode(&Sha256::digest(read(paths, first, offset, bytes)?)))
}

/// Moves the end of a segment into `torn/`: first the copy, on disk, then the cut.
fn set_aside(paths: &Paths, first: u64, offset: u64, bytes: u64) -> Result<String> {
    let torn = read(paths, first, offset, bytes)?;
    let digest = HEXLOWER.encode(&Sha256::digest(&torn));
    make_dir(&paths.torn())?;
    let short = digest.get(..16).unwrap_or_default();
    write_whole(&paths.torn().join(format!("{first:020}-{offset}-{short}.bin")), &torn)?;
    cut(&paths.segment(first), offset)?;
    Ok(digest)
}

fn cut(path: &std::path::Path, length: u64) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path).map_err(io_error("open", path))?;
    file.set_len(length).and_then(|()| file.sync_data()).map_err(io_error("cut", path))
}

/// Where the sidecar ends, after cutting off values of records that never came to be.
pub(crate) fn end_of_side(paths: &Paths, head: &Head) -> Result<u64> {
    let mut slots = Slots::open(paths, head.first, 0)?;
    let mut end = 0;
    while slots.next()?.is_some_and(|slot| slot.index < head.tree.size()) {
        end = slots.offset();
    }
    if slots.offset() > end || slots.left() > 0 {
        cut(&paths.side(head.first), end)?;
    }
    Ok(end)
}

/// The frame that begins a segment after `head`.
pub(crate) fn header_frame(head: &Head, origin: String) -> Vec<u8> {
    SegmentHeader::new(&head.tree, head.latest, origin).frame()
}
