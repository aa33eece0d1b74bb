//! Tasks that a project names: targets of make and just, scripts of npm, composer and their kin.
//!
//! What a task runs is read where that can be done. Where it cannot, the project's own code runs, and the task's name is
//! a hint: what is called `deploy` or `publish` leaves the machine, as its author says himself.

use super::recipes::{Recipes, Style};
use crate::context::{Context, Invocation};
use crate::meaning::{Call, opaque, promised, text_of};
use model::{
    AbsPath, Action, Environment, FileKind, Named, Origin, PathTarget, RunFacts, ServiceFacts, Span, Task,
    Verb,
};
use programs::Field;

/// The largest file of tasks that is read, in bytes.
const LIMIT: usize = 256 * 1024;
/// How deep tasks that run tasks are followed.
const DEPTH: u32 = 6;

/// `make TARGET…`: the recipes of the makefile run. Variables given on the command line may hold commands.
pub(super) fn make(cx: &mut Context<'_>, call: &mut Call) {
    if call.found.stop || call.found.dry {
        return;
    }
    let mut targets = Vec::new();
    let mut given: Vec<(String, Option<String>)> = Vec::new();
    for word in call.found.operands.clone() {
        let prefix = word.prefix();
        let Some(text) = word.known().filter(|_| !prefix.contains('=')) else {
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
            given.push((name, word.known().and_then(|t| t.split_once('=').map(|(_, v)| v.to_owned()))));
            continue;
        };
        targets.push(text);
    }
    let plain = !call.has(&["-e", "-p", "-t", "-I --include-dir", "-E"]);
    let file = call.found.value("-f").cloned();
    let recipes = match &file {
        Some(field) => text_at(cx, &cx.path(field)),
        None => makefile(cx),
    };
    let recipes = recipes.map(|text| {
        let mut recipes = Recipes::read(Style::Make, &text);
        for (name, soft) in recipes.names() {
            if call.inv.assignments.iter().any(|(n, _)| *n == name) {
                recipes.set(&name, None);
            } else if soft && let Some(value) = cx.facts.variable(&name) {
                recipes.set(&name, Some(&value));
            }
        }
        for (name, value) in &given {
            recipes.set(name, value.as_deref());
        }
        recipes
    });
    run(cx, call, recipes.as_ref(), &targets, plain && file.is_none());
}

/// `just RECIPE…`: recipes of the justfile run.
pub(super) fn just(cx: &mut Context<'_>, call: &mut Call) {
    if call.found.stop {
        return;
    }
    let words: Vec<Field> = call.found.operands.clone();
    let targets: Vec<String> = words.iter().filter_map(Field::known).collect();
    let plain = targets.len() == words.len() && !targets.iter().any(|t| t.contains('='));
    let listing = call.found.path.is_empty() && lists(call);
    if listing {
        return;
    }
    let recipes = ["justfile", "Justfile", ".justfile"]
        .iter()
        .find_map(|name| text_at(cx, &cx.path_of(name)))
        .map(|text| Recipes::read(Style::Just, &text));
    run(cx, call, recipes.as_ref(), &targets, plain && call.found.value("-f").is_none());
}

/// Whether the command only lists tasks.
fn lists(call: &Call) -> bool {
    let listing =
        ["-l", "--list", "--summary", "--dump", "--list-all", "-a", "-T", "--tasks", "--listsessions"];
    call.found.operands.is_empty() && call.found.options.iter().any(|o| listing.contains(&o.name.as_str()))
}

/// Runs the recipes of these targets. What is not read whole is the project's own code besides.
fn run(cx: &mut Context<'_>, call: &mut Call, recipes: Option<&Recipes>, targets: &[String], plain: bool) {
    let span = call.span();
    let mut understood = false;
    if let Some(recipes) = recipes.filter(|_| cx.depth < DEPTH) {
        let runs = recipes.runs(targets);
        let before = cx.effects.len();
        for line in &runs.lines {
            cx.apart(|cx| cx.run_text(line, span));
        }
        let clear = cx.effects.iter().skip(before).all(model::Effect::understood);
        understood = clear && runs.found;
        if plain && runs.whole && understood {
            return;
        }
        unread(cx, before);
    }
    project_run(cx, call, task_of(targets.first().map(String::as_str)));
    if !understood {
        hints(cx, &call.found.program.clone(), targets, span);
    }
}

/// Takes away the runs that were not understood since `before`: the project's own run stands for them.
fn unread(cx: &mut Context<'_>, before: usize) {
    let mut at = 0;
    cx.effects.retain(|effect| {
        at += 1;
        at <= before
            || effect.understood()
            || matches!(&effect.action, Action::Run(r) if r.origin == Origin::Downloaded)
    });
}

/// The text of the makefile that make takes, unless it is not sure which one that is.
fn makefile(cx: &Context<'_>) -> Option<String> {
    let there =
        |path: &AbsPath| cx.made(path).is_some() || matches!(cx.facts.resolve(path).kind, FileKind::File);
    let dir = cx.cwd()?;
    // Make would make the makefile itself anew from these.
    if ["sh", "c", "o"].iter().any(|end| there(&dir.join(&format!("Makefile.{end}")))) {
        return None;
    }
    for name in ["GNUmakefile", "makefile", "Makefile"] {
        let path = dir.join(name);
        let text = text_at(cx, &PathTarget::Known(path.clone()));
        if text.is_some() || there(&path) {
            return text;
        }
    }
    None
}

fn text_at(cx: &Context<'_>, target: &PathTarget) -> Option<String> {
    text_of(cx, target).filter(|text| text.len() <= LIMIT && !text.contains('\0'))
}

/// `npm run NAME`, `npm test`, `npm start`, and the same of yarn, pnpm and bun: the script with those that run before
/// and after it.
pub(super) fn npm(cx: &mut Context<'_>, call: &mut Call) {
    if call.found.stop {
        return;
    }
    let sub = call.found.path.first().cloned().unwrap_or_default();
    let mut words = call.found.operands.clone();
    if matches!(call.found.program.as_str(), "npx" | "bunx") || matches!(sub.as_str(), "exec" | "dlx" | "x") {
        return by_package(cx, call);
    }
    let name = match sub.as_str() {
        "run" | "run-script" if !words.is_empty() => words.remove(0).known(),
        "" if call.found.program != "npx" && call.found.program != "bunx" && !words.is_empty() => {
            words.remove(0).known()
        }
        "test" | "start" | "stop" | "restart" => Some(sub),
        _ => return,
    };
    let Some(name) = name else { return };
    let text = file_value(cx, "package.json", "scripts").filter(|_| cx.depth < DEPTH);
    let span = call.span();
    let mut understood = false;
    if let Some(script) = text.as_ref().and_then(|s| s.get(&name)?.as_str()).filter(|t| !t.contains('\0')) {
        // What npm runs is a command line with the project's programs before the system's; the words after the script's
        // name are added to it.
        let mut line = script.to_owned();
        let mut plain = true;
        for word in &words {
            match word.known() {
                Some(word) => line.push_str(&format!(" '{}'", word.replace('\'', "'\\''"))),
                None => plain = false,
            }
        }
        let before = cx.effects.len();
        for part in [format!("pre{name}"), String::new(), format!("post{name}")] {
            let other = text.as_ref().and_then(|s| s.get(&part)).and_then(serde_json::Value::as_str);
            let line = if part.is_empty() { Some(line.as_str()) } else { other };
            if let Some(line) = line {
                cx.apart(|cx| cx.run_text(line, span));
            }
        }
        understood = plain && cx.effects.iter().skip(before).all(model::Effect::understood);
        if understood {
            return;
        }
    }
    if !call.found.effects.iter().any(|e| e.kind == model::EffectKind::Run) {
        project_run(cx, call, task_of(Some(&name)));
    }
    if !understood {
        hints(cx, &call.found.program.clone(), &[name], span);
    }
}

/// Tasks of other runners (`rake`, `task`, `tox`, `composer`, `cargo xtask` …): their names are a hint; composer's
/// scripts are read.
pub(super) fn task(cx: &mut Context<'_>, call: &mut Call) {
    if call.found.stop || call.found.dry || lists(call) {
        return;
    }
    let mut names: Vec<String> = ["-s", "-e"]
        .iter()
        .filter_map(|option| {
            call.found.value(option).filter(|_| matches!(call.found.program.as_str(), "nox" | "tox"))
        })
        .filter_map(Field::known)
        .collect();
    // Words of a sub-command that the table does not know are in no list of operands.
    let known = call.found.path.iter().any(|p| !matches!(p.as_str(), "run" | "run-script" | "exec" | "task"));
    if !known {
        let words = call.inv.words.iter().skip(1).filter_map(Field::known);
        names.extend(words.filter(|w| !w.starts_with('-') && !w.contains('=') && !w.contains('/')).take(3));
    }
    let span = call.span();
    if call.found.program == "composer"
        && let Some(name) = names.iter().find(|n| !matches!(n.as_str(), "run" | "run-script" | "exec"))
        && let Some(lines) = composer(cx, name).filter(|_| cx.depth < DEPTH)
    {
        for line in lines {
            cx.apart(|cx| cx.run_text(&line, span));
        }
    }
    hints(cx, &call.found.program.clone(), &names, span);
}

/// The command lines of a script of composer.json; references to other scripts and PHP callbacks are left out.
fn composer(cx: &Context<'_>, name: &str) -> Option<Vec<String>> {
    let scripts = file_value(cx, "composer.json", "scripts")?;
    let script = scripts.get(name)?;
    let lines: Vec<&str> = match script {
        serde_json::Value::String(line) => vec![line],
        serde_json::Value::Array(lines) => lines.iter().filter_map(serde_json::Value::as_str).collect(),
        _ => return None,
    };
    let plain = |line: &&str| !line.starts_with('@') && !line.contains("::") && !line.contains('\0');
    Some(lines.into_iter().filter(plain).take(50).map(str::to_owned).collect())
}

/// `npx PROGRAM…`: what the program of that name does when it is called by itself counts besides its being installed.
fn by_package(cx: &mut Context<'_>, call: &mut Call) {
    let Some(first) = call.found.operands.first().or(call.found.argv.as_ref().and_then(|a| a.first())) else {
        return;
    };
    let Some(text) = first.known() else { return };
    // `@scope/name@1.2`: the program has the name.
    let file = text.rsplit('/').next().unwrap_or_default();
    let name = file.split('@').next().unwrap_or_default().to_owned();
    let words = call.inv.words.iter().skip_while(|word| *word != first).cloned().collect();
    promised(cx, &Invocation { words, ..call.inv.clone() }, &name);
}

fn file_value(cx: &Context<'_>, file: &str, key: &str) -> Option<serde_json::Value> {
    let path = cx.cwd()?.join(file);
    let text = match cx.made(&path) {
        Some(made) => made.text?,
        None if cx.remote.is_some() => return None,
        None => cx.facts.script(&path, LIMIT)?,
    };
    serde_json::from_str::<serde_json::Value>(&text).ok()?.get(key).cloned()
}

fn project_run(cx: &mut Context<'_>, call: &mut Call, task: Task) {
    let facts = RunFacts { program: call.name(), understood: true, why: None, origin: Origin::Project, task };
    cx.emit(Action::Run(facts), call.span());
}

/// The effect that the names of tasks or scripts promise, for those that could not be read.
pub(crate) fn hints(cx: &mut Context<'_>, runner: &str, names: &[String], span: Span) {
    for name in names.iter().filter(|name| promises(name)) {
        let environment = match cx.facts.environment(&Named::Other(name)) {
            known @ (Environment::Production | Environment::LikelyProduction) => known,
            _ => Environment::Unknown,
        };
        let facts = ServiceFacts {
            provider: runner.to_owned(),
            verb: Verb::Unknown,
            resource: name.clone(),
            environment,
            dry_run: false,
        };
        cx.emit(Action::Operate(facts), span);
    }
}

/// Whether a name says that something leaves the machine or is taken down.
fn promises(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let has = |words: &[&str]| parts.iter().any(|p| words.contains(p));
    if has(&[
        "test", "tests", "check", "lint", "dry", "dryrun", "plan", "validate", "preview", "help", "docs",
        "list",
    ]) {
        return false;
    }
    has(&[
        "deploy",
        "deployment",
        "undeploy",
        "redeploy",
        "publish",
        "unpublish",
        "upload",
        "rollout",
        "rollback",
        "promote",
        "ship",
        "destroy",
        "teardown",
        "provision",
    ]) || has(&["release", "push", "prod", "production"])
        && !has(&[
            "build",
            "bundle",
            "compile",
            "notes",
            "changelog",
            "version",
            "start",
            "serve",
            "analyze",
            "install",
        ])
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

    #[test]
    fn names_that_promise() {
        for name in ["deploy", "deploy:prod", "docker-push", "release", "publish.sh", "db_rollback", "Deploy"]
        {
            assert!(promises(name), "{name}");
        }
        for name in
            ["test", "build:prod", "release-notes", "test:deploy", "deployer", "build-release", "pushd"]
        {
            assert!(!promises(name), "{name}");
        }
    }
}
