//! What Ambit writes into a settings file of Claude Code.

use super::answer::ENDING;
use super::{HOOK_TIMEOUT_S, NAME};
use serde_json::{Map, Value, json};

/// The events that Ambit hooks, and whether a failing hook must block (only where the event gates something).
pub const EVENTS: &[(&str, bool)] = &[
    ("PreToolUse", true),
    ("PostToolUse", false),
    ("PostToolUseFailure", false),
    ("PermissionRequest", false),
    ("UserPromptSubmit", false),
    ("SessionStart", false),
    ("SessionEnd", false),
    ("SubagentStart", false),
    ("SubagentStop", false),
    ("ConfigChange", false),
];

/// Events that take a matcher (those about tools).
const WITH_MATCHER: &[&str] = &["PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionRequest"];

/// Files that an `@mention` would show to the model without passing any hook: a rule of the agent's own must stop it.
const NEVER_MENTIONED: &[&str] = &[
    "Read(**/.env)",
    "Read(**/.env.local)",
    "Read(**/.env.production)",
    "Read(~/.ssh/**)",
    "Read(~/.aws/**)",
    "Read(~/.gnupg/**)",
    "Read(~/.netrc)",
    "Read(~/.git-credentials)",
    "Read(~/.config/gcloud/**)",
    "Read(~/.kube/**)",
];

/// The `permissions.deny` rules that an installation adds.
#[must_use]
pub fn read_deny_rules() -> &'static [&'static str] {
    NEVER_MENTIONED
}

/// A text in single quotes for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The command line that the agent runs at a hook: `program` with `arguments` after the agent's name. They say where
/// Ambit's files lie, so that no variable that a repository's settings set for the agent can.
///
/// For a gating event it is a fallback in shell around the program: whatever does not end in a whole answer (a
/// missing program, a crash, a kill, truncated or foreign output) becomes exit 2, the one denial that every agent
/// with command hooks obeys.
#[must_use]
pub fn hook_command(program: &str, arguments: &[String], gates: bool) -> String {
    let mut call = format!("{} hook {NAME}", quoted(program));
    for argument in arguments {
        call.push(' ');
        call.push_str(&quoted(argument));
    }
    if !gates {
        return call;
    }
    let fail = "echo \"ambit: the guard gave no answer, so the call was not run. Tell the person to run: ambit doctor\" >&2; exit 2";
    format!("o=$({call}) && case $o in '{{'*'{ENDING}') printf %s \"$o\";; *) false;; esac || {{ {fail}; }}")
}

/// Whether a hook command is one that Ambit installed, from wherever.
#[must_use]
pub fn is_ours(command: &str) -> bool {
    command.contains(&format!(" hook {NAME}")) && command.contains("ambit")
}

/// One entry of the `hooks` table.
fn entry(event: &str, gates: bool, program: &str, arguments: &[String]) -> Value {
    let mut hook = json!({
        "type": "command",
        "command": hook_command(program, arguments, gates),
        "timeout": HOOK_TIMEOUT_S,
    });
    if gates && let Some(hook) = hook.as_object_mut() {
        hook.insert("onFailure".to_owned(), json!("block"));
    }
    let mut entry = Map::new();
    if WITH_MATCHER.contains(&event) {
        entry.insert("matcher".to_owned(), json!("*"));
    }
    entry.insert("hooks".to_owned(), json!([hook]));
    Value::Object(entry)
}

/// Adds Ambit's hooks and rules to settings; what is there already stays as it is. Adding twice changes nothing.
pub(super) fn add(
    settings: &mut Map<String, Value>,
    program: &str,
    arguments: &[String],
) -> Result<(), &'static str> {
    remove(settings);
    let hooks = settings.entry("hooks").or_insert_with(|| json!({}));
    let hooks = hooks.as_object_mut().ok_or("`hooks`")?;
    for (event, gates) in EVENTS {
        let list = hooks.entry(*event).or_insert_with(|| json!([]));
        list.as_array_mut().ok_or("`hooks`")?.push(entry(event, *gates, program, arguments));
    }
    let permissions = settings.entry("permissions").or_insert_with(|| json!({}));
    let permissions = permissions.as_object_mut().ok_or("`permissions`")?;
    let deny = permissions.entry("deny").or_insert_with(|| json!([]));
    let deny = deny.as_array_mut().ok_or("`permissions.deny`")?;
    for rule in NEVER_MENTIONED {
        if !deny.iter().any(|d| d == rule) {
            deny.push(json!(rule));
        }
    }
    Ok(())
}

/// Takes Ambit's hooks and rules out of settings; tables that become empty by that go as well.
pub(super) fn remove(settings: &mut Map<String, Value>) {
    if let Some(hooks) = settings.get_mut("hooks").and_then(Value::as_object_mut) {
        for list in hooks.values_mut().filter_map(Value::as_array_mut) {
            for entry in list.iter_mut() {
                if let Some(inner) = entry.get_mut("hooks").and_then(Value::as_array_mut) {
                    inner.retain(|h| !h.get("command").and_then(Value::as_str).is_some_and(is_ours));
                }
            }
            list.retain(|e| e.get("hooks").and_then(Value::as_array).is_none_or(|h| !h.is_empty()));
        }
        hooks.retain(|_, list| list.as_array().is_none_or(|l| !l.is_empty()));
        if hooks.is_empty() {
            settings.shift_remove("hooks");
        }
    }
    if let Some(permissions) = settings.get_mut("permissions").and_then(Value::as_object_mut) {
        if let Some(deny) = permissions.get_mut("deny").and_then(Value::as_array_mut) {
            deny.retain(|d| !d.as_str().is_some_and(|d| NEVER_MENTIONED.contains(&d)));
            if deny.is_empty() {
                permissions.shift_remove("deny");
            }
        }
        if permissions.is_empty() {
            settings.shift_remove("permissions");
        }
    }
}
