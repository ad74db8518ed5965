//! Keys that come, follow one another and are withdrawn, and the list of them that the anchor signs: seen by those who verify,
//! on nodes that share a database.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thexanh::app::{OVERLAP_S, by_command_line, rotation, signer_row};
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::Role;
use thexanh::keyring::{self, Keyring};
use thexanh::keys::{Algorithm, IssuerKey, PublicKey};
use thexanh::signed::{self, Kind, Refusal};
use thexanh::store::{KeyChange, Purpose};
use thexanh::trust::TrustListDocument;

use crate::app::{NOW, TestApp, dose_of};
use crate::cli::{Place, Service};
use crate::client::{Answer, Connection};

const PASSPHRASE: &str = "a passphrase of the tests";

/// A directory of secret keys of one test's own.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        Dir(std::env::temp_dir().join(format!("thexanh-it-{name}-{}", std::process::id())))
    }

    /// The same keys in another directory.
    fn copy(&self, name: &str) -> Dir {
        let other = Dir::new(name);
        std::fs::create_dir_all(&other.0).expect("makes");
        self.copy_into(&other);
        other
    }

    fn copy_into(&self, other: &Dir) {
        for file in std::fs::read_dir(&self.0).expect("lists") {
            let path = file.expect("lists").path();
            std::fs::copy(&path, other.0.join(path.file_name().expect("a name"))).expect("copies");
        }
    }

    fn without(self, file: &str) -> Dir {
        std::fs::remove_file(self.0.join(file)).expect("removes");
        self
    }

    fn keyring(&self) -> Keyring {
        Keyring::open_or_create(&self.0, PASSPHRASE).expect("opens")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl TestApp {
    async fn signed_list(&self) -> Answer {
        self.request("GET", "/v1/trust-list", &[("accept", "application/cose")], b"").await
    }

    async fn change(&self, changes: &[KeyChange]) {
        let by = by_command_line("key.list", "a test".to_owned(), self.clock.now());
        assert_eq!(self.app.store().change_keys(changes, &by).await.expect("changes"), changes.len());
        self.app.refresh().await.expect("refreshes");
    }

    /// Records a dose of the `n`th person, has its certificate accepted here, and gives its text and its key's kid.
    async fn issue(&self, n: u32) -> (String, Value) {
        let (_, text) = self.certificate_of(&dose_of(n)).await;
        let verdict = self.verify(&text).await;
        assert_eq!(verdict["result"], "accepted", "{verdict}");
        (text, verdict["kid"].clone())
    }
}

fn kid(key: &IssuerKey) -> Value {
    json!(key.kid().to_string())
}

fn compact_key(keyring: &Keyring) -> IssuerKey {
    keyring.issuers().into_iter().find(|key| key.algorithm() == Algorithm::EdDsa).expect("made")
}

fn public(key: &IssuerKey) -> PublicKey {
    PublicKey::from_spki_der(key.spki_der()).expect("a key")
}

#[tokio::test]
async fn the_signed_list_is_the_same_on_every_node_and_says_what_the_json_says() {
    let dir = Dir::new("signed-list");
    let one = TestApp::start_with_keys(dir.keyring()).await;
    let anchor = public(one.keyring.anchor().expect("made"));
    let other = one.beside(dir.copy("signed-list-other").without("anchor.pem").keyring()).await;
    let (signed, same) = (one.signed_list().await, other.signed_list().await);
    assert_eq!((signed.status, signed.header("content-type")), (200, "application/cose; cose-type=\"cose-sign1\""));
    assert_eq!((&signed.body, signed.header("etag")), (&same.body, same.header("etag")));
    let opened = signed::open(Kind::TrustList, &signed.body, [&anchor], NOW, 1).expect("opens");
    assert_eq!((opened.stamp.version, opened.stamp.issued_at), (1, NOW));
    assert_eq!(opened.stamp.next_update, UnixSeconds(NOW.0 + 30 * 24 * 3600));
    for node in [&one, &other] {
        let json = node.get("/v1/trust-list").await;
        assert_eq!((json.header("content-type"), &json.body[..]), ("application/json", opened.payload));
        assert_eq!(node.get("/readyz").await.text(), "ready\n");
    }
    let list = TrustListDocument::from_json(opened.payload).expect("a list");
    let publishers: Vec<_> = list.publishers.iter().map(|publisher| publisher.kid.clone()).collect();
    assert_eq!(publishers, [one.app.publisher_key().expect("made").kid().to_string()]);
    assert_eq!(list.anchor.expect("named").kid, anchor.kid().to_string());

    // Asked again it costs nothing; the next version is signed at once, and no list before it is taken any more.
    let again = [("accept", "application/cose"), ("if-none-match", signed.header("etag"))];
    assert_eq!(one.request("GET", "/v1/trust-list", &again, b"").await.status, 304);
    one.change(&[KeyChange::Withdraw(compact_key(&one.keyring).kid())]).await;
    let next = one.signed_list().await;
    let opened = signed::open(Kind::TrustList, &next.body, [&anchor], NOW, 2).expect("opens");
    assert_eq!(opened.stamp.version, 2);
    let old = signed::open(Kind::TrustList, &signed.body, [&anchor], NOW, 2);
    assert_eq!(old.map(|_| ()), Err(Refusal::OlderVersion));
    let (store, by) = (one.app.store(), by_command_line("trust.import", "a test".to_owned(), NOW));
    let stamp = TrustListDocument::open(&signed.body, [&anchor], NOW, 1).expect("opens").stamp();
    assert!(
        !store.put_signed(Kind::TrustList, stamp, &signed.body, &by).await.expect("asks"),
        "no rollback here either"
    );
}

#[tokio::test]
async fn a_list_is_signed_again_before_it_is_stale_and_one_that_is_stale_is_said_to_be() {
    let dir = Dir::new("stale");
    let app = TestApp::start_with_keys(dir.keyring()).await;
    let issued_at = |answer: &Answer| {
        signed::open(Kind::TrustList, &answer.body, [&public(app.keyring.anchor().expect("made"))], app.clock.now(), 1)
            .expect("opens")
            .stamp
            .issued_at
    };
    let half = 15 * 24 * 3600;
    for (later, signed_at) in [(half - 1, 0), (half, 0), (half + 1, half + 1)] {
        app.clock.set(UnixSeconds(NOW.0 + later));
        app.app.refresh().await.expect("refreshes");
        assert_eq!(issued_at(&app.signed_list().await).0 - NOW.0, signed_at, "{later} s later");
    }
    // Where the anchor is elsewhere nobody does it.
    let other = app.beside(dir.copy("stale-other").without("anchor.pem").keyring()).await;
    app.app.stop().await;
    let until = NOW.0 + half + 1 + 30 * 24 * 3600;
    for (now, said) in [(until, "ready\n"), (until + 1, "ready\nsee to: the signed trust list is stale\n")] {
        app.clock.set(UnixSeconds(now));
        assert_eq!(other.get("/readyz").await.text(), said);
    }
    assert!(other.get("/metrics").await.text().contains("thexanh_remarks 1"));
}

#[tokio::test]
async fn a_node_without_the_anchor_serves_what_was_signed_elsewhere_and_nothing_else() {
    let dir = Dir::new("no-anchor");
    let anchor = dir.keyring().anchor().expect("made").clone();
    let dir = dir.without("anchor.pem");
    let app = TestApp::start_with_keys(dir.keyring()).await;
    app.signed_list().await.problem(503, "not_signed");
    assert_eq!(app.get("/readyz").await.text(), "ready\nsee to: no trust list is signed\n");
    let unsigned = app.get("/v1/trust-list").await;
    assert_eq!(unsigned.json()["anchor"]["kid"], kid(&anchor), "whose signature is to come");

    let store = app.app.store();
    let by = |action| by_command_line(action, "a test".to_owned(), NOW);
    let sign = |key: &IssuerKey| TrustListDocument::sign(&unsigned.body, key).expect("signs");
    let stamp = TrustListDocument::from_json(&unsigned.body).expect("a list").stamp();
    assert!(store.put_signed(Kind::TrustList, stamp, &sign(&anchor), &by("trust.import")).await.expect("stores"));
    app.app.refresh().await.expect("refreshes");
    assert_eq!(app.signed_list().await.body, sign(&anchor));
    assert_eq!(app.get("/readyz").await.text(), "ready\n");

    // What somebody else signed is refused, whoever put it there; what was served still is.
    let later = signed::Stamp { issued_at: UnixSeconds(NOW.0 + 1), ..stamp };
    let forged = sign(&IssuerKey::generate(Algorithm::EdDsa).expect("generates"));
    assert!(store.put_signed(Kind::TrustList, later, &forged, &by("trust.import")).await.expect("stores"));
    app.app.refresh().await.expect("refreshes");
    assert_eq!(app.signed_list().await.body, sign(&anchor));
    let said = "ready\nsee to: the signed trust list in the database is refused\n";
    assert_eq!(app.get("/readyz").await.text(), said);

    // A withdrawal does not wait for the anchor.
    let (text, issuer) = app.issue(1).await;
    assert_eq!(issuer, kid(&compact_key(&app.keyring)));
    app.change(&[KeyChange::Withdraw(compact_key(&app.keyring).kid())]).await;
    assert_eq!(app.verify(&text).await["reason"], "key_withdrawn");
    assert!(app.get("/v1/trust-list").await.json()["keys"].to_string().contains("withdrawn_at"));
    assert_eq!(app.signed_list().await.body, sign(&anchor), "signed while it was not yet");
}

impl TestApp {
    /// Has the list in force signed where the anchor is kept.
    async fn have_signed(&self, anchor: &IssuerKey) {
        let json = self.get("/v1/trust-list").await.body;
        let stamp = TrustListDocument::from_json(&json).expect("a list").stamp();
        let signed = TrustListDocument::sign(&json, anchor).expect("signs");
        let by = by_command_line("trust.import", "a test".to_owned(), self.clock.now());
        assert!(self.app.store().put_signed(Kind::TrustList, stamp, &signed, &by).await.expect("stores"));
        self.app.refresh().await.expect("refreshes");
    }
}

#[tokio::test]
async fn the_next_key_waits_for_the_anchor_as_long_as_the_one_before_may_sign() {
    let dir = Dir::new("waits");
    let anchor = dir.keyring().anchor().expect("made").clone();
    let dir = dir.without("anchor.pem");
    let app = TestApp::start_with_keys(dir.keyring()).await;
    app.have_signed(&anchor).await;
    let first = compact_key(&app.keyring);
    let next = keyring::add_issuer(&dir.0, PASSPHRASE, Algorithm::EdDsa).expect("makes");
    let (_, listed) = app.app.store().issuer_keys().await.expect("reads");
    let begins = UnixSeconds(NOW.0 + 1);
    app.change(&rotation(&listed, &next, begins).expect("own keys")).await;
    app.clock.set(begins);
    assert_eq!(app.issue(1).await.1, kid(&first), "verifiers do not know the next one");
    app.clock.set(UnixSeconds(begins.0 + OVERLAP_S + 1));
    assert_eq!(app.issue(2).await.1, kid(&next), "better than none");
    app.clock.set(UnixSeconds(begins.0 + OVERLAP_S));
    assert_eq!(app.issue(3).await.1, kid(&first));
    app.have_signed(&anchor).await;
    assert_eq!(app.issue(4).await.1, kid(&next));
}

#[tokio::test]
async fn a_publisher_signs_only_once_the_signed_list_names_it() {
    let dir = Dir::new("publisher");
    let anchor = dir.keyring().anchor().expect("made").clone();
    let dir = dir.without("anchor.pem");
    let app = TestApp::start_with_keys(dir.keyring()).await;
    app.have_signed(&anchor).await;
    let first = app.app.publisher_key().expect("named").kid();
    let next = keyring::add_publisher(&dir.0, PASSPHRASE).expect("makes");
    let begins = UnixSeconds(NOW.0 + 1);
    app.change(&[KeyChange::ListSigner(signer_row(Purpose::Publisher, next.spki_der(), Some(begins)))]).await;
    app.clock.set(begins);
    assert_eq!(app.app.publisher_key().expect("named").kid(), first, "verifiers do not know the next one yet");
    app.have_signed(&anchor).await;
    assert_eq!(app.app.publisher_key().expect("named").kid(), next.kid());
    app.change(&[KeyChange::WithdrawPublisher(next.kid())]).await;
    assert_eq!(app.app.publisher_key().expect("named").kid(), first, "what is withdrawn waits for nobody");
}

#[tokio::test]
async fn the_next_key_is_known_before_it_signs_and_the_one_before_signs_on_where_it_is_not_there_yet() {
    let dir = Dir::new("rotation");
    let one = TestApp::start_with_keys(dir.keyring()).await;
    let behind = dir.copy("rotation-behind").without("anchor.pem");
    let other = one.beside(behind.keyring()).await;
    let first = compact_key(&one.keyring);
    let (old, by) = one.issue(1).await;
    assert_eq!(by, kid(&first));

    let next = keyring::add_issuer(&dir.0, PASSPHRASE, Algorithm::EdDsa).expect("makes");
    let begins = UnixSeconds(NOW.0 + 1000);
    let (_, listed) = one.app.store().issuer_keys().await.expect("reads");
    one.change(&rotation(&listed, &next, begins).expect("own keys")).await;
    other.app.refresh().await.expect("refreshes");
    let list = other.get("/v1/trust-list").await.json();
    let entry = |list: &Value, key: &IssuerKey| {
        list["keys"].as_array().expect("keys").iter().find(|entry| entry["kid"] == kid(key)).cloned().expect("listed")
    };
    assert_eq!(entry(&list, &next)["signs_from"], begins.0, "verifiers know it");
    assert_eq!(entry(&list, &first)["signs_until"], begins.0 + OVERLAP_S);

    let mut issued = vec![old];
    let end = begins.0 + OVERLAP_S;
    for (n, (now, by_one, by_other)) in [
        (begins.0 - 1, &first, &first),
        (begins.0, &next, &first), // the other has no copy of it
        (end, &next, &first),
    ]
    .into_iter()
    .enumerate()
    {
        one.clock.set(UnixSeconds(now));
        let n = 10 * (n as u32 + 1);
        for (node, n, key) in [(&one, n, by_one), (&other, n + 1, by_other)] {
            let (text, by) = node.issue(n).await;
            assert_eq!(by, kid(key), "at {now}");
            issued.push(text);
        }
    }
    // A copy that comes late is taken up without a new start.
    dir.copy_into(&behind);
    other.app.reread_keys().await;
    let (text, by) = other.issue(50).await;
    assert_eq!(by, kid(&next));
    issued.push(text);
    one.clock.set(UnixSeconds(end + 1));
    issued.push(one.issue(60).await.0);
    for text in &issued {
        for node in [&one, &other] {
            assert_eq!(node.verify(text).await["result"], "accepted", "whichever key signed it");
        }
    }
    let mut audited = one.app.store().audited(NOW.vietnamese_date(), None).await.expect("reads");
    audited.retain(|entry| entry.role == "operator");
    assert!(
        audited.iter().any(|entry| entry.action == "key.list")
            && audited.iter().any(|entry| entry.action == "trust.sign")
    );
}

#[tokio::test]
async fn what_is_withdrawn_on_one_node_falls_on_another_within_a_second() {
    let dir = Dir::new("withdrawal");
    let one = TestApp::start_with_keys(dir.keyring()).await;
    let other = one.beside(dir.keyring()).await;
    let (text, by) = one.issue(1).await;
    for _ in 0..3 {
        assert_eq!(other.verify(&text).await["result"], "accepted", "from its cache in the end");
    }
    let key = compact_key(&one.keyring);
    assert_eq!(by, kid(&key));
    let by = by_command_line("key.withdraw", "a test".to_owned(), NOW);
    one.app.store().change_keys(&[KeyChange::Withdraw(key.kid())], &by).await.expect("withdraws");
    let began = Instant::now();
    while other.verify(&text).await["result"] == "accepted" {
        assert!(began.elapsed() < Duration::from_secs(1), "still accepted");
    }
    assert_eq!(other.verify(&text).await["reason"], "key_withdrawn");
    other.post_as(Role::Facility, "/v1/doses", &dose_of(2)).await.problem(503, "unavailable");
    assert!(other.get("/readyz").await.problem(503, "not_ready").to_string().contains("a signing key for compact"));
}

#[test]
fn keys_are_signed_for_where_the_anchor_is_kept_and_withdrawn_in_another_process() {
    let place = Place::new("keys");
    assert_eq!(place.json(&["demo", "--once", "--people", "4"]).0, 0);
    let (status, anchor) = place.json(&["keys", "anchor", "--out", "anchor.pub"]);
    assert_eq!((status, anchor[0]["fingerprint"].as_str().map(str::len)), (0, Some(64)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ask = |service: &Service, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        runtime.block_on(async { Connection::open(service.address).await.request(method, path, headers, body).await })
    };

    // The anchor is carried away, with nothing else.
    let keys = place.0.join("data/keys");
    std::fs::create_dir_all(place.0.join("vault")).expect("makes");
    for file in ["anchor.pem", "anchor.pub.pem"] {
        std::fs::copy(keys.join(file), place.0.join("vault").join(file)).expect("copies");
    }
    std::fs::remove_file(keys.join("anchor.pem")).expect("removes");
    assert_eq!(place.json(&["keys", "sign"]).0, 3, "the anchor is not here");
    let service = place.serve();

    // The next key: exported, signed there, imported.
    let (status, next) = place.json(&["keys", "rotate", "--signs-from", "2999-01-01T00:00:00Z"]);
    assert_eq!((status, next[0]["ends"].as_array().map(Vec::len)), (0, Some(1)));
    let (status, exported) = place.json(&["keys", "sign", "--export", "list.json"]);
    assert_eq!((status, &exported[0]["version"]), (0, &json!(2)));
    let there = ["keys", "sign", "list.json", "--out", "list.cose", "--keys", "vault", "--data", "nowhere"];
    assert_eq!(place.json(&there).0, 0);
    assert!(!place.0.join("nowhere").exists(), "no database is needed there");
    let (status, imported) = place.json(&["keys", "sign", "--import", "list.cose"]);
    assert_eq!((status, &imported[0]["signed"]), (0, &json!(2)));
    assert_eq!(place.json(&["keys", "sign", "--import", "list.cose"]).0, 1, "it is there already");
    let bearer = place.bearer();
    let headers = [("content-type", "application/json"), ("authorization", &*bearer)];
    let certified = ask(&service, "POST", "/v1/doses", &headers, dose_of(1).to_string().as_bytes()).json();
    let text = certified["text"].as_str().expect("a certificate");

    // Verified off line by the signed list under the anchor, and by nothing less.
    std::fs::write(place.0.join("cut.cose"), &std::fs::read(place.0.join("list.cose")).expect("reads")[1..])
        .expect("writes");
    let verify =
        |text: &str, trust: &str, anchor: &str| place.json(&["verify", text, "--trust", trust, "--anchor", anchor]).0;
    assert_eq!(verify(text, "list.cose", "anchor.pub"), 0);
    assert_eq!(verify(text, "list.json", "anchor.pub"), 3, "not signed");
    assert_eq!(verify(text, "cut.cose", "anchor.pub"), 3, "cut");
    assert_eq!(place.json(&["verify", text, "--trust", "list.cose"]).0, 2, "without an anchor");
    assert_eq!(place.json(&["keys", "anchor", "--new", "--keys", "other", "--out", "other.pub"]).0, 0);
    assert_eq!(verify(text, "list.cose", "other.pub"), 3, "of another anchor");

    // Withdrawn by a process of its own, in the absence of the anchor: the service follows within a second.
    let verdict = || ask(&service, "POST", "/v1/verify", &[("content-type", "text/plain")], text.as_bytes()).json();
    let verdict_before = verdict();
    assert_eq!(verdict_before["result"], "accepted");
    let kid = verdict_before["kid"].as_str().expect("a kid");
    assert_eq!(place.json(&["keys", "withdraw", kid, "--why", "a test"]).0, 0);
    let began = Instant::now();
    while verdict()["result"] == "accepted" {
        assert!(began.elapsed() < Duration::from_secs(1), "still accepted");
    }
    assert_eq!(verdict()["reason"], "key_withdrawn");

    // All of it in one file, and back.
    assert_eq!(place.json(&["keys", "backup", "keys.backup"]).0, 0);
    assert_eq!(place.json(&["keys", "restore", "keys.backup", "--keys", "restored"]).0, 0);
    assert_eq!(place.json(&["keys", "restore", "keys.backup", "--keys", "restored"]).0, 3, "never over others");
    let token = std::fs::read(keys.join("token.pem")).expect("reads");
    assert_eq!(std::fs::read(place.0.join("restored/token.pem")).expect("reads"), token);
    service.end(rustix::process::Signal::TERM);
}
