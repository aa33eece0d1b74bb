//! The scan: one pass over a text, with closer looks where something may begin.

use crate::class;
use crate::context;
use crate::decode;
use crate::finding::{Finding, settle};
use crate::hooks::Hook;
use crate::http;
use crate::known::Known;
use crate::pem;
use crate::rules::Rules;
use crate::table::{Entry, detector, entries, key_at, may_begin};
use crate::text::{FILL, part, without_escapes};
use crate::tokens::token;
use crate::trigram;
use crate::url;
use std::borrow::Cow;
use std::sync::Arc;

/// How many names are looked at inside one unquoted value, so that `a=a=a=…` takes no longer than other texts.
const INSIDE: u8 = 8;

/// What kind of text is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Surroundings {
    /// Not known: lines that look like an environment's are taken for it, others for code.
    #[default]
    Unknown,
    /// A file or an output that is there to hold secrets: `.env`, credentials, the output of `env`.
    Bearing,
    /// Ordinary source code.
    Code,
}

impl Surroundings {
    /// What the name of a file tells of its content.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase();
        let ending = name.rsplit('.').next().unwrap_or_default();
        const BEARING: &[&str] = &[
            ".env",
            "credentials",
            ".netrc",
            "_netrc",
            ".npmrc",
            ".pypirc",
            ".pgpass",
            ".my.cnf",
            "kubeconfig",
            "hosts.yml",
            ".dockercfg",
            ".git-credentials",
            "secrets",
            "terraform.tfstate",
            ".htpasswd",
            "id_rsa",
            "id_ed25519",
            ".vault-token",
            "secret",
            "passwd",
        ];
        if BEARING.iter().any(|b| name.contains(b))
            || matches!(ending, "env" | "tfstate" | "tfvars" | "pem" | "key" | "keystore" | "ovpn")
        {
            return Self::Bearing;
        }
        const CODE: &[&str] = &[
            "rs", "go", "c", "h", "cc", "cpp", "hpp", "js", "mjs", "cjs", "ts", "tsx", "jsx", "py", "rb",
            "java", "kt", "swift", "cs", "php", "scala", "lua", "ex", "exs", "hs", "ml", "zig", "md", "rst",
            "html", "css", "svg",
        ];
        if CODE.contains(&ending) { Self::Code } else { Self::Unknown }
    }
}

/// Finds secrets. Cheap to make: its tables are constants.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    known: Option<Arc<Known>>,
    rules: Option<Arc<Rules>>,
    surroundings: Surroundings,
    structural_only: bool,
}

impl Scanner {
    /// A scanner with the built-in detectors.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds these values too, in every encoding they were indexed with.
    #[must_use]
    pub fn with_known(mut self, known: Arc<Known>) -> Self {
        self.known = Some(known);
        self
    }

    /// Applies an organisation's rules too.
    #[must_use]
    pub fn with_rules(mut self, rules: Arc<Rules>) -> Self {
        self.rules = Some(rules);
        self
    }

    /// Says what kind of text comes.
    #[must_use]
    pub fn in_surroundings(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// Leaves out secrets that only their name gives away.
    #[must_use]
    pub fn structural_only(mut self) -> Self {
        self.structural_only = true;
        self
    }

    /// The secrets in a text, in order, none overlapping another. Time grows with the text's length only.
    #[must_use]
    pub fn scan(&self, text: &[u8]) -> Vec<Finding> {
        let mut found = Vec::new();
        let view = without_escapes(text).map_or(Cow::Borrowed(text), Cow::Owned);
        self.pass(&view, &mut found);
        decode::layers(&view, &mut found, |inner, out| self.plain_pass(inner, out));
        if let Some(known) = &self.known {
            known.find(&view, &mut found);
        }
        if let Some(rules) = &self.rules {
            rules.find(text, &mut found);
        }
        found.retain(|f| !in_placeholder(text, f));
        settle(&mut found);
        found
    }

    /// What a decoded layer is looked through for.
    fn plain_pass(&self, text: &[u8], found: &mut Vec<Finding>) {
        self.pass(text, found);
        if let Some(known) = &self.known {
            known.find(text, found);
        }
    }

    fn pass(&self, text: &[u8], found: &mut Vec<Finding>) {
        let mut state =
            State { scanner: self, text, found, name_ends: 0, value_ends: 0, inside: 0, token_ends: 0 };
        // Six places at a time: most hold nothing, which one branch tells.
        let mut from = 0;
        while let Some(bytes) = text.get(from..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_le_bytes(*bytes);
            let hits = (0..6).fold(0, |hits, at| hits | u64::from(may_begin(key_at(word, at))) << at);
            if hits != 0 {
                for at in (0..6).filter(|at| (hits >> at) & 1 == 1) {
                    state.look(key_at(word, at), from + at);
                }
            }
            from += 6;
        }
        for (at, bytes) in part(text, from, text.len()).windows(3).enumerate() {
            let key = bytes.iter().fold(0, |key, byte| trigram::push(key, *byte));
            if may_begin(key) {
                state.look(key, from + at);
            }
        }
        for place in memchr::memchr2_iter(b'\n', FILL, text) {
            if parts_a_word(text, place) {
                state.across(place);
            }
        }
    }
}

/// Whether words may be on both sides of the end of line or the escape sequence at `place`: nothing else can be parted.
#[inline]
fn parts_a_word(text: &[u8], place: usize) -> bool {
    let word = |b: Option<&u8>| {
        b.is_some_and(|b| {
            class::is(*b, class::URL | class::SLASH | class::PLUS) || matches!(*b, b'\\' | b'\r')
        })
    };
    place > 0 && word(text.get(place - 1)) && text.get(place + 1).is_some_and(|b| *b != b'\n' && *b != b'}')
}

struct State<'a> {
    scanner: &'a Scanner,
    text: &'a [u8],
    found: &'a mut Vec<Finding>,
    /// Where the last name that was looked at ends.
    name_ends: usize,
    /// Where the last unquoted value ends, and how many names were looked at inside it.
    value_ends: usize,
    inside: u8,
    /// Where the last token that was found ends.
    token_ends: usize,
}

impl State<'_> {
    /// Looks closer at a place.
    #[cold]
    fn look(&mut self, key: u32, place: usize) {
        for entry in entries(key) {
            match entry {
                Entry::Token(number, prefix) => self.token(place, *number, *prefix),
                Entry::Hook(literal, hook) => {
                    let there = part(self.text, place, place + literal.len());
                    if there.eq_ignore_ascii_case(literal.as_bytes()) {
                        self.hook(place, literal.len(), *hook);
                    }
                }
            }
        }
    }

    fn token(&mut self, place: usize, number: u16, prefix: u8) {
        if place < self.token_ends {
            return;
        }
        let Some(detector) = detector(number) else { return };
        let Some(prefix) = detector.prefixes.get(usize::from(prefix)) else { return };
        if let Some(finding) = token(self.text, place, detector, prefix) {
            // Kinds with the same prefix may both fit: `settle` keeps one.
            self.found.push(finding);
        }
    }

    fn hook(&mut self, place: usize, length: usize, hook: Hook) {
        let finding = match hook {
            Hook::Pem => pem::block(self.text, place),
            Hook::Url => url::userinfo(self.text, place),
            Hook::Scheme => http::scheme(self.text, place, length),
            Hook::User => http::user(self.text, place, length),
            Hook::Password => http::password(self.text, place, length),
            Hook::Assign => {
                if place < self.name_ends || self.scanner.structural_only {
                    return;
                }
                if place < self.value_ends {
                    if self.inside >= INSIDE {
                        return;
                    }
                    self.inside += 1;
                } else {
                    self.inside = 0;
                }
                let look = context::look(self.text, place, length, self.scanner.surroundings);
                self.name_ends = look.name_ends;
                self.value_ends = self.value_ends.max(look.value_ends);
                self.found.extend(look.findings);
                return;
            }
        };
        if let Some(finding) = finding {
            if hook == Hook::Pem {
                self.token_ends = finding.span.end;
            }
            self.found.push(finding);
        }
    }

    /// Looks for prefixes whose first three bytes a break at `place` parts.
    fn across(&mut self, place: usize) {
        let mut last = place;
        // The break begins with `\` or `\r` before the end of line.
        while last > 0 && matches!(self.text.get(last - 1), Some(b'\r' | b'\\')) {
            last -= 1;
        }
        if self.text.get(place) == Some(&FILL)
            && last.checked_sub(1).and_then(|p| self.text.get(p)) == Some(&FILL)
        {
            return;
        }
        let Some(next) = crate::text::joint(self.text, last) else { return };
        for head in 1..=2_usize {
            let Some(from) = last.checked_sub(head) else { return };
            let bytes = part(self.text, from, last).iter().chain(part(self.text, next, next + 3 - head));
            let key = bytes.fold(0, |key, byte| trigram::push(key, *byte));
            if may_begin(key) {
                for entry in entries(key) {
                    if let Entry::Token(number, prefix) = entry {
                        self.token(from, *number, *prefix);
                    }
                }
            }
        }
    }
}

/// Whether a finding is inside `{{secret:…}}`, which a scan before this one wrote.
fn in_placeholder(text: &[u8], finding: &Finding) -> bool {
    let from = finding.span.start.saturating_sub(64);
    let head = part(text, from, finding.span.end);
    let Some(open) = memchr::memmem::rfind(head, crate::redact::OPEN.as_bytes()) else { return false };
    let rest = part(text, from + open, text.len().min(from + open + 160));
    memchr::memmem::find(rest, b"}}").is_some_and(|close| from + open + close + 2 >= finding.span.end)
}
