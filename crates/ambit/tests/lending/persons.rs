//! A person keeps secrets, lends them for a time and takes them back.

use crate::world::{World, contained, text};
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

const TERMS: &str = "programs = [\"curl\"]\nhosts = [\"localhost:{port}\"]\n";

/// A command in a terminal of its own, at which somebody answers each question with a line.
fn typing(world: &World, args: &str, answers: &[&str]) -> Output {
    let line = format!("{} {args}", world.program().display());
    let mut script: Command = world.sandbox.command("script");
    let mut child = script
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    let mut screen = child.stdout.take().unwrap();
    let (mut shown, mut room, mut answered) = (Vec::new(), [0; 4096], 0);
    loop {
        let count = screen.read(&mut room).unwrap_or(0);
        if count == 0 {
            break;
        }
        shown.extend_from_slice(&room[..count]);
        let asked = shown.ends_with(b": ") && answered < answers.len();
        if asked {
            // The question is written before the terminal's echo is switched off.
            std::thread::sleep(std::time::Duration::from_millis(500));
            writeln!(keyboard, "{}", answers[answered]).unwrap();
            answered += 1;
        }
    }
    drop(keyboard);
    Output { status: child.wait().unwrap(), stdout: shown, stderr: Vec::new() }
}

/// Whether a person may act in this test: not where it runs below an agent or beside one that was there before.
fn refused(test: &str, run: &Output) -> bool {
    let refused = text(run).contains("was refused");
    if refused {
        assert!(text(run).contains("agent"), "{}", text(run));
        testkit::skipped(test, "the tests run below an agent, or beside one that was there before");
    }
    refused
}

#[test]
fn kept_granted_lent_and_taken_back() {
    let world = World::new(TERMS);
    let run = typing(&world, "secrets set token", &["a long phrase", "a long phrase", &world.value]);
    if refused("kept, granted, lent", &run) {
        return;
    }
    assert!(text(&run).contains("secret://token") && run.status.success(), "{}", text(&run));
    world.silent(&text(&run));
    let list = text(&world.ambit(&["secrets", "list"]));
    assert!(list.contains("secret://token\n  nobody may have it"), "{list}");
    let port = world.host.port;
    let grant = format!("secrets grant token --program curl --host localhost:{port} --for 1h --why trial");
    let run = typing(&world, &grant, &[]);
    if refused("granted", &run) {
        return;
    }
    assert!(text(&run).contains("G1: secret://token until"), "{}", text(&run));
    if contained("lent to a person's command") {
        let url = format!("https://localhost:{port}/");
        let header = "Authorization: Bearer secret://token";
        let run = world.ambit(&["run", "--", "curl", "-sS", "--noproxy", "", "-H", header, &url]);
        assert!(text(&run).contains("welcome"), "{}", text(&run));
        world.silent(&text(&run));
        let lent = world.records("secret.lent").pop().unwrap();
        assert_eq!(lent["what"]["terms"], "G1", "{lent}");
        // Without the passphrase nothing is to be had.
        assert!(world.ambit(&["secrets", "lock"]).status.success());
        let run = world.ambit(&["run", "--lend", "token", "--", "curl", &url]);
        assert!(!run.status.success() && text(&run).contains("ambit secrets unlock"), "{}", text(&run));
    }
    assert!(text(&world.ambit(&["secrets", "revoke", "token"])).contains("1 grants"));
    let run = world.ambit(&["run", "--lend", "token", "--", "curl", "https://localhost/"]);
    assert!(!run.status.success() && text(&run).contains("no terms"), "{}", text(&run));
    for kind in ["secret.kept", "secret.granted", "secret.revoked"] {
        assert_eq!(world.records(kind).len(), 1, "{kind}");
    }
    world.verify();
}

#[test]
fn a_persons_command_has_what_its_env_file_refers_to() {
    if !contained("references in .env") {
        return;
    }
    let world = World::new(&TERMS.replace("curl", "sh"));
    world.sandbox.write(".env", "API_TOKEN=secret://api\nNAME=x\n");
    let script = format!(
        "echo \"header = \\\"Authorization: Bearer $API_TOKEN\\\"\" | curl -sS --noproxy '' --config - https://localhost:{}/",
        world.host.port
    );
    let run = world.ambit(&["run", "--", "sh", "-c", &script]);
    assert!(text(&run).contains("welcome"), "{}", text(&run));
    world.silent(&text(&run));
    // A program that no terms name goes without.
    let run = world.ambit(&["run", "--", "printenv", "API_TOKEN"]);
    assert!(!run.status.success() && text(&run).contains("not lent to this program"), "{}", text(&run));
    world.verify();
}

#[test]
fn an_env_file_is_imported_and_holds_references_after() {
    let world = World::new(TERMS);
    let file = world.sandbox.write("app.env", &format!("# mine\nTOKEN={}\nURL=\n", world.value));
    let run =
        typing(&world, "secrets import app.env --prefix app- --replace", &["a long phrase", "a long phrase"]);
    if refused("an imported file", &run) {
        return;
    }
    assert!(run.status.success(), "{}", text(&run));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "# mine\nTOKEN=secret://app-token\nURL=\n");
    world.silent(&text(&run));
    world.verify();
}
