//! A request as a person reads it: what it would do, the exact command with the part that decided marked, why it was
//! stopped, what led there, and the safer way.

use crate::commands::story::{fit, fitted, one_line, span_words, width};
use crate::output::style::{self, paint};
use crate::output::{line, print};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstyle::Style;
use approvals::{Case, Choice, Risk, State};
use guard::visible;
use jiff::Timestamp;

/// The style of a state.
fn look(state: State) -> Style {
    match state {
        State::Pending => style::WARNING,
        State::Approved => style::GOOD,
        State::Denied => style::BAD,
        State::Expired | State::Consumed => style::FAINT,
    }
}

/// How long ago, or how long still, in words.
pub(crate) fn away(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs().max(0);
    span_words(u64::try_from(seconds).unwrap_or(0) * 1000)
}

/// One line of a list.
pub(crate) fn row(case: &Case, now: Timestamp) {
    let question = &case.request.question;
    let begin = format!("{:<6}", case.request.id.to_string());
    let state = fitted(case.state.word(), 10);
    let risk = fitted(question.risk.word(), 9);
    let risk = if question.risk == Risk::Ordinary { risk } else { paint(style::BAD, &risk) };
    let who = fit(&question.quorum.words(), 28);
    let left = if case.state == State::Pending {
        format!("{} left", away(now, question.expires_at))
    } else {
        format!("{} ago", away(question.asked_at, now))
    };
    let room = width().saturating_sub(6 + 10 + 9 + 14).max(30);
    line(format!(
        "{begin}{}{risk}{} {}",
        paint(look(case.state), &state),
        fitted(&one_line(&question.story.title), room),
        left
    ));
    line(format!(
        "      {}",
        paint(
            style::FAINT,
            &format!(
                "{}  · needs {who} · {}",
                fit(&one_line(&question.story.text), room),
                question.story.rule
            )
        )
    ));
}

/// The command with hidden characters made visible, and the marked part's place in it.
pub(crate) fn shown_text(text: &str, risky: Option<(u32, u32)>) -> (String, Option<(usize, usize)>) {
    let mut shown = String::new();
    let (mut from, mut to) = (None, None);
    let mark = risky.map(|(from, to)| (from as usize, to as usize));
    for (at, c) in text.char_indices() {
        if mark.is_some_and(|(begin, _)| begin == at) {
            from = Some(shown.len());
        }
        if mark.is_some_and(|(_, end)| end == at) {
            to = Some(shown.len());
        }
        shown.push_str(&visible(c.encode_utf8(&mut [0; 4])));
    }
    let place = from.map(|from| (from, to.unwrap_or(shown.len())));
    (shown, place)
}

/// The facts below the command, as name and text.
pub(crate) fn facts(case: &Case, now: Timestamp) -> Vec<(&'static str, String)> {
    let question = &case.request.question;
    let story = &question.story;
    let mut facts = Vec::new();
    facts.push(("would", story.effects.iter().map(|e| visible(&e.words)).collect::<Vec<_>>().join("; ")));
    facts.push(("stopped by", format!("{} ({}): {}", story.rule, story.layer, visible(&story.reason))));
    if let Some(instead) = &story.instead {
        facts.push(("safer", visible(instead)));
    }
    facts.push((
        "in",
        format!(
            "{} · session {} · {}",
            visible(&question.exact.cwd),
            visible(&question.exact.session),
            question.exact.agent
        ),
    ));
    let mut led = vec![format!("driven by {}", question.driver)];
    if let Some(prompt) = &story.prompt {
        led.push(format!("prompt {}", visible(prompt)));
    }
    if let Some(subagent) = &question.subagent {
        led.push(format!("sub-agent {}", visible(subagent)));
    }
    if story.untrusted_seen {
        led.push("this session has seen content that strangers may have written".to_owned());
    }
    if story.sensitive_read {
        led.push("this session has read sensitive data".to_owned());
    }
    facts.push(("led to it", led.join("; ")));
    if let Some(canonical) = &story.canonical {
        facts.push(("as understood", visible(canonical)));
    }
    for warning in &story.warnings {
        facts.push(("beware", visible(warning)));
    }
    for script in &question.exact.scripts {
        facts.push(("runs", format!("{} (sha256 {})", visible(&script.path), fit(&script.sha256, 16))));
    }
    if let Some(words) = &story.agent_says {
        facts.push(("agent says", format!("{} (the agent's own words: do not trust them)", visible(words))));
    }
    facts.push(("needs", question.quorum.words()));
    facts.push(("risk", question.risk.word().to_owned()));
    facts.push(("digest", case.request.digest.to_string()));
    for (at, decision) in case.decisions() {
        let said = match decision.choice {
            Choice::Approve => "agreed",
            Choice::Deny => "said no",
        };
        let words = decision.words.as_ref().map(|w| format!(": {}", visible(w))).unwrap_or_default();
        let glass = if decision.break_glass { ", out of turn" } else { "" };
        let scope = if decision.choice == Choice::Approve {
            format!(" ({})", decision.scope.word())
        } else {
            String::new()
        };
        facts.push((
            "decided",
            format!(
                "{} {said}{scope}{glass} {} ago by {}{words}",
                decision.account,
                away(at, now),
                decision.channel
            ),
        ));
    }
    facts.push(match case.state {
        State::Pending => ("ends", format!("in {}, which is a denial", away(now, question.expires_at))),
        state => ("state", state.word().to_owned()),
    });
    facts
}

/// The whole request.
pub(crate) fn tell(case: &Case, now: Timestamp) {
    let question = &case.request.question;
    let story = &question.story;
    let level = match question.risk {
        Risk::Critical => Level::ERROR.with_name("critical"),
        Risk::High => Level::WARNING.with_name("high risk"),
        Risk::Ordinary => Level::NOTE.with_name("asked"),
    };
    let title = format!("{} · {}", case.request.id, one_line(&story.title));
    let (shown, place) = shown_text(&story.text, story.risky);
    let mut group = Group::with_title(level.primary_title(title.as_str()));
    let mut snippet = Snippet::source(shown.as_str()).path("exactly").fold(false);
    let words = one_line(&story.reason);
    if let Some((from, to)) = place {
        snippet = snippet.annotation(AnnotationKind::Primary.span(from..to).label(words.as_str()));
    } else {
        snippet = snippet.annotation(AnnotationKind::Context.span(0..0));
    }
    group = group.element(snippet);
    let plain = anstream::AutoStream::choice(&std::io::stdout()) == anstream::ColorChoice::Never;
    let renderer = if plain { Renderer::plain() } else { Renderer::styled() };
    print(&renderer.render(&[group]));
    line("");
    for (name, text) in facts(case, now) {
        let look = if matches!(name, "beware" | "agent says") { style::WARNING } else { style::FAINT };
        line(format!("  {} {text}", paint(look, &fitted(name, 13))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_seen_and_the_mark_moves_with_them() {
        let text = "echo \u{202e}x; rm -rf /srv";
        let from = text.find("rm").unwrap();
        let (shown, place) =
            shown_text(text, Some((u32::try_from(from).unwrap(), u32::try_from(text.len()).unwrap())));
        let (from, to) = place.unwrap();
        assert_eq!(shown.get(from..to), Some("rm -rf /srv"));
        assert!(shown.contains("\\u{202e}"));
        assert_eq!(shown_text("ls", None), ("ls".to_owned(), None));
    }
}
