//! Read replicas, as real processes: a primary, a standby that streams from it, and nodes of the service before them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::app::dose_of;
use crate::cli::{Place, Service};
use crate::client::{Answer, Connection};
use crate::servers::{PATIENCE, Server, url};

const SESSIONS: &str = "/v1/appointments/sessions";

async fn ask(node: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let headers = [headers, &[("content-type", "application/json")]].concat();
    Connection::open(node).await.request(method, path, &headers, &body).await
}

/// Somebody at facility 79001.
struct Nurse(String);

impl Nurse {
    fn new(place: &Place, subject: &str) -> Nurse {
        let (status, said) = place.json(&["token", "--role", "facility", "--subject", subject, "--facility", "79001"]);
        assert_eq!(status, 0);
        Nurse(format!("Bearer {}", said[0]["token"].as_str().expect("a token")))
    }

    async fn get(&self, node: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
        let bearer = ("authorization", self.0.as_str());
        ask(node, "GET", path, &[headers, &[bearer]].concat(), &Value::Null).await
    }

    async fn post(&self, node: SocketAddr, path: &str, body: &Value) -> Answer {
        ask(node, "POST", path, &[("authorization", &self.0)], body).await
    }

    /// How many vaccination sessions are listed.
    async fn sessions(&self, node: SocketAddr, headers: &[(&str, &str)]) -> usize {
        let answer = self.get(node, SESSIONS, headers).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["sessions"].as_array().expect("a list").len()
    }

    async fn add_session(&self, node: SocketAddr) -> Answer {
        let day = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().tomorrow().expect("a day");
        let session =
            json!({"facility": "79001", "date": day.to_string(), "begins": "07:30", "ends": "11:00", "capacity": 9});
        self.post(node, SESSIONS, &session).await
    }

    /// Records the dose with this number; the certificate's name and text.
    async fn dose(&self, node: SocketAddr, n: u32) -> Option<(String, String)> {
        let answer = self.post(node, "/v1/doses", &dose_of(n)).await;
        assert!([200, 201, 503].contains(&answer.status), "{}", answer.text());
        let text = |member: &str| answer.json()[member].as_str().expect("a certificate").to_owned();
        (answer.status != 503).then(|| (text("uvci"), text("text")))
    }
}

async fn verified(node: SocketAddr, text: &str) -> Value {
    let headers = [("content-type", "text/plain")];
    Connection::open(node).await.request("POST", "/v1/verify", &headers, text.as_bytes()).await.json()
}

/// The word for the verdict on a text: its reason, else its result.
async fn verdict(node: SocketAddr, text: &str) -> String {
    let verdict = verified(node, text).await;
    verdict["reason"].as_str().or(verdict["result"].as_str()).expect("a verdict").to_owned()
}

async fn ready(node: SocketAddr) -> Answer {
    ask(node, "GET", "/readyz", &[], &Value::Null).await
}

/// The sum of a metric over its labels that contain `label`.
async fn metric(node: SocketAddr, name: &str, label: &str) -> f64 {
    let answer = ask(node, "GET", "/metrics", &[], &Value::Null).await;
    let lines = answer.text().lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).expect("a number")).sum()
}

/// Waits until `holds` does.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn uses_replicas(node: SocketAddr, count: f64) {
    until("replicas are in use", async || metric(node, "thexanh_replica_in_use", "").await == count).await;
}

/// A node with its settings in a file of its own.
fn node(place: &Place, name: &str, database: &str, replicas: &str, max_lag_ms: u64) -> Service {
    let file: PathBuf = place.0.join(name);
    let settings = format!("[database]\nurl = \"{database}\"\nread_url = \"{replicas}\"\nmax_lag_ms = {max_lag_ms}\n");
    std::fs::write(&file, settings).expect("writes");
    place.serve_with(&["--config", file.to_str().expect("a path")], "127.0.0.1:0")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runs")
}

#[test]
fn look_ups_go_to_a_replica_that_keeps_up_and_to_the_primary_where_it_does_not() {
    let place = Place::new("replicas");
    let mut primary = Server::primary("replicas-primary", &[]);
    let mut standby = primary.standby("replicas_standby");
    let (database, replicas) = (primary.url(), standby.url());
    // One node takes a replica that is a minute behind, the other one that is a fifth of a second.
    let (patient, strict) = (
        node(&place, "patient.toml", &database, &replicas, 60_000),
        node(&place, "strict.toml", &database, &replicas, 200),
    );
    let (an, binh) = (Nurse::new(&place, "an"), Nurse::new(&place, "binh"));
    let (patient_at, strict_at) = (patient.address, strict.address);
    runtime().block_on(async {
        uses_replicas(patient_at, 1.0).await;
        uses_replicas(strict_at, 1.0).await;
        let (uvci, text) = an.dose(patient_at, 1).await.expect("records");

        // The replica stands still: who wrote reads what they wrote, others what was so, or the primary where that is too old.
        let standby_sql = standby.client().await;
        standby_sql.execute("SELECT pg_wal_replay_pause()", &[]).await.expect("pauses");
        until("the replay is paused", async || {
            let state = "SELECT pg_get_wal_replay_pause_state()";
            standby_sql.query_one(state, &[]).await.expect("asks").get::<_, &str>(0) == "paused"
        })
        .await;
        let written = an.add_session(patient_at).await;
        assert_eq!(written.status, 201, "{}", written.text());
        assert!(written.header("set-cookie").starts_with("thexanh-wrote=1;"), "{:?}", written.header("set-cookie"));
        assert_eq!(an.sessions(patient_at, &[]).await, 1, "read what they wrote");
        assert_eq!(binh.sessions(patient_at, &[]).await, 0, "the replica answers");
        assert_eq!(binh.sessions(patient_at, &[("cookie", "a=b; thexanh-wrote=1")]).await, 1);
        assert_eq!(binh.sessions(patient_at, &[("cache-control", "no-cache")]).await, 1);
        uses_replicas(strict_at, 0.0).await;
        assert_eq!(binh.sessions(strict_at, &[]).await, 1, "the primary answers");
        assert!(metric(patient_at, "thexanh_replica_lag_seconds", "").await > 0.2);
        // What a replica has not got is asked of the primary, where it is asked for by its name.
        let (second, second_text) = an.dose(strict_at, 2).await.expect("records");
        assert_eq!(binh.get(patient_at, &format!("/v1/certificates/{second}"), &[]).await.json()["state"], "valid");
        // Nor is a certificate valid because a replica has not heard yet.
        assert_eq!(verdict(patient_at, &text).await, "accepted");
        assert_eq!(place.json(&["revoke", &uvci, "--why", "a test", "--config", "strict.toml"]).0, 0);
        until("it is revoked", async || verdict(patient_at, &text).await == "revoked").await;
        let path = format!("/v1/certificates/{uvci}");
        assert_eq!(binh.get(patient_at, &path, &[]).await.json()["state"], "revoked");
        binh.get(patient_at, &format!("{path}.svg"), &[]).await.problem(410, "certificate_revoked");
        standby_sql.execute("SELECT pg_wal_replay_resume()", &[]).await.expect("resumes");
        until("the replica has caught up", async || binh.sessions(patient_at, &[]).await == 1).await;
        uses_replicas(strict_at, 1.0).await;

        // It dies: nobody hears of it. It comes back by itself.
        standby.kill();
        for _ in 0..20 {
            assert_eq!(binh.sessions(strict_at, &[]).await, 1);
            assert_eq!(binh.sessions(patient_at, &[]).await, 1);
        }
        uses_replicas(strict_at, 0.0).await;
        assert_eq!(ready(strict_at).await.text(), "ready\n");
        standby.start(&[]);
        uses_replicas(strict_at, 1.0).await;

        // The primary dies: look-ups and verdicts go on, nothing is written, and it is said.
        primary.kill();
        for at in [patient_at, strict_at] {
            until("it is noticed", async || ready(at).await.text().contains("nothing can be written")).await;
            let answer = binh.get(at, SESSIONS, &[]).await;
            assert_eq!((answer.status, answer.json()["sessions"].as_array().map(Vec::len)), (200, Some(1)));
            assert!(answer.header("age").parse::<u64>().is_ok(), "{:?}", answer.header("age"));
            assert_eq!(binh.get(at, &path, &[]).await.json()["state"], "revoked");
            assert_eq!(verdict(at, &text).await, "revoked");
            until("it says how old it is", async || verified(at, &second_text).await["as_of"]["synced_at"].is_i64())
                .await;
            assert_eq!(metric(at, "thexanh_primary_away", "").await, 1.0);
            let refused = an.post(at, "/v1/doses", &dose_of(3)).await;
            refused.problem(503, "unavailable");
            assert_eq!(ready(at).await.status, 200);
        }
        primary.start(&[]);
        for at in [patient_at, strict_at] {
            until("it is back", async || ready(at).await.text() == "ready\n").await;
            until("it is in step", async || verified(at, &second_text).await["as_of"].get("synced_at").is_none()).await;
            let (third, _) = an.dose(at, 3).await.expect("records");
            assert_eq!(an.get(at, &format!("/v1/certificates/{third}"), &[]).await.json()["state"], "valid");
            assert_eq!(metric(at, "thexanh_primary_away", "").await, 0.0);
        }
        uses_replicas(strict_at, 1.0).await;
    });
    patient.end(Signal::TERM);
    strict.end(Signal::TERM);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_standby_takes_the_primary_s_place_and_the_old_one_comes_back() {
    let place = Place::new("failover");
    // Acknowledged is what the standby has as well.
    let mut first = Server::primary("failover-first", &["synchronous_standby_names=failover_second"]);
    let second = first.standby("failover_second");
    let both = url(&[&first, &second]);
    let database = format!("{both} target_session_attrs=read-write");
    let (one, other) =
        (node(&place, "one.toml", &database, &both, 1000), node(&place, "other.toml", &database, &both, 1000));
    let nurse = Nurse::new(&place, "an");
    let (one_at, other_at) = (one.address, other.address);
    let runtime = runtime();
    runtime.block_on(async {
        uses_replicas(one_at, 2.0).await;
        let (revoked, revoked_text) = nurse.dose(one_at, 0).await.expect("records");
        let (_, good_text) = nurse.dose(one_at, 1).await.expect("records");
        assert_eq!(place.json(&["revoke", &revoked, "--why", "a test", "--config", "one.toml"]).0, 0);
        for at in [one_at, other_at] {
            until("it is revoked", async || verdict(at, &revoked_text).await == "revoked").await;
        }

        // Doses are recorded and texts verified while the primary dies and the standby is made the primary.
        let acknowledged = std::sync::Mutex::new(Vec::new());
        let enough = || acknowledged.lock().expect("no panic").len();
        let record = async {
            for n in 2.. {
                // Asked again until it is acknowledged, as a facility does.
                let certificate = loop {
                    if let Some(certificate) = nurse.dose(one_at, n).await {
                        break certificate;
                    }
                };
                acknowledged.lock().expect("no panic").push((n, certificate.0));
            }
        };
        let verify = async {
            loop {
                for at in [one_at, other_at] {
                    assert_eq!(verdict(at, &good_text).await, "accepted");
                    assert_eq!(verdict(at, &revoked_text).await, "revoked");
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let fail_over = async {
            until("some are recorded", async || enough() >= 30).await;
            first.kill();
            second.promote().await;
            let before = enough();
            until("more are recorded", async || enough() >= before + 30).await;
        };
        tokio::select! {
            () = record => unreachable!("it has no end"),
            () = verify => unreachable!("it has no end"),
            () = fail_over => {}
        }

        // Whatever was acknowledged is there, and asked again it is the same.
        for (n, uvci) in acknowledged.into_inner().expect("no panic") {
            let again = nurse.dose(other_at, n).await.expect("is recorded");
            assert_eq!(again.0, uvci, "dose {n}");
        }
        for at in [one_at, other_at] {
            until("all is well", async || ready(at).await.text() == "ready\n").await;
        }
        assert_eq!(place.json(&["revoke", "undo", &revoked, "--by", "binh", "--config", "other.toml"]).0, 0);
        for at in [one_at, other_at] {
            until("it is undone", async || verdict(at, &revoked_text).await == "accepted").await;
        }

        // The old primary comes back behind the new one, and look-ups go to it again.
        uses_replicas(one_at, 1.0).await;
        first.rejoin("failover_first", &second);
        let port = format!(":{}\"", first.port);
        until("the old primary is asked", async || metric(one_at, "thexanh_replica_in_use", &port).await == 1.0).await;
        assert!(
            first.client().await.query_one("SELECT pg_is_in_recovery()", &[]).await.expect("asks").get::<_, bool>(0)
        );
        let (last, _) = nurse.dose(one_at, 1_000_000).await.expect("records");
        until("it has what is new", async || {
            let sql = "SELECT count(*) FROM certificate WHERE encode(uvci, 'hex') = lower(right($1, 32))";
            first.client().await.query_one(sql, &[&last]).await.expect("asks").get::<_, i64>(0) == 1
        })
        .await;
    });
    one.end(Signal::TERM);
    other.end(Signal::TERM);
}
