//! The whole service for a test: the real routes on a real port, over a database schema of the test's own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use thexanh::app::{App, enlist};
use thexanh::certificate::{UnixSeconds, Uvci};
use thexanh::clock::Clock;
use thexanh::config::Config;
use thexanh::http::access::Role;
use thexanh::http::auth::{Grant, TokenKey};
use thexanh::http::login::DemoLogin;
use thexanh::http::{ServeError, Serving, Shared, serve};
use thexanh::keyring::Keyring;
use thexanh::store::{Audited, Facility, Province, Revoked, Store, StoreError};

use uuid::Uuid;

use crate::client::{Answer, Connection};
use crate::harness::TestSchema;

/// 2021-08-01T02:15:00Z, 09:15 in Viet Nam.
pub const NOW: UnixSeconds = UnixSeconds(1_627_784_100);

pub struct TestApp {
    pub app: Arc<App>,
    pub clock: Clock,
    pub keyring: Arc<Keyring>,
    pub tokens: Arc<TokenKey>,
    serving: Serving,
    /// Dropped last, with its tables.
    schema: Arc<TestSchema>,
}

/// A second node, beside a [`TestApp`].
pub struct Node {
    pub app: Arc<App>,
    serving: Serving,
}

impl Node {
    pub fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// Stops as the command line does.
    pub async fn stop(self) {
        self.serving.stop().await;
        self.app.stop().await;
    }
}

/// The default settings, but for the path of Ed25519, which `THEXANH_ED25519` says as it says it to the service.
pub fn config() -> Config {
    let variables = std::env::vars().filter(|(name, _)| name == "THEXANH_ED25519");
    let table: String = variables.map(|(_, path)| format!("ed25519 = \"{path}\"")).collect();
    toml::from_str(&table).expect("THEXANH_ED25519 is a path")
}

impl TestApp {
    pub async fn start() -> TestApp {
        TestApp::start_with(|_| {}).await
    }

    /// The service with some settings changed.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> TestApp {
        TestApp::try_start(change).await.expect("starts")
    }

    /// The service with some settings changed, where that may keep it from listening.
    pub async fn try_start(change: impl FnOnce(&mut Config)) -> Result<TestApp, ServeError> {
        TestApp::start_on(Arc::new(TestSchema::new().await), keyring(), Clock::fixed(NOW), change).await
    }

    /// The service with secret keys of the test's own.
    pub async fn start_with_keys(keyring: Keyring) -> TestApp {
        let schema = Arc::new(TestSchema::new().await);
        TestApp::start_on(schema, Arc::new(keyring), Clock::fixed(NOW), |_| {}).await.expect("starts")
    }

    /// One more node on the same tables and the same clock, with secret keys of its own and the refresh of the default settings.
    pub async fn beside(&self, keyring: Keyring) -> TestApp {
        let schema = Arc::clone(&self.schema);
        let default = |config: &mut Config| config.cache.refresh_ms = Config::default().cache.refresh_ms;
        TestApp::start_on(schema, Arc::new(keyring), self.clock.clone(), default).await.expect("starts")
    }

    /// The service started again, on the same tables and files, after it was stopped.
    pub async fn again(self) -> TestApp {
        self.serving.stop().await;
        TestApp::start_on(self.schema, keyring(), Clock::fixed(NOW), |_| {}).await.expect("starts")
    }

    async fn start_on(
        schema: Arc<TestSchema>,
        keyring: Arc<Keyring>,
        clock: Clock,
        change: impl FnOnce(&mut Config),
    ) -> Result<TestApp, ServeError> {
        let mut config = config();
        config.http.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.http.workers = 1;
        config.cache.refresh_ms = 20;
        config.data = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&schema.name);
        change(&mut config);
        let store = schema.store().await;
        let province = |code: &str, name: &str| Province { code: code.to_owned(), name: name.to_owned() };
        let facility = |code: &str, province: &str| Facility {
            code: code.to_owned(),
            name: format!("Trạm y tế {code}"),
            province: province.to_owned(),
        };
        let provinces = [province("01", "Thành phố Hà Nội"), province("79", "Thành phố Hồ Chí Minh")];
        let facilities = [facility("01001", "01"), facility("79001", "79"), facility("79002", "79")];
        store.put_reference(&provinces, &facilities).await.expect("puts reference data");
        enlist(&store, &keyring, NOW).await.expect("lists its keys");
        let tokens = Arc::new(TokenKey::from_pkcs8(keyring.token_pkcs8(), &config.tokens).expect("a token key"));
        let app = App::start(config, clock.clone(), store, Arc::clone(&keyring)).await.expect("starts");
        let shared = Shared::new(Arc::clone(&app), Arc::clone(&tokens)).with_openid().expect("a provider or none");
        let serving = serve(shared)?;
        Ok(TestApp { app, clock, keyring, tokens, serving, schema })
    }

    /// The same service once more, as the demo: anybody may be one of `staff`.
    pub fn as_demo(&self, staff: Vec<DemoLogin>) -> Node {
        let shared = Shared::new(Arc::clone(&self.app), Arc::clone(&self.tokens)).for_demo(staff);
        Node { app: Arc::clone(&self.app), serving: serve(shared).expect("listens") }
    }

    /// A bare connection to the service's tables.
    pub async fn sql(&self) -> tokio_postgres::Client {
        self.schema.client().await
    }

    /// What a query of one number gives.
    pub async fn count(&self, sql: &str) -> i64 {
        self.sql().await.query_one(sql, &[]).await.expect("counts").get(0)
    }

    /// Another node on the same database.
    pub async fn another(&self) -> Node {
        let (config, clock) = (self.app.config().clone(), self.clock.clone());
        let app =
            App::start(config, clock, self.schema.store().await, Arc::clone(&self.keyring)).await.expect("starts");
        let serving = serve(Shared::new(Arc::clone(&app), Arc::clone(&self.tokens))).expect("listens");
        Node { app, serving }
    }

    pub fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// Stops as the command line does: listening first, then what is behind it.
    pub async fn stop(self) {
        self.serving.stop().await;
        self.app.stop().await;
    }

    /// A token's header: of facility 79001, of province 79, of the ministry and so on.
    pub fn bearer(&self, role: Role) -> String {
        self.bearer_of(role, "79001", "79")
    }

    /// A token's header for this facility, and this province; a citizen's is for the account of the facility's number.
    pub fn bearer_of(&self, role: Role, facility: &str, province: &str) -> String {
        if role == Role::Citizen {
            let account = Uuid::from_u128(facility.parse().expect("a number"));
            let until = UnixSeconds(self.clock.now().0 + 3600);
            return format!("Bearer {}", self.tokens.mint_session(account, i64::MAX, until));
        }
        let grant = Grant {
            role,
            subject: "tester".to_owned(),
            facility: (role == Role::Facility).then(|| facility.to_owned()),
            province: (role == Role::Province).then(|| province.to_owned()),
            lifetime_s: 3600,
        };
        format!("Bearer {}", self.tokens.mint(&grant, self.clock.now()).expect("mints"))
    }

    /// Another node on the same database, that listens to nobody.
    pub async fn second_node(&self) -> Arc<App> {
        let (config, clock) = (self.app.config().clone(), self.clock.clone());
        App::start(config, clock, self.schema.store().await, Arc::clone(&self.keyring)).await.expect("starts")
    }

    /// A token's header of somebody at the ministry.
    pub fn bearer_named(&self, subject: &str) -> String {
        let (role, subject) = (Role::Ministry, subject.to_owned());
        let grant = Grant { role, subject, facility: None, province: None, lifetime_s: 24 * 3600 };
        format!("Bearer {}", self.tokens.mint(&grant, self.clock.now()).expect("mints"))
    }

    /// A token's header of somebody at a facility.
    pub fn bearer_at(&self, facility: &str, subject: &str) -> String {
        let (subject, facility) = (subject.to_owned(), Some(facility.to_owned()));
        let grant = Grant { role: Role::Facility, subject, facility, province: None, lifetime_s: 3600 };
        format!("Bearer {}", self.tokens.mint(&grant, self.clock.now()).expect("mints"))
    }

    /// Sends JSON, or nothing for null, with a token's header.
    pub async fn send(&self, method: &str, path: &str, bearer: &str, json: &serde_json::Value) -> Answer {
        let headers = [("content-type", "application/json"), ("authorization", bearer)];
        let body = if json.is_null() { String::new() } else { json.to_string() };
        self.request(method, path, &headers, body.as_bytes()).await
    }

    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        Connection::open(self.address()).await.request(method, path, headers, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"").await
    }

    /// Asks for a path as somebody with a token.
    pub async fn get_as(&self, role: Role, path: &str) -> Answer {
        self.request("GET", path, &[("authorization", &self.bearer(role))], b"").await
    }

    /// Sends JSON as somebody with a token.
    pub async fn post_as(&self, role: Role, path: &str, json: &serde_json::Value) -> Answer {
        let headers = [("content-type", "application/json"), ("authorization", &self.bearer(role))];
        self.request("POST", path, &headers, json.to_string().as_bytes()).await
    }

    /// The verdict on a text.
    pub async fn verify(&self, text: &str) -> serde_json::Value {
        let answer = self.request("POST", "/v1/verify", &[("content-type", "text/plain")], text.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Records a dose, the `number`th of one person, and gives the whole answer.
    pub async fn dose(&self, record_no: &str, number: u8) -> Answer {
        self.post_as(Role::Facility, "/v1/doses", &dose(record_no, number)).await
    }

    /// Records a first dose of DESIGN's person and gives its certificate's UVCI and QR text.
    pub async fn certificate(&self, record_no: &str) -> (Uvci, String) {
        self.certificate_of(&dose(record_no, 1)).await
    }

    /// Records a dose at facility 79001 and gives its certificate's UVCI and QR text.
    pub async fn certificate_of(&self, dose: &serde_json::Value) -> (Uvci, String) {
        let answer = self.post_as(Role::Facility, "/v1/doses", dose).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let answer = answer.json();
        let text = answer["text"].as_str().expect("a text").to_owned();
        (answer["uvci"].as_str().and_then(|uvci| uvci.parse().ok()).expect("a UVCI"), text)
    }
}

/// What somebody of the ministry asks for, as it is audited.
pub fn asked_by(subject: &str, why: &str, at: UnixSeconds) -> Audited {
    let (role, subject, place, why) = ("ministry".to_owned(), subject.to_owned(), String::new(), why.to_owned());
    Audited { at, role, subject, place, action: "certificate.revoke", about: None, why }
}

/// Revokes one certificate on a node that is its store alone.
pub async fn revoke(store: &Store, uvci: &Uvci, by: &str, at: UnixSeconds) -> Result<Revoked, StoreError> {
    store.revoke(uvci, Uuid::new_v4(), &asked_by(by, "a test", at)).await
}

/// The first dose of the `n`th other person.
pub fn dose_of(n: u32) -> serde_json::Value {
    let mut dose = dose(&format!("P-{n}"), 1);
    dose["person"]["identity"] = format!("{:012}", 1_000_000 + n).into();
    dose["person"]["phone"] = format!("09{n:08}").into();
    dose
}

/// The dose of DESIGN §3; the second is given four weeks before now, so that the first is eight weeks ago.
pub fn dose(record_no: &str, number: u8) -> serde_json::Value {
    let given_at = if number == 1 { "2021-06-06T02:15:00Z" } else { "2021-07-04T02:15:00Z" };
    serde_json::json!({
        "record_no": record_no,
        "person": {
            "name": "Nguyễn Thị Phương Thảo", "birth": "1983-10-10", "sex": "female",
            "phone": "0912345678", "identity": "001183012345", "ward": "00001",
        },
        "product": "EU/1/20/1528", "lot": "FE8405", "lot_expires_on": "2021-12-31",
        "given_at": given_at, "number": number,
    })
}

/// One set of secret keys for the whole run: encrypting them is slow on purpose.
pub fn keyring() -> Arc<Keyring> {
    static KEYRING: OnceLock<Arc<Keyring>> = OnceLock::new();
    let make = || {
        let dir: PathBuf = std::env::temp_dir().join(format!("thexanh-it-keys-{}", std::process::id()));
        let keyring = Keyring::open_or_create(&dir, "a passphrase of the tests").expect("makes keys");
        std::fs::remove_dir_all(&dir).expect("removes the files: the keys are in memory");
        Arc::new(keyring)
    };
    Arc::clone(KEYRING.get_or_init(make))
}
