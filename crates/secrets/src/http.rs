//! Credentials of HTTP (RFC 9110, section 11): after `Bearer` and `Basic`, and given to `curl -u`.

use crate::class::{self, ALNUM, DASH, DOT, EQUALS, PLUS, SLASH, TILDE, UNDERSCORE};
use crate::context::value::{is_reference, is_weak};
use crate::finding::{Certainty, Finding, Tier};
use crate::placeholder::is_stand_in;
use crate::rarity::{makeup, surprise};
use crate::text::{at, begins, line_start, part};

/// The alphabet of `token68`.
const TOKEN68: u32 = ALNUM | DASH | DOT | UNDERSCORE | TILDE | PLUS | SLASH | EQUALS;

/// The least length of a bearer's token.
const BEARER: usize = 12;

/// Programs that take `-u user:password`.
const CLIENTS: [&str; 6] = ["curl", "http", "wget", "lftp", "xh ", "smbclient"];

/// The credential after the name of a scheme, which stands at `place` and has `length` bytes.
pub(crate) fn scheme(text: &[u8], place: usize, length: usize) -> Option<Finding> {
    if !begins(text, place, true) {
        return None;
    }
    let mut from = place + length;
    match (at(text, from)?, at(text, from + 1), at(text, from + 2)) {
        (b' ' | b'=' | b':' | b'+', ..) => from += 1,
        (b'%', Some(b'2'), Some(b'0')) => from += 3,
        _ => return None,
    }
    while at(text, from) == Some(b' ') {
        from += 1;
    }
    let to = from + class::run(part(text, from, text.len()), TOKEN68, 1 << 14);
    let value = trim(part(text, from, to));
    let to = from + value.len();
    let bearer = length == "bearer".len();
    if value.len() < if bearer { BEARER } else { 8 } || is_stand_in(value) || is_reference(value) {
        return None;
    }
    let certainty = if bearer {
        let make = makeup(value);
        let mixed = make.digits > 0 && (make.lower > 0 || make.upper > 0);
        if !(mixed && surprise(value) >= 45 || surprise(value) >= 56) {
            return None;
        }
        if value.len() >= 20 { Certainty::Likely } else { Certainty::Possible }
    } else {
        basic(value)?
    };
    Some(Finding {
        span: from..to,
        kind: "http-credential".into(),
        tier: Tier::Structural,
        certainty,
        open: to >= text.len(),
    })
}

/// How sure a value after `Basic` is: it must be base64 of `user:password`.
fn basic(value: &[u8]) -> Option<Certainty> {
    let usable = value.len() - value.len() % 4;
    let plain = data_encoding::BASE64.decode(value.get(..usable)?).ok()?;
    if !plain.iter().all(|b| (0x20..0x7f).contains(b)) {
        return None;
    }
    let colon = memchr::memchr(b':', &plain)?;
    let password = plain.get(colon + 1..)?;
    if password.len() < 4 || plain.get(..colon) == Some(password) || is_reference(password) {
        return None;
    }
    Some(if is_weak(password) { Certainty::Possible } else { Certainty::Likely })
}

/// A sentence's end is none of a token's.
fn trim(value: &[u8]) -> &[u8] {
    let mut value = value;
    while let Some((b'.', rest)) = value.split_last() {
        value = rest;
    }
    value
}

/// Programs that take a password after `-p`: for some in the same word, for others in the next.
const PASSWORD_CLIENTS: [(&str, bool); 6] = [
    ("mysql", false),
    ("mariadb", false),
    ("sshpass", true),
    ("docker login", true),
    ("podman login", true),
    ("mongo", true),
];

/// The password after `-p`, whose option stands at `place` and has `length` bytes.
pub(crate) fn password(text: &[u8], place: usize, length: usize) -> Option<Finding> {
    let line = part(text, line_start(text, place).max(place.saturating_sub(400)), place).to_ascii_lowercase();
    let (_, apart) =
        PASSWORD_CLIENTS.iter().find(|(c, _)| memchr::memmem::find(&line, c.as_bytes()).is_some())?;
    let mut from = place + length;
    if *apart && at(text, from) == Some(b' ') {
        from += 1;
    }
    let quote = at(text, from).filter(|b| matches!(b, b'"' | b'\''));
    from += usize::from(quote.is_some());
    let room = part(text, from, from + 128);
    let stop = room.iter().position(|b| match quote {
        Some(q) => *b == q || *b == b'\n',
        None => b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b'|' | b';'),
    });
    let secret = room.get(..stop.unwrap_or(room.len()))?;
    let make = makeup(secret);
    let rare = make.digits > 0 && make.digits < make.length || make.signs > 0 || surprise(secret) >= 52;
    if secret.len() < 6
        || !rare
        || secret.starts_with(b"-")
        || is_reference(secret)
        || is_stand_in(secret)
        || is_weak(secret)
    {
        return None;
    }
    let span = from..from + secret.len();
    Some(Finding {
        span,
        kind: "password".into(),
        tier: Tier::Contextual,
        certainty: Certainty::Possible,
        open: false,
    })
}

/// The password after `-u user:`, whose option stands at `place` and has `length` bytes.
pub(crate) fn user(text: &[u8], place: usize, length: usize) -> Option<Finding> {
    let line = part(text, line_start(text, place).max(place.saturating_sub(400)), place).to_ascii_lowercase();
    if !CLIENTS.iter().any(|c| memchr::memmem::find(&line, c.as_bytes()).is_some()) {
        return None;
    }
    let mut from = place + length;
    while matches!(at(text, from), Some(b' ' | b'=')) {
        from += 1;
    }
    let quote = at(text, from).filter(|b| matches!(b, b'"' | b'\''));
    from += usize::from(quote.is_some());
    let room = part(text, from, from + 256);
    let stop = room.iter().position(|b| match quote {
        Some(q) => *b == q || *b == b'\n',
        None => b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`'),
    });
    let word = room.get(..stop.unwrap_or(room.len()))?;
    let colon = memchr::memchr(b':', word)?;
    let secret = word.get(colon + 1..)?;
    if secret.len() < 4 || is_reference(secret) || is_stand_in(secret) || is_weak(secret) {
        return None;
    }
    let start = from + colon + 1;
    let certainty =
        if makeup(secret).digits > 0 && secret.len() >= 8 { Certainty::Likely } else { Certainty::Possible };
    Some(Finding {
        span: start..start + secret.len(),
        kind: "http-credential".into(),
        tier: Tier::Structural,
        certainty,
        open: false,
    })
}
