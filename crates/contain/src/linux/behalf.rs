//! Tier B: without namespaces. Landlock and the filters hold files and kinds of sockets; what is connected to and bound is
//! asked, and the supervisor connects and binds itself, on the command's own socket: it never lets the kernel read an
//! address a second time.

use super::guardian::Guardian;
use super::launch::{self, Filters, Plan};
use super::notify::{self, Address};
use super::private::Private;
use super::supervise::{Looks, Network, aside, begin_caller, hold, shell_status, tell_broken};
use super::sys::{self, Answer, Question, Split};
use super::walls::Rights;
use super::wire::{self, Word};
use super::{memory, net};
use crate::environment;
use crate::error::{ContainError, Result};
use crate::observer::{Denied, Event, Observer};
use crate::profile::{Profile, Tier};
use crate::view::View;
use crate::{RulesMaker, Started};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, WaitOptions, pidfd_getfd, pidfd_open};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Rounds in which what is left of a command is ended; each finds the children of those of the round before.
const ROUNDS: usize = 200;

/// Runs a command in tier B and waits for it.
pub(super) fn run(
    mut profile: Profile,
    view: &View,
    command: &[OsString],
    rules: RulesMaker,
    observer: &Arc<dyn Observer>,
    (started, begun): (Started<'_>, Instant),
) -> Result<u8> {
    let private = Private::make(&profile, view)?;
    let (http, socks) = (net::listener(Ipv4Addr::LOCALHOST, 0)?, net::listener(Ipv4Addr::LOCALHOST, 0)?);
    let ports = [net::port_of(&http)?, net::port_of(&socks)?];
    let [http_port, socks_port] = ports;
    environment::name_proxy(&mut profile.variables, http_port, socks_port);
    private.tell(&mut profile);
    let rights = rights(&profile, view, &private);
    let filters = Filters::of(Tier::B)?;
    let guardian = Guardian::begin(view.protection.watched.clone(), aside(&profile))
        .keep(&view.protection.held, &view.protection.pinned)?;
    // Whoever loses its parent becomes a child of this process, and is ended with the rest.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|e| ContainError::setup("taking in orphans", e))?;
    let signals = hold()?;
    let (words, theirs) = wire::pair()?;
    let plan = Plan {
        tier: Tier::B,
        profile: &profile,
        view,
        caches: &[],
        filters: &filters,
        command,
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
    };
    let pid = match sys::fork().map_err(|e| ContainError::setup("starting the command", e))? {
        Split::Child => {
            drop(words);
            drop(signals);
            launch::begin_b(&plan, &rights, &theirs)
        }
        Split::Parent(pid) => pid,
    };
    drop(theirs);
    begin_caller(started, pid)?;
    let mut desk = Desk {
        pid,
        words: Some(words),
        signals,
        guardian,
        proxies: ports,
        own_ports: BTreeSet::new(),
        places: writable(&profile, view, &private),
        observer: Arc::clone(observer),
        questions: None,
    };
    let mut network = Network::new(vec![http, socks], rules, observer);
    let ended = desk.attend(&profile, command, &mut network);
    end_all();
    drop(network.stop());
    let broken = tell_broken(&desk.guardian, observer.as_ref());
    drop(private);
    let status = match ended? {
        Some(status) if !broken => status,
        _ => 137,
    };
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    observer.observe(Event::End { status, millis });
    sys::close_elsewhere(desk.guardian.take_watcher().into_iter().collect());
    Ok(status)
}

/// What cannot be had in this tier, for the record.
fn without(profile: &Profile) -> Vec<String> {
    let mut all = vec![
        "names and attributes of files outside can be asked for".to_owned(),
        "processes outside can be seen".to_owned(),
        "what is added to caches is not kept".to_owned(),
        "programs that do not know of proxies have no network".to_owned(),
        "the number of processes is not bounded".to_owned(),
    ];
    if profile.project.join(".env").as_std().exists() {
        all.push("the project's `.env` can be read".to_owned());
    }
    all
}

fn writable(profile: &Profile, view: &View, private: &Private) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = view.write.iter().map(|p| p.as_std().to_owned()).collect();
    places.push(private.path().to_owned());
    if !places.iter().any(|p| p == profile.project.as_std()) {
        places.push(profile.project.as_std().to_owned());
    }
    places
}

/// What Landlock permits: as the root of tier A shows it, with no decoys but in the private home.
fn rights(profile: &Profile, view: &View, private: &Private) -> Rights {
    let covered: Vec<&Path> = view
        .made
        .iter()
        .filter(|m| m.covers != crate::view::Covers::Nothing && m.decoy)
        .map(|m| m.path.as_std())
        .collect();
    let mut read = Vec::new();
    for path in view.read.iter().chain(&view.caches) {
        allow_around(path.as_std(), &covered, &mut read, 3);
    }
    read.push("/proc".to_owned());
    let write =
        writable(profile, view, private).iter().filter_map(|p| p.to_str().map(str::to_owned)).collect();
    let touch = ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts"];
    Rights { read, write, touch: touch.iter().map(|d| format!("/dev/{d}")).collect() }
}

/// Allows a directory, or where something in it is withheld, its other entries one by one.
fn allow_around(path: &Path, withheld: &[&Path], allowed: &mut Vec<String>, depth: usize) {
    if withheld.iter().any(|w| path.starts_with(w)) {
        return;
    }
    if depth > 0 && withheld.iter().any(|w| w.starts_with(path)) {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            allow_around(&entry.path(), withheld, allowed, depth - 1);
        }
    } else if !withheld.iter().any(|w| w.starts_with(path)) {
        allowed.extend(path.to_str().map(str::to_owned));
    }
}

/// Ends every process that came from the command: killing one makes its children this process's own.
fn end_all() {
    let own = rustix::process::getpid();
    for _ in 0..ROUNDS {
        let children = memory::children(own.as_raw_nonzero().get());
        if children.is_empty() {
            return;
        }
        for child in children.iter().filter_map(|c| Pid::from_raw(*c)) {
            // One that has gone meanwhile is what is wanted.
            let _ = sys::signal(child, libc::SIGKILL);
            let _ = rustix::process::waitpid(Some(child), WaitOptions::empty());
        }
    }
}

/// The supervisor's desk in tier B.
struct Desk {
    pid: Pid,
    /// Until the program runs; then the other side is closed.
    words: Option<OwnedFd>,
    signals: OwnedFd,
    guardian: Guardian,
    /// The proxy's ports.
    proxies: [u16; 2],
    /// Ports that the command itself has bound: it may connect to them.
    own_ports: BTreeSet<u16>,
    /// Directories in which local sockets may be.
    places: Vec<PathBuf>,
    observer: Arc<dyn Observer>,
    /// Where the filter asks. Held until no process is left.
    questions: Option<OwnedFd>,
}

impl Desk {
    /// Until the command has ended; `None` when it was stopped for something that it did.
    fn attend(
        &mut self,
        profile: &Profile,
        command: &[OsString],
        network: &mut Network,
    ) -> Result<Option<u8>> {
        let mut begun = false;
        let mut looks = Looks::new(profile);
        loop {
            let mut waits = vec![PollFd::new(&self.signals, PollFlags::IN)];
            for fd in [self.words.as_ref(), self.questions.as_ref(), self.guardian.watcher()] {
                waits.push(match fd {
                    Some(fd) => PollFd::new(fd, PollFlags::IN),
                    None => PollFd::new(&self.signals, PollFlags::empty()),
                });
            }
            for socket in network.waiting() {
                waits.push(PollFd::new(socket, PollFlags::IN));
            }
            match poll(&mut waits, looks.pause().as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(ContainError::setup("waiting", e)),
            }
            let ready: Vec<PollFlags> = waits.iter().map(PollFd::revents).collect();
            drop(waits);
            let on = |at: usize| ready.get(at).is_some_and(|r| !r.is_empty());
            if let (true, Some(words)) = (on(1), &self.words) {
                match wire::receive(words)? {
                    Some((Word::Asking { number }, _)) => self.questions = Some(self.take_listener(number)?),
                    Some((Word::Failed(failure), _)) => return Err(failure.into()),
                    // The command's program runs: its end of the sockets is closed. The signal tells of its end.
                    Some(_) | None => self.words = None,
                }
            }
            if let (true, Some(listener)) = (on(2), &self.questions) {
                let listener = listener.try_clone().map_err(|e| ContainError::setup("waiting", e))?;
                let first = !begun;
                begun = true;
                let open = notify::serve(&listener, |fd, question| {
                    if first {
                        self.observer.observe(Event::Start { tier: Tier::B, without: without(profile) });
                        self.observer.observe(notify::first(question, command));
                        notify::go_on(fd, question);
                    } else {
                        self.answer(fd, question);
                    }
                });
                if !open || ready.get(2).is_some_and(|r| r.contains(PollFlags::HUP)) {
                    self.questions = None;
                }
            }
            if looks.at_names(&mut self.guardian, on(3)) && self.guardian.is_broken() {
                return Ok(None);
            }
            if ready.iter().skip(4).any(|r| !r.is_empty()) {
                network.serve()?;
            }
            if on(0) {
                while let Some(came) = sys::next_signal(&self.signals) {
                    if came.signal != libc::SIGCHLD && !came.by_kernel {
                        // One that has gone meanwhile gets none.
                        let _ = sys::signal(self.pid, came.signal);
                    }
                }
                if let Some(status) = self.reap() {
                    return Ok(Some(status));
                }
            }
            if let Some(most) = profile.limits.memory_bytes
                && memory::held_below(self.pid) > most
            {
                let target = format!("{most} bytes of memory");
                self.observer.observe(Event::Denied { why: Denied::Limit, pid: None, target });
                return Ok(None);
            }
        }
    }

    /// Takes in whatever has ended; the status when it was the command.
    fn reap(&self) -> Option<u8> {
        while let Ok(Some((pid, status))) = rustix::process::waitpid(None, WaitOptions::NOHANG) {
            if pid == self.pid {
                return Some(shell_status(status.exit_status(), status.terminating_signal()));
            }
        }
        None
    }

    /// Takes the descriptor of the questions out of the command's process, which cannot send it any more.
    fn take_listener(&self, number: i32) -> Result<OwnedFd> {
        let fail = |e: rustix::io::Errno| ContainError::setup("taking the descriptor of questions", e);
        let process = pidfd_open(self.pid, PidfdFlags::empty()).map_err(fail)?;
        pidfd_getfd(process, number, PidfdGetfdFlags::empty()).map_err(fail)
    }

    fn answer(&mut self, listener: BorrowedFd<'_>, question: &Question) {
        let (answer, event) = match question.call {
            libc::SYS_connect => self.connect(listener, question),
            libc::SYS_bind => self.bind(listener, question),
            _ => return notify::answer_and_tell(listener, question, self.observer.as_ref()),
        };
        let _ = sys::answer(listener, question.id, answer);
        if let Some(event) = event {
            self.observer.observe(event);
        }
    }

    fn connect(&self, listener: BorrowedFd<'_>, question: &Question) -> (Answer, Option<Event>) {
        let Some((address, socket)) = taken(listener, question) else {
            return (Answer::Fail(libc::EACCES), None);
        };
        let done = match &address {
            Address::Internet(to) if self.is_own(to) => rustix::net::connect(&socket, to),
            Address::Path(path) => match self.local(question, path) {
                Some(held) => through(&held, |a| rustix::net::connect(&socket, a)),
                None => return (Answer::Fail(libc::EACCES), Some(denied(question, &address))),
            },
            _ => return (Answer::Fail(libc::EACCES), Some(denied(question, &address))),
        };
        (said(done), None)
    }

    fn is_own(&self, to: &SocketAddr) -> bool {
        let ip = match to.ip() {
            IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4),
            v4 => v4,
        };
        ip.is_loopback() && (self.proxies.contains(&to.port()) || self.own_ports.contains(&to.port()))
    }

    /// Binds on the loopback only: a server of the command's is for the command's own clients.
    fn bind(&mut self, listener: BorrowedFd<'_>, question: &Question) -> (Answer, Option<Event>) {
        let Some((address, socket)) = taken(listener, question) else {
            return (Answer::Fail(libc::EACCES), None);
        };
        match &address {
            Address::Internet(at) if at.ip().is_loopback() || at.ip().is_unspecified() => {
                let ip = match at.ip() {
                    IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                    IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
                };
                let done = rustix::net::bind(&socket, &SocketAddr::new(ip, at.port()));
                if done.is_ok()
                    && let Ok(port) = net::port_of(&socket)
                {
                    self.own_ports.insert(port);
                }
                (said(done), None)
            }
            Address::Path(path) => {
                let Some((parent, name)) = self.parent(question, path) else {
                    return (Answer::Fail(libc::EACCES), Some(denied(question, &address)));
                };
                let mut at = held_path(&parent);
                at.push(name);
                (
                    said(rustix::net::SocketAddrUnix::new(at).and_then(|a| rustix::net::bind(&socket, &a))),
                    None,
                )
            }
            _ => (Answer::Fail(libc::EACCES), Some(denied(question, &address))),
        }
    }

    /// The local socket that a path names, held, if it lies in a place that the command may write to.
    fn local(&self, question: &Question, path: &[u8]) -> Option<OwnedFd> {
        let (parent, name) = self.parent(question, path)?;
        let held =
            openat(&parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&held).ok()?;
        (rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Socket).then_some(held)
    }

    /// The directory of a path, held, and the last name, if the directory lies in such a place. Where it really lies is
    /// asked of what is held, so that no change of links in between matters.
    fn parent(&self, question: &Question, path: &[u8]) -> Option<(OwnedFd, OsString)> {
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        let name = path.file_name()?.to_owned();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let start = openat(CWD, format!("/proc/{}/cwd", question.thread), flags, Mode::empty()).ok()?;
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = openat(&start, parent, flags, Mode::empty()).ok()?;
        let real = std::fs::read_link(held_path(&parent)).ok()?;
        self.places.iter().any(|p| real.starts_with(p)).then_some((parent, name))
    }
}

/// The address of a question and the socket it is about. Both are the asking process's own: it still waits after both were
/// taken.
fn taken(listener: BorrowedFd<'_>, question: &Question) -> Option<(Address, OwnedFd)> {
    let address = notify::address(question)?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", question.thread)).ok()?;
    let group = status.lines().find_map(|l| l.strip_prefix("Tgid:"))?.trim().parse().ok()?;
    let process = pidfd_open(Pid::from_raw(group)?, PidfdFlags::empty()).ok()?;
    // The kernel takes the low half.
    let number = i32::try_from(question.arguments.first()? & 0xffff_ffff).ok()?;
    let socket = pidfd_getfd(process, number, PidfdGetfdFlags::empty()).ok()?;
    sys::still_waits(listener, question.id).then_some((address, socket))
}

fn denied(question: &Question, address: &Address) -> Event {
    let target = match address {
        Address::Internet(to) => to.to_string(),
        Address::Path(path) => String::from_utf8_lossy(path).into_owned(),
        Address::Abstract => "a local socket without a file".to_owned(),
        Address::Other => "an address of another kind".to_owned(),
    };
    Event::Denied { why: Denied::Connection, pid: Some(question.thread), target }
}

fn said(done: rustix::io::Result<()>) -> Answer {
    match done {
        Ok(()) => Answer::Done(0),
        Err(e) => Answer::Fail(e.raw_os_error()),
    }
}

/// A path that names what is held, and nothing that was put in its place since.
fn held_path(held: &OwnedFd) -> PathBuf {
    use rustix::fd::AsRawFd as _;
    PathBuf::from(format!("/proc/self/fd/{}", held.as_fd().as_raw_fd()))
}

fn through(
    held: &OwnedFd,
    connect: impl FnOnce(&rustix::net::SocketAddrUnix) -> rustix::io::Result<()>,
) -> rustix::io::Result<()> {
    connect(&rustix::net::SocketAddrUnix::new(held_path(held))?)
}
