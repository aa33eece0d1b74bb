//! What launcher and supervisor say to each other, over a pair of sockets that keep messages whole.

use crate::error::{ContainError, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;

/// Longest message, in bytes. Watches are the longest part: eight bytes each, a few hundred at most.
const LONGEST: usize = 64 << 10;
/// Descriptors that travel in one message.
pub(super) const DESCRIPTORS: usize = 16;

/// One message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// The root stands. With it travel the sockets, then the mount namespace.
    Ready {
        /// What could not be had.
        without: Vec<String>,
    },
    /// From the supervisor: watch the decoys.
    Watch,
    /// The decoys are watched. With it travels the watcher.
    Watching {
        /// Numbers of watches and which decoys they stand for.
        watches: Vec<(i32, u32)>,
        /// Decoys that were opened before.
        opened: Vec<u32>,
    },
    /// The filter stands; the command begins when the supervisor answers its first question. With it travels the
    /// descriptor of the questions; in tier B its number, because the sender cannot send it.
    Asking {
        /// The number in the sender.
        number: i32,
    },
    /// The launcher failed.
    Failed(Failure),
    /// The command has ended: its exit status, or the signal that ended it.
    Ended {
        /// The exit status.
        status: Option<i32>,
        /// The signal.
        signal: Option<i32>,
        /// Decoys that were opened.
        opened: Vec<u32>,
    },
    /// From the supervisor: a signal for the command.
    Signal(i32),
}

/// A [`ContainError`] on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Failure {
    /// [`ContainError::Setup`].
    Setup(String, Option<i32>, String),
    /// [`ContainError::Outside`].
    Outside(String, String),
    /// [`ContainError::Program`].
    Program(String, Option<i32>),
}

impl From<ContainError> for Failure {
    fn from(error: ContainError) -> Self {
        match error {
            ContainError::Setup { what, source } => {
                Self::Setup(what, source.raw_os_error(), source.to_string())
            }
            ContainError::Outside { cwd, project } => Self::Outside(cwd, project),
            ContainError::Program { program, source } => Self::Program(program, source.raw_os_error()),
            other => Self::Setup("starting".to_owned(), None, other.to_string()),
        }
    }
}

impl From<Failure> for ContainError {
    fn from(failure: Failure) -> Self {
        let known = |number: Option<i32>, text: String| {
            number.map_or_else(|| std::io::Error::other(text), std::io::Error::from_raw_os_error)
        };
        match failure {
            Failure::Setup(what, number, text) => Self::Setup { what, source: known(number, text) },
            Failure::Outside(cwd, project) => Self::Outside { cwd, project },
            Failure::Program(program, number) => {
                Self::Program { program, source: known(number, "it cannot be run".to_owned()) }
            }
        }
    }
}

/// A pair of connected sockets.
pub(super) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|e| ContainError::setup("making a pair of sockets", e))
}

/// Sends a message with descriptors.
pub(super) fn send(to: BorrowedFd<'_>, word: &Word, descriptors: &[BorrowedFd<'_>]) -> Result<()> {
    let fail = |e: std::io::Error| ContainError::setup("telling the supervisor", e);
    let text = postcard::to_stdvec(word).map_err(|e| fail(std::io::Error::other(e)))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(fail(std::io::Error::other("too many descriptors")));
    }
    // A reader that has gone is an error here, not a signal.
    sendmsg(to, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL).map_err(|e| fail(e.into()))?;
    Ok(())
}

/// The next message; `None` when the other side has gone.
pub(super) fn receive(from: impl AsFd) -> Result<Option<(Word, Vec<OwnedFd>)>> {
    let fail = |e: std::io::Error| ContainError::setup("hearing the launcher", e);
    let mut text = vec![0_u8; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let read = loop {
        match recvmsg(&from, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            other => break other.map_err(|e| fail(e.into()))?,
        }
    };
    if read.bytes == 0 {
        return Ok(None);
    }
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(all) = message {
            descriptors.extend(all);
        }
    }
    let word = postcard::from_bytes(text.get(..read.bytes).unwrap_or_default())
        .map_err(|e| fail(std::io::Error::other(e)))?;
    Ok(Some((word, descriptors)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_descriptors_travel() {
        let (here, there) = pair().unwrap();
        let word = Word::Watching { watches: vec![(1, 2)], opened: vec![3] };
        send(here.as_fd(), &word, &[there.as_fd()]).unwrap();
        let (got, descriptors) = receive(&there).unwrap().unwrap();
        assert!(matches!(got, Word::Watching { watches, .. } if watches == [(1, 2)]));
        assert_eq!(descriptors.len(), 1);
        drop((here, descriptors));
        assert!(receive(&there).unwrap().is_none());
    }
}
