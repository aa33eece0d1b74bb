//! Runs one command in bounds, for the tests of this crate: the sandbox without the rest of Ambit.
//!
//! `bounded [--tier A|B] [--project DIR] [--home DIR] [--state DIR] [--write DIR]… [--host H]… [--uid N] [--events FILE] [--memory BYTES] -- COMMAND…`

use contain::{Event, Observer, Profile, allowed_variables};
use model::AbsPath;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// Writes each event as one line.
struct Lines(Mutex<Option<File>>);

impl Observer for Lines {
    fn observe(&self, event: Event) {
        if let Ok(mut file) = self.0.lock()
            && let Some(file) = file.as_mut()
        {
            let _ = file.write_all(format!("{event:?}\n").as_bytes());
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(status) => ExitCode::from(status),
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "bounded: {e}");
            ExitCode::from(125)
        }
    }
}

fn run() -> Result<u8, Box<dyn std::error::Error>> {
    let mut words = std::env::args_os().skip(1);
    let (mut tier, mut events, mut memory, mut uid) = (None, None, None, None);
    let (mut write, mut hosts) = (Vec::new(), Vec::new());
    let cwd = path(std::env::current_dir()?.into())?;
    let mut project = cwd.clone();
    let mut home = path(std::env::var_os("HOME").unwrap_or_else(|| "/nonexistent".into()))?;
    let mut state = None;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or("an option has no value");
        match word.to_str() {
            Some("--") => break,
            Some("--tier") => tier = Some(value()?.to_string_lossy().parse()?),
            Some("--project") => project = path(value()?)?,
            Some("--home") => home = path(value()?)?,
            Some("--state") => state = Some(path(value()?)?),
            Some("--write") => write.push(path(value()?)?),
            Some("--host") => hosts.push(value()?.to_string_lossy().into_owned()),
            Some("--events") => events = Some(value()?),
            Some("--memory") => memory = Some(value()?.to_string_lossy().parse()?),
            Some("--uid") => uid = Some(value()?.to_string_lossy().parse::<u32>()?),
            _ => return Err(format!("no option is called {}", word.to_string_lossy()).into()),
        }
    }
    if let Some(uid) = uid {
        let (uid, gid) = (rustix::process::Uid::from_raw(uid), rustix::process::Gid::from_raw(uid));
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        // A process that has changed its user is closed to itself; a program that it runs is not.
        let program = std::env::current_exe()?;
        let mut all = std::env::args_os().skip(1).peekable();
        let mut rest = Vec::new();
        while let Some(word) = all.next() {
            if word == "--uid" && !rest.contains(&OsString::from("--")) {
                all.next();
            } else {
                rest.push(word);
            }
        }
        return Err(std::process::Command::new(program).args(rest).exec().into());
    }
    let state = state.unwrap_or_else(|| home.join(".local/state/ambit"));
    let mut profile = Profile::command(project, cwd, home, state)?;
    profile.tier = tier;
    profile.write = write;
    profile.limits.memory_bytes = memory;
    profile.limits.processes = 1000;
    profile.limits.private_bytes = 256 << 20;
    profile.ask = "Ask a person to run it uncontained.".to_owned();
    profile.variables = allowed_variables(std::env::vars_os(), &|_| false);
    let mut rules = egress::Rules::deny_all("ask for {host}");
    for host in hosts {
        rules.hosts.push(egress::HostRule::new(format!("test/{host}"), &host)?);
    }
    // The registries of some machines for tests lie at an address kept for documentation.
    for network in std::env::var("BOUNDED_NETWORKS").unwrap_or_default().split_whitespace() {
        let network = egress::Network::read(network).ok_or("a network is not written as one")?;
        rules.networks.push(egress::NetworkGrant { id: "test".to_owned(), network, ports: Vec::new() });
    }
    let file = events.map(|p| OpenOptions::new().create(true).append(true).open(p)).transpose()?;
    let observer: Arc<dyn Observer> = Arc::new(Lines(Mutex::new(file)));
    let command: Vec<OsString> = words.collect();
    Ok(contain::run(profile, &command, Box::new(move || rules), &observer, Box::new(|| Ok(())))?)
}

fn path(text: OsString) -> Result<AbsPath, Box<dyn std::error::Error>> {
    let real = std::fs::canonicalize(&text).unwrap_or_else(|_| text.into());
    Ok(AbsPath::parse(real.to_str().ok_or("a path is not UTF-8")?)?)
}
