//! A document that many ask for and few change: kept as bytes, plain and gzipped, with a strong ETag each.

use std::io::Write as _;

use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;

/// One document, ready to be sent.
#[derive(Clone, Debug)]
pub struct Published {
    media: &'static str,
    cache: &'static str,
    plain: Bytes,
    gzip: Bytes,
    tag: String,
}

impl Published {
    /// A document of this media type. `cache`: its `Cache-Control`.
    pub fn new(media: &'static str, cache: &'static str, bytes: Vec<u8>) -> Published {
        let tag = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &bytes).as_ref().get(..15).unwrap_or_default());
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        let gzip = encoder.write_all(&bytes).and_then(|()| encoder.finish());
        // Writing to a vector does not fail; if it did, nobody would be sent less.
        Published { media, cache, plain: Bytes::from(bytes), gzip: Bytes::from(gzip.unwrap_or_default()), tag }
    }

    /// The answer to `request`: 200 with the document, or 304 if the asker has it.
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let gzip = !self.gzip.is_empty() && self.gzip.len() < self.plain.len() && takes(request, "gzip");
        // A strong tag names bytes, and these are others.
        let tag = if gzip { format!("\"{}-gzip\"", self.tag) } else { format!("\"{}\"", self.tag) };
        let known = has_tag(request, &self.tag);
        let mut response = HttpResponseBuilder::new(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
        response.insert_header((header::ETAG, tag));
        response.insert_header((header::CACHE_CONTROL, self.cache));
        response.insert_header((header::VARY, "Accept, Accept-Encoding"));
        if known {
            return response.finish();
        }
        response.content_type(self.media);
        if gzip {
            response.insert_header((header::CONTENT_ENCODING, "gzip"));
            return response.body(self.gzip.clone());
        }
        response.body(self.plain.clone())
    }
}

/// True if `If-None-Match` names the tag, in any coding, weakly compared (RFC 9110 §13.1.2), or `*`.
pub(super) fn has_tag(request: &HttpRequest, tag: &str) -> bool {
    let values = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|theirs| {
        let bare = theirs.trim_matches('"');
        let coded = bare.strip_suffix("-gzip").or_else(|| bare.strip_suffix("-br"));
        theirs == "*" || coded.unwrap_or(bare) == tag
    })
}

/// True if `Accept-Encoding` names this coding and does not forbid it.
pub(super) fn takes(request: &HttpRequest, wanted: &str) -> bool {
    let values = request.headers().get_all(header::ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted) || name == "*");
        let forbidden = parts.any(|part| {
            let quality = part.strip_prefix("q=").and_then(|quality| quality.parse::<f32>().ok());
            quality.is_some_and(|quality| quality <= 0.0)
        });
        named && !forbidden
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn document() -> Published {
        Published::new("application/json", "public, max-age=60", "{\"a\":0}".repeat(100).into_bytes())
    }

    fn etag(response: &HttpResponse) -> String {
        response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).expect("a tag").to_owned()
    }

    #[test]
    fn whoever_has_it_gets_304_in_either_coding() {
        let document = document();
        let plain = document.answer(&TestRequest::get().to_http_request());
        let gzip =
            document.answer(&TestRequest::get().insert_header(("Accept-Encoding", "br, gzip")).to_http_request());
        assert_eq!((plain.status(), gzip.status()), (StatusCode::OK, StatusCode::OK));
        assert!(
            gzip.headers().contains_key(header::CONTENT_ENCODING)
                && !plain.headers().contains_key(header::CONTENT_ENCODING)
        );
        assert_ne!(etag(&plain), etag(&gzip));
        for tag in [
            etag(&plain),
            etag(&gzip),
            format!("W/{}", etag(&plain)),
            format!("\"x\", {}", etag(&gzip)),
            "*".to_owned(),
        ] {
            let again = document.answer(&TestRequest::get().insert_header(("If-None-Match", tag)).to_http_request());
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        }
        let other = TestRequest::get().insert_header(("If-None-Match", "\"x\"")).to_http_request();
        assert_eq!(document.answer(&other).status(), StatusCode::OK);
    }

    #[test]
    fn a_coding_is_sent_to_those_who_take_it() {
        for (accepted, gzip) in
            [("gzip", true), ("gzip;q=0.5", true), ("*", true), ("gzip;q=0", false), ("br", false), ("", false)]
        {
            let request = TestRequest::get().insert_header(("Accept-Encoding", accepted)).to_http_request();
            assert_eq!(takes(&request, "gzip"), gzip, "{accepted}");
        }
    }
}
