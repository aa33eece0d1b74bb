//! Accounts, privileges, processes and what runs later.

use crate::context::{Context, Input};
use crate::meaning::{Call, opaque};
use model::{Action, Origin, PersistFacts, SignalFacts, Span, Tri};
use programs::{Field, Role};

/// `sudo`, `doas`, `su`, `runuser`, `pkexec`: another account, and the command that it runs.
pub(super) fn sudo(cx: &mut Context<'_>, call: &mut Call) {
    let span = call.span();
    if call.found.stop || call.has(&["-k", "-K"]) && call.found.argv.is_none() {
        return;
    }
    let user = call.words(&Role::User).first().map_or_else(|| "root".to_owned(), Field::shown);
    cx.escalate("user", user, span);
    let mut assignments = call.inv.assignments.clone();
    for word in call.words(&Role::Assign) {
        assignments.extend(super::wrappers::split_assignment(&word));
    }
    let stdin = call.inv.stdin.clone();
    match call.found.argv.clone().filter(|a| !a.is_empty()) {
        Some(argv) => {
            let output = cx.apart(|cx| cx.run_words_with(assignments, &argv, stdin, span));
            call.prints(output);
        }
        None if call
            .found
            .roles
            .iter()
            .any(|(r, _)| matches!(r, Role::Command | Role::Code(_) | Role::Write)) => {}
        None => match &call.inv.stdin {
            Input::Text(text) => {
                let text = text.clone();
                let output = cx.apart(|cx| cx.run_script(&text, &[], Input::Null, span));
                call.prints(output);
            }
            Input::Inherit | Input::Null => {
                if call.found.program != "sudo" {
                    opaque(cx, call, "opens a shell for another account".to_owned(), Origin::Unknown, span);
                }
            }
            _ => opaque(cx, call, "the commands it reads are not known".to_owned(), Origin::Unknown, span),
        },
    }
}

/// `kill`, `pkill`, `killall`: which processes get a signal. Signal 0 only asks whether they are there.
pub(super) fn kill(cx: &mut Context<'_>, call: &mut Call) {
    let asks = |name: &Field| matches!(name.known().as_deref(), Some("0"));
    if call.has(&["-0", "-l", "-L"])
        || call
            .found
            .options
            .iter()
            .any(|o| matches!(o.name.as_str(), "-s" | "-n") && o.value.as_ref().is_some_and(asks))
    {
        return;
    }
    for process in call.words(&Role::Process) {
        let own = process.pieces.iter().any(|p| matches!(p, programs::Piece::Unknown(t) if t == "$!")).into();
        let shown = process.shown();
        let own = if shown.starts_with('%') { Tri::Yes } else { own };
        let facts = SignalFacts {
            machine: matches!(shown.as_str(), "-1" | "1"),
            own: if own == Tri::Yes { Tri::Yes } else { Tri::Unknown },
            process: shown,
        };
        cx.emit(Action::Signal(facts), process.span);
    }
}

/// `crontab FILE`, `crontab -`, `crontab -e`: anything but listing sets up what runs later.
pub(super) fn crontab(cx: &mut Context<'_>, call: &mut Call) {
    if call.has(&["-l"]) {
        return;
    }
    persist(cx, "cron", "crontab", call.span());
}

fn persist(cx: &mut Context<'_>, mechanism: &str, place: &str, span: Span) {
    cx.emit(Action::Persist(PersistFacts { mechanism: mechanism.to_owned(), place: place.to_owned() }), span);
}
