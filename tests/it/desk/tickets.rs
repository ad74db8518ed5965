//! `/v1/tickets`: raised, listed oldest first, and no step lost to another.

use std::collections::HashSet;

use serde_json::{Value, json};
use thexanh::http::access::Role;
use uuid::Uuid;

use super::{Desk, later};

const TICKETS: &str = "/v1/tickets";

async fn raise(desk: &Desk, province: &str, said: &str) -> Value {
    let answer = desk.post(Role::Response, TICKETS, &json!({"province": province, "said": said})).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

fn path(ticket: &Value) -> String {
    format!("{TICKETS}/{}", ticket["ticket"].as_str().expect("an id"))
}

#[tokio::test]
async fn cases_are_listed_oldest_first_and_a_province_sees_its_own() {
    let desk = Desk::start().await;
    for n in 0..21 {
        later(&desk, n / 2);
        raise(&desk, ["79", "01", "48"][n as usize % 3], &format!("call {n}")).await;
    }
    let (mut after, mut seen, mut ids, mut times) = (String::new(), HashSet::new(), HashSet::new(), Vec::new());
    loop {
        let page = desk.get(Role::Ministry, &format!("{TICKETS}?limit=4{after}")).await.json();
        for ticket in page["tickets"].as_array().expect("tickets") {
            assert!(ids.insert(ticket["ticket"].to_string()), "twice: {ticket}");
            seen.insert(ticket["said"].to_string());
            times.push(ticket["made_at"].as_i64());
        }
        raise(&desk, "79", "later").await;
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
        if ids.len() > 40 {
            break; // it grows as fast as it is read
        }
    }
    assert!((0..21).all(|n| seen.contains(&format!("\"call {n}\""))), "{seen:?}");
    assert!(times.is_sorted());
    let own = desk.get(Role::Province, TICKETS).await.json();
    assert!(own["tickets"].as_array().expect("tickets").iter().all(|ticket| ticket["province"] == "79"));
    desk.get(Role::Province, &format!("{TICKETS}?province=01")).await.problem(403, "not_yours");
    assert_eq!(
        desk.get(Role::Response, &format!("{TICKETS}?province=48")).await.json()["tickets"].as_array().map(Vec::len),
        Some(7)
    );
    assert_eq!(desk.get(Role::Response, &format!("{TICKETS}?status=closed")).await.json(), json!({"tickets": []}));
    for query in ["?status=x", "?province=00", "?after=x", "?limit=0", "?nonsense=1"] {
        desk.get(Role::Response, &format!("{TICKETS}{query}")).await.problem(400, "bad_parameter");
    }
    desk.get(Role::Facility, TICKETS).await.problem(403, "role_not_allowed");
    assert!(!desk.audited("ticket.list").await.is_empty());
}

#[tokio::test]
async fn of_two_steps_at_once_the_second_is_told_and_nothing_is_lost() {
    let desk = Desk::start().await;
    let ticket = raise(&desk, "79", "has no certificate").await;
    let path = path(&ticket);
    assert_eq!((&ticket["status"], &ticket["version"], &ticket["kind"]), (&json!("open"), &json!(1), &json!("call")));
    let assign = json!({"version": 1, "action": "assign", "to": "an"});
    let answers = futures_util::future::join_all((0..6).map(|_| desk.patch(Role::Response, &path, &assign))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 5);
    let answered =
        desk.patch(Role::Response, &path, &json!({"version": 2, "action": "answer", "note": "called back"})).await;
    assert_eq!(answered.json()["status"], "assigned");
    let closed =
        desk.patch(Role::Ministry, &path, &json!({"version": 3, "action": "close", "note": "has it now"})).await.json();
    assert_eq!(
        (&closed["status"], &closed["assigned_to"], &closed["version"]),
        (&json!("closed"), &json!("an"), &json!(4))
    );
    let what: Vec<&Value> = closed["steps"].as_array().expect("steps").iter().map(|step| &step["what"]).collect();
    assert_eq!(what, ["assigned", "answered", "closed"]);
    let late = json!({"version": 4, "action": "answer", "note": "and then"});
    assert_eq!(desk.patch(Role::Response, &path, &late).await.problem(422, "unprocessable")["field"], "action");
    let listed = desk.get(Role::Province, &format!("{TICKETS}?status=closed")).await.json();
    assert_eq!(listed["tickets"][0], closed);
    assert_eq!(desk.audited("ticket.step").await.len(), 3);
}

#[tokio::test]
async fn a_case_with_a_key_is_raised_once_and_what_is_not_understood_is_refused() {
    let desk = Desk::start().await;
    let token = desk.app.bearer(Role::Response);
    let send = async |key: &str, said: &str| {
        let headers = [("content-type", "application/json"), ("authorization", &*token), ("idempotency-key", key)];
        desk.app
            .request("POST", TICKETS, &headers, json!({"province": "79", "said": said}).to_string().as_bytes())
            .await
    };
    let (first, again) = (send("k", "asks").await, send("k", "asks").await);
    assert_eq!((first.status, again.status, first.json()), (201, 200, again.json()));
    send("k", "asks again").await.problem(422, "idempotency_key_reused");
    for (body, field) in [
        (json!({"province": "00", "said": "asks"}), "province"),
        (json!({"province": "79", "said": " "}), "said"),
        (json!({"province": "79", "said": "x".repeat(501)}), "said"),
    ] {
        assert_eq!(desk.post(Role::Response, TICKETS, &body).await.problem(422, "unprocessable")["field"], field);
    }
    let about = json!({"province": "79", "said": "asks", "person": Uuid::new_v4()});
    desk.post(Role::Response, TICKETS, &about).await.problem(404, "unknown_person");
    let path = path(&first.json());
    for (body, field) in [
        (json!({"version": 1, "action": "assign"}), "to"),
        (json!({"version": 1, "action": "close", "to": "an", "note": "x"}), "to"),
        (json!({"version": 1, "action": "close"}), "note"),
        (json!({"version": 1, "action": "burn"}), "action"),
    ] {
        assert_eq!(desk.patch(Role::Response, &path, &body).await.problem(422, "unprocessable")["field"], field);
    }
    let good = json!({"version": 1, "action": "close", "note": "x"});
    for unknown in [Uuid::new_v4().to_string(), "x".to_owned()] {
        desk.patch(Role::Response, &format!("{TICKETS}/{unknown}"), &good).await.problem(404, "unknown_ticket");
    }
    desk.patch(Role::Province, &path, &good).await.problem(403, "role_not_allowed");
}
