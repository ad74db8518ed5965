//! `POST /v1/verify`: every reason of DESIGN §3 earned by a real text, over the real routes and a real database.

use serde_json::json;
use thexanh::app::REASONS;
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::Role;
use thexanh::keys::{Algorithm, alg};
use thexanh::store::IssuerKeyRow;
use thexanh::trust::Usages;

use crate::app::{NOW, TestApp};
use crate::texts::{around, deflated_zeros, expires_at, forged, key, listed, text, text_given_on};

impl TestApp {
    /// Lists a key, and has it known here when this returns.
    async fn list(&self, row: IssuerKeyRow) {
        assert!(self.app.store().put_issuer_key(&row).await.expect("lists"));
        self.app.refresh().await.expect("refreshes");
    }

    async fn reason(&self, text: &str) -> String {
        let verdict = self.verify(text).await;
        match verdict["result"].as_str() {
            Some("accepted") => {
                assert!(verdict["certificate"].is_object() && verdict.get("reason").is_none(), "{verdict}");
                "accepted".to_owned()
            }
            _ => {
                assert_eq!((&verdict["result"], &verdict["card"]), (&json!("rejected"), &json!("red")));
                for fact in ["certificate", "kid", "profile", "type"] {
                    assert!(verdict.get(fact).is_none(), "a rejected answer shows nothing of the text: {verdict}");
                }
                verdict["reason"].as_str().expect("a reason").to_owned()
            }
        }
    }
}

#[tokio::test]
async fn an_accepted_answer_is_spelt_as_the_design_has_it() {
    let app = TestApp::start().await;
    let (uvci, text) = app.certificate("R-1").await;
    let headers = [("content-type", "application/json")];
    let body = json!({ "qr": text }).to_string();
    let answer = app.request("POST", "/v1/verify", &headers, body.as_bytes()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("content-encoding"), "");
    let kid = app.keyring.issuers().iter().find(|key| key.algorithm() == Algorithm::EdDsa).expect("a key").kid();
    let expected = json!({
        "result": "accepted", "card": "yellow", "profile": "compact", "type": "vaccination",
        "certificate": {
            "uvci": uvci.to_string(), "name": "Nguyễn Thị Phương Thảo", "birth": "1983-10-10", "dose": 1, "series": 2,
            "product": "EU/1/20/1528", "given_on": "2021-06-06", "issuer": "VN", "expires_at": expires_at().0,
        },
        "kid": kid.to_string(), "checked_at": NOW.0, "as_of": {"trust": 1, "revocations": 0, "rules": 1},
    });
    assert_eq!(answer.json(), expected);
    let text_answer = app.verify(&format!(" {text}\r\n")).await;
    assert_eq!(text_answer, expected, "white space at the ends is dropped");
    for _ in 0..3 {
        assert_eq!(app.verify(&text).await, expected, "the same from the cache");
    }
}

#[tokio::test]
async fn every_reason_is_earned_by_a_text() {
    let app = TestApp::start().await;
    let ours = key(Algorithm::EdDsa);
    app.list(listed(&ours)).await;
    let good = text(&ours, 1);
    assert_eq!(app.reason(&good).await, "accepted");
    let bounded = async |change: fn(&mut IssuerKeyRow)| {
        let key = key(Algorithm::EdDsa);
        let mut row = listed(&key);
        change(&mut row);
        app.list(row).await;
        text(&key, 2)
    };
    let withdrawn = bounded(|_| {}).await;
    assert_eq!(app.reason(&withdrawn).await, "accepted");
    let signature_cut = {
        let (_, coded) = good.split_at(4);
        let mut bytes = vec![0; 4096];
        let len = thexanh::codec::base45::decode_into(&mut bytes, coded.as_bytes()).expect("ours");
        bytes.truncate(len);
        *bytes.last_mut().expect("a signature") ^= 1;
        around("VN1:", &bytes)
    };
    let cases = [
        ("too_large", format!("VN1:{}", "0".repeat(4093))),
        ("too_large", around("HC1:", &deflated_zeros(1 << 20))),
        ("not_a_certificate", "hello".to_owned()),
        ("not_a_certificate", String::new()),
        ("unknown_prefix", "HC2:6BF".to_owned()),
        ("malformed_base45", "VN1:abc".to_owned()),
        ("malformed_zlib", around("HC1:", b"no zlib")),
        ("malformed_cose", around("VN1:", b"no COSE")),
        ("malformed_claims", forged(&ours, alg::EDDSA, b"no claims")),
        ("unknown_key", text(&key(Algorithm::EdDsa), 1)),
        ("algorithm_mismatch", forged(&ours, alg::ES256, &payload_of(&good))),
        ("bad_signature", signature_cut),
        ("key_not_yet_valid", bounded(|row| row.signs_from = Some(UnixSeconds(NOW.0 + 1))).await),
        ("key_not_yet_valid", bounded(|row| row.trusted_from = Some(UnixSeconds(NOW.0 + 61))).await),
        ("key_expired", bounded(|row| row.signs_until = Some(UnixSeconds(NOW.0 - 1))).await),
        ("key_expired", bounded(|row| row.trusted_until = Some(UnixSeconds(NOW.0 - 1))).await),
        ("key_usage", bounded(|row| row.usages = Usages { test: true, ..Usages::default() }).await),
        ("key_usage", bounded(|row| row.national = false).await),
        ("issuer_mismatch", bounded(|row| row.country = "FR".to_owned()).await),
        ("not_acceptable", text_given_on(&ours, 3, "2021-08-02")),
    ];
    let mut earned: Vec<&str> = Vec::new();
    for (reason, text) in &cases {
        assert_eq!(&app.reason(text).await, reason);
        earned.push(reason);
    }
    assert_eq!(app.verify(&cases[19].1).await["rule"], "dose_given");

    let withdrawn_kid = kid_of(&app, &withdrawn).await;
    assert!(app.app.store().withdraw_issuer_key(withdrawn_kid, NOW).await.expect("withdraws"));
    app.app.refresh().await.expect("refreshes");
    assert_eq!(app.reason(&withdrawn).await, "key_withdrawn", "also from the cache");
    earned.push("key_withdrawn");

    let (uvci, revoked) = app.certificate("R-1").await;
    assert_eq!(app.reason(&revoked).await, "accepted");
    let request = json!({"uvci": uvci.to_string(), "why": "issued by mistake"});
    assert_eq!(app.post_as(Role::Ministry, "/v1/revocations", &request).await.status, 201);
    assert_eq!(app.reason(&revoked).await, "revoked", "from the answer on");
    earned.push("revoked");

    for (at, reason) in [(-61, "not_yet_valid"), (-60, "accepted"), (-59, "accepted")] {
        app.clock.set(UnixSeconds(NOW.0 + at));
        assert_eq!(app.reason(&good).await, reason, "{at}");
        earned.push(reason);
    }
    for (at, reason) in [(-1, "accepted"), (0, "accepted"), (1, "expired")] {
        app.clock.set(UnixSeconds(expires_at().0 + at));
        assert_eq!(app.reason(&good).await, reason, "a cached proof does not outlive its certificate: {at}");
        earned.push(reason);
    }
    for reason in REASONS {
        assert!(earned.contains(&reason), "no text earned {reason}");
    }
    let metrics = app.get("/metrics").await;
    for reason in REASONS {
        assert!(metrics.text().contains(&format!("reason=\"{reason}\"")), "{reason} is counted");
    }
}

/// The claims inside a compact text.
fn payload_of(text: &str) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let len = thexanh::codec::base45::decode_into(&mut bytes, &text.as_bytes()[4..]).expect("ours");
    thexanh::codec::cose::parse(&bytes[..len]).expect("ours").payload.to_vec()
}

#[tokio::test]
async fn a_revocation_by_another_node_is_in_force_here_soon() {
    let app = TestApp::start().await;
    let (uvci, text) = app.certificate("R-1").await;
    assert_eq!(app.reason(&text).await, "accepted");
    // As another node does it: in the database, without a word to this one.
    crate::app::revoke(app.app.store(), &uvci, "another node", NOW).await.expect("revokes");
    // In force before the lease holder has given it its version; a rejection is never taken back meanwhile.
    let mut rejected = false;
    for _ in 0..400 {
        let verdict = app.verify(&text).await;
        assert!(!rejected || verdict["reason"] == "revoked", "{verdict}");
        rejected = verdict["reason"] == "revoked";
        if rejected && verdict["as_of"]["revocations"] == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("rejected: {rejected}, not numbered after four seconds");
}

#[tokio::test]
async fn a_text_of_the_greatest_length_is_read_and_one_byte_more_is_too_large() {
    let app = TestApp::start().await;
    for (len, reason) in [(4095, "malformed_base45"), (4096, "malformed_base45"), (4097, "too_large")] {
        let text = format!("VN1:{}", "a".repeat(len - 4));
        assert_eq!(app.reason(&text).await, reason, "{len}");
        let escaped = format!("{{\"qr\":\"{}\"}}", text.bytes().map(|b| format!("\\u{b:04x}")).collect::<String>());
        let answer =
            app.request("POST", "/v1/verify", &[("content-type", "application/json")], escaped.as_bytes()).await;
        assert_eq!(answer.json()["reason"], reason, "{len}, each character escaped");
    }
}

#[tokio::test]
async fn proofs_are_kept_at_the_second_sight_and_junk_never() {
    let app = TestApp::start().await;
    let (_, text) = app.certificate("R-1").await;
    let known = || app.app.engine().answer_known(&text, &mut Vec::new());
    assert!(!known());
    app.verify(&text).await;
    assert!(!known(), "seen once");
    app.verify(&text).await;
    assert!(known(), "seen twice");
    for _ in 0..3 {
        app.verify("VN1:6BF").await;
    }
    assert!(!app.app.engine().answer_known("VN1:6BF", &mut Vec::new()));
    app.list(listed(&key(Algorithm::EdDsa))).await;
    assert!(!known(), "another trust list: proved again");
}

async fn kid_of(app: &TestApp, text: &str) -> thexanh::keys::Kid {
    let verdict = app.verify(text).await;
    let kid = verdict["kid"].as_str().expect("a kid");
    app.app.trust().all().iter().map(|key| key.kid).find(|listed| listed.to_string() == kid).expect("listed")
}
