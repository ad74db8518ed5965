//! `GET /v1/stats/stream`: what goes on over all nodes, told once a second, until the token or the node ends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thexanh::app::hub::{MAX_LISTENERS, MAX_STREAMS};
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::Role;

use super::{PATIENCE, agree};
use crate::app::{NOW, TestApp, dose_of};
use crate::client::{Connection, request};

/// Somebody who watches.
struct Watcher {
    connection: Connection,
    read: String,
}

impl Watcher {
    async fn open(node: SocketAddr, bearer: &str, query: &str) -> Watcher {
        let mut connection = Connection::open(node).await;
        let path = format!("/v1/stats/stream{query}");
        connection.send(&request("GET", &path, &[("authorization", bearer)], b"")).await;
        let (status, headers) = connection.head().await;
        let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!((status, header("content-type")), (200, Some("text/event-stream")));
        assert_eq!(header("cache-control"), Some("no-store"));
        Watcher { connection, read: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let data =
                    event.strip_prefix("event: live\ndata: ").map(|json| serde_json::from_str(json).expect("JSON"));
                self.read = rest.to_owned();
                match data {
                    Some(data) => return Some(data),
                    None => continue, // a comment
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.connection.chunk()).await.expect("an event in time")?;
            self.read += std::str::from_utf8(&chunk).expect("text");
        }
    }

    /// The first event of which this is true.
    async fn until(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let event = self.next().await.expect("an event");
            if is(&event) {
                return event;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {event}");
        }
    }
}

#[tokio::test]
async fn either_node_tells_of_both_their_rates_totals_queues_and_database() {
    let app = TestApp::start().await;
    let other = app.another().await;
    let bearer = app.bearer(Role::Response);
    let mut watcher = Watcher::open(other.address(), &bearer, "").await;
    for n in 0..4 {
        let node = [app.address(), other.address()][n as usize % 2];
        let dose = super::send(node, "POST", "/v1/doses", &app.bearer_at("79001", "nurse"), &dose_of(n)).await;
        assert_eq!(dose.status, 201);
        app.verify(dose.json()["text"].as_str().expect("a text")).await;
    }
    super::send(app.address(), "POST", "/v1/tickets", &bearer, &json!({"province": "79", "said": "asks"})).await;
    agree(Some(&app.app), &app.sql().await).await;
    let event = watcher
        .until("both nodes and all doses", |event| {
            event["totals"]["doses"] == 4
                && event["nodes"].as_array().is_some_and(|nodes| nodes.len() == 2)
                && event["rates"]["verifications"].as_f64().is_some_and(|rate| rate > 0.0)
        })
        .await;
    let totals = json!({"registrations": 0, "doses": 4, "certificates": 4, "people": 4, "doses_today": 4, "registrations_today": 0});
    assert_eq!((&event["totals"], &event["at"]), (&totals, &json!(NOW.0)));
    assert!(event["rates"]["doses"].as_f64().is_some_and(|rate| rate > 0.0), "{event}");
    let of_nodes =
        event["nodes"].as_array().expect("nodes").iter().map(|node| node["rates"]["doses"].as_f64().expect("a rate"));
    assert!((of_nodes.sum::<f64>() - event["rates"]["doses"].as_f64().expect("a rate")).abs() < 0.01, "{event}");
    let queues = json!({
        "registrations": 0, "doses": 0, "imports_running": 0, "corrections_open": 0, "corrections_overdue": 0,
        "tickets_open": 1, "tickets_unassigned": 1,
    });
    assert_eq!(event["queues"], queues);
    assert_eq!((&event["database"]["reachable"], &event["database"]["replicas"]), (&json!(true), &json!([])));
    assert!(event["database"]["latency_ms"].as_f64().is_some_and(|ms| ms > 0.0));
    assert!(event["database"]["size_bytes"].as_i64().is_some_and(|bytes| bytes > 1_000_000));
    let node = &event["nodes"][0];
    assert!(node["pool_size"].as_i64() > Some(0) && node["seen_ms_ago"].as_i64() < Some(5_000), "{node}");
    assert_eq!(
        (&node["version"], node["name"].as_str().is_some_and(|name| !name.is_empty())),
        (&json!(env!("CARGO_PKG_VERSION")), true)
    );
    // 56 days late, all of them.
    assert_eq!(event["behind"][0]["province"], "79");

    // A node that stops takes its beat with it; errors are counted where they are answered.
    other.stop().await;
    while watcher.next().await.is_some() {}
    let mut watcher = Watcher::open(app.address(), &bearer, "").await;
    watcher.until("one node", |event| event["nodes"].as_array().is_some_and(|nodes| nodes.len() == 1)).await;
}

#[tokio::test]
async fn a_province_is_told_of_itself_and_not_of_the_machines() {
    let app = TestApp::start().await;
    assert_eq!(app.dose("R-1", 1).await.status, 201);
    agree(Some(&app.app), &app.sql().await).await;
    let mut own = Watcher::open(app.address(), &app.bearer(Role::Province), "").await;
    let event = own.until("the dose", |event| event["totals"]["doses"] == 1).await;
    assert_eq!((&event["nodes"], &event["totals"]["certificates"]), (&json!([]), &Value::Null));
    assert_eq!((&event["rates"], &event["queues"]["doses"]), (&Value::Null, &Value::Null), "nor of the whole country");
    assert_eq!((&event["queues"]["registrations"], &event["queues"]["imports_running"]), (&Value::Null, &Value::Null));
    assert_eq!(event["database"], json!({"reachable": true, "latency_ms": null, "size_bytes": null, "replicas": []}));
    let mut northern = Watcher::open(app.address(), &app.bearer_of(Role::Province, "", "01"), "").await;
    let event = northern.next().await.expect("an event");
    assert_eq!((&event["totals"]["doses"], &event["totals"]["people"]), (&json!(0), &json!(1)), "who lives there");
    assert_eq!(event["behind"], json!([]));
    let mut asked = Watcher::open(app.address(), &app.bearer(Role::Ministry), "?within=79").await;
    let event = asked.next().await.expect("an event");
    assert_eq!((&event["totals"]["doses"], event["nodes"].as_array().map(Vec::len)), (&json!(1), Some(1)));
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let app = TestApp::start().await;
    let mut watcher = Watcher::open(app.address(), &app.bearer(Role::Response), "").await;
    for offset in [0, 3_599] {
        app.clock.set(UnixSeconds(NOW.0 + offset));
        watcher.until("the time", |event| event["at"] == NOW.0 + offset).await;
    }
    app.clock.set(UnixSeconds(NOW.0 + 3_600));
    let mut more = 0;
    while watcher.next().await.is_some() {
        more += 1;
        assert!(more < 3, "what was under way, and no more");
    }
}

#[tokio::test]
async fn a_node_that_stops_ends_its_streams_at_once_and_lets_nobody_listen() {
    let app = TestApp::start().await;
    let mut watchers = Vec::new();
    for _ in 0..3 {
        watchers.push(Watcher::open(app.address(), &app.bearer(Role::Response), "").await);
    }
    for watcher in &mut watchers {
        watcher.next().await.expect("an event");
    }
    let began = Instant::now();
    app.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    for watcher in &mut watchers {
        while watcher.next().await.is_some() {}
    }
}

#[tokio::test]
async fn so_many_may_watch_and_one_more_is_told_to_come_again() {
    let app = TestApp::start().await;
    let bearer = app.bearer(Role::Response);
    let mut watchers = Vec::new();
    for _ in 0..MAX_STREAMS {
        watchers.push(Watcher::open(app.address(), &bearer, "").await);
    }
    app.get_as(Role::Response, "/v1/stats/stream").await.problem(429, "too_many_requests");
    let provinces = thexanh::registration::reference::provinces();
    let others = provinces.iter().flat_map(|province| [&province.code; MAX_STREAMS]);
    for code in others.take(MAX_LISTENERS - MAX_STREAMS) {
        watchers.push(Watcher::open(app.address(), &app.bearer_of(Role::Province, "", code), "").await);
    }
    let refused = app.get_as(Role::Ministry, "/v1/stats/stream").await;
    refused.problem(503, "overloaded");
    assert!(!refused.header("retry-after").is_empty());
    // Places are free again once their connections are gone.
    drop(watchers);
    let began = Instant::now();
    while app.app.hub().listeners() > 0 {
        assert!(began.elapsed() < PATIENCE, "{} places are still taken", app.app.hub().listeners());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Watcher::open(app.address(), &bearer, "").await.next().await.expect("an event");
}
