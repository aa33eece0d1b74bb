//! `ambit programs`: what Ambit believes of a program.

use crate::environment;
use crate::output::{complain, line, print};
use anyhow::{Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use std::process::ExitCode;

/// Options of `ambit programs`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print what Ambit believes a program does with its options and operands
    Show {
        /// The program's name
        name: String,
    },
    /// List the programs that Ambit knows
    List,
    /// Check files that describe programs (an organisation's own, `.ambit/programs/*.toml`)
    Check {
        /// The files
        #[arg(required = true)]
        files: Vec<std::path::PathBuf>,
    },
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Show { name } => {
            let roots = environment::roots()?;
            let workspace = guard::workspace_of(&environment::current_dir()?, roots.home.as_ref());
            let settings = guard::Settings::load(&roots, &workspace)?;
            let Some(program) = settings.table.get(&name) else {
                bail!(
                    "`{name}` is not in the table of programs, so a command with it is not understood; describe it in .ambit/programs/{name}.toml (format: docs/programs.md)"
                );
            };
            print(&program.describe());
            Ok(ExitCode::SUCCESS)
        }
        Command::List => {
            for name in programs::Table::builtin().names() {
                line(name);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { files } => {
            let texts = files
                .iter()
                .map(|f| Ok((f.display().to_string(), fs_err::read_to_string(f)?)))
                .collect::<Result<Vec<_>>>()?;
            let errors = programs::check(&texts);
            for error in &errors {
                complain(error.to_string());
            }
            line(format!("{} file(s), {} mistake(s)", files.len(), errors.len()));
            Ok(ExitCode::from(u8::from(!errors.is_empty())))
        }
    }
}
