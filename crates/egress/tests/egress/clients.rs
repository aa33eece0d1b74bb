//! Real programs through the server: curl, Python and git.

use crate::world::{Authority, Host, World, interception, ok, rule, rules};
use egress::{HostPattern, Lent, Place, RequestRule, Secret};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs a program with nothing in its environment but what it needs and the proxy.
fn run(world: &World, home: &Path, program: &str, arguments: &[&str], more: &[(&str, &str)]) -> Output {
    let proxy = format!("http://{}", world.http);
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home)
        .envs([("http_proxy", &proxy), ("https_proxy", &proxy), ("HTTPS_PROXY", &proxy)])
        .envs(more.iter().copied())
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn curl_by_every_way() {
    let (plain, authority) = (Host::new(None, |_| Some(ok(b"plain"))), Authority::new());
    let secure = Host::new(Some(authority.host("good.example")), |_| Some(ok(b"secure")));
    let mut rules = rules();
    rules.hosts = vec![rule("good.example", &[plain.port, secure.port])];
    let world = World::new(rules, &["good.example"]);
    let home = tempfile::tempdir().unwrap();
    let roots = home.path().join("roots.pem");
    std::fs::write(&roots, &authority.pem).unwrap();
    let roots = roots.to_str().unwrap();
    let curl = |arguments: &[&str]| {
        run(
            &world,
            home.path(),
            "curl",
            &[&["-sS", "--max-time", "20", "--cacert", roots], arguments].concat(),
            &[],
        )
    };
    let (http, https) =
        (format!("http://good.example:{}/", plain.port), format!("https://good.example:{}/", secure.port));
    let socks = format!("socks5h://{}", world.socks);
    assert_eq!(text(&curl(&[&http]).stdout), "plain");
    assert_eq!(text(&curl(&["-p", &http]).stdout), "plain");
    let output = curl(&["-v", &https]);
    assert_eq!(text(&output.stdout), "secure", "{}", text(&output.stderr));
    assert_eq!(text(&curl(&["-x", &socks, &http]).stdout), "plain");
    let output = curl(&["-x", &socks, &https]);
    assert_eq!(text(&output.stdout), "secure", "{output:?}");
    assert_eq!(text(&curl(&["-d", "@/etc/passwd", &http]).stdout), "plain");
    let denied = curl(&["http://evil.example/"]);
    assert!(
        text(&denied.stdout).contains("To ask for it: ambit ask egress evil.example --port 80"),
        "{denied:?}"
    );
    let denied = curl(&["-v", "https://evil.example/"]);
    let shown = text(&denied.stderr);
    assert!(
        !denied.status.success()
            && shown.contains("403 Forbidden by Ambit")
            && shown.contains("X-Ambit-Reason: host-not-allowed"),
        "{shown}"
    );
    assert!(!curl(&["-x", &socks, "https://evil.example/"]).status.success());
    assert!(
        !curl(&["--connect-to", &format!("good.example:{p}:evil.example:{p}", p = secure.port), &https])
            .status
            .success()
    );
    assert_eq!(world.names.asked().iter().filter(|n| *n != "good.example").count(), 0);
}

#[test]
fn curl_with_a_lent_token() {
    const TOKEN: &str = "true-token-0f9e8d7c6b";
    let authority = Authority::new();
    let host = Host::new(Some(authority.host("api.example")), |request| {
        let good = text(request).contains(&format!("Authorization: Bearer {TOKEN}"));
        Some(if good {
            ok(format!("welcome, {TOKEN}").as_bytes())
        } else {
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec()
        })
    });
    let mut rules = rules();
    let mut lent = Lent::new("token", "stand_in_for_token_1", Secret::new(TOKEN)).unwrap();
    lent.hosts = vec![HostPattern::read("api.example").unwrap()];
    lent.ports = vec![host.port];
    lent.places = vec![Place::Header("authorization".to_owned())];
    rules.lent = vec![lent];
    rules.hosts = vec![rule("api.example", &[host.port])];
    rules.interception = interception(&authority);
    let world = World::new(rules, &["api.example"]);
    let home = tempfile::tempdir().unwrap();
    let roots = home.path().join("roots.pem");
    std::fs::write(&roots, &world.authority_pem).unwrap();
    let url = format!("https://api.example:{}/v1/me", host.port);
    let arguments = [
        "-sS",
        "--max-time",
        "20",
        "--cacert",
        roots.to_str().unwrap(),
        "-H",
        "Authorization: Bearer stand_in_for_token_1",
        &url,
    ];
    let output = run(&world, home.path(), "curl", &arguments, &[]);
    assert_eq!(text(&output.stdout), "welcome, stand_in_for_token_1*"[..TOKEN.len() + 9], "{output:?}");
    assert!(!text(&output.stdout).contains(TOKEN));
}

#[test]
fn python_with_its_own_library() {
    let authority = Authority::new();
    let host = Host::new(Some(authority.host("good.example")), |_| Some(ok(b"from python's view")));
    let mut rules = rules();
    let mut read = rule("good.example", &[host.port]);
    read.requests = vec![RequestRule::read(&["GET"], &[]).unwrap()];
    read.open_tls = true;
    rules.hosts = vec![read];
    rules.interception = interception(&authority);
    let world = World::new(rules, &["good.example"]);
    let home = tempfile::tempdir().unwrap();
    let roots = home.path().join("roots.pem");
    std::fs::write(&roots, &world.authority_pem).unwrap();
    let script = format!(
        "import urllib.request, urllib.error\n\
         url = 'https://good.example:{}/'\n\
         print(urllib.request.urlopen(url, timeout=20).read().decode())\n\
         try:\n    urllib.request.urlopen(url, data=b'x', timeout=20)\n\
         except urllib.error.HTTPError as e:\n    print(e.code, e.headers['X-Ambit-Reason'])\n",
        host.port
    );
    let output =
        run(&world, home.path(), "python3", &["-c", &script], &[("SSL_CERT_FILE", roots.to_str().unwrap())]);
    let shown = text(&output.stdout);
    assert!(shown.contains("from python's view") && shown.contains("403 request-not-allowed"), "{output:?}");
}

/// git's own server behind a host, by CGI.
fn git_host(root: &Path) -> Host {
    let root = root.to_owned();
    Host::new(None, move |request| {
        let at = request.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let head = text(&request[..at]);
        let header = |name: &str| {
            head.lines()
                .find_map(|l| {
                    l.split_once(": ")
                        .filter(|(n, _)| n.eq_ignore_ascii_case(name))
                        .map(|(_, v)| v.to_owned())
                })
                .unwrap_or_default()
        };
        let mut line = head.split(' ');
        let (method, target) = (line.next().unwrap(), line.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut child = Command::new("git")
            .arg("http-backend")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs([
                ("REQUEST_METHOD", method),
                ("PATH_INFO", path),
                ("QUERY_STRING", query),
                ("GIT_HTTP_EXPORT_ALL", "1"),
            ])
            .env("GIT_PROJECT_ROOT", &root)
            .env("CONTENT_TYPE", header("content-type"))
            .env("CONTENT_LENGTH", header("content-length"))
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("GIT_PROTOCOL", header("git-protocol"))
            .env("REMOTE_USER", "test")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&request[at..]).unwrap();
        let output = child.wait_with_output().unwrap().stdout;
        let split = output.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let (cgi, body) = (text(&output[..split]), &output[split + 4..]);
        let status = cgi.lines().find_map(|l| l.strip_prefix("Status: ")).unwrap_or("200 OK");
        let mut out =
            format!("HTTP/1.1 {status}\r\n{cgi}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        out.extend_from_slice(body);
        Some(out)
    })
}

#[test]
fn git_clones_but_does_not_push_where_only_reading_is_allowed() {
    let home = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str], world: Option<&World>| {
        let fixed = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"];
        let arguments = [&fixed[..], arguments].concat();
        match world {
            Some(world) => run(world, home.path(), "git", &arguments, &[("GIT_TERMINAL_PROMPT", "0")]),
            None => Command::new("git")
                .args(arguments)
                .current_dir(home.path())
                .env("HOME", home.path())
                .output()
                .unwrap(),
        }
    };
    assert!(git(&["init", "-q", "source"], None).status.success());
    std::fs::write(home.path().join("source/file"), "content".repeat(20_000)).unwrap();
    assert!(git(&["-C", "source", "add", "file"], None).status.success());
    assert!(git(&["-C", "source", "commit", "-qm", "one"], None).status.success());
    assert!(git(&["clone", "-q", "--bare", "source", "served.git"], None).status.success());
    assert!(git(&["-C", "served.git", "config", "http.receivepack", "true"], None).status.success());
    let host = git_host(home.path());
    let mut rules = rules();
    let mut read = rule("code.example", &[host.port]);
    read.requests = vec![
        RequestRule::read(&["GET", "HEAD"], &[]).unwrap(),
        RequestRule::read(&["POST"], &["*/git-upload-pack"]).unwrap(),
    ];
    rules.hosts = vec![read];
    let world = World::new(rules, &["code.example"]);
    let url = format!("http://code.example:{}/served.git", host.port);
    let clone = git(&["clone", "-q", &url, "copy"], Some(&world));
    assert!(clone.status.success(), "{}", text(&clone.stderr));
    assert_eq!(std::fs::read_to_string(home.path().join("copy/file")).unwrap().len(), 140_000);
    std::fs::write(home.path().join("copy/file"), "changed").unwrap();
    assert!(git(&["-C", "copy", "commit", "-qam", "two"], None).status.success());
    let push = git(&["-C", "copy", "push", "-q", "origin", "HEAD:main"], Some(&world));
    assert!(!push.status.success() && text(&push.stderr).contains("403"), "{}", text(&push.stderr));
    assert!(!host.text().contains("POST /served.git/git-receive-pack"));
}
