//! `demo AMBIT`: installs the program AMBIT into a temporary home and shows it at work over the real Claude Code, which
//! is played by a scripted model on loopback, in a scratch repository. What is left is the record.

mod drive;
mod story;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;
use testkit::{CANARY, KitError, Sandbox};

fn main() -> ExitCode {
    let Some(program) = std::env::args_os().nth(1).map(PathBuf::from).filter(|p| p.is_file()) else {
        eprintln!("usage: demo AMBIT, where AMBIT is the program to show; `make demo` builds it");
        return ExitCode::from(64);
    };
    match play(&program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("demo: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Writes one line to standard output. Nobody reads it any more: then there is nobody to tell.
pub(crate) fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn title(text: &str) {
    let plain =
        !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    say("");
    say(&if plain { text.to_owned() } else { format!("\x1b[1m{text}\x1b[0m") });
}

fn play(program: &Path) -> Result<(), KitError> {
    let start = Instant::now();
    let mut sandbox = new_stage();
    let mut ambit = install(program, &sandbox)?;

    title("Ambit is installed into a temporary home, for a scratch repository");
    for line in [
        "  ambit init --yes --mode enforce      hooks in ~/.claude/settings.json, facts in .ambit/ambit.toml",
        "  nothing outside that temporary home is touched, and nothing but loopback is talked to",
    ] {
        say(line);
    }

    title("A person hands the agent a list, sits by, and is asked where it matters");
    let real = drive::with_the_agent(&sandbox, &story::scenes(&sandbox.work()), CANARY);
    let leaked = match real {
        Ok(leaked) => leaked,
        Err(why) => {
            let detail = why.to_string();
            say("");
            say(
                "  NOTE: the real Claude Code could not play the story here; the same story goes through the hook's",
            );
            say("  own protocol instead, call by call as Claude Code would send it. Why:");
            for line in detail.lines().filter(|l| !l.trim().is_empty()).take(12) {
                say(&format!("    {line}"));
            }
            say("");
            sandbox = new_stage();
            ambit = install(program, &sandbox)?;
            drive::through_the_protocol(&sandbox, &story::scenes(&sandbox.work()), CANARY)
        }
    };

    title("The story, as the ledger has it");
    shown(&sandbox, &ambit, &["session", "show", "last"])?;

    title("The person wants the deleted notes back");
    let gone = !sandbox.work().join("notes/ideas.md").exists();
    shown(&sandbox, &ambit, &["undo", "--session"])?;

    title("And the record holds");
    shown(&sandbox, &ambit, &["verify"])?;
    let back = sandbox.work().join("notes/ideas.md").exists();
    say(&format!(
        "the notes {}, the code is {}, and the value in .env {}",
        match (gone, back) {
            (true, true) => "were gone and are back, because what is deleted is kept",
            (false, _) => "were never gone",
            (true, false) => "are LOST",
        },
        if sandbox.work().join("src/app.py").exists() { "all there" } else { "LOST" },
        if leaked { "REACHED THE MODEL" } else { "never reached the model" },
    ));

    title("Where to look next");
    for (command, what) in [
        ("make install", "put `ambit` on this machine"),
        ("ambit init", "install it into your agent, after showing you the change"),
        ("ambit doctor", "is it really on, and what could go round it?"),
        ("ambit explain 'git push -f'", "what would it say, which rule, and why?"),
        ("ambit undo --list", "what agents lost, and you can have back"),
        ("ambit log --follow", "watch it at work"),
        ("ambit session show last", "the story of your last session, as above"),
    ] {
        say(&format!("  {command:<30} {what}"));
    }
    say("");
    say(&format!("({:.0} s; the temporary home is gone again)", start.elapsed().as_secs_f32()));
    Ok(())
}

fn new_stage() -> Sandbox {
    let sandbox = Sandbox::new();
    story::set_the_stage(&sandbox);
    sandbox
}

/// Copies the program into the temporary home and lets it install itself. Returns its new path.
fn install(program: &Path, sandbox: &Sandbox) -> Result<PathBuf, KitError> {
    let ambit = sandbox.write_home(".local/bin/ambit", "");
    std::fs::copy(program, &ambit).map_err(|source| KitError::File { path: ambit.clone(), source })?;
    let run = sandbox.command(&ambit).args(["init", "--yes", "--mode", "enforce"]).output();
    let run = run.map_err(|source| KitError::Start { program: ambit.display().to_string(), source })?;
    if run.status.success() {
        return Ok(ambit);
    }
    let why = String::from_utf8_lossy(&run.stderr).into_owned();
    Err(KitError::Invalid { what: "the installation".into(), why })
}

/// Runs `ambit` in the sandbox, its output going where ours goes.
fn shown(sandbox: &Sandbox, ambit: &Path, args: &[&str]) -> Result<(), KitError> {
    let mut command: Command = sandbox.command(ambit);
    // How the person's terminal is, and nothing else of their environment.
    for name in ["TERM", "NO_COLOR", "COLORTERM", "TZ"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let failed = |source| KitError::Start { program: ambit.display().to_string(), source };
    let status = command.args(args).status().map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    Err(KitError::Invalid { what: format!("`ambit {}`", args.join(" ")), why: status.to_string() })
}
