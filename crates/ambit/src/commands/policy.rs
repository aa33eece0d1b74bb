//! `ambit policy`: checking and testing the rules in force here.

use crate::environment;
use crate::output::{complain, line, style};
use anyhow::{Context as _, Result, anyhow};
use clap::{Args as ClapArgs, Subcommand};
use guard::{Settings, read_call};
use model::{AbsPath, AsWritten, Tool};
use policy::{CaseFile, Severity, run_cases};
use std::path::PathBuf;
use std::process::ExitCode;

/// Options of `ambit policy`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Validate the rules: syntax, schema, unused and shadowed rules
    Check,
    /// Run cases (call → verdict and rule) against the rules
    Test {
        /// Files with cases (format: docs/policy.md); `.ambit/policies/*.toml` where none is given
        files: Vec<PathBuf>,
    },
    /// List the rules in force with their reasons
    List,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let roots = environment::roots()?;
    let workspace = guard::workspace_of(&environment::current_dir()?, roots.home.as_ref());
    let (sources, config) = guard::sources(&roots, &workspace).map_err(|e| anyhow!(e))?;
    match args.command {
        Command::Check => {
            let found = policy::check(&sources);
            let mut errors = 0;
            for d in &found {
                let (word, paint) = match d.severity {
                    Severity::Error => ("error", style::BAD),
                    Severity::Warning => ("warning", style::WARNING),
                };
                errors += usize::from(d.severity == Severity::Error);
                complain(format!(
                    "{}: {}\n  --> {}:{}:{}",
                    style::paint(paint, word),
                    d.message,
                    d.file,
                    d.line,
                    d.column
                ));
                if let Some(help) = &d.help {
                    complain(format!("  help: {help}"));
                }
            }
            line(format!(
                "{} file(s), {errors} error(s), {} warning(s)",
                sources.files.len(),
                found.len() - errors
            ));
            Ok(ExitCode::from(u8::from(errors > 0)))
        }
        Command::List => {
            for rule in policy::compile(&sources)?.rules() {
                line(format!(
                    "{:<34} {:<12} {}",
                    style::paint(style::STRONG, &rule.id),
                    rule.layer.word(),
                    rule.reason
                ));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Test { files } => {
            let files = if files.is_empty() { default_files(&workspace)? } else { files };
            let policy: policy::Policy = policy::compile(&sources)?.into();
            let settings = Settings::load(&roots, &workspace)?;
            let home = roots.home.clone().unwrap_or_else(AbsPath::root);
            let facts = AsWritten::new(workspace.clone(), home);
            let effects = |command: &str| {
                let tool = Tool::Shell { command: command.to_owned(), background: false };
                read_call(&tool, &workspace, &facts, &settings.table, &config).effects
            };
            let (mut cases, mut failed) = (0, 0);
            for file in &files {
                let text = fs_err::read_to_string(file)?;
                let parsed = CaseFile::parse(&file.display().to_string(), &text)?;
                cases += parsed.cases.len();
                for failure in run_cases(&parsed, &policy, &effects)? {
                    failed += 1;
                    complain(failure.to_string());
                }
            }
            line(format!("{} passed, {failed} failed", cases - failed));
            Ok(ExitCode::from(u8::from(failed > 0)))
        }
    }
}

fn default_files(workspace: &AbsPath) -> Result<Vec<PathBuf>> {
    let dir = workspace.as_std().join(".ambit/policies");
    let mut files: Vec<PathBuf> = fs_err::read_dir(&dir)
        .context("name a file with cases, or put some into .ambit/policies")?
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|x| x == "toml"))
        .collect();
    files.sort();
    Ok(files)
}
