//! Passwords in URLs: `scheme://user:password@host` (RFC 3986, section 3.2.1).

use crate::class;
use crate::context::value::{is_reference, is_weak};
use crate::finding::{Certainty, Finding, Tier};
use crate::placeholder::{holds_word, is_documented};
use crate::rarity::{makeup, surprise};
use crate::text::{FILL, at, part};

/// The longest authority that is read.
const LONGEST: usize = 512;

/// The least length of a user's name without a password that is taken for a token.
const TOKEN: usize = 20;

/// The secret in the URL whose `://` stands at `place`.
pub(crate) fn userinfo(text: &[u8], place: usize) -> Option<Finding> {
    let scheme =
        class::run_back(part(text, 0, place), class::ALNUM | class::PLUS | class::DASH | class::DOT, 32);
    if scheme < 2 {
        return None;
    }
    let from = place + 3;
    let room = part(text, from, from + LONGEST);
    let stop = room
        .iter()
        .position(|b| {
            b.is_ascii_whitespace()
                || matches!(*b, b'/' | b'?' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | b'|' | FILL)
        })
        .unwrap_or(room.len());
    // A host stands after the last `@`.
    let end = memchr::memrchr(b'@', room.get(..stop)?)?;
    if !at(room, end + 1)
        .is_some_and(|b| class::is(b, class::ALNUM) || matches!(b, b'[' | b'$' | b'{' | b'_' | b'('))
    {
        return None;
    }
    let info = room.get(..end)?;
    let (start, secret) = match memchr::memchr(b':', info) {
        Some(colon) => (colon + 1, info.get(colon + 1..)?),
        None => (0, info),
    };
    let user = info.get(..start.saturating_sub(1)).unwrap_or_default();
    if secret.len() < 3
        || secret == user
        || is_reference(secret)
        || holds_word(secret)
        || is_documented(secret)
        || memchr::memchr2(b'{', b'$', secret).is_some() && secret.len() < 8
    {
        return None;
    }
    let make = makeup(secret);
    if start == 0 && (secret.len() < TOKEN || make.digits < 2 || surprise(secret) < 50) {
        return None;
    }
    let strong = secret.len() >= 8 && make.digits > 0 && (surprise(secret) >= 48 || make.signs > 0);
    if is_weak(secret) {
        return None;
    }
    let certainty = if strong { Certainty::Likely } else { Certainty::Possible };
    let span = from + start..from + end;
    Some(Finding { span, kind: "url-password".into(), tier: Tier::Structural, certainty, open: false })
}
