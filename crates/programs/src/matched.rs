//! What a command's words are, once matched against an entry.

use crate::role::Role;
use crate::word::Field;
use model::{EffectKind, Span};
use std::collections::BTreeMap;

/// The words of a command, each with what it is to the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The program's name in the table.
    pub program: String,
    /// The names of the sub-commands, outermost first; an alias is replaced by the name it stands for.
    pub path: Vec<String>,
    /// The options in command order.
    pub options: Vec<MatchedOption>,
    /// Every value and operand with its role, in command order; overrides by options are applied. What the role `argv`
    /// covers is in `argv` instead.
    pub roles: Vec<(Role, Field)>,
    /// The operands, without the sub-commands' names and what `argv` covers; the entry's default when none is given.
    pub operands: Vec<Field>,
    /// The words of the command that it runs; `None` when it is given none.
    pub argv: Option<Vec<Field>>,
    /// The values bound by options.
    pub bound: BTreeMap<String, Field>,
    /// The facts that options set on whatever effects there are; already in `effects`, here for effects of readers.
    pub facts: BTreeMap<String, Fact>,
    /// The effects that the entry lists, resolved. With `stop` they do not happen.
    pub effects: Vec<MatchedEffect>,
    /// What is not understood. Empty when the words match the entry wholly.
    pub unknowns: Vec<Unknown>,
    /// Whether operands are meant with everything beneath them. Already applied to the roles that have such a form.
    pub recursive: bool,
    /// Whether an option says that nothing is changed, and what would be done is printed.
    pub dry: bool,
    /// Whether an option says that nothing is done but printing (`--help`).
    pub stop: bool,
    /// The reader that must see this.
    pub reader: Option<String>,
    /// Whether the program does nothing but read standard input and its operands and print.
    pub filter: bool,
    /// Whether what it reads from standard input is code.
    pub stdin_is_code: bool,
}

/// An option that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedOption {
    /// Its first spelling in the entry, whatever spelling or abbreviation was used.
    pub name: String,
    /// Its value; the first one, if it takes several.
    pub value: Option<Field>,
    /// All its values.
    pub values: Vec<Field>,
    /// Where it stands.
    pub span: Span,
}

/// An effect of the entry with what the command says filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedEffect {
    /// Its kind.
    pub kind: EffectKind,
    /// Its facts by the model's names.
    pub facts: BTreeMap<String, Fact>,
    /// The words it comes from.
    pub span: Span,
}

/// A fact of an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Yes or no.
    Bool(bool),
    /// A text, and whether a part of it is not known before the command runs (shown as written).
    Text(String, bool),
}

/// Something that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Where it stands.
    pub span: Span,
    /// What it is and why it is not understood, as a part of a sentence.
    pub why: String,
}

impl Match {
    /// Whether the option with this first spelling was given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|o| o.name == name)
    }

    /// The value of the last option with this first spelling.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Field> {
        self.options.iter().rev().find(|o| o.name == name).and_then(|o| o.value.as_ref())
    }

    /// The program and its sub-commands, as the person would write them.
    #[must_use]
    pub fn command(&self) -> String {
        let mut text = self.program.clone();
        for name in &self.path {
            text.push(' ');
            text.push_str(name);
        }
        text
    }
}
