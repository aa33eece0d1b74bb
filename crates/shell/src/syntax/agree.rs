//! A second opinion: another parser must find the same commands, or the text is not understood.

use super::{Command, Kind, List, Place, Problem, Word};
use shuck_ast::{Command as Theirs, CompoundCommand, Stmt, StmtSeq};
use shuck_parser::parser::Parser;

/// Fuel of the second parser, in its own operations.
const FUEL: usize = 400_000;

/// Compares the programs' names of both readings, outside substitutions, by where they stand.
pub(super) fn check(text: &str, list: &List, place: Place) -> Result<(), Problem> {
    if plain(text, list) {
        return Ok(());
    }
    let disagree = |why: &str| Err(Problem { why: why.to_owned(), span: place.span(0, text.len()) });
    // The second parser would put aliases in where they are used, and loses its place in doing so; the walk over our
    // own reading follows them. The same number of bytes, so that places stay as they are.
    let text = text.replace("expand_aliases", "expand_nothing");
    let parsed = Parser::with_fuel(&text, FUEL).parse();
    if parsed.is_err() {
        return disagree("the command may not be valid bash");
    }
    let base = match place {
        Place::At(base) => base,
        // Every span is the outer word's: the number of commands must do.
        Place::Of(_) => 0,
    };
    let mut ours = Vec::new();
    from_list(list, &mut ours);
    let mut theirs = Vec::new();
    seq(&parsed.file.body, &mut theirs);
    let same = match place {
        Place::At(_) => {
            let mut ours: Vec<usize> = ours.into_iter().map(|at| (at - base) as usize).collect();
            ours.sort_unstable();
            theirs.sort_unstable();
            ours == theirs
        }
        Place::Of(_) => ours.len() == theirs.len(),
    };
    if same { Ok(()) } else { disagree("the command may be read in two ways") }
}

/// One command of plain words with spaces between them: no character has a meaning, and the first word none either,
/// so there is nothing to read in two ways.
fn plain(text: &str, list: &List) -> bool {
    let [item] = list.items.as_slice() else { return false };
    let [Command { kind: Kind::Simple { words, assignments }, redirects, .. }] =
        item.first.commands.as_slice()
    else {
        return false;
    };
    let first = text.split(' ').next().unwrap_or_default();
    item.rest.is_empty()
        && redirects.is_empty()
        && assignments.is_empty()
        && words.len() == text.split(' ').count()
        && !RESERVED.contains(&first)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" _./:@+,-".contains(&b))
}

/// Words that begin something else than a simple command.
const RESERVED: &[&str] = &[
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "in",
    "select", "function", "time", "coproc",
];

fn from_list(list: &List, out: &mut Vec<u32>) {
    for item in &list.items {
        for pipeline in std::iter::once(&item.first).chain(item.rest.iter().map(|(_, p)| p)) {
            for command in &pipeline.commands {
                from_command(command, out);
            }
        }
    }
}

fn from_command(command: &Command, out: &mut Vec<u32>) {
    match &command.kind {
        Kind::Simple { words, .. } => out.extend(words.first().map(|w: &Word| w.span.from)),
        Kind::Subshell(list) | Kind::Group(list) => from_list(list, out),
        Kind::If { arms, otherwise } => {
            for (condition, body) in arms {
                from_list(condition, out);
                from_list(body, out);
            }
            if let Some(body) = otherwise {
                from_list(body, out);
            }
        }
        Kind::For { body, .. } | Kind::Count { body, .. } => from_list(body, out),
        Kind::While { condition, body, .. } => {
            from_list(condition, out);
            from_list(body, out);
        }
        Kind::Case { arms, .. } => {
            for (_, body) in arms {
                from_list(body, out);
            }
        }
        Kind::Test(_) | Kind::Arithmetic(_) => {}
        Kind::Function { body, .. } => from_command(body, out),
        Kind::Coproc(inner) => from_command(inner, out),
    }
}

fn seq(stmts: &StmtSeq, out: &mut Vec<usize>) {
    for statement in stmts.iter() {
        stmt(statement, out);
    }
}

fn stmt(statement: &Stmt, out: &mut Vec<usize>) {
    // Chains lean to the left and can be long: they are followed in a loop.
    let mut statement = statement;
    loop {
        match &statement.command {
            Theirs::Binary(binary) => {
                stmt(&binary.right, out);
                statement = &binary.left;
            }
            other => {
                command(other, out);
                return;
            }
        }
    }
}

fn command(theirs: &Theirs, out: &mut Vec<usize>) {
    use shuck_ast::BuiltinCommand as B;
    match theirs {
        Theirs::Simple(simple) => {
            if simple.name.span.end.offset() > simple.name.span.start.offset() {
                out.push(simple.name.span.start.offset());
            }
        }
        Theirs::Builtin(builtin) => {
            let (span, assignments) = match builtin {
                B::Break(b) => (b.span, &b.assignments),
                B::Continue(b) => (b.span, &b.assignments),
                B::Return(b) => (b.span, &b.assignments),
                B::Exit(b) => (b.span, &b.assignments),
            };
            if assignments.is_empty() {
                out.push(span.start.offset());
            }
        }
        Theirs::Decl(clause) => out.push(clause.variant_span.start.offset()),
        Theirs::Binary(binary) => {
            stmt(&binary.left, out);
            stmt(&binary.right, out);
        }
        Theirs::Function(function) => stmt(&function.body, out),
        Theirs::AnonymousFunction(_) => out.push(usize::MAX),
        Theirs::Compound(compound) => inner(compound, out),
    }
}

fn inner(compound: &CompoundCommand, out: &mut Vec<usize>) {
    match compound {
        CompoundCommand::If(c) => {
            seq(&c.condition, out);
            seq(&c.then_branch, out);
            for (condition, body) in &c.elif_branches {
                seq(condition, out);
                seq(body, out);
            }
            if let Some(body) = &c.else_branch {
                seq(body, out);
            }
        }
        CompoundCommand::For(c) => seq(&c.body, out),
        CompoundCommand::ArithmeticFor(c) => seq(&c.body, out),
        CompoundCommand::Select(c) => seq(&c.body, out),
        CompoundCommand::While(c) => {
            seq(&c.condition, out);
            seq(&c.body, out);
        }
        CompoundCommand::Until(c) => {
            seq(&c.condition, out);
            seq(&c.body, out);
        }
        CompoundCommand::Case(c) => {
            for item in &c.cases {
                seq(&item.body, out);
            }
        }
        CompoundCommand::Subshell(list) | CompoundCommand::BraceGroup(list) => seq(list, out),
        CompoundCommand::Time(c) => {
            if let Some(inner) = &c.command {
                stmt(inner, out);
            }
        }
        CompoundCommand::Coproc(c) => stmt(&c.body, out),
        CompoundCommand::Arithmetic(_) | CompoundCommand::Conditional(_) => {}
        // Forms of zsh: no text of ours holds them.
        CompoundCommand::Repeat(_) | CompoundCommand::Foreach(_) | CompoundCommand::Always(_) => {
            out.push(usize::MAX);
        }
    }
}
