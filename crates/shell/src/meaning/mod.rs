//! What one simple command means: its words, by the table of programs, as effects.

mod call;
mod database;
mod environment;
mod net;
mod paths;
mod prints;
mod roles;
mod script;
mod template;

pub(crate) use call::Call;
pub(crate) use database::{queried, query};
pub(crate) use net::{Traffic, host_path, place};
pub(crate) use paths::Touch;
pub(crate) use roles::{follow, local, opaque};
pub(crate) use script::{origin_of, promised, run_shell_script, text_of};
pub(crate) use template::{strictest, without_password};

use crate::context::{Context, Input, Invocation, Output};
use crate::readers;
use model::{Action, EffectKind, Origin, PathTarget, RunFacts, Span, Task};
use programs::{Field, match_words};

/// The meaning of one simple command that is neither a function nor one of the shell's own.
pub(crate) fn invoke(cx: &mut Context<'_>, inv: Invocation) -> Output {
    let Some(first) = inv.words.first() else { return Output::default() };
    let Some(name) = first.known().filter(|_| !first.many) else {
        let shown = first.shown();
        cx.not_understood(
            &shown,
            format!("which program `{shown}` is, is not known"),
            Origin::Unknown,
            inv.span,
        );
        return Output::default();
    };
    if name.contains('/') {
        return script::run_file(cx, inv, &name);
    }
    let Some(program) = cx.table.get(&name) else {
        let why = format!("`{name}` is not in the table of programs");
        cx.not_understood(&name, why, Origin::Unknown, inv.span);
        return Output::default();
    };
    let words = if program.name == "tar" { readers::tar_words(&inv.words) } else { inv.words.clone() };
    let mut found = match_words(&program, &words);
    if found.reader.is_none() {
        found.reader = readers::by_name(&found.program).map(str::to_owned);
    }
    let harmless = cx.environment_of(&name, &inv.assignments, inv.span);
    let mut call = Call { found, inv, sensitive: false, origin: Origin::Unknown, text: None, opaque: false };
    let before = cx.effects.len();
    understand(cx, &mut call);
    if call.found.dry {
        drop_losses(cx, before);
    }
    if harmless && !call.opaque && !cx.effects.iter().skip(before).any(|e| own_run(&e.action, &call)) {
        let facts = RunFacts {
            program: call.name(),
            understood: true,
            why: None,
            origin: Origin::System,
            task: Task::Other,
        };
        cx.emit(Action::Run(facts), call.span());
    }
    output(call)
}

/// Whether this is the command's own `run` effect (not that of a command it runs).
fn own_run(action: &Action, call: &Call) -> bool {
    matches!(action, Action::Run(r) if call.found.effects.iter().any(|e| e.kind == EffectKind::Run)
        && (r.program == call.name() || r.why.is_some()))
}

fn understand(cx: &mut Context<'_>, call: &mut Call) {
    if let Some(reader) = call.found.reader.clone()
        && readers::owns_words(&reader)
    {
        readers::read(cx, call, &reader);
        return;
    }
    for unknown in call.found.unknowns.clone() {
        opaque(cx, call, unknown.why, Origin::Unknown, unknown.span);
    }
    if call.found.stop && !call.opaque {
        return;
    }
    // `git -C DIR`, `make -C DIR`: everything else happens there.
    let dir = call.words(&programs::Role::Chdir).into_iter().next_back();
    match dir {
        // Tar's archive is named from the directory before.
        Some(dir) if call.found.reader.as_deref() != Some("tar") => {
            let there = match cx.path(&dir) {
                PathTarget::Known(path) => Some(path),
                _ => None,
            };
            cx.within(there, |cx| meaning(cx, call));
        }
        _ => meaning(cx, call),
    }
}

fn meaning(cx: &mut Context<'_>, call: &mut Call) {
    // What is read is looked at first: it may be a secret that the rest sends away.
    roles::all(cx, call);
    let given = template::Given {
        command: call.name(),
        assignments: &call.inv.assignments,
        sensitive: call.sensitive || stdin_sensitive(&call.inv.stdin),
    };
    for effect in &call.found.effects {
        // Git's reader takes refspecs apart.
        if effect.kind == EffectKind::Push && call.found.reader.as_deref() == Some("git") {
            continue;
        }
        cx.template(effect, &given);
        if effect.kind == EffectKind::Run
            && effect.facts.get("understood") == Some(&programs::Fact::Bool(false))
        {
            call.opaque = true;
        }
        if effect.kind == EffectKind::Fetch {
            call.origin = Origin::Downloaded;
        }
        if effect.kind == EffectKind::Reveal {
            call.sensitive = true;
        }
    }
    if call.found.stdin_is_code {
        stdin_code(cx, call);
    }
    if let Some(reader) = call.found.reader.clone() {
        readers::read(cx, call, &reader);
    }
}

/// A program that takes code from its standard input when it is given no other.
fn stdin_code(cx: &mut Context<'_>, call: &mut Call) {
    let given = call.found.roles.iter().any(|(role, _)| {
        matches!(role, programs::Role::Script | programs::Role::Code(_) | programs::Role::Command)
    });
    let readers_own = matches!(
        call.found.reader.as_deref(),
        Some("bash" | "psql" | "mysql" | "sqlite" | "redis" | "ssh" | "docker" | "kubectl" | "su" | "sudo")
    );
    if given || readers_own || call.found.argv.is_some() {
        return;
    }
    let origin = match &call.inv.stdin {
        Input::Inherit | Input::Null => return,
        Input::Text(_) => Origin::Inline,
        Input::Pipe { origin, .. } => *origin,
        Input::File(target) => script::origin_of(cx, target),
        Input::Unknown => Origin::Unknown,
    };
    let span = call.span();
    opaque(cx, call, "the code it reads from its standard input is not read".to_owned(), origin, span);
}

/// Takes away what a dry run does not do.
fn drop_losses(cx: &mut Context<'_>, before: usize) {
    let mut at = 0;
    cx.effects.retain(|effect| {
        at += 1;
        at <= before
            || match &effect.action {
                Action::Operate(facts) => facts.dry_run || facts.verb == model::Verb::Read,
                action => matches!(
                    action.kind(),
                    EffectKind::Run
                        | EffectKind::Read
                        | EffectKind::Reveal
                        | EffectKind::Fetch
                        | EffectKind::Send
                ),
            }
    });
}

fn output(call: Call) -> Output {
    let filters =
        call.found.filter || call.found.reader.as_deref().is_some_and(|r| matches!(r, "sed" | "awk" | "jq"));
    let (stdin_origin, stdin_sensitive) = match &call.inv.stdin {
        Input::Pipe { origin, sensitive, .. } => (*origin, *sensitive),
        _ => (Origin::Unknown, false),
    };
    let text = match (&call.text, &call.inv.stdin) {
        (Some(text), _) => Some(text.clone()),
        // `cat` of a known text.
        (None, Input::Text(text)) if call.found.program == "cat" && only_stdin(&call) => Some(text.clone()),
        _ => None,
    };
    let origin = if call.origin == Origin::Downloaded || (filters && stdin_origin == Origin::Downloaded) {
        Origin::Downloaded
    } else {
        call.origin
    };
    Output {
        text,
        origin,
        sensitive: call.sensitive || stdin_sensitive,
        number: prints::number(&call),
        names: prints::names(&call),
    }
}

fn only_stdin(call: &Call) -> bool {
    call.found.options.is_empty()
        && call.found.operands.iter().all(|o| o.known().as_deref() == Some("-"))
        && call.inv.words.len() == call.found.operands.len() + 1
}

/// Whether what a command reads may be a secret, or comes from outside the workspace.
pub(crate) fn stdin_sensitive(input: &Input) -> bool {
    matches!(input, Input::Pipe { sensitive: true, .. })
}

/// Whether the command's words of the role `argv` are its reader's business.
fn takes_argv(call: &Call) -> bool {
    call.found.reader.as_deref().is_some_and(readers::runs_argv)
}

/// Whether the command's script is its reader's business.
fn takes_script(call: &Call) -> bool {
    call.found.reader.as_deref() == Some("bash")
}

/// Whether the command's URLs are its reader's business.
fn takes_urls(call: &Call) -> bool {
    matches!(call.found.reader.as_deref(), Some("curl" | "wget"))
}

/// Whether the command's host is its reader's business.
fn takes_host(call: &Call) -> bool {
    call.found.reader.as_deref() == Some("ssh")
}

impl Context<'_> {
    /// Whether a command line only filters its input: a program that the table says so of, with options that it knows.
    pub(crate) fn is_filter(&self, text: &str) -> bool {
        let plain =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '=' | '.' | ',' | '+' | ':');
        if text.is_empty() || !text.chars().all(plain) {
            return false;
        }
        let words: Vec<Field> = text.split_whitespace().map(|w| Field::text(w, Span::default())).collect();
        let Some(name) = words.first().and_then(Field::known) else { return false };
        let Some(program) = self.table.get(&name) else { return false };
        let found = match_words(&program, &words);
        found.filter
            && found.unknowns.is_empty()
            && found.effects.is_empty()
            && found.roles.iter().all(|(role, _)| *role == programs::Role::Text)
    }
}
