//! People and the keyed hashes they are found by.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Hash, StoreError, Tx, together};
use crate::certificate::{BirthDate, UnixSeconds};

/// A person, as far as matching and certifying need one.
#[derive(Clone)]
pub struct PersonRow {
    /// Who.
    pub person: Uuid,
    /// The name as written.
    pub name: String,
    /// Its transliteration.
    pub name_key: String,
    /// As precise as it is known.
    pub birth: BirthDate,
    /// How many digits the identity number has that they were enrolled with, if any.
    pub identity_digits: Option<usize>,
}

impl std::fmt::Debug for PersonRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonRow(REDACTED)")
    }
}

/// Which number a person is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LookupKind {
    /// The identity number.
    Identity,
    /// The phone number.
    Phone,
}

/// A person known under one of the hashes asked for.
pub struct Candidate {
    /// Which kind of number.
    pub kind: LookupKind,
    /// The hash.
    pub hash: Hash,
    /// The person's place under it, from 1.
    pub nth: i64,
    /// Who.
    pub row: PersonRow,
}

/// A person to be enrolled.
pub struct NewPerson {
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
    /// When.
    pub created_at: UnixSeconds,
}

/// A hash under which a person is found, or is to be found.
pub struct Lookup {
    /// Which kind of number.
    pub kind: LookupKind,
    /// The hash.
    pub hash: Hash,
    /// The person's place under it; of a new one the next that was seen: taken by another, the transaction is run again.
    pub nth: i64,
    /// Who.
    pub person: Uuid,
}

/// A column of the database's instants.
pub(super) fn timestamp(at: UnixSeconds) -> Timestamp {
    // Outside jiff's years nothing is recorded: dates were checked on the way in.
    Timestamp::from_second(at.0).unwrap_or_default()
}

/// An instant of ours.
pub(super) fn seconds(at: Timestamp) -> UnixSeconds {
    UnixSeconds(at.as_second())
}

impl Tx<'_> {
    /// Everybody known under any of these hashes, those of one hash in the order of their places.
    pub async fn candidates(&self, identities: &[Hash], phones: &[Hash]) -> Result<Vec<Candidate>, StoreError> {
        let (mut known, by_phone) =
            together(self.known_under(LookupKind::Identity, identities), self.known_under(LookupKind::Phone, phones))
                .await?;
        known.extend(by_phone);
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let mut people: Vec<Uuid> = known.iter().map(|lookup| lookup.person).collect();
        people.sort_unstable();
        people.dedup();
        let people: HashMap<Uuid, PersonRow> =
            self.people(&people).await?.into_iter().map(|row| (row.person, row)).collect();
        let candidate = |lookup: Lookup| {
            let Lookup { kind, hash, nth, person } = lookup;
            people.get(&person).map(|row| Candidate { kind, hash, nth, row: row.clone() })
        };
        Ok(known.into_iter().filter_map(candidate).collect())
    }

    /// Not joined with the people: a new registrant's numbers are unknown as a rule, and then nobody is asked for; and the
    /// two tables are spread by different keys where there is more than one server.
    async fn known_under(&self, kind: LookupKind, hashes: &[Hash]) -> Result<Vec<Lookup>, StoreError> {
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let sql = match kind {
            LookupKind::Identity => {
                "-- people by identity
                 SELECT identity_hash, nth, person_id FROM person_by_identity WHERE identity_hash = ANY($1)"
            }
            LookupKind::Phone => {
                "-- people by phone
                 SELECT phone_hash, nth, person_id FROM person_by_phone WHERE phone_hash = ANY($1)"
            }
        };
        let stmt = self.inner.prepare_cached(sql).await?;
        let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
        let rows = self.inner.query(&stmt, &[/* hashes */ &hashes]).await?;
        let lookup = |row: &Row| {
            let hash = hash_of(row.get(0)).ok_or(StoreError::Unreadable("person_by_*"))?;
            Ok(Lookup { kind, hash, nth: row.get(1), person: row.get(2) })
        };
        let mut known = rows.iter().map(lookup).collect::<Result<Vec<_>, StoreError>>()?;
        known.sort_unstable_by_key(|lookup| (lookup.hash, lookup.nth));
        Ok(known)
    }

    /// Enrols people.
    pub async fn insert_people(&self, people: &[NewPerson]) -> Result<(), StoreError> {
        if people.is_empty() {
            return Ok(());
        }
        // Before anything is awaited: what is written beside it may be of these people.
        people.iter().for_each(|new| self.tally().enrol(new.row.person, new.ward.as_deref()));
        let stmt = self
            .inner
            .prepare_cached(
                "-- enrol
                 INSERT INTO person (person_id, name, name_key, birth, sex, ward_code, phone, identity, created_at)
                 SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                                      $7::bytea[], $8::bytea[], $9::timestamptz[])",
            )
            .await?;
        let column = |of: fn(&NewPerson) -> &str| people.iter().map(of).collect::<Vec<&str>>();
        let ids: Vec<Uuid> = people.iter().map(|new| new.row.person).collect();
        let births: Vec<String> = people.iter().map(|new| new.row.birth.to_string()).collect();
        let sexes: Vec<Option<&str>> = people.iter().map(|new| new.sex.as_deref()).collect();
        let wards: Vec<Option<&str>> = people.iter().map(|new| new.ward.as_deref()).collect();
        let phones: Vec<Option<&[u8]>> = people.iter().map(|new| new.phone_sealed.as_deref()).collect();
        let identities: Vec<Option<&[u8]>> = people.iter().map(|new| new.identity_sealed.as_deref()).collect();
        let created: Vec<Timestamp> = people.iter().map(|new| timestamp(new.created_at)).collect();
        let (names, keys) = (column(|new| &new.row.name), column(|new| &new.row.name_key));
        self.inner
            .execute(&stmt, &[&ids, &names, &keys, &births, &sexes, &wards, &phones, &identities, &created])
            .await?;
        Ok(())
    }

    /// People live in these communes from now on, wherever they lived before.
    ///
    /// `moves`: each person once, with the commune's code.
    pub async fn move_people(&self, moves: &[(Uuid, &str)]) -> Result<(), StoreError> {
        let mut people: Vec<Uuid> = moves.iter().map(|(person, _)| *person).collect();
        if people.is_empty() {
            return Ok(());
        }
        people.sort_unstable();
        self.lock_people(&people).await?;
        let moved = |(person, ward): &&(Uuid, &str)| self.tally().move_to(*person, ward);
        let (people, wards): (Vec<Uuid>, Vec<&str>) = moves.iter().filter(moved).copied().unzip();
        if people.is_empty() {
            return Ok(());
        }
        let sql = "-- move person\nUPDATE person SET ward_code = $2 WHERE person_id = $1";
        let stmt = self.inner.prepare_cached(sql).await?;
        // Seldom more than one: whoever registers is new, as a rule.
        for (person, ward) in people.iter().zip(&wards) {
            self.inner.execute(&stmt, &[person, ward]).await?;
        }
        Ok(())
    }

    /// Makes people findable. A place already taken fails with 23505, and the transaction is run again.
    pub async fn insert_lookups(&self, lookups: &[Lookup]) -> Result<(), StoreError> {
        together(
            self.insert_lookups_of(LookupKind::Identity, lookups),
            self.insert_lookups_of(LookupKind::Phone, lookups),
        )
        .await?;
        Ok(())
    }

    async fn insert_lookups_of(&self, kind: LookupKind, lookups: &[Lookup]) -> Result<(), StoreError> {
        let sql = match kind {
            LookupKind::Identity => {
                "-- find by identity
                 INSERT INTO person_by_identity (identity_hash, nth, person_id)
                 SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::uuid[])"
            }
            LookupKind::Phone => {
                "-- find by phone
                 INSERT INTO person_by_phone (phone_hash, nth, person_id)
                 SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::uuid[])"
            }
        };
        let mut of_kind: Vec<&Lookup> = lookups.iter().filter(|lookup| lookup.kind == kind).collect();
        if of_kind.is_empty() {
            return Ok(());
        }
        // In one order everywhere, so that two batches wait for each other and never deadlock.
        of_kind.sort_by_key(|lookup| (lookup.hash, lookup.nth));
        let stmt = self.inner.prepare_cached(sql).await?;
        let hashes: Vec<&[u8]> = of_kind.iter().map(|lookup| lookup.hash.as_slice()).collect();
        let nths: Vec<i64> = of_kind.iter().map(|lookup| lookup.nth).collect();
        let people: Vec<Uuid> = of_kind.iter().map(|lookup| lookup.person).collect();
        self.inner.execute(&stmt, &[&hashes, &nths, &people]).await?;
        Ok(())
    }
}

pub(super) fn hash_of(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok()
}
