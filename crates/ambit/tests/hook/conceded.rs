//! What a call would lose is kept before the answer, and given back by `ambit undo`.

use crate::world::{World, text};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use testkit::{HookPayload, OrSkip, Script, Step};

const LIMIT: Duration = Duration::from_secs(90);

/// Runs what the hook lets through, as the agent would, and reports its end.
fn run(world: &World, id: &str, command: &str) -> Value {
    let judged = world.send(&world.bash(command).as_call(id));
    assert_eq!(judged.verdict(), "allow", "{command}: {judged:?}");
    let output = world.sandbox.command("/bin/bash").args(["-c", command]).output().unwrap();
    let after = HookPayload::after_bash(command, &text(&output)).in_dir(world.sandbox.work());
    world.send(&after.of_session(crate::world::SESSION).as_call(id));
    judged.json()
}

fn decision(world: &World) -> Value {
    world.records("decision").pop().unwrap()
}

#[test]
fn a_deleted_file_is_kept_and_given_back() {
    let world = World::new();
    world.sandbox.write("notes.txt", "not in git\n");
    let answer = run(&world, "c1", "rm notes.txt");
    let reason = answer["hookSpecificOutput"]["permissionDecisionReason"].as_str().unwrap();
    let id = decision(&world)["what"]["undo"].as_str().unwrap().to_owned();
    assert!(reason.contains(&format!("ambit undo {id}")), "{reason}");
    assert!(!world.sandbox.work().join("notes.txt").exists());
    let listed = world.ambit_says(&["undo", "--list"]);
    assert!(listed.contains(&id) && listed.contains("rm notes.txt"), "{listed}");
    let look = world.ambit_says(&["undo", "--dry-run"]);
    assert!(look.contains("would be undone") && !world.sandbox.work().join("notes.txt").exists(), "{look}");
    let said = world.ambit_says(&["undo"]);
    assert!(said.contains("given back") && said.contains("notes.txt"), "{said}");
    assert_eq!(std::fs::read_to_string(world.sandbox.work().join("notes.txt")).unwrap(), "not in git\n");
    assert_eq!(world.records("undo").len(), 1);
    // Nothing is left to give back, and that is said.
    let again = world.ambit(&["undo"]);
    assert!(!again.status.success() && text(&again).contains("not given back already"), "{}", text(&again));
    world.verify();
}

#[test]
fn newer_work_is_not_overwritten_without_a_word() {
    let world = World::new();
    let notes = world.sandbox.write("notes.txt", "old\n");
    run(&world, "c1", "rm notes.txt");
    std::fs::write(&notes, "newer\n").unwrap();
    let undo = world.ambit(&["undo"]);
    assert_eq!(undo.status.code(), Some(1));
    assert!(text(&undo).contains("changed since") && text(&undo).contains("--force"), "{}", text(&undo));
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "newer\n");
    let said = world.ambit_says(&["undo", "--force"]);
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "old\n");
    let aside = said.split("ambit undo ").nth(1).unwrap().split('`').next().unwrap();
    world.ambit_says(&["undo", aside]);
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "newer\n");
}

#[test]
fn what_git_loses_is_kept_and_given_back() {
    let world = World::new();
    world.sandbox.git(["checkout", "-q", "-b", "side"]);
    world.sandbox.write("src/app.py", "my work\n");
    world.sandbox.write("new.txt", "not in git\n");
    let status = world.sandbox.git(["status", "--short"]);
    run(&world, "c1", "git reset --hard");
    run(&world, "c2", "git clean -fd");
    assert_eq!(world.sandbox.git(["status", "--short"]), "");
    let said = world.ambit_says(&["undo", "--session"]);
    assert!(said.contains("git clean -fd") && said.contains("git reset --hard"), "{said}");
    assert_eq!(world.sandbox.git(["status", "--short"]), status);
    assert_eq!(std::fs::read_to_string(world.sandbox.work().join("src/app.py")).unwrap(), "my work\n");
}

#[test]
fn what_cannot_be_kept_is_not_conceded() {
    let world = World::new();
    let big = world.sandbox.write("big.bin", "");
    // Larger than a snapshot may be, and with a second name, so that no link can keep it.
    std::fs::File::options().write(true).open(&big).unwrap().set_len(1 << 30).unwrap();
    let data = vec![1u8; 1 << 20];
    for at in 0..300u64 {
        use std::os::unix::fs::FileExt;
        std::fs::File::options().write(true).open(&big).unwrap().write_all_at(&data, at << 20).unwrap();
    }
    std::fs::hard_link(&big, world.sandbox.work().join("again.bin")).unwrap();
    let judged = world.before("rm big.bin");
    assert_eq!(judged.verdict(), "ask", "{judged:?}");
    assert!(judged.why().contains("256 MiB"), "{judged:?}");
    let undo = world.state().join("undo");
    assert_eq!(std::fs::read_dir(&undo).unwrap().count(), 0, "nothing half-done stays");
    // Nor is anything where the store cannot be written.
    world.sandbox.write("notes.txt", "not in git\n");
    std::fs::remove_dir_all(&undo).unwrap();
    std::fs::write(&undo, "in the way").unwrap();
    let judged = world.before("rm notes.txt");
    assert_eq!(judged.verdict(), "ask", "{judged:?}");
    assert!(
        decision(&world)["sealed"]["not_kept"].is_string() || judged.why().contains("note:"),
        "{judged:?}"
    );
    world.verify();
}

#[test]
fn what_is_kept_is_for_its_owner_only_and_not_for_an_agent() {
    let world = World::new();
    world.sandbox.write("notes.txt", "private\n");
    run(&world, "c1", "rm notes.txt");
    let undo = world.state().join("undo");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&undo), 0);
    let entry = std::fs::read_dir(&undo).unwrap().next().unwrap().unwrap().path();
    assert_eq!(mode(&entry), 0);
    let by_agent =
        world.sandbox.command(world.program()).args(["undo"]).env("CLAUDECODE", "1").output().unwrap();
    assert!(!by_agent.status.success() && text(&by_agent).contains("for the person"), "{}", text(&by_agent));
    assert!(!world.sandbox.work().join("notes.txt").exists());
    // And neither is it run or read by one.
    assert_ne!(world.before("ambit undo").verdict(), "allow");
    assert_eq!(world.before(&format!("rm -rf {}", undo.display())).verdict(), "deny");
}

#[test]
fn the_real_agent_deletes_and_the_person_undoes() {
    let world = World::new();
    world.sandbox.write("notes.txt", "not in git\n");
    let script =
        Script::of([Step::bash("rm notes.txt"), Step::bash("git status --short"), Step::text("done")]);
    let run = world.sandbox.claude().within(LIMIT).playing(script).go();
    let Some(seen) = run.or_skip("a snapshot before a deletion") else { return };
    assert!(
        !seen.result(0).is_error && !world.sandbox.work().join("notes.txt").exists(),
        "{}",
        seen.explain()
    );
    let said = world.ambit_says(&["undo"]);
    assert!(said.contains("given back"), "{said}");
    assert_eq!(std::fs::read_to_string(world.sandbox.work().join("notes.txt")).unwrap(), "not in git\n");
    let told: Vec<_> = world.records("decision").iter().map(|d| d["what"]["verdict"].clone()).collect();
    assert_eq!(told, [json!("allow"), json!("allow")]);
    world.verify();
}
