//! Status lists in the database: what is settled when, by whom, and with what is lost on the way.

use std::sync::Arc;

use thexanh::certificate::Uvci;
use thexanh::keys::{Algorithm, IssuerKey, KeyError};
use thexanh::store::{Settled, StatusListRow, Store};
use thexanh::tlog::{self, Checkpoint, head_of};
use uuid::Uuid;

use super::Node;
use super::proxy::{Fault, Proxy};
use crate::app::{NOW, revoke};
use crate::harness::TestSchema;

/// Numbers what waits for the log.
async fn grow(store: &Store) {
    let publisher = IssuerKey::generate(Algorithm::EdDsa).expect("generates");
    let (node, sign) = (Uuid::new_v4(), |checkpoint: &Checkpoint| checkpoint.sign(&publisher));
    store.grow_log(node, "a", NOW, true, &sign).await.expect("grows").expect("signs");
    store.stop_logging(node).await.expect("gives it back");
}

/// Revokes certificates, and numbers that.
async fn revoke_all(store: &Store, uvcis: &[Uvci]) {
    for uvci in uvcis {
        revoke(store, uvci, "tester", NOW).await.expect("revokes");
        number(store).await;
    }
}

async fn number(store: &Store) {
    let node = Uuid::new_v4();
    assert!(store.sequence_revocations(node).await.expect("numbers"));
    store.stop_sequencing(node).await.expect("gives it back");
}

/// Where the forms of a certificate are in the log.
async fn positions(store: &Store, uvci: &Uvci) -> Vec<u64> {
    let row = store.certificate(uvci).await.expect("reads").expect("is there").row;
    let mut positions = Vec::new();
    for form in [Some(row.compact), row.hc1].into_iter().flatten() {
        let head = head_of(&tlog::entry(&form).expect("a certificate"));
        let found = store.log_entries(head, head, 2).await.expect("reads");
        assert_eq!(found.len(), 1);
        positions.push(found[0].1);
    }
    positions
}

/// What is signed of the first list: its places, two bytes each, instead of a token.
fn written(places: &[u64]) -> Result<Vec<u8>, KeyError> {
    let mut places = places.to_vec();
    places.sort_unstable();
    Ok(places.iter().flat_map(|place| (*place as u16).to_be_bytes()).collect())
}

/// The places of the first list, signed by now.
async fn listed(store: &Store) -> Vec<u64> {
    let node = Uuid::new_v4();
    assert_eq!(store.sign_status_list(node, 0, Arc::new(written)).await.expect("asks"), Ok(true));
    store.stop_listing(node).await.expect("gives it back");
    let rows = store.status_lists([]).await.expect("reads");
    let [StatusListRow { n: 0, changed: false, token: Some(token), .. }] = rows.as_slice() else { panic!("{rows:?}") };
    token.chunks(2).map(|place| u64::from(u16::from_be_bytes([place[0], place[1]]))).collect()
}

fn up_to(version: u64) -> Settled {
    Settled::UpTo { version, unlogged: 0 }
}

#[tokio::test]
async fn a_revocation_waits_for_its_place_in_the_log_and_those_after_it_wait_with_it() {
    let schema = TestSchema::new().await;
    let node = Node::join(&schema).await;
    let (store, id) = (&node.store, Uuid::new_v4());
    assert_eq!(store.settle_statuses(id).await.expect("settles"), up_to(0));
    let early = node.certificates(2).await;
    grow(store).await;
    let late = node.record("79001", &crate::app::dose_of(90)).await.expect("records").uvci;
    revoke_all(store, &[early[0], late, early[1]]).await;
    assert_eq!(store.settle_statuses(id).await.expect("settles"), up_to(1));
    assert_eq!(store.settle_statuses(id).await.expect("settles"), Settled::Waits);
    assert_eq!(store.statuses_reached().await.expect("reads"), 1);
    assert_eq!(store.settle_statuses(Uuid::new_v4()).await.expect("asks"), Settled::Elsewhere);
    assert_eq!(store.sign_status_list(Uuid::new_v4(), 0, Arc::new(written)).await.expect("asks"), Ok(false));
    store.stop_listing(id).await.expect("gives it back");
    assert_eq!(listed(store).await, positions(store, &early[0]).await);
    grow(store).await;
    assert_eq!(store.settle_statuses(id).await.expect("settles"), up_to(3));
    let rows = store.status_lists([]).await.expect("reads");
    assert!(rows[0].changed);
    store.stop_listing(id).await.expect("gives it back");
    assert_eq!(listed(store).await, [0, 1, 2]);
    let rows = store.status_lists([(0, Uuid::new_v4()), (1, rows[0].token_id)]).await.expect("reads");
    let known = store.status_lists([(0, rows[0].token_id)]).await.expect("reads");
    assert_eq!(
        (rows[0].token.is_some(), &known[0].token),
        (true, &None),
        "a token is sent to those who do not know it"
    );
}

#[tokio::test]
async fn what_others_revoked_and_what_is_in_no_log_holds_nobody_up() {
    let schema = TestSchema::new().await;
    let node = Node::join(&schema).await;
    let (store, client) = (&node.store, schema.client().await);
    let lost = node.certificates(1).await[0];
    client.execute("DELETE FROM log_pending", &[]).await.expect("as if it had never been logged");
    let kept = node.record("79001", &crate::app::dose_of(90)).await.expect("records").uvci;
    grow(store).await;
    let imported =
        "INSERT INTO revocation_event (entry, nth, removes, imported, at) VALUES ('abcd', 0, false, true, now())";
    client.execute(imported, &[]).await.expect("imports");
    number(store).await;
    revoke_all(store, &[lost, kept]).await;
    let settled = store.settle_statuses(Uuid::new_v4()).await.expect("settles");
    assert_eq!(settled, Settled::UpTo { version: 3, unlogged: 1 });
    client.execute("DELETE FROM lease", &[]).await.expect("as if its holder were gone");
    assert_eq!(listed(store).await, positions(store, &kept).await);
}

#[tokio::test]
async fn a_travel_form_is_in_the_list_with_the_other_and_none_is_made_of_what_was_revoked() {
    let schema = TestSchema::new().await;
    let node = Node::join(&schema).await;
    let (store, issued) = (&node.store, node.certificates(2).await);
    // 18([h'A10126', {}, h'CA..', h'AA'])
    let cose = |last: u8| vec![0xD2, 0x84, 0x43, 0xA1, 0x01, 0x26, 0xA0, 0x42, 0xCA, last, 0x41, 0xAA];
    let person = async |uvci: &Uvci| store.certificate(uvci).await.expect("reads").expect("is there").row.person;
    let (first, second) = (person(&issued[0]).await, person(&issued[1]).await);
    grow(store).await;
    assert_eq!(store.put_hc1(first, &issued[0], &cose(1), NOW).await.expect("stores"), Some(cose(1)));
    revoke_all(store, &issued).await;
    assert_eq!(store.put_hc1(second, &issued[1], &cose(2), NOW).await.expect("asks"), None, "it was revoked meanwhile");
    assert_eq!(store.put_hc1(first, &issued[0], &cose(3), NOW).await.expect("asks"), Some(cose(1)));
    let id = Uuid::new_v4();
    assert_eq!(store.settle_statuses(id).await.expect("settles"), Settled::Waits, "for the form for travel");
    grow(store).await;
    assert_eq!(store.settle_statuses(id).await.expect("settles"), up_to(2));
    store.stop_listing(id).await.expect("gives it back");
    let mut expected = [positions(store, &issued[0]).await, positions(store, &issued[1]).await].concat();
    expected.sort_unstable();
    assert_eq!((listed(store).await, expected.len()), (expected, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_of_settling_or_signing_is_done_by_the_next_node() {
    let schema = TestSchema::new().await;
    let proxy = Proxy::start().await;
    let other = Node::join(&schema).await;
    let issued = other.certificates(16).await;
    grow(&other.store).await;
    let mut expected = Vec::new();
    let faults = [Fault::LoseRequest, Fault::LoseAnswer];
    let settling =
        ["START TRANSACTION", "-- fence", "standings of certificates", "set invalid", "statuses reach", "COMMIT"];
    let signing = ["invalid of a list", "put status list"];
    let all =
        settling.map(|statement| (statement, true)).into_iter().chain(signing.map(|statement| (statement, false)));
    let all = all.flat_map(|(statement, settles)| faults.map(|fault| (statement, settles, fault)));
    for (uvci, (statement, settles, fault)) in issued.iter().zip(all) {
        let (cut, id) = (Node::with(&proxy.settings(&schema)).await, Uuid::new_v4());
        revoke_all(&other.store, &[*uvci]).await;
        expected.extend(positions(&other.store, uvci).await);
        expected.sort_unstable();
        if !settles {
            assert_eq!(cut.store.settle_statuses(id).await.expect("settles"), up_to(expected.len() as u64));
        }
        proxy.arm(statement, fault);
        match settles {
            true => drop(cut.store.settle_statuses(id).await.expect_err("the connection was cut")),
            false => {
                drop(cut.store.sign_status_list(id, 0, Arc::new(written)).await.expect_err("the connection was cut"))
            }
        }
        assert!(!proxy.is_armed(), "{statement} is a statement of it");
        cut.store.stop_listing(id).await.expect("gives it back");
        let settled = other.store.settle_statuses(id).await.expect("settles");
        assert_eq!(settled, up_to(expected.len() as u64), "{statement}, {fault:?}");
        other.store.stop_listing(id).await.expect("gives it back");
        assert_eq!(listed(&other.store).await, expected, "{statement}, {fault:?}");
    }
    // A key that cannot sign changes nothing.
    let (nobody, id) = (|_: &[u64]| Err(KeyError::Unavailable), Uuid::new_v4());
    let before = other.store.status_lists([]).await.expect("reads");
    assert_eq!(other.store.sign_status_list(id, 0, Arc::new(nobody)).await.expect("asks"), Err(KeyError::Unavailable));
    assert_eq!(other.store.status_lists([]).await.expect("reads"), before);
}
