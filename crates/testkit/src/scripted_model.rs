//! A model that plays a script, over loopback HTTP, and remembers every byte it was sent.

use crate::script::Script;
use crate::{KitError, wire};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tiny_http::{Header, Method, Request, Response, Server};

/// Why the agent made a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestKind {
    /// It plays the script: the request offers tools.
    Main,
    /// A Messages request without tools: a title, a summary, a classifier.
    Side,
    /// Anything else: counting tokens, listing models, a probe.
    Aux,
}

/// The body of a request, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Body {
    /// Valid UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

/// One request as the model received it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeenRequest {
    /// 1 for the first request.
    pub number: usize,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Why the agent made it.
    pub kind: RequestKind,
    /// The script list that was played, for a main request.
    pub script: Option<String>,
    /// The step of that list, from 0.
    pub step: Option<usize>,
    /// Every header, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// The HTTP status of the reply.
    pub status: u16,
    /// The content blocks of the reply, if it was one of the assistant.
    pub reply: Vec<Value>,
}

impl SeenRequest {
    /// The body's bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Text(text) => text.as_bytes(),
            Body::Bytes(bytes) => bytes,
        }
    }

    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(self.bytes()).unwrap_or(Value::Null)
    }

    /// Whether the bytes occur anywhere in the request: path, headers, the body as sent, or any text in the body
    /// once JSON's escapes are undone.
    pub fn holds(&self, needle: &[u8]) -> bool {
        let plain = [self.path.as_bytes(), self.bytes()];
        plain.iter().any(|hay| contains(hay, needle))
            || self.headers.iter().any(|(_, value)| contains(value.as_bytes(), needle))
            || any_text(&self.json(), &|text| contains(text.as_bytes(), needle))
    }
}

/// Whether `hay` contains `needle`; an empty needle is in nothing, so that a forgotten one cannot pass a test.
pub(crate) fn contains(hay: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && hay.windows(needle.len()).any(|w| w == needle)
}

fn any_text(value: &Value, test: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => test(text),
        Value::Array(items) => items.iter().any(|v| any_text(v, test)),
        Value::Object(map) => map.iter().any(|(k, v)| test(k) || any_text(v, test)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The file in which a scripted model of another process writes its requests, one JSON object a line.
#[derive(Clone, Debug)]
pub struct RequestLog(PathBuf);

impl RequestLog {
    /// The log at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Everything written so far; empty when there is no file yet.
    ///
    /// # Errors
    /// When the file cannot be read or a line is not a request.
    pub fn requests(&self) -> Result<Vec<SeenRequest>, KitError> {
        let text = match std::fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(KitError::file(&self.0, e)),
        };
        let read = |line: &str| serde_json::from_str(line);
        text.lines().map(read).collect::<Result<_, _>>().map_err(|e| KitError::Invalid {
            what: format!("the request log `{}`", self.0.display()),
            why: e.to_string(),
        })
    }
}

/// A running model. It stops when dropped.
#[derive(Debug)]
pub struct ScriptedModel {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    server: Server,
    script: Script,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<SeenRequest>,
    log: Option<File>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("script", &self.script).finish_non_exhaustive()
    }
}

impl ScriptedModel {
    /// Starts on a free loopback port and keeps the requests in memory.
    ///
    /// # Errors
    /// When no loopback port can be bound.
    pub fn start(script: Script) -> Result<Self, KitError> {
        Self::start_with(script, 0, None)
    }

    /// Starts on `port` (0: any free one) and appends each request to `log` as well, if given.
    ///
    /// # Errors
    /// When the port cannot be bound or the log not be opened.
    pub fn start_with(script: Script, port: u16, log: Option<&Path>) -> Result<Self, KitError> {
        let bind = |e: std::io::Error| KitError::start("the scripted model on loopback", e);
        let listener = TcpListener::bind(("127.0.0.1", port)).map_err(bind)?;
        let port = listener.local_addr().map_err(bind)?.port();
        let server = Server::from_listener(listener, None)
            .map_err(|e| KitError::Invalid { what: "the model's listener".into(), why: e.to_string() })?;
        let open = |path: &Path| {
            let file = File::options().create(true).append(true).open(path);
            file.map_err(|e| KitError::file(path, e))
        };
        let seen = Seen { requests: Vec::new(), log: log.map(open).transpose()? };
        let shared = Arc::new(Shared { server, script, seen: Mutex::new(seen) });
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            // `recv` fails when `drop` unblocks it: the end.
            while let Ok(request) = serving.server.recv() {
                serving.answer(request);
            }
        });
        Ok(Self { port, shared, thread: Some(thread) })
    }

    /// The loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What an agent takes as the base address of its model.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.seen.lock().expect("no thread panicked with the requests in hand").requests.clone()
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        self.shared.server.unblock();
        if let Some(thread) = self.thread.take() {
            // A panic of the server thread has been printed already; a second one here would abort the test run.
            let _ = thread.join();
        }
    }
}

/// What goes back over the wire.
struct Reply {
    kind: RequestKind,
    played: Option<(String, usize)>,
    blocks: Vec<Value>,
    status: u16,
    content_type: &'static str,
    text: String,
}

impl Reply {
    fn aux(status: u16, value: &Value) -> Self {
        let (played, blocks) = (None, Vec::new());
        Self {
            kind: RequestKind::Aux,
            played,
            blocks,
            status,
            content_type: "application/json",
            text: value.to_string(),
        }
    }
}

impl Shared {
    fn answer(&self, mut request: Request) {
        let mut bytes = Vec::new();
        let whole = request.as_reader().read_to_end(&mut bytes).is_ok();
        let headers: Vec<_> = request
            .headers()
            .iter()
            .map(|h| (h.field.as_str().as_str().to_ascii_lowercase(), h.value.as_str().to_owned()))
            .collect();
        let encoded = headers.iter().any(|(k, v)| k == "content-encoding" && v != "identity");
        let mut seen = self.seen.lock().expect("no thread panicked with the requests in hand");
        let number = seen.requests.len() + 1;
        let reply = if !whole {
            Reply::aux(400, &json!({"error": "the body ended early"}))
        } else if encoded {
            // A compressed body could hide a secret from a search of the bytes.
            Reply::aux(415, &json!({"error": "send the body uncompressed"}))
        } else {
            self.reply(request.method(), request.url(), &bytes, number)
        };
        let (script, step) = reply.played.unzip();
        let record = SeenRequest {
            number,
            method: request.method().to_string(),
            path: request.url().to_owned(),
            kind: reply.kind,
            script,
            step,
            headers,
            body: String::from_utf8(bytes).map_or_else(|e| Body::Bytes(e.into_bytes()), Body::Text),
            status: reply.status,
            reply: reply.blocks,
        };
        if let Some(log) = &mut seen.log {
            let line = serde_json::to_string(&record).expect("a request is JSON") + "\n";
            log.write_all(line.as_bytes()).expect("the request log takes a line");
        }
        seen.requests.push(record);
        drop(seen);
        let header = |k: &str, v: &str| Header::from_bytes(k, v).expect("fixed headers are valid");
        let response = Response::from_string(reply.text)
            .with_status_code(reply.status)
            .with_header(header("content-type", reply.content_type))
            .with_header(header("request-id", "req_scripted"));
        // The agent may have gone away (a killed session); its request is recorded all the same.
        let _ = request.respond(response);
    }

    fn reply(&self, method: &Method, url: &str, bytes: &[u8], number: usize) -> Reply {
        let path = url.split('?').next().unwrap_or_default();
        if *method == Method::Head {
            return Reply::aux(200, &json!({}));
        }
        if *method == Method::Get {
            return match path.ends_with("/models") {
                true => Reply::aux(200, &models()),
                false => Reply::aux(404, &json!({})),
            };
        }
        if path.ends_with("/messages/count_tokens") {
            return Reply::aux(200, &json!({"input_tokens": 100}));
        }
        if !path.ends_with("/messages") {
            return Reply::aux(404, &json!({}));
        }
        let Ok(body) = serde_json::from_slice::<Value>(bytes) else {
            return Reply::aux(400, &json!({"error": "the body is not JSON"}));
        };
        let plan = wire::plan(&self.script, &body);
        let (content_type, text) = if body["stream"] == true {
            ("text/event-stream", plan.stream(&body, number))
        } else {
            ("application/json", plan.message(&body, number).to_string())
        };
        let kind = if plan.played.is_some() { RequestKind::Main } else { RequestKind::Side };
        Reply { kind, played: plan.played, blocks: plan.blocks, status: 200, content_type, text }
    }
}

fn models() -> Value {
    let ids = ["claude-sonnet-5", "claude-opus-5", "claude-haiku-5"];
    let data = ids.map(
        |id| json!({"id": id, "type": "model", "display_name": id, "created_at": "2026-01-01T00:00:00Z"}),
    );
    json!({"data": data, "has_more": false, "first_id": ids[0], "last_id": ids[2]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Step;
    use std::io::Read;
    use std::net::TcpStream;

    fn post(port: u16, path: &str, extra: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{extra}content-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn every_request_is_kept_and_found_in() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let model = ScriptedModel::start_with(Script::of([Step::bash("ls -l")]), 0, Some(&log)).unwrap();
        let body =
            json!({"stream": true, "tools": [{}], "messages": [{"role": "user", "content": "a\"quote"}]});
        let answer = post(
            model.port(),
            "/v1/messages?beta=true",
            "x-key: header-value\r\n",
            body.to_string().as_bytes(),
        );
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("text/event-stream"), "{answer}");
        assert!(answer.contains("toolu_mains00c0") && answer.contains("event: message_stop"), "{answer}");
        post(model.port(), "/v1/messages", "", b"\xff\xfe");
        for requests in [model.requests(), RequestLog::at(&log).requests().unwrap()] {
            assert_eq!(requests.len(), 2);
            assert_eq!(requests[0].kind, RequestKind::Main);
            assert!(requests[0].holds(b"a\"quote"), "text is found with its escapes undone");
            assert!(requests[0].holds(b"header-value") && requests[0].holds(b"beta=true"));
            assert!(!requests[0].holds(b"absent") && !requests[0].holds(b""));
            assert_eq!((requests[1].bytes(), requests[1].status), (&b"\xff\xfe"[..], 400));
        }
    }

    #[test]
    fn a_compressed_body_is_refused_because_it_cannot_be_searched() {
        let model = ScriptedModel::start(Script::of([Step::text("x")])).unwrap();
        let answer = post(model.port(), "/v1/messages", "content-encoding: gzip\r\n", b"{}");
        assert!(answer.starts_with("HTTP/1.1 415"), "{answer}");
    }

    #[test]
    fn it_speaks_plain_json_counts_tokens_and_knows_no_other_path() {
        let model = ScriptedModel::start(Script::of([Step::text("final words")])).unwrap();
        let body = json!({"tools": [{}], "messages": [{"role": "user", "content": "go"}]}).to_string();
        assert!(post(model.port(), "/v1/messages", "", body.as_bytes()).contains("final words"));
        assert!(post(model.port(), "/v1/messages/count_tokens", "", b"{}").contains("input_tokens"));
        assert!(post(model.port(), "/v1/other", "", b"{}").starts_with("HTTP/1.1 404"));
    }
}
