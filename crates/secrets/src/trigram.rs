//! The filter that every position of a text goes through: three bytes, case folded, hashed into a bit set. Part of the
//! build script too.

/// Words of 64 bits in the filter: 64 Ki bits, 8 KiB, so that it stays in the first cache.
pub(crate) const WORDS: usize = 1024;

/// Folds the case of letters; other signs change too, but always in the same way.
pub(crate) const FOLD: u8 = 0x20;

/// The first three bytes of `literal` as a key. `None` when it is shorter.
pub(crate) fn of(literal: &[u8]) -> Option<u32> {
    let [a, b, c] = *literal.first_chunk::<3>()?;
    Some(push(push(push(0, a), b), c))
}

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
