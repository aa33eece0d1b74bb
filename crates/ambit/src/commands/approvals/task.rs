//! `ambit approvals grant`: authority for a task, before the work starts.

use super::{a_person_is_here, ledgered, time};
use crate::environment;
use crate::output::{complain, line};
use anyhow::Result;
use approvals::{Store, Task};
use guard::{Settings, workspace_of};
use jiff::Timestamp;
use ledger::Kind;
use model::AbsPath;
use std::process::ExitCode;

/// `ambit approvals grant`.
#[derive(Debug, clap::Args)]
pub(crate) struct Grant {
    /// A file or directory that may be read, written and deleted, with all beneath it
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
    /// A host that may be talked to; `*.example.com` is every one beneath that
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// A program that may be run, by name
    #[arg(long = "program", value_name = "NAME")]
    programs: Vec<String>,
    /// For how long: `30m`, `2h` (8 hours at most)
    #[arg(long = "for", value_name = "TIME", default_value = "2h")]
    lasting: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Only for this session of the agent
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// As whose consent it counts: `developer`, or a group you are in
    #[arg(long = "as", value_name = "GROUP", default_value = "developer")]
    group: String,
    /// Not for sub-agents
    #[arg(long)]
    no_subagents: bool,
}

/// Grants.
pub(crate) fn grant(store: &Store, args: Grant) -> Result<ExitCode> {
    a_person_is_here()?;
    let roots = environment::roots()?;
    let here = environment::current_dir()?;
    let workspace = workspace_of(&here, roots.home.as_ref());
    let settings = Settings::load(&roots, &workspace)?;
    let login = environment::person().login;
    let members = settings.config.members(&args.group);
    if args.group != "developer" && !members.iter().any(|m| *m == login || m == "developer") {
        anyhow::bail!("`{login}` is not in the group `{}`: only those in it grant for it", args.group);
    }
    let from = Timestamp::now();
    let granted = store.grant(Task {
        session: args.session,
        workspace,
        paths: args.paths.iter().map(|p| here.join(p)).collect::<std::collections::BTreeSet<AbsPath>>(),
        hosts: args.hosts.into_iter().collect(),
        programs: args.programs.into_iter().collect(),
        words: args.why,
        account: login,
        group: args.group,
        subagents: !args.no_subagents,
        from,
        until: from.checked_add(time(&args.lasting)?)?,
    })?;
    if let Err(e) = ledgered::task(Kind::TASK_GRANTED, &granted.id, Some(&granted)) {
        // What is not in the ledger is not granted.
        store.revoke(&granted.id)?;
        return Err(e);
    }
    line(format!("{} is granted: {}, until {}", granted.id, granted.task, granted.task.until));
    Ok(ExitCode::SUCCESS)
}

/// Lists.
pub(crate) fn list(store: &Store) -> Result<ExitCode> {
    let granted = store.granted()?;
    let now = Timestamp::now();
    if granted.is_empty() {
        complain("nothing is granted to a task");
    }
    for one in &granted {
        let over = if one.task.until <= now { "over" } else { "in force" };
        let session = one.task.session.as_deref().unwrap_or("any session");
        line(format!(
            "{:<5}{over:<10}{} until {}, for {session} in {} as {}: {}",
            one.id, one.task, one.task.until, one.task.workspace, one.task.group, one.task.words
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes back.
pub(crate) fn revoke(store: &Store, id: &str) -> Result<ExitCode> {
    a_person_is_here()?;
    if store.revoke(id)? {
        ledgered::task(Kind::TASK_REVOKED, id, None)?;
        line(format!("{id} is taken back"));
    } else {
        line(format!("{id} was taken back before"));
    }
    Ok(ExitCode::SUCCESS)
}
