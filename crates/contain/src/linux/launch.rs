//! The launcher: the process that becomes the command's init, and the command itself until its program runs.

use super::caches::Cache;
use super::sys::{self, Split};
use super::walls::{self, Rights};
use super::wire::{self, Word};
use super::{net, probe, root};
use crate::error::{ContainError, Result};
use crate::profile::{Profile, Tier};
use crate::view::View;
use libc::sock_filter;
use model::AbsPath;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions};
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What the launcher needs; all of it is made before there is a launcher.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) tier: Tier,
    pub(super) profile: &'a Profile,
    pub(super) view: &'a View,
    pub(super) caches: &'a [Cache],
    pub(super) filters: &'a Filters,
    pub(super) command: &'a [OsString],
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The filters of system calls.
#[derive(Debug)]
pub(super) struct Filters {
    pub(super) deny: Vec<sock_filter>,
    pub(super) absent: Vec<sock_filter>,
    pub(super) ask: Vec<sock_filter>,
}

impl Filters {
    pub(super) fn of(tier: Tier) -> Result<Self> {
        use super::filter;
        Ok(Self { deny: filter::deny(tier)?, absent: filter::absent()?, ask: filter::ask(tier) })
    }
}

/// Tier A, in the first process of the new namespaces: builds the root, starts the command, waits. Never returns.
pub(super) fn init(plan: &Plan<'_>, supervisor: &OwnedFd) -> ! {
    let status = match prepare(plan, supervisor) {
        Ok(command) => wait_for(command, &decoys(plan.view), supervisor.as_fd()),
        Err(e) => {
            // The supervisor that does not hear it learns from the end of this process.
            let _ = wire::send(supervisor.as_fd(), &Word::Failed(e.into()), &[]);
            1
        }
    };
    sys::exit_now(status)
}

fn prepare(plan: &Plan<'_>, supervisor: &OwnedFd) -> Result<Pid> {
    probe::write_maps(plan.uid, plan.gid).map_err(|e| ContainError::setup("mapping the user", e))?;
    // Before anything can go on without the supervisor: it may have died already, which the sockets tell.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| ContainError::setup("tying the launcher to its supervisor", e))?;
    let sockets = net::raise()?;
    rustix::system::sethostname(b"contained").map_err(|e| ContainError::setup("naming the host", e))?;
    let without = root::enter(plan.profile, plan.view, plan.caches)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let mounts = openat(CWD, "/proc/self/ns/mnt", flags, Mode::empty())
        .map_err(|e| ContainError::setup("holding the mounts", e))?;
    let descriptors: Vec<BorrowedFd<'_>> =
        sockets.iter().chain([&mounts]).map(rustix::fd::AsFd::as_fd).collect();
    wire::send(supervisor.as_fd(), &Word::Ready { without }, &descriptors)?;
    // The command runs as the same user: it must not look into this process.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|e| ContainError::setup("closing the launcher's memory", e))?;
    let rights = Rights::of_root(plan.profile, plan.view);
    match sys::fork().map_err(|e| ContainError::setup("starting the command", e))? {
        Split::Child => become_command(plan, &rights, supervisor),
        Split::Parent(pid) => {
            walls::drop_capabilities()?;
            Ok(pid)
        }
    }
}

/// Tier B, in the process that will be the command. Never returns.
pub(super) fn begin_b(plan: &Plan<'_>, rights: &Rights, supervisor: &OwnedFd) -> ! {
    let tied = rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| ContainError::setup("tying the command to its supervisor", e))
        .and_then(|()| {
            rustix::process::chdir(plan.profile.cwd.as_str())
                .map_err(|e| ContainError::setup(format!("changing into `{}`", plan.profile.cwd), e))
        });
    if let Err(e) = tied {
        let _ = wire::send(supervisor.as_fd(), &Word::Failed(e.into()), &[]);
        sys::exit_now(127)
    }
    become_command(plan, rights, supervisor)
}

/// In the process that will be the command: the walls, then the program. Never returns.
pub(super) fn become_command(plan: &Plan<'_>, rights: &Rights, supervisor: &OwnedFd) -> ! {
    let error = match wall_in(plan, rights, supervisor) {
        Ok(error) | Err(error) => error,
    };
    let _ = wire::send(supervisor.as_fd(), &Word::Failed(error.into()), &[]);
    sys::exit_now(127)
}

/// Puts up the walls and runs the program; comes back only with an error.
fn wall_in(plan: &Plan<'_>, rights: &Rights, supervisor: &OwnedFd) -> Result<ContainError> {
    refuse_directories()?;
    walls::bound(&plan.profile.limits, plan.tier == Tier::A)?;
    walls::be_taken_first();
    walls::drop_capabilities()?;
    // In tier A it is the second wall; its first version would forbid every rename from one directory to another.
    if plan.tier == Tier::B || sys::landlock_version() >= walls::LANDLOCK_A {
        walls::landlock(rights)?;
    }
    // Whatever was inherited past the three standard ones would lead out.
    sys::close_from_on_exec(3).map_err(|e| ContainError::setup("closing descriptors", e))?;
    let [program, arguments @ ..] = plan.command else {
        return Err(ContainError::setup("reading the command", std::io::Error::other("it is empty")));
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(plan.profile.variables.iter().map(|(n, v)| (n, v)));
    let listener = walls::filter([&plan.filters.absent, &plan.filters.deny], &plan.filters.ask)?;
    let word = Word::Asking { number: listener.as_raw_fd() };
    match plan.tier {
        Tier::A => wire::send(supervisor.as_fd(), &word, &[listener.as_fd()])?,
        Tier::B => wire::send(supervisor.as_fd(), &word, &[])?,
    }
    // A mask outlives the change of program.
    sys::release_signals();
    // Also sets SIGPIPE back, which Rust programs ignore.
    let source = command.exec();
    Ok(ContainError::Program { program: program.to_string_lossy().into_owned(), source })
}

/// A directory as standard input would be a way to everything beneath and above it.
fn refuse_directories() -> Result<()> {
    let standard = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    for (at, fd) in standard.iter().enumerate() {
        let Ok(stat) = rustix::fs::fstat(fd) else { continue };
        if rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory {
            let what = format!("taking over descriptor {at}");
            return Err(ContainError::setup(
                what,
                std::io::Error::other("it is a directory, which leads out"),
            ));
        }
    }
    Ok(())
}

/// The decoys of a root, with the numbers that they have among what is made.
fn decoys(view: &View) -> Vec<(AbsPath, u32)> {
    let numbered = (0_u32..).zip(&view.made);
    numbered.filter(|(_, m)| m.decoy).map(|(at, m)| (m.path.clone(), at)).collect()
}

/// Init: takes in whatever ends, hands signals on, and ends with the command; the kernel then ends all the rest.
fn wait_for(command: Pid, decoys: &[(AbsPath, u32)], supervisor: BorrowedFd<'_>) -> i32 {
    let Ok(children) = sys::hold_signals(&[libc::SIGCHLD]) else { return 1 };
    loop {
        // Before the first wait: the command may have ended while signals were not yet held.
        while let Ok(Some((pid, status))) = rustix::process::waitpid(None, WaitOptions::NOHANG) {
            if pid == command {
                let opened = root::opened(decoys);
                let word =
                    Word::Ended { status: status.exit_status(), signal: status.terminating_signal(), opened };
                let _ = wire::send(supervisor, &word, &[]);
                return 0;
            }
        }
        let mut waits =
            [PollFd::new(&children, PollFlags::IN), PollFd::from_borrowed_fd(supervisor, PollFlags::IN)];
        let polled = poll(&mut waits, None);
        let [child, words] = waits;
        if polled.is_err() {
            continue;
        }
        if !child.revents().is_empty() {
            while sys::next_signal(&children).is_some() {}
        }
        if !words.revents().is_empty() {
            match wire::receive(supervisor) {
                Ok(Some((Word::Signal(number), _))) => {
                    let _ = sys::signal(command, number);
                }
                Ok(Some((Word::Watch, _))) => {
                    // Without a watcher the end of the command tells.
                    if let Ok((watcher, watches)) = root::watch(decoys) {
                        let word = Word::Watching { watches, opened: root::opened(decoys) };
                        let _ = wire::send(supervisor, &word, &[watcher.as_fd()]);
                    }
                }
                Ok(Some(_)) => {}
                // The supervisor has gone: everything here ends with this process.
                Ok(None) | Err(_) => return 1,
            }
        }
    }
}
