//! A console that runs for one test, and a client that sends what it is told to, byte by byte.

use crate::support::Canned;
use jiff::Timestamp;
use server::{Console, Door, Person, Settings};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A console that answers until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) door: Door,
    /// `ambit-….localhost:PORT`.
    pub(crate) host: String,
    end: Option<oneshot::Sender<()>>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// Opens a console over a state directory.
pub(crate) fn run(state: &Path) -> Running {
    run_with(state, None)
}

/// Opens one that decides nothing, if `read_only` says why.
pub(crate) fn run_with(state: &Path, read_only: Option<&str>) -> Running {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let settings = Settings {
        state: state.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        origin: None,
        zone: jiff::tz::TimeZone::UTC,
        now: Box::new(Timestamp::now),
        read_only: read_only.map(str::to_owned),
        surroundings: Arc::new(Canned),
    };
    let console = runtime.block_on(Console::open(settings)).unwrap();
    let (address, door) = (console.address().unwrap(), console.door());
    let (end, ended) = oneshot::channel();
    runtime.spawn(console.serve(async {
        let _ = ended.await;
    }));
    let link = door.link(person("nobody")).unwrap();
    let host = link.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    Running { address, door, host, end: Some(end), runtime: Some(runtime) }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end.take().map(|end| end.send(()));
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

pub(crate) fn person(name: &str) -> Person {
    Person { name: name.to_owned(), subject: format!("p-{name}") }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// A signed-in browser, as far as a test needs one.
pub(crate) struct Browser<'a> {
    pub(crate) running: &'a Running,
    pub(crate) cookie: String,
}

impl Running {
    /// Sends a request with exactly these headers.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if method == "POST" {
            text.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        parsed(&bytes)
    }

    /// Signs a person in.
    pub(crate) fn sign_in(&self, name: &str) -> Browser<'_> {
        let link = self.door.link(person(name)).unwrap();
        let path = link.strip_prefix(&format!("http://{}", self.host)).unwrap();
        let answer = self.send("GET", path, &[("Host", &self.host)], "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Browser { running: self, cookie }
    }

    /// Waits until the index has what the ledger has: a page shows `text` then.
    pub(crate) fn wait_for(&self, browser: &Browser<'_>, path: &str, text: &str) -> Answer {
        for _ in 0..100 {
            let answer = browser.get(path);
            if answer.body.contains(text) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{path} never showed {text}: {}", browser.get(path).body);
    }
}

impl Browser<'_> {
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.running.send("GET", path, &[("Host", &self.running.host), ("Cookie", &self.cookie)], "")
    }

    /// Sends a form from a page of the console, with the token of `page`.
    pub(crate) fn post(&self, page: &str, path: &str, fields: &str) -> Answer {
        let token = self.token(page);
        self.post_with(path, &format!("token={token}&{fields}"))
    }

    pub(crate) fn post_with(&self, path: &str, body: &str) -> Answer {
        let origin = format!("http://{}", self.running.host);
        let headers = [("Host", self.running.host.as_str()), ("Cookie", &self.cookie), ("Origin", &origin)];
        self.running.send("POST", path, &headers, body)
    }

    pub(crate) fn token(&self, page: &str) -> String {
        let body = self.get(page).body;
        let after = body.split("name=\"token\" value=\"").nth(1).unwrap();
        after.split('"').next().unwrap().to_owned()
    }
}

fn parsed(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let raw = &bytes[end + 4..];
    let chunked = headers.iter().any(|(n, v)| n == "transfer-encoding" && v == "chunked");
    let body = if chunked { unchunked(raw) } else { raw.to_vec() };
    Answer { status, headers, body: String::from_utf8(body).unwrap() }
}

fn unchunked(mut raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = raw.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&raw[..end]).unwrap().trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        out.extend_from_slice(&raw[end + 2..end + 2 + size]);
        raw = &raw[end + 4 + size..];
    }
    out
}
