//! Faults in pairs: the write failed and was not kept; the write "failed" and was kept. After each the caller tries again.

use std::sync::Arc;

use thexanh::certificate::Uvci;
use thexanh::store::Revoked;
use tokio_postgres::Client;
use uuid::Uuid;

use super::proxy::{Fault, Proxy};
use super::{Node, counts};
use crate::app::{NOW, dose, dose_of};
use crate::harness::TestSchema;

const PAIR: [(Fault, bool); 2] = [(Fault::LoseRequest, false), (Fault::LoseAnswer, true)];

/// A schema with two nodes: one whose connections can be cut, and another.
struct Scene {
    proxy: Proxy,
    cut: Arc<Node>,
    other: Arc<Node>,
    client: Client,
    /// Dropped last.
    schema: TestSchema,
}

async fn scene() -> Scene {
    let schema = TestSchema::new().await;
    let proxy = Proxy::start().await;
    let (other, cut) = (Node::join(&schema).await, Node::with(&proxy.settings(&schema)).await);
    Scene { client: schema.client().await, proxy, cut, other, schema }
}

/// The certificates that are stored.
async fn stored(client: &Client) -> Vec<Uvci> {
    let rows = client.query("SELECT uvci FROM certificate", &[]).await.expect("reads");
    rows.iter().map(|row| Uvci(row.get::<_, &[u8]>(0).try_into().expect("16 bytes"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dose_whose_commit_or_its_answer_was_lost_gives_one_certificate_when_it_is_sent_again() {
    for (fault, kept) in PAIR {
        for elsewhere in [false, true] {
            let scene = scene().await;
            scene.proxy.arm("COMMIT", fault);
            let failed = scene.cut.record("79001", &dose("R-1", 1)).await.expect_err("the connection was cut");
            assert_eq!(failed.code(), "database_refused", "{failed}");
            let before = stored(&scene.client).await;
            assert_eq!(before.len(), usize::from(kept), "{fault:?}");
            let node = if elsewhere { &scene.other } else { &scene.cut };
            let again =
                node.record("79001", &dose("R-1", 1)).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            assert_eq!(again.new, !kept, "{fault:?}");
            assert!(before.iter().all(|uvci| *uvci == again.uvci), "what was kept is what is handed out");
            assert_eq!(counts(&scene.client).await, (1, 1, 1), "{fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_at_any_statement_of_a_dose_loses_and_doubles_nothing() {
    let scene = scene().await;
    let settings = scene.proxy.settings(&scene.schema);
    let statements = [
        "START TRANSACTION",
        "doses by record",
        "people by identity",
        "people by phone",
        "lock people",
        "supersede",
        "record doses",
        "record numbers",
        "-- issue",
        "find by uvci",
        "-- tally",
        "COMMIT",
    ];
    let (mut sent, mut given) = (0, Vec::new());
    for statement in statements {
        for (fault, kept) in PAIR {
            // A node of its own, that has prepared nothing; a person with a first dose already, so that all is asked.
            let node = Node::with(&settings).await;
            let number = sent as i64;
            scene.other.record("79001", &dose_of(sent)).await.expect("records");
            let mut second = dose_of(sent);
            second["record_no"] = format!("S-{sent}").into();
            second["given_at"] = "2021-07-04T02:15:00Z".into();
            second["number"] = 2.into();
            sent += 1;
            scene.proxy.arm(statement, fault);
            node.record("79001", &second).await.expect_err("the connection was cut");
            assert!(!scene.proxy.is_armed(), "{statement} is a statement of a dose");
            let again = node.record("79001", &second).await;
            let again = again.unwrap_or_else(|error| panic!("{statement}, {fault:?}: {error}"));
            assert_eq!(again.new, !(kept && statement == "COMMIT"), "{statement}, {fault:?}");
            assert_eq!(again.card.as_str(), "green", "{statement}, {fault:?}");
            assert_eq!(
                counts(&scene.client).await,
                (number + 1, 2 * number + 2, 2 * number + 2),
                "{statement}, {fault:?}"
            );
            given.push(again.uvci);
        }
    }
    let sql = "SELECT uvci FROM certificate WHERE superseded_at IS NULL";
    let mut in_force: Vec<Vec<u8>> =
        scene.client.query(sql, &[]).await.expect("reads").iter().map(|row| row.get(0)).collect();
    let mut given: Vec<Vec<u8>> = given.iter().map(|uvci| uvci.0.to_vec()).collect();
    in_force.sort();
    given.sort();
    assert_eq!(in_force, given, "each person has the one certificate that was handed out in the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_callers_of_a_batch_that_was_cut_get_one_certificate_each_when_they_send_again() {
    for (fault, kept) in PAIR {
        let scene = scene().await;
        scene.proxy.arm("COMMIT", fault);
        let by = thexanh::registration::doses::Reporter { facility: "79001".into(), subject: "tester".into() };
        let rows = || (0..20).map(|n| serde_json::from_value(dose_of(n)).expect("a dose")).collect();
        let failed = scene.cut.recorder.record_many(&by, rows(), NOW).await;
        assert!(failed.iter().all(Result::is_err), "{fault:?}: nobody hears that it was recorded");
        let mut before = stored(&scene.client).await;
        let again = scene.cut.recorder.record_many(&by, rows(), NOW).await;
        let mut again: Vec<Uvci> = again.into_iter().map(|answer| answer.expect("records").uvci).collect();
        before.sort_by_key(|uvci| uvci.0);
        again.sort_by_key(|uvci| uvci.0);
        assert_eq!(before, if kept { again } else { Vec::new() }, "{fault:?}");
        assert_eq!(counts(&scene.client).await, (20, 20, 20), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_whose_commit_or_its_answer_was_lost_is_published_once() {
    for (fault, kept) in PAIR {
        let scene = scene().await;
        let issued = scene.other.certificates(1).await;
        let revoke = async || crate::app::revoke(&scene.cut.store, &issued[0], "tester", NOW).await;
        scene.proxy.arm("COMMIT", fault);
        let failed = revoke().await.expect_err("the connection was cut");
        assert_eq!(failed.code(), "database_refused", "{failed}");
        let expected = if kept { Revoked::Already(NOW) } else { Revoked::New };
        assert_eq!(revoke().await.expect("answers"), expected, "{fault:?}");
        // And numbering it is cut in the same way.
        let numberer = Uuid::new_v4();
        scene.proxy.arm("COMMIT", fault);
        scene.cut.store.sequence_revocations(numberer).await.expect_err("the connection was cut");
        assert!(scene.cut.store.sequence_revocations(numberer).await.expect("numbers"));
        let published = scene.other.store.revocation_events(0, 10).await.expect("reads");
        let entry = thexanh::revocation::entry(&issued[0].to_string());
        assert_eq!(published, [(1, thexanh::revocation::Change::Add(entry))], "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_travel_certificate_whose_storing_or_its_answer_was_lost_has_one_text() {
    for (fault, kept) in PAIR {
        let scene = scene().await;
        let issued = scene.other.certificates(1).await;
        let detail = scene.other.store.certificate(&issued[0]).await.expect("reads").expect("is there");
        let put = async |node: &Node, cose: &[u8]| node.store.put_hc1(detail.row.person, &issued[0], cose).await;
        // One statement, sent twice: to be prepared, which is passed, and to be run.
        put(&scene.cut, b"of nobody's").await.expect("stores");
        scene.client.execute("UPDATE certificate SET hc1 = NULL", &[]).await.expect("forgets");
        scene.proxy.arm("the first text", fault);
        put(&scene.cut, b"the first text").await.expect_err("the connection was cut");
        let expected: &[u8] = if kept { b"the first text" } else { b"the second text" };
        assert_eq!(put(&scene.cut, b"the second text").await.expect("stores"), expected, "{fault:?}");
        assert_eq!(put(&scene.other, b"the third text").await.expect("stores"), expected, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_whose_commit_or_its_answer_was_lost_is_finished_by_the_next() {
    for (fault, _) in PAIR {
        let schema = TestSchema::empty().await;
        let proxy = Proxy::start().await;
        let store = thexanh::store::Store::open(&proxy.settings(&schema)).await.expect("opens");
        let migrating = store.clone();
        // Of the transactions that it runs, the last.
        proxy.arm("CREATE TABLE province", Fault::Hold);
        let cut = tokio::spawn(async move { migrating.migrate().await });
        proxy.held().await;
        proxy.arm("COMMIT", fault);
        proxy.release();
        assert_eq!(cut.await.expect("no panic").expect_err("the connection was cut").code(), "database_migration");
        store.migrate().await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(counts(&schema.client().await).await, (0, 0, 0), "{fault:?}");
    }
}
