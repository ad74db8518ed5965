//! Somebody who uses the API from outside, as facilities and checkpoints do.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use super::people;
use crate::cli::Failure;
use crate::clock::Clock;
use crate::http::access::Role;
use crate::http::auth::{Grant, TokenKey};

/// A client of the API at one address, with tokens for whom it speaks.
pub(super) struct Visitor<'a> {
    pub url: &'a str,
    pub tokens: &'a TokenKey,
    pub clock: &'a Clock,
    pub client: reqwest::Client,
}

/// For how long the demo's tokens are good, in seconds.
const LIFETIME_S: i64 = 12 * 3600;

/// The certificate of one recorded dose.
#[derive(Clone, Debug)]
pub(super) struct Certified {
    pub facility: &'static str,
    pub uvci: String,
    pub card: String,
    pub text: String,
}

impl Visitor<'_> {
    /// A token for this role; `facility` and `province` where the role needs them.
    pub fn token(&self, role: Role, facility: &str, province: &str) -> Result<String, Failure> {
        let grant = Grant {
            role,
            subject: format!("demo-{}", role.as_str()),
            facility: (role == Role::Facility).then(|| facility.to_owned()),
            province: (role == Role::Province).then(|| province.to_owned()),
            lifetime_s: LIFETIME_S,
        };
        self.tokens.mint(&grant, self.clock.now()).map_err(|error| failed("a token", error))
    }

    /// Records all doses of the first `people` synthetic people, each facility its own, and returns the last certificate
    /// of each, by person.
    pub async fn record(&self, people: u32, done: impl Fn(u64)) -> Result<HashMap<u32, Certified>, Failure> {
        let mut certified = HashMap::new();
        for facility in people::facilities() {
            let own: Vec<u32> = (0..people).filter(|person| people::facility_of(*person) == facility.code).collect();
            for chunk in own.chunks(CHUNK) {
                let doses: Vec<(u32, u8)> = chunk
                    .iter()
                    .flat_map(|person| (1..=people::doses_of(*person)).map(|dose| (*person, dose)))
                    .collect();
                let body: String =
                    doses.iter().map(|(person, dose)| format!("{}\n", people::dose(*person, *dose))).collect();
                let request = self.client.post(format!("{}/v1/doses", self.url));
                let request = request.header(CONTENT_TYPE, "application/x-ndjson").body(body);
                let request = request.bearer_auth(self.token(Role::Facility, &facility.code, "")?);
                let answer = text("recording doses", request).await?;
                let mut answers = 0;
                for ((person, _), line) in doses.iter().zip(answer.lines()) {
                    let row: Value = serde_json::from_str(line).map_err(|error| failed("recording doses", error))?;
                    certified.insert(*person, certificate(&row, people::facility_of(*person))?);
                    answers += 1;
                }
                if answers != doses.len() {
                    return Err(failed("recording doses", "the answer has not one line a dose"));
                }
                done(doses.len() as u64);
            }
        }
        Ok(certified)
    }

    /// Sends a backlog file of a province and waits until it is imported; gives the import as it ended. `moved`: as it goes on.
    pub async fn import(&self, file: Vec<u8>, province: &str, moved: impl Fn(&Value)) -> Result<Value, Failure> {
        let token = self.token(Role::Province, "", province)?;
        let what = "importing a backlog";
        let read = |answer: String| serde_json::from_str::<Value>(&answer).map_err(|error| failed(what, error));
        let request = self.client.post(format!("{}/v1/imports", self.url)).header(CONTENT_TYPE, "text/csv");
        let mut import = read(text(what, request.body(file).bearer_auth(&token)).await?)?;
        let id = import.get("id").and_then(Value::as_str).ok_or_else(|| failed(what, "it has no id"))?.to_owned();
        loop {
            moved(&import);
            match import.get("status").and_then(Value::as_str) {
                Some("done") => return Ok(import),
                Some("failed") | None => return Err(failed(what, "it did not end well; the log says why")),
                Some(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
            let request = self.client.get(format!("{}/v1/imports/{id}", self.url));
            import = read(text(what, request.bearer_auth(&token)).await?)?;
        }
    }

    /// A picture of a certificate, `format` such as `png` or `png?profile=hc1`.
    pub async fn picture(&self, certified: &Certified, format: &str) -> Result<Vec<u8>, Failure> {
        let request = self.client.get(format!("{}/v1/certificates/{}.{format}", self.url, certified.uvci));
        let request = request.bearer_auth(self.token(Role::Facility, certified.facility, "")?);
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        let bytes = answer.map_err(|error| failed("a picture", error))?.bytes().await;
        Ok(bytes.map_err(|error| failed("a picture", error))?.to_vec())
    }

    /// The verdict on a text, as anybody gets it.
    pub async fn verify(&self, qr: &str) -> Result<Value, Failure> {
        let request = self.client.post(format!("{}/v1/verify", self.url)).header(CONTENT_TYPE, "text/plain");
        let answer = text("verifying", request.body(qr.to_owned())).await?;
        serde_json::from_str(&answer).map_err(|error| failed("verifying", error))
    }
}

/// How often it is asked how far an import is.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// People whose doses travel in one request: what a facility has in a day.
const CHUNK: usize = 500;

fn certificate(row: &Value, facility: &'static str) -> Result<Certified, Failure> {
    let word = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let certified = word("uvci").zip(word("card")).zip(word("text"));
    let ((uvci, card), text) = certified
        .ok_or_else(|| failed("recording doses", word("code").unwrap_or_else(|| "no certificate".to_owned())))?;
    Ok(Certified { facility, uvci, card, text })
}

async fn text(what: &str, request: reqwest::RequestBuilder) -> Result<String, Failure> {
    let answer = request.send().await.and_then(reqwest::Response::error_for_status);
    answer.map_err(|error| failed(what, error))?.text().await.map_err(|error| failed(what, error))
}

pub(super) fn failed(what: &str, cause: impl std::fmt::Display) -> Failure {
    Failure::environment("demo", format!("{what} failed: {cause}"))
}
