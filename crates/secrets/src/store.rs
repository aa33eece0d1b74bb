//! Where the key and the hidden values are kept: two files in a directory of the guard's state that only the person's
//! account reads. The directory comes in by argument.

use crate::key::Key;
use crate::known::Known;
use crate::vault::{Vault, VaultError};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file of the key, 32 bytes.
const KEY: &str = "key";

/// The file of the sealed values.
const HIDDEN: &str = "hidden";

/// The file of the index of known values.
const KNOWN: &str = "known";

/// The file that is locked while the values are changed.
const LOCK: &str = "lock";

/// The largest file of sealed values that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// What can go wrong with the files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot {doing} `{}`: {source}; see that the directory belongs to you and has room", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key's file is not one.
    #[error("`{}` is no key; move it away, and Ambit makes a new one (placeholders from before then stay unknown)", path.display())]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// The values cannot be opened or sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// The key and the hidden values of an installation.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    key: Key,
}

impl Store {
    /// Opens the store in this directory, and makes directory and key when they are not there yet.
    ///
    /// # Errors
    /// When the files cannot be read or made.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| failed("make", dir, e))?;
        let path = dir.join(KEY);
        let key = match read_key(&path)? {
            Some(key) => key,
            None => make_key(dir, &path)?,
        };
        Ok(Self { dir: dir.to_owned(), key })
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The values that were hidden so far.
    ///
    /// # Errors
    /// When they cannot be read, or were sealed under another key.
    pub fn vault(&self) -> Result<Vault, StoreError> {
        let path = self.dir.join(HIDDEN);
        let file = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vault::new()),
            other => other.map_err(|e| failed("open", &path, e))?,
        };
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes).map_err(|e| failed("read", &path, e))?;
        Ok(Vault::open(&self.key, &bytes)?)
    }

    /// The index of known values; empty when there is none, or one of another version or key.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn known(&self) -> Result<Known, StoreError> {
        let path = self.dir.join(KNOWN);
        match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Known::new(&self.key)),
            Err(e) => Err(failed("read", &path, e)),
            Ok(bytes) => Ok(Known::from_bytes(&self.key, &bytes).unwrap_or_else(|| Known::new(&self.key))),
        }
    }

    /// Puts this index in the place of the one that is kept.
    ///
    /// # Errors
    /// When it cannot be written. What was there before stays.
    pub fn keep_known(&self, known: &Known) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        replace(&self.dir, KNOWN, &known.to_bytes())
    }

    fn lock(&self) -> Result<File, StoreError> {
        let path = self.dir.join(LOCK);
        let lock =
            private().create(true).truncate(false).open(&path).map_err(|e| failed("open", &path, e))?;
        lock.lock().map_err(|e| failed("lock", &path, e))?;
        Ok(lock)
    }

    /// Adds what `vault` keeps to what is kept already, under a lock, in one step.
    ///
    /// # Errors
    /// When it cannot be written. What was there before stays.
    pub fn add(&self, vault: &Vault) -> Result<(), StoreError> {
        if vault.is_empty() {
            return Ok(());
        }
        let _lock = self.lock()?;
        let mut whole = match self.vault() {
            // A file that cannot be opened any more is replaced: its placeholders are unknown either way.
            Err(StoreError::Vault(_)) => Vault::new(),
            other => other?,
        };
        let before = whole.len();
        whole.merge(vault);
        if whole.len() == before {
            return Ok(());
        }
        replace(&self.dir, HIDDEN, &whole.seal(&self.key)?)
    }
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { doing, path: path.to_owned(), source }
}

/// A file that only its owner reads and writes.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn read_key(path: &Path) -> Result<Option<Key>, StoreError> {
    match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed("read", path, e)),
        Ok(bytes) => match <[u8; 32]>::try_from(bytes) {
            Ok(bytes) => Ok(Some(Key::from_bytes(bytes))),
            Err(_) => Err(StoreError::Key { path: path.to_owned() }),
        },
    }
}

/// Makes a key; when another process is quicker, its key is taken.
fn make_key(dir: &Path, path: &Path) -> Result<Key, StoreError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| VaultError::Random)?;
    let made = dir.join(format!("{KEY}.{}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = private().create(true).truncate(true).open(&made)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        // A link, unlike a rename, does not replace what is there.
        match fs::hard_link(&made, path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    };
    let written = write();
    let _ = fs::remove_file(&made);
    written.map_err(|e| failed("write", path, e))?;
    read_key(path)?.ok_or_else(|| StoreError::Key { path: path.to_owned() })
}

/// Puts a new file in the place of an old one.
fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let made = dir.join(format!("{name}.new"));
    let write = || -> io::Result<()> {
        let mut file = private().create(true).truncate(true).open(&made)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&made, dir.join(name))
    };
    write().map_err(|e| failed("write", &dir.join(name), e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scanner;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    #[test]
    fn values_outlive_the_process_and_nobody_else_reads_them() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("state/secrets");
        let value = b"kL9x-Vb27-QwEr".as_slice();
        let mut vault = Vault::new();
        let store = Store::open(&dir).unwrap();
        let name = vault.keep("token", value, store.key());
        store.add(&vault).unwrap();
        let mut other = Vault::new();
        let second = other.keep("token", b"another one", store.key());
        store.add(&other).unwrap();

        let again = Store::open(&dir).unwrap().vault().unwrap();
        assert_eq!(again.value(&name), Some(value));
        assert_eq!(again.value(&second), Some(b"another one".as_slice()));
        for entry in fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{entry:?}");
            let bytes = fs::read(entry.path()).unwrap();
            assert!(memchr::memmem::find(&bytes, value).is_none(), "{entry:?}");
        }
    }

    #[test]
    fn an_index_is_kept_without_its_values() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        assert!(store.known().unwrap().is_empty());
        let mut known = store.known().unwrap();
        let text = b"PORT=3000\nDB_PASSWORD=kL9x_Vb27_QwEr\nMODE=development\n";
        assert_eq!(known.harvest(text), 1);
        store.keep_known(&known).unwrap();
        let scanner = Scanner::new().with_known(Arc::new(Store::open(home.path()).unwrap().known().unwrap()));
        let found = scanner.scan(b"nothing says that kL9x_Vb27_QwEr is secret");
        assert_eq!((found.len(), found[0].span.clone(), &*found[0].kind), (1, 18..32, "password"));
        let bytes = fs::read(home.path().join(KNOWN)).unwrap();
        assert!(memchr::memmem::find(&bytes, b"kL9x_Vb2").is_none());
    }

    #[test]
    fn a_broken_key_is_said_and_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(KEY), b"short").unwrap();
        let error = Store::open(home.path()).unwrap_err();
        assert!(error.to_string().contains("is no key"), "{error}");
        assert_eq!(fs::read(home.path().join(KEY)).unwrap(), b"short");
    }
}
