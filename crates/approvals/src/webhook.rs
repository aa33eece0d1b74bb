//! What a chat is told of a request, and how the telling is signed.
//!
//! Formats: Slack's incoming webhooks with Block Kit (header of 150 characters at most, sections of 3000), Microsoft
//! Teams' webhooks for workflows with one Adaptive Card of version 1.4 (28 KB at most), and Ambit's own. Signed as
//! Slack signs: HMAC-SHA256 over `v0:TIME:BODY`, in the headers [`TIME_HEADER`] and [`SIGNATURE_HEADER`].

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::request::Risk;
use crate::state::Case;

/// The header with the time of sending, in seconds since 1970-01-01 UTC.
pub const TIME_HEADER: &str = "X-Ambit-Request-Timestamp";
/// The header with the signature: `v0=` and 64 hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "X-Ambit-Signature";
/// Longest that a receiver should take a message for new, in seconds.
pub const FRESH_S: u64 = 300;

/// The form of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Ambit's own.
    Plain,
    /// Slack's.
    Slack,
    /// Teams'.
    Teams,
}

/// The longest quotation of the command, in characters; both ends of a longer one.
const MAX_QUOTED: usize = 1_500;

fn ends(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail = most / 2;
    let head: String = text.chars().take(most - tail).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{head} … {end}")
}

/// Control and direction-changing characters as they are, in words; a chat would obey them.
fn visible(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if hidden(c) {
            out.push_str(&format!("\\u{{{:x}}}", c as u32))
        } else {
            out.push(c)
        }
        out
    })
}

/// Slack's three special characters, and the mark that ends a quotation.
fn slack(text: &str) -> String {
    visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace("```", "'''")
}

/// The message about a request. `link` leads to where it can be decided: a chat only tells, and never carries the
/// decision on what is not ordinary.
#[must_use]
pub fn message(form: Form, case: &Case, link: Option<&str>) -> Value {
    let question = &case.request.question;
    let story = &question.story;
    let id = case.request.id.to_string();
    let glass = case.decisions().find(|(_, d)| d.break_glass);
    let head = match (&glass, question.risk) {
        (Some((_, d)), _) => format!("{id} was approved out of turn by {}", d.account),
        (None, Risk::Critical) => format!("CRITICAL: {id} needs {}", question.quorum.words()),
        (None, _) => format!("{id} needs {}", question.quorum.words()),
    };
    let why = glass.and_then(|(_, d)| d.words.clone());
    let facts = [
        ("Would", ends(&visible(&story.title), 300)),
        ("Why it stopped", ends(&visible(&format!("{} ({})", story.reason, story.rule)), 500)),
        ("Risk", question.risk.word().to_owned()),
        ("Driven by", visible(&question.driver)),
        ("In", ends(&visible(&question.exact.cwd), 200)),
        ("Ends", question.expires_at.to_string()),
    ];
    let quoted = ends(&visible(&story.text), MAX_QUOTED);
    let how = link.map_or_else(
        || format!("Decide in a terminal of your own: ambit approvals show {id}"),
        |_| "Decide in the console.".to_owned(),
    );
    match form {
        Form::Plain => json!({
            "type": if why.is_some() { "approval.break_glass" } else { "approval.asked" },
            "id": id,
            "digest": case.request.digest.as_str(),
            "head": head,
            "title": story.title,
            "text": quoted,
            "rule": story.rule,
            "reason": story.reason,
            "instead": story.instead,
            "risk": question.risk.word(),
            "needs": question.quorum.groups.iter().map(|g| g.name.as_str()).collect::<Vec<_>>(),
            "driver": question.driver,
            "session": question.exact.session,
            "cwd": question.exact.cwd,
            "why": why,
            "expires_at": question.expires_at.to_string(),
            "link": link,
        }),
        Form::Slack => {
            let fields: Vec<Value> = facts
                .iter()
                .map(|(name, text)| json!({"type": "mrkdwn", "text": format!("*{name}*\n{}", slack(text))}))
                .collect();
            let mut blocks = vec![
                json!({"type": "header", "text": {"type": "plain_text", "text": ends(&visible(&head), 150), "emoji": false}}),
                json!({"type": "section", "text": {"type": "mrkdwn", "text": format!("```{}```", slack(&quoted))}}),
                json!({"type": "section", "fields": fields}),
            ];
            if let Some(why) = &why {
                let text = format!("*Reason given*\n{}", slack(&ends(why, 1_000)));
                blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": text}}));
            }
            blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": slack(&how)}]}));
            if let Some(link) = link {
                blocks.push(json!({"type": "actions", "elements": [
                    {"type": "button", "text": {"type": "plain_text", "text": "Open in the console"}, "url": link}
                ]}));
            }
            json!({"text": slack(&head), "blocks": blocks})
        }
        Form::Teams => {
            let mut body = vec![
                json!({
                    "type": "TextBlock", "text": visible(&head), "size": "Large", "weight": "Bolder", "wrap": true,
                    "color": if question.risk == Risk::Ordinary { "Default" } else { "Attention" },
                }),
                // Plain runs: a TextBlock would read Markdown in the command.
                json!({"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": quoted, "fontType": "Monospace"}]}),
                json!({"type": "FactSet", "facts": facts.iter().map(|(name, text)| json!({"title": name, "value": text})).collect::<Vec<_>>()}),
            ];
            if let Some(why) = &why {
                let run = json!({"type": "TextRun", "text": ends(&visible(why), 1_000)});
                body.push(json!({"type": "RichTextBlock", "inlines": [run]}));
            }
            body.push(json!({"type": "TextBlock", "text": how, "isSubtle": true, "wrap": true}));
            let actions: Vec<Value> = link
                .iter()
                .map(|link| json!({"type": "Action.OpenUrl", "title": "Open in the console", "url": link}))
                .collect();
            json!({"type": "message", "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard", "version": "1.4", "body": body, "actions": actions,
                },
            }]})
        }
    }
}

fn mac(secret: &[u8], time: u64, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(format!("v0:{time}:").as_bytes());
    mac.update(body);
    Some(mac)
}

/// The signature of a body sent at a time; `None` for a secret that cannot be a key.
#[must_use]
pub fn signature(secret: &[u8], time: u64, body: &[u8]) -> Option<String> {
    Some(format!("v0={}", HEXLOWER.encode(&mac(secret, time, body)?.finalize().into_bytes())))
}

/// Whether a message is signed with the secret and new at `now` (both times in seconds since 1970-01-01 UTC). Compared
/// in constant time.
#[must_use]
pub fn signed(secret: &[u8], time: u64, body: &[u8], given: &str, now: u64) -> bool {
    let Some(raw) = given.strip_prefix("v0=").and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok()) else {
        return false;
    };
    now.abs_diff(time) <= FRESH_S && mac(secret, time, body).is_some_and(|mac| mac.verify_slice(&raw).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Slack's documentation, "Verifying requests from Slack".
    #[test]
    fn signs_as_slack_does() {
        let secret = b"8f742231b10e8888abcd99yyyzzz85a5";
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let given = signature(secret, 1_531_420_618, body).unwrap_or_default();
        assert_eq!(given, "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
        assert!(signed(secret, 1_531_420_618, body, &given, 1_531_420_700));
        assert!(!signed(secret, 1_531_420_618, body, &given, 1_531_421_618), "an old one said again");
        assert!(!signed(b"other", 1_531_420_618, body, &given, 1_531_420_618));
        assert!(!signed(secret, 1_531_420_618, b"x", &given, 1_531_420_618));
        assert!(!signed(secret, 1_531_420_618, body, "v0=00", 1_531_420_618));
    }
}
