//! The schema, brought up to date by one node at a time.

use std::time::Duration;

use uuid::Uuid;

use super::{Store, StoreError};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The schema as text: what the tests read beside what the database says.
pub const SCHEMA: &str =
    concat!(include_str!("../../migrations/V1__first.sql"), include_str!("../../migrations/V2__registration.sql"));

const LEASE: &str = "migrate";
const TERM: Duration = Duration::from_secs(60);

impl Store {
    /// Brings the schema up to date; where its tables are spread over a cluster, new ones as well. Safe when several nodes
    /// start at once: they take turns by a lease row.
    ///
    /// Errors: [`StoreError::Migration`], also when the lease is not had within two minutes.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.migrate_in_turn(false).await
    }

    /// Brings the schema up to date and spreads its tables over the servers of the Citus cluster whose coordinator we are
    /// connected to; they stay spread. Rows that are there already go with their tables.
    ///
    /// Errors: as [`Store::migrate`], and [`StoreError::Migration`] where there is no Citus.
    pub async fn migrate_to_citus(&self) -> Result<(), StoreError> {
        self.migrate_in_turn(true).await
    }

    async fn migrate_in_turn(&self, spread: bool) -> Result<(), StoreError> {
        self.make_lease_table().await?;
        let node = Uuid::new_v4();
        for _ in 0..1200 {
            if self.take_lease(LEASE, node, TERM).await? {
                let done = self.run_migrations(spread).await;
                self.give_lease_back(LEASE, node).await?;
                return done;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(StoreError::Migration("another node has held the lease for two minutes".into()))
    }

    /// The table that migrating itself stands on. Two nodes that make it at once: one of them is refused, and finds it made.
    async fn make_lease_table(&self) -> Result<(), StoreError> {
        let sql = "CREATE TABLE IF NOT EXISTS lease (name text PRIMARY KEY, holder uuid NOT NULL, until timestamptz NOT NULL)";
        let client = self.client().await?;
        match client.batch_execute(sql).await {
            Ok(()) => Ok(()),
            Err(_) => Ok(client.batch_execute(sql).await?),
        }
    }

    async fn run_migrations(&self, spread: bool) -> Result<(), StoreError> {
        {
            let mut client = self.client().await?;
            let runner = embedded::migrations::runner();
            let client: &mut tokio_postgres::Client = &mut client;
            runner.run_async(client).await.map_err(|error| StoreError::Migration(error.to_string()))?;
        }
        if spread || self.is_spread().await? { self.spread().await } else { Ok(()) }
    }
}
