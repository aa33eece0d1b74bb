//! Any bytes, in time that grows with their number only.

use proptest::prelude::*;
use secrets::{BUDGET, Key, Redactor, Scanner, Vault, detectors, redact, restore};
use std::time::{Duration, Instant};

/// What detectors look for, to make texts of that come near.
fn pieces() -> Vec<String> {
    let mut out: Vec<String> =
        detectors().iter().flat_map(|d| d.prefixes().iter().map(|p| (*p).to_owned())).collect();
    let more = [
        "password",
        "=",
        ":",
        "\"",
        "'",
        "\\",
        "\n",
        "\r\n",
        "\u{1b}[31m",
        "\u{1b}",
        "-----BEGIN PRIVATE",
        " KEY-----",
        "://",
        "@",
        "eyJ",
        ".",
        "Bearer ",
        "Basic ",
        "-u ",
        "{{secret:",
        "}}",
        "token",
        "%3D",
        "&quot;",
        "\\n",
        "  ",
        "ZGF0YQ==",
        "\0",
        "\u{1f511}",
        "Cookie: a=",
        "; ",
        "value",
        "<key>",
        "</key>",
        "<string>",
        ",",
        "is ",
        "identified by ",
    ];
    out.extend(more.iter().map(|s| (*s).to_owned()));
    out
}

fn check(text: &[u8]) {
    let scanner = Scanner::new();
    let found = scanner.scan(text);
    let mut last = 0;
    for finding in &found {
        assert!(
            finding.span.start >= last
                && finding.span.start < finding.span.end
                && finding.span.end <= text.len(),
            "{found:?}"
        );
        last = finding.span.end;
    }
    let key = Key::from_bytes([5; 32]);
    let mut vault = Vault::new();
    let shown = redact(text, &scanner, &key, &mut vault, BUDGET).unwrap();
    if memchr::memmem::find(text, b"{{secret:").is_none() {
        assert_eq!(restore(&shown.text, &vault).text, text);
    }
    let mut redactor = Redactor::new(scanner, &key);
    let mut out = Vec::new();
    for piece in text.chunks(37) {
        redactor.write(piece, &mut out, &mut vault);
    }
    redactor.finish(&mut out, &mut vault);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        check(&bytes);
    }

    #[test]
    fn any_pieces(picks in proptest::collection::vec((any::<prop::sample::Index>(), "[A-Za-z0-9+/_=.-]{0,44}"), 0..24)) {
        let pieces = pieces();
        let text: String = picks.iter().map(|(at, filler)| format!("{}{filler}", at.get(&pieces))).collect();
        check(text.as_bytes());
    }
}

#[test]
fn time_grows_with_the_length_only() {
    let scanner = Scanner::new();
    for piece in [
        "-eyJ",
        "\"eyJ",
        "-----BEGIN PRIVATE KEY-----",
        "://",
        "://a:b",
        "password=",
        "key\n=",
        "password=\"a\\",
        "\u{1b}[31m",
        "ghp_\n",
        "AKIA\\n",
        "Bearer ",
        "\\\n",
        "A",
        "ABSK",
        "-fm2_",
        "token: \"",
        "basic YTpi",
        "pass is ",
        "a b c ",
    ] {
        // Four times the text: four times the time. Were it the square, sixteen times; other work makes it uneven.
        let (short, long) = (fastest(&scanner, piece, 1 << 14), fastest(&scanner, piece, 1 << 16));
        assert!(long < short * 9 + Duration::from_millis(40), "{piece:?}: {short:?}, then {long:?}");
    }
}

/// The shortest of three times that a scan of so many bytes takes.
fn fastest(scanner: &Scanner, piece: &str, bytes: usize) -> Duration {
    let text = piece.repeat(bytes / piece.len());
    let once = || {
        let start = Instant::now();
        std::hint::black_box(scanner.scan(text.as_bytes()));
        start.elapsed()
    };
    (0..3).map(|_| once()).min().unwrap()
}
