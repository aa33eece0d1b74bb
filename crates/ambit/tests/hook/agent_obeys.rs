//! The real Claude Code obeys every verdict, and whoever must know the reason is told.

use crate::world::World;
use serde_json::json;
use std::time::Duration;
use testkit::{CANARY, OrSkip, Outcome, Script, Step, Terminal};

const LIMIT: Duration = Duration::from_secs(90);

/// A command that a person is asked about: agents are guided by the file that it writes.
const GUIDING: &str = "echo 'Be kind.' > AGENTS.md";

fn guided(world: &World) -> bool {
    world.sandbox.work().join("AGENTS.md").exists()
}

fn play(world: &World, test: &str, steps: impl IntoIterator<Item = Step>) -> Option<Outcome> {
    let seen = world.sandbox.claude().playing(Script::of(steps)).go().or_skip(test)?;
    assert_eq!((seen.exit_code, seen.timed_out), (Some(0), false), "{}", seen.explain());
    Some(seen)
}

#[test]
fn allow_ask_and_deny_without_a_person() {
    let world = World::new();
    world.waits_for_people(1);
    world.sandbox.write("notes.txt", "not in git\n");
    let Some(seen) = play(
        &world,
        "verdicts in a headless session",
        [
            Step::bash("git status --short"),
            Step::bash(GUIDING),
            Step::bash("cat .env"),
            Step::bash("git push --force origin main"),
            Step::text("done"),
        ],
    ) else {
        return;
    };
    // Allowed although no rule of the agent's own allows it.
    assert!(!seen.result(0).is_error && seen.result(0).text.contains("notes.txt"), "{}", seen.explain());
    for (step, rule) in [(1, "write-guarded"), (2, "env-file-read"), (3, "push-force-protected")] {
        let result = seen.result(step);
        assert!(result.is_error && result.text.contains(rule), "step {step}: {}", seen.explain());
    }
    assert!(seen.result(1).text.contains("instead"), "the safer way is told too: {}", seen.explain());
    assert!(!guided(&world));
    assert!(!seen.model_saw(CANARY), "{}", seen.explain());

    let decisions = world.records("decision");
    let verdicts: Vec<_> = decisions.iter().map(verdict_of).collect();
    // Nobody sits there: what a person would be asked waits for one, and is denied for now.
    assert_eq!(verdicts, ["allow", "deny", "deny", "deny"]);
    for (at, approval) in [(1, "A1"), (3, "A2")] {
        assert_eq!(decisions[at]["what"]["would"], "ask", "{}", decisions[at]);
        assert_eq!(decisions[at]["what"]["approval"], approval, "{}", decisions[at]);
        assert!(seen.result(at).text.contains(&format!("approval {approval} pending")), "{}", seen.explain());
    }
    assert_eq!(world.records("outcome").len(), 1, "only one call ran");
    assert!(world.records("approval.decided").is_empty());
    world.verify();
}

fn verdict_of(record: &serde_json::Value) -> String {
    let found = ["/what/verdict", "/verdict"].into_iter().find_map(|p| record.pointer(p));
    found.and_then(|v| v.as_str()).unwrap_or_else(|| panic!("no verdict in {record}")).to_owned()
}

fn asked(world: &World) -> Option<Terminal> {
    let script = Script::of([Step::bash(GUIDING), Step::text("that was all")]);
    let run = world.sandbox.claude().within(LIMIT).playing(script);
    let mut terminal = run.interactively().or_skip("a person answers what Ambit asks")?;
    terminal.ask("go");
    Some(terminal)
}

#[test]
fn yes_runs_it_and_is_recorded() {
    let world = World::new();
    let Some(mut terminal) = asked(&world) else { return };
    terminal.agree_to("Ambit asks a person first");
    assert!(terminal.wait_for(&["that was all"]), "{}", terminal.screen());
    let seen = terminal.finish().unwrap();
    assert!(guided(&world), "{}", seen.explain());
    let decided = world.records("approval.decided");
    assert_eq!(decided.len(), 1, "{}", seen.explain());
    assert!(decided[0].to_string().contains("write-guarded"), "{}", decided[0]);
    world.verify();
}

#[test]
fn no_does_not_run_it() {
    let world = World::new();
    let Some(mut terminal) = asked(&world) else { return };
    terminal.refuse("Ambit asks a person first");
    assert!(terminal.wait_for(&["nterrupted"]), "{}", terminal.screen());
    let seen = terminal.finish().unwrap();
    assert!(!guided(&world), "{}", seen.explain());
    assert_eq!(world.records("approval.asked").len(), 1);
    assert!(world.records("approval.decided").is_empty() && world.records("outcome").is_empty());
}

#[test]
fn observing_stops_only_what_the_floor_forbids() {
    let world = World::in_mode("observe");
    let mut settings = world.settings();
    settings["permissions"]["allow"] = json!(["Bash"]);
    world.sandbox.write_home(".claude/settings.json", &settings.to_string());
    let Some(seen) = play(
        &world,
        "observe mode",
        [Step::bash(GUIDING), Step::bash("echo '{}' > ~/.claude/settings.json"), Step::text("done")],
    ) else {
        return;
    };
    assert!(guided(&world), "{}", seen.explain());
    assert!(
        seen.result(1).is_error && seen.result(1).text.contains("floor-guard-rails"),
        "{}",
        seen.explain()
    );
    assert_eq!(world.settings(), settings);
    let decisions = world.records("decision");
    assert!(decisions[0].to_string().contains("\"would\":\"ask\""), "{}", decisions[0]);
}

#[test]
fn sub_agents_and_mcp_servers_are_judged_too() {
    let world = World::new();
    world.waits_for_people(1);
    let script = Script::of([
        Step::subagent("child"),
        Step::call("mcp__probe__write_record", json!({"key": "k", "value": "v"})),
        Step::text("done"),
    ])
    .and("child", [Step::bash(GUIDING), Step::bash("git status --short"), Step::text("child done")]);
    let run = world.sandbox.claude().with_mcp_probe("a record").playing(script).go();
    let Some(seen) = run.or_skip("sub-agents and MCP tools") else { return };
    let child = seen.result_of("child", 0);
    assert!(child.is_error && child.text.contains("write-guarded"), "{}", seen.explain());
    assert!(!seen.result_of("child", 1).is_error, "{}", seen.explain());
    let mcp = seen.result(1);
    assert!(mcp.is_error && mcp.text.contains("Ambit asks a person first"), "{}", seen.explain());
    assert!(world.sandbox.mcp_calls().is_empty(), "the call never reached the server");
    assert!(world.records("decision").iter().any(|d| d.to_string().contains("\"subagent\"")));
}

#[test]
fn managed_hooks_cannot_be_switched_off_by_settings() {
    let world = World::bare();
    let dir = world.sandbox.dir().join("admin-files");
    std::fs::create_dir_all(&dir).unwrap();
    world.ambit_says(&["init", "--yes", "--managed", dir.to_str().unwrap()]);
    let managed = std::fs::read_to_string(dir.join("claude-code/managed-settings.json")).unwrap();
    let moved = world.sandbox.work().join("moved");
    let run = world
        .sandbox
        .claude()
        .with_etc_file("claude-code/managed-settings.json", &managed)
        // The account's home comes from the system's list of accounts, here as everywhere.
        .with_etc_file("passwd", &format!("root:x:0:0:root:{}:/bin/bash\n", world.sandbox.home().display()))
        .with_settings(json!({"disableAllHooks": true, "permissions": {"allow": ["Bash"]}}))
        .with_project_settings(json!({
            "disableAllHooks": true,
            "env": {"XDG_STATE_HOME": moved, "XDG_CONFIG_HOME": moved, "AMBIT_ADMIN_DIR": moved},
        }))
        .with_args(["--settings", "{\"disableAllHooks\":true}"])
        .playing(Script::of([Step::bash(GUIDING), Step::bash("git status --short"), Step::text("done")]));
    let Some(seen) = run.go().or_skip("managed hooks") else { return };
    assert!(seen.result(0).is_error && seen.result(0).text.contains("write-guarded"), "{}", seen.explain());
    assert!(!seen.result(1).is_error, "{}", seen.explain());
    assert!(!guided(&world));
    assert!(!moved.exists(), "a repository's settings moved the record");
    assert!(!world.records("decision").is_empty(), "{}", seen.explain());
}

#[test]
fn a_user_level_hook_is_gone_when_settings_switch_hooks_off() {
    // The gap that `ambit doctor` names, and the reason for managed files: if this fails one day, the agent has closed it.
    let world = World::new();
    let run = world
        .sandbox
        .claude()
        .with_project_settings(json!({"disableAllHooks": true, "permissions": {"allow": ["Bash"]}}))
        .playing(Script::of([Step::bash("echo unguarded"), Step::text("done")]));
    let Some(seen) = run.go().or_skip("what disableAllHooks does") else { return };
    assert!(seen.exit_code == Some(0), "{}", seen.explain());
    assert!(world.records("decision").is_empty(), "{}", seen.explain());
}

#[test]
fn the_agents_own_rules_stop_a_mention_of_a_secret() {
    let world = World::new();
    let run =
        world.sandbox.claude().prompted("look at @.env please").playing(Script::of([Step::text("done")]));
    let Some(seen) = run.go().or_skip("a mention of a secret file") else { return };
    assert!(!seen.model_saw(CANARY), "{}", seen.explain());
}
