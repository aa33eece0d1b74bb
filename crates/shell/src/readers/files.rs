//! Programs that work on files in ways the table cannot say.

use super::Doing;
use crate::context::Context;
use crate::meaning::{Call, Touch, Traffic, follow, opaque, origin_of};
use model::{AbsPath, FileKind, Origin, PathTarget};
use programs::{Field, Role};

/// `sed -i`: the files it reads are written; `sed -f`: the script file is read.
pub(super) fn sed(cx: &mut Context<'_>, call: &mut Call) {
    script_file(cx, call, "-f", super::sed_script);
    let in_place =
        call.found.options.iter().any(|o| o.name == "-i" || o.name == "--in-place" || o.name == "-I");
    if !in_place {
        return;
    }
    for (role, file) in call.found.roles.clone() {
        if role == Role::Read && call.found.operands.contains(&file) {
            let target = cx.path(&file);
            cx.touch(Touch::Write, target, false, file.span);
        }
    }
}

/// `awk -f`: the program file is read.
pub(super) fn awk(cx: &mut Context<'_>, call: &mut Call) {
    script_file(cx, call, "-f", super::awk_program);
}

/// Reads the scripts that an option names, and adds what they do.
fn script_file(
    cx: &mut Context<'_>,
    call: &mut Call,
    option: &str,
    read: fn(&str) -> Result<Vec<Doing>, String>,
) {
    let files: Vec<Field> =
        call.found.options.iter().filter(|o| o.name == option).filter_map(|o| o.value.clone()).collect();
    for file in files {
        let target = cx.path(&file);
        let doings = match crate::meaning::text_of(cx, &target) {
            Some(text) => read(&text),
            None => Err(format!("the script `{}` cannot be read", file.shown())),
        };
        match doings {
            Ok(doings) => follow(cx, call, &doings, file.span),
            Err(why) => {
                let origin = origin_of(cx, &target);
                opaque(cx, call, why, origin, file.span);
            }
        }
    }
}

/// The words of tar with the letters of its old style (`tar xzf FILE`) as options with a dash.
pub(crate) fn tar_words(words: &[Field]) -> Vec<Field> {
    let Some(first) = words.get(1) else { return words.to_vec() };
    let Some(letters) =
        first.known().filter(|t| !t.is_empty() && t.chars().all(|c| c.is_ascii_alphanumeric()))
    else {
        return words.to_vec();
    };
    let mut all: Vec<Field> = words.first().cloned().into_iter().collect();
    let mut rest = words.iter().skip(2);
    for letter in letters.chars() {
        all.push(Field::text(format!("-{letter}"), first.span));
        // Options that take a value, in GNU's and BSD's tar.
        if matches!(letter, 'b' | 'C' | 'f' | 'F' | 'g' | 'H' | 'I' | 'K' | 'L' | 'N' | 'T' | 'V' | 'X') {
            all.extend(rest.next().cloned());
        }
    }
    all.extend(rest.cloned());
    all
}

/// `dd if=… of=…`.
pub(super) fn dd(cx: &mut Context<'_>, call: &mut Call) {
    for word in call.found.operands.clone() {
        let prefix = word.prefix();
        let (key, touch) = match prefix.split_once('=') {
            Some(("if", _)) => ("if=", Touch::Read),
            Some(("of", _)) => ("of=", Touch::Write),
            Some((
                "bs" | "cbs" | "conv" | "count" | "ibs" | "iflag" | "obs" | "oflag" | "seek" | "skip"
                | "status" | "iseek" | "oseek",
                _,
            )) => continue,
            _ => {
                let why = format!("the operand `{}` of `dd` is not understood", word.shown());
                opaque(cx, call, why, Origin::Unknown, word.span);
                continue;
            }
        };
        if let Some(path) = word.strip(key.len()) {
            let target = cx.path(&path);
            call.sensitive |= cx.touch(touch, target, false, word.span);
        }
    }
}

/// `tar`: the archive is read or written by the letter that says what to do; `-C` holds for members only.
pub(super) fn tar(cx: &mut Context<'_>, call: &mut Call) {
    let span = call.span();
    let words = tar_words(&call.inv.words);
    let has = |letter: char, long: &[&str]| {
        words.iter().skip(1).filter_map(Field::known).any(|w| match w.strip_prefix("--") {
            Some(name) => name.len() > 2 && long.iter().any(|l| l.starts_with(name)),
            None => w
                .strip_prefix('-')
                .is_some_and(|c| c.chars().take_while(char::is_ascii_alphanumeric).any(|x| x == letter)),
        })
    };
    let extracts = has('x', &["extract", "get"]);
    let creates =
        has('c', &["create"]) || has('r', &["append"]) || has('u', &["update"]) || has('A', &["catenate"]);
    let lists = has('t', &["list"]) || has('d', &["diff", "compare"]);
    if !extracts && !creates && !lists {
        return opaque(cx, call, "what `tar` is asked to do is not known".to_owned(), Origin::Unknown, span);
    }
    let dir = call.words(&Role::Chdir).into_iter().next_back();
    if let Some(archive) = call.found.bound.get("archive").cloned()
        && archive.known().as_deref() != Some("-")
    {
        if archive.prefix().contains(':') {
            let host = archive.prefix().split(':').next().unwrap_or_default().to_owned();
            let host = host.rsplit('@').next().unwrap_or_default().to_owned();
            cx.traffic_host(&Field::text(host, archive.span), Traffic::connect(creates));
            let why = format!("the archive `{}` is on another host", archive.shown());
            opaque(cx, call, why, Origin::Unknown, archive.span);
        }
        let target = cx.path(&archive);
        let touch = if creates { Touch::Write } else { Touch::Read };
        call.sensitive |= cx.touch(touch, target, false, archive.span);
    }
    let there = match dir.map(|d| cx.path(&d)) {
        Some(PathTarget::Known(path)) => Some(path),
        Some(_) => None,
        None => cx.cwd().cloned(),
    };
    let anywhere = has('P', &["absolute-names"]);
    let operands = call.found.operands.clone();
    let sensitive = cx.within(there, |cx| {
        let mut sensitive = false;
        if creates {
            for operand in &operands {
                let target = cx.path(operand);
                sensitive |= cx.touch(Touch::Read, target, true, operand.span);
            }
        }
        if extracts && !has('O', &["to-stdout"]) {
            // Members with absolute names go anywhere.
            let target = if anywhere {
                PathTarget::Unknown("members with absolute names".to_owned())
            } else {
                cx.path_of(".")
            };
            cx.touch(Touch::Write, target, true, span);
        }
        sensitive
    });
    call.sensitive |= sensitive;
}

/// `chmod`: modes that let others write or run with the owner's rights.
pub(super) fn chmod(cx: &mut Context<'_>, call: &mut Call) {
    let Some(mode) = call.words(&Role::Mode).into_iter().next() else { return };
    let widens = match mode.known() {
        Some(text) => widens(&text),
        None => true,
    };
    if !widens {
        return;
    }
    for (role, file) in call.found.roles.clone() {
        if matches!(role, Role::Write | Role::WriteTree) {
            let shown = match cx.path(&file) {
                PathTarget::Known(path) => path.to_string(),
                other => other.to_string(),
            };
            cx.escalate("mode", shown, file.span);
        }
    }
}

/// Whether a mode makes anything writable for everybody, or sets the bits that lend the owner's rights.
fn widens(mode: &str) -> bool {
    if mode.chars().all(|c| c.is_digit(8)) && !mode.is_empty() {
        let bits = u32::from_str_radix(mode, 8).unwrap_or(u32::MAX);
        return bits & 0o6002 != 0;
    }
    mode.split(',').any(|clause| {
        let who: String = clause.chars().take_while(|c| matches!(c, 'u' | 'g' | 'o' | 'a')).collect();
        let rest: String = clause.chars().skip(who.chars().count()).collect();
        let gives = rest.contains(['+', '=']);
        let all = who.contains(['o', 'a']) || rest.contains('=') && who.is_empty();
        gives
            && (rest.contains('s') || (all && rest.contains('w')) || rest.chars().any(|c| c.is_ascii_digit()))
    })
}

/// `ln`: what is linked can be reached under a new name.
pub(super) fn ln(cx: &mut Context<'_>, call: &mut Call) {
    let symbolic = call.has(&["-s"]);
    let sources: Vec<Field> = call
        .found
        .roles
        .iter()
        .filter(|(r, f)| {
            (*r == Role::Read || (symbolic && *r == Role::Text)) && call.found.operands.contains(f)
        })
        .map(|(_, f)| f.clone())
        .collect();
    let bases =
        if symbolic && !call.has(&["-r", "--relative"]) { link_directories(cx, call) } else { Vec::new() };
    for source in sources {
        let relative = !source.prefix().starts_with(['/', '~']);
        let targets: Vec<PathTarget> = match source.known() {
            Some(text) if relative && !bases.is_empty() => {
                bases.iter().map(|base| PathTarget::Known(base.join(&text))).collect()
            }
            _ => vec![cx.path(&source)],
        };
        for target in targets {
            let PathTarget::Known(path) = target else { continue };
            let facts = cx.facts_of(PathTarget::Known(path.clone()), true);
            let guarded = !matches!(facts.class, model::PathClass::Source | model::PathClass::Lockfile);
            let outside = !matches!(facts.zone, model::Zone::Workspace | model::Zone::Temp);
            // A later write through the link would not be seen to go there.
            if guarded || (outside && facts.class != model::PathClass::System) {
                call.sensitive |= cx.touch(Touch::Write, PathTarget::Known(path), true, source.span);
            }
        }
    }
}

/// The directories from which a symbolic link's relative target is read: where the link lies, or may lie.
fn link_directories(cx: &Context<'_>, call: &Call) -> Vec<AbsPath> {
    let Some(PathTarget::Known(link)) = call.words(&Role::Into).first().map(|f| cx.path(f)) else {
        return Vec::new();
    };
    let parent = link.parent().unwrap_or_else(AbsPath::root);
    match cx.kind_at(&link) {
        FileKind::Directory => vec![link],
        FileKind::Unknown => vec![parent, link],
        _ => vec![parent],
    }
}

#[cfg(test)]
mod tests {
    use super::widens;

    #[test]
    fn modes_that_widen() {
        for mode in ["777", "0666", "4755", "2755", "o+w", "a+w", "u+s", "ugo=rwx", "+s", "u+x,o+w"] {
            assert!(widens(mode), "{mode}");
        }
        for mode in ["755", "644", "600", "+x", "u+w", "g-w", "o-w", "a+r", "u=rw,go=r", "go-rwx"] {
            assert!(!widens(mode), "{mode}");
        }
    }
}
