//! Registrations as facilities and provinces list, count and answer them: by district, priority groups first.

use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::accounts::phones_of;
use super::people::{seconds, timestamp};
use super::registrations::fact;
use super::{Store, StoreError, Tx, together};
use crate::certificate::UnixSeconds;

/// Which registrations are listed.
#[derive(Clone, Debug)]
pub struct ListFilter {
    /// The districts' codes.
    pub districts: Vec<String>,
    /// Only this commune's.
    pub ward: Option<String>,
    /// Only this rank's.
    pub rank: Option<i64>,
    /// Only those that stand so; where nothing is said, all but those withdrawn.
    pub status: Option<String>,
}

/// Where a listed registration stands in the order of lists: rank, then district, then person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListKey {
    /// The rank of its priority group.
    pub rank: i64,
    /// The district's code.
    pub district: String,
    /// Whose.
    pub person: Uuid,
}

/// A registration as it is listed.
#[derive(Clone)]
pub struct ListedRow {
    /// Where it stands.
    pub key: ListKey,
    /// The commune's code.
    pub ward: String,
    /// How it stands.
    pub status: String,
    /// The name as written.
    pub name: String,
    /// As precise as it is known.
    pub birth: String,
    /// `female`, `male`, `other`.
    pub sex: Option<String>,
    /// The person's phone, or that of whoever registered them; sealed.
    pub phone_sealed: Option<Vec<u8>>,
    /// House and street.
    pub address: String,
    /// What they do.
    pub occupation: String,
    /// The last contact.
    pub contact: Option<Value>,
    /// When they registered.
    pub created_at: UnixSeconds,
}

/// How a registration stands, and where it is listed.
#[derive(Clone, Debug)]
pub struct RegistrationState {
    /// The district's code.
    pub district: String,
    /// How it stands.
    pub status: String,
    /// The last contact.
    pub contact: Option<Value>,
}

impl RegistrationState {
    /// How many contacts were written down.
    pub fn contacts(&self) -> i64 {
        contacts(self.contact.as_ref())
    }
}

/// How many contacts there were when this one was written down, itself included.
pub fn contacts(contact: Option<&Value>) -> i64 {
    contact.and_then(|contact| contact.get("n")?.as_i64()).unwrap_or(0)
}

/// A contact to be written down, if the registration still stands as it was seen.
pub struct NewContact<'a> {
    /// Whose registration.
    pub person: Uuid,
    /// How it was seen to stand.
    pub seen_status: &'a str,
    /// How many contacts were seen.
    pub seen_contacts: i64,
    /// How it stands from now on.
    pub status: &'a str,
    /// The contact: `n`, `by`, `at`, `outcome`, `note`.
    pub contact: &'a Value,
    /// When.
    pub at: UnixSeconds,
}

const STATE: &str =
    "-- registration state\nSELECT district_code, status, contact FROM registration WHERE person_id = $1";

/// Keeps the list in step with registrations that were just changed, and locked by it; gives what they were.
const LIST_AS: &str = "-- list as
    WITH r AS MATERIALIZED (
        SELECT person_id, district_code, priority, created_at FROM registration WHERE person_id = ANY($1) AND status = $2
    ), o AS MATERIALIZED (
        SELECT b.district_code, b.priority, b.person_id, b.ward_code, b.status, r.created_at
        FROM r JOIN registration_by_district b
        ON b.district_code = r.district_code AND b.priority = r.priority AND b.person_id = r.person_id
        WHERE b.status <> $2
    )
    UPDATE registration_by_district b SET status = $2 FROM o
    WHERE b.district_code = o.district_code AND b.priority = o.priority AND b.person_id = o.person_id
    RETURNING o.ward_code, o.priority, o.status, o.created_at";

fn state_of(row: &Row) -> RegistrationState {
    RegistrationState { district: row.get(0), status: row.get(1), contact: row.get(2) }
}

impl Store {
    /// The next `limit` registrations after `after` in the order of lists, read from the key's order in each district; and the
    /// last one's place, if there may be more.
    pub async fn list_registrations(
        &self,
        filter: &ListFilter,
        after: Option<&ListKey>,
        limit: i64,
    ) -> Result<(Vec<ListedRow>, Option<ListKey>), StoreError> {
        // In the districts before the cursor's the cursor's rank is done, in those behind it has not begun.
        let begin = |district: &String| match after.map(|key| (district.cmp(&key.district), key.person)) {
            None | Some((std::cmp::Ordering::Greater, _)) => Uuid::nil(),
            Some((std::cmp::Ordering::Equal, person)) => person,
            Some((std::cmp::Ordering::Less, _)) => Uuid::max(),
        };
        let begins: Vec<Uuid> = filter.districts.iter().map(begin).collect();
        let first_rank = filter.rank.unwrap_or(i64::MIN);
        let from_rank = after.map_or(first_rank, |key| key.rank.max(first_rank));
        let to_rank = filter.rank.unwrap_or(i64::MAX);
        let of_district = |code: &str, after: &str| {
            format!(
                "SELECT priority, district_code, person_id, ward_code, status FROM registration_by_district
                 WHERE district_code = {code} AND (priority, person_id) > ($3, {after}) AND priority <= $4
                 AND ($5::text IS NULL OR ward_code = $5)
                 AND (status = $6 OR $6::text IS NULL AND status <> 'withdrawn')
                 ORDER BY priority, person_id LIMIT $7"
            )
        };
        let mut keys;
        if self.on_citus {
            // It takes no limit inside a lateral join: a statement a district, each to one server.
            keys = Vec::new();
            let sql = format!("-- list registrations of district\n{}", of_district("$1", "$2"));
            for (district, begin) in filter.districts.iter().zip(&begins) {
                let columns: [&(dyn ToSql + Sync); 7] =
                    [district, begin, &from_rank, &to_rank, &filter.ward, &filter.status, &limit];
                keys.extend(self.rows(&sql, &columns).await?);
            }
            keys.sort_by_cached_key(|row| (row.get::<_, i64>(0), row.get::<_, String>(1), row.get::<_, Uuid>(2)));
            keys.truncate(usize::try_from(limit).unwrap_or(0));
        } else {
            let sql = format!(
                "-- list registrations
                 SELECT b.priority, b.district_code, b.person_id, b.ward_code, b.status
                 FROM unnest($1::text[], $2::uuid[]) AS d (code, after_id) CROSS JOIN LATERAL ({}) b
                 ORDER BY b.priority, b.district_code, b.person_id LIMIT $7",
                of_district("d.code", "d.after_id")
            );
            let columns: [&(dyn ToSql + Sync); 7] =
                [&filter.districts, &begins, &from_rank, &to_rank, &filter.ward, &filter.status, &limit];
            keys = self.rows(&sql, &columns).await?;
        }
        let people: Vec<Uuid> = keys.iter().map(|row| row.get(2)).collect();
        let facts = "-- listed people
                     SELECT p.person_id, p.name, p.birth, p.sex, p.phone, r.address, r.occupation, r.contact, r.created_at,
                            CASE WHEN p.phone IS NULL THEN r.account_id END
                     FROM person p JOIN registration r ON r.person_id = p.person_id WHERE p.person_id = ANY($1)";
        let facts = self.rows(facts, &[/* people */ &people]).await?;
        let accounts: Vec<Uuid> = facts.iter().filter_map(|row| row.get(9)).collect();
        let phones = phones_of(self, &accounts).await?;
        let facts: std::collections::HashMap<Uuid, &Row> = facts.iter().map(|row| (row.get(0), row)).collect();
        let key_of = |key: &Row| ListKey { rank: key.get(0), district: key.get(1), person: key.get(2) };
        let listed = |key: &Row| {
            let row = facts.get(&key.get(2))?; // withdrawn between the two statements
            Some(ListedRow {
                key: key_of(key),
                ward: key.get(3),
                status: key.get(4),
                name: row.get(1),
                birth: row.get(2),
                sex: row.get(3),
                phone_sealed: row
                    .get::<_, Option<Vec<u8>>>(4)
                    .or_else(|| phones.get(&row.get::<_, Option<Uuid>>(9)?).cloned()),
                address: row.get(5),
                occupation: row.get(6),
                contact: row.get(7),
                created_at: seconds(row.get(8)),
            })
        };
        let more = i64::try_from(keys.len()).is_ok_and(|len| len >= limit);
        let next = keys.last().filter(|_| more).map(key_of);
        Ok((keys.iter().filter_map(listed).collect(), next))
    }

    /// How a person's registration stands; `None` if there is none.
    pub async fn registration_state(&self, person: Uuid) -> Result<Option<RegistrationState>, StoreError> {
        let row = self.found(STATE, &[/* person */ &person]).await?;
        Ok(row.as_ref().map(state_of))
    }
}

impl Tx<'_> {
    /// How a person's registration stands, locked until the end of the transaction; `None` if there is none.
    pub async fn lock_registration(&self, person: Uuid) -> Result<Option<RegistrationState>, StoreError> {
        let stmt = self.inner.prepare_cached(&format!("{STATE} FOR UPDATE")).await?;
        Ok(self.inner.query_opt(&stmt, &[/* person */ &person]).await?.as_ref().map(state_of))
    }

    /// Writes a contact down. Returns false, and writes nothing, if the registration does not stand as it was seen.
    pub async fn contact(&self, new: &NewContact<'_>) -> Result<bool, StoreError> {
        let sql = "-- contact
                   UPDATE registration SET status = $2, contact = $3, updated_at = $4
                   WHERE person_id = $1 AND status = $5 AND coalesce((contact->>'n')::bigint, 0) = $6";
        let stmt = self.inner.prepare_cached(sql).await?;
        let at = timestamp(new.at);
        let written = self
            .inner
            .execute(
                &stmt,
                &[
                    &new.person,
                    &new.status,
                    &new.contact,
                    /* updated_at */ &at,
                    /* seen */ &new.seen_status,
                    &new.seen_contacts,
                ],
            )
            .await?;
        if written == 1 {
            let list = self.inner.prepare_cached(LIST_AS).await?;
            let listed = self.inner.query(&list, &[/* people */ &vec![new.person], &new.status]).await?;
            self.count_statuses(&listed, new.status);
        }
        Ok(written == 1)
    }

    /// The registrations of these people, if they have any and did not withdraw, stand so from now on.
    pub async fn set_status(&self, people: &[Uuid], status: &str) -> Result<(), StoreError> {
        let (set, list) = tokio::try_join!(
            self.inner.prepare_cached(
                "-- set status\nUPDATE registration SET status = $2 WHERE person_id = ANY($1) AND status NOT IN ($2, 'withdrawn')"
            ),
            self.inner.prepare_cached(LIST_AS)
        )?;
        let columns: [&(dyn ToSql + Sync); 2] = [/* people */ &people, &status];
        // Sent in this order, as everywhere: whoever waits for another, waits at the registration.
        let (_, listed) = together(self.inner.execute(&set, &columns), self.inner.query(&list, &columns)).await?;
        self.count_statuses(&listed, status);
        Ok(())
    }

    /// Counts what [`LIST_AS`] gave as standing so from now on.
    fn count_statuses(&self, listed: &[Row], status: &str) {
        let mut tally = self.tally();
        for row in listed {
            let (ward, rank, created_at) = (row.get(0), row.get(1), seconds(row.get(3)));
            tally.add(fact(ward, rank, row.get(2), created_at), -1);
            tally.add(fact(ward, rank, status, created_at), 1);
        }
    }

    /// People who were vaccinated: their registrations, if they have any, say so.
    pub async fn mark_vaccinated(&self, people: &[Uuid]) -> Result<(), StoreError> {
        if people.is_empty() { Ok(()) } else { self.set_status(people, "vaccinated").await }
    }
}
