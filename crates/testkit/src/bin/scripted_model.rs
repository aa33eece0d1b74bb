//! `scripted-model --script FILE --log FILE [--port N] [-- COMMAND …]`: the scripted model as a program.
//!
//! With a command it serves for as long as the command runs, hands it the model's address in `ANTHROPIC_BASE_URL`
//! and exits with its code, so that model and agent can share a network namespace of their own.
//! Without one it prints its port and serves until it is ended.

use clap::Parser;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use testkit::{KitError, Script, ScriptedModel};

/// A model that plays a script over loopback HTTP (Anthropic Messages) and writes down every request.
#[derive(Parser)]
struct Args {
    /// The script: {"main": [{"tools": [{"name": …, "input": …}]}, {"text": …}], "sub": […]}
    #[arg(long)]
    script: PathBuf,
    /// Where each request is appended, as one line of JSON
    #[arg(long)]
    log: PathBuf,
    /// The loopback port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Serve while this command runs, with ANTHROPIC_BASE_URL set for it
    #[arg(last = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    match serve(&Args::parse()) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("scripted-model: {e}");
            ExitCode::from(70)
        }
    }
}

fn serve(args: &Args) -> Result<ExitCode, KitError> {
    let model = ScriptedModel::start_with(Script::from_file(&args.script)?, args.port, Some(&args.log))?;
    let Some((program, rest)) = args.command.split_first() else {
        println!("{}", model.port());
        loop {
            std::thread::park();
        }
    };
    let status = Command::new(program).args(rest).env("ANTHROPIC_BASE_URL", model.url()).status();
    let status = status.map_err(|source| KitError::Start { program: program.clone(), source })?;
    // As shells do: 128 + the signal.
    let code = status.code().or_else(|| status.signal().map(|s| 128 + s)).and_then(|c| u8::try_from(c).ok());
    Ok(ExitCode::from(code.unwrap_or(70)))
}
