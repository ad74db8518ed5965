//! Keeping the engine's snapshots fresh: the trust list and the rules by their version rows, revocations by polling the outbox.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::{App, Engine, StartError};
use crate::certificate::UnixSeconds;
use crate::ed25519;
use crate::policy::{Rules, RulesDocument};
use crate::store::{IssuerKeyRow, Store, StoreError};
use crate::trust::TrustList;

/// Revocations read at a time: a node that starts reads all of them.
const PAGE: i64 = 10_000;
/// What falls due with time is looked for once in so many refreshes; corrections past their deadline so many at a time.
const DEADLINES_EVERY: u32 = 25;
const DEADLINES_PAGE: i64 = 500;
/// Within this a revocation is in force on every node: one that was refreshed longer ago says so in its verdicts.
const IN_STEP: Duration = Duration::from_secs(1);
/// How often histograms are folded, so that they stay small.
const UPKEEP: Duration = Duration::from_secs(5);

impl Engine {
    /// Reads what is new in `store`: gives versions to revocations that have none, then takes over revocations, keys and rules.
    ///
    /// `node`: this process. Another may hold the lease: then it gives the versions, and we read them. A revocation, and its
    /// undoing, is in force here whether or not it has one yet: the version says what a poller has seen, not what is true.
    pub async fn refresh(&self, store: &Store, node: Uuid) -> Result<(), StartError> {
        store.sequence_revocations(node).await?;
        self.take_revocations(store).await?;
        if store.trust_version().await? != self.trust().version() || self.trust().all().is_empty() {
            self.take_keys(store).await?;
        }
        if store.rules_version().await? != self.rules().version() {
            self.take_rules(store).await?;
        }
        Ok(())
    }

    /// Takes the rules over as they are in `store`. Those in force stay if it has some that cannot be read.
    pub(super) async fn take_rules(&self, store: &Store) -> Result<(), StartError> {
        if let Some(rules) = read_rules(store).await? {
            self.set_rules(rules);
        }
        Ok(())
    }

    async fn take_revocations(&self, store: &Store) -> Result<(), StartError> {
        let before = self.revoked();
        // Those without a version first: one that gets its version in between is met again among the others. Read last, it
        // would be missed by both, and taken off by `settle`.
        let unnumbered = store.unnumbered_revocations(PAGE).await?;
        self.put_found(&before, &unnumbered);
        self.take_numbered(store).await?;
        if unnumbered.len() < PAGE as usize {
            self.settle(&before, &unnumbered);
        }
        Ok(())
    }

    /// Takes over the revocations that have a version which is not known here.
    pub(super) async fn take_numbered(&self, store: &Store) -> Result<(), StoreError> {
        loop {
            let events = store.revocation_events(self.revoked().version(), PAGE).await?;
            self.take_events(&events);
            if events.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// Takes the trust list over as it is in `store`.
    pub(super) async fn take_keys(&self, store: &Store) -> Result<(), StartError> {
        self.set_trust(self.warm_list(store).await?);
        Ok(())
    }

    /// The trust list as it is in `store`, ready to be in force.
    pub(super) async fn warm_list(&self, store: &Store) -> Result<TrustList, StartError> {
        let list = trust_list(store, self.ed25519()).await?;
        // Off the runtime's threads, and before it is in force: the first to verify need not wait.
        let list = tokio::task::spawn_blocking(move || {
            list.warm();
            list
        });
        list.await.map_err(|_| StartError::Interrupted)
    }
}

/// The rules as they are in `store`; `None` if it has none.
pub(super) async fn read_rules(store: &Store) -> Result<Option<Rules>, StartError> {
    let Some(json) = store.rules().await? else { return Ok(None) };
    Ok(Some(Rules::new(RulesDocument::read(json.as_bytes())?)?))
}

/// The trust list as it is in `store`. `ed25519`: through which its Ed25519 keys verify.
pub async fn trust_list(store: &Store, ed25519: &Arc<ed25519::Engine>) -> Result<TrustList, StartError> {
    let rows = store.trust_rows().await?;
    let (anchor, publishers) = (rows.anchor()?, rows.publishers()?);
    let keys = rows.keys.into_iter().map(IssuerKeyRow::trusted).collect::<Result<Vec<_>, _>>()?;
    Ok(TrustList::new(rows.version, keys, ed25519)?.with_signers(anchor, publishers)?)
}

impl App {
    /// Brings the snapshots up to what the database holds.
    pub async fn refresh(&self) -> Result<(), StartError> {
        let known = self.trust().version();
        if let Err(error) = self.engine.refresh(&self.store, self.node).await {
            if let Some(age) = self.refreshed.load().map(|at| at.elapsed()).filter(|age| *age > IN_STEP) {
                let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
                self.engine.set_synced_at(Some(UnixSeconds(self.clock.now().0.saturating_sub(age))));
            }
            if self.store.age().is_some() && self.engine.catch_up(&self.store).await.is_ok() {
                self.tell_followers();
            }
            return Err(error);
        }
        self.engine.set_synced_at(None);
        self.tell_editions();
        self.refresh_sessions().await?;
        self.refreshed.store(Arc::new(Some(Instant::now())));
        if self.trust().version() != known {
            // A key that was just listed may have been put beside ours.
            self.reread_keys().await;
        }
        self.refresh_signed_list().await?;
        let signed = self.refresh_signed_rules().await;
        self.tell_followers();
        signed
    }

    /// Takes over secret keys that were put into the directory since the start, such as those of a rotation.
    pub async fn reread_keys(&self) {
        let keyring = Arc::clone(&self.desk.keyring);
        match tokio::task::spawn_blocking(move || keyring.reread()).await {
            Ok(Ok(true)) => tracing::info!("secret keys were added; they are in use from now on"),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) => {
                tracing::warn!(code = error.code(), cause = %error, "cannot read the secret keys again; those that are known stay in use")
            }
        }
    }

    /// Takes other countries' revocations back whose batches expired. Returns how many batches.
    pub async fn expire_revocations(&self) -> Result<usize, StoreError> {
        self.store.expire_foreign_revocations(self.clock.now()).await
    }

    /// Makes tickets of the response centre out of corrections that nobody answered in time. Returns how many.
    pub async fn escalate(&self) -> Result<usize, StoreError> {
        self.store.escalate_corrections(self.node, self.clock.now(), DEADLINES_PAGE).await
    }

    /// Refreshes until `stop` says so. A database that is away is reported once, and once more when it is back.
    pub(super) async fn keep_fresh(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(Duration::from_millis(self.config.cache.refresh_ms));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut failing, mut upkept, mut round) = (false, Instant::now(), 0_u32);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = ticks.tick() => {}
            }
            match self.refresh().await {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("keys, revocations and rules are fresh again");
                }
                Ok(()) => {}
                Err(error) if failing => tracing::debug!(code = error.code(), "still cannot refresh"),
                Err(error) => {
                    failing = true;
                    tracing::error!(code = error.code(), cause = %error, "cannot refresh keys, revocations and rules; what is known stays in force");
                }
            }
            round = round.wrapping_add(1);
            if round.is_multiple_of(DEADLINES_EVERY) {
                self.meet_deadlines().await;
            }
            if upkept.elapsed() >= UPKEEP {
                upkept = Instant::now();
                crate::telemetry::metrics().run_upkeep();
            }
        }
    }
    /// Does what falls due with time. What cannot be done is tried again at the next round.
    async fn meet_deadlines(&self) {
        if let Err(error) = self.escalate().await {
            tracing::warn!(code = error.code(), "cannot look for corrections past their deadline; tried again soon");
        }
        if let Err(error) = self.expire_revocations().await {
            tracing::warn!(code = error.code(), "cannot look for expired revocation batches; tried again soon");
        }
    }
}
