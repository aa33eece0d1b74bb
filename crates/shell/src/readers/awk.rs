//! The language of awk, as far as it reads, writes or runs anything.
//!
//! From awk(1p), gawk(1) 5.2 and mawk(1) 1.3. A program is cut into tokens; where it is not clear whether a slash
//! divides or begins an expression, the program is not understood.

use super::Doing;
use super::cursor::Cursor;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Number,
    /// A string; `None` when it holds an escape that is not followed here.
    Text(Option<String>),
    Regex,
    Sign(&'static str),
    Newline,
}

/// What an awk program does besides printing.
///
/// # Errors
/// The part that is not understood, in words.
pub(crate) fn read(program: &str) -> Result<Vec<Doing>, String> {
    let tokens = tokens(program)?;
    doings(&tokens)
}

/// Signs, longest first.
const SIGNS: &[&str] = &[
    "**=", "<<=", ">>=", "|&", "||", "&&", "==", "<=", ">=", "!=", "!~", "++", "--", "+=", "-=", "*=", "/=",
    "%=", "^=", "**", ">>", "{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "%", "^", "!", "<", ">",
    "|", "?", ":", "~", "$", "=",
];

/// After these words a slash begins an expression.
const BEFORE_REGEX: &[&str] = &["print", "printf", "return", "in", "else", "do", "case", "exit"];

fn tokens(program: &str) -> Result<Vec<Token>, String> {
    let mut at = Cursor::new(program);
    let mut tokens: Vec<Token> = Vec::new();
    // For each open parenthesis, whether it belongs to `if`, `while`, `for` or `switch`.
    let mut parens: Vec<bool> = Vec::new();
    let mut after_condition = false;
    while let Some(c) = at.peek() {
        let was_condition = std::mem::take(&mut after_condition);
        match c {
            ' ' | '\t' | '\r' => {
                at.next();
                after_condition = was_condition;
                continue;
            }
            '\n' => {
                at.next();
                tokens.push(Token::Newline);
            }
            '#' => {
                at.line();
            }
            '\\' => {
                at.next();
                at.eat('\r');
                if !at.eat('\n') {
                    return Err("a backslash in the awk program is not understood".to_owned());
                }
                after_condition = was_condition;
            }
            '"' => {
                at.next();
                tokens.push(Token::Text(string(&mut at)?));
            }
            '/' => match slash(tokens.last(), was_condition) {
                Some(true) => {
                    at.next();
                    regex(&mut at)?;
                    tokens.push(Token::Regex);
                }
                Some(false) => {
                    at.next();
                    at.eat('=');
                    tokens.push(Token::Sign("/"));
                }
                None => return Err("a slash in the awk program is not clear".to_owned()),
            },
            '@' => return Err("`@` in the awk program loads or calls what is not seen".to_owned()),
            c if c.is_ascii_alphabetic() || c == '_' => {
                let name = at.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
                if at.peek() == Some(':') && at.peek_at(1) == Some(':') {
                    return Err("a name space in the awk program is not understood".to_owned());
                }
                tokens.push(Token::Name(name));
            }
            c if c.is_ascii_digit() || c == '.' => {
                at.take_while(|c| c.is_ascii_alphanumeric() || c == '.');
                tokens.push(Token::Number);
            }
            _ => {
                let Some(sign) =
                    SIGNS.iter().find(|s| s.chars().enumerate().all(|(i, c)| at.peek_at(i) == Some(c)))
                else {
                    return Err(format!("`{c}` in the awk program is not understood"));
                };
                for _ in sign.chars() {
                    at.next();
                }
                if *sign == "(" {
                    parens.push(matches!(tokens.last(), Some(Token::Name(n)) if matches!(n.as_str(), "if" | "while" | "for" | "switch")));
                } else if *sign == ")" {
                    after_condition = parens.pop().unwrap_or(false);
                }
                tokens.push(Token::Sign(sign));
            }
        }
    }
    Ok(tokens)
}

/// Whether a slash begins an expression (`true`) or divides; `None` when that is not clear.
fn slash(before: Option<&Token>, after_condition: bool) -> Option<bool> {
    match before {
        None | Some(Token::Newline) => Some(true),
        Some(Token::Name(n)) if n == "getline" => None,
        Some(Token::Name(n)) => Some(BEFORE_REGEX.contains(&n.as_str())),
        Some(Token::Number | Token::Text(_) | Token::Regex) => Some(false),
        Some(Token::Sign(")")) => Some(after_condition),
        Some(Token::Sign("]")) => Some(false),
        Some(Token::Sign("++" | "--" | "$" | "/")) => None,
        Some(Token::Sign(_)) => Some(true),
    }
}

fn string(at: &mut Cursor) -> Result<Option<String>, String> {
    let mut text = Some(String::new());
    while let Some(c) = at.next() {
        let c = match c {
            '"' => return Ok(text),
            '\n' => break,
            '\\' => match at.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(c @ ('"' | '\\' | '/')) => c,
                Some(_) => {
                    text = None;
                    continue;
                }
                None => break,
            },
            c => c,
        };
        if let Some(text) = &mut text {
            text.push(c);
        }
    }
    Err("a string of the awk program has no end".to_owned())
}

fn regex(at: &mut Cursor) -> Result<(), String> {
    let mut bracket = false;
    let mut first = false;
    while let Some(c) = at.next() {
        match c {
            '\\' => {
                at.next();
            }
            '\n' => break,
            '[' if !bracket => {
                bracket = true;
                first = true;
                at.eat('^');
                continue;
            }
            ']' if bracket && !first => bracket = false,
            // Awks differ in whether this ends the expression.
            '/' if bracket => return Err("a slash in brackets of the awk program is not clear".to_owned()),
            '/' => return Ok(()),
            _ => {}
        }
        first = false;
    }
    Err("an expression of the awk program has no end".to_owned())
}

fn doings(tokens: &[Token]) -> Result<Vec<Doing>, String> {
    let mut found = Vec::new();
    let mut depth = 0usize;
    // The depth of parentheses at which a `print` statement goes on.
    let mut print: Option<usize> = None;
    for (i, token) in tokens.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| tokens.get(i));
        match token {
            Token::Sign("(" | "[") => depth += 1,
            Token::Sign(")" | "]") => depth = depth.saturating_sub(1),
            Token::Sign(";" | "{" | "}") => print = None,
            Token::Newline if !continues(before) => print = None,
            Token::Name(n) if matches!(n.as_str(), "print" | "printf") => print = Some(depth),
            Token::Name(n) if n == "system" => found.push(Doing::Run(argument(tokens, i))),
            Token::Name(n) if n == "getline" => found.extend(getline(tokens, i)?),
            Token::Name(n) if n == "ENVIRON" => found.push(Doing::Environment(index(tokens, i))),
            Token::Name(n) if matches!(n.as_str(), "ARGV" | "ARGC") => found.extend(argv(tokens, i)),
            Token::Name(n) if matches!(n.as_str(), "load" | "include" | "extension" | "dl") => {
                return Err(format!("`{n}` in the awk program is not understood"));
            }
            Token::Sign(">" | ">>") if print == Some(depth) => {
                found.extend(file(sole(tokens, i + 1), Doing::Write)?);
            }
            Token::Sign("|") if matches!(tokens.get(i + 1), Some(Token::Name(n)) if n == "getline") => {
                // `"command" | getline`: the command is one string when nothing is joined to it before.
                let alone = !matches!(
                    i.checked_sub(2).and_then(|i| tokens.get(i)),
                    Some(
                        Token::Name(_)
                            | Token::Number
                            | Token::Text(_)
                            | Token::Sign(")" | "]" | "++" | "--")
                    )
                );
                found.push(Doing::Run(match before {
                    Some(Token::Text(t)) if alone => t.clone(),
                    _ => None,
                }));
            }
            Token::Sign("|") => found.push(Doing::Run(sole(tokens, i + 1))),
            Token::Sign("|&") => found.push(Doing::Run(None)),
            _ => {}
        }
    }
    Ok(found)
}

/// Whether a statement goes on after a line break behind this token.
fn continues(before: Option<&Token>) -> bool {
    matches!(before, Some(Token::Sign("," | "&&" | "||" | "?" | ":")))
}

/// The string that begins at a place and ends the statement.
fn sole(tokens: &[Token], at: usize) -> Option<String> {
    match (tokens.get(at), tokens.get(at + 1)) {
        (Some(Token::Text(t)), None | Some(Token::Newline | Token::Sign(";" | "}"))) => t.clone(),
        _ => None,
    }
}

/// The single string in the parentheses after a name.
fn argument(tokens: &[Token], at: usize) -> Option<String> {
    match (tokens.get(at + 1), tokens.get(at + 2), tokens.get(at + 3)) {
        (Some(Token::Sign("(")), Some(Token::Text(t)), Some(Token::Sign(")"))) => t.clone(),
        _ => None,
    }
}

fn index(tokens: &[Token], at: usize) -> Option<String> {
    match (tokens.get(at + 1), tokens.get(at + 2), tokens.get(at + 3)) {
        (Some(Token::Sign("[")), Some(Token::Text(t)), Some(Token::Sign("]"))) => t.clone(),
        _ => None,
    }
}

/// A file named by a program; names under `/inet` are connections.
fn file(name: Option<String>, doing: impl Fn(Option<String>) -> Doing) -> Result<Option<Doing>, String> {
    match &name {
        Some(n) if n.starts_with("/inet") => Err("the awk program opens a connection".to_owned()),
        Some(n) if n == "-" => Ok(None),
        _ => Ok(Some(doing(name))),
    }
}

/// `getline < file`, with a variable, field or element between.
fn getline(tokens: &[Token], at: usize) -> Result<Option<Doing>, String> {
    let mut i = at + 1;
    let mut brackets = 0usize;
    loop {
        match tokens.get(i) {
            Some(Token::Sign("<")) if brackets == 0 => {
                let name = match tokens.get(i + 1) {
                    Some(Token::Text(t)) => t.clone(),
                    _ => None,
                };
                return file(name, Doing::Read);
            }
            Some(Token::Sign("[" | "(")) => brackets += 1,
            Some(Token::Sign("]" | ")")) if brackets > 0 => brackets -= 1,
            Some(Token::Sign("$")) => {}
            Some(Token::Name(_) | Token::Number) if brackets == 0 => {}
            Some(Token::Newline | Token::Sign(";" | "{" | "}")) | None => return Ok(None),
            Some(_) if brackets > 0 => {}
            Some(_) => return Ok(None),
        }
        i += 1;
    }
}

/// A program that sets `ARGV` or `ARGC` chooses which files are read.
fn argv(tokens: &[Token], at: usize) -> Option<Doing> {
    let mut i = at + 1;
    if tokens.get(i) == Some(&Token::Sign("[")) {
        let mut open = 0usize;
        loop {
            match tokens.get(i)? {
                Token::Sign("[") => open += 1,
                Token::Sign("]") => open -= 1,
                _ => {}
            }
            i += 1;
            if open == 0 {
                break;
            }
        }
    }
    match tokens.get(i) {
        Some(Token::Sign("=")) => match (tokens.get(i + 1), tokens.get(i + 2)) {
            (Some(Token::Text(Some(t))), None | Some(Token::Newline | Token::Sign(";" | "}")))
                if t.is_empty() =>
            {
                None
            }
            (Some(Token::Text(t)), None | Some(Token::Newline | Token::Sign(";" | "}"))) => {
                Some(Doing::Read(t.clone()))
            }
            _ => Some(Doing::Read(None)),
        },
        Some(Token::Sign("++" | "+=" | "--" | "-=")) => Some(Doing::Read(None)),
        // Handed to a function, or split into: it may be set there.
        Some(Token::Sign("," | ")")) => Some(Doing::Read(None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_prints() {
        for program in [
            "{print $1}",
            "$1 > 5 && /x/ {n++} END {print n/2, NR}",
            "BEGIN{FS=\":\"} {s+=$NF/2} END{printf \"%d\\n\", s}",
            "{if ($1 > 3) /a|b/ ; else print (a > b)}",
            "NR==FNR{a[$1]=$2;next} ($1 in a){print a[$1]/3; gsub(/\\/x/, \"|\")}",
            "# system(\"x\")\n{ print \"system(id) > x | sh\" }",
            "{while ((getline line) > 0) n++; length / 2}",
            "{print \"/dev/null\" ? 1 : 2}",
            "{print a,\n b}",
        ] {
            assert_eq!(read(program), Ok(Vec::new()), "{program}");
        }
    }

    #[test]
    fn what_does_more() {
        let text = |t: &str| Some(t.to_owned());
        for (program, doing) in [
            ("BEGIN{system(\"id\")}", Doing::Run(text("id"))),
            ("{system(\"rm \" $1)}", Doing::Run(None)),
            ("BEGIN{\"id\"|getline}", Doing::Run(text("id"))),
            ("BEGIN{\"id\" x|getline y}", Doing::Run(None)),
            ("{print $1 | \"sort -u\"}", Doing::Run(text("sort -u"))),
            ("{print $1 > \"out\"}", Doing::Write(text("out"))),
            ("{print a,\n b >> \"out\"}", Doing::Write(text("out"))),
            ("{print > $1 \".txt\"}", Doing::Write(None)),
            ("{print (a)(b) > \"o\"; x = 1 > 2}", Doing::Write(text("o"))),
            ("BEGIN{while ((getline l < \"f\") > 0) print l}", Doing::Read(text("f"))),
            ("BEGIN{ARGV[1]=\"f\"; n = ARGC}", Doing::Read(text("f"))),
            ("BEGIN{print ENVIRON[\"TOKEN\"]}", Doing::Environment(text("TOKEN"))),
            ("BEGIN{a=1; x /system(\"id\")/ 2}", Doing::Run(text("id"))),
            ("{if (x) /a/; else y = (b) / system(\"id\") / 2}", Doing::Run(text("id"))),
        ] {
            assert_eq!(read(program), Ok(vec![doing]), "{program}");
        }
        for program in [
            "@load \"x\"",
            "BEGIN{f=\"system\"; @f(\"id\")}",
            "{a++ /b/ 1}",
            "/[/]/",
            "{print \"a}",
            "{print > \"/inet/tcp/0/h/80\"}",
        ] {
            assert!(read(program).is_err(), "{program}");
        }
    }
}
