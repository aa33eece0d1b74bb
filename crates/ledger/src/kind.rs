//! What records are about.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{LedgerError, Result};

/// What a record is about: lower-case words joined by dots. The set is open; the constants are those in use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(Cow<'static, str>);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Kind {
            $($(#[$doc])* pub const $name: Self = Self(Cow::Borrowed($text));)*
            /// All kinds in use.
            pub const KNOWN: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

kinds! {
    /// A session begins.
    SESSION_START = "session.start";
    /// A session ends.
    SESSION_END = "session.end";
    /// A person said something to the agent.
    PROMPT = "prompt";
    /// What was decided on a call, written before the call runs. Its `what` holds `verdict`; one that is `deny`
    /// expects no outcome.
    DECISION = "decision";
    /// What became of a call, written after it.
    OUTCOME = "outcome";
    /// A person is asked.
    APPROVAL_ASKED = "approval.asked";
    /// A person, or the passing of time, decided. Its `what` holds `decision`; one that is not `approve` expects no
    /// outcome of the call.
    APPROVAL_DECIDED = "approval.decided";
    /// A call ran by a person's consent, which it used up.
    APPROVAL_USED = "approval.used";
    /// A person gave a task its authority before the work started.
    TASK_GRANTED = "task.granted";
    /// A person took a task's authority back.
    TASK_REVOKED = "task.revoked";
    /// A setting of the agent or of Ambit changed.
    CONFIG_CHANGED = "config.changed";
    /// Another policy is in force.
    POLICY_CHANGED = "policy.changed";
    /// The policy could not be read, so the last good one, or denial, is in force.
    POLICY_BROKEN = "policy.broken";
    /// The guard itself failed.
    GUARD_FAILED = "guard.failed";
    /// First record of every ledger: its name and its first key.
    LEDGER_CREATED = "ledger.created";
    /// Something unreadable was found while appending, and was set aside.
    LEDGER_TORN = "ledger.torn";
    /// A sealed value was erased.
    LEDGER_ERASED = "ledger.erased";
    /// Another key seals from here on.
    KEY_ROTATED = "key.rotated";
    /// A sub-agent begins.
    SUBAGENT_START = "subagent.start";
    /// A sub-agent ends.
    SUBAGENT_END = "subagent.end";
    /// A person had given back what a call lost.
    UNDO = "undo";
    /// A contained command begins.
    CONTAIN_START = "contain.start";
    /// A contained command ran a program.
    CONTAIN_EXEC = "contain.exec";
    /// A contained command was let connect, or a connection ended.
    CONTAIN_CONNECTION = "contain.connection";
    /// Something was withheld from a contained command.
    CONTAIN_DENIED = "contain.denied";
    /// A contained command and all its processes ended.
    CONTAIN_END = "contain.end";
    /// A person had a secret kept. No record holds a value.
    SECRET_KEPT = "secret.kept";
    /// A person removed a secret.
    SECRET_REMOVED = "secret.removed";
    /// A person let programs have a secret for a time.
    SECRET_GRANTED = "secret.granted";
    /// A person took that back.
    SECRET_REVOKED = "secret.revoked";
    /// A secret was lent to a contained process.
    SECRET_LENT = "secret.lent";
    /// Secrets in what a tool gave back were hidden from the model.
    SECRET_HIDDEN = "secret.hidden";
    /// A secret reached the model, since the agent lets no hook change what a failed call printed.
    SECRET_EXPOSED = "secret.exposed";
    /// A lent secret was used: put into a request, or its stand-in seen where it does not belong.
    SECRET_USED = "secret.used";
}

impl Kind {
    /// Takes a kind that has no constant.
    ///
    /// # Errors
    /// [`LedgerError::BadKind`] unless it is one to eight lower-case words (`a-z`, `0-9`, `_`, a letter first) joined by
    /// dots, 64 bytes at most.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if text.len() <= 64 && text.split('.').count() <= 8 && text.split('.').all(word) {
            Ok(Self(Cow::Owned(text)))
        } else {
            Err(LedgerError::BadKind(text))
        }
    }

    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Kind {
    type Error = LedgerError;
    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.0.into_owned()
    }
}
