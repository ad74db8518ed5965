//! What each node says of itself every second, for whoever watches all of them; and what the database says of itself.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Store, StoreError};

/// How many of something a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Registrations.
    pub registrations: f64,
    /// Doses.
    pub doses: f64,
    /// Verdicts given.
    pub verifications: f64,
    /// Requests that could not be served: 5xx.
    pub errors: f64,
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// The host's name.
    pub name: String,
    /// Since when it runs, in seconds since 1970.
    pub started_at: i64,
    /// The service's version.
    pub version: String,
    /// Over the last five seconds.
    pub rates: Rates,
    /// Database connections in use.
    pub pool_in_use: i64,
    /// How many there may be.
    pub pool_size: i64,
    /// Registrations that wait to be committed.
    pub registrations_waiting: i64,
    /// Requests with doses that wait to be committed.
    pub doses_waiting: i64,
}

/// A node's last beat.
#[derive(Clone, Debug, PartialEq)]
pub struct BeatRow {
    /// Which node.
    pub node: Uuid,
    /// How long ago it was, in milliseconds, by the database's clock.
    pub ago_ms: i64,
    /// What it said.
    pub beat: Beat,
}

/// A server that follows the database's.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaRow {
    /// As it names itself.
    pub name: String,
    /// How far it is behind, in milliseconds; `None` if it is idle or we may not know.
    pub lag_ms: Option<i64>,
}

/// For how long what a node said last is kept.
const KEPT_S: f64 = 3600.0;

impl Store {
    /// Writes a node's beat in the place of its last. Returns how long that took.
    pub async fn beat(&self, node: Uuid, beat: &Beat) -> Result<Duration, StoreError> {
        let client = self.client().await?;
        let sql = "-- beat
                   INSERT INTO beat (node_id, at, said) VALUES ($1, now(), $2)
                   ON CONFLICT (node_id) DO UPDATE SET at = excluded.at, said = excluded.said";
        let stmt = client.prepare_cached(sql).await?;
        let said = serde_json::to_value(beat).map_err(|_| UNREADABLE)?;
        let began = Instant::now();
        client.execute(&stmt, &[/* node_id */ &node, &said]).await?;
        Ok(began.elapsed())
    }

    /// What every node said in the last `within`, by name.
    pub async fn beats(&self, within: Duration) -> Result<Vec<BeatRow>, StoreError> {
        let client = self.client().await?;
        let sql = "-- beats
                   SELECT node_id, (extract(epoch FROM now() - at) * 1000)::bigint, said FROM beat
                   WHERE at > now() - $1 * interval '1 second' ORDER BY said->>'name', node_id";
        let rows = client.query(&client.prepare_cached(sql).await?, &[&within.as_secs_f64()]).await?;
        let beat = |row: &tokio_postgres::Row| {
            let beat = serde_json::from_value(row.get(2)).map_err(|_| UNREADABLE)?;
            Ok(BeatRow { node: row.get(0), ago_ms: row.get(1), beat })
        };
        rows.iter().map(beat).collect()
    }

    /// Takes a node's beat off, that stops; and those of nodes that were not heard of for an hour.
    pub async fn end_beats(&self, node: Uuid) -> Result<(), StoreError> {
        let client = self.client().await?;
        let sql = "-- end beats\nDELETE FROM beat WHERE node_id = $1 OR at < now() - $2 * interval '1 second'";
        client.execute(&client.prepare_cached(sql).await?, &[/* node_id */ &node, &KEPT_S]).await?;
        Ok(())
    }

    /// How many connections are in use, and how many there may be.
    pub fn connections(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size - status.available.min(status.size), status.max_size)
    }

    /// How large the database is, in bytes, on all its servers. Errors: where the engine or our rights do not say.
    pub async fn size(&self) -> Result<i64, StoreError> {
        let client = self.client().await?;
        let sql = match self.on_citus {
            true => {
                "-- size on all servers
                 SELECT CAST(sum(CAST(result AS bigint)) AS bigint)
                 FROM run_command_on_all_nodes('SELECT pg_database_size(current_database())')"
            }
            false => "-- size\nSELECT pg_database_size(current_database())",
        };
        Ok(client.query_one(&client.prepare_cached(sql).await?, &[]).await?.get(0))
    }

    /// The servers that follow the database's. Errors: where the engine does not say.
    pub async fn replicas(&self) -> Result<Vec<ReplicaRow>, StoreError> {
        let client = self.client().await?;
        let sql = "-- replicas
                   SELECT coalesce(application_name, ''), (extract(epoch FROM replay_lag) * 1000)::bigint
                   FROM pg_stat_replication ORDER BY 1";
        let rows = client.query(&client.prepare_cached(sql).await?, &[]).await?;
        Ok(rows.iter().map(|row| ReplicaRow { name: row.get(0), lag_ms: row.get(1) }).collect())
    }

    /// How many imports moved in the last minute and are not over.
    pub async fn imports_running(&self, now: crate::certificate::UnixSeconds) -> Result<i64, StoreError> {
        let client = self.client().await?;
        let sql = "-- imports running\nSELECT count(*) FROM import WHERE status = 'running' AND updated_at > $1";
        let since = super::people::timestamp(crate::certificate::UnixSeconds(now.0 - 60));
        Ok(client.query_one(&client.prepare_cached(sql).await?, &[/* since */ &since]).await?.get(0))
    }
}

const UNREADABLE: StoreError = StoreError::Unreadable("beat");
