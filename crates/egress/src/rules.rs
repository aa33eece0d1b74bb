//! What may be reached: a list of what is allowed, and nothing else.

use crate::address::{AddressKind, Network, address_kind, embedded_v4};
use crate::event::Reason;
use crate::lend::Lent;
use crate::name::{NameError, Target, read_written_host};
use crate::paths::PathPattern;
use crate::tls::Interception;
use model::Host;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The rule id of what no rule allows.
pub const DEFAULT_DENY: &str = "default-deny";

/// Ports of a rule that names none.
pub const WEB_PORTS: [u16; 2] = [80, 443];

/// Why a rule could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The host pattern is none.
    #[error("`{text}` is no host pattern: {source}; write `example.com` or `*.example.com`")]
    Host {
        /// The pattern as written.
        text: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// The wildcard covers too much.
    #[error("`{text}` allows too much; name at least two labels after `*.`")]
    Wide {
        /// The pattern as written.
        text: String,
    },
    /// A method is none.
    #[error("`{text}` is no method; write it in capital letters, such as `GET`")]
    Method {
        /// The method as written.
        text: String,
    },
    /// A path pattern is none.
    #[error("`{text}` is no path pattern; write `/path`, `/path*` or `*/end`")]
    Path {
        /// The pattern as written.
        text: String,
    },
    /// A bundle is not known.
    #[error("no bundle is called `{text}`; known are {known}")]
    Bundle {
        /// The name as written.
        text: String,
        /// The names there are.
        known: String,
    },
    /// A list of bundles is not well formed.
    #[error("the list of bundles cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// Something lent is not usable.
    #[error("`{id}` cannot be lent: {why}")]
    Lent {
        /// The credential's id.
        id: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Which hosts a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This host.
    Exact(Host),
    /// Every name beneath this one, but not itself (`*.example.com`).
    Beneath(String),
}

impl HostPattern {
    /// Reads `example.com`, `*.example.com`, `192.0.2.1` or `[2001:db8::1]`; names outside ASCII become their `xn--` form.
    ///
    /// # Errors
    /// [`RuleError::Host`] or [`RuleError::Wide`].
    pub fn read(text: &str) -> Result<Self, RuleError> {
        let named = |t: &str| {
            read_written_host(t).map_err(|source| RuleError::Host { text: text.to_owned(), source })
        };
        match text.strip_prefix("*.") {
            None => Ok(Self::Exact(named(text)?)),
            Some(rest) => match named(rest)? {
                Host::Name(name) if name.contains('.') => Ok(Self::Beneath(name)),
                _ => Err(RuleError::Wide { text: text.to_owned() }),
            },
        }
    }

    /// Whether the host is meant.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Exact(this), _) => this == host,
            (Self::Beneath(parent), Host::Name(name)) => name
                .strip_suffix(parent.as_str())
                .is_some_and(|front| front.ends_with('.') && front.len() > 1),
            (Self::Beneath(_), Host::Address(_)) => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => write!(f, "{host}"),
            Self::Beneath(name) => write!(f, "*.{name}"),
        }
    }
}

/// Requests that a rule permits: one of the methods on one of the paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRule {
    /// The methods in capital letters; none means every method.
    pub methods: Vec<String>,
    /// The paths; none means every path.
    pub paths: Vec<PathPattern>,
}

impl RequestRule {
    /// Reads methods and path patterns.
    ///
    /// # Errors
    /// [`RuleError::Method`] or [`RuleError::Path`].
    pub fn read<S: AsRef<str>>(methods: &[S], paths: &[S]) -> Result<Self, RuleError> {
        let method = |m: &S| {
            let m = m.as_ref();
            let good =
                !m.is_empty() && m.len() <= 32 && m.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
            good.then(|| m.to_owned()).ok_or_else(|| RuleError::Method { text: m.to_owned() })
        };
        Ok(Self {
            methods: methods.iter().map(method).collect::<Result<_, _>>()?,
            paths: paths.iter().map(|p| PathPattern::read(p.as_ref())).collect::<Result<_, _>>()?,
        })
    }

    /// Whether the request is permitted. `path` is without its query.
    #[must_use]
    pub fn matches(&self, method: &str, path: &str) -> bool {
        (self.methods.is_empty() || self.methods.iter().any(|m| m == method))
            && (self.paths.is_empty() || self.paths.iter().any(|p| p.matches(path)))
    }
}

/// What a permitted connection may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Traffic {
    /// TLS whose name agrees, or HTTP.
    #[default]
    Web,
    /// Anything: SSH, a database's protocol. Only the host, the port and the address are checked.
    Raw,
}

/// A host that may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    /// The id for records and denials, such as `bundle/code-hosts`.
    pub id: String,
    /// Which hosts.
    pub host: HostPattern,
    /// Which ports; none means [`WEB_PORTS`].
    pub ports: Vec<u16>,
    /// What the connection may carry.
    pub traffic: Traffic,
    /// Which requests; none means every request.
    pub requests: Vec<RequestRule>,
    /// Whether TLS is opened to see the requests. Without it, `requests` hold only where they are visible: in plain
    /// HTTP, and where TLS is opened for another reason.
    pub open_tls: bool,
    /// Whether a TLS greeting may have no name or hide it (ECH).
    pub hidden_name: bool,
    /// Whether the name may lead to private addresses (RFC 1918, `fc00::/7`, 100.64.0.0/10).
    pub private: bool,
}

impl HostRule {
    /// A rule that permits every request to the hosts of `pattern` on the web's ports.
    ///
    /// # Errors
    /// As [`HostPattern::read`].
    pub fn new(id: impl Into<String>, pattern: &str) -> Result<Self, RuleError> {
        Ok(Self {
            id: id.into(),
            host: HostPattern::read(pattern)?,
            ports: Vec::new(),
            traffic: Traffic::Web,
            requests: Vec::new(),
            open_tls: false,
            hidden_name: false,
            private: false,
        })
    }

    /// Reads a pattern with or without a port, as a person writes it: `example.com`, `*.example.com:8443`, `[2001:db8::1]:80`.
    ///
    /// # Errors
    /// As [`HostPattern::read`].
    pub fn read(id: impl Into<String>, text: &str) -> Result<Self, RuleError> {
        let plain = text.parse::<IpAddr>().is_ok();
        let Some((pattern, digits)) = text.rsplit_once(':').filter(|(_, d)| !plain && !d.ends_with(']'))
        else {
            return Self::new(id, text);
        };
        let port = crate::name::read_port(digits)
            .map_err(|source| RuleError::Host { text: text.to_owned(), source })?;
        Ok(Self { ports: vec![port], ..Self::new(id, pattern)? })
    }

    fn has_port(&self, port: u16) -> bool {
        if self.ports.is_empty() { WEB_PORTS.contains(&port) } else { self.ports.contains(&port) }
    }
}

/// A network outside the public one that may be reached by address, and that names may lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkGrant {
    /// The id for records.
    pub id: String,
    /// The range. Metadata and link-local addresses are granted only one by one.
    pub network: Network,
    /// Which ports; none means every port.
    pub ports: Vec<u16>,
}

/// Bounds of size, number and time.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Bytes of a request's or answer's head.
    pub head: usize,
    /// Bytes of a body that is held back because a credential may be put into it.
    pub held_body: usize,
    /// Names that the name server hands out addresses for.
    pub names: usize,
    /// How long a head or greeting may take to arrive.
    pub greeting: Duration,
    /// How long a connection may stand still.
    pub idle: Duration,
    /// How long dialling one address may take.
    pub dial: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: 64 << 10,
            held_body: 8 << 20,
            names: 16_384,
            greeting: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            dial: Duration::from_secs(10),
        }
    }
}

/// Everything that is allowed to one command, and how to ask for more.
#[derive(Debug)]
pub struct Rules {
    /// The hosts.
    pub hosts: Vec<HostRule>,
    /// Networks outside the public one.
    pub networks: Vec<NetworkGrant>,
    /// Ports of this machine's loopback that are shared with the command.
    pub loopback_ports: Vec<u16>,
    /// Credentials lent by stand-in. They permit nothing by themselves: their hosts need a rule too.
    pub lent: Vec<Lent>,
    /// This machine's own addresses, which count as its loopback does.
    pub own: Vec<IpAddr>,
    /// The range from which the name server hands out addresses; it must lead nowhere.
    pub fake: Network,
    /// How to ask for more: a command in which `{host}` and `{port}` are put in.
    pub ask: String,
    /// What is needed to open TLS; without it, what would need it is denied.
    pub interception: Option<Arc<Interception>>,
    /// The bounds.
    pub limits: Limits,
}

impl Rules {
    /// Rules that allow nothing. `ask` is the command by which more can be asked for, with `{host}` and `{port}` in it.
    #[must_use]
    pub fn deny_all(ask: impl Into<String>) -> Self {
        Self {
            hosts: Vec::new(),
            networks: Vec::new(),
            loopback_ports: Vec::new(),
            lent: Vec::new(),
            own: Vec::new(),
            fake: crate::dns::default_range(),
            ask: ask.into(),
            interception: None,
            limits: Limits::default(),
        }
    }

    /// Whether the name may be looked up: some rule names it, whatever the port. Gives the rule's id.
    #[must_use]
    pub fn judge_lookup(&self, host: &Host) -> Option<&str> {
        self.hosts.iter().find(|r| r.host.matches(host)).map(|r| r.id.as_str())
    }

    /// Whether a connection to the target is permitted, and how.
    ///
    /// # Errors
    /// A [`Denial`] that names the rule and the reason.
    pub fn judge_connection(&self, target: &Target) -> Result<Grant<'_>, Denial> {
        let named: Vec<&HostRule> = self.hosts.iter().filter(|r| r.host.matches(&target.host)).collect();
        let rules: Vec<&HostRule> = named.iter().copied().filter(|r| r.has_port(target.port)).collect();
        if !rules.is_empty() {
            return Ok(self.grant_of(rules, target));
        }
        if let Some(id) = self.loopback_grant(target) {
            return Ok(Grant::raw(id, true));
        }
        if let Host::Address(ip) = target.host {
            let grant = self.networks.iter().find(|n| network_grants(n, ip, target.port));
            if let Some(grant) = grant {
                return Ok(Grant::raw(&grant.id, false));
            }
        }
        Err(match named.first() {
            Some(rule) => Denial::new(
                Reason::Port,
                &rule.id,
                format!("the rule for `{}` does not allow port {}", target.host, target.port),
            ),
            None => Denial::new(Reason::Host, DEFAULT_DENY, format!("no rule allows `{}`", target.host)),
        })
    }

    fn grant_of<'r>(&'r self, rules: Vec<&'r HostRule>, target: &Target) -> Grant<'r> {
        let lent = self.lent.iter().any(|l| l.names(&target.host));
        let raw = rules.iter().any(|r| r.traffic == Traffic::Raw);
        // Rules add up: one that permits every request makes it needless to look at them.
        let limited = rules.iter().all(|r| !r.requests.is_empty() && r.open_tls);
        Grant {
            rule: rules.first().map_or(DEFAULT_DENY, |r| r.id.as_str()),
            traffic: if raw && !lent { Traffic::Raw } else { Traffic::Web },
            open_tls: lent || limited,
            hidden_name: rules.iter().any(|r| r.hidden_name),
            private: rules.iter().any(|r| r.private),
            loopback: false,
            by_address: matches!(target.host, Host::Address(_)),
        }
    }

    fn loopback_grant(&self, target: &Target) -> Option<&'static str> {
        let local = match &target.host {
            Host::Name(name) => name == "localhost",
            Host::Address(ip) => ip.is_loopback(),
        };
        (local && self.loopback_ports.contains(&target.port)).then_some("loopback-port")
    }

    /// Whether a request that can be seen is permitted. Gives the rule's id.
    ///
    /// # Errors
    /// A [`Denial`] that names the rule and the reason.
    pub fn judge_request(&self, target: &Target, method: &str, path: &str) -> Result<&str, Denial> {
        let grant = self.judge_connection(target)?;
        let mut rules =
            self.hosts.iter().filter(|r| r.host.matches(&target.host) && r.has_port(target.port)).peekable();
        if rules.peek().is_none() {
            return Ok(grant.rule);
        }
        rules
            .find(|r| r.requests.is_empty() || r.requests.iter().any(|q| q.matches(method, path)))
            .map(|r| r.id.as_str())
            .ok_or_else(|| {
                Denial::new(
                    Reason::Request,
                    grant.rule,
                    format!("the rule for `{}` does not allow {method} here", target.host),
                )
            })
    }

    /// Whether the address that the target leads to may be dialled.
    ///
    /// # Errors
    /// What the address is.
    pub fn vet(&self, grant: &Grant<'_>, target: &Target, ip: IpAddr) -> Result<(), AddressKind> {
        if grant.loopback && target.port != 0 {
            return if ip.is_loopback() { Ok(()) } else { self.vet_plain(ip) };
        }
        if self.networks.iter().any(|n| network_grants(n, ip, target.port)) {
            return Ok(());
        }
        match self.vet_plain(ip) {
            Err(AddressKind::Private | AddressKind::Shared) if grant.private || grant.by_address => Ok(()),
            // An address written out in a rule is meant, except where it means this machine or its credentials.
            Err(AddressKind::Reserved) if grant.by_address => Ok(()),
            other => other,
        }
    }

    fn vet_plain(&self, ip: IpAddr) -> Result<(), AddressKind> {
        if self.own.contains(&ip)
            || matches!(ip, IpAddr::V6(v6) if embedded_v4(v6).is_some_and(|v4| self.own.contains(&IpAddr::V4(v4))))
        {
            return Err(AddressKind::Own);
        }
        address_kind(ip).map_or(Ok(()), Err)
    }
}

fn network_grants(grant: &NetworkGrant, ip: IpAddr, port: u16) -> bool {
    if !grant.network.contains(ip) || !(grant.ports.is_empty() || grant.ports.contains(&port)) {
        return false;
    }
    match address_kind(ip) {
        Some(AddressKind::Metadata | AddressKind::LinkLocal | AddressKind::Loopback) => {
            grant.network.is_single()
        }
        Some(AddressKind::Unspecified | AddressKind::Multicast) => false,
        _ => true,
    }
}

/// A connection that is permitted, and on what terms.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'r> {
    /// The rule's id.
    pub rule: &'r str,
    /// What it may carry.
    pub traffic: Traffic,
    /// Whether TLS is opened.
    pub open_tls: bool,
    /// Whether the greeting's name may be missing or hidden.
    pub hidden_name: bool,
    private: bool,
    loopback: bool,
    by_address: bool,
}

impl<'r> Grant<'r> {
    fn raw(rule: &'r str, loopback: bool) -> Self {
        let traffic = Traffic::Raw;
        Self { rule, traffic, open_tls: false, hidden_name: true, private: false, loopback, by_address: true }
    }

    /// Whether this is a shared port of the machine's own loopback.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

/// What is not permitted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Why, as a word.
    pub reason: Reason,
    /// The rule that decided.
    pub rule: String,
    /// Why, in words: lower case, without a full stop.
    pub detail: String,
}

impl Denial {
    /// A denial.
    #[must_use]
    pub fn new(reason: Reason, rule: &str, detail: impl Into<String>) -> Self {
        Self { reason, rule: rule.to_owned(), detail: detail.into() }
    }
}
