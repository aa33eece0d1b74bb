//! Who gets in, and who does not.

use crate::client::{person, run};
use crate::support::sample;
use jiff::Timestamp;
use ledger::{Kind, Query, Reader};
use server::{Console, ServerError, Settings};
use std::sync::Arc;

const PAGES: [&str; 14] = [
    "/",
    "/sessions",
    "/session/5f0c7a31",
    "/record/1",
    "/record/1/proof",
    "/record/1/proof.json",
    "/search",
    "/search/export?format=jsonl",
    "/approvals",
    "/approvals/A1",
    "/guard",
    "/policy",
    "/insight",
    "/evidence",
];

#[test]
fn a_link_signs_in_once() {
    let state = tempfile::tempdir().unwrap();
    let running = run(state.path());
    let link = running.door.link(person("ana")).unwrap();
    let path = link.strip_prefix(&format!("http://{}", running.host)).unwrap();
    let answer = running.send("GET", path, &[("Host", &running.host)], "");
    assert_eq!(answer.status, 200);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let now = running.send("GET", "/", &[("Host", &running.host), ("Cookie", cookie)], "");
    assert_eq!(now.status, 200);
    assert!(now.body.contains("<h1>Now</h1>"), "{}", now.body);
    let again = running.send("GET", path, &[("Host", &running.host)], "");
    assert_eq!((again.status, again.header("set-cookie")), (401, None));
    // What happened at the door is in the ledger, with the person sealed.
    let query = Query { kinds: vec![Kind::new("console.signin").unwrap()], ..Query::default() };
    let reader = Reader::open(state.path());
    let found: Vec<_> = reader.find(query).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1.subject.as_deref(), Some("p-ana"));
    assert!(!String::from_utf8_lossy(found[0].0.line()).contains("\"ana\""));
}

#[test]
fn nobody_else_sees_anything() {
    let state = tempfile::tempdir().unwrap();
    sample(state.path(), Timestamp::now());
    let running = run(state.path());
    for page in PAGES {
        for cookie in ["", "ambit_console=", "ambit_console=AAAA", "other=1"] {
            let answer = running.send("GET", page, &[("Host", &running.host), ("Cookie", cookie)], "");
            assert_eq!(answer.status, 401, "{page} {cookie}");
            assert!(!answer.body.contains("claude-code"), "{page}: {}", answer.body);
        }
    }
    let events = running.send("GET", "/events", &[("Host", &running.host)], "");
    assert_eq!(events.status, 401);
}

#[test]
fn only_our_own_pages_are_obeyed() {
    let state = tempfile::tempdir().unwrap();
    let running = run(state.path());
    let browser = running.sign_in("ana");
    let token = browser.token("/evidence");
    let (host, cookie) = (running.host.as_str(), browser.cookie.as_str());
    let origin = format!("http://{host}");
    let port = running.address.port();
    // Under another name, as a rebound name server would lead here.
    for other in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), "evil.example".to_owned()] {
        assert_eq!(
            running.send("GET", "/", &[("Host", &other), ("Cookie", cookie)], "").status,
            421,
            "{other}"
        );
    }
    assert_eq!(running.send("GET", "/", &[("Cookie", cookie)], "").status, 421);
    let body = format!("token={token}");
    let post = |headers: &[(&str, &str)], body: &str| {
        let mut all = vec![("Host", host), ("Cookie", cookie)];
        all.extend_from_slice(headers);
        running.send("POST", "/evidence", &all, body).status
    };
    assert_eq!(post(&[], &body), 403);
    assert_eq!(post(&[("Origin", "null")], &body), 403);
    assert_eq!(post(&[("Origin", "http://localhost:3000")], &body), 403);
    assert_eq!(post(&[("Sec-Fetch-Site", "cross-site")], &body), 403);
    assert_eq!(post(&[("Origin", &origin)], ""), 403);
    assert_eq!(post(&[("Origin", &origin)], "token=wrong"), 403);
    assert_eq!(post(&[("Origin", &origin)], &body), 200);
    // A token is its session's alone.
    let other = running.sign_in("ben");
    assert_eq!(other.post_with("/evidence", &body).status, 403);
    // And one who signed out is out.
    assert_eq!(browser.post_with("/signout", &body).status, 200);
    assert_eq!(browser.get("/").status, 401);
}

#[test]
fn every_answer_forbids_what_no_page_needs() {
    let state = tempfile::tempdir().unwrap();
    let running = run(state.path());
    let browser = running.sign_in("ana");
    let answers = [
        browser.get("/"),
        browser.get("/no-such-page"),
        browser.get("/assets/console.css"),
        running.send("GET", "/", &[("Host", "evil.example")], ""),
    ];
    for answer in answers {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        assert!(answer.header("access-control-allow-origin").is_none());
    }
}

#[test]
fn it_stays_on_this_machine_unless_told_otherwise() {
    let state = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = |origin: Option<&str>| Settings {
        state: state.path().to_owned(),
        listen: ([0, 0, 0, 0], 0).into(),
        origin: origin.map(str::to_owned),
        zone: jiff::tz::TimeZone::UTC,
        now: Box::new(Timestamp::now),
        read_only: None,
        surroundings: Arc::new(crate::support::Canned),
    };
    let refused = runtime.block_on(Console::open(settings(None))).unwrap_err();
    assert!(matches!(refused, ServerError::Exposed(_)), "{refused}");
    let bad = runtime.block_on(Console::open(settings(Some("ambit.example.com/x")))).unwrap_err();
    assert!(matches!(bad, ServerError::BadOrigin(_)), "{bad}");
}
