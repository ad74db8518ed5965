//! What dashboards are shown: the counters, put together by place, by facility and by day, and kept for a moment.

mod lag;
mod level;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use moka::sync::Cache;
use serde::Serialize;
use utoipa::ToSchema;

use crate::certificate::{date_from_day, day_from_date};
use crate::store::{CountRow, Counter, EPOCH, Store, StoreError};
use lag::Lags;
pub use level::{Level, Within, places_of};

/// For how long what was read is given again.
const KEPT: Duration = Duration::from_secs(2);
/// For how long it is remembered who reads what: longer than anybody waits for it.
const READING: Duration = Duration::from_secs(60);
/// The days of which the lag is told: these last ones.
const LAG_OVER: i64 = 7;

/// How a place stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct PlaceCount {
    /// Its code; empty for those of whom it is not known.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Registrations that were not withdrawn: the sum of the five that follow.
    pub registered: i64,
    /// Registered, and not reached yet.
    pub waiting: i64,
    /// Called.
    pub called: i64,
    /// With a place in a session.
    pub scheduled: i64,
    /// Vaccinated.
    pub vaccinated: i64,
    /// Declined.
    pub declined: i64,
    /// People known who live there, registered or vaccinated.
    pub people: i64,
    /// Of them with a dose, and more to come.
    pub first: i64,
    /// Of them with a complete course.
    pub full: i64,
    /// Doses without those voided: of a province those that its facilities gave; of a district or a commune those given to people
    /// who live there.
    pub doses: i64,
    /// Of these, recorded more than three days after they were given.
    pub late_doses: i64,
    /// The median of the days from giving to recording, over what was recorded in the last seven days; null if nothing was.
    pub lag_days: Option<f64>,
    /// Corrections that its facilities have not answered; null of districts and communes: facilities belong to provinces.
    pub corrections_open: Option<i64>,
    /// Of these, past their deadline.
    pub corrections_overdue: Option<i64>,
}

/// How a facility stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FacilityCount {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its province's code.
    pub province: String,
    /// Doses that it gave, without those voided.
    pub doses: i64,
    /// Of these, recorded in the last seven days.
    pub doses_7d: i64,
    /// The last day on which it recorded a dose; null if it never did.
    pub last_recorded_on: Option<String>,
    /// As of a place.
    pub lag_days: Option<f64>,
    /// Doses recorded more than three days after they were given, of a hundred; null without doses.
    pub late_percent: Option<f64>,
    /// Corrections that it has not answered.
    pub corrections_open: i64,
    /// Of these, past their deadline.
    pub corrections_overdue: i64,
}

/// What happened on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayCount {
    /// The day in Viet Nam, `YYYY-MM-DD`.
    pub day: String,
    /// Registrations made, whatever became of them.
    pub registered: i64,
    /// Doses given.
    pub given: i64,
    /// Doses recorded.
    pub recorded: i64,
}

/// How many registrations of a place and a rank stand so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Demand {
    /// The place's code.
    pub place: String,
    /// The rank of the priority group.
    pub rank: i64,
    /// How they stand.
    pub status: String,
    /// How many.
    pub count: i64,
}

/// What was read a moment ago, by what was asked for.
struct Kept<T> {
    read: Cache<String, Arc<T>>,
    /// By what is asked for, held while that is read: those who ask the same meanwhile wait for it.
    reading: Cache<String, Arc<tokio::sync::Mutex<Tried>>>,
}

/// When something was last asked in vain of a database that is away.
#[derive(Default)]
struct Tried {
    in_vain: Option<Instant>,
}

impl<T: Send + Sync + 'static> Default for Kept<T> {
    fn default() -> Self {
        Kept {
            read: Cache::builder().max_capacity(256).time_to_live(KEPT).build(),
            reading: Cache::builder().max_capacity(256).time_to_idle(READING).build(),
        }
    }
}

impl<T: Send + Sync + 'static> Kept<T> {
    async fn get(&self, key: String, read: impl Future<Output = Result<T, StoreError>>) -> Result<Arc<T>, StoreError> {
        if let Some(kept) = self.read.get(&key) {
            return Ok(kept);
        }
        let asked_at = Instant::now();
        let reading = self.reading.get_with_by_ref(&key, Arc::default);
        let mut tried = reading.lock().await;
        if let Some(kept) = self.read.get(&key) {
            return Ok(kept);
        }
        // Whoever waited for one who asked in vain does not wait as long once more.
        if tried.in_vain.is_some_and(|at| at >= asked_at) {
            return Err(StoreError::Unreachable("somebody else asked it the same in vain".into()));
        }
        let read = read.await;
        if read.as_ref().is_err_and(StoreError::is_transient) {
            tried.in_vain = Some(Instant::now());
        }
        let fresh = Arc::new(read?);
        self.read.insert(key, Arc::clone(&fresh));
        Ok(fresh)
    }
}

/// The counters as they are shown.
#[derive(Default)]
pub struct Stats {
    places: Kept<Vec<PlaceCount>>,
    facilities: Kept<Vec<FacilityCount>>,
    days: Kept<Vec<DayCount>>,
    demand: Kept<Vec<Demand>>,
}

impl Stats {
    /// The places of a level, by code; provinces of the country are followed by what has no known place, if there is any.
    ///
    /// `today`: in Viet Nam.
    pub async fn places(
        &self,
        store: &Store,
        level: Level,
        within: &Within,
        today: Date,
    ) -> Result<Arc<Vec<PlaceCount>>, StoreError> {
        let key = format!("{level:?} {} {today}", within.code());
        self.places.get(key, read_places(store, level, within, today)).await
    }

    /// The facilities of a province or of the country, by code.
    pub async fn facilities(
        &self,
        store: &Store,
        within: &Within,
        today: Date,
    ) -> Result<Arc<Vec<FacilityCount>>, StoreError> {
        self.facilities.get(format!("{} {today}", within.code()), read_facilities(store, within, today)).await
    }

    /// Every day from `from` to `to`.
    pub async fn days(
        &self,
        store: &Store,
        within: &Within,
        (from, to): (Date, Date),
    ) -> Result<Arc<Vec<DayCount>>, StoreError> {
        self.days.get(format!("{} {from} {to}", within.code()), read_days(store, within, (from, to))).await
    }

    /// How registrations of these places stand, by place, rank and status.
    pub async fn demand(&self, store: &Store, level: Level, within: &Within) -> Result<Arc<Vec<Demand>>, StoreError> {
        let read = async {
            let places: Vec<&str> = level.places(within).into_iter().map(|(code, _)| code).collect();
            let rows = store.counts(&[Counter::Standing], &places, (EPOCH, EPOCH)).await?;
            let mut demand: Vec<Demand> = rows.iter().filter_map(standing).collect();
            demand.sort_unstable();
            Ok(demand)
        };
        self.demand.get(format!("{level:?} {}", within.code()), read).await
    }
}

fn standing(row: &CountRow) -> Option<Demand> {
    let (rank, status) = row.slot.split_once(' ')?;
    Some(Demand { place: row.place.clone(), rank: rank.parse().ok()?, status: status.to_owned(), count: row.value })
}

/// The days of which the lag is told.
fn lag_days(today: Date) -> (Date, Date) {
    (date_from_day(day_from_date(today) - LAG_OVER + 1), today)
}

async fn read_places(store: &Store, level: Level, within: &Within, today: Date) -> Result<Vec<PlaceCount>, StoreError> {
    let mut named = level.places(within);
    if (level, within) == (Level::Province, &Within::Country) {
        named.push(("", ""));
    }
    let codes: Vec<&str> = named.iter().map(|(code, _)| *code).collect();
    let (kinds, recorded): (&[Counter], Counter) = match level {
        Level::Province => {
            (&[Counter::Standing, Counter::People, Counter::DosesIn, Counter::CorrectionsIn], Counter::RecordedIn)
        }
        Level::District | Level::Ward => (&[Counter::Standing, Counter::People, Counter::DosesOf], Counter::RecordedOf),
    };
    let mut rows = store.counts(kinds, &codes, (EPOCH, EPOCH)).await?;
    rows.extend(store.counts(&[recorded], &codes, lag_days(today)).await?);
    let mut of: BTreeMap<&str, Vec<&CountRow>> = BTreeMap::new();
    rows.iter().for_each(|row| of.entry(row.place.as_str()).or_default().push(row));
    let place = |(code, name): (&str, &str)| {
        let rows = of.get(code).map_or(&[][..], Vec::as_slice);
        (!code.is_empty() || !rows.is_empty()).then(|| place_of(code, name, level, rows))
    };
    Ok(named.into_iter().filter_map(place).collect())
}

fn place_of(code: &str, name: &str, level: Level, rows: &[&CountRow]) -> PlaceCount {
    let mut place = PlaceCount { code: code.to_owned(), name: name.to_owned(), ..PlaceCount::default() };
    let (mut doses, mut recent, mut open, mut overdue) = (Lags::default(), Lags::default(), 0, 0);
    for row in rows {
        match (row.kind, row.slot.as_str()) {
            (Counter::Standing, slot) => place.stands(slot, row.value),
            (Counter::People, course) => {
                place.people += row.value;
                match course {
                    "first" => place.first += row.value,
                    "full" => place.full += row.value,
                    _ => {}
                }
            }
            (Counter::DosesIn | Counter::DosesOf, slot) => doses.add(slot, row.value),
            (Counter::RecordedIn | Counter::RecordedOf, slot) => recent.add(slot, row.value),
            (Counter::CorrectionsIn, "overdue") => {
                open += row.value;
                overdue += row.value;
            }
            (Counter::CorrectionsIn, _) => open += row.value,
            _ => {}
        }
    }
    (place.doses, place.late_doses, place.lag_days) = (doses.total(), doses.late(), recent.median_days());
    if level == Level::Province {
        (place.corrections_open, place.corrections_overdue) = (Some(open), Some(overdue));
    }
    place
}

impl PlaceCount {
    /// `n` more registrations that stand as this slot of [`Counter::Standing`] says.
    fn stands(&mut self, slot: &str, n: i64) {
        let status = slot.split_once(' ').map_or("", |(_, status)| status);
        let count = match status {
            "registered" | "no_answer" => &mut self.waiting,
            "called" => &mut self.called,
            "scheduled" => &mut self.scheduled,
            "vaccinated" => &mut self.vaccinated,
            "declined" => &mut self.declined,
            _ => return,
        };
        *count += n;
        self.registered += n;
    }
}

async fn read_facilities(store: &Store, within: &Within, today: Date) -> Result<Vec<FacilityCount>, StoreError> {
    let mut facilities = store.facilities().await?;
    if let Within::Province(code) = within {
        facilities.retain(|facility| facility.province == *code);
    }
    facilities.sort_by(|a, b| a.code.cmp(&b.code));
    let codes: Vec<&str> = facilities.iter().map(|facility| facility.code.as_str()).collect();
    let mut rows = store.counts(&[Counter::DosesBy, Counter::CorrectionsBy], &codes, (EPOCH, EPOCH)).await?;
    rows.extend(store.counts(&[Counter::RecordedBy], &codes, lag_days(today)).await?);
    let last: BTreeMap<String, Date> = store.last_recorded(&codes).await?.into_iter().collect();
    let mut of: BTreeMap<&str, Vec<&CountRow>> = BTreeMap::new();
    rows.iter().for_each(|row| of.entry(row.place.as_str()).or_default().push(row));
    let counted = facilities.iter().map(|facility| {
        let (mut doses, mut recent, mut open, mut overdue) = (Lags::default(), Lags::default(), 0, 0);
        for row in of.get(facility.code.as_str()).map_or(&[][..], Vec::as_slice) {
            match row.kind {
                Counter::DosesBy => doses.add(&row.slot, row.value),
                Counter::RecordedBy => recent.add(&row.slot, row.value),
                _ => {
                    open += row.value;
                    overdue += if row.slot == "overdue" { row.value } else { 0 };
                }
            }
        }
        let percent = |part: i64, whole: i64| (whole > 0).then(|| (part * 1000 / whole) as f64 / 10.0);
        FacilityCount {
            code: facility.code.clone(),
            name: facility.name.clone(),
            province: facility.province.clone(),
            doses: doses.total(),
            doses_7d: recent.total(),
            last_recorded_on: last.get(&facility.code).map(Date::to_string),
            lag_days: recent.median_days(),
            late_percent: percent(doses.late(), doses.total()),
            corrections_open: open,
            corrections_overdue: overdue,
        }
    });
    Ok(counted.collect())
}

async fn read_days(store: &Store, within: &Within, (from, to): (Date, Date)) -> Result<Vec<DayCount>, StoreError> {
    let (kinds, places) = match within {
        Within::Country => {
            let provinces = Level::Province.places(within).into_iter().map(|(code, _)| code).chain([""]);
            ([Counter::Registered, Counter::GivenIn, Counter::RecordedIn], provinces.collect::<Vec<&str>>())
        }
        Within::Province(code) => ([Counter::Registered, Counter::GivenIn, Counter::RecordedIn], vec![code.as_str()]),
        Within::District(code) => ([Counter::Registered, Counter::GivenOf, Counter::RecordedOf], vec![code.as_str()]),
    };
    let mut days: BTreeMap<Date, [i64; 3]> = BTreeMap::new();
    for row in store.counts(&kinds, &places, (from, to)).await? {
        let [registered, given, recorded] = days.entry(row.day).or_default();
        match row.kind {
            Counter::Registered => *registered += row.value,
            Counter::GivenIn | Counter::GivenOf => *given += row.value,
            _ => *recorded += row.value,
        }
    }
    let day = |day: i64| {
        let day = date_from_day(day);
        let [registered, given, recorded] = days.get(&day).copied().unwrap_or_default();
        DayCount { day: day.to_string(), registered, given, recorded }
    };
    Ok((day_from_date(from)..=day_from_date(to)).map(day).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_one_who_asks_in_vain_does_not_ask_again_and_others_wait_for_nobody() {
        let kept: Kept<u64> = Kept::default();
        let away = || async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Err(StoreError::Unreachable("away".into()))
        };
        let began = tokio::time::Instant::now();
        let same = futures_util::future::join_all((0..8).map(|_| kept.get("79".to_owned(), away())));
        let other = kept.get("01".to_owned(), async { Ok(began.elapsed().as_secs()) });
        let (same, other) = tokio::join!(same, other);
        assert!(same.iter().all(|answer| matches!(answer, Err(StoreError::Unreachable(_)))));
        assert_eq!((began.elapsed(), *other.expect("reads")), (Duration::from_secs(5), 0));
        assert_eq!(*kept.get("79".to_owned(), async { Ok(7) }).await.expect("asked later, it is tried again"), 7);
    }
}
