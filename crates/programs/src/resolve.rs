//! Fills what the command says into the effects of an entry.

use crate::kinds::facts_of;
use crate::matched::{Fact, Match, MatchedEffect, Unknown};
use crate::template::{Fact as Pattern, Part, Template, Var, When};
use crate::word::Field;
use model::Span;
use std::collections::BTreeMap;

/// What a variable says: its text as written, and whether all of it is known.
struct Said {
    text: String,
    known: bool,
}

impl Said {
    fn of(field: &Field) -> Self {
        Self { text: field.shown(), known: field.known().is_some() }
    }
}

/// Fills in `template`; `given` is the number of operands without the entry's default, `span` the words the effect
/// comes from when it is not one operand's.
pub(crate) fn resolve(found: &mut Match, template: &Template, given: usize, span: Span) {
    if template.vars().any(|var| *var == Var::Each) {
        for operand in found.operands.clone() {
            one(found, template, given, operand.span, Some(&operand));
        }
    } else {
        one(found, template, given, span, None);
    }
}

fn one(found: &mut Match, template: &Template, given: usize, span: Span, each: Option<&Field>) {
    if let Some(when) = &template.when {
        match holds(found, when, given, each) {
            Some(false) => return,
            Some(true) => {}
            None => {
                let why = match when.var().and_then(|var| say(found, var, each)) {
                    Some(said) => format!("`{}` decides what `{}` does", said.text, found.command()),
                    None => format!("what `{}` does is not known", found.command()),
                };
                found.unknowns.push(Unknown { span, why });
            }
        }
    }
    let facts = template
        .facts
        .iter()
        .map(|(name, pattern)| (name.clone(), fact(found, pattern, each)))
        .collect::<BTreeMap<_, _>>();
    found.effects.push(MatchedEffect { kind: template.kind, facts, span });
}

/// The value of a fact.
pub(crate) fn fact(found: &Match, pattern: &Pattern, each: Option<&Field>) -> Fact {
    match pattern {
        Pattern::Bool(value) => Fact::Bool(*value),
        Pattern::Text(parts) => {
            let mut text = String::new();
            let mut unknown = false;
            for part in parts {
                match part {
                    Part::Literal(literal) => text.push_str(literal),
                    Part::Var(var) => {
                        if let Some(said) = say(found, var, each) {
                            text.push_str(&said.text);
                            unknown |= !said.known;
                        }
                    }
                }
            }
            Fact::Text(text, unknown)
        }
    }
}

/// Whether the condition holds; `None` when that is not known before the command runs.
fn holds(found: &Match, when: &When, given: usize, each: Option<&Field>) -> Option<bool> {
    match when {
        When::NoOperands => Some(given == 0),
        When::Operands => Some(given > 0),
        When::Has(var) => Some(say(found, var, each).is_some()),
        When::HasNot(var) => Some(say(found, var, each).is_none()),
        When::Is(var, text) => match say(found, var, each) {
            Some(said) if said.known => Some(said.text == *text),
            Some(_) => None,
            None => Some(false),
        },
        When::IsNot(var, text) => match say(found, var, each) {
            Some(said) if said.known => Some(said.text != *text),
            Some(_) => None,
            None => Some(true),
        },
    }
}

fn say(found: &Match, var: &Var, each: Option<&Field>) -> Option<Said> {
    match var {
        Var::Program => Some(Said { text: found.program.clone(), known: true }),
        Var::Operand(n) => usize::from(*n).checked_sub(1).and_then(|at| found.operands.get(at)).map(Said::of),
        Var::All => (!found.operands.is_empty()).then(|| Said {
            text: found.operands.iter().map(Field::shown).collect::<Vec<_>>().join(" "),
            known: found.operands.iter().all(|o| o.known().is_some()),
        }),
        Var::Each => each.map(Said::of),
        Var::Named(name) => found.bound.get(name).map(Said::of),
    }
}

/// Sets what options say of the command's effects on those whose kind has such a fact.
pub(crate) fn merge_facts(found: &mut Match) {
    if found.dry {
        found.facts.insert("dry_run".to_owned(), Fact::Bool(true));
    }
    for effect in &mut found.effects {
        let known = facts_of(effect.kind).unwrap_or(&[]);
        for (name, fact) in &found.facts {
            if known.iter().any(|(fact, _)| fact == name) {
                effect.facts.insert(name.clone(), fact.clone());
            }
        }
    }
}
