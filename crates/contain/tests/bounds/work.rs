//! What builds and tests need works in bounds.

use crate::world::{World, users};
use std::fs;
use std::process::Command;

/// Whether this machine has a program; a test that lacks one says so and ends.
fn have(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        let text = format!("NOT TESTED: this machine has no `{program}`\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    }
    found
}

#[test]
fn git_commits_and_branches() {
    let tiers = users().into_iter().flat_map(|u| [(u, "A"), (u, "B")]);
    for (user, tier) in tiers.filter(|_| have("git")) {
        let world = World::new(tier, user);
        let out = world.sh(
            "git add -A . && git commit -q -m one && git checkout -q -b side && echo b > src/b && git add src/b && \
             git commit -q -m two && git log --oneline | wc -l && git stash list && git status --short",
        );
        assert!(out.out.starts_with('2'), "{out:#?}");
    }
}

#[test]
fn c_is_built_and_run() {
    let tiers = users().into_iter().flat_map(|u| [(u, "A"), (u, "B")]);
    for (user, tier) in tiers.filter(|_| have("cc") && have("make")) {
        let world = World::new(tier, user);
        let out = world.sh(
            "printf 'int puts(const char*);int main(){puts(\"built\");}' > a.c; printf 'a: a.c\\n\\tcc -o a a.c\\n' > Makefile; \
             make -s && ./a",
        );
        assert_eq!(out.good(), "built\n");
    }
}

#[test]
fn python_runs_processes_threads_sockets_and_shared_memory() {
    let text = r#"
import multiprocessing, socket, threading, tempfile, subprocess, os
def f(x): return x*x
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool: assert pool.map(f, range(4)) == [0,1,4,9]
    server = socket.create_server(("127.0.0.1", 0)); port = server.getsockname()[1]
    threading.Thread(target=lambda: server.accept()[0].sendall(b"ok")).start()
    assert socket.create_connection(("localhost", port)).recv(2) == b"ok"
    a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
    path = os.path.join(tempfile.mkdtemp(), "s"); u = socket.socket(socket.AF_UNIX); u.bind(path); u.listen()
    c = socket.socket(socket.AF_UNIX); c.connect(path)
    from multiprocessing import shared_memory
    m = shared_memory.SharedMemory(create=True, size=4096); m.buf[0] = 1; m.close(); m.unlink()
    assert subprocess.run(["sh", "-c", "exit 4"]).returncode == 4
    import pty; pid, fd = pty.fork()
    if pid == 0: os.execvp("tty", ["tty"])
    assert b"/dev/pts/" in os.read(fd, 100)
    print("works")
"#;
    // The system's own: another one may lie below a home that only its owner can read.
    for user in users().into_iter().filter(|_| have("/usr/bin/python3")) {
        let world = World::new("A", user);
        fs::write(world.path("project/t.py"), text).unwrap();
        let out = world.run(world.bounded(&[], &["/usr/bin/python3", "t.py"]));
        assert_eq!(out.good(), "works\n");
    }
}

#[test]
fn node_runs_its_tests() {
    let tiers = users().into_iter().flat_map(|u| [(u, "A"), (u, "B")]);
    for (user, tier) in tiers.filter(|_| have("node")) {
        let world = World::new(tier, user);
        let text = "const t=require('node:test'),a=require('node:assert'),h=require('node:http'),f=require('node:fs');
t('serves', async()=>{const s=h.createServer((q,r)=>r.end('ok')).listen(0,'127.0.0.1');await new Promise(r=>s.on('listening',r));
const r=await fetch(`http://127.0.0.1:${s.address().port}/`);a.equal(await r.text(),'ok');s.close();s.closeAllConnections()});
t('works',()=>{f.writeFileSync('src/n','x');a.ok(require('node:os').cpus().length>0)});";
        fs::write(world.path("project/a.test.js"), text).unwrap();
        let done = world.run(world.bounded(&[], &["node", "--test", "a.test.js"]));
        assert!(done.out.contains("pass 2"), "{done:#?}");
    }
}

#[test]
fn rust_is_built_and_tested_with_the_machines_toolchain() {
    if !have("cargo") {
        return;
    }
    // The toolchain lies below the real home of whoever runs the tests.
    let world = World::new("A", None);
    let home = std::env::var("HOME").unwrap();
    fs::create_dir_all(world.path("project/lib/src")).unwrap();
    fs::write(
        world.path("project/lib/Cargo.toml"),
        "[package]\nname=\"lib\"\nedition=\"2021\"\n[workspace]\n",
    )
    .unwrap();
    fs::write(world.path("project/lib/src/lib.rs"), "#[test] fn adds() { assert_eq!(1 + 1, 2); }").unwrap();
    let mut driver = world.bounded(
        &["--home", &home, "--project", world.path("project").to_str().unwrap()],
        &["/bin/sh", "-c", "cd lib && cargo test --offline --quiet"],
    );
    driver.env("HOME", &home);
    let done = world.run(driver);
    assert!(done.out.contains("1 passed"), "{done:#?}");
}

#[test]
fn caches_are_seen_and_what_is_added_stays_with_the_project() {
    for user in users() {
        let world = World::new("A", user);
        world.sh("cat ~/.cache/pip/kept && echo added > ~/.cache/pip/added && echo changed > ~/.cache/pip/kept").good();
        let again = world
            .sh("cat ~/.cache/pip/added ~/.cache/pip/kept; rm ~/.cache/pip/kept; ls ~/.cache/pip")
            .good();
        assert_eq!(again, "added\nchanged\nadded\n", "as {user:?}");
        let host = world.path("home/.cache/pip");
        assert_eq!(fs::read_to_string(host.join("kept")).unwrap(), "from the machine");
        assert_eq!(fs::read_dir(&host).unwrap().count(), 1);
        // Another project starts from the machine's again.
        fs::create_dir(world.path("other")).unwrap();
        let mut driver = world.bounded(&[], &["ls", world.path("home/.cache/pip").to_str().unwrap()]);
        driver.current_dir(world.path("other"));
        assert_eq!(world.run(driver).good(), "kept\n");
    }
}

#[test]
fn private_places_are_empty_and_writable() {
    for user in users() {
        let world = World::new("A", user);
        let out = world.sh("touch ~/x /tmp/x /var/tmp/x /dev/shm/x && ls -A /tmp /run /dev/shm && mktemp && ls /dev && id -u").good();
        assert!(!out.contains("bounds") || out.contains("/tmp"), "{out}");
        assert!(!world.path("home/x").exists());
        for device in ["null", "zero", "urandom", "tty", "ptmx", "pts", "shm", "fd"] {
            assert!(out.lines().any(|l| l == device), "{device}: {out}");
        }
        assert!(!out.lines().any(|l| l == "vda" || l == "mem" || l == "kmsg"), "{out}");
    }
}
