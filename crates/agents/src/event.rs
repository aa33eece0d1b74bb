//! What any agent tells its guard, and what the guard answers, in the words of the design.

use model::{AbsPath, CallId, SessionId, ToolCall};

/// Something an agent reports at one of its hooks.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A call is proposed and waits for a verdict.
    Proposed(ToolCall),
    /// The agent shows the person its own question about a call.
    Asked(ToolCall),
    /// A call has ended.
    Ended(ToolCall, Outcome),
    /// The person's words to the agent.
    Prompt {
        /// The text.
        text: String,
    },
    /// A session begins or goes on.
    SessionStart {
        /// `startup`, `resume`, `clear`, `compact` …
        source: String,
    },
    /// A session ends.
    SessionEnd {
        /// Why.
        reason: String,
    },
    /// A sub-agent begins.
    SubagentStart {
        /// Its identifier.
        id: String,
        /// Its kind.
        kind: String,
    },
    /// A sub-agent ends.
    SubagentStop {
        /// Its identifier.
        id: String,
    },
    /// A settings file of the agent has changed while it runs.
    ConfigChange {
        /// Which tier: `user`, `project`, `local`, `policy`.
        source: String,
        /// The file, where the agent says which.
        path: Option<String>,
    },
    /// Anything else the agent reports; recorded, never decided.
    Other {
        /// The agent's name of the event.
        name: String,
    },
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the tool reported success.
    pub ok: bool,
    /// How long it took, in milliseconds, where the agent says so.
    pub millis: Option<u64>,
    /// The error's text, where it failed.
    pub error: Option<String>,
    /// Whether the person interrupted it.
    pub interrupted: bool,
}

/// What comes with every event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The session.
    pub session: SessionId,
    /// The directory the agent is in.
    pub cwd: AbsPath,
    /// The agent's own record of the conversation.
    pub transcript: Option<String>,
    /// The agent's permission mode (`default`, `acceptEdits`, `bypassPermissions`, `auto` …).
    pub mode: Option<String>,
    /// The sub-agent that reports, if one does.
    pub subagent: Option<String>,
    /// The person's prompt that led here, as the agent numbers them.
    pub prompt: Option<String>,
}

/// A payload, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What comes with every event.
    pub context: Context,
    /// What is reported.
    pub event: Event,
    /// The agent's identifier of the call, where the event is about one.
    pub call: Option<CallId>,
    /// The agent's own name of the event.
    pub name: String,
    /// The input of a shell command as the agent gave it, whole; `None` for every other tool.
    pub input: Option<serde_json::Value>,
    /// The input of any tool as the agent gave it, whole, where the event is about a call.
    pub raw: Option<serde_json::Value>,
    /// What the tool gave back, whole, where the agent lets that be rewritten.
    pub response: Option<serde_json::Value>,
}

impl Report {
    /// The input of the shell command with another command in it and everything else as it was; `None` where the agent
    /// lets no command be rewritten.
    #[must_use]
    pub fn with_command(&self, command: &str) -> Option<serde_json::Value> {
        let mut input = self.input.clone()?;
        *input.get_mut("command").filter(|c| c.is_string())? = command.into();
        Some(input)
    }
}

/// What the guard answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// No decision: the agent's own rules apply.
    Pass {
        /// Words for the person, if any.
        notice: Option<String>,
    },
    /// No decision, and words for the agent: what it should know about a call that has ended.
    Tell {
        /// The words.
        context: String,
    },
    /// What the tool gave back, with secrets hidden: the agent's model sees this and not the other.
    Hide {
        /// What the tool gave back, in the same form.
        output: serde_json::Value,
        /// Words for the agent, if any.
        context: Option<String>,
    },
    /// The call runs.
    Allow {
        /// Why.
        reason: String,
        /// The input to run instead, whole, where the guard rewrote it.
        input: Option<serde_json::Value>,
        /// Words for the person, if any.
        notice: Option<String>,
    },
    /// A person decides.
    Ask {
        /// What they should know.
        reason: String,
        /// The input to run instead if they agree, whole, where the guard rewrote it.
        input: Option<serde_json::Value>,
        /// Words for the person, if any.
        notice: Option<String>,
    },
    /// The call does not run.
    Deny {
        /// What was stopped, by which rule, and the safer way.
        reason: String,
        /// Words for the person, if any.
        notice: Option<String>,
    },
}

/// Why a payload could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Not JSON.
    #[error(
        "the payload is not valid JSON: {0}; the agent and this version of Ambit do not fit together, run `ambit doctor`"
    )]
    Json(#[source] serde_json::Error),
    /// A field that must be there is missing or of the wrong type.
    #[error(
        "the payload has no usable `{field}`: {why}; the agent and this version of Ambit do not fit together, run `ambit doctor`"
    )]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The payload is larger than the guard reads.
    #[error(
        "the payload is larger than {limit} bytes, which is more than the guard judges; split the call into smaller ones"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}
