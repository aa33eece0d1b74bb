//! The head: a cache of where the ledger ends. The segments are what counts; a head that is torn, old or missing is
//! made again from them.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::tree::{Frontier, Hash};

/// Names the format and its version.
const MAGIC: &[u8; 8] = b"AMBHEAD1";
/// Fixed fields before the hashes, in bytes.
const FIXED: usize = 8 + 5 * 8;
/// Largest encoding: 64 hashes and a checksum.
const MAX: usize = FIXED + 64 * 32 + 4;

/// Where the ledger ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// First index of the segment that is being written.
    pub(crate) first: u64,
    /// Its length in bytes.
    pub(crate) offset: u64,
    /// Length of its sidecar in bytes.
    pub(crate) side: u64,
    /// Latest time of any record, in microseconds since 1970.
    pub(crate) latest: i64,
    /// The tree over all records.
    pub(crate) tree: Frontier,
}

impl Head {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(MAGIC);
        for number in [self.tree.size(), self.first, self.offset, self.side] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.latest.to_le_bytes());
        for hash in self.tree.peaks() {
            out.extend_from_slice(hash);
        }
        out.extend_from_slice(&crc32c::crc32c(out).to_le_bytes());
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |n: usize| -> Option<[u8; 8]> { bytes.get(8 + n * 8..16 + n * 8)?.try_into().ok() };
        if bytes.get(..8)? != MAGIC {
            return None;
        }
        let size = u64::from_le_bytes(number(0)?);
        let end = FIXED + size.count_ones() as usize * 32;
        let crc: [u8; 4] = bytes.get(end..end + 4)?.try_into().ok()?;
        if crc32c::crc32c(bytes.get(..end)?) != u32::from_le_bytes(crc) {
            return None;
        }
        let peaks =
            bytes.get(FIXED..end)?.chunks_exact(32).map(Hash::try_from).collect::<Result<_, _>>().ok()?;
        Some(Self {
            first: u64::from_le_bytes(number(1)?),
            offset: u64::from_le_bytes(number(2)?),
            side: u64::from_le_bytes(number(3)?),
            latest: i64::from_le_bytes(number(4)?),
            tree: Frontier::from_parts(size, peaks)?,
        })
    }

    /// Reads a head; `None` if it is missing, torn or of another version. Safe without the lock: a head caught while
    /// it is written does not fit its checksum.
    pub(crate) fn read(file: &File) -> Option<Self> {
        let mut bytes = [0; MAX];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        Self::decode(bytes.get(..filled)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_is_noticed() {
        let mut tree = Frontier::default();
        for i in 0..7_u8 {
            tree.push([i; 32]);
        }
        let head = Head { first: 3, offset: 99, side: 7, latest: -5, tree };
        let mut bytes = Vec::new();
        head.encode(&mut bytes);
        assert_eq!(Head::decode(&bytes), Some(head));
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x10;
            assert_eq!(Head::decode(&other), None, "{at}");
            assert_eq!(Head::decode(&bytes[..at]), None, "{at}");
        }
    }
}
