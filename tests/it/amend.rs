//! `PATCH /v1/doses/{id}` and `POST ../renew`: doses put right and voided, their certificates with them; and doses that come late.

use serde_json::{Value, json};
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::{Role, Route};
use uuid::Uuid;

use crate::app::{NOW, TestApp, dose, dose_of};
use crate::client::Answer;

/// A photo of one pixel, as far as anybody looks.
pub fn png() -> Vec<u8> {
    let head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00....";
    [&head[..], b"\x00\x00\x00\x00IEND\xaeB`\x82"].concat()
}

impl TestApp {
    /// Lets the citizen of the tests answer for a person.
    pub async fn adopt(&self, person: Uuid) {
        let sql = "INSERT INTO account_member (account_id, person_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        self.sql().await.execute(sql, &[&Uuid::from_u128(79001), &person]).await.expect("adopts");
    }

    /// What the access tests send to a row about a dose or a correction of a certificate's: (id, media type, body).
    pub async fn prepared(&self, row: &Route, uvci: &str) -> (String, &'static str, Vec<u8>) {
        let sql = "SELECT person_id, dose_id FROM certificate WHERE uvci = $1";
        let name = uvci.parse::<thexanh::certificate::Uvci>().expect("a UVCI").0;
        let Some(found) = self.sql().await.query_opt(sql, &[&name.as_slice()]).await.expect("reads") else {
            return ("0.0".to_owned(), "application/json", b"{}".to_vec());
        };
        let (person, dose): (Uuid, Uuid) = (found.get(0), found.get(1));
        let json = |value: Value| value.to_string().into_bytes();
        let media = "application/json";
        let said = json!({"person": person, "kind": "wrong_data", "text": "not so", "data": {"sex": "male"}});
        if row.path == "/v1/corrections" || row.path.ends_with("/renew") {
            self.adopt(person).await;
            return (String::new(), media, json(said));
        }
        if row.path.ends_with("/undo") {
            crate::app::revoke(self.app.store(), &uvci.parse().expect("a UVCI"), "another", NOW)
                .await
                .expect("revokes");
            return (uvci.to_owned(), media, json(json!({"why": "a test"})));
        }
        if row.path == "/v1/doses/{id}" {
            let id = format!("{}.{}", person.simple(), dose.simple());
            let recorded_at = jiff::Timestamp::from_second(NOW.0 - 2 * 86_400).expect("an instant");
            let sql = "UPDATE dose SET recorded_at = $3 WHERE person_id = $1 AND dose_id = $2";
            self.sql().await.execute(sql, &[&person, &dose, &recorded_at]).await.expect("ages");
            let asked = json!({"lot": "OTHER", "why": "a test"});
            let waits = self.send("PATCH", &format!("/v1/doses/{id}"), &self.bearer_at("79001", "maker"), &asked).await;
            return (id, media, json(json!({"change": waits.json()["change"], "confirm": false})));
        }
        self.adopt(person).await;
        let made = self.post_as(Role::Citizen, "/v1/corrections", &said).await;
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        let headers = [("content-type", "image/png"), ("authorization", &*self.bearer(Role::Citizen))];
        let photo = self.request("PUT", &format!("/v1/corrections/{id}/photo"), &headers, &png()).await;
        match row.method {
            "PUT" => (id, "image/png", png()),
            _ => (id, media, json(json!({"version": photo.json()["version"], "answer": "reject", "why": "a test"}))),
        }
    }

    pub async fn patch(&self, subject: &str, dose: &Value, change: &Value) -> Answer {
        let path = format!("/v1/doses/{}", dose["dose"].as_str().expect("a dose"));
        self.send("PATCH", &path, &self.bearer_at("79001", subject), change).await
    }
}

fn text(answer: &Value) -> &str {
    answer["text"].as_str().expect("a text")
}

#[tokio::test]
async fn an_amended_dose_takes_its_certificate_with_it_at_once() {
    let app = TestApp::start().await;
    let first = app.dose("R-1", 1).await.json();
    let picture = format!("/v1/certificates/{}.svg", first["uvci"].as_str().expect("a UVCI"));
    assert_eq!(app.get_as(Role::Facility, &picture).await.status, 200);
    let change = json!({"given_at": "2021-06-07T02:15:00Z", "why": "the day was mistyped"});
    let amended = app.patch("nurse", &first, &change).await;
    assert_eq!((amended.status, amended.header("cache-control")), (200, "no-store"), "{}", amended.text());
    let amended = amended.json();
    assert_eq!((&amended["status"], &amended["voided"]), (&json!("applied"), &json!(false)));
    assert_eq!(amended["revoked"], json!([first["uvci"]]));
    let old = app.verify(text(&first)).await;
    assert_eq!((&old["result"], &old["reason"]), (&json!("rejected"), &json!("revoked")), "no second's delay");
    let new = app.verify(text(&amended["certificate"])).await;
    assert_eq!(new["certificate"]["given_on"], "2021-06-07");
    app.get_as(Role::Facility, &picture).await.problem(410, "certificate_revoked");
    let again = app.patch("nurse", &first, &change).await.json();
    assert_eq!((&again["revoked"], &again["certificate"]), (&json!([]), &amended["certificate"]), "it is so already");
    let repeated = app.dose("R-1", 1).await;
    assert_eq!((repeated.status, &repeated.json()["uvci"]), (200, &amended["certificate"]["uvci"]), "sent again, late");
    let lot = app.patch("nurse", &first, &json!({"lot": "FE9999", "why": "the lot was mistyped"})).await.json();
    assert_eq!((&lot["revoked"], &lot["certificate"]), (&json!([]), &amended["certificate"]), "no lot is certified");
    let kept = app.sql().await;
    let kept =
        kept.query_one("SELECT before, why, made_by, checked_by FROM dose_change WHERE change ? 'given_at'", &[]);
    let kept = kept.await.expect("reads");
    assert_eq!(kept.get::<_, Value>(0)["given_at"], 1_622_945_700);
    assert_eq!((kept.get(1), kept.get(2), kept.get(3)), ("the day was mistyped", "nurse", None::<&str>));
}

#[tokio::test]
async fn certificates_that_stay_true_stay() {
    let app = TestApp::start().await;
    let (first, second) = (app.dose("R-1", 1).await.json(), app.dose("R-2", 2).await.json());
    let amended =
        app.patch("nurse", &first, &json!({"given_at": "2021-06-05T02:15:00Z", "why": "a day earlier"})).await;
    let amended = amended.json();
    assert_eq!(amended["revoked"], json!([first["uvci"]]), "the second dose is what it was");
    assert_eq!(amended["certificate"]["uvci"], second["uvci"]);
    assert_eq!(app.verify(text(&second)).await["card"], "green");
    let close =
        app.patch("nurse", &second, &json!({"given_at": "2021-06-10T02:15:00Z", "why": "mistyped"})).await.json();
    assert_eq!(close["flags"], json!(["interval"]), "flags follow");
    assert_eq!(close["revoked"], json!([second["uvci"]]));
    let both = app.sql().await.query("SELECT flags FROM dose", &[]).await.expect("reads");
    assert!(both.iter().all(|row| row.get::<_, Value>(0) == json!(["interval"])), "the other's as well");
    let product = app.patch("nurse", &first, &json!({"product": "EU/1/20/1507", "why": "mistyped"})).await.json();
    assert_eq!(product["revoked"], json!([]), "the first one's certificate fell before");
    let same = json!({"given_at": "2021-06-10T03:00:00Z", "product": "EU/1/20/1528", "why": "x"});
    app.patch("nurse", &first, &same).await.problem(409, "dose_duplicate");
}

#[tokio::test]
async fn a_voided_dose_counts_no_more_and_its_number_is_answered_with_a_conflict() {
    let app = TestApp::start().await;
    let (first, second) = (app.dose("R-1", 1).await.json(), app.dose("R-2", 2).await.json());
    let void = json!({"void": true, "why": "it was not given"});
    let one_left = app.patch("nurse", &second, &void).await.json();
    assert_eq!((&one_left["voided"], &one_left["revoked"]), (&json!(true), &json!([second["uvci"]])));
    let verdict = app.verify(text(&one_left["certificate"])).await;
    assert_eq!((&verdict["card"], &verdict["certificate"]["dose"]), (&json!("yellow"), &json!(1)));
    assert_eq!(app.verify(text(&first)).await["result"], "accepted", "it says the same, and is true");
    assert_eq!(app.patch("nurse", &second, &void).await.json()["revoked"], json!([]), "voided again");
    app.patch("nurse", &second, &json!({"lot": "X", "why": "too late"})).await.problem(409, "dose_voided");
    let none_left = app.patch("nurse", &first, &void).await.json();
    assert!(none_left.get("certificate").is_none(), "{none_left}");
    for gone in [text(&first), text(&second), text(&one_left["certificate"])] {
        assert_eq!(app.verify(gone).await["reason"], "revoked");
    }
    assert_eq!(app.dose("R-1", 1).await.problem(409, "record_voided")["field"], "record_no");
    let anew = app.dose("R-3", 1).await;
    assert_eq!((anew.status, &anew.json()["card"], &anew.json()["person"]), (201, &json!("yellow"), &first["person"]));
    let second = app.dose("R-4", 2).await.json();
    assert_eq!((&second["card"], &second["flags"]), (&json!("green"), &json!([])), "voided doses are no others");
}

#[tokio::test]
async fn one_person_alone_has_a_day_to_the_second() {
    let app = TestApp::start().await;
    for (n, (offset, status)) in [(86_399, 200), (86_400, 200), (86_401, 202)].into_iter().enumerate() {
        app.clock.set(NOW);
        let given = app.post_as(Role::Facility, "/v1/doses", &dose_of(n as u32)).await.json();
        app.clock.set(UnixSeconds(NOW.0 + offset));
        let answer = app.patch("nurse", &given, &json!({"lot": "OTHER", "why": "mistyped"})).await;
        assert_eq!(answer.status, status, "{offset}: {}", answer.text());
    }
}

#[tokio::test]
async fn after_a_day_it_takes_two_people() {
    let app = TestApp::start().await;
    let given = app.dose("R-1", 1).await.json();
    app.clock.set(UnixSeconds(NOW.0 + 86_401));
    let void = json!({"void": true, "why": "it was not given"});
    let waits = app.patch("maker", &given, &void).await;
    assert_eq!((waits.status, &waits.json()["status"]), (202, &json!("waiting")));
    assert_eq!(app.verify(text(&given)).await["result"], "accepted", "nothing is changed yet");
    let change = waits.json()["change"].clone();
    assert_eq!(app.patch("maker", &given, &void).await.json()["change"], change, "asked again");
    app.patch("other", &given, &json!({"lot": "X", "why": "y"})).await.problem(409, "change_waits");
    let answer = |confirm| json!({"change": change, "confirm": confirm});
    app.patch("maker", &given, &answer(true)).await.problem(403, "second_person_needed");
    let path = format!("/v1/doses/{}", given["dose"].as_str().expect("a dose"));
    app.send("PATCH", &path, &app.bearer_at("79002", "checker"), &answer(true)).await.problem(403, "not_yours");
    let province = app.bearer(Role::Province);
    app.send("PATCH", &path, &province, &void).await.problem(403, "role_not_allowed");
    let refused = app.send("PATCH", &path, &province, &answer(false)).await;
    assert_eq!((refused.status, &refused.json()["status"]), (200, &json!("refused")));
    app.patch("checker", &given, &answer(true)).await.problem(404, "unknown_change");

    let change = app.patch("maker", &given, &void).await.json()["change"].clone();
    let answer = |confirm| json!({"change": change, "confirm": confirm});
    let applied = app.patch("checker", &given, &answer(true)).await;
    assert_eq!((applied.status, &applied.json()["revoked"]), (200, &json!([given["uvci"]])), "{}", applied.text());
    assert_eq!(app.verify(text(&given)).await["reason"], "revoked");
    assert_eq!(app.patch("checker", &given, &answer(true)).await.status, 200, "confirmed again");
    let history = "SELECT made_by || ' ' || checked_by FROM dose_change WHERE applied_at IS NOT NULL";
    let history = app.sql().await.query_one(history, &[]).await.expect("reads");
    assert_eq!(history.get::<_, &str>(0), "maker checker");
    let nobody = json!({"change": Uuid::from_u128(1), "confirm": true});
    app.patch("checker", &given, &nobody).await.problem(404, "unknown_change");
}

#[tokio::test]
async fn a_change_that_makes_no_sense_is_refused_with_its_field_named() {
    let app = TestApp::start().await;
    let given = app.dose("R-1", 1).await.json();
    let long = "x".repeat(501);
    for (change, status, code, field) in [
        (json!({"product": "EU/1/20/9999", "why": "x"}), 422, "product_unknown", "product"),
        (json!({"given_at": "2021-08-01T17:00:00Z", "why": "x"}), 422, "date_in_the_future", "given_at"),
        (json!({"given_at": "1980-01-01T00:00:00Z", "why": "x"}), 422, "date_before_product", "given_at"),
        (json!({"number": 10, "why": "x"}), 422, "number_invalid", "number"),
        (json!({"lot": "", "why": "x"}), 422, "text_invalid", "lot"),
        (json!({"lot_expires_on": "31/12/2021", "why": "x"}), 422, "date_invalid", "lot_expires_on"),
        (json!({"lot": "X"}), 422, "unprocessable", "why"),
        (json!({"lot": "X", "why": long}), 422, "unprocessable", "why"),
        (json!({"void": true, "why": "a\u{0}b"}), 422, "unprocessable", "why"),
        (json!({"void": true, "lot": "X", "why": "x"}), 422, "unprocessable", ""),
        (json!({"why": "x"}), 422, "unprocessable", ""),
        (json!({"confirm": true}), 422, "unprocessable", ""),
        (json!({"colour": "green"}), 400, "wrong_shape", ""),
    ] {
        let problem = app.patch("nurse", &given, &change).await.problem(status, code);
        assert_eq!(problem.get("field").and_then(Value::as_str).unwrap_or_default(), field, "{change}");
    }
    for id in ["x", "0.0", &format!("{0}.{0}", Uuid::from_u128(1).simple()), "%00"] {
        let answer = app.send("PATCH", &format!("/v1/doses/{id}"), &app.bearer_at("79001", "n"), &json!({})).await;
        answer.problem(404, "unknown_dose");
    }
    assert_eq!(app.count("SELECT count(*) FROM dose_change").await, 0);
    assert_eq!(app.verify(text(&given)).await["result"], "accepted");
}

#[tokio::test]
async fn a_queue_of_doses_sent_late_backwards_and_twice_gives_one_chain() {
    let app = TestApp::start().await;
    let mut third = dose("R-3", 3);
    third["given_at"] = json!("2021-07-30T02:15:00Z");
    let queue = [dose("R-1", 1), dose("R-2", 2), third];
    app.clock.set(UnixSeconds(NOW.0 + 9 * 86_400)); // nine days without a network
    let mut answers = Vec::new();
    for dose in queue.iter().rev() {
        answers.push(app.post_as(Role::Facility, "/v1/doses", dose).await);
    }
    assert!(answers.iter().all(|answer| answer.status == 201));
    for (dose, first) in queue.iter().rev().zip(&answers) {
        let again = app.post_as(Role::Facility, "/v1/doses", dose).await;
        assert_eq!((again.status, again.json()), (200, first.json()), "the same answer");
    }
    let lines = queue.iter().chain(&queue).map(Value::to_string).collect::<Vec<_>>().join("\n");
    let bearer = app.bearer(Role::Facility);
    let headers = [("content-type", "application/x-ndjson"), ("authorization", &*bearer)];
    let (one, two) = tokio::join!(
        app.request("POST", "/v1/doses", &headers, lines.as_bytes()),
        app.request("POST", "/v1/doses", &headers, lines.as_bytes())
    );
    for answer in [one, two] {
        assert!(answer.lines().iter().all(|row| row["status"] == 200), "{}", answer.text());
    }
    assert_eq!(app.count("SELECT count(*) FROM person").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM dose").await, 3);
    assert_eq!(app.count("SELECT count(*) FROM certificate").await, 3);
    assert_eq!(app.count("SELECT count(*) FROM certificate WHERE superseded_at IS NULL").await, 1);
    let last = answers.last().expect("three").json();
    let verdict = app.verify(text(&last)).await;
    assert_eq!((&verdict["card"], &verdict["certificate"]["dose"]), (&json!("green"), &json!(3)));
    assert_eq!(verdict["certificate"]["given_on"], "2021-07-30", "the latest dose, whichever came last");
}

#[tokio::test]
async fn a_renewed_certificate_says_the_same_for_longer() {
    let app = TestApp::start().await;
    let given = app.dose("R-1", 1).await.json();
    let path = |answer: &Value| format!("/v1/certificates/{}/renew", answer["uvci"].as_str().expect("a UVCI"));
    app.adopt(given["person"].as_str().and_then(|id| id.parse().ok()).expect("a person")).await;
    app.clock.set(UnixSeconds(NOW.0 + 300 * 86_400));
    let renewed = app.post_as(Role::Citizen, &path(&given), &json!({})).await;
    assert_eq!(renewed.status, 201, "{}", renewed.text());
    let (old, new) = (app.verify(text(&given)).await, app.verify(text(&renewed.json())).await);
    assert_eq!((&old["result"], &new["result"]), (&json!("accepted"), &json!("accepted")), "superseded, not revoked");
    assert_eq!(new["certificate"]["given_on"], old["certificate"]["given_on"]);
    assert!(new["certificate"]["expires_at"].as_i64() > old["certificate"]["expires_at"].as_i64());
    let again = app.post_as(Role::Facility, &path(&given), &json!({})).await;
    assert_eq!((again.status, again.json()), (200, renewed.json()), "asked again");
    assert_eq!(app.dose("R-1", 1).await.json()["uvci"], renewed.json()["uvci"], "the record gives the one in force");
    let second = app.dose("R-2", 2).await.json();
    app.post_as(Role::Facility, &path(&given), &json!({})).await.problem(409, "certificate_superseded");
    let void = json!({"void": true, "why": "it was not given"});
    assert_eq!(app.patch("nurse", &second, &void).await.status, 200);
    app.post_as(Role::Ministry, &path(&second), &json!({})).await.problem(410, "certificate_revoked");
    let nobody = json!({"uvci": "URN:UVCI:01:VN:00000000000000000000000000000000"});
    app.post_as(Role::Ministry, &path(&nobody), &json!({})).await.problem(404, "unknown_certificate");
}
