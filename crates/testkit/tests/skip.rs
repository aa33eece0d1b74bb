//! A test that cannot run says so, is counted, and is a failure where nothing may be skipped.

use std::process::{Command, Output};
use testkit::{OrSkip, Sandbox};

/// Run by the test below, in a process of its own, since it is about the environment.
#[test]
fn a_session() {
    let sandbox = Sandbox::new();
    let _ = sandbox.claude().go().or_skip("a trivial session");
}

fn run_without_claude(more: &[(&str, &std::path::Path)]) -> Output {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "a_session", "--test-threads", "1"]);
    test.env("AMBIT_TEST_CLAUDE", "/nowhere/claude").env_remove("AMBIT_SKIP_LOG").env_remove("AMBIT_NO_SKIP");
    test.envs(more.iter().copied()).output().unwrap()
}

#[test]
fn a_skip_is_loud_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("skipped");
    for _ in 0..2 {
        let run = run_without_claude(&[("AMBIT_SKIP_LOG", &log)]);
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && said.contains("SKIPPED: a trivial session: "), "{said}");
        assert!(said.contains("/nowhere/claude"), "it says what is missing: {said}");
    }
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 2);
}

#[test]
fn a_skip_is_a_failure_where_nothing_may_be_skipped() {
    let run = run_without_claude(&[("AMBIT_NO_SKIP", std::path::Path::new("1"))]);
    assert!(!run.status.success());
}
