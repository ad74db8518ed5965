//! Who may do what: every row of the access table by every role, for what is theirs and what is not.

use serde_json::json;
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::{ROUTES, Reach, Role, Route, Who};
use thexanh::http::auth::{Grant, TokenKey};

use crate::app::{NOW, TestApp, dose, dose_of};
use crate::client::Answer;

/// A backlog file of one row.
const BACKLOG: &str = "record_no,name,birth,product,lot,given_at,number
X-1,Nguyễn Thị Phương Thảo,1983-10-10,EU/1/20/1528,FE8405,2021-06-06T02:15:00Z,1
";

impl TestApp {
    /// Sends to a row of the table what it takes, about a certificate of facility 79001 in province 79.
    async fn try_row(&self, row: &Route, uvci: &str, authorization: Option<&str>) -> Answer {
        let path = row.path.replace("{uvci}", uvci).replace("{format}", "txt");
        let path = match row.path {
            _ if path.starts_with("/v1/imports/") => {
                let headers = [("content-type", "text/csv"), ("authorization", &*self.bearer(Role::Facility))];
                let sent = self.request("POST", "/v1/imports", &headers, BACKLOG.as_bytes()).await;
                path.replace("{id}", sent.json()["id"].as_str().expect("an import"))
            }
            "/v1/imports" => format!("{path}?facility=79001"),
            "/v1/reference/districts" => format!("{path}?province=01"),
            "/v1/reference/wards" => format!("{path}?district=001"),
            _ => path,
        };
        let (media, body) = match (row.method, row.path) {
            ("POST", "/v1/doses") => ("application/json", dose("R-1", 1).to_string()),
            ("POST", "/v1/revocations") => ("application/json", json!({"uvci": uvci, "why": "a test"}).to_string()),
            ("POST", "/v1/imports") => ("text/csv", BACKLOG.to_owned()),
            ("POST", _) => ("text/plain", "hello".to_owned()),
            _ => ("", String::new()),
        };
        let mut headers = vec![("content-type", media)];
        headers.extend(authorization.map(|token| ("authorization", token)));
        self.request(row.method, &path, &headers, body.as_bytes()).await
    }
}

#[tokio::test]
async fn every_role_reaches_what_the_table_says_and_no_further() {
    let app = TestApp::start().await;
    let mut serial = 0;
    for row in ROUTES {
        for role in Role::ALL {
            for own in [true, false] {
                // A certificate of its own for each try: one of the rows revokes it.
                let (uvci, _) = app.certificate_of(&dose_of(serial)).await;
                serial += 1;
                let token = if own { app.bearer(role) } else { app.bearer_of(role, "01001", "01") };
                let answer = app.try_row(row, &uvci.to_string(), Some(&token)).await;
                let case = format!("{} {} as {role:?}, own: {own}: {}", row.method, row.path, answer.status);
                match row.who.reach(role) {
                    Reach::All => assert_eq!(answer.status / 100, 2, "{case}"),
                    Reach::Own if own => assert_eq!(answer.status / 100, 2, "{case}"),
                    // A facility's doses are its own by their nature: the token says whose they are.
                    Reach::Own if row.path == "/v1/doses" => assert_eq!(answer.status / 100, 2, "{case}"),
                    Reach::Own => drop(answer.problem(403, "not_yours")),
                    Reach::No => drop(answer.problem(403, "role_not_allowed")),
                }
            }
        }
        let nobody = app.try_row(row, "URN:UVCI:01:VN:00000000000000000000000000000000", None).await;
        match row.who {
            Who::Anyone => assert_eq!(nobody.status / 100, 2, "{}", row.path),
            Who::Roles { .. } => {
                nobody.problem(401, "no_token");
                assert_eq!(nobody.header("www-authenticate"), "Bearer");
                assert_eq!(
                    nobody.header("access-control-allow-origin"),
                    "",
                    "no page of another origin is to read this"
                );
            }
        }
    }
}

#[tokio::test]
async fn tokens_that_are_not_good_are_refused_on_every_staff_route() {
    let app = TestApp::start().await;
    let good = app.bearer(Role::Ministry);
    let grant = |lifetime_s| Grant {
        role: Role::Ministry,
        subject: "tester".to_owned(),
        facility: None,
        province: None,
        lifetime_s,
    };
    let foreign = TokenKey::from_pkcs8(&TokenKey::generate().expect("makes"), &app.app.config().tokens).expect("reads");
    let bearer = |key: &TokenKey, lifetime_s| format!("Bearer {}", key.mint(&grant(lifetime_s), NOW).expect("mints"));
    let cases = [
        ("Basic dXNlcjpwYXNz".to_owned(), "no_token"),
        ("Bearer".to_owned(), "no_token"),
        ("Bearer x".to_owned(), "token_invalid"),
        (good[..good.len() - 2].to_owned(), "token_invalid"),
        (format!("{good}{}", "x".repeat(5000)), "token_invalid"),
        (bearer(&foreign, 60), "token_invalid"),
        (bearer(&app.tokens, 0), "token_expired"),
        (bearer(&app.tokens, -1), "token_expired"),
    ];
    for row in ROUTES.iter().filter(|row| row.who != Who::Anyone) {
        for (authorization, code) in &cases {
            let answer = app.try_row(row, "URN:UVCI:01:VN:00000000000000000000000000000000", Some(authorization)).await;
            answer.problem(401, code);
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
        }
    }
    let (uvci, _) = app.certificate("R-2").await;
    let token = bearer(&app.tokens, 60);
    for (offset, status) in [(59, 200), (60, 401), (61, 401)] {
        app.clock.set(UnixSeconds(NOW.0 + offset));
        let path = format!("/v1/certificates/{uvci}");
        assert_eq!(app.request("GET", &path, &[("authorization", &token)], b"").await.status, status, "{offset}");
    }
}
