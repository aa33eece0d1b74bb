//! The root that a command of tier A sees: an empty private tree into which only what is listed is laid.

use super::caches::Cache;
use super::sys;
use crate::error::{ContainError, Result};
use crate::profile::Profile;
use crate::view::{Covers, Made, View};
use model::AbsPath;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, inotify, mkdirat, openat, openat2, symlinkat, unlinkat,
};
use rustix::fs::{Timespec, Timestamps};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change,
    move_mount, open_tree, unmount,
};
use std::ffi::CString;

/// Where the new root is put together. Nothing that is laid into it lies beneath, and every system has it.
const SITE: &str = "/proc";

/// Attributes of mounts, by `linux/mount.h`.
const RDONLY: u64 = 0x1;
const NOSUID: u64 = 0x2;
const NODEV: u64 = 0x4;
const NOEXEC: u64 = 0x8;

/// Devices that are harmless and that programs expect.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];

/// Parts of `/proc` that speak of the machine and not of processes.
const PROC_MACHINE: &[&str] =
    &["sys", "irq", "bus", "fs", "acpi", "scsi", "sysrq-trigger", "mtrr", "latency_stats"];

/// Something to be laid into the root.
struct Lay {
    target: AbsPath,
    tree: OwnedFd,
}

/// The place where the root is put together.
struct Site {
    root: OwnedFd,
}

fn fail<E: Into<std::io::Error>>(what: &str, path: &str) -> impl FnOnce(E) -> ContainError {
    let what = format!("{what} `{path}`");
    move |e| ContainError::setup(what, e)
}

/// Puts the root together and makes it this process's own. The process must be alone in new user, mount and process
/// namespaces.
/// The answer tells what could not be had.
pub(super) fn enter(profile: &Profile, view: &View, caches: &[Cache]) -> Result<Vec<String>> {
    let mut without = Vec::new();
    if sys::landlock_version() < super::walls::LANDLOCK_A {
        without.push("the second wall (Landlock)".to_owned());
    }
    // Nothing that is mounted here may reach the machine's own tree.
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(fail("making private", "/"))?;
    let mut lays = trees(profile, view)?;
    let size = CString::new(format!("mode=755,size={}", profile.limits.private_bytes))
        .map_err(|e| ContainError::setup("naming a size", std::io::Error::other(e)))?;
    mount("tmpfs", SITE, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(size.as_c_str()))
        .map_err(fail("mounting private files at", SITE))?;
    let root = openat(CWD, SITE, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(fail("opening", SITE))?;
    let site = Site { root };
    site.frame(profile)?;
    for (path, text) in &view.links {
        site.link(path, text)?;
    }
    // The greater before what lies in it.
    lays.sort_by_key(|lay| lay.target.components().count());
    for lay in lays {
        site.lay(lay.tree.as_fd(), &lay.target)?;
    }
    for cache in caches {
        if let Err(e) = site.cache(cache) {
            without.push(format!("writes to the cache `{}` ({e})", cache.lower));
        }
    }
    for (at, made) in view.made.iter().enumerate() {
        site.make(made, at)?;
    }
    site.kernel()?;
    bound_processes(profile.limits.processes);
    site.settle()?;
    rustix::process::chdir(profile.cwd.as_str()).map_err(|e| match e {
        Errno::NOENT => {
            ContainError::Outside { cwd: profile.cwd.to_string(), project: profile.project.to_string() }
        }
        other => ContainError::setup(format!("changing into `{}`", profile.cwd), other),
    })?;
    Ok(without)
}

/// Takes hold of all that will be laid in, while the machine's own tree is still in place.
fn trees(profile: &Profile, view: &View) -> Result<Vec<Lay>> {
    let mut lays = Vec::new();
    for path in &view.read {
        // Nested in another one that is shown.
        if view.read.iter().any(|r| r != path && path.is_under(r)) || path.is_under(&profile.project) {
            continue;
        }
        // What cannot be shown is not shown.
        let attributes = if path.as_str().starts_with("/sys/") { NOEXEC } else { 0 };
        if let Ok(tree) = take(path, RDONLY | NOSUID | NODEV | attributes) {
            lays.push(Lay { target: path.clone(), tree });
        }
    }
    for path in view.write.iter().chain(&view.protection.pinned) {
        let tree = take(path, NOSUID | NODEV).map_err(fail("taking", path.as_str()))?;
        lays.push(Lay { target: path.clone(), tree });
    }
    for path in &view.protection.held {
        let tree = take(path, RDONLY | NOSUID | NODEV).map_err(fail("protecting", path.as_str()))?;
        lays.push(Lay { target: path.clone(), tree });
    }
    for name in DEVICES {
        let path = AbsPath::root().join("dev").join(name);
        if let Ok(tree) = take(&path, NOSUID | NOEXEC) {
            lays.push(Lay { target: path, tree });
        }
    }
    Ok(lays)
}

/// A copy of a mount, with attributes, not yet anywhere. Links are not followed.
fn take(path: &AbsPath, attributes: u64) -> std::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let tree = open_tree(CWD, path.as_str(), flags)?;
    sys::set_mount_attributes(tree.as_fd(), attributes)?;
    Ok(tree)
}

impl Site {
    /// Directories of the private tree, and the command's own devices.
    fn frame(&self, profile: &Profile) -> Result<()> {
        for (path, mode) in [
            ("/tmp", 0o1777),
            ("/var/tmp", 0o1777),
            ("/run", 0o755),
            ("/run/lock", 0o1777),
            ("/dev/shm", 0o1777),
            ("/dev/pts", 0o755),
            ("/proc", 0o755),
        ] {
            let made = self.directory(&AbsPath::root().join(path))?;
            // The mode that was asked for is cut by the process's mask.
            rustix::fs::chmodat(&made, c".", Mode::from_raw_mode(mode), AtFlags::empty())
                .map_err(fail("setting the mode of", path))?;
        }
        self.directory(&profile.home)?;
        let links = [
            ("/var/run", "/run"),
            ("/dev/fd", "/proc/self/fd"),
            ("/dev/stdin", "/proc/self/fd/0"),
            ("/dev/stdout", "/proc/self/fd/1"),
            ("/dev/stderr", "/proc/self/fd/2"),
            ("/dev/ptmx", "pts/ptmx"),
        ];
        for (path, text) in links {
            self.link(&AbsPath::root().join(path), text)?;
        }
        mount(
            "devpts",
            format!("{SITE}/dev/pts"),
            "devpts",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            Some(c"newinstance,ptmxmode=0666,mode=620"),
        )
        .map_err(fail("mounting", "/dev/pts"))
    }

    /// Opens a place of the new root without following links; makes directories that are missing in private files.
    fn directory(&self, path: &AbsPath) -> Result<OwnedFd> {
        let mut at: OwnedFd = self.root.try_clone().map_err(fail("opening", SITE))?;
        for name in path.components() {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            at = match openat(&at, name, flags, Mode::empty()) {
                Err(Errno::NOENT) => {
                    mkdirat(&at, name, Mode::from_raw_mode(0o755)).map_err(fail("making", path.as_str()))?;
                    openat(&at, name, flags, Mode::empty())
                }
                other => other,
            }
            .map_err(fail("opening", path.as_str()))?;
        }
        Ok(at)
    }

    fn parent(&self, path: &AbsPath) -> Result<OwnedFd> {
        self.directory(&path.parent().unwrap_or_else(AbsPath::root))
    }

    fn link(&self, path: &AbsPath, text: &str) -> Result<()> {
        let parent = self.parent(path)?;
        match symlinkat(text, &parent, path.name().unwrap_or_default()) {
            // It lies in something that is shown.
            Ok(()) | Err(Errno::EXIST | Errno::ROFS) => Ok(()),
            Err(e) => Err(fail("making the link", path.as_str())(e)),
        }
    }

    /// Lays a tree at its place, which is made in private files if it is missing.
    fn lay(&self, tree: BorrowedFd<'_>, target: &AbsPath) -> Result<()> {
        let stat = rustix::fs::fstat(tree).map_err(fail("looking at", target.as_str()))?;
        if rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory {
            let place = self.directory(target)?;
            return attach(tree, place.as_fd(), target);
        }
        let parent = self.parent(target)?;
        let name = target.name().unwrap_or_default();
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = match openat(&parent, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => {
                self.file(target, "", 0o644)?;
                openat(&parent, name, flags, Mode::empty())
            }
            other => other,
        }
        .map_err(fail("opening", target.as_str()))?;
        attach(tree, place.as_fd(), target)
    }

    fn file(&self, path: &AbsPath, text: &str, mode: u32) -> Result<()> {
        let parent = self.parent(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&parent, path.name().unwrap_or_default(), flags, Mode::from_raw_mode(mode))
            .map_err(fail("making", path.as_str()))?;
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let written = rustix::io::write(&file, rest).map_err(fail("writing", path.as_str()))?;
            rest = rest.get(written..).unwrap_or_default();
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let now = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
        // By this [`opened`] knows what was read.
        rustix::fs::futimens(&file, &Timestamps { last_access: zero, last_modification: now })
            .map_err(fail("setting the time of", path.as_str()))
    }

    /// Lays a cache at its place: what the machine has beneath, what the command adds above.
    fn cache(&self, cache: &Cache) -> Result<()> {
        self.directory(&cache.lower)?;
        let place = format!("{SITE}{}", cache.lower);
        let private = AbsPath::root().join("run/.caches").join(cache.lower.as_str().trim_start_matches('/'));
        let inside = |name: &str| std::path::PathBuf::from(format!("{SITE}{private}/{name}"));
        if !cache.is_kept() {
            self.directory(&private.join("upper"))?;
            self.directory(&private.join("work"))?;
        }
        let laid = match cache.options((inside("upper"), inside("work"))) {
            Some(options) => mount(
                "overlay",
                place,
                "overlay",
                MountFlags::NOSUID | MountFlags::NODEV,
                Some(options.as_c_str()),
            )
            .map_err(fail("mounting the cache", cache.lower.as_str())),
            None => {
                Err(ContainError::setup("naming the cache", std::io::Error::other("a path with a NUL byte")))
            }
        };
        if laid.is_err() {
            let tree =
                take(&cache.lower, RDONLY | NOSUID | NODEV).map_err(fail("taking", cache.lower.as_str()))?;
            self.lay(tree.as_fd(), &cache.lower)?;
        }
        laid
    }

    /// Makes a file, over another where need be. What lies over another is made apart, taken from there and forgotten.
    fn make(&self, made: &Made, at: usize) -> Result<()> {
        let mode = if made.decoy { 0o444 } else { 0o644 };
        if made.covers == Covers::Nothing {
            return match self.file(&made.path, &made.text, mode) {
                // Two lists name it; the first one stands.
                Err(ContainError::Setup { source, .. }) if source.raw_os_error() == Some(libc::EEXIST) => {
                    Ok(())
                }
                other => other,
            };
        }
        let mode = if made.decoy { mode } else { 0o444 };
        let apart = AbsPath::root().join(&format!("run/.withheld/{at}"));
        match made.covers {
            Covers::Directory => {
                self.file(&apart.join(crate::decoy::IN_DIRECTORY), &made.text, mode)?;
                let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
                let times = Timestamps { last_access: zero, last_modification: zero };
                let parent = self.parent(&apart)?;
                let name = apart.name().unwrap_or_default();
                rustix::fs::utimensat(&parent, name, &times, AtFlags::empty())
                    .and_then(|()| {
                        rustix::fs::chmodat(&parent, name, Mode::from_raw_mode(0o555), AtFlags::empty())
                    })
                    .map_err(fail("closing", made.path.as_str()))?;
            }
            _ => self.file(&apart, &made.text, mode)?,
        }
        let inside = AbsPath::root().join(SITE).join(apart.as_str().trim_start_matches('/'));
        // Not read-only: there the time of access would not be set. Its mode keeps it from being written.
        let tree = take(&inside, NOSUID | NODEV).map_err(fail("taking", made.path.as_str()))?;
        let relative = made.path.as_str().trim_start_matches('/');
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat2(&self.root, relative, flags, Mode::empty(), how) {
            Ok(place) => attach(tree.as_fd(), place.as_fd(), &made.path)?,
            // It is not to be seen here at all.
            Err(Errno::NOENT) => {}
            Err(e) => return Err(fail("withholding", made.path.as_str())(e)),
        }
        if made.covers == Covers::File {
            let parent = self.parent(&apart)?;
            unlinkat(&parent, apart.name().unwrap_or_default(), AtFlags::empty())
                .map_err(fail("removing", apart.as_str()))?;
        }
        Ok(())
    }

    /// The command's own `/proc`, in which what speaks of the machine cannot be written: to the user 0 these are its own.
    fn kernel(&self) -> Result<()> {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("proc", format!("{SITE}/proc"), "proc", flags, None).map_err(fail("mounting", "/proc"))?;
        Ok(())
    }

    /// Makes the tree the root of this process and lets go of the machine's.
    fn settle(&self) -> Result<()> {
        for name in PROC_MACHINE {
            let path = AbsPath::root().join(&format!("{SITE}/proc/{name}"));
            match take(&path, RDONLY | NOSUID | NODEV | NOEXEC) {
                Ok(tree) => {
                    let place = AbsPath::root().join(&format!("proc/{name}"));
                    self.lay(tree.as_fd(), &place)?;
                }
                Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {}
                Err(e) => return Err(fail("closing", path.as_str())(e)),
            }
        }
        rustix::process::chdir(SITE).map_err(fail("changing into", SITE))?;
        rustix::process::pivot_root(".", ".").map_err(fail("changing the root to", SITE))?;
        // The old root now lies over the new one; without it nothing of the machine is left.
        unmount(".", UnmountFlags::DETACH).map_err(fail("letting go of", "/"))?;
        rustix::process::chdir("/").map_err(fail("changing into", "/"))
    }
}

fn attach(tree: BorrowedFd<'_>, place: BorrowedFd<'_>, target: &AbsPath) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, c"", place, c"", flags).map_err(fail("laying", target.as_str()))
}

/// Bounds the processes of this process namespace. Before Linux 6.14 the setting is the machine's own and is left alone.
fn bound_processes(most: u32) {
    let release = rustix::system::uname();
    let mut numbers = release.release().to_str().unwrap_or_default().split(['.', '-']);
    let mut next = || numbers.next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
    if (next(), next()) < (6, 14) {
        return;
    }
    let path = format!("{SITE}/proc/sys/kernel/pid_max");
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    if let Ok(file) = openat(CWD, path, flags, Mode::empty()) {
        // `RLIMIT_NPROC` holds where this does not.
        let _ = rustix::io::write(file, most.max(400).to_string().as_bytes());
    }
}

/// The decoys that were opened: whoever reads one sets its time of access, which is zero at first. `decoys` are paths in
/// this process's root with their numbers.
pub(super) fn opened(decoys: &[(AbsPath, u32)]) -> Vec<u32> {
    let touched = |path: &AbsPath| rustix::fs::lstat(path.as_str()).is_ok_and(|s| s.st_atime != 0);
    decoys.iter().filter(|(path, _)| touched(path)).map(|(_, at)| *at).collect()
}

/// Watches decoys: a descriptor that tells when one is opened, and which number of its stands for which decoy.
pub(super) fn watch(decoys: &[(AbsPath, u32)]) -> std::io::Result<(OwnedFd, Vec<(i32, u32)>)> {
    let watcher = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    let watches = decoys
        .iter()
        .filter_map(|(path, at)| {
            let number = inotify::add_watch(&watcher, path.as_str(), inotify::WatchFlags::OPEN).ok()?;
            Some((number, *at))
        })
        .collect();
    Ok((watcher, watches))
}
