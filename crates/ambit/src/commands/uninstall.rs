//! `ambit uninstall`: taking the guard out, byte for byte.

use super::init::{places, settled};
use crate::environment;
use crate::installed::{Installed, apply};
use crate::output::line;
use agents::claude_code::{Change, plan_uninstall};
use anyhow::{Context as _, Result};
use clap::Args as ClapArgs;
use std::process::ExitCode;

/// Options of `ambit uninstall`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Write without asking
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let roots = environment::roots()?;
    let home = roots.home.clone().context("the variable `HOME` is not set")?;
    let workspace = guard::workspace_of(&environment::current_dir()?, roots.home.as_ref());
    let installed = Installed::at(&roots.state);
    let mut changes: Vec<Change> = Vec::new();
    let remembered = installed.all()?;
    for file in &remembered {
        if file.path.extension().is_some_and(|x| x == "json") {
            changes.push(plan_uninstall(&file.path, Some(&file.written), Some(file.before.as_deref()))?);
        } else if fs_err::read(&file.path).is_ok_and(|now| now == file.written) {
            changes.push(Change {
                path: file.path.clone(),
                before: Some(file.written.clone()),
                after: file.before.clone(),
            });
        } else if file.path.exists() {
            line(format!("`{}` was changed since and stays", file.path.display()));
        }
    }
    // Hooks that were put there by hand, or whose memory was lost.
    for (_, path) in places(&home, &workspace)
        .files()
        .into_iter()
        .filter(|(t, _)| *t != agents::claude_code::Tier::Managed)
    {
        if path.exists() && !changes.iter().any(|c| c.path == path) {
            changes.push(plan_uninstall(&path, None, None)?);
        }
    }
    if let Some(done) = settled(&mut changes, args.yes, "the guard is not installed here")? {
        return Ok(done);
    }
    for change in &changes {
        apply(change)?;
        line(format!(
            "{} {}",
            if change.after.is_some() { "restored" } else { "removed" },
            change.path.display()
        ));
    }
    for file in &remembered {
        installed.forget(file)?;
    }
    line("The record stays; `ambit log` still reads it.");
    Ok(ExitCode::SUCCESS)
}
