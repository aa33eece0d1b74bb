//! The forms in which a value appears in texts.

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

/// The shortest form that is looked for.
const SHORTEST: usize = crate::known::SHORTEST;

/// The value itself and its forms in base64 (at each of the three alignments), base64url, percent encoding, JSON, HTML
/// and hexadecimal. No form twice, none too short to be looked for.
pub(crate) fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut out = vec![value.to_vec()];
    for shift in 0..3 {
        let mut padded = vec![0_u8; shift];
        padded.extend_from_slice(value);
        for encoding in [&BASE64, &BASE64URL] {
            let whole = encoding.encode(&padded);
            // Digits that the bytes before and after the value have no part in.
            let from = (shift * 8).div_ceil(6);
            let to = padded.len() * 8 / 6;
            out.extend(whole.as_bytes().get(from..to).map(<[u8]>::to_vec));
        }
    }
    out.push(percent(value, is_unreserved, b"0123456789ABCDEF"));
    out.push(percent(value, is_unreserved, b"0123456789abcdef"));
    out.push(percent(value, |b| is_unreserved(b) || b"!'()*".contains(&b), b"0123456789ABCDEF"));
    out.push(percent(value, |b| is_unreserved(b) || b"!#$&'()*+,/:;=?@".contains(&b), b"0123456789ABCDEF"));
    let mut plus = percent(value, |b| is_unreserved(b) || b == b' ', b"0123456789ABCDEF");
    plus.iter_mut().filter(|b| **b == b' ').for_each(|b| *b = b'+');
    out.push(plus);
    out.push(escaped(value, false));
    out.push(escaped(value, true));
    out.push(escaped(&escaped(value, false), false));
    out.push(markup(value));
    out.push(HEXLOWER.encode(value).into_bytes());
    out.push(HEXUPPER.encode(value).into_bytes());
    out.retain(|f| f.len() >= SHORTEST);
    out.sort_unstable();
    out.dedup();
    out
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}

/// RFC 3986, section 2.1.
fn percent(value: &[u8], plain: impl Fn(u8) -> bool, digits: &[u8; 16]) -> Vec<u8> {
    let digit = |n: u8| digits.get(usize::from(n & 15)).copied().unwrap_or(b'0');
    let mut out = Vec::with_capacity(value.len() * 3);
    for byte in value {
        if plain(*byte) {
            out.push(*byte);
        } else {
            out.extend([b'%', digit(byte >> 4), digit(*byte)]);
        }
    }
    out
}

/// Inside a string of JSON; `slash` escapes `/` too, as PHP does.
fn escaped(value: &[u8], slash: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    for byte in value {
        match byte {
            b'"' => out.extend(b"\\\""),
            b'\\' => out.extend(b"\\\\"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            b'/' if slash => out.extend(b"\\/"),
            b'<' | b'>' | b'&' if slash => out.extend(format!("\\u{byte:04x}").into_bytes()),
            b if *b < 0x20 => out.extend(format!("\\u{b:04x}").into_bytes()),
            b => out.push(*b),
        }
    }
    out
}

/// Inside HTML or XML.
fn markup(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    for byte in value {
        match byte {
            b'&' => out.extend(b"&amp;"),
            b'<' => out.extend(b"&lt;"),
            b'>' => out.extend(b"&gt;"),
            b'"' => out.extend(b"&quot;"),
            b'\'' => out.extend(b"&#39;"),
            b => out.push(*b),
        }
    }
    out
}
