//! One session of the real Claude Code against the scripted model.
//!
//! The flags, environment and files are those that 2.1.330 was observed to need for a session with no login and no network.

use crate::isolate::enclose;
use crate::outcome::Outcome;
use crate::process::run_bounded;
use crate::programs::{claude_program, kit_program};
use crate::sandbox::{Sandbox, write};
use crate::script::{Script, Step};
use crate::scripted_model::RequestLog;
use crate::terminal::Terminal;
use crate::{KitError, isolate::Enclosed};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A key for a model that asks for none. Claude wants the form of a key; this one says what it is.
const KEY: &str = "dummy-key-for-the-scripted-model";
/// On the screen, below the prompt, when Claude takes one: in the default mode, and in any other.
const PROMPT: [&str; 2] = ["? for shortcuts", "shift+tab to cycle"];
/// No session of the kit needs more; one that hangs must not hang the test run.
const LIMIT: Duration = Duration::from_secs(100);

/// A session to be: say what it has, then [`go`](Self::go), or [`interactively`](Self::interactively).
#[derive(Debug)]
pub struct ClaudeRun<'a> {
    sandbox: &'a Sandbox,
    script: Script,
    prompt: String,
    settings: Option<Value>,
    project_settings: Option<Value>,
    etc: BTreeMap<String, String>,
    mcp: Map<String, Value>,
    probe: Option<String>,
    env: Vec<(String, String)>,
    path: Vec<PathBuf>,
    args: Vec<OsString>,
    limit: Duration,
}

/// The files of one run.
struct Files {
    script: PathBuf,
    log: PathBuf,
    stdout: PathBuf,
    stderr: PathBuf,
    etc: PathBuf,
    mount_point: PathBuf,
    mcp: PathBuf,
}

impl<'a> ClaudeRun<'a> {
    pub(crate) fn new(sandbox: &'a Sandbox) -> Self {
        Self {
            sandbox,
            script: Script::of([Step::text("done")]),
            prompt: "go".into(),
            settings: None,
            project_settings: None,
            etc: BTreeMap::new(),
            mcp: Map::new(),
            probe: None,
            env: Vec::new(),
            path: Vec::new(),
            args: Vec::new(),
            limit: LIMIT,
        }
    }

    /// What the model will do.
    #[must_use]
    pub fn playing(mut self, script: Script) -> Self {
        self.script = script;
        self
    }

    /// What the person asks; `go` unless told.
    #[must_use]
    pub fn prompted(mut self, prompt: &str) -> Self {
        self.prompt = prompt.to_owned();
        self
    }

    /// The user's `~/.claude/settings.json`, in place of any that is there. Without this and without
    /// [`with_hook`](Self::with_hook) the file is left alone, as an installer may have written it.
    #[must_use]
    pub fn with_settings(mut self, settings: Value) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Adds one command hook to the user's settings.
    #[must_use]
    pub fn with_hook(mut self, event: &str, matcher: &str, command: &str) -> Self {
        let settings = self.settings.get_or_insert_with(|| json!({}));
        let groups = &mut settings["hooks"][event];
        if groups.is_null() {
            *groups = json!([]);
        }
        let hook = json!({"type": "command", "command": command, "timeout": 20});
        groups.as_array_mut().expect("hooks are a list").push(json!({"matcher": matcher, "hooks": [hook]}));
        self
    }

    /// The repository's `.claude/settings.json`.
    #[must_use]
    pub fn with_project_settings(mut self, settings: Value) -> Self {
        self.project_settings = Some(settings);
        self
    }

    /// The administrator's `/etc/claude-code/managed-settings.json`, shown to this session only.
    #[must_use]
    pub fn with_managed_settings(self, settings: &Value) -> Self {
        self.with_etc_file("claude-code/managed-settings.json", &settings.to_string())
    }

    /// Any file below `/etc`, shown to this session only; the real `/etc` is not touched.
    #[must_use]
    pub fn with_etc_file(mut self, path: &str, text: &str) -> Self {
        self.etc.insert(path.to_owned(), text.to_owned());
        self
    }

    /// An MCP server of this session, in the form of `--mcp-config`.
    #[must_use]
    pub fn with_mcp_server(mut self, name: &str, server: Value) -> Self {
        self.mcp.insert(name.to_owned(), server);
        self
    }

    /// The kit's own MCP server as `probe`: tools `mcp__probe__write_record`, `…read_record` and `…fail`; the last two
    /// answer with `record`. See [`Sandbox::mcp_calls`].
    #[must_use]
    pub fn with_mcp_probe(mut self, record: &str) -> Self {
        self.probe = Some(record.to_owned());
        self
    }

    /// One more environment variable; a later one of the same name wins. `IS_SANDBOX=1` lets root bypass permissions.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a folder of programs in front of `PATH`.
    #[must_use]
    pub fn with_programs_of(mut self, folder: impl Into<PathBuf>) -> Self {
        self.path.insert(0, folder.into());
        self
    }

    /// More arguments for `claude`.
    #[must_use]
    pub fn with_args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Another time limit than 100 seconds.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs `claude -p` to its end, or to the time limit.
    ///
    /// # Errors
    /// [`KitError::Unavailable`] when the machine lacks the program or what the settings need; otherwise a failure of the kit.
    /// An agent that fails is an outcome.
    pub fn go(self) -> Result<Outcome, KitError> {
        let claude = claude_program()?;
        let files = self.prepare()?;
        let mut argv: Vec<OsString> = vec![claude.into(), "-p".into(), self.prompt.clone().into()];
        argv.extend(
            ["--output-format", "stream-json", "--verbose", "--include-hook-events"].map(OsString::from),
        );
        argv.extend(["--max-budget-usd", "5"].map(OsString::from));
        let (mut command, offline) = self.command(argv, &files)?;
        let ended = run_bounded(&mut command, self.limit, &files.stdout, &files.stderr)?;
        Ok(Outcome {
            exit_code: ended.exit_code,
            timed_out: ended.timed_out,
            offline,
            wall: ended.wall,
            stdout: read(&files.stdout)?,
            stderr: read(&files.stderr)?,
            requests: RequestLog::at(&files.log).requests()?,
        })
    }

    /// Starts `claude` in a terminal, past its first-start questions, and waits until it takes a prompt.
    /// The time limit holds for the whole session.
    ///
    /// # Errors
    /// As for [`go`](Self::go); also when no prompt appears.
    pub fn interactively(self) -> Result<Terminal, KitError> {
        let claude = claude_program()?;
        let files = self.prepare()?;
        self.answer_first_questions()?;
        let (mut command, offline) = self.command(vec![claude.into()], &files)?;
        command.env("CLAUDE_CODE_NO_FLICKER", "0");
        let mut terminal = Terminal::start(&command, files.log, offline, self.limit)?;
        if terminal.wait_for(&PROMPT) {
            return Ok(terminal);
        }
        Err(KitError::Invalid {
            what: "the start of the session".into(),
            why: format!("no prompt:\n{}", terminal.screen()),
        })
    }

    /// Marks as answered what Claude asks at its first start: theme, use of the key, trust in the folder.
    fn answer_first_questions(&self) -> Result<(), KitError> {
        let path = self.sandbox.home().join(".claude.json");
        let mut state = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| KitError::Invalid {
                what: format!("`{}`", path.display()),
                why: e.to_string(),
            })?,
            Err(_) => json!({"numStartups": 5, "theme": "dark"}),
        };
        state["hasCompletedOnboarding"] = true.into();
        state["lastOnboardingVersion"] = "2.1.330".into();
        // Claude remembers a key by its last 20 characters.
        let key: String = KEY.chars().skip(KEY.len() - 20).collect();
        state["customApiKeyResponses"] = json!({"approved": [key], "rejected": []});
        let work = self.sandbox.work().display().to_string();
        state["projects"][work] = json!({"hasTrustDialogAccepted": true, "hasCompletedProjectOnboarding": true, "allowedTools": []});
        write(&path, &state.to_string());
        Ok(())
    }

    /// The whole command line and environment, and whether it has no network.
    fn command(&self, mut agent: Vec<OsString>, files: &Files) -> Result<(Command, bool), KitError> {
        agent.extend(["--model", "claude-sonnet-5"].map(OsString::from));
        if !self.mcp.is_empty() || self.probe.is_some() {
            agent.extend(["--mcp-config".into(), files.mcp.clone().into()]);
        }
        agent.extend(self.args.iter().cloned());
        let mut argv: Vec<OsString> = vec![kit_program("scripted-model")?.into()];
        argv.extend([
            "--script".into(),
            files.script.clone().into(),
            "--log".into(),
            files.log.clone().into(),
        ]);
        argv.push("--".into());
        argv.extend(agent);
        let etc = (!self.etc.is_empty()).then_some(files.etc.as_path());
        let Enclosed { argv, offline } = enclose(&argv, etc, &files.mount_point)?;
        let mut command = self.sandbox.command(&argv[0]);
        command.args(&argv[1..]);
        for name in [
            "DISABLE_TELEMETRY",
            "DISABLE_ERROR_REPORTING",
            "DISABLE_AUTOUPDATER",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
            "CLAUDE_CODE_MAX_RETRIES",
        ] {
            command.env(name, "1");
        }
        command.env("ANTHROPIC_API_KEY", KEY);
        if !self.path.is_empty() {
            let usual =
                self.sandbox.env().into_iter().find(|(k, _)| k == "PATH").map(|(_, v)| v).unwrap_or_default();
            let all = self.path.iter().cloned().chain(std::env::split_paths(&usual));
            command.env("PATH", std::env::join_paths(all).expect("no folder of programs holds a colon"));
        }
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        Ok((command, offline))
    }

    /// Writes every file that the run needs, into a folder of its own.
    fn prepare(&self) -> Result<Files, KitError> {
        let dir = tempfile::Builder::new().prefix("run-").tempdir_in(self.sandbox.kit());
        // Kept: it goes away with the sandbox.
        let dir = dir.map_err(|e| KitError::file(self.sandbox.kit(), e))?.keep();
        let files = Files {
            script: dir.join("script.json"),
            log: dir.join("requests.jsonl"),
            stdout: dir.join("stdout"),
            stderr: dir.join("stderr"),
            etc: dir.join("etc"),
            mount_point: dir.join("mount"),
            mcp: dir.join("mcp.json"),
        };
        std::fs::create_dir(&files.mount_point).map_err(|e| KitError::file(&files.mount_point, e))?;
        write(&files.script, &json!(self.script).to_string());
        if let Some(settings) = &self.settings {
            self.sandbox.write_home(".claude/settings.json", &settings.to_string());
        }
        if let Some(settings) = &self.project_settings {
            self.sandbox.write(".claude/settings.json", &settings.to_string());
        }
        for (path, text) in &self.etc {
            write(&files.etc.join(path), text);
        }
        let mut servers = self.mcp.clone();
        if let Some(record) = &self.probe {
            let args = [self.sandbox.mcp_log()];
            let program = kit_program("mcp-probe")?;
            servers.insert(
                "probe".into(),
                json!({"command": program, "args": args, "env": {"PROBE_RECORD": record}}),
            );
        }
        write(&files.mcp, &json!({"mcpServers": servers}).to_string());
        Ok(files)
    }
}

fn read(path: &Path) -> Result<String, KitError> {
    let bytes = std::fs::read(path).map_err(|e| KitError::file(path, e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
