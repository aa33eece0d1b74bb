//! Worthless tokens of a kind: for tests, and as stand-ins that programs accept by their form.

use crate::checksum::{base62, crc32};
use crate::class;
use crate::spec::{Check, Detector, Segment};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};

/// A value of this kind's form, made from `seed`: the same for the same seed. It opens nothing; its checksum holds.
#[must_use]
pub fn sample(detector: &Detector, seed: u64) -> String {
    let mut random =
        Random(seed ^ detector.id.bytes().fold(0, |h: u64, b| h.wrapping_mul(31).wrapping_add(u64::from(b))));
    let mut out = Vec::new();
    segments(detector.before, &mut random, &mut out);
    let prefix = random.pick(detector.prefixes).copied().unwrap_or_default();
    out.extend_from_slice(prefix.as_bytes());
    let body = out.len();
    match (detector.check, detector.shape.split_first()) {
        (Check::Base64Json, Some((_, rest))) => {
            let (plain, encoding) = if prefix == "eyJ" {
                (format!("{{\"alg\":\"RS256\",\"kid\":\"{}\"}}", random.word(12)), &BASE64URL_NOPAD)
            } else {
                (
                    format!("{{\"k\":\"{}\",\"n\":\"{}\",\"id\":1}}", random.word(40), random.word(6)),
                    &BASE64_NOPAD,
                )
            };
            let text = encoding.encode(plain.as_bytes());
            out.extend_from_slice(text.strip_prefix(prefix).unwrap_or(&text).as_bytes());
            segments(rest, &mut random, &mut out);
        }
        _ => segments(detector.shape, &mut random, &mut out),
    }
    if detector.check == Check::Crc32Base62
        && let Some(start) = out.len().checked_sub(6)
    {
        let sum = base62(crc32(out.get(body..start).unwrap_or_default()));
        out.truncate(start);
        out.extend_from_slice(&sum);
    }
    String::from_utf8(out).unwrap_or_default()
}

fn segments(parts: &[Segment], random: &mut Random, out: &mut Vec<u8>) {
    for part in parts {
        match part {
            Segment::Literal(literal) => out.extend_from_slice(literal.as_bytes()),
            Segment::Class { mask, min, max } => {
                // Tokens of open length are rarely at the end of it.
                let room = u64::from(max - min).min(24);
                let length = u64::from(*min) + if room == 0 { 0 } else { random.next() % (room + 1) };
                for at in 0..length {
                    // A sign at the end would be taken for the end of a sentence.
                    let edge = at == 0 || at + 1 == length;
                    let mask = if edge && mask & class::ALNUM != 0 {
                        mask & (class::ALNUM | class::HEX_LOWER | class::HEX_UPPER | class::DIGIT_32)
                    } else {
                        *mask
                    };
                    out.push(random.byte(mask));
                }
            }
        }
    }
}

/// `splitmix64`: enough for stand-ins, not for keys.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(count.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let at = self.below(list.len());
        list.get(at)
    }

    fn byte(&mut self, mask: u32) -> u8 {
        let alphabet: Vec<u8> = (b'!'..=b'~').filter(|b| class::is(*b, mask)).collect();
        self.pick(&alphabet).copied().unwrap_or(b'a')
    }

    fn word(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(self.byte(class::ALNUM))).collect()
    }
}
