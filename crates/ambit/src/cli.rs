//! The command line for people.

use crate::commands;
use crate::output::{complain, style};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Guard rails for coding agents: what an agent does is judged by its effects, contained or asked about where that is
/// needed, and recorded.
#[derive(Debug, Parser)]
#[command(name = "ambit", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install the guard into the agents found here, and begin a project's `.ambit`
    Init(commands::init::Args),
    /// Take the guard out again; settings are restored byte for byte
    Uninstall(commands::uninstall::Args),
    /// Find out whether the guard is really on, and what could go round it
    Doctor(commands::doctor::Args),
    /// Show what a command would do, which rule decides, and what would make it pass
    Explain(commands::explain::Args),
    /// Judge calls for programs: JSON lines in, JSON lines out; nothing runs, nothing is recorded
    Check(commands::check::Args),
    /// Search the record: what was done, when, who agreed
    Log(commands::log::Args),
    /// Tell the story of a session
    Session(commands::session::Args),
    /// Check that nothing in the record was changed, removed or reordered
    Verify(commands::verify::Args),
    /// Take sealed values out of the record for good; that it was done, by whom and why stays in it
    Erase(commands::erase::Args),
    /// Give back what a call lost: deleted or overwritten files, discarded work, rewritten history
    Undo(commands::undo::Args),
    /// Open the console in a browser: what happens now, every session's story, approvals, proofs
    Console(commands::console::Args),
    /// Give records to other systems: JSON lines, OCSF, CEF, Splunk's HEC, OpenTelemetry
    Export(commands::export::Args),
    /// What waits for a person: list, show, approve, deny; grant authority for a task
    Approvals(commands::approvals::Args),
    /// Check and test policies
    Policy(commands::policy::Args),
    /// Show what Ambit believes of a program
    Programs(commands::programs::Args),
    /// Run a command in bounds: files, network and credentials by allowlist
    Run(commands::run::Args),
    /// Look for credentials where an agent reads
    Secrets(commands::secrets::Args),
    /// Show files with their secrets hidden
    Cat(commands::cat::Args),
    /// Let a repository's own `.ambit` loosen rules, as it stands now
    Trust(commands::trust::Args),
    /// One event of an agent, on standard input (agents run this)
    #[command(hide = true)]
    Hook {
        agent: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        places: Vec<String>,
    },
}

/// Parses the arguments and runs the command. Exit codes: 0 done, 1 the answer is no (a problem was found, a call would
/// not run), 2 it could not be done.
pub(crate) fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Init(args) => commands::init::run(args),
        Command::Uninstall(args) => commands::uninstall::run(args),
        Command::Doctor(args) => commands::doctor::run(args),
        Command::Explain(args) => commands::explain::run(args),
        Command::Check(args) => commands::check::run(args),
        Command::Log(args) => commands::log::run(args),
        Command::Session(args) => commands::session::run(args),
        Command::Verify(args) => commands::verify::run(args),
        Command::Erase(args) => commands::erase::run(&args),
        Command::Undo(args) => commands::undo::run(&args),
        Command::Console(args) => commands::console::run(args),
        Command::Export(args) => commands::export::run(&args),
        Command::Approvals(args) => commands::approvals::run(args),
        Command::Policy(args) => commands::policy::run(args),
        Command::Programs(args) => commands::programs::run(args),
        Command::Run(args) => commands::run::run(args),
        Command::Secrets(args) => commands::secrets::run(args),
        Command::Cat(args) => commands::cat::run(args),
        Command::Trust(args) => commands::trust::run(args),
        Command::Hook { agent, places } => return crate::hook::main(Some(&agent), &places),
    };
    match result {
        Ok(code) => code,
        Err(e) => {
            complain(format!("{} {e:#}", style::paint(style::BAD, "error:")));
            ExitCode::from(2)
        }
    }
}
