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
mod sandbox;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|a| a == "hook") {
        let agent = arguments.next();
        // What is not valid UTF-8 is no option that the hook knows, and is refused as such.
        let rest: Vec<String> = arguments.map(|a| a.to_string_lossy().into_owned()).collect();
        return hook::main(agent.as_deref().and_then(|a| a.to_str()), &rest);
    }
    cli::main()
}
