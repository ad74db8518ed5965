//! Vaccination sessions, and who is placed in them.

use jiff::civil::Date;
use tokio_postgres::Row;
use uuid::Uuid;

use super::accounts::{members_of, phones_of};
use super::doses::{self, DoseRow};
use super::people::{seconds, timestamp};
use super::{Store, StoreError, Tx, together};
use crate::certificate::UnixSeconds;

/// A session: a facility, a day, so many places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The facility's code.
    pub facility: String,
    /// Which.
    pub session: Uuid,
    /// The day, in Viet Nam.
    pub on_day: Date,
    /// `HH:MM`.
    pub begins: String,
    /// `HH:MM`.
    pub ends: String,
    /// The product's code, if it is known.
    pub product: Option<String>,
    /// How many places there are.
    pub capacity: i64,
    /// How many are taken.
    pub placed: i64,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: UnixSeconds,
}

/// Somebody placed in a session.
#[derive(Clone)]
pub struct PlacedRow {
    /// Who.
    pub person: Uuid,
    /// The name as written.
    pub name: String,
    /// As precise as it is known.
    pub birth: String,
    /// `female`, `male`, `other`.
    pub sex: Option<String>,
    /// The person's phone, or that of whoever registered them; sealed.
    pub phone_sealed: Option<Vec<u8>>,
    /// The identity number, sealed.
    pub identity_sealed: Option<Vec<u8>>,
    /// Their doses that stand, by the instant that they were given.
    pub doses: Vec<DoseRow>,
    /// How their registration stands.
    pub status: Option<String>,
    /// When they were placed.
    pub placed_at: UnixSeconds,
}

/// The columns of a session, as [`session_of`] reads them.
const COLUMNS: &str = "s.facility_code, s.session_id, s.on_day, s.begins, s.ends, s.product, s.capacity, s.placed, \
                       s.created_by, s.created_at";
/// How many there are.
const COLUMN_COUNT: usize = 10;
/// How many sessions are listed at once.
pub const MAX_SESSIONS: i64 = 1000;

fn session_of(row: &Row) -> SessionRow {
    SessionRow {
        facility: row.get(0),
        session: row.get(1),
        on_day: row.get(2),
        begins: row.get(3),
        ends: row.get(4),
        product: row.get(5),
        capacity: row.get(6),
        placed: row.get(7),
        created_by: row.get(8),
        created_at: seconds(row.get(9)),
    }
}

impl Store {
    /// Makes a session. Returns false if there is one of this id already.
    pub async fn add_session(&self, new: &SessionRow) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let sql = "-- add session
                   INSERT INTO session (facility_code, session_id, on_day, begins, ends, product, capacity, placed, created_by,
                                        created_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9) ON CONFLICT (facility_code, session_id) DO NOTHING";
        let stmt = client.prepare_cached(sql).await?;
        let at = timestamp(new.created_at);
        let added = client
            .execute(
                &stmt,
                &[
                    &new.facility,
                    &new.session,
                    &new.on_day,
                    &new.begins,
                    &new.ends,
                    &new.product,
                    &new.capacity,
                    &new.created_by,
                    &at,
                ],
            )
            .await?;
        Ok(added == 1)
    }

    /// A session; `None` if there is none.
    pub async fn session(&self, facility: &str, session: Uuid) -> Result<Option<SessionRow>, StoreError> {
        let sql =
            format!("-- session\nSELECT {COLUMNS} FROM session s WHERE s.facility_code = $1 AND s.session_id = $2");
        Ok(self.found(&sql, &[&facility, &session]).await?.as_ref().map(session_of))
    }

    /// A facility's sessions of these days, by day and time, at most [`MAX_SESSIONS`].
    pub async fn sessions(&self, facility: &str, from: Date, to: Date) -> Result<Vec<SessionRow>, StoreError> {
        let sql = format!(
            "-- sessions
             SELECT {COLUMNS} FROM session s WHERE s.facility_code = $1 AND s.on_day BETWEEN $2 AND $3
             ORDER BY s.on_day, s.begins, s.session_id LIMIT $4"
        );
        let rows = self.rows(&sql, &[&facility, &from, &to, /* limit */ &MAX_SESSIONS]).await?;
        Ok(rows.iter().map(session_of).collect())
    }

    /// The sessions in which people of an account are placed, with who; by day, at most [`MAX_SESSIONS`].
    pub async fn sessions_of_account(
        &self,
        account: Uuid,
        person: Option<Uuid>,
    ) -> Result<Vec<(SessionRow, Uuid)>, StoreError> {
        let mut people = members_of(self, account).await?;
        people.retain(|member| person.is_none_or(|person| *member == person));
        let sql = format!(
            "-- sessions of people
             WITH l AS MATERIALIZED (SELECT person_id, facility_code, session_id FROM person_session WHERE person_id = ANY($1))
             SELECT {COLUMNS}, l.person_id FROM l
             JOIN session s ON s.facility_code = l.facility_code AND s.session_id = l.session_id
             ORDER BY s.on_day DESC, s.begins, s.session_id LIMIT $2"
        );
        let rows = self.rows(&sql, &[&people, /* limit */ &MAX_SESSIONS]).await?;
        Ok(rows.iter().map(|row| (session_of(row), row.get(COLUMN_COUNT))).collect())
    }

    /// Who is placed in a session, in the order of being placed.
    pub async fn placed(&self, session: Uuid) -> Result<Vec<PlacedRow>, StoreError> {
        let sql = "-- placed
                   WITH l AS MATERIALIZED (SELECT person_id, placed_at FROM session_place WHERE session_id = $1)
                   SELECT l.person_id, p.name, p.birth, p.phone, r.status, l.placed_at,
                          CASE WHEN p.phone IS NULL THEN r.account_id END, p.sex, p.identity
                   FROM l JOIN person p ON p.person_id = l.person_id LEFT JOIN registration r ON r.person_id = p.person_id
                   ORDER BY l.placed_at, l.person_id";
        let rows = self.rows(sql, &[/* session */ &session]).await?;
        let account = |row: &Row| row.get::<_, Option<Uuid>>(6);
        let phones = phones_of(self, &rows.iter().filter_map(account).collect::<Vec<_>>()).await?;
        let placed = |row: &Row| PlacedRow {
            person: row.get(0),
            name: row.get(1),
            birth: row.get(2),
            phone_sealed: row.get::<_, Option<Vec<u8>>>(3).or_else(|| phones.get(&account(row)?).cloned()),
            status: row.get(4),
            placed_at: seconds(row.get(5)),
            sex: row.get(7),
            identity_sealed: row.get(8),
            doses: Vec::new(),
        };
        let mut people: Vec<PlacedRow> = rows.iter().map(placed).collect();
        let ids: Vec<Uuid> = people.iter().map(|placed| placed.person).collect();
        let sql = format!(
            "-- doses of placed
             SELECT {} FROM dose d WHERE d.person_id = ANY($1) AND d.voided_at IS NULL ORDER BY d.given_at, d.dose_id",
            doses::COLUMNS
        );
        for row in &self.rows(&sql, &[/* people */ &ids]).await? {
            let dose = doses::dose_of(row)?;
            if let Some(placed) = people.iter_mut().find(|placed| placed.person == dose.person) {
                placed.doses.push(dose);
            }
        }
        Ok(people)
    }
}

impl Tx<'_> {
    /// The day of a session and its places, all and taken; `None` if there is no such session.
    pub async fn session_day(&self, facility: &str, session: Uuid) -> Result<Option<Date>, StoreError> {
        let sql = "-- session day\nSELECT on_day FROM session WHERE facility_code = $1 AND session_id = $2";
        let stmt = self.inner.prepare_cached(sql).await?;
        Ok(self.inner.query_opt(&stmt, &[&facility, &session]).await?.map(|row| row.get(0)))
    }

    /// True if the person has a place in the session.
    pub async fn has_place(&self, session: Uuid, person: Uuid) -> Result<bool, StoreError> {
        let sql = "-- has place\nSELECT 1 FROM session_place WHERE session_id = $1 AND person_id = $2";
        let stmt = self.inner.prepare_cached(sql).await?;
        Ok(self.inner.query_opt(&stmt, &[&session, &person]).await?.is_some())
    }

    /// Takes a place for somebody who has none there. Returns false, and writes nothing, if none is free.
    pub async fn take_place(
        &self,
        (facility, session): (&str, Uuid),
        person: Uuid,
        by: &str,
        at: UnixSeconds,
    ) -> Result<bool, StoreError> {
        // The row's lock makes one after the other see how many are taken.
        let sql = "-- take place
                   UPDATE session SET placed = placed + 1 WHERE facility_code = $1 AND session_id = $2 AND placed < capacity";
        let stmt = self.inner.prepare_cached(sql).await?;
        if self.inner.execute(&stmt, &[&facility, &session]).await? == 0 {
            return Ok(false);
        }
        let (place, lookup) = together(
            self.inner.prepare_cached(
                "-- place
                 INSERT INTO session_place (session_id, person_id, placed_at, placed_by) VALUES ($1, $2, $3, $4)",
            ),
            self.inner.prepare_cached(
                "-- place of person
                 INSERT INTO person_session (person_id, session_id, facility_code) VALUES ($1, $2, $3)",
            ),
        )
        .await?;
        self.inner.execute(&place, &[&session, &person, /* placed_at */ &timestamp(at), &by]).await?;
        self.inner.execute(&lookup, &[&person, &session, &facility]).await?;
        Ok(true)
    }

    /// Gives a person's place back. Returns false if they had none.
    pub async fn give_place_back(&self, facility: &str, session: Uuid, person: Uuid) -> Result<bool, StoreError> {
        let sql = "-- give place back\nDELETE FROM session_place WHERE session_id = $1 AND person_id = $2";
        let stmt = self.inner.prepare_cached(sql).await?;
        if self.inner.execute(&stmt, &[&session, &person]).await? == 0 {
            return Ok(false);
        }
        let sql = "-- forget place of person\nDELETE FROM person_session WHERE person_id = $1 AND session_id = $2";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&person, &session]).await?;
        let sql = "-- free place\nUPDATE session SET placed = placed - 1 WHERE facility_code = $1 AND session_id = $2";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&facility, &session]).await?;
        Ok(true)
    }

    /// True if the person has a place in any session of this day or a later one.
    pub async fn has_place_from(&self, person: Uuid, day: Date) -> Result<bool, StoreError> {
        let sql = "-- has place from
                   WITH l AS MATERIALIZED (SELECT facility_code, session_id FROM person_session WHERE person_id = $1)
                   SELECT 1 FROM l JOIN session s ON s.facility_code = l.facility_code AND s.session_id = l.session_id
                   WHERE s.on_day >= $2 LIMIT 1";
        let stmt = self.inner.prepare_cached(sql).await?;
        Ok(self.inner.query_opt(&stmt, &[&person, /* from */ &day]).await?.is_some())
    }
}
