//! Bytes both ways between two connections, by one thread.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Bytes held for each direction.
const ROOM: usize = 256 << 10;

/// One direction.
struct Pipe {
    room: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    closed: bool,
    moved: u64,
}

impl Pipe {
    fn new(first: Vec<u8>) -> Self {
        let mut room = first;
        let end = room.len();
        room.resize(ROOM.max(end), 0);
        Self { room, start: 0, end, ended: false, closed: false, moved: 0 }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Moves what can be moved without waiting. Whether anything was.
    fn step(&mut self, mut from: &TcpStream, mut to: &TcpStream) -> io::Result<bool> {
        let mut progress = false;
        if self.is_empty() && !self.ended {
            self.start = 0;
            self.end = 0;
            match without_waiting(|| from.read(&mut self.room))? {
                Some(0) => (self.ended, progress) = (true, true),
                Some(n) => (self.end, progress) = (n, true),
                None => {}
            }
        }
        while !self.is_empty() {
            let waiting = self.room.get(self.start..self.end).unwrap_or_default();
            match without_waiting(|| to.write(waiting))? {
                Some(0) => return Err(io::ErrorKind::WriteZero.into()),
                Some(n) => {
                    self.start += n;
                    self.moved += n as u64;
                    progress = true;
                }
                None => return Ok(progress),
            }
        }
        if self.ended && !self.closed {
            self.closed = true;
            progress = true;
            // The other side may be gone already.
            let _ = to.shutdown(Shutdown::Write);
        }
        Ok(progress)
    }
}

fn without_waiting(mut act: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match act() {
            Ok(n) => return Ok(Some(n)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Carries bytes until both sides have ended, one fails, or neither moves for `idle`. `first` are bytes of the client that
/// were read ahead. Gives the bytes moved to the host and from it.
pub(crate) fn pump(client: &TcpStream, first: Vec<u8>, host: &TcpStream, idle: Duration) -> (u64, u64) {
    let (mut up, mut down) = (Pipe::new(first), Pipe::new(Vec::new()));
    // An error ends the connection; how many bytes went is what remains to tell.
    let _ = run(client, host, &mut up, &mut down, idle);
    let _ = client.shutdown(Shutdown::Both);
    let _ = host.shutdown(Shutdown::Both);
    (up.moved, down.moved)
}

fn run(
    client: &TcpStream,
    host: &TcpStream,
    up: &mut Pipe,
    down: &mut Pipe,
    idle: Duration,
) -> io::Result<()> {
    client.set_nonblocking(true)?;
    host.set_nonblocking(true)?;
    let wait = Timespec::try_from(idle).map_err(|_| io::ErrorKind::InvalidInput)?;
    loop {
        // Both have their turn, so that neither direction starves the other.
        let progress = up.step(client, host)? | down.step(host, client)?;
        if up.closed && down.closed {
            return Ok(());
        }
        if progress {
            continue;
        }
        let wants = |reads: &Pipe, writes: &Pipe| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, reads.is_empty() && !reads.ended);
            flags.set(PollFlags::OUT, !writes.is_empty());
            flags
        };
        let (of_client, of_host) = (wants(up, down), wants(down, up));
        let mut fds = [PollFd::new(client, of_client), PollFd::new(host, of_host)];
        match poll(&mut fds, Some(&wait)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => {
                // A side of which nothing is wanted any more, but which is gone altogether, would be reported for ever.
                let gone = fds.iter().zip([of_client, of_host]).any(|(fd, wanted)| {
                    wanted.is_empty() && fd.revents().intersects(PollFlags::HUP | PollFlags::ERR)
                });
                if gone {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}
