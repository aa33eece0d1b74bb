//! Frames: `length u32 LE | crc32c u32 LE | kind u8 | body`. The checksum covers kind and body and finds accidents;
//! tampering is found by the tree over the bodies.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use memchr::memmem;

use crate::error::{Result, io_error};

/// First frame of a segment: where it stands in the ledger.
pub(crate) const HEADER: u8 = 0;
/// A record: one line of canonical JSON.
pub(crate) const RECORD: u8 = 1;
/// A sealed value.
pub(crate) const VALUE: u8 = 2;
/// The place of a sealed value that was erased.
pub(crate) const ERASED: u8 = 3;

/// Bytes before the body.
pub(crate) const PREFIX: usize = 9;
/// Longest body in bytes: larger lengths are taken for damage.
pub(crate) const MAX_BODY: usize = 16 << 20;
/// How much is read at once, in bytes.
const CHUNK: usize = 256 << 10;
/// Every record begins so: the envelope's first field is `agent` or `at`.
const RECORD_START: &[u8] = b"{\"a";

fn checksum(kind: u8, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[kind]), body)
}

/// Appends one frame to `out`.
pub(crate) fn encode(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    // Bodies are limited to MAX_BODY when they are made, far below u32::MAX.
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&checksum(kind, body).to_le_bytes());
    out.push(kind);
    out.extend_from_slice(body);
}

/// What bytes are, taken as a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A whole frame: its kind, the size of its body, and whether the checksum fits.
    Whole { kind: u8, body: usize, intact: bool },
    /// A frame may begin here, but bytes are missing; this many are needed in all.
    Short(usize),
    /// No frame begins here.
    Bad,
}

/// Reads the frame at the start of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let (Some(length), Some(crc), Some(kind)) = (u32_at(bytes, 0), u32_at(bytes, 4), bytes.get(8)) else {
        return Parsed::Short(PREFIX);
    };
    let body = length as usize;
    if body == 0 || body > MAX_BODY {
        return Parsed::Bad;
    }
    match bytes.get(PREFIX..PREFIX + body) {
        None => Parsed::Short(PREFIX + body),
        Some(line) => Parsed::Whole { kind: *kind, body, intact: checksum(*kind, line) == crc },
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// Where the next intact record begins, if any.
pub(crate) fn resync(bytes: &[u8]) -> Option<usize> {
    memmem::find_iter(bytes, RECORD_START).find_map(|at| {
        let start = at.checked_sub(PREFIX)?;
        let intact = matches!(parse(bytes.get(start..)?), Parsed::Whole { kind: RECORD, intact: true, .. });
        intact.then_some(start)
    })
}

/// What comes next in a file of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// An intact frame; [`Frames::body`] has what is in it.
    Frame { offset: u64, kind: u8 },
    /// The limit, right after an intact frame.
    End { offset: u64 },
    /// Bytes that are no intact frame; reading stays here until [`Frames::skip`].
    Bad { offset: u64 },
}

/// Reads frames one after the other up to a limit, holding about one chunk in memory.
#[derive(Debug)]
pub(crate) struct Frames {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Where in the buffer reading stands.
    at: usize,
    /// Where in the buffer the body of the last frame begins; it ends at `at`.
    body: usize,
    /// Offset in the file of the buffer's start.
    base: u64,
    limit: u64,
    /// How much is read at once, in bytes.
    chunk: usize,
}

impl Frames {
    /// Reads `file` from `offset` to `limit`, both in bytes.
    pub(crate) fn new(file: File, path: PathBuf, offset: u64, limit: u64) -> Self {
        Self { file, path, buffer: Vec::new(), at: 0, body: 0, base: offset, limit, chunk: CHUNK }
    }

    /// The same in small bites, for those who want one frame.
    pub(crate) fn small(file: File, path: PathBuf, offset: u64, limit: u64) -> Self {
        Self { chunk: 4 << 10, ..Self::new(file, path, offset, limit) }
    }

    /// How far reading goes.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Where reading stands, in bytes from the start of the file.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Looks at the file's length again; true if there may be more to read than before. What was read ahead is
    /// forgotten, since its last frame may have been in the making.
    pub(crate) fn refresh(&mut self) -> Result<bool> {
        let length = self.file.metadata().map_err(io_error("look at", &self.path))?.len();
        let grown = length > self.limit;
        self.limit = self.limit.max(length);
        self.base = self.offset();
        (self.at, self.body) = (0, 0);
        self.buffer.clear();
        Ok(grown)
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// Reads ahead until `wanted` bytes are there or the limit is met.
    fn fill(&mut self, wanted: usize) -> Result<()> {
        let have = self.buffer.len() - self.at.min(self.buffer.len());
        if have >= wanted {
            return Ok(());
        }
        self.buffer.drain(..self.at.min(self.buffer.len()));
        self.base += self.at as u64;
        (self.at, self.body) = (0, 0);
        let end = self.base + have as u64;
        let room = usize::try_from(self.limit.saturating_sub(end)).unwrap_or(usize::MAX);
        let more = (wanted - have).max(self.chunk).min(room);
        self.buffer.resize(have + more, 0);
        let mut filled = have;
        while let Some(target) = self.buffer.get_mut(filled..).filter(|target| !target.is_empty()) {
            let count =
                self.file.read_at(target, self.base + filled as u64).map_err(io_error("read", &self.path))?;
            if count == 0 {
                break;
            }
            filled += count;
        }
        self.buffer.truncate(filled);
        Ok(())
    }

    /// Body of the frame that was read last.
    pub(crate) fn body(&self) -> &[u8] {
        self.buffer.get(self.body..self.at).unwrap_or_default()
    }

    /// After [`Frames::skip`]: the body of the record that comes next.
    pub(crate) fn peek(&self) -> Option<&[u8]> {
        match parse(self.rest()) {
            Parsed::Whole { body, .. } => self.rest().get(PREFIX..PREFIX + body),
            _ => None,
        }
    }

    /// The next frame, and the reason if there is none.
    pub(crate) fn next(&mut self) -> Result<Next> {
        let mut parsed = parse(self.rest());
        if let Parsed::Short(_) = parsed {
            self.fill(PREFIX)?;
            parsed = parse(self.rest());
            if let Parsed::Short(wanted) = parsed {
                self.fill(wanted)?;
                parsed = parse(self.rest());
            }
        }
        let offset = self.offset();
        match parsed {
            Parsed::Whole { kind, body, intact: true } => {
                self.body = self.at + PREFIX;
                self.at = self.body + body;
                Ok(Next::Frame { offset, kind })
            }
            Parsed::Short(_) if self.rest().is_empty() => Ok(Next::End { offset }),
            _ => Ok(Next::Bad { offset }),
        }
    }

    /// After [`Next::Bad`]: if a frame of plausible length is there whose checksum does not fit, steps over it, so that
    /// [`Frames::body`] has its body, and tells its kind.
    pub(crate) fn step_over(&mut self) -> Option<u8> {
        match parse(self.rest()) {
            Parsed::Whole { kind, body, .. } => {
                self.body = self.at + PREFIX;
                self.at = self.body + body;
                Some(kind)
            }
            _ => None,
        }
    }

    /// After [`Next::Bad`]: goes on to the next intact record and tells how many bytes were passed over;
    /// `None`, staying where it is, if there is no intact record before the limit.
    pub(crate) fn skip(&mut self) -> Result<Option<u64>> {
        self.fill(usize::try_from(self.limit.saturating_sub(self.offset())).unwrap_or(usize::MAX))?;
        // A damaged frame may hold what looks like one, so its own first byte is passed over at least.
        let found = self.rest().get(1..).and_then(resync);
        Ok(found.map(|distance| {
            self.at += distance + 1;
            distance as u64 + 1
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn frames(bytes: &[u8]) -> Frames {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Frames::new(file, PathBuf::from("x"), 0, bytes.len() as u64)
    }

    #[test]
    fn whole_short_and_bad() {
        let mut bytes = Vec::new();
        encode(RECORD, b"{\"at\":1}", &mut bytes);
        assert_eq!(parse(&bytes), Parsed::Whole { kind: RECORD, body: 8, intact: true });
        for cut in 0..bytes.len() {
            assert!(matches!(parse(&bytes[..cut]), Parsed::Short(_)), "{cut}");
        }
        for at in 4..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(matches!(parse(&other), Parsed::Whole { intact: false, .. }), "{at}");
        }
        assert_eq!(parse(&[0; 64]), Parsed::Bad);
        assert_eq!(parse(&[255; 64]), Parsed::Bad);
    }

    #[test]
    fn reads_past_damage_and_across_chunks() {
        let mut bytes = Vec::new();
        let big = format!("{{\"at\":\"{}\"}}", "x".repeat(CHUNK + 10));
        encode(RECORD, b"{\"at\":1}", &mut bytes);
        encode(RECORD, big.as_bytes(), &mut bytes);
        bytes.extend_from_slice(b"damage");
        encode(RECORD, b"{\"at\":3}", &mut bytes);
        bytes.extend_from_slice(&[9, 0, 0]);
        let mut frames = frames(&bytes);
        assert!(matches!(frames.next().unwrap(), Next::Frame { offset: 0, .. }));
        assert!(matches!(frames.next().unwrap(), Next::Frame { .. }));
        assert_eq!(frames.body(), big.as_bytes());
        assert!(matches!(frames.next().unwrap(), Next::Bad { .. }));
        assert_eq!(frames.skip().unwrap(), Some(6));
        assert_eq!(frames.peek(), Some(b"{\"at\":3}".as_slice()));
        assert!(matches!(frames.next().unwrap(), Next::Frame { .. }));
        assert_eq!(frames.body(), b"{\"at\":3}");
        assert!(matches!(frames.next().unwrap(), Next::Bad { .. }));
        assert_eq!(frames.skip().unwrap(), None);
    }
}
