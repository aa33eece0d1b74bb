//! Expansion: the words of the grammar become fields of which it is said what is known.

use crate::brace;
use crate::context::Context;
use crate::glob;
use crate::state::Value;
use crate::syntax::{Op, Parameter, Part, Word, selects_all};
use model::{Origin, Span};
use programs::{Field, Piece};

/// Fields as they grow.
struct Fields {
    done: Vec<Field>,
    pieces: Vec<Piece>,
    /// Whether the word that grows exists even when it is empty.
    exists: bool,
    many: bool,
    span: Span,
}

impl Fields {
    fn new(span: Span) -> Self {
        Self { done: Vec::new(), pieces: Vec::new(), exists: false, many: false, span }
    }

    fn add(&mut self, piece: Piece) {
        if let (Some(Piece::Text(before)), Piece::Text(text)) = (self.pieces.last_mut(), &piece) {
            before.push_str(text);
        } else {
            self.pieces.push(piece);
        }
        self.exists = true;
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.add(Piece::Text(text.to_owned()));
        }
    }

    fn cut(&mut self) {
        if self.exists {
            let pieces = std::mem::take(&mut self.pieces);
            self.done.push(Field { pieces, span: self.span, many: self.many });
        }
        self.exists = false;
        self.many = false;
    }

    /// Unquoted text: what can be a pattern is one.
    fn pattern(&mut self, text: &str, closes: bool) {
        match glob::start(text, closes) {
            None => self.text(text),
            Some(at) => {
                self.text(text.get(..at).unwrap_or_default());
                self.add(Piece::Glob(text.get(at..).unwrap_or_default().to_owned()));
                self.many = true;
            }
        }
    }
}

impl Context<'_> {
    /// A word of a command: braces, tilde, parameters, splitting, patterns.
    pub(crate) fn fields(&mut self, word: &Word) -> Vec<Field> {
        let Some(words) = brace::expand(&word.parts) else {
            self.value(&word.parts, word.span);
            let written = self.written(word.span, "{…}");
            return vec![Field::unknown(written, word.span, true)];
        };
        let mut fields = Vec::new();
        for parts in words {
            fields.extend(self.split(&parts, word.span));
        }
        fields
    }

    /// A word that is not split and no pattern: values of assignments, targets of redirections in part.
    pub(crate) fn value(&mut self, parts: &[Part], span: Span) -> Value {
        let mut pieces = Vec::new();
        let mut number = false;
        for (at, part) in parts.iter().enumerate() {
            match part {
                Part::Text { text, quoted: false } => {
                    let (text, home) = self.tilde(text, at == 0, at + 1 == parts.len());
                    pieces.extend(home);
                    pieces.push(Piece::Text(text));
                }
                Part::Text { text, quoted: true } => pieces.push(Piece::Text(text.clone())),
                Part::Double(inner) => {
                    let value = self.value_quoted(inner, span);
                    number |= value.number;
                    pieces.extend(value.pieces);
                }
                other => {
                    let value = self.part_value(other, span);
                    number |= value.number;
                    pieces.extend(value.pieces);
                }
            }
        }
        let pieces = joined(pieces);
        let alone = pieces.len() <= 1;
        let value = Value { pieces, number: false };
        match value.known() {
            Some(text) => Value::text(text),
            None => Value { number: number && alone, ..value },
        }
    }

    /// The value of what stands in double quotes, a here-document or arithmetic: no tilde.
    pub(crate) fn value_quoted(&mut self, parts: &[Part], span: Span) -> Value {
        let mut pieces = Vec::new();
        let mut number = false;
        for part in parts {
            let value = match part {
                Part::Text { text, .. } => Value { pieces: vec![Piece::Text(text.clone())], number: false },
                Part::Double(inner) => self.value_quoted(inner, span),
                other => self.part_value(other, span),
            };
            number |= value.number;
            pieces.extend(value.pieces);
        }
        let pieces = joined(pieces);
        let alone = pieces.len() == 1;
        Value { pieces, number: number && alone }
    }

    /// `~` and `~/…` at the beginning; `last` says whether the text ends the word.
    fn tilde(&mut self, text: &str, first: bool, last: bool) -> (String, Option<Piece>) {
        let Some(rest) = text.strip_prefix('~').filter(|_| first) else { return (text.to_owned(), None) };
        let name = rest.split('/').next().unwrap_or_default();
        if name.len() == rest.len() && !last {
            // `~"x"`: a quoted part of the name makes it literal.
            return (text.to_owned(), None);
        }
        let home = match name {
            "" => self.variable("HOME"),
            "+" => self.state.cwd.as_ref().map(|d| Value::text(d.as_str())),
            "-" => self.state.before.as_ref().map(|d| Value::text(d.as_str())),
            _ => None,
        };
        let rest = rest.get(name.len()..).unwrap_or_default().to_owned();
        match home.and_then(|h| h.known()) {
            Some(home) => (format!("{}{rest}", home.strip_suffix('/').unwrap_or(&home)), None),
            None => (rest, Some(Piece::Unknown(format!("~{name}")))),
        }
    }

    fn split(&mut self, parts: &[Part], span: Span) -> Vec<Field> {
        let mut out = Fields::new(span);
        let closes =
            parts.iter().any(|p| matches!(p, Part::Text { text, quoted: false } if text.contains(']')));
        for (at, part) in parts.iter().enumerate() {
            match part {
                Part::Text { text, quoted: true } => {
                    out.exists = true;
                    out.text(text);
                }
                Part::Text { text, quoted: false } => {
                    let (text, home) = self.tilde(text, at == 0, at + 1 == parts.len());
                    if let Some(home) = home {
                        out.add(home);
                    }
                    out.exists = true;
                    out.pattern(&text, closes);
                }
                Part::Double(inner) => self.split_quoted(inner, &mut out),
                Part::Parameter(p) if lists(p) => self.split_list(p, false, &mut out),
                Part::Array(_) => out.add(Piece::Unknown("(…)".to_owned())),
                other => {
                    let value = self.part_value(other, span);
                    let process = matches!(other, Part::Process { .. });
                    self.add_split(&value, process, &mut out);
                }
            }
        }
        out.cut();
        out.done
    }

    /// Adds an unquoted value: known text is split, the rest may become any number of words.
    fn add_split(&mut self, value: &Value, whole: bool, out: &mut Fields) {
        for piece in &value.pieces {
            match piece {
                Piece::Text(text) if self.state.split && !value.number => {
                    out.add(Piece::Unknown(text.clone()));
                    out.many = true;
                }
                Piece::Text(text) => {
                    let closes = text.contains(']');
                    let mut first = true;
                    for word in text.split([' ', '\t', '\n']) {
                        if !first {
                            out.cut();
                        }
                        first = false;
                        out.pattern(word, closes);
                    }
                }
                other => {
                    out.many |= !whole && !value.number;
                    out.add(other.clone());
                }
            }
        }
    }

    fn split_quoted(&mut self, parts: &[Part], out: &mut Fields) {
        let alone = parts.len() == 1;
        for part in parts {
            match part {
                Part::Parameter(p) if lists(p) => {
                    // `"$@"` alone is no word at all when there are no arguments.
                    out.exists |= !alone;
                    self.split_list(p, true, out);
                }
                part => {
                    let value = self.value_quoted(std::slice::from_ref(part), out.span);
                    out.exists = true;
                    for piece in value.pieces {
                        out.add(piece);
                    }
                }
            }
        }
        out.exists |= parts.is_empty();
    }

    /// `$@`, `$*`, `${a[@]}`, `${a[*]}`.
    fn split_list(&mut self, p: &Parameter, quoted: bool, out: &mut Fields) {
        let star =
            p.name == "*" || matches!(p.subscript.as_deref(), Some([Part::Text { text, .. }]) if text == "*");
        let items = if p.op == Op::Value {
            self.list_of(p)
        } else {
            self.walk_op(p, out.span);
            None
        };
        let Some(items) = items else {
            out.add(Piece::Unknown(p.raw.clone()));
            out.many |= !(quoted && star);
            return;
        };
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 && quoted && star {
                out.text(" ");
            } else if at > 0 {
                out.cut();
            }
            if quoted {
                out.exists = true;
                out.many |= item.many;
                for piece in item.pieces {
                    out.add(piece);
                }
            } else {
                self.add_split(&Value { pieces: item.pieces, number: false }, false, out);
            }
        }
    }

    fn list_of(&self, p: &Parameter) -> Option<Vec<Field>> {
        match p.name.as_str() {
            "@" | "*" => self.state.arguments.clone(),
            name => self.state.variables.get(name).and_then(|v| v.elements.clone()),
        }
    }

    /// The value of a part that is not text.
    fn part_value(&mut self, part: &Part, span: Span) -> Value {
        match part {
            Part::Text { text, .. } => Value::text(text.clone()),
            Part::Double(inner) => self.value_quoted(inner, span),
            Part::Parameter(p) => self.parameter(p, span),
            Part::Command { list, span } => {
                let output = self.substitute(list);
                match output.text {
                    Some(text) => Value::text(text.trim_end_matches('\n')),
                    None => {
                        let written = self.written(*span, "$(…)");
                        self.taint(&written, output.origin, output.sensitive);
                        // One spelling may stand for several texts: all of them must be numbers.
                        let named = output.number && written != "$(…)";
                        *self.numbers.entry(written.clone()).or_insert(true) &= named;
                        Value::unknown(written)
                    }
                }
            }
            Part::Arithmetic { parts, span } => {
                self.arithmetic(parts, *span);
                Value::some_number(self.written(*span, "$((…))"))
            }
            Part::Process { list, writes, span } => {
                let output = self.process(list, *writes);
                let written = self.written(*span, "<(…)");
                self.taint(&written, output.origin, output.sensitive);
                Value::unknown(written)
            }
            Part::Array(words) => {
                for word in words {
                    self.fields(word);
                }
                Value::unknown("(…)")
            }
        }
    }

    /// A parameter expansion. What it evaluates on the way is walked.
    fn parameter(&mut self, p: &Parameter, span: Span) -> Value {
        let unknown = || Value::unknown(p.raw.clone());
        if let Some(subscript) = &p.subscript
            && !selects_all(Some(subscript))
        {
            self.subscript(&p.name, subscript, p.span);
            self.walk_op(p, span);
            return unknown();
        }
        if lists(p) {
            let items = if p.op == Op::Value {
                self.list_of(p)
            } else {
                self.walk_op(p, span);
                None
            };
            let Some(items) = items else { return unknown() };
            let mut pieces = Vec::new();
            for item in items {
                if !pieces.is_empty() {
                    pieces.push(Piece::Text(" ".to_owned()));
                }
                pieces.extend(item.pieces);
            }
            return Value { pieces: joined(pieces), number: false };
        }
        if p.op == Op::Length {
            return Value::some_number(p.raw.clone());
        }
        let value = self.special(&p.name, p);
        let known = value.as_ref().and_then(Value::known);
        match &p.op {
            Op::Value => value.unwrap_or_else(unknown),
            Op::Length => unknown(),
            Op::Names => unknown(),
            Op::Indirect => match known.filter(|name| crate::syntax::is_name(name)) {
                Some(name) if p.raw.ends_with(&format!("{}}}", p.name)) => {
                    self.variable(&name).unwrap_or_else(unknown)
                }
                _ => {
                    self.opaque(
                        &p.raw,
                        format!("`{}` takes the value of a variable that is not known", p.raw),
                        p.span,
                    );
                    unknown()
                }
            },
            Op::Default { sign, colon, word } => {
                let set = self.is_set(&p.name);
                let filled = set && (!colon || known.as_deref() != Some(""));
                let certain = known.is_some() || self.is_unset(&p.name);
                match (certain, filled, sign) {
                    (true, true, '+') | (true, false, '-') => self.value(word, span),
                    (true, false, '=') => {
                        let value = self.value(word, span);
                        self.assign(&p.name, value.clone(), p.span);
                        value
                    }
                    (true, false, '+') => Value::default(),
                    (true, true, _) => value.unwrap_or_else(unknown),
                    (true, false, _) => {
                        self.value(word, span);
                        unknown()
                    }
                    (false, ..) => {
                        let other = self.value(word, span);
                        if *sign == '=' {
                            self.assign(&p.name, unknown(), p.span);
                        }
                        let number = *sign != '+' && other.number && value.is_some_and(|v| v.number);
                        Value { number, ..unknown() }
                    }
                }
            }
            Op::Trim { suffix, longest, pattern } => {
                let pattern = self.pattern_text(pattern, span);
                match (known, pattern) {
                    (Some(text), Some(pattern)) => {
                        glob::trim(&text, &pattern, *suffix, *longest).map_or_else(unknown, Value::text)
                    }
                    _ => unknown(),
                }
            }
            Op::Replace { all, anchor, pattern, with } => {
                let pattern = self.pattern_text(pattern, span);
                let with = self.value(with, span).known();
                match (known, pattern, with, anchor) {
                    (Some(text), Some(pattern), Some(with), None)
                        if glob::is_literal(&pattern) && !pattern.is_empty() && !with.contains('&') =>
                    {
                        let plain = glob::unescape(&pattern);
                        Value::text(if *all {
                            text.replace(&plain, &with)
                        } else {
                            text.replacen(&plain, &with, 1)
                        })
                    }
                    _ => unknown(),
                }
            }
            Op::Case { upper, all, pattern } => {
                let plain = pattern.is_empty();
                self.value(pattern, span);
                match known {
                    Some(text) if *all && plain => {
                        Value::text(if *upper { text.to_uppercase() } else { text.to_lowercase() })
                    }
                    _ => unknown(),
                }
            }
            Op::Slice { parts } => {
                self.arithmetic(parts, p.span);
                let bounds = crate::arith::slice_bounds(parts);
                match (known, bounds) {
                    (Some(text), Some((from, len))) if text.is_ascii() => {
                        let text: String = text.chars().skip(from).take(len.unwrap_or(usize::MAX)).collect();
                        Value::text(text)
                    }
                    _ => unknown(),
                }
            }
            Op::Transform(sign) => {
                if !matches!(sign, 'Q' | 'U' | 'u' | 'L' | 'A' | 'a' | 'E' | 'K' | 'k') {
                    self.opaque(&p.raw, format!("`{}` runs what the variable's value names", p.raw), p.span);
                }
                unknown()
            }
        }
    }

    /// Walks what an operation evaluates, where its result is not computed.
    fn walk_op(&mut self, p: &Parameter, span: Span) {
        match &p.op {
            Op::Default { word, sign, .. } => {
                self.value(word, span);
                if *sign == '=' {
                    self.assign(&p.name, Value::unknown(p.raw.clone()), p.span);
                }
            }
            Op::Trim { pattern, .. } | Op::Case { pattern, .. } => {
                self.value(pattern, span);
            }
            Op::Replace { pattern, with, .. } => {
                self.value(pattern, span);
                self.value(with, span);
            }
            Op::Slice { parts } => self.arithmetic(parts, p.span),
            Op::Transform('P') | Op::Indirect => {
                self.opaque(&p.raw, format!("`{}` runs what the variable's value names", p.raw), p.span);
            }
            Op::Value | Op::Length | Op::Names | Op::Transform(_) => {}
        }
    }

    /// A parameter's value without its operation; `None` when it is not known or not set.
    fn special(&mut self, name: &str, p: &Parameter) -> Option<Value> {
        if let Ok(n) = name.parse::<usize>() {
            let of = |f: &Field| {
                f.known().map_or_else(|| Value { pieces: f.pieces.clone(), number: false }, Value::text)
            };
            let Some(at) = n.checked_sub(1) else {
                // Who sets `BASH_ARGV0` changes `$0`.
                let zero =
                    self.state.zero.as_ref().filter(|_| !self.state.variables.contains_key("BASH_ARGV0"));
                return Some(zero.map_or_else(|| Value::unknown(p.raw.clone()), of));
            };
            let arguments = self.state.arguments.as_ref()?;
            return Some(arguments.get(at).map_or_else(Value::default, of));
        }
        match name {
            "?" | "$" | "!" | "LINENO" | "RANDOM" | "SECONDS" | "UID" | "EUID" | "PPID" | "BASHPID" => {
                Some(Value::some_number(p.raw.clone()))
            }
            "#" => Some(self.state.arguments.as_ref().map_or_else(
                || Value::some_number("$#"),
                |a| {
                    if a.iter().any(|f| f.many) {
                        Value::some_number("$#")
                    } else {
                        Value::text(a.len().to_string())
                    }
                },
            )),
            "-" => Some(Value::unknown("$-")),
            "PWD" => Some(
                self.state.cwd.as_ref().map_or_else(|| Value::unknown("$PWD"), |d| Value::text(d.as_str())),
            ),
            "OLDPWD" => Some(
                self.state
                    .before
                    .as_ref()
                    .map_or_else(|| Value::unknown("$OLDPWD"), |d| Value::text(d.as_str())),
            ),
            // A secret's value has no place in what is shown and recorded.
            _ if programs::variable(name) == Some(programs::Class::Secret)
                && !self.state.variables.contains_key(name) =>
            {
                self.taint(&p.raw, Origin::Unknown, true);
                Some(Value::unknown(p.raw.clone()))
            }
            _ => self.variable(name),
        }
    }

    fn is_set(&self, name: &str) -> bool {
        match self.state.variables.get(name) {
            Some(variable) => variable.value.is_some() || variable.elements.is_some(),
            None => match name.parse::<usize>() {
                Ok(n) => self.state.arguments.as_ref().is_some_and(|a| n <= a.len()),
                Err(_) => self.facts.variable(name).is_some(),
            },
        }
    }

    /// Whether a variable is known to be unset.
    fn is_unset(&self, name: &str) -> bool {
        match name.parse::<usize>() {
            Ok(n) => self.state.arguments.as_ref().is_some_and(|a| n > a.len() && !a.iter().any(|f| f.many)),
            Err(_) => {
                self.state.variables.get(name).is_some_and(|v| v.value.is_none() && v.elements.is_none())
            }
        }
    }

    /// A pattern as text in which quoted characters are escaped.
    pub(crate) fn pattern_text(&mut self, parts: &[Part], span: Span) -> Option<String> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text { text: t, quoted: false } => text.push_str(t),
                other => {
                    let value = self.part_value(other, span).known()?;
                    text.push_str(&glob::escape(&value));
                }
            }
        }
        Some(text)
    }

    /// The text of a span of the outermost command, shortened, for the person who reads it.
    pub(crate) fn written(&self, span: Span, otherwise: &str) -> String {
        let range = span.from as usize..span.to as usize;
        self.source.get(range).filter(|t| !t.is_empty() && t.len() <= 80).unwrap_or(otherwise).to_owned()
    }

    /// Remembers that an unknown piece may hold a secret or something from the network.
    pub(crate) fn taint(&mut self, written: &str, origin: Origin, sensitive: bool) {
        if sensitive || origin == Origin::Downloaded {
            let taint = self.taints.entry(written.to_owned()).or_insert((origin, sensitive));
            taint.1 |= sensitive;
            if origin == Origin::Downloaded {
                taint.0 = origin;
            }
        }
    }

    /// Something of the shell itself that may run code which is not seen here.
    pub(crate) fn opaque(&mut self, what: &str, why: String, span: Span) {
        self.not_understood(what, why, Origin::Unknown, span);
    }
}

/// Whether a parameter is a list (`$@`, `${a[*]}`).
fn lists(p: &Parameter) -> bool {
    let many = p.subscript.is_some() && selects_all(p.subscript.as_deref());
    (matches!(p.name.as_str(), "@" | "*") || many) && !matches!(p.op, Op::Length | Op::Names)
}

/// Neighbouring texts as one; empty ones away.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (out.last_mut(), piece) {
            (_, Piece::Text(text)) if text.is_empty() => {}
            (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
            (_, piece) => out.push(piece),
        }
    }
    out
}
