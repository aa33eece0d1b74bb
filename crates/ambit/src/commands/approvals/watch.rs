//! `ambit approvals --watch`: what waits, in a terminal, decided by keys.

use super::{a_person_is_here, decide, show};
use crate::environment;
use crate::output::complain;
use anyhow::{Context as _, Result};
use approvals::{Case, Channel, Decision, Id, Risk, Store};
use jiff::Timestamp;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, List, ListItem, ListState, Paragraph, Wrap};
use ratatui::{DefaultTerminal, Frame};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often is looked for what is new: a request is seen well within a second.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A key within this time of a request's appearing decides nothing: it was meant for what stood there before.
const SETTLING: Duration = Duration::from_millis(700);

/// Runs it until `q`.
pub(crate) fn run(store: &Store) -> Result<ExitCode> {
    a_person_is_here()?;
    let mut terminal =
        ratatui::try_init().context("this terminal cannot show the view; use `ambit approvals list`")?;
    let result = View::default().run(&mut terminal, store);
    ratatui::restore();
    result?;
    complain("decisions are in the record: ambit log --kind approval");
    Ok(ExitCode::SUCCESS)
}

/// What the keys are for at the moment.
#[derive(Debug, Default, PartialEq, Eq)]
enum Keys {
    /// Choosing and looking.
    #[default]
    Browse,
    /// A reason for a no is typed.
    Reason(String),
    /// The word of a critical request is typed.
    Word(String),
}

#[derive(Debug, Default)]
struct View {
    cases: Vec<Case>,
    chosen: Option<Id>,
    /// Since when the chosen one has been on the screen.
    since: Option<Instant>,
    scroll: u16,
    keys: Keys,
    said: String,
}

/// What a key leads to.
#[derive(Debug, PartialEq)]
enum Act {
    Nothing,
    Quit,
    Decide(Id, Box<Decision>),
}

impl View {
    fn run(mut self, terminal: &mut DefaultTerminal, store: &Store) -> Result<()> {
        loop {
            self.take(store.pending(Timestamp::now())?);
            terminal.draw(|frame| self.draw(frame, Timestamp::now()))?;
            if !event::poll(LOOK_EVERY)? {
                continue;
            }
            let Event::Key(key) = event::read()? else { continue };
            if key.kind != KeyEventKind::Press {
                continue;
            }
            match self.key(key, &environment::person().login) {
                Act::Nothing => {}
                Act::Quit => return Ok(()),
                Act::Decide(id, decision) => {
                    // Who drives the terminal may have changed since the view was opened.
                    let done = a_person_is_here().and_then(|()| decide(store, id, *decision));
                    self.said = match done {
                        Ok(case) => format!("{id} is {}", case.state),
                        Err(e) => format!("{e:#}"),
                    };
                }
            }
        }
    }

    /// Takes in what waits now; what is looked at stays chosen as long as it waits.
    fn take(&mut self, cases: Vec<Case>) {
        self.cases = cases;
        let there = self.chosen.is_some_and(|id| self.cases.iter().any(|c| c.request.id == id));
        if !there {
            self.choose(self.cases.first().map(|c| c.request.id));
        }
    }

    fn choose(&mut self, id: Option<Id>) {
        if id != self.chosen || id.is_none() {
            self.since = id.map(|_| Instant::now());
            self.scroll = 0;
            // Half a word typed for another request is no word for this one.
            self.keys = Keys::Browse;
        }
        self.chosen = id;
    }

    fn at(&self) -> Option<usize> {
        self.cases.iter().position(|c| Some(c.request.id) == self.chosen)
    }

    fn case(&self) -> Option<&Case> {
        self.at().and_then(|at| self.cases.get(at))
    }

    fn step(&mut self, by: isize) {
        let Some(at) = self.at() else { return };
        let next = at.saturating_add_signed(by).min(self.cases.len().saturating_sub(1));
        self.choose(self.cases.get(next).map(|c| c.request.id));
    }

    fn decision(&self, decision: Decision) -> Act {
        let looked = self.since.map(|since| since.elapsed()).unwrap_or_default();
        if looked < SETTLING {
            return Act::Nothing;
        }
        let looked_ms = u64::try_from(looked.as_millis()).ok();
        self.chosen.map_or(Act::Nothing, |id| Act::Decide(id, Box::new(Decision { looked_ms, ..decision })))
    }

    fn key(&mut self, key: KeyEvent, login: &str) -> Act {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Act::Quit;
        }
        let typed = match &mut self.keys {
            Keys::Browse => return self.browse(key.code, login),
            Keys::Reason(text) | Keys::Word(text) => text,
        };
        match key.code {
            KeyCode::Esc => self.keys = Keys::Browse,
            KeyCode::Backspace => drop(typed.pop()),
            KeyCode::Char(c) => typed.push(c),
            KeyCode::Enter => {
                let text = std::mem::take(typed);
                let act = if matches!(self.keys, Keys::Reason(_)) {
                    let words = Some(text.trim().to_owned()).filter(|t| !t.is_empty());
                    self.decision(Decision::deny(login, Channel::Terminal, words))
                } else {
                    self.decision(Decision {
                        typed: Some(text),
                        ..Decision::approve(login, Channel::Terminal)
                    })
                };
                self.keys = Keys::Browse;
                return act;
            }
            _ => {}
        }
        Act::Nothing
    }

    fn browse(&mut self, code: KeyCode, login: &str) -> Act {
        self.said.clear();
        match code {
            KeyCode::Char('q') | KeyCode::Esc => return Act::Quit,
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll = self.scroll.saturating_add(10),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::Char('n') if self.case().is_some() => self.keys = Keys::Reason(String::new()),
            KeyCode::Char('y') => match self.case().map(|c| c.request.question.risk) {
                None => {}
                Some(Risk::Critical) => self.keys = Keys::Word(String::new()),
                Some(_) => return self.decision(Decision::approve(login, Channel::Terminal)),
            },
            _ => {}
        }
        Act::Nothing
    }

    fn draw(&self, frame: &mut Frame<'_>, now: Timestamp) {
        let rows = u16::try_from(self.cases.len()).unwrap_or(u16::MAX).clamp(1, 8);
        let [list, detail, foot] =
            Layout::vertical([Constraint::Length(rows + 2), Constraint::Min(6), Constraint::Length(2)])
                .areas(frame.area());
        self.draw_list(frame, list, now);
        self.draw_detail(frame, detail, now);
        let help = match &self.keys {
            Keys::Browse => "↑↓ choose   space scroll   y agree   n say no   q leave".to_owned(),
            Keys::Reason(text) => format!("why not (reaches the agent): {text}▏   enter say no   esc back"),
            Keys::Word(text) => {
                let word = self.case().map(|c| c.request.word()).unwrap_or_default();
                format!("critical: type `{word}` to agree: {text}▏   enter agree   esc back")
            }
        };
        let lines = vec![Line::from(help), Line::styled(self.said.clone(), Style::new().fg(Color::Yellow))];
        frame.render_widget(Paragraph::new(lines), foot);
    }

    fn draw_list(&self, frame: &mut Frame<'_>, area: Rect, now: Timestamp) {
        let item = |case: &Case| {
            let question = &case.request.question;
            let left = show::away(now, question.expires_at);
            let risk = Span::styled(format!("{:<9}", question.risk.word()), risk_style(question.risk));
            let title = guard::shortened(&guard::visible(&question.story.title));
            ListItem::new(Line::from(vec![
                Span::styled(
                    format!("{:<6}", case.request.id.to_string()),
                    Style::new().add_modifier(Modifier::BOLD),
                ),
                risk,
                Span::raw(format!("{title}  ")),
                Span::styled(
                    format!("{left} left, needs {}", question.quorum.words()),
                    Style::new().fg(Color::DarkGray),
                ),
            ]))
        };
        let title = format!(" {} waiting ", self.cases.len());
        let list = List::new(self.cases.iter().map(item))
            .block(Block::new().borders(Borders::ALL).title(title))
            .highlight_symbol("▸ ");
        let mut state = ListState::default().with_selected(self.at());
        frame.render_stateful_widget(list, area, &mut state);
    }

    fn draw_detail(&self, frame: &mut Frame<'_>, area: Rect, now: Timestamp) {
        let Some(case) = self.case() else {
            let text =
                Paragraph::new("Nothing waits for a person.").block(Block::new().borders(Borders::ALL));
            frame.render_widget(text, area);
            return;
        };
        let question = &case.request.question;
        let mut text = Text::default();
        text.extend(marked(&question.story.text, question.story.risky));
        text.push_line(Line::default());
        for (name, fact) in show::facts(case, now) {
            let look = if matches!(name, "beware" | "agent says") { Color::Yellow } else { Color::DarkGray };
            text.push_line(Line::from(vec![
                Span::styled(format!("{name:<14}"), Style::new().fg(look)),
                Span::raw(fact),
            ]));
        }
        let block = Block::new()
            .borders(Borders::ALL)
            .border_style(risk_style(question.risk))
            .title(format!(" {} · {} ", case.request.id, question.risk.word()));
        let detail = Paragraph::new(text).block(block).wrap(Wrap { trim: false }).scroll((self.scroll, 0));
        frame.render_widget(detail, area);
    }
}

fn risk_style(risk: Risk) -> Style {
    match risk {
        Risk::Ordinary => Style::new(),
        Risk::High => Style::new().fg(Color::Yellow),
        Risk::Critical => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}

/// The command, hidden characters visible, the part that decided marked.
fn marked(text: &str, risky: Option<(u32, u32)>) -> Vec<Line<'static>> {
    let (shown, place) = show::shown_text(text, risky);
    let (from, to) = place.unwrap_or((0, 0));
    let mark = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
    let mut lines = Vec::new();
    let mut at = 0;
    for line in shown.split('\n') {
        let end = at + line.len();
        let (a, b) = (from.clamp(at, end) - at, to.clamp(at, end) - at);
        let part = |from: usize, to: usize| line.get(from..to).unwrap_or("").to_owned();
        lines.push(Line::from(vec![
            Span::raw(part(0, a)),
            Span::styled(part(a, b), mark),
            Span::raw(part(b, line.len())),
        ]));
        at = end + 1;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use approvals::{Choice, Exact, Group, Question, Quorum, Story};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use std::collections::{BTreeMap, BTreeSet};

    fn ask(store: &Store, command: &str, risk: Risk) -> Id {
        let at = Timestamp::now();
        let group = Group { name: "developer".to_owned(), members: BTreeSet::new(), driver: true };
        let exact = Exact {
            agent: "claude-code".to_owned(),
            session: "s".to_owned(),
            input: command.to_owned(),
            cwd: "/w".to_owned(),
            variables: BTreeSet::new(),
            targets: Vec::new(),
            scripts: BTreeSet::new(),
            sandbox: None,
            policy: "p".to_owned(),
        };
        let question = Question {
            exact,
            call: None,
            subagent: None,
            driver: "ann".to_owned(),
            dialog: false,
            risk,
            quorum: Quorum {
                groups: vec![group],
                approve: 1,
                deny: 1,
                driver_alone: true,
                break_glass: BTreeSet::new(),
                people: BTreeMap::new(),
            },
            story: Story {
                title: format!("would {command}"),
                text: command.to_owned(),
                risky: Some((0, 2)),
                rule: "a-rule".to_owned(),
                ..Story::default()
            },
            asked_at: at,
            expires_at: at.checked_add(jiff::SignedDuration::from_secs(600)).unwrap(),
        };
        store.ask(question, at).unwrap().0.request.id
    }

    fn press(view: &mut View, code: KeyCode) -> Act {
        view.key(KeyEvent::new(code, KeyModifiers::NONE), "ann")
    }

    fn settled(view: &mut View) {
        view.since = Instant::now().checked_sub(SETTLING * 2);
    }

    fn screen(view: &View) -> String {
        let mut terminal = Terminal::new(TestBackend::new(110, 30)).unwrap();
        terminal.draw(|frame| view.draw(frame, Timestamp::now())).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn keys_decide_what_is_on_the_screen() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut view = View::default();
        assert!(screen(&view).contains("Nothing waits"));
        let one = ask(&store, "rm -rf \u{202e}x", Risk::Ordinary);
        let two = ask(&store, "drop it", Risk::Critical);
        view.take(store.pending(Timestamp::now()).unwrap());
        let shown = screen(&view);
        assert!(
            shown.contains("2 waiting") && shown.contains("\\u{202e}") && shown.contains("a-rule"),
            "{shown}"
        );
        // A key that was on its way before the request appeared.
        assert_eq!(press(&mut view, KeyCode::Char('y')), Act::Nothing);
        settled(&mut view);
        let Act::Decide(id, decision) = press(&mut view, KeyCode::Char('y')) else { panic!("no decision") };
        assert!(id == one && decision.choice == Choice::Approve && decision.looked_ms.is_some());
        // Critical: `y` alone decides nothing.
        press(&mut view, KeyCode::Down);
        assert_eq!(view.chosen, Some(two));
        settled(&mut view);
        assert_eq!(press(&mut view, KeyCode::Char('y')), Act::Nothing);
        assert!(screen(&view).contains("critical: type `A2`"), "{}", screen(&view));
        for c in "A2".chars() {
            press(&mut view, KeyCode::Char(c));
        }
        let Act::Decide(id, decision) = press(&mut view, KeyCode::Enter) else { panic!("no decision") };
        assert_eq!((id, decision.typed.as_deref()), (two, Some("A2")));
        assert!(store.decide(id, *decision, Timestamp::now()).is_ok());
        // A word begun for what is gone is not taken for what comes next.
        press(&mut view, KeyCode::Char('n'));
        press(&mut view, KeyCode::Char('x'));
        view.take(store.pending(Timestamp::now()).unwrap());
        assert_eq!((view.chosen, &view.keys), (Some(one), &Keys::Browse));
        settled(&mut view);
        press(&mut view, KeyCode::Char('n'));
        for c in "use main".chars() {
            press(&mut view, KeyCode::Char(c));
        }
        let Act::Decide(_, decision) = press(&mut view, KeyCode::Enter) else { panic!("no decision") };
        assert_eq!((decision.choice, decision.words.as_deref()), (Choice::Deny, Some("use main")));
        assert_eq!(press(&mut view, KeyCode::Char('q')), Act::Quit);
    }
}
