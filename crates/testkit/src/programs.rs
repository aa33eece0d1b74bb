//! Finding the programs that a run needs: the pinned agent, and the kit's own.

use crate::KitError;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// Names another `claude` program than the pinned one.
const CLAUDE: &str = "AMBIT_TEST_CLAUDE";

fn this_crate() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The real `claude` program: the one `AMBIT_TEST_CLAUDE` names, or the one that `tests/clients/install.sh` has
/// installed, or installs now, from the committed lock file.
///
/// # Errors
/// [`KitError::Unavailable`] when it cannot be had on this machine, with what the installer said.
pub fn claude_program() -> Result<PathBuf, KitError> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(find_claude).clone().map_err(KitError::Unavailable)
}

fn find_claude() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os(CLAUDE).filter(|p| !p.is_empty()) {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("{CLAUDE} names no file: `{}`", path.display()))
        };
    }
    let script = this_crate().join("../../tests/clients/install.sh");
    let run = Command::new("sh").arg(&script).output().map_err(|e| format!("cannot run `sh`: {e}"))?;
    let path = String::from_utf8_lossy(&run.stdout).trim().to_owned();
    if run.status.success() && !path.is_empty() {
        return Ok(PathBuf::from(path));
    }
    let said = String::from_utf8_lossy(&run.stderr).trim().to_owned();
    Err(format!("the pinned claude program is not there and could not be installed: {said}"))
}

/// A program of this crate, `scripted-model` or `mcp-probe`, beside the running test's own folder. It is built first
/// if it is missing or older than the kit's source: cargo builds only the library for a crate that merely depends on it.
///
/// # Errors
/// When cargo cannot build it.
pub fn kit_program(name: &str) -> Result<PathBuf, KitError> {
    let exe = std::env::current_exe().map_err(|e| KitError::file("the running program", e))?;
    // A test runs from `target/PROFILE/deps`, a program from `target/PROFILE`.
    let folder = exe.parent().filter(|p| p.ends_with("deps")).and_then(Path::parent).or(exe.parent());
    let folder = folder.ok_or_else(|| KitError::Unavailable("the running program has no folder".into()))?;
    let program = folder.join(name);
    if fresh(&program) {
        return Ok(program);
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(this_crate()).args(["build", "--quiet", "--package", "testkit", "--bins"]);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.output().map_err(|e| KitError::start("cargo", e))?;
    if built.status.success() && program.is_file() {
        return Ok(program);
    }
    let said = String::from_utf8_lossy(&built.stderr);
    Err(KitError::Unavailable(format!(
        "`{}` is missing or old and `cargo build -p testkit --bins` did not make it: {}",
        program.display(),
        said.trim()
    )))
}

fn fresh(program: &Path) -> bool {
    let Ok(built) = program.metadata().and_then(|m| m.modified()) else { return false };
    newest(&this_crate().join("src")).is_none_or(|source| source <= built)
}

/// The newest change of any file below a folder.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    entries
        .filter_map(|e| {
            let path = e.path();
            if path.is_dir() { newest(&path) } else { e.metadata().ok()?.modified().ok() }
        })
        .max()
}
