//! Programs that run another command.

use crate::context::{Context, Input};
use crate::meaning::{Call, Touch, opaque};
use model::Origin;
use programs::{Field, Piece, Role};

/// `env`: variables, another directory, a string that is split into words.
pub(super) fn env(cx: &mut Context<'_>, call: &mut Call) {
    let span = call.span();
    let mut assignments = call.inv.assignments.clone();
    for word in call.words(&Role::Assign) {
        match split_assignment(&word) {
            Some(pair) => assignments.push(pair),
            None => {
                let why = format!("`{}` may set any variable", word.shown());
                return opaque(cx, call, why, Origin::Unknown, word.span);
            }
        }
    }
    let mut argv = call.found.argv.clone().unwrap_or_default();
    if let Some(split) = call.found.value("-S").cloned() {
        let words = split.known().and_then(|text| split_string(&text, &split));
        match words {
            Some(words) => {
                let mut all = Vec::new();
                for word in words {
                    match split_assignment(&word).filter(|_| all.is_empty()) {
                        Some(pair) => assignments.push(pair),
                        None => all.push(word),
                    }
                }
                all.extend(argv);
                argv = all;
            }
            None => {
                let why = format!("the command line `{}` is not understood", split.shown());
                return opaque(cx, call, why, Origin::Unknown, split.span);
            }
        }
    }
    if argv.is_empty() {
        if !call.found.stop {
            let facts = model::RevealFacts { what: "environment".to_owned(), name: String::new() };
            cx.emit(model::Action::Reveal(facts), span);
            call.sensitive = true;
        }
        return;
    }
    let stdin = call.inv.stdin.clone();
    let output = cx.apart(|cx| cx.run_words_with(assignments, &argv, stdin, span));
    call.prints(output);
}

/// `ps auxe`: among letters without a dash, `e` shows the processes' variables.
pub(super) fn ps(cx: &mut Context<'_>, call: &mut Call) {
    let letters = |w: &Field| {
        let text = w.prefix();
        text.contains('e') && text.chars().all(|c| c.is_ascii_alphabetic())
    };
    if let Some(word) = call.found.operands.iter().find(|w| letters(w)) {
        let facts = model::RevealFacts { what: "process_environment".to_owned(), name: word.shown() };
        cx.emit(model::Action::Reveal(facts), word.span);
        call.sensitive = true;
    }
}

/// `watch COMMAND`: its words, joined by spaces, are a command line for the shell, unless `-x` is given.
pub(super) fn watch(cx: &mut Context<'_>, call: &mut Call) {
    let span = call.span();
    let Some(words) = call.found.argv.clone() else { return };
    let known: Option<Vec<String>> = words.iter().map(Field::known).collect();
    let output = match known {
        _ if call.has(&["-x", "--exec"]) => cx.apart(|cx| cx.run_words(&words, Input::Null, span)),
        Some(words) => cx.apart(|cx| cx.run_text(&words.join(" "), span)),
        None => {
            let why = "a part of the command line that it runs is not known".to_owned();
            opaque(cx, call, why, Origin::Unknown, span);
            cx.apart(|cx| cx.run_words(&words, Input::Null, span))
        }
    };
    call.prints(output);
}

/// `less +COMMAND FILE`: a command of the pager, which may run programs; numbers, `F`, `G` and searches do not.
pub(super) fn pager(cx: &mut Context<'_>, call: &mut Call) {
    for word in call.found.operands.clone() {
        let prefix = word.prefix();
        let Some(command) = prefix.trim_start_matches('+').get(..).filter(|_| prefix.starts_with('+')) else {
            continue;
        };
        let plain = command.chars().all(|c| c.is_ascii_digit() || matches!(c, 'F' | 'G' | 'g'))
            || (command.starts_with('/') && !command.contains('\n'));
        if !plain || word.known().is_none() {
            let why = format!("`{}` gives the pager a command", word.shown());
            opaque(cx, call, why, Origin::Unknown, word.span);
        }
    }
}

/// Compilers take more options from a file that is named `@file`.
pub(super) fn responses(cx: &mut Context<'_>, call: &mut Call) {
    for word in call.found.operands.clone() {
        if word.prefix().starts_with('@') {
            let why = format!("`{}` takes options from a file", word.shown());
            opaque(cx, call, why, Origin::Unknown, word.span);
        }
    }
}

/// `NAME=VALUE` of a word.
pub(super) fn split_assignment(word: &Field) -> Option<(String, Field)> {
    let prefix = word.prefix();
    let (name, _) = prefix.split_once('=')?;
    let value = word.strip(name.len() + 1)?;
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then(|| (name.to_owned(), value))
}

/// The words of `env -S`, where they hold neither quotes nor escapes nor variables.
fn split_string(text: &str, from: &Field) -> Option<Vec<Field>> {
    let plain = !text.contains(['\\', '\'', '"', '$', '#']);
    plain.then(|| text.split_whitespace().map(|w| Field::text(w, from.span)).collect())
}

/// `xargs`: the words that come from its input are not known, unless the input is.
pub(super) fn xargs(cx: &mut Context<'_>, call: &mut Call) {
    let span = call.span();
    let mut words = call.found.argv.clone().unwrap_or_default();
    if words.is_empty() {
        words.push(Field::text("echo", span));
    }
    let given = given_words(cx, call).or_else(|| searched_names(cx, call));
    let replace = call
        .found
        .value("-I")
        .or_else(|| call.found.value("-i"))
        .map(Field::shown)
        .or_else(|| call.has(&["-i"]).then(|| "{}".to_owned()));
    let sensitive = matches!(call.inv.stdin, Input::Pipe { sensitive: true, .. });
    match replace {
        Some(mark) if !mark.is_empty() => {
            let each = |word: &Field, with: &Field| -> Field {
                let mut pieces = Vec::new();
                for piece in &word.pieces {
                    match piece {
                        Piece::Text(text) if text.contains(&mark) => {
                            for (i, part) in text.split(mark.as_str()).enumerate() {
                                if i > 0 {
                                    pieces.extend(with.pieces.clone());
                                }
                                if !part.is_empty() {
                                    pieces.push(Piece::Text(part.to_owned()));
                                }
                            }
                        }
                        other => pieces.push(other.clone()),
                    }
                }
                Field { pieces, span: word.span, many: word.many }
            };
            let values = given.unwrap_or_else(|| vec![Field::unknown(mark.clone(), span, false)]);
            for value in values.iter().take(64) {
                let filled: Vec<Field> = words.iter().map(|w| each(w, value)).collect();
                let output = cx.apart(|cx| cx.run_words(&filled, Input::Null, span));
                call.prints(output);
            }
        }
        _ => {
            match given {
                Some(given) => words.extend(given),
                None => words.push(Field::unknown("words from standard input", span, false)),
            }
            let output = cx.apart(|cx| cx.run_words(&words, Input::Null, span));
            call.prints(output);
        }
    }
    call.sensitive |= sensitive;
}

/// The names that a search before it has found.
///
/// Where a name with a space in it would become two words, those may name anything: they are read by the sandbox's
/// rules, so that nothing outside the project is touched.
fn searched_names(cx: &mut Context<'_>, call: &Call) -> Option<Vec<Field>> {
    let Input::Pipe { names: Some(names), .. } = &call.inv.stdin else { return None };
    if call.has(&["-a"]) {
        return None;
    }
    let lines = matches!(call.found.value("-d").and_then(Field::known).as_deref(), Some("\\n" | "\n"));
    let zeros = call.has(&["-0", "--null"]);
    if names.apart != zeros {
        return None;
    }
    if !zeros && !lines {
        let target = model::PathTarget::Unknown("parts of names with spaces".to_owned());
        cx.touch(Touch::Read, target, false, call.span());
    }
    Some(names.patterns.clone())
}

/// The words that standard input holds, when it is known and plain.
fn given_words(_cx: &Context<'_>, call: &Call) -> Option<Vec<Field>> {
    if call.inv.stdin == Input::Null && !call.has(&["-a"]) {
        return Some(Vec::new());
    }
    let Input::Text(text) = &call.inv.stdin else { return None };
    if call.found.value("-d").is_some() || call.has(&["-a"]) || text.contains(['\'', '"', '\\', '\0']) {
        return None;
    }
    let span = call.span();
    let by_line = call.found.value("-I").is_some();
    let words: Vec<Field> = if by_line {
        text.lines().map(|l| Field::text(l.trim_start(), span)).collect()
    } else {
        text.split_whitespace().map(|w| Field::text(w, span)).collect()
    };
    (words.len() <= 256).then_some(words)
}

/// `parallel`: the command with unknown words; what stands in quotes is a command line for the shell.
pub(super) fn parallel(cx: &mut Context<'_>, call: &mut Call) {
    let span = call.span();
    let why = "the command lines that it builds are not known".to_owned();
    opaque(cx, call, why, Origin::Unknown, span);
}
