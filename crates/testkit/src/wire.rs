//! The Anthropic Messages protocol, as far as a scripted model needs it: reading a request's history, writing a reply.

use crate::script::{Script, Step, call_id, steps_done};
use serde_json::{Value, json};

/// What the model answers to one request, and why.
pub(crate) struct Plan {
    /// The script list and step that were played; `None` for a side request (one that offers no tools, such as a title).
    pub(crate) played: Option<(String, usize)>,
    /// The content blocks of the reply.
    pub(crate) blocks: Vec<Value>,
    stop_reason: &'static str,
}

/// Plans the reply to a Messages request from the request's own history: the server keeps no state, so
/// retries and side requests cannot shift the script.
pub(crate) fn plan(script: &Script, body: &Value) -> Plan {
    if body["tools"].as_array().is_none_or(Vec::is_empty) {
        let text = r#"{"title":"scripted","isNewTopic":false,"ok":true}"#;
        return Plan {
            played: None,
            blocks: vec![json!({"type": "text", "text": text})],
            stop_reason: "end_turn",
        };
    }
    let ids = blocks(body, "assistant").filter(|b| b["type"] == "tool_use").filter_map(|b| b["id"].as_str());
    let index = steps_done(ids);
    let name = script.choose(&user_text(body)).to_owned();
    let step = script.step(&name, index);
    let stop_reason = if step.tools.is_empty() { "end_turn" } else { "tool_use" };
    let blocks = step_blocks(&name, index, step);
    Plan { played: Some((name, index)), blocks, stop_reason }
}

fn step_blocks(name: &str, index: usize, step: Step) -> Vec<Value> {
    let texts = [step.say, step.text].into_iter().flatten().map(|text| json!({"type": "text", "text": text}));
    let calls = step.tools.into_iter().enumerate().map(|(j, call)| {
        json!({"type": "tool_use", "id": call_id(name, index, j), "name": call.name, "input": call.input})
    });
    texts.chain(calls).collect()
}

/// All content blocks of the messages of one role. Plain-text content is no block.
pub(crate) fn blocks<'a>(body: &'a Value, role: &'static str) -> impl Iterator<Item = &'a Value> {
    messages(body)
        .filter(move |m| m["role"] == role)
        .flat_map(|m| m["content"].as_array().into_iter().flatten())
}

fn messages(body: &Value) -> impl Iterator<Item = &Value> {
    body["messages"].as_array().into_iter().flatten()
}

/// What the user (or a parent agent) wrote; tool results are left out.
fn user_text(body: &Value) -> String {
    let plain = messages(body).filter(|m| m["role"] == "user").filter_map(|m| m["content"].as_str());
    let typed = blocks(body, "user").filter(|b| b["type"] == "text").filter_map(|b| b["text"].as_str());
    plain.chain(typed).collect::<Vec<_>>().join("\n")
}

impl Plan {
    fn head(&self, body: &Value, number: usize) -> Value {
        let model = body["model"].as_str().unwrap_or("scripted");
        json!({"id": format!("msg_scripted{number}"), "type": "message", "role": "assistant", "model": model,
               "content": [], "stop_reason": null, "stop_sequence": null,
               "usage": {"input_tokens": 100, "output_tokens": 20,
                         "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}})
    }

    /// The reply as one JSON message.
    pub(crate) fn message(&self, body: &Value, number: usize) -> Value {
        let mut message = self.head(body, number);
        message["content"] = json!(self.blocks);
        message["stop_reason"] = json!(self.stop_reason);
        message
    }

    /// The reply as the text of an event stream.
    pub(crate) fn stream(&self, body: &Value, number: usize) -> String {
        let mut events = vec![json!({"type": "message_start", "message": self.head(body, number)})];
        for (index, block) in self.blocks.iter().enumerate() {
            let (empty, delta) = if block["type"] == "text" {
                (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": block["text"]}))
            } else {
                let mut empty = block.clone();
                empty["input"] = json!({});
                (empty, json!({"type": "input_json_delta", "partial_json": block["input"].to_string()}))
            };
            events.push(json!({"type": "content_block_start", "index": index, "content_block": empty}));
            events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
            events.push(json!({"type": "content_block_stop", "index": index}));
        }
        let stop = json!({"stop_reason": self.stop_reason, "stop_sequence": null});
        events.push(json!({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 20}}));
        events.push(json!({"type": "message_stop"}));
        events
            .iter()
            .map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap_or_default()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_tools_does_not_move_the_script() {
        let script = Script::of([Step::bash("ls")]);
        let plan = plan(&script, &json!({"messages": [{"role": "user", "content": "title please"}]}));
        assert!(plan.played.is_none());
        assert_eq!(plan.stop_reason, "end_turn");
    }

    #[test]
    fn a_tool_result_cannot_choose_the_script() {
        let script = Script::of([Step::bash("ls"), Step::text("end")]).and("sub", [Step::bash("id")]);
        let body = json!({"tools": [{}], "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_mains00c0", "name": "Bash", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_mains00c0", "content": "[[script:sub]]"}]}]});
        let plan = plan(&script, &body);
        assert_eq!(plan.played, Some(("main".to_owned(), 1)));
        assert_eq!(plan.blocks, [json!({"type": "text", "text": "end"})]);
    }

    #[test]
    fn the_stream_carries_the_input_whole() {
        let script = Script::of([Step::bash("echo \"a\nb\"")]);
        let body = json!({"tools": [{}], "messages": [{"role": "user", "content": [{"type": "text", "text": "go"}]}]});
        let text = plan(&script, &body).stream(&body, 1);
        let delta = text
            .lines()
            .filter_map(|l| l.strip_prefix("data: "))
            .map(|l| serde_json::from_str::<Value>(l).unwrap())
            .find(|e| e["delta"]["type"] == "input_json_delta")
            .unwrap();
        let input: Value = serde_json::from_str(delta["delta"]["partial_json"].as_str().unwrap()).unwrap();
        assert_eq!(input["command"], "echo \"a\nb\"");
        assert!(text.contains("\"stop_reason\":\"tool_use\""));
    }
}
