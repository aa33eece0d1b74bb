//! Records: what is written, how it becomes a line, and how a line is read back.
//!
//! A line is canonical JSON (RFC 8785) with the fields, in this order, `agent`, `at`, `call`, `index`, `kind`,
//! `sealed`, `session`, `subject`, `what`. All of the envelope stands before `what`, so that filters can look at it
//! without parsing.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use memchr::memmem;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::error::{LedgerError, Result};
use crate::kind::Kind;
use crate::tree::Hash;

/// Longest line, in bytes.
pub const MAX_LINE: usize = 1 << 20;
/// Longest sealed value, in bytes of its canonical JSON.
pub const MAX_SEALED: usize = 8 << 20;
/// Longest session, call, agent or subject, in bytes.
const MAX_WORD: usize = 512;
/// Bytes of salt in a commitment.
pub(crate) const SALT: usize = 16;

/// How sure a record must be on disk before `append` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On disk (`fdatasync`) and sealed: for whatever has consequences.
    Durable,
    /// With the system, which survives the death of every process but not a power loss; sealed about once a second.
    Relaxed,
}

/// A record to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    kind: Kind,
    session: Option<String>,
    call: Option<String>,
    agent: Option<String>,
    subject: Option<String>,
    what: Map<String, Value>,
    sealed: BTreeMap<String, Value>,
}

impl Record {
    /// A record of this kind without anything else in it.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            session: None,
            call: None,
            agent: None,
            subject: None,
            what: Map::new(),
            sealed: BTreeMap::new(),
        }
    }

    /// The same, as another kind.
    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The session it belongs to.
    #[must_use]
    pub fn session(mut self, id: impl Into<String>) -> Self {
        self.session = Some(id.into());
        self
    }

    /// The call it is about; decision and outcome are joined on it.
    #[must_use]
    pub fn call(mut self, id: impl Into<String>) -> Self {
        self.call = Some(id.into());
        self
    }

    /// The agent.
    #[must_use]
    pub fn agent(mut self, name: impl Into<String>) -> Self {
        self.agent = Some(name.into());
        self
    }

    /// The person, by a pseudonym: it can never be erased.
    #[must_use]
    pub fn subject(mut self, pseudonym: impl Into<String>) -> Self {
        self.subject = Some(pseudonym.into());
        self
    }

    /// A field that stays readable for ever. Numbers are doubles in canonical JSON: give integers over 2^53 as text.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.what.insert(name.into(), value.into());
        self
    }

    /// A field that can be erased: the record holds only a salted hash of it. For what is personal or may hold a secret.
    #[must_use]
    pub fn seal(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.sealed.insert(name.into(), value.into());
        self
    }

    /// The same with other texts wherever `f` gives one, in every field that callers set.
    #[must_use]
    pub fn map_texts(mut self, f: &mut dyn FnMut(&str) -> Option<String>) -> Self {
        self.what.values_mut().chain(self.sealed.values_mut()).for_each(|value| map_text(value, f));
        self
    }
}

fn map_text(value: &mut Value, f: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(other) = f(text) {
                *text = other;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|v| map_text(v, f)),
        Value::Object(map) => map.values_mut().for_each(|v| map_text(v, f)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Proof that a record is in the ledger. Only [`Ledger::append`](crate::Ledger::append) makes one, and it cannot be
/// copied: whoever demands it cannot be satisfied without a record of its own.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "it proves the record: hand it to whatever must not happen unrecorded"]
pub struct Recorded {
    pub(crate) index: u64,
    pub(crate) leaf: Hash,
}

impl Recorded {
    /// Index of the record in the ledger.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Its leaf hash in the tree.
    #[must_use]
    pub fn leaf(&self) -> &Hash {
        &self.leaf
    }
}

/// A sealed value on its way to the sidecar.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) name: String,
    pub(crate) salt: [u8; SALT],
    pub(crate) value: Vec<u8>,
}

/// Commitment to a sealed value: SHA-256(salt ‖ JCS(value)).
pub(crate) fn commitment(salt: &[u8], value: &[u8]) -> Hash {
    Sha256::new().chain_update(salt).chain_update(value).finalize().into()
}

/// A record ready to be written: everything but its index is settled, so little is left to do under the lock.
#[derive(Debug)]
pub(crate) struct Prepared {
    before: Vec<u8>,
    after: Vec<u8>,
    pub(crate) at: i64,
    pub(crate) openings: Vec<Opening>,
}

fn canonical(name: &str, value: &Value) -> Result<Vec<u8>> {
    serde_json_canonicalizer::to_vec(value)
        .map_err(|source| LedgerError::Canonical { name: name.to_owned(), source })
}

/// Names of the envelope, which a sealed field cannot have, so that filters are not misled.
const RESERVED: [&str; 9] = ["agent", "at", "call", "index", "kind", "sealed", "session", "subject", "what"];

fn check_sealed_name(name: &str) -> Result<()> {
    let bad = |why| Err(LedgerError::BadField { name: name.to_owned(), why });
    if RESERVED.contains(&name) {
        return bad("it is a field of every record");
    }
    if name.is_empty() || name.len() > 64 {
        return bad("it must have 1 to 64 letters");
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return bad("use lower-case letters, digits and `_`");
    }
    Ok(())
}

/// A time as every record has it: RFC 3339 in UTC with microseconds, always 27 bytes.
#[must_use]
pub fn format_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

impl Prepared {
    pub(crate) fn new(record: &Record, now: Timestamp) -> Result<Self> {
        let mut openings = Vec::with_capacity(record.sealed.len());
        let mut sealed = Map::new();
        for (name, value) in &record.sealed {
            check_sealed_name(name)?;
            let value = canonical(name, value)?;
            if value.len() > MAX_SEALED {
                let what = format!("the sealed value `{name}`");
                return Err(LedgerError::TooLarge { what, bytes: value.len(), limit: MAX_SEALED });
            }
            let mut salt = [0; SALT];
            getrandom::fill(&mut salt).map_err(LedgerError::Random)?;
            sealed.insert(name.clone(), HEXLOWER.encode(&commitment(&salt, &value)).into());
            openings.push(Opening { name: name.clone(), salt, value });
        }
        let words = [
            ("agent", &record.agent),
            ("call", &record.call),
            ("session", &record.session),
            ("subject", &record.subject),
        ];
        for (name, word) in words {
            let bytes = word.as_ref().map_or(0, String::len);
            if bytes > MAX_WORD {
                return Err(LedgerError::TooLarge {
                    what: format!("the field `{name}`"),
                    bytes,
                    limit: MAX_WORD,
                });
            }
        }
        let word = |name: &str, word: &Option<String>| -> Result<Option<(String, Vec<u8>)>> {
            word.as_ref()
                .map(|word| Ok((name.to_owned(), canonical(name, &Value::from(word.as_str()))?)))
                .transpose()
        };
        let text = |name: &str, text: &str| word(name, &Some(text.to_owned()));
        let before = object([
            word("agent", &record.agent)?,
            text("at", &format_time(now))?,
            word("call", &record.call)?,
        ]);
        let object_of = |name: &str, map: Map<String, Value>| -> Result<Option<(String, Vec<u8>)>> {
            if map.is_empty() {
                return Ok(None);
            }
            Ok(Some((name.to_owned(), canonical(name, &Value::Object(map))?)))
        };
        let after = object([
            text("kind", record.kind.as_str())?,
            object_of("sealed", sealed)?,
            word("session", &record.session)?,
            word("subject", &record.subject)?,
            object_of("what", record.what.clone())?,
        ]);
        let bytes = before.len() + after.len() + 32;
        if bytes > MAX_LINE {
            return Err(LedgerError::TooLarge { what: "the record".to_owned(), bytes, limit: MAX_LINE });
        }
        let before = [b"{".as_slice(), &before, b",\"index\":"].concat();
        let after = [b",".as_slice(), &after, b"}"].concat();
        Ok(Self { before, after, at: now.as_microsecond(), openings })
    }

    /// Writes the line into `out`.
    pub(crate) fn line(&self, index: u64, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.before);
        out.extend_from_slice(index.to_string().as_bytes());
        out.extend_from_slice(&self.after);
    }
}

/// The inside of an object: `"name":value` of those that are there, joined by commas.
fn object<const N: usize>(fields: [Option<(String, Vec<u8>)>; N]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields.into_iter().flatten() {
        if !out.is_empty() {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        out.extend_from_slice(&value);
    }
    out
}

/// A record as it is read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// When it was written, by the clock of the one who wrote it; clocks may step back.
    pub at: Timestamp,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Its position in the ledger, from 0.
    pub index: u64,
    /// What it is about.
    pub kind: Kind,
    /// Commitments to the sealed fields: SHA-256 in hexadecimal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sealed: BTreeMap<String, String>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The person's pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The clear fields.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub what: Map<String, Value>,
}

impl Stored {
    /// A clear field that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.what.get(name)?.as_str()
    }

    /// A clear field that is a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.what.get(name)?.as_u64()
    }
}

/// A sealed value as it is read back.
#[derive(Debug, Clone, PartialEq)]
pub enum Sealed {
    /// The value; it fits the commitment in the record.
    Value(Value),
    /// The value is gone. Whether that was recorded, verification tells.
    Erased,
}

/// The start of a line's envelope, read without parsing the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Peek<'a> {
    pub(crate) at: &'a [u8],
    pub(crate) index: Option<u64>,
    pub(crate) kind: &'a [u8],
}

/// Length of the text up to its closing quote. The envelope's texts are short: a plain loop takes half the time of a
/// search that has to be set up.
fn text_length(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    bytes.iter().position(|byte| {
        let end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        end
    })
}

/// Goes through the fields from `agent` to `kind`. What a line that is no record lacks stays empty.
pub(crate) fn peek_envelope(line: &[u8]) -> Peek<'_> {
    let mut peek = Peek::default();
    let mut rest = line.get(1..).unwrap_or_default();
    // At most five fields: agent, at, call, index, kind.
    for _ in 0..5 {
        let Some(inside) = rest.strip_prefix(b"\"") else { return peek };
        let Some((name, after)) = text_length(inside).and_then(|length| inside.split_at_checked(length))
        else {
            return peek;
        };
        let Some(value) = after.strip_prefix(b"\":") else { return peek };
        let length = if let Some(text) = value.strip_prefix(b"\"") {
            let Some(length) = text_length(text) else { return peek };
            let text = text.get(..length).unwrap_or_default();
            match name {
                b"at" => peek.at = text,
                b"kind" => {
                    peek.kind = text;
                    return peek;
                }
                _ => {}
            }
            length + 2
        } else {
            let length = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if name == b"index" {
                peek.index = number(value.get(..length).unwrap_or_default());
            }
            length
        };
        rest = value.get(length + 1..).unwrap_or_default();
    }
    peek
}

fn number(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    (!digits.is_empty()).then(|| digits.iter().try_fold(0, add))?
}

/// Time of a line.
pub(crate) fn peek_at(line: &[u8]) -> Option<&[u8]> {
    Some(peek_envelope(line).at).filter(|at| !at.is_empty())
}

/// Kind of a line.
pub(crate) fn peek_kind(line: &[u8]) -> Option<&[u8]> {
    Some(peek_envelope(line).kind).filter(|kind| !kind.is_empty())
}

/// Index of a line.
pub(crate) fn peek_index(line: &[u8]) -> Option<u64> {
    peek_envelope(line).index
}

/// Time of a line in microseconds since 1970.
pub(crate) fn peek_micros(line: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(peek_at(line)?).ok()?;
    Some(text.parse::<Timestamp>().ok()?.as_microsecond())
}

/// Names and commitments of the sealed fields of a line, without parsing it.
pub(crate) fn peek_sealed(line: &[u8]) -> Vec<(&str, &str)> {
    const KEY: &[u8] = b"\"sealed\":{";
    // `what` comes later and may hold anything; `sealed` itself holds only names and hexadecimal.
    let what = memmem::find(line, b"\"what\":{").unwrap_or(line.len());
    let Some(start) = memmem::find(line, KEY).filter(|at| *at < what).map(|at| at + KEY.len()) else {
        return Vec::new();
    };
    let inside =
        line.get(start..).and_then(|rest| rest.get(..memchr::memchr(b'}', rest)?)).unwrap_or_default();
    let Ok(inside) = std::str::from_utf8(inside) else { return Vec::new() };
    inside
        .split(',')
        .filter_map(|pair| pair.strip_prefix('"')?.strip_suffix('"')?.split_once("\":\""))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kinds() {
        for good in ["prompt", "session.start", "a.b2.c_d"] {
            assert_eq!(Kind::new(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "a.", "A", "a b", "é", "1a", &"a".repeat(65)] {
            assert!(matches!(Kind::new(bad), Err(LedgerError::BadKind(_))), "{bad}");
        }
        for known in Kind::KNOWN {
            assert_eq!(Kind::new(known.as_str()).unwrap(), *known);
        }
    }

    #[test]
    fn sealed_names_cannot_imitate_the_envelope() {
        let now = Timestamp::UNIX_EPOCH;
        for bad in ["kind", "session", "", "a\"b", "A", "é"] {
            let record = Record::new(Kind::PROMPT).seal(bad, "x");
            assert!(matches!(Prepared::new(&record, now), Err(LedgerError::BadField { .. })), "{bad}");
        }
        let long = Record::new(Kind::PROMPT).with("x", "y".repeat(MAX_LINE));
        assert!(matches!(Prepared::new(&long, now), Err(LedgerError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn lines_are_canonical_and_peeks_agree(
            agent in proptest::option::of("\\PC{0,12}"), call in proptest::option::of(".{0,12}"),
            session in proptest::option::of("[\"a-z:,{}\\\\]{0,30}"), name in ".{0,20}", value in ".{0,40}",
            hidden in ".{0,40}", index in 0_u64..(1 << 53), at in -1_000_000_000_000_000_i64..4_000_000_000_000_000,
        ) {
            let mut record = Record::new(Kind::DECISION).with(name, value).with("kind", "x").seal("command", hidden);
            (record.agent, record.call, record.session) = (agent, call, session);
            let now = Timestamp::from_microsecond(at).unwrap();
            let prepared = Prepared::new(&record, now).unwrap();
            let mut line = Vec::new();
            prepared.line(index, &mut line);
            let value: Value = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), line.clone());
            let stored: Stored = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(stored.index, index);
            prop_assert_eq!(&stored.what, &record.what);
            prop_assert_eq!(&stored.session, &record.session);
            prop_assert_eq!(stored.at, now);
            prop_assert_eq!(peek_index(&line), Some(index));
            prop_assert_eq!(peek_micros(&line), Some(at));
            prop_assert_eq!(peek_kind(&line), Some(b"decision".as_slice()));
            let sealed: Vec<_> = stored.sealed.iter().map(|(n, c)| (n.as_str(), c.as_str())).collect();
            prop_assert_eq!(peek_sealed(&line), sealed);
            prop_assert_eq!(peek_at(&line).map(<[u8]>::len), Some(27));
            // And nothing of it panics on half a line.
            for cut in 0..line.len() {
                let half = peek_envelope(&line[..cut]);
                prop_assert!(half.at.is_empty() || half.at == peek_at(&line).unwrap());
            }
        }
    }
}
