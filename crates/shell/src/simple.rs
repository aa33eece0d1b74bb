//! Simple commands: assignments, functions, the shell's own commands, programs.

use crate::context::{Context, Input, Invocation, Output};
use crate::state::{Value, Variable};
use crate::syntax::{Assignment, Part, Redirect, Word};
use model::{Action, Effect, FileKind, Lending, Origin, PathTarget, SecretFacts, Span};
use programs::{Class as VariableClass, Field, variable};

/// Directories of the system in which a program's name says what it is.
const SYSTEM: [&str; 9] = [
    "/bin",
    "/usr/bin",
    "/usr/local/bin",
    "/sbin",
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/bin",
    "/opt/homebrew/sbin",
    "/opt/local/bin",
];
/// Variables by which the shell itself runs code.
const RUNS: [&str; 7] = ["PS4", "PS0", "PROMPT_COMMAND", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS"];

/// The secrets that a program's words and variables refer to, each once.
fn lent(words: &[Field], assignments: &[(String, Field)]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for field in assignments.iter().map(|(_, value)| value).chain(words) {
        for name in model::secret_references(&field.shown()) {
            if !out.iter().any(|o| o == name) {
                out.push(name.to_owned());
            }
        }
    }
    out
}

impl Context<'_> {
    /// One simple command.
    pub(crate) fn simple(
        &mut self,
        assignments: &[Assignment],
        words: &[Word],
        redirects: &[Redirect],
        stdin: Input,
        span: Span,
    ) -> Output {
        let fields = self.command_fields(words);
        let streams = self.redirects(redirects, stdin);
        let stdin = streams.stdin.clone();
        if fields.is_empty() {
            for assignment in assignments {
                self.assigned(assignment);
            }
            if !words.is_empty() {
                self.no_name(words, span);
            }
            return self.printed(streams, Output::known(""));
        }
        let mut set = Vec::new();
        for assignment in assignments {
            if let Some(subscript) = &assignment.subscript {
                self.subscript(&assignment.name, subscript, span);
            }
            let value = self.value(&assignment.value.parts, assignment.value.span);
            self.runs_by_itself(&assignment.name, &value, span);
            set.push((assignment.name.clone(), value.field(assignment.value.span)));
        }
        let output = self.dispatch(set, fields, stdin, span, true);
        self.printed(streams, output)
    }

    /// The words; those of `export` and its kin that are assignments are not split.
    fn command_fields(&mut self, words: &[Word]) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for word in words {
            let declares = fields.first().and_then(Field::known).is_some_and(|name| {
                matches!(name.as_str(), "export" | "declare" | "typeset" | "local" | "readonly")
            });
            match crate::syntax::assignment(word) {
                Some(assignment) if declares => {
                    let field = self.declared(&assignment, word.span);
                    fields.push(field);
                }
                _ => fields.extend(self.fields(word)),
            }
        }
        fields
    }

    /// `NAME=VALUE` as an operand of `export` and its kin, as one field.
    fn declared(&mut self, assignment: &Assignment, span: Span) -> Field {
        if let Some(subscript) = &assignment.subscript {
            self.subscript(&assignment.name, subscript, span);
        }
        let value = self.value(&assignment.value.parts, span);
        let sign = if assignment.append { "+=" } else { "=" };
        let mut field = Field::text(format!("{}{sign}", assignment.name), span);
        for piece in value.pieces {
            match (field.pieces.last_mut(), piece) {
                (Some(programs::Piece::Text(head)), programs::Piece::Text(text)) => head.push_str(&text),
                (_, piece) => field.pieces.push(piece),
            }
        }
        field
    }

    /// The command's name expanded to nothing: what would run is not known.
    fn no_name(&mut self, words: &[Word], span: Span) {
        let written = words.first().map(|w| self.written(w.span, "…")).unwrap_or_default();
        self.opaque(&written, format!("the program's name is not known before it runs: `{written}`"), span);
    }

    /// Runs known words: function, builtin or program. `shell`: whether the shell itself runs them, so that functions,
    /// aliases and its own commands count.
    pub(crate) fn dispatch(
        &mut self,
        set: Vec<(String, Field)>,
        words: Vec<Field>,
        stdin: Input,
        span: Span,
        shell: bool,
    ) -> Output {
        let Some(first) = words.first() else { return Output::known("") };
        let Some(name) = first.known().filter(|n| !n.is_empty()) else {
            let shown = first.shown();
            self.list_words(&words);
            self.opaque(&shown, format!("the program's name is not known before it runs: `{shown}`"), span);
            return Output::default();
        };
        self.list_words(&words);
        if shell {
            if self.state.renamed.contains(&name) {
                self.opaque(&name, format!("this command has given `{name}` another meaning"), span);
                self.alias(set, &words, &name, stdin, span);
                return Output::default();
            }
            if let Some(body) = self.state.functions.get(&name).cloned() {
                for (variable, value) in &set {
                    let value = Value { pieces: value.pieces.clone(), number: false };
                    self.set_exported(variable, value);
                }
                return self.call(&body, &words, stdin, span);
            }
            if let Some(output) = self.builtin(&name, &words, &stdin, span) {
                // Variables set for a builtin that runs nothing change nothing outside it.
                if let Some((variable, _)) = set.iter().find(|(n, _)| n == "IFS" || n == "PATH")
                    && matches!(name.as_str(), "eval" | "." | "source" | "command" | "exec" | "builtin")
                {
                    self.opaque(&name, format!("`{variable}` is set for `{name}`"), span);
                }
                return output;
            }
        } else if let Some(output) = self.plain_builtin(&name, &words, span) {
            return output;
        }
        self.program(set, words, &name, stdin, span)
    }

    /// What an alias may run counts, besides its not being understood: whether the shell expands it is not known.
    fn alias(&mut self, set: Vec<(String, Field)>, words: &[Field], name: &str, stdin: Input, span: Span) {
        // An alias is not expanded within itself.
        let Some(meaning) = self.state.aliases.remove(name) else { return };
        if self.step(span) && self.depth < crate::context::MAX_DEPTH {
            self.depth += 1;
            self.state.renamed.remove(name);
            let plain = |c: char| c.is_ascii_alphanumeric() || " _./:=@+,-".contains(c);
            if meaning.chars().all(plain) {
                let mut all: Vec<Field> = meaning.split_whitespace().map(|w| Field::text(w, span)).collect();
                all.extend(words.iter().skip(1).cloned());
                self.dispatch(set, all, stdin, span, true);
            } else {
                self.text_here(&meaning, stdin, span);
            }
            self.state.renamed.insert(name.to_owned());
            self.depth -= 1;
        }
        self.state.aliases.insert(name.to_owned(), meaning);
    }

    /// Runs a program with the variables that this text has exported.
    fn program(
        &mut self,
        set: Vec<(String, Field)>,
        mut words: Vec<Field>,
        name: &str,
        stdin: Input,
        span: Span,
    ) -> Output {
        let mut assignments: Vec<(String, Field)> = self
            .state
            .variables
            .iter()
            .filter(|(n, v)| v.exported && !set.iter().any(|(s, _)| s == *n))
            .filter_map(|(n, v)| v.value.as_ref().map(|value| (n.clone(), value.field(span))))
            .collect();
        assignments.extend(set);
        if let (Some(plain), Some(first)) = (self.system_name(name), words.first_mut()) {
            *first = Field::text(plain, first.span);
        }
        let lent = lent(&words, &assignments);
        let before = self.effects.len();
        let program = words.first().map(Field::shown).unwrap_or_default();
        let output = crate::meaning::invoke(self, Invocation { words, assignments, stdin, span });
        self.lends(lent, &program, before, span);
        output
    }

    /// Adds the use of secrets that a program is given by reference. The host is known where the program's own effects,
    /// those from `before` on, name one and no other.
    /// What another program of its own uses (`env`, `bash -c`) it only hands on.
    fn lends(&mut self, mut names: Vec<String>, program: &str, before: usize, span: Span) {
        names.retain(|name| {
            let inner = |e: &Effect| matches!(&e.action, Action::UseSecret(s) if s.name == *name);
            !self.effects.iter().skip(before).any(inner)
        });
        if names.is_empty() {
            return;
        }
        let mut hosts: Vec<&String> = Vec::new();
        for effect in self.effects.iter().skip(before) {
            if let Action::Fetch(net) | Action::Send(net) = &effect.action
                && !hosts.contains(&&net.host)
            {
                hosts.push(&net.host);
            }
        }
        let host = match hosts.as_slice() {
            [one] => (*one).clone(),
            _ => String::new(),
        };
        let program = program.rsplit('/').next().unwrap_or(program).to_owned();
        for name in names {
            let (program, host) = (program.clone(), host.clone());
            self.emit(Action::UseSecret(SecretFacts { name, program, host, terms: Lending::None }), span);
        }
    }

    /// The program's name, when the path leads to a program of the system.
    fn system_name(&self, name: &str) -> Option<String> {
        if !name.contains('/') || self.remote.is_some() {
            return None;
        }
        let PathTarget::Known(path) = self.path_of(name) else { return None };
        let in_system = |p: &model::AbsPath| p.parent().is_some_and(|d| SYSTEM.contains(&d.as_str()));
        if !in_system(&path) || self.made(&path).is_some() || self.facts.written_by_session(&path) {
            return None;
        }
        let resolved = self.facts.resolve(&path);
        let real = if in_system(&resolved.path) && resolved.kind == FileKind::File {
            resolved.path
        } else {
            path.clone()
        };
        let name = real.name().filter(|n| self.table.get(n).is_some()).or(path.name())?;
        Some(name.to_owned())
    }

    /// Walks the words of a command that another program runs (`sudo`, `env`, `xargs`): functions, aliases and the
    /// shell's own commands are not seen there.
    pub(crate) fn run_words(&mut self, words: &[Field], stdin: Input, span: Span) -> Output {
        self.run_words_with(Vec::new(), words, stdin, span)
    }

    /// The same with variables set for it (`env NAME=VALUE COMMAND`).
    pub(crate) fn run_words_with(
        &mut self,
        assignments: Vec<(String, Field)>,
        words: &[Field],
        stdin: Input,
        span: Span,
    ) -> Output {
        if !self.step(span) || self.depth >= crate::context::MAX_DEPTH {
            if !self.exhausted {
                self.opaque("sh", "the command is too deep to judge".to_owned(), span);
            }
            return Output::default();
        }
        self.depth += 1;
        let output = self.dispatch(assignments, words.to_vec(), stdin, span, false);
        self.depth -= 1;
        output
    }

    fn list_words(&mut self, words: &[Field]) {
        if let Some(listing) = &mut self.listing {
            listing.push(words.iter().map(Field::shown).collect());
        }
    }

    /// An assignment without a command.
    fn assigned(&mut self, assignment: &Assignment) {
        let span = assignment.value.span;
        if let Some(subscript) = &assignment.subscript {
            self.subscript(&assignment.name, subscript, span);
            self.value(&assignment.value.parts, span);
            let variable = self.state.variables.entry(assignment.name.clone()).or_default();
            variable.elements = None;
            variable.value = Some(Value::unknown(format!("${}", assignment.name)));
            return;
        }
        if let [Part::Array(words)] = assignment.value.parts.as_slice() {
            self.assign_array(&assignment.name, words, assignment.append);
            return;
        }
        let mut value = self.value(&assignment.value.parts, span);
        if assignment.append {
            value = self.appended(&assignment.name, value);
        }
        self.assign(&assignment.name, value, span);
    }

    /// The old value with another added; of numbers declared as such the sum is a number.
    pub(crate) fn appended(&mut self, name: &str, value: Value) -> Value {
        let Some(before) = self.variable(name) else { return Value::unknown(format!("${name}")) };
        match (before.known(), value.known()) {
            (Some(a), Some(b)) => Value::text(a + &b),
            _ => {
                let mut pieces = before.pieces;
                pieces.extend(value.pieces);
                Value { pieces, number: false }
            }
        }
    }

    /// Sets an array. Keys in brackets are evaluated.
    pub(crate) fn assign_array(&mut self, name: &str, words: &[Word], append: bool) {
        let mut elements = Vec::new();
        let mut keyed = false;
        for word in words {
            let bracket = matches!(word.parts.first(), Some(Part::Text { text, quoted: false }) if text.starts_with('['));
            if bracket {
                keyed = true;
                let texts = self.state.variables.get(name).is_some_and(|v| v.keyed);
                if !texts {
                    let plain = word.parts.iter().all(|p| matches!(p, Part::Text { .. } | Part::Double(_)));
                    let digits = matches!(word.parts.first(), Some(Part::Text { text, .. })
                        if text.split(']').next().is_some_and(|k| k.trim_start_matches('[').bytes().all(|b| b.is_ascii_digit())));
                    if !plain || !digits {
                        self.opaque(
                            name,
                            format!("a subscript of `{name}` is evaluated and not known"),
                            word.span,
                        );
                    }
                }
            }
            elements.extend(self.fields(word));
        }
        let before = self.state.variables.get(name).and_then(|v| v.elements.clone());
        let all = match (append, before) {
            (true, Some(mut before)) => {
                before.append(&mut elements);
                Some(before)
            }
            (true, None) if self.variable(name).is_some() => None,
            _ => Some(elements),
        };
        let variable = self.state.variables.entry(name.to_owned()).or_default();
        variable.value = Some(Value::unknown(format!("${name}")));
        variable.elements = all.filter(|_| !keyed);
        if variable.elements.is_none() {
            variable.keyed |= keyed;
        }
    }

    /// Sets a variable of the shell. One by which the shell or programs find code counts as exported: it may be
    /// exported already.
    pub(crate) fn assign(&mut self, name: &str, value: Value, span: Span) {
        self.runs_by_itself(name, &value, span);
        self.keeps_history(name, span);
        if name == "IFS" {
            let usual = matches!(value.known().as_deref(), Some(" \t\n"));
            self.state.split = !usual;
        }
        let matters = matches!(variable(name), Some(VariableClass::Code | VariableClass::Route))
            || self.facts.variable(name).is_some();
        self.state.set(name, value);
        if matters && let Some(variable) = self.state.variables.get_mut(name) {
            variable.exported = true;
        }
    }

    /// Sets a variable and exports it.
    pub(crate) fn set_exported(&mut self, name: &str, value: Value) {
        self.state.set(name, value);
        if let Some(variable) = self.state.variables.get_mut(name) {
            variable.exported = true;
        }
    }

    /// Variables by which the shell itself runs code, whatever is run next.
    fn runs_by_itself(&mut self, name: &str, value: &Value, span: Span) {
        let shown = value.known();
        let plain = name == "PS4" && shown.as_deref().is_some_and(|t| !t.contains(['$', '`']));
        if (RUNS.contains(&name) || name.starts_with("BASH_FUNC")) && !plain {
            self.not_understood(name, format!("`{name}` makes the shell run code"), Origin::Unknown, span);
        }
    }

    /// A name of a variable as an operand: with a subscript it is evaluated.
    pub(crate) fn must_be_name(&mut self, field: &Field, command: &str) -> Option<String> {
        match field.known() {
            Some(name) if !name.contains(['[', '$', '`']) => Some(name),
            Some(name)
                if name.split_once('[').is_some_and(|(_, rest)| {
                    rest.strip_suffix(']').is_some_and(|k| {
                        k == "@" || k == "*" || (!k.is_empty() && k.bytes().all(|b| b.is_ascii_digit()))
                    })
                }) =>
            {
                None
            }
            _ => {
                let shown = field.shown();
                self.opaque(command, format!("`{command} {shown}` evaluates a subscript"), field.span);
                None
            }
        }
    }

    /// Forgets what is known of a variable that a command fills.
    pub(crate) fn filled(&mut self, name: &str, span: Span) {
        self.assign(name, Value::unknown(format!("${name}")), span);
        let variable: &mut Variable = self.state.variables.entry(name.to_owned()).or_default();
        variable.elements = None;
    }
}
