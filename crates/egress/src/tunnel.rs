//! A connection whose target is settled: what it carries must agree with it.

use crate::event::{Outcome, Reason, What};
use crate::forward::Forward;
use crate::hello::Hello;
use crate::http::{Buffered, Wire as _};
use crate::name::{Target, read_host, shown};
use crate::pump::pump;
use crate::rules::{Denial, Grant, Traffic};
use crate::session::{Dialled, Session};
use crate::upstream::Upstream;
use model::Host;
use rustls::{ServerConnection, StreamOwned};
use std::io::{self, Write as _};
use std::net::TcpStream;

/// `access_denied` as a fatal alert of TLS (RFC 8446 §6), which clients show as such.
const ACCESS_DENIED: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 49];

/// What a connection begins with.
enum Opening {
    Tls { name: Option<String>, hidden: bool },
    Http,
    Nothing,
    Other,
}

/// Carries one connection whose host has been dialled, until it ends.
pub(crate) fn carry(
    session: Session<'_>,
    mut client: Buffered<TcpStream>,
    target: &Target,
    grant: &Grant<'_>,
    dialled: Dialled<'_>,
) -> io::Result<()> {
    if grant.traffic == Traffic::Raw {
        return straight(session, client, target, grant, dialled);
    }
    session.set_patience(client.tcp(), session.context.rules.limits.greeting)?;
    let denial = match opening(&mut client)? {
        Opening::Nothing => {
            ended(session, target, grant, &dialled, 0, 0);
            return Ok(());
        }
        Opening::Http => return plain(session, client, target, grant, dialled),
        Opening::Tls { name, hidden } => match check_name(target, grant, name.as_deref(), hidden) {
            Ok(()) if grant.open_tls => return opened(session, client, target, grant, dialled),
            Ok(()) => return straight(session, client, target, grant, dialled),
            Err(denial) => {
                client.write_all(&ACCESS_DENIED)?;
                denial
            }
        },
        Opening::Other => {
            let why =
                format!("the rule for `{}` allows only TLS and HTTP on port {}", target.host, target.port);
            Denial::new(Reason::Protocol, grant.rule, why)
        }
    };
    session.tell_denied(target, &denial);
    Ok(())
}

fn opening(client: &mut Buffered<TcpStream>) -> io::Result<Opening> {
    loop {
        match client.ahead().first() {
            None => {}
            Some(b'A'..=b'Z') => return Ok(Opening::Http),
            Some(0x16) => match Hello::read(client.ahead()) {
                Hello::Short => {}
                Hello::Malformed => return Ok(Opening::Other),
                Hello::Greeting { name, hidden } => return Ok(Opening::Tls { name, hidden }),
            },
            Some(_) => return Ok(Opening::Other),
        }
        if !client.more()? {
            return Ok(if client.ahead().is_empty() { Opening::Nothing } else { Opening::Other });
        }
    }
}

/// The name in the greeting must be the host that the connection was asked for.
fn check_name(target: &Target, grant: &Grant<'_>, name: Option<&str>, hidden: bool) -> Result<(), Denial> {
    let deny = |reason, detail: String| Err(Denial::new(reason, grant.rule, detail));
    if hidden && !grant.hidden_name {
        return deny(
            Reason::Hidden,
            format!("the TLS greeting to `{}` hides a name (encrypted client hello)", target.host),
        );
    }
    match (name, &target.host) {
        (Some(name), host) => match read_host(name) {
            Ok(read) if read == *host && !name.ends_with('.') => Ok(()),
            _ => deny(
                Reason::Mismatch,
                format!("the TLS greeting names `{}`, the connection is to `{host}`", shown(name.as_bytes())),
            ),
        },
        // A host that is an address has no name to send (RFC 6066 §3).
        (None, Host::Address(_)) => Ok(()),
        (None, Host::Name(_)) if grant.hidden_name => Ok(()),
        (None, host) => deny(Reason::Hidden, format!("the TLS greeting to `{host}` names no host")),
    }
}

fn straight(
    session: Session<'_>,
    client: Buffered<TcpStream>,
    target: &Target,
    grant: &Grant<'_>,
    dialled: Dialled<'_>,
) -> io::Result<()> {
    let (stream, ahead) = client.into_parts();
    let (up, down) = pump(&stream, ahead, &dialled.stream, session.context.rules.limits.idle);
    ended(session, target, grant, &dialled, up, down);
    Ok(())
}

fn plain(
    session: Session<'_>,
    client: Buffered<TcpStream>,
    target: &Target,
    grant: &Grant<'_>,
    dialled: Dialled<'_>,
) -> io::Result<()> {
    let upstream = Upstream::plain(target.clone(), dialled);
    Forward::fixed(session, target.clone(), false, grant.rule, Some(upstream)).run(client)
}

fn opened(
    session: Session<'_>,
    client: Buffered<TcpStream>,
    target: &Target,
    grant: &Grant<'_>,
    dialled: Dialled<'_>,
) -> io::Result<()> {
    let Some(interception) = &session.context.rules.interception else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let config = interception.server(&target.host).map_err(io::Error::other)?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, client);
    if let Err(e) = stream.conn.complete_io(&mut stream.sock) {
        let why =
            format!("the client did not accept the certificate that Ambit shows for `{}`: {e}", target.host);
        session.tell_denied(target, &Denial::new(Reason::Certificate, grant.rule, why));
        return Err(e);
    }
    let upstream = Upstream::tls(target.clone(), dialled, interception);
    Forward::fixed(session, target.clone(), true, grant.rule, Some(upstream)).run(Buffered::new(stream))
}

fn ended(
    session: Session<'_>,
    target: &Target,
    grant: &Grant<'_>,
    dialled: &Dialled<'_>,
    up: u64,
    down: u64,
) {
    let mut event = session.event(What::Connect, Outcome::Ended, target);
    grant.rule.clone_into(&mut event.rule);
    event.address = Some(dialled.ip);
    (event.up, event.down) = (up, down);
    session.tell(event);
}

/// Ends a connection that was denied before it began: a client of TLS is told so in its own words.
pub(crate) fn deny_opening(mut client: Buffered<TcpStream>) -> io::Result<()> {
    client.more()?;
    if client.ahead().first() == Some(&0x16) { client.write_all(&ACCESS_DENIED) } else { Ok(()) }
}
