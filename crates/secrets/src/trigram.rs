//! The filter that every position of a text goes through: three bytes, case folded, hashed into a set of 64 Ki bits,
//! which stays in the first cache. Part of the build script too.

/// Folds the case of letters; other signs change too, but always in the same way.
const FOLD: u8 = 0x20;

/// The key of the last three bytes, from the key before and one byte more.
#[inline]
pub(crate) fn push(key: u32, byte: u8) -> u32 {
    (key >> 8) | (u32::from(byte | FOLD) << 16)
}

/// Where a key's bit is: the word, and the bit in it.
#[inline]
pub(crate) fn place(key: u32) -> (usize, u32) {
    let hash = key.wrapping_mul(0x9E37_79B1) >> 16;
    ((hash >> 6) as usize, hash & 63)
}

/// Slots of the table that finds the entries of a key.
pub(crate) const SLOTS: usize = 4096;

/// The first slot in which a key's entries may be.
#[inline]
pub(crate) fn slot(key: u32) -> usize {
    (key.wrapping_mul(0x85EB_CA6B) >> 20) as usize
}
