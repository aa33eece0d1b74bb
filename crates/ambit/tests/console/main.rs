//! `ambit console` and `ambit export` on a record that the real hook wrote.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;
use testkit::{HookPayload, Sandbox};

const AMBIT: &str = env!("CARGO_BIN_EXE_ambit");
const SESSION: &str = "7c939f3f-982b-4291-b3c9-76dba805efee";

/// A sandbox in which a session did three things.
fn told() -> Sandbox {
    let sandbox = Sandbox::new();
    let work = sandbox.work();
    for payload in [
        HookPayload::like("SessionStart"),
        HookPayload::like("UserPromptSubmit").with("prompt", json!("Please tidy up")),
        HookPayload::before_bash("ls src").as_call("call-1"),
        HookPayload::after_bash("ls src", "app.py").as_call("call-1"),
        HookPayload::before_bash("rm -rf / --no-preserve-root").as_call("call-2"),
    ] {
        let payload = payload.of_session(SESSION).in_dir(&work);
        let mut child = sandbox
            .command(AMBIT)
            .args(["hook", "claude-code"])
            .current_dir(&work)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(payload.json().to_string().as_bytes()).unwrap();
        child.wait_with_output().unwrap();
    }
    sandbox
}

fn ambit(sandbox: &Sandbox, args: &[&str]) -> Output {
    sandbox.command(AMBIT).args(args).current_dir(sandbox.work()).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_export_can_be_taken_up_again() {
    let sandbox = told();
    let whole = lines(&ambit(&sandbox, &["export"]));
    let indices: Vec<u64> = whole.iter().map(|r| r["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, (0..whole.len() as u64).collect::<Vec<_>>());
    let denied = whole.iter().find(|r| r["what"]["verdict"] == "deny").unwrap();
    assert_eq!(denied["call"], "call-2");
    assert!(
        !whole.iter().any(|r| r.to_string().contains("preserve-root")),
        "a sealed value went out unasked"
    );
    let first = ambit(&sandbox, &["export", "-n", "3"]);
    assert!(String::from_utf8_lossy(&first.stderr).contains("go on with --after 2"));
    let mut parts = lines(&first);
    parts.extend(lines(&ambit(&sandbox, &["export", "--after", "2"])));
    assert_eq!(parts, whole);
    let open = lines(&ambit(&sandbox, &["export", "--format", "ocsf", "--sealed"]));
    assert_eq!(open.len(), whole.len());
    let denied = open.iter().find(|r| r["disposition"] == "Blocked").unwrap();
    assert_eq!(
        (&denied["class_uid"], &denied["message"]),
        (&json!(6003), &json!("rm -rf / --no-preserve-root"))
    );
    for format in ["hec", "otlp"] {
        assert_eq!(lines(&ambit(&sandbox, &["export", "--format", format])).len(), whole.len());
    }
    let cef = ambit(&sandbox, &["export", "--format", "cef"]);
    assert!(String::from_utf8_lossy(&cef.stdout).lines().all(|line| line.starts_with("CEF:0|Ambit|ambit|")));
    assert_eq!(ambit(&sandbox, &["export", "--format", "xml"]).status.code(), Some(2));
}

/// A console whose standard input is no terminal.
struct Open {
    child: Child,
    host: String,
    path: String,
    /// What it said on standard output after the link stays unread; the pipe must live.
    _out: BufReader<std::process::ChildStdout>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open(sandbox: &Sandbox) -> Open {
    let mut child = sandbox
        .command(AMBIT)
        .args(["console", "--listen", "127.0.0.1:0"])
        .current_dir(sandbox.work())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let link = line.trim().rsplit(' ').next().unwrap();
    let Some((host, path)) = link.strip_prefix("http://").and_then(|rest| rest.split_once('/')) else {
        panic!("no link in `{line}`")
    };
    Open { child, host: host.to_owned(), path: format!("/{path}"), _out: out }
}

fn get(open: &Open, path: &str, cookie: &str) -> (u16, String) {
    let port = open.host.rsplit(':').next().unwrap();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let text = format!(
        "GET {path} HTTP/1.0\r\nHost: {}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n",
        open.host
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

/// Waits until a page shows a text.
fn wait_for(open: &Open, path: &str, cookie: &str, text: &str) -> String {
    for _ in 0..100 {
        let (_, body) = get(open, path, cookie);
        if body.contains(text) {
            return body;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{path} never showed {text}: {}", get(open, path, cookie).1);
}

#[test]
fn the_console_tells_what_the_hook_recorded() {
    let sandbox = told();
    let open = open(&sandbox);
    let (status, answer) = get(&open, &open.path, "");
    assert_eq!(status, 200, "{answer}");
    let cookie =
        answer.lines().find_map(|l| l.strip_prefix("set-cookie: ")).unwrap().split(';').next().unwrap();
    let page = format!("/session/{SESSION}");
    let story = wait_for(&open, &page, cookie, "no-preserve-root");
    assert!(
        story.contains("Please tidy up") && story.contains("ls src") && story.contains("not run"),
        "{story}"
    );
    // A page that shows what this program itself finds out.
    let (_, policy) = get(&open, "/policy?command=rm+-rf+%2F", cookie);
    assert!(policy.contains("v-deny") && policy.contains("floor"), "{policy}");
    let (_, guard) = get(&open, "/guard", cookie);
    assert!(guard.contains("Claude Code"), "{guard}");
    // A call that comes meanwhile appears.
    let payload =
        HookPayload::before_bash("ls tests").as_call("call-3").of_session(SESSION).in_dir(sandbox.work());
    let mut child = sandbox
        .command(AMBIT)
        .args(["hook", "claude-code"])
        .current_dir(sandbox.work())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(payload.json().to_string().as_bytes()).unwrap();
    child.wait().unwrap();
    wait_for(&open, &page, cookie, "ls tests");
    // What it proves, the program checks without the ledger.
    let bundle = wait_for(&open, "/evidence/bundle?records=1-3", cookie, "\"proofs\"");
    let body = bundle.split_once("\r\n\r\n").unwrap().1;
    let file = sandbox.write("proofs.json", body);
    let elsewhere = Sandbox::new();
    let checked = |file: &Path| elsewhere.command(AMBIT).arg("verify").arg(file).output().unwrap();
    let good = checked(&file);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    assert_eq!(String::from_utf8_lossy(&good.stdout).matches("holds:").count(), 3);
    let forged = sandbox.write("forged.json", &body.replacen("claude-code", "claude-c0de", 1));
    let bad = checked(&forged);
    assert_eq!(bad.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&bad.stdout).contains("does not hold:"));
}
