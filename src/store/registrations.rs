//! Registrations: who wishes to be vaccinated, in whose account, and the list of each district.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::accounts::members_of;
use super::people::{LookupKind, PersonRow, seconds, timestamp};
use super::{Fact, Hash, Store, StoreError, Tx, together};
use crate::certificate::{UnixSeconds, day_from_date};
use crate::sealing;

/// A registration as it is stored; the person's own data stand in [`RegisteredPerson`].
#[derive(Clone)]
pub struct RegistrationRow {
    /// Whose.
    pub person: Uuid,
    /// Who registered them.
    pub account: Uuid,
    /// The district's code.
    pub district: String,
    /// The commune's code.
    pub ward: String,
    /// Where its priority group stands in lists.
    pub priority: i64,
    /// Street and house, in the person's words.
    pub address: String,
    /// In the person's words.
    pub occupation: String,
    /// JSON: version, and the answers that say more than no.
    pub declaration: String,
    /// When they were given.
    pub declared_at: UnixSeconds,
    /// JSON: version of the text, instant, who gave it.
    pub consent: String,
    /// JSON: who answers for a minor; numbers sealed.
    pub guardian: Option<String>,
    /// How it stands.
    pub status: String,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// When it was changed last.
    pub updated_at: UnixSeconds,
}

impl std::fmt::Debug for RegistrationRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RegistrationRow(REDACTED)")
    }
}

/// A person with what only they and their family see.
#[derive(Clone)]
pub struct RegisteredPerson {
    /// Who.
    pub row: PersonRow,
    /// `female`, `male`, `other`.
    pub sex: Option<String>,
    /// The commune's code.
    pub ward: Option<String>,
    /// The phone number, sealed.
    pub phone_sealed: Option<Vec<u8>>,
    /// The identity number, sealed.
    pub identity_sealed: Option<Vec<u8>>,
}

/// Somebody whose record hangs on an account.
#[derive(Clone)]
pub struct Member {
    /// The account.
    pub account: Uuid,
    /// Who.
    pub row: PersonRow,
    /// How their registration stands; `None` if there is none.
    pub status: Option<String>,
}

/// The columns of a person, as [`person_of`] reads them.
const PERSON: &str = "p.person_id, p.name, p.name_key, p.birth, octet_length(p.identity)";
/// Those of a person with what only they see, as [`registered_person_of`] reads them.
pub(super) const REGISTERED_PERSON: &str =
    "p.person_id, p.name, p.name_key, p.birth, octet_length(p.identity), p.sex, p.ward_code, p.phone, p.identity";
/// How many those are.
pub(super) const REGISTERED_PERSON_COUNT: usize = 9;
/// The columns of a registration, as [`registration_of`] reads them.
pub(super) const REGISTRATION: &str = "r.person_id, r.account_id, r.district_code, r.priority, r.address, r.occupation, \
                            r.declaration::text, r.declared_at, r.consent::text, r.guardian::text, r.status, \
                            r.created_at, r.updated_at";

fn person_of(row: &Row, first: usize) -> Result<PersonRow, StoreError> {
    let birth: &str = row.get(first + 3);
    Ok(PersonRow {
        person: row.get(first),
        name: row.get(first + 1),
        name_key: row.get(first + 2),
        birth: birth.parse().map_err(|_| StoreError::Unreadable("person"))?,
        identity_digits: row.get::<_, Option<i32>>(first + 4).map(sealing::plain_len),
    })
}

/// The person whose columns begin at `first`.
pub(super) fn registered_person_of(row: &Row, first: usize) -> Result<RegisteredPerson, StoreError> {
    Ok(RegisteredPerson {
        row: person_of(row, first)?,
        sex: row.get(first + 5),
        ward: row.get(first + 6),
        phone_sealed: row.get(first + 7),
        identity_sealed: row.get(first + 8),
    })
}

/// The registration whose columns begin at `first`; `None` where a left join found none.
pub(super) fn registration_of(row: &Row, first: usize, ward: Option<&str>) -> Option<RegistrationRow> {
    Some(RegistrationRow {
        person: row.get::<_, Option<Uuid>>(first)?,
        account: row.get(first + 1),
        district: row.get(first + 2),
        ward: ward.unwrap_or_default().to_owned(),
        priority: row.get(first + 3),
        address: row.get(first + 4),
        occupation: row.get(first + 5),
        declaration: row.get(first + 6),
        declared_at: seconds(row.get(first + 7)),
        consent: row.get(first + 8),
        guardian: row.get(first + 9),
        status: row.get(first + 10),
        created_at: seconds(row.get(first + 11)),
        updated_at: seconds(row.get(first + 12)),
    })
}

impl Tx<'_> {
    /// Everybody whose record hangs on one of these accounts.
    pub async fn members(&self, accounts: &[Uuid]) -> Result<Vec<Member>, StoreError> {
        let sql = "-- members\nSELECT account_id, person_id FROM account_member WHERE account_id = ANY($1)";
        let stmt = self.inner.prepare_cached(sql).await?;
        let of_accounts = self.inner.query(&stmt, &[/* accounts */ &accounts]).await?;
        // A new registrant's account is empty as a rule, and then that was all.
        if of_accounts.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "-- people with their registrations
             SELECT r.status, {PERSON} FROM person p LEFT JOIN registration r ON r.person_id = p.person_id
             WHERE p.person_id = ANY($1)"
        );
        let stmt = self.inner.prepare_cached(&sql).await?;
        let people: Vec<Uuid> = of_accounts.iter().map(|row| row.get(1)).collect();
        let rows = self.inner.query(&stmt, &[/* people */ &people]).await?;
        let registered = |row: &Row| person_of(row, 1).map(|person| (person.person, (row.get(0), person)));
        let people: HashMap<Uuid, (Option<String>, PersonRow)> =
            rows.iter().map(registered).collect::<Result<_, _>>()?;
        let member = |of_account: &Row| {
            let (status, row) = people.get(&of_account.get(1))?.clone();
            Some(Member { account: of_account.get(0), row, status })
        };
        Ok(of_accounts.iter().filter_map(member).collect())
    }

    /// These people; those who are not there are left out.
    pub async fn people(&self, people: &[Uuid]) -> Result<Vec<PersonRow>, StoreError> {
        let sql = format!("-- people\nSELECT {PERSON} FROM person p WHERE p.person_id = ANY($1)");
        let stmt = self.inner.prepare_cached(&sql).await?;
        let rows = self.inner.query(&stmt, &[/* people */ &people]).await?;
        rows.iter().map(|row| person_of(row, 0)).collect()
    }

    /// Registers people who were not registered, and hangs those of `members` on their accounts.
    pub async fn insert_registrations(
        &self,
        rows: &[RegistrationRow],
        members: &[(Uuid, Uuid)],
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        together(self.insert_registration_rows(rows), together_in_order(self, rows, members)).await?;
        Ok(())
    }

    async fn insert_registration_rows(&self, rows: &[RegistrationRow]) -> Result<(), StoreError> {
        let sql = "-- register
             INSERT INTO registration (person_id, account_id, district_code, priority, address, occupation, declaration,
                                       declared_at, consent, guardian, status, created_at, updated_at)
             SELECT person_id, account_id, district_code, priority, address, occupation, declaration::jsonb, declared_at,
                    consent::jsonb, guardian::jsonb, status, created_at, updated_at
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[],
                         $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[])
             AS r (person_id, account_id, district_code, priority, address, occupation, declaration, declared_at, consent,
                   guardian, status, created_at, updated_at)";
        let stmt = self.inner.prepare_cached(sql).await?;
        let text = |of: fn(&RegistrationRow) -> &str| rows.iter().map(of).collect::<Vec<&str>>();
        let instant = |of: fn(&RegistrationRow) -> UnixSeconds| {
            rows.iter().map(|row| timestamp(of(row))).collect::<Vec<Timestamp>>()
        };
        let people: Vec<Uuid> = rows.iter().map(|row| row.person).collect();
        let accounts: Vec<Uuid> = rows.iter().map(|row| row.account).collect();
        let priorities: Vec<i64> = rows.iter().map(|row| row.priority).collect();
        let guardians: Vec<Option<&str>> = rows.iter().map(|row| row.guardian.as_deref()).collect();
        let columns: [&(dyn ToSql + Sync); 13] = [
            &people,
            &accounts,
            &text(|row| &row.district),
            &priorities,
            &text(|row| &row.address),
            &text(|row| &row.occupation),
            &text(|row| &row.declaration),
            &instant(|row| row.declared_at),
            &text(|row| &row.consent),
            &guardians,
            &text(|row| &row.status),
            &instant(|row| row.created_at),
            &instant(|row| row.updated_at),
        ];
        self.inner.execute(&stmt, &columns).await?;
        Ok(())
    }

    async fn list_in_districts(&self, rows: &[RegistrationRow]) -> Result<(), StoreError> {
        rows.iter().for_each(|row| self.tally().add(fact(&row.ward, row.priority, &row.status, row.created_at), 1));
        let sql = "-- list in district
             INSERT INTO registration_by_district (district_code, priority, person_id, ward_code, status)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::text[])";
        let stmt = self.inner.prepare_cached(sql).await?;
        let mut sorted: Vec<&RegistrationRow> = rows.iter().collect();
        sorted.sort_by_key(|row| (&row.district, row.priority, row.person)); // neighbours in the index, one after the other
        let text = |of: fn(&RegistrationRow) -> &str| sorted.iter().map(|row| of(row)).collect::<Vec<&str>>();
        let priorities: Vec<i64> = sorted.iter().map(|row| row.priority).collect();
        let people: Vec<Uuid> = sorted.iter().map(|row| row.person).collect();
        let (districts, wards, statuses) = (text(|row| &row.district), text(|row| &row.ward), text(|row| &row.status));
        self.inner.execute(&stmt, &[&districts, &priorities, &people, &wards, &statuses]).await?;
        Ok(())
    }

    async fn insert_members(&self, members: &[(Uuid, Uuid)]) -> Result<(), StoreError> {
        if members.is_empty() {
            return Ok(());
        }
        let sql = "-- members of accounts
             INSERT INTO account_member (account_id, person_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])";
        let stmt = self.inner.prepare_cached(sql).await?;
        let mut sorted = members.to_vec();
        sorted.sort_unstable();
        let (accounts, people): (Vec<Uuid>, Vec<Uuid>) = sorted.into_iter().unzip();
        self.inner.execute(&stmt, &[&accounts, &people]).await?;
        Ok(())
    }

    /// A registration and its person, this transaction's alone until it ends.
    pub async fn registration(&self, person: Uuid) -> Result<Option<(RegisteredPerson, RegistrationRow)>, StoreError> {
        let sql = format!(
            "-- registration
             SELECT {REGISTERED_PERSON}, {REGISTRATION} FROM registration r
             JOIN person p ON p.person_id = r.person_id WHERE r.person_id = $1 FOR UPDATE"
        );
        let stmt = self.inner.prepare_cached(&sql).await?;
        let row = self.inner.query_opt(&stmt, &[/* person_id */ &person]).await?;
        row.map(|row| registered(&row)?.ok_or(StoreError::Unreadable("registration"))).transpose()
    }

    /// Writes a registration over the one that the person has, and takes it from its district's list to the right one.
    ///
    /// `listed`: where the list has it now, as (district, priority).
    pub async fn put_registration(&self, row: &RegistrationRow, listed: (&str, i64)) -> Result<(), StoreError> {
        let sql = "-- leave district
             DELETE FROM registration_by_district WHERE district_code = $1 AND priority = $2 AND person_id = $3
             RETURNING ward_code, status";
        let stmt = self.inner.prepare_cached(sql).await?;
        let left = self.inner.query_opt(&stmt, &[&listed.0, &listed.1, &row.person]).await?;
        let lived_in: Option<&str> = left.as_ref().map(|left| left.get(0));
        if let Some(left) = &left {
            self.tally().add(fact(left.get(0), listed.1, left.get(1), row.created_at), -1);
        }
        let sql = "-- change registration
             UPDATE registration SET account_id = $2, district_code = $3, priority = $4, address = $5, occupation = $6,
                 declaration = ($7::text)::jsonb, declared_at = $8, consent = ($9::text)::jsonb,
                 guardian = ($10::text)::jsonb, status = $11, updated_at = $12
             WHERE person_id = $1";
        let stmt = self.inner.prepare_cached(sql).await?;
        let (declared_at, updated_at) = (timestamp(row.declared_at), timestamp(row.updated_at));
        let columns: [&(dyn ToSql + Sync); 12] = [
            &row.person,
            &row.account,
            &row.district,
            &row.priority,
            &row.address,
            &row.occupation,
            &row.declaration,
            &declared_at,
            &row.consent,
            &row.guardian,
            &row.status,
            &updated_at,
        ];
        self.inner.execute(&stmt, &columns).await?;
        if lived_in != Some(row.ward.as_str()) {
            self.move_people(&[(row.person, row.ward.as_str())]).await?;
        }
        self.list_in_districts(std::slice::from_ref(row)).await
    }

    /// Gives a person another phone number, under which they are found from now on as well.
    pub async fn put_phone(&self, person: Uuid, phone: &Hash, phone_sealed: &[u8]) -> Result<(), StoreError> {
        let stmt = self.inner.prepare_cached("-- phone of person\nUPDATE person SET phone = $2 WHERE person_id = $1");
        self.inner.execute(&stmt.await?, &[&person, &phone_sealed]).await?;
        let known = self.candidates(&[], &[*phone]).await?;
        if known.iter().any(|candidate| candidate.row.person == person) {
            return Ok(());
        }
        let nth = known.iter().map(|candidate| candidate.nth).max().unwrap_or(0) + 1;
        self.insert_lookups(&[super::Lookup { kind: LookupKind::Phone, hash: *phone, nth, person }]).await
    }
}

/// A registration as it is counted.
pub(super) fn fact(ward: &str, rank: i64, status: &str, created_at: UnixSeconds) -> Fact {
    Fact::Registration(ward.to_owned(), rank, status.to_owned(), day_from_date(created_at.vietnamese_date()))
}

async fn together_in_order(tx: &Tx<'_>, rows: &[RegistrationRow], members: &[(Uuid, Uuid)]) -> Result<(), StoreError> {
    together(tx.list_in_districts(rows), tx.insert_members(members)).await?;
    Ok(())
}

fn registered(row: &Row) -> Result<Option<(RegisteredPerson, RegistrationRow)>, StoreError> {
    let person = registered_person_of(row, 0)?;
    let registration = registration_of(row, REGISTERED_PERSON_COUNT, person.ward.as_deref());
    Ok(registration.map(|registration| (person, registration)))
}

impl Store {
    /// The registrations that hang on an account, oldest first; or only that of one person.
    pub async fn registrations(
        &self,
        account: Uuid,
        person: Option<Uuid>,
    ) -> Result<Vec<(RegisteredPerson, RegistrationRow)>, StoreError> {
        let mut people = members_of(self, account).await?;
        people.retain(|member| person.is_none_or(|person| *member == person));
        let sql = format!(
            "-- registrations of people
             SELECT {REGISTERED_PERSON}, {REGISTRATION} FROM registration r JOIN person p ON p.person_id = r.person_id
             WHERE r.person_id = ANY($1) ORDER BY r.created_at, r.person_id"
        );
        let rows = self.rows(&sql, &[/* people */ &people]).await?;
        rows.iter().filter_map(|row| registered(row).transpose()).collect()
    }
}
