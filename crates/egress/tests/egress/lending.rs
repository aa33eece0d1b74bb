//! Credentials lent by stand-in: the true value goes to the declared place only, and does not come back.

use crate::world::{Authority, Host, World, interception, ok, read_all, rule, rules, tls_client, unchunked};
use data_encoding::BASE64;
use egress::{HostPattern, Lent, Outcome, PathPattern, Place, Reason, Secret, What};
use std::io::Write;

const STAND_IN: &str = "ambit_standin_5f2c81d0a7";
const VALUE: &str = "live+value/with=odd&chars\"9f";

fn lend(port: u16, places: Vec<Place>) -> Lent {
    let mut lent = Lent::new("api-token", STAND_IN, Secret::new(VALUE)).unwrap();
    lent.hosts = vec![HostPattern::read("api.example").unwrap()];
    lent.ports = vec![port];
    lent.methods = vec!["GET".to_owned(), "POST".to_owned()];
    lent.paths = vec![PathPattern::read("/v1").unwrap()];
    lent.places = places;
    lent
}

struct Set {
    host: Host,
    other: Host,
    world: World,
}

/// A host to which the value is lent, and one that is only allowed. The host answers with what `reply` makes of a request.
fn set(places: Vec<Place>, reply: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> Set {
    let authority = Authority::new();
    let host = Host::new(Some(authority.host("api.example")), reply);
    let other = Host::new(None, |_| Some(ok(b"other")));
    let mut rules = rules();
    rules.lent = vec![lend(host.port, places)];
    rules.hosts = vec![rule("api.example", &[host.port, other.port]), rule("other.example", &[other.port])];
    rules.interception = interception(&authority);
    let world = World::new(rules, &["api.example", "other.example"]);
    Set { host, other, world }
}

impl Set {
    fn ask(&self, request: &str) -> String {
        let target = format!("api.example:{}", self.host.port);
        let mut tls = tls_client(&self.world.authority_pem, "api.example", self.world.tunnel(&target));
        let request = request.replace("{host}", &target).replace("{s}", STAND_IN);
        let _ = tls.write_all(request.as_bytes());
        read_all(&mut tls)
    }

    /// Nothing that was told or answered holds the value.
    fn check_silence(&self, answer: &str) {
        assert!(!answer.contains(VALUE), "{answer}");
        let told = format!("{:?}", self.world.seen.all());
        assert!(!told.contains(VALUE), "{told}");
    }
}

fn every_place() -> Vec<Place> {
    vec![Place::Header("authorization".to_owned()), Place::Basic, Place::Query, Place::Body]
}

#[test]
fn the_value_is_put_in_at_each_declared_place() {
    let basic = BASE64.encode(format!("user:{STAND_IN}").as_bytes());
    let basic_true = BASE64.encode(format!("user:{VALUE}").as_bytes());
    let form = format!("a=1&token={STAND_IN}");
    let json = format!("{{\"token\":\"{STAND_IN}\"}}");
    let cases = [
        (
            "GET /v1/x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {s}\r\nConnection: close\r\n\r\n"
                .to_owned(),
            format!("Authorization: Bearer {VALUE}\r\n"),
        ),
        (
            format!(
                "GET /v1 HTTP/1.1\r\nHost: {{host}}\r\nAuthorization: Basic {basic}\r\nConnection: close\r\n\r\n"
            ),
            format!("Authorization: Basic {basic_true}\r\n"),
        ),
        (
            "GET /v1/x?a=b&key={s}&c=d HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".to_owned(),
            "GET /v1/x?a=b&key=live%2Bvalue%2Fwith%3Dodd%26chars%229f&c=d HTTP/1.1\r\n".to_owned(),
        ),
        (
            format!(
                "POST /v1/x HTTP/1.1\r\nHost: {{host}}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
                form.len()
            ),
            "\r\n\r\na=1&token=live%2Bvalue%2Fwith%3Dodd%26chars%229f".to_owned(),
        ),
        (
            format!(
                "POST /v1/x HTTP/1.1\r\nHost: {{host}}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{json}\r\n0\r\n\r\n",
                json.len()
            ),
            "{\"token\":\"live+value/with=odd&chars\\\"9f\"}".to_owned(),
        ),
    ];
    for (request, arrives) in cases {
        let set = set(every_place(), |_| Some(ok(b"done")));
        let answer = set.ask(&request);
        assert!(answer.ends_with("done"), "{answer}");
        let received = set.host.text();
        assert!(received.contains(&arrives), "wanted {arrives:?} in {received:?}");
        assert!(!received.contains(STAND_IN) && received.contains("Accept-Encoding: identity"), "{received}");
        assert_eq!(set.host.received.lock().unwrap().len(), 1, "one connection was enough");
        let lent = set.world.seen.wait(|e| e.what == What::Lending);
        assert_eq!(
            (lent.outcome, lent.lent.as_deref(), lent.severe),
            (Outcome::Made, Some("api-token"), false)
        );
        set.check_silence(&answer);
    }
}

#[test]
fn a_stand_in_anywhere_else_is_blocked_and_severe() {
    let long = format!("{}{{s}}", "x".repeat(300_000));
    let basic = BASE64.encode(format!("user:{STAND_IN}").as_bytes());
    let header = vec![Place::Header("authorization".to_owned())];
    let cases = [
        ("another header", "GET /v1/x HTTP/1.1\r\nHost: {host}\r\nX-Other: {s}\r\n\r\n".to_owned()),
        ("basic", format!("GET /v1/x HTTP/1.1\r\nHost: {{host}}\r\nAuthorization: Basic {basic}\r\n\r\n")),
        ("query", "GET /v1/x?k={s} HTTP/1.1\r\nHost: {host}\r\n\r\n".to_owned()),
        ("path", "GET /v1/{s} HTTP/1.1\r\nHost: {host}\r\n\r\n".to_owned()),
        ("escaped path", format!("GET /v1/%61{} HTTP/1.1\r\nHost: {{host}}\r\n\r\n", &STAND_IN[1..])),
        (
            "another path",
            "GET /v2/x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {s}\r\n\r\n".to_owned(),
        ),
        (
            "a path that climbs",
            "GET /v1/../v2 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {s}\r\n\r\n".to_owned(),
        ),
        (
            "another method",
            "DELETE /v1/x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {s}\r\n\r\n".to_owned(),
        ),
        (
            "body",
            format!(
                "POST /v1/x HTTP/1.1\r\nHost: {{host}}\r\nContent-Length: {}\r\n\r\n{{s}}",
                STAND_IN.len()
            ),
        ),
        (
            "long body",
            format!(
                "POST /v1/x HTTP/1.1\r\nHost: {{host}}\r\nContent-Length: {}\r\n\r\n{long}",
                300_000 + STAND_IN.len()
            ),
        ),
        (
            "body in small chunks",
            format!(
                "POST /v1/x HTTP/1.1\r\nHost: {{host}}\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
                STAND_IN.chars().map(|c| format!("1\r\n{c}\r\n")).collect::<String>()
            ),
        ),
    ];
    for (name, request) in cases {
        let set = set(header.clone(), |_| Some(ok(b"done")));
        let answer = set.ask(&request);
        assert!(answer.contains("lent-credential-misused"), "{name}: {answer}");
        let event = set.world.seen.wait(|e| e.reason == Some(Reason::Lending));
        assert!(
            event.severe && event.outcome == Outcome::Denied && event.lent.as_deref() == Some("api-token"),
            "{name}: {event:?}"
        );
        let received = set.host.text();
        assert!(!received.contains(STAND_IN) && !received.contains(VALUE), "{name}: {received}");
        set.check_silence(&answer);
    }
}

#[test]
fn neither_another_host_nor_a_connection_without_tls_gets_the_value() {
    let set = set(every_place(), |_| Some(ok(b"done")));
    let p = set.other.port;
    let basic = BASE64.encode(format!("{STAND_IN}:x").as_bytes());
    for (host, rest) in [
        ("other.example", format!("Authorization: Bearer {STAND_IN}\r\n\r\n")),
        ("other.example", format!("Authorization: Basic {basic}\r\n\r\n")),
        ("other.example", format!("Content-Length: {}\r\n\r\n{STAND_IN}", STAND_IN.len())),
        ("api.example", format!("Authorization: Bearer {STAND_IN}\r\n\r\n")),
    ] {
        let answer = set.world.text(
            set.world.http,
            &format!("POST http://{host}:{p}/v1/x HTTP/1.1\r\nHost: {host}:{p}\r\n{rest}"),
        );
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("lent-credential-misused"), "{answer}");
    }
    let received = set.other.text();
    assert!(
        !received.contains(STAND_IN) && !received.contains(VALUE) && !received.contains(&basic),
        "{received}"
    );
    assert_eq!(set.world.seen.all().iter().filter(|e| e.severe).count(), 4);
}

#[test]
fn answers_come_back_without_the_value() {
    let echo = |request: &[u8]| {
        let body = [
            request,
            b" | ",
            BASE64.encode(request).as_bytes(),
            b" | ",
            BASE64.encode(VALUE.as_bytes()).as_bytes(),
        ]
        .concat();
        let mut out =
            format!("HTTP/1.1 200 OK\r\nX-Token: {VALUE}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
        for part in body.chunks(5) {
            out.extend(format!("{:x}\r\n", part.len()).bytes().chain(part.iter().copied()).chain(*b"\r\n"));
        }
        out.extend_from_slice(b"0\r\n\r\n");
        Some(out)
    };
    let set = set(every_place(), echo);
    let answer = set.ask("GET /v1/x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {s}\r\nRange: bytes=0-3\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    set.check_silence(&answer);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let joined = String::from_utf8(unchunked(body.as_bytes())).unwrap();
    assert!(!joined.contains(VALUE) && !joined.contains(&BASE64.encode(VALUE.as_bytes())[..30]), "{joined}");
    let encoded = joined.split(" | ").nth(1).unwrap();
    let decoded = String::from_utf8_lossy(&BASE64.decode(encoded.as_bytes()).unwrap()).into_owned();
    assert!(decoded.starts_with("GET /v1/x") && !decoded.contains(VALUE), "{decoded}");
    let head = answer.split("\r\n\r\n").next().unwrap();
    assert!(head.contains(&format!("X-Token: {STAND_IN}")), "{head}");
    let received = set.host.text();
    assert!(
        received.contains(VALUE) && !received.contains("Range") && !received.contains("gzip"),
        "{received}"
    );
}

#[test]
fn an_answer_that_cannot_be_searched_is_held_back() {
    let set = set(every_place(), |_| {
        Some(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd".to_vec())
    });
    let answer = set.ask("GET /v1/x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {s}\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 502") && !answer.contains("abcd"), "{answer}");
}

#[test]
fn a_request_without_a_stand_in_gets_no_credential() {
    let set = set(every_place(), |_| Some(ok(b"done")));
    let answer = set
        .ask("GET /v1/x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer mine\r\nConnection: close\r\n\r\n");
    assert!(answer.ends_with("done"), "{answer}");
    assert!(set.host.text().contains("Bearer mine") && !set.host.text().contains(VALUE));
}

#[test]
fn what_is_too_weak_is_not_lent() {
    for (stand_in, value) in [
        ("short", VALUE),
        (STAND_IN, "short"),
        ("has blanks in it, many", VALUE),
        (STAND_IN, "x_ambit_standin_5f2c81d0a7_x"),
    ] {
        assert!(Lent::new("t", stand_in, Secret::new(value)).is_err(), "{stand_in} {value}");
    }
    let shown = format!("{:?}", lend(443, every_place()));
    assert!(!shown.contains("live") && shown.contains("api-token"), "{shown}");
}

#[test]
fn a_gate_is_asked_once_a_request_and_its_no_is_not_severe() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    let authority = Authority::new();
    let host = Host::new(Some(authority.host("api.example")), |_| Some(ok(b"done")));
    let mut lent = lend(host.port, vec![Place::AnyHeader]);
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    lent.gate = Some(egress::Gate::new(move || match count.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(()),
        _ => Err("it has been used as often as it may".to_owned()),
    }));
    let mut rules = rules();
    rules.hosts = vec![rule("api.example", &[host.port])];
    rules.lent = vec![lent];
    rules.interception = interception(&authority);
    let world = World::new(rules, &["api.example"]);
    let target = format!("api.example:{}", host.port);
    let ask = |request: &str| {
        let mut tls = tls_client(&world.authority_pem, "api.example", world.tunnel(&target));
        let _ = tls.write_all(request.replace("{host}", &target).replace("{s}", STAND_IN).as_bytes());
        read_all(&mut tls)
    };
    // Twice in one request is one use.
    let request = "GET /v1 HTTP/1.1\r\nHost: {host}\r\nX-A: {s}\r\nX-B: {s}\r\nConnection: close\r\n\r\n";
    assert!(ask(request).ends_with("done"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let answer = ask(request);
    assert!(answer.contains("lease-over") && answer.contains("as often as it may"), "{answer}");
    let event = world.seen.wait(|e| e.reason == Some(Reason::LendingOver));
    assert!(!event.severe && event.outcome == Outcome::Denied && event.lent.as_deref() == Some("api-token"));
    assert_eq!(host.text().matches("X-A: ").count(), 1, "the second never arrived");
    // Without the stand-in the gate has no say.
    let plain = "GET /v1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n";
    assert!(ask(plain).ends_with("done") && asked.load(Ordering::SeqCst) == 2);
}
