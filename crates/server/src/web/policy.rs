//! The policy in force, its history, and what a call would come to.

use super::failure::Failure;
use super::gate::Viewer;
use super::layout::{self, Frame};
use super::{App, approvals};
use crate::error::ServerError;
use crate::index::Filter;
use crate::opened::short;
use crate::surroundings::Tried;
use crate::words::one_line;
use axum::extract::{Query, State};
use axum::response::Html;
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

/// A call to try.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Try {
    #[serde(default)]
    command: String,
    #[serde(default)]
    directory: String,
}

/// The page.
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Query(call): Query<Try>,
) -> Result<Html<String>, Failure> {
    let surroundings = Arc::clone(&app.surroundings);
    let (command, directory) = (call.command.trim().to_owned(), call.directory.trim().to_owned());
    let (force, tried) = tokio::task::spawn_blocking(move || {
        let tried = (!command.is_empty()).then(|| surroundings.try_call(&command, &directory));
        (surroundings.policy(), tried)
    })
    .await
    .map_err(|_| ServerError::Ended("reading the policy"))?;
    let clock = app.clock();
    let changed = Filter { kind: Some("policy".to_owned()), ..Filter::default() };
    let history = app.index.find(&changed, 20).await?;
    let content = html! {
        header .page {
            h1 { "Policy" }
            @if let Ok(force) = &force {
                p .figures {
                    span { "in force: " code { (short(&force.version)) } }
                    span { "mode " b { (force.mode) } }
                    span { "for " code { (one_line(&force.workspace)) } }
                }
                @for notice in &force.notices { p .notable { (one_line(notice)) } }
            }
        }
        section aria-labelledby="h-try" {
            h2 #h-try { "Try a call" }
            p .faint { "What a command would come to by the policy in force. Nothing runs, nothing is recorded." }
            form .try method="get" action="/policy" {
                label for="command" { "Command" }
                textarea #command name="command" rows="2" spellcheck="false" { (call.command) }
                label for="directory" { "Directory" }
                input #directory name="directory" value=(call.directory) spellcheck="false" placeholder="where ambit console was started";
                button type="submit" { "Try" }
            }
            @match &tried {
                Some(Ok(tried)) => (outcome(&call.command, tried)),
                Some(Err(why)) => p .bad { (one_line(why)) },
                None => {},
            }
        }
        section aria-labelledby="h-sources" {
            h2 #h-sources { "Sources in force" }
            @match &force {
                Err(why) => p .bad { (one_line(why)) },
                Ok(force) => {
                    @for source in &force.sources {
                        details .source {
                            summary { b { (one_line(&source.layer)) } " " code { (one_line(&source.name)) } " " span .faint { (source.text.lines().count()) " lines" } }
                            pre tabindex="0" { code { (layout::exact(&source.text, None)) } }
                        }
                    }
                }
            }
        }
        section aria-labelledby="h-history" {
            h2 #h-history { "History" }
            @if history.records.is_empty() { p .empty { "The policy has not changed since the record began." } }
            @else {
                ul .rows {
                    @for record in &history.records {
                        li { a .row href={ "/record/" (record.index) } {
                            span .when { (layout::ago(&clock, record.at)) }
                            span .word { (record.summary().0) }
                            span .what { (record.summary().1) }
                        } }
                    }
                }
            }
        }
    };
    let waiting = approvals::number_pending(&app).await?;
    let frame = Frame { viewer: &viewer, place: "/policy", title: "Policy", waiting };
    Ok(layout::page(&frame, &content))
}

fn outcome(command: &str, tried: &Tried) -> Markup {
    html! {
        div .tried {
            p { (layout::verdict(tried.verdict)) " " (one_line(&tried.reason)) }
            pre .command { code { (layout::exact(command, tried.risky)) } }
            dl .facts.wide {
                dt { "rule" } dd { code { (one_line(&tried.rule)) } " " span .faint { (one_line(&tried.layer)) } }
                dt { "effects" }
                dd {
                    ul .effects-list {
                        @for effect in &tried.effects {
                            li { (layout::verdict(effect.verdict)) " " (one_line(&effect.words)) " " code .faint { (one_line(&effect.rule)) } }
                        }
                    }
                }
                @if let Some(canonical) = &tried.canonical { dt { "as understood" } dd { code { (one_line(canonical)) } } }
                @if let Some(instead) = &tried.instead { dt { "instead" } dd { (one_line(instead)) } }
                @if !tried.approvers.is_empty() { dt { "would pass" } dd { "with the consent of " (one_line(&tried.approvers.join(" and "))) } }
            }
        }
    }
}
