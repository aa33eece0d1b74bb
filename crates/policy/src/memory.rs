//! Answers that policy has given before, kept beside the compiled policy.
//!
//! Policy is a function of the facts its rules name. A question about the same facts under the same concessions has the
//! same answer as long as the policy is the same one, so the next process need not ask Cedar again (measured: Cedar's
//! own start, decoding two shards and evaluating them are about half of a hook call). Facts that no rule of the kind
//! names, such as the path of an ordinary file, do not count, so answers are found again for new files too.

use crate::judge::Subject;
use crate::request::{Conceded, Question, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes of an entry: 16 of key, 4 of answer, 4 of checksum.
const ENTRY: usize = 24;
/// Above this many entries the file begins anew.
const MOST: usize = 4096;

/// An answer as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) permitted: bool,
    pub(crate) fixed: bool,
    pub(crate) rule: Option<u16>,
}

/// The answers of one compiled policy.
#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    entries: Vec<([u8; 16], Kept)>,
    new: Vec<u8>,
    /// Whether the file must be written anew: torn, too long.
    renew: bool,
}

/// The facts that rules name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// Rules look at more than single facts: at who or at what as a whole.
    All,
    /// Only these.
    Only(BTreeSet<String>),
}

impl Named {
    /// The facts named in the conditions of a policy in Cedar's JSON form.
    pub(crate) fn of(form: &serde_json::Value) -> Self {
        let any = |part: &str| {
            form.get(part)
                .and_then(|p| p.get("op"))
                .and_then(serde_json::Value::as_str)
                .is_none_or(|op| op == "All")
        };
        if !any("principal") || !any("resource") {
            return Self::All;
        }
        let mut names = BTreeSet::new();
        match form.get("conditions") {
            Some(conditions) if only_context(conditions, &mut names) => Self::Only(names),
            None => Self::Only(names),
            Some(_) => Self::All,
        }
    }

    /// What either names.
    pub(crate) fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Only(mut a), Self::Only(b)) => {
                a.extend(b.iter().cloned());
                Self::Only(a)
            }
            _ => Self::All,
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// Collects the attributes of `context` that an expression uses; false when it uses anything else of the request, or
/// `context` other than by attribute.
fn only_context(value: &serde_json::Value, names: &mut BTreeSet<String>) -> bool {
    match value {
        serde_json::Value::Object(map) => {
            if map.contains_key("Var") {
                return false;
            }
            for (key, inner) in map {
                if key == "." || key == "has" {
                    let left = inner.get("left");
                    let var = left.and_then(|l| l.get("Var")).and_then(serde_json::Value::as_str);
                    if var == Some("context")
                        && let Some(name) = inner.get("attr").and_then(serde_json::Value::as_str)
                    {
                        names.insert(name.to_owned());
                        continue;
                    }
                }
                if !only_context(inner, names) {
                    return false;
                }
            }
            true
        }
        serde_json::Value::Array(list) => list.iter().all(|v| only_context(v, names)),
        _ => true,
    }
}

/// The key under which the answer to a question is kept.
pub(crate) fn key(
    policy: &[u8; 32],
    named: &Named,
    question: &Question,
    subject: &Subject,
    conceded: Conceded<'_>,
) -> [u8; 16] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(policy);
    part(question.kind.word().as_bytes());
    part(question.environment.word().as_bytes());
    part(subject.agent.as_bytes());
    part(&[
        u8::from(conceded.reversible),
        u8::from(conceded.contained),
        conceded.approvals,
        u8::from(subject.sandbox),
        u8::from(subject.untrusted_seen),
        u8::from(subject.sensitive_read),
        u8::from(subject.attended),
        u8::from(question.remote.is_some()),
    ]);
    for approver in conceded.approvers {
        part(approver.as_bytes());
    }
    if *named == Named::All {
        part(subject.session.as_bytes());
    }
    if named.has("target") {
        part(question.target.as_bytes());
    }
    if named.has("machine") {
        part(question.remote.as_deref().unwrap_or_default().as_bytes());
    }
    for (name, value) in &question.facts {
        // That a fact is there at all is one too: rules ask with `has`.
        part(name.as_bytes());
        if named.has(name) {
            match value {
                Value::Text(t) => part(t.as_bytes()),
                Value::Word(w) => part(w.as_bytes()),
                Value::Flag(b) => part(&[u8::from(*b)]),
                Value::Number(n) => part(&n.to_le_bytes()),
            }
        }
    }
    first(hash.finalize().as_slice())
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    out
}

fn checksum(body: &[u8]) -> [u8; 4] {
    first(Sha256::digest(body).as_slice())
}

impl Memory {
    /// Opens the answers kept at `path`; what is not there or not whole is no answer.
    pub(crate) fn open(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let renew = !bytes.len().is_multiple_of(ENTRY) || bytes.len() / ENTRY >= MOST;
        let entries = if renew { Vec::new() } else { bytes.chunks_exact(ENTRY).filter_map(decode).collect() };
        Self { path: path.to_owned(), entries, new: Vec::new(), renew }
    }

    pub(crate) fn find(&self, key: &[u8; 16]) -> Option<Kept> {
        self.entries.iter().rev().find(|(k, _)| k == key).map(|(_, kept)| *kept)
    }

    pub(crate) fn add(&mut self, key: [u8; 16], kept: Kept) {
        let rule = kept.rule.unwrap_or(u16::MAX).to_le_bytes();
        let mut entry = Vec::with_capacity(ENTRY);
        entry.extend_from_slice(&key);
        entry.extend_from_slice(&[u8::from(kept.permitted), u8::from(kept.fixed)]);
        entry.extend_from_slice(&rule);
        let sum = checksum(&entry);
        entry.extend_from_slice(&sum);
        self.new.extend_from_slice(&entry);
        self.entries.push((key, kept));
    }

    /// Writes the new answers behind the old ones, in one write. A disk that takes nothing costs only the short cut.
    pub(crate) fn keep(&mut self) {
        if self.new.is_empty() {
            return;
        }
        if self.renew && std::fs::remove_file(&self.path).is_err() {
            self.new.clear();
            return;
        }
        self.renew = false;
        if let Ok(mut file) = std::fs::File::options().create(true).append(true).open(&self.path) {
            let _ = file.write_all(&self.new);
        }
        self.new.clear();
    }
}

fn decode(bytes: &[u8]) -> Option<([u8; 16], Kept)> {
    let body = bytes.get(..20)?;
    if bytes.get(20..ENTRY)? != checksum(body) {
        return None;
    }
    let [permitted, fixed, low, high] = first(body.get(16..)?);
    let rule = u16::from_le_bytes([low, high]);
    let kept =
        Kept { permitted: permitted == 1, fixed: fixed == 1, rule: (rule != u16::MAX).then_some(rule) };
    Some((first(body), kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_whole_entries_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("answers");
        let kept = Kept { permitted: true, fixed: false, rule: Some(3) };
        let none = Kept { permitted: false, fixed: true, rule: None };
        let mut memory = Memory::open(&path);
        memory.add([1; 16], kept);
        memory.add([2; 16], none);
        memory.keep();
        let memory = Memory::open(&path);
        assert_eq!(
            (memory.find(&[1; 16]), memory.find(&[2; 16]), memory.find(&[3; 16])),
            (Some(kept), Some(none), None)
        );
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[5] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Memory::open(&path).find(&[1; 16]), None, "an altered entry is no answer");
        bytes.truncate(30);
        std::fs::write(&path, &bytes).unwrap();
        let mut memory = Memory::open(&path);
        memory.add([4; 16], kept);
        memory.keep();
        assert_eq!(Memory::open(&path).find(&[4; 16]), Some(kept), "a torn file begins anew");
    }

    #[test]
    fn finds_the_facts_that_rules_name() {
        let json = |text: &str| cedar_policy::Policy::parse(None, text).unwrap().to_json().unwrap();
        let names = |text: &str| Named::of(&json(text));
        let only = |names: &[&str]| Named::Only(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(names("permit (principal, action, resource);"), only(&[]));
        assert_eq!(
            names(
                "permit (principal, action == Action::\"read\", resource) when { context.zone == \"a\" && context has x && !context.remote } unless { [\"b\"].contains(context.class) };"
            ),
            only(&["zone", "x", "remote", "class"])
        );
        assert_eq!(
            names("permit (principal, action, resource) when { resource == Path::\"a\" };"),
            Named::All
        );
        assert_eq!(names("permit (principal == Session::\"a\", action, resource);"), Named::All);
        assert_eq!(names("permit (principal, action, resource is Path);"), Named::All);
    }
}
