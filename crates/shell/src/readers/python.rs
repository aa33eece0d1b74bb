//! `python -m MODULE`: the table has modules under the name `python -m MODULE`.

use crate::context::Context;
use crate::meaning::{Call, opaque};
use model::{FileKind, Origin, PathTarget};
use programs::Field;

/// Runs the entry of a module that is known, unless a file of the working directory takes its place.
pub(super) fn python(cx: &mut Context<'_>, call: &mut Call) {
    let Some(argv) = call.found.argv.clone() else { return };
    let Some((module, rest)) = argv.split_first() else { return };
    let name = module.known().unwrap_or_default();
    let entry = format!("python -m {name}");
    if cx.table.get(&entry).is_none() {
        let why = format!("the module `{}` of Python is not in the table of programs", module.shown());
        return opaque(cx, call, why, Origin::Unknown, module.span);
    }
    // Python looks for modules in the working directory first.
    let first = name.split('.').next().unwrap_or_default();
    for file in [format!("{first}.py"), format!("{first}/__init__.py")] {
        if let PathTarget::Known(path) = cx.path(&Field::text(file.clone(), module.span)) {
            let there = matches!(cx.facts.resolve(&path).kind, FileKind::File | FileKind::Special);
            if there || cx.made(&path).is_some() || cx.facts.made_by_session(&path) {
                let why = format!("the file `{file}` takes the place of the module `{name}`");
                return opaque(cx, call, why, Origin::Session, module.span);
            }
        }
    }
    let mut words = vec![Field::text(entry, module.span)];
    words.extend(rest.iter().cloned());
    let (stdin, span) = (call.inv.stdin.clone(), call.inv.span);
    let assignments = call.inv.assignments.clone();
    let output = cx.apart(|cx| cx.run_words_with(assignments, &words, stdin, span));
    call.prints(output);
}
