//! `ambit doctor`: is the guard really on?

use super::init::places;
use crate::environment;
use crate::output::{line, style};
use agents::claude_code::{self, Finding, Level, Tier, examine, find_program, version_of};
use anyhow::{Context as _, Result};
use clap::Args as ClapArgs;
use guard::{Settings, mode_word};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};

/// Options of `ambit doctor`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {}

pub(crate) fn run(_: Args) -> Result<ExitCode> {
    let mut bad = 0;
    for (name, mut findings) in examined()? {
        line(style::paint(style::STRONG, name));
        report(&mut findings);
        bad += findings.iter().filter(|f| f.level == Level::Problem).count();
    }
    line(match bad {
        0 => style::paint(style::GOOD, "the guard is on"),
        n => style::paint(style::BAD, &format!("{n} problem(s): the guard is off or can be walked round")),
    });
    Ok(ExitCode::from(u8::from(bad > 0)))
}

/// What is found out about the agents here and about Ambit itself, by name.
pub(super) fn examined() -> Result<Vec<(&'static str, Vec<Finding>)>> {
    let roots = environment::roots()?;
    let home = roots.home.clone().context("the variable `HOME` is not set")?;
    let workspace = guard::workspace_of(&environment::current_dir()?, roots.home.as_ref());
    let places = places(&home, &workspace);
    let mut findings: Vec<Finding> = Vec::new();

    match find_program(&places) {
        None => findings.push(finding(
            Level::Warning,
            "the program `claude` is not on the search path",
            "install it, or start this from where it is found",
        )),
        Some(program) => findings.push(version(&program)),
    }
    let examination = examine(&places);
    findings.extend(examination.findings);
    for (tier, command) in &examination.hooks {
        findings.push(canary(*tier, command, &workspace));
    }
    let mut own = Vec::new();
    match Settings::load(&roots, &workspace) {
        Ok(settings) => {
            own.push(finding(
                Level::Good,
                format!("mode {}, policy {}", mode_word(settings.mode()), settings.version),
                "",
            ));
            if settings.mode() == policy::Mode::Observe {
                own.push(finding(
                    Level::Warning,
                    "in observe mode nothing is stopped except the floor",
                    "set `mode = \"enforce\"` where it says `observe`: .ambit/ambit.toml (then run `ambit trust`) or ~/.config/ambit/ambit.toml",
                ));
            }
            for notice in settings.notices {
                own.push(finding(Level::Warning, notice, ""));
            }
            if settings.broken.is_some() {
                own.push(finding(
                    Level::Problem,
                    "the policy as it is now is broken",
                    "run `ambit policy check`",
                ));
            }
        }
        Err(e) => own.push(finding(Level::Problem, e.to_string(), "run `ambit policy check`")),
    }
    own.push(record(&roots.state));
    own.push(sandboxed(&roots));
    if guard::git_program().is_none() {
        own.push(finding(
            Level::Warning,
            "no program `git` where systems install it: what git would lose is not kept, and is asked about",
            "install git",
        ));
    }
    Ok(vec![("Claude Code", findings), ("Ambit", own)])
}

/// Which tier the sandbox reaches, tried anew, and what is in the way of the best one.
fn sandboxed(roots: &guard::Roots) -> Finding {
    let probe = crate::sandbox::tried(roots);
    let told = |lack: Option<&contain::Lack>| lack.map_or(String::new(), ToString::to_string);
    let mend = |lack: Option<&contain::Lack>| lack.map_or(String::new(), contain::Lack::mend);
    let (best, least) = (probe.lacks_a.as_ref(), probe.lacks_b.as_ref());
    match probe.tier {
        Some(tier) if best.is_none() => finding(Level::Good, format!("the sandbox reaches tier {tier}"), ""),
        Some(tier) => finding(
            Level::Warning,
            format!("the sandbox reaches only tier {tier}: {}", told(best)),
            mend(best),
        ),
        None => finding(
            Level::Warning,
            format!("no sandbox, so what is not understood is asked about: {}; {}", told(best), told(least)),
            mend(best),
        ),
    }
}

fn finding(level: Level, what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { level, what: what.into(), mend: mend.into() }
}

fn report(findings: &mut [Finding]) {
    findings.sort_by_key(|f| std::cmp::Reverse(f.level));
    for f in findings.iter() {
        let (mark, paint) = match f.level {
            Level::Good => ("ok     ", style::GOOD),
            Level::Warning => ("warning", style::WARNING),
            Level::Problem => ("PROBLEM", style::BAD),
        };
        line(format!("  {} {}", style::paint(paint, mark), f.what));
        if !f.mend.is_empty() {
            line(format!("          {}", style::paint(style::FAINT, &format!("mend: {}", f.mend))));
        }
    }
    line("");
}

fn version(program: &std::path::Path) -> Finding {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    match version_of(&text) {
        Some(((a, b, c), true)) => finding(
            Level::Good,
            format!("version {a}.{b}.{c}: a hook that fails or hangs blocks the call"),
            "",
        ),
        Some(((a, b, c), false)) => finding(
            Level::Problem,
            format!("version {a}.{b}.{c} runs the call when a hook hangs (it does not know `onFailure`)"),
            "update Claude Code to 2.1.295 or later",
        ),
        None => finding(
            Level::Warning,
            format!("`{} --version` did not say a version", program.display()),
            "find out which version runs",
        ),
    }
}

/// Runs the installed command exactly as the agent would, with a call that must be denied. Nothing is executed by it:
/// a hook only judges.
fn canary(tier: Tier, command: &str, workspace: &model::AbsPath) -> Finding {
    let payload = json!({
        "session_id": "ambit-doctor",
        "cwd": workspace.as_str(),
        "hook_event_name": "PreToolUse",
        "permission_mode": "default",
        "tool_name": "Bash",
        "tool_input": {"command": "rm -rf /", "description": "canary of ambit doctor; it is never run"},
        "tool_use_id": format!("canary-{}", std::process::id()),
    });
    let place = format!("the hook in the {} settings", tier.word());
    let bad = |why: String| {
        finding(
            Level::Problem,
            format!("{place} {why}"),
            "run `ambit init` again; if that does not help, see what the command prints",
        )
    };
    let child = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .env(environment::CLAUDE_PROJECT_DIR, workspace.as_str())
        .env(environment::CLAUDE_CODE_SESSION_ATTENDED, "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => return bad(format!("cannot be run: {e}")),
    };
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(payload.to_string().as_bytes());
    }
    let deadline =
        std::time::Instant::now() + std::time::Duration::from_secs(claude_code::HOOK_TIMEOUT_S / 2);
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if std::time::Instant::now() < deadline => {
                std::thread::sleep(std::time::Duration::from_millis(2))
            }
            _ => {
                let _ = child.kill();
                return bad("does not answer".to_owned());
            }
        }
    }
    let output = match child.wait_with_output() {
        Ok(output) => output,
        Err(e) => return bad(format!("cannot be run: {e}")),
    };
    let answer: Option<Value> = serde_json::from_slice(&output.stdout).ok();
    let decision = answer
        .as_ref()
        .and_then(|a| a.pointer("/hookSpecificOutput/permissionDecision"))
        .and_then(Value::as_str);
    match (output.status.code(), decision) {
        (Some(0), Some("deny")) => {
            finding(Level::Good, format!("{place} denied the canary (`rm -rf /`, never run)"), "")
        }
        (Some(0), _) => bad("let the canary pass: `rm -rf /` would have run".to_owned()),
        (Some(2), _) => finding(
            Level::Problem,
            format!(
                "{place} fails and therefore denies everything: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
            "mend what it says",
        ),
        (code, _) => bad(format!(
            "ended with {}: {}",
            code.map_or("a signal".to_owned(), |c| format!("exit {c}")),
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// Whether the record takes records.
fn record(state: &std::path::Path) -> Finding {
    let opened = ledger::Ledger::open(state, ledger::Options::default());
    match opened {
        Ok(_) => match ledger::Reader::open(state).len() {
            Ok(n) => finding(Level::Good, format!("the record is writable and holds {n} entries"), ""),
            Err(e) => {
                finding(Level::Problem, format!("the record cannot be read: {e}"), "run `ambit verify`")
            }
        },
        Err(e) => finding(
            Level::Problem,
            format!("the record cannot be written, so every call is denied: {e}"),
            "make room, or mend the permissions",
        ),
    }
}
