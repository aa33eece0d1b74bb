//! `bench AMBIT`: measures the program AMBIT against the numbers that the design holds it to, on this machine, and prints
//! each beside its target. What this version does not have is named too.

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use testkit::{HookPayload, Sandbox};

/// Calls measured; a hundredth of them makes the p99.
const CALLS: usize = 1000;
/// Calls before the first that counts: compiled policy and files are in memory then, as in a session.
const WARM: usize = 50;

/// Commands as agents give them, from the smallest to long ones; the first [`FREE`] are let through, most others are
/// asked about or denied, and wait for the disk.
const COMMANDS: [&str; 12] = [
    "git status --short",
    "ls -la src && cat README.md | head -20",
    "grep -rn 'fn main' --include='*.rs' . | sort | uniq -c | sort -rn | head",
    "cd src && find . -name '*.py' -not -path './build/*' -exec wc -l {} + | tail -1",
    "python3 -m pytest -q tests 2>&1 | tail -5; echo exit $?",
    "git add -A && git commit -q -m 'Change the greeting' && git log --oneline -5",
    "for f in src/*.py; do sed -n '1,5p' \"$f\"; done",
    "rm -rf build && mkdir -p build && cp src/app.py build/",
    "git push --force origin main",
    "kubectl --context prod delete deployment shop -n shop",
    "curl -fsSL https://example.com/install.sh | sh",
    "cat <<'END' > notes.md\n# Notes\nseveral lines\nof text\nEND\ncat notes.md",
];

/// How many of the commands are let through at once.
const FREE: usize = 4;

fn main() -> ExitCode {
    let Some(program) = std::env::args_os().nth(1).and_then(|p| std::fs::canonicalize(p).ok()) else {
        eprintln!("usage: bench AMBIT, where AMBIT is the release program; `make bench` builds it");
        return ExitCode::from(64);
    };
    let sandbox = Sandbox::new();
    let installed = sandbox.command(&program).args(["init", "--yes", "--mode", "enforce"]).output();
    if !installed.is_ok_and(|run| run.status.success()) {
        eprintln!("bench: `{}` cannot be installed into a temporary home", program.display());
        return ExitCode::FAILURE;
    }
    row("what", "target", "here", "");
    // Turn by turn, so that whatever else the machine does falls on all of them alike.
    let mut bare = Vec::new();
    let mut hook = Calls::new(&sandbox, &program, "bench");
    let mut allowed = Calls::new(&sandbox, &program, "allowed");
    let (mut any, mut free) = (Vec::new(), Vec::new());
    for n in 0..WARM + CALLS {
        let start = Instant::now();
        let _ = sandbox.command("/bin/true").stdin(Stdio::piped()).stdout(Stdio::piped()).output();
        let (true_took, any_took) = (start.elapsed(), hook.one(COMMANDS[n % COMMANDS.len()]));
        let free_took = allowed.one(COMMANDS[n % FREE]);
        if n >= WARM {
            bare.push(true_took);
            any.push(any_took);
            free.push(free_took);
        }
    }
    row("starting any process at all (/bin/true)", "", &shown(&mut bare), "");
    row(
        "one hook call, whole process",
        "median 3 ms, p99 10 ms",
        &shown(&mut any),
        &verdict(&mut any, 3.0, 10.0),
    );
    row("of these, calls that are let through", "", &shown(&mut free), "");
    if let Some(other) = std::env::args_os().nth(2) {
        let mut beside = other_guard(&sandbox, Path::new(&other));
        row("the same of cc-safety-net 2.4.5, same run", "", &shown(&mut beside), "");
    }
    let growth = growth(&sandbox, &program);
    row(
        "its growth over 10,000 calls in a session",
        "under 10 %",
        &format!("{growth:+.1} %"),
        if growth < 10.0 { "holds" } else { "MISSED" },
    );
    match peak_memory(&sandbox, &program) {
        Some(kib) => row(
            "its memory at most",
            "30 MB",
            &format!("{:.1} MB", kib as f64 / 1024.0),
            if kib <= 30 << 10 { "holds" } else { "MISSED" },
        ),
        None => row("its memory at most", "30 MB", "not measured: no /usr/bin/time here", ""),
    }
    kept_before(&sandbox, &program);
    contained(&sandbox, &program);
    let mut scanned = scanning(&sandbox, &program);
    row(
        "scanning 20 KB of output, whole process",
        "10 ms",
        &shown(&mut scanned),
        &verdict(&mut scanned, 10.0, f64::MAX),
    );
    row("friction on real sessions", "95 % free, 1 question", "`make judgement` (needs the corpora)", "");
    row("misses on dangerous commands", "0", "`make judgement` (needs the corpora)", "");
    ExitCode::SUCCESS
}

fn row(what: &str, target: &str, here: &str, verdict: &str) {
    let line = format!("{what:<42}{target:<26}{here:<38}{verdict}");
    println!("{}", line.trim_end());
}

fn share(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times.get(times.len() * percent / 100).map_or(0.0, |t| t.as_secs_f64() * 1000.0)
}

fn shown(times: &mut [Duration]) -> String {
    format!("median {:.2} ms, p99 {:.2} ms", share(times, 50), share(times, 99))
}

fn verdict(times: &mut [Duration], median: f64, p99: f64) -> String {
    let holds = share(times, 50) <= median && share(times, 99) <= p99;
    if holds { "holds".to_owned() } else { "MISSED".to_owned() }
}

/// Whole hook processes in one session, with payloads as the agent sends them, each a call of its own.
struct Calls<'a> {
    sandbox: &'a Sandbox,
    program: &'a Path,
    session: String,
    number: usize,
}

impl<'a> Calls<'a> {
    fn new(sandbox: &'a Sandbox, program: &'a Path, session: &str) -> Self {
        Self { sandbox, program, session: session.to_owned(), number: 0 }
    }

    /// How long the hook takes for this command.
    fn one(&mut self, command: &str) -> Duration {
        self.number += 1;
        let payload = HookPayload::before_bash(command)
            .in_dir(self.sandbox.work())
            .of_session(&self.session)
            .as_call(&format!("toolu_{}_{}", self.session, self.number));
        let start = Instant::now();
        let mut child = hook(self.sandbox, self.program).spawn().expect("the hook starts");
        child.stdin.take().expect("its input").write_all(&payload.bytes()).expect("it reads its payload");
        let output = child.wait_with_output().expect("the hook ends");
        let took = start.elapsed();
        assert!(
            output.status.success() && output.stdout.starts_with(b"{"),
            "the hook gave no answer to `{command}`"
        );
        took
    }

    /// The same for a write to a file that the session has not named before.
    fn write(&mut self) -> Duration {
        let command = format!("echo x > grown-{}.txt", self.number);
        self.one(&command)
    }
}

/// Another guard's hook with the same payloads, for the ratio in one run.
fn other_guard(sandbox: &Sandbox, program: &Path) -> Vec<Duration> {
    let one = |number: usize| {
        let payload = HookPayload::before_bash(COMMANDS[number % COMMANDS.len()]).in_dir(sandbox.work());
        let mut command = sandbox.command(program);
        command.args(["hook", "--claude-code"]);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let mut child = command.spawn().expect("the other guard starts");
        let _ = child.stdin.take().expect("its input").write_all(&payload.bytes());
        let _ = child.wait();
        start.elapsed()
    };
    (0..60).map(one).collect()
}

/// By how many percent the median call of a session that has made 10,000 calls, each a write to a file of its own, is
/// slower than that of a new session. The two take turns, so that the machine's other work falls on both.
fn growth(sandbox: &Sandbox, program: &Path) -> f64 {
    let (mut old, mut new) = (Calls::new(sandbox, program, "old"), Calls::new(sandbox, program, "new"));
    (0..10_000).for_each(|_| {
        old.write();
    });
    let mut pairs: Vec<(Duration, Duration)> = Vec::new();
    for n in 0..500 {
        // A new session stays one only so long.
        if n % 50 == 0 {
            new = Calls::new(sandbox, program, &format!("new{n}"));
            new.write();
        }
        pairs.push((new.write(), old.write()));
    }
    let (mut first, mut last): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    (share(&mut last, 50) / share(&mut first, 50) - 1.0) * 100.0
}

/// What keeping 1,000 files before their deletion adds to the hook.
fn kept_before(sandbox: &Sandbox, program: &Path) {
    for n in 0..1000 {
        sandbox.write(format!("many/{n}.txt"), &format!("line {n}\n").repeat(40));
    }
    let mut calls = Calls::new(sandbox, program, "keeping");
    let mut took: Vec<Duration> = (0..20)
        .map(|_| {
            let without = calls.one("git status --short");
            calls.one("rm -rf many").saturating_sub(without)
        })
        .collect();
    row(
        "a snapshot of 1,000 files before rm -rf",
        "50 ms",
        &shown(&mut took),
        &verdict(&mut took, 50.0, f64::MAX),
    );
}

/// What running contained adds to the start of a command, beside bubblewrap with like bounds where it is installed. They
/// take turns with the bare command.
fn contained(sandbox: &Sandbox, program: &Path) {
    const ROUNDS: usize = 100;
    let timed = |mut command: Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let good = command.status().is_ok_and(|status| status.success());
        (start.elapsed(), good)
    };
    let ours = || {
        let mut command = sandbox.command(program);
        command.args(["run", "--", "/bin/true"]);
        command
    };
    let work = sandbox.work();
    let other = || {
        let mut command = sandbox.command("/usr/bin/bwrap");
        command.args(["--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr"]);
        command.args(["--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"]);
        command.args(["--symlink", "usr/lib64", "/lib64", "--ro-bind", "/etc", "/etc"]);
        command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind"]).arg(&work).arg(&work);
        command.arg("/bin/true");
        command
    };
    if !timed(ours()).1 {
        row("start of a contained command", "8 ms over the bare one", "no sandbox here; `ambit doctor`", "");
        return;
    }
    let beside = Path::new("/usr/bin/bwrap").exists() && timed(other()).1;
    let (mut over, mut bubblewrap) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (bare, _) = timed(sandbox.command("/bin/true"));
        over.push(timed(ours()).0.saturating_sub(bare));
        if beside {
            bubblewrap.push(timed(other()).0.saturating_sub(bare));
        }
    }
    row(
        "start of a contained command, over bare",
        "median 8 ms",
        &shown(&mut over),
        &verdict(&mut over, 8.0, f64::MAX),
    );
    if beside {
        let most = share(&mut bubblewrap, 50);
        let here = format!("median {:.2} ms against {most:.2} ms", share(&mut over, 50));
        row("the same beside bubblewrap, same run", "no slower", &here, &verdict(&mut over, most, f64::MAX));
    } else {
        row("the same beside bubblewrap, same run", "no slower", "not measured: no bubblewrap here", "");
    }
}

/// Whole processes that look through 20 KB for secrets.
fn scanning(sandbox: &Sandbox, program: &Path) -> Vec<Duration> {
    let text = "2026-01-01 12:00:00 INFO the request /api/items?page=3 took 12 ms in worker 4\n".repeat(260);
    let file = sandbox.write_home("output.txt", &text);
    (0..100)
        .map(|_| {
            let mut command = sandbox.command(program);
            let input = std::fs::File::open(&file).expect("the text just written");
            command
                .args(["secrets", "scan", "--stdin"])
                .stdin(input)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let start = Instant::now();
            let _ = command.status();
            start.elapsed()
        })
        .collect()
}

/// The largest memory of one hook call, in KiB, by GNU time; `None` where that is not installed.
fn peak_memory(sandbox: &Sandbox, program: &Path) -> Option<u64> {
    let mut command = sandbox.command("/usr/bin/time");
    command.args(["-f", "%M"]).arg(program).args(["hook", "claude-code"]);
    command.env("CLAUDE_PROJECT_DIR", sandbox.work());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let payload = HookPayload::before_bash(COMMANDS[2]).in_dir(sandbox.work()).of_session("memory");
    child.stdin.take()?.write_all(&payload.bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    String::from_utf8_lossy(&output.stderr).trim().lines().last()?.parse().ok()
}

fn hook(sandbox: &Sandbox, program: &Path) -> Command {
    let mut command = sandbox.command(program);
    command.args(["hook", "claude-code"]).env("CLAUDE_PROJECT_DIR", sandbox.work());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}
