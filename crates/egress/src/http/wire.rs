//! Connections with a reading buffer.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// A byte stream over one TCP connection.
pub(crate) trait Wire: Read + Write {
    /// The connection beneath.
    fn tcp(&self) -> &TcpStream;

    /// Whether the other side has ended, or sent what nobody asked for; looked at without waiting.
    fn is_stale(&mut self) -> bool {
        let quiet = without_waiting(self.tcp(), |tcp| tcp.peek(&mut [0]));
        !quiet.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
    }
}

fn without_waiting<T>(tcp: &TcpStream, act: impl FnOnce(&TcpStream) -> io::Result<T>) -> io::Result<T> {
    tcp.set_nonblocking(true)?;
    let result = act(tcp);
    tcp.set_nonblocking(false)?;
    result
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl<W: Wire> Wire for Buffered<W> {
    fn tcp(&self) -> &TcpStream {
        self.inner.tcp()
    }

    fn is_stale(&mut self) -> bool {
        !self.ahead().is_empty() || self.inner.is_stale()
    }
}

impl<W: Wire> Wire for rustls::StreamOwned<rustls::ServerConnection, W> {
    fn tcp(&self) -> &TcpStream {
        self.sock.tcp()
    }
}

impl<W: Wire> Wire for rustls::StreamOwned<rustls::ClientConnection, W> {
    fn tcp(&self) -> &TcpStream {
        self.sock.tcp()
    }

    /// What waits may be TLS's own business, such as tickets for later sessions, which servers send unasked.
    fn is_stale(&mut self) -> bool {
        let connection = &mut self.conn;
        let quiet = without_waiting(self.sock.tcp(), |mut tcp| {
            loop {
                match connection.read_tls(&mut tcp) {
                    Ok(0) => return Ok(false),
                    Ok(_) => {
                        let state = connection.process_new_packets().map_err(io::Error::other)?;
                        if state.peer_has_closed() || state.plaintext_bytes_to_read() > 0 {
                            return Ok(false);
                        }
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                    Err(e) => return Err(e),
                }
            }
        });
        !matches!(quiet, Ok(true))
    }
}

impl<W: Wire + ?Sized> Wire for Box<W> {
    fn tcp(&self) -> &TcpStream {
        (**self).tcp()
    }

    fn is_stale(&mut self) -> bool {
        (**self).is_stale()
    }
}

/// How many bytes are read at once.
const CHUNK: usize = 16 << 10;

/// A stream of which some bytes have been read ahead.
pub(crate) struct Buffered<W> {
    inner: W,
    buffer: Vec<u8>,
    start: usize,
}

impl<W: Wire> Buffered<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, buffer: Vec::new(), start: 0 }
    }

    /// What has been read ahead.
    pub(crate) fn ahead(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Reads more ahead. `false` at the end of the stream.
    pub(crate) fn more(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let old = self.buffer.len();
        self.buffer.resize(old + CHUNK, 0);
        let got = retry(|| self.inner.read(self.buffer.get_mut(old..).unwrap_or_default()));
        self.buffer.truncate(old + *got.as_ref().unwrap_or(&0));
        Ok(got? > 0)
    }

    /// Takes `n` bytes of those read ahead.
    pub(crate) fn take(&mut self, n: usize) -> Vec<u8> {
        let taken = self.ahead().get(..n).unwrap_or_default().to_vec();
        self.start += taken.len();
        taken
    }

    /// Reads up to and with the first empty line. `Ok(None)` when the stream ends before its first byte.
    ///
    /// # Errors
    /// `InvalidData` when the head is longer than `limit`, `UnexpectedEof` when it is cut off.
    pub(crate) fn read_head(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            let ahead = self.ahead();
            // A head may not begin with an empty line; reading stops there too, and the reader of heads refuses it.
            if ahead.starts_with(b"\r\n") || ahead.starts_with(b"\n") {
                let n = if ahead.starts_with(b"\n") { 1 } else { 2 };
                return Ok(Some(self.take(n)));
            }
            if let Some(at) = memchr::memmem::find(ahead.get(searched..).unwrap_or_default(), b"\r\n\r\n") {
                let whole = searched + at + 4;
                if whole > limit {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                return Ok(Some(self.take(whole)));
            }
            // Two bare LFs end a head for some readers: refused without waiting for more.
            if let Some(at) = memchr::memmem::find(ahead, b"\n\n") {
                return Ok(Some(self.take(at + 2)));
            }
            if ahead.len() >= limit {
                return Err(io::ErrorKind::InvalidData.into());
            }
            searched = ahead.len().saturating_sub(3);
            let began = !ahead.is_empty();
            if !self.more()? {
                return if began { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
            }
        }
    }

    /// The stream beneath and what has been read ahead of it.
    pub(crate) fn into_parts(mut self) -> (W, Vec<u8>) {
        self.buffer.drain(..self.start);
        (self.inner, self.buffer)
    }
}

impl<W: Wire> Read for Buffered<W> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ahead().is_empty() {
            return retry(|| self.inner.read(out));
        }
        let n = self.ahead().len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..n), self.buffer.get(self.start..self.start + n)) {
            to.copy_from_slice(from);
        }
        self.start += n;
        Ok(n)
    }
}

impl<W: Wire> Write for Buffered<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn retry(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
