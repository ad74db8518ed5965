//! The log-in by OpenID Connect against a small provider of these tests, which also lies.

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::app::{NOW, TestApp};
use crate::client::Answer;

const STAFF: (&str, &str) = ("x-thexanh-session", "staff");
/// The client's, with what a form has another spelling for.
const SECRET: &str = "a secret: 100% + more";

/// A key of the provider's: ES256.
#[derive(Clone)]
struct Key {
    kid: &'static str,
    pkcs8: Vec<u8>,
    point: Vec<u8>,
}

impl Key {
    fn new(kid: &'static str) -> Key {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("makes");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).expect("reads");
        Key { kid, pkcs8: pkcs8.as_ref().to_vec(), point: pair.public_key().as_ref().to_vec() }
    }

    fn jwk(&self) -> Value {
        let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = (part(&self.point[1..33]), part(&self.point[33..]));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": x, "y": y})
    }

    /// A token with this header and these claims, whatever they are.
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = signed_part(header, claims);
        let key = EncodingKey::from_ec_der(&self.pkcs8);
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::ES256).expect("signs");
        format!("{signed}.{signature}")
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "ES256", "kid": self.kid}), claims)
    }
}

fn signed_part(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// What the provider answers next.
struct State {
    keys: Vec<Value>,
    metadata: Value,
    /// The status and the body of the token endpoint.
    token: (u16, String),
    /// What was asked of it: the path, the head in lower case, the body.
    asked: Vec<(String, String, String)>,
}

#[derive(Clone)]
struct Provider {
    url: String,
    key: Key,
    state: Arc<Mutex<State>>,
}

impl Provider {
    async fn start() -> Provider {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listens");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let key = Key::new("one");
        let metadata = json!({
            "issuer": url, "authorization_endpoint": format!("{url}/authorize?tenant=vn"),
            "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/jwks"),
        });
        let state = State { keys: vec![key.jwk()], metadata, token: (500, String::new()), asked: Vec::new() };
        let provider = Provider { url, key, state: Arc::new(Mutex::new(state)) };
        let answering = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answering.clone().answer(stream));
            }
        });
        provider
    }

    async fn answer(self, mut stream: tokio::net::TcpStream) {
        let mut read = Vec::new();
        while let Some((head, body)) = next_request(&mut stream, &mut read).await {
            let path = head.split(' ').nth(1).expect("a path").to_owned();
            let (status, body) = {
                let mut state = self.state.lock().expect("no panic");
                state.asked.push((path.clone(), head.to_ascii_lowercase(), body));
                match path.as_str() {
                    "/.well-known/openid-configuration" => (200, state.metadata.to_string()),
                    "/jwks" => (200, json!({"keys": state.keys}).to_string()),
                    "/token" => state.token.clone(),
                    _ => (404, String::new()),
                }
            };
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            if stream.write_all((head + &body).as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().expect("no panic"))
    }

    /// The token endpoint answers with this ID token from now on.
    fn gives(&self, id_token: &str) {
        self.with(|state| {
            state.token = (200, json!({"access_token": "x", "token_type": "Bearer", "id_token": id_token}).to_string())
        });
    }

    /// How often a path was asked for.
    fn asked(&self, path: &str) -> usize {
        self.with(|state| state.asked.iter().filter(|(asked, ..)| asked == path).count())
    }

    /// The claims of a good ID token of a nurse at facility 79001.
    fn claims(&self, nonce: &str) -> Value {
        json!({
            "iss": self.url, "aud": "our-client", "sub": "nurse-7", "nonce": nonce, "iat": NOW.0, "exp": NOW.0 + 300,
            "role": "facility", "facility": "79001",
        })
    }
}

async fn next_request(stream: &mut tokio::net::TcpStream, read: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(read[..end].to_vec()).expect("ascii");
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let length: usize = length.unwrap_or(0);
            if read.len() >= end + 4 + length {
                let body = String::from_utf8(read[end + 4..end + 4 + length].to_vec()).expect("text");
                read.drain(..end + 4 + length);
                return Some((head, body));
            }
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await.unwrap_or(0) {
            0 => return None,
            length => read.extend_from_slice(&part[..length]),
        }
    }
}

/// A service that logs in by a provider.
async fn start() -> (TestApp, Provider) {
    start_with(|_| {}).await
}

async fn start_with(change: impl FnOnce(&mut thexanh::config::Config)) -> (TestApp, Provider) {
    let provider = Provider::start().await;
    let issuer = provider.url.clone();
    let secret = std::env::temp_dir().join(format!("thexanh-it-openid-{}", std::process::id()));
    std::fs::write(&secret, format!("{SECRET}\n")).expect("writes");
    let app = TestApp::start_with(|config| {
        config.http.public_url = "http://thexanh.test".to_owned();
        config.openid.issuer = Some(issuer);
        config.openid.client_id = "our-client".to_owned();
        config.openid.client_secret_file = Some(secret);
        config.openid.name = "Cổng dịch vụ".to_owned();
        change(config);
    })
    .await;
    (app, provider)
}

/// A log-in that has begun.
struct Begun {
    cookie: String,
    state: String,
    nonce: String,
    challenge: String,
}

/// The parameters of an address.
fn parameters(url: &str) -> std::collections::HashMap<String, String> {
    reqwest::Url::parse(url).expect("a URL").query_pairs().into_owned().collect()
}

impl TestApp {
    async fn begin(&self, next: &str) -> Begun {
        let answer = self.get(&format!("/login/openid?next={next}")).await;
        assert_eq!((answer.status, answer.header("cache-control")), (303, "no-store"), "{}", answer.text());
        let sent = parameters(answer.header("location"));
        let cookie = answer.header("set-cookie").split(';').next().expect("a cookie").to_owned();
        let of = |name: &str| sent[name].clone();
        Begun { cookie, state: of("state"), nonce: of("nonce"), challenge: of("code_challenge") }
    }

    /// Comes back from the provider with these parameters.
    async fn come_back(&self, begun: &Begun, query: &str) -> Answer {
        let path = format!("/login/openid/callback?{query}");
        self.request("GET", &path, &[("cookie", &begun.cookie)], b"").await
    }

    async fn come_back_well(&self, begun: &Begun) -> Answer {
        self.come_back(begun, &format!("code=the-code&state={}", begun.state)).await
    }
}

/// The cookie of staff that an answer sets; empty if it sets none.
fn staff_cookie(answer: &Answer) -> String {
    let set = answer.headers("set-cookie").find(|set| set.contains("thexanh-staff="));
    set.and_then(|set| set.split(';').next()).unwrap_or_default().to_owned()
}

#[track_caller]
fn failed(answer: &Answer, code: &str, next: &str) {
    let expected = format!("/login?failed={code}&next={next}");
    assert_eq!((answer.status, answer.header("location")), (303, &*expected));
    assert_eq!(staff_cookie(answer), "", "nobody is logged in");
    let cleared =
        answer.headers("set-cookie").any(|set| set.starts_with("thexanh-login=; ") && set.contains("Max-Age=0"));
    // Whoever sends a browser back with a state of their own does not end the log-in that it has begun.
    assert_eq!(cleared, code != "state", "it is begun anew");
}

#[tokio::test]
async fn staff_log_in_by_the_provider_and_go_on_to_their_page() {
    let (app, provider) = start().await;
    let offered = app.get("/v1/login").await.json();
    assert_eq!(offered, json!({"openid": {"name": "Cổng dịch vụ", "url": "/login/openid"}, "demo": []}));
    let answer = app.get("/login/openid?next=/desk").await;
    let sent = answer.header("location");
    assert!(sent.starts_with(&format!("{}/authorize?tenant=vn&", provider.url)), "{sent}");
    let sent = parameters(sent);
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "our-client"),
        ("redirect_uri", "http://thexanh.test/login/openid/callback"),
        ("scope", "openid"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(sent[name], value);
    }
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.starts_with("thexanh-login=") && cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert!(!sent.contains_key("prompt"));
    let (shared, _) = start_with(|config| config.openid.prompt = Some("login".to_owned())).await;
    assert_eq!(parameters(shared.get("/login/openid").await.header("location"))["prompt"], "login");

    let begun = app.begin("/desk").await;
    assert_ne!((&begun.state, &begun.nonce), (&sent["state"], &sent["nonce"]), "each log-in has its own");
    provider.gives(&provider.key.token(&provider.claims(&begun.nonce)));
    let back = app.come_back_well(&begun).await;
    assert_eq!((back.status, back.header("location"), back.header("cache-control")), (303, "/desk", "no-store"));
    assert!(back.headers("set-cookie").any(|set| set.starts_with("thexanh-login=; ")), "what began is over");
    let session = app.request("GET", "/v1/session", &[STAFF, ("cookie", &staff_cookie(&back))], b"").await.json();
    assert_eq!((&session["role"], &session["subject"]), (&json!("facility"), &json!("nurse-7")));
    assert_eq!((&session["facility"], &session["expires_at"]), (&json!("79001"), &json!(NOW.0 + 8 * 3600)));

    let (_, head, body) =
        provider.with(|state| state.asked.iter().find(|(path, ..)| path == "/token").cloned()).expect("asked");
    let form = parameters(&format!("x:/?{body}"));
    assert_eq!((&*form["grant_type"], &*form["code"]), ("authorization_code", "the-code"));
    assert_eq!(form["redirect_uri"], "http://thexanh.test/login/openid/callback");
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, form["code_verifier"].as_bytes());
    assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(hash), begun.challenge, "PKCE");
    let basic = BASE64_STANDARD.encode("our-client:a+secret%3A+100%25+%2B+more").to_ascii_lowercase();
    assert!(head.contains(&format!("authorization: basic {basic}")), "{head}");
    assert!(!body.contains("secret"), "{body}");
}

#[tokio::test]
async fn a_provider_that_wants_the_secret_in_the_form_gets_it_there() {
    let (app, provider) = start().await;
    provider.with(|state| state.metadata["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]));
    let begun = app.begin("/desk").await;
    provider.gives(&provider.key.token(&provider.claims(&begun.nonce)));
    assert_eq!(app.come_back_well(&begun).await.header("location"), "/desk");
    let (_, head, body) =
        provider.with(|state| state.asked.iter().find(|(path, ..)| path == "/token").cloned()).expect("asked");
    let form = parameters(&format!("x:/?{body}"));
    assert_eq!((&*form["client_id"], &*form["client_secret"]), ("our-client", SECRET));
    assert!(!head.contains("authorization:"), "{head}");
}

#[tokio::test]
async fn id_tokens_that_lie_log_nobody_in() {
    let (app, provider) = start().await;
    let stranger = Key { kid: "one", ..Key::new("one") };
    let header = json!({"alg": "ES256", "kid": "one"});
    type Forge<'a> = Box<dyn Fn(&Value) -> String + 'a>;
    let with = |name: &'static str, value: Value| -> Forge<'_> {
        let provider = &provider;
        Box::new(move |claims| {
            let mut claims = claims.clone();
            claims[name] = value.clone();
            provider.key.token(&claims)
        })
    };
    let without = |name: &'static str| -> Forge<'_> {
        let provider = &provider;
        Box::new(move |claims| {
            let mut claims = claims.clone();
            claims.as_object_mut().expect("an object").remove(name);
            provider.key.token(&claims)
        })
    };
    let headed = |header: Value| -> Forge<'_> {
        let key = &provider.key;
        Box::new(move |claims| key.sign(&header, claims))
    };
    let shared = |secret: Vec<u8>, kid: Value| -> Forge<'_> {
        Box::new(move |claims| {
            let signed = signed_part(&json!({"alg": "HS256", "kid": kid}), claims);
            let key = EncodingKey::from_secret(&secret);
            let tag = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).expect("signs");
            format!("{signed}.{tag}")
        })
    };
    let spki =
        [&hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").expect("hex")[..], &provider.key.point]
            .concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(&spki));
    let cases: Vec<(&str, Forge<'_>)> = vec![
        ("none", Box::new(|claims| signed_part(&json!({"alg": "none", "kid": "one"}), claims) + ".")),
        ("None", Box::new(|claims| signed_part(&json!({"alg": "None"}), claims) + ".")),
        ("none with a signature", headed(json!({"alg": "none", "kid": "one"}))),
        ("no algorithm", headed(json!({"kid": "one"}))),
        ("HMAC under the public point", shared(provider.key.point.clone(), json!("one"))),
        ("HMAC under the public key", shared(spki, json!("one"))),
        ("HMAC under the public key as text", shared(pem.into_bytes(), json!("one"))),
        ("HMAC under the public key as JWK", shared(provider.key.jwk().to_string().into_bytes(), json!("one"))),
        ("HMAC under the client's secret", shared(SECRET.into(), json!("one"))),
        ("HMAC under nothing", shared(Vec::new(), json!(null))),
        ("another algorithm of the family", headed(json!({"alg": "ES384", "kid": "one"}))),
        ("another family", headed(json!({"alg": "RS256", "kid": "one"}))),
        ("another key", Box::new(|claims| stranger.token(claims))),
        ("a key that it brings along", {
            let header = json!({"alg": "ES256", "jwk": stranger.jwk(), "kid": "one"});
            let stranger = &stranger;
            Box::new(move |claims| stranger.sign(&header, claims))
        }),
        ("a demand that we do not know", headed(json!({"alg": "ES256", "kid": "one", "crit": ["b64"], "b64": false}))),
        ("another nonce", with("nonce", json!("x"))),
        ("no nonce", without("nonce")),
        ("another audience", with("aud", json!("thexanh"))),
        ("other audiences", with("aud", json!(["a", "b"]))),
        ("no audience", without("aud")),
        ("for another party", with("azp", json!("another-client"))),
        ("for no party", with("azp", json!(7))),
        ("another issuer", with("iss", json!("http://evil.example"))),
        ("several issuers", with("iss", json!([provider.url, "http://evil.example"]))),
        ("no issuer", without("iss")),
        ("an exp that is now", with("exp", json!(NOW.0))),
        ("an exp that was", with("exp", json!(NOW.0 - 1))),
        ("an exp that is no number", with("exp", json!("never"))),
        ("no exp", without("exp")),
        ("an iat to come", with("iat", json!(NOW.0 + 61))),
        ("an nbf to come", with("nbf", json!(NOW.0 + 61))),
        ("no sub", without("sub")),
        ("an empty sub", with("sub", json!(""))),
        ("a sub of two lines", with("sub", json!("a\nb"))),
        ("too long", with("more", json!("x".repeat(16 * 1024)))),
        ("claims that are a list", Box::new(|_| provider.key.sign(&header, &json!(["sub"])))),
        (
            "cut",
            Box::new(|claims| {
                let token = provider.key.token(claims);
                token[..token.len() - 4].to_owned()
            }),
        ),
        ("two parts", Box::new(|claims| signed_part(&header, claims))),
        ("four parts", Box::new(|claims| format!("{}.x", provider.key.token(claims)))),
        ("nothing", Box::new(|_| String::new())),
        (
            "other claims than were signed",
            Box::new(|claims| {
                let mut other = claims.clone();
                other["role"] = "ministry".into();
                let token = provider.key.token(claims);
                format!("{}.{}", signed_part(&header, &other), token.rsplit('.').next().expect("a signature"))
            }),
        ),
    ];
    for (case, forge) in &cases {
        let begun = app.begin("/desk").await;
        provider.gives(&forge(&provider.claims(&begun.nonce)));
        let answer = app.come_back_well(&begun).await;
        assert_eq!(answer.header("location"), "/login?failed=token&next=/desk", "{case}");
        failed(&answer, "token", "/desk");
    }
    for good in [
        with("exp", json!(NOW.0 + 1)),
        with("exp", json!(NOW.0 as f64 + 1.5)),
        with("iat", json!(NOW.0 + 60)),
        with("aud", json!(["x", "our-client"])),
        with("azp", json!("our-client")),
    ] {
        let begun = app.begin("/desk").await;
        provider.gives(&good(&provider.claims(&begun.nonce)));
        assert_eq!(
            app.come_back_well(&begun).await.header("location"),
            "/desk",
            "what is forged is forged in one thing alone"
        );
    }
}

#[tokio::test]
async fn a_log_in_ends_in_the_browser_in_which_it_began_and_in_time() {
    let (app, provider) = start().await;
    let (one, other) = (app.begin("/desk").await, app.begin("/board").await);
    provider.gives(&provider.key.token(&provider.claims(&one.nonce)));
    let good = format!("code=c&state={}", one.state);
    let none = Begun { cookie: "thexanh-login=x".to_owned(), ..app.begin("/desk").await };
    failed(&app.come_back(&none, &good).await, "state", "/login");
    failed(&app.come_back(&other, &good).await, "state", "/board");
    for query in [
        "code=c".to_owned(),
        "code=c&state=".to_owned(),
        format!("code=c&state={}x", one.state),
        format!("{good}&state=x"),
    ] {
        failed(&app.come_back(&one, &query).await, "state", "/desk");
    }
    assert_eq!(provider.asked("/token"), 0, "no code of somebody else's is exchanged");
    assert!(app.get("/metrics").await.text().contains("thexanh_login_failures_total{code=\"state\"}"));
    assert_eq!(app.come_back_well(&one).await.header("location"), "/desk", "it goes on");
    for (seconds, location) in
        [(599, "/desk"), (600, "/login?failed=state&next=/login"), (601, "/login?failed=state&next=/login")]
    {
        app.later(0);
        let begun = app.begin("/desk").await;
        app.later(seconds);
        let mut claims = provider.claims(&begun.nonce);
        claims["exp"] = (NOW.0 + 1000).into();
        provider.gives(&provider.key.token(&claims));
        assert_eq!(app.come_back_well(&begun).await.header("location"), location, "{seconds}");
    }
}

#[tokio::test]
async fn what_the_provider_does_wrong_is_said_to_whoever_logs_in() {
    let (app, provider) = start().await;
    let begun = app.begin("/board").await;
    let state = &begun.state;
    let issuer = format!("iss={}", provider.url);
    for (query, code) in [
        (format!("error=access_denied&state={state}"), "denied"),
        (format!("error=server_error&error_description=x&state={state}"), "provider"),
        (format!("state={state}"), "provider"),
        (format!("code=&state={state}"), "provider"),
        (format!("code={}&state={state}", "x".repeat(2049)), "provider"),
        (format!("code=c&iss=http://evil.example&state={state}"), "provider"),
    ] {
        failed(&app.come_back(&begun, &query).await, code, "/board");
    }
    assert_eq!(provider.asked("/token"), 0);
    let good = json!({"id_token": provider.key.token(&provider.claims(&begun.nonce)), "more": "x".repeat(300_000)})
        .to_string();
    for (status, body) in [
        (400, json!({"error": "invalid_grant"}).to_string()),
        (500, String::new()),
        (302, String::new()),
        (200, "{".to_owned()),
        (200, "{}".to_owned()),
        (200, json!({"id_token": 7}).to_string()),
        (200, good),
    ] {
        provider.with(|state| state.token = (status, body));
        failed(&app.come_back(&begun, &format!("code=c&{issuer}&state={state}")).await, "provider", "/board");
    }
    for change in [
        |metadata: &mut Value| metadata["issuer"] = "http://127.0.0.1:1".into(),
        |metadata: &mut Value| metadata["token_endpoint"] = "ftp://127.0.0.1/".into(),
        |metadata: &mut Value| metadata["jwks_uri"] = Value::Null,
        |metadata: &mut Value| *metadata = json!([]),
    ] {
        let provider = Provider::start().await;
        provider.with(|state| change(&mut state.metadata));
        let (app, _) = start_with(|config| config.openid.issuer = Some(provider.url.clone())).await;
        failed(&app.get("/login/openid?next=/desk").await, "provider", "/desk");
    }
    let (app, _) = start_with(|config| config.openid.issuer = Some("http://127.0.0.1:9".to_owned())).await;
    failed(&app.get("/login/openid?next=//evil.example").await, "provider", "/login");
}

#[tokio::test]
async fn who_has_no_place_here_is_told_so() {
    let (app, provider) = start().await;
    let begun = app.begin("/desk").await;
    let mut claims = provider.claims(&begun.nonce);
    (claims["role"], claims["province"]) = ("province".into(), "00".into()); // no such province
    provider.gives(&provider.key.token(&claims));
    failed(&app.come_back_well(&begun).await, "place", "/desk");
    for (role, facility, code) in [
        (json!("king"), json!("79001"), "role"),
        (json!(null), json!("79001"), "role"),
        (json!("citizen"), json!("79001"), "role"),
        (json!(["facility", "ministry"]), json!("79001"), "role"),
        (json!("facility"), json!(null), "place"),
        (json!("facility"), json!("99999"), "place"), // no such facility
        (json!("province"), json!("79001"), "place"),
    ] {
        let begun = app.begin("/desk").await;
        let mut claims = provider.claims(&begun.nonce);
        (claims["role"], claims["facility"]) = (role, facility);
        provider.gives(&provider.key.token(&claims));
        failed(&app.come_back_well(&begun).await, code, "/desk");
    }
}

#[tokio::test]
async fn a_new_key_of_the_providers_is_asked_for_but_not_at_anybodys_bidding() {
    let (app, provider) = start().await;
    let log_in = async |key: &Key| {
        let begun = app.begin("/desk").await;
        provider.gives(&key.token(&provider.claims(&begun.nonce)));
        app.come_back_well(&begun).await.header("location").to_owned()
    };
    assert_eq!(log_in(&provider.key).await, "/desk");
    let next = Key::new("two");
    provider.with(|state| state.keys = vec![json!({"kty": "oct", "k": "AAAA", "kid": "three"}), json!(7), next.jwk()]);
    let before = provider.asked("/jwks");
    assert_eq!(log_in(&next).await, "/desk");
    assert_eq!(provider.asked("/jwks"), before + 1);
    for kid in ["four", "five", "six"] {
        assert_eq!(log_in(&Key::new(kid)).await, "/login?failed=token&next=/desk", "{kid}");
    }
    assert_eq!(log_in(&provider.key).await, "/login?failed=token&next=/desk", "the old one is not trusted any more");
    assert_eq!(provider.asked("/jwks"), before + 1, "asked again once in a while");
}

#[tokio::test]
async fn bearer_tokens_of_the_provider_are_taken_and_lies_are_not() {
    let (app, provider) = start().await;
    let mut claims = provider.claims("");
    claims["aud"] = "thexanh".into();
    let ask = async |token: &str| {
        let headers = [("authorization", &*format!("Bearer {token}"))];
        app.request("GET", "/v1/session", &headers, b"").await
    };
    let good = provider.key.token(&claims);
    // The keys are asked for when the service starts, and nobody waits for them.
    let mut session = ask(&good).await;
    for _ in 0..500 {
        if session.status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        session = ask(&good).await;
    }
    let session = session.json();
    assert_eq!((&session["subject"], &session["facility"]), (&json!("nurse-7"), &json!("79001")));
    assert_eq!(session["expires_at"], NOW.0 + 300);
    let dose = crate::app::dose("R-1", 1).to_string();
    let headers = [("authorization", &*format!("Bearer {good}")), ("content-type", "application/json")];
    assert_eq!(app.request("POST", "/v1/doses", &headers, dose.as_bytes()).await.status, 201);
    ask(&provider.key.token(&provider.claims(""))).await.problem(401, "token_invalid"); // an ID token is no bearer token
    ask(&Key::new("one").token(&claims)).await.problem(401, "token_invalid");
    ask(&(signed_part(&json!({"alg": "none"}), &claims) + ".")).await.problem(401, "token_invalid");
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        provider.key.token(&claims)
    };
    ask(&with("role", json!("citizen"))).await.problem(401, "token_invalid");
    let in_province = |code: &str| {
        let mut claims = claims.clone();
        (claims["role"], claims["province"]) = ("province".into(), code.into());
        provider.key.token(&claims)
    };
    assert_eq!(ask(&in_province("79")).await.json()["province"], "79");
    ask(&in_province("00")).await.problem(401, "token_invalid");
    ask(&with("facility", json!(null))).await.problem(401, "token_invalid");
    ask(&with("iss", json!("thexanh"))).await.problem(401, "token_invalid");
    for (seconds, status) in [(299, 200), (300, 401), (301, 401)] {
        app.later(seconds);
        assert_eq!(ask(&good).await.status, status, "{seconds}");
    }
    ask(&good).await.problem(401, "token_expired");
    app.later(0);
    let ministry = app.bearer(thexanh::http::access::Role::Ministry);
    assert_eq!(ask(ministry.trim_start_matches("Bearer ")).await.json()["role"], "ministry", "ours are taken as well");
}

#[tokio::test]
async fn without_a_provider_there_is_no_such_way() {
    let app = TestApp::start().await;
    app.get("/login/openid").await.problem(404, "unknown_route");
    app.get("/login/openid/callback?code=c&state=s").await.problem(404, "unknown_route");
    assert_eq!(app.get("/v1/login").await.json(), json!({"demo": []}));
    let (app, _) = start_with(|config| config.http.public_url = "https://thexanh.test".to_owned()).await;
    let cookie = app.get("/login/openid?next=/desk").await.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-thexanh-login=") && cookie.ends_with("SameSite=Lax; Secure"), "{cookie}");
}
