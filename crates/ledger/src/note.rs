//! Checkpoints: signed notes (C2SP signed-note) over a size and a root (C2SP tlog-checkpoint), with Ed25519.
//!
//! Two extension lines follow the root: `time` (when it was signed) and `durable` (how many records were known to be
//! on disk then: a power loss can take away records above that, never below).

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{LedgerError, Result};
use crate::record::format_time;
use crate::tree::Hash;

/// Signature type of Ed25519 in C2SP signed-note.
const ED25519: u8 = 1;
/// What a signature line begins with: an em dash and a space.
const SIGNATURE: &str = "\u{2014} ";

/// Key id: the first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key) (C2SP signed-note).
fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let hash: Hash = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519])
        .chain_update(key.as_bytes())
        .finalize()
        .into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// A public key as signed notes write it: `name+id+key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    name: String,
    key: VerifyingKey,
}

impl PublicKey {
    pub(crate) fn new(name: &str, key: VerifyingKey) -> Self {
        Self { name: name.to_owned(), key }
    }

    /// The ledger's name (the checkpoint's origin).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `signature` (base64) over `text` is of this key.
    pub(crate) fn signed(&self, text: &str, signature: &str) -> bool {
        let Ok(bytes) = BASE64.decode(signature.as_bytes()) else { return false };
        Signature::from_slice(&bytes).is_ok_and(|sig| self.key.verify_strict(text.as_bytes(), &sig).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = HEXLOWER.encode(&key_id(&self.name, &self.key));
        let key = [[ED25519].as_slice(), self.key.as_bytes()].concat();
        write!(f, "{}+{id}+{}", self.name, BASE64.encode(&key))
    }
}

impl FromStr for PublicKey {
    type Err = LedgerError;
    fn from_str(text: &str) -> Result<Self> {
        const BAD: LedgerError = LedgerError::BadNote("the public key must be `name+id+key` of Ed25519");
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BAD);
        };
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| BAD)?;
        let Some((&ED25519, raw)) = bytes.split_first() else { return Err(BAD) };
        let raw = <[u8; 32]>::try_from(raw).map_err(|_| BAD)?;
        let key = VerifyingKey::from_bytes(&raw).map_err(|_| BAD)?;
        if name.is_empty() || HEXLOWER.encode(&key_id(name, &key)) != id {
            return Err(LedgerError::BadNote("the public key's id does not fit the key"));
        }
        Ok(Self::new(name, key))
    }
}

impl TryFrom<String> for PublicKey {
    type Error = LedgerError;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the ledger.
    pub origin: String,
    /// Number of records.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// When it was signed, by the signer's clock.
    pub time: Option<Timestamp>,
    /// How many records were known to be on disk.
    pub durable: u64,
}

impl Checkpoint {
    fn text(&self) -> String {
        use fmt::Write;
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root));
        if let Some(time) = self.time {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "time {}", format_time(time));
        }
        let _ = writeln!(text, "durable {}", self.durable);
        text
    }

    fn parse(text: &str) -> Result<Self> {
        const BAD: LedgerError = LedgerError::BadNote("it must begin with origin, size and root, one a line");
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(BAD);
        };
        let digits = !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit());
        let canonical = digits && (size == "0" || !size.starts_with('0'));
        let root = BASE64.decode(root.as_bytes()).ok().and_then(|root| Hash::try_from(root).ok());
        let (true, Some(root), Ok(size)) = (canonical && !origin.is_empty(), root, size.parse()) else {
            return Err(BAD);
        };
        let (mut time, mut durable) = (None, 0);
        for line in lines {
            if let Some(value) = line.strip_prefix("time ") {
                time = value.parse().ok();
            } else if let Some(value) = line.strip_prefix("durable ") {
                durable = value.parse().unwrap_or(0);
            }
        }
        Ok(Self { origin: origin.to_owned(), size, root, time, durable })
    }

    /// Signs it: the whole note as text.
    pub(crate) fn sign(&self, key: &SigningKey) -> String {
        let text = self.text();
        let signature = key.sign(text.as_bytes()).to_bytes();
        let id = key_id(&self.origin, &key.verifying_key());
        let line = BASE64.encode(&[id.as_slice(), &signature].concat());
        format!("{text}\n{SIGNATURE}{} {line}\n", self.origin)
    }
}

/// A checkpoint with its signatures, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignedCheckpoint {
    note: String,
    checkpoint: Checkpoint,
}

impl SignedCheckpoint {
    /// What it says; its signatures are not looked at.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note as text.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Whether one of its signatures is of `key`.
    #[must_use]
    pub fn signed_by(&self, key: &PublicKey) -> bool {
        let Some((text, signatures)) = split(&self.note) else { return false };
        let id = key_id(&key.name, &key.key);
        signatures.lines().any(|line| {
            let Some((name, signature)) = line.strip_prefix(SIGNATURE).and_then(|rest| rest.split_once(' '))
            else {
                return false;
            };
            let bytes = BASE64.decode(signature.as_bytes()).unwrap_or_default();
            let Some((found, signature)) = bytes.split_at_checked(4) else { return false };
            name == key.name
                && found == id
                && Signature::from_slice(signature)
                    .is_ok_and(|sig| key.key.verify_strict(text.as_bytes(), &sig).is_ok())
        })
    }
}

/// Text with its last newline, and the signature lines.
fn split(note: &str) -> Option<(&str, &str)> {
    let (text, signatures) = note.split_at_checked(note.rfind("\n\n")? + 1)?;
    Some((text, signatures.strip_prefix('\n')?))
}

impl FromStr for SignedCheckpoint {
    type Err = LedgerError;
    fn from_str(note: &str) -> Result<Self> {
        let (text, signatures) = split(note).ok_or(LedgerError::BadNote("there is no signature"))?;
        let complete =
            signatures.ends_with('\n') && signatures.lines().all(|line| line.starts_with(SIGNATURE));
        if !complete || signatures.is_empty() {
            return Err(LedgerError::BadNote("a signature line is damaged"));
        }
        Ok(Self { note: note.to_owned(), checkpoint: Checkpoint::parse(text)? })
    }
}

impl TryFrom<String> for SignedCheckpoint {
    type Error = LedgerError;
    fn try_from(note: String) -> Result<Self> {
        note.parse()
    }
}

impl From<SignedCheckpoint> for String {
    fn from(note: SignedCheckpoint) -> Self {
        note.note
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Go implementation of signed notes (golang.org/x/mod/sumdb/note).
    #[test]
    fn key_of_the_go_implementation() {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key: PublicKey = text.parse().unwrap();
        assert_eq!(key.name(), "PeterNeumann");
        assert_eq!(key.to_string(), text);
        assert!(
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
                .parse::<PublicKey>()
                .is_err()
        );
    }

    #[test]
    fn signature_of_the_go_implementation() {
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let signature =
            "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let key: PublicKey =
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let bytes = BASE64.decode(signature.as_bytes()).unwrap();
        assert_eq!(bytes[..4], key_id(key.name(), &key.key));
        assert!(key.signed(text, &BASE64.encode(&bytes[4..])));
        assert!(!key.signed("other", &BASE64.encode(&bytes[4..])));
    }

    #[test]
    fn round_trip_and_every_change_is_noticed() {
        let secret = SigningKey::from_bytes(&[7; 32]);
        let key = PublicKey::new("ambit/ledger/x", secret.verifying_key());
        let checkpoint = Checkpoint {
            origin: key.name().to_owned(),
            size: 42,
            root: [9; 32],
            time: Some(Timestamp::UNIX_EPOCH),
            durable: 40,
        };
        let note = checkpoint.sign(&secret);
        let parsed: SignedCheckpoint = note.parse().unwrap();
        assert_eq!(parsed.checkpoint(), &checkpoint);
        assert!(parsed.signed_by(&key));
        let other = PublicKey::new(key.name(), SigningKey::from_bytes(&[8; 32]).verifying_key());
        assert!(!parsed.signed_by(&other));
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let ok = changed.parse::<SignedCheckpoint>().is_ok_and(|note| note.signed_by(&key));
            assert!(!ok, "{at}");
        }
        for cut in 0..note.len() {
            if let Some(part) = note.get(..cut) {
                assert!(part.parse::<SignedCheckpoint>().is_err(), "{cut}");
            }
        }
    }
}
