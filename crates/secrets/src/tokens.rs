//! Tokens with a prefix.

use crate::checksum::holds;
use crate::class;
use crate::finding::{Certainty, Finding, Tier};
use crate::placeholder::is_stand_in;
use crate::rarity::{makeup, surprise};
use crate::shape::{Outcome, fits, fits_before, lengths, literal_fits};
use crate::spec::{Detector, Segment};
use crate::text::{Joined, begins, ends, joint, line_start, part};

/// What a piece of a wrapped token has at least to be taken for its continuation when the token could end before it.
const CONTINUES: usize = 8;

/// The token of this detector that begins at `place`, or whose prefix stands there.
pub(crate) fn token(text: &[u8], place: usize, detector: &Detector, prefix: &str) -> Option<Finding> {
    let folded = text.get(place..)?;
    // The filter does not mind the case, a prefix does; a break may be inside it.
    if folded.first() != prefix.as_bytes().first() {
        return None;
    }
    let from = if detector.before.is_empty() { place } else { fits_before(text, place, detector.before)? };
    let strict = prefix.len() < 4;
    let first = prefix.as_bytes().first().copied().unwrap_or(0);
    if class::is(first, class::ALNUM) || from != place {
        if !begins(text, from, strict) {
            return None;
        }
    }
    if !detector.names.is_empty() && !named_nearby(text, place, detector.names) {
        return None;
    }
    let outcome = match literal_fits(text, place, prefix) {
        Ok(next) => fits(text, next, detector.shape),
        Err(outcome) => outcome,
    };
    match outcome {
        Outcome::Differs => None,
        Outcome::Ends { place: to, alphabet, elastic } => {
            let to = if elastic { prolonged(text, place, to, prefix, detector).unwrap_or(to) } else { to };
            // At a break the token may end, whatever stands after it.
            if !ends(text, to, alphabet) && joint(text, to).is_none() {
                return None;
            }
            let body = part(text, place + prefix.len(), to);
            finding(text, detector, prefix, from, to, body)
        }
        Outcome::Broken => {
            let joined = Joined::read(text, place, prefix.len() + lengths(detector.shape).1 + 1);
            let next = literal_fits(&joined.bytes, 0, prefix).ok()?;
            let Outcome::Ends { place: length, alphabet, .. } = fits(&joined.bytes, next, detector.shape) else {
                return None;
            };
            if !ends(&joined.bytes, length, alphabet) {
                return None;
            }
            let body = part(&joined.bytes, next, length);
            finding(text, detector, prefix, from, joined.end(length)?, body)
        }
    }
}

/// Where a token of open length really ends, if it was wrapped at `to` and what follows looks like more of it.
fn prolonged(text: &[u8], place: usize, to: usize, prefix: &str, detector: &Detector) -> Option<usize> {
    let next = joint(text, to)?;
    let escaped = text.get(to) == Some(&b'\\');
    let width = to - line_start(text, to);
    let run = class::run(part(text, next, text.len()), class::URL, 4096);
    let piece = part(text, next, next + run);
    let make = makeup(piece);
    let random = make.digits > 0 && make.lower + make.upper > 0 && make.turns * 5 > make.length && surprise(piece) >= 52;
    if !(escaped && text.get(to + 1) != Some(&b'n') || width >= 40) || run < CONTINUES && !escaped || !random {
        return None;
    }
    let joined = Joined::read(text, place, prefix.len() + lengths(detector.shape).1 + 1);
    let start = literal_fits(&joined.bytes, 0, prefix).ok()?;
    match fits(&joined.bytes, start, detector.shape) {
        Outcome::Ends { place: length, .. } => joined.end(length),
        _ => None,
    }
}

fn finding(text: &[u8], detector: &Detector, prefix: &str, from: usize, to: usize, body: &[u8]) -> Option<Finding> {
    let checked = holds(detector.check, prefix, body);
    if checked != Some(true) && (is_stand_in(body) || is_wordy(body, detector)) {
        return None;
    }
    if crate::placeholder::is_documented(part(text, from, to)) {
        return None;
    }
    let certainty = if checked == Some(true) { Certainty::Certain } else { Certainty::Likely };
    let span = from + usize::from(detector.keep)..to;
    Some(Finding { span, kind: detector.id.into(), tier: Tier::Structural, certainty, open: to >= text.len() })
}

/// Whether a body that could be words, by its alphabet, is.
fn is_wordy(body: &[u8], detector: &Detector) -> bool {
    let letters = detector.shape.iter().any(|s| matches!(s, Segment::Class { mask, .. } if mask & class::ALPHA == class::ALPHA || mask & class::LOWER != 0));
    if !letters || body.len() < 12 {
        return false;
    }
    let make = makeup(body);
    // A long random value of letters and digits that has no digit, or turns as seldom as words do, is hardly ever seen.
    surprise(body) < 38 || (make.digits == 0 && surprise(body) < 46)
}

/// Whether one of the names is on the line before `place`, not too far.
pub(crate) fn named_nearby(text: &[u8], place: usize, names: &[&str]) -> bool {
    let from = line_start(text, place).max(place.saturating_sub(160));
    let line = part(text, from, place).to_ascii_lowercase();
    names.iter().any(|n| memchr::memmem::find(&line, n.as_bytes()).is_some())
}
