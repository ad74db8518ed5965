//! The counters are what a full count of the tables gives, whatever was done and on which node.

use std::net::SocketAddr;

use serde_json::{Value, json};
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::Role;

use super::{agree, send};
use crate::app::{NOW, TestApp, dose, dose_of};
use crate::citizens::registration_of;

const NULL: Value = Value::Null;
const DAY: i64 = 24 * 3600;

/// Two nodes on one database, each asked in its turn.
struct Nodes {
    app: TestApp,
    other: crate::app::Node,
    asked: std::cell::Cell<usize>,
}

impl Nodes {
    async fn start() -> Nodes {
        let app = TestApp::start().await;
        let other = app.another().await;
        Nodes { app, other, asked: std::cell::Cell::new(0) }
    }

    fn next(&self) -> SocketAddr {
        self.asked.set(self.asked.get() + 1);
        if self.asked.get().is_multiple_of(2) { self.app.address() } else { self.other.address() }
    }

    /// Asks a node, and expects it to be done.
    async fn done(&self, method: &str, path: &str, bearer: &str, body: &Value) -> Value {
        let answer = send(self.next(), method, path, bearer, body).await;
        assert!(answer.status / 100 == 2, "{method} {path}: {}", answer.text());
        if answer.body.is_empty() { NULL } else { answer.json() }
    }

    async fn dose(&self, facility: &str, dose: &Value) -> Value {
        self.done("POST", "/v1/doses", &self.app.bearer_at(facility, "nurse"), dose).await
    }

    async fn register(&self, account: u128, registration: &Value) -> String {
        let made = self.done("POST", "/v1/registrations", &self.app.citizen(account), registration).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    async fn answer(&self, facility: &str, subject: &str, correction: &Value, answer: Value) -> Value {
        let path = format!("/v1/corrections/{}", correction["id"].as_str().expect("an id"));
        self.done("PATCH", &path, &self.app.bearer_at(facility, subject), &answer).await
    }

    async fn agree(&self) -> usize {
        agree(Some(&self.app.app), &self.app.sql().await).await
    }
}

/// The `n`th other person's dose, of this number, given on this day; they live in this commune, or it is not said.
fn dose_on(n: u32, number: u8, given_at: &str, ward: Option<&str>) -> Value {
    let mut dose = dose_of(n);
    (dose["record_no"], dose["number"]) = (format!("S-{n}-{number}").into(), number.into());
    dose["given_at"] = given_at.into();
    dose["person"]["ward"] = ward.map_or(NULL, Value::from);
    dose
}

fn uuid(text: Option<&str>) -> uuid::Uuid {
    text.and_then(|text| text.parse().ok()).expect("an id")
}

/// The `n`th other person's registration, from this commune.
fn from_ward(n: u32, ward: &str) -> Value {
    let mut registration = registration_of(n);
    registration["ward"] = ward.into();
    registration
}

#[tokio::test]
async fn registrations_are_counted_through_everything_that_may_become_of_them() {
    let nodes = Nodes::start().await;
    let nurse = nodes.app.bearer_at("79001", "nurse");
    let mut people = Vec::new();
    for n in 0..8 {
        let ward = ["26734", "26737", "00001", "00004"][n as usize % 4];
        people.push(nodes.register(u128::from(n) + 1, &from_ward(n, ward)).await);
    }
    assert_eq!(nodes.register(1, &from_ward(0, "26734")).await, people[0], "sent again");
    nodes.agree().await;

    // Moved within the district, to another one, to another group; twice to the same.
    let path = |n: usize| format!("/v1/registrations/{}", people[n]);
    for change in [json!({"ward": "26737"}), json!({"ward": "00007", "priority": 3}), json!({"ward": "00007"})] {
        nodes.done("PATCH", &path(0), &nodes.app.citizen(1), &change).await;
        nodes.agree().await;
    }
    // Withdrawn, and registered again from elsewhere on another day.
    nodes.done("DELETE", &path(1), &nodes.app.citizen(2), &NULL).await;
    nodes.agree().await;
    nodes.app.later(DAY);
    assert_eq!(nodes.register(2, &from_ward(1, "00004")).await, people[1]);
    nodes.app.later(0);
    nodes.agree().await;

    // Called, placed, given back, and vaccinated by a dose that finds them.
    let contact = |status: &str, seen: &str, n: i64| json!({"status": status, "seen": {"status": seen, "contacts": n}});
    for (status, seen, n) in [("no_answer", "registered", 0), ("called", "no_answer", 1), ("called", "called", 2)] {
        nodes.done("PATCH", &path(4), &nurse, &contact(status, seen, n)).await;
    }
    nodes.agree().await;
    let session =
        json!({"facility": "79001", "date": "2021-08-03", "begins": "07:30", "ends": "11:00", "capacity": 10});
    let session = nodes.done("POST", "/v1/appointments/sessions", &nurse, &session).await;
    let places = format!("/v1/appointments/sessions/{}/places", session["session"].as_str().expect("a name"));
    nodes.done("POST", &places, &nurse, &json!({"person": people[5]})).await;
    nodes.agree().await;
    nodes.done("DELETE", &format!("{places}/{}", people[5]), &nurse, &NULL).await;
    nodes.agree().await;
    for (n, number) in [(5, 1), (5, 2), (6, 1)] {
        let given = nodes.dose("79001", &dose_on(n, number, &format!("2021-0{}-04T02:15:00Z", 5 + number), None)).await;
        assert_eq!(uuid(given["person"].as_str()), uuid(Some(&people[n as usize])), "{given}");
    }
    nodes.agree().await;

    // Whoever withdrew is not called vaccinated.
    nodes.done("DELETE", &path(7), &nodes.app.citizen(8), &NULL).await;
    nodes.dose("79002", &dose_on(7, 1, "2021-07-30T02:15:00Z", None)).await;
    assert!(nodes.agree().await > 50);
    nodes.other.stop().await;
}

#[tokio::test]
async fn people_and_doses_are_counted_through_everything_that_may_become_of_them() {
    let nodes = Nodes::start().await;
    let (june, july, lately) = ("2021-06-06T02:15:00Z", "2021-07-04T02:15:00Z", "2021-07-30T02:15:00Z");
    // One dose, two, out of order, of a single-dose product; from known communes and unknown ones, two facilities, three lags.
    for (facility, dose) in [
        ("79001", dose_on(1, 1, june, Some("00001"))),
        ("79001", dose_on(1, 2, july, Some("00001"))),
        ("79002", dose_on(2, 2, july, None)),
        ("79002", dose_on(2, 1, june, None)),
        ("01001", dose_on(3, 1, lately, Some("26734"))),
        ("01001", dose_on(3, 1, lately, Some("26734"))),
        ("79001", dose_on(4, 1, "2021-08-01T01:00:00Z", Some("99999"))),
    ] {
        nodes.dose(facility, &dose).await;
    }
    let mut single = dose_on(5, 1, july, Some("26737"));
    single["product"] = "EU/1/20/1525".into();
    let single = nodes.dose("79001", &single).await;
    nodes.agree().await;

    // Amended in what is counted and what is not, and voided; the second of two, and the only one.
    let path = |dose: &Value| format!("/v1/doses/{}", dose["dose"].as_str().expect("a dose"));
    let nurse = nodes.app.bearer_at("79001", "nurse");
    let later = nodes.dose("79001", &dose_on(6, 1, june, Some("26737"))).await;
    for change in [
        json!({"given_at": lately, "why": "mistyped"}),
        json!({"lot": "OTHER", "why": "mistyped"}),
        json!({"product": "EU/1/20/1525", "why": "mistyped"}),
        json!({"void": true, "why": "not given"}),
        json!({"void": true, "why": "not given"}),
    ] {
        nodes.done("PATCH", &path(&later), &nurse, &change).await;
        nodes.agree().await;
    }
    nodes.done("PATCH", &path(&single), &nurse, &json!({"product": "EU/1/20/1528", "why": "mistyped"})).await;
    nodes.agree().await;
    // After a day it takes two, and nothing is changed before the second agrees.
    nodes.app.later(2 * DAY);
    let maker = nodes.app.bearer_at("79001", "maker");
    let waits = nodes.done("PATCH", &path(&single), &maker, &json!({"void": true, "why": "not given"})).await;
    nodes.agree().await;
    let confirmed = json!({"change": waits["change"], "confirm": true});
    nodes.done("PATCH", &path(&single), &nodes.app.bearer_at("79001", "checker"), &confirmed).await;
    nodes.agree().await;

    // Registering claims the record, and its doses move to where its person lives now.
    assert!(nodes.register(1, &from_ward(1, "26734")).await.len() > 30);
    nodes.agree().await;
    nodes.register(2, &from_ward(2, "00004")).await;
    nodes.agree().await;
    let counted = "SELECT value FROM counter WHERE kind = 'people' AND place = '760' AND slot = 'full'";
    assert_eq!(nodes.app.count(counted).await, 1, "who moved to district 1 with a complete course");
    nodes.other.stop().await;
}

#[tokio::test]
async fn corrections_and_cases_are_counted_until_they_are_closed() {
    let nodes = Nodes::start().await;
    let citizen = nodes.app.bearer(Role::Citizen);
    let known = nodes.dose("79001", &dose("OLD-2", 2)).await;
    let person = known["person"].as_str().and_then(|id| id.parse().ok()).expect("a person");
    nodes.app.adopt(person).await;
    let missing = |facility: &str, given_at: &str| {
        json!({"person": known["person"], "kind": "missing_dose", "text": "it is missing", "facility": facility,
               "given": {"product": "EU/1/20/1528", "given_at": given_at, "number": 1, "lot": "A"}})
    };
    let corrections = "/v1/corrections";
    let accepted = nodes.done("POST", corrections, &citizen, &missing("79001", "2021-06-06T02:15:00Z")).await;
    let rejected = nodes.done("POST", corrections, &citizen, &missing("79001", "2021-06-07T02:15:00Z")).await;
    let passed = nodes.done("POST", corrections, &citizen, &missing("79001", "2021-06-08T02:15:00Z")).await;
    let late = nodes.done("POST", corrections, &citizen, &missing("01001", "2021-06-09T02:15:00Z")).await;
    nodes.agree().await;
    nodes.answer("79001", "nurse", &accepted, json!({"version": 1, "answer": "accept"})).await;
    nodes.agree().await;
    nodes.answer("79001", "nurse", &rejected, json!({"version": 1, "answer": "reject", "why": "not here"})).await;
    let on = json!({"version": 1, "answer": "pass_on", "why": "next door", "facility": "79002"});
    nodes.answer("79001", "nurse", &passed, on).await;
    nodes.agree().await;
    let data = json!({"person": known["person"], "kind": "wrong_data", "text": "my name", "facility": "79001",
                      "data": {"name": "Nguyễn Thị Phương Thanh"}});
    let named = nodes.done("POST", corrections, &citizen, &data).await;
    nodes.answer("79001", "maker", &named, json!({"version": 1, "answer": "accept"})).await;
    nodes.agree().await;

    // A dose of somebody unclear goes to whom the facility names.
    let mut unclear = dose("R-9", 1);
    unclear["given_at"] = "2021-05-01T02:15:00Z".into();
    for (member, value) in [("name", "Lê Văn Tám"), ("birth", "1990-01-01"), ("ward", "00004")] {
        unclear["person"][member] = value.into();
    }
    let unclear = nodes.dose("79001", &unclear).await;
    nodes.agree().await;
    let queue = nodes.done("GET", corrections, &nodes.app.bearer_at("79001", "nurse"), &NULL).await;
    let asked = queue["corrections"].as_array().expect("a queue").iter().find(|row| row["kind"] == "unclear_person");
    let asked = asked.unwrap_or_else(|| panic!("{unclear} is asked about: {queue}"));
    let theirs = json!({"version": 1, "answer": "accept", "person": known["person"]});
    nodes.answer("79001", "nurse", asked, theirs).await;
    nodes.agree().await;

    // Past their deadline, one passed on then, one answered late; and the cases that came of it.
    nodes.app.clock.set(UnixSeconds(NOW.0 + 73 * 3600));
    while nodes.app.count("SELECT count(*) FROM correction_by_facility WHERE NOT overdue").await > 0 {
        nodes.app.app.escalate().await.expect("looks");
        nodes.other.app.escalate().await.expect("looks");
    }
    nodes.agree().await;
    let on = json!({"version": 2, "answer": "pass_on", "why": "next door", "facility": "79002"});
    nodes.answer("01001", "nurse", &late, on).await;
    nodes.agree().await;
    nodes.answer("79002", "nurse", &passed, json!({"version": 3, "answer": "reject", "why": "not here"})).await;
    nodes.agree().await;
    let response = nodes.app.bearer(Role::Response);
    let raised = nodes.done("POST", "/v1/tickets", &response, &json!({"province": "48", "said": "asks"})).await;
    let ticket = format!("/v1/tickets/{}", raised["ticket"].as_str().expect("an id"));
    for (version, step) in [
        (1, json!({"action": "answer", "note": "told"})),
        (2, json!({"action": "assign", "to": "an"})),
        (3, json!({"action": "assign", "to": "binh"})),
        (4, json!({"action": "close", "note": "done"})),
    ] {
        let mut step = step;
        step["version"] = version.into();
        nodes.done("PATCH", &ticket, &response, &step).await;
        nodes.agree().await;
    }
    nodes.other.stop().await;
}

#[tokio::test]
async fn what_many_do_at_once_on_two_nodes_while_both_fold_is_counted_once() {
    let nodes = Nodes::start().await;
    let nurse = nodes.app.bearer_at("79001", "nurse");
    let import = {
        let headings = "record_no,name,birth,sex,phone,identity,ward,product,lot,given_at,number";
        let row = |n: u32| {
            let given = ["2021-05-01", "2021-06-15", "2021-07-29"][n as usize % 3];
            let ward = ["00001", "", "26734"][n as usize % 3];
            format!(
                "I-{n},Trần Văn Nam,1990-05-17,male,09{n:08},{:012},{ward},EU/1/20/1528,L1,{given},1",
                1_000_000 + n
            )
        };
        let rows: Vec<String> = (0..700).map(|n| row(n % 600)).collect();
        format!("{headings}\n{}\n", rows.join("\n"))
    };
    let headers = [("content-type", "text/csv"), ("authorization", nurse.as_str())];
    let uploaded = nodes.app.request("POST", "/v1/imports", &headers, import.as_bytes()).await;
    assert_eq!(uploaded.status, 202, "{}", uploaded.text());
    // The same people, by hand and as citizens, while the file is read: registered, vaccinated, withdrawn.
    let lane = async |lane: u32| {
        for n in (lane..120).step_by(6) {
            let (node, account) = (nodes.next(), nodes.app.citizen(u128::from(n) + 1));
            let ward = ["26737", "00004"][n as usize % 2];
            let made = send(node, "POST", "/v1/registrations", &account, &from_ward(n, ward)).await;
            let id = made.json()["id"].as_str().map(str::to_owned);
            for (number, given) in [(1, "2021-06-20T02:15:00Z"), (2, "2021-07-25T02:15:00Z")] {
                nodes.dose(["79001", "79002"][n as usize % 2], &dose_on(n, number, given, None)).await;
            }
            if let Some(id) = id.filter(|_| n.is_multiple_of(5)) {
                nodes.done("DELETE", &format!("/v1/registrations/{id}"), &account, &NULL).await;
            }
        }
    };
    futures_util::future::join_all((0..6).map(lane)).await;
    let import = uploaded.header("location");
    loop {
        let import = nodes.app.get_as(Role::Ministry, import).await.json();
        if import["status"] == "done" {
            break assert_eq!((&import["rows"], &import["rejected"]), (&json!(700), &json!(0)), "{import}");
        }
        assert_ne!(import["status"], "failed");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let counters = nodes.agree().await;
    assert!(counters > 50, "{counters}");
    assert_eq!(nodes.app.count("SELECT count(*) FROM tally").await, 0);
    nodes.other.stop().await;
}
