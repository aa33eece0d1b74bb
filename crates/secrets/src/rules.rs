//! An organisation's own rules, in the TOML that gitleaks and betterleaks read.

use crate::finding::{Certainty, Finding, Tier};
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;
use std::sync::Arc;

/// The most memory that one compiled expression may take, in bytes.
const SIZE: usize = 8 << 20;

/// Rules that were loaded.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    allow: Vec<Arc<Allow>>,
    skipped: Vec<String>,
}

/// Why rules were not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The file is not such a file.
    #[error("the rules are not in the form of gitleaks' configuration: {0}")]
    Form(String),
    /// An expression of a rule cannot be used.
    #[error(
        "the expression of rule `{rule}` cannot be used ({why}); write it without look-around and back references, or take the rule away"
    )]
    Expression {
        /// The rule's id.
        rule: String,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Debug, Clone)]
struct Rule {
    id: Arc<str>,
    keywords: Vec<Vec<u8>>,
    regex: Regex,
    group: usize,
    entropy: f64,
    allow: Vec<Arc<Allow>>,
}

#[derive(Debug, Clone, Default)]
struct Allow {
    regexes: Vec<Regex>,
    stopwords: Vec<Vec<u8>>,
    line: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenFile {
    #[serde(default)]
    rules: Vec<WrittenRule>,
    allowlist: Option<WrittenAllow>,
    #[serde(default)]
    allowlists: Vec<WrittenAllow>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenRule {
    id: String,
    regex: Option<String>,
    #[serde(default)]
    secret_group: usize,
    #[serde(default)]
    entropy: f64,
    #[serde(default)]
    keywords: Vec<String>,
    allowlist: Option<WrittenAllow>,
    #[serde(default)]
    allowlists: Vec<WrittenAllow>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenAllow {
    #[serde(default)]
    regexes: Vec<String>,
    #[serde(default)]
    stopwords: Vec<String>,
    #[serde(default)]
    regex_target: String,
}

impl Rules {
    /// Reads a file of rules. Rules that only name paths find nothing in texts and are left out: see
    /// [`Rules::skipped`].
    ///
    /// # Errors
    /// When the text is no such file, or an expression cannot be used.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let file: WrittenFile = toml::from_str(text).map_err(|e| RulesError::Form(e.message().to_owned()))?;
        let mut out = Self::default();
        for written in file.allowlist.iter().chain(&file.allowlists) {
            out.allow.push(Arc::new(allow("allowlist", written)?));
        }
        for written in file.rules {
            let Some(expression) = &written.regex else {
                out.skipped.push(written.id);
                continue;
            };
            let regex = compile(&written.id, expression)?;
            let lists = written.allowlist.iter().chain(&written.allowlists);
            let allow = lists.map(|l| allow(&written.id, l).map(Arc::new)).collect::<Result<_, _>>()?;
            out.rules.push(Rule {
                keywords: written.keywords.iter().map(|k| k.to_ascii_lowercase().into_bytes()).collect(),
                group: written.secret_group,
                entropy: written.entropy,
                id: written.id.into(),
                regex,
                allow,
            });
        }
        Ok(out)
    }

    /// How many rules look into texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The ids of rules that have no expression for texts.
    #[must_use]
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    pub(crate) fn find(&self, text: &[u8], found: &mut Vec<Finding>) {
        let folded = text.to_ascii_lowercase();
        for rule in &self.rules {
            let announced = rule.keywords.is_empty()
                || rule.keywords.iter().any(|k| memchr::memmem::find(&folded, k).is_some());
            if !announced {
                continue;
            }
            for captures in rule.regex.captures_iter(text) {
                let Some(whole) = captures.get(0) else { continue };
                let first = captures.iter().skip(1).flatten().find(|m| !m.is_empty());
                let secret = if rule.group > 0 { captures.get(rule.group) } else { first };
                let secret = secret.unwrap_or(whole);
                if secret.is_empty() || rule.entropy > 0.0 && entropy(secret.as_bytes()) < rule.entropy {
                    continue;
                }
                let line_from = crate::text::line_start(text, whole.start());
                let line = crate::text::part(text, line_from, crate::text::line_end(text, whole.end()));
                if rule.allow.iter().chain(&self.allow).any(|a| a.allows(secret.as_bytes(), line)) {
                    continue;
                }
                found.push(Finding {
                    span: secret.range(),
                    kind: rule.id.to_string().into(),
                    tier: Tier::Structural,
                    certainty: Certainty::Likely,
                    open: false,
                });
            }
        }
    }
}

impl Allow {
    fn allows(&self, secret: &[u8], line: &[u8]) -> bool {
        let target = if self.line { line } else { secret };
        self.regexes.iter().any(|r| r.is_match(target)) || {
            let folded = secret.to_ascii_lowercase();
            self.stopwords.iter().any(|w| memchr::memmem::find(&folded, w).is_some())
        }
    }
}

fn allow(rule: &str, written: &WrittenAllow) -> Result<Allow, RulesError> {
    Ok(Allow {
        regexes: written.regexes.iter().map(|r| compile(rule, r)).collect::<Result<_, _>>()?,
        stopwords: written.stopwords.iter().map(|w| w.to_ascii_lowercase().into_bytes()).collect(),
        line: !written.regex_target.is_empty() && written.regex_target != "secret",
    })
}

fn compile(rule: &str, expression: &str) -> Result<Regex, RulesError> {
    RegexBuilder::new(expression).unicode(false).size_limit(SIZE).build().map_err(|e| {
        RulesError::Expression {
            rule: rule.to_owned(),
            why: e.to_string().lines().last().unwrap_or_default().trim().to_owned(),
        }
    })
}

/// Shannon's entropy in bits a byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let share = |count: &u32| f64::from(*count) / total;
    counts.iter().filter(|c| **c > 0).map(|c| -share(c) * share(c).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scanner;

    const FILE: &str = r#"
        title = "ours"
        [allowlist]
        regexes = ['''^TEST-''']
        [[rules]]
        id = "acme-key"
        description = "key of ACME"
        regex = '''(?i)\bacme[_-]?key\s*[:=]\s*['"]?([A-Z]{4}-[0-9]{6})\b'''
        secretGroup = 1
        keywords = ["acme"]
        [[rules]]
        id = "only-a-path"
        path = '''\.p12$'''
    "#;

    #[test]
    fn rules_of_others_are_applied() {
        let rules = Rules::parse(FILE).unwrap();
        assert_eq!(rules.len(), 1);
        assert_eq!(rules.skipped(), ["only-a-path"]);
        let scanner = Scanner::new().with_rules(Arc::new(rules));
        let found = scanner.scan(b"Acme_Key: QWER-481516 and acme_key: TEST-481516");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].span.clone(), &*found[0].kind), (10..21, "acme-key"));
    }

    #[test]
    fn an_expression_that_takes_unbounded_time_is_refused() {
        let error = Rules::parse("[[rules]]\nid = \"x\"\nregex = '(a)\\1'").unwrap_err();
        assert!(error.to_string().contains("`x`"), "{error}");
    }
}
