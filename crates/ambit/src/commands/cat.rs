//! `ambit cat`: files with their secrets hidden.

use super::secrets::store;
use crate::output::complain;
use anyhow::Result;
use secrets::{BUDGET, Scanner, Surroundings, Vault, redact};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Options of `ambit cat`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The files, `-` for standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Writes the files with a placeholder in the place of each secret. What they stand for is kept, so that a text with
/// placeholders can be written back whole. Exit code 1 when a file could not be shown.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let store = store()?;
    let mut vault = Vault::new();
    let mut out = std::io::stdout().lock();
    let mut failed = false;
    for path in &args.files {
        let scanner = Scanner::new().in_surroundings(Surroundings::of_path(&path.to_string_lossy()));
        let text = match read(path) {
            Ok(text) => text,
            Err(e) => {
                complain(format!("{e:#}"));
                failed = true;
                continue;
            }
        };
        match redact(&text, &scanner, store.key(), &mut vault, BUDGET) {
            Ok(shown) => {
                // Kept before it is shown: a placeholder that was seen can always be put back.
                store.add(&vault)?;
                out.write_all(&shown.text)?;
            }
            Err(withheld) => {
                complain(withheld.to_string());
                failed = true;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::from(u8::from(failed)))
}

fn read(path: &std::path::Path) -> Result<Vec<u8>> {
    use std::io::Read;
    // One byte more than is shown tells that there is more.
    let limit = u64::try_from(BUDGET).unwrap_or(u64::MAX) + 1;
    let mut text = Vec::new();
    if path == std::path::Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut text)?;
    } else {
        fs_err::File::open(path)?.take(limit).read_to_end(&mut text)?;
    }
    Ok(text)
}
