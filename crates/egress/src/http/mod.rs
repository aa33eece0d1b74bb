//! HTTP/1.1, read strictly: what two readers could understand differently is refused, and every message is written anew.

mod body;
mod head;
mod wire;

pub(crate) use body::{Body, write_chunk, write_end};
pub(crate) use head::HeadError;
pub(crate) use head::{AnswerHead, Framing, RequestHead};
pub(crate) use wire::{Buffered, Wire};
