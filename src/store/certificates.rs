//! Issued certificates: written down before they are handed out.

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::people::{seconds, timestamp};
use super::{Fact, Store, StoreError, Tx, Work, together};
use crate::certificate::{CardColour, UnixSeconds, Uvci};
use crate::keys::Kid;
use crate::tlog;

/// A certificate as it was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRow {
    /// Whose.
    pub person: Uuid,
    /// Its name.
    pub uvci: Uvci,
    /// The dose whose recording caused it.
    pub dose: Uuid,
    /// How many doses it certifies.
    pub number: u8,
    /// Of how many.
    pub series: u8,
    /// Its colour.
    pub card: CardColour,
    /// `iat`.
    pub issued_at: UnixSeconds,
    /// `exp`.
    pub expires_at: UnixSeconds,
    /// The key that signed the compact form.
    pub kid: Kid,
    /// The COSE_Sign1 of the compact form.
    pub compact: Vec<u8>,
    /// The COSE_Sign1 of hc1, once it was asked for.
    pub hc1: Option<Vec<u8>>,
    /// When a later one took its place; it stays true.
    pub superseded_at: Option<UnixSeconds>,
    /// When it was revoked.
    pub revoked_at: Option<UnixSeconds>,
}

/// A certificate with whose it is to see.
#[derive(Clone, Debug)]
pub struct CertificateDetail {
    /// The certificate.
    pub row: CertificateRow,
    /// The code of the facility whose dose caused it.
    pub facility: String,
    /// That facility's province, if it is in the reference data.
    pub province: Option<String>,
}

/// The columns of a certificate, as [`certificate_of`] reads them.
pub(super) const COLUMNS: &str = "c.person_id, c.uvci, c.dose_id, c.number, c.series, c.card, c.issued_at, c.expires_at, \
                                  c.kid, c.compact, c.hc1, c.superseded_at, c.revoked_at";
/// How many there are.
pub(super) const COLUMN_COUNT: usize = 13;

/// The certificate whose columns begin at `first`.
pub(super) fn certificate_of(row: &Row, first: usize) -> Result<CertificateRow, StoreError> {
    const UNREADABLE: StoreError = StoreError::Unreadable("certificate");
    let small = |at: usize| u8::try_from(row.get::<_, i64>(first + at)).map_err(|_| UNREADABLE);
    let instant = |at: usize| row.get::<_, Option<Timestamp>>(first + at).map(seconds);
    let card: &str = row.get(first + 5);
    let card = [CardColour::Yellow, CardColour::Green].into_iter().find(|colour| colour.as_str() == card);
    let uvci: &[u8] = row.get(first + 1);
    let kid: &[u8] = row.get(first + 8);
    Ok(CertificateRow {
        person: row.get(first),
        uvci: uvci.try_into().map(Uvci).map_err(|_| UNREADABLE)?,
        dose: row.get(first + 2),
        number: small(3)?,
        series: small(4)?,
        card: card.ok_or(UNREADABLE)?,
        issued_at: instant(6).ok_or(UNREADABLE)?,
        expires_at: instant(7).ok_or(UNREADABLE)?,
        kid: kid.try_into().map(Kid).map_err(|_| UNREADABLE)?,
        compact: row.get(first + 9),
        hc1: row.get(first + 10),
        superseded_at: instant(11),
        revoked_at: instant(12),
    })
}

/// The certificate that says `dose` among those of its person: one that the dose caused and that was not revoked, the latest
/// first; else the person's that is in force; else the dose's own, revoked as it is.
pub fn saying<'c>(dose: Uuid, of_person: impl Iterator<Item = &'c CertificateRow>) -> Option<&'c CertificateRow> {
    let rank = |row: &CertificateRow| {
        let caused = row.dose == dose;
        let place = match (caused, row.revoked_at, row.superseded_at) {
            (true, None, None) => 4,
            (true, None, Some(_)) => 3,
            (false, None, None) => 2,
            (true, Some(_), _) => 1,
            (false, ..) => 0,
        };
        (place, row.issued_at)
    };
    of_person.filter(|row| rank(row).0 > 0).max_by_key(|row| rank(row))
}

impl Tx<'_> {
    /// Writes certificates down, and what the transparency log is to say of them.
    pub async fn insert_certificates(&self, rows: &[CertificateRow]) -> Result<(), StoreError> {
        let Some(newest) = rows.iter().map(|row| row.issued_at).max() else { return Ok(()) };
        let entries = rows.iter().map(|row| tlog::entry(&row.compact));
        let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|_| StoreError::Unreadable("certificate"))?;
        self.tally().add(Fact::Certificate, i64::try_from(rows.len()).unwrap_or(i64::MAX));
        let (insert, index) = tokio::try_join!(
            self.inner.prepare_cached(
                "-- issue
                 INSERT INTO certificate (person_id, uvci, dose_id, number, series, card, issued_at, expires_at, kid, compact,
                                          superseded_at)
                 SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::bigint[], $5::bigint[], $6::text[],
                                      $7::timestamptz[], $8::timestamptz[], $9::bytea[], $10::bytea[], $11::timestamptz[])"
            ),
            self.inner.prepare_cached(
                "-- find by uvci
                 INSERT INTO certificate_by_uvci (uvci, person_id) SELECT * FROM unnest($1::bytea[], $2::uuid[])"
            )
        )?;
        let people: Vec<Uuid> = rows.iter().map(|row| row.person).collect();
        let uvcis: Vec<&[u8]> = rows.iter().map(|row| row.uvci.0.as_slice()).collect();
        let doses: Vec<Uuid> = rows.iter().map(|row| row.dose).collect();
        let numbers: Vec<i64> = rows.iter().map(|row| row.number.into()).collect();
        let series: Vec<i64> = rows.iter().map(|row| row.series.into()).collect();
        let cards: Vec<&str> = rows.iter().map(|row| row.card.as_str()).collect();
        let issued: Vec<Timestamp> = rows.iter().map(|row| timestamp(row.issued_at)).collect();
        let expires: Vec<Timestamp> = rows.iter().map(|row| timestamp(row.expires_at)).collect();
        let kids: Vec<&[u8]> = rows.iter().map(|row| row.kid.0.as_slice()).collect();
        let compact: Vec<&[u8]> = rows.iter().map(|row| row.compact.as_slice()).collect();
        let superseded: Vec<Option<Timestamp>> = rows.iter().map(|row| row.superseded_at.map(timestamp)).collect();
        let columns: [&(dyn ToSql + Sync); 11] =
            [&people, &uvcis, &doses, &numbers, &series, &cards, &issued, &expires, &kids, &compact, &superseded];
        let index_columns: [&(dyn ToSql + Sync); 2] = [&uvcis, &people];
        let certificates = together(self.inner.execute(&insert, &columns), self.inner.execute(&index, &index_columns));
        together(certificates, self.log(&entries, newest)).await?;
        Ok(())
    }

    /// All certificates of these people.
    pub async fn certificates_of(&self, people: &[Uuid]) -> Result<Vec<CertificateRow>, StoreError> {
        let sql = format!("-- certificates of people\nSELECT {COLUMNS} FROM certificate c WHERE c.person_id = ANY($1)");
        let stmt = self.inner.prepare_cached(&sql).await?;
        let rows = self.inner.query(&stmt, &[/* people */ &people]).await?;
        rows.iter().map(|row| certificate_of(row, 0)).collect()
    }

    /// Marks the certificates of these people that nothing has superseded yet.
    pub async fn supersede(&self, people: &[Uuid], at: UnixSeconds) -> Result<(), StoreError> {
        let stmt = self.inner.prepare_cached(
            "-- supersede\nUPDATE certificate SET superseded_at = $2 WHERE person_id = ANY($1) AND superseded_at IS NULL",
        );
        self.inner.execute(&stmt.await?, &[/* people */ &people, /* at */ &timestamp(at)]).await?;
        Ok(())
    }
}

impl Store {
    /// The certificate of this name; `None` if there is none.
    pub async fn certificate(&self, uvci: &Uvci) -> Result<Option<CertificateDetail>, StoreError> {
        let holder = "-- certificate by uvci\nSELECT person_id FROM certificate_by_uvci WHERE uvci = $1";
        let uvci = uvci.0.as_slice();
        let holder = self.found(holder, &[/* uvci */ &uvci]).await?;
        let Some(holder) = holder else { return Ok(None) };
        let person: Uuid = holder.get(0);
        let sql = format!(
            "-- certificate
             SELECT {COLUMNS}, d.facility_code, f.province_code FROM certificate c
             JOIN dose d ON d.person_id = c.person_id AND d.dose_id = c.dose_id
             LEFT JOIN facility f ON f.code = d.facility_code
             WHERE c.person_id = $1 AND c.uvci = $2"
        );
        let row = self.found(&sql, &[/* person_id */ &person, /* uvci */ &uvci]).await?;
        row.map(|row| {
            let row_of = certificate_of(&row, 0)?;
            let (facility, province) = (row.get(COLUMN_COUNT), row.get(COLUMN_COUNT + 1));
            Ok(CertificateDetail { row: row_of, facility, province })
        })
        .transpose()
    }

    /// Stores the hc1 form of a certificate if it has none yet, for the transparency log to tell of; returns the one that is
    /// stored. `None` if it has none and was revoked meanwhile: a form that is signed after that would be in nobody's list.
    ///
    /// Errors: [`StoreError::Unreadable`] if there is no such certificate.
    pub async fn put_hc1(
        &self,
        person: Uuid,
        uvci: &Uvci,
        cose: &[u8],
        at: UnixSeconds,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.transact(&PutHc1 { person, uvci, cose, at }).await
    }
}

struct PutHc1<'a> {
    person: Uuid,
    uvci: &'a Uvci,
    cose: &'a [u8],
    at: UnixSeconds,
}

impl Work for PutHc1<'_> {
    type Output = Option<Vec<u8>>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Option<Vec<u8>>, StoreError> {
        const UNREADABLE: StoreError = StoreError::Unreadable("certificate");
        let put = "-- put hc1
                   UPDATE certificate SET hc1 = $3
                   WHERE person_id = $1 AND uvci = $2 AND hc1 IS NULL AND revoked_at IS NULL";
        let put = tx.inner.prepare_cached(put).await?;
        let uvci = self.uvci.0.as_slice();
        if tx.inner.execute(&put, &[&self.person, /* uvci */ &uvci, /* hc1 */ &self.cose]).await? == 1 {
            let entry = tlog::entry(self.cose).map_err(|_| UNREADABLE)?;
            tx.log(&[entry], self.at).await?;
            return Ok(Some(self.cose.to_vec()));
        }
        let stored = "-- hc1\nSELECT hc1 FROM certificate WHERE person_id = $1 AND uvci = $2";
        let stored = tx.inner.prepare_cached(stored).await?;
        let row = tx.inner.query_opt(&stored, &[&self.person, /* uvci */ &uvci]).await?;
        row.map(|row| row.get(0)).ok_or(UNREADABLE)
    }
}
