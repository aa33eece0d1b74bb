//! A person's consent in the flow: used where it was given, asked for where it was not, waited for inside the deadline.
//!
//! Where a person sits at the session and may decide, the agent's own question asks, and a decision made elsewhere may
//! come first. Where nobody sits there, where the agent answers its own questions, or where policy wants somebody else,
//! the hook itself waits, and then denies for now: the same call, repeated, runs once when it was agreed to.

use crate::flow::{Guard, GuardError};
use crate::lend::lending;
use crate::machine::Machine;
use crate::question::{self, Matter};
use crate::rails::Rails;
use crate::readers::{Reading, read_call};
use crate::session::Session;
use crate::settings::Settings;
use agents::{Answer, Context};
use approvals::{Case, Channel, Consent, Decision, Exact, Id, State, Store, Use};
use jiff::{SignedDuration, Timestamp};
use ledger::{Durability, Kind, Record};
use model::{AbsPath, ToolCall, VerdictKind};
use policy::{Asking, Grant, GrantScope, Mode, PolicyError, Verdict};
use std::time::{Duration, Instant};

/// How the rest of the program hears that a person is asked.
pub trait Bell {
    /// A new request waits; whoever is to be told is told now, without keeping the hook waiting.
    fn asked(&self, id: &str, how: &Asking);
    /// The hook is about to wait this long for a person: its own deadline moves by as much.
    fn waits(&self, at_most: Duration);
}

/// What came of asking.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A person agreed to exactly this call, which uses the consent up.
    Agreed(Consent),
    /// The agent's own question asks the person at the session.
    Dialog(Id),
    /// A person said no, in these words.
    Refused(Id, String),
    /// Nobody has decided yet.
    Waits(Id, String),
}

impl Heard {
    /// What is answered to the agent.
    pub(crate) fn applied(&self, verdict: &Verdict) -> VerdictKind {
        match self {
            Self::Agreed(_) if verdict.contained() => VerdictKind::Contain,
            Self::Agreed(_) => VerdictKind::Allow,
            Self::Dialog(_) => VerdictKind::Ask,
            Self::Refused(..) | Self::Waits(..) => VerdictKind::Deny,
        }
    }

    /// The request.
    pub(crate) fn id(&self) -> Id {
        match self {
            Self::Agreed(consent) => consent.id(),
            Self::Dialog(id) | Self::Refused(id, _) | Self::Waits(id, _) => *id,
        }
    }

    /// What the agent is told, before the verdict's own words.
    pub(crate) fn words(&self) -> Option<String> {
        match self {
            Self::Refused(_, words) | Self::Waits(_, words) => Some(words.clone()),
            Self::Agreed(consent) => {
                Some(format!("{} agreed ({})", consent.people().join(" and "), consent.id()))
            }
            Self::Dialog(_) => None,
        }
    }
}

/// How long a person's no stands for the same call, in seconds, before it may be asked again.
const NO_STANDS_S: i64 = 600;

fn later(now: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    now.saturating_add(by).unwrap_or(now)
}

/// The agent's modes in which it answers its own questions: what it would be asked there, nobody sees.
fn answers_itself(context: &Context) -> bool {
    matches!(context.mode.as_deref(), Some("bypassPermissions" | "dontAsk"))
}

/// How a question that the agent itself put was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// There, or nobody knows otherwise.
    There(Option<Id>),
    /// Somewhere else, where it was recorded.
    Elsewhere(Id),
}

impl Guard<'_> {
    fn ever_asked(&self) -> bool {
        self.roots.state.join("approvals").is_dir()
    }

    /// Finds out whether a person agrees, where policy asks for that.
    pub(crate) fn listen(&self, matter: &Matter<'_>) -> Result<Option<Heard>, GuardError> {
        let asks = matter.settings.mode() == Mode::Enforce && matter.verdict.kind() == VerdictKind::Ask;
        if asks { self.hear(matter).map(Some) } else { Ok(None) }
    }

    /// Finds out whether a person agrees to a call that policy asks about.
    fn hear(&self, matter: &Matter<'_>) -> Result<Heard, GuardError> {
        let store = Store::open(&self.roots.state)?;
        let exact = self.exact(matter);
        let by = used_by(matter.call);
        if let Some(consent) = store.consume(&exact, &by, self.now)? {
            return self.agreed(matter.context, matter.call, consent);
        }
        let quorum = question::quorum(&matter.settings.config, matter.verdict);
        let dialog = self.attended
            && !answers_itself(matter.context)
            && question::driver_suffices(&quorum, &self.person.login);
        if let Some(case) = store.of_action(&exact, self.now)?
            && case.state == State::Denied
            && case.entries.last().is_some_and(|e| self.now.duration_since(e.at).as_secs() < NO_STANDS_S)
        {
            return Ok(refused(&case));
        }
        let question = question::question(matter, exact.clone(), &self.person, dialog, self.now);
        let (case, new) = store.ask(question, self.now)?;
        if new {
            self.note(&self.asked_record(matter.context, matter.call, &case), Durability::Durable)?;
            if let Some(bell) = self.bell {
                bell.asked(&case.request.id.to_string(), &matter.settings.config.approvals);
            }
        }
        if dialog {
            return Ok(Heard::Dialog(case.request.id));
        }
        self.wait_for(matter, &store, &case, &exact)
    }

    /// The same action, as it is now: nothing of it may have changed since the person was asked.
    fn exact(&self, matter: &Matter<'_>) -> Exact {
        let contained = matter.verdict.contained();
        question::exact(self.agent, matter.call, matter.reading, matter.settings, contained, self.variables)
    }

    fn wait_for(
        &self,
        matter: &Matter<'_>,
        store: &Store,
        case: &Case,
        exact: &Exact,
    ) -> Result<Heard, GuardError> {
        let id = case.request.id;
        let wait = matter.settings.config.approvals.wait();
        let start = Instant::now();
        let case = match self.bell {
            Some(bell) if !wait.is_zero() => {
                bell.waits(wait);
                store.wait(id, wait, self.now)?
            }
            _ => store.get(id, self.now)?,
        };
        let now = later(self.now, start.elapsed());
        let Some(case) = case else { return Ok(waiting(id, "it was taken away", "")) };
        match case.state {
            State::Approved => {
                // What was true when the person was asked must be true when it runs: all of it is looked at again.
                let again = self.read_again(matter.call, matter.settings, matter.workspace, &case)?;
                let consent =
                    if again == *exact { store.consume(&again, &used_by(matter.call), now)? } else { None };
                match consent {
                    Some(consent) => self.agreed(matter.context, matter.call, consent),
                    None => {
                        Ok(waiting(id, "it was used by another call or the action changed meanwhile", ""))
                    }
                }
            }
            State::Denied => Ok(refused(&case)),
            State::Pending => {
                let needs = case.request.question.quorum.words();
                Ok(waiting(id, "pending", &needs))
            }
            State::Expired | State::Consumed => Ok(waiting(id, case.state.word(), "")),
        }
    }

    fn agreed(&self, context: &Context, call: &ToolCall, consent: Consent) -> Result<Heard, GuardError> {
        let record = self
            .begin(Kind::APPROVAL_USED, context)
            .with("approval", consent.id().to_string())
            .with("digest", consent.digest().as_str())
            .with("scope", consent.scope())
            .seal("people", consent.people().to_vec());
        self.note(&about(record, call), Durability::Durable)?;
        Ok(Heard::Agreed(consent))
    }

    fn asked_record(&self, context: &Context, call: &ToolCall, case: &Case) -> Record {
        let question = &case.request.question;
        let channel = if question.dialog { Channel::Agent.word() } else { "request" };
        let record = self
            .begin(Kind::APPROVAL_ASKED, context)
            .with("approval", case.request.id.to_string())
            .with("digest", case.request.digest.as_str())
            .with("channel", channel)
            .with("tool", call.tool.word())
            .with("risk", question.risk.word())
            .with("rule", question.story.rule.as_str())
            .with("needs", question.quorum.groups.iter().map(|g| g.name.clone()).collect::<Vec<_>>())
            .with("letters", question.story.text.chars().count())
            .seal("title", question.story.title.as_str());
        about(record, call)
    }

    /// Judges again with what people granted before, where the verdict alone would ask.
    pub(crate) fn with_grants(
        &self,
        verdict: Verdict,
        call: &ToolCall,
        reading: &Reading,
        settings: &Settings,
        judge: &dyn Fn(&[Grant]) -> Result<Verdict, PolicyError>,
        workspace: &AbsPath,
    ) -> Result<Verdict, GuardError> {
        // Nothing was ever asked or granted here: no key needs to be made for that.
        if verdict.kind() != VerdictKind::Ask || !self.ever_asked() {
            return Ok(verdict);
        }
        let store = Store::open(&self.roots.state)?;
        let mut grants = Vec::new();
        for template in store.templates(&call.session.0, self.now)? {
            grants.push(Grant {
                id: template.id.to_string(),
                action: template.effect.action,
                remote: template.effect.remote,
                scope: GrantScope::Template(template.pattern),
                approvers: template.groups,
                until: seconds(template.until),
            });
        }
        let quorum = question::quorum(&settings.config, &verdict);
        let driver = quorum.person(&self.person.login);
        for granted in store.granted()? {
            let task = &granted.task;
            let own = quorum.person(&task.account) == driver;
            // The driver's own grant counts for others' groups only where policy lets the driver decide alone.
            let counts = task.group == "developer" && own
                || task.group != "developer" && (!own || quorum.driver_alone);
            if !counts || !task.counts(&call.session.0, workspace, call.subagent.is_some(), self.now) {
                continue;
            }
            for effect in
                reading.effects.iter().filter(|e| task.covers(e) && !e.action.target().contains('*'))
            {
                grants.push(Grant {
                    id: granted.id.clone(),
                    action: effect.action.clone(),
                    remote: None,
                    // A pattern without a star is this target; given so, it no longer counts once the session is
                    // tainted, as with everything that was granted before.
                    scope: GrantScope::Template(effect.action.target()),
                    approvers: vec![task.group.clone()],
                    until: seconds(task.until),
                });
            }
        }
        if grants.is_empty() { Ok(verdict) } else { Ok(judge(&grants)?) }
    }

    /// The agent shows its own question: a decision made elsewhere may come first.
    pub(crate) fn dialog_shown(
        &self,
        context: &Context,
        call: &ToolCall,
    ) -> Result<Option<Answer>, GuardError> {
        if !self.ever_asked() {
            return Ok(None);
        }
        let store = Store::open(&self.roots.state)?;
        let Some(case) = dialog(&store, context, call, self.now)?.filter(|case| !case.state.settled()) else {
            return Ok(None);
        };
        let Some(bell) = self.bell else { return Ok(Some(Answer::Pass { notice: None })) };
        let workspace = self.workspace(context);
        let settings = Settings::load(self.roots, &workspace)?;
        let wait = settings.config.approvals.wait();
        bell.waits(wait);
        let id = case.request.id;
        let start = Instant::now();
        let Some(case) = store.wait(id, wait, self.now)? else {
            return Ok(Some(Answer::Pass { notice: None }));
        };
        Ok(Some(match case.state {
            State::Denied => {
                let (who, words) = case.denial().unwrap_or(("somebody", None));
                Answer::Deny { reason: denied_text(id, who, words), notice: None }
            }
            State::Approved => {
                let now = later(self.now, start.elapsed());
                let exact = self.read_again(call, &settings, &workspace, &case)?;
                match store.consume(&exact, &used_by(call), now)? {
                    Some(consent) => {
                        let people = consent.people().join(" and ");
                        let _agreed = self.agreed(context, call, consent)?;
                        Answer::Allow { reason: format!("{people} agreed ({id})"), input: None, notice: None }
                    }
                    None => Answer::Pass { notice: None },
                }
            }
            // Whoever sits there decides, or did.
            State::Pending | State::Expired | State::Consumed => Answer::Pass { notice: None },
        }))
    }

    /// The exact action of a call read anew, just before it runs.
    fn read_again(
        &self,
        call: &ToolCall,
        settings: &Settings,
        workspace: &AbsPath,
        case: &Case,
    ) -> Result<Exact, GuardError> {
        let session = Session::open(&self.roots.sessions(), &call.session.0)?;
        let rails = Rails::new(self.roots.own(), self.roots.home.as_ref());
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
        let contained = case.request.question.exact.sandbox.is_some();
        Ok(question::exact(self.agent, call, &reading, settings, contained, self.variables))
    }

    /// A call that the agent's own question asked about has run: its request is decided and used up.
    pub(crate) fn dialog_answered(&self, context: &Context, call: &ToolCall) -> Result<Answered, GuardError> {
        if !self.ever_asked() {
            return Ok(Answered::There(None));
        }
        let store = Store::open(&self.roots.state)?;
        let Some(case) = dialog(&store, context, call, self.now)? else { return Ok(Answered::There(None)) };
        let id = case.request.id;
        if case.state == State::Consumed && case.channel() != Some(Channel::Agent) {
            return Ok(Answered::Elsewhere(id));
        }
        // Somebody else may have decided at the same time; the call ran by the question all the same, and nothing of
        // the request may be left to run it again.
        let _ = store.decide(id, Decision::approve(self.person.login.as_str(), Channel::Agent), self.now);
        if store.consume(&case.request.question.exact, &used_by(call), self.now)?.is_none() {
            store.close(id, self.now)?;
        }
        Ok(Answered::There(Some(id)))
    }

    /// The agent's question is gone unanswered, or was answered no, which no agent reports: its requests end.
    pub(crate) fn dialogs_over(&self, context: &Context) -> Result<(), GuardError> {
        if !self.ever_asked() {
            return Ok(());
        }
        let store = Store::open(&self.roots.state)?;
        for case in store.unsettled(self.now)? {
            let question = &case.request.question;
            if question.dialog && question.exact.session == context.session.0 {
                store.close(case.request.id, self.now)?;
                let record = self
                    .begin(Kind::APPROVAL_DECIDED, context)
                    .with("approval", case.request.id.to_string())
                    .with("decision", "expired")
                    .with("channel", Channel::Agent.word());
                let record = match &question.call {
                    Some(call) => record.call(call.as_str()),
                    None => record,
                };
                self.note(&record, Durability::Relaxed)?;
            }
        }
        Ok(())
    }
}

/// The newest request of a session whose call is the same to the letter, asked by the agent's own question.
fn dialog(
    store: &Store,
    context: &Context,
    call: &ToolCall,
    now: Timestamp,
) -> Result<Option<Case>, GuardError> {
    let input = serde_json::to_string(&call.tool).unwrap_or_default();
    let alike = |case: &Case| {
        let exact = &case.request.question.exact;
        case.request.question.dialog
            && exact.session == context.session.0
            && exact.cwd == call.cwd.as_str()
            && exact.input == input
    };
    Ok(store.open_cases(now)?.into_iter().rev().find(alike))
}

fn used_by(call: &ToolCall) -> Use {
    Use { call: call.call.as_ref().map(|c| c.0.clone()), subagent: call.subagent.clone() }
}

fn about(record: Record, call: &ToolCall) -> Record {
    match &call.call {
        Some(id) => record.call(id.0.as_str()),
        None => record,
    }
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or(0)
}

fn denied_text(id: Id, who: &str, words: Option<&str>) -> String {
    match words.map(str::trim).filter(|w| !w.is_empty()) {
        Some(words) => format!("{who} said no ({id}): {}", crate::words::visible(words)),
        None => format!("{who} said no ({id})"),
    }
}

fn refused(case: &Case) -> Heard {
    let (who, words) = case.denial().unwrap_or(("somebody", None));
    Heard::Refused(case.request.id, denied_text(case.request.id, who, words))
}

fn waiting(id: Id, state: &str, needs: &str) -> Heard {
    let who = if needs.is_empty() { String::new() } else { format!(" (needs {needs})") };
    Heard::Waits(
        id,
        format!(
            "approval {id} {state}{who}; run the same call again when it is granted: ambit approvals approve {id}, typed by a person in a terminal of their own"
        ),
    )
}
