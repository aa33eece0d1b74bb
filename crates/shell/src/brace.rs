//! Brace expansion: `{a,b}` and `{1..5}`.

use crate::syntax::Part;

/// The most words one word may become.
const MOST: usize = 200;

/// One step of a word: an unquoted character, or a part that braces do not look into.
#[derive(Clone)]
enum Step {
    Char(char),
    Part(Part),
}

/// The words that a word's braces stand for; `None` when they are too many, or change how the rest is read.
pub(crate) fn expand(parts: &[Part]) -> Option<Vec<Vec<Part>>> {
    let braces = parts.iter().any(|p| matches!(p, Part::Text { text, quoted: false } if text.contains('{')));
    if !braces {
        return Some(vec![parts.to_vec()]);
    }
    // Where quoted braces stand among unquoted ones, bash looks for the end of an expansion in ways of its own.
    if parts.iter().any(|p| matches!(p, Part::Text { text, quoted: true } if text.contains(['{', '}']))) {
        return None;
    }
    let mut steps = Vec::new();
    for part in parts {
        match part {
            Part::Text { text, quoted: false } => steps.extend(text.chars().map(Step::Char)),
            other => steps.push(Step::Part(other.clone())),
        }
    }
    if reads_on(&steps) {
        return None;
    }
    let words = words(&steps, 0)?;
    Some(words.into_iter().map(|steps| together(&steps)).collect())
}

/// Whether a variable's name would go on into what braces put after it (`$V{1,2}` is `$V1 $V2`).
fn reads_on(steps: &[Step]) -> bool {
    steps.iter().enumerate().any(|(at, step)| match step {
        Step::Char('$') => true,
        Step::Part(Part::Parameter(p)) => {
            !p.raw.ends_with('}') && matches!(steps.get(at + 1), Some(Step::Char('{' | ',' | '}')))
        }
        _ => false,
    })
}

fn words(steps: &[Step], depth: usize) -> Option<Vec<Vec<Step>>> {
    if depth > 12 {
        return None;
    }
    let mut from = 0;
    while let Some(open) = position(steps, from, '{') {
        if let Some((items, close)) = items(steps, open, depth)? {
            let head = steps.get(..open).unwrap_or_default();
            let tails = words(steps.get(close + 1..).unwrap_or_default(), depth + 1)?;
            let mut out = Vec::new();
            for item in &items {
                for tail in &tails {
                    if out.len() >= MOST {
                        return None;
                    }
                    out.push([head, item, tail].concat());
                }
            }
            return Some(out);
        }
        from = open + 1;
    }
    Some(vec![steps.to_vec()])
}

fn position(steps: &[Step], from: usize, what: char) -> Option<usize> {
    steps
        .iter()
        .enumerate()
        .skip(from)
        .find(|(_, s)| matches!(s, Step::Char(c) if *c == what))
        .map(|(at, _)| at)
}

/// Each item with its own braces expanded, and where the brace closes.
type Items = Option<(Vec<Vec<Step>>, usize)>;

/// The items of the brace that opens at `open`; nothing when it is no brace expansion.
fn items(steps: &[Step], open: usize, depth: usize) -> Option<Items> {
    let mut level = 0_usize;
    let mut commas = Vec::new();
    for (at, step) in steps.iter().enumerate().skip(open) {
        match step {
            Step::Char('{') => level += 1,
            Step::Char(',') if level == 1 => commas.push(at),
            Step::Char('}') => {
                level = level.saturating_sub(1);
                if level > 0 {
                    continue;
                }
                if commas.is_empty() {
                    let inner = steps.get(open + 1..at).unwrap_or_default();
                    return Some(sequence(inner)?.map(|items| (items, at)));
                }
                let mut out = Vec::new();
                let mut from = open + 1;
                for to in commas.into_iter().chain([at]) {
                    out.extend(words(steps.get(from..to).unwrap_or_default(), depth + 1)?);
                    from = to + 1;
                }
                return Some(Some((out, at)));
            }
            _ => {}
        }
    }
    Some(None)
}

/// The items of `1..5`, `a..e`, `1..9..2`; nothing when it is no sequence.
fn sequence(inner: &[Step]) -> Option<Option<Vec<Vec<Step>>>> {
    let mut text = String::new();
    for step in inner {
        match step {
            Step::Char(c) => text.push(*c),
            Step::Part(_) => return Some(None),
        }
    }
    let ends: Vec<&str> = text.split("..").collect();
    let (from, to, step) = match ends.as_slice() {
        [from, to] => (*from, *to, 1_i64),
        [from, to, step] => match step.parse::<i64>() {
            Ok(n) => (*from, *to, n.checked_abs()?.max(1)),
            Err(_) => return Some(None),
        },
        _ => return Some(None),
    };
    let one = |s: &str| {
        s.chars().next().filter(|c| c.is_ascii_alphabetic() && s.len() == 1).map(|c| i64::from(u32::from(c)))
    };
    let (a, b, letters) = match (from.parse::<i64>(), to.parse::<i64>(), one(from), one(to)) {
        (Ok(a), Ok(b), ..) => (a, b, false),
        (.., Some(a), Some(b)) => (a, b, true),
        _ => return Some(None),
    };
    let padded = |s: &str| s.trim_start_matches('-').starts_with('0') && s.trim_start_matches('-').len() > 1;
    let width = if padded(from) || padded(to) { from.len().max(to.len()) } else { 0 };
    if a.abs_diff(b) / step.unsigned_abs() >= MOST as u64 {
        return None;
    }
    let mut out = Vec::new();
    let mut at = a;
    while if a <= b { at <= b } else { at >= b } {
        let item = if letters {
            u32::try_from(at).ok().and_then(char::from_u32).map(String::from).unwrap_or_default()
        } else {
            format!("{at:0width$}")
        };
        out.push(item.chars().map(Step::Char).collect());
        at = if a <= b { at.checked_add(step)? } else { at.checked_sub(step)? };
    }
    Some(Some(out))
}

fn together(steps: &[Step]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for step in steps {
        match (parts.last_mut(), step) {
            (Some(Part::Text { text, quoted: false }), Step::Char(c)) => text.push(*c),
            (_, Step::Char(c)) => parts.push(Part::Text { text: c.to_string(), quoted: false }),
            (_, Step::Part(part)) => parts.push(part.clone()),
        }
    }
    parts
}
