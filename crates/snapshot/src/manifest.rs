//! The list of what a snapshot holds, and of what the call left behind.

use data_encoding::HEXLOWER;
use model::AbsPath;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the list's form.
pub(crate) const VERSION: u32 = 1;

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub(crate) [u8; 32]);

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        HEXLOWER.encode(&digest.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|e| e.to_string())?;
        bytes.try_into().map(Self).map_err(|_| "a digest of another length".to_owned())
    }
}

/// What a snapshot holds and for which call it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form.
    pub version: u32,
    /// The snapshot's name: hexadecimal digits.
    pub id: String,
    /// The session whose call it was.
    pub session: String,
    /// The agent's identifier of the call, where it gives one.
    pub call: Option<String>,
    /// The agent.
    pub agent: String,
    /// When it was taken, in milliseconds since 1970-01-01 UTC.
    pub taken: i64,
    /// The directory in which the call ran.
    pub cwd: AbsPath,
    /// The command or the tool with its path, as a person reads it.
    pub what: String,
    /// The snapshot that this one undoes, if it was taken by an undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// Paths, in order.
    pub paths: Vec<Kept>,
    /// Repositories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<KeptRepository>,
    /// Paths that the rules let the call lose freely and that were too large or unreadable to be kept as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// A path as it was before the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where, with every link on the way followed.
    pub path: AbsPath,
    /// What was there.
    pub content: Content,
    /// Its permission bits.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mode: u32,
    /// When it was last changed: seconds since 1970-01-01 UTC and nanoseconds.
    #[serde(default)]
    pub mtime: (i64, u32),
    /// Extended attributes of the person's own and access lists: name and value in base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(mode: &u32) -> bool {
    *mode == 0
}

/// What was at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Content {
    /// Nothing: the call may have made something there.
    Absent,
    /// A directory; what was in it has entries of its own.
    Directory,
    /// A symbolic link.
    Link {
        /// Where it points.
        target: String,
    },
    /// A pipe or socket, which holds nothing to keep.
    Special,
    /// A file whose bytes lie in the snapshot's `pack`.
    Packed {
        /// Where they begin.
        at: u64,
        /// How many.
        size: u64,
        /// Their digest.
        digest: Digest,
    },
    /// A file that lies in the snapshot as a file of its own.
    File {
        /// Its name there.
        name: String,
        /// Its size in bytes.
        size: u64,
        /// When the kept file was last changed, by which a change of it is seen: seconds and nanoseconds.
        stamp: (i64, u32),
    },
}

/// A repository as it was before the call. Objects are kept alive in the repository itself by refs below
/// `refs/ambit/ID/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRepository {
    /// The root of its work tree.
    pub root: AbsPath,
    /// The directory of this work tree's git data.
    pub git_dir: AbsPath,
    /// The directory that all its work trees share.
    pub common_dir: AbsPath,
    /// What `HEAD` held: `ref: refs/heads/NAME` or an object.
    pub head: String,
    /// Branches and tags with the objects they named.
    pub refs: BTreeMap<String, String>,
    /// The name in the snapshot of the copy of the index, and the tree it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<KeptIndex>,
    /// What was put aside, the newest first: object and message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stashes: Vec<(String, String)>,
}

/// A kept index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptIndex {
    /// The name of the copy in the snapshot.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// The tree object that keeps the staged files alive.
    pub tree: String,
}

/// What lies at a path at some moment, for telling whether it was changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum State {
    Absent,
    Directory,
    Link { target: String },
    Special,
    File { size: u64, mtime: (i64, u32), inode: u64, digest: Option<Digest> },
}

/// What the call left, noted when the agent reported its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct After {
    pub(crate) paths: BTreeMap<String, State>,
    pub(crate) repositories: Vec<AfterRepository>,
}

/// What the call left of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AfterRepository {
    pub(crate) root: AbsPath,
    pub(crate) head: String,
    pub(crate) refs: BTreeMap<String, String>,
    /// The digest of the index; `None` when there was none.
    pub(crate) index: Option<Digest>,
    /// Files that the kept index held unchanged and that are different now, with what they are now.
    pub(crate) files: BTreeMap<String, State>,
}
