//! The network of a command: a namespace with nothing but its own loopback, in which every address leads to the sockets of
//! the supervisor.

use super::sys;
use crate::error::{ContainError, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrV4, SocketFlags, SocketType, bind, listen, sendto, socket_with,
    sockopt,
};
use std::net::Ipv4Addr;

/// The HTTP proxy's port inside.
pub(super) const HTTP_PORT: u16 = 3128;
/// The SOCKS proxy's port inside.
pub(super) const SOCKS_PORT: u16 = 1080;
/// Ports at which every address is served by the proxy: HTTP, HTTPS, SSH, git.
pub(super) const DIRECT_PORTS: [u16; 4] = [80, 443, 22, 9418];
/// The name server's port.
pub(super) const DNS_PORT: u16 = 53;

/// How many connections wait to be accepted.
const BACKLOG: i32 = 256;

/// Sockets in the order in which they travel to the supervisor: HTTP, SOCKS, the direct ports, DNS by UDP, DNS by TCP.
pub(super) const SOCKETS: usize = DIRECT_PORTS.len() + 4;

/// Sets the loopback up, leads every address to it and opens the supervisor's sockets.
pub(super) fn raise() -> Result<Vec<OwnedFd>> {
    let any = Ipv4Addr::UNSPECIFIED;
    let local = Ipv4Addr::LOCALHOST;
    let udp = socket(SocketType::DGRAM)?;
    sys::interface_up(udp.as_fd(), c"lo").map_err(|e| ContainError::setup("switching the loopback on", e))?;
    route_everything_here()?;
    let mut sockets = Vec::with_capacity(SOCKETS);
    sockets.push(listener(local, HTTP_PORT)?);
    sockets.push(listener(local, SOCKS_PORT)?);
    for port in DIRECT_PORTS {
        sockets.push(listener(any, port)?);
    }
    bind(&udp, &SocketAddrV4::new(any, DNS_PORT))
        .map_err(|e| ContainError::setup("opening the name server", e))?;
    sockets.push(udp);
    sockets.push(listener(any, DNS_PORT)?);
    Ok(sockets)
}

fn socket(kind: SocketType) -> Result<OwnedFd> {
    socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)
        .map_err(|e| ContainError::setup("making a socket", e))
}

/// A listening socket. Also used in tier B, on a port that the system chooses.
pub(super) fn listener(address: Ipv4Addr, port: u16) -> Result<OwnedFd> {
    let made = socket(SocketType::STREAM)?;
    let fail = |e| ContainError::setup(format!("listening on port {port}"), e);
    // A command may bind the same port on another address.
    sockopt::set_socket_reuseaddr(&made, true).map_err(fail)?;
    bind(&made, &SocketAddrV4::new(address, port)).map_err(fail)?;
    listen(&made, BACKLOG).map_err(fail)?;
    Ok(made)
}

/// The port to which a socket is bound.
pub(super) fn port_of(socket: &OwnedFd) -> Result<u16> {
    rustix::net::getsockname(socket)
        .and_then(std::net::SocketAddr::try_from)
        .map(|a| a.port())
        .map_err(|e| ContainError::setup("asking a socket's port", e))
}

/// `ip route add local 0.0.0.0/0 dev lo table local`, as one netlink message.
fn route_everything_here() -> Result<()> {
    let fail = |e: rustix::io::Errno| ContainError::setup("leading addresses to the proxy", e);
    let link = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // The protocol `ROUTE` is number 0.
        None,
    )
    .map_err(fail)?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&link, &route_message(), SendFlags::empty(), &kernel).map_err(fail)?;
    let mut answer = [0_u8; 256];
    let (read, _) = rustix::net::recv(&link, &mut answer, rustix::net::RecvFlags::empty()).map_err(fail)?;
    // `nlmsghdr` is 16 bytes; the error's number follows: 0 is the acknowledgement.
    let number = answer
        .get(..read)
        .and_then(|a| a.get(16..20))
        .and_then(|b| b.try_into().ok())
        .map_or(-libc::EIO, i32::from_ne_bytes);
    match number {
        0 => Ok(()),
        other => Err(ContainError::setup(
            "leading addresses to the proxy",
            std::io::Error::from_raw_os_error(-other),
        )),
    }
}

/// The message, by `linux/netlink.h` and `linux/rtnetlink.h`.
fn route_message() -> Vec<u8> {
    const RTM_NEWROUTE: u16 = 24;
    const NLM_F_REQUEST_ACK_CREATE_EXCL: u16 = 0x1 | 0x4 | 0x400 | 0x200;
    const RT_TABLE_LOCAL: u8 = 255;
    const RTPROT_BOOT: u8 = 3;
    const RT_SCOPE_HOST: u8 = 254;
    const RTN_LOCAL: u8 = 2;
    const RTA_OIF: u16 = 4;
    // The loopback is the first interface of every network namespace.
    const LOOPBACK: u32 = 1;
    let mut body = vec![
        u8::try_from(libc::AF_INET).unwrap_or(2), // family
        0,                                        // length of the destination: every address
        0,                                        // length of the source
        0,                                        // type of service
        RT_TABLE_LOCAL,
        RTPROT_BOOT,
        RT_SCOPE_HOST,
        RTN_LOCAL,
    ];
    body.extend_from_slice(&0_u32.to_ne_bytes()); // flags
    body.extend_from_slice(&8_u16.to_ne_bytes()); // this attribute's length
    body.extend_from_slice(&RTA_OIF.to_ne_bytes());
    body.extend_from_slice(&LOOPBACK.to_ne_bytes());
    let length = u32::try_from(16 + body.len()).unwrap_or_default();
    let mut message = Vec::with_capacity(16 + body.len());
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&RTM_NEWROUTE.to_ne_bytes());
    message.extend_from_slice(&NLM_F_REQUEST_ACK_CREATE_EXCL.to_ne_bytes());
    message.extend_from_slice(&1_u32.to_ne_bytes()); // number of the message
    message.extend_from_slice(&0_u32.to_ne_bytes()); // port of the sender
    message.extend_from_slice(&body);
    message
}
