//! What verification finds, in words that say where and what to do.

use std::fmt;

use jiff::Timestamp;

use crate::note::{PublicKey, SignedCheckpoint};
use crate::tree::Hash;

/// What to hold the ledger against.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// The ledger's first key, known from elsewhere. Without it, whoever can write the files could have written another
    /// ledger under another key.
    pub key: Option<PublicKey>,
    /// Checkpoints remembered elsewhere: what shows that the whole directory was put back to an older copy, or forked.
    pub remembered: Vec<SignedCheckpoint>,
    /// The present, to tell ages; without it none are told.
    pub now: Option<Timestamp>,
    /// Check the signature of every checkpoint (about 40 µs each, on all cores). Without it only those are checked that
    /// say something of their own: the last of each key, and any whose root is not that of the records.
    pub signatures: bool,
    /// Check the sealed values.
    pub sealed: bool,
    /// Check that every call has a decision and an outcome. Parses records about calls, so it takes longer.
    pub pairs: bool,
    /// Calls decided less than this many seconds before `now` may still be running.
    pub grace: u32,
}

impl VerifyOptions {
    /// Everything that can be checked at `now` without knowing anything from elsewhere; calls may run an hour.
    #[must_use]
    pub fn full(now: Timestamp) -> Self {
        Self { now: Some(now), signatures: true, sealed: true, pairs: true, grace: 3600, ..Self::default() }
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look; the record is whole.
    Notice,
    /// Something was lost or left out, which an accident explains as well as intent.
    Warning,
    /// The record was changed, or is not what was sealed.
    Broken,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// Bytes that are no record, with records after them.
    Unreadable,
    /// Half a record at the very end.
    TornTail,
    /// Records are missing where one segment should follow another.
    MissingRecords,
    /// A record's own index is not its position: records were reordered, removed or inserted.
    WrongIndex,
    /// The header of a segment does not fit the records before it.
    WrongHeader,
    /// The head does not fit the records.
    WrongHead,
    /// The head is missing or torn.
    NoHead,
    /// A checkpoint's root is not the root of the records.
    RootMismatch,
    /// A checkpoint covers more records than there are.
    Truncated,
    /// A checkpoint is signed by no key of the ledger, or by one that was not in force.
    BadSignature,
    /// Bytes among the checkpoints that are none.
    BadCheckpoint,
    /// Two checkpoints of one size with different roots.
    Fork,
    /// A checkpoint that was remembered elsewhere does not fit: the ledger was put back to an older copy, or rewritten.
    Rollback,
    /// The keys do not follow from one another, or the first is not the one that is trusted.
    BadKeys,
    /// The ledger was begun anew with a key that had been in use.
    BegunAnew,
    /// Something had been found while appending, and was recorded.
    Recorded,
    /// A sealed value is not the one that was recorded.
    SealedChanged,
    /// A sealed value is gone without a record of its erasure.
    SealedMissing,
    /// A sealed value is there although its erasure was recorded.
    NotErased,
    /// A call was let through and nothing says what became of it.
    NoOutcome,
    /// Something became of a call that nobody decided on.
    NoDecision,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub fault: Fault,
    /// How bad.
    pub severity: Severity,
    /// First index of the segment, if it is in one.
    pub segment: Option<u64>,
    /// The record it is about, or the first of them.
    pub index: Option<u64>,
    /// Where in the file, in bytes.
    pub offset: Option<u64>,
    /// What happened.
    pub what: String,
    /// What to do.
    pub mend: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(segment) = self.segment {
            write!(f, " (segment {segment:020}")?;
            if let Some(offset) = self.offset {
                write!(f, ", byte {offset}")?;
            }
            f.write_str(")")?;
        }
        write!(f, ": {}", self.mend)
    }
}

/// Records after the last checkpoint, which only permissions protect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unsealed {
    /// How many.
    pub records: u64,
    /// Age of the oldest in seconds, if `now` was given.
    pub oldest: Option<i64>,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Number of records.
    pub records: u64,
    /// Number of segments.
    pub segments: usize,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Root of the tree over all records.
    pub root: Hash,
    /// Number of checkpoints that hold.
    pub checkpoints: usize,
    /// The tail after the last checkpoint that holds.
    pub unsealed: Unsealed,
    /// Number of sealed values that fit, and of those erased.
    pub sealed: (u64, u64),
    /// Number of calls that were looked at.
    pub calls: u64,
    /// Everything found, in the order of discovery.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing was changed, removed or reordered, as far as can be told: no finding is
    /// [`Severity::Broken`].
    #[must_use]
    pub fn intact(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Broken)
    }

    /// Whether there is a finding of this kind.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.findings.iter().any(|finding| finding.fault == fault)
    }
}

/// How far verification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records so far.
    pub records: u64,
    /// Bytes so far.
    pub bytes: u64,
    /// Bytes in all.
    pub total: u64,
}
