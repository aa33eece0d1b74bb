//! Where everything lies on disk, and how it is opened and locked.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{LedgerError, Result, io_error};

/// The places in a state directory.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) ledger: PathBuf,
    pub(crate) keys: PathBuf,
}

impl Paths {
    pub(crate) fn new(state: &Path) -> Self {
        Self { ledger: state.join("ledger"), keys: state.join("keys") }
    }
    pub(crate) fn head(&self) -> PathBuf {
        self.ledger.join("head")
    }
    pub(crate) fn lock(&self) -> PathBuf {
        self.ledger.join("lock")
    }
    pub(crate) fn seal_lock(&self) -> PathBuf {
        self.ledger.join("seal.lock")
    }
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.ledger.join("checkpoints")
    }
    pub(crate) fn torn(&self) -> PathBuf {
        self.ledger.join("torn")
    }
    /// Records, named by the index of the first.
    pub(crate) fn segment(&self, first: u64) -> PathBuf {
        self.ledger.join(format!("{first:020}.seg"))
    }
    /// Sealed values of a segment.
    pub(crate) fn side(&self, first: u64) -> PathBuf {
        self.ledger.join(format!("{first:020}.side"))
    }
    /// Sparse offsets of a segment.
    pub(crate) fn offsets(&self, first: u64) -> PathBuf {
        self.ledger.join(format!("{first:020}.idx"))
    }

    /// First indices of all segments, in order. An absent directory has none.
    pub(crate) fn segments(&self) -> Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.ledger) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error("list", &self.ledger)(error)),
        };
        let mut out = Vec::new();
        for entry in entries {
            let name = entry.map_err(io_error("list", &self.ledger))?.file_name();
            let first = name.to_str().and_then(|name| name.strip_suffix(".seg"));
            if let Some(first) = first.filter(|digits| digits.len() == 20).and_then(|d| d.parse().ok()) {
                out.push(first);
            }
        }
        out.sort_unstable();
        Ok(out)
    }
}

/// Makes a directory that only its owner can enter; an existing one is left as it is.
pub(crate) fn make_dir(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error("create", path))
}

/// Opens a file for reading and writing, creating it for its owner alone.
pub(crate) fn open_rw(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(io_error("open", path))
}

/// Opens a file for reading; `None` if there is none.
pub(crate) fn open_read(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("open", path)(error)),
    }
}

/// Length of an open file.
pub(crate) fn length(file: &File, path: &Path) -> Result<u64> {
    Ok(file.metadata().map_err(io_error("look at", path))?.len())
}

/// Writes a new file in one step: whoever sees it sees all of it, on disk.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    use io::Write;
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(io_error("create", &temporary))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io_error("write", &temporary))?;
    fs::rename(&temporary, path).map_err(io_error("replace", path))?;
    match path.parent() {
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Makes the names in a directory survive a power loss.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(io_error("sync", path))
}

/// A file whose only use is to be locked (`flock`): the kernel lets go of it when its holder dies.
#[derive(Debug)]
pub(crate) struct LockFile {
    path: PathBuf,
    file: File,
}

/// A held lock; let go of when dropped.
#[derive(Debug)]
pub(crate) struct Held<'a>(&'a File);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // It cannot fail on a lock that is held; were it to, closing the file lets go all the same.
        let _ = self.0.unlock();
    }
}

impl LockFile {
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        let file = open_rw(&path)?;
        Ok(Self { path, file })
    }

    /// Takes the lock, waiting at most `wait`, so that a stuck holder cannot hang the caller.
    /// The pauses are short and random in effect; a blocking `flock` could not be given up without a signal.
    pub(crate) fn acquire(&mut self, wait: Duration) -> Result<Held<'_>> {
        let start = Instant::now();
        let mut pause = Duration::from_micros(20);
        let mut tries = 0_u32;
        loop {
            match self.file.try_lock() {
                Ok(()) => {
                    let links = self.file.metadata().map_err(io_error("look at", &self.path))?.nlink();
                    if links > 0 {
                        return Ok(Held(&self.file));
                    }
                    // Somebody removed the file: others lock its successor, so must we.
                    self.file = open_rw(&self.path)?;
                    continue;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(TryLockError::Error(error)) => return Err(io_error("lock", &self.path)(error)),
            }
            if start.elapsed() >= wait {
                return Err(LedgerError::Busy { waited: wait, path: self.path.clone() });
            }
            tries += 1;
            if tries <= 8 {
                std::thread::yield_now();
            } else {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_holder_does_not_hang_us() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mut one = LockFile::open(path.clone()).unwrap();
        let mut two = LockFile::open(path).unwrap();
        let held = one.acquire(Duration::ZERO).unwrap();
        assert!(matches!(two.acquire(Duration::from_millis(20)), Err(LedgerError::Busy { .. })));
        drop(held);
        two.acquire(Duration::ZERO).unwrap();
    }

    #[test]
    fn a_removed_lock_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mut one = LockFile::open(path.clone()).unwrap();
        fs::remove_file(&path).unwrap();
        let _held = one.acquire(Duration::ZERO).unwrap();
        let mut two = LockFile::open(path).unwrap();
        assert!(two.acquire(Duration::ZERO).is_err());
    }
}
