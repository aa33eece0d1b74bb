//! Every kind of the tables, with generated examples and near misses.

use crate::shapes::{SHAPES, announced, covered, encoded, generic, named, near_misses};
use secrets::{Certainty, Key, Known, Scanner, detector_of, detectors, sample};
use std::sync::Arc;

#[test]
fn there_are_two_hundred_kinds_and_each_says_where_it_is_documented() {
    assert!(detectors().len() >= 200, "{}", detectors().len());
    for detector in detectors() {
        assert!(!detector.source.is_empty() && !detector.about.is_empty(), "{}", detector.id);
        assert_eq!(detector_of(detector.id).unwrap().id, detector.id);
    }
}

#[test]
fn examples_of_each_kind_are_found() {
    let scanner = Scanner::new();
    let mut missed = Vec::new();
    for detector in detectors().iter().filter(|d| d.vendor != "Common forms") {
        for seed in 0..5 {
            let secret = sample(detector, seed);
            let name = match detector.names().first() {
                Some(name) if name.contains("token") || name.contains("key") => name.to_uppercase(),
                Some(name) => format!("{}_SECRET_KEY", name.to_uppercase()),
                None => "SETTING".to_owned(),
            };
            let text = format!("{name}={secret}\n");
            let found = scanner.scan(text.as_bytes());
            // The head of a webhook's address is not hidden.
            let to = name.len() + 1 + secret.len();
            if !covered(&found, &(to - secret.len() * 2 / 5..to)) {
                missed.push(format!("{}: {text}", detector.id));
            }
        }
    }
    // A random value is a stand-in by chance now and then.
    assert!(missed.len() <= detectors().len() * 5 / 100, "{} missed: {missed:#?}", missed.len());
}

#[test]
fn near_misses_are_not_taken_for_their_kind() {
    let scanner = Scanner::new();
    let mut wrong = Vec::new();
    let mut all = 0;
    for detector in detectors().iter().filter(|d| d.announced_by_prefix()) {
        for text in near_misses(detector) {
            all += 1;
            if scanner.scan(text.as_bytes()).iter().any(|f| f.kind == detector.id) {
                wrong.push(format!("{}: {text}", detector.id));
            }
        }
    }
    assert!(wrong.len() * 100 <= all, "{} of {all}: {wrong:#?}", wrong.len());
}

#[test]
fn a_checksum_makes_certain() {
    let detector = detector_of("github-pat").unwrap();
    let good = sample(detector, 1);
    let last = if good.ends_with('A') { "B" } else { "A" };
    let bad = format!("{}{last}", &good[..good.len() - 1]);
    let scanner = Scanner::new();
    let certainty = |text: &str| scanner.scan(text.as_bytes())[0].certainty;
    assert_eq!(certainty(&good), Certainty::Certain);
    assert_eq!(certainty(&bad), Certainty::Likely);
}

#[test]
fn tokens_are_found_in_every_shape() {
    let scanner = Scanner::new();
    for shape in SHAPES {
        let (mut hit, mut all) = (0, 0);
        for (number, detector) in detectors().iter().filter(|d| d.announced_by_prefix()).enumerate() {
            let secret = sample(detector, number as u64);
            let (text, span) = announced(shape, detector, &secret, 3);
            all += 1;
            hit += usize::from(covered(&scanner.scan(text.as_bytes()), &span));
        }
        assert!(hit * 100 >= all * 95, "{}: {hit} of {all}", shape.name);
    }
}

#[test]
fn named_values_are_found_in_every_shape() {
    let scanner = Scanner::new();
    for shape in SHAPES {
        let hit = (0..200)
            .filter(|round| {
                let (name, secret) = generic(*round);
                let (text, span) = named(shape, name, &secret, *round);
                covered(&scanner.scan(text.as_bytes()), &span)
            })
            .count();
        assert!(hit >= 190, "{}: {hit} of 200", shape.name);
    }
}

#[test]
fn whatever_follows_a_token_it_is_found() {
    let scanner = Scanner::new();
    for id in [
        "stripe-live-key",
        "npm-token",
        "huggingface-token",
        "sendgrid-key",
        "digitalocean-pat",
        "github-pat",
    ] {
        let secret = sample(detector_of(id).unwrap(), 9);
        for tail in [
            ",",
            "&x=1",
            ")",
            "</td>",
            ".",
            ". Then",
            "\u{1b}[0m",
            "|",
            "]",
            "\\n",
            "%20",
            "\"",
            "'",
            ";",
            "\t",
            "\u{a0}",
            "",
        ] {
            let text = format!("x {secret}{tail}");
            let found = scanner.scan(text.as_bytes());
            assert!(found.iter().any(|f| f.kind == id), "{id} before {tail:?}: {found:?}");
            assert_eq!(found[0].span, 2..2 + secret.len(), "{id} before {tail:?}");
        }
    }
}

#[test]
fn what_stands_for_a_secret_is_none() {
    let scanner = Scanner::new();
    for text in [
        "API_KEY=your-api-key-here",
        "password = \"changeme\"",
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "TOKEN=${GITHUB_TOKEN}",
        "TOKEN=$(cat /run/secrets/token)",
        "const token = process.env.TOKEN;",
        "password: os.environ[\"DB_PASSWORD\"]",
        "secret: {{ .Values.secret }}",
        "apiKey: <your-key>",
        "token = xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "password: ********",
        "postgres://user:password@localhost:5432/app",
        "postgres://${USER}:${PASSWORD}@db/app",
        "https://example.com/a:b@c",
        "max_tokens = 4096",
        "key_name = deploy-key-2024",
        "let token = lexer.next_token();",
        "primary_key: 3f8a9b2c7d6e5f4a1b2c3d4e",
        "public_key = \"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zMAFFxXKHiIkQO5\"",
        "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ] {
        let found = scanner.scan(text.as_bytes());
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn known_values_are_found_in_every_encoding() {
    let key = Key::from_bytes([3; 32]);
    for round in 0..40 {
        let mut secret = generic(round).1;
        secret.push_str(["/\"\\ä", "+&<'", "", "=="][(round % 4) as usize]);
        let mut index = Known::new(&key);
        index.add("vault-entry", secret.as_bytes(), true).unwrap();
        let again = Known::from_bytes(&key, &index.to_bytes()).unwrap();
        let scanner = Scanner::new().with_known(Arc::new(again));
        for (name, text, span) in encoded(&secret) {
            let found = scanner.scan(&text);
            let shown = String::from_utf8_lossy(&text).into_owned();
            assert!(covered(&found, &span), "{name} of {secret:?}: {found:?} in {shown}");
        }
    }
}

#[test]
fn common_words_are_not_indexed() {
    let mut index = Known::new(&Key::from_bytes([3; 32]));
    for value in ["true", "postgres", "localhost", "aaaaaaaaaaaa", "development"] {
        assert!(index.add("x", value.as_bytes(), false).is_err(), "{value}");
    }
    assert!(index.is_empty());
}

#[test]
fn an_index_holds_no_value() {
    let mut index = Known::new(&Key::from_bytes([3; 32]));
    let secret = generic(1).1;
    index.add("mine", secret.as_bytes(), true).unwrap();
    let bytes = index.to_bytes();
    assert!(memchr::memmem::find(&bytes, &secret.as_bytes()[..8]).is_none());
    assert!(Known::from_bytes(&Key::from_bytes([3; 32]), &bytes[..bytes.len() - 1]).is_none());
}
