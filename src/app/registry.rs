//! Whether the registry knows a certificate that an own key signed: one that it does not was signed behind its back.
//!
//! Asked when a proof is new, of many texts together, in bounded time; what cannot be asked is not known, and nobody waits for
//! it. It is asked of the database that certificates are written to, and they are handed out after that: what was issued a moment
//! ago is known.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::certificate::Uvci;
use crate::store::{GroupCommit, GroupCommitSettings, Store};

/// How long a verdict waits for the registry.
const PATIENCE: Duration = Duration::from_millis(100);
/// For how long it is not asked after it did not answer.
const REST: Duration = Duration::from_secs(1);
/// Waiting at most; asked together at most; questions at once.
const SETTINGS: GroupCommitSettings = GroupCommitSettings { queue: 2_048, batch: 256, workers: 2 };

/// Asks the registry for certificates by their names.
pub struct Registry {
    asked: GroupCommit<Uvci, Option<bool>>,
    rests_until: Mutex<Option<Instant>>,
}

impl Registry {
    /// The registry in `store`. Must be made within a tokio runtime.
    pub fn new(store: Store) -> Registry {
        let asked = GroupCommit::new(SETTINGS, move |uvcis: Vec<Uvci>| {
            let store = store.clone();
            async move { ask(&store, &uvcis).await }
        });
        Registry { asked, rests_until: Mutex::default() }
    }

    /// Whether the registry knows a certificate of this name; `None` if it does not say so in time.
    pub async fn knows(&self, uvci: Uvci) -> Option<bool> {
        if self.rests_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let answer = tokio::time::timeout(PATIENCE, self.asked.submit(uvci)).await;
        let known = answer.ok().and_then(Result::ok).flatten();
        let rests_until = known.is_none().then(|| Instant::now() + REST);
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = rests_until;
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
