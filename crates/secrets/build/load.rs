//! Reads the tables of detectors.

use crate::class::*;
use serde::Deserialize;

/// A table as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[serde(default)]
    pub(crate) vendor: Vec<Vendor>,
}

/// A vendor and its kinds of credential.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vendor {
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) kinds: Vec<Kind>,
}

/// One kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kind {
    pub(crate) id: String,
    pub(crate) about: String,
    #[serde(default)]
    pub(crate) prefix: Vec<String>,
    #[serde(default)]
    pub(crate) before: String,
    pub(crate) shape: String,
    #[serde(default)]
    pub(crate) check: String,
    #[serde(default)]
    pub(crate) names: Vec<String>,
    #[serde(default)]
    pub(crate) keep: u8,
}

/// A part of a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Class { mask: u32, min: u16, max: u16 },
    Literal(String),
}

/// Reads a shape: `b62{36}`, `dig{10,13} '-' b62{24}`, `low+-_{32}` (an alphabet with signs more).
///
/// # Errors
/// What is wrong with it.
pub(crate) fn shape(text: &str) -> Result<Vec<Part>, String> {
    text.split_ascii_whitespace().map(part).collect()
}

fn part(word: &str) -> Result<Part, String> {
    if let Some(literal) = word.strip_prefix('\'').and_then(|w| w.strip_suffix('\'')) {
        return if literal.is_empty() {
            Err("a literal is empty".to_owned())
        } else {
            Ok(Part::Literal(literal.to_owned()))
        };
    }
    let (alphabet, count) = word
        .strip_suffix('}')
        .and_then(|w| w.split_once('{'))
        .ok_or_else(|| format!("`{word}` is neither `alphabet{{count}}` nor `'literal'`"))?;
    let (name, signs) = alphabet.split_once('+').unwrap_or((alphabet, ""));
    let mut mask = named(name).ok_or_else(|| format!("`{name}` is no alphabet"))?;
    for byte in signs.bytes() {
        mask |= sign(byte).ok_or_else(|| format!("`{}` is no sign of tokens", char::from(byte)))?;
    }
    let (min, max) = count.split_once(',').unwrap_or((count, count));
    let number = |n: &str| n.parse::<u16>().map_err(|_| format!("`{count}` is no count"));
    let (min, max) = (number(min)?, number(max)?);
    if min == 0 || max < min {
        return Err(format!("`{count}`: counts begin at 1 and rise"));
    }
    Ok(Part::Class { mask, min, max })
}

/// What is wrong with a kind, if anything.
pub(crate) fn fault(kind: &Kind) -> Option<String> {
    let word = |w: &str| {
        !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !word(&kind.id) {
        return Some("the id is not of small letters, digits and `-`".to_owned());
    }
    if let Some(e) = shape(&kind.shape).err().or_else(|| shape(&kind.before).err()) {
        return Some(e);
    }
    if kind.shape.is_empty() {
        return Some("the shape is empty".to_owned());
    }
    if kind.prefix.is_empty() && kind.names.is_empty() {
        return Some("neither a prefix nor a name announces it".to_owned());
    }
    if kind.prefix.iter().any(|p| p.len() < 3 || !p.is_ascii()) {
        return Some("a prefix has less than three bytes, or others than ASCII".to_owned());
    }
    if !matches!(kind.check.as_str(), "" | "crc32-base62" | "base64-json") {
        return Some(format!("`{}` is no check", kind.check));
    }
    None
}

/// The alphabet of a name that the tables use: `b62`, `hex` … `None` when there is no such name.
fn named(name: &str) -> Option<u32> {
    Some(match name {
        "dig" => DIGIT,
        "hex" => DIGIT | HEX_LOWER,
        "HEX" => DIGIT | HEX_UPPER,
        "hexi" => DIGIT | HEX_LOWER | HEX_UPPER,
        "az" => LOWER,
        "AZ" => UPPER,
        "alpha" => ALPHA,
        "low" => LOWER | DIGIT,
        "upp" => UPPER | DIGIT,
        "b32" => UPPER | DIGIT_32,
        "b62" => ALNUM,
        "word" => WORD,
        "url" => URL,
        "b64" => BASE64,
        _ => return None,
    })
}

/// The class of a sign that a table adds to an alphabet. `None` for signs that no token is made of.
fn sign(byte: u8) -> Option<u32> {
    Some(match byte {
        b'-' => DASH,
        b'_' => UNDERSCORE,
        b'.' => DOT,
        b'/' => SLASH,
        b'+' => PLUS,
        b'=' => EQUALS,
        b'~' => TILDE,
        b'%' => PERCENT,
        b':' => COLON,
        b'|' => BAR,
        b'$' => MARK,
        _ => return None,
    })
}
