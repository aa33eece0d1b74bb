//! The listeners of one command's network, served by threads until they are shut down.

use crate::dns::{self, FakeNames};
use crate::event::{Event, Observer, Outcome, Reason, Via, What};
use crate::lend::Book;
use crate::rules::{DEFAULT_DENY, Rules};
use crate::session::Session;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long shutting down waits for connections that are just dialling or looking up a name.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(2);

/// The sockets to serve, made inside the command's network. Any of them may be missing.
#[derive(Debug, Default)]
pub struct Listeners {
    /// HTTP proxies.
    pub http: Vec<TcpListener>,
    /// SOCKS 5 proxies.
    pub socks: Vec<TcpListener>,
    /// Sockets to which every address of the network leads (ports 80, 443, 22 …): the address that a client connected to
    /// tells the host, by the name server's answers, and the port is the host's port.
    pub direct: Vec<TcpListener>,
    /// Ports of the machine's own loopback, each on the same port; they need [`Rules::loopback_ports`].
    pub loopback: Vec<TcpListener>,
    /// The name server's UDP sockets.
    pub dns_udp: Vec<UdpSocket>,
    /// The name server's TCP sockets.
    pub dns_tcp: Vec<TcpListener>,
}

/// Looks up names. It is asked only for names that a rule allows.
pub trait Resolver: Send + Sync {
    /// The addresses of a name.
    ///
    /// # Errors
    /// When the name has none, or nobody could be asked.
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        // This name means the machine itself, whatever a name server says (RFC 6761, section 6.3).
        if name == "localhost" {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        // With a final dot no search domain is tried.
        Ok((format!("{name}."), 0).to_socket_addrs()?.map(|a| a.ip()).collect())
    }
}

/// Why serving could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The system refused a socket or thread.
    #[error("the command's network cannot be served: {0}")]
    Io(#[from] io::Error),
    /// The stand-ins of lent credentials could not be indexed.
    #[error("the lent credentials cannot be indexed; lend fewer of them")]
    Lent,
}

/// What all connections share.
pub(crate) struct Context {
    pub(crate) rules: Arc<Rules>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) names: FakeNames,
    pub(crate) book: Book,
    live: Mutex<Live>,
    none_left: Condvar,
}

/// The connections there are, so that they can be ended.
#[derive(Default)]
struct Live {
    closing: bool,
    connections: usize,
    next: u64,
    sockets: HashMap<u64, TcpStream>,
}

impl Context {
    fn live(&self) -> std::sync::MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the socket when the server shuts down. What is returned must be kept as long as the socket is in use.
    pub(crate) fn watch(&self, socket: &TcpStream) -> io::Result<Watched<'_>> {
        let copy = socket.try_clone()?;
        let mut live = self.live();
        if live.closing {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        live.next += 1;
        let id = live.next;
        live.sockets.insert(id, copy);
        Ok(Watched { context: self, id })
    }
}

pub(crate) struct Watched<'c> {
    context: &'c Context,
    id: u64,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.context.live().sockets.remove(&self.id);
    }
}

/// Counts one connection for as long as it lives.
struct Counted(Arc<Context>);

impl Counted {
    fn new(context: &Arc<Context>) -> Option<Self> {
        let mut live = context.live();
        if live.closing || live.connections >= context.rules.limits.connections {
            return None;
        }
        live.connections += 1;
        Some(Self(Arc::clone(context)))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut live = self.0.live();
        live.connections -= 1;
        if live.connections == 0 {
            self.0.none_left.notify_all();
        }
    }
}

/// A running server. Dropping it shuts it down.
pub struct Server {
    context: Arc<Context>,
    wake: Arc<OwnedFd>,
    acceptor: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("connections", &self.context.live().connections).finish()
    }
}

/// Serves the listeners by threads of its own: names are looked up and hosts dialled from the network of the caller.
///
/// # Errors
/// [`ServeError`].
pub fn serve(
    listeners: Listeners,
    rules: Arc<Rules>,
    observer: Arc<dyn Observer>,
    resolver: Arc<dyn Resolver>,
) -> Result<Server, ServeError> {
    let book = Book::new(&rules.lent).ok_or(ServeError::Lent)?;
    let names = FakeNames::new(&rules);
    let context = Arc::new(Context {
        rules,
        observer,
        resolver,
        names,
        book,
        live: Mutex::default(),
        none_left: Condvar::new(),
    });
    let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(io::Error::from)?);
    let Listeners { http, socks, direct, loopback, dns_udp, dns_tcp } = listeners;
    let groups = [
        (Via::Http, http),
        (Via::Socks, socks),
        (Via::Direct, direct),
        (Via::Loopback, loopback),
        (Via::Dns, dns_tcp),
    ];
    let mut sockets = Vec::new();
    for (via, group) in groups {
        for listener in group {
            listener.set_nonblocking(true)?;
            sockets.push(Socket::Tcp(via, listener));
        }
    }
    for socket in dns_udp {
        socket.set_nonblocking(true)?;
        sockets.push(Socket::Udp(socket));
    }
    let acceptor = {
        let (context, wake) = (Arc::clone(&context), Arc::clone(&wake));
        std::thread::Builder::new()
            .name("egress".to_owned())
            .spawn(move || accept_all(&context, &wake, &sockets))?
    };
    Ok(Server { context, wake, acceptor: Some(acceptor) })
}

impl Server {
    /// Stops accepting, ends every connection and waits for them, at most two seconds.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        let sockets: Vec<TcpStream> = {
            let mut live = self.context.live();
            live.closing = true;
            live.sockets.drain().map(|(_, s)| s).collect()
        };
        for socket in sockets {
            // Already ended: nothing to do.
            let _ = socket.shutdown(Shutdown::Both);
        }
        // The counter of a fresh eventfd has room for one.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
        let _ = acceptor.join();
        let until = Instant::now() + SHUTDOWN_WAIT;
        let mut live = self.context.live();
        while live.connections > 0 {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            live = self.context.none_left.wait_timeout(live, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

enum Socket {
    Tcp(Via, TcpListener),
    Udp(UdpSocket),
}

fn accept_all(context: &Arc<Context>, wake: &OwnedFd, sockets: &[Socket]) {
    loop {
        let mut ready = vec![PollFd::new(wake, PollFlags::IN)];
        ready.extend(sockets.iter().map(|s| match s {
            Socket::Tcp(_, l) => PollFd::from_borrowed_fd(l.as_fd(), PollFlags::IN),
            Socket::Udp(u) => PollFd::from_borrowed_fd(u.as_fd(), PollFlags::IN),
        }));
        match poll(&mut ready, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // No memory for now; the sockets are not lost.
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
        let mut flags = ready.iter().map(PollFd::revents);
        if flags.next().is_some_and(|f| !f.is_empty()) {
            return;
        }
        for (socket, _) in sockets.iter().zip(flags).filter(|(_, f)| !f.is_empty()) {
            match socket {
                Socket::Udp(u) => dns::serve_udp(context, u),
                Socket::Tcp(via, listener) => accept(context, *via, listener),
            }
        }
    }
}

fn accept(context: &Arc<Context>, via: Via, listener: &TcpListener) {
    loop {
        let (stream, client) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
            Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {
                continue;
            }
            Err(_) => {
                // No file descriptor left: wait a little instead of spinning.
                std::thread::sleep(Duration::from_millis(20));
                return;
            }
        };
        let mut event = Event::new(via, What::Connect, Outcome::Denied);
        event.client = Some(client);
        event.reason = Some(Reason::Limit);
        DEFAULT_DENY.clone_into(&mut event.rule);
        let Some(counted) = Counted::new(context) else {
            "too many connections at once".clone_into(&mut event.detail);
            context.observer.event(event);
            continue;
        };
        let spawned = std::thread::Builder::new().name(format!("egress-{}", via.word())).spawn(move || {
            let context = &counted.0;
            // The socket is ended by the end of this closure; an error of either side has been told by then.
            let _ = one(context, via, &stream, client);
        });
        if spawned.is_err() {
            "no thread could be started".clone_into(&mut event.detail);
            context.observer.event(event);
        }
    }
}

fn one(context: &Context, via: Via, stream: &TcpStream, client: std::net::SocketAddr) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let _watched = context.watch(stream)?;
    if via == Via::Dns {
        return dns::serve_tcp(context, stream);
    }
    let session = Session { context, via, client };
    session.set_patience(stream, context.rules.limits.greeting)?;
    let stream = stream.try_clone()?;
    match via {
        Via::Http => crate::proxy::serve(session, stream),
        Via::Socks => crate::socks::serve(session, stream),
        Via::Direct => crate::direct::serve(session, stream),
        Via::Loopback => crate::direct::serve_loopback(session, stream),
        Via::Dns => Ok(()),
    }
}
