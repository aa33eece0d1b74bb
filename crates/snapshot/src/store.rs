//! Where snapshots lie: one directory each, named by time, name and size, so that age and size need no reading.

use crate::error::SnapshotError;
use crate::manifest::{After, Manifest, VERSION};
use model::AbsPath;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The list in a snapshot's directory.
pub(crate) const LIST: &str = "list.json";
/// What the call left.
pub(crate) const AFTER: &str = "after.json";
/// The beginning of the name of a snapshot that is being taken.
pub(crate) const UNFINISHED: &str = "unfinished-";
/// What was begun this long ago and not finished is given up, in milliseconds.
const GIVEN_UP: i64 = 3_600_000;

/// The directory of all snapshots.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

/// How long snapshots are kept, and how much of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Older ones go, in milliseconds.
    pub age: i64,
    /// When all together are larger, the oldest go, in bytes.
    pub bytes: u64,
}

impl Default for Retention {
    /// Two weeks, 2 GiB.
    fn default() -> Self {
        Self { age: 14 * 24 * 3_600_000, bytes: 2 << 30 }
    }
}

/// A snapshot in the store, known by its directory's name alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name: hexadecimal digits.
    pub id: String,
    /// When it was taken, in milliseconds since 1970-01-01 UTC.
    pub taken: i64,
    /// What it takes on the disk, in bytes.
    pub bytes: u64,
    pub(crate) dir: PathBuf,
}

impl Store {
    /// The store in this directory, which is made when something is first kept.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the directory, for its owner only.
    pub(crate) fn make(&self) -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)
    }

    /// Every snapshot, the oldest first.
    ///
    /// # Errors
    /// [`SnapshotError::Io`] when the directory cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, SnapshotError> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(SnapshotError::io(&self.dir)(e)),
        };
        let mut out = Vec::new();
        for entry in entries {
            let entry = entry.map_err(SnapshotError::io(&self.dir))?;
            out.extend(entry.file_name().to_str().and_then(|name| named(&self.dir, name)));
        }
        out.sort_by(|a, b| (a.taken, &a.id).cmp(&(b.taken, &b.id)));
        Ok(out)
    }

    /// The snapshot whose name is or begins with `id`.
    ///
    /// # Errors
    /// [`SnapshotError::Unknown`], [`SnapshotError::Ambiguous`] or an I/O error.
    pub fn find(&self, id: &str) -> Result<Entry, SnapshotError> {
        let mut fitting: Vec<Entry> =
            self.list()?.into_iter().filter(|e| !id.is_empty() && e.id.starts_with(id)).collect();
        if let Some(at) = fitting.iter().position(|e| e.id == id) {
            return Ok(fitting.swap_remove(at));
        }
        match (fitting.pop(), fitting.is_empty()) {
            (Some(entry), true) => Ok(entry),
            (None, _) => Err(SnapshotError::Unknown(id.to_owned())),
            (Some(_), false) => Err(SnapshotError::Ambiguous(id.to_owned())),
        }
    }

    /// What a snapshot holds.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] when its list cannot be understood, or an I/O error.
    pub fn manifest(&self, entry: &Entry) -> Result<Manifest, SnapshotError> {
        let file = entry.dir.join(LIST);
        let damaged =
            |why: String| SnapshotError::Damaged { id: entry.id.clone(), why, path: entry.dir.clone() };
        let bytes = std::fs::read(&file).map_err(SnapshotError::io(&file))?;
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if manifest.version != VERSION {
            return Err(damaged("it was written by another version of Ambit".to_owned()));
        }
        Ok(manifest)
    }

    pub(crate) fn after(&self, entry: &Entry) -> Result<Option<After>, SnapshotError> {
        let file = entry.dir.join(AFTER);
        match std::fs::read(&file) {
            // What cannot be read says nothing: then everything there counts as newer.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(SnapshotError::io(&file)(e)),
        }
    }

    /// Takes a snapshot out of the store, with the refs by which repositories keep its objects.
    ///
    /// # Errors
    /// [`SnapshotError::Io`] when something of it cannot be removed.
    pub fn remove(&self, entry: &Entry) -> Result<(), SnapshotError> {
        // A list that cannot be read leaves refs behind, which cost little and harm nobody.
        if let Ok(manifest) = self.manifest(entry) {
            for repository in &manifest.repositories {
                let refs = pins(&repository.common_dir, &entry.id);
                if let Err(e) = std::fs::remove_dir_all(&refs)
                    && e.kind() != std::io::ErrorKind::NotFound
                    && e.kind() != std::io::ErrorKind::NotADirectory
                {
                    return Err(SnapshotError::io(&refs)(e));
                }
            }
        }
        std::fs::remove_dir_all(&entry.dir).map_err(SnapshotError::io(&entry.dir))
    }

    /// Removes what is too old, then the oldest until the rest is small enough, and what was begun and never finished.
    /// Returns how many were removed. `now` is in milliseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`SnapshotError::Io`] when the store cannot be read or something cannot be removed.
    pub fn prune(&self, retention: Retention, now: i64) -> Result<usize, SnapshotError> {
        let all = self.list()?;
        let mut total: u64 = all.iter().map(|e| e.bytes).sum();
        let mut removed = 0;
        for entry in &all {
            if now.saturating_sub(entry.taken) <= retention.age && total <= retention.bytes {
                break;
            }
            self.remove(entry)?;
            total = total.saturating_sub(entry.bytes);
            removed += 1;
        }
        self.give_up(now)?;
        Ok(removed)
    }

    fn give_up(&self, now: i64) -> Result<(), SnapshotError> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return Ok(()) };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let begun =
                name.to_str().and_then(|n| n.strip_prefix(UNFINISHED)).and_then(|n| n.split('-').next());
            if let Some(begun) = begun.and_then(|b| b.parse::<i64>().ok())
                && now.saturating_sub(begun) > GIVEN_UP
            {
                std::fs::remove_dir_all(entry.path()).map_err(SnapshotError::io(&entry.path()))?;
            }
        }
        Ok(())
    }
}

/// `TAKEN-ID-BYTES`.
fn named(dir: &Path, name: &str) -> Option<Entry> {
    let mut parts = name.split('-');
    let (taken, id, bytes) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit());
    (hex && parts.next().is_none()).then_some(())?;
    Some(Entry {
        id: id.to_owned(),
        taken: taken.parse().ok()?,
        bytes: bytes.parse().ok()?,
        dir: dir.join(name),
    })
}

/// Where a repository keeps a snapshot's objects alive.
pub(crate) fn pins(common_dir: &AbsPath, id: &str) -> PathBuf {
    common_dir.as_std().join("refs/ambit").join(id)
}

/// Writes a file for its owner only and waits until it is on the disk; then it has its name.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    if let Err(e) = std::fs::remove_file(&new)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        return Err(e);
    }
    let mut file = crate::keep::private(&new)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    std::fs::rename(&new, path)
}
