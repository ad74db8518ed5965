//! `GET /v1/revocations` and its slices, over the real routes: an offline verifier that follows the list.

use std::time::Duration;

use serde_json::json;
use thexanh::certificate::Uvci;
use thexanh::http::access::Role;
use thexanh::revocation::index::SliceRef;
use thexanh::revocation::{Index, OfflineAnswer, OfflineRevocations, SliceError, Update, entry};

use crate::app::{TestApp, dose_of};

/// How long anything here may take at most; an index is made a second after the last one at the latest.
const PATIENCE: Duration = Duration::from_secs(20);

impl TestApp {
    pub async fn revoke(&self, uvci: &Uvci) {
        let request = json!({"uvci": uvci.to_string(), "why": "a test"});
        assert_eq!(self.post_as(Role::Ministry, "/v1/revocations", &request).await.status, 201);
    }

    /// The index once it holds so many events.
    pub async fn index_at(&self, version: u64) -> Index {
        let waiting = async {
            loop {
                let answer = self.get("/v1/revocations").await;
                assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
                let index = Index::parse(&answer.body).expect("an index");
                if index.version >= version {
                    return index;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("an index of the version")
    }

    async fn slice(&self, slice: &SliceRef) -> Vec<u8> {
        let answer = self.get(&format!("/v1/revocations/{}", slice.id)).await;
        assert_eq!((answer.status, answer.body.len() as u64), (200, slice.bytes));
        answer.body
    }

    /// Fetches what an update misses. Returns the state after it, and how many slices it took.
    async fn fetch(&self, mut update: Update) -> (OfflineRevocations, usize) {
        let missing = [update.missing(), update.missing_full()].concat();
        for slice in &missing {
            update.put(&self.slice(slice).await).expect("what the index says");
        }
        (update.finish().expect("whole"), missing.len())
    }
}

fn answer(offline: &OfflineRevocations, uvci: &Uvci) -> OfflineAnswer {
    offline.answer(&entry(&uvci.to_string()))
}

#[tokio::test]
async fn an_offline_verifier_hears_of_a_revocation_by_the_next_index() {
    let app = TestApp::start().await;
    let (one, _) = app.certificate_of(&dose_of(1)).await;
    let (two, _) = app.certificate_of(&dose_of(2)).await;
    let (known, slices) =
        app.fetch(OfflineRevocations::default().update(app.index_at(0).await).expect("the first")).await;
    assert_eq!((known.version(), slices), (0, 0), "nothing is revoked");
    assert_eq!(answer(&known, &one), OfflineAnswer::NotRevoked);

    app.revoke(&one).await;
    let update = known.update(app.index_at(1).await).expect("newer");
    // The filter alone is not enough to say that it is revoked.
    let mut filters = update.clone();
    for slice in filters.missing() {
        filters.put(&app.slice(&slice).await).expect("what the index says");
    }
    assert_eq!(answer(&filters.finish().expect("whole"), &one), OfflineAnswer::Unconfirmed);
    let (known, slices) = app.fetch(update).await;
    assert_eq!((known.version(), known.count(), slices), (1, 1, 2));
    assert_eq!((answer(&known, &one), answer(&known, &two)), (OfflineAnswer::Revoked, OfflineAnswer::NotRevoked));
}

#[tokio::test]
async fn a_slice_that_was_changed_on_the_way_is_refused_and_the_old_state_stays() {
    let app = TestApp::start().await;
    let (one, _) = app.certificate_of(&dose_of(1)).await;
    let (two, _) = app.certificate_of(&dose_of(2)).await;
    app.revoke(&one).await;
    let (known, _) = app.fetch(OfflineRevocations::default().update(app.index_at(1).await).expect("the first")).await;
    app.revoke(&two).await;
    let mut update = known.update(app.index_at(2).await).expect("newer");
    for slice in [update.missing(), update.missing_full()].concat() {
        let mut bytes = app.slice(&slice).await;
        *bytes.last_mut().expect("not empty") ^= 1;
        assert_eq!(update.put(&bytes), Err(SliceError::UnknownSlice));
    }
    assert_eq!(update.clone().finish().err(), Some(SliceError::Missing));
    assert_eq!((answer(&known, &one), answer(&known, &two)), (OfflineAnswer::Revoked, OfflineAnswer::NotRevoked));
    let (known, _) = app.fetch(update).await;
    assert_eq!((answer(&known, &one), answer(&known, &two)), (OfflineAnswer::Revoked, OfflineAnswer::Revoked));
}

#[tokio::test]
async fn slices_never_change_and_are_served_after_their_index() {
    let app = TestApp::start().await;
    let (one, _) = app.certificate_of(&dose_of(1)).await;
    let (two, _) = app.certificate_of(&dose_of(2)).await;
    app.revoke(&one).await;
    let first = app.index_at(1).await;
    app.revoke(&two).await;
    let second = app.index_at(2).await;
    let slices = |index: &Index| index.slices().collect::<Vec<_>>();
    assert_eq!((slices(&first).len(), slices(&second).len()), (2, 2));
    for slice in slices(&first).iter().chain(&slices(&second)) {
        let path = format!("/v1/revocations/{}", slice.id);
        let sent = app.get(&path).await;
        assert_eq!(sent.header("content-type"), "application/octet-stream");
        assert_eq!(sent.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(sent.header("access-control-allow-origin"), "*");
        assert_eq!(sent.header("etag"), format!("\"{}\"", slice.id));
        let again = app.request("GET", &path, &[("if-none-match", sent.header("etag"))], b"").await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        let head = app.request("HEAD", &path, &[], b"").await;
        assert_eq!((head.status, head.header("content-length")), (200, &*slice.bytes.to_string()));
    }
    let unknown = ["A".repeat(43), "A".repeat(42), "A".repeat(44), "x".to_owned(), "%00".to_owned()];
    for id in unknown {
        let answer = app.get(&format!("/v1/revocations/{id}")).await;
        answer.problem(404, "unknown_slice");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
}

#[tokio::test]
async fn the_index_is_sent_once_an_edition() {
    let app = TestApp::start().await;
    let empty = app.get("/v1/revocations").await;
    assert_eq!(empty.json(), json!({"version": 0, "count": 0, "layers": [], "removed": []}));
    assert!(empty.header("cache-control").starts_with("public, max-age="));
    let asked = [("if-none-match", empty.header("etag"))];
    assert_eq!(app.request("GET", "/v1/revocations", &asked, b"").await.status, 304);
    let (uvci, _) = app.certificate_of(&dose_of(1)).await;
    app.revoke(&uvci).await;
    app.index_at(1).await;
    assert_eq!(app.request("GET", "/v1/revocations", &asked, b"").await.status, 200);
    // Pages of every origin may read it; none may revoke.
    let options = app.request("OPTIONS", "/v1/revocations", &[], b"").await;
    assert_eq!(options.header("allow"), "GET, HEAD, POST, OPTIONS");
    assert_eq!(options.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
    let refused = app.request("POST", "/v1/revocations", &[("content-type", "application/json")], b"{}").await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, ""));
}
