//! One layer of base64: a run of it is decoded, and if it holds a secret the run is one.

use crate::class::{self, BASE64, EQUALS, URL};
use crate::finding::{Certainty, Finding};
use crate::text::{Joined, part};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, Encoding};

/// The shortest run that can hold a secret.
const LEAST: usize = 24;

/// The longest run that is decoded whole; of a longer one this much.
const MOST: usize = 64 << 10;

/// How long a line is at least for the run to go on in the next one.
const WRAPPED: usize = 40;

/// Decodes what may be base64 in `text` and passes it to `scan`.
pub(crate) fn layers(text: &[u8], found: &mut Vec<Finding>, scan: impl Fn(&[u8], &mut Vec<Finding>)) {
    let mut from = 0;
    while let Some(window) = text.get(from..from + LEAST) {
        // From its end: the last byte that is none of a run's begins the next window.
        if let Some(last) = window.iter().rposition(|b| !class::is(*b, BASE64 | URL)) {
            from += last + 1;
            continue;
        }
        let length = class::run(part(text, from, text.len()), BASE64 | URL, MOST);
        let to = whole(text, from, from + length);
        if let Some(plain) = decoded(text, from, to) {
            let mut inner = Vec::new();
            scan(&plain, &mut inner);
            if let Some(best) =
                inner.iter().filter(|f| f.certainty >= Certainty::Likely).max_by_key(|f| f.certainty)
            {
                found.push(Finding {
                    span: from..to,
                    kind: best.kind.clone(),
                    tier: best.tier,
                    certainty: best.certainty,
                    open: to >= text.len(),
                });
            }
        }
        from = to;
    }
}

/// The end of a run that may go on after ends of lines, with its padding.
fn whole(text: &[u8], from: usize, mut to: usize) -> usize {
    let mut line = from;
    while to - line >= WRAPPED && to - from < MOST {
        let Some(next) = crate::text::joint(text, to) else { break };
        let run = class::run(part(text, next, text.len()), BASE64 | URL, MOST);
        if run == 0 {
            break;
        }
        line = next;
        to = next + run;
    }
    to + class::run(part(text, to, text.len()), EQUALS, 2)
}

/// The text that a run encodes. `None` when it encodes no text.
fn decoded(text: &[u8], from: usize, to: usize) -> Option<Vec<u8>> {
    let run = part(text, from, to);
    let joined;
    let run = if run.iter().all(|b| class::is(*b, BASE64 | URL | EQUALS)) {
        run
    } else {
        joined = Joined::read(text, from, to - from, usize::MAX);
        &joined.bytes
    };
    let mut digits = run;
    while let Some((b'=', rest)) = digits.split_last() {
        digits = rest;
    }
    let encoding =
        if digits.iter().any(|b| matches!(b, b'-' | b'_')) { BASE64URL_NOPAD } else { BASE64_NOPAD };
    let head = decode(&encoding, digits.get(..LEAST)?)?;
    if !is_text(&head) {
        return None;
    }
    decode(&encoding, digits).filter(|plain| is_text(plain))
}

/// Decodes the whole groups of four, and what is left if it is a group too.
fn decode(encoding: &Encoding, digits: &[u8]) -> Option<Vec<u8>> {
    let usable = if digits.len() % 4 == 1 { digits.len() - 1 } else { digits.len() };
    let whole = digits.get(..usable)?;
    encoding.decode(whole).ok().or_else(|| encoding.decode(whole.get(..usable - usable % 4)?).ok())
}

fn is_text(bytes: &[u8]) -> bool {
    let odd = bytes
        .iter()
        .filter(|b| !(matches!(**b, b'\n' | b'\r' | b'\t') || (0x20..0x7f).contains(*b) || **b >= 0x80))
        .count();
    let high = bytes.iter().filter(|b| **b >= 0x80).count();
    odd == 0 && high * 8 <= bytes.len()
}
