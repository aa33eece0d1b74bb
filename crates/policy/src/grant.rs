//! What a person granted to a session: consent given beforehand, for one exact action or for a template of it.

use model::{Action, Effect, RemotePlace, matches};
use serde::{Deserialize, Serialize};

/// Which effects a grant is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantScope {
    /// This action on this target, and no other.
    Exact,
    /// Actions that differ from the granted one only in their names, where the target matches this pattern
    /// (`*` any text). All guarded facts (force, class, zone, verb, environment …) must be the same.
    Template(String),
}

/// Consent given beforehand. It stands in for the approval that a rule asks for, and for nothing else: what no
/// approval permits, no grant permits. Runs that Ambit does not understand are never granted beforehand. Once a session has seen untrusted content and read sensitive data, templates
/// no longer count, since the person gave them before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The approval it comes from.
    pub id: String,
    /// The action that was granted.
    pub action: Action,
    /// Where it was to happen, if not on this machine.
    pub remote: Option<RemotePlace>,
    /// Which effects it is for.
    pub scope: GrantScope,
    /// Who agreed: `developer` or names of approver groups.
    pub approvers: Vec<String>,
    /// When it ends, in seconds since 1970-01-01 UTC; at that second it no longer counts.
    pub until: u64,
}

impl Grant {
    /// Whether the grant is for this effect at this time (seconds since 1970-01-01 UTC).
    #[must_use]
    pub fn covers(&self, effect: &Effect, now: u64) -> bool {
        if now >= self.until || self.remote != effect.remote || self.action.kind() != effect.kind() {
            return false;
        }
        // What a program does that Ambit does not understand depends on more than the facts name: its arguments,
        // its text. Consent to one run says nothing of the next.
        if matches!(&effect.action, Action::Run(run) if !run.understood) {
            return false;
        }
        match &self.scope {
            GrantScope::Exact => settled(&self.action) == settled(&effect.action),
            GrantScope::Template(pattern) => {
                shape(&self.action) == shape(&effect.action)
                    && !climbs(&effect.action.target())
                    && matches(pattern, &effect.action.target())
            }
        }
    }
}

/// Whether a target could lie elsewhere than its text says.
fn climbs(target: &str) -> bool {
    target.split(['/', ' ']).any(|part| part == "..")
}

/// The action without what changes by itself between two runs of the same command.
fn settled(action: &Action) -> Action {
    let mut action = action.clone();
    if let Action::Read(p) | Action::Write(p) | Action::Create(p) | Action::Delete(p) = &mut action {
        p.git = model::GitState::Unknown;
        p.exists = model::Tri::Unknown;
        p.made_by_session = false;
        p.size = None;
    }
    action
}

/// The action without its names: what is left are the facts that rules guard by.
fn shape(action: &Action) -> Action {
    let mut action = settled(action);
    let none = String::new;
    match &mut action {
        Action::Read(p) | Action::Write(p) | Action::Create(p) | Action::Delete(p) => {
            // A known path and a pattern are different promises: a pattern may match more than it shows.
            p.target = match &p.target {
                model::PathTarget::Known(_) => model::PathTarget::Unknown("known".to_owned()),
                model::PathTarget::Under { .. } => model::PathTarget::Unknown("under".to_owned()),
                model::PathTarget::Unknown(text) => model::PathTarget::Unknown(format!("unknown {text}")),
            };
        }
        Action::Rewrite(r) => r.reference = none(),
        Action::Push(p) => {
            p.remote = none();
            p.reference = none();
        }
        Action::Run(r) => {
            r.program = none();
            r.why = None;
        }
        Action::Escalate(e) => e.target = none(),
        Action::Persist(p) => p.place = none(),
        Action::Signal(s) => s.process = none(),
        Action::Install(i) | Action::Publish(i) => {
            // The project's own list and a named package stay apart.
            if !i.package.is_empty() {
                i.package = "named".to_owned();
            }
        }
        Action::Operate(s) => s.resource = none(),
        Action::Query(q) => q.database = none(),
        Action::Send(n) | Action::Fetch(n) => n.host = none(),
        Action::Message(c) => c.target = none(),
        // What is discarded, lent, shown, called or guarded stays exactly what it was.
        Action::Discard(_)
        | Action::UseSecret(_)
        | Action::Reveal(_)
        | Action::Call(_)
        | Action::Tamper(_) => {}
    }
    action
}
