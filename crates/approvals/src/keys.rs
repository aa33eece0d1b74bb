//! The machine's key that signs decisions, apart from the ledger's: `keys/approvals.key`, for its owner alone.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey};
use serde::Serialize;

use crate::error::{ApprovalError, Result, io as io_error};
use crate::files;

/// First word of the key file.
const MAGIC: &str = "ambit-approvals-key-v1";

/// The key.
pub(crate) struct Key(SigningKey);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", BASE64.encode(self.0.verifying_key().as_bytes()))
    }
}

impl Key {
    /// The key in a directory, made if there is none. Of two that make one, the first counts for both.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let path = dir.join("approvals.key");
        loop {
            match fs::read_to_string(&path) {
                Ok(text) => return Self::parse(&text).ok_or_else(|| ApprovalError::KeyDamaged(path.clone())),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(io_error("read", &path)(e)),
            }
            let mut seed = [0_u8; 32];
            getrandom::fill(&mut seed).map_err(ApprovalError::Random)?;
            files::make_dir(dir)?;
            let text = format!("{MAGIC} {}\n", BASE64.encode(&seed));
            // Whether this one or another process's came first, it is there now.
            files::create_whole(dir, "approvals.key", text.as_bytes())?;
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        if words.next()? != MAGIC {
            return None;
        }
        let seed = <[u8; 32]>::try_from(BASE64.decode(words.next()?.as_bytes()).ok()?).ok()?;
        Some(Self(SigningKey::from_bytes(&seed)))
    }

    /// Signs a value's canonical JSON, in base64.
    pub(crate) fn sign<T: Serialize>(&self, value: &T) -> Result<String> {
        let bytes = serde_json_canonicalizer::to_vec(value).map_err(ApprovalError::Canonical)?;
        Ok(BASE64.encode(&self.0.sign(&bytes).to_bytes()))
    }

    /// Whether a signature is this key's over the value.
    pub(crate) fn holds<T: Serialize>(&self, value: &T, signature: &str) -> Result<bool> {
        let bytes = serde_json_canonicalizer::to_vec(value).map_err(ApprovalError::Canonical)?;
        let Ok(raw) = BASE64.decode(signature.as_bytes()) else { return Ok(false) };
        let Ok(signature) = Signature::from_slice(&raw) else { return Ok(false) };
        Ok(self.0.verifying_key().verify_strict(&bytes, &signature).is_ok())
    }
}
