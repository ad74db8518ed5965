//! What is counted over whole provinces and the country: kept for a minute, for counting reads every row.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use moka::sync::Cache;

use crate::certificate::UnixSeconds;
use crate::store::{DemandRow, Store, StoreError};

/// For how long counts are given again, in seconds.
pub const KEPT_S: i64 = 60;

/// How many registrations stand how, and when that was counted.
#[derive(Clone, Debug)]
pub struct Demand {
    /// When it was counted.
    pub as_of: UnixSeconds,
    /// The counts.
    pub rows: Vec<DemandRow>,
}

/// Doses and people over the whole country, and when they were counted.
#[derive(Clone, Debug)]
pub struct Totals {
    /// When they were counted.
    pub as_of: UnixSeconds,
    /// Doses by the facility that gave them.
    pub doses: Vec<(String, i64)>,
    /// People by the commune where they live.
    pub people: Vec<(String, i64)>,
}

/// Counts that are kept: demand a province and of the country, and the country's totals.
pub struct Stats {
    demand: Cache<String, Arc<Demand>>,
    totals: ArcSwapOption<Totals>,
    /// Held while something is counted: those who ask meanwhile wait for the same count.
    counting: tokio::sync::Mutex<()>,
}

impl Default for Stats {
    fn default() -> Stats {
        Stats { demand: Cache::new(128), totals: ArcSwapOption::empty(), counting: tokio::sync::Mutex::new(()) }
    }
}

fn is_fresh(as_of: UnixSeconds, now: UnixSeconds) -> bool {
    (0..KEPT_S).contains(&(now.0 - as_of.0))
}

impl Stats {
    /// The demand of a province's districts under its code, or the country's; less than [`KEPT_S`] old.
    pub async fn demand(
        &self,
        store: &Store,
        province: Option<(&str, &[String])>,
        now: UnixSeconds,
    ) -> Result<Arc<Demand>, StoreError> {
        let key = province.map_or("", |(code, _)| code);
        let kept = || self.demand.get(key).filter(|demand| is_fresh(demand.as_of, now));
        if let Some(demand) = kept() {
            return Ok(demand);
        }
        let _counting = self.counting.lock().await;
        if let Some(demand) = kept() {
            return Ok(demand);
        }
        let rows = store.demand(province.map(|(_, districts)| districts)).await?;
        let demand = Arc::new(Demand { as_of: now, rows });
        self.demand.insert(key.to_owned(), Arc::clone(&demand));
        Ok(demand)
    }

    /// The country's doses and people; less than [`KEPT_S`] old.
    pub async fn totals(&self, store: &Store, now: UnixSeconds) -> Result<Arc<Totals>, StoreError> {
        let kept = || self.totals.load_full().filter(|totals| is_fresh(totals.as_of, now));
        if let Some(totals) = kept() {
            return Ok(totals);
        }
        let _counting = self.counting.lock().await;
        if let Some(totals) = kept() {
            return Ok(totals);
        }
        let (doses, people) = (store.doses_by_facility().await?, store.people_by_ward().await?);
        let totals = Arc::new(Totals { as_of: now, doses, people });
        self.totals.store(Some(Arc::clone(&totals)));
        Ok(totals)
    }
}
