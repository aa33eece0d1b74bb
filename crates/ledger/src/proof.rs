//! Proofs that stand on their own: that one record is in a sealed ledger, and that one checkpoint continues another.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{LedgerError, Result};
use crate::keys;
use crate::note::{Checkpoint, PublicKey, SignedCheckpoint};
use crate::read::Reader;
use crate::record::{Stored, commitment};
use crate::seal;
use crate::tree::{self, Hash, RangeRoots, leaf_hash, root_from_inclusion};
use crate::walk::{Event, Walk, lost_leaf};

/// Proof of one record, complete in itself: `serde_json` makes a file of it that anybody can check offline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The record's line.
    pub line: String,
    /// Its index.
    pub index: u64,
    /// The inclusion path of RFC 6962 from leaf to root, in hexadecimal.
    pub path: Vec<String>,
    /// The checkpoint, a C2SP signed note.
    pub checkpoint: SignedCheckpoint,
    /// The key that signed it. It proves only that the key's owner sealed the record; whose key it is must be known.
    pub key: PublicKey,
    /// Sealed values that are disclosed, each with its salt.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub disclosed: BTreeMap<String, Disclosure>,
}

/// A sealed value shown to whoever gets the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// The salt, in hexadecimal.
    pub salt: String,
    /// The canonical JSON of the value.
    pub value: String,
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// The record.
    pub record: Stored,
    /// The checkpoint that seals it.
    pub checkpoint: Checkpoint,
    /// The sealed values that were disclosed.
    pub disclosed: BTreeMap<String, Value>,
}

/// Roots of ranges of leaves, in one pass over the segments up to record `size`.
fn range_roots(reader: &Reader, ranges: Vec<std::ops::Range<u64>>, size: u64) -> Result<Vec<Hash>> {
    let mut roots = RangeRoots::new(ranges);
    let mut walk = Walk::from_segment(reader.paths(), 0, None)?;
    while walk.position < size {
        let before = walk.position;
        match walk.next()? {
            None => return Err(LedgerError::NoSuchRecord(size - 1)),
            Some(Event::Record { index, .. }) => roots.push(index, &leaf_hash(walk.body())),
            Some(_) => (before..walk.position).for_each(|index| roots.push(index, &lost_leaf())),
        }
    }
    Ok(roots.roots())
}

impl Reader {
    /// The newest checkpoint.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn checkpoint(&self) -> Result<Option<SignedCheckpoint>> {
        Ok(seal::last_checkpoint(self.paths())?.0)
    }

    /// The keys that have sealed this ledger, oldest first, as its own records tell: the first one has to be known from
    /// elsewhere to trust the rest. Each signed over to the next, which verification checks.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn keys(&self) -> Result<Vec<PublicKey>> {
        let query = crate::Query {
            kinds: vec![crate::Kind::LEDGER_CREATED, crate::Kind::KEY_ROTATED],
            ..crate::Query::default()
        };
        let mut keys = Vec::new();
        for hit in self.find(query)? {
            let Ok((_, record)) = hit else { continue };
            keys.extend(record.text("key").and_then(|key| key.parse().ok()));
        }
        Ok(keys)
    }

    /// Proves record `index` by the newest checkpoint, disclosing the sealed fields named in `disclose` (erased ones
    /// cannot be). Reads the ledger once from the start.
    ///
    /// # Errors
    /// [`LedgerError::NotSealed`] if no checkpoint covers the record yet, [`LedgerError::NoSuchRecord`],
    /// [`LedgerError::NoSuchField`].
    pub fn prove(&self, index: u64, disclose: &[&str]) -> Result<Proof> {
        let entry = self.get(index)?.ok_or(LedgerError::NoSuchRecord(index))?;
        let checkpoint = self.checkpoint()?.ok_or(LedgerError::NotSealed(index))?;
        let size = checkpoint.checkpoint().size;
        let ranges = tree::inclusion_ranges(index, size).ok_or(LedgerError::NotSealed(index))?;
        let path = range_roots(self, ranges, size)?.iter().map(|hash| HEXLOWER.encode(hash)).collect();
        let current = keys::load(&keys::current_path(self.paths()))?.map(|key| key.public());
        let key = match current.filter(|key| checkpoint.signed_by(key)) {
            Some(key) => key,
            None => self
                .keys()?
                .into_iter()
                .find(|key| checkpoint.signed_by(key))
                .ok_or(LedgerError::BadProof("the checkpoint is signed by no key of this ledger"))?,
        };
        let line = String::from_utf8(entry.line().to_vec())
            .map_err(|_| LedgerError::BadProof("the record is not text"))?;
        let mut disclosed = BTreeMap::new();
        for name in disclose {
            let none = || LedgerError::NoSuchField { index, field: (*name).to_owned() };
            let slot = self.slots(&entry)?.into_iter().find(|slot| slot.name == *name).ok_or_else(none)?;
            let (salt, value) = slot.opening.ok_or_else(none)?;
            let value = String::from_utf8(value)
                .map_err(|_| LedgerError::Tampered { index, field: (*name).to_owned() })?;
            disclosed.insert((*name).to_owned(), Disclosure { salt: HEXLOWER.encode(&salt), value });
        }
        Ok(Proof { line, index, path, checkpoint, key, disclosed })
    }

    /// The consistency proof of RFC 6962 from the first `old` records to the first `new`, to be checked with
    /// [`tree::consistent`]. Reads the ledger once from the start.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchRecord`] unless 0 < `old` ≤ `new` ≤ number of records.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>> {
        let ranges = tree::consistency_ranges(old, new).ok_or(LedgerError::NoSuchRecord(old))?;
        range_roots(self, ranges, new)
    }
}

/// Checks a proof without the ledger. `key` is the key that the checker knows to be the ledger's; without it the key in
/// the proof is taken at its word.
///
/// # Errors
/// [`LedgerError::BadProof`] if it does not hold, [`LedgerError::Tampered`] if a disclosed value is not the recorded one.
pub fn verify_proof(proof: &Proof, key: Option<&PublicKey>) -> Result<Proven> {
    let bad = |why| Err(LedgerError::BadProof(why));
    if key.is_some_and(|key| *key != proof.key) {
        return bad("it is signed by another key than the one that is trusted");
    }
    let checkpoint = proof.checkpoint.checkpoint();
    if checkpoint.origin != proof.key.name() || !proof.checkpoint.signed_by(&proof.key) {
        return bad("the checkpoint's signature is wrong");
    }
    let hash = |text: &String| Hash::try_from(HEXLOWER.decode(text.as_bytes()).ok()?).ok();
    let Some(path) = proof.path.iter().map(hash).collect::<Option<Vec<_>>>() else {
        return bad("the path is not made of SHA-256 values");
    };
    let leaf = leaf_hash(proof.line.as_bytes());
    if root_from_inclusion(proof.index, checkpoint.size, &leaf, &path) != Some(checkpoint.root) {
        return bad("the record does not lead to the root of the checkpoint");
    }
    let Ok(record) = serde_json::from_str::<Stored>(&proof.line) else {
        return bad("the line is no record");
    };
    if record.index != proof.index {
        return bad("the record has another index");
    }
    let mut disclosed = BTreeMap::new();
    for (name, open) in &proof.disclosed {
        let tampered = || LedgerError::Tampered { index: proof.index, field: name.clone() };
        let salt = HEXLOWER.decode(open.salt.as_bytes()).map_err(|_| tampered())?;
        let found = HEXLOWER.encode(&commitment(&salt, open.value.as_bytes()));
        if record.sealed.get(name) != Some(&found) {
            return Err(tampered());
        }
        disclosed.insert(name.clone(), serde_json::from_str(&open.value).map_err(|_| tampered())?);
    }
    Ok(Proven { record, checkpoint: checkpoint.clone(), disclosed })
}
