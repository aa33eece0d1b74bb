//! How fast the server is on loopback: bytes a second and time to the first byte, beside the same without it.
//!
//! `cargo run --example throughput -p egress` prints a table; every loop is bounded.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    dead_code,
    reason = "a measurement that cannot go on should stop; the small network is the tests' own"
)]

#[path = "../tests/egress/world.rs"]
mod world;

use egress::{HostPattern, Lent, Place, RequestRule, Secret, Traffic};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use world::{Authority, HOSTS, Host, World, connect, interception, ok, rule, rules, tls_client};

/// Bytes of one transfer.
const BYTES: usize = 1 << 30;

/// Bytes of one transfer in opened TLS, which costs four passes of encryption.
const TLS_BYTES: usize = 128 << 20;

/// Requests for one median.
const REQUESTS: usize = 400;

const STAND_IN: &str = "stand_in_for_the_token_01";

fn main() {
    let authority = Authority::new();
    let raw = source(None, BYTES);
    let plain = source(Some(BYTES), BYTES);
    let quick = Host::new(None, |_| Some(ok(b"quick")));
    let body = vec![b'x'; TLS_BYTES];
    let big = Host::new(Some(authority.host("tls.example")), move |_| Some(ok(&body)));
    let small = Host::new(Some(authority.host("tls.example")), |_| Some(ok(b"quick")));
    let lending = Host::new(Some(authority.host("lent.example")), |_| Some(ok(b"quick")));

    let mut rules = rules();
    let mut tunnel = rule("raw.example", &[raw]);
    tunnel.traffic = Traffic::Raw;
    let mut limited = rule("tls.example", &[big.port, small.port]);
    limited.requests = vec![RequestRule::read(&["GET"], &[]).unwrap()];
    limited.open_tls = true;
    rules.hosts = vec![
        tunnel,
        limited,
        rule("web.example", &[plain, quick.port]),
        rule("lent.example", &[lending.port]),
    ];
    let mut lent = Lent::new("token", STAND_IN, Secret::new("the-true-token-0123456789")).unwrap();
    lent.hosts = vec![HostPattern::read("lent.example").unwrap()];
    lent.ports = vec![lending.port];
    lent.places = vec![Place::Header("authorization".to_owned())];
    rules.lent = vec![lent];
    rules.interception = interception(&authority);
    let world = World::new(rules, &["raw.example", "web.example", "tls.example", "lent.example"]);

    println!("{:<34} {:>12} {:>12}", "throughput", "without", "through");
    let direct = rate(BYTES, || connect((HOSTS, raw).into()));
    line("tunnel, Gbit/s", direct, rate(BYTES, || world.tunnel(&format!("raw.example:{raw}"))));
    let request =
        |host: &str, port: u16| format!("GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    let direct = rate(BYTES, || asked(connect((HOSTS, plain).into()), &request("web.example", plain)));
    let absolute =
        request("web.example", plain).replacen(" / ", &format!(" http://web.example:{plain}/ "), 1);
    line("plain HTTP, Gbit/s", direct, rate(BYTES, || asked(connect(world.http), &absolute)));
    let get = request("tls.example", big.port);
    let direct = rate(TLS_BYTES, || {
        asked(tls_client(&authority.pem, "tls.example", connect((HOSTS, big.port).into())), &get)
    });
    let through = rate(TLS_BYTES, || {
        asked(
            tls_client(
                &world.authority_pem,
                "tls.example",
                world.tunnel(&format!("tls.example:{}", big.port)),
            ),
            &get,
        )
    });
    line("opened TLS, Gbit/s", direct, through);

    println!("\n{:<34} {:>12} {:>12} {:>12}", "first byte, ms (median)", "without", "through", "added");
    let get = request("web.example", quick.port);
    let direct = median(|| first_byte(asked(connect((HOSTS, quick.port).into()), &get)));
    let absolute = get.replacen(" / ", &format!(" http://web.example:{}/ ", quick.port), 1);
    added("plain HTTP, new connection", direct, median(|| first_byte(asked(connect(world.http), &absolute))));
    let tunnelled = median(|| first_byte(asked(world.tunnel(&format!("web.example:{}", quick.port)), &get)));
    added("CONNECT, new connection", direct, tunnelled);

    let request = |host: &Host, name: &str| {
        format!("GET /v1 HTTP/1.1\r\nHost: {name}:{}\r\nAuthorization: Bearer {STAND_IN}\r\n\r\n", host.port)
    };
    let mut kept = tls_client(&authority.pem, "tls.example", connect((HOSTS, small.port).into()));
    let get = request(&small, "tls.example").replace(STAND_IN, "plain-value-without-stand-in");
    let direct = median(|| again(&mut kept, &get));
    let mut kept =
        tls_client(&world.authority_pem, "tls.example", world.tunnel(&format!("tls.example:{}", small.port)));
    added("opened TLS, kept connection", direct, median(|| again(&mut kept, &get)));
    let mut kept = tls_client(
        &world.authority_pem,
        "lent.example",
        world.tunnel(&format!("lent.example:{}", lending.port)),
    );
    let get = request(&lending, "lent.example");
    added("the same with a lent credential", direct, median(|| again(&mut kept, &get)));
    assert!(lending.text().contains("the-true-token") && !lending.text().contains(STAND_IN));
}

fn line(what: &str, without: f64, through: f64) {
    println!("{what:<34} {without:>12.2} {through:>12.2}");
}

fn added(what: &str, without: f64, through: f64) {
    println!("{what:<34} {without:>12.3} {through:>12.3} {:>12.3}", through - without);
}

/// A host that sends so many bytes: at once, or as an answer to a request.
fn source(answer: Option<usize>, bytes: usize) -> u16 {
    let listener = TcpListener::bind((HOSTS, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().take(8) {
            let mut stream = stream.unwrap();
            if let Some(n) = answer {
                let _ = stream.read(&mut [0; 4096]);
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\n").unwrap();
            }
            let block = vec![b'x'; 256 << 10];
            for _ in 0..bytes / block.len() {
                if stream.write_all(&block).is_err() {
                    break;
                }
            }
        }
    });
    port
}

fn asked<S: Read + Write>(mut stream: S, request: &str) -> S {
    stream.write_all(request.as_bytes()).unwrap();
    stream.flush().unwrap();
    stream
}

/// Gigabits a second while so many bytes are read; the better of three.
fn rate<S: Read>(bytes: usize, open: impl Fn() -> S) -> f64 {
    let mut room = vec![0; 256 << 10];
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let mut stream = open();
        let began = Instant::now();
        let mut left = bytes;
        while left > 0 {
            match stream.read(&mut room) {
                Ok(n @ 1..) => left = left.saturating_sub(n),
                other => panic!("ended early: {other:?}, {left} bytes left"),
            }
        }
        best = best.min(began.elapsed());
    }
    bytes as f64 * 8.0 / best.as_secs_f64() / 1e9
}

fn first_byte(mut stream: TcpStream) {
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 1);
}

/// One more request on a kept connection, and its whole answer.
fn again(stream: &mut (impl Read + Write), request: &str) {
    stream.write_all(request.as_bytes()).unwrap();
    stream.flush().unwrap();
    let (mut room, mut got) = ([0; 4096], Vec::new());
    while !got.ends_with(b"quick") {
        let n = stream.read(&mut room).unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&room[..n]);
    }
}

/// Milliseconds.
fn median(mut act: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..REQUESTS)
        .map(|_| {
            let began = Instant::now();
            act();
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[REQUESTS / 2]
}
