//! Programs that speak with other hosts.

use crate::context::{Context, Input};
use crate::meaning::{Call, Touch, Traffic, opaque, place};
use crate::state::Made;
use model::{FetchMethod, Host, Named, Origin, PathTarget, RemotePlace};
use programs::{Field, Role};

/// Options of ssh that name a program, a library or a file with such names, in lower case. From ssh_config(5).
const SSH_RUNS: &[&str] = &[
    "proxycommand",
    "localcommand",
    "permitlocalcommand",
    "knownhostscommand",
    "match",
    "include",
    "pkcs11provider",
    "securitykeyprovider",
    "xauthlocation",
    "proxyusefdpass",
    "userknownhostsfile",
    "identityagent",
    "controlpath",
    "remoteforward",
    "dynamicforward",
    "localforward",
    "tunnel",
    "controlmaster",
    "sendenv",
    "setenv",
    "proxyjump",
    "hostname",
    "host",
];

/// `ssh HOST COMMAND`: a connection, and the command on the other host.
pub(super) fn ssh(cx: &mut Context<'_>, call: &mut Call) {
    for option in call.words(&Role::Config) {
        let shown = option.shown();
        let key = shown.split(['=', ' ']).next().unwrap_or_default().trim().to_ascii_lowercase();
        // Users' files of known hosts are often switched off by `/dev/null`.
        let harmless = matches!(key.as_str(), "userknownhostsfile") && shown.ends_with("/dev/null");
        if option.known().is_none() || (SSH_RUNS.contains(&key.as_str()) && !harmless) {
            let why = format!("the option `{shown}` of `{}` may run a program", call.command());
            opaque(cx, call, why, Origin::Unknown, option.span);
        }
    }
    if call.found.stop {
        return;
    }
    let Some(host) = call.words(&Role::Host).into_iter().next_back() else { return };
    let text = host.known();
    let found = text.as_deref().map(|t| place(t.trim_start_matches("ssh://")));
    let name = found.as_ref().and_then(|p| p.host.clone());
    let sensitive = call.sensitive || matches!(call.inv.stdin, Input::Pipe { sensitive: true, .. });
    cx.traffic(name.clone(), found.and_then(|p| p.port), Traffic::connect(sensitive), host.span);
    let environment = match &name {
        Some(host) => cx.facts.environment(&Named::Host(host)),
        None => model::Environment::Unknown,
    };
    let remote =
        RemotePlace { name: name.map_or_else(|| host.shown(), |h: Host| h.to_string()), environment };
    let words = call.found.argv.clone().unwrap_or_default();
    remote_command(cx, call, remote, &words);
}

/// Runs words as ssh does: joined by spaces and given to the shell of the other host.
fn remote_command(cx: &mut Context<'_>, call: &mut Call, remote: RemotePlace, words: &[Field]) {
    let span = call.span();
    if words.is_empty() {
        match call.inv.stdin.clone() {
            Input::Text(text) => {
                let output = cx.on(remote, |cx| cx.run_script(&text, &[], Input::Null, span));
                call.prints(output);
            }
            Input::Inherit | Input::Null if call.has(&["-N"]) => {}
            _ => opaque(cx, call, "opens a shell on another host".to_owned(), Origin::Unknown, span),
        }
        return;
    }
    let known: Option<Vec<String>> = words.iter().map(Field::known).collect();
    match known {
        Some(parts) => {
            let text = parts.join(" ");
            let stdin = call.inv.stdin.clone();
            let output = cx.on(remote, |cx| cx.run_script(&text, &[], stdin, span));
            call.prints(output);
        }
        None => {
            let shown: Vec<String> = words.iter().map(Field::shown).collect();
            let why = format!("the command `{}` for the other host is not known", shown.join(" "));
            opaque(cx, call, why, Origin::Unknown, span);
        }
    }
}

/// `curl`: the method, what is sent, and where the answer is written.
pub(super) fn curl(cx: &mut Context<'_>, call: &mut Call) {
    if call.found.stop {
        return;
    }
    let given = call.found.bound.clone();
    let bound = |name: &str| given.get(name).cloned();
    let method = bound("method").map(|m| m.known().map(|m| m.to_ascii_uppercase()));
    let body = ["data", "form", "upload"].iter().any(|n| call.found.bound.contains_key(*n))
        || call.has(&["--data-raw", "--url-query"]);
    let get = call.found.bound.contains_key("get");
    let changes = match &method {
        Some(Some(m)) => !matches!(m.as_str(), "GET" | "HEAD" | "OPTIONS"),
        Some(None) => true,
        None => body && !get,
    };
    let header = bound("header").is_some_and(|h| h.has_unknown());
    let stdin_sent = body && matches!(call.inv.stdin, Input::Pipe { .. } | Input::File(_) | Input::Text(_));
    let sensitive =
        call.sensitive || (stdin_sent && matches!(call.inv.stdin, Input::Pipe { sensitive: true, .. }));
    traffic(cx, call, changes, body || header, sensitive);
    let output = bound("output");
    saved(cx, call, output, bound("remote_name").is_some() || call.has(&["-O", "-J"]), bound("output_dir"));
}

/// `wget`: the same, with the answer written to a file unless told otherwise.
pub(super) fn wget(cx: &mut Context<'_>, call: &mut Call) {
    if call.found.stop {
        return;
    }
    let given = call.found.bound.clone();
    let bound = |name: &str| given.get(name).cloned();
    let body = call.has(&["--post-data", "--post-file", "--body-data", "--body-file"]);
    let method = bound("method").map(|m| m.known().map(|m| m.to_ascii_uppercase()));
    let changes = match &method {
        Some(Some(m)) => !matches!(m.as_str(), "GET" | "HEAD" | "OPTIONS"),
        Some(None) => true,
        None => body,
    };
    let sensitive = call.sensitive;
    traffic(cx, call, changes, body, sensitive);
    let output = bound("output");
    let to_file = output.is_none() && !call.has(&["--spider"]);
    saved(cx, call, output, to_file, bound("output_dir"));
}

fn urls(call: &Call) -> Vec<Field> {
    call.found
        .roles
        .iter()
        .filter(|(r, _)| matches!(r, Role::Url | Role::UrlSend))
        .map(|(_, f)| f.clone())
        .collect()
}

fn traffic(cx: &mut Context<'_>, call: &mut Call, changes: bool, data: bool, sensitive: bool) {
    for url in urls(call) {
        let method = if changes { FetchMethod::Change } else { FetchMethod::Get };
        let unknown = url.has_unknown();
        let data = data || unknown;
        // What is not known may have been read from anywhere.
        let traffic = Traffic { method, send: changes || data, data, sensitive: sensitive && data };
        cx.traffic_url(&url, traffic);
    }
    call.origin = Origin::Downloaded;
}

/// Remembers where the answer is written; the name comes from the URL with `-O` and for wget.
fn saved(cx: &mut Context<'_>, call: &mut Call, output: Option<Field>, by_name: bool, dir: Option<Field>) {
    let downloaded = || Made { text: None, origin: Origin::Downloaded };
    if let Some(output) = output
        && output.known().as_deref() != Some("-")
    {
        // `write` has been added by its role.
        let target = cx.path(&output);
        cx.wrote(target, downloaded());
        call.origin = Origin::Unknown;
        return;
    }
    if !by_name {
        return;
    }
    call.origin = Origin::Unknown;
    for url in urls(call) {
        let name = url
            .known()
            .map(|u| {
                let path = place(&u).path;
                path.split(['?', '#'])
                    .next()
                    .unwrap_or_default()
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .map(|n| if n.is_empty() { "index.html".to_owned() } else { n });
        let name = match name {
            Some(name) => Field::text(name, url.span),
            None => Field::unknown("named by the URL", url.span, false),
        };
        let target = match &dir {
            Some(dir) => match (cx.path(dir), name.known()) {
                (PathTarget::Known(dir), Some(name)) => PathTarget::Known(dir.join(&name)),
                (dir, _) => dir,
            },
            None => cx.path(&name),
        };
        cx.wrote(target.clone(), downloaded());
        cx.touch(Touch::Write, target, false, url.span);
    }
}

/// `rsync`: what `--delete` takes away.
pub(super) fn rsync(cx: &mut Context<'_>, call: &mut Call) {
    if !call.found.bound.contains_key("deletes") || call.found.dry {
        return;
    }
    for into in call.words(&Role::RemoteInto) {
        if crate::meaning::local(&into) {
            let target = cx.path(&into);
            cx.touch(Touch::Delete, target, true, into.span);
        }
    }
}

/// `aws … --payload file://FILE`: the value of any parameter may be read from a file.
pub(super) fn aws(cx: &mut Context<'_>, call: &mut Call) {
    for word in call.inv.words.clone() {
        let prefix = word.prefix();
        let value =
            prefix.split_once('=').filter(|(name, _)| name.starts_with("--")).map_or(0, |(n, _)| n.len() + 1);
        let rest = prefix.get(value..).unwrap_or_default();
        let Some(scheme) = ["file://", "fileb://"].into_iter().find(|s| rest.starts_with(s)) else {
            continue;
        };
        if let Some(file) = word.strip(value + scheme.len()) {
            let target = cx.path(&file);
            call.sensitive |= cx.touch(Touch::Read, target, false, word.span);
        }
    }
}
