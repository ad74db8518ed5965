//! The audit table: who read or changed what of whose, and why. Appended to, never changed.

use jiff::Timestamp;
use uuid::Uuid;

use super::people::timestamp;
use super::{Store, StoreError, Tx};
use crate::certificate::UnixSeconds;

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// When.
    pub at: UnixSeconds,
    /// What they are: a role's word.
    pub role: String,
    /// Who: a token's subject, or an account.
    pub subject: String,
    /// The facility's or the province's code that they speak for; empty for none.
    pub place: String,
    /// What they did, such as `person.read`.
    pub action: &'static str,
    /// To whom, if it is about one person.
    pub about: Option<Uuid>,
    /// Why, in their words or ours. Never personal data.
    pub why: String,
}

/// An entry as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Which entry.
    pub id: Uuid,
    /// When.
    pub at: UnixSeconds,
    /// What they are.
    pub role: String,
    /// Who.
    pub subject: String,
    /// For which facility or province.
    pub place: String,
    /// What they did.
    pub action: String,
    /// To whom.
    pub about: Option<Uuid>,
    /// Why.
    pub why: String,
}

const INSERT: &str = "-- audit
    INSERT INTO audit (bucket, at, audit_id, role, subject, place, action, about, why)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// The day in Viet Nam and a digit of the id: a day's entries in sixteen places.
fn bucket(at: UnixSeconds, digit: u8) -> String {
    format!("{} {:x}", at.vietnamese_date(), digit & 0xf)
}

macro_rules! insert {
    ($client:expr, $done:expr) => {{
        let done: &Audited = $done;
        let id = Uuid::new_v4();
        let bucket = bucket(done.at, id.as_bytes()[0]);
        let stmt = $client.prepare_cached(INSERT).await?;
        $client
            .execute(
                &stmt,
                &[
                    &bucket,
                    &timestamp(done.at),
                    &id,
                    &done.role,
                    &done.subject,
                    &done.place,
                    &done.action,
                    &done.about,
                    &done.why,
                ],
            )
            .await?;
        Ok(())
    }};
}

impl Tx<'_> {
    /// Writes down what is done in this transaction.
    pub async fn audit(&self, done: &Audited) -> Result<(), StoreError> {
        insert!(self.inner, done)
    }
}

impl Store {
    /// Writes down what is done, before it is answered.
    pub async fn audit(&self, done: &Audited) -> Result<(), StoreError> {
        let client = self.client().await?;
        insert!(client, done)
    }

    /// What was done on a day in Viet Nam, of everybody or about one person, oldest first: at most ten thousand.
    pub async fn audited(&self, day: jiff::civil::Date, about: Option<Uuid>) -> Result<Vec<AuditRow>, StoreError> {
        self.audited_after(day, about, None, 10_000).await
    }

    /// The next `limit` entries of a day after (instant, id), oldest first.
    pub async fn audited_after(
        &self,
        day: jiff::civil::Date,
        about: Option<Uuid>,
        after: Option<(UnixSeconds, Uuid)>,
        limit: i64,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let buckets: Vec<String> = (0..16).map(|digit| format!("{day} {digit:x}")).collect();
        let of_bucket = |bucket: &str| {
            format!(
                "SELECT audit_id, at, role, subject, place, action, about, why FROM audit
                 WHERE bucket = {bucket} AND (at, audit_id) > ($3, $4) AND ($2::uuid IS NULL OR about = $2)
                 ORDER BY at, audit_id LIMIT $5"
            )
        };
        let (at, id) = after.unwrap_or((UnixSeconds(0), Uuid::nil()));
        let after_at = timestamp(at);
        let mut rows;
        if self.on_citus {
            // It takes no limit inside a lateral join: a statement a bucket, each to one server.
            rows = Vec::new();
            let sql = format!("-- audited of bucket\n{}", of_bucket("$1"));
            for bucket in &buckets {
                rows.extend(self.rows(&sql, &[bucket, /* about */ &about, &after_at, &id, &limit]).await?);
            }
            rows.sort_by_key(|row| (row.get::<_, Timestamp>(1), row.get::<_, Uuid>(0)));
            rows.truncate(usize::try_from(limit).unwrap_or(0));
        } else {
            let sql = format!(
                "-- audited
                 SELECT a.* FROM unnest($1::text[]) AS k (bucket) CROSS JOIN LATERAL ({}) a
                 ORDER BY a.at, a.audit_id LIMIT $5",
                of_bucket("k.bucket")
            );
            rows = self.rows(&sql, &[&buckets, /* about */ &about, &after_at, &id, &limit]).await?;
        }
        let entry = |row: &tokio_postgres::Row| AuditRow {
            id: row.get(0),
            at: super::people::seconds(row.get(1)),
            role: row.get(2),
            subject: row.get(3),
            place: row.get(4),
            action: row.get(5),
            about: row.get(6),
            why: row.get(7),
        };
        Ok(rows.iter().map(entry).collect())
    }
}
