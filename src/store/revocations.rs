//! Revocations, and the versions that the lease holder gives them after commit.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::people::{seconds, timestamp};
use super::{Store, StoreError, Tx, Work};
use crate::certificate::{UnixSeconds, Uvci};

/// What came of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// We never issued it.
    Unknown,
    /// It is revoked now.
    New,
    /// It had been revoked before, at this instant.
    Already(UnixSeconds),
}

/// For how long the holder of the sequencer's lease holds it; another node takes over after that.
const LEASE: Duration = Duration::from_secs(3);
const SEQUENCER: &str = "revocation-sequencer";

impl Store {
    /// Revokes one certificate: its row and the outbox in one transaction.
    ///
    /// `by`: the token's subject; `why`: kept, never published.
    pub async fn revoke(&self, uvci: &Uvci, by: &str, why: &str, at: UnixSeconds) -> Result<Revoked, StoreError> {
        self.transact(&Revoke { uvci, by, why, at }).await
    }

    /// Gives versions to revocations that have none, if this node holds or gets the lease. Returns true if it does.
    ///
    /// `node`: this process. Only one holder at a time numbers what is committed already, so a poller that has seen a
    /// version has seen all below it.
    pub async fn sequence_revocations(&self, node: Uuid) -> Result<bool, StoreError> {
        if !self.take_lease(SEQUENCER, node, LEASE).await? {
            return Ok(false);
        }
        self.transact(&Sequence(node)).await
    }

    /// Lets another node give versions at once, rather than after the lease's end: what a process does that stops.
    pub async fn stop_sequencing(&self, node: Uuid) -> Result<(), StoreError> {
        self.give_lease_back(SEQUENCER, node).await
    }

    /// Up to `limit` revocations after `version`, in order, with their versions.
    pub async fn revocations_after(&self, version: u64, limit: i64) -> Result<Vec<(u64, Uvci)>, StoreError> {
        let client = self.client().await?;
        let sql =
            "-- revocations after\nSELECT version, uvci FROM revocation WHERE version > $1 ORDER BY version LIMIT $2";
        let stmt = client.prepare_cached(sql).await?;
        let after = i64::try_from(version).unwrap_or(i64::MAX);
        let rows = client.query(&stmt, &[/* after */ &after, /* limit */ &limit]).await?;
        rows.iter()
            .map(|row| {
                let version = u64::try_from(row.get::<_, i64>(0)).map_err(|_| StoreError::Unreadable("revocation"))?;
                Ok((version, uvci(row.get(1))?))
            })
            .collect()
    }

    /// Up to `limit` revocations that are in force and have no version yet: while no node holds the lease, or its holder is slow.
    pub async fn unnumbered_revocations(&self, limit: i64) -> Result<Vec<Uvci>, StoreError> {
        let client = self.client().await?;
        let sql = "-- unnumbered revocations\nSELECT uvci FROM revocation WHERE version IS NULL LIMIT $1";
        let rows = client.query(&client.prepare_cached(sql).await?, &[/* limit */ &limit]).await?;
        rows.iter().map(|row| uvci(row.get(0))).collect()
    }

    /// Takes or renews a lease by the database's clock. Returns false while another holds it.
    pub(super) async fn take_lease(&self, name: &str, holder: Uuid, term: Duration) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let sql = "-- take lease
                   INSERT INTO lease (name, holder, until) VALUES ($1, $2, now() + $3 * interval '1 millisecond')
                   ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
                   WHERE lease.holder = excluded.holder OR lease.until < now()";
        let stmt = client.prepare_cached(sql).await?;
        let term = term.as_millis() as f64;
        Ok(client.execute(&stmt, &[&name, &holder, &term]).await? == 1)
    }

    /// Gives a lease back, so that the next holder need not wait for its end.
    pub(super) async fn give_lease_back(&self, name: &str, holder: Uuid) -> Result<(), StoreError> {
        let client = self.client().await?;
        let sql =
            "-- give lease back\nUPDATE lease SET until = now() - interval '1 second' WHERE name = $1 AND holder = $2";
        client.execute(&client.prepare_cached(sql).await?, &[&name, &holder]).await?;
        Ok(())
    }
}

fn uvci(bytes: &[u8]) -> Result<Uvci, StoreError> {
    bytes.try_into().map(Uvci).map_err(|_| StoreError::Unreadable("revocation"))
}

struct Revoke<'a> {
    uvci: &'a Uvci,
    by: &'a str,
    why: &'a str,
    at: UnixSeconds,
}

impl Work for Revoke<'_> {
    type Output = Revoked;

    async fn run(&self, tx: &Tx<'_>) -> Result<Revoked, StoreError> {
        let uvci = self.uvci.0.as_slice();
        let find = "-- holder to revoke of\nSELECT person_id FROM certificate_by_uvci WHERE uvci = $1";
        let find = tx.inner.prepare_cached(find).await?;
        let Some(row) = tx.inner.query_opt(&find, &[/* uvci */ &uvci]).await? else { return Ok(Revoked::Unknown) };
        let person: Uuid = row.get(0);
        let lock = "-- certificate to revoke
                    SELECT revoked_at FROM certificate WHERE person_id = $1 AND uvci = $2 FOR UPDATE";
        let lock = tx.inner.prepare_cached(lock).await?;
        let row = tx.inner.query_one(&lock, &[/* person_id */ &person, /* uvci */ &uvci]).await?;
        if let Some(at) = row.get::<_, Option<Timestamp>>(0) {
            return Ok(Revoked::Already(seconds(at)));
        }
        let (mark, publish) = tokio::try_join!(
            tx.inner.prepare_cached(
                "-- revoke\nUPDATE certificate SET revoked_at = $3 WHERE person_id = $1 AND uvci = $2 AND revoked_at IS NULL"
            ),
            tx.inner.prepare_cached(
                "-- publish revocation\nINSERT INTO revocation (uvci, revoked_at, revoked_by, why) VALUES ($1, $2, $3, $4)"
            )
        )?;
        let at = timestamp(self.at);
        tx.inner.execute(&mark, &[/* person_id */ &person, /* uvci */ &uvci, /* at */ &at]).await?;
        tx.inner.execute(&publish, &[/* uvci */ &uvci, /* at */ &at, /* by */ &self.by, /* why */ &self.why]).await?;
        Ok(Revoked::New)
    }
}

struct Sequence(Uuid);

impl Work for Sequence {
    type Output = bool;

    async fn run(&self, tx: &Tx<'_>) -> Result<bool, StoreError> {
        // The lease's row is locked to the end: a holder that was put to sleep past its term numbers nothing.
        let fence = "-- fence\nSELECT 1 FROM lease WHERE name = $1 AND holder = $2 AND until > now() FOR UPDATE";
        let fence = tx.inner.prepare_cached(fence).await?;
        if tx.inner.query_opt(&fence, &[&SEQUENCER, &self.0]).await?.is_none() {
            return Ok(false);
        }
        let number = "-- number revocations
                      UPDATE revocation r SET version = n.version
                      FROM (SELECT uvci, row_number() OVER (ORDER BY revoked_at, uvci)
                                   + coalesce((SELECT max(version) FROM revocation), 0) AS version
                            FROM revocation WHERE version IS NULL) n
                      WHERE r.uvci = n.uvci";
        let number = tx.inner.prepare_cached(number).await?;
        tx.inner.execute(&number, &[]).await?;
        Ok(true)
    }
}
