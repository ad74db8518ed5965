//! What a batch of doses changes: from what is stored and what was sent to rows and answers. Pure but for the random ids.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::corrections::Unclear;
use super::doses::{DoseError, DoseId, Recorded, Row};
use super::matching::{self, Described, Match};
use super::person_ids::PersonIds;
use crate::certificate::{Profile, UnixSeconds, Uvci};
use crate::issue::{self, Issued, Subject};
use crate::keys::IssuerKey;
use crate::name::PersonName;
use crate::policy::{self, Flag, GivenDose};
use crate::store::{
    Candidate, CertificateRow, DoseRow, Hash, KnownRecord, Lookup, LookupKind, NewPerson, PersonRow, RecordRow,
};

/// The rows that a batch adds.
#[derive(Default)]
pub(super) struct Writes {
    pub people: Vec<NewPerson>,
    pub lookups: Vec<Lookup>,
    pub doses: Vec<DoseRow>,
    pub records: Vec<RecordRow>,
    pub certificates: Vec<CertificateRow>,
    /// Whose earlier certificates are superseded.
    pub superseded: Vec<Uuid>,
    /// Doses of which it cannot be said for certain whose they are.
    pub unclear: Vec<Unclear>,
}

/// The answer to a row, or the dose whose certificate is still to be read from the store.
pub(super) enum Answer {
    Ready(Result<Recorded, DoseError>),
    /// Recorded before under another number; its certificate is not at hand.
    Stored(DoseRow),
}

/// How clear it is whose a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clarity {
    /// Somebody known, as they are known; or somebody new.
    Clear,
    /// Somebody known by their identity number, under another name or birth date.
    Differs,
    /// It cannot be said: enrolled anew.
    Unclear,
}

/// What is known while a batch is planned: what the store said, and what earlier rows of the batch added.
pub(super) struct Plan<'k> {
    key: &'k IssuerKey,
    now: UnixSeconds,
    ids: PersonIds,
    people: HashMap<Uuid, PersonRow>,
    doses: HashMap<Uuid, Vec<DoseRow>>,
    lookups: HashMap<(LookupKind, Hash), Vec<Uuid>>,
    next_nth: HashMap<(LookupKind, Hash), i64>,
    /// What the facilities' numbers stand for: (facility, record number) -> what was sent, and the dose; `None` for a voided one.
    records: HashMap<(String, String), (Hash, Option<DoseRow>)>,
    /// Certificates at hand, by the dose that caused them.
    certificates: HashMap<Uuid, CertificateRow>,
    /// Whom this batch enrolled: the store holds nothing of theirs.
    enrolled: HashSet<Uuid>,
    /// The last certificate that this batch adds of each person, by its place among the writes.
    latest: HashMap<Uuid, usize>,
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
        let mut plan = Plan {
            key,
            now,
            ids: PersonIds::new(),
            people: HashMap::new(),
            doses: HashMap::new(),
            lookups: HashMap::new(),
            next_nth: HashMap::new(),
            records: HashMap::new(),
            certificates: HashMap::new(),
            enrolled: HashSet::new(),
            latest: HashMap::new(),
            writes: Writes::default(),
        };
        for KnownRecord { record, dose, certificate, voided } in records {
            let stands = (!voided).then(|| dose.clone());
            plan.certificates.insert(dose.dose, certificate);
            plan.records.insert((record.facility, record.record_no), (record.request_hash, stands));
        }
        for candidate in candidates {
            plan.add_lookup((candidate.kind, candidate.hash), candidate.nth, candidate.row.person);
            plan.people.insert(candidate.row.person, candidate.row);
        }
        for dose in doses {
            plan.doses.entry(dose.person).or_default().push(dose);
        }
        plan
    }

    /// Adds people whom rows name as theirs.
    pub fn know(&mut self, people: Vec<PersonRow>) {
        self.people.extend(people.into_iter().map(|row| (row.person, row)));
    }

    /// Takes one row and says what is answered if the writes are committed.
    pub fn take(&mut self, row: &Row) -> Answer {
        if let Some(answer) = self.recorded_before(row) {
            return answer;
        }
        let (person, clarity, candidates) = self.person_of(row);
        self.take_of(row, person, clarity, candidates)
    }

    /// Takes one row that is known to be `person`'s.
    pub fn take_known(&mut self, row: &Row, person: PersonRow) -> Answer {
        if let Some(answer) = self.recorded_before(row) {
            return answer;
        }
        let who = person.person;
        self.people.insert(who, person);
        self.take_of(row, who, Clarity::Clear, Vec::new())
    }

    /// The answer if the row's number was used before.
    fn recorded_before(&self, row: &Row) -> Option<Answer> {
        let (request_hash, dose) = self.records.get(&record_key(row))?;
        Some(match dose {
            None => Answer::Ready(Err(DoseError::RecordVoided)),
            Some(dose) if *request_hash == row.request_hash => self.repeated(dose.clone(), row),
            Some(_) => Answer::Ready(Err(DoseError::RecordConflict)),
        })
    }

    fn take_of(&mut self, row: &Row, person: Uuid, clarity: Clarity, candidates: Vec<Uuid>) -> Answer {
        let same = |dose: &&DoseRow| {
            dose.product == row.dose.product.code && dose.given_at.vietnamese_date() == row.dose.given_on
        };
        match self.doses.get(&person).into_iter().flatten().find(same).cloned() {
            // Whoever knows a number and a birth date, but not the name, is not told it by calling a dose theirs.
            Some(dose) if clarity == Clarity::Differs && dose.facility != row.facility => {
                let apart = self.enrol(row);
                Answer::Ready(self.add_dose(row, apart, Clarity::Unclear, vec![person]))
            }
            Some(dose) => {
                self.add_record(row, &dose);
                self.repeated(dose, row)
            }
            None => Answer::Ready(self.add_dose(row, person, clarity, candidates)),
        }
    }

    /// The rows added since the last time, to be written before those that follow.
    pub fn drain(&mut self) -> Writes {
        // From here on they are the store's: what supersedes them does it there.
        self.enrolled.clear();
        self.latest.clear();
        std::mem::take(&mut self.writes)
    }

    /// The answer for a dose that was recorded before, perhaps under another number.
    fn repeated(&self, dose: DoseRow, row: &Row) -> Answer {
        match self.certificates.get(&dose.dose) {
            Some(certificate) => {
                let duplicate = (&dose.facility, &dose.record_no) != (&row.facility, &row.dose.record_no);
                Answer::Ready(recorded(dose, certificate, duplicate))
            }
            None => Answer::Stored(dose),
        }
    }

    /// Whose the row is, enrolling somebody unknown; how clear that is; and who it may be if it is not clear.
    fn person_of(&mut self, row: &Row) -> (Uuid, Clarity, Vec<Uuid>) {
        let under = |kind: LookupKind, hash: Option<Hash>| -> Vec<PersonRow> {
            let people = hash.and_then(|hash| self.lookups.get(&(kind, hash)));
            people.into_iter().flatten().filter_map(|person| self.people.get(person).cloned()).collect()
        };
        let by_identity = under(LookupKind::Identity, row.identity_hash);
        let by_phone = under(LookupKind::Phone, row.phone_hash);
        let described = Described {
            name: row.dose.name.as_str(),
            name_key: row.dose.name.matching_key(),
            birth: row.dose.birth,
            identity_digits: row.dose.identity.as_ref().map(String::len),
        };
        let named = row.dose.known.and_then(|person| self.people.get(&person));
        let found = match named.filter(|known| described.agrees_in_part(known)) {
            Some(known) => Match::Known(known.person),
            None => matching::find(&described, &by_identity, &by_phone),
        };
        let (person, clarity, candidates) = match found {
            Match::Known(person) => match self.people.get(&person).is_some_and(|known| described.is_as_known(known)) {
                true => (person, Clarity::Clear, Vec::new()),
                false => (person, Clarity::Differs, vec![person]),
            },
            Match::Nobody => (self.enrol(row), Clarity::Clear, Vec::new()),
            Match::Unclear => {
                let candidates = matching::candidates(&described, &by_identity, &by_phone);
                (self.enrol(row), Clarity::Unclear, candidates)
            }
        };
        for (kind, hash) in [(LookupKind::Identity, row.identity_hash), (LookupKind::Phone, row.phone_hash)] {
            if let Some(hash) = hash {
                self.know_under(kind, hash, person);
            }
        }
        (person, clarity, candidates)
    }

    fn enrol(&mut self, row: &Row) -> Uuid {
        let known = PersonRow {
            person: self.ids.next(),
            name: row.dose.name.as_str().to_owned(),
            name_key: row.dose.name.matching_key().to_owned(),
            birth: row.dose.birth,
            identity_digits: row.dose.identity.as_ref().map(String::len),
        };
        let person = known.person;
        self.people.insert(person, known.clone());
        self.enrolled.insert(person);
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
        self.writes.lookups.push(Lookup { kind, hash, nth, person });
    }

    fn add_lookup(&mut self, key: (LookupKind, Hash), nth: i64, person: Uuid) {
        self.lookups.entry(key).or_default().push(person);
        let next = self.next_nth.entry(key).or_insert(1);
        *next = (*next).max(nth + 1);
    }

    fn add_record(&mut self, row: &Row, dose: &DoseRow) {
        self.records.insert(record_key(row), (row.request_hash, Some(dose.clone())));
        self.writes.records.push(RecordRow {
            facility: row.facility.clone(),
            record_no: row.dose.record_no.clone(),
            person: dose.person,
            dose: dose.dose,
            request_hash: row.request_hash,
        });
    }

    fn add_dose(
        &mut self,
        row: &Row,
        person: Uuid,
        clarity: Clarity,
        candidates: Vec<Uuid>,
    ) -> Result<Recorded, DoseError> {
        let others: Vec<GivenDose> = self.doses.get(&person).into_iter().flatten().filter_map(given).collect();
        let this = GivenDose { product: row.dose.product, given_on: row.dose.given_on, number: row.dose.number };
        let mut flags = policy::flags(&this, &others);
        if row.dose.lot_expires_on.is_some_and(|last_day| last_day < row.dose.given_on) {
            flags.push(Flag::LotExpired);
        }
        match clarity {
            Clarity::Clear => {}
            Clarity::Differs => flags.push(Flag::PersonDiffers),
            Clarity::Unclear => flags.push(Flag::PersonUnclear),
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
            vaccinator: row.dose.vaccinator.clone(),
        };
        let certificate = self.certify(&dose, &[&others[..], &[this]].concat())?;
        let answer = recorded(dose.clone(), &certificate, false);
        self.supersede(person, others.is_empty());
        self.add_record(row, &dose);
        self.certificates.insert(dose.dose, certificate.clone());
        self.doses.entry(person).or_default().push(dose.clone());
        if clarity != Clarity::Clear {
            self.writes.unclear.push(Unclear { person, dose: dose.dose, facility: dose.facility.clone(), candidates });
        }
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

    /// Marks what was issued to `person` before, in the store and in this batch. `first`: they have no other dose.
    fn supersede(&mut self, person: Uuid, first: bool) {
        // Earlier ones of this batch are marked already, each by the one after it.
        match self.latest.insert(person, self.writes.certificates.len()) {
            Some(earlier) => {
                if let Some(earlier) = self.writes.certificates.get_mut(earlier) {
                    earlier.superseded_at = Some(self.now);
                }
            }
            // Nearly everybody, on a first day: no certificate is in force.
            None if first || self.enrolled.contains(&person) => {}
            None => self.writes.superseded.push(person),
        }
    }
}

fn record_key(row: &Row) -> (String, String) {
    (row.facility.clone(), row.dose.record_no.clone())
}

/// A stored dose as the rules see it; `None` for a product that our table does not hold (never written by us).
pub(super) fn given(dose: &DoseRow) -> Option<GivenDose> {
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
