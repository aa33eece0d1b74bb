//! `ambit hook AGENT`: one event of an agent, from standard input to standard output.
//!
//! Whatever goes wrong ends in a denial that says why: a panic, an unreadable payload, a full disk, the deadline. The
//! answer is written whole, in one call; a failure of our own is exit 2 with the reason on standard error.

use crate::{commands, environment};
use agents::claude_code;
use agents::{Answer, Event, PayloadError};
use guard::{Bell, Guard};
use jiff::Timestamp;
use policy::Asking;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The largest payload that is read, in bytes: edits carry whole files.
const MAX_PAYLOAD: usize = 32 << 20;

/// Whether an answer has been given; of the answer, the deadline and a panic, the first counts.
static ANSWERED: AtomicBool = AtomicBool::new(false);

/// By how many seconds the deadline moves, because a person is waited for.
static WAITING_S: AtomicU64 = AtomicU64::new(0);

/// How people hear of a request, and the watchdog of the wait for them.
struct Telling<'a>(&'a [String]);

impl Bell for Telling<'_> {
    fn asked(&self, id: &str, how: &Asking) {
        let desktop = how.notice.unwrap_or(true) && environment::has_desktop();
        if desktop || !how.webhooks.is_empty() {
            commands::approvals::tell_channels(id, self.0);
        }
    }

    fn waits(&self, at_most: Duration) {
        // Never beyond what the agent was asked to wait for its hook.
        let most = claude_code::HOOK_TIMEOUT_S.saturating_sub(claude_code::OWN_DEADLINE_S);
        WAITING_S.fetch_add(at_most.as_secs().saturating_add(1).min(most), Ordering::SeqCst);
    }
}

/// Runs the hook of the agent with this name; `arguments` say where Ambit's files lie.
pub(crate) fn main(agent: Option<&str>, arguments: &[String]) -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|l| format!(" at {}:{}", l.file(), l.line())).unwrap_or_default();
        fail(&format!("the guard failed{place}; this is a bug in Ambit"));
    }));
    if agent != Some(claude_code::NAME) {
        fail(&format!(
            "`ambit hook` knows no agent `{}`; the one it knows is `{}`",
            agent.unwrap_or(""),
            claude_code::NAME
        ));
    }
    // A thread, because what may hang (a slow disk, a dead mount) cannot be asked to look at a clock.
    let watchdog = std::thread::Builder::new().stack_size(64 << 10).spawn(|| {
        std::thread::sleep(Duration::from_secs(claude_code::OWN_DEADLINE_S));
        // Time spent waiting for a person is not the guard's own.
        loop {
            match WAITING_S.swap(0, Ordering::SeqCst) {
                0 => break,
                more => std::thread::sleep(Duration::from_secs(more)),
            }
        }
        fail(&format!(
            "the guard did not reach a verdict within {} s (a slow or full disk?)",
            claude_code::OWN_DEADLINE_S
        ));
    });
    if let Err(e) = watchdog {
        fail(&format!("no deadline could be set: {e}"));
    }
    match answer(arguments) {
        Ok(text) => {
            if ANSWERED.swap(true, Ordering::SeqCst) {
                return ExitCode::from(2);
            }
            let mut out = std::io::stdout().lock();
            match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::from(2),
            }
        }
        Err(why) => fail(&why),
    }
}

/// Ends the process with the one denial that every agent obeys.
fn fail(why: &str) -> ! {
    if !ANSWERED.swap(true, Ordering::SeqCst) {
        let text = format!(
            "Ambit denied this because it could not judge it: {why}.\nThe call was not run. Tell the person to run: ambit doctor\n"
        );
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
    #[expect(clippy::exit, reason = "exit 2 is the denial itself, and nothing may run after it")]
    std::process::exit(2)
}

fn answer(arguments: &[String]) -> Result<String, String> {
    let mut payload = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_PAYLOAD as u64 + 1)
        .read_to_end(&mut payload)
        .map_err(|e| format!("the agent's payload could not be read: {e}"))?;
    if payload.len() > MAX_PAYLOAD {
        return Err(PayloadError::TooLarge { limit: MAX_PAYLOAD }.to_string());
    }
    let report = claude_code::parse(&payload).map_err(|e| e.to_string())?;
    drop(payload);
    let roots = match environment::given_places(arguments) {
        Ok(Some(roots)) => Ok(roots),
        Ok(None) => environment::roots(),
        Err(e) => Err(e),
    };
    let roots = roots.map_err(|e| format!("{e:#}"))?;
    let guard = Guard {
        roots: &roots,
        agent: claude_code::NAME,
        project: environment::path_variable(environment::CLAUDE_PROJECT_DIR),
        attended: environment::variable(environment::CLAUDE_CODE_SESSION_ATTENDED).as_deref() == Some("1"),
        person: environment::person(),
        sandbox: &|| crate::sandbox::holds(&roots),
        bell: Some(&Telling(arguments)),
        variables: &environment::variable,
        now: Timestamp::now(),
    };
    match guard.handle(&report) {
        Ok(answer) => Ok(claude_code::render(&report.name, &answer)),
        Err(e) => match report.event {
            // A denial as JSON is told to the agent without the hook's command line.
            Event::Proposed(_) => {
                let reason = format!(
                    "Ambit denied this because it could not judge it: {e}.\nThe call was not run. Tell the person to run: ambit doctor"
                );
                let notice = Some(reason.clone());
                Ok(claude_code::render(&report.name, &Answer::Deny { reason, notice }))
            }
            // Nothing can be stopped any more here; the person is told.
            _ => {
                let notice = Some(format!("Ambit could not record this: {e}"));
                Ok(claude_code::render(&report.name, &Answer::Pass { notice }))
            }
        },
    }
}
