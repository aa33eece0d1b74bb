//! The sidecar of a segment: the values of sealed fields with their salts. A value's frame is
//! `index u64 LE | length of name u8 | name | salt (16) | canonical JSON`; erasing overwrites salt and value with zeros
//! in place. What the file system or the drive keeps of old blocks is beyond this.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use data_encoding::HEXLOWER;

use crate::error::{LedgerError, Result, io_error};
use crate::files::{Paths, length, open_read};
use crate::frame::{self, ERASED, Frames, Next, PREFIX, VALUE};
use crate::record::{Opening, SALT, Sealed, commitment};

/// Appends the frames of a record's sealed values to `out`.
pub(crate) fn encode(index: u64, openings: &[Opening], out: &mut Vec<u8>) {
    for opening in openings {
        let mut body = index.to_le_bytes().to_vec();
        // Names have at most 64 bytes.
        body.push(u8::try_from(opening.name.len()).unwrap_or(u8::MAX));
        body.extend_from_slice(opening.name.as_bytes());
        body.extend_from_slice(&opening.salt);
        body.extend_from_slice(&opening.value);
        frame::encode(VALUE, &body, out);
    }
}

/// One value in a sidecar.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) offset: u64,
    pub(crate) index: u64,
    pub(crate) name: String,
    /// `None` once erased.
    pub(crate) opening: Option<(Vec<u8>, Vec<u8>)>,
    /// Bytes of the whole frame, and of those before the salt.
    size: (usize, usize),
}

impl Slot {
    fn parse(offset: u64, kind: u8, body: &[u8]) -> Option<Self> {
        let (index, rest) = body.split_at_checked(8)?;
        let (length, rest) = rest.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (salt, value) = rest.split_at_checked(SALT)?;
        Some(Self {
            offset,
            index: u64::from_le_bytes(index.try_into().ok()?),
            name: std::str::from_utf8(name).ok()?.to_owned(),
            opening: (kind == VALUE).then(|| (salt.to_vec(), value.to_vec())),
            size: (PREFIX + body.len(), PREFIX + 9 + name.len()),
        })
    }

    /// The value, if it is there and is the one that was recorded.
    pub(crate) fn open(&self, committed: &str) -> Result<Sealed> {
        let tampered = || LedgerError::Tampered { index: self.index, field: self.name.clone() };
        match &self.opening {
            None => Ok(Sealed::Erased),
            Some((salt, value)) if HEXLOWER.encode(&commitment(salt, value)) == committed => {
                serde_json::from_slice(value).map(Sealed::Value).map_err(|_| tampered())
            }
            Some(_) => Err(tampered()),
        }
    }
}

/// The values of a sidecar in order.
#[derive(Debug)]
pub(crate) struct Slots {
    frames: Option<Frames>,
}

impl Slots {
    /// From `offset` on; a sidecar that is not there has none.
    pub(crate) fn open(paths: &Paths, first: u64, offset: u64) -> Result<Self> {
        let path = paths.side(first);
        let Some(file) = open_read(&path)? else { return Ok(Self { frames: None }) };
        let limit = length(&file, &path)?;
        Ok(Self { frames: Some(Frames::new(file, path, offset.min(limit), limit)) })
    }

    /// Where reading stands, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.frames.as_ref().map_or(0, Frames::offset)
    }

    /// Bytes after the last value that could be read.
    pub(crate) fn left(&self) -> u64 {
        self.frames.as_ref().map_or(0, |frames| frames.limit().saturating_sub(frames.offset()))
    }

    /// The next value; `None` at the end, or where nothing more can be read.
    pub(crate) fn next(&mut self) -> Result<Option<Slot>> {
        let Some(frames) = &mut self.frames else { return Ok(None) };
        // An interrupted erasure leaves a checksum that does not fit; whether a value does, its commitment tells.
        let (offset, kind) = match frames.next()? {
            Next::Frame { offset, kind } => (offset, kind),
            Next::End { .. } => return Ok(None),
            Next::Bad { offset } => match frames.step_over() {
                Some(kind) => (offset, kind),
                None => return Ok(None),
            },
        };
        Ok(Slot::parse(offset, kind, frames.body()))
    }
}

/// The sealed values of record `index`, read from `offset` of the sidecar on.
pub(crate) fn values(
    paths: &Paths,
    first: u64,
    offset: u64,
    index: u64,
    committed: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Sealed>> {
    let mut out: BTreeMap<_, _> = committed.keys().map(|name| (name.clone(), Sealed::Erased)).collect();
    if committed.is_empty() {
        return Ok(out);
    }
    let mut slots = Slots::open(paths, first, offset)?;
    while let Some(slot) = slots.next()?.filter(|slot| slot.index <= index) {
        if let Some(hash) = committed.get(&slot.name).filter(|_| slot.index == index) {
            out.insert(slot.name.clone(), slot.open(hash)?);
        }
    }
    Ok(out)
}

/// The salts and values of record `index` as they lie there, for proofs that disclose them.
pub(crate) fn openings(paths: &Paths, first: u64, offset: u64, index: u64) -> Result<Vec<Slot>> {
    let mut slots = Slots::open(paths, first, offset)?;
    let mut out = Vec::new();
    while let Some(slot) = slots.next()?.filter(|slot| slot.index <= index) {
        if slot.index == index {
            out.push(slot);
        }
    }
    Ok(out)
}

/// Overwrites a value with zeros, on disk when this returns. Doing it twice does no harm.
pub(crate) fn erase(paths: &Paths, first: u64, slot: &Slot) -> Result<()> {
    let path = paths.side(first);
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(io_error("open", &path))?;
    let (size, keep) = slot.size;
    let mut bytes = vec![0; size];
    let kept = bytes.get_mut(..keep).unwrap_or_default();
    file.read_exact_at(kept, slot.offset).map_err(io_error("read", &path))?;
    let body = bytes.get(PREFIX..).unwrap_or_default();
    let mut frame = Vec::with_capacity(size);
    frame::encode(ERASED, body, &mut frame);
    file.write_all_at(&frame, slot.offset).and_then(|()| file.sync_data()).map_err(io_error("write", &path))
}
