//! What find does, as effects.

use super::find::{Find, Kind, filled, pattern, read};
use crate::context::{Context, Input};
use crate::meaning::{Call, Touch, opaque};
use model::{Origin, PathTarget};
use programs::Field;

/// Adds what a find command does.
pub(super) fn find(cx: &mut Context<'_>, call: &mut Call) {
    let span = call.span();
    let words = call.inv.words.get(1..).unwrap_or_default().to_vec();
    let mut found: Find = match read(&words) {
        Ok(found) => found,
        Err(why) => return opaque(cx, call, why, Origin::Unknown, span),
    };
    if found.roots.is_empty() {
        found.roots.push(Field::text(".", span));
    }
    for root in &found.roots {
        let target = cx.path(root);
        cx.touch(Touch::List, target, true, root.span);
    }
    for act in &found.acts {
        match &act.kind {
            Kind::Write(file) => {
                let target = cx.path(file);
                cx.touch(Touch::Write, target, false, file.span);
            }
            Kind::Look(file) => {
                let target = cx.path(file);
                cx.touch(Touch::List, target, false, file.span);
            }
            Kind::Delete | Kind::Exec { .. } => {
                for root in &found.roots {
                    let patterns: Vec<Option<&str>> = match &act.only {
                        Some(only) => only.iter().map(|p| Some(p.as_str())).collect(),
                        None => vec![None],
                    };
                    for only in patterns {
                        on(cx, call, &act.kind, root, only);
                    }
                }
            }
        }
    }
}

fn on(cx: &mut Context<'_>, call: &mut Call, kind: &Kind, root: &Field, only: Option<&str>) {
    let span = call.span();
    let beneath = root.known().map(|r| (pattern(&r, only), r));
    match kind {
        Kind::Delete => {
            let target = match (&beneath, only) {
                (Some((pattern, _)), Some(_)) => cx.path(pattern),
                _ => cx.path(root),
            };
            cx.touch(Touch::Delete, target, true, root.span);
        }
        Kind::Exec { words, in_dir } => {
            let words = match &beneath {
                Some((_, root)) => filled(words, root, only),
                None => filled(words, &root.shown(), only)
                    .into_iter()
                    .map(|w| if w.has_glob() { Field::unknown(w.shown(), w.span, true) } else { w })
                    .collect(),
            };
            let dir = match (in_dir, cx.path(root)) {
                (false, _) => cx.cwd().cloned(),
                (true, PathTarget::Known(path)) => Some(path),
                (true, _) => None,
            };
            let output = cx.apart(|cx| {
                if *in_dir {
                    // `{}` is `./NAME` in the directory where NAME was found, which lies beneath the root.
                    let words: Vec<Field> = words
                        .iter()
                        .map(|w| if w.has_glob() { pattern(".", only) } else { w.clone() })
                        .collect();
                    cx.within(dir, |cx| cx.run_words(&words, Input::Inherit, span))
                } else {
                    cx.run_words(&words, Input::Inherit, span)
                }
            });
            call.sensitive |= output.sensitive;
        }
        Kind::Write(_) | Kind::Look(_) => {}
    }
}
