//! Which certificates are no longer accepted: an immutable snapshot that answers `contains`. Uses nothing of ours.

pub mod foreign;

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use aws_lc_rs::digest::{SHA256, digest};

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

/// What happens to the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// The entry is revoked from now on.
    Add(Entry),
    /// It no longer is: its revocation was undone, or another country's batch expired.
    Remove(Entry),
}

/// An immutable set of revoked certificates, with the version of the registry's list that it holds.
#[derive(Clone, Debug, Default)]
pub struct RevocationSet {
    version: u64,
    entries: HashSet<Entry, BuildHasherDefault<FirstBytes>>,
}

impl RevocationSet {
    /// The set of `entries` at `version`.
    pub fn new(version: u64, entries: impl IntoIterator<Item = Entry>) -> Self {
        RevocationSet { version, entries: entries.into_iter().collect() }
    }

    /// This set after `changes`, one after the other, at `version`.
    pub fn changed(&self, version: u64, changes: &[Change]) -> Self {
        let mut next = self.clone();
        next.version = version;
        for change in changes {
            match change {
                Change::Add(entry) => next.entries.insert(*entry),
                Change::Remove(entry) => next.entries.remove(entry),
            };
        }
        next
    }

    /// True if the certificate is revoked.
    pub fn contains(&self, entry: &Entry) -> bool {
        self.entries.contains(entry)
    }

    /// The version of the list that this set holds.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many certificates are revoked.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Entries come from the registry and are SHA-256 already: their first bytes are as good as any hash of them.
#[derive(Clone, Copy, Debug, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _len: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_what_was_put_in_and_nothing_else() {
        let uvcis: Vec<String> = (0..1000).map(|i| format!("URN:UVCI:01:VN:{i:032X}")).collect();
        let (odd, even): (Vec<_>, Vec<_>) =
            uvcis.iter().map(|uvci| entry(uvci)).enumerate().partition(|(i, _)| i % 2 == 1);
        let set = RevocationSet::new(7, even.iter().map(|(_, entry)| *entry));
        assert_eq!((set.version(), set.len()), (7, 500));
        assert!(even.iter().all(|(_, entry)| set.contains(entry)) && !odd.iter().any(|(_, entry)| set.contains(entry)));
        let changes: Vec<Change> = odd.iter().map(|(_, entry)| Change::Add(*entry)).collect();
        let more = set.changed(8, &changes);
        assert_eq!((more.version(), more.len(), set.len()), (8, 1000, 500));
        let (first, second) = (odd[0].1, odd[1].1);
        let less = more.changed(9, &[Change::Remove(first), Change::Remove(second), Change::Add(second)]);
        assert!(!less.contains(&first) && less.contains(&second) && less.len() == 999, "the last change counts");
    }
}
