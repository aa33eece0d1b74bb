//! `ambit secrets`: credentials that lie where an agent reads, and those that are kept and lent.

mod allow;
mod git;
pub(crate) mod lend;
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
    #[command(flatten)]
    Kept(lend::Command),
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Scan(args) => scan::run(args),
        Command::Kept(command) => lend::run(command),
    }
}

/// The key and the hidden values of this installation.
pub(crate) fn store() -> Result<secrets::Store> {
    let dir = environment::roots()?.state.join("secrets");
    secrets::Store::open(&dir).context("the key under which secrets are named is not to be had")
}
