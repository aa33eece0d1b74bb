//! Connections to hosts that HTTP requests are sent on by, kept from one request to the next.

use crate::event::Reason;
use crate::http::{Buffered, Wire};
use crate::name::Target;
use crate::rules::Denial;
use crate::serve::Watched;
use crate::session::{Dialled, unread};
use crate::tls::Interception;
use rustls::StreamOwned;
use std::io;
use std::net::IpAddr;

/// A connection to a host that requests go to.
pub(crate) struct Upstream<'c> {
    pub(crate) target: Target,
    pub(crate) ip: IpAddr,
    pub(crate) wire: Buffered<Box<dyn Wire>>,
    /// Why TLS could not be set up; told at the first request, when there is somebody to tell.
    pub(crate) failed: Option<Denial>,
    /// Bytes sent and received over all requests.
    pub(crate) up: u64,
    pub(crate) down: u64,
    _watched: Watched<'c>,
}

impl<'c> Upstream<'c> {
    pub(crate) fn plain(target: Target, dialled: Dialled<'c>) -> Self {
        Self {
            target,
            ip: dialled.ip,
            wire: Buffered::new(Box::new(dialled.stream)),
            failed: None,
            up: 0,
            down: 0,
            _watched: dialled.watched,
        }
    }

    /// With TLS, in which the host must prove its name.
    pub(crate) fn tls(target: Target, dialled: Dialled<'c>, interception: &Interception) -> Self {
        let Dialled { mut stream, ip, watched } = dialled;
        let made = interception.client(&target.host).map_err(io::Error::other).and_then(|mut connection| {
            while connection.is_handshaking() {
                connection.complete_io(&mut stream)?;
            }
            Ok(connection)
        });
        let (wire, failed): (Box<dyn Wire>, _) = match made {
            Ok(connection) => (Box::new(StreamOwned::new(connection, stream)), None),
            Err(e) => {
                let why = format!("TLS with `{}` failed: {e}", target.host);
                (Box::new(stream), Some(unread(Reason::Certificate, why)))
            }
        };
        Self { target, ip, wire: Buffered::new(wire), failed, up: 0, down: 0, _watched: watched }
    }
}
