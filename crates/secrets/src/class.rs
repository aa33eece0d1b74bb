//! Classes of bytes, as bits, and the alphabets that tokens are made of.

/// Small letters.
pub(crate) const LOWER: u32 = 1;
/// Capital letters.
pub(crate) const UPPER: u32 = 1 << 1;
/// Digits.
pub(crate) const DIGIT: u32 = 1 << 2;
/// `a` to `f`.
pub(crate) const HEX_LOWER: u32 = 1 << 3;
/// `A` to `F`.
pub(crate) const HEX_UPPER: u32 = 1 << 4;
/// `2` to `7`, the digits of base32.
pub(crate) const DIGIT_32: u32 = 1 << 5;
/// `-`
pub(crate) const DASH: u32 = 1 << 6;
/// `_`
pub(crate) const UNDERSCORE: u32 = 1 << 7;
/// `.`
pub(crate) const DOT: u32 = 1 << 8;
/// `/`
pub(crate) const SLASH: u32 = 1 << 9;
/// `+`
pub(crate) const PLUS: u32 = 1 << 10;
/// `=`
pub(crate) const EQUALS: u32 = 1 << 11;
/// `~`
pub(crate) const TILDE: u32 = 1 << 12;
/// `%`
pub(crate) const PERCENT: u32 = 1 << 13;
/// `:`
pub(crate) const COLON: u32 = 1 << 14;
/// `!`, `*`, `$`, `@` and their like: in passwords, not in tokens.
pub(crate) const MARK: u32 = 1 << 15;
/// `|`
pub(crate) const BAR: u32 = 1 << 16;
/// Space, tab, end of line.
pub(crate) const SPACE: u32 = 1 << 17;

/// Letters.
pub(crate) const ALPHA: u32 = LOWER | UPPER;
/// Letters and digits.
pub(crate) const ALNUM: u32 = ALPHA | DIGIT;
/// What names of variables are made of.
pub(crate) const WORD: u32 = ALNUM | UNDERSCORE;
/// base64url.
pub(crate) const URL: u32 = WORD | DASH;
/// base64 without padding.
pub(crate) const BASE64: u32 = ALNUM | PLUS | SLASH;

/// Every byte's classes.
static CLASSES: [u32; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "evaluated when compiled: an index outside would not compile")]
const fn classes() -> [u32; 256] {
    let mut out = [0_u32; 256];
    let mut at = 0_usize;
    while at < 256 {
        let byte = at as u8;
        out[at] = match byte {
            b'a'..=b'f' => LOWER | HEX_LOWER,
            b'g'..=b'z' => LOWER,
            b'A'..=b'F' => UPPER | HEX_UPPER,
            b'G'..=b'Z' => UPPER,
            b'2'..=b'7' => DIGIT | DIGIT_32,
            b'0' | b'1' | b'8' | b'9' => DIGIT,
            b'-' => DASH,
            b'_' => UNDERSCORE,
            b'.' => DOT,
            b'/' => SLASH,
            b'+' => PLUS,
            b'=' => EQUALS,
            b'~' => TILDE,
            b'%' => PERCENT,
            b':' => COLON,
            b'|' => BAR,
            b'!' | b'*' | b'$' | b'@' | b'#' | b'^' | b'&' | b'?' => MARK,
            b' ' | b'\t' | b'\n' | b'\r' => SPACE,
            _ => 0,
        };
        at += 1;
    }
    out
}

/// Whether a byte is in one of the classes of `mask`.
#[inline]
pub(crate) fn is(byte: u8, mask: u32) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|c| c & mask != 0)
}

/// How many bytes at the beginning of `text` are in `mask`, at most `limit`.
#[inline]
pub(crate) fn run(text: &[u8], mask: u32, limit: usize) -> usize {
    text.iter().take(limit).take_while(|b| is(**b, mask)).count()
}

/// How many bytes at the end of `text` are in `mask`, at most `limit`.
#[inline]
pub(crate) fn run_back(text: &[u8], mask: u32, limit: usize) -> usize {
    text.iter().rev().take(limit).take_while(|b| is(**b, mask)).count()
}
