//! `ambit trust`: a person lets what a repository's own `.ambit` says now loosen rules.

use crate::environment;
use crate::output::line;
use anyhow::Result;
use clap::Args as ClapArgs;
use std::process::ExitCode;

/// Options of `ambit trust`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {}

pub(crate) fn run(_: Args) -> Result<ExitCode> {
    let roots = environment::roots()?;
    let workspace = guard::workspace_of(&environment::current_dir()?, roots.home.as_ref());
    guard::trust(&roots, &workspace)?;
    line(format!("{workspace}/.ambit is trusted as it is now; after any change to it, run this again"));
    Ok(ExitCode::SUCCESS)
}
