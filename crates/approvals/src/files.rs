//! Files that are there whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use crate::error::{ApprovalError, Result, io as io_error};

/// What temporary names begin with; nothing reads them.
pub(crate) const TEMPORARY: &str = ".new-";

/// Makes a directory that only its owner can enter; an existing one is left as it is.
pub(crate) fn make_dir(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error("create", path))
}

/// A name that nothing has.
pub(crate) fn temporary(dir: &Path) -> Result<PathBuf> {
    let mut random = [0_u8; 12];
    getrandom::fill(&mut random).map_err(ApprovalError::Random)?;
    Ok(dir.join(format!("{TEMPORARY}{}", HEXLOWER.encode(&random))))
}

/// Writes a new file for its owner alone, to the disk.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(io_error("create", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io_error("write", path))
}

/// Makes the names in a directory survive a power loss.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(io_error("sync", path))
}

/// Creates a file with its whole content in one step. Of any number that try, one gets `true`, and whoever sees the
/// file sees all of it, whenever anybody is killed.
pub(crate) fn create_whole(dir: &Path, name: &str, bytes: &[u8]) -> Result<bool> {
    let new = temporary(dir)?;
    write_new(&new, bytes)?;
    let path = dir.join(name);
    let linked = fs::hard_link(&new, &path);
    fs::remove_file(&new).map_err(io_error("remove", &new))?;
    match linked {
        Ok(()) => {
            sync_dir(dir)?;
            Ok(true)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(io_error("create", &path)(e)),
    }
}

/// A file's content; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(io_error("read", path)(e)),
    }
}

/// The names in a directory; none if it is absent.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io_error("list", dir)(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error("list", dir))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}
