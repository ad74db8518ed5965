//! Other countries' revocation batches: imported whole, and removed when they expire or are deleted.

use uuid::Uuid;

use super::people::timestamp;
use super::{Audited, Store, StoreError, Tx, Work};
use crate::certificate::UnixSeconds;
use crate::revocation::Entry;
use crate::revocation::foreign::Batch;

/// How many expired batches are removed in one transaction.
const EXPIRED_AT_ONCE: i64 = 20;

impl Store {
    /// Imports a batch under an id; an older one of the same id is replaced. Returns false if the same is there already.
    pub async fn import_revocations(&self, id: &str, batch: &Batch, by: &Audited) -> Result<bool, StoreError> {
        self.transact(&Import { id, batch, by }).await
    }

    /// Removes a batch: its entries are no longer revoked unless another names them. Returns false if there is none.
    pub async fn delete_foreign_revocations(&self, id: &str, by: &Audited) -> Result<bool, StoreError> {
        self.transact(&Delete { id, by }).await
    }

    /// Removes batches that expired before `now`. Returns how many.
    pub async fn expire_foreign_revocations(&self, now: UnixSeconds) -> Result<usize, StoreError> {
        let client = self.client().await?;
        let sql = "-- expired batches\nSELECT batch_id FROM foreign_revocation_batch WHERE expires_at < $1 LIMIT $2";
        let stmt = client.prepare_cached(sql).await?;
        let rows = client.query(&stmt, &[&timestamp(now), &EXPIRED_AT_ONCE]).await?;
        let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        // The connection is given back before another is asked for.
        drop(client);
        if !ids.is_empty() {
            self.transact(&Expire { ids: &ids, now }).await?;
        }
        Ok(ids.len())
    }
}

impl Tx<'_> {
    /// Lets one transaction at a time say which entries foreign batches hold.
    async fn lock_foreign_revocations(&self) -> Result<(), StoreError> {
        let sql = "-- lock foreign revocations
                   INSERT INTO lease (name, holder, until) VALUES ('foreign-revocations', $1, now())
                   ON CONFLICT (name) DO UPDATE SET until = now()";
        self.inner.execute(&self.inner.prepare_cached(sql).await?, &[&Uuid::nil()]).await?;
        Ok(())
    }

    /// Takes a batch away, and publishes what no other batch names. Returns false if there is none.
    async fn remove_foreign_batch(&self, id: &str, at: UnixSeconds) -> Result<bool, StoreError> {
        let sql = "-- remove a batch's entries\nDELETE FROM foreign_revocation WHERE batch_id = $1 RETURNING entry";
        let rows = self.inner.query(&self.inner.prepare_cached(sql).await?, &[&id]).await?;
        let entries: Vec<&[u8]> = rows.iter().map(|row| row.get(0)).collect();
        // One that a certificate of ours was revoked with since is no longer theirs to remove.
        let publish = "-- publish removals
                       INSERT INTO revocation_event (entry, nth, removes, imported, at)
                       SELECT k.entry, e.nth + 1, true, true, $2
                       FROM unnest($1::bytea[]) AS k (entry) JOIN revocation_event e ON e.entry = k.entry
                       WHERE e.imported AND NOT e.removes
                       AND e.nth = (SELECT max(l.nth) FROM revocation_event l WHERE l.entry = k.entry)
                       AND NOT EXISTS (SELECT 1 FROM foreign_revocation f WHERE f.entry = k.entry)";
        let stmt = self.inner.prepare_cached(publish).await?;
        self.inner.execute(&stmt, &[&entries, &timestamp(at)]).await?;
        let sql = "-- remove a batch\nDELETE FROM foreign_revocation_batch WHERE batch_id = $1";
        Ok(self.inner.execute(&self.inner.prepare_cached(sql).await?, &[&id]).await? == 1)
    }

    async fn add_foreign_batch(&self, id: &str, batch: &Batch, at: UnixSeconds) -> Result<(), StoreError> {
        let insert = "-- a batch imported
                      INSERT INTO foreign_revocation_batch (batch_id, country, kid, hash_type, expires_at, imported_at)
                      VALUES ($1, $2, $3, $4, $5, $6)";
        let kid = batch.kid.as_ref().map(|kid| kid.0.as_slice());
        let (expires, at) = (timestamp(batch.expires_at), timestamp(at));
        let stmt = self.inner.prepare_cached(insert).await?;
        self.inner.execute(&stmt, &[&id, &batch.country, &kid, &batch.hash_type.as_str(), &expires, &at]).await?;
        let entries: Vec<&[u8]> = batch.entries.iter().map(<Entry>::as_slice).collect();
        let hold = "-- a batch's entries
                    INSERT INTO foreign_revocation (entry, batch_id) SELECT k.entry, $2 FROM unnest($1::bytea[]) AS k (entry)";
        self.inner.execute(&self.inner.prepare_cached(hold).await?, &[&entries, &id]).await?;
        let publish = "-- publish a batch
                       INSERT INTO revocation_event (entry, nth, removes, imported, at)
                       SELECT k.entry, coalesce(e.nth + 1, 0), false, true, $2
                       FROM unnest($1::bytea[]) AS k (entry) LEFT JOIN revocation_event e ON e.entry = k.entry
                            AND e.nth = (SELECT max(l.nth) FROM revocation_event l WHERE l.entry = k.entry)
                       WHERE e.entry IS NULL OR e.removes";
        self.inner.execute(&self.inner.prepare_cached(publish).await?, &[&entries, &at]).await?;
        Ok(())
    }

    /// True if this batch is there with these entries and this expiry.
    async fn has_foreign_batch(&self, id: &str, batch: &Batch) -> Result<bool, StoreError> {
        let sql = "-- batch imported before
                   SELECT expires_at = $2 FROM foreign_revocation_batch WHERE batch_id = $1";
        let stmt = self.inner.prepare_cached(sql).await?;
        let found = self.inner.query_opt(&stmt, &[&id, &timestamp(batch.expires_at)]).await?;
        if !found.is_some_and(|row| row.get(0)) {
            return Ok(false);
        }
        let sql = "-- entries imported before\nSELECT entry FROM foreign_revocation WHERE batch_id = $1 ORDER BY entry";
        let rows = self.inner.query(&self.inner.prepare_cached(sql).await?, &[&id]).await?;
        Ok(rows.iter().map(|row| row.get::<_, &[u8]>(0)).eq(batch.entries.iter().map(<Entry>::as_slice)))
    }
}

struct Import<'a> {
    id: &'a str,
    batch: &'a Batch,
    by: &'a Audited,
}

impl Work for Import<'_> {
    type Output = bool;

    async fn run(&self, tx: &Tx<'_>) -> Result<bool, StoreError> {
        tx.lock_foreign_revocations().await?;
        if tx.has_foreign_batch(self.id, self.batch).await? {
            return Ok(false);
        }
        tx.remove_foreign_batch(self.id, self.by.at).await?;
        tx.add_foreign_batch(self.id, self.batch, self.by.at).await?;
        tx.audit(self.by).await?;
        Ok(true)
    }
}

struct Delete<'a> {
    id: &'a str,
    by: &'a Audited,
}

impl Work for Delete<'_> {
    type Output = bool;

    async fn run(&self, tx: &Tx<'_>) -> Result<bool, StoreError> {
        tx.lock_foreign_revocations().await?;
        let removed = tx.remove_foreign_batch(self.id, self.by.at).await?;
        if removed {
            tx.audit(self.by).await?;
        }
        Ok(removed)
    }
}

struct Expire<'a> {
    ids: &'a [String],
    now: UnixSeconds,
}

impl Work for Expire<'_> {
    type Output = ();

    async fn run(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        tx.lock_foreign_revocations().await?;
        for id in self.ids {
            tx.remove_foreign_batch(id, self.now).await?;
        }
        Ok(())
    }
}
