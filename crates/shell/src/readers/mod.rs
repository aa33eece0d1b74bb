//! Readers of what the table of programs cannot say: small languages and programs with a grammar of their own.

mod awk;
mod bash;
mod containers;
mod cursor;
mod data;
mod files;
mod find;
mod finding;
mod git;
mod git_config;
mod git_losses;
mod git_remotes;
mod net;
mod packages;
mod python;
mod recipes;
mod sed;
mod sql;
mod users;
mod wrappers;

pub(crate) use awk::read as awk_program;
pub(crate) use files::tar_words;
pub(crate) use packages::hints;
pub(crate) use sed::read as sed_script;
pub(crate) use sql::read as sql_text;

use crate::context::Context;
use crate::meaning::{Call, opaque};
use model::Origin;

/// What a script in a small language does besides printing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Reads a file; `None` when its name is computed.
    Read(Option<String>),
    /// Writes a file; `None` when its name is computed.
    Write(Option<String>),
    /// Runs a command line; `None` when it is computed.
    Run(Option<String>),
    /// Shows a variable of the environment; `None` for any or all.
    Environment(Option<String>),
}

/// Whether the reader understands the words by itself, without the table's options and operands.
pub(crate) fn owns_words(reader: &str) -> bool {
    matches!(reader, "find" | "test" | "echo" | "printf")
}

/// The reader of a program whose entry names none but needs one.
pub(crate) fn by_name(program: &str) -> Option<&'static str> {
    Some(match program {
        "chmod" => "chmod",
        "ln" => "ln",
        "tar" | "bsdtar" | "gtar" => "tar",
        "sed" => "sed",
        "git" => "git",
        "kill" | "pkill" | "killall" | "skill" => "kill",
        "crontab" => "crontab",
        "make" => "make",
        "just" => "just",
        "ps" => "ps",
        "watch" => "watch",
        "less" | "more" | "most" => "pager",
        "task" | "rake" | "invoke" | "fab" | "cap" | "nox" | "tox" | "composer" => "task",
        "npm" | "pnpm" | "yarn" | "bun" => "npm",
        _ => return None,
    })
}

/// Whether the reader runs the words of the role `argv`.
pub(crate) fn runs_argv(reader: &str) -> bool {
    matches!(
        reader,
        "env"
            | "xargs"
            | "watch"
            | "parallel"
            | "sudo"
            | "su"
            | "ssh"
            | "docker"
            | "kubectl"
            | "bash"
            | "python"
    )
}

/// Lets a reader say what the table cannot.
pub(crate) fn read(cx: &mut Context<'_>, call: &mut Call, reader: &str) {
    match reader {
        "find" => finding::find(cx, call),
        "xargs" => wrappers::xargs(cx, call),
        "env" => wrappers::env(cx, call),
        "parallel" => wrappers::parallel(cx, call),
        "sudo" | "su" => users::sudo(cx, call),
        "bash" => bash::bash(cx, call),
        "ssh" => net::ssh(cx, call),
        "curl" => net::curl(cx, call),
        "wget" => net::wget(cx, call),
        "rsync" => net::rsync(cx, call),
        "docker" => containers::docker(cx, call),
        "kubectl" => containers::kubectl(cx, call),
        "git" => git::git(cx, call),
        "sed" => files::sed(cx, call),
        "awk" => files::awk(cx, call),
        "dd" => files::dd(cx, call),
        "tar" => files::tar(cx, call),
        "chmod" => files::chmod(cx, call),
        "ln" => files::ln(cx, call),
        "kill" => users::kill(cx, call),
        "psql" | "mysql" | "sqlite" => data::sql_client(cx, call, reader),
        "redis" => data::redis(cx, call),
        "ps" => wrappers::ps(cx, call),
        "watch" => wrappers::watch(cx, call),
        "pager" => wrappers::pager(cx, call),
        "responses" => wrappers::responses(cx, call),
        "make" => packages::make(cx, call),
        "just" => packages::just(cx, call),
        "task" | "cargo" => packages::task(cx, call),
        "python" => python::python(cx, call),
        "npm" | "yarn" => packages::npm(cx, call),
        "crontab" => users::crontab(cx, call),
        "aws" => net::aws(cx, call),
        // Nothing that the roles and effects of the table do not say already.
        "echo" | "gh" | "jq" | "node" | "none" | "perl" | "pip" | "printf" | "ruby" | "scp" | "tee"
        | "terraform" | "test" | "uv" => {}
        other => {
            let span = call.span();
            opaque(cx, call, format!("nothing here reads `{other}`"), Origin::Unknown, span);
        }
    }
}
