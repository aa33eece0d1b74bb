//! What earlier commands of the same text have set: variables, working directory, functions, aliases.

use crate::syntax::Command;
use model::{AbsPath, Origin, Span};
use programs::{Field, Piece};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What a file that this text has written holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Made {
    /// Its whole text, if known.
    pub(crate) text: Option<String>,
    /// Where the text comes from.
    pub(crate) origin: Origin,
}

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Value {
    /// Its parts; none when empty.
    pub(crate) pieces: Vec<Piece>,
    /// Whether it is a number even where its digits are not known.
    pub(crate) number: bool,
}

impl Value {
    /// A value that is known.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        let digits = text.strip_prefix('-').unwrap_or(&text);
        // A leading zero would be octal; it is a number all the same.
        let number = !digits.is_empty() && digits.len() < 18 && digits.bytes().all(|b| b.is_ascii_digit());
        Self { pieces: if text.is_empty() { Vec::new() } else { vec![Piece::Text(text)] }, number }
    }

    /// A value that is not known.
    pub(crate) fn unknown(as_written: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Unknown(as_written.into())], number: false }
    }

    /// A number whose digits are not known.
    pub(crate) fn some_number(as_written: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Unknown(as_written.into())], number: true }
    }

    /// The value when it is known whole.
    pub(crate) fn known(&self) -> Option<String> {
        self.field(Span::default()).known()
    }

    /// The value as one word.
    pub(crate) fn field(&self, span: Span) -> Field {
        Field { pieces: self.pieces.clone(), span, many: false }
    }
}

/// A variable of the shell.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Variable {
    /// Its value; `None` when it is unset.
    pub(crate) value: Option<Value>,
    /// Its elements, when it is an array whose elements are known words.
    pub(crate) elements: Option<Vec<Field>>,
    /// Whether its subscripts are texts (`declare -A`).
    pub(crate) keyed: bool,
    /// Whether this text exported it.
    pub(crate) exported: bool,
}

/// The state of one shell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    /// Variables that this text has set or unset.
    pub(crate) variables: BTreeMap<String, Variable>,
    /// The working directory, if known.
    pub(crate) cwd: Option<AbsPath>,
    /// The directory before the last `cd`, if known.
    pub(crate) before: Option<AbsPath>,
    /// The working directory if the last `cd` has failed, where it may have.
    pub(crate) doubt: Option<Option<AbsPath>>,
    /// Whether an error ends the shell (`set -e`).
    pub(crate) stop_on_error: bool,
    /// Directories that `pushd` keeps.
    pub(crate) stack: Vec<Option<AbsPath>>,
    /// Functions that this text defines.
    pub(crate) functions: BTreeMap<String, Rc<Command>>,
    /// Names whose meaning this text has changed (`alias`, `hash -p`, `enable`).
    pub(crate) renamed: BTreeSet<String>,
    /// What aliases of this text stand for.
    pub(crate) aliases: BTreeMap<String, String>,
    /// `$0`, if known.
    pub(crate) zero: Option<Field>,
    /// `$1 $2 …`, if known.
    pub(crate) arguments: Option<Vec<Field>>,
    /// Whether `IFS` is not the default any more.
    pub(crate) split: bool,
    /// Whether every assignment exports (`set -a`).
    pub(crate) export_all: bool,
    /// Whether the commands run on another machine.
    pub(crate) away: bool,
}

impl State {
    /// A shell that begins in `cwd`.
    pub(crate) fn new(cwd: AbsPath) -> Self {
        Self { cwd: Some(cwd), away: false, ..Self::elsewhere() }
    }

    /// A shell on a machine of which nothing is known.
    pub(crate) fn elsewhere() -> Self {
        Self {
            variables: BTreeMap::new(),
            cwd: None,
            before: None,
            doubt: None,
            stop_on_error: false,
            stack: Vec::new(),
            functions: BTreeMap::new(),
            renamed: BTreeSet::new(),
            aliases: BTreeMap::new(),
            zero: None,
            arguments: Some(Vec::new()),
            split: false,
            export_all: false,
            away: true,
        }
    }

    /// Sets a variable; what is exported stays so.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        let export = self.export_all;
        let variable = self.variables.entry(name.to_owned()).or_default();
        variable.value = Some(value);
        variable.elements = None;
        variable.exported |= export;
    }

    /// What is known after a branch that may or may not have been taken.
    pub(crate) fn merge(&mut self, other: Self) {
        let names: BTreeSet<String> = self.variables.keys().chain(other.variables.keys()).cloned().collect();
        for name in names {
            let (here, there) = (self.variables.get(&name), other.variables.get(&name));
            if here == there {
                continue;
            }
            let number =
                [here, there].into_iter().all(|v| v.and_then(|v| v.value.as_ref()).is_some_and(|v| v.number));
            let merged = Variable {
                value: Some(Value { pieces: vec![Piece::Unknown(format!("${name}"))], number }),
                elements: None,
                keyed: here.or(there).is_some_and(|v| v.keyed),
                exported: here.is_some_and(|v| v.exported) || there.is_some_and(|v| v.exported),
            };
            self.variables.insert(name, merged);
        }
        if self.cwd != other.cwd {
            self.cwd = None;
        }
        if self.before != other.before {
            self.before = None;
        }
        if self.stack != other.stack {
            self.stack = Vec::new();
        }
        for (name, body) in other.functions {
            match self.functions.get(&name) {
                Some(mine) if *mine == body => {}
                // Which of the two (or the program of that name) would run is not known.
                _ => {
                    self.functions.remove(&name);
                    self.renamed.insert(name);
                }
            }
        }
        self.renamed.extend(other.renamed);
        self.aliases.extend(other.aliases);
        if self.arguments != other.arguments {
            self.arguments = None;
        }
        self.split |= other.split;
        self.stop_on_error &= other.stop_on_error;
        if self.doubt != other.doubt {
            self.doubt = self.doubt.take().or(other.doubt);
        }
        self.export_all |= other.export_all;
    }
}
