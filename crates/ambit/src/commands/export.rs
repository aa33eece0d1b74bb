//! `ambit export`: records in the formats of other systems, as a stream that can be taken up again.

use crate::environment;
use crate::output::{complain, print};
use anyhow::Result;
use ledger::Reader;
use server::export::{About, Format, run as export};
use std::process::ExitCode;
use std::time::Duration;

/// How often the ledger is looked at for new records when it is followed.
const PAUSE: Duration = Duration::from_millis(500);
/// Bytes gathered before they are written.
const CHUNK: usize = 64 << 10;

/// Options of `ambit export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The format: `jsonl`, `ocsf` (1.5.0), `cef` (CEF:0), `hec` (Splunk) or `otlp` (OTLP/JSON logs); one record a line
    #[arg(long, value_parser = Format::ALL.map(Format::word), default_value = "jsonl")]
    format: String,
    /// Go on after this record: the number that the last run told, or the last one that arrived
    #[arg(long, value_name = "INDEX")]
    after: Option<u64>,
    /// At most so many records
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<u64>,
    /// Go on as records are written
    #[arg(short, long)]
    follow: bool,
    /// Sealed values too: commands, paths, prompts, names. What has left cannot be erased any more
    #[arg(long)]
    sealed: bool,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let roots = environment::roots()?;
    let reader = Reader::open(&roots.state);
    // The parser lets no other word through.
    let format = Format::from_word(&args.format).unwrap_or(Format::Jsonl);
    let about = About {
        machine: environment::machine_name(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sealed: args.sealed,
    };
    let first = args.after.map_or(0, |index| index.saturating_add(1));
    let mut next = first;
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut text = String::new();
    loop {
        if left > 0 {
            let exported = export(&reader, next, format, &about, &mut |_, line| {
                text.push_str(line);
                text.push('\n');
                if text.len() >= CHUNK {
                    print(&text);
                    text.clear();
                }
                left -= 1;
                left > 0
            });
            // What was read before a fault is good: it goes out, so that the run after this one goes on from there.
            print(&text);
            text.clear();
            next = exported?;
        }
        if !args.follow || left == 0 {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    match next.checked_sub(1).filter(|_| next > first) {
        Some(last) => complain(format!("the last record is {last}: go on with --after {last}")),
        None => complain("there are no more records yet"),
    }
    Ok(ExitCode::SUCCESS)
}
