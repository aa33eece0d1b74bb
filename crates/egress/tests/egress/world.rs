//! A small network on loopback: hosts that record what reaches them, a resolver that records what it is asked, and a
//! server with rules between them and the test.

use egress::{
    Event, HostRule, Interception, Limits, Listeners, Network, NetworkGrant, Observer, Resolver, Rules,
    Server,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Where the hosts of the tests lie; an address of loopback that nothing else uses.
pub(crate) const HOSTS: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);

/// Where the name server's addresses lie, so that connections to them arrive on this machine.
pub(crate) const FAKE: &str = "127.198.0.0/16";

/// The first address that it gives out.
pub(crate) const FIRST_FAKE: Ipv4Addr = Ipv4Addr::new(127, 198, 0, 1);

#[derive(Default)]
pub(crate) struct Seen(Mutex<Vec<Event>>);

impl Observer for Seen {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Seen {
    pub(crate) fn all(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    /// The first event that fits, waited for.
    pub(crate) fn wait(&self, fits: impl Fn(&Event) -> bool) -> Event {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(found) = self.all().into_iter().find(&fits) {
                return found;
            }
            assert!(Instant::now() < until, "no such event among {:#?}", self.all());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Names and their addresses; a name with several lists gives one after the other, as in rebinding.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) known: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn put(&self, name: &str, answers: &[&[&str]]) {
        let answers = answers.iter().map(|a| a.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        self.known.lock().unwrap().insert(name.to_owned(), answers);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolver for Names {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut known = self.known.lock().unwrap();
        let answers = known.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() })
    }
}

/// A host that keeps what it received, connection by connection.
pub(crate) struct Host {
    pub(crate) port: u16,
    pub(crate) received: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Host {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.received.lock().unwrap().concat()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// A host that answers each request, once it is whole, with what `reply` says; `None` ends the connection.
    pub(crate) fn new(
        tls: Option<Arc<ServerConfig>>,
        reply: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((HOSTS, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (kept, reply) = (Arc::clone(&received), Arc::new(reply));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), kept, reply, tls) =
                    (stream, Arc::clone(&kept), Arc::clone(&reply), tls.clone())
                else {
                    return;
                };
                let index = {
                    let mut all = kept.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                    match tls {
                        None => converse(stream, index, &kept, &*reply),
                        Some(config) => {
                            let tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                            converse(tls, index, &kept, &*reply);
                        }
                    }
                });
            }
        });
        Self { port, received }
    }
}

fn converse(
    mut stream: impl Read + Write,
    index: usize,
    kept: &Mutex<Vec<Vec<u8>>>,
    reply: &(dyn Fn(&[u8]) -> Option<Vec<u8>> + Sync),
) {
    let (mut pending, mut room) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        while let Some(n) = whole_request(&pending) {
            let request: Vec<u8> = pending.drain(..n).collect();
            match reply(&request) {
                Some(answer) => {
                    let _ = stream.write_all(&answer);
                    let _ = stream.flush();
                }
                None => return,
            }
        }
        match stream.read(&mut room) {
            Ok(0) | Err(_) => return,
            Ok(n) => {
                pending.extend_from_slice(&room[..n]);
                kept.lock().unwrap()[index].extend_from_slice(&room[..n]);
            }
        }
    }
}

/// The length of the first whole request, as a plain reader of HTTP sees it.
fn whole_request(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    if text.contains("transfer-encoding: chunked") {
        let end = bytes[head..].windows(5).position(|w| w == b"0\r\n\r\n")?;
        return Some(head + end + 5);
    }
    let length =
        text.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    (bytes.len() >= head + length).then_some(head + length)
}

/// An answer with a body.
pub(crate) fn ok(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// An authority for the hosts of the tests.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "Authority of the tests");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn host(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let leaf =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

/// A server between the test and its hosts.
pub(crate) struct World {
    pub(crate) server: Option<Server>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) names: Arc<Names>,
    pub(crate) http: SocketAddr,
    pub(crate) socks: SocketAddr,
    pub(crate) dns: SocketAddr,
    pub(crate) dns_tcp: SocketAddr,
    pub(crate) authority_pem: String,
}

impl World {
    /// Serves `rules`, which reach the hosts of the tests besides; every name of `names` leads to them.
    pub(crate) fn new(mut rules: Rules, names: &[&str]) -> Self {
        rules.networks.push(NetworkGrant {
            id: "hosts-of-the-test".to_owned(),
            network: Network::read(&HOSTS.to_string()).unwrap(),
            ports: Vec::new(),
        });
        rules.fake = Network::read(FAKE).unwrap();
        rules.limits =
            Limits { greeting: Duration::from_secs(3), idle: Duration::from_secs(8), ..rules.limits };
        let resolver = Arc::new(Names::default());
        for name in names {
            resolver.put(name, &[&[&HOSTS.to_string()]]);
        }
        let tcp = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (http, socks, dns_tcp) = (tcp(), tcp(), tcp());
        let dns = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let direct: Vec<TcpListener> = rules
            .hosts
            .iter()
            .flat_map(|r| r.ports.clone())
            .filter_map(|port| TcpListener::bind((FIRST_FAKE, port)).ok())
            .collect();
        let seen = Arc::new(Seen::default());
        let authority_pem =
            rules.interception.as_ref().map(|i| i.authority_pem().to_owned()).unwrap_or_default();
        let (http_at, socks_at) = (http.local_addr().unwrap(), socks.local_addr().unwrap());
        let (dns_at, dns_tcp_at) = (dns.local_addr().unwrap(), dns_tcp.local_addr().unwrap());
        let listeners = Listeners {
            http: vec![http],
            socks: vec![socks],
            direct,
            loopback: Vec::new(),
            dns_udp: vec![dns],
            dns_tcp: vec![dns_tcp],
        };
        let server =
            egress::serve(listeners, Arc::new(rules), Arc::clone(&seen) as _, Arc::clone(&resolver) as _)
                .unwrap();
        Self {
            server: Some(server),
            seen,
            names: resolver,
            http: http_at,
            socks: socks_at,
            dns: dns_at,
            dns_tcp: dns_tcp_at,
            authority_pem,
        }
    }

    /// Sends raw bytes and gives everything that comes back until the other side ends.
    pub(crate) fn exchange(&self, at: SocketAddr, bytes: &[u8]) -> Vec<u8> {
        let mut stream = connect(at);
        // The other side may refuse and end before everything is written.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        all
    }

    pub(crate) fn text(&self, at: SocketAddr, bytes: &str) -> String {
        String::from_utf8_lossy(&self.exchange(at, bytes.as_bytes())).into_owned()
    }

    /// Opens a tunnel by CONNECT.
    pub(crate) fn tunnel(&self, target: &str) -> TcpStream {
        let mut stream = connect(self.http);
        write!(stream, "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").unwrap();
        let mut head = Vec::new();
        let mut one = [0];
        while !head.ends_with(b"\r\n\r\n") {
            assert_eq!(stream.read(&mut one).unwrap(), 1, "{}", String::from_utf8_lossy(&head));
            head.push(one[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&head));
        stream
    }
}

pub(crate) fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub(crate) fn rules() -> Rules {
    Rules::deny_all("ambit ask egress {host} --port {port}")
}

pub(crate) fn rule(pattern: &str, ports: &[u16]) -> HostRule {
    let mut rule = HostRule::new(format!("test/{pattern}"), pattern).unwrap();
    rule.ports = ports.to_vec();
    rule
}

pub(crate) fn interception(authority: &Authority) -> Option<Arc<Interception>> {
    Some(Arc::new(Interception::new(SystemTime::now(), authority.pem.as_bytes()).unwrap()))
}

/// A client's side of TLS that trusts these roots.
pub(crate) fn tls_client(
    roots: &str,
    name: &str,
    stream: TcpStream,
) -> StreamOwned<rustls::ClientConnection, TcpStream> {
    use rustls::pki_types::pem::PemObject as _;
    let mut store = rustls::RootCertStore::empty();
    for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(roots.as_bytes()) {
        store.add(certificate.unwrap()).unwrap();
    }
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(store)
            .with_no_client_auth();
    let connection =
        rustls::ClientConnection::new(Arc::new(config), name.to_owned().try_into().unwrap()).unwrap();
    StreamOwned::new(connection, stream)
}

/// Everything until the end; a connection that is reset or not closed as TLS wants it has ended too.
pub(crate) fn read_all(stream: &mut impl Read) -> String {
    let (mut all, mut room) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stream.read(&mut room) {
        all.extend_from_slice(&room[..n]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The body of a message in chunks; panics when it is not well ended.
pub(crate) fn unchunked(body: &[u8]) -> Vec<u8> {
    let (mut whole, mut rest) = (Vec::new(), body);
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n").unwrap();
        let line = std::str::from_utf8(&rest[..end]).unwrap();
        let n = usize::from_str_radix(line.split(';').next().unwrap(), 16).unwrap();
        rest = &rest[end + 2..];
        if n == 0 {
            return whole;
        }
        whole.extend_from_slice(&rest[..n]);
        assert_eq!(&rest[n..n + 2], b"\r\n");
        rest = &rest[n + 2..];
    }
}
