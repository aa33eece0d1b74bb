//! Which paths a pattern could name: at least those that the shell would find, rather more than fewer.

use model::AbsPath;
use std::path::Path;

/// More paths than this are not looked through.
const MAX_FOUND: usize = 50_000;

/// The paths beneath `base` that `pattern` could name. A part that is not a plain glob (a variable, a brace, a quote)
/// could be anything: then `base` itself is given. Names are matched with `*` also taking leading dots and a bracket
/// standing for any character, so that no setting of the shell finds more.
///
/// # Errors
/// What the system says when a directory cannot be read, or a text when there is too much.
pub(crate) fn candidates(base: &AbsPath, pattern: &str) -> Result<Vec<AbsPath>, String> {
    let parts: Vec<&str> = pattern.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    if parts.is_empty() || parts.iter().any(|p| !plain(p)) {
        return Ok(vec![base.clone()]);
    }
    let mut found = vec![base.clone()];
    for part in parts {
        if part.contains("**") {
            return Ok(found);
        }
        let mut next = Vec::new();
        for dir in &found {
            if part.contains(['*', '?', '[']) {
                matching(dir.as_std(), part, &mut next)?;
            } else if std::fs::symlink_metadata(dir.join(part).as_std()).is_ok() {
                next.push(dir.join(part));
            }
        }
        if next.len() > MAX_FOUND {
            return Err(format!("`{pattern}` names too many files"));
        }
        found = next;
    }
    Ok(found)
}

/// Whether a part is nothing but literal characters and `*`, `?`, `[…]`.
fn plain(part: &str) -> bool {
    part != ".."
        && !part.contains([
            '$', '`', '{', '}', '(', ')', '\\', '\'', '"', '~', '<', '>', '|', '!', '+', '@', '…', '\u{fffd}',
        ])
}

fn matching(dir: &Path, part: &str, out: &mut Vec<AbsPath>) -> Result<(), String> {
    let said = |e: std::io::Error| format!("`{}` cannot be listed: {e}", dir.display());
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(e) => return Err(said(e)),
    };
    // Many stars make matching slow; what has them could as well be anything.
    let part = if part.matches('*').count() > 4 { "*" } else { part };
    let pattern: Vec<char> = part.chars().collect();
    for entry in entries {
        let entry = entry.map_err(said)?;
        let name = entry.file_name();
        let name =
            name.to_str().ok_or_else(|| format!("a name in `{}` is not valid UTF-8", dir.display()))?;
        if matches(&pattern, &name.chars().collect::<Vec<_>>()) {
            let path = entry.path();
            let path = path.to_str().and_then(|p| AbsPath::parse(p).ok());
            out.extend(path);
        }
    }
    Ok(())
}

/// Whether a name could be meant by a pattern of `*`, `?`, `[…]` and literal characters.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    match first {
        '*' => (0..=name.len()).any(|at| matches(rest, name.get(at..).unwrap_or_default())),
        '?' => name.split_first().is_some_and(|(_, n)| matches(rest, n)),
        '[' => {
            // A bracket without an end is itself; one with an end is any one character here.
            let whole = rest.iter().skip(1).position(|c| *c == ']').is_some_and(|end| {
                let after = rest.get(end + 2..).unwrap_or_default();
                name.split_first().is_some_and(|(_, n)| matches(after, n))
            });
            whole || name.split_first().is_some_and(|(c, n)| c == first && matches(rest, n))
        }
        literal => name.split_first().is_some_and(|(c, n)| c == literal && matches(rest, n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_the_shell_would_and_rather_more() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.txt", "b.txt", ".c.txt", "d.rs", "sub/e.txt", "sub/f.rs", "[x].txt"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let base = AbsPath::parse(dir.path().to_str().unwrap()).unwrap();
        let found = |pattern: &str| {
            let mut names: Vec<String> = candidates(&base, pattern)
                .unwrap()
                .iter()
                .map(|p| p.relative_to(&base).unwrap().to_string())
                .collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(found("*.txt"), ".c.txt [x].txt a.txt b.txt");
        assert_eq!(found("[ab].txt"), "a.txt b.txt");
        assert_eq!(found("*/*.txt"), "sub/e.txt");
        assert_eq!(found("?.rs"), "d.rs");
        assert_eq!(found("[x].txt"), "[x].txt a.txt b.txt");
        assert_eq!(found("nothing*"), "");
        // What is not a plain glob may be anything beneath.
        for unknown in ["$X.txt", "{a,b}.txt", "../*", "**/*.txt", "`ls`"] {
            assert_eq!(found(unknown), "", "{unknown}");
            assert_eq!(candidates(&base, unknown).unwrap(), std::slice::from_ref(&base));
        }
    }
}
