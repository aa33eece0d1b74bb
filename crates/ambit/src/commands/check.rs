//! `ambit check`: judging calls for programs. Nothing runs, nothing is recorded.

use crate::environment;
use crate::output::print;
use agents::claude_code::tool_from;
use anyhow::{Context as _, Result, bail};
use clap::Args as ClapArgs;
use guard::{Done, Machine, Marks, Overlay, Rails, Reading, Settings, provenance, read_call};
use model::{AbsPath, AsWritten, Facts, Offers, VerdictKind};
use policy::{Judge, Preset, Subject, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Options of `ambit check`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Read one call a line and answer one line each, in order
    #[arg(long)]
    batch: bool,
    /// `standard`, `strict`, or a directory of rules; what is in force here otherwise
    #[arg(long, value_name = "PRESET|DIR")]
    policy: Option<String>,
    /// The project's root, where not the one that holds the current directory
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// The person's home, where not yours
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Concessions to assume: `snapshot`, `contain`
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    offer: Vec<Offer>,
    /// `none` judges without a look at the disk
    #[arg(long, default_value = "machine")]
    facts: FactsOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Offer {
    Snapshot,
    Contain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FactsOf {
    Machine,
    None,
}

/// One call, as Claude Code names tools and inputs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    session: Value,
    cwd: Option<String>,
    tool: String,
    input: Value,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let roots = environment::roots()?;
    let absolute = |p: &PathBuf| -> Result<AbsPath> {
        let text = p.to_str().context("the directory's name is not valid UTF-8")?;
        Ok(environment::current_dir().map_or_else(|_| AbsPath::root().join(text), |d| d.join(text)))
    };
    let home = match &args.home {
        Some(p) => Some(absolute(p)?),
        None => roots.home.clone(),
    };
    let workspace = match &args.workspace {
        Some(p) => absolute(p)?,
        None => guard::workspace_of(&environment::current_dir()?, home.as_ref()),
    };
    let settings = match args.policy.as_deref() {
        None => Settings::load(&roots, &workspace)?,
        Some("standard") => Settings::of(Preset::Standard, None)?,
        Some("strict") => Settings::of(Preset::Strict, None)?,
        Some(dir) if std::path::Path::new(dir).is_dir() => {
            Settings::of(Preset::Standard, Some(std::path::Path::new(dir)))?
        }
        Some(other) => bail!("`{other}` is neither a preset (`standard`, `strict`) nor a directory of rules"),
    };
    let offers = Offers {
        snapshot: args.offer.contains(&Offer::Snapshot),
        contain: args.offer.contains(&Offer::Contain),
    };
    // Every state that a session's exposure can be in has its own series of questions, asked once each.
    let subjects: Vec<Subject> = (0..4u8)
        .map(|bits| Subject {
            agent: "claude-code".to_owned(),
            sandbox: offers.contain,
            untrusted_seen: bits & 1 != 0,
            sensitive_read: bits & 2 != 0,
            attended: true,
            ..Subject::default()
        })
        .collect();
    let groups = settings.config.groups();
    let judges = subjects.iter().map(|s| settings.policy.begin(s, &groups, &[])).collect();
    let rails = Rails::new(roots.own(), home.as_ref());
    let mut checker = Checker {
        settings: &settings,
        workspace,
        home,
        offers,
        machine: args.facts == FactsOf::Machine,
        rails: &rails,
        judges,
        sessions: HashMap::new(),
    };
    if args.batch { checker.batch() } else { checker.one() }
}

struct Checker<'a> {
    settings: &'a Settings,
    workspace: AbsPath,
    home: Option<AbsPath>,
    offers: Offers,
    machine: bool,
    rails: &'a Rails,
    judges: Vec<Judge<'a>>,
    sessions: HashMap<String, Done>,
}

impl Checker<'_> {
    fn one(&mut self) -> Result<ExitCode> {
        let text = std::io::read_to_string(std::io::stdin().lock())?;
        let (answer, kind) = self.answer(text.trim(), 1)?;
        print(&format!("{answer}\n"));
        Ok(ExitCode::from(u8::from(kind > VerdictKind::Contain)))
    }

    fn batch(&mut self) -> Result<ExitCode> {
        let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        for (number, text) in std::io::stdin().lock().lines().enumerate() {
            let text = text?;
            if text.trim().is_empty() {
                continue;
            }
            let (answer, _) = self.answer(&text, number + 1)?;
            serde_json::to_writer(&mut out, &answer)?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }

    fn answer(&mut self, text: &str, number: usize) -> Result<(Value, VerdictKind)> {
        let line: Line = serde_json::from_str(text).with_context(|| {
            format!("line {number} is not a call; write {{\"id\",\"session\",\"cwd\",\"tool\",\"input\"}} with `tool` and `input` as Claude Code names them")
        })?;
        let cwd = line.cwd.as_deref().map_or_else(|| self.workspace.clone(), |c| self.workspace.join(c));
        let session = line.session.to_string();
        let done = self.sessions.entry(session).or_default();
        let tool = tool_from(&line.tool, &line.input);
        let variables = |name: &str| if self.machine { environment::variable(name) } else { None };
        let read = |facts: &dyn Facts| {
            let facts = Overlay { facts, done };
            read_call(&tool, &cwd, &facts, &self.settings.table, &self.settings.config)
        };
        let reading = if self.machine {
            let config = &self.settings.config;
            read(&Machine::new(
                self.workspace.clone(),
                self.home.clone(),
                config,
                None,
                self.rails,
                &variables,
            ))
        } else {
            let home = self.home.clone().unwrap_or_else(AbsPath::root);
            read(&Written {
                facts: AsWritten::new(self.workspace.clone(), home),
                rails: self.rails,
                settings: self.settings,
            })
        };
        let exposure = usize::from(done.own().has(Marks::UNTRUSTED_SEEN))
            | usize::from(done.own().has(Marks::SENSITIVE_READ)) << 1;
        let judge = self.judges.get_mut(exposure).context("no judge for this exposure")?;
        let verdict = judge.judge(&reading.effects, self.offers)?;
        if verdict.kind() != VerdictKind::Deny {
            done.add(provenance(&reading));
        }
        Ok((render(&line.id, &reading, &verdict), verdict.kind()))
    }
}

fn render(id: &Value, reading: &Reading, verdict: &Verdict) -> Value {
    let effects: Vec<Value> = reading
        .effects
        .iter()
        .map(|e| {
            let mut out = json!({
                "kind": e.kind().word(),
                "surface": e.kind().surface().word(),
                "target": e.action.target(),
                "understood": e.understood(),
                "span": e.span.map(|s| [s.from, s.to]),
            });
            if let (model::Action::Run(r), Some(map)) = (&e.action, out.as_object_mut())
                && let Some(why) = &r.why
            {
                map.insert("why".to_owned(), json!(why));
            }
            out
        })
        .collect();
    json!({
        "id": id,
        "verdict": verdict.kind().word(),
        "snapshot": verdict.snapshot(),
        "rule": verdict.rule(),
        "reason": guard::reason(verdict, reading),
        "effects": effects,
        "needs": if verdict.needs().approvals > 0 { json!(verdict.needs()) } else { Value::Null },
        "instead": verdict.instead(),
    })
}

/// Facts as written, with what the organisation's configuration says.
struct Written<'a> {
    facts: AsWritten,
    rails: &'a Rails,
    settings: &'a Settings,
}

impl Facts for Written<'_> {
    fn workspace(&self) -> &AbsPath {
        self.facts.workspace()
    }
    fn home(&self) -> Option<&AbsPath> {
        self.facts.home()
    }
    fn resolve(&self, path: &AbsPath) -> model::Resolved {
        self.facts.resolve(path)
    }
    fn git_state(&self, path: &AbsPath) -> model::GitState {
        self.facts.git_state(path)
    }
    fn git_config(&self, dir: &AbsPath) -> model::GitConfig {
        self.facts.git_config(dir)
    }
    fn tree_size(&self, path: &AbsPath) -> Option<model::TreeSize> {
        self.facts.tree_size(path)
    }
    fn made_by_session(&self, _path: &AbsPath) -> bool {
        false
    }
    fn downloaded_by_session(&self, _path: &AbsPath) -> bool {
        false
    }
    fn script(&self, path: &AbsPath, limit: usize) -> Option<String> {
        self.facts.script(path, limit)
    }
    fn variable(&self, name: &str) -> Option<String> {
        self.facts.variable(name)
    }
    fn environment(&self, named: &model::Named<'_>) -> model::Environment {
        self.settings.config.environment(named)
    }
    fn protected_branch(&self, branch: &str) -> bool {
        self.settings.config.protected_branch(branch)
    }
    fn allowed_host(&self, host: &model::Host) -> bool {
        self.settings.config.allowed_host(host)
    }
    fn is_credential(&self, path: &AbsPath) -> bool {
        self.settings.config.is_credential(path.as_str())
    }
    fn is_guard_rail(&self, path: &AbsPath) -> bool {
        self.rails.holds(path)
    }
}
