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

/// In this time batches ask once, of a chunk of lines, and single texts [`SINGLES`] times: what is asked takes no more of the
/// database than that, and no more of the time of verdicts, whatever comes in.
const TURN: Duration = Duration::from_millis(10);
/// Two thousand new proofs a second are more than a country's checkpoints bring to a node; of a flood some are asked.
const SINGLES: u32 = 20;

/// Asks the registry for certificates by their names.
pub struct Registry {
    store: Store,
    asked: GroupCommit<Uvci, Option<bool>>,
    turns: Mutex<Turns>,
}

/// Until when nobody asks, until when no batch does, and how many single texts were asked since when.
#[derive(Default)]
struct Turns {
    rests_until: Option<Instant>,
    batch_from: Option<Instant>,
    singles: Option<(Instant, u32)>,
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

    /// Whether one more single text may be asked now.
    fn single(&mut self, now: Instant) -> bool {
        match &mut self.singles {
            Some((since, asked)) if now.duration_since(*since) < TURN => {
                *asked = asked.saturating_add(1);
                if *asked > SINGLES {
                    return false;
                }
            }
            singles => *singles = Some((now, 1)),
        }
        self.may_ask(now)
    }

    /// Whether a batch may ask now.
    fn batch(&mut self, now: Instant) -> bool {
        let has = self.batch_from.is_none_or(|from| now >= from) && self.may_ask(now);
        if has {
            self.batch_from = Some(now + TURN);
        }
        has
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

    /// Whether the registry knows a certificate of this name; `None` if it does not say so in time, or was asked too often.
    pub async fn knows(&self, uvci: Uvci) -> Option<bool> {
        if !self.turns().single(Instant::now()) {
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
        self.turns().batch(Instant::now())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_single_texts_are_asked_in_a_turn_and_no_more() {
        let (mut turns, start) = (Turns::default(), Instant::now());
        for _ in 0..SINGLES {
            assert!(turns.single(start));
        }
        assert!(!turns.single(start));
        assert!(!turns.single(start + TURN - Duration::from_nanos(1)));
        assert!(turns.single(start + TURN));
    }

    #[test]
    fn a_batch_has_a_turn_once_in_a_while_and_after_a_rest_one_asks_alone() {
        let (mut turns, start) = (Turns::default(), Instant::now());
        assert!(turns.batch(start));
        assert!(!turns.batch(start + TURN - Duration::from_nanos(1)));
        assert!(turns.batch(start + TURN));
        turns.rests_until = Some(start + REST);
        assert!(!turns.single(start + REST - Duration::from_nanos(1)));
        assert!(turns.single(start + REST), "one finds out whether it answers");
        assert!(!turns.single(start + REST), "the others rest on until that one knows");
    }
}
