//! Values: where they end, and whether they can be secret at all.

use super::separator::{Bond, Quote, Start};
use crate::class;
use crate::placeholder::{holds_word, is_documented, is_monotonous};
use crate::rarity::{makeup, surprise};
use crate::text::{FILL, at, is_random_piece, joint, line_start, part, piece};

/// The longest value that is read.
const LONGEST: usize = 4096;

/// Where a value ends.
pub(crate) fn end(text: &[u8], start: Start) -> Option<usize> {
    let room = part(text, start.place, start.place + LONGEST);
    let length = match start.quote {
        Quote::Sign(sign, slashes) => quoted(room, sign, slashes)?,
        Quote::Coded(sign) => memchr::memchr2(sign, b'\n', room)?,
        Quote::None if start.bond == Bond::Prose => {
            room.iter().position(u8::is_ascii_whitespace).unwrap_or(room.len())
        }
        Quote::None => {
            room.iter().enumerate().position(|(i, b)| stops(room, i, *b, start.bond)).unwrap_or(room.len())
        }
    };
    (length > 0).then_some(start.place + length)
}

/// A value without its breaks, and where it ends. An unquoted value that a colour breaks goes on after it, and one at the
/// end of a wide line goes on in the next if that is a random word alone.
pub(crate) fn joined(text: &[u8], start: Start, mut to: usize) -> (Vec<u8>, usize) {
    let mut out: Vec<u8> = part(text, start.place, to)
        .iter()
        .copied()
        .filter(|b| *b != FILL && *b != b'\n' && *b != b'\r')
        .collect();
    if start.quote != Quote::None {
        return (out, to);
    }
    for _ in 0..16 {
        let Some(next) = joint(text, to) else { break };
        let more = piece(text, next);
        let after = at(text, next + more.len());
        let goes_on = match at(text, to) {
            Some(FILL) => after.is_none_or(|b| {
                b.is_ascii_whitespace() || matches!(b, FILL | b',' | b';' | b'&' | b'"' | b'\'')
            }),
            Some(b'\\') if at(text, to + 1) == Some(b'n') => false,
            Some(b'\\') => true,
            _ => {
                to - line_start(text, to) >= 40
                    && is_random_piece(more)
                    && after.is_none_or(|b| matches!(b, b'\n' | b'\r'))
            }
        };
        if !goes_on || more.is_empty() {
            break;
        }
        out.extend_from_slice(more);
        to = next + more.len();
    }
    (out, to)
}

/// The length of a quoted value, on its line.
fn quoted(room: &[u8], sign: u8, slashes: u8) -> Option<usize> {
    let mut place = 0;
    loop {
        let next = place + memchr::memchr3(sign, b'\n', b'\\', room.get(place..)?)?;
        match at(room, next)? {
            b'\n' => {
                // A random value that was wrapped goes on until its quote.
                let rest = piece(room, next + 1);
                let whole = room
                    .get(..next)?
                    .iter()
                    .all(|b| class::is(*b, class::BASE64 | class::URL | class::DOT | class::EQUALS));
                if !whole || next < 4 || at(room, next + 1 + rest.len()) != Some(sign) {
                    return None;
                }
                return Some(next + 1 + rest.len());
            }
            b'\\' if slashes == 0 => place = next + 2,
            b'\\' => {
                let run = room.get(next..)?.iter().take_while(|b| **b == b'\\').count();
                // So many backslashes as before the opening quote close it.
                if at(room, next + run) == Some(sign) && run <= usize::from(slashes) {
                    return Some(next);
                }
                place = next + run + 1;
            }
            _ => return Some(next),
        }
    }
}

/// Whether an unquoted value stops before this byte.
fn stops(room: &[u8], place: usize, byte: u8, bond: Bond) -> bool {
    match byte {
        FILL | b'"' | b'\'' | b'`' | b'\n' | b'\r' | 0 => true,
        b' ' | b'\t' => true,
        b'<' => true,
        b'\\' => {
            matches!(at(room, place + 1), Some(b'n' | b'r' | b't' | b'"' | b'\\' | b'\n' | b'\r') | None)
        }
        b'&' => bond != Bond::Line || is_next_field(part(room, place + 1, place + 34)),
        b';' | b',' => {
            !matches!(bond, Bond::Line | Bond::Option)
                || matches!(at(room, place + 1), None | Some(b' ' | b'\n' | b'\r'))
        }
        b')' | b'}' | b']' | b'|' | b'>' => !matches!(bond, Bond::Line | Bond::Option),
        b'#' => bond == Bond::Query,
        _ => false,
    }
}

/// How much of a value is looked through for signs of code.
const LOOKED_AT: usize = 128;

/// Whether a form goes on with its next field: `name=`.
fn is_next_field(rest: &[u8]) -> bool {
    let name = class::run(rest, class::WORD | class::DASH, 32);
    name > 1 && at(rest, name) == Some(b'=')
}

/// Words that are values of their own, but not secrets, in small letters.
const WEAK: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "pwd",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "key",
    "apikey",
    "api_key",
    "api-key",
    "admin",
    "administrator",
    "root",
    "test",
    "tests",
    "testing",
    "user",
    "username",
    "guest",
    "demo",
    "string",
    "str",
    "none",
    "null",
    "nil",
    "true",
    "false",
    "undefined",
    "default",
    "empty",
    "unset",
    "required",
    "optional",
    "hidden",
    "postgres",
    "mysql",
    "redis",
    "mongo",
    "mongodb",
    "rabbitmq",
    "localhost",
    "bearer",
    "basic",
    "digest",
    "oauth",
    "oauth2",
    "text",
    "value",
    "invalid",
    "valid",
    "wrong",
    "unknown",
    "private",
    "public",
    "bar",
    "foo",
    "baz",
    "abc",
    "xxx",
    "yes",
    "no",
    "on",
    "off",
    "int",
    "integer",
    "boolean",
    "bool",
    "bytes",
    "object",
    "any",
    "auto",
    "prompt",
    "ask",
    "env",
    "file",
    "header",
    "cookie",
    "session",
    "secretkey",
    "mysecret",
    "mypassword",
    "mytoken",
    "pass123",
    "test123",
    "password1",
    "pa55word",
    "passw0rd",
    "p@ssw0rd",
    "p@ssword",
    "secret123",
    "password123",
    "admin123",
    "123456",
    "12345678",
    "1234",
    "12345",
    "hunter2",
    "letmein",
    "qwerty",
    "changeit",
    "somepassword",
    "newpassword",
    "oldpassword",
    "minio",
    "minioadmin",
    "keycloak",
    "sa",
    "my-secret",
    "my-token",
    "access_token",
    "refresh_token",
    "id_token",
];

/// Whether a value is one of the words that stand for a secret, or a default of a development machine.
pub(crate) fn is_weak(value: &[u8]) -> bool {
    let mut folded = [0_u8; 24];
    let Some(head) = folded.get_mut(..value.len()) else { return false };
    for (to, from) in head.iter_mut().zip(value) {
        *to = from.to_ascii_lowercase();
    }
    WEAK.iter().any(|w| w.as_bytes() == head)
}

/// Beginnings of what names a place or a variable and is no value, in small letters.
const REFERENCES: &[&str] = &[
    "$",
    "{{",
    "${",
    "<%",
    "%(",
    "#{",
    "@{",
    "%{",
    "<",
    "process.env",
    "os.environ",
    "os.getenv",
    "getenv",
    "env.",
    "env[",
    "env(",
    "env:",
    "config.",
    "config[",
    "settings.",
    "secrets.",
    "secret://",
    "op://",
    "vault:",
    "ssm:",
    "arn:",
    "projects/",
    "keyvault",
    "http://",
    "https://",
    "file:",
    "./",
    "../",
    "~/",
    "c:\\",
    "self.",
    "this.",
    "var.",
    "local.",
    "data.",
    "module.",
    "ctx.",
    "req.",
    "request.",
    "args.",
    "options.",
    "props.",
    "params.",
    "input.",
    "std::",
    "crate::",
    "super::",
    "&",
    "*",
    "[",
    "{",
    "(",
    "function",
    "lambda",
    "async",
    "await",
    "new ",
    "return",
    "urn:",
    "bearer ${",
    "enc[",
    "!ref",
    "!sub",
    "!vault",
    "sops",
    "encrypted:",
    "-----",
    "sha256:",
    "sha256-",
    "sha512-",
    "sha1-",
    "md5:",
    "data:",
    "urn:",
];

/// Whether a value only says where the secret is, or is made when the program runs.
pub(crate) fn is_reference(value: &[u8]) -> bool {
    let head: Vec<u8> = value.iter().take(16).map(u8::to_ascii_lowercase).collect();
    if REFERENCES.iter().any(|r| head.starts_with(r.as_bytes())) {
        return true;
    }
    if value.first() == Some(&b'/') && surprise(value) < 52 {
        return true;
    }
    let value = value.get(..LOOKED_AT).unwrap_or(value);
    const SIGNS: &[&[u8]] = &[b"${", b"$(", b"{{", b"}}", b"%s", b"{}", b"()", b"::", b"->", b"%d", b"#{"];
    // One pass for all of them: most values have none of their first signs.
    let pairs = value.windows(2).any(|w| {
        matches!(w.first(), Some(b'$' | b'{' | b'}' | b'%' | b'(' | b':' | b'-' | b'#')) && SIGNS.contains(&w)
    });
    pairs
        || (value.first() == Some(&b'<') && value.last() == Some(&b'>'))
        || (value.first() == Some(&b'[') && value.last() == Some(&b']'))
        || (value.first() == Some(&b'%') && value.last() == Some(&b'%'))
        || (value.first() == Some(&b'_') && value.last() == Some(&b'_'))
        || (value.first() == Some(&b'{') && value.last() == Some(&b'}'))
}

/// Whether a value is a stand-in, by its words or its monotony.
pub(crate) fn is_filler(value: &[u8]) -> bool {
    is_monotonous(&makeup(value)) || holds_word(value) || is_documented(value)
}

/// Whether a value reads like code: names with dots, calls, members.
pub(crate) fn is_expression(value: &[u8]) -> bool {
    if value.iter().any(|b| matches!(b, b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'|' | b';'))
    {
        return true;
    }
    if surprise(value) >= 56 {
        return false;
    }
    // `settings.token`, `aws_key.value`: names and dots.
    let dots = value.iter().filter(|b| **b == b'.').count();
    let parts = value.split(|b| *b == b'.');
    dots > 0
        && parts.clone().all(|p| {
            p.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
                && p.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        })
        && parts.clone().all(|p| p.iter().filter(|b| b.is_ascii_digit()).count() * 3 <= p.len())
}

/// Whether a value has the form of a version, a date, a number or a path: not secret by form.
pub(crate) fn is_plain(value: &[u8]) -> bool {
    let make = makeup(value);
    if make.length
        == make.digits
            + value.iter().filter(|b| matches!(b, b'.' | b'-' | b':' | b'/' | b' ' | b',' | b'_')).count()
    {
        return true;
    }
    // A number of a program: `0xC004_C4AC_u32`, `-65536i32`.
    let value = value.strip_prefix(b"-").unwrap_or(value);
    let number = value.strip_prefix(b"0x").map_or_else(
        || value.iter().take_while(|b| b.is_ascii_digit()).count(),
        |rest| 2 + rest.iter().take_while(|b| b.is_ascii_hexdigit() || **b == b'_').count(),
    );
    if number > 2
        && value.len() <= 18
        && value.get(number..).is_some_and(|suffix| {
            suffix.is_empty() && value.len() <= 10
                || matches!(
                    suffix.strip_prefix(b"_").unwrap_or(suffix),
                    b"u" | b"i"
                        | b"l"
                        | b"L"
                        | b"UL"
                        | b"u8"
                        | b"u16"
                        | b"u32"
                        | b"u64"
                        | b"i8"
                        | b"i16"
                        | b"i32"
                        | b"i64"
                        | b"32"
                        | b"u128"
                        | b"usize"
                        | b"f32"
                        | b"f64"
                )
                || value.ends_with(b"u32")
        })
    {
        return true;
    }
    // Escaped bytes, and words between slashes.
    if memchr::memmem::find(value, b"\\x").is_some() || memchr::memmem::find(value, b"\\u").is_some() {
        return true;
    }
    let slashes = value.iter().filter(|b| matches!(b, b'/' | b'\\')).count();
    slashes > 0 && surprise(value) < 46 && make.digits * 4 < make.length
}
