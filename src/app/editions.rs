//! The editions of the list of revocations that are served: the newest, and the slices of those before it.
//!
//! An edition is made when the list's version has moved, on a thread of its own, a second or more after the last one. Who has
//! an index in hand may still fetch its slices: earlier editions are kept as long as what they have alone is not too much.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use super::{App, StartError};
use crate::revocation::{Edition, Slice, SliceId};

/// Between two editions: a list of thousands that is revoked row by row is not cut at every row.
const GAP: Duration = Duration::from_secs(1);
/// How much of memory slices may take that only earlier editions have.
const KEPT_BYTES: u64 = 64 << 20;

/// The newest edition, and earlier ones.
pub struct Editions {
    kept: ArcSwap<Kept>,
    /// The list's version has moved.
    moved: Notify,
}

#[derive(Default)]
struct Kept {
    newest: Arc<Edition>,
    /// From the newest to the oldest, each with the bytes that the next one has no more.
    earlier: Vec<(Arc<Edition>, u64)>,
}

impl Default for Editions {
    /// Of a list on which nothing ever stood.
    fn default() -> Editions {
        Editions { kept: ArcSwap::default(), moved: Notify::new() }
    }
}

impl Editions {
    /// The newest one.
    pub fn newest(&self) -> Arc<Edition> {
        Arc::clone(&self.kept.load().newest)
    }

    /// The slice of this name, if the newest edition or an earlier one has it.
    pub fn slice(&self, id: &SliceId) -> Option<Arc<Slice>> {
        let kept = self.kept.load();
        let mut editions = [&kept.newest].into_iter().chain(kept.earlier.iter().map(|(edition, _)| edition));
        editions.find_map(|edition| edition.slice(id)).cloned()
    }

    fn publish(&self, edition: Edition) {
        let kept = self.kept.load();
        let lost = |slice: &&Arc<Slice>| edition.slice(&slice.id()).is_none();
        let bytes = kept.newest.slices().filter(lost).map(|slice| slice.bytes().len() as u64).sum::<u64>();
        let mut earlier = vec![(Arc::clone(&kept.newest), bytes)];
        let mut sum = bytes;
        // The last one is kept in any case: it was in force a moment ago.
        earlier.extend(kept.earlier.iter().cloned().take_while(|(_, bytes)| {
            sum += bytes;
            sum <= KEPT_BYTES
        }));
        self.kept.store(Arc::new(Kept { newest: Arc::new(edition), earlier }));
    }
}

impl App {
    /// The editions of the list of revocations.
    pub fn editions(&self) -> &Editions {
        &self.editions
    }

    /// Has a new edition made if the list's version has moved.
    pub(super) fn tell_editions(&self) {
        if self.engine.revoked().version() != self.editions.newest().index().version {
            self.editions.moved.notify_one();
        }
    }

    /// Makes the edition of the list as it is.
    pub(super) async fn make_edition(&self) -> Result<(), StartError> {
        let (set, last) = (self.engine.revoked(), self.editions.newest());
        if set.version() == last.index().version {
            return Ok(());
        }
        let edition = tokio::task::spawn_blocking(move || Edition::new(&set, &last));
        self.editions.publish(edition.await.map_err(|_| StartError::Interrupted)?);
        Ok(())
    }

    /// Makes editions until `stop` says so.
    pub(super) async fn keep_editions(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.editions.moved.notified() => {}
            }
            if let Err(error) = self.make_edition().await {
                tracing::error!(
                    code = error.code(),
                    "no index of revocations for this version; the last one is served"
                );
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(GAP) => {}
            }
        }
    }
}
