//! The flow of a call, as a library: read, judged, recorded, answered; and what a session has done and seen.
//!
//! No daemon: one short process a call does all of this with files. Nothing here reads the environment, the clock or a
//! terminal; they come in by argument.

mod approve;
mod concede;
mod flow;
mod hide;
mod lend;
mod machine;
mod overlay;
mod pending;
mod question;
mod rails;
mod readers;
mod rebuild;
mod records;
mod roots;
mod session;
mod settings;
mod ticket;
mod withheld;
mod words;

pub use approve::Bell;
pub use concede::{git_program, snapshots};
pub use flow::{Guard, GuardError, Provenance, mode_word, provenance, workspace_of};
pub use hide::Filter;
pub use lend::{Loan, lending};
pub use machine::{BUDGET, Machine};
pub use overlay::{Done, Overlay};
pub use rails::Rails;
pub use readers::{Reading, read_call};
pub use records::Person;
pub use roots::Roots;
pub use session::{Marks, Session, SessionError};
pub use settings::{CONFIG_FILE, REPOSITORY_DIR, Settings, SettingsError, is_trusted, sources, trust};
pub use ticket::{Ticket, TicketError};
pub use words::{reason, shortened, verdict_text, visible};
