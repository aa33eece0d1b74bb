//! What a detector is.

/// A kind of credential and how it looks. The table of them is `detectors/*.toml`.
#[derive(Debug, Clone, Copy)]
pub struct Detector {
    /// The kind's name, as it stands in placeholders: `github-pat`.
    pub id: &'static str,
    /// Who issues it.
    pub vendor: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Where the vendor says what it looks like.
    pub source: &'static str,
    /// Literals that announce the token; empty for kinds that only a name announces.
    pub(crate) prefixes: &'static [&'static str],
    /// What stands before the prefix and belongs to the token.
    pub(crate) before: &'static [Segment],
    /// What follows the prefix.
    pub(crate) shape: &'static [Segment],
    /// The checksum inside the token, where there is one.
    pub(crate) check: Check,
    /// Words of which a name must hold one, or the prefix's line, for the value to be of this kind.
    pub(crate) names: &'static [&'static str],
    /// What is before the secret part of a match: a URL's fixed head, for example, is not hidden.
    pub(crate) keep: u8,
}

/// A part of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Bytes of an alphabet.
    Class {
        /// The alphabet, as in [`crate::class`].
        mask: u32,
        /// The least number of bytes.
        min: u16,
        /// The greatest.
        max: u16,
    },
    /// These bytes.
    Literal(&'static str),
}

/// A checksum that a vendor puts into its tokens. It turns a likely token into a certain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// None.
    None,
    /// The last six bytes are the CRC-32 (IEEE) of the bytes between prefix and checksum, in base62, padded with `0`
    /// (GitHub's engineering blog on token formats, 2021; npm does the same).
    Crc32Base62,
    /// The token holds JSON in base64.
    Base64Json,
}

impl Detector {
    /// Whether a prefix announces it; else only a name does.
    #[must_use]
    pub fn announced_by_prefix(&self) -> bool {
        !self.prefixes.is_empty()
    }

    /// What announces it in a text.
    #[must_use]
    pub fn prefixes(&self) -> &'static [&'static str] {
        self.prefixes
    }

    /// Words of which the name of the value, or the line before it, must hold one.
    #[must_use]
    pub fn names(&self) -> &'static [&'static str] {
        self.names
    }

    /// Whether every token of this kind has the same length.
    #[must_use]
    pub fn has_fixed_length(&self) -> bool {
        self.before.is_empty()
            && self.shape.iter().all(|s| match s {
                Segment::Class { min, max, .. } => min == max,
                Segment::Literal(_) => true,
            })
    }
}
