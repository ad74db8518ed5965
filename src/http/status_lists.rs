//! `GET /v1/status-lists`: what is revoked in the standard form, for verifiers that know no other of ours.

use actix_web::http::header;
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Kind, Problem, ProblemDocument};
use super::published::{Published, has_tag};
use crate::app::App;
use crate::revocation::status_list::MEDIA_TYPE;

/// Half of a token's `ttl`, and then as long again while a newer one is fetched.
const CACHE: &str = "public, max-age=30, stale-while-revalidate=30";

/// Where the status lists are found.
#[derive(Serialize, ToSchema)]
pub struct StatusListAggregation {
    /// The address of each, which is its `sub` as well; the `n`th stands at place `n`, from 0.
    #[schema(example = json!(["https://thexanh.example/v1/status-lists/0"]))]
    status_lists: Vec<String>,
}

/// Says where the status lists are found (draft-ietf-oauth-status-list §9).
#[utoipa::path(
    get, path = "/v1/status-lists", tag = "trust",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the answer that the caller has")),
    responses(
        (status = 200, description = "All of them", body = StatusListAggregation, headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The caller has it"),
        (status = 500, description = "`internal`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_status_lists(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let aggregation = StatusListAggregation { status_lists: app.status_list_uris() };
    let json = serde_json::to_vec(&aggregation).map_err(Problem::internal)?;
    Ok(Published::new("application/json", CACHE, json).answer(&request))
}

/// A Token Status List in CWT form: which certificates are revoked (draft-ietf-oauth-status-list).
///
/// A COSE_Sign1 of a publisher that the trust list names, with `typ` 16 `application/statuslist+cwt` and the claims 2 `sub`, 4
/// `exp`, 6 `iat`, 65534 `ttl`, and 65533 with `bits` 1, `lst` and `aggregation_uri`. Certificates have no `status` claim: the one
/// whose entry has index i in the transparency log (`GET /v1/log/by-prefix/{prefix}`) is in list i / 2^20, and has bit i mod 2^20
/// there, 1 if it is revoked. Its forms, `compact` and `hc1`, are entries of their own. Past lists are not kept: there is none for
/// a `time`.
#[utoipa::path(
    get, path = "/v1/status-lists/{n}", tag = "trust",
    params(
        ("n" = u64, Path, description = "Which list, from 0"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the token that the caller has"),
    ),
    responses(
        (status = 200, description = "The token", body = Vec<u8>, content_type = "application/statuslist+cwt", headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The caller has it"),
        (status = 404, description = "`unknown_status_list`: the log is not so long, or a `time` is asked for", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`not_signed`: no publisher key is one that the trust list names", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_status_list(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let problem = |kind| Problem::new(kind).read_from_everywhere(true);
    let past = request.query_string().split('&').any(|parameter| parameter.split('=').next() == Some("time"));
    // Each list has one address, which is signed with it.
    let n = path.parse::<u64>().ok().filter(|n| n.to_string() == *path && !past);
    let n = n.ok_or_else(|| problem(Kind::UNKNOWN_STATUS_LIST))?;
    let Some(list) = app.status_list(n) else {
        return Err(problem(if app.needs_status_list(n) { Kind::NOT_SIGNED } else { Kind::UNKNOWN_STATUS_LIST }));
    };
    let known = has_tag(&request, list.tag());
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, format!("\"{}\"", list.tag())));
    response.insert_header((header::CACHE_CONTROL, CACHE));
    if known {
        return Ok(response.finish());
    }
    // Compressed as it is: gzip would not make it smaller.
    Ok(response.content_type(MEDIA_TYPE).body(list.bytes().clone()))
}
