//! One connection of a client: what it asks for is judged, looked up, vetted and dialled, in this order.

use crate::event::{Event, Outcome, Reason, Via, What};
use crate::name::{Target, shown};
use crate::rules::{DEFAULT_DENY, Denial, Grant};
use crate::serve::{Context, Watched};
use model::Host;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Most addresses of one name that are tried.
const MAX_TRIES: usize = 4;

#[derive(Clone, Copy)]
pub(crate) struct Session<'c> {
    pub(crate) context: &'c Context,
    pub(crate) via: Via,
    pub(crate) client: SocketAddr,
}

/// A connection to a host that was dialled.
pub(crate) struct Dialled<'c> {
    pub(crate) stream: TcpStream,
    pub(crate) ip: IpAddr,
    pub(crate) watched: Watched<'c>,
}

impl<'c> Session<'c> {
    pub(crate) fn event(&self, what: What, outcome: Outcome, target: &Target) -> Event {
        let mut event = Event::new(self.via, what, outcome);
        event.client = Some(self.client);
        event.host = target.host.to_string();
        event.port = Some(target.port);
        event
    }

    pub(crate) fn tell(&self, event: Event) {
        self.context.observer.event(event);
    }

    /// Tells of a connection that was not made.
    pub(crate) fn tell_denied(&self, target: &Target, denial: &Denial) {
        let mut event = self.event(What::Connect, Outcome::Denied, target);
        fill(&mut event, denial);
        self.tell(event);
    }

    /// Tells of a connection whose target could not be read.
    pub(crate) fn tell_unread(&self, text: &[u8], denial: &Denial) {
        let mut event = Event::new(self.via, What::Connect, Outcome::Denied);
        event.client = Some(self.client);
        event.host = shown(text);
        fill(&mut event, denial);
        self.tell(event);
    }

    /// Judges the target and dials it. The event tells what came of it.
    pub(crate) fn reach(&self, target: &Target) -> Result<(Grant<'c>, Dialled<'c>), Denial> {
        let reached = self.context.rules.judge_connection(target).and_then(|grant| {
            if grant.open_tls && self.context.rules.interception.is_none() {
                let why =
                    format!("the rule for `{}` needs TLS to be opened, which is not set up", target.host);
                return Err(Denial::new(Reason::Protocol, grant.rule, why));
            }
            self.dial(&grant, target).map(|dialled| (grant, dialled))
        });
        match &reached {
            Ok((grant, dialled)) => {
                let mut event = self.event(What::Connect, Outcome::Made, target);
                grant.rule.clone_into(&mut event.rule);
                event.address = Some(dialled.ip);
                self.tell(event);
            }
            Err(denial) => self.tell_denied(target, denial),
        }
        reached
    }

    fn dial(&self, grant: &Grant<'_>, target: &Target) -> Result<Dialled<'c>, Denial> {
        let rules = &self.context.rules;
        let found = match &target.host {
            Host::Address(ip) => vec![*ip],
            Host::Name(name) if grant.is_loopback() && name == "localhost" => {
                vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            }
            Host::Name(name) => self.context.resolver.resolve(name).map_err(|e| {
                Denial::new(
                    Reason::Lookup,
                    grant.rule,
                    format!("the address of `{name}` could not be found: {e}"),
                )
            })?,
        };
        let (mut good, mut bad) = (Vec::new(), None);
        for ip in found {
            match rules.vet(grant, target, ip) {
                Ok(()) => good.push(ip),
                Err(kind) => bad = bad.or(Some((ip, kind))),
            }
        }
        let mut last = match bad {
            Some((ip, kind)) => {
                Denial::new(Reason::Address, grant.rule, format!("`{}` leads to {ip}, {kind}", target.host))
            }
            None => Denial::new(Reason::Lookup, grant.rule, format!("`{}` has no address", target.host)),
        };
        for ip in good.into_iter().take(MAX_TRIES) {
            match self.connect(SocketAddr::new(ip, target.port)) {
                Ok((stream, watched)) => return Ok(Dialled { stream, ip, watched }),
                Err(e) => {
                    last = Denial::new(
                        Reason::Unreachable,
                        grant.rule,
                        format!("`{target}` could not be reached at {ip}: {e}"),
                    )
                }
            }
        }
        Err(last)
    }

    fn connect(&self, address: SocketAddr) -> io::Result<(TcpStream, Watched<'c>)> {
        let stream = TcpStream::connect_timeout(&address, self.context.rules.limits.dial)?;
        stream.set_nodelay(true)?;
        self.set_patience(&stream, self.context.rules.limits.idle)?;
        let watched = self.context.watch(&stream)?;
        Ok((stream, watched))
    }

    pub(crate) fn set_patience(&self, stream: &TcpStream, wait: Duration) -> io::Result<()> {
        stream.set_read_timeout(Some(wait))?;
        stream.set_write_timeout(Some(wait))
    }

    /// What a person or agent is told of a denial, and how to ask.
    pub(crate) fn words(&self, denial: &Denial, target: Option<&Target>) -> (String, String) {
        let ask = target.filter(|_| denial.reason.is_denial()).map(|t| {
            let host = t.host.to_string();
            self.context.rules.ask.replace("{host}", &host).replace("{port}", &t.port.to_string())
        });
        let mut header = format!("{}; rule={}", denial.reason, denial.rule);
        let verb = if denial.reason.is_denial() { "denied this" } else { "could not do this" };
        let mut body =
            format!("Ambit {verb}: {}.\nReason: {}. Rule: {}.\n", denial.detail, denial.reason, denial.rule);
        if let Some(ask) = ask {
            header.push_str(&format!("; ask=\"{ask}\""));
            body.push_str(&format!("To ask for it: {ask}\n"));
        }
        header.retain(|c| c == ' ' || c.is_ascii_graphic());
        (header, body)
    }
}

/// Puts a denial into an event.
pub(crate) fn fill(event: &mut Event, denial: &Denial) {
    event.outcome = if denial.reason.is_denial() { Outcome::Denied } else { Outcome::Failed };
    event.reason = Some(denial.reason);
    denial.rule.clone_into(&mut event.rule);
    denial.detail.clone_into(&mut event.detail);
    event.severe = denial.reason == Reason::Lending;
}

/// A denial of what could not be read.
pub(crate) fn unread(reason: Reason, detail: impl Into<String>) -> Denial {
    Denial::new(reason, DEFAULT_DENY, detail)
}
