//! The table of detectors, as constants that the build made of `detectors/*.toml`.

use crate::hooks::Hook;
use crate::spec::{Check, Detector, Segment};
use crate::trigram;

include!(concat!(env!("OUT_DIR"), "/table.rs"));

/// What may begin at a place of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry {
    /// A token: the detector's number and its prefix's.
    Token(u16, u8),
    /// Something that is read by hand.
    Hook(&'static str, Hook),
}

/// [`trigram::push`]'s folding of three bytes at once.
const FOLDS: u32 = 0x0020_2020;

/// The key of the three bytes that begin at one of the first six of eight.
#[inline]
pub(crate) fn key_at(word: u64, place: usize) -> u32 {
    let bytes = (word >> (8 * place)) & 0x00FF_FFFF;
    // Three bytes are left.
    u32::try_from(bytes).unwrap_or(0) | FOLDS
}

/// Whether something may begin with this key.
#[inline]
pub(crate) fn may_begin(key: u32) -> bool {
    let (word, bit) = trigram::place(key);
    FILTER.get(word).is_some_and(|w| (w >> bit) & 1 == 1)
}

/// What may begin with this key.
#[inline]
pub(crate) fn entries(key: u32) -> &'static [Entry] {
    let mut at = trigram::slot(key);
    loop {
        let number = SLOTS.get(at).copied().unwrap_or(0);
        let Some(number) = usize::from(number).checked_sub(1) else { return &[] };
        match ENTRIES.get(number) {
            Some((found, entries)) if *found == key => return entries,
            _ => at = (at + 1) % trigram::SLOTS,
        }
    }
}

/// The detector with this number.
pub(crate) fn detector(number: u16) -> Option<&'static Detector> {
    DETECTORS.get(usize::from(number))
}

/// Every kind of credential that Ambit knows, in the order of the tables.
#[must_use]
pub fn detectors() -> &'static [Detector] {
    DETECTORS
}

/// The kind with this name.
#[must_use]
pub fn detector_of(id: &str) -> Option<&'static Detector> {
    DETECTORS.iter().find(|d| d.id == id)
}
