//! Caches of builds: the machine's lie beneath, read-only; what a command adds lies above, in a copy of its project.

use crate::profile::Profile;
use crate::view::View;
use model::AbsPath;
use rustix::fs::{FlockOperation, flock};
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

/// Copies that a project has for commands that run at the same time: an upper layer belongs to one mount.
const SLOTS: usize = 8;

/// One cache.
#[derive(Debug)]
pub(super) struct Cache {
    /// The machine's, and where it is seen.
    pub(super) lower: AbsPath,
    /// What the command adds and where the kernel prepares it; `None` keeps it in private files, for this run only.
    kept: Option<(PathBuf, PathBuf)>,
}

impl Cache {
    /// Whether what is added lasts longer than the run.
    pub(super) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// The mount's options, with the marks that separate them escaped. `private` holds what is not kept.
    pub(super) fn options(&self, private: (PathBuf, PathBuf)) -> Option<CString> {
        let (upper, work) = self.kept.clone().unwrap_or(private);
        let escape = |text: &str| {
            let mut out = String::with_capacity(text.len());
            for c in text.chars() {
                if matches!(c, '\\' | ',' | ':') {
                    out.push('\\');
                }
                out.push(c);
            }
            out
        };
        let text = format!(
            "lowerdir={},upperdir={},workdir={},userxattr",
            escape(self.lower.as_str()),
            escape(upper.to_str()?),
            escape(work.to_str()?)
        );
        CString::new(text).ok()
    }
}

/// The caches of one run, and the lock by which no other run uses their upper layers.
#[derive(Debug)]
pub(super) struct Caches {
    pub(super) all: Vec<Cache>,
    _lock: Option<File>,
}

/// Whether this kernel refuses a layer to a second overlay (`index=on` by default).
pub(super) fn are_exclusive() -> bool {
    fs::read_to_string("/sys/module/overlay/parameters/index").is_ok_and(|v| v.starts_with('Y'))
}

/// Makes the upper layers ready. Where there is no place for them, what a command adds lasts as long as the command.
pub(super) fn prepare(profile: &Profile, view: &View) -> Caches {
    if view.caches.is_empty() {
        return Caches { all: Vec::new(), _lock: None };
    }
    let mut hasher = DefaultHasher::new();
    profile.project.as_str().hash(&mut hasher);
    let base = profile.state.as_std().join("caches").join(format!("{:016x}", hasher.finish()));
    let found = (0..SLOTS).find_map(|at| {
        let slot = base.join(at.to_string());
        private_dir(&slot).ok()?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(slot.join("lock"))
            .ok()?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some((slot, lock))
    });
    let (slot, lock) = found.unzip();
    let all = view
        .caches
        .iter()
        .map(|lower| {
            let kept = slot.as_ref().and_then(|slot| {
                let name = lower.relative_to(&profile.home)?.as_str().replace('/', "+");
                let (upper, work) = (slot.join(&name).join("upper"), slot.join(&name).join("work"));
                private_dir(&upper).ok()?;
                private_dir(&work).ok()?;
                Some((upper, work))
            });
            Cache { lower: lower.clone(), kept }
        })
        .collect();
    Caches { all, _lock: lock }
}

fn private_dir(path: &std::path::Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
