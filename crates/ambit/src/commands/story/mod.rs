//! What the commands about the record share: records with their sealed values opened, times and texts for people.

mod gather;
mod opened;
mod tell;
mod text;
mod when;

pub(crate) use gather::{Totals, find_session, gather, needle, state};
pub(crate) use opened::{Opened, verdict_kind};
pub(crate) use tell::tell;
pub(crate) use text::{fit, fitted, one_line, short_id, width, wrap};
pub(crate) use when::{Clock, end_of, parse_when, span_words};
