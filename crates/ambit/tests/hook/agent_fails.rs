//! A failing guard, with the real Claude Code: the call does not run, and the reason is told.

use crate::world::World;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{OrSkip, Outcome, Script, Step};

/// Runs one call that would be allowed, with settings that would let it run without a guard too, after `damage`.
fn with(test: &str, damage: impl FnOnce(&World)) -> Option<(World, Outcome)> {
    let world = World::new();
    let mut settings = world.settings();
    settings["permissions"]["allow"] = json!(["Bash"]);
    world.sandbox.write_home(".claude/settings.json", &settings.to_string());
    damage(&world);
    let script = Script::of([Step::bash("touch ran"), Step::text("done")]);
    let seen = world.sandbox.claude().within(Duration::from_secs(60)).playing(script).go().or_skip(test)?;
    assert!(!seen.timed_out, "{}", seen.explain());
    Some((world, seen))
}

#[track_caller]
fn did_not_run(world: &World, seen: &Outcome, why: &str) {
    assert!(!world.sandbox.work().join("ran").exists(), "{}", seen.explain());
    let result = seen.result(0);
    assert!(result.is_error && result.text.contains(why), "`{why}` is not told: {}", seen.explain());
}

#[test]
fn without_damage_it_runs() {
    let Some((world, seen)) = with("the call runs when all is well", |_| ()) else { return };
    assert!(world.sandbox.work().join("ran").exists(), "{}", seen.explain());
}

#[test]
fn the_program_is_missing() {
    let damage = |w: &World| std::fs::remove_file(w.program()).unwrap();
    let Some((world, seen)) = with("a missing program", damage) else { return };
    did_not_run(&world, &seen, "ambit doctor");
}

#[test]
fn the_program_crashes() {
    let Some((world, seen)) = with("a crash", |w| w.replace_program("kill -SEGV $$")) else { return };
    did_not_run(&world, &seen, "ambit doctor");
}

#[test]
fn the_program_answers_garbage() {
    let garbage =
        r#"echo '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow"'"#;
    let Some((world, seen)) = with("a truncated answer", |w| w.replace_program(garbage)) else { return };
    did_not_run(&world, &seen, "ambit doctor");
}

#[test]
fn the_program_hangs() {
    let damage = |w: &World| {
        w.replace_program("exec sleep 300");
        let mut settings = w.settings();
        // The agent's patience, cut from a minute to seconds.
        for event in settings["hooks"].as_object_mut().unwrap().values_mut() {
            event[0]["hooks"][0]["timeout"] = json!(3);
        }
        w.sandbox.write_home(".claude/settings.json", &settings.to_string());
    };
    let Some((world, seen)) = with("a hanging program", damage) else { return };
    did_not_run(&world, &seen, "");
    assert!(seen.wall < Duration::from_secs(50), "{}", seen.explain());
}

#[test]
fn the_shell_around_it_is_gone_too() {
    // Only the agent's own `onFailure` stands here: the installed command line itself is killed.
    let damage = |w: &World| {
        let mut settings = w.settings();
        let hook = &mut settings["hooks"]["PreToolUse"][0]["hooks"][0];
        assert_eq!(hook["onFailure"], Value::from("block"));
        hook["command"] = json!("kill -KILL $$");
        w.sandbox.write_home(".claude/settings.json", &settings.to_string());
    };
    let Some((world, seen)) = with("a killed command line", damage) else { return };
    did_not_run(&world, &seen, "");
}

#[test]
fn the_state_may_not_be_kept() {
    let damage = |w: &World| {
        std::fs::remove_dir_all(w.state()).unwrap();
        w.sandbox.write_home(".local/state/ambit", "a file in the way of the directory");
    };
    let Some((world, seen)) = with("no room for the record", damage) else { return };
    did_not_run(&world, &seen, "Ambit denied this");
}

#[test]
fn no_policy_was_ever_good() {
    let damage = |w: &World| {
        std::fs::remove_dir_all(w.state().join("policy")).ok();
        w.sandbox.write(".ambit/policies/own.cedar", "forbid (");
    };
    let Some((world, seen)) = with("a broken policy", damage) else { return };
    did_not_run(&world, &seen, "own.cedar");
}
