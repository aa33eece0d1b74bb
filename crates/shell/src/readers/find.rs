//! The expression language of find.
//!
//! From find(1), GNU findutils 4.9, and the tests it shares with BSD's find. The world is closed: a test or action
//! that is not listed makes the command not understood.

use programs::{Field, Piece};

/// What a find command does.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Find {
    /// Where it begins; empty means the working directory.
    pub(crate) roots: Vec<Field>,
    /// What it does with what it finds, besides printing names.
    pub(crate) acts: Vec<Act>,
}

/// An action and the names that the tests before it let through.
#[derive(Debug, PartialEq)]
pub(crate) struct Act {
    /// What is done.
    pub(crate) kind: Kind,
    /// Patterns of which each found path matches one; `None` when anything may be found.
    pub(crate) only: Option<Vec<String>>,
}

/// What an action does.
#[derive(Debug, PartialEq)]
pub(crate) enum Kind {
    /// Deletes what is found.
    Delete,
    /// Writes a list to a file.
    Write(Field),
    /// Looks at another file's metadata.
    Look(Field),
    /// Runs a command for what is found, in its directory for `-execdir`.
    Exec { words: Vec<Field>, in_dir: bool },
}

const FLAGS: &[&str] = &[
    "-empty",
    "-executable",
    "-false",
    "-nogroup",
    "-nouser",
    "-readable",
    "-true",
    "-writable",
    "-daystart",
    "-depth",
    "-d",
    "-follow",
    "-ignore_readdir_race",
    "-noignore_readdir_race",
    "-mount",
    "-xdev",
    "-noleaf",
    "-nowarn",
    "-warn",
    "-print",
    "-print0",
    "-prune",
    "-quit",
    "-ls",
    "-help",
    "--help",
    "-version",
    "--version",
    "-x",
    "-X",
    "-s",
    "-E",
];
const VALUES: &[&str] = &[
    "-amin",
    "-atime",
    "-cmin",
    "-context",
    "-ctime",
    "-fstype",
    "-gid",
    "-group",
    "-ilname",
    "-inum",
    "-iregex",
    "-links",
    "-lname",
    "-maxdepth",
    "-mindepth",
    "-mmin",
    "-mtime",
    "-perm",
    "-regex",
    "-regextype",
    "-size",
    "-type",
    "-uid",
    "-used",
    "-user",
    "-xtype",
    "-printf",
    "-flags",
];
const NAMES: &[&str] = &["-name", "-iname"];
const PATHS: &[&str] = &["-path", "-ipath", "-wholename", "-iwholename"];
const FILES: &[&str] = &["-anewer", "-cnewer", "-newer", "-samefile"];

type Patterns = Option<Vec<String>>;

/// Reads the words of find after its name.
///
/// # Errors
/// The part that is not understood, in words.
pub(crate) fn read(words: &[Field]) -> Result<Find, String> {
    let mut reader = Reader { words, at: 0, find: Find::default(), depth: 0 };
    reader.options();
    while let Some(word) = reader.peek() {
        let prefix = word.prefix();
        match prefix.chars().next() {
            Some('-') => break,
            Some('(' | '!' | ',') if word.known().is_some_and(|w| w.len() == 1) => break,
            // A bare unknown may be an action; what begins with a known character cannot.
            None if matches!(word.pieces.first(), Some(Piece::Unknown(_))) => {
                return Err(format!("`{}` may be an action of find", word.shown()));
            }
            _ if word.many && word.has_unknown() => {
                return Err(format!("`{}` may become several words", word.shown()));
            }
            _ => {
                reader.find.roots.push(word.clone());
                reader.at += 1;
            }
        }
    }
    reader.list(&None)?;
    match reader.peek() {
        None => Ok(reader.find),
        Some(word) => Err(format!("`{}` in the expression of find is not understood", word.shown())),
    }
}

struct Reader<'a> {
    words: &'a [Field],
    at: usize,
    find: Find,
    depth: u32,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a Field> {
        self.words.get(self.at)
    }

    fn is(&self, texts: &[&str]) -> bool {
        self.peek().and_then(Field::known).is_some_and(|w| texts.contains(&w.as_str()))
    }

    fn options(&mut self) {
        while let Some(word) = self.peek().and_then(Field::known) {
            match word.as_str() {
                "-H" | "-L" | "-P" => self.at += 1,
                "-D" => self.at += 2,
                w if w.starts_with("-O") && w.len() > 2 => self.at += 1,
                _ => return,
            }
        }
    }

    /// `a , b` and `a -o b`; what is true of everything that the whole lets through.
    fn list(&mut self, before: &Patterns) -> Result<Patterns, String> {
        self.depth += 1;
        if self.depth > 60 {
            return Err("the expression of find nests too deep".to_owned());
        }
        let mut all: Patterns = Some(Vec::new());
        loop {
            let one = self.chain(before)?;
            all = match (all, one) {
                (Some(mut a), Some(b)) => {
                    a.extend(b);
                    Some(a)
                }
                _ => None,
            };
            if self.is(&["-o", "-or"]) {
                self.at += 1;
            } else if self.is(&[","]) {
                self.at += 1;
                all = None;
            } else {
                break;
            }
        }
        self.depth -= 1;
        Ok(all)
    }

    /// `a b` and `a -a b`.
    fn chain(&mut self, before: &Patterns) -> Result<Patterns, String> {
        let mut only = before.clone();
        let mut own: Patterns = None;
        while self.peek().is_some() && !self.is(&["-o", "-or", ",", ")"]) {
            if self.is(&["-a", "-and"]) {
                self.at += 1;
                continue;
            }
            let found = self.term(&only)?;
            if found.is_some() {
                only.clone_from(&found);
                own = found;
            }
        }
        Ok(own)
    }

    fn term(&mut self, only: &Patterns) -> Result<Patterns, String> {
        if self.is(&["!", "-not"]) {
            self.at += 1;
            self.term(only)?;
            return Ok(None);
        }
        if self.is(&["("]) {
            self.at += 1;
            let found = self.list(only)?;
            if !self.is(&[")"]) {
                return Err("a parenthesis of find has no end".to_owned());
            }
            self.at += 1;
            return Ok(found);
        }
        let Some(word) = self.peek() else {
            return Err("the expression of find ends too early".to_owned());
        };
        let Some(name) = word.known() else {
            return Err(format!("`{}` may be an action of find", word.shown()));
        };
        self.at += 1;
        let act = |find: &mut Find, kind| find.acts.push(Act { kind, only: only.clone() });
        match name.as_str() {
            n if FLAGS.contains(&n) => {}
            n if VALUES.contains(&n) => {
                self.value(n)?;
            }
            n if NAMES.contains(&n) || PATHS.contains(&n) => {
                let pattern = self.value(n)?.shown();
                return Ok(Some(vec![pattern]));
            }
            n if FILES.contains(&n) || (n.starts_with("-newer") && n.len() == 8) => {
                let file = self.value(n)?.clone();
                if !n.ends_with('t') {
                    act(&mut self.find, Kind::Look(file));
                }
            }
            "-delete" => act(&mut self.find, Kind::Delete),
            "-fprint" | "-fprint0" | "-fls" => {
                let file = self.value(&name)?.clone();
                act(&mut self.find, Kind::Write(file));
            }
            "-fprintf" => {
                let file = self.value(&name)?.clone();
                self.value(&name)?;
                act(&mut self.find, Kind::Write(file));
            }
            "-exec" | "-ok" | "-execdir" | "-okdir" => {
                let words = self.command(&name)?;
                act(&mut self.find, Kind::Exec { words, in_dir: name.ends_with("dir") });
            }
            other => return Err(format!("`{other}` of find is not in Ambit's list")),
        }
        Ok(None)
    }

    fn value(&mut self, of: &str) -> Result<&'a Field, String> {
        let word = self.peek().ok_or_else(|| format!("the value of `{of}` of find is missing"))?;
        // A pattern that the shell replaces by several names is a mistake find reports; an unknown may be anything.
        if word.many && word.has_unknown() {
            return Err(format!("`{}` after `{of}` may become several words", word.shown()));
        }
        self.at += 1;
        Ok(word)
    }

    /// The words of `-exec` up to `;`, or up to a `+` that follows `{}`.
    fn command(&mut self, of: &str) -> Result<Vec<Field>, String> {
        let mut words: Vec<Field> = Vec::new();
        while let Some(word) = self.peek() {
            self.at += 1;
            let known = word.known();
            if known.as_deref() == Some(";")
                || known.as_deref() == Some("+")
                    && words.last().and_then(Field::known).as_deref() == Some("{}")
            {
                return Ok(words);
            }
            if word.has_unknown() && (word.many || word.prefix().is_empty()) {
                // It may be the `;` that ends the command.
                return Err(format!("`{}` after `{of}` is not known", word.shown()));
            }
            words.push(word.clone());
        }
        Err(format!("the command of `{of}` of find has no end"))
    }
}

/// The words of a command of `-exec` with `{}` replaced by what may be found beneath `root`.
pub(crate) fn filled(words: &[Field], root: &str, only: Option<&str>) -> Vec<Field> {
    words
        .iter()
        .map(|word| {
            let mut pieces = Vec::new();
            for piece in &word.pieces {
                match piece {
                    Piece::Text(text) if text.contains("{}") => {
                        for (i, part) in text.split("{}").enumerate() {
                            if i > 0 {
                                pieces.extend(found(root, only));
                            }
                            if !part.is_empty() {
                                pieces.push(Piece::Text(part.to_owned()));
                            }
                        }
                    }
                    other => pieces.push(other.clone()),
                }
            }
            Field { pieces, span: word.span, many: word.many }
        })
        .collect()
}

/// What find may put in the place of `{}`.
fn found(root: &str, only: Option<&str>) -> [Piece; 2] {
    let dir = format!("{}/", root.trim_end_matches('/'));
    let pattern = match only {
        None => "*".to_owned(),
        Some(p) if p.contains('/') => p.strip_prefix(dir.as_str()).unwrap_or(p).to_owned(),
        Some(p) => format!("**/{p}"),
    };
    [Piece::Text(dir), Piece::Glob(pattern)]
}

/// The pattern beneath a root that a filter of names means.
pub(crate) fn pattern(root: &str, only: Option<&str>) -> Field {
    let pieces = found(root, only).to_vec();
    Field { pieces, span: model::Span::default(), many: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Span;

    fn fields(text: &str) -> Vec<Field> {
        text.split_whitespace()
            .map(|w| match w.strip_prefix('$') {
                Some(_) => Field::unknown(w, Span::default(), false),
                None => Field::text(w, Span::default()),
            })
            .collect()
    }
    fn acts(text: &str) -> Vec<(String, Option<Vec<String>>)> {
        let find = read(&fields(text)).unwrap_or_else(|e| panic!("{text}: {e}"));
        find.acts.into_iter().map(|a| (format!("{:?}", a.kind), a.only)).collect()
    }

    #[test]
    fn only_lists() {
        for text in [
            ". -name *.py -type f",
            "-L src tests -maxdepth 2 ( -name a -o -iname b ) -print0",
            ". -not -path ./node_modules/* -newermt 2024-01-01 -printf %p\\n",
            ". -name $X",
        ] {
            assert_eq!(acts(text), [], "{text}");
        }
        assert_eq!(read(&fields("a b -type d")).unwrap().roots.len(), 2);
    }

    #[test]
    fn actions_and_their_filters() {
        let only = |t: &[&str]| Some(t.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        let filter = |text: &str| acts(text).pop().and_then(|a| a.1);
        assert_eq!(filter(". -name *.pyc -delete"), only(&["*.pyc"]));
        assert_eq!(filter(". ( -name *.pyc -o -name *.pyo ) -delete"), only(&["*.pyc", "*.pyo"]));
        assert_eq!(filter(". -path ./x -prune -o -name *.js -delete"), only(&["*.js"]));
        assert_eq!(filter(". -name a -o -delete"), None);
        assert_eq!(filter(". ( -name a -o -type f ) -delete"), None);
        assert_eq!(filter(". ! -name a -delete"), None);
        assert_eq!(filter(". -delete -name a"), None);
        assert_eq!(acts(". -exec touch x ; -execdir rm {} + -fls out").len(), 3);
    }

    #[test]
    fn what_is_not_understood() {
        for text in [
            ". -exec rm {}",
            ". -files0-from x",
            ". $X",
            "$X -name a",
            ". ( -name a",
            ". -frobnicate",
            ". -exec $X ;",
        ] {
            assert!(read(&fields(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn braces_are_filled() {
        let shown = |only| {
            filled(&fields("rm {}.bak"), "./src", only).iter().map(Field::shown).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown(None), "rm ./src/*.bak");
        assert_eq!(shown(Some("*.py")), "rm ./src/**/*.py.bak");
    }
}
