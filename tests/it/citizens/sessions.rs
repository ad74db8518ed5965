//! `POST /v1/sessions` and its confirmation, and the change of a number.

use serde_json::json;
use thexanh::http::access::Role;

use super::{Gateway, registration, start};
use crate::app::TestApp;
use crate::store::tls::openssl;

/// A code that is not `code`.
fn other_than(code: &str) -> String {
    if code == "000000" { "000001".to_owned() } else { "000000".to_owned() }
}

#[tokio::test]
async fn a_code_opens_a_session_once_and_the_same_number_the_same_account() {
    let (app, gateway) = start().await;
    let started = app.ask_code("0912 345 678").await;
    assert_eq!((started.status, started.header("cache-control")), (201, "no-store"));
    let (head, message) = gateway.next().await;
    assert!(head.starts_with("post /sms"));
    assert_eq!(message["to"], "+84912345678");
    let code = super::gateway::code_in(message["text"].as_str().expect("a text"));
    assert!(!started.text().contains(&code), "the code is in no answer");
    let id = started.json()["id"].as_str().expect("an id").to_owned();
    let opened = app.say_code(&id, &code).await;
    assert_eq!(opened.status, 200, "{}", opened.text());
    let token = format!("Bearer {}", opened.json()["token"].as_str().expect("a token"));
    let person = app.register(&token, &registration()).await;
    app.say_code(&id, &code).await.problem(422, "code_wrong");
    app.later(60);
    let again = app.log_in(&gateway, "+84912345678").await;
    let mine = app.send("GET", "/v1/registrations", &again, &json!(null)).await.json();
    assert_eq!(mine[0]["id"], person, "the same account");
    let other = app.log_in(&gateway, "0987654321").await;
    assert_eq!(app.send("GET", "/v1/registrations", &other, &json!(null)).await.json(), json!([]));
}

#[tokio::test]
async fn a_code_is_good_for_five_minutes_and_five_tries() {
    let (app, gateway) = start().await;
    for (phone, seconds, status) in [("0911111111", 299, 200), ("0911111112", 300, 422), ("0911111113", 301, 422)] {
        app.later(0);
        let id = app.ask_code(phone).await.json()["id"].as_str().expect("an id").to_owned();
        let code = gateway.code().await;
        app.later(seconds);
        assert_eq!(app.say_code(&id, &code).await.status, status, "{seconds}");
    }
    app.later(0);
    for (phone, wrong, status) in [("0922222221", 3, 200), ("0922222222", 4, 200), ("0922222223", 5, 422)] {
        let id = app.ask_code(phone).await.json()["id"].as_str().expect("an id").to_owned();
        let code = gateway.code().await;
        for _ in 0..wrong {
            app.say_code(&id, &other_than(&code)).await.problem(422, "code_wrong");
        }
        assert_eq!(app.say_code(&id, &code).await.status, status, "{wrong} wrong ones before");
    }
    for id in ["nonsense", "00000000-0000-0000-0000-000000000000"] {
        app.say_code(id, "123456").await.problem(422, "code_wrong");
    }
}

#[tokio::test]
async fn a_number_is_sent_one_code_a_minute_and_five_a_day() {
    let (app, gateway) = start().await;
    assert_eq!(app.ask_code("0912345678").await.status, 201);
    for (seconds, status) in [(0, 429), (59, 429), (60, 201), (61, 429)] {
        app.later(seconds);
        let answer = app.ask_code("0912345678").await;
        assert_eq!(answer.status, status, "{seconds}");
        if status == 429 {
            answer.problem(429, "too_many_requests");
            assert!(answer.header("retry-after").parse::<i64>().is_ok_and(|wait| (1..=60).contains(&wait)));
        }
    }
    for (nth, status) in [(3, 201), (4, 201), (5, 201), (6, 429)] {
        app.later(nth * 100);
        assert_eq!(app.ask_code("0912345678").await.status, status, "the {nth}th");
    }
    app.later(600);
    assert_eq!(app.ask_code("0912345679").await.status, 201, "another number");
    app.later(24 * 3600);
    assert_eq!(app.ask_code("0912345678").await.status, 201, "another day");
    for _ in 0..7 {
        gateway.code().await;
    }
    assert!(gateway.is_quiet().await, "what is refused sends nothing");
}

#[tokio::test]
async fn a_number_has_fifteen_tries_a_day_over_all_its_codes() {
    let (app, gateway) = start().await;
    for round in 0..3 {
        app.later(round * 60);
        let id = app.ask_code("0912345678").await.json()["id"].as_str().expect("an id").to_owned();
        let wrong = other_than(&gateway.code().await);
        for _ in 0..5 {
            app.say_code(&id, &wrong).await.problem(422, "code_wrong");
        }
    }
    app.later(180);
    let id = app.ask_code("0912345678").await.json()["id"].as_str().expect("an id").to_owned();
    let code = gateway.code().await;
    app.say_code(&id, &code).await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn an_address_has_so_many_codes_a_minute() {
    let app = TestApp::start_with(|config| config.citizens.codes_per_address_per_minute = 3).await;
    for (phone, status) in [("0911111111", 201), ("0911111112", 201), ("0911111113", 201), ("0911111114", 429)] {
        assert_eq!(app.ask_code(phone).await.status, status, "{phone}");
    }
    app.later(20);
    assert_eq!(app.ask_code("0911111115").await.status, 201);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_of_its_callers_has_an_own_limit() {
    let ask = async |app: &TestApp, phone: &str, forwarded: &str| {
        let headers = [("content-type", "application/json"), ("x-forwarded-for", forwarded)];
        let body = json!({"phone": phone}).to_string();
        app.request("POST", "/v1/sessions", &headers, body.as_bytes()).await.status
    };
    let app = TestApp::start_with(|config| {
        config.citizens.codes_per_address_per_minute = 1;
        config.http.trusted_proxies = vec!["127.0.0.1".parse().expect("an address")];
    })
    .await;
    assert_eq!(ask(&app, "0911111111", "203.0.113.1").await, 201);
    assert_eq!(ask(&app, "0911111112", "203.0.113.2").await, 201, "another address");
    assert_eq!(ask(&app, "0911111113", "203.0.113.9, 203.0.113.1").await, 429, "what it says of itself is not heard");
    let app = TestApp::start_with(|config| config.citizens.codes_per_address_per_minute = 1).await;
    assert_eq!(ask(&app, "0911111111", "203.0.113.1").await, 201);
    assert_eq!(ask(&app, "0911111112", "203.0.113.2").await, 429, "nobody is trusted unless it is said");
}

#[tokio::test]
async fn bad_numbers_and_bodies_are_refused() {
    let (app, _) = start().await;
    let document = app.ask_code("113").await.problem(422, "phone_invalid");
    assert_eq!(document["field"], "phone");
    app.send("POST", "/v1/sessions", "", &json!({"phone": 1})).await.problem(400, "wrong_shape");
    app.send("POST", "/v1/sessions", "", &json!({"phone": "0".repeat(2000)})).await.problem(413, "body_too_large");
}

#[tokio::test]
async fn a_gateway_that_fails_twice_is_asked_a_third_time() {
    let gateway = Gateway::start(2).await;
    let url = gateway.url();
    let app = TestApp::start_with(|config| {
        config.sms.url = Some(url);
        config.sms.token = Some(thexanh::config::Secret::new("let-me-in"));
    })
    .await;
    assert_eq!(app.ask_code("0912345678").await.status, 201, "nobody waits for the gateway");
    app.stop().await; // and nothing that was taken is left behind
    let (head, message) = gateway.next().await;
    assert!(head.contains("authorization: bearer let-me-in"), "{head}");
    assert_eq!((message["to"].as_str(), gateway.refused()), (Some("+84912345678"), 2));
}

#[tokio::test]
async fn a_gateway_with_tls_is_sent_to_if_its_root_is_believed_and_not_otherwise() {
    let dir = std::env::temp_dir().join(format!("thexanh-it-gateway-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("makes a directory");
    openssl(&dir, &["-subj", "/CN=A root of the tests"], "root");
    let leaf = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    let signed = ["-subj", "/CN=localhost", "-CA", "root.crt", "-CAkey", "root.key"];
    openssl(&dir, &[&leaf[..], &signed].concat(), "leaf");
    for (ca, host, taken) in
        [(Some("root.crt"), "localhost", true), (Some("root.crt"), "127.0.0.1", false), (None, "localhost", false)]
    {
        let (port, gateway) = super::gateway::with_tls(&dir, "leaf");
        let app = TestApp::start_with(|config| {
            config.sms.url = Some(format!("https://{host}:{port}/sms"));
            config.sms.ca = ca.map(|name| dir.join(name));
        })
        .await;
        assert_eq!(app.ask_code("0912345678").await.status, 201);
        let message = tokio::task::spawn_blocking(|| gateway.join().expect("no panic")).await.expect("waits");
        assert_eq!(message.is_ok(), taken, "{ca:?} {host}: {message:?}");
        if let Ok((_, message)) = message {
            assert_eq!(message["to"], "+84912345678");
        }
    }
    std::fs::write(dir.join("empty.pem"), "").expect("writes");
    for name in ["empty.pem", "none.pem", "root.key"] {
        assert_eq!(thexanh::tls::roots(Some(&dir.join(name))).expect_err(name).code(), "tls_roots");
    }
    std::fs::remove_dir_all(&dir).expect("removes");
}

#[tokio::test]
async fn an_account_moves_to_another_number() {
    let (app, gateway) = start().await;
    let token = app.log_in(&gateway, "0912345678").await;
    app.later(60);
    let stolen = app.log_in(&gateway, "0912345678").await;
    let person = app.register(&token, &registration()).await;
    let other = app.log_in(&gateway, "0900000001").await;
    app.later(120);
    let change = async |phone: &str, token: &str| {
        let started = app.ask_code(phone).await.json();
        let code = gateway.code().await;
        app.send("POST", "/v1/people/me/phone", token, &json!({"session": started["id"], "code": code})).await
    };
    change("0900000001", &token).await.problem(409, "phone_in_use");
    assert_eq!(change("0987654321", &token).await.status, 204);
    for over in [&token, &stolen] {
        app.send("GET", "/v1/people/me", over, &json!(null)).await.problem(401, "token_expired");
    }
    let audited = "SELECT count(*) FROM audit WHERE action = 'account.phone' AND role = 'citizen'";
    assert_eq!(app.count(audited).await, 1, "the one that was refused changed nothing");
    app.later(180);
    let mine = async |token: &str| app.send("GET", "/v1/registrations", token, &json!(null)).await.json();
    let new = app.log_in(&gateway, "0987654321").await;
    assert_eq!(mine(&new).await[0]["id"], person);
    let old = app.log_in(&gateway, "0912345678").await;
    assert_eq!(mine(&old).await, json!([]), "the old number is somebody else's from now on");
    assert_eq!(mine(&other).await, json!([]));
    let wrong = json!({"session": "00000000-0000-0000-0000-000000000000", "code": "123456"});
    app.send("POST", "/v1/people/me/phone", &new, &wrong).await.problem(422, "code_wrong");
    app.send("POST", "/v1/people/me/phone", &app.bearer(Role::Ministry), &wrong).await.problem(403, "role_not_allowed");
}
