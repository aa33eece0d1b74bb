//! `ambit secrets scan` and `ambit cat`, from outside.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

use secrets::{detector_of, sample};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(home.project()).unwrap();
        home
    }

    fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn run(&self, program: &Path, args: &[&str], input: Option<&str>) -> Output {
        use std::io::Write;
        let mut child = Command::new(program)
            .args(args)
            .current_dir(self.project())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.unwrap_or_default().as_bytes());
        child.wait_with_output().unwrap()
    }

    fn ambit(&self, args: &[&str]) -> Output {
        self.run(Path::new(env!("CARGO_BIN_EXE_ambit")), args, None)
    }

    fn git(&self, args: &[&str]) {
        let mut all =
            vec!["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "init.defaultBranch=main"];
        all.extend(args);
        assert!(self.run(Path::new("git"), &all, None).status.success(), "git {args:?}");
    }
}

fn token(id: &str) -> String {
    sample(detector_of(id).unwrap(), 11)
}

fn findings(output: &Output) -> Vec<serde_json::Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let report: serde_json::Value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text} {}", String::from_utf8_lossy(&output.stderr)));
    report["findings"].as_array().unwrap().clone()
}

fn never_shown(output: &Output, secrets: &[&str]) {
    let all =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for secret in secrets {
        assert!(!all.contains(&secret[4..]), "{all}");
    }
}

#[test]
fn the_sweep_goes_where_agents_read() {
    let home = Home::new();
    let (github, stripe, openai) =
        (token("github-pat"), token("stripe-live-key"), token("openai-project-key"));
    home.write("project/.gitignore", ".env\n");
    home.write("project/.env", &format!("# local\nGITHUB_TOKEN={github}\n"));
    home.write("project/src/pay.py", &format!("import stripe\nstripe.api_key = '{stripe}'\n"));
    home.write("project/node_modules/x/a.js", &format!("k='{stripe}'\n"));
    home.write(".claude/projects/p/s.jsonl", &format!("{{\"text\":\"use {openai} please\"}}\n"));
    home.write(".bash_history", &format!("ls\nexport T={github}\n"));
    home.git(&["init", "-q"]);
    home.git(&["add", "src"]);

    let output = home.ambit(&["secrets", "scan", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    never_shown(&output, &[&github, &stripe, &openai]);
    let found = findings(&output);
    let at = |path: &str| {
        found
            .iter()
            .find(|f| f["path"].as_str().unwrap().ends_with(path))
            .unwrap_or_else(|| panic!("{path}: {found:?}"))
            .clone()
    };
    let env = at(".env");
    assert_eq!(
        (env["line"].as_u64(), env["column"].as_u64(), env["tracked"].as_bool()),
        (Some(2), Some(14), Some(false))
    );
    assert_eq!((env["kind"].as_str(), env["certainty"].as_str()), (Some("github-pat"), Some("certain")));
    assert_eq!(at("pay.py")["tracked"], true);
    assert_eq!(at("s.jsonl")["place"], "agent");
    let history = at(".bash_history");
    assert_eq!((history["place"].as_str(), &history["fingerprint"]), (Some("shell"), &env["fingerprint"]));
    assert_eq!(found.len(), 4, "{found:?}");

    let text = home.ambit(&["secrets", "scan"]);
    never_shown(&text, &[&github, &stripe, &openai]);
    let shown = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(shown.contains("3 credential(s) in 4 place(s)") && shown.contains("node_modules"), "{shown}");

    let sarif: serde_json::Value =
        serde_json::from_slice(&home.ambit(&["secrets", "scan", "--sarif", "."]).stdout).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_allowed_is_left_out_and_counted() {
    let home = Home::new();
    let github = token("github-pat");
    home.write("project/a.txt", &format!("x {github} # ambit:allow-secret made for a test\n"));
    home.write("project/keys/b.txt", &format!("x {github}\n"));
    home.write(
        "project/.ambit/secrets-allow.toml",
        "[[allow]]\npath = \"keys/**\"\nreason = \"opens nothing\"\nexpires = \"2999-01-01\"\n",
    );
    assert_eq!(home.ambit(&["secrets", "scan", "."]).status.code(), Some(0));

    home.write("project/c.txt", &format!("y {github}\n"));
    assert_eq!(home.ambit(&["secrets", "scan", "."]).status.code(), Some(1));
    assert_eq!(home.ambit(&["secrets", "scan", ".", "--write-baseline", "base.json"]).status.code(), Some(0));
    let baseline = std::fs::read_to_string(home.project().join("base.json")).unwrap();
    assert!(!baseline.contains(&github[4..]));
    assert_eq!(home.ambit(&["secrets", "scan", ".", "--baseline", "base.json"]).status.code(), Some(0));
    home.write("project/d.txt", &format!("z {}\n", token("npm-token")));
    let output = home.ambit(&["secrets", "scan", ".", "--baseline", "base.json", "--json"]);
    assert_eq!(findings(&output).len(), 1);
}

#[test]
fn history_tells_which_commit_added_it() {
    let home = Home::new();
    let npm = token("npm-token");
    home.git(&["init", "-q"]);
    home.write("project/conf.ini", &format!("a=1\nb=2\nnpm={npm}\n"));
    home.git(&["add", "."]);
    home.git(&["commit", "-q", "-m", "one"]);
    home.write("project/conf.ini", "a=1\nb=2\n");
    home.git(&["add", "."]);
    home.git(&["commit", "-q", "-m", "two"]);
    assert_eq!(home.ambit(&["secrets", "scan", "."]).status.code(), Some(0));
    for args in
        [vec!["secrets", "scan", "--history", "--json"], vec!["secrets", "scan", "--git", "HEAD", "--json"]]
    {
        let output = home.ambit(&args);
        never_shown(&output, &[&npm]);
        let found = findings(&output);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0]["line"].as_u64(), found[0]["path"].as_str(), found[0]["place"].as_str()),
            (Some(3), Some("conf.ini"), Some("history"))
        );
        assert_eq!(found[0]["commit"].as_str().unwrap().len(), 40);
    }
    assert_eq!(home.ambit(&["secrets", "scan", "--git", "--output=x"]).status.code(), Some(2));
}

#[test]
fn cat_shows_a_file_without_its_secrets() {
    let home = Home::new();
    let github = token("github-pat");
    home.write("project/.env", &format!("PORT=3000\nGITHUB_TOKEN={github}\n"));
    let output = home.ambit(&["cat", ".env"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    never_shown(&output, &[&github]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.starts_with("PORT=3000\nGITHUB_TOKEN={{secret:github-pat:"), "{shown}");

    // The values are kept, sealed, where the guard finds them again.
    let store = secrets::Store::open(&home.dir.path().join(".local/state/ambit/secrets")).unwrap();
    let back = secrets::restore(shown.replace("3000", "4000").as_bytes(), &store.vault().unwrap());
    assert_eq!(String::from_utf8(back.text).unwrap(), format!("PORT=4000\nGITHUB_TOKEN={github}\n"));
}

#[test]
fn standard_input_and_rules_of_others() {
    let home = Home::new();
    home.write("rules.toml", "[[rules]]\nid = \"acme\"\nregex = 'acme-([0-9]{8})'\nkeywords = [\"acme\"]\n");
    let rules = home.dir.path().join("rules.toml");
    let program = Path::new(env!("CARGO_BIN_EXE_ambit"));
    let output = home.run(
        program,
        &["secrets", "scan", "--stdin", "--json", "--rules", rules.to_str().unwrap()],
        Some("one\nacme-48151623\n"),
    );
    let found = findings(&output);
    assert_eq!(
        (found.len(), found[0]["line"].as_u64(), found[0]["kind"].as_str()),
        (1, Some(2), Some("acme"))
    );
    never_shown(&output, &["acme-48151623"]);
}
