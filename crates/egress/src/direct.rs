//! Connections straight to an address: those that the name server gave out, and shared loopback ports.

use crate::http::Buffered;
use crate::name::Target;
use crate::session::Session;
use crate::tunnel;
use model::Host;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpStream};

pub(crate) fn serve(session: Session<'_>, stream: TcpStream) -> io::Result<()> {
    let asked = stream.local_addr()?;
    let target = Target { host: session.context.names.host_of(asked.ip()), port: asked.port() };
    reach(session, stream, &target)
}

pub(crate) fn serve_loopback(session: Session<'_>, stream: TcpStream) -> io::Result<()> {
    let port = stream.local_addr()?.port();
    reach(session, stream, &Target { host: Host::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)), port })
}

fn reach(session: Session<'_>, stream: TcpStream, target: &Target) -> io::Result<()> {
    let mut client = Buffered::new(stream);
    match session.reach(target) {
        Ok((grant, dialled)) => tunnel::carry(session, client, target, &grant, dialled),
        // Plain HTTP can be told why; what else comes is closed.
        Err(denial) if target.port == 80 => {
            client.more()?;
            let status = if denial.reason.is_denial() { 403 } else { 502 };
            crate::refusal::answer(&mut client, &session, status, &denial, Some(target))
        }
        Err(_) => tunnel::deny_opening(client),
    }
}
