//! `ambit run`: runs a command in bounds.

mod call;
mod filter;
mod lend;
mod network;
mod record;

use crate::environment;
use crate::output::complain;
use crate::output::style::{self, paint};
use anyhow::{Context as _, Result, bail};
use contain::{ContainError, Observer, Profile, Tier, allowed_variables};
use model::AbsPath;
use network::Wanted;
use record::{About, Recorder};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Options of `ambit run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `command`, or `agent` for a whole agent
    #[arg(long, value_name = "NAME", default_value = "command")]
    profile: ProfileName,
    /// This tier and no other: `A` or `B`
    #[arg(long)]
    tier: Option<Tier>,
    /// The weakest tier that will do
    #[arg(long, value_name = "TIER")]
    minimum_tier: Option<Tier>,
    /// Let one more host in, such as `example.com` or `*.example.com`
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Let allowed names lead to these addresses too, such as `10.1.0.0/16`: a private network's, where names lie in one
    #[arg(long, value_name = "RANGE")]
    allow_network: Vec<String>,
    /// Share a port of this machine's own loopback
    #[arg(long, value_name = "PORT")]
    allow_port: Vec<u16>,
    /// Hand on a variable of the environment that is withheld otherwise, such as an agent's own key
    #[arg(long, value_name = "NAME")]
    env: Vec<String>,
    /// Show one more file or directory
    #[arg(long, value_name = "PATH")]
    read: Vec<PathBuf>,
    /// Let one more file or directory be written
    #[arg(long, value_name = "PATH")]
    write: Vec<PathBuf>,
    /// The project's directory, where not the one that holds the current directory
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Lend the command a secret that is kept, by its name; can be given several times
    #[arg(long, value_name = "NAME")]
    lend: Vec<String>,
    /// The session to which the command belongs
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// The ticket of a call that the hook let through: runs that call's command, once (the hook writes this)
    #[arg(long, value_name = "ID", hide = true, conflicts_with_all = ["session", "project", "allow_host", "allow_network", "allow_port", "env", "lend", "read", "write", "profile"])]
    call: Option<String>,
    /// Print the directory in which the call with this ticket ended (the hook writes this)
    #[arg(long, value_name = "ID", hide = true, exclusive = true)]
    left: Option<String>,
    /// The command and its arguments
    #[arg(required_unless_present = "left", trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ProfileName {
    Command,
    Agent,
}

/// Runs it. The exit status is the command's own; 126 when it could not be contained, 127 when it was not found.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    if environment::variable(environment::CLAUDECODE).is_some() {
        refuse_loosening(&args)?;
    }
    let roots = environment::roots()?;
    if let Some(id) = &args.left {
        return Ok(call::left(&roots.state, id));
    }
    let home = roots.home.clone().context("the variable `HOME` is not set to an absolute path")?;
    let call =
        args.call.as_deref().map(|id| call::Call::redeem(&roots.state, id, &args.command)).transpose()?;
    if let Some(call) = call.as_ref().filter(|c| c.ticket.open) {
        return filtered(&roots, call, filter::run_open);
    }
    let ticket = call.as_ref().map(|c| &c.ticket);
    let cwd = real(Path::new("."))?;
    let project = match (ticket, &args.project) {
        (Some(ticket), _) => ticket.workspace.clone(),
        (None, Some(dir)) => real(dir)?,
        (None, None) => guard::workspace_of(&cwd, Some(&home)),
    };
    let state = AbsPath::parse(roots.state.to_str().context("the state's directory is not valid UTF-8")?)?;
    std::fs::create_dir_all(&roots.state)
        .with_context(|| format!("Ambit's state `{state}` cannot be made"))?;
    let mut profile =
        Profile::command(real(project.as_std())?, cwd, real(home.as_std())?, real(state.as_std())?)?;
    profile.tier = args.tier;
    profile.minimum = args.minimum_tier.unwrap_or(crate::sandbox::MINIMUM);
    profile.read = paths(&args.read)?;
    profile.write = paths(&args.write)?;
    if let Some(place) = call.as_ref().and_then(call::Call::place) {
        profile.write.push(real(place)?);
    }
    profile.ask = "A person can show it with `ambit run --read PATH`.".to_owned();
    profile.variables = allowed_variables(environment::all(), &|_| false);
    for name in &args.env {
        let value =
            environment::variable(name).with_context(|| format!("the variable `{name}` is not set"))?;
        profile.variables.retain(|(n, _)| n != name.as_str());
        profile.variables.push((name.into(), value.into()));
    }
    if args.profile == ProfileName::Agent {
        whole_agent(&mut profile, &roots);
    }
    let wanted = Wanted {
        hosts: args.allow_host,
        networks: args.allow_network,
        loopback: args.allow_port,
        bundles: vec!["code-hosts".to_owned()],
    };
    network::check(&wanted)?;
    let person = environment::person();
    let about = About {
        session: args.session.or_else(|| ticket.map(|t| t.session.clone())),
        call: ticket.and_then(|t| t.call.clone()),
        agent: ticket.map(|t| t.agent.clone()),
        login: person.login,
        subject: person.subject,
        profile: profile.name.clone(),
        command: args.command.iter().map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" "),
        project: profile.project.to_string(),
    };
    let loans = lend::prepare(&roots, ticket, &args.lend, &args.command, &about, &mut profile)?;
    let additions = loans.as_ref().map(lend::Loans::network).transpose()?;
    let recorder = {
        let filter = guard::Filter::open(&roots, &project)
            .context("what the command does cannot be recorded without the secrets in it")?;
        Arc::new(
            Recorder::open(&roots.state, about, filter)
                .context("what the command does cannot be recorded")?,
        )
    };
    let observer: Arc<dyn Observer> = Arc::<Recorder>::clone(&recorder);
    let rules = {
        let home = profile.home.clone();
        Box::new(move || {
            let ask = "a person can allow it with `ambit run --allow-host {host} -- …`";
            let lookup: network::Lookup = Box::new(environment::variable);
            let mut rules = network::rules(&wanted, &home, ask, &lookup);
            if let Some(additions) = additions {
                additions.add_to(&mut rules);
            }
            rules
        })
    };
    let command = match (&loans, &call) {
        (None, None) => args.command,
        (None, Some(call)) => call.command(),
        (Some(loans), None) => loans.in_words(&args.command)?,
        (Some(loans), Some(call)) => call.command_as(&loans.in_text(&call.ticket.command)?),
    };
    let mut through = ticket.map(|ticket| through_filter(&roots, ticket, loans.as_ref())).transpose()?;
    let started = Box::new(|| through.as_mut().map_or(Ok(()), filter::Filtered::start));
    let ended = contain::run(profile, &command, rules, &observer, started);
    if let (Some(through), Some(ticket)) = (through, ticket) {
        filter::record(&roots.state, ticket, &through.finish()?)?;
    }
    if let Some(call) = &call {
        call.ended(&roots.state);
    }
    if let Some(failure) = recorder.failure() {
        complain(format!(
            "{} not all that the command did is recorded: {failure}",
            paint(style::WARNING, "warning:")
        ));
    }
    match ended {
        Ok(status) => Ok(ExitCode::from(status)),
        Err(e) => {
            let status = match &e {
                ContainError::Program { source, .. } if source.kind() == std::io::ErrorKind::NotFound => 127,
                _ => 126,
            };
            complain(format!("{} {e}", paint(style::BAD, "ambit:")));
            Ok(ExitCode::from(status))
        }
    }
}

/// What is printed from now on goes to the agent without secrets.
fn through_filter(
    roots: &guard::Roots,
    ticket: &guard::Ticket,
    loans: Option<&lend::Loans>,
) -> Result<filter::Filtered> {
    let filter = guard::Filter::open(roots, &ticket.workspace)
        .context("what the command prints cannot be looked through for secrets, so it was not run")?;
    let filter = match loans {
        Some(loans) => filter.knowing(roots, &ticket.workspace, loans.bare())?,
        None => filter,
    };
    filter::Filtered::begin(filter)
}

/// Runs a call's command without bounds, and what it prints through the filter.
fn filtered(
    roots: &guard::Roots,
    call: &call::Call,
    run: impl FnOnce(&[OsString]) -> Result<u8>,
) -> Result<ExitCode> {
    let mut through = through_filter(roots, &call.ticket, None)?;
    through.start()?;
    let status = run(&call.command());
    let found = through.finish()?;
    call.ended(&roots.state);
    filter::record(&roots.state, &call.ticket, &found)?;
    Ok(ExitCode::from(status?))
}

/// An agent that is itself contained keeps its own home: settings, history and its login, which it cannot work without.
/// Its hooks, which Ambit put there, stay as they are and run in the same bounds, so they see Ambit's own files.
fn whole_agent(profile: &mut Profile, roots: &guard::Roots) {
    profile.name = "agent".to_owned();
    profile.share_state = true;
    profile.read.extend(roots.program.clone());
    profile.read.extend(roots.config.to_str().and_then(|p| AbsPath::parse(p).ok()));
    for (dir, settings) in [
        (".claude", &["settings.json", "settings.local.json", "hooks"][..]),
        (".codex", &["config.toml", "hooks.json", "rules"][..]),
        (".gemini", &["settings.json"][..]),
    ] {
        let dir = profile.home.join(dir);
        if dir.as_std().is_dir() {
            profile.held.extend(settings.iter().map(|s| dir.join(s)).filter(|p| p.as_std().exists()));
            profile.credentials.push(dir.clone());
            profile.write.push(dir);
        }
    }
    let file = profile.home.join(".claude.json");
    if file.as_std().is_file() {
        profile.credentials.push(file.clone());
        profile.write.push(file);
    }
}

/// An agent may put a command of its own in bounds, but not widen them.
fn refuse_loosening(args: &Args) -> Result<()> {
    let widened = !args.allow_host.is_empty()
        || !args.allow_network.is_empty()
        || !args.allow_port.is_empty()
        || !args.env.is_empty()
        || !args.lend.is_empty()
        || !args.read.is_empty()
        || !args.write.is_empty()
        || args.project.is_some()
        || args.profile == ProfileName::Agent;
    if widened {
        bail!(
            "an agent cannot widen what a contained command may touch; tell the person which host or path you need and why"
        );
    }
    Ok(())
}

fn paths(given: &[PathBuf]) -> Result<Vec<AbsPath>> {
    given.iter().map(|p| real(p)).collect()
}

/// The real path of something that is there.
fn real(path: &Path) -> Result<AbsPath> {
    let real =
        std::fs::canonicalize(path).with_context(|| format!("`{}` is not to be found", path.display()))?;
    Ok(AbsPath::parse(real.to_str().context("a path is not valid UTF-8")?)?)
}
