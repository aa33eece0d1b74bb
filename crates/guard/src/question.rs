//! What a person is asked about a call: the exact action, who may decide it, and what they need to know.

use crate::readers::Reading;
use crate::records::Person;
use crate::session::{Marks, Session};
use crate::settings::Settings;
use crate::words;
use agents::Context;
use approvals::{Digest, Exact, Group, Question, Quorum, Risk, Script, Shown, Story};
use jiff::{SignedDuration, Timestamp};
use model::{
    AbsPath, Action, Effect, EffectKind, Environment, PathClass, PathTarget, Tool, ToolCall, VerdictKind,
};
use policy::{Config, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

/// Variables that change what programs do or where they reach: which of them are set is part of the exact action.
const VARIABLES: &[&str] = &[
    "AWS_PROFILE",
    "AWS_REGION",
    "BASH_ENV",
    "CLOUDSDK_CORE_PROJECT",
    "DATABASE_URL",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "ENV",
    "GIT_DIR",
    "GIT_SSH_COMMAND",
    "GIT_WORK_TREE",
    "KUBECONFIG",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "PERL5OPT",
    "PGHOST",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RUBYOPT",
    "TF_WORKSPACE",
];

/// The largest script that is hashed, in bytes, and how many there may be. A larger one counts as unreadable, which is
/// the same only as long as it stays so.
const MAX_SCRIPT: u64 = 8 << 20;
const MAX_SCRIPTS: usize = 32;

/// The longest text that is kept for the person, in bytes: both ends of a longer one.
const MAX_TEXT: usize = 64 << 10;

/// What is known of a call when a person is asked about it.
pub(crate) struct Matter<'a> {
    pub(crate) context: &'a Context,
    pub(crate) call: &'a ToolCall,
    pub(crate) reading: &'a Reading,
    pub(crate) verdict: &'a Verdict,
    pub(crate) settings: &'a Settings,
    pub(crate) session: &'a Session,
    pub(crate) workspace: &'a AbsPath,
    /// What the agent itself says of the call.
    pub(crate) says: Option<String>,
}

/// The exact action of a call.
pub(crate) fn exact(
    agent: &str,
    call: &ToolCall,
    reading: &Reading,
    settings: &Settings,
    contained: bool,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Exact {
    let target = |e: &Effect| {
        let place = e.remote.as_ref().map(|r| format!(" on {}", r.name)).unwrap_or_default();
        format!("{} {}{place}", e.kind().word(), e.action.target())
    };
    Exact {
        agent: agent.to_owned(),
        session: call.session.0.clone(),
        // A tool always has JSON; were it not so, the text would say which tool it is not.
        input: serde_json::to_string(&call.tool).unwrap_or_else(|e| format!("{:?}: {e}", call.tool)),
        cwd: call.cwd.to_string(),
        variables: VARIABLES.iter().filter(|v| variables(v).is_some()).map(|v| (*v).to_owned()).collect(),
        targets: reading.effects.iter().map(target).collect(),
        scripts: scripts(call, reading),
        sandbox: contained.then(|| "contained".to_owned()),
        policy: settings.version.clone(),
    }
}

/// The files that a call would run, and those it would read where something runs that is not understood.
fn scripts(call: &ToolCall, reading: &Reading) -> BTreeSet<Script> {
    let blind = reading.effects.iter().any(|e| !e.understood());
    let mut paths: BTreeSet<AbsPath> = BTreeSet::new();
    for effect in reading.effects.iter().filter(|e| e.remote.is_none()) {
        match &effect.action {
            Action::Run(run) => {
                let path = call.cwd.join(&run.program);
                let named = run.program.contains('/') || path.as_std().is_file();
                paths.extend(named.then_some(path));
            }
            Action::Read(p) if blind && p.class == PathClass::Source => {
                if let PathTarget::Known(path) = &p.target {
                    paths.insert(path.clone());
                }
            }
            _ => {}
        }
    }
    let hash = |path: &AbsPath| {
        let mut file = std::fs::File::open(path.as_std()).ok()?;
        let about = file.metadata().ok()?;
        if !about.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        file.by_ref().take(MAX_SCRIPT + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= MAX_SCRIPT).then(|| Digest::of_bytes(&bytes))
    };
    let script = |path: AbsPath| Script {
        sha256: hash(&path).map_or_else(|| "unreadable".to_owned(), |d| d.to_string()),
        path: path.to_string(),
    };
    paths.into_iter().filter(|p| !p.as_std().is_dir()).take(MAX_SCRIPTS).map(script).collect()
}

/// Who must agree to this, as the organisation has it.
pub(crate) fn quorum(config: &Config, verdict: &Verdict) -> Quorum {
    let needs = verdict.needs();
    let group = |name: &String| {
        let members = if name == "developer" { vec![name.clone()] } else { config.members(name) };
        Group {
            name: name.clone(),
            driver: members.iter().any(|m| m == "developer"),
            members: members.into_iter().filter(|m| m != "developer").collect(),
        }
    };
    let groups: Vec<Group> = needs.approvers.iter().map(group).collect();
    let ordinary = groups.iter().all(|g| g.driver);
    let least = if ordinary { 1 } else { config.approvals.approve.unwrap_or(1) };
    let mut people = BTreeMap::new();
    for (person, accounts) in &config.people {
        people.extend(accounts.iter().map(|account| (account.clone(), person.clone())));
    }
    Quorum {
        approve: needs.approvals.max(least).max(1),
        deny: config.approvals.deny.unwrap_or(1).max(1),
        driver_alone: ordinary || config.approvals.driver_alone.unwrap_or(false),
        break_glass: config.approvals.break_glass.iter().cloned().collect(),
        people,
        groups,
    }
}

/// Whether the driver's own consent is all that is needed.
pub(crate) fn driver_suffices(quorum: &Quorum, driver: &str) -> bool {
    let person = quorum.person(driver);
    quorum.approve <= 1
        && quorum.driver_alone
        && quorum.groups.iter().all(|g| g.driver || g.members.iter().any(|m| quorum.person(m) == person))
}

/// How much a wrong consent could cost.
fn risk(verdict: &Verdict, reading: &Reading) -> Risk {
    let asked = |at: usize| verdict.effects().get(at).is_some_and(|r| r.kind == VerdictKind::Ask);
    let production = |e: &Effect| {
        let here = serde_json::to_value(&e.action).ok();
        let word = here.as_ref().and_then(|v| v.pointer("/facts/environment")).and_then(|v| v.as_str());
        let remote = e.remote.as_ref().is_some_and(|r| r.environment == Environment::Production);
        remote || word == Some("production")
    };
    let loses = |e: &Effect| {
        matches!(e.kind(), EffectKind::Delete | EffectKind::Discard | EffectKind::Query | EffectKind::Operate)
    };
    let mut effects = reading.effects.iter().enumerate().filter(|(at, _)| asked(*at)).map(|(_, e)| e);
    let grave = |e: &Effect| e.kind() == EffectKind::Tamper || (production(e) && loses(e));
    if effects.any(grave) {
        return Risk::Critical;
    }
    let secret =
        reading.effects.iter().any(|e| matches!(e.kind(), EffectKind::Reveal | EffectKind::UseSecret));
    if secret || verdict.needs().approvals > 1 || verdict.needs().approvers.iter().any(|a| a != "developer") {
        return Risk::High;
    }
    Risk::Ordinary
}

/// The text of a call, as it would run.
fn text(tool: &Tool) -> String {
    let whole = match tool {
        Tool::Shell { command, .. } => command.clone(),
        Tool::WriteFile { path, text } | Tool::EditFile { path, text } => format!("{path}\n\n{text}"),
        Tool::FetchUrl { url } => url.clone(),
        Tool::Mcp { server, name, input } => {
            format!("{server}/{name} {}", serde_json::to_string_pretty(input).unwrap_or_default())
        }
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    if whole.len() <= MAX_TEXT {
        return whole;
    }
    let cut = |at: usize| (0..=at).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
    let (head, tail) = (cut(MAX_TEXT / 2), cut(whole.len() - MAX_TEXT / 2));
    let left_out = tail - head;
    format!(
        "{}\n… {left_out} bytes are not shown; the consent is for all of them …\n{}",
        whole.get(..head).unwrap_or(""),
        whole.get(tail..).unwrap_or("")
    )
}

fn story(matter: &Matter<'_>) -> Story {
    let Matter { context, call, reading, verdict, session, says, .. } = matter;
    let words_of = |e: &Effect| {
        let place = e.remote.as_ref().map(|r| format!(" on {}", words::visible(&r.name))).unwrap_or_default();
        words::shortened(&format!("{} {}{place}", e.kind().word(), words::visible(&e.action.target())))
    };
    let effects: Vec<Shown> = reading
        .effects
        .iter()
        .zip(verdict.effects())
        .map(|(effect, result)| Shown {
            effect: effect.clone(),
            words: words_of(effect),
            verdict: result.kind.word().to_owned(),
            rule: result.rule.clone(),
        })
        .collect();
    let deciding = verdict.deciding();
    let first = deciding.and_then(|at| reading.effects.get(at));
    let text = text(&call.tool);
    let risky = first.and_then(|e| e.span).map(|s| (s.from, s.to));
    Story {
        title: first.map_or_else(|| call.tool.word().to_owned(), words_of),
        risky: risky.filter(|(from, to)| text.get(*from as usize..*to as usize).is_some()),
        canonical: reading.canonical.clone().filter(|c| *c != text),
        warnings: reading.warnings.clone(),
        effects,
        deciding,
        rule: verdict.rule().to_owned(),
        layer: verdict.layer().word().to_owned(),
        reason: words::reason(verdict, reading),
        instead: verdict.instead().map(words::visible),
        prompt: context.prompt.clone(),
        untrusted_seen: session.own().has(Marks::UNTRUSTED_SEEN),
        sensitive_read: session.own().has(Marks::SENSITIVE_READ),
        agent_says: says.as_deref().map(|s| words::shortened(&words::visible(s))),
        text,
    }
}

/// Seconds that a request stays open: where the agent's own question asks, and where it is queued.
const EXPIRES_S: (u32, u32) = (600, 3600);

/// The whole question. `dialog` says that the agent's own question asks too.
pub(crate) fn question(
    matter: &Matter<'_>,
    exact: Exact,
    person: &Person,
    dialog: bool,
    now: Timestamp,
) -> Question {
    let usual = if dialog { EXPIRES_S.0 } else { EXPIRES_S.1 };
    let lasts = matter.settings.config.approvals.expires_s.unwrap_or(usual);
    Question {
        exact,
        call: matter.call.call.as_ref().map(|c| c.0.clone()),
        subagent: matter.call.subagent.clone(),
        driver: person.login.clone(),
        dialog,
        risk: risk(matter.verdict, matter.reading),
        quorum: quorum(&matter.settings.config, matter.verdict),
        story: story(matter),
        asked_at: now,
        expires_at: now.saturating_add(SignedDuration::from_secs(lasts.into())).unwrap_or(now),
    }
}
