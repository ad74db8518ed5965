//! `GET /v1/changes`: what verifier nodes follow. It answers as soon as something is newer than the asker knows.

use std::sync::Mutex;
use std::time::Duration;

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::{Kind, Problem, ProblemDocument};
use super::published::wants_signed;
use super::{NO_STORE, asked};
use crate::app::App;
use crate::app::changes::{Changes, Versions};
use crate::certificate::UnixSeconds;
use crate::signed::{self, Stamp};

/// The route.
pub const PATH: &str = "/v1/changes";
/// The longest wait, in seconds: shorter than what proxies put up with.
const MAX_WAIT_S: u64 = 25;
/// For how long what is told may be relied on, in seconds.
const NEXT_UPDATE_S: i64 = 60;

/// What the asker knows, and how long it waits.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// The version of the trust list that the asker knows; 0 for none.
    #[serde(default)]
    trust: u64,
    /// The version of the list that the anchor signed.
    #[serde(default)]
    trust_signed: u64,
    /// The number of the last event among the revocations.
    #[serde(default)]
    revocations: u64,
    /// The version of the rules.
    #[serde(default)]
    rules: u64,
    /// For how many seconds to wait for something newer, at most 25; 0 answers at once.
    #[serde(default)]
    wait: u64,
}

/// The last answer, for the many who ask from the same place. Mounted with the routes.
#[derive(Default)]
pub struct Told(Mutex<Option<Answered>>);

struct Answered {
    asked: Versions,
    now: Versions,
    at: UnixSeconds,
    signed: bool,
    bytes: Bytes,
}

/// Waits for something newer than the asker knows, and tells it.
///
/// Signed (`application/cose`) it is a COSE_Sign1 over the JSON, by a publisher that the trust list names; its `version` is the
/// sum of the four versions.
#[utoipa::path(
    get, path = "/v1/changes", tag = "trust", params(ChangesQuery),
    responses(
        (status = 200, description = "What is newer, in the form that `Accept` prefers, else JSON", content((Changes = "application/json"), (Vec<u8> = "application/cose"))),
        (status = 304, description = "Nothing is newer, for as long as the asker would wait"),
        (status = 400, description = "`bad_parameter`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`, `not_signed`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_changes(
    app: web::Data<App>,
    told: web::Data<Told>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query: ChangesQuery = asked::query(&request)?;
    if query.wait > MAX_WAIT_S {
        return Err(asked::bad("wait", "expected at most 25 seconds", "cần nhiều nhất 25 giây"));
    }
    let ChangesQuery { trust, trust_signed, revocations, rules, wait } = query;
    let known = Versions { trust, trust_signed, revocations, rules };
    if !app.newer_than(&known, Duration::from_secs(wait)).await {
        return Ok(HttpResponse::NotModified().insert_header(NO_STORE).finish());
    }
    let signed = wants_signed(&request);
    let bytes = match told.of(&app, &known, signed) {
        Some(bytes) => bytes,
        None => told.make(&app, known, signed).await?,
    };
    let media = if signed { signed::MEDIA_TYPE } else { "application/json" };
    Ok(HttpResponse::Ok().insert_header(NO_STORE).content_type(media).body(bytes))
}

impl Told {
    fn of(&self, app: &App, asked: &Versions, signed: bool) -> Option<Bytes> {
        let (now, at) = (app.versions(), app.clock().now());
        let last = self.0.lock().ok()?;
        let same = |last: &&Answered| (last.asked, last.now, last.at, last.signed) == (*asked, now, at, signed);
        last.as_ref().filter(same).map(|last| last.bytes.clone())
    }

    async fn make(&self, app: &App, asked: Versions, signed: bool) -> Result<Bytes, Problem> {
        let (now, at) = (app.versions(), app.clock().now());
        let changes = app.changes_since(&asked).await?;
        let mut bytes = serde_json::to_vec(&changes).map_err(Problem::internal)?;
        if signed {
            let key = app.publisher_key().map_err(|_| Problem::new(Kind::NOT_SIGNED))?;
            let version = changes.trust + changes.trust_signed + changes.revocations + changes.rules;
            let stamp = Stamp { version, issued_at: at, next_update: UnixSeconds(at.0 + NEXT_UPDATE_S) };
            bytes = signed::sign(signed::Kind::Changes, stamp, &bytes, &key).map_err(Problem::internal)?;
        }
        let bytes = Bytes::from(bytes);
        if let Ok(mut last) = self.0.lock() {
            *last = Some(Answered { asked, now, at, signed, bytes: bytes.clone() });
        }
        Ok(bytes)
    }
}
