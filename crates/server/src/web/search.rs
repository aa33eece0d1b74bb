//! Search: what is asked for, what is found, searches that a person keeps, and the export of all that fits.

use super::failure::Failure;
use super::gate::Viewer;
use super::guards::Sent;
use super::layout::{self, Frame};
use super::story::urlencoded;
use super::{App, approvals};
use crate::index::{Column, Filter, Saved};
use crate::opened::{Opened, short};
use crate::words::{Clock, fit, one_line};
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Redirect};
use futures_util::stream;
use maud::{Markup, html};
use model::{EffectKind, VerdictKind};
use serde::Deserialize;
use std::sync::Arc;

/// Records on a page.
const PAGE: u32 = 100;
/// Records read at a time for an export.
const CHUNK: u32 = 500;
/// Longest name of a kept search, in characters.
const LONGEST_NAME: usize = 80;

/// What is asked for, as the address says it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    text: String,
    #[serde(default)]
    agent: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    session: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    effect: String,
    #[serde(default)]
    surface: String,
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    rule: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    before: String,
    #[serde(default)]
    format: String,
}

impl Asked {
    fn fields(&self) -> [(&'static str, &str); 13] {
        [
            ("text", &self.text),
            ("agent", &self.agent),
            ("person", &self.person),
            ("session", &self.session),
            ("path", &self.path),
            ("host", &self.host),
            ("effect", &self.effect),
            ("surface", &self.surface),
            ("verdict", &self.verdict),
            ("rule", &self.rule),
            ("kind", &self.kind),
            ("since", &self.since),
            ("until", &self.until),
        ]
    }

    /// The query string, without what is empty.
    fn query(&self) -> String {
        let pairs: Vec<String> = self
            .fields()
            .into_iter()
            .filter(|(_, value)| !value.trim().is_empty())
            .map(|(name, value)| format!("{name}={}", urlencoded(value.trim())))
            .collect();
        pairs.join("&")
    }

    fn filter(&self, clock: &Clock) -> Result<Filter, String> {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
        let time = |text: &str| {
            match some(text) {
            None => Ok(None),
            Some(text) => clock.parse(&text).map(Some).ok_or_else(|| {
                format!("`{text}` is no time: give one like `2026-11-22`, `2026-11-22T14:00`, `2h`, `3d`, `today` or `yesterday`")
            }),
        }
        };
        Ok(Filter {
            session: some(&self.session),
            agent: some(&self.agent),
            person: some(&self.person),
            path: some(&self.path),
            host: some(&self.host),
            effect: some(&self.effect),
            surface: some(&self.surface),
            verdict: some(&self.verdict),
            rule: some(&self.rule),
            kind: some(&self.kind),
            text: some(&self.text),
            since: time(&self.since)?,
            until: time(&self.until)?,
            before: self.before.parse().ok(),
            from: None,
        })
    }
}

/// The page.
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failure> {
    let clock = app.clock();
    let filter = asked.filter(&clock);
    let found = match &filter {
        Ok(filter) => Some(app.index.find(filter, PAGE).await?),
        Err(_) => None,
    };
    let saved = app.index.saved(&viewer.person.subject).await?;
    let (agents, people, rules) = (
        app.index.words(Column::Agent).await?,
        app.index.words(Column::Person).await?,
        app.index.words(Column::Rule).await?,
    );
    let query = asked.query();
    let content = html! {
        header .page { h1 { "Search" } }
        form .search method="get" action="/search" role="search" {
            input #q .main type="search" name="text" value=(asked.text) placeholder="text in a command, path, prompt, target, reason or error" aria-label="Text" data-search;
            div .grid {
                (choice("verdict", "Verdict", &asked.verdict, [VerdictKind::Allow, VerdictKind::Contain, VerdictKind::Ask, VerdictKind::Deny].map(|v| v.word().to_owned())))
                (choice("effect", "Effect", &asked.effect, EffectKind::ALL.map(|k| k.word().to_owned())))
                (choice("surface", "Surface", &asked.surface, ["code", "command", "data", "tool"].map(str::to_owned)))
                (choice("agent", "Agent", &asked.agent, agents))
                (choice("person", "Person", &asked.person, people))
                (choice("rule", "Rule", &asked.rule, rules))
                (choice("kind", "Record", &asked.kind, ["decision", "outcome", "prompt", "session", "approval", "subagent", "config", "policy", "console", "ledger"].map(str::to_owned)))
                (field("session", "Session", &asked.session, "beginning of its id"))
                (field("path", "Path", &asked.path, "/src or part of one"))
                (field("host", "Host", &asked.host, "example.com"))
                (field("since", "Since", &asked.since, "2h, yesterday, 2026-11-22"))
                (field("until", "Until", &asked.until, "2026-11-22T14:00"))
            }
            div .actions {
                button type="submit" { "Search" }
                @if !query.is_empty() {
                    a href="/search" { "Clear" }
                    span .end { "Export " a href={ "/search/export?format=jsonl&" (query) } { "JSONL" } " " a href={ "/search/export?format=csv&" (query) } { "CSV" } }
                }
            }
        }
        @if !saved.is_empty() || !query.is_empty() {
            div .saved {
                @for one in &saved {
                    form .pill method="post" action="/search/forget" {
                        a href={ "/search?" (one.query) } { (one_line(&one.name)) }
                        input type="hidden" name="token" value=(viewer.token);
                        input type="hidden" name="name" value=(one.name);
                        button .quiet type="submit" aria-label={ "Forget the search " (one.name) } title="Forget it" { "×" }
                    }
                }
                @if !query.is_empty() {
                    form .pill method="post" action="/search/save" {
                        input type="hidden" name="token" value=(viewer.token);
                        input type="hidden" name="query" value=(query);
                        input name="name" placeholder="keep as …" aria-label="Name of the search" required maxlength=(LONGEST_NAME);
                        button type="submit" { "Keep" }
                    }
                }
            }
        }
        @match (&filter, &found) {
            (Err(why), _) => p .bad { (why) },
            (_, Some(found)) => {
                @if found.records.is_empty() { p .empty { "No record fits." } }
                @else { (rows(&found.records, &clock)) }
                @if let Some(next) = found.next { p { a .button href={ "/search?" (query) "&before=" (next) } { "Older records" } } }
            },
            _ => {},
        }
    };
    let waiting = approvals::number_pending(&app).await?;
    let frame = Frame { viewer: &viewer, place: "/search", title: "Search", waiting };
    Ok(layout::page(&frame, &content))
}

fn choice(name: &str, label: &str, now: &str, words: impl IntoIterator<Item = String>) -> Markup {
    let mut words: Vec<String> = words.into_iter().collect();
    if !now.is_empty() && !words.iter().any(|w| w == now) {
        words.push(now.to_owned());
    }
    html! {
        label { span { (label) }
            select name=(name) {
                option value="" { "any" }
                @for word in &words { option value=(word) selected[word == now] { (one_line(word)) } }
            }
        }
    }
}

fn field(name: &str, label: &str, now: &str, example: &str) -> Markup {
    html! { label { span { (label) } input name=(name) value=(now) placeholder=(example) autocomplete="off" spellcheck="false"; } }
}

fn rows(records: &[Opened], clock: &Clock) -> Markup {
    let mut day = None;
    html! {
        ul .rows {
            @for record in records {
                @let today = clock.day(record.at);
                @if day.as_ref() != Some(&today) { li .day { (today) } @let _ = day.insert(today); }
                @let (word, text) = record.summary();
                @let place = record.session.as_ref().map_or_else(|| format!("/record/{}", record.index), |s| format!("/session/{s}#r{}", record.index));
                li tabindex="-1" {
                    a .row href=(place) {
                        (layout::time(clock, record.at))
                        @match record.verdict() { Some(verdict) => (layout::verdict(verdict)), None => span .word { (word) } }
                        span .tool { (record.session.as_deref().map(short).unwrap_or_default()) }
                        @if record.verdict().is_some() { code .what { (fit(&text, 220)) } } @else { span .what { (fit(&text, 220)) } }
                        span .ending.faint { (one_line(record.clear("rule"))) }
                    }
                }
            }
        }
    }
}

/// Keeps a search.
pub(crate) async fn save(State(app): State<Arc<App>>, sent: Sent) -> Result<impl IntoResponse, Failure> {
    let name: String = sent.field("name").chars().take(LONGEST_NAME).collect();
    let query = sent.field("query").to_owned();
    if name.is_empty() {
        return Err(Failure::Refused("A search is kept under a name; give one.".to_owned()));
    }
    app.index.save(&sent.viewer.person.subject, &Saved { name, query: query.clone() }).await?;
    Ok(Redirect::to(&format!("/search?{query}")))
}

/// Forgets one.
pub(crate) async fn forget(State(app): State<Arc<App>>, sent: Sent) -> Result<impl IntoResponse, Failure> {
    app.index.unsave(&sent.viewer.person.subject, sent.field("name")).await?;
    Ok(Redirect::to("/search"))
}

/// Columns of the CSV file.
const COLUMNS: &str =
    "index,at,kind,agent,session,call,person,subject,tool,verdict,judged,rule,about,effects\r\n";

/// A field of a CSV file (RFC 4180). One that a table program would take for a formula gets a quote before it.
fn quoted(text: &str) -> String {
    let text = one_line(text);
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

fn csv(record: &Opened) -> String {
    let effects: Vec<String> =
        record.effects().map(|e| format!("{} {}", e.kind, e.target.unwrap_or("(erased)"))).collect();
    let fields = [
        record.index.to_string(),
        ledger::format_time(record.at),
        record.kind.to_string(),
        record.agent.clone().unwrap_or_default(),
        record.session.clone().unwrap_or_default(),
        record.call.clone().unwrap_or_default(),
        record.shown("person").unwrap_or_default(),
        record.subject.clone().unwrap_or_default(),
        record.clear("tool").to_owned(),
        record.clear("verdict").to_owned(),
        record.clear("would").to_owned(),
        record.clear("rule").to_owned(),
        record.summary().1,
        effects.join("; "),
    ];
    let mut line = fields.map(|f| quoted(&f)).join(",");
    line.push_str("\r\n");
    line
}

/// All that fits, newest first, as a stream.
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<impl IntoResponse, Failure> {
    let filter = asked.filter(&app.clock()).map_err(Failure::Refused)?;
    let as_csv = match asked.format.as_str() {
        "csv" => true,
        "jsonl" => false,
        _ => return Err(Failure::Refused("An export is `jsonl` or `csv`.".to_owned())),
    };
    app.note("console.export", &viewer.person, &[("format", &asked.format)])?;
    let head = if as_csv { COLUMNS.to_owned() } else { String::new() };
    let body = stream::unfold((app, Some(filter), head), move |(app, filter, mut text)| async move {
        let mut filter = filter?;
        let page = match app.index.find(&filter, CHUNK).await {
            Ok(page) => page,
            // The connection breaks, so that nobody takes a part for the whole.
            Err(e) => return Some((Err(std::io::Error::other(e.to_string())), (app, None, String::new()))),
        };
        for record in &page.records {
            if as_csv {
                text.push_str(&csv(record));
            } else {
                text.push_str(&record.json().to_string());
                text.push('\n');
            }
        }
        let next = page.next.map(|before| {
            filter.before = Some(before);
            filter
        });
        Some((Ok(Bytes::from(text)), (app, next, String::new())))
    });
    let (kind, name) =
        if as_csv { ("text/csv; charset=utf-8", "csv") } else { ("application/jsonl", "jsonl") };
    let disposition = format!("attachment; filename=\"ambit-search.{name}\"");
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], Body::from_stream(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_csv_file_are_no_formulas() {
        assert_eq!(quoted("=cmd|' /c calc'!A1"), "\"'=cmd|' /c calc'!A1\"");
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(quoted("two\nlines"), "\"two lines\"");
    }

    #[test]
    fn a_query_says_what_was_asked() {
        let asked = Asked { text: "rm -rf".to_owned(), verdict: "deny".to_owned(), ..Asked::default() };
        assert_eq!(asked.query(), "text=rm%20-rf&verdict=deny");
        let clock = Clock { now: jiff::Timestamp::UNIX_EPOCH, zone: jiff::tz::TimeZone::UTC };
        let bad = Asked { since: "soon".to_owned(), ..Asked::default() };
        assert!(bad.filter(&clock).unwrap_err().contains("`soon` is no time"));
    }
}
