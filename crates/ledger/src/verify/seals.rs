//! Checkpoints and keys against the tree.

use std::collections::{BTreeSet, HashMap};

use crate::error::Result;
use crate::files::Paths;
use crate::keys::rotation_text;
use crate::kind::Kind;
use crate::note::{PublicKey, SignedCheckpoint};
use crate::record::Stored;
use crate::seal;
use crate::tree::{Frontier, Hash};

use super::report::{Fault, Severity, VerifyOptions};
use super::{Findings, TAMPERED, finding};

/// A checkpoint and what became of it.
struct Check {
    note: SignedCheckpoint,
    /// Offset in the file; `None` for one that was remembered elsewhere.
    offset: Option<u64>,
    /// The root that the records have at its size, once reached.
    found: Option<Hash>,
}

/// A key and the sizes of the tree it may sign: from (exclusive) and to (inclusive).
struct Term {
    key: PublicKey,
    from: u64,
    to: u64,
}

pub(super) struct Seals {
    /// In order of size.
    checks: Vec<Check>,
    /// The first check that has not been reached.
    next: usize,
    /// Offsets of bytes that are no checkpoint.
    junk: Vec<u64>,
    terms: Vec<Term>,
    /// Losses that were recorded: sizes after and before.
    losses: Vec<(u64, u64)>,
}

impl Seals {
    pub(super) fn load(paths: &Paths, options: &VerifyOptions) -> Result<Self> {
        let (mut checks, mut junk) = (Vec::new(), Vec::new());
        for line in seal::checkpoints(paths)? {
            match line.note {
                Some(note) => checks.push(Check { note, offset: Some(line.offset), found: None }),
                None => junk.push(line.offset),
            }
        }
        let remembered = options.remembered.iter().cloned();
        checks.extend(remembered.map(|note| Check { note, offset: None, found: None }));
        checks.sort_by_key(|check| check.note.checkpoint().size);
        let empty = Frontier::default();
        let mut seals = Self { checks, next: 0, junk, terms: Vec::new(), losses: Vec::new() };
        seals.reached(&empty);
        Ok(seals)
    }

    /// The tree has grown by one.
    pub(super) fn reached(&mut self, tree: &Frontier) {
        while let Some(check) = self.checks.get_mut(self.next) {
            if check.note.checkpoint().size > tree.size() {
                return;
            }
            check.found = Some(tree.root());
            self.next += 1;
        }
    }

    /// A record that tells a key.
    pub(super) fn key(&mut self, index: u64, record: &Stored, findings: &mut Findings) {
        let mend = "do not trust what was sealed since; compare the key with one kept elsewhere";
        let mut bad = |what: &str| {
            findings.add(finding(Fault::BadKeys, Severity::Broken, what, mend).record(index));
        };
        let Some(key) = record.text("key").and_then(|key| key.parse::<PublicKey>().ok()) else {
            return bad("a record names a key that is none");
        };
        if record.kind == Kind::LEDGER_CREATED {
            if index != 0 {
                return bad("the ledger is said to begin in its middle");
            }
            if record.what.get("used_key").and_then(serde_json::Value::as_bool) == Some(true) {
                let what = "the ledger was begun anew with a key that had sealed another";
                let mend = "find out who moved the earlier ledger away, and keep it with this one";
                findings.add(finding(Fault::BegunAnew, Severity::Warning, what, mend).record(0));
            }
            self.terms.push(Term { key, from: 0, to: u64::MAX });
            return;
        }
        let Some(last) = self.terms.last_mut() else {
            return bad("a key is changed before there is one");
        };
        let old = last.key.to_string();
        let text = rotation_text(&old, &key.to_string());
        let signed = record.text("signature").is_some_and(|signature| last.key.signed(&text, signature));
        if record.text("old") != Some(&old) || key.name() != last.key.name() || !signed {
            return bad("a key is changed without the signature of the one before it");
        }
        last.to = index + 1;
        self.terms.push(Term { key, from: index, to: u64::MAX });
    }

    /// A record that tells of a loss.
    pub(super) fn lost(&mut self, record: &Stored) {
        if let (Some(kept), Some(lost)) = (record.number("kept"), record.number("records")) {
            self.losses.push((kept, kept.saturating_add(lost)));
        }
    }

    /// Number of checkpoints that hold, and the size that the last of them seals.
    pub(super) fn finish(
        mut self,
        size: u64,
        options: &VerifyOptions,
        findings: &mut Findings,
    ) -> (usize, u64) {
        for offset in &self.junk {
            let mend = "half a checkpoint is set aside by the next one; more than that was tampered with";
            let what = "bytes among the checkpoints are none";
            let mut found = finding(Fault::BadCheckpoint, Severity::Warning, what, mend);
            found.offset = Some(*offset);
            findings.add(found);
        }
        let mend = "compare the key with one kept elsewhere";
        if self.terms.is_empty() && size > 0 {
            let what = "the first record does not tell the key";
            findings.add(finding(Fault::BadKeys, Severity::Broken, what, mend).record(0));
        }
        let first = self.terms.first().map(|term| &term.key);
        if let Some(trusted) = options.key.as_ref().filter(|trusted| Some(*trusted) != first) {
            let what = format!("the ledger does not begin with the trusted key `{trusted}`");
            findings.add(finding(Fault::BadKeys, Severity::Broken, what, mend).record(0));
        }
        let (mut good, mut sealed) = (0, 0);
        let mut by_size: HashMap<u64, Hash> = HashMap::new();
        let mut last_good = 0;
        let signatures = self.signatures(options.signatures);
        for (check, signed) in std::mem::take(&mut self.checks).into_iter().zip(signatures) {
            let said = check.note.checkpoint();
            if !signed && check.offset.is_some() {
                let what =
                    format!("the checkpoint over {} records is signed by no key then in force", said.size);
                let mut found = finding(Fault::BadSignature, Severity::Broken, what, TAMPERED);
                found.offset = check.offset;
                findings.add(found);
                continue;
            }
            let other = by_size.insert(said.size, said.root).filter(|root| *root != said.root);
            if other.is_some() && signed {
                let what = format!("two different ledgers of {} records were sealed", said.size);
                let severity = if self.explained(said.size, said.durable) {
                    Severity::Warning
                } else {
                    Severity::Broken
                };
                findings.add(finding(Fault::Fork, severity, what, TAMPERED));
            }
            if check.found == Some(said.root) {
                good += usize::from(check.offset.is_some());
                if check.offset.is_some() {
                    sealed = sealed.max(said.size);
                }
                last_good = last_good.max(said.size);
                continue;
            }
            self.mismatch(&check, size, last_good, findings);
        }
        (good, sealed)
    }

    /// The terms of the keys that may have signed a size; where one key hands over to the next, both.
    fn terms(&self, size: u64) -> impl Iterator<Item = &Term> {
        self.terms.iter().filter(move |term| size > term.from && size <= term.to)
    }

    /// Whether each checkpoint is signed by the key in force, spread over all cores. Those that need not be checked,
    /// since a later one of the same key covers the same records, pass.
    fn signatures(&self, all: bool) -> Vec<bool> {
        let mut covered = BTreeSet::new();
        let mut needed: Vec<bool> = Vec::with_capacity(self.checks.len());
        for check in self.checks.iter().rev() {
            let said = check.note.checkpoint();
            let fits = check.found == Some(said.root) && check.offset.is_some();
            let term = self.terms(said.size).next().map(|term| term.from);
            needed.push(all || !fits || covered.insert(term));
        }
        needed.reverse();
        let work: Vec<_> = self.checks.iter().zip(needed).collect();
        let signed = |(check, needed): &(&Check, bool)| {
            !needed || self.terms(check.note.checkpoint().size).any(|term| check.note.signed_by(&term.key))
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut out = vec![false; work.len()];
        let part = work.len().div_ceil(cores).max(64);
        std::thread::scope(|scope| {
            for (work, out) in work.chunks(part).zip(out.chunks_mut(part)) {
                scope.spawn(move || out.iter_mut().zip(work).for_each(|(out, work)| *out = signed(work)));
            }
        });
        out
    }

    /// Whether a power loss, recorded, explains that a checkpoint does not fit: only what was not known to be on disk
    /// when it was signed was lost.
    fn explained(&self, size: u64, durable: u64) -> bool {
        self.losses.iter().any(|(after, before)| durable <= *after && *after < size && size <= *before)
    }

    fn mismatch(&self, check: &Check, size: u64, last_good: u64, findings: &mut Findings) {
        let said = check.note.checkpoint();
        let (fault, what) = match (check.offset, check.found) {
            (None, _) => (
                Fault::Rollback,
                format!("the remembered checkpoint over {} records is not of these {size}", said.size),
            ),
            (_, None) => {
                (Fault::Truncated, format!("{} records were sealed, but there are only {size}", said.size))
            }
            (_, Some(_)) => (
                Fault::RootMismatch,
                format!(
                    "the first {} records are not those that were sealed; the first {last_good} are",
                    said.size
                ),
            ),
        };
        let lost = self.explained(said.size, said.durable) || (check.found.is_none() && size >= said.durable);
        let severity = if lost && fault != Fault::Rollback { Severity::Warning } else { Severity::Broken };
        let mut found = finding(fault, severity, what, TAMPERED).record(last_good);
        found.offset = check.offset;
        findings.add(found);
    }
}
