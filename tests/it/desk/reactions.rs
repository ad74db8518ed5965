//! `POST /v1/reactions`: what was felt, by whom it may be said, and what is severe.

use serde_json::{Value, json};
use thexanh::http::access::Role;
use uuid::Uuid;

use super::{ACCOUNT, Desk};

/// A dose of somebody's of [`ACCOUNT`]: given on 2021-06-06T02:15:00Z at facility 79001.
async fn dose(desk: &Desk) -> (Uuid, String) {
    let dose = desk.app.dose("R-1", 1).await.json();
    let person: Uuid = dose["person"].as_str().and_then(|id| id.parse().ok()).expect("a person");
    let member = "INSERT INTO account_member (account_id, person_id) VALUES ($1, $2)";
    desk.sql.execute(member, &[&ACCOUNT, &person]).await.expect("a member");
    (person, dose["dose"].as_str().expect("a dose").to_owned())
}

fn reaction(dose: &str, severity: &str) -> Value {
    json!({
        "dose": dose, "symptoms": ["short_of_breath", "fever", "fever"], "severity": severity,
        "onset_at": "2021-06-06T20:00:00+07:00", "note": "since the evening",
    })
}

const REACTIONS: &str = "/v1/reactions";

#[tokio::test]
async fn a_severe_reaction_is_a_case_at_once_and_only_once() {
    let desk = Desk::start().await;
    let (person, dose) = dose(&desk).await;
    let mild = desk.post(Role::Citizen, REACTIONS, &reaction(&dose, "mild")).await;
    assert_eq!((mild.status, mild.json().get("ticket")), (201, None), "{}", mild.text());
    assert_eq!(desk.count("SELECT count(*) FROM ticket").await, 0);
    let severe = reaction(&dose, "severe");
    let (first, again) =
        (desk.post(Role::Citizen, REACTIONS, &severe).await, desk.post(Role::Response, REACTIONS, &severe).await);
    assert_eq!((first.status, again.status, first.json()), (201, 200, again.json()));
    assert_eq!(desk.count("SELECT count(*) FROM reaction").await, 2);
    let tickets = desk.get(Role::Response, "/v1/tickets").await.json();
    assert_eq!(tickets["tickets"].as_array().map(Vec::len), Some(1));
    let ticket = &tickets["tickets"][0];
    assert_eq!((&ticket["kind"], &ticket["about"]), (&json!("severe_reaction"), &json!(person)));
    assert_eq!((&ticket["subject"], &ticket["ticket"]), (&first.json()["reaction"], &first.json()["ticket"]));
    assert_eq!(
        (&ticket["province"], &ticket["said"]),
        (&json!("01"), &json!("fever, short_of_breath")),
        "where they live"
    );
    let record = desk.get(Role::Facility, &format!("/v1/people/{person}?purpose=a+call")).await.json();
    assert_eq!(record["reactions"].as_array().map(Vec::len), Some(2));
    assert_eq!(desk.audited("reaction.add").await.len(), 2);
}

#[tokio::test]
async fn a_reaction_is_said_by_their_own_or_the_response_centre() {
    let desk = Desk::start().await;
    let (_, dose) = dose(&desk).await;
    let other = desk.app.bearer_of(Role::Citizen, "1", "");
    desk.send("POST", REACTIONS, &other, &reaction(&dose, "severe")).await.problem(403, "not_yours");
    assert_eq!(desk.post(Role::Response, REACTIONS, &reaction(&dose, "moderate")).await.status, 201);
    desk.post(Role::Facility, REACTIONS, &reaction(&dose, "mild")).await.problem(403, "role_not_allowed");
    let unknown = format!("{}.{}", dose.split('.').next().expect("a person"), Uuid::new_v4().simple());
    desk.post(Role::Citizen, REACTIONS, &reaction(&unknown, "mild")).await.problem(404, "unknown_dose");
    assert_eq!(desk.count("SELECT count(*) FROM reaction").await, 1);
    assert_eq!(desk.count("SELECT count(*) FROM ticket").await, 0);
}

#[tokio::test]
async fn a_reaction_names_known_symptoms_and_begins_after_the_dose() {
    let desk = Desk::start().await;
    let (_, dose) = dose(&desk).await;
    let changed = |member: &str, value: Value| {
        let mut body = reaction(&dose, "mild");
        body[member] = value;
        body
    };
    for (member, value) in [
        ("dose", json!("x")),
        ("symptoms", json!([])),
        ("symptoms", json!(["=cmd"])),
        ("symptoms", Value::from(vec!["fever"; 100])),
        ("severity", json!("deadly")),
        ("onset_at", json!("yesterday")),
        ("note", json!("x".repeat(501))),
    ] {
        let answer = desk.post(Role::Citizen, REACTIONS, &changed(member, value.clone())).await;
        assert_eq!(answer.problem(422, "unprocessable")["field"], member, "{value}");
    }
    for (onset, status) in [
        ("2021-06-06T02:14:59Z", 422),
        ("2021-06-06T02:15:00Z", 201),
        ("2021-06-06T02:15:01Z", 201),
        ("2021-08-01T16:59:59Z", 201), // the last second of today in Viet Nam
        ("2021-08-01T17:00:00Z", 422),
        ("2021-08-01T17:00:01Z", 422),
    ] {
        assert_eq!(
            desk.post(Role::Citizen, REACTIONS, &changed("onset_at", json!(onset))).await.status,
            status,
            "{onset}"
        );
    }
    let symptoms = desk.app.get("/v1/reference/symptoms").await.json();
    let fever = symptoms.as_array().expect("symptoms").iter().find(|symptom| symptom["code"] == "fever");
    assert_eq!(fever, Some(&json!({"code": "fever", "en": "Fever", "vi": "Sốt"})));
    let all: Vec<&str> = symptoms.as_array().expect("symptoms").iter().filter_map(|row| row["code"].as_str()).collect();
    assert_eq!(desk.post(Role::Citizen, REACTIONS, &changed("symptoms", json!(all))).await.status, 201);
}
