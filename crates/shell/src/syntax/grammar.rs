//! Commands, lists and redirections.

use super::quote::push;
use super::reader::{Read, Reader};
use super::word::is_name;
use super::{Assignment, Command, Item, Kind, List, Part, Pipeline, Redirect, RedirectKind, TestItem, Word};
use std::rc::Rc;

/// Commands whose words may be array assignments.
const DECLARES: [&str; 5] = ["declare", "typeset", "local", "export", "readonly"];

impl Reader<'_, '_> {
    /// The whole text.
    pub(super) fn script(&mut self) -> Read<List> {
        let list = self.list(&[])?;
        if self.pos < self.text.len() {
            let from = self.pos;
            let rest = self.text.get(from..).unwrap_or_default();
            let word: String = rest.chars().take_while(|c| !c.is_whitespace()).take(20).collect();
            return self.problem(from, format!("`{word}` stands where no command can begin"));
        }
        if !self.pending.is_empty() {
            return self.problem(self.pos.saturating_sub(1), "a here-document has no body");
        }
        Ok(list)
    }

    /// Commands up to one of the reserved words in `ends`, a closing parenthesis, `;;` or the end, which is left.
    pub(super) fn list(&mut self, ends: &[&str]) -> Read<List> {
        let mut items = Vec::new();
        loop {
            self.blank_lines()?;
            match self.peek() {
                None | Some(b')') => break,
                Some(b';') if matches!(self.byte(1), Some(b';' | b'&')) => break,
                _ => {}
            }
            if self.reserved().is_some_and(|word| ends.contains(&word)) {
                break;
            }
            let first = self.pipeline()?;
            let mut rest = Vec::new();
            loop {
                self.blanks_and_comment();
                let and = self.at("&&");
                if !and && !self.at("||") {
                    break;
                }
                self.pos += 2;
                self.blank_lines()?;
                rest.push((and, self.pipeline()?));
            }
            let mut background = false;
            match self.peek() {
                Some(b'&') => {
                    self.pos += 1;
                    background = true;
                    self.whole_operator()?;
                }
                Some(b';') if !matches!(self.byte(1), Some(b';' | b'&')) => {
                    self.pos += 1;
                    self.whole_operator()?;
                }
                Some(b'\n') => self.newline()?,
                None | Some(b')' | b';') => {}
                Some(_) => {
                    return self.problem(self.pos, "what follows this command is not understood");
                }
            }
            items.push(Item { first, rest, background });
        }
        Ok(List { items })
    }

    /// A line continuation or another sign right after an operator could make it a longer one.
    fn whole_operator(&mut self) -> Read<()> {
        if self.at("\\\n") {
            return self.problem(self.pos, "a line continuation right after an operator is not understood");
        }
        self.blanks();
        match self.peek() {
            Some(b'&' | b'|' | b';') if !self.at(";;") && !self.at(";&") => {
                self.problem(self.pos, "two operators stand side by side")
            }
            _ => Ok(()),
        }
    }

    fn pipeline(&mut self) -> Read<Pipeline> {
        let mut negated = false;
        let mut timed = false;
        loop {
            self.blanks();
            if self.eat_reserved("!") {
                negated = !negated;
            } else if self.eat_reserved("time") {
                timed = true;
                self.blanks();
                if self.at("-p ") || self.at("-p\t") {
                    self.pos += 2;
                }
            } else {
                break;
            }
        }
        if (negated || timed) && matches!(self.peek(), None | Some(b'\n' | b';' | b')')) {
            return Ok(Pipeline { negated, timed, commands: Vec::new() });
        }
        let mut commands = Vec::new();
        loop {
            self.blanks();
            let mut command = self.command()?;
            self.blanks();
            let both = self.at("|&");
            if self.peek() != Some(b'|') || self.at("||") {
                commands.push(command);
                return Ok(Pipeline { negated, timed, commands });
            }
            let from = self.pos;
            self.pos += if both { 2 } else { 1 };
            if self.at("\\\n") {
                return self.problem(from, "a line continuation right after an operator is not understood");
            }
            if both {
                let target = Word {
                    parts: vec![Part::Text { text: "1".into(), quoted: false }],
                    span: self.span(from),
                };
                command.redirects.push(Redirect {
                    fd: Some(2),
                    fd_name: None,
                    kind: RedirectKind::DupOut,
                    target,
                    body: None,
                    span: self.span(from),
                });
            }
            commands.push(command);
            self.blank_lines()?;
        }
    }

    /// One command with its redirections.
    fn command(&mut self) -> Read<Command> {
        let from = self.pos;
        self.down()?;
        let kind = match self.reserved() {
            Some("if") => self.conditional()?,
            Some("while") => self.repeat("while", false)?,
            Some("until") => self.repeat("until", true)?,
            Some("for") => self.each("for", false)?,
            Some("select") => self.each("select", true)?,
            Some("case") => self.choice()?,
            Some("function") => self.keyword_function()?,
            Some("{") => {
                self.pos += 1;
                let list = self.list(&["}"])?;
                self.expect("}", from)?;
                Kind::Group(some(self, list, from)?)
            }
            Some("[[") => self.test()?,
            Some("coproc") => {
                self.pos += "coproc".len();
                self.blanks();
                Kind::Coproc(Box::new(self.command()?))
            }
            Some(word) => return self.problem(from, format!("`{word}` stands where no command can begin")),
            None if self.at("((") => {
                self.pos += 2;
                Kind::Arithmetic(self.arithmetic(from)?)
            }
            None if self.peek() == Some(b'(') => {
                self.pos += 1;
                let list = self.list(&[])?;
                if !self.eat(")") {
                    return self.problem(from, "a parenthesis is not closed");
                }
                Kind::Subshell(some(self, list, from)?)
            }
            None => return self.simple(),
        };
        let mut redirects = Vec::new();
        if !matches!(kind, Kind::Function { .. } | Kind::Coproc(_)) {
            loop {
                self.blanks();
                match self.redirect()? {
                    Some(redirect) => redirects.push(redirect),
                    None => break,
                }
            }
        }
        self.up();
        Ok(Command { kind, redirects, span: self.span(from) })
    }

    fn expect(&mut self, word: &str, from: usize) -> Read<()> {
        self.blanks();
        if self.eat_reserved(word) {
            return Ok(());
        }
        self.problem(from, format!("`{word}` is missing"))
    }

    fn block(&mut self, ends: &[&str], from: usize) -> Read<List> {
        let list = self.list(ends)?;
        some(self, list, from)
    }

    fn conditional(&mut self) -> Read<Kind> {
        let from = self.pos;
        self.pos += 2;
        let mut arms = Vec::new();
        loop {
            let condition = self.block(&["then"], from)?;
            self.expect("then", from)?;
            let body = self.block(&["elif", "else", "fi"], from)?;
            arms.push((condition, body));
            if !self.eat_reserved("elif") {
                break;
            }
        }
        let otherwise = if self.eat_reserved("else") { Some(self.block(&["fi"], from)?) } else { None };
        self.expect("fi", from)?;
        Ok(Kind::If { arms, otherwise })
    }

    fn repeat(&mut self, word: &str, until: bool) -> Read<Kind> {
        let from = self.pos;
        self.pos += word.len();
        let condition = self.block(&["do"], from)?;
        let body = self.do_done(from)?;
        Ok(Kind::While { condition, body, until })
    }

    fn do_done(&mut self, from: usize) -> Read<List> {
        self.blank_lines()?;
        self.expect("do", from)?;
        let body = self.block(&["done"], from)?;
        self.expect("done", from)?;
        Ok(body)
    }

    fn each(&mut self, word: &str, select: bool) -> Read<Kind> {
        let from = self.pos;
        self.pos += word.len();
        self.blanks();
        if !select && self.eat("((") {
            let head = self.arithmetic(from)?;
            self.blanks();
            let _ = self.eat(";");
            let body = self.do_done(from)?;
            return Ok(Kind::Count { head, body });
        }
        let name = self.name().map(str::to_owned);
        let (Some(name), true) = (name, self.at_word_end()) else {
            return self.problem(from, "the variable of a loop is not a name");
        };
        self.blanks_and_comment();
        if self.peek() == Some(b'\n') {
            self.blank_lines()?;
        }
        let mut words = None;
        let rest = self.text.get(self.pos..).unwrap_or_default();
        let after = rest.strip_prefix("in").map(|r| r.bytes().next());
        if matches!(after, Some(None | Some(b' ' | b'\t' | b'\n' | b';'))) {
            self.pos += 2;
            let mut items = Vec::new();
            loop {
                self.blanks_and_comment();
                match self.peek() {
                    Some(b';') => {
                        self.pos += 1;
                        break;
                    }
                    Some(b'\n') => {
                        self.newline()?;
                        break;
                    }
                    _ if self.at_word_end() => {
                        return self.problem(from, "the words of a loop are not understood");
                    }
                    _ => items.push(self.word(false, false)?),
                }
            }
            words = Some(items);
        } else {
            let _ = self.eat(";");
        }
        let body = self.do_done(from)?;
        Ok(Kind::For { name, words, body, select })
    }

    fn choice(&mut self) -> Read<Kind> {
        let from = self.pos;
        self.pos += "case".len();
        self.blanks();
        let word = self.word(false, false)?;
        self.blank_lines()?;
        if !self.eat("in") || !self.at_word_end() {
            return self.problem(from, "`in` is missing");
        }
        let mut arms = Vec::new();
        loop {
            self.blank_lines()?;
            if self.eat_reserved("esac") {
                return Ok(Kind::Case { word, arms });
            }
            let _ = self.eat("(");
            let mut patterns = Vec::new();
            loop {
                self.blanks();
                if self.at_word_end() {
                    return self.problem(from, "a pattern of `case` is not understood");
                }
                patterns.push(self.word(false, false)?);
                self.blanks();
                if self.eat("|") {
                    continue;
                }
                if self.eat(")") {
                    break;
                }
                return self.problem(from, "a pattern of `case` is not understood");
            }
            let body = self.list(&["esac"])?;
            arms.push((patterns, body));
            if !(self.eat(";;&") || self.eat(";;") || self.eat(";&")) && self.reserved() != Some("esac") {
                return self.problem(from, "`;;` or `esac` is missing");
            }
        }
    }

    fn keyword_function(&mut self) -> Read<Kind> {
        let from = self.pos;
        self.pos += "function".len();
        self.blanks();
        let word = self.word(false, false)?;
        let Some(name) = word.bare().map(str::to_owned) else {
            return self.problem(from, "a function's name is not understood");
        };
        self.blanks();
        if self.eat("(") {
            self.blanks();
            if !self.eat(")") {
                return self.problem(from, "a function's head is not understood");
            }
        }
        self.function_body(name, from)
    }

    fn function_body(&mut self, name: String, from: usize) -> Read<Kind> {
        self.blank_lines()?;
        let compound = matches!(
            self.reserved(),
            Some("{" | "[[" | "if" | "while" | "until" | "for" | "case" | "select")
        ) || self.peek() == Some(b'(');
        if !compound {
            return self.problem(from, "a function's body is not understood");
        }
        let body = Rc::new(self.command()?);
        Ok(Kind::Function { name, body })
    }

    fn test(&mut self) -> Read<Kind> {
        const AFTER_PATTERN: [&str; 4] = ["==", "!=", "=", "=~"];
        let from = self.pos;
        self.pos += 2;
        let mut items: Vec<TestItem> = Vec::new();
        loop {
            self.blanks();
            if self.peek() == Some(b'\n') {
                self.no_pending()?;
                self.pos += 1;
                continue;
            }
            if self.reserved_is("]]") {
                self.pos += 2;
                return Ok(Kind::Test(items));
            }
            let operator = ["&&", "||", "(", ")", "<", ">"]
                .into_iter()
                .find(|o| self.at(o) && !(matches!(*o, "<" | ">") && self.byte(1) == Some(b'(')));
            if let Some(operator) = operator {
                self.pos += operator.len();
                items.push(TestItem::Operator(operator.to_owned()));
                continue;
            }
            if self.at_word_end() {
                return self.problem(from, "a `[[ … ]]` is not understood");
            }
            let pattern =
                matches!(items.last(), Some(TestItem::Operator(o)) if AFTER_PATTERN.contains(&o.as_str()));
            let word = self.word(false, pattern)?;
            let sign = word.bare().filter(|t| {
                matches!(*t, "!" | "==" | "!=" | "=" | "=~")
                    || (t.starts_with('-') && matches!(t.len(), 2 | 3))
            });
            items.push(match sign {
                Some(sign) if !pattern => TestItem::Operator(sign.to_owned()),
                _ => TestItem::Operand(word),
            });
        }
    }

    fn reserved_is(&self, word: &str) -> bool {
        let rest = self.text.get(self.pos..).unwrap_or_default();
        rest.strip_prefix(word).is_some_and(|r| {
            matches!(
                r.bytes().next(),
                None | Some(b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b')' | b'<' | b'>')
            )
        })
    }

    fn simple(&mut self) -> Read<Command> {
        let from = self.pos;
        self.count_command()?;
        let mut assignments = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        let mut redirects = Vec::new();
        let mut end = self.pos;
        loop {
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
            } else if self.peek() == Some(b'(') && words.len() == 1 && assignments.is_empty() {
                return self.function(&words, from, redirects.is_empty());
            } else if self.at_word_end() {
                break;
            } else {
                let first = words.is_empty();
                let declares = words.first().and_then(Word::bare).is_some_and(|w| DECLARES.contains(&w));
                let at = self.pos;
                let word = self.word(first || declares, false)?;
                if (first || declares) && self.cut_subscript(at) {
                    return self.problem(at, "a subscript with a space in it is not understood");
                }
                match assignment(&word) {
                    Some(assignment) if first => assignments.push(assignment),
                    _ => words.push(word),
                }
            }
            end = self.pos;
            self.blanks();
            // A comment needs a blank before it; right after a word `#` belongs to the word.
            if self.peek() == Some(b'#') && self.pos > end {
                break;
            }
        }
        if assignments.is_empty() && words.is_empty() && redirects.is_empty() {
            return self.problem(from, "a command is missing");
        }
        self.up();
        let span = self.place.span(from, end);
        Ok(Command { kind: Kind::Simple { assignments, words }, redirects, span })
    }

    /// Whether the word that ended here is `NAME[…` without its `]`: bash would read on.
    fn cut_subscript(&self, from: usize) -> bool {
        let raw = self.raw(from);
        raw.split_once('[').is_some_and(|(name, rest)| is_name(name) && !rest.contains(']'))
    }

    fn function(&mut self, words: &[Word], from: usize, plain: bool) -> Read<Command> {
        let name = words.first().and_then(Word::bare).map(str::to_owned);
        self.pos += 1;
        self.blanks();
        let (Some(name), true, true) = (name, plain, self.eat(")")) else {
            return self.problem(from, "a parenthesis after a word is not understood");
        };
        let kind = self.function_body(name, from)?;
        self.up();
        Ok(Command { kind, redirects: Vec::new(), span: self.span(from) })
    }
}

/// A list that must not be empty.
fn some(reader: &Reader<'_, '_>, list: List, from: usize) -> Read<List> {
    if list.items.is_empty() {
        return reader.problem(from, "a command is missing");
    }
    Ok(list)
}

/// A word read as an assignment, if it is one.
pub(crate) fn assignment(word: &Word) -> Option<Assignment> {
    let (Part::Text { text, quoted: false }, rest) = word.parts.split_first()? else { return None };
    let len = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let (name, after) = text.split_at_checked(len)?;
    if !is_name(name) {
        return None;
    }
    let value = |after: &str, rest: &[Part]| {
        let mut parts = Vec::new();
        if !after.is_empty() {
            push(&mut parts, Part::Text { text: after.to_owned(), quoted: false });
        }
        parts.extend_from_slice(rest);
        Word { parts, span: word.span }
    };
    let made =
        |subscript, append, value| Some(Assignment { name: name.to_owned(), subscript, append, value });
    if let Some(after) = after.strip_prefix("+=") {
        return made(None, true, value(after, rest));
    }
    if let Some(after) = after.strip_prefix('=') {
        return made(None, false, value(after, rest));
    }
    // `NAME[…]=`: the bracket may close in a later part.
    let mut inside = Vec::new();
    let mut head = after.strip_prefix('[')?.to_owned();
    let mut rest = rest.iter();
    loop {
        if let Some((index, after)) = head.split_once(']') {
            let append = after.starts_with("+=");
            let after = after.strip_prefix("+=").or_else(|| after.strip_prefix('='))?;
            inside.push(Part::Text { text: index.to_owned(), quoted: false });
            return made(Some(inside), append, value(after, rest.as_slice()));
        }
        if !head.is_empty() {
            inside.push(Part::Text { text: std::mem::take(&mut head), quoted: false });
        }
        match rest.next()? {
            Part::Text { text, quoted: false } => head.clone_from(text),
            part => inside.push(part.clone()),
        }
    }
}
