//! What a command prints, where its text is not known: a number, or names of files.

use super::Call;
use crate::context::{Input, Names};
use programs::{Field, Piece, Role};

/// Whether what it prints is one whole number: `wc -l` of its standard input, `grep -c` of one file, `nproc`,
/// `date +%s`. An option that is not named here may print more.
pub(super) fn number(call: &Call) -> bool {
    let only = |names: &[&str]| call.found.options.iter().all(|o| names.contains(&o.name.as_str()));
    let operands = call.found.operands.as_slice();
    if call.opaque || !call.found.unknowns.is_empty() {
        return false;
    }
    match call.found.program.as_str() {
        "wc" => {
            let one = ["-l", "--lines", "-w", "--words", "-c", "--bytes", "-m", "--chars", "-L"];
            operands.is_empty() && call.found.options.len() == 1 && only(&one)
        }
        "grep" => {
            let quiet = [
                "-c",
                "--count",
                "-i",
                "--ignore-case",
                "-v",
                "--invert-match",
                "-w",
                "--word-regexp",
                "-x",
                "-E",
                "-F",
                "-P",
                "-h",
                "-s",
            ];
            call.has(&["-c", "--count"])
                && only(&quiet)
                && operands.len() <= 2
                && operands.iter().all(|o| !o.many)
        }
        "nproc" => operands.is_empty() && only(&["--all"]),
        "date" => only(&["-u", "-d"]) && matches!(operands, [one] if one.known().as_deref() == Some("+%s")),
        _ => false,
    }
}

/// The names that it prints, when it prints nothing else: what a search found, and what filters let through.
pub(super) fn names(call: &Call) -> Option<Names> {
    if call.opaque || !call.found.unknowns.is_empty() || call.found.stop {
        return None;
    }
    let number = |name: &str| {
        name.strip_prefix('-').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let only = |names: &[&str]| {
        call.found.options.iter().all(|o| names.contains(&o.name.as_str()) || number(&o.name))
    };
    let path: Vec<&str> = call.found.path.iter().map(String::as_str).collect();
    match (call.found.program.as_str(), path.as_slice()) {
        ("find", []) => found(call),
        ("grep", []) if call.has(&["-l", "--files-with-matches", "-L", "--files-without-match"]) => {
            Some(searched(call, &["-Z", "--null"]))
        }
        ("rg", []) if call.has(&["-l", "--files-with-matches", "--files-without-match", "--files"]) => {
            Some(searched(call, &["-0", "--null"]))
        }
        ("git", ["grep"]) if call.has(&["-l", "--files-with-matches", "--name-only", "-L"]) => {
            Some(listed(call, &["-z", "--null"]))
        }
        ("git", ["ls-files"])
            if only(&[
                "-z",
                "-m",
                "--modified",
                "-o",
                "--others",
                "--exclude-standard",
                "-c",
                "--cached",
                "-d",
            ]) =>
        {
            Some(listed(call, &["-z"]))
        }
        ("sort" | "uniq" | "head" | "tail", []) if call.found.operands.is_empty() => {
            // Whole names come through; a NUL byte is an end only where the option says so.
            let zeros = call.has(&["-z", "--zero-terminated"]);
            let lines =
                only(&["-r", "-u", "-V", "-f", "-n", "--lines", "-z", "--zero-terminated", "--unique"]);
            passed(call).filter(|n| lines && n.apart == zeros)
        }
        ("grep", []) if only(&["-v", "--invert-match", "-E", "-F", "-i", "-P", "-e"]) => {
            let one =
                call.found.operands.len() + call.found.options.iter().filter(|o| o.name == "-e").count();
            passed(call).filter(|n| one == 1 && !n.apart)
        }
        _ => None,
    }
}

fn passed(call: &Call) -> Option<Names> {
    match &call.inv.stdin {
        Input::Pipe { names, .. } => names.clone(),
        _ => None,
    }
}

/// What lies beneath a root, as a search that was given the root spells it.
fn beneath(root: &Field) -> Field {
    let mut pieces = root.pieces.clone();
    match pieces.last_mut() {
        Some(Piece::Text(text)) if text.ends_with('/') => {}
        Some(Piece::Text(text)) => text.push('/'),
        _ => pieces.push(Piece::Text("/".to_owned())),
    }
    pieces.push(Piece::Glob("**/*".to_owned()));
    Field { pieces, span: root.span, many: true }
}

/// Anything beneath the working directory.
fn anything(call: &Call) -> Field {
    Field { pieces: vec![Piece::Glob("**/*".to_owned())], span: call.span(), many: true }
}

/// Words of find that do more than print names, or take their roots from elsewhere. From find(1), findutils 4.9.
const MORE: [&str; 15] = [
    "-exec",
    "-execdir",
    "-ok",
    "-okdir",
    "-delete",
    "-printf",
    "-fprintf",
    "-fprint",
    "-fprint0",
    "-fls",
    "-ls",
    "-files0-from",
    "-D",
    "-f",
    "-s",
];

/// `find ROOT… TESTS`, where it only prints names. Each root may itself be printed.
fn found(call: &Call) -> Option<Names> {
    let words = call.inv.words.get(1..).unwrap_or_default();
    let has = |names: &[&str]| words.iter().any(|w| w.known().is_some_and(|t| names.contains(&t.as_str())));
    if has(&MORE) || words.iter().any(|w| w.has_unknown() || w.prefix().starts_with("-O")) {
        return None;
    }
    let zeros = has(&["-print0"]);
    if zeros && has(&["-print"]) {
        return None;
    }
    let expression: Vec<String> = words.iter().map(Field::shown).collect();
    // The working directory's own name is `.`: neither a file nor one with letters.
    let pairs = || {
        expression
            .windows(2)
            .filter_map(|w| if let [a, b] = w { Some((a.as_str(), b.as_str())) } else { None })
    };
    let inner = !has(&["-o", "-or", "!", "-not", ","])
        && pairs().any(|(test, value)| match test {
            "-type" => value == "f",
            "-name" | "-iname" => value.bytes().any(|b| b.is_ascii_alphanumeric()),
            _ => false,
        });
    let mut roots: Vec<Field> = words
        .iter()
        .skip_while(|w| matches!(w.known().as_deref(), Some("-H" | "-L" | "-P")))
        .take_while(|w| !w.prefix().starts_with(['-', '(', '!']))
        .cloned()
        .collect();
    if roots.is_empty() {
        roots.push(Field::text(".", call.span()));
    }
    let mut patterns = Vec::new();
    for root in roots {
        patterns.push(beneath(&root));
        if !(inner && root.known().as_deref() == Some(".")) {
            patterns.push(root);
        }
    }
    Some(Names { patterns, apart: zeros })
}

/// The names of files that were searched.
fn searched(call: &Call, zeros: &[&str]) -> Names {
    let mut patterns = Vec::new();
    for (role, field) in &call.found.roles {
        let here = field.known().as_deref() == Some(".");
        match role {
            Role::Read | Role::ReadTree | Role::List => {
                if *role != Role::Read || call.found.recursive {
                    patterns.push(beneath(field));
                }
                if !here {
                    patterns.push(field.clone());
                }
            }
            _ => {}
        }
    }
    // Without a root the working directory is searched, and names are printed without `./`.
    if call.found.operands.len() < 2 {
        patterns.push(anything(call));
    }
    Names { patterns, apart: call.has(zeros) }
}

/// Names that git prints: beneath the working directory, or what a pathspec names.
fn listed(call: &Call, zeros: &[&str]) -> Names {
    let mut patterns = vec![anything(call)];
    for (role, field) in &call.found.roles {
        if matches!(role, Role::Read | Role::ReadTree | Role::List) {
            patterns.push(field.clone());
            patterns.push(beneath(field));
        }
    }
    Names { patterns, apart: call.has(zeros) }
}
