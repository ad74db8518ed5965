//! What a transaction changes of what is counted: summed while it runs, and written with it as one row of an outbox, so that
//! counting costs one row a batch. `counts.rs` folds those rows into the counters.
//!
//! Every method of [`Tx`] that writes a counted row notes here what it takes away and what it adds; no caller has to think of it.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DoseRow, StoreError, Tx};
use crate::certificate::{CardColour, Statement, day_from_date};
use crate::policy::{self, GivenDose};

/// Something that stands in the tables, as far as it is counted. Days are counted from 1970-01-01 in Viet Nam.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Fact {
    /// A registration: the commune's code, the rank of its priority group, how it stands, the day on which it was made.
    #[serde(rename = "r")]
    Registration(String, i64, String, i64),
    /// A person: the commune's code or nothing, and how far their course is.
    #[serde(rename = "p")]
    Person(String, Course),
    /// A dose that was not voided: the facility, the person's commune or nothing, the days of recording and of giving.
    #[serde(rename = "d")]
    Dose(String, String, i64, i64),
    /// A correction that is not closed: who is to answer, and whether it is past its deadline.
    #[serde(rename = "c")]
    Correction(String, bool),
    /// A case of the response centre's that is not closed: the province, and whether somebody has it.
    #[serde(rename = "t")]
    Ticket(String, bool),
    /// A certificate.
    #[serde(rename = "x")]
    Certificate,
}

/// How far a person's course of doses is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Course {
    /// No dose.
    #[serde(rename = "n")]
    None,
    /// A dose, and more to come.
    #[serde(rename = "f")]
    First,
    /// Complete, as far as doses alone say.
    #[serde(rename = "c")]
    Full,
}

impl Course {
    /// The word in the counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Course::None => "none",
            Course::First => "first",
            Course::Full => "full",
        }
    }

    /// How far these doses come.
    pub fn of(doses: &[GivenDose]) -> Course {
        match policy::course(doses).map(|dose| policy::card(&Statement::Vaccination(dose))) {
            None => Course::None,
            Some(CardColour::Green) => Course::Full,
            Some(CardColour::Yellow | CardColour::Red | CardColour::Amber) => Course::First,
        }
    }
}

/// A dose as far as it is counted.
struct CountedDose {
    dose: Uuid,
    facility: String,
    recorded: i64,
    given: i64,
    /// `None` for a product that our table does not hold: never written by us.
    course: Option<GivenDose>,
}

impl CountedDose {
    fn of(row: &DoseRow) -> CountedDose {
        let given_on: Date = row.given_at.vietnamese_date();
        let product = policy::product_by_code(&row.product);
        CountedDose {
            dose: row.dose,
            facility: row.facility.clone(),
            recorded: day_from_date(row.recorded_at.vietnamese_date()),
            given: day_from_date(given_on),
            course: product.map(|product| GivenDose { product, given_on, number: row.number }),
        }
    }

    fn fact(&self, ward: &str) -> Fact {
        Fact::Dose(self.facility.clone(), ward.to_owned(), self.recorded, self.given)
    }
}

/// A person whom this transaction has locked or enrolled: nobody else changes what is counted of them.
struct Counted {
    ward: String,
    doses: Vec<CountedDose>,
}

impl Counted {
    fn fact(&self) -> Fact {
        let course: Vec<GivenDose> = self.doses.iter().filter_map(|dose| dose.course).collect();
        Fact::Person(self.ward.clone(), Course::of(&course))
    }
}

/// What a transaction has changed so far of what is counted.
#[derive(Default)]
pub(super) struct Tally {
    facts: HashMap<Fact, i64>,
    people: HashMap<Uuid, Counted>,
}

impl Tally {
    /// `n` more of a fact, or fewer.
    pub fn add(&mut self, fact: Fact, n: i64) {
        *self.facts.entry(fact).or_default() += n;
    }

    /// Takes over somebody who is locked, as they are now.
    pub fn know(&mut self, person: Uuid, ward: Option<&str>) {
        self.people.insert(person, Counted { ward: ward.unwrap_or_default().to_owned(), doses: Vec::new() });
    }

    /// Takes over a dose of somebody who is known.
    pub fn know_dose(&mut self, row: &DoseRow) {
        if let Some(person) = self.people.get_mut(&row.person) {
            person.doses.push(CountedDose::of(row));
        }
    }

    /// Of these people, those who are not known.
    pub fn unknown(&self, people: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
        let mut unknown: Vec<Uuid> = people.filter(|person| !self.people.contains_key(person)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Somebody new.
    pub fn enrol(&mut self, person: Uuid, ward: Option<&str>) {
        self.know(person, ward);
        self.add(Fact::Person(ward.unwrap_or_default().to_owned(), Course::None), 1);
    }

    /// A dose is so from now on, or no longer stands; whether or not it stood before.
    pub fn put_dose(&mut self, row: &DoseRow, stands: bool) {
        let Some(mut person) = self.people.remove(&row.person) else { return };
        let before = person.fact();
        if let Some(at) = person.doses.iter().position(|dose| dose.dose == row.dose) {
            let gone = person.doses.swap_remove(at);
            self.add(gone.fact(&person.ward), -1);
        }
        if stands {
            let dose = CountedDose::of(row);
            self.add(dose.fact(&person.ward), 1);
            person.doses.push(dose);
        }
        self.add(before, -1);
        self.add(person.fact(), 1);
        self.people.insert(row.person, person);
    }

    /// Forgets that a dose of somebody who is known is there: it is about to be counted.
    pub fn forget_dose(&mut self, row: &DoseRow) {
        if let Some(person) = self.people.get_mut(&row.person) {
            person.doses.retain(|dose| dose.dose != row.dose);
        }
    }

    /// Somebody who is known lives in another commune. Returns false if they live there already.
    pub fn move_to(&mut self, person: Uuid, ward: &str) -> bool {
        let Some(mut moved) = self.people.remove(&person) else { return false };
        let moves = moved.ward != ward;
        if moves {
            self.add(moved.fact(), -1);
            moved.doses.iter().for_each(|dose| self.add(dose.fact(&moved.ward), -1));
            moved.ward = ward.to_owned();
            self.add(moved.fact(), 1);
            moved.doses.iter().for_each(|dose| self.add(dose.fact(ward), 1));
        }
        self.people.insert(person, moved);
        moves
    }

    /// What is to be written down, as JSON; `None` where nothing changed.
    fn take(&mut self) -> Option<String> {
        let facts = std::mem::take(&mut self.facts);
        let changes: Vec<(Fact, i64)> = facts.into_iter().filter(|(_, n)| *n != 0).collect();
        (!changes.is_empty()).then(|| serde_json::to_string(&changes).expect("texts and numbers are JSON"))
    }
}

impl Tx<'_> {
    /// What this transaction has changed so far. Not to be held while something is awaited.
    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what has changed of what is counted since the last time.
    ///
    /// At the end of a transaction it is done by itself; before, beside other statements, it saves a turn.
    pub async fn put_tally(&self) -> Result<(), StoreError> {
        let Some(changes) = self.tally().take() else { return Ok(()) };
        let sql = "-- tally\nINSERT INTO tally (tally_id, changes) VALUES ($1, $2)";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[/* tally_id */ &Uuid::new_v4(), &changes]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::UnixSeconds;

    fn dose(person: u128, dose: u128, days: i64, number: u8) -> DoseRow {
        DoseRow {
            person: Uuid::from_u128(person),
            dose: Uuid::from_u128(dose),
            facility: "79001".to_owned(),
            record_no: String::new(),
            product: "EU/1/20/1528".to_owned(),
            lot: String::new(),
            vaccinator: None,
            lot_expires_on: None,
            given_at: UnixSeconds(days * 86_400),
            number,
            flags: Vec::new(),
            recorded_at: UnixSeconds(100 * 86_400),
            recorded_by: String::new(),
        }
    }

    fn sorted(tally: &mut Tally) -> Vec<(Fact, i64)> {
        let mut changes: Vec<(Fact, i64)> =
            tally.take().map_or(Vec::new(), |json| serde_json::from_str(&json).expect("reads"));
        changes.sort();
        changes
    }

    #[test]
    fn a_course_that_goes_on_and_back_moves_its_person() {
        let (mut tally, person) = (Tally::default(), Uuid::from_u128(1));
        tally.enrol(person, Some("00001"));
        tally.put_dose(&dose(1, 11, 30, 1), true);
        tally.put_dose(&dose(1, 12, 60, 2), true);
        let ward = "00001".to_owned();
        let given = |day| Fact::Dose("79001".to_owned(), ward.clone(), 100, day);
        let whole = [(Fact::Person(ward.clone(), Course::Full), 1), (given(30), 1), (given(60), 1)];
        assert_eq!(sorted(&mut tally), whole);
        tally.put_dose(&dose(1, 12, 60, 2), false);
        let back = [
            (Fact::Person(ward.clone(), Course::First), 1),
            (Fact::Person(ward.clone(), Course::Full), -1),
            (given(60), -1),
        ];
        assert_eq!(sorted(&mut tally), back);
        tally.put_dose(&dose(1, 12, 60, 2), false);
        assert_eq!(sorted(&mut tally), [], "voided once more");
    }

    #[test]
    fn whoever_moves_takes_their_doses_along_and_what_cancels_out_is_not_written() {
        let (mut tally, person) = (Tally::default(), Uuid::from_u128(1));
        tally.know(person, None);
        tally.know_dose(&dose(1, 11, 30, 1));
        assert!(tally.move_to(person, "00004"));
        assert!(!tally.move_to(person, "00004"), "lives there already");
        let at = |ward: &str| {
            [Fact::Person(ward.to_owned(), Course::First), Fact::Dose("79001".to_owned(), ward.to_owned(), 100, 30)]
        };
        let ([from, taken], [to, brought]) = (at(""), at("00004"));
        assert_eq!(sorted(&mut tally), [(from, -1), (to, 1), (taken, -1), (brought, 1)]);
        assert!(tally.move_to(person, "") && tally.move_to(person, "00004"));
        assert_eq!(tally.take(), None);
    }
}
