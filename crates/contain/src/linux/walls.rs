//! The walls that a process puts around itself before it runs the command, none of which can be taken down again.

use super::sys;
use crate::error::{ContainError, Result};
use crate::profile::{Limits, Profile};
use crate::view::View;
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::path::Path;

/// The newest version of Landlock whose rights are asked for. Rights of later ones are not known to this program.
const NEWEST: ABI = ABI::V6;

/// The version of Landlock from which on it is used in tier A.
pub(super) const LANDLOCK_A: u32 = 2;

/// What Landlock permits.
#[derive(Debug, Default)]
pub(super) struct Rights {
    /// Read, list, run.
    pub(super) read: Vec<String>,
    /// All of it, and make, change, remove.
    pub(super) write: Vec<String>,
    /// Read and write what is there: devices, `/proc`.
    pub(super) touch: Vec<String>,
}

/// Puts Landlock around this process. `scoped` also keeps it from signalling and from abstract sockets outside.
pub(super) fn landlock(rights: &Rights) -> Result<()> {
    let fail = |e: landlock::RulesetError| ContainError::setup("asking Landlock", std::io::Error::other(e));
    let all = AccessFs::from_all(NEWEST);
    let read = AccessFs::from_read(NEWEST);
    let touch = read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|r| r.scope(Scope::AbstractUnixSocket | Scope::Signal))
        .and_then(Ruleset::create)
        .map_err(fail)?;
    for (paths, access) in [(&rights.read, read), (&rights.write, all), (&rights.touch, touch)] {
        for path in paths {
            // What is not there needs no right.
            let Ok(fd) = PathFd::new(path) else { continue };
            let access = if Path::new(path).is_dir() { access } else { of_file(access) };
            rules = rules.add_rule(PathBeneath::new(fd, access)).map_err(fail)?;
        }
    }
    let status = rules.restrict_self().map_err(fail)?;
    if status.ruleset == landlock::RulesetStatus::NotEnforced {
        return Err(ContainError::setup(
            "asking Landlock",
            std::io::Error::other("the kernel does not enforce it"),
        ));
    }
    Ok(())
}

/// The rights among these that a file can have.
fn of_file(access: BitFlags<AccessFs>) -> BitFlags<AccessFs> {
    access & AccessFs::from_file(NEWEST)
}

/// Gives up every capability, also those that a program could bring.
pub(super) fn drop_capabilities() -> Result<()> {
    let fail = |e: rustix::io::Errno| ContainError::setup("giving up capabilities", e);
    // Needed to change the bounding set, so first; beyond the last capability the kernel says so.
    for capability in CapabilitySet::all().iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            // Tier B of an unprivileged user: there is nothing to give up.
            Err(rustix::io::Errno::PERM) => break,
            Err(e) => return Err(fail(e)),
        }
    }
    match rustix::thread::clear_ambient_capability_set() {
        Ok(()) | Err(rustix::io::Errno::INVAL) => {}
        Err(e) => return Err(fail(e)),
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )
    .map_err(fail)?;
    rustix::thread::set_no_new_privs(true).map_err(fail)
}

/// Sets the bounds of this process and those that come from it. `own_users` says that processes are counted in a user
/// namespace of the command's own, so that others of the same user do not count.
pub(super) fn bound(limits: &Limits, own_users: bool) -> Result<()> {
    set(Resource::Core, 0)?;
    set(Resource::Fsize, limits.file_bytes)?;
    set(Resource::Nofile, limits.open_files)?;
    if own_users {
        set(Resource::Nproc, u64::from(limits.processes))?;
    }
    Ok(())
}

/// Lowers a bound; one that is lower already stays.
fn set(resource: Resource, most: u64) -> Result<()> {
    let old = getrlimit(resource);
    let lower = |now: Option<u64>| Some(now.map_or(most, |n| n.min(most)));
    setrlimit(resource, Rlimit { current: lower(old.current), maximum: lower(old.maximum) })
        .map_err(|e| ContainError::setup(format!("setting the bound {resource:?}"), e))
}

/// What the kernel takes first when memory runs out.
pub(super) fn be_taken_first() {
    // Raising it is every process's own right; where it fails, the machine's order stands.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
}

impl Rights {
    /// Tier A: the root holds only what is listed, so it may be read; the second wall is against writing.
    pub(super) fn of_root(profile: &Profile, view: &View) -> Self {
        let own = |p: &str| p.to_owned();
        let mut write =
            vec![own("/tmp"), own("/var/tmp"), own("/run"), own("/dev/shm"), profile.home.to_string()];
        write.extend(view.write.iter().map(ToString::to_string));
        // What `/proc` has to be written (a thread's name, its order of being killed) is its process's own; the parts
        // that are the machine's are read-only mounts.
        Self { read: vec![own("/")], write, touch: vec![own("/dev"), own("/proc")] }
    }
}

/// Installs the filters; the answer is the descriptor at which the supervisor is asked.
pub(super) fn filter(
    walls: [&[libc::sock_filter]; 2],
    ask: &[libc::sock_filter],
) -> Result<rustix::fd::OwnedFd> {
    let fail = |e| ContainError::setup("installing the filter of system calls", e);
    for wall in walls {
        sys::install_filter(wall, false).map_err(fail)?;
    }
    sys::install_filter(ask, true).map_err(fail)?.ok_or_else(|| {
        ContainError::setup("installing the filter of system calls", std::io::Error::other("no listener"))
    })
}
