//! The values behind placeholders, so that an edited file is written back whole. Kept sealed, in the guard's own state.

use crate::key::Key;
use crate::redact::placeholder;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// Hexadecimal digits of the keyed hash in a placeholder, and in one whose short form another secret has already.
const DIGITS: (usize, usize) = (8, 24);

/// The length of a nonce.
const NONCE: usize = 24;

/// With what sealed vaults begin.
const HEAD: &[u8; 8] = b"ambitsv1";

/// Values by placeholder. Neither its `Debug` nor anything else here prints one.
#[derive(Clone, Default)]
pub struct Vault {
    values: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({} values)", self.values.len())
    }
}

/// Why a sealed vault was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Too short, or of another version.
    #[error(
        "the file of hidden values has not the form that this version writes; read the files again and Ambit hides their secrets anew"
    )]
    Form,
    /// It was sealed under another key, or changed.
    #[error(
        "the file of hidden values was sealed under another key or changed since; read the files again and Ambit hides their secrets anew"
    )]
    Seal,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes, so the hidden values cannot be sealed; try again")]
    Random,
}

impl Vault {
    /// An empty vault.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many values it keeps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it keeps none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Keeps a value and gives its placeholder: always the same one for the same bytes under the same key.
    pub fn keep(&mut self, kind: &str, value: &[u8], key: &Key) -> String {
        let short = placeholder(kind, value, key, DIGITS.0);
        let name = match self.values.get(&short) {
            Some(kept) if kept.as_slice() != value => placeholder(kind, value, key, DIGITS.1),
            _ => short,
        };
        self.values.entry(name.clone()).or_insert_with(|| Zeroizing::new(value.to_vec()));
        name
    }

    /// The value behind a placeholder.
    #[must_use]
    pub fn value(&self, placeholder: &str) -> Option<&[u8]> {
        self.values.get(placeholder).map(|v| v.as_slice())
    }

    /// Takes over what another vault keeps.
    pub fn merge(&mut self, other: &Self) {
        for (name, value) in &other.values {
            self.values.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    /// The vault sealed under a key (XChaCha20-Poly1305, a random nonce), to be kept in a file that only the guard reads.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn seal(&self, key: &Key) -> Result<Vec<u8>, VaultError> {
        let mut plain = Zeroizing::new(Vec::new());
        for (name, value) in &self.values {
            for field in [name.as_bytes(), value.as_slice()] {
                plain.extend_from_slice(
                    &u32::try_from(field.len()).map_err(|_| VaultError::Form)?.to_le_bytes(),
                );
                plain.extend_from_slice(field);
            }
        }
        let mut nonce = [0_u8; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| VaultError::Random)?;
        let sealed = cipher(key)
            .encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: HEAD })
            .map_err(|_| VaultError::Seal)?;
        Ok([HEAD.as_slice(), &nonce, &sealed].concat())
    }

    /// The vault that was sealed under this key.
    ///
    /// # Errors
    /// When it is not one, or was sealed under another key.
    pub fn open(key: &Key, bytes: &[u8]) -> Result<Self, VaultError> {
        let rest = bytes.strip_prefix(HEAD.as_slice()).ok_or(VaultError::Form)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(VaultError::Form)?;
        let plain = cipher(key)
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: HEAD })
            .map_err(|_| VaultError::Seal)?;
        let plain = Zeroizing::new(plain);
        let mut rest = plain.as_slice();
        let mut out = Self::default();
        while !rest.is_empty() {
            let name = field(&mut rest)?;
            let name = String::from_utf8(name.to_vec()).map_err(|_| VaultError::Form)?;
            out.values.insert(name, Zeroizing::new(field(&mut rest)?.to_vec()));
        }
        Ok(out)
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&key.tag("vault", b"").into())
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], VaultError> {
    let (length, tail) = rest.split_first_chunk::<4>().ok_or(VaultError::Form)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| VaultError::Form)?;
    let (value, tail) = tail.split_at_checked(length).ok_or(VaultError::Form)?;
    *rest = tail;
    Ok(value)
}
