//! What those who watch are told once a second: made by one task for all of them, while anybody listens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::stats::PlaceCount;
use crate::store::{BeatRow, Rates, ReplicaRow};

/// How many provinces are named as falling behind.
const MAX_BEHIND: usize = 10;
/// A province whose doses are recorded so many days after they were given is behind.
const BEHIND_DAYS: f64 = 2.0;

/// How many of something a second, over all nodes: the mean of the last five seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct LiveRates {
    /// Registrations made.
    pub registrations: f64,
    /// Doses recorded, those of imported files among them.
    pub doses: f64,
    /// Verdicts given.
    pub verifications: f64,
    /// Requests answered with a 5xx.
    pub errors: f64,
}

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct LiveTotals {
    /// Registrations that were not withdrawn.
    pub registrations: Option<i64>,
    /// Doses, without those voided.
    pub doses: Option<i64>,
    /// Certificates issued; null of a province.
    pub certificates: Option<i64>,
    /// People known.
    pub people: Option<i64>,
    /// Doses recorded today.
    pub doses_today: Option<i64>,
    /// Registrations made today.
    pub registrations_today: Option<i64>,
}

/// What waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct LiveQueues {
    /// Registrations that wait to be committed, over all nodes; null for a province.
    pub registrations: Option<i64>,
    /// Requests with doses that wait to be committed; null for a province.
    pub doses: Option<i64>,
    /// Files that are being imported; null for a province.
    pub imports_running: Option<i64>,
    /// Corrections that are not answered.
    pub corrections_open: Option<i64>,
    /// Of these, past their deadline.
    pub corrections_overdue: Option<i64>,
    /// Cases that are not closed.
    pub tickets_open: Option<i64>,
    /// Of these, assigned to nobody.
    pub tickets_unassigned: Option<i64>,
}

/// A node that was heard of in the last minute.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LiveNode {
    /// Names the process.
    pub id: String,
    /// The host's name.
    pub name: String,
    /// Since when it runs, in seconds since 1970.
    pub started_at: i64,
    /// How long ago it was heard of, in milliseconds.
    pub seen_ms_ago: i64,
    /// The service's version.
    pub version: String,
    /// How fast it goes.
    pub rates: LiveRates,
    /// Database connections in use.
    pub pool_in_use: i64,
    /// How many there may be.
    pub pool_size: i64,
}

/// A server that follows the database's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LiveReplica {
    /// As it names itself.
    pub name: String,
    /// How far it is behind, in milliseconds.
    pub lag_ms: Option<i64>,
}

/// How the database is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct LiveDatabase {
    /// Whether it answers.
    pub reachable: bool,
    /// How long the last write of this node's took, in milliseconds.
    pub latency_ms: Option<f64>,
    /// How large it is, in bytes.
    pub size_bytes: Option<i64>,
    /// The servers that follow it.
    pub replicas: Vec<LiveReplica>,
}

/// A province that falls behind.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LiveBehind {
    /// Its code.
    pub province: String,
    /// Its name.
    pub name: String,
    /// As of a place.
    pub lag_days: Option<f64>,
    /// Corrections past their deadline.
    pub corrections_overdue: i64,
}

/// Everything that is told at once. What is not known is null.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Live {
    /// When, in seconds since 1970.
    pub at: i64,
    /// How fast it goes in the whole country; null for a province.
    pub rates: Option<LiveRates>,
    /// How much there is: of the country, or of the province that is asked for.
    pub totals: LiveTotals,
    /// What waits; corrections and cases of the province that is asked for.
    pub queues: LiveQueues,
    /// The nodes; none for a province.
    pub nodes: Vec<LiveNode>,
    /// The database; for a province only whether it answers.
    pub database: LiveDatabase,
    /// Provinces whose doses are recorded two days late or more, or with corrections past their deadline; the worst ten.
    pub behind: Vec<LiveBehind>,
}

/// What of a province, or of the whole country, the counters say now.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    pub place: PlaceCount,
    pub doses_today: i64,
    pub registrations_today: i64,
    pub tickets_open: i64,
    pub tickets_unassigned: i64,
}

/// What a tick found out.
#[derive(Default)]
pub(super) struct Found {
    pub at: i64,
    pub beats: Vec<BeatRow>,
    pub registrations_waiting: i64,
    pub doses_waiting: i64,
    pub latency_ms: Option<f64>,
    pub size_bytes: Option<i64>,
    pub replicas: Vec<ReplicaRow>,
    pub imports_running: Option<i64>,
    pub certificates: i64,
    /// By province, the unknown under nothing; `None` if the counters could not be read.
    pub counted: Option<Vec<Counted>>,
}

/// For whom what is told is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Whoever sees the whole country, and the service itself.
    Service,
    /// Whoever sees the whole country, and asks about the province with this code.
    Province(String),
    /// The province with this code, which sees itself alone.
    OwnProvince(String),
}

/// One tick, in the form that each listener gets.
pub struct Event {
    found: Found,
    texts: Mutex<HashMap<Scope, Bytes>>,
}

impl Event {
    pub(super) fn new(found: Found) -> Event {
        Event { found, texts: Mutex::default() }
    }

    /// The event as it is sent: made once for all who see the same.
    pub fn text(&self, scope: &Scope) -> Bytes {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts.get(scope) {
            return text.clone();
        }
        let json = serde_json::to_string(&self.found.live(scope)).expect("texts and numbers are JSON");
        let text = Bytes::from(format!("event: live\ndata: {json}\n\n"));
        texts.insert(scope.clone(), text.clone());
        text
    }
}

fn rates_of(rates: &Rates) -> LiveRates {
    let Rates { registrations, doses, verifications, errors } = *rates;
    LiveRates { registrations, doses, verifications, errors }
}

impl Found {
    /// What is told for a scope.
    pub(super) fn live(&self, scope: &Scope) -> Live {
        let only = match scope {
            Scope::Service => None,
            Scope::Province(code) | Scope::OwnProvince(code) => Some(code.as_str()),
        };
        let shows_service = !matches!(scope, Scope::OwnProvince(_));
        let counted: Option<Vec<&Counted>> = self.counted.as_ref().map(|counted| {
            counted.iter().filter(|counted| only.is_none_or(|code| counted.place.code == code)).collect()
        });
        let sum =
            |of: fn(&Counted) -> i64| counted.as_ref().map(|all| all.iter().map(|counted| of(counted)).sum::<i64>());
        let mut rates = LiveRates::default();
        for row in &self.beats {
            let of_node = rates_of(&row.beat.rates);
            rates.registrations += of_node.registrations;
            rates.doses += of_node.doses;
            rates.verifications += of_node.verifications;
            rates.errors += of_node.errors;
        }
        Live {
            at: self.at,
            rates: shows_service.then_some(rates),
            totals: LiveTotals {
                registrations: sum(|counted| counted.place.registered),
                doses: sum(|counted| counted.place.doses),
                certificates: (only.is_none() && counted.is_some()).then_some(self.certificates),
                people: sum(|counted| counted.place.people),
                doses_today: sum(|counted| counted.doses_today),
                registrations_today: sum(|counted| counted.registrations_today),
            },
            queues: LiveQueues {
                registrations: shows_service.then_some(self.registrations_waiting),
                doses: shows_service.then_some(self.doses_waiting),
                imports_running: self.imports_running.filter(|_| shows_service),
                corrections_open: sum(|counted| counted.place.corrections_open.unwrap_or(0)),
                corrections_overdue: sum(|counted| counted.place.corrections_overdue.unwrap_or(0)),
                tickets_open: sum(|counted| counted.tickets_open),
                tickets_unassigned: sum(|counted| counted.tickets_unassigned),
            },
            nodes: if shows_service { self.beats.iter().map(node).collect() } else { Vec::new() },
            database: self.database(shows_service),
            behind: behind(counted.as_deref().unwrap_or_default()),
        }
    }

    fn database(&self, shows_service: bool) -> LiveDatabase {
        let reachable = self.latency_ms.is_some();
        if !shows_service {
            return LiveDatabase { reachable, ..LiveDatabase::default() };
        }
        let replica = |row: &ReplicaRow| LiveReplica { name: row.name.clone(), lag_ms: row.lag_ms };
        LiveDatabase {
            reachable,
            latency_ms: self.latency_ms,
            size_bytes: self.size_bytes,
            replicas: self.replicas.iter().map(replica).collect(),
        }
    }
}

fn node(row: &BeatRow) -> LiveNode {
    let beat = &row.beat;
    LiveNode {
        id: row.node.simple().to_string(),
        name: beat.name.clone(),
        started_at: beat.started_at,
        seen_ms_ago: row.ago_ms,
        version: beat.version.clone(),
        rates: rates_of(&beat.rates),
        pool_in_use: beat.pool_in_use,
        pool_size: beat.pool_size,
    }
}

/// Those that fall behind, the worst first.
fn behind(counted: &[&Counted]) -> Vec<LiveBehind> {
    let places = counted.iter().map(|counted| &counted.place).filter(|place| !place.code.is_empty());
    let mut behind: Vec<LiveBehind> = places
        .map(|place| LiveBehind {
            province: place.code.clone(),
            name: place.name.clone(),
            lag_days: place.lag_days,
            corrections_overdue: place.corrections_overdue.unwrap_or(0),
        })
        .filter(|place| place.corrections_overdue > 0 || place.lag_days.is_some_and(|days| days >= BEHIND_DAYS))
        .collect();
    let lag = |place: &LiveBehind| place.lag_days.unwrap_or(0.0);
    behind.sort_by(|a, b| lag(b).total_cmp(&lag(a)).then(b.corrections_overdue.cmp(&a.corrections_overdue)));
    behind.truncate(MAX_BEHIND);
    behind
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(code: &str, lag_days: Option<f64>, overdue: i64) -> Counted {
        let place = PlaceCount {
            code: code.to_owned(),
            registered: 10,
            lag_days,
            corrections_open: Some(overdue + 1),
            corrections_overdue: Some(overdue),
            ..PlaceCount::default()
        };
        Counted { place, doses_today: 2, ..Counted::default() }
    }

    fn found() -> Found {
        Found {
            certificates: 7,
            imports_running: Some(4),
            latency_ms: Some(1.0),
            size_bytes: Some(5),
            counted: Some(vec![counted("01", Some(1.9), 0), counted("79", Some(2.0), 3), counted("", None, 1)]),
            ..Found::default()
        }
    }

    #[test]
    fn a_province_is_told_of_itself_alone() {
        let whole = found().live(&Scope::Service);
        assert_eq!((whole.totals.registrations, whole.totals.certificates), (Some(30), Some(7)));
        assert_eq!((whole.queues.corrections_open, whole.database.size_bytes), (Some(7), Some(5)));
        assert_eq!(whole.behind.iter().map(|place| place.province.as_str()).collect::<Vec<_>>(), ["79"]);
        let own = found().live(&Scope::OwnProvince("01".to_owned()));
        assert_eq!((own.totals.registrations, own.totals.certificates), (Some(10), None));
        assert_eq!((own.queues.corrections_overdue, own.behind.len()), (Some(0), 0));
        assert_eq!(own.database, LiveDatabase { reachable: true, ..LiveDatabase::default() });
        assert_eq!((own.rates, own.queues.registrations, own.queues.doses), (None, None, None));
        assert_eq!((own.queues.imports_running, whole.queues.imports_running), (None, Some(4)));
        assert!(whole.rates.is_some() && whole.queues.doses == Some(0));
        let asked = found().live(&Scope::Province("79".to_owned()));
        assert_eq!((asked.totals.doses_today, asked.database.size_bytes), (Some(2), Some(5)));
    }

    #[test]
    fn what_is_not_known_is_null() {
        let live = serde_json::to_value(Found::default().live(&Scope::Service)).expect("JSON");
        assert_eq!((&live["totals"]["people"], &live["database"]["latency_ms"]), (&().into(), &().into()));
        assert_eq!((&live["database"]["reachable"], &live["queues"]["registrations"]), (&false.into(), &0.into()));
    }
}
