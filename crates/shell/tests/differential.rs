//! A parser that shares nothing with ours reads the same commands: it finds what ours finds, or ours does not understand.

#![expect(clippy::unwrap_used, reason = "tests stop where something is wrong")]

use brush_parser::ast::{
    AndOr, AssignmentValue, Command, CommandPrefixOrSuffixItem as Item, CompoundCommand, CompoundList,
    ExtendedTestExpr, IoFileRedirectTarget, IoRedirect, Pipeline, RedirectList, SimpleCommand, Word,
};
use brush_parser::word::{WordPiece, WordPieceWithSource, parse, parse_heredoc};
use brush_parser::{Parser, ParserOptions};
use model::{AbsPath, AsWritten};
use programs::Table;
use proptest::prelude::*;
use shell::{analyse, commands};
use std::collections::BTreeSet;

/// Simple commands as the other parser finds them: the words of each, `None` where a word is not plain text.
type Theirs = Vec<Vec<Option<String>>>;

/// What the other parser finds; `None` when it cannot read the text.
fn theirs(text: &str) -> Option<Theirs> {
    let options = ParserOptions::default();
    let program = Parser::new(text.as_bytes(), &options).parse_program().ok()?;
    let mut found = Finder { options, commands: Vec::new(), failed: false };
    for list in &program.complete_commands {
        found.list(list);
    }
    (!found.failed).then_some(found.commands)
}

struct Finder {
    options: ParserOptions,
    commands: Theirs,
    failed: bool,
}

impl Finder {
    fn list(&mut self, list: &CompoundList) {
        for item in &list.0 {
            self.pipeline(&item.0.first);
            for more in &item.0.additional {
                let (AndOr::And(pipeline) | AndOr::Or(pipeline)) = more;
                self.pipeline(pipeline);
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        for command in &pipeline.seq {
            self.command(command);
        }
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Simple(simple) => self.simple(simple),
            Command::Compound(compound, redirects) => {
                self.compound(compound);
                self.redirects(redirects.as_ref());
            }
            Command::Function(function) => {
                self.compound(&function.body.0);
                self.redirects(function.body.1.as_ref());
            }
            Command::ExtendedTest(test, redirects) => {
                self.test(&test.expr);
                self.redirects(redirects.as_ref());
            }
        }
    }

    fn test(&mut self, test: &ExtendedTestExpr) {
        match test {
            ExtendedTestExpr::And(a, b) | ExtendedTestExpr::Or(a, b) => {
                self.test(a);
                self.test(b);
            }
            ExtendedTestExpr::Not(a) | ExtendedTestExpr::Parenthesized(a) => self.test(a),
            ExtendedTestExpr::UnaryTest(_, word) => drop(self.word(word)),
            ExtendedTestExpr::BinaryTest(_, a, b) => {
                self.word(a);
                self.word(b);
            }
        }
    }

    fn compound(&mut self, compound: &CompoundCommand) {
        match compound {
            CompoundCommand::Arithmetic(a) => self.text_in_word(&a.expr.value),
            CompoundCommand::ArithmeticForClause(a) => self.list(&a.body.list),
            CompoundCommand::BraceGroup(group) => self.list(&group.list),
            CompoundCommand::Subshell(shell) => self.list(&shell.list),
            CompoundCommand::ForClause(clause) => {
                for word in clause.values.iter().flatten() {
                    self.word(word);
                }
                self.list(&clause.body.list);
            }
            CompoundCommand::CaseClause(clause) => {
                self.word(&clause.value);
                for case in &clause.cases {
                    for pattern in &case.patterns {
                        self.word(pattern);
                    }
                    case.cmd.iter().for_each(|list| self.list(list));
                }
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition);
                self.list(&clause.then);
                for other in clause.elses.iter().flatten() {
                    other.condition.iter().for_each(|list| self.list(list));
                    self.list(&other.body);
                }
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                self.list(&clause.0);
                self.list(&clause.1.list);
            }
            CompoundCommand::Coprocess(coprocess) => self.command(&coprocess.body),
        }
    }

    fn simple(&mut self, simple: &SimpleCommand) {
        let mut words = Vec::new();
        for item in simple.prefix.iter().flat_map(|p| &p.0) {
            self.item(item);
        }
        if let Some(name) = &simple.word_or_name {
            words.push(self.word(name));
        }
        for item in simple.suffix.iter().flat_map(|s| &s.0) {
            match item {
                Item::Word(word) | Item::AssignmentWord(_, word) => words.push(self.word(word)),
                other => {
                    if matches!(other, Item::ProcessSubstitution(..)) {
                        words.push(None);
                    }
                    self.item(other);
                }
            }
        }
        if !words.is_empty() {
            self.commands.push(words);
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::IoRedirect(redirect) => self.redirect(redirect),
            Item::Word(word) => drop(self.word(word)),
            Item::AssignmentWord(assignment, _) => match &assignment.value {
                AssignmentValue::Scalar(word) => drop(self.word(word)),
                AssignmentValue::Array(elements) => {
                    for (_, word) in elements {
                        self.word(word);
                    }
                }
            },
            Item::ProcessSubstitution(_, shell) => self.list(&shell.list),
        }
    }

    fn redirects(&mut self, redirects: Option<&RedirectList>) {
        for redirect in redirects.iter().flat_map(|r| &r.0) {
            self.redirect(redirect);
        }
    }

    fn redirect(&mut self, redirect: &IoRedirect) {
        match redirect {
            IoRedirect::File(_, _, IoFileRedirectTarget::ProcessSubstitution(_, shell)) => {
                self.list(&shell.list);
            }
            IoRedirect::File(_, _, IoFileRedirectTarget::Filename(word))
            | IoRedirect::File(_, _, IoFileRedirectTarget::Duplicate(word))
            | IoRedirect::HereString(_, word)
            | IoRedirect::OutputAndError(word, _) => drop(self.word(word)),
            IoRedirect::File(_, _, IoFileRedirectTarget::Fd(_)) => {}
            IoRedirect::HereDocument(_, here) => {
                if here.requires_expansion {
                    match parse_heredoc(&here.doc.value, &self.options) {
                        Ok(pieces) => drop(self.pieces(&pieces)),
                        Err(_) => self.failed = true,
                    }
                }
            }
        }
    }

    /// The word's text when it is plain; finds the commands in it otherwise.
    fn word(&mut self, word: &Word) -> Option<String> {
        match parse(&word.value, &self.options) {
            Ok(pieces) => self.pieces(&pieces),
            Err(_) => {
                self.failed = true;
                None
            }
        }
    }

    fn pieces(&mut self, pieces: &[WordPieceWithSource]) -> Option<String> {
        let mut text = Some(String::new());
        for piece in pieces {
            let said = match &piece.piece {
                WordPiece::Text(t) => (!t.contains(['*', '?', '[', '{', '~'])).then(|| t.clone()),
                WordPiece::SingleQuotedText(t) => Some(t.clone()),
                WordPiece::DoubleQuotedSequence(inner) | WordPiece::GettextDoubleQuotedSequence(inner) => {
                    self.quoted(inner)
                }
                WordPiece::EscapeSequence(t) => {
                    Some(t.strip_prefix('\\').unwrap_or(t).trim_start_matches('\n').to_owned())
                }
                WordPiece::CommandSubstitution(inner) => {
                    self.text(inner);
                    None
                }
                WordPiece::BackquotedCommandSubstitution(inner) => {
                    self.text(&inner.replace("\\`", "`"));
                    None
                }
                WordPiece::ArithmeticExpression(expression) => {
                    self.text_in_word(&expression.value);
                    None
                }
                WordPiece::AnsiCQuotedText(_)
                | WordPiece::TildeExpansion(_)
                | WordPiece::ParameterExpansion(_) => None,
            };
            text = match (text, said) {
                (Some(text), Some(said)) => Some(text + &said),
                _ => None,
            };
        }
        text
    }

    /// The text inside double quotes, where patterns and braces are plain.
    fn quoted(&mut self, pieces: &[WordPieceWithSource]) -> Option<String> {
        let plain = |piece: &WordPieceWithSource| match &piece.piece {
            WordPiece::Text(t) => Some(t.clone()),
            WordPiece::EscapeSequence(t) => {
                Some(t.strip_prefix('\\').unwrap_or(t).trim_start_matches('\n').to_owned())
            }
            _ => None,
        };
        let text: Option<String> = pieces.iter().map(plain).collect();
        if text.is_none() {
            self.pieces(pieces);
        }
        text
    }

    /// The commands of a text that stands inside another.
    fn text(&mut self, inner: &str) {
        match theirs(inner) {
            Some(found) => self.commands.extend(found),
            None => self.failed = true,
        }
    }

    fn text_in_word(&mut self, word: &str) {
        if let Ok(pieces) = parse(word, &self.options) {
            self.pieces(&pieces);
        }
    }
}

/// Whether ours understands the text's grammar.
fn read(text: &str) -> bool {
    let facts = AsWritten::new(AbsPath::parse("/work").unwrap(), AbsPath::parse("/home").unwrap());
    analyse(text, &facts.workspace, &facts, &Table::builtin()).canonical.is_some()
}

/// What is wrong with our reading, if anything; `Ok(false)` when one of the two does not read the text.
fn compare(text: &str) -> Result<bool, String> {
    let Some(theirs) = theirs(text) else { return Ok(false) };
    // The other parser takes `( (` for `((`, which bash does not.
    if text.contains("( (") || !read(text) {
        return Ok(false);
    }
    let ours: BTreeSet<Vec<String>> = commands(text).into_iter().collect();
    let our_names: BTreeSet<&str> = ours.iter().filter_map(|c| c.first()).map(String::as_str).collect();
    let mut names = BTreeSet::new();
    for command in &theirs {
        let Some(Some(name)) = command.first() else { continue };
        names.insert(name.as_str());
        if name.starts_with('c') && !our_names.contains(name.as_str()) {
            return Err(format!("{text}\n  theirs has `{name}`, ours is {ours:?}"));
        }
        let whole: Option<Vec<String>> = command.iter().cloned().collect();
        if let Some(words) = whole
            && name.starts_with('c')
            && name != "coproc"
            && !ours.contains(&words)
        {
            return Err(format!("{text}\n  theirs has {words:?}, ours is {ours:?}"));
        }
    }
    match our_names.iter().find(|n| n.starts_with('c') && !names.contains(*n)) {
        Some(name) => Err(format!("{text}\n  ours has `{name}`, theirs is {theirs:?}")),
        None => Ok(true),
    }
}

#[test]
fn both_find_the_same_commands() {
    let mut wrong = Vec::new();
    let (mut lines, mut alike, mut aside) = (0, 0, Vec::new());
    let text = include_str!("cases/differential.txt");
    for line in text.lines().skip(1).filter(|l| !l.is_empty()) {
        lines += 1;
        let text = line.replace("\\n", "\n");
        match compare(&text) {
            Ok(true) => alike += 1,
            Ok(false) => aside.push(line),
            Err(why) => wrong.push(why),
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    // Where either does not read the text there is nothing to compare: that must stay the exception.
    assert!(lines > 140 && alike * 10 >= lines * 9, "{alike} of {lines}; set aside: {aside:#?}");
}

/// A script with commands `c1`, `c2` … in random places.
fn script() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-z]{1,4}",
        "'[a-z;|&$()` ]{0,6}'",
        "\"[a-z;|&() ]{0,6}\"",
        Just("a\\ b".to_owned()),
        Just("\\;".to_owned()),
        Just("$x".to_owned()),
        Just("\"${x}\"".to_owned()),
        Just("#x".to_owned()).prop_map(|w| format!("a{w}")),
    ];
    let simple = (1..9u8, prop::collection::vec(word, 0..3)).prop_map(|(n, words)| {
        let mut text = format!("c{n}");
        for word in words {
            text.push(' ');
            text.push_str(&word);
        }
        text
    });
    simple.prop_recursive(4, 24, 3, |inner| {
        let two = || (inner.clone(), inner.clone());
        prop_oneof![
            two().prop_map(|(a, b)| format!("{a}; {b}")),
            two().prop_map(|(a, b)| format!("{a} && {b}")),
            two().prop_map(|(a, b)| format!("{a} | {b}")),
            two().prop_map(|(a, b)| format!("{a}\n{b}")),
            two().prop_map(|(a, b)| format!("{a} & {b}")),
            inner.clone().prop_map(|a| format!("( {a} )")),
            inner.clone().prop_map(|a| format!("{{ {a}; }}")),
            inner.clone().prop_map(|a| format!("c0 $({a})")),
            inner.clone().prop_map(|a| format!("c0 \"x $({a})\"")),
            inner.clone().prop_map(|a| format!("c0 <({a})")),
            inner.clone().prop_map(|a| format!("for x in p q; do {a}; done")),
            two().prop_map(|(a, b)| format!("if {a}; then {b}; fi")),
            two().prop_map(|(a, b)| format!("while {a}; do {b}; done")),
            two().prop_map(|(a, b)| format!("case x in p) {a};; *) {b};; esac")),
            inner.clone().prop_map(|a| format!("c0 <<'E'\n$(c9)\nE\n{a}")),
            inner.prop_map(|a| format!("c0 <<E\n$({a})\nE\n")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        // The same texts at every run: new ones are the fuzzing driver's to find.
        rng_seed: proptest::test_runner::RngSeed::Fixed(20_261_122),
        ..ProptestConfig::default()
    })]

    #[test]
    fn scripts_made_at_random_are_read_alike(text in script()) {
        if let Err(why) = compare(&text) {
            return Err(TestCaseError::fail(why));
        }
    }
}
