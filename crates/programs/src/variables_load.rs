//! Reads the file of environment variables. Only the build uses it.

use crate::error::TableError;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use toml::de::{DeTable, DeValue};

/// The classes as the file writes them, with their names in the library.
const CLASSES: &[(&str, &str)] =
    &[("harmless", "Harmless"), ("code", "Code"), ("route", "Route"), ("secret", "Secret")];

/// What the file says of a name: the class, and the values with which it is harmless all the same.
pub(crate) type Variables = BTreeMap<String, (&'static str, Vec<String>)>;

/// Reads the file: one table a class, each with `names = ["…"]` (a `*` at the end stands for any ending) and
/// `harmless_values = { NAME = ["…"] }`.
pub(crate) fn load(file: &str, text: &str) -> Result<Variables, Vec<TableError>> {
    let mut errors = Vec::new();
    let mut all = Variables::new();
    let fault = |at: usize, class: &str, key: &str, say: &str| {
        TableError::at(file, text, at, class, key, say.to_owned())
    };
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(0, |s| s.start);
            return Err(vec![fault(at, "", "", error.message())]);
        }
    };
    for (class, value) in document.get_ref() {
        let at = class.span().start;
        let known = CLASSES.iter().find(|(word, _)| word == class.get_ref());
        let (Some((_, library)), DeValue::Table(table)) = (known, value.get_ref()) else {
            errors.push(fault(at, class.get_ref(), "", "is none of harmless, code, route, secret"));
            continue;
        };
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("names", DeValue::Array(names)) => {
                    for name in names.iter() {
                        let text = name.get_ref().as_str().unwrap_or_default();
                        let bare = text.strip_suffix('*').unwrap_or(text);
                        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                        if bare.is_empty() || !bare.chars().all(plain) {
                            let say = "a name has letters, digits, `_` and perhaps a `*` at its end";
                            errors.push(fault(name.span().start, class.get_ref(), "names", say));
                        } else if all.insert(text.to_owned(), (*library, Vec::new())).is_some() {
                            let say = format!("`{text}` is written twice; keep it in one place");
                            errors.push(fault(name.span().start, class.get_ref(), "names", &say));
                        }
                    }
                }
                ("harmless_values", DeValue::Table(table)) => {
                    for (name, list) in table {
                        let list = list.get_ref().as_array().into_iter().flat_map(|l| l.iter());
                        let list = list.filter_map(|v| v.get_ref().as_str().map(str::to_owned)).collect();
                        values.insert(name.get_ref().to_string(), list);
                    }
                }
                (key, _) => errors.push(fault(
                    value.span().start,
                    class.get_ref(),
                    key,
                    "is no key here; the keys are `names` (a list) and `harmless_values` (a table)",
                )),
            }
        }
        for (name, list) in values {
            match all.get_mut(&name) {
                Some((_, values)) => *values = list,
                None => {
                    let say = format!("`{name}` is not among the names of the class");
                    errors.push(fault(at, class.get_ref(), "harmless_values", &say));
                }
            }
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(errors) }
}

/// The names as a sorted list in Rust's notation, which the library includes.
pub(crate) fn source(variables: &Variables) -> Result<String, std::fmt::Error> {
    let mut source = String::from("pub(super) static VARIABLES: &[(&str, Class, &[&str])] = &[\n");
    for (name, (class, values)) in variables {
        writeln!(source, "    ({name:?}, Class::{class}, &{values:?}),")?;
    }
    source.push_str("];\n");
    Ok(source)
}
