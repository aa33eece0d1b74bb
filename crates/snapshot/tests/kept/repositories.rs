//! What git would lose is kept and given back, with the real git doing the losing.
use crate::world::{World, discard, rewrite};
use snapshot::{Budget, Wish};

/// A repository with two commits on a branch, and work that no commit holds.
fn repository() -> World {
    let world = World::new();
    world.git(["init", "-q", "-b", "work"]);
    world.write(".gitignore", "build/\n");
    world.write("a.txt", "first a\n");
    world.write("b.txt", "first b\n");
    world.git(["add", "-A"]);
    world.git(["commit", "-q", "-m", "first"]);
    world.write("a.txt", "second a\n");
    world.git(["commit", "-q", "-a", "-m", "second"]);
    world
}

#[test]
fn reset_hard_with_staged_changed_and_untracked_work() {
    let world = repository();
    world.write("a.txt", "staged a\n");
    world.write("staged-new.txt", "staged new\n");
    world.git(["add", "a.txt", "staged-new.txt"]);
    world.write("a.txt", "staged and changed a\n");
    world.write("b.txt", "changed b\n");
    world.write("untracked.txt", "untracked\n");
    world.write("build/out.o", "ignored\n");
    let (status, staged, head) =
        (world.git(["status", "--short"]), world.git(["diff", "--cached"]), world.git(["rev-parse", "HEAD"]));
    let id = world.take(&[discard(&world.root(), "worktree"), rewrite(&world.root())]);
    world.git(["reset", "-q", "--hard", "HEAD~1"]);
    world.settle(&id);
    assert_eq!((world.read("a.txt"), world.read("b.txt")), ("first a\n".into(), "first b\n".into()));
    let undone = world.undo(&id, Wish::default());
    assert!(undone.whole(), "{undone:?}");
    assert_eq!(world.git(["rev-parse", "HEAD"]), head);
    assert_eq!(world.git(["status", "--short"]), status);
    assert_eq!(world.git(["diff", "--cached"]), staged);
    assert_eq!(world.read("a.txt"), "staged and changed a\n");
    assert_eq!(world.read("b.txt"), "changed b\n");
    assert_eq!(world.read("staged-new.txt"), "staged new\n");
    world.git(["fsck", "--strict"]);
}

#[test]
fn checkout_of_a_changed_file() {
    let world = repository();
    world.write("a.txt", "my work\n");
    let id = world.take(&[discard(&world.root(), "worktree")]);
    world.git(["checkout", "-q", "--", "a.txt"]);
    world.settle(&id);
    assert!(world.undo(&id, Wish::default()).whole());
    assert_eq!(world.read("a.txt"), "my work\n");
}

#[test]
fn what_was_only_staged_outlives_the_garbage_collection() {
    let world = repository();
    world.write("a.txt", "only staged\n");
    world.git(["add", "a.txt"]);
    world.write("a.txt", "and changed\n");
    let id = world.take(&[discard(&world.root(), "worktree")]);
    world.git(["reset", "-q", "--hard"]);
    world.settle(&id);
    world.git(["reflog", "expire", "--expire=now", "--all"]);
    world.git(["gc", "-q", "--prune=now"]);
    let undone = world.undo(&id, Wish::default());
    assert!(undone.whole(), "{undone:?}");
    assert_eq!(world.git(["show", ":a.txt"]), "only staged\n");
    assert_eq!(world.read("a.txt"), "and changed\n");
}

#[test]
fn clean_takes_untracked_files_and_undo_brings_them_back() {
    let world = repository();
    world.write("new/deep/file.txt", "new\n");
    world.write("build/out.o", "ignored\n");
    let id = world.take(&[discard(&world.root(), "untracked")]);
    let manifest = world.store.manifest(&world.store.find(&id).unwrap()).unwrap();
    assert!(
        !manifest.paths.iter().any(|k| k.path.as_str().contains("build")),
        "what is ignored is not taken"
    );
    world.git(["clean", "-qfd"]);
    world.settle(&id);
    assert!(!world.path("new").exists());
    assert!(world.undo(&id, Wish::default()).whole());
    assert_eq!(world.read("new/deep/file.txt"), "new\n");
    let id = world.take(&[discard(&world.root(), "ignored")]);
    world.git(["clean", "-qfdx"]);
    assert!(!world.path("build").exists());
    assert!(world.undo(&id, Wish::default()).whole());
    assert_eq!(world.read("build/out.o"), "ignored\n");
}

#[test]
fn dropped_stashes_and_deleted_branches_come_back() {
    let world = repository();
    world.write("a.txt", "put aside one\n");
    world.git(["stash", "push", "-q", "-m", "one"]);
    world.write("b.txt", "put aside two\n");
    world.git(["stash", "push", "-q", "-m", "two"]);
    world.git(["checkout", "-q", "-b", "side"]);
    world.git(["commit", "-q", "--allow-empty", "-m", "only here"]);
    let only = world.git(["rev-parse", "side"]);
    world.git(["checkout", "-q", "work"]);
    let before = world.git(["stash", "list"]);
    let id = world.take(&[discard(&world.root(), "stash"), discard(&world.root(), "branch")]);
    world.git(["stash", "clear"]);
    world.git(["branch", "-q", "-D", "side"]);
    world.settle(&id);
    world.git(["reflog", "expire", "--expire=now", "--all"]);
    world.git(["gc", "-q", "--prune=now"]);
    let undone = world.undo(&id, Wish::default());
    assert!(undone.whole(), "{undone:?}");
    assert_eq!(world.git(["stash", "list"]), before);
    assert_eq!(world.git(["rev-parse", "side"]), only);
    assert!(world.git(["stash", "show", "-p", "stash@{1}"]).contains("put aside one"));
}

#[test]
fn amended_and_rebased_history_comes_back() {
    let world = repository();
    let head = world.git(["rev-parse", "HEAD"]);
    world.write("b.txt", "more\n");
    world.git(["add", "b.txt"]);
    let id = world.take(&[rewrite(&world.root())]);
    world.git(["commit", "-q", "--amend", "-m", "amended"]);
    world.settle(&id);
    let undone = world.undo(&id, Wish::default());
    assert!(undone.whole(), "{undone:?}");
    assert_eq!(world.git(["rev-parse", "HEAD"]), head);
    assert_eq!(world.git(["status", "--short"]), "M  b.txt\n", "it is staged again");
    world.git(["commit", "-q", "-m", "third"]);
    let third = world.git(["rev-parse", "HEAD"]);
    let id = world.take(&[rewrite(&world.root())]);
    world.git(["rebase", "-q", "--onto", "HEAD~2", "HEAD~1"]);
    world.settle(&id);
    assert_ne!(world.git(["rev-parse", "HEAD"]), third);
    let undone = world.undo(&id, Wish::default());
    assert!(undone.whole(), "{undone:?}");
    assert_eq!(world.git(["rev-parse", "HEAD"]), third);
    assert_eq!(world.git(["status", "--short"]), "");
    assert_eq!(world.read("a.txt"), "second a\n");
}

#[test]
fn a_commit_made_since_is_newer_work() {
    let world = repository();
    world.write("a.txt", "lost\n");
    let id = world.take(&[discard(&world.root(), "worktree"), rewrite(&world.root())]);
    world.git(["reset", "-q", "--hard", "HEAD~1"]);
    world.settle(&id);
    world.write("b.txt", "newer\n");
    world.git(["commit", "-q", "-a", "-m", "newer"]);
    let newer = world.git(["rev-parse", "HEAD"]);
    let undone = world.undo(&id, Wish::default());
    assert!(!undone.whole(), "{undone:?}");
    assert_eq!(world.git(["rev-parse", "HEAD"]), newer, "the branch stays");
    assert_eq!(world.read("a.txt"), "lost\n", "what nobody has touched comes back");
    assert_eq!(world.read("b.txt"), "newer\n");
    let undone = world.undo(&id, Wish { over_newer: true, ..Wish::default() });
    assert!(undone.whole(), "{undone:?}");
    let aside = undone.aside.unwrap();
    let kept = world.git(["rev-parse", &format!("refs/ambit/{aside}/heads/work")]);
    assert_eq!(kept, newer, "and it is kept aside");
}

#[test]
fn removing_a_snapshot_removes_its_refs() {
    let world = repository();
    let id = world.take(&[rewrite(&world.root())]);
    assert!(world.git(["for-each-ref"]).contains(&format!("refs/ambit/{id}/heads/work")));
    world.store.remove(&world.store.find(&id).unwrap()).unwrap();
    assert!(!world.git(["for-each-ref"]).contains("refs/ambit"));
}

#[test]
fn no_program_of_the_repository_is_run_and_odd_repositories_are_not_kept() {
    let world = repository();
    let mark = world.path("ran");
    let touch = format!("touch {}", mark.display());
    for key in ["filter.x.clean", "filter.x.smudge", "core.fsmonitor", "core.pager", "diff.external"] {
        world.git(["config", key, &touch]);
    }
    world.write(".gitattributes", "* filter=x\n");
    world.write("a.txt", "changed\n");
    world.take(&[discard(&world.root(), "worktree"), rewrite(&world.root())]);
    assert!(!mark.exists());
    let config = std::fs::read_to_string(world.path(".git/config")).unwrap();
    world.write(".git/config", &format!("{config}[extensions]\n\trefstorage = reftable\n"));
    let e = world.try_take(&[rewrite(&world.root())], &Budget::default()).unwrap_err();
    assert!(e.to_string().contains("refstorage"), "{e}");
    world.write(".git/config", &config);
    world.write(".git/packed-refs", &format!("{} refs/heads/../../evil\n", "a".repeat(40)));
    let id = world.take(&[rewrite(&world.root())]);
    let manifest = world.store.manifest(&world.store.find(&id).unwrap()).unwrap();
    assert_eq!(manifest.repositories[0].refs.keys().collect::<Vec<_>>(), ["refs/heads/work"]);
    assert!(!world.path(".git/evil").exists() && !world.path(".git/refs/evil").exists());
}
