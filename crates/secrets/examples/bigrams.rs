//! Counts how often each pair of signs stands in text, and writes `data/bigrams.txt`.
//!
//! `find … | cargo run -p secrets --example bigrams > crates/secrets/data/bigrams.txt` reads names of files, one a line. The committed table was made of
//! the sources and documents of this repository and of the permissively licensed crates it is built from: statistics
//! of 63 MB of text, from which no text can be had back.

use std::fmt::Write as _;
use std::io::Write as _;

/// Signs that are told apart: letters (case folded), digits, `_`, `-`, `.`, and all others.
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

fn main() -> std::io::Result<()> {
    // One for each pair, so that what was never seen is rare and not impossible.
    let mut counts = vec![1_u64; 1600];
    let mut bytes = 0;
    for path in std::io::stdin().lines() {
        let path = path?;
        let text = std::fs::read(path)?;
        bytes += text.len();
        // Words of four signs and more: what values and names are made of.
        for word in text.split(|b| !b.is_ascii_alphanumeric() && !b"_-.".contains(b)).filter(|w| w.len() >= 4)
        {
            // Long runs with many digits are data, not language.
            let digits = word.iter().filter(|b| b.is_ascii_digit()).count();
            if word.len() > 40 || digits * 4 > word.len() {
                continue;
            }
            for pair in word.windows(2) {
                if let [a, b] = pair
                    && let Some(count) = counts.get_mut(sign(*a) * 40 + sign(*b))
                {
                    *count += 1;
                }
            }
        }
    }
    let mut out = format!(
        "# -log2 of the chance that the second sign follows the first, in eighths of a bit; a row a first sign:\n\
         # a..z 0..9 _ - . other. Written by examples/bigrams.rs from {} MB of source text.\n",
        bytes >> 20
    );
    for row in counts.chunks(40) {
        let total: u64 = row.iter().sum();
        for count in row {
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            let bits = -((*count as f64) / (total as f64)).log2() * 8.0;
            let _ = write!(out, "{:.0} ", bits.clamp(0.0, 255.0));
        }
        out.push('\n');
    }
    std::io::stdout().write_all(out.as_bytes())
}
