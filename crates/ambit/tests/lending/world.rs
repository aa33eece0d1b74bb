//! A sandbox with Ambit installed in it and a secret that may be lent.

use crate::host::Host;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use testkit::{HookPayload, Sandbox};

pub(crate) const SESSION: &str = "a-session";

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) host: Host,
    /// The value that nobody but the host may see.
    pub(crate) value: String,
}

/// A value made for this run, in no form that a scanner knows: only its not being there hides it.
fn value() -> String {
    let mut bytes = [0_u8; 20];
    getrandom::fill(&mut bytes).unwrap();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("tok_{hex}")
}

impl World {
    /// `terms` are of `[secrets.lend.api]`, with `{port}` for the host's port.
    pub(crate) fn new(terms: &str) -> Self {
        let sandbox = Sandbox::new();
        let program = sandbox.write_home(".local/bin/ambit", "");
        std::fs::remove_file(&program).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_ambit"), program).unwrap();
        let value = value();
        let host = Host::new(&value);
        let world = Self { sandbox, host, value };
        let run = world.ambit(&["init", "--yes", "--mode", "enforce"]);
        assert!(run.status.success(), "{}", text(&run));
        // A program that keeps secrets, outside of the project.
        let kept = world.sandbox.dir().join("keeper");
        std::fs::create_dir_all(&kept).unwrap();
        std::fs::write(kept.join("api"), &world.value).unwrap();
        std::fs::write(kept.join("other"), "another-value-of-no-use").unwrap();
        std::fs::write(kept.join("ca.pem"), &world.host.authority).unwrap();
        let kept = kept.display();
        world.configure(&format!(
            "[secrets]\nca_file = \"{kept}/ca.pem\"\n[secrets.backends.keeper]\nkind = \"command\"\nrun = [\"cat\", \"{kept}/{{key}}\"]\n\
             [secrets.lend.other]\nfrom = \"keeper\"\nprograms = [\"curl\"]\nhosts = [\"127.0.0.1:{{port}}\"]\n\
             [secrets.lend.api]\nfrom = \"keeper\"\n{terms}\n"
        ));
        world
    }

    /// Adds to the person's `ambit.toml`.
    pub(crate) fn configure(&self, text: &str) {
        let file = self.sandbox.home().join(".config/ambit/ambit.toml");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut all = std::fs::read_to_string(&file).unwrap_or_else(|_| "mode = \"enforce\"\n".to_owned());
        all.push('\n');
        all.push_str(&text.replace("{port}", &self.host.port.to_string()));
        std::fs::write(file, all).unwrap();
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.sandbox.home().join(".local/bin/ambit")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(self.program());
        command.args(args).stdin(Stdio::null());
        command
    }

    pub(crate) fn ambit(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What the installed hook answers to a shell command.
    pub(crate) fn propose(&self, id: &str, command: &str) -> Value {
        let payload =
            HookPayload::before_bash(command).in_dir(self.sandbox.work()).of_session(SESSION).as_call(id);
        let settings = std::fs::read(self.sandbox.home().join(".claude/settings.json")).unwrap();
        let settings: Value = serde_json::from_slice(&settings).unwrap();
        let line = settings["hooks"]["PreToolUse"][0]["hooks"][0]["command"].as_str().unwrap();
        let mut child = self
            .sandbox
            .command("/bin/sh")
            .args(["-c", line])
            .env("CLAUDE_PROJECT_DIR", self.sandbox.work())
            .env("CLAUDE_CODE_SESSION_ATTENDED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&payload.bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no answer: {}", text(&output)))
    }

    /// Adds a hook of the person's own to the beginning of sessions.
    pub(crate) fn hook_at_start(&self, command: &str) {
        let file = self.sandbox.home().join(".claude/settings.json");
        let mut settings: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let hook = serde_json::json!({"hooks": [{"type": "command", "command": command}]});
        settings["hooks"]["SessionStart"].as_array_mut().unwrap().push(hook);
        std::fs::write(file, settings.to_string()).unwrap();
    }

    /// Lets the hook rewrite a command and runs what it says, as the agent's shell does.
    pub(crate) fn call(&self, id: &str, command: &str) -> Output {
        let answer = self.propose(id, command);
        let answer = &answer["hookSpecificOutput"];
        assert_eq!(answer["permissionDecision"], "allow", "{command}: {answer}");
        let rewritten = answer["updatedInput"]["command"].as_str().unwrap_or_default();
        assert!(rewritten.contains(" run --call "), "{command}: {answer}");
        let run = self.sandbox.command("/bin/bash").args(["-c", rewritten]).output().unwrap();
        self.silent(&text(&run));
        run
    }

    /// `curl` through the proxy for a name of this machine too.
    pub(crate) fn curl(&self, name: &str, path: &str) -> String {
        format!(
            "curl -sS -m 20 --noproxy '' -H 'Authorization: Bearer secret://{name}' https://localhost:{}{path}",
            self.host.port
        )
    }

    /// The records of a kind, oldest first.
    pub(crate) fn records(&self, kind: &str) -> Vec<Value> {
        let run = self.ambit(&["log", "--json", "-n", "0", "--kind", kind]);
        assert!(run.status.success(), "{}", text(&run));
        String::from_utf8_lossy(&run.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.sandbox.home().join(".local/state/ambit")
    }

    /// The value is not in a text.
    pub(crate) fn silent(&self, text: &str) {
        assert!(!text.contains(&self.value), "the value is shown: {text}");
    }

    /// The value is in no file that Ambit or anybody else wrote, but where it is kept; and the record is whole.
    pub(crate) fn verify(&self) {
        for folder in [self.sandbox.home(), self.sandbox.work()] {
            for file in files_below(&folder) {
                let bytes = std::fs::read(&file).unwrap_or_default();
                let there = bytes.windows(self.value.len()).any(|w| w == self.value.as_bytes());
                assert!(!there, "the value is in {}", file.display());
            }
        }
        let run = self.ambit(&["verify"]);
        assert!(run.status.success(), "{}", text(&run));
        let left = std::fs::read_dir(self.state().join("vault/leases")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "no lease is left");
    }
}

/// Everything that a program printed.
pub(crate) fn text(run: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match std::fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() => found.extend(files_below(&path)),
            Ok(meta) if meta.is_file() => found.push(path),
            _ => {}
        }
    }
    found
}

/// Whether this machine has a sandbox; without one the test says so and passes over.
pub(crate) fn contained(test: &str) -> bool {
    let there = contain::probe().tier.is_some();
    if !there {
        testkit::skipped(test, "this machine reaches no tier of the sandbox");
    }
    there
}
