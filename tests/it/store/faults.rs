//! Faults in pairs: the write failed and was not kept; the write "failed" and was kept. After each the caller tries again.

use std::sync::Arc;

use thexanh::certificate::Uvci;
use thexanh::keys::{Algorithm, IssuerKey, KeyError};
use thexanh::store::{Grown, Revoked};
use thexanh::tlog::{Checkpoint, Frontier, Tile};
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

/// How many entries wait for the transparency log.
async fn logged(client: &Client) -> i64 {
    let sql = "SELECT coalesce(sum(octet_length(entries)), 0) / 32 FROM log_pending";
    client.query_one(sql, &[]).await.expect("counts").get(0)
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
        "INSERT INTO log_pending",
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
    let (_, _, certificates) = counts(&scene.client).await;
    assert_eq!(logged(&scene.client).await, certificates, "and what was signed is to be logged, once");
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
async fn what_was_signed_is_logged_once_whichever_statement_of_it_is_lost() {
    let statements =
        ["START TRANSACTION", "-- fence", "log batches", "lock log head", "put log tiles", "put log head", "COMMIT"];
    let (publisher, now) = (IssuerKey::generate(Algorithm::EdDsa).expect("generates"), NOW);
    let sign = |checkpoint: &Checkpoint| checkpoint.sign(&publisher);
    let scene = scene().await;
    let (mut people, mut size) = (0, 0);
    let mut seen = Frontier::default();
    for statement in statements {
        for (fault, _) in PAIR {
            let node = Node::with(&scene.proxy.settings(&scene.schema)).await;
            for _ in 0..3 {
                scene.other.record("79001", &dose_of(people)).await.expect("records");
                people += 1;
            }
            let id = Uuid::new_v4();
            scene.proxy.arm(statement, fault);
            node.store.grow_log(id, "a", now, false, &sign).await.expect_err("the connection was cut");
            assert!(!scene.proxy.is_armed(), "{statement} is a statement of numbering");
            // Another goes on once the lease is free.
            node.store.stop_logging(id).await.expect("gives it back");
            let other = Uuid::new_v4();
            let grown = scene.other.store.grow_log(other, "a", now, false, &sign).await.expect("grows");
            assert!(
                matches!(grown, Ok(Grown::By { entries: 3, more: false } | Grown::Nothing)),
                "{statement}, {fault:?}: {grown:?}"
            );
            scene.other.store.stop_logging(other).await.expect("gives it back");
            size += 3;
            let head = scene.other.store.log_head().await.expect("reads").expect("a log");
            assert_eq!((head.checkpoint.size, logged(&scene.client).await), (size, 0), "{statement}, {fault:?}");
            let tile = Tile::of_tree(0, 0, size).expect("the first");
            let (_, _, entries) = scene.other.store.log_tiles(&[tile]).await.expect("reads").pop().expect("there");
            entries.iter().skip(seen.size() as usize).for_each(|entry| seen.push(entry));
            assert_eq!((seen.size(), seen.root()), (size, head.checkpoint.root), "it goes on from what it was");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_lease_is_over_numbers_nothing_and_a_tree_that_was_spoilt_is_not_signed() {
    let scene = scene().await;
    let publisher = IssuerKey::generate(Algorithm::EdDsa).expect("generates");
    let sign = |checkpoint: &Checkpoint| checkpoint.sign(&publisher);
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    let grow = async |node: Uuid| scene.other.store.grow_log(node, "a", NOW, false, &sign).await;
    scene.other.certificates(2).await;
    assert_eq!(grow(first).await.expect("grows"), Ok(Grown::By { entries: 2, more: false }));
    assert_eq!(grow(second).await.expect("asks"), Ok(Grown::Elsewhere));
    // While the first is asleep between taking the lease and its transaction, the second takes over.
    scene.proxy.arm("START TRANSACTION", Fault::Hold);
    let asleep = {
        let (store, publisher) = (scene.cut.store.clone(), publisher.clone());
        tokio::spawn(async move {
            store.grow_log(first, "a", NOW, false, &|checkpoint: &Checkpoint| checkpoint.sign(&publisher)).await
        })
    };
    scene.proxy.held().await;
    let steal = "UPDATE lease SET holder = $1, until = now() + interval '1 minute' WHERE name = 'log-sequencer'";
    scene.client.execute(steal, &[&second]).await.expect("takes over");
    scene.other.record("79001", &dose_of(900)).await.expect("records");
    scene.proxy.release();
    assert_eq!(asleep.await.expect("no panic").expect("asks"), Ok(Grown::Elsewhere));
    assert_eq!(grow(second).await.expect("grows"), Ok(Grown::By { entries: 1, more: false }));
    assert_eq!(grow(second).await.expect("grows"), Ok(Grown::Nothing));

    // Nobody signs what does not go on from what was signed.
    scene.other.record("79001", &dose_of(901)).await.expect("records");
    let spoil = "UPDATE log_tile SET hashes = set_byte(hashes, 5, get_byte(hashes, 5) # 1) WHERE level = 0";
    scene.client.execute(spoil, &[]).await.expect("spoils");
    assert_eq!(grow(second).await.expect_err("it is spoilt").code(), "row_unreadable");
    let head = scene.other.store.log_head().await.expect("reads").expect("a log");
    assert_eq!((head.checkpoint.size, logged(&scene.client).await), (3, 1));
    // A key that cannot sign changes nothing either.
    scene.client.execute(spoil, &[]).await.expect("undoes it");
    let nobody = |_: &Checkpoint| Err(KeyError::Unavailable);
    let refused = scene.other.store.grow_log(second, "a", NOW, false, &nobody).await.expect("asks");
    assert_eq!((refused, logged(&scene.client).await), (Err(KeyError::Unavailable), 1));
    assert_eq!(grow(second).await.expect("grows"), Ok(Grown::By { entries: 1, more: false }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_that_waits_for_the_log_is_numbered_in_parts_and_nothing_is_forgotten() {
    let scene = scene().await;
    let publisher = IssuerKey::generate(Algorithm::EdDsa).expect("generates");
    let (node, sign) = (Uuid::new_v4(), |checkpoint: &Checkpoint| checkpoint.sign(&publisher));
    let grow = async || scene.other.store.grow_log(node, "a", NOW, false, &sign).await.expect("grows");
    let batches = async |count: i64, entries: i64| {
        let sql = "INSERT INTO log_pending (batch_id, at, entries)
                   SELECT gen_random_uuid(), now(), decode(repeat('00', $2::bigint::int * 32), 'hex')
                   FROM generate_series(1, $1::bigint)";
        scene.client.execute(sql, &[&count, &entries]).await.expect("waits");
    };
    // The second begins below the bound of 16,384 entries, the third beyond it.
    batches(3, 10_000).await;
    assert_eq!(grow().await, Ok(Grown::By { entries: 20_000, more: true }));
    assert_eq!(logged(&scene.client).await, 10_000);
    assert_eq!(grow().await, Ok(Grown::By { entries: 10_000, more: false }));
    // At the bound of 256 batches others may wait.
    for (count, first, more) in [(255, 255, false), (256, 256, true), (257, 256, true)] {
        batches(count, 1).await;
        assert_eq!(grow().await, Ok(Grown::By { entries: first, more }));
        let rest = (count - 256).max(0);
        assert_eq!(logged(&scene.client).await, rest);
        let last = if rest > 0 { Grown::By { entries: 1, more: false } } else { Grown::Nothing };
        assert_eq!(grow().await, Ok(last));
    }
    let head = scene.other.store.log_head().await.expect("reads").expect("a log");
    assert_eq!(head.checkpoint.size, 30_768);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_travel_certificate_whose_storing_or_its_answer_was_lost_has_one_text() {
    for (fault, kept) in PAIR {
        let scene = scene().await;
        let issued = scene.other.certificates(1).await;
        let detail = scene.other.store.certificate(&issued[0]).await.expect("reads").expect("is there");
        let put = async |node: &Node, cose: &[u8]| node.store.put_hc1(detail.row.person, &issued[0], cose, NOW).await;
        // 18([h'A10126', {}, h'CA..', h'AA'])
        let cose = |last: u8| vec![0xD2, 0x84, 0x43, 0xA1, 0x01, 0x26, 0xA0, 0x42, 0xCA, last, 0x41, 0xAA];
        scene.proxy.arm("COMMIT", fault);
        put(&scene.cut, &cose(1)).await.expect_err("the connection was cut");
        let expected = Some(if kept { cose(1) } else { cose(2) });
        assert_eq!(put(&scene.cut, &cose(2)).await.expect("stores"), expected, "{fault:?}");
        assert_eq!(put(&scene.other, &cose(3)).await.expect("stores"), expected, "{fault:?}");
        assert_eq!(logged(&scene.client).await, 2, "{fault:?}: both forms, and each once");
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
