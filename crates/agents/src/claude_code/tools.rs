//! Claude Code's tools, translated.

use model::Tool;
use serde_json::Value;

/// Tools that touch nothing outside the agent: to-do lists, plan mode, questions to the person, waiting for
/// what was started before (whose own call was judged).
const INTERNAL: &[&str] = &[
    "TodoWrite",
    "TodoRead",
    "TaskCreate",
    "TaskUpdate",
    "TaskList",
    "TaskGet",
    "TaskOutput",
    "TaskStop",
    "BashOutput",
    "KillShell",
    "KillBash",
    "EnterPlanMode",
    "ExitPlanMode",
    "AskUserQuestion",
    "ToolSearch",
    "StructuredOutput",
    "ListMcpResourcesTool",
    "EndConversation",
    "Sleep",
];

/// Reads a tool call by Claude Code's names. A known tool whose input lacks what it needs, and an unknown tool, are
/// [`Tool::Unknown`]: not understood.
#[must_use]
pub fn tool_from(name: &str, input: &Value) -> Tool {
    let text = |key: &str| input.get(key).and_then(Value::as_str).map(str::to_owned);
    let known = match name {
        "Bash" => text("command").map(|command| Tool::Shell {
            command,
            background: input.get("run_in_background").and_then(Value::as_bool).unwrap_or(false),
        }),
        "Read" | "NotebookRead" => {
            text("file_path").or_else(|| text("notebook_path")).map(|path| Tool::ReadFile { path })
        }
        "Edit" => text("file_path")
            .map(|path| Tool::EditFile { path, text: text("new_string").unwrap_or_default() }),
        "MultiEdit" => text("file_path").map(|path| Tool::EditFile { path, text: edits(input) }),
        "NotebookEdit" => text("notebook_path")
            .or_else(|| text("file_path"))
            .map(|path| Tool::EditFile { path, text: text("new_source").unwrap_or_default() }),
        "Write" => {
            text("file_path").map(|path| Tool::WriteFile { path, text: text("content").unwrap_or_default() })
        }
        "Glob" => text("pattern").map(|pattern| Tool::Glob { pattern, path: text("path") }),
        "LS" => Some(Tool::Glob { pattern: "*".to_owned(), path: text("path") }),
        "Grep" => text("pattern").map(|pattern| Tool::Grep { pattern, path: text("path") }),
        "WebFetch" => text("url").map(|url| Tool::FetchUrl { url }),
        "WebSearch" => text("query").map(|query| Tool::WebSearch { query }),
        "Task" | "Agent" => text("prompt").map(|prompt| Tool::Delegate { prompt }),
        _ if INTERNAL.contains(&name) => Some(Tool::Internal { name: name.to_owned() }),
        _ => mcp(name, input),
    };
    known.unwrap_or_else(|| Tool::Unknown { name: name.to_owned(), input: input.clone() })
}

/// `mcp__SERVER__TOOL`.
fn mcp(name: &str, input: &Value) -> Option<Tool> {
    let (server, tool) = name.strip_prefix("mcp__")?.split_once("__")?;
    (!server.is_empty() && !tool.is_empty()).then(|| Tool::Mcp {
        server: server.to_owned(),
        name: tool.to_owned(),
        input: input.clone(),
    })
}

fn edits(input: &Value) -> String {
    let list = input.get("edits").and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(|e| e.get("new_string").and_then(Value::as_str));
    texts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_translated_and_the_unknown_stays_unknown() {
        assert_eq!(tool_from("Bash", &json!({"command": "ls"})).word(), "shell");
        assert_eq!(tool_from("Bash", &json!({"cmd": "ls"})).word(), "unknown");
        assert_eq!(tool_from("Bash", &json!({"command": 5})).word(), "unknown");
        assert_eq!(tool_from("Teleport", &json!({})).word(), "unknown");
        assert_eq!(
            tool_from("mcp__github__create_issue", &json!({"t": 1})),
            Tool::Mcp { server: "github".into(), name: "create_issue".into(), input: json!({"t": 1}) }
        );
        assert_eq!(tool_from("mcp____x", &json!({})).word(), "unknown");
        assert_eq!(tool_from("TodoWrite", &json!({})).word(), "internal");
    }
}
