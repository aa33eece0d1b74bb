//! The supervisor: starts the launcher, serves the command's network, answers what is asked, tells what happens, and
//! ends when the command has ended.

use super::guardian::Guardian;
use super::launch::{self, Filters, Plan};
use super::sys::{self, Split};
use super::wire::{self, Word};
use super::{behalf, caches, net, notify};
use crate::environment;
use crate::error::{ContainError, Result};
use crate::observer::{Denied, Event, Observer};
use crate::probe;
use crate::profile::{Profile, Tier};
use crate::view::View;
use crate::{RulesMaker, Started};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::inotify;
use rustix::process::{Pid, WaitOptions};
use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Signals that are handed on to the command, beside `SIGCHLD`, which tells of the launcher's end.
const HANDED_ON: &[libc::c_int] =
    &[libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// How often memory is looked at where it is bounded.
const MEMORY_LOOK: Duration = Duration::from_millis(200);
/// How often protected names are looked at until they are watched, and when they are.
const NAMES_LOOK: Duration = Duration::from_millis(5);
const NAMES_WATCHED: Duration = Duration::from_millis(150);

/// When the supervisor looks at what nothing tells it of.
pub(super) struct Looks {
    begun: Instant,
    memory: bool,
    armed: bool,
}

impl Looks {
    pub(super) fn new(profile: &Profile) -> Self {
        Self { begun: Instant::now(), memory: profile.limits.memory_bytes.is_some(), armed: false }
    }

    /// How long to wait for anything else.
    pub(super) fn pause(&self) -> Option<Timespec> {
        let pause = match (self.armed, self.memory) {
            (false, _) => NAMES_LOOK,
            (true, true) => MEMORY_LOOK,
            (true, false) => return None,
        };
        Timespec::try_from(pause).ok()
    }

    /// Whether protected names are to be looked at; arms the guardian when it is time. `told` says that its watcher told.
    pub(super) fn at_names(&mut self, guardian: &mut Guardian, told: bool) -> bool {
        let look = told || !self.armed;
        if !self.armed && self.begun.elapsed() >= NAMES_WATCHED {
            guardian.arm();
            // Even if it could not be: the end of the command looks again.
            self.armed = true;
        }
        look
    }
}

/// Runs a command in bounds and waits for it.
pub(crate) fn run(
    mut profile: Profile,
    command: &[OsString],
    rules: RulesMaker,
    observer: &Arc<dyn Observer>,
    started: Started<'_>,
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
            Ok(run) => {
                begin_caller(started, run.launcher)?;
                return run.supervise(&profile, &view, command, rules, observer, begun);
            }
        }
    }
    if let Some(lack) = super::probe::lacks_b(sys::landlock_version()) {
        return Err(ContainError::Unavailable { wanted: Tier::B, lack });
    }
    behalf::run(profile, &view, command, rules, observer, (started, begun))
}

/// Lets the caller begin what it waited with; where it cannot, nothing is run.
pub(super) fn begin_caller(started: Started<'_>, launcher: Pid) -> Result<()> {
    started().map_err(|e| {
        // The command's program waits for the first answer, which now never comes.
        let _ = sys::signal(launcher, libc::SIGKILL);
        reap(launcher);
        ContainError::setup("beginning to read what the command prints", e)
    })
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
    sockets: Vec<OwnedFd>,
    /// The mount namespace: held, so that the end of the launcher does not wait until the kernel has taken it down.
    mounts: Option<OwnedFd>,
    without: Vec<String>,
    decoys: Decoys,
    /// Where the filter asks. Held until no process is left: closed, it would let calls fail and their callers go on.
    questions: Option<OwnedFd>,
}

/// What is known of decoys.
#[derive(Debug, Default)]
struct Decoys {
    watcher: Option<OwnedFd>,
    /// Numbers of watches and which decoys they stand for.
    watches: Vec<(i32, u32)>,
    /// Those that were told of before the watch began or by it.
    told: Vec<u32>,
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
        Ok(Some((Word::Ready { without }, mut sockets))) => {
            let decoys = Decoys::default();
            // Where overlays insist on having their layers alone, the next run must find them free.
            let mounts = sockets.pop().filter(|_| caches.all.is_empty() || !caches::are_exclusive());
            Ok(Run {
                launcher,
                words,
                signals,
                guardian,
                caches,
                sockets,
                mounts,
                without,
                decoys,
                questions: None,
            })
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
        let without = std::mem::take(&mut self.without);
        let mut network = Network::new(std::mem::take(&mut self.sockets), rules, observer);
        let outcome = self.attend(profile, view, command, &mut network, observer, without);
        // Whatever happened, no process of the command is left after this.
        let _ = sys::signal(self.launcher, libc::SIGKILL);
        reap(self.launcher);
        let sockets = network.stop();
        self.decoys.hear(view, observer.as_ref());
        let broken = tell_broken(&self.guardian, observer.as_ref());
        let status = match outcome? {
            End::Status(status) if !broken => status,
            // 128 and SIGKILL, as a shell tells of a command that was killed.
            End::Status(_) | End::Stopped | End::Lost => 137,
        };
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        observer.observe(Event::End { status, millis });
        let watchers = self.guardian.take_watcher().into_iter().chain(self.decoys.watcher);
        // The next run may take the caches' layers now: nothing uses the mounts that are about to go.
        drop(self.caches);
        sys::close_elsewhere(watchers.chain(sockets).chain(self.mounts).collect());
        Ok(status)
    }

    fn attend(
        &mut self,
        profile: &Profile,
        view: &View,
        command: &[OsString],
        network: &mut Network,
        observer: &Arc<dyn Observer>,
        without: Vec<String>,
    ) -> Result<End> {
        let mut start = Some(Event::Start { tier: Tier::A, without });
        let mut looks = Looks::new(profile);
        loop {
            let mut waits =
                vec![PollFd::new(&self.words, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
            let fixed = waits.len();
            let optional = [self.questions.as_ref(), self.guardian.watcher(), self.decoys.watcher.as_ref()];
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
            match poll(&mut waits, looks.pause().as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(ContainError::setup("waiting", e)),
            }
            let ready: Vec<PollFlags> = waits.iter().map(PollFd::revents).collect();
            drop(waits);
            let on = |at: usize| {
                ready.get(at).is_some_and(|r| r.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR))
            };
            if let (true, Some(listener)) = (on(fixed), &self.questions) {
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
                    self.questions = None;
                }
            }
            let was_armed = looks.armed;
            if looks.at_names(&mut self.guardian, on(fixed + 1)) && self.guardian.is_broken() {
                return Ok(End::Stopped);
            }
            if looks.armed && !was_armed {
                // A launcher that has ended meanwhile has left its last word, which is read next.
                let _ = wire::send(self.words.as_fd(), &Word::Watch, &[]);
            }
            if on(fixed + 2) {
                self.decoys.hear(view, observer.as_ref());
            }
            if ready.iter().skip(fixed + 3).any(|r| !r.is_empty()) {
                network.serve()?;
            }
            if on(1) {
                while let Some(came) = sys::next_signal(&self.signals) {
                    // A key on the terminal has reached the command already.
                    if came.signal != libc::SIGCHLD && !came.by_kernel {
                        let _ = wire::send(self.words.as_fd(), &Word::Signal(came.signal), &[]);
                    }
                }
            }
            if on(0) {
                match wire::receive(&self.words)? {
                    Some((Word::Asking { .. }, mut descriptors)) => self.questions = descriptors.pop(),
                    Some((Word::Failed(failure), _)) => return Err(failure.into()),
                    Some((Word::Watching { watches, opened }, mut descriptors)) => {
                        self.decoys.watcher = descriptors.pop();
                        self.decoys.watches = watches;
                        self.decoys.tell(&opened, view, observer.as_ref());
                    }
                    Some((Word::Ended { status, signal, opened }, _)) => {
                        self.decoys.tell(&opened, view, observer.as_ref());
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
}

impl Decoys {
    /// Hears of the decoys that were opened since the last time.
    fn hear(&mut self, view: &View, observer: &dyn Observer) {
        let mut opened = Vec::new();
        if let Some(watcher) = &self.watcher {
            let mut space = [MaybeUninit::uninit(); 4096];
            let mut reader = inotify::Reader::new(watcher, &mut space);
            while let Ok(event) = reader.next() {
                // The end of the private files also ends their watches, and tells so.
                if event.events().contains(inotify::ReadFlags::OPEN) {
                    let number = event.wd();
                    opened.extend(self.watches.iter().find(|(n, _)| *n == number).map(|(_, at)| *at));
                }
            }
        }
        self.tell(&opened, view, observer);
    }

    /// Tells of decoys, of each once.
    fn tell(&mut self, opened: &[u32], view: &View, observer: &dyn Observer) {
        for at in opened {
            if self.told.contains(at) {
                continue;
            }
            self.told.push(*at);
            if let Some(made) = usize::try_from(*at).ok().and_then(|at| view.made.get(at)) {
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

    /// Ends every connection. Gives back the sockets that nobody came to, whose end takes the kernel a while.
    pub(super) fn stop(&mut self) -> Vec<OwnedFd> {
        if let Some(server) = self.server.take() {
            server.shutdown();
        }
        std::mem::take(&mut self.sockets)
    }
}
