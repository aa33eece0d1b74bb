//! Names that say that a value is secret: `DB_PASSWORD`, `apiKey`, `X-Auth-Token`.

use crate::class;
use crate::text::{at, line_start, part};

/// How plainly a name says that its value is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// `key`, `auth`, `session`: often something else.
    Weak,
    /// `password`, `api_key`, `client_secret`.
    Strong,
}

/// A name in a text, read.
#[derive(Debug)]
pub(crate) struct Name {
    /// In small letters with `_` between its words, and those of the words before it on the line that belong to it.
    pub(crate) words: String,
    pub(crate) strength: Strength,
    /// The kind of its value.
    pub(crate) kind: &'static str,
    /// It is about a password, which people choose: its value may be less random than a token's.
    pub(crate) chosen: bool,
}

/// The longest name.
const LONGEST: usize = 96;

/// What names are made of.
const NAME: u32 = class::WORD | class::DASH | class::DOT;

/// Parts that make a name strong, between the `_` of its words, and the kind of their values.
const STRONG: &[(&str, &str, bool)] = &[
    ("password", "password", true),
    ("passwd", "password", true),
    ("passphrase", "password", true),
    ("pass_phrase", "password", true),
    ("passcode", "password", true),
    ("_pswd_", "password", true),
    ("_pwd_", "password", true),
    ("pwd_", "password", true),
    ("_psw_", "password", true),
    ("_pw_", "password", true),
    ("_pass_", "password", true),
    ("pass_", "password", true),
    ("_psk_", "password", true),
    ("identified_by", "password", true),
    ("secret", "secret", false),
    ("api_key", "api-key", false),
    ("apikey", "api-key", false),
    ("app_key", "api-key", false),
    ("appkey", "api-key", false),
    ("access_key", "api-key", false),
    ("accesskey", "api-key", false),
    ("subscription_key", "api-key", false),
    ("private_key", "secret", false),
    ("privatekey", "secret", false),
    ("encryption_key", "secret", false),
    ("encrypt_key", "secret", false),
    ("signing_key", "secret", false),
    ("sign_key", "secret", false),
    ("master_key", "secret", false),
    ("account_key", "secret", false),
    ("storage_key", "secret", false),
    ("auth_key", "secret", false),
    ("authkey", "secret", false),
    ("session_key", "secret", false),
    ("shared_key", "secret", false),
    ("service_key", "secret", false),
    ("server_key", "secret", false),
    ("admin_key", "secret", false),
    ("integration_key", "secret", false),
    ("deploy_key", "secret", false),
    ("license_key", "secret", false),
    ("credential", "secret", false),
    ("_creds_", "secret", false),
    ("mnemonic", "secret", true),
    ("_pat_", "token", false),
    ("jwt", "token", false),
    ("token", "token", false),
    ("bearer", "token", false),
    ("authorization", "http-credential", false),
];

/// Parts that make a name weak.
const WEAK: &[(&str, &str)] = &[
    ("key", "secret"),
    ("_auth_", "secret"),
    ("auth_", "secret"),
    ("_cred_", "secret"),
    ("salt", "secret"),
    ("signature", "secret"),
    ("_sig_", "secret"),
    ("session", "cookie"),
    ("cookie", "cookie"),
    ("webhook", "secret"),
];

/// Parts that make a name one of something else.
const NOT: &[&str] = &[
    "public",
    "pubkey",
    "_pub_key",
    "primary_key",
    "foreign_key",
    "sort_key",
    "partition_key",
    "cache_key",
    "object_key",
    "row_key",
    "hash_key",
    "range_key",
    "routing_key",
    "group_key",
    "keyboard",
    "keyword",
    "keycode",
    "key_code",
    "keyframe",
    "hotkey",
    "monkey",
    "turkey",
    "tokeniz",
    "csrf",
    "xsrf",
    "next_token",
    "page_token",
    "sync_token",
    "continuation",
    "max_token",
    "min_token",
    "num_token",
    "n_token",
    "_tokens_",
    "pad_token",
    "eos_token",
    "bos_token",
    "unk_token",
    "cls_token",
    "sep_token",
    "mask_token",
    "special_token",
    "stop_token",
    "compass",
    "bypass",
    "pass_through",
    "passthrough",
    "passenger",
    "passive",
    "surpass",
    "render_pass",
    "first_pass",
    "second_pass",
    "secretary",
    "author_",
    "authors",
    "authority",
    "integrity",
    "checksum",
    "idempotency",
    "key_press",
    "keypress",
    "keydown",
    "keyup",
    "key_down",
    "key_up",
    "donkey",
    "token_kind",
    "keyring",
    "_keys_of",
    "publishable",
    "translation_key",
    "i18n",
    "fingerprint",
    "known_host",
    "basekey",
    "keypath",
    "key_path",
    "thumbprint",
    "instrumentation",
    "site_key",
    "sitekey",
    "sort_by",
    "etag",
    "assert_",
    "_test_name",
    "registry_key",
    "hkey",
    "guid",
    "key_value",
    "storage_class",
    "sha256_",
    "_sha1_",
    "_md5_",
    "keystroke",
    "shortcut",
    "key_binding",
    "keymap",
];

/// Last words with which a name is about something of a secret, not the secret.
const ABOUT: &[&str] = &[
    "name",
    "names",
    "id",
    "ids",
    "type",
    "types",
    "file",
    "files",
    "path",
    "paths",
    "dir",
    "url",
    "uri",
    "endpoint",
    "host",
    "port",
    "length",
    "len",
    "size",
    "count",
    "limit",
    "ttl",
    "expiry",
    "expires",
    "expiration",
    "timeout",
    "format",
    "pattern",
    "regex",
    "field",
    "fields",
    "column",
    "label",
    "title",
    "text",
    "hint",
    "prompt",
    "policy",
    "prefix",
    "suffix",
    "header",
    "headers",
    "param",
    "params",
    "parameter",
    "class",
    "style",
    "icon",
    "button",
    "form",
    "input",
    "error",
    "errors",
    "msg",
    "message",
    "alias",
    "ref",
    "arn",
    "version",
    "algorithm",
    "algo",
    "alg",
    "mode",
    "kind",
    "status",
    "state",
    "required",
    "enabled",
    "usage",
    "index",
    "idx",
    "schema",
    "bits",
    "rotation",
    "manager",
    "provider",
    "service",
    "store",
    "reset",
    "change",
    "confirmation",
    "confirm",
    "strength",
    "description",
    "help",
    "scope",
    "scopes",
    "lifetime",
    "duration",
    "env",
    "var",
    "variable",
    "placeholder",
    "desc",
    "hash",
    "hashes",
    "hashed",
    "digest",
    "encoding",
    "generator",
    "validator",
    "check",
    "verifier",
    "handler",
    "callback",
    "factory",
    "builder",
    "resolver",
    "event",
    "events",
    "date",
    "time",
    "at",
    "info",
    "data_type",
    "location",
    "source",
    "method",
    "link",
    "page",
    "view",
    "min",
    "max",
    "map",
    "list",
    "set",
    "chars",
    "rules",
    "rule",
];

/// Where the name around a word of it at `place` begins and ends. `None` when it is too long for one.
pub(crate) fn bounds(text: &[u8], place: usize, length: usize) -> Option<(usize, usize)> {
    let mut from = place - class::run_back(part(text, 0, place), NAME, LONGEST);
    let to = place + length + class::run(part(text, place + length, text.len()), NAME, LONGEST);
    // The letter of an escape (`\napi_key`) is none of the name.
    if from > 0
        && at(text, from - 1) == Some(b'\\')
        && matches!(at(text, from), Some(b'n' | b't' | b'r'))
        && from + 1 < place + length
    {
        from += 1;
    }
    (to - from <= LONGEST).then_some((from, to))
}

/// What the name between two places says. `None` when it says nothing of a secret.
pub(crate) fn name(text: &[u8], from: usize, to: usize) -> Option<Name> {
    let own = part(text, from, to);
    let mut words = String::with_capacity(own.len() + 32);
    words.push('_');
    let mut led = false;
    if own.iter().all(|b| class::is(*b, class::ALPHA)) {
        led = lead(text, from, &mut words);
    }
    spell(own, &mut words);
    words.push('_');
    if NOT.iter().any(|n| words.contains(n)) {
        return None;
    }
    // The shell's working directory, more often than a password.
    if own == b"pwd" || own == b"PWD" || own == b"OLDPWD" {
        return None;
    }
    let trimmed = words.trim_end_matches('_');
    let last = trimmed.rsplit('_').next().unwrap_or_default();
    if ABOUT.contains(&last) {
        return None;
    }
    let strong = STRONG.iter().find(|(part, ..)| words.contains(part));
    if let Some((_, kind, chosen)) = strong {
        // `token` is in every parser; alone it is weak, and strong with another word.
        let alone = *kind == "token" && !led && words.matches('_').count() <= 2;
        let strength = if alone && own.len() <= 6 && own.first().is_some_and(u8::is_ascii_lowercase) {
            Strength::Weak
        } else {
            Strength::Strong
        };
        return Some(Name { words, strength, kind, chosen: *chosen });
    }
    let (_, kind) = WEAK.iter().find(|(part, _)| words.contains(part))?;
    Some(Name { words, strength: Strength::Weak, kind, chosen: false })
}

/// Writes a name in small letters, with `_` at every border of words.
fn spell(name: &[u8], out: &mut String) {
    let mut last = b'_';
    for byte in name {
        let upper = byte.is_ascii_uppercase();
        if upper && (last.is_ascii_lowercase() || last.is_ascii_digit()) {
            out.push('_');
        }
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte.to_ascii_lowercase()));
        } else if !out.ends_with('_') {
            out.push('_');
        }
        last = *byte;
    }
}

/// Words of prose before the last one of a name: `API key`, `Secret access key`, `identified by`.
fn lead(text: &[u8], from: usize, out: &mut String) -> bool {
    const LEADS: &[&str] = &[
        "api",
        "access",
        "secret",
        "private",
        "auth",
        "client",
        "app",
        "service",
        "account",
        "master",
        "encryption",
        "signing",
        "license",
        "bearer",
        "personal",
        "deploy",
        "db",
        "database",
        "root",
        "admin",
        "identified",
    ];
    let line = part(text, line_start(text, from).max(from.saturating_sub(40)), from);
    let Some((b' ', rest)) = line.split_last() else { return false };
    let mut found = Vec::new();
    for word in rest.rsplit(|b| *b == b' ').take(2) {
        let word = word.to_ascii_lowercase();
        if !LEADS.iter().any(|l| l.as_bytes() == word) {
            break;
        }
        found.push(word);
    }
    for word in found.iter().rev() {
        spell(word, out);
        out.push('_');
    }
    !found.is_empty()
}
