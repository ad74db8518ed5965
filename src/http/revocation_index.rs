//! `GET /v1/revocations` and `/v1/revocations/{slice}`: what offline verifiers follow, an index and the slices that it names.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use arc_swap::ArcSwapOption;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Kind, Problem, ProblemDocument};
use super::published::{self, Published};
use crate::app::App;
use crate::revocation::{Edition, Slice, SliceId};

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

/// The index in its forms, made once an edition. Mounted with the routes.
#[derive(Default)]
pub struct Forms(ArcSwapOption<(Arc<Edition>, Published)>);

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
        (status = 200, description = "The index", body = RevocationIndex, headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The caller has it"),
        (status = 500, description = "`internal`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_revocations(
    app: web::Data<App>,
    forms: web::Data<Forms>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let edition = app.editions().newest();
    let made = forms.0.load_full().filter(|made| Arc::ptr_eq(&made.0, &edition));
    let made = match made {
        Some(made) => made,
        None => {
            // With many removed it is megabytes, and gzip takes its time.
            let published = web::block(move || {
                let json = Published::new("application/json", CACHE, edition.index().to_json());
                (edition, json)
            });
            let made = Arc::new(published.await.map_err(Problem::internal)?);
            forms.0.store(Some(Arc::clone(&made)));
            made
        }
    };
    Ok(made.1.answer(&request))
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
    let known = published::has_tag(&request, &tag);
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
