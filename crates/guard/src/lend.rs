//! Lending: which terms let a program have the secrets that a command refers to.

use crate::readers::Reading;
use jiff::Timestamp;
use model::{Action, Effect, Lending, SecretTerms};
use serde::{Deserialize, Serialize};
use std::path::Path;
use vault::{Grants, Name, Wish, allowance};

/// A secret that a call was let through with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loan {
    /// The secret's name.
    pub secret: String,
    /// The program that was judged to have it.
    pub program: String,
    /// The host that the command sends it to; empty when it is not known.
    pub host: String,
    /// Whether terms fitted when the call was judged. Without them a person agreed, or policy permits it.
    pub terms: Lending,
}

/// Says of every use of a secret whether configured terms or a grant in force let the program have it. `state` is
/// Ambit's state directory. Grants that cannot be read are none.
pub fn lending(reading: &mut Reading, terms: &SecretTerms, state: &Path, now: Timestamp) {
    if !reading.effects.iter().any(|e| matches!(e.action, Action::UseSecret(_))) {
        return;
    }
    let grants = Grants::new(&state.join("vault")).list(now).unwrap_or_default();
    for effect in &mut reading.effects {
        let Action::UseSecret(facts) = &mut effect.action else { continue };
        let Ok(secret) = facts.name.parse::<Name>() else { continue };
        facts.terms = match allowance(terms, &grants, &Wish { secret: &secret, program: &facts.program }) {
            Ok((terms, _)) if terms.ask => Lending::Asks,
            Ok(_) => Lending::Fits,
            Err(_) => Lending::None,
        };
    }
}

/// What a call is lent, each secret once for a program.
pub(crate) fn loans(effects: &[Effect]) -> Vec<Loan> {
    let mut out: Vec<Loan> = Vec::new();
    for effect in effects {
        let Action::UseSecret(facts) = &effect.action else { continue };
        let loan = Loan {
            secret: facts.name.clone(),
            program: facts.program.clone(),
            host: facts.host.clone(),
            terms: facts.terms,
        };
        if !out.contains(&loan) {
            out.push(loan);
        }
    }
    out
}
