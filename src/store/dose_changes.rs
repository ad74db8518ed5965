//! What was changed of recorded doses, by whom, and what waits for a second person.

use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::corrections::QueueOf;
use super::doses::{self, DoseRow};
use super::people::{seconds, timestamp};
use super::{Store, StoreError, Tx};
use crate::certificate::UnixSeconds;

/// A change of a dose: applied, refused, or waiting for a second person.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseChangeRow {
    /// Whose dose.
    pub person: Uuid,
    /// Which change.
    pub change: Uuid,
    /// Which dose.
    pub dose: Uuid,
    /// The members that change, or `{"void": true}`.
    pub members: Value,
    /// The dose's members before it.
    pub before: Value,
    /// Why.
    pub why: String,
    /// Who asked for it.
    pub made_by: String,
    /// When.
    pub made_at: UnixSeconds,
    /// Who confirmed or refused it, if that took a second person.
    pub checked_by: Option<String>,
    /// Since when it is so.
    pub applied_at: Option<UnixSeconds>,
    /// When it was refused.
    pub refused_at: Option<UnixSeconds>,
}

/// A change that waits for a second person, with the dose as it is and whose it is.
#[derive(Clone)]
pub struct WaitingChange {
    /// The change.
    pub change: DoseChangeRow,
    /// The dose.
    pub dose: DoseRow,
    /// The person's name as written.
    pub name: String,
    /// As precise as it is known.
    pub birth: String,
}

/// How many changes that wait are listed at once.
pub const MAX_WAITING: i64 = 200;

impl Store {
    /// The changes that wait for a second person at these facilities, the oldest of each first, at most [`MAX_WAITING`].
    pub async fn waiting_changes(&self, of: &QueueOf) -> Result<Vec<WaitingChange>, StoreError> {
        let client = self.client().await?;
        let (whose, code) = of.filter();
        let columns = COLUMNS.split(", ").map(|column| format!("c.{column}")).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "-- waiting changes
             WITH q AS MATERIALIZED (
                 SELECT q.facility_code, q.made_at, q.change_id, q.person_id FROM dose_change_by_facility q
                 WHERE {whose} ORDER BY q.facility_code, q.made_at, q.change_id LIMIT $2
             )
             SELECT {columns}, {}, p.name, p.birth FROM q
             JOIN dose_change c ON c.person_id = q.person_id AND c.change_id = q.change_id
             JOIN dose d ON d.person_id = c.person_id AND d.dose_id = c.dose_id
             JOIN person p ON p.person_id = c.person_id
             ORDER BY q.facility_code, q.made_at, q.change_id",
            doses::COLUMNS
        );
        let stmt = client.prepare_cached(&sql).await?;
        let rows = client.query(&stmt, &[/* whose */ &code, /* limit */ &MAX_WAITING]).await?;
        let waiting = |row: &Row| {
            let after = COLUMN_COUNT + doses::COLUMN_COUNT;
            Ok(WaitingChange {
                change: change_of(row),
                dose: doses::dose_at(row, COLUMN_COUNT)?,
                name: row.get(after),
                birth: row.get(after + 1),
            })
        };
        rows.iter().map(waiting).collect()
    }
}

/// How many columns [`COLUMNS`] are.
const COLUMN_COUNT: usize = 11;
const COLUMNS: &str =
    "person_id, change_id, dose_id, change, before, why, made_by, made_at, checked_by, applied_at, refused_at";

fn change_of(row: &Row) -> DoseChangeRow {
    DoseChangeRow {
        person: row.get(0),
        change: row.get(1),
        dose: row.get(2),
        members: row.get(3),
        before: row.get(4),
        why: row.get(5),
        made_by: row.get(6),
        made_at: seconds(row.get(7)),
        checked_by: row.get(8),
        applied_at: row.get::<_, Option<jiff::Timestamp>>(9).map(seconds),
        refused_at: row.get::<_, Option<jiff::Timestamp>>(10).map(seconds),
    }
}

impl Tx<'_> {
    /// Writes a change down.
    pub async fn insert_dose_change(&self, row: &DoseChangeRow) -> Result<(), StoreError> {
        let sql = "-- write dose change
                   INSERT INTO dose_change (person_id, change_id, dose_id, change, before, why, made_by, made_at, checked_by,
                                            applied_at, refused_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let stmt = self.inner.prepare_cached(sql).await?;
        let (made, applied, refused) =
            (timestamp(row.made_at), row.applied_at.map(timestamp), row.refused_at.map(timestamp));
        self.inner
            .execute(
                &stmt,
                &[
                    &row.person,
                    &row.change,
                    &row.dose,
                    &row.members,
                    &row.before,
                    &row.why,
                    &row.made_by,
                    &made,
                    &row.checked_by,
                    &applied,
                    &refused,
                ],
            )
            .await?;
        Ok(())
    }

    /// Puts a change before the second person of a facility.
    pub async fn queue_dose_change(&self, facility: &str, row: &DoseChangeRow) -> Result<(), StoreError> {
        let sql = "-- queue dose change
                   INSERT INTO dose_change_by_facility (facility_code, made_at, change_id, person_id) VALUES ($1, $2, $3, $4)";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&facility, &timestamp(row.made_at), &row.change, &row.person]).await?;
        Ok(())
    }

    /// The changes of a dose that wait for a second person. Lock its person first.
    pub async fn waiting_dose_changes(&self, person: Uuid, dose: Uuid) -> Result<Vec<DoseChangeRow>, StoreError> {
        let sql = format!(
            "-- waiting dose changes
             SELECT {COLUMNS} FROM dose_change
             WHERE person_id = $1 AND dose_id = $2 AND applied_at IS NULL AND refused_at IS NULL"
        );
        let rows = self.inner.query(&self.inner.prepare_cached(&sql).await?, &[&person, &dose]).await?;
        Ok(rows.iter().map(change_of).collect())
    }

    /// One change; `None` if there is none. Lock its person first.
    pub async fn dose_change(&self, person: Uuid, change: Uuid) -> Result<Option<DoseChangeRow>, StoreError> {
        let sql = format!("-- dose change\nSELECT {COLUMNS} FROM dose_change WHERE person_id = $1 AND change_id = $2");
        let row = self.inner.query_opt(&self.inner.prepare_cached(&sql).await?, &[&person, &change]).await?;
        Ok(row.as_ref().map(change_of))
    }

    /// Closes a change that waits at a facility, as `row` says: applied or refused, and by whom.
    pub async fn close_dose_change(&self, facility: &str, row: &DoseChangeRow) -> Result<(), StoreError> {
        let sql = "-- unqueue dose change
                   DELETE FROM dose_change_by_facility WHERE facility_code = $1 AND made_at = $2 AND change_id = $3";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&facility, &timestamp(row.made_at), &row.change]).await?;
        let sql = "-- close dose change
                   UPDATE dose_change SET checked_by = $3, applied_at = $4, refused_at = $5
                   WHERE person_id = $1 AND change_id = $2 AND applied_at IS NULL AND refused_at IS NULL";
        let stmt = self.inner.prepare_cached(sql).await?;
        let (applied, refused) = (row.applied_at.map(timestamp), row.refused_at.map(timestamp));
        self.inner.execute(&stmt, &[&row.person, &row.change, &row.checked_by, &applied, &refused]).await?;
        Ok(())
    }
}
