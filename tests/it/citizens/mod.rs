//! Citizens: logging in by phone, registering themselves and family, claiming records, and seeing what is theirs.

mod access;
mod claims;
mod gateway;
mod queue;
mod records;
mod registrations;
mod sessions;

pub use access::OWN_BY_NATURE;
pub use gateway::Gateway;

use serde_json::{Value, json};
use thexanh::certificate::UnixSeconds;
use thexanh::registration::declaration::{CONSENT_VERSION, QUESTIONS, VERSION};

use crate::app::{NOW, TestApp};
use crate::client::Answer;

/// A service whose codes arrive at a gateway of the test's own, without a limit by address.
pub async fn start() -> (TestApp, Gateway) {
    let gateway = Gateway::start(0).await;
    let url = gateway.url();
    let app = TestApp::start_with(|config| {
        config.sms.url = Some(url);
        config.citizens.codes_per_address_per_minute = 0;
    })
    .await;
    (app, gateway)
}

/// A declaration in which every question is answered with no.
pub fn declaration() -> Value {
    let answers: Vec<Value> = QUESTIONS.iter().map(|asked| json!({"question": asked.id, "yes": false})).collect();
    json!({"version": VERSION, "answers": answers})
}

/// A whole registration of DESIGN's person.
pub fn registration() -> Value {
    json!({
        "name": "Nguyễn Thị Phương Thảo", "birth": "1983-10-10", "sex": "female",
        "phone": "0912345678", "identity": "001183012345", "ward": "00001",
        "address": "12 Phố Phúc Xá", "occupation": "Giáo viên", "priority": 8,
        "declaration": declaration(),
        "consent": {"version": CONSENT_VERSION, "by": "self"},
    })
}

/// The registration of the `n`th other person, grown up and with a number of their own.
pub fn registration_of(n: u32) -> Value {
    let mut registration = registration();
    registration["identity"] = format!("{:012}", 1_000_000 + n).into();
    registration["phone"] = format!("09{n:08}").into();
    registration
}

impl TestApp {
    /// The header of a session of `account` that nothing ends before its time.
    pub fn citizen(&self, account: u128) -> String {
        let until = UnixSeconds(self.clock.now().0 + 3600);
        format!("Bearer {}", self.tokens.mint_session(uuid::Uuid::from_u128(account), i64::MAX, until))
    }

    /// Registers somebody and gives their id.
    pub async fn register(&self, bearer: &str, registration: &Value) -> String {
        let answer = self.send("POST", "/v1/registrations", bearer, registration).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Asks for a code for `phone`, and gives the id of what is to be confirmed.
    pub async fn ask_code(&self, phone: &str) -> Answer {
        self.send("POST", "/v1/sessions", "", &json!({"phone": phone})).await
    }

    /// Says a code.
    pub async fn say_code(&self, id: &str, code: &str) -> Answer {
        self.send("POST", &format!("/v1/sessions/{id}/confirm"), "", &json!({"code": code})).await
    }

    /// Logs in with `phone` and gives the header.
    pub async fn log_in(&self, gateway: &Gateway, phone: &str) -> String {
        let started = self.ask_code(phone).await;
        assert_eq!(started.status, 201, "{}", started.text());
        let code = gateway.code().await;
        let opened = self.say_code(started.json()["id"].as_str().expect("an id"), &code).await;
        assert_eq!(opened.status, 200, "{}", opened.text());
        format!("Bearer {}", opened.json()["token"].as_str().expect("a token"))
    }

    /// Moves the clock to `seconds` after the start.
    pub fn later(&self, seconds: i64) {
        self.clock.set(UnixSeconds(NOW.0 + seconds));
    }
}
