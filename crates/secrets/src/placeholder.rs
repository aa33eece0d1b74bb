//! What looks like a secret and is none: stand-ins, examples of documentation, references to where the value is.

use crate::rarity::{Makeup, makeup};
use sha2::{Digest, Sha256};

/// Words that only a stand-in holds, in small letters. Each is long enough not to be in a random value by chance.
const WORDS: &[&str] = &[
    "example",
    "xxxx",
    "****",
    "....",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "replace",
    "redacted",
    "dummy",
    "insert",
    "your_",
    "your-",
    "yourtoken",
    "yourkey",
    "yourapi",
    "yoursecret",
    "yourpass",
    "-here",
    "_here",
    "1234567890",
    "0123456789",
    "abcdefgh",
    "todo",
    "secret:",
    "fixme",
    "sanitized",
    "masked",
    "{{",
    "}}",
    "00000000",
    "deadbeef",
    "notreal",
    "not-real",
    "not_real",
    "foobar",
    "lorem",
];

/// The first eight bytes of the SHA-256 of keys that vendors print in their documentation, so that no such key stands
/// here: Stripe's test keys, the web tokens of RFC 7519 and of the debugger everybody uses, Azurite's and Cosmos'
/// emulator keys.
const DOCUMENTED: &[u64] = &[
    0x2caf_c097_0149_a84f,
    0xf2d6_ca16_5150_33e5,
    0x7e8d_e44e_a9ec_f6d5,
    0x6599_5297_3fcf_ea94,
    0x7f75_367e_7881_2551,
    0xda81_6f9f_2c16_e6c5,
    0x8d4e_f653_6dc8_895f,
    0x0011_cc25_eb43_2071,
    0xaa65_4743_9583_c3a2,
    0xcf4d_418e_d3de_92d7,
    0x73f7_1af0_93fd_f154,
    0xe4da_07ad_2000_89ce,
    0xbdfe_aef4_4475_711c,
    0xb8e1_4854_5b13_c78b,
    0x9fdb_2e15_9e0f_26a9,
    0xfe97_4493_52b1_d67c,
];

/// Whether a token, or the random part of one, is a stand-in.
pub(crate) fn is_stand_in(value: &[u8]) -> bool {
    let make = makeup(value);
    is_monotonous(&make) || holds_word(value) || is_documented(value)
}

/// Few different signs for its length, or mostly a sequence.
pub(crate) fn is_monotonous(make: &Makeup) -> bool {
    let least = match make.length {
        0..=7 => 2,
        8..=15 => 4,
        16..=23 => 5,
        _ => 6,
    };
    make.distinct < least || make.in_sequence * 2 > make.length
}

/// Whether one of [`WORDS`] is in the value's first 128 bytes.
pub(crate) fn holds_word(value: &[u8]) -> bool {
    let mut folded = [0_u8; 128];
    let length = value.len().min(folded.len());
    let Some(head) = folded.get_mut(..length) else { return false };
    for (to, from) in head.iter_mut().zip(value) {
        *to = from.to_ascii_lowercase();
    }
    WORDS.iter().any(|w| memchr::memmem::find(head, w.as_bytes()).is_some())
}

/// Whether a vendor prints this key in its documentation.
pub(crate) fn is_documented(value: &[u8]) -> bool {
    // None of them is longer.
    if value.len() > 256 {
        return false;
    }
    let digest = Sha256::digest(value);
    digest.first_chunk::<8>().is_some_and(|head| DOCUMENTED.contains(&u64::from_be_bytes(*head)))
}
