//! Sparse offsets of a segment: every so many records, where the record and its sealed values lie. A help for readers
//! that costs nothing to lose: what does not fit is passed over, and reading starts further back.

use std::os::unix::fs::FileExt;

use crate::error::{Result, io_error};
use crate::files::{Paths, length, open_read, open_rw};
use crate::frame::{Frames, Next, RECORD};
use crate::record::peek_index;
use crate::walk::SegmentHeader;

/// One mark for so many records.
pub(crate) const EVERY: u64 = 256;
/// Bytes of one mark.
const SIZE: usize = 32;

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Offset of its frame in the segment.
    pub(crate) offset: u64,
    /// Length of the sidecar before it.
    pub(crate) side: u64,
    /// Latest time of the records before it, in microseconds since 1970.
    pub(crate) latest: i64,
}

impl Mark {
    fn encode(&self, index: u64) -> [u8; SIZE] {
        let mut out = [0; SIZE];
        let fields = [self.offset.to_le_bytes(), self.side.to_le_bytes(), self.latest.to_le_bytes()];
        let mut crc = crc32c::crc32c(&index.to_le_bytes());
        for (to, field) in out.chunks_exact_mut(8).zip(fields) {
            to.copy_from_slice(&field);
            crc = crc32c::crc32c_append(crc, &field);
        }
        if let Some(to) = out.get_mut(24..28) {
            to.copy_from_slice(&crc.to_le_bytes());
        }
        out
    }

    fn decode(bytes: &[u8], index: u64) -> Option<Self> {
        let field = |n: usize| -> Option<[u8; 8]> { bytes.get(n * 8..n * 8 + 8)?.try_into().ok() };
        let mark = Self {
            offset: u64::from_le_bytes(field(0)?),
            side: u64::from_le_bytes(field(1)?),
            latest: i64::from_le_bytes(field(2)?),
        };
        (mark.encode(index) == bytes).then_some(mark)
    }

    /// Notes that record `index` of the segment `first` lies here.
    pub(crate) fn write(&self, paths: &Paths, first: u64, index: u64) -> Result<()> {
        let path = paths.offsets(first);
        let at = (index - first) / EVERY * SIZE as u64;
        open_rw(&path)?.write_all_at(&self.encode(index), at).map_err(io_error("write", &path))
    }
}

/// The marks of a segment that fit it, with their indices, in order. The first stands for the segment's start.
pub(crate) fn marks(paths: &Paths, first: u64) -> Result<Vec<(u64, Mark)>> {
    let start = match SegmentHeader::read(paths, first)? {
        Some((header, offset)) => Mark { offset, side: 0, latest: header.latest },
        None => Mark { offset: 0, side: 0, latest: i64::MIN },
    };
    let mut out = vec![(first, start)];
    let path = paths.offsets(first);
    let Some(file) = open_read(&path)? else { return Ok(out) };
    let mut bytes = vec![0; usize::try_from(length(&file, &path)?).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0).map_err(io_error("read", &path))?;
    for (number, bytes) in (0_u64..).zip(bytes.chunks_exact(SIZE)).skip(1) {
        let index = first + number * EVERY;
        if let Some(mark) = Mark::decode(bytes, index) {
            out.push((index, mark));
        }
    }
    Ok(out)
}

/// Whether a mark points at the record it says.
pub(crate) fn fits(paths: &Paths, first: u64, index: u64, mark: &Mark) -> Result<bool> {
    let path = paths.segment(first);
    let Some(file) = open_read(&path)? else { return Ok(false) };
    let limit = length(&file, &path)?;
    let mut frames = Frames::small(file, path, mark.offset.min(limit), limit);
    let record = matches!(frames.next()?, Next::Frame { kind: RECORD, .. });
    Ok(record && peek_index(frames.body()) == Some(index))
}
