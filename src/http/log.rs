//! `GET /v1/log/..`: the transparency log, as C2SP tlog-tiles has it, and entries by their prefix.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use super::asked::bad;
use super::problem::{Kind, Problem, ProblemDocument};
use super::published::has_tag;
use crate::app::{App, Logged};
use crate::store::LogHead;
use crate::tlog::{Hash, Resource, prefix_digits};

/// What never changes. Source: C2SP tlog-tiles, "caching headers SHOULD be long-lived".
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// What never changes, and is soon asked for by nobody: a tile that is not full.
const AN_HOUR: &str = "public, max-age=3600";
/// What changes every second. Source: C2SP tlog-tiles, "SHOULD prevent caching beyond a few seconds".
const A_SECOND: &str = "public, max-age=1";

/// Says how large the log is and what its root is, under a publisher's signature.
///
/// A signed note (C2SP tlog-checkpoint): origin, size, root hash in base64, an empty line, the signature. The key's name is the
/// origin, its id the first four bytes of SHA-256(origin, 0x0A, 0x01, the 32 bytes of a publisher's key that the trust list names).
#[utoipa::path(
    get, path = "/v1/log/checkpoint", tag = "log",
    responses(
        (status = 200, description = "The checkpoint", body = String, content_type = "text/plain"),
        (status = 404, description = "`log_empty`: nothing was signed yet", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_checkpoint(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let head = head(&app)?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, A_SECOND)).content_type("text/plain; charset=utf-8");
    Ok(response.body(head.note.clone()))
}

fn head(app: &App) -> Result<Arc<LogHead>, Problem> {
    app.log_head().ok_or_else(|| Problem::new(Kind::LOG_EMPTY).read_from_everywhere(true))
}

/// Room to read the log; who issues certificates does not wait for those who read it.
async fn room(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    app.room_for_log().await.ok_or_else(|| Problem::new(Kind::OVERLOADED).read_from_everywhere(true))
}

/// A tile of the Merkle tree, or the entries of one.
///
/// C2SP tlog-tiles: `{level}/{n}` for hashes, `entries/{n}` for entries, `n` in groups of three digits of which all but the last
/// begin with `x`; `.p/{width}` behind it for one that is not full. An entry is the SHA-256 of the Sig_structure that was signed,
/// 32 bytes behind their length in two. What is at an address never changes.
#[utoipa::path(
    get, path = "/v1/log/tile/{tile}", tag = "log",
    params(("tile" = String, Path, description = "Such as `0/x001/234` or `entries/000.p/7`")),
    responses(
        (status = 200, description = "Hashes of 32 bytes, or entries", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "The caller has it"),
        (status = 404, description = "`unknown_tile`: the log is not so large, or it is no address of a tile", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_tile(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let unknown = || Problem::new(Kind::UNKNOWN_TILE).read_from_everywhere(true);
    let resource = Resource::parse(&path).filter(|resource| app.log_has(*resource)).ok_or_else(unknown)?;
    // Its address names it: there is no other of it.
    let tag = resource.to_string();
    let known = has_tag(&request, &tag);
    let bytes = match known {
        true => None,
        false => {
            let _room = room(&app).await?;
            Some(app.log_resource(resource).await?.ok_or_else(unknown)?)
        }
    };
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, format!("\"{tag}\"")));
    response.insert_header((header::CACHE_CONTROL, if resource.tile().is_full() { FOR_EVER } else { AN_HOUR }));
    Ok(match bytes {
        None => response.finish(),
        // Hashes: gzip would not make them smaller.
        Some(bytes) => response.content_type("application/octet-stream").body(Bytes::from(bytes)),
    })
}

/// The entries of the log that begin with a prefix.
#[derive(Serialize, ToSchema)]
pub struct NamedEntries {
    /// How many entries the log has that were looked through.
    size: u64,
    /// In the order of their bytes.
    entries: Vec<NamedEntry>,
}

/// Where an entry is.
#[derive(Serialize, ToSchema)]
pub struct NamedEntry {
    /// Its first eight bytes, in hexadecimal.
    #[schema(example = "0123456789abcdef")]
    begins: String,
    /// Its index in the log, from 0.
    index: u64,
}

/// Says where the entries are that begin with a prefix, so that nobody learns which of them was meant.
///
/// A prefix has as many hexadecimal digits as leave some 16 to 256 entries: with a log of N entries the largest d with
/// 16^(d+1) <= N, one at least; one digit less is answered too. Whoever finds theirs proves it by the tiles and the checkpoint.
#[utoipa::path(
    get, path = "/v1/log/by-prefix/{prefix}", tag = "log",
    params(("prefix" = String, Path, description = "The first digits of the entry, in lower-case hexadecimal")),
    responses(
        (status = 200, description = "All of them; none, if no entry begins so", body = NamedEntries),
        (status = 400, description = "`bad_parameter`: not as many digits, or not in lower-case hexadecimal", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`log_empty`: nothing was signed yet", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_by_prefix(app: web::Data<App>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let size = head(&app)?.checkpoint.size;
    let most = prefix_digits(size);
    let is_hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    let digits = Some(path.len() as u32).filter(|digits| (most.saturating_sub(1).max(1)..=most).contains(digits));
    let prefix = u64::from_str_radix(&path, 16).ok().filter(|_| path.bytes().all(is_hex));
    let (Some(digits), Some(prefix)) = (digits, prefix) else {
        let problem = bad(
            "prefix",
            "expected as many digits of lower-case hexadecimal as the size of the log asks for",
            "cần đúng số chữ số thập lục phân thường mà kích thước sổ yêu cầu",
        );
        return Err(problem.read_from_everywhere(true));
    };
    let _room = room(&app).await?;
    let named = app.log_named(prefix, digits).await?;
    let entry = |(begins, index)| NamedEntry { begins: format!("{begins:016x}"), index };
    let named = NamedEntries { size, entries: named.into_iter().map(entry).collect() };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, A_SECOND)).json(named))
}

/// That a certificate is in the transparency log, and the proof.
#[derive(Serialize, ToSchema)]
pub struct LogProof {
    /// What stands there for it: SHA-256 of the Sig_structure that was signed, in hexadecimal.
    entry: String,
    /// Where, from 0.
    index: u64,
    /// The hashes from its neighbour to the root's child (RFC 6962 §2.1.1), in standard base64.
    proof: Vec<String>,
    /// The checkpoint that it is proved against.
    checkpoint: String,
}

impl LogProof {
    /// The proof for `entry`.
    pub fn of(entry: &Hash, logged: &Logged) -> LogProof {
        LogProof {
            entry: entry.iter().map(|byte| format!("{byte:02x}")).collect(),
            index: logged.index,
            proof: logged.proof.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect(),
            checkpoint: logged.head.note.clone(),
        }
    }
}
