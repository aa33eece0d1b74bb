//! What a command prints for an agent, looked through for secrets on its way.

use anyhow::{Context as _, Result};
use guard::{Filter, Ticket};
use jiff::Timestamp;
use ledger::{Durability, Kind, Ledger, Options, Record};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{fcntl_dupfd_cloexec, read, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::stdio::{dup2_stderr, dup2_stdout, stderr, stdout};
use rustix::time::Timespec;
use secrets::{Found, Vault};
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// After how long without output what waits for its end of line is passed on, in milliseconds: a prompt has none.
const IDLE_MS: i64 = 50;
/// How often nothing may come after the command's end until the rest is given up: something still holds the pipe.
const LAST: u32 = 6;

/// What one stream had hidden, with the values.
type Hidden = (Vault, Vec<Found>);

/// Standard output and error of this process, and so of what it starts, led through a redactor each.
pub(super) struct Filtered {
    filter: Arc<Filter>,
    ended: Arc<AtomicBool>,
    /// What is read from and where it goes, until the threads for it run.
    waiting: Vec<(OwnedFd, OwnedFd)>,
    pumps: Vec<JoinHandle<rustix::io::Result<Hidden>>>,
    own: [OwnedFd; 2],
}

impl Filtered {
    /// Leads what is printed from now on through the filter, which waits for [`Filtered::start`]: a contained command
    /// begins as a copy of this process, which must have no other thread then.
    ///
    /// # Errors
    /// When that cannot be done: then the command must not run.
    pub(super) fn begin(filter: Filter) -> Result<Self> {
        let own = [fcntl_dupfd_cloexec(stdout(), 3)?, fcntl_dupfd_cloexec(stderr(), 3)?];
        let same = {
            let (out, err) = (rustix::fs::fstat(&own[0])?, rustix::fs::fstat(&own[1])?);
            (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)
        };
        let (filter, ended) = (Arc::new(filter), Arc::new(AtomicBool::new(false)));
        let mut waiting = Vec::new();
        let mut lead = |to: &OwnedFd| -> Result<OwnedFd> {
            let (from, into) = pipe_with(PipeFlags::CLOEXEC)?;
            waiting.push((from, fcntl_dupfd_cloexec(to, 3)?));
            Ok(into)
        };
        let out = lead(&own[0])?;
        dup2_stdout(&out)?;
        // Where both go to one place, their order there stays.
        if same {
            dup2_stderr(&out)?;
        } else {
            dup2_stderr(lead(&own[1])?)?;
        }
        Ok(Self { filter, ended, waiting, pumps: Vec::new(), own })
    }

    /// Begins to pass on what is printed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(&mut self) -> std::io::Result<()> {
        for (from, to) in self.waiting.drain(..) {
            let (filter, ended) = (Arc::clone(&self.filter), Arc::clone(&self.ended));
            self.pumps.push(std::thread::Builder::new().spawn(move || pump(&filter, &from, &to, &ended))?);
        }
        Ok(())
    }

    /// Waits for the rest, gives this process its own output back, and says what was hidden.
    ///
    /// # Errors
    /// When the output could not be passed on whole, or what was hidden could not be kept.
    pub(super) fn finish(self) -> Result<Vec<Found>> {
        dup2_stdout(&self.own[0])?;
        dup2_stderr(&self.own[1])?;
        self.ended.store(true, Ordering::Release);
        let (mut all, mut found) = (Vault::new(), Vec::new());
        let mut broken = None;
        for pump in self.pumps {
            match pump.join() {
                Ok(Ok((vault, more))) => {
                    all.merge(&vault);
                    found.extend(more);
                }
                // Nobody reads any more.
                Ok(Err(rustix::io::Errno::PIPE)) => {}
                Ok(Err(e)) => broken = Some(e.to_string()),
                Err(_) => broken = Some("the filter failed".to_owned()),
            }
        }
        self.filter.keep(&all)?;
        match broken {
            Some(why) => anyhow::bail!("what the command printed was not passed on whole: {why}"),
            None => Ok(found),
        }
    }
}

fn pump(filter: &Filter, from: &OwnedFd, to: &OwnedFd, ended: &AtomicBool) -> rustix::io::Result<Hidden> {
    let mut redactor = filter.redactor();
    let (mut vault, mut buffer, mut out) = (Vault::new(), vec![0_u8; 64 << 10], Vec::new());
    let mut quiet = 0;
    loop {
        let mut fds = [PollFd::new(from, PollFlags::IN)];
        let wait = Timespec { tv_sec: 0, tv_nsec: IDLE_MS * 1_000_000 };
        match poll(&mut fds, Some(&wait)) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(e),
            Ok(0) => {
                redactor.idle(&mut out, &mut vault);
                pass(to, &mut out)?;
                quiet += 1;
                if ended.load(Ordering::Acquire) && quiet >= LAST {
                    break;
                }
                continue;
            }
            Ok(_) => quiet = 0,
        }
        match read(from, &mut *buffer) {
            Ok(0) => break,
            Ok(count) => redactor.write(buffer.get(..count).unwrap_or_default(), &mut out, &mut vault),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(e) => return Err(e),
        }
        pass(to, &mut out)?;
    }
    let found = redactor.finish(&mut out, &mut vault);
    pass(to, &mut out)?;
    Ok((vault, found))
}

/// Writes all of `out` and empties it.
fn pass(to: &OwnedFd, out: &mut Vec<u8>) -> rustix::io::Result<()> {
    let mut rest = out.as_slice();
    while !rest.is_empty() {
        match write(to, rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            // Whoever reads is slow and has made the pipe non-blocking.
            Err(rustix::io::Errno::AGAIN) => {
                let mut fds = [PollFd::from_borrowed_fd(to.as_fd(), PollFlags::OUT)];
                let _ = poll(&mut fds, None);
            }
            Err(e) => return Err(e),
        }
    }
    out.clear();
    Ok(())
}

/// Records what was hidden from the agent.
///
/// # Errors
/// When the ledger takes no record.
pub(super) fn record(state: &Path, ticket: &Ticket, found: &[Found]) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let kinds: BTreeSet<&str> = found.iter().map(|f| f.kind.as_str()).collect();
    let mut record = Record::new(Kind::SECRET_HIDDEN)
        .session(ticket.session.as_str())
        .agent(ticket.agent.as_str())
        .with("tool", "shell")
        .with("kinds", kinds.into_iter().collect::<Vec<_>>())
        .with("count", found.len());
    if let Some(call) = &ticket.call {
        record = record.call(call.as_str());
    }
    let _recorded = Ledger::open(state, Options::default())?
        .append(&record, Durability::Relaxed, Timestamp::now())
        .context("that secrets were hidden could not be recorded")?;
    Ok(())
}

/// Runs a command without bounds; signals that ask this process to end are passed on to it. The status is the shell's:
/// 128 and the signal's number for one that a signal ended.
///
/// # Errors
/// When it cannot be started.
pub(super) fn run_open(command: &[std::ffi::OsString]) -> Result<u8> {
    let (program, words) = command.split_first().context("there is no command")?;
    let mut child = Command::new(program).args(words).spawn().context("the shell cannot be started")?;
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let mut signals = signal_hook::iterator::Signals::new([
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGHUP,
        signal_hook::consts::SIGQUIT,
    ])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let signal = rustix::process::Signal::from_named_raw(signal);
            if let (Some(pid), Some(signal)) = (pid, signal) {
                // It may have ended already.
                let _ = rustix::process::kill_process(pid, signal);
            }
        }
    });
    let status = child.wait()?;
    let code = status.code().or_else(|| status.signal().map(|s| 128 + s)).unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(1))
}
