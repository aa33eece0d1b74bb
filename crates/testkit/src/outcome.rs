//! What one session did, as seen from every side.

use crate::scripted_model::{Body, RequestKind, SeenRequest, contains};
use crate::wire::blocks;
use serde_json::Value;
use std::time::Duration;

/// The result of one call, as the model was told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The call's id: `toolu_LISTsNNcM` for call M of step NN of a script list.
    pub id: String,
    /// Whether the agent called it a failure.
    pub is_error: bool,
    /// The text.
    pub text: String,
}

/// One finished session.
#[derive(Debug)]
pub struct Outcome {
    /// The agent's exit code; `None` if it was ended by a signal or by the time limit.
    pub exit_code: Option<i32>,
    /// Whether the time limit ended it.
    pub timed_out: bool,
    /// Whether the session had no network but its own loopback.
    pub offline: bool,
    /// How long it took.
    pub wall: Duration,
    /// Standard output; for an interactive session the last screen.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Every request that the model received, in order.
    pub requests: Vec<SeenRequest>,
}

impl Outcome {
    /// The events of `--output-format stream-json`; lines that are not JSON are left out.
    pub fn events(&self) -> Vec<Value> {
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The result of every call of the session and its sub-agents, in the order in which the model first saw them.
    pub fn tool_results(&self) -> Vec<ToolResult> {
        let mut found: Vec<ToolResult> = Vec::new();
        for request in self.requests.iter().filter(|r| r.kind == RequestKind::Main) {
            for block in blocks(&request.json(), "user").filter(|b| b["type"] == "tool_result") {
                let id = block["tool_use_id"].as_str().unwrap_or_default();
                if !found.iter().any(|r| r.id == id) {
                    let is_error = block["is_error"] == true;
                    found.push(ToolResult {
                        id: id.to_owned(),
                        is_error,
                        text: result_text(&block["content"]),
                    });
                }
            }
        }
        found
    }

    /// The result of the first call of step `step` (from 0) of the `main` script.
    ///
    /// # Panics
    /// When the model never got one; the message tells what happened.
    pub fn result(&self, step: usize) -> ToolResult {
        self.result_of("main", step)
    }

    /// The result of the first call of step `step` (from 0) of the script list `list`.
    ///
    /// # Panics
    /// When the model never got one; the message tells what happened.
    pub fn result_of(&self, list: &str, step: usize) -> ToolResult {
        let id = crate::script::call_id(list, step, 0);
        let result = self.tool_results().into_iter().find(|r| r.id == id);
        result.unwrap_or_else(|| panic!("the model got no result for {id}\n{}", self.explain()))
    }

    /// Whether the model received these bytes in any request: body, headers or path, with JSON's escapes or without.
    pub fn model_saw(&self, needle: impl AsRef<[u8]>) -> bool {
        self.requests.iter().any(|request| request.holds(needle.as_ref()))
    }

    /// Whether these bytes are in the agent's own output.
    pub fn printed(&self, needle: impl AsRef<[u8]>) -> bool {
        [&self.stdout, &self.stderr].iter().any(|text| contains(text.as_bytes(), needle.as_ref()))
    }

    /// The story of the session in a few lines, for the message of a failed assertion.
    pub fn explain(&self) -> String {
        use std::fmt::Write;
        let mut text = format!(
            "exit code {:?}, timed out: {}, {:.1} s, {} requests\n",
            self.exit_code,
            self.timed_out,
            self.wall.as_secs_f32(),
            self.requests.len()
        );
        for result in self.tool_results() {
            let _ = writeln!(text, "  {} error={} {:?}", result.id, result.is_error, head(&result.text, 400));
        }
        for request in self.requests.iter().filter(|r| r.status != 200 || matches!(r.body, Body::Bytes(_))) {
            let _ =
                writeln!(text, "  {} {} was answered with {}", request.method, request.path, request.status);
        }
        let _ =
            write!(text, "stderr: {}\nlast output: {}", tail(&self.stderr, 1500), tail(&self.stdout, 1500));
        text
    }
}

fn head(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

fn tail(text: &str, chars: usize) -> String {
    text.chars().skip(text.chars().count().saturating_sub(chars)).collect()
}

fn result_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|p| p["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}
