//! Other countries' revocation batches: in force from their import to their expiry or deletion.

use serde_json::json;
use thexanh::certificate::UnixSeconds;
use thexanh::revocation::foreign::{Batch, HashType};
use thexanh::revocation::{self, Change, Entry};
use thexanh::store::Audited;

use crate::app::{NOW, TestApp, asked_by, revoke};

const EXPIRES: UnixSeconds = UnixSeconds(NOW.0 + 1000);

fn batch(entries: &[Entry], expires_at: UnixSeconds) -> Batch {
    let (country, kid, hash_type) = ("DE".to_owned(), None, HashType::Uci);
    Batch { country, kid, hash_type, expires_at, entries: entries.to_vec() }
}

fn by() -> Audited {
    asked_by("an", "a batch", NOW)
}

impl TestApp {
    async fn import_batch(&self, id: &str, batch: &Batch) -> bool {
        self.app.store().import_revocations(id, batch, &by()).await.expect("imports")
    }

    async fn holds(&self, entry: &Entry) -> bool {
        self.app.refresh().await.expect("refreshes");
        self.app.engine().revoked().contains(entry)
    }
}

#[tokio::test]
async fn a_batch_is_in_force_until_it_expires_or_is_deleted_and_no_entry_before_its_last_batch() {
    let app = TestApp::start().await;
    let [one, two, three] = [[1; 16], [2; 16], [3; 16]];
    assert!(app.import_batch("a", &batch(&[one, two], EXPIRES)).await);
    assert!(!app.import_batch("a", &batch(&[one, two], EXPIRES)).await, "the same again changes nothing");
    assert!(app.import_batch("b", &batch(&[two, three], UnixSeconds(EXPIRES.0 + 1000))).await);
    assert!(app.holds(&one).await && app.holds(&two).await && app.holds(&three).await);
    // At its last second it is in force, and one later it is not.
    for (offset, gone) in [(-1, 0), (0, 0), (1, 1)] {
        app.clock.set(UnixSeconds(EXPIRES.0 + offset));
        let before = app.app.store().expire_foreign_revocations(app.clock.now()).await.expect("expires");
        let held = app.holds(&one).await;
        assert!(if gone == 0 { held && before == 0 } else { !held }, "{offset}");
    }
    assert!(app.holds(&two).await && app.holds(&three).await, "the other batch names them");
    // A batch that its country changed takes the place of the one before.
    assert!(app.import_batch("b", &batch(&[three], UnixSeconds(EXPIRES.0 + 1000))).await);
    assert!(!app.holds(&two).await && app.holds(&three).await);
    let store = app.app.store();
    assert!(store.delete_foreign_revocations("b", &by()).await.expect("deletes"));
    assert!(!store.delete_foreign_revocations("b", &by()).await.expect("answers"));
    assert!(!app.holds(&three).await);
    assert!(app.app.engine().revoked().is_empty());
    assert_eq!(app.count("SELECT count(*) FROM foreign_revocation").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM audit WHERE why = 'a batch'").await, 4, "each change once");
}

#[tokio::test]
async fn a_batch_neither_undoes_nor_outlasts_what_the_registry_says_of_its_own() {
    let app = TestApp::start().await;
    let (uvci, text) = app.certificate("R-1").await;
    let entry = revocation::entry(&uvci.to_string());
    // Imported first, revoked by us, then expired: it stays revoked.
    app.import_batch("a", &batch(&[entry], EXPIRES)).await;
    revoke(app.app.store(), &uvci, "an", NOW).await.expect("revokes");
    assert!(app.app.store().delete_foreign_revocations("a", &by()).await.expect("deletes"));
    assert!(app.holds(&entry).await);
    // Revoked by us first, imported, undone by us: it is accepted.
    app.import_batch("b", &batch(&[entry], EXPIRES)).await;
    let undo = format!("/v1/revocations/{uvci}/undo");
    let undone = app.send("POST", &undo, &app.bearer_named("binh"), &json!({"why": "x"})).await;
    assert_eq!(undone.status, 200);
    assert!(!app.holds(&entry).await);
    assert_eq!(app.verify(&text).await["result"], "accepted");
    let events = app.app.store().revocation_events(0, 100).await.expect("reads");
    let (add, remove) = (Change::Add(entry), Change::Remove(entry));
    let kinds: Vec<Change> = events.into_iter().map(|(_, change)| change).collect();
    assert_eq!(kinds, [add, add, remove]);
}

#[tokio::test]
async fn two_nodes_that_import_and_delete_at_once_leave_what_one_batch_names() {
    let app = TestApp::start().await;
    let entries: Vec<Entry> = (0..500_u128).map(|n| n.to_be_bytes()).collect();
    let ids: Vec<String> = (0..6).map(|n| format!("batch-{n}")).collect();
    let mut importing = tokio::task::JoinSet::new();
    for id in ids.clone() {
        let (store, batch) = (app.app.store().clone(), batch(&entries, EXPIRES));
        importing.spawn(async move { store.import_revocations(&id, &batch, &by()).await.expect("imports") });
    }
    assert!(importing.join_all().await.into_iter().all(|new| new));
    let mut deleting = tokio::task::JoinSet::new();
    for id in ids.iter().skip(1) {
        let (store, id) = (app.app.store().clone(), id.clone());
        deleting.spawn(async move { store.delete_foreign_revocations(&id, &by()).await.expect("deletes") });
    }
    assert!(deleting.join_all().await.into_iter().all(|removed| removed));
    assert!(app.holds(&entries[0]).await && app.holds(&entries[499]).await);
    assert_eq!(app.app.engine().revoked().len(), 500);
    assert_eq!(app.count("SELECT count(*) FROM revocation_event").await, 500, "published with the first alone");
    assert!(app.app.store().delete_foreign_revocations(&ids[0], &by()).await.expect("deletes"));
    assert!(!app.holds(&entries[0]).await && app.app.engine().revoked().is_empty());
}
