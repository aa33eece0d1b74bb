//! The supervisor's answers to what the filter asks: which programs run, what is connected to.

use super::sys::{self, Answer, Question};
use crate::observer::{Denied, Event, Observer};
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest path that is read, as the kernel takes them.
const PATH: usize = 4096;
/// Arguments that are told, and bytes of each.
const ARGUMENTS: usize = 64;
const ARGUMENT_BYTES: usize = 1024;

/// Ports that are served in the command's network at every address.
const SERVED: [u16; 5] = [80, 443, 22, 9418, 53];

/// Answers one question in tier A: everything may go on, since the network is the command's own; it is only told.
pub(super) fn answer_and_tell(listener: BorrowedFd<'_>, question: &Question, observer: &dyn Observer) {
    let event = match question.call {
        libc::SYS_execve => exec(question, None, 0),
        libc::SYS_execveat => {
            exec(question, Some(question.arguments.first().copied().unwrap_or_default()), 1)
        }
        libc::SYS_connect => connection(question),
        _ => None,
    };
    // What was read is the waiting process's own only while it still waits.
    let waits = sys::still_waits(listener, question.id);
    let _ = sys::answer(listener, question.id, Answer::Continue);
    if let Some(event) = event.filter(|_| waits) {
        observer.observe(event);
    }
}

/// The command's own program: its process is still closed to everybody, but what it runs is known.
pub(super) fn first(question: &Question, command: &[OsString]) -> Event {
    let words: Vec<String> = command.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    Event::Exec {
        pid: question.thread,
        program: words.first().cloned().unwrap_or_default(),
        arguments: words.into_iter().take(ARGUMENTS).collect(),
    }
}

/// Lets a call go on.
pub(super) fn go_on(listener: BorrowedFd<'_>, question: &Question) {
    // One that has gone meanwhile needs no answer.
    let _ = sys::answer(listener, question.id, Answer::Continue);
}

fn argument(question: &Question, at: usize) -> u64 {
    question.arguments.get(at).copied().unwrap_or_default()
}

/// A program that is about to run; `None` when there is no such file, as when a shell tries one directory after another.
pub(super) fn exec(question: &Question, directory: Option<u64>, first: usize) -> Option<Event> {
    let program = text(question.thread, argument(question, first), PATH).unwrap_or_default();
    let relative_to_file = directory.is_some() && program.is_empty();
    if !program.is_empty() && !exists(question.thread, &program) {
        return None;
    }
    let arguments = arguments(question.thread, argument(question, first + 1));
    let program = if relative_to_file { "(an open file)".to_owned() } else { program };
    Some(Event::Exec { pid: question.thread, program, arguments })
}

/// Whether a process sees a file of this name. What cannot be asked counts as there.
fn exists(thread: u32, path: &str) -> bool {
    let root = format!("/proc/{thread}/root");
    let start = if path.starts_with('/') { root.clone() } else { format!("/proc/{thread}/cwd") };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let Ok(start) = openat(CWD, start, flags, Mode::empty()) else { return true };
    let how = if path.starts_with('/') { ResolveFlags::IN_ROOT } else { ResolveFlags::empty() };
    // A link to an absolute path from the working directory would be followed in this process's own root; it is only
    // asked whether it is there, and then told.
    !matches!(
        openat2(&start, path.trim_start_matches('/'), flags, Mode::empty(), how),
        Err(rustix::io::Errno::NOENT)
    )
}

fn arguments(thread: u32, mut address: u64) -> Vec<String> {
    let mut found = Vec::new();
    while found.len() < ARGUMENTS && address != 0 {
        let mut pointer = [0_u8; 8];
        if !matches!(sys::read_memory(thread, address, &mut pointer), Ok(8)) {
            break;
        }
        let pointer = u64::from_ne_bytes(pointer);
        if pointer == 0 {
            break;
        }
        let Some(text) = text(thread, pointer, ARGUMENT_BYTES) else { break };
        found.push(text);
        address = address.saturating_add(8);
    }
    found
}

/// A text that ends in NUL in another process, at most so many bytes of it.
fn text(thread: u32, address: u64, most: usize) -> Option<String> {
    let mut found: Vec<u8> = Vec::new();
    let mut at = address;
    while found.len() < most {
        // Up to the next page's edge: what lies beyond may not be there.
        let mut part = [0_u8; 256];
        let to_edge = usize::try_from(4096 - at % 4096).unwrap_or(1);
        let part = part.get_mut(..to_edge.min(256).min(most - found.len()))?;
        let read = sys::read_memory(thread, at, part).ok()?;
        let part = part.get(..read)?;
        if read == 0 {
            break;
        }
        if let Some(end) = part.iter().position(|b| *b == 0) {
            found.extend_from_slice(part.get(..end)?);
            break;
        }
        found.extend_from_slice(part);
        at = at.saturating_add(u64::try_from(read).ok()?);
    }
    Some(String::from_utf8_lossy(&found).into_owned())
}

/// An address as it lies in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// Of the internet's.
    Internet(SocketAddr),
    /// A local socket by path.
    Path(Vec<u8>),
    /// A local socket without a file.
    Abstract,
    /// None: an undone connection, or a family without addresses.
    Other,
}

/// Reads the address of `connect` or `bind`, once; nothing is read a second time.
pub(super) fn address(question: &Question) -> Option<Address> {
    let length = usize::try_from(argument(question, 2) & 0xffff_ffff).ok()?.min(128);
    let mut raw = [0_u8; 128];
    let raw = raw.get_mut(..length)?;
    let read = sys::read_memory(question.thread, argument(question, 1), raw).ok()?;
    parse_address(raw.get(..read)?)
}

/// A `sockaddr`, by `sys/socket.h`, `netinet/in.h` and `sys/un.h`.
fn parse_address(raw: &[u8]) -> Option<Address> {
    let family = raw.get(..2).and_then(|b| b.try_into().ok()).map(u16::from_ne_bytes)?;
    let port = || raw.get(2..4).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes);
    Some(match i32::from(family) {
        libc::AF_INET => {
            let ip: [u8; 4] = raw.get(4..8)?.try_into().ok()?;
            Address::Internet(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(ip)), port()?))
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = raw.get(8..24)?.try_into().ok()?;
            Address::Internet(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(ip)), port()?))
        }
        libc::AF_UNIX => match raw.get(2..) {
            Some([0, ..] | []) | None => Address::Abstract,
            Some(path) => Address::Path(path.iter().copied().take_while(|b| *b != 0).collect()),
        },
        _ => Address::Other,
    })
}

/// A connection that cannot be served: not to the command's own loopback and not to a port that the proxy serves.
fn connection(question: &Question) -> Option<Event> {
    let Some(Address::Internet(to)) = address(question) else { return None };
    let v4 = match to.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped(),
    };
    let served = v4.is_some() && SERVED.contains(&to.port());
    let own = v4.map_or(to.ip().is_loopback(), |ip| ip.is_loopback() || ip.is_unspecified());
    (!served && !own && to.port() != 0).then(|| Event::Denied {
        why: Denied::Connection,
        pid: Some(question.thread),
        target: to.to_string(),
    })
}

/// Takes every question that waits. `false` when nobody can ask any more.
pub(super) fn serve(listener: &rustix::fd::OwnedFd, mut each: impl FnMut(BorrowedFd<'_>, &Question)) -> bool {
    match sys::receive(listener.as_fd()) {
        Ok(Some(question)) => {
            each(listener.as_fd(), &question);
            true
        }
        Ok(None) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_lays_them() {
        let mut v4 = vec![2, 0];
        v4.extend([0x01, 0xbb, 127, 0, 0, 1]);
        assert_eq!(parse_address(&v4), Some(Address::Internet("127.0.0.1:443".parse().unwrap())));
        let mut v6 = vec![10, 0, 0, 80, 0, 0, 0, 0];
        v6.extend([0; 15]);
        v6.push(1);
        assert_eq!(parse_address(&v6), Some(Address::Internet("[::1]:80".parse().unwrap())));
        assert_eq!(parse_address(b"\x01\0/run/x\0y"), Some(Address::Path(b"/run/x".to_vec())));
        assert_eq!(parse_address(b"\x01\0\0x"), Some(Address::Abstract));
        assert_eq!(parse_address(b"\x02\0\x01"), None);
        assert_eq!(parse_address(b"\0\0"), Some(Address::Other));
    }

    #[test]
    fn memory_is_read_to_the_end_of_the_text() {
        let own = std::process::id();
        let text_here = "x".repeat(5000) + "\0rest";
        let address = text_here.as_ptr() as u64;
        assert_eq!(text(own, address, 10_000).unwrap().len(), 5000);
        assert_eq!(text(own, address, 100).unwrap().len(), 100);
        assert_eq!(text(own, 8, 100), None);
    }
}
