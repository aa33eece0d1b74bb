//! The file that Ambit encrypts itself: JSON under age, replaced whole.

use crate::backend::{Backend, Given};
use crate::{Identity, Result, Value, VaultError, files};
use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The encrypted file.
pub struct AgeFile {
    path: PathBuf,
    key: Box<dyn Fn() -> Result<Identity>>,
}

impl std::fmt::Debug for AgeFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgeFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What is in it.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    /// Values in base64, by key.
    secrets: BTreeMap<String, Zeroizing<String>>,
}

impl Default for Content {
    fn default() -> Self {
        Self { version: 1, secrets: BTreeMap::new() }
    }
}

impl AgeFile {
    /// The file in `dir`, opened with what `key` gives.
    #[must_use]
    pub fn new(dir: PathBuf, key: Box<dyn Fn() -> Result<Identity>>) -> Self {
        Self { path: dir.join("vault.age"), key }
    }

    fn damaged(&self, why: impl ToString) -> VaultError {
        VaultError::Damaged { path: self.path.clone(), why: why.to_string() }
    }

    fn load(&self, key: &Identity) -> Result<Content> {
        let Some(bytes) = files::read(&self.path)? else { return Ok(Content::default()) };
        let text = age::decrypt(&key.0, &bytes).map_err(|_| VaultError::Undecryptable(self.path.clone()))?;
        let text = Zeroizing::new(text);
        let content: Content =
            serde_json::from_slice(&text).map_err(|_| self.damaged("it is not what Ambit writes"))?;
        if content.version != 1 {
            return Err(self.damaged("a newer version of Ambit wrote it"));
        }
        Ok(content)
    }

    fn store(&self, key: &Identity, content: &Content) -> Result<()> {
        let text = Zeroizing::new(serde_json::to_vec(content).map_err(|e| self.damaged(e))?);
        let bytes = age::encrypt(&key.0.to_public(), &text).map_err(|e| self.damaged(e))?;
        files::write(&self.path, &bytes)
    }
}

impl Backend for AgeFile {
    fn word(&self) -> String {
        "the encrypted file".to_owned()
    }

    fn read(&self, key: &str) -> Result<Given> {
        let content = self.load(&(self.key)()?)?;
        let missing = || VaultError::Missing { name: key.to_owned(), backend: self.word() };
        let text = content.secrets.get(key).ok_or_else(missing)?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| self.damaged("a value is not base64"))?;
        Ok(SecretSlice::from(bytes).into())
    }

    fn write(&self, key: &str, value: &Value) -> Result<()> {
        let identity = (self.key)()?;
        let _lock = files::lock(&self.path)?;
        let mut content = self.load(&identity)?;
        content.secrets.insert(key.to_owned(), Zeroizing::new(BASE64.encode(value.expose_secret())));
        self.store(&identity, &content)
    }

    fn remove(&self, key: &str) -> Result<bool> {
        let identity = (self.key)()?;
        let _lock = files::lock(&self.path)?;
        let mut content = self.load(&identity)?;
        let was = content.secrets.remove(key).is_some();
        if was {
            self.store(&identity, &content)?;
        }
        Ok(was)
    }

    fn list(&self) -> Result<Vec<String>> {
        if files::read(&self.path)?.is_none() {
            return Ok(Vec::new());
        }
        Ok(self.load(&(self.key)()?)?.secrets.into_keys().collect())
    }
}
