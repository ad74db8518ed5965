//! What dashboards are shown of places, days and facilities, and to whom.

use serde_json::{Value, json};
use thexanh::http::access::Role;

use super::agree;
use crate::app::{TestApp, dose_of};
use crate::citizens::registration_of;

const NULL: Value = Value::Null;

/// Some people of Hà Nội and Thành phố Hồ Chí Minh, counted.
async fn peopled() -> TestApp {
    let app = TestApp::start().await;
    for (n, ward) in [(1, "26734"), (2, "26734"), (3, "26737"), (4, "00001")] {
        let mut registration = registration_of(n);
        registration["ward"] = ward.into();
        app.register(&app.citizen(n.into()), &registration).await;
    }
    // The first registrant twice, a stranger from nowhere late, one of Hà Nội at a facility of the south.
    for (n, number, given_at, facility, ward) in [
        (1, 1, "2021-06-06T02:15:00Z", "79001", NULL),
        (1, 2, "2021-07-31T02:15:00Z", "79001", NULL),
        (9, 1, "2021-07-28T02:15:00Z", "79001", NULL),
        (8, 1, "2021-07-30T02:15:00Z", "79002", json!("00004")),
    ] {
        let mut dose = dose_of(n);
        (dose["record_no"], dose["number"]) = (format!("S-{n}-{number}").into(), number.into());
        (dose["given_at"], dose["person"]["ward"]) = (given_at.into(), ward);
        let answer = app.send("POST", "/v1/doses", &app.bearer_at(facility, "nurse"), &dose).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    agree(Some(&app.app), &app.sql().await).await;
    app
}

/// The place with this code.
fn place<'a>(document: &'a Value, code: &str) -> &'a Value {
    let places = document["places"].as_array().expect("places");
    places.iter().find(|place| place["code"] == code).unwrap_or_else(|| panic!("{code}: {document}"))
}

#[tokio::test]
async fn places_say_how_registrations_people_and_doses_stand_at_each_level() {
    let app = peopled().await;
    let get = async |path: &str| app.get_as(Role::Ministry, path).await.json();
    let provinces = get("/v1/stats/places?level=province").await;
    assert_eq!(provinces["places"].as_array().map(Vec::len), Some(64), "and those of whom it is not known");
    assert_eq!(
        place(&provinces, "79"),
        &json!({
            "code": "79", "name": "Thành phố Hồ Chí Minh", "registered": 3, "waiting": 2, "called": 0, "scheduled": 0,
            "vaccinated": 1, "declined": 0, "people": 3, "first": 0, "full": 1, "doses": 4, "late_doses": 2,
            "lag_days": 3.0, "corrections_open": 0, "corrections_overdue": 0,
        })
    );
    let nowhere = place(&provinces, "");
    assert_eq!((&nowhere["people"], &nowhere["first"], &nowhere["doses"]), (&json!(1), &json!(1), &json!(0)));
    let northern = place(&provinces, "01");
    assert_eq!((&northern["registered"], &northern["people"], &northern["lag_days"]), (&json!(1), &json!(2), &NULL));

    let districts = get("/v1/stats/places?level=district&within=79").await;
    let first = place(&districts, "760");
    assert_eq!((&first["registered"], &first["doses"], &first["late_doses"]), (&json!(3), &json!(2), &json!(1)));
    assert_eq!((&first["corrections_open"], &first["name"]), (&NULL, &json!("Quận 1")));
    let wards = get("/v1/stats/places?level=ward&within=760").await;
    assert_eq!(place(&wards, "26734")["registered"], 2);
    assert_eq!((&place(&wards, "26737")["registered"], &place(&wards, "26737")["doses"]), (&json!(1), &json!(0)));
    let ba_dinh = get("/v1/stats/places?level=ward&within=001").await;
    assert_eq!((&place(&ba_dinh, "00004")["first"], &place(&ba_dinh, "00004")["lag_days"]), (&json!(1), &json!(2.0)));
}

#[tokio::test]
async fn days_tell_what_was_registered_given_and_recorded_without_a_gap() {
    let app = peopled().await;
    let days = async |query: &str| {
        let answer = app.get_as(Role::Ministry, &format!("/v1/stats/days{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["days"].as_array().expect("days").clone()
    };
    let whole = days("?from=2021-07-28&to=2021-08-01").await;
    let day = |day: &str, registered: i64, given: i64, recorded: i64| json!({"day": day, "registered": registered, "given": given, "recorded": recorded});
    let expected = [
        day("2021-07-28", 0, 1, 0),
        day("2021-07-29", 0, 0, 0),
        day("2021-07-30", 0, 1, 0),
        day("2021-07-31", 0, 1, 0),
        day("2021-08-01", 4, 0, 4),
    ];
    assert_eq!(whole, expected);
    assert_eq!(days("?within=01&from=2021-08-01").await, [day("2021-08-01", 1, 0, 0)], "no facility there gave any");
    assert_eq!(days("?within=001&from=2021-08-01").await, [day("2021-08-01", 1, 0, 1)], "of those who live there");
    let sixty = days("").await;
    assert_eq!((sixty.len(), &sixty[0]["day"], &sixty[3]["given"]), (60, &json!("2021-06-03"), &json!(1)));
    for query in ["from=2021-08-02", "from=2020-06-27", "from=x", "within=00004", "within=99", "nonsense=1"] {
        let path = format!("/v1/stats/days?{query}");
        app.get_as(Role::Ministry, &path).await.problem(400, "bad_parameter");
    }
}

#[tokio::test]
async fn facilities_say_how_much_and_how_late() {
    let app = peopled().await;
    let own = app.get_as(Role::Province, "/v1/stats/facilities").await.json();
    let facility = |code: &str, doses: i64, lag: f64, late: f64| {
        json!({
            "code": code, "name": format!("Trạm y tế {code}"), "province": "79", "doses": doses, "doses_7d": doses,
            "last_recorded_on": "2021-08-01", "lag_days": lag, "late_percent": late, "corrections_open": 0,
            "corrections_overdue": 0,
        })
    };
    assert_eq!(own["facilities"], json!([facility("79001", 3, 4.0, 66.6), facility("79002", 1, 2.0, 0.0)]));
    let whole = app.get_as(Role::Response, "/v1/stats/facilities").await.json();
    let idle = &whole["facilities"][0];
    assert_eq!((&idle["code"], &idle["last_recorded_on"], &idle["late_percent"]), (&json!("01001"), &NULL, &NULL));
}

#[tokio::test]
async fn a_province_sees_its_own_and_what_cannot_be_is_refused_by_name() {
    let app = peopled().await;
    let own = app.get_as(Role::Province, "/v1/stats/places?level=province").await.json();
    assert_eq!(own["places"].as_array().map(Vec::len), Some(1));
    assert_eq!(own["places"][0]["code"], "79");
    let districts = app.get_as(Role::Province, "/v1/stats/places?level=district").await.json();
    assert_eq!(districts["places"][0]["code"], "760", "its own where nothing is said");
    for path in [
        "/v1/stats/places?level=district&within=01",
        "/v1/stats/places?level=ward&within=001",
        "/v1/stats/days?within=01",
        "/v1/stats/facilities?within=01",
        "/v1/stats/stream?within=01",
    ] {
        app.get_as(Role::Province, path).await.problem(403, "not_yours");
    }
    for (path, field) in [
        ("/v1/stats/places?level=country", "level"),
        ("/v1/stats/places?level=ward", "within"),
        ("/v1/stats/places?level=province&within=760", "within"),
        ("/v1/stats/places?level=district&within=00", "within"),
        ("/v1/stats/places?level=district&within=000", "within"),
        ("/v1/stats/facilities?within=760", "within"),
        ("/v1/stats/stream?within=760", "within"),
    ] {
        let problem = app.get_as(Role::Ministry, path).await.problem(400, "bad_parameter");
        assert_eq!(problem["field"], field, "{path}");
    }
    for role in [Role::Facility, Role::Verifier, Role::Citizen] {
        app.get_as(role, "/v1/stats/places?level=province").await.problem(403, "role_not_allowed");
    }
}
