//! Values that are known to be secret, found anywhere and in every usual encoding. The index holds keyed hashes, no value.

use crate::encodings::forms;
use crate::finding::{Certainty, Finding, Tier};
use crate::key::Key;
use crate::placeholder::is_monotonous;
use crate::rarity::{makeup, surprise};
use crate::scan::{Scanner, Surroundings};
use crate::text::{FILL, at, joint, part};
use serde::{Deserialize, Serialize};

/// The shortest value that is indexed, and the number of bytes by which a place in a text is sifted.
pub const SHORTEST: usize = 8;

/// The longest value that is indexed, in any of its forms.
pub const LONGEST: usize = 16 << 10;

/// Words of the sieve: 64 Ki bits.
const SIEVE: usize = 1024;

/// Why a value was not indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too short: it would be found everywhere.
    #[error("a value of less than {SHORTEST} bytes is found by chance; choose a longer one")]
    Short,
    /// Too long.
    #[error("a value of more than {LONGEST} bytes is not looked for; keep it in a file that no agent reads")]
    Long,
    /// A word or a sequence: it stands in texts that have nothing to do with it.
    #[error("the value is a common word, so it stands in texts by chance; choose a random one")]
    Common,
}

/// An index of secret values.
#[derive(Debug, Clone)]
pub struct Known {
    key: Key,
    stored: Stored,
    sieve: Vec<u64>,
    seeds: (u64, u64),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry {
    /// The keyed hash of the first bytes, 24 bits of it.
    head: u32,
    length: u32,
    /// The keyed hash of the whole form, half of it.
    tag: [u8; 16],
    /// The number of its name.
    name: u32,
}

/// What is kept on disk: hashes and names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Stored {
    version: u8,
    names: Vec<String>,
    entries: Vec<Entry>,
}

/// The form of [`Known::to_bytes`].
const VERSION: u8 = 1;

impl Known {
    /// An empty index under this key.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        let seed = key.tag("known-sieve", b"");
        let number = |from: usize| {
            seed.get(from..from + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
        };
        let stored = Stored { version: VERSION, ..Stored::default() };
        Self { key: key.clone(), stored, sieve: vec![0; SIEVE], seeds: (number(0), number(8) | 1) }
    }

    /// Adds a value in every form in which it may appear. `kind` is what its findings are called: the kind of credential
    /// or the secret's own name. A value that a person `gave` as secret is taken even if it is a word.
    ///
    /// # Errors
    /// When the value would be found by chance, or is too long.
    pub fn add(&mut self, kind: &str, value: &[u8], gave: bool) -> Result<(), Unfit> {
        if value.len() < SHORTEST {
            return Err(Unfit::Short);
        }
        if value.len() > LONGEST {
            return Err(Unfit::Long);
        }
        let make = makeup(value);
        let wordy = make.digits == 0 && make.signs == 0 && surprise(value) < 46;
        if is_monotonous(&make) || wordy && !gave {
            return Err(Unfit::Common);
        }
        let name = match self.stored.names.iter().position(|n| n == kind) {
            Some(at) => at,
            None => {
                self.stored.names.push(kind.to_owned());
                self.stored.names.len() - 1
            }
        };
        for form in forms(value) {
            let Some(head) = self.head(&form) else { continue };
            let entry = Entry {
                head,
                length: u32::try_from(form.len()).unwrap_or(u32::MAX),
                tag: self.tag(&form),
                name: u32::try_from(name).unwrap_or(u32::MAX),
            };
            self.sift(head);
            if let Err(place) = self.stored.entries.binary_search(&entry) {
                self.stored.entries.insert(place, entry);
            }
        }
        Ok(())
    }

    /// Adds every secret of a text that is there to hold some: a `.env` file, credentials, the environment as lines. How
    /// many were fit to be added.
    pub fn harvest(&mut self, text: &[u8]) -> usize {
        let found = Scanner::new().in_surroundings(Surroundings::Bearing).scan(text);
        let mut added = 0;
        for finding in &found {
            let value = text.get(finding.span.clone()).unwrap_or_default();
            added += usize::from(self.add(&finding.kind, value, false).is_ok());
        }
        added
    }

    /// Whether it holds no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stored.entries.is_empty()
    }

    /// The index as it is kept: keyed hashes only. Useless without the key.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(&self.stored).unwrap_or_default()
    }

    /// The index that [`Known::to_bytes`] wrote under the same key. `None` when the bytes are not one.
    #[must_use]
    pub fn from_bytes(key: &Key, bytes: &[u8]) -> Option<Self> {
        let stored: Stored = postcard::from_bytes(bytes).ok()?;
        if stored.version != VERSION || !stored.entries.is_sorted() {
            return None;
        }
        let mut known = Self::new(key);
        for entry in &stored.entries {
            known.sift(entry.head);
        }
        known.stored = stored;
        Some(known)
    }

    /// The keyed hash of the first bytes of a form, 24 bits.
    #[inline]
    fn hash(&self, window: u64) -> u32 {
        ((window ^ self.seeds.0).wrapping_mul(self.seeds.1) >> 40) as u32
    }

    fn head(&self, form: &[u8]) -> Option<u32> {
        form.first_chunk::<SHORTEST>().map(|b| self.hash(u64::from_le_bytes(*b)))
    }

    fn tag(&self, form: &[u8]) -> [u8; 16] {
        let whole = self.key.tag("known-value", form);
        whole.first_chunk::<16>().copied().unwrap_or_default()
    }

    fn sift(&mut self, head: u32) {
        if let Some(word) = self.sieve.get_mut((head >> 14) as usize) {
            *word |= 1 << ((head >> 8) & 63);
        }
    }

    /// Adds the findings of a text in which escapes are filled. Values that a line's end or a colour breaks are found too.
    pub(crate) fn find(&self, text: &[u8], found: &mut Vec<Finding>) {
        if self.is_empty() {
            return;
        }
        self.pass(text, |from, to, name| found.push(finding(from..to, name)));
        if memchr::memchr2(b'\n', FILL, text).is_some() {
            let (joined, places) = without_joints(text);
            self.pass(&joined, |from, to, name| {
                let (from, to) = (original(&places, from), original(&places, to.saturating_sub(1)) + 1);
                found.push(finding(from..to, name));
            });
        }
    }

    fn pass(&self, text: &[u8], mut hit: impl FnMut(usize, usize, &str)) {
        let mut past = 0;
        for (from, window) in text.windows(SHORTEST).enumerate() {
            let Some(bytes) = window.first_chunk::<SHORTEST>() else { break };
            let head = self.hash(u64::from_le_bytes(*bytes));
            let may =
                self.sieve.get((head >> 14) as usize).is_some_and(|w| (w >> ((head >> 8) & 63)) & 1 == 1);
            if may
                && from >= past
                && let Some((to, name)) = self.value_at(text, from, head)
            {
                hit(from, to, name);
                past = to;
            }
        }
    }

    /// The longest value that begins at `from`.
    #[cold]
    fn value_at(&self, text: &[u8], from: usize, head: u32) -> Option<(usize, &str)> {
        let first = self.stored.entries.partition_point(|e| e.head < head);
        let same = self.stored.entries.get(first..)?.iter().take_while(|e| e.head == head);
        let mut best: Option<&Entry> = None;
        for entry in same {
            let bytes = text.get(from..from + entry.length as usize);
            if bytes.is_some_and(|b| self.tag(b) == entry.tag) && best.is_none_or(|b| b.length < entry.length)
            {
                best = Some(entry);
            }
        }
        let best = best?;
        Some((from + best.length as usize, self.stored.names.get(best.name as usize)?))
    }
}

fn finding(span: std::ops::Range<usize>, name: &str) -> Finding {
    let kind = name.to_owned().into();
    Finding { span, kind, tier: Tier::Known, certainty: Certainty::Certain, open: false }
}

/// The text without breaks, and the places where each of its stretches was: (place in the copy, place in the text).
fn without_joints(text: &[u8]) -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut out = Vec::with_capacity(text.len());
    let mut places = vec![(0, 0)];
    let mut from = 0;
    let mut place = 0;
    while let Some(offset) = memchr::memchr3(b'\n', FILL, b'\\', part(text, place, text.len())) {
        let mut stop = place + offset;
        if stop > from && at(text, stop - 1) == Some(b'\r') {
            stop -= 1;
        }
        match joint(text, stop) {
            Some(next) => {
                out.extend_from_slice(part(text, from, stop));
                places.push((out.len(), next));
                from = next;
                place = next;
            }
            None => place += offset + 1,
        }
    }
    out.extend_from_slice(part(text, from, text.len()));
    (out, places)
}

/// Where a place of the copy was.
fn original(places: &[(usize, usize)], place: usize) -> usize {
    let at = places.partition_point(|(copy, _)| *copy <= place).saturating_sub(1);
    places.get(at).map_or(place, |(copy, text)| text + (place - copy))
}
