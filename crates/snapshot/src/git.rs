//! Running git, for what only git can do. Before a call it is run with none of the repository's own configuration, which
//! may name programs; when a person gives things back, with the person's configuration but without hooks.

use crate::repository::{Places, is_object};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long git may take when a person gives something back.
const PATIENCE: Duration = Duration::from_secs(120);

/// Writes the tree of a copied index into the repository's objects. Git runs in an empty repository of its own that
/// borrows only the objects, so that nothing in the repository's configuration is read.
pub(crate) fn write_tree(
    git: &Path,
    dir: &Path,
    index: &Path,
    places: &Places,
    deadline: Instant,
) -> std::io::Result<String> {
    let neutral = dir.join("neutral");
    for sub in ["refs", "objects"] {
        std::fs::create_dir_all(neutral.join(sub))?;
    }
    std::fs::write(neutral.join("HEAD"), "ref: refs/heads/none\n")?;
    std::fs::write(neutral.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n")?;
    let mut command = Command::new(git);
    command
        .env_clear()
        .env("GIT_DIR", &neutral)
        .env("GIT_OBJECT_DIRECTORY", places.common_dir.join("objects").as_std())
        .env("GIT_INDEX_FILE", index)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .current_dir(dir)
        .arg("write-tree");
    let text = finished(command, &[], deadline)?;
    let tree = text.trim();
    if !is_object(tree) {
        return Err(std::io::Error::other("git gave no tree for its index"));
    }
    std::fs::remove_dir_all(&neutral)?;
    Ok(tree.to_owned())
}

/// The program git with the environment of the person who gives something back.
#[derive(Debug, Clone)]
pub struct Git<'a> {
    /// The program.
    pub program: &'a Path,
    /// Variables it gets; it gets no others.
    pub environment: &'a [(String, String)],
}

impl Git<'_> {
    /// Runs git in a repository, without its hooks and with `input` on standard input; `index` takes the place of the
    /// repository's own.
    pub(crate) fn run(
        &self,
        places: &Places,
        index: Option<&Path>,
        arguments: &[&str],
        input: &[u8],
    ) -> std::io::Result<String> {
        let mut command = Command::new(self.program);
        command
            .env_clear()
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .env("GIT_DIR", places.git_dir.as_std())
            .env("GIT_WORK_TREE", places.root.as_std())
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .current_dir(places.root.as_std())
            .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
            .args(arguments);
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        finished(command, input, Instant::now() + PATIENCE)
    }
}

/// What a command prints, if it succeeds before the deadline.
fn finished(mut command: Command, input: &[u8], deadline: Instant) -> std::io::Result<String> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take();
    let input = input.to_vec();
    // A thread, because a full pipe must not keep this one from looking at the clock.
    let writer = std::thread::spawn(move || stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(&input)));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other("git took too long"));
        }
        std::thread::sleep(Duration::from_micros(300));
    };
    let mut text = String::new();
    if !status.success() {
        if let Some(pipe) = child.stderr.take() {
            pipe.take(4096).read_to_string(&mut text)?;
        }
        return Err(std::io::Error::other(format!("git failed: {}", text.trim())));
    }
    if let Some(pipe) = child.stdout.take() {
        pipe.take(1 << 20).read_to_string(&mut text)?;
    }
    writer.join().map_err(|_| std::io::Error::other("git could not be given its input"))??;
    Ok(text)
}
