//! A name server that gives out addresses leading nowhere but to Ambit, and only for names that a rule allows. It never
//! asks another server, so no name leaves the machine by it.

use crate::address::Network;
use crate::event::{Event, Outcome, Reason, Via, What};
use crate::name::{read_host, shown};
use crate::rules::{DEFAULT_DENY, Rules};
use crate::serve::Context;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use model::Host;
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::{Mutex, PoisonError};

/// How long an answer may be kept, in seconds. Addresses do not change during a run.
const TTL: u32 = 60;

/// 198.18.0.0/15, kept for benchmarks of networks (RFC 2544), so that nothing true lies there.
pub(crate) fn default_range() -> Network {
    Network::of_v4(Ipv4Addr::new(198, 18, 0, 0), 15)
}

/// Which name an address was given out for.
#[derive(Debug)]
pub(crate) struct FakeNames {
    range: Network,
    most: usize,
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    by_name: HashMap<String, Ipv4Addr>,
    by_address: HashMap<Ipv4Addr, String>,
}

impl FakeNames {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { range: rules.fake, most: rules.limits.names, given: Mutex::default() }
    }

    /// The address of a name, the same one each time. `None` when there are no more.
    pub(crate) fn address_of(&self, name: &str) -> Option<Ipv4Addr> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = given.by_name.get(name) {
            return Some(*known);
        }
        if given.by_name.len() >= self.most {
            return None;
        }
        // The first address of a range stands for the range itself.
        let ip = self.range.nth_v4(u32::try_from(given.by_name.len()).ok()? + 1)?;
        given.by_name.insert(name.to_owned(), ip);
        given.by_address.insert(ip, name.to_owned());
        Some(ip)
    }

    /// The host that is meant by an address that a client connects to: the name it was given out for.
    pub(crate) fn host_of(&self, ip: IpAddr) -> Host {
        let host = crate::name::address(ip);
        let Host::Address(IpAddr::V4(v4)) = host else { return host };
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.by_address.get(&v4).map_or(host, |name| Host::Name(name.clone()))
    }
}

/// Answers one message. `None` when it is no question to answer.
pub(crate) fn answer(context: &Context, client: Option<SocketAddr>, message: &[u8]) -> Option<Vec<u8>> {
    let asked = match Message::from_vec(message) {
        Ok(asked) => asked,
        Err(_) => {
            // Without its first twelve bytes there is nobody to answer.
            let id = u16::from_be_bytes(message.get(..2)?.try_into().ok()?);
            let reply = message.len() >= 12 && message.get(2).is_some_and(|flags| flags & 0x80 == 0);
            return reply
                .then(|| Message::error_msg(id, OpCode::Query, ResponseCode::FormErr).to_vec().ok())
                .flatten();
        }
    };
    if asked.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
    reply.metadata.recursion_desired = asked.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.metadata.response_code = match (asked.metadata.op_code, asked.queries.as_slice()) {
        (OpCode::Query, [query]) => {
            reply.add_query(query.clone());
            let (code, records) = judge(context, client, query);
            reply.add_answers(records);
            code
        }
        (OpCode::Query, _) => ResponseCode::FormErr,
        _ => ResponseCode::NotImp,
    };
    reply.to_vec().ok()
}

fn judge(context: &Context, client: Option<SocketAddr>, query: &Query) -> (ResponseCode, Vec<Record>) {
    let text = name_text(query.name());
    if query.query_class() != DNSClass::IN {
        return (ResponseCode::Refused, Vec::new());
    }
    if let Some(name) = reverse_name(context, query) {
        let target = Name::from_ascii(format!("{name}.")).map(|n| RData::PTR(PTR(n)));
        return (ResponseCode::NoError, target.map(|d| record(query, d)).into_iter().collect());
    }
    let mut event = Event::new(Via::Dns, What::Lookup, Outcome::Denied);
    event.client = client;
    event.host = shown(&text);
    DEFAULT_DENY.clone_into(&mut event.rule);
    let host = std::str::from_utf8(&text).map_err(|_| crate::NameError::NotAscii).and_then(read_host);
    let name = match host {
        Ok(Host::Name(name)) => name,
        Ok(Host::Address(_)) => String::new(),
        Err(e) => {
            event.reason = Some(Reason::Name);
            event.detail = e.to_string();
            context.observer.event(event);
            return (ResponseCode::NXDomain, Vec::new());
        }
    };
    if name == "localhost" || name.ends_with(".localhost") {
        // RFC 6761 §6.3: a resolver answers for it itself. It is the command's own loopback.
        return (ResponseCode::NoError, loopback(query));
    }
    let Some(rule) = context.rules.judge_lookup(&Host::Name(name.clone())) else {
        event.reason = Some(Reason::Host);
        event.detail = format!("no rule allows `{}`", event.host);
        context.observer.event(event);
        return (ResponseCode::NXDomain, Vec::new());
    };
    rule.clone_into(&mut event.rule);
    let Some(ip) = context.names.address_of(&name) else {
        event.outcome = Outcome::Failed;
        event.reason = Some(Reason::Limit);
        "the name server has given out as many addresses as it may".clone_into(&mut event.detail);
        context.observer.event(event);
        return (ResponseCode::ServFail, Vec::new());
    };
    event.outcome = Outcome::Made;
    event.address = Some(IpAddr::V4(ip));
    context.observer.event(event);
    // Other kinds of records are empty: an address is all that is needed, and HTTPS records would hide names (ECH).
    let records =
        if query.query_type() == RecordType::A { vec![record(query, RData::A(A(ip)))] } else { Vec::new() };
    (ResponseCode::NoError, records)
}

/// The names of the hosts in a message's questions; `None` when the message is malformed.
pub(crate) fn names_asked(message: &[u8]) -> Option<Vec<String>> {
    let asked = Message::from_vec(message).ok()?;
    let host = |q: &Query| match std::str::from_utf8(&name_text(q.name())).map(read_host) {
        Ok(Ok(Host::Name(name))) => Some(name),
        _ => None,
    };
    Some(asked.queries.iter().filter_map(host).collect())
}

/// The name as text. A byte that could be taken for a dot or an escape makes it one that no host has.
fn name_text(name: &Name) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.iter() {
        if !out.is_empty() {
            out.push(b'.');
        }
        out.extend(label.iter().map(|b| if *b == b'.' { b' ' } else { *b }));
    }
    out
}

fn record(query: &Query, data: RData) -> Record {
    Record::from_rdata(query.name().clone(), TTL, data)
}

fn loopback(query: &Query) -> Vec<Record> {
    match query.query_type() {
        RecordType::A => vec![record(query, RData::A(A(Ipv4Addr::LOCALHOST)))],
        RecordType::AAAA => vec![record(query, RData::AAAA(AAAA(Ipv6Addr::LOCALHOST)))],
        _ => Vec::new(),
    }
}

/// The name of an address that was given out, when that is what is asked for.
fn reverse_name(context: &Context, query: &Query) -> Option<String> {
    if query.query_type() != RecordType::PTR {
        return None;
    }
    let text = String::from_utf8(name_text(query.name())).ok()?.to_ascii_lowercase();
    let mut octets: Vec<&str> = text.strip_suffix(".in-addr.arpa")?.split('.').collect();
    octets.reverse();
    let ip: Ipv4Addr = octets.join(".").parse().ok()?;
    match context.names.host_of(IpAddr::V4(ip)) {
        Host::Name(name) => Some(name),
        Host::Address(_) => None,
    }
}

/// Answers what waits at a UDP socket, at most so many messages at once that others get their turn.
pub(crate) fn serve_udp(context: &Context, socket: &UdpSocket) {
    let mut room = [0; 4096];
    for _ in 0..64 {
        let Ok((n, from)) = socket.recv_from(&mut room) else { return };
        if let Some(reply) = answer(context, Some(from), room.get(..n).unwrap_or_default()) {
            // A client that is gone misses nothing.
            let _ = socket.send_to(&reply, from);
        }
    }
}

/// Answers questions over one TCP connection until it ends.
pub(crate) fn serve_tcp(context: &Context, mut stream: &TcpStream) -> std::io::Result<()> {
    let client = stream.peer_addr().ok();
    let wait = Some(context.rules.limits.greeting);
    stream.set_read_timeout(wait)?;
    stream.set_write_timeout(wait)?;
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut message)?;
        let Some(reply) = answer(context, client, &message) else { return Ok(()) };
        let Ok(length) = u16::try_from(reply.len()) else { return Ok(()) };
        let mut out = length.to_be_bytes().to_vec();
        out.extend_from_slice(&reply);
        stream.write_all(&out)?;
    }
}
