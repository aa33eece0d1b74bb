//! A machine in small for one test: a home with credentials, a project, and prizes outside of both.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The user for whom modes count.
pub(crate) const NOBODY: u32 = 65534;

/// No test's command runs longer.
const LONGEST: Duration = Duration::from_secs(45);

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) uid: Option<u32>,
    pub(crate) tier: &'static str,
}

/// Every user as whom this machine lets the tests run.
pub(crate) fn users() -> Vec<Option<u32>> {
    if rustix::process::getuid().is_root() { vec![None, Some(NOBODY)] } else { vec![None] }
}

impl World {
    pub(crate) fn new(tier: &'static str, uid: Option<u32>) -> Self {
        let dir = tempfile::Builder::new().prefix("bounds").tempdir().unwrap();
        let world = Self { dir, uid, tier };
        let files = [
            ("home/.ssh/id_ed25519", "prize"),
            ("home/.netrc", "machine h login a password prize"),
            ("home/.cargo/credentials.toml", "token = \"prize\""),
            ("home/.npmrc", "fund=false\n//r.example/:_authToken=prize\n"),
            ("home/.gitconfig", "[user]\n\tname = Ann\n\temail = ann@example.org\n"),
            ("home/.cache/pip/kept", "from the machine"),
            ("project/.git/HEAD", "ref: refs/heads/main\n"),
            ("project/.git/config", "[core]\n\trepositoryformatversion = 0\n"),
            ("project/.git/hooks/kept", ""),
            ("project/.git/objects/kept", ""),
            ("project/.git/refs/heads/kept", ""),
            ("project/.claude/settings.json", "{}"),
            ("project/.github/workflows/ci.yml", "on: push"),
            ("project/.env", "KEY=prize"),
            ("project/src/a.txt", "a"),
            ("outside/secret", "prize"),
        ];
        for (path, text) in files {
            let path = world.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir_all(world.path("state")).unwrap();
        fs::create_dir_all(world.path("bin")).unwrap();
        for program in ["bounded", "escape"] {
            fs::copy(example(program), world.path("bin").join(program)).unwrap();
        }
        fs::copy(example("escape"), world.path("project/escape")).unwrap();
        world.own(world.dir.path());
        fs::set_permissions(world.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        world
    }

    fn own(&self, path: &Path) {
        let Some(uid) = self.uid else { return };
        chown(path, Some(uid), Some(uid)).unwrap();
        if path.is_dir() && !path.is_symlink() {
            for entry in fs::read_dir(path).unwrap() {
                self.own(&entry.unwrap().path());
            }
        }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(below)
    }

    /// The driver, ready to run a command in bounds. Nothing of the test's own environment comes in but the path.
    pub(crate) fn bounded(&self, options: &[&str], command: &[&str]) -> Command {
        let mut driver = Command::new(self.path("bin/bounded"));
        driver.env_clear().current_dir(self.path("project"));
        driver.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        driver.env("HOME", self.path("home")).env("AWS_SECRET_ACCESS_KEY", "prize");
        if !self.tier.is_empty() {
            driver.args(["--tier", self.tier]);
        }
        driver.arg("--state").arg(self.path("state")).arg("--events").arg(self.path("state/events"));
        if let Some(uid) = self.uid {
            driver.args(["--uid", &uid.to_string()]);
        }
        driver.args(options).arg("--").args(command).stdin(Stdio::null());
        driver
    }

    /// Runs a shell's text in bounds.
    pub(crate) fn sh(&self, text: &str) -> Done {
        self.run(self.bounded(&[], &["/bin/sh", "-c", text]))
    }

    pub(crate) fn run(&self, mut driver: Command) -> Done {
        let child = driver.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Done::of(wait(child), self)
    }

    pub(crate) fn events(&self) -> String {
        fs::read_to_string(self.path("state/events")).unwrap_or_default()
    }
}

/// Waits for a child, but not for ever.
fn wait(child: Child) -> Output {
    let pid = rustix::process::Pid::from_child(&child);
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if told.recv_timeout(LONGEST).is_err() {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    });
    let output = child.wait_with_output().unwrap();
    let _ = tell.send(());
    guard.join().unwrap();
    output
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) events: String,
}

impl Done {
    fn of(output: Output, world: &World) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            events: world.events(),
        }
    }

    /// The output of a run that must have gone well.
    #[track_caller]
    pub(crate) fn good(self) -> String {
        assert_eq!(self.status, Some(0), "{self:#?}");
        self.out
    }
}

fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().join("examples").join(name)
}

/// Waits until something holds, at most five seconds.
pub(crate) fn soon(what: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    what()
}

/// Processes of this machine whose command line holds a text.
pub(crate) fn processes(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(mark) {
            found.push(line);
        }
    }
    found
}
