//! What somebody knows who has an index and its slices, and no node to ask.
//!
//! In this order: an entry in `removed` is not revoked. One that no layer's filter holds is not revoked. Where a filter holds
//! it and the full slice with its prefix is at hand, that slice says whether it is. Else it is unconfirmed, to be checked on
//! line: a filter errs once in 65,536, and nobody is refused by that.
//!
//! A new index is taken by an [`Update`], which has what is known already and asks for what is missing. Until it is finished,
//! the old state answers; a slice whose bytes are not the index's changes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::filter::Filter;
use super::index::{Index, IndexError, IndexLayer, SliceId, SliceRef};
use super::layers::{self, LAYERS};
use super::run::Run;
use super::{Entry, RevocationSet};

/// What is known of a certificate off line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfflineAnswer {
    /// It is not revoked, as of the index.
    NotRevoked,
    /// It is revoked.
    Revoked,
    /// A filter holds it, and the full slice that would confirm it is not at hand.
    Unconfirmed,
}

/// Why bytes are not taken as a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SliceError {
    /// The index names no slice with this digest: they were changed on the way, or are of another index.
    #[error("the index does not name these bytes")]
    UnknownSlice,
    /// They are no filter, or no sorted entries in the number that the index says.
    #[error("the slice is not what the index says")]
    Malformed,
    /// Slices are missing still.
    #[error("a slice is missing")]
    Missing,
}

impl SliceError {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            SliceError::UnknownSlice => "unknown_slice",
            SliceError::Malformed => "malformed_slice",
            SliceError::Missing => "missing_slice",
        }
    }
}

/// A slice whose bytes were found to be what the index says.
#[derive(Clone, Debug)]
enum Known {
    Filter(Arc<[u8]>),
    Full(Arc<Run>),
}

/// What is revoked as of an index, as far as its slices are at hand: every filter, and some full slices.
#[derive(Clone, Debug, Default)]
pub struct OfflineRevocations {
    index: Arc<Index>,
    removed: Run,
    known: HashMap<SliceId, Known>,
}

impl OfflineRevocations {
    /// The version that it is as of.
    pub fn version(&self) -> u64 {
        self.index.version
    }

    /// How many are revoked.
    pub fn count(&self) -> u64 {
        self.index.count
    }

    /// What is known of a certificate.
    pub fn answer(&self, entry: &Entry) -> OfflineAnswer {
        if self.removed.contains(entry) {
            return OfflineAnswer::NotRevoked;
        }
        let mut answer = OfflineAnswer::NotRevoked;
        for layer in self.index.layers.iter().filter(|layer| self.is_hit(layer, entry)) {
            match layer.full.get(layer.place(entry)).and_then(|piece| self.known.get(&piece.id)) {
                Some(Known::Full(run)) if run.contains(entry) => return OfflineAnswer::Revoked,
                Some(Known::Full(_)) => {}
                _ => answer = OfflineAnswer::Unconfirmed,
            }
        }
        answer
    }

    /// The full slices that would confirm a hit of this entry and are not at hand.
    pub fn to_confirm(&self, entry: &Entry) -> Vec<SliceRef> {
        let hits = self.index.layers.iter().filter(|layer| self.is_hit(layer, entry));
        let pieces = hits.filter_map(|layer| layer.full.get(layer.place(entry)));
        let missing = pieces.filter(|piece| !self.known.contains_key(&piece.id));
        missing.map(|piece| SliceRef { id: piece.id, bytes: piece.bytes }).collect()
    }

    /// An update to `index`, with the slices of this one that it still names. Errors: [`IndexError::OlderVersion`].
    ///
    /// `index`: by [`Index::parse`], out of a signed resource whose signature the caller has proved.
    pub fn update(&self, index: Index) -> Result<Update, IndexError> {
        if index.version < self.index.version {
            return Err(IndexError::OlderVersion);
        }
        let named = index.slices().filter_map(|slice| Some((slice.id, self.known.get(&slice.id)?.clone())));
        let known = named.collect();
        let removed = index.removed.iter().map(|entry| entry.0).collect();
        Ok(Update { next: OfflineRevocations { index: Arc::new(index), removed, known } })
    }

    /// The set, once every full slice is at hand: it goes on with the events after its version.
    pub fn to_set(&self) -> Option<RevocationSet> {
        let mut runs: [Arc<Run>; LAYERS] = Default::default();
        for layer in &self.index.layers {
            let mut entries = Vec::with_capacity(usize::try_from(layer.count).ok()?);
            for piece in &layer.full {
                let Known::Full(run) = self.known.get(&piece.id)? else { return None };
                entries.extend_from_slice(run.entries());
            }
            let at = layers::ranges(self.index.version).iter().position(|range| *range == (layer.from, layer.to))?;
            *runs.get_mut(at)? = Arc::new(Run::new(entries));
        }
        let count = usize::try_from(self.index.count).ok()?;
        Some(RevocationSet::of_layers(self.index.version, count, runs, Arc::new(self.removed.clone())))
    }

    /// Every slice at hand, for who keeps them: its name and its bytes.
    pub fn slices(&self) -> impl Iterator<Item = (SliceId, &[u8])> {
        self.known.iter().map(|(id, known)| match known {
            Known::Filter(bytes) => (*id, bytes.as_ref()),
            Known::Full(run) => (*id, run.entries().as_flattened()),
        })
    }

    fn is_hit(&self, layer: &IndexLayer, entry: &Entry) -> bool {
        match self.known.get(&layer.filter.id) {
            Some(Known::Filter(bytes)) => Filter::parse(bytes).is_ok_and(|filter| filter.may_contain(entry)),
            // Not met: an update is finished with every filter. Without one nothing is certain.
            _ => true,
        }
    }

    fn missing_filters(&self) -> impl Iterator<Item = SliceRef> {
        self.index.layers.iter().map(|layer| layer.filter).filter(|slice| !self.known.contains_key(&slice.id))
    }
}

/// A new index, and what of its slices is at hand.
#[derive(Clone, Debug)]
pub struct Update {
    next: OfflineRevocations,
}

impl Update {
    /// The filters that are missing: without them the update cannot be finished.
    pub fn missing(&self) -> Vec<SliceRef> {
        self.next.missing_filters().collect()
    }

    /// The full slices that are missing: with them hits are confirmed off line.
    pub fn missing_full(&self) -> Vec<SliceRef> {
        let pieces = self.next.index.layers.iter().flat_map(|layer| &layer.full);
        let missing = pieces.filter(|piece| !self.next.known.contains_key(&piece.id));
        missing.map(|piece| SliceRef { id: piece.id, bytes: piece.bytes }).collect()
    }

    /// Takes one slice, whichever it is. Errors: [`SliceError::UnknownSlice`], [`SliceError::Malformed`].
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), SliceError> {
        let id = SliceId::of(bytes);
        let known = self.next.index.layers.iter().find_map(|layer| read(layer, id, bytes));
        self.next.known.insert(id, known.ok_or(SliceError::UnknownSlice)??);
        Ok(())
    }

    /// The new state. Errors: [`SliceError::Missing`].
    pub fn finish(self) -> Result<OfflineRevocations, SliceError> {
        if self.next.missing_filters().next().is_some() {
            return Err(SliceError::Missing);
        }
        Ok(self.next)
    }
}

/// The slice that these bytes are in the layer; `None` if the layer names none of this digest.
fn read(layer: &IndexLayer, id: SliceId, bytes: &[u8]) -> Option<Result<Known, SliceError>> {
    if layer.filter.id == id {
        let is_filter = layer.filter.bytes == bytes.len() as u64 && Filter::parse(bytes).is_ok();
        return Some(is_filter.then(|| Known::Filter(bytes.into())).ok_or(SliceError::Malformed));
    }
    let at = layer.full.iter().position(|piece| piece.id == id)?;
    let (entries, rest) = bytes.as_chunks::<{ size_of::<Entry>() }>();
    let is_full = rest.is_empty()
        && layer.full.get(at).is_some_and(|piece| piece.count == entries.len() as u64)
        && entries.is_sorted_by(|a, b| a < b)
        && entries.iter().all(|entry| layer.place(entry) == at);
    Some(is_full.then(|| Known::Full(Arc::new(Run::new(entries.to_vec())))).ok_or(SliceError::Malformed))
}

#[cfg(test)]
mod tests;
