//! `ambit verify`: whether the record is whole, and proofs of single records.

use super::story::{Clock, fit, span_words, width, wrap};
use crate::environment;
use crate::output::style::{self, paint};
use crate::output::{complain, line, status};
use anyhow::{Context as _, Result, bail};
use ledger::{
    Fault, Finding, LedgerError, Progress, Proof, PublicKey, Reader, Report, Severity, SignedCheckpoint,
    VerifyOptions, format_time, verify_proof,
};
use serde_json::{Value, json};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `ambit verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A proof that `--proof` wrote: check it instead of the ledger, which need not be here
    file: Option<PathBuf>,
    /// A checkpoint kept elsewhere: shows whether the ledger was put back to an older copy or rewritten
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "proof"])]
    checkpoint: Vec<PathBuf>,
    /// The ledger's first public key, as text or in a file, known from elsewhere
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Write the newest signed checkpoint to a file, to be kept elsewhere
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "proof"])]
    export_checkpoint: Option<PathBuf>,
    /// Write the proof of one record to standard output
    #[arg(long, value_name = "INDEX", conflicts_with = "file")]
    proof: Option<u64>,
    /// Show this sealed field to whoever gets the proof; can be given again
    #[arg(long, value_name = "FIELD", requires = "proof")]
    disclose: Vec<String>,
    /// The findings as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let key = args.key.as_deref().map(read_key).transpose()?;
    if let Some(file) = &args.file {
        return check_proof(file, key.as_ref(), args.json);
    }
    let state = environment::roots()?.state;
    let reader = Reader::open(&state);
    if let Some(index) = args.proof {
        let fields: Vec<&str> = args.disclose.iter().map(String::as_str).collect();
        let proof = reader.prove(index, &fields)?;
        line(serde_json::to_string_pretty(&proof)?);
        return Ok(ExitCode::SUCCESS);
    }
    check_ledger(&args, key, &state, &reader)
}

/// A public key, as text or in a file.
fn read_key(given: &str) -> Result<PublicKey> {
    if let Ok(key) = given.parse() {
        return Ok(key);
    }
    let text =
        fs_err::read_to_string(given).context("--key takes a public key `name+id+key` or a file with one")?;
    text.trim().parse().with_context(|| format!("the file `{given}` holds no public key"))
}

fn check_ledger(args: &Args, key: Option<PublicKey>, state: &Path, reader: &Reader) -> Result<ExitCode> {
    let clock = Clock::system();
    let mut remembered = Vec::new();
    for file in &args.checkpoint {
        let note: SignedCheckpoint = fs_err::read_to_string(file)?
            .parse()
            .with_context(|| format!("`{}` holds no checkpoint", file.display()))?;
        remembered.push(note);
    }
    // Taken before, so that what is given out is among what was checked.
    let newest = reader.checkpoint()?;
    let trusted = key.is_some() || !remembered.is_empty();
    let options = VerifyOptions { key, remembered, ..VerifyOptions::full(clock.now) };
    let watched = std::io::stderr().is_terminal() && !args.json;
    let mut percent = u64::MAX;
    let mut tell = |progress: Progress| {
        let now = (progress.bytes * 100).checked_div(progress.total).unwrap_or(100);
        if watched && now != percent {
            percent = now;
            status(&format!("checking {now} % ({} records)", progress.records));
        }
    };
    let report = ledger::verify(state, &options, &mut tell)?;
    if watched {
        status("");
    }
    let sorted = Sorted::new(&report, reader);
    if args.json {
        line(sorted.json(&report, newest.as_ref()).to_string());
    } else {
        sorted.print(&report, newest.as_ref(), trusted);
    }
    if let Some(file) = &args.export_checkpoint {
        if !report.intact() {
            bail!("no checkpoint was written, because it would vouch for a record that was changed");
        }
        let Some(newest) = &newest else {
            bail!("there is no checkpoint yet: it comes with the first durable record")
        };
        fs_err::write(file, newest.note())?;
        complain(format!(
            "the checkpoint over {} records is in `{}`",
            newest.checkpoint().size,
            file.display()
        ));
    }
    Ok(if report.intact() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The findings by what they mean.
struct Sorted<'a> {
    /// Something was changed.
    tampering: Vec<&'a Finding>,
    /// Calls without decision or outcome: the guard was gone round or killed; the record itself is whole.
    calls: Vec<&'a Finding>,
    /// Everything else.
    notes: Vec<&'a Finding>,
    /// Calls that a person was asked about and that never ran, as far as they are among the findings.
    unanswered: usize,
}

impl<'a> Sorted<'a> {
    fn new(report: &'a Report, reader: &Reader) -> Self {
        let mut out = Self { tampering: Vec::new(), calls: Vec::new(), notes: Vec::new(), unanswered: 0 };
        for finding in &report.findings {
            match finding.fault {
                _ if finding.severity == Severity::Broken => out.tampering.push(finding),
                // A question that was answered with no has no outcome, and nothing ran.
                Fault::NoOutcome if asked(finding, reader) => out.unanswered += 1,
                Fault::NoOutcome | Fault::NoDecision => out.calls.push(finding),
                _ => out.notes.push(finding),
            }
        }
        out
    }

    fn print(&self, report: &Report, newest: Option<&SignedCheckpoint>, trusted: bool) {
        let mark = |look, word: &str| paint(look, &format!("{word:<9}"));
        if report.records == 0 && report.findings.is_empty() {
            line("nothing is recorded yet, so there is nothing to check");
            return;
        }
        if report.intact() {
            line(format!("{}nothing sealed was changed, removed or reordered", mark(style::GOOD, "whole")));
        } else {
            line(format!("{}the record was changed, or is not what was sealed", mark(style::BAD, "changed")));
        }
        let tenths = report.bytes.div_ceil(100_000);
        line(format!(
            "{}records: {} ({}.{} MB); calls: {}; checkpoints that hold: {}",
            mark(style::FAINT, "checked"),
            report.records,
            tenths / 10,
            tenths % 10,
            report.calls,
            report.checkpoints
        ));
        let (there, erased) = report.sealed;
        line(format!("{}sealed values: {there} fit, {erased} erased", mark(style::FAINT, "")));
        if report.unsealed.records > 0 {
            let age = report.unsealed.oldest.and_then(|s| u64::try_from(s).ok());
            let age = age.map(|s| format!(" (since {})", span_words(s * 1000))).unwrap_or_default();
            let what = if report.unsealed.records == 1 {
                "the last record is".to_owned()
            } else {
                format!("the last {} records are", report.unsealed.records)
            };
            line(format!(
                "{}{what} not sealed yet{age}: only file permissions protect them",
                mark(style::WARNING, "tail")
            ));
        }
        if let Some(newest) = newest {
            let seal = newest.checkpoint();
            let when = seal.time.map(format_time).unwrap_or_default();
            line(format!("{}{} records, {when}, {}", mark(style::FAINT, "sealed"), seal.size, seal.origin));
        }
        if !trusted {
            let hint = "against whoever can write these files, hold it against a checkpoint kept elsewhere: --export-checkpoint FILE now, --checkpoint FILE later";
            for (at, text) in wrap(hint, width() - 9).iter().enumerate() {
                line(format!("{}{text}", mark(style::FAINT, if at == 0 { "hint" } else { "" })));
            }
        }
        group("Tampering", style::BAD, &self.tampering);
        group("Calls without decision or outcome (the record itself is whole)", style::WARNING, &self.calls);
        group("Worth a look", style::WARNING, &self.notes);
        if self.unanswered > 0 {
            line("");
            line(format!(
                "{} calls were asked about and never ran: the person said no, or nobody answered",
                self.unanswered
            ));
        }
    }

    fn json(&self, report: &Report, newest: Option<&SignedCheckpoint>) -> Value {
        let list = |findings: &[&Finding]| -> Value {
            findings
                .iter()
                .map(|f| {
                    json!({"fault": fault_word(f.fault), "what": f.what, "mend": f.mend, "record": f.index,
                        "segment": f.segment, "offset": f.offset})
                })
                .collect()
        };
        json!({
            "intact": report.intact(),
            "records": report.records,
            "segments": report.segments,
            "bytes": report.bytes,
            "root": hex(&report.root),
            "checkpoints": report.checkpoints,
            "sealed": {"fit": report.sealed.0, "erased": report.sealed.1},
            "calls": report.calls,
            "unsealed": {"records": report.unsealed.records, "oldest_seconds": report.unsealed.oldest},
            "checkpoint": newest.map(SignedCheckpoint::note),
            "tampering": list(&self.tampering),
            "unpaired": list(&self.calls),
            "notes": list(&self.notes),
            "asked_not_run": self.unanswered,
        })
    }
}

/// Whether a finding is about a call that a person was asked about.
fn asked(finding: &Finding, reader: &Reader) -> bool {
    let Some(index) = finding.index else { return false };
    reader
        .get(index)
        .ok()
        .flatten()
        .and_then(|e| e.record().ok())
        .is_some_and(|r| r.text("verdict") == Some("ask"))
}

fn group(title: &str, look: anstyle::Style, findings: &[&Finding]) {
    if findings.is_empty() {
        return;
    }
    line("");
    line(paint(look, title));
    for finding in findings {
        let place = match (finding.index, finding.segment, finding.offset) {
            (Some(index), ..) => format!("record {index}"),
            (None, Some(segment), Some(offset)) => format!("segment {segment}, byte {offset}"),
            (None, Some(segment), None) => format!("segment {segment}"),
            _ => "ledger".to_owned(),
        };
        let room = width() - 18;
        let what = wrap(&guard::visible(&finding.what), room);
        for (at, text) in what.iter().enumerate() {
            let place = if at == 0 { fit(&place, 15) } else { String::new() };
            line(format!("  {place:<15} {text}"));
        }
        for text in wrap(finding.mend, room) {
            line(format!("  {:<15} {}", "", paint(style::FAINT, &text)));
        }
    }
}

fn fault_word(fault: Fault) -> String {
    let mut out = String::new();
    for c in format!("{fault:?}").chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What a file with proofs holds: one proof, or the bundle that the console gives.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Proofs {
    Bundle { proofs: Vec<Proof> },
    One(Box<Proof>),
}

/// Checks a proof, or each of a bundle. The answer is no if one does not hold.
fn check_proof(file: &Path, key: Option<&PublicKey>, as_json: bool) -> Result<ExitCode> {
    let text = fs_err::read_to_string(file)?;
    let proofs: Proofs = serde_json::from_str(&text).with_context(|| {
        format!(
            "`{}` holds no proof; `ambit verify --proof INDEX` writes one, and the console gives bundles of them",
            file.display()
        )
    })?;
    let proofs = match proofs {
        Proofs::Bundle { proofs } => proofs,
        Proofs::One(proof) => vec![*proof],
    };
    if proofs.is_empty() {
        bail!("`{}` is a bundle without a proof, which proves nothing", file.display());
    }
    let mut hold = true;
    for proof in &proofs {
        hold &= proof_holds(proof, key, as_json)?;
    }
    if key.is_none() && hold && !as_json {
        line("Whose key that is, the proof cannot tell: give the key you know with --key.");
    }
    Ok(ExitCode::from(u8::from(!hold)))
}

/// Says whether one proof holds, and what it proves.
fn proof_holds(proof: &Proof, key: Option<&PublicKey>, as_json: bool) -> Result<bool> {
    let proven = match verify_proof(proof, key) {
        Ok(proven) => proven,
        Err(e @ (LedgerError::BadProof(_) | LedgerError::Tampered { .. })) => {
            if as_json {
                line(json!({"holds": false, "why": e.to_string()}).to_string());
            } else {
                line(format!("{} {e}", paint(style::BAD, "does not hold:")));
            }
            return Ok(false);
        }
        Err(e) => return Err(e.into()),
    };
    if as_json {
        let out = json!({"holds": true, "key_known": key.is_some(), "key": proof.key, "record": proven.record,
            "disclosed": proven.disclosed, "size": proven.checkpoint.size, "time": proven.checkpoint.time.map(format_time)});
        line(out.to_string());
        return Ok(true);
    }
    let record = &proven.record;
    let when = proven.checkpoint.time.map(format_time).unwrap_or_default();
    line(format!(
        "{} record {} ({}, {}) is among the {} records sealed {when}",
        paint(style::GOOD, "holds:"),
        record.index,
        record.kind,
        format_time(record.at),
        proven.checkpoint.size
    ));
    for (name, value) in &record.what {
        line(format!("  {name:<12} {}", super::story::one_line(&shown(value))));
    }
    for (name, value) in &proven.disclosed {
        line(format!("  {name:<12} {} (disclosed)", super::story::one_line(&shown(value))));
    }
    line(format!("sealed by {}", proof.key));
    Ok(true)
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
