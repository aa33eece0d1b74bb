//! A session's story as text.

use super::gather::{Call, Moment, Story};
use super::opened::Opened;
use super::text::{fit, fitted, one_line, short_id, width, wrap};
use super::when::{Clock, span_words};
use crate::output::style::{self, paint};
use guard::shortened;
use jiff::civil::Date;
use ledger::Kind;
use model::VerdictKind;

/// Columns before the words: the time and a gap.
const TIME: usize = 10;
/// Columns of the verdict or the record's word.
const WORD: usize = 9;
/// Columns of the tool.
const TOOL: usize = 9;
/// Columns of the effects of a call that ran freely.
const EFFECTS: usize = 18;
/// Columns of how it ended.
const ENDING: usize = 14;

/// Tells the story, line by line.
pub(crate) fn tell(story: &Story, clock: &Clock, say: &mut dyn FnMut(String)) {
    let mut teller = Teller { clock, width: width(), day: None, say, live: story.state(clock.now) == "live" };
    teller.head(story);
    for moment in &story.moments {
        match moment {
            Moment::Call(call) => teller.call(call),
            Moment::Record(record) => teller.record(record),
        }
    }
    teller.totals(story);
}

struct Teller<'a> {
    clock: &'a Clock,
    width: usize,
    day: Option<Date>,
    say: &'a mut dyn FnMut(String),
    live: bool,
}

impl Teller<'_> {
    fn say(&mut self, text: impl AsRef<str>) {
        (self.say)(text.as_ref().trim_end().to_owned());
    }

    fn head(&mut self, story: &Story) {
        let start = story.last(&Kind::SESSION_START);
        let any = start.or_else(|| story.any());
        self.say(paint(style::STRONG, &format!("Session {}", one_line(&story.id))));
        let mut facts = Vec::new();
        if let Some(any) = any {
            let subject = any.record.subject.as_deref().map(one_line).unwrap_or_default();
            let person = any.shown("person").unwrap_or_default();
            facts.push(("agent", any.record.agent.as_deref().map(one_line).unwrap_or_default()));
            facts.push(("person", format!("{person} ({subject})")));
        }
        if let Some(start) = start {
            facts.push(("workspace", start.shown("workspace").unwrap_or_default()));
            let attended =
                start.record.what.get("attended").and_then(serde_json::Value::as_bool) == Some(true);
            let sits = if attended { "a person sits at it" } else { "nobody sits at it" };
            facts.push(("mode", format!("{}, {sits}", start.clear("mode"))));
        }
        if let Some((first, last)) = story.times {
            let millis = u64::try_from(last.duration_since(first).as_millis()).unwrap_or(0);
            let state = story.state(self.clock.now);
            facts.push(("time", format!("{}, {}, {state}", self.clock.minute(first), span_words(millis))));
        }
        for (name, value) in facts {
            self.say(format!(
                "  {} {}",
                paint(style::FAINT, &fitted(name, 10)),
                fit(&value, self.width - 14)
            ));
        }
    }

    /// The day when it is another one, then the time.
    fn begin(&mut self, record: &Opened) -> String {
        let at = record.record.at;
        let day = self.clock.date(at);
        if self.day != Some(day) {
            self.day = Some(day);
            self.say("");
            self.say(paint(style::FAINT, &self.clock.day(at)));
        }
        let bar = if inside(record) { "│ " } else { "" };
        format!("{}{bar}", paint(style::FAINT, &fitted(&self.clock.time(at), TIME)))
    }

    fn record(&mut self, record: &Opened) {
        let begin = self.begin(record);
        let (word, mut text) = record.summary();
        let kind = &record.record.kind;
        if *kind == Kind::SESSION_START {
            text = format!("{}, {}", record.clear("source"), record.clear("mode"));
        }
        let indent = TIME + 2 * usize::from(inside(record));
        let bad = [Kind::POLICY_BROKEN, Kind::GUARD_FAILED].contains(kind);
        let look = match word {
            _ if bad => style::BAD,
            "config" | "policy" | "asking" | "refused" => style::WARNING,
            "prompt" => style::STRONG,
            _ => style::FAINT,
        };
        let room = self.width - indent - WORD;
        let lines = wrap(&text, room);
        let shown = lines.len().min(if *kind == Kind::PROMPT { 4 } else { 3 });
        for (at, line) in lines.iter().take(shown).enumerate() {
            let line = if at + 1 == shown && shown < lines.len() {
                format!("{} …", fit(line, room - 2))
            } else {
                line.clone()
            };
            let line = if *kind == Kind::PROMPT { paint(style::STRONG, &line) } else { line };
            if at == 0 {
                self.say(format!("{begin}{}{line}", paint(look, &fitted(word, WORD))));
            } else {
                self.say(format!("{}{line}", " ".repeat(indent + WORD)));
            }
        }
    }

    fn call(&mut self, call: &Call) {
        let Some(decision) = &call.decision else {
            if let Some(outcome) = &call.outcome {
                let begin = self.begin(outcome);
                let word = paint(style::BAD, &fitted("unjudged", WORD));
                let text = format!(
                    "{} {}: it ran, and nothing was decided before",
                    outcome.clear("tool"),
                    outcome.ending()
                );
                self.say(format!("{begin}{word}{text}"));
            }
            return;
        };
        let verdict = decision.verdict().unwrap_or(VerdictKind::Deny);
        let calm = verdict == VerdictKind::Allow && decision.would().is_none();
        let failed = call.outcome.as_ref().is_some_and(|o| o.record.what.get("ok") == Some(&false.into()));
        let begin = self.begin(decision);
        let indent = TIME + 2 * usize::from(inside(decision));
        let word = paint(style::verdict(verdict), &fitted(verdict.word(), WORD));
        let tool = fitted(&decision.clear("tool"), TOOL);
        let room = self.width - indent - WORD - TOOL;
        if calm {
            let subject = fitted(&decision.subject(), room - EFFECTS - ENDING - 2);
            let effects = paint(style::FAINT, &fitted(&decision.effect_words(), EFFECTS));
            let ending = fit(&self.ending(call, verdict), ENDING);
            let ending = if failed { paint(style::WARNING, &ending) } else { paint(style::FAINT, &ending) };
            self.say(format!("{begin}{word}{tool}{subject} {effects} {ending}"));
            return;
        }
        let pad = " ".repeat(indent + WORD + TOOL);
        for (at, line) in wrap(&shortened(&decision.subject()), room).iter().enumerate() {
            if at == 0 {
                self.say(format!("{begin}{word}{tool}{line}"))
            } else {
                self.say(format!("{pad}{line}"))
            }
        }
        let mut details = Vec::new();
        if let Some(would) = decision.would() {
            let why = if decision.record.text("mode") == Some("observe") {
                "in observe mode nothing but the floor's rules is enforced"
            } else {
                "nobody at this session may answer, so it was stopped"
            };
            details.push(("judged", format!("{would}; {why}")));
        }
        let mut targets: Vec<String> = Vec::new();
        for effect in decision.effects() {
            let text = format!("{} {}", effect.kind, effect.target.unwrap_or(""));
            let text = fit(&one_line(&text), 60);
            if !targets.contains(&text) {
                targets.push(text);
            }
        }
        let more = targets.len().saturating_sub(4);
        targets.truncate(4);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        details.push(("effects", format!("{}{more}", targets.join(", "))));
        details.push(("rule", format!("{} ({})", decision.clear("rule"), decision.clear("layer"))));
        details.push(("why", decision.shown("reason").unwrap_or_default()));
        if let Some(instead) = decision.shown("instead") {
            details.push(("instead", instead));
        }
        if let Some(approval) = &call.approval {
            let (word, text) = approval.summary();
            details.push(("approval", format!("{word} {text}")));
        }
        details.push(("outcome", self.ending(call, verdict)));
        let room = room.saturating_sub(TOOL);
        for (name, text) in details.iter().filter(|(_, text)| !text.is_empty()) {
            for (at, line) in wrap(text, room).iter().take(3).enumerate() {
                let name = if at == 0 { name } else { "" };
                self.say(format!("{pad}{}{line}", paint(style::FAINT, &fitted(name, TOOL))));
            }
        }
    }

    /// What became of a call.
    fn ending(&self, call: &Call, verdict: VerdictKind) -> String {
        match (&call.outcome, verdict) {
            (Some(outcome), VerdictKind::Deny) => format!("{} although it was denied", outcome.ending()),
            (Some(outcome), VerdictKind::Allow) => outcome.ending(),
            (Some(outcome), _) => format!("ran: {}", outcome.ending()),
            (None, VerdictKind::Deny) => "not run".to_owned(),
            (None, VerdictKind::Ask) if self.live => "asked; no end yet".to_owned(),
            (None, _) if self.live => "no end yet".to_owned(),
            (None, VerdictKind::Ask) => {
                "asked; no outcome: it was not run (the person said no, or nobody answered)".to_owned()
            }
            (None, _) => "no outcome".to_owned(),
        }
    }

    fn totals(&mut self, story: &Story) {
        let (mut ran, mut failed) = (0_u64, 0_u64);
        for moment in &story.moments {
            if let Moment::Call(call) = moment
                && let Some(outcome) = &call.outcome
            {
                ran += 1;
                failed += u64::from(outcome.record.what.get("ok") == Some(&false.into()));
            }
        }
        let totals = &story.applied;
        self.say("");
        let calls =
            if totals.calls() == 1 { "1 call".to_owned() } else { format!("{} calls", totals.calls()) };
        self.say(paint(style::STRONG, &format!("{calls}: {totals}")));
        self.say(format!(
            "{ran} ran, {failed} of them failed; {} questions per 100 calls",
            totals.questions()
        ));
        if story.judged != story.applied {
            self.say(format!(
                "by the rules alone: {}; {} questions per 100 calls",
                story.judged,
                story.judged.questions()
            ));
        }
        if story.moments.is_empty() {
            self.say(format!("nothing is recorded of {}", short_id(&story.id)));
        }
    }
}

/// Whether a record belongs to a sub-agent.
fn inside(record: &Opened) -> bool {
    let kind = &record.record.kind;
    record.record.text("subagent").is_some() && *kind != Kind::SUBAGENT_START && *kind != Kind::SUBAGENT_END
}
