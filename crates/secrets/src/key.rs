//! The key under which secrets become fingerprints.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// A key of 32 bytes, one an installation. With it, and only with it, a fingerprint can be compared with a guess; it is
/// kept where only the guard reads.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

impl Key {
    /// The key with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes, to be kept.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The keyed hash of `value` for one purpose; those of different purposes cannot be compared.
    pub(crate) fn tag(&self, purpose: &str, value: &[u8]) -> [u8; 32] {
        // HMAC takes keys of any length, so this is never empty.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_slice()) else { return [0; 32] };
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(value);
        mac.finalize().into_bytes().into()
    }

    /// A fingerprint of a secret, 16 hexadecimal digits: the same for the same secret under the same key.
    #[must_use]
    pub fn fingerprint(&self, value: &[u8]) -> String {
        let tag = self.tag("fingerprint", value);
        data_encoding::HEXLOWER.encode(tag.first_chunk::<8>().unwrap_or(&[0; 8]))
    }
}
