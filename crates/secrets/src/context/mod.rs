//! `name = value`: secrets that only their name and their rarity give away.

mod name;
mod separator;
pub(crate) mod value;

use crate::class;
use crate::finding::{Certainty, Finding, Tier};
use crate::rarity::{Makeup, makeup, surprise};
use crate::scan::Surroundings;
use crate::shape::{Outcome, fits};
use crate::spec::Detector;
use crate::table::detectors;
use crate::text::{at, line_end, part};
use name::{Name, Strength, bounds, name};
use separator::{Bond, Quote, Start, start};
use value::{end, is_expression, is_filler, is_plain, is_reference, is_weak};

/// The shortest value that is taken for a secret, in bytes.
const SHORTEST: usize = 6;

/// What a look at a word of a name told.
#[derive(Debug)]
pub(crate) struct Look {
    /// The secrets; more than one only in a header of cookies.
    pub(crate) findings: Vec<Finding>,
    /// Where the name ends: words of it up to there need no look of their own.
    pub(crate) name_ends: usize,
    /// Where an unquoted value ends, or 0.
    pub(crate) value_ends: usize,
}

/// Looks at the name that has a word of the lexicon at `place`.
pub(crate) fn look(text: &[u8], place: usize, length: usize, surroundings: Surroundings) -> Look {
    let none = |name_ends| Look { findings: Vec::new(), name_ends, value_ends: 0 };
    let Some((from, name_ends)) = bounds(text, place, length) else {
        return none(place + 1);
    };
    // Most names have no value, which is seen sooner than what they mean.
    let Some(start) = start(text, from, name_ends) else {
        return none(name_ends);
    };
    let Some(to) = end(text, start) else {
        return none(name_ends);
    };
    // Too short, or a call: seen sooner than what the name means. A scheme may be before a header's credential.
    let first = part(text, start.place, to);
    let code = start.quote == Quote::None && !matches!(start.bond, Bond::Line | Bond::Option);
    if first.len() < SHORTEST && at(text, to) != Some(b' ') || code && first.contains(&b'(') {
        return none(name_ends);
    }
    let Some(name) = name(text, from, name_ends) else {
        return none(name_ends);
    };
    if matches!(name.words.as_str(), "_cookie_" | "_set_cookie_") && start.bond != Bond::Beside {
        let to = line_end(text, start.place);
        return Look { findings: cookies(text, start.place, to), name_ends: to, value_ends: 0 };
    }
    let value_ends = if start.quote == Quote::None { to } else { 0 };
    let mut from = start.place;
    let whole = part(text, from, to);
    // A header's scheme is before its credential: `Authorization: token abc`.
    if start.quote == Quote::None
        && name.kind == "http-credential"
        && matches!(at(text, to), Some(b' '))
        && whole.iter().all(u8::is_ascii_alphabetic)
    {
        from = to + 1;
    } else if let Some(space) = whole.iter().position(|b| *b == b' ')
        && name.kind == "http-credential"
    {
        from += space + 1;
    }
    let to = if from > to {
        from + class::run(
            part(text, from, text.len()),
            class::URL | class::BASE64 | class::EQUALS | class::DOT | class::TILDE,
            4096,
        )
    } else {
        to
    };
    let (from, to) = trim(text, from, to, start.quote);
    let (value, to) = value::joined(text, Start { place: from, ..start }, to);
    let Some((kind, certainty)) = judge(&name, &value, start.bond, start.quote, surroundings) else {
        return Look { findings: Vec::new(), name_ends, value_ends };
    };
    let finding = Finding {
        span: from..to,
        kind: kind.into(),
        tier: Tier::Contextual,
        certainty,
        open: to >= text.len(),
    };
    Look { findings: vec![finding], name_ends, value_ends }
}

/// Without what ends a sentence or a list after an unquoted value.
fn trim(text: &[u8], from: usize, mut to: usize, quote: Quote) -> (usize, usize) {
    if quote == Quote::None {
        while to > from && matches!(at(text, to - 1), Some(b'.' | b',' | b';' | b':')) {
            to -= 1;
        }
    }
    (from, to)
}

/// How random a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rarity {
    /// Words.
    Words,
    /// Letters with digits or signs, as people choose passwords.
    Chosen,
    /// As a machine makes it, but short.
    Short,
    /// As a machine makes it.
    Random,
}

fn rarity(value: &[u8], make: &Makeup) -> Rarity {
    let surprise = surprise(value);
    let letters = make.lower + make.upper;
    let machine = if make.hex {
        make.length >= 16
            && make.digits >= 2
            && letters >= 2
            && make.distinct >= 7
            && make.turns * 6 > make.length
    } else {
        let mixed = make.digits > 0 && letters > 0 && make.turns * 4 >= make.length;
        surprise >= 50 && mixed || surprise >= 56 && make.turns * 5 >= make.length
    };
    match (machine, make.length) {
        (true, 16..) => Rarity::Random,
        (true, 8..) => Rarity::Short,
        _ => {
            let kinds = usize::from(make.lower > 0)
                + usize::from(make.upper > 0)
                + usize::from(make.digits > 0)
                + usize::from(make.signs > 0);
            let chosen = make.digits > 0 && letters > 0 && make.length >= 6 && make.distinct >= 5
                || kinds >= 3 && make.length >= 8
                || surprise >= 56 && make.length >= 8;
            if chosen { Rarity::Chosen } else { Rarity::Words }
        }
    }
}

/// The kind of a value and how sure it is that it is secret.
fn judge(
    name: &Name,
    value: &[u8],
    bond: Bond,
    quote: Quote,
    surroundings: Surroundings,
) -> Option<(&'static str, Certainty)> {
    let quoted = quote != Quote::None;
    if value.len() < SHORTEST
        || is_reference(value)
        || is_plain(value)
        || is_weak(value)
        || is_filler(value)
        || repeats(name, value)
    {
        return None;
    }
    let make = makeup(value);
    let spaced = memchr::memchr(b' ', value).is_some();
    if spaced {
        return (name.chosen
            && name.words.contains("mnemonic")
            && make.lower * 10 > make.length * 8
            && value.split(|b| *b == b' ').count() >= 12)
            .then_some(("secret", Certainty::Likely));
    }
    if value.iter().any(|b| *b < 0x20 || *b >= 0x7f) {
        return None;
    }
    let rarity = rarity(value, &make);
    if let Some(detector) = named(&name.words, value)
        .filter(|_| rarity >= Rarity::Short || name.chosen && rarity >= Rarity::Chosen)
    {
        return Some((detector.id, Certainty::Likely));
    }
    if !quoted && is_expression(value) {
        return None;
    }
    let bearing =
        surroundings == Surroundings::Bearing || bond == Bond::Line && surroundings != Surroundings::Code;
    let uuid = is_uuid(value);
    if bond == Bond::Cell
        && (rarity != Rarity::Random || name.strength != Strength::Strong || make.digits == 0)
    {
        return None;
    }
    // Names of types and members, with dots or colons between them: no one chooses such a password.
    if !make.hex && make.digits == 0 && is_expression(value) {
        return None;
    }
    let certainty = match (name.strength, rarity) {
        (Strength::Strong, Rarity::Random) if uuid => Certainty::Possible,
        (Strength::Strong, Rarity::Random) => {
            let sure =
                make.length >= 20 && (quoted || !matches!(bond, Bond::Prose | Bond::Beside | Bond::Cell));
            if sure { Certainty::Likely } else { Certainty::Possible }
        }
        (Strength::Strong, Rarity::Short) => Certainty::Possible,
        (Strength::Strong, Rarity::Chosen) if name.chosen || bearing => {
            if !bearing
                && !quoted
                && !matches!(
                    bond,
                    Bond::Option | Bond::Query | Bond::Element | Bond::Colon | Bond::Line | Bond::Prose
                )
            {
                return None;
            }
            if !name.chosen && surprise(value) < 44 || is_named_thing(value) {
                return None;
            }
            Certainty::Possible
        }
        (Strength::Weak, Rarity::Random)
            if !uuid
                && make.length >= 20
                && (make.digits > 0)
                && (bearing || quoted)
                && surprise(value) >= 54 =>
        {
            Certainty::Possible
        }
        // `token` alone, before what only a machine makes.
        (Strength::Weak, Rarity::Random)
            if name.kind == "token" && !uuid && make.length >= 20 && make.digits > 1 =>
        {
            Certainty::Possible
        }
        (Strength::Weak, Rarity::Random) if bearing && !uuid => Certainty::Possible,
        (Strength::Strong, Rarity::Words)
            if bearing && name.chosen && make.length >= 8 && surprise(value) >= 44 =>
        {
            Certainty::Possible
        }
        _ => return None,
    };
    Some((name.kind, certainty))
}

/// Whether a value only repeats its name, or the name the value: `"token": "access_token"`.
fn repeats(name: &Name, value: &[u8]) -> bool {
    if value.len() > 64 {
        return false;
    }
    let bare = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
    };
    let value = bare(value);
    let own = bare(name.words.as_bytes());
    !own.is_empty()
        && (memchr::memmem::find(&own, &value).is_some()
            || own.len() >= 5 && memchr::memmem::find(&value, &own).is_some() && value.len() < own.len() + 16)
}

/// Names of things, with a digit in them: `sha256`, `oauth2-proxy`, `my-secret-1`.
fn is_named_thing(value: &[u8]) -> bool {
    let make = makeup(value);
    let joined = value.iter().all(|b| {
        b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.' | b'/' | b':')
    });
    joined
        && make.digits * 5 < make.length
        && surprise(value) < 50
        && value.iter().any(|b| matches!(b, b'-' | b'_' | b'.' | b'/' | b':'))
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value
            .iter()
            .enumerate()
            .all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

/// The kind that only a name announces, if the whole value has its form.
fn named(words: &str, value: &[u8]) -> Option<&'static Detector> {
    detectors().iter().filter(|d| d.prefixes.is_empty() && d.vendor != "Common forms").find(|d| {
        matches!(fits(value, 0, d.shape), Outcome::Ends { place, .. } if place == value.len())
            && d.names.iter().any(|n| has_word(words, n))
    })
}

/// Whether a name holds a word, at a border of its words; long words need none.
fn has_word(words: &str, word: &str) -> bool {
    if word.len() > 5 {
        return words.contains(word);
    }
    words.match_indices(word).any(|(at, _)| {
        let end = at + word.len();
        let border = |b: Option<&u8>| b.is_none_or(|b| *b == b'_');
        border(at.checked_sub(1).and_then(|p| words.as_bytes().get(p))) && border(words.as_bytes().get(end))
    })
}

/// The values of a cookies' header that only a machine makes.
fn cookies(text: &[u8], from: usize, to: usize) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut place = from;
    for pair in part(text, from, to).split(|b| matches!(b, b';' | b'"' | b'\'' | b'\\')) {
        let begin = place;
        place += pair.len() + 1;
        let Some(equals) = memchr::memchr(b'=', pair) else { continue };
        let value = pair.get(equals + 1..).unwrap_or_default();
        let value = value.strip_suffix(b"\r").unwrap_or(value);
        let make = makeup(value);
        let random = rarity(value, &make) == Rarity::Random;
        if random && !is_filler(value) && !is_reference(value) && !value.contains(&b' ') {
            let start = begin + equals + 1;
            out.push(Finding {
                span: start..start + value.len(),
                kind: "cookie".into(),
                tier: Tier::Contextual,
                certainty: Certainty::Possible,
                open: false,
            });
        }
    }
    out
}
