//! Takes values and their usual encodings out of a stream of bytes.

use super::Lent;
use aho_corasick::{AhoCorasick, MatchKind};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use std::fmt;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// What to look for, built once for all credentials that one host may hold.
pub(crate) struct Patterns {
    finder: AhoCorasick,
    masks: Vec<Vec<u8>>,
    longest: usize,
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Patterns({})", self.masks.len())
    }
}

impl Patterns {
    /// `None` when the finder cannot be built; the caller must then not lend.
    pub(crate) fn new<'l>(lent: impl Iterator<Item = &'l Lent>) -> Option<Self> {
        let mut texts: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        let mut masks = Vec::new();
        for l in lent {
            for (text, mask) in forms(l) {
                if !texts.contains(&text) {
                    texts.push(text);
                    masks.push(mask);
                }
            }
        }
        let longest = texts.iter().map(|t| t.len()).max().unwrap_or(1);
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(texts.iter().map(|t| t.as_slice()))
            .ok()?;
        Some(Self { finder, masks, longest })
    }
}

/// The forms of a value, each with what takes its place: as long, so that lengths stay true.
fn forms(lent: &Lent) -> Vec<(Zeroizing<Vec<u8>>, Vec<u8>)> {
    let value = lent.value().bytes();
    let fitted = |len: usize| -> Vec<u8> {
        lent.sentinel().bytes().chain(std::iter::repeat(b'*')).take(len).collect()
    };
    let mut out = Vec::new();
    let mut add = |text: Vec<u8>, fill: Option<u8>| {
        let mask = fill.map_or_else(|| fitted(text.len()), |b| vec![b; text.len()]);
        out.push((Zeroizing::new(text), mask));
    };
    add(value.to_vec(), None);
    for upper in [true, false] {
        add(percent(value, upper, false), None);
        add(percent(value, upper, true), None);
    }
    add(json(value, false), None);
    add(json(value, true), None);
    add(html(value), None);
    add(HEXLOWER.encode(value).into_bytes(), Some(b'0'));
    add(HEXUPPER.encode(value).into_bytes(), Some(b'0'));
    for encoding in [&BASE64_NOPAD, &BASE64URL_NOPAD] {
        for before in 0..3_usize {
            add(base64_core(encoding, value, before), Some(b'A'));
        }
    }
    out
}

/// The part of the value's base64 that is the same whatever stands around it, when `before` bytes of another text share its first group.
fn base64_core(encoding: &data_encoding::Encoding, value: &[u8], before: usize) -> Vec<u8> {
    let mut padded = Zeroizing::new(vec![0; before]);
    padded.extend_from_slice(value);
    let mut text = encoding.encode(&padded).into_bytes();
    let end = padded.len() * 8 / 6;
    let start = (before * 8).div_ceil(6);
    let core = text.get(start..end).unwrap_or_default().to_vec();
    text.zeroize();
    core
}

pub(crate) fn percent(value: &[u8], upper: bool, form: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() * 3);
    for &b in value {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(b);
        } else if form && b == b' ' {
            out.push(b'+');
        } else {
            let digits = if upper { HEXUPPER.encode(&[b]) } else { HEXLOWER.encode(&[b]) };
            out.push(b'%');
            out.extend_from_slice(digits.as_bytes());
        }
    }
    out
}

/// The value inside a JSON string; `slashes` also escapes `/`, as PHP does.
pub(crate) fn json(value: &[u8], slashes: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    for &b in value {
        match b {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
            b'/' if slashes => out.extend_from_slice(b"\\/"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
            _ => out.push(b),
        }
    }
    out
}

fn html(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    for &b in value {
        match b {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            _ => out.push(b),
        }
    }
    out
}

/// Takes values out of one stream. Bytes that may be the beginning of a value are held back until more is known, at most
/// as many as the longest form has.
#[derive(Debug)]
pub struct Scrubber {
    patterns: Arc<Patterns>,
    held: Zeroizing<Vec<u8>>,
    found: u64,
}

impl Scrubber {
    /// For the values of these credentials. `None` when no finder can be built for them.
    pub fn new<'l>(lent: impl Iterator<Item = &'l Lent>) -> Option<Self> {
        Some(Self::with(Arc::new(Patterns::new(lent)?)))
    }

    pub(crate) fn with(patterns: Arc<Patterns>) -> Self {
        Self { patterns, held: Zeroizing::new(Vec::new()), found: 0 }
    }

    /// Takes `bytes` and appends what is surely clean to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        let sure = (self.held.len() + 1).saturating_sub(self.patterns.longest);
        let end = self.mask(sure).max(sure);
        out.extend(self.held.drain(..end));
    }

    /// Appends what was held back; the stream is over.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let all = self.held.len();
        self.mask(all);
        out.extend(self.held.drain(..));
    }

    /// Cleans a text that is whole.
    pub fn clean(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        self.push(bytes, &mut out);
        self.finish(&mut out);
        out
    }

    /// How often a value was taken out.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.found
    }

    /// Masks the values that begin before `sure`; gives where the last of them ends.
    fn mask(&mut self, sure: usize) -> usize {
        let patterns = Arc::clone(&self.patterns);
        let hits: Vec<(usize, usize, usize)> = patterns
            .finder
            .find_iter(self.held.as_slice())
            .take_while(|m| m.start() < sure)
            .map(|m| (m.pattern().as_usize(), m.start(), m.end()))
            .collect();
        let mut last = 0;
        for (which, start, end) in hits {
            if let (Some(place), Some(mask)) = (self.held.get_mut(start..end), patterns.masks.get(which)) {
                place.copy_from_slice(mask);
                self.found += 1;
                last = end;
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lend::Secret;
    use data_encoding::BASE64;
    use proptest::prelude::*;

    fn lent(value: &str) -> Lent {
        Lent::new("t", "stand_in_0123456789", Secret::new(value)).unwrap()
    }

    #[test]
    fn every_encoding_is_taken_out_at_every_alignment() {
        let value = "s3cr&t/\"V=lue+42 é";
        let l = lent(value);
        for before in 0..7 {
            for after in 0..4 {
                let plain = format!("{}{value}{}", "x".repeat(before), "y".repeat(after));
                let texts = [
                    plain.clone(),
                    BASE64.encode(plain.as_bytes()),
                    data_encoding::BASE64URL_NOPAD.encode(plain.as_bytes()),
                    HEXLOWER.encode(plain.as_bytes()),
                    serde_json::to_string(&plain).unwrap(),
                    String::from_utf8(percent(plain.as_bytes(), true, true)).unwrap(),
                ];
                for text in texts {
                    let mut s = Scrubber::new(std::iter::once(&l)).unwrap();
                    let out = s.clean(text.as_bytes());
                    assert_eq!(s.found(), 1, "{text}");
                    assert_eq!(out.len(), text.len());
                    let decoded = BASE64.decode(&out).unwrap_or_default();
                    assert!(memchr::memmem::find(&decoded, value.as_bytes()).is_none());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_split_lets_a_value_through(value in "[a-zA-Z0-9_/+&=]{8,40}", noise in proptest::collection::vec("[a-z0-9]{0,60}", 1..6), cuts in proptest::collection::vec(1_usize..9, 1..40)) {
            let l = lent(&value);
            let text = noise.join(&value);
            let mut s = Scrubber::new(std::iter::once(&l)).unwrap();
            let (mut out, mut rest, mut cuts) = (Vec::new(), text.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                s.push(now, &mut out);
                rest = later;
            }
            s.finish(&mut out);
            prop_assert_eq!(out.len(), text.len());
            prop_assert!(memchr::memmem::find(&out, value.as_bytes()).is_none());
        }
    }
}
