//! What stands before and after a place of a text: the borders of tokens, and the joints at which terminals, pagers and
//! editors break them.

use crate::class::{self, ALNUM, DASH, DIGIT, HEX_LOWER, HEX_UPPER, UNDERSCORE};
use crate::rarity::{makeup, surprise};

/// What hides colours and other escape sequences: they become this byte, one for one, so that offsets stay.
pub(crate) const FILL: u8 = 0x1b;

/// How far a line is followed backwards.
const LINE: usize = 4096;

/// How many breaks one token may have.
const JOINTS: usize = 256;

pub(crate) fn at(text: &[u8], place: usize) -> Option<u8> {
    text.get(place).copied()
}

pub(crate) fn before(text: &[u8], place: usize) -> Option<u8> {
    place.checked_sub(1).and_then(|p| at(text, p))
}

/// The part of `text` between two places; empty when there is none.
pub(crate) fn part(text: &[u8], from: usize, to: usize) -> &[u8] {
    text.get(from..to.min(text.len())).unwrap_or_default()
}

/// Whether a token can begin at `place`: nothing of a longer word is before it. A letter that ends an escape (`\n`,
/// `%3D`, `\u003d`, `\x1b[1m`) is none of a word.
pub(crate) fn begins(text: &[u8], place: usize, strict: bool) -> bool {
    let Some(previous) = before(text, place) else { return true };
    if class::is(previous, DASH | UNDERSCORE) {
        return !strict;
    }
    !class::is(previous, ALNUM) || ends_escape(text, place)
}

/// Whether an escape ends right before `place`.
pub(crate) fn ends_escape(text: &[u8], place: usize) -> bool {
    let hex = |b: &u8| class::is(*b, DIGIT | HEX_LOWER | HEX_UPPER);
    let head = part(text, place.saturating_sub(16), place);
    match head {
        [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] => return !is_path(head),
        [.., b'%', a, b] if hex(a) && hex(b) => return true,
        [.., b'\\', b'x', a, b] if hex(a) && hex(b) => return true,
        [.., b'\\', b'u', a, b, c, d] if hex(a) && hex(b) && hex(c) && hex(d) => return true,
        _ => {}
    }
    // A colour as text: `\x1b[01;31m`, `\u001b[0m`, `\e[K`, `^[[1m`.
    let Some((b'm' | b'K', rest)) = head.split_last() else { return false };
    let digits = rest.iter().rev().take_while(|b| b.is_ascii_digit() || **b == b';').count();
    rest.len().checked_sub(digits + 1).and_then(|p| at(rest, p)) == Some(b'[')
}

/// `C:\new`: a backslash after a letter and a colon is a path's.
fn is_path(head: &[u8]) -> bool {
    matches!(head, [.., b':', b'\\', _])
}

/// Whether a token can end before `place`: no letter or digit follows, nor anything of its alphabet.
pub(crate) fn ends(text: &[u8], place: usize, alphabet: u32) -> bool {
    at(text, place).is_none_or(|b| !class::is(b, ALNUM | alphabet))
}

/// Where the line of `place` begins; not farther than [`LINE`] back.
pub(crate) fn line_start(text: &[u8], place: usize) -> usize {
    let floor = place.saturating_sub(LINE);
    memchr::memrchr(b'\n', part(text, floor, place)).map_or(floor, |p| floor + p + 1)
}

/// Where the line of `place` ends, before its `\n`; not farther than [`LINE`] on.
pub(crate) fn line_end(text: &[u8], place: usize) -> usize {
    let roof = (place + LINE).min(text.len());
    memchr::memchr(b'\n', part(text, place, roof)).map_or(roof, |p| place + p)
}

/// If a break is at `place`, where the text goes on: after a colour, after the end of a wrapped line with its
/// indentation, its sign of a diff or a quotation, after an escaped end of line.
pub(crate) fn joint(text: &[u8], place: usize) -> Option<usize> {
    let mut next = place;
    match at(text, place)? {
        FILL => {
            while at(text, next) == Some(FILL) {
                next += 1;
            }
        }
        b'\\' | b'\r' | b'\n' => {
            if at(text, next) == Some(b'\\') {
                next += 1;
                if at(text, next) == Some(b'n') {
                    return goes_on(text, next + 1);
                }
            }
            if at(text, next) == Some(b'\r') {
                next += 1;
            }
            if at(text, next) != Some(b'\n') {
                return None;
            }
            next += 1;
            next = after_sign(text, place, next);
            while next < place + 80 && matches!(at(text, next), Some(b' ' | b'\t')) {
                next += 1;
            }
            while at(text, next) == Some(FILL) {
                next += 1;
            }
        }
        _ => return None,
    }
    goes_on(text, next)
}

fn goes_on(text: &[u8], place: usize) -> Option<usize> {
    at(text, place)
        .filter(|b| {
            class::is(
                *b,
                ALNUM
                    | DASH
                    | UNDERSCORE
                    | class::PLUS
                    | class::SLASH
                    | class::DOT
                    | class::EQUALS
                    | class::TILDE
                    | class::COLON,
            )
        })
        .map(|_| place)
}

/// After the sign of a diff, a quotation or a comment with which both lines begin.
fn after_sign(text: &[u8], line: usize, next: usize) -> usize {
    let sign = at(text, next).filter(|b| matches!(b, b'+' | b'-' | b'>' | b'#' | b'|'));
    if sign.is_some() && at(text, line_start(text, line)) == sign { next + 1 } else { next }
}

/// A piece of text from which breaks were taken out, and where each of its bytes was.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) bytes: Vec<u8>,
    places: Vec<usize>,
}

impl Joined {
    /// The text from `from` on, at most `limit` bytes of it, without breaks, until the first space. With `enough` bytes, a
    /// break is passed only if what follows looks like more of a random value.
    pub(crate) fn read(text: &[u8], from: usize, limit: usize, enough: usize) -> Self {
        let mut out = Self::default();
        let mut place = from;
        let mut joints = 0;
        while out.bytes.len() < limit {
            let Some(byte) = at(text, place) else { break };
            if matches!(byte, FILL | b'\\' | b'\r' | b'\n')
                && let Some(next) = joint(text, place).filter(|_| joints < JOINTS)
            {
                if out.bytes.len() >= enough && !is_random_piece(piece(text, next)) {
                    break;
                }
                joints += 1;
                place = next;
                continue;
            }
            if class::is(byte, class::SPACE) {
                break;
            }
            out.bytes.push(byte);
            out.places.push(place);
            place += 1;
        }
        out
    }

    /// Whether a token can end after the first `length` bytes: nothing of it follows, or a break does.
    pub(crate) fn ends(&self, length: usize, alphabet: u32) -> bool {
        self.gap_at(length) || ends(&self.bytes, length, alphabet)
    }

    /// Where a place of the whole text is in this copy.
    pub(crate) fn place_of(&self, place: usize) -> Option<usize> {
        self.places.binary_search(&place).ok()
    }

    /// Whether a break is before the byte at `at`.
    pub(crate) fn gap_at(&self, at: usize) -> bool {
        match (at.checked_sub(1).and_then(|p| self.places.get(p)), self.places.get(at)) {
            (Some(last), Some(next)) => *next != last + 1,
            _ => true,
        }
    }

    /// Where the end after the first `length` bytes is in the whole text.
    pub(crate) fn end(&self, length: usize) -> Option<usize> {
        self.places.get(length.checked_sub(1)?).map(|p| p + 1)
    }
}

/// The word that begins at `place`, of what tokens are made of.
pub(crate) fn piece(text: &[u8], place: usize) -> &[u8] {
    let rest = part(text, place, text.len());
    part(rest, 0, class::run(rest, class::URL | class::BASE64 | class::DOT, LINE))
}

/// Whether a word looks like a part of a random value.
pub(crate) fn is_random_piece(piece: &[u8]) -> bool {
    let make = makeup(piece);
    piece.len() >= 8
        && make.digits > 0
        && make.lower + make.upper > 0
        && make.turns * 5 > make.length
        && surprise(piece) >= 50
}

/// A copy of `text` in which escape sequences of terminals are [`FILL`], one for one. `None` when there are none.
pub(crate) fn without_escapes(text: &[u8]) -> Option<Vec<u8>> {
    let first = memchr::memchr(0x1b, text)?;
    let mut out = text.to_vec();
    let mut place = first;
    while place < text.len() {
        let length = escape_length(part(text, place, text.len()));
        if let Some(sequence) = out.get_mut(place..place + length) {
            sequence.fill(FILL);
        }
        place += length.max(1);
        match memchr::memchr(0x1b, part(text, place, text.len())) {
            Some(p) => place += p,
            None => break,
        }
    }
    Some(out)
}

/// The length of the escape sequence with which `text` begins (ECMA-48: CSI, OSC, and two bytes otherwise).
fn escape_length(text: &[u8]) -> usize {
    match text {
        [_, b'[', rest @ ..] => {
            let middle = rest.iter().take(32).take_while(|b| (0x20..=0x3f).contains(*b)).count();
            2 + middle + usize::from(rest.get(middle).is_some_and(|b| (0x40..=0x7e).contains(b)))
        }
        [_, b']', rest @ ..] => {
            // A link's or a title's text is hidden; it may hold a credential and is left to the scan.
            2 + usize::from(rest.first().is_some_and(u8::is_ascii_digit))
        }
        [_, b'(' | b')', _, ..] => 3,
        [_, b'=' | b'>' | b'7' | b'8' | b'M' | b'c', ..] => 2,
        _ => 1,
    }
}
