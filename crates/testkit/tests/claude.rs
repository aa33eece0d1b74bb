//! The kit works: the real Claude Code plays a script, a hook's denial holds, and the model is told why.

use serde_json::json;
use std::path::Path;
use std::time::Duration;
use testkit::{CANARY, OrSkip, RequestKind, Sandbox, Script, Step};

/// A hook that denies `rm -rf build` by JSON and allows all else. It writes each payload below `$HOME`.
const HOOK: &str = r#"#!/bin/sh
payload=$(cat)
printf '%s\n' "$payload" >>"$HOME/payloads"
decision=allow reason='nothing to say'
case $payload in *'rm -rf build'*) decision=deny reason='rule no-clean: ask a person first' ;; esac
printf '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"%s","permissionDecisionReason":"%s"}}' \
    "$decision" "$reason"
"#;

#[test]
fn a_hooks_denial_holds_and_the_model_is_told_why() {
    let sandbox = Sandbox::new();
    let hook = sandbox.write_program("hook", HOOK);
    let before = sandbox.tree();
    let script = Script::of([
        Step::bash("rm -rf build"),
        Step::bash("echo it still runs"),
        Step::call("mcp__probe__write_record", json!({"key": "k", "value": "v"})),
        Step::call("mcp__probe__fail", json!({"key": "k"})),
        Step::subagent("sub"),
        Step::text("all done"),
    ])
    .and("sub", [Step::bash("rm -rf build # by the child"), Step::text("sub done")]);
    let run = sandbox.claude().with_hook("PreToolUse", "*", &hook.display().to_string());
    let Some(seen) =
        run.with_mcp_probe("record-of-the-test").playing(script).go().or_skip("claude obeys a hook")
    else {
        return;
    };

    assert_eq!((seen.exit_code, seen.timed_out), (Some(0), false), "{}", seen.explain());
    let denied = seen.result(0);
    assert!(
        denied.is_error && denied.text.contains("rule no-clean: ask a person first"),
        "{}",
        seen.explain()
    );
    assert_eq!(seen.result(1).text, "it still runs", "{}", seen.explain());
    assert_eq!(sandbox.tree(), before, "the denied command left the tree alone");
    assert!(seen.model_saw("rule no-clean: ask a person first"));
    assert!(!seen.model_saw(CANARY), "nobody read .env");

    let calls = sandbox.mcp_calls();
    let names: Vec<_> = calls.iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["write_record", "fail"], "{}", seen.explain());
    let failed = seen.result(3);
    assert!(failed.is_error && failed.text.contains("record-of-the-test"), "{}", seen.explain());

    let child = seen.result_of("sub", 0);
    assert!(child.is_error && child.text.contains("rule no-clean"), "{}", seen.explain());
    let payloads = std::fs::read_to_string(sandbox.home().join("payloads")).unwrap();
    assert!(payloads.lines().any(|l| l.contains("by the child") && l.contains("\"agent_id\"")), "{payloads}");

    assert!(
        seen.printed("all done") && seen.events().iter().any(|e| e["type"] == "result"),
        "{}",
        seen.explain()
    );
    assert!(seen.requests.iter().any(|r| r.kind == RequestKind::Main && r.script.as_deref() == Some("sub")));
}

#[test]
fn what_the_agent_reads_reaches_the_model_unless_stopped() {
    let sandbox = Sandbox::new();
    let script = Script::of([Step::bash("cat .env"), Step::text("done")]);
    let run = sandbox.claude().with_settings(json!({"permissions": {"allow": ["Bash"]}})).playing(script);
    let Some(seen) = run.go().or_skip("a leak is seen") else { return };
    assert!(
        seen.model_saw(CANARY),
        "without a guard the secret leaks, and the kit sees it: {}",
        seen.explain()
    );
    assert!(!sandbox.home_files_with(CANARY.as_bytes()).is_empty(), "the transcript holds it too");
}

#[test]
fn managed_settings_are_shown_to_the_session_only() {
    let sandbox = Sandbox::new();
    let hook = sandbox.write_program("hook", HOOK);
    let hooks = json!([{"matcher": "*", "hooks": [{"type": "command", "command": hook, "timeout": 20}]}]);
    let managed = json!({"allowManagedHooksOnly": true, "hooks": {"PreToolUse": hooks}});
    let run = sandbox
        .claude()
        .with_managed_settings(&managed)
        .with_project_settings(json!({"disableAllHooks": true}))
        .with_settings(json!({"permissions": {"allow": ["Bash"]}}))
        .playing(Script::of([
            Step::bash("rm -rf build"),
            Step::bash("cat /etc/claude-code/managed-settings.json"),
        ]));
    let Some(seen) = run.go().or_skip("claude obeys managed settings") else { return };
    assert!(seen.result(0).text.contains("rule no-clean"), "{}", seen.explain());
    assert!(seen.result(1).text.contains("allowManagedHooksOnly"), "{}", seen.explain());
    assert!(sandbox.work().join("build/out.o").exists());
    let real = std::fs::read_to_string("/etc/claude-code/managed-settings.json").unwrap_or_default();
    assert!(!real.contains(&*sandbox.dir().to_string_lossy()), "the real /etc holds nothing of this test");
}

#[test]
fn a_session_that_hangs_is_ended_with_all_it_started() {
    let sandbox = Sandbox::new();
    let mark = format!("{}", 10_000_000 + std::process::id());
    let script = Script::of([Step::bash(&format!("tail -s {mark} -f /dev/null"))]);
    let run = sandbox.claude().with_settings(json!({"permissions": {"allow": ["Bash"]}})).playing(script);
    let Some(seen) = run.within(Duration::from_secs(8)).go().or_skip("a hanging session is ended") else {
        return;
    };
    assert!(seen.timed_out && seen.exit_code.is_none(), "{}", seen.explain());
    assert!(!seen.requests.is_empty(), "it had begun");
    if seen.offline {
        std::thread::sleep(Duration::from_millis(300));
        assert!(!command_lines().iter().any(|line| line.contains(&mark)), "the agent's command lives on");
    }
}

fn command_lines() -> Vec<String> {
    let processes = std::fs::read_dir(Path::new("/proc")).unwrap().flatten();
    processes
        .filter_map(|p| std::fs::read(p.path().join("cmdline")).ok())
        .map(|b| String::from_utf8_lossy(&b).into_owned())
        .collect()
}
