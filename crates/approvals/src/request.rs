//! A request: one exact action that waits for a person.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use model::Effect;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{ApprovalError, Result};

/// The short name of a request: `A7`. Counted up on one machine and never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(pub(crate) u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "A{}", self.0)
    }
}

impl FromStr for Id {
    type Err = ApprovalError;
    /// Reads `A7` or `a7`.
    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix(['A', 'a']).unwrap_or("");
        let plain =
            !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
        match digits.parse() {
            Ok(number) if plain => Ok(Self(number)),
            _ => Err(ApprovalError::BadId(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Id {
    type Error = ApprovalError;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}

/// A SHA-256 in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Of a value's canonical JSON (RFC 8785).
    ///
    /// # Errors
    /// [`ApprovalError::Canonical`] for a value that has none.
    pub fn of<T: Serialize>(value: &T) -> Result<Self> {
        let bytes = serde_json_canonicalizer::to_vec(value).map_err(ApprovalError::Canonical)?;
        Ok(Self::of_bytes(&bytes))
    }

    /// Of bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(HEXLOWER.encode(&Sha256::digest(bytes)))
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file that the action would run, as it was when the person was asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Script {
    /// The path.
    pub path: String,
    /// SHA-256 of its content, in hexadecimal; `unreadable` where it could not be read.
    pub sha256: String,
}

/// The exact action. Consent to it is consent to nothing that differs in any of this.
///
/// The sub-agent that asks is not part of it: consents belong to the session, so that a sub-agent has what its parent
/// has and no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exact {
    /// The agent.
    pub agent: String,
    /// The session.
    pub session: String,
    /// The tool with its whole input as JSON text, byte for byte: canonical JSON takes numbers for doubles and would
    /// let two large ones be one.
    pub input: String,
    /// The directory it would run in.
    pub cwd: String,
    /// Names of those variables that are set and change what programs do (`LD_PRELOAD`, `KUBECONFIG` …).
    pub variables: BTreeSet<String>,
    /// What each effect would be done to, resolved: real paths, remotes and branches, contexts, hosts.
    pub targets: Vec<String>,
    /// Files that it would run.
    pub scripts: BTreeSet<Script>,
    /// What the sandbox would be, where the call is contained.
    pub sandbox: Option<String>,
    /// The digest of the policy that asked.
    pub policy: String,
}

impl Exact {
    /// What stands for the action wherever it is looked up.
    ///
    /// # Errors
    /// [`ApprovalError::Canonical`] for an input without a canonical form.
    pub fn digest(&self) -> Result<Digest> {
        Digest::of(self)
    }
}

/// How much a wrong consent could cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// The developer may decide.
    Ordinary,
    /// Production, secrets, what cannot be taken back.
    High,
    /// What destroys production or frees the agent of its guard. Looks different, defaults to no, asks for a typed word.
    Critical,
}

impl Risk {
    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One group that must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name: `developer`, `production` …
    pub name: String,
    /// Who is in it, as persons or accounts.
    pub members: BTreeSet<String>,
    /// Whether the person who drives the agent is in it whoever that is.
    pub driver: bool,
}

/// Who must agree, as it was when the request was made; a later change of groups does not widen it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quorum {
    /// Each of these must be among those who agree.
    pub groups: Vec<Group>,
    /// How many people must agree in all; at least one.
    pub approve: u8,
    /// How many people's denials end it; at least one.
    pub deny: u8,
    /// Whether the driver's consent suffices where nobody else agrees.
    pub driver_alone: bool,
    /// Who may approve out of turn, with a reason.
    pub break_glass: BTreeSet<String>,
    /// Which accounts are whose: account to person. An account that is not listed is a person of that name.
    pub people: BTreeMap<String, String>,
}

impl Quorum {
    /// The person behind an account.
    #[must_use]
    pub fn person<'a>(&'a self, account: &'a str) -> &'a str {
        self.people.get(account).map_or(account, String::as_str)
    }

    /// Who is needed, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let names: Vec<&str> = self.groups.iter().map(|g| g.name.as_str()).collect();
        let who = if names.is_empty() { "a person".to_owned() } else { names.join(" and ") };
        let many = if self.approve > 1 { format!("{} people of ", self.approve) } else { String::new() };
        let alone = if self.driver_alone { "" } else { ", not the driver alone" };
        format!("{many}{who}{alone}")
    }
}

/// One effect of the call, as a person reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The effect itself; a template is made of it.
    pub effect: Effect,
    /// What it would do, in words, hidden characters made visible.
    pub words: String,
    /// What policy says of it alone: `allow`, `contain`, `ask`, `deny`.
    pub verdict: String,
    /// The rule that says so.
    pub rule: String,
}

/// What a person needs to know besides the effects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Story {
    /// The whole call in one line: `force-push main to origin`.
    pub title: String,
    /// The command or other input exactly as it would run.
    pub text: String,
    /// The part of `text` that decided, in bytes: `[from, to)`.
    pub risky: Option<(u32, u32)>,
    /// The command in one canonical spelling, where that differs.
    pub canonical: Option<String>,
    /// Invisible or misleading characters and the like.
    pub warnings: Vec<String>,
    /// The effects, in the call's order.
    pub effects: Vec<Shown>,
    /// The place of the effect that decided.
    pub deciding: Option<usize>,
    /// The rule that stopped it, and its layer.
    pub rule: String,
    /// Who made that rule: `floor`, `preset`, `organisation`, `repository` …
    pub layer: String,
    /// Why, in a person's words.
    pub reason: String,
    /// The safer way, if the rule names one.
    pub instead: Option<String>,
    /// The person's prompt that led here, as the agent numbers them.
    pub prompt: Option<String>,
    /// Whether the session has seen content that strangers may have written.
    pub untrusted_seen: bool,
    /// Whether the session has read sensitive data.
    pub sensitive_read: bool,
    /// What the agent itself says of the call: not to be trusted.
    pub agent_says: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The exact action.
    pub exact: Exact,
    /// The agent's identifier of the call.
    pub call: Option<String>,
    /// The sub-agent that asks, if one does.
    pub subagent: Option<String>,
    /// The account of the person who drives the agent.
    pub driver: String,
    /// Whether the agent's own question asks the driver too.
    pub dialog: bool,
    /// How much a wrong consent could cost.
    pub risk: Risk,
    /// Who must agree.
    pub quorum: Quorum,
    /// What a person needs to know.
    pub story: Story,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it ends without a decision; that is a denial.
    pub expires_at: Timestamp,
}

/// A question with the name and the digest by which it is decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its short name.
    pub id: Id,
    /// SHA-256 of the canonical JSON of everything else in here: what a decision is signed over.
    pub digest: Digest,
    /// SHA-256 of the canonical JSON of the exact action: by it the repeated call is found.
    pub action: Digest,
    /// 128 random bits in hexadecimal, so that no two requests have one digest.
    pub nonce: String,
    /// What is asked.
    #[serde(flatten)]
    pub question: Question,
}

impl Request {
    pub(crate) fn new(id: Id, question: Question) -> Result<Self> {
        let mut nonce = [0_u8; 16];
        getrandom::fill(&mut nonce).map_err(ApprovalError::Random)?;
        let action = question.exact.digest()?;
        let mut request =
            Self { id, digest: Digest(String::new()), action, nonce: HEXLOWER.encode(&nonce), question };
        request.digest = request.computed()?;
        Ok(request)
    }

    /// The digest as its content has it.
    fn computed(&self) -> Result<Digest> {
        #[derive(Serialize)]
        struct Body<'a> {
            id: Id,
            action: &'a Digest,
            nonce: &'a str,
            question: &'a Question,
        }
        Digest::of(&Body { id: self.id, action: &self.action, nonce: &self.nonce, question: &self.question })
    }

    /// Checks that nothing in it was changed.
    pub(crate) fn check(&self, id: Id) -> Result<()> {
        let bad = |why: &str| Err(ApprovalError::RequestDamaged { id: id.to_string(), why: why.to_owned() });
        if self.id != id {
            return bad("it has another request's name");
        }
        if self.question.exact.digest()? != self.action {
            return bad("its action and its action's digest differ");
        }
        if self.computed()? != self.digest {
            return bad("its content and its digest differ");
        }
        Ok(())
    }

    /// The word that a critical request's approver types: what it would be done to, else its short name.
    #[must_use]
    pub fn word(&self) -> String {
        let story = &self.question.story;
        let target = story.deciding.and_then(|at| story.effects.get(at)).map(|e| e.effect.action.target());
        let plain = |t: &String| !t.is_empty() && t.len() <= 40 && t.chars().all(|c| c.is_ascii_graphic());
        target.filter(plain).unwrap_or_else(|| self.id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names() {
        assert_eq!("A7".parse::<Id>().unwrap(), Id(7));
        assert_eq!("a12".parse::<Id>().unwrap().to_string(), "A12");
        for bad in ["", "A", "7", "A07", "A-1", "A+1", "A1 ", "../A1", "A99999999999999999999"] {
            assert!(bad.parse::<Id>().is_err(), "{bad}");
        }
    }
}
