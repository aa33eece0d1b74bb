//! `ambit explain`: the command with each effect at its place, the rule that decides, and what would make it pass.

use crate::environment;
use crate::output::{line, print, style};
use agents::claude_code::tool_from;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anyhow::{Context as _, Result, bail};
use clap::Args as ClapArgs;
use guard::{Machine, Rails, Reading, Settings, read_call, visible};
use model::{Action, Effect, Offers, Tool, VerdictKind};
use policy::{Subject, Verdict};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

/// Options of `ambit explain`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The command, as an agent would give it to its shell
    #[arg(required_unless_present = "call")]
    command: Option<String>,
    /// A call of any tool as JSON: {"tool","input"} as Claude Code names them, or a captured hook payload
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    call: Option<PathBuf>,
    /// Concessions to assume instead of those that this machine can make: `snapshot`, `contain`, or `none`
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    offer: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let roots = environment::roots()?;
    let mut cwd = environment::current_dir()?;
    let tool = match (&args.command, &args.call) {
        (Some(command), _) => Tool::Shell { command: command.clone(), background: false },
        (None, Some(file)) => {
            let text = fs_err::read_to_string(file)?;
            let value: serde_json::Value = serde_json::from_str(&text)
                .with_context(|| format!("`{}` is not valid JSON", file.display()))?;
            let name = value.get("tool").or_else(|| value.get("tool_name")).and_then(|v| v.as_str());
            let input = value.get("input").or_else(|| value.get("tool_input"));
            let (Some(name), Some(input)) = (name, input) else {
                bail!(
                    "`{}` holds no call; it needs `tool` and `input` (or `tool_name` and `tool_input`)",
                    file.display()
                );
            };
            if let Some(dir) = value.get("cwd").and_then(|v| v.as_str()) {
                cwd = cwd.join(dir);
            }
            tool_from(name, input)
        }
        (None, None) => bail!("give a command, or --call FILE"),
    };
    let workspace = guard::workspace_of(&cwd, roots.home.as_ref());
    let settings = Settings::load(&roots, &workspace)?;
    let rails = Rails::new(roots.own(), roots.home.as_ref());
    let variables = |name: &str| environment::variable(name);
    let machine =
        Machine::new(workspace.clone(), roots.home.clone(), &settings.config, None, &rails, &variables);
    let mut reading = read_call(&tool, &cwd, &machine, &settings.table, &settings.config);
    guard::lending(&mut reading, &settings.config.secrets, &roots.state, jiff::Timestamp::now());
    let offers = if args.offer.is_empty() {
        Offers { snapshot: true, contain: crate::sandbox::holds(&roots) }
    } else {
        offers(&args.offer)?
    };
    let judge = |offers: Offers| -> Result<Verdict> {
        let subject = Subject {
            agent: "claude-code".to_owned(),
            sandbox: offers.contain,
            attended: true,
            ..Subject::default()
        };
        Ok(settings.policy.judge(&subject, &reading.effects, offers, &settings.config.groups(), &[])?)
    };
    let verdict = judge(offers)?;
    show(&tool, &reading, &verdict);
    for notice in &settings.notices {
        line(style::paint(style::WARNING, &format!("note: {notice}")));
    }
    if verdict.kind() > VerdictKind::Contain {
        passing(&judge, &verdict)?;
    }
    Ok(ExitCode::from(u8::from(verdict.kind() > VerdictKind::Contain)))
}

fn offers(words: &[String]) -> Result<Offers> {
    let mut out = Offers::default();
    for word in words {
        match word.as_str() {
            "snapshot" => out.snapshot = true,
            "contain" => out.contain = true,
            "none" => {}
            other => bail!("`{other}` cannot be offered; `snapshot`, `contain` and `none` can"),
        }
    }
    Ok(out)
}

/// What the effect does, in a few words.
fn words(effect: &Effect) -> String {
    let target = visible(&effect.action.target());
    let mut text = match &effect.action {
        Action::Run(r) if !r.understood => {
            format!(
                "runs {target}: not understood{}",
                r.why.as_ref().map(|w| format!(", {}", visible(w))).unwrap_or_default()
            )
        }
        Action::Delete(p) => match &p.size {
            Some(size) => format!(
                "delete {target} ({}{} files{})",
                if size.at_least { "at least " } else { "" },
                size.files,
                size.not_in_git
                    .filter(|n| *n > 0)
                    .map(|n| format!(", {n} of them not in git"))
                    .unwrap_or_default()
            ),
            None => format!("delete {target}"),
        },
        other => format!("{} {target}", other.kind().word()),
    };
    if let Some(remote) = &effect.remote {
        text.push_str(&format!(" on {}", remote.name));
    }
    text
}

fn show(tool: &Tool, reading: &Reading, verdict: &Verdict) {
    let level = match verdict.kind() {
        VerdictKind::Allow => Level::NOTE.with_name("allow"),
        VerdictKind::Contain => Level::INFO.with_name("contain"),
        VerdictKind::Ask => Level::WARNING.with_name("ask"),
        VerdictKind::Deny => Level::ERROR.with_name("deny"),
    };
    let title = guard::reason(verdict, reading);
    let mut group = Group::with_title(level.primary_title(title.as_str()));
    let mut source = String::new();
    let mut notes: Vec<(Range<usize>, AnnotationKind, String)> = Vec::new();
    if let Tool::Shell { command, .. } = tool {
        let (shown, place) = shown_with_places(command);
        source = shown;
        // Effects of one place are one annotation, so that a long command stays legible.
        let mut places: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (at, effect) in reading.effects.iter().enumerate() {
            let span = effect.span.map_or(0..command.len(), |s| s.from as usize..s.to as usize);
            let (from, to) = (place(span.start), place(span.end));
            places.entry((from, to)).or_default().push(at);
        }
        for ((from, to), effects) in places {
            let label = effects
                .iter()
                .filter_map(|at| reading.effects.get(*at))
                .map(words)
                .collect::<Vec<_>>()
                .join("; ");
            let deciding = verdict.deciding().is_some_and(|d| effects.contains(&d));
            let kind = if deciding { AnnotationKind::Primary } else { AnnotationKind::Context };
            notes.push((from..to.max(from), kind, label));
        }
    } else {
        for effect in &reading.effects {
            notes.push((0..0, AnnotationKind::Context, words(effect)));
        }
    }
    if !source.is_empty() {
        let mut snippet = Snippet::source(source.as_str()).path("command").fold(true);
        for (range, kind, label) in &notes {
            snippet = snippet.annotation(kind.span(range.clone()).label(label.as_str()));
        }
        group = group.element(snippet);
    }
    let mut rule = format!("rule `{}` ({})", verdict.rule(), verdict.layer().word());
    if verdict.snapshot() {
        rule.push_str(", after a snapshot of what would be lost");
    }
    group = group.element(Level::NOTE.message(rule.as_str()));
    let instead = verdict.instead().map(visible);
    if let Some(instead) = &instead {
        group = group.element(Level::HELP.message(instead.as_str()));
    }
    let canonical =
        reading.canonical.as_ref().filter(|c| matches!(tool, Tool::Shell { command, .. } if command != *c));
    let canonical = canonical.map(|c| format!("as understood: {c}"));
    if let Some(canonical) = &canonical {
        group = group.element(Level::NOTE.message(canonical.as_str()));
    }
    for warning in &reading.warnings {
        group = group.element(Level::WARNING.message(warning.as_str()));
    }
    let renderer = if anstream::AutoStream::choice(&std::io::stdout()) == anstream::ColorChoice::Never {
        Renderer::plain()
    } else {
        Renderer::styled()
    };
    print(&renderer.render(&[group]));
    line("");
    if source.is_empty() {
        for (_, _, label) in &notes {
            line(format!("  effect: {label}"));
        }
    }
}

/// The command with hidden characters made visible, and a map from its bytes to the shown ones.
fn shown_with_places(command: &str) -> (String, impl Fn(usize) -> usize) {
    let mut shown = String::new();
    let mut places = Vec::with_capacity(command.len() + 1);
    for c in command.chars() {
        for _ in 0..c.len_utf8() {
            places.push(shown.len());
        }
        shown.push_str(&visible(c.encode_utf8(&mut [0; 4])));
    }
    places.push(shown.len());
    let end = shown.len();
    (shown, move |byte| places.get(byte).copied().unwrap_or(end))
}

/// What would make it pass.
fn passing(judge: &dyn Fn(Offers) -> Result<Verdict>, verdict: &Verdict) -> Result<()> {
    for (offers, words) in [
        (Offers { snapshot: true, contain: false }, "with a snapshot of what would be lost"),
        (Offers { snapshot: false, contain: true }, "contained in a sandbox"),
        (Offers { snapshot: true, contain: true }, "contained, with a snapshot of what would be lost"),
    ] {
        if judge(offers)?.kind() <= VerdictKind::Contain {
            line(format!("it would pass {words}"));
            break;
        }
    }
    if verdict.kind() == VerdictKind::Ask {
        line(format!("it would pass with the consent of: {}", verdict.needs().approvers.join(" and ")));
    } else {
        line("no consent makes it pass; the rule would have to change");
    }
    Ok(())
}
