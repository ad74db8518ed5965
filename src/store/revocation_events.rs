//! The outbox of revocations: entries added and removed, and the versions that the lease holder gives them after commit.

use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::people::timestamp;
use super::revocations::names;
use super::{Store, StoreError, Tx, Work};
use crate::certificate::{UnixSeconds, Uvci};
use crate::revocation::{self, Change, Entry};

/// For how long the holder of the sequencer's lease holds it; another node takes over after that.
const LEASE: Duration = Duration::from_secs(3);
const SEQUENCER: &str = "revocation-sequencer";

impl Store {
    /// Gives versions to events that have none, if this node holds or gets the lease. Returns true if it does.
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

    /// Up to `limit` events after `version`, in order, with their versions: no hole, none twice.
    pub async fn revocation_events(&self, version: u64, limit: i64) -> Result<Vec<(u64, Change)>, StoreError> {
        let sql = "-- revocation events
                   SELECT entry, removes, version FROM revocation_event WHERE version > $1 ORDER BY version LIMIT $2";
        let after = i64::try_from(version).unwrap_or(i64::MAX);
        let rows = self.rows(sql, &[/* after */ &after, /* limit */ &limit]).await?;
        rows.iter()
            .map(|row| Ok((u64::try_from(row.get::<_, i64>(2)).map_err(|_| UNREADABLE)?, change(row)?)))
            .collect()
    }

    /// Up to `limit` events that are in force and have no version yet, those of one entry in their order: while no node
    /// holds the lease, or its holder is slow.
    pub async fn unnumbered_revocations(&self, limit: i64) -> Result<Vec<Change>, StoreError> {
        let client = self.client().await?;
        let sql = "-- unnumbered revocations
                   SELECT entry, removes FROM revocation_event WHERE version IS NULL ORDER BY nth LIMIT $1";
        let rows = client.query(&client.prepare_cached(sql).await?, &[/* limit */ &limit]).await?;
        rows.iter().map(change).collect()
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

const UNREADABLE: StoreError = StoreError::Unreadable("revocation_event");

fn change(row: &Row) -> Result<Change, StoreError> {
    let entry: Entry = row.get::<_, &[u8]>(0).try_into().map_err(|_| UNREADABLE)?;
    Ok(if row.get(1) { Change::Remove(entry) } else { Change::Add(entry) })
}

impl Tx<'_> {
    /// Whether `holder` holds the lease. Its row is locked to the end: a holder that was put to sleep past its term does
    /// nothing.
    pub(super) async fn holds_lease(&self, name: &str, holder: Uuid) -> Result<bool, StoreError> {
        let fence = "-- fence\nSELECT 1 FROM lease WHERE name = $1 AND holder = $2 AND until > now() FOR UPDATE";
        let fence = self.inner.prepare_cached(fence).await?;
        Ok(self.inner.query_opt(&fence, &[&name, &holder]).await?.is_some())
    }

    /// Adds or removes the entries of certificates of ours, each once. Lock the certificates first.
    pub(super) async fn publish_revocations(
        &self,
        uvcis: &[Uvci],
        removes: bool,
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        let sql = "-- publish revocations
                   INSERT INTO revocation_event (entry, nth, removes, imported, at, uvci)
                   SELECT k.entry, (SELECT count(*) FROM revocation_event e WHERE e.entry = k.entry), $3, false, $4, k.uvci
                   FROM unnest($1::bytea[], $2::bytea[]) AS k (entry, uvci)";
        let entries: Vec<Entry> = uvcis.iter().map(|uvci| revocation::entry(&uvci.text())).collect();
        let entries: Vec<&[u8]> = entries.iter().map(Entry::as_slice).collect();
        let stmt = self.inner.prepare_cached(sql).await?;
        let at = timestamp(at);
        self.inner.execute(&stmt, &[&entries, &names(uvcis), /* removes */ &removes, /* at */ &at]).await?;
        Ok(())
    }
}

struct Sequence(Uuid);

impl Work for Sequence {
    type Output = bool;

    async fn run(&self, tx: &Tx<'_>) -> Result<bool, StoreError> {
        if !tx.holds_lease(SEQUENCER, self.0).await? {
            return Ok(false);
        }
        // By nth first: of one entry, what came later is numbered later, whatever the clocks of two nodes said.
        let number = "-- number revocations
                      UPDATE revocation_event r SET version = n.version
                      FROM (SELECT entry, nth, row_number() OVER (ORDER BY nth, at, entry)
                                   + coalesce((SELECT max(version) FROM revocation_event), 0) AS version
                            FROM revocation_event WHERE version IS NULL) n
                      WHERE r.entry = n.entry AND r.nth = n.nth";
        let number = tx.inner.prepare_cached(number).await?;
        tx.inner.execute(&number, &[]).await?;
        Ok(true)
    }
}
