//! One record, with the proof that it is in the ledger.

use super::failure::Failure;
use super::gate::Viewer;
use super::layout::{self, Frame};
use super::{App, approvals};
use crate::index::blocking;
use crate::opened::{ERASED, Opened};
use crate::words::one_line;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};
use ledger::{LedgerError, Proof};
use maud::{Markup, html};
use serde_json::Value;
use std::sync::Arc;

async fn proved(
    app: &Arc<App>,
    index: u64,
    disclose: Vec<String>,
) -> Result<Result<Proof, LedgerError>, Failure> {
    let reader = app.reader.clone();
    let work = move || {
        let names: Vec<&str> = disclose.iter().map(String::as_str).collect();
        Ok(reader.prove(index, &names))
    };
    Ok(blocking(work).await?)
}

/// The record.
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(index): Path<u64>,
) -> Result<Html<String>, Failure> {
    let record = app.index.record(index).await?.ok_or(Failure::NotFound("record"))?;
    let clock = app.clock();
    let related = match &record.call {
        Some(call) => app.index.of_call(call).await?,
        None => Vec::new(),
    };
    let (word, text) = record.summary();
    let title = format!("Record {index}");
    let content = html! {
        header .page {
            h1 { (title) " " span .faint { (record.kind) } }
            p { span .word { (word) } " " (text) }
            dl .facts.wide {
                dt { "time" } dd { (clock.full(record.at)) " " code .faint { (ledger::format_time(record.at)) } }
                @if let Some(agent) = &record.agent { dt { "agent" } dd { (one_line(agent)) } }
                @if let Some(session) = &record.session { dt { "session" } dd { a href={ "/session/" (session) "#r" (index) } { code .break { (session) } } } }
                @if let Some(call) = &record.call { dt { "call" } dd { code .break { (one_line(call)) } } }
                @if let Some(subject) = &record.subject { dt { "person" } dd { (record.shown("person").unwrap_or_default()) " " code .faint { (one_line(subject)) } } }
            }
        }
        @if related.len() > 1 {
            section aria-labelledby="h-call" {
                h2 #h-call { "The same call" }
                ul .rows {
                    @for other in &related {
                        li { a .row href={ "/record/" (other.index) } aria-current=[(other.index == index).then_some("true")] {
                            (layout::time(&clock, other.at))
                            span .word { (other.summary().0) }
                            span .what { (other.summary().1) }
                            span .faint { "#" (other.index) }
                        } }
                    }
                }
            }
        }
        section aria-labelledby="h-fields" {
            h2 #h-fields { "Fields" }
            (fields(&record))
        }
        section aria-labelledby="h-proof" {
            h2 #h-proof { "Proof" }
            div #proof hx-get={ "/record/" (index) "/proof" } hx-trigger="load" hx-select="#proof" hx-swap="outerHTML" {
                p { a .button href={ "/record/" (index) "/proof" } { "Prove that it is in the ledger" } }
            }
        }
    };
    let waiting = approvals::number_pending(&app).await?;
    let frame = Frame { viewer: &viewer, place: "/sessions", title: &title, waiting };
    Ok(layout::page(&frame, &content))
}

fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

fn fields(record: &Opened) -> Markup {
    html! {
        div .scroll tabindex="0" role="region" aria-label="Table of the fields" {
            table .fields {
                thead { tr { th { "Field" } th { "Kept" } th { "Value" } } }
                tbody {
                    @for (name, value) in &record.body.what {
                        tr { th scope="row" { (one_line(name)) } td .faint { "clear" } td { pre { (layout::exact(&pretty(value), None)) } } }
                    }
                    @for (name, value) in &record.body.sealed {
                        tr { th scope="row" { (one_line(name)) } td .faint title="The record holds a salted hash of it; the value can be erased" { "sealed" } td { pre { (layout::exact(&pretty(value), None)) } } }
                    }
                    @for name in &record.body.erased {
                        tr { th scope="row" { (one_line(name)) } td .faint { "sealed" } td { em { (ERASED) } } }
                    }
                    @if let Some(trouble) = &record.body.trouble {
                        tr { th scope="row" { "trouble" } td {} td .bad { (trouble) } }
                    }
                }
            }
        }
    }
}

/// The proof, for people.
pub(crate) async fn proof(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(index): Path<u64>,
) -> Result<Html<String>, Failure> {
    let record = app.index.record(index).await?.ok_or(Failure::NotFound("record"))?;
    let clock = app.clock();
    let sealed: Vec<&String> = record.body.sealed.keys().collect();
    let content = html! {
        div #proof {
            @match proved(&app, index, Vec::new()).await? {
                Err(LedgerError::NotSealed(_)) => p { "No checkpoint covers this record yet; one is made about a second after it. " a href={ "/record/" (index) "/proof" } { "Try again" } },
                Err(e) => p .bad { (e.to_string()) },
                Ok(proof) => {
                    @let checkpoint = proof.checkpoint.checkpoint();
                    @let holds = ledger::verify_proof(&proof, None);
                    p {
                        @if holds.is_ok() { (layout::chip("v-allow", "holds")) } @else { (layout::chip("v-deny", "does not hold")) }
                        " Record " (index) " is among the " (checkpoint.size) " records sealed"
                        @if let Some(at) = checkpoint.time { " " (clock.full(at)) }
                        "."
                    }
                    dl .facts.wide {
                        dt { "leaf to root" }
                        dd { (proof.path.len()) " hashes" details { summary { "show them" } ol .hashes { @for hash in &proof.path { li { code .break { (hash) } } } } } }
                        dt { "root" } dd { code .break { (data_encoding::HEXLOWER.encode(&checkpoint.root)) } }
                        dt { "sealed by" } dd { code .break { (proof.key) } }
                    }
                    form .inline method="get" action={ "/record/" (index) "/proof.json" } {
                        @if !sealed.is_empty() {
                            fieldset {
                                legend { "Sealed values to disclose in the file" }
                                @for name in &sealed {
                                    label { input type="checkbox" name="disclose" value=(name); " " (name) }
                                }
                            }
                        }
                        button type="submit" { "Download the proof" }
                    }
                    p .faint { code { "ambit verify proof-" (index) ".json" } " checks it offline, without this ledger." }
                }
            }
        }
        p { a href={ "/record/" (index) } { "Back to the record" } }
    };
    let title = format!("Proof of record {index}");
    let waiting = approvals::number_pending(&app).await?;
    let frame = Frame { viewer: &viewer, place: "/sessions", title: &title, waiting };
    Ok(layout::page(&frame, &html! { header .page { h1 { (title) } } (content) }))
}

/// The proof as a file.
pub(crate) async fn proof_file(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(index): Path<u64>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<impl IntoResponse, Failure> {
    let names: Vec<String> =
        pairs.into_iter().filter(|(n, _)| n == "disclose").map(|(_, name)| name).collect();
    let disclosed = names.join(" ");
    let proof = proved(&app, index, names).await?.map_err(|e| Failure::Refused(e.to_string()))?;
    let text = serde_json::to_string_pretty(&proof).map_err(|e| Failure::Refused(e.to_string()))?;
    let record = index.to_string();
    app.note("console.proof", &viewer.person, &[("record", &record), ("disclosed", &disclosed)])?;
    let name = format!("attachment; filename=\"proof-{index}.json\"");
    Ok(([(CONTENT_TYPE, "application/json".to_owned()), (CONTENT_DISPOSITION, name)], text))
}
