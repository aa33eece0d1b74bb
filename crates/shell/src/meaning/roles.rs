//! What the words of each role mean.

use super::call::Call;
use super::net::{Traffic, host_path};
use super::paths::Touch;
use crate::context::Context;
use crate::readers::{Doing, awk_program, sed_script};
use model::{FetchMethod, Host, Origin, PathTarget, Span};
use programs::{Field, Role};

/// Adds the effects of every word that has a role.
pub(crate) fn all(cx: &mut Context<'_>, call: &mut Call) {
    let roles = call.found.roles.clone();
    // What is read first, so that it is known whether what is sent may be a secret.
    for (role, field) in &roles {
        match role {
            Role::Read => read(cx, call, field, call.found.recursive),
            Role::ReadTree => read(cx, call, field, true),
            Role::List => {
                let target = cx.path(field);
                cx.touch(Touch::List, target, call.found.recursive, field.span);
            }
            Role::Move => {
                let target = cx.path(field);
                call.sensitive |= cx.touch(Touch::Read, target.clone(), true, field.span);
                cx.touch(Touch::Delete, target, true, field.span);
            }
            Role::Body => body(cx, call, field),
            Role::RemotePath if local(field) => read(cx, call, field, true),
            _ => {}
        }
    }
    for (role, field) in &roles {
        one(cx, call, role, field);
    }
    if let Some(argv) = call.found.argv.clone()
        && !argv.is_empty()
        && !super::takes_argv(call)
    {
        let (stdin, span) = (call.inv.stdin.clone(), call.inv.span);
        // `git submodule foreach 'a b'`: one word with spaces is a command line.
        let line = match argv.as_slice() {
            [one] if call.found.program == "git" => one.known().filter(|t| t.contains(' ')),
            _ => None,
        };
        let output = cx.apart(|cx| match &line {
            Some(text) => cx.run_text(text, span),
            None => cx.run_words(&argv, stdin, span),
        });
        call.prints(output);
    }
}

fn one(cx: &mut Context<'_>, call: &mut Call, role: &Role, field: &Field) {
    let span = field.span;
    match role {
        Role::Write if standard(field) => {}
        Role::Write => write(cx, field, call.found.recursive),
        Role::WriteTree => write(cx, field, true),
        Role::Create => {
            let target = cx.path(field);
            cx.touch(Touch::Create, target, false, span);
        }
        Role::CreateTree => {
            let target = cx.path(field);
            cx.touch(Touch::Create, target, true, span);
        }
        Role::Delete | Role::DeleteTree => {
            let target = cx.path(field);
            cx.touch(Touch::Delete, target, *role == Role::DeleteTree, span);
        }
        Role::Into => into(cx, call, field),
        Role::RemoteInto if local(field) => into(cx, call, field),
        Role::RemoteInto | Role::RemotePath if !local(field) => {
            let send = *role == Role::RemoteInto;
            let host = field.known().and_then(|t| host_path(&t)).and_then(|(h, _)| Host::parse(&h));
            let url = field.prefix().contains("://");
            let traffic = Traffic {
                method: FetchMethod::Connect,
                send,
                data: send || field.has_unknown(),
                sensitive: send && call.sensitive,
            };
            if url { cx.traffic_url(field, traffic) } else { cx.traffic(host, None, traffic, span) }
        }
        Role::Command if !super::takes_script(call) => match field.known() {
            Some(text) => {
                let output = cx.apart(|cx| cx.run_text(&text, span));
                call.prints(output);
            }
            None => opaque(
                cx,
                call,
                format!("the command line `{}` is not known", field.shown()),
                Origin::Unknown,
                span,
            ),
        },
        Role::Program => program(cx, call, field),
        Role::Script if !super::takes_script(call) => super::script::interpreted(cx, call, field),
        Role::Code(language) => code(cx, call, language, field),
        Role::Url if !super::takes_urls(call) => {
            cx.traffic_url(field, Traffic::get());
            call.origin = Origin::Downloaded;
        }
        Role::UrlSend if !super::takes_urls(call) => {
            let sensitive = call.sensitive || super::stdin_sensitive(&call.inv.stdin);
            cx.traffic_url(field, Traffic::change(true, sensitive));
            call.origin = Origin::Downloaded;
        }
        Role::Host if !super::takes_host(call) => {
            let sensitive = call.sensitive || super::stdin_sensitive(&call.inv.stdin);
            cx.traffic_host(field, Traffic::connect(sensitive));
        }
        Role::HostProbe => {
            let sensitive = call.sensitive || unknown_may_be_data(field);
            let traffic = Traffic {
                method: FetchMethod::Probe,
                send: unknown_may_be_data(field),
                data: unknown_may_be_data(field),
                sensitive,
            };
            cx.traffic_host(field, traffic);
        }
        Role::Config if call.found.program != "git" && call.found.reader.as_deref() != Some("ssh") => {
            opaque(
                cx,
                call,
                format!("the setting `{}` may name a program", field.shown()),
                Origin::Unknown,
                span,
            );
        }
        Role::Unknown => {
            let why = format!("`{}` of `{}` is not understood", field.shown(), call.command());
            opaque(cx, call, why, Origin::Unknown, span);
        }
        _ => {}
    }
}

/// Adds that a part of the command is not understood.
pub(crate) fn opaque(cx: &mut Context<'_>, call: &mut Call, why: String, origin: Origin, span: Span) {
    call.opaque = true;
    cx.not_understood(&call.name(), why, origin, span);
}

fn unknown_may_be_data(field: &Field) -> bool {
    field.has_unknown()
}

/// Whether a word stands for standard input or output.
fn standard(field: &Field) -> bool {
    field.known().as_deref() == Some("-")
}

/// Whether a word of scp, rsync and their like names a path of this machine.
pub(crate) fn local(field: &Field) -> bool {
    let prefix = field.prefix();
    if prefix.contains("://") {
        return false;
    }
    match (prefix.find(':'), prefix.find('/')) {
        (Some(colon), slash) => slash.is_some_and(|slash| slash < colon),
        (None, Some(_)) => true,
        // The unknown part may hold a host.
        (None, None) => !field.has_unknown(),
    }
}

/// A path that is read.
pub(crate) fn read(cx: &mut Context<'_>, call: &mut Call, field: &Field, recursive: bool) {
    if standard(field) {
        call.sensitive |= super::stdin_sensitive(&call.inv.stdin);
        return;
    }
    let target = cx.path(field);
    if let PathTarget::Known(path) = &target
        && let Some(made) = cx.made(path)
        && made.origin == Origin::Downloaded
    {
        call.origin = Origin::Downloaded;
    }
    call.sensitive |= cx.touch(Touch::Read, target, recursive, field.span);
}

fn write(cx: &mut Context<'_>, field: &Field, recursive: bool) {
    let target = cx.path(field);
    cx.touch(Touch::Write, target, recursive, field.span);
}

/// `@file`, `@-`, `name=@file`, `name@file`, `name=<file` and `key=value;…`, as curl and its like take bodies.
fn body(cx: &mut Context<'_>, call: &mut Call, field: &Field) {
    let prefix = field.prefix();
    let at = match prefix.find(['@', '<']) {
        Some(0) => 0,
        Some(at) if prefix.get(..at).is_some_and(|p| !p.contains([' ', '{', '"', '&', '.', '/', ':'])) => at,
        _ => {
            // An unknown part is data that leaves; it may begin with `@`.
            call.sensitive |= field.has_unknown();
            return;
        }
    };
    let Some(rest) = field.strip(at + 1) else { return };
    let rest = match rest.known() {
        Some(text) => Field::text(text.split([';', ',']).next().unwrap_or_default(), rest.span),
        None => rest,
    };
    read(cx, call, &rest, false);
}

/// A destination: a file that is overwritten, or a directory into which the sources go.
fn into(cx: &mut Context<'_>, call: &mut Call, field: &Field) {
    let tree = call.found.recursive
        || call.found.roles.iter().any(|(r, _)| matches!(r, Role::ReadTree | Role::RemotePath));
    let sources: Vec<PathTarget> = call
        .found
        .roles
        .iter()
        .filter(|(r, _)| {
            matches!(r, Role::Read | Role::ReadTree | Role::Move | Role::List | Role::RemotePath)
        })
        .filter(|(_, f)| call.found.operands.contains(f))
        .map(|(r, f)| match (r, f.known()) {
            // `host:dir/name` lands as `name`.
            (Role::RemotePath, Some(text)) => {
                cx.path_of(text.rsplit(['/', ':']).next().filter(|n| !n.is_empty()).unwrap_or("*"))
            }
            _ => cx.path(f),
        })
        .collect();
    let target = cx.path(field);
    let origin = super::script::origin_of_copy(cx, &sources);
    for destination in cx.destinations(&target, &field.shown(), &sources) {
        let text = match sources.as_slice() {
            [PathTarget::Known(source)] => cx.made(source).and_then(|m| m.text),
            _ => None,
        };
        cx.wrote(destination.clone(), crate::state::Made { text, origin });
        cx.touch(Touch::Write, destination, tree, field.span);
    }
}

/// A program that is run with arguments not seen here.
fn program(cx: &mut Context<'_>, call: &mut Call, field: &Field) {
    let understood = field.known().is_some_and(|text| cx.is_filter(&text));
    if !understood {
        let why = format!("runs `{}` with arguments that are not seen", field.shown());
        opaque(cx, call, why, Origin::Unknown, field.span);
    }
}

/// A program text given on the command line.
fn code(cx: &mut Context<'_>, call: &mut Call, language: &str, field: &Field) {
    let span = field.span;
    let text = field.known();
    let doings = match (language, &text) {
        ("sh", Some(text)) => {
            if super::takes_script(call) {
                return;
            }
            let output = cx.apart(|cx| cx.run_text(text, span));
            call.prints(output);
            return;
        }
        ("sed", Some(text)) => sed_script(text),
        ("awk", Some(text)) => awk_program(text),
        ("jq", Some(text)) => jq(text),
        ("sql", Some(_)) => {
            super::database::query(cx, call, text.as_deref(), span);
            return;
        }
        ("find", _) => return,
        ("sh" | "sed" | "awk" | "jq" | "sql", None) => {
            Err(format!("a part of the program `{}` is not known", field.shown()))
        }
        (language, _) => {
            let start: String = field.shown().chars().take(80).collect();
            Err(format!("programs in {language} given on the command line are not read: `{start}`"))
        }
    };
    match doings {
        Ok(doings) => follow(cx, call, &doings, span),
        Err(why) => opaque(cx, call, why, Origin::Inline, span),
    }
}

/// Adds what a program in a small language does.
pub(crate) fn follow(cx: &mut Context<'_>, call: &mut Call, doings: &[Doing], span: Span) {
    for doing in doings {
        match doing {
            Doing::Read(path) => {
                let target = path.as_ref().map_or_else(
                    || PathTarget::Unknown("named by the program".to_owned()),
                    |p| cx.path_of(p),
                );
                call.sensitive |= cx.touch(Touch::Read, target, false, span);
            }
            Doing::Write(path) => {
                let target = path.as_ref().map_or_else(
                    || PathTarget::Unknown("named by the program".to_owned()),
                    |p| cx.path_of(p),
                );
                cx.touch(Touch::Write, target, false, span);
            }
            Doing::Run(Some(text)) => {
                cx.apart(|cx| cx.run_text(text, span));
            }
            Doing::Run(None) => {
                opaque(cx, call, "runs a command that is computed".to_owned(), Origin::Inline, span);
            }
            Doing::Environment(name) => {
                call.sensitive = true;
                let facts = model::RevealFacts {
                    what: "environment".to_owned(),
                    name: name.clone().unwrap_or_default(),
                };
                cx.emit(model::Action::Reveal(facts), span);
            }
        }
    }
}

/// jq and its kin compute; only the environment and other files are outside of what they are given.
fn jq(text: &str) -> Result<Vec<Doing>, String> {
    // `.env` is a field of the data.
    let text = text.replace(".env", ".field");
    let words: Vec<&str> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '$')))
        .filter(|w| !w.is_empty())
        .collect();
    let mut doings = Vec::new();
    for word in words {
        match word {
            "env" | "$ENV" | "strenv" | "envsubst" => doings.push(Doing::Environment(None)),
            "import" | "include" | "load" | "load_str" | "system" | "exec" => {
                return Err(format!("`{word}` in the program is not understood"));
            }
            _ => {}
        }
    }
    Ok(doings)
}
