//! `ambit secrets`: credentials that lie where an agent reads.

mod allow;
mod git;
mod places;
mod report;
mod scan;

use crate::environment;
use anyhow::{Context as _, Result};
use clap::Subcommand;
use std::process::ExitCode;

/// Options of `ambit secrets`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look for credentials where an agent reads: the project, transcripts, shell history, global settings
    Scan(scan::Args),
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Scan(args) => scan::run(args),
    }
}

/// The key and the hidden values of this installation.
pub(crate) fn store() -> Result<secrets::Store> {
    let dir = environment::roots()?.state.join("secrets");
    secrets::Store::open(&dir).context("the key under which secrets are named is not to be had")
}
