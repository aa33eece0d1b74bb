//! Chats are told, signed, soon, and without keeping the agent waiting.

use crate::world::{GUIDING, World};
use approvals::webhook::{SIGNATURE_HEADER, TIME_HEADER, signed};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// One POST as it came.
struct Post {
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    at: Instant,
}

/// A chat on the loopback that takes everything.
fn chat() -> (u16, mpsc::Receiver<Post>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(16).flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            reader.read_line(&mut first).unwrap();
            let mut headers = BTreeMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let Some((name, value)) = line.trim().split_once(": ") else { break };
                headers.insert(name.to_lowercase(), value.to_owned());
            }
            let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mut stream = stream;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").unwrap();
            let path = first.split(' ').nth(1).unwrap().to_owned();
            if sender.send(Post { path, headers, body, at: Instant::now() }).is_err() {
                return;
            }
        }
    });
    (port, receiver)
}

#[test]
fn a_request_is_told_to_every_chat_in_its_form_within_a_second() {
    let (port, posts) = chat();
    let hook = |path: &str, form: &str, secret: &str| {
        format!(
            "[[approvals.webhooks]]\nurl = \"http://127.0.0.1:{port}/{path}\"\nform = \"{form}\"\n{secret}\n"
        )
    };
    let world = World::with("");
    let secret = world.sandbox.write_home("chat.secret", "a long secret of a chat\n");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let file = format!("secret_file = \"{}\"", secret.display());
    let config = format!(
        "mode = \"enforce\"\n[approvals]\nwait_s = 0\n{}{}{}",
        hook("slack", "slack", &file),
        hook("teams", "teams", &file),
        hook("plain", "plain", "")
    );
    std::fs::write(world.sandbox.home().join(".config/ambit/ambit.toml"), config).unwrap();
    // Once before, so that compiling the rules is not measured.
    world.propose("git status --short", "call-0");
    let start = Instant::now();
    let judged = world.propose(GUIDING, "call-1");
    assert!(judged.verdict() == "deny" && judged.reason().contains("A1"), "{judged:?}");
    let mut found = BTreeMap::new();
    for _ in 0..3 {
        let post = posts.recv_timeout(Duration::from_secs(20)).unwrap();
        found.insert(post.path.clone(), post);
    }
    assert!(found["/slack"].at - start < Duration::from_secs(3), "{:?}", found["/slack"].at - start);
    for path in ["/slack", "/teams"] {
        let post = &found[path];
        let time: u64 = post.headers[&TIME_HEADER.to_lowercase()].parse().unwrap();
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap();
        let given = &post.headers[&SIGNATURE_HEADER.to_lowercase()];
        assert!(signed(b"a long secret of a chat", time, &post.body, given, now), "{path}");
        let text = String::from_utf8_lossy(&post.body);
        assert!(text.contains("A1") && text.contains("AGENTS.md"), "{text}");
    }
    assert!(!found["/plain"].headers.contains_key(&SIGNATURE_HEADER.to_lowercase()));
    let slack: serde_json::Value = serde_json::from_slice(&found["/slack"].body).unwrap();
    assert!(slack["blocks"].is_array() && slack["text"].is_string());
    let teams: serde_json::Value = serde_json::from_slice(&found["/teams"].body).unwrap();
    assert_eq!(teams["attachments"][0]["content"]["type"], "AdaptiveCard");
    // The same call again is the same request: nobody is told twice. And an allowed call tells nobody.
    world.propose(GUIDING, "call-2");
    world.propose("git status --short", "call-3");
    assert!(posts.recv_timeout(Duration::from_secs(2)).is_err());
}

#[test]
fn a_chat_that_hangs_keeps_nobody_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let world = World::with(&format!(
        "[approvals]\nwait_s = 0\nwebhooks = [{{ url = \"http://127.0.0.1:{port}/x\" }}]"
    ));
    world.propose("git status --short", "call-0");
    let judged = world.propose(GUIDING, "call-1");
    assert!(judged.verdict() == "deny" && judged.wall < Duration::from_secs(3), "{judged:?}");
    drop(listener);
}
