//! The status lists of this node: made and signed where it may, by whichever node is the first, and kept for all who ask.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use tokio::sync::{Mutex, watch};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::App;
use crate::certificate::UnixSeconds;
use crate::config::Config;
use crate::keys::{Kid, PublicKey};
use crate::revocation::status_list::{self, Opened, place};
use crate::signed::Refusal;
use crate::store::{Settled, StoreError};

/// The lists are tended once in so many refreshes: each second, by the default settings.
const EVERY: u32 = 5;
/// A revocation that waits longer than this to be in its list is reported, in seconds.
const PROMISED_S: i64 = 30;

/// What this node knows of the lists.
#[derive(Default)]
pub struct StatusLists {
    kept: ArcSwap<BTreeMap<u64, Arc<SignedStatusList>>>,
    tended: Mutex<Tended>,
    /// Since when a revocation waits to be in its list, in seconds since 1970; 0 if none does.
    waits_since: AtomicI64,
}

/// Whoever tends the lists holds it.
#[derive(Default)]
struct Tended {
    /// Which token of each list was read last.
    seen: BTreeMap<u64, Uuid>,
    /// Up to which revocation event the lists are settled.
    reached: u64,
    /// Lists of which the newest token is not taken.
    refused: BTreeSet<u64>,
}

/// A list as a publisher signed it.
#[derive(Debug)]
pub struct SignedStatusList {
    uri: String,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
    signer: Kid,
    bytes: Bytes,
    tag: String,
}

impl SignedStatusList {
    /// The list in `token`, proved to be one of the signers'.
    fn open<'k>(
        token: Vec<u8>,
        signers: impl Iterator<Item = &'k PublicKey>,
        now: UnixSeconds,
    ) -> Result<SignedStatusList, Refusal> {
        let Opened { uri, issued_at, expires_at, signer } = status_list::open(&token, signers, now)?;
        let (uri, hash) = (uri.to_owned(), digest(&SHA256, &token));
        let tag = BASE64_URL_SAFE_NO_PAD.encode(hash.as_ref().get(..15).unwrap_or_default());
        Ok(SignedStatusList { uri, issued_at, expires_at, signer, bytes: token.into(), tag })
    }

    /// The token, byte for byte what every node serves.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What names these bytes, on every node.
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

/// Where all lists are named.
fn aggregation_uri(config: &Config) -> String {
    let url = config.http.public_url.as_str();
    format!("{}/v1/status-lists", if url.is_empty() { "http://localhost" } else { url })
}

/// Where a list is found.
fn uri(config: &Config, n: u64) -> String {
    format!("{}/{n}", aggregation_uri(config))
}

impl App {
    /// A list, as it was signed last; `None` if there is none of that number.
    pub fn status_list(&self, n: u64) -> Option<Arc<SignedStatusList>> {
        self.status_lists.kept.load().get(&n).cloned()
    }

    /// Where the lists are found that are there.
    pub fn status_list_uris(&self) -> Vec<String> {
        self.status_lists.kept.load().keys().map(|n| uri(&self.config, *n)).collect()
    }

    /// True if the log is long enough for such a list: if it is not there all the same, nobody could sign it.
    pub fn needs_status_list(&self, n: u64) -> bool {
        n <= self.last_status_list()
    }

    /// The list in which the next entry of the log will be: it is there before that.
    fn last_status_list(&self) -> u64 {
        place(self.log_head().map_or(0, |head| head.checkpoint.size)).0
    }

    /// Takes over the lists that were signed, and makes and signs those that are to be, if this node may sign and none other
    /// is at it.
    ///
    /// Errors: [`StoreError`]; what was served before still is.
    pub async fn tend_status_lists(&self) -> Result<(), StoreError> {
        let mut tended = self.status_lists.tended.lock().await;
        self.settle_status_lists(&mut tended).await?;
        let due = self.take_status_lists(&mut tended).await?;
        let Ok(key) = self.publisher_key() else { return Ok(()) };
        if due.is_empty() {
            return Ok(());
        }
        for n in due {
            let (uri, aggregation) = (uri(&self.config, n), aggregation_uri(&self.config));
            let (key, now) = (key.clone(), self.clock.now());
            let sign = move |invalid: &[u64]| status_list::sign(&uri, &aggregation, invalid.iter().copied(), now, &key);
            match self.store.sign_status_list(self.node, n, Arc::new(sign)).await? {
                Ok(true) if !*self.stop.borrow() => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(code = error.code(), "cannot sign a status list; what was signed before is served");
                    break;
                }
            }
        }
        self.take_status_lists(&mut tended).await?;
        Ok(())
    }

    /// Brings the revocations that are known here into the lists, and notes whether one waits.
    async fn settle_status_lists(&self, tended: &mut Tended) -> Result<(), StoreError> {
        let known = self.engine.revoked().version();
        if tended.reached < known {
            tended.reached = self.store.statuses_reached().await?;
        }
        while tended.reached < known && self.publisher_key().is_ok() && !*self.stop.borrow() {
            let Settled::UpTo { version, unlogged } = self.store.settle_statuses(self.node).await? else { break };
            if version == tended.reached {
                break; // the database has fewer events than we know: it was set back
            }
            tended.reached = version;
            if unlogged > 0 {
                tracing::error!(
                    unlogged,
                    "revoked certificates are in no transparency log; no status list tells of them"
                );
            }
        }
        let waits = &self.status_lists.waits_since;
        if tended.reached >= known {
            waits.store(0, Ordering::Relaxed);
        } else {
            let _ = waits.compare_exchange(0, self.clock.now().0.max(1), Ordering::Relaxed, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Takes over what was signed since the last time. Returns which lists are to be signed.
    async fn take_status_lists(&self, tended: &mut Tended) -> Result<Vec<u64>, StoreError> {
        let rows = self.store.status_lists(tended.seen.iter().map(|(n, token_id)| (*n, *token_id))).await?;
        let (trust, now) = (self.trust(), self.clock.now());
        let mut kept = BTreeMap::clone(&self.status_lists.kept.load());
        // Those of which the database has no token that is as it should be.
        let mut wanting: BTreeSet<u64> = (0..=self.last_status_list()).chain(kept.keys().copied()).collect();
        for row in rows {
            if let Some(token) = row.token {
                tended.seen.insert(row.n, row.token_id);
                match SignedStatusList::open(token, trust.publisher_keys(now), now) {
                    Ok(list) => {
                        tended.refused.remove(&row.n);
                        kept.insert(row.n, Arc::new(list));
                    }
                    Err(refusal) => {
                        tracing::warn!(
                            code = refusal.code(),
                            "a status list in the database is refused; what was served before still is"
                        );
                        tended.refused.insert(row.n);
                    }
                }
            }
            let is_good = |list: &Arc<SignedStatusList>| {
                list.uri == uri(&self.config, row.n)
                    && now.0 <= list.issued_at.0.midpoint(list.expires_at.0)
                    && trust.publisher_keys(now).any(|key| key.kid() == list.signer)
            };
            if !row.changed && !tended.refused.contains(&row.n) && kept.get(&row.n).is_some_and(is_good) {
                wanting.remove(&row.n);
            } else {
                wanting.insert(row.n);
            }
        }
        self.status_lists.kept.store(Arc::new(kept));
        Ok(wanting.into_iter().collect())
    }

    /// Tends the lists until `stop` says so. A failure is reported once, and once more when it is over.
    pub(super) async fn keep_status_lists(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(Duration::from_millis(self.config.cache.refresh_ms) * EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = ticks.tick() => {}
            }
            match self.tend_status_lists().await {
                Ok(()) if failing => tracing::info!("the status lists are tended again"),
                Ok(()) => {}
                Err(error) if failing => tracing::debug!(code = error.code(), "still cannot tend the status lists"),
                Err(error) => {
                    tracing::error!(code = error.code(), cause = %error, "cannot tend the status lists; what was signed is served");
                    failing = true;
                    continue;
                }
            }
            failing = false;
        }
    }

    /// True if a revocation waits longer than it may to be in its list.
    pub(super) fn status_lists_are_late(&self) -> bool {
        let since = self.status_lists.waits_since.load(Ordering::Relaxed);
        since != 0 && self.clock.now().0 - since > PROMISED_S
    }
}
