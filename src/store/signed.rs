//! Signed bytes that every node serves as they are: the newest of each resource.

use super::people::{seconds, timestamp};
use super::{Audited, Store, StoreError, Tx, Work};
use crate::certificate::UnixSeconds;
use crate::signed::{Kind, Stamp};

impl Store {
    /// Of which version the stored bytes of `kind` are, and when they were signed.
    pub async fn signed_stamp(&self, kind: Kind) -> Result<Option<(u64, UnixSeconds)>, StoreError> {
        let client = self.client().await?;
        let sql = "-- signed stamp\nSELECT version, issued_at FROM signed_resource WHERE typ = $1";
        let stmt = client.prepare_cached(sql).await?;
        let row = client.query_opt(&stmt, &[/* typ */ &kind.typ()]).await?;
        let version = |value: i64| u64::try_from(value).map_err(|_| StoreError::Unreadable("signed_resource"));
        row.map(|row| Ok((version(row.get(0))?, seconds(row.get(1))))).transpose()
    }

    /// The stored bytes of `kind`.
    pub async fn signed(&self, kind: Kind) -> Result<Option<Vec<u8>>, StoreError> {
        let client = self.client().await?;
        let stmt = client.prepare_cached("-- signed\nSELECT signed FROM signed_resource WHERE typ = $1").await?;
        Ok(client.query_opt(&stmt, &[/* typ */ &kind.typ()]).await?.map(|row| row.get(0)))
    }

    /// Stores signed bytes, which the caller has opened, unless what is stored is of a newer version, or of the same one and
    /// signed at the same time or later. Returns whether they were stored.
    ///
    /// `by`: who had them signed, for the audit table.
    pub async fn put_signed(&self, kind: Kind, stamp: Stamp, bytes: &[u8], by: &Audited) -> Result<bool, StoreError> {
        self.transact(&PutSigned { kind, stamp, bytes, by }).await
    }
}

struct PutSigned<'a> {
    kind: Kind,
    stamp: Stamp,
    bytes: &'a [u8],
    by: &'a Audited,
}

impl Work for PutSigned<'_> {
    type Output = bool;

    async fn run(&self, tx: &Tx<'_>) -> Result<bool, StoreError> {
        let sql = "-- put signed
                   INSERT INTO signed_resource (typ, version, issued_at, signed) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (typ) DO UPDATE SET version = excluded.version, issued_at = excluded.issued_at, signed = excluded.signed
                   WHERE signed_resource.version < excluded.version
                      OR signed_resource.version = excluded.version AND signed_resource.issued_at < excluded.issued_at";
        let stmt = tx.inner.prepare_cached(sql).await?;
        let version = i64::try_from(self.stamp.version).map_err(|_| StoreError::Unreadable("version"))?;
        let issued_at = timestamp(self.stamp.issued_at);
        let stored = tx.inner.execute(&stmt, &[&self.kind.typ(), &version, &issued_at, &self.bytes]).await? == 1;
        if stored {
            tx.audit(self.by).await?;
        }
        Ok(stored)
    }
}
