//! A command whose words have been matched against the table.

use crate::context::{Invocation, Output};
use model::{Origin, Span};
use programs::{Field, Match, Role};

/// A command on its way from words to effects.
pub(crate) struct Call {
    /// What the table says of its words.
    pub(crate) found: Match,
    /// The command itself.
    pub(crate) inv: Invocation,
    /// Whether what it reads may be a secret, or comes from outside the workspace.
    pub(crate) sensitive: bool,
    /// Where what it prints comes from.
    pub(crate) origin: Origin,
    /// What it prints, where that is known.
    pub(crate) text: Option<String>,
    /// Whether a part of it is not understood.
    pub(crate) opaque: bool,
}

impl Call {
    /// Where the command stands.
    pub(crate) fn span(&self) -> Span {
        self.inv.span
    }

    /// The program and its sub-commands.
    pub(crate) fn command(&self) -> String {
        self.found.command()
    }

    /// The program's name as the command has it.
    pub(crate) fn name(&self) -> String {
        self.inv.words.first().map_or_else(|| self.found.program.clone(), Field::shown)
    }

    /// The words of one role.
    pub(crate) fn words(&self, role: &Role) -> Vec<Field> {
        self.found.roles.iter().filter(|(r, _)| r == role).map(|(_, f)| f.clone()).collect()
    }

    /// Whether one of these options was given, by any of its first spellings.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|n| self.found.has(n))
    }

    /// What a command that it runs prints is what it prints.
    pub(crate) fn prints(&mut self, output: Output) {
        self.sensitive |= output.sensitive;
        self.origin = output.origin;
        self.text = output.text;
    }
}
