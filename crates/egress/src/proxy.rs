//! The HTTP proxy's port: CONNECT, and requests that name a whole URL.

use crate::event::Reason;
use crate::forward::Forward;
use crate::http::{Buffered, RequestHead};
use crate::name::Target;
use crate::refusal::answer;
use crate::session::{Session, unread};
use crate::tunnel;
use model::Host;
use std::io::{self, Write as _};
use std::net::TcpStream;

pub(crate) fn serve(session: Session<'_>, stream: TcpStream) -> io::Result<()> {
    let mut client = Buffered::new(stream);
    let bytes = match client.read_head(session.context.rules.limits.head) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => {
            let denial = unread(Reason::Limit, "the head of the request is too long");
            session.tell_unread(b"", &denial);
            return answer(&mut client, &session, 431, &denial, None);
        }
        Err(e) => return Err(e),
    };
    if !bytes.starts_with(b"CONNECT ") {
        return Forward::proxy(session).run_from(client, &bytes);
    }
    connect(session, client, &bytes)
}

fn connect(session: Session<'_>, mut client: Buffered<TcpStream>, bytes: &[u8]) -> io::Result<()> {
    let refuse = |client: &mut Buffered<TcpStream>, status, text: &[u8], denial| {
        session.tell_unread(text, &denial);
        answer(client, &session, status, &denial, None)
    };
    let head = match RequestHead::read(bytes) {
        Ok(head) => head,
        Err(e) => {
            let line = bytes.split(|b| *b == b'\r').next().unwrap_or_default();
            return refuse(&mut client, 400, line, unread(Reason::Malformed, e.to_string()));
        }
    };
    let text = head.target.as_bytes();
    let target = match Target::read(&head.target, None) {
        Ok(target) => target,
        Err(e) => return refuse(&mut client, 400, text, unread(Reason::Name, e.to_string())),
    };
    if let Some(host) = head.header("host") {
        let named = std::str::from_utf8(host).ok().and_then(|h| Target::read(h, Some(target.port)).ok());
        if named.as_ref() != Some(&target) {
            return refuse(
                &mut client,
                421,
                text,
                unread(Reason::Mismatch, "CONNECT and `Host` name different hosts"),
            );
        }
    }
    let target = Target { host: settled(session, target.host), port: target.port };
    match session.reach(&target) {
        Ok((grant, dialled)) => {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            tunnel::carry(session, client, &target, &grant, dialled)
        }
        Err(denial) => answer(
            &mut client,
            &session,
            if denial.reason.is_denial() { 403 } else { 502 },
            &denial,
            Some(&target),
        ),
    }
}

/// The host that is meant: an address that the name server gave out means its name.
pub(crate) fn settled(session: Session<'_>, host: Host) -> Host {
    match host {
        Host::Address(ip) => session.context.names.host_of(ip),
        name @ Host::Name(_) => name,
    }
}
