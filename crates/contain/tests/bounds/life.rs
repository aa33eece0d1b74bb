//! How a contained command begins and ends.

use crate::world::{World, processes, soon, users};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::Duration;

#[test]
fn the_status_is_as_a_shell_tells_it() {
    for (user, tier) in users().into_iter().flat_map(|u| [(u, "A"), (u, "B")]) {
        let world = World::new(tier, user);
        for (text, status) in
            [("true", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$", 143), ("kill -SEGV $$", 139)]
        {
            assert_eq!(world.sh(text).status, Some(status), "{text} as {user:?} in tier {tier}");
        }
    }
}

#[test]
fn input_and_output_pass() {
    let world = World::new("A", None);
    let mut driver = world.bounded(&[], &["/bin/sh", "-c", "cat; echo wrong >&2"]);
    let mut child =
        driver.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || input.write_all(&[b'x'; 200_000]).unwrap());
    let out = child.wait_with_output().unwrap();
    writing.join().unwrap();
    assert_eq!((out.stdout.len(), out.stderr.as_slice()), (200_000, b"wrong\n".as_slice()));
}

#[test]
fn signals_are_handed_on() {
    for (user, tier) in users().into_iter().flat_map(|u| [(u, "A"), (u, "B")]) {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::USR1] {
            let world = World::new(tier, user);
            let text =
                "trap 'echo caught; exit 7' TERM INT HUP USR1; echo ready; while :; do sleep 0.05; done";
            let mut driver = world.bounded(&[], &["/bin/sh", "-c", text]);
            let mut child = driver.stdout(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            assert_eq!(lines.next().unwrap().unwrap(), "ready");
            kill_process(Pid::from_child(&child), signal).unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), "caught", "{signal:?} as {user:?}");
            assert_eq!(child.wait().unwrap().code(), Some(7));
        }
    }
}

#[test]
fn killed_at_any_moment_nothing_is_left() {
    for user in users() {
        let world = World::new("A", user);
        let mark = format!("62.{}{}", std::process::id(), user.unwrap_or(0));
        let before = (mounts(), listing(&world));
        for round in 0..25_u64 {
            let text = format!("echo x > src/made; rm src/made; (setsid sleep {mark} &); sleep {mark}");
            let mut child = world.bounded(&[], &["/bin/sh", "-c", &text]).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(round * 1700));
            kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
            child.wait().unwrap();
        }
        assert!(soon(|| processes(&mark).is_empty()), "{:?}", processes(&mark));
        let _ = fs::remove_file(world.path("project/src/made"));
        assert_eq!((mounts(), listing(&world)), before, "as {user:?}");
    }
}

fn mounts() -> usize {
    fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count()
}

/// Every path of project and home.
fn listing(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![world.path("project"), world.path("home")];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            found.push(entry.path().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn killing_any_process_of_the_launcher_ends_all_of_it() {
    let world = World::new("A", None);
    let mark = format!("63.{}", std::process::id());
    let mut driver = world.bounded(&[], &["/bin/sh", "-c", &format!("sleep {mark} & sleep {mark}")]);
    let mut child = driver.spawn().unwrap();
    assert!(soon(|| processes(&mark).iter().filter(|l| l.starts_with("sleep")).count() == 2));
    // Init is the driver's only child.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let init: i32 = children.trim().parse().unwrap();
    kill_process(Pid::from_raw(init).unwrap(), Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(137));
    assert!(soon(|| processes(&mark).is_empty()), "{:?}", processes(&mark));
}

#[test]
fn a_hundred_run_at_once() {
    let world = World::new("A", None);
    let children: Vec<_> = (0..100)
        .map(|n| {
            let text = format!(
                "echo {n} > src/{n}; mkdir -p ~/.cache/pip; echo {n} > ~/.cache/pip/own; cat ~/.cache/pip/own"
            );
            world.bounded(&[], &["/bin/sh", "-c", &text]).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for (n, child) in children.into_iter().enumerate() {
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{n}: {out:?}");
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), n.to_string());
    }
    assert_eq!(fs::read_dir(world.path("project/src")).unwrap().count(), 101);
}

#[test]
fn the_environment_is_only_what_is_listed() {
    let world = World::new("A", None);
    let mut driver = world.bounded(&[], &["env"]);
    driver
        .env("SSH_AUTH_SOCK", "/x")
        .env("GITHUB_TOKEN", "prize")
        .env("RUST_LOG", "debug")
        .env("TMPDIR", "/x");
    let out = world.run(driver).good();
    assert!(out.contains("RUST_LOG=debug") && out.contains("https_proxy=http://127.0.0.1:3128"), "{out}");
    for absent in ["prize", "SSH_AUTH_SOCK", "TMPDIR", "GITHUB_TOKEN", "AWS_"] {
        assert!(!out.contains(absent), "{absent} in {out}");
    }
}
