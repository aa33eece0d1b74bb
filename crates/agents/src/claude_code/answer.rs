//! What a hook writes for Claude Code on standard output.

use crate::event::Answer;
use serde_json::{Map, Value, json};

/// The end of every answer. The installed command lets an answer pass only if it begins with `{` and ends with
/// this, because Claude Code takes an exit 0 with truncated output for "no decision" and runs the tool.
pub(super) const ENDING: &str = "\"suppressOutput\":true}";

/// The whole text of the answer to the event named `event`.
///
/// `PreToolUse` gets a permission decision; for every other event only a notice to the person can be given, and a
/// prompt can be blocked.
#[must_use]
pub fn render(event: &str, answer: &Answer) -> String {
    let mut out = Map::new();
    let notice = match answer {
        Answer::Pass { notice }
        | Answer::Allow { notice, .. }
        | Answer::Ask { notice, .. }
        | Answer::Deny { notice, .. } => notice,
        Answer::Tell { .. } | Answer::Hide { .. } => &None,
    };
    if let Some(text) = notice {
        out.insert("systemMessage".to_owned(), Value::String(text.clone()));
    }
    match event {
        "PreToolUse" => {
            let decision = match answer {
                Answer::Pass { .. } | Answer::Tell { .. } | Answer::Hide { .. } => None,
                Answer::Allow { reason, input, .. } => Some(("allow", reason, input.clone())),
                Answer::Ask { reason, input, .. } => Some(("ask", reason, input.clone())),
                Answer::Deny { reason, .. } => Some(("deny", reason, None)),
            };
            if let Some((word, reason, input)) = decision {
                let mut own = json!({
                    "hookEventName": event,
                    "permissionDecision": word,
                    "permissionDecisionReason": reason,
                });
                if let (Some(input), Some(own)) = (input, own.as_object_mut()) {
                    own.insert("updatedInput".to_owned(), input);
                }
                out.insert("hookSpecificOutput".to_owned(), own);
            }
        }
        "PermissionRequest" => {
            // The agent's own question is on the screen: the first answer counts, and no answer leaves it there.
            let decision = match answer {
                Answer::Allow { .. } => Some(json!({"behavior": "allow"})),
                Answer::Deny { reason, .. } => Some(json!({"behavior": "deny", "message": reason})),
                Answer::Pass { .. } | Answer::Ask { .. } | Answer::Tell { .. } | Answer::Hide { .. } => None,
            };
            if let Some(decision) = decision {
                let own = json!({"hookEventName": event, "decision": decision});
                out.insert("hookSpecificOutput".to_owned(), own);
            }
        }
        "UserPromptSubmit" | "ConfigChange" => {
            if let Answer::Deny { reason, .. } = answer {
                out.insert("decision".to_owned(), json!("block"));
                out.insert("reason".to_owned(), json!(reason));
            }
        }
        "PostToolUse" | "PostToolUseFailure" => {
            let own = match answer {
                Answer::Tell { context } => {
                    Some(json!({"hookEventName": event, "additionalContext": context}))
                }
                // Taken only where its form is that of what the tool gave back; after a failure it is ignored.
                Answer::Hide { output, context: None } => {
                    Some(json!({"hookEventName": event, "updatedToolOutput": output}))
                }
                Answer::Hide { output, context: Some(context) } => Some(
                    json!({"hookEventName": event, "updatedToolOutput": output, "additionalContext": context}),
                ),
                _ => None,
            };
            if let Some(own) = own {
                out.insert("hookSpecificOutput".to_owned(), own);
            }
        }
        _ => {}
    }
    let body = Value::Object(out).to_string();
    let body = body.strip_suffix('}').unwrap_or("{");
    if body == "{" { format!("{{{ENDING}") } else { format!("{body},{ENDING}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_json_with_the_ending() {
        for event in [
            "PreToolUse",
            "PermissionRequest",
            "PostToolUse",
            "PostToolUseFailure",
            "UserPromptSubmit",
            "Stop",
        ] {
            for answer in [
                Answer::Pass { notice: None },
                Answer::Pass { notice: Some("n".into()) },
                Answer::Allow { reason: "r".into(), input: Some(json!({"command": "}"})), notice: None },
                Answer::Ask { reason: "r\n\"q\"".into(), input: Some(json!({"command": "c"})), notice: None },
                Answer::Tell { context: "c\u{1b}".into() },
                Answer::Deny { reason: "r".into(), notice: Some("n".into()) },
            ] {
                let text = render(event, &answer);
                assert!(text.starts_with('{') && text.ends_with(ENDING), "{text}");
                let v: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(v["suppressOutput"], true);
            }
        }
    }
}
