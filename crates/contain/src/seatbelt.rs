//! macOS: the text of a Seatbelt profile for the same bounds, as `sandbox_init` takes it.
//!
//! Written from Apple's own profiles and the public description of the language; it has not been run by this project's
//! tests, which have no macOS. There is no launcher for it yet: [`crate::run`] says that this system has no sandbox, so
//! that policy asks. The text is kept here, compiled and tested as text, so that the bounds of both systems stay alike.

use crate::places;
use crate::profile::Profile;
use model::AbsPath;
use std::fmt::Write as _;

/// Services of the system that programs need to start at all; none that hands out secrets or acts for the person.
const SERVICES: &[&str] = &[
    "com.apple.bsd.dirhelper",
    "com.apple.cfprefsd.agent",
    "com.apple.cfprefsd.daemon",
    "com.apple.diagnosticd",
    "com.apple.logd",
    "com.apple.system.logger",
    "com.apple.system.notification_center",
    "com.apple.system.opendirectoryd.libinfo",
    "com.apple.system.opendirectoryd.membership",
];

/// Directories of the system, read-only.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/System",
    "/Library/Apple",
    "/Library/Developer",
    "/Applications/Xcode.app",
    "/opt",
    "/private/etc/ssl",
    "/private/etc/hosts",
    "/private/etc/resolv.conf",
    "/private/var/db/timezone",
    "/private/var/db/dyld",
    "/private/var/select",
];

/// Names in the project that stay as they are, with all beneath; see [`crate::protect`] for why.
const PROTECTED: &[&str] = &[
    ".git/config",
    ".git/config.worktree",
    ".git/hooks",
    ".gitmodules",
    ".gitattributes",
    ".envrc",
    ".vscode",
    ".idea",
    ".claude",
    ".mcp.json",
    ".codex",
    ".gemini",
    ".qwen",
    ".cursor",
    ".copilot",
    ".opencode",
    "opencode.json",
    "AGENTS.md",
    "CLAUDE.md",
    "CLAUDE.local.md",
    "GEMINI.md",
    ".github/workflows",
    ".gitlab-ci.yml",
    ".ambit",
];

/// The profile's text. `temporary` is a directory made for this run, `http` and `socks` are the ports of its proxy on the
/// loopback, `tag` marks the run in the system's log of denials.
#[must_use]
pub fn seatbelt(profile: &Profile, temporary: &AbsPath, http: u16, socks: u16, tag: &str) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let mut line = |words: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{words}");
    };
    line(format_args!("(version 1)"));
    line(format_args!("(deny default (with message {}))", quoted(tag)));
    line(format_args!("(allow process-fork)"));
    line(format_args!("(allow process-exec)"));
    line(format_args!("(allow process-info* (target same-sandbox))"));
    line(format_args!("(allow signal (target same-sandbox))"));
    line(format_args!("(allow sysctl-read)"));
    line(format_args!("(allow pseudo-tty)"));
    line(format_args!("(allow file-read-metadata)"));
    for service in SERVICES {
        line(format_args!("(allow mach-lookup (global-name {}))", quoted(service)));
    }
    line(format_args!("(allow file-read* (literal \"/\"))"));
    for path in SYSTEM {
        line(format_args!("(allow file-read* (subpath {}))", quoted(path)));
    }
    for name in places::TOOLCHAINS.iter().chain(places::CACHES) {
        line(format_args!("(allow file-read* (subpath {}))", quoted(profile.home.join(name).as_str())));
    }
    for path in &profile.read {
        line(format_args!("(allow file-read* (subpath {}))", quoted(path.as_str())));
    }
    let writable: Vec<&AbsPath> = [&profile.project, temporary].into_iter().chain(&profile.write).collect();
    for path in &writable {
        line(format_args!("(allow file-read* file-write* (subpath {}))", quoted(path.as_str())));
    }
    for device in ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/dtracehelper"] {
        line(format_args!("(allow file-read* file-write-data file-ioctl (literal {}))", quoted(device)));
    }
    for port in [http, socks] {
        line(format_args!("(allow network-outbound (remote ip \"localhost:{port}\"))"));
    }
    line(format_args!("(allow network-bind network-inbound (local ip \"localhost:*\"))"));
    for path in &writable {
        line(format_args!("(allow network* (remote unix-socket (subpath {})))", quoted(path.as_str())));
    }
    // The last rule that matches counts, so what is withheld comes last.
    for name in places::CREDENTIALS {
        let path = profile.home.join(name.trim_end_matches('/'));
        if !profile.credentials.iter().any(|c| path.is_under(c)) {
            line(format_args!("(deny file-read* file-write* (subpath {}))", quoted(path.as_str())));
        }
    }
    line(format_args!(
        "(deny file-read* file-write* (regex {}))",
        quoted(&format!("^{}/\\.env(\\.|$)", escaped(profile.project.as_str())))
    ));
    for name in PROTECTED.iter().filter(|n| !profile.unprotected.iter().any(|f| f == *n)) {
        let path = profile.project.join(name);
        line(format_args!("(deny file-write* (subpath {}))", quoted(path.as_str())));
        // Who renames or removes what holds it renames or removes it.
        if let Some(parent) = path.parent().filter(|p| *p != profile.project) {
            line(format_args!("(deny file-write-unlink (literal {}))", quoted(parent.as_str())));
        }
    }
    line(format_args!("(deny file-read* file-write* (subpath {}))", quoted(profile.state.as_str())));
    text
}

/// A text of the profile's language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text in a regular expression.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let p = |s: &str| AbsPath::parse(s).unwrap();
        Profile::command(
            p("/Users/ann/w"),
            p("/Users/ann/w"),
            p("/Users/ann"),
            p("/Users/ann/.local/state/ambit"),
        )
        .unwrap()
    }

    #[test]
    fn the_text_is_as_reviewed() {
        let text =
            seatbelt(&profile(), &AbsPath::parse("/private/tmp/ambit-1").unwrap(), 3128, 1080, "ambit 1");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn names_cannot_break_out_of_their_quotes() {
        let mut profile = profile();
        profile.project = AbsPath::parse("/w/a\")(allow default)(\"b").unwrap();
        let text = seatbelt(&profile, &AbsPath::parse("/t").unwrap(), 1, 2, "t");
        assert!(!text.replace("\\\"", "").contains("\")(allow default)"), "{text}");
        assert!(text.contains(r#"/w/a\")(allow default)(\"b"#));
    }

    #[test]
    fn what_is_withheld_comes_after_what_is_allowed() {
        let text = seatbelt(&profile(), &AbsPath::parse("/t").unwrap(), 1, 2, "t");
        let last_allow = text.rfind("(allow ").unwrap();
        assert!(text.find("/Users/ann/w/.git/config").unwrap() > last_allow);
        assert!(text.find("/Users/ann/.ssh").unwrap() > last_allow);
        assert!(!text.contains("(allow default)") && !text.contains("SecurityServer"));
    }
}
