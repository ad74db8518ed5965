//! Doses, and the facilities' numbers of them.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::certificates::{self, CertificateRow};
use super::people::{hash_of, seconds, timestamp};
use super::{Hash, StoreError, Tx};
use crate::certificate::UnixSeconds;

/// A dose as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoseRow {
    /// Whose.
    pub person: Uuid,
    /// Which.
    pub dose: Uuid,
    /// The code of the facility that gave it.
    pub facility: String,
    /// The facility's number of it.
    pub record_no: String,
    /// The product's code.
    pub product: String,
    /// The lot.
    pub lot: String,
    /// The last day on which the lot may be used.
    pub lot_expires_on: Option<Date>,
    /// When it was given.
    pub given_at: UnixSeconds,
    /// Its number, as the facility counted.
    pub number: u8,
    /// What is remarkable about it.
    pub flags: Vec<String>,
    /// When it was recorded.
    pub recorded_at: UnixSeconds,
    /// By whom.
    pub recorded_by: String,
    /// Who gave it, if that was said.
    pub vaccinator: Option<String>,
}

/// A facility's number of a dose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// The facility's code.
    pub facility: String,
    /// Its number.
    pub record_no: String,
    /// Whose dose.
    pub person: Uuid,
    /// Which dose.
    pub dose: Uuid,
    /// The keyed hash of what was sent.
    pub request_hash: Hash,
}

/// A record that was taken before, with the dose it stands for and the certificate that the dose caused.
#[derive(Clone, Debug)]
pub struct KnownRecord {
    /// The record.
    pub record: RecordRow,
    /// The dose; recorded first, perhaps, under another number.
    pub dose: DoseRow,
    /// The certificate that says it: see [`certificates::saying`].
    pub certificate: CertificateRow,
    /// True if the dose was voided since.
    pub voided: bool,
}

/// A dose, every certificate of its person, and whether it was voided.
type CertifiedDose = (DoseRow, Vec<CertificateRow>, bool);

/// The columns of a dose, as [`dose_of`] reads them.
pub(super) const COLUMNS: &str = "d.person_id, d.dose_id, d.facility_code, d.record_no, d.product, d.lot, d.lot_expires_on, \
                       d.given_at, d.number, d.flags, d.recorded_at, d.recorded_by, d.vaccinator";
/// How many there are.
pub(super) const COLUMN_COUNT: usize = 13;

pub(super) fn dose_of(row: &Row) -> Result<DoseRow, StoreError> {
    dose_at(row, 0)
}

/// The dose whose columns begin at `at`.
pub(super) fn dose_at(row: &Row, at: usize) -> Result<DoseRow, StoreError> {
    const UNREADABLE: StoreError = StoreError::Unreadable("dose");
    let number: i64 = row.get(at + 8);
    let flags: Value = row.get(at + 9);
    let words = flags.as_array().ok_or(UNREADABLE)?.iter().map(|word| word.as_str().map(str::to_owned));
    Ok(DoseRow {
        person: row.get(at),
        dose: row.get(at + 1),
        facility: row.get(at + 2),
        record_no: row.get(at + 3),
        product: row.get(at + 4),
        lot: row.get(at + 5),
        lot_expires_on: row.get(at + 6),
        given_at: seconds(row.get(at + 7)),
        number: u8::try_from(number).map_err(|_| UNREADABLE)?,
        flags: words.collect::<Option<Vec<String>>>().ok_or(UNREADABLE)?,
        recorded_at: seconds(row.get(at + 10)),
        recorded_by: row.get(at + 11),
        vaccinator: row.get(at + 12),
    })
}

impl Tx<'_> {
    /// What was recorded before under these (facility, number) pairs.
    pub async fn records(&self, keys: &[(String, String)]) -> Result<Vec<KnownRecord>, StoreError> {
        let sql = "-- doses by record
             SELECT r.facility_code, r.record_no, r.person_id, r.dose_id, r.request_hash
             FROM unnest($1::text[], $2::text[]) AS k (facility_code, record_no)
             JOIN dose_by_record r ON r.facility_code = k.facility_code AND r.record_no = k.record_no";
        let stmt = self.inner.prepare_cached(sql).await?;
        let facilities: Vec<&str> = keys.iter().map(|(facility, _)| facility.as_str()).collect();
        let numbers: Vec<&str> = keys.iter().map(|(_, number)| number.as_str()).collect();
        let rows = self.inner.query(&stmt, &[&facilities, &numbers]).await?;
        let record = |row: &Row| {
            Ok(RecordRow {
                facility: row.get(0),
                record_no: row.get(1),
                person: row.get(2),
                dose: row.get(3),
                request_hash: hash_of(row.get(4)).ok_or(StoreError::Unreadable("dose_by_record"))?,
            })
        };
        let records = rows.iter().map(record).collect::<Result<Vec<RecordRow>, StoreError>>()?;
        // New numbers, as a rule, and then that was all.
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let doses = self.certified_doses(&records).await?;
        let known = |record: RecordRow| {
            let (dose, certificates, voided) =
                doses.get(&(record.person, record.dose)).ok_or(StoreError::Unreadable("dose"))?;
            let certificate = certificates::saying(dose.dose, certificates.iter());
            let certificate = certificate.ok_or(StoreError::Unreadable("certificate"))?.clone();
            Ok(KnownRecord { record, dose: dose.clone(), certificate, voided: *voided })
        };
        records.into_iter().map(known).collect()
    }

    /// The doses that records stand for, with all certificates of their people, and whether they were voided.
    async fn certified_doses(&self, records: &[RecordRow]) -> Result<HashMap<(Uuid, Uuid), CertifiedDose>, StoreError> {
        let sql = format!(
            "-- doses with certificates
             SELECT {COLUMNS}, {}, d.voided_at IS NOT NULL
             FROM unnest($1::uuid[], $2::uuid[]) AS k (person_id, dose_id)
             JOIN dose d ON d.person_id = k.person_id AND d.dose_id = k.dose_id
             JOIN certificate c ON c.person_id = d.person_id",
            certificates::COLUMNS
        ); // not `= ANY` of both columns: the index is then asked for each person with each dose
        let stmt = self.inner.prepare_cached(&sql).await?;
        let asked: BTreeSet<(Uuid, Uuid)> = records.iter().map(|record| (record.person, record.dose)).collect();
        let (people, doses): (Vec<Uuid>, Vec<Uuid>) = asked.into_iter().unzip();
        let mut certified: HashMap<(Uuid, Uuid), CertifiedDose> = HashMap::new();
        for row in self.inner.query(&stmt, &[/* people */ &people, /* doses */ &doses]).await? {
            let dose = dose_of(&row)?;
            let certificate = certificates::certificate_of(&row, COLUMN_COUNT)?;
            let voided = row.get(COLUMN_COUNT + certificates::COLUMN_COUNT);
            let known = certified.entry((dose.person, dose.dose)).or_insert_with(|| (dose, Vec::new(), voided));
            known.1.push(certificate);
        }
        Ok(certified)
    }

    /// Locks people, so that one transaction at a time adds doses to each, and returns all their doses that stand: none
    /// that was voided.
    ///
    /// `people`: in ascending order, so that two transactions wait for each other and never deadlock.
    pub async fn lock_people(&self, people: &[Uuid]) -> Result<Vec<DoseRow>, StoreError> {
        let sql = format!(
            "-- doses of people
             SELECT {COLUMNS} FROM dose d WHERE d.person_id = ANY($1) AND d.voided_at IS NULL"
        );
        let doses = self.inner.prepare_cached(&sql).await?;
        // The lock is had before the doses are read: one after the other, on purpose.
        let locked = self.lock(people).await?;
        let rows = self.inner.query(&doses, &[/* people */ &people]).await?;
        let doses = rows.iter().map(dose_of).collect::<Result<Vec<DoseRow>, StoreError>>()?;
        let mut tally = self.tally();
        locked.iter().for_each(|row| tally.know(row.get(0), row.get(1)));
        doses.iter().for_each(|dose| tally.know_dose(dose));
        Ok(doses)
    }

    /// Locks people, in one order everywhere, so that two transactions wait for each other and never deadlock. Citus locks
    /// rows on one server a statement: there, one person a statement. Gives who they are and the commune of each.
    pub(super) async fn lock(&self, people: &[Uuid]) -> Result<Vec<Row>, StoreError> {
        if !self.on_citus || people.len() == 1 {
            let sql = "-- lock people
                       SELECT person_id, ward_code FROM person WHERE person_id = ANY($1) ORDER BY person_id FOR UPDATE";
            return Ok(self.inner.query(&self.inner.prepare_cached(sql).await?, &[/* people */ &people]).await?);
        }
        let sql = "-- lock person\nSELECT person_id, ward_code FROM person WHERE person_id = $1 FOR UPDATE";
        let stmt = self.inner.prepare_cached(sql).await?;
        let mut locked = Vec::with_capacity(people.len());
        for person in people {
            locked.extend(self.inner.query_opt(&stmt, &[/* person_id */ person]).await?);
        }
        Ok(locked)
    }

    /// Records doses.
    pub async fn insert_doses(&self, doses: &[DoseRow]) -> Result<(), StoreError> {
        if doses.is_empty() {
            return Ok(());
        }
        let stmt = self
            .inner
            .prepare_cached(
                "-- record doses
                 INSERT INTO dose (person_id, dose_id, facility_code, record_no, product, lot, lot_expires_on, given_at,
                                   number, flags, recorded_at, recorded_by, vaccinator)
                 SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[],
                                      $8::timestamptz[], $9::bigint[], $10::jsonb[], $11::timestamptz[], $12::text[],
                                      $13::text[])",
            )
            .await?;
        let text = |of: fn(&DoseRow) -> &str| doses.iter().map(of).collect::<Vec<&str>>();
        let id = |of: fn(&DoseRow) -> Uuid| doses.iter().map(of).collect::<Vec<Uuid>>();
        let instant =
            |of: fn(&DoseRow) -> UnixSeconds| doses.iter().map(|dose| timestamp(of(dose))).collect::<Vec<Timestamp>>();
        let expiries: Vec<Option<Date>> = doses.iter().map(|dose| dose.lot_expires_on).collect();
        let numbers: Vec<i64> = doses.iter().map(|dose| dose.number.into()).collect();
        let vaccinators: Vec<Option<&str>> = doses.iter().map(|dose| dose.vaccinator.as_deref()).collect();
        let flags: Vec<Value> = doses.iter().map(|dose| dose.flags.clone().into()).collect();
        self.inner
            .execute(
                &stmt,
                &[
                    &id(|dose| dose.person),
                    &id(|dose| dose.dose),
                    &text(|dose| &dose.facility),
                    &text(|dose| &dose.record_no),
                    &text(|dose| &dose.product),
                    &text(|dose| &dose.lot),
                    &expiries,
                    &instant(|dose| dose.given_at),
                    &numbers,
                    &flags,
                    &instant(|dose| dose.recorded_at),
                    &text(|dose| &dose.recorded_by),
                    &vaccinators,
                ],
            )
            .await?;
        self.count_doses(doses).await
    }

    /// Counts doses that were just written. Whoever enrols people beside it, or locks them before, need not ask for them again.
    async fn count_doses(&self, doses: &[DoseRow]) -> Result<(), StoreError> {
        let unknown = self.tally().unknown(doses.iter().map(|dose| dose.person));
        if !unknown.is_empty() {
            self.lock_people(&unknown).await?;
        }
        let mut tally = self.tally();
        for dose in doses.iter().filter(|dose| unknown.contains(&dose.person)) {
            tally.forget_dose(dose);
        }
        doses.iter().for_each(|dose| tally.put_dose(dose, true));
        Ok(())
    }

    /// Records the facilities' numbers. One already taken fails with 23505, and the transaction is run again.
    pub async fn insert_records(&self, records: &[RecordRow]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let stmt = self
            .inner
            .prepare_cached(
                "-- record numbers
                 INSERT INTO dose_by_record (facility_code, record_no, person_id, dose_id, request_hash)
                 SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::bytea[])",
            )
            .await?;
        let mut sorted: Vec<&RecordRow> = records.iter().collect();
        sorted.sort_by_key(|record| (&record.facility, &record.record_no));
        let facilities: Vec<&str> = sorted.iter().map(|record| record.facility.as_str()).collect();
        let numbers: Vec<&str> = sorted.iter().map(|record| record.record_no.as_str()).collect();
        let people: Vec<Uuid> = sorted.iter().map(|record| record.person).collect();
        let doses: Vec<Uuid> = sorted.iter().map(|record| record.dose).collect();
        let hashes: Vec<&[u8]> = sorted.iter().map(|record| record.request_hash.as_slice()).collect();
        self.inner.execute(&stmt, &[&facilities, &numbers, &people, &doses, &hashes]).await?;
        Ok(())
    }
}
