//! Commands in containers and pods.

use crate::context::Context;
use crate::meaning::{Call, Touch, opaque};
use model::{Environment, Named, Origin, RemotePlace};
use programs::Field;

/// `docker exec`, `docker run`, `docker compose exec|run`: the command in the container, and what of this machine the
/// container is given.
pub(super) fn docker(cx: &mut Context<'_>, call: &mut Call) {
    mounts(cx, call);
    if call.opaque {
        return;
    }
    let name = call.found.operands.first().map(Field::shown).unwrap_or_default();
    let environment = cx.facts.environment(&Named::Other(&name));
    let environment = if environment == Environment::Unknown { Environment::Local } else { environment };
    inside(cx, call, RemotePlace { name, environment });
}

/// `kubectl exec`, `kubectl debug`: the command in the pod.
pub(super) fn kubectl(cx: &mut Context<'_>, call: &mut Call) {
    if call.found.argv.is_none() {
        return;
    }
    let name = call.found.operands.first().map(Field::shown).unwrap_or_default();
    let bound = |n: &str| call.found.bound.get(n).map(Field::shown);
    let context = bound("context");
    let mut environment = cx.facts.environment(&Named::KubeContext(context.as_deref()));
    if let Some(namespace) = bound("namespace") {
        let by_name = cx.facts.environment(&Named::Other(&namespace));
        if matches!(by_name, Environment::Production | Environment::LikelyProduction)
            || environment == Environment::Unknown
        {
            environment = by_name;
        }
    }
    inside(cx, call, RemotePlace { name, environment });
}

fn inside(cx: &mut Context<'_>, call: &mut Call, place: RemotePlace) {
    let Some(argv) = call.found.argv.clone().filter(|a| !a.is_empty()) else { return };
    let span = call.span();
    let stdin = call.inv.stdin.clone();
    if let Some(entry) = call.found.bound.get("entrypoint").cloned() {
        let mut words = vec![entry];
        words.extend(argv);
        let output = cx.on(place, |cx| cx.run_words(&words, stdin, span));
        return call.prints(output);
    }
    let output = cx.on(place, |cx| cx.run_words(&argv, stdin, span));
    call.prints(output);
}

/// Directories of this machine that a container may write.
fn mounts(cx: &mut Context<'_>, call: &mut Call) {
    let given: Vec<(String, Field)> = call
        .found
        .options
        .iter()
        .filter(|o| matches!(o.name.as_str(), "-v" | "--volume" | "--mount"))
        .filter_map(|o| o.value.clone().map(|v| (o.name.clone(), v)))
        .collect();
    for (option, value) in given {
        let Some(text) = value.known() else {
            let shown = value.shown();
            if shown.starts_with('$') || option == "--mount" {
                opaque(
                    cx,
                    call,
                    format!("which directory `{shown}` gives is not known"),
                    Origin::Unknown,
                    value.span,
                );
            }
            continue;
        };
        let (source, read_only) = if option == "--mount" {
            let part = |name: &str| {
                text.split(',')
                    .find_map(|p| p.split_once('=').filter(|(k, _)| *k == name).map(|(_, v)| v.to_owned()))
            };
            if part("type").is_some_and(|t| t != "bind") {
                continue;
            }
            (part("source").or_else(|| part("src")), text.split(',').any(|p| matches!(p, "readonly" | "ro")))
        } else {
            let mut parts = text.split(':');
            let first = parts.next().map(str::to_owned);
            (first, text.ends_with(":ro") || text.contains(":ro,"))
        };
        // A name without a slash is a volume of docker's own.
        let Some(source) = source.filter(|s| s.starts_with(['/', '.', '~'])) else { continue };
        let target = cx.path_of(&source);
        if source.ends_with("docker.sock") {
            cx.escalate("capability", "docker daemon", value.span);
        }
        call.sensitive |= cx.touch(Touch::Read, target.clone(), true, value.span);
        if !read_only {
            cx.touch(Touch::Write, target, true, value.span);
        }
    }
}
