//! An agent tries to consent to its own call.

use crate::world::{GUIDING, World, text};
use approvals::State;
use jiff::Timestamp;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A world with a request that waits.
fn asked() -> World {
    let world = World::with("[approvals]\nwait_s = 0");
    assert_eq!(world.propose(GUIDING, "call-1").verdict(), "deny");
    world
}

fn still_pending(world: &World, by: &str) {
    assert_eq!(world.waiting().state, State::Pending, "{by}");
    assert!(world.records("approval.decided").is_empty(), "{by}");
}

/// Where `script` makes terminals: a pseudo-terminal with the command in it.
fn in_terminal(world: &World, command: &str) -> Command {
    let mut script = world.sandbox.command("script");
    script.args(["-qec", command, "/dev/null"]).stdin(Stdio::null());
    script
}

fn program(world: &World) -> String {
    world.sandbox.home().join(".local/bin/ambit").display().to_string()
}

#[test]
fn as_a_call_it_is_tampering() {
    let world = asked();
    for command in [
        "ambit approvals approve A1",
        "ambit approvals deny A1",
        "ambit approvals --watch",
        "ambit approvals grant --path / --why x",
    ] {
        let judged = world.propose(command, "call-2");
        assert_eq!(judged.verdict(), "deny", "{judged:?}");
        assert!(!judged.reason().contains("pending"), "nobody is even asked: {judged:?}");
    }
    for file in ["approvals/open/A1/0001.json", "keys/approvals.key", "approvals/tasks/T1.json"] {
        let judged = world.propose(&format!("echo x > {}", world.state().join(file).display()), "call-3");
        assert_eq!(judged.verdict(), "deny", "{judged:?}");
        assert!(!judged.reason().contains("pending"), "{judged:?}");
    }
    still_pending(&world, "calls");
}

#[test]
fn without_a_terminal_or_with_an_agents_marks_it_is_refused() {
    let world = asked();
    let run = world.ambit(&["approvals", "approve", "A1"]).output().unwrap();
    assert!(run.status.code() == Some(2) && text(&run).contains("no terminal"), "{}", text(&run));
    let approve = format!("{} approvals approve A1", program(&world));
    for mark in ["CLAUDECODE", "AI_AGENT", "CODEX_SANDBOX"] {
        let run = in_terminal(&world, &approve).env(mark, "1").output().unwrap();
        assert!(!run.status.success() && text(&run).contains(mark), "{}", text(&run));
    }
    for args in ["approvals deny A1", "approvals --watch", "approvals grant --path /srv --why x"] {
        let run = in_terminal(&world, &format!("{} {args}", program(&world)))
            .env("CLAUDECODE", "1")
            .output()
            .unwrap();
        assert!(!run.status.success() && text(&run).contains("was refused"), "{args}: {}", text(&run));
    }
    still_pending(&world, "marks");
}

/// A program with an agent's name that does what it is told.
fn agent(world: &World, does: &str) -> Command {
    let path = world.sandbox.write_home("bin/claude", &format!("#!/bin/sh\n{does}\n"));
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&path, permissions).unwrap();
    let mut command = world.sandbox.command(path);
    command.stdin(Stdio::null());
    command
}

#[test]
fn below_an_agent_it_is_refused_in_every_terminal() {
    let world = asked();
    let approve = format!("{} approvals approve A1", program(&world));
    let out = world.sandbox.home().join("out");
    let out = out.display();
    for does in [
        format!("{approve} > {out} 2>&1"),
        format!("script -qec '{approve}' /dev/null > {out} 2>&1"),
        format!("env -i PATH=$PATH HOME=$HOME script -qec '{approve}' /dev/null > {out} 2>&1"),
        format!("echo y | script -qec '{approve} --word A1' /dev/null > {out} 2>&1"),
    ] {
        let _ = std::fs::remove_file(out.to_string());
        agent(&world, &does).output().unwrap();
        let said = std::fs::read_to_string(out.to_string()).unwrap();
        assert!(said.contains("was refused"), "{does}: {said}");
        still_pending(&world, &does);
    }
}

/// Cut off from the agent by a double fork, with an empty environment and a terminal of its own: nothing is left that
/// leads to the agent, and that is what gives it away while the agent lives.
#[test]
fn cut_off_from_its_agent_it_is_refused_too() {
    let world = asked();
    let out = world.sandbox.home().join("out");
    let approve = format!("{} approvals approve A1", program(&world));
    let inner = format!(
        "script -qec \"{approve}\" /dev/null > {} 2>&1; echo done >> {}",
        out.display(),
        out.display()
    );
    let does = format!("(setsid env -i PATH=\"$PATH\" HOME=\"$HOME\" sh -c '{inner}' &) ; sleep 8");
    let mut agent = agent(&world, &does).spawn().unwrap();
    let start = Instant::now();
    let said = loop {
        let said = std::fs::read_to_string(&out).unwrap_or_default();
        if said.contains("done") || start.elapsed() > Duration::from_secs(20) {
            break said;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let _ = agent.kill();
    agent.wait().unwrap();
    assert!(said.contains("was refused"), "{said}");
    still_pending(&world, "cut off");
}

/// What an agent can write by itself, without the key, decides nothing.
#[test]
fn a_forged_decision_counts_for_nothing() {
    let world = asked();
    let folder = world.state().join("approvals/open/A1");
    let forged = serde_json::json!({
        "seq": 1, "at": Timestamp::now().to_string(), "before": world.waiting().request.digest,
        "what": {"what": "decided", "of": approvals::Decision::approve("root", approvals::Channel::Terminal)},
        "signature": "AAAA"
    });
    std::fs::write(folder.join("0001.json"), forged.to_string()).unwrap();
    let judged = world.propose(GUIDING, "call-2");
    assert_eq!(judged.verdict(), "deny", "{judged:?}");
}

/// A person in a terminal that no agent has to do with may. Skipped where the tests themselves run below an agent.
#[test]
fn a_person_in_a_terminal_may() {
    let world = asked();
    let driver = world.driver();
    let run = in_terminal(&world, &format!("{} approvals approve A1 --why fine", program(&world)))
        .output()
        .unwrap();
    let said = text(&run);
    if said.contains("was refused") {
        assert!(said.contains("agent"), "{said}");
        testkit::skipped(
            "a person in a terminal may",
            "the tests run below an agent, or beside one that was there before",
        );
        return;
    }
    assert!(run.status.success() && said.contains("A1 is approved"), "{said}");
    assert!(said.contains("AGENTS.md"), "what is agreed to is shown: {said}");
    let decided = world.records("approval.decided");
    assert_eq!((decided.len(), decided[0]["what"]["channel"].as_str()), (1, Some("terminal")));
    assert!(!driver.is_empty());
    assert_eq!(world.propose(GUIDING, "call-2").verdict(), "allow");
    assert_eq!(world.propose(GUIDING, "call-3").verdict(), "deny");
    world.verify();
}
