//! Variables that a command is given: which of them change what runs.

use crate::context::Context;
use model::{Origin, Span, Tri};
use programs::{Class, Field, variable, variable_set_to};

impl Context<'_> {
    /// Adds what setting these variables for `program` means. Gives whether none of them changes what it does.
    pub(crate) fn environment_of(
        &mut self,
        program: &str,
        assignments: &[(String, Field)],
        span: Span,
    ) -> bool {
        let mut harmless = true;
        for (name, value) in assignments {
            let known = value.known();
            let class = match &known {
                Some(value) => variable_set_to(name, value),
                None => variable(name),
            };
            let why = match class {
                Some(Class::Harmless | Class::Secret) => continue,
                _ if harmless_value(self, name, known.as_deref()) == Tri::Yes => continue,
                Some(Class::Code) => format!("`{name}` changes which code runs"),
                Some(Class::Route) => format!("`{name}` changes where data goes"),
                None => format!("the variable `{name}` is not in the list of variables"),
            };
            harmless = false;
            self.not_understood(program, why, Origin::Unknown, span);
        }
        harmless
    }
}

/// Values that are harmless by what they name: filters as pagers, the system's own directories as `PATH`.
fn harmless_value(cx: &Context<'_>, name: &str, value: Option<&str>) -> Tri {
    let Some(value) = value else { return Tri::Unknown };
    match name {
        "PATH" => value
            .split(':')
            .all(|d| {
                matches!(
                    d,
                    "/usr/local/sbin" | "/usr/local/bin" | "/usr/sbin" | "/usr/bin" | "/sbin" | "/bin"
                )
            })
            .into(),
        "PAGER" | "GIT_PAGER" | "MANPAGER" | "SYSTEMD_PAGER" | "AWS_PAGER" => cx.is_filter(value).into(),
        _ => Tri::Unknown,
    }
}
