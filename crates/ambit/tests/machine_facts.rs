//! Verdicts that hang on what the machine tells: git's remotes, what a command would lose, which hosts are production.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on should stop")]

use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;
use testkit::Sandbox;

/// A project with a clean work tree, a branch that nobody has, and two remotes, one of them production.
fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        ".ambit/ambit.toml",
        "[production]\nhosts = [\"*.prod.example\", \"db-1\"]\nnames = [\"heroku-eu\"]\n",
    );
    sandbox.write("src/app.py", "print(1)\n");
    sandbox.git(["checkout", "-q", "-B", "topic"]);
    sandbox.git(["remote", "add", "origin", "git@code.corp.example:team/app.git"]);
    sandbox.git(["remote", "add", "live", "ssh://git@app.prod.example/app.git"]);
    sandbox.git(["remote", "add", "heroku-eu", "git@git.host.example:app.git"]);
    sandbox.git(["config", "branch.topic.remote", "origin"]);
    sandbox.git(["add", "-A"]);
    sandbox.git(["commit", "-qm", "all"]);
    sandbox
}

/// What is said of commands in a project: verdict, whether a snapshot is taken, rule.
fn verdicts(sandbox: &Sandbox, options: &[&str], commands: &[&str]) -> Vec<(String, bool, String)> {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_ambit"));
    command.env("AMBIT_ADMIN_DIR", sandbox.dir().join("admin"));
    command.args(["check", "--batch"]).args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for (id, text) in commands.iter().enumerate() {
        // Each in a session of its own: what one has seen changes nothing for the next.
        let line = json!({"id": id, "session": id, "tool": "Bash", "input": {"command": text}});
        writeln!(stdin, "{line}").unwrap();
    }
    drop(stdin);
    let run = child.wait_with_output().unwrap();
    assert!(run.status.success());
    String::from_utf8(run.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let said: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| said[key].as_str().unwrap().to_owned();
            (text("verdict"), said["snapshot"].as_bool().unwrap(), text("rule"))
        })
        .collect()
}

/// Every line: a command, `=>`, the verdict and the rule.
#[track_caller]
fn hold(sandbox: &Sandbox, options: &[&str], lines: &str) {
    let lines: Vec<(&str, &str)> = lines
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(|l| l.split_once(" => ").unwrap())
        .collect();
    let commands: Vec<&str> = lines.iter().map(|(c, _)| c.trim()).collect();
    let said = verdicts(sandbox, options, &commands);
    assert_eq!(said.len(), lines.len());
    let wrong: Vec<String> = lines
        .iter()
        .zip(said)
        .filter_map(|((command, want), (verdict, snapshot, rule))| {
            let got = format!("{verdict}{} {rule}", if snapshot { "+snapshot" } else { "" });
            // Of what is free only that it is free is said: which of several rules is named first tells nothing.
            let fits = if *want == "allow" { got.starts_with("allow ") } else { got == want.trim() };
            (!fits).then(|| format!("$ {command}\n    wanted {want}, got {got}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_remotes_of_a_repository_are_ordinary() {
    hold(
        &project(),
        &[],
        "git fetch => allow
        git fetch origin topic => allow
        git pull --ff-only => allow
        git ls-remote => allow
        git push --dry-run => allow
        git fetch https://elsewhere.example/x.git => ask fetch-contained
        git fetch live => ask production-fetch
        git fetch --all => ask production-fetch
        git push => ask push-asks
        git push origin topic => ask push-asks
        git push --force origin topic => ask push-asks
        git push --force origin main => ask push-force-protected
        git push live topic => ask production-group
        git push heroku-eu topic => ask production-group
        git push https://elsewhere.example/x.git topic => ask push-address
        git push git@code.corp.example:team/app.git topic => ask push-asks
        git push ext::sh topic => ask run-contained",
    );
}

#[test]
fn without_facts_a_named_remote_is_ordinary_too() {
    let sandbox = Sandbox::new();
    hold(
        &sandbox,
        &["--facts", "none", "--policy", "standard", "--workspace", "/home/ann/app"],
        "git fetch => allow
        git fetch origin main => allow
        git pull --ff-only => allow
        git fetch https://elsewhere.example/x.git => ask fetch-contained
        git fetch ../other => ask read-outside
        git push => ask push-asks
        git push https://elsewhere.example/x.git topic => ask push-address
        git reset --hard => ask discard-kept
        git commit --amend --no-edit => ask rewrite-kept",
    );
}

#[test]
fn what_loses_nothing_is_free() {
    let sandbox = project();
    hold(
        &sandbox,
        &[],
        "git reset --hard => allow
        git checkout -- . => allow
        git checkout . => allow
        git restore . => allow
        git clean -fd => allow
        git commit --amend --no-edit => allow",
    );
    sandbox.write("src/app.py", "print(2)\n");
    sandbox.write("new.txt", "kept nowhere\n");
    let lines = "git reset --hard => ask discard-kept
        git checkout -- . => ask discard-kept
        git clean -fd => ask discard-kept
        git commit --amend --no-edit => allow";
    hold(&sandbox, &[], lines);
    hold(&sandbox, &["--offer", "snapshot"], "git reset --hard => allow+snapshot discard-kept");
}

#[test]
fn a_pushed_commit_is_not_free_to_change() {
    let sandbox = project();
    let bare = sandbox.dir().join("bare.git").display().to_string();
    sandbox.git(["init", "-q", "--bare", &bare]);
    sandbox.git(["remote", "set-url", "origin", &bare]);
    sandbox.git(["push", "-q", "origin", "topic"]);
    hold(&sandbox, &[], "git commit --amend --no-edit => ask rewrite-asks");
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "not pushed"]);
    hold(&sandbox, &[], "git commit --amend --no-edit => allow");
}

#[test]
fn production_hosts_reach_every_way_there() {
    hold(
        &project(),
        &[],
        "curl -X POST https://api.prod.example/v1 -d a=1 => ask production-group
        curl https://api.prod.example/health => ask production-fetch
        wget -q https://api.prod.example/x.tar => ask production-fetch
        ssh db-1 uptime => ask production-group
        scp src/app.py db-1:/srv/ => ask production-group
        rsync -a src/ db-1:/srv/ => ask production-group
        psql -h db-1 -c 'select 1' => ask production-group
        psql postgres://ann@x.prod.example:5432/app -c 'delete from users' => ask production-data-loss
        curl -X POST https://api.test.example/v1 -d a=1 => ask send-asks
        psql -h localhost -c 'select 1' => allow",
    );
}
