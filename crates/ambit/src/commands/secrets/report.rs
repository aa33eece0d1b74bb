//! What a sweep found, for people, programs and code scanning. Never a secret.

use super::places::Place;
use crate::output::style::{self, paint};
use serde_json::{Value, json};
use std::path::PathBuf;

/// One credential in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) place: Place,
    /// As it is shown: below the directory the sweep began in, or absolute.
    pub(crate) path: String,
    pub(crate) line: u64,
    pub(crate) column: u64,
    pub(crate) kind: String,
    pub(crate) tier: &'static str,
    pub(crate) certainty: &'static str,
    /// A keyed hash: the same for the same credential on this machine.
    pub(crate) fingerprint: String,
    /// Whether git has the file. `None` where there is no repository.
    pub(crate) tracked: Option<bool>,
    /// The commit that added it.
    pub(crate) commit: Option<String>,
}

/// What was looked through.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Files that could not be read, with the reason, and directories that were left out.
    pub(crate) skipped: Vec<String>,
    /// Findings that a mark, the allow file or the baseline lets be.
    pub(crate) allowed: u64,
    /// Entries of the allow file whose time is over.
    pub(crate) expired: Vec<String>,
}

impl Hit {
    /// What to do about it.
    fn advice(&self) -> String {
        let kind = secrets::detector_of(&self.kind);
        let vendor = kind.map(|d| d.vendor).filter(|v| !["Common forms", "password", "secret"].contains(v));
        let revoke = match vendor {
            Some(vendor)
                if !vendor.contains(' ')
                    || vendor.starts_with("Amazon")
                    || vendor.starts_with("Google")
                    || vendor.starts_with("Microsoft") =>
            {
                format!("revoke it at {vendor}")
            }
            _ => "revoke it where it was issued".to_owned(),
        };
        match (self.place, self.tracked) {
            (Place::History, _) => format!(
                "{revoke}: whoever has the repository has it; rewriting history does not call it back"
            ),
            (Place::Project, Some(true)) => format!(
                "{revoke}, since git has it; put the new one into the vault (`ambit secrets set`) and a reference here"
            ),
            (Place::Agent, _) => {
                format!("{revoke}: it went to the agent's model; then delete this transcript")
            }
            (Place::Shell, _) => format!("{revoke}, or delete the line: every program of yours can read it"),
            (Place::Project | Place::Global | Place::Input, _) => {
                "put it into the vault (`ambit secrets set`) and leave a reference, `secret://NAME`"
                    .to_owned()
            }
        }
    }

    fn about(&self) -> String {
        secrets::detector_of(&self.kind)
            .map_or_else(|| self.kind.clone(), |d| format!("{}: {}", d.vendor, d.about))
    }

    fn json(&self) -> Value {
        json!({
            "place": self.place.word(),
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "kind": self.kind,
            "about": self.about(),
            "tier": self.tier,
            "certainty": self.certainty,
            "fingerprint": self.fingerprint,
            "tracked": self.tracked,
            "commit": self.commit,
            "advice": self.advice(),
        })
    }
}

/// For people.
pub(crate) fn text(hits: &[Hit], scanned: &Scanned) -> String {
    let mut out = String::new();
    let mut last = "";
    for hit in hits {
        if hit.path != last {
            let git = match (hit.place, hit.tracked) {
                (Place::Project, Some(true)) => " (git has it)",
                (Place::Project, Some(false)) => " (not in git)",
                _ => "",
            };
            out.push_str(&format!("{}{}\n", paint(style::STRONG, &hit.path), paint(style::FAINT, git)));
            last = &hit.path;
        }
        let style = if hit.certainty == "possible" { style::WARNING } else { style::BAD };
        let commit =
            hit.commit.as_deref().and_then(|c| c.get(..12)).map(|c| format!(" in {c}")).unwrap_or_default();
        out.push_str(&format!(
            "  {:>5}:{:<4} {} {}{commit}\n",
            hit.line,
            hit.column,
            paint(style, &format!("{} ({})", hit.kind, hit.certainty)),
            paint(style::FAINT, &hit.fingerprint)
        ));
        out.push_str(&format!("             {}\n", hit.advice()));
    }
    let different: std::collections::BTreeSet<&str> = hits.iter().map(|h| h.fingerprint.as_str()).collect();
    if !hits.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!(
        "{} credential(s) in {} place(s); {} file(s), {:.1} MB looked through\n",
        different.len(),
        hits.len(),
        scanned.files,
        megabytes(scanned.bytes)
    ));
    if scanned.allowed > 0 {
        out.push_str(&format!("{} allowed by mark, allow file or baseline\n", scanned.allowed));
    }
    for entry in &scanned.expired {
        out.push_str(&format!("no longer allowed, since its time is over: {entry}\n"));
    }
    for skipped in scanned.skipped.iter().take(8) {
        out.push_str(&format!("{}\n", paint(style::FAINT, &format!("not looked through: {skipped}"))));
    }
    if scanned.skipped.len() > 8 {
        out.push_str(&paint(
            style::FAINT,
            &format!(
                "not looked through: {} more; --json lists them, --all goes into directories\n",
                scanned.skipped.len() - 8
            ),
        ));
    }
    out
}

fn megabytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let bytes = bytes as f64;
    bytes / 1e6
}

/// For programs.
pub(crate) fn json(hits: &[Hit], scanned: &Scanned) -> Value {
    json!({
        "version": 1,
        "findings": hits.iter().map(Hit::json).collect::<Vec<_>>(),
        "scanned": { "files": scanned.files, "bytes": scanned.bytes },
        "allowed": scanned.allowed,
        "expired": scanned.expired,
        "skipped": scanned.skipped,
    })
}

/// For code scanning: SARIF 2.1.0 (OASIS).
pub(crate) fn sarif(hits: &[Hit]) -> Value {
    let kinds: std::collections::BTreeMap<&str, String> =
        hits.iter().map(|h| (h.kind.as_str(), h.about())).collect();
    let rules: Vec<Value> =
        kinds.iter().map(|(id, about)| json!({ "id": id, "shortDescription": { "text": about } })).collect();
    let results: Vec<Value> = hits
        .iter()
        .map(|h| {
            json!({
                "ruleId": h.kind,
                "level": if h.certainty == "possible" { "warning" } else { "error" },
                "message": { "text": format!("{}; {}", h.about(), h.advice()) },
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": { "uri": uri(&h.path) },
                        "region": { "startLine": h.line, "startColumn": h.column },
                    }
                }],
                "partialFingerprints": { "ambitSecret/v1": h.fingerprint },
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "ambit", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
        }],
    })
}

/// A path as a URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// How a path is shown: below `base` where it is.
pub(crate) fn shown(path: &std::path::Path, base: &std::path::Path) -> String {
    let short: PathBuf = path.strip_prefix(base).map_or_else(|_| path.to_owned(), std::path::Path::to_owned);
    short.display().to_string()
}
