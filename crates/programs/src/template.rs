//! Templates: effects as the table writes them, with `$…` for what the command says.

use crate::kinds::{FactType, PLACES, fact_of_any, facts_of};
use crate::role::nearest;
use model::EffectKind;
use serde::{Deserialize, Serialize};

/// An effect as the table writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its kind.
    pub kind: EffectKind,
    /// Its facts by the model's names.
    pub facts: Vec<(String, Fact)>,
    /// Under which condition it is there.
    pub when: Option<When>,
}

/// The value of a fact in a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Yes or no.
    Bool(bool),
    /// A text with parts that the command fills in.
    Text(Vec<Part>),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// As it stands.
    Literal(String),
    /// What the command says.
    Var(Var),
}

/// Something that the command says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Var {
    /// `$0`: the program's name.
    Program,
    /// `$1` … `$9`: an operand, counted from 1.
    Operand(u8),
    /// `$*`: all operands, joined by spaces.
    All,
    /// `$each`: each operand, with one effect for each.
    Each,
    /// `$NAME`: the value of the option that binds this name.
    Named(String),
}

/// A condition of an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The text is this one.
    Is(Var, String),
    /// The text is another one, or absent.
    IsNot(Var, String),
    /// There are no operands.
    NoOperands,
    /// There are operands.
    Operands,
    /// It is there.
    Has(Var),
    /// It is not there.
    HasNot(Var),
}

impl Fact {
    /// Reads a text with `$0`, `$1` … `$9`, `$*`, `$each`, `$NAME`, `${NAME}` and `$$` for a dollar sign.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn text(text: &str) -> Result<Vec<Part>, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            if c != '$' {
                literal.push(c);
                continue;
            }
            let mut name = String::new();
            match rest.peek().copied() {
                Some('$') => {
                    rest.next();
                    literal.push('$');
                    continue;
                }
                Some(c @ ('*' | '0'..='9')) => {
                    rest.next();
                    name.push(c);
                }
                Some('{') => {
                    rest.next();
                    let mut closed = false;
                    for c in rest.by_ref() {
                        if c == '}' {
                            closed = true;
                            break;
                        }
                        name.push(c);
                    }
                    if !closed {
                        return Err(format!("`{text}` has `${{` without `}}`"));
                    }
                }
                _ => {
                    while let Some(c) = rest.peek().copied().filter(|c| c.is_ascii_lowercase() || *c == '_') {
                        rest.next();
                        name.push(c);
                    }
                }
            }
            let var = Var::from_name(&name)
                .ok_or_else(|| format!("`{text}` has a `$` without a name; write `$$` for a dollar sign"))?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Var(var));
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(parts)
    }

    /// The fact as the format writes it.
    #[must_use]
    pub fn show(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Text(parts) => parts
                .iter()
                .map(|p| match p {
                    Part::Literal(text) => text.replace('$', "$$"),
                    Part::Var(var) => var.show(),
                })
                .collect(),
        }
    }

    /// The variables in it.
    pub fn vars(&self) -> impl Iterator<Item = &Var> {
        let parts = match self {
            Self::Bool(_) => &[][..],
            Self::Text(parts) => parts,
        };
        parts.iter().filter_map(|p| match p {
            Part::Var(var) => Some(var),
            Part::Literal(_) => None,
        })
    }

    /// Whether this value fits a fact of that type.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    fn fits(&self, name: &str, wanted: FactType) -> Result<(), String> {
        match (wanted, self) {
            (FactType::Bool, Self::Bool(_)) | (FactType::Text, Self::Text(_)) => Ok(()),
            (FactType::Bool, Self::Text(_)) => Err(format!("`{name}` is `true` or `false`")),
            (_, Self::Bool(_)) => Err(format!("`{name}` is a text")),
            (FactType::Word(words), Self::Text(parts)) => match parts.as_slice() {
                [Part::Literal(word)] if words.contains(&word.as_str()) => Ok(()),
                _ => Err(format!("`{name}` is one of {}, not `{}`", words.join(", "), self.show())),
            },
            (FactType::Places, Self::Text(_)) => places_fit(&self.show()),
        }
    }
}

fn places_fit(text: &str) -> Result<(), String> {
    for place in text.split_whitespace() {
        let known = place == "local" || place.split_once(':').is_some_and(|(p, _)| PLACES.contains(&p));
        if !known {
            return Err(format!(
                "`environment` says where to look: `local` or one of {} with `:` and a text, not `{place}`",
                PLACES.join(", ")
            ));
        }
    }
    Ok(())
}

impl Var {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "" => return None,
            "0" => Self::Program,
            "*" => Self::All,
            "each" => Self::Each,
            _ => match name.parse::<u8>() {
                Ok(n) => Self::Operand(n),
                Err(_) if name.chars().all(|c| c.is_ascii_lowercase() || c == '_') => {
                    Self::Named(name.to_owned())
                }
                Err(_) => return None,
            },
        })
    }

    /// The variable as the format writes it.
    #[must_use]
    pub fn show(&self) -> String {
        match self {
            Self::Program => "$0".to_owned(),
            Self::Operand(n) => format!("${n}"),
            Self::All => "$*".to_owned(),
            Self::Each => "${each}".to_owned(),
            Self::Named(name) => format!("${{{name}}}"),
        }
    }
}

impl When {
    /// Reads a condition: `$1 == value`, `$1 != value`, `no operands`, `operands`, `$name`, `no $name`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bad = || {
            format!(
                "`{text}` is no condition; write `$1 == value`, `$1 != value`, `no operands`, `operands`, `$name` or `no $name`"
            )
        };
        let var = |text: &str| match Fact::text(text.trim()).as_deref() {
            Ok([Part::Var(var)]) => Ok(var.clone()),
            _ => Err(bad()),
        };
        if let Some((left, right)) = text.split_once("==") {
            return Ok(Self::Is(var(left)?, right.trim().to_owned()));
        }
        if let Some((left, right)) = text.split_once("!=") {
            return Ok(Self::IsNot(var(left)?, right.trim().to_owned()));
        }
        match text {
            "no operands" => Ok(Self::NoOperands),
            "operands" => Ok(Self::Operands),
            _ => match text.strip_prefix("no ") {
                Some(rest) => Ok(Self::HasNot(var(rest)?)),
                None => Ok(Self::Has(var(text)?)),
            },
        }
    }

    /// The variable it looks at.
    #[must_use]
    pub fn var(&self) -> Option<&Var> {
        match self {
            Self::Is(var, _) | Self::IsNot(var, _) | Self::Has(var) | Self::HasNot(var) => Some(var),
            Self::NoOperands | Self::Operands => None,
        }
    }

    /// The condition as the format writes it.
    #[must_use]
    pub fn show(&self) -> String {
        match self {
            Self::Is(var, text) => format!("{} == {text}", var.show()),
            Self::IsNot(var, text) => format!("{} != {text}", var.show()),
            Self::NoOperands => "no operands".to_owned(),
            Self::Operands => "operands".to_owned(),
            Self::Has(var) => var.show(),
            Self::HasNot(var) => format!("no {}", var.show()),
        }
    }
}

impl Template {
    /// The variables in it.
    pub fn vars(&self) -> impl Iterator<Item = &Var> {
        self.facts.iter().flat_map(|(_, fact)| fact.vars()).chain(self.when.as_ref().and_then(When::var))
    }

    /// The template as `kind name=value …`.
    #[must_use]
    pub fn show(&self) -> String {
        let mut text = self.kind.word().to_owned();
        for (name, fact) in &self.facts {
            text.push_str(&format!(" {name}={}", fact.show()));
        }
        if let Some(when) = &self.when {
            text.push_str(&format!(" when {}", when.show()));
        }
        text
    }
}

/// Whether an effect of this kind has this fact, and whether the value fits.
///
/// # Errors
/// What is wrong, and what to write instead.
pub(crate) fn check_fact(kind: EffectKind, name: &str, fact: &Fact) -> Result<(), String> {
    let Some(facts) = facts_of(kind) else {
        return Err(format!("`{}` is a kind that no entry may name", kind.word()));
    };
    match facts.iter().find(|(known, _)| *known == name) {
        Some((_, wanted)) => fact.fits(name, *wanted),
        None => {
            let known: Vec<&str> = facts.iter().map(|(known, _)| *known).collect();
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", known.join(", ")),
            };
            Err(format!("`{}` has no fact `{name}`; {hint}", kind.word()))
        }
    }
}

/// Whether an option may set this fact on whatever effects there are.
///
/// # Errors
/// What is wrong.
pub(crate) fn check_any_fact(name: &str, fact: &Fact) -> Result<(), String> {
    match fact_of_any(name) {
        Some(wanted) => fact.fits(name, wanted),
        None => Err(format!("no kind of effect has a fact `{name}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_and_shown() {
        for (text, shown) in [
            ("$1/$2", "$1/$2"),
            ("kube:$context", "kube:${context}"),
            ("a $$ b", "a $$ b"),
            ("${each}x", "${each}x"),
        ] {
            assert_eq!(Fact::Text(Fact::text(text).unwrap()).show(), shown);
        }
        assert!(Fact::text("cost $").is_err());
        assert!(Fact::text("${x").is_err());
        assert!(Fact::text("$X").is_err());
    }

    #[test]
    fn conditions() {
        for text in ["$1 == value", "$1 != value", "no operands", "operands", "${name}", "no ${name}"] {
            assert_eq!(When::parse(text).unwrap().show(), text);
        }
        assert!(When::parse("sometimes").is_err());
        assert!(When::parse("x == y").is_err());
    }

    #[test]
    fn facts_are_checked() {
        let text = |t: &str| Fact::Text(Fact::text(t).unwrap());
        assert!(check_fact(EffectKind::Operate, "verb", &text("delete")).is_ok());
        assert!(check_fact(EffectKind::Operate, "verb", &text("destroy")).is_err());
        assert!(check_fact(EffectKind::Operate, "verbs", &text("x")).unwrap_err().contains("`verb`"));
        assert!(check_fact(EffectKind::Push, "force", &text("x")).is_err());
        assert!(check_fact(EffectKind::Operate, "environment", &text("kube:$context local")).is_ok());
        assert!(check_fact(EffectKind::Operate, "environment", &text("cube:$context")).is_err());
        assert!(check_fact(EffectKind::UseSecret, "name", &text("x")).is_err());
        assert!(check_any_fact("force", &Fact::Bool(true)).is_ok());
        assert!(check_any_fact("colour", &Fact::Bool(true)).is_err());
    }
}
