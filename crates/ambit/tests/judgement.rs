//! Honest daily work of nine ecosystems needs nobody where a sandbox and snapshots are on offer; what leaves the
//! machine, cannot be taken back or widens rights needs somebody.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Verdict and reason of every command, each judged by itself.
fn judged(commands: &[&str]) -> Vec<(String, String)> {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ambit"))
        .args(["check", "--batch", "--policy", "standard", "--facts", "none", "--offer", "snapshot,contain"])
        .args(["--workspace", "/home/ann/app", "--home", "/home/ann"])
        .env_clear()
        .env("HOME", home.path())
        .current_dir(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = String::new();
    for (at, command) in commands.iter().enumerate() {
        let call = json!({"id": at, "session": at, "tool": "Bash", "input": {"command": command}});
        input.push_str(&format!("{call}\n"));
    }
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(answers.len(), commands.len());
    let field = |a: &Value, name: &str| a.get(name).and_then(Value::as_str).unwrap().to_owned();
    answers.iter().map(|a| (field(a, "verdict"), field(a, "reason"))).collect()
}

fn lines(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/everyday");
    std::fs::read_to_string(dir.join(name)).unwrap()
}

/// The commands of a file that need a person, or do not, with the reason.
fn of_kind(name: &str, least: usize, asked: bool) -> Vec<String> {
    let text = lines(name);
    let commands: Vec<&str> = text.lines().filter(|l| !l.is_empty()).collect();
    assert!(commands.len() >= least, "{name} has {} commands", commands.len());
    let verdicts = judged(&commands);
    commands
        .iter()
        .zip(verdicts)
        .filter(|(_, (verdict, _))| matches!(verdict.as_str(), "ask" | "deny") == asked)
        .map(|(command, (verdict, reason))| format!("{verdict}: {command}: {reason}"))
        .collect()
}

#[test]
fn everyday_work_needs_nobody() {
    let files =
        ["rust", "node", "python", "go", "java", "dotnet", "ruby", "php", "infrastructure", "general"];
    let asked: Vec<String> = files.iter().flat_map(|f| of_kind(&format!("{f}.txt"), 60, true)).collect();
    assert!(asked.is_empty(), "asked without cause:\n{}", asked.join("\n"));
}

#[test]
fn what_cannot_be_taken_back_needs_somebody() {
    let free = of_kind("must-ask.txt", 80, false);
    assert!(free.is_empty(), "nobody was asked:\n{}", free.join("\n"));
}
