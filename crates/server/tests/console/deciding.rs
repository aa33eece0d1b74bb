//! Deciding in the console.

use crate::client::{run, run_with};
use crate::support::requests::request;
use approvals::{Channel, Risk, State, Store};
use jiff::Timestamp;
use ledger::{Kind, Query, Reader};
use std::path::Path;

fn state_of(state: &Path, id: &str) -> State {
    Store::open(state).unwrap().get(id.parse().unwrap(), Timestamp::now()).unwrap().unwrap().state
}

#[test]
fn a_person_decides_what_is_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path();
    let id = request(state, Timestamp::now(), "pkill -f the-server", Risk::Ordinary, &[], 1);
    let running = run(state);
    let (ana, ben) = (running.sign_in("ana"), running.sign_in("ben"));
    let page = format!("/approvals/{id}");
    let shown = ana.get(&page).body;
    assert!(
        shown.contains("<mark>pkill -f the-server</mark>") && shown.contains("do not rely on them"),
        "{shown}"
    );
    // Ana's call is nothing for Ben to decide, whatever he sends.
    assert!(ben.get(&page).body.contains("who may not decide this"));
    assert_eq!(ben.post(&page, &page, "choice=approve&scope=once").status, 409);
    assert_eq!(state_of(state, &id), State::Pending);
    assert_eq!(ana.post(&page, &page, "choice=perhaps").status, 400);
    assert_eq!(ana.post(&page, &page, "choice=approve&scope=once&seen=1").status, 303);
    assert_eq!(state_of(state, &id), State::Approved);
    let case = Store::open(state).unwrap().get(id.parse().unwrap(), Timestamp::now()).unwrap().unwrap();
    assert_eq!(case.channel(), Some(Channel::Console));
    // It is in the ledger, bound to the request, with the person's words sealed.
    assert_eq!(ana.post(&page, &page, "choice=deny&words=changed+my+mind").status, 303);
    assert_eq!(state_of(state, &id), State::Denied);
    assert_eq!(ana.post(&page, &page, "choice=approve&scope=once").status, 409);
    let reader = Reader::open(state);
    let query = Query { kinds: vec![Kind::APPROVAL_DECIDED], ..Query::default() };
    let found: Vec<_> = reader.find(query).unwrap().collect::<Result<_, _>>().unwrap();
    let said: Vec<_> = found.iter().map(|(_, r)| r.text("decision").unwrap().to_owned()).collect();
    assert_eq!(said, ["approve", "deny"]);
    assert!(found.iter().all(|(_, r)| r.text("digest") == Some(case.request.digest.as_str())));
    assert!(!String::from_utf8_lossy(found[1].0.line()).contains("changed my mind"));
}

#[test]
fn production_takes_two_people() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path();
    let production: (&str, &[&str]) = ("production", &["ana", "ben"]);
    let command = "kubectl --context prod delete deployment shop -n shop";
    let id = request(state, Timestamp::now(), command, Risk::High, &[production], 2);
    let running = run(state);
    let page = format!("/approvals/{id}");
    assert_eq!(running.sign_in("ana").post(&page, &page, "choice=approve&scope=once").status, 303);
    assert_eq!(state_of(state, &id), State::Pending);
    // The same person again, in another browser, is the same person.
    running.sign_in("ana").post(&page, &page, "choice=approve&scope=once");
    assert_eq!(state_of(state, &id), State::Pending);
    assert!(running.sign_in("ben").get(&page).body.contains("1 of 2 needed people agreed"));
    assert_eq!(running.sign_in("ben").post(&page, &page, "choice=approve&scope=once").status, 303);
    assert_eq!(state_of(state, &id), State::Approved);
}

#[test]
fn a_critical_one_takes_a_typed_word() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path();
    let production: (&str, &[&str]) = ("production", &["ben"]);
    let command = "kubectl --context prod delete deployment shop --all --force";
    let id = request(state, Timestamp::now(), command, Risk::Critical, &[production], 1);
    let running = run(state);
    let ben = running.sign_in("ben");
    let page = format!("/approvals/{id}");
    assert_eq!(ben.post(&page, &page, "choice=approve&scope=once").status, 409);
    assert_eq!(ben.post(&page, &page, "choice=approve&scope=once&typed=yes").status, 409);
    assert_eq!(state_of(state, &id), State::Pending);
    let word = Store::open(state)
        .unwrap()
        .get(id.parse().unwrap(), Timestamp::now())
        .unwrap()
        .unwrap()
        .request
        .word();
    let typed = format!("choice=approve&scope=once&typed={}", word.replace('/', "%2F"));
    assert_eq!(ben.post(&page, &page, &typed).status, 303);
    assert_eq!(state_of(state, &id), State::Approved);
}

#[test]
fn where_nobody_can_be_vouched_for_nothing_is_decided() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path();
    let id = request(state, Timestamp::now(), "pkill -f the-server", Risk::Ordinary, &[], 1);
    let running = run_with(state, Some("an agent started it"));
    let ana = running.sign_in("ana");
    let page = format!("/approvals/{id}");
    assert!(ana.get(&page).body.contains("This console decides nothing: an agent started it"));
    assert_eq!(ana.post("/evidence", &page, "choice=approve&scope=once").status, 409);
    assert_eq!(state_of(state, &id), State::Pending);
}
