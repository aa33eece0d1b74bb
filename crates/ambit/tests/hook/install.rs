//! `ambit init`, `uninstall` and `doctor`.

use crate::world::{World, files_below, text};
use serde_json::json;

/// Settings that a person may have, with an odd layout that must come back as it was.
const MINE: &str = "{\n      \"model\": \"sonnet\",\n      \"permissions\": {\"deny\": [\"Bash(sudo *)\"],  \"allow\": []},\n      \"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"true\"}]}]}\n}\n\n";

#[test]
fn init_shows_its_change_and_writes_only_when_told() {
    let world = World::bare();
    let before = (world.sandbox.tree(), files_below(&world.sandbox.home()));
    let run = world.ambit(&["init", "--mode", "enforce"]);
    assert!(!run.status.success() && text(&run).contains("+++ "), "{}", text(&run));
    assert!(text(&run).contains("--yes"), "it says how to go on: {}", text(&run));
    assert_eq!((world.sandbox.tree(), files_below(&world.sandbox.home())), before, "nothing was written");

    let said = world.ambit_says(&["init", "--yes", "--mode", "enforce"]);
    assert!(said.contains("+++ ") && said.contains("PreToolUse") && said.contains("ambit doctor"), "{said}");
    assert_eq!(world.before("git status").verdict(), "allow");
}

#[test]
fn init_again_changes_nothing() {
    let world = World::new();
    let files = |world: &World| (world.sandbox.tree(), std::fs::read(world.settings_file()).unwrap());
    let first = files(&world);
    let said = world.ambit_says(&["init", "--yes", "--mode", "enforce"]);
    assert!(said.contains("nothing to change"), "{said}");
    assert_eq!(files(&world), first);
}

#[test]
fn uninstall_restores_byte_for_byte() {
    for mine in [Some(MINE), None] {
        let world = World::bare();
        if let Some(mine) = mine {
            world.sandbox.write_home(".claude/settings.json", mine);
        }
        let tree = world.sandbox.tree();
        world.ambit_says(&["init", "--yes", "--mode", "enforce"]);
        assert_eq!(world.settings()["hooks"]["PreToolUse"][0]["hooks"][0]["onFailure"], "block");
        // A second installation must not take the first one's work for the person's own.
        world.ambit_says(&["init", "--yes"]);
        world.ambit_says(&["uninstall", "--yes"]);
        let now = std::fs::read_to_string(world.settings_file()).ok();
        assert_eq!(now.as_deref(), mine);
        assert_eq!(world.sandbox.tree(), tree);
        let again = world.ambit_says(&["uninstall", "--yes"]);
        assert!(again.contains("nothing to change"), "{again}");
    }
}

#[test]
fn uninstall_keeps_what_the_person_changed_since() {
    let world = World::bare();
    world.sandbox.write_home(".claude/settings.json", MINE);
    world.ambit_says(&["init", "--yes", "--mode", "enforce"]);
    let mut settings = world.settings();
    settings["model"] = json!("opus");
    world.sandbox.write_home(".claude/settings.json", &settings.to_string());
    world.ambit_says(&["uninstall", "--yes"]);
    let mut wanted: serde_json::Value = serde_json::from_str(MINE).unwrap();
    wanted["model"] = json!("opus");
    assert_eq!(world.settings(), wanted);
}

#[test]
fn broken_settings_are_left_alone_and_named() {
    let world = World::bare();
    world.sandbox.write_home(".claude/settings.json", "{\n  \"model\": }\n");
    let run = world.ambit(&["init", "--yes", "--mode", "enforce"]);
    assert!(!run.status.success() && text(&run).contains("line 2"), "{}", text(&run));
    assert_eq!(std::fs::read_to_string(world.settings_file()).unwrap(), "{\n  \"model\": }\n");
}

/// A program `claude` that says a version, on the search path.
fn with_claude(world: &World, version: &str) -> std::path::PathBuf {
    let script = format!("#!/bin/sh\necho '{version} (Claude Code)'\n");
    world.sandbox.write_program("claude", &script).parent().unwrap().to_owned()
}

fn doctor(world: &World) -> (bool, String) {
    let bin = with_claude(world, "2.1.330");
    doctor_on(world, &bin)
}

fn doctor_on(world: &World, bin: &std::path::Path) -> (bool, String) {
    let mut command = world.sandbox.command(env!("CARGO_BIN_EXE_ambit"));
    // An empty directory of administrators: what this machine's own says is no part of the test.
    let admin = world.sandbox.dir().join("admin");
    std::fs::create_dir_all(&admin).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    let run = command.arg("doctor").env("PATH", path).env("AMBIT_ADMIN_DIR", admin).output().unwrap();
    (run.status.success(), text(&run))
}

#[test]
fn doctor_is_green_when_installed() {
    let world = World::new();
    let (well, said) = doctor(&world);
    assert!(well && said.contains("the guard is on") && !said.contains("PROBLEM"), "{said}");
    assert!(said.contains("denied the canary"), "{said}");
}

#[test]
fn doctor_finds_what_is_wrong() {
    type Damage = fn(&World);
    let cases: [(&str, &str, Damage); 8] = [
        ("the program is missing", "PROBLEM", |w| std::fs::remove_file(w.program()).unwrap()),
        ("the program answers nonsense", "PROBLEM", |w| w.replace_program("echo '{}'")),
        ("no hook", "PROBLEM", |w| std::fs::remove_file(w.settings_file()).unwrap()),
        ("hooks are switched off by the person", "disableAllHooks", |w| {
            let mut settings = w.settings();
            settings["disableAllHooks"] = json!(true);
            w.sandbox.write_home(".claude/settings.json", &settings.to_string());
        }),
        ("hooks are switched off by the repository", "disableAllHooks", |w| {
            w.sandbox.write(".claude/settings.json", "{\"disableAllHooks\": true}");
        }),
        ("broken settings", "PROBLEM", |w| {
            w.sandbox.write_home(".claude/settings.json", "{ broken");
        }),
        ("the state is no directory", "PROBLEM", |w| {
            std::fs::remove_dir_all(w.state()).unwrap();
            w.sandbox.write_home(".local/state/ambit", "in the way");
        }),
        ("the policy is broken", "ambit policy check", |w| {
            w.sandbox.write(".ambit/policies/own.cedar", "forbid (");
        }),
    ];
    for (name, wanted, damage) in cases {
        let world = World::new();
        damage(&world);
        let (well, said) = doctor(&world);
        assert!(!well && said.contains("PROBLEM") && said.contains(wanted), "{name}: {said}");
    }
}

#[test]
fn doctor_finds_an_agent_that_fails_open() {
    let world = World::new();
    let bin = with_claude(&world, "2.1.200");
    let (well, said) = doctor_on(&world, &bin);
    assert!(!well && said.contains("2.1.200") && said.contains("2.1.295"), "{said}");
}

#[test]
fn doctor_sees_that_nothing_is_installed() {
    let (well, said) = doctor(&World::bare());
    assert!(!well && said.contains("ambit init"), "{said}");
}

#[test]
fn managed_files_are_written_where_told_and_nowhere_else() {
    let world = World::bare();
    let dir = world.sandbox.dir().join("admin-files");
    std::fs::create_dir_all(&dir).unwrap();
    let home = files_below(&world.sandbox.home());
    world.ambit_says(&["init", "--yes", "--managed", dir.to_str().unwrap()]);
    let file = dir.join("claude-code/managed-settings.json");
    let managed: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(managed["allowManagedHooksOnly"], true);
    assert_eq!(managed["hooks"]["PreToolUse"][0]["hooks"][0]["onFailure"], "block");
    let command = managed["hooks"]["PreToolUse"][0]["hooks"][0]["command"].as_str().unwrap();
    assert!(command.contains("'--admin'") && !command.contains("'--home'"), "{command}");
    assert_eq!(files_below(&world.sandbox.home()), home);
    let again = world.ambit_says(&["init", "--yes", "--managed", dir.to_str().unwrap()]);
    assert!(again.contains("nothing to change"), "{again}");
}
