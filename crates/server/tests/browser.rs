//! The console in a real browser: `tests/browser/console.mjs`, driven over the example `stand`.

use std::path::Path;
use std::process::Command;

#[test]
fn people_and_their_browsers() {
    const NAME: &str = "browser people_and_their_browsers";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Cargo builds a package's examples beside its tests.
    let own = std::env::current_exe().unwrap();
    let stand = own.parent().unwrap().parent().unwrap().join("examples/stand");
    assert!(stand.is_file(), "{} is missing: run all targets of the crate", stand.display());
    let run = Command::new("sh").arg(root.join("tests/browser/run.sh")).env("STAND", stand).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let complained = String::from_utf8_lossy(&run.stderr);
    if matches!(run.status.code(), Some(69 | 70)) {
        testkit::skipped(NAME, complained.trim());
        return;
    }
    assert!(run.status.success(), "{said}\n{complained}");
    assert!(said.trim_end().ends_with(" passed, 0 failed"), "{said}");
}
