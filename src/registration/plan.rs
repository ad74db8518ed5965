//! What a batch of doses changes: from what is stored and what was sent to rows and answers. Pure but for the random ids.

use std::collections::HashMap;

use uuid::Uuid;

use super::doses::{DoseError, DoseId, Recorded, Row};
use super::matching::{self, Described, Match};
use crate::certificate::{Profile, UnixSeconds, Uvci};
use crate::issue::{self, Issued, Subject};
use crate::keys::IssuerKey;
use crate::name::PersonName;
use crate::policy::{self, Flag, GivenDose};
use crate::store::{
    Candidate, CertificateRow, DoseRow, Hash, KnownRecord, LookupKind, NewLookup, NewPerson, PersonRow, RecordRow,
};

/// The rows that a batch adds.
#[derive(Default)]
pub(super) struct Writes {
    pub people: Vec<NewPerson>,
    pub lookups: Vec<NewLookup>,
    pub doses: Vec<DoseRow>,
    pub records: Vec<RecordRow>,
    pub certificates: Vec<CertificateRow>,
    /// Whose earlier certificates are superseded.
    pub superseded: Vec<Uuid>,
}

/// The answer to a row, or the dose whose certificate is still to be read from the store.
pub(super) enum Answer {
    Ready(Result<Recorded, DoseError>),
    /// Recorded before under another number: (person, dose).
    Stored(DoseRow),
}

/// What is known while a batch is planned: what the store said, and what earlier rows of the batch added.
pub(super) struct Plan<'k> {
    key: &'k IssuerKey,
    now: UnixSeconds,
    people: HashMap<Uuid, PersonRow>,
    doses: HashMap<Uuid, Vec<DoseRow>>,
    lookups: HashMap<(LookupKind, Hash), Vec<Uuid>>,
    next_nth: HashMap<(LookupKind, Hash), i64>,
    records: HashMap<(String, String), KnownRecord>,
    /// Certificates issued in this batch, by the dose that caused them.
    issued: HashMap<Uuid, usize>,
    pub writes: Writes,
}

impl<'k> Plan<'k> {
    pub fn new(
        key: &'k IssuerKey,
        now: UnixSeconds,
        records: Vec<KnownRecord>,
        candidates: Vec<Candidate>,
        doses: Vec<DoseRow>,
    ) -> Self {
        let records =
            records.into_iter().map(|known| ((known.record.facility.clone(), known.record.record_no.clone()), known));
        let mut plan = Plan {
            key,
            now,
            people: HashMap::new(),
            doses: HashMap::new(),
            lookups: HashMap::new(),
            next_nth: HashMap::new(),
            records: records.collect(),
            issued: HashMap::new(),
            writes: Writes::default(),
        };
        for candidate in candidates {
            plan.add_lookup((candidate.kind, candidate.hash), candidate.nth, candidate.row.person);
            plan.people.insert(candidate.row.person, candidate.row);
        }
        for dose in doses {
            plan.doses.entry(dose.person).or_default().push(dose);
        }
        plan
    }

    /// Takes one row and says what is answered if the writes are committed.
    pub fn take(&mut self, row: &Row) -> Answer {
        if let Some(known) = self.records.get(&(row.facility.clone(), row.dose.record_no.clone())) {
            return Answer::Ready(match known.record.request_hash == row.request_hash {
                true => recorded(known.dose.clone(), &known.certificate, known.dose.record_no != row.dose.record_no),
                false => Err(DoseError::RecordConflict),
            });
        }
        let (person, unclear) = self.person_of(row);
        let of_person = self.doses.entry(person).or_default();
        let same = |dose: &&DoseRow| {
            dose.product == row.dose.product.code && dose.given_at.vietnamese_date() == row.dose.given_on
        };
        if let Some(dose) = of_person.iter().find(same).cloned() {
            self.add_record(row, dose.person, dose.dose);
            return match self.issued.get(&dose.dose).and_then(|&at| self.writes.certificates.get(at)) {
                Some(certificate) => Answer::Ready(recorded(dose, certificate, true)),
                None => Answer::Stored(dose),
            };
        }
        Answer::Ready(self.add_dose(row, person, unclear))
    }

    /// Whose the row is, enrolling somebody unknown; and whether it is unclear whose.
    fn person_of(&mut self, row: &Row) -> (Uuid, bool) {
        let under = |kind: LookupKind, hash: Option<Hash>| -> Vec<PersonRow> {
            let people = hash.and_then(|hash| self.lookups.get(&(kind, hash)));
            people.into_iter().flatten().filter_map(|person| self.people.get(person).cloned()).collect()
        };
        let by_identity = under(LookupKind::Identity, row.identity_hash);
        let by_phone = under(LookupKind::Phone, row.phone_hash);
        let described = Described { name_key: row.dose.name.matching_key(), birth: row.dose.birth };
        let found = matching::find(&described, &by_identity, &by_phone);
        let person = match found {
            Match::Known(person) => person,
            Match::Nobody | Match::Unclear => self.enrol(row),
        };
        for (kind, hash) in [(LookupKind::Identity, row.identity_hash), (LookupKind::Phone, row.phone_hash)] {
            if let Some(hash) = hash {
                self.know_under(kind, hash, person);
            }
        }
        (person, found == Match::Unclear)
    }

    fn enrol(&mut self, row: &Row) -> Uuid {
        let known = PersonRow {
            person: Uuid::new_v4(),
            name: row.dose.name.as_str().to_owned(),
            name_key: row.dose.name.matching_key().to_owned(),
            birth: row.dose.birth,
        };
        let person = known.person;
        self.people.insert(person, known.clone());
        self.writes.people.push(NewPerson {
            row: known,
            sex: row.dose.sex.clone(),
            ward: row.dose.ward.clone(),
            phone_sealed: row.phone_sealed.clone(),
            identity_sealed: row.identity_sealed.clone(),
            created_at: self.now,
        });
        person
    }

    /// Makes `person` findable under a number that they were not known under yet.
    fn know_under(&mut self, kind: LookupKind, hash: Hash, person: Uuid) {
        if self.lookups.get(&(kind, hash)).is_some_and(|people| people.contains(&person)) {
            return;
        }
        let nth = self.next_nth.get(&(kind, hash)).copied().unwrap_or(1);
        self.add_lookup((kind, hash), nth, person);
        self.writes.lookups.push(NewLookup { kind, hash, nth, person });
    }

    fn add_lookup(&mut self, key: (LookupKind, Hash), nth: i64, person: Uuid) {
        self.lookups.entry(key).or_default().push(person);
        let next = self.next_nth.entry(key).or_insert(1);
        *next = (*next).max(nth + 1);
    }

    fn add_record(&mut self, row: &Row, person: Uuid, dose: Uuid) {
        self.writes.records.push(RecordRow {
            facility: row.facility.clone(),
            record_no: row.dose.record_no.clone(),
            person,
            dose,
            request_hash: row.request_hash,
        });
    }

    fn add_dose(&mut self, row: &Row, person: Uuid, unclear: bool) -> Result<Recorded, DoseError> {
        let others: Vec<GivenDose> = self.doses.get(&person).into_iter().flatten().filter_map(given).collect();
        let this = GivenDose { product: row.dose.product, given_on: row.dose.given_on, number: row.dose.number };
        let mut flags = policy::flags(&this, &others);
        if row.dose.lot_expires_on.is_some_and(|last_day| last_day < row.dose.given_on) {
            flags.push(Flag::LotExpired);
        }
        if unclear {
            flags.push(Flag::PersonUnclear);
        }
        let dose = DoseRow {
            person,
            dose: Uuid::new_v4(),
            facility: row.facility.clone(),
            record_no: row.dose.record_no.clone(),
            product: row.dose.product.code.to_owned(),
            lot: row.dose.lot.clone(),
            lot_expires_on: row.dose.lot_expires_on,
            given_at: row.dose.given_at,
            number: row.dose.number,
            flags: flags.iter().map(|flag| flag.as_str().to_owned()).collect(),
            recorded_at: self.now,
            recorded_by: row.subject.clone(),
        };
        let certificate = self.certify(&dose, &[others, vec![this]].concat())?;
        let answer = recorded(dose.clone(), &certificate, false);
        self.supersede(person);
        self.issued.insert(dose.dose, self.writes.certificates.len());
        self.add_record(row, person, dose.dose);
        let known = self.writes.records.last().map(|record| KnownRecord {
            record: record.clone(),
            dose: dose.clone(),
            certificate: certificate.clone(),
        });
        self.records.extend(known.map(|known| ((row.facility.clone(), row.dose.record_no.clone()), known)));
        self.doses.entry(person).or_default().push(dose.clone());
        self.writes.doses.push(dose);
        self.writes.certificates.push(certificate);
        answer.map(|answer| Recorded { new: true, ..answer })
    }

    /// Signs the course that `doses` make, the one just given among them.
    fn certify(&self, dose: &DoseRow, doses: &[GivenDose]) -> Result<CertificateRow, DoseError> {
        let person = self.people.get(&dose.person).ok_or(DoseError::Unreadable)?;
        let name = PersonName::parse(&person.name).map_err(|_| DoseError::Unreadable)?;
        let course = policy::course(doses).ok_or(DoseError::Unreadable)?;
        let uvci = Uvci(*Uuid::new_v4().as_bytes());
        let subject = Subject { uvci, name: &name, birth: person.birth, dose: &course };
        let Issued { card, kid, issued_at, expires_at, cose, .. } =
            issue::issue(&subject, Profile::Compact, self.key, self.now, policy::expires_at(self.now))?;
        Ok(CertificateRow {
            person: dose.person,
            uvci,
            dose: dose.dose,
            number: course.number,
            series: course.series,
            card,
            issued_at,
            expires_at,
            kid,
            compact: cose,
            hc1: None,
            superseded_at: None,
            revoked_at: None,
        })
    }

    /// Marks what was issued to `person` before, in the store and in this batch.
    fn supersede(&mut self, person: Uuid) {
        if !self.writes.superseded.contains(&person) {
            self.writes.superseded.push(person);
        }
        for earlier in self.writes.certificates.iter_mut().filter(|earlier| earlier.person == person) {
            earlier.superseded_at = Some(self.now);
        }
    }
}

/// A stored dose as the rules see it; `None` for a product that our table does not hold (never written by us).
fn given(dose: &DoseRow) -> Option<GivenDose> {
    let product = policy::product_by_code(&dose.product)?;
    Some(GivenDose { product, given_on: dose.given_at.vietnamese_date(), number: dose.number })
}

/// The answer for a dose that has its certificate. `duplicate`: it was recorded under another number.
pub(super) fn recorded(dose: DoseRow, certificate: &CertificateRow, duplicate: bool) -> Result<Recorded, DoseError> {
    let text = crate::codec::encode_text(Profile::Compact, &certificate.compact).map_err(|_| DoseError::Unreadable)?;
    let mut flags = dose.flags;
    flags.extend(duplicate.then(|| Flag::Duplicate.as_str().to_owned()));
    let id = DoseId { person: dose.person, dose: dose.dose };
    Ok(Recorded { new: false, dose: id, uvci: certificate.uvci, card: certificate.card, text, flags })
}
