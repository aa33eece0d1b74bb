//! Verification: one pass over all records without parsing them, and what can be checked around it.

mod pairs;
mod report;
mod seals;
mod sidecars;

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;

use crate::error::Result;
use crate::files::{Paths, length, open_read};
use crate::frame::RECORD;
use crate::head::Head;
use crate::kind::Kind;
use crate::read::Reader;
use crate::record::{Stored, peek_envelope};
use crate::tree::{Frontier, leaf_hash};
use crate::walk::{Event, SegmentHeader, Walk, lost_leaf};

pub use report::{Fault, Finding, Progress, Report, Severity, Unsealed, VerifyOptions};

use pairs::Pairs;
use seals::Seals;
use sidecars::Sidecars;

/// How often progress is told, in records.
const STEP: u64 = 1 << 16;
/// Findings of one kind that are told one by one.
const MANY: u64 = 20;

/// Findings, of which not too many of one kind are kept.
#[derive(Debug, Default)]
struct Findings {
    list: Vec<Finding>,
    counts: HashMap<Fault, u64>,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.fault).or_default();
        *count += 1;
        if *count <= MANY {
            self.list.push(finding);
        }
    }

    fn finish(mut self) -> Vec<Finding> {
        for (fault, count) in self.counts {
            if let Some(last) = self.list.iter_mut().rfind(|finding| finding.fault == fault && count > MANY) {
                last.what = format!("{}, and {} more like it", last.what, count - MANY);
            }
        }
        self.list
    }
}

fn finding(fault: Fault, severity: Severity, what: impl Into<String>, mend: &'static str) -> Finding {
    Finding { fault, severity, segment: None, index: None, offset: None, what: what.into(), mend }
}

impl Finding {
    fn at(mut self, segment: u64, offset: u64) -> Self {
        (self.segment, self.offset) = (Some(segment), Some(offset));
        self
    }

    fn record(mut self, index: u64) -> Self {
        self.index = Some(index);
        self
    }
}

/// Checks the ledger in `state`, which others may go on writing, and tells `on_progress` how far it has come.
///
/// Frames, indices, the tree, the head, the root of every checkpoint, the signatures that matter, and the chain of keys
/// are always checked; the options tell what else. Nothing is changed.
///
/// # Errors
/// Only if files cannot be read; whatever is wrong with them is in the report.
pub fn verify(
    state: &Path,
    options: &VerifyOptions,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Report> {
    let paths = Paths::new(state);
    // In this order, so that what is written meanwhile cannot look like a fault.
    let seals = Seals::load(&paths, options)?;
    let head_file = open_read(&paths.head())?;
    let head = head_file.as_ref().and_then(Head::read);
    let segments = paths.segments()?;
    let mut total = 0;
    let mut stop = None;
    for first in &segments {
        let path = paths.segment(*first);
        if let Some(file) = open_read(&path)? {
            let bytes = length(&file, &path)?;
            total += bytes;
            stop = Some((*first, bytes));
        }
    }
    let walk = Walk::from_segment(&paths, 0, stop)?;
    let report = Report { segments: segments.len(), bytes: total, ..Report::default() };
    let mut pass = Pass {
        sidecars: options.sealed.then(|| Sidecars::new(paths.clone())),
        pairs: options.pairs.then(Pairs::default),
        paths,
        walk,
        tree: Frontier::default(),
        head,
        seals,
        latest: Vec::new(),
        headed: true,
        findings: Findings::default(),
        report,
    };
    pass.run(on_progress)?;
    pass.finish(options)
}

struct Pass {
    paths: Paths,
    walk: Walk,
    tree: Frontier,
    head: Option<Head>,
    seals: Seals,
    sidecars: Option<Sidecars>,
    pairs: Option<Pairs>,
    /// Latest time so far, as text; the fixed form sorts as time does.
    latest: Vec<u8>,
    /// Whether the current segment has shown its header.
    headed: bool,
    findings: Findings,
    report: Report,
}

const TAMPERED: &str =
    "compare with a backup or with checkpoints kept elsewhere; the record cannot be trusted there";

impl Pass {
    fn run(&mut self, on_progress: &mut dyn FnMut(Progress)) -> Result<()> {
        let total = self.report.bytes;
        let mut done = 0;
        let mut last = 0;
        while let Some(event) = self.walk.next()? {
            match event {
                Event::Segment { first, expected, missing } => {
                    self.segment(first, expected, missing);
                    self.headed = false;
                    if let Some(sidecars) = &mut self.sidecars {
                        sidecars.enter(first)?;
                    }
                }
                Event::Header { first, offset } => self.header(first, offset),
                Event::Record { first, offset, index, kind } => {
                    self.record(first, offset, index, kind)?;
                    done += self.walk.body().len() as u64;
                    if index - last >= STEP {
                        last = index;
                        on_progress(Progress { records: index, bytes: done.min(total), total });
                    }
                }
                Event::Span { first, offset, bytes, missing } => {
                    let what = format!("{bytes} bytes are no record, in place of {missing} of them");
                    let found = finding(Fault::Unreadable, Severity::Broken, what, TAMPERED);
                    self.findings.add(found.at(first, offset).record(self.tree.size()));
                    self.lose(missing);
                }
                Event::Tail { first, offset, bytes } => self.tail(first, offset, bytes)?,
            }
        }
        on_progress(Progress { records: self.tree.size(), bytes: total, total });
        Ok(())
    }

    fn lose(&mut self, missing: u64) {
        for _ in 0..missing {
            self.tree.push(lost_leaf());
            self.seals.reached(&self.tree);
        }
    }

    fn segment(&mut self, first: u64, expected: u64, missing: u64) {
        if first != expected {
            let what = format!("a segment begins with record {first} where {expected} should come");
            let found = finding(Fault::MissingRecords, Severity::Broken, what, TAMPERED);
            self.findings.add(found.at(first, 0).record(expected));
        }
        self.lose(missing);
    }

    fn header(&mut self, first: u64, offset: u64) {
        let latest = std::str::from_utf8(&self.latest).ok().and_then(|text| text.parse::<Timestamp>().ok());
        let latest = latest.map_or(i64::MIN, Timestamp::as_microsecond);
        let fits = SegmentHeader::parse(self.walk.body()).is_some_and(|header| {
            header.first == first && header.latest == latest && header.tree().as_ref() == Some(&self.tree)
        });
        if !fits || self.headed || offset != 0 {
            let what = "the segment's header does not fit the records before it";
            let found = finding(Fault::WrongHeader, Severity::Broken, what, TAMPERED);
            self.findings.add(found.at(first, offset).record(self.tree.size()));
        }
        self.headed = true;
    }

    fn record(&mut self, first: u64, offset: u64, index: u64, kind: u8) -> Result<()> {
        let line = self.walk.body();
        let peek = peek_envelope(line);
        if !self.headed || kind != RECORD {
            let what = if self.headed { "a frame is of an unknown kind" } else { "a segment has no header" };
            let found = finding(Fault::WrongHeader, Severity::Broken, what, TAMPERED);
            self.findings.add(found.at(first, offset).record(index));
            self.headed = true;
        }
        if peek.index != Some(index) {
            let what = match peek.index {
                Some(own) => format!("record {own} stands at position {index}"),
                None => format!("the record at position {index} has no index"),
            };
            let found = finding(Fault::WrongIndex, Severity::Broken, what, TAMPERED);
            self.findings.add(found.at(first, offset).record(index));
        }
        self.tree.push(leaf_hash(line));
        if peek.at > self.latest.as_slice() {
            self.latest.clear();
            self.latest.extend_from_slice(peek.at);
        }
        let kind = peek.kind;
        if kind.starts_with(b"ledger.") || kind.starts_with(b"key.") {
            self.own_record(index);
        }
        if let Some(sidecars) = &mut self.sidecars {
            sidecars.record(index, self.walk.body(), &mut self.findings)?;
        }
        if let Some(pairs) = &mut self.pairs {
            pairs.record(index, self.walk.body());
        }
        self.seals.reached(&self.tree);
        if let Some(head) = self.head.as_ref().filter(|head| head.tree.size() == self.tree.size()) {
            let same_place =
                self.walk.end.is_none_or(|(first, end)| first != head.first || end == head.offset);
            if head.tree != self.tree || !same_place {
                let what = format!("the head does not fit the first {} records", head.tree.size());
                let found = finding(Fault::WrongHead, Severity::Broken, what, TAMPERED);
                self.findings.add(found.record(index));
            }
        }
        Ok(())
    }

    /// A record that the ledger wrote about itself.
    fn own_record(&mut self, index: u64) {
        let Ok(record) = serde_json::from_slice::<Stored>(self.walk.body()) else { return };
        if record.kind == Kind::LEDGER_CREATED || record.kind == Kind::KEY_ROTATED {
            self.seals.key(index, &record, &mut self.findings);
        } else if record.kind == Kind::LEDGER_TORN {
            let why = record.text("why").unwrap_or("something was wrong");
            let what = format!("while appending, it was found that {why}");
            let mend = "see the record and the folder `torn`";
            self.findings.add(finding(Fault::Recorded, Severity::Warning, what, mend).record(index));
            self.seals.lost(&record);
        } else if record.kind == Kind::LEDGER_ERASED
            && let Some(sidecars) = &mut self.sidecars
        {
            sidecars.erased(&record);
        }
    }

    fn tail(&mut self, first: u64, offset: u64, bytes: u64) -> Result<()> {
        // It may be a record that was being written when we came.
        let now = open_read(&self.paths.head())?.and_then(|file| Head::read(&file));
        if now.is_some_and(|head| head.first > first || (head.first == first && head.offset > offset)) {
            return Ok(());
        }
        let what = format!("the last {bytes} bytes are half a record");
        let mend = "the next append moves them to the folder `torn` and records it";
        let found = finding(Fault::TornTail, Severity::Warning, what, mend);
        self.findings.add(found.at(first, offset).record(self.tree.size()));
        Ok(())
    }

    fn finish(mut self, options: &VerifyOptions) -> Result<Report> {
        let size = self.tree.size();
        match &self.head {
            Some(head) if head.tree.size() > size => {
                let what = format!("the head knows {} records, but there are {size}", head.tree.size());
                let mend = "a power loss or somebody cut them off; the next append records it";
                self.findings.add(finding(Fault::WrongHead, Severity::Warning, what, mend).record(size));
            }
            None if size > 0 => {
                let mend = "the next append makes it again from the records";
                self.findings.add(finding(
                    Fault::NoHead,
                    Severity::Notice,
                    "the head is missing or torn",
                    mend,
                ));
            }
            _ => {}
        }
        let mut report = self.report;
        let reader = Reader::new(self.paths.clone());
        (report.records, report.root) = (size, self.tree.root());
        let (good, sealed) = self.seals.finish(size, options, &mut self.findings);
        report.checkpoints = good;
        report.unsealed.records = size.saturating_sub(sealed);
        if let Some(now) = options.now
            && report.unsealed.records > 0
            && let Ok(Some(entry)) = reader.get(sealed)
        {
            let at = entry.at().parse::<Timestamp>().ok();
            report.unsealed.oldest = at.map(|at| now.duration_since(at).as_secs());
        }
        if let Some(sidecars) = self.sidecars {
            report.sealed = sidecars.finish(&reader, &mut self.findings);
        }
        if let Some(pairs) = self.pairs {
            report.calls = pairs.finish(options, &mut self.findings);
        }
        report.findings = self.findings.finish();
        Ok(report)
    }
}
