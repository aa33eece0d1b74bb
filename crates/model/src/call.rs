//! A call: one tool call that an agent proposes.

use crate::AbsPath;
use serde::{Deserialize, Serialize};

/// A coding agent's program, by its short name (`claude-code`, `codex`, …).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Agent(pub String);

/// One run of an agent, on behalf of one person, in one workspace. The agent's own identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub String);

/// The agent's identifier of one call, which joins decision and outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub String);

/// One tool call that an agent proposes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The program that proposes it.
    pub agent: Agent,
    /// The session it belongs to; a sub-agent's call belongs to its parent's session.
    pub session: SessionId,
    /// The agent's identifier of the call, if it gives one.
    pub call: Option<CallId>,
    /// The sub-agent that makes the call, if one does.
    pub subagent: Option<String>,
    /// The directory in which it would run.
    pub cwd: AbsPath,
    /// What it would do.
    pub tool: Tool,
}

/// The tools that agents offer, each agent's own names translated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tool", rename_all = "snake_case")]
pub enum Tool {
    /// A shell command line.
    Shell {
        /// The text given to the shell.
        command: String,
        /// Whether it goes on running after the call returns.
        background: bool,
    },
    /// A file is shown to the model.
    ReadFile {
        /// As the agent wrote it.
        path: String,
    },
    /// A file is changed in part.
    EditFile {
        /// As the agent wrote it.
        path: String,
        /// The text that goes in.
        text: String,
    },
    /// A file is written whole.
    WriteFile {
        /// As the agent wrote it.
        path: String,
        /// The text that goes in.
        text: String,
    },
    /// File names are listed by pattern.
    Glob {
        /// The pattern.
        pattern: String,
        /// The directory searched, if not the working directory.
        path: Option<String>,
    },
    /// File contents are searched.
    Grep {
        /// The pattern.
        pattern: String,
        /// The file or directory searched, if not the working directory.
        path: Option<String>,
    },
    /// A web page is fetched and shown to the model.
    FetchUrl {
        /// The address.
        url: String,
    },
    /// The agent's own web search.
    WebSearch {
        /// The words searched for.
        query: String,
    },
    /// Work is handed to a sub-agent, whose own calls come one by one.
    Delegate {
        /// The task's text.
        prompt: String,
    },
    /// A tool of an MCP server.
    Mcp {
        /// The server's name in the agent's configuration.
        server: String,
        /// The tool's name at the server.
        name: String,
        /// The arguments.
        input: serde_json::Value,
    },
    /// Bookkeeping inside the agent that touches nothing outside it (to-do lists, plan mode, questions to the person).
    Internal {
        /// The agent's name of the tool.
        name: String,
    },
    /// A tool Ambit does not know: not understood.
    Unknown {
        /// The agent's name of the tool.
        name: String,
        /// The arguments.
        input: serde_json::Value,
    },
}

impl Tool {
    /// A short word for listings: `shell`, `read`, `edit` …
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Shell { .. } => "shell",
            Self::ReadFile { .. } => "read",
            Self::EditFile { .. } => "edit",
            Self::WriteFile { .. } => "write",
            Self::Glob { .. } => "glob",
            Self::Grep { .. } => "grep",
            Self::FetchUrl { .. } => "fetch",
            Self::WebSearch { .. } => "search",
            Self::Delegate { .. } => "delegate",
            Self::Mcp { .. } => "mcp",
            Self::Internal { .. } => "internal",
            Self::Unknown { .. } => "unknown",
        }
    }
}
