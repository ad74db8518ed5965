//! Revocations and their versions, with several nodes at work.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use thexanh::app::Engine;
use thexanh::certificate::{UnixSeconds, Uvci};
use thexanh::clock::Clock;
use thexanh::revocation::{self, Change};
use thexanh::store::{Revoked, Store};
use tokio::task::{JoinHandle, JoinSet};
use tokio_postgres::Client;
use uuid::Uuid;

use super::Node;
use super::proxy::{Fault, Proxy};
use crate::app::{self, NOW, config};
use crate::harness::TestSchema;

async fn revoke(store: &Store, uvci: &Uvci) -> Revoked {
    app::revoke(store, uvci, "tester", NOW).await.expect("revokes")
}

fn added(uvci: &Uvci) -> Change {
    Change::Add(revocation::entry(&uvci.to_string()))
}

/// All that a poller reads from the start.
async fn published(store: &Store) -> Vec<(u64, Change)> {
    store.revocation_events(0, 1000).await.expect("reads")
}

/// As if the holder had been asleep for a minute.
async fn let_the_lease_run_out(client: &Client) {
    let sql = "UPDATE lease SET until = now() - interval '1 minute' WHERE name = 'revocation-sequencer'";
    client.execute(sql, &[]).await.expect("the lease runs out");
}

#[tokio::test]
async fn a_certificate_is_revoked_once_and_an_unknown_one_never() {
    let schema = TestSchema::new().await;
    let (node, other) = (Node::join(&schema).await, Node::join(&schema).await);
    let issued = node.certificates(2).await;
    assert_eq!(revoke(&node.store, &Uvci([7; 16])).await, Revoked::Unknown);
    assert_eq!(revoke(&node.store, &issued[0]).await, Revoked::New);
    let later = UnixSeconds(NOW.0 + 60);
    let again = app::revoke(&other.store, &issued[0], "another", later).await.expect("answers");
    assert_eq!(again, Revoked::Already(NOW), "since the first time");
    let detail = node.store.certificate(&issued[0]).await.expect("reads").expect("is there");
    assert_eq!(detail.row.revoked_at, Some(NOW));
    let detail = node.store.certificate(&issued[1]).await.expect("reads").expect("is there");
    assert_eq!(detail.row.revoked_at, None, "the other's is as it was");
    assert_eq!(published(&node.store).await, [], "none has a version yet");
    assert!(node.store.sequence_revocations(Uuid::new_v4()).await.expect("numbers"));
    assert_eq!(published(&other.store).await, [(1, added(&issued[0]))]);
}

#[tokio::test]
async fn a_revocation_is_in_force_before_it_has_a_version() {
    let schema = TestSchema::new().await;
    let node = Node::join(&schema).await;
    let issued = node.certificates(1).await;
    // The holder of the lease is gone, and its lease not yet over.
    assert!(node.store.sequence_revocations(Uuid::new_v4()).await.expect("takes the lease"));
    let engine = Engine::new(Clock::fixed(NOW), 1, config().ed25519_engine());
    engine.refresh(&node.store, Uuid::new_v4()).await.expect("reads");
    assert_eq!((engine.revoked().len(), engine.revoked().version()), (0, 0));
    assert_eq!(revoke(&node.store, &issued[0]).await, Revoked::New);
    engine.refresh(&node.store, Uuid::new_v4()).await.expect("reads");
    assert!(engine.revoked().contains(&revocation::entry(&issued[0].to_string())));
    assert_eq!(engine.revoked().version(), 0);
}

/// Numbers revocations as a node's refresher does, for ever, and counts how often it held the lease.
fn numbering(store: Store, held: Arc<AtomicU32>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let node = Uuid::new_v4();
        loop {
            if store.sequence_revocations(node).await.expect("numbers, or another does") {
                held.fetch_add(1, Ordering::SeqCst);
            }
            tokio::task::yield_now().await;
        }
    })
}

/// Revokes these, one after the other; returns how many it was the first to revoke.
async fn revoking(store: Store, uvcis: Vec<Uvci>) -> usize {
    let mut first = 0;
    for uvci in &uvcis {
        first += usize::from(revoke(&store, uvci).await == Revoked::New);
    }
    first
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poller_hears_of_each_revocation_once_and_in_order_while_two_nodes_revoke_and_number() {
    const MANY: usize = 200;
    let schema = TestSchema::new().await;
    let nodes = [Node::join(&schema).await, Node::join(&schema).await];
    let issued = nodes[0].certificates(MANY as u32).await;
    let mut revokers = JoinSet::new();
    for part in 0..6 {
        // Every certificate is two revokers' at once, as a rule one of each node.
        let mine = issued.iter().enumerate().filter(|(i, _)| i % 3 == part % 3).map(|(_, uvci)| *uvci);
        revokers.spawn(revoking(nodes[part / 3].store.clone(), mine.collect()));
    }
    let held = [Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0))];
    let numberers = [0, 1].map(|node| numbering(nodes[node].store.clone(), Arc::clone(&held[node])));
    let client = schema.client().await;
    let mut seen: Vec<(u64, Change)> = Vec::new();
    let polling = async {
        while seen.len() < MANY || held.iter().any(|held| held.load(Ordering::SeqCst) == 0) {
            let last = seen.last().map_or(0, |(version, _)| *version);
            seen.extend(nodes[seen.len() % 2].store.revocation_events(last, 7).await.expect("reads"));
            let_the_lease_run_out(&client).await; // so that it goes from node to node
        }
    };
    tokio::time::timeout(Duration::from_secs(60), polling).await.expect("all are numbered, by both nodes in turn");
    numberers.iter().for_each(JoinHandle::abort);
    assert_eq!(revokers.join_all().await.into_iter().sum::<usize>(), MANY, "each was new to one revoker");
    let versions: Vec<u64> = seen.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (1..=MANY as u64).collect::<Vec<_>>(), "no gap, and none twice");
    let seen: HashSet<Change> = seen.into_iter().map(|(_, change)| change).collect();
    assert_eq!(seen, issued.iter().map(added).collect());
}

#[tokio::test]
async fn a_revocation_committed_late_is_numbered_late() {
    let schema = TestSchema::new().await;
    let node = Node::join(&schema).await;
    let issued = node.certificates(3).await;
    let mut client = schema.client().await;
    let slow = client.transaction().await.expect("begins");
    let sql = "INSERT INTO revocation_event (entry, nth, removes, imported, at) VALUES ($1, 0, false, false, 'epoch')";
    let entry = revocation::entry(&issued[0].to_string());
    slow.execute(sql, &[&entry.as_slice()]).await.expect("written first, not committed");
    revoke(&node.store, &issued[1]).await;
    let numberer = Uuid::new_v4();
    assert!(node.store.sequence_revocations(numberer).await.expect("numbers"));
    assert_eq!(published(&node.store).await, [(1, added(&issued[1]))], "what is not committed has no version");
    slow.commit().await.expect("commits");
    revoke(&node.store, &issued[2]).await;
    assert!(node.store.sequence_revocations(numberer).await.expect("numbers"));
    let rest = node.store.revocation_events(1, 10).await.expect("reads");
    assert_eq!(rest, [(2, added(&issued[0])), (3, added(&issued[2]))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_whose_lease_ran_out_numbers_nothing() {
    for taken_over in [false, true] {
        let schema = TestSchema::new().await;
        let proxy = Proxy::start().await;
        let (node, sleeper) = (Node::join(&schema).await, Node::with(&proxy.settings(&schema)).await);
        let issued = node.certificates(2).await;
        revoke(&node.store, &issued[0]).await;
        // It has the lease, has begun, and is put to sleep.
        proxy.arm("-- fence", Fault::Hold);
        let asleep = tokio::spawn(async move { sleeper.store.sequence_revocations(Uuid::new_v4()).await });
        proxy.held().await;
        let next = Uuid::new_v4();
        assert!(!node.store.sequence_revocations(next).await.expect("answers"), "the lease is another's");
        let_the_lease_run_out(&schema.client().await).await;
        if taken_over {
            assert!(node.store.sequence_revocations(next).await.expect("numbers"));
        }
        let before = published(&node.store).await;
        assert_eq!(before.len(), usize::from(taken_over));
        revoke(&node.store, &issued[1]).await;
        proxy.release();
        assert!(!asleep.await.expect("no panic").expect("answers"), "it holds nothing any more");
        assert_eq!(published(&node.store).await, before, "and numbered nothing");
        assert!(node.store.sequence_revocations(next).await.expect("numbers"));
        let versions: Vec<u64> = published(&node.store).await.iter().map(|(version, _)| *version).collect();
        assert_eq!(versions, [1, 2]);
    }
}
