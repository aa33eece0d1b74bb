//! What is told of each lookup, connection and request, while it happens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The way by which something came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// The HTTP proxy's port.
    Http,
    /// The SOCKS proxy's port.
    Socks,
    /// A connection straight to an address that the name server gave out.
    Direct,
    /// A loopback port shared with the machine.
    Loopback,
    /// The name server.
    Dns,
}

impl Via {
    /// The word for records.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Socks => "socks",
            Self::Direct => "direct",
            Self::Loopback => "loopback",
            Self::Dns => "dns",
        }
    }
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// A name was asked for.
    Lookup,
    /// A connection.
    Connect,
    /// One HTTP request.
    Request,
    /// A lent credential's stand-in was seen.
    Lending,
}

impl What {
    /// The word for records.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Connect => "connect",
            Self::Request => "request",
            Self::Lending => "lending",
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was permitted and made; for a connection, it now stands.
    Made,
    /// The connection or request is over; [`Event::up`] and [`Event::down`] are final.
    Ended,
    /// The rules forbid it.
    Denied,
    /// It was permitted, but could not be made.
    Failed,
}

impl Outcome {
    /// The word for records.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Ended => "ended",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// Why something was denied or failed. The words are stable; they stand in records and in `X-Ambit-Reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No rule names the host.
    Host,
    /// A rule names the host, but not this port.
    Port,
    /// A rule names the host, but not this method and path.
    Request,
    /// The name leads to addresses that it may not lead to.
    Address,
    /// The host is malformed or ambiguous.
    Name,
    /// The names in the connection differ (CONNECT, SNI, `Host`, request line).
    Mismatch,
    /// The TLS greeting has no name, or hides it.
    Hidden,
    /// The traffic is neither TLS nor HTTP, and the rule permits only these.
    Protocol,
    /// The message is malformed or two readers could disagree on where it ends.
    Malformed,
    /// A lent credential's stand-in was seen where it is not lent to.
    Lending,
    /// A lent credential was asked for, but its lease is over.
    LendingOver,
    /// A limit of size, number or time was reached.
    Limit,
    /// The name could not be found.
    Lookup,
    /// The host could not be reached, or broke off.
    Unreachable,
    /// The host's certificate was not accepted.
    Certificate,
}

impl Reason {
    /// The word for records and headers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "host-not-allowed",
            Self::Port => "port-not-allowed",
            Self::Request => "request-not-allowed",
            Self::Address => "address-not-allowed",
            Self::Name => "name-malformed",
            Self::Mismatch => "names-differ",
            Self::Hidden => "name-hidden",
            Self::Protocol => "protocol-not-allowed",
            Self::Malformed => "message-malformed",
            Self::Lending => "lent-credential-misused",
            Self::LendingOver => "lease-over",
            Self::Limit => "limit-reached",
            Self::Lookup => "name-not-found",
            Self::Unreachable => "host-unreachable",
            Self::Certificate => "certificate-not-accepted",
        }
    }

    /// Whether the rules denied it; otherwise the world failed.
    #[must_use]
    pub fn is_denial(self) -> bool {
        !matches!(self, Self::Lookup | Self::Unreachable | Self::Certificate | Self::Limit)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One thing that happened. It never holds a query, a header, a body or a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// By which way.
    pub via: Via,
    /// What was tried.
    pub what: What,
    /// What became of it.
    pub outcome: Outcome,
    /// The host as asked for, made safe to show; empty when none could be read.
    pub host: String,
    /// The port, if one was named.
    pub port: Option<u16>,
    /// The address that was dialled.
    pub address: Option<IpAddr>,
    /// The request's method.
    pub method: Option<String>,
    /// The request's path, without its query.
    pub path: Option<String>,
    /// The answer's status.
    pub status: Option<u16>,
    /// The rule that decided; [`crate::DEFAULT_DENY`] when no rule names the host.
    pub rule: String,
    /// Why, unless it was made.
    pub reason: Option<Reason>,
    /// Why, in words.
    pub detail: String,
    /// The lent credential concerned, by its id.
    pub lent: Option<String>,
    /// Bytes sent to the host.
    pub up: u64,
    /// Bytes received from the host.
    pub down: u64,
    /// Who connected: an address inside the command's network.
    pub client: Option<SocketAddr>,
    /// Whether a person should look at it soon.
    pub severe: bool,
}

impl Event {
    /// An event with nothing in it but its kind.
    #[must_use]
    pub fn new(via: Via, what: What, outcome: Outcome) -> Self {
        Self {
            via,
            what,
            outcome,
            host: String::new(),
            port: None,
            address: None,
            method: None,
            path: None,
            status: None,
            rule: String::new(),
            reason: None,
            detail: String::new(),
            lent: None,
            up: 0,
            down: 0,
            client: None,
            severe: false,
        }
    }
}

/// Who is told. Called from many threads, before what was permitted begins; it should not block for long.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}
