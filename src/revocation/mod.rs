//! Which certificates are no longer accepted: the set that a node asks, and what an offline verifier is given of it.
//!
//! What is revoked is a sequence of numbered events, each of which adds an [`Entry`] or takes one back. [`RevocationSet`]
//! holds what is true after some of them, in [`layers`] that are a pure function of the events, so that every node makes the
//! same. [`Edition`] cuts the layers into slices that never change, named by their SHA-256, and [`Index`] lists them:
//! signed, it signs them all. [`OfflineRevocations`] is the other side. [`foreign`] reads what other countries revoked,
//! and [`status_list`] says what we did in a standard form.

pub mod edition;
pub mod filter;
pub mod foreign;
pub mod index;
pub mod layers;
pub mod offline;
pub mod run;
mod set;
pub mod status_list;

use aws_lc_rs::digest::{SHA256, digest};

pub use edition::{Edition, Slice};
pub use index::{Index, IndexError, SliceId};
pub use offline::{OfflineAnswer, OfflineRevocations, SliceError, Update};
pub use set::RevocationSet;

/// What stands for a certificate in the set: SHA-256 of its upper-case UVCI text, cut to 16 bytes. Source: EU revocation
/// batches of type UCI; our UVCIs are random, so it reveals nobody.
pub type Entry = [u8; 16];

/// The entry of a UVCI.
///
/// `uvci`: upper case, without its check character, as [`crate::certificate::Certificate::uvci`] holds it.
pub fn entry(uvci: &str) -> Entry {
    cut(uvci.as_bytes())
}

/// SHA-256 of `bytes`, cut to an entry.
fn cut(bytes: &[u8]) -> Entry {
    let mut entry = [0; 16];
    entry.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    entry
}

/// What an event does. Adding what is there, or removing what is not, changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// The entry is revoked from now on.
    Add(Entry),
    /// It no longer is: its revocation was undone, or another country's batch expired.
    Remove(Entry),
}

impl Change {
    /// Whom it is about, and whether it is revoked from now on.
    fn outcome(&self) -> (&Entry, bool) {
        match self {
            Change::Add(entry) => (entry, true),
            Change::Remove(entry) => (entry, false),
        }
    }
}

/// Entries as one reads them: a big-endian number orders as the bytes do.
fn number(entry: &Entry) -> u128 {
    u128::from_be_bytes(*entry)
}

/// The key of an entry in a filter and in an index of buckets: its first eight bytes as a big-endian number.
pub fn key(entry: &Entry) -> u64 {
    (number(entry) >> 64) as u64
}
