use super::*;
use std::process::Command;

fn path(p: &std::path::Path) -> AbsPath {
    AbsPath::parse(p.to_str().unwrap()).unwrap()
}

fn git(root: &std::path::Path, args: &[&str]) {
    let out = Command::new("git")
        .args(args)
        .current_dir(root)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", root)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A repository with a tracked, a changed, an untracked and an ignored file.
fn repository() -> (tempfile::TempDir, AbsPath) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let git = |args: &[&str]| git(&root, args);
    std::fs::create_dir_all(root.join("src")).unwrap();
    std::fs::create_dir_all(root.join("build")).unwrap();
    std::fs::write(root.join(".gitignore"), "build/\n*.log\n!keep.log\n").unwrap();
    std::fs::write(root.join("src/a.rs"), "a\n").unwrap();
    std::fs::write(root.join("src/b.rs"), "b\n").unwrap();
    std::fs::write(root.join("build/out"), "x\n").unwrap();
    git(&["init", "-q", "-b", "topic"]);
    git(&["config", "user.email", "t@example.com"]);
    git(&["config", "user.name", "T"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "first"]);
    std::fs::write(root.join("src/b.rs"), "changed and longer\n").unwrap();
    std::fs::write(root.join("new.rs"), "n\n").unwrap();
    std::fs::write(root.join("x.log"), "l\n").unwrap();
    std::fs::write(root.join("keep.log"), "l\n").unwrap();
    let root = path(&root);
    (dir, root)
}

fn with_machine<T>(root: &AbsPath, f: impl FnOnce(&Machine<'_>) -> T) -> T {
    let config = Config::default();
    let rails = Rails::new([], None);
    let variables = |_: &str| None;
    f(&Machine::new(
        root.clone(),
        Some(AbsPath::parse("/nonexistent/home").unwrap()),
        &config,
        None,
        &rails,
        &variables,
    ))
}

#[test]
fn git_states_of_paths() {
    let (_dir, root) = repository();
    with_machine(&root, |m| {
        let state = |p: &str| m.git_state(&root.join(p));
        assert_eq!(state("src/a.rs"), GitState::Clean);
        assert_eq!(state("src/b.rs"), GitState::Dirty);
        assert_eq!(state("new.rs"), GitState::Untracked);
        assert_eq!(state("build/out"), GitState::Ignored);
        assert_eq!(state("build"), GitState::Ignored);
        assert_eq!(state("x.log"), GitState::Ignored);
        assert_eq!(state("keep.log"), GitState::Untracked);
        assert_eq!(state("src"), GitState::Dirty);
        assert_eq!(m.git_state(&AbsPath::parse("/nonexistent/x").unwrap()), GitState::Outside);
        let size = m.tree_size(&root.join("src")).unwrap();
        assert_eq!((size.files, size.not_in_git), (2, Some(1)));
    });
}

#[test]
fn what_a_repository_would_make_git_run() {
    let (_dir, root) = repository();
    with_machine(&root, |m| {
        let config = m.git_config(&root);
        assert!(config.known && config.programs.is_empty() && config.hooks.is_empty());
        assert_eq!(config.branch.as_deref(), Some("topic"));
        assert_eq!(m.git_loss(&root, GitLoss::Worktree), Tri::Yes);
    });
    let mut text = std::fs::read_to_string(root.as_std().join(".git/config")).unwrap();
    text.push_str(
        "[core]\n\tfsmonitor = ./evil.sh\n[diff \"img\"]\n\ttextconv = ./evil2.sh\n[alias]\n\tst = !touch /tmp/x\n[remote \"origin\"]\n\turl = git@example.com:a/b\n[include]\n\tpath = ../more\n",
    );
    std::fs::write(root.as_std().join(".git/config"), text).unwrap();
    let hook = root.as_std().join(".git/hooks/pre-commit");
    std::fs::write(&hook, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(root.as_std().join(".gitattributes"), "*.png diff=img\n").unwrap();
    with_machine(&root, |m| {
        let config = m.git_config(&root);
        let keys: Vec<&str> = config.programs.iter().map(|(k, _)| k.as_str()).collect();
        for key in ["core.fsmonitor", "diff.img.textconv", "include.path", "attributes"] {
            assert!(keys.contains(&key), "{key} in {keys:?}");
        }
        assert_eq!(config.aliases, [("st".to_owned(), "!touch /tmp/x".to_owned())]);
        assert_eq!(config.remotes, [("origin".to_owned(), "git@example.com:a/b".to_owned())]);
        assert_eq!(config.hooks, ["pre-commit"]);
    });
}

#[test]
fn links_are_followed_to_what_they_touch() {
    let (_dir, root) = repository();
    std::os::unix::fs::symlink("/etc/hosts", root.as_std().join("h")).unwrap();
    std::os::unix::fs::symlink("/nonexistent/target", root.as_std().join("dangling")).unwrap();
    std::os::unix::fs::symlink("src", root.as_std().join("s")).unwrap();
    std::os::unix::fs::symlink("loop", root.as_std().join("loop")).unwrap();
    let real = |p: &str| follow(&root.join(p));
    assert_eq!(real("h").path.as_str(), "/etc/hosts");
    assert_eq!(real("dangling").path.as_str(), "/nonexistent/target");
    assert_eq!(real("dangling/x").path.as_str(), "/nonexistent/target/x");
    assert_eq!(real("s/new/deep").path, root.join("src/new/deep"));
    assert_eq!(real("s/new/deep").kind, FileKind::Absent);
    assert_eq!(real("s").kind, FileKind::Directory);
    assert_eq!(real("loop").kind, FileKind::Unknown);
    with_machine(&root, |m| {
        let facts = model::path_facts(m, model::PathTarget::Known(root.join("h")), false);
        assert_eq!(facts.zone, model::Zone::System);
    });
}

#[test]
fn the_budget_ends_in_unknown() {
    let (_dir, root) = repository();
    with_machine(&root, |m| {
        std::thread::sleep(BUDGET + Duration::from_millis(1));
        assert_eq!(m.git_state(&root.join("src/a.rs")), GitState::Unknown);
        assert!(!m.git_config(&root).known);
        assert_eq!(m.resolve(&root).kind, FileKind::Unknown);
        assert_eq!(m.tree_size(&root), None);
    });
}

/// What facts say now, each time asked anew.
fn losses(root: &AbsPath) -> [Tri; 4] {
    let loss = |l| with_machine(root, |m| m.git_loss(root, l));
    [
        loss(GitLoss::Worktree),
        loss(GitLoss::Untracked { ignored: false }),
        loss(GitLoss::Untracked { ignored: true }),
        loss(GitLoss::Stash),
    ]
}

#[test]
fn what_git_would_lose() {
    use Tri::{No, Unknown, Yes};
    let (_dir, root) = repository();
    let at = |p: &str| root.join(p).as_std().to_owned();
    assert_eq!(losses(&root), [Yes, Yes, Yes, No]);
    git(root.as_std(), &["checkout", "-q", "--", "."]);
    for file in ["new.rs", "keep.log"] {
        std::fs::remove_file(at(file)).unwrap();
    }
    assert_eq!(losses(&root), [No, No, Yes, No], "only ignored files are left");
    for file in ["x.log", "build/out"] {
        std::fs::remove_file(at(file)).unwrap();
    }
    assert_eq!(losses(&root), [No, No, No, No]);
    // The same length, and written in the same second as the index may be.
    std::fs::write(at("src/a.rs"), "z\n").unwrap();
    assert_eq!(losses(&root)[0], Yes, "a change that times may not show");
    git(root.as_std(), &["add", "-A"]);
    assert_eq!(losses(&root)[0], Yes, "what is staged and not committed is lost too");
    git(root.as_std(), &["commit", "-qm", "second"]);
    assert_eq!(losses(&root)[0], No);
    // Touched, and still the same.
    std::fs::write(at("src/a.rs"), "z\n").unwrap();
    assert_eq!(losses(&root)[0], No);
    git(root.as_std(), &["mv", "src/b.rs", "src/c.rs"]);
    assert_eq!(losses(&root)[0], Yes, "a staged move");
    git(root.as_std(), &["reset", "-q", "--hard"]);
    assert_eq!(losses(&root)[0], No);
    std::fs::write(at("src/a.rs"), "stashed\n").unwrap();
    git(root.as_std(), &["stash", "-q"]);
    assert_eq!((losses(&root)[0], losses(&root)[3]), (No, Yes));
    // Objects in a pack, refs in one file.
    git(root.as_std(), &["gc", "-q"]);
    assert_eq!((losses(&root)[0], losses(&root)[3]), (No, Yes));
    std::fs::write(at(".git/MERGE_HEAD"), "").unwrap();
    assert_eq!(losses(&root)[0], Unknown, "a merge that is not finished");
}

#[test]
fn who_may_have_the_commit() {
    let (_dir, root) = repository();
    let elsewhere = tempfile::tempdir().unwrap();
    let pushed = || with_machine(&root, |m| m.git_pushed(&root));
    let run = |args: &[&str]| git(root.as_std(), args);
    assert_eq!(pushed(), Tri::No, "there is no remote");
    git(elsewhere.path(), &["init", "-q", "--bare"]);
    run(&["remote", "add", "origin", elsewhere.path().to_str().unwrap()]);
    assert_eq!(pushed(), Tri::No, "nothing was pushed yet");
    run(&["push", "-q", "origin", "topic"]);
    assert_eq!(pushed(), Tri::Yes);
    run(&["commit", "-q", "--allow-empty", "-m", "second"]);
    assert_eq!(pushed(), Tri::No);
    run(&["commit", "-q", "--allow-empty", "-m", "third"]);
    run(&["push", "-q", "origin", "topic:other"]);
    run(&["pack-refs", "--all"]);
    assert_eq!(pushed(), Tri::Yes);
    // A branch of the remote that went further holds it too.
    run(&["reset", "-q", "--soft", "HEAD~1"]);
    assert_eq!(pushed(), Tri::Yes);
    run(&["commit", "-q", "--allow-empty", "-m", "another third"]);
    run(&["gc", "-q"]);
    assert_eq!(pushed(), Tri::No);
    run(&["config", "--unset", "remote.origin.fetch"]);
    assert_eq!(pushed(), Tri::Unknown, "no note is kept of what such a remote has");
}

#[test]
fn where_git_goes_by_itself() {
    let (_dir, root) = repository();
    let home = tempfile::tempdir().unwrap();
    let home_path = path(&home.path().canonicalize().unwrap());
    std::fs::write(
        home.path().join(".gitconfig"),
        "[url \"https://github.com/\"]\n\tinsteadOf = gh:\n[remote]\n\tpushDefault = fork\n[core]\n\tpager = x\n",
    )
    .unwrap();
    for (name, url) in [("origin", "gh:a/b"), ("fork", "git@fork.example:a/b.git")] {
        git(root.as_std(), &["remote", "add", name, url]);
    }
    git(root.as_std(), &["config", "branch.topic.remote", "origin"]);
    let config = Config::default();
    let rails = Rails::new([], None);
    let variables = |_: &str| None;
    let machine = Machine::new(root.clone(), Some(home_path), &config, None, &rails, &variables);
    let found = machine.git_config(&root);
    assert!(found.known && found.programs.is_empty(), "the person's own programs are not the repository's");
    assert_eq!(found.fetch_url(&found.fetch_remote()), "https://github.com/a/b");
    assert_eq!(found.push_urls(&found.push_remote()), ["git@fork.example:a/b.git"]);
}
