//! The index of what is revoked: which slices there are, each by the SHA-256 of its bytes. Signed, it signs them all.
//!
//! ```json
//! {"version": 263000, "count": 251234,
//!  "layers": [{"from": 0, "to": 262144, "count": 250400, "filter": {"id": "..", "bytes": 606228},
//!              "full": [{"prefix": "0", "id": "..", "bytes": 250432, "count": 15652}, ..]}, ..],
//!  "removed": ["<standard base64 of an entry>", ..]}
//! ```
//!
//! Layers stand from the oldest to the newest, as [`super::layers`] has them; those without an entry are left out. `full` is
//! the layer's entries, sorted and put end to end, cut by the first 0, 4 or 8 bits of the entry: `prefix` is these in
//! hexadecimal digits, and no prefix is left out.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::layers::{self, LAYERS};
use super::{Entry, filter};

/// The largest index that is read, in bytes.
pub const MAX_LEN: usize = 32 << 20;

/// The name of a slice: the SHA-256 of its bytes; in text 43 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SliceId([u8; 32]);

impl SliceId {
    /// The name of the slice that is these bytes.
    pub fn of(bytes: &[u8]) -> SliceId {
        let mut id = [0; 32];
        id.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
        SliceId(id)
    }
}

impl fmt::Display for SliceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for SliceId {
    type Err = IndexError;

    fn from_str(text: &str) -> Result<Self, IndexError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| IndexError::Malformed)?;
        bytes.try_into().map(SliceId).map_err(|_| IndexError::Malformed)
    }
}

impl From<SliceId> for String {
    fn from(id: SliceId) -> String {
        id.to_string()
    }
}

impl TryFrom<String> for SliceId {
    type Error = IndexError;

    fn try_from(text: String) -> Result<Self, IndexError> {
        text.parse()
    }
}

/// An entry in standard base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryText(pub Entry);

impl From<EntryText> for String {
    fn from(entry: EntryText) -> String {
        BASE64_STANDARD.encode(entry.0)
    }
}

impl TryFrom<String> for EntryText {
    type Error = IndexError;

    fn try_from(text: String) -> Result<Self, IndexError> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| IndexError::Malformed)?;
        bytes.try_into().map(EntryText).map_err(|_| IndexError::Malformed)
    }
}

/// What is revoked as of a version, in slices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The number of the last event that it holds.
    pub version: u64,
    /// How many entries are revoked.
    pub count: u64,
    /// The layers, from the oldest to the newest.
    pub layers: Vec<IndexLayer>,
    /// What a layer holds though it is revoked no longer, in order.
    pub removed: Vec<EntryText>,
}

/// One layer of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexLayer {
    /// It holds what was revoked after this version,
    pub from: u64,
    /// up to and with this one.
    pub to: u64,
    /// How many entries it holds.
    pub count: u64,
    /// Its filter.
    pub filter: SliceRef,
    /// Its entries, by prefix.
    pub full: Vec<PieceRef>,
}

/// A slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceRef {
    /// Its name.
    pub id: SliceId,
    /// How many bytes it has.
    pub bytes: u64,
}

/// A slice with the entries of one prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceRef {
    /// The first 0, 1 or 2 hexadecimal digits of its entries.
    pub prefix: String,
    /// Its name.
    pub id: SliceId,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many entries it has.
    pub count: u64,
}

/// Why a document is no index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// Over [`MAX_LEN`] bytes.
    #[error("it is larger than an index may be")]
    TooLarge,
    /// No JSON of the form above, or one that contradicts itself.
    #[error("it is not an index of revocations")]
    Malformed,
    /// Another version is known that is newer.
    #[error("it is older than what is known already")]
    OlderVersion,
}

impl IndexError {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            IndexError::TooLarge => "too_large",
            IndexError::Malformed => "malformed",
            IndexError::OlderVersion => "older_version",
        }
    }
}

/// The prefix of so many bits as it is written.
pub(super) fn prefix_text(prefix: u8, bits: u32) -> String {
    match bits {
        0 => String::new(),
        4 => format!("{prefix:x}"),
        _ => format!("{prefix:02x}"),
    }
}

impl Index {
    /// The index that this JSON is, with nothing in it that contradicts another. Members that we do not know are passed over.
    pub fn parse(json: &[u8]) -> Result<Index, IndexError> {
        if json.len() > MAX_LEN {
            return Err(IndexError::TooLarge);
        }
        let index: Index = serde_json::from_slice(json).map_err(|_| IndexError::Malformed)?;
        index.is_sound().then_some(index).ok_or(IndexError::Malformed)
    }

    /// Its JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and strings")
    }

    /// Every slice that it names.
    pub fn slices(&self) -> impl Iterator<Item = SliceRef> {
        let of = |layer: &IndexLayer| {
            let pieces = layer.full.iter().map(|piece| SliceRef { id: piece.id, bytes: piece.bytes });
            [layer.filter].into_iter().chain(pieces).collect::<Vec<_>>()
        };
        self.layers.iter().flat_map(of)
    }

    fn is_sound(&self) -> bool {
        let ranges = layers::ranges(self.version);
        let mut places = ranges.iter();
        // Each is one of the version's layers, in their order.
        let placed = self.layers.iter().all(|layer| places.any(|range| *range == (layer.from, layer.to)));
        let held = self.layers.iter().try_fold(0_u64, |sum, layer| sum.checked_add(layer.count));
        placed
            && self.layers.len() <= LAYERS
            && self.layers.iter().all(IndexLayer::is_sound)
            && held.is_some_and(|held| self.count <= held && self.removed.len() as u64 <= held)
            && self.removed.is_sorted_by(|a, b| a.0 < b.0)
    }
}

impl IndexLayer {
    fn is_sound(&self) -> bool {
        let bits = match self.full.len() {
            1 => 0,
            16 => 4,
            256 => 8,
            _ => return false,
        };
        let pieces = (0..=u8::MAX).zip(&self.full);
        let sound = pieces.clone().all(|(prefix, piece)| {
            let len = piece.count.checked_mul(size_of::<Entry>() as u64);
            piece.prefix == prefix_text(prefix, bits) && Some(piece.bytes) == len
        });
        let held = pieces.map(|(_, piece)| piece.count).try_fold(0_u64, u64::checked_add);
        sound
            && held == Some(self.count)
            && (1..=self.to.saturating_sub(self.from)).contains(&self.count)
            && self.filter.bytes <= filter::MAX_LEN
    }

    /// Where in `full` an entry is, if the layer holds it.
    pub(super) fn place(&self, entry: &Entry) -> usize {
        let bits = self.full.len().checked_ilog2().unwrap_or(0).min(8);
        (super::number(entry) >> 120) as usize >> (8 - bits)
    }
}
