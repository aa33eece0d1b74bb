//! The walk of a parsed command: lists, pipes, branches, loops, functions.

use crate::context::{Context, Input, MAX_DEPTH, MAX_STEPS, Output};
use crate::state::{State, Value, Variable};
use crate::syntax::{self, Command, Item, Kind, List, Part, Pipeline, Place, TestItem, Word};
use model::{Origin, Span};
use programs::{Field, Piece};
use std::rc::Rc;

/// Items of a loop up to this many are walked one by one.
const ITEMS: usize = 20;

impl Context<'_> {
    /// Walks a text as a new shell (`bash -c TEXT`): variables that are not exported and functions are not seen there.
    /// Effects found in it stand at `span`.
    pub(crate) fn run_text(&mut self, text: &str, span: Span) -> Output {
        self.run_script(text, &[], Input::Inherit, span)
    }

    /// Walks a script's text as a new shell; `words` are its name and arguments (`$0 $1 …`), `stdin` what it reads.
    pub(crate) fn run_script(&mut self, text: &str, words: &[Field], stdin: Input, span: Span) -> Output {
        let mut child = State {
            cwd: self.state.cwd.clone(),
            before: self.state.before.clone(),
            away: self.state.away,
            zero: words.first().cloned(),
            arguments: Some(words.get(1..).unwrap_or_default().to_vec()),
            ..State::elsewhere()
        };
        child.away = self.state.away;
        child.variables = self
            .state
            .variables
            .iter()
            .filter(|(_, v)| v.exported)
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        let state = std::mem::replace(&mut self.state, child);
        let output = self.text_here(text, stdin, span);
        self.state = state;
        output
    }

    /// Walks a text in this very shell (`eval`, `source`).
    pub(crate) fn text_here(&mut self, text: &str, stdin: Input, span: Span) -> Output {
        if !self.deeper(span) {
            return Output::default();
        }
        let output = match syntax::parse(text, Place::Of(span)) {
            Ok(list) => self.list(&list, stdin),
            Err(problem) => {
                self.not_understood("sh", problem.why, Origin::Inline, problem.span);
                Output::default()
            }
        };
        self.depth -= 1;
        output
    }

    /// One text or function deeper, unless that is too deep. The caller goes up again.
    fn deeper(&mut self, span: Span) -> bool {
        if self.depth >= MAX_DEPTH {
            self.not_understood(
                "sh",
                "the command is too deep to judge (more than 24 texts or functions)",
                Origin::Unknown,
                span,
            );
            return false;
        }
        self.depth += 1;
        true
    }

    /// One command more, unless the budget is spent.
    pub(crate) fn step(&mut self, span: Span) -> bool {
        if self.exhausted {
            return false;
        }
        self.steps += 1;
        if self.steps > MAX_STEPS {
            self.exhausted = true;
            self.not_understood(
                "sh",
                "the command is too long to judge (more than 4000 steps)",
                Origin::Unknown,
                span,
            );
        }
        !self.exhausted
    }

    /// Commands one after the other. All of them read the same input; what they print comes together.
    pub(crate) fn list(&mut self, list: &List, stdin: Input) -> Output {
        let mut output = Output::known("");
        for item in &list.items {
            if self.exhausted {
                return Output::default();
            }
            let next = if item.background {
                self.apart(|cx| cx.item(item, Input::Null))
            } else {
                self.item(item, stdin.clone())
            };
            output = output.then(next);
            self.settle_doubt();
        }
        output
    }

    /// After a `cd` that may have failed, and whose failure nothing has looked at, either directory may be the one.
    fn settle_doubt(&mut self) {
        if let Some(other) = self.state.doubt.take()
            && !self.state.stop_on_error
            && other != self.state.cwd
        {
            self.state.cwd = None;
        }
    }

    fn item(&mut self, item: &Item, stdin: Input) -> Output {
        let mut output = self.pipeline(&item.first, stdin.clone());
        let mut skipped: Vec<State> = Vec::new();
        let mut certain = item.rest.is_empty();
        for (and, pipeline) in &item.rest {
            if *and {
                let before = self.state.clone();
                self.state.doubt = None;
                let next = self.pipeline(pipeline, stdin.clone());
                skipped.push(before);
                output = output.then(next);
                certain = false;
            } else {
                let succeeded = self.state.clone();
                if let Some(failed) = self.state.doubt.take() {
                    self.state.cwd = failed;
                }
                for other in skipped.drain(..) {
                    self.state.merge(other);
                }
                let next = self.pipeline(pipeline, stdin.clone());
                let leaves = leaves(pipeline);
                let failed = std::mem::replace(&mut self.state, succeeded);
                self.state.doubt = None;
                if !leaves {
                    self.state.merge(failed);
                }
                output = output.then(next);
                certain = false;
            }
        }
        let doubt = self.state.doubt.clone();
        for other in skipped {
            self.state.merge(other);
        }
        self.state.doubt = doubt;
        if !certain {
            output.text = None;
            output.number = false;
        }
        output
    }

    fn pipeline(&mut self, pipeline: &Pipeline, stdin: Input) -> Output {
        match pipeline.commands.as_slice() {
            [] => Output::known(""),
            [only] => self.command(only, stdin),
            commands => {
                let mut input = stdin;
                let mut output = Output::default();
                for command in commands {
                    output = self.apart(|cx| cx.command(command, input));
                    input = output.clone().into_input();
                }
                output
            }
        }
    }

    /// Walks the commands of `$(…)`: a subshell whose output is a text.
    pub(crate) fn substitute(&mut self, list: &List) -> Output {
        if let Some(file) = only_file(list) {
            // `$(<file)` prints the file.
            let target = self.fields(file);
            let words: Vec<Field> = std::iter::once(Field::text("cat", file.span)).chain(target).collect();
            return self.apart(|cx| cx.run_words(&words, Input::Null, file.span));
        }
        self.apart(|cx| cx.list(list, Input::Inherit))
    }

    /// Walks the commands of `<(…)` or `>(…)`.
    pub(crate) fn process(&mut self, list: &List, writes: bool) -> Output {
        let input = if writes {
            Input::Pipe { origin: Origin::Unknown, sensitive: true, names: None }
        } else {
            Input::Inherit
        };
        self.apart(|cx| cx.list(list, input))
    }

    /// One command with its redirections.
    pub(crate) fn command(&mut self, command: &Command, stdin: Input) -> Output {
        if !self.step(command.span) {
            return Output::default();
        }
        if let Kind::Simple { assignments, words } = &command.kind {
            return self.simple(assignments, words, &command.redirects, stdin, command.span);
        }
        if let Kind::Function { name, body } = &command.kind {
            self.state.functions.insert(name.clone(), Rc::clone(body));
            self.state.renamed.remove(name);
            return Output::known("");
        }
        let streams = self.redirects(&command.redirects, stdin);
        let output = self.compound(command, streams.stdin.clone());
        self.printed(streams, output)
    }

    fn compound(&mut self, command: &Command, stdin: Input) -> Output {
        match &command.kind {
            Kind::Simple { .. } | Kind::Function { .. } => Output::default(),
            Kind::Group(list) => self.list(list, stdin),
            Kind::Subshell(list) => self.apart(|cx| cx.list(list, stdin)),
            Kind::Coproc(inner) => {
                self.apart(|cx| cx.command(inner, Input::Unknown));
                Output::default()
            }
            Kind::If { arms, otherwise } => {
                let mut ends = Vec::new();
                let mut output = Output::known("");
                for (condition, body) in arms {
                    let before = self.list(condition, stdin.clone());
                    let state = self.state.clone();
                    let inside = self.list(body, stdin.clone());
                    output = output.then(before).then(inside);
                    ends.push((std::mem::replace(&mut self.state, state), leaves_list(body)));
                }
                if let Some(body) = otherwise {
                    output = output.then(self.list(body, stdin));
                    if leaves_list(body)
                        && let Some((end, _)) = ends.iter().find(|(_, leaves)| !leaves)
                    {
                        self.state = end.clone();
                    }
                }
                for (end, leaves) in ends {
                    if !leaves {
                        self.state.merge(end);
                    }
                }
                Output { text: None, number: false, names: None, ..output }
            }
            Kind::Case { word, arms } => {
                self.value(&word.parts, word.span);
                let before = self.state.clone();
                let mut output = Output::known("");
                for (patterns, body) in arms {
                    for pattern in patterns {
                        self.pattern_text(&pattern.parts, pattern.span);
                    }
                    let next = self.list(body, stdin.clone());
                    output = output.then(next);
                    // A body may go on into the next one (`;&`), so that each begins with all that is possible.
                    self.state.merge(before.clone());
                }
                Output { text: None, number: false, names: None, ..output }
            }
            Kind::While { condition, body, .. } => self.until_settled(|cx| {
                let first = cx.list(condition, stdin.clone());
                first.then(cx.list(body, stdin.clone()))
            }),
            Kind::Count { head, body } => {
                self.arithmetic(head, command.span);
                self.until_settled(|cx| cx.list(body, stdin.clone()))
            }
            Kind::For { name, words, body, select } => {
                self.each(name, words.as_deref(), body, *select, &stdin, command.span)
            }
            Kind::Test(items) => {
                self.test(items, command.span);
                Output::known("")
            }
            Kind::Arithmetic(parts) => {
                self.arithmetic(parts, command.span);
                Output::known("")
            }
        }
    }

    /// Walks a loop's body until another round would change nothing.
    fn until_settled(&mut self, mut round: impl FnMut(&mut Self) -> Output) -> Output {
        let mut output = Output::default();
        let listed = self.listing.as_ref().map(Vec::len);
        for _ in 0..4 {
            // Another round lists the same commands again: the last one counts.
            if let (Some(listing), Some(len)) = (&mut self.listing, listed) {
                listing.truncate(len);
            }
            let before = self.state.clone();
            output = round(self);
            self.settle_doubt();
            self.state.merge(before.clone());
            if self.state == before || self.exhausted {
                break;
            }
        }
        Output { text: None, number: false, names: None, ..output }
    }

    fn each(
        &mut self,
        name: &str,
        words: Option<&[Word]>,
        body: &List,
        select: bool,
        stdin: &Input,
        span: Span,
    ) -> Output {
        let items = match words {
            Some(words) => words.iter().flat_map(|w| self.fields(w)).collect(),
            None => self.state.arguments.clone().unwrap_or_else(|| vec![Field::unknown("$@", span, true)]),
        };
        let unknown = items.iter().any(Field::has_unknown);
        if items.len() <= ITEMS && !unknown && !select && !items.iter().any(|f| f.has_glob()) {
            let mut ends: Vec<State> = Vec::new();
            let mut output = Output::known("");
            for item in items {
                self.state.set(name, item.known().map_or_else(Value::default, Value::text));
                output = output.then(self.list(body, stdin.clone()));
                ends.push(self.state.clone());
            }
            for end in ends {
                self.state.merge(end);
            }
            return output;
        }
        let mut output = Output::default();
        let mut seen = Vec::new();
        let numbers = items.iter().all(|f| f.known().is_some_and(|t| Value::text(t).number));
        let several = items.len() > ITEMS || select;
        if several {
            // Too many to walk each: what is said of one unknown item holds for all of them.
            let value = Value { pieces: vec![Piece::Unknown(format!("${name}"))], number: numbers };
            self.state.set(name, value);
            return self.until_settled(|cx| cx.list(body, stdin.clone()));
        }
        for item in items {
            if seen.contains(&item.pieces) {
                continue;
            }
            let value = Value { pieces: item.pieces.clone(), number: false };
            seen.push(item.pieces);
            output = self.until_settled(|cx| {
                cx.state.set(name, value.clone());
                cx.list(body, stdin.clone())
            });
        }
        output
    }

    /// `[[ … ]]`: only operands of arithmetic signs and names of variables are evaluated further.
    fn test(&mut self, items: &[TestItem], span: Span) {
        const SUMS: [&str; 6] = ["-eq", "-ne", "-lt", "-le", "-gt", "-ge"];
        let sign = |item: Option<&TestItem>| match item {
            Some(TestItem::Operator(o)) => Some(o.clone()),
            _ => None,
        };
        for (at, item) in items.iter().enumerate() {
            let TestItem::Operand(word) = item else { continue };
            let before = at.checked_sub(1).and_then(|n| sign(items.get(n)));
            let after = sign(items.get(at + 1));
            let sums = |s: &Option<String>| s.as_deref().is_some_and(|s| SUMS.contains(&s));
            if sums(&before) || sums(&after) {
                let parts: Vec<Part> = word.parts.clone();
                self.arithmetic(&parts, span);
                continue;
            }
            let value = self.value(&word.parts, word.span);
            if matches!(before.as_deref(), Some("-v" | "-R")) {
                self.must_be_name(&value.field(word.span), "-v");
            }
        }
    }

    /// Calls a function that this text has defined.
    pub(crate) fn call(&mut self, body: &Rc<Command>, words: &[Field], stdin: Input, span: Span) -> Output {
        if !self.deeper(span) {
            return Output::default();
        }
        let arguments = self.state.arguments.replace(words.get(1..).unwrap_or_default().to_vec());
        self.locals.push(Vec::new());
        let output = self.command(body, stdin);
        for (name, before) in self.locals.pop().unwrap_or_default().into_iter().rev() {
            match before {
                Some(variable) => self.state.variables.insert(name, variable),
                None => self.state.variables.remove(&name),
            };
        }
        self.state.arguments = arguments;
        self.depth -= 1;
        output
    }

    /// Remembers what a variable was before a function made it its own.
    pub(crate) fn make_local(&mut self, name: &str) {
        let before: Option<Variable> = self.state.variables.get(name).cloned();
        if let Some(locals) = self.locals.last_mut() {
            locals.push((name.to_owned(), before));
        }
    }
}

/// The file of `$(<file)`.
fn only_file(list: &List) -> Option<&Word> {
    let [item] = list.items.as_slice() else { return None };
    let [command] = item.first.commands.as_slice() else { return None };
    let Kind::Simple { assignments, words } = &command.kind else { return None };
    let [redirect] = command.redirects.as_slice() else { return None };
    let plain = assignments.is_empty() && words.is_empty() && item.rest.is_empty() && !item.background;
    (plain && redirect.kind == syntax::RedirectKind::Read && redirect.fd.is_none_or(|fd| fd == 0))
        .then_some(&redirect.target)
}

/// Whether nothing after the pipeline runs when it has run (`exit`, `return`).
fn leaves(pipeline: &Pipeline) -> bool {
    match pipeline.commands.as_slice() {
        [Command { kind: Kind::Simple { words, .. }, .. }] => {
            words.first().and_then(Word::bare).is_some_and(|w| matches!(w, "exit" | "return"))
        }
        [Command { kind: Kind::Group(list), .. }] => leaves_list(list),
        _ => false,
    }
}

fn leaves_list(list: &List) -> bool {
    list.items.last().is_some_and(|item| !item.background && item.rest.is_empty() && leaves(&item.first))
}
