//! What git has: tracked files, and the lines that commits added. Git runs with everything off that a repository could
//! make it run.

use anyhow::{Context as _, Result, bail};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The longest line of a patch that is kept, in bytes.
const LINE: usize = 1 << 20;

fn git(root: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(root)
        .args([
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "diff.external=",
            "--no-pager",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The files below `root` that git tracks. `None` when there is no repository, or no git.
pub(crate) fn tracked(root: &Path) -> Option<BTreeSet<PathBuf>> {
    let output = git(root)
        .args(["ls-files", "-z", "--full-name", "--", "."])
        .output()
        .ok()
        .filter(|o| o.status.success())?;
    let top =
        git(root).args(["rev-parse", "--show-toplevel"]).output().ok().filter(|o| o.status.success())?;
    let top = PathBuf::from(String::from_utf8(top.stdout).ok()?.trim_end());
    let names = output.stdout.split(|b| *b == 0).filter(|n| !n.is_empty());
    Some(names.map(|n| top.join(String::from_utf8_lossy(n).as_ref())).collect())
}

/// Lines that a commit added to a file.
#[derive(Debug, Default)]
pub(crate) struct Added {
    pub(crate) commit: String,
    pub(crate) path: String,
    /// The lines, each with its end.
    pub(crate) text: Vec<u8>,
    /// Where each stretch of lines begins: place in `text`, line in the file.
    pub(crate) lines: Vec<(usize, u64)>,
}

impl Added {
    /// The line in the file of a place in the text.
    pub(crate) fn line(&self, place: usize) -> u64 {
        let at = self.lines.partition_point(|(from, _)| *from <= place).saturating_sub(1);
        let Some((from, line)) = self.lines.get(at) else { return 1 };
        let before = self.text.get(*from..place).unwrap_or_default();
        line + u64::try_from(before.iter().filter(|b| **b == b'\n').count()).unwrap_or(0)
    }
}

/// Passes what the commits of `range` added to `each`; of all commits when there is none.
pub(crate) fn added(root: &Path, range: Option<&str>, mut each: impl FnMut(&Added)) -> Result<()> {
    if range.is_some_and(|r| r.starts_with('-')) {
        bail!("`{}` is no range of commits", range.unwrap_or_default());
    }
    let mut command = git(root);
    command.args([
        "log",
        "--patch",
        "--unified=0",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
        "--format=commit %H",
    ]);
    command.arg(range.unwrap_or("--all")).arg("--").stdout(Stdio::piped());
    let mut child = command.spawn().context("`git` cannot be run; install it, or scan files instead")?;
    let stdout = child.stdout.take().context("git's output cannot be read")?;
    let mut current = Added::default();
    let mut reader = BufReader::with_capacity(1 << 16, stdout);
    let mut line = Vec::new();
    let mut in_hunk = 0_u64;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        line.truncate(LINE);
        if in_hunk > 0 && line.first() == Some(&b'+') {
            current.text.extend_from_slice(line.get(1..).unwrap_or_default());
            in_hunk -= 1;
        } else if let Some(hash) = line.strip_prefix(b"commit ") {
            flush(&mut current, &mut each);
            current.commit = String::from_utf8_lossy(hash).trim().to_owned();
        } else if let Some(name) = line.strip_prefix(b"+++ ") {
            flush(&mut current, &mut each);
            let name = String::from_utf8_lossy(name);
            current.path = name.trim_end().trim_matches('"').trim_start_matches("b/").to_owned();
        } else if line.starts_with(b"@@ ") {
            let (from, count) = hunk(&String::from_utf8_lossy(&line)).unwrap_or((1, 0));
            current.lines.push((current.text.len(), from));
            in_hunk = count;
        }
    }
    flush(&mut current, &mut each);
    let done = child.wait_with_output()?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("git could not list the commits: {}", said.lines().next().unwrap_or("it gave no reason"));
    }
    Ok(())
}

fn flush(current: &mut Added, each: &mut impl FnMut(&Added)) {
    if !current.text.is_empty() {
        each(current);
    }
    current.text.clear();
    current.lines.clear();
}

/// The first line and the number of lines that `@@ -a,b +c,d @@` adds.
fn hunk(line: &str) -> Option<(u64, u64)> {
    let (from, count) = line
        .split(' ')
        .nth(2)
        .map(|p| p.trim_start_matches('+'))
        .map(|p| p.split_once(',').unwrap_or((p, "1")))?;
    Some((from.parse().ok()?, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hunks_say_where_lines_were_added() {
        assert_eq!(hunk("@@ -1,3 +10,2 @@ fn x"), Some((10, 2)));
        assert_eq!(hunk("@@ -0,0 +1 @@"), Some((1, 1)));
        assert_eq!(hunk("@@ broken"), None);
    }
}
