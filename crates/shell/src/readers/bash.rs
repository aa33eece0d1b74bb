//! Shells run as programs: `-c TEXT`, a script, or code from standard input.

use crate::context::{Context, Input};
use crate::meaning::{Call, opaque, run_shell_script};
use model::Origin;
use programs::{Field, Role};

/// Adds what a shell does that is given a text, a script or code on its standard input.
pub(super) fn bash(cx: &mut Context<'_>, call: &mut Call) {
    if call.opaque {
        return;
    }
    let span = call.span();
    let text = call
        .found
        .roles
        .iter()
        .find(|(role, _)| matches!(role, Role::Command) || *role == Role::Code("sh".to_owned()))
        .map(|(_, f)| f.clone());
    let rest: Vec<Field> = call.found.argv.clone().unwrap_or_default();
    let operands = call.found.operands.clone();
    if let Some(text) = text {
        let Some(known) = text.known() else {
            let why = format!("the command line `{}` is not known", text.shown());
            return opaque(cx, call, why, Origin::Unknown, text.span);
        };
        // `bash -c TEXT NAME ARGS…`: what follows the text is `$0 $1 …`.
        let words: Vec<Field> = operands.into_iter().filter(|o| *o != text).chain(rest).collect();
        let stdin = call.inv.stdin.clone();
        let output = cx.apart(|cx| cx.run_script(&known, &words, stdin, text.span));
        return call.prints(output);
    }
    let script = call.words(&Role::Script).into_iter().next();
    if let Some(script) = script
        && !matches!(script.known().as_deref(), Some("-" | "/dev/stdin"))
    {
        let mut words = vec![script.clone()];
        words.extend(operands.into_iter().filter(|o| *o != script));
        words.extend(rest);
        return run_shell_script(cx, call, &script, &words);
    }
    let origin = match call.inv.stdin.clone() {
        Input::Text(text) => {
            let output = cx.apart(|cx| cx.run_script(&text, &[], Input::Null, span));
            return call.prints(output);
        }
        Input::Null | Input::Inherit => return,
        Input::File(target) => {
            if let model::PathTarget::Known(path) = &target {
                let script = Field::text(path.as_str(), span);
                let words = vec![script.clone()];
                return run_shell_script(cx, call, &script, &words);
            }
            Origin::Unknown
        }
        Input::Pipe { origin, .. } => origin,
        Input::Unknown => Origin::Unknown,
    };
    opaque(cx, call, "the code it reads from its standard input is not known".to_owned(), origin, span);
}
