//! `GET /v1/stats/..`: the counters against a full count, what dashboards are shown, and the stream of what goes on.

mod counters;
mod routes;
mod stream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use thexanh::app::App;
use thexanh::certificate::{UnixSeconds, day_from_date};
use thexanh::policy::{self, GivenDose};
use thexanh::registration::reference;
use thexanh::store::Course;
use tokio_postgres::Client;

use crate::client::{Answer, Connection};

/// Longer than anything here takes, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// A counter: kind, place, days since 1970 or 0, slot.
type Key = (&'static str, String, i64, String);

/// Sends JSON, or nothing for null, to one of several nodes.
async fn send(node: SocketAddr, method: &str, path: &str, bearer: &str, json: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("authorization", bearer)];
    let body = if json.is_null() { String::new() } else { json.to_string() };
    Connection::open(node).await.request(method, path, &headers, body.as_bytes()).await
}

/// Waits until nothing waits to be folded, whichever node does it; `app` helps.
async fn settle(app: Option<&App>, sql: &Client) {
    let began = Instant::now();
    while sql.query_one("SELECT count(*) FROM tally", &[]).await.expect("counts").get::<_, i64>(0) > 0 {
        if let Some(app) = app {
            app.fold_counts().await.expect("folds");
        }
        assert!(began.elapsed() < PATIENCE, "the outbox is not emptied");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The counters as they are kept; those of nothing are left out.
async fn counters(sql: &Client) -> BTreeMap<(String, String, i64, String), i64> {
    let rows = sql.query("SELECT kind, place, day, slot, value FROM counter WHERE value <> 0", &[]).await;
    let counter = |row: &tokio_postgres::Row| {
        let key = (row.get(0), row.get(1), day_from_date(row.get(2)), row.get(3));
        (key, row.get(4))
    };
    rows.expect("reads").iter().map(counter).collect()
}

/// What the counters should be: every row counted anew, by what the tables say now.
struct Recount(BTreeMap<Key, i64>);

impl Recount {
    fn add(&mut self, kind: &'static str, place: &str, day: i64, slot: &str, n: i64) {
        *self.0.entry((kind, place.to_owned(), day, slot.to_owned())).or_default() += n;
    }

    /// For a commune, and for its district and its province; or for no place at all.
    fn add_home(&mut self, kind: &'static str, ward: &str, day: i64, slot: &str, levels: &[usize]) {
        let Some(ward) = reference::ward(ward) else {
            return self.add(kind, "", day, slot, 1);
        };
        for code in [ward.unit.code, ward.district.code, ward.province.code] {
            if levels.contains(&code.len()) {
                self.add(kind, code, day, slot, 1);
            }
        }
    }

    async fn of(sql: &Client) -> BTreeMap<(String, String, i64, String), i64> {
        let mut recount = Recount(BTreeMap::new());
        recount.registrations(sql).await;
        recount.people_and_doses(sql).await;
        recount.cases(sql).await;
        let kept = recount.0.into_iter().filter(|(_, n)| *n != 0);
        kept.map(|((kind, place, day, slot), n)| ((kind.to_owned(), place, day, slot), n)).collect()
    }

    async fn registrations(&mut self, sql: &Client) {
        let made = "WITH b AS MATERIALIZED (SELECT person_id, ward_code, priority, status FROM registration_by_district)
                    SELECT b.ward_code, b.priority, b.status, r.status, p.ward_code, extract(epoch FROM r.created_at)::bigint
                    FROM b JOIN registration r ON r.person_id = b.person_id JOIN person p ON p.person_id = b.person_id";
        for row in sql.query(made, &[]).await.expect("reads") {
            let (ward, rank, status): (&str, i64, &str) = (row.get(0), row.get(1), row.get(2));
            assert_eq!((status, Some(ward)), (row.get(3), row.get(4)), "the list says what the registration says");
            self.add_home("standing", ward, 0, &format!("{rank} {status}"), &[2, 3, 5]);
            let day = day_from_date(UnixSeconds(row.get(5)).vietnamese_date());
            self.add_home("registered", ward, day, "", &[2, 3]);
        }
    }

    async fn people_and_doses(&mut self, sql: &Client) {
        let mut courses: BTreeMap<uuid::Uuid, (String, Vec<GivenDose>)> = BTreeMap::new();
        for row in sql.query("SELECT person_id, coalesce(ward_code, '') FROM person", &[]).await.expect("reads") {
            courses.insert(row.get(0), (row.get(1), Vec::new()));
        }
        let given = "SELECT d.person_id, d.facility_code, coalesce(f.province_code, ''), d.product, d.number,
                            extract(epoch FROM d.recorded_at)::bigint, extract(epoch FROM d.given_at)::bigint
                     FROM dose d LEFT JOIN facility f ON f.code = d.facility_code WHERE d.voided_at IS NULL";
        for row in sql.query(given, &[]).await.expect("reads") {
            let (ward, course) = courses.get_mut(&row.get(0)).expect("a person");
            let (ward, facility, province): (String, &str, &str) = (ward.clone(), row.get(1), row.get(2));
            let given_on = UnixSeconds(row.get(6)).vietnamese_date();
            let product = policy::product_by_code(row.get(3)).expect("a product");
            course.push(GivenDose { product, given_on, number: row.get::<_, i64>(4) as u8 });
            let recorded = day_from_date(UnixSeconds(row.get(5)).vietnamese_date());
            let given = day_from_date(given_on);
            let slot = match recorded - given {
                ..=3 => (recorded - given).max(0),
                4..=7 => 4,
                8..=14 => 5,
                15..=30 => 6,
                _ => 7,
            };
            let slot = slot.to_string();
            for (kind, place) in [("doses_by", facility), ("doses_in", province)] {
                self.add(kind, place, 0, &slot, 1);
            }
            for (kind, place) in [("recorded_by", facility), ("recorded_in", province)] {
                self.add(kind, place, recorded, &slot, 1);
            }
            self.add("given_in", province, given, "", 1);
            if reference::ward(&ward).is_some() {
                self.add_home("doses_of", &ward, 0, &slot, &[3, 5]);
                self.add_home("recorded_of", &ward, recorded, &slot, &[3, 5]);
                self.add_home("given_of", &ward, given, "", &[3]);
            }
        }
        for (ward, course) in courses.into_values() {
            self.add_home("people", &ward, 0, Course::of(&course).as_str(), &[2, 3, 5]);
        }
    }

    async fn cases(&mut self, sql: &Client) {
        let corrections =
            "SELECT q.facility_code, coalesce(f.province_code, ''), q.overdue FROM correction_by_facility q
                           LEFT JOIN facility f ON f.code = q.facility_code";
        for row in sql.query(corrections, &[]).await.expect("reads") {
            let slot = if row.get(2) { "overdue" } else { "open" };
            self.add("corrections_by", row.get(0), 0, slot, 1);
            self.add("corrections_in", row.get(1), 0, slot, 1);
        }
        let tickets = "SELECT province_code, status FROM ticket WHERE status <> 'closed'";
        for row in sql.query(tickets, &[]).await.expect("reads") {
            self.add("tickets", row.get(0), 0, row.get(1), 1);
        }
        let certificates = sql.query_one("SELECT count(*) FROM certificate", &[]).await.expect("counts").get(0);
        self.add("certificates", "", 0, "", certificates);
    }
}

/// Checks that the counters are what a full count gives, and returns how many there are.
pub async fn agree(app: Option<&App>, sql: &Client) -> usize {
    settle(app, sql).await;
    let (kept, counted) = (counters(sql).await, Recount::of(sql).await);
    let keys = kept.keys().chain(counted.keys());
    let wrong: Vec<String> = keys
        .filter(|key| kept.get(key) != counted.get(key))
        .map(|key| format!("{key:?}: kept {:?}, counted {:?}", kept.get(key), counted.get(key)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    kept.len()
}
