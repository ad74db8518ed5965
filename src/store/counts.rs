//! The counters: sums that dashboards read, kept by folding the outbox of `tally.rs` into them.
//!
//! A counter is a sum of facts over a place: each fact counts for its commune, its district and its province, so that no
//! reading adds up more than it shows.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{StreamExt as _, pin_mut};
use jiff::civil::Date;
use uuid::Uuid;

use super::{Fact, Store, StoreError, Tx, Work};
use crate::certificate::date_from_day;

/// What is counted, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counter {
    /// Registrations of a commune, district or province; slot: rank of the priority group, a space, how they stand.
    Standing,
    /// Registrations of a district or province by the day on which they were made.
    Registered,
    /// People of a commune, district or province; slot: `none`, `first`, `full`. Without a place: whose commune is not known.
    People,
    /// Doses that a facility gave; slot: see [`LAG_DAYS`].
    DosesBy,
    /// Doses that a province's facilities gave; slot: as before.
    DosesIn,
    /// Doses given to people of a commune or a district; slot: as before.
    DosesOf,
    /// As [`Counter::DosesBy`], by the day of recording.
    RecordedBy,
    /// As [`Counter::DosesIn`], by the day of recording.
    RecordedIn,
    /// As [`Counter::DosesOf`], by the day of recording.
    RecordedOf,
    /// Doses that a province's facilities gave, by the day of giving.
    GivenIn,
    /// Doses given to people of a district, by the day of giving.
    GivenOf,
    /// A facility's corrections that are not closed; slot: `open` or `overdue`.
    CorrectionsBy,
    /// A province's; slot: as before.
    CorrectionsIn,
    /// A province's cases that are not closed; slot: `open` or `assigned`.
    Tickets,
    /// Certificates, without a place.
    Certificates,
}

impl Counter {
    /// Every kind.
    pub const ALL: [Counter; 15] = [
        Counter::Standing,
        Counter::Registered,
        Counter::People,
        Counter::DosesBy,
        Counter::DosesIn,
        Counter::DosesOf,
        Counter::RecordedBy,
        Counter::RecordedIn,
        Counter::RecordedOf,
        Counter::GivenIn,
        Counter::GivenOf,
        Counter::CorrectionsBy,
        Counter::CorrectionsIn,
        Counter::Tickets,
        Counter::Certificates,
    ];

    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Counter::Standing => "standing",
            Counter::Registered => "registered",
            Counter::People => "people",
            Counter::DosesBy => "doses_by",
            Counter::DosesIn => "doses_in",
            Counter::DosesOf => "doses_of",
            Counter::RecordedBy => "recorded_by",
            Counter::RecordedIn => "recorded_in",
            Counter::RecordedOf => "recorded_of",
            Counter::GivenIn => "given_in",
            Counter::GivenOf => "given_of",
            Counter::CorrectionsBy => "corrections_by",
            Counter::CorrectionsIn => "corrections_in",
            Counter::Tickets => "tickets",
            Counter::Certificates => "certificates",
        }
    }
}

/// The day of counters that do not tell days apart.
pub const EPOCH: Date = Date::constant(1970, 1, 1);

/// A counter as it stands; never 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRow {
    /// What is counted.
    pub kind: Counter,
    /// Where.
    pub place: String,
    /// On which day, or [`EPOCH`].
    pub day: Date,
    /// What of it.
    pub slot: String,
    /// How many.
    pub value: i64,
}

/// A commune's district and province; `None` if there is no such commune.
pub type Places = fn(&str) -> Option<(&'static str, &'static str)>;

/// Days between giving and recording a dose, each slot's last: 0, 1, 2, 3, 4 to 7, 8 to 14, 15 to 30, and more.
pub const LAG_DAYS: [i64; 7] = [0, 1, 2, 3, 7, 14, 30];

/// The slot of a dose recorded on one day and given on another: `0` to `7`.
fn lag_slot(recorded: i64, given: i64) -> String {
    let days = recorded - given;
    LAG_DAYS.iter().position(|last| days <= *last).unwrap_or(LAG_DAYS.len()).to_string()
}

/// Outbox rows that are folded in one transaction at most: those of a backlog hold some thousands of facts each.
const ROWS: i64 = 128;
/// For how long the holder of the lease holds it; another node takes over after that.
const LEASE: Duration = Duration::from_secs(5);
const FOLDER: &str = "counters";

impl Store {
    /// Folds committed changes into the counters, if this node holds or gets the lease. Returns true if more may wait.
    ///
    /// `node`: this process.
    pub async fn fold_tallies(&self, node: Uuid, places: Places) -> Result<bool, StoreError> {
        if !self.take_lease(FOLDER, node, LEASE).await? {
            return Ok(false);
        }
        Ok(self.transact(&Fold { node, places }).await? == ROWS)
    }

    /// Lets another node fold at once: what a process does that stops.
    pub async fn stop_folding(&self, node: Uuid) -> Result<(), StoreError> {
        self.give_lease_back(FOLDER, node).await
    }

    /// The counters of these kinds and places, of these days, both included.
    pub async fn counts(
        &self,
        kinds: &[Counter],
        places: &[&str],
        (from, to): (Date, Date),
    ) -> Result<Vec<CountRow>, StoreError> {
        let sql = "-- counts
                   SELECT kind, place, day, slot, value FROM counter
                   WHERE kind = ANY($1) AND place = ANY($2) AND day BETWEEN $3 AND $4 AND value <> 0
                   ORDER BY kind, place, day, slot";
        let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let rows = self.rows(sql, &[&words, &places, &from, &to]).await?;
        let count = |row: &tokio_postgres::Row| {
            let kind = kinds.iter().find(|kind| kind.as_str() == row.get::<_, &str>(0));
            let kind = *kind.ok_or(StoreError::Unreadable("counter"))?;
            Ok(CountRow { kind, place: row.get(1), day: row.get(2), slot: row.get(3), value: row.get(4) })
        };
        rows.iter().map(count).collect()
    }

    /// The last day on which each of these facilities recorded a dose that stands; those that never did are left out.
    pub async fn last_recorded(&self, facilities: &[&str]) -> Result<Vec<(String, Date)>, StoreError> {
        let sql = "-- last recorded
                   SELECT k.code, c.day FROM unnest($1::text[]) AS k (code) CROSS JOIN LATERAL (
                       SELECT day FROM counter WHERE kind = $2 AND place = k.code AND value > 0
                       ORDER BY day DESC LIMIT 1
                   ) c";
        let rows = self.rows(sql, &[&facilities, &Counter::RecordedBy.as_str()]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

/// The key of a counter: kind, place, day, slot.
type Key = (Counter, String, i64, String);

struct Fold {
    node: Uuid,
    places: Places,
}

impl Work for Fold {
    /// How many outbox rows were folded.
    type Output = i64;

    async fn run(&self, tx: &Tx<'_>) -> Result<i64, StoreError> {
        // The lease's row is locked to the end: a holder that was put to sleep past its term folds nothing.
        let fence = "-- fence\nSELECT 1 FROM lease WHERE name = $1 AND holder = $2 AND until > now() FOR UPDATE";
        let fence = tx.inner.prepare_cached(fence).await?;
        if tx.inner.query_opt(&fence, &[&FOLDER, &self.node]).await?.is_none() {
            return Ok(0);
        }
        let (rows, facts) = tx.read_tallies().await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let provinces = tx.provinces_of(&facts).await?;
        let mut counters: HashMap<Key, i64> = HashMap::new();
        for (fact, n) in facts {
            let province = |facility: &str| provinces.get(facility).map_or("", String::as_str);
            for key in keys_of(fact, self.places, province) {
                *counters.entry(key).or_default() += n;
            }
        }
        counters.retain(|_, n| *n != 0);
        tx.add_to_counters(counters).await?;
        let gone = tx.inner.prepare_cached("-- folded\nDELETE FROM tally WHERE tally_id = ANY($1)").await?;
        tx.inner.execute(&gone, &[/* tally_ids */ &rows]).await?;
        Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
    }
}

impl Tx<'_> {
    /// Some committed rows of the outbox, and the sum of what they change. Rows are read one by one: those of a backlog hold
    /// thousands of facts each.
    async fn read_tallies(&self) -> Result<(Vec<Uuid>, HashMap<Fact, i64>), StoreError> {
        let sql = "-- tallies\nSELECT tally_id, changes FROM tally LIMIT $1";
        let stream = self.inner.query_raw(&self.inner.prepare_cached(sql).await?, [ROWS]).await?;
        pin_mut!(stream);
        let (mut rows, mut facts): (Vec<Uuid>, HashMap<Fact, i64>) = Default::default();
        while let Some(row) = stream.next().await {
            let row = row?;
            let changes: Vec<(Fact, i64)> =
                serde_json::from_str(row.get(1)).map_err(|_| StoreError::Unreadable("tally"))?;
            for (fact, n) in changes {
                *facts.entry(fact).or_default() += n;
            }
            rows.push(row.get(0));
        }
        Ok((rows, facts))
    }

    /// The province of each facility that these facts are about; those that the reference data do not know are left out.
    async fn provinces_of(&self, facts: &HashMap<Fact, i64>) -> Result<HashMap<String, String>, StoreError> {
        let facility = |fact: &'_ Fact| match fact {
            Fact::Dose(facility, ..) | Fact::Correction(facility, _) => Some(facility.clone()),
            Fact::Registration(..) | Fact::Person(..) | Fact::Ticket(..) | Fact::Certificate => None,
        };
        let mut facilities: Vec<String> = facts.keys().filter_map(facility).collect();
        facilities.sort_unstable();
        facilities.dedup();
        let sql = "-- provinces of facilities\nSELECT code, province_code FROM facility WHERE code = ANY($1)";
        let rows = self.inner.query(&self.inner.prepare_cached(sql).await?, &[&facilities]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    async fn add_to_counters(&self, counters: HashMap<Key, i64>) -> Result<(), StoreError> {
        let sql = "-- add to counters
                   INSERT INTO counter (kind, place, day, slot, value)
                   SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::text[], $5::bigint[])
                   ON CONFLICT (kind, place, day, slot) DO UPDATE SET value = counter.value + excluded.value";
        let stmt = self.inner.prepare_cached(sql).await?;
        let mut sorted: Vec<(Key, i64)> = counters.into_iter().collect();
        sorted.sort_unstable(); // neighbours in the index, one after the other
        let kinds: Vec<&str> = sorted.iter().map(|((kind, ..), _)| kind.as_str()).collect();
        let places: Vec<&str> = sorted.iter().map(|((_, place, ..), _)| place.as_str()).collect();
        let days: Vec<Date> = sorted.iter().map(|((_, _, day, _), _)| date_from_day(*day)).collect();
        let slots: Vec<&str> = sorted.iter().map(|((.., slot), _)| slot.as_str()).collect();
        let values: Vec<i64> = sorted.iter().map(|(_, value)| *value).collect();
        self.inner.execute(&stmt, &[&kinds, &places, &days, &slots, &values]).await?;
        Ok(())
    }
}

/// The counters that a fact counts for.
///
/// `province`: the code of a facility's, or nothing.
fn keys_of<'p>(fact: Fact, places: Places, province: impl Fn(&str) -> &'p str) -> Vec<Key> {
    let key = |kind, place: &str, day, slot: &str| (kind, place.to_owned(), day, slot.to_owned());
    match fact {
        Fact::Registration(ward, rank, status, day) => {
            let slot = format!("{rank} {status}");
            let standing = |place: &str| key(Counter::Standing, place, 0, &slot);
            let registered = |place: &str| key(Counter::Registered, place, day, "");
            match places(&ward) {
                None => vec![standing(""), registered("")],
                Some((district, province)) => vec![
                    standing(&ward),
                    standing(district),
                    standing(province),
                    registered(district),
                    registered(province),
                ],
            }
        }
        Fact::Person(ward, course) => match places(&ward) {
            None => vec![key(Counter::People, "", 0, course.as_str())],
            Some((district, province)) => {
                [ward.as_str(), district, province].map(|place| key(Counter::People, place, 0, course.as_str())).into()
            }
        },
        Fact::Dose(facility, ward, recorded, given) => {
            let (slot, home) = (lag_slot(recorded, given), province(&facility));
            let mut keys = vec![
                key(Counter::DosesBy, &facility, 0, &slot),
                key(Counter::DosesIn, home, 0, &slot),
                key(Counter::RecordedBy, &facility, recorded, &slot),
                key(Counter::RecordedIn, home, recorded, &slot),
                key(Counter::GivenIn, home, given, ""),
            ];
            if let Some((district, _)) = places(&ward) {
                keys.push(key(Counter::GivenOf, district, given, ""));
                for place in [ward.as_str(), district] {
                    keys.push(key(Counter::DosesOf, place, 0, &slot));
                    keys.push(key(Counter::RecordedOf, place, recorded, &slot));
                }
            }
            keys
        }
        Fact::Correction(facility, overdue) => {
            let slot = if overdue { "overdue" } else { "open" };
            vec![
                key(Counter::CorrectionsBy, &facility, 0, slot),
                key(Counter::CorrectionsIn, province(&facility), 0, slot),
            ]
        }
        Fact::Ticket(province, assigned) => {
            vec![key(Counter::Tickets, &province, 0, if assigned { "assigned" } else { "open" })]
        }
        Fact::Certificate => vec![key(Counter::Certificates, "", 0, "")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_falls_into_the_slot_whose_last_day_it_does_not_pass() {
        let slots = [(-1, "0"), (0, "0"), (1, "1"), (2, "2"), (3, "3"), (4, "4"), (7, "4"), (8, "5"), (14, "5")];
        for (days, slot) in slots.into_iter().chain([(15, "6"), (30, "6"), (31, "7"), (9_999, "7")]) {
            assert_eq!(lag_slot(100 + days, 100), slot, "{days} days");
        }
    }

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let mut words: Vec<&str> = Counter::ALL.iter().map(|kind| kind.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Counter::ALL.len());
    }

    #[test]
    fn a_fact_of_no_known_place_counts_without_one() {
        fn nowhere(_: &str) -> Option<(&'static str, &'static str)> {
            None
        }
        let person = keys_of(Fact::Person("99999".to_owned(), super::super::Course::None), nowhere, |_| "");
        assert_eq!(person, [(Counter::People, String::new(), 0, "none".to_owned())]);
        let dose = keys_of(Fact::Dose("F".to_owned(), String::new(), 5, 1), nowhere, |_| "");
        assert_eq!(dose.len(), 5);
        assert!(dose.iter().all(|(_, place, ..)| place.is_empty() || place == "F"));
    }
}
