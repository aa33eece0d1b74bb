//! Ambit: guard rails for coding agents.
//!
//! `ambit hook AGENT` is the path that every call of an agent takes; it is dispatched before the argument parser and
//! starts nothing it does not need. Everything else is for people and goes through [`cli`].

mod cli;
mod commands;
mod environment;
mod hook;
mod installed;
mod output;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|a| a == "hook") {
        return hook::main(arguments.next().as_deref().and_then(|a| a.to_str()));
    }
    cli::main()
}
