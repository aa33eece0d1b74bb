//! What must hold between the parts of an entry.

use crate::load::Loader;
use crate::spec::{Program, Spec, Syntax};
use crate::template::Var;
use std::collections::BTreeSet;

/// Checks an entry or sub-command; `bound` are the names that its options and those above it bind.
pub(crate) fn spec(loader: &mut Loader<'_>, at: usize, spec: &Spec, bound: &[String]) {
    let mut seen = BTreeSet::new();
    for name in spec.flags.iter().chain(spec.options.iter().flat_map(|o| &o.names)) {
        if !seen.insert(name.as_str()) {
            loader.fault(at, "options", format!("`{name}` is written twice; keep it in one place"));
        }
    }
    if spec.syntax == Syntax::None && !(spec.flags.is_empty() && spec.options.is_empty()) {
        let say = "is `none`, so that no word is an option; take the options away or name another syntax";
        loader.fault(at, "syntax", say.to_owned());
    }
    if !spec.default.is_empty() && spec.operands.is_none() {
        loader.fault(at, "default", "stands without `operands` that would say what it is".to_owned());
    }
    let own = spec.effects.iter().flat_map(|t| t.vars());
    let options = spec.options.iter().flat_map(|o| {
        o.effects.iter().flat_map(|t| t.vars()).chain(o.facts.iter().flat_map(|(_, f)| f.vars()))
    });
    let missing: BTreeSet<&str> = own
        .chain(options)
        .filter_map(|var| match var {
            Var::Named(name) if !bound.contains(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    for name in missing {
        let say = format!("`${name}` is bound by no option; give an option `name = \"{name}\"`");
        loader.fault(at, "effects", say);
    }
    for name in &spec.aliases {
        // A launcher's words may stand in a name: `python -m pytest`.
        if name.trim() != name || name.is_empty() || name.contains('/') {
            loader.fault(at, "aliases", format!("`{name}` is no name of a program"));
        }
    }
}

/// Checks that no two programs of a file answer to the same name.
pub(crate) fn names(loader: &mut Loader<'_>, programs: &[Program]) {
    let mut seen = BTreeSet::new();
    for program in programs {
        for name in std::iter::once(&program.name).chain(&program.spec.aliases) {
            if !seen.insert(name.as_str()) {
                loader.program = program.name.clone();
                loader.fault(0, "aliases", format!("`{name}` is the name of two programs"));
            }
        }
    }
}
