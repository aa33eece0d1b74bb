//! A network host parsed once into one strict type.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host as it would be connected to: a DNS name in lower case or an address.
///
/// Only letters, digits, hyphens, underscores and dots make a name; numeric spellings of addresses that
/// resolvers accept (`0x7f.1`, `2130706433`) are parsed as the address they mean.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Host {
    /// An IPv4 or IPv6 address.
    Address(IpAddr),
    /// A DNS name, lower case, without the final dot.
    Name(String),
}

/// Where a host lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostZone {
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, unique local, `.local`, `.internal`, a name without a dot).
    Private,
    /// The address at which clouds hand credentials to machines (169.254.169.254 and its kin).
    Metadata,
    /// The public network.
    Public,
    /// Not known before the command runs.
    Unknown,
}

impl HostZone {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Metadata => "metadata",
            Self::Public => "public",
            Self::Unknown => "unknown",
        }
    }
}

impl Host {
    /// Parses a host name or address, without port. `None` when the text is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(Self::Address(unmap(ip)));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.is_empty() || name.len() > 253 {
            return None;
        }
        if let Some(ip) = numeric_ipv4(&name) {
            return Some(Self::Address(IpAddr::V4(ip)));
        }
        let label_ok = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !l.starts_with('-')
        };
        name.split('.').all(label_ok).then_some(Self::Name(name))
    }

    /// Where the host lies, as far as its name or address tells.
    #[must_use]
    pub fn zone(&self) -> HostZone {
        match self {
            Self::Address(IpAddr::V4(ip)) => v4_zone(*ip),
            Self::Address(IpAddr::V6(ip)) => {
                if ip.is_loopback() || ip.is_unspecified() {
                    HostZone::Loopback
                } else if *ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) {
                    HostZone::Metadata
                } else if (ip.segments().first().copied().unwrap_or(0) & 0xfe00) == 0xfc00
                    || (ip.segments().first().copied().unwrap_or(0) & 0xffc0) == 0xfe80
                {
                    HostZone::Private
                } else {
                    HostZone::Public
                }
            }
            Self::Name(n) => {
                let last = n.rsplit('.').next().unwrap_or("");
                if n == "localhost" || last == "localhost" {
                    HostZone::Loopback
                } else if n == "metadata.google.internal" || n == "metadata" || n == "metadata.goog" {
                    HostZone::Metadata
                } else if !n.contains('.') || matches!(last, "local" | "internal" | "lan" | "home" | "corp") {
                    HostZone::Private
                } else {
                    HostZone::Public
                }
            }
        }
    }

    /// Whether this host is `domain` or a name beneath it.
    #[must_use]
    pub fn is_under(&self, domain: &str) -> bool {
        match self {
            Self::Name(n) => {
                n == domain
                    || n.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.') && !domain.is_empty())
            }
            Self::Address(a) => a.to_string() == domain,
        }
    }
}

fn unmap(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

fn v4_zone(ip: Ipv4Addr) -> HostZone {
    if ip.is_loopback() || ip.is_unspecified() {
        HostZone::Loopback
    } else if ip == Ipv4Addr::new(169, 254, 169, 254)
        || ip == Ipv4Addr::new(169, 254, 170, 2)
        || ip == Ipv4Addr::new(100, 100, 100, 200)
    {
        HostZone::Metadata
    } else if ip.is_private() || ip.is_link_local() {
        HostZone::Private
    } else {
        HostZone::Public
    }
}

/// The address that `inet_aton` reads from one to four decimal, octal or hexadecimal numbers.
fn numeric_ipv4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u64> = text
        .split('.')
        .map(|p| {
            if let Some(hex) = p.strip_prefix("0x") {
                u64::from_str_radix(hex, 16).ok()
            } else if p.len() > 1 && p.starts_with('0') {
                u64::from_str_radix(p, 8).ok()
            } else if !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) {
                p.parse().ok()
            } else {
                None
            }
        })
        .collect::<Option<_>>()?;
    let (last, heads) = parts.split_last()?;
    if heads.len() > 3 || heads.iter().any(|h| *h > 255) {
        return None;
    }
    let tail_bits = 8 * (4 - heads.len() as u32);
    if *last >= 1u64 << tail_bits {
        return None;
    }
    let mut value = *last;
    for (i, head) in heads.iter().enumerate() {
        value |= head << (24 - 8 * i as u32);
    }
    u32::try_from(value).ok().map(Ipv4Addr::from)
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(a) => write!(f, "{a}"),
            Self::Name(n) => f.write_str(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_strict_type() {
        let zone = |t: &str| Host::parse(t).map(|h| h.zone());
        assert_eq!(zone("LOCALHOST."), Some(HostZone::Loopback));
        assert_eq!(zone("2130706433"), Some(HostZone::Loopback));
        assert_eq!(zone("0x7f.1"), Some(HostZone::Loopback));
        assert_eq!(zone("::ffff:127.0.0.1"), Some(HostZone::Loopback));
        assert_eq!(zone("169.254.169.254"), Some(HostZone::Metadata));
        assert_eq!(zone("0251.0376.0251.0376"), Some(HostZone::Metadata));
        assert_eq!(zone("10.1.2.3"), Some(HostZone::Private));
        assert_eq!(zone("db"), Some(HostZone::Private));
        assert_eq!(zone("example.com"), Some(HostZone::Public));
        assert_eq!(Host::parse("evil\0.example.com"), None);
        assert_eq!(Host::parse("a b"), None);
        assert_eq!(Host::parse("-oProxyCommand=x"), None);
        assert!(Host::parse("api.example.com").unwrap().is_under("example.com"));
        assert!(!Host::parse("badexample.com").unwrap().is_under("example.com"));
    }
}
