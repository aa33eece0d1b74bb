//! How people are asked: the table `[approvals]` of `ambit.toml`. Who decides what is in `[approvers]`, whose account is
//! whose in `[people]`.

use serde::{Deserialize, Serialize};

/// Longest that a hook waits for a person, in seconds: the agent ends a hook after 60 s and the guard itself needs up
/// to 20 s.
pub const LONGEST_WAIT_S: u32 = 40;

/// In whose form a chat is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatForm {
    /// Ambit's own JSON.
    #[default]
    Plain,
    /// Slack's incoming webhooks, in Block Kit.
    Slack,
    /// Microsoft Teams' workflows, as an Adaptive Card.
    Teams,
}

/// Where requests are told by a signed POST.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The address; `https`, or `http` on the loopback.
    pub url: String,
    /// The form.
    #[serde(default)]
    pub form: ChatForm,
    /// A file with the secret that signs the POST; only its owner may read it.
    #[serde(default)]
    pub secret_file: Option<String>,
}

/// How people are asked. `None` leaves a key to the file above, or to the value that is said here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asking {
    /// Seconds that a hook waits for a person before it denies for now: 15, and [`LONGEST_WAIT_S`] at most.
    pub wait_s: Option<u32>,
    /// Seconds after which a request that nobody decided ends, which is a denial: 3600, and 600 where the agent's own
    /// question asks too.
    pub expires_s: Option<u32>,
    /// How many people's denials end a request: 1.
    pub deny: Option<u8>,
    /// How many people must agree for a group other than the developer: 1.
    pub approve: Option<u8>,
    /// Whether the person who drives the agent may alone decide for a group that names them: not unless this is true.
    pub driver_alone: Option<bool>,
    /// Who may approve out of turn, with a reason that everybody is told.
    pub break_glass: Vec<String>,
    /// Whether a notice appears on the desktop, where there is one: yes.
    pub notice: Option<bool>,
    /// Where requests are told.
    pub webhooks: Vec<Webhook>,
}

impl Asking {
    /// This, and where it says nothing, what the other says.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let list = |own: &Vec<String>, others: &Vec<String>| {
            if own.is_empty() { others.clone() } else { own.clone() }
        };
        Self {
            wait_s: self.wait_s.or(other.wait_s),
            expires_s: self.expires_s.or(other.expires_s),
            deny: self.deny.or(other.deny),
            approve: self.approve.or(other.approve),
            driver_alone: self.driver_alone.or(other.driver_alone),
            break_glass: list(&self.break_glass, &other.break_glass),
            notice: self.notice.or(other.notice),
            webhooks: if self.webhooks.is_empty() { other.webhooks.clone() } else { self.webhooks.clone() },
        }
    }

    /// How long a hook waits.
    #[must_use]
    pub fn wait(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.wait_s.unwrap_or(15).min(LONGEST_WAIT_S).into())
    }
}
