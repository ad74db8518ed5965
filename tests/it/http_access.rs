//! Who may do what: every row of the access table by every role, for what is theirs and what is not.

use serde_json::json;
use thexanh::certificate::{UnixSeconds, Uvci};
use thexanh::http::access::{ROUTES, Reach, Role, Route, Who};
use thexanh::http::auth::{Grant, TokenKey};

use crate::app::{NOW, TestApp, dose, dose_of};
use crate::citizens::{self, Gateway};
use crate::client::Answer;
use crate::desk::Case;

/// A backlog file of one row.
const BACKLOG: &str = "record_no,name,birth,product,lot,given_at,number
X-1,Nguyễn Thị Phương Thảo,1983-10-10,EU/1/20/1528,FE8405,2021-06-06T02:15:00Z,1
";

impl TestApp {
    /// Sends to a row of the table what it takes, about a certificate of facility 79001 in province 79.
    async fn try_row(&self, row: &Route, uvci: &str, gateway: &Gateway, authorization: Option<&str>) -> Answer {
        // Of registrations a citizen sends one thing and staff another.
        let citizen = authorization.is_some_and(|token| token.starts_with("Bearer c."));
        let desk = !(citizen && row.path.starts_with("/v1/registrations"));
        let case = if desk { Case::of(&self.sql().await, row, &uvci_bytes(uvci)).await } else { None };
        if let Some(case) = case {
            let body = case.body.map(|body| body.to_string()).unwrap_or_default();
            let mut headers = vec![("content-type", "application/json")];
            headers.extend(authorization.map(|token| ("authorization", token)));
            return self.request(row.method, &case.path, &headers, body.as_bytes()).await;
        }
        if let Some((path, body)) = self.citizens_row(row, gateway, authorization).await {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let mut headers = vec![("content-type", "application/json")];
            headers.extend(authorization.map(|token| ("authorization", token)));
            return self.request(row.method, &path, &headers, body.as_bytes()).await;
        }
        let path = row.path.replace("{uvci}", uvci).replace("{format}", "txt");
        let path = match row.path {
            _ if path.starts_with("/v1/imports/") => {
                let headers = [("content-type", "text/csv"), ("authorization", &*self.bearer(Role::Facility))];
                let sent = self.request("POST", "/v1/imports", &headers, BACKLOG.as_bytes()).await;
                path.replace("{id}", sent.json()["id"].as_str().expect("an import"))
            }
            "/v1/doses" | "/v1/dose-changes" if row.method == "GET" => format!("{path}?purpose=a+look"),
            "/v1/imports" => format!("{path}?facility=79001"),
            "/v1/revocations/{slice}" => {
                // The first try revokes one; then there is an index to have a slice of.
                let request = json!({"uvci": uvci, "why": "a test"});
                self.post_as(Role::Ministry, "/v1/revocations", &request).await;
                let index = self.index_at(1).await;
                path.replace("{slice}", &index.layers[0].filter.id.to_string())
            }
            _ if path.starts_with("/v1/log/") => {
                self.app.tend_log().await.expect("tends");
                path.replace("{tile}", "0/000.p/1").replace("{prefix}", "0")
            }
            "/v1/status-lists/{n}" => path.replace("{n}", "0"),
            "/v1/reference/districts" => format!("{path}?province=01"),
            "/v1/reference/wards" => format!("{path}?district=001"),
            _ => path,
        };
        if row.path.contains("{id}") || row.path == "/v1/corrections" || row.path.ends_with("/renew") {
            let (id, media, body) = self.prepared(row, uvci).await;
            let headers = [("content-type", media), ("authorization", authorization.unwrap_or_default())];
            let headers = if authorization.is_some() { &headers[..] } else { &headers[..1] };
            return self.request(row.method, &path.replace("{id}", &id), headers, &body).await;
        }
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

fn uvci_bytes(uvci: &str) -> [u8; 16] {
    uvci.parse::<Uvci>().expect("a UVCI").0
}

#[tokio::test]
async fn every_role_reaches_what_the_table_says_and_no_further() {
    let (app, gateway) = citizens::start().await;
    let mut serial = 0;
    for row in ROUTES {
        for role in Role::ALL {
            for own in [true, false] {
                // A certificate of its own for each try: one of the rows revokes it.
                let given = app.post_as(Role::Facility, "/v1/doses", &dose_of(serial)).await.json();
                let uvci = given["uvci"].as_str().expect("a UVCI");
                app.hold(given["person"].as_str().expect("a person")).await;
                serial += 1;
                let token = if own { app.bearer(role) } else { app.bearer_of(role, "01001", "01") };
                let answer = app.try_row(row, uvci, &gateway, Some(&token)).await;
                let case = format!("{} {} as {role:?}, own: {own}: {}", row.method, row.path, answer.status);
                if row.path == "/v1/login/demo" {
                    answer.problem(404, "unknown_route");
                    continue;
                }
                if row.who != Who::Anyone && answer.status < 300 {
                    assert_eq!(answer.header("cache-control"), "no-store", "no cache between is to keep it: {case}");
                }
                match row.who.reach(role) {
                    Reach::All => assert_eq!(answer.status / 100, 2, "{case}"),
                    Reach::Own if own => assert_eq!(answer.status / 100, 2, "{case}"),
                    // A facility's doses are its own by their nature, as a citizen's account is: the token says whose.
                    Reach::Own if role == Role::Citizen && citizens::OWN_BY_NATURE.contains(&row.path) => {
                        assert_eq!(answer.status / 100, 2, "{case}")
                    }
                    Reach::Own if row.path == "/v1/doses" => assert_eq!(answer.status / 100, 2, "{case}"),
                    // A list holds what is one's own, of others nothing.
                    Reach::Own if (row.method, row.path) == ("GET", "/v1/corrections") => {
                        assert_eq!(answer.json()["corrections"], json!([]), "{case}");
                    }
                    Reach::Own if row.path == "/v1/dose-changes" => {
                        assert_eq!(answer.json()["changes"], json!([]), "{case}");
                    }
                    Reach::Own => drop(answer.problem(403, "not_yours")),
                    Reach::No => drop(answer.problem(403, "role_not_allowed")),
                }
            }
        }
        let nobody = app.try_row(row, "URN:UVCI:01:VN:00000000000000000000000000000000", &gateway, None).await;
        match row.who {
            Who::Anyone if row.path == "/v1/login/demo" => drop(nobody.problem(404, "unknown_route")),
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
    let (app, gateway) = citizens::start().await;
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
            app.hold("00000000-0000-0000-0000-000000000000").await;
            let none = "URN:UVCI:01:VN:00000000000000000000000000000000";
            let answer = app.try_row(row, none, &gateway, Some(authorization)).await;
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
