//! Citizens' sessions that are over before their time. A session is a sealed text that no table knows; what is kept is which
//! accounts were ended lately, for as long as an earlier session could live: a look at it costs no look at the database.

use std::collections::HashMap;

use arc_swap::ArcSwap;
use uuid::Uuid;

use super::App;
use crate::store::StoreError;

/// The accounts that were ended lately, each with the epoch that stands now.
#[derive(Default)]
pub struct EndedSessions {
    epochs: ArcSwap<HashMap<Uuid, i64>>,
    /// Held while they are read: what is read later replaces what was read before.
    reading: tokio::sync::Mutex<()>,
}

impl EndedSessions {
    /// Whether a session of `account` that began in `epoch` is over.
    pub fn is_over(&self, account: Uuid, epoch: i64) -> bool {
        self.epochs.load().get(&account).is_some_and(|now| epoch < *now)
    }
}

impl App {
    /// Takes over which sessions were ended. Other nodes do within `cache.refresh_ms`.
    pub async fn refresh_sessions(&self) -> Result<(), StoreError> {
        let _reading = self.ended_sessions.reading.lock().await;
        let ended = self.store.ended_sessions(self.clock.now(), self.config.citizens.session_s).await?;
        self.ended_sessions.epochs.store(ended.into_iter().collect::<HashMap<_, _>>().into());
        Ok(())
    }
}
