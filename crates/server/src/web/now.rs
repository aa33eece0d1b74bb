//! What happens now: approvals that wait, sessions at work, what was stopped.

use super::failure::Failure;
use super::gate::Viewer;
use super::layout::{self, Frame};
use super::{App, approvals};
use crate::index::{Filter, SessionRow};
use crate::opened::{Opened, short};
use crate::words::{Clock, count, fit, one_line, thousands};
use axum::extract::State;
use axum::response::Html;
use jiff::SignedDuration;
use maud::{Markup, html};
use model::VerdictKind;
use std::sync::Arc;

/// The page.
pub(crate) async fn page(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Html<String>, Failure> {
    let clock = app.clock();
    let waiting = approvals::pending(&app).await?;
    let today = clock.parse("today").unwrap_or(clock.now);
    let friction = app.index.friction(today).await?;
    let recent = app.index.sessions(clock.now - SignedDuration::from_hours(24 * 7), 40).await?;
    let (live, rest): (Vec<_>, Vec<_>) = recent.into_iter().partition(|s| s.state(clock.now) == "live");
    let mut lives = Vec::new();
    for session in &live {
        let last = app.index.last_of(&session.id, "decision").await?;
        let prompt = app.index.last_of(&session.id, "prompt").await?;
        lives.push((session, last, prompt));
    }
    let mut stopped = Vec::new();
    for verdict in ["ask", "deny"] {
        let filter = Filter {
            verdict: Some(verdict.to_owned()),
            kind: Some("decision".to_owned()),
            ..Filter::default()
        };
        stopped.extend(app.index.find(&filter, 8).await?.records);
    }
    stopped.sort_by_key(|r| std::cmp::Reverse(r.index));
    stopped.dedup_by_key(|r| r.index);
    stopped.truncate(8);
    let content = html! {
        div #live hx-get="/" hx-select="#live" hx-swap="outerHTML" hx-trigger="sse:ledger, sse:approvals" {
            header .page {
                h1 { "Now" }
                p .figures {
                    span { b { (thousands(friction.calls())) } " calls today" }
                    @if let Some(tenths) = friction.without_person() {
                        span { b { (tenths / 10) "." (tenths % 10) " %" } " without a person" }
                    }
                    span { b { (friction.asked) } " asked" }
                    span { b { (friction.denied) } " denied" }
                }
            }
            section aria-labelledby="h-waiting" {
                h2 #h-waiting { "Waiting for a person" }
                @if waiting.is_empty() { p .empty { "Nothing waits." } }
                @else { (approvals::list(&waiting, &clock)) }
            }
            section aria-labelledby="h-live" {
                h2 #h-live { "Live sessions" }
                @if lives.is_empty() {
                    p .empty { "No session has done anything for an hour. " @if rest.is_empty() { code { "ambit init" } " installs the guard into the agents found on this machine." } }
                } @else {
                    ul .sessions { @for (session, last, prompt) in &lives { (card(session, last.as_ref(), prompt.as_ref(), &clock)) } }
                }
            }
            section aria-labelledby="h-stopped" {
                h2 #h-stopped { "Stopped last" }
                @if stopped.is_empty() { p .empty { "Nothing was asked about or denied yet." } }
                @else { ul .rows { @for record in &stopped { (stop(record, &clock)) } } }
            }
            @if !rest.is_empty() {
                section aria-labelledby="h-earlier" {
                    h2 #h-earlier { "Earlier this week" }
                    (table(&rest, &clock))
                }
            }
        }
    };
    let frame = Frame { viewer: &viewer, place: "/", title: "Now", waiting: waiting.len() };
    Ok(layout::page(&frame, &content))
}

/// A workspace by its last two parts, the whole for who points at it.
fn workspace(path: &str) -> Markup {
    let parts: Vec<&str> = path.rsplit('/').take(2).collect();
    let end = parts.into_iter().rev().collect::<Vec<_>>().join("/");
    html! { span .workspace title=(path) { (end) } }
}

fn card(session: &SessionRow, last: Option<&Opened>, prompt: Option<&Opened>, clock: &Clock) -> Markup {
    html! {
        li .card {
            a .cover href={ "/session/" (session.id) } { span .unseen { "Session " (short(&session.id)) } }
            div .top {
                span .dot.live aria-hidden="true" {}
                b { (one_line(&session.agent)) }
                (workspace(&session.workspace))
                span .faint { (one_line(&session.person)) }
                span .faint.id { (short(&session.id)) }
                span .end.faint { (layout::ago(clock, session.last)) }
            }
            @if let Some(text) = prompt.and_then(|p| p.sealed("text")) { p .said { (fit(&one_line(text), 220)) } }
            @if let Some(last) = last {
                p .last {
                    (layout::verdict(last.verdict().unwrap_or(VerdictKind::Deny)))
                    " " code { (fit(&one_line(&last.subject_text()), 160)) }
                }
            }
            div .bottom { (layout::bar([session.free, session.contained, session.asked, session.denied])) span .faint { (count(session.calls(), "call")) } }
        }
    }
}

/// A record that was stopped, on one line.
fn stop(record: &Opened, clock: &Clock) -> Markup {
    let verdict = record.verdict().unwrap_or(VerdictKind::Deny);
    let session = record.session.as_deref().unwrap_or_default();
    html! {
        li {
            a .row href={ "/session/" (session) "#r" (record.index) } {
                span .when { (layout::ago(clock, record.at)) }
                (layout::verdict(verdict))
                span .tool { (one_line(record.clear("tool"))) }
                code .what { (fit(&one_line(&record.subject_text()), 160)) }
                span .ending.faint { (one_line(record.clear("rule"))) }
            }
        }
    }
}

/// Sessions as a table.
pub(crate) fn table(sessions: &[SessionRow], clock: &Clock) -> Markup {
    html! {
        div .scroll tabindex="0" role="region" aria-label="Table of sessions" {
            table {
                thead { tr { th { "Session" } th { "Agent" } th { "Where" } th { "Person" } th { "Last" } th { "State" } th .num { "Calls" } th .num { "Asked" } th .num { "Denied" } th { "What was answered" } } }
                tbody {
                    @for s in sessions {
                        tr {
                            td { a href={ "/session/" (s.id) } { code { (short(&s.id)) } } }
                            td { (one_line(&s.agent)) }
                            td { (workspace(&s.workspace)) }
                            td { (one_line(&s.person)) }
                            td { (layout::ago(clock, s.last)) }
                            td { @let state = s.state(clock.now); span class={ "state " (state) } { (state) } }
                            td .num { (thousands(s.calls())) }
                            td .num { (s.asked) }
                            td .num { (s.denied) }
                            td { (layout::bar([s.free, s.contained, s.asked, s.denied])) }
                        }
                    }
                }
            }
        }
    }
}
