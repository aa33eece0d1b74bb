//! Placeholders: stable, reversible, and the only thing that is shown.

use crate::shapes::generic;
use proptest::prelude::*;
use secrets::{BUDGET, Key, Redactor, Scanner, Vault, detector_of, placeholders, redact, restore, sample};

fn key() -> Key {
    Key::from_bytes([9; 32])
}

fn env_file() -> (String, Vec<String>) {
    let secrets: Vec<String> = ["github-pat", "stripe-live-key", "openai-project-key"]
        .iter()
        .map(|id| sample(detector_of(id).unwrap(), 4))
        .chain([generic(4).1])
        .collect();
    let text = format!(
        "# local settings\nPORT=3000\nGITHUB_TOKEN={}\nSTRIPE_KEY=\"{}\"\nOPENAI_API_KEY='{}' # prod\r\nDB_PASSWORD={}\nDEBUG=1",
        secrets[0], secrets[1], secrets[2], secrets[3]
    );
    (text, secrets)
}

#[test]
fn an_edited_file_is_written_back_with_its_secrets() {
    let (text, secrets) = env_file();
    let mut vault = Vault::new();
    let shown = redact(text.as_bytes(), &Scanner::new(), &key(), &mut vault, BUDGET).unwrap();
    assert_eq!(shown.found.len(), 4);
    let shown = String::from_utf8(shown.text).unwrap();
    for secret in &secrets {
        assert!(!shown.contains(secret.as_str()));
    }
    let edited = shown.replace("PORT=3000", "PORT=4000");
    // The vault goes through its sealed form, as it does between two calls.
    let vault = Vault::open(&key(), &vault.seal(&key()).unwrap()).unwrap();
    let back = restore(edited.as_bytes(), &vault);
    assert_eq!(String::from_utf8(back.text).unwrap(), text.replace("PORT=3000", "PORT=4000"));
    assert_eq!(back.used.len(), 4);
    assert!(back.unknown.is_empty());
}

#[test]
fn placeholders_are_stable_and_are_left_alone() {
    let (text, _) = env_file();
    let mut vault = Vault::new();
    let scanner = Scanner::new();
    let once = redact(text.as_bytes(), &scanner, &key(), &mut vault, BUDGET).unwrap().text;
    let again = redact(&once, &scanner, &key(), &mut vault, BUDGET).unwrap();
    assert_eq!(again.text, once);
    assert!(again.found.is_empty());
    let mut other = Vault::new();
    assert_eq!(redact(text.as_bytes(), &scanner, &key(), &mut other, BUDGET).unwrap().text, once);
    assert_eq!(placeholders(&once).len(), 4);
    assert!(placeholders(&once)[0].starts_with("{{secret:github-pat:"), "{:?}", placeholders(&once));
    let differently =
        redact(text.as_bytes(), &scanner, &Key::from_bytes([8; 32]), &mut Vault::new(), BUDGET).unwrap().text;
    assert_ne!(differently, once);
}

#[test]
fn a_placeholder_that_nobody_knows_stays() {
    let text = b"TOKEN={{secret:github-pat:0123abcd}} and {{secret:}} {{secret:x:zz}}";
    let back = restore(text, &Vault::new());
    assert_eq!(back.text, text);
    assert_eq!(back.unknown, ["{{secret:github-pat:0123abcd}}"]);
}

#[test]
fn too_much_is_withheld_and_not_passed() {
    let error = redact(&[b'a'; 100], &Scanner::new(), &key(), &mut Vault::new(), 99).unwrap_err();
    assert!(error.to_string().contains("withheld"), "{error}");
}

#[test]
fn nothing_prints_a_secret() {
    let (text, secrets) = env_file();
    let mut vault = Vault::new();
    let scanner = Scanner::new();
    let found = scanner.scan(text.as_bytes());
    let shown = redact(text.as_bytes(), &scanner, &key(), &mut vault, BUDGET).unwrap();
    let sealed = vault.seal(&key()).unwrap();
    let printed =
        format!("{found:?}{:?}{vault:?}{:?}{:?}", shown.found, key(), String::from_utf8_lossy(&sealed));
    for secret in secrets {
        assert!(!printed.contains(&secret[4..12]), "{printed}");
    }
    assert!(Vault::open(&Key::from_bytes([1; 32]), &sealed).is_err());
    let mut changed = sealed;
    *changed.last_mut().unwrap() ^= 1;
    assert!(Vault::open(&key(), &changed).is_err());
}

fn through(text: &[u8], sizes: &[usize], idle: bool) -> (Vec<u8>, Vault) {
    let key = key();
    let mut redactor = Redactor::new(Scanner::new(), &key);
    let (mut out, mut vault) = (Vec::new(), Vault::new());
    let mut rest = text;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*size).min(rest.len()));
        redactor.write(now, &mut out, &mut vault);
        if idle {
            redactor.idle(&mut out, &mut vault);
        }
        rest = later;
    }
    redactor.finish(&mut out, &mut vault);
    (out, vault)
}

#[test]
fn a_stream_hides_what_a_text_hides() {
    let (text, secrets) = env_file();
    let pem = ["-----BEGIN RSA PRIVATE", " KEY-----\n"].concat()
        + &(0..20).map(|i| generic(i * 3 + 1).1 + &generic(i * 3 + 1).1[..20] + "\n").collect::<String>()
        + &["-----END RSA PRIVATE", " KEY-----\n"].concat();
    let text = format!("starting\n{text}\nkey:\n{pem}done\n{text}");
    for sizes in [vec![1], vec![7], vec![64, 3, 900], vec![100_000]] {
        let (out, vault) = through(text.as_bytes(), &sizes, false);
        let shown = String::from_utf8(out).unwrap();
        for secret in &secrets {
            assert!(!shown.contains(secret.as_str()), "{sizes:?}: {shown}");
        }
        assert!(
            shown.contains("{{secret:private-key:") && shown.contains("}}\ndone\n"),
            "{sizes:?}: {shown}"
        );
        assert_eq!(restore(shown.as_bytes(), &vault).text, text.as_bytes(), "{sizes:?}");
    }
}

#[test]
fn a_question_is_shown_at_once_and_half_a_token_is_not() {
    let key = key();
    let token = sample(detector_of("github-pat").unwrap(), 6);
    for cut in [1, 3, 4, 20] {
        let mut redactor = Redactor::new(Scanner::new(), &key);
        let (mut out, mut vault) = (Vec::new(), Vault::new());
        redactor.write(b"Continue? [y/N]", &mut out, &mut vault);
        redactor.idle(&mut out, &mut vault);
        assert_eq!(out, b"Continue? [y/N]");
        redactor.write(format!(" y\nit is {}", &token[..cut]).as_bytes(), &mut out, &mut vault);
        redactor.idle(&mut out, &mut vault);
        assert!(out.ends_with(b"it is "), "{}", String::from_utf8_lossy(&out));
        redactor.write(format!("{}\n", &token[cut..]).as_bytes(), &mut out, &mut vault);
        let found = redactor.finish(&mut out, &mut vault);
        assert_eq!(found.len(), 1);
        assert!(out.ends_with(b"}}\n"), "{}", String::from_utf8_lossy(&out));
    }
}

#[test]
fn a_key_without_an_end_is_swallowed_whole() {
    let head = ["-----BEGIN PRIVATE", " KEY-----\n"].concat();
    let body: String = (0..3000).map(|i| generic(i * 3 + 1).1 + "\n").collect();
    let text = format!("{head}{body}");
    let (out, _) = through(text.as_bytes(), &[1000], false);
    let shown = String::from_utf8(out).unwrap();
    for line in body.lines() {
        assert!(!shown.contains(line), "{line} of {} bytes", shown.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_stream_without_secrets_passes_unchanged(words in proptest::collection::vec("[a-z ]{0,12}\n?", 0..200), size in 1_usize..300, idle: bool) {
        let text = words.concat();
        let (out, vault) = through(text.as_bytes(), &[size], idle);
        prop_assert!(vault.is_empty());
        prop_assert_eq!(out, text.as_bytes());
    }

    #[test]
    fn whatever_the_pieces_no_token_comes_through(seed in 0_u64..500, sizes in proptest::collection::vec(1_usize..60, 1..6), pad in 0_usize..200) {
        let list = ["github-pat", "slack-bot-token", "anthropic-key", "aws-access-key-id", "jwt", "sendgrid-key"];
        let secret = sample(detector_of(list[seed as usize % list.len()]).unwrap(), seed);
        let text = format!("{} token {secret}\nafter\n", "word ".repeat(pad));
        let (out, vault) = through(text.as_bytes(), &sizes, false);
        prop_assert!(memchr::memmem::find(&out, secret.as_bytes()).is_none());
        prop_assert_eq!(restore(&out, &vault).text, text.as_bytes());
    }
}
