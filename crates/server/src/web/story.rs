//! A session's story as markup.

use super::layout;
use crate::opened::Opened;
use crate::story::{Call, Moment, Subagent};
use crate::words::{Clock, fit, one_line};
use ledger::Kind;
use maud::{Markup, html};
use model::VerdictKind;

/// Longest command on a calm line, in characters.
const CALM: usize = 300;

/// Which moments are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Only calls with this verdict, given or by the rules alone; `stopped` for questions and denials.
    pub(crate) verdict: String,
    /// Only what holds this text, in lower case.
    pub(crate) text: String,
}

impl Shown {
    pub(crate) fn all(&self) -> bool {
        *self == Self::default()
    }

    fn fits_text(&self, records: &[&Opened]) -> bool {
        self.text.is_empty()
            || records.iter().any(|r| {
                r.search_text().contains(&self.text) || r.summary().1.to_lowercase().contains(&self.text)
            })
    }

    fn call(&self, call: &Call) -> bool {
        let verdicts = call.decision.as_ref().map(|d| [d.verdict(), d.would()]).unwrap_or_default();
        let fits = match self.verdict.as_str() {
            "" => true,
            "stopped" => verdicts.iter().flatten().any(|v| *v >= VerdictKind::Ask),
            "failed" => call.outcome.as_ref().is_some_and(|o| o.flag("ok") == Some(false)),
            word => verdicts.iter().flatten().any(|v| v.word() == word),
        };
        let records: Vec<&Opened> = call.decision.iter().chain(&call.outcome).chain(&call.more).collect();
        fits && self.fits_text(&records)
    }

    fn record(&self, record: &Opened) -> bool {
        // Prompts stay: they say which part of the story a call belongs to.
        (self.verdict.is_empty() || record.kind == Kind::PROMPT) && self.fits_text(&[record])
    }
}

/// The moments as a list.
pub(crate) fn timeline(moments: &[Moment], clock: &Clock, live: bool, shown: &Shown) -> Markup {
    let mut day = None;
    html! {
        ol .timeline {
            @for moment in moments {
                @let first = match moment {
                    Moment::Call(call) => call.head(),
                    Moment::Record(record) => Some(&**record),
                    Moment::Subagent(subagent) => Some(&subagent.first),
                };
                @let fits = match moment {
                    Moment::Call(call) => shown.call(call),
                    Moment::Record(record) => shown.record(record),
                    Moment::Subagent(_) => true,
                };
                @if let Some(first) = first.filter(|_| fits) {
                    @let today = clock.day(first.at);
                    @if day.as_ref() != Some(&today) {
                        li .day { (today) }
                        @let _ = day.insert(today);
                    }
                    @match moment {
                        Moment::Call(call) => (self::call(call, clock, live)),
                        Moment::Record(record) => (self::record(record, clock)),
                        Moment::Subagent(subagent) => (self::subagent(subagent, clock, live, shown)),
                    }
                }
            }
        }
    }
}

fn subagent(subagent: &Subagent, clock: &Clock, live: bool, shown: &Shown) -> Markup {
    let role = if subagent.role.is_empty() { "sub-agent".to_owned() } else { one_line(&subagent.role) };
    html! {
        li .subagent {
            details open {
                summary .row {
                    (layout::time(clock, subagent.first.at))
                    span .word { "sub-agent" }
                    span .what { b { (role) } " " span .faint { (crate::opened::short(&subagent.id)) ", " (crate::words::count(subagent.moments.len() as u64, "moment")) @if !subagent.ended && live { ", at work" } } }
                }
                (timeline(&subagent.moments, clock, live, shown))
            }
        }
    }
}

fn record(record: &Opened, clock: &Clock) -> Markup {
    let (word, text) = record.summary();
    let look = match record.kind.as_str() {
        "prompt" => "prompt",
        "policy.broken" | "guard.failed" | "ledger.torn" => "bad",
        "config.changed" | "policy.changed" | "approval.asked" => "notable",
        _ => "plain",
    };
    html! {
        li #{ "r" (record.index) } class={ "moment " (look) } tabindex="-1" {
            div .row {
                (layout::time(clock, record.at))
                span .word { (word) }
                span .what {
                    @if record.kind == Kind::PROMPT {
                        span .said { (layout::exact(record.sealed("text").unwrap_or(&text), None)) }
                    } @else { (text) }
                }
                (permalink(record.index))
            }
        }
    }
}

/// The link to a record.
pub(crate) fn permalink(index: u64) -> Markup {
    html! { a .permalink href={ "/record/" (index) } title={ "Record " (index) " with its proof" } { "#" (index) } }
}

/// What became of a call.
fn ending(call: &Call, verdict: VerdictKind, live: bool) -> (&'static str, String) {
    let agreed = call.more.iter().rev().find(|r| r.kind == Kind::APPROVAL_DECIDED);
    match (&call.outcome, verdict) {
        (Some(outcome), VerdictKind::Deny) => ("bad", format!("{} although it was denied", outcome.ending())),
        (Some(outcome), _) => {
            let look = if outcome.flag("ok") == Some(false) { "warn" } else { "fine" };
            (look, outcome.ending())
        }
        (None, VerdictKind::Deny) => ("faint", "not run".to_owned()),
        (None, _) if agreed.is_some_and(|r| r.clear("decision") != "approve") => {
            ("faint", "refused, not run".to_owned())
        }
        (None, VerdictKind::Ask) if live => ("warn", "asked; no end yet".to_owned()),
        (None, VerdictKind::Ask) => ("faint", "not run: nobody agreed".to_owned()),
        (None, _) if live => ("faint", "no end yet".to_owned()),
        (None, _) => ("warn", "no outcome".to_owned()),
    }
}

fn call(call: &Call, clock: &Clock, live: bool) -> Markup {
    let Some(decision) = &call.decision else {
        return html! {
            @if let Some(outcome) = &call.outcome {
                li #{ "r" (outcome.index) } .moment.bad tabindex="-1" {
                    div .row {
                        (layout::time(clock, outcome.at))
                        (layout::chip("v-deny", "unjudged"))
                        span .what { (one_line(outcome.clear("tool"))) " " (outcome.ending()) ": it ran, and nothing was decided before" }
                        (permalink(outcome.index))
                    }
                }
            }
        };
    };
    let verdict = decision.verdict().unwrap_or(VerdictKind::Deny);
    let stopped = verdict >= VerdictKind::Ask || decision.would().is_some();
    let (look, end) = ending(call, verdict, live);
    let text = decision.subject_text();
    let risky = risky(decision).filter(|_| stopped);
    html! {
        li #{ "r" (decision.index) } class={ "moment call" @if stopped { " stopped" } } tabindex="-1" {
            details open[stopped] {
                summary .row {
                    (layout::time(clock, decision.at))
                    (layout::verdict(verdict))
                    span .tool { (one_line(decision.clear("tool"))) }
                    code .what { (one_line(&fit(&text, CALM))) }
                    span class={ "ending " (look) } { (end) }
                }
                (details(call, decision, &text, risky, clock))
            }
        }
    }
}

/// The part of the command that decided, in bytes.
pub(crate) fn risky(decision: &Opened) -> Option<(usize, usize)> {
    let at = usize::try_from(decision.number("deciding")?).ok()?;
    decision.effects().nth(at)?.span
}

fn details(
    call: &Call,
    decision: &Opened,
    text: &str,
    risky: Option<(usize, usize)>,
    clock: &Clock,
) -> Markup {
    let rule = decision.clear("rule");
    html! {
        div .details {
            @if risky.is_some() || text.contains('\n') || text.chars().count() > 90 {
                pre .command { code { (layout::exact(text, risky)) } }
            }
            dl .facts {
                @if let Some(would) = decision.would() {
                    dt { "judged" }
                    dd { (layout::verdict(would)) " "
                        @if decision.clear("mode") == "observe" { "in observe mode nothing but the floor's rules is enforced" }
                        @else { "nobody at this session may answer, so it was stopped" }
                    }
                }
                dt { "effects" }
                dd .effects {
                    @for effect in decision.effects() { (layout::effect(&effect)) }
                    @if decision.effects().next().is_none() { span .faint { "none" } }
                }
                @if !rule.is_empty() {
                    dt { "rule" }
                    dd { a href={ "/search?rule=" (urlencoded(rule)) } { code { (one_line(rule)) } } " " span .faint { (one_line(decision.clear("layer"))) } }
                }
                @if let Some(reason) = decision.shown("reason").filter(|r| !r.is_empty()) { dt { "why" } dd { (reason) } }
                @if let Some(instead) = decision.shown("instead") { dt { "instead" } dd { (instead) } }
                @if let Some(cwd) = decision.shown("cwd") { dt { "in" } dd { code { (cwd) } } }
                @for more in &call.more {
                    @let (word, text) = more.summary();
                    dt { (word) }
                    dd { (text) " " (layout::time(clock, more.at)) " " (permalink(more.index)) }
                }
                @if let Some(outcome) = &call.outcome {
                    dt { "outcome" }
                    dd { (outcome.ending()) @if let Some(error) = outcome.shown("error") { ": " (error) } " " (permalink(outcome.index)) }
                }
                dt { "record" }
                dd { (permalink(decision.index)) }
            }
        }
    }
}

/// A text within a query string.
pub(crate) fn urlencoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
