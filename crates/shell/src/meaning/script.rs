//! Scripts and programs that are run by their path.

use super::call::Call;
use super::roles::opaque;
use crate::context::{Context, Input, Invocation, Output};
use crate::state::Made;
use model::{Action, Origin, PathClass, PathTarget, RunFacts, Span, Task, Zone};
use programs::Field;

/// The longest script that is read, in bytes.
const LIMIT: usize = 64 * 1024;

/// Shells whose scripts are walked.
const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "zsh", "ksh"];

/// Runs a file given by its path.
pub(super) fn run_file(cx: &mut Context<'_>, inv: Invocation, name: &str) -> Output {
    let span = inv.span;
    let target = cx.path_of(name);
    let harmless = cx.environment_of(name, &inv.assignments, span);
    let origin = origin_of(cx, &target);
    let Some(text) = text_of(cx, &target) else {
        promised(cx, &inv, name);
        hinted(cx, name, "script", span);
        let origin_says = match origin {
            Origin::Session => "was written in this session",
            Origin::Downloaded => "was downloaded",
            Origin::Project => "is a program of the project",
            _ => "is not in the table of programs",
        };
        cx.not_understood(name, format!("`{name}` {origin_says} and cannot be read"), origin, span);
        return Output::default();
    };
    match interpreter(&text) {
        Some(shell) if SHELLS.contains(&shell.as_str()) && harmless => {
            ran(cx, name, origin, span);
            cx.apart(|cx| cx.run_script(&text, &inv.words, inv.stdin.clone(), span))
        }
        interpreter => {
            promised(cx, &inv, name);
            hinted(cx, name, "script", span);
            let what = interpreter.unwrap_or_else(|| "unknown".to_owned());
            cx.not_understood(name, format!("`{name}` is a {what} script, which is not read"), origin, span);
            Output::default()
        }
    }
}

/// The same command by the program's plain name.
fn renamed(mut inv: Invocation, plain: &str) -> Invocation {
    if let Some(first) = inv.words.first_mut() {
        *first = Field::text(plain, first.span);
    }
    inv
}

/// What the name of a script that is not read says of it: `deploy.sh` deploys.
fn hinted(cx: &mut Context<'_>, name: &str, runner: &str, span: Span) {
    let file = name.rsplit('/').next().unwrap_or(name);
    crate::readers::hints(cx, runner, &[file.to_owned()], span);
}

/// What a program that cannot be read would do if it were the one that its name promises (`./gradlew publish`,
/// `.venv/bin/twine upload`, `bin/rails db:drop`): it counts besides its not being understood.
pub(crate) fn promised(cx: &mut Context<'_>, inv: &Invocation, name: &str) {
    let plain = match name.rsplit('/').next().unwrap_or(name) {
        "gradlew" => "gradle",
        "mvnw" => "mvn",
        other => other,
    };
    if cx.table.get(plain).is_none() {
        return;
    }
    let before = cx.effects.len();
    super::invoke(cx, renamed(inv.clone(), plain));
    let mut at = 0;
    cx.effects.retain(|effect| {
        at += 1;
        at <= before || !matches!(effect.action, Action::Run(_))
    });
}

/// A script file that a shell runs: its text is walked when it can be read.
pub(crate) fn run_shell_script(cx: &mut Context<'_>, call: &mut Call, script: &Field, words: &[Field]) {
    let span = script.span;
    let target = cx.path(script);
    let origin = origin_of(cx, &target);
    let shown = script.shown();
    match text_of(cx, &target) {
        Some(text) => {
            ran(cx, &shown, origin, span);
            let stdin = call.inv.stdin.clone();
            let output = cx.apart(|cx| cx.run_script(&text, words, stdin, span));
            call.prints(output);
        }
        None => {
            hinted(cx, &shown, "script", span);
            opaque(cx, call, format!("the script `{shown}` cannot be read"), origin, span);
        }
    }
}

/// A script that an interpreter of another language runs.
pub(super) fn interpreted(cx: &mut Context<'_>, call: &mut Call, script: &Field) {
    let span = script.span;
    if script.known().as_deref() == Some("-") {
        let origin = match &call.inv.stdin {
            Input::Pipe { origin, .. } => *origin,
            Input::File(target) => origin_of(cx, target),
            Input::Text(_) => Origin::Inline,
            _ => Origin::Unknown,
        };
        opaque(cx, call, "the code it reads from its standard input is not read".to_owned(), origin, span);
        return;
    }
    let target = cx.path(script);
    let origin = origin_of(cx, &target);
    if let Some(name) = script.known() {
        hinted(cx, &name, "script", span);
        // `python manage.py migrate`: the script is known by its name.
        let at = call.inv.words.iter().position(|word| word == script);
        if let Some(words) = at.and_then(|at| call.inv.words.get(at..)) {
            promised(cx, &Invocation { words: words.to_vec(), ..call.inv.clone() }, &name);
        }
    }
    opaque(cx, call, format!("runs the script `{}`, which is not read", script.shown()), origin, span);
}

/// The script itself as a program that runs and is understood as far as its text is.
fn ran(cx: &mut Context<'_>, name: &str, origin: Origin, span: Span) {
    let facts = RunFacts { program: name.to_owned(), understood: true, why: None, origin, task: Task::Other };
    cx.emit(Action::Run(facts), span);
}

/// The text of a script: as this very command wrote it, or as it is on this machine.
pub(crate) fn text_of(cx: &Context<'_>, target: &PathTarget) -> Option<String> {
    let PathTarget::Known(path) = target else { return None };
    if let Some(made) = cx.made(path) {
        return made.text.filter(|t| t.len() <= LIMIT);
    }
    if cx.remote.is_some() {
        return None;
    }
    cx.facts.script(path, LIMIT)
}

/// Where the code at a path comes from.
pub(crate) fn origin_of(cx: &Context<'_>, target: &PathTarget) -> Origin {
    let PathTarget::Known(path) = target else { return Origin::Unknown };
    if let Some(made) = cx.made(path) {
        return if made.origin == Origin::Downloaded { Origin::Downloaded } else { Origin::Session };
    }
    if cx.remote.is_some() {
        return Origin::Unknown;
    }
    let resolved = cx.facts.resolve(path).path;
    if cx.facts.downloaded_by_session(&resolved) {
        return Origin::Downloaded;
    }
    if cx.facts.made_by_session(&resolved) {
        return Origin::Session;
    }
    let facts = cx.facts_of(target.clone(), false);
    match facts.zone {
        Zone::Workspace => Origin::Project,
        Zone::System if facts.class == PathClass::System => Origin::System,
        Zone::Unknown => Origin::Unknown,
        _ => Origin::Elsewhere,
    }
}

/// Where a copy comes from: a copy made now is the session's own.
pub(super) fn origin_of_copy(cx: &Context<'_>, sources: &[PathTarget]) -> Origin {
    let downloaded = sources.iter().any(|s| match s {
        PathTarget::Known(path) => {
            cx.made(path).is_some_and(|m: Made| m.origin == Origin::Downloaded)
                || cx.facts.downloaded_by_session(path)
        }
        _ => false,
    });
    if downloaded { Origin::Downloaded } else { Origin::Session }
}

/// The name of the interpreter that a script's first line names; a text without one is run by the shell.
fn interpreter(text: &str) -> Option<String> {
    let Some(line) = text.lines().next().and_then(|l| l.strip_prefix("#!")) else {
        // A binary is no script; a text without a first line of this kind is taken by the shell itself.
        return (!text.contains('\0')).then(|| "sh".to_owned());
    };
    let mut words = line.split_whitespace();
    let program = words.next()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    if name == "env" {
        let mut words = words.filter(|w| *w != "-S");
        let name = words.next()?;
        return words.next().is_none().then(|| name.rsplit('/').next().unwrap_or(name).to_owned());
    }
    // Options of a shell: only the plain ones.
    let plain = words.all(|w| {
        w.strip_prefix('-').is_some_and(|o| o.chars().all(|c| "euxof".contains(c))) || w == "pipefail"
    });
    plain.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        let shell = |t: &str| interpreter(t);
        assert_eq!(shell("#!/bin/sh\nls").as_deref(), Some("sh"));
        assert_eq!(shell("#!/usr/bin/env bash\nls").as_deref(), Some("bash"));
        assert_eq!(shell("#!/bin/bash -eu\nls").as_deref(), Some("bash"));
        assert_eq!(shell("ls\n").as_deref(), Some("sh"));
        assert_eq!(shell("#!/usr/bin/python3\n").as_deref(), Some("python3"));
        assert_eq!(shell("#!/bin/bash --rcfile x\n"), None);
        assert_eq!(shell("\u{7f}ELF\0"), None);
    }
}
