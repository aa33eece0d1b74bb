//! Gives operands their roles.

use crate::role::{Operand, Role, Times};
use crate::word::Field;

/// Whether `word`, coming after the operands `before`, begins the words of the command that the list's `argv` means.
pub(crate) fn begins_argv(list: &[Operand], before: &[Field], word: &Field) -> bool {
    let mut places = list.iter().peekable();
    for (at, operand) in before.iter().chain(std::iter::once(word)).enumerate() {
        // An assignment is told from the command by its `=`.
        while places.peek().is_some_and(|p| {
            p.role == Role::Assign && p.times != Times::Once && !operand.prefix().contains('=')
        }) {
            places.next();
        }
        match places.peek() {
            Some(place) if place.role == Role::Argv => return at == before.len(),
            Some(place) if place.times.repeats() => {}
            Some(_) => {
                places.next();
            }
            None => return false,
        }
    }
    false
}

/// What became of the operands.
pub(crate) struct Assigned<'l> {
    /// For each operand its place in the list; `None` when the list has no place for it.
    pub(crate) places: Vec<Option<&'l Operand>>,
    /// Whether a place of the list stayed empty that more words would have filled.
    pub(crate) unfilled: bool,
}

/// Gives each of `count` operands its place: what stands after the repeating place is taken from the end, optional
/// places are filled from the left.
pub(crate) fn assign(list: &[Operand], count: usize) -> Assigned<'_> {
    let required = list.iter().filter(|o| o.times.required()).count();
    let mut places = Vec::with_capacity(count);
    let mut unfilled = false;
    if count < required {
        for operand in list {
            if operand.times.required() && places.len() < count {
                places.push(Some(operand));
            } else {
                unfilled = true;
            }
        }
    } else {
        let mut extra = count - required;
        let singles = list.iter().filter(|o| o.times == Times::Optional).count();
        let mut left_for_repeat = extra.saturating_sub(singles);
        for operand in list {
            match operand.times {
                Times::Once => places.push(Some(operand)),
                Times::Optional if extra > 0 => {
                    extra -= 1;
                    places.push(Some(operand));
                }
                Times::Optional => unfilled = true,
                Times::Any | Times::Some => {
                    let more = left_for_repeat + usize::from(operand.times == Times::Some);
                    left_for_repeat = 0;
                    places.extend(std::iter::repeat_n(Some(operand), more));
                }
            }
        }
    }
    places.resize(count, None);
    Assigned { places, unfilled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Span;

    fn shown(list: &str, count: usize) -> String {
        let list = Operand::list(list).unwrap();
        let words: Vec<String> = assign(&list, count)
            .places
            .iter()
            .map(|p| p.map_or_else(|| "-".to_owned(), |o| o.role.word()))
            .collect();
        words.join(" ")
    }

    #[test]
    fn operands_find_their_places() {
        assert_eq!(shown("read+ into", 3), "read read into");
        assert_eq!(shown("read+ into", 1), "read");
        assert_eq!(shown("text read*", 0), "");
        assert_eq!(shown("text read*", 3), "text read read");
        assert_eq!(shown("read+ into?", 1), "read");
        assert_eq!(shown("read+ into?", 2), "read into");
        assert_eq!(shown("read+ into?", 3), "read read into");
        assert_eq!(shown("read? write?", 1), "read");
        assert_eq!(shown("read? write?", 2), "read write");
        assert_eq!(shown("read", 2), "read -");
        assert_eq!(shown("", 1), "-");
    }

    #[test]
    fn a_command_begins_after_what_stands_before_it() {
        let word = |text: &str| Field::text(text, Span::default());
        let list = Operand::list("assign* argv").unwrap();
        assert!(!begins_argv(&list, &[], &word("A=1")));
        assert!(begins_argv(&list, &[word("A=1"), word("B=2")], &word("ls")));
        assert!(begins_argv(&list, &[], &word("ls")));
        let list = Operand::list("text argv").unwrap();
        assert!(!begins_argv(&list, &[], &word("5")));
        assert!(begins_argv(&list, &[word("5")], &word("ls")));
        assert!(!begins_argv(&Operand::list("text*").unwrap(), &[], &word("x")));
    }
}
