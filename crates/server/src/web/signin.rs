//! In and out.

use super::failure::Failure;
use super::gate::{SignIn, Viewer};
use super::guards::{Sent, session_secret};
use super::{App, layout};
use axum::extract::{Path, State};
use axum::http::header::{HeaderMap, SET_COOKIE};
use axum::response::{Html, IntoResponse};
use maud::html;
use std::sync::Arc;

fn cookie(app: &App, value: &str, ends: &str) -> String {
    let secure = if app.origin.secure { "; Secure" } else { "" };
    format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}", app.origin.cookie_name())
}

/// Uses a link.
pub(crate) async fn sign_in(
    State(app): State<Arc<App>>,
    Path(secret): Path<String>,
) -> Result<impl IntoResponse, Failure> {
    match app.gate.sign_in(&secret, (app.now)())? {
        SignIn::In(session, person) => {
            app.note("console.signin", &person, &[("channel", "console")])?;
            let body = html! { p { a href="/" { "You are signed in as " (person.name) "." } } };
            Ok(([(SET_COOKIE, cookie(&app, &session, ""))], layout::onward("/", &body)))
        }
        SignIn::Out => Err(Failure::BadLink),
        SignIn::Slow => Err(Failure::Slow),
    }
}

/// Ends the session.
pub(crate) async fn sign_out(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    sent: Sent,
) -> Result<impl IntoResponse, Failure> {
    if let Some(secret) = session_secret(&app, &headers) {
        app.gate.sign_out(secret);
    }
    app.note("console.signout", &sent.viewer.person, &[("channel", "console")])?;
    let body = html! {
        div .notice {
            h1 { "Signed out" }
            p { "Press Enter in the terminal where " code { "ambit console" } " runs for a new link." }
        }
    };
    Ok(([(SET_COOKIE, cookie(&app, "", "; Max-Age=0"))], layout::bare("Signed out", &body)))
}

/// Answers what is asked for and is not there.
pub(crate) async fn nothing(_: Viewer) -> Result<Html<String>, Failure> {
    Err(Failure::NotFound("page"))
}
