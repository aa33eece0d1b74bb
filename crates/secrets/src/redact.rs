//! Hiding secrets behind placeholders, and putting them back.

use crate::finding::{Certainty, Finding, Tier};
use crate::key::Key;
use crate::scan::Scanner;
use crate::vault::Vault;

/// With what every placeholder begins.
pub const OPEN: &str = "{{secret:";

/// With what it ends.
pub const CLOSE: &str = "}}";

/// The longest text that is scanned at once, in bytes: 0.2 seconds of work.
pub const BUDGET: usize = 16 << 20;

/// The longest name in a placeholder.
const NAME: usize = 48;

/// A text with its secrets hidden.
#[derive(Debug, Clone)]
pub struct Redacted {
    /// The text with placeholders.
    pub text: Vec<u8>,
    /// What was hidden, in order.
    pub found: Vec<Found>,
}

/// A secret that was hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The kind of credential.
    pub kind: String,
    /// What stands in its place.
    pub placeholder: String,
    /// How it was found.
    pub tier: Tier,
    /// How sure it is.
    pub certainty: Certainty,
    /// Its length in bytes.
    pub length: usize,
}

/// A text that is too long to be looked through in time; it must not be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "[ambit: {length} bytes were withheld, since more than {budget} cannot be checked for secrets in time; ask for a part of them]"
)]
pub struct Withheld {
    /// Its length in bytes.
    pub length: usize,
    /// How long it may be.
    pub budget: usize,
}

/// A text with its secrets put back.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The text with secrets. Not for logs.
    pub text: Vec<u8>,
    /// Placeholders that were replaced.
    pub used: Vec<String>,
    /// Placeholders that the vault does not know; they stand in the text as they were.
    pub unknown: Vec<String>,
}

/// Hides every secret of a text, and keeps it in `vault`. The same secret has the same placeholder under the same key; a
/// placeholder that is there already stays as it is.
///
/// # Errors
/// When the text is longer than `budget`: pass the error's words on instead of the text.
pub fn redact(
    text: &[u8],
    scanner: &Scanner,
    key: &Key,
    vault: &mut Vault,
    budget: usize,
) -> Result<Redacted, Withheld> {
    if text.len() > budget {
        return Err(Withheld { length: text.len(), budget });
    }
    let findings = scanner.scan(text);
    let mut out = Vec::with_capacity(text.len());
    let mut found = Vec::with_capacity(findings.len());
    let mut from = 0;
    for finding in &findings {
        let value = text.get(finding.span.clone()).unwrap_or_default();
        out.extend_from_slice(text.get(from..finding.span.start).unwrap_or_default());
        let hidden = hide(value, finding, key, vault);
        out.extend_from_slice(hidden.placeholder.as_bytes());
        found.push(hidden);
        from = finding.span.end;
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
    Ok(Redacted { text: out, found })
}

/// The placeholder of one secret, which the vault keeps from now on.
pub(crate) fn hide(value: &[u8], finding: &Finding, key: &Key, vault: &mut Vault) -> Found {
    let placeholder = vault.keep(&finding.kind, value, key);
    Found {
        kind: finding.kind.clone().into_owned(),
        placeholder,
        tier: finding.tier,
        certainty: finding.certainty,
        length: value.len(),
    }
}

/// The placeholder of a value with `digits` hexadecimal digits of its keyed hash.
pub(crate) fn placeholder(kind: &str, value: &[u8], key: &Key, digits: usize) -> String {
    let tag = data_encoding::HEXLOWER.encode(&key.tag("placeholder", value));
    let tag: String = tag.chars().take(digits).collect();
    let mut name: String = kind
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(NAME)
        .collect();
    if name.is_empty() {
        name.push_str("secret");
    }
    format!("{OPEN}{name}:{tag}{CLOSE}")
}

/// Puts the secrets that `vault` knows back in the place of their placeholders.
#[must_use]
pub fn restore(text: &[u8], vault: &Vault) -> Restored {
    let mut out = Restored { text: Vec::with_capacity(text.len()), used: Vec::new(), unknown: Vec::new() };
    let mut rest = text;
    while let Some((before, found, after)) = next_placeholder(rest) {
        out.text.extend_from_slice(before);
        if let Some(value) = vault.value(found) {
            out.text.extend_from_slice(value);
            out.used.push(found.to_owned());
        } else {
            out.text.extend_from_slice(found.as_bytes());
            out.unknown.push(found.to_owned());
        }
        rest = after;
    }
    out.text.extend_from_slice(rest);
    out
}

/// The placeholders in a text.
#[must_use]
pub fn placeholders(text: &[u8]) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((_, found, after)) = next_placeholder(rest) {
        out.push(found);
        rest = after;
    }
    out
}

/// The text before the first placeholder, it, and the text after.
fn next_placeholder(text: &[u8]) -> Option<(&[u8], &str, &[u8])> {
    let mut from = 0;
    loop {
        let at = from + memchr::memmem::find(text.get(from..)?, OPEN.as_bytes())?;
        let body = text.get(at + OPEN.len()..)?;
        let name = body
            .iter()
            .take(NAME + 1)
            .take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || **b == b'-')
            .count();
        let tail = body.get(name..)?;
        let digits =
            tail.iter().skip(1).take(65).take_while(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).count();
        let whole = OPEN.len() + name + 1 + digits + CLOSE.len();
        if name > 0
            && tail.first() == Some(&b':')
            && digits >= 4
            && tail.get(1 + digits..3 + digits) == Some(CLOSE.as_bytes())
        {
            let found = text.get(at..at + whole).and_then(|b| std::str::from_utf8(b).ok())?;
            return Some((text.get(..at)?, found, text.get(at + whole..)?));
        }
        from = at + OPEN.len();
    }
}
