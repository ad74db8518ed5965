//! `/v1/corrections`: what is missing or wrong, the facility's answer to it, and what becomes of certificates.

use serde_json::{Value, json};
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::Role;
use uuid::Uuid;

use crate::amend::png;
use crate::app::{NOW, TestApp, dose, dose_of};
use crate::client::Answer;

const MISSING: &str = "missing_dose";

impl TestApp {
    /// Answers a correction as somebody of facility 79001.
    async fn answer(&self, subject: &str, correction: &Value, answer: &Value) -> Answer {
        self.send("PATCH", &path(correction), &self.bearer_at("79001", subject), answer).await
    }

    /// The person of a recorded dose, whom the citizen of the tests answers for from now on.
    async fn own(&self, recorded: &Value) -> Value {
        let person = recorded["person"].clone();
        self.adopt(person.as_str().and_then(|id| id.parse().ok()).expect("a person")).await;
        person
    }

    async fn tickets(&self) -> i64 {
        self.sql().await.query_one("SELECT count(*) FROM ticket", &[]).await.expect("counts").get(0)
    }
}

fn path(correction: &Value) -> String {
    format!("/v1/corrections/{}", correction["id"].as_str().expect("an id"))
}

fn steps(correction: &Value) -> Vec<&str> {
    correction["steps"].as_array().expect("steps").iter().map(|step| step["what"].as_str().expect("a word")).collect()
}

fn missing(person: &Value) -> Value {
    json!({
        "person": person, "kind": MISSING, "text": "I had my first dose in June", "facility": "79001",
        "given": {"product": "EU/1/20/1528", "given_at": "2021-06-06T02:15:00Z", "number": 1},
    })
}

#[tokio::test]
async fn a_missing_dose_is_said_recorded_and_the_old_code_revoked_on_the_next_scan() {
    let app = TestApp::start().await;
    // A backlog person: their second dose was entered, their first was not.
    let known = app.dose("OLD-2", 2).await.json();
    assert_eq!((&known["card"], &known["flags"]), (&json!("yellow"), &json!(["sequence"])));
    let old = known["text"].as_str().expect("a text");
    assert_eq!(app.verify(old).await["result"], "accepted");
    let person = app.own(&known).await;
    let made = app.post_as(Role::Citizen, "/v1/corrections", &missing(&person)).await;
    assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.text());
    let made = made.json();
    assert_eq!((&made["status"], &made["due_at"]), (&json!("open"), &json!(NOW.0 + 72 * 3600)));
    let queue = app.get_as(Role::Facility, "/v1/corrections").await.json();
    assert_eq!(queue["corrections"][0]["id"], made["id"], "the facility that gave it is asked");
    let read = app.get_as(Role::Facility, &path(&made)).await.json();
    assert_eq!((&read["given"]["number"], &read["version"]), (&json!(1), &json!(1)));

    let no_lot = app.answer("nurse", &made, &json!({"version": 1, "answer": "accept"})).await;
    assert_eq!(no_lot.problem(422, "text_invalid")["field"], "given.lot", "the facility knows the lot");
    let accept = json!({"version": 1, "answer": "accept", "given": {"lot": "FE8405"}, "record_no": "PAPER-17"});
    let accepted = app.answer("nurse", &made, &accept).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    let accepted = accepted.json();
    assert_eq!((&accepted["status"], &accepted["revoked"]), (&json!("accepted"), &json!([known["uvci"]])));
    let verdict = app.verify(old).await;
    assert_eq!((&verdict["result"], &verdict["reason"]), (&json!("rejected"), &json!("revoked")));
    let verdict = app.verify(accepted["certificate"]["text"].as_str().expect("a text")).await;
    assert_eq!((&verdict["card"], &verdict["certificate"]["dose"]), (&json!("green"), &json!(2)));
    assert_eq!(verdict["certificate"]["given_on"], "2021-07-04");
    let mine = app.get_as(Role::Citizen, &path(&made)).await.json();
    assert_eq!(steps(&mine), ["made", "accepted"]);
    assert!(mine["steps"][1].get("by").is_none(), "who at the facility is the facility's business");
    assert_eq!(app.get_as(Role::Facility, "/v1/corrections").await.json()["corrections"], json!([]), "answered");
    let mine = app.get_as(Role::Citizen, "/v1/corrections").await.json();
    assert_eq!(mine["corrections"][0]["status"], "accepted");
    let flags = app.sql().await.query("SELECT flags FROM dose", &[]).await.expect("reads");
    assert!(flags.len() == 2 && flags.iter().all(|row| row.get::<_, Value>(0) == json!([])), "in sequence now");
    let again = app.dose("OLD-2", 2).await.json();
    assert_eq!(again["uvci"], accepted["certificate"]["uvci"], "its record gives the one in force");
}

#[tokio::test]
async fn a_missing_second_dose_revokes_the_old_code_as_well() {
    let app = TestApp::start().await;
    let known = app.dose("OLD-1", 1).await.json();
    let person = app.own(&known).await;
    let mut said = missing(&person);
    said["given"] = json!({"product": "EU/1/20/1528", "given_at": "2021-07-04T02:15:00Z", "number": 2, "lot": "A"});
    let made = app.post_as(Role::Citizen, "/v1/corrections", &said).await.json();
    let accepted = app.answer("nurse", &made, &json!({"version": 1, "answer": "accept"})).await.json();
    assert_eq!(accepted["revoked"], json!([known["uvci"]]));
    assert_eq!(app.verify(known["text"].as_str().expect("a text")).await["reason"], "revoked");
    assert_eq!(app.verify(accepted["certificate"]["text"].as_str().expect("a text")).await["card"], "green");
}

#[tokio::test]
async fn a_changed_name_takes_two_people_of_the_facility() {
    let app = TestApp::start().await;
    let known = app.dose("R-1", 1).await.json();
    let person = app.own(&known).await;
    let said = json!({"person": person, "kind": "wrong_data", "text": "my name", "facility": "79001",
        "data": {"name": "Nguyễn Thị Phương Thanh", "identity": "001183012346", "phone": "0987654321"}});
    let made = app.post_as(Role::Citizen, "/v1/corrections", &said).await.json();
    assert_eq!(made["data"]["identity"], "001183012346");
    let stored = app.sql().await.query_one("SELECT claim::text FROM correction", &[]).await.expect("reads");
    assert!(!stored.get::<_, &str>(0).contains("001183012346") && !stored.get::<_, &str>(0).contains("987654321"));
    let accept = |version| json!({"version": version, "answer": "accept"});
    let proposed = app.answer("maker", &made, &accept(1)).await;
    assert_eq!((proposed.status, &proposed.json()["status"]), (202, &json!("checking")));
    let old = known["text"].as_str().expect("a text");
    assert_eq!(app.verify(old).await["result"], "accepted", "nothing is changed yet");
    app.answer("maker", &made, &accept(2)).await.problem(403, "second_person_needed");
    app.answer("checker", &made, &accept(1)).await.problem(409, "correction_changed");
    let accepted = app.answer("checker", &made, &accept(2)).await;
    assert_eq!((accepted.status, &accepted.json()["revoked"]), (200, &json!([known["uvci"]])), "{}", accepted.text());
    assert_eq!(steps(&accepted.json()), ["made", "proposed", "accepted"]);
    assert_eq!(app.verify(old).await["reason"], "revoked");
    let accepted = accepted.json();
    let verdict = app.verify(accepted["certificate"]["text"].as_str().expect("a text")).await;
    assert_eq!(verdict["certificate"]["name"], "Nguyễn Thị Phương Thanh");
    app.answer("checker", &made, &accept(3)).await.problem(409, "correction_closed");

    let mut next = dose("R-2", 2);
    next["person"] = json!({"name": "Nguyễn Thị Phương Thanh", "birth": "1983-10-10", "identity": "001183012346"});
    assert_eq!(
        app.post_as(Role::Facility, "/v1/doses", &next).await.json()["person"],
        person,
        "found by the new number"
    );
    let mut stranger = dose("R-3", 1);
    stranger["person"] = json!({"name": "Trần Văn Nam", "birth": "1983-10-10", "identity": "001183012345"});
    let stranger = app.post_as(Role::Facility, "/v1/doses", &stranger).await.json();
    assert!(
        stranger["person"] != person && stranger["flags"] == json!([]),
        "the old number is somebody else's: {stranger}"
    );
}

#[tokio::test]
async fn a_wrong_dose_is_put_right_and_after_a_day_by_two_people() {
    let app = TestApp::start().await;
    let known = app.dose("R-1", 1).await.json();
    let person = app.own(&known).await;
    let said = json!({"person": person, "kind": "wrong_data", "text": "it was the 7th", "dose": known["dose"],
        "given": {"given_at": "2021-06-07T02:15:00Z"}});
    let made = app.post_as(Role::Citizen, "/v1/corrections", &said).await.json();
    assert_eq!(made["facility"], "79001", "the one that gave it");
    app.clock.set(UnixSeconds(NOW.0 + 86_401));
    let proposed = app.answer("maker", &made, &json!({"version": 1, "answer": "accept"})).await;
    assert_eq!(proposed.status, 202, "{}", proposed.text());
    let accepted = app.answer("checker", &made, &json!({"version": 2, "answer": "accept"})).await.json();
    assert_eq!(accepted["revoked"], json!([known["uvci"]]));
    let verdict = app.verify(accepted["certificate"]["text"].as_str().expect("a text")).await;
    assert_eq!(verdict["certificate"]["given_on"], "2021-06-07");
    let history = app.sql().await;
    let history = history.query_one("SELECT made_by, checked_by FROM dose_change", &[]).await.expect("reads");
    assert_eq!((history.get(0), history.get(1)), ("maker", "checker"));
}

#[tokio::test]
async fn a_facility_rejects_with_a_reason_or_passes_on_with_the_deadline_kept() {
    let app = TestApp::start().await;
    let known = app.dose("R-2", 2).await.json();
    let person = app.own(&known).await;
    let made = app.post_as(Role::Citizen, "/v1/corrections", &missing(&person)).await.json();
    app.clock.set(UnixSeconds(NOW.0 + 3600));
    let on = json!({"version": 1, "answer": "pass_on", "why": "it was given next door", "facility": "79002"});
    let passed = app.answer("nurse", &made, &on).await.json();
    assert_eq!((&passed["facility"], &passed["due_at"]), (&json!("79002"), &made["due_at"]));
    app.answer("nurse", &made, &json!({"version": 2, "answer": "reject", "why": "x"})).await.problem(403, "not_yours");
    assert_eq!(app.get_as(Role::Facility, "/v1/corrections").await.json()["corrections"], json!([]));
    let neighbour = app.bearer_at("79002", "nurse");
    let queue = app.request("GET", "/v1/corrections", &[("authorization", &neighbour)], b"").await.json();
    assert_eq!(queue["corrections"][0]["id"], made["id"]);
    let reject = json!({"version": 2, "answer": "reject", "why": "there is no such slip"});
    // Two who answer at once: one of them is told that it was changed.
    let (path, doctor) = (path(&made), app.bearer_at("79002", "doctor"));
    let (one, two) =
        tokio::join!(app.send("PATCH", &path, &neighbour, &reject), app.send("PATCH", &path, &doctor, &reject));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let mine = app.get_as(Role::Citizen, &path).await.json();
    assert_eq!((&mine["status"], steps(&mine)), (&json!("rejected"), vec!["made", "passed_on", "rejected"]));
    assert_eq!(mine["steps"][2]["note"], "there is no such slip");
    assert_eq!(app.verify(known["text"].as_str().expect("a text")).await["result"], "accepted");
}

#[tokio::test]
async fn past_its_deadline_it_becomes_one_ticket_and_may_still_be_answered() {
    let app = TestApp::start().await;
    let known = app.dose("R-2", 2).await.json();
    let person = app.own(&known).await;
    let made = app.post_as(Role::Citizen, "/v1/corrections", &missing(&person)).await.json();
    for (offset, tickets) in [(-1, 0), (0, 0), (1, 1), (2, 1)] {
        app.clock.set(UnixSeconds(NOW.0 + 72 * 3600 + offset));
        app.app.escalate().await.expect("looks");
        assert_eq!(app.tickets().await, tickets, "{offset}");
    }
    let ticket = app.sql().await;
    let ticket =
        ticket.query_one("SELECT kind, status, province_code, about::text FROM ticket", &[]).await.expect("reads");
    assert_eq!((ticket.get(0), ticket.get(1), ticket.get(2)), ("overdue_correction", "open", "79"));
    assert_eq!(person, ticket.get::<_, &str>(3));
    let mine = app.get_as(Role::Citizen, &path(&made)).await.json();
    assert_eq!((&mine["status"], steps(&mine)), (&json!("overdue"), vec!["made", "overdue"]));
    let accept = json!({"version": 2, "answer": "accept", "given": {"lot": "A"}});
    assert_eq!(app.answer("nurse", &made, &accept).await.json()["status"], "accepted");
    app.app.escalate().await.expect("looks");
    assert_eq!(app.tickets().await, 1);
}

#[tokio::test]
async fn hours_to_answer_are_a_setting() {
    let app = TestApp::start_with(|config| config.corrections.hours = 1).await;
    let known = app.dose("R-2", 2).await.json();
    let person = app.own(&known).await;
    let made = app.post_as(Role::Citizen, "/v1/corrections", &missing(&person)).await.json();
    assert_eq!(made["due_at"], NOW.0 + 3600);
}

#[tokio::test]
async fn a_photo_is_checked_sealed_and_shown_to_those_it_concerns() {
    let app = TestApp::start().await;
    let known = app.dose("R-2", 2).await.json();
    let person = app.own(&known).await;
    let made = app.post_as(Role::Citizen, "/v1/corrections", &missing(&person)).await.json();
    let photo = format!("{}/photo", path(&made));
    app.get_as(Role::Citizen, &photo).await.problem(404, "unknown_correction");
    let citizen = app.bearer(Role::Citizen);
    let put = async |media: &str, bytes: &[u8]| {
        app.request("PUT", &photo, &[("content-type", media), ("authorization", &citizen)], bytes).await
    };
    put("image/gif", b"GIF89a").await.problem(415, "unsupported_media_type");
    put("image/jpeg", &png()).await.problem(422, "unprocessable");
    put("image/png", b"<script>").await.problem(422, "unprocessable");
    let padded = |len: usize| {
        let (head, tail) = (png()[..png().len() - 12].to_vec(), png()[png().len() - 12..].to_vec());
        [head, vec![0; len - png().len()], tail].concat()
    };
    for (len, status) in [((2 << 20) - 1, 200), (2 << 20, 200), ((2 << 20) + 1, 413)] {
        assert_eq!(put("image/png", &padded(len)).await.status, status, "{len}");
    }
    let kept = put("image/png", &png()).await.json();
    assert_eq!((&kept["photo"], steps(&kept).last()), (&json!(true), Some(&"photo")));
    let rows = app.sql().await.query("SELECT content FROM attachment", &[]).await.expect("reads");
    assert_eq!(rows.len(), 1, "in the place of those before it");
    assert!(!rows[0].get::<_, &[u8]>(0).windows(4).any(|window| window == b"IHDR"), "sealed");
    let shown = app.get_as(Role::Facility, &photo).await;
    assert_eq!((shown.status, shown.header("content-type"), shown.body.clone()), (200, "image/png", png()));
    assert_eq!(shown.header("x-content-type-options"), "nosniff");
    let stranger = app.bearer_of(Role::Facility, "79002", "79");
    app.request("GET", &photo, &[("authorization", &stranger)], b"").await.problem(403, "not_yours");
    let read = app.app.store().audited(NOW.vietnamese_date(), None).await.expect("reads");
    assert!(read.iter().any(|entry| entry.action == "correction.photo" && entry.subject == "tester"));
}

#[tokio::test]
async fn a_dose_of_which_it_is_unclear_whose_it_is_goes_to_the_one_the_facility_names() {
    let app = TestApp::start().await;
    let (known, other) = (app.dose("R-1", 1).await.json(), dose_of(7));
    let mut unclear = dose("R-2", 2);
    // The identity number of the one, the name and the birth date of nobody.
    unclear["person"]["name"] = json!("Lê Văn Tám");
    unclear["person"]["birth"] = json!("1990-01-01");
    let unclear = app.post_as(Role::Facility, "/v1/doses", &unclear).await.json();
    assert_eq!(unclear["flags"], json!(["sequence", "person_unclear"]));
    let queue = app.get_as(Role::Facility, "/v1/corrections").await.json();
    let asked = queue["corrections"][0].clone();
    assert_eq!((&asked["kind"], &asked["person"]), (&json!("unclear_person"), &unclear["person"]));
    let read = app.get_as(Role::Facility, &path(&asked)).await.json();
    assert_eq!((&read["dose"], &read["candidates"]), (&unclear["dose"], &json!([known["person"]])));
    let stranger = app.post_as(Role::Facility, "/v1/doses", &other).await.json();
    let accept = |person: &Value| json!({"version": 1, "answer": "accept", "person": person});
    assert_eq!(
        app.answer("n", &asked, &accept(&stranger["person"])).await.problem(422, "unprocessable")["field"],
        "person"
    );
    let moved = app.answer("n", &asked, &accept(&known["person"])).await;
    assert_eq!(moved.status, 200, "{}", moved.text());
    let moved = moved.json();
    let mut revoked: Vec<&str> = moved["revoked"].as_array().expect("some").iter().filter_map(Value::as_str).collect();
    revoked.sort_unstable();
    let mut expected = [known["uvci"].as_str().expect("text"), unclear["uvci"].as_str().expect("text")];
    expected.sort_unstable();
    assert_eq!(revoked, expected);
    let verdict = app.verify(moved["certificate"]["text"].as_str().expect("a text")).await;
    assert_eq!((&verdict["card"], &verdict["certificate"]["birth"]), (&json!("green"), &json!("1983-10-10")));
    let mut again = dose("R-2", 2);
    again["person"]["name"] = json!("Lê Văn Tám");
    again["person"]["birth"] = json!("1990-01-01");
    let again = app.post_as(Role::Facility, "/v1/doses", &again).await;
    assert_eq!(
        (again.status, &again.json()["person"]),
        (200, &known["person"]),
        "sent again, it is where it was moved"
    );
    let third = app.post_as(Role::Facility, "/v1/doses", &dose("R-3", 1)).await.json();
    assert_eq!(third["person"], known["person"], "the empty place is no candidate any more");
}

#[tokio::test]
async fn an_unclear_dose_that_is_nobody_s_else_stays_where_it_is() {
    let app = TestApp::start().await;
    app.dose("R-1", 1).await;
    let mut unclear = dose("R-2", 2);
    unclear["person"]["name"] = json!("Lê Văn Tám");
    unclear["person"]["birth"] = json!("1990-01-01");
    let unclear = app.post_as(Role::Facility, "/v1/doses", &unclear).await.json();
    let asked = app.get_as(Role::Facility, "/v1/corrections").await.json()["corrections"][0].clone();
    let rejected = app.answer("n", &asked, &json!({"version": 1, "answer": "reject", "why": "two people"})).await;
    assert_eq!(rejected.json()["status"], "rejected");
    assert_eq!(app.verify(unclear["text"].as_str().expect("a text")).await["result"], "accepted");
}

#[tokio::test]
async fn a_dose_of_somebody_known_under_another_name_is_doubted_until_the_facility_says_it_is_theirs() {
    let app = TestApp::start().await;
    let known = app.dose("R-1", 1).await.json();
    let mut married = dose("R-2", 2);
    married["person"]["name"] = json!("Trần Thị Phương Thảo");
    let married = app.post_as(Role::Facility, "/v1/doses", &married).await.json();
    assert_eq!((&married["person"], &married["flags"]), (&known["person"], &json!(["person_differs"])));
    let asked = app.get_as(Role::Facility, "/v1/corrections").await.json()["corrections"][0].clone();
    let accept = json!({"version": 1, "answer": "accept", "person": known["person"]});
    let accepted = app.answer("n", &asked, &accept).await.json();
    assert_eq!((&accepted["status"], &accepted["revoked"]), (&json!("accepted"), &json!([])));
    let flags = app.sql().await.query("SELECT flags FROM dose", &[]).await.expect("reads");
    assert!(flags.iter().all(|row| row.get::<_, Value>(0) == json!([])), "nobody doubts it any more");
}

#[tokio::test]
async fn queues_are_paged_by_key_and_seen_by_those_who_answer_for_them() {
    let app = TestApp::start().await;
    for n in 0..5 {
        let known = app.post_as(Role::Facility, "/v1/doses", &dose_of(n)).await.json();
        app.clock.set(UnixSeconds(NOW.0 + i64::from(n / 2)));
        let mut said = missing(&known["person"]);
        said["facility"] = json!(if n < 4 { "79001" } else { "79002" });
        said["given"]["given_at"] = json!("2021-05-06T02:15:00Z");
        let made = app.post_as(Role::Response, "/v1/corrections", &said).await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let mut seen: Vec<String> = Vec::new();
    let mut after = String::new();
    loop {
        let page = app.get_as(Role::Province, &format!("/v1/corrections?limit=2{after}")).await.json();
        let rows = page["corrections"].as_array().expect("rows");
        seen.extend(rows.iter().map(|row| format!("{} {}", row["facility"], row["due_at"])));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert!(seen.len() == 5 && seen.is_sorted(), "{seen:?}");
    assert_eq!(
        app.get_as(Role::Facility, "/v1/corrections").await.json()["corrections"].as_array().map(Vec::len),
        Some(4)
    );
    let elsewhere = app.bearer_of(Role::Province, "01001", "01");
    let elsewhere = app.request("GET", "/v1/corrections", &[("authorization", &elsewhere)], b"").await;
    assert_eq!(elsewhere.json()["corrections"], json!([]));
    for query in
        ["limit=0", "limit=201", "limit=x", "after=x", "after=1.2.3", "after=1.00000000000000000000000000000001.%00"]
    {
        app.get_as(Role::Facility, &format!("/v1/corrections?{query}")).await.problem(400, "bad_parameter");
    }
}

#[tokio::test]
async fn what_is_said_is_bounded_typed_and_one_s_own() {
    let app = TestApp::start().await;
    let known = app.dose("R-2", 2).await.json();
    let person = known["person"].clone();
    let say = async |said: &Value| app.post_as(Role::Citizen, "/v1/corrections", said).await;
    say(&missing(&person)).await.problem(403, "not_yours");
    app.own(&known).await;
    let changed = |path: &str, value: Value| {
        let mut said = missing(&person);
        *said.pointer_mut(path).expect(path) = value;
        said
    };
    let data = |data: Value| json!({"person": person, "kind": "wrong_data", "text": "x", "data": data});
    for (said, code, field) in [
        (changed("/kind", json!("colour")), "unprocessable", "kind"),
        (changed("/kind", json!("wrong_data")), "unprocessable", "kind"),
        (changed("/text", json!(" ")), "unprocessable", "text"),
        (changed("/text", json!("x".repeat(1001))), "unprocessable", "text"),
        (changed("/facility", json!("99999")), "unprocessable", "facility"),
        (changed("/given", json!({})), "unprocessable", "kind"),
        (changed("/given/product", json!("x")), "product_unknown", "given.product"),
        (changed("/given/given_at", json!("2021-08-02T00:00:00Z")), "date_in_the_future", "given.given_at"),
        (data(json!({})), "unprocessable", "kind"),
        (data(json!({"name": "王小明"})), "name_loses_a_letter", "data.name"),
        (data(json!({"birth": "2021-08-02"})), "date_in_the_future", "data.birth"),
        (data(json!({"birth": "2021-07-20"})), "unprocessable", "data.birth"),
        (data(json!({"phone": "1"})), "phone_invalid", "data.phone"),
        (data(json!({"identity": "1"})), "identity_invalid", "data.identity"),
    ] {
        assert_eq!(say(&said).await.problem(422, code)["field"], field, "{said}");
    }
    say(&json!({"person": person})).await.problem(400, "wrong_shape");
    let mut nobody = missing(&person);
    nobody["person"] = json!(Uuid::from_u128(1));
    say(&nobody).await.problem(403, "not_yours");
    app.post_as(Role::Response, "/v1/corrections", &nobody).await.problem(404, "unknown_person");
    let bearer = app.bearer(Role::Citizen);
    let headers = [("content-type", "application/json"), ("authorization", &*bearer), ("idempotency-key", "k")];
    let body = missing(&person).to_string();
    let first = app.request("POST", "/v1/corrections", &headers, body.as_bytes()).await;
    let again = app.request("POST", "/v1/corrections", &headers, body.as_bytes()).await;
    assert_eq!((first.status, again.status, &again.json()["id"]), (201, 200, &first.json()["id"]));
    for n in 1..20 {
        assert_eq!(say(&missing(&person)).await.status, 201, "{n}");
    }
    say(&missing(&person)).await.problem(409, "too_many_corrections");
    let made = first.json();
    for (answer, field) in [
        (json!({"version": 1, "answer": "perhaps"}), "answer"),
        (json!({"version": 1, "answer": "reject"}), "why"),
        (json!({"version": 1, "answer": "pass_on", "why": "x", "facility": "99999"}), "facility"),
        (json!({"version": 1, "answer": "accept", "why": "x"}), "answer"),
    ] {
        assert_eq!(app.answer("n", &made, &answer).await.problem(422, "unprocessable")["field"], field, "{answer}");
    }
}
