//! The table: the built-in entries, files of organisations, and what is said of their faults.

use crate::common::{SAMPLES, table};
use programs::{Expect, Spec, Table, check};

fn faults(text: &str) -> Vec<String> {
    check(&[("x.toml".to_owned(), text.to_owned())]).iter().map(ToString::to_string).collect()
}

/// A sound entry with `more` among its keys.
fn with(more: &str) -> String {
    format!(
        "[x]\nabout = \"does\"\nsource = \"x(1)\"\n{more}\n[[x.cases]]\ncommand = \"x\"\neffects = [\"run x\"]\n"
    )
}

#[test]
fn every_built_in_entry_loads() {
    let table = Table::builtin();
    let names = table.names();
    assert!(names.len() > 100, "{}", names.len());
    for name in names {
        let program = table.get(&name).unwrap_or_else(|| panic!("`{name}` does not load"));
        assert!(program.name == name || program.spec.aliases.contains(&name), "{name}");
        assert!(!program.spec.about.is_empty() && !program.spec.source.is_empty(), "{name}");
        opens(&name, &program.spec);
        assert!(program.describe().starts_with(&program.name));
    }
}

/// Every sub-command decodes.
fn opens(name: &str, spec: &Spec) {
    for (sub, entry) in &spec.sub {
        let name = format!("{name} {sub}");
        let entry = entry.spec().unwrap_or_else(|| panic!("`{name}` does not load"));
        opens(&name, &entry);
    }
    for alias in spec.sub_aliases.keys() {
        assert!(spec.sub(alias).is_some(), "{name} {alias}");
    }
}

#[test]
fn every_built_in_program_has_a_case() {
    let table = Table::builtin();
    let cases = table.cases();
    for name in table.names() {
        let program = table.get(&name).unwrap();
        let of = |case: &&programs::Case| {
            case.program == program.name || case.program.starts_with(&format!("{} ", program.name))
        };
        assert!(cases.iter().any(|c| of(&c)), "{name}");
    }
    for case in cases {
        assert!(!case.command.is_empty() && case.line > 0);
        if let Expect::NotUnderstood(text) = case.expect {
            assert!(!text.is_empty(), "{}:{}", case.file, case.line);
        }
    }
}

#[test]
fn what_is_built_in_is_what_the_files_say() {
    let table = Table::builtin();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/table");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let document: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        for (name, keys) in document {
            let program = table.get(&name).unwrap_or_else(|| panic!("`{name}` is missing"));
            assert_eq!(path.file_name().unwrap().to_str(), Some(program.file.as_str()), "{name}");
            assert_eq!(keys["about"].as_str(), Some(program.spec.about.as_str()), "{name}");
        }
    }
}

#[test]
fn organisations_add_programs() {
    let table = table();
    assert_eq!(table.get("sortest").unwrap().name, "sorter");
    assert!(table.names().contains(&"sorter".to_owned()));
    assert_eq!(table.cases().iter().filter(|c| c.file == "samples.toml").count(), 10);
    assert!(table.get("no-such-program").is_none());
}

#[test]
fn organisations_do_not_change_what_is_built_in() {
    let text = with("").replace("[x]", "[cat]").replace("[[x.", "[[cat.");
    assert!(faults(&text)[0].contains("`cat` is known already"), "{:?}", faults(&text));
}

#[test]
fn a_sound_file_has_no_faults() {
    assert_eq!(faults(SAMPLES), [""; 0]);
    assert_eq!(faults(&with("operands = \"read*\"")), [""; 0]);
}

#[test]
fn faults_are_told_with_their_place() {
    let said = |more: &str| faults(&with(more)).join("\n");
    assert!(
        said("opreands = \"read\"")
            .starts_with("x.toml:4:1: `x`, `opreands`: is no key here; did you mean `operands`?")
    );
    assert!(
        said("operands = \"raed\"")
            .contains("x.toml:4:12: `x`, `operands`: `raed` is no role; did you mean `read`?")
    );
    assert!(said("operands = \"read* text*\"").contains("more than one operand repeats"));
    assert!(said("flags = \"-a\"\noptions = { \"-a\" = \"text\" }").contains("`-a` is written twice"));
    assert!(said("flags = \"x\"").contains("no spelling of an option"));
    assert!(said("options = { \"-a\" = { valeu = \"text\" } }").contains("did you mean `value`?"));
    assert!(said("effects = [{ kind = \"destroy\" }]").contains("no kind of effect"));
    assert!(said("effects = [{ kind = \"push\", branch = \"x\" }]").contains("has no fact `branch`"));
    assert!(said("effects = [{ kind = \"push\", force = \"x\" }]").contains("`true` or `false`"));
    assert!(
        said("effects = [{ kind = \"push\", remote = \"$where\" }]")
            .contains("`$where` is bound by no option")
    );
    assert!(said("effects = [{ kind = \"push\", when = \"sometimes\" }]").contains("no condition"));
    assert!(said("reader = \"frob\"").contains("no reader"));
    assert!(said("syntax = \"windows\"").contains("not one of gnu"));
    assert!(said("default = \".\"").contains("without `operands`"));
    assert!(said("syntax = \"none\"\nflags = \"-a\"").contains("no word is an option"));
    assert!(said("filter = \"yes\"").contains("`true` or `false`"));
    assert!(faults("[x]\nabout = \"does\"")[0].contains("`source`: is missing"));
    assert!(faults("[x]\nabout = \"does\"").iter().any(|f| f.contains("`cases`: are missing")));
    assert!(faults("[x\n")[0].contains("x.toml:1:"));
    assert!(faults("x = 1")[0].contains("a program is a table"));
    assert!(
        faults(&format!("{}{}", with("aliases = [\"y\"]"), with("").replace('x', "y")))[0]
            .contains("two programs")
    );
    let two = with("").replace("effects =", "not_understood = \"a\"\neffects =");
    assert!(faults(&two)[0].contains("one of `effects`"));
}

#[test]
fn an_entry_is_shown() {
    let table = table();
    let text = table.get("cloud").unwrap().describe();
    for part in [
        "cloud operates a cloud\n",
        "described in samples.toml after cloud help",
        "--profile -p: takes text; known as $profile",
        "--force: sets force=true",
        "sub-command delete (rm)",
        "effect: operate provider=cloud verb=delete resource=${each} environment=cloud:aws:${profile}",
        "not understood: runs plugins",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let json = serde_json::to_value(&*table.get("cloud").unwrap()).unwrap();
    assert_eq!(json["spec"]["sub"]["delete"]["operands"][0]["role"], "text");
}

#[test]
fn an_entry_is_found_soon() {
    // The hook looks up each program once, cold. The bound is for an unoptimised build on a busy machine; what counts
    // is that nothing but the one entry is decoded.
    let mut slowest = (std::time::Duration::ZERO, String::new());
    for name in Table::builtin().names() {
        let best = (0..5)
            .map(|_| {
                let table = Table::builtin();
                let start = std::time::Instant::now();
                assert!(table.get(&name).is_some());
                start.elapsed()
            })
            .min()
            .unwrap();
        if best > slowest.0 {
            slowest = (best, name);
        }
    }
    println!("slowest: {} in {:?}", slowest.1, slowest.0);
    assert!(slowest.0 < std::time::Duration::from_millis(2), "{slowest:?}");
}
