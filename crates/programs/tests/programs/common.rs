//! Sample entries and words for the tests.

use model::Span;
use programs::{Field, Match, Piece, Table, match_words};

/// Entries that use every part of the format.
pub(crate) const SAMPLES: &str = r##"
[sorter]
about = "sorts lines of text"
source = "sorter(1)"
aliases = ["sortest"]
flags = "-b -n -r --reverse -u --unique -NUM"
operands = "read*"
default = "."
[sorter.options]
"-k --key -t" = "text"
"-o --output" = "write"
"--compress-program" = "program"
"--color" = "text?"
"-j" = "text?"
"--debug" = { why = "prints how keys are found" }
"--pair" = "text read"
"--help" = { stop = true }
"--dry-run" = { value = "text?", dry = true }
[[sorter.cases]]
command = "sorter a"
effects = ["run sorter", "read a"]

[show]
about = "shows files"
source = "show(1)"
flags = "-n -v"
operands = "read*"
filter = true
[[show.cases]]
command = "show a"
effects = ["run show", "read a"]

[look]
about = "looks for a pattern"
source = "look(1)"
flags = "-i"
operands = "text read*"
[look.options]
"-e --regexp" = { value = "text", drop_operands = 1 }
"-f --file" = { value = "read", drop_operands = 1 }
"-r -R --recursive" = { recursive = true }
"--files" = { operands = "list*" }
[[look.cases]]
command = "look x a"
effects = ["run look", "read a"]

[wrap]
about = "runs a command with a limit"
source = "wrap(1)"
syntax = "posix"
operands = "text argv"
flags = "-v"
[wrap.options]
"-k" = "text"
"-x" = "argv"
[[wrap.cases]]
command = "wrap 5 ls"
includes = ["run wrap"]

[surround]
about = "runs a command with variables"
source = "surround(1)"
syntax = "posix"
operands = "assign* argv?"
[surround.options]
"-u" = "text"
[[surround.cases]]
command = "surround A=1 ls"
includes = ["run surround"]

[copy]
about = "copies"
source = "copy(1)"
operands = "read+ into"
[copy.options]
"-r" = { recursive = true }
[[copy.cases]]
command = "copy a b"
effects = ["run copy", "read a", "write b"]

[interp]
about = "runs scripts"
source = "interp(1)"
operands = "script text*"
harmless_stdin = false
flags = "-q"
[[interp.cases]]
command = "interp x"
includes = ["run interp"]

[goish]
about = "is written in Go"
source = "goish -help"
syntax = "dash"
flags = "-verbose"
[goish.options]
"-chdir" = { value = "chdir", name = "dir" }
"-X -Xmx" = "text?"
[goish.sub.plan]
effects = [{ kind = "operate", provider = "terraform", verb = "read", resource = "$*", environment = "dir:$dir" }]
operands = "text*"
[goish.sub.destroy]
inherit = false
effects = [{ kind = "operate", provider = "terraform", verb = "delete" }]
[goish.sub.destroy.options]
"-target" = { value = "text", name = "target", effects = [{ kind = "operate", provider = "terraform", verb = "delete", resource = "$target" }] }
[[goish.cases]]
command = "goish plan"
includes = ["run goish"]

[cloud]
about = "operates a cloud"
source = "cloud help"
syntax = "clap"
flags = "--json"
[cloud.options]
"--profile -p" = { value = "text", name = "profile" }
"--force" = { facts = { force = true } }
"--dry-run" = { value = "text?", dry = true }
[cloud.sub.delete]
aliases = ["rm"]
operands = "text+"
effects = [{ kind = "operate", provider = "cloud", verb = "delete", resource = "$each", environment = "cloud:aws:$profile" }]
[cloud.sub.push]
operands = "git-remote? refspec*"
effects = [
  { kind = "push", remote = "$1", when = "$1 != backup" },
  { kind = "discard", what = "stash", when = "no operands" },
]
[cloud.sub.box]
sub_default = "self"
operands = "text"
[cloud.sub.box.sub.list]
flags = "--all"
[cloud.sub.hidden]
why = "runs plugins"
operands = "text*"
[[cloud.cases]]
command = "cloud rm a"
includes = ["run cloud"]

[say]
about = "prints its words"
source = "say(1)"
syntax = "none"
operands = "text*"
[[say.cases]]
command = "say -n"
effects = ["run say"]
"##;

/// The table with the samples.
pub(crate) fn table() -> Table {
    Table::builtin()
        .with_extra(&[("samples.toml".to_owned(), SAMPLES.to_owned())])
        .expect("samples are sound")
}

/// Words of a command from a shorthand: `$x` is unknown and quoted, `@x` unknown and unquoted, a word with `*` a
/// pattern; parts are separated by `~`.
pub(crate) fn fields(command: &str) -> Vec<Field> {
    let mut at = 0;
    let mut all = Vec::new();
    for word in command.split_whitespace() {
        let span = Span { from: at, to: at + u32::try_from(word.len()).unwrap() };
        at = span.to + 1;
        let mut many = false;
        let pieces = word
            .split('~')
            .filter(|part| !part.is_empty())
            .map(|part| {
                many |= part.starts_with('@') || part.contains('*');
                match part.chars().next() {
                    Some('$' | '@') => Piece::Unknown(part.to_owned()),
                    _ if part.contains('*') => Piece::Glob(part.to_owned()),
                    _ => Piece::Text(part.to_owned()),
                }
            })
            .collect();
        all.push(Field { pieces, span, many });
    }
    all
}

/// What the command's words are, by the samples.
pub(crate) fn matched(command: &str) -> Match {
    let words = fields(command);
    let program = table().get(&words[0].shown()).expect("a sample");
    match_words(&program, &words)
}

/// The roles as `role:word`, joined by spaces.
pub(crate) fn roles(command: &str) -> String {
    let found = matched(command);
    assert_eq!(found.unknowns, [], "{command}");
    let all: Vec<String> =
        found.roles.iter().map(|(role, field)| format!("{}:{}", role.word(), field.shown())).collect();
    all.join(" ")
}

/// The explanations of what is not understood, joined by semicolons.
pub(crate) fn unknown(command: &str) -> String {
    matched(command).unknowns.iter().map(|u| u.why.clone()).collect::<Vec<_>>().join("; ")
}
