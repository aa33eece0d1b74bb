//! What a person allowed: by a mark on the line, in a file with reason and expiry, or by a baseline.

use anyhow::{Context as _, Result, bail};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use jiff::civil::Date;
use secrets::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// Marks in a comment of the line, ours and those of tools that are in use already.
const MARKS: [&str; 4] =
    ["ambit:allow-secret", "gitleaks:allow", "betterleaks:allow", "pragma: allowlist secret"];

/// Whether a line says that its secret is allowed. For the sweep only: what an agent reads is hidden all the same.
pub(crate) fn marked(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    MARKS.iter().any(|m| line.contains(m))
}

/// The project's file of what is allowed, `.ambit/secrets-allow.toml`.
#[derive(Debug, Default)]
pub(crate) struct AllowFile {
    entries: Vec<Entry>,
    /// Entries whose time is over.
    pub(crate) expired: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    paths: Gitignore,
    kind: Option<String>,
    fingerprint: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    allow: Vec<WrittenEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    path: Option<String>,
    kind: Option<String>,
    fingerprint: Option<String>,
    reason: String,
    expires: String,
}

impl AllowFile {
    /// Reads the file below `root`, if there is one.
    pub(crate) fn load(root: &Path, today: Date) -> Result<Self> {
        let path = root.join(".ambit/secrets-allow.toml");
        if !path.exists() {
            return Ok(Self::default());
        }
        Self::parse(&fs_err::read_to_string(&path)?, root, today)
            .with_context(|| format!("`{}` cannot be used", path.display()))
    }

    fn parse(text: &str, root: &Path, today: Date) -> Result<Self> {
        let written: Written = toml::from_str(text)?;
        let mut out = Self::default();
        for entry in written.allow {
            if entry.path.is_none() && entry.fingerprint.is_none() {
                bail!("an entry allows neither a `path` nor a `fingerprint`; name one of them");
            }
            if entry.reason.trim().is_empty() {
                bail!("an entry has no `reason`; say why it is no danger");
            }
            let expires: Date = entry
                .expires
                .parse()
                .with_context(|| format!("`{}` is no date; write it as 2027-01-31", entry.expires))?;
            if expires < today {
                out.expired
                    .push(format!("{} ({expires})", entry.path.or(entry.fingerprint).unwrap_or_default()));
                continue;
            }
            let mut paths = GitignoreBuilder::new(root);
            if let Some(path) = &entry.path {
                paths.add_line(None, path)?;
            }
            out.entries.push(Entry {
                paths: paths.build()?,
                kind: entry.kind,
                fingerprint: entry.fingerprint,
            });
        }
        Ok(out)
    }

    /// Whether a finding is allowed.
    pub(crate) fn allows(&self, path: &Path, kind: &str, fingerprint: &str) -> bool {
        self.entries.iter().any(|e| {
            e.kind.as_deref().is_none_or(|k| k == kind)
                && e.fingerprint.as_deref().is_none_or(|f| f == fingerprint)
                && (e.paths.is_empty()
                    || path.strip_prefix(e.paths.path()).is_ok()
                        && e.paths.matched_path_or_any_parents(path, false).is_ignore())
        })
    }
}

/// Findings that were there when a project began to look: a file that may be shared, since its fingerprints are under a
/// salt of their own and of random values.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    version: u8,
    salt: String,
    findings: BTreeSet<Accepted>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    fingerprint: String,
    kind: String,
    path: String,
}

impl Baseline {
    /// An empty baseline with a new salt.
    pub(crate) fn new() -> Result<Self> {
        let mut salt = [0_u8; 32];
        getrandom::fill(&mut salt).map_err(|e| anyhow::anyhow!("the system gave no random bytes: {e}"))?;
        Ok(Self { version: 1, salt: data_encoding::HEXLOWER.encode(&salt), findings: BTreeSet::new() })
    }

    /// Reads one.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let out: Self = serde_json::from_str(&fs_err::read_to_string(path)?).with_context(|| {
            format!("`{}` is no baseline; `ambit secrets scan --write-baseline` writes one", path.display())
        })?;
        if out.version != 1 {
            bail!("`{}` is a baseline of another version; write it anew", path.display());
        }
        Ok(out)
    }

    /// The key of its fingerprints.
    pub(crate) fn key(&self) -> Result<Key> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(self.salt.as_bytes()).ok();
        let bytes: [u8; 32] = bytes
            .and_then(|b| b.try_into().ok())
            .context("the baseline's salt is not 32 bytes; write it anew")?;
        Ok(Key::from_bytes(bytes))
    }

    pub(crate) fn add(&mut self, fingerprint: String, kind: &str, path: &str) {
        self.findings.insert(Accepted { fingerprint, kind: kind.to_owned(), path: path.to_owned() });
    }

    pub(crate) fn holds(&self, fingerprint: &str, kind: &str, path: &str) -> bool {
        self.findings.contains(&Accepted {
            fingerprint: fingerprint.to_owned(),
            kind: kind.to_owned(),
            path: path.to_owned(),
        })
    }

    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(fs_err::write(path, text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: &str = "2026-06-01";

    fn parse(text: &str) -> Result<AllowFile> {
        AllowFile::parse(text, Path::new("/repo"), TODAY.parse().unwrap())
    }

    #[test]
    fn an_entry_needs_a_reason_and_an_end() {
        for text in [
            "[[allow]]\npath = \"a\"\nexpires = \"2027-01-01\"",
            "[[allow]]\npath = \"a\"\nreason = \"x\"",
            "[[allow]]\nreason = \"x\"\nexpires = \"2027-01-01\"",
            "[[allow]]\npath = \"a\"\nreason = \" \"\nexpires = \"2027-01-01\"",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_allows_what_it_names_until_it_ends() {
        let file = parse("[[allow]]\npath = \"tests/**\"\nkind = \"private-key\"\nreason = \"test keys\"\nexpires = \"2027-01-01\"\n[[allow]]\npath = \"old\"\nreason = \"was\"\nexpires = \"2026-05-31\"\n").unwrap();
        assert!(file.allows(Path::new("/repo/tests/a/key.pem"), "private-key", "f"));
        assert!(!file.allows(Path::new("/repo/tests/a/key.pem"), "github-pat", "f"));
        assert!(!file.allows(Path::new("/repo/src/key.pem"), "private-key", "f"));
        assert!(!file.allows(Path::new("/repo/old"), "x", "f"));
        assert_eq!(file.expired.len(), 1);
    }
}
