//! The texts that agents and people read: what was stopped, by which rule, and the safer way.

use crate::readers::Reading;
use model::{Action, Tool, VerdictKind};
use policy::Verdict;

/// The longest part of a command that is quoted in a message, in characters.
const MAX_QUOTED: usize = 160;

/// Why the verdict is as it is, with what only this call can tell: what was not understood, how much would be lost.
#[must_use]
pub fn reason(verdict: &Verdict, reading: &Reading) -> String {
    let effect = verdict.deciding().and_then(|at| reading.effects.get(at));
    let more = match effect.map(|e| &e.action) {
        Some(Action::Run(r)) if !r.understood => r.why.as_deref().map(visible),
        Some(Action::Delete(p)) => p.size.filter(|s| s.files > 1 || s.not_in_git == Some(1)).map(|size| {
            let least = if size.at_least { "at least " } else { "" };
            let lost = match size.not_in_git {
                Some(0) => ", all of them in git".to_owned(),
                Some(n) => format!(", {least}{n} of them not in git"),
                None => String::new(),
            };
            format!("it holds {least}{} files{lost}", size.files)
        }),
        _ => None,
    };
    match more {
        Some(more) => format!("{}: {more}", visible(verdict.reason())),
        None => visible(verdict.reason()),
    }
}

/// What an agent is told with a verdict, and what the person sees in the agent's own question.
#[must_use]
pub fn verdict_text(verdict: &Verdict, reading: &Reading, tool: &Tool) -> String {
    let mut text = match verdict.kind() {
        VerdictKind::Allow => "Ambit allows this".to_owned(),
        VerdictKind::Contain => "Ambit runs this contained".to_owned(),
        VerdictKind::Ask => "Ambit asks a person first".to_owned(),
        VerdictKind::Deny => "Ambit stopped this".to_owned(),
    };
    text.push_str(": ");
    text.push_str(&reason(verdict, reading));
    if let Some(part) = deciding_part(verdict, reading, tool) {
        text.push_str(&format!("\n  at: {part}"));
    }
    text.push_str(&format!("\n  rule: {} ({})", verdict.rule(), verdict.layer().word()));
    if verdict.kind() == VerdictKind::Ask && verdict.needs().approvers.iter().any(|a| a != "developer") {
        text.push_str(&format!("\n  needs: {}", verdict.needs().approvers.join(" and ")));
    }
    if let Some(instead) = verdict.instead() {
        text.push_str(&format!("\n  instead: {instead}"));
    }
    for warning in &reading.warnings {
        text.push_str(&format!("\n  note: {warning}"));
    }
    if verdict.kind() == VerdictKind::Deny {
        text.push_str(
            "\nNothing was run. Do not try another spelling or way round: take the safer way, or tell the person what you need and why.",
        );
    }
    text
}

/// The part of the command that the deciding effect comes from, with what it would do.
fn deciding_part(verdict: &Verdict, reading: &Reading, tool: &Tool) -> Option<String> {
    let effect = reading.effects.get(verdict.deciding()?)?;
    let doing = format!("{} {}", effect.kind().word(), visible(&effect.action.target()));
    let (Tool::Shell { command, .. }, Some(span)) = (tool, effect.span) else {
        return Some(shortened(&doing));
    };
    let part = command.get(span.from as usize..span.to as usize).unwrap_or(command);
    Some(format!("`{}` ({})", shortened(&visible(part)), shortened(&doing)))
}

/// One line, not too long, its end kept as well as its beginning.
#[must_use]
pub fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let count = line.chars().count();
    if count <= MAX_QUOTED {
        return line;
    }
    let head: String = line.chars().take(MAX_QUOTED * 2 / 3).collect();
    let tail: String = line.chars().skip(count - MAX_QUOTED / 3).collect();
    format!("{head} … {tail}")
}

/// The text with control, invisible and direction-changing characters made visible.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e007f}');
        if hidden { out.push_str(&format!("\\u{{{:x}}}", c as u32)) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_shown_and_the_end_is_kept() {
        assert_eq!(visible("rm\u{202e}fr- \u{200b}x\u{1b}[0m"), "rm\\u{202e}fr- \\u{200b}x\\u{1b}[0m");
        let long = format!("echo {}; rm -rf /", "x".repeat(500));
        assert!(shortened(&long).ends_with("; rm -rf /") && shortened(&long).chars().count() < 200);
    }
}
