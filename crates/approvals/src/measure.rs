//! How well asking works. A prompt that people click away is theatre: so it is measured how often is asked, how fast is
//! answered against the time it takes to read, and what is always agreed to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

/// Characters that a person reads in a second: a fast reader of code.
pub const LETTERS_A_SECOND: u64 = 20;
/// An answer sooner than this, in milliseconds, to a text of more than [`UNREAD_LETTERS`] was given unread.
pub const UNREAD_MS: u64 = 2_000;
/// See [`UNREAD_MS`].
pub const UNREAD_LETTERS: u64 = 200;
/// So many consents in a row, without a single no, are a habit.
pub const STREAK: u32 = 20;
/// So many consents to the same thing are a rule that is missing.
pub const REPEATS: u32 = 3;
/// Questions in 100 calls above which people stop reading; fewer than three are good.
pub const MOST_IN_100: f64 = 10.0;

/// One question that was put to people, as the record has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// The session.
    pub session: String,
    /// When.
    pub at: Timestamp,
    /// The rule that asked.
    pub rule: String,
    /// What it was about, in words: `push origin main`.
    pub title: String,
    /// How long its text is, in characters.
    pub letters: u64,
    /// Whether it was agreed to; `None` while nobody has decided, or nobody did.
    pub agreed: Option<bool>,
    /// When it was decided.
    pub decided: Option<Timestamp>,
    /// By whom, by pseudonym.
    pub by: Option<String>,
    /// How long it was before their eyes, in milliseconds, where the channel knows; else the time since it was asked
    /// stands for it.
    pub looked_ms: Option<u64>,
}

impl Asked {
    /// Milliseconds from the question, or from its being shown, to the decision.
    fn took_ms(&self) -> Option<u64> {
        let waited = self.decided.map(|at| at.duration_since(self.at).as_millis().max(0));
        let waited = waited.and_then(|ms| u64::try_from(ms).ok());
        // A question may lie for an hour and then be looked at for one second.
        match (self.looked_ms, waited) {
            (Some(looked), Some(waited)) => Some(looked.min(waited)),
            (looked, waited) => looked.or(waited),
        }
    }

    /// Whether it was agreed to faster than it can be read.
    fn unread(&self) -> bool {
        let read_ms = self.letters.saturating_mul(1_000) / LETTERS_A_SECOND;
        self.agreed == Some(true)
            && self.letters > UNREAD_LETTERS
            && self.took_ms().is_some_and(|took| took < UNREAD_MS.min(read_ms))
    }
}

/// Something that was asked again and again and always agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repeat {
    /// The rule that asked.
    pub rule: String,
    /// What it was about.
    pub title: String,
    /// How often it was agreed to; never was it refused. So many questions fewer there would have been.
    pub times: u32,
    /// In how many sessions.
    pub sessions: usize,
    /// How many other questions of the same rule there were that a rule for this title would not let through.
    pub others: u32,
}

/// One person's way of deciding.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Decider {
    /// How many decisions.
    pub decisions: u32,
    /// How many of them were consents.
    pub agreed: u32,
    /// How many consents were given faster than the text can be read.
    pub unread: u32,
    /// The longest run of consents without a no.
    pub streak: u32,
}

/// The measures.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Measures {
    /// Calls that were judged.
    pub calls: u64,
    /// Questions that were put.
    pub questions: u64,
    /// Questions in 100 calls.
    pub in_100_calls: f64,
    /// Sessions in which calls were judged.
    pub sessions: u64,
    /// Questions in a session, in the middle.
    pub a_session: f64,
    /// Decided questions.
    pub decided: u64,
    /// The share of consents among the decided, from 0 to 1.
    pub agreed_share: f64,
    /// The time to a decision in the middle, in milliseconds.
    pub decision_ms: u64,
    /// Consents given faster than the text can be read.
    pub unread: u64,
    /// Those who decided, by pseudonym.
    pub deciders: BTreeMap<String, Decider>,
    /// What is asked again and again and always agreed to, most often first.
    pub repeats: Vec<Repeat>,
}

impl Measures {
    /// What a person should do something about, in words.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.calls >= 100 && self.in_100_calls > MOST_IN_100 {
            found.push(format!(
                "{:.1} questions in 100 calls: above {MOST_IN_100} people stop reading; contain more, or make rules of the repeats",
                self.in_100_calls
            ));
        }
        for (who, decider) in &self.deciders {
            if decider.streak >= STREAK {
                found.push(format!("{who} agreed {} times in a row", decider.streak));
            }
            if decider.unread > 0 {
                found.push(format!("{who} agreed {} times faster than the text can be read", decider.unread));
            }
        }
        for repeat in &self.repeats {
            found.push(format!(
                "`{}` was agreed to {} times in {} sessions and never refused (rule `{}`): a rule for exactly this would have spared {} questions and let none of the {} others of that rule through",
                repeat.title, repeat.times, repeat.sessions, repeat.rule, repeat.times, repeat.others
            ));
        }
        found
    }
}

fn middle(mut values: Vec<u64>) -> f64 {
    values.sort_unstable();
    let half = values.len() / 2;
    let at = |at: usize| values.get(at).copied().unwrap_or(0) as f64;
    if values.len() % 2 == 1 { at(half) } else { f64::midpoint(at(half.saturating_sub(1)), at(half)) }
}

/// Measures. `calls` are the judged calls by session, `asked` the questions in the order in which they were put.
#[must_use]
pub fn measure(calls: &BTreeMap<String, u64>, asked: &[Asked]) -> Measures {
    let total: u64 = calls.values().sum();
    let mut per_session: BTreeMap<&str, u64> = calls.keys().map(|session| (session.as_str(), 0)).collect();
    for question in asked {
        *per_session.entry(question.session.as_str()).or_default() += 1;
    }
    let decided: Vec<&Asked> = asked.iter().filter(|q| q.agreed.is_some()).collect();
    let agreed = decided.iter().filter(|q| q.agreed == Some(true)).count();
    let mut deciders: BTreeMap<String, Decider> = BTreeMap::new();
    let mut runs: BTreeMap<&str, u32> = BTreeMap::new();
    let mut in_order = decided.clone();
    in_order.sort_by_key(|q| q.decided);
    for question in in_order {
        let Some(by) = question.by.as_deref() else { continue };
        let decider = deciders.entry(by.to_owned()).or_default();
        let run = runs.entry(by).or_default();
        decider.decisions += 1;
        if question.agreed == Some(true) {
            decider.agreed += 1;
            *run += 1;
            decider.streak = decider.streak.max(*run);
            decider.unread += u32::from(question.unread());
        } else {
            *run = 0;
        }
    }
    Measures {
        calls: total,
        questions: asked.len() as u64,
        in_100_calls: if total == 0 { 0.0 } else { asked.len() as f64 * 100.0 / total as f64 },
        sessions: per_session.len() as u64,
        a_session: middle(per_session.into_values().collect()),
        decided: decided.len() as u64,
        agreed_share: if decided.is_empty() { 0.0 } else { agreed as f64 / decided.len() as f64 },
        decision_ms: middle(decided.iter().filter_map(|q| q.took_ms()).collect()) as u64,
        unread: asked.iter().filter(|q| q.unread()).count() as u64,
        deciders,
        repeats: repeats(asked),
    }
}

fn repeats(asked: &[Asked]) -> Vec<Repeat> {
    let mut same: BTreeMap<(&str, &str), (u32, u32, BTreeSet<&str>)> = BTreeMap::new();
    let mut of_rule: BTreeMap<&str, u32> = BTreeMap::new();
    for question in asked {
        let (yes, no, sessions) = same.entry((question.rule.as_str(), question.title.as_str())).or_default();
        match question.agreed {
            Some(true) => *yes += 1,
            Some(false) => *no += 1,
            None => {}
        }
        sessions.insert(question.session.as_str());
        *of_rule.entry(question.rule.as_str()).or_default() += 1;
    }
    let often = same
        .into_iter()
        .filter(|((_, title), (yes, no, _))| *yes >= REPEATS && *no == 0 && !title.is_empty());
    let mut repeats: Vec<Repeat> = often
        .map(|((rule, title), (times, _, sessions))| Repeat {
            rule: rule.to_owned(),
            title: title.to_owned(),
            times,
            sessions: sessions.len(),
            others: of_rule.get(rule).copied().unwrap_or(0).saturating_sub(times),
        })
        .collect();
    repeats.sort_by(|a, b| b.times.cmp(&a.times).then_with(|| a.title.cmp(&b.title)));
    repeats
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn asked(n: i64, title: &str, agreed: Option<bool>, took_ms: i64) -> Asked {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(n * 100);
        Asked {
            session: format!("s{}", n % 2),
            at,
            rule: "a-rule".to_owned(),
            title: title.to_owned(),
            letters: 400,
            agreed,
            decided: agreed.map(|_| at + SignedDuration::from_millis(took_ms)),
            by: agreed.map(|_| "p-1".to_owned()),
            looked_ms: None,
        }
    }

    #[test]
    fn counts_shares_and_times() {
        let calls = BTreeMap::from([("s0".to_owned(), 60), ("s1".to_owned(), 40), ("s2".to_owned(), 0)]);
        let list = [
            asked(1, "push main", Some(true), 30_000),
            asked(2, "push main", Some(true), 1_000),
            asked(3, "push main", Some(true), 10_000),
            asked(4, "drop table", Some(false), 5_000),
            asked(5, "drop table", None, 0),
        ];
        let found = measure(&calls, &list);
        assert_eq!((found.calls, found.questions, found.sessions, found.decided), (100, 5, 3, 4));
        assert!((found.in_100_calls - 5.0).abs() < 1e-9 && (found.agreed_share - 0.75).abs() < 1e-9);
        assert!((found.a_session - 2.0).abs() < 1e-9, "0, 2 and 3: {}", found.a_session);
        assert_eq!(found.decision_ms, 7_500);
        assert_eq!(found.unread, 1);
        let decider = Decider { decisions: 4, agreed: 3, unread: 1, streak: 3 };
        assert_eq!(found.deciders, BTreeMap::from([("p-1".to_owned(), decider)]));
        let repeat = &found.repeats[..];
        assert_eq!(repeat.len(), 1);
        assert_eq!((repeat[0].times, repeat[0].sessions, repeat[0].others), (3, 2, 2));
    }

    #[test]
    fn what_was_refused_once_is_no_habit_and_a_look_is_no_wait() {
        let mut list: Vec<Asked> = (0..25).map(|n| asked(n, "push main", Some(true), 60_000)).collect();
        assert!(measure(&BTreeMap::new(), &list).findings().iter().any(|f| f.contains("25 times in a row")));
        list[3].agreed = Some(false);
        let found = measure(&BTreeMap::new(), &list);
        assert!(found.repeats.is_empty());
        assert_eq!(found.deciders["p-1"].streak, 21);
        // It lay there for a minute, and was looked at for a second.
        list[5].looked_ms = Some(1_000);
        assert_eq!(measure(&BTreeMap::new(), &list).unread, 1);
        let nothing = measure(&BTreeMap::new(), &[]);
        assert!(nothing.findings().is_empty() && nothing.in_100_calls == 0.0);
    }
}
