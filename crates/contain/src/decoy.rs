//! What lies in the place of a credential: a text that says which rule withholds it and how to ask, in a form that the
//! tool whose file it is can read without failing.

/// The rule's name in texts and records.
pub(crate) const RULE: &str = "contain.credentials";

/// Name of the only file in a decoy that is a directory.
pub(crate) const IN_DIRECTORY: &str = "WITHHELD-BY-AMBIT.txt";

/// The text for the decoy of this path. `ask` says how a person lets it in.
pub(crate) fn text(path: &str, ask: &str) -> String {
    let words = format!(
        "Withheld by Ambit (rule {RULE}): this command runs contained and does not see the credentials of {path}.{}{ask}",
        if ask.is_empty() { "" } else { " " }
    );
    if path.ends_with(".json") || path.ends_with(".js") {
        let quoted = words.replace('\\', "\\\\").replace('"', "\\\"");
        return if path.ends_with(".json") {
            format!("{{\"_ambit\": \"{quoted}\"}}\n")
        } else {
            format!("// {words}\n")
        };
    }
    format!("# {words}\n")
}

/// A settings file without the lines that hold secrets. `None` when it is not text.
pub(crate) fn without_secrets(bytes: &[u8], path: &str) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    // These forms nest; a line taken out could leave a file that says something else.
    if path.ends_with(".xml") {
        let lower = text.to_ascii_lowercase();
        return (!WORDS.iter().any(|w| lower.contains(w)) && !has_userinfo(&lower))
            .then_some(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if is_secret_line(line) {
            continue;
        }
        out.push_str(line);
        out.push('\n');
    }
    Some(out)
}

/// Words of keys: npm's `_authToken`, git's `extraheader` and `helper`, pip's `password`, Gradle's `…Password`.
const WORDS: &[&str] = &[
    "auth",
    "token",
    "passw",
    "secret",
    "credential",
    "helper",
    "extraheader",
    "apikey",
    "api_key",
    "private",
    "signingkey",
    "cookie",
];

/// Whether a line of a settings file sets something that is, by its key or its form, a secret, or names a program that
/// hands out secrets.
fn is_secret_line(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let key = lower.split(['=', ':', ' ', '>']).find(|k| !k.is_empty()).unwrap_or_default();
    let whole_key = lower.split_once('=').map_or(key, |(k, _)| k);
    WORDS.iter().any(|w| whole_key.contains(w)) || has_userinfo(&lower)
}

/// Whether a text holds a URL with a name or password before its host.
pub(crate) fn has_userinfo(text: &str) -> bool {
    text.match_indices("://").any(|(at, mark)| {
        let rest = text.get(at + mark.len()..).unwrap_or_default();
        let host = rest.split(['/', ' ', '"', '\'', '\t', '?', '#']).next().unwrap_or_default();
        host.contains('@')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoys_are_readable_to_their_tools() {
        let json: serde_json::Value =
            serde_json::from_str(&text("/h/.docker/config.json", "Ask with `x \"y\"`.")).unwrap();
        assert!(json["_ambit"].as_str().unwrap().contains(RULE));
        assert!(text("/h/.netrc", "").starts_with("# Withheld"));
    }

    #[test]
    fn settings_lose_their_secrets_and_keep_the_rest() {
        let npmrc = "registry=https://r.example/\n//r.example/:_authToken=npm_x\ncafile=/etc/ca.pem\n";
        assert_eq!(
            without_secrets(npmrc.as_bytes(), ".npmrc").unwrap(),
            "registry=https://r.example/\ncafile=/etc/ca.pem\n"
        );
        let git = "[user]\n\tname = Ann\n[credential]\n\thelper = store\n[http]\n\textraHeader = Authorization: x\n\
                   [url \"https://ann:pw@h/\"]\n\tinsteadOf = h:\n[core]\n\tautocrlf = input\n";
        let kept = without_secrets(git.as_bytes(), ".gitconfig").unwrap();
        for gone in ["store", "Authorization", "pw@"] {
            assert!(!kept.contains(gone), "{kept}");
        }
        assert!(kept.contains("name = Ann") && kept.contains("autocrlf = input"));
        assert_eq!(without_secrets(b"<server><password>x</password></server>", "settings.xml"), None);
        let pip = "[global]\nindex-url = https://u:p@host/simple\ntimeout = 9\n";
        assert_eq!(without_secrets(pip.as_bytes(), "pip.conf").unwrap(), "[global]\ntimeout = 9\n");
    }
}
