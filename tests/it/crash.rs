//! `kill -9` in the middle of a stream of doses: nothing that was acknowledged is lost, nothing is there twice.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use thexanh::store::{Store, StoreSettings};
use tokio_postgres::NoTls;

use crate::app::dose_of;
use crate::cli::Place;
use crate::client::Connection;
use crate::stats;

/// How many doses the stream has, and on how many connections it is sent.
const DOSES: u32 = 1_200;
const LANES: u32 = 8;
/// How many are acknowledged before the service is killed.
const ENOUGH: usize = 300;

type Answers = Arc<Mutex<HashMap<u32, Value>>>;

/// Sends the doses `lane`, `lane + LANES` and so on, one after the other, and keeps the answers.
async fn send(address: SocketAddr, bearer: String, lane: u32, answers: Answers) {
    let mut connection = Connection::open(address).await;
    for serial in (lane..DOSES).step_by(LANES as usize) {
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        let answer = connection.request("POST", "/v1/doses", &headers, dose_of(serial).to_string().as_bytes()).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
        answers.lock().expect("no panic").insert(serial, answer.json());
    }
}

/// Sends the whole stream; returns what was answered, and whether all of it was.
async fn stream(
    address: SocketAddr,
    bearer: &str,
    while_under_way: impl AsyncFnOnce(Answers),
) -> (HashMap<u32, Value>, bool) {
    let answers = Answers::default();
    let lanes = (0..LANES).map(|lane| tokio::spawn(send(address, bearer.to_owned(), lane, Arc::clone(&answers))));
    let lanes: Vec<_> = lanes.collect();
    while_under_way(Arc::clone(&answers)).await;
    let mut whole = true;
    for lane in lanes {
        whole &= lane.await.is_ok();
    }
    let answers = answers.lock().expect("no panic").clone();
    (answers, whole)
}

/// How many rows each table has that a dose writes one to, in the service's own database; the counters, which the service
/// folds meanwhile, say the same.
async fn rows(place: &Place) -> Vec<i64> {
    let settings = StoreSettings { url: None, data_dir: place.0.join("data"), connections: 1, schema: None };
    let store = Store::open(&settings).await.expect("joins the service's database");
    let server = store.embedded().expect("an embedded server");
    let mut config = tokio_postgres::Config::new();
    config.host_path(server.socket_dir()).port(server.port()).user(server.user()).dbname(server.database());
    let (client, connection) = config.connect(NoTls).await.expect("connects");
    tokio::spawn(connection);
    let mut counts = Vec::new();
    for table in ["person", "dose", "dose_by_record", "certificate", "certificate_by_uvci"] {
        counts.push(client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.expect("counts").get(0));
    }
    stats::agree(None, &client).await;
    counts
}

#[test]
fn a_stream_that_is_killed_in_its_middle_and_sent_again_is_there_once() {
    let place = Place::new("crash");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let service = place.serve();
    let (address, bearer) = (service.address, place.bearer());
    let (acknowledged, whole) = runtime.block_on(stream(address, &bearer, async |answers: Answers| {
        while answers.lock().expect("no panic").len() < ENOUGH {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!service.end(rustix::process::Signal::KILL).success());
    }));
    assert!(!whole && (ENOUGH..DOSES as usize).contains(&acknowledged.len()), "killed in its middle");

    let service = place.serve();
    let (again, whole) = runtime.block_on(stream(service.address, &bearer, async |_| {}));
    assert!(whole && again.len() == DOSES as usize);
    for (serial, answer) in &acknowledged {
        assert_eq!(again.get(serial), Some(answer), "what was acknowledged is answered alike");
    }
    let (third, whole) = runtime.block_on(stream(service.address, &bearer, async |_| {}));
    assert!(whole && third == again, "and once more");
    assert_eq!(runtime.block_on(rows(&place)), [i64::from(DOSES); 5], "each once");
    assert_eq!(service.end(rustix::process::Signal::TERM).code(), Some(0));
}
