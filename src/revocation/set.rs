//! What is revoked after so many events, in layers; extending it by one copies the top layer only.

use std::collections::HashMap;
use std::sync::Arc;

use super::layers::{self, LAYERS};
use super::run::Run;
use super::{Change, Entry};

/// An immutable set of what is revoked, with the version of the registry's list that it holds.
///
/// Cheap to clone. Changes may be put ahead of the version: they are in force here before the list says so.
#[derive(Clone, Debug, Default)]
pub struct RevocationSet {
    version: u64,
    /// How many are revoked as of the version.
    count: usize,
    /// From the bottom to the top, as [`layers`] has them. Shared with those who serve them.
    layers: [Arc<Run>; LAYERS],
    /// What a layer but the top holds and is revoked no longer.
    removed: Arc<Run>,
    /// What is revoked ahead of the version,
    ahead: Arc<Run>,
    /// and what is revoked no longer.
    undone: Arc<Run>,
}

impl RevocationSet {
    /// This set after `events`, with their versions and in their order; those that it knows are passed over.
    pub fn after(&self, events: &[(u64, Change)]) -> RevocationSet {
        let mut next = self.clone();
        let events = events.get(events.partition_point(|(version, _)| *version <= self.version)..).unwrap_or_default();
        // No multiple of a block is passed within one of these.
        let block = |(version, _): &(u64, Change)| version.saturating_sub(1) / layers::BLOCKS[LAYERS - 2];
        for events in events.chunk_by(|a, b| block(a) == block(b)) {
            let (Some((first, _)), Some((last, _))) = (events.first(), events.last()) else { continue };
            next.advance(first - 1);
            next.apply(events);
            next.advance(*last);
        }
        next
    }

    /// This set with `changes` ahead of its version, one after the other, until their events come.
    pub fn with_ahead(&self, changes: &[Change]) -> RevocationSet {
        let mut last: HashMap<Entry, bool> =
            changes.iter().map(|change| change.outcome()).map(|(e, r)| (*e, r)).collect();
        last.retain(|entry, revoked| !(if *revoked { &self.ahead } else { &self.undone }).contains(entry));
        if last.is_empty() {
            return self.clone();
        }
        let put = |run: &Run, wanted: bool| {
            let more = last.iter().filter(|(_, revoked)| **revoked == wanted).map(|(entry, _)| *entry);
            Arc::new(run.changed(|entry| last.contains_key(entry), more))
        };
        RevocationSet { ahead: put(&self.ahead, true), undone: put(&self.undone, false), ..self.clone() }
    }

    /// This set with `changes` ahead of its version, as a look at the list found them that began with `before`. What was put
    /// ahead since then is later than the look, and stays.
    pub fn with_found(&self, before: &RevocationSet, changes: &[Change]) -> RevocationSet {
        let is_later = |entry: &Entry| {
            (self.ahead.contains(entry) && !before.ahead.contains(entry))
                || (self.undone.contains(entry) && !before.undone.contains(entry))
        };
        let changes: Vec<Change> = changes.iter().filter(|change| !is_later(change.outcome().0)).copied().collect();
        self.with_ahead(&changes)
    }

    /// This set without what it holds ahead and should not: `before`, when a look at the whole list began that now ends, held
    /// it ahead too, and the list has it not among the `unnumbered`. So its event came, or came before it was put ahead.
    pub fn settled(&self, before: &RevocationSet, unnumbered: &[Change]) -> RevocationSet {
        let unnumbered: Run = unnumbered.iter().map(|change| *change.outcome().0).collect();
        let settle = |now: &Arc<Run>, before: &Run| {
            let idle = |entry: &Entry| before.contains(entry) && !unnumbered.contains(entry);
            if now.entries().iter().any(idle) { Arc::new(now.changed(idle, [])) } else { Arc::clone(now) }
        };
        let ahead = settle(&self.ahead, &before.ahead);
        RevocationSet { ahead, undone: settle(&self.undone, &before.undone), ..self.clone() }
    }

    /// True if a change is ahead of the version.
    pub fn is_ahead(&self) -> bool {
        !self.ahead.is_empty() || !self.undone.is_empty()
    }

    /// True if the certificate is revoked.
    #[inline]
    pub fn contains(&self, entry: &Entry) -> bool {
        self.ahead.contains(entry) || (self.is_listed(entry) && !self.undone.contains(entry))
    }

    /// The version of the list that this set holds.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many are revoked, with what is ahead of the version.
    pub fn len(&self) -> usize {
        let more = self.ahead.entries().iter().filter(|entry| !self.is_listed(entry)).count();
        let fewer = self.undone.entries().iter().filter(|entry| self.is_listed(entry)).count();
        self.count + more - fewer
    }

    /// True if none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are revoked as of the version.
    pub fn listed(&self) -> usize {
        self.count
    }

    /// The layers as of the version, from the bottom to the top: between which versions, and what.
    pub fn layers(&self) -> impl Iterator<Item = (u64, u64, &Arc<Run>)> {
        layers::ranges(self.version).into_iter().zip(&self.layers).map(|((from, to), run)| (from, to, run))
    }

    /// What a layer holds though it is revoked no longer.
    pub fn removed(&self) -> &Arc<Run> {
        &self.removed
    }

    /// Bytes that it takes in memory, all told.
    pub fn bytes(&self) -> usize {
        let runs = self.layers.iter().chain([&self.removed, &self.ahead, &self.undone]);
        size_of::<Self>() + runs.map(|run| size_of::<Run>() + run.bytes()).sum::<usize>()
    }

    /// The set as an index and its whole layers give it. `layers`, `removed`: as [`Self::layers`] and [`Self::removed`].
    pub(super) fn of_layers(version: u64, count: usize, layers: [Arc<Run>; LAYERS], removed: Arc<Run>) -> Self {
        RevocationSet { version, count, layers, removed, ..RevocationSet::default() }
    }

    #[inline]
    fn is_listed(&self, entry: &Entry) -> bool {
        let [lower @ .., top] = &self.layers;
        top.contains(entry) || (lower.iter().any(|run| run.contains(entry)) && !self.removed.contains(entry))
    }

    /// Takes over events of one block, but for the version.
    fn apply(&mut self, events: &[(u64, Change)]) {
        // Whether it is revoked after the events, for each entry that one of them changes something for.
        let mut changed: HashMap<Entry, bool> = HashMap::new();
        for (entry, revoked) in events.iter().map(|(_, change)| change.outcome()) {
            if changed.get(entry).copied().unwrap_or_else(|| self.is_listed(entry)) != revoked {
                changed.insert(*entry, revoked);
                self.count = if revoked { self.count + 1 } else { self.count.saturating_sub(1) };
            }
        }
        let now = |wanted: bool| changed.iter().filter(move |(_, is)| **is == wanted).map(|(entry, _)| *entry);
        let [lower @ .., top] = &mut self.layers;
        *top = Arc::new(top.changed(|entry| changed.contains_key(entry), now(true)));
        let fallen: Vec<Entry> = now(false).filter(|entry| lower.iter().any(|run| run.contains(entry))).collect();
        if !fallen.is_empty() || changed.keys().any(|entry| self.removed.contains(entry)) {
            self.removed = Arc::new(self.removed.changed(|entry| changed.contains_key(entry), fallen));
        }
        if self.is_ahead() {
            // By the last event of each: one before it that says the same is not what was put ahead, perhaps.
            let last: HashMap<&Entry, bool> = events.iter().map(|(_, change)| change.outcome()).collect();
            for (run, wanted) in [(&mut self.ahead, true), (&mut self.undone, false)] {
                let came = |entry: &Entry| last.get(entry) == Some(&wanted);
                if run.entries().iter().any(came) {
                    *run = Arc::new(run.changed(came, []));
                }
            }
        }
    }

    /// Goes on to `version`, with no event on the way: the layer that grows takes in those above it.
    fn advance(&mut self, version: u64) {
        if let Some(layer) = layers::grows(self.version, version) {
            let (lower, upper) = self.layers.split_at_mut(layer);
            let removed = Arc::clone(&self.removed);
            let entries = upper.iter_mut().map(std::mem::take).collect::<Vec<_>>();
            let held = entries.iter().flat_map(|run| run.entries()).filter(|entry| !removed.contains(entry));
            let grown = Arc::new(held.copied().collect::<Run>());
            if let Some(first) = upper.first_mut() {
                *first = grown;
            }
            if !removed.is_empty() {
                let is_held = |entry: &Entry| lower.iter().any(|run| run.contains(entry));
                self.removed = Arc::new(removed.changed(|entry| !is_held(entry), []));
            }
        }
        self.version = version;
    }
}

/// The entries revoked one after the other, from version 1 on.
impl FromIterator<Entry> for RevocationSet {
    fn from_iter<T: IntoIterator<Item = Entry>>(entries: T) -> Self {
        RevocationSet::default().after(&(1..).zip(entries.into_iter().map(Change::Add)).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests;
