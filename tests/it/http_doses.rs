//! `POST /v1/doses`: a dose in, its certificate out; the same again; many at once; and what is refused.

use serde_json::{Value, json};
use thexanh::http::access::Role;
use thexanh::http::doses::MAX_RECORD_BYTES;

use crate::app::{TestApp, dose, dose_of};
use crate::client::Connection;

const JSON: (&str, &str) = ("content-type", "application/json");
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

#[tokio::test]
async fn a_dose_gives_its_certificate_and_the_same_dose_the_same_answer() {
    let app = TestApp::start_with(|config| config.http.public_url = "https://thexanh.example".to_owned()).await;
    let first = app.dose("R-1", 1).await;
    assert_eq!(first.status, 201, "{}", first.text());
    assert_eq!(first.header("cache-control"), "no-store");
    let answer = first.json();
    let uvci = answer["uvci"].as_str().expect("a UVCI");
    assert_eq!((&answer["card"], &answer["flags"]), (&json!("yellow"), &json!([])));
    let link = |format| format!("https://thexanh.example/v1/certificates/{uvci}.{format}");
    assert_eq!(answer["links"], json!({"svg": link("svg"), "png": link("png"), "pdf": link("pdf")}));
    assert_eq!(app.verify(answer["text"].as_str().expect("a text")).await["certificate"]["uvci"], uvci);
    let again = app.dose("R-1", 1).await;
    assert_eq!((again.status, again.json()), (200, answer.clone()));
    let second = app.dose("R-2", 2).await;
    assert_eq!((second.status, &second.json()["card"]), (201, &json!("green")));
    assert_eq!(second.json()["person"], answer["person"]);
}

#[tokio::test]
async fn a_dose_that_cannot_be_certified_is_refused_with_its_field_named() {
    let app = TestApp::start().await;
    let changed = |path: &str, value: Value| {
        let mut dose = dose("R-1", 1);
        *dose.pointer_mut(path).expect(path) = value;
        dose
    };
    for (path, value, field, code) in [
        ("/product", json!("EU/1/20/9999"), "product", "product_unknown"),
        ("/given_at", json!("2021-08-01T17:00:00Z"), "given_at", "date_in_the_future"),
        ("/given_at", json!("2020-12-01T00:00:00Z"), "given_at", "date_before_product"),
        ("/given_at", json!("yesterday"), "given_at", "instant_invalid"),
        ("/person/name", json!("王小明"), "person.name", "name_loses_a_letter"),
        ("/person/birth", json!("1983-02-30"), "person.birth", "date_invalid"),
        ("/person/phone", json!("12"), "person.phone", "phone_invalid"),
        ("/number", json!(0), "number", "number_invalid"),
    ] {
        let answer = app.post_as(Role::Facility, "/v1/doses", &changed(path, value.clone())).await;
        let document = answer.problem(422, code);
        assert_eq!(document["field"], field, "{document}");
        if let Some(sent) = value.as_str() {
            assert!(!document.to_string().contains(sent), "repeats what was sent: {document}");
        }
    }
    assert_eq!(app.dose("R-1", 1).await.status, 201, "nothing of those was recorded");
    let other = changed("/lot", json!("OTHER"));
    assert_eq!(
        app.post_as(Role::Facility, "/v1/doses", &other).await.problem(409, "record_conflict")["field"],
        "record_no"
    );
    let unknown = json!({"record_no": "R-2", "nonsense": 1});
    app.post_as(Role::Facility, "/v1/doses", &unknown).await.problem(400, "wrong_shape");
}

#[tokio::test]
async fn a_record_may_be_as_long_as_the_limit_and_not_one_byte_longer() {
    let app = TestApp::start().await;
    let token = app.bearer(Role::Facility);
    let mut connection = Connection::open(app.address()).await;
    let record = dose("R-1", 1).to_string();
    for (len, status) in [(MAX_RECORD_BYTES - 1, 201), (MAX_RECORD_BYTES, 200), (MAX_RECORD_BYTES + 1, 413)] {
        let padded = format!("{record}{}", " ".repeat(len - record.len()));
        let headers = [JSON, ("authorization", token.as_str())];
        assert_eq!(connection.request("POST", "/v1/doses", &headers, padded.as_bytes()).await.status, status, "{len}");
        let headers = [NDJSON, ("authorization", token.as_str())];
        let line = connection.request("POST", "/v1/doses", &headers, padded.as_bytes()).await.lines()[0].clone();
        assert_eq!(line["status"], if status == 413 { 413 } else { 200 }, "{len}: {line}");
    }
}

#[tokio::test]
async fn many_rows_are_answered_in_order_each_with_its_status() {
    let app = TestApp::start().await;
    let mut nameless = dose("R-3", 1);
    nameless["person"]["name"] = json!("王小明");
    let rows = [
        dose("R-1", 1).to_string(),
        "no JSON".to_owned(),
        String::new(),
        nameless.to_string(),
        dose("R-2", 2).to_string(),
        dose("R-1", 1).to_string(),
        format!("{{\"record_no\":\"{}\"}}", "x".repeat(MAX_RECORD_BYTES)),
        json!({"record_no": "R-4"}).to_string(),
    ];
    let token = app.bearer(Role::Facility);
    let answer =
        app.request("POST", "/v1/doses", &[NDJSON, ("authorization", &token)], rows.join("\n").as_bytes()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-ndjson"));
    let lines = answer.lines();
    let said: Vec<_> =
        lines.iter().map(|row| (row["line"].as_u64(), row["status"].as_u64(), row["code"].as_str())).collect();
    assert_eq!(
        said,
        [
            (Some(1), Some(201), None),
            (Some(2), Some(400), Some("bad_json")),
            (Some(4), Some(422), Some("name_loses_a_letter")),
            (Some(5), Some(201), None),
            (Some(6), Some(200), None),
            (Some(7), Some(413), Some("body_too_large")),
            (Some(8), Some(400), Some("wrong_shape")),
        ]
    );
    assert_eq!((&lines[0]["card"], &lines[3]["card"]), (&json!("yellow"), &json!("green")));
    assert_eq!(lines[4]["uvci"], lines[0]["uvci"], "the same dose, the same certificate");
    assert_eq!(lines[2]["field"], "person.name");
}

#[tokio::test]
async fn thousands_of_rows_are_recorded_in_one_request() {
    let app = TestApp::start().await;
    let rows: Vec<String> = (0..2000).map(|n| dose_of(n).to_string()).collect();
    let body = rows.join("\n");
    assert!(body.len() > 512 * 1024, "streamed");
    let token = app.bearer(Role::Facility);
    let answer = app.request("POST", "/v1/doses", &[NDJSON, ("authorization", &token)], body.as_bytes()).await;
    let lines = answer.lines();
    assert_eq!(lines.len(), 2000);
    assert!(lines.iter().enumerate().all(|(i, row)| row["line"] == i + 1 && row["status"] == 201));
}

#[tokio::test]
async fn an_idempotency_key_is_the_caller_s_and_one_body_s_for_a_day() {
    let app = TestApp::start().await;
    let send = async |facility: &str, key: &str, body: &str| {
        let token = app.bearer_of(Role::Facility, facility, "79");
        let headers = [JSON, ("authorization", token.as_str()), ("idempotency-key", key)];
        app.request("POST", "/v1/doses", &headers, body.as_bytes()).await
    };
    let (one, two) = (dose("R-1", 1).to_string(), dose("R-2", 2).to_string());
    assert_eq!(send("79001", "k", &one).await.status, 201);
    assert_eq!(send("79001", "k", &one).await.status, 200);
    assert_eq!(send("79001", "k", &two).await.problem(422, "idempotency_key_reused")["field"], "Idempotency-Key");
    assert_eq!(send("79002", "k", &two).await.status, 201, "another caller's key is another key");
    let twice = [one.clone(), two.clone()].join("\n");
    let token = app.bearer(Role::Facility);
    let headers = [NDJSON, ("authorization", token.as_str()), ("idempotency-key", "rows")];
    let status = |lines: Vec<Value>| lines.iter().map(|row| row["status"].as_u64()).collect::<Vec<_>>();
    let answer = app.request("POST", "/v1/doses", &headers, twice.as_bytes()).await;
    assert_eq!(status(answer.lines()), [Some(200), Some(200)]);
    let swapped = [two.clone(), two].join("\n");
    let answer = app.request("POST", "/v1/doses", &headers, swapped.as_bytes()).await;
    assert_eq!(status(answer.lines()), [Some(422), Some(200)], "each line has its own");
    for (key, status) in [("x".repeat(199), 200), ("x".repeat(200), 200), ("x".repeat(201), 400), (String::new(), 400)]
    {
        assert_eq!(send("79001", &key, &one).await.status, status, "{} characters", key.len());
    }
    app.clock.set(thexanh::certificate::UnixSeconds(crate::app::NOW.0 + 24 * 3600 + 1));
    assert_eq!(send("79001", "k", &dose("R-9", 1).to_string()).await.status / 100, 2, "a day later it is free again");
}

#[tokio::test]
async fn a_body_that_breaks_off_says_so_in_its_last_line() {
    let app = TestApp::start_with(|config| config.http.request_timeout_s = 1).await;
    let mut connection = Connection::open(app.address()).await;
    let head = format!(
        "POST /v1/doses HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-ndjson\r\nauthorization: {}\r\n\
         transfer-encoding: chunked\r\n\r\n",
        app.bearer(Role::Facility)
    );
    let row = dose("R-1", 1).to_string() + "\n";
    connection.send(format!("{head}{:x}\r\n{row}\r\n", row.len()).as_bytes()).await;
    assert_eq!(connection.head().await.0, 200);
    let line = |chunk: Option<Vec<u8>>| serde_json::from_slice::<Value>(&chunk.expect("a line")).expect("JSON");
    assert_eq!(line(connection.chunk().await)["status"], 201);
    let last = line(connection.chunk().await);
    assert_eq!((&last["line"], &last["status"], &last["code"]), (&json!(2), &json!(408), &json!("body_too_slow")));
}

#[tokio::test]
async fn the_same_dose_written_another_way_is_the_same_record() {
    let app = TestApp::start().await;
    let (uvci, _) = app.certificate("R-1").await;
    let mut again = dose("R-1", 1);
    again["record_no"] = " R-1 ".into();
    again["given_at"] = "2021-06-06T09:15:00+07:00".into();
    again["person"]["phone"] = "+84 912 345 678".into();
    again["person"]["name"] = " Nguyê\u{303}n  Thi\u{323} Phương Tha\u{309}o ".into();
    let answer = app.post_as(Role::Facility, "/v1/doses", &again).await;
    assert_eq!((answer.status, answer.json()["uvci"].clone()), (200, uvci.to_string().into()), "{}", answer.text());
}
