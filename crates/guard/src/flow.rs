//! The flow: a call is read, judged, recorded, and only then let through.

use crate::approve::{Answered, Bell, Heard};
use crate::concede::Made;
use crate::hide::Before;
use crate::lend::{lending, loans};
use crate::machine::Machine;
use crate::pending::Pending;
use crate::question::Matter;
use crate::rails::Rails;
use crate::readers::{Reading, read_call};
use crate::records::{self, InForce, Person};
use crate::roots::Roots;
use crate::session::{Marks, Session, SessionError};
use crate::settings::{Settings, SettingsError};
use crate::ticket::Ticket;
use crate::{concede, rebuild, words};
use agents::{Answer, Context, Event, Report};
use jiff::Timestamp;
use ledger::{Durability, Kind, Ledger, LedgerError, Options, Record, Recorded};
use model::{
    AbsPath, Action, EffectKind, HostZone, Offers, PathClass, PathTarget, ToolCall, Tri, Verb, VerdictKind,
};
use policy::{Grant, Layer, Mode, PolicyError, Subject, Verdict};
use std::time::Duration;

/// How long a lock is waited for before the call is denied.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The guard of one machine, for one event.
pub struct Guard<'a> {
    /// Where things lie.
    pub roots: &'a Roots,
    /// The agent's short name.
    pub agent: &'a str,
    /// The project's root as the agent says, if it does.
    pub project: Option<AbsPath>,
    /// Whether a person sits at the session and sees the agent's questions.
    pub attended: bool,
    /// Who is at the machine.
    pub person: Person,
    /// Whether this machine's sandbox reaches the tier that is asked for. Asked only where it matters.
    pub sandbox: &'a dyn Fn() -> bool,
    /// Who is told that a person is asked; without it nobody is, and the hook does not wait.
    pub bell: Option<&'a dyn Bell>,
    /// The environment's variables.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
    /// Now.
    pub now: Timestamp,
}

impl std::fmt::Debug for Guard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("roots", &self.roots)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

/// Why a call could not be judged. Whoever gets this answers *deny*.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Configuration or policy.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Policy could not be asked.
    #[error("policy could not be asked: {0}")]
    Policy(#[from] PolicyError),
    /// The ledger takes no record.
    #[error("the decision could not be recorded: {0}")]
    Ledger(#[from] LedgerError),
    /// The session's state.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A person could not be asked.
    #[error("no person could be asked: {0}")]
    Approval(#[from] approvals::ApprovalError),
}

impl Guard<'_> {
    /// Takes in what the agent reports and answers it.
    ///
    /// # Errors
    /// [`GuardError`] when the event could not be judged or recorded; the caller answers *deny*.
    pub fn handle(&self, report: &Report) -> Result<Answer, GuardError> {
        let restored = match self.before(report)? {
            Before::Answered(answer) => return Ok(answer),
            Before::Restored(input) => Some(input),
            Before::Nothing => None,
        };
        let answer = self.after(report, self.judged(report)?)?;
        Ok(match (restored, answer) {
            (Some(own), Answer::Allow { reason, input: None, notice }) => {
                Answer::Allow { reason, input: Some(own), notice }
            }
            (Some(own), Answer::Ask { reason, input: None, notice }) => {
                Answer::Ask { reason, input: Some(own), notice }
            }
            (_, answer) => answer,
        })
    }

    fn judged(&self, report: &Report) -> Result<Answer, GuardError> {
        match &report.event {
            Event::Proposed(call) => self.proposed(report, call),
            Event::Ended(call, outcome) => {
                let record = self.begin(Kind::OUTCOME, &report.context);
                self.note(&records::outcome(record, call, outcome), Durability::Relaxed)?;
                self.settle(&report.context, call)?;
                self.after_concessions(&report.context, call, outcome)
            }
            Event::Asked(call) => {
                let original = Ticket::original(self.roots, call);
                let call = original.as_ref().unwrap_or(call);
                if let Some(answer) = self.dialog_shown(&report.context, call)? {
                    return Ok(answer);
                }
                let record = self
                    .begin(Kind::APPROVAL_ASKED, &report.context)
                    .with("channel", "the agent's own question");
                let waiting = Pending::waiting(self.roots, &report.context, call);
                let record = records::asked(record.with("tool", call.tool.word()), call, &waiting);
                self.note(&record, Durability::Durable)?;
                Ok(Answer::Pass { notice: None })
            }
            Event::Prompt { text } => {
                let record = self.begin(Kind::PROMPT, &report.context).seal("text", text.as_str());
                self.note(&record, Durability::Relaxed)?;
                self.dialogs_over(&report.context)?;
                Ok(Answer::Pass { notice: None })
            }
            Event::SessionStart { source } => self.session_start(&report.context, source),
            Event::SessionEnd { reason } => {
                let record = self.begin(Kind::SESSION_END, &report.context).with("reason", reason.as_str());
                self.note(&record, Durability::Durable)?;
                self.dialogs_over(&report.context)?;
                Ok(Answer::Pass { notice: None })
            }
            Event::SubagentStart { id, kind } => {
                let record = self.begin(Kind::SUBAGENT_START, &report.context).with("subagent", id.as_str());
                self.note(&record.with("type", kind.as_str()), Durability::Relaxed)?;
                Ok(Answer::Pass { notice: None })
            }
            Event::SubagentStop { id } => {
                let record = self.begin(Kind::SUBAGENT_END, &report.context).with("subagent", id.as_str());
                self.note(&record, Durability::Relaxed)?;
                Ok(Answer::Pass { notice: None })
            }
            Event::ConfigChange { source, path } => {
                let record =
                    self.begin(Kind::CONFIG_CHANGED, &report.context).with("source", source.as_str());
                self.note(&record.seal("path", path.clone().unwrap_or_default()), Durability::Durable)?;
                Ok(switched_off(path.as_deref()))
            }
            Event::Other { .. } => Ok(Answer::Pass { notice: None }),
        }
    }

    pub(crate) fn begin(&self, kind: Kind, context: &Context) -> Record {
        records::begin(kind, self.agent, context, &self.person)
    }

    /// Records what needs no proof: nothing waits for it.
    pub(crate) fn note(&self, record: &Record, durability: Durability) -> Result<(), GuardError> {
        let _recorded = self.append(record, durability)?;
        Ok(())
    }

    fn append(&self, record: &Record, durability: Durability) -> Result<Recorded, GuardError> {
        let options = Options { lock_wait: LOCK_WAIT, ..Options::default() };
        let record = self.clean(record.clone());
        Ok(Ledger::open(&self.roots.state, options)?.append(&record, durability, self.now)?)
    }

    /// The workspace of a session: what the agent calls its project, else the repository that holds the directory,
    /// else the directory.
    pub(crate) fn workspace(&self, context: &Context) -> AbsPath {
        self.project.clone().unwrap_or_else(|| workspace_of(&context.cwd, self.roots.home.as_ref()))
    }

    fn session_start(&self, context: &Context, source: &str) -> Result<Answer, GuardError> {
        let workspace = self.workspace(context);
        let mut session = Session::open(&self.roots.sessions(), &context.session.0)?;
        session.add(&[], Marks::default(), LOCK_WAIT)?;
        Ticket::sweep(&self.roots.state, self.now);
        let record = self
            .begin(Kind::SESSION_START, context)
            .with("source", source)
            .with("attended", self.attended)
            .with("permission_mode", context.mode.clone().unwrap_or_default())
            .seal("workspace", workspace.as_str())
            .seal("cwd", context.cwd.as_str());
        let loaded = Settings::load(self.roots, &workspace);
        let (record, notice) = match &loaded {
            Ok(settings) => {
                let mode = mode_word(settings.mode());
                let mut text = format!("Ambit is on ({mode}).");
                for notice in &settings.notices {
                    text.push_str(&format!("\nAmbit: {notice}"));
                }
                (record.with("mode", mode).with("policy", settings.version.as_str()), text)
            }
            Err(e) => (record.with("mode", "deny"), format!("Ambit denies every call: {e}")),
        };
        self.note(&record, Durability::Durable)?;
        if let Ok(settings) = &loaded {
            self.note_policy(context, settings)?;
        }
        Ok(Answer::Pass { notice: Some(notice) })
    }

    /// Records that other rules are in force, or that the ones at hand are broken.
    fn note_policy(&self, context: &Context, settings: &Settings) -> Result<(), GuardError> {
        if let Some(why) = &settings.broken {
            let record = self.begin(Kind::POLICY_BROKEN, context).with("policy", settings.version.as_str());
            self.note(&record.seal("why", why.as_str()), Durability::Durable)?;
        } else if settings.changed {
            let record = self.begin(Kind::POLICY_CHANGED, context).with("policy", settings.version.as_str());
            self.note(&record, Durability::Durable)?;
        }
        Ok(())
    }

    fn proposed(&self, report: &Report, call: &ToolCall) -> Result<Answer, GuardError> {
        let context = &report.context;
        let workspace = self.workspace(context);
        let settings = Settings::load(self.roots, &workspace)?;
        if settings.changed || settings.broken.is_some() {
            self.note_policy(context, &settings)?;
        }
        let mut session = Session::open(&self.roots.sessions(), &context.session.0)?;
        if session.fresh || session.damage.is_some() {
            if session.damage.is_some() {
                session.repair(LOCK_WAIT)?;
            }
            rebuild::from_ledger(&mut session, self.roots, &context.session.0, LOCK_WAIT)?;
        }
        let rails = Rails::new(self.roots.own(), self.roots.home.as_ref());
        let contain = self.can_contain(report, call, &workspace);
        let machine = Machine::new(
            workspace.clone(),
            self.roots.home.clone(),
            &settings.config,
            Some(&session),
            &rails,
            self.variables,
        );
        let mut reading = read_call(&call.tool, &call.cwd, &machine, &settings.table, &settings.config);
        lending(&mut reading, &settings.config.secrets, &self.roots.state, self.now);
        drop(machine);
        let subject = Subject {
            session: context.session.0.clone(),
            agent: self.agent.to_owned(),
            sandbox: contain,
            untrusted_seen: session.own().has(Marks::UNTRUSTED_SEEN),
            sensitive_read: session.own().has(Marks::SENSITIVE_READ),
            attended: self.attended,
            now: u64::try_from(self.now.as_second()).unwrap_or(0),
        };
        let groups = settings.config.groups();
        let plan = concede::planned(&reading);
        let offers = Offers { snapshot: plan.is_some(), contain };
        let judge = |offers| {
            let by =
                |grants: &[Grant]| settings.policy.judge(&subject, &reading.effects, offers, &groups, grants);
            self.with_grants(by(&[])?, call, &reading, &settings, &by, &workspace)
        };
        let says = report.input.as_ref().and_then(|i| i.get("description")?.as_str().map(str::to_owned));
        let listen = |verdict: &Verdict| {
            let (settings, session) = (&settings, &session);
            let says = says.clone();
            self.listen(&Matter {
                context,
                call,
                reading: &reading,
                verdict,
                settings,
                session,
                workspace: &workspace,
                says,
            })
        };
        let mut made = Made::of(judge(offers)?);
        made.heard = listen(&made.verdict)?;
        if self.goes_on(&made, &settings)
            && made.verdict.snapshot()
            && let Some(plan) = plan
        {
            match concede::take(self.roots, context, call, (plan, &reading, &made.verdict), self.now) {
                Ok(taken) => made.taken = Some(taken),
                // What cannot be kept is not offered, and without it the call is another question.
                Err(why) => {
                    made = Made::of(judge(Offers { snapshot: false, ..offers })?);
                    made.heard = listen(&made.verdict)?;
                    made.not_kept = Some(why.to_string());
                }
            }
        }
        if self.goes_on(&made, &settings) && made.verdict.contained() {
            made.rewritten = self.rewrite(report, call, &workspace, (false, loans(&reading.effects)))?;
        } else if self.goes_on(&made, &settings) && self.prints(context, call, &reading)? {
            made.filtered = self.rewrite(report, call, &workspace, (true, Vec::new()))?;
        }
        self.conclude(context, call, &reading, &made, &settings, &mut session)
    }

    /// Whether a call with this verdict may run, at once or when a person agrees, so that concessions are made.
    fn goes_on(&self, made: &Made, settings: &Settings) -> bool {
        settings.mode() == Mode::Enforce && applied(made, settings) != VerdictKind::Deny
    }

    /// Records the decision and answers it.
    fn conclude(
        &self,
        context: &Context,
        call: &ToolCall,
        reading: &Reading,
        made: &Made,
        settings: &Settings,
        session: &mut Session,
    ) -> Result<Answer, GuardError> {
        let mode = settings.mode();
        let verdict = &made.verdict;
        let mut text = words::verdict_text(verdict, reading, &call.tool);
        made.tell(&mut text);
        let applied = applied(made, settings);
        let force = InForce {
            mode: mode_word(mode),
            applied: applied.word(),
            policy: &settings.version,
            attended: self.attended,
        };
        let record = records::decision(self.begin(Kind::DECISION, context), call, reading, verdict, force);
        let record = made.record(record);
        let durability = if applied == VerdictKind::Allow && mode == Mode::Enforce && made.taken.is_none() {
            Durability::Relaxed
        } else {
            Durability::Durable
        };
        let recorded = self.append(&record, durability)?;
        made.remember(self.roots, context, call)?;
        let seen = provenance(reading);
        match applied {
            VerdictKind::Allow | VerdictKind::Contain => session.add(&seen.paths, seen.own, LOCK_WAIT)?,
            VerdictKind::Ask => {
                Pending::new(&seen.paths, seen.own, verdict.rule()).keep(self.roots, context, call)?;
            }
            VerdictKind::Deny => {}
        }
        let notice = settings
            .broken
            .as_ref()
            .map(|why| format!("Ambit: the policy is broken, the last good one stays in force: {why}"));
        Ok(match applied {
            VerdictKind::Deny => Answer::Deny { reason: text, notice },
            VerdictKind::Ask => Answer::Ask { reason: text, input: made.input(), notice },
            VerdictKind::Allow | VerdictKind::Contain => let_through(made, recorded, mode, text, notice),
        })
    }

    /// After a call that a person was asked about: it ran, so the person agreed in the agent's own question.
    fn settle(&self, context: &Context, call: &ToolCall) -> Result<(), GuardError> {
        let Some(pending) = Pending::take(self.roots, context, call)? else { return Ok(()) };
        let answered = self.dialog_answered(context, call)?;
        if let Answered::There(id) = &answered {
            let mut record = self
                .begin(Kind::APPROVAL_DECIDED, context)
                .with("decision", "approve")
                .with("channel", "the agent's own question")
                .with("rule", pending.rule.as_str());
            if let Some(id) = id {
                record = record.with("approval", id.to_string());
            }
            let record = match &call.call {
                Some(id) => record.call(id.0.as_str()),
                None => record,
            };
            self.note(&record, Durability::Durable)?;
        }
        let mut session = Session::open(&self.roots.sessions(), &context.session.0)?;
        session.add(&pending.paths(), pending.own(), LOCK_WAIT)?;
        Ok(())
    }
}

/// What is answered: the verdict, or what came of asking a person; in observe mode everything passes except what the
/// floor forbids.
fn applied(made: &Made, settings: &Settings) -> VerdictKind {
    let verdict = &made.verdict;
    let floor = verdict.kind() == VerdictKind::Deny && verdict.layer() == Layer::Floor;
    if settings.mode() == Mode::Observe && !floor {
        return VerdictKind::Allow;
    }
    match (&made.heard, verdict.kind()) {
        (Some(heard), VerdictKind::Ask) => heard.applied(verdict),
        // Nobody was asked.
        (None, VerdictKind::Ask) => VerdictKind::Deny,
        (_, kind) => kind,
    }
}

/// The one place where a call is let through: it takes a verdict, which only policy can make, with the consent of a
/// person where the verdict asks for it, which only approvals can make, and the proof that the decision is in the
/// ledger, which only the ledger can make.
fn let_through(made: &Made, recorded: Recorded, mode: Mode, text: String, notice: Option<String>) -> Answer {
    let consented = matches!(made.heard, Some(Heard::Agreed(_))) && made.verdict.kind() == VerdictKind::Ask;
    let _in_the_ledger: u64 = recorded.index();
    match mode {
        // What would have been said is for the record only: the agent's own rules go on as without Ambit.
        Mode::Observe => Answer::Pass { notice },
        Mode::Enforce if made.verdict.kind() > VerdictKind::Contain && !consented => {
            let reason = format!("{text}\nNobody who may has agreed to this, so nothing was run.");
            Answer::Deny { reason, notice }
        }
        Mode::Enforce if !made.kept_what_the_verdict_demands() => {
            let reason = format!("{text}\nAmbit could not do what this depends on, so nothing was run.");
            Answer::Deny { reason, notice }
        }
        Mode::Enforce => Answer::Allow { reason: text, input: made.input(), notice },
    }
}

/// The word for a mode.
#[must_use]
pub fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}

/// The repository that holds a directory, else the directory. A home or a root is never a workspace by being a
/// repository: only by being the directory the agent was started in.
#[must_use]
pub fn workspace_of(cwd: &AbsPath, home: Option<&AbsPath>) -> AbsPath {
    let mut dir = Some(cwd.clone());
    while let Some(here) = dir {
        if Some(&here) == home || here == AbsPath::root() {
            break;
        }
        if here.as_std().join(".git").exists() {
            return here;
        }
        dir = here.parent();
    }
    cwd.clone()
}

/// What a session will have done and seen once the call has run.
#[derive(Debug, Clone)]
pub struct Provenance {
    pub(crate) paths: Vec<(AbsPath, Marks)>,
    pub(crate) own: Marks,
}

/// What a call, once it has run, will have done and seen.
#[must_use]
pub fn provenance(reading: &Reading) -> Provenance {
    let mut out = Provenance { paths: Vec::new(), own: Marks::default() };
    let downloads = reading.effects.iter().any(|e| e.kind() == EffectKind::Fetch);
    for effect in reading.effects.iter().filter(|e| e.remote.is_none()) {
        match &effect.action {
            Action::Write(p) | Action::Create(p) => {
                if let PathTarget::Known(path) = &p.target
                    && p.class != PathClass::NullDevice
                {
                    let mut marks = Marks::WROTE;
                    if p.exists == Tri::No {
                        marks = marks.and(Marks::CREATED);
                    }
                    if downloads {
                        marks = marks.and(Marks::DOWNLOADED);
                    }
                    out.paths.push((path.clone(), marks));
                }
            }
            Action::Read(p)
                if matches!(
                    p.class,
                    PathClass::Credential | PathClass::EnvFile | PathClass::ProcessMemory
                ) =>
            {
                out.own = out.own.and(Marks::SENSITIVE_READ);
            }
            Action::Reveal(_) => out.own = out.own.and(Marks::SENSITIVE_READ),
            Action::Fetch(n) if n.zone != HostZone::Loopback => out.own = out.own.and(Marks::UNTRUSTED_SEEN),
            Action::Call(t) if matches!(t.verb, Verb::Read | Verb::Unknown) => {
                out.own = out.own.and(Marks::UNTRUSTED_SEEN);
            }
            _ => {}
        }
    }
    out
}

/// A changed settings file that switches every hook off is refused, as far as the agent lets it be.
fn switched_off(path: Option<&str>) -> Answer {
    let off = path
        .and_then(|p| fs_err::read(p).ok())
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        .is_some_and(|v| v.get("disableAllHooks").and_then(serde_json::Value::as_bool) == Some(true));
    if off {
        let reason = "Ambit does not accept this change: `disableAllHooks` would switch the guard off. Run `ambit uninstall` to take Ambit out.";
        return Answer::Deny { reason: reason.to_owned(), notice: Some(reason.to_owned()) };
    }
    Answer::Pass { notice: None }
}
