//! Shows an entry as Ambit reads it.

use crate::role::{Operand, Role};
use crate::spec::{OptionSpec, Program, Spec, Syntax};
use std::fmt::Write as _;

impl Program {
    /// The entry in words, for a person: what the program does, its options by meaning, operands, effects,
    /// sub-commands. Ends with a line break.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!("{} {}\n", self.name, self.spec.about);
        if !self.spec.aliases.is_empty() {
            line(&mut text, 1, &format!("also called {}", self.spec.aliases.join(", ")));
        }
        line(&mut text, 1, &format!("described in {} after {}", self.file, self.spec.source));
        body(&mut text, 1, &self.spec);
        text
    }
}

fn line(text: &mut String, depth: usize, words: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{}{words}", "  ".repeat(depth));
}

fn body(text: &mut String, depth: usize, spec: &Spec) {
    if let Some(why) = &spec.why {
        line(text, depth, &format!("not understood: {why}"));
    }
    let syntax = Syntax::WORDS.iter().find(|(_, s)| *s == spec.syntax).map_or("", |(word, _)| *word);
    let short = if spec.abbrev { ", long options may be shortened" } else { "" };
    line(text, depth, &format!("options in the {syntax} way{short}"));
    if !spec.flags.is_empty() {
        line(text, depth, &format!("changes only what is shown: {}", spec.flags.join(" ")));
    }
    for option in &spec.options {
        line(text, depth, &describe_option(option));
    }
    match &spec.operands {
        Some(list) if !list.is_empty() => {
            let default = match spec.default.as_slice() {
                [] => String::new(),
                words => format!(" (without any: {})", words.join(" ")),
            };
            line(text, depth, &format!("operands: {}{default}", Operand::show(list)));
        }
        _ if spec.sub.is_empty() || spec.itself => line(text, depth, "operands: none understood"),
        _ => {}
    }
    for effect in &spec.effects {
        line(text, depth, &format!("effect: {}", effect.show()));
    }
    if let Some(reader) = &spec.reader {
        line(text, depth, &format!("read further by Ambit's own reader `{reader}`"));
    }
    if !spec.harmless_stdin {
        line(text, depth, "runs what it reads from standard input");
    }
    if spec.filter {
        line(text, depth, "does nothing but read and print");
    }
    for (name, sub) in &spec.sub {
        let Some(sub) = sub.spec() else { continue };
        let about = if sub.about.is_empty() { String::new() } else { format!(": {}", sub.about) };
        let also =
            if sub.aliases.is_empty() { String::new() } else { format!(" ({})", sub.aliases.join(", ")) };
        line(text, depth, &format!("sub-command {name}{also}{about}"));
        if !sub.inherit {
            line(text, depth + 1, "takes none of the options above");
        }
        body(text, depth + 1, &sub);
    }
}

fn describe_option(option: &OptionSpec) -> String {
    let mut said = Vec::new();
    if let Some(why) = &option.why {
        said.push(format!("not understood: {why}"));
    }
    if !option.values.is_empty() {
        let roles: Vec<String> = option.values.iter().map(Role::word).collect();
        let sign = if option.attached { "?" } else { "" };
        said.push(format!("takes {}{sign}", roles.join(" ")));
    }
    if let Some(name) = &option.name {
        said.push(format!("known as ${name}"));
    }
    for (name, fact) in &option.facts {
        said.push(format!("sets {name}={}", fact.show()));
    }
    for effect in &option.effects {
        said.push(format!("effect: {}", effect.show()));
    }
    if let Some(list) = &option.operands {
        said.push(format!("operands become {}", Operand::show(list)));
    }
    if option.drop_operands > 0 {
        said.push(format!("takes the place of {} operand(s)", option.drop_operands));
    }
    for (set, word) in [
        (option.recursive, "operands with everything beneath them"),
        (option.dry, "changes nothing, prints what would be done"),
        (option.stop, "only prints"),
    ] {
        if set {
            said.push(word.to_owned());
        }
    }
    format!(
        "{}: {}",
        option.names.join(" "),
        if said.is_empty() { "flag".to_owned() } else { said.join("; ") }
    )
}
