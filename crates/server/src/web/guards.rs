//! What every request passes: is it meant for us, does it come from our own pages, who sends it. And what every answer
//! carries.

use super::App;
use super::failure::Failure;
use super::gate::{Entry, Viewer, Wish, same};
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Name of the cookie of a session over http; over https it is bound to the host by its name too.
pub(crate) const COOKIE_NAME: &str = "ambit_console";

/// Nothing from elsewhere, nothing inline: what a page shows can never become what it does.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The address by which browsers reach the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// `http://ambit-4f2a.localhost:7483`.
    pub(crate) whole: String,
    /// `ambit-4f2a.localhost:7483`.
    pub(crate) host: String,
    /// Whether it is https.
    pub(crate) secure: bool,
}

impl Origin {
    /// Reads `http://host[:port]` or `https://host[:port]`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text).to_lowercase();
        let (secure, host) = match text.strip_prefix("https://") {
            Some(host) => (true, host),
            None => (false, text.strip_prefix("http://")?),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        if host.is_empty() || !host.chars().all(plain) {
            return None;
        }
        Some(Self { host: host.to_owned(), secure, whole: text.clone() })
    }

    pub(crate) fn cookie_name(&self) -> String {
        if self.secure { format!("__Host-{COOKIE_NAME}") } else { COOKIE_NAME.to_owned() }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether the request is addressed to us, and one that changes something comes from a page of ours.
fn meant(origin: &Origin, method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
    // Another name that leads here is an attack by name server, or a mistake.
    if text(headers, &HOST).map(str::to_lowercase).as_deref() != Some(&origin.host) {
        return Err(Failure::Misdirected);
    }
    if *method == Method::GET || *method == Method::HEAD {
        return Ok(());
    }
    let from_us = match text(headers, &ORIGIN) {
        Some(given) => given.eq_ignore_ascii_case(&origin.whole),
        None => text(headers, &HeaderName::from_static("sec-fetch-site")) == Some("same-origin"),
    };
    if from_us { Ok(()) } else { Err(Failure::Foreign) }
}

/// Passes what is meant for us on, and gives every answer its headers.
pub(crate) async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let asset = request.uri().path().starts_with("/assets/");
    let mut response = match meant(&app.origin, request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("same-origin"));
    }
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=()"),
    );
    if !asset {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The session's secret, from the cookie.
pub(crate) fn session_secret<'a>(app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
    let name = app.origin.cookie_name();
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name.as_str())?.strip_prefix('='))
}

fn enter(app: &App, headers: &HeaderMap, wish: Wish) -> Result<Viewer, Failure> {
    let secret = session_secret(app, headers).ok_or(Failure::SignedOut)?;
    match app.gate.enter(secret, wish, (app.now)()) {
        Entry::In(viewer) => Ok(viewer),
        Entry::Out => Err(Failure::SignedOut),
        Entry::Slow => Err(Failure::Slow),
    }
}

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        enter(app, &parts.headers, Wish::Read)
    }
}

/// A form that a signed-in person sent from a page of ours.
pub(crate) struct Sent {
    /// Who.
    pub(crate) viewer: Viewer,
    /// Its fields.
    pub(crate) fields: BTreeMap<String, String>,
}

impl Sent {
    /// A field without the blanks around it; empty when it is not there.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map(|value| value.trim()).unwrap_or_default()
    }
}

impl FromRequest<Arc<App>> for Sent {
    type Rejection = Failure;
    async fn from_request(request: Request<Body>, app: &Arc<App>) -> Result<Self, Failure> {
        let viewer = enter(app, request.headers(), Wish::Write)?;
        let axum::Form(fields): axum::Form<BTreeMap<String, String>> =
            axum::Form::from_request(request, app).await.map_err(|_| Failure::Malformed)?;
        let given = fields.get("token").map(String::as_str).unwrap_or_default();
        if !same(given, &viewer.token) {
            return Err(Failure::Foreign);
        }
        Ok(Self { viewer, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let origin = Origin::parse("https://Ambit.example.com/").unwrap();
        assert_eq!((origin.host.as_str(), origin.secure), ("ambit.example.com", true));
        assert_eq!(origin.cookie_name(), "__Host-ambit_console");
        for bad in
            ["", "ambit.example.com", "ftp://x", "https://", "https://a/b", "https://a b", "https://a@b"]
        {
            assert_eq!(Origin::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_what_is_meant_for_us() {
        let origin = Origin::parse("http://ambit-1.localhost:7483").unwrap();
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
                .collect::<HeaderMap>()
        };
        let ours = ("host", "ambit-1.localhost:7483");
        assert!(meant(&origin, &Method::GET, &headers(&[ours])).is_ok());
        assert!(meant(&origin, &Method::GET, &headers(&[("host", "evil.example:7483")])).is_err());
        assert!(meant(&origin, &Method::GET, &headers(&[])).is_err());
        assert!(meant(&origin, &Method::POST, &headers(&[ours])).is_err());
        assert!(meant(&origin, &Method::POST, &headers(&[ours, ("origin", "null")])).is_err());
        assert!(
            meant(&origin, &Method::POST, &headers(&[ours, ("origin", "http://localhost:7483")])).is_err()
        );
        assert!(
            meant(&origin, &Method::POST, &headers(&[ours, ("origin", "http://ambit-1.localhost:7483")]))
                .is_ok()
        );
        assert!(meant(&origin, &Method::POST, &headers(&[ours, ("sec-fetch-site", "cross-site")])).is_err());
        assert!(meant(&origin, &Method::POST, &headers(&[ours, ("sec-fetch-site", "same-origin")])).is_ok());
    }
}
