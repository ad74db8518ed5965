//! What each site has before it on the day: a session, people who registered themselves and have a place in it, some of them for
//! their second dose, and a correction to be answered.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::people;
use super::visitor::{Visitor, failed};
use crate::cli::Failure;
use crate::http::access::Role;
use crate::registration::declaration::{CONSENT_VERSION, QUESTIONS, VERSION};
use crate::synth::names;
use crate::synth::random::Random;

/// A commune of each of the demo's facilities' districts, in their order.
const WARDS: [&str; 4] = ["00001", "20236", "26734", "26794"];
/// How many people have a place, and how many of them have had a first dose.
const PEOPLE: u64 = 12;
const SECOND: u64 = 4;

const WHAT: &str = "the day's sessions";

/// Makes it so, over the API, once a day.
pub(super) async fn prepare(visitor: &Visitor<'_>) -> Result<(), Failure> {
    for (n, (facility, ward)) in people::facilities().into_iter().zip(WARDS).enumerate() {
        Site { visitor, code: &facility.code, ward, nth: n as u64 }.prepare().await?;
    }
    Ok(())
}

/// A facility of the demo's.
struct Site<'a> {
    visitor: &'a Visitor<'a>,
    code: &'a str,
    ward: &'a str,
    nth: u64,
}

impl Site<'_> {
    async fn prepare(&self) -> Result<(), Failure> {
        let staff = self.visitor.token(Role::Facility, self.code, "")?;
        let day = self.visitor.clock.now().vietnamese_date();
        let session = json!({
            "facility": self.code, "date": day.to_string(), "begins": "07:30", "ends": "17:00", "capacity": 100,
        });
        let key = format!("demo-{}-{day}", self.code);
        let (new, session) = self.post("/v1/appointments/sessions", &staff, &session, Some(&key)).await?;
        if !new {
            return Ok(()); // a demo before this one was here today
        }
        let session = word(&session, "session")?;
        let citizen = self.citizen().await?;
        for n in 0..PEOPLE {
            let (new, registered) = self.post("/v1/registrations", &citizen, &self.registration(n), None).await?;
            let person = word(&registered, "id")?;
            let place = json!({"person": person});
            self.post(&format!("/v1/appointments/sessions/{session}/places"), &staff, &place, None).await?;
            if n >= SECOND || !new {
                continue;
            }
            let (_, dose) = self.post("/v1/doses", &staff, &self.dose(n, &person), None).await?;
            if n == 0 {
                let wrong = json!({
                    "person": person, "kind": "wrong_data", "text": "Tôi tiêm ngày 6, không phải ngày 5.",
                    "dose": word(&dose, "dose")?, "given": {"given_at": "2021-07-06T02:15:00Z"},
                });
                self.post("/v1/corrections", &citizen, &wrong, None).await?;
            }
        }
        Ok(())
    }

    /// A token for whoever registers the people of this site: its phone, and the code that the demo tells.
    async fn citizen(&self) -> Result<String, Failure> {
        let phone = json!({"phone": format!("090000000{}", self.nth)});
        let (_, started) = self.post("/v1/sessions", "", &phone, None).await?;
        let path = format!("/v1/sessions/{}/confirm", word(&started, "id")?);
        let (_, opened) = self.post(&path, "", &json!({"code": word(&started, "demo_code")?}), None).await?;
        word(&opened, "token")
    }

    /// The name and the birth date of the `n`th.
    fn person(&self, n: u64) -> (String, String, &'static str) {
        let mut random = Random::new(7_000_000 + self.nth * PEOPLE + n);
        let female = random.happens(500);
        let family = names::family(&mut random);
        let name = names::person(&mut random, family, female).written();
        let birth =
            jiff::civil::date(1945, 1, 1).saturating_add(jiff::Span::new().days((random.draw() % 20_000) as i64));
        (name, birth.to_string(), if female { "female" } else { "male" })
    }

    fn registration(&self, n: u64) -> Value {
        let (name, birth, sex) = self.person(n);
        let answers: Vec<Value> = QUESTIONS.iter().map(|asked| json!({"question": asked.id, "yes": false})).collect();
        json!({
            "name": name, "birth": birth, "sex": sex, "identity": format!("{:012}", 2_000_000_000 + self.nth * 1_000 + n),
            "ward": self.ward, "address": format!("{} Lê Lợi", n + 1), "occupation": "Giáo viên", "priority": 8,
            "declaration": {"version": VERSION, "answers": answers},
            "consent": {"version": CONSENT_VERSION, "by": "self"},
        })
    }

    fn dose(&self, n: u64, person: &str) -> Value {
        let (name, birth, _) = self.person(n);
        json!({
            "record_no": format!("DEMO-{}-{n}", self.code), "person": {"id": person, "name": name, "birth": birth},
            "product": "EU/1/21/1529", "lot": "DEMO7", "given_at": "2021-07-05T02:15:00Z", "number": 1,
        })
    }

    /// Whether it is new, and the answer.
    async fn post(&self, path: &str, token: &str, body: &Value, key: Option<&str>) -> Result<(bool, Value), Failure> {
        let request = self.visitor.client.request(Method::POST, format!("{}{path}", self.visitor.url)).json(body);
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let request = match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        let answer = answer.map_err(|error| failed(WHAT, error))?;
        let new = answer.status() == StatusCode::CREATED;
        Ok((new, answer.json().await.map_err(|error| failed(WHAT, error))?))
    }
}

fn word(answer: &Value, member: &str) -> Result<String, Failure> {
    let word = answer.get(member).and_then(Value::as_str).map(str::to_owned);
    word.ok_or_else(|| failed(WHAT, format!("an answer has no {member}")))
}
