//! The console and, later, the organisation: the ledger as pages, and its records in other systems' formats.

mod error;
pub mod export;
mod index;
mod opened;
mod story;
mod surroundings;
mod web;
mod words;

pub use error::{Result, ServerError};
pub use index::{Feeder, Filter, Friction, Index, Named, Page, Saved, SessionRow, Span};
pub use opened::{Body, EffectView, Opened};
pub use story::{Call, Moment, Subagent, gather};
pub use surroundings::{Examined, Finding, Level, PolicyInForce, Source, Surroundings, Tried, TriedEffect};
pub use web::{Console, Door, Person, Settings};
