//! One person's record, as staff and the holder look it up.

use uuid::Uuid;

use super::certificates::{self, CertificateRow};
use super::doses::{self, DoseRow};
use super::{Hash, LookupKind, Store, StoreError};

/// A person with what is sealed of them.
#[derive(Clone)]
pub struct PersonDetail {
    /// Who.
    pub person: Uuid,
    /// The name as written.
    pub name: String,
    /// Its transliteration.
    pub name_key: String,
    /// As precise as it is known.
    pub birth: String,
    /// `female`, `male`, `other`.
    pub sex: Option<String>,
    /// The commune's code.
    pub ward: Option<String>,
    /// The phone number, sealed.
    pub phone_sealed: Option<Vec<u8>>,
    /// The identity number, sealed.
    pub identity_sealed: Option<Vec<u8>>,
}

fn detail_of(row: &tokio_postgres::Row) -> PersonDetail {
    detail_at(row, 0)
}

/// The person whose columns begin at `at`.
pub(super) fn detail_at(row: &tokio_postgres::Row, at: usize) -> PersonDetail {
    PersonDetail {
        person: row.get(at),
        name: row.get(at + 1),
        name_key: row.get(at + 2),
        birth: row.get(at + 3),
        sex: row.get(at + 4),
        ward: row.get(at + 5),
        phone_sealed: row.get(at + 6),
        identity_sealed: row.get(at + 7),
    }
}

/// The columns of a person, as [`detail_at`] reads them.
pub(super) const COLUMNS: &str = "p.person_id, p.name, p.name_key, p.birth, p.sex, p.ward_code, p.phone, p.identity";

/// How many people under one number are looked at.
const MAX_UNDER: i64 = 50;

impl Store {
    /// The people known under a number's keyed hash, at most fifty.
    pub async fn people_under(&self, kind: LookupKind, hash: &Hash) -> Result<Vec<PersonDetail>, StoreError> {
        let sql = match kind {
            LookupKind::Identity => {
                "-- people under identity
                 SELECT person_id FROM person_by_identity WHERE identity_hash = $1 ORDER BY nth LIMIT $2"
            }
            LookupKind::Phone => {
                "-- people under phone\nSELECT person_id FROM person_by_phone WHERE phone_hash = $1 ORDER BY nth LIMIT $2"
            }
        };
        let rows = self.rows(sql, &[/* hash */ &hash.as_slice(), /* limit */ &MAX_UNDER]).await?;
        let people: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        if people.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!("-- these people\nSELECT {COLUMNS} FROM person p WHERE p.person_id = ANY($1)");
        let rows = self.rows(&sql, &[/* people */ &people]).await?;
        let mut found: Vec<PersonDetail> = rows.iter().map(detail_of).collect();
        // In the order in which they became known under it.
        found.sort_by_key(|detail| people.iter().position(|person| *person == detail.person));
        Ok(found)
    }

    /// A person; `None` if there is none.
    pub async fn person(&self, person: Uuid) -> Result<Option<PersonDetail>, StoreError> {
        let sql = format!("-- person\nSELECT {COLUMNS} FROM person p WHERE p.person_id = $1");
        Ok(self.found(&sql, &[/* person */ &person]).await?.as_ref().map(detail_of))
    }

    /// A person's doses by the day they were given, voided ones apart: (dose, whether it was voided).
    pub async fn doses_of(&self, person: Uuid) -> Result<Vec<(DoseRow, bool)>, StoreError> {
        let sql = format!(
            "-- doses of
             SELECT {}, d.voided_at IS NOT NULL FROM dose d WHERE d.person_id = $1 ORDER BY d.given_at, d.dose_id",
            doses::COLUMNS
        );
        let rows = self.rows(&sql, &[/* person */ &person]).await?;
        rows.iter().map(|row| Ok((doses::dose_of(row)?, row.get(doses::COLUMN_COUNT)))).collect()
    }

    /// A person's certificates, oldest first.
    pub async fn certificates_of(&self, person: Uuid) -> Result<Vec<CertificateRow>, StoreError> {
        let sql = format!(
            "-- certificates of\nSELECT {} FROM certificate c WHERE c.person_id = $1 ORDER BY c.issued_at, c.number",
            certificates::COLUMNS
        );
        let rows = self.rows(&sql, &[/* person */ &person]).await?;
        rows.iter().map(|row| certificates::certificate_of(row, 0)).collect()
    }

    /// The province of a facility; `None` if there is no such facility.
    pub async fn province_of_facility(&self, facility: &str) -> Result<Option<String>, StoreError> {
        let sql = "-- province of facility\nSELECT province_code FROM facility WHERE code = $1";
        let row = self.found(sql, &[/* facility */ &facility]).await?;
        Ok(row.map(|row| row.get(0)))
    }
}
