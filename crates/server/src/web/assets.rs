//! Style and scripts, within the program.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

const STYLE: &str = include_str!("../assets/console.css");
const SCRIPT: &str = include_str!("../assets/console.js");
const HTMX: &str = include_str!("../assets/htmx.min.js");
const SSE: &str = include_str!("../assets/sse.min.js");
const LICENCE: &str = include_str!("../assets/LICENSE-htmx.txt");
const ICON: &str = include_str!("../assets/icon.svg");

/// Serves a file by its name.
pub(crate) async fn asset(axum::extract::Path(name): axum::extract::Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "console.css" => ("text/css; charset=utf-8", STYLE),
        "console.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "htmx.min.js" => ("text/javascript; charset=utf-8", HTMX),
        "sse.min.js" => ("text/javascript; charset=utf-8", SSE),
        "LICENSE-htmx.txt" => ("text/plain; charset=utf-8", LICENCE),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=300")], text).into_response()
}
