//! The kit works: a person at the real Claude Code says yes, or no, to what a hook asks.

use serde_json::json;
use std::time::Duration;
use testkit::{OrSkip, Outcome, Sandbox, Script, Step};

/// A session takes a few seconds; a busy machine may need many more.
const LIMIT: Duration = Duration::from_secs(60);
/// A hook that asks about `rm -rf build`.
const HOOK: &str = r#"#!/bin/sh
case $(cat) in *'rm -rf build'*)
    echo '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"ask","permissionDecisionReason":"rule no-clean asks for a person"}}'
esac
"#;

fn a_person_is_asked(sandbox: &Sandbox, agrees: bool) -> Option<Outcome> {
    let hook = sandbox.write_program("hook", HOOK).display().to_string();
    let script = Script::of([Step::bash("rm -rf build"), Step::text("that was all")]);
    let run = sandbox.claude().with_hook("PreToolUse", "*", &hook).within(LIMIT).playing(script);
    let mut terminal = run.interactively().or_skip("a person answers a dialog of claude")?;
    terminal.ask("go");
    if agrees {
        terminal.agree_to("rule no-clean asks for a person");
        assert!(terminal.wait_for(&["that was all"]), "{}", terminal.screen());
    } else {
        terminal.refuse("rule no-clean asks for a person");
        assert!(terminal.wait_for(&["nterrupted"]), "{}", terminal.screen());
    }
    Some(terminal.finish().unwrap())
}

#[test]
fn yes_lets_the_command_run() {
    let sandbox = Sandbox::new();
    let Some(seen) = a_person_is_asked(&sandbox, true) else { return };
    assert!(!sandbox.work().join("build").exists(), "{}", seen.explain());
    assert!(!seen.result(0).is_error, "{}", seen.explain());
}

#[test]
fn no_keeps_the_tree_as_it_is() {
    let sandbox = Sandbox::new();
    let before = sandbox.tree();
    let Some(seen) = a_person_is_asked(&sandbox, false) else { return };
    assert_eq!(sandbox.tree(), before, "{}", seen.explain());
}

#[test]
fn managed_hooks_hold_in_a_terminal_too() {
    let sandbox = Sandbox::new();
    let hook = sandbox.write_program("hook", HOOK);
    let hooks = json!([{"matcher": "*", "hooks": [{"type": "command", "command": hook, "timeout": 20}]}]);
    let run = sandbox.claude().with_managed_settings(&json!({"hooks": {"PreToolUse": hooks}})).within(LIMIT);
    let run = run.playing(Script::of([Step::bash("rm -rf build"), Step::text("that was all")]));
    let Some(mut terminal) = run.interactively().or_skip("managed hooks in a terminal") else { return };
    terminal.ask("go");
    terminal.refuse("rule no-clean asks for a person");
    assert!(terminal.wait_for(&["nterrupted"]), "{}", terminal.screen());
    assert!(sandbox.work().join("build/out.o").exists());
}
