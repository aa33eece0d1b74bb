//! Matching names by patterns in which `*` stands for any text.

/// Whether `text` matches `pattern`: `*` stands for any characters (none, slashes and dots included), `?` for one.
/// Both are compared as given; callers that want to ignore case lower both first.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // The last star and the text it was last tried against: on a mismatch the star takes one character more,
    // which keeps the work at pattern times text.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some('?') => {
                p += 1;
                t += 1;
            }
            Some(c) if text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_none_or(|rest| rest.iter().all(|c| *c == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches("*.prod.example.com", "db.eu.prod.example.com"));
        assert!(!matches("*.prod.example.com", "prod.example.com.evil.net"));
        assert!(matches("release/*", "release/1.2"));
        assert!(!matches("release/*", "released"));
        assert!(matches("prod-?", "prod-1"));
        assert!(!matches("prod-?", "prod-12"));
        assert!(matches("*", ""));
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(!matches("a*b*c", "a-c-b"));
        assert!(!matches("", "x"));
        assert!(!matches(&"*a".repeat(40), &"b".repeat(2000)));
    }
}
