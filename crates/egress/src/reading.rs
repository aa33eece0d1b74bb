//! The readers of strangers' bytes alone, without sockets, for fuzzing and property tests.

use crate::http::{AnswerHead, RequestHead};
use crate::name::Target;
use crate::socks::{Asked, read_request};

/// Reads a request's head and writes it anew for `authority`. What comes out reads as itself.
#[must_use]
pub fn request_head(bytes: &[u8], authority: &str) -> Option<Vec<u8>> {
    RequestHead::read(bytes).ok().map(|head| head.write(authority))
}

/// Reads the head of an answer to a request with this method and writes it anew.
#[must_use]
pub fn answer_head(bytes: &[u8], method: &str) -> Option<Vec<u8>> {
    AnswerHead::read(bytes, method).ok().map(|head| head.write(head.framing, method == "HEAD", head.keep))
}

/// Reads a request of SOCKS 5 after the choice of a method.
#[must_use]
pub fn socks_request(mut bytes: &[u8]) -> Option<Target> {
    match read_request(&mut bytes) {
        Ok(Asked::Connect(target)) => Some(target),
        _ => None,
    }
}

/// The names in a DNS message's questions, as they are judged.
#[must_use]
pub fn dns_names(bytes: &[u8]) -> Option<Vec<String>> {
    crate::dns::names_asked(bytes)
}
