//! `POST /v1/revocations` with lists, and `POST /v1/revocations/{id}/undo`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thexanh::app::App;
use thexanh::certificate::{UnixSeconds, Uvci};
use thexanh::http::access::Role;

use crate::app::{NOW, TestApp, dose, dose_of};
use crate::client::{Answer, Connection};

const NOBODYS: &str = "URN:UVCI:01:VN:00000000000000000000000000000000";

impl TestApp {
    /// Certificates of this many people, with their texts.
    async fn certificates(&self, people: u32) -> Vec<(Uvci, String)> {
        let mut given = Vec::new();
        for n in 0..people {
            given.push(self.certificate_of(&dose_of(n)).await);
        }
        given
    }

    async fn send_list(&self, subject: &str, query: &str, accept: &str, list: &str) -> Answer {
        let headers =
            [("content-type", "text/csv"), ("accept", accept), ("authorization", &*self.bearer_named(subject))];
        self.request("POST", &format!("/v1/revocations{query}"), &headers, list.as_bytes()).await
    }

    /// The answers to the rows of a list, and its last line.
    async fn revoke_list(&self, subject: &str, query: &str, list: &str) -> (Vec<Value>, Value) {
        let answer = self.send_list(subject, query, "*/*", list).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-ndjson"), "{}", answer.text());
        let mut lines: Vec<Value> =
            answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let last = lines.pop().expect("a last line");
        assert_eq!(last["status"], "done");
        (lines, last)
    }

    async fn revoke_one(&self, subject: &str, uvci: &Uvci) -> Value {
        let asked = json!({"uvci": uvci.to_string(), "why": "a test"});
        self.send("POST", "/v1/revocations", &self.bearer_named(subject), &asked).await.json()
    }

    async fn undo(&self, subject: &str, id: &str) -> Answer {
        let asked = json!({"why": "it was wrong"});
        self.send("POST", &format!("/v1/revocations/{id}/undo"), &self.bearer_named(subject), &asked).await
    }

    /// How many rows of each kind a revocation writes.
    async fn written(&self) -> [i64; 4] {
        let mut counts = [0; 4];
        let tables = ["revocation_batch", "revocation", "revocation_event", "audit"];
        for (count, table) in counts.iter_mut().zip(tables) {
            // The keys of the start are audited too.
            let of_revoking = if table == "audit" {
                " WHERE action LIKE 'revocation%' OR action LIKE 'certificate.revoke%'"
            } else {
                ""
            };
            *count = self.count(&format!("SELECT count(*) FROM {table}{of_revoking}")).await;
        }
        counts
    }

    async fn audited(&self, action: &str) -> i64 {
        self.count(&format!("SELECT count(*) FROM audit WHERE action = '{action}'")).await
    }
}

fn list(rows: &[(&str, &str)]) -> String {
    let rows: String = rows.iter().map(|(uvci, why)| format!("{uvci},{why}\n")).collect();
    format!("uvci,why\n{rows}")
}

fn statuses(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["status"].as_str().expect("a word")).collect()
}

/// Waits until a node's answer on a text has this reason, and says how long it took.
async fn until(node: &Arc<App>, text: &str, reason: Option<&str>) -> Duration {
    let began = Instant::now();
    while node.engine().verify(text, |verdict| verdict.reason().map(str::to_owned)).as_deref() != reason {
        assert!(began.elapsed() < Duration::from_secs(5), "not {reason:?} after five seconds");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

#[tokio::test]
async fn a_list_revokes_its_good_rows_and_says_of_each_row_what_came_of_it() {
    let app = TestApp::start().await;
    let given = app.certificates(3).await;
    let [one, two, three] = [0, 1, 2].map(|n: usize| given[n].0.to_string());
    let rows: [(&str, &str); 8] = [
        (&one, "issued by mistake"),
        ("junk", "x"),
        (NOBODYS, "x"),
        ("=cmd|' /C calc'!A0", "x"),
        (&one, "again"),
        (&two.to_lowercase(), "\"one, two\""),
        (&three, ""),
        (&three, "=1+1"),
    ];
    let (answers, last) = app.revoke_list("an", "", &list(&rows)).await;
    let expected = ["revoked", "malformed", "unknown", "malformed", "already", "revoked", "malformed", "revoked"];
    assert_eq!(statuses(&answers), expected);
    assert_eq!(answers[0], json!({"line": 2, "uvci": one, "status": "revoked"}));
    assert_eq!(answers[1], json!({"line": 3, "status": "malformed", "field": "uvci"}), "nothing is repeated");
    assert_eq!(answers[5]["uvci"], two.as_str());
    assert_eq!(answers[6], json!({"line": 8, "status": "malformed", "field": "why"}));
    assert_eq!(last["counts"], json!({"revoked": 3, "already": 1, "unknown": 1, "malformed": 3}));
    for (_, text) in &given {
        assert_eq!(app.verify(text).await["reason"], "revoked", "from the answer on");
    }
    assert_eq!(app.audited("certificate.revoke_list").await, 1);
    let id = last["id"].as_str().expect("an id");
    let sql = format!("SELECT count(*) FROM revocation WHERE batch_id = '{id}' AND why <> ''");
    assert_eq!(app.count(&sql).await, 3);
    // Sent twice, it finds everything done.
    let (again, last) = app.revoke_list("an", "", &list(&rows)).await;
    let expected = ["already", "malformed", "unknown", "malformed", "already", "already", "malformed", "already"];
    assert_eq!(statuses(&again), expected);
    assert_eq!(last["counts"]["revoked"], 0);
    let sql = "SELECT count(*) FROM revocation_event";
    assert_eq!(app.count(sql).await, 3, "each is published once");
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing() {
    let app = TestApp::start().await;
    let given = app.certificates(2).await;
    let [one, two] = [0, 1].map(|n: usize| given[n].0.to_string());
    app.revoke_one("an", &given[1].0).await;
    let before = app.written().await;
    let rows = list(&[(&one, "x"), (&one, "x"), (&two, "x"), (NOBODYS, "x"), ("junk", "x")]);
    let (answers, last) = app.revoke_list("an", "?dry_run=true", &rows).await;
    assert_eq!(statuses(&answers), ["revoked", "already", "already", "unknown", "malformed"]);
    assert_eq!(
        last,
        json!({"status": "done", "dry_run": true,
                            "counts": {"revoked": 1, "already": 2, "unknown": 1, "malformed": 1}})
    );
    assert_eq!(app.written().await, before);
    assert_eq!(app.verify(&given[0].1).await["result"], "accepted");
    // Of one certificate there is no dry run: it would be easy to believe that there was.
    let asked = json!({"uvci": one, "why": "x"});
    let path = "/v1/revocations?dry_run=true";
    app.send("POST", path, &app.bearer(Role::Ministry), &asked).await.problem(400, "bad_parameter");
    assert_eq!(app.written().await, before);
}

#[tokio::test]
async fn the_answer_as_a_sheet_runs_in_no_spreadsheet() {
    let app = TestApp::start().await;
    let (uvci, _) = app.certificate("R-1").await;
    let rows = list(&[(&uvci.to_string(), "=1+1"), ("=1+1", "=1+1"), ("@SUM(A1)", "+1"), ("\"-1\n+1\"", "x")]);
    let answer = app.send_list("an", "", "text/csv", &rows).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/csv; charset=utf-8"));
    let sheet = answer.text().strip_prefix('\u{feff}').expect("a byte order mark").to_owned();
    let lines: Vec<&str> = sheet.split("\r\n").collect();
    let id = lines[1].rsplit(',').next().expect("an id");
    let expected = [
        "line,uvci,status,field,id".to_owned(),
        format!("2,{uvci},revoked,,{id}"),
        format!("3,,malformed,uvci,{id}"),
        format!("4,,malformed,uvci,{id}"),
        format!("5,,malformed,uvci,{id}"),
        ",,done,,".to_owned(),
        String::new(),
    ];
    assert_eq!(lines, expected);
    assert_eq!(app.undo("binh", id).await.status, 200, "the id is what undoes it");
}

#[tokio::test]
async fn a_list_is_refused_whole_if_its_columns_are_not_there_or_it_is_too_long() {
    let app = TestApp::start().await;
    app.send_list("an", "", "*/*", "").await.problem(422, "file_empty");
    app.send_list("an", "", "*/*", &format!("{NOBODYS},x\n")).await.problem(422, "columns_missing");
    app.send_list("an", "?dry=1", "*/*", "uvci,why\n").await.problem(400, "bad_parameter");
    assert_eq!(app.written().await, [0, 0, 0, 0]);
    let row = format!("{NOBODYS},a test\n");
    let long = |bytes: usize| {
        let mut text = list(&[]);
        text += &row.repeat((bytes - text.len()) / row.len());
        text += &" ".repeat(bytes - text.len());
        text
    };
    // What is too long is refused by what it says of itself, before it is sent.
    let mut connection = Connection::open(app.address()).await;
    let (token, length) = (app.bearer(Role::Ministry), (16 << 20) + 1);
    let head = format!(
        "POST /v1/revocations HTTP/1.1\r\nhost: test\r\ncontent-type: text/csv\r\nauthorization: {token}\r\ncontent-length: {length}\r\n\r\n"
    );
    connection.send(head.as_bytes()).await;
    connection.answer("POST").await.problem(413, "body_too_large");
    let (answers, last) = app.revoke_list("an", "", &long(10 << 20)).await;
    assert!(answers.len() > 100_000 && answers.iter().all(|row| row["status"] == "unknown"));
    assert_eq!(last["counts"]["unknown"], answers.len());
    let headers =
        [("content-type", "text/csv"), ("idempotency-key", "k"), ("authorization", &*app.bearer(Role::Ministry))];
    let send = async |list: String| app.request("POST", "/v1/revocations", &headers, list.as_bytes()).await;
    assert_eq!(send(list(&[])).await.status, 200);
    assert_eq!(send(list(&[])).await.status, 200);
    send(list(&[(NOBODYS, "x")])).await.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_revocation_is_undone_by_a_second_person_within_an_hour() {
    let app = TestApp::start().await;
    let given = app.certificates(3).await;
    let revoked = app.revoke_one("an", &given[0].0).await;
    let uvci = given[0].0.to_string();
    app.undo("an", &uvci).await.problem(403, "second_person_needed");
    app.undo("an", revoked["id"].as_str().expect("an id")).await.problem(403, "second_person_needed");
    assert_eq!(app.verify(&given[0].1).await["reason"], "revoked");
    let undone = app.undo("binh", &uvci).await;
    let expected = json!({"id": revoked["id"], "undone": 1, "already": 0, "kept": 0});
    assert_eq!((undone.status, undone.json()), (200, expected));
    assert_eq!(app.verify(&given[0].1).await["result"], "accepted", "from the answer on");
    let state = app.get_as(Role::Facility, &format!("/v1/certificates/{uvci}")).await.json();
    assert_eq!((&state["state"], state.get("revoked_at")), (&json!("valid"), None));
    // Sent again, by either name, it finds it undone.
    for id in [&uvci, revoked["id"].as_str().expect("an id")] {
        let again = app.undo("binh", id).await;
        assert_eq!(
            (again.status, &again.json()["undone"], &again.json()["already"]),
            (200, &json!(0), &json!(1)),
            "{id}"
        );
    }
    assert_eq!(app.audited("certificate.revoke").await, 1);
    // Within the hour, to the second.
    for (n, offset) in [(1, 3599), (2, 3600)] {
        app.clock.set(NOW);
        app.revoke_one("an", &given[n].0).await;
        app.clock.set(UnixSeconds(NOW.0 + offset));
        assert_eq!(app.undo("binh", &given[n].0.to_string()).await.status, 200, "{offset}");
    }
    app.clock.set(NOW);
    let again = app.revoke_one("an", &given[2].0).await;
    app.clock.set(UnixSeconds(NOW.0 + 3601));
    app.undo("binh", &given[2].0.to_string()).await.problem(409, "too_late");
    app.undo("binh", again["id"].as_str().expect("an id")).await.problem(409, "too_late");
    assert_eq!(app.verify(&given[2].1).await["reason"], "revoked");
}

#[tokio::test]
async fn an_undo_names_a_revocation_of_ours() {
    let app = TestApp::start().await;
    let (uvci, _) = app.certificate("R-1").await;
    app.undo("binh", NOBODYS).await.problem(404, "unknown_certificate");
    app.undo("binh", "00000000-0000-0000-0000-000000000000").await.problem(404, "unknown_revocation");
    app.undo("binh", "junk").await.problem(404, "unknown_revocation");
    app.undo("binh", &uvci.to_string()).await.problem(409, "not_revoked");
    app.revoke_one("an", &uvci).await;
    let path = format!("/v1/revocations/{uvci}/undo");
    let send = async |asked: Value| app.send("POST", &path, &app.bearer_named("binh"), &asked).await;
    send(json!({"why": " "})).await.problem(422, "unprocessable");
    send(json!({})).await.problem(400, "wrong_shape");
    assert_eq!(app.audited("revocation.undo").await, 0);
}

#[tokio::test]
async fn a_list_is_undone_whole_but_for_what_is_no_longer_true() {
    let app = TestApp::start().await;
    let mut given = Vec::new();
    for n in 0..4 {
        given.push(app.post_as(Role::Facility, "/v1/doses", &dose_of(n)).await.json());
    }
    let uvcis: Vec<&str> = given.iter().map(|given| given["uvci"].as_str().expect("a UVCI")).collect();
    let rows: Vec<(&str, &str)> = uvcis.iter().map(|uvci| (*uvci, "a test")).collect();
    let (_, last) = app.revoke_list("an", "", &list(&rows)).await;
    let id = last["id"].as_str().expect("an id");
    // One is undone by itself, and of one the dose is voided in the meantime.
    assert_eq!(app.undo("chi", uvcis[0]).await.status, 200);
    let voided = app.patch("nurse", &given[1], &json!({"void": true, "why": "not given"})).await;
    assert_eq!(voided.status, 200, "{}", voided.text());
    app.undo("an", id).await.problem(403, "second_person_needed");
    let undone = app.undo("binh", id).await;
    assert_eq!(undone.json(), json!({"id": id, "undone": 2, "already": 1, "kept": 1}), "{}", undone.text());
    let mut reasons = Vec::new();
    for given in &given {
        reasons.push(app.verify(given["text"].as_str().expect("a text")).await["reason"].clone());
    }
    assert_eq!(reasons, [Value::Null, json!("revoked"), Value::Null, Value::Null]);
    app.undo("binh", uvcis[1]).await.problem(409, "no_longer_true");
    let again = app.undo("binh", id).await.json();
    assert_eq!(again, json!({"id": id, "undone": 0, "already": 3, "kept": 1}));
    assert_eq!(app.audited("revocation.undo").await, 2, "one a request that changed something");
    // What was begun in time may be finished, and what was undone can be revoked again.
    app.clock.set(UnixSeconds(NOW.0 + 4000));
    assert_eq!(app.undo("binh", id).await.status, 200);
    let (answers, _) = app.revoke_list("an", "", &list(&rows)).await;
    assert_eq!(statuses(&answers), ["revoked", "already", "revoked", "revoked"]);
    app.undo("binh", id).await;
    let text = given[2]["text"].as_str().expect("a text");
    assert_eq!(app.verify(text).await["reason"], "revoked", "the later list is not the first one's to undo");
}

#[tokio::test]
async fn what_fell_because_the_record_was_put_right_is_not_undone() {
    let app = TestApp::start().await;
    let first = app.dose("R-1", 1).await.json();
    let change = json!({"given_at": "2021-06-07T02:15:00Z", "why": "the day was mistyped"});
    assert_eq!(app.patch("nurse", &first, &change).await.json()["revoked"], json!([first["uvci"]]));
    app.undo("binh", first["uvci"].as_str().expect("a UVCI")).await.problem(409, "put_right");
    // Also where the ministry had revoked it before: then it is judged by what is known now.
    let second = app.post_as(Role::Facility, "/v1/doses", &dose_of(5)).await.json();
    app.revoke_one("an", &second["uvci"].as_str().and_then(|uvci| uvci.parse().ok()).expect("a UVCI")).await;
    assert_eq!(app.patch("nurse", &second, &change).await.status, 200);
    app.undo("binh", second["uvci"].as_str().expect("a UVCI")).await.problem(409, "no_longer_true");
    for given in [first, second] {
        assert_eq!(app.verify(given["text"].as_str().expect("a text")).await["reason"], "revoked");
    }
}

#[tokio::test]
async fn a_certificate_that_was_superseded_meanwhile_is_accepted_again_as_superseded() {
    let app = TestApp::start().await;
    let first = app.dose("R-1", 1).await.json();
    let uvci: Uvci = first["uvci"].as_str().and_then(|uvci| uvci.parse().ok()).expect("a UVCI");
    app.revoke_one("an", &uvci).await;
    let second = app.post_as(Role::Facility, "/v1/doses", &dose("R-2", 2)).await.json();
    assert_eq!(second["card"], "green", "{second}");
    assert_eq!(app.undo("binh", &uvci.to_string()).await.status, 200);
    let state = async |given: &Value| {
        let path = format!("/v1/certificates/{}", given["uvci"].as_str().expect("a UVCI"));
        app.get_as(Role::Facility, &path).await.json()["state"].clone()
    };
    assert_eq!((state(&first).await, state(&second).await), (json!("superseded"), json!("valid")));
    for (given, card) in [(&first, "yellow"), (&second, "green")] {
        assert_eq!(app.verify(given["text"].as_str().expect("a text")).await["card"], card);
    }
    let in_force = "SELECT count(*) FROM certificate WHERE superseded_at IS NULL AND revoked_at IS NULL";
    assert_eq!(app.count(in_force).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_and_its_undoing_are_in_force_on_another_node_within_a_second() {
    let app = TestApp::start().await;
    let other = app.second_node().await;
    let given = app.certificates(3).await;
    let uvcis: Vec<String> = given.iter().map(|(uvci, _)| uvci.to_string()).collect();
    let rows: Vec<(&str, &str)> = uvcis.iter().map(|uvci| (uvci.as_str(), "a test")).collect();
    // The first node is the lease holder or the second is: then the other way round.
    for round in 0..2_u64 {
        let (_, last) = app.revoke_list("an", "", &list(&rows)).await;
        for (_, text) in &given {
            assert!(until(&other, text, Some("revoked")).await < Duration::from_secs(1));
        }
        assert_eq!(app.undo("binh", last["id"].as_str().expect("an id")).await.json()["undone"], 3);
        for (_, text) in &given {
            assert!(until(&other, text, None).await < Duration::from_secs(1));
        }
        // Both have the same list at the same version, in which removals count as additions do.
        let began = Instant::now();
        let version = 6 * (round + 1);
        while [&app.app, &other].map(|node| node.engine().revoked().version()) != [version, version] {
            assert!(began.elapsed() < Duration::from_secs(5), "not numbered");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!([&app.app, &other].iter().all(|node| node.engine().revoked().is_empty()));
    }
    other.stop().await;
}
