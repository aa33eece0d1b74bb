//! What a request has come to: the fold of its entries. The only place that says whether something is approved.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decision::{Channel, Choice, Decision, Entry, Scope, What};
use crate::request::{Quorum, Request, Risk};

/// What a request has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for people.
    Pending,
    /// Enough agreed, and it was not used up.
    Approved,
    /// Enough said no.
    Denied,
    /// Its time was over before it was decided or used.
    Expired,
    /// It was used, and counts no more.
    Consumed,
}

impl State {
    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Consumed => "consumed",
        }
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub fn settled(self) -> bool {
        matches!(self, Self::Denied | Self::Expired | Self::Consumed)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A request with what happened to it. Only the store makes one, after checking every digest and signature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Case {
    /// The request.
    pub request: Request,
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// What it has come to.
    pub state: State,
    /// What the consent is for, where it was given.
    pub scope: Option<Scope>,
    /// Until when the consent counts, where it was given.
    pub until: Option<Timestamp>,
    /// The people who agreed, each once.
    pub agreed: BTreeSet<String>,
    /// The people who said no, each once.
    pub refused: BTreeSet<String>,
    /// How many calls ran by it.
    pub uses: u32,
}

impl Case {
    /// The decisions, in order, with their times.
    pub fn decisions(&self) -> impl Iterator<Item = (Timestamp, &Decision)> {
        self.entries.iter().filter_map(|e| match &e.what {
            What::Decided(decision) => Some((e.at, decision)),
            What::Used(_) | What::Closed => None,
        })
    }

    /// The last words of somebody who said no.
    #[must_use]
    pub fn denial(&self) -> Option<(&str, Option<&str>)> {
        let no = self.decisions().filter(|(_, d)| d.choice == Choice::Deny).last()?.1;
        Some((no.account.as_str(), no.words.as_deref()))
    }

    /// Where the consent was given, where it was.
    #[must_use]
    pub fn channel(&self) -> Option<Channel> {
        self.decisions().filter(|(_, d)| d.choice == Choice::Approve).last().map(|(_, d)| d.channel)
    }
}

/// Longest that a consent for more than one use counts, in seconds: eight hours.
pub const LONGEST_SCOPE_S: i64 = 8 * 60 * 60;
/// How long a consent to one call waits to be used, in seconds after it was given: an hour, as for queued requests.
pub const USE_WITHIN_S: i64 = 60 * 60;

/// Why a decision does not count, if it does not: also asked before one is written.
pub(crate) enum Objection {
    NotAllowed,
    WrongChannel,
    NotConfirmed,
    NoReason,
    BadScope(&'static str),
}

/// Least length of a reason for a consent out of turn, in characters.
pub(crate) const LEAST_REASON: usize = 10;

/// Whether a person may decide, by the request's own quorum.
#[must_use]
pub fn may_decide(quorum: &Quorum, driver: &str, account: &str) -> bool {
    quorum.groups.is_empty() && quorum.person(account) == quorum.person(driver)
        || quorum.groups.iter().any(|group| in_group(quorum, group, driver, account))
}

fn in_group(quorum: &Quorum, group: &crate::request::Group, driver: &str, account: &str) -> bool {
    let person = quorum.person(account);
    (group.driver && person == quorum.person(driver))
        || group.members.iter().any(|member| quorum.person(member) == person)
}

/// What speaks against a decision at a time.
pub(crate) fn objection(request: &Request, decision: &Decision, at: Timestamp) -> Option<Objection> {
    let question = &request.question;
    let quorum = &question.quorum;
    let out_of_turn = decision.break_glass
        && quorum.break_glass.iter().any(|p| quorum.person(p) == quorum.person(&decision.account));
    if decision.break_glass && !out_of_turn {
        return Some(Objection::NotAllowed);
    }
    if !out_of_turn && !may_decide(quorum, &question.driver, &decision.account) {
        return Some(Objection::NotAllowed);
    }
    if decision.choice == Choice::Deny {
        return None;
    }
    let words = decision.words.as_deref().map_or(0, |w| w.trim().chars().count());
    if out_of_turn && words < LEAST_REASON {
        return Some(Objection::NoReason);
    }
    if decision.channel == Channel::Chat && question.risk > Risk::Ordinary {
        return Some(Objection::WrongChannel);
    }
    // The agent's own question has only yes and no; whether it may be put at all is not for the store to say.
    if question.risk == Risk::Critical
        && decision.channel != Channel::Agent
        && decision.typed.as_deref().map(str::trim) != Some(request.word().as_str())
    {
        return Some(Objection::NotConfirmed);
    }
    scope_objection(request, &decision.scope, at)
}

fn scope_objection(request: &Request, scope: &Scope, at: Timestamp) -> Option<Objection> {
    let bad = |why| Some(Objection::BadScope(why));
    let until = match scope {
        Scope::Once => return None,
        Scope::Session { until } | Scope::Template { until, .. } => *until,
    };
    if request.question.risk == Risk::Critical {
        return bad("what is critical is approved once at a time");
    }
    if until <= at {
        return bad("its time is over already");
    }
    if until.duration_since(at).as_secs() > LONGEST_SCOPE_S {
        return bad("it would last longer than eight hours; make a rule of it, which can be reviewed");
    }
    if let Scope::Template { effect, pattern, .. } = scope {
        if request.question.story.effects.get(*effect).is_none() {
            return bad("there is no such effect");
        }
        if pattern.trim().is_empty() || pattern.chars().all(|c| c == '*' || c == '/') {
            return bad("a pattern that fits everything is no pattern");
        }
    }
    None
}

/// Folds checked entries. A decision that may not count never does, whoever wrote it.
pub(crate) fn fold(request: Request, entries: Vec<Entry>, now: Timestamp) -> Case {
    let mut case = Case {
        request,
        entries: Vec::new(),
        state: State::Pending,
        scope: None,
        until: None,
        agreed: BTreeSet::new(),
        refused: BTreeSet::new(),
        uses: 0,
    };
    for entry in entries {
        step(&mut case, &entry);
        case.entries.push(entry);
    }
    let over = match case.state {
        State::Pending => now >= case.request.question.expires_at,
        State::Approved => case.until.is_none_or(|until| now >= until),
        State::Denied | State::Expired | State::Consumed => false,
    };
    if over {
        case.state = State::Expired;
    }
    case
}

fn step(case: &mut Case, entry: &Entry) {
    match &entry.what {
        What::Closed => {
            if !case.state.settled() {
                case.state = State::Expired;
            }
        }
        What::Used(_) => {
            if case.state == State::Approved && case.until.is_some_and(|until| entry.at < until) {
                case.uses += 1;
                if case.scope == Some(Scope::Once) {
                    case.state = State::Consumed;
                }
            }
        }
        What::Decided(decision) => decided(case, decision, entry.at),
    }
}

fn decided(case: &mut Case, decision: &Decision, at: Timestamp) {
    if objection(&case.request, decision, at).is_some() {
        return;
    }
    let quorum = &case.request.question.quorum;
    let person = quorum.person(&decision.account).to_owned();
    match (case.state, decision.choice) {
        // What was agreed to can be taken back as long as it was not used up.
        (State::Approved, Choice::Deny) => {
            case.refused.insert(person);
            case.state = State::Denied;
        }
        (State::Pending, _) if at >= case.request.question.expires_at => {}
        (State::Pending, Choice::Deny) => {
            case.agreed.remove(&person);
            case.refused.insert(person);
            if case.refused.len() >= usize::from(quorum.deny.max(1)) {
                case.state = State::Denied;
            }
        }
        (State::Pending, Choice::Approve) => {
            case.refused.remove(&person);
            let first = case.agreed.is_empty();
            case.agreed.insert(person);
            // People who mean different things agree on the least of them.
            case.scope = match case.scope.take() {
                None => Some(decision.scope.clone()),
                Some(_) if first => Some(decision.scope.clone()),
                Some(scope) if scope == decision.scope => Some(scope),
                Some(_) => Some(Scope::Once),
            };
            if decision.break_glass || enough(case) {
                case.state = State::Approved;
                case.until = Some(match &case.scope {
                    Some(Scope::Session { until } | Scope::Template { until, .. }) => *until,
                    Some(Scope::Once) | None => {
                        at.saturating_add(jiff::SignedDuration::from_secs(USE_WITHIN_S)).unwrap_or(at)
                    }
                });
            }
        }
        _ => {}
    }
}

/// Whether those who agreed are enough: people counted once, each group among them.
fn enough(case: &Case) -> bool {
    let question = &case.request.question;
    let quorum = &question.quorum;
    let driver = quorum.person(&question.driver);
    case.agreed.len() >= usize::from(quorum.approve.max(1))
        && (quorum.driver_alone || case.agreed.iter().any(|person| person != driver))
        && quorum
            .groups
            .iter()
            .all(|group| case.agreed.iter().any(|person| in_group(quorum, group, &question.driver, person)))
}
