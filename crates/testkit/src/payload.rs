//! Hook payloads of Claude Code, with the shape of real ones.
//!
//! The files in `payloads/claude` were sent by Claude Code 2.1.330 to a recording hook; only paths and the secret
//! are replaced (`/sandbox/work` is the work tree, `/sandbox/home` the home folder).

use serde_json::{Map, Value};

macro_rules! captures {
    ($($name:literal),+ $(,)?) => {
        const CAPTURES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../payloads/claude/", $name, ".json")))),+];
    };
}

captures![
    "PermissionRequest-Bash",
    "PermissionRequest-Edit",
    "PermissionRequest-mcp__probe__write_record",
    "PostToolBatch",
    "PostToolUse-Agent",
    "PostToolUse-Bash",
    "PostToolUse-Bash-subagent",
    "PostToolUse-Edit",
    "PostToolUse-Read",
    "PostToolUse-Write",
    "PostToolUse-mcp__probe__read_record",
    "PostToolUseFailure-Bash",
    "PostToolUseFailure-mcp__probe__fail",
    "PreToolUse-Agent",
    "PreToolUse-Bash",
    "PreToolUse-Bash-subagent",
    "PreToolUse-Edit",
    "PreToolUse-Read",
    "PreToolUse-Write",
    "PreToolUse-mcp__probe__write_record",
    "SessionEnd",
    "SessionStart",
    "Stop",
    "SubagentStart",
    "SubagentStop",
    "UserPromptSubmit",
];

/// The names of all captured payloads: the event, then the tool, if it has one.
pub fn captured_names() -> impl Iterator<Item = &'static str> {
    CAPTURES.iter().map(|(name, _)| *name)
}

/// One captured payload, as it came.
///
/// # Panics
/// When there is none of that name; see [`captured_names`].
pub fn captured(name: &str) -> Value {
    let found = CAPTURES.iter().find(|(n, _)| *n == name);
    let (_, text) = found.unwrap_or_else(|| panic!("no captured payload `{name}`"));
    serde_json::from_str(text).expect("a captured payload is JSON")
}

/// A payload built from a captured one: say how it differs.
#[derive(Clone, Debug, PartialEq)]
pub struct HookPayload(Map<String, Value>);

impl HookPayload {
    /// A captured payload, as it came.
    ///
    /// # Panics
    /// When there is none of that name; see [`captured_names`].
    pub fn like(name: &str) -> Self {
        match captured(name) {
            Value::Object(map) => Self(map),
            other => panic!("the captured payload `{name}` is no object: {other}"),
        }
    }

    /// Before a call of any tool.
    pub fn before(tool: &str, input: Value) -> Self {
        let payload = if tool.starts_with("mcp__") {
            let server = tool.split("__").nth(1).unwrap_or_default();
            let mut payload = Self::like("PreToolUse-mcp__probe__write_record");
            payload.0["mcp_server"]["name"] = server.into();
            payload
        } else {
            Self::like("PreToolUse-Bash")
        };
        payload.with("tool_name", tool.into()).with("tool_input", input)
    }

    /// Before a shell command.
    pub fn before_bash(command: &str) -> Self {
        Self::before("Bash", serde_json::json!({"command": command, "description": "d"}))
    }

    /// After a call that succeeded. `response` has the tool's own shape; see the captured `PostToolUse-…`.
    pub fn after(tool: &str, input: Value, response: Value) -> Self {
        Self::like("PostToolUse-Bash")
            .with("tool_name", tool.into())
            .with("tool_input", input)
            .with("tool_response", response)
    }

    /// After a shell command that succeeded and printed `stdout`.
    pub fn after_bash(command: &str, stdout: &str) -> Self {
        let mut payload = Self::like("PostToolUse-Bash");
        payload.0["tool_input"]["command"] = command.into();
        payload.0["tool_response"]["stdout"] = stdout.into();
        payload
    }

    /// After a shell command that failed: `error` is its exit code and output, as Claude words it.
    pub fn after_failed_bash(command: &str, error: &str) -> Self {
        let mut payload = Self::like("PostToolUseFailure-Bash").with("error", error.into());
        payload.0["tool_input"]["command"] = command.into();
        payload
    }

    /// Sets one field.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.0.insert(key.to_owned(), value);
        self
    }

    /// Removes one field.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.0.remove(key);
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn in_dir(self, cwd: impl AsRef<std::path::Path>) -> Self {
        self.with("cwd", cwd.as_ref().to_string_lossy().into())
    }

    /// Sets the session's id.
    #[must_use]
    pub fn of_session(self, id: &str) -> Self {
        self.with("session_id", id.into())
    }

    /// Sets the call's id, which ties the payload after a call to the one before it.
    #[must_use]
    pub fn as_call(self, tool_use_id: &str) -> Self {
        self.with("tool_use_id", tool_use_id.into())
    }

    /// Says that a sub-agent makes the call.
    #[must_use]
    pub fn by_subagent(self, id: &str, kind: &str) -> Self {
        self.with("agent_id", id.into()).with("agent_type", kind.into())
    }

    /// The payload.
    pub fn json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// The payload as the agent writes it to the hook's standard input.
    pub fn bytes(&self) -> Vec<u8> {
        self.json().to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_captured_file_is_listed_and_bears_its_name() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("payloads/claude");
        let on_disk =
            std::fs::read_dir(folder).unwrap().flatten().map(|e| e.file_name().into_string().unwrap());
        let mut on_disk: Vec<_> = on_disk.map(|n| n.trim_end_matches(".json").to_owned()).collect();
        on_disk.sort();
        let mut listed: Vec<_> = captured_names().collect();
        listed.sort_unstable();
        assert_eq!(on_disk, listed);
        for name in captured_names() {
            let payload = captured(name);
            let event = payload["hook_event_name"].as_str().unwrap();
            assert_eq!(name.split('-').next(), Some(event));
            if let Some(tool) = payload["tool_name"].as_str() {
                assert_eq!(name.split('-').nth(1), Some(tool));
            }
            let cwd = payload["cwd"].as_str().unwrap();
            assert!(cwd.starts_with("/sandbox/"), "{name} names a real path: {cwd}");
        }
    }

    #[test]
    fn a_built_payload_differs_only_where_told() {
        let built = HookPayload::before_bash("ls").in_dir("/w").of_session("s1").as_call("t1").json();
        let mut wanted = captured("PreToolUse-Bash");
        wanted["tool_input"]["command"] = json!("ls");
        wanted["cwd"] = json!("/w");
        wanted["session_id"] = json!("s1");
        wanted["tool_use_id"] = json!("t1");
        assert_eq!(built, wanted);
        assert_eq!(HookPayload::before("mcp__jira__close", json!({})).json()["mcp_server"]["name"], "jira");
    }
}
