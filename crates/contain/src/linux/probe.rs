//! Trying what the kernel lets this user do.

use super::sys::{self, Split};
use crate::probe::{Lack, Probe};
use crate::profile::Tier;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags};
use std::io;

/// Exit statuses of the trying child.
const MAPS: i32 = 10;
const PRIVATE: i32 = 11;
const TMPFS: i32 = 12;
const PROC: i32 = 13;

pub(crate) fn probe() -> Probe {
    let landlock = sys::landlock_version();
    let lacks_b = lacks_b(landlock);
    let lacks_a = lacks_a();
    let tier = match (&lacks_a, &lacks_b) {
        (None, _) => Some(Tier::A),
        (_, None) => Some(Tier::B),
        _ => None,
    };
    Probe { tier, lacks_a, lacks_b, landlock }
}

/// What tier B needs: Landlock of version 3 (truncation), supervised filters, descriptors taken from another process.
pub(super) fn lacks_b(landlock: u32) -> Option<Lack> {
    if landlock == 0 {
        return Some(Lack::NoLandlock);
    }
    if landlock < 3 {
        return Some(Lack::Kernel(format!("Landlock of version 3 (it has {landlock})")));
    }
    if !sys::can_notify() {
        return Some(Lack::NoSeccomp);
    }
    (!sys::knows(libc::SYS_pidfd_getfd)).then(|| Lack::Kernel("`pidfd_getfd`".to_owned()))
}

fn lacks_a() -> Option<Lack> {
    if !sys::knows(libc::SYS_mount_setattr) {
        return Some(Lack::Kernel("`mount_setattr`".to_owned()));
    }
    if !sys::can_notify() {
        return Some(Lack::NoSeccomp);
    }
    let uid = rustix::process::getuid().as_raw();
    let gid = rustix::process::getgid().as_raw();
    match sys::clone_into(super::NAMESPACES) {
        Err(e) => Some(refused(&e)),
        // The child's lines allocate nothing: other threads of this process may hold the allocator's lock.
        Ok(Split::Child) => sys::exit_now(attempt(uid, gid)),
        Ok(Split::Parent(pid)) => {
            let status = loop {
                match rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()) {
                    Err(rustix::io::Errno::INTR) => {}
                    other => break other.ok().flatten().and_then(|(_, s)| s.exit_status()),
                }
            };
            match status {
                Some(0) => None,
                Some(MAPS | PRIVATE | TMPFS) => Some(restricted()),
                Some(PROC) => Some(Lack::MaskedProc),
                other => Some(Lack::Other(format!("the trial of namespaces ended oddly ({other:?})"))),
            }
        }
    }
}

/// In the child: identity map, a private mount tree, a tmpfs, an own `/proc`. The answer is an exit status.
fn attempt(uid: u32, gid: u32) -> i32 {
    if write_maps(uid, gid).is_err() {
        return MAPS;
    }
    if rustix::mount::mount_change(
        c"/",
        rustix::mount::MountPropagationFlags::REC | rustix::mount::MountPropagationFlags::PRIVATE,
    )
    .is_err()
    {
        return PRIVATE;
    }
    if rustix::mount::mount(c"tmpfs", c"/tmp", c"tmpfs", MountFlags::NOSUID | MountFlags::NODEV, None)
        .is_err()
    {
        return TMPFS;
    }
    let _ = rustix::fs::mkdir(c"/tmp/proc", Mode::from_raw_mode(0o755));
    if rustix::mount::mount(c"proc", c"/tmp/proc", c"proc", MountFlags::NOSUID | MountFlags::NODEV, None)
        .is_err()
    {
        return PROC;
    }
    let _ = rustix::mount::unmount(c"/tmp/proc", UnmountFlags::DETACH);
    0
}

/// Maps the user and the group to themselves in a new user namespace. Allocates nothing.
pub(super) fn write_maps(uid: u32, gid: u32) -> io::Result<()> {
    let put = |path: &std::ffi::CStr, text: &[u8]| -> io::Result<()> {
        let file = rustix::fs::openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(file, text)?;
        Ok(())
    };
    // Without this a group map is refused to unprivileged users: a process could drop a group that forbids it something.
    put(c"/proc/self/setgroups", b"deny")?;
    let mut line = [0_u8; 32];
    put(c"/proc/self/uid_map", map_line(&mut line, uid))?;
    put(c"/proc/self/gid_map", map_line(&mut line, gid))
}

/// `ID ID 1`.
fn map_line(line: &mut [u8; 32], id: u32) -> &[u8] {
    use std::io::Write as _;
    let mut rest: &mut [u8] = line;
    let before = rest.len();
    // 32 bytes hold two numbers of ten digits; a failure leaves a line that the kernel refuses.
    let _ = write!(rest, "{id} {id} 1");
    let used = before - rest.len();
    line.get(..used).unwrap_or_default()
}

/// Why `clone` refused namespaces.
fn refused(error: &io::Error) -> Lack {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EUSERS) => Lack::Switched("user.max_user_namespaces=0".to_owned()),
        Some(libc::EINVAL) => Lack::Kernel("user namespaces".to_owned()),
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => {
            let off = |path: &str| setting(path).is_some_and(|v| v == "0");
            if off("/proc/sys/kernel/unprivileged_userns_clone") {
                Lack::Switched("kernel.unprivileged_userns_clone=0".to_owned())
            } else if off("/proc/sys/user/max_user_namespaces") {
                Lack::Switched("user.max_user_namespaces=0".to_owned())
            } else {
                restricted()
            }
        }
        _ => Lack::Other(format!("namespaces are refused: {error}")),
    }
}

/// Namespaces were made and are of no use, or refused without a setting that says so.
fn restricted() -> Lack {
    let apparmor =
        setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").is_some_and(|v| v == "1");
    if apparmor { Lack::AppArmor } else { Lack::Container }
}

fn setting(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|s| s.trim().to_owned())
}

pub(crate) fn signature() -> String {
    let read = |path: &str| setting(path).unwrap_or_default();
    format!(
        "1 {} {} {} {} {} {}",
        rustix::process::getuid().as_raw(),
        read("/proc/sys/kernel/random/boot_id"),
        read("/proc/sys/kernel/unprivileged_userns_clone"),
        read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        read("/proc/sys/user/max_user_namespaces"),
        // A process may be confined by itself, as in a container.
        read("/proc/self/attr/current"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_names_one_user() {
        let mut line = [0; 32];
        assert_eq!(map_line(&mut line, u32::MAX), b"4294967295 4294967295 1");
    }

    #[test]
    fn the_answer_agrees_with_itself() {
        let found = probe();
        assert_eq!(found.tier == Some(Tier::A), found.lacks_a.is_none());
        assert_eq!(found.tier.is_none(), found.lacks_a.is_some() && found.lacks_b.is_some());
        assert_eq!(found.landlock == 0, found.lacks_b == Some(Lack::NoLandlock));
        assert_eq!(signature(), signature());
    }
}
