//! `POST /v1/revocations`: one certificate, or a list of many, is no longer accepted, here from the answer on, elsewhere within
//! a second; `POST /v1/revocations/{id}/undo`: a second person takes that back.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Staff;
use super::body::{Body, Media};
use super::problem::{Kind, Problem, ProblemDocument};
use super::refusals::WriteRefusals;
use super::revocation_lists::{self, RevocationListQuery, RevocationListRow};
use super::{NO_STORE, asked, idempotency};
use crate::app::App;
use crate::certificate::Uvci;
use crate::registration::bounded;
use crate::registration::revocations::{MAX_WHY_CHARS, Named, UndoError};
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
    /// Names this request, for its undoing; absent if the certificate was revoked before.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
}

/// Why a revocation is undone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoRequest {
    /// Why, for the audit trail: 1 to 500 characters, without personal data.
    #[schema(example = "the wrong list was sent")]
    why: String,
}

/// What came of undoing.
#[derive(Serialize, ToSchema)]
pub struct UndoneRevocations {
    /// The request that revoked.
    id: Uuid,
    /// Certificates that are accepted again.
    undone: usize,
    /// Those that were before.
    already: u64,
    /// Those that stay revoked: no longer true, or revoked again since.
    kept: u64,
}

/// The longest request: a UVCI, 500 characters of four bytes each written as `\uXXXX\uXXXX`, and the JSON around them.
const MAX_BODY_BYTES: usize = 8 * 1024;
const ROUTE: &str = "POST /v1/revocations";

/// Revokes a certificate, or a list of them. It is rejected here from this answer on, and by other nodes within a second.
///
/// A list is a sheet of at most 16 MiB with the columns `uvci` and `why`: UTF-8 or UTF-16, commas, semicolons or tabs. It is
/// answered row by row, as NDJSON, or as CSV with `Accept: text/csv`: `revoked`, `already`, `unknown`, or `malformed` with the
/// column; then the counts, and the `id` by which all of it can be undone. Rows are committed five hundred at a time, before they
/// are answered; a list that broke off is sent again, and finds the first ones revoked.
#[utoipa::path(
    post, path = "/v1/revocations", tag = "certificates", security(("bearer" = [])),
    params(RevocationListQuery),
    params(("Idempotency-Key" = Option<String>, Header, description = "Kept 24 hours for the caller: the same key with another body is refused")),
    request_body(content((RevocationRequest = "application/json"), (String = "text/csv"))),
    responses(
        (status = 201, description = "Revoked", body = Revocation),
        (status = 200, description = "Revoked before; or the answer to a list", content((Revocation = "application/json"), (RevocationListRow = "application/x-ndjson"), (String = "text/csv"))),
        (status = 400, description = "`bad_json`, `wrong_shape`, `bad_parameter`, `body_broken`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`no_token`, `token_invalid`, `token_expired`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`role_not_allowed`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_certificate`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`unprocessable` with the `field`, `idempotency_key_reused`; of a list `file_empty`, `columns_missing`", body = ProblemDocument, content_type = "application/problem+json"),
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
        let media = Body::media(&request, &[Media::Json, Media::Csv])?;
        let query: RevocationListQuery = asked::query(&request)?;
        if query.dry_run && media == Media::Json {
            return Err(asked::bad("dry_run", "a dry run is for lists", "chỉ danh sách mới có thể chạy thử"));
        }
        Ok((staff, media, query, idempotency::key(&request)?))
    });
    let (staff, media, query, key) = match begun {
        Ok(begun) => begun,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    if media == Media::Csv {
        return revocation_lists::post_list(app.into_inner(), &request, staff, query, key, body).await;
    }
    let bytes = body.whole(MAX_BODY_BYTES).await?;
    let asked: RevocationRequest = serde_json::from_slice(&bytes)?;
    let uvci: Uvci = asked.uvci.parse().map_err(|_| {
        let detail = "expected URN:UVCI:01:VN: and 32 hexadecimal digits";
        Problem::new(Kind::UNPROCESSABLE).field("uvci").detail(detail)
    })?;
    let why = why(asked.why)?;
    if let Some(key) = key {
        idempotency::claim(&app, &staff, ROUTE, &key, &bytes).await?;
    }
    let (now, id) = (app.clock().now(), Uuid::new_v4());
    let by = staff.audited("certificate.revoke", None, &why, now);
    let (revoked_at, id, mut response) = match app.revoke(&uvci, id, &by).await? {
        Revoked::Unknown => return Err(Problem::new(Kind::UNKNOWN_CERTIFICATE)),
        Revoked::New => (now, Some(id), HttpResponse::Created()),
        Revoked::Already(at) => (at, None, HttpResponse::Ok()),
    };
    Ok(response.insert_header(NO_STORE).json(Revocation { uvci: uvci.to_string(), revoked_at: revoked_at.0, id }))
}

fn why(text: String) -> Result<String, Problem> {
    bounded(text, MAX_WHY_CHARS).ok_or_else(|| {
        let detail = format!("expected 1 to {MAX_WHY_CHARS} characters without control characters");
        Problem::new(Kind::UNPROCESSABLE).field("why").detail(detail)
    })
}

/// Undoes a revocation, or all of a list: by another person than the one who revoked, within an hour.
///
/// The certificates are accepted again here from this answer on, and by other nodes within a second. One that is no longer true
/// stays revoked, and so does one that fell because its record was put right. Sent again, it finds them undone.
#[utoipa::path(
    post, path = "/v1/revocations/{id}/undo", tag = "certificates", security(("bearer" = [])),
    params(("id" = String, Path, description = "A certificate's UVCI, or the `id` that `POST /v1/revocations` answered")),
    request_body = UndoRequest,
    responses(
        (status = 200, description = "Undone", body = UndoneRevocations),
        WriteRefusals,
        (status = 403, description = "`role_not_allowed`, `second_person_needed`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_certificate`, `unknown_revocation`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`not_revoked`, `put_right`, `too_late`, `no_longer_true`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_undo(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, asked, _) = asked::json::<UndoRequest>(&app, &request, payload).await?;
    let why = why(asked.why)?;
    let named = request.match_info().get("id").and_then(|id| id.parse::<Named>().ok());
    let named = named.ok_or_else(|| Problem::new(Kind::UNKNOWN_REVOCATION))?;
    let by = staff.audited("revocation.undo", None, &why, app.clock().now());
    let undone = app.undo_revocations(named, &by).await?;
    let (undone, id, already, kept) = (undone.restored.len(), undone.batch, undone.already, undone.kept);
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(UndoneRevocations { id, undone, already, kept }))
}

impl From<UndoError> for Problem {
    fn from(error: UndoError) -> Problem {
        match error {
            UndoError::UnknownCertificate => Problem::new(Kind::UNKNOWN_CERTIFICATE),
            UndoError::UnknownRevocation => Problem::new(Kind::UNKNOWN_REVOCATION),
            UndoError::NotRevoked => Problem::new(Kind::NOT_REVOKED),
            UndoError::PutRight => Problem::new(Kind::PUT_RIGHT),
            UndoError::SecondPerson => Problem::new(Kind::SECOND_PERSON_NEEDED),
            UndoError::TooLate => Problem::new(Kind::TOO_LATE),
            UndoError::NoLongerTrue => Problem::new(Kind::NO_LONGER_TRUE),
            UndoError::Unreadable => Problem::internal(error),
            UndoError::Store(error) => Problem::from(error),
        }
    }
}
