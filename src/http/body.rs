//! Reading what is sent: media types, limits, time limits. Every body is read to its end, also when it is refused:
//! a body left unread closes the connection.

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::{self, Bytes, BytesMut};
use futures_util::StreamExt as _;

use super::problem::{Kind, Problem};

/// A media type that some route reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `text/plain`, in UTF-8.
    Text,
    /// `application/json`.
    Json,
    /// `application/x-ndjson`: one JSON value a line.
    Ndjson,
    /// `image/jpeg`.
    Jpeg,
    /// `image/png`.
    Png,
    /// `application/fhir+ndjson`: one FHIR resource a line.
    FhirNdjson,
    /// `text/csv`, in any character set: its reader finds out which.
    Csv,
}

impl Media {
    /// As `Content-Type` has it.
    pub fn name(self) -> &'static str {
        match self {
            Media::Text => "text/plain",
            Media::Json => "application/json",
            Media::Ndjson => "application/x-ndjson",
            Media::Jpeg => "image/jpeg",
            Media::Png => "image/png",
            Media::FhirNdjson => "application/fhir+ndjson",
            Media::Csv => "text/csv",
        }
    }

    fn parse(essence: &str) -> Option<Media> {
        let all = [Media::Text, Media::Json, Media::Ndjson, Media::FhirNdjson, Media::Csv, Media::Jpeg, Media::Png];
        let named = all.into_iter().find(|media| essence.eq_ignore_ascii_case(media.name()));
        named.or_else(|| essence.eq_ignore_ascii_case("application/ndjson").then_some(Media::Ndjson))
    }
}

/// The time limit for each part of a body, mounted with the routes.
#[derive(Clone, Copy, Debug)]
pub struct BodyTimeout(pub Duration);

/// A request's body, not read yet.
pub struct Body {
    payload: web::Payload,
    /// How long it says that it is.
    declared: Option<u64>,
    patience: Duration,
    /// Parts that [`Body::ahead`] has read, and whether that was all.
    early: VecDeque<Bytes>,
    ended: bool,
}

/// Bodies that say they are no longer than this are read before they are answered, also where the answer is streamed:
/// an answer that begins before its body ends costs the connection.
const AHEAD_BYTES: u64 = 256 * 1024;

/// How much of a body that is refused is read and thrown away before the connection is rather closed.
const DRAIN_BYTES: usize = 1 << 20;

impl Body {
    /// The body of `request`.
    pub fn of(request: &HttpRequest, payload: web::Payload) -> Body {
        let patience = request.app_data::<BodyTimeout>().map_or(Duration::from_secs(15), |timeout| timeout.0);
        let declared =
            request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        Body { payload, declared, patience, early: VecDeque::new(), ended: false }
    }

    /// Its media type, if it is one of `taken` and in UTF-8 without a content coding.
    pub fn media(request: &HttpRequest, taken: &[Media]) -> Result<Media, Problem> {
        let header = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let mut parts = header.split(';').map(str::trim);
        let media = Media::parse(parts.next().unwrap_or("")).filter(|media| taken.contains(media));
        let utf8 = parts.all(|part| match part.split_once('=') {
            Some((name, charset)) if name.eq_ignore_ascii_case("charset") => {
                let charset = charset.trim_matches('"');
                charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii")
            }
            _ => true,
        });
        let coded = request.headers().get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
        match media {
            Some(media) if (utf8 || media == Media::Csv) && !coded => Ok(media),
            _ => {
                let names: Vec<_> = taken.iter().map(|media| media.name()).collect();
                let detail = format!("send {} in UTF-8, without a content coding", names.join(" or "));
                Err(Problem::new(Kind::UNSUPPORTED_MEDIA_TYPE).detail(detail).field("Content-Type"))
            }
        }
    }

    /// Reads the whole body ahead if it says that it is short; leaves any other as it is.
    pub async fn ahead(&mut self) -> Result<(), Problem> {
        if self.declared.is_none_or(|length| length > AHEAD_BYTES) {
            return Ok(());
        }
        let mut parts = VecDeque::new();
        while let Some(part) = self.next().await {
            parts.push_back(part?);
        }
        self.early = parts;
        Ok(())
    }

    /// The next part that was read ahead, if there is one.
    pub fn at_hand(&mut self) -> Option<Bytes> {
        self.early.pop_front()
    }

    /// True once no more parts come.
    pub fn is_over(&self) -> bool {
        self.ended && self.early.is_empty()
    }

    /// The next part of the body; `None` at its end.
    pub async fn next(&mut self) -> Option<Result<Bytes, Problem>> {
        if let Some(part) = self.at_hand() {
            return Some(Ok(part));
        }
        if self.ended {
            return None;
        }
        match tokio::time::timeout(self.patience, self.payload.next()).await {
            Err(_) => Some(Err(Problem::new(Kind::BODY_TOO_SLOW))),
            Ok(None) => {
                self.ended = true;
                None
            }
            Ok(Some(Ok(part))) => Some(Ok(part)),
            Ok(Some(Err(PayloadError::Overflow))) => Some(Err(Problem::new(Kind::BODY_TOO_LARGE))),
            Ok(Some(Err(_))) => Some(Err(Problem::new(Kind::BODY_BROKEN))),
        }
    }

    /// The whole body, which may have `limit` bytes.
    pub async fn whole(mut self, limit: usize) -> Result<Bytes, Problem> {
        let too_large = || Problem::new(Kind::BODY_TOO_LARGE).detail(format!("at most {limit} bytes"));
        if self.declared.is_some_and(|length| length > limit as u64) {
            return Err(self.refuse(too_large()).await);
        }
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(part) = self.next().await {
            let part = part?;
            if first.len() + joined.len() + part.len() > limit {
                return Err(self.refuse(too_large()).await);
            }
            // Nearly every body comes in one part, which is then not copied.
            if first.is_empty() && joined.is_empty() {
                first = part;
                continue;
            }
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&part);
        }
        Ok(if joined.is_empty() { first } else { joined.freeze() })
    }

    /// Reads the rest of the body and gives `problem` back. A body that is too long to be read away is left, at once.
    pub async fn refuse(mut self, problem: Problem) -> Problem {
        if self.declared.is_some_and(|length| length > DRAIN_BYTES as u64) {
            return problem;
        }
        let mut left = DRAIN_BYTES;
        while let Some(Ok(part)) = self.next().await {
            match left.checked_sub(part.len()) {
                Some(less) => left = less,
                None => break,
            }
        }
        problem
    }
}

/// The body as text. Errors: [`Kind::NOT_UTF8`].
pub fn text(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|_| Problem::new(Kind::NOT_UTF8))
}
