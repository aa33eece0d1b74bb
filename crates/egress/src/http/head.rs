//! Heads of requests and answers.

use std::io::Write as _;

/// Most headers a head may have.
const MAX_HEADERS: usize = 128;

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadError {
    /// Not HTTP/1.0 or HTTP/1.1.
    #[error("the message is not well-formed HTTP/1.1")]
    Syntax,
    /// A line that does not end in CR LF, a folded line, a NUL or a bare CR.
    #[error("a line of the head is folded, or does not end in CR LF")]
    Lines,
    /// More than one way to tell the body's end, or one that is not well formed.
    #[error("the body's length is told in more than one way, or not well formed")]
    Framing,
    /// No `Host`, or more than one.
    #[error("the request needs exactly one `Host`")]
    Host,
    /// A `Connection` header that would take away another header that matters.
    #[error("`Connection` names a header that must stay")]
    Connection,
}

/// How a body's end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes; 0 when there is no body.
    Length(u64),
    /// In chunks.
    Chunked,
    /// By the end of the connection (answers only).
    Close,
}

/// A request's head. Header names keep their spelling; hop-by-hop headers are gone.
#[derive(Clone)]
pub(crate) struct RequestHead {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) minor: u8,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) framing: Framing,
    /// Whether the client wants the connection kept.
    pub(crate) keep: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) expects: bool,
}

impl RequestHead {
    /// Reads a whole head, up to and with its empty line.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, HeadError> {
        check_lines(bytes)?;
        let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut room);
        match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(n)) if n == bytes.len() => {}
            _ => return Err(HeadError::Syntax),
        }
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(HeadError::Syntax);
        };
        if !target.bytes().all(|b| b.is_ascii_graphic())
            || target.contains('#')
            || method.len() > 32
            || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        {
            return Err(HeadError::Syntax);
        }
        let fields = Fields::read(parsed.headers, minor)?;
        if fields.hosts > 1 || (fields.hosts == 0 && minor == 1) {
            return Err(HeadError::Host);
        }
        let framing = match (fields.chunked, fields.length) {
            (true, None) if minor == 1 => Framing::Chunked,
            (true, _) => return Err(HeadError::Framing),
            (false, length) => Framing::Length(length.unwrap_or(0)),
        };
        Ok(Self {
            method: method.to_owned(),
            target: target.to_owned(),
            minor,
            headers: fields.kept,
            framing,
            keep: fields.keep,
            expects: fields.expects && minor == 1,
        })
    }

    /// The value of the first header with this name.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_slice())
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }

    /// The target without its query, once it is in origin form.
    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(p, _)| p)
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, q)| q)
    }

    /// The head as it is sent on: `Host` first, then what is left, then the framing.
    pub(crate) fn write(&self, authority: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        let _ = write!(out, "{} {} HTTP/1.1\r\nHost: {authority}\r\n", self.method, self.target);
        write_headers(&mut out, self.headers.iter().filter(|(n, _)| !n.eq_ignore_ascii_case("host")));
        match self.framing {
            Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Framing::Length(0)
                if matches!(self.method.as_str(), "GET" | "HEAD" | "DELETE" | "OPTIONS" | "TRACE") => {}
            Framing::Length(n) => {
                let _ = write!(out, "Content-Length: {n}\r\n");
            }
            Framing::Close => {}
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// An answer's head.
#[derive(Clone)]
pub(crate) struct AnswerHead {
    pub(crate) status: u16,
    pub(crate) phrase: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) framing: Framing,
    pub(crate) keep: bool,
}

impl AnswerHead {
    /// Reads a whole head of the answer to a request with this method.
    pub(crate) fn read(bytes: &[u8], method: &str) -> Result<Self, HeadError> {
        check_lines(bytes)?;
        let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut room);
        match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(n)) if n == bytes.len() => {}
            _ => return Err(HeadError::Syntax),
        }
        let (Some(minor), Some(status)) = (parsed.version, parsed.code) else {
            return Err(HeadError::Syntax);
        };
        let phrase = parsed.reason.unwrap_or_default().to_owned();
        let fields = Fields::read(parsed.headers, minor)?;
        let framing = if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            Framing::Length(0)
        } else {
            match (fields.chunked, fields.length) {
                (true, None) if minor == 1 => Framing::Chunked,
                (true, _) => return Err(HeadError::Framing),
                (false, Some(n)) => Framing::Length(n),
                (false, None) => Framing::Close,
            }
        };
        let mut headers = fields.kept;
        if let (Framing::Length(0), Some(n)) = (framing, fields.length)
            && (method == "HEAD" || status == 304)
        {
            // The length of the body that is not sent is news for the client all the same.
            headers.push(("Content-Length".to_owned(), n.to_string().into_bytes()));
        }
        Ok(Self { status, phrase, headers, framing, keep: fields.keep && framing != Framing::Close })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_slice())
    }

    /// The head for the client. `framing` may differ from the one that came in; `bodyless` writes none.
    pub(crate) fn write(&self, framing: Framing, bodyless: bool, keep: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        let _ = write!(out, "HTTP/1.1 {:03} {}\r\n", self.status, self.phrase);
        write_headers(&mut out, self.headers.iter());
        match framing {
            _ if bodyless => {}
            Framing::Length(n) => {
                let _ = write!(out, "Content-Length: {n}\r\n");
            }
            Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Framing::Close => {}
        }
        if !keep {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

fn write_headers<'h>(out: &mut Vec<u8>, headers: impl Iterator<Item = &'h (String, Vec<u8>)>) {
    for (name, value) in headers {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

/// Every LF ends a CR LF, there is no other CR, no NUL, and no line begins with a blank.
fn check_lines(bytes: &[u8]) -> Result<(), HeadError> {
    let mut before = b'\n';
    for &b in bytes {
        let bad = match b {
            b'\n' => before != b'\r',
            0 => true,
            b' ' | b'\t' => before == b'\n',
            _ => before == b'\r',
        };
        if bad || (b == b'\r' && before == b'\r') {
            return Err(HeadError::Lines);
        }
        before = b;
    }
    if bytes.starts_with(b"\r\n") { Err(HeadError::Lines) } else { Ok(()) }
}

/// What the headers say of the connection and the body, and the headers that are sent on.
struct Fields {
    kept: Vec<(String, Vec<u8>)>,
    length: Option<u64>,
    chunked: bool,
    hosts: usize,
    keep: bool,
    expects: bool,
}

/// Headers of one hop (RFC 9110 §7.6.1), those of proxies, and those that change the protocol.
const OF_ONE_HOP: [&str; 12] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "proxy-authorization",
    "proxy-authenticate",
    "content-length",
    "expect",
];

/// Headers that `Connection` must not take away.
const MUST_STAY: [&str; 5] = ["host", "content-length", "transfer-encoding", "authorization", "cookie"];

impl Fields {
    fn read(headers: &[httparse::Header<'_>], minor: u8) -> Result<Self, HeadError> {
        let (mut length, mut codings, mut hosts, mut expects) = (None, 0, 0, false);
        let mut named: Vec<String> = Vec::new();
        for h in headers {
            let name = h.name.to_ascii_lowercase();
            let value = std::str::from_utf8(h.value).ok();
            match name.as_str() {
                "content-length" => {
                    let digits = value
                        .filter(|v| !v.is_empty() && v.len() <= 18 && v.bytes().all(|b| b.is_ascii_digit()));
                    let n = digits.and_then(|d| d.parse::<u64>().ok()).ok_or(HeadError::Framing)?;
                    if length.replace(n).is_some() {
                        return Err(HeadError::Framing);
                    }
                }
                "transfer-encoding" => {
                    codings += 1;
                    if codings > 1 || !value.is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
                        return Err(HeadError::Framing);
                    }
                }
                // Spellings that sloppy servers take for the header itself.
                n if n.replace('_', "-") != n
                    && matches!(n.replace('_', "-").as_str(), "content-length" | "transfer-encoding") =>
                {
                    return Err(HeadError::Framing);
                }
                "host" => hosts += 1,
                "expect" => expects = value.is_some_and(|v| v.eq_ignore_ascii_case("100-continue")),
                "connection" | "proxy-connection" => {
                    named.extend(
                        value.ok_or(HeadError::Syntax)?.split(',').map(|t| t.trim().to_ascii_lowercase()),
                    );
                }
                _ => {}
            }
        }
        if codings > 0 && length.is_some() {
            return Err(HeadError::Framing);
        }
        if named.iter().any(|n| MUST_STAY.contains(&n.as_str())) {
            return Err(HeadError::Connection);
        }
        let says = |word: &str| named.iter().any(|n| n == word);
        let keep = if minor == 1 { !says("close") } else { says("keep-alive") && !says("close") };
        let kept = headers
            .iter()
            .filter(|h| {
                let name = h.name.to_ascii_lowercase();
                !OF_ONE_HOP.contains(&name.as_str()) && !says(&name)
            })
            .map(|h| (h.name.to_owned(), h.value.to_vec()))
            .collect();
        Ok(Self { kept, length, chunked: codings > 0, hosts, keep, expects })
    }
}
