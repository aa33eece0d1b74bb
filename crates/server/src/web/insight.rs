//! What the numbers say: friction over time, what stops, what is touched, and whether asking still means something.

use super::failure::Failure;
use super::gate::Viewer;
use super::layout::{self, Frame};
use super::story::urlencoded;
use super::{App, approvals};
use crate::error::ServerError;
use crate::index::{Named, Span};
use crate::words::{Clock, one_line, span_words, thousands};
use ::approvals::{Case, Choice};
use axum::extract::{Query, State};
use axum::response::Html;
use jiff::SignedDuration;
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;
use std::sync::Arc;

/// Characters that a person reads in a second, generously.
const READ_A_SECOND: usize = 20;
/// Requests looked at.
const REQUESTS: usize = 500;

/// Which span.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    days: String,
}

/// The page.
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Failure> {
    let clock = app.clock();
    let days: i64 = wanted.days.parse().unwrap_or(30).clamp(1, 365);
    let today = clock.parse("today").unwrap_or(clock.now);
    let since = today - SignedDuration::from_hours(24 * (days - 1));
    let friction = app.index.friction(since).await?;
    let spans = app.index.friction_by(since, clock.now, if days == 1 { 1 } else { 24 }).await?;
    let rules = app.index.stopping_rules(since, 12).await?;
    let surfaces = app.index.effects(true, since).await?;
    let kinds = app.index.effects(false, since).await?;
    let store = Arc::clone(&app);
    let cases = tokio::task::spawn_blocking(move || store.store.history(REQUESTS, (store.now)()))
        .await
        .map_err(|_| ServerError::Ended("the store of approvals"))?
        .map_err(ServerError::from)?;
    let cases: Vec<Case> = cases.into_iter().filter(|c| c.request.question.asked_at >= since).collect();
    let tenths = |n: Option<u64>| n.map_or_else(|| "–".to_owned(), |n| format!("{}.{}", n / 10, n % 10));
    let content = html! {
        header .page {
            h1 { "Insight" }
            div .choices role="group" aria-label="Span" {
                @for (n, name) in [(1, "today"), (7, "a week"), (30, "a month"), (365, "a year")] {
                    a href={ "/insight?days=" (n) } aria-current=[(days == n).then_some("true")] { (name) }
                }
            }
        }
        section aria-labelledby="h-friction" {
            h2 #h-friction { "Friction" }
            dl .tiles {
                div { dt { "calls" } dd { (thousands(friction.calls())) } }
                div { dt { "without a person" } dd { (tenths(friction.without_person())) " %" } }
                div { dt { "questions per 100 calls" } dd { (tenths(friction.questions())) } }
                div { dt { "denied" } dd { (thousands(friction.denied)) } }
            }
            (chart(&spans, &clock, days == 1))
        }
        div .columns {
            section aria-labelledby="h-rules" {
                h2 #h-rules { "Rules that stopped most" }
                (bars(&rules, |name| Some(format!("/search?rule={}", urlencoded(name)))))
            }
            section aria-labelledby="h-surfaces" {
                h2 #h-surfaces { "Where effects land" }
                (bars(&surfaces, |name| Some(format!("/search?surface={}", urlencoded(name)))))
            }
            section aria-labelledby="h-kinds" {
                h2 #h-kinds { "Kinds of effects" }
                (bars(&kinds, |name| Some(format!("/search?effect={}", urlencoded(name)))))
            }
        }
        section aria-labelledby="h-theatre" {
            h2 #h-theatre { "Does asking still mean something?" }
            (theatre(&cases))
        }
    };
    let waiting = approvals::number_pending(&app).await?;
    let frame = Frame { viewer: &viewer, place: "/insight", title: "Insight", waiting };
    Ok(layout::page(&frame, &content))
}

/// Calls over time, stacked by what was answered.
fn chart(spans: &[Span], clock: &Clock, hours: bool) -> Markup {
    let most = spans.iter().map(|s| s.friction.calls()).max().unwrap_or(0);
    if most == 0 {
        return html! { p .empty { "No calls in this span." } };
    }
    const HEIGHT: u64 = 120;
    let width = 960 / u64::try_from(spans.len()).unwrap_or(1).max(1);
    let mut parts = String::new();
    for (at, span) in (0_u64..).zip(spans) {
        let f = span.friction;
        let mut top = HEIGHT;
        for (class, count) in
            [("allow", f.free), ("contain", f.contained), ("ask", f.asked), ("deny", f.denied)]
        {
            if count == 0 {
                continue;
            }
            let height = (count * HEIGHT / most).max(2);
            top = top.saturating_sub(height);
            parts.push_str(&format!(
                "<rect class=\"f-{class}\" x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{height}\"/>",
                at * width + 1,
                width.saturating_sub(2).max(1)
            ));
        }
    }
    let label = |span: &Span| {
        if hours { clock.time(span.begin) } else { clock.full(span.begin).chars().take(10).collect() }
    };
    html! {
        figure .chart {
            svg viewBox={ "0 0 960 " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label="Calls over time by what was answered; the table below has the numbers" { (PreEscaped(parts)) }
            figcaption {
                span { (spans.first().map(label).unwrap_or_default()) }
                span .legend { span .l-allow { "free" } span .l-contain { "contained" } span .l-ask { "asked" } span .l-deny { "denied" } }
                span { (spans.last().map(label).unwrap_or_default()) ", at most " (thousands(most)) }
            }
            details {
                summary { "As a table" }
                table {
                    thead { tr { th { "From" } th .num { "Free" } th .num { "Contained" } th .num { "Asked" } th .num { "Denied" } } }
                    tbody {
                        @for span in spans.iter().filter(|s| s.friction.calls() > 0) {
                            tr { td { (label(span)) } td .num { (span.friction.free) } td .num { (span.friction.contained) } td .num { (span.friction.asked) } td .num { (span.friction.denied) } }
                        }
                    }
                }
            }
        }
    }
}

/// Names with their counts as bars.
fn bars(named: &[Named], link: impl Fn(&str) -> Option<String>) -> Markup {
    let most = named.iter().map(|n| n.count).max().unwrap_or(1).max(1);
    html! {
        @if named.is_empty() { p .empty { "Nothing yet." } }
        @else {
            ol .counts {
                @for one in named {
                    li {
                        span .name { @match link(&one.name) { Some(to) => a href=(to) { (one_line(&one.name)) }, None => (one_line(&one.name)) } }
                        svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" { rect .f-plain width=((one.count * 100 / most).max(1)) height="8" {} }
                        span .num { (thousands(one.count)) }
                    }
                }
            }
        }
    }
}

/// The middle one.
fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// Whether questions are read.
fn theatre(cases: &[Case]) -> Markup {
    let mut yes = 0_u64;
    let mut no = 0_u64;
    let mut unread = 0_u64;
    let mut timed = 0_u64;
    let mut times = Vec::new();
    let mut streak = 0_u64;
    let mut longest = 0_u64;
    // Oldest first, so that streaks are runs in time.
    for case in cases.iter().rev() {
        for (_, decision) in case.decisions() {
            if decision.choice == Choice::Approve {
                yes += 1;
                streak += 1;
                longest = longest.max(streak);
            } else {
                no += 1;
                streak = 0;
            }
            if let Some(looked) = decision.looked_ms {
                timed += 1;
                times.push(looked);
                let letters = case.request.question.story.text.chars().count();
                let floor = u64::try_from(letters / READ_A_SECOND).unwrap_or(0).saturating_mul(1000);
                unread += u64::from(decision.choice == Choice::Approve && looked < floor);
            }
        }
    }
    if yes + no == 0 {
        return html! { p .empty { "Nobody decided a request of Ambit's in this span." } };
    }
    html! {
        dl .tiles {
            div { dt { "decisions" } dd { (yes + no) } }
            div { dt { "approved" } dd { (yes * 100 / (yes + no)) " %" } }
            div { dt { "median time to decide" } dd { (median(times).map_or_else(|| "–".to_owned(), span_words)) } }
            div { dt { "approved faster than it can be read" } dd { (unread) " of " (timed) } }
            div { dt { "longest run of approvals" } dd { (longest) } }
        }
        p .faint { "Reading is reckoned at " (READ_A_SECOND) " characters a second. Runs of 20 and more, and approvals faster than that, are signs that people no longer read: see which rules ask most, and settle them." }
    }
}
