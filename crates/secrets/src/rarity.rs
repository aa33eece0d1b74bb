//! How surprising a value is, against ordinary words and names: by a table of pairs of signs.

include!(concat!(env!("OUT_DIR"), "/rarity.rs"));

/// The signs that the table tells apart; the same as in `examples/bigrams.rs`.
fn sign(byte: u8) -> usize {
    match byte.to_ascii_lowercase() {
        b @ b'a'..=b'z' => usize::from(b - b'a'),
        b @ b'0'..=b'9' => 26 + usize::from(b - b'0'),
        b'_' => 36,
        b'-' => 37,
        b'.' => 38,
        _ => 39,
    }
}

/// The mean surprise of a text's pairs of signs in eighths of a bit, over its first 64 bytes. Words and names have 25 to
/// 40, random letters 50 to 60, random letters with digits 70 and more. 0 for texts of less than two bytes.
pub(crate) fn surprise(text: &[u8]) -> u32 {
    let mut total = 0_u32;
    let mut pairs = 0_u32;
    let mut last: Option<usize> = None;
    for byte in text.iter().take(64) {
        let this = sign(*byte);
        if let Some(last) = last {
            total += SURPRISE.get(last * 40 + this).map_or(0, |s| u32::from(*s));
            pairs += 1;
        }
        last = Some(this);
    }
    total.checked_div(pairs).unwrap_or(0)
}

/// What a value is made of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Makeup {
    /// Bytes.
    pub(crate) length: usize,
    pub(crate) lower: usize,
    pub(crate) upper: usize,
    pub(crate) digits: usize,
    /// Neither letters nor digits.
    pub(crate) signs: usize,
    /// Different bytes.
    pub(crate) distinct: usize,
    /// Places where a small letter, a capital, a digit or a sign is followed by another class.
    pub(crate) turns: usize,
    /// Bytes that continue a run such as `abcd`, `4321` or `aaaa`.
    pub(crate) in_sequence: usize,
    /// Whether every byte is a hexadecimal digit.
    pub(crate) hex: bool,
}

/// Measures a value, over its first 256 bytes.
pub(crate) fn makeup(text: &[u8]) -> Makeup {
    let mut out = Makeup { length: text.len(), hex: !text.is_empty(), ..Makeup::default() };
    let mut seen = [0_u64; 4];
    let (mut last, mut class) = (None::<u8>, 0_u8);
    for byte in text.iter().take(256) {
        if let Some(word) = seen.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
        let this = match byte {
            b'a'..=b'z' => {
                out.lower += 1;
                1
            }
            b'A'..=b'Z' => {
                out.upper += 1;
                2
            }
            b'0'..=b'9' => {
                out.digits += 1;
                3
            }
            _ => {
                out.signs += 1;
                4
            }
        };
        if !byte.is_ascii_hexdigit() {
            out.hex = false;
        }
        if let Some(last) = last {
            out.turns += usize::from(this != class);
            out.in_sequence += usize::from(byte.abs_diff(last) <= 1);
        }
        class = this;
        last = Some(*byte);
    }
    out.distinct = seen.iter().map(|w| w.count_ones() as usize).sum();
    out
}
