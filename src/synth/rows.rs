//! What facilities wrote down: each dose a row, some of them dirty, with the truth beside each.

use jiff::civil::Date;

use super::dirt::{self, Dirt};
use super::names::Name;
use super::people::{Families, Identity, Person};
use super::places::Site;
use super::random::Random;
use crate::registration::{DoseRecord, PersonRecord};

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many people.
    pub people: u64,
    /// The same seed makes the same rows.
    pub seed: u64,
    /// Of 100 rows so many are dirty; of 500 people so many are twins.
    pub dirt_percent: u64,
}

/// A birth date as it was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Birth {
    /// A day of the calendar.
    Day(Date),
    /// The year alone.
    Year(i16),
    /// The 30th of February of this year.
    Impossible(i16),
}

/// A row of a backlog, and the truth of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Whose it is, in truth.
    pub person: u64,
    /// Which of the person's doses it is, in truth.
    pub dose: u8,
    /// True if the person is a twin.
    pub twin: bool,
    /// What was done to it.
    pub dirt: Vec<Dirt>,
    /// The whole name, as written.
    pub name: String,
    /// The birth date.
    pub birth: Birth,
    /// True for women and girls.
    pub female: bool,
    /// The identity number, if it was written down.
    pub identity: Option<Identity>,
    /// The phone without its 0, if it was written down.
    pub phone: Option<u32>,
    /// The commune's code.
    pub ward: &'static str,
    /// The product's code; unknown to everybody if the row is dirty so.
    pub product: &'static str,
    /// The lot's number.
    pub lot: u32,
    /// When it was given.
    pub on: Date,
    /// The number of the dose.
    pub number: u8,
    /// Who gave it.
    pub site: Site,
    /// The facility's number of this record, without its letters.
    pub record_no: u64,
}

impl Row {
    /// The row as the API takes it: typed as it was meant, so that matching is measured and not the reading of files.
    pub fn record(&self) -> DoseRecord {
        let birth = match self.birth {
            Birth::Day(day) => day.to_string(),
            Birth::Year(year) => year.to_string(),
            Birth::Impossible(year) => format!("{year}-02-30"),
        };
        DoseRecord {
            record_no: self.record_no.to_string(),
            person: PersonRecord {
                id: None,
                name: self.name.clone(),
                birth,
                sex: Some(if self.female { "female" } else { "male" }.to_owned()),
                phone: self.phone.map(|phone| format!("0{phone}")),
                identity: self.identity.map(Identity::written),
                ward: Some(self.ward.to_owned()),
            },
            product: self.product.to_owned(),
            lot: format!("L{}", self.lot),
            lot_expires_on: None,
            given_at: format!("{}T02:15:00Z", self.on),
            number: self.number.into(),
            vaccinator: None,
        }
    }
}

/// Makes the rows, some ten thousand people at a time: each time a file's worth, by date.
pub struct Rows {
    settings: Settings,
    random: Random,
    families: Families,
    people: u64,
    rows: u64,
}

/// How many people's rows are mixed by date: as many as a district has, and few enough to be held in memory.
const TOGETHER: u64 = 20_000;

impl Rows {
    /// The rows that follow from `settings`.
    pub fn new(settings: Settings) -> Rows {
        Rows {
            settings,
            random: Random::new(settings.seed ^ 0xd187_d187_d187_d187),
            families: Families::new(settings.seed, settings.dirt_percent * 2),
            people: 0,
            rows: 0,
        }
    }

    fn of_person(&mut self, person: &Person, twin_number: Option<Identity>, rows: &mut Vec<Row>) {
        for given in &person.doses {
            let mut row = Row {
                person: person.number,
                dose: given.number,
                twin: person.twin,
                dirt: Vec::new(),
                name: String::new(),
                birth: Birth::Day(person.birth),
                female: person.female,
                identity: given.identity,
                phone: Some(person.phone),
                ward: person.place.ward,
                product: given.product,
                lot: self.random.below(900) as u32 + 100,
                on: given.on,
                number: given.number,
                site: given.site,
                record_no: 0,
            };
            let name: Name = person.name;
            if self.random.below(100) < self.settings.dirt_percent {
                let about = dirt::About { name, place: person.place, twin_number };
                let again = dirt::spoil(&mut row, &about, &mut self.random);
                rows.extend(again);
            } else {
                row.name = name.written();
            }
            rows.push(row);
        }
    }
}

impl Iterator for Rows {
    /// Rows in the order of a file.
    type Item = Vec<Row>;

    fn next(&mut self) -> Option<Vec<Row>> {
        let until = self.settings.people.min(self.people + TOGETHER);
        if self.people >= self.settings.people {
            return None;
        }
        let mut rows = Vec::new();
        while self.people < until {
            let family = self.families.next_family();
            for person in &family {
                if self.people == self.settings.people {
                    break; // the last family may be cut
                }
                self.people += 1;
                let twin = family.iter().find(|other| person.twin && other.twin && other.number != person.number);
                let twin_number = twin.and_then(|other| other.doses.first()).and_then(|dose| dose.identity);
                self.of_person(person, twin_number, &mut rows);
            }
        }
        rows.sort_by_key(|row| (row.on, row.site));
        for row in &mut rows {
            self.rows += 1;
            row.record_no = self.rows;
        }
        Some(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(settings: Settings) -> Vec<Row> {
        Rows::new(settings).flatten().collect()
    }

    #[test]
    fn there_are_as_many_people_as_asked_for_and_each_has_a_row() {
        for people in [0, 1, 2, TOGETHER - 1, TOGETHER, TOGETHER + 1] {
            let rows = rows(Settings { people, seed: 1, dirt_percent: 5 });
            let mut seen: Vec<u64> = rows.iter().map(|row| row.person).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen, (0..people).collect::<Vec<u64>>());
            assert!(rows.iter().zip(1..).all(|(row, number)| row.record_no == number));
        }
    }

    #[test]
    fn without_dirt_every_row_is_as_it_was() {
        let rows = rows(Settings { people: 2_000, seed: 1, dirt_percent: 0 });
        assert!(rows.iter().all(|row| row.dirt.is_empty() && !row.twin && row.phone.is_some()));
    }

    #[test]
    fn every_kind_of_dirt_comes_at_its_rate() {
        let rows = rows(Settings { people: 60_000, seed: 4, dirt_percent: 5 });
        let dirty = rows.iter().filter(|row| !row.dirt.is_empty()).count() as f64;
        let share = dirty / rows.len() as f64;
        assert!((0.045..0.056).contains(&share), "{share}");
        for kind in Dirt::ALL {
            let found = rows.iter().filter(|row| row.dirt.contains(&kind)).count() as f64 / dirty;
            let wanted = kind.share();
            let chance = 3.0 * (wanted / dirty).sqrt();
            let off = (found - wanted).abs();
            assert!(off < wanted * 0.3 + chance, "{kind:?}: {found:.4}, wanted {wanted:.4}");
        }
        let twins = rows.iter().filter(|row| row.twin).count() as f64 / rows.len() as f64;
        assert!((0.007..0.014).contains(&twins), "{twins}");
    }
}
