//! What all pages share: head, navigation, and the small parts of which they are made.

use super::gate::Viewer;
use crate::opened::EffectView;
use crate::words::{Clock, is_hidden, one_line};
use axum::response::Html;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::VerdictKind;

/// The pages of the navigation: address, name, key.
const PAGES: [(&str, &str, &str); 8] = [
    ("/", "Now", "n"),
    ("/sessions", "Sessions", "s"),
    ("/search", "Search", "f"),
    ("/approvals", "Approvals", "a"),
    ("/guard", "Guard", "u"),
    ("/policy", "Policy", "p"),
    ("/insight", "Insight", "i"),
    ("/evidence", "Evidence", "e"),
];

/// A page's frame.
pub(crate) struct Frame<'a> {
    /// Who looks.
    pub(crate) viewer: &'a Viewer,
    /// The page of the navigation to which it belongs.
    pub(crate) place: &'a str,
    /// Its title.
    pub(crate) title: &'a str,
    /// How many approvals wait.
    pub(crate) waiting: usize,
}

fn head(title: &str, scripts: bool) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · Ambit" }
            link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
            link rel="stylesheet" href="/assets/console.css";
            @if scripts {
                meta name="htmx-config" content=r#"{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;
                script src="/assets/htmx.min.js" defer {}
                script src="/assets/sse.min.js" defer {}
                script src="/assets/console.js" defer {}
            }
        }
    }
}

/// A page with navigation.
pub(crate) fn page(frame: &Frame<'_>, content: &Markup) -> Html<String> {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            (head(frame.title, true))
            body hx-ext="sse" sse-connect="/events" {
                a .skip href="#content" { "Skip to content" }
                header .side {
                    a .brand href="/" { (mark()) span { "Ambit" } }
                    nav aria-label="Pages" {
                        ul {
                            @for (address, name, key) in PAGES {
                                li {
                                    a href=(address) data-key=(key) aria-current=[(frame.place == address).then_some("page")] {
                                        span { (name) }
                                        @if address == "/approvals" { (waiting_badge(frame.waiting)) }
                                    }
                                }
                            }
                        }
                    }
                    form .who method="post" action="/signout" {
                        input type="hidden" name="token" value=(frame.viewer.token);
                        span .name title=(frame.viewer.person.subject) { (one_line(&frame.viewer.person.name)) }
                        button .quiet type="submit" { "Sign out" }
                    }
                }
                main id="content" tabindex="-1" { (content) }
                dialog id="keys" aria-labelledby="keys-title" {
                    h2 id="keys-title" { "Keys" }
                    dl .keys {
                        dt { kbd { "j" } " " kbd { "k" } } dd { "next, previous row" }
                        dt { kbd { "Enter" } } dd { "open or close it" }
                        dt { kbd { "/" } } dd { "to the search field" }
                        @for (_, name, key) in PAGES {
                            dt { kbd { "g" } " " kbd { (key) } } dd { (name) }
                        }
                        dt { kbd { "?" } } dd { "these keys" }
                    }
                    form method="dialog" { button type="submit" { "Close" } }
                }
            }
        }
    };
    Html(markup.into_string())
}

/// The number of approvals that wait, which changes while the page is open.
pub(crate) fn waiting_badge(waiting: usize) -> Markup {
    html! {
        span id="waiting" hx-get="/approvals/count" hx-trigger="sse:approvals" hx-swap="outerHTML" {
            @if waiting > 0 {
                span .badge { (waiting) span .unseen { " waiting" } }
            }
        }
    }
}

/// A page without navigation, for who is not signed in.
pub(crate) fn bare(title: &str, content: &Markup) -> Html<String> {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title, false))
            body .bare { main id="content" { p .brand { (mark()) span { "Ambit" } } (content) } }
        }
    };
    Html(markup.into_string())
}

/// The page after a sign-in: a step of our own, so that the cookie, which other sites' pages cannot send, is sent.
pub(crate) fn onward(to: &str, content: &Markup) -> Html<String> {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content={ "0; url=" (to) };
                title { "Signed in · Ambit" }
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/console.css";
            }
            body .bare { main id="content" { p .brand { (mark()) span { "Ambit" } } (content) } }
        }
    };
    Html(markup.into_string())
}

fn mark() -> Markup {
    PreEscaped(
        r##"<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><path d="M6 25V14a10 10 0 0 1 20 0v11" fill="none" stroke="currentColor" stroke-width="3.4" stroke-linecap="round"/><circle cx="16" cy="21" r="3.4" fill="currentColor"/></svg>"##
            .to_owned(),
    )
}

/// The verdict as a chip.
pub(crate) fn verdict(kind: VerdictKind) -> Markup {
    html! { span class={ "chip v-" (kind.word()) } { (kind.word()) } }
}

/// A word as a chip of another look.
pub(crate) fn chip(look: &str, word: &str) -> Markup {
    html! { span class={ "chip " (look) } { (word) } }
}

/// A time, with the whole of it for who points at it.
pub(crate) fn time(clock: &Clock, at: Timestamp) -> Markup {
    html! { time datetime=(ledger::format_time(at)) title=(clock.full(at)) { (clock.time(at)) } }
}

/// How long ago.
pub(crate) fn ago(clock: &Clock, at: Timestamp) -> Markup {
    html! { time datetime=(ledger::format_time(at)) title=(clock.full(at)) { (clock.ago(at)) } }
}

/// The text as it is, with hidden characters written out and marked, and the bytes from `risky` marked as what decides.
pub(crate) fn exact(text: &str, risky: Option<(usize, usize)>) -> Markup {
    let within = |at: usize| risky.is_some_and(|(from, to)| at >= from && at < to);
    let mut out = String::with_capacity(text.len() + 64);
    let mut open = false;
    for (at, c) in text.char_indices() {
        if within(at) != open {
            open = !open;
            out.push_str(if open { "<mark>" } else { "</mark>" });
        }
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if is_hidden(c) => {
                out.push_str(&format!("<span class=\"hidden-char\">\\u{{{:x}}}</span>", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    if open {
        out.push_str("</mark>");
    }
    PreEscaped(out)
}

/// One effect: what would be done, and to what.
pub(crate) fn effect(view: &EffectView<'_>) -> Markup {
    let target = view.target.map(one_line);
    html! {
        span class={ "effect v-" (view.verdict) } title={ (view.surface) ", rule " (view.rule) } {
            b { (view.kind) }
            @if let Some(target) = &target { " " span .target { (target) } } @else { " " em { "erased" } }
            @if !view.understood { " " span .faint { "not understood" } }
        }
    }
}

/// Calls by what was answered, as one bar. `counts`: free, contained, asked, denied.
pub(crate) fn bar(counts: [u64; 4]) -> Markup {
    const NAMES: [(&str, &str); 4] =
        [("allow", "free"), ("contain", "contained"), ("ask", "asked"), ("deny", "denied")];
    let all: u64 = counts.iter().sum();
    let label: Vec<String> = NAMES
        .iter()
        .zip(counts)
        .filter(|(_, n)| *n > 0)
        .map(|((_, name), n)| format!("{n} {name}"))
        .collect();
    let label = if label.is_empty() { "no calls".to_owned() } else { label.join(", ") };
    let mut from = 0_u64;
    let mut parts = String::new();
    for ((class, _), count) in NAMES.iter().zip(counts) {
        if count > 0 {
            // At least a sliver, so that one denial in a thousand calls is seen.
            let width = (count * 1000 / all.max(1)).max(14);
            parts.push_str(&format!(
                "<rect class=\"f-{class}\" x=\"{from}\" width=\"{width}\" height=\"10\"/>"
            ));
            from += width;
        }
    }
    html! {
        svg .bar viewBox={ "0 0 " (from.max(1)) " 10" } preserveAspectRatio="none" role="img" aria-label=(label) {
            title { (label) }
            (PreEscaped(parts))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_holds_never_becomes_markup() {
        let shown = exact("rm -rf <b>\"x\"&\u{202e}", Some((0, 6))).into_string();
        assert_eq!(
            shown,
            "<mark>rm -rf</mark> &lt;b&gt;&quot;x&quot;&amp;<span class=\"hidden-char\">\\u{202e}</span>"
        );
        assert_eq!(exact("é rm", Some((3, 5))).into_string(), "é <mark>rm</mark>");
    }

    #[test]
    fn bars_say_what_they_show() {
        let bar = bar([9, 0, 1, 0]).into_string();
        assert!(
            bar.contains("aria-label=\"9 free, 1 asked\"")
                && bar.contains("f-ask")
                && !bar.contains("f-deny"),
            "{bar}"
        );
    }
}
