//! Giving back what a call lost. What was changed since the call is left as it is unless a person says otherwise, and
//! whatever is overwritten is kept aside first, as a snapshot of its own.

use crate::beneath::{Place, directory};
use crate::error::SnapshotError;
use crate::git::Git;
use crate::keep::{PACK, digest_of, put_attributes, stamp};
use crate::manifest::{After, Content, Digest, Kept, State};
use crate::plan::{self, Plan, RepositoryPlan, Target};
use crate::settle::state;
use crate::store::{Entry, Store, write_whole};
use crate::take::{About, Budget, take_with};
use crate::undo_repository as repository;
use model::AbsPath;
use rustix::fs::{Mode, Timespec, Timestamps};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The mark of a snapshot that was given back whole.
const DONE: &str = "given-back";

/// What a person wishes of an undo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// Give back even where something was changed since the call; what is there now is kept aside.
    pub over_newer: bool,
    /// Also remove what the call made where nothing was.
    pub remove_made: bool,
    /// Only say what would be done.
    pub only_look: bool,
}

/// One thing that an undo does or leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The path, or the repository with its ref.
    pub what: String,
    /// What becomes of it.
    pub kind: StepKind,
}

/// What becomes of a path or ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepKind {
    /// It is as before the call again.
    GivenBack,
    /// The call made it, and it is removed.
    Removed,
    /// It is as before the call already.
    Same,
    /// The call made it, and it stays.
    LeftMade,
    /// It was changed since the call, and stays as it is.
    LeftNewer,
    /// It could not be given back.
    Failed(String),
}

/// What an undo did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Everything that the snapshot is about.
    pub steps: Vec<Step>,
    /// The snapshot of what was overwritten, if anything was.
    pub aside: Option<String>,
}

impl Undone {
    /// Whether everything that was lost is there again.
    #[must_use]
    pub fn whole(&self) -> bool {
        !self.steps.iter().any(|s| matches!(s.kind, StepKind::LeftNewer | StepKind::Failed(_)))
    }
}

/// What is meant to be done about one path.
struct Action<'a> {
    kept: &'a Kept,
    now: State,
    kind: StepKind,
}

/// Gives back what a snapshot holds. `aside` names the snapshot of what is overwritten by that.
///
/// # Errors
/// [`SnapshotError`] when the snapshot cannot be read, or what is there now could not be kept aside: then nothing was
/// changed. What cannot be given back alone is told in the steps.
pub fn undo(
    store: &Store,
    entry: &Entry,
    wish: Wish,
    aside: &About,
    git: Option<&Git<'_>>,
) -> Result<Undone, SnapshotError> {
    let manifest = store.manifest(entry)?;
    let after = store.after(entry)?;
    let mut actions = Vec::with_capacity(manifest.paths.len());
    for kept in &manifest.paths {
        actions.push(meant(kept, after.as_ref(), wish, &entry.dir));
    }
    let repositories: Vec<_> = manifest
        .repositories
        .iter()
        .map(|kept| repository::meant(&manifest, kept, after.as_ref(), wish, &entry.dir))
        .collect();
    let mut out = Undone { steps: Vec::new(), aside: None };
    if !wish.only_look {
        out.aside = keep_aside(store, entry, &actions, &repositories, aside, git)?;
    }
    // Objects of git are put back first: the files that no commit holds go over what git writes.
    for repository in repositories {
        out.steps.extend(repository.carry_out(&entry.dir, &entry.id, wish, git));
    }
    let mut directories = Vec::new();
    for action in actions {
        let mut kind = action.kind;
        if !wish.only_look {
            let done = match kind {
                StepKind::GivenBack => give_back(action.kept, &action.now, entry),
                StepKind::Removed => remove(action.kept, &action.now),
                _ => Ok(()),
            };
            match done {
                Ok(()) if kind == StepKind::GivenBack && action.kept.content == Content::Directory => {
                    directories.push(action.kept);
                }
                Ok(()) => {}
                Err(e) => kind = StepKind::Failed(e.to_string()),
            }
        }
        out.steps.push(Step { what: action.kept.path.to_string(), kind });
    }
    // Last and from within: what is put into a directory changes its time, and its mode may forbid it.
    for kept in directories.into_iter().rev() {
        if let Err(e) = finish_directory(kept) {
            out.steps.push(Step { what: kept.path.to_string(), kind: StepKind::Failed(e.to_string()) });
        }
    }
    if !wish.only_look && out.whole() {
        let mark = entry.dir.join(DONE);
        write_whole(&mark, aside.now.to_string().as_bytes()).map_err(SnapshotError::io(&mark))?;
    }
    Ok(out)
}

impl Entry {
    /// Whether it was given back whole.
    #[must_use]
    pub fn given_back(&self) -> bool {
        self.dir.join(DONE).exists()
    }
}

/// What is to become of a path.
fn meant<'a>(kept: &'a Kept, after: Option<&After>, wish: Wish, dir: &Path) -> Action<'a> {
    let now = match state(&kept.path) {
        Ok(now) => now,
        Err(e) => return Action { kept, now: State::Absent, kind: StepKind::Failed(e.to_string()) },
    };
    let same = match is_as_kept(kept, &now, dir) {
        Ok(same) => same,
        Err(e) => return Action { kept, now, kind: StepKind::Failed(e.to_string()) },
    };
    let left = after.map(|a| a.paths.get(kept.path.as_str()));
    let untouched = match left {
        // The call's own doing, and nobody's since.
        Some(Some(left)) => left.same(&now),
        // Nobody noted what the call left: only where nothing is, nothing newer can be lost.
        _ => now == State::Absent,
    };
    let kind = if same {
        StepKind::Same
    } else if kept.content == Content::Absent && !wish.remove_made {
        StepKind::LeftMade
    } else if !untouched && !wish.over_newer {
        StepKind::LeftNewer
    } else if kept.content == Content::Absent {
        StepKind::Removed
    } else {
        StepKind::GivenBack
    };
    Action { kept, now, kind }
}

/// Whether what is there now is what was kept.
fn is_as_kept(kept: &Kept, now: &State, dir: &Path) -> std::io::Result<bool> {
    Ok(match (&kept.content, now) {
        (Content::Absent, State::Absent)
        | (Content::Directory, State::Directory)
        | (Content::Special, State::Special) => true,
        (Content::Link { target }, State::Link { target: now }) => target == now,
        (Content::Packed { size, digest, .. }, State::File { size: now_size, digest: now, .. }) => {
            size == now_size && now.as_ref() == Some(digest)
        }
        (Content::File { name, size, .. }, State::File { size: now, mtime, .. }) => {
            size == now
                && (*mtime == kept.mtime || {
                    let there = digest_of(&mut File::open(kept.path.as_std())?)?;
                    there == digest_of(&mut File::open(dir.join(name))?)?
                })
        }
        _ => false,
    })
}

/// Keeps what will be overwritten or removed; gives the name of that snapshot.
fn keep_aside(
    store: &Store,
    entry: &Entry,
    actions: &[Action<'_>],
    repositories: &[repository::Meant<'_>],
    aside: &About,
    git: Option<&Git<'_>>,
) -> Result<Option<String>, SnapshotError> {
    let mut plan = Plan::default();
    for action in actions {
        let changes = matches!(action.kind, StepKind::GivenBack | StepKind::Removed);
        if changes && action.now != State::Absent {
            let place = plan::Place::Path(action.kept.path.clone());
            plan.targets.push(Target { place, deep: false, needed: true });
        }
    }
    for repository in repositories {
        for path in repository.overwritten() {
            plan.targets.push(Target { place: plan::Place::Path(path), deep: false, needed: true });
        }
        if repository.changes() {
            plan.repositories.push(RepositoryPlan {
                dir: repository.root().clone(),
                worktree: true,
                untracked: false,
                ignored: false,
                stash: false,
                needed: true,
            });
        }
    }
    if plan.is_empty() {
        return Ok(None);
    }
    let program = git.map(|g| g.program);
    let taken = take_with(&plan, aside, store, &Budget::default(), program, Some(&entry.id))?;
    Ok(Some(taken.id))
}

fn give_back(kept: &Kept, now: &State, entry: &Entry) -> std::io::Result<()> {
    if *now == State::Directory && kept.content != Content::Directory {
        return Err(std::io::Error::other("a directory is there now; move it away and run this again"));
    }
    let place = Place::of(&kept.path)?;
    let mut source = match &kept.content {
        Content::Absent | Content::Special => return Ok(()),
        Content::Directory if *now == State::Absent => return place.make(),
        Content::Directory => {
            return Err(std::io::Error::other("a file is there now; move it away and run this again"));
        }
        Content::Link { target } => return place.link(target, &entry.id),
        Content::Packed { at, size, digest } => {
            let mut pack = File::open(entry.dir.join(PACK))?;
            pack.seek(SeekFrom::Start(*at))?;
            (pack.take(*size), Some(*digest))
        }
        Content::File { name, size, stamp: then } => {
            let file = File::open(entry.dir.join(name))?;
            let meta = file.metadata()?;
            if stamp(&meta) != *then || meta.len() != *size {
                return Err(std::io::Error::other("what was kept of it was changed since"));
            }
            (file.take(*size), None)
        }
    };
    let (file, beside) = place.beside(&entry.id)?;
    let result =
        fill(file, &mut source.0, source.1, kept).and_then(|()| place.put(&beside, *now != State::Absent));
    if result.is_err() {
        let _ = place.discard(&beside);
    }
    result
}

/// Writes what was kept, checks it, and gives the file its mode, attributes and time.
fn fill(
    mut to: File,
    from: &mut std::io::Take<File>,
    digest: Option<Digest>,
    kept: &Kept,
) -> std::io::Result<()> {
    let mut buffer = vec![0u8; 128 << 10];
    let mut hasher = Sha256::new();
    let expected = from.limit();
    let mut written = 0;
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        let part = buffer.get(..read).unwrap_or_default();
        hasher.update(part);
        to.write_all(part)?;
        written += read as u64;
    }
    if written != expected || digest.is_some_and(|d| d.0 != <[u8; 32]>::from(hasher.finalize())) {
        return Err(std::io::Error::other("what was kept of it is damaged"));
    }
    put_attributes(&to, &kept.attributes)?;
    // A program that runs as another user is not made again: its owner does that.
    rustix::fs::fchmod(&to, Mode::from_raw_mode(kept.mode & 0o777))?;
    rustix::fs::futimens(&to, &times(kept.mtime))?;
    to.sync_data()
}

fn times(mtime: (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: mtime.0, tv_nsec: i64::from(mtime.1) };
    Timestamps { last_access: time, last_modification: time }
}

fn finish_directory(kept: &Kept) -> std::io::Result<()> {
    let dir = File::from(directory(&kept.path, false)?);
    put_attributes(&dir, &kept.attributes)?;
    rustix::fs::fchmod(&dir, Mode::from_raw_mode(kept.mode))?;
    rustix::fs::futimens(&dir, &times(kept.mtime))?;
    Ok(())
}

fn remove(kept: &Kept, now: &State) -> std::io::Result<()> {
    Place::of(&kept.path)?.remove(*now == State::Directory)
}

/// The path of a tracked file of a repository.
pub(crate) fn tracked(root: &AbsPath, name: &str) -> AbsPath {
    root.join(name)
}
