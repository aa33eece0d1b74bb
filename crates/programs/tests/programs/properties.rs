//! What holds for any words.

use crate::common::{fields, matched, table};
use programs::match_words;
use proptest::prelude::*;

const PROGRAMS: [&str; 11] =
    ["sorter", "show", "look", "wrap", "surround", "copy", "interp", "goish", "cloud", "say", "sortest"];

/// Words that meet the samples' options, sub-commands and operands often.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("-n".to_owned()),
        Just("-v".to_owned()),
        Just("--".to_owned()),
        Just("-".to_owned()),
        Just("--reverse".to_owned()),
        Just("--color=always".to_owned()),
        Just("plan".to_owned()),
        Just("rm".to_owned()),
        Just("push".to_owned()),
        Just("--frobnicate".to_owned()),
        Just("$x".to_owned()),
        Just("@x".to_owned()),
        Just("*.c".to_owned()),
        Just("a=~$x".to_owned()),
        "[-+a-z=~$@*é]{1,6}",
        "-{0,2}[a-z]{1,8}(=[a-z]{0,3})?",
    ]
}

proptest! {
    #[test]
    fn never_panics_and_keeps_every_unknown_word(
        program in prop::sample::select(&PROGRAMS[..]),
        words in prop::collection::vec(word(), 0..8),
    ) {
        let command = format!("{program} {}", words.join(" "));
        let found = matched(&command);
        // Every word is a sub-command's name, an option, a value, an operand, part of `argv`, `--`, or not understood.
        let all = fields(&command);
        let from: Vec<u32> = all.iter().skip(1).map(|f| f.span.from).collect();
        for (word, from) in all.iter().skip(1).zip(from) {
            let at = |span: model::Span| span.from == from;
            let text = word.shown();
            let accounted = found.options.iter().any(|o| at(o.span) || o.values.iter().any(|v| at(v.span)))
                || found.operands.iter().any(|f| at(f.span))
                || found.argv.iter().flatten().any(|f| at(f.span))
                || found.unknowns.iter().any(|u| at(u.span))
                || found.path.iter().any(|p| *p == text || (p == "delete" && text == "rm"))
                || text == "--";
            prop_assert!(accounted, "{} in {}", text, command);
        }
    }

    #[test]
    fn an_unknown_option_is_always_unknown(
        program in prop::sample::select(&["sorter", "show", "look", "copy", "cloud"][..]),
        words in prop::collection::vec("[a-z.]{1,6}", 0..5),
        at in 0usize..6,
    ) {
        let mut words = words;
        words.insert(at.min(words.len()), "--frobnicate".to_owned());
        let found = matched(&format!("{program} {}", words.join(" ")));
        prop_assert!(!found.unknowns.is_empty());
    }

    #[test]
    fn a_word_more_never_takes_an_unknown_away(
        program in prop::sample::select(&["sorter", "show", "look", "wrap", "surround", "goish", "cloud", "say"][..]),
        words in prop::collection::vec(word(), 0..6),
        more in "[a-z.]{1,5}",
    ) {
        // A missing value and a pattern in the last place are mended by one more word; all else stays.
        let before = matched(&format!("{program} {}", words.join(" ")));
        let after = matched(&format!("{program} {} {more}", words.join(" ")));
        for unknown in before.unknowns {
            let mended = unknown.why.contains("lacks its value") || unknown.why.contains("moves the others");
            prop_assert!(mended || after.unknowns.iter().any(|u| u.span.from == unknown.span.from), "{:?}", unknown);
        }
    }

    #[test]
    fn after_two_dashes_nothing_is_an_option(
        words in prop::collection::vec("-{0,2}[a-z]{1,6}", 1..5),
    ) {
        let found = matched(&format!("sorter -- {}", words.join(" ")));
        prop_assert_eq!(found.options.len(), 0);
        prop_assert_eq!(found.unknowns.len(), 0);
        prop_assert_eq!(found.operands.len(), words.len());
    }

    #[test]
    fn built_in_entries_take_any_words(
        at in any::<prop::sample::Index>(),
        words in prop::collection::vec(word(), 0..8),
    ) {
        let table = table();
        let names = table.names();
        let name = &names[at.index(names.len())];
        let program = table.get(name).expect("a known name");
        let found = match_words(&program, &fields(&format!("{name} {}", words.join(" "))));
        prop_assert_eq!(&found.program, &program.name);
    }
}
