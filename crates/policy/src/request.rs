//! An effect as a Cedar request: its facts as typed values, without any text being parsed.

use crate::PolicyError;
use crate::judge::Subject;
use cedar_policy::proto::traits::Protobuf;
use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};
use model::{Action, Effect, EffectKind, Environment, NetFacts, PathFacts, PathTarget};
use std::sync::OnceLock;

/// One value of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Text(String),
    Word(&'static str),
    Flag(bool),
    Number(i64),
}

impl Value {
    fn expression(&self) -> RestrictedExpression {
        match self {
            Self::Text(t) => RestrictedExpression::new_string(t.clone()),
            Self::Word(w) => RestrictedExpression::new_string((*w).to_owned()),
            Self::Flag(b) => RestrictedExpression::new_bool(*b),
            Self::Number(n) => RestrictedExpression::new_long(*n),
        }
    }
}

/// The facts of one effect, without session and concessions. Two effects with equal facts are one question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) kind: EffectKind,
    pub(crate) target: String,
    pub(crate) environment: Environment,
    pub(crate) remote: Option<String>,
    pub(crate) facts: Vec<(&'static str, Value)>,
}

/// The concessions made at one rung of the ladder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conceded<'a> {
    pub(crate) reversible: bool,
    pub(crate) contained: bool,
    pub(crate) approvals: u8,
    pub(crate) approvers: &'a [String],
}

/// The Cedar type of the things that effects of this kind are done to.
pub(crate) fn resource_type(kind: EffectKind) -> &'static str {
    match kind {
        EffectKind::Read | EffectKind::Write | EffectKind::Create | EffectKind::Delete => "Path",
        EffectKind::Discard => "Repository",
        EffectKind::Rewrite => "Ref",
        EffectKind::Push => "Remote",
        EffectKind::Run => "Program",
        EffectKind::Escalate => "Grant",
        EffectKind::Persist => "Place",
        EffectKind::Signal => "Process",
        EffectKind::Install | EffectKind::Publish => "Package",
        EffectKind::Operate => "Service",
        EffectKind::Query => "Database",
        EffectKind::UseSecret | EffectKind::Reveal => "Secret",
        EffectKind::Send | EffectKind::Fetch => "Host",
        EffectKind::Call => "McpTool",
        EffectKind::Message => "Channel",
        EffectKind::Tamper => "GuardRail",
    }
}

impl Question {
    pub(crate) fn of(effect: &Effect) -> Self {
        let own = own_environment(&effect.action);
        let environment = match (&effect.remote, own) {
            (Some(place), Environment::Unknown | Environment::Local) => place.environment,
            // That a host's name sounds harmless does not change where the traffic starts.
            (Some(place), Environment::NonProduction)
                if matches!(effect.kind(), EffectKind::Send | EffectKind::Fetch) =>
            {
                place.environment
            }
            (Some(place), own) => strictest(place.environment, own),
            (None, own) => own,
        };
        Self {
            kind: effect.kind(),
            target: effect.action.target(),
            environment,
            remote: effect.remote.as_ref().map(|place| place.name.clone()),
            facts: facts(&effect.action),
        }
    }

    /// The request under these concessions.
    ///
    /// # Errors
    /// [`PolicyError::Request`] when Cedar refuses the facts, which validated policies and a whole schema rule out.
    pub(crate) fn request(&self, subject: &Subject, conceded: Conceded<'_>) -> Result<Request, PolicyError> {
        let text = |t: &str| RestrictedExpression::new_string(t.to_owned());
        let mut pairs: Vec<(String, RestrictedExpression)> = Vec::with_capacity(14 + self.facts.len());
        let mut put = |name: &str, value: RestrictedExpression| pairs.push((name.to_owned(), value));
        put("reversible", RestrictedExpression::new_bool(conceded.reversible));
        put("contained", RestrictedExpression::new_bool(conceded.contained));
        put("approvals", RestrictedExpression::new_long(i64::from(conceded.approvals)));
        put("approvers", RestrictedExpression::new_set(conceded.approvers.iter().map(|a| text(a))));
        put("sandbox", RestrictedExpression::new_bool(subject.sandbox));
        put("untrusted_seen", RestrictedExpression::new_bool(subject.untrusted_seen));
        put("sensitive_read", RestrictedExpression::new_bool(subject.sensitive_read));
        put("attended", RestrictedExpression::new_bool(subject.attended));
        put("agent", text(&subject.agent));
        put("remote", RestrictedExpression::new_bool(self.remote.is_some()));
        put("machine", text(self.remote.as_deref().unwrap_or_default()));
        put("environment", text(self.environment.word()));
        put("target", text(&self.target));
        for (name, value) in &self.facts {
            put(name, value.expression());
        }
        let context = Context::from_pairs(pairs).map_err(|e| PolicyError::Request(e.to_string()))?;
        let uid = |kind: &'static str, id: &str| {
            Ok::<_, PolicyError>(EntityUid::from_type_name_and_id(type_name(kind)?, EntityId::new(id)))
        };
        Request::new(
            uid("Session", &subject.session)?,
            uid("Action", self.kind.word())?,
            uid(resource_type(self.kind), &self.target)?,
            context,
            None,
        )
        .map_err(|e| PolicyError::Request(e.to_string()))
    }
}

/// The types' names, made once each: Cedar only makes them from text.
const TYPES: [&str; 18] = [
    "Session",
    "Action",
    "Path",
    "Repository",
    "Ref",
    "Remote",
    "Program",
    "Grant",
    "Place",
    "Process",
    "Package",
    "Service",
    "Database",
    "Secret",
    "Host",
    "McpTool",
    "Channel",
    "GuardRail",
];
static NAMES: [OnceLock<EntityTypeName>; 18] = [const { OnceLock::new() }; 18];

fn type_name(name: &'static str) -> Result<EntityTypeName, PolicyError> {
    let unknown = || PolicyError::Request(format!("`{name}` is no type of the schema"));
    let at = TYPES.iter().position(|t| *t == name).ok_or_else(unknown)?;
    let cell = NAMES.get(at).ok_or_else(unknown)?;
    if let Some(made) = cell.get() {
        return Ok(made.clone());
    }
    // The protobuf form of a name is its text in field 1: decoding checks it without Cedar's grammar tables
    // where Cedar can, and is never slower than parsing it.
    let mut bytes = vec![0x0a, u8::try_from(name.len()).map_err(|_| unknown())?];
    bytes.extend_from_slice(name.as_bytes());
    let made = EntityTypeName::decode_unchecked(bytes.as_slice())
        .map_err(|e| PolicyError::Request(e.to_string()))?;
    Ok(cell.get_or_init(|| made).clone())
}

fn own_environment(action: &Action) -> Environment {
    match action {
        Action::Operate(s) => s.environment,
        Action::Query(q) => q.environment,
        Action::Call(t) => t.environment,
        Action::Push(p) => p.environment,
        Action::Send(n) | Action::Fetch(n) => n.environment,
        _ => Environment::Local,
    }
}

fn strictest(a: Environment, b: Environment) -> Environment {
    fn rank(e: Environment) -> u8 {
        match e {
            Environment::Local => 0,
            Environment::NonProduction => 1,
            Environment::Unknown => 2,
            Environment::LikelyProduction => 3,
            Environment::Production => 4,
        }
    }
    if rank(a) >= rank(b) { a } else { b }
}

fn facts(action: &Action) -> Vec<(&'static str, Value)> {
    use Value::{Flag, Word};
    let text = |t: &str| Value::Text(t.to_owned());
    match action {
        Action::Read(p) | Action::Write(p) | Action::Create(p) | Action::Delete(p) => path(p),
        Action::Discard(r) => vec![
            ("repository", text(&r.repository)),
            ("what", text(&r.what)),
            ("dirty", Word(r.dirty.word())),
            ("in_workspace", Flag(r.in_workspace)),
        ],
        Action::Rewrite(r) => vec![
            ("reference", text(&r.reference)),
            ("history", Flag(r.history)),
            ("protected", Flag(r.protected)),
            ("pushed", Word(r.pushed.word())),
        ],
        Action::Push(p) => vec![
            ("remote_name", text(&p.remote)),
            ("host", text(&p.host)),
            ("own", Flag(p.own)),
            ("known", Word(p.known.word())),
            ("reference", text(&p.reference)),
            ("force", Flag(p.force)),
            ("deletes", Flag(p.deletes)),
            ("protected", Word(p.protected.word())),
        ],
        Action::Run(r) => vec![
            ("program", text(&r.program)),
            ("understood", Flag(r.understood)),
            ("origin", Word(r.origin.word())),
            ("task", Word(r.task.word())),
        ],
        Action::Escalate(e) => vec![("what", text(&e.what)), ("object", text(&e.target))],
        Action::Persist(p) => vec![("mechanism", text(&p.mechanism)), ("place", text(&p.place))],
        Action::Signal(s) => vec![
            ("process", text(&s.process)),
            ("own", Word(s.own.word())),
            ("whole_machine", Flag(s.machine)),
        ],
        Action::Install(i) | Action::Publish(i) => vec![
            ("registry", text(&i.registry)),
            ("known_registry", Flag(i.known_registry)),
            ("package", text(&i.package)),
            ("runs_scripts", Flag(i.runs_scripts)),
            ("whole_machine", Flag(i.global)),
        ],
        Action::Operate(s) => vec![
            ("provider", text(&s.provider)),
            ("verb", Word(s.verb.word())),
            ("object", text(&s.resource)),
            ("dry_run", Flag(s.dry_run)),
        ],
        Action::Query(q) => vec![("database", text(&q.database)), ("class", Word(q.class.word()))],
        Action::UseSecret(s) => {
            vec![
                ("secret", text(&s.name)),
                ("program", text(&s.program)),
                ("host", text(&s.host)),
                ("terms", Word(s.terms.word())),
            ]
        }
        Action::Reveal(r) => vec![("what", text(&r.what)), ("secret", text(&r.name))],
        Action::Send(n) | Action::Fetch(n) => net(n),
        Action::Call(t) => vec![
            ("server", text(&t.server)),
            ("tool", text(&t.tool)),
            ("verb", Word(t.verb.word())),
            ("guessed", Flag(t.guessed)),
            ("pinned", Word(t.pinned.word())),
        ],
        Action::Message(c) => vec![("channel", text(&c.channel)), ("to", text(&c.target))],
        Action::Tamper(t) => vec![("what", text(&t.what)), ("object", text(&t.target))],
    }
}

fn path(p: &PathFacts) -> Vec<(&'static str, Value)> {
    let text = match &p.target {
        PathTarget::Known(path) => path.to_string(),
        under @ PathTarget::Under { .. } => under.to_string(),
        PathTarget::Unknown(text) => text.clone(),
    };
    vec![
        ("path", Value::Text(text)),
        ("zone", Value::Word(p.zone.word())),
        ("class", Value::Word(p.class.word())),
        ("vital", Value::Word(p.vital.word())),
        ("git", Value::Word(p.git.word())),
        ("exists", Value::Word(p.exists.word())),
        ("made_by_session", Value::Flag(p.made_by_session)),
        ("recursive", Value::Flag(p.recursive)),
    ]
}

fn net(n: &NetFacts) -> Vec<(&'static str, Value)> {
    vec![
        ("host", Value::Text(n.host.clone())),
        ("zone", Value::Word(n.zone.word())),
        ("port", Value::Number(i64::from(n.port.unwrap_or(0)))),
        ("method", Value::Word(n.method.word())),
        ("allowlisted", Value::Flag(n.allowlisted)),
        ("configured", Value::Flag(n.configured)),
        ("carries_sensitive", Value::Flag(n.carries_sensitive)),
        ("carries_data", Value::Flag(n.carries_data)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::Schema;

    /// Every request that is made from the shipped cases has exactly the facts that the schema names.
    #[test]
    fn requests_keep_to_the_schema() {
        let (schema, warnings) = Schema::from_cedarschema_str(crate::SCHEMA).unwrap();
        assert_eq!(warnings.count(), 0);
        let mut kinds = std::collections::HashSet::new();
        let approvers = ["developer".to_owned()];
        let conceded = Conceded { reversible: true, contained: false, approvals: 1, approvers: &approvers };
        for text in [
            include_str!("../../../policies/cases/floor.toml"),
            include_str!("../../../policies/cases/standard.toml"),
        ] {
            for case in crate::CaseFile::parse("cases", text).unwrap().cases {
                let crate::CaseEffects::Effects(effects) = case.call else { panic!("a command") };
                for effect in effects {
                    let request = Question::of(&effect).request(&case.subject, conceded).unwrap();
                    let (Some(p), Some(a), Some(r), Some(c)) =
                        (request.principal(), request.action(), request.resource(), request.context())
                    else {
                        panic!("a part is missing")
                    };
                    Request::new(p.clone(), a.clone(), r.clone(), c.clone(), Some(&schema)).unwrap();
                    kinds.insert(effect.kind());
                }
            }
        }
        assert_eq!(kinds.len(), EffectKind::ALL.len(), "a kind has no case");
    }

    #[test]
    fn the_remote_places_environment_counts() {
        let of = |own, remote: Option<Environment>| {
            let action = Action::Query(model::QueryFacts {
                database: "d".into(),
                class: model::QueryClass::Read,
                environment: own,
            });
            let remote = remote.map(|environment| model::RemotePlace { name: "m".into(), environment });
            Question::of(&Effect { action, span: None, remote }).environment
        };
        use Environment::{LikelyProduction, Local, NonProduction, Production, Unknown};
        assert_eq!(of(Local, Some(Production)), Production);
        assert_eq!(of(Unknown, Some(NonProduction)), NonProduction);
        assert_eq!(of(Production, Some(Local)), Production);
        assert_eq!(of(LikelyProduction, Some(NonProduction)), LikelyProduction);
        assert_eq!(of(Unknown, None), Unknown);
    }
}
