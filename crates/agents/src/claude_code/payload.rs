//! What Claude Code writes to a hook's standard input.

use super::tools::tool_from;
use crate::event::{Context, Event, Outcome, PayloadError, Report};
use model::{AbsPath, Agent, CallId, SessionId, ToolCall};
use serde::Deserialize;
use serde_json::Value;

/// The fields Ambit reads. Unknown fields are ignored: the agent adds some with nearly every version.
#[derive(Debug, Deserialize)]
struct Payload {
    session_id: Option<String>,
    transcript_path: Option<String>,
    cwd: Option<String>,
    prompt_id: Option<String>,
    permission_mode: Option<String>,
    agent_id: Option<String>,
    agent_type: Option<String>,
    hook_event_name: Option<String>,
    tool_name: Option<String>,
    tool_input: Option<Value>,
    tool_use_id: Option<String>,
    duration_ms: Option<u64>,
    error: Option<Value>,
    is_interrupt: Option<bool>,
    tool_response: Option<Value>,
    prompt: Option<Value>,
    source: Option<String>,
    reason: Option<String>,
    file_path: Option<String>,
}

/// Reads a payload.
///
/// # Errors
/// [`PayloadError`] when it is not JSON or lacks the session, the directory, the event's name or, for events about a
/// call, the tool. The caller answers *deny*.
pub fn parse(bytes: &[u8]) -> Result<Report, PayloadError> {
    let p: Payload = serde_json::from_slice(bytes).map_err(PayloadError::Json)?;
    let name = required(p.hook_event_name, "hook_event_name")?;
    let session = SessionId(required(p.session_id, "session_id")?);
    let cwd_text = required(p.cwd, "cwd")?;
    let cwd =
        AbsPath::parse(&cwd_text).map_err(|e| PayloadError::Field { field: "cwd", why: e.to_string() })?;
    let call_id = p.tool_use_id.filter(|id| !id.is_empty()).map(CallId);
    let context = Context {
        session: session.clone(),
        cwd: cwd.clone(),
        transcript: p.transcript_path,
        mode: p.permission_mode,
        subagent: p.agent_id.clone(),
        prompt: p.prompt_id,
    };
    let call = |tool_name: Option<String>, input: Option<Value>| -> Result<ToolCall, PayloadError> {
        let tool_name = required(tool_name, "tool_name")?;
        let input = input.filter(Value::is_object).ok_or_else(|| PayloadError::Field {
            field: "tool_input",
            why: "it is not an object".to_owned(),
        })?;
        Ok(ToolCall {
            agent: Agent(super::NAME.to_owned()),
            session: session.clone(),
            call: call_id.clone(),
            subagent: p.agent_id.clone(),
            cwd: cwd.clone(),
            tool: tool_from(&tool_name, &input),
        })
    };
    let shell = p.tool_name.as_deref() == Some("Bash");
    let input = p.tool_input.as_ref().filter(|_| shell).cloned();
    let raw = p.tool_input.clone();
    let response = p.tool_response.clone();
    let event = match name.as_str() {
        "PreToolUse" => Event::Proposed(call(p.tool_name, p.tool_input)?),
        "PermissionRequest" => Event::Asked(call(p.tool_name, p.tool_input)?),
        "PostToolUse" => {
            let interrupted = p
                .tool_response
                .as_ref()
                .and_then(|r| r.get("interrupted"))
                .and_then(Value::as_bool)
                .unwrap_or(false);
            let outcome = Outcome { ok: true, millis: p.duration_ms, error: None, interrupted };
            Event::Ended(call(p.tool_name, p.tool_input)?, outcome)
        }
        "PostToolUseFailure" => {
            let error = p.error.map(|e| e.as_str().map_or_else(|| e.to_string(), str::to_owned));
            let outcome = Outcome {
                ok: false,
                millis: p.duration_ms,
                error,
                interrupted: p.is_interrupt.unwrap_or(false),
            };
            Event::Ended(call(p.tool_name, p.tool_input)?, outcome)
        }
        "UserPromptSubmit" => Event::Prompt {
            text: p
                .prompt
                .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
                .unwrap_or_default(),
        },
        "SessionStart" => Event::SessionStart { source: p.source.unwrap_or_default() },
        "SessionEnd" => Event::SessionEnd { reason: p.reason.unwrap_or_default() },
        "SubagentStart" => Event::SubagentStart {
            id: p.agent_id.clone().unwrap_or_default(),
            kind: p.agent_type.unwrap_or_default(),
        },
        "SubagentStop" => Event::SubagentStop { id: p.agent_id.clone().unwrap_or_default() },
        "ConfigChange" => Event::ConfigChange { source: p.source.unwrap_or_default(), path: p.file_path },
        other => Event::Other { name: other.to_owned() },
    };
    Ok(Report { context, event, call: call_id, name, input, raw, response })
}

fn required(value: Option<String>, field: &'static str) -> Result<String, PayloadError> {
    match value {
        Some(v) if !v.is_empty() => Ok(v),
        Some(_) => Err(PayloadError::Field { field, why: "it is empty".to_owned() }),
        None => Err(PayloadError::Field { field, why: "it is missing".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_proposed_call() {
        let r = parse(
            br#"{"session_id":"s1","cwd":"/w","hook_event_name":"PreToolUse","tool_name":"Bash",
                 "tool_input":{"command":"ls","description":"d"},"tool_use_id":"t1","brand_new":{"x":1}}"#,
        )
        .unwrap();
        assert_eq!(r.call, Some(CallId("t1".into())));
        assert!(matches!(&r.event, Event::Proposed(c) if c.tool.word() == "shell"));
        // All but the command stays as the agent gave it.
        let rewritten = r.with_command("true").unwrap();
        assert_eq!(rewritten, serde_json::json!({"command": "true", "description": "d"}));
    }

    #[test]
    fn what_is_missing_is_named() {
        let err = |s: &str| parse(s.as_bytes()).unwrap_err().to_string();
        assert!(err("{").contains("not valid JSON"));
        assert!(err(r#"{"hook_event_name":"PreToolUse"}"#).contains("`session_id`"));
        assert!(err(r#"{"session_id":"s","cwd":"w","hook_event_name":"PreToolUse"}"#).contains("`cwd`"));
        assert!(
            err(r#"{"session_id":"s","cwd":"/w","hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":[]}"#)
                .contains("`tool_input`")
        );
    }
}
