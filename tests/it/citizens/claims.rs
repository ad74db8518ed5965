//! Records that are there already: claimed with enough, refused with less, and moved when a phone was lost.

use serde_json::{Value, json};
use thexanh::http::access::Role;

use super::{registration, start};
use crate::app::{NOW, TestApp, dose};

impl TestApp {
    async fn claim(&self, token: &str, claim: Value) -> crate::client::Answer {
        self.send("POST", "/v1/people/claims", token, &claim).await
    }

    /// A record of DESIGN's person that a facility made.
    async fn imported(&self) -> String {
        self.dose("R-1", 1).await.json()["person"].as_str().expect("a person").to_owned()
    }
}

const NAME: &str = "NGUYỄN THỊ PHƯƠNG THẢO";
const IDENTITY: &str = "001183012345";

fn slip() -> Value {
    json!({"facility": "79001", "given_on": "2021-06-06", "lot": "fe8405"})
}

#[tokio::test]
async fn a_record_is_claimed_with_the_identity_number_and_the_name_or_the_birth_date() {
    let app = TestApp::start().await;
    let person = app.imported().await;
    for (account, claim, status) in [
        (1, json!({"identity": IDENTITY, "name": "Lê Văn Bình", "birth": "1990-01-01"}), 422),
        (2, json!({"identity": "001183012346", "name": NAME, "birth": "1983-10-10"}), 422),
        (3, json!({"identity": IDENTITY}), 422),
        (4, json!({"name": NAME, "birth": "1983-10-10"}), 422),
        (5, json!({"identity": IDENTITY, "birth": "1983-10-10"}), 201),
        (5, json!({"identity": IDENTITY, "name": NAME}), 201),
        (6, json!({"identity": IDENTITY, "name": NAME}), 422),
    ] {
        let answer = app.claim(&app.citizen(account), claim).await;
        assert_eq!(answer.status, status, "{account}: {}", answer.text());
        if status == 201 {
            assert_eq!(answer.json()["id"], person);
        }
    }
    let mine = app.send("GET", "/v1/people/me", &app.citizen(5), &Value::Null).await.json();
    assert_eq!((&mine[0]["id"], &mine[0]["doses"][0]["lot"]), (&json!(person), &json!("FE8405")));
    assert_eq!(app.send("GET", "/v1/people/me", &app.citizen(6), &Value::Null).await.json(), json!([]));
}

#[tokio::test]
async fn wrong_and_unknown_are_refused_alike_and_every_try_is_written_down() {
    let app = TestApp::start().await;
    let person = app.imported().await;
    let wrong = app.claim(&app.citizen(1), json!({"identity": IDENTITY, "name": "Lê Văn Bình"})).await;
    let unknown = app.claim(&app.citizen(1), json!({"identity": "001183099999", "name": "Lê Văn Bình"})).await;
    assert_eq!(wrong.problem(422, "claim_refused"), unknown.problem(422, "claim_refused"));
    assert_eq!(app.claim(&app.citizen(1), json!({"identity": IDENTITY, "name": NAME})).await.status, 201);
    let entries = app.app.store().audited(NOW.vietnamese_date(), None).await.expect("reads");
    let claims: Vec<_> = entries.iter().filter(|entry| entry.action == "person.claim").collect();
    assert_eq!(claims.len(), 3);
    let claimed = claims.iter().find(|entry| entry.why == "claimed").expect("written down");
    assert_eq!((claimed.about.map(|id| id.to_string()), &*claimed.role), (Some(person), "citizen"));
}

#[tokio::test]
async fn an_account_has_five_claims_a_day() {
    let app = TestApp::start().await;
    app.imported().await;
    let right = json!({"identity": IDENTITY, "name": NAME});
    for (account, wrong, status) in [(1, 3, 201), (2, 4, 422), (3, 5, 429)] {
        for _ in 0..wrong {
            app.claim(&app.citizen(account), json!({"identity": IDENTITY, "name": "Lê Văn Bình"}))
                .await
                .problem(422, "claim_refused");
        }
        // The second account is right in time, and yet refused: the first holds the record.
        assert_eq!(app.claim(&app.citizen(account), right.clone()).await.status, status, "{wrong} wrong ones before");
    }
    app.later(24 * 3600);
    let token = app.citizen(3);
    app.claim(&token, right).await.problem(422, "claim_refused");
}

#[tokio::test]
async fn a_record_without_identity_is_claimed_by_the_slip_under_the_same_phone_or_record_number() {
    let (app, gateway) = start().await;
    let mut given = dose("R-9", 1);
    given["person"].as_object_mut().expect("an object").remove("identity");
    let person = app.post_as(Role::Facility, "/v1/doses", &given).await.json()["person"].clone();
    let token = app.log_in(&gateway, "0912345678").await;
    let claim = |slip: Value| json!({"name": NAME, "birth": "1983-10-10", "slip": slip});
    let mut wrong = slip();
    wrong["lot"] = "OTHER".into();
    app.claim(&token, claim(wrong)).await.problem(422, "claim_refused");
    let claimed = app.claim(&token, claim(slip())).await;
    assert_eq!((claimed.status, &claimed.json()["id"]), (201, &person));
    given["record_no"] = "R-10".into();
    given["person"]["phone"] = "0999999999".into();
    let elsewhere = app.post_as(Role::Facility, "/v1/doses", &given).await.json()["person"].clone();
    assert_ne!(elsewhere, person);
    let mut numbered = slip();
    numbered["record_no"] = "R-10".into();
    let other = app.log_in(&gateway, "0900000001").await;
    app.claim(&other, claim(slip())).await.problem(422, "claim_refused");
    assert_eq!(app.claim(&other, claim(numbered)).await.json()["id"], elsewhere);
}

#[tokio::test]
async fn whoever_lost_their_phone_claims_with_identity_number_and_slip_and_the_old_account_loses_the_record() {
    let app = TestApp::start().await;
    let (old, new) = (app.citizen(1), app.citizen(2));
    let person = app.register(&old, &registration()).await;
    app.dose("R-1", 1).await;
    let with = |slip: Value| json!({"identity": IDENTITY, "name": NAME, "slip": slip});
    app.claim(&new, json!({"identity": IDENTITY, "name": NAME, "birth": "1983-10-10"}))
        .await
        .problem(422, "claim_refused");
    app.claim(&new, json!({"name": NAME, "birth": "1983-10-10", "slip": slip()})).await.problem(422, "claim_refused");
    let mut wrong = slip();
    wrong["given_on"] = "2021-06-07".into();
    app.claim(&new, with(wrong)).await.problem(422, "claim_refused");
    assert_eq!(app.claim(&new, with(slip())).await.json()["id"], person);
    let path = format!("/v1/registrations/{person}");
    app.send("GET", &path, &old, &Value::Null).await.problem(403, "not_yours");
    assert_eq!(app.send("GET", &path, &new, &Value::Null).await.status, 200);
    app.send("POST", "/v1/registrations", &old, &registration()).await.problem(409, "person_held");
}

#[tokio::test]
async fn registering_somebody_who_is_known_by_all_three_claims_them_and_by_fewer_merges_nobody() {
    let app = TestApp::start().await;
    let person = app.imported().await;
    let mut differs = registration();
    differs["birth"] = "1983-10-11".into();
    assert_ne!(app.register(&app.citizen(1), &differs).await, person, "another birth date: nobody is merged");
    assert_eq!(app.register(&app.citizen(2), &registration()).await, person);
    let again = app.send("POST", "/v1/registrations", &app.citizen(2), &registration()).await;
    assert_eq!((again.status, again.json()["id"].as_str()), (200, Some(&*person)));
    app.send("POST", "/v1/registrations", &app.citizen(3), &registration()).await.problem(409, "person_held");
    for _ in 0..4 {
        app.send("POST", "/v1/registrations", &app.citizen(3), &registration()).await.problem(409, "person_held");
    }
    app.send("POST", "/v1/registrations", &app.citizen(3), &registration()).await.problem(429, "too_many_requests");
    let mine = app.send("GET", "/v1/people/me", &app.citizen(2), &Value::Null).await.json();
    assert_eq!(mine[0]["registration"]["status"], "registered");
    assert_eq!(mine[0]["certificates"].as_array().map(Vec::len), Some(1));
}
