//! Honest daily work of nine ecosystems needs nobody where a sandbox and snapshots are on offer; what leaves the
//! machine, cannot be taken back or widens rights needs somebody.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Verdict and reason of every command, each judged by itself.
fn judged<S: AsRef<str>>(commands: &[S]) -> Vec<(String, String)> {
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
        let call = json!({"id": at, "session": at, "tool": "Bash", "input": {"command": command.as_ref()}});
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

/// The stricter, the higher.
fn rank(verdict: &str) -> usize {
    ["allow", "contain", "ask", "deny"].iter().position(|v| *v == verdict).unwrap()
}

/// In single quotes, as a shell reads them.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Ways to run any text of the shell.
fn around(text: &str) -> Vec<String> {
    let q = quoted(text);
    let end = format!("EOF{}", text.matches("<<").count());
    vec![
        format!("bash -c {q}"),
        format!("sh -c {q}"),
        format!("/bin/bash -c {q}"),
        format!("bash -ec {q} x"),
        format!("eval {q}"),
        format!("builtin eval {q}"),
        format!("env bash -c {q}"),
        format!("env FOO=1 sh -c {q}"),
        format!("env -i bash -c {q}"),
        format!("nohup sh -c {q} >/dev/null 2>&1 &"),
        format!("timeout 10 bash -c {q}"),
        format!("nice -n 5 bash -c {q}"),
        format!("setsid sh -c {q}"),
        format!("stdbuf -oL bash -c {q}"),
        format!("command bash -c {q}"),
        format!("exec bash -c {q}"),
        format!("script -qc {q} /dev/null"),
        format!("find . -maxdepth 0 -exec sh -c {q} \\;"),
        format!("echo 1 | xargs -I@@ sh -c {q}"),
        format!("xargs sh -c {q} </dev/null"),
        format!("echo \"$( {text}\n)\""),
        format!("x=$( {text}\n)"),
        format!("cat <( {text}\n)"),
        format!("( {text}\n)"),
        format!("{{ {text}\n}}"),
        format!("! {{ {text}\n}}"),
        format!("time {{ {text}\n}}"),
        format!("{{ {text}\n}} &"),
        format!("true && {{ {text}\n}}"),
        format!("false || {{ {text}\n}}"),
        format!("cd . && {{ {text}\n}}"),
        format!("if true; then {text}\nfi"),
        format!("while true; do {text}\nbreak; done"),
        format!("for i in 1 2; do {text}\ndone"),
        format!("case a in (a) {text}\n;; esac"),
        format!("f() {{ {text}\n}}; f"),
        format!("trap {q} EXIT"),
        format!("bash <<'{end}'\n{text}\n{end}"),
        format!("sh <<{end}\n{}\n{end}", text.replace('\\', "\\\\").replace('$', "\\$").replace('`', "\\`")),
        format!("bash <<< {q}"),
        format!("echo {q} | bash"),
        format!("printf '%s' {q} | sh"),
        format!("c={q}; eval \"$c\""),
        format!("c={q}; bash -c \"$c\""),
        format!("shopt -s expand_aliases\nalias go={q}\ngo"),
        format!("printf '%s' {q} > run.sh; bash run.sh"),
        format!("printf '%s' {q} > run.sh && . ./run.sh"),
        format!("ls -la;{text}"),
        format!("# a comment\n{text}"),
        format!("{text}\n# harmless"),
        format!("  \t{text}\n"),
    ]
}

/// Other spellings of a simple command of plain words.
fn respelled(text: &str) -> Vec<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@+,-".contains(c);
    let words: Vec<&str> = text.split(' ').collect();
    let (Some(first), true) = (words.first(), words.iter().all(|w| !w.is_empty() && w.chars().all(plain)))
    else {
        return Vec::new();
    };
    let rest = words.iter().skip(1).copied().collect::<Vec<_>>().join(" ");
    let (head, tail) = first.split_at(1);
    let every = |f: &dyn Fn(&str) -> String| words.iter().map(|w| f(w)).collect::<Vec<_>>().join(" ");
    let halves = |w: &str| {
        let (a, b) = w.split_at(w.len() / 2);
        format!("{a}\"\"{b}")
    };
    let octal = |w: &str| format!("$'{}'", w.bytes().map(|b| format!("\\{b:03o}")).collect::<String>());
    let hex = |w: &str| format!("$'{}'", w.bytes().map(|b| format!("\\x{b:02x}")).collect::<String>());
    let mut all = vec![
        every(&|w| format!("'{w}'")),
        every(&|w| format!("\"{w}\"")),
        every(&halves),
        every(&octal),
        every(&hex),
        words.join("  "),
        words.join("\t"),
        words.join(" \\\n"),
        format!("\\{text}"),
        format!("{head}\\\n{tail} {rest}"),
        format!("{head}''{tail} {rest}"),
        format!("p={first}; $p {rest}"),
        format!("p={first}; \"${{p}}\" {rest}"),
        format!("p={head}; ${{p}}{tail} {rest}"),
        format!("set -- {text}; \"$@\""),
        format!("{{{}}}", words.join(",")),
        format!("w={}; $w", quoted(text)),
        format!("$(echo {first}) {rest}"),
        format!("$(printf %s {first}) {rest}"),
        format!("env {text}"),
        format!("env -u LANG LC_ALL=C {text}"),
        format!("nohup {text}"),
        format!("timeout -k 1 5m {text}"),
        format!("nice {text}"),
        format!("ionice -c3 {text}"),
        format!("setsid -w {text}"),
        format!("stdbuf -o0 {text}"),
        format!("command {text}"),
        format!("exec {text}"),
        format!("time -p {text}"),
        format!("flock run.lock {text}"),
        format!("watch -n1 {text}"),
        format!("find . -maxdepth 0 -exec {text} \\;"),
        format!("echo {rest} | xargs {first}"),
        format!("xargs {text} </dev/null"),
        format!("LANG=C {text}"),
        format!(">out.txt {text} 2>&1"),
        format!("{text} | cat"),
        format!("coproc {text}"),
    ];
    if words.len() == 1 {
        // A brace needs two words.
        all.retain(|s| !s.starts_with('{'));
    }
    if !first.contains('/') {
        all.extend([format!("/usr/bin/{text}"), format!("/bin/{text}"), format!("/usr/bin/env {text}")]);
    }
    all
}

#[test]
fn no_spelling_makes_a_verdict_laxer() {
    let text = lines("must-ask.txt");
    let commands: Vec<&str> = text.lines().filter(|l| !l.is_empty()).collect();
    let mut spellings: Vec<(usize, String)> = Vec::new();
    for (at, command) in commands.iter().enumerate() {
        let one = around(command);
        // Every second spelling inside another, each command with others.
        let two = one.iter().enumerate().filter_map(|(n, s)| around(s).into_iter().nth((n * 7 + at) % 51));
        spellings.extend(two.map(|s| (at, s)));
        let other = respelled(command);
        let inside =
            other.iter().enumerate().filter_map(|(n, s)| around(s).into_iter().nth((n * 5 + at * 3) % 51));
        spellings.extend(inside.map(|s| (at, s)));
        spellings.extend(one.into_iter().chain(other).map(|s| (at, s)));
    }
    assert!(spellings.len() > 10_000, "{} spellings", spellings.len());
    let plain = judged(&commands);
    let texts: Vec<&String> = spellings.iter().map(|(_, s)| s).collect();
    let laxer: Vec<String> = spellings
        .iter()
        .zip(judged(&texts))
        .filter_map(|((at, spelling), (verdict, reason))| {
            let (want, _) = plain.get(*at)?;
            (rank(&verdict) < rank(want)).then(|| format!("{verdict} < {want}: {spelling}: {reason}"))
        })
        .collect();
    assert!(laxer.is_empty(), "{} of {} are laxer:\n{}", laxer.len(), texts.len(), laxer.join("\n"));
}
