//! `ambit init`: installing the guard.

use crate::environment;
use crate::installed::{Installed, apply};
use crate::output::{complain, line, print, style};
use agents::claude_code::{self, Change, Places, find_program, managed_files, plan_install};
use anyhow::{Context as _, Result, bail};
use clap::Args as ClapArgs;
use guard::{CONFIG_FILE, REPOSITORY_DIR};
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

/// Options of `ambit init`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Write without asking
    #[arg(long, short)]
    yes: bool,
    /// `observe` records what it would have said and lets everything through except the floor; `enforce` carries out
    #[arg(long)]
    mode: Option<Mode>,
    /// Whose settings hold the hooks: yours for every project (`user`), or only this project's (`project`)
    #[arg(long, default_value = "user")]
    scope: Scope,
    /// Write the files that an administrator distributes into DIR (to be copied to /etc), and nothing else
    #[arg(long, value_name = "DIR")]
    managed: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    Observe,
    Enforce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scope {
    User,
    Project,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let roots = environment::roots()?;
    let program = std::env::current_exe().context("Ambit's own program cannot be found")?;
    let program =
        program.to_str().context("the path of Ambit's program is not valid UTF-8; install it elsewhere")?;
    if let Some(dir) = &args.managed {
        return managed(dir, program, args.yes);
    }
    let workspace = guard::workspace_of(&environment::current_dir()?, roots.home.as_ref());
    let home = roots.home.clone().context("the variable `HOME` is not set")?;
    let places = places(&home, &workspace);
    let others = others(&places);
    if find_program(&places).is_none() && !home.as_std().join(".claude").is_dir() {
        complain(
            "Claude Code is not on the search path; its settings are written all the same and take effect once it is there",
        );
    }
    if !others.is_empty() {
        line(format!("found but not guarded by this version of Ambit: {}", others.join(", ")));
    }
    if program.starts_with("/tmp/") || program.contains("/target/") {
        complain(style::paint(
            style::WARNING,
            &format!(
                "note: the hooks will run `{program}`, which may go away; `make install` puts it in its place"
            ),
        ));
    }

    let settings = match args.scope {
        Scope::User => {
            places.config_dir.clone().unwrap_or_else(|| home.as_std().join(".claude")).join("settings.json")
        }
        Scope::Project => workspace.as_std().join(".claude/settings.local.json"),
    };
    let config = workspace.as_std().join(REPOSITORY_DIR).join(CONFIG_FILE);
    // Only what this run writes is trusted by it: a cloned repository's own `.ambit` is for a person to read first.
    let foreign = config.parent().is_some_and(std::path::Path::exists);
    let mut changes = vec![plan_install(&settings, program, &environment::places()?)?];
    if !config.exists() {
        let mode = choose(args.mode, args.yes)?;
        changes.push(Change { path: config.clone(), before: None, after: Some(example(mode).into_bytes()) });
    } else if args.mode.is_some() {
        line(format!("`{}` is there and stays as it is; set `mode` in it", config.display()));
    }
    if let Some(done) = settled(&mut changes, args.yes, "everything is in place already")? {
        return Ok(done);
    }
    let installed = Installed::at(&roots.state);
    for change in &changes {
        installed.remember(change)?;
        apply(change)?;
        line(format!("wrote {}", change.path.display()));
    }
    if !foreign {
        guard::trust(&roots, &workspace)?;
    } else if !guard::is_trusted(&roots, &workspace) {
        line(style::paint(
            style::WARNING,
            "note: this repository brings an `.ambit` of its own; it makes rules stricter at once, and laxer only after you have read it and run `ambit trust`",
        ));
    }
    line("");
    line("The guard is installed for sessions that begin from now on. Next:");
    line("  ambit doctor                      is it really on?");
    line("  ambit explain 'git push --force'  what would it say?");
    line("  ambit log --follow                what is it saying?");
    Ok(ExitCode::SUCCESS)
}

/// Where Claude Code's files lie for the person who runs this.
pub(crate) fn places(home: &model::AbsPath, workspace: &model::AbsPath) -> Places {
    Places {
        home: home.as_std().to_owned(),
        project: workspace.as_std().to_owned(),
        admin: environment::admin_dir(),
        config_dir: environment::path_variable(environment::CLAUDE_CONFIG_DIR).map(|p| p.as_std().to_owned()),
        path: environment::variable("PATH").unwrap_or_default().split(':').map(PathBuf::from).collect(),
    }
}

/// Other agents that are installed here.
fn others(places: &Places) -> Vec<&'static str> {
    let known = [
        ("codex", "Codex"),
        ("gemini", "Gemini CLI"),
        ("cursor-agent", "Cursor"),
        ("copilot", "Copilot CLI"),
        ("opencode", "OpenCode"),
    ];
    known
        .into_iter()
        .filter(|(name, _)| places.path.iter().any(|d| d.join(name).is_file()))
        .map(|(_, title)| title)
        .collect()
}

fn managed(dir: &std::path::Path, program: &str, yes: bool) -> Result<ExitCode> {
    let mut changes = Vec::new();
    // The file serves every account of the machine: each has its home from the system, all the same rules.
    for (relative, text) in managed_files(program, &environment::managed_places()?) {
        let path = dir.join(relative);
        let before = path.exists().then(|| fs_err::read(&path)).transpose()?;
        changes.push(Change { path, before, after: Some(text.into_bytes()) });
    }
    if let Some(done) = settled(&mut changes, yes, "the managed files are in place already")? {
        return Ok(done);
    }
    for change in &changes {
        apply(change)?;
        line(format!("wrote {}", change.path.display()));
    }
    line("");
    line(format!(
        "Distribute these below /etc, owned by root and writable by nobody else, with `{program}` on every machine."
    ));
    line(format!("Sessions of {} older than {} then refuse to start.", claude_code::NAME, "2.1.295"));
    Ok(ExitCode::SUCCESS)
}

fn choose(mode: Option<Mode>, yes: bool) -> Result<Mode> {
    if let Some(mode) = mode {
        return Ok(mode);
    }
    if yes || !std::io::stdin().is_terminal() {
        return Ok(Mode::Enforce);
    }
    line("Mode for this project:");
    line("  1  enforce   verdicts are carried out: a person is asked where it matters");
    line("  2  observe   verdicts are only recorded, except the floor (what nobody may do)");
    print("[1] ");
    match answer()?.as_str() {
        "" | "1" | "enforce" => Ok(Mode::Enforce),
        "2" | "observe" => Ok(Mode::Observe),
        other => bail!("`{other}` is neither `enforce` nor `observe`; run `ambit init` again"),
    }
}

fn example(mode: Mode) -> String {
    match mode {
        Mode::Enforce => policy::COMMENTED_EXAMPLE.to_owned(),
        Mode::Observe => policy::COMMENTED_EXAMPLE.replacen("mode = \"enforce\"", "mode = \"observe\"", 1),
    }
}

/// Leaves out what changes nothing, shows the rest and asks for it. With an exit code everything is said: `none` where
/// nothing is left to change, or that the person does not want it.
pub(crate) fn settled(changes: &mut Vec<Change>, yes: bool, none: &str) -> Result<Option<ExitCode>> {
    changes.retain(|c| !c.is_empty());
    if changes.is_empty() {
        line(format!("{none}; nothing to change"));
        return Ok(Some(ExitCode::SUCCESS));
    }
    for change in changes.iter() {
        print(&coloured(&change.diff()));
    }
    if confirmed(yes, "write this?")? {
        return Ok(None);
    }
    line("nothing was written");
    Ok(Some(ExitCode::from(1)))
}

/// Asks the person at the terminal; without one, only `--yes` writes.
pub(crate) fn confirmed(yes: bool, question: &str) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal to ask at; look at the diff above and run this again with --yes");
    }
    print(&format!("{question} [y/N] "));
    Ok(matches!(answer()?.as_str(), "y" | "Y" | "yes"))
}

fn answer() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().read_line(&mut text)?;
    Ok(text.trim().to_owned())
}

/// A diff with its lines in colours.
pub(crate) fn coloured(diff: &str) -> String {
    let mut out = String::new();
    for text in diff.lines() {
        let style = match text.chars().next() {
            Some('+') => style::GOOD,
            Some('-') => style::BAD,
            Some('@') => style::NOTE,
            _ => anstyle::Style::new(),
        };
        out.push_str(&style::paint(style, text));
        out.push('\n');
    }
    out
}
