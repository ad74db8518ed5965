//! The whole way of one person, over the API alone: registered, listed, called, placed, vaccinated twice, green.

use serde_json::json;
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::Role;

use crate::app::NOW;
use crate::citizens::{self, registration};

#[tokio::test]
async fn from_a_registration_to_a_green_card() {
    let (app, gateway) = citizens::start().await;
    let (nurse, null) = (app.bearer(Role::Facility), serde_json::Value::Null);

    // Registers by phone, in district 1 of Ho Chi Minh City.
    let citizen = app.log_in(&gateway, "0912345678").await;
    let mut form = registration();
    form["ward"] = "26734".into();
    let person = app.register(&citizen, &form).await;

    // The facility finds them on its list, and calls.
    let list = "/v1/registrations?district=760&purpose=calls";
    let page = app.send("GET", list, &nurse, &null).await.json();
    let listed = &page["registrations"][0];
    assert_eq!((&listed["person"], &listed["phone"]), (&json!(person), &json!("+84912345678")), "{page}");
    let seen = json!({"status": listed["status"], "contacts": listed["contacts"]});
    let path = format!("/v1/registrations/{person}");
    let called = app.send("PATCH", &path, &nurse, &json!({"status": "called", "seen": seen})).await;
    assert_eq!(called.status, 200, "{}", called.text());

    // They agree on a day, which the citizen sees.
    let session =
        json!({"facility": "79001", "date": "2021-08-01", "begins": "07:30", "ends": "11:00", "capacity": 10});
    let session = app.send("POST", "/v1/appointments/sessions", &nurse, &session).await.json();
    let seen = json!({"status": "called", "contacts": called.json()["contacts"]});
    let placed = json!({"status": "scheduled", "session": session["session"], "seen": seen});
    let placed = app.send("PATCH", &path, &nurse, &placed).await;
    assert_eq!(placed.status, 200, "{}", placed.text());
    let mine = app.send("GET", "/v1/people/me", &citizen, &null).await.json();
    assert_eq!(mine[0]["sessions"][0]["date"], "2021-08-01", "{mine}");
    assert_eq!(mine[0]["registration"]["status"], "scheduled");

    // A dose, and the certificate is in hand.
    let mut dose = crate::app::dose("W-1", 1);
    dose["given_at"] = "2021-08-01T02:00:00Z".into();
    let first = app.send("POST", "/v1/doses", &nurse, &dose).await.json();
    assert_eq!((&first["person"], &first["card"], &first["flags"]), (&json!(person), &json!("yellow"), &json!([])));
    let mine = app.send("GET", "/v1/people/me", &citizen, &null).await.json();
    assert_eq!(mine[0]["registration"]["status"], "vaccinated");
    assert_eq!(mine[0]["certificates"][0]["uvci"], first["uvci"], "{mine}");
    let picture = format!("/v1/certificates/{}.svg", first["uvci"].as_str().expect("a UVCI"));
    assert_eq!(app.send("GET", &picture, &citizen, &null).await.status, 200);
    assert_eq!(app.verify(first["text"].as_str().expect("a text")).await["card"], "yellow");

    // Four weeks later the second.
    app.clock.set(UnixSeconds(NOW.0 + 28 * 86_400));
    let nurse = app.bearer(Role::Facility);
    (dose["record_no"], dose["number"]) = ("W-2".into(), 2.into());
    dose["given_at"] = "2021-08-29T02:00:00Z".into();
    let second = app.send("POST", "/v1/doses", &nurse, &dose).await.json();
    assert_eq!((&second["person"], &second["card"], &second["flags"]), (&json!(person), &json!("green"), &json!([])));
    let verdict = app.verify(second["text"].as_str().expect("a text")).await;
    assert_eq!((&verdict["result"], &verdict["card"]), (&json!("accepted"), &json!("green")));
}
