//! `GET /v1/status-lists`: a verifier that knows the standard form, and the look-up by prefix of the log.

use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ciborium::Value;
use serde_json::json;
use thexanh::certificate::{UnixSeconds, Uvci};
use thexanh::http::access::Role;
use thexanh::revocation::status_list::{self, LEN, place};
use thexanh::store::SignStatusList;
use thexanh::tlog::entry_of_text;
use uuid::Uuid;

use crate::app::{NOW, TestApp, dose_of};
use crate::client::Answer;
use crate::interop;
use crate::log::hex;

/// Longer than anything here takes, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
const ALL: &str = "http://localhost/v1/status-lists";

/// The members of a map of CBOR.
fn member<'v>(map: &'v Value, key: &Value) -> &'v Value {
    let members = map.as_map().expect("a map");
    &members.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("{key:?} in {map:?}")).1
}

/// The claims of a token, unproved.
fn claims(token: &[u8]) -> Value {
    let Value::Tag(18, sign1) = ciborium::from_reader(token).expect("CBOR") else { panic!("no COSE_Sign1") };
    let payload = sign1.as_array().and_then(|sign1| sign1[2].as_bytes()).expect("a payload");
    ciborium::from_reader(payload.as_slice()).expect("CBOR")
}

/// The places in a token's list that are not 0, and how many there are in all.
fn invalid(token: &[u8]) -> (Vec<u64>, u64) {
    let claims = claims(token);
    let lst = member(member(&claims, &65533.into()), &"lst".into()).as_bytes().expect("bytes");
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(lst.as_slice()).read_to_end(&mut bytes).expect("a zlib stream");
    let all = 8 * bytes.len() as u64;
    ((0..all).filter(|at| bytes[(at / 8) as usize] >> (at % 8) & 1 == 1).collect(), all)
}

impl TestApp {
    /// Where a text's entry is in the log, as anybody finds it.
    async fn index_of(&self, text: &str) -> u64 {
        let entry = hex(&entry_of_text(text).expect("a certificate"));
        let began = Instant::now();
        loop {
            let named = self.get(&format!("/v1/log/by-prefix/{}", &entry[..1])).await;
            // Before the first entry there is no log.
            let entries = if named.status == 200 { named.json()["entries"].clone() } else { json!([]) };
            let entries = entries.as_array().expect("entries").clone();
            if let Some(found) = entries.iter().find(|found| found["begins"] == entry[..16]) {
                return found["index"].as_u64().expect("an index");
            }
            assert!(began.elapsed() < PATIENCE, "it is to be in the log");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn status_list(&self, n: u64) -> Answer {
        let answer = self.get(&format!("/v1/status-lists/{n}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/statuslist+cwt"));
        answer
    }

    /// The first list, once these places in it are invalid and no others.
    async fn status_list_saying(&self, expected: &[u64]) -> Answer {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let began = Instant::now();
        loop {
            let answer = self.status_list(0).await;
            let (invalid, len) = invalid(&answer.body);
            assert_eq!(len, LEN);
            if invalid == expected {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "{invalid:?}, not {expected:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Signs a list as the node would, whatever the log has.
    async fn sign_nth_list(&self, n: u64) {
        let key = self.app.publisher_key().expect("a publisher");
        let (uri, node, began, now) = (format!("{ALL}/{n}"), Uuid::new_v4(), Instant::now(), self.clock.now());
        let sign = move |places: &[u64]| status_list::sign(&uri, ALL, places.iter().copied(), now, &key);
        let sign: SignStatusList = Arc::new(sign);
        // While the node is at it, it holds the lease.
        while !self.app.store().sign_status_list(node, n, Arc::clone(&sign)).await.expect("asks").expect("signs") {
            assert!(began.elapsed() < PATIENCE, "the lease ends");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.app.store().stop_listing(node).await.expect("gives it back");
        self.app.tend_status_lists().await.expect("takes it over");
    }

    async fn travel_text(&self, uvci: &Uvci) -> String {
        let path = format!("/v1/certificates/{uvci}.txt?profile=hc1");
        self.get_as(Role::Facility, &path).await.text().to_owned()
    }

    async fn undo_one(&self, uvci: &Uvci) {
        let asked = json!({"why": "it was wrong"});
        let path = format!("/v1/revocations/{uvci}/undo");
        assert_eq!(self.send("POST", &path, &self.bearer_named("another"), &asked).await.status, 200);
    }
}

#[tokio::test]
async fn a_revocation_is_where_the_log_says_in_both_forms_and_its_undoing_takes_it_away() {
    let app = TestApp::start().await;
    let mut issued = Vec::new();
    for n in 0..4 {
        issued.push(app.certificate_of(&dose_of(n)).await);
    }
    let (uvci, text) = &issued[1];
    let travel = app.travel_text(uvci).await;
    // At once: it may not be in the log yet.
    app.revoke(uvci).await;
    let places = [app.index_of(text).await, app.index_of(&travel).await];
    assert_ne!(places[0], places[1]);
    assert!(places.iter().all(|index| place(*index) == (0, *index)));
    app.status_list_saying(&places).await;

    // Another list, which nothing happens to.
    app.sign_nth_list(1).await;
    let quiet = app.status_list(1).await;
    let (first, second) = (app.status_list(0).await, &issued[2]);
    let at = app.index_of(&second.1).await;
    app.revoke(&second.0).await;
    let changed = app.status_list_saying(&[places[0], places[1], at]).await;
    assert_ne!(changed.header("etag"), first.header("etag"));
    app.undo_one(uvci).await;
    let undone = app.status_list_saying(&[at]).await;
    app.undo_one(&second.0).await;
    app.status_list_saying(&[]).await;
    app.revoke(&second.0).await;
    let again = app.status_list_saying(&[at]).await;
    assert_eq!(again.body, undone.body, "the same clock, the same list, the same bytes");
    let same = app.status_list(1).await;
    assert_eq!((same.header("etag"), &same.body), (quiet.header("etag"), &quiet.body), "not signed again");

    let known = [("if-none-match", again.header("etag"))];
    let unchanged = app.request("GET", "/v1/status-lists/0", &known, b"").await;
    assert_eq!((unchanged.status, unchanged.body.len(), unchanged.header("etag")), (304, 0, again.header("etag")));
    let known = [("if-none-match", first.header("etag"))];
    assert_eq!(app.request("GET", "/v1/status-lists/0", &known, b"").await.status, 200);
    for header in [&again, &unchanged].map(|answer| answer.header("cache-control")) {
        assert_eq!(header, "public, max-age=30, stale-while-revalidate=30", "no longer than its ttl");
    }
    assert_eq!(again.header("access-control-allow-origin"), "*");

    let claims = claims(&again.body);
    let claim = |key: i64| member(&claims, &key.into());
    assert_eq!((claim(2).as_text(), claim(6), claim(65534)), (Some(&*format!("{ALL}/0")), &NOW.0.into(), &60.into()));
    let list = claim(65533);
    assert_eq!(
        (member(list, &"bits".into()), member(list, &"aggregation_uri".into()).as_text()),
        (&1.into(), Some(ALL))
    );
    let all = app.get("/v1/status-lists").await;
    assert_eq!((all.status, all.header("content-type")), (200, "application/json"));
    assert_eq!(all.json(), json!({"status_lists": [format!("{ALL}/0"), format!("{ALL}/1")]}));
    let known = [("if-none-match", all.header("etag"))];
    assert_eq!(app.request("GET", "/v1/status-lists", &known, b"").await.status, 304);
    app.stop().await;
}

#[tokio::test]
async fn there_is_a_list_for_the_first_entry_and_no_other_number_has_one() {
    let app = TestApp::start_with(|config| config.http.public_url = "https://cert.example".to_owned()).await;
    assert_eq!(invalid(&app.status_list(0).await.body), (vec![], LEN));
    let all = app.get("/v1/status-lists").await.json();
    assert_eq!(all, json!({"status_lists": ["https://cert.example/v1/status-lists/0"]}));
    let uri = claims(&app.status_list(0).await.body);
    assert_eq!(member(&uri, &2.into()).as_text(), Some("https://cert.example/v1/status-lists/0"));
    for path in
        ["1", "2", "00", "+0", "-1", "0x0", "x", "18446744073709551615", "18446744073709551616", "0?time=1686925000"]
    {
        let answer = app.get(&format!("/v1/status-lists/{path}")).await;
        answer.problem(404, "unknown_status_list");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
    }
    // A list whose address is no longer ours is signed anew.
    app.sign_nth_list(0).await;
    let uri = claims(&app.status_list(0).await.body);
    assert_eq!(member(&uri, &2.into()).as_text(), Some("https://cert.example/v1/status-lists/0"));
    app.stop().await;
}

#[tokio::test]
async fn a_list_is_signed_anew_when_half_of_its_time_is_over_and_is_the_same_on_every_node() {
    let app = TestApp::start().await;
    let (uvci, text) = app.certificate_of(&dose_of(1)).await;
    let (next, next_text) = app.certificate_of(&dose_of(2)).await;
    let (at, next_at) = (app.index_of(&text).await, app.index_of(&next_text).await);
    app.revoke(&uvci).await;
    let first = app.status_list_saying(&[at]).await;
    for (later, signed_anew) in [(43_199, false), (43_200, false), (43_201, true)] {
        app.clock.set(UnixSeconds(NOW.0 + later));
        app.app.tend_status_lists().await.expect("tends");
        let list = app.status_list_saying(&[at]).await;
        assert_eq!(list.body != first.body, signed_anew, "{later} s later");
        let iat = if signed_anew { NOW.0 + later } else { NOW.0 };
        let claims = claims(&list.body);
        assert_eq!((member(&claims, &6.into()), member(&claims, &4.into())), (&iat.into(), &(iat + 86_400).into()));
    }
    let (served, other) = (app.status_list(0).await, app.another().await);
    let path = "/v1/status-lists/0";
    let there = crate::client::Connection::open(other.address()).await.request("GET", path, &[], b"").await;
    assert_eq!((there.header("etag"), &there.body), (served.header("etag"), &served.body));
    // Whoever holds the lease, what one node is asked is in the list of the other.
    app.revoke(&next).await;
    app.status_list_saying(&[at, next_at]).await;
    let (began, mut connection) = (Instant::now(), crate::client::Connection::open(other.address()).await);
    while connection.request("GET", path, &[], b"").await.body == served.body {
        assert!(began.elapsed() < PATIENCE, "it follows");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    other.stop().await;
    app.stop().await;
}

#[tokio::test]
async fn a_list_that_somebody_changed_in_the_database_is_not_served_and_made_anew() {
    let app = TestApp::start().await;
    let (uvci, text) = app.certificate_of(&dose_of(1)).await;
    let at = app.index_of(&text).await;
    app.revoke(&uvci).await;
    let honest = app.status_list_saying(&[at]).await;
    let sql = app.sql().await;
    let spoil =
        "UPDATE status_list SET token_id = gen_random_uuid(), token = set_byte(token, 200, 255 - get_byte(token, 200))";
    assert_eq!(sql.execute(spoil, &[]).await.expect("spoils"), 1);
    app.app.tend_status_lists().await.expect("tends");
    assert_eq!(app.status_list(0).await.body, honest.body);
    let began = Instant::now();
    let stored = "SELECT token FROM status_list WHERE n = 0";
    while sql.query_one(stored, &[]).await.expect("reads").get::<_, Vec<u8>>(0) != honest.body {
        assert!(began.elapsed() < PATIENCE, "it is signed anew");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_asks_a_status_as_the_specification_says_and_refuses_what_it_is_to() {
    let app = TestApp::start().await;
    let (uvci, text) = app.certificate_of(&dose_of(1)).await;
    let (_, other) = app.certificate_of(&dose_of(2)).await;
    let (revoked, valid) = (app.index_of(&text).await, app.index_of(&other).await);
    app.revoke(&uvci).await;
    let token = app.status_list_saying(&[revoked]).await.body;
    let (uri, later) = (format!("{ALL}/0"), NOW.0 + 86_399);
    let (mut altered, mut unsigned, signature) = (token.clone(), token.clone(), token.len() - 64);
    altered[signature - 3] ^= 1; // the last of the payload: a ttl of 61 seconds
    unsigned[signature..].fill(0);
    let somebody = thexanh::keys::IssuerKey::generate(thexanh::keys::Algorithm::EdDsa).expect("generates");
    let forged = status_list::sign(&uri, ALL, [], NOW, &somebody).expect("signs");
    let index = app.request("GET", "/v1/revocations", &[("accept", "application/cose")], b"").await.body;
    let ask = |token: &[u8], uri: &str, index: u64, now: i64| format!("{} {uri} {index} {now}", ::hex::encode(token));
    let asked = [
        (ask(&token, &uri, revoked, NOW.0), json!(1)),
        (ask(&token, &uri, valid, NOW.0), json!(0)),
        (ask(&token, &uri, LEN - 1, later), json!(0)),
        (ask(&token, &uri, LEN, NOW.0), json!("out of bounds")),
        (ask(&token, &uri, revoked, later + 1), json!("expired")),
        (ask(&token, &format!("{ALL}/1"), revoked, NOW.0), json!("subject")),
        (ask(&altered, &uri, revoked, NOW.0), json!("signature")),
        (ask(&unsigned, &uri, revoked, NOW.0), json!("signature")),
        (ask(&forged, &uri, revoked, NOW.0), json!("signer")),
        (ask(&index, &uri, revoked, NOW.0), json!("malformed")),
        (ask(&token[..token.len() - 1], &uri, revoked, NOW.0), json!("malformed")),
    ];
    let trust = app.get("/v1/trust-list").await.body;
    let answers = interop::run("status_list", &trust, &asked.each_ref().map(|(line, _)| line.as_str()));
    assert_eq!(answers, asked.map(|(_, expected)| expected));
    app.stop().await;
}
