//! `GET /v1/people` and `GET /v1/audit`: one person at a time, for a purpose, and who looked.

use serde_json::{Value, json};
use thexanh::http::access::Role;
use uuid::Uuid;

use super::{Desk, Registrant};

#[tokio::test]
async fn one_person_is_opened_and_who_looked_is_written_before() {
    let desk = Desk::start().await;
    let dose = desk.app.dose("R-1", 1).await.json();
    let person: Uuid = dose["person"].as_str().and_then(|id| id.parse().ok()).expect("a person");
    desk.app.dose("R-2", 2).await;
    for (n, query) in [
        "identity=001183012345",
        "phone=%2B84912345678",
        "phone=0912345678&birth=1983",
        "identity=001183012345&phone=0912345678",
        "phone=0912345678&name=nguyen+thi+phuong+thao",
    ]
    .into_iter()
    .enumerate()
    {
        let answer = desk.get(Role::Facility, &format!("/v1/people?{query}&purpose=second+dose")).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{query}");
        let record = answer.json()["record"].clone();
        assert_eq!(record["person"], json!(person), "{query}");
        assert_eq!(desk.audited("person.read").await.len(), n + 1);
    }
    let read = desk.audited("person.read").await[0].clone();
    assert_eq!(read, ("facility".to_owned(), Some(person), "second dose".to_owned()));
    let record = desk.get(Role::Ministry, &format!("/v1/people/{person}?purpose=a+letter")).await.json();
    assert_eq!((&record["phone"], &record["identity_ends"]), (&json!("+84912345678"), &json!("2345")));
    assert!(!record.to_string().contains("001183012345"));
    assert_eq!(record["doses"].as_array().map(Vec::len), Some(2));
    assert_eq!((&record["doses"][0]["record_no"], &record["doses"][0]["voided"]), (&json!("R-1"), &json!(false)));
    let states: Vec<_> = record["certificates"].as_array().expect("certificates").iter().collect();
    assert_eq!((&states[0]["state"], &states[0]["card"]), (&json!("superseded"), &json!("yellow")));
    assert_eq!((&states[1]["state"], &states[1]["card"]), (&json!("valid"), &json!("green")));
}

#[tokio::test]
async fn several_who_may_be_meant_are_shown_by_year_and_commune_only() {
    let desk = Desk::start().await;
    let family = "+84987654321".to_owned();
    let mother = desk.register(&Registrant { phone: family.clone(), ..Registrant::nth(1) }).await;
    let child = desk.register(&Registrant { name: "Trần Thị Bình", phone: family, ..Registrant::nth(2) }).await;
    let found = desk.get(Role::Response, "/v1/people?phone=0987654321&purpose=a+call").await.json();
    let row = |person: Uuid| json!({"person": person, "birth_year": 1990, "ward": "26734", "ward_name": "Phường Tân Định, Quận 1"});
    assert_eq!(found, json!({"candidates": [row(mother), row(child)]}));
    assert_eq!(desk.audited("person.search").await, [("response".to_owned(), None, "a call".to_owned())]);
    let one = desk.get(Role::Response, "/v1/people?phone=0987654321&name=Tran+Thi+Binh&purpose=a+call").await.json();
    assert_eq!((&one["record"]["person"], &one["record"]["registration"]), (&json!(child), &json!("registered")));
    let nobody = desk.get(Role::Response, "/v1/people?phone=0987654321&birth=1991&purpose=a+call").await.json();
    assert_eq!(nobody, json!({"candidates": []}));
    assert_eq!(desk.audited("person.search").await.len(), 2, "also when nobody is found");
}

#[tokio::test]
async fn a_look_up_needs_a_number_and_a_purpose() {
    let desk = Desk::start().await;
    for (query, field) in [
        ("phone=0912345678", "purpose"),
        ("phone=0912345678&purpose=+", "purpose"),
        ("name=Tran+Van+An&birth=1990-05-17&purpose=x", "identity"),
        ("identity=12&purpose=x", "identity"),
        ("phone=12&purpose=x", "phone"),
        ("phone=0912345678&name=%3Cscript%3E&purpose=x", "name"),
        ("phone=0912345678&birth=1990-02-30&purpose=x", "birth"),
        ("phone=0912345678&birth=&purpose=x", "birth"),
    ] {
        let document = desk.get(Role::Facility, &format!("/v1/people?{query}")).await.problem(400, "bad_parameter");
        assert_eq!(document["field"], field, "{query}");
        assert!(!document.to_string().contains("0912345678"), "repeats nothing");
    }
    let nobody = Uuid::new_v4();
    desk.get(Role::Facility, &format!("/v1/people/{nobody}")).await.problem(400, "bad_parameter");
    desk.get(Role::Facility, &format!("/v1/people/{nobody}?purpose=x")).await.problem(404, "unknown_person");
    desk.get(Role::Facility, "/v1/people/x?purpose=x").await.problem(400, "bad_parameter");
    desk.get(Role::Citizen, "/v1/people?phone=0912345678&purpose=x").await.problem(403, "role_not_allowed");
    assert_eq!(desk.audited("person.read").await, []);
}

#[tokio::test]
async fn the_ministry_reads_the_audit_trail_page_by_page_and_is_in_it() {
    let desk = Desk::start().await;
    let person = desk.register(&Registrant::nth(1)).await;
    for n in 0..23 {
        let about = if n % 2 == 0 { format!("/v1/people/{person}") } else { "/v1/people".to_owned() };
        desk.get(Role::Facility, &format!("{about}?phone=0900000099&purpose=look+{n}")).await;
    }
    for n in 0..23 {
        desk.get(Role::Facility, &format!("/v1/people/{person}?purpose=read+{n}")).await;
    }
    let (mut after, mut whys) = (String::new(), Vec::new());
    loop {
        let page = desk.get(Role::Ministry, &format!("/v1/audit?day=2021-08-01&person={person}&limit=5{after}")).await;
        let page = page.json();
        let entries = page["entries"].as_array().expect("entries").clone();
        whys.extend(entries.iter().filter(|entry| entry["action"] == "person.read").map(|entry| entry["why"].clone()));
        assert!(entries.iter().all(|entry| entry["about"] == json!(person)));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
        assert!(whys.len() < 100, "it ends");
    }
    let mut expected: Vec<Value> = (0..23).map(|n| json!(format!("read {n}"))).collect();
    expected.sort_by_key(Value::to_string);
    whys.sort_by_key(Value::to_string);
    assert_eq!(whys, expected);
    assert!(!desk.audited("audit.read").await.is_empty());
    let token = desk.app.bearer(Role::Ministry);
    let headers = [("authorization", token.as_str()), ("accept", "application/x-ndjson")];
    let lines = desk.app.request("GET", "/v1/audit?day=2021-08-01&limit=7", &headers, b"").await;
    assert_eq!((lines.header("content-type"), lines.lines().len()), ("application/x-ndjson", 7));
    assert!(!lines.header("next-after").is_empty());
    assert_eq!(desk.get(Role::Ministry, "/v1/audit?day=2021-07-31").await.json(), json!({"entries": []}));
    for query in ["", "?day=1.8.2021", "?day=2019-12-31", "?day=2021-08-01&person=x", "?day=2021-08-01&limit=501"] {
        desk.get(Role::Ministry, &format!("/v1/audit{query}")).await.problem(400, "bad_parameter");
    }
    desk.get(Role::Response, "/v1/audit?day=2021-08-01").await.problem(403, "role_not_allowed");
}
