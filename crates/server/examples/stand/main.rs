//! `stand DIR`: a console over a made-up record in DIR, for those who work on its pages and for the browser's test. The
//! record is written by the library as the guard writes it; what the program around would find out is made up too.
//! Prints one link a line, for `ana` and for `ben`, and answers until its standard input ends. With `--live` a session
//! goes on meanwhile, a call every few seconds.

#[path = "../../tests/support/mod.rs"]
mod support;

use server::{Console, Door, Person, Settings};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use support::{Canned, Teller, sample};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let live = arguments.iter().any(|a| a == "--live");
    let Some(state) = arguments.iter().find(|a| !a.starts_with("--")).map(PathBuf::from) else {
        return Err("usage: stand DIR [--live]".into());
    };
    if ledger::Reader::open(&state).is_empty()? {
        sample(&state, jiff::Timestamp::now());
    }
    let settings = Settings {
        state: state.clone(),
        listen: ([127, 0, 0, 1], 0).into(),
        origin: None,
        zone: jiff::tz::TimeZone::UTC,
        now: Box::new(jiff::Timestamp::now),
        read_only: None,
        surroundings: Arc::new(Canned),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let console = runtime.block_on(Console::open(settings))?;
    links(&console.door())?;
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
        let _ = tell.send(());
    });
    if live {
        std::thread::spawn(move || go_on(&state));
    }
    runtime.block_on(console.serve(async {
        let _ = told.await;
    }))?;
    runtime.shutdown_background();
    Ok(())
}

fn links(door: &Door) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for name in ["ana", "ben"] {
        let person = Person { name: name.to_owned(), subject: format!("p-{name}") };
        writeln!(out, "{name} {}", door.link(person)?)?;
    }
    out.flush()?;
    Ok(())
}

/// At most an hour of a session that goes on.
fn go_on(state: &std::path::Path) {
    let teller = Teller::new(state, "5f0c7a31-live-0000-0000-000000000000", "ana");
    for round in 0..1200_u32 {
        std::thread::sleep(std::time::Duration::from_secs(3));
        teller.free(jiff::Timestamp::now(), &format!("cargo test -p shop --lib round_{round}"));
    }
}
