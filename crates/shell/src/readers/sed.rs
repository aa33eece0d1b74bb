//! The language of sed, as far as it reads, writes or runs anything.
//!
//! From sed(1) and the manual of GNU sed 4.9 and the differences of BSD's sed. The world is closed: a command
//! that is not listed here makes the whole script not understood.

use super::Doing;
use super::cursor::Cursor;

/// What a script of sed does besides printing.
///
/// # Errors
/// The part that is not understood, in words.
pub(crate) fn read(script: &str) -> Result<Vec<Doing>, String> {
    let mut reader =
        Reader { at: Cursor::new(script), doings: Vec::new(), brackets: true, delimiter_in_bracket: false };
    reader.script()?;
    let mut doings = reader.doings;
    if reader.delimiter_in_bracket {
        // Old versions end the expression at the delimiter even inside brackets: what they would do counts too.
        let mut other = Reader {
            at: Cursor::new(script),
            doings: Vec::new(),
            brackets: false,
            delimiter_in_bracket: false,
        };
        if other.script().is_ok() {
            doings.extend(other.doings);
        }
    }
    Ok(doings)
}

struct Reader {
    at: Cursor,
    doings: Vec<Doing>,
    /// Whether a delimiter inside a bracket expression is an ordinary character.
    brackets: bool,
    delimiter_in_bracket: bool,
}

impl Reader {
    fn script(&mut self) -> Result<(), String> {
        loop {
            self.at.take_while(|c| c.is_ascii_whitespace() || c == ';');
            if self.at.peek().is_none() {
                return Ok(());
            }
            self.addresses()?;
            self.at.take_while(|c| c.is_ascii_whitespace());
            while self.at.eat('!') {
                self.at.take_while(|c| c.is_ascii_whitespace());
            }
            let Some(command) = self.at.next() else {
                return Err("the sed script ends after an address".to_owned());
            };
            self.command(command)?;
        }
    }

    fn addresses(&mut self) -> Result<(), String> {
        if !self.address()? {
            return Ok(());
        }
        self.at.take_while(|c| c == ' ' || c == '\t');
        if self.at.eat(',') {
            self.at.take_while(|c| c == ' ' || c == '\t');
            if self.at.eat('+') || self.at.eat('~') {
                self.number();
            } else if !self.address()? {
                return Err("an address of the sed script is not understood".to_owned());
            }
        }
        Ok(())
    }

    fn address(&mut self) -> Result<bool, String> {
        match self.at.peek() {
            Some('0'..='9') => {
                self.number();
                if self.at.eat('~') {
                    self.number();
                }
            }
            Some('$') => {
                self.at.next();
            }
            Some('/') => {
                self.at.next();
                self.until('/', true)?;
                self.at.take_while(|c| matches!(c, 'I' | 'M'));
            }
            Some('\\') => {
                self.at.next();
                let delimiter = self.at.next().ok_or("the sed script ends inside an address")?;
                self.until(delimiter, true)?;
                self.at.take_while(|c| matches!(c, 'I' | 'M'));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn number(&mut self) {
        self.at.take_while(|c| c.is_ascii_digit());
    }

    /// Reads up to an unescaped delimiter.
    fn until(&mut self, delimiter: char, regex: bool) -> Result<(), String> {
        if matches!(delimiter, '\n' | '\\') {
            return Err("a delimiter of the sed script is not understood".to_owned());
        }
        while let Some(c) = self.at.next() {
            if c == delimiter {
                return Ok(());
            }
            match c {
                '\\' => {
                    self.at.next();
                }
                '\n' if regex => break,
                '[' if regex && self.brackets => self.bracket(delimiter)?,
                _ => {}
            }
        }
        Err("an expression of the sed script has no end".to_owned())
    }

    fn bracket(&mut self, delimiter: char) -> Result<(), String> {
        self.at.eat('^');
        let mut first = true;
        while let Some(c) = self.at.next() {
            match c {
                ']' if !first => return Ok(()),
                '\n' => break,
                '[' if matches!(self.at.peek(), Some(':' | '.' | '=')) => {
                    let kind = self.at.next();
                    loop {
                        match self.at.next() {
                            Some(c) if c == delimiter => self.delimiter_in_bracket = true,
                            Some(c) if Some(c) == kind && self.at.peek() == Some(']') => {
                                self.at.next();
                                break;
                            }
                            Some('\n') | None => {
                                return Err("a bracket of the sed script has no end".to_owned());
                            }
                            Some(_) => {}
                        }
                    }
                }
                c if c == delimiter => self.delimiter_in_bracket = true,
                _ => {}
            }
            first = false;
        }
        Err("a bracket of the sed script has no end".to_owned())
    }

    fn command(&mut self, command: char) -> Result<(), String> {
        match command {
            '{' => Ok(()),
            '=' | 'd' | 'D' | 'F' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P' | 'x' | 'z' => self.end(),
            '}' => self.end(),
            'l' | 'L' | 'q' | 'Q' => {
                self.blanks();
                self.number();
                self.end()
            }
            '#' => {
                self.at.line();
                Ok(())
            }
            'a' | 'i' | 'c' => {
                self.text();
                Ok(())
            }
            'b' | 't' | 'T' | ':' => {
                // A `}` may end a label or belong to it; either way nothing is done.
                self.blanks();
                self.at.take_while(|c| !matches!(c, '\n' | ';' | '}') && !c.is_ascii_whitespace());
                self.blanks();
                self.end()
            }
            'r' | 'R' => {
                let path = self.file_name()?;
                self.doings.push(Doing::Read(Some(path)));
                Ok(())
            }
            'w' | 'W' => {
                let path = self.file_name()?;
                self.doings.push(Doing::Write(Some(path)));
                Ok(())
            }
            'e' => {
                self.blanks();
                let text = self.at.line();
                self.doings.push(Doing::Run((!text.is_empty()).then_some(text)));
                Ok(())
            }
            's' => self.substitute(),
            'y' => {
                let delimiter = self.at.next().ok_or("the sed script ends after `y`")?;
                self.until(delimiter, false)?;
                self.until(delimiter, false)?;
                self.end()
            }
            other => Err(format!("the sed command `{other}` is not understood")),
        }
    }

    fn substitute(&mut self) -> Result<(), String> {
        let delimiter = self.at.next().ok_or("the sed script ends after `s`")?;
        self.until(delimiter, true)?;
        self.until(delimiter, false)?;
        loop {
            match self.at.peek() {
                Some('g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9') => {
                    self.at.next();
                }
                Some('e') => {
                    self.at.next();
                    self.doings.push(Doing::Run(None));
                }
                Some('w') => {
                    self.at.next();
                    let path = self.file_name()?;
                    self.doings.push(Doing::Write(Some(path)));
                    return Ok(());
                }
                _ => return self.end(),
            }
        }
    }

    /// The text of `a`, `i`, `c`: to the end of the line, or further where the line ends in a backslash.
    fn text(&mut self) {
        self.blanks();
        while let Some(c) = self.at.next() {
            match c {
                '\\' => {
                    self.at.next();
                }
                '\n' => return,
                _ => {}
            }
        }
    }

    fn file_name(&mut self) -> Result<String, String> {
        self.blanks();
        let name = self.at.line();
        if name.is_empty() { Err("a file name of the sed script is missing".to_owned()) } else { Ok(name) }
    }

    fn blanks(&mut self) {
        self.at.take_while(|c| c == ' ' || c == '\t');
    }

    /// What may stand after a command.
    fn end(&mut self) -> Result<(), String> {
        self.blanks();
        match self.at.peek() {
            None | Some('}' | '#') => Ok(()),
            Some('\n' | ';') => {
                self.at.next();
                Ok(())
            }
            Some(c) => Err(format!("`{c}` after a command of the sed script is not understood")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_prints() {
        for script in [
            "s/a/b/g",
            "1,5p",
            "s|/usr|/opt|;s/[/]/_/",
            "/^class A/,/^}/{p;/def /d}",
            "$!N;P;D",
            "y/abc/xyz/",
            "2i\\\nwhoami",
            "s/w/e/; s/e/w/p",
            ":a;N;$!ba;s/\\n/ /g",
            "0~3!d",
            "5,+2{=;l 3\n}",
            "a text; w not-a-file",
            "\\,a,I s,x\\,w,y,2",
        ] {
            assert_eq!(read(script), Ok(Vec::new()), "{script}");
        }
    }

    #[test]
    fn what_does_more() {
        let text = |t: &str| Some(t.to_owned());
        for (script, doing) in [
            ("w out", Doing::Write(text("out"))),
            ("s/x/y/gw out", Doing::Write(text("out"))),
            ("1s@.*@id@e", Doing::Run(None)),
            ("s/[/]/e/e", Doing::Run(None)),
            ("1e id", Doing::Run(text("id"))),
            ("e", Doing::Run(None)),
            ("$r .env", Doing::Read(text(".env"))),
            ("/a/,/b/!{p;W x\n}", Doing::Write(text("x"))),
        ] {
            assert_eq!(read(script), Ok(vec![doing]), "{script}");
        }
        for script in ["s/a/b", "k", "p p", "s/a/b/x", "1,k", "w"] {
            assert!(read(script).is_err(), "{script}");
        }
    }
}
