//! Tasks that a project names: recipes of make, scripts of npm and its kin.

use crate::context::Context;
use crate::meaning::{Call, opaque};
use model::{Action, Origin, RunFacts, Task};
use programs::Field;

/// `make TARGET…`: the project's own build file runs. Variables given on the command line may hold commands.
pub(super) fn make(cx: &mut Context<'_>, call: &mut Call) {
    if call.found.stop || call.found.dry {
        return;
    }
    for word in call.found.operands.clone() {
        let prefix = word.prefix();
        if prefix.contains('=') || word.known().is_none() {
            let name = prefix.split(['=', '+', ':', '?']).next().unwrap_or_default().to_owned();
            // A recipe may run what a variable names, and make itself runs `$(shell …)` in a value.
            if word.known().is_none()
                || matches!(name.as_str(), "SHELL" | "MAKEFLAGS" | "CC" | "CXX" | "LD" | "MAKEFILES")
                || word.shown().contains("$(")
            {
                let why = format!("`{}` may change which programs `make` runs", word.shown());
                opaque(cx, call, why, Origin::Unknown, word.span);
                return;
            }
        }
    }
    if call.found.effects.iter().any(|e| e.kind == model::EffectKind::Run) {
        return;
    }
    let names: Vec<String> = call.found.operands.iter().map(Field::shown).collect();
    project_run(cx, call, task_of(names.first().map(String::as_str)));
}

/// `npm run NAME`, `npm test`, `npm start`, and the same of yarn, pnpm and bun.
pub(super) fn npm(cx: &mut Context<'_>, call: &mut Call) {
    if call.found.stop {
        return;
    }
    let sub = call.found.path.first().cloned().unwrap_or_default();
    let name = match sub.as_str() {
        "run" | "run-script" => call.found.operands.first().and_then(Field::known),
        "test" | "start" | "stop" | "restart" => Some(sub),
        _ => return,
    };
    let Some(name) = name else { return };
    if let Some(text) = script_text(cx, &name)
        && !text.contains('\0')
    {
        // What npm runs is a command line with the project's programs before the system's.
        let span = call.span();
        let before = cx.effects.len();
        cx.apart(|cx| cx.run_text(&text, span));
        let foreign = cx.effects.iter().skip(before).any(|e| !e.understood());
        if !foreign {
            return;
        }
    }
    if call.found.effects.iter().any(|e| e.kind == model::EffectKind::Run) {
        return;
    }
    project_run(cx, call, task_of(Some(&name)));
}

fn script_text(cx: &Context<'_>, name: &str) -> Option<String> {
    let dir = cx.cwd()?;
    if cx.remote.is_some() {
        return None;
    }
    let text = cx.facts.script(&dir.join("package.json"), 256 * 1024)?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    package.get("scripts")?.get(name)?.as_str().map(str::to_owned)
}

fn project_run(cx: &mut Context<'_>, call: &mut Call, task: Task) {
    let facts = RunFacts { program: call.name(), understood: true, why: None, origin: Origin::Project, task };
    cx.emit(Action::Run(facts), call.span());
}

/// What a task is for, by its name.
fn task_of(name: Option<&str>) -> Task {
    let name = name.unwrap_or("build").to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|p| name.contains(p));
    if has(&["deploy", "release", "publish", "prod", "install", "migrate"]) {
        Task::Other
    } else if has(&["lint", "fmt", "format", "typecheck", "type-check", "check-types"]) {
        Task::Lint
    } else if has(&["test", "check", "spec", "coverage"]) {
        Task::Test
    } else if has(&["build", "all", "compile", "bundle", "dist"]) {
        Task::Build
    } else if has(&["start", "dev", "serve", "run"]) {
        Task::Start
    } else {
        Task::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_by_name() {
        assert_eq!(task_of(Some("test:unit")), Task::Test);
        assert_eq!(task_of(Some("lint")), Task::Lint);
        assert_eq!(task_of(None), Task::Build);
        assert_eq!(task_of(Some("deploy-test")), Task::Other);
    }
}
