//! A TLS server that wants a token.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Answers `welcome` and repeats the request, to whoever has the token.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) port: u16,
    /// The authority to be trusted for it, in PEM.
    pub(crate) authority: String,
    received: Arc<Mutex<String>>,
    config: Arc<ServerConfig>,
    token: String,
}

impl Host {
    pub(crate) fn new(token: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(String::new()));
        let host = Self { port, authority, received, config, token: token.to_owned() };
        let answering = host.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answering.answer(stream);
            }
        });
        host
    }

    /// Listens at a socket in the file system too, which reaches into networks of their own.
    pub(crate) fn also_at(&self, path: &Path) {
        let listener = UnixListener::bind(path).unwrap();
        let answering = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answering.answer(stream);
            }
        });
    }

    fn answer(&self, stream: impl Read + Write + Send + 'static) {
        let host = self.clone();
        // Who breaks off has no answer, and nothing else of it.
        std::thread::spawn(move || drop(serve(stream, host.config, &host.received, &host.token)));
    }

    /// All that has arrived so far, decrypted.
    pub(crate) fn received(&self) -> String {
        self.received.lock().unwrap().clone()
    }
}

fn serve(
    stream: impl Read + Write,
    config: Arc<ServerConfig>,
    seen: &Mutex<String>,
    token: &str,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut tls = StreamOwned::new(connection, stream);
    let mut request = Vec::new();
    let mut room = [0; 4096];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        let count = tls.read(&mut room)?;
        if count == 0 {
            return Ok(());
        }
        request.extend_from_slice(&room[..count]);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    seen.lock().unwrap().push_str(&request);
    let authorized = request
        .to_ascii_lowercase()
        .contains(&format!("authorization: bearer {}", token.to_ascii_lowercase()))
        && request.contains(token);
    // An answer that repeats what it was sent is how a value would come back.
    let (status, body) = match authorized {
        true => ("200 OK", format!("welcome\n{request}")),
        false => ("401 Unauthorized", "who are you\n".to_owned()),
    };
    write!(tls, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
    tls.conn.send_close_notify();
    tls.flush()
}
