//! Compares a text with the shape of a token, byte by byte.

use crate::class;
use crate::spec::Segment;
use crate::text::{FILL, joint, part};

/// What became of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The shape ends before this place; `alphabet` is that of its last part.
    Ends {
        /// The place after the last byte.
        place: usize,
        /// The last part's alphabet; 0 after a literal.
        alphabet: u32,
        /// Whether the last part could have been longer.
        elastic: bool,
    },
    /// It does not fit, and a break is at this place: the text may go on after it.
    Broken,
    /// It does not fit.
    Differs,
}

/// Compares `text` from `place` on.
pub(crate) fn fits(text: &[u8], mut place: usize, shape: &[Segment]) -> Outcome {
    let mut last = (0, false);
    let mut parts = shape.iter().peekable();
    while let Some(segment) = parts.next() {
        match segment {
            Segment::Literal(literal) => match literal_fits(text, place, literal) {
                Ok(next) => {
                    place = next;
                    last = (0, false);
                }
                Err(outcome) => return outcome,
            },
            Segment::Class { mask, min, max } => {
                let (min, max) = (usize::from(*min), usize::from(*max));
                let run = class::run(part(text, place, text.len()), *mask, max);
                if run < min {
                    return if joint(text, place + run).is_some() {
                        Outcome::Broken
                    } else {
                        Outcome::Differs
                    };
                }
                // What follows may be of the same alphabet: then the first place where it stands ends this part.
                let length = match parts.peek() {
                    Some(Segment::Literal(next)) if next.bytes().all(|b| class::is(b, *mask)) => {
                        let room = part(text, place + min, place + max.min(run) + next.len());
                        match memchr::memmem::find(room, next.as_bytes()) {
                            Some(p) => min + p,
                            None if joint(text, place + run).is_some() => return Outcome::Broken,
                            None => return Outcome::Differs,
                        }
                    }
                    _ => run,
                };
                place += length;
                last = (*mask, min != max);
            }
        }
    }
    Outcome::Ends { place, alphabet: last.0, elastic: last.1 }
}

/// Where a literal ends that stands at `place`.
pub(crate) fn literal_fits(text: &[u8], place: usize, literal: &str) -> Result<usize, Outcome> {
    let there = part(text, place, place + literal.len());
    let same = there.iter().zip(literal.as_bytes()).take_while(|(a, b)| a == b).count();
    if same == literal.len() {
        return Ok(place + same);
    }
    // A break can only be where the first difference is, and most places differ at once.
    let broken = matches!(there.get(same), Some(&(FILL | b'\\' | b'\n' | b'\r')))
        && joint(text, place + same).is_some();
    Err(if broken { Outcome::Broken } else { Outcome::Differs })
}

/// How many bytes before `place` fit the parts, read from the last to the first.
pub(crate) fn fits_before(text: &[u8], place: usize, parts: &[Segment]) -> Option<usize> {
    let mut from = place;
    for segment in parts.iter().rev() {
        match segment {
            Segment::Literal(literal) => {
                from = from.checked_sub(literal.len())?;
                if part(text, from, from + literal.len()) != literal.as_bytes() {
                    return None;
                }
            }
            Segment::Class { mask, min, max } => {
                let run = class::run_back(part(text, 0, from), *mask, usize::from(*max));
                if run < usize::from(*min) {
                    return None;
                }
                from -= run;
            }
        }
    }
    Some(from)
}

/// The least and the greatest length of a shape.
pub(crate) fn lengths(shape: &[Segment]) -> (usize, usize) {
    shape.iter().fold((0, 0), |(least, most), segment| match segment {
        Segment::Literal(l) => (least + l.len(), most + l.len()),
        Segment::Class { min, max, .. } => (least + usize::from(*min), most + usize::from(*max)),
    })
}
