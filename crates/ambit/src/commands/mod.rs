//! One file a command.

pub(crate) mod approvals;
pub(crate) mod cat;
pub(crate) mod check;
pub(crate) mod console;
pub(crate) mod doctor;
pub(crate) mod erase;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod init;
pub(crate) mod log;
pub(crate) mod policy;
pub(crate) mod programs;
pub(crate) mod run;
pub(crate) mod secrets;
pub(crate) mod session;
pub(crate) mod story;
pub(crate) mod trust;
pub(crate) mod undo;
pub(crate) mod uninstall;
pub(crate) mod verify;
