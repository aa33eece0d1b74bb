//! The private files of a command of tier B: a directory of its own in Ambit's state, removed when the command has ended.
//! What a killed supervisor leaves is removed by the next one.

use crate::environment;
use crate::error::{ContainError, Result};
use crate::profile::Profile;
use crate::view::{Covers, View};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

/// The directory, held by a lock as long as the command runs.
#[derive(Debug)]
pub(super) struct Private {
    dir: PathBuf,
    _lock: File,
}

impl Private {
    /// Makes it, with a home in which toolchains and caches are links and credentials are decoys.
    pub(super) fn make(profile: &Profile, view: &View) -> Result<Self> {
        let base = profile.state.as_std().join("private");
        let fail = |what: &Path| {
            let what = format!("making `{}`", what.display());
            move |e: std::io::Error| ContainError::setup(what, e)
        };
        make_dir(&base).map_err(fail(&base))?;
        sweep(&base);
        let dir = base.join(std::process::id().to_string());
        // Beside the directory, which the command may write to.
        let lock = File::create(dir.with_extension("lock")).map_err(fail(&dir))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|e| ContainError::setup("locking", e))?;
        make_dir(&dir).map_err(fail(&dir))?;
        let private = Self { dir, _lock: lock };
        for name in ["home", "tmp"] {
            make_dir(&private.dir.join(name)).map_err(fail(&private.dir))?;
        }
        for path in view.read.iter().chain(&view.caches) {
            let Some(below) = path.relative_to(&profile.home) else { continue };
            let link = private.dir.join("home").join(below);
            if let Some(parent) = link.parent() {
                make_dir(parent).map_err(fail(parent))?;
            }
            // A greater one is linked already.
            let _ = symlink(path.as_std(), link);
        }
        for made in view.made.iter().filter(|m| m.covers == Covers::Nothing) {
            let Some(below) = made.path.relative_to(&profile.home) else { continue };
            let file = private.dir.join("home").join(below);
            if let Some(parent) = file.parent() {
                make_dir(parent).map_err(fail(parent))?;
            }
            if !file.exists() {
                fs::write(&file, &made.text).map_err(fail(&file))?;
            }
        }
        Ok(private)
    }

    pub(super) fn path(&self) -> &Path {
        &self.dir
    }

    /// Tells the command where its home and its temporary files are.
    pub(super) fn tell(&self, profile: &mut Profile) {
        let home = self.dir.join("home");
        let variables = &mut profile.variables;
        environment::set(variables, "HOME", home.clone());
        for name in ["TMPDIR", "TMP", "TEMP"] {
            environment::set(variables, name, self.dir.join("tmp"));
        }
        for (name, below) in
            [("CARGO_HOME", ".cargo"), ("npm_config_cache", ".npm-own"), ("PIP_CACHE_DIR", ".pip-own")]
        {
            environment::set(variables, name, home.join(below));
        }
        // The proxies that start a toolchain find it by this.
        if environment::value(variables, "RUSTUP_HOME").is_none() {
            environment::set(variables, "RUSTUP_HOME", profile.home.join(".rustup").as_std());
        }
        environment::set(variables, "PWD", profile.cwd.to_string());
        environment::set(variables, "AMBIT_CONTAINED", "B");
        variables.retain(|(n, _)| n != "XDG_RUNTIME_DIR");
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next command.
        if fs::remove_dir_all(&self.dir).is_ok() {
            let _ = fs::remove_file(self.dir.with_extension("lock"));
        }
    }
}

fn make_dir(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes what commands have left whose supervisor was killed: nobody holds their lock.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let lock = entry.path();
        let free = lock.extension().is_some_and(|e| e == "lock")
            && File::open(&lock).is_ok_and(|f| flock(&f, FlockOperation::NonBlockingLockExclusive).is_ok());
        if free {
            let dir = lock.with_extension("");
            if !dir.exists() || fs::remove_dir_all(&dir).is_ok() {
                let _ = fs::remove_file(&lock);
            }
        }
    }
}
