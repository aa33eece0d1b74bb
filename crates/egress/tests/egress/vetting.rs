//! Properties of hosts, addresses and paths.

use crate::world::{rule, rules};
use egress::{AddressKind, HostPattern, HostRule, PathPattern, Target, address_kind, is_plain, read_host};
use model::Host;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Each way by which an IPv6 address leads to an IPv4 address.
fn embeddings(ip: Ipv4Addr) -> Vec<Ipv6Addr> {
    let [a, b, c, d] = ip.octets();
    let (hi, lo) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    vec![
        ip.to_ipv6_mapped(),
        Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, hi, lo),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, hi, lo),
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, hi, lo),
        Ipv6Addr::new(0x2002, hi, lo, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0, 1, 2, 3, 4, !hi, !lo),
        Ipv6Addr::new(0x2a00, 1, 2, 3, 0, 0x5efe, hi, lo),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_embedded_address_is_of_its_own_kind(bits: u32) {
        let ip = Ipv4Addr::from(bits);
        for v6 in embeddings(ip) {
            prop_assert_eq!(address_kind(IpAddr::V6(v6)), address_kind(IpAddr::V4(ip)), "{} in {}", ip, v6);
        }
    }

    #[test]
    fn no_address_that_the_standard_library_knows_as_local_is_public(bits: u32, long: u128) {
        let v4 = Ipv4Addr::from(bits);
        if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast() || v4.is_multicast() || v4.is_unspecified() || v4.is_documentation() {
            prop_assert!(address_kind(IpAddr::V4(v4)).is_some());
        }
        let v6 = Ipv6Addr::from(long);
        if v6.is_loopback() || v6.is_multicast() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local() {
            prop_assert!(address_kind(IpAddr::V6(v6)).is_some());
        }
    }

    #[test]
    fn local_ranges_stay_closed_to_names(host in 0_u32..=0x00ff_ffff, first in prop::sample::select(vec![10_u8, 127, 0])) {
        let ip = Ipv4Addr::from(u32::from(first) << 24 | host);
        let mut rules = rules();
        rules.hosts = vec![rule("good.example", &[443])];
        let target = Target::read("good.example:443", None).unwrap();
        let grant = rules.judge_connection(&target).unwrap();
        prop_assert!(rules.vet(&grant, &target, IpAddr::V4(ip)).is_err());
        for v6 in embeddings(ip) {
            prop_assert!(rules.vet(&grant, &target, IpAddr::V6(v6)).is_err());
        }
    }

    #[test]
    fn reading_a_host_twice_changes_nothing(text in ".{0,40}") {
        if let Ok(host) = read_host(&text) {
            let shown = host.to_string();
            prop_assert_eq!(read_host(&shown), Ok(host));
            prop_assert!(shown.is_ascii());
            prop_assert!(!shown.contains(['\0', ' ', '/', '@', '%', '#', '?', '\\']));
        }
    }

    #[test]
    fn a_name_is_never_an_address_in_disguise(text in "[0-9a-fx.]{1,20}") {
        if let Ok(Host::Name(name)) = read_host(&text) {
            // What the C library would take for an address.
            let last = name.rsplit('.').next().unwrap();
            let hex = last.strip_prefix("0x").is_some_and(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
            prop_assert!(last.parse::<u64>().is_err() && !hex, "{}", name);
        }
    }

    #[test]
    fn a_head_written_anew_reads_as_itself(
        method in prop::sample::select(vec!["GET", "POST", "PUT"]),
        headers in prop::collection::vec(("(Connection|TE|X-A|Content-Length|Transfer-Encoding|Cookie|content_length|Expect)", "(chunked|5|0|close|X-A|te, trailers|a b|5, 5| 7 |)"), 0..5),
        end in prop::sample::select(vec!["\r\n", "\n", "\r\n\r\n", ""]),
        noise in prop::collection::vec(any::<u8>(), 0..3),
        at in 0_usize..60,
    ) {
        let mut text = format!("{method} /a HTTP/1.1\r\nHost: good.example\r\n").into_bytes();
        for (name, value) in &headers {
            text.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        text.extend_from_slice(end.as_bytes());
        let at = at.min(text.len());
        text.splice(at..at, noise);
        if let Some(once) = egress::reading::request_head(&text, "good.example") {
            let shown = String::from_utf8_lossy(&once).to_ascii_lowercase();
            prop_assert!(shown.matches("\r\nhost: good.example\r\n").count() == 1);
            prop_assert!(!(shown.contains("content-length") && shown.contains("transfer-encoding")), "{}", shown);
            prop_assert!(shown.matches("content-length").count() + shown.matches("content_length").count() <= 1);
            prop_assert_eq!(egress::reading::request_head(&once, "good.example"), Some(once));
        }
    }

    #[test]
    fn no_bytes_stop_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = egress::Hello::read(&bytes);
        let _ = egress::Hello::read(&[&[0x16, 3, 1, 1, 0x2c][..], &bytes].concat());
        let _ = egress::reading::answer_head(&bytes, "GET");
        let _ = egress::reading::dns_names(&bytes);
        if let Some(target) = egress::reading::socks_request(&[&[5, 1, 0, 3][..], &bytes].concat()) {
            prop_assert_eq!(Target::read(&target.to_string(), None), Ok(target));
        }
    }

    #[test]
    fn a_wildcard_covers_only_names_beneath(front in "[a-z0-9.-]{0,12}", parent in "[a-z]{1,6}\\.[a-z]{2,4}") {
        let pattern = HostPattern::read(&format!("*.{parent}")).unwrap();
        if let Ok(host) = read_host(&format!("{front}{parent}")) {
            prop_assert_eq!(pattern.matches(&host), front.ends_with('.') && front.len() > 1);
        }
        prop_assert!(!pattern.matches(&read_host(&parent).unwrap()));
    }

    #[test]
    fn no_path_that_a_server_folds_matches(middle in "[a-z./%2eEfF;\\\\]{0,14}") {
        let path = format!("/public/{middle}");
        let pattern = PathPattern::read("/public").unwrap();
        if pattern.matches(&path) {
            // Decode once and fold as servers do: the path must still lie beneath.
            let decoded = path.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%2F", "/").replace('\\', "/");
            let mut stack = Vec::new();
            for segment in decoded.split('/').map(|s| s.split(';').next().unwrap()) {
                match segment {
                    "" | "." => {}
                    ".." => { stack.pop(); }
                    s => stack.push(s),
                }
            }
            prop_assert_eq!(stack.first().copied(), Some("public"), "{}", path);
            prop_assert!(is_plain(&path));
        }
    }
}

#[test]
fn metadata_needs_a_grant_for_exactly_its_address() {
    use egress::{Network, NetworkGrant};
    let metadata: IpAddr = "169.254.169.254".parse().unwrap();
    for (range, granted) in [("169.254.0.0/16", false), ("0.0.0.0/0", false), ("169.254.169.254", true)] {
        let mut rules = rules();
        rules.networks =
            vec![NetworkGrant { id: "n".to_owned(), network: Network::read(range).unwrap(), ports: vec![] }];
        let target = Target::read("169.254.169.254:80", None).unwrap();
        assert_eq!(rules.judge_connection(&target).is_ok(), granted, "{range}");
        rules.hosts = vec![rule("cloud.example", &[80])];
        let target = Target::read("cloud.example:80", None).unwrap();
        let grant = rules.judge_connection(&target).unwrap();
        assert_eq!(rules.vet(&grant, &target, metadata).is_ok(), granted, "{range}");
    }
}

#[test]
fn the_machines_own_addresses_are_its_loopback() {
    let own: IpAddr = "93.184.216.34".parse().unwrap();
    let mut rules = rules();
    rules.hosts = vec![rule("good.example", &[80])];
    let target = Target::read("good.example:80", None).unwrap();
    assert!(rules.vet(&rules.judge_connection(&target).unwrap(), &target, own).is_ok());
    rules.own = vec![own];
    let grant = rules.judge_connection(&target).unwrap();
    assert_eq!(rules.vet(&grant, &target, own), Err(AddressKind::Own));
    assert_eq!(rules.vet(&grant, &target, "::ffff:93.184.216.34".parse().unwrap()), Err(AddressKind::Own));
}

#[test]
fn private_names_need_a_rule_that_says_so() {
    let mut rules = rules();
    let mut inner = rule("git.corp.example", &[443]);
    inner.private = true;
    rules.hosts = vec![inner];
    let target = Target::read("git.corp.example:443", None).unwrap();
    let grant = rules.judge_connection(&target).unwrap();
    for (ip, good) in [
        ("10.1.2.3", true),
        ("fd12::1", true),
        ("100.64.1.1", true),
        ("127.0.0.1", false),
        ("169.254.1.1", false),
        ("169.254.169.254", false),
        ("8.8.8.8", true),
        ("0.0.0.0", false),
        ("::1", false),
        ("fe80::1", false),
    ] {
        assert_eq!(rules.vet(&grant, &target, ip.parse().unwrap()).is_ok(), good, "{ip}");
    }
}

#[test]
fn a_written_rule_may_have_a_port() {
    for (text, host, ports) in [
        ("good.example", "good.example", vec![]),
        ("*.good.example:8443", "*.good.example", vec![8443]),
        ("192.0.2.1:80", "192.0.2.1", vec![80]),
        ("2001:db8::1", "2001:db8::1", vec![]),
        ("[2001:db8::1]", "2001:db8::1", vec![]),
        ("[2001:db8::1]:80", "2001:db8::1", vec![80]),
    ] {
        let rule = HostRule::read("t", text).unwrap();
        assert_eq!((rule.host.to_string().as_str(), rule.ports), (host, ports), "{text}");
    }
    for text in
        ["good.example:", "good.example:0", "good.example:x", "good.example:80:80", ":80", "[2001:db8::1]:"]
    {
        assert!(HostRule::read("t", text).is_err(), "{text}");
    }
}

#[test]
fn patterns_that_allow_too_much_are_no_patterns() {
    for text in [
        "*",
        "*.",
        "*.com",
        "*.*",
        "a.*.example",
        "*example.com",
        "",
        "http://example.com",
        "example.com/x",
        "2130706433",
        "*.127.0.0.1",
    ] {
        assert!(HostPattern::read(text).is_err(), "{text}");
    }
    assert_eq!(HostPattern::read("bücher.example").unwrap().to_string(), "xn--bcher-kva.example");
    for text in ["", "a", "*", "/a*b", "**", "/a/../b", "*a", "/a?b", "/%2e"] {
        assert!(PathPattern::read(text).is_err(), "{text}");
    }
    assert!(PathPattern::read("/").unwrap().matches("/anything/at/all"));
    assert!(PathPattern::read("*/git-upload-pack").unwrap().matches("/a/b.git/git-upload-pack"));
    assert!(!PathPattern::read("*/git-upload-pack").unwrap().matches("/a/b.git/git-receive-pack"));
}
