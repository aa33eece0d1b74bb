//! Private keys in PEM (RFC 7468) and OpenPGP armor, also inside JSON strings, source code and diffs.

use crate::class::{self, BASE64, EQUALS};
use crate::finding::{Certainty, Finding, Tier};
use crate::text::part;

/// The longest block that is followed, in bytes: a 16 384-bit RSA key, wrapped and indented, has a quarter of it.
pub(crate) const LONGEST: usize = 64 << 10;

/// The least number of base64 digits of a key: an Ed25519 key in PKCS #8 has 64.
const LEAST: usize = 48;

/// The private key whose `BEGIN` stands at `place`.
pub(crate) fn block(text: &[u8], place: usize) -> Option<Finding> {
    let from = place.checked_sub(5)?;
    if part(text, from, place) != b"-----" || !part(text, place, place + 6).eq(b"BEGIN ") {
        return None;
    }
    let label_end = memchr::memmem::find(part(text, place, place + 64), b"-----")? + place;
    let label = part(text, place + 6, label_end);
    memchr::memmem::find(label, b"PRIVATE KEY")?;
    let body = label_end + 5;
    let (to, open, closed) = end(text, body);
    let content = part(text, body, to);
    let digits = payload(content);
    if digits < LEAST && !open {
        return None;
    }
    if memchr::memmem::find(content, b"...").is_some() || is_flat(content) {
        return None;
    }
    let certainty = if closed { Certainty::Likely } else { Certainty::Possible };
    Some(Finding { span: from..to, kind: "private-key".into(), tier: Tier::Structural, certainty, open })
}

/// Where a block ends whose content begins at `body`; whether the text ends before it; whether it has its `END`.
pub(crate) fn end(text: &[u8], body: usize) -> (usize, bool, bool) {
    let roof = (body + LONGEST).min(text.len());
    let content = part(text, body, roof);
    let mut place = 0;
    while let Some(byte) = content.get(place) {
        if *byte == b'-' && part(content, place, place + 5) == b"-----" {
            let rest = part(content, place, place + 80);
            if !rest.starts_with(b"-----END") {
                return (body + place, false, false);
            }
            let label = part(rest, 8, rest.len());
            return match memchr::memmem::find(label, b"-----") {
                Some(p) => (body + place + 8 + p + 5, false, true),
                None if body + place + rest.len() >= text.len() => (text.len(), true, true),
                None => (body + place, false, false),
            };
        }
        if !allowed(*byte) {
            break;
        }
        place += 1;
    }
    (body + place, body + place >= text.len(), false)
}

/// What may stand in a block: digits of base64, white space, headers, and what strings of source code put around lines.
pub(crate) fn allowed(byte: u8) -> bool {
    class::is(byte, BASE64 | EQUALS | class::SPACE | class::DASH | class::DOT | class::COLON)
        || matches!(
            byte,
            b'\\' | b'"' | b'\'' | b',' | b'(' | b')' | b'>' | b'|' | b'`' | b';' | b'&' | b'#' | b'@' | 0x1b
        )
}

/// How many digits of base64 stand in runs that are too long for words.
fn payload(content: &[u8]) -> usize {
    let mut total = 0;
    let mut rest = content;
    while !rest.is_empty() {
        let run = class::run(rest, BASE64 | EQUALS, rest.len());
        if run >= 16 {
            total += run;
        }
        rest = rest.get(run.max(1)..).unwrap_or_default();
    }
    total
}

/// Whether a block is filled with few different signs.
fn is_flat(content: &[u8]) -> bool {
    let make = crate::rarity::makeup(content);
    make.distinct < 16 && content.len() > 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filler(length: usize) -> String {
        let digits = b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
        (0..length).map(|i| char::from(digits[i * 7 % digits.len()])).collect()
    }

    #[test]
    fn a_block_is_found_whole_in_text_and_in_json() {
        let lines = [filler(64), filler(64)];
        let head = ["-----BEGIN RSA PRIVATE", " KEY-----"].concat();
        let tail = ["-----END RSA PRIVATE", " KEY-----"].concat();
        for separator in ["\n", "\\n", "\r\n    ", "\\n\" +\n  \""] {
            let block_text = format!("{head}{separator}{}{separator}{}{separator}{tail}", lines[0], lines[1]);
            let text = format!("key: {block_text} after");
            let place = text.find("BEGIN").unwrap();
            let found = block(text.as_bytes(), place).unwrap();
            assert_eq!(text.get(found.span).unwrap(), block_text);
        }
    }

    #[test]
    fn a_heading_without_a_key_is_none() {
        for text in [
            "-----BEGIN PRIVATE KEY-----",
            "\"-----BEGIN RSA PRIVATE KEY-----\";",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
        ] {
            let with_more = format!("{text}! and prose");
            let found = block(with_more.as_bytes(), 5);
            assert!(found.is_none(), "{text}: {found:?}");
        }
        let public = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", filler(128));
        assert!(block(public.as_bytes(), 5).is_none());
    }
}
