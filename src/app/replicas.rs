//! The replicas as those see them who watch over the service: what `/readyz` says of them, and their figures.

use super::refresh::read_rules;
use super::{App, Engine, StartError};
use crate::store::{Freshness, Store};

impl Engine {
    /// Takes over what a replica knows that we do not, while the primary is away. It may be behind: nothing is taken back by it.
    pub(super) async fn catch_up(&self, store: &Store) -> Result<(), StartError> {
        let store = store.reading(Freshness::JustWritten);
        self.take_numbered(&store).await?;
        // Each question may be answered by another replica, one that is further behind: what was read is compared itself.
        if store.trust_version().await? > self.trust().version() {
            let list = self.warm_list(&store).await?;
            if list.version() > self.trust().version() {
                self.set_trust(list);
            }
        }
        if store.rules_version().await? > self.rules().version()
            && let Some(rules) = read_rules(&store).await?
            && rules.version() > self.rules().version()
        {
            self.set_rules(rules);
        }
        Ok(())
    }
}

impl App {
    /// What does not go while the primary is away, and by what the rest goes on; `None` while it is there.
    pub(super) fn writes_missing(&self) -> Option<String> {
        let age = self.store.age()?.as_secs();
        Some(format!(
            "nothing can be written, for the primary database does not answer; look-ups show what a replica knew {age} s ago"
        ))
    }

    pub(super) fn publish_replica_gauges(&self) {
        let replicas = self.store.replica_standings();
        if replicas.is_empty() {
            return;
        }
        metrics::gauge!("thexanh_primary_away").set(f64::from(u8::from(self.store.primary_is_away())));
        for replica in replicas {
            let lag = replica.lag.map_or(f64::INFINITY, |lag| lag.as_secs_f64());
            metrics::gauge!("thexanh_replica_lag_seconds", "replica" => replica.name.clone()).set(lag);
            metrics::gauge!("thexanh_replica_in_use", "replica" => replica.name)
                .set(f64::from(u8::from(replica.in_use)));
        }
    }
}
