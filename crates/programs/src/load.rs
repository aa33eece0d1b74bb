//! Reads files of the table. Every fault is found and told with its place, not only the first.

use crate::check;
use crate::error::TableError;
use crate::role::{Operand, Role, nearest};
use crate::spec::{Case, Expect, OptionSpec, Program, READERS, Spec, Sub, Syntax};
use crate::template::{Fact, Template, When, check_any_fact, check_fact};
use model::EffectKind;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a file of the table holds.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The programs.
    pub(crate) programs: Vec<Program>,
    /// Their examples.
    pub(crate) cases: Vec<Case>,
}

/// Reads one file of the table.
///
/// # Errors
/// Every fault in it, with its place.
pub(crate) fn load(file: &str, text: &str) -> Result<Loaded, Vec<TableError>> {
    let mut loader = Loader { file, text, program: String::new(), errors: Vec::new(), cases: Vec::new() };
    let mut programs = Vec::new();
    match DeTable::parse(text) {
        Err(error) => {
            let at = error.span().map_or(0, |s| s.start);
            loader.fault(at, "", format!("not well-formed TOML: {}", error.message()));
        }
        Ok(document) => {
            for (name, value) in document.get_ref() {
                loader.program = name.get_ref().to_string();
                if let Some(program) = loader.program(name, value) {
                    programs.push(program);
                }
            }
        }
    }
    check::names(&mut loader, &programs);
    if loader.errors.is_empty() { Ok(Loaded { programs, cases: loader.cases }) } else { Err(loader.errors) }
}

/// The state while a file is read.
pub(crate) struct Loader<'t> {
    file: &'t str,
    text: &'t str,
    /// The program or sub-command that is being read.
    pub(crate) program: String,
    errors: Vec<TableError>,
    cases: Vec<Case>,
}

/// What a sub-command takes over from what stands above it.
#[derive(Clone)]
struct Above {
    syntax: Syntax,
    abbrev: Option<bool>,
    inherit: bool,
    reader: Option<String>,
    /// The names that options above it bind.
    bound: Vec<String>,
}

type Entry<'a, 't> = (&'a Spanned<std::borrow::Cow<'t, str>>, &'a Spanned<DeValue<'t>>);

impl Loader<'_> {
    /// Notes a fault.
    pub(crate) fn fault(&mut self, at: usize, key: &str, message: String) {
        self.errors.push(TableError::at(self.file, self.text, at, &self.program, key, message));
    }

    fn program(
        &mut self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Program> {
        let DeValue::Table(table) = value.get_ref() else {
            self.fault(
                name.span().start,
                "",
                "a program is a table; write `[name]` above its keys".to_owned(),
            );
            return None;
        };
        let cases_before = self.cases.len();
        let above =
            Above { syntax: Syntax::Gnu, abbrev: None, inherit: true, reader: None, bound: Vec::new() };
        let spec = self.spec(name.span(), table, &above, true);
        if spec.about.is_empty() {
            self.fault(name.span().start, "about", "is missing; say what the program does".to_owned());
        }
        if spec.source.is_empty() {
            let say = "is missing; name the man page, `--help` or documentation, with its version";
            self.fault(name.span().start, "source", say.to_owned());
        }
        if self.cases.len() == cases_before {
            let say =
                "are missing; give a harmless form, a writing form and a running form, as far as it has them";
            self.fault(name.span().start, "cases", say.to_owned());
        }
        Some(Program { name: name.get_ref().to_string(), file: self.file.to_owned(), spec })
    }

    fn spec(&mut self, at: Range<usize>, table: &DeTable<'_>, above: &Above, top: bool) -> Spec {
        let mut spec = Spec {
            about: String::new(),
            source: String::new(),
            aliases: Vec::new(),
            syntax: above.syntax,
            abbrev: false,
            flags: Vec::new(),
            options: Vec::new(),
            operands: None,
            default: Vec::new(),
            effects: Vec::new(),
            sub: BTreeMap::new(),
            sub_aliases: BTreeMap::new(),
            itself: false,
            inherit: above.inherit,
            reader: above.reader.clone(),
            harmless_stdin: true,
            filter: false,
            why: None,
        };
        let mut abbrev = above.abbrev;
        let mut subs = None;
        for (key, value) in table {
            let entry = (key, value);
            match key.get_ref().as_ref() {
                "about" => spec.about = self.string(entry),
                "source" => spec.source = self.string(entry),
                "aliases" => spec.aliases = self.strings(entry),
                "syntax" => spec.syntax = self.word(entry, Syntax::WORDS).unwrap_or(Syntax::Gnu),
                "abbrev" => abbrev = Some(self.boolean(entry)),
                "flags" => {
                    spec.flags = self.string(entry).split_whitespace().map(str::to_owned).collect();
                    self.spellings(entry, &spec.flags);
                }
                "options" => spec.options = self.options(entry),
                "operands" => spec.operands = self.operands(entry),
                "default" => spec.default = self.string_or_strings(entry),
                "effects" => spec.effects = self.effects(entry),
                "sub" => subs = self.table(entry),
                "sub_default" => {
                    spec.itself = self.word(entry, &[("none", false), ("self", true)]).unwrap_or(false);
                }
                "inherit" => spec.inherit = self.boolean(entry),
                "reader" => spec.reader = self.reader(entry),
                "harmless_stdin" => spec.harmless_stdin = self.boolean(entry),
                "filter" => spec.filter = self.boolean(entry),
                "why" => spec.why = Some(self.string(entry)),
                "cases" => self.cases(entry),
                other => self.unknown_key(key.span().start, other, SPEC_KEYS),
            }
        }
        spec.abbrev = abbrev.unwrap_or(matches!(spec.syntax, Syntax::Gnu | Syntax::Posix));
        let mut bound = above.bound.clone();
        bound.extend(spec.options.iter().filter_map(|o| o.name.clone()));
        check::spec(self, at.start, &spec, &bound);
        if let Some(subs) = subs {
            let below = Above {
                syntax: spec.syntax,
                abbrev,
                inherit: if top { spec.inherit } else { true },
                reader: spec.reader.clone(),
                bound,
            };
            self.subs(&mut spec, subs, &below);
        }
        spec
    }

    fn subs(&mut self, spec: &mut Spec, subs: &DeTable<'_>, below: &Above) {
        let above = self.program.clone();
        for (name, value) in subs {
            self.program = format!("{above} {}", name.get_ref());
            let DeValue::Table(table) = value.get_ref() else {
                self.fault(name.span().start, "sub", "a sub-command is a table".to_owned());
                continue;
            };
            let sub = self.spec(name.span(), table, below, false);
            for alias in &sub.aliases {
                if spec.sub_aliases.insert(alias.clone(), name.get_ref().to_string()).is_some() {
                    self.fault(name.span().start, "aliases", format!("`{alias}` is already another's alias"));
                }
            }
            spec.sub.insert(name.get_ref().to_string(), Sub::Open(Arc::new(sub)));
        }
        self.program = above;
        for alias in
            spec.sub_aliases.keys().filter(|a| spec.sub.contains_key(*a)).cloned().collect::<Vec<_>>()
        {
            let at = subs.keys().next().map_or(0, |k| k.span().start);
            self.fault(at, "aliases", format!("`{alias}` is both an alias and a sub-command of its own"));
        }
    }

    fn options(&mut self, entry: Entry<'_, '_>) -> Vec<OptionSpec> {
        let Some(table) = self.table(entry) else { return Vec::new() };
        let mut options = Vec::new();
        for (key, value) in table {
            let mut option = OptionSpec {
                names: key.get_ref().split_whitespace().map(str::to_owned).collect(),
                ..OptionSpec::default()
            };
            self.spellings((key, value), &option.names);
            match value.get_ref() {
                DeValue::String(_) => self.value((key, value), &mut option),
                DeValue::Table(table) => self.option(table, &mut option),
                _ => {
                    let say = "an option is the role of its value, or a table";
                    self.fault(value.span().start, key.get_ref(), say.to_owned());
                }
            }
            options.push(option);
        }
        options
    }

    fn option(&mut self, table: &DeTable<'_>, option: &mut OptionSpec) {
        for (key, value) in table {
            let entry = (key, value);
            match key.get_ref().as_ref() {
                "value" => self.value(entry, option),
                "name" => option.name = Some(self.string(entry)),
                "facts" => option.facts = self.facts(entry),
                "effects" => option.effects = self.effects(entry),
                "operands" => option.operands = self.operands(entry),
                "drop_operands" => option.drop_operands = self.small_number(entry),
                "recursive" => option.recursive = self.boolean(entry),
                "dry" => option.dry = self.boolean(entry),
                "stop" => option.stop = self.boolean(entry),
                "why" => option.why = Some(self.string(entry)),
                other => self.unknown_key(key.span().start, other, OPTION_KEYS),
            }
        }
    }

    fn value(&mut self, entry: Entry<'_, '_>, option: &mut OptionSpec) {
        let text = self.string(entry);
        let at = entry.1.span().start;
        let key = entry.0.get_ref();
        let (list, attached) = match text.strip_suffix('?') {
            Some(list) => (list, true),
            None => (text.as_str(), false),
        };
        for word in list.split_whitespace() {
            match Operand::list(word) {
                Ok(read) => match read.as_slice() {
                    [one] if one.times == crate::role::Times::Once => option.values.push(one.role.clone()),
                    _ => self.fault(at, key, format!("`{word}`: an option's value has no sign but `?`")),
                },
                Err(message) => self.fault(at, key, message),
            }
        }
        if option.values.is_empty() {
            self.fault(at, key, "names no role; an option without a value is a flag or a table".to_owned());
        }
        if attached && option.values.len() > 1 {
            self.fault(at, key, "several values cannot be optional".to_owned());
        }
        if option.values.len() > 1 && option.values.contains(&Role::Argv) {
            self.fault(at, key, "`argv` takes all that follows, so it stands alone".to_owned());
        }
        option.attached = attached;
    }

    fn operands(&mut self, entry: Entry<'_, '_>) -> Option<Vec<Operand>> {
        let text = self.string(entry);
        match Operand::list(&text) {
            Ok(list) => Some(list),
            Err(message) => {
                self.fault(entry.1.span().start, entry.0.get_ref(), message);
                None
            }
        }
    }

    fn effects(&mut self, entry: Entry<'_, '_>) -> Vec<Template> {
        let DeValue::Array(list) = entry.1.get_ref() else {
            let say = "is a list of inline tables: `[{ kind = \"…\", … }]`";
            self.fault(entry.1.span().start, entry.0.get_ref(), say.to_owned());
            return Vec::new();
        };
        let mut effects = Vec::new();
        for value in list.iter() {
            match value.get_ref() {
                DeValue::Table(table) => effects.extend(self.effect(value.span().start, table)),
                _ => {
                    let say = "an effect is an inline table: `{ kind = \"…\", … }`";
                    self.fault(value.span().start, "effects", say.to_owned());
                }
            }
        }
        effects
    }

    fn effect(&mut self, at: usize, table: &DeTable<'_>) -> Option<Template> {
        let mut kind = None;
        let mut when = None;
        let mut facts = Vec::new();
        for (key, value) in table {
            let entry = (key, value);
            match key.get_ref().as_ref() {
                "kind" => {
                    let word = self.string(entry);
                    kind = EffectKind::from_word(&word);
                    if kind.is_none() {
                        let known: Vec<&str> = EffectKind::ALL.iter().map(|k| k.word()).collect();
                        let say =
                            format!("`{word}` is no kind of effect; the kinds are {}", known.join(", "));
                        self.fault(value.span().start, "kind", say);
                        return None;
                    }
                }
                "when" => match When::parse(&self.string(entry)) {
                    Ok(condition) => when = Some(condition),
                    Err(message) => self.fault(value.span().start, "when", message),
                },
                name => {
                    if let Some(fact) = self.fact(entry) {
                        facts.push((name.to_owned(), fact, value.span().start));
                    }
                }
            }
        }
        let Some(kind) = kind else {
            self.fault(at, "kind", "is missing".to_owned());
            return None;
        };
        for (name, fact, at) in &facts {
            if let Err(message) = check_fact(kind, name, fact) {
                self.fault(*at, name, message);
            }
        }
        Some(Template { kind, facts: facts.into_iter().map(|(n, f, _)| (n, f)).collect(), when })
    }

    fn facts(&mut self, entry: Entry<'_, '_>) -> Vec<(String, Fact)> {
        let Some(table) = self.table(entry) else { return Vec::new() };
        let mut facts = Vec::new();
        for (key, value) in table {
            if let Some(fact) = self.fact((key, value)) {
                if let Err(message) = check_any_fact(key.get_ref(), &fact) {
                    self.fault(value.span().start, key.get_ref(), message);
                }
                facts.push((key.get_ref().to_string(), fact));
            }
        }
        facts
    }

    fn fact(&mut self, entry: Entry<'_, '_>) -> Option<Fact> {
        match entry.1.get_ref() {
            DeValue::Boolean(value) => Some(Fact::Bool(*value)),
            DeValue::String(text) => match Fact::text(text) {
                Ok(parts) => Some(Fact::Text(parts)),
                Err(message) => {
                    self.fault(entry.1.span().start, entry.0.get_ref(), message);
                    None
                }
            },
            _ => {
                let say = "a fact is a text, `true` or `false`";
                self.fault(entry.1.span().start, entry.0.get_ref(), say.to_owned());
                None
            }
        }
    }

    fn cases(&mut self, entry: Entry<'_, '_>) {
        let DeValue::Array(list) = entry.1.get_ref() else {
            self.fault(entry.1.span().start, "cases", "is a list; write `[[name.cases]]`".to_owned());
            return;
        };
        for value in list.iter() {
            match value.get_ref() {
                DeValue::Table(table) => self.case(value.span().start, table),
                _ => self.fault(value.span().start, "cases", "a case is a table".to_owned()),
            }
        }
    }

    fn case(&mut self, at: usize, table: &DeTable<'_>) {
        let mut command = String::new();
        let mut expect = Vec::new();
        for (key, value) in table {
            let entry = (key, value);
            match key.get_ref().as_ref() {
                "command" => command = self.string(entry),
                "effects" => expect.push(Expect::Effects(self.strings(entry))),
                "includes" => expect.push(Expect::Includes(self.strings(entry))),
                "not_understood" => expect.push(Expect::NotUnderstood(self.string(entry))),
                other => self.unknown_key(key.span().start, other, CASE_KEYS),
            }
        }
        if command.is_empty() {
            self.fault(at, "command", "is missing".to_owned());
        }
        let line = TableError::at(self.file, self.text, at, "", "", String::new()).line;
        let [expect] = expect.as_slice() else {
            let say = "a case has one of `effects`, `includes` and `not_understood`";
            self.fault(at, "cases", say.to_owned());
            return;
        };
        self.cases.push(Case {
            program: self.program.clone(),
            file: self.file.to_owned(),
            line,
            command,
            expect: expect.clone(),
        });
    }

    fn reader(&mut self, entry: Entry<'_, '_>) -> Option<String> {
        let word = self.string(entry);
        if word == "none" {
            return None;
        }
        if !READERS.contains(&word.as_str()) {
            let say = format!("`{word}` is no reader; the readers are {}", READERS.join(", "));
            self.fault(entry.1.span().start, "reader", say);
        }
        Some(word)
    }

    fn spellings(&mut self, entry: Entry<'_, '_>, names: &[String]) {
        if names.is_empty() {
            self.fault(entry.0.span().start, entry.0.get_ref(), "names no option".to_owned());
        }
        for name in names {
            let dashed = name.starts_with('-') || name.starts_with('+');
            if !dashed || name.len() < 2 || name == "--" {
                let say = format!("`{name}` is no spelling of an option; write `-x`, `--long` or `+x`");
                self.fault(entry.0.span().start, entry.0.get_ref(), say);
            }
        }
    }

    fn unknown_key(&mut self, at: usize, key: &str, known: &[&str]) {
        let hint = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys are {}", known.join(", ")),
        };
        self.fault(at, key, format!("is no key here; {hint}"));
    }

    fn string(&mut self, entry: Entry<'_, '_>) -> String {
        if let DeValue::String(text) = entry.1.get_ref() {
            return text.to_string();
        }
        self.fault(entry.1.span().start, entry.0.get_ref(), "is a text in quotes".to_owned());
        String::new()
    }

    fn strings(&mut self, entry: Entry<'_, '_>) -> Vec<String> {
        if let DeValue::Array(list) = entry.1.get_ref() {
            let texts: Option<Vec<String>> = list
                .iter()
                .map(|v| match v.get_ref() {
                    DeValue::String(text) => Some(text.to_string()),
                    _ => None,
                })
                .collect();
            if let Some(texts) = texts {
                return texts;
            }
        }
        self.fault(
            entry.1.span().start,
            entry.0.get_ref(),
            "is a list of texts: `[\"…\", \"…\"]`".to_owned(),
        );
        Vec::new()
    }

    fn string_or_strings(&mut self, entry: Entry<'_, '_>) -> Vec<String> {
        match entry.1.get_ref() {
            DeValue::String(text) => vec![text.to_string()],
            _ => self.strings(entry),
        }
    }

    fn boolean(&mut self, entry: Entry<'_, '_>) -> bool {
        if let DeValue::Boolean(value) = entry.1.get_ref() {
            return *value;
        }
        self.fault(entry.1.span().start, entry.0.get_ref(), "is `true` or `false`".to_owned());
        false
    }

    fn small_number(&mut self, entry: Entry<'_, '_>) -> u8 {
        if let DeValue::Integer(number) = entry.1.get_ref()
            && let Ok(number) = number.to_string().parse::<u8>()
        {
            return number;
        }
        self.fault(entry.1.span().start, entry.0.get_ref(), "is a small number".to_owned());
        0
    }

    fn word<T: Copy>(&mut self, entry: Entry<'_, '_>, words: &[(&str, T)]) -> Option<T> {
        let word = self.string(entry);
        let found = words.iter().find(|(w, _)| *w == word).map(|(_, value)| *value);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(w, _)| *w).collect();
            let say = format!("`{word}` is not one of {}", all.join(", "));
            self.fault(entry.1.span().start, entry.0.get_ref(), say);
        }
        found
    }

    fn table<'a, 't>(&mut self, entry: Entry<'a, 't>) -> Option<&'a DeTable<'t>> {
        if let DeValue::Table(table) = entry.1.get_ref() {
            return Some(table);
        }
        self.fault(entry.1.span().start, entry.0.get_ref(), "is a table".to_owned());
        None
    }
}

const SPEC_KEYS: &[&str] = &[
    "about",
    "source",
    "aliases",
    "syntax",
    "abbrev",
    "flags",
    "options",
    "operands",
    "default",
    "effects",
    "sub",
    "sub_default",
    "inherit",
    "reader",
    "harmless_stdin",
    "filter",
    "why",
    "cases",
];
const OPTION_KEYS: &[&str] =
    &["value", "name", "facts", "effects", "operands", "drop_operands", "recursive", "dry", "stop", "why"];
const CASE_KEYS: &[&str] = &["command", "effects", "includes", "not_understood"];
