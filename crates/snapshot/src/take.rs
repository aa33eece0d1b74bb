//! Taking a snapshot: all of it, or nothing.

use crate::collect::collect;
use crate::error::NotTaken;
use crate::keep::{Keeper, private};
use crate::manifest::{Manifest, VERSION};
use crate::plan::Plan;
use crate::repository::{self, Repositories};
use crate::store::{LIST, Store, UNFINISHED};
use model::AbsPath;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How much a snapshot may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Files, directories and links.
    pub files: usize,
    /// Bytes that would have to be copied.
    pub bytes: u64,
    /// How long it may take.
    pub time: Duration,
}

impl Default for Budget {
    /// 20,000 files, 256 MiB, 3 s.
    fn default() -> Self {
        Self { files: 20_000, bytes: 256 << 20, time: Duration::from_secs(3) }
    }
}

/// For which call a snapshot is taken.
#[derive(Debug, Clone)]
pub struct About {
    /// The snapshot's name, unique: hexadecimal digits.
    pub id: String,
    /// The session whose call it is.
    pub session: String,
    /// The agent's identifier of the call.
    pub call: Option<String>,
    /// The agent.
    pub agent: String,
    /// Now, in milliseconds since 1970-01-01 UTC.
    pub now: i64,
    /// The directory in which the call runs.
    pub cwd: AbsPath,
    /// The command or the tool with its path, as a person reads it.
    pub what: String,
}

/// A snapshot that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its name.
    pub id: String,
    /// Files, directories and links in it.
    pub paths: usize,
    /// Repositories in it.
    pub repositories: usize,
    /// What it takes on the disk, in bytes.
    pub bytes: u64,
}

/// Keeps what is planned. `git` is the program by which the state of a repository is kept; without it no repository is.
///
/// When this returns, what was kept is on the disk.
///
/// # Errors
/// [`NotTaken`] when anything that the concession depends on could not be kept; nothing is left of it then.
pub fn take(
    plan: &Plan,
    about: &About,
    store: &Store,
    budget: &Budget,
    git: Option<&Path>,
) -> Result<Taken, NotTaken> {
    take_with(plan, about, store, budget, git, None)
}

pub(crate) fn take_with(
    plan: &Plan,
    about: &About,
    store: &Store,
    budget: &Budget,
    git: Option<&Path>,
    undoes: Option<&str>,
) -> Result<Taken, NotTaken> {
    if about.id.is_empty() || !about.id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(std::io::Error::other("its name is not hexadecimal").into());
    }
    store.make()?;
    let mut half = Unfinished::begin(store, about)?;
    let deadline = Instant::now() + budget.time;
    let device = std::fs::symlink_metadata(&half.dir)?.dev();
    let mut found = collect(plan, device, budget, deadline)?;
    let repositories = Repositories::find(plan, &mut found, budget, deadline)?;
    let mut keeper = Keeper::new(&half.dir)?;
    let links_on = plan.only_unlinks.then_some(device);
    let paths = keeper.all(&found, links_on, budget, deadline)?;
    half.repositories = repositories.common_dirs();
    let kept = repositories.keep(&half.dir, &about.id, git, deadline)?;
    let (count, kept_count) = (paths.len(), kept.len());
    let manifest = Manifest {
        version: VERSION,
        id: about.id.clone(),
        session: about.session.clone(),
        call: about.call.clone(),
        agent: about.agent.clone(),
        taken: about.now,
        cwd: about.cwd.clone(),
        what: about.what.clone(),
        undoes: undoes.map(str::to_owned),
        paths,
        repositories: kept,
        left_out: found.left_out,
    };
    let list = serde_json::to_vec(&manifest).map_err(std::io::Error::from)?;
    let mut file = private(&half.dir.join(LIST))?;
    file.write_all(&list)?;
    file.sync_data()?;
    let bytes = keeper.finish()? + list.len() as u64;
    half.finish(store, about, bytes)?;
    Ok(Taken { id: about.id.clone(), paths: count, repositories: kept_count, bytes })
}

/// A directory that is removed again, with the refs made for it, unless it is finished.
#[derive(Debug)]
struct Unfinished {
    dir: PathBuf,
    id: String,
    repositories: Vec<AbsPath>,
    finished: bool,
}

impl Unfinished {
    fn begin(store: &Store, about: &About) -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let dir = store.dir().join(format!("{UNFINISHED}{}-{}", about.now, about.id));
        std::fs::DirBuilder::new().mode(0o700).create(&dir)?;
        Ok(Self { dir, id: about.id.clone(), repositories: Vec::new(), finished: false })
    }

    fn finish(&mut self, store: &Store, about: &About, bytes: u64) -> std::io::Result<()> {
        std::fs::File::open(&self.dir)?.sync_all()?;
        let name = format!("{}-{}-{bytes}", about.now, about.id);
        std::fs::rename(&self.dir, store.dir().join(name))?;
        self.finished = true;
        std::fs::File::open(store.dir())?.sync_all()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // Nobody can be told any more; what stays is given up when snapshots are next pruned.
            let _ = std::fs::remove_dir_all(&self.dir);
            repository::unpin(&self.repositories, &self.id);
        }
    }
}
