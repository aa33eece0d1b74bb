//! References to kept secrets in text: `secret://NAME`.

/// How a reference begins.
const SCHEME: &str = "secret://";
/// Longest name of a secret, in bytes.
const LONGEST: usize = 64;

fn part(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
}

/// Whether a text is a secret's name: up to 64 of `a-z`, `0-9`, `.`, `_`, `-`, beginning with a letter or digit.
#[must_use]
pub fn is_secret_name(text: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(part)
}

/// The name with which a text begins, as long as it goes. A full stop at its end belongs to the sentence around it.
fn leading_name(text: &str) -> Option<&str> {
    let length = text.bytes().take_while(|b| part(*b)).count();
    let name = text.get(..length)?.trim_end_matches('.');
    is_secret_name(name).then_some(name)
}

/// The names that `text` refers to as `secret://NAME`, each once, in order.
#[must_use]
pub fn secret_references(text: &str) -> Vec<&str> {
    let mut out: Vec<&str> = Vec::new();
    for name in text.split(SCHEME).skip(1).filter_map(leading_name) {
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

/// The text with references replaced by what `f` gives for their names; those for which it gives nothing stay.
#[must_use]
pub fn replace_secret_references(text: &str, mut f: impl FnMut(&str) -> Option<String>) -> String {
    let mut pieces = text.split(SCHEME);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let found = leading_name(piece).and_then(|name| Some((f(name)?, piece.strip_prefix(name)?)));
        match found {
            Some((new, rest)) => {
                out.push_str(&new);
                out.push_str(rest);
            }
            None => {
                out.push_str(SCHEME);
                out.push_str(piece);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_and_replaced_whole() {
        let text = "T=secret://github curl -H 'x: secret://b.c' secret://github and secret://end. secret:// secret://-x";
        assert_eq!(secret_references(text), ["github", "b.c", "end"]);
        let new = replace_secret_references(text, |name| (name != "b.c").then(|| format!("<{name}>")));
        assert_eq!(new, "T=<github> curl -H 'x: secret://b.c' <github> and <end>. secret:// secret://-x");
        // A longer name is another secret.
        let one = |name: &str| (name == "git").then(|| "X".to_owned());
        assert_eq!(replace_secret_references("secret://github secret://git", one), "secret://github X");
    }
}
