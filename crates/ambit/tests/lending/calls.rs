//! An agent's call uses a secret that it refers to.

use crate::world::{World, contained, text};
use serde_json::json;
use testkit::{OrSkip, Script, Step};

const TERMS: &str = "programs = [\"curl\", \"gh\"]\nhosts = [\"localhost:{port}\"]\nmethods = [\"GET\"]\n";

#[test]
fn a_contained_curl_uses_a_token_that_it_never_has() {
    if !contained("a lent token") {
        return;
    }
    let world = World::new(TERMS);
    let run = world.call("c1", &format!("{} && env", world.curl("api", "/v1/me")));
    let said = text(&run);
    assert!(run.status.success() && said.contains("welcome"), "{said}");
    assert!(said.contains("SSL_CERT_FILE=") && !said.contains("secret://"), "{said}");
    assert!(world.host.received().contains(&world.value), "the host had it: {}", world.host.received());
    let lent = world.records("secret.lent").pop().unwrap();
    assert_eq!((&lent["call"], &lent["what"]["secret"]), (&json!("c1"), &json!("api")), "{lent}");
    assert_eq!((&lent["what"]["program"], &lent["what"]["terms"]), (&json!("curl"), &json!("ambit.toml")));
    let used = world.records("secret.used");
    assert_eq!(used.len(), 1, "{used:?}");
    assert_eq!((&used[0]["what"]["outcome"], &used[0]["what"]["method"]), (&json!("made"), &json!("GET")));
    assert!(
        used[0].to_string().contains("localhost") && used[0].to_string().contains("/v1/me"),
        "{}",
        used[0]
    );
    let decision = world.records("decision").pop().unwrap();
    assert_eq!(decision["what"]["verdict"], "contain", "{decision}");
    world.verify();
}

#[test]
fn a_variable_before_a_program_holds_a_stand_in() {
    if !contained("a lent variable") {
        return;
    }
    let world = World::new(TERMS);
    // `curl` reads none, so what follows the assignment is the shell's own word for it.
    let command = format!(
        "export TOKEN=secret://api; curl -sS -m 20 --noproxy '' -H \"Authorization: Bearer $TOKEN\" https://localhost:{}/",
        world.host.port
    );
    let run = world.call("c1", &command);
    assert!(text(&run).contains("welcome"), "{}", text(&run));
    world.verify();
}

#[test]
fn another_host_gets_nothing_and_it_is_severe() {
    if !contained("a stand-in at another host") {
        return;
    }
    let world = World::new(TERMS);
    // A host that another secret is lent to, and the right one without TLS.
    for (at, url) in [("c1", "https://127.0.0.1"), ("c2", "http://localhost")] {
        let command = format!(
            "curl -sS -m 20 --noproxy '' -H 'X-A: secret://api' -H 'X-B: secret://other' {url}:{}/",
            world.host.port
        );
        let run = world.call(at, &command);
        assert!(!text(&run).contains("welcome") && text(&run).contains("lent"), "{}", text(&run));
    }
    let used = world.records("secret.used");
    let severe: Vec<_> = used.iter().filter(|u| u["what"]["severe"] == true).collect();
    assert_eq!(severe.len(), 2, "{used:?}");
    assert!(severe.iter().all(|u| u["what"]["outcome"] == "denied"), "{used:?}");
    assert!(!world.host.received().contains(&world.value), "{}", world.host.received());
    world.verify();
}

#[test]
fn uses_are_counted_and_a_lease_ends() {
    if !contained("a lease") {
        return;
    }
    let world = World::new(&format!("{TERMS}uses = 2\n"));
    let curl = world.curl("api", "/");
    let run = world.call("c1", &format!("{curl}; {curl}; {curl}"));
    assert_eq!(text(&run).matches("welcome").count(), 2, "{}", text(&run));
    assert!(text(&run).contains("as often as it may"), "{}", text(&run));
    let outcomes: Vec<_> =
        world.records("secret.used").iter().map(|u| u["what"]["outcome"].clone()).collect();
    assert_eq!(outcomes, ["made", "made", "denied"]);
    let world = World::new(&format!("{TERMS}minutes = 0\n"));
    let run = world.call("c2", &world.curl("api", "/"));
    assert!(text(&run).contains("its time is up") && !text(&run).contains("welcome"), "{}", text(&run));
    assert!(!world.host.received().contains(&world.value));
    world.verify();
}

#[test]
fn terms_that_do_not_fit_ask_and_consent_each_time_asks() {
    if !contained("lending with consent") {
        return;
    }
    let world = World::new(&format!("{TERMS}ask = true\n"));
    let asked = |command: &str| {
        let answer = world.propose("c1", command);
        let decision =
            answer["hookSpecificOutput"]["permissionDecision"].as_str().unwrap_or_default().to_owned();
        (decision, answer.to_string())
    };
    for command in
        [world.curl("api", "/"), world.curl("nobody", "/"), "GH_TOKEN=secret://other gh api /x".to_owned()]
    {
        let (decision, answer) = asked(&command);
        assert_eq!(decision, "ask", "{command}: {answer}");
        assert!(answer.contains("would be lent"), "{answer}");
    }
}

#[test]
fn the_environment_of_one_child_and_nothing_that_it_prints() {
    if !contained("lending by the environment") {
        return;
    }
    let world = World::new("how = \"environment\"\nprograms = [\"printenv\", \"python3\"]\n");
    let run = world
        .call("c1", "TOKEN=secret://api python3 -c 'import os; t = os.environ[\"TOKEN\"]; print(len(t), t)'");
    assert!(text(&run).starts_with(&format!("{} ", world.value.len())), "{}", text(&run));
    // A word of a program can be seen by others, so nothing runs.
    let answer = world.propose("c2", "python3 -c 'print(1)' secret://api");
    let rewritten = answer["hookSpecificOutput"]["updatedInput"]["command"].as_str().unwrap().to_owned();
    let run = world.sandbox.command("/bin/bash").args(["-c", &rewritten]).output().unwrap();
    assert!(!run.status.success() && text(&run).contains("value of an assignment"), "{}", text(&run));
    world.silent(&text(&run));
    world.verify();
}

#[test]
fn what_cannot_be_had_runs_nothing() {
    if !contained("a secret that is not there") {
        return;
    }
    let world = World::new(TERMS);
    world.configure("[secrets.lend.locked]\nprograms = [\"curl\"]\nhosts = [\"localhost:{port}\"]\n");
    let answer = world.propose("c1", &format!("touch ran; {}", world.curl("locked", "/")));
    let rewritten = answer["hookSpecificOutput"]["updatedInput"]["command"].as_str().unwrap().to_owned();
    let run = world.sandbox.command("/bin/bash").args(["-c", &rewritten]).output().unwrap();
    assert!(!run.status.success() && text(&run).contains("ambit secrets unlock"), "{}", text(&run));
    assert!(!world.sandbox.work().join("ran").exists(), "nothing ran");
    assert!(world.records("secret.lent").is_empty());
}

/// From a port of this machine to a socket in the file system.
const RELAY: &str = r#"
import socket, sys, threading
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    near, _ = server.accept()
    far = socket.socket(socket.AF_UNIX)
    far.connect(sys.argv[2])
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"#;

#[test]
fn the_real_agent_uses_it_and_its_model_sees_no_byte() {
    if !contained("the real agent with a lent token") {
        return;
    }
    let world = World::new(TERMS);
    let script = Script::of([
        Step::bash(&world.curl("api", "/v1/me")),
        Step::bash(&format!("{}; env; set", world.curl("api", "/v1/me"))),
        Step::bash(&format!("{} -v --fail", world.curl("api", "/v1/me"))),
        Step::text("done"),
    ]);
    // The agent runs in a network of its own, into which the host reaches by a socket in the file system.
    let socket = world.sandbox.dir().join("host.sock");
    world.host.also_at(&socket);
    let relay = world.sandbox.dir().join("relay.py");
    std::fs::write(&relay, RELAY).unwrap();
    let (relay, port, socket) = (relay.display(), world.host.port, socket.display());
    world.hook_at_start(&format!(
        "setsid python3 {relay} {port} {socket} </dev/null >/dev/null 2>&1 & sleep 1"
    ));
    let run = world.sandbox.claude().within(std::time::Duration::from_secs(120)).playing(script).go();
    let Some(seen) = run.or_skip("the real agent with a lent token") else { return };
    assert!(!seen.result(0).is_error && seen.result(0).text.contains("welcome"), "{}", seen.explain());
    assert!(!seen.model_saw(&world.value), "{}", seen.explain());
    assert!(world.host.received().contains(&world.value));
    assert!(!world.records("secret.used").is_empty());
    world.verify();
}
