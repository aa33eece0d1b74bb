//! Running one program with a time limit, and ending what it started.

use crate::KitError;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How a bounded run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` when a signal ended it.
    pub(crate) exit_code: Option<i32>,
    pub(crate) timed_out: bool,
    pub(crate) wall: Duration,
}

/// Runs `command` in a process group of its own, its output going to files (a pipe would stay open as long as any
/// grandchild lives). After `limit` the group, and only the group, is killed.
pub(crate) fn run_bounded(
    command: &mut Command,
    limit: Duration,
    stdout: &Path,
    stderr: &Path,
) -> Result<Ended, KitError> {
    let create = |path: &Path| File::create(path).map_err(|e| KitError::file(path, e));
    command.stdin(Stdio::null()).stdout(create(stdout)?).stderr(create(stderr)?).process_group(0);
    let start = Instant::now();
    let mut child = command.spawn().map_err(|e| KitError::start(command.get_program().display(), e))?;
    let (exit_code, timed_out) = wait(&mut child, start + limit)?;
    Ok(Ended { exit_code, timed_out, wall: start.elapsed() })
}

/// Waits until `end`, then kills the child's process group. Returns the exit code and whether time ran out.
pub(crate) fn wait(child: &mut Child, end: Instant) -> Result<(Option<i32>, bool), KitError> {
    let failed = |e| KitError::start("waiting for the agent", e);
    while Instant::now() < end {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok((status.code(), false));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    kill_group(child);
    child.wait().map_err(failed)?;
    Ok((None, true))
}

/// Kills the process group that `child` leads.
pub(crate) fn kill_group(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may be gone already; then there is nothing to end.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let (out, err) = (dir.path().join("out"), dir.path().join("err"));
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 50 & echo $!; wait"]);
        let ended = run_bounded(&mut command, Duration::from_millis(400), &out, &err).unwrap();
        assert!(ended.timed_out && ended.exit_code.is_none() && ended.wall < Duration::from_secs(20));
        let pid = std::fs::read_to_string(&out).unwrap();
        // Killed, though it may not have been torn down or reaped yet: a dead process has an empty command line.
        let path = format!("/proc/{}/cmdline", pid.trim());
        let end = Instant::now() + Duration::from_secs(20);
        while !std::fs::read(&path).unwrap_or_default().is_empty() {
            assert!(Instant::now() < end, "the grandchild lives on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
