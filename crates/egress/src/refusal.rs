//! What a client of HTTP is told of a denial.

use crate::http::{Buffered, Wire};
use crate::name::Target;
use crate::rules::Denial;
use crate::session::Session;
use std::io::{self, Write as _};
use std::net::Shutdown;
use std::time::Duration;

/// Most bytes that are still taken from a client after a denial, so that it reads the answer.
const DRAIN: usize = 1 << 20;

/// Answers with a denial, and ends the connection so that the client can read it.
pub(crate) fn answer<W: Wire>(
    client: &mut Buffered<W>,
    session: &Session<'_>,
    status: u16,
    denial: &Denial,
    target: Option<&Target>,
) -> io::Result<()> {
    let phrase = match status {
        400 => "Bad Request",
        403 => "Forbidden by Ambit",
        413 => "Content Too Large",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        _ => "Bad Gateway",
    };
    let (header, body) = session.words(denial, target);
    write!(
        client,
        "HTTP/1.1 {status} {phrase}\r\nX-Ambit-Reason: {header}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    client.flush()?;
    let tcp = client.tcp();
    tcp.shutdown(Shutdown::Write)?;
    tcp.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut left = DRAIN;
    let mut room = [0; 4096];
    while left > 0 {
        match io::Read::read(&mut client.tcp(), &mut room) {
            Ok(0) | Err(_) => break,
            Ok(n) => left = left.saturating_sub(n),
        }
    }
    Ok(())
}
