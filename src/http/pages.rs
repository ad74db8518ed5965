//! The pages for people: what `make web` builds below `target/web`, from the binary; a development build reads it from there.
//!
//! The build leaves each file as it is and, where that saves something, compressed beside it (`.br`, `.gz`). Files under
//! `/assets/` are named by their content, and so kept for ever; all others are asked for again by their `ETag`. A page may load,
//! run and send to nothing but this service: see [`POLICY`].

use std::borrow::Cow;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rust_embed::{Embed, EmbeddedFile};

use super::body::Body;
use super::problem::{Kind, Problem};
use super::published::{has_tag, takes};

#[derive(Embed)]
#[folder = "target/web"]
#[allow_missing = true]
struct Built;

/// Where each page stands, and what of the build it is.
pub(super) const PAGES: [(&str, &str); 6] = [
    ("/", "index.html"),
    ("/scan", "scan.html"),
    ("/desk", "desk.html"),
    ("/board", "board.html"),
    ("/centre", "centre.html"),
    ("/login", "login.html"),
];

/// Where the pages' other files stand: hashed ones, those with lasting names, and the worker that keeps pages for use off line,
/// which must stand above all pages.
pub(super) const FILES: [&str; 3] = ["/assets/{file}", "/app/{file}", "/sw.js"];

/// What a page may do: nothing from elsewhere, nothing inline; `wasm-unsafe-eval` is for the reader of QR codes.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; \
                      media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page. It is the same for everybody; what it shows it asks of `/v1`.
pub(super) async fn get_page(request: HttpRequest) -> HttpResponse {
    let page = PAGES.into_iter().find(|(path, _)| *path == request.path()).and_then(|(_, file)| answer(&request, file));
    page.unwrap_or_else(|| {
        let text =
            "This binary was built without the pages: `make build` builds both. The API is described at /docs/.\n";
        HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body(text)
    })
}

/// A file that a page needs.
pub(super) async fn get_file(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    match answer(&request, request.path().trim_start_matches('/')) {
        Some(response) => Ok(response),
        None => Err(Body::of(&request, payload).refuse(Problem::new(Kind::UNKNOWN_ROUTE)).await),
    }
}

/// The answer to `request` from one file of the build: 200, or 304 if the asker has it; `None` if there is no such file.
fn answer(request: &HttpRequest, file: &str) -> Option<HttpResponse> {
    let media = media(file)?;
    let plain = Built::get(file)?;
    let tag = BASE64_URL_SAFE_NO_PAD.encode(plain.metadata.sha256_hash().get(..15).unwrap_or_default());
    let (coding, bytes) = coded(request, file).unwrap_or(("", plain.data));
    let known = has_tag(request, &tag);
    let mut response = HttpResponseBuilder::new(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    let hashed = file.starts_with("assets/");
    let cache = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.insert_header((header::CACHE_CONTROL, cache));
    response.insert_header((header::VARY, "Accept-Encoding"));
    // A strong tag names bytes, and each coding has others.
    let tag = if coding.is_empty() { format!("\"{tag}\"") } else { format!("\"{tag}-{coding}\"") };
    response.insert_header((header::ETAG, tag));
    response.insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    response.insert_header((header::REFERRER_POLICY, "no-referrer"));
    response.insert_header((header::PERMISSIONS_POLICY, "camera=(self), geolocation=(), microphone=(), payment=()"));
    response.insert_header(("Cross-Origin-Opener-Policy", "same-origin"));
    if known {
        return Some(response.finish());
    }
    response.content_type(media);
    if !coding.is_empty() {
        response.insert_header((header::CONTENT_ENCODING, if coding == "br" { "br" } else { "gzip" }));
    }
    Some(response.body(web::Bytes::from(bytes.into_owned())))
}

/// The file in the smallest coding that the asker takes and the build has.
fn coded(request: &HttpRequest, file: &str) -> Option<(&'static str, Cow<'static, [u8]>)> {
    let find = |ending: &str| Built::get(&format!("{file}.{ending}")).map(|EmbeddedFile { data, .. }| data);
    let brotli = || takes(request, "br").then(|| find("br")).flatten().map(|data| ("br", data));
    brotli().or_else(|| takes(request, "gzip").then(|| find("gz")).flatten().map(|data| ("gzip", data)))
}

/// The media type by the ending; `None` for what is not to be asked for by itself.
fn media(file: &str) -> Option<&'static str> {
    Some(match file.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}
