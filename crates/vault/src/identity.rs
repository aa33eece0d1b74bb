//! The key of the encrypted file: in the operating system's keyring, or under a passphrase.

use crate::backend::{Programs, keyring};
use crate::{Result, VaultError, files};
use age::secrecy::{ExposeSecret, SecretString};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Content of the key file where the key itself lies in the keyring.
const IN_KEYRING: &[u8] = b"the key is in the keyring\n";
/// The key's name in the keyring.
const ENTRY: &str = "vault-key";

/// The key that opens the encrypted file (age, X25519).
pub struct Identity(pub(crate) age::x25519::Identity);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(..)")
    }
}

fn key_file(dir: &Path) -> PathBuf {
    dir.join("vault.key")
}

impl Identity {
    /// Whether a key was made in `dir` before.
    #[must_use]
    pub fn is_there(dir: &Path) -> bool {
        key_file(dir).exists()
    }

    /// Whether the key in `dir` needs a passphrase.
    ///
    /// # Errors
    /// If the key file cannot be read.
    pub fn needs_passphrase(dir: &Path) -> Result<bool> {
        Ok(files::read(&key_file(dir))?.is_some_and(|bytes| bytes != IN_KEYRING))
    }

    /// Makes a key and keeps it in the keyring.
    ///
    /// # Errors
    /// If there is a key already, or the keyring does not take one.
    pub fn create_in_keyring(dir: &Path, programs: &Programs) -> Result<Self> {
        let _lock = Self::vacant(dir)?;
        let identity = age::x25519::Identity::generate();
        keyring::put(programs, ENTRY, identity.to_string().expose_secret().as_bytes())?;
        files::write(&key_file(dir), IN_KEYRING)?;
        Ok(Self(identity))
    }

    /// Makes a key and keeps it encrypted under a passphrase (age, scrypt).
    ///
    /// # Errors
    /// If there is a key already, or the file cannot be written.
    pub fn create_with_passphrase(dir: &Path, passphrase: SecretString) -> Result<Self> {
        let _lock = Self::vacant(dir)?;
        let identity = age::x25519::Identity::generate();
        let recipient = age::scrypt::Recipient::new(passphrase);
        let path = key_file(dir);
        let bytes = age::encrypt(&recipient, identity.to_string().expose_secret().as_bytes())
            .map_err(|e| VaultError::Damaged { path: path.clone(), why: e.to_string() })?;
        files::write(&path, &bytes)?;
        Ok(Self(identity))
    }

    /// A second key would make the first one's file unreadable.
    fn vacant(dir: &Path) -> Result<files::Lock> {
        let path = key_file(dir);
        let lock = files::lock(&path)?;
        if path.exists() {
            let why = "there is a key already".to_owned();
            return Err(VaultError::Damaged { path, why });
        }
        Ok(lock)
    }

    /// The key, if it can be had without asking anybody: from the keyring, or because somebody unlocked it.
    ///
    /// # Errors
    /// [`VaultError::Locked`] if a person has to give the passphrase first.
    pub fn open(dir: &Path, programs: &Programs, unlocked: &Unlocked, now: Timestamp) -> Result<Self> {
        match files::read(&key_file(dir))? {
            None => Err(VaultError::Locked("it has no key yet".to_owned())),
            Some(bytes) if bytes == IN_KEYRING => {
                let found = keyring::get(programs, ENTRY)?;
                let found =
                    found.ok_or_else(|| VaultError::Locked("the keyring has no key for it".to_owned()))?;
                Self::parse(&key_file(dir), secrecy::ExposeSecret::expose_secret(&found))
            }
            Some(_) => {
                unlocked.get(now)?.ok_or_else(|| VaultError::Locked("its passphrase is needed".to_owned()))
            }
        }
    }

    /// The key, by its passphrase.
    ///
    /// # Errors
    /// [`VaultError::Undecryptable`] if the passphrase is wrong.
    pub fn open_with_passphrase(dir: &Path, passphrase: SecretString) -> Result<Self> {
        let path = key_file(dir);
        let bytes = files::read(&path)?.ok_or_else(|| VaultError::Locked("it has no key yet".to_owned()))?;
        let mut key = age::scrypt::Identity::new(passphrase);
        // Made by this machine or one like it; a file that asks for hours of work is an attack.
        key.set_max_work_factor(22);
        let text = age::decrypt(&key, &bytes).map_err(|_| VaultError::Undecryptable(path.clone()))?;
        Self::parse(&path, &Zeroizing::new(text))
    }

    fn parse(path: &Path, text: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(text).unwrap_or_default().trim();
        text.parse().map(Self).map_err(|_| VaultError::Undecryptable(path.to_path_buf()))
    }
}

/// A key that somebody unlocked, until a time. It lies in the runtime directory, which is memory and goes with the
/// login; contained commands do not see it, and policy keeps agents from reading it.
#[derive(Debug, Clone)]
pub struct Unlocked(PathBuf);

#[derive(Serialize, Deserialize)]
struct Kept {
    key: Zeroizing<String>,
    until: Timestamp,
}

impl Unlocked {
    /// Keeps it in this file.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        Self(file)
    }

    /// Keeps the key until then.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn put(&self, identity: &Identity, until: Timestamp) -> Result<()> {
        let key = Zeroizing::new(identity.0.to_string().expose_secret().to_owned());
        files::store(&self.0, &Kept { key, until })
    }

    /// Forgets it.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub fn forget(&self) -> Result<()> {
        match std::fs::remove_file(&self.0) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(crate::error::io("remove", &self.0)(e)),
            _ => Ok(()),
        }
    }

    fn get(&self, now: Timestamp) -> Result<Option<Identity>> {
        let Some(bytes) = files::read(&self.0)?.map(Zeroizing::new) else { return Ok(None) };
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| VaultError::Damaged {
            path: self.0.clone(),
            why: "it is not what Ambit writes".to_owned(),
        })?;
        if now >= kept.until {
            self.forget()?;
            return Ok(None);
        }
        Identity::parse(&self.0, kept.key.as_bytes()).map(Some)
    }
}
