//! What holders see: `/v1/people/me`, as JSON and as FHIR, and `/v1/certificates`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{registration, registration_of};
use crate::app::{NOW, TestApp, asked_by, dose};

const NULL: Value = Value::Null;

#[tokio::test]
async fn a_holder_sees_doses_certificates_reactions_and_sessions_of_the_whole_family() {
    let app = TestApp::start().await;
    let token = app.citizen(1);
    let person = app.register(&token, &registration()).await;
    app.later(1);
    let family = app.register(&token, &registration_of(1)).await;
    let given = app.dose("R-1", 1).await.json();
    let dose_id = given["dose"].as_str().and_then(|id| id.split_once('.')).expect("an id").1.to_owned();
    let sql = format!(
        "INSERT INTO reaction VALUES ('{person}', '{family}', '{dose_id}', '[\"fever\"]', 'mild', now(), '', 'test', now());
         INSERT INTO session VALUES ('79001', '{family}', '2021-08-03', '08:00', '09:00', NULL, 10, 1, 'test', now());
         INSERT INTO person_session VALUES ('{person}', '{family}', '79001')"
    );
    app.sql().await.batch_execute(&sql).await.expect("inserts");
    let mine = app.send("GET", "/v1/people/me", &token, &NULL).await;
    assert_eq!((mine.status, mine.header("cache-control")), (200, "no-store"), "{}", mine.text());
    let mine = mine.json();
    assert_eq!((&mine[0]["id"], &mine[1]["id"]), (&json!(person), &json!(family)));
    let me = &mine[0];
    assert_eq!((&me["doses"][0]["id"], &me["doses"][0]["number"]), (&given["dose"], &json!(1)));
    let certificate = &me["certificates"][0];
    assert_eq!((&certificate["uvci"], &certificate["text"]), (&given["uvci"], &given["text"]));
    assert_eq!(certificate["links"], given["links"]);
    assert_eq!((&me["reactions"][0]["symptoms"], &me["reactions"][0]["dose"]), (&json!(["fever"]), &given["dose"]));
    assert_eq!((&me["sessions"][0]["date"], &me["sessions"][0]["facility"]), (&json!("2021-08-03"), &json!("79001")));
    assert_eq!(me["registration"]["id"], json!(person));
    assert_eq!(mine[1]["doses"], json!([]));
    let voided = "UPDATE dose SET voided_at = now()";
    app.sql().await.batch_execute(voided).await.expect("voids");
    assert_eq!(app.send("GET", "/v1/people/me", &token, &NULL).await.json()[0]["doses"], json!([]));
}

#[tokio::test]
async fn a_record_is_a_fhir_bundle_for_those_who_ask_for_one() {
    let app = TestApp::start().await;
    let token = app.citizen(1);
    let person = app.register(&token, &registration()).await;
    app.dose("R-1", 1).await;
    let by_query = app.send("GET", "/v1/people/me?format=fhir", &token, &NULL).await;
    assert_eq!(by_query.header("content-type"), "application/fhir+json");
    let headers = [("authorization", &*token), ("accept", "application/fhir+json; fhirVersion=4.0")];
    let by_accept = app.request("GET", "/v1/people/me", &headers, b"").await;
    assert_eq!(by_accept.json(), by_query.json());
    let bundle = by_query.json();
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("collection")));
    let patient = &bundle["entry"][0]["resource"];
    assert_eq!((&patient["id"], &patient["gender"]), (&json!(person), &json!("female")));
    assert_eq!(patient["telecom"][0]["value"], "+84912345678");
    let given = &bundle["entry"][1]["resource"];
    assert_eq!((&given["resourceType"], &given["lotNumber"]), (&json!("Immunization"), &json!("FE8405")));
    for query in ["format=xml", "format=", "form=fhir"] {
        app.send("GET", &format!("/v1/people/me?{query}"), &token, &NULL).await.problem(400, "bad_parameter");
    }
}

#[tokio::test]
async fn a_holder_s_list_shows_what_is_issued_and_at_once_what_is_revoked() {
    let app = TestApp::start().await;
    let token = app.citizen(1);
    app.register(&token, &registration()).await;
    let list = async || app.send("GET", "/v1/certificates", &token, &NULL).await.json();
    assert_eq!(list().await, json!([]));
    let given = app.dose("R-1", 1).await.json();
    let uvci = given["uvci"].as_str().expect("a UVCI");
    let began = std::time::Instant::now();
    let listed = loop {
        let listed = list().await;
        if listed != json!([]) {
            break listed;
        }
        assert!(began.elapsed().as_secs() < 5, "a new certificate is in the list after a second");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!((&listed[0]["uvci"], &listed[0]["state"]), (&given["uvci"], &json!("valid")));
    assert_eq!((&listed[0]["text"], &listed[0]["name"]), (&given["text"], &registration()["name"]));
    app.app
        .revoke(&uvci.parse().expect("a UVCI"), Uuid::new_v4(), &asked_by("tester", "a test", NOW))
        .await
        .expect("revokes");
    let revoked = list().await;
    assert_eq!((&revoked[0]["state"], revoked[0].get("text")), (&json!("revoked"), None));
}

#[tokio::test]
async fn a_certificate_s_pictures_are_the_holder_s_and_no_other_citizen_s() {
    let app = TestApp::start().await;
    let (token, other) = (app.citizen(1), app.citizen(2));
    app.register(&token, &registration()).await;
    app.register(&other, &registration_of(7)).await;
    let given = app.post_as(thexanh::http::access::Role::Facility, "/v1/doses", &dose("R-1", 1)).await.json();
    let uvci = given["uvci"].as_str().expect("a UVCI");
    for suffix in ["", ".txt", ".svg", ".pdf"] {
        let path = format!("/v1/certificates/{uvci}{suffix}");
        assert_eq!(app.send("GET", &path, &token, &NULL).await.status, 200, "{suffix}");
        app.send("GET", &path, &other, &NULL).await.problem(403, "not_yours");
    }
}

#[tokio::test]
async fn the_form_that_citizens_fill_in_is_public_in_both_languages() {
    let app = TestApp::start().await;
    let form = app.get("/v1/reference/declaration").await.json();
    assert_eq!(form["questions"].as_array().map(Vec::len), Some(11));
    assert!(form["consent"]["text"]["vi"].as_str().is_some_and(|text| text.contains("đồng ý")));
    let groups = app.get("/v1/reference/priority-groups").await.json();
    assert_eq!((groups.as_array().map(Vec::len), &groups[3]["name"]["en"]), (Some(17), &json!("The army")));
}
