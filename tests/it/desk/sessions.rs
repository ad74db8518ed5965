//! `/v1/appointments/sessions`: as many places as there are, and each sees what is theirs.

use serde_json::{Value, json};
use thexanh::http::access::Role;
use uuid::Uuid;

use super::{BA_DINH, Desk, Registrant, SESSIONS, later, session};

const DAY: i64 = 24 * 3600;

async fn place(desk: &Desk, session: &str, person: Uuid) -> crate::client::Answer {
    desk.post(Role::Facility, &format!("{SESSIONS}/{session}/places"), &json!({"person": person})).await
}

#[tokio::test]
async fn a_session_never_has_more_people_than_places_however_many_ask_at_once() {
    let desk = Desk::start().await;
    let session = desk.session(5).await;
    let mut people = Vec::new();
    for n in 0..12 {
        people.push(desk.register(&Registrant::nth(n)).await);
    }
    let answers = futures_util::future::join_all(people.iter().map(|person| place(&desk, &session, *person))).await;
    let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(201), with(409)), (5, 7), "{:?}", answers.iter().map(|a| a.text()).collect::<Vec<_>>());
    assert_eq!(desk.count("SELECT placed FROM session").await, 5);
    assert_eq!(desk.count("SELECT count(*) FROM session_place").await, 5);
    assert_eq!(desk.count("SELECT count(*) FROM person_session").await, 5);
    assert_eq!(desk.count("SELECT count(*) FROM registration WHERE status = 'scheduled'").await, 5);
    assert_eq!(desk.count("SELECT count(*) FROM registration_by_district WHERE status = 'scheduled'").await, 5);
    assert_eq!(desk.audited("session.place").await.len(), 5);
}

#[tokio::test]
async fn a_place_is_taken_once_and_given_back_once() {
    let desk = Desk::start().await;
    let session = desk.session(1).await;
    let (first, second) = (desk.register(&Registrant::nth(1)).await, desk.register(&Registrant::nth(2)).await);
    let same = futures_util::future::join_all((0..6).map(|_| place(&desk, &session, first))).await;
    assert_eq!(same.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(same.iter().all(|answer| answer.status / 100 == 2 && answer.json()["placed"] == 1));
    place(&desk, &session, second).await.problem(409, "session_full");
    let path = format!("{SESSIONS}/{session}/places/{first}");
    let token = desk.app.bearer(Role::Province);
    let back = desk.send("DELETE", &path, &token, &Value::Null).await;
    assert_eq!((back.status, &back.json()["placed"]), (200, &json!(0)));
    assert_eq!(desk.statuses(first).await, ("called".to_owned(), "called".to_owned()));
    desk.send("DELETE", &path, &token, &Value::Null).await.problem(404, "unknown_registration");
    assert_eq!(place(&desk, &session, second).await.status, 201);
    assert_eq!(desk.count("SELECT placed FROM session").await, 1);
}

#[tokio::test]
async fn a_session_is_for_a_day_to_come_and_its_facility_s_to_make() {
    let desk = Desk::start().await;
    let changed = |member: &str, value: Value| {
        let mut body = session(10);
        body[member] = value;
        body
    };
    for (member, value) in [
        ("date", json!("2021-07-31")),
        ("date", json!("2022-08-03")),
        ("date", json!("2021-02-30")),
        ("date", json!("3/8/2021")),
        ("begins", json!("7:30")),
        ("begins", json!("24:30")),
        ("ends", json!("07:30")),
        ("ends", json!("07:29")),
        ("capacity", json!(0)),
        ("capacity", json!(2001)),
        ("product", json!("EU/1/20/9999")),
    ] {
        let answer = desk.post(Role::Facility, SESSIONS, &changed(member, value.clone())).await;
        assert_eq!(answer.problem(422, "unprocessable")["field"], member.replace("begins", member), "{value}");
    }
    for (capacity, status) in [(1, 201), (2, 201), (1999, 201), (2000, 201)] {
        assert_eq!(desk.post(Role::Facility, SESSIONS, &session(capacity)).await.status, status);
    }
    assert_eq!(desk.post(Role::Facility, SESSIONS, &changed("date", json!("2021-08-01"))).await.status, 201, "today");
    assert_eq!(desk.post(Role::Province, SESSIONS, &changed("facility", json!("79002"))).await.status, 201);
    desk.post(Role::Facility, SESSIONS, &changed("facility", json!("79002"))).await.problem(403, "not_yours");
    desk.post(Role::Province, SESSIONS, &changed("facility", json!("01001"))).await.problem(403, "not_yours");
    desk.post(Role::Province, SESSIONS, &changed("facility", json!("nowhere"))).await.problem(403, "not_yours");
    desk.post(Role::Ministry, SESSIONS, &session(10)).await.problem(403, "role_not_allowed");
    let listed = async |query: &str| desk.get(Role::Facility, &format!("{SESSIONS}{query}")).await.json();
    assert_eq!(listed("").await["sessions"].as_array().map(Vec::len), Some(5), "its own, from today");
    assert_eq!(listed("?from=2021-08-02&to=2021-08-03").await["sessions"].as_array().map(Vec::len), Some(4));
    assert_eq!(listed("?from=2021-08-04").await["sessions"], json!([]));
    for (to, status) in [("2021-07-31", 400), ("2021-08-01", 200), ("2022-08-02", 200), ("2022-08-03", 400)] {
        assert_eq!(
            desk.get(Role::Facility, &format!("{SESSIONS}?from=2021-08-01&to={to}")).await.status,
            status,
            "{to}"
        );
    }
    desk.get(Role::Facility, &format!("{SESSIONS}?facility=79002")).await.problem(403, "not_yours");
    desk.get(Role::Ministry, SESSIONS).await.problem(400, "bad_parameter");
}

#[tokio::test]
async fn a_session_with_a_key_is_made_once() {
    let desk = Desk::start().await;
    let token = desk.app.bearer(Role::Facility);
    let send = async |key: &str, body: &Value| {
        let headers = [("content-type", "application/json"), ("authorization", &*token), ("idempotency-key", key)];
        desk.app.request("POST", SESSIONS, &headers, body.to_string().as_bytes()).await
    };
    let (first, again) = (send("k", &session(3)).await, send("k", &session(3)).await);
    assert_eq!((first.status, again.status, first.json()), (201, 200, again.json()));
    send("k", &session(4)).await.problem(422, "idempotency_key_reused");
    assert_ne!(send("l", &session(3)).await.json()["session"], first.json()["session"]);
    assert_eq!(desk.count("SELECT count(*) FROM session").await, 2);
}

#[tokio::test]
async fn nobody_is_placed_in_a_session_of_yesterday_or_from_another_province() {
    let desk = Desk::start().await;
    let session = desk.session(5).await;
    let elsewhere = desk.register(&Registrant { place: BA_DINH, ..Registrant::nth(1) }).await;
    place(&desk, &session, elsewhere).await.problem(403, "not_yours");
    place(&desk, &session, Uuid::new_v4()).await.problem(404, "unknown_registration");
    let mut people = Vec::new();
    for n in 2..5 {
        people.push(desk.register(&Registrant::nth(n)).await);
    }
    // The session is in two days; in Viet Nam it is a quarter past nine.
    let midnight = 3 * DAY - (9 * 3600 + 15 * 60);
    for (offset, status, person) in [(-1, 201, people[0]), (0, 422, people[1]), (1, 422, people[2])] {
        later(&desk, midnight + offset);
        desk.app.clock.set(thexanh::certificate::UnixSeconds(crate::app::NOW.0 + midnight + offset));
        let answer = place(&desk, &session, person).await;
        assert_eq!(answer.status, status, "{offset}: {}", answer.text());
    }
}

#[tokio::test]
async fn whoever_is_placed_is_seen_by_staff_with_a_purpose_and_by_their_own() {
    let desk = Desk::start().await;
    let session = desk.session(5).await;
    let person = desk.register(&Registrant::nth(7)).await;
    assert_eq!(place(&desk, &session, person).await.status, 201);
    let path = format!("{SESSIONS}/{session}");
    let unsaid = desk.get(Role::Facility, &path).await.problem(400, "bad_parameter");
    assert_eq!(unsaid["field"], "purpose");
    let detail = desk.get(Role::Facility, &format!("{path}?purpose=the+day")).await;
    assert_eq!(detail.header("cache-control"), "no-store");
    let detail = detail.json();
    assert_eq!((&detail["placed"], &detail["people"][0]["phone"]), (&json!(1), &json!("+84900000007")));
    let why = format!("the day [{session}: 1 people]");
    assert_eq!(desk.audited("session.read").await, [("facility".to_owned(), None, why)]);
    let foreign = desk.app.bearer_of(Role::Facility, "79002", "79");
    desk.send("GET", &format!("{path}?purpose=x"), &foreign, &Value::Null).await.problem(403, "not_yours");
    let unknown = format!("{SESSIONS}/79001.{}?purpose=x", Uuid::new_v4().simple());
    desk.get(Role::Facility, &unknown).await.problem(404, "unknown_session");
    desk.get(Role::Facility, &format!("{SESSIONS}/nonsense?purpose=x")).await.problem(404, "unknown_session");
    let own = desk.get(Role::Citizen, SESSIONS).await.json();
    assert_eq!(own["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!((&own["sessions"][0]["person"], &own["sessions"][0]["session"]), (&json!(person), &json!(session)));
    let other = desk.app.bearer_of(Role::Citizen, "1", "");
    assert_eq!(desk.send("GET", SESSIONS, &other, &Value::Null).await.json()["sessions"], json!([]));
    let theirs = format!("{SESSIONS}?person={person}");
    desk.send("GET", &theirs, &other, &Value::Null).await.problem(403, "not_yours");
    desk.get(Role::Citizen, &path).await.problem(403, "role_not_allowed");
}
