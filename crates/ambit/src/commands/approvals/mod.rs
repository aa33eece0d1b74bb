//! `ambit approvals`: what waits for a person, and a person's decision.

mod announce;
mod ledgered;
pub(crate) mod origin;
mod show;
mod stats;
mod task;
mod watch;

use crate::environment;
use crate::output::style::{self, paint};
use crate::output::{complain, line};
use anyhow::{Context as _, Result, bail};
use approvals::{Case, Channel, Decision, Id, Risk, Scope, State, Store};
use jiff::{SignedDuration, Timestamp};
use std::io::IsTerminal;
use std::process::ExitCode;

/// `ambit approvals`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A view that follows what waits, and in which you decide by keys
    #[arg(long)]
    watch: bool,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List what waits for a person
    List(List),
    /// Show one request whole
    Show(Show),
    /// Agree to one request; only in a terminal of your own
    Approve(Approve),
    /// Say no to one request, or take back a consent that was not used yet
    Deny(Deny),
    /// Give a task its authority before the work starts: paths, hosts, programs, for a time
    Grant(task::Grant),
    /// List what was granted to tasks
    Tasks,
    /// Take back what was granted to a task
    Revoke {
        /// The grant: `T3`
        id: String,
    },
    /// How well asking works: how often, how fast it is answered, what is always agreed to
    Stats(stats::Args),
    /// Tell the channels of a request (the hook runs this)
    #[command(hide = true)]
    Announce {
        id: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        places: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct List {
    /// Also what was decided, used or is over
    #[arg(long)]
    all: bool,
    /// How many, the newest ones
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: usize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The request: `A7`
    id: String,
    /// The whole request with its decisions as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Approve {
    /// The request: `A7`
    id: String,
    /// The word that a critical request asks for
    #[arg(long)]
    word: Option<String>,
    /// Not once but for this exact action in its session, for this long: `30m`, `2h` (8 hours at most)
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<String>,
    /// With --for: also for effects like the one that decided whose target fits this pattern (`*` any text)
    #[arg(long, value_name = "PATTERN", requires = "lasting")]
    template: Option<String>,
    /// Approve out of turn, where you are named for that; everybody is told. Needs --why
    #[arg(long, requires = "why")]
    break_glass: bool,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Deny {
    /// The request: `A7`
    id: String,
    /// Words that reach the agent
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

/// Runs it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let open = || -> Result<Store> { Ok(Store::open(&environment::roots()?.state)?) };
    match (args.what, args.watch) {
        (Some(What::Announce { id, places }), _) => announce::run(&id, &places),
        (Some(_), true) => bail!("--watch stands alone"),
        (None, true) => watch::run(&open()?),
        (None, false) => list(&open()?, &List { all: false, limit: 50, json: false }),
        (Some(What::List(args)), _) => list(&open()?, &args),
        (Some(What::Show(args)), _) => {
            let case = find(&open()?, &args.id)?;
            if args.json {
                line(serde_json::to_string(&case)?);
            } else {
                show::tell(&case, Timestamp::now());
            }
            Ok(ExitCode::SUCCESS)
        }
        (Some(What::Approve(args)), _) => approve(&open()?, args),
        (Some(What::Deny(args)), _) => {
            let store = open()?;
            let case = find(&store, &args.id)?;
            let decision = Decision::deny(environment::person().login, Channel::Terminal, args.why);
            finish(&store, case.request.id, decision)
        }
        (Some(What::Grant(args)), _) => task::grant(&open()?, args),
        (Some(What::Tasks), _) => task::list(&open()?),
        (Some(What::Revoke { id }), _) => task::revoke(&open()?, &id),
        (Some(What::Stats(args)), _) => stats::run(&args),
    }
}

fn find(store: &Store, id: &str) -> Result<Case> {
    let id: Id = id.parse()?;
    Ok(store.get(id, Timestamp::now())?.ok_or_else(|| approvals::ApprovalError::Unknown(id.to_string()))?)
}

/// Tells the channels of a request, in a process of its own; `places` are a hook's.
pub(crate) fn tell_channels(id: &str, places: &[String]) {
    announce::spawn(id, places);
}

/// Whoever decides is a person at a terminal of their own, as far as can be told.
///
/// # Errors
/// Why this process may not speak for a person.
pub(crate) fn a_person_is_here() -> Result<()> {
    let typed = std::io::stdin().is_terminal();
    if let Some(why) = origin::refusal(&origin::Proc, std::process::id(), typed) {
        bail!("a decision is a person's, and this was refused: {why}");
    }
    Ok(())
}

/// No agent started this, as far as can be told; a person's own scripts may do it without a terminal.
///
/// # Errors
/// Which agent is above this process.
pub(crate) fn no_agent_above() -> Result<()> {
    if let Some(why) = origin::agent_above(&origin::Proc, std::process::id()) {
        bail!("keeping and lending secrets is a person's, and this was refused: {why}");
    }
    Ok(())
}

fn list(store: &Store, args: &List) -> Result<ExitCode> {
    let now = Timestamp::now();
    let mut cases = if args.all { store.history(args.limit, now)? } else { store.unsettled(now)? };
    if args.all {
        cases.reverse();
    }
    for (id, why) in store.damaged(now)? {
        complain(format!("{} {id}: {why}", paint(style::BAD, "damaged:")));
    }
    if args.json {
        for case in &cases {
            line(serde_json::to_string(case)?);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if cases.is_empty() {
        complain(if args.all { "nothing was ever asked here" } else { "nothing waits for a person" });
    }
    for case in &cases {
        show::row(case, now);
    }
    Ok(ExitCode::SUCCESS)
}

fn approve(store: &Store, args: Approve) -> Result<ExitCode> {
    a_person_is_here()?;
    let case = find(store, &args.id)?;
    let now = Timestamp::now();
    show::tell(&case, now);
    let begun = std::time::Instant::now();
    let scope = scope(&case, args.lasting.as_deref(), args.template, now)?;
    let typed = if case.request.question.risk == Risk::Critical && args.word.is_none() {
        Some(ask_word(&case)?)
    } else {
        args.word
    };
    let decision = Decision {
        scope,
        words: args.why,
        break_glass: args.break_glass,
        typed,
        looked_ms: u64::try_from(begun.elapsed().as_millis()).ok(),
        ..Decision::approve(environment::person().login, Channel::Terminal)
    };
    finish(store, case.request.id, decision)
}

fn ask_word(case: &Case) -> Result<String> {
    complain(format!("This is critical. To agree, type: {}", case.request.word()));
    let mut text = String::new();
    std::io::stdin().read_line(&mut text).context("nothing was typed")?;
    Ok(text.trim().to_owned())
}

fn scope(case: &Case, lasting: Option<&str>, template: Option<String>, now: Timestamp) -> Result<Scope> {
    let Some(lasting) = lasting else { return Ok(Scope::Once) };
    let until = now.checked_add(time(lasting)?)?;
    Ok(match template {
        None => Scope::Session { until },
        Some(pattern) => {
            let effect = case
                .request
                .question
                .story
                .deciding
                .context("no single effect decided; a template has no place")?;
            Scope::Template { effect, pattern, until }
        }
    })
}

/// A length of time: `45s`, `30m`, `2h`.
///
/// # Errors
/// When it is none.
pub(crate) fn time(text: &str) -> Result<SignedDuration> {
    let length = text.parse::<SignedDuration>().ok().filter(|d| d.as_secs() > 0);
    length.with_context(|| format!("`{text}` is no length of time; write `30m` or `2h`"))
}

/// Decides, records it, and tells what came of it.
fn finish(store: &Store, id: Id, decision: Decision) -> Result<ExitCode> {
    a_person_is_here()?;
    let case = decide(store, id, decision)?;
    line(match case.state {
        State::Approved => format!("{id} is approved; the agent's next identical call uses it"),
        State::Denied => format!("{id} is denied"),
        State::Consumed => format!("{id} is approved, and was used at once"),
        State::Pending => {
            let agreed: Vec<&str> = case.agreed.iter().map(String::as_str).collect();
            format!(
                "noted; {id} still waits: it needs {}, and has {}",
                case.request.question.quorum.words(),
                agreed.join(" and ")
            )
        }
        State::Expired => format!("{id} is over"),
    });
    Ok(ExitCode::SUCCESS)
}

/// Decides and puts the decision into the ledger.
pub(crate) fn decide(store: &Store, id: Id, decision: Decision) -> Result<Case> {
    let case = store.decide(id, decision.clone(), Timestamp::now())?;
    ledgered::decided(&case, &decision)?;
    if decision.break_glass {
        announce::spawn(&id.to_string(), &[]);
    }
    Ok(case)
}
