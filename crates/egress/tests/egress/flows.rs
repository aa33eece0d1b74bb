//! What is allowed gets through, whole and told; what is judged late is judged all the same.

use crate::world::{
    Authority, FIRST_FAKE, Host, World, connect, interception, ok, read_all, rule, rules, tls_client,
    unchunked,
};
use egress::{Outcome, Reason, RequestRule, Traffic, What};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::time::{Duration, Instant};

#[test]
fn requests_on_a_kept_connection_are_judged_one_by_one() {
    let host = Host::new(None, |_| Some(ok(b"hello")));
    let mut rules = rules();
    rules.hosts = vec![rule("good.example", &[host.port]), rule("also.example", &[host.port])];
    let world = World::new(rules, &["good.example", "also.example"]);
    let get = |name: &str| {
        format!(
            "GET http://{name}:{p}/a?q=1 HTTP/1.1\r\nHost: {name}:{p}\r\nX-Own: 1\r\nProxy-Authorization: Basic eA==\r\nConnection: X-Own\r\n\r\n",
            p = host.port
        )
    };
    let all = [
        get("good.example"),
        get("good.example"),
        get("also.example"),
        get("evil.example"),
        get("good.example"),
    ]
    .concat();
    let answer = world.text(world.http, &all);
    assert_eq!(answer.matches("hello").count(), 3, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 403").count(), 1, "{answer}");
    assert!(answer.contains("To ask for it: ambit ask egress evil.example --port"), "{answer}");
    let received = host.text();
    assert_eq!(received.matches("GET /a?q=1 HTTP/1.1").count(), 3);
    assert!(
        !received.contains("evil")
            && !received.to_lowercase().contains("proxy")
            && !received.contains("X-Own"),
        "{received}"
    );
    let events = world.seen.all();
    let count = |what, outcome| events.iter().filter(|e| e.what == what && e.outcome == outcome).count();
    assert_eq!((count(What::Connect, Outcome::Made), count(What::Request, Outcome::Made)), (2, 3));
    assert_eq!(count(What::Request, Outcome::Denied), 1);
    assert!(events.iter().all(|e| !format!("{e:?}").contains("q=1")), "a query was told");
    assert!(
        events
            .iter()
            .filter(|e| e.what == What::Request && e.outcome == Outcome::Ended)
            .all(|e| e.status == Some(200) && e.down > 40)
    );
}

#[test]
fn bodies_arrive_whole_in_either_framing() {
    let host = Host::new(None, |request| {
        let at = request.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n".to_vec();
        let body = if request[..at].windows(7).any(|w| w == b"chunked") {
            unchunked(&request[at..])
        } else {
            request[at..].to_vec()
        };
        for part in body.chunks(1000) {
            answer.extend(
                format!("{:x};ext=1\r\n", part.len()).bytes().chain(part.iter().copied()).chain(*b"\r\n"),
            );
        }
        answer.extend_from_slice(b"0\r\nx: y\r\n\r\n");
        Some(answer)
    });
    let mut rules = rules();
    rules.hosts = vec![rule("good.example", &[host.port])];
    let world = World::new(rules, &["good.example"]);
    let p = host.port;
    let long = "0123456789".repeat(50_000);
    let posts = [
        format!(
            "POST http://good.example:{p}/ HTTP/1.1\r\nHost: good.example:{p}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{long}",
            long.len()
        ),
        format!(
            "POST http://good.example:{p}/ HTTP/1.1\r\nHost: good.example:{p}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
            long.len()
        ),
    ];
    for post in posts {
        let answer = world.text(world.http, &post);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Transfer-Encoding: chunked"), "{head}");
        assert_eq!(String::from_utf8(unchunked(body.as_bytes())).unwrap(), long);
    }
    assert!(host.text().contains("Transfer-Encoding: chunked"));
}

#[test]
fn an_answer_that_is_cut_off_is_not_made_whole() {
    let host = Host::new(None, |request| {
        // The connection ends after this answer, which promised more.
        if request.starts_with(b"GET /cut") { None } else { Some(ok(b"fine")) }
    });
    let cut = TcpListener::bind((crate::world::HOSTS, 0)).unwrap();
    let port = cut.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = cut.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").unwrap();
    });
    let mut rules = rules();
    rules.hosts = vec![rule("good.example", &[host.port, port])];
    let world = World::new(rules, &["good.example"]);
    let answer = world.text(
        world.http,
        &format!("GET http://good.example:{port}/ HTTP/1.1\r\nHost: good.example:{port}\r\n\r\n"),
    );
    assert!(answer.contains("hello") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    assert_eq!(world.seen.wait(|e| e.outcome == Outcome::Failed).reason, Some(Reason::Unreachable));
    let gone = world.text(
        world.http,
        &format!("GET http://good.example:{p}/cut HTTP/1.1\r\nHost: good.example:{p}\r\n\r\n", p = host.port),
    );
    assert!(gone.starts_with("HTTP/1.1 502"), "{gone}");
}

#[test]
fn tls_goes_through_untouched_when_its_name_agrees() {
    let authority = Authority::new();
    let host = Host::new(Some(authority.host("good.example")), |_| Some(ok(b"secret of the host")));
    let mut rules = rules();
    rules.hosts = vec![rule("good.example", &[host.port]), rule("other.example", &[host.port])];
    let world = World::new(rules, &["good.example", "other.example"]);
    let mut tls =
        tls_client(&authority.pem, "good.example", world.tunnel(&format!("good.example:{}", host.port)));
    tls.write_all(b"GET / HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = vec![0; 4096];
    let n = tls.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..n]).contains("200 OK"));
    tls.sock.shutdown(Shutdown::Both).unwrap();
    let ended = world.seen.wait(|e| e.what == What::Connect && e.outcome == Outcome::Ended);
    assert!(ended.up > 200 && ended.down > 500, "{ended:?}");
    assert_eq!(host.received.lock().unwrap().len(), 1);

    // The same, but the greeting names another host that is allowed too: the connection is not for it.
    let before = host.bytes().len();
    let mut tls =
        tls_client(&authority.pem, "other.example", world.tunnel(&format!("good.example:{}", host.port)));
    let _ = tls.write_all(b"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n");
    assert_eq!(read_all(&mut tls), "");
    assert_eq!(world.seen.wait(|e| e.outcome == Outcome::Denied).reason, Some(Reason::Mismatch));
    assert_eq!(host.bytes().len(), before);
}

/// A greeting of TLS with these extensions.
fn greeting(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut list = Vec::new();
    for (kind, data) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        list.extend(data);
    }
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend(u16::try_from(list.len()).unwrap().to_be_bytes());
    body.extend(list);
    let mut message = vec![1, 0];
    message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    message.extend(body);
    message
}

fn sni(name: &[u8]) -> (u16, Vec<u8>) {
    let n = u16::try_from(name.len()).unwrap();
    (0, [&(n + 3).to_be_bytes()[..], &[0], &n.to_be_bytes(), name].concat())
}

fn records(message: &[u8], size: usize) -> Vec<u8> {
    message
        .chunks(size)
        .flat_map(|c| [&[0x16, 3, 1][..], &u16::try_from(c.len()).unwrap().to_be_bytes(), c].concat())
        .collect()
}

#[test]
fn greetings_that_hide_or_change_the_name_go_nowhere() {
    let good = sni(b"good.example");
    let cases: Vec<(&str, Vec<u8>, Option<Reason>)> = vec![
        ("as it should be", records(&greeting(std::slice::from_ref(&good)), 4096), None),
        ("in many records", records(&greeting(std::slice::from_ref(&good)), 3), None),
        ("in other letters", records(&greeting(&[sni(b"GOOD.example")]), 4096), None),
        ("no name", records(&greeting(&[(43, vec![2, 3, 4])]), 4096), Some(Reason::Hidden)),
        ("no extensions", records(&greeting(&[]), 4096), Some(Reason::Hidden)),
        ("another name", records(&greeting(&[sni(b"evil.example")]), 4096), Some(Reason::Mismatch)),
        (
            "another name in many records",
            records(&greeting(&[sni(b"evil.example")]), 1),
            Some(Reason::Mismatch),
        ),
        ("a NUL", records(&greeting(&[sni(b"good.example\0.evil.example")]), 4096), Some(Reason::Mismatch)),
        ("a final dot", records(&greeting(&[sni(b"good.example.")]), 4096), Some(Reason::Mismatch)),
        (
            "hidden by ECH",
            records(&greeting(&[good.clone(), (0xfe0d, vec![0; 40])]), 4096),
            Some(Reason::Hidden),
        ),
        (
            "hidden by ESNI",
            records(&greeting(&[good.clone(), (0xffce, vec![0; 40])]), 4096),
            Some(Reason::Hidden),
        ),
        (
            "two names",
            records(&greeting(&[good.clone(), sni(b"evil.example")]), 4096),
            Some(Reason::Protocol),
        ),
        ("a name beneath", records(&greeting(&[sni(b"data.good.example")]), 4096), Some(Reason::Mismatch)),
        ("not TLS", vec![0; 64], Some(Reason::Protocol)),
        ("SSH", b"SSH-2.0-x\r\n".to_vec(), Some(Reason::Malformed)),
        ("TLS 1.0 in SSL 2 form", vec![0x80, 0x2e, 1, 0, 2], Some(Reason::Protocol)),
    ];
    for (name, bytes, denied) in cases {
        let host = Host::new(None, |_| None);
        let mut rules = rules();
        rules.hosts = vec![rule("good.example", &[host.port])];
        let world = World::new(rules, &["good.example"]);
        let mut stream = world.tunnel(&format!("good.example:{}", host.port));
        stream.write_all(&bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = read_all(&mut stream);
        match denied {
            None => {
                world.seen.wait(|e| e.outcome == Outcome::Ended && e.up == bytes.len() as u64);
                assert_eq!(host.bytes(), bytes, "{name}");
            }
            Some(reason) => {
                assert_eq!(
                    world.seen.wait(|e| e.outcome == Outcome::Denied).reason,
                    Some(reason),
                    "{name}: {answer:?}"
                );
                assert_eq!(host.bytes(), b"", "{name}");
            }
        }
    }
}

#[test]
fn plain_http_in_a_tunnel_is_judged_too() {
    let host = Host::new(None, |_| Some(ok(b"hello")));
    let mut rules = rules();
    let mut read = rule("good.example", &[host.port]);
    read.requests = vec![RequestRule::read(&["GET"], &[]).unwrap()];
    rules.hosts = vec![read];
    let world = World::new(rules, &["good.example"]);
    for (send, expected) in [
        ("GET / HTTP/1.1\r\nHost: good.example:81\r\n\r\n", "HTTP/1.1 421"),
        ("GET / HTTP/1.1\r\nHost: good.example:{p}\r\n\r\n", "HTTP/1.1 200"),
        ("GET / HTTP/1.1\r\nHost: evil.example:{p}\r\n\r\n", "HTTP/1.1 421"),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 421"),
        ("DELETE / HTTP/1.1\r\nHost: good.example:{p}\r\n\r\n", "HTTP/1.1 403"),
        ("CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 400"),
    ] {
        let mut stream = world.tunnel(&format!("good.example:{}", host.port));
        stream.write_all(send.replace("{p}", &host.port.to_string()).as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = read_all(&mut stream);
        assert!(answer.starts_with(expected), "{send}: {answer}");
    }
    assert_eq!(host.text().matches("HTTP/1.1").count(), 1);
}

#[test]
fn a_connection_to_a_given_address_means_its_name() {
    let host = Host::new(None, |_| Some(ok(b"hello")));
    let mut rules = rules();
    rules.hosts = vec![rule("good.example", &[host.port]), rule("second.example", &[host.port])];
    let world = World::new(rules, &["good.example"]);
    let ip = crate::names::lookup(&world, "good.example").unwrap();
    assert_eq!(ip, FIRST_FAKE);
    let send =
        |name: &str| format!("GET / HTTP/1.1\r\nHost: {name}:{}\r\nConnection: close\r\n\r\n", host.port);
    let answer = world.text((ip, host.port).into(), &send("good.example"));
    assert!(answer.ends_with("hello"), "{answer}");
    let answer = world.text((ip, host.port).into(), &send("second.example"));
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    // The same address means the same host for clients of the proxies.
    let mut stream = world.tunnel(&format!("{ip}:{}", host.port));
    stream.write_all(send("good.example").as_bytes()).unwrap();
    assert!(read_all(&mut stream).ends_with("hello"));
    let mut socks = connect(world.socks);
    let port = host.port.to_be_bytes();
    socks.write_all(&[&[5, 1, 0, 5, 1, 0, 1][..], &ip.octets(), &port].concat()).unwrap();
    socks.write_all(send("good.example").as_bytes()).unwrap();
    let answer = read_all(&mut socks);
    assert!(answer.ends_with("hello"), "{answer:?}");
}

#[test]
fn other_protocols_pass_only_where_a_rule_says_so() {
    let echo = TcpListener::bind((crate::world::HOSTS, 0)).unwrap();
    let port = echo.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in echo.incoming() {
            let mut stream = stream.unwrap();
            stream.write_all(b"SSH-2.0-host\r\n").unwrap();
            let mut copy = stream.try_clone().unwrap();
            std::thread::spawn(move || std::io::copy(&mut copy, &mut stream));
        }
    });
    let mut rules = rules();
    let mut raw = rule("git.example", &[port]);
    raw.traffic = Traffic::Raw;
    rules.hosts = vec![raw, rule("good.example", &[port])];
    let world = World::new(rules, &["git.example", "good.example"]);
    let mut stream = world.tunnel(&format!("git.example:{port}"));
    let mut banner = [0; 14];
    stream.read_exact(&mut banner).unwrap();
    assert_eq!(&banner, b"SSH-2.0-host\r\n");
    stream.write_all(b"back").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut stream), "back");
    let mut stream = world.tunnel(&format!("good.example:{port}"));
    stream.write_all(b"\0\0\0").unwrap();
    assert_eq!(read_all(&mut stream), "", "the host's own greeting must not pass either");
}

#[test]
fn shared_loopback_ports_are_reached_and_no_others() {
    let service = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = service.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in service.incoming() {
            stream.unwrap().write_all(b"database").unwrap();
        }
    });
    let mut rules = rules();
    rules.loopback_ports = vec![port];
    let world = World::new(rules, &[]);
    for name in ["localhost", "127.0.0.1"] {
        assert_eq!(read_all(&mut world.tunnel(&format!("{name}:{port}"))), "database");
        let other = world.text(
            world.http,
            &format!("CONNECT {name}:{} HTTP/1.1\r\nHost: {name}\r\n\r\n", world.socks.port()),
        );
        assert!(other.starts_with("HTTP/1.1 403") || other.starts_with("HTTP/1.1 421"), "{other}");
    }
    assert!(world.names.asked().is_empty());
}

#[test]
fn requests_in_tls_are_judged_where_a_rule_speaks_of_them() {
    let authority = Authority::new();
    let host = Host::new(Some(authority.host("api.example")), |_| Some(ok(b"data")));
    let mut rules = rules();
    let mut limited = rule("api.example", &[host.port]);
    limited.requests = vec![RequestRule::read(&["GET"], &["/public"]).unwrap()];
    limited.open_tls = true;
    rules.hosts = vec![limited];
    rules.interception = interception(&authority);
    let world = World::new(rules, &["api.example"]);
    let ask = |request: &str, name: &str| {
        let mut tls =
            tls_client(&world.authority_pem, name, world.tunnel(&format!("api.example:{}", host.port)));
        let _ = tls.write_all(request.as_bytes());
        read_all(&mut tls)
    };
    let p = host.port;
    let answer = ask(
        &format!("GET /public/a HTTP/1.1\r\nHost: api.example:{p}\r\nConnection: close\r\n\r\n"),
        "api.example",
    );
    assert!(answer.ends_with("data"), "{answer}");
    let answer = ask(
        &format!("POST /public/a HTTP/1.1\r\nHost: api.example:{p}\r\nContent-Length: 4\r\n\r\nleak"),
        "api.example",
    );
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("request-not-allowed"), "{answer}");
    let answer = ask(&format!("GET /private HTTP/1.1\r\nHost: api.example:{p}\r\n\r\n"), "api.example");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    // Fronting inside the opened connection.
    let answer = ask(&format!("GET /public HTTP/1.1\r\nHost: evil.example:{p}\r\n\r\n"), "api.example");
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    assert!(
        !host.text().contains("leak") && !host.text().contains("evil") && !host.text().contains("/private"),
        "{}",
        host.text()
    );
}

#[test]
fn a_host_that_does_not_prove_its_name_gets_no_request() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let wrong = [
        ("another authority", Host::new(Some(stranger.host("api.example")), |_| Some(ok(b"data")))),
        ("another name", Host::new(Some(authority.host("evil.example")), |_| Some(ok(b"data")))),
    ];
    for (why, host) in wrong {
        let mut rules = rules();
        let mut limited = rule("api.example", &[host.port]);
        limited.requests = vec![RequestRule::read(&["GET"], &[]).unwrap()];
        limited.open_tls = true;
        rules.hosts = vec![limited];
        rules.interception = interception(&authority);
        let world = World::new(rules, &["api.example"]);
        let mut tls = tls_client(
            &world.authority_pem,
            "api.example",
            world.tunnel(&format!("api.example:{}", host.port)),
        );
        tls.write_all(format!("GET / HTTP/1.1\r\nHost: api.example:{}\r\n\r\n", host.port).as_bytes())
            .unwrap();
        let answer = read_all(&mut tls);
        assert!(
            answer.starts_with("HTTP/1.1 502") && answer.contains("certificate-not-accepted"),
            "{why}: {answer}"
        );
        assert_eq!(host.bytes(), b"", "{why}");
    }
}

#[test]
fn what_needs_opened_tls_is_denied_where_it_cannot_be() {
    let host = Host::new(None, |_| None);
    let mut rules = rules();
    let mut limited = rule("api.example", &[host.port]);
    limited.requests = vec![RequestRule::read(&["GET"], &[]).unwrap()];
    limited.open_tls = true;
    rules.hosts = vec![limited];
    let world = World::new(rules, &["api.example"]);
    let answer = world.text(
        world.http,
        &format!("CONNECT api.example:{p} HTTP/1.1\r\nHost: api.example:{p}\r\n\r\n", p = host.port),
    );
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("protocol-not-allowed"), "{answer}");
    assert!(world.names.asked().is_empty());
}

#[test]
fn shutting_down_ends_connections_that_stand() {
    let host = Host::new(None, |_| Some(ok(b"hello")));
    let mut rules = rules();
    let mut raw = rule("good.example", &[host.port]);
    raw.traffic = Traffic::Raw;
    rules.hosts = vec![raw];
    let mut world = World::new(rules, &["good.example"]);
    let mut standing: Vec<_> =
        (0..20).map(|_| world.tunnel(&format!("good.example:{}", host.port))).collect();
    let idle: Vec<_> = (0..5).map(|_| connect(world.socks)).collect();
    let began = Instant::now();
    world.server.take().unwrap().shutdown();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    for stream in &mut standing {
        assert_eq!(read_all(stream), "");
    }
    assert!(std::net::TcpStream::connect(world.http).is_err(), "the listener is still open");
    drop(idle);
}

#[test]
fn connections_over_the_limit_are_refused_and_told() {
    let host = Host::new(None, |_| Some(ok(b"hello")));
    let mut rules = rules();
    rules.hosts = vec![rule("good.example", &[host.port])];
    rules.limits.connections = 4;
    let world = World::new(rules, &["good.example"]);
    let held: Vec<_> = (0..4).map(|_| world.tunnel(&format!("good.example:{}", host.port))).collect();
    assert_eq!(world.text(world.http, "GET http://good.example/ HTTP/1.1\r\n"), "");
    assert_eq!(world.seen.wait(|e| e.reason.is_some()).reason, Some(Reason::Limit));
    drop(held);
    let until = Instant::now() + Duration::from_secs(5);
    let request = format!(
        "GET http://good.example:{p}/ HTTP/1.1\r\nHost: good.example:{p}\r\nConnection: close\r\n\r\n",
        p = host.port
    );
    while !world.text(world.http, &request).ends_with("hello") {
        assert!(Instant::now() < until, "the places were not given back");
    }
}
