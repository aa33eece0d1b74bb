//! A call that must be contained is rewritten, keeps what the agent relies on, and cannot be forged.

use crate::world::{SESSION, World, text};
use serde_json::{Value, json};
use std::process::Output;
use std::time::{Duration, Instant};
use testkit::{HookPayload, OrSkip, Script, Step};

const LIMIT: Duration = Duration::from_secs(120);

/// A world on a machine with a sandbox; without one the test says so and passes over.
fn world(test: &str) -> Option<World> {
    if contain::probe().tier.is_none() {
        testkit::skipped(test, "this machine reaches no tier of the sandbox");
        return None;
    }
    Some(World::new())
}

/// What the hook makes of a command.
fn rewritten(world: &World, id: &str, command: &str) -> String {
    let judged = world.send(&world.bash(command).as_call(id));
    assert_eq!(judged.verdict(), "allow", "{command}: {judged:?}");
    let input = &judged.json()["hookSpecificOutput"]["updatedInput"];
    input["command"].as_str().unwrap_or_else(|| panic!("not rewritten: {judged:?}")).to_owned()
}

/// Runs a command as the agent's shell does.
fn shell(world: &World, command: &str) -> Output {
    world.sandbox.command("/bin/bash").args(["-c", command]).output().unwrap()
}

fn decision(world: &World) -> Value {
    world.records("decision").pop().unwrap()
}

#[test]
fn output_and_exit_status_are_the_commands_own() {
    let Some(world) = world("a contained command") else { return };
    let command = "python3 -c 'import sys; print(\"out\"); print(\"err\", file=sys.stderr); sys.exit(3)'";
    let text = rewritten(&world, "c1", command);
    let program = world.program();
    assert!(text.starts_with(&format!("'{}' run --call ", program.display())), "{text}");
    assert!(text.contains("-- ") && !text.contains(" && cd"), "short and legible: {text}");
    assert_eq!(decision(&world)["what"]["verdict"], "contain");
    let run = shell(&world, &text);
    assert_eq!(run.status.code(), Some(3), "{run:?}");
    assert_eq!((run.stdout.as_slice(), run.stderr.as_slice()), (b"out\n".as_slice(), b"err\n".as_slice()));
    // What is in force is the command as the agent gave it.
    assert!(world.records("decision")[0].to_string().contains("sys.exit(3)"));
    let start = world.records("contain.start").pop().unwrap();
    assert_eq!((&start["call"], &start["session"]), (&json!("c1"), &json!(SESSION)), "{start}");
    world.verify();
}

#[test]
fn the_shell_follows_into_the_directory() {
    let Some(world) = world("a contained cd") else { return };
    let text = rewritten(&world, "c1", "cd src && python3 -c 'print(1)'");
    let run = shell(&world, &format!("{text} && pwd -P"));
    let src = world.sandbox.work().canonicalize().unwrap().join("src");
    assert_eq!(String::from_utf8_lossy(&run.stdout), format!("1\n{}\n", src.display()), "{run:?}");
    let text = rewritten(&world, "c2", "cd src && python3 -c 'raise SystemExit(4)'");
    let run = shell(&world, &format!("{text} ; echo $? $PWD"));
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(said.starts_with("4 ") && !said.trim_end().ends_with("src"), "a failure stays one: {said}");
}

#[test]
fn a_write_outside_does_not_land_and_the_agent_is_told() {
    let Some(world) = world("a contained write outside") else { return };
    // Beside the project nothing is there but the command's own private files.
    let outside = world.sandbox.dir().join("outside.txt");
    let command = format!("python3 -c 'open(\"{}\", \"w\").write(\"x\")'", outside.display());
    let text = rewritten(&world, "c0", &command);
    shell(&world, &text);
    assert!(!outside.exists());
    let outside = std::path::Path::new("/usr/ambit-outside.txt");
    let command = format!("python3 -c 'open(\"{}\", \"w\").write(\"x\")'", outside.display());
    let text = rewritten(&world, "c1", &command);
    let run = shell(&world, &text);
    assert!(!run.status.success() && !outside.exists(), "{run:?}");
    let error = format!("Exit code 1\n{}", crate::world::text(&run));
    let after = HookPayload::after_failed_bash(&text, &error).in_dir(world.sandbox.work());
    let told = world.send(&after.of_session(SESSION).as_call("c1")).json();
    let context = told["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default();
    assert!(context.contains("sandbox") && context.contains("tell the person"), "{told}");
    // A write inside lands, and then nothing is told.
    let text = rewritten(&world, "c2", "python3 -c 'open(\"inside.txt\", \"w\").write(\"x\")'");
    assert!(shell(&world, &text).status.success());
    assert!(world.sandbox.work().join("inside.txt").exists());
    let after = HookPayload::after_bash(&text, "").in_dir(world.sandbox.work());
    let told = world.send(&after.of_session(SESSION).as_call("c2")).json();
    assert!(told["hookSpecificOutput"].is_null(), "{told}");
}

#[test]
fn no_ticket_can_be_forged_changed_or_used_twice() {
    let Some(world) = world("a forged ticket") else { return };
    let run = |args: &[&str]| world.ambit(&[&["run", "--call"], args].concat());
    let forged = run(&["beefbeefbeef", "--", "touch forged"]);
    assert!(!forged.status.success() && text(&forged).contains("only the hook"), "{}", text(&forged));
    let given = rewritten(&world, "c1", "python3 -c 'print(1)'");
    let ticket = given.split("--call ").nth(1).unwrap().split(' ').next().unwrap();
    let changed = run(&[ticket, "--", "touch forged"]);
    assert!(!changed.status.success() && text(&changed).contains("another command"), "{}", text(&changed));
    let widened = run(&[ticket, "--allow-host", "example.com", "--", "python3 -c 'print(1)'"]);
    assert!(!widened.status.success(), "{}", text(&widened));
    assert!(shell(&world, &given).status.success());
    assert!(!shell(&world, &given).status.success(), "it is used up");
    assert!(!world.sandbox.work().join("forged").exists());
    // And an agent's own attempt does not come so far.
    for own in
        ["run -- touch own", "run --profile agent -- touch own", &format!("run --call {ticket} -- true")]
    {
        let judged = world.before(&format!("{} {own}", world.program().display()));
        assert_eq!(judged.verdict(), "deny", "{own}: {judged:?}");
    }
}

#[test]
fn losing_work_contained_is_kept_first() {
    let Some(world) = world("contained with a snapshot") else { return };
    let notes = world.sandbox.write("notes.txt", "not in git\n");
    let text = rewritten(&world, "c1", "rm notes.txt && python3 -c 'print(1)'");
    assert!(decision(&world)["what"]["undo"].is_string(), "{}", decision(&world));
    assert!(shell(&world, &text).status.success() && !notes.exists());
    world.send(
        &HookPayload::after_bash(&text, "1").in_dir(world.sandbox.work()).of_session(SESSION).as_call("c1"),
    );
    world.ambit_says(&["undo"]);
    assert!(notes.exists());
}

#[test]
fn the_real_agent_works_contained() {
    let Some(world) = world("the real agent, contained") else { return };
    let background = "python3 -c 'open(\"later.txt\", \"w\").write(\"done\")'";
    let script = Script::of([
        Step::bash("python3 -c 'print(6 * 7)'"),
        Step::bash("python3 -c 'raise SystemExit(3)'"),
        Step::bash("cd src && python3 -c 'print(1)'"),
        Step::bash("pwd"),
        Step::bash("python3 -c 'open(\"/usr/outside.txt\", \"w\")'"),
        Step::call("Bash", json!({"command": background, "run_in_background": true, "description": "later"})),
        Step::text("done"),
    ]);
    let run = world.sandbox.claude().within(LIMIT).playing(script).go();
    let Some(seen) = run.or_skip("the real agent, contained") else { return };
    assert!(!seen.result(0).is_error && seen.result(0).text.contains("42"), "{}", seen.explain());
    assert!(seen.result(1).is_error && seen.result(1).text.contains('3'), "{}", seen.explain());
    assert!(seen.result(3).text.trim_end().ends_with("/src"), "the directory moved: {}", seen.explain());
    assert!(seen.result(4).is_error, "{}", seen.explain());
    assert!(seen.model_saw("Ambit ran this command in its sandbox"), "{}", seen.explain());
    assert!(!seen.result(5).is_error, "{}", seen.explain());
    let later = world.sandbox.work().join("src/later.txt");
    let begin = Instant::now();
    while !later.exists() && begin.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(later.exists() || world.records("contain.start").len() >= 5, "{}", seen.explain());
    assert!(world.records("decision").iter().filter(|d| d["what"]["verdict"] == "contain").count() >= 5);
    world.verify();
}
