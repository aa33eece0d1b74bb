//! Hosts and URLs in commands.

use crate::context::Context;
use model::{Action, Environment, FetchMethod, Host, HostZone, Named, NetFacts, RevealFacts, Span};
use programs::Field;

/// What is known of traffic besides its host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traffic {
    /// What is done.
    pub(crate) method: FetchMethod,
    /// Whether it counts as sending.
    pub(crate) send: bool,
    /// Whether local data is sent.
    pub(crate) data: bool,
    /// Whether that may be a secret or from outside the workspace.
    pub(crate) sensitive: bool,
}

impl Traffic {
    /// Something is fetched.
    pub(crate) fn get() -> Self {
        Self { method: FetchMethod::Get, send: false, data: false, sensitive: false }
    }
    /// Something is sent.
    pub(crate) fn change(data: bool, sensitive: bool) -> Self {
        Self { method: FetchMethod::Change, send: true, data, sensitive }
    }
    /// A connection of another protocol.
    pub(crate) fn connect(sensitive: bool) -> Self {
        Self { method: FetchMethod::Connect, send: true, data: true, sensitive }
    }
}

/// A URL as far as its host is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The scheme in lower case; empty when none is given.
    pub(crate) scheme: String,
    /// The host, if one is given and it is one.
    pub(crate) host: Option<Host>,
    /// The port, if given.
    pub(crate) port: Option<u16>,
    /// What follows the host.
    pub(crate) path: String,
}

/// Reads a URL, with or without scheme. Whatever is unusual about it leaves the host unknown.
pub(crate) fn place(url: &str) -> Place {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => (String::new(), url),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    // A backslash or a second `@` is read differently by different clients.
    if authority.contains('\\')
        || authority.matches('@').count() > 1
        || url.chars().any(|c| c.is_control() || c == ' ')
    {
        return Place { scheme, host: None, port: None, path: path.to_owned() };
    }
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let (name, port) = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        Some((v6, rest)) => (v6, rest.strip_prefix(':').and_then(|p| p.parse().ok())),
        None => match host.rsplit_once(':') {
            Some((name, port)) => match port.parse() {
                Ok(port) => (name, Some(port)),
                Err(_) if port.is_empty() => (name, None),
                Err(_) => ("", None),
            },
            None => (host, None),
        },
    };
    Place { scheme, host: Host::parse(name), port, path: path.to_owned() }
}

/// `[user@]host:path`, as scp, rsync and git read it; `None` for a local path.
pub(crate) fn host_path(text: &str) -> Option<(String, String)> {
    let (host, path) = text.split_once(':')?;
    if host.contains('/') || host.is_empty() {
        return None;
    }
    Some((host.rsplit('@').next().unwrap_or(host).to_owned(), path.to_owned()))
}

impl Context<'_> {
    /// Adds traffic with a URL. A word that is not known whole is sent as data: an unknown part may hold anything.
    pub(crate) fn traffic_url(&mut self, field: &Field, traffic: Traffic) {
        let unknown = field.has_unknown();
        let known = known_authority(field);
        let place = place(&known.clone().unwrap_or_default());
        if matches!(place.scheme.as_str(), "file") {
            let path = format!("/{}", place.path.trim_start_matches('/'));
            let target = self.path_of(&path);
            self.touch(super::paths::Touch::Read, target, false, field.span);
            return;
        }
        let traffic = Traffic { data: traffic.data || unknown, sensitive: traffic.sensitive, ..traffic };
        self.traffic(place.host, place.port, traffic, field.span);
    }

    /// Adds traffic with a host given by itself, with `user@` and `:port` as far as they stand there.
    pub(crate) fn traffic_host(&mut self, field: &Field, traffic: Traffic) {
        let unknown = field.known().is_none();
        let place = place(&field.known().unwrap_or_default());
        let traffic = Traffic { data: traffic.data || unknown, ..traffic };
        self.traffic(place.host, place.port, traffic, field.span);
    }

    /// The facts of traffic with a host.
    pub(crate) fn net_facts(&self, host: Option<&Host>, port: Option<u16>, traffic: Traffic) -> NetFacts {
        NetFacts {
            host: host.map(ToString::to_string).unwrap_or_default(),
            zone: host.map_or(HostZone::Unknown, Host::zone),
            port,
            method: traffic.method,
            allowlisted: host.is_some_and(|h| self.facts.allowed_host(h)),
            carries_sensitive: traffic.sensitive,
            carries_data: traffic.data,
            environment: host.map_or(Environment::Unknown, |h| self.facts.environment(&Named::Host(h))),
            configured: false,
        }
    }

    /// Adds traffic with a host.
    pub(crate) fn traffic(&mut self, host: Option<Host>, port: Option<u16>, traffic: Traffic, span: Span) {
        let facts = self.net_facts(host.as_ref(), port, traffic);
        if facts.zone == HostZone::Metadata {
            self.emit(
                Action::Reveal(RevealFacts { what: "metadata".to_owned(), name: facts.host.clone() }),
                span,
            );
        }
        self.emit(if traffic.send { Action::Send(facts) } else { Action::Fetch(facts) }, span);
    }
}

/// The known beginning of a URL, when it holds the whole host.
fn known_authority(field: &Field) -> Option<String> {
    if let Some(known) = field.known() {
        return Some(known);
    }
    let prefix = field.prefix();
    let after = prefix.split_once("://").map_or(prefix.as_str(), |(_, rest)| rest);
    // A URL may hold `?`, which the shell takes for a pattern: what stands before it is known.
    after.contains(['/', '?', '#']).then_some(prefix.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let host = |u: &str| place(u).host.map(|h| h.to_string());
        assert_eq!(host("https://example.com/a?b"), Some("example.com".into()));
        assert_eq!(host("example.com:8080/x"), Some("example.com".into()));
        assert_eq!(place("http://u:p@h.example:81").port, Some(81));
        assert_eq!(host("https://a.example@evil.example/"), Some("evil.example".into()));
        assert_eq!(host("http://[::1]:3000/"), Some("::1".into()));
        assert_eq!(host("https://a.example\\@evil.example/"), None);
        assert_eq!(host("https://a@b@c/"), None);
        assert_eq!(host("https://example.com#@evil.example/"), Some("example.com".into()));
        assert_eq!(host_path("ann@host:/x"), Some(("host".into(), "/x".into())));
        assert_eq!(host_path("./a:b"), None);
    }
}
