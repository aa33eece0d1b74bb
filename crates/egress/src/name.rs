//! Names of hosts, read once and strictly, whatever channel they come by.

use model::Host;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Why a text is not taken for a host or target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("the host is empty")]
    Empty,
    /// A byte, label or length that no DNS name has (NUL, blanks, controls, `%`, `/` …).
    #[error("the host is no DNS name and no address; write letters, digits, hyphens and dots only")]
    Malformed,
    /// A spelling of an address by numbers that programs read differently (`2130706433`, `0x7f.1`, `127.1`).
    #[error("the host is an address in an ambiguous spelling; write it as four decimal numbers or as IPv6")]
    Numeric,
    /// Letters outside ASCII on the wire.
    #[error("the host has letters outside ASCII; write its `xn--` form")]
    NotAscii,
    /// An `xn--` label that no valid name has (RFC 5891, UTS 46).
    #[error("the host has an `xn--` label that stands for no valid name")]
    Idna,
    /// The port is missing or no number from 1 to 65535.
    #[error("the port is missing or no number from 1 to 65535")]
    Port,
}

/// Reads a host as it stands on the wire: an ASCII DNS name (one final dot is dropped), an IPv4 address in four decimal
/// numbers, or an IPv6 address with or without brackets. An IPv4 address mapped into IPv6 becomes the IPv4 address.
///
/// # Errors
/// [`NameError`] for everything else, above all for what two programs could read differently.
pub fn read_host(text: &str) -> Result<Host, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if !text.is_ascii() {
        return Err(NameError::NotAscii);
    }
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(NameError::Malformed)?;
        let ip: Ipv6Addr = inner.parse().map_err(|_| NameError::Malformed)?;
        return Ok(address(IpAddr::V6(ip)));
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(address(ip));
    }
    match Host::parse(text) {
        None => Err(NameError::Malformed),
        Some(Host::Address(_)) => Err(NameError::Numeric),
        Some(Host::Name(name)) => {
            check_labels(&name)?;
            Ok(Host::Name(name))
        }
    }
}

/// Reads a host as a person writes it in a rule: as [`read_host`], but letters outside ASCII become their `xn--` form.
///
/// # Errors
/// [`NameError`], as [`read_host`].
pub fn read_written_host(text: &str) -> Result<Host, NameError> {
    if text.is_ascii() {
        return read_host(text);
    }
    read_host(&idna::domain_to_ascii(text).map_err(|_| NameError::Idna)?)
}

/// An address as a host; IPv4 mapped into IPv6 becomes IPv4.
pub(crate) fn address(ip: IpAddr) -> Host {
    Host::Address(match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    })
}

fn check_labels(name: &str) -> Result<(), NameError> {
    // Resolvers and URL parsers try to read a name whose last label is a number as an address (WHATWG URL, inet_aton).
    let last = name.rsplit('.').next().unwrap_or("");
    let hex = last.strip_prefix("0x").is_some_and(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
    if hex || last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NameError::Numeric);
    }
    if name.split('.').any(|l| l.ends_with('-')) {
        return Err(NameError::Malformed);
    }
    if name.split('.').any(|l| l.starts_with("xn--")) {
        let (unicode, valid) = idna::domain_to_unicode(name);
        let back = idna::domain_to_ascii(&unicode);
        if valid.is_err() || !back.is_ok_and(|b| b == name) {
            return Err(NameError::Idna);
        }
    }
    Ok(())
}

/// A host and a port: what a connection is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The host.
    pub host: Host,
    /// The TCP port.
    pub port: u16,
}

impl Target {
    /// Reads `host:port`; without a port, `default` is taken. IPv6 needs brackets here.
    ///
    /// # Errors
    /// [`NameError`] when either part is not strictly well formed.
    pub fn read(text: &str, default: Option<u16>) -> Result<Self, NameError> {
        let (host, port) = if text.starts_with('[') {
            let (inner, rest) = text.split_once(']').ok_or(NameError::Malformed)?;
            let host = read_host(&format!("{inner}]"))?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(NameError::Malformed),
            }
        } else {
            match text.split_once(':') {
                Some((host, port)) => (read_host(host)?, Some(port)),
                None => (read_host(text)?, None),
            }
        };
        let port = match port {
            Some(digits) => read_port(digits)?,
            None => default.ok_or(NameError::Port)?,
        };
        Ok(Self { host, port })
    }

    /// The target as it stands in a `Host` header when `default` is the scheme's port.
    #[must_use]
    pub fn authority(&self, default: u16) -> String {
        let host = match &self.host {
            Host::Address(IpAddr::V6(ip)) => format!("[{ip}]"),
            other => other.to_string(),
        };
        if self.port == default { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority(0))
    }
}

pub(crate) fn read_port(digits: &str) -> Result<u16, NameError> {
    if digits.is_empty() || digits.len() > 5 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NameError::Port);
    }
    digits.parse::<u16>().ok().filter(|p| *p != 0).ok_or(NameError::Port)
}

/// The host and port of a URL (`https://user@host:8443/path`), for reading clients' configuration; the user's part is dropped.
pub(crate) fn url_target(url: &str) -> Option<Target> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let default = match scheme.rsplit('+').next().unwrap_or(scheme).to_ascii_lowercase().as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let authority = authority.rsplit_once('@').map_or(authority, |(_, a)| a);
    let authority =
        if authority.is_ascii() { authority.to_owned() } else { idna::domain_to_ascii(authority).ok()? };
    Target::read(&authority, Some(default)).ok()
}

/// A text from outside for an event or an answer: controls escaped, cut to 255 characters.
pub(crate) fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(255).flat_map(char::escape_debug).collect()
}
