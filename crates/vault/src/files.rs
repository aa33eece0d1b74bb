//! Files that only their owner can read, replaced whole, under a lock.

use crate::error::io;
use crate::{Result, VaultError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes a directory that only its owner can enter.
pub(crate) fn make_dir(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("create", path))
}

/// The content; `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io("open", path)(e)),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io("read", path))?;
    Ok(Some(bytes))
}

/// Replaces a file whole; it is on disk when this returns.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    make_dir(dir)?;
    // Temporary files are made for their owner alone.
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(io("write beside", path))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(io("write", path))?;
    file.persist(path).map_err(|e| io("replace", path)(e.error))?;
    File::open(dir).and_then(|d| d.sync_all()).map_err(io("sync", dir))
}

/// Holds everyone else off while it lives.
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock is held as long as the file is open")] File);

/// Waits for the lock beside `path`.
pub(crate) fn lock(path: &Path) -> Result<Lock> {
    let lock = path.with_extension("lock");
    make_dir(path.parent().unwrap_or(Path::new(".")))?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock)
        .map_err(io("open", &lock))?;
    file.lock().map_err(io("lock", &lock))?;
    Ok(Lock(file))
}

/// What a JSON file holds; the default if there is none.
pub(crate) fn load<T: DeserializeOwned + Default>(path: &Path) -> Result<T> {
    match read(path)? {
        None => Ok(T::default()),
        Some(bytes) => serde_json::from_slice(&bytes)
            .map_err(|e| VaultError::Damaged { path: path.to_path_buf(), why: format!("line {}", e.line()) }),
    }
}

/// Writes a JSON file.
pub(crate) fn store<T: Serialize>(path: &Path, content: &T) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(content)
        .map_err(|e| VaultError::Damaged { path: path.to_path_buf(), why: e.to_string() })?;
    write(path, &bytes)
}
