//! `ambit log`: records that fit, one a line.

use super::story::{
    Clock, Opened, end_of, fit, fitted, needle, one_line, parse_when, short_id, verdict_kind, width, wrap,
};
use crate::environment;
use crate::output::style::{self, paint};
use crate::output::{complain, line};
use anyhow::{Context as _, Result, bail};
use jiff::civil::Date;
use ledger::{Entry, Kind, LedgerError, Reader, Stored, format_time};
use model::{EffectKind, VerdictKind};
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

/// How often the ledger is looked at for new records when it is followed.
const PAUSE: Duration = Duration::from_millis(250);

/// `ambit log`. Every filter that is given must fit.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of this session; the beginning of its identifier is enough
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Recorded since: a date, a time (RFC 3339), or `2h`, `3d`, `yesterday`
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Recorded until; a date includes that day
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Decisions with this verdict, given or by the rules alone
    #[arg(long, value_parser = ["allow", "contain", "ask", "deny"])]
    verdict: Option<String>,
    /// Calls with an effect on this surface
    #[arg(long, value_parser = ["code", "command", "data", "tool"])]
    surface: Option<String>,
    /// Calls with an effect of this kind (`delete`, `push`, `fetch` …)
    #[arg(long, value_name = "KIND", value_parser = effect_word)]
    effect: Option<String>,
    /// Of this agent
    #[arg(long)]
    agent: Option<String>,
    /// Of this person: the account's name, or the beginning of the pseudonym
    #[arg(long)]
    person: Option<String>,
    /// Calls that concern this path or something beneath it; part of a path will do
    #[arg(long)]
    path: Option<String>,
    /// Calls that concern this host or one beneath it
    #[arg(long)]
    host: Option<String>,
    /// With this text in command, path, prompt, target, reason or error; case does not matter
    #[arg(long)]
    text: Option<String>,
    /// Decided by this rule
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Records of this kind (`decision`, `outcome`, `prompt` …), or all kinds below a word (`session`)
    #[arg(long)]
    kind: Option<String>,
    /// How many, the newest ones; 0 for all
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: usize,
    /// Go on as records are written
    #[arg(short, long)]
    follow: bool,
    /// One JSON object a line, with the sealed values and the names of erased ones
    #[arg(long)]
    json: bool,
}

fn effect_word(text: &str) -> Result<String, String> {
    let known = || EffectKind::ALL.map(EffectKind::word).join(", ");
    EffectKind::from_word(text)
        .map(|k| k.word().to_owned())
        .ok_or_else(|| format!("the kinds are {}", known()))
}

/// Runs it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let clock = Clock::system();
    let filter = Filter::new(&args, &clock)?;
    let reader = Reader::open(&environment::roots()?.state);
    let mut printer = Printer { json: args.json, width: width(), day: None, clock: &clock };
    // Where following goes on, so that nothing is shown twice or left out.
    let end = reader.len()?;
    let mut shown = 0_usize;
    if args.limit == 0 {
        let forward = match filter.since_time {
            Some(since) => reader.forward_since(since)?,
            None => reader.forward(0)?,
        };
        for entry in forward {
            if let Some(opened) = filter.pass(&reader, entry)?.filter(|o| o.record.index < end) {
                printer.print(&opened);
                shown += 1;
            }
        }
    } else {
        let mut newest = reader.backward()?;
        if let Some(since) = filter.since_time {
            newest = newest.since(since);
        }
        let mut found = Vec::new();
        for entry in newest {
            found.extend(filter.pass(&reader, entry)?.filter(|o| o.record.index < end));
            if found.len() >= args.limit {
                break;
            }
        }
        shown = found.len();
        found.iter().rev().for_each(|opened| printer.print(opened));
    }
    if args.follow {
        let mut forward = reader.forward(end)?;
        loop {
            for entry in forward.by_ref() {
                if let Some(opened) = filter.pass(&reader, entry)? {
                    printer.print(&opened);
                }
            }
            std::thread::sleep(PAUSE);
        }
    }
    if shown == 0 && !args.json {
        complain(if end == 0 {
            "nothing is recorded yet; `ambit doctor` tells whether the guard is on"
        } else {
            "no record fits"
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// What is asked for; cheap questions first.
#[derive(Debug, Default)]
struct Filter {
    since_time: Option<jiff::Timestamp>,
    since: Option<String>,
    until: Option<String>,
    kind: Option<String>,
    /// What a line must hold to be worth parsing.
    needles: Vec<String>,
    session: Option<String>,
    agent: Option<String>,
    verdict: Option<VerdictKind>,
    surface: Option<String>,
    effect: Option<String>,
    rule: Option<String>,
    person: Option<String>,
    path: Option<Vec<String>>,
    rooted: bool,
    host: Option<String>,
    text: Option<String>,
}

impl Filter {
    fn new(args: &Args, clock: &Clock) -> Result<Self> {
        let since_time =
            args.since.as_deref().map(|w| parse_when(w, clock)).transpose().context("--since")?;
        let until = args.until.as_deref().map(|w| end_of(w, clock)).transpose().context("--until")?;
        let mut needles = Vec::new();
        needles.extend(args.session.as_ref().map(|s| needle("session", s)));
        needles.extend(args.agent.as_ref().map(|a| needle("agent", a)));
        needles.extend(args.effect.as_ref().map(|e| needle("kind", e)));
        needles.extend(args.surface.as_ref().map(|s| needle("surface", s)));
        needles.extend(args.rule.as_ref().map(|r| needle("rule", r)));
        let known = |word: &str| {
            Kind::KNOWN.iter().any(|k| k.as_str() == word || k.as_str().split('.').next() == Some(word))
        };
        if let Some(word) = args.kind.as_deref().filter(|word| !known(word)) {
            let names: Vec<&str> = Kind::KNOWN.iter().map(Kind::as_str).collect();
            bail!("`{word}` is no kind of record: the kinds are {}", names.join(", "));
        }
        let lower = |text: &Option<String>| text.as_ref().map(|t| t.to_lowercase());
        Ok(Self {
            since_time,
            since: since_time.map(format_time),
            until: until.map(format_time),
            kind: args.kind.clone(),
            needles,
            session: args.session.clone(),
            agent: args.agent.clone(),
            verdict: args.verdict.as_deref().and_then(verdict_kind),
            surface: args.surface.clone(),
            effect: args.effect.clone(),
            rule: args.rule.clone(),
            person: args.person.clone(),
            rooted: args.path.as_deref().is_some_and(|p| p.starts_with('/')),
            path: args.path.as_deref().map(parts),
            host: lower(&args.host),
            text: lower(&args.text),
        })
    }

    /// The record, opened, if it fits. Damage is told and passed over.
    fn pass(&self, reader: &Reader, entry: Result<Entry, LedgerError>) -> Result<Option<Opened>> {
        let found = entry.and_then(|entry| {
            if self.may(&entry) { entry.record().map(|r| Some((entry, r))) } else { Ok(None) }
        });
        let (entry, record) = match found {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(e @ (LedgerError::Corrupt { .. } | LedgerError::Canonical { .. })) => {
                complain(format!("{} {e}; run: ambit verify", paint(style::BAD, "damaged:")));
                return Ok(None);
            }
            Err(e) => return Err(e.into()),
        };
        if !self.clear(&record) {
            return Ok(None);
        }
        let opened = Opened::new(reader, &entry, record);
        Ok(self.deep(&opened).then_some(opened))
    }

    /// Whether a line may fit, without parsing it.
    fn may(&self, entry: &Entry) -> bool {
        let at = entry.at();
        let kind = entry.kind();
        self.since.as_deref().is_none_or(|since| at >= since)
            && self.until.as_deref().is_none_or(|until| at < until)
            && self.kind.as_deref().is_none_or(|word| kind == word || kind.split('.').next() == Some(word))
            && (self.needles.is_empty()
                || std::str::from_utf8(entry.line())
                    .is_ok_and(|line| self.needles.iter().all(|n| line.contains(n.as_str()))))
    }

    /// Whether the clear fields fit.
    fn clear(&self, record: &Stored) -> bool {
        let begins = |wanted: &Option<String>, found: &Option<String>| {
            wanted.as_ref().is_none_or(|w| found.as_ref().is_some_and(|f| f.starts_with(w.as_str())))
        };
        let word = self.verdict.map(VerdictKind::word);
        let effects = || record.what.get("effects").and_then(Value::as_array).into_iter().flatten();
        let has = |name: &str, wanted: &Option<String>| {
            wanted.is_none() || effects().any(|e| e.get(name).and_then(Value::as_str) == wanted.as_deref())
        };
        let needs_sealed =
            self.person.is_some() || self.path.is_some() || self.host.is_some() || self.text.is_some();
        begins(&self.session, &record.session)
            && self.agent.as_ref().is_none_or(|a| record.agent.as_ref() == Some(a))
            && (word.is_none() || record.text("verdict") == word || record.text("would") == word)
            && has("surface", &self.surface)
            && has("kind", &self.effect)
            && self.rule.as_ref().is_none_or(|r| record.text("rule") == Some(r))
            && (!needs_sealed || !record.sealed.is_empty())
    }

    /// Whether the sealed fields fit; what is erased fits nothing.
    fn deep(&self, opened: &Opened) -> bool {
        let text = |name: &str| opened.sealed(name).and_then(Value::as_str);
        let person = self.person.as_ref().is_none_or(|wanted| {
            text("person") == Some(wanted)
                || opened.record.subject.as_ref().is_some_and(|s| s.starts_with(wanted.as_str()))
        });
        let path = self.path.as_ref().is_none_or(|wanted| {
            let input = opened.sealed("input").and_then(|i| i.get("path")).and_then(Value::as_str);
            let targets = opened.effects().filter_map(|e| e.target);
            targets
                .chain(input)
                .chain(text("path"))
                .chain(text("workspace"))
                .any(|place| concerns(place, wanted, self.rooted))
        });
        let host = self
            .host
            .as_ref()
            .is_none_or(|wanted| opened.effects().any(|effect| at_host(effect.kind, effect.target, wanted)));
        let inside = self.text.as_ref().is_none_or(|wanted| {
            opened
                .record
                .sealed
                .keys()
                .filter(|name| *name != "person")
                .any(|name| holds(opened.sealed(name), wanted))
        });
        person && path && host && inside
    }
}

/// The parts of a path.
fn parts(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

/// Whether a target concerns a path: the wanted parts stand in it one after the other, from the root if `rooted`.
fn concerns(target: &str, wanted: &[String], rooted: bool) -> bool {
    // Some targets say first what is done there: `worktree of /w`.
    let place = target.split_once(" /").filter(|_| !target.starts_with('/')).map_or(target, |(_, rest)| rest);
    let found = parts(place);
    if wanted.is_empty() {
        return true;
    }
    if rooted { found.starts_with(wanted) } else { found.windows(wanted.len()).any(|run| run == wanted) }
}

/// Whether an effect concerns a host or one beneath it.
fn at_host(kind: &str, target: Option<&str>, wanted: &str) -> bool {
    let Some(target) = target.map(str::to_lowercase) else { return false };
    match kind {
        "send" | "fetch" => target == wanted || target.ends_with(&format!(".{wanted}")),
        "push" | "query" | "operate" | "install" | "publish" | "call" => target.contains(wanted),
        _ => false,
    }
}

/// Whether a value holds a text, case aside. `wanted` is in lower case.
fn holds(value: Option<&Value>, wanted: &str) -> bool {
    match value {
        Some(Value::String(text)) => text.to_lowercase().contains(wanted),
        Some(Value::Array(list)) => list.iter().any(|v| holds(Some(v), wanted)),
        Some(Value::Object(map)) => map.values().any(|v| holds(Some(v), wanted)),
        _ => false,
    }
}

/// Prints records.
struct Printer<'a> {
    json: bool,
    width: usize,
    day: Option<Date>,
    clock: &'a Clock,
}

/// Columns: time, session, word, tool.
const COLUMNS: [usize; 4] = [10, 10, 9, 9];
/// Most columns of effects and rule.
const TAIL: usize = 34;

impl Printer<'_> {
    fn print(&mut self, opened: &Opened) {
        if self.json {
            line(opened.json().to_string());
            return;
        }
        let record = &opened.record;
        let day = self.clock.date(record.at);
        if self.day != Some(day) {
            if self.day.is_some() {
                line("");
            }
            line(paint(style::FAINT, &self.clock.day(record.at)));
            self.day = Some(day);
        }
        let [time, session, word, tool] = COLUMNS;
        let begin = format!(
            "{}{}",
            paint(style::FAINT, &fitted(&self.clock.time(record.at), time)),
            fitted(&record.session.as_deref().map(short_id).unwrap_or_default(), session)
        );
        let before = time + session + word + tool;
        let room = self.width.saturating_sub(before).max(24);
        if record.kind != Kind::DECISION {
            let (what, text) = opened.summary();
            let look = if matches!(what, "broken" | "failed") { style::BAD } else { style::FAINT };
            let end = format!("{}{}", fitted(&opened.clear("tool"), tool), fit(&text, room));
            line(format!("{begin}{}{}", paint(look, &fitted(what, word)), end.trim_end()));
            return;
        }
        let verdict = opened.verdict().unwrap_or(VerdictKind::Deny);
        let would = opened.would();
        let stopped = verdict >= VerdictKind::Ask || would.is_some_and(|w| w >= VerdictKind::Ask);
        let rule = opened.clear("rule");
        let effects = opened.effect_words();
        // A rule that stopped something stands before its reason on the next line.
        let tail = if stopped || effects.is_empty() {
            format!("{effects}{}", if stopped { "" } else { &rule })
        } else {
            format!("{effects} · {rule}")
        };
        let tail = fit(&tail, TAIL);
        let subject = fitted(&opened.subject(), room.saturating_sub(tail.chars().count() + 2));
        line(format!(
            "{begin}{}{}{subject}  {}",
            paint(style::verdict(verdict), &fitted(verdict.word(), word)),
            fitted(&opened.clear("tool"), tool),
            paint(style::FAINT, &tail),
        ));
        if stopped {
            let why = opened.shown("reason").unwrap_or_default();
            let would = would.map(|w| format!("by the rules {w}, ")).unwrap_or_default();
            let pad = " ".repeat(time + session + word);
            for text in
                wrap(&one_line(&format!("{would}{rule}: {why}")), self.width.saturating_sub(pad.len()))
                    .iter()
                    .take(2)
            {
                line(format!("{pad}{}", paint(style::FAINT, text)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_part_by_part() {
        let yes = |target: &str, path: &str| concerns(target, &parts(path), path.starts_with('/'));
        assert!(
            yes("/w/src/app.py", "src/app.py") && yes("/w/src/app.py", "/w/src") && yes("/w/src", "src/")
        );
        assert!(yes("worktree of /w/shop", "/w/shop") && yes("worktree of /w/shop", "shop"));
        assert!(
            !yes("/w/src2/app.py", "/w/src") && !yes("/x/w/src", "/w/src") && !yes("/w/src/app.py", "app")
        );
    }

    #[test]
    fn hosts_hold_what_is_beneath_them() {
        assert!(
            at_host("fetch", Some("api.example.com"), "example.com")
                && at_host("send", Some("Example.com"), "example.com")
        );
        assert!(
            !at_host("fetch", Some("badexample.com"), "example.com")
                && !at_host("read", Some("example.com"), "example.com")
        );
    }
}
