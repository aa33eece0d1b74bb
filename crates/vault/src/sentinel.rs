//! Stand-ins: worthless text in the shape of a secret.

use crate::{Result, Value, VaultError};
use secrecy::ExposeSecret;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Shortest stand-in: 32 characters of 62 cannot be guessed or met by chance.
const SHORTEST: usize = 32;
/// How long the beginning may be that tells a secret's kind, such as `ghp_` or `sk_live_`.
const LONGEST_PREFIX: usize = 12;

/// A stand-in for `value`: it begins as the kind of secret does (`ghp_`, `sk-`), since some clients refuse what does not
/// look right, goes on with 32 or more random letters and digits, and has the value's length, rounded up to eight, so
/// that the exact length is not told.
///
/// # Errors
/// [`VaultError::NoRandom`] if the system gives no random numbers.
pub fn sentinel(value: &Value) -> Result<String> {
    let text = std::str::from_utf8(value.expose_secret()).unwrap_or_default();
    let mut out = kind(text).to_owned();
    let length = (out.len() + SHORTEST).max(text.len()).next_multiple_of(8);
    let mut bytes = [0_u8; 64];
    while out.len() < length {
        getrandom::fill(&mut bytes).map_err(|_| VaultError::NoRandom)?;
        // 248 is the largest multiple of 62 in a byte: above it, some letters would come more often.
        let letters = bytes.iter().filter(|b| **b < 248);
        let letters = letters.filter_map(|b| ALPHABET.get(usize::from(*b) % ALPHABET.len()));
        out.extend(letters.take(length - out.len()).map(|b| char::from(*b)));
    }
    Ok(out)
}

/// The beginning that tells the kind: letters, digits and separators up to the last separator near the start.
fn kind(text: &str) -> &str {
    let head = text.bytes().take(LONGEST_PREFIX);
    let head = head.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count();
    let end = text.get(..head).and_then(|head| head.rfind(['_', '-'])).map_or(0, |at| at + 1);
    // Most of a short secret would be told by its beginning.
    if end * 4 > text.len() { "" } else { text.get(..end).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        sentinel(&Value::from(text.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn a_stand_in_has_the_shape_and_nothing_of_the_value() {
        let value = format!("ghp_{}", "a1B2".repeat(9));
        let stand_in = of(&value);
        assert!(stand_in.starts_with("ghp_") && stand_in.len() == 40 && stand_in != of(&value));
        assert_eq!(of("short").len(), 32);
        assert!(!of("p-w").starts_with("p-"), "a short secret's beginning is most of it");
        assert_eq!(of(&"x".repeat(81)).len(), 88);
        assert!(of("\u{e9}tude").is_ascii());
    }
}
