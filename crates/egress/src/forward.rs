//! HTTP requests, one after the other on a kept connection: each is judged, written anew and sent on.

use crate::event::{Outcome, Reason, What};
use crate::http::{
    AnswerHead, Body, Buffered, Framing, HeadError, RequestHead, Wire, write_chunk, write_end,
};
use crate::lend::{Misuse, Scrubber};
use crate::name::{Target, shown};
use crate::refusal::answer;
use crate::rules::Denial;
use crate::session::{Session, fill, unread};
use crate::upstream::Upstream;
use std::io::{self, Write as _};
use std::net::Shutdown;

/// Bytes of a body that are moved at once.
const ROOM: usize = 128 << 10;

/// The requests of one client connection.
pub(crate) struct Forward<'c> {
    session: Session<'c>,
    /// The target to which all requests must go; without it, each request names its own (a proxy's client).
    fixed: Option<Target>,
    tls: bool,
    upstream: Option<Upstream<'c>>,
    /// Bytes of the present request and its answer.
    up: u64,
    down: u64,
    rule: String,
}

/// How to go on after a request.
enum Next {
    Keep,
    Close,
}

/// Why a request was not carried out: what to answer, and what to tell.
struct Refused {
    status: u16,
    denial: Denial,
    lent: Option<String>,
}

impl Refused {
    fn new(status: u16, denial: Denial) -> Self {
        Self { status, denial, lent: None }
    }

    fn misuse(misuse: Misuse, target: &Target) -> Self {
        if let Some(why) = misuse.over {
            let detail = format!("`{}` is lent no longer: {why}", misuse.id);
            return Self { status: 403, denial: unread(Reason::LendingOver, detail), lent: Some(misuse.id) };
        }
        let detail = format!(
            "the stand-in of `{}` was seen in the {} of a request to `{}`, where it is not lent to",
            misuse.id, misuse.place, target.host
        );
        Self { status: 403, denial: unread(Reason::Lending, detail), lent: Some(misuse.id) }
    }
}

/// A request may be refused, or the client may be gone.
enum Stop {
    Refused(Refused),
    Gone(io::Error),
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Self {
        Self::Gone(e)
    }
}

impl From<Refused> for Stop {
    fn from(r: Refused) -> Self {
        Self::Refused(r)
    }
}

impl<'c> Forward<'c> {
    /// For a connection whose target is settled.
    pub(crate) fn fixed(
        session: Session<'c>,
        target: Target,
        tls: bool,
        rule: &str,
        upstream: Option<Upstream<'c>>,
    ) -> Self {
        Self { session, fixed: Some(target), tls, upstream, up: 0, down: 0, rule: rule.to_owned() }
    }

    /// For a client of the proxy.
    pub(crate) fn proxy(session: Session<'c>) -> Self {
        Self { session, fixed: None, tls: false, upstream: None, up: 0, down: 0, rule: String::new() }
    }

    /// Serves requests until the connection ends.
    pub(crate) fn run<W: Wire>(mut self, mut client: Buffered<W>) -> io::Result<()> {
        let result = self.serve(&mut client);
        self.end_upstream();
        result
    }

    fn serve<W: Wire>(&mut self, client: &mut Buffered<W>) -> io::Result<()> {
        loop {
            let limits = &self.session.context.rules.limits;
            self.session.set_patience(client.tcp(), limits.idle)?;
            let head = match client.read_head(limits.head) {
                Ok(Some(head)) => head,
                Ok(None) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                    let denial = unread(Reason::Limit, "the head of the request is too long");
                    return self.refuse_unread(client, 431, &denial);
                }
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    let denial = unread(Reason::Malformed, "the head of the request was cut off");
                    self.tell_unread(&denial);
                    return Err(e);
                }
                Err(e) => return Err(e),
            };
            match self.serve_head(client, &head)? {
                Next::Keep => {}
                Next::Close => return Ok(()),
            }
        }
    }

    /// Serves the first request of a proxy's client, whose head has been read already, and those after it.
    pub(crate) fn run_from<W: Wire>(mut self, mut client: Buffered<W>, head: &[u8]) -> io::Result<()> {
        let result = match self.serve_head(&mut client, head) {
            Ok(Next::Keep) => self.serve(&mut client),
            Ok(Next::Close) => Ok(()),
            Err(e) => Err(e),
        };
        self.end_upstream();
        result
    }

    fn serve_head<W: Wire>(&mut self, client: &mut Buffered<W>, head: &[u8]) -> io::Result<Next> {
        let mut head = match RequestHead::read(head) {
            Ok(head) => head,
            Err(e) => return self.refuse_unread(client, 400, &malformed(e)).map(|()| Next::Close),
        };
        let target = match self.target_of(&mut head) {
            Ok(target) => target,
            Err(refused) => {
                let host = head.header("host").map(shown).unwrap_or_default();
                self.session.tell_unread(host.as_bytes(), &refused.denial);
                answer(client, &self.session, refused.status, &refused.denial, self.fixed.as_ref())?;
                return Ok(Next::Close);
            }
        };
        let (method, path) = (head.method.clone(), head.path().to_owned());
        (self.up, self.down) = (0, 0);
        let result = self.request(client, &target, head);
        let mut event = self.session.event(What::Request, Outcome::Ended, &target);
        event.method = Some(method);
        event.path = Some(shown(path.as_bytes()));
        event.address = self.upstream.as_ref().map(|u| u.ip);
        (event.up, event.down) = (self.up, self.down);
        self.rule.clone_into(&mut event.rule);
        match result {
            Ok((status, next)) => {
                event.status = Some(status);
                self.session.tell(event);
                Ok(next)
            }
            Err(Stop::Refused(refused)) => {
                fill(&mut event, &refused.denial);
                event.status = Some(refused.status);
                event.lent = refused.lent;
                self.session.tell(event);
                self.end_upstream();
                answer(client, &self.session, refused.status, &refused.denial, Some(&target))?;
                Ok(Next::Close)
            }
            Err(Stop::Gone(e)) => {
                event.outcome = Outcome::Failed;
                event.reason = Some(Reason::Unreachable);
                event.detail = format!("the connection broke off: {e}");
                self.session.tell(event);
                Err(e)
            }
        }
    }

    fn refuse_unread<W: Wire>(
        &mut self,
        client: &mut Buffered<W>,
        status: u16,
        denial: &Denial,
    ) -> io::Result<()> {
        self.tell_unread(denial);
        answer(client, &self.session, status, denial, None)
    }

    fn tell_unread(&self, denial: &Denial) {
        match &self.fixed {
            Some(target) => self.session.tell_denied(target, denial),
            None => self.session.tell_unread(b"", denial),
        }
    }

    /// The target of a request, which the request line, `Host` and the connection must agree on. The head's target
    /// becomes a path.
    fn target_of(&self, head: &mut RequestHead) -> Result<Target, Refused> {
        let default = if self.tls { 443 } else { 80 };
        let bad = |detail: String| Refused::new(400, unread(Reason::Name, detail));
        let differ = |a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| {
            Refused::new(
                421,
                unread(
                    Reason::Mismatch,
                    format!("the request is for `{a}`, its connection or `Host` for `{b}`"),
                ),
            )
        };
        let mut line = None;
        let path_alone = head.target.starts_with('/') || (head.target == "*" && head.method == "OPTIONS");
        if !path_alone {
            let scheme = if self.tls { "https://" } else { "http://" };
            let rest = head
                .target
                .get(..scheme.len())
                .filter(|s| s.eq_ignore_ascii_case(scheme))
                .and_then(|_| head.target.get(scheme.len()..));
            let Some(rest) = rest else {
                return Err(bad(format!(
                    "the request line needs a path or a URL that begins with `{scheme}`"
                )));
            };
            let at = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(at).unwrap_or((rest, ""));
            line = Some(Target::read(authority, Some(default)).map_err(|e| bad(e.to_string()))?);
            head.target = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        }
        let host = match head.header("host") {
            Some(host) => {
                let text = std::str::from_utf8(host).map_err(|_| bad("the `Host` is no text".to_owned()))?;
                Some(Target::read(text, Some(default)).map_err(|e| bad(e.to_string()))?)
            }
            None => None,
        };
        let meant = match (&self.fixed, &line, &host) {
            (_, Some(line), Some(host)) if line != host => return Err(differ(line, host)),
            (Some(fixed), Some(other), _) | (Some(fixed), None, Some(other))
                if !same(fixed, other, default) =>
            {
                return Err(differ(other, fixed));
            }
            (Some(fixed), _, _) => fixed.clone(),
            (None, Some(line), _) => line.clone(),
            (None, None, _) => return Err(bad("a proxy needs the whole URL in the request line".to_owned())),
        };
        Ok(meant)
    }

    /// Carries out one request. Gives the answer's status.
    fn request<W: Wire>(
        &mut self,
        client: &mut Buffered<W>,
        target: &Target,
        mut head: RequestHead,
    ) -> Result<(u16, Next), Stop> {
        let context = self.session.context;
        let book = &context.book;
        match context.rules.judge_request(target, &head.method, head.path()) {
            Ok(rule) => rule.clone_into(&mut self.rule),
            Err(denial) => return Err(Refused::new(403, denial).into()),
        }
        let mut scrubber = None;
        let mut plain = head.clone();
        if self.tls {
            scrubber = book
                .scrubber(&target.host)
                .map_err(|()| unscrubbable("what is lent to it cannot be indexed", target))?;
            plain = head.clone();
            let used = book.exchange_head(target, &mut head).map_err(|m| Refused::misuse(m, target))?;
            self.tell_lent(target, &plain, &used);
        } else {
            book.refuse_all(&head).map_err(|m| Refused::misuse(m, target))?;
        }
        if scrubber.is_some() {
            // Parts or compressed answers could carry a value past the search.
            for name in ["range", "if-range"] {
                head.remove(name);
            }
            head.set("Accept-Encoding", "identity");
        }
        let mut event = self.session.event(What::Request, Outcome::Made, target);
        event.method = Some(plain.method.clone());
        event.path = Some(shown(plain.path().as_bytes()));
        self.rule.clone_into(&mut event.rule);
        self.session.tell(event);
        self.connect(target)?;
        if head.expects && head.framing != Framing::Length(0) {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        self.send(client, target, head, &plain)?;
        self.receive(client, target, &plain, scrubber)
    }

    fn tell_lent(&self, target: &Target, head: &RequestHead, used: &[String]) {
        for id in used {
            let mut event = self.session.event(What::Lending, Outcome::Made, target);
            event.lent = Some(id.clone());
            event.method = Some(head.method.clone());
            event.path = Some(shown(head.path().as_bytes()));
            self.rule.clone_into(&mut event.rule);
            self.session.tell(event);
        }
    }

    /// Makes sure that there is a live connection to the target.
    fn connect(&mut self, target: &Target) -> Result<(), Stop> {
        if let Some(upstream) = &mut self.upstream {
            if let Some(denial) = upstream.failed.take() {
                return Err(Refused::new(502, denial).into());
            }
            if upstream.target == *target && !upstream.wire.is_stale() {
                return Ok(());
            }
        }
        self.end_upstream();
        let (_, dialled) = self
            .session
            .reach(target)
            .map_err(|d| Refused::new(if d.reason.is_denial() { 403 } else { 502 }, d))?;
        let mut upstream = match &self.session.context.rules.interception {
            Some(interception) if self.tls => Upstream::tls(target.clone(), dialled, interception),
            None if self.tls => return Err(Stop::Gone(io::ErrorKind::Unsupported.into())),
            _ => Upstream::plain(target.clone(), dialled),
        };
        if let Some(denial) = upstream.failed.take() {
            return Err(Refused::new(502, denial).into());
        }
        self.upstream = Some(upstream);
        Ok(())
    }

    fn end_upstream(&mut self) {
        if let Some(old) = self.upstream.take() {
            let _ = old.wire.tcp().shutdown(Shutdown::Both);
            let mut event = self.session.event(What::Connect, Outcome::Ended, &old.target);
            event.address = Some(old.ip);
            self.rule.clone_into(&mut event.rule);
            (event.up, event.down) = (old.up, old.down);
            self.session.tell(event);
        }
    }

    /// Sends the request on. `plain` is its head before credentials were put in.
    fn send<W: Wire>(
        &mut self,
        client: &mut Buffered<W>,
        target: &Target,
        mut head: RequestHead,
        plain: &RequestHead,
    ) -> Result<(), Stop> {
        let book = &self.session.context.book;
        let mut body = Body::new(head.framing, false);
        let authority = target.authority(if self.tls { 443 } else { 80 });
        if self.tls && head.framing != Framing::Length(0) && book.holds_body(target, plain) {
            let whole = self.hold(client, &mut body)?;
            let (new, used) =
                book.exchange_body(target, plain, &whole).map_err(|m| Refused::misuse(m, target))?;
            self.tell_lent(target, plain, &used);
            let whole = new.as_ref().map_or(&whole, |n| n);
            head.framing = Framing::Length(whole.len() as u64);
            self.write(&head.write(&authority))?;
            return self.write(whole);
        }
        self.write(&head.write(&authority))?;
        let mut watch = book.stream();
        let (mut room, mut out) =
            (vec![0; if head.framing == Framing::Length(0) { 0 } else { ROOM }], Vec::new());
        loop {
            let n = body.read(client, &mut room).map_err(|e| body_error(e, target))?;
            out.clear();
            if n == 0 {
                watch.finish(&mut out);
            } else {
                watch
                    .push(room.get(..n).unwrap_or_default(), &mut out)
                    .map_err(|m| Refused::misuse(m, target))?;
            }
            if head.framing == Framing::Chunked {
                let mut chunk = Vec::new();
                write_chunk(&mut chunk, &out)?;
                if n == 0 {
                    write_end(&mut chunk)?;
                }
                std::mem::swap(&mut out, &mut chunk);
            }
            self.write(&out)?;
            if n == 0 {
                return Ok(());
            }
        }
    }

    /// Reads a whole body, so that credentials can be put into it.
    fn hold<W: Wire>(
        &self,
        client: &mut Buffered<W>,
        body: &mut Body,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Stop> {
        let mut whole = zeroize::Zeroizing::new(Vec::new());
        let mut room = vec![0; ROOM];
        loop {
            let n = body.read(client, &mut room)?;
            if n == 0 {
                return Ok(whole);
            }
            whole.extend_from_slice(room.get(..n).unwrap_or_default());
            if whole.len() > self.session.context.rules.limits.held_body {
                let denial = unread(Reason::Limit, "the body is too long to put a credential into it");
                return Err(Refused::new(413, denial).into());
            }
        }
    }

    /// Writes to the host. When it has stopped reading, its answer tells why, so that is no error yet.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let Some(upstream) = &mut self.upstream else {
            return Err(Stop::Gone(io::ErrorKind::NotConnected.into()));
        };
        match upstream.wire.write_all(bytes).and_then(|()| upstream.wire.flush()) {
            Ok(()) => {
                self.up += bytes.len() as u64;
                upstream.up += bytes.len() as u64;
                Ok(())
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                Ok(())
            }
            Err(e) => Err(broken(&e, &upstream.target).into()),
        }
    }

    /// Gives the host's answer to the client, without the values that were lent to the host.
    fn receive<W: Wire>(
        &mut self,
        client: &mut Buffered<W>,
        target: &Target,
        request: &RequestHead,
        mut scrubber: Option<Scrubber>,
    ) -> Result<(u16, Next), Stop> {
        let limit = self.session.context.rules.limits.head;
        let Some(upstream) = &mut self.upstream else {
            return Err(Stop::Gone(io::ErrorKind::NotConnected.into()));
        };
        let mut head = loop {
            let bytes = upstream.wire.read_head(limit).map_err(|e| broken(&e, target))?;
            let bytes = bytes.ok_or_else(|| broken(&io::ErrorKind::UnexpectedEof.into(), target))?;
            self.down += bytes.len() as u64;
            upstream.down += bytes.len() as u64;
            let head = AnswerHead::read(&bytes, &request.method).map_err(|e| {
                Refused::new(
                    502,
                    unread(Reason::Malformed, format!("the answer of `{}` was refused: {e}", target.host)),
                )
            })?;
            match head.status {
                101 => {
                    let why =
                        format!("`{}` wants to change the protocol, which cannot be judged", target.host);
                    return Err(Refused::new(502, unread(Reason::Protocol, why)).into());
                }
                100..200 => {}
                _ => break head,
            }
        };
        if let Some(scrubber) = &mut scrubber {
            if head.header("content-encoding").is_some_and(|c| !c.eq_ignore_ascii_case(b"identity"))
                && head.framing != Framing::Length(0)
            {
                return Err(
                    unscrubbable("its answer is compressed, though that was not asked for", target).into()
                );
            }
            head.phrase = String::from_utf8_lossy(&scrubber.clean(head.phrase.as_bytes())).into_owned();
            for (_, value) in &mut head.headers {
                *value = scrubber.clean(value);
            }
        }
        // Another protocol would go past the proxy.
        head.headers.retain(|(n, _)| !n.eq_ignore_ascii_case("alt-svc"));
        let framing = match head.framing {
            Framing::Length(n) => Framing::Length(n),
            _ if request.minor == 0 => Framing::Close,
            _ => Framing::Chunked,
        };
        let bodyless = request.method == "HEAD" || head.status == 204 || head.status == 304;
        let keep = request.keep && framing != Framing::Close;
        client.write_all(&head.write(framing, bodyless, keep))?;
        let mut body = Body::new(head.framing, true);
        let (mut room, mut out) =
            (vec![0; if head.framing == Framing::Length(0) { 0 } else { ROOM }], Vec::new());
        loop {
            let n = body.read(&mut upstream.wire, &mut room).map_err(Stop::Gone)?;
            self.down += n as u64;
            upstream.down += n as u64;
            let bytes = room.get(..n).unwrap_or_default();
            let now = match &mut scrubber {
                None => bytes,
                Some(scrubber) => {
                    out.clear();
                    if n == 0 {
                        scrubber.finish(&mut out)
                    } else {
                        scrubber.push(bytes, &mut out)
                    }
                    &out
                }
            };
            if framing == Framing::Chunked {
                write_chunk(client, now)?
            } else {
                client.write_all(now)?
            }
            if n == 0 {
                break;
            }
        }
        if framing == Framing::Chunked {
            write_end(client)?;
        }
        client.flush()?;
        if !head.keep {
            self.end_upstream();
        }
        if !keep {
            let _ = client.tcp().shutdown(Shutdown::Write);
        }
        Ok((head.status, if keep { Next::Keep } else { Next::Close }))
    }
}

/// Whether a `Host` means the connection's target; a port that is left out is the connection's own.
fn same(fixed: &Target, named: &Target, default: u16) -> bool {
    fixed.host == named.host && (fixed.port == named.port || named.port == default)
}

fn malformed(e: HeadError) -> Denial {
    unread(Reason::Malformed, e.to_string())
}

fn body_error(e: io::Error, target: &Target) -> Stop {
    if e.kind() == io::ErrorKind::InvalidData {
        let denial = unread(
            Reason::Malformed,
            format!("the body of the request to `{}` is not well formed", target.host),
        );
        return Refused::new(400, denial).into();
    }
    Stop::Gone(e)
}

fn broken(e: &io::Error, target: &Target) -> Refused {
    Refused::new(502, unread(Reason::Unreachable, format!("`{}` did not answer: {e}", target.host)))
}

fn unscrubbable(why: &str, target: &Target) -> Refused {
    Refused::new(
        502,
        unread(Reason::Protocol, format!("the answer of `{}` is held back: {why}", target.host)),
    )
}
