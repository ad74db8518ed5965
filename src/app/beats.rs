//! What a node does once a second: it says how it is, looks at what all nodes say while anybody listens, and folds what was
//! counted into the counters.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::App;
use super::live::{Counted, Event, Found};
use super::meters::Readings;
use super::stats::{self, Level, Within};
use crate::store::{Beat, BeatRow, Counter, EPOCH, ReplicaRow, StoreError};

/// How often.
const EVERY: Duration = Duration::from_secs(1);
/// How long a node is named after its last beat.
const HEARD: Duration = Duration::from_secs(60);
/// From how old a beat on its node's rates are no longer of now.
const STALE_MS: i64 = 5_000;
/// What is waited for at most, so that a database that hangs is told of.
const PATIENCE: Duration = Duration::from_secs(2);
/// What costs more is asked for once in so many beats.
const SELDOM: u32 = 5;
/// Folding takes at most one part in so many of a node's time, however much there is.
const SHARE: u32 = 10;

/// What is asked for seldom.
#[derive(Default)]
struct Seldom {
    size_bytes: Option<i64>,
    replicas: Vec<ReplicaRow>,
    imports_running: Option<i64>,
}

impl App {
    /// Says every second how this node is, and tells those who listen, until `stop` says so.
    pub(super) async fn keep_beating(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut readings, mut seldom, mut round) = (Readings::default(), Seldom::default(), 0_u32);
        let (name, started_at) = (host_name(), self.clock.now().0);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                _ = ticks.tick() => {}
            }
            let beat = self.beat(&name, started_at, &mut readings);
            let written = tokio::time::timeout(PATIENCE, self.store.beat(self.node, &beat)).await;
            let latency = written.ok().and_then(Result::ok);
            if self.hub.listeners() > 0 {
                if round.is_multiple_of(SELDOM) {
                    seldom = self.look_seldom().await;
                }
                round = round.wrapping_add(1);
                self.hub.tell(Event::new(self.find(&beat, latency, &seldom).await));
            } else {
                round = 0;
            }
        }
        if let Err(error) = self.store.end_beats(self.node).await {
            tracing::debug!(code = error.code(), "could not take this node's beat off; it is gone in an hour");
        }
    }

    fn beat(&self, name: &str, started_at: i64, readings: &mut Readings) -> Beat {
        let big = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let (pool_in_use, pool_size) = self.store.connections();
        Beat {
            name: name.to_owned(),
            started_at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rates: readings.read(self.tallies().meters(), Instant::now()),
            pool_in_use: big(pool_in_use),
            pool_size: big(pool_size),
            registrations_waiting: big(self.registrar.waiting()),
            doses_waiting: big(self.recorder.waiting()),
        }
    }

    async fn look_seldom(&self) -> Seldom {
        let look = async {
            Seldom {
                // Not every engine says these.
                size_bytes: self.store.size().await.ok(),
                replicas: self.store.replicas().await.unwrap_or_default(),
                imports_running: self.store.imports_running(self.clock.now()).await.ok(),
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_default()
    }

    /// What is told this second. Of a database that does not answer only that, and how this node is.
    async fn find(&self, own: &Beat, latency: Option<Duration>, seldom: &Seldom) -> Found {
        let read = async { Ok::<_, StoreError>((self.store.beats(HEARD).await?, self.count_all().await?)) };
        let read = tokio::time::timeout(PATIENCE, read).await.ok().and_then(Result::ok);
        let alone = || vec![BeatRow { node: self.node, ago_ms: 0, beat: own.clone() }];
        let (mut beats, counted) = match read {
            Some((beats, counted)) => (beats, Some(counted)),
            None => (alone(), None),
        };
        // A node that hangs is named, and goes at no rate.
        for row in beats.iter_mut().filter(|row| row.ago_ms > STALE_MS) {
            (row.beat.rates, row.beat.registrations_waiting, row.beat.doses_waiting) = Default::default();
        }
        let (certificates, counted) =
            counted.map_or((0, None), |(certificates, counted)| (certificates, Some(counted)));
        Found {
            at: self.clock.now().0,
            registrations_waiting: beats.iter().map(|row| row.beat.registrations_waiting).sum(),
            doses_waiting: beats.iter().map(|row| row.beat.doses_waiting).sum(),
            beats,
            latency_ms: latency
                .filter(|_| counted.is_some())
                .map(|took| (took.as_secs_f64() * 100_000.0).round() / 100.0),
            size_bytes: seldom.size_bytes,
            replicas: seldom.replicas.clone(),
            imports_running: seldom.imports_running,
            certificates,
            counted,
        }
    }

    /// How many certificates there are, and what the counters say of each province.
    async fn count_all(&self) -> Result<(i64, Vec<Counted>), StoreError> {
        let today = self.clock.now().vietnamese_date();
        let places = self.stats.places(&self.store, Level::Province, &Within::Country, today).await?;
        let mut codes: Vec<&str> = places.iter().map(|place| place.code.as_str()).collect();
        if !codes.contains(&"") {
            codes.push("");
        }
        let today = self.store.counts(&[Counter::Registered, Counter::RecordedIn], &codes, (today, today)).await?;
        let whole = self.store.counts(&[Counter::Tickets, Counter::Certificates], &codes, (EPOCH, EPOCH)).await?;
        let certificates = whole.iter().filter(|row| row.kind == Counter::Certificates).map(|row| row.value).sum();
        let counted = codes.iter().map(|code| {
            let place = places.iter().find(|place| place.code == *code).cloned().unwrap_or_default();
            let mut counted = Counted { place, ..Counted::default() };
            for row in today.iter().chain(&whole).filter(|row| row.place == *code) {
                match (row.kind, row.slot.as_str()) {
                    (Counter::Registered, _) => counted.registrations_today += row.value,
                    (Counter::RecordedIn, _) => counted.doses_today += row.value,
                    (Counter::Tickets, slot) => {
                        counted.tickets_open += row.value;
                        counted.tickets_unassigned += if slot == "open" { row.value } else { 0 };
                    }
                    _ => {}
                }
            }
            counted
        });
        Ok((certificates, counted.collect()))
    }

    /// Folds what was counted into the counters, if this node holds or gets the lease. Returns true if more may wait.
    pub async fn fold_counts(&self) -> Result<bool, StoreError> {
        self.store.fold_tallies(self.node, stats::places_of).await
    }

    /// Folds what was counted until `stop` says so: every second, or as long after the last time as leaves the database its time.
    pub(super) async fn keep_counts(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut failing = false;
        loop {
            let began = Instant::now();
            let folded = self.fold_counts().await;
            let rest = began.elapsed() * (SHARE - 1);
            let pause = if matches!(folded, Ok(true)) { rest } else { rest.max(EVERY) };
            match folded {
                Ok(_) => failing = false,
                Err(error) if failing => tracing::debug!(code = error.code(), "still cannot fold the counters"),
                Err(error) => {
                    failing = true;
                    tracing::warn!(code = error.code(), "cannot fold the counters; what was counted waits");
                }
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// The host's name, as the kernel has it.
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
