//! What a scan finds.

use std::borrow::Cow;
use std::ops::Range;

/// A secret in a text. It holds places, not the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The bytes of the text that are the secret.
    pub span: Range<usize>,
    /// The kind of credential: an id of [`crate::detectors`], of a rule that was loaded, or the name of a known value.
    pub kind: Cow<'static, str>,
    /// How it was found.
    pub tier: Tier,
    /// How sure it is.
    pub certainty: Certainty,
    /// The secret may go on after the end of the text.
    pub open: bool,
}

/// How a secret was found, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Its value is known to be secret.
    Known,
    /// It has the form that a vendor gives to such tokens, or that of a key, a web token, a URL with a password.
    Structural,
    /// Its name says so, and its value is rare.
    Contextual,
}

impl Tier {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Structural => "structural",
            Self::Contextual => "contextual",
        }
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Worth hiding, since hiding can be undone; not worth stopping anybody.
    Possible,
    /// Worth stopping a prompt or a write.
    Likely,
    /// A checksum or a known value says so.
    Certain,
}

impl Certainty {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

impl Finding {
    /// Whether it is sure enough to stop a prompt, a write or a message. Findings below that are hidden in outputs, where
    /// a mistake costs little.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.certainty >= Certainty::Likely
    }
}

/// Sorts findings and makes one of those that overlap: the whole of both, under the name of the surer one.
pub(crate) fn settle(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| a.span.start.cmp(&b.span.start).then(b.span.end.cmp(&a.span.end)));
    let mut out: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings.drain(..) {
        match out.last_mut() {
            Some(last) if finding.span.start < last.span.end => {
                let span = last.span.start..last.span.end.max(finding.span.end);
                let open = last.open | finding.open;
                if rank(&finding) > rank(last) {
                    *last = finding;
                }
                last.span = span;
                last.open = open;
            }
            _ => out.push(finding),
        }
    }
    *findings = out;
}

fn rank(finding: &Finding) -> (bool, Certainty, std::cmp::Reverse<Tier>) {
    (finding.tier == Tier::Known, finding.certainty, std::cmp::Reverse(finding.tier))
}
