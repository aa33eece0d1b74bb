//! Skipping a test loudly: a test that did not run must not look like one that passed.

use crate::KitError;
use std::io::Write;

/// Names a file that collects one line for every skipped test, so that a test runner can count them.
const SKIP_LOG: &str = "AMBIT_SKIP_LOG";
/// When set (to anything but the empty text), a skip is a failure: for machines that must be able to run everything.
const NO_SKIP: &str = "AMBIT_NO_SKIP";

/// Says on standard error that a test was skipped, and why; also appends the line to the file that
/// `AMBIT_SKIP_LOG` names, if set.
///
/// # Panics
/// When `AMBIT_NO_SKIP` is set, or the skip log cannot be written: a skip that nobody can count is a failure.
pub fn skipped(test: &str, why: &str) {
    let line = format!("SKIPPED: {test}: {}", why.replace('\n', " | "));
    say(&line);
    if let Some(path) = std::env::var_os(SKIP_LOG).filter(|p| !p.is_empty()) {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap_or_else(|e| panic!("cannot open the skip log `{}`: {e}", path.display()));
        // One write of a whole line: tests run side by side.
        file.write_all(format!("{line}\n").as_bytes()).expect("the skip log takes a line");
    }
    assert!(
        std::env::var_os(NO_SKIP).is_none_or(|v| v.is_empty()),
        "{line} ({NO_SKIP} is set, so this counts as a failure)"
    );
}

/// Writes to standard error itself: what `eprintln!` prints is swallowed by the test harness when a test passes.
pub(crate) fn say(line: &str) {
    // Nobody reads it: then the skip log still counts the skip.
    let _ = std::io::stderr().write_all(format!("\n{line}\n\n").as_bytes());
}

/// Turns "this machine cannot do that" into a loud skip, and every other failure into a failed test.
pub trait OrSkip<T> {
    /// The value; or `None` after saying aloud that `test` is skipped.
    ///
    /// # Panics
    /// On any error other than [`KitError::Unavailable`].
    fn or_skip(self, test: &str) -> Option<T>;
}

impl<T> OrSkip<T> for Result<T, KitError> {
    fn or_skip(self, test: &str) -> Option<T> {
        match self {
            Ok(value) => Some(value),
            Err(KitError::Unavailable(why)) => {
                skipped(test, &why);
                None
            }
            Err(other) => panic!("{test}: {other}"),
        }
    }
}
