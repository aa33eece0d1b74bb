//! The signing keys. `ledger.key` is the one in force; `ledger.next` exists only while keys are changed. A retired key
//! is overwritten, so that whoever comes later cannot sign the past again.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signer, SigningKey};

use crate::error::{LedgerError, Result, io_error};
use crate::files::{Paths, open_read, open_rw, write_whole};
use crate::note::PublicKey;

/// First word of a key file.
const MAGIC: &str = "ambit-ledger-key-v1";

/// A signing key of one epoch.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) origin: String,
    pub(crate) epoch: u64,
    pub(crate) secret: SigningKey,
}

/// What the old key signs when a new one takes over.
pub(crate) fn rotation_text(old: &str, new: &str) -> String {
    format!("ambit ledger key rotation\n{old}\n{new}\n")
}

impl Key {
    pub(crate) fn random(origin: Option<String>, epoch: u64) -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(LedgerError::Random)?;
        let origin = match origin {
            Some(origin) => origin,
            None => {
                let mut id = [0; 8];
                getrandom::fill(&mut id).map_err(LedgerError::Random)?;
                format!("ambit/ledger/{}", HEXLOWER.encode(&id))
            }
        };
        Ok(Self { origin, epoch, secret: SigningKey::from_bytes(&seed) })
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::new(&self.origin, self.secret.verifying_key())
    }

    /// Signature over the change to `new`, in base64.
    pub(crate) fn hand_over(&self, new: &PublicKey) -> String {
        let text = rotation_text(&self.public().to_string(), &new.to_string());
        BASE64.encode(&self.secret.sign(text.as_bytes()).to_bytes())
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let seed = BASE64.encode(self.secret.as_bytes());
        write_whole(path, format!("{MAGIC} {} {} {seed}\n", self.origin, self.epoch).as_bytes())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        if words.next()? != MAGIC {
            return None;
        }
        let origin = words.next()?.to_owned();
        let epoch = words.next()?.parse().ok()?;
        let seed = <[u8; 32]>::try_from(BASE64.decode(words.next()?.as_bytes()).ok()?).ok()?;
        Some(Self { origin, epoch, secret: SigningKey::from_bytes(&seed) })
    }
}

pub(crate) fn current_path(paths: &Paths) -> PathBuf {
    paths.keys.join("ledger.key")
}

pub(crate) fn next_path(paths: &Paths) -> PathBuf {
    paths.keys.join("ledger.next")
}

/// Raw content of a key file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    use std::io::Read;
    let Some(mut file) = open_read(path)? else { return Ok(None) };
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(io_error("read", path))?;
    Ok(Some(text))
}

/// The key in a file; `None` if there is no file.
pub(crate) fn load(path: &Path) -> Result<Option<Key>> {
    read(path)?.map(|text| parse(path, &text)).transpose()
}

pub(crate) fn parse(path: &Path, text: &str) -> Result<Key> {
    Key::parse(text).ok_or_else(|| LedgerError::KeyDamaged(path.to_path_buf()))
}

/// Overwrites the old key and puts the next one in its place.
pub(crate) fn promote(paths: &Paths) -> Result<()> {
    let (current, next) = (current_path(paths), next_path(paths));
    if let Some(old) = read(&current)? {
        let file = open_rw(&current)?;
        file.write_all_at(&vec![0; old.len()], 0)
            .and_then(|()| file.sync_data())
            .map_err(io_error("overwrite", &current))?;
    }
    fs::rename(&next, &current).map_err(io_error("replace", &current))?;
    crate::files::sync_dir(&paths.keys)
}
