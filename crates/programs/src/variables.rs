//! Environment variables: what setting one changes.

/// What setting an environment variable changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Nothing but how output looks or how much of it there is.
    Harmless,
    /// Which code runs.
    Code,
    /// Where data goes to or comes from.
    Route,
    /// It holds a secret.
    Secret,
}

impl Class {
    /// The word for listings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Harmless => "harmless",
            Self::Code => "code",
            Self::Route => "route",
            Self::Secret => "secret",
        }
    }
}

/// The list made by the build from `variables.toml`: names in order, with their class and the values with which they
/// are harmless all the same. A name that ends in `*` stands for any ending.
mod built {
    use super::Class;
    include!(concat!(env!("OUT_DIR"), "/variables.rs"));
}

/// What setting the variable `name` changes; `None` when Ambit does not know it, so that setting it is not understood.
/// The exact name counts first, then the longest beginning.
#[must_use]
pub fn variable(name: &str) -> Option<Class> {
    entry(name).map(|(class, _)| class)
}

/// The same for a known value: a few values are harmless whatever the variable could do (`PAGER=cat`).
#[must_use]
pub fn variable_set_to(name: &str, value: &str) -> Option<Class> {
    let (class, harmless) = entry(name)?;
    Some(if harmless.contains(&value) { Class::Harmless } else { class })
}

fn entry(name: &str) -> Option<(Class, &'static [&'static str])> {
    if let Ok(at) = built::VARIABLES.binary_search_by(|(known, _, _)| (*known).cmp(name)) {
        return built::VARIABLES.get(at).map(|(_, class, values)| (*class, *values));
    }
    built::VARIABLES
        .iter()
        .filter(|(known, _, _)| known.strip_suffix('*').is_some_and(|start| name.starts_with(start)))
        .max_by_key(|(known, _, _)| known.len())
        .map(|(_, class, values)| (*class, *values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_names() {
        assert_eq!(variable("LANG"), Some(Class::Harmless));
        assert_eq!(variable("LC_ALL"), Some(Class::Harmless));
        assert_eq!(variable("LD_PRELOAD"), Some(Class::Code));
        assert_eq!(variable("GIT_SSH_COMMAND"), Some(Class::Code));
        assert_eq!(variable("GIT_AUTHOR_NAME"), Some(Class::Harmless));
        assert_eq!(variable("HTTPS_PROXY"), Some(Class::Route));
        assert_eq!(variable("ANTHROPIC_BASE_URL"), Some(Class::Route));
        assert_eq!(variable("GITHUB_TOKEN"), Some(Class::Secret));
        assert_eq!(variable("SOME_NEW_THING"), None);
    }

    #[test]
    fn harmless_values() {
        assert_eq!(variable_set_to("PAGER", "cat"), Some(Class::Harmless));
        assert_eq!(variable_set_to("PAGER", "sh -c x"), Some(Class::Code));
        assert_eq!(variable_set_to("LANG", "C"), Some(Class::Harmless));
    }

    #[test]
    fn the_list_is_in_order() {
        assert!(built::VARIABLES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(built::VARIABLES.len() > 200);
    }
}
