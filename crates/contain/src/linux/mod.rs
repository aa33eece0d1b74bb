//! Linux: namespaces, Landlock, filters of system calls.

mod behalf;
mod caches;
mod filter;
mod guardian;
mod launch;
mod memory;
mod net;
mod notify;
mod private;
pub(crate) mod probe;
mod root;
mod supervise;
mod sys;
mod walls;
mod wire;

pub(crate) use supervise::run;

/// The namespaces of tier A.
const NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;
