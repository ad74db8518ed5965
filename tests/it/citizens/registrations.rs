//! `/v1/registrations`: made, repeated, seen, changed, withdrawn; family; and what doses make of them.

use serde_json::{Value, json};
use thexanh::http::access::Role;

use super::{declaration, registration, registration_of, start};
use crate::app::{TestApp, dose};

const NULL: Value = Value::Null;

#[tokio::test]
async fn a_registration_is_seen_as_it_was_sent_and_sent_again_it_is_the_same_person() {
    let app = TestApp::start().await;
    let token = app.citizen(1);
    let made = app.send("POST", "/v1/registrations", &token, &registration()).await;
    assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.text());
    let made = made.json();
    assert_eq!(made["status"], "registered");
    let again = app.send("POST", "/v1/registrations", &token, &registration()).await;
    assert_eq!((again.status, &again.json()), (200, &made));
    let path = format!("/v1/registrations/{}", made["id"].as_str().expect("an id"));
    let seen = app.send("GET", &path, &token, &NULL).await.json();
    for field in ["name", "birth", "sex", "identity", "address", "occupation", "priority", "declaration"] {
        assert_eq!(seen[field], registration()[field], "{field}");
    }
    assert_eq!((&seen["phone"], &seen["ward"]["code"]), (&json!("+84912345678"), &json!("00001")));
    assert_eq!((&seen["consent"]["by"], &seen["consent"]["at"]), (&json!("self"), &json!(crate::app::NOW.0)));
    assert_eq!(seen["health_number"], made["health_number"]);
    assert_eq!(app.send("GET", "/v1/registrations", &token, &NULL).await.json(), json!([seen]));
    let other = app.citizen(2);
    app.send("GET", &path, &other, &NULL).await.problem(403, "not_yours");
    assert_eq!(app.send("GET", "/v1/registrations", &other, &NULL).await.json(), json!([]));
}

#[tokio::test]
async fn numbers_are_sealed_at_rest() {
    let app = TestApp::start().await;
    let mut child = registration_of(5);
    child["birth"] = "2010-01-01".into();
    child["guardian"] = json!({"name": "Lê Thị Mai", "relation": "mother", "phone": "0987654321"});
    child["consent"]["by"] = "guardian".into();
    let id = app.register(&app.citizen(1), &child).await;
    let sql = "SELECT concat(p::text, r::text) FROM person p JOIN registration r ON r.person_id = p.person_id";
    let rows: String = app.sql().await.query_one(sql, &[]).await.expect("reads").get(0);
    for number in ["987654321", "1000005"] {
        assert!(!rows.contains(number), "{number} is not sealed");
    }
    let seen = app.send("GET", &format!("/v1/registrations/{id}"), &app.citizen(1), &NULL).await.json();
    assert_eq!(seen["guardian"]["phone"], "+84987654321");
}

#[tokio::test]
async fn the_same_person_without_an_identity_number_is_known_by_name_birth_date_and_phone() {
    let app = TestApp::start().await;
    let token = app.citizen(1);
    let mut without = registration();
    without.as_object_mut().expect("an object").remove("identity");
    let id = app.register(&token, &without).await;
    without["name"] = "NGUYEN THI PHUONG THAO".into();
    let again = app.send("POST", "/v1/registrations", &token, &without).await;
    assert_eq!((again.status, again.json()["id"].as_str()), (200, Some(&*id)));
    without["birth"] = "1984-10-10".into();
    assert_ne!(app.register(&token, &without).await, id, "another birth date is another person");
    assert_ne!(app.register(&app.citizen(2), &registration()).await, id, "a phone alone opens nothing");
}

#[tokio::test]
async fn many_at_once_are_each_registered_once() {
    let app = TestApp::start().await;
    let send = async |n: u32| {
        let token = app.citizen((100 + n / 2).into());
        app.send("POST", "/v1/registrations", &token, &registration_of(n / 2)).await
    };
    let answers = futures_util::future::join_all((0..100).map(send)).await;
    let mut ids: Vec<String> = answers.iter().map(|answer| answer.json()["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 50, "each was sent twice");
    let new = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((new, answers.iter().filter(|answer| answer.status == 200).count()), (50, 50));
    for table in ["person", "registration", "registration_by_district", "account_member", "person_by_identity"] {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(app.sql().await.query_one(&sql, &[]).await.expect("counts").get::<_, i64>(0), 50, "{table}");
    }
}

#[tokio::test]
async fn an_account_holds_twenty_people() {
    let app = TestApp::start().await;
    let token = app.citizen(1);
    for (nth, status) in (1..=21).map(|nth| (nth, if nth <= 20 { 201 } else { 422 })) {
        let answer = app.send("POST", "/v1/registrations", &token, &registration_of(nth)).await;
        assert_eq!(answer.status, status, "{nth}: {}", answer.text());
    }
    app.send("POST", "/v1/registrations", &token, &registration_of(21)).await.problem(422, "too_many_people");
    let known = app.send("POST", "/v1/registrations", &token, &registration_of(20)).await;
    assert_eq!(known.status, 200, "one of the twenty");
}

#[tokio::test]
async fn a_registration_is_changed_withdrawn_and_opened_again() {
    let app = TestApp::start().await;
    let token = app.citizen(1);
    let id = app.register(&token, &registration()).await;
    let path = format!("/v1/registrations/{id}");
    app.later(10);
    let change = json!({"ward": "00004", "occupation": "Y tá", "priority": 1, "phone": "0987654321"});
    let changed = app.send("PATCH", &path, &token, &change).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let changed = changed.json();
    assert_eq!((&changed["ward"]["code"], &changed["occupation"]), (&json!("00004"), &json!("Y tá")));
    assert_eq!((&changed["priority"], &changed["phone"]), (&json!(1), &json!("+84987654321")));
    assert_eq!(changed["address"], registration()["address"]);
    let listed = async || {
        let sql = "SELECT priority, ward_code, status FROM registration_by_district";
        let rows = app.sql().await.query(sql, &[]).await.expect("reads");
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect::<Vec<(i64, String, String)>>()
    };
    assert_eq!(listed().await, [(1, "00004".to_owned(), "registered".to_owned())]);
    for (change, code) in [
        (json!({"ward": "99999"}), "ward_unknown"),
        (json!({"priority": 17}), "group_unknown"),
        (json!({"phone": "1"}), "phone_invalid"),
        (json!({"address": ""}), "text_invalid"),
    ] {
        app.send("PATCH", &path, &token, &change).await.problem(422, code);
    }
    app.send("PATCH", &path, &token, &json!({"identity": "1"})).await.problem(400, "wrong_shape");
    app.send("PATCH", &path, &app.citizen(2), &change).await.problem(403, "not_yours");
    app.send("DELETE", &path, &app.citizen(2), &NULL).await.problem(403, "not_yours");
    for _ in 0..2 {
        assert_eq!(app.send("DELETE", &path, &token, &NULL).await.json()["status"], "withdrawn");
    }
    assert_eq!(listed().await[0].2, "withdrawn");
    app.send("PATCH", &path, &token, &change).await.problem(409, "registration_withdrawn");
    let audited = app.sql().await;
    let sql = "SELECT action, about::text, role, subject FROM audit WHERE role = 'citizen' ORDER BY at, audit_id";
    let mut audited: Vec<[String; 4]> =
        audited.query(sql, &[]).await.expect("reads").iter().map(|row| [0, 1, 2, 3].map(|at| row.get(at))).collect();
    audited.sort();
    let account = uuid::Uuid::from_u128(1).simple().to_string();
    let done = |action: &str| [action.to_owned(), id.clone(), "citizen".to_owned(), account.clone()];
    assert_eq!(
        audited,
        ["registration.change", "registration.withdraw"].map(done),
        "what changed nothing is not there"
    );
    assert_eq!(app.register(&token, &registration()).await, id, "the record stayed");
    assert_eq!(listed().await, [(8, "00001".to_owned(), "registered".to_owned())]);
}

#[tokio::test]
async fn a_declaration_is_renewed_at_any_time() {
    let app = TestApp::start().await;
    let token = app.citizen(1);
    let path = format!("/v1/registrations/{}/declarations", app.register(&token, &registration()).await);
    let mut renewed = declaration();
    renewed["answers"][7] = json!({"question": "allergy", "yes": true, "details": "hải sản"});
    app.later(30);
    let seen = app.send("POST", &path, &token, &renewed).await.json();
    assert_eq!((&seen["declaration"], &seen["declared_at"]), (&renewed, &json!(crate::app::NOW.0 + 30)));
    renewed["answers"].as_array_mut().expect("answers").pop();
    let refused = app.send("POST", &path, &token, &renewed).await.problem(422, "answers_incomplete");
    assert_eq!(refused["field"], "declaration.answers");
    app.send("POST", &path, &app.citizen(2), &declaration()).await.problem(403, "not_yours");
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_of_it_is_repeated_or_stored() {
    let app = TestApp::start().await;
    let token = app.citizen(1);
    for (pointer, value, code, field) in [
        ("/ward", json!("99999"), "ward_unknown", "ward"),
        ("/birth", json!("2021-02-30"), "date_invalid", "birth"),
        ("/birth", json!("2010-01-01"), "guardian_missing", "guardian"),
        ("/consent", NULL, "consent_missing", "consent"),
        ("/name", json!("<script>alert(1)</script>"), "name_invalid", "name"),
        ("/identity", json!("'; DROP TABLE person"), "identity_invalid", "identity"),
        ("/address", json!("x\u{0}y"), "text_invalid", "address"),
    ] {
        let mut bad = registration();
        *bad.pointer_mut(pointer).expect(pointer) = value.clone();
        let document = app.send("POST", "/v1/registrations", &token, &bad).await.problem(422, code);
        assert_eq!(document["field"], field);
        if let Some(sent) = value.as_str() {
            assert!(!document.to_string().contains(sent), "repeats what was sent: {document}");
        }
    }
    let mut long = registration();
    long["address"] = "x".repeat(10 << 20).into();
    assert_eq!(app.send("POST", "/v1/registrations", &token, &long).await.status, 413);
    let mut hostile = registration();
    hostile["address"] = "=cmd|' /C calc'!A0 <b>'; DROP TABLE person; --".into();
    let id = app.register(&token, &hostile).await;
    let seen = app.send("GET", &format!("/v1/registrations/{id}"), &token, &NULL).await.json();
    assert_eq!(seen["address"], hostile["address"], "text is text");
    let vi = [("accept-language", "vi"), ("content-type", "application/json"), ("authorization", &*token)];
    let mut bad = registration();
    bad["consent"] = NULL;
    let answer = app.request("POST", "/v1/registrations", &vi, bad.to_string().as_bytes()).await;
    assert_eq!(answer.json()["detail"], "không thể đăng ký khi chưa có sự đồng ý");
}

#[tokio::test]
async fn an_idempotency_key_with_another_body_is_refused() {
    let app = TestApp::start().await;
    let token = app.citizen(1);
    let send = async |body: &Value| {
        let headers = [("content-type", "application/json"), ("authorization", &*token), ("idempotency-key", "k-1")];
        app.request("POST", "/v1/registrations", &headers, body.to_string().as_bytes()).await
    };
    assert_eq!(send(&registration()).await.status, 201);
    assert_eq!(send(&registration()).await.status, 200);
    send(&registration_of(1)).await.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_dose_finds_the_person_who_registered() {
    let (app, gateway) = start().await;
    let token = app.log_in(&gateway, "0912345678").await;
    let id = app.register(&token, &registration()).await;
    let given = app.dose("R-1", 1).await.json();
    assert_eq!(given["person"], id, "by identity number");
    let mut by_phone = registration_of(3);
    by_phone.as_object_mut().expect("an object").remove("identity");
    by_phone["name"] = "Trần Văn Bình".into();
    let other = app.register(&token, &by_phone).await;
    let mut second = dose("R-2", 1);
    for field in ["name", "birth", "phone"] {
        second["person"][field] = by_phone[field].clone();
    }
    second["person"].as_object_mut().expect("an object").remove("identity");
    assert_eq!(app.post_as(Role::Facility, "/v1/doses", &second).await.json()["person"], other, "by phone");
    let mut child = registration_of(4);
    (child["birth"], child["name"]) = ("2010-01-01".into(), "Nguyễn Văn Con".into());
    child.as_object_mut().expect("an object").retain(|field, _| field != "identity" && field != "phone");
    child["guardian"] = json!({"name": "Nguyễn Thị Phương Thảo", "relation": "mother", "phone": "0912345678"});
    child["consent"]["by"] = "guardian".into();
    let child_id = app.register(&token, &child).await;
    let mut third = dose("R-3", 1);
    (third["person"]["birth"], third["person"]["name"]) = (child["birth"].clone(), child["name"].clone());
    third["person"].as_object_mut().expect("an object").remove("identity");
    assert_eq!(app.post_as(Role::Facility, "/v1/doses", &third).await.json()["person"], child_id, "by the guardian's");
}
