//! `GET /v1/revocations` and `/v1/revocations/{slice}`: what offline verifiers follow, an index and the slices that it names.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use arc_swap::ArcSwapOption;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Kind, Problem, ProblemDocument};
use super::published::{COSE, Published, has_tag, preferred};
use crate::app::{App, SignedIndex};
use crate::revocation::{Edition, Slice, SliceId};
use crate::signed;

/// What is revoked as of a version, in slices that never change.
#[derive(Serialize, ToSchema)]
pub struct RevocationIndex {
    /// The number of the last event that it holds; goes up with every change.
    version: u64,
    /// How many certificates are revoked.
    count: u64,
    /// Layers, from the oldest to the newest; those without an entry are left out.
    layers: Vec<RevocationLayer>,
    /// Entries (16 bytes in standard base64) that a layer holds though they are revoked no longer.
    removed: Vec<String>,
}

/// One layer: what was revoked between two versions.
#[derive(Serialize, ToSchema)]
pub struct RevocationLayer {
    /// After this version,
    from: u64,
    /// up to and with this one.
    to: u64,
    /// How many entries it holds.
    count: u64,
    /// Its binary fuse filter: which entries it may hold.
    filter: RevocationSlice,
    /// Its entries, sorted and put end to end, cut by the first 0, 4 or 8 bits.
    full: Vec<RevocationPiece>,
}

/// A slice.
#[derive(Serialize, ToSchema)]
pub struct RevocationSlice {
    /// The SHA-256 of its bytes, in base64url: `GET /v1/revocations/{id}`.
    id: String,
    /// How many bytes it has.
    bytes: u64,
}

/// A slice with the entries of one prefix.
#[derive(Serialize, ToSchema)]
pub struct RevocationPiece {
    /// The first 0, 1 or 2 hexadecimal digits of its entries.
    prefix: String,
    /// The SHA-256 of its bytes, in base64url: `GET /v1/revocations/{id}`.
    id: String,
    /// How many bytes it has.
    bytes: u64,
    /// How many entries it has.
    count: u64,
}

/// The index in its forms, made once an edition and a signature. Mounted with the routes.
#[derive(Default)]
pub struct Forms(ArcSwapOption<Made>);

/// The forms of one edition.
struct Made {
    edition: Arc<Edition>,
    signed_index: Option<Arc<SignedIndex>>,
    json: Published,
    signed: Option<Published>,
}

impl Made {
    fn new(edition: Arc<Edition>, signed_index: Option<Arc<SignedIndex>>) -> Made {
        let json = Published::new("application/json", CACHE, edition.index().to_json());
        let signed =
            signed_index.as_ref().map(|index| Published::new(signed::MEDIA_TYPE, CACHE, index.bytes().to_vec()));
        Made { edition, signed_index, json, signed }
    }
}

const CACHE: &str = "public, max-age=30, stale-while-revalidate=30";
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The index of what is revoked.
///
/// Entries are SHA-256, cut to 16 bytes, of a certificate's upper-case UVCI (and, for foreign certificates, of what their
/// country's revocation batches name). One in `removed` is not revoked; one that no filter holds is not revoked; one that a
/// filter holds is revoked if the full slice with its prefix has it, and unconfirmed without that slice.
#[utoipa::path(
    get, path = "/v1/revocations", tag = "trust",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the index that the caller has")),
    responses(
        (status = 200, description = "The index, in the form that `Accept` prefers, else JSON. `application/cose` is a COSE_Sign1 over the JSON, signed by a publisher",
            content((RevocationIndex = "application/json"), (Vec<u8> = "application/cose")), headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The caller has it"),
        (status = 500, description = "`internal`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`not_signed`: no publisher key is one that the trust list names", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_revocations(
    app: web::Data<App>,
    forms: web::Data<Forms>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (edition, signed_index) = app.editions().newest_signed();
    let of = |index: &Option<Arc<SignedIndex>>| index.as_ref().map(|index| index.stamp());
    let is_it = |made: &Arc<Made>| Arc::ptr_eq(&made.edition, &edition) && of(&made.signed_index) == of(&signed_index);
    let made = match forms.0.load_full().filter(is_it) {
        Some(made) => made,
        None => {
            // With many removed it is megabytes, and gzip takes its time.
            let made = web::block(move || Made::new(edition, signed_index)).await;
            let made = Arc::new(made.map_err(Problem::internal)?);
            forms.0.store(Some(Arc::clone(&made)));
            made
        }
    };
    let form = match preferred(&request, &["application/json", COSE]) {
        Some(COSE) => made.signed.as_ref().ok_or_else(|| Problem::new(Kind::NOT_SIGNED))?,
        _ => &made.json,
    };
    Ok(form.answer(&request))
}

/// One slice of the index, or of one before it. Its bytes never change: fetch it once.
#[utoipa::path(
    get, path = "/v1/revocations/{slice}", tag = "trust",
    params(("slice" = String, Path, description = "An `id` of the index: the SHA-256 of the slice in base64url")),
    responses(
        (status = 200, description = "A filter or entries, as the index says", body = Vec<u8>, content_type = "application/octet-stream", headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The caller has it"),
        (status = 404, description = "`unknown_slice`: fetch the index again", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_slice(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = path.parse::<SliceId>().ok();
    let slice = id.and_then(|id| app.editions().slice(&id));
    let slice = slice.ok_or_else(|| Problem::new(Kind::UNKNOWN_SLICE).read_from_everywhere(true))?;
    let tag = slice.id().to_string();
    let known = has_tag(&request, &tag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, format!("\"{tag}\"")));
    response.insert_header((header::CACHE_CONTROL, FOR_EVER));
    if known {
        return Ok(response.finish());
    }
    // Hashes and fingerprints: gzip would not make them smaller.
    Ok(response.content_type("application/octet-stream").body(Bytes::from_owner(Sent(slice))))
}

/// A slice as it is sent: no copy of it is made.
struct Sent(Arc<Slice>);

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}
