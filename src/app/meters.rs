//! How often things happen on this node, as far as those who watch are told: counts since the start, and rates.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::store::Rates;

/// Threads share so many cells: each adds to its own, so that a million verdicts a second do not wait for one line of cache.
const CELLS: usize = 8;

/// A count that many threads add to.
#[derive(Default)]
pub struct Meter([Cell; CELLS]);

#[derive(Default)]
#[repr(align(64))]
struct Cell(AtomicU64);

impl Meter {
    /// `n` more.
    pub fn add(&self, n: u64) {
        if let Some(cell) = self.0.get(cell_of_thread()) {
            cell.0.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// How many so far.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|cell| cell.0.load(Ordering::Relaxed)).sum()
    }
}

fn cell_of_thread() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static CELL: usize = THREADS.fetch_add(1, Ordering::Relaxed) % CELLS;
    }
    CELL.with(|cell| *cell)
}

/// What is told of a node.
#[derive(Default)]
pub struct Meters {
    /// Registrations made.
    pub registrations: Meter,
    /// Doses recorded.
    pub doses: Meter,
    /// Verdicts given.
    pub verifications: Meter,
    /// Requests answered with a 5xx.
    pub errors: Meter,
}

/// Over how long rates are the mean.
const OVER: Duration = Duration::from_secs(5);

/// What the meters showed lately.
#[derive(Default)]
pub struct Readings(VecDeque<(Instant, [u64; 4])>);

impl Readings {
    /// Reads the meters at `now`, and says how fast they went over the last five seconds, or since the first reading.
    pub fn read(&mut self, meters: &Meters, now: Instant) -> Rates {
        let counts = [&meters.registrations, &meters.doses, &meters.verifications, &meters.errors].map(Meter::count);
        // The newest of those that are as old as that stays: what is measured from.
        while self.0.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= OVER) {
            self.0.pop_front();
        }
        let (since, before) = self.0.front().copied().unwrap_or((now, counts));
        self.0.push_back((now, counts));
        let seconds = now.duration_since(since).as_secs_f64().max(0.001);
        let rate = |at: usize| {
            let count = |counts: &[u64; 4]| counts.get(at).copied().unwrap_or_default();
            let rate = count(&counts).saturating_sub(count(&before)) as f64 / seconds;
            (rate * 10.0).round() / 10.0
        };
        Rates { registrations: rate(0), doses: rate(1), verifications: rate(2), errors: rate(3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_the_mean_of_the_last_five_seconds() {
        let (meters, mut readings, start) = (Meters::default(), Readings::default(), Instant::now());
        let at = |second: u64| start + Duration::from_secs(second);
        assert_eq!(readings.read(&meters, at(0)).doses, 0.0);
        let rates: Vec<f64> = (1..=9)
            .map(|second| {
                meters.doses.add(if second <= 4 { 10 } else { 0 });
                readings.read(&meters, at(second)).doses
            })
            .collect();
        assert_eq!(rates, [10.0, 10.0, 10.0, 10.0, 8.0, 6.0, 4.0, 2.0, 0.0]);
    }

    #[test]
    fn threads_add_to_one_count() {
        let meter = Meter::default();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..1000).for_each(|_| meter.add(1)));
            }
        });
        assert_eq!(meter.count(), 20_000);
    }
}
