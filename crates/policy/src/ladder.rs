//! The ladder of concessions: what is tried, in which order.

use model::Offers;

/// One rung: concessions under which policy is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rung {
    /// What names it within one ladder, whatever is offered: answers are remembered under it.
    pub(crate) slot: usize,
    pub(crate) reversible: bool,
    pub(crate) contained: bool,
    /// Who agrees, among the ladder's sets of approvers.
    pub(crate) stage: usize,
}

/// The sets of approvers in their order: nobody, the developer, each group, the developer with each group.
#[derive(Debug, Clone)]
pub(crate) struct Stages(Vec<Vec<String>>);

/// The word for the person at the keyboard.
pub(crate) const DEVELOPER: &str = "developer";

impl Stages {
    pub(crate) fn new(groups: &[String]) -> Self {
        let mut seen: Vec<&String> = Vec::new();
        for group in groups.iter().filter(|g| *g != DEVELOPER) {
            if !seen.contains(&group) {
                seen.push(group);
            }
        }
        let developer = || DEVELOPER.to_owned();
        let mut stages = vec![Vec::new(), vec![developer()]];
        stages.extend(seen.iter().map(|g| vec![(*g).clone()]));
        stages.extend(seen.iter().map(|g| vec![developer(), (*g).clone()]));
        Self(stages)
    }

    pub(crate) fn approvers(&self, stage: usize) -> &[String] {
        self.0.get(stage).map_or(&[], Vec::as_slice)
    }

    /// Slots that a ladder of these stages can have, offered or not.
    pub(crate) fn slots(&self) -> usize {
        self.0.len() * 4
    }

    /// The rungs for what is offered. Without a person every combination is tried from the least to the most;
    /// with one, first nothing more and then all that is offered.
    pub(crate) fn rungs(&self, offers: Offers) -> Vec<Rung> {
        let rung = |stage: usize, reversible: bool, contained: bool| Rung {
            slot: stage * 4 + usize::from(reversible) + 2 * usize::from(contained),
            reversible,
            contained,
            stage,
        };
        let mut rungs = Vec::new();
        for (reversible, contained) in [(false, false), (true, false), (false, true), (true, true)] {
            if (offers.snapshot || !reversible) && (offers.contain || !contained) {
                rungs.push(rung(0, reversible, contained));
            }
        }
        for stage in 1..self.0.len() {
            rungs.push(rung(stage, false, false));
            if offers.snapshot || offers.contain {
                rungs.push(rung(stage, offers.snapshot, offers.contain));
            }
        }
        rungs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(offers: Offers, groups: &[&str]) -> Vec<String> {
        let stages = Stages::new(&groups.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>());
        let rungs = stages.rungs(offers);
        rungs
            .iter()
            .map(|r| {
                format!(
                    "{}{}{}",
                    if r.reversible { "r" } else { "-" },
                    if r.contained { "c" } else { "-" },
                    stages.approvers(r.stage).join("+")
                )
            })
            .collect()
    }

    #[test]
    fn the_order_of_the_design() {
        assert_eq!(
            shown(Offers { snapshot: true, contain: true }, &["production"]),
            [
                "--",
                "r-",
                "-c",
                "rc",
                "--developer",
                "rcdeveloper",
                "--production",
                "rcproduction",
                "--developer+production",
                "rcdeveloper+production"
            ]
        );
    }

    #[test]
    fn only_what_is_offered() {
        assert_eq!(shown(Offers::default(), &[]), ["--", "--developer"]);
        assert_eq!(
            shown(Offers { snapshot: true, contain: false }, &["developer"]),
            ["--", "r-", "--developer", "r-developer"]
        );
    }
}
