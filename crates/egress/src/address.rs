//! Which addresses a name may lead to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is that is not of the public network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// This machine: 127.0.0.0/8, `::1`.
    Loopback,
    /// 0.0.0.0/8 and `::`, which systems take for this machine.
    Unspecified,
    /// One of this machine's own addresses, as [`crate::Rules::own`] lists them.
    Own,
    /// Where clouds hand out credentials (169.254.169.254 and its kin).
    Metadata,
    /// 169.254.0.0/16, `fe80::/10`.
    LinkLocal,
    /// RFC 1918, `fc00::/7`, and the retired `fec0::/10`.
    Private,
    /// Carriers' shared space, 100.64.0.0/10 (RFC 6598).
    Shared,
    /// Multicast and broadcast.
    Multicast,
    /// Ranges kept for documentation, benchmarks and later use (RFC 6890), where nothing public lies.
    Reserved,
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address",
            Self::Unspecified => "the unspecified address",
            Self::Own => "an address of this machine",
            Self::Metadata => "a cloud's metadata address",
            Self::LinkLocal => "a link-local address",
            Self::Private => "a private address",
            Self::Shared => "a carrier's shared address",
            Self::Multicast => "a multicast address",
            Self::Reserved => "a reserved address",
        })
    }
}

/// The IPv4 address that an IPv6 address leads to by mapping or translation: mapped (`::ffff:0:0/96`), compatible
/// (`::/96`), NAT64 (`64:ff9b::/96`, RFC 6052, and `64:ff9b:1::/48`, RFC 8215), 6to4 (`2002::/16`), Teredo (`2001::/32`), ISATAP.
#[must_use]
pub fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = |hi: u16, lo: u16| {
        let ([w, x], [y, z]) = (hi.to_be_bytes(), lo.to_be_bytes());
        Ipv4Addr::new(w, x, y, z)
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0, 0, 0, 0, 0xffff, 0) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(v4(g, h)),
        (0, 0, 0, 0, 0, 0) if g != 0 || h > 1 => Some(v4(g, h)),
        (0x64, 0xff9b, 1, _, _, _) => Some(v4(g, h)),
        (0x2002, hi, lo, _, _, _) => Some(v4(hi, lo)),
        (0x2001, 0, _, _, _, _) => Some(v4(!g, !h)),
        (_, _, _, _, 0 | 0x200, 0x5efe) => Some(v4(g, h)),
        _ => None,
    }
}

/// What kind an address is; `None` when it is of the public network. An address that leads to an IPv4 address by mapping
/// or translation is of that one's kind.
#[must_use]
pub fn address_kind(ip: IpAddr) -> Option<AddressKind> {
    match ip {
        IpAddr::V4(ip) => v4_kind(ip),
        IpAddr::V6(ip) => match embedded_v4(ip) {
            Some(v4) => v4_kind(v4),
            None => v6_kind(ip),
        },
    }
}

fn v4_kind(ip: Ipv4Addr) -> Option<AddressKind> {
    let [a, b, c, d] = ip.octets();
    Some(match (a, b, c, d) {
        (0, ..) => AddressKind::Unspecified,
        (127, ..) => AddressKind::Loopback,
        // Clouds' metadata: the common one, Amazon's for containers and time, Alibaba's, Oracle's and Azure's wire server.
        (169, 254, 169, 254)
        | (169, 254, 170, 2 | 23)
        | (100, 100, 100, 200)
        | (192, 0, 0, 192)
        | (168, 63, 129, 16) => AddressKind::Metadata,
        (169, 254, ..) => AddressKind::LinkLocal,
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) => AddressKind::Private,
        (100, 64..=127, ..) => AddressKind::Shared,
        (224..=239, ..) | (255, 255, 255, 255) => AddressKind::Multicast,
        (192, 0, 0 | 2, _)
        | (198, 18 | 19, ..)
        | (198, 51, 100, _)
        | (203, 0, 113, _)
        | (192, 88, 99, _)
        | (240..=255, ..) => AddressKind::Reserved,
        _ => return None,
    })
}

fn v6_kind(ip: Ipv6Addr) -> Option<AddressKind> {
    let [a, b, ..] = ip.segments();
    if ip.is_loopback() {
        return Some(AddressKind::Loopback);
    }
    if ip.is_unspecified() {
        return Some(AddressKind::Unspecified);
    }
    Some(match a {
        _ if ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) => AddressKind::Metadata,
        _ if ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23) => AddressKind::Metadata,
        0xfe80..=0xfebf => AddressKind::LinkLocal,
        0xfc00..=0xfdff | 0xfec0..=0xfeff => AddressKind::Private,
        0xff00..=0xffff => AddressKind::Multicast,
        // Only 2000::/3 is given out; in it, documentation (2001:db8::/32, 3fff::/20) and ORCHID (2001:20::/28) are not.
        0x2001 if b == 0xdb8 || (0x20..=0x2f).contains(&b) => AddressKind::Reserved,
        0x3fff if b < 0x1000 => AddressKind::Reserved,
        0x2000..=0x3fff => return None,
        _ => AddressKind::Reserved,
    })
}

/// A range of addresses, written `10.1.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `address/prefix` or one address. `None` when it is neither, or has bits set after the prefix.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (ip, prefix) = match text.split_once('/') {
            Some((ip, digits)) => (ip.parse::<IpAddr>().ok()?, Some(digits.parse::<u8>().ok()?)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let network = Self { first: ip, prefix: prefix.unwrap_or(width) };
        (network.prefix <= width && masked(ip, network.prefix) == number(ip)).then_some(network)
    }

    /// A range whose bits after the prefix are none.
    pub(crate) fn of_v4(first: Ipv4Addr, prefix: u8) -> Self {
        Self { first: IpAddr::V4(first), prefix }
    }

    /// The `n`th address of the range, counted from 0.
    pub(crate) fn nth_v4(&self, n: u32) -> Option<Ipv4Addr> {
        let IpAddr::V4(first) = self.first else { return None };
        let ip = Ipv4Addr::from(u32::from(first).checked_add(n)?);
        self.contains(IpAddr::V4(ip)).then_some(ip)
    }

    /// Whether the address lies in the range. Families are not mixed.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.first.is_ipv4() == ip.is_ipv4() && masked(ip, self.prefix) == number(self.first)
    }

    /// Whether the range is one address.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.prefix == if self.first.is_ipv4() { 32 } else { 128 }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

fn masked(ip: IpAddr, prefix: u8) -> u128 {
    let width: u32 = if ip.is_ipv4() { 32 } else { 128 };
    let drop = width.saturating_sub(u32::from(prefix));
    number(ip).checked_shr(drop).and_then(|n| n.checked_shl(drop)).unwrap_or(0)
}
