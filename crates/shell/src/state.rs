//! What earlier commands of the same text have set: variables, working directory, functions, aliases.

use model::{AbsPath, Origin};
use programs::{Field, Piece};
use std::collections::BTreeMap;

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
        let number = !text.is_empty() && text.len() < 18 && text.bytes().all(|b| b.is_ascii_digit());
        Self { pieces: if text.is_empty() { Vec::new() } else { vec![Piece::Text(text)] }, number }
    }

    /// The value when it is known whole.
    pub(crate) fn known(&self) -> Option<String> {
        Field { pieces: self.pieces.clone(), span: model::Span::default(), many: false }.known()
    }
}

/// A variable of the shell.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Variable {
    /// Its value; `None` when it is unset.
    pub(crate) value: Option<Value>,
    /// Whether programs see it.
    pub(crate) exported: bool,
}

/// The state of one shell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    /// Variables that this text has set or unset.
    pub(crate) variables: BTreeMap<String, Variable>,
    /// The working directory, if known.
    pub(crate) cwd: Option<AbsPath>,
}

impl State {
    /// A shell that begins in `cwd`.
    pub(crate) fn new(cwd: AbsPath) -> Self {
        Self { variables: BTreeMap::new(), cwd: Some(cwd) }
    }

    /// A shell on a machine of which nothing is known.
    pub(crate) fn elsewhere() -> Self {
        Self { variables: BTreeMap::new(), cwd: None }
    }
}
