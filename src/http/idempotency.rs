//! `Idempotency-Key`: the same key with another body is refused for 24 hours.
//!
//! Only a hash of the body is kept, never an answer: what these routes do is the same when it is done twice, so a repeat
//! runs again and is answered alike, and no personal data is stored a second time.

use actix_web::HttpRequest;
use aws_lc_rs::digest::{Context, SHA256};

use super::auth::Staff;
use super::problem::{Kind, Problem};
use crate::app::App;
use crate::store::Claim;

/// The caller's key, if the request has one.
pub fn key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut values = request.headers().get_all("Idempotency-Key");
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if values.next().is_none() && (1..=MAX_KEY_LEN).contains(&text.len()) {
        return Ok(Some(text.to_owned()));
    }
    let detail = format!("expected one, of 1 to {MAX_KEY_LEN} visible ASCII characters");
    Err(Problem::new(Kind::BAD_PARAMETER).field("Idempotency-Key").detail(detail))
}

const MAX_KEY_LEN: usize = 200;

/// Notes that `staff` used `key` with `body` on this route. Errors: [`Kind::IDEMPOTENCY_KEY_REUSED`].
pub async fn claim(app: &App, staff: &Staff, route: &str, key: &str, body: &[u8]) -> Result<(), Problem> {
    let caller = &staff.caller;
    let place = caller.facility.as_deref().or(caller.province.as_deref()).unwrap_or("");
    let scope = format!("{} {} {}", caller.role.as_str(), place, caller.subject);
    // The same key on another route is another request, and the lengths keep route and body apart.
    let mut context = Context::new(&SHA256);
    context.update(&(route.len() as u64).to_be_bytes());
    context.update(route.as_bytes());
    context.update(body);
    let hash = context.finish().as_ref().try_into().map_err(|_| Problem::internal("SHA-256 is not 32 bytes"))?;
    match app.store().claim_idempotency_key(&scope, key, &hash, app.clock().now()).await? {
        Claim::New | Claim::Same => Ok(()),
        Claim::Other => Err(Problem::new(Kind::IDEMPOTENCY_KEY_REUSED).field("Idempotency-Key")),
    }
}
