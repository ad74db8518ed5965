//! `PATCH /v1/registrations/{person}`: what came of calling, and what a dose does to a registration.

use serde_json::{Value, json};
use thexanh::http::access::Role;
use uuid::Uuid;

use super::cases::add_registration;
use super::{BA_DINH, DISTRICT_1, Desk, Registrant};

fn path(person: Uuid) -> String {
    format!("/v1/registrations/{person}")
}

fn contact(outcome: &str, seen: (&str, i64)) -> Value {
    json!({"status": outcome, "note": "call after six", "seen": {"status": seen.0, "contacts": seen.1}})
}

fn both(status: &str) -> (String, String) {
    (status.to_owned(), status.to_owned())
}

#[tokio::test]
async fn a_contact_is_written_with_who_when_and_what_and_the_list_follows() {
    let desk = Desk::start().await;
    let person = desk.register(&Registrant::nth(1)).await;
    let answer = desk.patch(Role::Facility, &path(person), &contact("no_answer", ("registered", 0))).await;
    assert_eq!(answer.json(), json!({"person": person, "status": "no_answer", "contacts": 1}));
    assert_eq!(desk.statuses(person).await, both("no_answer"));
    let listed = desk.get(Role::Facility, "/v1/registrations?purpose=calls&status=no_answer").await.json();
    let expected = json!({
        "n": 1, "by": "tester", "place": "79001", "at": 1_627_784_100, "outcome": "no_answer", "note": "call after six",
        "session": null,
    });
    assert_eq!(listed["registrations"][0]["contact"], expected);
    let stale = desk.patch(Role::Province, &path(person), &contact("declined", ("registered", 0))).await;
    stale.problem(409, "changed_meanwhile");
    desk.patch(Role::Province, &path(person), &contact("declined", ("no_answer", 0)))
        .await
        .problem(409, "changed_meanwhile");
    assert_eq!(desk.patch(Role::Province, &path(person), &contact("declined", ("no_answer", 1))).await.status, 200);
    assert_eq!(desk.statuses(person).await, both("declined"));
    let audited = desk.audited("registration.contact").await;
    assert_eq!(audited.len(), 2, "{audited:?}");
    assert!(audited.iter().all(|(_, about, _)| *about == Some(person)));
}

#[tokio::test]
async fn of_callers_who_saw_the_same_one_is_written_down() {
    let desk = Desk::start().await;
    let person = desk.register(&Registrant::nth(1)).await;
    let (path, body) = (path(person), contact("called", ("registered", 0)));
    let calls = (0..8).map(|_| desk.patch(Role::Facility, &path, &body));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 7);
    assert_eq!(desk.audited("registration.contact").await.len(), 1);
}

#[tokio::test]
async fn what_is_not_understood_or_not_theirs_changes_nothing() {
    let desk = Desk::start().await;
    let person = desk.register(&Registrant::nth(1)).await;
    let elsewhere = desk.register(&Registrant { place: BA_DINH, ..Registrant::nth(2) }).await;
    let good = contact("called", ("registered", 0));
    for role in [Role::Facility, Role::Province] {
        desk.patch(role, &path(elsewhere), &good).await.problem(403, "not_yours");
        desk.patch(role, &path(Uuid::new_v4()), &good).await.problem(404, "unknown_registration");
    }
    desk.patch(Role::Facility, "/v1/registrations/x", &good).await.problem(400, "bad_parameter");
    let mut other_status = good.clone();
    other_status["status"] = json!("registered");
    let mut session = good.clone();
    session["session"] = json!(format!("79001.{}", Uuid::new_v4().simple()));
    let mut note = good.clone();
    note["note"] = json!("a\u{202e}b");
    for (body, field) in [
        (other_status, "status"),
        (session.clone(), "session"),
        (note, "note"),
        (contact("scheduled", ("registered", 0)), "session"),
    ] {
        assert_eq!(
            desk.patch(Role::Facility, &path(person), &body).await.problem(422, "unprocessable")["field"],
            field
        );
    }
    session["status"] = json!("scheduled");
    desk.patch(Role::Facility, &path(person), &session).await.problem(404, "unknown_session");
    session["session"] = json!(format!("01001.{}", Uuid::new_v4().simple()));
    desk.patch(Role::Facility, &path(person), &session).await.problem(403, "not_yours");
    assert_eq!(desk.statuses(person).await, both("registered"));
    assert_eq!(desk.audited("registration.contact").await, []);
    for (n, (chars, status)) in [(499, 200), (500, 200), (501, 422)].into_iter().enumerate() {
        let person = desk.register(&Registrant::nth(10 + n as u32)).await;
        let mut body = good.clone();
        body["note"] = json!("ư".repeat(chars));
        assert_eq!(desk.patch(Role::Facility, &path(person), &body).await.status, status, "{chars}");
    }
}

#[tokio::test]
async fn scheduling_takes_a_place_and_a_full_session_changes_nothing() {
    let desk = Desk::start().await;
    let session = desk.session(1).await;
    let (first, second) = (desk.register(&Registrant::nth(1)).await, desk.register(&Registrant::nth(2)).await);
    let mut body = contact("scheduled", ("registered", 0));
    body["session"] = json!(session);
    assert_eq!(desk.patch(Role::Facility, &path(first), &body).await.status, 200);
    desk.patch(Role::Facility, &path(second), &body).await.problem(409, "session_full");
    assert_eq!((desk.statuses(first).await, desk.statuses(second).await), (both("scheduled"), both("registered")));
    assert_eq!(desk.count("SELECT placed FROM session").await, 1);
    assert_eq!(desk.count("SELECT count(*) FROM session_place").await, 1);
}

#[tokio::test]
async fn a_dose_marks_the_registration_of_whoever_has_one() {
    let desk = Desk::start().await;
    let first = desk.app.dose("R-1", 1).await.json();
    let person: Uuid = first["person"].as_str().and_then(|id| id.parse().ok()).expect("a person");
    add_registration(&desk.sql, person, DISTRICT_1, 3, "scheduled").await;
    let other = desk.register(&Registrant::nth(1)).await;
    assert_eq!(desk.app.dose("R-1", 1).await.status, 200);
    assert_eq!(desk.statuses(person).await, both("scheduled"), "a dose that was there before is none");
    assert_eq!(desk.app.dose("R-2", 2).await.status, 201);
    assert_eq!(desk.statuses(person).await, both("vaccinated"));
    assert_eq!(desk.statuses(other).await, both("registered"));
}

#[tokio::test]
async fn whoever_withdrew_is_neither_called_nor_placed_nor_marked() {
    let desk = Desk::start().await;
    let session = desk.session(1).await;
    let dose = desk.app.dose("R-1", 1).await.json();
    let person: Uuid = dose["person"].as_str().and_then(|id| id.parse().ok()).expect("a person");
    add_registration(&desk.sql, person, DISTRICT_1, 3, "withdrawn").await;
    let called = desk.patch(Role::Facility, &path(person), &contact("called", ("withdrawn", 0))).await;
    called.problem(404, "unknown_registration");
    let places = format!("/v1/appointments/sessions/{session}/places");
    desk.post(Role::Facility, &places, &json!({"person": person})).await.problem(404, "unknown_registration");
    assert_eq!(desk.app.dose("R-2", 2).await.status, 201);
    let kept =
        desk.sql.query_one("SELECT status FROM registration WHERE person_id = $1", &[&person]).await.expect("kept");
    assert_eq!(kept.get::<_, &str>(0), "withdrawn");
}
