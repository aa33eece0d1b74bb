//! A session's story, and the list of sessions.

use super::failure::Failure;
use super::gate::Viewer;
use super::layout::{self, Frame};
use super::story::{Shown, timeline};
use super::{App, approvals, now};
use crate::opened::short;
use crate::story::gather;
use crate::words::{count, one_line, span_words};
use axum::extract::{Path, Query, State};
use axum::response::Html;
use jiff::Timestamp;
use maud::html;
use serde::Deserialize;
use std::sync::Arc;

/// Records on a page.
const RECORDS: u32 = 2000;
/// Sessions in the list.
const SESSIONS: u32 = 200;

/// The list.
pub(crate) async fn list(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Html<String>, Failure> {
    let clock = app.clock();
    let sessions = app.index.sessions(Timestamp::UNIX_EPOCH, SESSIONS).await?;
    let waiting = approvals::number_pending(&app).await?;
    let content = html! {
        header .page { h1 { "Sessions" } p .figures { span { "the last " (sessions.len()) } } }
        div #live hx-get="/sessions" hx-select="#live" hx-swap="outerHTML" hx-trigger="sse:ledger" {
            @if sessions.is_empty() { p .empty { "No session is recorded yet." } }
            @else { (now::table(&sessions, &clock)) }
        }
    };
    let frame = Frame { viewer: &viewer, place: "/sessions", title: "Sessions", waiting };
    Ok(layout::page(&frame, &content))
}

/// What of a session is shown.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    show: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    from: u64,
}

/// The story.
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Failure> {
    let clock = app.clock();
    let session = app.index.session(&id).await?.ok_or(Failure::NotFound("session"))?;
    let mut records = app.index.of_session(&session.id, wanted.from, RECORDS + 1).await?;
    let next = records.get(RECORDS as usize).map(|r| r.index);
    records.truncate(RECORDS as usize);
    let state = session.state(clock.now);
    let moments = gather(records);
    let shown = Shown { verdict: wanted.show.clone(), text: wanted.text.trim().to_lowercase() };
    let waiting = approvals::pending(&app).await?;
    let here: Vec<_> =
        waiting.iter().filter(|case| case.request.question.exact.session == session.id).cloned().collect();
    let took = u64::try_from(session.last.duration_since(session.first).as_millis()).unwrap_or(0);
    let address = format!("/session/{}", session.id);
    let filtered = |show: &str| format!("{address}?show={show}");
    let choices = [
        ("", "everything"),
        ("stopped", "stopped"),
        ("ask", "asked"),
        ("deny", "denied"),
        ("contain", "contained"),
        ("failed", "failed"),
    ];
    let content = html! {
        header .page {
            h1 { "Session " code { (short(&session.id)) } " " span class={ "state " (state) } { (state) } }
            dl .facts.pairs {
                div { dt { "agent" } dd { (one_line(&session.agent)) } }
                div { dt { "person" } dd { (one_line(&session.person)) " " span .faint { (one_line(&session.subject)) } } }
                div { dt { "where" } dd { code { (one_line(&session.workspace)) } } }
                div { dt { "mode" } dd { (one_line(&session.mode)) ", " @if session.attended { "a person sits at it" } @else { "nobody sits at it" } } }
                div { dt { "time" } dd { (clock.full(session.first)) ", " (span_words(took)) } }
                div { dt { "id" } dd { code .break { (session.id) } } }
            }
        }
        @if !here.is_empty() {
            section aria-labelledby="h-waiting" { h2 #h-waiting { "Waiting for a person" } (approvals::list(&here, &clock)) }
        }
        div .totals {
            (layout::bar([session.free, session.contained, session.asked, session.denied]))
            p .figures {
                span { b { (count(session.calls(), "call")) } }
                span .t-allow { b { (session.free) } " free" }
                span .t-contain { b { (session.contained) } " contained" }
                span .t-ask { b { (session.asked) } " asked" }
                span .t-deny { b { (session.denied) } " denied" }
                span .faint { (session.ran) " ran, " (session.failed) " failed" }
            }
        }
        form .filters method="get" action=(address) role="search" aria-label="Within this session" {
            div .choices role="group" aria-label="Show" {
                @for (show, name) in choices {
                    a href=(filtered(show)) aria-current=[(wanted.show == show).then_some("true")] { (name) }
                }
            }
            @if !wanted.show.is_empty() { input type="hidden" name="show" value=(wanted.show); }
            input type="search" name="text" value=(wanted.text) placeholder="text in this session" aria-label="Text in this session";
            button type="submit" { "Filter" }
        }
        div #live hx-get={ (address) "?show=" (super::story::urlencoded(&wanted.show)) "&text=" (super::story::urlencoded(&wanted.text)) "&from=" (wanted.from) }
            hx-select="#live" hx-swap="outerHTML" hx-trigger=[(state == "live" && next.is_none()).then_some("sse:ledger")] {
            @if wanted.from > 0 { p { a href=(address) { "From the beginning" } } }
            (timeline(&moments, &clock, state == "live", &shown))
            @if !shown.all() { p .faint { "Only a part is shown. " a href=(address) { "Show everything" } } }
            @if let Some(next) = next { p { a .button href={ (address) "?from=" (next) } { "Later records" } } }
        }
    };
    let title = format!("Session {}", short(&session.id));
    let frame = Frame { viewer: &viewer, place: "/sessions", title: &title, waiting: waiting.len() };
    Ok(layout::page(&frame, &content))
}
