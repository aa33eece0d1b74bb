//! What a project's task file runs for a target: makefiles and justfiles, as far as they are plain.
//!
//! A plain file is one whose every line is a variable with a literal value, a rule with literal names, or a recipe.
//! Of any other file the recipes are read all the same, but [`Recipes::whole`] is false: what they run happens perhaps,
//! and perhaps more than that.

use std::collections::{BTreeMap, BTreeSet};

/// The most recipe lines that are taken for one command.
const MAX_LINES: usize = 200;
/// The most variables in variables.
const MAX_DEPTH: usize = 8;
/// What stands for a value that is not known, where the shell will see it: a variable that nobody sets.
const UNKNOWN: &str = "${unknown_value}";

/// Variables and targets by which make itself works otherwise than read here.
const OWN: &[&str] =
    &["SHELL", "MAKE", "MAKEFLAGS", "MAKEFILES", "MAKEFILE_LIST", "VPATH", "MAKESHELL", "GNUMAKEFLAGS"];
const TARGETS: &[&str] = &[".PHONY", ".SILENT", ".IGNORE", ".NOTPARALLEL"];
/// The variable that says which target is made when none is named.
const GOAL: &str = ".DEFAULT_GOAL";

/// Whose rules a file follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// GNU make's.
    Make,
    /// just's.
    Just,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Rule {
    needs: Vec<String>,
    lines: Vec<String>,
}

/// The recipes of a task file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipes {
    style: Style,
    rules: BTreeMap<String, Rule>,
    first: Option<String>,
    phony: BTreeSet<String>,
    variables: BTreeMap<String, String>,
    /// Variables whose value is taken only where the environment has none (`?=`).
    soft: BTreeSet<String>,
    whole: bool,
}

/// What runs for some targets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Runs {
    /// The lines, each a command line of its own shell, in order.
    pub(super) lines: Vec<String>,
    /// Whether that is all that runs.
    pub(super) whole: bool,
    /// Whether the targets asked for have recipes here.
    pub(super) found: bool,
}

impl Recipes {
    /// Reads a file.
    pub(super) fn read(style: Style, text: &str) -> Self {
        let mut recipes = Self {
            style,
            rules: BTreeMap::new(),
            first: None,
            phony: BTreeSet::new(),
            variables: BTreeMap::new(),
            soft: BTreeSet::new(),
            whole: true,
        };
        let mut open: Vec<String> = Vec::new();
        for line in joined(style, text) {
            let recipe = match style {
                Style::Make => line.strip_prefix('\t'),
                Style::Just => line.starts_with([' ', '\t']).then(|| line.trim_start()),
            };
            match recipe {
                Some(recipe) if !open.is_empty() => recipes.recipe(&open, recipe),
                _ if line.trim().is_empty() || line.trim_start().starts_with('#') => {}
                // Which branch counts is not known: the lines of both are taken.
                _ if conditional(&line) => recipes.whole = false,
                Some(_) => recipes.whole = false,
                None => open = recipes.statement(&line),
            }
        }
        recipes
    }

    /// Gives variables other values (`make NAME=VALUE`); `None` is a value that is not known.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map_or_else(|| UNKNOWN.to_owned(), |v| v.replace('$', "$$"));
        self.variables.insert(name.to_owned(), value);
    }

    /// The variables that the file sets, each with whether the environment's value comes before.
    pub(super) fn names(&self) -> Vec<(String, bool)> {
        self.variables.keys().map(|name| (name.clone(), self.soft.contains(name))).collect()
    }

    /// What runs for these targets, or for the first one when none is named.
    pub(super) fn runs(&self, targets: &[String]) -> Runs {
        let mut runs = Runs { whole: self.whole, found: true, lines: Vec::new() };
        let mut done = BTreeSet::new();
        let first: Vec<String> = self.first.iter().cloned().collect();
        let wanted = if targets.is_empty() { &first } else { targets };
        runs.found = !wanted.is_empty() && wanted.iter().all(|t| self.rules.contains_key(t));
        for target in wanted {
            self.add(target, &mut runs, &mut done);
        }
        if runs.lines.len() >= MAX_LINES {
            runs.whole = false;
        }
        runs
    }

    fn add(&self, target: &str, runs: &mut Runs, done: &mut BTreeSet<String>) {
        if done.len() > MAX_LINES || !done.insert(target.to_owned()) {
            return;
        }
        let Some(rule) = self.rules.get(target) else {
            // A file, which make may know how to build by rules of its own.
            runs.whole = false;
            return;
        };
        for need in &rule.needs {
            self.add(need, runs, done);
        }
        if rule.lines.is_empty() && self.style == Style::Make && !self.phony.contains(target) {
            runs.whole = false;
        }
        for line in &rule.lines {
            if runs.lines.len() >= MAX_LINES {
                return;
            }
            let mut whole = true;
            let text = self.expanded(line, target, rule, 0, &mut whole);
            runs.whole &= whole;
            let plain = match self.style {
                Style::Make => text.trim_start_matches(['@', '-', '+', ' ', '\t']),
                Style::Just => text.trim_start_matches(['@', '-']),
            };
            if !plain.is_empty() {
                runs.lines.push(plain.to_owned());
            }
        }
    }

    fn recipe(&mut self, open: &[String], line: &str) {
        if self.style == Style::Just && line.starts_with("#!") {
            // The whole recipe is a script of another language.
            self.whole = false;
        }
        if line.trim().is_empty() {
            return;
        }
        for target in open {
            if let Some(rule) = self.rules.get_mut(target) {
                rule.lines.push(line.to_owned());
            }
        }
    }

    /// A line that is no recipe; the targets to which the recipe lines after it belong.
    fn statement(&mut self, line: &str) -> Vec<String> {
        if let Some((name, value)) = assignment(self.style, line) {
            if OWN.contains(&name.as_str()) || (self.style == Style::Make && line.contains("+=")) {
                self.whole = false;
            }
            if name == GOAL {
                self.first = Some(value);
                return Vec::new();
            }
            if line.contains("?=") {
                self.soft.insert(name.clone());
            }
            match literal(self.style, &value) {
                Some(value) => self.variables.insert(name, value),
                None => {
                    self.whole = false;
                    self.variables.insert(name, UNKNOWN.to_owned())
                }
            };
            return Vec::new();
        }
        let Some((targets, rest)) = line.split_once(':') else {
            self.whole = false;
            return Vec::new();
        };
        let odd = |text: &str| {
            text.contains(['%', '=', ';', ':', '*', '?', '[', '(', '{', '"', '\'', '`', '$', '&'])
        };
        let rest = rest.split('#').next().unwrap_or_default();
        if odd(rest) {
            self.whole = false;
        }
        let rest = rest.split(';').next().unwrap_or_default();
        let needs: Vec<String> = rest
            .split_whitespace()
            .filter(|w| *w != "|" && *w != "&&" && !odd(w))
            .map(str::to_owned)
            .collect();
        let mut words = targets.split_whitespace();
        let names: Vec<String> = match self.style {
            Style::Make => words.map(str::to_owned).collect(),
            // What stands after a recipe's name are its parameters.
            Style::Just => {
                let names = words.next().map(|n| n.trim_start_matches('@').to_owned()).into_iter().collect();
                self.whole &= words.next().is_none();
                names
            }
        };
        if odd(targets) || names.is_empty() {
            self.whole = false;
        }
        if names.iter().any(|n| n.starts_with('.')) {
            if names.iter().any(|n| n == ".PHONY") {
                self.phony.extend(needs);
            } else if !names.iter().all(|n| TARGETS.contains(&n.as_str())) {
                self.whole = false;
            }
            return Vec::new();
        }
        for name in &names {
            let rule = self.rules.entry(name.clone()).or_default();
            rule.needs.extend(needs.iter().cloned());
            self.first.get_or_insert_with(|| name.clone());
        }
        names
    }

    /// A line with its variables filled in; `whole` becomes false where one is not known.
    fn expanded(&self, line: &str, target: &str, rule: &Rule, depth: usize, whole: &mut bool) -> String {
        let (open, close) = match self.style {
            Style::Make => ("$", ""),
            Style::Just => ("{{", "}}"),
        };
        let mut text = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once(open) {
            text.push_str(before);
            let (name, next) = match self.style {
                Style::Just => match after.split_once(close) {
                    Some((name, next)) => (name.trim().to_owned(), next),
                    None => (String::new(), ""),
                },
                Style::Make => reference(after),
            };
            rest = next;
            let known = match (self.style, name.as_str()) {
                (Style::Make, "$") => Some("$".to_owned()),
                (Style::Make, "@") => Some(target.to_owned()),
                (Style::Make, "<") => rule.needs.first().cloned(),
                (Style::Make, "^" | "+") => Some(rule.needs.join(" ")),
                (Style::Make, "MAKE") => Some("make".to_owned()),
                _ => self
                    .variables
                    .get(&name)
                    .filter(|v| depth < MAX_DEPTH && v.as_str() != UNKNOWN)
                    .map(|value| self.expanded(value, target, rule, depth + 1, whole)),
            };
            match known {
                Some(value) => text.push_str(&value),
                None => {
                    *whole = false;
                    text.push_str(UNKNOWN);
                }
            }
            if text.len() > 16 * 1024 {
                *whole = false;
                return text;
            }
        }
        text.push_str(rest);
        text
    }
}

/// The name after a `$` of make, and what follows it; an empty name for what is no plain name.
fn reference(after: &str) -> (String, &str) {
    let close = match after.chars().next() {
        Some('(') => ')',
        Some('{') => '}',
        Some(c) => return (c.to_string(), after.get(c.len_utf8()..).unwrap_or_default()),
        None => return (String::new(), after),
    };
    match after.get(1..).and_then(|inner| inner.split_once(close)) {
        Some((name, next)) if is_name(name) => (name.to_owned(), next),
        // A function of make, whose parentheses may be nested: nothing after it is told apart from it.
        Some((_, next)) => (String::new(), next),
        None => (String::new(), ""),
    }
}

/// Whether a line begins, parts or ends a conditional part of a makefile.
fn conditional(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    matches!(word, "ifeq" | "ifneq" | "ifdef" | "ifndef" | "else" | "endif")
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// `NAME = value`, `NAME := value`, `NAME ?= value`, `NAME += value`; `name := "value"` of just.
fn assignment(style: Style, line: &str) -> Option<(String, String)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (left, value) = match style {
        Style::Make => line.split_once('=')?,
        Style::Just => line.split_once(":=")?,
    };
    let name = left.trim_end_matches([':', '?', '+']).trim();
    (is_name(name) || name == GOAL).then(|| (name.to_owned(), value.trim().to_owned()))
}

/// A value that says all that it is.
fn literal(style: Style, value: &str) -> Option<String> {
    match style {
        Style::Make => {
            let mut rest = value;
            while let Some((_, after)) = rest.split_once('$') {
                let (name, next) = reference(after);
                if name != "$" && !is_name(&name) {
                    return None;
                }
                rest = next;
            }
            (!value.contains('#')).then(|| value.to_owned())
        }
        Style::Just => {
            let inner = ['"', '\''].into_iter().find_map(|q| value.strip_prefix(q)?.strip_suffix(q))?;
            (!inner.contains(['"', '\'', '\\', '{'])).then(|| inner.to_owned())
        }
    }
}

/// The lines of a file, those that a backslash continues as one.
fn joined(style: Style, text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        match lines.last_mut().filter(|_| open) {
            Some(last) => {
                let recipe = style == Style::Make && last.starts_with('\t');
                // The shell joins lines of a recipe itself, and make takes one tab away.
                last.push_str(if recipe { "\\\n" } else { " " });
                last.push_str(if recipe {
                    line.strip_prefix('\t').unwrap_or(line)
                } else {
                    line.trim_start()
                });
            }
            None => lines.push(line.to_owned()),
        }
        open = false;
        if let Some(last) = lines.last_mut()
            && last.ends_with('\\')
        {
            last.pop();
            open = true;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(text: &str, target: &str) -> Runs {
        Recipes::read(Style::Make, text).runs(&[target.to_owned()])
    }

    #[test]
    fn plain_makefiles_are_whole() {
        let text = "NAME := app\nENV = prod\n\n.PHONY: all test deploy\nall: test\n\ntest: ## tests\n\t@pytest -q $(NAME)\n\ndeploy: test\n\tkubectl apply -f k8s/$(ENV) \\\n\t  --wait\n\techo $$HOME $@\n";
        let runs = make(text, "deploy");
        assert_eq!(
            runs.lines,
            ["pytest -q app", "kubectl apply -f k8s/prod \\\n  --wait", "echo $HOME deploy"]
        );
        assert!(runs.whole && runs.found);
        assert_eq!(Recipes::read(Style::Make, text).runs(&[]).lines, ["pytest -q app"]);
    }

    #[test]
    fn what_is_not_plain_is_not_whole() {
        for (text, target) in [
            ("include x.mk\na:\n\tls\n", "a"),
            ("ifeq ($(A),b)\na:\n\tls\nendif\n", "a"),
            ("X := $(shell rm -rf .)\na:\n\tls\n", "a"),
            ("a: b.o\n\tls\n", "a"),
            ("a:\n\tls $(wildcard *)\n", "a"),
            ("a:\n\tls $(UNSET)\n", "a"),
            ("%.o: %.c\n\tls\na:\n\tls\n", "a"),
            ("SHELL = ./x\na:\n\tls\n", "a"),
            ("a: X = y\na:\n\tls\n", "a"),
            ("a: ; rm x\n", "a"),
            (".ONESHELL:\na:\n\tls\n", "a"),
            ("$(eval x)\na:\n\tls\n", "a"),
            ("a:\n\tls\n", "b"),
            ("a: a.c\n", "a"),
            ("define x\n\trm\nendef\na:\n\tls\n", "a"),
        ] {
            assert!(!make(text, target).whole, "{text}");
        }
    }

    #[test]
    fn recipes_of_any_file_are_seen() {
        let runs = make("include x.mk\nA := $(shell date)\ndeploy:\n\tkubectl delete ns $(A)\n", "deploy");
        assert_eq!(runs.lines, ["kubectl delete ns ${unknown_value}"]);
        assert!(!runs.whole && runs.found);
    }

    #[test]
    fn values_given_on_the_command_line_win() {
        let mut recipes = Recipes::read(Style::Make, "E := dev\na:\n\tx $(E)\n.PHONY: a\n");
        recipes.set("E", Some("$(rm)"));
        assert_eq!(recipes.runs(&["a".to_owned()]).lines, ["x $(rm)"]);
        recipes.set("E", None);
        assert!(!recipes.runs(&["a".to_owned()]).whole);
    }

    #[test]
    fn variables_that_name_themselves_end() {
        assert!(!make("A = $(B) $(B)\nB = $(A) $(A)\na:\n\tx $(A)\n", "a").whole);
    }

    #[test]
    fn justfiles() {
        let text = "dir := \"k8s\"\n\ntest:\n    cargo test\n\n@deploy: test\n    kubectl apply -f {{dir}}\n";
        let recipes = Recipes::read(Style::Just, text);
        let runs = recipes.runs(&["deploy".to_owned()]);
        assert_eq!(runs.lines, ["cargo test", "kubectl apply -f k8s"]);
        assert!(runs.whole);
        assert!(!Recipes::read(Style::Just, "a x:\n    rm {{x}}\n").runs(&["a".to_owned()]).whole);
        assert!(
            !Recipes::read(Style::Just, "set shell := [\"sh\"]\na:\n    ls\n").runs(&["a".to_owned()]).whole
        );
        assert!(
            !Recipes::read(Style::Just, "a:\n    #!/usr/bin/python3\n    x\n").runs(&["a".to_owned()]).whole
        );
    }
}
