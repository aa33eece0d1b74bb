//! The shell's own commands.

use crate::context::{Context, Input, Output};
use crate::meaning::Touch;
use crate::state::{Made, Value};
use model::{
    AbsPath, Action, FileKind, Origin, PathTarget, PersistFacts, RevealFacts, RunFacts, SignalFacts, Span,
    Task, Tri,
};
use programs::{Class as VariableClass, Field, variable};

/// The longest script that `source` reads, in bytes.
const SCRIPT: usize = 64 * 1024;

impl Context<'_> {
    /// Commands of the shell that are also programs, and the same there: they are seen by `sudo`, `xargs` and the like.
    pub(crate) fn plain_builtin(&mut self, name: &str, words: &[Field], span: Span) -> Option<Output> {
        let rest = words.get(1..).unwrap_or_default();
        let output = match name {
            "echo" => self.echo(rest, span),
            "printf" => self.printf(rest, span),
            "true" | "false" | ":" => Output::known(""),
            "pwd" => {
                self.state.cwd.as_ref().map_or_else(Output::default, |d| Output::known(format!("{d}\n")))
            }
            "test" | "[" => {
                self.old_test(rest);
                Output::known("")
            }
            "kill" => self.kill(rest, span),
            _ => return None,
        };
        if name != "kill" {
            self.ran(name, span);
        }
        Some(output)
    }

    /// The shell's own commands; `None` when `name` is a program.
    pub(crate) fn builtin(
        &mut self,
        name: &str,
        words: &[Field],
        stdin: &Input,
        span: Span,
    ) -> Option<Output> {
        if let Some(output) = self.plain_builtin(name, words, span) {
            return Some(output);
        }
        let rest = words.get(1..).unwrap_or_default();
        let quiet = Output::known("");
        match name {
            "cd" | "pushd" | "popd" => {
                self.change_directory(name, rest, span);
                return Some(if name == "cd" { quiet } else { Output::default() });
            }
            "dirs" | "times" | "jobs" | "wait" | "shift" | "return" | "exit" | "break" | "continue"
            | "logout" | "suspend" | "fg" | "bg" | "disown" | "umask" | "ulimit" | "caller" | "help"
            | "getopts" => {
                self.bookkeeping(name, rest, span);
            }
            "export" | "declare" | "typeset" | "local" | "readonly" => self.declare(name, rest, span),
            "unset" => self.unset(rest),
            "set" => self.set_options(rest, span),
            "shopt" => self.shell_options(rest, span),
            "eval" => return Some(self.eval(rest, stdin.clone(), span)),
            "source" | "." => return Some(self.source(rest, stdin.clone(), span)),
            "exec" => return Some(self.exec(rest, stdin.clone(), span)),
            "command" | "builtin" => return Some(self.command_builtin(name, rest, stdin.clone(), span)),
            "type" | "hash" => self.hash(name, rest, span),
            "alias" | "unalias" | "enable" => self.rename(name, rest, span),
            "trap" => self.trap(rest, span),
            "let" => {
                for field in rest {
                    self.let_one(field);
                }
            }
            "read" | "mapfile" | "readarray" => self.read(name, rest, span),
            "complete" | "compgen" | "compopt" | "bind" | "history" | "fc" => {
                self.interactive(name, rest, span)
            }
            _ => return None,
        }
        self.ran(name, span);
        Some(quiet)
    }

    /// A command of the shell that did nothing but what is listed.
    fn ran(&mut self, name: &str, span: Span) {
        let facts = RunFacts {
            program: name.to_owned(),
            understood: true,
            why: None,
            origin: Origin::System,
            task: Task::Other,
        };
        self.emit(Action::Run(facts), span);
    }

    /// Values of secrets that are printed.
    fn shows(&mut self, fields: &[Field], span: Span) -> bool {
        let mut sensitive = false;
        for field in fields {
            if self.is_sensitive(field) {
                sensitive = true;
                for piece in &field.pieces {
                    let programs::Piece::Unknown(written) = piece else { continue };
                    let name = written.trim_start_matches("${").trim_start_matches('$').trim_end_matches('}');
                    if variable(name) == Some(VariableClass::Secret) {
                        let facts = RevealFacts { what: "environment".to_owned(), name: name.to_owned() };
                        self.emit(Action::Reveal(facts), span);
                    }
                }
            }
        }
        sensitive
    }

    fn printed_text(&mut self, text: Option<String>, fields: &[Field], span: Span) -> Output {
        let sensitive = self.shows(fields, span);
        let downloaded = fields.iter().filter_map(|f| self.taint_of(f)).any(|(o, _)| o == Origin::Downloaded);
        let origin = if downloaded { Origin::Downloaded } else { Origin::Inline };
        Output { text, origin, sensitive, number: false, names: None }
    }

    fn echo(&mut self, fields: &[Field], span: Span) -> Output {
        let mut words: Vec<Option<String>> = fields.iter().map(Field::known).collect();
        let mut newline = true;
        let mut escapes = false;
        while let Some(Some(option)) = words.first() {
            let letters = option.strip_prefix('-').filter(|l| !l.is_empty());
            if !letters.is_some_and(|l| l.chars().all(|c| matches!(c, 'n' | 'e' | 'E'))) {
                break;
            }
            newline &= !option.contains('n');
            escapes = option.contains('e') || (escapes && !option.contains('E'));
            words.remove(0);
        }
        let text = words.into_iter().collect::<Option<Vec<String>>>().map(|w| w.join(" "));
        let text = text.filter(|t| !escapes || !t.contains('\\')).map(|t| if newline { t + "\n" } else { t });
        self.printed_text(text, fields, span)
    }

    fn printf(&mut self, fields: &[Field], span: Span) -> Output {
        let mut rest = fields;
        if rest.first().and_then(Field::known).as_deref() == Some("-v") {
            if let Some(target) = rest.get(1)
                && let Some(name) = self.must_be_name(target, "printf -v")
            {
                self.filled(&name, span);
            }
            return Output::known("");
        }
        // An option that is not seen could be `-v`.
        if let Some(first) = rest.first()
            && first.known().is_none()
            && first.prefix().is_empty()
            && first.has_unknown()
        {
            self.opaque(
                "printf",
                "the first word of `printf` is not known and may be an option".to_owned(),
                span,
            );
        }
        if rest.first().and_then(Field::known).as_deref() == Some("--") {
            rest = rest.get(1..).unwrap_or_default();
        }
        let words: Option<Vec<String>> = rest.iter().map(Field::known).collect();
        let text = words.and_then(|words| formatted(&words));
        self.printed_text(text, fields, span)
    }

    /// `test` and `[`: `-v` and `-R` evaluate their operand.
    fn old_test(&mut self, fields: &[Field]) {
        for (at, field) in fields.iter().enumerate() {
            match field.known() {
                Some(sign) if sign == "-v" || sign == "-R" => {
                    if let Some(operand) = fields.get(at + 1) {
                        self.must_be_name(operand, "test -v");
                    }
                }
                Some(_) => {}
                // A word that splits could become `-v a[$(x)]`.
                None if field.many && field.has_unknown() => {
                    let shown = field.shown();
                    let literal = field.prefix();
                    if literal.is_empty() && fields.len() < 4 && at == 0 {
                        self.opaque(
                            "test",
                            format!("`{shown}` without quotes may become several words"),
                            field.span,
                        );
                    }
                }
                None => {}
            }
        }
    }

    fn kill(&mut self, fields: &[Field], span: Span) -> Output {
        let mut signalled = false;
        let mut skip = false;
        let mut first = true;
        for field in fields {
            let text = field.shown();
            if std::mem::take(&mut skip) {
                continue;
            }
            match text.as_str() {
                "-l" | "-L" | "--list" => {
                    self.ran("kill", span);
                    return Output::default();
                }
                "-s" | "-n" => skip = true,
                "--" => {}
                t if t.starts_with('-') && first && field.known().is_some() => {}
                _ => {
                    signalled = true;
                    let own = text.starts_with('%') || text == "$!";
                    self.emit(
                        Action::Signal(SignalFacts {
                            process: text.clone(),
                            own: if own { Tri::Yes } else { Tri::Unknown },
                            machine: text == "-1" || text == "1",
                        }),
                        span,
                    );
                }
            }
            first = false;
        }
        if !signalled {
            self.ran("kill", span);
        }
        Output::known("")
    }

    fn change_directory(&mut self, name: &str, fields: &[Field], span: Span) {
        let operand = fields.iter().find(|f| {
            !matches!(f.known().as_deref(), Some("-L" | "-P" | "-e" | "-LP" | "-Pe" | "--" | "-n" | "-@"))
        });
        let old = self.state.cwd.clone();
        if self.variable("CDPATH").is_some_and(|v| v.known().as_deref() != Some("")) {
            self.state.cwd = None;
            self.state.before = old;
            return;
        }
        let text = operand.and_then(Field::known);
        let new: Option<AbsPath> = match (name, text.as_deref(), operand) {
            ("popd", None, None) => self.state.stack.pop().flatten(),
            ("popd", ..) => None,
            ("pushd", None, None) => {
                self.state.stack.clear();
                None
            }
            (_, Some("-"), _) => self.state.before.clone(),
            (_, None, None) => {
                self.variable("HOME").and_then(|h| h.known()).and_then(|h| AbsPath::parse(&h).ok())
            }
            ("pushd", Some(t), _) if t.starts_with(['+', '-']) => None,
            (_, Some(t), _) => match self.path_of(t) {
                PathTarget::Known(path) => Some(path),
                _ => None,
            },
            _ => None,
        };
        if name == "pushd" {
            self.state.stack.push(old.clone());
        }
        self.state.before.clone_from(&old);
        let there = new.as_ref().is_some_and(|dir| self.remote.is_none() && self.is_directory(dir));
        self.state.cwd = new;
        if !there {
            self.state.doubt = Some(old);
        }
        self.ran(name, span);
    }

    /// Whether a directory is there for certain, or taken to be: facts that do not know do not doubt.
    fn is_directory(&self, dir: &AbsPath) -> bool {
        if matches!(self.facts.resolve(dir).kind, FileKind::Directory | FileKind::Unknown) {
            return true;
        }
        self.effects.iter().any(|effect| {
            matches!(&effect.action, Action::Create(facts)
                if matches!(&facts.target, PathTarget::Known(path) if path.is_under(dir)))
        })
    }

    fn bookkeeping(&mut self, name: &str, fields: &[Field], span: Span) {
        match name {
            "shift" => {
                let count =
                    fields.first().map_or(Some(1), |f| f.known().and_then(|t| t.parse::<usize>().ok()));
                self.state.arguments = match (self.state.arguments.take(), count) {
                    (Some(words), Some(n)) if !words.iter().any(|f| f.many) => {
                        Some(words.get(n..).unwrap_or_default().to_vec())
                    }
                    _ => None,
                };
            }
            "getopts" => {
                if let Some(target) = fields.get(1)
                    && let Some(name) = self.must_be_name(target, "getopts")
                {
                    self.filled(&name, span);
                }
                self.state.set("OPTARG", Value::unknown("$OPTARG"));
                self.state.set("OPTIND", Value::some_number("$OPTIND"));
            }
            "return" | "exit" | "break" | "continue" | "umask" | "ulimit" | "wait" => {
                let named = name == "wait" && fields.iter().any(|f| f.known().as_deref() == Some("-p"));
                if named {
                    for field in fields {
                        self.must_be_name(field, "wait -p");
                    }
                }
            }
            _ => {}
        }
    }

    fn eval(&mut self, fields: &[Field], stdin: Input, span: Span) -> Output {
        let words: Option<Vec<String>> = fields.iter().map(Field::known).collect();
        match words {
            Some(mut words) => {
                if words.first().is_some_and(|w| w == "--") {
                    words.remove(0);
                }
                self.text_here(&words.join(" "), stdin, span)
            }
            None => {
                let origin = fields.iter().filter_map(|f| self.taint_of(f)).map(|(o, _)| o);
                let origin = if origin.into_iter().any(|o| o == Origin::Downloaded) {
                    Origin::Downloaded
                } else {
                    Origin::Unknown
                };
                let shown: Vec<String> = fields.iter().map(Field::shown).collect();
                self.not_understood(
                    "eval",
                    format!("the text of `eval {}` is not known", shown.join(" ")),
                    origin,
                    span,
                );
                Output::default()
            }
        }
    }

    fn source(&mut self, fields: &[Field], stdin: Input, span: Span) -> Output {
        let fields: Vec<Field> =
            fields.iter().filter(|f| f.known().as_deref() != Some("--")).cloned().collect();
        let Some(file) = fields.first() else { return Output::known("") };
        let target = match file.known().as_deref() {
            Some("/dev/stdin" | "-") => {
                return match stdin {
                    Input::Text(text) => self.text_here(&text, Input::Null, span),
                    other => {
                        let origin = match other {
                            Input::Pipe { origin, .. } => origin,
                            _ => Origin::Unknown,
                        };
                        self.not_understood("source", "the text it reads is not known", origin, span);
                        Output::default()
                    }
                };
            }
            _ => self.path(file),
        };
        let shown = file.shown();
        // `<(…)` is a pipe, not a file.
        if !shown.starts_with("<(") {
            self.touch(Touch::Read, target.clone(), false, span);
        }
        let PathTarget::Known(path) = &target else {
            let origin = self.taint_of(file).map_or(Origin::Unknown, |(o, _)| o);
            self.not_understood("source", format!("the file `{shown}` is not known"), origin, span);
            return Output::default();
        };
        let made = self.made(path);
        let origin = crate::meaning::origin_of(self, &target);
        let text = match made {
            Some(Made { text, .. }) => text,
            None if self.remote.is_none() => self.facts.script(path, SCRIPT),
            None => None,
        };
        let Some(text) = text else {
            self.not_understood("source", format!("the text of `{shown}` is not known"), origin, span);
            return Output::default();
        };
        let arguments = (fields.len() > 1)
            .then(|| self.state.arguments.replace(fields.get(1..).unwrap_or_default().to_vec()));
        let output = self.text_here(&text, stdin, span);
        if let Some(arguments) = arguments {
            self.state.arguments = arguments;
        }
        output
    }

    fn exec(&mut self, fields: &[Field], stdin: Input, span: Span) -> Output {
        let mut rest = fields;
        while let Some(option) = rest.first().and_then(Field::known).filter(|t| t.starts_with('-')) {
            let skip = if option == "-a" { 2 } else { 1 };
            if !matches!(option.as_str(), "-a" | "-c" | "-l" | "-cl" | "--") {
                self.opaque("exec", format!("`exec {option}` is not known"), span);
            }
            rest = rest.get(skip..).unwrap_or_default();
        }
        if rest.is_empty() {
            return Output::known("");
        }
        self.run_words(rest, stdin, span)
    }

    fn command_builtin(&mut self, name: &str, fields: &[Field], stdin: Input, span: Span) -> Output {
        let mut rest = fields;
        while let Some(option) = rest.first().and_then(Field::known).filter(|t| t.starts_with('-')) {
            rest = rest.get(1..).unwrap_or_default();
            match option.as_str() {
                "-v" | "-V" if name == "command" => {
                    self.ran(name, span);
                    return Output::default();
                }
                "-p" | "--" => {}
                other => self.opaque(name, format!("`{name} {other}` is not known"), span),
            }
        }
        let Some(first) = rest.first() else { return Output::known("") };
        let own = first.known().filter(|n| !self.state.renamed.contains(n));
        if let Some(own) = own
            && let Some(output) = self.builtin(&own, rest, &stdin, span)
        {
            return output;
        }
        // What is exported before holds for it too, as for any program.
        self.run_words(rest, stdin, span)
    }

    fn hash(&mut self, name: &str, fields: &[Field], span: Span) {
        if name == "hash"
            && fields.iter().any(|f| f.known().is_none_or(|t| t.starts_with('-') && t.contains('p')))
        {
            match fields.last().and_then(Field::known) {
                Some(last) => {
                    self.state.renamed.insert(last);
                }
                None => self.opaque(
                    "hash",
                    "`hash -p` gives a name that is not known another program".to_owned(),
                    span,
                ),
            }
        }
    }

    fn rename(&mut self, command: &str, fields: &[Field], span: Span) {
        for field in fields {
            let Some(text) = field.known() else {
                let head = field.prefix();
                match head.split_once('=') {
                    Some((name, _)) => {
                        self.state.renamed.insert(name.to_owned());
                    }
                    None => self.opaque(command, format!("`{command} {}` is not known", field.shown()), span),
                }
                continue;
            };
            match command {
                "alias" => {
                    if let Some((name, meaning)) = text.split_once('=') {
                        self.state.renamed.insert(name.to_owned());
                        self.state.aliases.insert(name.to_owned(), meaning.to_owned());
                    }
                }
                "enable" => {
                    if text.starts_with('-') && text.contains('f') {
                        self.opaque("enable", "`enable -f` loads code into the shell".to_owned(), span);
                    }
                    if !text.starts_with('-') {
                        self.state.renamed.insert(text);
                    }
                }
                _ => {}
            }
        }
    }

    fn trap(&mut self, fields: &[Field], span: Span) {
        let fields: Vec<&Field> = fields.iter().filter(|f| f.known().as_deref() != Some("--")).collect();
        let Some(action) = fields.first() else { return };
        match action.known() {
            Some(text) if matches!(text.as_str(), "-l" | "-p" | "-" | "") => {}
            // A single operand resets a signal.
            Some(_) if fields.len() < 2 => {}
            Some(text) => {
                // It runs later, in whatever directory and with whatever values are there then.
                let span = action.span;
                self.apart(|cx| {
                    cx.state.doubt = None;
                    cx.text_here(&text, Input::Inherit, span)
                });
            }
            None => {
                let shown = action.shown();
                self.opaque("trap", format!("the text of `trap {shown}` is not known"), span);
            }
        }
    }

    /// Commands that serve typing, some of which write files or run code.
    fn interactive(&mut self, name: &str, fields: &[Field], span: Span) {
        let words: Option<Vec<String>> = fields.iter().map(Field::known).collect();
        let shown: Vec<String> = fields.iter().map(Field::shown).collect();
        let harmless = match (name, words.as_deref()) {
            (_, None) => false,
            ("history", Some(words)) => words.iter().all(|w| w.bytes().all(|b| b.is_ascii_digit())),
            ("fc", Some(words)) => words.first().is_some_and(|w| w.starts_with("-l")),
            ("bind", Some(words)) => words
                .iter()
                .all(|w| matches!(w.as_str(), "-l" | "-p" | "-P" | "-v" | "-V" | "-s" | "-S" | "-q")),
            ("compgen", Some(words)) => {
                !words.iter().any(|w| w.starts_with('-') && w.contains(['C', 'F', 'W']))
            }
            ("complete", Some(words)) => words.iter().all(|w| w == "-p" || w == "-r" || !w.starts_with('-')),
            _ => false,
        };
        if harmless {
            return;
        }
        if name == "history"
            && let Some([option, file, ..]) = words.as_deref()
            && matches!(option.as_str(), "-a" | "-w")
        {
            let target = self.path_of(file);
            self.touch(Touch::Write, target, false, span);
        }
        if name == "bind" || name == "complete" {
            let facts = PersistFacts { mechanism: "shell_rc".to_owned(), place: name.to_owned() };
            self.emit(Action::Persist(facts), span);
        }
        self.opaque(name, format!("`{name} {}` may write a file or run code", shown.join(" ")), span);
    }
}

/// The text that `printf` prints, for formats of `%s`, `%d`, `%%` and the plain escapes.
fn formatted(words: &[String]) -> Option<String> {
    let (format, mut arguments) = words.split_first()?;
    let mut text = String::new();
    loop {
        let mut used = false;
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => text.push(match chars.next()? {
                    'n' => '\n',
                    't' => '\t',
                    '\\' => '\\',
                    '"' => '"',
                    _ => return None,
                }),
                '%' => match chars.next()? {
                    '%' => text.push('%'),
                    's' => {
                        used = true;
                        if let Some((first, rest)) = arguments.split_first() {
                            text.push_str(first);
                            arguments = rest;
                        }
                    }
                    'd' => {
                        used = true;
                        let (first, rest) = arguments.split_first()?;
                        text.push_str(&first.parse::<i64>().ok()?.to_string());
                        arguments = rest;
                    }
                    _ => return None,
                },
                c => text.push(c),
            }
            if text.len() > 100_000 {
                return None;
            }
        }
        if arguments.is_empty() || !used {
            return Some(text);
        }
    }
}
