//! Every backend from outside: the real keyring, recorded command lines, a server that answers as the API describes.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use jiff::{SignedDuration, Timestamp};
use model::BackendTerms;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use vault::{Backend, Identity, Programs, Unlocked, Value, VaultError};

fn value(text: &str) -> Value {
    Value::from(text.as_bytes().to_vec())
}

fn text(backend: &dyn Backend, key: &str) -> String {
    String::from_utf8(backend.read(key).unwrap().value.expose_secret().to_vec()).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn programs(path: &Path) -> Programs {
    Programs { path: format!("{}:/usr/bin:/bin", path.display()).into(), variables: Vec::new() }
}

/// A program that writes its words into `words` and then does what `body` says.
fn fake(dir: &Path, name: &str, body: &str) {
    let path = dir.join(name);
    let words = dir.join("words");
    std::fs::write(&path, format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > '{}'\n{body}\n", words.display()))
        .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn words(dir: &Path) -> Vec<String> {
    std::fs::read_to_string(dir.join("words")).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_encrypted_file_opens_with_its_passphrase_only() {
    let dir = tempfile::tempdir().unwrap();
    let (place, run) = (dir.path().join("vault"), dir.path().join("run/unlocked"));
    let (programs, unlocked) = (Programs::default(), Unlocked::new(run.clone()));
    let pass = || SecretString::from("correct horse".to_owned());
    let open =
        |at: Timestamp| vault::open(&BackendTerms::File {}, place.clone(), &programs, &unlocked, at).unwrap();
    assert!(matches!(open(now()).read("a"), Err(VaultError::Locked(_))), "there is no key yet");
    let identity = Identity::create_with_passphrase(&place, pass()).unwrap();
    assert!(Identity::create_with_passphrase(&place, pass()).is_err(), "a second key would lose the first");
    assert!(Identity::needs_passphrase(&place).unwrap());
    assert!(matches!(open(now()).write("a", &value("x")), Err(VaultError::Locked(_))));

    unlocked.put(&identity, now() + SignedDuration::from_secs(60)).unwrap();
    let file = open(now());
    let long = "a value that must not be found anywhere else".repeat(3);
    file.write("github", &value(&long)).unwrap();
    file.write("db", &value("\u{0}binary\n")).unwrap();
    file.write("db", &value("second")).unwrap();
    assert_eq!(text(&*file, "github"), long);
    assert_eq!(text(&*file, "db"), "second");
    assert_eq!(file.list().unwrap(), ["db", "github"]);
    assert!(file.remove("db").unwrap() && !file.remove("db").unwrap());
    assert!(matches!(file.read("db"), Err(VaultError::Missing { .. })));
    let bytes = std::fs::read(place.join("vault.age")).unwrap();
    assert!(!bytes.windows(12).any(|w| w == &long.as_bytes()[..12] || w == b"\"github\":\"YS"));
    for entry in std::fs::read_dir(&place).unwrap().chain(std::fs::read_dir(run.parent().unwrap()).unwrap()) {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may not read it");
    }

    // After its time, and after it was forgotten, the passphrase is needed again.
    assert!(matches!(open(now() + SignedDuration::from_secs(60)).read("github"), Err(VaultError::Locked(_))));
    assert!(!run.exists());
    let wrong = SecretString::from("wrong".to_owned());
    assert!(matches!(Identity::open_with_passphrase(&place, wrong), Err(VaultError::Undecryptable(_))));
    let again = Identity::open_with_passphrase(&place, pass()).unwrap();
    unlocked.put(&again, now() + SignedDuration::from_secs(60)).unwrap();
    assert_eq!(text(&*open(now()), "github"), long);

    // A changed byte anywhere is noticed.
    for at in [0, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        std::fs::write(place.join("vault.age"), changed).unwrap();
        assert!(matches!(open(now()).read("github"), Err(VaultError::Undecryptable(_))));
    }
}

#[test]
fn many_writers_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let unlocked = Unlocked::new(dir.path().join("unlocked"));
    let identity = Identity::create_with_passphrase(dir.path(), SecretString::from("p".to_owned())).unwrap();
    unlocked.put(&identity, now() + SignedDuration::from_secs(60)).unwrap();
    let open = || {
        vault::open(&BackendTerms::File {}, dir.path().into(), &Programs::default(), &unlocked, now())
            .unwrap()
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let file = open();
                for n in 0..10 {
                    file.write(&format!("s{thread}-{n}"), &value("x")).unwrap();
                }
            });
        }
    });
    assert_eq!(open().list().unwrap().len(), 40);
}

#[test]
fn command_line_tools_are_called_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    let programs = programs(dir.path());
    let unlocked = Unlocked::new(dir.path().join("unlocked"));
    let open =
        |terms: BackendTerms| vault::open(&terms, dir.path().into(), &programs, &unlocked, now()).unwrap();

    fake(dir.path(), "op", "printf op-value");
    let op = open(BackendTerms::Onepassword { account: Some("corp".to_owned()) });
    assert_eq!(text(&*op, "ci/github/token"), "op-value");
    assert_eq!(words(dir.path()), ["read", "--no-newline", "--account", "corp", "op://ci/github/token"]);
    assert!(matches!(op.write("a", &value("b")), Err(VaultError::ReadOnly { .. })));

    fake(dir.path(), "aws", r#"echo '{"user":"u","password":"aws-value","n":7}'"#);
    let aws = open(BackendTerms::Aws { profile: Some("ci".to_owned()), region: Some("eu-1".to_owned()) });
    assert_eq!(text(&*aws, "prod/db#password"), "aws-value");
    assert_eq!(text(&*aws, "prod/db#n"), "7");
    let expected = "secretsmanager get-secret-value --profile ci --region eu-1 --query SecretString --output text \
                    --secret-id prod/db";
    assert_eq!(words(dir.path()).join(" "), expected);
    assert!(matches!(aws.read("prod/db#other"), Err(VaultError::Missing { .. })));

    fake(dir.path(), "pass", "echo multi; echo line");
    let run = ["pass", "show", "{key}"].map(str::to_owned).to_vec();
    let pass = open(BackendTerms::Command { run });
    assert_eq!(text(&*pass, "a#b"), "multi\nline", "only the last line's end is taken off");
    assert_eq!(words(dir.path()), ["show", "a#b"]);
    assert!(pass.read("--help").is_err(), "a key is never an option");

    // A failing tool's words may hold the secret: they are in no message.
    fake(dir.path(), "pass", "echo live-value; echo live-value >&2; exit 3");
    let error = pass.read("a").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("live-value"));
    fake(dir.path(), "pass", "");
    assert!(matches!(pass.read("a"), Err(VaultError::Missing { .. })));
    std::fs::remove_file(dir.path().join("pass")).unwrap();
    assert!(pass.read("a").unwrap_err().to_string().contains("cannot be started"));
    for run in [vec![], vec!["x".to_owned()], vec!["{key}".to_owned()]] {
        let terms = BackendTerms::Command { run };
        assert!(vault::open(&terms, dir.path().into(), &programs, &unlocked, now()).is_err());
    }
}

/// A key-value engine of version 2 and a database engine, as the API documentation describes them.
#[derive(Default)]
struct Engine {
    data: BTreeMap<String, (u64, serde_json::Value)>,
    given: Vec<String>,
    revoked: Vec<String>,
}

fn serve(engine: Arc<Mutex<Engine>>) -> String {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let address = format!("http://{}", server.server_addr().to_ip().unwrap());
    std::thread::spawn(move || {
        for mut request in server.incoming_requests() {
            let header = |name: &'static str| {
                request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.to_string())
            };
            let (token, namespace) = (header("X-Vault-Token"), header("X-Vault-Namespace"));
            let mut body = String::new();
            let method = request.method().to_string();
            let url = request.url().to_owned();
            request.as_reader().read_to_string(&mut body).unwrap();
            let mut engine = engine.lock().unwrap();
            let (status, answer) =
                if token.as_deref() != Some("s.token") || namespace.as_deref() != Some("team") {
                    (403, "{\"errors\":[\"permission denied\"]}".to_owned())
                } else {
                    answer(&mut engine, &method, &url, &body)
                };
            drop(engine);
            let mut response = tiny_http::Response::from_string(answer).with_status_code(status);
            if status == 307 {
                let to =
                    tiny_http::Header::from_bytes("Location", "http://127.0.0.1:1/v1/elsewhere").unwrap();
                response = response.with_header(to);
            }
            let _ = request.respond(response);
        }
    });
    address
}

fn answer(engine: &mut Engine, method: &str, url: &str, body: &str) -> (u16, String) {
    let none = (404, "{\"errors\":[]}".to_owned());
    let json = |v: serde_json::Value| (200, v.to_string());
    if let Some(path) = url.strip_prefix("/v1/kv/data/") {
        match method {
            "GET" => match engine.data.get(path) {
                Some((version, data)) => {
                    json(serde_json::json!({"data": {"data": data, "metadata": {"version": version}}}))
                }
                None => none,
            },
            _ => {
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                let version = engine.data.get(path).map_or(0, |d| d.0);
                if body["options"]["cas"] != version {
                    return (400, "{\"errors\":[\"check-and-set parameter did not match\"]}".to_owned());
                }
                engine.data.insert(path.to_owned(), (version + 1, body["data"].clone()));
                json(serde_json::json!({"data": {"version": version + 1}}))
            }
        }
    } else if let Some(path) = url.strip_prefix("/v1/kv/metadata/") {
        if method == "DELETE" {
            engine.data.remove(path);
            return (200, String::new());
        }
        let dir = path.strip_suffix("?list=true").unwrap();
        let mut keys: Vec<String> = engine
            .data
            .keys()
            .filter_map(|k| k.strip_prefix(dir))
            .map(|k| k.split_inclusive('/').next().unwrap().to_owned())
            .collect();
        keys.dedup();
        if keys.is_empty() { none } else { json(serde_json::json!({"data": {"keys": keys}})) }
    } else if url == "/v1/database/creds/readonly" {
        let id = format!("database/creds/readonly/{}", engine.given.len());
        engine.given.push(id.clone());
        json(serde_json::json!({
            "lease_id": id, "lease_duration": 300, "data": {"username": "v-u", "password": "made-for-you"}
        }))
    } else if url == "/v1/sys/leases/revoke" && method == "PUT" {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        engine.revoked.push(body["lease_id"].as_str().unwrap().to_owned());
        (204, String::new())
    } else if url == "/v1/moved/creds/x" {
        (307, String::new())
    } else {
        (503, "{\"errors\":[\"Vault is sealed\"]}".to_owned())
    }
}

#[test]
fn a_vault_server_is_spoken_to_as_its_api_says() {
    let dir = tempfile::tempdir().unwrap();
    fake(dir.path(), "token", "echo s.token");
    fake(dir.path(), "wrong", "echo s.wrong");
    let engine = Arc::new(Mutex::new(Engine::default()));
    let address = serve(Arc::clone(&engine));
    let terms = |token: &str, dynamic: bool, address: &str| BackendTerms::Vault {
        address: address.to_owned(),
        mount: "kv".to_owned(),
        namespace: Some("team".to_owned()),
        ca_file: None,
        token: vec![token.to_owned()],
        dynamic,
    };
    let unlocked = Unlocked::new(dir.path().join("unlocked"));
    let open =
        |terms: &BackendTerms| vault::open(terms, dir.path().into(), &programs(dir.path()), &unlocked, now());
    let kv = open(&terms("token", false, &address)).unwrap();

    assert!(kv.list().unwrap().is_empty());
    kv.write("ci/github#token", &value("one")).unwrap();
    kv.write("ci/github#user", &value("two")).unwrap();
    kv.write("db#value", &value("three")).unwrap();
    assert_eq!(text(&*kv, "ci/github#token"), "one", "other fields of the path stay");
    assert_eq!(text(&*kv, "db"), "three", "the field is `value` where none is named");
    assert_eq!(kv.list().unwrap(), ["ci/github", "db"]);
    assert!(matches!(kv.read("ci/github#none"), Err(VaultError::Missing { .. })));
    assert!(matches!(kv.read("none#x"), Err(VaultError::Missing { .. })));
    assert!(kv.remove("db").unwrap() && !kv.remove("db").unwrap());
    for bad in ["../sys/seal#x", "a//b#x", "a b#x", "a?list=true#x", "#x", "a#"] {
        assert!(matches!(kv.read(bad), Err(VaultError::BadBackend(_))), "{bad}");
    }

    let made = open(&terms("token", true, &address)).unwrap();
    let given = made.read("database/creds/readonly#password").unwrap();
    assert_eq!(given.value.expose_secret(), b"made-for-you");
    assert_eq!(given.seconds, Some(300));
    made.give_back(given.made.as_deref().unwrap()).unwrap();
    let engine = engine.lock().unwrap();
    assert_eq!(engine.given, engine.revoked);
    drop(engine);
    assert!(!format!("{given:?}").contains("made-for-you"));

    // Failures name the server and what to do, and follow nobody elsewhere.
    let refused = open(&terms("wrong", false, &address)).unwrap().read("db").unwrap_err().to_string();
    assert!(refused.contains("403") && refused.contains("may not do this") && !refused.contains("s.wrong"));
    assert!(made.read("moved/creds/x#y").unwrap_err().to_string().contains("307"));
    assert!(made.read("sealed/creds/x#y").unwrap_err().to_string().contains("sealed"));
    assert!(
        open(&terms("token", false, "http://vault.example:8200")).is_err(),
        "secrets do not go in the clear"
    );
    assert!(open(&terms("token", false, "http://127.0.0.1.example")).is_err());
}

#[test]
fn the_keyring_keeps_and_gives() {
    let dir = tempfile::tempdir().unwrap();
    let needed = ["dbus-run-session", "gnome-keyring-daemon", "secret-tool"];
    let there = |p: &&str| ["/usr/bin", "/bin"].iter().any(|d| Path::new(d).join(p).exists());
    if let Some(lacking) = needed.iter().find(|p| !there(p)) {
        eprintln!("SKIPPED: `{lacking}` is not installed, so the keyring is not tried");
        return;
    }
    // A keyring of its own, on a bus of its own, unlocked with a passphrase of its own.
    let script = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null\n\
                  echo \"$DBUS_SESSION_BUS_ADDRESS\"; read end";
    let mut session = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", dir.path())
        .env("XDG_RUNTIME_DIR", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(session.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let programs = Programs {
        path: "/usr/bin:/bin".into(),
        variables: vec![
            ("HOME".to_owned(), dir.path().into()),
            ("DBUS_SESSION_BUS_ADDRESS".to_owned(), address.trim().into()),
        ],
    };
    let unlocked = Unlocked::new(dir.path().join("unlocked"));
    let keyring =
        vault::open(&BackendTerms::Keyring {}, dir.path().into(), &programs, &unlocked, now()).unwrap();
    assert!(matches!(keyring.read("github"), Err(VaultError::Missing { .. })));
    keyring.write("github", &value("in the keyring")).unwrap();
    keyring.write("github", &value("newer")).unwrap();
    assert_eq!(text(&*keyring, "github"), "newer");
    assert!(keyring.remove("github").unwrap() && !keyring.remove("github").unwrap());

    // The encrypted file with its key there: nobody is asked.
    let place = dir.path().join("vault");
    Identity::create_in_keyring(&place, &programs).unwrap();
    assert!(!Identity::needs_passphrase(&place).unwrap());
    let file = vault::open(&BackendTerms::File {}, place, &programs, &unlocked, now()).unwrap();
    file.write("a", &value("b")).unwrap();
    assert_eq!(text(&*file, "a"), "b");
    drop(session.stdin.take());
    session.wait().unwrap();
    assert!(keyring.read("github").is_err(), "a keyring that is gone gives nothing");
    assert!(file.read("a").is_err());
}
