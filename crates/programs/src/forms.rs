//! Forms of a program: what its entry says that it can do, and which of that its examples show.

use crate::role::{Operand, Role};
use crate::spec::{Case, Expect, OptionSpec, Program, Spec};
use crate::template::{Fact, Part, Template};
use model::EffectKind;

/// A form in which a program may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// It reads and prints, no more.
    Harmless,
    /// It changes, loses or sends something.
    Writing,
    /// It runs something else, or something that is not understood.
    Running,
}

impl Form {
    /// The word of the format's description.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Harmless => "harmless",
            Self::Writing => "writing",
            Self::Running => "running",
        }
    }
}

/// The forms that an entry describes and its examples do not show: each of them wants an example.
#[must_use]
pub fn missing_forms(program: &Program, cases: &[Case]) -> Vec<Form> {
    let own: Vec<&Case> =
        cases.iter().filter(|c| c.program == program.name && c.file == program.file).collect();
    let mut missing = Vec::new();
    let shows = |form: Form| own.iter().any(|case| shown(&program.name, case).contains(&form));
    if harmless(&program.spec, false) && !shows(Form::Harmless) {
        missing.push(Form::Harmless);
    }
    if writing(&program.spec) && !shows(Form::Writing) {
        missing.push(Form::Writing);
    }
    if running(&program.spec) && !shows(Form::Running) {
        missing.push(Form::Running);
    }
    missing
}

/// The forms that an example shows, by what it expects.
fn shown(program: &str, case: &Case) -> Vec<Form> {
    let (texts, whole) = match &case.expect {
        Expect::NotUnderstood(_) => return vec![Form::Running],
        Expect::Effects(texts) => (texts, true),
        Expect::Includes(texts) => (texts, false),
    };
    let mut forms = Vec::new();
    for text in texts {
        let (kind, target) = text.split_once(' ').unwrap_or((text, ""));
        let known = EffectKind::from_word(kind.trim_end_matches('?'));
        let reads = target.split(' ').take(2).any(|word| word == "read");
        match known {
            Some(EffectKind::Run) if kind.ends_with('?') || !same(target, program) => {
                forms.push(Form::Running)
            }
            Some(kind)
                if changes(kind) && !(reads && matches!(kind, EffectKind::Operate | EffectKind::Query)) =>
            {
                forms.push(Form::Writing);
            }
            _ => {}
        }
    }
    if whole && forms.is_empty() {
        forms.push(Form::Harmless);
    }
    forms
}

/// Whether a run's name is the program's own, by any of the names that the entry's example may use.
fn same(target: &str, program: &str) -> bool {
    target == program || program.strip_prefix("python -m ") == Some(target) || program.starts_with(target)
}

fn changes(kind: EffectKind) -> bool {
    !matches!(
        kind,
        EffectKind::Run | EffectKind::Read | EffectKind::Fetch | EffectKind::Reveal | EffectKind::UseSecret
    )
}

fn subs(spec: &Spec) -> impl Iterator<Item = std::sync::Arc<Spec>> + '_ {
    spec.sub.values().filter_map(crate::spec::Sub::spec)
}

/// Whether there is a way to use it that does nothing but read and print. `refused` says that what stands above it is
/// never understood.
fn harmless(spec: &Spec, refused: bool) -> bool {
    let refused = refused || spec.why.is_some();
    if refused {
        return false;
    }
    if spec.options.iter().any(|o| o.stop) {
        return true;
    }
    // Who becomes another account by it does not only read.
    let other = matches!(spec.reader.as_deref(), Some("sudo" | "su"));
    let itself = (spec.sub.is_empty() || spec.itself) && !other;
    let quiet = spec.effects.iter().all(|e| e.when.is_some() || gentle(e));
    let operands = spec.operands.iter().flatten().all(|o| !o.times.required() || shows(&o.role));
    (itself && quiet && operands) || subs(spec).any(|sub| harmless(&sub, refused))
}

fn shows(role: &Role) -> bool {
    role.only_shows() || matches!(role, Role::Url | Role::HostProbe | Role::Branch | Role::User | Role::Group)
}

/// Whether an effect changes nothing and runs nothing of the project.
fn gentle(effect: &Template) -> bool {
    let fact = |name: &str| effect.facts.iter().find(|(n, _)| n == name).map(|(_, f)| f);
    let is = |name: &str, word: &str| matches!(fact(name), Some(Fact::Text(parts)) if matches!(parts.as_slice(), [Part::Literal(w)] if w == word));
    match effect.kind {
        EffectKind::Operate => is("verb", "read"),
        EffectKind::Query => is("class", "read"),
        // The project's own code is not seen in an example's list of effects, so such a use counts as harmless.
        EffectKind::Run => fact("understood") != Some(&Fact::Bool(false)),
        kind => !changes(kind),
    }
}

fn writing(spec: &Spec) -> bool {
    let any = |operands: &Option<Vec<Operand>>| operands.iter().flatten().any(|o| writes(&o.role));
    let effects = |list: &[Template]| list.iter().any(|e| !gentle(e) && e.kind != EffectKind::Run);
    let option = |o: &OptionSpec| {
        o.why.is_none() && (o.values.iter().any(writes) || any(&o.operands) || effects(&o.effects))
    };
    spec.why.is_none() && (any(&spec.operands) || effects(&spec.effects) || spec.options.iter().any(option))
        || spec.why.is_none() && subs(spec).any(|sub| writing(&sub))
}

fn writes(role: &Role) -> bool {
    matches!(
        role,
        Role::Write
            | Role::Create
            | Role::Delete
            | Role::WriteTree
            | Role::CreateTree
            | Role::DeleteTree
            | Role::Into
            | Role::Move
            | Role::UrlSend
            | Role::RemoteInto
            | Role::Process
    )
}

fn running(spec: &Spec) -> bool {
    let runs = |role: &Role| match role {
        Role::Command | Role::Argv | Role::Program | Role::Script | Role::Unknown => true,
        Role::Code(language) => !matches!(language.as_str(), "sql" | "jq" | "find"),
        _ => false,
    };
    let any = |operands: &Option<Vec<Operand>>| operands.iter().flatten().any(|o| runs(&o.role));
    let option = |o: &OptionSpec| o.why.is_some() || o.values.iter().any(runs) || any(&o.operands);
    spec.why.is_some()
        || any(&spec.operands)
        || !spec.harmless_stdin
        || spec.options.iter().any(option)
        || subs(spec).any(|sub| running(&sub))
}
