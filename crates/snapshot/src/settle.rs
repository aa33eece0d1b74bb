//! What a call left, noted after it: by this, later changes by a person are told from the call's own.

use crate::error::{NotTaken, SnapshotError};
use crate::keep::{PACKED_TO, digest_of, stamp};
use crate::manifest::{After, AfterRepository, KeptRepository, Manifest, State};
use crate::repository::{Places, unchanged, written};
use crate::store::{AFTER, Entry, Store, write_whole};
use bstr::ByteSlice;
use gix_index::entry::Mode;
use model::AbsPath;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Notes what the call left at every path that was kept.
///
/// # Errors
/// [`SnapshotError`] when the snapshot cannot be read or the note cannot be written; an undo then takes everything
/// that is there for newer work.
pub fn settle(store: &Store, entry: &Entry) -> Result<(), SnapshotError> {
    let manifest = store.manifest(entry)?;
    let after = now(&manifest, &entry.dir);
    let bytes = serde_json::to_vec(&after)
        .map_err(|e| SnapshotError::Io { path: entry.dir.clone(), source: e.into() })?;
    let file = entry.dir.join(AFTER);
    write_whole(&file, &bytes).map_err(SnapshotError::io(&file))
}

/// What is there now. A path that cannot be looked at is left out, and so counts as changed.
pub(crate) fn now(manifest: &Manifest, dir: &Path) -> After {
    let mut out = After::default();
    for kept in &manifest.paths {
        if let Ok(state) = state(&kept.path) {
            out.paths.insert(kept.path.to_string(), state);
        }
    }
    for repository in &manifest.repositories {
        if let Ok(state) = repository_now(manifest, repository, dir) {
            out.repositories.push(state);
        }
    }
    out
}

pub(crate) fn places(kept: &KeptRepository) -> Places {
    Places { root: kept.root.clone(), git_dir: kept.git_dir.clone(), common_dir: kept.common_dir.clone() }
}

pub(crate) fn repository_now(
    manifest: &Manifest,
    kept: &KeptRepository,
    dir: &Path,
) -> Result<AfterRepository, NotTaken> {
    let places = places(kept);
    let odd = |why: String| NotTaken::Repository { path: kept.root.as_std().to_owned(), why };
    let index = places.index();
    let digest = match std::fs::File::open(index.as_std()) {
        Ok(mut file) => Some(digest_of(&mut file).map_err(|e| odd(e.to_string()))?),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(odd(e.to_string())),
    };
    Ok(AfterRepository {
        root: kept.root.clone(),
        head: places.head().map_err(|e| odd(e.to_string()))?,
        refs: places.refs()?,
        index: digest,
        files: changed_files(manifest, kept, dir).map_err(odd)?,
    })
}

/// The files that the kept index held as they were and that are different now.
fn changed_files(
    manifest: &Manifest,
    kept: &KeptRepository,
    dir: &Path,
) -> Result<BTreeMap<String, State>, String> {
    let mut out = BTreeMap::new();
    let Some(index) = &kept.index else { return Ok(out) };
    let file = dir.join(&index.name);
    let index = Places::read_index(&file)?;
    // The copy is younger than the index was; every file in it that had not been the same then has an entry of its own.
    let when = written(&std::fs::symlink_metadata(&file).map_err(|e| e.to_string())?);
    let own: BTreeSet<&AbsPath> = manifest.paths.iter().map(|k| &k.path).collect();
    for entry in index.entries() {
        if entry.mode == Mode::COMMIT || entry.mode == Mode::DIR {
            continue;
        }
        let name = entry.path(&index).to_str().map_err(|e| e.to_string())?;
        let path = kept.root.join(name);
        if !own.contains(&path) && !unchanged(&entry.stat, path.as_std(), when) {
            out.insert(name.to_owned(), state(&path).map_err(|e| e.to_string())?);
        }
    }
    Ok(out)
}

/// What lies at a path now.
pub(crate) fn state(path: &AbsPath) -> std::io::Result<State> {
    let meta = match std::fs::symlink_metadata(path.as_std()) {
        Ok(meta) => meta,
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(State::Absent);
        }
        Err(e) => return Err(e),
    };
    Ok(if meta.is_dir() {
        State::Directory
    } else if meta.is_symlink() {
        let target = std::fs::read_link(path.as_std())?;
        State::Link { target: target.to_string_lossy().into_owned() }
    } else if meta.is_file() {
        let digest = if meta.size() <= PACKED_TO {
            Some(digest_of(&mut std::fs::File::open(path.as_std())?)?)
        } else {
            None
        };
        State::File { size: meta.size(), mtime: stamp(&meta), inode: meta.ino(), digest }
    } else {
        State::Special
    })
}

impl State {
    /// Whether nothing was changed between two looks.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::File { size, digest: Some(digest), .. },
                Self::File { size: other_size, digest: Some(other), .. },
            ) => size == other_size && digest == other,
            (a, b) => a == b,
        }
    }
}
