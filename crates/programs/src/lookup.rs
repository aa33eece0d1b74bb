//! Finds options by their spelling among those of a program and its sub-commands.

use crate::spec::{OptionSpec, Spec, Syntax};
use std::sync::Arc;

/// A program or sub-command on the way to the one that is run.
#[derive(Clone)]
pub(crate) enum Level<'p> {
    /// The program itself.
    Top(&'p Spec),
    /// A sub-command.
    Sub(Arc<Spec>),
    /// There is none.
    Nothing,
}

impl Level<'_> {
    pub(crate) fn spec(&self) -> Option<&Spec> {
        match self {
            Self::Top(spec) => Some(spec),
            Self::Sub(spec) => Some(spec),
            Self::Nothing => None,
        }
    }
}

/// An option that was found.
pub(crate) enum Found {
    /// One without value and effect.
    Flag(String),
    /// One with a value or a meaning.
    Option(OptionSpec),
}

/// The entries whose options are accepted here, the innermost first.
pub(crate) fn visible<'a>(levels: &'a [Level<'_>]) -> Vec<&'a Spec> {
    let mut all = Vec::new();
    for spec in levels.iter().rev().filter_map(Level::spec) {
        all.push(spec);
        if !spec.inherit {
            break;
        }
    }
    all
}

/// The option with exactly this spelling.
pub(crate) fn find(levels: &[Level<'_>], name: &str) -> Option<Found> {
    visible(levels).into_iter().find_map(|spec| find_in(spec, name))
}

fn find_in(spec: &Spec, name: &str) -> Option<Found> {
    if let Some(option) = spec.options.iter().find(|o| o.names.iter().any(|n| n == name)) {
        return Some(Found::Option(option.clone()));
    }
    spec.flags.iter().find(|f| *f == name).map(|f| Found::Flag(f.clone()))
}

/// The option of which this is an unambiguous beginning, where the entry accepts beginnings.
pub(crate) fn find_abbreviated(levels: &[Level<'_>], name: &str) -> Option<Found> {
    let innermost = levels.last().and_then(Level::spec)?;
    let dash = innermost.syntax == Syntax::Dash;
    let least = if dash { 2 } else { 3 };
    if !innermost.abbrev || name.len() < least || (!dash && !name.starts_with("--")) {
        return None;
    }
    let mut found: Option<Found> = None;
    for spec in visible(levels) {
        for flag in spec.flags.iter().filter(|f| f.starts_with(name)) {
            if found.is_some() {
                return None;
            }
            found = Some(Found::Flag(flag.clone()));
        }
        // Two spellings of one option are not ambiguous.
        for option in spec.options.iter().filter(|o| o.names.iter().any(|n| n.starts_with(name))) {
            if found.is_some() {
                return None;
            }
            found = Some(Found::Option(option.clone()));
        }
    }
    found
}

/// Whether any spelling is one that `wanted` accepts.
pub(crate) fn listed(visible: &[&Spec], wanted: impl Fn(&str) -> bool) -> bool {
    visible.iter().any(|s| {
        s.flags.iter().chain(s.options.iter().flat_map(|o| &o.names)).any(|name| wanted(name.as_str()))
    })
}

/// Whether this is a number with its sign, and the entry lists `-NUM` or `+NUM`.
pub(crate) fn takes_numbers(levels: &[Level<'_>], word: &str) -> bool {
    let (sign, digits) = match (word.strip_prefix('-'), word.strip_prefix('+')) {
        (Some(digits), _) => ("-NUM", digits),
        (_, Some(digits)) => ("+NUM", digits),
        _ => return false,
    };
    !digits.is_empty()
        && digits.chars().all(|c| c.is_ascii_digit())
        && listed(&visible(levels), |name| name == sign)
}
