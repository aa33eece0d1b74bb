//! Compiled policy as one file, read by parts: an index, then one shard an effect kind.
//!
//! Layout, numbers little-endian: magic (8 bytes), format (4), digest of the sources (32), number of shards (4);
//! then for each shard its offset (8), length of its rules (4), length of its policies (4) and the first 16 bytes
//! of the SHA-256 over both; then the first 16 bytes of the SHA-256 over all before; then the shards. Rules are
//! postcard, policies Cedar's protobuf form.

use crate::compile::{Brief, Compiled, Shard};
use crate::{PolicyError, SnapshotError};

use cedar_policy::proto::traits::Protobuf;
use model::EffectKind;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The version of the layout; a change of it makes older files be compiled again.
pub(crate) const FORMAT: u32 = 2;
const MAGIC: &[u8; 8] = b"AMBITPOL";
const KINDS: usize = EffectKind::ALL.len();
const ENTRY: usize = 8 + 4 + 4 + SUM;
const SUM: usize = 16;
const HEADER: usize = 8 + 4 + 32 + 4 + KINDS * ENTRY;

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u64,
    rules: u32,
    policies: u32,
    sum: [u8; SUM],
}

/// An opened snapshot: its index is read, its shards are read when they are asked for.
#[derive(Debug)]
pub struct Snapshot {
    file: std::fs::File,
    path: PathBuf,
    key: [u8; 32],
    entries: Vec<Entry>,
}

fn sum(bytes: &[u8]) -> [u8; SUM] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let mut short = [0; SUM];
    short.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    short
}

impl Compiled {
    /// The snapshot's bytes.
    ///
    /// # Errors
    /// [`PolicyError::Encode`] when a rule is too deep for Cedar's protobuf form.
    pub fn bytes(&self) -> Result<Vec<u8>, PolicyError> {
        let mut head = Vec::with_capacity(HEADER + SUM);
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&FORMAT.to_le_bytes());
        head.extend_from_slice(&self.key);
        head.extend_from_slice(&(KINDS as u32).to_le_bytes());
        let mut body: Vec<u8> = Vec::new();
        for shard in &self.shards {
            let encode = |e: &dyn std::fmt::Display| PolicyError::Encode(e.to_string());
            let rules = postcard::to_stdvec(&shard.rules).map_err(|e| encode(&e))?;
            let policies = shard.policies()?.encode().map_err(|e| encode(&e))?;
            let both = [rules.as_slice(), policies.as_slice()].concat();
            let length = |n: usize| u32::try_from(n).map_err(|e| encode(&e));
            head.extend_from_slice(&((HEADER + SUM + body.len()) as u64).to_le_bytes());
            head.extend_from_slice(&length(rules.len())?.to_le_bytes());
            head.extend_from_slice(&length(policies.len())?.to_le_bytes());
            head.extend_from_slice(&sum(&both));
            body.extend_from_slice(&both);
        }
        head.extend_from_slice(&sum(&head));
        head.extend_from_slice(&body);
        Ok(head)
    }

    /// Writes the snapshot beside `path` and renames it into place, so that a reader sees the old or the new one.
    ///
    /// # Errors
    /// [`PolicyError::Io`] when the directory cannot be written; [`PolicyError::Encode`] as for [`Compiled::bytes`].
    pub fn write(&self, path: &Path) -> Result<(), PolicyError> {
        let bytes = self.bytes()?;
        let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir).map_err(PolicyError::Io)?;
        file.write_all(&bytes).map_err(PolicyError::Io)?;
        file.as_file().sync_data().map_err(PolicyError::Io)?;
        file.persist(path).map_err(|e| PolicyError::Io(e.error))?;
        Ok(())
    }
}

/// Takes `N` bytes off the front.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*front)
}

impl Snapshot {
    /// Opens a snapshot and reads its index.
    ///
    /// # Errors
    /// [`SnapshotError`] when the file is missing, damaged, or of another version: compile from the sources then.
    pub fn open(path: &Path) -> Result<Self, SnapshotError> {
        let file: std::fs::File = fs_err::File::open(path)?.into_file();
        let mut head = [0; HEADER + SUM];
        let got = read_up_to(&file, &mut head)?;
        let mut rest = head.get(..got).unwrap_or_default();
        let not = || SnapshotError::NotASnapshot(path.to_owned());
        let damaged = |what: &str| SnapshotError::Damaged { path: path.to_owned(), what: what.to_owned() };
        if &take::<8>(&mut rest).ok_or_else(not)? != MAGIC {
            return Err(not());
        }
        let found = u32::from_le_bytes(take(&mut rest).ok_or_else(|| damaged("it ends early"))?);
        if found != FORMAT {
            return Err(SnapshotError::Version { path: path.to_owned(), found, expected: FORMAT });
        }
        let (covered, given) = head.split_at(HEADER);
        if got < head.len() || sum(covered) != given {
            return Err(damaged("its index does not add up"));
        }
        let index = || damaged("its index is too short");
        let key = take::<32>(&mut rest).ok_or_else(index)?;
        let count = u32::from_le_bytes(take(&mut rest).ok_or_else(index)?);
        if count as usize != KINDS {
            return Err(damaged("it has another number of kinds"));
        }
        let mut entries = Vec::with_capacity(KINDS);
        for _ in 0..KINDS {
            entries.push(Entry {
                offset: u64::from_le_bytes(take(&mut rest).ok_or_else(index)?),
                rules: u32::from_le_bytes(take(&mut rest).ok_or_else(index)?),
                policies: u32::from_le_bytes(take(&mut rest).ok_or_else(index)?),
                sum: take(&mut rest).ok_or_else(index)?,
            });
        }
        Ok(Self { file, path: path.to_owned(), key, entries })
    }

    pub(crate) fn key(&self) -> [u8; 32] {
        self.key
    }

    /// The digest of the sources it was made from, to be compared with [`crate::Sources::digest`].
    #[must_use]
    pub fn digest(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.key)
    }

    /// Reads the shard at this place.
    pub(crate) fn shard(&self, index: usize) -> Result<Shard, SnapshotError> {
        let damaged = |what: String| SnapshotError::Damaged { path: self.path.clone(), what };
        let kind = EffectKind::ALL.get(index).map_or("no kind", |k| k.word());
        let entry = self.entries.get(index).ok_or_else(|| damaged(format!("no part for `{kind}`")))?;
        let length = entry.rules as usize + entry.policies as usize;
        let mut bytes = vec![0; length];
        self.file
            .read_exact_at(&mut bytes, entry.offset)
            .map_err(|e| damaged(format!("the part for `{kind}` cannot be read: {e}")))?;
        if sum(&bytes) != entry.sum {
            return Err(damaged(format!("the part for `{kind}` does not add up")));
        }
        let (rules, policies) = bytes
            .split_at_checked(entry.rules as usize)
            .ok_or_else(|| damaged(format!("the part for `{kind}` is too short")))?;
        let rules: Vec<Brief> = postcard::from_bytes(rules).map_err(|e| damaged(format!("`{kind}`: {e}")))?;
        // The sum above shows that these bytes are the ones that were encoded from validated policies.
        Ok(Shard::stored(rules, policies.to_vec()))
    }
}

fn read_up_to(file: &std::fs::File, to: &mut [u8]) -> Result<usize, std::io::Error> {
    let mut got = 0;
    while let Some(rest) = to.get_mut(got..).filter(|r| !r.is_empty()) {
        match file.read_at(rest, got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}
