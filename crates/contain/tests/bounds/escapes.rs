//! What must not be possible.

use crate::world::{NOBODY, World, processes, soon, users};
use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

#[test]
fn the_worst_program_reports_nothing() {
    for user in users() {
        let world = World::new("A", user);
        let found = worst(&world, "");
        assert_eq!(found, Vec::<String>::new(), "as {user:?}");
    }
}

/// The worst-case program is no use if it cannot get out of anything. As a user who can do little harm, and without what
/// would leave this machine.
#[test]
fn the_worst_program_gets_out_where_nothing_holds_it() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let world = World::new("A", Some(NOBODY));
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let done = Command::new("./escape")
        .current_dir(world.path("project"))
        .uid(NOBODY)
        .gid(NOBODY)
        .env_clear()
        .env("HOME", world.path("home"))
        .env("PATH", "/usr/bin:/bin")
        .env("PYTEST_ESCAPE_OUTSIDE", world.path("outside"))
        .env("PYTEST_ESCAPE_PORT", listening.local_addr().unwrap().port().to_string())
        .env(
            "PYTEST_ESCAPE_SKIP",
            "send a datagram to the host|look up a name that is not allowed|fetch past the rules",
        )
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&done.stdout);
    for found in [
        "write outside",
        "write outside through a link",
        "read a secret outside",
        "read it through this process's root",
        "read a credential of the home",
        "read the project's secrets",
        "change git's configuration",
        "make a git hook",
        "set the user bit",
        "a host's port",
    ] {
        assert!(out.contains(&format!("ESCAPED: {found}\n")), "{found}: {out}");
    }
}

/// What tier B does not hold while the command runs: whoever changes one of these names ends the command, and what was
/// there is put back; and a file of secrets in the project can be read, which the record of the start tells.
const NOT_IN_B: &str = "change git's configuration|remove git's configuration|replace git's configuration|make a git hook|\
    move the hooks away|move the repository away|exchange the repository|change an agent's settings|\
    add to an agent's settings|move an agent's settings away|change a workflow|move the workflows' parent away|\
    read the project's secrets";

#[test]
fn the_worst_program_reports_nothing_in_tier_b() {
    for user in users() {
        let world = World::new("B", user);
        let found = worst(&world, NOT_IN_B);
        assert_eq!(found, Vec::<String>::new(), "as {user:?}");
        assert!(world.events().contains("Start { tier: B") && world.events().contains("`.env` can be read"));
    }
}

#[test]
fn in_tier_b_who_changes_a_protected_name_is_ended_and_it_comes_back() {
    for user in users() {
        for (name, change) in [
            (".git/config", "echo evil >> .git/config"),
            (".git", "mv .git git2"),
            (".git/hooks", "echo evil > .git/hooks/pre-commit"),
            (".claude", "rm -r .claude"),
            (".mcp.json", "echo evil > .mcp.json"),
        ] {
            let world = World::new("B", user);
            let done = world.sh(&format!("{change}; sleep 20; echo survived"));
            assert_eq!(done.status, Some(137), "{change}: {done:#?}");
            assert!(!done.out.contains("survived") && done.events.contains(name), "{done:#?}");
            assert!(!fs::read_to_string(world.path("project/.git/config")).unwrap().contains("evil"));
            assert!(world.path("project/.git/objects/kept").exists());
            assert!(
                !world.path("project/.git/hooks/pre-commit").exists()
                    && !world.path("project/.mcp.json").exists()
            );
            assert_eq!(fs::read_to_string(world.path("project/.claude/settings.json")).unwrap(), "{}");
        }
    }
}

/// Runs the worst-case program against prizes of this machine and gives what it got.
pub(crate) fn worst(world: &World, skip: &str) -> Vec<String> {
    let mut victim = Command::new("sleep").arg("60").env("SECRET", "prize").spawn().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
    udp.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let name = world.path("").display().to_string();
    let _abstract = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let _socket = UnixListener::bind(world.path("outside/socket")).unwrap();
    let mut driver = world.bounded(&[], &["./escape"]);
    driver
        .env("PYTEST_ESCAPE_OUTSIDE", world.path("outside"))
        .env("PYTEST_ESCAPE_PROCESS", victim.id().to_string())
        .env("PYTEST_ESCAPE_PORT", tcp.local_addr().unwrap().port().to_string())
        .env("PYTEST_ESCAPE_UDP", udp.local_addr().unwrap().port().to_string())
        .env("PYTEST_ESCAPE_SKIP", skip)
        .env("PYTEST_ESCAPE_ABSTRACT", &name);
    let done = world.run(driver);
    let _ = victim.kill();
    let _ = victim.wait();
    let mut found: Vec<String> =
        done.out.lines().filter_map(|l| l.strip_prefix("ESCAPED: ")).map(str::to_owned).collect();
    let tried = done.out.lines().find_map(|l| l.strip_prefix("tried ")).and_then(|n| n.parse::<usize>().ok());
    assert!(tried.is_some_and(|n| n > 60), "the program must come to its end: {done:#?}");
    let mut byte = [0; 16];
    if udp.recv(&mut byte).is_ok() {
        found.push("a datagram arrived".to_owned());
    }
    for entry in fs::read_dir(world.path("outside")).unwrap() {
        let name = entry.unwrap().file_name();
        if name != "secret" && name != "socket" {
            found.push(format!("outside there is {}", name.display()));
        }
    }
    for (file, text) in [
        ("project/.git/config", "[core]\n\trepositoryformatversion = 0\n"),
        ("project/.claude/settings.json", "{}"),
        ("project/.github/workflows/ci.yml", "on: push"),
        ("project/.env", "KEY=prize"),
        ("home/.ssh/id_ed25519", "prize"),
    ] {
        if fs::read_to_string(world.path(file)).unwrap_or_default() != text {
            found.push(format!("{file} is not as it was"));
        }
    }
    found
}

#[test]
fn a_protected_name_that_was_not_there_ends_the_command_and_is_set_aside() {
    for user in users() {
        for (name, make) in [
            (".mcp.json", "echo evil > .mcp.json"),
            (".vscode", "mkdir .vscode && echo evil > .vscode/tasks.json"),
            ("CLAUDE.md", "echo evil > x && mv x CLAUDE.md"),
            (".envrc", "ln -s src/a.txt .envrc"),
            (".git/config.worktree", "echo evil > .git/config.worktree"),
        ] {
            let world = World::new("A", user);
            let done = world.sh(&format!("{make}; sleep 20; echo survived"));
            assert_eq!(done.status, Some(137), "{name}: {done:#?}");
            assert!(!done.out.contains("survived"), "{make}: {done:#?}");
            assert!(fs::symlink_metadata(world.path("project").join(name)).is_err(), "{name}");
            assert!(done.events.contains("why: Protected") && done.events.contains(name), "{done:#?}");
        }
    }
}

#[test]
fn a_protected_name_made_at_the_very_end_is_set_aside_too() {
    let world = World::new("A", None);
    let done = world.sh("echo evil > .mcp.json");
    assert_eq!(done.status, Some(137), "{done:#?}");
    assert!(!world.path("project/.mcp.json").exists());
}

#[test]
fn worktrees_reach_their_repository_but_not_its_configuration() {
    for user in users() {
        let world = World::new("A", user);
        let git = |arguments: &[&str], dir: &str| {
            let mut git = Command::new("git");
            git.current_dir(world.path(dir)).env("HOME", world.path("home")).args(arguments);
            if let Some(uid) = user {
                git.uid(uid).gid(uid);
            }
            let out = git.output().unwrap();
            assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        };
        git(&["init", "-q", "-b", "main", "main"], "outside");
        git(&["commit", "-q", "--allow-empty", "-m", "begin"], "outside/main");
        git(&["worktree", "add", "-q", "../../tree"], "outside/main");
        let mut driver = world.bounded(
            &[],
            &[
                "/bin/sh",
                "-c",
                "echo x > f && git add f && git commit -q -m two && git log --oneline | wc -l; \
               echo evil >> ../outside/main/.git/config; echo evil > ../outside/main/.git/hooks/post-commit; \
               ls ../outside/main",
            ],
        );
        driver.current_dir(world.path("tree"));
        let done = world.run(driver);
        assert!(done.out.starts_with('2'), "{done:#?}");
        assert!(!fs::read_to_string(world.path("outside/main/.git/config")).unwrap().contains("evil"));
        assert!(!world.path("outside/main/.git/hooks/post-commit").exists());
    }
}

#[test]
fn decoys_say_who_withholds_and_opening_one_is_told() {
    for user in users() {
        let world = World::new("A", user);
        let out = world.sh("cat ~/.netrc .env; ls ~/.ssh; cat ~/.npmrc; git config user.name").good();
        assert_eq!(out.matches("Withheld by Ambit (rule contain.credentials)").count(), 2, "{out}");
        assert!(
            out.contains("WITHHELD-BY-AMBIT.txt") && out.contains("fund=false") && out.contains("Ann"),
            "{out}"
        );
        assert!(!out.contains("prize"), "{out}");
        let events = world.events();
        for path in ["home/.netrc", "project/.env"] {
            let line = format!("why: Credential, pid: None, target: \"{}\"", world.path(path).display());
            assert!(events.contains(&line), "{line} in {events}");
        }
        assert!(!events.contains("/etc/shadow"), "what was not opened is not told: {events}");
    }
}

#[test]
fn connections_that_lead_nowhere_are_told() {
    for user in users() {
        let world = World::new("A", user);
        let done = world.sh(
            "curl -s -m 3 --noproxy '*' http://10.1.2.3:5432/; curl -s -m 3 http://no.example/; curl -s -m 3 --noproxy '*' http://direct.example/",
        );
        assert!(
            done.events.contains("why: Connection") && done.events.contains("10.1.2.3:5432"),
            "{done:#?}"
        );
        assert!(done.events.contains("host: \"no.example\""), "{done:#?}");
        assert!(done.events.contains("host: \"direct.example\""), "{done:#?}");
        assert!(!done.events.contains("outcome: Made"), "{done:#?}");
    }
}

#[test]
fn programs_are_told_when_they_run() {
    let world = World::new("A", None);
    world.sh("true; /usr/bin/env printf '%s' told >/dev/null").good();
    let events = world.events();
    assert!(
        events.contains("program: \"/usr/bin/env\", arguments: [\"/usr/bin/env\", \"printf\""),
        "{events}"
    );
    assert!(
        events.contains("\"printf\", \"%s\", \"told\"") && events.contains("Start { tier: A"),
        "{events}"
    );
}

#[test]
fn no_process_outlives_its_command() {
    for (user, tier) in users().into_iter().flat_map(|u| [(u, "A"), (u, "B")]) {
        let world = World::new(tier, user);
        let mark = format!("61.{}{}", std::process::id(), user.unwrap_or(0));
        world
            .sh(&format!("(setsid sleep {mark} &) ; (nohup sleep {mark} >/dev/null 2>&1 &); sleep 0.1"))
            .good();
        assert!(soon(|| processes(&mark).is_empty()), "{:?}", processes(&mark));
    }
}

#[test]
fn processes_are_bounded() {
    for user in users() {
        let world = World::new("A", user);
        let text = "import os,time\nn=0\ntry:\n  while n<5000:\n    if os.fork()==0: time.sleep(30); os._exit(0)\n    n+=1\nexcept OSError: pass\nprint(n)";
        let begun = std::time::Instant::now();
        let out = world.run(world.bounded(&[], &["/usr/bin/python3", "-c", text])).good();
        let made: usize = out.trim().parse().unwrap();
        assert!(made > 100 && made < 1000, "as {user:?}: {made}");
        assert!(begun.elapsed() < Duration::from_secs(40));
    }
}

#[test]
fn private_files_and_memory_are_bounded() {
    let world = World::new("A", None);
    let out =
        world.sh("dd if=/dev/zero of=/tmp/big bs=1M count=300 2>&1 | tail -1; df -m /tmp | tail -1").out;
    assert!(!out.contains("314572800 bytes"), "{out}");
    let text = "b=[]\nimport time\nfor i in range(60):\n  b.append(bytearray(20<<20)); time.sleep(0.05)\nprint('survived')";
    let done = world.run(world.bounded(&["--memory", "200000000"], &["/usr/bin/python3", "-c", text]));
    assert_eq!(done.status, Some(137), "{done:#?}");
    assert!(done.events.contains("why: Limit") && !done.out.contains("survived"));
}

#[test]
fn standard_input_that_is_a_directory_is_refused() {
    let world = World::new("A", None);
    let mut driver = world.bounded(&[], &["/bin/true"]);
    driver.stdin(fs::File::open("/").unwrap());
    let done = world.run(driver);
    assert_eq!(done.status, Some(125), "{done:#?}");
    assert!(done.err.contains("it is a directory"), "{done:#?}");
}

#[test]
fn descriptors_are_not_inherited() {
    let world = World::new("A", None);
    // A descriptor without the mark that closes it.
    let (mut read, write) = std::io::pipe().unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&write);
    rustix::io::fcntl_setfd(&write, rustix::io::FdFlags::empty()).unwrap();
    let done = world.sh(&format!("echo out >&{number}"));
    drop(write);
    let mut got = String::new();
    let reading = thread::spawn(move || {
        let _ = read.read_to_string(&mut got);
        got
    });
    assert_eq!(reading.join().unwrap(), "", "{done:#?}");
}

#[test]
fn what_is_too_wide_or_unknown_is_refused() {
    let world = World::new("A", None);
    let wide = world.path("");
    let mut driver = world.bounded(&["--project", wide.to_str().unwrap()], &["/bin/true"]);
    driver.current_dir(world.path("project"));
    let done = world.run(driver);
    assert!(done.status == Some(125) && done.err.contains("nothing could be withheld"), "{done:#?}");
    let mut driver =
        world.bounded(&["--project", world.path("project/src").to_str().unwrap()], &["/bin/true"]);
    driver.current_dir(world.path("outside"));
    let done = world.run(driver);
    assert!(done.status == Some(125) && done.err.contains("is outside of the project"), "{done:#?}");
    let done = world.run(world.bounded(&[], &["no-such-program"]));
    assert!(done.status == Some(125) && done.err.contains("no-such-program: No such file"), "{done:#?}");
}
