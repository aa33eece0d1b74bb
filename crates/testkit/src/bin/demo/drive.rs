//! Playing the story: with the real agent in a terminal and a person at it, or through the hook's protocol.

use crate::say;
use crate::story::{END, Says, Scene};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};
use testkit::{HookPayload, KitError, Sandbox, Script, Step, Terminal};

/// The whole session with the real agent takes half of this.
const LIMIT: Duration = Duration::from_secs(90);
/// The agent's own question.
const QUESTION: &str = "Do you want";
/// On the screen when the agent takes a prompt: in the default mode, and in any other.
const PROMPT: [&str; 2] = ["? for shortcuts", "shift+tab to cycle"];

/// Plays the scenes with the real agent. Returns whether the model ever received `secret`.
///
/// # Errors
/// [`KitError::Unavailable`] when the agent cannot be had; anything else when the session goes another way.
pub(crate) fn with_the_agent(sandbox: &Sandbox, scenes: &[Scene], secret: &str) -> Result<bool, KitError> {
    let steps = scenes.iter().map(|scene| scene.step.clone()).chain([Step::text(END)]);
    let run = sandbox.claude().with_mcp_probe("a record").playing(Script::of(steps)).within(LIMIT);
    let mut terminal = run.interactively()?;
    terminal.ask("Please work through the list.");
    let mut next = 0;
    loop {
        if !terminal.wait_for(&[END, QUESTION]) {
            return Err(odd("the session", &terminal));
        }
        let screen = terminal.screen();
        if !screen.contains(QUESTION) {
            break;
        }
        // Questions come in the story's order, and the newest sign on the screen is that of the one asked now:
        // earlier scenes stand further up.
        let left = scenes.iter().enumerate().skip(next);
        let asked =
            left.filter_map(|(at, s)| Some((screen.rfind(s.sign)?, at, s))).max_by_key(|found| found.0);
        let Some((_, at, scene)) = asked else { return Err(odd("the question", &terminal)) };
        next = at + 1;
        answered(scene);
        match scene.says {
            Says::Yes => {
                terminal.press("1");
                until_gone(&terminal)?;
            }
            Says::No => {
                terminal.press("\x1b");
                until_gone(&terminal)?;
                if !terminal.wait_for(&PROMPT) {
                    return Err(odd("the prompt after a No", &terminal));
                }
                terminal.ask(&format!("No, do not {}. Go on with the list.", scene.title.replace('`', "")));
            }
        }
    }
    terminal.ask("/exit");
    // The session ends by itself, and its end is recorded.
    let _ = terminal.wait_for(&["\0"]);
    let seen = terminal.finish()?;
    Ok(seen.model_saw(secret))
}

/// Waits until the question has left the screen.
fn until_gone(terminal: &Terminal) -> Result<(), KitError> {
    let end = Instant::now() + Duration::from_secs(20);
    while terminal.screen().contains(QUESTION) {
        if Instant::now() > end {
            return Err(odd("an answered question", terminal));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn odd(what: &str, terminal: &Terminal) -> KitError {
    KitError::Invalid { what: what.to_owned(), why: format!("the screen shows:\n{}", terminal.screen()) }
}

fn answered(scene: &Scene) {
    let word = match scene.says {
        Says::Yes => "yes",
        Says::No => "no",
    };
    say(&format!("  asked whether the agent may {:<48} the person says {word}", scene.title));
}

/// Plays the scenes by sending what the agent would send to the installed hook, and running what it lets through.
/// Returns whether anything let through showed `secret`.
///
/// # Panics
/// When the installed hook cannot be started.
pub(crate) fn through_the_protocol(sandbox: &Sandbox, scenes: &[Scene], secret: &str) -> bool {
    let settings = std::fs::read_to_string(sandbox.home().join(".claude/settings.json"))
        .expect("the installed settings");
    let settings: Value = serde_json::from_str(&settings).expect("the installed settings are JSON");
    let session = format!("demo-{}", std::process::id());
    let work = sandbox.work();
    let send = |event: &str, payload: HookPayload| -> Value {
        let command = settings["hooks"][event][0]["hooks"][0]["command"].as_str().expect("an installed hook");
        let payload = payload.of_session(&session).in_dir(&work).bytes();
        let mut child = sandbox
            .command("/bin/sh")
            .args(["-c", command])
            .env("CLAUDE_PROJECT_DIR", &work)
            .env("CLAUDE_CODE_SESSION_ATTENDED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell for the hook");
        // A hook that does not read its payload answers without it; the answer is looked at below.
        let _ = child.stdin.take().expect("its standard input").write_all(&payload);
        let output = child.wait_with_output().expect("the hook ends");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    };
    send("SessionStart", HookPayload::like("SessionStart"));
    send(
        "UserPromptSubmit",
        HookPayload::like("UserPromptSubmit").with("prompt", "Please work through the list.".into()),
    );
    let mut shown = false;
    for (at, scene) in scenes.iter().enumerate() {
        let Some(call) = scene.step.tools.first() else { continue };
        let id = format!("toolu_demo{at:02}");
        let answer = send("PreToolUse", HookPayload::before(&call.name, call.input.clone()).as_call(&id));
        let runs = match answer["hookSpecificOutput"]["permissionDecision"].as_str() {
            Some("allow") => true,
            Some("ask") => {
                answered(scene);
                scene.says == Says::Yes
            }
            _ => false,
        };
        if runs {
            // What must be contained comes back rewritten.
            let own = &answer["hookSpecificOutput"]["updatedInput"];
            let input = if own.is_object() { own.clone() } else { call.input.clone() };
            let text = carry_out(sandbox, &call.name, &input);
            shown |= text.contains(secret);
            let response = json!({"stdout": text, "stderr": "", "interrupted": false});
            send("PostToolUse", HookPayload::after(&call.name, input, response).as_call(&id));
        }
    }
    send("SessionEnd", HookPayload::like("SessionEnd"));
    shown
}

/// Does what the agent's tool would do, in the sandbox, and returns its text.
fn carry_out(sandbox: &Sandbox, tool: &str, input: &Value) -> String {
    let path = input["file_path"].as_str().unwrap_or_default();
    let part = |name: &str| input[name].as_str().unwrap_or_default();
    match tool {
        "Bash" => {
            let run = sandbox.command("/bin/sh").args(["-c", part("command")]).stdin(Stdio::null()).output();
            run.map(|r| String::from_utf8_lossy(&r.stdout).into_owned()).unwrap_or_default()
        }
        "Read" => std::fs::read_to_string(path).unwrap_or_default(),
        "Write" => {
            sandbox.write(path, part("content"));
            String::new()
        }
        "Edit" => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            sandbox.write(path, &text.replacen(part("old_string"), part("new_string"), 1));
            String::new()
        }
        _ => String::new(),
    }
}
