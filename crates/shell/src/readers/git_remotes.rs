//! The remotes that git speaks with: those that are named, those that it takes by itself, and what is pushed where.

use super::git::given_option;
use crate::context::Context;
use crate::meaning::{Call, Touch, Traffic, host_path, opaque, place, strictest, without_password};
use model::{
    Action, Environment, FetchMethod, GitConfig, Host, HostZone, Named, Origin, PathTarget, PushFacts, Span,
    Tri,
};
use programs::Role;

/// What lies at an address.
enum Lies {
    /// Another host, if it can be read.
    Host(Option<Host>, Option<u16>),
    /// A directory of this machine.
    Directory(String),
    /// A helper program decides (`ext::…`, `codecommit://…`; gitremote-helpers(7)).
    Helper,
}

/// A remote as far as it is known.
struct Remote {
    /// The name or address, as given or as git takes it by itself; empty when not known.
    name: String,
    /// Whether the repository's configuration names it.
    configured: bool,
    /// Where it lies; empty when that is not known.
    urls: Vec<String>,
    /// The part of the command that names it.
    span: Span,
}

fn lies(url: &str) -> Lies {
    let scheme = url.split("://").next().unwrap_or_default();
    if scheme.contains("::") {
        return Lies::Helper;
    }
    if url.contains("://") {
        let found = place(url);
        return match found.scheme.as_str() {
            "file" => Lies::Directory(found.path),
            "ssh" | "git+ssh" | "ssh+git" | "git" | "http" | "https" | "ftp" | "ftps" => {
                Lies::Host(found.host, found.port)
            }
            _ => Lies::Helper,
        };
    }
    match host_path(url) {
        Some((host, _)) => Lies::Host(Host::parse(&host), None),
        None => Lies::Directory(url.to_owned()),
    }
}

/// Adds the traffic with remotes and what is pushed.
pub(super) fn remotes(cx: &mut Context<'_>, call: &mut Call, repository: &GitConfig, sub: &str) {
    let second = call.found.path.get(1).map(String::as_str).unwrap_or_default();
    let pushes = matches!((sub, second), ("push" | "send-pack", _) | ("lfs", "push"));
    let by_itself = matches!(
        (sub, second),
        ("fetch" | "pull" | "ls-remote" | "push", _)
            | ("remote", "update")
            | ("lfs", "pull" | "fetch" | "checkout" | "push")
    );
    for remote in reached(cx, call, repository, pushes, by_itself) {
        if pushes {
            push(cx, call, &remote);
        } else {
            fetch(cx, call, &remote);
        }
    }
}

/// The remotes that a command speaks with.
fn reached(
    cx: &mut Context<'_>,
    call: &mut Call,
    repository: &GitConfig,
    pushes: bool,
    by_itself: bool,
) -> Vec<Remote> {
    let urls =
        |name: &str| if pushes { repository.push_urls(name) } else { vec![repository.fetch_url(name)] };
    let mut found = Vec::new();
    let words = call.words(&Role::GitRemote);
    for word in &words {
        let Some(text) = word.known() else {
            let why = format!("the remote `{}` is not known", word.shown());
            opaque(cx, call, why, Origin::Unknown, word.span);
            let prefix = place(&word.prefix());
            if !pushes {
                // What is not known may be anything, and goes to the host.
                let traffic =
                    Traffic { method: FetchMethod::Get, send: true, data: true, sensitive: call.sensitive };
                cx.traffic(prefix.host, prefix.port, traffic, word.span);
            }
            if pushes {
                found.push(Remote {
                    name: word.shown(),
                    configured: false,
                    urls: Vec::new(),
                    span: word.span,
                });
            }
            continue;
        };
        let plain = !text.contains([':', '/']) && !text.starts_with('.');
        if plain && !repository.known {
            // Without the configuration a plain name can only be a remote of the repository.
            found.push(Remote { name: text, configured: true, urls: Vec::new(), span: word.span });
            continue;
        }
        let urls = urls(&text);
        let named = |url: &String| repository.remotes.iter().any(|(n, _)| repository.fetch_url(n) == *url);
        let configured = repository.has_remote(&text) || (!urls.is_empty() && urls.iter().all(named));
        found.push(Remote { name: text, configured, urls, span: word.span });
    }
    if !words.is_empty() || !by_itself {
        return found;
    }
    let span = call.span();
    if !repository.known {
        return vec![Remote { name: String::new(), configured: true, urls: Vec::new(), span }];
    }
    let every = call.found.path.first().is_some_and(|s| s == "remote")
        || (!pushes && given_option(call, &["--all", "--multiple"]));
    let mut names: Vec<String> = if every {
        repository.remotes.iter().map(|(name, _)| name.clone()).collect()
    } else if pushes {
        vec![repository.push_remote()]
    } else {
        vec![repository.fetch_remote()]
    };
    names.dedup();
    for name in names {
        let configured = repository.has_remote(&name);
        // `branch.NAME.remote` may be an address too.
        let urls = if configured || name.contains([':', '/', '.']) { urls(&name) } else { Vec::new() };
        found.push(Remote { name, configured, urls, span });
    }
    found
}

/// Adds traffic with a host. The metadata address is no git server, whoever named it.
fn speak(
    cx: &mut Context<'_>,
    host: Option<Host>,
    port: Option<u16>,
    traffic: Traffic,
    configured: bool,
    span: Span,
) {
    let mut facts = cx.net_facts(host.as_ref(), port, traffic);
    if facts.zone == HostZone::Metadata {
        return cx.traffic(host, port, traffic, span);
    }
    facts.configured = configured;
    cx.emit(if traffic.send { Action::Send(facts) } else { Action::Fetch(facts) }, span);
}

fn helper(cx: &mut Context<'_>, call: &mut Call, url: &str, span: Span) {
    let why = format!("the remote `{}` names a helper program", without_password(url));
    opaque(cx, call, why, Origin::Unknown, span);
}

fn fetch(cx: &mut Context<'_>, call: &mut Call, remote: &Remote) {
    if remote.urls.is_empty() {
        speak(cx, None, None, Traffic::get(), remote.configured, remote.span);
    }
    for url in remote.urls.iter().filter(|url| *url != ".") {
        match lies(url) {
            Lies::Helper => helper(cx, call, url, remote.span),
            Lies::Directory(path) => {
                let target = cx.path_of(&path);
                cx.touch(Touch::Read, target, true, remote.span);
            }
            Lies::Host(host, port) => {
                let configured = remote.configured && host.is_some();
                speak(cx, host, port, Traffic::get(), configured, remote.span);
            }
        }
    }
}

/// Adds what is pushed to a remote: every refspec to every one of its places is one effect.
fn push(cx: &mut Context<'_>, call: &mut Call, remote: &Remote) {
    // A dry run shows what would be pushed: it speaks with the remote and leaves nothing there.
    if call.found.dry {
        return fetch(cx, call, remote);
    }
    let by_name = cx.facts.environment(&Named::Other(&remote.name));
    let urls: Vec<Option<&String>> =
        if remote.urls.is_empty() { vec![None] } else { remote.urls.iter().map(Some).collect() };
    for url in urls {
        let (mut host, mut environment, mut own) = (String::new(), by_name, false);
        match url.map(|u| lies(u)) {
            None => {}
            Some(Lies::Helper) => {
                helper(cx, call, url.map(String::as_str).unwrap_or_default(), remote.span);
            }
            Some(Lies::Directory(path)) => {
                let target = cx.path_of(&path);
                own = matches!(&target, PathTarget::Known(p) if cx.remote.is_none() && cx.facts.made_by_session(p));
                cx.touch(Touch::Write, target, true, remote.span);
            }
            Some(Lies::Host(at, port)) => {
                if let Some(at) = &at {
                    host = at.to_string();
                    environment = strictest(&[by_name, cx.facts.environment(&Named::Host(at))]);
                }
                if at.as_ref().is_some_and(|h| h.zone() == HostZone::Metadata) {
                    cx.traffic(at, port, Traffic::change(true, call.sensitive), remote.span);
                }
            }
        }
        refs(cx, call, remote, &host, environment, own);
    }
}

fn refs(cx: &mut Context<'_>, call: &Call, remote: &Remote, host: &str, environment: Environment, own: bool) {
    let has = |names: &[&str]| given_option(call, names);
    let force = has(&["-f", "--force", "--force-with-lease", "--mirror", "--force-if-includes"]);
    let deletes = has(&["-d", "--delete", "--mirror", "--prune"]);
    let roles = call.found.roles.iter().filter(|(r, _)| matches!(r, Role::Refspec | Role::Branch));
    let mut refs: Vec<String> = roles.map(|(_, f)| f.shown()).collect();
    if refs.is_empty() {
        let all = has(&["--all", "--mirror", "--branches", "--tags"]);
        refs.push(if all { "*".to_owned() } else { String::new() });
    }
    for spec in refs {
        let (forced, spec) = match spec.strip_prefix('+') {
            Some(rest) => (true, rest.to_owned()),
            None => (false, spec),
        };
        let removed = spec.starts_with(':') && spec.len() > 1;
        let reference = spec.rsplit(':').next().unwrap_or_default().to_owned();
        let unsure = reference.contains(['*', '$']);
        let facts = cx.push(&remote.name, reference, force || forced, deletes || removed);
        let facts = PushFacts {
            known: if remote.configured { Tri::Yes } else { facts.known },
            host: host.to_owned(),
            environment,
            own,
            protected: if unsure { Tri::Unknown } else { facts.protected },
            ..facts
        };
        cx.emit(Action::Push(facts), call.span());
    }
}
