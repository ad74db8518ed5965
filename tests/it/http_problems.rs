//! What requests that cannot be read or served are answered with, over the real routes.

use thexanh::http::access::{ROUTES, Role, Who};
use thexanh::http::verify::MAX_BODY_BYTES;

use crate::app::TestApp;
use crate::client::{Connection, request};

const JSON: (&str, &str) = ("content-type", "application/json");
const TEXT: (&str, &str) = ("content-type", "text/plain");

#[tokio::test]
async fn an_unknown_route_is_a_problem_and_leaves_the_connection_open() {
    let app = TestApp::start().await;
    let mut connection = Connection::open(app.address()).await;
    for (method, path) in
        [("GET", "/nowhere"), ("POST", "/v1"), ("POST", "/v1/verify/"), ("DELETE", "/v1/verify/batch/x")]
    {
        connection.request(method, path, &[], &[b'x'; 100_000]).await.problem(404, "unknown_route");
    }
    assert_eq!(connection.request("GET", "/healthz", &[], b"").await.status, 200);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones_on_every_route() {
    let app = TestApp::start().await;
    let mut connection = Connection::open(app.address()).await;
    for row in ROUTES {
        let path = row.path.replace("{uvci}", "URN:UVCI:01:VN:00").replace("{format}", "svg").replace(['{', '}'], "");
        let taken: Vec<&str> = ROUTES.iter().filter(|other| other.path == row.path).map(|row| row.method).collect();
        for method in ["PUT", "DELETE", "PATCH", "POST", "GET"].into_iter().filter(|method| !taken.contains(method)) {
            let answer = connection.request(method, &path, &[], b"left unread by nobody").await;
            answer.problem(405, "method_not_allowed");
            let allowed = format!("{}, OPTIONS", taken.join(", ").replace("GET", "GET, HEAD"));
            assert_eq!(answer.header("allow"), allowed, "{method} {path}");
        }
        let answer = connection.request("OPTIONS", &path, &[("origin", "https://example.org")], b"").await;
        assert_eq!(answer.status, 204);
        let public = ROUTES.iter().any(|other| other.path == row.path && other.who == Who::Anyone);
        assert_eq!(answer.header("access-control-allow-origin"), if public { "*" } else { "" }, "{path}");
        assert_eq!(answer.header("access-control-allow-methods").is_empty(), !public);
    }
}

#[tokio::test]
async fn each_post_route_takes_its_media_types_and_no_other() {
    let app = TestApp::start().await;
    let mut connection = Connection::open(app.address()).await;
    let (facility, ministry) = (app.bearer(Role::Facility), app.bearer(Role::Ministry));
    let json = ["application/json", "APPLICATION/JSON; charset=utf-8"];
    let text = ["text/plain", "text/plain;charset=UTF-8", "text/plain; charset=\"us-ascii\""];
    let ndjson = ["application/x-ndjson", "application/ndjson"];
    let csv = ["text/csv", "text/csv; charset=utf-16"];
    let all = ["", "application/x-www-form-urlencoded", "text/html", "text/plain; charset=utf-16", "application/cbor"];
    let routes: [(&str, &str, Vec<&str>); 4] = [
        ("/v1/verify", "", [&json[..], &text].concat()),
        ("/v1/verify/batch", "", text.to_vec()),
        ("/v1/doses", &facility, [&json[..], &ndjson].concat()),
        ("/v1/revocations", &ministry, [&json[..], &csv].concat()),
    ];
    for (path, token, taken) in routes {
        for media in [&json[..], &text, &ndjson, &csv, &all].concat() {
            let headers = [("content-type", media), ("authorization", token)];
            let answer = connection.request("POST", path, &headers, b"{").await;
            match taken.contains(&media) {
                true => assert_ne!(answer.status, 415, "{path} {media}"),
                false => {
                    let document = answer.problem(415, "unsupported_media_type");
                    assert_eq!(document["field"], "Content-Type");
                }
            }
        }
        let headers = [("content-type", taken[0]), ("content-encoding", "gzip"), ("authorization", token)];
        connection.request("POST", path, &headers, b"{").await.problem(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_body_may_be_as_long_as_the_limit_and_not_one_byte_longer() {
    let app = TestApp::start().await;
    let mut connection = Connection::open(app.address()).await;
    for (len, status) in [(MAX_BODY_BYTES - 1, 200), (MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)] {
        let answer = connection.request("POST", "/v1/verify", &[TEXT], &vec![b'x'; len]).await;
        assert_eq!(answer.status, status, "{len}");
        match status {
            200 => assert_eq!(answer.json()["reason"], "too_large"),
            _ => assert_eq!(answer.problem(413, "body_too_large")["detail"], format!("at most {MAX_BODY_BYTES} bytes")),
        }
    }
    // Far over the limit: read to its end all the same, and the connection goes on.
    connection.request("POST", "/v1/verify", &[TEXT], &vec![b'x'; 900_000]).await.problem(413, "body_too_large");
    assert_eq!(connection.request("GET", "/healthz", &[], b"").await.status, 200);
}

#[tokio::test]
async fn broken_json_and_broken_text_are_told_apart_from_a_rejected_certificate() {
    let app = TestApp::start().await;
    let mut connection = Connection::open(app.address()).await;
    for (headers, body, code) in [
        (JSON, &b"{"[..], "bad_json"),
        (JSON, b"", "bad_json"),
        (JSON, b"{\"qr\": nope}", "bad_json"),
        (JSON, b"\xFF", "bad_json"),
        (JSON, b"[]", "wrong_shape"),
        (JSON, b"{}", "wrong_shape"),
        (JSON, b"{\"qr\": 1}", "wrong_shape"),
        (JSON, b"{\"qr\": \"a\", \"qr\": \"b\"}", "wrong_shape"),
        (JSON, b"{\"qr\": \"a\", \"Nguyen\": \"b\"}", "wrong_shape"),
        (TEXT, b"HC1:\xFF", "not_utf8"),
    ] {
        let answer = connection.request("POST", "/v1/verify", &[headers], body).await;
        let document = answer.problem(400, code);
        assert!(!document.to_string().contains("Nguyen"), "{document}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "errors of public routes can be read by pages");
    }
    let answer = connection.request("POST", "/v1/verify", &[JSON], b"{\"qr\": \"hello\"}").await;
    assert_eq!((answer.status, &answer.json()["reason"]), (200, &"not_a_certificate".into()));
}

#[tokio::test]
async fn a_body_that_breaks_off_or_dawdles_is_given_up() {
    let app = TestApp::start_with(|config| config.http.request_timeout_s = 1).await;
    let mut slow = Connection::open(app.address()).await;
    let whole = request("POST", "/v1/verify", &[TEXT], b"hello");
    slow.send(&whole[..whole.len() - 1]).await;
    slow.answer("POST").await.problem(408, "body_too_slow");
    let mut chunked = Connection::open(app.address()).await;
    chunked.send(b"POST /v1/verify HTTP/1.1\r\nhost: test\r\ncontent-type: text/plain\r\n").await;
    chunked.send(b"transfer-encoding: chunked\r\n\r\nnot a length\r\n").await;
    chunked.answer("POST").await.problem(400, "body_broken");
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_a_modest_one_is_kept() {
    let app = TestApp::start().await;
    assert!(!app.get("/healthz").await.header("x-request-id").is_empty());
    for (sent, kept) in [("abc-1.2_3", true), ("a b", false), (&*"x".repeat(64), true), (&*"x".repeat(65), false)] {
        let answer = app.request("GET", "/healthz", &[("x-request-id", sent)], b"").await;
        assert_eq!(answer.header("x-request-id") == sent, kept, "{sent}");
    }
}

#[tokio::test]
async fn more_requests_than_can_be_worked_on_are_told_when_to_come_back() {
    let app = TestApp::start_with(|config| config.http.max_in_flight = 1).await;
    let mut first = Connection::open(app.address()).await;
    let whole = request("POST", "/v1/verify", &[TEXT], b"hello");
    first.send(&whole[..whole.len() - 1]).await;
    let busy = loop {
        let answer = app.request("POST", "/v1/verify", &[TEXT], b"hello").await;
        if answer.status == 503 {
            break answer;
        }
    };
    busy.problem(503, "overloaded");
    assert!(!busy.header("retry-after").is_empty());
    first.send(&whole[whole.len() - 1..]).await;
    assert_eq!(first.answer("POST").await.status, 200);
}
