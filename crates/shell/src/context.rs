//! What the walk of a command carries with it, and what the meaning of programs may ask of it.

use crate::Table;
use crate::state::{Made, State, Value, Variable};
use model::{AbsPath, Action, Effect, Facts, Origin, PathTarget, RemotePlace, RunFacts, Span, Task};
use programs::{Field, Piece};
use std::collections::BTreeMap;

/// What a command reads from its standard input.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Input {
    /// The agent's own, which is empty or a terminal.
    #[default]
    Inherit,
    /// `/dev/null`, or closed.
    Null,
    /// A text that is known: a here-document, or the output of `echo` or `printf`.
    Text(String),
    /// A file.
    File(PathTarget),
    /// The output of other commands, whose text is not known.
    Pipe {
        /// Where the text comes from: [`Origin::Downloaded`] when any of it came from the network.
        origin: Origin,
        /// Whether it may hold a secret, or data from outside the workspace.
        sensitive: bool,
        /// Whose names it holds, when it holds nothing but names of files.
        names: Option<Names>,
    },
    /// Nothing is known of it.
    Unknown,
}

/// Names of files, one after the other, that a search prints.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Names {
    /// Patterns of which each name matches one, as the search spells them.
    pub(crate) patterns: Vec<Field>,
    /// Whether each ends with a NUL byte, so that no name can pass for two.
    pub(crate) apart: bool,
}

/// What a command writes to its standard output, as far as known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    /// The text, when it is known whole (`echo`, `printf`, `cat` of a known here-document).
    pub(crate) text: Option<String>,
    /// Where it comes from: [`Origin::Downloaded`] when it came from the network.
    pub(crate) origin: Origin,
    /// Whether it may hold a secret, or data from outside the workspace.
    pub(crate) sensitive: bool,
    /// Whether it is one whole number, or nothing where the command fails.
    pub(crate) number: bool,
    /// Whose names it holds, when it holds nothing but names of files.
    pub(crate) names: Option<Names>,
}

impl Default for Output {
    fn default() -> Self {
        Self { text: None, origin: Origin::Unknown, sensitive: false, number: false, names: None }
    }
}

impl Output {
    /// A text that is known whole.
    pub(crate) fn known(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), origin: Origin::Inline, sensitive: false, number: false, names: None }
    }

    /// What is written when this and then `next` are written to the same place.
    pub(crate) fn then(self, next: Self) -> Self {
        if self.text.as_deref() == Some("") {
            return Self { sensitive: self.sensitive || next.sensitive, ..next };
        }
        if next.text.as_deref() == Some("") {
            return Self { sensitive: self.sensitive || next.sensitive, ..self };
        }
        let text = match (self.text, next.text) {
            (Some(a), Some(b)) => Some(a + &b),
            _ => None,
        };
        let origin = if self.origin == Origin::Downloaded || next.origin == Origin::Downloaded {
            Origin::Downloaded
        } else if self.origin == next.origin {
            self.origin
        } else {
            Origin::Unknown
        };
        Self { text, origin, sensitive: self.sensitive || next.sensitive, number: false, names: None }
    }

    /// What the next command of a pipeline reads.
    pub(crate) fn into_input(self) -> Input {
        match self.text {
            Some(text) if !self.sensitive && self.origin != Origin::Downloaded => Input::Text(text),
            _ => Input::Pipe { origin: self.origin, sensitive: self.sensitive, names: self.names },
        }
    }
}

/// One simple command after expansion. Effects of its redirections are the walk's own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Invocation {
    /// The program's name and its words; the name is known and not empty. A path of the system's directories has
    /// been replaced by the program's name; any other path is a script or program of its own.
    pub(crate) words: Vec<Field>,
    /// Assignments before the command, and variables that were exported before it in the same text.
    pub(crate) assignments: Vec<(String, Field)>,
    /// What it reads.
    pub(crate) stdin: Input,
    /// Where it stands.
    pub(crate) span: Span,
}

/// The most commands that are walked for one text, loops and functions counted as often as they are walked.
pub(crate) const MAX_STEPS: u32 = 4_000;
/// The deepest nesting of texts in texts (`bash -c "bash -c '…'"`, `eval`, scripts, functions).
pub(crate) const MAX_DEPTH: u32 = 24;

/// What the walk carries along.
pub(crate) struct Context<'a> {
    /// What is known of the machine.
    pub(crate) facts: &'a dyn Facts,
    /// What programs do.
    pub(crate) table: &'a Table,
    /// Effects found so far.
    pub(crate) effects: Vec<Effect>,
    /// Variables, working directory, functions, aliases.
    pub(crate) state: State,
    /// Files that this very text has written so far, the last one first asked. Subshells write them too.
    pub(crate) made: Vec<(PathTarget, Made)>,
    /// The machine the commands run on, if not this one.
    pub(crate) remote: Option<RemotePlace>,
    /// Texts in texts so far.
    pub(crate) depth: u32,
    /// Commands walked so far.
    pub(crate) steps: u32,
    /// Whether the budget ran out; then nothing more is walked.
    pub(crate) exhausted: bool,
    /// The outermost text, to show parts of it.
    pub(crate) source: String,
    /// Unknown pieces that may hold a secret or something from the network, by their spelling: where they come from,
    /// and whether they may hold a secret.
    pub(crate) taints: BTreeMap<String, (Origin, bool)>,
    /// Unknown pieces by their spelling: whether each is a number or nothing, whatever it was spelled for.
    pub(crate) numbers: BTreeMap<String, bool>,
    /// For each function that is being walked, variables it made its own, as they were before.
    pub(crate) locals: Vec<Vec<(String, Option<Variable>)>>,
    /// When set, simple commands are listed here (for tests and explanations).
    pub(crate) listing: Option<Vec<Vec<String>>>,
}

impl<'a> Context<'a> {
    /// A walk that begins in `cwd` with nothing known but the facts.
    pub(crate) fn new(facts: &'a dyn Facts, table: &'a Table, cwd: &AbsPath) -> Self {
        Self {
            facts,
            table,
            effects: Vec::new(),
            state: State::new(cwd.clone()),
            made: Vec::new(),
            remote: None,
            depth: 0,
            steps: 0,
            exhausted: false,
            source: String::new(),
            taints: BTreeMap::new(),
            numbers: BTreeMap::new(),
            locals: Vec::new(),
            listing: None,
        }
    }

    /// Adds an effect; one that is already there from the same place is not repeated.
    pub(crate) fn emit(&mut self, action: Action, span: Span) {
        let effect = Effect { action, span: Some(span), remote: self.remote.clone() };
        if !self.effects.contains(&effect) {
            self.effects.push(effect);
        }
    }

    /// Adds the effect that something runs whose doing is not known, and why.
    pub(crate) fn not_understood(
        &mut self,
        program: &str,
        why: impl Into<String>,
        origin: Origin,
        span: Span,
    ) {
        self.emit(
            Action::Run(RunFacts {
                program: program.to_owned(),
                understood: false,
                why: Some(why.into()),
                origin,
                task: Task::Other,
            }),
            span,
        );
    }

    /// The directory the command would run in, if known.
    pub(crate) fn cwd(&self) -> Option<&AbsPath> {
        self.state.cwd.as_ref()
    }

    /// A word as a path. What follows an unknown `cd` is unknown unless it is absolute.
    pub(crate) fn path(&self, field: &Field) -> PathTarget {
        if let Some(text) = field.known() {
            return self.path_of(&text);
        }
        let prefix = field.prefix();
        let unknown = || PathTarget::Unknown(field.shown());
        let dir = match prefix.rfind('/') {
            Some(at) => prefix.get(..=at).unwrap_or_default(),
            // `$X` and `$X/y` may be absolute; a pattern or `a$X` cannot.
            None if matches!(field.pieces.first(), Some(Piece::Unknown(_)) | None) => return unknown(),
            None => "",
        };
        let base = if dir.starts_with('/') {
            AbsPath::parse(dir).ok()
        } else {
            self.state.cwd.as_ref().map(|cwd| cwd.join(dir))
        };
        let shown = field.shown();
        let pattern = shown.get(dir.len()..).unwrap_or_default().to_owned();
        let may_escape = field.has_unknown() || pattern.split('/').any(|part| part == "..");
        base.map_or_else(unknown, |base| PathTarget::Under { base, pattern, may_escape })
    }

    /// A known text as a path.
    pub(crate) fn path_of(&self, text: &str) -> PathTarget {
        let known = if text.starts_with('/') {
            AbsPath::parse(text).ok()
        } else {
            self.state.cwd.as_ref().filter(|_| !text.contains('\0')).map(|cwd| cwd.join(text))
        };
        known.map_or_else(|| PathTarget::Unknown(text.to_owned()), PathTarget::Known)
    }

    /// Remembers that this text has written a path, and with what.
    pub(crate) fn wrote(&mut self, target: PathTarget, made: Made) {
        if target != PathTarget::Known(AbsPath::parse("/dev/null").unwrap_or_else(|_| AbsPath::root())) {
            self.made.push((target, made));
        }
    }

    /// What this text has written to a path so far, if anything. A write to a place that is not known for sure
    /// may have been this one: then the text is not known.
    pub(crate) fn made(&self, path: &AbsPath) -> Option<Made> {
        self.made.iter().rev().find_map(|(target, made)| match target {
            PathTarget::Known(p) => (p == path).then(|| made.clone()),
            PathTarget::Under { base, may_escape, .. } => {
                (*may_escape || path.is_under(base)).then_some(Made { text: None, origin: made.origin })
            }
            PathTarget::Unknown(_) => Some(Made { text: None, origin: made.origin }),
        })
    }

    /// The value of a variable: as assigned in this text, or as the agent's environment has it.
    pub(crate) fn variable(&self, name: &str) -> Option<Value> {
        match self.state.variables.get(name) {
            Some(variable) => variable.value.clone(),
            None => self.facts.variable(name).map(Value::text),
        }
    }

    /// Whether a word may hold a secret, as far as this text tells (`$(cat .env)`).
    pub(crate) fn is_sensitive(&self, field: &Field) -> bool {
        self.taint_of(field).is_some_and(|(_, sensitive)| sensitive)
    }

    /// Where the unknown parts of a word come from, and whether they may hold a secret, if this text tells.
    pub(crate) fn taint_of(&self, field: &Field) -> Option<(Origin, bool)> {
        let mut found: Option<(Origin, bool)> = None;
        for piece in &field.pieces {
            if let Piece::Unknown(written) = piece
                && let Some((origin, sensitive)) = self.taints.get(written)
            {
                let before = found.unwrap_or((*origin, false));
                let origin = if *origin == Origin::Downloaded { *origin } else { before.0 };
                found = Some((origin, before.1 || *sensitive));
            }
        }
        found
    }

    /// Walks what `f` walks as on another machine: paths, variables and the working directory there are not known.
    pub(crate) fn on<T>(&mut self, place: RemotePlace, f: impl FnOnce(&mut Self) -> T) -> T {
        let state = std::mem::replace(&mut self.state, State::elsewhere());
        let made = std::mem::take(&mut self.made);
        let remote = self.remote.replace(place);
        let result = f(self);
        self.state = state;
        self.made = made;
        self.remote = remote;
        result
    }

    /// Walks what `f` walks in a copy of the state, as a child process or subshell.
    pub(crate) fn apart<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let state = self.state.clone();
        let result = f(self);
        self.state = state;
        result
    }

    /// Walks what `f` walks in another directory (`env -C`, `make -C`, `find -execdir`: `None` when not known).
    pub(crate) fn within<T>(&mut self, dir: Option<AbsPath>, f: impl FnOnce(&mut Self) -> T) -> T {
        let cwd = std::mem::replace(&mut self.state.cwd, dir);
        let result = f(self);
        self.state.cwd = cwd;
        result
    }
}
