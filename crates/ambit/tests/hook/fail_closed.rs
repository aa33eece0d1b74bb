//! Whatever goes wrong with the guard, the call does not run, and the person learns why. Each row of the table in
//! `docs/agents/claude-code.md` through the installed hook's command line, run as the agent runs it.

use crate::world::{Judged, SESSION, World, files_below, text};
use serde_json::json;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::HookPayload;

/// A command that is allowed when all is well: if even this is stopped, everything is.
const HARMLESS: &str = "git status";
/// The bound for one answer, by far inside the agent's own patience of 60 s. The programs of the tests are not optimised.
const SOON: Duration = Duration::from_secs(15);

#[track_caller]
fn stopped(judged: &Judged, why: &str) {
    assert!(judged.stopped(), "{judged:?}");
    assert!(judged.why().contains(why), "`{why}` is not said: {judged:?}");
}

#[test]
fn all_is_well() {
    let world = World::new();
    assert_eq!(world.before(HARMLESS).verdict(), "allow");
    assert_eq!(world.before("rm -rf /").verdict(), "deny");
    world.verify();
}

#[test]
fn the_program_is_missing() {
    let world = World::new();
    std::fs::remove_file(world.program()).unwrap();
    stopped(&world.before(HARMLESS), "ambit doctor");
}

#[test]
fn the_program_may_not_be_executed() {
    let world = World::new();
    std::fs::remove_file(world.program()).unwrap();
    world.sandbox.write_home(".local/bin/ambit", "not a program");
    stopped(&world.before(HARMLESS), "ambit doctor");
}

#[test]
fn the_program_crashes_or_fails() {
    let world = World::new();
    for script in
        ["kill -SEGV $$", "kill -KILL $$", "kill -TERM $$", "exit 1", "exit 3", "exit 127", "exit 255"]
    {
        world.replace_program(script);
        stopped(&world.before(HARMLESS), "the guard gave no answer");
    }
}

#[test]
fn the_program_answers_something_else_than_a_whole_answer() {
    let world = World::new();
    let whole = r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow"}}"#;
    let scripts = [
        "true".to_owned(),
        "echo hello".to_owned(),
        "echo null".to_owned(),
        "echo '[]'".to_owned(),
        format!("echo '{whole}' | head -c 40"),
        format!("echo 'a line of a log'; echo '{whole}'"),
        // Whole, but not what this guard writes.
        format!("echo '{whole}'"),
        // The right answer, and then a failure.
        "$REAL \"$@\"; exit 1".to_owned(),
        "$REAL \"$@\" | head -c 60".to_owned(),
        "$REAL \"$@\"; kill -KILL $$".to_owned(),
    ];
    for script in scripts {
        world.replace_program(&script);
        stopped(&world.before(HARMLESS), "the guard gave no answer");
    }
    world.replace_program("exec $REAL \"$@\"");
    assert_eq!(world.before(HARMLESS).verdict(), "allow", "the wrapper itself changes nothing");
}

#[test]
fn the_program_is_killed_at_any_point() {
    let world = World::new();
    let mut ended = 0;
    for tenths in 0..60 {
        world.replace_program(&format!(
            "exec 3<&0; $REAL \"$@\" <&3 & sleep 0.00{tenths:02}; kill -KILL $! 2>/dev/null; wait $!"
        ));
        let judged = world.before("git push --force origin main");
        assert!(judged.stopped(), "after {tenths}: {judged:?}");
        ended += u32::from(judged.verdict() == "blocked");
    }
    assert!(ended > 0, "none of the kills came in time");
    world.put_program_back();
    assert_eq!(
        world.before(HARMLESS).verdict(),
        "allow",
        "what was left behind does not hinder the next call"
    );
    world.verify();
}

/// Holds the lock on a file in another process until it is dropped.
struct Held(std::process::Child);

impl Held {
    fn new(path: &std::path::Path) -> Self {
        let mut flock = Command::new("flock");
        // `--no-fork`: the lock is this very process's, and goes with it.
        flock.arg("--no-fork").arg(path).args(["sh", "-c", "echo held; exec sleep 100"]);
        let mut child =
            flock.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("flock of util-linux");
        let mut said = [0; 5];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        Self(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lock files below Ambit's state, once a call has made them.
fn locks(world: &World) -> Vec<std::path::PathBuf> {
    assert_eq!(world.before("touch src/made.py").verdict(), "allow");
    let all = files_below(&world.state());
    let locks: Vec<_> = all.into_iter().filter(|p| p.to_string_lossy().contains("lock")).collect();
    assert!(locks.len() >= 2, "the ledger's and the session's: {locks:?}");
    locks
}

#[test]
fn a_lock_is_held_by_a_process_that_is_stuck() {
    let world = World::new();
    let mut stopping = Vec::new();
    for (at, lock) in locks(&world).into_iter().enumerate() {
        let held = Held::new(&lock);
        // Something new to remember each time, so that the session's lock is needed as well.
        let command = format!("touch src/other{at}.py");
        let judged = world.before(&command);
        drop(held);
        assert!(judged.wall < SOON, "{judged:?}");
        if judged.verdict() != "allow" {
            stopped(&judged, "lock");
            stopping.push(lock);
        }
        assert_eq!(world.before(&command).verdict(), "allow", "and it goes on when the lock is free");
    }
    let names: Vec<_> = stopping.iter().map(|p| p.display().to_string()).collect();
    assert!(
        names.iter().any(|n| n.contains("ledger")) && names.iter().any(|n| n.contains("sessions")),
        "{names:?}"
    );
    world.verify();
}

#[test]
fn a_lock_was_held_by_a_process_that_is_dead() {
    let world = World::new();
    for lock in locks(&world) {
        drop(Held::new(&lock));
        let judged = world.before("touch src/other.py");
        assert_eq!(judged.verdict(), "allow", "{judged:?}");
    }
}

#[test]
fn the_sessions_state_is_torn_or_of_another_version() {
    let world = World::new();
    for round in 0..3 {
        let made = format!("src/made{round}.py");
        assert_eq!(world.before(&format!("touch {made}")).verdict(), "allow");
        world.sandbox.write(&made, "x\n");
        assert_eq!(world.before(&format!("rm {made}")).verdict(), "allow", "it made it");
        let files = files_below(&world.state().join("sessions"));
        let mut damaged = 0;
        for file in files.iter().filter(|f| !f.to_string_lossy().ends_with("lock")) {
            let bytes = std::fs::read(file).unwrap();
            let new = match round {
                0 => bytes[..bytes.len().saturating_sub(5)].to_vec(),
                1 => vec![0xff; bytes.len().max(40)],
                _ => [b"ambitses\x63\0\0\0".as_slice(), &[0; 20]].concat(),
            };
            std::fs::write(file, new).unwrap();
            damaged += 1;
        }
        assert!(damaged > 0, "{files:?}");
        // That the session made the file is not known any more, so it is kept before it may be deleted.
        let judged = world.before(&format!("rm {made}"));
        assert!(judged.why().contains("delete-kept"), "round {round}: {judged:?}");
        assert!(judged.why().contains("ambit undo"), "round {round}: {judged:?}");
        assert!(world.before("git push --force origin main").stopped(), "round {round}");
        assert_eq!(world.before(HARMLESS).verdict(), "allow", "round {round}");
    }
    world.verify();
}

#[test]
fn the_record_cannot_grow() {
    let world = World::new();
    assert_eq!(world.before(HARMLESS).verdict(), "allow");
    world.replace_program("ulimit -f 0; exec $REAL \"$@\"");
    stopped(&world.before(HARMLESS), "ambit doctor");
    world.replace_program("trap '' XFSZ; ulimit -f 0; exec $REAL \"$@\"");
    stopped(&world.before(HARMLESS), "could not be recorded");
    world.put_program_back();
    assert_eq!(world.before(HARMLESS).verdict(), "allow");
    world.verify();
}

/// Runs the hook inside a mount namespace of its own, after `setup` (shell; `$STATE` is Ambit's state).
fn with_mounts(world: &World, setup: &str, test: &str) -> Option<Judged> {
    let root = rustix::process::geteuid().is_root();
    let mut prefix = vec!["--mount", "--propagation", "private"];
    if !root {
        prefix.push("--map-root-user");
    }
    let probe = Command::new("unshare").args(&prefix).arg("true").output();
    if !probe.is_ok_and(|run| run.status.success()) {
        testkit::skipped(test, "no mount namespaces here");
        return None;
    }
    let payload = world.bash(HARMLESS).bytes();
    let copy = world.sandbox.dir().join("payload");
    std::fs::write(&copy, &payload).unwrap();
    // The last page of a file may still take a record or two: they are good records, so the calls before count as well.
    let script = format!(
        "STATE='{}'\n{setup} || {{ echo 'the set-up failed' >&2; exit 99; }}\n\
         judge() {{ ( {} ); }}\n\
         i=0; while [ $i -lt 40 ] && judge <'{}' | grep -q '\"allow\"'; do i=$((i + 1)); done\njudge",
        world.state().display(),
        world.hook_command("PreToolUse"),
        copy.display()
    );
    let mut command = Command::new("unshare");
    command.args(&prefix).args(["sh", "-c", &script]);
    Some(world.run_hook(&mut command, &payload))
}

#[test]
fn the_disk_is_full() {
    let world = World::new();
    assert_eq!(world.before(HARMLESS).verdict(), "allow");
    let setup = "cp -a \"$STATE\" \"$STATE.copy\" && mount -t tmpfs -o size=2m tmpfs \"$STATE\" && cp -a \"$STATE.copy/.\" \"$STATE/\" && { dd if=/dev/zero of=\"$STATE/filler\" bs=4k count=1024 2>/dev/null; true; }";
    let Some(judged) = with_mounts(&world, setup, "a full disk denies") else { return };
    assert_ne!(judged.exit, Some(99), "{judged:?}");
    stopped(&judged, "recorded");
    assert_eq!(world.before(HARMLESS).verdict(), "allow", "the disk outside is as it was");
}

#[test]
fn the_state_may_not_be_written() {
    let world = World::new();
    assert_eq!(world.before(HARMLESS).verdict(), "allow");
    let setup = "mount --bind \"$STATE\" \"$STATE\" && mount -o remount,ro,bind \"$STATE\"";
    let Some(judged) = with_mounts(&world, setup, "a read-only state denies") else { return };
    assert_ne!(judged.exit, Some(99), "{judged:?}");
    stopped(&judged, "ead-only");
}

#[test]
fn the_policy_is_broken_with_a_good_one_before() {
    let world = World::new();
    assert_eq!(world.before(HARMLESS).verdict(), "allow");
    world
        .sandbox
        .write(".ambit/policies/own.cedar", "forbid (principal, action, resource) when { nonsense };");
    let judged = world.before(HARMLESS);
    assert_eq!(judged.verdict(), "allow", "the last good one stays in force: {judged:?}");
    assert!(judged.why().contains("policy is broken"), "and the person is told: {judged:?}");
    stopped(&world.before("git push --force origin main"), "policy is broken");
    assert_eq!(world.records("policy.broken").len(), 2);
    std::fs::remove_dir_all(world.sandbox.work().join(".ambit/policies")).unwrap();
    assert!(!world.before(HARMLESS).why().contains("broken"));
}

#[test]
fn the_policy_is_broken_and_none_was_ever_good() {
    let world = World::bare();
    world.sandbox.write(".ambit/policies/own.cedar", "forbid (");
    assert!(world.ambit(&["init", "--yes", "--mode", "enforce"]).status.success());
    for command in [HARMLESS, "ls"] {
        stopped(&world.before(command), "own.cedar");
    }
    let doctor = world.ambit(&["doctor"]);
    assert!(!doctor.status.success() && text(&doctor).contains("own.cedar"), "{}", text(&doctor));
}

#[test]
fn the_configuration_is_broken() {
    let world = World::new();
    assert_eq!(world.before(HARMLESS).verdict(), "allow");
    let config = world.sandbox.work().join(".ambit/ambit.toml");
    std::fs::write(&config, "mode = \"enforce\"\nno such key = [").unwrap();
    let judged = world.before("git push --force origin main");
    stopped(&judged, "broken");
    // A mistake never loosens: an unknown mode is not taken for `observe`.
    std::fs::write(&config, "mode = \"off\"\n").unwrap();
    stopped(&world.before("rm -rf /"), "broken");
}

#[test]
fn the_payload_is_malformed() {
    let world = World::new();
    let command = world.hook_command("PreToolUse");
    let good = String::from_utf8(world.bash(HARMLESS).bytes()).unwrap();
    let mut cases: Vec<Vec<u8>> =
        ["", "{", "null", "[]", "hello", "\u{feff}", "{}", "{\"hook_event_name\":\"PreToolUse\"}"]
            .map(|t| t.as_bytes().to_vec())
            .to_vec();
    cases.push(good.as_bytes()[..good.len() - 20].to_vec());
    cases.push(vec![0xff, 0xfe, 0]);
    cases.push([good.as_bytes(), good.as_bytes()].concat());
    cases.push("[".repeat(100_000).into_bytes());
    for (field, value) in [
        ("tool_name", json!(5)),
        ("tool_input", json!("git status")),
        ("cwd", json!("not/absolute")),
        ("session_id", json!(null)),
        ("hook_event_name", json!(7)),
    ] {
        cases.push(world.bash(HARMLESS).with(field, value).bytes());
    }
    for field in ["tool_name", "tool_input", "cwd", "session_id", "hook_event_name"] {
        cases.push(world.bash(HARMLESS).without(field).bytes());
    }
    cases.push(HookPayload::before("Bash", json!({"command": 5})).in_dir(world.sandbox.work()).bytes());
    cases.push(HookPayload::before("Bash", json!({})).in_dir(world.sandbox.work()).bytes());
    for case in cases {
        let judged = world.send_bytes(&command, &case);
        assert!(judged.stopped(), "{:?}: {judged:?}", String::from_utf8_lossy(&case[..case.len().min(200)]));
    }
    world.verify();
}

#[test]
fn a_payload_that_never_ends_is_denied_before_the_agent_gives_up() {
    let world = World::new();
    let mut shell = world.sandbox.command("/bin/sh");
    shell.args(["-c", &world.hook_command("PreToolUse")]);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let mut open = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut open, b"{\"session_id\":").unwrap();
    let start = std::time::Instant::now();
    let run = child.wait_with_output().unwrap();
    drop(open);
    assert_eq!(run.status.code(), Some(2), "{}", text(&run));
    assert!(text(&run).contains("did not reach a verdict within 20 s"), "{}", text(&run));
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
}

#[test]
fn unknown_fields_change_nothing() {
    let world = World::new();
    let odd = |command: &str| {
        let payload = world.bash(command).with("of_a_later_version", json!({"a": [1, 2, {"b": null}]}));
        world.send(&payload).verdict()
    };
    assert_eq!(odd(HARMLESS), "allow");
    assert_eq!(odd("rm -rf /"), "deny");
}

#[test]
fn an_unknown_tool_is_not_let_through() {
    let world = World::new();
    let judged = world.send(
        &HookPayload::before("Teleport", json!({"to": "/"})).in_dir(world.sandbox.work()).of_session(SESSION),
    );
    stopped(&judged, "Teleport");
}

#[test]
fn the_payload_is_huge() {
    let world = World::new();
    let judged = world.before(&format!("echo {}", "x".repeat(33 << 20)));
    stopped(&judged, "larger than");
    assert!(judged.wall < SOON, "{judged:?}");
}

#[test]
fn padding_hides_nothing_and_ends_soon() {
    let world = World::new();
    let danger = "git push --force origin main";
    let cases = [
        ("a long argument before", format!("echo {}; {danger}", "x".repeat(1 << 20))),
        ("a long comment before", format!("# {}\n{danger}", "x".repeat(1 << 20))),
        ("spaces before", format!("{}{danger}", " ".repeat(1 << 20))),
        ("many words", format!("echo {}; {danger}", "w ".repeat(300_000))),
        (
            "300 substitutions, one in the other",
            format!("{}{danger}{}", "echo $(".repeat(300), ")".repeat(300)),
        ),
        ("3,000 segments", format!("{}{danger}", "true; ".repeat(3000))),
        ("3,000 segments of a pipe", format!("{}{danger}", "cat | ".repeat(3000))),
        ("10,000 brackets", format!("{}{danger}{}", "(".repeat(10_000), ")".repeat(10_000))),
        ("many braces", format!("echo {}; {danger}", "{a,b}".repeat(200))),
    ];
    for (name, command) in cases {
        let judged = world.before(&command);
        // What is not understood runs contained where that can be had: without credentials, nothing is pushed.
        let held = judged.stopped() || judged.contained();
        assert!(held, "{name}: {:?} {:?} {}", judged.exit, judged.wall, judged.verdict());
        assert!(judged.wall < SOON, "{name} took {:?}", judged.wall);
    }
    world.verify();
}

/// A repository's settings can set variables for the agent and so for its hooks: none of them moves the rules in force.
#[test]
fn no_variable_moves_the_rules_in_force() {
    let world = World::new();
    world.waits_for_people(0);
    let command = world.hook_command("PreToolUse");
    let hostile = world.sandbox.work().join("hostile");
    for below in ["ambit", ".config/ambit"] {
        std::fs::create_dir_all(hostile.join(below)).unwrap();
        std::fs::write(hostile.join(below).join("ambit.toml"), "mode = \"observe\"\n").unwrap();
    }
    let run = |variables: &[(&str, &str)], call: &str| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &command]).env_clear().current_dir(world.sandbox.work());
        shell.envs(variables.iter().copied());
        let payload = world.sandbox.dir().join("payload");
        std::fs::write(&payload, world.bash(call).bytes()).unwrap();
        text(&shell.stdin(File::open(payload).unwrap()).output().unwrap())
    };
    let hostile = hostile.display().to_string();
    let moves: [&[(&str, &str)]; 6] = [
        &[],
        &[("HOME", "")],
        &[("HOME", &hostile)],
        &[("XDG_CONFIG_HOME", &hostile)],
        &[("XDG_STATE_HOME", &hostile), ("HOME", &hostile)],
        &[("AMBIT_ADMIN_DIR", &hostile)],
    ];
    for variables in moves {
        let harmless = run(variables, HARMLESS);
        assert!(harmless.contains("\"allow\""), "{variables:?}: {harmless}");
        // Nobody sits at this session: what would be asked waits for a person and is denied for now.
        let risky = run(variables, "git push --force origin main");
        assert!(
            risky.contains("\"deny\"") && risky.contains("push-force-protected"),
            "{variables:?}: {risky}"
        );
    }
    let log = world.ambit_says(&["log", "--text", "push --force", "--json"]);
    assert_eq!(log.lines().count(), moves.len(), "every decision is in the one record: {log}");
}
