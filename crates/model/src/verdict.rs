//! What Ambit can say of a call, and what it can do to make a call acceptable.

use serde::{Deserialize, Serialize};

/// The four verdicts, from the laxest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// The call runs.
    Allow,
    /// The call runs in a sandbox.
    Contain,
    /// A person decides.
    Ask,
    /// The call does not run.
    Deny,
}

impl VerdictKind {
    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Contain => "contain",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

impl std::fmt::Display for VerdictKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Something Ambit can do to make an effect acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concession {
    /// Keep what would be lost, so that it can be had back.
    Snapshot,
    /// Run it in a sandbox.
    Contain,
    /// Get a person's consent.
    Approve,
}

/// Which concessions can be kept for this call, here and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Offers {
    /// What would be lost can be kept.
    pub snapshot: bool,
    /// The sandbox reaches the tier that policy asks for, and the agent lets the command be rewritten.
    pub contain: bool,
}

/// Whose consent a call needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Needs {
    /// How many people must agree.
    pub approvals: u8,
    /// Who may: `developer` or the names of approver groups. Each must be among those who agree.
    pub approvers: Vec<String>,
}
