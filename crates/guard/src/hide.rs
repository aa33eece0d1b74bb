//! Live credentials kept from the model: hidden in what tools give back, stopped in prompts and in what the agent writes,
//! put back where an edited file held them.

use crate::flow::{Guard, GuardError, mode_word};
use crate::readers::Reading;
use crate::roots::Roots;
use crate::session::SessionError;
use crate::settings::Settings;
use agents::{Answer, Context, Event, Report};
use ledger::{Durability, Kind, Record};
use model::{AbsPath, Action, Origin, PathTarget, Task, Tool, ToolCall};
use policy::Mode;
use secrets::{
    BUDGET, Found, Known, Redactor, Scanner, Store, Surroundings, Vault, placeholders, redact, restore,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The rule's name for what an agent would write, send or say.
const IN_INPUT: &str = "secret-in-input";
/// The rule's name for a placeholder where the value may not go.
const PLACEHOLDER: &str = "secret-placeholder";
/// Files of the project whose values are known to be secret.
const OF_PROJECT: [&str; 6] =
    [".env", ".env.local", ".env.development", ".env.production", ".env.test", ".npmrc"];
/// Files of the person whose values are known to be secret.
const OF_HOME: [&str; 9] = [
    ".aws/credentials",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".config/gh/hosts.yml",
    ".docker/config.json",
    ".kube/config",
    ".cargo/credentials.toml",
];
/// Longest file that is looked into for known values, in bytes.
const LONGEST: u64 = 1 << 20;
/// Fields of a tool's input or answer that name a file: they are no content.
const NAMES: [&str; 5] = ["file_path", "filePath", "path", "notebook_path", "tool_use_id"];

/// Programs that print names and numbers of files, not what is in them.
const ONLY_NAMES: [&str; 14] = [
    "ls", "find", "stat", "du", "tree", "wc", "file", "test", "cd", "pwd", "which", "basename", "dirname",
    "realpath",
];
/// Commands of git that print what is in files.
const OF_GIT: [&str; 12] = [
    "show",
    "log",
    "diff",
    "grep",
    "blame",
    "annotate",
    "cat-file",
    "stash",
    "archive",
    "format-patch",
    "range-diff",
    "reflog",
];

/// Whether a command has a part in the background that outlives it.
fn leaves_something_running(command: &str) -> bool {
    let words = ["nohup", "setsid", "disown", "daemonize"];
    command.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| words.contains(&w))
        || command.match_indices('&').any(|(at, _)| {
            let around = |c: Option<char>| matches!(c, Some('&' | '>' | '<'));
            let before = command.get(..at).and_then(|s| s.chars().next_back());
            let after = command.get(at + 1..).and_then(|s| s.chars().next());
            !around(before) && !around(after) && before != Some('\\')
        })
}

/// What hiding needs, for a process that stands between a command and the agent.
pub struct Filter(Hider);

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Filter(..)")
    }
}

impl Filter {
    /// For the output of a command in this project.
    ///
    /// # Errors
    /// [`GuardError`] when the key or the values that are known cannot be read: then nothing may be passed on.
    pub fn open(roots: &Roots, workspace: &AbsPath) -> Result<Self, GuardError> {
        Ok(Self(Hider::open(roots, Some(workspace))?))
    }

    /// The same, that hides these values too wherever they stand, each under a word for its kind: values that a command
    /// is lent as they are.
    ///
    /// # Errors
    /// [`GuardError`] when the values that are known cannot be read, or one of these is too short or common to be told
    /// from other text: then the command must not have it.
    pub fn knowing<'v>(
        mut self,
        roots: &Roots,
        workspace: &AbsPath,
        values: impl Iterator<Item = (&'v str, &'v [u8])>,
    ) -> Result<Self, GuardError> {
        let mut values = values.peekable();
        if values.peek().is_none() {
            return Ok(self);
        }
        let before = content(&known_file(roots, workspace)).map_err(io)?;
        let before = before.and_then(|bytes| Known::from_bytes(self.0.store.key(), &bytes));
        let mut known = before.unwrap_or_else(|| Known::new(self.0.store.key()));
        for (kind, value) in values {
            known.add(kind, value, false).map_err(|e| {
                broken(format!("secret://{kind} cannot be lent by the environment, because it could not be hidden in what the command prints: {e}"))
            })?;
        }
        self.0.scanner = self.0.scanner.with_known(Arc::new(known));
        Ok(self)
    }

    /// A redactor for one stream.
    #[must_use]
    pub fn redactor(&self) -> Redactor<'_> {
        Redactor::new(self.0.scanner.clone(), self.0.store.key())
    }

    /// A record without a live credential in it.
    #[must_use]
    pub fn clean(&self, record: Record) -> Record {
        record.map_texts(&mut |text| {
            if text.len() < secrets::SHORTEST {
                return None;
            }
            match redact(text.as_bytes(), &self.0.scanner, self.0.store.key(), &mut Vault::new(), BUDGET) {
                Ok(hidden) if hidden.found.is_empty() => None,
                Ok(hidden) => Some(String::from_utf8_lossy(&hidden.text).into_owned()),
                Err(withheld) => Some(withheld.to_string()),
            }
        })
    }

    /// Keeps what was hidden, so that it finds its way back into the file it came from.
    ///
    /// # Errors
    /// [`GuardError`] when it cannot be kept; the placeholders stay placeholders then.
    pub fn keep(&self, vault: &Vault) -> Result<(), GuardError> {
        self.0.store.add(vault).map_err(broken)
    }
}

/// What hiding needs: the key, the values that are known, and those behind placeholders.
struct Hider {
    store: Store,
    scanner: Scanner,
}

fn io(e: std::io::Error) -> GuardError {
    GuardError::Session(SessionError::Io(e))
}

fn broken(why: impl ToString) -> GuardError {
    io(std::io::Error::other(why.to_string()))
}

/// What a file holds; `None` if there is none.
fn content(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    match File::open(path) {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(BUDGET as u64).read_to_end(&mut bytes).map(|_| Some(bytes))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Replaces a file whole, for its owner alone.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        fs_err::create_dir_all(dir)?;
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    fs_err::rename(&new, path)
}

/// Where what is known of a project's secrets is kept: keyed hashes.
fn known_file(roots: &Roots, workspace: &AbsPath) -> PathBuf {
    roots.state.join("known").join(crate::session::name_of(workspace.as_str()))
}

impl Hider {
    fn open(roots: &Roots, workspace: Option<&AbsPath>) -> Result<Self, GuardError> {
        let store = Self::store(roots)?;
        let mut scanner = Scanner::new();
        let known = workspace.map(|w| content(&known_file(roots, w))).transpose().map_err(io)?.flatten();
        if let Some(known) = known.and_then(|b| Known::from_bytes(store.key(), &b)).filter(|k| !k.is_empty())
        {
            scanner = scanner.with_known(Arc::new(known));
        }
        Ok(Self { store, scanner })
    }

    fn store(roots: &Roots) -> Result<Store, GuardError> {
        Store::open(&roots.state.join("secrets")).map_err(broken)
    }

    /// All strings of a JSON value that are content, each with its secrets hidden; what was found.
    fn hide(&self, value: &mut Value, scanner: &Scanner, vault: &mut Vault) -> Vec<Found> {
        let mut found = Vec::new();
        visit(value, &mut |text| match redact(text.as_bytes(), scanner, self.store.key(), vault, BUDGET) {
            Ok(hidden) if hidden.found.is_empty() => {}
            Ok(hidden) => {
                *text = String::from_utf8_lossy(&hidden.text).into_owned();
                found.extend(hidden.found);
            }
            // What cannot be looked through in time is not passed on.
            Err(withheld) => *text = withheld.to_string(),
        });
        found
    }
}

/// Goes through all strings of a JSON value that are content.
fn visit(value: &mut Value, f: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => f(text),
        Value::Array(list) => list.iter_mut().for_each(|v| visit(v, f)),
        Value::Object(map) => {
            map.iter_mut().filter(|(name, _)| !NAMES.contains(&name.as_str())).for_each(|(_, v)| visit(v, f));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The kinds of what was found, each once.
fn kinds(found: &[Found]) -> Vec<String> {
    found.iter().map(|f| f.kind.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The file that an edit or a write changes, and what is in it.
fn changed_file(call: &ToolCall) -> Option<(AbsPath, Vec<u8>)> {
    let (Tool::EditFile { path, .. } | Tool::WriteFile { path, .. }) = &call.tool else { return None };
    let path = call.cwd.join(path);
    let bytes = content(path.as_std()).ok().flatten().unwrap_or_default();
    Some((path, bytes))
}

fn holds(file: &[u8], value: &[u8]) -> bool {
    memchr::memmem::find(file, value).is_some()
}

/// What becomes of an event before it is judged.
pub(crate) enum Before {
    /// It is judged as it is.
    Nothing,
    /// It is answered.
    Answered(Answer),
    /// It is judged, and if it is let through it runs with this input.
    Restored(Value),
}

impl Guard<'_> {
    fn hider(&self, context: &Context) -> Result<Hider, GuardError> {
        Hider::open(self.roots, Some(&self.workspace(context)))
    }

    /// Looks again at the files that hold secrets, if one is newer than what is known of them. Only keyed hashes are kept.
    fn learn(&self, context: &Context) -> Result<(), GuardError> {
        let workspace = self.workspace(context);
        let target = known_file(self.roots, &workspace);
        let files: Vec<PathBuf> = OF_PROJECT
            .iter()
            .map(|name| workspace.join(name))
            .chain(self.roots.home.iter().flat_map(|home| OF_HOME.iter().map(|name| home.join(name))))
            .map(|path| path.as_std().to_owned())
            .collect();
        let changed = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
        let since = changed(&target).unwrap_or(SystemTime::UNIX_EPOCH);
        if !files.iter().filter_map(|f| changed(f)).any(|at| at >= since) {
            return Ok(());
        }
        let mut known = Known::new(Hider::store(self.roots)?.key());
        for file in &files {
            let small = std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.len() <= LONGEST);
            if let Some(text) = small.then(|| content(file).ok().flatten()).flatten() {
                // What stands in texts by chance is left out: hiding it would hide half of them.
                known.harvest(&text);
            }
        }
        write_whole(&target, &known.to_bytes()).map_err(io)
    }

    /// Looks at an event before it is judged.
    pub(crate) fn before(&self, report: &Report) -> Result<Before, GuardError> {
        let context = &report.context;
        match &report.event {
            Event::SessionStart { .. } => {
                self.learn(context)?;
                Ok(Before::Nothing)
            }
            Event::Prompt { text } => {
                self.learn(context)?;
                self.prompt(context, text)
            }
            Event::Proposed(call) => match &report.raw {
                Some(raw) => self.input(context, call, raw),
                None => Ok(Before::Nothing),
            },
            _ => Ok(Before::Nothing),
        }
    }

    fn mode(&self, context: &Context) -> Result<Mode, GuardError> {
        Ok(Settings::load(self.roots, &self.workspace(context))?.mode())
    }

    /// A prompt with a live credential is not sent: the agent's hook cannot rewrite it.
    fn prompt(&self, context: &Context, text: &str) -> Result<Before, GuardError> {
        let hider = self.hider(context)?;
        let findings = hider.scanner.scan(text.as_bytes());
        if !findings.iter().any(secrets::Finding::blocks) {
            return Ok(Before::Nothing);
        }
        let mut vault = Vault::new();
        let hidden =
            redact(text.as_bytes(), &hider.scanner, hider.store.key(), &mut vault, BUDGET).map_err(broken)?;
        let clean = String::from_utf8_lossy(&hidden.text).into_owned();
        let what = kinds(&hidden.found).join(", ");
        if self.mode(context)? == Mode::Observe {
            return Ok(Before::Nothing);
        }
        let record = self
            .begin(Kind::PROMPT, context)
            .with("verdict", "deny")
            .with("rule", IN_INPUT)
            .with("hidden", kinds(&hidden.found))
            .seal("text", clean.as_str());
        self.note(&record, Durability::Durable)?;
        let reason = format!(
            "Ambit did not send this: it holds a live credential ({what}).\n\
             The same text without it:\n\n{clean}\n\n\
             To let a program use the credential without the agent seeing it: `ambit secrets set NAME`, then write secret://NAME. \
             What was typed may stand in the terminal's history: change the credential if others can read that."
        );
        Ok(Before::Answered(Answer::Deny { reason, notice: None }))
    }

    /// What the agent writes, runs, sends or asks: no live credential in it, unless the file that it edits holds that
    /// very value; and placeholders only where the file that is edited holds what they stand for.
    fn input(&self, context: &Context, call: &ToolCall, raw: &Value) -> Result<Before, GuardError> {
        let mut texts: Vec<String> = Vec::new();
        visit(&mut raw.clone(), &mut |text| texts.push(text.clone()));
        if texts.iter().all(|text| text.len() < secrets::SHORTEST) {
            return Ok(Before::Nothing);
        }
        let hider = self.hider(context)?;
        let mut file = None;
        let mut in_file = |value: &[u8]| {
            let file = file.get_or_insert_with(|| changed_file(call));
            file.as_ref().is_some_and(|(_, bytes)| holds(bytes, value))
        };
        let mut live = BTreeSet::new();
        for text in &texts {
            for finding in hider.scanner.scan(text.as_bytes()).iter().filter(|f| f.blocks()) {
                let value = text.as_bytes().get(finding.span.clone()).unwrap_or_default();
                if !in_file(value) {
                    live.insert(finding.kind.to_string());
                }
            }
        }
        if !live.is_empty() {
            let what = live.iter().cloned().collect::<Vec<_>>().join(", ");
            let reason = format!(
                "Ambit stopped this: the input holds a live credential ({what}).\n  rule: {IN_INPUT} (guard)\n  \
                 instead: write secret://NAME where a program needs it, after the person has run `ambit secrets set NAME`; in \
                 tests and documentation write a value that says it is an example\n\
                 Nothing was run. Do not write the credential in another spelling."
            );
            return self.stopped(context, call, raw, IN_INPUT, live.into_iter().collect(), reason);
        }
        let named: Vec<&str> = texts.iter().flat_map(|text| placeholders(text.as_bytes())).collect();
        if named.is_empty() {
            return Ok(Before::Nothing);
        }
        // Where what was kept cannot be opened any more, placeholders stay what they are.
        let vault = hider.store.vault().unwrap_or_default();
        let foreign: BTreeSet<&str> =
            named.iter().copied().filter(|p| !vault.value(p).is_some_and(&mut in_file)).collect();
        if foreign.is_empty() {
            let mut restored = raw.clone();
            visit(&mut restored, &mut |text| {
                *text = String::from_utf8_lossy(&restore(text.as_bytes(), &vault).text).into_owned();
            });
            return Ok(Before::Restored(restored));
        }
        let which = foreign.iter().copied().collect::<Vec<_>>().join(", ");
        let writes = matches!(call.tool, Tool::EditFile { .. } | Tool::WriteFile { .. });
        let why = if writes {
            "the file that would be changed does not hold what it stands for"
        } else {
            "it stands for a credential that you do not have, and is worth nothing to a program"
        };
        let reason = format!(
            "Ambit stopped this: {which} is a placeholder, and {why}.\n  rule: {PLACEHOLDER} (guard)\n  \
             instead: write secret://NAME where a program needs the credential, and ask the person to run `ambit secrets set NAME`; \
             leave placeholders as they are in the file they came from\nNothing was run."
        );
        self.stopped(context, call, raw, PLACEHOLDER, Vec::new(), reason)
    }

    /// A call that is stopped before policy is asked.
    fn stopped(
        &self,
        context: &Context,
        call: &ToolCall,
        raw: &Value,
        rule: &str,
        kinds: Vec<String>,
        reason: String,
    ) -> Result<Before, GuardError> {
        if self.mode(context)? == Mode::Observe {
            // Only what policy says is recorded there, and nothing is stopped.
            return Ok(Before::Nothing);
        }
        let record = self
            .of_call(Kind::DECISION, context, call)
            .with("verdict", "deny")
            .with("rule", rule)
            .with("layer", "guard")
            .with("mode", mode_word(Mode::Enforce))
            .with("attended", self.attended)
            .with("effects", Value::Array(Vec::new()))
            .with("hidden", kinds)
            .seal("targets", Value::Array(Vec::new()))
            .seal("cwd", call.cwd.as_str())
            .seal("input", raw.clone())
            .seal("reason", reason.as_str());
        self.note(&record, Durability::Durable)?;
        Ok(Before::Answered(Answer::Deny { reason, notice: None }))
    }

    /// Looks at what a tool gave back, and hides what is secret in it where the agent lets results be rewritten.
    pub(crate) fn after(&self, report: &Report, answer: Answer) -> Result<Answer, GuardError> {
        let Event::Ended(call, outcome) = &report.event else { return Ok(answer) };
        let context = &report.context;
        if !outcome.ok {
            return self.failed(context, call, outcome.error.as_deref(), answer);
        }
        let Some(response) = &report.response else { return Ok(answer) };
        let hider = self.hider(context)?;
        let scanner = match &call.tool {
            Tool::ReadFile { path } => {
                hider.scanner.clone().in_surroundings(Surroundings::of_path(call.cwd.join(path).as_str()))
            }
            _ => hider.scanner.clone(),
        };
        let (mut output, mut vault) = (response.clone(), Vault::new());
        let found = hider.hide(&mut output, &scanner, &mut vault);
        if output == *response || self.mode(context)? == Mode::Observe {
            return Ok(answer);
        }
        hider.store.add(&vault).map_err(broken)?;
        let record = self.of_call(Kind::SECRET_HIDDEN, context, call);
        self.note(&record.with("kinds", kinds(&found)).with("count", found.len()), Durability::Relaxed)?;
        let context = match answer {
            Answer::Tell { context } => Some(context),
            _ => None,
        };
        Ok(Answer::Hide { output, context })
    }

    /// Whether a command may print content that nobody has looked through: then Ambit stands between it and the agent,
    /// because this agent lets no hook change what a failed command printed. A command that leaves something running
    /// behind goes without: its output would end with it.
    pub(crate) fn prints(
        &self,
        context: &Context,
        call: &ToolCall,
        reading: &Reading,
    ) -> Result<bool, GuardError> {
        let Tool::Shell { command, .. } = &call.tool else { return Ok(false) };
        if leaves_something_running(command) {
            return Ok(false);
        }
        let named =
            |p: &str| reading.effects.iter().all(|e| !matches!(&e.action, Action::Run(r) if r.program == p));
        let only_names = reading
            .effects
            .iter()
            .all(|e| !matches!(&e.action, Action::Run(r) if !ONLY_NAMES.contains(&r.program.as_str())));
        if !named("git")
            && command.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|w| OF_GIT.contains(&w))
        {
            return Ok(true);
        }
        let mut scanner = None;
        for effect in &reading.effects {
            match &effect.action {
                Action::Fetch(_) | Action::Query(_) | Action::Operate(_) | Action::Reveal(_) => {
                    return Ok(true);
                }
                Action::Run(run)
                    if !effect.understood() || run.origin != Origin::System || run.task != Task::Other =>
                {
                    return Ok(true);
                }
                Action::Read(path) if !only_names => {
                    let PathTarget::Known(path) = &path.target else { return Ok(true) };
                    let small = std::fs::metadata(path.as_std())
                        .map(|m| (m.is_file() && m.len() <= LONGEST, m.is_dir()));
                    match small {
                        // What is not there prints nothing.
                        Err(_) => {}
                        Ok((true, _)) => {
                            let scanner = match &mut scanner {
                                Some(scanner) => scanner,
                                none => none.insert(self.hider(context)?.scanner),
                            };
                            let text = content(path.as_std()).ok().flatten().unwrap_or_default();
                            let scanner =
                                scanner.clone().in_surroundings(Surroundings::of_path(path.as_str()));
                            if !scanner.scan(&text).is_empty() {
                                return Ok(true);
                            }
                        }
                        Ok(_) => return Ok(true),
                    }
                }
                _ => {}
            }
        }
        Ok(false)
    }

    /// What a failed call printed has reached the model already: no hook of this agent can change it. So the person is told.
    fn failed(
        &self,
        context: &Context,
        call: &ToolCall,
        error: Option<&str>,
        answer: Answer,
    ) -> Result<Answer, GuardError> {
        let Some(error) = error else { return Ok(answer) };
        let hider = self.hider(context)?;
        let mut text = json!(error);
        let found = hider.hide(&mut text, &hider.scanner, &mut Vault::new());
        let sure: Vec<Found> =
            found.into_iter().filter(|f| f.certainty >= secrets::Certainty::Likely).collect();
        if sure.is_empty() {
            return Ok(answer);
        }
        let what = kinds(&sure);
        let record = self.of_call(Kind::SECRET_EXPOSED, context, call).with("kinds", what.clone());
        self.note(&record, Durability::Durable)?;
        let notice = format!(
            "Ambit: a failed call printed a live credential ({}), and this agent lets no hook change what a failed call printed: \
             take it as known to the model, and change it.",
            what.join(", ")
        );
        Ok(match answer {
            Answer::Pass { .. } => Answer::Pass { notice: Some(notice) },
            other => other,
        })
    }

    fn of_call(&self, kind: Kind, context: &Context, call: &ToolCall) -> Record {
        let record = self.begin(kind, context).with("tool", call.tool.word());
        match &call.call {
            Some(id) => record.call(id.0.as_str()),
            None => record,
        }
    }

    /// A record without a live credential in it: what Ambit writes down is read by more people than the file it came from.
    pub(crate) fn clean(&self, record: Record) -> Record {
        let filter = Hider::open(self.roots, self.project.as_ref()).map(Filter);
        match filter {
            Ok(filter) => filter.clean(record),
            // Without the key nothing can stand in a secret's place, so the whole text is left out.
            Err(_) => record.map_texts(&mut |text| {
                let clean = Scanner::new().scan(text.as_bytes()).is_empty();
                (!clean).then(|| "[ambit: withheld, it holds a credential]".to_owned())
            }),
        }
    }
}
