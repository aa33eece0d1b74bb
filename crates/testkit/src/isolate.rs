//! Namespaces around an agent: no network but loopback, no process left behind, and an `/etc` of its own.
//!
//! Uses `unshare` and `mount` of util-linux and `ip` of iproute2. Needs root, or user namespaces.

use crate::KitError;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// How a command will be enclosed.
#[derive(Debug)]
pub(crate) struct Enclosed {
    /// The whole command line.
    pub(crate) argv: Vec<OsString>,
    /// Whether it can reach nothing but its own loopback.
    pub(crate) offline: bool,
}

/// Runs inside the namespaces, as their first process. `$1`: yes if there is a network to bring up; `$2`: the folder
/// of files for /etc, or nothing; `$3`: an empty folder to mount on; the rest is the command.
/// The upper layer of the overlay lies on a tmpfs of its own, since an overlay takes no other overlay as its upper layer.
/// The real /etc is not written: both mounts are private to these namespaces.
const INSIDE: &str = r#"
net=$1 etc=$2 mnt=$3; shift 3
if [ "$net" = yes ]; then
    command -v ip >/dev/null || { echo "the program ip (iproute2) is missing" >&2; exit 97; }
    ip link set lo up || exit 97
fi
if [ -n "$etc" ]; then
    mount -t tmpfs tmpfs "$mnt" && mkdir "$mnt/upper" "$mnt/work" && chmod 755 "$mnt" "$mnt/upper" &&
    cp -R "$etc/." "$mnt/upper/" &&
    mount -t overlay overlay -o "lowerdir=/etc,upperdir=$mnt/upper,workdir=$mnt/work" /etc || exit 97
fi
"$@"
exit $?
"#;

/// Encloses `argv` as tightly as this machine allows. `etc` is a folder of files to show below `/etc` to this
/// command only; `mount_point` an empty folder.
///
/// Without `etc`, a machine without namespaces runs the command openly, after saying so aloud.
///
/// # Errors
/// [`KitError::Unavailable`] when `etc` is asked for and cannot be shown.
pub(crate) fn enclose(
    argv: &[OsString],
    etc: Option<&Path>,
    mount_point: &Path,
) -> Result<Enclosed, KitError> {
    let mut why = String::new();
    for (net, pid) in [(true, true), (true, false), (false, true), (false, false)] {
        if etc.is_none() && !net && !pid {
            break;
        }
        let prefix = prefix(net, pid, etc, mount_point);
        match Command::new(&prefix[0]).args(&prefix[1..]).arg("true").output() {
            Ok(run) if run.status.success() => {
                let full = prefix.into_iter().chain(argv.iter().cloned()).collect();
                if !net {
                    warn(&why);
                }
                return Ok(Enclosed { argv: full, offline: net });
            }
            Ok(run) => why = String::from_utf8_lossy(&run.stderr).trim().to_owned(),
            Err(e) => why = format!("`unshare`: {e}"),
        }
    }
    if etc.is_some() {
        let text = format!("no private /etc for managed settings (needs root or user namespaces): {why}");
        return Err(KitError::Unavailable(text));
    }
    warn(&why);
    Ok(Enclosed { argv: argv.to_vec(), offline: false })
}

fn warn(why: &str) {
    eprintln!(
        "\nNOTE: no network namespace here, so this run does not prove that it needs no network: {why}\n"
    );
}

fn prefix(net: bool, pid: bool, etc: Option<&Path>, mount_point: &Path) -> Vec<OsString> {
    let mut argv: Vec<OsString> =
        ["unshare", "--mount", "--propagation", "private"].map(OsString::from).to_vec();
    if !rustix::process::geteuid().is_root() {
        argv.push("--map-root-user".into());
    }
    if net {
        argv.push("--net".into());
    }
    if pid {
        // The first process of a process namespace takes all others with it: nothing that an agent starts outlives its run.
        argv.extend(["--pid", "--fork", "--kill-child", "--mount-proc"].map(OsString::from));
    }
    argv.extend(["sh", "-c", INSIDE, "sh", if net { "yes" } else { "no" }].map(OsString::from));
    argv.push(etc.map_or_else(OsString::new, OsString::from));
    argv.push(mount_point.into());
    argv
}
