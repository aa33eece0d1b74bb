//! What one simple command means: its words, by the table of programs, as effects.

use crate::context::{Context, Invocation, Output};
use model::Origin;

/// The meaning of one simple command that is neither a function nor one of the shell's own.
pub(crate) fn invoke(cx: &mut Context<'_>, inv: Invocation) -> Output {
    let name = inv.words.first().map(|w| w.shown()).unwrap_or_default();
    cx.not_understood(&name, format!("`{name}` is not in the table of programs"), Origin::Unknown, inv.span);
    Output::default()
}
