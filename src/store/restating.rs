//! What a change of what is known touches: a person's data, doses, look-ups and certificates.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::accounts;
use super::doses::{self, DoseRow};
use super::people::{seconds, timestamp};
use super::{Hash, LookupKind, PersonRow, Store, StoreError, Tx};
use crate::certificate::UnixSeconds;
use crate::sealing;

/// A person with all that can be put right.
#[derive(Clone)]
pub struct KnownPerson {
    /// Who, under which name, born when.
    pub row: PersonRow,
    /// `female`, `male`, `other`.
    pub sex: Option<String>,
    /// The phone number, sealed.
    pub phone_sealed: Option<Vec<u8>>,
    /// The identity number, sealed.
    pub identity_sealed: Option<Vec<u8>>,
}

impl Tx<'_> {
    /// A person; `None` if there is none. Lock them first.
    pub async fn known_person(&self, person: Uuid) -> Result<Option<KnownPerson>, StoreError> {
        Ok(self.known_people(&[person]).await?.pop())
    }

    /// These people, in any order. Lock them first.
    pub async fn known_people(&self, people: &[Uuid]) -> Result<Vec<KnownPerson>, StoreError> {
        let sql = "-- known people
                   SELECT name, name_key, birth, octet_length(identity), sex, phone, identity, person_id FROM person
                   WHERE person_id = ANY($1)";
        let rows = self.inner.query(&self.inner.prepare_cached(sql).await?, &[&people]).await?;
        rows.iter()
            .map(|row| {
                let birth: &str = row.get(2);
                Ok(KnownPerson {
                    row: PersonRow {
                        person: row.get(7),
                        name: row.get(0),
                        name_key: row.get(1),
                        birth: birth.parse().map_err(|_| StoreError::Unreadable("person"))?,
                        identity_digits: row.get::<_, Option<i32>>(3).map(sealing::plain_len),
                    },
                    sex: row.get(4),
                    phone_sealed: row.get(5),
                    identity_sealed: row.get(6),
                })
            })
            .collect()
    }

    /// Writes a person's data as they are now.
    pub async fn update_person(&self, person: &KnownPerson) -> Result<(), StoreError> {
        let sql = "-- put person right
                   UPDATE person SET name = $2, name_key = $3, birth = $4, sex = $5, phone = $6, identity = $7
                   WHERE person_id = $1";
        let stmt = self.inner.prepare_cached(sql).await?;
        let (row, birth) = (&person.row, person.row.birth.to_string());
        self.inner
            .execute(
                &stmt,
                &[
                    &row.person,
                    &row.name,
                    &row.name_key,
                    &birth,
                    &person.sex,
                    &person.phone_sealed,
                    &person.identity_sealed,
                ],
            )
            .await?;
        Ok(())
    }

    /// Makes a person no longer findable under a number.
    pub async fn forget_lookup(&self, kind: LookupKind, hash: &Hash, person: Uuid) -> Result<(), StoreError> {
        let sql = match kind {
            LookupKind::Identity => {
                "-- forget identity\nDELETE FROM person_by_identity WHERE identity_hash = $1 AND person_id = $2"
            }
            LookupKind::Phone => {
                "-- forget phone\nDELETE FROM person_by_phone WHERE phone_hash = $1 AND person_id = $2"
            }
        };
        self.inner.execute(&self.inner.prepare_cached(sql).await?, &[&hash.as_slice(), &person]).await?;
        Ok(())
    }

    /// All doses of a person, those that were voided among them, each with whether it was.
    pub async fn all_doses(&self, person: Uuid) -> Result<Vec<(DoseRow, bool)>, StoreError> {
        let sql = format!(
            "-- all doses\nSELECT {}, d.voided_at IS NOT NULL FROM dose d WHERE d.person_id = $1",
            doses::COLUMNS
        );
        let rows = self.inner.query(&self.inner.prepare_cached(&sql).await?, &[&person]).await?;
        rows.iter().map(|row| Ok((doses::dose_of(row)?, row.get(doses::COLUMN_COUNT)))).collect()
    }

    /// Writes a dose as it is now, and whether it is voided.
    pub async fn update_dose(&self, dose: &DoseRow, voided_at: Option<UnixSeconds>) -> Result<(), StoreError> {
        let unknown = self.tally().unknown(std::iter::once(dose.person));
        if !unknown.is_empty() {
            self.lock_people(&unknown).await?;
        }
        self.tally().put_dose(dose, voided_at.is_none());
        let sql = "-- change dose
                   UPDATE dose SET product = $3, lot = $4, lot_expires_on = $5, given_at = $6, number = $7, flags = $8,
                                   voided_at = $9
                   WHERE person_id = $1 AND dose_id = $2";
        let stmt = self.inner.prepare_cached(sql).await?;
        let (number, flags) = (i64::from(dose.number), Value::from(dose.flags.clone()));
        let (given, voided) = (timestamp(dose.given_at), voided_at.map(timestamp));
        self.inner
            .execute(
                &stmt,
                &[
                    &dose.person,
                    &dose.dose,
                    &dose.product,
                    &dose.lot,
                    &dose.lot_expires_on,
                    &given,
                    &number,
                    &flags,
                    &voided,
                ],
            )
            .await?;
        Ok(())
    }

    /// Lets the facilities' numbers of a dose stand for another one: the same dose under another person.
    pub async fn move_records(&self, from: &DoseRow, to: &DoseRow) -> Result<(), StoreError> {
        let sql = "-- move records
                   UPDATE dose_by_record SET person_id = $3, dose_id = $4
                   WHERE facility_code = $1 AND record_no = $2 AND person_id = $5 AND dose_id = $6";
        let stmt = self.inner.prepare_cached(sql).await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&from.facility, &from.record_no, &to.person, &to.dose, &from.person, &from.dose];
        self.inner.execute(&stmt, &parameters).await?;
        Ok(())
    }
}

impl Store {
    /// The facility that gave a dose, its province if known, and when it was recorded; `None` if there is no such dose.
    pub async fn dose_place(
        &self,
        person: Uuid,
        dose: Uuid,
    ) -> Result<Option<(String, Option<String>, UnixSeconds)>, StoreError> {
        let client = self.client().await?;
        let sql = "-- dose place
                   SELECT d.facility_code, f.province_code, d.recorded_at
                   FROM dose d LEFT JOIN facility f ON f.code = d.facility_code
                   WHERE d.person_id = $1 AND d.dose_id = $2";
        let row = client.query_opt(&client.prepare_cached(sql).await?, &[&person, &dose]).await?;
        Ok(row.map(|row| (row.get(0), row.get(1), seconds(row.get::<_, Timestamp>(2)))))
    }

    /// The facility that gave a person's latest dose that stands; `None` if there is no dose.
    pub async fn last_facility(&self, person: Uuid) -> Result<Option<String>, StoreError> {
        let client = self.client().await?;
        let sql = "-- last facility
                   SELECT facility_code FROM dose WHERE person_id = $1 AND voided_at IS NULL ORDER BY given_at DESC LIMIT 1";
        let row = client.query_opt(&client.prepare_cached(sql).await?, &[&person]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Whether there is such a person, and whether this account answers for them.
    pub async fn knows_person(&self, person: Uuid, account: Option<Uuid>) -> Result<(bool, bool), StoreError> {
        let client = self.client().await?;
        let sql = "-- knows person\nSELECT 1 FROM person WHERE person_id = $1";
        let exists = client.query_opt(&client.prepare_cached(sql).await?, &[&person]).await?.is_some();
        let theirs = match account {
            Some(account) => accounts::is_member(&client, account, person).await?,
            None => false,
        };
        Ok((exists, theirs))
    }
}
