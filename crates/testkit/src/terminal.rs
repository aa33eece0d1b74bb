//! An interactive session in a terminal of its own: what the person would see, and the keys they would press.

use crate::KitError;
use crate::outcome::Outcome;
use crate::process::{kill_group, wait};
use crate::scripted_model::RequestLog;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const ROWS: u16 = 50;
const COLUMNS: u16 = 140;
/// How long the agent's screen must stay as it is before a key is pressed: a dialog that is still being drawn takes none.
const QUIET: Duration = Duration::from_millis(600);

/// A running interactive session. It is ended when dropped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    shown: Arc<Mutex<Shown>>,
    reader: Option<JoinHandle<()>>,
    log: PathBuf,
    offline: bool,
    start: Instant,
    limit: Duration,
}

struct Shown {
    parser: vt100::Parser,
    changed: Instant,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.parser.screen().contents())
    }
}

impl Terminal {
    /// Starts `command` with a new pseudo-terminal as its controlling terminal. `setsid` of util-linux gives it the
    /// terminal, so this process needs no code between fork and exec.
    pub(crate) fn start(
        command: &Command,
        log: PathBuf,
        offline: bool,
        limit: Duration,
    ) -> Result<Self, KitError> {
        let failed = |e: rustix::io::Errno| KitError::start("a pseudo-terminal", e.into());
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keyboard = openpt(flags).map_err(failed)?;
        grantpt(&keyboard).and_then(|()| unlockpt(&keyboard)).map_err(failed)?;
        let name = ptsname(&keyboard, Vec::new()).map_err(failed)?;
        let path = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
        let io = |e: std::io::Error| KitError::file(&path, e);
        let tty = {
            use std::os::unix::fs::OpenOptionsExt;
            let no_ctty = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).expect("a flag of open fits");
            File::options().read(true).write(true).custom_flags(no_ctty).open(&path).map_err(io)?
        };
        tcsetwinsize(&tty, Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 })
            .map_err(failed)?;

        let mut all = Command::new("setsid");
        all.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        all.envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
        all.env("TERM", "xterm-256color");
        if let Some(dir) = command.get_current_dir() {
            all.current_dir(dir);
        }
        all.stdin(tty.try_clone().map_err(io)?).stdout(tty.try_clone().map_err(io)?).stderr(tty);
        let child = all.spawn().map_err(|e| KitError::start("setsid", e))?;
        // The command holds the last copies of the terminal's other side: while it does, no end of file is read.
        drop(all);

        let keyboard = File::from(keyboard);
        let mut screen = keyboard.try_clone().map_err(io)?;
        let parser = vt100::Parser::new(ROWS, COLUMNS, 0);
        let shown = Arc::new(Mutex::new(Shown { parser, changed: Instant::now() }));
        let drawing = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            // An error (EIO) is the end: the last process has closed the terminal.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let mut shown = drawing.lock().expect("no thread panicked while drawing");
                let before = shown.parser.screen().contents();
                shown.parser.process(&bytes[..count]);
                if shown.parser.screen().contents() != before {
                    shown.changed = Instant::now();
                }
            }
        });
        let start = Instant::now();
        Ok(Self { child, keyboard, shown, reader: Some(reader), log, offline, start, limit })
    }

    /// The text on the screen now.
    pub fn screen(&self) -> String {
        self.shown.lock().expect("no thread panicked while drawing").parser.screen().contents()
    }

    /// Waits until the screen shows any of `texts` and then holds still for a moment. `false` when the session's
    /// time limit came first, or the agent ended.
    pub fn wait_for(&mut self, texts: &[&str]) -> bool {
        loop {
            let screen = self.screen();
            let quiet =
                self.shown.lock().expect("no thread panicked while drawing").changed.elapsed() >= QUIET;
            if quiet && texts.iter().any(|text| screen.contains(text)) {
                return true;
            }
            let ended = !matches!(self.child.try_wait(), Ok(None));
            if ended || self.start.elapsed() > self.limit {
                return texts.iter().any(|text| self.screen().contains(text));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses keys: the bytes that a terminal sends for them (`"\r"` Enter, `"\x1b"` Escape, `"1"` …).
    ///
    /// # Panics
    /// When the agent has ended.
    pub fn press(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .unwrap_or_else(|e| panic!("no key can be pressed ({e}):\n{}", self.screen()));
    }

    /// Types a prompt, waits until it stands on the screen, and presses Enter.
    ///
    /// # Panics
    /// When it does not appear.
    pub fn ask(&mut self, prompt: &str) {
        self.press(prompt);
        assert!(self.wait_for(&[prompt]), "the prompt does not appear:\n{}", self.screen());
        self.press("\r");
    }

    /// Waits for Claude's dialog that carries `reason`, and chooses Yes.
    ///
    /// # Panics
    /// When there is no such dialog.
    pub fn agree_to(&mut self, reason: &str) {
        self.dialog(reason);
        self.press("1");
    }

    /// Waits for Claude's dialog that carries `reason`, and leaves it with Escape: No.
    ///
    /// # Panics
    /// When there is no such dialog.
    pub fn refuse(&mut self, reason: &str) {
        self.dialog(reason);
        self.press("\x1b");
    }

    fn dialog(&mut self, reason: &str) {
        let shown = self.wait_for(&[reason]) && self.screen().contains("Yes");
        assert!(shown, "no dialog shows `{reason}`:\n{}", self.screen());
    }

    /// Ends the session and tells what happened in it; `stdout` is the last screen.
    ///
    /// # Errors
    /// When the request log cannot be read.
    pub fn finish(mut self) -> Result<Outcome, KitError> {
        let stdout = self.screen();
        let wall = self.start.elapsed();
        let exit_code = self.end();
        Ok(Outcome {
            exit_code,
            timed_out: wall > self.limit,
            offline: self.offline,
            wall,
            stdout,
            stderr: String::new(),
            requests: RequestLog::at(&self.log).requests()?,
        })
    }

    fn end(&mut self) -> Option<i32> {
        let code = self.child.try_wait().ok().flatten().and_then(|status| status.code());
        if code.is_none() {
            kill_group(&self.child);
        }
        // A child that was killed is gone at once; the wait only takes it off the system's list.
        let _ = wait(&mut self.child, Instant::now() + Duration::from_secs(5));
        if let Some(reader) = self.reader.take() {
            // Without a process namespace something may hold the terminal open: then the thread ends with the test.
            if self.offline {
                let _ = reader.join();
            }
        }
        code
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.end();
    }
}
