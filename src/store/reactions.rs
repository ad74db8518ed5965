//! What people felt after a dose.

use serde_json::Value;
use uuid::Uuid;

use super::people::{seconds, timestamp};
use super::{Store, StoreError, Tx};
use crate::certificate::UnixSeconds;

/// A reaction to be written down.
#[derive(Clone, Debug)]
pub struct ReportedReaction {
    /// Whose.
    pub person: Uuid,
    /// Which.
    pub reaction: Uuid,
    /// After which dose.
    pub dose: Uuid,
    /// The symptoms' codes.
    pub symptoms: Vec<String>,
    /// `mild`, `moderate`, `severe`.
    pub severity: String,
    /// When it began.
    pub onset_at: UnixSeconds,
    /// In the reporter's words.
    pub note: String,
    /// Who reported it: a role and a subject.
    pub made_by: String,
    /// When.
    pub made_at: UnixSeconds,
}

/// The dose that a reaction follows.
#[derive(Clone, Debug)]
pub struct ReactedDose {
    /// When it was given.
    pub given_at: UnixSeconds,
    /// The province of the facility that gave it, if it is known.
    pub province: Option<String>,
    /// The commune where the person lives, if it is known.
    pub ward: Option<String>,
}

impl Tx<'_> {
    /// Writes a reaction down. Returns false if it is there already.
    pub async fn insert_reaction(&self, new: &ReportedReaction) -> Result<bool, StoreError> {
        let sql = "-- insert reaction
                   INSERT INTO reaction (person_id, reaction_id, dose_id, symptoms, severity, onset_at, note, made_by, made_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (person_id, reaction_id) DO NOTHING";
        let stmt = self.inner.prepare_cached(sql).await?;
        let symptoms = Value::from(new.symptoms.clone());
        let (onset, made) = (timestamp(new.onset_at), timestamp(new.made_at));
        let inserted = self
            .inner
            .execute(
                &stmt,
                &[
                    &new.person,
                    &new.reaction,
                    &new.dose,
                    &symptoms,
                    &new.severity,
                    &onset,
                    &new.note,
                    &new.made_by,
                    &made,
                ],
            )
            .await?;
        Ok(inserted == 1)
    }
}

impl Store {
    /// The dose that a reaction is to follow; `None` if there is no such dose.
    pub async fn reacted_dose(&self, person: Uuid, dose: Uuid) -> Result<Option<ReactedDose>, StoreError> {
        let client = self.client().await?;
        let sql = "-- reacted dose
                   SELECT d.given_at, f.province_code, p.ward_code FROM dose d JOIN person p ON p.person_id = d.person_id
                   LEFT JOIN facility f ON f.code = d.facility_code WHERE d.person_id = $1 AND d.dose_id = $2";
        let row = client.query_opt(&client.prepare_cached(sql).await?, &[&person, &dose]).await?;
        Ok(row.map(|row| ReactedDose { given_at: seconds(row.get(0)), province: row.get(1), ward: row.get(2) }))
    }

    /// The reactions of a person, oldest first.
    pub async fn reactions_of(&self, person: Uuid) -> Result<Vec<ReportedReaction>, StoreError> {
        let sql = "-- reactions of
                   SELECT person_id, reaction_id, dose_id, symptoms, severity, onset_at, note, made_by, made_at
                   FROM reaction WHERE person_id = $1 ORDER BY made_at, reaction_id LIMIT 200";
        let rows = self.rows(sql, &[/* person */ &person]).await?;
        let symptoms = |row: &tokio_postgres::Row| {
            let codes: Value = row.get(3);
            codes.as_array().into_iter().flatten().filter_map(|code| code.as_str().map(str::to_owned)).collect()
        };
        let reaction = |row: &tokio_postgres::Row| ReportedReaction {
            person: row.get(0),
            reaction: row.get(1),
            dose: row.get(2),
            symptoms: symptoms(row),
            severity: row.get(4),
            onset_at: seconds(row.get(5)),
            note: row.get(6),
            made_by: row.get(7),
            made_at: seconds(row.get(8)),
        };
        Ok(rows.iter().map(reaction).collect())
    }
}
