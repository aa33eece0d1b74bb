//! SOCKS 5 (RFC 1928): CONNECT without authentication. Names are taken as they are and never looked up by the client.

use crate::event::Reason;
use crate::http::Buffered;
use crate::name::{Target, address, read_host, shown};
use crate::proxy::settled;
use crate::session::{Session, unread};
use crate::tunnel;
use std::io::{self, Read, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};

/// What the client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A connection.
    Connect(Target),
    /// Something that is refused: the reply's code, what was read of the host, and why.
    Refused(u8, Vec<u8>, &'static str),
}

/// Reads the request that follows the choice of a method: version, command, host and port.
///
/// # Errors
/// When the bytes end too early.
pub(crate) fn read_request(from: &mut impl Read) -> io::Result<Asked> {
    let [version, command, reserved, kind] = read_array(from)?;
    if version != 5 || reserved != 0 {
        return Ok(Asked::Refused(1, Vec::new(), "the message is no SOCKS 5 request"));
    }
    let host = match kind {
        1 => Ok(address(IpAddr::V4(Ipv4Addr::from(read_array::<4>(from)?)))),
        4 => Ok(address(IpAddr::V6(Ipv6Addr::from(read_array::<16>(from)?)))),
        3 => {
            let [length] = read_array(from)?;
            let mut name = vec![0; length.into()];
            from.read_exact(&mut name)?;
            // An address in brackets or letters is no name; clients have a form of their own for addresses.
            std::str::from_utf8(&name).ok().and_then(|n| read_host(n).ok()).ok_or(name)
        }
        _ => return Ok(Asked::Refused(8, Vec::new(), "the kind of address is not known")),
    };
    let port = u16::from_be_bytes(read_array(from)?);
    Ok(match host {
        _ if command != 1 => Asked::Refused(7, Vec::new(), "only CONNECT is offered"),
        Err(name) => Asked::Refused(2, name, "the host is malformed or ambiguous"),
        Ok(_) if port == 0 => Asked::Refused(2, Vec::new(), "the port is 0"),
        Ok(host) => Asked::Connect(Target { host, port }),
    })
}

fn read_array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn serve(session: Session<'_>, stream: TcpStream) -> io::Result<()> {
    let mut client = Buffered::new(stream);
    let refuse = |text: &[u8], reason, why: &str| session.tell_unread(text, &unread(reason, why));
    let [version, count] = read_array(&mut client)?;
    if version != 5 {
        refuse(b"", Reason::Protocol, "the client does not speak SOCKS 5");
        // SOCKS 4 knows this as "rejected".
        return if version == 4 { client.write_all(&[0, 0x5b, 0, 0, 0, 0, 0, 0]) } else { Ok(()) };
    }
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods)?;
    if !methods.contains(&0) {
        refuse(b"", Reason::Protocol, "the client insists on authentication");
        return client.write_all(&[5, 0xff]);
    }
    client.write_all(&[5, 0])?;
    match read_request(&mut client)? {
        Asked::Refused(code, text, why) => {
            let reason = if code == 2 { Reason::Name } else { Reason::Protocol };
            refuse(shown(&text).as_bytes(), reason, why);
            reply(&mut client, code)
        }
        Asked::Connect(target) => {
            let target = Target { host: settled(session, target.host), port: target.port };
            match session.reach(&target) {
                Ok((grant, dialled)) => {
                    reply(&mut client, 0)?;
                    tunnel::carry(session, client, &target, &grant, dialled)
                }
                Err(denial) => reply(
                    &mut client,
                    match denial.reason {
                        Reason::Lookup => 4,
                        Reason::Unreachable => 5,
                        Reason::Limit => 1,
                        _ => 2,
                    },
                ),
            }
        }
    }
}

/// The reply with an address that tells nothing.
fn reply(client: &mut Buffered<TcpStream>, code: u8) -> io::Result<()> {
    client.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0])
}
