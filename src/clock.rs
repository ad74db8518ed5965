//! The only place that asks what time it is; everything else is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::certificate::UnixSeconds;

/// Tells the time: the machine's, or one that stands still until it is moved. Clones of one clock agree.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        Clock(Source::System)
    }

    /// A clock that stands at `now` until [`Clock::set`] moves it.
    pub fn fixed(now: UnixSeconds) -> Clock {
        Clock(Source::Fixed(Arc::new(AtomicI64::new(now.0))))
    }

    /// The present instant, in whole seconds rounded down; negative before 1970.
    pub fn now(&self) -> UnixSeconds {
        match &self.0 {
            Source::System => system_now(),
            Source::Fixed(at) => UnixSeconds(at.load(Ordering::Relaxed)),
        }
    }

    /// Moves a fixed clock, and all its clones, to `now`; the machine's clock goes on as it does.
    pub fn set(&self, now: UnixSeconds) {
        match &self.0 {
            Source::System => {}
            Source::Fixed(at) => at.store(now.0, Ordering::Relaxed),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the place")]
fn system_now() -> UnixSeconds {
    let seconds = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds - 1),
    };
    UnixSeconds(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_it_is_set_and_takes_its_clones_along() {
        let clock = Clock::fixed(UnixSeconds(5));
        let clone = clock.clone();
        assert_eq!(clone.now(), UnixSeconds(5));
        clock.set(UnixSeconds(-1));
        assert_eq!(clone.now(), UnixSeconds(-1));
    }

    #[test]
    fn the_machine_s_clock_is_past_the_day_this_was_written() {
        assert!(Clock::system().now() > UnixSeconds(1_700_000_000));
    }
}
