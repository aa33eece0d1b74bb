//! Which tier this machine reaches, by trying, and what is in the way with the smallest mend.

use crate::profile::Tier;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is in the way of a tier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// User namespaces are restricted by AppArmor (`kernel.apparmor_restrict_unprivileged_userns`), as on Ubuntu from
    /// 23.10 on.
    AppArmor,
    /// User namespaces are switched off (`kernel.unprivileged_userns_clone` or `user.max_user_namespaces`); the text is
    /// the setting.
    Switched(String),
    /// A system-call filter or another rule from outside refuses namespaces, as in a container.
    Container,
    /// `/proc` of this container is masked, so that a namespace cannot have its own.
    MaskedProc,
    /// The kernel is too old; what it lacks.
    Kernel(String),
    /// Landlock is missing or not switched on.
    NoLandlock,
    /// System-call filters cannot tell a supervisor.
    NoSeccomp,
    /// Something that is not known by name; the step and the system's answer.
    Other(String),
    /// Not written for this system.
    System,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AppArmor => f.write_str(
                "AppArmor refuses user namespaces to programs without a profile \
                 (`kernel.apparmor_restrict_unprivileged_userns` is 1)",
            ),
            Self::Switched(setting) => write!(f, "user namespaces are switched off (`{setting}`)"),
            Self::Container => f.write_str("the container in which Ambit runs refuses namespaces"),
            Self::MaskedProc => f.write_str(
                "`/proc` of the container in which Ambit runs is masked, so a command cannot get its own",
            ),
            Self::Kernel(what) => write!(f, "the kernel has no {what}"),
            Self::NoLandlock => f.write_str("Landlock is not switched on in this kernel"),
            Self::NoSeccomp => f.write_str("this kernel's system-call filters cannot ask a supervisor"),
            Self::Other(what) => f.write_str(what),
            Self::System => f.write_str("Ambit has no sandbox for this system"),
        }
    }
}

impl Lack {
    /// The smallest change that would help, as words to a person.
    #[must_use]
    pub fn mend(&self) -> String {
        match self {
            Self::AppArmor => "give Ambit's program an AppArmor profile that permits `userns`, as \
                               docs/containment.md shows it; the sysctl can stay as it is"
                .to_owned(),
            Self::Switched(setting) => {
                let to = if setting.starts_with("user.") { "15000" } else { "1" };
                let name = setting.split('=').next().unwrap_or(setting).trim();
                format!("set `{name}={to}` in a file under `/etc/sysctl.d`")
            }
            Self::Container => {
                "start the container with `--security-opt seccomp=unconfined`, or better with a seccomp \
                                profile that permits `clone` and `unshare` with user namespaces"
                    .to_owned()
            }
            Self::MaskedProc => "start the container with `--security-opt systempaths=unconfined`".to_owned(),
            Self::Kernel(_) => {
                "use a kernel of version 5.13 or later for tier B, or 5.12 for tier A".to_owned()
            }
            Self::NoLandlock => {
                "add `landlock` to the kernel's `lsm=` parameter, or use a kernel with it".to_owned()
            }
            Self::NoSeccomp => "use a kernel of version 5.6 or later".to_owned(),
            Self::Other(_) => "run `ambit doctor` for what was tried".to_owned(),
            Self::System => "commands that need containment are asked about instead".to_owned(),
        }
    }
}

/// What this machine reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The strongest tier; `None` when none is reached.
    pub tier: Option<Tier>,
    /// What is in the way of tier A; `None` when it is reached.
    pub lacks_a: Option<Lack>,
    /// What is in the way of tier B; `None` when it is reached.
    pub lacks_b: Option<Lack>,
    /// Landlock's version; 0 when it is missing.
    pub landlock: u32,
}

impl Probe {
    /// What is in the way of this tier, if anything.
    #[must_use]
    pub fn lack(&self, tier: Tier) -> Option<&Lack> {
        match tier {
            Tier::A => self.lacks_a.as_ref(),
            Tier::B => self.lacks_b.as_ref(),
        }
    }

    /// Whether this tier is reached.
    #[must_use]
    pub fn reaches(&self, tier: Tier) -> bool {
        self.lack(tier).is_none()
    }
}

/// The AppArmor profile that lets Ambit's program at this path make user namespaces, and nothing else new. To be written
/// to a file in `/etc/apparmor.d` and loaded with `apparmor_parser -r`.
#[must_use]
pub fn apparmor_profile(program: &str) -> String {
    // The form that Ubuntu's own profiles of this kind have (`/etc/apparmor.d/bwrap-userns-restrict` and others).
    format!(
        "abi <abi/4.0>,\ninclude <tunables/global>\n\nprofile ambit \"{program}\" flags=(unconfined) {{\n  userns,\n\n  \
         include if exists <local/ambit>\n}}\n"
    )
}

/// Tries what this machine reaches: makes the namespaces in a child process and asks for Landlock and system-call
/// filters. Takes two to four milliseconds; [`signature`] tells when a kept answer is stale.
#[must_use]
pub fn probe() -> Probe {
    #[cfg(target_os = "linux")]
    return crate::linux::probe::probe();
    #[cfg(not(target_os = "linux"))]
    Probe { tier: None, lacks_a: Some(Lack::System), lacks_b: Some(Lack::System), landlock: 0 }
}

/// A text that changes when the answer of [`probe`] may change: the boot, the user, the settings that switch namespaces
/// off. A kept answer holds while it is the same. Costs a few small reads and no process.
#[must_use]
pub fn signature() -> String {
    #[cfg(target_os = "linux")]
    return crate::linux::probe::signature();
    #[cfg(not(target_os = "linux"))]
    String::from("none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lack_has_words_and_a_mend() {
        let lacks = [
            Lack::AppArmor,
            Lack::Switched("user.max_user_namespaces=0".into()),
            Lack::Container,
            Lack::MaskedProc,
            Lack::Kernel("mount_setattr".into()),
            Lack::NoLandlock,
            Lack::NoSeccomp,
            Lack::System,
        ];
        for lack in lacks {
            assert!(!lack.to_string().is_empty() && !lack.mend().is_empty(), "{lack:?}");
            assert!(
                !lack.mend().contains("apparmor_restrict_unprivileged_userns=0"),
                "never the global switch"
            );
        }
        assert!(
            Lack::Switched("user.max_user_namespaces=0".into()).mend().contains("max_user_namespaces=15000")
        );
    }

    #[test]
    fn the_apparmor_profile_names_the_program() {
        insta::assert_snapshot!(apparmor_profile("/usr/bin/ambit"), @r#"
        abi <abi/4.0>,
        include <tunables/global>

        profile ambit "/usr/bin/ambit" flags=(unconfined) {
          userns,

          include if exists <local/ambit>
        }
        "#);
    }
}
