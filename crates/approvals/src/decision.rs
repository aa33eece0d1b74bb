//! A decision: what one person said of one request, and what is signed of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::request::Digest;

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The action may run, within the scope.
    Approve,
    /// It may not. After an approval that was not used yet: it may no longer.
    Deny,
}

impl Choice {
    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// Where a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The agent's own question.
    Agent,
    /// `ambit approvals` in a terminal.
    Terminal,
    /// The console in a browser.
    Console,
    /// A chat, whose vendor alone says who wrote: for ordinary risk only.
    Chat,
}

impl Channel {
    /// The words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Agent => "the agent's own question",
            Self::Terminal => "terminal",
            Self::Console => "console",
            Self::Chat => "chat",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a consent is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Scope {
    /// This exact action, once.
    Once,
    /// This exact action, again and again in this session until then (eight hours at most).
    Session {
        /// When it ends.
        until: Timestamp,
    },
    /// This exact action now, and until then in this session effects like the one at `effect` whose target matches the
    /// pattern (`*` stands for any text), as the person saw and edited it.
    Template {
        /// The place of the effect among those shown.
        effect: usize,
        /// The pattern.
        pattern: String,
        /// When it ends.
        until: Timestamp,
    },
}

impl Scope {
    /// A word: `once`, `session`, `template`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Session { .. } => "session",
            Self::Template { .. } => "template",
        }
    }
}

/// What a person says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Yes or no.
    pub choice: Choice,
    /// The account that decides; whose it is, the request's quorum knows.
    pub account: String,
    /// Where.
    pub channel: Channel,
    /// What a yes is for.
    pub scope: Scope,
    /// The person's words; with a no they reach the agent.
    pub words: Option<String>,
    /// Whether a yes is given out of turn. Needs a reason in `words`.
    pub break_glass: bool,
    /// The word that the person typed, for a critical request.
    pub typed: Option<String>,
    /// How long the request was before the person's eyes, in milliseconds, where the channel knows.
    pub looked_ms: Option<u64>,
    /// What else proves the person: a WebAuthn assertion over the request's digest.
    pub proof: Option<serde_json::Value>,
}

impl Decision {
    /// A yes, once.
    #[must_use]
    pub fn approve(account: impl Into<String>, channel: Channel) -> Self {
        Self {
            choice: Choice::Approve,
            account: account.into(),
            channel,
            scope: Scope::Once,
            words: None,
            break_glass: false,
            typed: None,
            looked_ms: None,
            proof: None,
        }
    }

    /// A no, with the person's words for the agent.
    #[must_use]
    pub fn deny(account: impl Into<String>, channel: Channel, words: Option<String>) -> Self {
        Self { choice: Choice::Deny, words, ..Self::approve(account, channel) }
    }
}

/// A use of a consent: one call that ran by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The agent's identifier of the call that used it.
    pub call: Option<String>,
    /// The sub-agent that made the call, if one did.
    pub subagent: Option<String>,
}

/// What happened to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", content = "of", rename_all = "snake_case")]
pub enum What {
    /// A person decided.
    Decided(Decision),
    /// A call ran by it.
    Used(Use),
    /// Its time was over, or what asked is gone.
    Closed,
}

/// One entry of a request's own small log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place, from 1.
    pub seq: u32,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// Digest of the entry before; of the request, for the first.
    pub before: Digest,
    /// Ed25519 signature of the machine's key over all of the above with the request's digest, in base64.
    pub signature: String,
}

/// What is signed of an entry.
#[derive(Serialize)]
pub(crate) struct Signed<'a> {
    pub(crate) context: &'static str,
    pub(crate) request: &'a Digest,
    pub(crate) expires_at: Timestamp,
    pub(crate) seq: u32,
    pub(crate) at: Timestamp,
    pub(crate) what: &'a What,
    pub(crate) before: &'a Digest,
}

/// Keeps signatures of one use from being taken for another.
pub(crate) const CONTEXT: &str = "ambit approval entry v1";
