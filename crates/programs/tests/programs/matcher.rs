//! Words matched against entries.

use crate::common::{matched, roles, unknown};
use programs::Fact;

fn shown(words: &[programs::Field]) -> String {
    words.iter().map(programs::Field::shown).collect::<Vec<_>>().join(" ")
}

#[test]
fn gnu_options() {
    assert_eq!(roles("sorter -o out in"), "write:out read:in");
    assert_eq!(roles("sorter in -oout"), "read:in write:out");
    assert_eq!(roles("sorter --output=out in"), "write:out read:in");
    assert_eq!(roles("sorter --output out in"), "write:out read:in");
    assert_eq!(roles("sorter -nro out in"), "write:out read:in");
    assert_eq!(roles("sorter -nroout in"), "write:out read:in");
    assert_eq!(roles("sorter -o=x in"), "write:=x read:in");
    assert_eq!(roles("sorter -10 in"), "read:in");
    assert_eq!(roles("sorter -n5r in"), "read:in");
    assert_eq!(roles("sorter -"), "read:-");
    assert_eq!(roles("sorter -- -o"), "read:-o");
    assert_eq!(roles("sorter --pair a b c"), "text:a read:b read:c");
    assert_eq!(roles("sorter -j4 a"), "text:4 read:a");
    assert_eq!(roles("sorter -j a"), "read:a");
    assert_eq!(roles("sorter --color a"), "read:a");
    assert_eq!(roles("sorter --color=auto a"), "text:auto read:a");
}

#[test]
fn abbreviations() {
    assert_eq!(roles("sorter --outp=x in"), "write:x read:in");
    assert_eq!(roles("sorter --rev in"), "read:in");
    assert!(unknown("sorter --comp").contains("lacks its value"));
    assert!(unknown("sorter --de in").contains("prints how keys are found"));
    assert!(unknown("sorter --co=x in").contains("no option"));
    assert!(unknown("cloud --js rm x").contains("no option"));
}

#[test]
fn unknown_options() {
    assert!(unknown("sorter --frobnicate in").contains("`--frobnicate` is no option of `sorter`"));
    assert!(unknown("sorter -nz in").contains("`-nz`"));
    assert!(unknown("sorter --reverse=x in").contains("takes no value"));
    assert!(unknown("sorter --debug in").contains("prints how keys are found"));
    assert!(unknown("sorter -o").contains("lacks its value"));
    assert!(unknown("cloud push --frob").contains("`cloud push`"));
}

#[test]
fn words_that_are_not_known() {
    assert!(unknown("sorter $x").contains("may be an option"));
    assert!(unknown("sorter @x").contains("several words"));
    assert!(unknown("sorter -~$x").contains("more options"));
    assert!(unknown("sorter --~$x").contains("no option"));
    assert!(unknown("sorter -n~$x").contains("more options"));
    assert!(unknown("sorter ./~@x").contains("several words"));
    assert!(unknown("sorter -o @x in").contains("several words"));
    assert!(unknown("sorter -*").contains("may become an option"));
    assert_eq!(unknown("sorter --output=~$x in"), "");
    assert_eq!(unknown("sorter -o~$x in"), "");
    assert_eq!(unknown("sorter -o $x in"), "");
    assert_eq!(unknown("sorter ./~$x"), "");
    assert_eq!(unknown("sorter -- $x @y"), "");
    assert_eq!(unknown("sorter *.txt"), "");
    // A program that only shows may be given anything in quotes, but not several words.
    assert_eq!(unknown("show $x"), "");
    assert!(unknown("show @x").contains("several words"));
    assert_eq!(unknown("say $x @y"), "");
}

#[test]
fn words_that_shift_others() {
    assert_eq!(roles("copy *.txt dir"), "read:*.txt into:dir");
    assert!(unknown("copy *").contains("moves the others"));
    assert!(unknown("copy a b*").is_empty());
    assert!(unknown("look * a").contains("moves the others"));
    assert!(unknown("copy -- @x dir").is_empty());
    assert!(unknown("copy -- a @x").contains("moves the others"));
}

#[test]
fn operands() {
    assert_eq!(roles("copy a b c"), "read:a read:b into:c");
    assert_eq!(roles("copy -r a b"), "read-tree:a into:b");
    assert_eq!(roles("look x a b"), "text:x read:a read:b");
    assert_eq!(roles("look -e x a b"), "text:x read:a read:b");
    assert_eq!(roles("look a -ex b"), "read:a text:x read:b");
    assert_eq!(roles("look -e x -e y a"), "text:x text:y read:a");
    assert_eq!(roles("look -r x a"), "text:x read-tree:a");
    assert_eq!(roles("look --files a"), "list:a");
    assert_eq!(roles("sorter"), "read:.");
    assert_eq!(roles("interp x -q --anything"), "script:x text:-q text:--anything");
    assert_eq!(roles("say -n --x -- -"), "text:-n text:--x text:-- text:-");
    assert!(matched("interp").stdin_is_code);
    assert!(unknown("goish plan").is_empty());
    assert!(unknown("goish destroy x").contains("`x` is no operand of `goish destroy`"));
    assert!(unknown("cloud box a b").contains("one operand more"));
}

#[test]
fn wrappers() {
    let found = matched("wrap -v -k 3 5 ls -v --frob $x");
    assert_eq!(found.unknowns, []);
    assert_eq!(shown(&found.argv.unwrap()), "ls -v --frob $x");
    assert_eq!(shown(&found.operands), "5");
    assert_eq!(shown(&matched("wrap -x sh -c y").argv.unwrap()), "sh -c y");
    assert_eq!(matched("wrap 5").argv, None);
    let found = matched("surround -u X A=1 B=2 ls C=3");
    assert_eq!(shown(&found.argv.unwrap()), "ls C=3");
    assert_eq!(shown(&found.operands), "A=1 B=2");
    assert!(unknown("wrap 5 ls --frob").is_empty());
    assert!(unknown("wrap --frob 5 ls").contains("`--frob`"));
}

#[test]
fn one_dash() {
    let found = matched("goish -chdir=prod plan a b");
    assert_eq!(found.unknowns, []);
    assert_eq!(found.path, ["plan"]);
    let effect = &found.effects[0];
    assert_eq!(effect.facts["resource"], Fact::Text("a b".to_owned(), false));
    assert_eq!(effect.facts["environment"], Fact::Text("dir:prod".to_owned(), false));
    assert_eq!(unknown("goish --chdir prod plan"), "");
    assert_eq!(unknown("goish plan -verbose"), "");
    assert_eq!(unknown("goish -Xmx512m plan"), "");
    assert!(unknown("goish -v plan").contains("`-v`"));
    assert!(unknown("goish destroy -verbose").contains("`-verbose`"));
    assert_eq!(unknown("goish -verbose destroy"), "");
}

#[test]
fn sub_commands() {
    let found = matched("cloud -p live rm a b --force");
    assert_eq!(found.unknowns, []);
    assert_eq!(found.path, ["delete"]);
    assert_eq!(found.command(), "cloud delete");
    assert_eq!(found.effects.len(), 2);
    assert_eq!(found.effects[1].facts["resource"], Fact::Text("b".to_owned(), false));
    assert_eq!(found.effects[1].facts["environment"], Fact::Text("cloud:aws:live".to_owned(), false));
    assert_eq!(found.facts["force"], Fact::Bool(true));
    assert!(unknown("cloud frob x").contains("`frob` is no sub-command of `cloud`"));
    assert!(unknown("cloud $x").contains("no sub-command"));
    assert!(unknown("cloud hidden x").contains("runs plugins"));
    assert_eq!(unknown("cloud"), "");
    assert_eq!(matched("cloud box list --all").path, ["box", "list"]);
    assert_eq!(roles("cloud box other"), "text:other");
    assert!(unknown("cloud box --all other").contains("--all"));
}

#[test]
fn effects() {
    let kinds = |command: &str| -> Vec<&'static str> {
        matched(command).effects.iter().map(|e| e.kind.word()).collect()
    };
    assert_eq!(kinds("cloud push"), ["push", "discard"]);
    assert_eq!(kinds("cloud push origin"), ["push"]);
    assert_eq!(kinds("cloud push backup"), [""; 0]);
    let found = matched("cloud push $x");
    assert_eq!(found.effects[0].facts["remote"], Fact::Text("$x".to_owned(), true));
    assert!(found.unknowns.iter().any(|u| u.why.contains("decides what")));
    assert_eq!(matched("cloud push origin --force").effects[0].facts["force"], Fact::Bool(true));
    let found = matched("goish destroy -target x");
    assert_eq!(found.effects[1].facts["resource"], Fact::Text("x".to_owned(), false));
}

#[test]
fn dry_and_stop() {
    assert!(matched("cloud rm a --dry-run").dry);
    assert!(matched("cloud rm a --dry-run=client").dry);
    assert!(!matched("cloud rm a --dry-run=none").dry);
    assert!(!matched("cloud rm a --dry-run=~$x").dry);
    assert_eq!(matched("cloud rm a --dry-run").effects[0].facts["dry_run"], Fact::Bool(true));
    assert!(matched("sorter --help").stop);
    assert!(!matched("sorter -- --help").stop);
}

#[test]
fn spans() {
    let found = matched("sorter -o out in");
    let spans: Vec<(u32, u32)> = found.roles.iter().map(|(_, f)| (f.span.from, f.span.to)).collect();
    assert_eq!(spans, [(10, 13), (14, 16)]);
    assert_eq!(matched("sorter --frob in").unknowns[0].span.from, 7);
}
