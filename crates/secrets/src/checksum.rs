//! Checksums that vendors put into tokens.

use crate::spec::Check;

/// The digits of base62 in GitHub's order.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The length of a CRC-32 in base62.
const DIGITS: usize = 6;

/// Whether the body of a token, without its prefix, holds. `None` when its kind has no checksum.
pub(crate) fn holds(check: Check, prefix: &str, body: &[u8]) -> Option<bool> {
    match check {
        Check::None => None,
        Check::Crc32Base62 => {
            let (random, digits) = body.split_at_checked(body.len().checked_sub(DIGITS)?)?;
            Some(base62(crc32(random)) == digits)
        }
        Check::Base64Json => {
            let mut whole = prefix.as_bytes().to_vec();
            whole.extend(body.iter().copied().take_while(|b| *b != b'.').take(4096));
            let usable = whole.len() - whole.len() % 4;
            let text = data_encoding::BASE64URL.decode(whole.get(..usable)?).ok()?;
            Some(text.starts_with(b"{\"") && text.is_ascii())
        }
    }
}

/// The six digits that stand for a checksum.
pub(crate) fn base62(mut number: u32) -> [u8; DIGITS] {
    let mut out = [b'0'; DIGITS];
    for digit in out.iter_mut().rev() {
        *digit = BASE62.get((number % 62) as usize).copied().unwrap_or(b'0');
        number /= 62;
    }
    out
}

/// CRC-32 as in zip and Ethernet (polynomial 0xEDB88320, reflected). Tokens are short, so bit by bit will do.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(&base62(61), b"00000z");
    }
}
