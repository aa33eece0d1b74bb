//! The shell's own commands that set variables and options.

use crate::context::Context;
use crate::state::{Value, Variable};
use crate::syntax::{Part, is_name};
use model::{Action, RevealFacts, Span};
use programs::Field;

impl Context<'_> {
    /// `export`, `declare` and their kin.
    pub(crate) fn declare(&mut self, command: &str, fields: &[Field], span: Span) {
        let mut export = command == "export";
        let mut keyed = false;
        let mut removes = false;
        let names = fields.iter().any(|f| !f.prefix().starts_with(['-', '+']));
        let prints = |f: &Field| f.prefix().starts_with('-') && f.prefix().contains('p');
        if !names || fields.iter().any(prints) {
            // Without a name they print every variable with its value.
            let facts = RevealFacts { what: "environment".to_owned(), name: command.to_owned() };
            self.emit(Action::Reveal(facts), span);
        }
        for field in fields {
            let head = field.prefix();
            let options = head.strip_prefix(['-', '+']).filter(|_| field.known().is_some());
            if let Some(letters) = options
                && !head.contains('=')
            {
                if head == "--" {
                    continue;
                }
                let minus = head.starts_with('-');
                if letters.contains('n') && command == "export" {
                    removes = true;
                } else if letters.contains(['n', 'i', 'c']) && minus && command != "readonly" {
                    self.opaque(
                        command,
                        format!("`{command} {head}` makes values mean more than text"),
                        field.span,
                    );
                }
                export |= minus && letters.contains('x');
                removes |= !minus && letters.contains('x');
                keyed |= letters.contains('A');
                continue;
            }
            let (name, value) = match head.split_once('=') {
                Some((name, _)) => (name.to_owned(), field.strip(name.len() + 1)),
                None if field.known().is_some() => (head.clone(), None),
                None => {
                    let shown = field.shown();
                    self.opaque(
                        command,
                        format!("`{command} {shown}` sets a variable whose name is not known"),
                        field.span,
                    );
                    continue;
                }
            };
            let append = name.ends_with('+');
            let name = name.trim_end_matches('+').to_owned();
            if !is_name(&name) {
                let target = Field::text(name.clone(), field.span);
                if self.must_be_name(&target, command).is_some() {
                    self.opaque(command, format!("`{name}` is not a variable's name"), field.span);
                }
                continue;
            }
            let inside = !self.locals.is_empty();
            if inside && matches!(command, "local" | "declare" | "typeset") {
                self.make_local(&name);
            }
            if let Some(value) = value {
                let array = value.shown() == "(…)";
                let mut value = match value.known() {
                    Some(text) => Value::text(text),
                    None => Value { pieces: value.pieces, number: false },
                };
                if append {
                    value = self.appended(&name, value);
                }
                self.assign(&name, value, span);
                if array && let Some(variable) = self.state.variables.get_mut(&name) {
                    variable.elements = None;
                }
            } else if self.variable(&name).is_none() || (inside && command == "local") {
                let entry = self.state.variables.entry(name.clone()).or_default();
                if command == "local" {
                    entry.value = None;
                    entry.elements = None;
                }
            } else if let Some(value) = self.variable(&name) {
                self.state.variables.entry(name.clone()).or_default().value = Some(value);
            }
            if let Some(variable) = self.state.variables.get_mut(&name) {
                variable.keyed |= keyed;
                variable.exported = (variable.exported || export) && !removes;
            }
        }
    }

    /// What the shell keeps of the commands that were run is for the person to change: traces would be missing.
    pub(crate) fn keeps_history(&mut self, name: &str, span: Span) {
        if matches!(name, "HISTFILE" | "HISTSIZE" | "HISTFILESIZE" | "HISTCONTROL" | "HISTIGNORE") {
            self.opaque(
                name,
                format!("`{name}` says what the shell keeps of the commands that were run"),
                span,
            );
        }
    }

    /// `unset`.
    pub(crate) fn unset(&mut self, fields: &[Field]) {
        for field in fields {
            self.keeps_history(&field.prefix(), field.span);
            match field.known().as_deref() {
                Some("-v" | "-n" | "--") => {}
                Some("-f") => {}
                _ => {
                    if let Some(name) = self.must_be_name(field, "unset") {
                        if self.state.functions.remove(&name).is_none() {
                            self.state.variables.insert(name.clone(), Variable::default());
                        }
                        if name == "IFS" {
                            self.state.split = false;
                        }
                    }
                }
            }
        }
    }

    /// `set`.
    pub(crate) fn set_options(&mut self, fields: &[Field], span: Span) {
        if fields.is_empty() {
            // It shows every variable.
            let facts = model::RevealFacts { what: "environment".to_owned(), name: String::new() };
            self.emit(model::Action::Reveal(facts), span);
        }
        let mut at = 0;
        while let Some(field) = fields.get(at) {
            at += 1;
            let Some(text) = field.known() else {
                self.state.arguments = None;
                if field.prefix().is_empty() {
                    self.opaque("set", format!("`set {}` may set any option", field.shown()), span);
                }
                return;
            };
            let Some(letters) = text.strip_prefix(['-', '+']).filter(|l| !l.is_empty()) else {
                self.state.arguments = Some(fields.get(at - 1..).unwrap_or_default().to_vec());
                return;
            };
            if text == "--" {
                self.state.arguments = Some(fields.get(at..).unwrap_or_default().to_vec());
                return;
            }
            let on = text.starts_with('-');
            for letter in letters.chars() {
                match letter {
                    'e' => self.state.stop_on_error = on,
                    'a' => self.state.export_all = on,
                    'u' | 'x' | 'v' | 'f' | 'n' | 'b' | 'h' | 'm' | 'C' | 'E' | 'T' | 'B' | 'H' | 'P'
                    | 't' => {
                        if matches!(letter, 'B' | 'P' | 'n') {
                            self.opaque("set", format!("`set {text}` changes how commands are read"), span);
                        }
                    }
                    'o' => {
                        let option = fields.get(at).and_then(Field::known).unwrap_or_default();
                        at += 1;
                        match option.as_str() {
                            "errexit" => self.state.stop_on_error = on,
                            "allexport" => self.state.export_all = on,
                            "pipefail" | "nounset" | "xtrace" | "verbose" | "noglob" | "errtrace"
                            | "functrace" | "noclobber" | "monitor" | "notify" | "vi" | "emacs"
                            | "ignoreeof" | "hashall" | "nolog" | "" => {}
                            other => {
                                self.opaque(
                                    "set",
                                    format!("`set -o {other}` changes how commands are read"),
                                    span,
                                );
                            }
                        }
                    }
                    other => self.opaque("set", format!("`set -{other}` is not known"), span),
                }
            }
        }
    }

    /// `shopt`.
    pub(crate) fn shell_options(&mut self, fields: &[Field], span: Span) {
        for field in fields {
            let text = field.known();
            match text.as_deref() {
                Some("-s" | "-u" | "-q" | "-p" | "-o") => {}
                Some(
                    "nullglob" | "dotglob" | "globstar" | "nocaseglob" | "failglob" | "pipefail"
                    | "inherit_errexit" | "checkwinsize" | "histappend" | "nocasematch" | "huponexit"
                    | "xpg_echo" | "globasciiranges",
                ) => {}
                _ => self.opaque(
                    "shopt",
                    format!("`shopt {}` changes how commands are read", field.shown()),
                    span,
                ),
            }
        }
    }

    /// One word of `let`.
    pub(crate) fn let_one(&mut self, field: &Field) {
        match field.known() {
            Some(text) if !text.contains(['$', '`']) => {
                let part = Part::Text { text, quoted: true };
                self.arithmetic(&[part], field.span);
            }
            _ => {
                let shown = field.shown();
                self.opaque(
                    "let",
                    format!("`let {shown}` is evaluated as arithmetic and not known"),
                    field.span,
                );
            }
        }
    }

    /// `read` and `mapfile`.
    pub(crate) fn read(&mut self, command: &str, fields: &[Field], span: Span) {
        let values: &[char] = if command == "read" {
            &['d', 'i', 'n', 'N', 'p', 't', 'u', 'a']
        } else {
            &['d', 'n', 'O', 's', 'u', 'C', 'c']
        };
        let mut at = 0;
        let mut names = Vec::new();
        while let Some(field) = fields.get(at) {
            at += 1;
            let text = field.known();
            let letters = text.as_deref().and_then(|t| t.strip_prefix('-')).filter(|l| !l.is_empty());
            let Some(letters) = letters else {
                names.push(field.clone());
                continue;
            };
            if let Some(place) = letters.find(values) {
                let letter = letters.get(place..).and_then(|l| l.chars().next());
                let attached = letters.get(place + 1..).filter(|l| !l.is_empty());
                if letter == Some('C') {
                    self.opaque(command, format!("`{command} -C` runs code"), span);
                }
                if letter == Some('a') {
                    match attached {
                        Some(name) => names.push(Field::text(name, field.span)),
                        None => names.extend(fields.get(at).cloned()),
                    }
                }
                at += usize::from(attached.is_none());
            }
        }
        if names.is_empty() {
            let default = if command == "read" { "REPLY" } else { "MAPFILE" };
            names.push(Field::text(default, span));
        }
        for field in names {
            if let Some(name) = self.must_be_name(&field, command) {
                self.filled(&name, span);
            }
        }
    }
}
