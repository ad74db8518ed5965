//! Keeping the engine's snapshots fresh: the trust list by its version row, revocations by polling the outbox.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{App, StartError};
use crate::revocation;
use crate::store::IssuerKeyRow;
use crate::trust::TrustList;

/// Revocations read at a time: a node that starts reads all of them.
const PAGE: i64 = 10_000;
/// How often histograms are folded, so that they stay small.
const UPKEEP: Duration = Duration::from_secs(5);

impl App {
    /// Reads what is new: gives versions to revocations that have none, then takes over revocations and keys.
    pub async fn refresh(&self) -> Result<(), StartError> {
        // Another node may hold the lease: then it gives the versions, and we read them.
        self.store.sequence_revocations(self.node).await?;
        self.take_revocations().await?;
        if self.store.trust_version().await? != self.engine.trust().version() || self.engine.trust().all().is_empty() {
            self.take_keys().await?;
        }
        self.refreshed.store(Arc::new(Some(Instant::now())));
        Ok(())
    }

    async fn take_revocations(&self) -> Result<(), StartError> {
        loop {
            let page = self.store.revocations_after(self.engine.revoked().version(), PAGE).await?;
            let Some((version, _)) = page.last() else { return Ok(()) };
            let entries: Vec<_> = page.iter().map(|(_, uvci)| revocation::entry(&uvci.to_string())).collect();
            self.engine.add_revocations(Some(*version), &entries);
            if page.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    async fn take_keys(&self) -> Result<(), StartError> {
        let (version, rows) = self.store.issuer_keys().await?;
        let keys = rows.into_iter().map(IssuerKeyRow::trusted).collect::<Result<Vec<_>, _>>()?;
        self.engine.set_trust(TrustList::new(version, keys)?);
        Ok(())
    }

    /// Refreshes until `stop` says so. A database that is away is reported once, and once more when it is back.
    pub(super) async fn keep_fresh(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(Duration::from_millis(self.config.cache.refresh_ms));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut failing, mut upkept) = (false, Instant::now());
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = ticks.tick() => {}
            }
            match self.refresh().await {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("keys and revocations are fresh again");
                }
                Ok(()) => {}
                Err(error) if failing => tracing::debug!(code = error.code(), "still cannot refresh"),
                Err(error) => {
                    failing = true;
                    tracing::error!(code = error.code(), cause = %error, "cannot refresh keys and revocations; what is known stays in force");
                }
            }
            if upkept.elapsed() >= UPKEEP {
                upkept = Instant::now();
                crate::telemetry::metrics().run_upkeep();
            }
        }
    }
}
