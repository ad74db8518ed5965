//! `POST /v1/revocations`: one certificate is no longer accepted, here from the answer on, elsewhere within a second.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Staff;
use super::body::{Body, Media};
use super::problem::{Kind, Problem, ProblemDocument};
use super::{NO_STORE, idempotency};
use crate::app::App;
use crate::certificate::Uvci;
use crate::store::Revoked;

/// Which certificate, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationRequest {
    /// The UVCI, with or without `URN:UVCI:`.
    #[schema(example = "URN:UVCI:01:VN:FFFE3D31FABD035899134A9D3BAE9BCF")]
    uvci: String,
    /// Why, for the audit trail: 1 to 500 characters, without personal data.
    #[schema(example = "issued by mistake")]
    why: String,
}

/// The revocation as it stands.
#[derive(Serialize, ToSchema)]
pub struct Revocation {
    /// Which certificate.
    uvci: String,
    /// Since when, in seconds since 1970.
    revoked_at: i64,
}

/// The longest request: a UVCI, 500 characters of four bytes each written as `\uXXXX\uXXXX`, and the JSON around them.
const MAX_BODY_BYTES: usize = 8 * 1024;
const MAX_WHY_CHARS: usize = 500;

/// Revokes one certificate. It is rejected here from this answer on, and by other nodes within a second.
#[utoipa::path(
    post, path = "/v1/revocations", tag = "certificates", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Kept 24 hours for the caller: the same key with another body is refused")),
    request_body = RevocationRequest,
    responses(
        (status = 201, description = "Revoked", body = Revocation),
        (status = 200, description = "Revoked before", body = Revocation),
        (status = 400, description = "`bad_json`, `wrong_shape`, `bad_parameter`, `body_broken`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`no_token`, `token_invalid`, `token_expired`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`role_not_allowed`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_certificate`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`unprocessable` with the `field`, `idempotency_key_reused`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`, `overloaded`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_revocation(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = Body::of(&request, payload);
    let begun = Staff::of(&request, app.clock().now()).and_then(|staff| {
        Body::media(&request, &[Media::Json])?;
        Ok((staff, idempotency::key(&request)?))
    });
    let (staff, key) = match begun {
        Ok(begun) => begun,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    let bytes = body.whole(MAX_BODY_BYTES).await?;
    let asked: RevocationRequest = serde_json::from_slice(&bytes)?;
    let uvci: Uvci = asked.uvci.parse().map_err(|_| {
        let detail = "expected URN:UVCI:01:VN: and 32 hexadecimal digits";
        Problem::new(Kind::UNPROCESSABLE).field("uvci").detail(detail)
    })?;
    let why = asked.why.trim();
    if why.is_empty() || why.chars().count() > MAX_WHY_CHARS || why.chars().any(char::is_control) {
        let detail = format!("expected 1 to {MAX_WHY_CHARS} characters without control characters");
        return Err(Problem::new(Kind::UNPROCESSABLE).field("why").detail(detail));
    }
    if let Some(key) = key {
        idempotency::claim(&app, &staff, "POST /v1/revocations", &key, &bytes).await?;
    }
    let now = app.clock().now();
    let (revoked_at, mut response) = match app.revoke(&uvci, &staff.caller.subject, why).await? {
        Revoked::Unknown => return Err(Problem::new(Kind::UNKNOWN_CERTIFICATE)),
        Revoked::New => (now, HttpResponse::Created()),
        Revoked::Already(at) => (at, HttpResponse::Ok()),
    };
    Ok(response.insert_header(NO_STORE).json(Revocation { uvci: uvci.to_string(), revoked_at: revoked_at.0 }))
}
