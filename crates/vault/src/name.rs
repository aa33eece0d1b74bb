//! Names of secrets, and references to them in text.

use crate::{Result, VaultError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How a reference begins.
const SCHEME: &str = "secret://";

/// A secret's name: up to 64 of `a-z`, `0-9`, `.`, `_`, `-`, beginning with a letter or digit. So it stands in a file's
/// name, a command and a URL as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it would be called in an environment: capitals, `_` for all that is not a letter or digit.
    #[must_use]
    pub fn variable(&self) -> String {
        let mut out: String = self
            .0
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect();
        if out.starts_with(|c: char| c.is_ascii_digit()) {
            out.insert(0, '_');
        }
        out
    }

    /// The name in `secret://NAME`, and nothing else.
    #[must_use]
    pub fn of_reference(text: &str) -> Option<Self> {
        text.strip_prefix(SCHEME)?.parse().ok()
    }
}

impl FromStr for Name {
    type Err = VaultError;
    fn from_str(text: &str) -> Result<Self> {
        if model::is_secret_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(VaultError::BadName(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = VaultError;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names that `text` refers to as `secret://NAME`, each once, in order.
#[must_use]
pub fn references(text: &str) -> Vec<Name> {
    model::secret_references(text).into_iter().filter_map(|name| name.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_small_and_plain() {
        for good in ["github", "db.prod-1", "0", "a_b"] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "A", "a b", "../x", "-a", ".a", "ä", "a/b", "a\0", &"a".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        assert_eq!("db.prod-1".parse::<Name>().unwrap().variable(), "DB_PROD_1");
        assert_eq!("0".parse::<Name>().unwrap().variable(), "_0");
    }

    #[test]
    fn references_are_found_in_text() {
        let found = references(
            "T=secret://github curl -H 'x: secret://b.c' secret://github and secret://end. secret://",
        );
        assert_eq!(found.iter().map(Name::as_str).collect::<Vec<_>>(), ["github", "b.c", "end"]);
        assert!(Name::of_reference("secret://x y").is_none());
        assert_eq!(Name::of_reference("secret://x").unwrap().as_str(), "x");
    }
}
