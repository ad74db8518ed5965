//! Reference data, and the idempotency keys of callers.

use std::collections::HashMap;
use std::time::Duration;

use super::people::{hash_of, timestamp};
use super::{Audited, Hash, Store, StoreError, Tx, Work};
use crate::certificate::UnixSeconds;

/// A province.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Province {
    /// The General Statistics Office's code, two digits.
    pub code: String,
    /// Its name.
    pub name: String,
}

/// A vaccination site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facility {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub province: String,
}

/// What came of facilities that were to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutFacilities {
    /// They are in the reference data.
    Put {
        /// So many were not known before.
        new: usize,
        /// So many had another name.
        renamed: usize,
    },
    /// Nothing was changed: those with these codes are in other provinces, in which what they did was counted.
    Moving(Vec<String>),
}

/// What is known of an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is new, and kept from now on.
    New,
    /// It came before, with the same body.
    Same,
    /// It came before, with another body.
    Other,
}

/// How long an idempotency key is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);

const PUT_FACILITIES: &str = "-- put facilities
    INSERT INTO facility (code, name, province_code) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, province_code = excluded.province_code";

impl Store {
    /// Adds or renames provinces and facilities.
    pub async fn put_reference(&self, provinces: &[Province], facilities: &[Facility]) -> Result<(), StoreError> {
        let client = self.client().await?;
        let codes: Vec<&str> = provinces.iter().map(|province| province.code.as_str()).collect();
        let names: Vec<&str> = provinces.iter().map(|province| province.name.as_str()).collect();
        let sql = "-- put provinces
                   INSERT INTO province (code, name) SELECT * FROM unnest($1::text[], $2::text[])
                   ON CONFLICT (code) DO UPDATE SET name = excluded.name";
        client.execute(&client.prepare_cached(sql).await?, &[&codes, &names]).await?;
        let codes: Vec<&str> = facilities.iter().map(|facility| facility.code.as_str()).collect();
        let names: Vec<&str> = facilities.iter().map(|facility| facility.name.as_str()).collect();
        let places: Vec<&str> = facilities.iter().map(|facility| facility.province.as_str()).collect();
        client.execute(&client.prepare_cached(PUT_FACILITIES).await?, &[&codes, &names, &places]).await?;
        Ok(())
    }

    /// Adds or renames facilities, all of them or none; audited in the same transaction. None moves to another province.
    pub async fn put_facilities(&self, facilities: &[Facility], done: &Audited) -> Result<PutFacilities, StoreError> {
        self.transact(&Put { facilities, done }).await
    }

    /// Every province, by code.
    pub async fn provinces(&self) -> Result<Vec<Province>, StoreError> {
        let rows = self.rows("-- provinces\nSELECT code, name FROM province ORDER BY code", &[]).await?;
        Ok(rows.iter().map(|row| Province { code: row.get(0), name: row.get(1) }).collect())
    }

    /// Every facility, by code.
    pub async fn facilities(&self) -> Result<Vec<Facility>, StoreError> {
        self.facilities_of(None, None).await
    }

    /// The facilities of a province, and with these codes; of both where both are said. By code.
    pub async fn facilities_of(
        &self,
        province: Option<&str>,
        codes: Option<&[&str]>,
    ) -> Result<Vec<Facility>, StoreError> {
        let sql = "-- facilities
                   SELECT code, name, province_code FROM facility
                   WHERE ($1::text IS NULL OR province_code = $1) AND ($2::text[] IS NULL OR code = ANY($2)) ORDER BY code";
        let rows = self.rows(sql, &[&province, &codes]).await?;
        Ok(rows.iter().map(|row| Facility { code: row.get(0), name: row.get(1), province: row.get(2) }).collect())
    }

    /// The facility with this code; `None` if it is not in the reference data.
    pub async fn facility(&self, code: &str) -> Result<Option<Facility>, StoreError> {
        let client = self.client().await?;
        let sql = "-- facility\nSELECT code, name, province_code FROM facility WHERE code = $1";
        let row = client.query_opt(&client.prepare_cached(sql).await?, &[&code]).await?;
        Ok(row.map(|row| Facility { code: row.get(0), name: row.get(1), province: row.get(2) }))
    }

    /// Says whether `caller` used `key` before, and with which body; a key is kept for 24 hours.
    ///
    /// Only the body's hash is kept and no answer: the operations are idempotent themselves, a repeat runs again and
    /// gives the same answer, and no personal data is stored twice.
    pub async fn claim_idempotency_key(
        &self,
        caller: &str,
        key: &str,
        body: &Hash,
        now: UnixSeconds,
    ) -> Result<Claim, StoreError> {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        [caller.as_bytes(), &[0], key.as_bytes()].into_iter().for_each(|part| context.update(part));
        let name = context.finish();
        let client = self.client().await?;
        let expired = UnixSeconds(now.0 - KEPT.as_secs() as i64);
        // The row as it was before, if it still counts; the new one replaces an expired one.
        let sql = "-- claim idempotency key
                   INSERT INTO idempotency (key_hash, body_hash, created_at) VALUES ($1, $2, $3)
                   ON CONFLICT (key_hash) DO UPDATE SET
                     body_hash = CASE WHEN idempotency.created_at < $4 THEN excluded.body_hash ELSE idempotency.body_hash END,
                     created_at = CASE WHEN idempotency.created_at < $4 THEN excluded.created_at ELSE idempotency.created_at END
                   RETURNING body_hash, created_at = $3";
        let stmt = client.prepare_cached(sql).await?;
        let row =
            client.query_one(&stmt, &[&name.as_ref(), &body.as_slice(), &timestamp(now), &timestamp(expired)]).await?;
        let kept = hash_of(row.get(0)).ok_or(StoreError::Unreadable("idempotency"))?;
        Ok(match (kept == *body, row.get::<_, bool>(1)) {
            (false, _) => Claim::Other,
            (true, true) => Claim::New,
            (true, false) => Claim::Same,
        })
    }

    /// Forgets idempotency keys older than a day. Returns how many.
    pub async fn forget_idempotency_keys(&self, now: UnixSeconds) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let expired = timestamp(UnixSeconds(now.0 - KEPT.as_secs() as i64));
        let stmt =
            client.prepare_cached("-- forget idempotency keys\nDELETE FROM idempotency WHERE created_at < $1").await?;
        Ok(client.execute(&stmt, &[/* expired */ &expired]).await?)
    }
}

struct Put<'a> {
    facilities: &'a [Facility],
    done: &'a Audited,
}

impl Work for Put<'_> {
    type Output = PutFacilities;

    async fn run(&self, tx: &Tx<'_>) -> Result<PutFacilities, StoreError> {
        let known = tx.facilities(self.facilities).await?;
        let of = |facility: &Facility| known.get(&facility.code);
        let moves = |facility: &&Facility| of(facility).is_some_and(|(_, province)| *province != facility.province);
        let moving: Vec<String> = self.facilities.iter().filter(moves).map(|facility| facility.code.clone()).collect();
        if !moving.is_empty() {
            return Ok(PutFacilities::Moving(moving));
        }
        tx.put_facilities(self.facilities).await?;
        tx.audit(self.done).await?;
        let new = self.facilities.iter().filter(|facility| of(facility).is_none()).count();
        let renamed = |facility: &&Facility| of(facility).is_some_and(|(name, _)| *name != facility.name);
        Ok(PutFacilities::Put { new, renamed: self.facilities.iter().filter(renamed).count() })
    }
}

impl Tx<'_> {
    /// The names and provinces of those of `facilities` that are known, by code.
    async fn facilities(&self, facilities: &[Facility]) -> Result<HashMap<String, (String, String)>, StoreError> {
        let codes: Vec<&str> = facilities.iter().map(|facility| facility.code.as_str()).collect();
        let sql = "-- facilities to put\nSELECT code, name, province_code FROM facility WHERE code = ANY($1::text[])";
        let rows = self.inner.query(&self.inner.prepare_cached(sql).await?, &[/* codes */ &codes]).await?;
        Ok(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect())
    }

    async fn put_facilities(&self, facilities: &[Facility]) -> Result<(), StoreError> {
        let codes: Vec<&str> = facilities.iter().map(|facility| facility.code.as_str()).collect();
        let names: Vec<&str> = facilities.iter().map(|facility| facility.name.as_str()).collect();
        let places: Vec<&str> = facilities.iter().map(|facility| facility.province.as_str()).collect();
        self.inner.execute(&self.inner.prepare_cached(PUT_FACILITIES).await?, &[&codes, &names, &places]).await?;
        Ok(())
    }
}
