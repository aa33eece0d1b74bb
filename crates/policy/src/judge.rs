//! Judging a call: the least concession under which every effect of it is permitted.

use crate::compile::{Brief, Compiled, Shard, index};
use crate::grant::{Grant, GrantScope};
use crate::ladder::{Rung, Stages};
use crate::memory::{self, Kept, Memory};
use crate::request::{Conceded, Question};
use crate::verdict::{EffectResult, Verdict};
use crate::{Layer, PolicyError, Preset, Snapshot, Sources, compile};
use cedar_policy::{Authorizer, Decision, Entities};
use model::{Effect, EffectKind, Needs, Offers, VerdictKind};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// What is known of the session that makes the call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// The session's identifier.
    pub session: String,
    /// The agent's short name.
    pub agent: String,
    /// Whether this machine could contain the call at all.
    pub sandbox: bool,
    /// Whether the session has seen untrusted content.
    pub untrusted_seen: bool,
    /// Whether the session has read sensitive data.
    pub sensitive_read: bool,
    /// Whether a person sits at the session.
    pub attended: bool,
    /// The time, in seconds since 1970-01-01 UTC, against which grants end.
    pub now: u64,
}

/// Policy in force: asks Cedar, kind by kind, and reads only the parts it needs.
pub struct Policy {
    shards: Vec<OnceLock<Shard>>,
    snapshot: Option<Snapshot>,
    /// Cedar itself, begun when it is first asked.
    cedar: OnceLock<(Authorizer, Entities)>,
    memory: Option<Mutex<Memory>>,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

impl From<Compiled> for Policy {
    fn from(compiled: Compiled) -> Self {
        Self::new(compiled.shards.into_iter().map(OnceLock::from).collect(), None)
    }
}

impl From<Snapshot> for Policy {
    fn from(snapshot: Snapshot) -> Self {
        Self::new(EffectKind::ALL.iter().map(|_| OnceLock::new()).collect(), Some(snapshot))
    }
}

impl Policy {
    fn new(shards: Vec<OnceLock<Shard>>, snapshot: Option<Snapshot>) -> Self {
        Self { shards, snapshot, cedar: OnceLock::new(), memory: None }
    }

    /// Keeps answers at `path`, beside the snapshot, so that the next process need not ask again. Only a policy from a
    /// snapshot has the digest by which its answers are told from another's.
    #[must_use]
    pub fn remembering(mut self, path: &Path) -> Self {
        self.memory = self.snapshot.is_some().then(|| Mutex::new(Memory::open(path)));
        self
    }

    fn memory(&self) -> Option<(std::sync::MutexGuard<'_, Memory>, [u8; 32])> {
        let key = self.snapshot.as_ref()?.key();
        Some((self.memory.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner), key))
    }

    /// A preset with the floor, compiled here and now; for when there is no file to read.
    ///
    /// # Errors
    /// [`PolicyError`] never for the presets as shipped: their tests compile them.
    pub fn preset(preset: Preset) -> Result<Self, PolicyError> {
        Ok(compile(&Sources::preset(preset))?.into())
    }

    /// Judges one call. `groups` are the approver groups that exist.
    ///
    /// # Errors
    /// [`PolicyError`] when a part of the snapshot cannot be read or Cedar refuses a request; the call is then denied
    /// by whoever asked.
    pub fn judge(
        &self,
        subject: &Subject,
        effects: &[Effect],
        offers: Offers,
        groups: &[String],
        grants: &[Grant],
    ) -> Result<Verdict, PolicyError> {
        self.begin(subject, groups, grants).judge(effects, offers)
    }

    /// Begins a series of calls of one session; equal questions are asked once.
    #[must_use]
    pub fn begin<'a>(&'a self, subject: &'a Subject, groups: &[String], grants: &'a [Grant]) -> Judge<'a> {
        Judge { policy: self, subject, stages: Stages::new(groups), grants, answers: HashMap::new() }
    }

    fn shard(&self, kind: EffectKind) -> Result<&Shard, PolicyError> {
        let missing = || PolicyError::Request(format!("no policy part for `{}`", kind.word()));
        let at = index(kind);
        let cell = self.shards.get(at).ok_or_else(missing)?;
        if let Some(shard) = cell.get() {
            return Ok(shard);
        }
        let shard = self.snapshot.as_ref().ok_or_else(missing)?.shard(at)?;
        Ok(cell.get_or_init(|| shard))
    }
}

/// What policy answered at one rung.
#[derive(Debug, Clone, Copy, Default)]
struct Answer {
    permitted: bool,
    /// The rule's place in the shard; `None` for Cedar's own default.
    rule: Option<usize>,
    /// The grant that stood in for an approval.
    grant: Option<usize>,
    /// No concession changes this.
    fixed: bool,
}

/// A series of calls of one session under one policy.
#[derive(Debug)]
pub struct Judge<'a> {
    policy: &'a Policy,
    subject: &'a Subject,
    stages: Stages,
    grants: &'a [Grant],
    answers: HashMap<(Question, Vec<usize>), Vec<Option<Answer>>>,
}

/// One effect on its way up the ladder.
struct Climb<'a> {
    question: Question,
    grants: Vec<usize>,
    shard: &'a Shard,
    answers: Vec<Option<Answer>>,
    /// The place of the first rung that permits it.
    first: Option<usize>,
    /// What was answered just below, if not permitted there.
    below: Option<Answer>,
}

impl<'a> Judge<'a> {
    /// Judges one call.
    ///
    /// # Errors
    /// As [`Policy::judge`].
    pub fn judge(&mut self, effects: &[Effect], offers: Offers) -> Result<Verdict, PolicyError> {
        let rungs = self.stages.rungs(offers);
        let mut climbs: Vec<Climb<'a>> = Vec::new();
        let mut which = Vec::with_capacity(effects.len());
        for effect in effects {
            let question = Question::of(effect);
            let grants = self.covering(effect);
            if let Some(at) = climbs.iter().position(|c| c.question == question && c.grants == grants) {
                which.push(at);
                continue;
            }
            let mut climb = self.climb(question, grants)?;
            self.first(&mut climb, &rungs)?;
            which.push(climbs.len());
            climbs.push(climb);
        }
        // What each effect needs alone need not do for all: the call's rung is the first that permits every one.
        let start = climbs.iter().map(|c| c.first).collect::<Option<Vec<_>>>();
        let mut joint = None;
        if let Some(firsts) = start {
            let from = firsts.into_iter().max().unwrap_or(0);
            'rungs: for at in from..rungs.len() {
                let Some(rung) = rungs.get(at) else { break };
                for climb in &mut climbs {
                    if !self.answer(climb, rung)?.permitted {
                        continue 'rungs;
                    }
                }
                joint = Some(rung.clone());
                break;
            }
        }
        if let Some((mut memory, _)) = self.policy.memory() {
            memory.keep();
        }
        let verdict = self.verdict(&climbs, &which, &rungs, joint.as_ref());
        for climb in climbs {
            self.answers.insert((climb.question, climb.grants), climb.answers);
        }
        Ok(verdict)
    }

    fn covering(&self, effect: &Effect) -> Vec<usize> {
        let exposed = self.subject.untrusted_seen && self.subject.sensitive_read;
        let counts = |g: &Grant| {
            g.covers(effect, self.subject.now) && (!exposed || matches!(g.scope, GrantScope::Exact))
        };
        self.grants.iter().enumerate().filter(|(_, g)| counts(g)).map(|(at, _)| at).collect()
    }

    fn climb(&mut self, question: Question, grants: Vec<usize>) -> Result<Climb<'a>, PolicyError> {
        let shard = self.policy.shard(question.kind)?;
        let key = (question, grants);
        let answers = self.answers.remove(&key).unwrap_or_else(|| vec![None; self.stages.slots()]);
        let (question, grants) = key;
        Ok(Climb { question, grants, shard, answers, first: None, below: None })
    }

    fn first(&self, climb: &mut Climb<'a>, rungs: &[Rung]) -> Result<(), PolicyError> {
        for (at, rung) in rungs.iter().enumerate() {
            let answer = self.answer(climb, rung)?;
            if answer.permitted {
                climb.first = Some(at);
                return Ok(());
            }
            climb.below = Some(answer);
            if answer.fixed {
                return Ok(());
            }
        }
        Ok(())
    }

    fn answer(&self, climb: &mut Climb<'a>, rung: &Rung) -> Result<Answer, PolicyError> {
        if let Some(known) = climb.answers.get(rung.slot).copied().flatten() {
            return Ok(known);
        }
        let agreed = self.stages.approvers(rung.stage);
        let mut answer = self.ask(climb, rung, agreed)?;
        for at in &climb.grants {
            if answer.permitted || answer.fixed {
                break;
            }
            let Some(grant) = self.grants.get(*at) else { continue };
            let mut approvers = agreed.to_vec();
            approvers.extend(grant.approvers.iter().filter(|a| !agreed.contains(a)).cloned());
            let with = self.ask(climb, rung, &approvers)?;
            if with.permitted {
                answer = Answer { grant: Some(*at), ..with };
            }
        }
        if let Some(slot) = climb.answers.get_mut(rung.slot) {
            *slot = Some(answer);
        }
        Ok(answer)
    }

    fn ask(&self, climb: &Climb<'a>, rung: &Rung, approvers: &[String]) -> Result<Answer, PolicyError> {
        let conceded = Conceded {
            reversible: rung.reversible,
            contained: rung.contained,
            approvals: u8::try_from(approvers.len()).unwrap_or(u8::MAX),
            approvers,
        };
        let remembered = self.policy.memory().map(|(memory, policy)| {
            let key = memory::key(&policy, climb.shard.names(), &climb.question, self.subject, conceded);
            (memory.find(&key), key)
        });
        if let Some((Some(kept), _)) = remembered {
            return Ok(Answer {
                permitted: kept.permitted,
                rule: kept.rule.map(usize::from),
                grant: None,
                fixed: kept.fixed,
            });
        }
        let request = climb.question.request(self.subject, conceded)?;
        let (authorizer, entities) = self.policy.cedar.get_or_init(|| (Authorizer::new(), Entities::empty()));
        let response = authorizer.is_authorized(&request, climb.shard.policies()?, entities);
        if let Some(error) = response.diagnostics().errors().next() {
            // A rule that cannot be evaluated neither permits nor forbids in Cedar; here it forbids everything.
            return Err(PolicyError::Request(error.to_string()));
        }
        let rule = |id: &cedar_policy::PolicyId| id.to_string().parse::<usize>().ok();
        let determining = response.diagnostics().reason().filter_map(rule);
        let permitted = response.decision() == Decision::Allow;
        // Of several rules the one that stands first is named, a forbid that nothing changes before others.
        let unconditional =
            |at: &usize| climb.shard.rules.get(*at).is_some_and(|r| r.forbids && r.unconditional);
        let rule = determining.min_by_key(|at| (!unconditional(at), *at));
        let fixed = !permitted && rule.as_ref().is_some_and(unconditional);
        if let (Some((None, key)), Some((mut memory, _))) = (remembered, self.policy.memory()) {
            let small = rule.map(u16::try_from);
            if let Some(rule) = small.transpose().ok().filter(|r| *r != Some(u16::MAX)) {
                memory.add(key, Kept { permitted, fixed, rule });
            }
        }
        Ok(Answer { permitted, rule, grant: None, fixed })
    }

    fn result(&self, at: usize, climb: &Climb<'a>, rungs: &[Rung]) -> EffectResult {
        let rung = climb.first.and_then(|first| rungs.get(first));
        let answer = rung.and_then(|r| climb.answers.get(r.slot).copied().flatten());
        let below = climb.below.filter(|b| b.rule.is_some());
        let decided = match (answer, climb.first) {
            (Some(answer), Some(0)) => Some(answer),
            (Some(answer), _) => below.or(Some(answer)),
            (None, _) => climb.below,
        };
        let brief = decided.and_then(|d| d.rule).and_then(|rule| climb.shard.rules.get(rule));
        let grant = answer.and_then(|a| a.grant).and_then(|g| self.grants.get(g));
        let question = &climb.question;
        let (rule, layer, reason, instead) = match (grant, brief) {
            (Some(grant), _) => (
                format!("grant:{}", grant.id),
                Layer::Grant,
                format!("{} agreed to this before", grant.approvers.join(" and ")),
                None,
            ),
            (None, Some(Brief { id, layer, reason, instead, .. })) => {
                (id.clone(), *layer, fill(reason, question), instead.as_ref().map(|i| fill(i, question)))
            }
            (None, None) => (
                "default-deny".to_owned(),
                Layer::BuiltIn,
                format!("no rule permits `{}` of {}", question.kind.word(), question.target),
                None,
            ),
        };
        EffectResult {
            index: at,
            effect: question.kind,
            kind: kind(rung),
            snapshot: rung.is_some_and(|r| r.reversible),
            needs: self.needs(rung),
            rule,
            layer,
            reason,
            instead,
        }
    }

    fn needs(&self, rung: Option<&Rung>) -> Needs {
        let approvers = rung.map_or(&[] as &[String], |r| self.stages.approvers(r.stage));
        Needs { approvals: u8::try_from(approvers.len()).unwrap_or(u8::MAX), approvers: approvers.to_vec() }
    }

    fn verdict(
        &self,
        climbs: &[Climb<'a>],
        which: &[usize],
        rungs: &[Rung],
        joint: Option<&Rung>,
    ) -> Verdict {
        let effects: Vec<EffectResult> = which
            .iter()
            .enumerate()
            .filter_map(|(at, of)| climbs.get(*of).map(|climb| self.result(at, climb, rungs)))
            .collect();
        let height = |of: &usize| climbs.get(*of).and_then(|c| c.first).unwrap_or(usize::MAX);
        let deciding =
            which.iter().map(height).max().and_then(|h| which.iter().position(|of| height(of) == h));
        let Some(decided) = deciding.and_then(|at| effects.get(at)) else {
            return Verdict {
                kind: VerdictKind::Allow,
                snapshot: false,
                contained: false,
                needs: Needs::default(),
                rule: "no-effect".to_owned(),
                layer: Layer::BuiltIn,
                reason: "the call touches nothing".to_owned(),
                instead: None,
                deciding: None,
                effects,
            };
        };
        let alone = decided.kind != VerdictKind::Deny && joint.is_none();
        Verdict {
            kind: kind(joint),
            snapshot: joint.is_some_and(|r| r.reversible),
            contained: joint.is_some_and(|r| r.contained),
            needs: self.needs(joint),
            rule: if alone { "default-deny".to_owned() } else { decided.rule.clone() },
            layer: if alone { Layer::BuiltIn } else { decided.layer },
            reason: if alone {
                "each part of the call could be permitted, but nothing permits all of them together"
                    .to_owned()
            } else {
                decided.reason.clone()
            },
            instead: if alone {
                Some("make the parts separate calls".to_owned())
            } else {
                decided.instead.clone()
            },
            deciding,
            effects,
        }
    }
}

fn kind(rung: Option<&Rung>) -> VerdictKind {
    match rung {
        None => VerdictKind::Deny,
        Some(r) if r.stage > 0 => VerdictKind::Ask,
        Some(r) if r.contained => VerdictKind::Contain,
        Some(_) => VerdictKind::Allow,
    }
}

/// Puts the effect's facts in the place of `{name}`. Unknown names stay as they are.
fn fill(text: &str, question: &Question) -> String {
    use crate::request::Value;
    let mut out = String::with_capacity(text.len() + question.target.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        let fact = question.facts.iter().find(|(n, _)| *n == name).map(|(_, v)| v);
        match (name, fact) {
            ("target", _) => out.push_str(&question.target),
            ("environment", _) => out.push_str(question.environment.word()),
            ("machine", _) => out.push_str(question.remote.as_deref().unwrap_or("this machine")),
            (_, Some(Value::Text(t))) => out.push_str(t),
            (_, Some(Value::Word(w))) => out.push_str(w),
            (_, Some(Value::Flag(b))) => out.push_str(if *b { "yes" } else { "no" }),
            (_, Some(Value::Number(n))) => out.push_str(&n.to_string()),
            (_, None) => {
                out.push('{');
                out.push_str(name);
                out.push('}');
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}
