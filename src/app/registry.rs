//! Whether the registry knows a certificate that an own key signed: one that it does not was signed behind its back.
//!
//! Asked when a proof is new, of many texts together; what is not answered in a tenth of a second is not known, and nobody waits for
//! more. It is asked of the database that certificates are written to, and they are handed out after that: what was issued a moment
//! ago is known.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::certificate::Uvci;
use crate::store::{GroupCommit, GroupCommitSettings, Store};

/// How long a verdict waits for the registry.
const PATIENCE: Duration = Duration::from_millis(100);
/// For how long it is not asked after it did not answer. Then one asks alone; the others rest on until that one has its answer.
const REST: Duration = Duration::from_secs(1);
/// Waiting at most; asked together at most; questions at once.
const SETTINGS: GroupCommitSettings = GroupCommitSettings { queue: 2_048, batch: 256, workers: 2 };

/// Batches ask once in this time, each of a chunk of lines: what they ask takes no more of the database than that, whatever
/// comes in.
const BATCH_EVERY: Duration = Duration::from_millis(10);

/// Asks the registry for certificates by their names.
pub struct Registry {
    store: Store,
    asked: GroupCommit<Uvci, Option<bool>>,
    turns: Mutex<Turns>,
}

/// Until when nobody asks, and until when no batch does.
#[derive(Default)]
struct Turns {
    rests_until: Option<Instant>,
    batch_from: Option<Instant>,
}

impl Turns {
    /// Whether one who would ask now may. The first after a rest begins the next one, which an answer ends.
    fn may_ask(&mut self, now: Instant) -> bool {
        match self.rests_until {
            Some(until) if now < until => false,
            Some(_) => {
                self.rests_until = Some(now + REST);
                true
            }
            None => true,
        }
    }
}

impl Registry {
    /// The registry in `store`. Must be made within a tokio runtime.
    pub fn new(store: Store) -> Registry {
        let asking = store.clone();
        let asked = GroupCommit::new(SETTINGS, move |uvcis: Vec<Uvci>| {
            let store = asking.clone();
            async move { ask(&store, &uvcis).await }
        });
        Registry { store, asked, turns: Mutex::default() }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the registry knows a certificate of this name; `None` if it does not say so in time.
    pub async fn knows(&self, uvci: Uvci) -> Option<bool> {
        if !self.turns().may_ask(Instant::now()) {
            return None;
        }
        let answer = tokio::time::timeout(PATIENCE, self.asked.submit(uvci)).await;
        let known = answer.ok().and_then(Result::ok).flatten();
        self.note(known.is_some());
        known
    }

    /// Goes on, or rests, by whether it answered.
    fn note(&self, answered: bool) {
        self.turns().rests_until = (!answered).then(|| Instant::now() + REST);
    }

    /// Whether a batch may ask now; the next one may a while later. Who has a turn asks.
    pub fn has_turn(&self) -> bool {
        let (mut turns, now) = (self.turns(), Instant::now());
        let has = turns.batch_from.is_none_or(|from| now >= from) && turns.may_ask(now);
        if has {
            turns.batch_from = Some(now + BATCH_EVERY);
        }
        has
    }

    /// Which of these the registry knows, one at least, in their order; all `None` if it does not say so in time. Ask for a turn
    /// first.
    pub async fn know(&self, uvcis: &[Uvci]) -> Vec<Option<bool>> {
        let answer = tokio::time::timeout(PATIENCE, ask(&self.store, uvcis)).await;
        let known = answer.unwrap_or_else(|_| vec![None; uvcis.len()]);
        self.note(known.iter().any(Option::is_some));
        known
    }

    /// Answers what is asked, and takes no more questions.
    pub async fn drain(&self) {
        self.asked.drain().await;
    }
}

async fn ask(store: &Store, uvcis: &[Uvci]) -> Vec<Option<bool>> {
    let names: Vec<&[u8]> = uvcis.iter().map(|uvci| uvci.0.as_slice()).collect();
    match store.known_certificates(&names).await {
        Ok(known) => {
            let known: HashSet<Vec<u8>> = known.into_iter().collect();
            names.iter().map(|name| Some(known.contains(*name))).collect()
        }
        Err(error) => {
            tracing::debug!(code = error.code(), "cannot ask whether certificates are known");
            vec![None; uvcis.len()]
        }
    }
}
