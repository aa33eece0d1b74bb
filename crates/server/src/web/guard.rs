//! Whether the guard is really on.

use super::failure::Failure;
use super::gate::Viewer;
use super::layout::{self, Frame};
use super::{App, approvals};
use crate::error::ServerError;
use crate::surroundings::Level;
use crate::words::one_line;
use axum::extract::State;
use axum::response::Html;
use maud::html;
use std::sync::Arc;

/// The page: what `ambit doctor` says now.
pub(crate) async fn page(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Html<String>, Failure> {
    let surroundings = Arc::clone(&app.surroundings);
    let examined = tokio::task::spawn_blocking(move || surroundings.examine())
        .await
        .map_err(|_| ServerError::Ended("the examination"))?;
    let problems = examined.iter().flat_map(|e| &e.findings).filter(|f| f.level == Level::Problem).count();
    let content = html! {
        header .page {
            h1 { "Guard " @if problems == 0 { (layout::chip("v-allow", "on")) } @else { (layout::chip("v-deny", "off or open")) } }
            p .figures {
                @if problems == 0 { span { "What was tried at this moment holds." } }
                @else { span { b { (problems) } @if problems == 1 { " problem" } @else { " problems" } ": the guard is off or can be walked round." } }
            }
        }
        @for group in &examined {
            section {
                h2 { (group.name) }
                ul .findings {
                    @for finding in &group.findings {
                        @let (look, word) = match finding.level { Level::Good => ("v-allow", "ok"), Level::Warning => ("v-ask", "note"), Level::Problem => ("v-deny", "problem") };
                        li {
                            (layout::chip(look, word))
                            div { p { (one_line(&finding.what)) } @if !finding.mend.is_empty() { p .faint { (one_line(&finding.mend)) } } }
                        }
                    }
                }
            }
        }
    };
    let waiting = approvals::number_pending(&app).await?;
    let frame = Frame { viewer: &viewer, place: "/guard", title: "Guard", waiting };
    Ok(layout::page(&frame, &content))
}
