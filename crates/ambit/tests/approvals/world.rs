//! A sandbox with Ambit installed in it, whose hook is run as an agent without a person runs it.

use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use testkit::{HookPayload, Sandbox};

/// The session of all payloads.
pub(crate) const SESSION: &str = "a-session";
/// A command that the developer is asked about: agents are guided by the file that it writes.
pub(crate) const GUIDING: &str = "echo 'Be kind.' > AGENTS.md";

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
}

/// What the hook answered.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) json: Value,
    pub(crate) wall: Duration,
}

impl Judged {
    pub(crate) fn verdict(&self) -> &str {
        self.json["hookSpecificOutput"]["permissionDecision"].as_str().unwrap_or("none")
    }

    pub(crate) fn reason(&self) -> &str {
        self.json["hookSpecificOutput"]["permissionDecisionReason"].as_str().unwrap_or_default()
    }

    /// `allow` or `deny` of the agent's own question, decided elsewhere.
    pub(crate) fn behavior(&self) -> &str {
        self.json["hookSpecificOutput"]["decision"]["behavior"].as_str().unwrap_or("none")
    }
}

impl World {
    /// Installed and enforcing, with this added to the organisation's `ambit.toml`.
    pub(crate) fn with(config: &str) -> Self {
        let world = Self { sandbox: Sandbox::new() };
        let program = world.sandbox.write_home(".local/bin/ambit", "");
        std::fs::remove_file(&program).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_ambit"), program).unwrap();
        let run = world.ambit(&["init", "--yes", "--mode", "enforce"]).output().unwrap();
        assert!(run.status.success(), "{}", text(&run));
        let file = world.sandbox.home().join(".config/ambit/ambit.toml");
        let own = std::fs::read_to_string(&file).unwrap_or_default();
        let mode = own.lines().find(|l| l.starts_with("mode")).unwrap_or("mode = \"enforce\"");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, format!("{mode}\n{config}\n")).unwrap();
        world
    }

    pub(crate) fn ambit(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(self.sandbox.home().join(".local/bin/ambit"));
        command.args(args).stdin(Stdio::null());
        command
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.sandbox.home().join(".local/state/ambit")
    }

    pub(crate) fn store(&self) -> approvals::Store {
        approvals::Store::open(&self.state()).unwrap()
    }

    /// The only request that waits.
    pub(crate) fn waiting(&self) -> approvals::Case {
        let mut cases = self.store().unsettled(jiff::Timestamp::now()).unwrap();
        assert_eq!(cases.len(), 1, "{cases:?}");
        cases.remove(0)
    }

    /// Waits until something waits.
    pub(crate) fn soon_waiting(&self) -> approvals::Case {
        let start = Instant::now();
        while self.store().unsettled(jiff::Timestamp::now()).unwrap().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(30), "nothing was asked");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.waiting()
    }

    fn settings(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.sandbox.home().join(".claude/settings.json")).unwrap())
            .unwrap()
    }

    /// Sends a payload to the installed hook.
    pub(crate) fn send(&self, payload: &Value, attended: bool) -> Judged {
        let event = payload["hook_event_name"].as_str().unwrap();
        let settings = self.settings();
        let line = settings["hooks"][event][0]["hooks"][0]["command"].as_str().unwrap();
        let start = Instant::now();
        let mut child = Command::new("/bin/sh")
            .args(["-c", line])
            .env_clear()
            .envs(self.sandbox.env())
            .env("CLAUDE_PROJECT_DIR", self.sandbox.work())
            .env("CLAUDE_CODE_SESSION_ATTENDED", if attended { "1" } else { "0" })
            .current_dir(self.sandbox.work())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(payload.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Judged {
            // What is no answer is shown where a test fails.
            json: serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| String::from_utf8_lossy(&output.stderr).into_owned().into()),
            wall: start.elapsed(),
        }
    }

    fn payload(&self, event: &str, command: &str, call: &str) -> Value {
        let payload = HookPayload::before_bash(command).in_dir(self.sandbox.work()).of_session(SESSION);
        let mut json: Value = serde_json::from_slice(&payload.bytes()).unwrap();
        json["hook_event_name"] = event.into();
        json["tool_use_id"] = call.into();
        if event == "PermissionRequest" {
            json.as_object_mut().unwrap().remove("tool_use_id");
        }
        if event == "PostToolUse" {
            json["tool_response"] = serde_json::json!({"stdout": "", "stderr": "", "interrupted": false});
        }
        json
    }

    /// Proposes a shell command, with nobody at the session.
    pub(crate) fn propose(&self, command: &str, call: &str) -> Judged {
        self.send(&self.payload("PreToolUse", command, call), false)
    }

    /// The same with a person at the session.
    pub(crate) fn propose_attended(&self, command: &str, call: &str) -> Judged {
        self.send(&self.payload("PreToolUse", command, call), true)
    }

    /// The agent shows its own question.
    pub(crate) fn question_shown(&self, command: &str) -> Judged {
        self.send(&self.payload("PermissionRequest", command, ""), true)
    }

    /// The call has run.
    pub(crate) fn ended(&self, command: &str, call: &str) -> Judged {
        self.send(&self.payload("PostToolUse", command, call), true)
    }

    pub(crate) fn records(&self, kind: &str) -> Vec<Value> {
        let run = self.ambit(&["log", "--json", "-n", "0", "--kind", kind]).output().unwrap();
        assert!(run.status.success(), "{}", text(&run));
        String::from_utf8_lossy(&run.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    pub(crate) fn verify(&self) {
        let run = self.ambit(&["verify"]).output().unwrap();
        assert!(run.status.success(), "{}", text(&run));
    }

    /// The account that the hook takes for the driver's.
    pub(crate) fn driver(&self) -> String {
        self.waiting().request.question.driver
    }
}

/// Everything that a program printed.
pub(crate) fn text(run: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr))
}
