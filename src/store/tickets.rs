//! The response centre's cases.

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::people::{seconds, timestamp};
use super::{Fact, Store, StoreError, Tx};
use crate::certificate::UnixSeconds;

/// A case to be raised.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// `overdue_correction`, `severe_reaction`, `call`.
    pub kind: &'static str,
    /// The province's code; empty where none is known.
    pub province: String,
    /// The person, if it is about one.
    pub about: Option<Uuid>,
    /// The correction or the reaction.
    pub subject_id: Option<Uuid>,
    /// What it is about, for people.
    pub said: String,
    /// When.
    pub made_at: UnixSeconds,
}

/// A case as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketRow {
    /// Which.
    pub ticket: Uuid,
    /// `overdue_correction`, `severe_reaction`, `call`.
    pub kind: String,
    /// `open`, `assigned`, `closed`.
    pub status: String,
    /// The province's code.
    pub province: String,
    /// The person.
    pub about: Option<Uuid>,
    /// The correction or the reaction.
    pub subject_id: Option<Uuid>,
    /// Whose it is to answer.
    pub assigned_to: Option<String>,
    /// What it is about.
    pub said: String,
    /// What was done: an array.
    pub steps: Value,
    /// Raised by every step.
    pub version: i64,
    /// When it was raised.
    pub made_at: UnixSeconds,
    /// When it was closed.
    pub closed_at: Option<UnixSeconds>,
}

/// Where tickets are kept: the hex digit that the id ends with.
fn bucket(ticket: Uuid) -> String {
    format!("{:x}", ticket.as_bytes()[15] & 0xf)
}

const COLUMNS: &str = "t.ticket_id, t.kind, t.status, t.province_code, t.about, t.subject_id, t.assigned_to, t.said, \
                       t.steps, t.version, t.made_at, t.closed_at";

fn ticket_of(row: &Row) -> TicketRow {
    TicketRow {
        ticket: row.get(0),
        kind: row.get(1),
        status: row.get(2),
        province: row.get(3),
        about: row.get(4),
        subject_id: row.get(5),
        assigned_to: row.get(6),
        said: row.get(7),
        steps: row.get(8),
        version: row.get(9),
        made_at: seconds(row.get(10)),
        closed_at: row.get::<_, Option<Timestamp>>(11).map(seconds),
    }
}

impl Tx<'_> {
    /// Raises a case, open and assigned to nobody. Returns its id.
    pub async fn raise_ticket(&self, new: &NewTicket) -> Result<Uuid, StoreError> {
        let ticket = Uuid::new_v4();
        self.raise_ticket_as(ticket, new).await?;
        Ok(ticket)
    }

    /// Raises a case under this id. Returns false if there is one already.
    pub async fn raise_ticket_as(&self, ticket: Uuid, new: &NewTicket) -> Result<bool, StoreError> {
        let sql = "-- raise ticket
                   INSERT INTO ticket (bucket, ticket_id, kind, status, province_code, about, subject_id, said, steps, version,
                                       made_at)
                   VALUES ($1, $2, $3, 'open', $4, $5, $6, $7, $8, 1, $9) ON CONFLICT (bucket, ticket_id) DO NOTHING";
        let stmt = self.inner.prepare_cached(sql).await?;
        let (bucket, none, at) = (bucket(ticket), json!([]), timestamp(new.made_at));
        let raised = self
            .inner
            .execute(
                &stmt,
                &[
                    &bucket,
                    &ticket,
                    &new.kind,
                    &new.province,
                    &new.about,
                    &new.subject_id,
                    &new.said,
                    /* steps */ &none,
                    &at,
                ],
            )
            .await?;
        if raised == 1 {
            self.tally().add(Fact::Ticket(new.province.clone(), false), 1);
        }
        Ok(raised == 1)
    }

    /// Writes a case back that was read in version `row.version - 1`. Returns false if another was faster.
    pub async fn step_ticket(&self, row: &TicketRow) -> Result<bool, StoreError> {
        let sql = "-- step ticket
                   UPDATE ticket SET status = $3, assigned_to = $4, steps = $5, version = $6, closed_at = $7
                   WHERE bucket = $1 AND ticket_id = $2 AND version = $6::bigint - 1";
        let stmt = self.inner.prepare_cached(sql).await?;
        let closed_at = row.closed_at.map(timestamp);
        let stepped = self
            .inner
            .execute(
                &stmt,
                &[
                    &bucket(row.ticket),
                    &row.ticket,
                    &row.status,
                    &row.assigned_to,
                    &row.steps,
                    &row.version,
                    &closed_at,
                ],
            )
            .await?;
        if stepped == 1 {
            self.count_step(row);
        }
        Ok(stepped == 1)
    }

    /// Counts a case that took a step: what it was before, its earlier steps say.
    fn count_step(&self, row: &TicketRow) {
        let is_assigned = |step: &Value| step.get("what").is_some_and(|what| what == "assigned");
        let earlier = row.steps.as_array().and_then(|steps| steps.split_last()).map_or(&[][..], |(_, earlier)| earlier);
        let mut tally = self.tally();
        tally.add(Fact::Ticket(row.province.clone(), earlier.iter().any(is_assigned)), -1);
        if row.closed_at.is_none() {
            tally.add(Fact::Ticket(row.province.clone(), row.status == "assigned"), 1);
        }
    }
}

impl Store {
    /// A case; `None` if there is none.
    pub async fn ticket(&self, ticket: Uuid) -> Result<Option<TicketRow>, StoreError> {
        let client = self.client().await?;
        let sql = format!("-- ticket\nSELECT {COLUMNS} FROM ticket t WHERE t.bucket = $1 AND t.ticket_id = $2");
        let stmt = client.prepare_cached(&sql).await?;
        Ok(client.query_opt(&stmt, &[&bucket(ticket), &ticket]).await?.as_ref().map(ticket_of))
    }

    /// The next `limit` cases of these provinces that stand so, oldest first, after (`made_at`, id).
    pub async fn tickets(
        &self,
        statuses: &[&str],
        provinces: &[&str],
        after: Option<(UnixSeconds, Uuid)>,
        limit: i64,
    ) -> Result<Vec<TicketRow>, StoreError> {
        let (at, id) = after.unwrap_or((UnixSeconds(0), Uuid::nil()));
        if self.on_citus {
            // It takes no limit inside a lateral join: the first of each server's.
            let sql = format!(
                "-- tickets of all servers
                 SELECT {COLUMNS} FROM ticket t WHERE t.status = ANY($1) AND t.province_code = ANY($2)
                 AND (t.made_at, t.ticket_id) > ($3, $4) ORDER BY t.made_at, t.ticket_id LIMIT $5"
            );
            let rows = self.rows(&sql, &[&statuses, &provinces, /* after */ &timestamp(at), &id, &limit]).await?;
            return Ok(rows.iter().map(ticket_of).collect());
        }
        // Each status of each province in the order of its index, and the first of those.
        let pairs = statuses.iter().flat_map(|status| provinces.iter().map(move |province| (*status, *province)));
        let (statuses, provinces): (Vec<&str>, Vec<&str>) = pairs.unzip();
        let sql = format!(
            "-- tickets
             SELECT {COLUMNS} FROM unnest($1::text[], $2::text[]) AS k (status, province_code)
             CROSS JOIN LATERAL (
                 SELECT * FROM ticket WHERE status = k.status AND province_code = k.province_code
                 AND (made_at, ticket_id) > ($3, $4) ORDER BY made_at, ticket_id LIMIT $5
             ) t ORDER BY t.made_at, t.ticket_id LIMIT $5"
        );
        let rows = self.rows(&sql, &[&statuses, &provinces, /* after */ &timestamp(at), &id, &limit]).await?;
        Ok(rows.iter().map(ticket_of).collect())
    }
}
