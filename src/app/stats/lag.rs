//! How late doses are recorded: a histogram of the days between giving and recording, and what is read off it.

use crate::store::LAG_DAYS;

/// Recorded more than so many days after it was given, a dose is late.
pub const LATE_DAYS: i64 = 3;
/// What is taken as the last day of the slot that has none.
const LONGEST_DAYS: i64 = 60;

/// Doses by the slots of [`LAG_DAYS`], and those that were later still.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lags([i64; LAG_DAYS.len() + 1]);

impl Lags {
    /// `n` more in a slot of the counters; a slot that there is not changes nothing.
    pub fn add(&mut self, slot: &str, n: i64) {
        if let Some(count) = slot.parse().ok().and_then(|slot: usize| self.0.get_mut(slot)) {
            *count += n;
        }
    }

    /// How many doses.
    pub fn total(&self) -> i64 {
        self.0.iter().sum()
    }

    /// How many of them late: see [`LATE_DAYS`].
    pub fn late(&self) -> i64 {
        let slots = LAG_DAYS.iter().chain([&LONGEST_DAYS]).zip(&self.0);
        slots.filter(|(last, _)| **last > LATE_DAYS).map(|(_, count)| count).sum()
    }

    /// The median in days, to a tenth; within a slot of several days doses are taken as evenly spread. `None` without doses.
    pub fn median_days(&self) -> Option<f64> {
        let total = self.total();
        if total <= 0 {
            return None;
        }
        let (lower, upper) = (self.nth((total - 1) / 2)?, self.nth(total / 2)?);
        Some(((lower + upper) * 5.0).round() / 10.0)
    }

    /// The days of the dose at this place, from 0.
    fn nth(&self, place: i64) -> Option<f64> {
        let (mut before, mut first) = (0, 0);
        for (last, count) in LAG_DAYS.iter().chain([&LONGEST_DAYS]).zip(&self.0) {
            if place < before + count {
                let share = (place - before) as f64 / (*count).max(1) as f64;
                return Some(first as f64 + share * (last - first) as f64);
            }
            before += count;
            first = last + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lags(counts: &[(&str, i64)]) -> Lags {
        let mut lags = Lags::default();
        counts.iter().for_each(|(slot, n)| lags.add(slot, *n));
        lags
    }

    #[test]
    fn the_median_is_that_of_the_days() {
        assert_eq!(lags(&[]).median_days(), None);
        assert_eq!(lags(&[("0", 3)]).median_days(), Some(0.0));
        assert_eq!(lags(&[("1", 2), ("2", 2)]).median_days(), Some(1.5));
        assert_eq!(lags(&[("0", 1), ("2", 1), ("7", 1)]).median_days(), Some(2.0));
        assert_eq!(lags(&[("4", 4)]).median_days(), Some(5.1), "4 to 7, evenly spread");
        assert_eq!(lags(&[("9", 4), ("x", 1)]).median_days(), None, "no such slots");
    }

    #[test]
    fn four_days_are_late_and_three_are_not() {
        let lags = lags(&[("0", 1), ("3", 2), ("4", 4), ("7", 8)]);
        assert_eq!((lags.total(), lags.late()), (15, 12));
    }
}
