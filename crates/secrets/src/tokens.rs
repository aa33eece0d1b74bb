//! Tokens with a prefix.

use crate::checksum::holds;
use crate::class;
use crate::finding::{Certainty, Finding, Tier};
use crate::placeholder::is_stand_in;
use crate::rarity::{makeup, surprise};
use crate::shape::{Outcome, fits, fits_before, lengths, literal_fits};
use crate::spec::{Detector, Segment};
use crate::text::{FILL, Joined, begins, ends, is_random_piece, joint, line_start, part, piece};

/// How wide a line is at least that a terminal or an editor may have wrapped.
const WIDTH: usize = 40;

/// What the parts before a prefix are made of.
const TOKEN: u32 = class::URL | class::BASE64 | class::DOT | class::TILDE;

/// The token of this detector that begins at `place`, or whose prefix stands there.
pub(crate) fn token(text: &[u8], place: usize, detector: &Detector, prefix: &str) -> Option<Finding> {
    // Cheapest first: most places only share three bytes with a prefix.
    let next = literal_fits(text, place, prefix);
    if next == Err(Outcome::Differs) {
        return None;
    }
    let from = if detector.before.is_empty() {
        place
    } else {
        match fits_before(text, place, detector.before) {
            Some(from) => from,
            None => return broken_before(text, place, detector, prefix),
        }
    };
    let strict = prefix.len() < 4;
    let first = prefix.as_bytes().first().copied().unwrap_or(0);
    if (class::is(first, class::ALNUM) || from != place) && !begins(text, from, strict) {
        return None;
    }
    if !detector.names.is_empty() && !named_nearby(text, place, detector.names) {
        return None;
    }
    let outcome = match next {
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
            let body =
                if from == place { part(text, place + prefix.len(), to) } else { part(text, from, to) };
            finding(text, detector, prefix, from, to, body)
        }
        Outcome::Broken => {
            let (least, most) = lengths(detector.shape);
            let joined = Joined::read(text, place, prefix.len() + most + 1, prefix.len() + least);
            let next = literal_fits(&joined.bytes, 0, prefix).ok()?;
            let Outcome::Ends { place: length, alphabet, .. } = fits(&joined.bytes, next, detector.shape)
            else {
                return None;
            };
            if !joined.ends(length, alphabet) {
                return None;
            }
            let body = part(&joined.bytes, next, length);
            finding(text, detector, prefix, from, joined.end(length)?, body)
        }
    }
}

/// A token whose part before the prefix has a break in it.
fn broken_before(text: &[u8], place: usize, detector: &Detector, prefix: &str) -> Option<Finding> {
    let most = lengths(detector.before).1;
    let room = part(text, place.saturating_sub(most + 80), place);
    let run = room
        .iter()
        .rev()
        .take_while(|b| class::is(**b, TOKEN) || matches!(**b, FILL | b'\n' | b'\r' | b'\\'))
        .count();
    let begin = place - run;
    let joined = Joined::read(text, begin, run + prefix.len() + lengths(detector.shape).1 + 1, usize::MAX);
    // Where the prefix is in the copy: as many bytes are left out as lie in breaks.
    let at = joined.place_of(place)?;
    let from = fits_before(&joined.bytes, at, detector.before)?;
    let next = literal_fits(&joined.bytes, at, prefix).ok()?;
    let Outcome::Ends { place: length, alphabet, .. } = fits(&joined.bytes, next, detector.shape) else {
        return None;
    };
    let starts = from.checked_sub(1).is_none_or(|p| {
        joined.bytes.get(p).is_none_or(|b| !class::is(*b, class::ALNUM)) || joined.gap_at(from)
    });
    if !starts || !joined.ends(length, alphabet) {
        return None;
    }
    let body = part(&joined.bytes, from, length);
    finding(text, detector, prefix, joined.end(from + 1)?.checked_sub(1)?, joined.end(length)?, body)
}

/// Where a token of open length really ends, if it was wrapped at `to` and what follows looks like more of it.
fn prolonged(text: &[u8], place: usize, to: usize, prefix: &str, detector: &Detector) -> Option<usize> {
    let next = joint(text, to)?;
    let escaped = text.get(to) == Some(&b'\\') && text.get(to + 1) != Some(&b'n');
    if !escaped && to - line_start(text, to) < WIDTH || !is_random_piece(piece(text, next)) {
        return None;
    }
    let (least, most) = lengths(detector.shape);
    let joined = Joined::read(text, place, prefix.len() + most + 1, prefix.len() + least);
    let start = literal_fits(&joined.bytes, 0, prefix).ok()?;
    match fits(&joined.bytes, start, detector.shape) {
        Outcome::Ends { place: length, .. } => joined.end(length),
        _ => None,
    }
}

fn finding(
    text: &[u8],
    detector: &Detector,
    prefix: &str,
    from: usize,
    to: usize,
    body: &[u8],
) -> Option<Finding> {
    let checked = holds(detector.check, prefix, body);
    if checked != Some(true) && (is_stand_in(body) || is_wordy(body, detector)) {
        return None;
    }
    if crate::placeholder::is_documented(part(text, from, to)) {
        return None;
    }
    let certainty = if checked == Some(true) { Certainty::Certain } else { Certainty::Likely };
    let span = from + usize::from(detector.keep)..to;
    Some(Finding {
        span,
        kind: detector.id.into(),
        tier: Tier::Structural,
        certainty,
        open: to >= text.len(),
    })
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
