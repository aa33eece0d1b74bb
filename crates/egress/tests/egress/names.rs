//! The name server.

use crate::world::{FIRST_FAKE, World, connect, rule, rules};
use egress::{Outcome, Reason, What};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

fn question(name: Name, kind: RecordType) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, kind));
    message
}

fn ask(world: &World, bytes: &[u8]) -> Option<Message> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(800))).unwrap();
    socket.send_to(bytes, world.dns).unwrap();
    let mut room = [0; 4096];
    let n = socket.recv(&mut room).ok()?;
    Some(Message::from_vec(&room[..n]).unwrap())
}

fn ask_for(world: &World, name: &str, kind: RecordType) -> Message {
    ask(world, &question(Name::from_ascii(name).unwrap(), kind).to_vec().unwrap()).unwrap()
}

/// The address of a name.
pub(crate) fn lookup(world: &World, name: &str) -> Option<Ipv4Addr> {
    ask_for(world, &format!("{name}."), RecordType::A).answers.iter().find_map(|r| match &r.data {
        RData::A(a) => Some(a.0),
        _ => None,
    })
}

fn world() -> World {
    let mut rules = rules();
    rules.hosts = vec![rule("good.example", &[443]), rule("*.wild.example", &[443])];
    World::new(rules, &[])
}

#[test]
fn allowed_names_have_an_address_of_their_own_and_others_none() {
    let world = world();
    assert_eq!(lookup(&world, "good.example"), Some(FIRST_FAKE));
    assert_eq!(lookup(&world, "GOOD.example"), Some(FIRST_FAKE), "the same each time");
    let other = lookup(&world, "a.wild.example").unwrap();
    assert_ne!(other, FIRST_FAKE);
    assert_eq!(ask_for(&world, "1.0.198.127.in-addr.arpa.", RecordType::PTR).answers.len(), 1);
    for kind in [RecordType::AAAA, RecordType::TXT, RecordType::MX, RecordType::HTTPS, RecordType::NULL] {
        let reply = ask_for(&world, "good.example.", kind);
        assert_eq!((reply.metadata.response_code, reply.answers.len()), (ResponseCode::NoError, 0), "{kind}");
    }
    assert!(world.names.asked().is_empty(), "the name server asked somebody");
}

#[test]
fn what_is_denied_is_told_and_leaves_the_machine_by_no_way() {
    let world = world();
    let stolen = "c2VjcmV0LWtleS1tYXRlcmlhbA.evil.example.";
    for (name, kind) in [
        (stolen, RecordType::A),
        (stolen, RecordType::AAAA),
        (stolen, RecordType::TXT),
        ("wild.example.", RecordType::A),
        ("notgood.example.", RecordType::A),
        ("good.example.evil.example.", RecordType::A),
        ("4.3.2.1.in-addr.arpa.", RecordType::PTR),
        (".", RecordType::NS),
        ("2130706433.", RecordType::A),
    ] {
        let reply = ask_for(&world, name, kind);
        assert_eq!(
            (reply.metadata.response_code, reply.answers.len()),
            (ResponseCode::NXDomain, 0),
            "{name}"
        );
    }
    let events = world.seen.all();
    assert_eq!(events.iter().filter(|e| e.what == What::Lookup && e.outcome == Outcome::Denied).count(), 9);
    assert!(
        events
            .iter()
            .any(|e| e.host.contains("c2VjcmV0LWtleS1tYXRlcmlhbA") && e.reason == Some(Reason::Host))
    );
    assert!(world.names.asked().is_empty());
}

#[test]
fn labels_with_dots_and_nul_are_no_names() {
    let world = world();
    for labels in [
        &[b"evil.example\0".as_slice(), b"good", b"example"][..],
        &[b"good.example"],
        &[b"a.wild".as_slice(), b"example"],
        &[b"g\xc3\xb6od", b"example"],
    ] {
        let name = Name::from_labels(labels.iter().copied()).unwrap();
        let reply = ask(&world, &question(name, RecordType::A).to_vec().unwrap()).unwrap();
        assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain, "{labels:?}");
    }
    assert!(world.seen.all().iter().all(|e| e.outcome == Outcome::Denied && !e.host.contains('\0')));
}

#[test]
fn malformed_messages_are_answered_as_such_or_not_at_all() {
    let world = world();
    let good = question(Name::from_ascii("good.example.").unwrap(), RecordType::A);
    let mut two = good.clone();
    two.add_query(Query::query(Name::from_ascii("evil.example.").unwrap(), RecordType::A));
    assert_eq!(ask(&world, &two.to_vec().unwrap()).unwrap().metadata.response_code, ResponseCode::FormErr);
    let mut update = good.clone();
    update.metadata.op_code = OpCode::Update;
    assert_ne!(ask(&world, &update.to_vec().unwrap()).unwrap().metadata.response_code, ResponseCode::NoError);
    let mut chaos = good.clone();
    chaos.queries[0].set_query_class(DNSClass::CH);
    assert_eq!(ask(&world, &chaos.to_vec().unwrap()).unwrap().metadata.response_code, ResponseCode::Refused);
    let cut = good.to_vec().unwrap();
    assert_eq!(ask(&world, &cut[..cut.len() - 3]).unwrap().metadata.response_code, ResponseCode::FormErr);
    let mut answer = good;
    answer.metadata.message_type = MessageType::Response;
    assert!(ask(&world, &answer.to_vec().unwrap()).is_none(), "answers are not answered");
    assert!(ask(&world, &[0, 1, 2]).is_none());
    assert_eq!(lookup(&world, "good.example"), Some(FIRST_FAKE), "the server lives on");
}

#[test]
fn questions_come_over_tcp_too() {
    let world = world();
    let mut stream = connect(world.dns_tcp);
    for _ in 0..3 {
        let bytes = question(Name::from_ascii("good.example.").unwrap(), RecordType::A).to_vec().unwrap();
        stream.write_all(&u16::try_from(bytes.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut reply = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(Message::from_vec(&reply).unwrap().answers.len(), 1);
    }
}

#[test]
fn names_given_out_are_bounded() {
    let mut rules = rules();
    rules.hosts = vec![rule("*.wild.example", &[443])];
    rules.limits.names = 3;
    let world = World::new(rules, &[]);
    let given: Vec<_> = (0..5).map(|i| lookup(&world, &format!("n{i}.wild.example"))).collect();
    assert_eq!(given.iter().flatten().count(), 3);
    assert_eq!(lookup(&world, "n0.wild.example"), given[0]);
    assert_eq!(world.seen.wait(|e| e.reason.is_some()).reason, Some(Reason::Limit));
}
