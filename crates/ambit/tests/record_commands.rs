//! `ambit log`, `session` and `verify` on a ledger that the real hook wrote.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use ledger::{Kind, Record};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use testkit::{HookPayload, Sandbox};

const FIRST: &str = "7c939f3f-982b-4291-b3c9-76dba805efee";
const SECOND: &str = "7d000000-0000-4000-8000-000000000000";

struct World(Sandbox);

impl World {
    /// An empty one.
    fn new() -> Self {
        Self(Sandbox::new())
    }

    /// Two sessions: in the first a sub-agent, a failure, a call that the floor denies, and settings that changed.
    fn told() -> Self {
        let world = Self::new();
        let work = world.0.work();
        let in_first = |p: HookPayload| world.hook(&p.of_session(FIRST).in_dir(&work));
        in_first(HookPayload::like("SessionStart"));
        in_first(
            HookPayload::like("UserPromptSubmit")
                .with("prompt", json!("Please tidy up, then\nshow me \u{202e}the readme")),
        );
        in_first(HookPayload::before_bash("ls src").as_call("call-1"));
        in_first(
            HookPayload::after_bash("ls src", "app.py").as_call("call-1").with("duration_ms", json!(1234)),
        );
        in_first(HookPayload::like("SubagentStart").with("agent_id", json!("a6d57daaad5aa7239")));
        let readme = json!({"file_path": work.join("README.md")});
        in_first(
            HookPayload::before("Read", readme.clone())
                .as_call("call-2")
                .by_subagent("a6d57daaad5aa7239", "general-purpose"),
        );
        in_first(
            HookPayload::after("Read", readme, json!({}))
                .as_call("call-2")
                .by_subagent("a6d57daaad5aa7239", "general-purpose"),
        );
        in_first(HookPayload::like("SubagentStop").with("agent_id", json!("a6d57daaad5aa7239")));
        in_first(HookPayload::before_bash("cat missing.txt").as_call("call-3"));
        in_first(
            HookPayload::after_failed_bash("cat missing.txt", "Exit code 1\ncat: missing.txt")
                .as_call("call-3"),
        );
        in_first(HookPayload::before_bash("rm -rf / --no-preserve-root").as_call("call-4"));
        in_first(HookPayload::like("SessionEnd"));
        let in_second = |p: HookPayload| world.hook(&p.of_session(SECOND).in_dir(&work));
        in_second(HookPayload::like("SessionStart"));
        in_second(HookPayload::after_bash("echo unjudged", "").as_call("call-9"));
        world
    }

    fn command(&self) -> Command {
        let mut command = self.0.command(env!("CARGO_BIN_EXE_ambit"));
        command.env("TZ", "UTC").env("AMBIT_ADMIN_DIR", self.0.dir().join("admin"));
        command
    }

    fn hook(&self, payload: &HookPayload) {
        let mut command = self.command();
        command.args(["hook", "claude-code"]).env("CLAUDE_CODE_SESSION_ATTENDED", "1");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&payload.bytes()).unwrap();
        let run = child.wait_with_output().unwrap();
        assert!(run.status.success(), "{}: {}", payload.json(), String::from_utf8_lossy(&run.stderr));
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// What it prints when it succeeds.
    fn says(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert!(run.status.success(), "{args:?}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    }

    fn records(&self, filters: &[&str]) -> Vec<Value> {
        let args = [&["log", "--json", "-n", "0"], filters].concat();
        self.says(&args).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    fn kinds(&self, filters: &[&str]) -> Vec<String> {
        self.records(filters).iter().map(|r| r["kind"].as_str().unwrap().to_owned()).collect()
    }

    fn calls(&self, filters: &[&str]) -> Vec<String> {
        self.records(filters).iter().filter_map(|r| Some(r["call"].as_str()?.to_owned())).collect()
    }

    fn state(&self) -> PathBuf {
        self.0.home().join(".local/state/ambit")
    }

    fn file(&self, name: &str) -> String {
        self.0.dir().join(name).display().to_string()
    }
}

/// Times, identifiers and places replaced by words, so that runs can be compared.
fn scrubbed(world: &World, text: &str) -> String {
    let text = text.replace(&world.0.dir().display().to_string(), "<dir>");
    let mut out = String::new();
    for line in text.lines() {
        let shape: String = line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let time = shape.starts_with("00:00:00");
        out.push_str(if time { "<time>  " } else { "" });
        out.extend(line.chars().skip(if time { 8 } else { 0 }));
        out.push('\n');
    }
    out
}

#[test]
fn every_event_is_a_record_and_opens() {
    let world = World::told();
    let kinds = world.kinds(&["--session", "7c939f"]);
    let wanted = [
        "session.start",
        "prompt",
        "decision",
        "outcome",
        "subagent.start",
        "decision",
        "outcome",
        "subagent.end",
        "decision",
        "outcome",
        "decision",
        "session.end",
    ];
    let without_policy: Vec<_> = kinds.iter().filter(|k| !k.starts_with("policy.")).collect();
    assert_eq!(without_policy, wanted);
    let prompt = &world.records(&["--kind", "prompt"])[0];
    assert_eq!(prompt["sealed"]["text"], "Please tidy up, then\nshow me \u{202e}the readme");
    assert_eq!((&prompt["session"], &prompt["agent"]), (&json!(FIRST), &json!("claude-code")));
    let outcome = &world.records(&["--kind", "outcome"])[0];
    assert_eq!((&outcome["what"]["ok"], &outcome["what"]["millis"]), (&json!(true), &json!(1234)));
}

#[test]
fn filters_find_what_they_say() {
    let world = World::told();
    assert_eq!(world.calls(&["--kind", "decision", "--text", "LS SRC"]), ["call-1"]);
    assert_eq!(world.calls(&["--kind", "decision", "--path", "README.md"]), ["call-2"]);
    assert_eq!(world.calls(&["--kind", "decision", "--effect", "delete"]), ["call-4"]);
    assert_eq!(world.calls(&["--verdict", "deny"]), ["call-4"]);
    assert_eq!(world.calls(&["--text", "cat: missing.txt"]), ["call-3"]);
    assert_eq!(world.calls(&["--session", SECOND]), ["call-9"]);
    assert_eq!(world.calls(&["--host", "example.com"]), [""; 0]);
    assert!(world.kinds(&["--kind", "session"]).iter().all(|k| k.starts_with("session.")));
    let all = world.records(&[]).len();
    assert_eq!(world.records(&["--since", "1h"]).len(), all);
    assert_eq!(world.records(&["--until", "1h"]).len(), 0);
    let person = world.records(&["--kind", "prompt"])[0]["sealed"]["person"].as_str().unwrap().to_owned();
    assert_eq!(world.records(&["--person", &person]).len(), all - 1, "all but the ledger's own");
    assert_eq!(world.records(&["--agent", "codex"]).len(), 0);
    let rule = world.records(&["--verdict", "deny"])[0]["what"]["rule"].as_str().unwrap().to_owned();
    assert!(world.calls(&["--rule", &rule]).contains(&"call-4".to_owned()));
    let newest: Vec<_> = world
        .says(&["log", "--json", "-n", "2"])
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["index"].clone())
        .collect();
    assert_eq!(newest, [json!(all - 2), json!(all - 1)]);
    for bad in [["log", "--since", "soon"], ["log", "--kind", "nothing"], ["log", "--effect", "eat"]] {
        assert_eq!(world.run(&bad).status.code(), Some(2), "{bad:?}");
    }
}

#[test]
fn the_log_reads_well() {
    let world = World::told();
    let text = scrubbed(&world, &world.says(&["log", "--session", FIRST]));
    let line =
        |with: &str| text.lines().find(|l| l.contains(with)).unwrap_or_else(|| panic!("{with} in:\n{text}"));
    assert!(
        line("Please tidy up").contains("prompt            Please tidy up, then show me \\u{202e}the readme"),
        "{text}"
    );
    assert!(
        line("--no-preserve-root").starts_with("<time>    7c939f3f  deny     shell    rm -rf / "),
        "{text}"
    );
    assert!(line("ok 1.2 s").contains("ran      shell    ok 1.2 s"), "{text}");
    assert!(line("failed").contains("Exit code 1 cat: missing.txt"), "{text}");
    assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
}

#[test]
fn a_session_is_told() {
    let world = World::told();
    let text = scrubbed(&world, &world.says(&["session", "show", "7c9"]));
    assert!(text.starts_with(&format!("Session {FIRST}\n  agent      claude-code\n  person     ")), "{text}");
    assert!(text.lines().any(|l| l.starts_with("<time>    │ ") && l.contains("read ")), "{text}");
    assert!(text.contains("  workspace  <dir>/work\n") && text.contains(", ended\n"), "{text}");
    assert!(text.contains("outcome  not run\n"), "{text}");
    assert!(text.contains("\n4 calls: ") && text.contains(" 1 denied\n"), "{text}");
    assert!(text.contains("\n3 ran, 1 of them failed; "), "{text}");
    assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
    let last = world.says(&["session", "show"]);
    assert!(last.contains(SECOND) && last.contains("unjudged"), "{last}");
    let story: Value = serde_json::from_str(&world.says(&["session", "show", FIRST, "--json"])).unwrap();
    assert_eq!(
        (&story["session"], &story["state"], &story["totals"]["calls"]),
        (&json!(FIRST), &json!("ended"), &json!(4))
    );
    let run = world.run(&["session", "show", "7"]);
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.stderr).contains("could mean"), "{run:?}");
}

#[test]
fn sessions_are_listed() {
    let world = World::told();
    let rows: Vec<Value> = world
        .says(&["session", "list", "--json"])
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let ids: Vec<_> =
        rows.iter().map(|r| (r["session"].as_str().unwrap(), r["state"].as_str().unwrap())).collect();
    assert_eq!(ids, [(FIRST, "ended"), (SECOND, "live")]);
    assert_eq!(rows[0]["totals"]["calls"], 4);
    assert_eq!(world.says(&["session", "list", "-n", "1"]).lines().count(), 2);
}

#[test]
fn a_whole_ledger_verifies_and_a_bypass_is_no_tampering() {
    let world = World::told();
    let report: Value = serde_json::from_str(&world.says(&["verify", "--json"])).unwrap();
    assert_eq!((&report["intact"], &report["tampering"]), (&json!(true), &json!([])), "{report}");
    assert_eq!(report["unpaired"][0]["fault"], "no_decision", "{report}");
    let text = world.says(&["verify"]);
    assert!(text.starts_with("whole    nothing sealed was changed, removed or reordered\n"), "{text}");
    assert!(text.contains("call `call-9`") && text.contains("ran without a"), "{text}");
    assert!(World::new().says(&["verify"]).contains("nothing is recorded yet"));
}

#[test]
fn tampering_is_found() {
    let world = World::told();
    let segment = world.state().join("ledger").join(format!("{:020}.seg", 0));
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(10).position(|w| w == b"\"decision\"").unwrap();
    bytes[at + 1] = b'D';
    std::fs::write(&segment, bytes).unwrap();
    let run = world.run(&["verify"]);
    let text = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(1), "{text}");
    assert!(text.starts_with("changed  ") && text.contains("\nTampering\n"), "{text}");
    let kept = world.file("kept");
    assert_eq!(world.run(&["verify", "--export-checkpoint", &kept]).status.code(), Some(2));
    assert!(!std::path::Path::new(&kept).exists());
}

#[test]
fn a_ledger_put_back_to_an_older_copy_is_found() {
    let world = World::told();
    let copy = world.0.dir().join("copy");
    let cp = |from: &std::path::Path, to: &std::path::Path| {
        assert!(Command::new("cp").arg("-R").args([from, to]).status().unwrap().success());
    };
    cp(&world.state(), &copy);
    world.hook(&HookPayload::like("SessionEnd").of_session(SECOND).in_dir(world.0.work()));
    let kept = world.file("kept");
    world.says(&["verify", "--export-checkpoint", &kept]);
    assert!(world.says(&["verify", "--checkpoint", &kept]).starts_with("whole"));
    std::fs::remove_dir_all(world.state()).unwrap();
    cp(&copy, &world.state());
    assert_eq!(world.run(&["verify"]).status.code(), Some(0), "nothing in the copy itself tells");
    let run = world.run(&["verify", "--checkpoint", &kept]);
    let text = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(1), "{text}");
    assert!(text.contains("remembered checkpoint"), "{text}");
}

#[test]
fn a_proof_stands_alone() {
    let world = World::told();
    let denied = &world.records(&["--verdict", "deny"])[0];
    let index = denied["index"].to_string();
    let proof = world.says(&["verify", "--proof", &index, "--disclose", "input"]);
    let file = world.0.dir().join("proof.json");
    std::fs::write(&file, &proof).unwrap();
    let path = file.display().to_string();
    let elsewhere = World::new();
    let text = elsewhere.says(&["verify", &path]);
    assert!(text.starts_with(&format!("holds: record {index} (decision, ")), "{text}");
    assert!(text.contains("rm -rf / --no-preserve-root") && !text.contains("reason"), "{text}");
    let key = serde_json::from_str::<Value>(&proof).unwrap()["key"].as_str().unwrap().to_owned();
    assert!(!elsewhere.says(&["verify", &path, "--key", &key]).contains("give the key you know"));
    let mut changed: Value = serde_json::from_str(&proof).unwrap();
    changed["line"] = json!(changed["line"].as_str().unwrap().replace("\"deny\"", "\"allow\""));
    std::fs::write(&file, changed.to_string()).unwrap();
    let run = elsewhere.run(&["verify", &path]);
    assert_eq!(run.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&run.stdout).contains("does not hold"), "{run:?}");
    assert_eq!(world.run(&["verify", "--proof", "99999"]).status.code(), Some(2));
}

#[test]
fn what_was_erased_is_told_so() {
    let world = World::told();
    let prompt = world.records(&["--kind", "prompt"])[0]["index"].as_u64().unwrap();
    let ledger = ledger::Ledger::open(&world.state(), ledger::Options::default()).unwrap();
    let _ = ledger
        .erase(
            prompt,
            "text",
            "asked for by the person",
            Record::new(Kind::LEDGER_ERASED),
            jiff::Timestamp::now(),
        )
        .unwrap();
    let record = &world.records(&["--kind", "prompt"])[0];
    assert_eq!((&record["erased"], record["sealed"].get("text")), (&json!(["text"]), None));
    assert!(world.says(&["log", "--kind", "prompt"]).contains("prompt            (erased)"));
    assert!(world.says(&["session", "show", FIRST]).contains("(erased)"));
    assert_eq!(world.kinds(&["--text", "tidy up"]), [""; 0]);
    assert_eq!(
        serde_json::from_str::<Value>(&world.says(&["verify", "--json"])).unwrap()["sealed"]["erased"],
        1
    );
}

#[test]
fn what_is_chosen_is_erased_and_the_rest_stays_whole() {
    let world = World::told();
    let erased = |n: u64| {
        let report: Value = serde_json::from_str(&world.says(&["verify", "--json"])).unwrap();
        assert_eq!(report["sealed"]["erased"], n, "{report}");
    };
    let refused = |args: &[&str], why: &str| {
        let run = world.run(args);
        assert_eq!(run.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&run.stderr).contains(why), "{run:?}");
        erased(0);
    };
    refused(&["erase", "--reason", "x", "--yes"], "name what to erase");
    refused(&["erase", "--session", FIRST, "--reason", " ", "--yes"], "the reason is empty");
    refused(&["erase", "--session", FIRST, "--reason", "x"], "there is no terminal to ask at");
    let none = world.run(&["erase", "--session", "nothing-like-it", "--reason", "x", "--yes"]);
    assert_eq!(none.status.code(), Some(1));

    let inputs = world.records(&["--session", FIRST, "--kind", "decision"]).len() as u64;
    let before = world.records(&["--kind", "decision"]);
    let said =
        world.says(&["erase", "--session", "7c939f3f", "--field", "input", "--reason", "asked for", "--yes"]);
    assert!(said.contains(&format!("erased {inputs} values")), "{said}");
    erased(inputs);
    let after = world.records(&["--kind", "decision"]);
    for (was, is) in before.iter().zip(&after) {
        assert_eq!((&was["index"], &was["sealed"]["targets"]), (&is["index"], &is["sealed"]["targets"]));
        assert_eq!(is["sealed"].get("input"), None);
        assert_eq!(is["erased"], json!(["input"]));
    }
    let records = world.records(&["--kind", "ledger.erased"]);
    assert_eq!(records.len() as u64, inputs);
    for record in &records {
        assert_eq!(
            (&record["what"]["field"], &record["what"]["reason"]),
            (&json!("input"), &json!("asked for"))
        );
        assert!(record["subject"].as_str().unwrap().starts_with("p-"), "{record}");
    }
    // Nothing is erased twice, and all of a session can go.
    let again = world.run(&["erase", "--session", FIRST, "--field", "input", "--reason", "x", "--yes"]);
    assert_eq!(again.status.code(), Some(1));
    world.says(&["erase", "--session", FIRST, "--since", "1h", "--reason", "all of it", "--yes"]);
    let story = world.says(&["session", "show", FIRST]);
    assert!(!story.contains("tidy up") && !story.contains("missing.txt"), "{story}");
    assert!(world.run(&["verify"]).status.success());
}

#[test]
fn a_question_that_names_no_call_is_told_from_its_input() {
    let world = World::new();
    let work = world.0.work();
    let hook = |p: HookPayload| world.hook(&p.of_session(FIRST).in_dir(&work));
    let asks = |command: &str| {
        HookPayload::like("PermissionRequest-Bash")
            .with("tool_name", json!("Bash"))
            .with("tool_input", json!({"command": command, "description": "d"}))
            .without("tool_use_id")
    };
    hook(HookPayload::like("SessionStart"));
    hook(HookPayload::before_bash("git push origin one").as_call("call-1"));
    hook(HookPayload::before_bash("git push origin two").as_call("call-2"));
    hook(HookPayload::before_bash("git push origin two").as_call("call-3"));
    for command in ["git push origin one", "git push origin two", "git push origin three"] {
        hook(asks(command));
    }
    let asked = world.records(&["--kind", "approval.asked"]);
    let of = |at: usize| asked[at]["call"].as_str();
    assert_eq!((of(0), of(2)), (Some("call-1"), None));
    // Of two that are the same to the letter, it is one of them.
    assert!(matches!(of(1), Some("call-2" | "call-3")), "{:?}", of(1));
    // Once a call has ended it waits no longer.
    hook(HookPayload::after_bash("git push origin two", "").as_call("call-3"));
    hook(asks("git push origin two"));
    assert_eq!(world.records(&["--kind", "approval.asked"])[3]["call"], json!("call-2"));
}
