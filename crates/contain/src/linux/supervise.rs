//! The supervisor: starts the launcher, serves the command's network, answers what is asked, tells what happens, and
//! ends when the command has ended.

use super::guardian::Guardian;
use super::launch::{self, Filters, Plan};
use super::sys::{self, Split};
use super::wire::{self, Word};
use super::{behalf, caches, net, notify};
use crate::RulesMaker;
use crate::environment;
use crate::error::{ContainError, Result};
use crate::observer::{Denied, Event, Observer};
use crate::probe;
use crate::profile::{Profile, Tier};
use crate::view::View;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::inotify;
use rustix::process::{Pid, WaitOptions};
use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Signals that are handed on to the command, beside `SIGCHLD`, which tells of the launcher's end.
const HANDED_ON: &[libc::c_int] =
    &[libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// How often memory is looked at where it is bounded.
const MEMORY_LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Runs a command in bounds and waits for it.
pub(crate) fn run(
    mut profile: Profile,
    command: &[OsString],
    rules: RulesMaker,
    observer: &Arc<dyn Observer>,
) -> Result<u8> {
    check(&profile)?;
    let wanted = profile.tier.unwrap_or(Tier::A);
    let view = View::of(&profile);
    let begun = Instant::now();
    if wanted == Tier::A {
        environment::name_proxy(&mut profile.variables, net::HTTP_PORT, net::SOCKS_PORT);
        inside(&mut profile);
        let first = start(Tier::A, &profile, &view, command);
        match first {
            Err(error) if unavailable(&error) => {
                // Only a machine that does not reach the tier leads to another one, and only if that one will do.
                let found = probe::probe();
                match found.lacks_a {
                    None => return Err(error),
                    Some(lack) if profile.tier == Some(Tier::A) || profile.minimum > Tier::B => {
                        return Err(ContainError::Unavailable { wanted: Tier::A, lack });
                    }
                    Some(_) => {}
                }
            }
            Err(error) => return Err(error),
            Ok(run) => return run.supervise(&profile, &view, command, rules, observer, begun),
        }
    }
    if let Some(lack) = probe::probe().lacks_b {
        return Err(ContainError::Unavailable { wanted: Tier::B, lack });
    }
    behalf::run(profile, &view, command, rules, observer, begun)
}

/// What must hold of every profile.
fn check(profile: &Profile) -> Result<()> {
    if let Some(wide) = profile.write.iter().find(|w| profile.home.is_under(w) || profile.state.is_under(w)) {
        return Err(ContainError::TooWide { project: wide.to_string() });
    }
    if profile.tier.is_some_and(|t| t < profile.minimum) {
        let lack = probe::Lack::Other(format!("policy wants tier {} at least", profile.minimum));
        return Err(ContainError::Unavailable { wanted: profile.minimum, lack });
    }
    Ok(())
}

/// Variables whose values are other inside.
fn inside(profile: &mut Profile) {
    for name in ["TMPDIR", "TMP", "TEMP", "XDG_RUNTIME_DIR"] {
        profile.variables.retain(|(n, _)| n != name);
    }
    let home = profile.home.to_string();
    environment::set(&mut profile.variables, "HOME", home);
    let cwd = profile.cwd.to_string();
    environment::set(&mut profile.variables, "PWD", cwd);
    // For programs that want to know; nothing is decided by it.
    environment::set(&mut profile.variables, "AMBIT_CONTAINED", "A");
}

fn unavailable(error: &ContainError) -> bool {
    matches!(error, ContainError::Setup { .. } | ContainError::Silent)
}

/// A launcher that has been started and has built its root.
#[derive(Debug)]
struct Run {
    launcher: Pid,
    words: OwnedFd,
    signals: OwnedFd,
    guardian: Guardian,
    /// The lock on the caches' upper layers is held as long as this lives.
    caches: caches::Caches,
    ready: Ready,
}

#[derive(Debug)]
struct Ready {
    sockets: Vec<OwnedFd>,
    watcher: Option<OwnedFd>,
    watches: Vec<(i32, u32)>,
    without: Vec<String>,
}

fn start(tier: Tier, profile: &Profile, view: &View, command: &[OsString]) -> Result<Run> {
    let filters = Filters::of(tier)?;
    let caches = caches::prepare(profile, view);
    let aside = aside(profile);
    // Before the command can do anything.
    let guardian = Guardian::begin(view.protection.watched.clone(), aside);
    let signals = hold()?;
    let (words, theirs) = wire::pair()?;
    let plan = Plan {
        tier,
        profile,
        view,
        caches: &caches.all,
        filters: &filters,
        command,
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
    };
    let launcher =
        match sys::clone_into(super::NAMESPACES).map_err(|e| ContainError::setup("making namespaces", e))? {
            Split::Child => {
                drop(words);
                drop(signals);
                launch::init(&plan, &theirs)
            }
            Split::Parent(pid) => pid,
        };
    drop(theirs);
    match wire::receive(&words) {
        Ok(Some((Word::Ready { watcher, watches, without }, mut descriptors))) => {
            let watcher = if watcher { descriptors.pop() } else { None };
            let ready = Ready { sockets: descriptors, watcher, watches, without };
            Ok(Run { launcher, words, signals, guardian, caches, ready })
        }
        other => {
            let _ = sys::signal(launcher, libc::SIGKILL);
            reap(launcher);
            Err(match other? {
                Some((Word::Failed(failure), _)) => failure.into(),
                _ => ContainError::Silent,
            })
        }
    }
}

/// Holds back the signals that the supervisor hands on or lives by.
pub(super) fn hold() -> Result<OwnedFd> {
    let mut held = HANDED_ON.to_vec();
    held.push(libc::SIGCHLD);
    sys::hold_signals(&held).map_err(|e| ContainError::setup("holding signals", e))
}

/// Mends what was done to protected names and tells of it; whether there was any.
pub(super) fn tell_broken(guardian: &Guardian, observer: &dyn Observer) -> bool {
    let broken = guardian.mend();
    for name in &broken {
        let target = match &name.aside {
            Some(aside) => format!("{} (set aside as {})", name.path, aside.display()),
            None => format!("{} (as it was before)", name.path),
        };
        observer.observe(Event::Denied { why: Denied::Protected, pid: None, target });
    }
    !broken.is_empty()
}

/// Where what was made under protected names is put.
pub(super) fn aside(profile: &Profile) -> PathBuf {
    let run = format!(
        "{}-{}",
        std::process::id(),
        rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_nsec
    );
    profile.state.as_std().join("aside").join(run)
}

/// Takes the launcher's end; also when it ended long ago.
fn reap(launcher: Pid) {
    while matches!(
        rustix::process::waitpid(Some(launcher), WaitOptions::empty()),
        Err(rustix::io::Errno::INTR)
    ) {}
}

/// How the command ended, as far as was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Status(u8),
    /// Ended for something that it did.
    Stopped,
    /// The launcher has gone without a word.
    Lost,
}

impl Run {
    fn supervise(
        mut self,
        profile: &Profile,
        view: &View,
        command: &[OsString],
        rules: RulesMaker,
        observer: &Arc<dyn Observer>,
        begun: Instant,
    ) -> Result<u8> {
        let without = std::mem::take(&mut self.ready.without);
        let mut network = Network::new(std::mem::take(&mut self.ready.sockets), rules, observer);
        let outcome = self.attend(profile, view, command, &mut network, observer, without);
        // Whatever happened, no process of the command is left after this.
        let _ = sys::signal(self.launcher, libc::SIGKILL);
        reap(self.launcher);
        network.stop();
        self.tell_decoys(view, observer);
        let broken = tell_broken(&self.guardian, observer.as_ref());
        drop(self.caches);
        let status = match outcome? {
            End::Status(status) if !broken => status,
            // 128 and SIGKILL, as a shell tells of a command that was killed.
            End::Status(_) | End::Stopped | End::Lost => 137,
        };
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        observer.observe(Event::End { status, millis });
        Ok(status)
    }

    fn attend(
        &self,
        profile: &Profile,
        view: &View,
        command: &[OsString],
        network: &mut Network,
        observer: &Arc<dyn Observer>,
        without: Vec<String>,
    ) -> Result<End> {
        let mut start = Some(Event::Start { tier: Tier::A, without });
        let mut questions: Option<OwnedFd> = None;
        let pause = profile.limits.memory_bytes.map(|_| MEMORY_LOOK);
        loop {
            let mut waits =
                vec![PollFd::new(&self.words, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
            let fixed = waits.len();
            let optional = [questions.as_ref(), self.guardian.watcher(), self.ready.watcher.as_ref()];
            // A place that is empty waits for what is never there, so that places keep their numbers.
            for fd in optional {
                waits.push(match fd {
                    Some(fd) => PollFd::new(fd, PollFlags::IN),
                    None => PollFd::new(&self.words, PollFlags::empty()),
                });
            }
            for socket in network.waiting() {
                waits.push(PollFd::new(socket, PollFlags::IN));
            }
            match poll(&mut waits, pause.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(ContainError::setup("waiting", e)),
            }
            let ready: Vec<PollFlags> = waits.iter().map(PollFd::revents).collect();
            drop(waits);
            let on = |at: usize| {
                ready.get(at).is_some_and(|r| r.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR))
            };
            if let (true, Some(listener)) = (on(fixed), &questions) {
                let open = notify::serve(listener, |fd, question| {
                    // The first question is the command's own program: everything stands now.
                    match start.take() {
                        Some(event) => {
                            observer.observe(event);
                            observer.observe(notify::first(question, command));
                            notify::go_on(fd, question);
                        }
                        None => notify::answer_and_tell(fd, question, observer.as_ref()),
                    }
                });
                let hung_up = ready.get(fixed).is_some_and(|r| r.contains(PollFlags::HUP));
                if !open || hung_up {
                    questions = None;
                }
            }
            if on(fixed + 1) && self.guardian.is_broken() {
                return Ok(End::Stopped);
            }
            if on(fixed + 2) {
                self.tell_decoys(view, observer);
            }
            if ready.iter().skip(fixed + 3).any(|r| !r.is_empty()) {
                network.serve()?;
            }
            if on(1) {
                while let Some(came) = sys::next_signal(&self.signals) {
                    // A key on the terminal has reached the command already.
                    if came.signal != libc::SIGCHLD && !came.by_kernel {
                        wire::send(self.words.as_fd(), &Word::Signal(came.signal), &[])?;
                    }
                }
            }
            if on(0) {
                match wire::receive(&self.words)? {
                    Some((Word::Asking { .. }, mut descriptors)) => questions = descriptors.pop(),
                    Some((Word::Failed(failure), _)) => return Err(failure.into()),
                    Some((Word::Ended { status, signal }, _)) => {
                        return Ok(End::Status(shell_status(status, signal)));
                    }
                    Some(_) => {}
                    None => return Ok(End::Lost),
                }
            }
            if let Some(most) = profile.limits.memory_bytes
                && super::memory::held_below(self.launcher) > most
            {
                let target = format!("{most} bytes of memory");
                observer.observe(Event::Denied { why: Denied::Limit, pid: None, target });
                return Ok(End::Stopped);
            }
        }
    }

    /// Tells of the decoys that were opened since the last time.
    fn tell_decoys(&self, view: &View, observer: &Arc<dyn Observer>) {
        let Some(watcher) = &self.ready.watcher else { return };
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(watcher, &mut space);
        let mut told: Vec<i32> = Vec::new();
        while let Ok(event) = reader.next() {
            let number = event.wd();
            // The end of the private files also ends their watches, and tells so.
            if !event.events().contains(inotify::ReadFlags::OPEN) {
                continue;
            }
            if told.contains(&number) {
                continue;
            }
            told.push(number);
            let made = self.ready.watches.iter().find(|(n, _)| *n == number);
            let made = made.and_then(|(_, at)| view.made.get(usize::try_from(*at).ok()?));
            if let Some(made) = made {
                let target = made.path.to_string();
                observer.observe(Event::Denied { why: Denied::Credential, pid: None, target });
            }
        }
    }
}

/// As a shell tells it.
pub(super) fn shell_status(status: Option<i32>, signal: Option<i32>) -> u8 {
    let number = match (status, signal) {
        (Some(status), _) => status,
        (_, Some(signal)) => 128 + signal,
        _ => 1,
    };
    u8::try_from(number).unwrap_or(1)
}

/// The command's network: its sockets wait here; the proxy starts with the first that comes.
pub(super) struct Network {
    sockets: Vec<OwnedFd>,
    rules: Option<RulesMaker>,
    observer: Arc<dyn Observer>,
    server: Option<egress::Server>,
}

/// Hands the proxy's events on.
struct Passing(Arc<dyn Observer>);

impl egress::Observer for Passing {
    fn event(&self, event: egress::Event) {
        self.0.observe(Event::Network(event));
    }
}

impl Network {
    /// `sockets` in the order of [`net::raise`]; shorter ones lack the last.
    pub(super) fn new(sockets: Vec<OwnedFd>, rules: RulesMaker, observer: &Arc<dyn Observer>) -> Self {
        Self { sockets, rules: Some(rules), observer: Arc::clone(observer), server: None }
    }

    /// The sockets on which is still waited here.
    pub(super) fn waiting(&self) -> &[OwnedFd] {
        &self.sockets
    }

    /// Starts the proxy.
    pub(super) fn serve(&mut self) -> Result<()> {
        let Some(rules) = self.rules.take() else { return Ok(()) };
        let mut sockets = std::mem::take(&mut self.sockets).into_iter();
        let mut listeners = egress::Listeners::default();
        listeners.http.extend(sockets.next().map(Into::into));
        listeners.socks.extend(sockets.next().map(Into::into));
        listeners.direct.extend(sockets.by_ref().take(net::DIRECT_PORTS.len()).map(Into::into));
        listeners.dns_udp.extend(sockets.next().map(Into::into));
        listeners.dns_tcp.extend(sockets.next().map(Into::into));
        let passing = Arc::new(Passing(Arc::clone(&self.observer)));
        let resolver = Arc::new(egress::SystemResolver);
        let server = egress::serve(listeners, Arc::new(rules()), passing, resolver)
            .map_err(|e| ContainError::setup("serving the command's network", std::io::Error::other(e)))?;
        self.server = Some(server);
        Ok(())
    }

    /// Ends every connection.
    pub(super) fn stop(&mut self) {
        self.sockets.clear();
        if let Some(server) = self.server.take() {
            server.shutdown();
        }
    }
}
