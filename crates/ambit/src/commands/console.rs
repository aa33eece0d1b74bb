//! `ambit console`: the ledger as pages, in a browser of this machine.

use super::approvals::origin::{Proc, refusal};
use super::doctor::examined;
use crate::environment;
use crate::output::{complain, line, style};
use agents::claude_code::Level as Found;
use anyhow::{Context as _, Result, bail};
use guard::{Machine, Rails, Settings, mode_word, read_call, visible};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{AbsPath, Offers, Tool};
use policy::Subject;
use server::{
    Console, Door, Examined, Finding, Level, Person, PolicyInForce, Source, Surroundings, Tried, TriedEffect,
};
use std::io::{BufRead as _, IsTerminal as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

/// Where the console listens if nothing else is said and the port is free.
const PORT: u16 = 7483;

/// Options of `ambit console`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; only this machine's browsers reach it unless you say otherwise [default: 127.0.0.1:7483, or
    /// another port if that one is taken]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The address by which browsers reach it through a proxy that ends TLS: `https://ambit.example.com`
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Print a sign-in link for this person too, to hand over; can be given again
    #[arg(long, value_name = "PERSON")]
    also: Vec<String>,
    /// Open your link in the browser
    #[arg(long)]
    open: bool,
}

/// Runs it until it is interrupted.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let roots = environment::roots()?;
    let here = environment::current_dir()?;
    let own = environment::person();
    let own = Person { name: own.login, subject: own.subject };
    let mut people = vec![own];
    for name in &args.also {
        if name.is_empty() || people.iter().any(|p| p.name == *name) {
            bail!("`{name}` gets a link already; give the account of another person");
        }
        people.push(Person { name: name.clone(), subject: environment::subject_of(name) });
    }
    let read_only = nobody_here();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let settings = |listen| server::Settings {
        state: roots.state.clone(),
        listen,
        origin: args.origin.clone(),
        zone: TimeZone::system(),
        now: Box::new(Timestamp::now),
        read_only: read_only.clone(),
        surroundings: Arc::new(Here { directory: here.clone() }),
    };
    let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let console = runtime.block_on(async {
        match args.listen {
            Some(address) => Console::open(settings(address)).await,
            None => match Console::open(settings(local(PORT))).await {
                Err(server::ServerError::Listen { .. }) => Console::open(settings(local(0))).await,
                opened => opened,
            },
        }
    })?;
    let door = console.door();
    let first = links(&door, &people)?;
    if let Some(why) = &read_only {
        complain(format!("{} this console decides nothing: {why}", style::paint(style::WARNING, "note:")));
    }
    if args.open {
        browse(&first);
    }
    if std::io::stdin().is_terminal() {
        line(style::paint(style::FAINT, "Enter: new links; Ctrl-C: end"));
        std::thread::spawn(move || more_links(&door, &people));
    }
    runtime.block_on(console.serve(async {
        let _ = tokio::signal::ctrl_c().await;
    }))?;
    // Pages that wait for news are cut off.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// Why nothing can be decided by a console started here; `None` if a person is at this terminal.
fn nobody_here() -> Option<String> {
    refusal(&Proc, std::process::id(), std::io::stdin().is_terminal())
}

/// Prints a link for each person and gives back the first.
fn links(door: &Door, people: &[Person]) -> Result<String> {
    let mut first = None;
    for person in people {
        let link = door.link(person.clone())?;
        line(format!("{} {link}", style::paint(style::STRONG, &format!("{}:", person.name))));
        first.get_or_insert(link);
    }
    first.context("nobody gets a link")
}

/// New links whenever the person presses Enter.
fn more_links(door: &Door, people: &[Person]) {
    for typed in std::io::stdin().lock().lines() {
        if typed.is_err() {
            return;
        }
        if let Err(e) = links(door, people) {
            complain(format!("{} {e:#}", style::paint(style::BAD, "error:")));
        }
    }
}

/// Opens a link in the person's browser. Where there is none, the printed link serves.
fn browse(link: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = std::process::Command::new(program)
        .arg(link)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    if let Err(e) = started {
        complain(format!("`{program}` cannot be run ({e}); open the link yourself"));
    }
}

/// This machine and the directory in which the console was started.
struct Here {
    directory: AbsPath,
}

impl Surroundings for Here {
    fn examine(&self) -> Vec<Examined> {
        let level = |level| match level {
            Found::Good => Level::Good,
            Found::Warning => Level::Warning,
            Found::Problem => Level::Problem,
        };
        match examined() {
            Ok(groups) => groups
                .into_iter()
                .map(|(name, mut findings)| {
                    findings.sort_by_key(|f| std::cmp::Reverse(f.level));
                    let findings = findings
                        .into_iter()
                        .map(|f| Finding { level: level(f.level), what: f.what, mend: f.mend })
                        .collect();
                    Examined { name: name.to_owned(), findings }
                })
                .collect(),
            Err(e) => vec![Examined {
                name: "Ambit".to_owned(),
                findings: vec![Finding {
                    level: Level::Problem,
                    what: format!("{e:#}"),
                    mend: "run `ambit doctor` in a terminal".to_owned(),
                }],
            }],
        }
    }

    fn policy(&self) -> Result<PolicyInForce, String> {
        let roots = environment::roots().map_err(|e| format!("{e:#}"))?;
        let workspace = guard::workspace_of(&self.directory, roots.home.as_ref());
        let settings = Settings::load(&roots, &workspace).map_err(|e| e.to_string())?;
        let (sources, _) = guard::sources(&roots, &workspace)?;
        let mut notices = settings.notices.clone();
        notices
            .extend(settings.broken.as_ref().map(|why| format!("the policy as it is now is broken: {why}")));
        let source = |s: &policy::Source| Source {
            layer: s.layer.word().to_owned(),
            name: s.file.clone(),
            text: s.text.clone(),
        };
        Ok(PolicyInForce {
            version: settings.version.clone(),
            mode: mode_word(settings.mode()).to_owned(),
            workspace: workspace.to_string(),
            notices,
            sources: sources.files.iter().map(source).collect(),
        })
    }

    fn try_call(&self, command: &str, directory: &str) -> Result<Tried, String> {
        let cwd = if directory.is_empty() { self.directory.clone() } else { self.directory.join(directory) };
        tried(command, &cwd).map_err(|e| format!("{e:#}"))
    }
}

/// What a command would come to in a directory, with nothing conceded.
fn tried(command: &str, cwd: &AbsPath) -> Result<Tried> {
    let roots = environment::roots()?;
    let workspace = guard::workspace_of(cwd, roots.home.as_ref());
    let settings = Settings::load(&roots, &workspace)?;
    let rails = Rails::new(roots.own(), roots.home.as_ref());
    let variables = |name: &str| environment::variable(name);
    let machine =
        Machine::new(workspace.clone(), roots.home.clone(), &settings.config, None, &rails, &variables);
    let tool = Tool::Shell { command: command.to_owned(), background: false };
    let mut reading = read_call(&tool, cwd, &machine, &settings.table, &settings.config);
    guard::lending(&mut reading, &settings.config.secrets, &roots.state, jiff::Timestamp::now());
    let subject = Subject { agent: "claude-code".to_owned(), attended: true, ..Subject::default() };
    let groups = settings.config.groups();
    let verdict = settings.policy.judge(&subject, &reading.effects, Offers::default(), &groups, &[])?;
    let place = |span: model::Span| (span.from as usize, span.to as usize);
    let effects = reading.effects.iter().zip(verdict.effects()).map(|(effect, result)| TriedEffect {
        words: format!("{} {}", effect.kind().word(), visible(&effect.action.target())),
        verdict: result.kind,
        rule: result.rule.clone(),
        span: effect.span.map(place),
    });
    let risky = verdict.deciding().and_then(|at| reading.effects.get(at)).and_then(|e| e.span).map(place);
    Ok(Tried {
        verdict: verdict.kind(),
        rule: verdict.rule().to_owned(),
        layer: verdict.layer().word().to_owned(),
        reason: guard::reason(&verdict, &reading),
        instead: verdict.instead().map(visible),
        approvers: verdict.needs().approvers.clone(),
        canonical: reading.canonical.clone().filter(|c| c != command),
        risky,
        effects: effects.collect(),
    })
}
