//! The Merkle tree of RFC 6962 (section 2.1): hashes, the frontier that grows it, and its two kinds of proof.

use std::ops::Range;

use sha2::{Digest, Sha256};

/// A SHA-256 value: a leaf, a node or a root.
pub type Hash = [u8; 32];

/// Hash of a leaf: SHA-256(0x00 ‖ line) (RFC 6962, section 2.1).
#[must_use]
pub fn leaf_hash(line: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(line).finalize().into()
}

/// Hash of an inner node: SHA-256(0x01 ‖ left ‖ right) (RFC 6962, section 2.1).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1_u8; 65];
    let (l, r) = bytes.split_at_mut(33);
    if let Some(l) = l.get_mut(1..) {
        l.copy_from_slice(left);
    }
    r.copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The roots of the perfect subtrees that make up a tree, largest first: all that is needed to grow it.
/// It has one hash for each bit set in the tree's size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Puts a frontier together again; `None` if the number of hashes does not fit the size.
    #[must_use]
    pub fn from_parts(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, largest subtree first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds one leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut rest = self.size;
        while rest & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
            rest >>= 1;
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Root of the tree; the hash of nothing for the empty tree (RFC 6962, section 2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Sha256::digest([]).into(),
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

/// Largest power of two below `n`, for `n` ≥ 2.
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The leaf ranges whose roots make the inclusion proof of `index` in a tree of `size`, in proof order.
/// `None` if `index` is not below `size`.
pub(crate) fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let (mut low, mut high, mut out) = (0, size, Vec::new());
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            out.push(middle..high);
            high = middle;
        } else {
            out.push(low..middle);
            low = middle;
        }
    }
    out.reverse();
    Some(out)
}

/// The leaf ranges whose roots make the consistency proof from `old` to `new`, in proof order.
/// `None` unless 0 < `old` ≤ `new`.
pub(crate) fn consistency_ranges(old: u64, new: u64) -> Option<Vec<Range<u64>>> {
    if old == 0 || old > new {
        return None;
    }
    let (mut low, mut high, mut out, mut whole) = (0, new, Vec::new(), true);
    while old < high {
        let middle = low + split(high - low);
        if old <= middle {
            out.push(middle..high);
            high = middle;
        } else {
            out.push(low..middle);
            low = middle;
            whole = false;
        }
    }
    if !whole {
        out.push(low..high);
    }
    out.reverse();
    Some(out)
}

/// Computes the roots of disjoint ranges of leaves in one pass over the leaves.
#[derive(Debug)]
pub(crate) struct RangeRoots(Vec<(Range<u64>, Frontier)>);

impl RangeRoots {
    pub(crate) fn new(ranges: Vec<Range<u64>>) -> Self {
        Self(ranges.into_iter().map(|range| (range, Frontier::default())).collect())
    }

    pub(crate) fn push(&mut self, index: u64, leaf: &Hash) {
        if let Some((_, frontier)) = self.0.iter_mut().find(|(range, _)| range.contains(&index)) {
            frontier.push(*leaf);
        }
    }

    pub(crate) fn roots(&self) -> Vec<Hash> {
        self.0.iter().map(|(_, frontier)| frontier.root()).collect()
    }
}

/// The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2); `None` if the proof has the wrong shape.
#[must_use]
pub fn root_from_inclusion(index: u64, size: u64, leaf: &Hash, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut node, mut last, mut root) = (index, size - 1, *leaf);
    for step in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            root = node_hash(step, &root);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(&root, step);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

/// Whether the tree of `new` leaves begins with the tree of `old` leaves (RFC 9162, section 2.1.4.2).
#[must_use]
pub fn consistent(old: u64, old_root: &Hash, new: u64, new_root: &Hash, path: &[Hash]) -> bool {
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 || old > new {
        return false;
    }
    let mut steps = path.iter();
    let first = if old.is_power_of_two() { Some(old_root) } else { steps.next() };
    let Some(first) = first else { return false };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(step, &from_old);
            from_new = node_hash(step, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, step);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use data_encoding::HEXLOWER;

    fn leaves(n: u64) -> Vec<Vec<u8>> {
        (0..n).map(|i| format!("leaf {i}").into_bytes()).collect()
    }

    fn roots(ranges: Vec<Range<u64>>, lines: &[Vec<u8>]) -> Vec<Hash> {
        let mut roots = RangeRoots::new(ranges);
        for (i, line) in lines.iter().enumerate() {
            roots.push(i as u64, &leaf_hash(line));
        }
        roots.roots()
    }

    /// The eight inputs and roots of the certificate-transparency test suite.
    #[test]
    fn known_roots() {
        let inputs = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let expected = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::default();
        assert_eq!(HEXLOWER.encode(&frontier.root()), expected[0]);
        for (input, root) in inputs.iter().zip(&expected[1..]) {
            frontier.push(leaf_hash(&HEXLOWER.decode(input.as_bytes()).unwrap()));
            assert_eq!(HEXLOWER.encode(&frontier.root()), *root);
        }
    }

    #[test]
    fn agrees_with_ct_merkle() {
        let lines = leaves(70);
        let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let mut ours = Frontier::default();
        for (n, line) in lines.iter().enumerate() {
            theirs.push(line.clone());
            ours.push(leaf_hash(line));
            let size = n as u64 + 1;
            assert_eq!(theirs.root().as_bytes().as_slice(), ours.root().as_slice());
            for index in 0..size {
                let proof = roots(inclusion_ranges(index, size).unwrap(), &lines);
                assert_eq!(theirs.prove_inclusion(index as usize).as_bytes(), proof.concat());
            }
            for old in 1..size {
                let proof = roots(consistency_ranges(old, size).unwrap(), &lines);
                assert_eq!(theirs.prove_consistency((size - old) as usize).as_bytes(), proof.concat());
            }
        }
    }

    #[test]
    fn proofs_hold_and_nothing_else_does() {
        let lines = leaves(33);
        let mut at = vec![Frontier::default()];
        for line in &lines {
            let mut next = at.last().unwrap().clone();
            next.push(leaf_hash(line));
            at.push(next);
        }
        for size in 1..=33_u64 {
            let root = at[size as usize].root();
            for index in 0..size {
                let leaf = leaf_hash(&lines[index as usize]);
                let path = roots(inclusion_ranges(index, size).unwrap(), &lines);
                assert_eq!(root_from_inclusion(index, size, &leaf, &path), Some(root));
                assert_ne!(root_from_inclusion(index, size, &leaf_hash(b"other"), &path), Some(root));
                if size > 1 {
                    assert_ne!(root_from_inclusion((index + 1) % size, size, &leaf, &path), Some(root));
                    assert_eq!(root_from_inclusion(index, size, &leaf, &path[1..]), None);
                }
            }
            for old in 1..=size {
                let before = at[old as usize].root();
                let path = roots(consistency_ranges(old, size).unwrap(), &lines);
                assert!(consistent(old, &before, size, &root, &path), "{old} {size}");
                assert!(!consistent(old, &leaf_hash(b"x"), size, &root, &path));
                assert!(!consistent(old, &before, size, &leaf_hash(b"x"), &path));
            }
        }
        assert_eq!(inclusion_ranges(3, 3), None);
        assert_eq!(consistency_ranges(4, 3), None);
        assert_eq!(Frontier::from_parts(3, vec![[0; 32]]), None);
    }
}
