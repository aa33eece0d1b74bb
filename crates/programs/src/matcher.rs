//! Matches the words of a command against an entry.
//!
//! The world is closed: whatever the entry does not know becomes an unknown, and so does every word that may turn into
//! an option or into several words where that would change what the others mean.

use crate::assign::{assign, begins_argv};
use crate::lookup::{Found, Level, find, find_abbreviated, listed, takes_numbers, visible};
use crate::matched::{Match, MatchedOption, Unknown};
use crate::resolve::{fact, merge_facts, resolve};
use crate::role::{Operand, Role};
use crate::spec::{OptionSpec, Program, Syntax};
use crate::word::{Field, Piece};
use model::Span;
use std::collections::BTreeMap;

/// Says what each word of a command is to the program. `words` begins with the program's name as written.
///
/// # Example
/// The words `sort -o out.txt in.txt` give `(write, out.txt)` and `(read, in.txt)`.
#[must_use]
pub fn match_words(program: &Program, words: &[Field]) -> Match {
    let mut matcher = Matcher {
        levels: vec![Level::Top(&program.spec)],
        words,
        next: 1,
        ended: false,
        lost: false,
        sub_closed: false,
        given: Vec::new(),
        operands: Vec::new(),
        roles: Vec::new(),
        found: Match {
            program: program.name.clone(),
            path: Vec::new(),
            options: Vec::new(),
            roles: Vec::new(),
            operands: Vec::new(),
            argv: None,
            bound: BTreeMap::new(),
            facts: BTreeMap::new(),
            effects: Vec::new(),
            unknowns: Vec::new(),
            recursive: false,
            dry: false,
            stop: false,
            reader: None,
            filter: false,
            stdin_is_code: false,
        },
    };
    matcher.why_of_level();
    while let Some(word) = matcher.take() {
        matcher.word(word);
    }
    matcher.finish()
}

struct Matcher<'p> {
    /// The program and the sub-commands named so far.
    levels: Vec<Level<'p>>,
    words: &'p [Field],
    next: usize,
    /// Whether no more options come.
    ended: bool,
    /// Whether the sub-command is not known, so that nothing after it is.
    lost: bool,
    /// Whether the first operand was no sub-command's name.
    sub_closed: bool,
    /// The options with a meaning, and where they stand.
    given: Vec<(OptionSpec, Span)>,
    /// The operands with their positions among the words.
    operands: Vec<(usize, Field)>,
    /// Roles of option values, with positions.
    roles: Vec<(usize, Role, Field)>,
    found: Match,
}

impl<'p> Matcher<'p> {
    fn take(&mut self) -> Option<&'p Field> {
        let word = self.words.get(self.next)?;
        self.next += 1;
        Some(word)
    }

    fn level(&self) -> Level<'p> {
        self.levels.last().cloned().unwrap_or(Level::Nothing)
    }

    fn unknown(&mut self, span: Span, why: String) {
        self.found.unknowns.push(Unknown { span, why });
    }

    fn why_of_level(&mut self) {
        let span = self.words.first().map(|w| w.span).unwrap_or_default();
        if let Some(why) = self.level().spec().and_then(|s| s.why.clone()) {
            let why = format!("`{}` {why}", self.found.command());
            self.unknown(span, why);
        }
    }

    fn syntax(&self) -> Syntax {
        self.level().spec().map_or(Syntax::None, |s| s.syntax)
    }

    fn word(&mut self, word: &'p Field) {
        if self.lost {
            self.operands.push((self.next - 1, word.clone()));
            return;
        }
        let splits = word.many && word.has_unknown();
        if self.ended || self.syntax() == Syntax::None {
            if splits && !self.in_repeat() {
                self.unknown(word.span, format!("`{}` may become several words", word.shown()));
            }
            return self.operand(word);
        }
        if splits {
            let why = format!("`{}` may become several words or options; put it in quotes", word.shown());
            self.unknown(word.span, why);
        }
        match word.pieces.first() {
            None => self.operand(word),
            Some(Piece::Text(text)) => match text.as_str() {
                "--" if word.pieces.len() == 1 => self.ended = true,
                "-" if word.pieces.len() == 1 => self.operand(word),
                text if text.starts_with('-') => self.option(word),
                text if text.starts_with('+') && self.plus(word) => self.option(word),
                _ => self.operand(word),
            },
            Some(Piece::Glob(pattern)) => {
                if pattern.starts_with('-') {
                    self.unknown(word.span, format!("`{}` may become an option", word.shown()));
                }
                self.operand(word);
            }
            Some(Piece::Unknown(_)) => {
                if !splits && !self.takes_anything() {
                    let why = format!("`{}` may be an option; write `--` before it", word.shown());
                    self.unknown(word.span, why);
                }
                self.operand(word);
            }
        }
    }

    /// Whether the next operand falls into a place that takes any number of words, so that several words do no harm.
    fn in_repeat(&self) -> bool {
        let list = self.list().unwrap_or_default();
        list.iter().any(|o| o.times.repeats())
            && list.iter().take(self.operands.len() + 1).any(|o| o.times.repeats())
    }

    /// Whether the program does nothing but show what it is told to, whatever option a word turns out to be.
    fn takes_anything(&self) -> bool {
        let seen = visible(&self.levels);
        self.level().spec().is_some_and(|s| s.filter && !s.has_sub())
            && seen.iter().all(|s| s.options.iter().all(OptionSpec::only_shows))
    }

    /// Whether a word that begins with `+` is, or may become, an option of this program.
    fn plus(&self, word: &Field) -> bool {
        match word.known() {
            Some(text) => find(&self.levels, &text).is_some() || takes_numbers(&self.levels, &text),
            None => listed(&visible(&self.levels), |name| name.starts_with('+')),
        }
    }

    // ---- options

    fn option(&mut self, word: &'p Field) {
        let levels = self.levels.clone();
        let prefix = word.prefix();
        let whole = word.known().is_some();
        let (name, inline) = match prefix.split_once('=') {
            Some((name, _)) => (name.to_owned(), word.strip(name.len() + 1)),
            None => (prefix.clone(), None),
        };
        if whole && let Some(found) = find(&levels, &prefix) {
            return self.apply(found, &prefix, None, word);
        }
        let name_known = whole || inline.is_some();
        let syntax = self.syntax();
        let double = name.starts_with("--");
        // `-o=value`: only some parsers take the `=` away; for the others it belongs to the value.
        let splits_equals =
            double || name.chars().count() > 2 || matches!(syntax, Syntax::Clap | Syntax::Dash);
        if name_known && (inline.is_none() || splits_equals) {
            let other = match (syntax, name.strip_prefix("--")) {
                (Syntax::Dash, Some(rest)) => Some(format!("-{rest}")),
                _ => None,
            };
            if let Some(found) = find(&levels, &name).or_else(|| find(&levels, other.as_deref()?)) {
                return self.apply(found, &name, inline, word);
            }
            if let Some(found) = find_abbreviated(&levels, &name) {
                return self.apply(found, &name, inline, word);
            }
        }
        if whole && takes_numbers(&levels, &prefix) {
            self.found.options.push(MatchedOption {
                name: if prefix.starts_with('+') { "+NUM" } else { "-NUM" }.to_owned(),
                value: Some(Field::text(prefix, word.span)),
                values: Vec::new(),
                span: word.span,
            });
            return;
        }
        if !double && syntax == Syntax::Dash {
            return self.dashed(word, &levels, &prefix);
        }
        if !double && prefix.starts_with('-') {
            return self.cluster(word, &levels, &prefix, whole);
        }
        self.unknown_option(word);
    }

    /// `-Xmx512m`, `-DNAME=value`: a value attached to an option of several letters that is known to take one so.
    fn dashed(&mut self, word: &'p Field, levels: &[Level<'p>], prefix: &str) {
        let seen = visible(levels);
        let longest = seen
            .iter()
            .flat_map(|s| &s.options)
            .filter(|o| o.attached)
            .flat_map(|o| o.names.iter().map(move |n| (n, o)))
            .filter(|(n, _)| prefix.starts_with(n.as_str()))
            .max_by_key(|(n, _)| n.len());
        match longest {
            Some((name, option)) => {
                let value = word.strip(name.len());
                let found = Found::Option(option.clone());
                self.apply(found, name, value, word);
            }
            None => self.unknown_option(word),
        }
    }

    fn cluster(&mut self, word: &'p Field, levels: &[Level<'p>], prefix: &str, whole: bool) {
        let mut at = 1;
        let letters: Vec<char> = prefix.chars().skip(1).collect();
        let mut index = 0;
        while let Some(letter) = letters.get(index) {
            let name = format!("-{letter}");
            at += letter.len_utf8();
            index += 1;
            match find(levels, &name) {
                Some(Found::Option(option)) if !option.values.is_empty() => {
                    let mut value = word.strip(at).filter(|v| !v.pieces.is_empty());
                    if self.syntax() == Syntax::Clap
                        && let Some(v) = &value
                        && v.prefix().starts_with('=')
                    {
                        value = v.strip(1);
                    }
                    return self.apply(Found::Option(option), &name, value, word);
                }
                Some(found) => self.apply(found, &name, None, word),
                None if letter.is_ascii_digit() && takes_numbers(levels, &name) => {}
                None => return self.unknown_option(word),
            }
        }
        if !whole {
            let why = format!("`{}` may hold more options", word.shown());
            self.unknown(word.span, why);
        }
    }

    fn unknown_option(&mut self, word: &Field) {
        let why = format!("`{}` is no option of `{}` that Ambit knows", word.shown(), self.found.command());
        self.unknown(word.span, why);
    }

    /// Takes an option with its values; `inline` is the value attached to it.
    fn apply(&mut self, found: Found, written: &str, inline: Option<Field>, word: &'p Field) {
        let option = match found {
            Found::Flag(name) => OptionSpec { names: vec![name], ..OptionSpec::default() },
            Found::Option(option) => option,
        };
        let name = option.names.first().cloned().unwrap_or_else(|| written.to_owned());
        let position = self.next - 1;
        let mut values = Vec::new();
        if option.values.is_empty() {
            if inline.is_some() {
                let why =
                    format!("`{written}` of `{}` takes no value as far as Ambit knows", self.found.command());
                self.unknown(word.span, why);
            }
        } else if option.attached {
            values.extend(inline.map(|value| (position, value)));
        } else {
            values.extend(inline.map(|value| (position, value)));
            while values.len() < option.values.len() {
                let Some(value) = self.take() else {
                    self.unknown(word.span, format!("`{written}` lacks its value"));
                    break;
                };
                if value.many {
                    let why = format!("`{}` after `{written}` may become several words", value.shown());
                    self.unknown(value.span, why);
                }
                values.push((self.next - 1, value.clone()));
            }
        }
        for (role, (position, value)) in option.values.iter().zip(&values) {
            if *role == Role::Argv {
                let mut argv = vec![value.clone()];
                while let Some(rest) = self.take() {
                    argv.push(rest.clone());
                }
                self.found.argv = Some(argv);
            } else {
                self.roles.push((*position, role.clone(), value.clone()));
            }
        }
        let values: Vec<Field> = values.into_iter().map(|(_, value)| value).collect();
        if let Some(name) = &option.name
            && (option.values.is_empty() || !values.is_empty())
        {
            // An option that takes no value says only that it is there.
            let value = values.first().cloned().unwrap_or_else(|| Field::text(written, word.span));
            self.found.bound.insert(name.clone(), value);
        }
        if let Some(why) = &option.why {
            let why = format!("`{written}` of `{}` {why}", self.found.command());
            self.unknown(word.span, why);
        }
        // `--dry-run=none` is not dry, and neither is a value that is not known.
        self.found.dry |= option.dry
            && values.iter().all(|v| {
                v.known().is_some_and(|v| !matches!(v.as_str(), "none" | "false" | "no" | "0" | ""))
            });
        self.found.stop |= option.stop;
        self.found.recursive |= option.recursive;
        self.found.options.push(MatchedOption {
            name,
            value: values.first().cloned(),
            values,
            span: word.span,
        });
        self.given.push((option, word.span));
    }

    // ---- operands

    fn operand(&mut self, word: &'p Field) {
        let level = self.level();
        let Some(spec) = level.spec() else { return };
        if spec.has_sub() && !self.sub_closed {
            let sub = word.known().and_then(|name| spec.sub(&name));
            match sub {
                Some((name, sub)) => {
                    self.levels.push(Level::Sub(sub));
                    self.found.path.push(name);
                    self.why_of_level();
                    return;
                }
                None if spec.itself => self.sub_closed = true,
                None => {
                    self.lost = true;
                    let why = format!(
                        "`{}` is no sub-command of `{}` that Ambit knows",
                        word.shown(),
                        self.found.command()
                    );
                    self.unknown(word.span, why);
                    self.operands.push((self.next - 1, word.clone()));
                    return;
                }
            }
        }
        let list = self.list().unwrap_or_default();
        let before: Vec<Field> = self.operands.iter().map(|(_, field)| field.clone()).collect();
        if begins_argv(&list, &before, word) {
            let mut argv = vec![word.clone()];
            while let Some(rest) = self.take() {
                argv.push(rest.clone());
            }
            self.found.argv = Some(argv);
            return;
        }
        // What stands after a script are the script's own arguments.
        let is_script = list.get(self.operands.len()).is_some_and(|o| o.role == Role::Script);
        self.ended |= is_script || self.syntax() == Syntax::Posix;
        self.operands.push((self.next - 1, word.clone()));
    }

    /// The roles of the operands with the overrides of the options given so far; `None` when no operand is understood.
    fn list(&self) -> Option<Vec<Operand>> {
        let replaced = self.given.iter().rev().find_map(|(o, _)| o.operands.clone());
        let list = replaced.or_else(|| self.level().spec().and_then(|s| s.operands.clone()))?;
        let dropped = self.given.iter().map(|(o, _)| usize::from(o.drop_operands)).max().unwrap_or(0);
        Some(list.into_iter().skip(dropped).collect())
    }

    fn finish(mut self) -> Match {
        let level = self.level();
        let Some(spec) = level.spec() else { return self.found };
        self.found.reader.clone_from(&spec.reader);
        self.found.filter = spec.filter;
        self.found.stdin_is_code = !spec.harmless_stdin;
        let given = self.operands.len();
        let only_help = spec.has_sub() && !spec.itself;
        if !self.lost {
            self.give_roles();
        }
        if given == 0 && self.found.argv.is_none() && !only_help {
            let span = self.words.first().map(|w| w.span).unwrap_or_default();
            self.operands = spec.default.iter().map(|text| (usize::MAX, Field::text(text, span))).collect();
            if !self.operands.is_empty() {
                self.give_roles();
            }
        }
        self.roles.sort_by_key(|(position, _, _)| *position);
        self.found.roles = self.roles.drain(..).map(|(_, role, field)| (role, field)).collect();
        self.found.operands = self.operands.drain(..).map(|(_, field)| field).collect();
        let whole = match (self.words.first(), self.words.last()) {
            (Some(first), Some(last)) => Span { from: first.span.from, to: last.span.to.max(first.span.to) },
            _ => Span::default(),
        };
        if !self.lost && !only_help {
            for template in &spec.effects {
                resolve(&mut self.found, template, given, whole);
            }
        }
        for (option, span) in std::mem::take(&mut self.given) {
            for template in &option.effects {
                resolve(&mut self.found, template, given, span);
            }
            for (name, pattern) in &option.facts {
                let value = fact(&self.found, pattern, None);
                self.found.facts.insert(name.clone(), value);
            }
        }
        merge_facts(&mut self.found);
        self.found
    }

    fn give_roles(&mut self) {
        let Some(mut list) = self.list() else {
            for (_, operand) in self.operands.clone() {
                let why = format!(
                    "`{}` is no operand of `{}` that Ambit knows",
                    operand.shown(),
                    self.found.command()
                );
                self.unknown(operand.span, why);
            }
            return;
        };
        let has_script = list.iter().any(|o| o.role == Role::Script);
        list.retain(|o| o.role != Role::Argv);
        let assigned = assign(&list, self.operands.len());
        let last = list.len().saturating_sub(1);
        for ((position, operand), place) in self.operands.clone().into_iter().zip(&assigned.places) {
            let role = match place {
                Some(place) => place.role.clone(),
                None if has_script => Role::Text,
                None => {
                    let why = format!(
                        "`{}` is one operand more than `{}` takes as far as Ambit knows",
                        operand.shown(),
                        self.found.command()
                    );
                    self.unknown(operand.span, why);
                    continue;
                }
            };
            let alone = place.is_some_and(|p| !p.times.repeats());
            let closes = place.is_some_and(|p| list.get(last).is_some_and(|l| std::ptr::eq(l, p)));
            let shifts = alone && (!closes || operand.has_unknown());
            if operand.many && (shifts || assigned.unfilled) {
                let why = format!("`{}` may become several words, which moves the others", operand.shown());
                self.unknown(operand.span, why);
            }
            if role == Role::Unknown {
                let why =
                    format!("what `{}` does with `{}` is not known", self.found.command(), operand.shown());
                self.unknown(operand.span, why);
            }
            let role = if self.found.recursive { role.tree() } else { role };
            self.roles.push((position, role, operand));
        }
    }
}
