//! The log-in of browsers: cookies that count only where the request names them, and the demo's roles.

use serde_json::{Value, json};
use thexanh::config::Config;
use thexanh::http::access::{ROUTES, Role, Who};
use thexanh::http::login::DemoLogin;

use crate::app::{Node, TestApp};
use crate::citizens;
use crate::client::{Answer, Connection};
use crate::store::tls::openssl;

const STAFF: (&str, &str) = ("x-thexanh-session", "staff");
const CITIZEN: (&str, &str) = ("x-thexanh-session", "citizen");
const JSON: (&str, &str) = ("content-type", "application/json");

/// The demo's staff in these tests: a facility, a province, the ministry.
fn staff() -> Vec<DemoLogin> {
    let login = |role, facility: Option<&str>, province: Option<&str>| DemoLogin {
        role,
        facility: facility.map(str::to_owned),
        province: province.map(str::to_owned),
        name: facility.or(province).map(str::to_owned),
    };
    vec![
        login(Role::Facility, Some("79001"), None),
        login(Role::Province, None, Some("79")),
        login(Role::Ministry, None, None),
    ]
}

impl Node {
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Connection::open(self.address()).await.request(method, path, headers, body.as_bytes()).await
    }

    /// Logs in as one of the demo's staff, and gives the whole `Set-Cookie`.
    async fn log_in(&self, login: &Value, headers: &[(&str, &str)]) -> String {
        let answer = self.ask("POST", "/v1/login/demo", &[&[STAFF, JSON][..], headers].concat(), login).await;
        assert_eq!((answer.status, answer.header("cache-control")), (204, "no-store"));
        answer.header("set-cookie").to_owned()
    }
}

/// What a browser sends back of a `Set-Cookie`.
fn kept(set_cookie: &str) -> String {
    set_cookie.split(';').next().expect("a cookie").to_owned()
}

#[tokio::test]
async fn a_cookie_counts_where_the_request_names_it_and_nowhere_else() {
    let app = TestApp::start().await;
    let demo = app.as_demo(staff());
    let cookie = kept(&demo.log_in(&json!({"role": "facility", "facility": "79001"}), &[]).await);
    let cookie = ("cookie", &*cookie);
    let get = async |headers: &[(&str, &str)]| demo.ask("GET", "/v1/session", headers, &Value::Null).await;
    assert_eq!(get(&[cookie, STAFF]).await.status, 200);
    get(&[cookie]).await.problem(401, "no_token");
    get(&[STAFF]).await.problem(401, "no_token");
    get(&[cookie, CITIZEN]).await.problem(401, "no_token");
    for other in ["", "Staff", "staff, citizen", "ministry"] {
        let document = get(&[cookie, ("x-thexanh-session", other)]).await.problem(400, "bad_parameter");
        assert_eq!(document["field"], "X-Thexanh-Session");
    }
    let ministry = app.bearer(Role::Ministry);
    assert_eq!(get(&[cookie, STAFF, ("authorization", &ministry)]).await.json()["role"], "ministry", "the bearer wins");
    get(&[cookie, STAFF, ("authorization", "Bearer x")]).await.problem(401, "token_invalid");
    for broken in ["thexanh-staff=x", "thexanh-staff=", "thexanh-staff", "thexanh-staff=ey.ey.ey; thexanh-staff="] {
        let refused = get(&[("cookie", broken), STAFF]).await;
        assert_eq!(refused.status, 401, "{broken}");
    }
    let audit = demo.ask("GET", "/v1/audit?day=2021-08-01", &[cookie, STAFF], &Value::Null).await;
    audit.problem(403, "role_not_allowed");
    let among = format!("a=b; {}; c=d", cookie.1);
    assert_eq!(get(&[("cookie", &among), STAFF]).await.status, 200);
    demo.stop().await;
}

#[tokio::test]
async fn a_session_says_whose_it_is_until_the_second_it_ends() {
    let app = TestApp::start().await;
    let demo = app.as_demo(staff());
    let session = async |cookie: &str| {
        let headers = [("cookie", cookie), STAFF];
        demo.ask("GET", "/v1/session", &headers, &Value::Null).await
    };
    let facility = kept(&demo.log_in(&json!({"role": "facility", "facility": "79001"}), &[]).await);
    let until = crate::app::NOW.0 + 8 * 3600;
    let place = json!({
        "role": "facility", "subject": "demo-facility", "facility": "79001", "facility_name": "Trạm y tế 79001",
        "province": "79", "province_name": "Thành phố Hồ Chí Minh", "expires_at": until,
    });
    assert_eq!(session(&facility).await.json(), place);
    let province = kept(&demo.log_in(&json!({"role": "province", "province": "79"}), &[]).await);
    let expected = json!({
        "role": "province", "subject": "demo-province", "province": "79", "province_name": "Thành phố Hồ Chí Minh",
        "expires_at": until,
    });
    assert_eq!(session(&province).await.json(), expected);
    let ministry = kept(&demo.log_in(&json!({"role": "ministry"}), &[]).await);
    let expected = json!({"role": "ministry", "subject": "demo-ministry", "expires_at": until});
    assert_eq!(session(&ministry).await.json(), expected);
    for (seconds, status) in [(8 * 3600 - 1, 200), (8 * 3600, 401), (8 * 3600 + 1, 401)] {
        app.later(seconds);
        assert_eq!(session(&ministry).await.status, status, "{seconds}");
    }
    session(&ministry).await.problem(401, "token_expired");
    demo.stop().await;
}

#[tokio::test]
async fn a_cookie_is_for_this_service_alone_and_by_https_for_https_alone() {
    let proxied: fn(&mut Config) = |config| config.http.trusted_proxies = vec!["127.0.0.1".parse().expect("one")];
    let named: fn(&mut Config) = |config| config.http.public_url = "https://thexanh.example".to_owned();
    let forwarded = |proto: &'static str| vec![("x-forwarded-proto", proto)];
    let cases: [(fn(&mut Config), Vec<(&str, &str)>, bool); 7] = [
        (|_| {}, vec![], false),
        (|_| {}, forwarded("https"), false), // nobody is believed who is not named
        (proxied, vec![], false),
        (proxied, forwarded("http"), false),
        (proxied, forwarded("https"), true),
        (proxied, forwarded("https, http"), true),
        (named, vec![], true),
    ];
    for (change, headers, https) in cases {
        let app = TestApp::start_with(change).await;
        let demo = app.as_demo(staff());
        let set = demo.log_in(&json!({"role": "ministry"}), &headers).await;
        let (pair, attributes) = set.split_once("; ").expect("attributes");
        let secure = if https { "; Secure" } else { "" };
        assert_eq!(attributes, format!("Path=/; Max-Age=28800; HttpOnly; SameSite=Strict{secure}"), "{headers:?}");
        let name = pair.split_once('=').expect("a value").0;
        assert_eq!(name, if https { "__Host-thexanh-staff" } else { "thexanh-staff" }, "{headers:?}");
        let get = async |cookie: &str| {
            let headers = [&headers[..], &[STAFF, ("cookie", cookie)]].concat();
            demo.ask("GET", "/v1/session", &headers, &Value::Null).await
        };
        assert_eq!(get(pair).await.status, 200);
        if https {
            // Anybody on the network can set a cookie without the prefix.
            get(&pair.replace("__Host-", "")).await.problem(401, "no_token");
        }
        demo.stop().await;
    }
}

#[tokio::test]
async fn with_tls_cookies_are_secure() {
    let dir = std::env::temp_dir().join(format!("thexanh-it-login-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("makes a directory");
    let leaf = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    openssl(&dir, &[&leaf[..], &["-subj", "/CN=localhost"]].concat(), "leaf");
    let app = TestApp::start_with(|config| {
        config.tls.cert = Some(dir.join("leaf.crt"));
        config.tls.key = Some(dir.join("leaf.key"));
    })
    .await;
    let demo = app.as_demo(staff());
    let roots = thexanh::tls::roots(Some(&dir.join("leaf.crt"))).expect("a root");
    let client = thexanh::tls::http_client(roots).no_proxy().build().expect("a client");
    let url = format!("https://localhost:{}/v1/login/demo", demo.address().port());
    let request = client.post(url).header(STAFF.0, STAFF.1).json(&json!({"role": "ministry"}));
    let answer = request.send().await.expect("answers");
    let set = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok()).expect("a cookie");
    assert!(set.starts_with("__Host-thexanh-staff=") && set.ends_with("; Secure"), "{set}");
    demo.stop().await;
    std::fs::remove_dir_all(&dir).expect("removes");
}

#[tokio::test]
async fn who_logs_out_loses_the_cookie_that_was_named() {
    let app = TestApp::start().await;
    let demo = app.as_demo(staff());
    let cookie = kept(&demo.log_in(&json!({"role": "ministry"}), &[]).await);
    let out = async |headers: &[(&str, &str)]| demo.ask("DELETE", "/v1/session", headers, &Value::Null).await;
    out(&[("cookie", &cookie)]).await.problem(401, "no_token");
    let ended = out(&[("cookie", &cookie), STAFF]).await;
    assert_eq!((ended.status, ended.header("cache-control")), (204, "no-store"));
    assert_eq!(ended.header("set-cookie"), "thexanh-staff=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    let bearer = app.bearer(Role::Ministry);
    let ended = out(&[("authorization", &bearer)]).await;
    assert_eq!((ended.status, ended.header("set-cookie")), (204, ""), "it names no cookie");
    demo.stop().await;
}

#[tokio::test]
async fn the_demo_alone_lets_anybody_be_one_of_its_staff() {
    let (app, gateway) = citizens::start().await;
    let demo = app.as_demo(staff());
    let ministry = json!({"role": "ministry"});
    assert_eq!(app.get("/v1/login").await.json(), json!({"demo": []}));
    app.request("POST", "/v1/login/demo", &[STAFF, JSON], ministry.to_string().as_bytes())
        .await
        .problem(404, "unknown_route");
    let listed = demo.ask("GET", "/v1/login", &[], &Value::Null).await;
    let expected = json!({"demo": [
        {"role": "facility", "facility": "79001", "name": "79001"},
        {"role": "province", "province": "79", "name": "79"},
        {"role": "ministry"},
    ]});
    assert_eq!(listed.json(), expected);
    let post = async |headers: &[(&str, &str)], body: Value| demo.ask("POST", "/v1/login/demo", headers, &body).await;
    for unlisted in [
        json!({"role": "response"}),
        json!({"role": "facility"}),
        json!({"role": "facility", "facility": "01001"}),
        json!({"role": "ministry", "province": "79"}),
        json!({"role": "citizen"}),
    ] {
        let refused = post(&[STAFF, JSON], unlisted).await;
        assert_eq!(refused.problem(422, "unprocessable")["field"], "role");
        assert_eq!(refused.header("set-cookie"), "");
    }
    post(&[STAFF, JSON], json!({"role": "king"})).await.problem(400, "wrong_shape");
    post(&[JSON], ministry.clone()).await.problem(400, "bad_parameter");
    post(&[CITIZEN, JSON], ministry.clone()).await.problem(400, "bad_parameter");
    // A form of another origin can send this much, and no more.
    post(&[("content-type", "text/plain")], ministry).await.problem(415, "unsupported_media_type");
    let phone = json!({"phone": "0912345678"});
    let started = app.send("POST", "/v1/sessions", "", &phone).await.json();
    assert_eq!(started.get("demo_code"), None);
    let sent = gateway.code().await;
    app.later(60);
    let started = demo.ask("POST", "/v1/sessions", &[JSON], &phone).await.json();
    let shown = started["demo_code"].as_str().expect("a code");
    assert_eq!((shown.len(), gateway.code().await.as_str()), (6, shown), "not {sent}");
    demo.stop().await;
}

#[tokio::test]
async fn a_citizen_and_a_nurse_share_a_browser() {
    let (app, gateway) = citizens::start().await;
    let demo = app.as_demo(staff());
    let started = app.ask_code("0912345678").await.json();
    let code = json!({"code": gateway.code().await});
    let path = format!("/v1/sessions/{}/confirm", started["id"].as_str().expect("an id"));
    demo.ask("POST", &path, &[JSON, STAFF], &code).await.problem(400, "bad_parameter");
    let opened = demo.ask("POST", &path, &[JSON, CITIZEN], &code).await;
    let until = crate::app::NOW.0 + 3600;
    assert_eq!((opened.status, opened.json()), (200, json!({"expires_at": until})), "no script sees the token");
    let (pair, attributes) = opened.header("set-cookie").split_once("; ").expect("a cookie");
    assert!(pair.starts_with("thexanh-citizen=c."), "{pair}");
    assert_eq!(attributes, "Path=/; Max-Age=3600; HttpOnly; SameSite=Strict");
    let nurse = kept(&demo.log_in(&json!({"role": "facility", "facility": "79001"}), &[]).await);
    let both = format!("{pair}; {nurse}");
    let role = async |session: (&str, &str)| {
        demo.ask("GET", "/v1/session", &[("cookie", &both), session], &Value::Null).await.json()["role"].clone()
    };
    assert_eq!((role(STAFF).await, role(CITIZEN).await), (json!("facility"), json!("citizen")));
    let mine = demo.ask("GET", "/v1/registrations", &[("cookie", &both), CITIZEN], &Value::Null).await;
    assert_eq!((mine.status, mine.json()), (200, json!([])));
    // Whoever names no session has the token, as before.
    app.later(60);
    assert!(app.log_in(&gateway, "0912345678").await.starts_with("Bearer c."));
    demo.stop().await;
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_use_a_cookie_on_any_route() {
    let app = TestApp::start().await;
    let demo = app.as_demo(staff());
    let cookie = kept(&demo.log_in(&json!({"role": "ministry"}), &[]).await);
    let foreign = [("origin", "https://evil.example"), ("cookie", &*cookie)];
    for row in ROUTES {
        let path = row.path.replace("{uvci}", "URN:UVCI:01:VN:00").replace("{format}", "svg").replace(['{', '}'], "");
        let wish = [
            ("access-control-request-method", row.method),
            ("access-control-request-headers", "x-thexanh-session, authorization"),
        ];
        let preflight = demo.ask("OPTIONS", &path, &[&foreign[..], &wish].concat(), &Value::Null).await;
        let allowed = preflight.header("access-control-allow-headers").to_ascii_lowercase();
        assert!(!allowed.contains("x-thexanh") && !allowed.contains("authorization"), "{path}: {allowed}");
        assert_eq!(preflight.header("access-control-allow-credentials"), "", "{path}");
        if row.who != Who::Anyone {
            let sent = demo.ask(row.method, &path, &foreign, &Value::Null).await;
            sent.problem(401, "no_token");
            assert_eq!(sent.header("access-control-allow-origin"), "", "{path}");
        }
    }
    demo.stop().await;
}
