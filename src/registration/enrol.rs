//! What becomes of a batch of registrations: who is known, who is claimed, who is new. Decides; the store writes.

use std::collections::HashMap;

use uuid::Uuid;

use super::application::Place;
use super::citizen::CitizenError;
use super::contact::{REGISTERED, WITHDRAWN};
use super::matching::Described;
use super::person_ids::PersonIds;
use super::registrations::{CLAIMS_PER_DAY, MAX_PEOPLE, Registered};
use crate::certificate::{BirthDate, UnixSeconds};
use crate::name::PersonName;
use crate::store::{Audited, Candidate, Hash, Lookup, LookupKind, Member, NewPerson, PersonRow, RegistrationRow};

/// A checked registration with what the store needs beside it: sealed columns and keyed hashes, never the numbers themselves.
pub(super) struct Enrolment {
    pub account: Uuid,
    pub name: PersonName,
    pub birth: BirthDate,
    pub sex: String,
    pub identity_digits: Option<usize>,
    pub identity_hash: Option<Hash>,
    pub identity_sealed: Option<Vec<u8>>,
    /// The person's number, or the guardian's.
    pub phone_hash: Option<Hash>,
    pub phone_sealed: Option<Vec<u8>>,
    pub place: Place,
    pub address: String,
    pub occupation: String,
    pub rank: i64,
    pub declaration: String,
    pub consent: String,
    pub guardian: Option<String>,
    pub now: UnixSeconds,
}

/// A record that a registration claims.
pub(super) struct Claim {
    pub account: Uuid,
    pub person: Uuid,
    pub at: UnixSeconds,
    pub audited: Audited,
}

/// What a batch writes.
#[derive(Default)]
pub(super) struct Writes {
    pub people: Vec<NewPerson>,
    pub lookups: Vec<Lookup>,
    pub registrations: Vec<RegistrationRow>,
    /// (account, person)
    pub members: Vec<(Uuid, Uuid)>,
    pub claims: Vec<Claim>,
    /// Registered anew after they were withdrawn.
    pub again: Vec<RegistrationRow>,
}

/// What is known while a batch is planned: what the store said, and what earlier rows of the batch added.
pub(super) struct EnrolPlan {
    ids: PersonIds,
    people: HashMap<Uuid, PersonRow>,
    lookups: HashMap<(LookupKind, Hash), Vec<Uuid>>,
    next_nth: HashMap<(LookupKind, Hash), i64>,
    /// Account -> its people, each with how their registration stands.
    members: HashMap<Uuid, Vec<(Uuid, Option<String>)>>,
    /// Person -> the account that holds them.
    holders: HashMap<Uuid, Uuid>,
    claims: HashMap<Uuid, i64>,
    pub writes: Writes,
}

impl EnrolPlan {
    pub fn new(candidates: Vec<Candidate>, members: Vec<Member>) -> EnrolPlan {
        let mut plan = EnrolPlan {
            ids: PersonIds::new(),
            people: HashMap::new(),
            lookups: HashMap::new(),
            next_nth: HashMap::new(),
            members: HashMap::new(),
            holders: HashMap::new(),
            claims: HashMap::new(),
            writes: Writes::default(),
        };
        for Candidate { kind, hash, nth, row } in candidates {
            plan.add_lookup((kind, hash), nth, row.person);
            plan.people.insert(row.person, row);
        }
        for Member { account, row, status } in members {
            plan.members.entry(account).or_default().push((row.person, status));
            plan.people.insert(row.person, row);
        }
        plan
    }

    /// Whether somebody has this identity number who is not of the account: their record may be claimed.
    pub fn may_claim(&self, row: &Enrolment) -> bool {
        self.under(LookupKind::Identity, row.identity_hash)
            .iter()
            .any(|known| !self.is_member(row.account, known.person))
    }

    /// Everybody that the store named.
    pub fn known_people(&self) -> Vec<Uuid> {
        self.people.keys().copied().collect()
    }

    /// Takes over who holds whom.
    pub fn held(&mut self, holders: Vec<(Uuid, Uuid)>) {
        self.holders.extend(holders);
    }

    /// Takes over how often an account has tried to claim today.
    pub fn claims_tried(&mut self, account: Uuid, tries: i64) {
        self.claims.insert(account, tries);
    }

    /// Takes one row and says what is answered if the writes are committed.
    pub fn take(&mut self, row: &Enrolment) -> Result<Registered, CitizenError> {
        if let Some(person) = self.member_like(row) {
            return Ok(self.register_member(row, person));
        }
        if self.members.get(&row.account).is_some_and(|people| people.len() >= MAX_PEOPLE) {
            return Err(CitizenError::TooManyPeople);
        }
        let known = self.under(LookupKind::Identity, row.identity_hash);
        if !known.is_empty() && self.claims.get(&row.account).is_some_and(|tries| *tries > CLAIMS_PER_DAY) {
            return Err(CitizenError::DaySpent);
        }
        let mut agreeing = known.iter().filter(|known| described(row).is_as_known(known)).map(|known| known.person);
        match (agreeing.next(), agreeing.next()) {
            (Some(person), None) => self.claim(row, person),
            _ => Ok(self.enrol(row)),
        }
    }

    /// The account's own person whom this row is about: by identity number with name or birth date, or by name, birth date
    /// and phone where it says no other identity number.
    fn member_like(&self, row: &Enrolment) -> Option<Uuid> {
        if !self.members.contains_key(&row.account) {
            return None;
        }
        let described = described(row);
        let own = |known: &&&PersonRow| self.is_member(row.account, known.person);
        let by_identity = self.under(LookupKind::Identity, row.identity_hash);
        let agreeing = by_identity.iter().filter(own).find(|known| described.agrees_in_part(known));
        if let Some(known) = agreeing {
            return Some(known.person);
        }
        let by_phone = self.under(LookupKind::Phone, row.phone_hash);
        let alike = by_phone.iter().filter(own).filter(|known| described.is_as_known(known));
        let mut alike = alike.filter(|known| !described.has_another_identity(known));
        alike.next().map(|known| known.person)
    }

    fn register_member(&mut self, row: &Enrolment, person: Uuid) -> Registered {
        let people = self.members.get_mut(&row.account).into_iter().flatten();
        let status = people.filter(|(member, _)| *member == person).map(|(_, status)| status).next();
        match status.map(|status| status.replace(REGISTERED.to_owned())) {
            Some(Some(stands)) if stands == WITHDRAWN => {
                self.writes.again.push(registration(row, person));
                Registered { person, new: true }
            }
            Some(Some(stands)) => {
                // As it stood: what is sent again changes nothing.
                let people = self.members.get_mut(&row.account).into_iter().flatten();
                people.filter(|(member, _)| *member == person).for_each(|(_, status)| *status = Some(stands.clone()));
                Registered { person, new: false }
            }
            Some(None) | None => {
                self.writes.registrations.push(registration(row, person));
                Registered { person, new: true }
            }
        }
    }

    fn claim(&mut self, row: &Enrolment, person: Uuid) -> Result<Registered, CitizenError> {
        match self.holders.get(&person) {
            Some(holder) if *holder != row.account => return Err(CitizenError::Held),
            Some(_) | None => {}
        }
        self.holders.insert(person, row.account);
        let audited = Audited {
            at: row.now,
            role: "citizen".to_owned(),
            subject: row.account.simple().to_string(),
            place: String::new(),
            action: "person.claim",
            about: Some(person),
            why: "registration with identity number, name and birth date".to_owned(),
        };
        self.writes.claims.push(Claim { account: row.account, person, at: row.now, audited });
        self.members.entry(row.account).or_default().push((person, Some(REGISTERED.to_owned())));
        self.writes.registrations.push(registration(row, person));
        Ok(Registered { person, new: true })
    }

    fn enrol(&mut self, row: &Enrolment) -> Registered {
        let person = self.ids.next();
        let known = PersonRow {
            person,
            name: row.name.as_str().to_owned(),
            name_key: row.name.matching_key().to_owned(),
            birth: row.birth,
            identity_digits: row.identity_digits,
        };
        for (kind, hash) in [(LookupKind::Identity, row.identity_hash), (LookupKind::Phone, row.phone_hash)] {
            if let Some(hash) = hash {
                let nth = self.next_nth.get(&(kind, hash)).copied().unwrap_or(1);
                self.add_lookup((kind, hash), nth, person);
                self.writes.lookups.push(Lookup { kind, hash, nth, person });
            }
        }
        self.people.insert(person, known.clone());
        self.holders.insert(person, row.account);
        self.members.entry(row.account).or_default().push((person, Some(REGISTERED.to_owned())));
        self.writes.members.push((row.account, person));
        self.writes.registrations.push(registration(row, person));
        self.writes.people.push(NewPerson {
            row: known,
            sex: Some(row.sex.clone()),
            ward: Some(row.place.ward.to_owned()),
            phone_sealed: row.phone_sealed.clone(),
            identity_sealed: row.identity_sealed.clone(),
            created_at: row.now,
        });
        Registered { person, new: true }
    }

    fn is_member(&self, account: Uuid, person: Uuid) -> bool {
        self.members.get(&account).is_some_and(|people| people.iter().any(|(member, _)| *member == person))
    }

    fn under(&self, kind: LookupKind, hash: Option<Hash>) -> Vec<&PersonRow> {
        let people = hash.and_then(|hash| self.lookups.get(&(kind, hash)));
        people.into_iter().flatten().filter_map(|person| self.people.get(person)).collect()
    }

    fn add_lookup(&mut self, key: (LookupKind, Hash), nth: i64, person: Uuid) {
        self.lookups.entry(key).or_default().push(person);
        let next = self.next_nth.entry(key).or_insert(1);
        *next = (*next).max(nth + 1);
    }
}

fn described(row: &Enrolment) -> Described<'_> {
    let (name, name_key) = (row.name.as_str(), row.name.matching_key());
    Described { name, name_key, birth: row.birth, identity_digits: row.identity_digits }
}

fn registration(row: &Enrolment, person: Uuid) -> RegistrationRow {
    RegistrationRow {
        person,
        account: row.account,
        district: row.place.district.to_owned(),
        ward: row.place.ward.to_owned(),
        priority: row.rank,
        address: row.address.clone(),
        occupation: row.occupation.clone(),
        declaration: row.declaration.clone(),
        declared_at: row.now,
        consent: row.consent.clone(),
        guardian: row.guardian.clone(),
        status: REGISTERED.to_owned(),
        created_at: row.now,
        updated_at: row.now,
    }
}
