//! Answers that are no page: what happened, why, and what to do.

use super::layout;
use crate::error::ServerError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;

/// Why a request is not answered as it wished.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody is signed in.
    SignedOut,
    /// The link signs nobody in.
    BadLink,
    /// Too many requests.
    Slow,
    /// Another host was meant.
    Misdirected,
    /// It does not come from a page of ours.
    Foreign,
    /// The form cannot be read.
    Malformed,
    /// There is no such thing.
    NotFound(&'static str),
    /// It cannot be done, for a reason that the person can mend.
    Refused(String),
    /// We failed.
    Ours(ServerError),
}

impl<E: Into<ServerError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Ours(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, title, text) = match self {
            Self::SignedOut => (
                StatusCode::UNAUTHORIZED,
                "Not signed in",
                "This browser is not signed in, or its session has ended. Run `ambit console` in a terminal and open the link that it prints.".to_owned(),
            ),
            Self::BadLink => (
                StatusCode::UNAUTHORIZED,
                "This link signs nobody in",
                "It was used already, or it is older than ten minutes. Press Enter in the terminal where `ambit console` runs for a new one.".to_owned(),
            ),
            Self::Slow => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                "Wait a few seconds and try again.".to_owned(),
            ),
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "Wrong address",
                "The console answers only under the address that `ambit console` prints.".to_owned(),
            ),
            Self::Foreign => (
                StatusCode::FORBIDDEN,
                "Not from this console",
                "This form was not sent by a page of this console, so nothing was done. Go back, reload the page and try again.".to_owned(),
            ),
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                "The form cannot be read",
                "Nothing was done. Go back, reload the page and try again.".to_owned(),
            ),
            Self::NotFound(what) => (
                StatusCode::NOT_FOUND,
                "Not found",
                format!("There is no such {what} in the record that is indexed here."),
            ),
            Self::Refused(why) => (StatusCode::CONFLICT, "This was not done", why),
            Self::Ours(error) => (StatusCode::INTERNAL_SERVER_ERROR, "The console failed", error.to_string()),
        };
        let body = html! {
            div .notice {
                h1 { (title) }
                p { (text) }
                p { a href="/" { "To the console" } }
            }
        };
        (status, layout::bare(title, &body)).into_response()
    }
}
