//! Bodies: read by their framing, written anew.

use super::head::Framing;
use super::wire::{Buffered, Wire};
use std::io::{self, Read as _, Write};

/// Longest line that gives a chunk's size.
const MAX_SIZE_LINE: usize = 1 << 10;

/// Most bytes of trailers, which are dropped.
const MAX_TRAILERS: usize = 16 << 10;

/// A body that is being read.
#[derive(Debug)]
pub(crate) struct Body {
    state: State,
    /// Whether chunk extensions are passed over; in requests they are refused.
    lenient: bool,
}

#[derive(Debug)]
enum State {
    Left(u64),
    NextChunk,
    InChunk(u64),
    Close,
    Done,
}

impl Body {
    pub(crate) fn new(framing: Framing, lenient: bool) -> Self {
        let state = match framing {
            Framing::Length(n) => State::Left(n),
            Framing::Chunked => State::NextChunk,
            Framing::Close => State::Close,
        };
        Self { state, lenient }
    }

    /// Reads some bytes of the body into `room`; 0 when it is over and well ended.
    ///
    /// # Errors
    /// `UnexpectedEof` when it is cut off, `InvalidData` when a chunk is not well formed.
    pub(crate) fn read<W: Wire>(&mut self, from: &mut Buffered<W>, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state {
                State::Done | State::Left(0) => return Ok(0),
                State::Left(n) => {
                    let got = read_some(from, room, n)?;
                    self.state = State::Left(n.saturating_sub(got as u64));
                    return Ok(got);
                }
                State::Close => {
                    let got = match from.read(room) {
                        // Many servers close TLS without saying so; a body without a length has then simply ended.
                        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => 0,
                        other => other?,
                    };
                    if got == 0 {
                        self.state = State::Done;
                    }
                    return Ok(got);
                }
                State::InChunk(n) => {
                    let got = read_some(from, room, n)?;
                    let left = n.saturating_sub(got as u64);
                    self.state = if left > 0 {
                        State::InChunk(left)
                    } else {
                        if read_line(from, 2)? != b"\r\n" {
                            return Err(io::ErrorKind::InvalidData.into());
                        }
                        State::NextChunk
                    };
                    return Ok(got);
                }
                State::NextChunk => {
                    let line = read_line(from, MAX_SIZE_LINE)?;
                    self.state = match chunk_size(&line, self.lenient).ok_or(io::ErrorKind::InvalidData)? {
                        0 => {
                            skip_trailers(from)?;
                            State::Done
                        }
                        n => State::InChunk(n),
                    };
                }
            }
        }
    }
}

fn read_some<W: Wire>(from: &mut Buffered<W>, room: &mut [u8], most: u64) -> io::Result<usize> {
    let most = usize::try_from(most).unwrap_or(usize::MAX).min(room.len());
    let got = from.read(room.get_mut(..most).unwrap_or_default())?;
    if got == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(got) }
}

/// The next line with its CR LF.
fn read_line<W: Wire>(from: &mut Buffered<W>, limit: usize) -> io::Result<Vec<u8>> {
    loop {
        if let Some(at) = memchr::memchr(b'\n', from.ahead()) {
            let line = from.take(at + 1);
            return if line.ends_with(b"\r\n") && line.len() <= limit {
                Ok(line)
            } else {
                Err(io::ErrorKind::InvalidData.into())
            };
        }
        if from.ahead().len() >= limit {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if !from.more()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Hexadecimal digits only; no sign, no blank, no `0x`, no extension unless lenient.
fn chunk_size(line: &[u8], lenient: bool) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let digits = match text.split_once(';') {
        Some((digits, _)) if lenient => digits.trim_end_matches([' ', '\t']),
        Some(_) => return None,
        None if lenient => text.trim_end_matches([' ', '\t']),
        None => text,
    };
    let good = !digits.is_empty() && digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    good.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

fn skip_trailers<W: Wire>(from: &mut Buffered<W>) -> io::Result<()> {
    let mut left = MAX_TRAILERS;
    loop {
        let line = read_line(from, left)?;
        if line == b"\r\n" {
            return Ok(());
        }
        left = left.saturating_sub(line.len());
    }
}

/// Writes one chunk; nothing for no bytes, which would end the body.
pub(crate) fn write_chunk(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut out = Vec::with_capacity(bytes.len() + 16);
    write!(out, "{:x}\r\n", bytes.len())?;
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    to.write_all(&out)
}

/// Ends a body in chunks.
pub(crate) fn write_end(to: &mut impl Write) -> io::Result<()> {
    to.write_all(b"0\r\n\r\n")
}
