//! The table of attacks, played against the server.

use crate::world::{FIRST_FAKE, Host, World, ok, rule, rules};
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};

#[derive(Deserialize)]
struct Table {
    attack: Vec<Attack>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attack {
    name: String,
    via: String,
    send: String,
    answer: String,
    reason: String,
    #[serde(default)]
    looked_up: Vec<String>,
}

/// The bytes that an entry stands for.
fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        match (b, rest.first()) {
            (b'\\', Some(b'r')) => out.push(b'\r'),
            (b'\\', Some(b'n')) => out.push(b'\n'),
            (b'\\', Some(b'x')) => {
                out.push(u8::from_str_radix(std::str::from_utf8(&rest[1..3]).unwrap(), 16).unwrap());
                rest = &rest[2..];
            }
            _ => {
                out.push(b);
                continue;
            }
        }
        rest = &rest[1..];
    }
    out
}

#[test]
fn no_attack_of_the_table_gets_out() {
    let table: Table = toml::from_str(include_str!("attacks.toml")).unwrap();
    assert!(table.attack.len() > 60, "the table was cut");
    let mut failed = Vec::new();
    for attack in &table.attack {
        if let Err(why) = play(attack) {
            failed.push(format!("{}: {why}", attack.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn play(attack: &Attack) -> Result<(), String> {
    let (web, tls) = (Host::new(None, |_| Some(ok(b"reached"))), Host::new(None, |_| Some(ok(b"reached"))));
    let mut rules = rules();
    let ports = [web.port, tls.port];
    let mut read = rule("read.example", &ports);
    read.requests = vec![egress::RequestRule::read(&["GET", "HEAD"], &[]).unwrap()];
    let mut path = rule("path.example", &ports);
    path.requests = vec![egress::RequestRule::read(&[], &["/public"]).unwrap()];
    rules.hosts = vec![rule("good.example", &ports), rule("*.wild.example", &ports), read, path];
    rules.hosts.extend(["inside.example", "cloud.example", "nat64.example"].map(|n| rule(n, &[80, 443])));
    rules.limits.head = 16 << 10;
    let world = World::new(rules, &["good.example", "read.example", "path.example", "evil.example"]);
    world.names.put("inside.example", &[&["127.0.0.1", "::1"]]);
    world.names.put("cloud.example", &[&["169.254.169.254"]]);
    world.names.put("nat64.example", &[&["64:ff9b::a9fe:a9fe"]]);
    let at = match attack.via.as_str() {
        "http" => world.http,
        "socks" => world.socks,
        "direct" => SocketAddr::from((FIRST_FAKE, web.port)),
        other => return Err(format!("`{other}` is no way")),
    };
    let send = attack.send.replace("{web}", &web.port.to_string()).replace("{tls}", &tls.port.to_string());
    let send = send.replace("{other}", "8").replace("{long}", &"x".repeat(32 << 10));
    let answer = world.exchange(at, &bytes(&send));
    let shown = String::from_utf8_lossy(&answer).into_owned();
    if !answer.starts_with(&bytes(&attack.answer)) || (attack.answer.is_empty() && !answer.is_empty()) {
        return Err(format!("answered {shown:?}"));
    }
    if attack.answer.starts_with("HTTP")
        && !shown.contains(&format!("X-Ambit-Reason: {}; rule=", attack.reason))
    {
        return Err(format!("does not say why: {shown:?}"));
    }
    let event = world.seen.wait(|e| e.reason.is_some());
    if event.reason.map(egress::Reason::word) != Some(attack.reason.as_str()) {
        return Err(format!("told {event:?}"));
    }
    let reached = [web.bytes(), tls.bytes()].concat();
    if !reached.is_empty() {
        return Err(format!("a host received {:?}", String::from_utf8_lossy(&reached)));
    }
    let asked = world.names.asked();
    if asked != attack.looked_up {
        return Err(format!("looked up {asked:?}"));
    }
    Ok(())
}

/// A name whose address changes between judging and dialling: it is looked up once, and what was vetted is dialled.
#[test]
fn rebinding_reaches_only_what_was_vetted() {
    let public = Host::new(None, |_| Some(ok(b"public")));
    let mut rules = rules();
    rules.hosts = vec![rule("turn.example", &[public.port])];
    let world = World::new(rules, &[]);
    world.names.put("turn.example", &[&["127.77.0.1"], &["127.0.0.1"]]);
    let request =
        format!("GET http://turn.example:{p}/ HTTP/1.1\r\nHost: turn.example:{p}\r\n\r\n", p = public.port);
    assert!(world.text(world.http, &request).ends_with("public"));
    let second = world.text(world.http, &request);
    assert!(second.starts_with("HTTP/1.1 403") && second.contains("address-not-allowed"), "{second}");
    assert_eq!(world.names.asked().len(), 2, "one lookup for each connection");
}

/// The whole of loopback but the one address that was granted stays closed, also when a name mixes both.
#[test]
fn a_mixed_answer_is_dialled_at_its_good_address_only() {
    let public = Host::new(None, |_| Some(ok(b"public")));
    let private = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, public.port)).unwrap();
    private.set_nonblocking(true).unwrap();
    let mut rules = rules();
    rules.hosts = vec![rule("mixed.example", &[public.port])];
    let world = World::new(rules, &[]);
    world.names.put("mixed.example", &[&["127.0.0.1", "10.0.0.1", "127.77.0.1"]]);
    let request =
        format!("GET http://mixed.example:{p}/ HTTP/1.1\r\nHost: mixed.example:{p}\r\n\r\n", p = public.port);
    assert!(world.text(world.http, &request).ends_with("public"));
    assert!(private.accept().is_err(), "loopback was dialled");
}
