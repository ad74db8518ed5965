//! Certificates of ours revoked, one or many at a time, and revocations undone: the rows, and the outbox with them.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::people::{seconds, timestamp};
use super::{Audited, Store, StoreError, Tx, Work};
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

/// A request to revoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationBatch {
    /// Names it.
    pub id: Uuid,
    /// When it was made.
    pub made_at: UnixSeconds,
    /// By whom: a token's subject.
    pub made_by: String,
    /// It came of a record that was put right, and is not to be undone.
    pub put_right: bool,
    /// Whether undoing all of it was begun.
    pub undone: bool,
}

/// Where a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationStanding {
    /// Whose it is.
    pub person: Uuid,
    /// Whether it is revoked now.
    pub revoked: bool,
    /// What revoked it last; `None` if nothing ever did.
    pub batch: Option<Uuid>,
}

impl Store {
    /// Revokes one certificate: its row, the outbox, the audit entry and the batch that it is the whole of.
    ///
    /// `by.why` is kept and never published. Nothing is written if it is unknown or revoked already.
    pub async fn revoke(&self, uvci: &Uvci, batch: Uuid, by: &Audited) -> Result<Revoked, StoreError> {
        let holders = self.holders_of(&[*uvci]).await?;
        let rows = [(*uvci, by.why.as_str())];
        let work = Revoke { batch, rows: &rows, holders: &holders, at: by.at, opens: Some(by) };
        self.transact(&work).await?.first().copied().ok_or(StoreError::Unreadable("revocation"))
    }

    /// Writes down that a list of revocations is begun, by whom and why.
    pub async fn begin_revocations(&self, batch: Uuid, by: &Audited) -> Result<(), StoreError> {
        self.transact(&Begin { batch, by }).await
    }

    /// Revokes these certificates, each for its reason, in one transaction. Returns what came of each, in their order.
    pub async fn revoke_some(
        &self,
        batch: Uuid,
        rows: &[(Uvci, &str)],
        at: UnixSeconds,
    ) -> Result<Vec<Revoked>, StoreError> {
        let uvcis: Vec<Uvci> = rows.iter().map(|(uvci, _)| *uvci).collect();
        let holders = self.holders_of(&uvcis).await?;
        if holders.is_empty() {
            return Ok(vec![Revoked::Unknown; rows.len()]);
        }
        self.transact(&Revoke { batch, rows, holders: &holders, at, opens: None }).await
    }

    /// What would come of revoking these now. Returns it in their order.
    pub async fn would_revoke(&self, uvcis: &[Uvci]) -> Result<Vec<Revoked>, StoreError> {
        let holders = self.holders_of(uvcis).await?;
        let people: Vec<Uuid> = holders.values().copied().collect();
        let client = self.client().await?;
        let stmt = client.prepare_cached(REVOKED_WHEN).await?;
        let known = revoked_when(&client.query(&stmt, &[&people, &names(uvcis)]).await?)?;
        let of = |uvci: &Uvci| match known.get(uvci) {
            None => Revoked::Unknown,
            Some(None) => Revoked::New,
            Some(Some(at)) => Revoked::Already(*at),
        };
        Ok(uvcis.iter().map(of).collect())
    }

    /// Whose these certificates are; those that we never issued are left out.
    async fn holders_of(&self, uvcis: &[Uvci]) -> Result<HashMap<Uvci, Uuid>, StoreError> {
        let client = self.client().await?;
        let sql = "-- holders\nSELECT uvci, person_id FROM certificate_by_uvci WHERE uvci = ANY($1)";
        let rows = client.query(&client.prepare_cached(sql).await?, &[&names(uvcis)]).await?;
        rows.iter().map(|row| Ok((uvci(row.get(0))?, row.get(1)))).collect()
    }

    /// Where a certificate stands; `None` if we never issued it.
    pub async fn revocation_standing(&self, uvci: &Uvci) -> Result<Option<RevocationStanding>, StoreError> {
        let Some(person) = self.holders_of(&[*uvci]).await?.remove(uvci) else { return Ok(None) };
        let client = self.client().await?;
        let sql = "-- revocation standing
                   SELECT revoked_at IS NOT NULL, revocation_batch FROM certificate WHERE person_id = $1 AND uvci = $2";
        let row = client.query_opt(&client.prepare_cached(sql).await?, &[&person, &uvci.0.as_slice()]).await?;
        Ok(row.map(|row| RevocationStanding { person, revoked: row.get(0), batch: row.get(1) }))
    }

    /// A request to revoke; `None` if there is none of that id.
    pub async fn revocation_batch(&self, id: Uuid) -> Result<Option<RevocationBatch>, StoreError> {
        let client = self.client().await?;
        let sql = "-- revocation batch
                   SELECT made_at, made_by, put_right, undone_at IS NOT NULL FROM revocation_batch WHERE batch_id = $1";
        let row = client.query_opt(&client.prepare_cached(sql).await?, &[&id]).await?;
        Ok(row.map(|row| RevocationBatch {
            id,
            made_at: seconds(row.get(0)),
            made_by: row.get(1),
            put_right: row.get(2),
            undone: row.get(3),
        }))
    }

    /// Up to `limit` certificates after `after` that a batch revoked, with their people, and whether that was undone.
    pub async fn revoked_by(
        &self,
        batch: Uuid,
        after: Option<Uvci>,
        limit: i64,
    ) -> Result<Vec<(Uvci, Uuid, bool)>, StoreError> {
        let sql = "-- revoked by a batch
                   SELECT uvci, undone_at IS NOT NULL FROM revocation WHERE batch_id = $1 AND uvci > $2 ORDER BY uvci LIMIT $3";
        let client = self.client().await?;
        let stmt = client.prepare_cached(sql).await?;
        let after: &[u8] = after.as_ref().map_or(&[], |uvci| uvci.0.as_slice());
        let rows = client.query(&stmt, &[&batch, /* after */ &after, /* limit */ &limit]).await?;
        drop(client);
        let undone: Vec<(Uvci, bool)> =
            rows.iter().map(|row| Ok((uvci(row.get(0))?, row.get(1)))).collect::<Result<_, StoreError>>()?;
        let holders = self.holders_of(&undone.iter().map(|(uvci, _)| *uvci).collect::<Vec<_>>()).await?;
        Ok(undone.into_iter().filter_map(|(uvci, undone)| Some((uvci, *holders.get(&uvci)?, undone))).collect())
    }
}

/// When certificates of these people were revoked.
const REVOKED_WHEN: &str = "-- revoked when
    SELECT uvci, revoked_at FROM certificate WHERE person_id = ANY($1) AND uvci = ANY($2)";

fn revoked_when(rows: &[Row]) -> Result<HashMap<Uvci, Option<UnixSeconds>>, StoreError> {
    rows.iter().map(|row| Ok((uvci(row.get(0))?, row.get::<_, Option<Timestamp>>(1).map(seconds)))).collect()
}

/// The bytes of each, as a parameter.
pub(super) fn names(uvcis: &[Uvci]) -> Vec<&[u8]> {
    uvcis.iter().map(|uvci| uvci.0.as_slice()).collect()
}

pub(super) fn uvci(bytes: &[u8]) -> Result<Uvci, StoreError> {
    bytes.try_into().map(Uvci).map_err(|_| StoreError::Unreadable("revocation"))
}

impl Tx<'_> {
    /// Revokes certificates of a person that fall because their record was put right: their rows and the outbox.
    pub async fn revoke_all(
        &self,
        person: Uuid,
        uvcis: &[Uvci],
        by: &str,
        why: &str,
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        let mark = "-- revoke all
                    UPDATE certificate SET revoked_at = $3, superseded_at = coalesce(superseded_at, $3), revocation_batch = $4
                    WHERE person_id = $1 AND uvci = ANY($2) AND revoked_at IS NULL RETURNING uvci";
        if uvcis.is_empty() {
            return Ok(());
        }
        let batch = Uuid::new_v4();
        let stmt = self.inner.prepare_cached(mark).await?;
        let rows = self.inner.query(&stmt, &[&person, &names(uvcis), &timestamp(at), &batch]).await?;
        let revoked = rows.iter().map(|row| uvci(row.get(0))).collect::<Result<Vec<_>, _>>()?;
        self.insert_revocation_batch(batch, by, true, at).await?;
        self.insert_revocations(batch, &revoked, &vec![why; revoked.len()]).await?;
        self.publish_revocations(&revoked, false, at).await
    }

    async fn insert_revocation_batch(
        &self,
        batch: Uuid,
        by: &str,
        put_right: bool,
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        let sql = "-- revocation batch made
                   INSERT INTO revocation_batch (batch_id, made_at, made_by, put_right) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (batch_id) DO NOTHING";
        self.inner.execute(&self.inner.prepare_cached(sql).await?, &[&batch, &timestamp(at), &by, &put_right]).await?;
        Ok(())
    }

    async fn insert_revocations(&self, batch: Uuid, uvcis: &[Uvci], whys: &[&str]) -> Result<(), StoreError> {
        let sql = "-- revocations of a batch
                   INSERT INTO revocation (batch_id, uvci, why)
                   SELECT $1, k.uvci, k.why FROM unnest($2::bytea[], $3::text[]) AS k (uvci, why)";
        self.inner.execute(&self.inner.prepare_cached(sql).await?, &[&batch, &names(uvcis), &whys]).await?;
        Ok(())
    }

    /// Those of these certificates that `batch` revoked last, and that are revoked. Lock their people first.
    pub async fn still_revoked(&self, batch: Uuid, people: &[Uuid], uvcis: &[Uvci]) -> Result<Vec<Uvci>, StoreError> {
        let sql = "-- still revoked
                   SELECT uvci FROM certificate
                   WHERE person_id = ANY($1) AND uvci = ANY($2) AND revocation_batch = $3 AND revoked_at IS NOT NULL";
        let stmt = self.inner.prepare_cached(sql).await?;
        let rows = self.inner.query(&stmt, &[&people, &names(uvcis), &batch]).await?;
        rows.iter().map(|row| uvci(row.get(0))).collect()
    }

    /// Takes revocations back: the certificates' rows, the batch's and the outbox. What superseded them stays so.
    pub async fn undo_revocations(
        &self,
        batch: Uuid,
        people: &[Uuid],
        uvcis: &[Uvci],
        by: &str,
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        let restore = "-- restore certificates
                       UPDATE certificate SET revoked_at = NULL WHERE person_id = ANY($1) AND uvci = ANY($2)";
        let names = names(uvcis);
        self.inner.execute(&self.inner.prepare_cached(restore).await?, &[&people, &names]).await?;
        let mark = "-- mark revocations undone
                    UPDATE revocation SET undone_at = $3, undone_by = $4 WHERE batch_id = $1 AND uvci = ANY($2)";
        let stmt = self.inner.prepare_cached(mark).await?;
        self.inner.execute(&stmt, &[&batch, &names, &timestamp(at), &by]).await?;
        self.publish_revocations(uvcis, true, at).await
    }

    /// Writes down that undoing a whole batch is begun. Returns false if it was before.
    pub async fn begin_undo(&self, batch: Uuid, by: &str, at: UnixSeconds) -> Result<bool, StoreError> {
        let sql = "-- begin to undo a batch
                   UPDATE revocation_batch SET undone_at = $2, undone_by = $3 WHERE batch_id = $1 AND undone_at IS NULL";
        let stmt = self.inner.prepare_cached(sql).await?;
        Ok(self.inner.execute(&stmt, &[&batch, &timestamp(at), &by]).await? == 1)
    }
}

struct Begin<'a> {
    batch: Uuid,
    by: &'a Audited,
}

impl Work for Begin<'_> {
    type Output = ();

    async fn run(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        tx.insert_revocation_batch(self.batch, &self.by.subject, false, self.by.at).await?;
        tx.audit(self.by).await
    }
}

struct Revoke<'a> {
    batch: Uuid,
    rows: &'a [(Uvci, &'a str)],
    /// Whose those are that we issued.
    holders: &'a HashMap<Uvci, Uuid>,
    at: UnixSeconds,
    /// Who asks, if the batch is this one certificate: it is begun here.
    opens: Option<&'a Audited>,
}

impl Work for Revoke<'_> {
    type Output = Vec<Revoked>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Vec<Revoked>, StoreError> {
        let uvcis: Vec<Uvci> = self.rows.iter().map(|(uvci, _)| *uvci).collect();
        let mut people: Vec<Uuid> = self.holders.values().copied().collect();
        people.sort_unstable();
        people.dedup();
        tx.lock(&people).await?;
        let stmt = tx.inner.prepare_cached(REVOKED_WHEN).await?;
        let mut known = revoked_when(&tx.inner.query(&stmt, &[&people, &names(&uvcis)]).await?)?;
        let (mut answers, mut revoked, mut whys) = (Vec::with_capacity(self.rows.len()), Vec::new(), Vec::new());
        for (uvci, why) in self.rows {
            answers.push(match known.get_mut(uvci) {
                None => Revoked::Unknown,
                Some(Some(at)) => Revoked::Already(*at),
                Some(revoked_at) => {
                    *revoked_at = Some(self.at); // for the same one further down
                    revoked.push(*uvci);
                    whys.push(*why);
                    Revoked::New
                }
            });
        }
        if revoked.is_empty() {
            return Ok(answers);
        }
        if let Some(by) = self.opens {
            tx.insert_revocation_batch(self.batch, &by.subject, false, by.at).await?;
            tx.audit(&Audited { about: people.first().copied(), ..by.clone() }).await?;
        }
        let mark = "-- revoke
                    UPDATE certificate SET revoked_at = $3, revocation_batch = $4
                    WHERE person_id = ANY($1) AND uvci = ANY($2) AND revoked_at IS NULL";
        let stmt = tx.inner.prepare_cached(mark).await?;
        tx.inner.execute(&stmt, &[&people, &names(&revoked), &timestamp(self.at), &self.batch]).await?;
        tx.insert_revocations(self.batch, &revoked, &whys).await?;
        tx.publish_revocations(&revoked, false, self.at).await?;
        Ok(answers)
    }
}
