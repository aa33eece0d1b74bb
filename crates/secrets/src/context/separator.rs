//! What stands between a name and its value, in every notation at once: environment, JSON, YAML, HCL, XML, options,
//! headers, source code, prose.

use crate::class;
use crate::text::{FILL, at, line_start, part};

/// How a value is bound to its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bond {
    /// `NAME=value` at the beginning of a line, as in environments and property files.
    Line,
    /// `=`, `:=`, `=>`, `==`.
    Assign,
    /// `:`
    Colon,
    /// `--name value`
    Option,
    /// `<name>value</name>`
    Element,
    /// `name("value")`, `"name", "value"`, `NAME 'value'`: only with a quoted value.
    Beside,
    /// `name,value,` in a row of a table.
    Cell,
    /// `a=1&name=value` in a URL or form.
    Query,
    /// `the password is value`
    Prose,
}

/// How a value is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quote {
    /// Not.
    None,
    /// With this sign, after so many backslashes.
    Sign(u8, u8),
    /// `&quot;` or `%22`: ends at the next `&` or `%`.
    Coded(u8),
}

/// Where a value begins, and how it is bound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) place: usize,
    pub(crate) bond: Bond,
    pub(crate) quote: Quote,
}

/// The longest stretch between a name and its value.
const LONGEST: usize = 96;

/// Where the value of the name `from..to` begins.
pub(crate) fn start(text: &[u8], from: usize, to: usize) -> Option<Start> {
    let roof = to + LONGEST;
    let (mut place, closed) = closers(text, to);
    let blank = spaces(text, place, roof);
    let option = at(text, from) == Some(b'-')
        && matches!(
            from.checked_sub(1).and_then(|p| at(text, p)),
            None | Some(b' ' | b'\n' | b'\t' | b'"' | b'\'' | b'[' | b',' | FILL)
        );
    let gap = blank > place;
    place = blank;
    let (bond, needs_quote) = match (at(text, place)?, at(text, place + 1)) {
        (b'=', _) => {
            while matches!(at(text, place), Some(b'=' | b'>' | b'~')) {
                place += 1;
            }
            (assignment(text, from, to, place), false)
        }
        (b':', Some(b':')) => {
            // `::=` assigns, `::` alone is a path.
            while at(text, place) == Some(b':') {
                place += 1;
            }
            if at(text, place) != Some(b'=') {
                return None;
            }
            place += 1;
            (Bond::Assign, false)
        }
        (b':', Some(b'=')) => {
            place += 2;
            (Bond::Assign, false)
        }
        (b':', _) => {
            place += 1;
            match annotation(text, place) {
                Some(after) => {
                    place = after;
                    (Bond::Assign, false)
                }
                None => (Bond::Colon, false),
            }
        }
        (b'!', Some(b'=')) => {
            place += 2;
            while at(text, place) == Some(b'=') {
                place += 1;
            }
            (Bond::Assign, true)
        }
        (b'|', Some(b'|')) | (b'?', Some(b'?' | b'=')) => {
            place += 2;
            if at(text, place) == Some(b'=') {
                place += 1;
            }
            (Bond::Assign, true)
        }
        (b'+' | b'.', Some(b'=')) => {
            place += 2;
            (Bond::Assign, true)
        }
        (b'%', Some(b'3')) if matches!(at(text, place + 2), Some(b'D' | b'd' | b'A' | b'a')) => {
            place += 3;
            (Bond::Query, false)
        }
        (b',', _) => {
            if let Some(after) = attribute(text, place, roof) {
                place = after;
                (Bond::Assign, false)
            } else if at(text, place + 1).is_some_and(|b| class::is(b, class::ALNUM)) {
                place += 1;
                (Bond::Cell, false)
            } else {
                place += 1;
                (Bond::Beside, true)
            }
        }
        (b'(', _) => {
            place += 1;
            (Bond::Beside, true)
        }
        (b'|', _) if gap => {
            place += 1;
            (Bond::Colon, false)
        }
        (b'>', _) => {
            place += 1;
            (Bond::Element, false)
        }
        (b'<', Some(b'/')) => {
            place = element_after(text, place, roof)?;
            (Bond::Element, false)
        }
        (b'i', Some(b's')) if gap && matches!(at(text, place + 2), Some(b' ' | b':')) => {
            place += 3;
            (Bond::Prose, false)
        }
        (b'\n' | b'\r', _) => {
            place = attribute(text, place, roof)?;
            (Bond::Assign, false)
        }
        (b'\'' | b'"', _) if gap => (Bond::Beside, true),
        _ if closed => {
            place = attribute(text, place, roof)?;
            (Bond::Assign, false)
        }
        _ if gap && typed(text, place).is_some() => {
            place = typed(text, place)?;
            (Bond::Assign, true)
        }
        _ if gap && option => (Bond::Option, false),
        _ if gap && netrc(text, from, to) => (Bond::Option, false),
        (b'v', _) if gap => {
            place = attribute(text, place, roof)?;
            (Bond::Assign, false)
        }
        _ => return None,
    };
    place = spaces(text, place, roof);
    if bond == Bond::Element {
        place += class::run(part(text, place, roof), class::SPACE, 40);
    }
    if matches!(bond, Bond::Assign | Bond::Colon | Bond::Beside)
        && matches!(at(text, place), Some(b'\n' | b'\r'))
    {
        let next = place + class::run(part(text, place, roof), class::SPACE, 40);
        if !matches!(at(text, next), Some(b'"' | b'\'' | b'`')) {
            return None;
        }
        place = next;
    }
    let (place, quote) = opening(text, place);
    if needs_quote && quote == Quote::None {
        return None;
    }
    Some(Start { place, bond, quote })
}

/// After the quotes and brackets that close a name.
fn closers(text: &[u8], mut place: usize) -> (usize, bool) {
    let first = place;
    for _ in 0..6 {
        match at(text, place) {
            Some(b'\\') if matches!(at(text, place + 1), Some(b'"' | b'\'' | b'\\')) => place += 1,
            Some(b'"' | b'\'' | b'`' | b']' | b'*' | FILL) => place += 1,
            Some(b')' | b'}') if place > first => place += 1,
            Some(b'&') if part(text, place, place + 6) == b"&quot;" => place += 6,
            Some(b'%') if part(text, place, place + 3) == b"%22" => place += 3,
            _ => break,
        }
    }
    (place, place > first)
}

fn spaces(text: &[u8], mut place: usize, roof: usize) -> usize {
    while place < roof && matches!(at(text, place), Some(b' ' | b'\t' | FILL)) {
        place += 1;
    }
    place
}

/// The bond of `=`: at the beginning of a line, in a query, or in the midst of code.
fn assignment(text: &[u8], from: usize, to: usize, place: usize) -> Bond {
    if matches!(from.checked_sub(1).and_then(|p| at(text, p)), Some(b'?' | b'&')) {
        return Bond::Query;
    }
    let tight = place == to + 1 && !matches!(at(text, place), Some(b' ' | b'\t'));
    let head = part(text, line_start(text, from), from);
    let head = head
        .strip_suffix(b"export ")
        .or_else(|| head.strip_suffix(b"ENV "))
        .or_else(|| head.strip_suffix(b"set "))
        .unwrap_or(head);
    let bare = head.iter().all(|b| {
        b.is_ascii_whitespace() || b.is_ascii_digit() || matches!(*b, b'+' | b'-' | b'>' | b'|' | b':' | FILL)
    });
    // `FOO=bar command`, `docker run -e FOO=bar`, `\nFOO=bar` in a JSON string, `"FOO=bar"` in a list.
    let shouted = part(text, from, to).iter().all(|b| !b.is_ascii_lowercase());
    if tight && (bare || shouted) { Bond::Line } else { Bond::Assign }
}

/// After a type annotation with its `=`: `: &str = `, `: string = `, `: Optional[str] = `.
fn annotation(text: &[u8], place: usize) -> Option<usize> {
    let room = part(text, place, place + 48);
    let equals = memchr::memchr(b'=', room)?;
    let kind = room.get(..equals)?;
    let plain = kind.iter().all(|b| {
        b.is_ascii_alphanumeric()
            || matches!(
                b,
                b' ' | b'&' | b'\'' | b'_' | b'<' | b'>' | b'[' | b']' | b'.' | b'?' | b'*' | b'|' | b':'
            )
    });
    let word = kind.iter().any(u8::is_ascii_alphabetic);
    let digits = kind.iter().filter(|b| b.is_ascii_digit()).count();
    (plain && word && digits < 6 && kind.ends_with(b" ") && at(room, equals + 1) != Some(b'='))
        .then_some(place + equals + 1)
}

/// After `string = ` in `var name string = "…"`.
fn typed(text: &[u8], place: usize) -> Option<usize> {
    let kind = class::run(part(text, place, place + 32), class::WORD | class::DOT, 32);
    let rest = part(text, place + kind, place + kind + 4);
    (kind > 0 && rest.starts_with(b" = ") && matches!(rest.get(3), Some(b'"' | b'\'' | b'`')))
        .then_some(place + kind + 3)
}

/// After `value=` or `"value":` in an attribute or a member beside the one that gave the name.
fn attribute(text: &[u8], mut place: usize, roof: usize) -> Option<usize> {
    let first = place;
    while place < roof
        && place < first + 40
        && matches!(at(text, place), Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b'"' | b'\'' | b'\\' | b'-'))
    {
        place += 1;
    }
    let word = part(text, place, place + 5);
    if !word.eq_ignore_ascii_case(b"value") {
        return None;
    }
    let (after, _) = closers(text, place + 5);
    let after = spaces(text, after, roof);
    matches!(at(text, after), Some(b'=' | b':')).then_some(after + 1)
}

/// After `</key><string>`: property lists put names and values side by side.
fn element_after(text: &[u8], place: usize, roof: usize) -> Option<usize> {
    let room = part(text, place, roof);
    let close = memchr::memchr(b'>', room)?;
    let rest = room.get(close + 1..)?;
    let blank = class::run(rest, class::SPACE, 40);
    let rest = rest.get(blank..)?;
    if rest.first() != Some(&b'<') || rest.get(1) == Some(&b'/') {
        return None;
    }
    let open = memchr::memchr(b'>', rest)?;
    Some(place + close + 1 + blank + open + 1)
}

/// Whether a line is one of a `.netrc`.
fn netrc(text: &[u8], from: usize, to: usize) -> bool {
    let line = part(text, line_start(text, from), from);
    part(text, from, to) == b"password"
        && (line.is_empty()
            || line.iter().all(u8::is_ascii_whitespace)
            || memchr::memmem::find(line, b"login ").is_some()
            || memchr::memmem::find(line, b"machine ").is_some())
}

/// The quote that opens a value, after prefixes of strings and calls that only wrap one.
fn opening(text: &[u8], mut place: usize) -> (usize, Quote) {
    let prefix = class::run(part(text, place, place + 3), class::ALPHA, 2);
    if prefix > 0
        && prefix <= 2
        && matches!(at(text, place + prefix), Some(b'"' | b'\''))
        && part(text, place, place + prefix).iter().all(|b| b"brufRBUFLNn".contains(b))
    {
        place += prefix;
    }
    if matches!(at(text, place), Some(b'@' | b'$' | b'[' | b'(' | b'&'))
        && matches!(at(text, place + 1), Some(b'"' | b'\''))
    {
        place += 1;
    }
    let backslashes = class_run_backslash(text, place);
    match at(text, place + backslashes) {
        Some(sign @ (b'"' | b'\'' | b'`')) => {
            place += backslashes + 1;
            // Three of them open a text of many lines.
            if part(text, place, place + 2) == [sign, sign] {
                place += 2;
            }
            (place, Quote::Sign(sign, u8::try_from(backslashes).unwrap_or(u8::MAX)))
        }
        Some(b'&') if part(text, place, place + 6) == b"&quot;" => (place + 6, Quote::Coded(b'&')),
        Some(b'%') if part(text, place, place + 3) == b"%22" => (place + 3, Quote::Coded(b'%')),
        _ => {
            // A call that makes something of a text: `String::from("…")`, `new Secret("…")`.
            let call = class::run(
                part(text, place, place + 48),
                class::WORD | class::DOT | class::COLON | class::SPACE,
                40,
            );
            if call > 0
                && at(text, place + call) == Some(b'(')
                && matches!(at(text, place + call + 1), Some(b'"' | b'\''))
            {
                return opening(text, place + call + 1);
            }
            (place, Quote::None)
        }
    }
}

fn class_run_backslash(text: &[u8], place: usize) -> usize {
    part(text, place, place + 8).iter().take_while(|b| **b == b'\\').count()
}
