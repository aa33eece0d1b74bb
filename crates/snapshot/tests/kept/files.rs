//! Files that a call loses are kept and given back; newer work stays.
use crate::world::{World, delete, deletes_beneath, write};
use snapshot::{Budget, NotTaken, StepKind, Wish};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

#[test]
fn a_deleted_file_comes_back_as_it_was() {
    let world = World::new();
    let file = world.write("notes.txt", "my notes");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = std::fs::metadata(&file).unwrap();
    let id = world.take(&[delete(&file)]);
    std::fs::remove_file(&file).unwrap();
    world.settle(&id);
    let undone = world.undo(&id, Wish::default());
    assert!(undone.whole() && undone.aside.is_none(), "{undone:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "my notes");
    let after = std::fs::metadata(&file).unwrap();
    assert_eq!(
        (after.mode(), after.mtime(), after.mtime_nsec()),
        (before.mode(), before.mtime(), before.mtime_nsec())
    );
    assert!(world.store.find(&id).unwrap().given_back());
}

#[test]
fn a_tree_with_links_and_large_files_comes_back() {
    let world = World::new();
    world.write("tree/a/b/small.txt", "small");
    let large = "x".repeat(3 << 20);
    world.write("tree/large.bin", &large);
    std::os::unix::fs::symlink("a/b/small.txt", world.path("tree/link")).unwrap();
    std::fs::create_dir_all(world.path("tree/empty")).unwrap();
    std::fs::set_permissions(world.path("tree/a"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let id = world.take(&[delete(&world.path("tree"))]);
    std::fs::remove_dir_all(world.path("tree")).unwrap();
    // Without a note of what the call left, nothing that is missing can be newer.
    let undone = world.undo(&id, Wish::default());
    assert!(undone.whole(), "{undone:?}");
    assert_eq!(world.read("tree/a/b/small.txt"), "small");
    assert_eq!(world.read("tree/large.bin"), large);
    assert_eq!(world.read("tree/link"), "small");
    assert_eq!(std::fs::metadata(world.path("tree/a")).unwrap().mode() & 0o777, 0o700);
    assert!(world.path("tree/empty").is_dir());
}

#[test]
fn an_overwritten_file_is_never_kept_by_a_link() {
    let world = World::new();
    let large = "old".repeat(1 << 20);
    let file = world.write("data.bin", &large);
    let id = world.take(&[delete(&world.write("other", "o")), write(&file)]);
    // In place, as `>` does it.
    std::fs::write(&file, "new").unwrap();
    world.settle(&id);
    let undone = world.undo(&id, Wish::default());
    assert!(undone.whole(), "{undone:?}");
    assert_eq!(world.read("data.bin"), large);
    // What the call had left is kept aside, so that the undo can be undone.
    let aside = undone.aside.unwrap();
    world.settle(&aside);
    let undone = world.undo(&aside, Wish::default());
    assert!(undone.whole(), "{undone:?}");
    assert_eq!(world.read("data.bin"), "new");
}

#[test]
fn newer_work_stays_unless_it_is_given_up_and_then_it_is_kept_aside() {
    let world = World::new();
    let file = world.write("notes.txt", "old");
    let id = world.take(&[delete(&file)]);
    std::fs::remove_file(&file).unwrap();
    world.settle(&id);
    std::fs::write(&file, "newer work").unwrap();
    let undone = world.undo(&id, Wish::default());
    assert!(!undone.whole() && undone.steps[0].kind == StepKind::LeftNewer, "{undone:?}");
    assert_eq!(world.read("notes.txt"), "newer work");
    let undone = world.undo(&id, Wish { over_newer: true, ..Wish::default() });
    assert!(undone.whole(), "{undone:?}");
    assert_eq!(world.read("notes.txt"), "old");
    let aside = undone.aside.unwrap();
    world.settle(&aside);
    assert!(world.undo(&aside, Wish::default()).whole());
    assert_eq!(world.read("notes.txt"), "newer work");
}

#[test]
fn what_the_call_made_stays_unless_it_is_asked_for() {
    let world = World::new();
    let old = world.write("old-name", "content");
    let id = world.take(&[delete(&old), write(&world.path("new-name"))]);
    std::fs::rename(&old, world.path("new-name")).unwrap();
    world.settle(&id);
    let undone = world.undo(&id, Wish::default());
    assert!(undone.whole() && undone.steps.iter().any(|s| s.kind == StepKind::LeftMade), "{undone:?}");
    assert!(old.exists() && world.path("new-name").exists());
    let undone = world.undo(&id, Wish { remove_made: true, ..Wish::default() });
    assert!(undone.whole() && undone.steps.iter().any(|s| s.kind == StepKind::Removed), "{undone:?}");
    assert!(!world.path("new-name").exists());
}

#[test]
fn a_look_changes_nothing() {
    let world = World::new();
    let file = world.write("notes.txt", "old");
    let id = world.take(&[delete(&file)]);
    std::fs::remove_file(&file).unwrap();
    let undone = world.undo(&id, Wish { only_look: true, ..Wish::default() });
    assert_eq!(undone.steps[0].kind, StepKind::GivenBack);
    assert!(!file.exists() && !world.store.find(&id).unwrap().given_back());
}

#[test]
fn a_pattern_keeps_what_it_could_name() {
    let world = World::new();
    for name in ["a.log", "b.log", ".c.log", "keep.txt"] {
        world.write(name, name);
    }
    let id = world.take(&[deletes_beneath(&world.root(), "*.log")]);
    let manifest = world.store.manifest(&world.store.find(&id).unwrap()).unwrap();
    let names: Vec<_> = manifest.paths.iter().filter_map(|k| k.path.name()).collect();
    assert_eq!(names, [".c.log", "a.log", "b.log"]);
}

#[test]
fn too_much_or_unreadable_is_not_conceded_and_leaves_nothing() {
    let world = World::new();
    for i in 0..30 {
        world.write(&format!("many/{i}"), "x");
    }
    world.write("big", &"x".repeat(2 << 20));
    let small = Budget { files: 20, bytes: 1 << 20, time: Duration::from_secs(5) };
    let many = world.try_take(&[delete(&world.path("many"))], &small).unwrap_err();
    assert!(matches!(&many, NotTaken::TooMuch(why) if why.contains("20 files")), "{many}");
    let big = world.try_take(&[write(&world.path("big"))], &small).unwrap_err();
    assert!(matches!(&big, NotTaken::TooMuch(why) if why.contains("1 MiB")), "{big}");
    let none = Budget { time: Duration::ZERO, ..Budget::default() };
    assert!(world.try_take(&[delete(&world.path("many"))], &none).is_err());
    let invalid = std::ffi::OsStr::from_encoded_bytes_checked(b"odd-\xff");
    std::fs::write(world.root().join(invalid), "x").unwrap();
    assert!(world.try_take(&[delete(&world.root())], &Budget::default()).is_err());
    assert!(world.store.list().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(world.store.dir()).unwrap().count(), 0, "nothing half-done stays");
}

trait Checked {
    fn from_encoded_bytes_checked(bytes: &'static [u8]) -> &'static std::ffi::OsStr;
}
impl Checked for std::ffi::OsStr {
    fn from_encoded_bytes_checked(bytes: &'static [u8]) -> &'static std::ffi::OsStr {
        std::os::unix::ffi::OsStrExt::from_bytes(bytes)
    }
}

#[test]
fn a_link_put_in_the_way_is_not_followed() {
    let world = World::new();
    let file = world.write("dir/secret.txt", "mine");
    let id = world.take(&[delete(&world.path("dir"))]);
    std::fs::remove_dir_all(world.path("dir")).unwrap();
    world.settle(&id);
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), world.path("dir")).unwrap();
    let undone = world.undo(&id, Wish { over_newer: true, ..Wish::default() });
    assert!(!undone.whole(), "{undone:?}");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    assert!(!file.exists());
}

#[test]
fn damage_of_what_was_kept_is_seen() {
    let world = World::new();
    let file = world.write("a", "precious");
    let id = world.take(&[delete(&file)]);
    std::fs::remove_file(&file).unwrap();
    let pack = std::fs::read_dir(world.store.dir()).unwrap().next().unwrap().unwrap().path().join("pack");
    std::fs::write(&pack, "PRECIOUS").unwrap();
    let undone = world.undo(&id, Wish::default());
    assert!(matches!(&undone.steps[0].kind, StepKind::Failed(why) if why.contains("damaged")), "{undone:?}");
    assert!(!file.exists() && std::fs::read_dir(world.root()).unwrap().count() == 0, "no half file");
}

#[test]
fn old_and_large_snapshots_go() {
    let world = World::new();
    let day = 24 * 3_600_000;
    for at in 0..10 {
        world.write("f", &"x".repeat(100_000));
        world.take_at(&[delete(&world.path("f"))], at * day);
    }
    let retention = snapshot::Retention { age: 5 * day, bytes: 10 << 20 };
    world.store.prune(retention, 10 * day).unwrap();
    assert_eq!(world.store.list().unwrap().len(), 5);
    let retention = snapshot::Retention { age: 50 * day, bytes: 250_000 };
    world.store.prune(retention, 10 * day).unwrap();
    let left = world.store.list().unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|e| e.taken >= 8 * day));
}

#[test]
fn a_thousand_files_are_kept_in_time() {
    let world = World::new();
    for i in 0..1000 {
        world.write(&format!("src/{}/{i}.rs", i % 20), &"fn f() {}\n".repeat(100));
    }
    let start = Instant::now();
    let id = world.take(&[delete(&world.path("src"))]);
    let took = start.elapsed();
    // The programs of the tests are not optimised, and the machine is shared: the number itself is the benchmark's.
    assert!(took < Duration::from_millis(1_000), "{took:?}");
    std::fs::remove_dir_all(world.path("src")).unwrap();
    assert!(world.undo(&id, Wish::default()).whole());
    assert_eq!(world.read("src/7/7.rs"), "fn f() {}\n".repeat(100));
    println!("1000 files: {took:?}");
}
