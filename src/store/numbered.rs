//! A facility's doses by its own numbers of them.

use super::doses::{self, DoseRow};
use super::lookup::{self, PersonDetail};
use super::{Store, StoreError};

/// A dose in its facility's list.
#[derive(Clone)]
pub struct NumberedDose {
    /// The number that it is listed under; another one than the dose's own if it was recorded twice.
    pub record_no: String,
    /// The dose.
    pub dose: DoseRow,
    /// Whether it was voided.
    pub voided: bool,
    /// Whose it is.
    pub person: PersonDetail,
}

impl Store {
    /// Up to `limit` doses of a facility whose numbers begin with `begins`, from the highest number below `after` downwards.
    pub async fn numbered_doses(
        &self,
        facility: &str,
        begins: &str,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<NumberedDose>, StoreError> {
        let client = self.client().await?;
        // A facility's numbers are some thousands, and stand together: to look through them needs no index of their beginnings.
        let sql = format!(
            "-- numbered doses
             WITH r AS MATERIALIZED (
                 SELECT record_no, person_id, dose_id FROM dose_by_record
                 WHERE facility_code = $1 AND left(record_no, length($2)) = $2 AND ($3::text IS NULL OR record_no < $3)
                 ORDER BY record_no DESC LIMIT $4
             )
             SELECT r.record_no, {}, d.voided_at IS NOT NULL, {} FROM r
             JOIN dose d ON d.person_id = r.person_id AND d.dose_id = r.dose_id
             JOIN person p ON p.person_id = d.person_id
             ORDER BY r.record_no DESC",
            doses::COLUMNS,
            lookup::COLUMNS
        );
        let stmt = client.prepare_cached(&sql).await?;
        let rows = client.query(&stmt, &[&facility, &begins, &after, &limit]).await?;
        let numbered = |row: &tokio_postgres::Row| {
            Ok(NumberedDose {
                record_no: row.get(0),
                dose: doses::dose_at(row, 1)?,
                voided: row.get(1 + doses::COLUMN_COUNT),
                person: lookup::detail_at(row, 2 + doses::COLUMN_COUNT),
            })
        };
        rows.iter().map(numbered).collect()
    }
}
