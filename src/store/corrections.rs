//! Corrections: what people say is missing or wrong, the facilities' queues of it, and what is overdue.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::accounts::{self, members_of};
use super::people::{seconds, timestamp};
use super::{Fact, NewTicket, Store, StoreError, Tx, Work};
use crate::certificate::UnixSeconds;

/// A correction as it stands.
#[derive(Clone)]
pub struct CorrectionRow {
    /// About whom.
    pub person: Uuid,
    /// Which.
    pub id: Uuid,
    /// `missing_dose`, `wrong_data`, `unclear_person`.
    pub kind: String,
    /// Who is to answer.
    pub facility: String,
    /// `open`, `checking`, `overdue`, `accepted`, `rejected`.
    pub status: String,
    /// What should be so; numbers in it are sealed.
    pub claim: Value,
    /// In the words of the one who said it.
    pub said: String,
    /// The photo.
    pub attachment: Option<Uuid>,
    /// What was done: each with at, by, role, place, what, note.
    pub steps: Vec<Value>,
    /// An acceptance that waits for a second person.
    pub pending: Option<Value>,
    /// Raised by every step.
    pub version: i64,
    /// When it was said.
    pub made_at: UnixSeconds,
    /// Until when it is to be answered.
    pub due_at: UnixSeconds,
    /// When it was accepted or rejected.
    pub closed_at: Option<UnixSeconds>,
}

/// A place in the facilities' queues: what a page begins after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueKey {
    /// The facility.
    pub facility: String,
    /// The deadline.
    pub due_at: UnixSeconds,
    /// Which.
    pub id: Uuid,
}

/// Whose queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueOf {
    /// One facility's.
    Facility(String),
    /// Those of a province's facilities.
    Province(String),
    /// All.
    All,
}

impl QueueOf {
    /// The condition on `q.facility_code` by `$1`, and what `$1` is.
    pub(super) fn filter(&self) -> (&'static str, Option<&str>) {
        match self {
            QueueOf::Facility(code) => ("q.facility_code = $1", Some(code)),
            QueueOf::Province(code) => {
                ("q.facility_code IN (SELECT code FROM facility WHERE province_code = $1)", Some(code))
            }
            QueueOf::All => ("$1::text IS NULL", None),
        }
    }
}

/// Where a correction lies: whose it is to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectionPlace {
    /// The facility's code.
    pub facility: String,
    /// Its province, if it is in the reference data.
    pub province: Option<String>,
    /// True if the account that was asked for answers for the person.
    pub of_account: bool,
}

const COLUMNS: &str = "c.person_id, c.correction_id, c.kind, c.facility_code, c.status, c.claim, c.said, c.attachment_id, \
                       c.steps, c.pending, c.version, c.made_at, c.due_at, c.closed_at";

fn correction_of(row: &Row) -> Result<CorrectionRow, StoreError> {
    let steps: Value = row.get(8);
    let Value::Array(steps) = steps else { return Err(StoreError::Unreadable("correction")) };
    Ok(CorrectionRow {
        person: row.get(0),
        id: row.get(1),
        kind: row.get(2),
        facility: row.get(3),
        status: row.get(4),
        claim: row.get(5),
        said: row.get(6),
        attachment: row.get(7),
        steps,
        pending: row.get(9),
        version: row.get(10),
        made_at: seconds(row.get(11)),
        due_at: seconds(row.get(12)),
        closed_at: row.get::<_, Option<Timestamp>>(13).map(seconds),
    })
}

impl Tx<'_> {
    /// Writes corrections down and puts each into its facility's queue. An id already taken fails with 23505, and the
    /// transaction is run again.
    pub async fn insert_corrections(&self, rows: &[CorrectionRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        rows.iter().for_each(|row| self.count_correction(row, 1));
        let sql = "-- write corrections
                   INSERT INTO correction (person_id, correction_id, kind, facility_code, status, claim, said, steps, version,
                                           made_at, due_at)
                   SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::text[],
                                        $8::jsonb[], $9::bigint[], $10::timestamptz[], $11::timestamptz[])";
        let stmt = self.inner.prepare_cached(sql).await?;
        let text = |of: fn(&CorrectionRow) -> &str| rows.iter().map(of).collect::<Vec<&str>>();
        let people: Vec<Uuid> = rows.iter().map(|row| row.person).collect();
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let claims: Vec<&Value> = rows.iter().map(|row| &row.claim).collect();
        let steps: Vec<Value> = rows.iter().map(|row| Value::Array(row.steps.clone())).collect();
        let versions: Vec<i64> = rows.iter().map(|row| row.version).collect();
        let made: Vec<Timestamp> = rows.iter().map(|row| timestamp(row.made_at)).collect();
        let due: Vec<Timestamp> = rows.iter().map(|row| timestamp(row.due_at)).collect();
        let facilities = text(|row| &row.facility);
        let (kinds, statuses, said) = (text(|row| &row.kind), text(|row| &row.status), text(|row| &row.said));
        let columns: [&(dyn ToSql + Sync); 11] =
            [&people, &ids, &kinds, &facilities, &statuses, &claims, &said, &steps, &versions, &made, &due];
        self.inner.execute(&stmt, &columns).await?;
        let sql = "-- queue corrections
                   INSERT INTO correction_by_facility (facility_code, due_at, correction_id, person_id, overdue)
                   SELECT k.*, false
                   FROM unnest($1::text[], $2::timestamptz[], $3::uuid[], $4::uuid[]) AS k (facility_code, due_at, id, person_id)";
        self.inner.execute(&self.inner.prepare_cached(sql).await?, &[&facilities, &due, &ids, &people]).await?;
        Ok(())
    }

    /// Counts one that is not closed, `n` times.
    fn count_correction(&self, row: &CorrectionRow, n: i64) {
        if row.closed_at.is_none() {
            let overdue = row.steps.iter().any(|step| step.get("what").is_some_and(|what| what == "overdue"));
            self.tally().add(Fact::Correction(row.facility.clone(), overdue), n);
        }
    }

    async fn enqueue(&self, row: &CorrectionRow) -> Result<(), StoreError> {
        let sql = "-- queue correction
                   INSERT INTO correction_by_facility (facility_code, due_at, correction_id, person_id, overdue)
                   VALUES ($1, $2, $3, $4, $5)";
        let stmt = self.inner.prepare_cached(sql).await?;
        let overdue = row.status == "overdue";
        self.inner.execute(&stmt, &[&row.facility, &timestamp(row.due_at), &row.id, &row.person, &overdue]).await?;
        Ok(())
    }

    /// A correction, locked; `None` if there is none.
    pub async fn lock_correction(&self, person: Uuid, id: Uuid) -> Result<Option<CorrectionRow>, StoreError> {
        let sql = format!(
            "-- lock correction\nSELECT {COLUMNS} FROM correction c WHERE c.person_id = $1 AND c.correction_id = $2 FOR UPDATE"
        );
        let row = self.inner.query_opt(&self.inner.prepare_cached(&sql).await?, &[&person, &id]).await?;
        row.as_ref().map(correction_of).transpose()
    }

    /// How many corrections about a person are not closed.
    pub async fn open_corrections(&self, person: Uuid) -> Result<i64, StoreError> {
        let sql = "-- open corrections\nSELECT count(*) FROM correction WHERE person_id = $1 AND closed_at IS NULL";
        Ok(self.inner.query_one(&self.inner.prepare_cached(sql).await?, &[&person]).await?.get(0))
    }

    /// Writes a correction as it is now; one that is closed leaves the queue of `before`, one passed on changes queues.
    pub async fn update_correction(&self, before: &CorrectionRow, now: &CorrectionRow) -> Result<(), StoreError> {
        self.count_correction(before, -1);
        self.count_correction(now, 1);
        let sql = "-- step of correction
                   UPDATE correction SET facility_code = $3, status = $4, attachment_id = $5, steps = $6, pending = $7,
                                         version = $8, closed_at = $9
                   WHERE person_id = $1 AND correction_id = $2";
        let stmt = self.inner.prepare_cached(sql).await?;
        let (steps, closed) = (Value::Array(now.steps.clone()), now.closed_at.map(timestamp));
        let parameters: [&(dyn ToSql + Sync); 9] = [
            &now.person,
            &now.id,
            &now.facility,
            &now.status,
            &now.attachment,
            &steps,
            &now.pending,
            &now.version,
            &closed,
        ];
        self.inner.execute(&stmt, &parameters).await?;
        if now.closed_at.is_some() || now.facility != before.facility {
            let sql = "-- unqueue correction
                       DELETE FROM correction_by_facility WHERE facility_code = $1 AND due_at = $2 AND correction_id = $3";
            let stmt = self.inner.prepare_cached(sql).await?;
            self.inner.execute(&stmt, &[&before.facility, &timestamp(before.due_at), &before.id]).await?;
        }
        if now.closed_at.is_none() && now.facility != before.facility {
            self.enqueue(now).await?;
        }
        Ok(())
    }
}

impl Store {
    /// A correction; `None` if there is none.
    pub async fn correction(&self, person: Uuid, id: Uuid) -> Result<Option<CorrectionRow>, StoreError> {
        let client = self.client().await?;
        let sql = format!(
            "-- correction\nSELECT {COLUMNS} FROM correction c WHERE c.person_id = $1 AND c.correction_id = $2"
        );
        let row = client.query_opt(&client.prepare_cached(&sql).await?, &[&person, &id]).await?;
        row.as_ref().map(correction_of).transpose()
    }

    /// Where a correction lies, and whether `account` answers for its person; `None` if there is none.
    pub async fn correction_place(
        &self,
        person: Uuid,
        id: Uuid,
        account: Option<Uuid>,
    ) -> Result<Option<CorrectionPlace>, StoreError> {
        let client = self.client().await?;
        let sql = "-- correction's place
                   SELECT c.facility_code, f.province_code FROM correction c LEFT JOIN facility f ON f.code = c.facility_code
                   WHERE c.person_id = $1 AND c.correction_id = $2";
        let row = client.query_opt(&client.prepare_cached(sql).await?, &[&person, &id]).await?;
        let of_account = match account {
            Some(account) => accounts::is_member(&client, account, person).await?,
            None => false,
        };
        Ok(row.map(|row| CorrectionPlace { facility: row.get(0), province: row.get(1), of_account }))
    }

    /// The latest `limit` corrections about the people that an account answers for, the newest first.
    pub async fn corrections_of_account(&self, account: Uuid, limit: i64) -> Result<Vec<CorrectionRow>, StoreError> {
        let people = members_of(self, account).await?;
        let sql = format!(
            "-- corrections of people
             SELECT {COLUMNS} FROM correction c WHERE c.person_id = ANY($1)
             ORDER BY c.made_at DESC, c.correction_id LIMIT $2"
        );
        let rows = self.rows(&sql, &[&people, &limit]).await?;
        rows.iter().map(correction_of).collect()
    }

    /// Up to `limit` corrections that are not closed, of these queues, after `after`: by facility, then by deadline.
    pub async fn correction_queue(
        &self,
        of: &QueueOf,
        after: Option<&QueueKey>,
        limit: i64,
    ) -> Result<Vec<CorrectionRow>, StoreError> {
        let (whose, code) = of.filter();
        let sql = format!(
            "-- correction queue
             WITH q AS MATERIALIZED (
                 SELECT q.facility_code, q.due_at, q.correction_id, q.person_id FROM correction_by_facility q
                 WHERE {whose} AND ($2::text IS NULL OR (q.facility_code, q.due_at, q.correction_id) > ($2, $3, $4))
                 ORDER BY q.facility_code, q.due_at, q.correction_id LIMIT $5
             )
             SELECT {COLUMNS} FROM q JOIN correction c ON c.person_id = q.person_id AND c.correction_id = q.correction_id
             ORDER BY q.facility_code, q.due_at, q.correction_id"
        );
        let (facility, due, id) =
            (after.map(|key| key.facility.as_str()), after.map(|key| timestamp(key.due_at)), after.map(|key| key.id));
        let rows = self.rows(&sql, &[&code, &facility, &due, &id, &limit]).await?;
        rows.iter().map(correction_of).collect()
    }

    /// Makes tickets of the response centre out of what is past its deadline, if this node holds or gets the lease.
    ///
    /// Returns how many; at most `limit` at a time.
    pub async fn escalate_corrections(&self, node: Uuid, now: UnixSeconds, limit: i64) -> Result<usize, StoreError> {
        if !self.take_lease("correction-deadlines", node, LEASE).await? {
            return Ok(0);
        }
        self.transact(&Escalate { now, limit }).await
    }
}

/// For how long the holder of the lease holds it; another node takes over after that.
const LEASE: Duration = Duration::from_secs(30);

struct Escalate {
    now: UnixSeconds,
    limit: i64,
}

impl Work for Escalate {
    type Output = usize;

    async fn run(&self, tx: &Tx<'_>) -> Result<usize, StoreError> {
        let late = "-- late corrections
                    SELECT q.person_id, q.correction_id, f.province_code FROM correction_by_facility q
                    LEFT JOIN facility f ON f.code = q.facility_code
                    WHERE q.due_at < $1 AND NOT q.overdue ORDER BY q.person_id, q.correction_id LIMIT $2";
        let late = tx.inner.prepare_cached(late).await?;
        let rows = tx.inner.query(&late, &[/* now */ &timestamp(self.now), /* limit */ &self.limit]).await?;
        let mut raised = 0;
        for row in rows {
            let Some(before) = tx.lock_correction(row.get(0), row.get(1)).await? else { continue };
            // Answered, or found by another node, since it was read.
            if before.closed_at.is_some() || before.status == "overdue" {
                continue;
            }
            let mut after = before.clone();
            after.status = "overdue".to_owned();
            after.version += 1;
            let step = json!({"at": self.now.0, "by": "", "role": "", "place": "", "what": "overdue", "note": ""});
            after.steps.push(step);
            tx.update_correction(&before, &after).await?;
            tx.mark_overdue(&after).await?;
            let ticket = NewTicket {
                kind: "overdue_correction",
                province: row.get::<_, Option<&str>>(2).unwrap_or("").to_owned(),
                about: Some(after.person),
                subject_id: Some(after.id),
                said: String::new(),
                made_at: self.now,
            };
            tx.raise_ticket(&ticket).await?;
            raised += 1;
        }
        Ok(raised)
    }
}

impl Tx<'_> {
    async fn mark_overdue(&self, row: &CorrectionRow) -> Result<(), StoreError> {
        let sql = "-- mark overdue
                   UPDATE correction_by_facility SET overdue = true
                   WHERE facility_code = $1 AND due_at = $2 AND correction_id = $3";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&row.facility, &timestamp(row.due_at), &row.id]).await?;
        Ok(())
    }
}
