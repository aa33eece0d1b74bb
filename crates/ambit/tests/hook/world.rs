//! A sandbox with Ambit installed in it, and the installed hook run as the agent runs it.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use testkit::{HookPayload, Sandbox};

/// The session of all payloads unless told otherwise.
pub(crate) const SESSION: &str = "a-session";

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
}

/// What the installed hook answered.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) wall: Duration,
}

impl Judged {
    /// The answer as the agent reads it.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or(Value::Null)
    }

    /// `allow`, `ask`, `deny`; `blocked` for exit 2, which the agent takes for a denial with stderr as the reason;
    /// `OPEN` for everything else, upon which the agent would go on.
    pub(crate) fn verdict(&self) -> String {
        match (self.exit, self.json()["hookSpecificOutput"]["permissionDecision"].as_str()) {
            (Some(2), _) if !self.stderr.trim().is_empty() => "blocked".to_owned(),
            (Some(0), Some(word)) => word.to_owned(),
            _ => "OPEN".to_owned(),
        }
    }

    /// Whether the call does not run without a person, and somebody is told why.
    pub(crate) fn stopped(&self) -> bool {
        ["blocked", "deny", "ask"].contains(&self.verdict().as_str()) && !self.why().is_empty()
    }

    /// Whether the call runs, but in the sandbox.
    pub(crate) fn contained(&self) -> bool {
        let json = self.json();
        let command = json["hookSpecificOutput"]["updatedInput"]["command"].as_str().unwrap_or_default();
        self.verdict() == "allow" && command.contains(" run --call ")
    }

    /// What the agent and the person are told.
    pub(crate) fn why(&self) -> String {
        let json = self.json();
        let reason = json["hookSpecificOutput"]["permissionDecisionReason"].as_str().unwrap_or_default();
        let notice = json["systemMessage"].as_str().unwrap_or_default();
        format!("{reason}{notice}{}", self.stderr)
    }
}

impl World {
    /// A sandbox with Ambit in `~/.local/bin`, and nothing more.
    pub(crate) fn bare() -> Self {
        let world = Self { sandbox: Sandbox::new() };
        world.put_program_back();
        world
    }

    /// The same, installed and in enforce mode.
    pub(crate) fn new() -> Self {
        Self::in_mode("enforce")
    }

    pub(crate) fn in_mode(mode: &str) -> Self {
        let world = Self::bare();
        let run = world.ambit(&["init", "--yes", "--mode", mode]);
        assert!(run.status.success(), "{}", text(&run));
        world
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.sandbox.home().join(".local/bin/ambit")
    }

    /// The real program where it belongs.
    pub(crate) fn put_program_back(&self) {
        let path = self.sandbox.write_home(".local/bin/ambit", "");
        std::fs::remove_file(&path).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_ambit"), path).unwrap();
    }

    /// Puts a shell script in the program's place; `$REAL` in it is the real one.
    pub(crate) fn replace_program(&self, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let real = self.sandbox.home().join("real-ambit");
        if !real.exists() {
            std::fs::copy(env!("CARGO_BIN_EXE_ambit"), &real).unwrap();
        }
        std::fs::remove_file(self.program()).unwrap();
        let script = format!("#!/bin/sh\nREAL='{}'\n{script}\n", real.display());
        let path = self.sandbox.write_home(".local/bin/ambit", &script);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs `ambit` in the work tree.
    pub(crate) fn ambit(&self, args: &[&str]) -> Output {
        self.sandbox.command(self.program()).args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// `ambit` with success demanded; what it printed.
    pub(crate) fn ambit_says(&self, args: &[&str]) -> String {
        let run = self.ambit(args);
        assert!(run.status.success(), "ambit {args:?}: {}", text(&run));
        text(&run)
    }

    /// How long a hook waits for a person, in seconds, where nobody sits at the session.
    pub(crate) fn waits_for_people(&self, seconds: u32) {
        let file = self.sandbox.home().join(".config/ambit/ambit.toml");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let mode = text.lines().find(|l| l.starts_with("mode")).unwrap_or("mode = \"enforce\"");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, format!("{mode}\n[approvals]\nwait_s = {seconds}\n")).unwrap();
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.sandbox.home().join(".local/state/ambit")
    }

    pub(crate) fn settings_file(&self) -> PathBuf {
        self.sandbox.home().join(".claude/settings.json")
    }

    pub(crate) fn settings(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.settings_file()).unwrap()).unwrap()
    }

    /// The command line that is installed at an event.
    pub(crate) fn hook_command(&self, event: &str) -> String {
        self.settings()["hooks"][event][0]["hooks"][0]["command"].as_str().unwrap().to_owned()
    }

    /// Runs the hook that is installed for the payload's event, as the agent does.
    pub(crate) fn send(&self, payload: &HookPayload) -> Judged {
        let event = payload.json()["hook_event_name"].as_str().unwrap().to_owned();
        self.send_bytes(&self.hook_command(&event), &payload.bytes())
    }

    /// Before a shell command.
    pub(crate) fn before(&self, command: &str) -> Judged {
        self.send(&self.bash(command))
    }

    pub(crate) fn bash(&self, command: &str) -> HookPayload {
        HookPayload::before_bash(command).in_dir(self.sandbox.work()).of_session(SESSION)
    }

    /// Runs a hook's command line with any bytes for a payload.
    pub(crate) fn send_bytes(&self, command: &str, payload: &[u8]) -> Judged {
        self.run_hook(Command::new("/bin/sh").args(["-c", command]), payload)
    }

    /// Runs a prepared command as the hook.
    pub(crate) fn run_hook(&self, command: &mut Command, payload: &[u8]) -> Judged {
        let start = Instant::now();
        let mut child = command
            .env_clear()
            .envs(self.sandbox.env())
            .env("CLAUDE_PROJECT_DIR", self.sandbox.work())
            .env("CLAUDE_CODE_SESSION_ATTENDED", "1")
            .current_dir(self.sandbox.work())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A thread of its own: a hook that answers before it has read everything must not block this test.
        let mut stdin = child.stdin.take().unwrap();
        let payload = payload.to_vec();
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(&payload);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Judged {
            exit: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            wall: start.elapsed(),
        }
    }

    /// The records of a kind, oldest first, as `ambit log --json` gives them.
    pub(crate) fn records(&self, kind: &str) -> Vec<Value> {
        let run = self.ambit(&["log", "--json", "-n", "0", "--kind", kind]);
        assert!(run.status.success(), "{}", text(&run));
        String::from_utf8_lossy(&run.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// The record is whole.
    pub(crate) fn verify(&self) {
        let run = self.ambit(&["verify"]);
        assert!(run.status.success(), "{}", text(&run));
    }
}

/// Everything that a program printed.
pub(crate) fn text(run: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr))
}

/// Every regular file below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
