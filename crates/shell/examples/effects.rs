//! Prints what a command given on the command line would do: `cargo run -p shell --example effects -- 'ls | wc'`.
#![expect(clippy::print_stdout, reason = "an example prints")]

use model::{AbsPath, Action, AsWritten};
use programs::Table;
use shell::analyse;

fn main() {
    let (Ok(workspace), Ok(home)) = (AbsPath::parse("/home/ann/app"), AbsPath::parse("/home/ann")) else {
        return;
    };
    let facts = AsWritten::new(workspace, home);
    for command in std::env::args().skip(1) {
        println!("$ {command}");
        let analysis = analyse(&command, &facts.workspace, &facts, &Table::builtin());
        for effect in analysis.effects {
            let why = match &effect.action {
                Action::Run(run) => run.why.clone().map(|w| format!("   ({w})")).unwrap_or_default(),
                _ => String::new(),
            };
            println!("    {} {}{why}", effect.kind().word(), effect.action.target());
        }
    }
}
