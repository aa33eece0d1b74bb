//! The name in a TLS greeting (RFC 8446 §4.1.2, RFC 6066 §3), read without TLS.

/// Longest greeting, all records together.
const MAX_HELLO: usize = 64 << 10;

/// Longest record's content (RFC 8446 §5.1).
const MAX_RECORD: usize = 1 << 14;

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    /// Too few bytes to tell.
    Short,
    /// No greeting of TLS, or a malformed one.
    Malformed,
    /// A greeting.
    Greeting {
        /// The name in it, as it stands there.
        name: Option<String>,
        /// Whether another name is hidden in it (encrypted client hello, or the older encrypted SNI).
        hidden: bool,
    },
}

impl Hello {
    /// Reads the first bytes of a connection. A greeting may be spread over several records.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let mut message = Vec::new();
        let mut records = Cursor(bytes);
        loop {
            if let Some(body) = whole_message(&message) {
                return body.and_then(greeting).unwrap_or(Self::Malformed);
            }
            if message.len() > MAX_HELLO {
                return Self::Malformed;
            }
            let Some(&kind) = records.0.first() else { return Self::Short };
            if kind != 0x16 || records.0.get(1).is_some_and(|v| *v != 3) {
                return Self::Malformed;
            }
            let Some(head) = records.0.get(..5) else { return Self::Short };
            let length: usize =
                head.get(3..5).and_then(|l| l.try_into().ok()).map_or(0, u16::from_be_bytes).into();
            if length == 0 || length > MAX_RECORD {
                return Self::Malformed;
            }
            let Some(content) = records.0.get(5..5 + length) else {
                // The message may be malformed already; that is found out when the record is whole.
                return Self::Short;
            };
            message.extend_from_slice(content);
            records = Cursor(records.0.get(5 + length..).unwrap_or_default());
        }
    }
}

/// The body of the client's greeting once it is whole; `Some(None)` when it is another message or too long.
fn whole_message(message: &[u8]) -> Option<Option<&[u8]>> {
    let kind = *message.first()?;
    if kind != 1 {
        return Some(None);
    }
    let &[a, b, c] = message.get(1..4)? else { return None };
    let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
    if length > MAX_HELLO {
        return Some(None);
    }
    // What follows the greeting in the same record would be another message before the server answered.
    match message.len().checked_sub(4)? {
        have if have < length => None,
        have if have == length => Some(message.get(4..)),
        _ => Some(None),
    }
}

fn greeting(body: &[u8]) -> Option<Hello> {
    let mut c = Cursor(body);
    c.take(2 + 32)?;
    c.short_list()?;
    c.long_list()?;
    c.short_list()?;
    if c.0.is_empty() {
        return Some(Hello::Greeting { name: None, hidden: false });
    }
    let mut extensions = Cursor(c.long_list()?);
    if !c.0.is_empty() {
        return None;
    }
    let (mut name, mut hidden, mut seen) = (None, false, Vec::new());
    while !extensions.0.is_empty() {
        let kind = extensions.number()?;
        let data = extensions.long_list()?;
        if seen.contains(&kind) {
            return None;
        }
        seen.push(kind);
        match kind {
            0 => name = Some(server_name(data)?),
            0xfe0d | 0xffce => hidden = true,
            _ => {}
        }
    }
    Some(Hello::Greeting { name, hidden })
}

/// Exactly one host name, in ASCII.
fn server_name(data: &[u8]) -> Option<String> {
    let mut outer = Cursor(data);
    let mut list = Cursor(outer.long_list()?);
    let kind = list.take(1)?;
    let name = list.long_list()?;
    let good = outer.0.is_empty() && list.0.is_empty() && kind == [0] && name.is_ascii() && !name.is_empty();
    good.then(|| String::from_utf8(name.to_vec()).ok()).flatten()
}

struct Cursor<'b>(&'b [u8]);

impl<'b> Cursor<'b> {
    fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn short_list(&mut self) -> Option<&'b [u8]> {
        let n = *self.take(1)?.first()?;
        self.take(n.into())
    }

    fn long_list(&mut self) -> Option<&'b [u8]> {
        let n = self.number()?;
        self.take(n.into())
    }
}
