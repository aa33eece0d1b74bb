//! A request as the person who decides it reads it, and the forms to decide it.

use super::approvals::chips;
use super::gate::Viewer;
use super::layout;
use crate::words::{Clock, one_line, span_words};
use approvals::{Case, Choice, Risk, Scope, Shown, State, may_decide};
use maud::{Markup, html};

/// The whole of it.
pub(crate) fn request(case: &Case, viewer: &Viewer, clock: &Clock, read_only: Option<&str>) -> Markup {
    let question = &case.request.question;
    let story = &question.story;
    let place = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let risky = story.risky.map(|(from, to)| (place(from), place(to)));
    let id = case.request.id.to_string();
    html! {
        div .request.(question.risk.word()) {
            div #live hx-get={ "/approvals/" (id) } hx-select="#live" hx-swap="outerHTML" hx-trigger="sse:approvals" {
                header .page {
                    p .over { "Approval " (id) " " (chips(case)) }
                    h1 { (one_line(&story.title)) }
                    p .figures {
                        span { (one_line(&question.exact.agent)) " for " b { (one_line(&question.driver)) } }
                        span { "asked " (layout::ago(clock, question.asked_at)) }
                        @if case.state == State::Pending { span { b { (clock.until(question.expires_at)) } " left, then it is denied" } }
                        span { a href={ "/session/" (question.exact.session) } { "its session" } }
                    }
                }
                (decisions(case, clock))
            }
            section aria-labelledby="h-call" {
                h2 #h-call { "Exactly this" }
                pre .command.big { code { (layout::exact(&story.text, risky)) } }
                p .faint { "in " code { (one_line(&question.exact.cwd)) } }
                @if let Some(canonical) = &story.canonical { p { "as understood: " code { (one_line(canonical)) } } }
                @for warning in &story.warnings { p .bad { (one_line(warning)) } }
            }
            section aria-labelledby="h-effects" {
                h2 #h-effects { "What it would do" }
                ul .effects-list {
                    @for (at, shown) in story.effects.iter().enumerate() {
                        li .deciding[story.deciding == Some(at)] {
                            span class={ "chip v-" (shown.verdict) } { (shown.verdict) }
                            " " (one_line(&shown.words)) " "
                            code .faint { (one_line(&shown.rule)) }
                        }
                    }
                }
                dl .facts.wide {
                    dt { "why stopped" } dd { (one_line(&story.reason)) " " span .faint { code { (one_line(&story.rule)) } " (" (one_line(&story.layer)) ")" } }
                    dt { "who decides" } dd { (one_line(&question.quorum.words())) (members(case)) }
                    @if let Some(prompt) = &story.prompt { dt { "prompt" } dd { code { (one_line(prompt)) } } }
                    dt { "provenance" }
                    dd {
                        @if story.untrusted_seen { span .bad { "this session has seen content that strangers may have written" } }
                        @else { "no content from strangers was seen in this session" }
                        @if story.sensitive_read { "; " span .bad { "it has read sensitive data" } }
                    }
                    @if !question.exact.scripts.is_empty() {
                        dt { "scripts" }
                        dd { @for script in &question.exact.scripts { code .break { (one_line(&script.path)) } " " code .faint { (crate::opened::short(&script.sha256)) } " " } }
                    }
                    dt { "digest" } dd { code .break.faint { (case.request.digest.as_str()) } }
                }
                @if let Some(says) = &story.agent_says {
                    figure .untrusted { figcaption { "The agent's own words; do not rely on them" } blockquote { (layout::exact(says, None)) } }
                }
            }
            @match read_only {
                Some(why) if !case.state.settled() => section .decide { p .empty { "This console decides nothing: " (why) "." } },
                _ => (forms(case, viewer, clock)),
            }
        }
    }
}

fn members(case: &Case) -> Markup {
    let quorum = &case.request.question.quorum;
    html! {
        @for group in quorum.groups.iter().filter(|g| !g.members.is_empty()) {
            " " span .faint { (one_line(&group.name)) ": " (group.members.iter().map(|m| one_line(m)).collect::<Vec<_>>().join(", ")) }
        }
    }
}

fn decisions(case: &Case, clock: &Clock) -> Markup {
    let needed = usize::from(case.request.question.quorum.approve.max(1));
    html! {
        @if case.decisions().next().is_some() {
            ul .rows.decided {
                @for (at, decision) in case.decisions() {
                    li .row {
                        (layout::time(clock, at))
                        @if decision.choice == Choice::Approve { (layout::chip("v-allow", "agreed")) } @else { (layout::chip("v-deny", "refused")) }
                        span .what {
                            b { (one_line(&decision.account)) } " in " (decision.channel.word())
                            @if decision.choice == Choice::Approve { ", " (scope(&decision.scope, clock)) }
                            @if decision.break_glass { ", " b { "out of turn" } }
                            @if let Some(words) = &decision.words { ": “" (one_line(words)) "”" }
                            @if let Some(looked) = decision.looked_ms { " " span .faint { "after " (span_words(looked)) } }
                        }
                    }
                }
            }
        }
        @match case.state {
            State::Pending if !case.agreed.is_empty() => p { (case.agreed.len()) " of " (needed) " needed people agreed." },
            State::Approved => p { "Approved; the call may run when the agent makes it" @if let Some(until) = case.until { " until " (clock.full(until)) } "." },
            State::Consumed => p { "Approved and used: the call ran by it." },
            State::Expired => p { "Its time was over before it was decided or used." },
            State::Denied => p { "Denied; the agent was told." },
            State::Pending => {},
        }
    }
}

fn scope(scope: &Scope, clock: &Clock) -> String {
    match scope {
        Scope::Once => "once".to_owned(),
        Scope::Session { until } => format!("this exact action in this session until {}", clock.full(*until)),
        Scope::Template { pattern, until, .. } => {
            format!("`{}` until {}", one_line(pattern), clock.full(*until))
        }
    }
}

/// What a template starts from: the target as it is. The person widens it, nobody else.
fn target(shown: &Shown) -> String {
    shown.effect.action.target().to_string()
}

fn forms(case: &Case, viewer: &Viewer, clock: &Clock) -> Markup {
    let question = &case.request.question;
    let (name, quorum) = (viewer.person.name.as_str(), &question.quorum);
    let regular = may_decide(quorum, &question.driver, name);
    let glass = quorum.break_glass.iter().any(|member| quorum.person(member) == quorum.person(name));
    let taken_back = case.state == State::Approved;
    if case.state != State::Pending && !taken_back {
        return html! {};
    }
    if !regular && !glass {
        return html! {
            section .decide { p .empty { "You are signed in as " b { (one_line(name)) } ", who may not decide this: it needs " (one_line(&quorum.words())) "." } }
        };
    }
    let action = format!("/approvals/{}", case.request.id);
    let said = case.decisions().filter(|(_, d)| quorum.person(&d.account) == quorum.person(name)).last();
    let seen = clock.now.as_microsecond();
    let critical = question.risk == Risk::Critical;
    html! {
        section .decide aria-labelledby="h-decide" {
            h2 #h-decide { @if taken_back { "Take it back" } @else { "Decide as " (one_line(name)) } }
            @if let Some((_, before)) = said { p { "You have said: " b { (before.choice.word()) } "." } }
            div .forms {
                div .no {
                form .deny method="post" action=(action) {
                    input type="hidden" name="token" value=(viewer.token);
                    input type="hidden" name="seen" value=(seen);
                    input type="hidden" name="choice" value="deny";
                    label for="deny-words" { "Words for the agent" }
                    textarea #deny-words name="words" rows="2" placeholder="what it should do instead" {}
                    button .no type="submit" autofocus[critical] { @if taken_back { "Take the approval back" } @else { "Deny" } }
                }
                @if let Some(instead) = question.story.instead.as_ref().filter(|_| !taken_back) {
                    form .instead method="post" action=(action) {
                        input type="hidden" name="token" value=(viewer.token);
                        input type="hidden" name="seen" value=(seen);
                        input type="hidden" name="choice" value="deny";
                        input type="hidden" name="words" value=(instead);
                        p { "The safer way: " (one_line(instead)) }
                        button type="submit" { "Deny, and tell it the safer way" }
                    }
                }
                }
                @if !taken_back {
                    form .approve method="post" action=(action) {
                        input type="hidden" name="token" value=(viewer.token);
                        input type="hidden" name="seen" value=(seen);
                        input type="hidden" name="choice" value="approve";
                        (scopes(case))
                        @if critical {
                            label for="typed" { "This is critical: type " code { (case.request.word()) } " to agree" }
                            input #typed name="typed" autocomplete="off" spellcheck="false" required;
                        }
                        @if glass && !regular {
                            input type="hidden" name="break_glass" value="yes";
                            label for="why" { "You may agree only out of turn: say why (everybody is told)" }
                            textarea #why name="words" rows="2" required minlength="10" {}
                        }
                        button .yes type="submit" { @if glass && !regular { "Agree out of turn" } @else { "Approve" } }
                    }
                }
            }
        }
    }
}

fn scopes(case: &Case) -> Markup {
    let story = &case.request.question.story;
    let at = story.deciding.unwrap_or(0);
    html! {
        fieldset .scopes {
            legend { "For what" }
            label { input type="radio" name="scope" value="once" checked; " this exact action, once" }
            label { input type="radio" name="scope" value="session"; " this exact action, in this session, for the time below" }
            @if let Some(shown) = story.effects.get(at) {
                label { input type="radio" name="scope" value="template"; " effects like this one, in this session, for the time below: " b { (shown.effect.kind().word()) } }
                input type="hidden" name="effect" value=(at);
                label .sub for="pattern" { "target; " code { "*" } " stands for any text" }
                input #pattern .sub name="pattern" value=(target(shown)) autocomplete="off" spellcheck="false";
            }
            label .sub for="hours" { "hours, at most 8" }
            input #hours .sub type="number" name="hours" value="1" min="1" max="8";
        }
    }
}
