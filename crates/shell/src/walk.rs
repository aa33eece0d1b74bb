//! The walk of a parsed command: lists, pipes, branches, loops, functions.

use crate::context::{Context, Input, Output};
use model::{Origin, Span};
use programs::Field;

impl Context<'_> {
    /// Walks a text as a new shell (`bash -c TEXT`): variables that are not exported and functions are not seen there.
    /// Effects found in it stand at `span`.
    pub(crate) fn run_text(&mut self, text: &str, span: Span) -> Output {
        self.run_script(text, &[], Input::Inherit, span)
    }

    /// Walks a script's text as a new shell; `words` are its name and arguments (`$0 $1 …`), `stdin` what it reads.
    pub(crate) fn run_script(&mut self, text: &str, words: &[Field], stdin: Input, span: Span) -> Output {
        let _ = (words, stdin);
        self.not_understood("sh", format!("`{text}` is not read yet"), Origin::Inline, span);
        Output::default()
    }

    /// Walks the words of a command that another program runs (`sudo`, `env`, `xargs`): functions, aliases and the
    /// shell's own commands are not seen there.
    pub(crate) fn run_words(&mut self, words: &[Field], stdin: Input, span: Span) -> Output {
        let assignments = Vec::new();
        crate::meaning::invoke(
            self,
            crate::context::Invocation { words: words.to_vec(), assignments, stdin, span },
        )
    }

    /// The same with variables set for it (`env NAME=VALUE COMMAND`).
    pub(crate) fn run_words_with(
        &mut self,
        assignments: Vec<(String, Field)>,
        words: &[Field],
        stdin: Input,
        span: Span,
    ) -> Output {
        crate::meaning::invoke(
            self,
            crate::context::Invocation { words: words.to_vec(), assignments, stdin, span },
        )
    }
}
