//! What a request asks for, read and bounded: its JSON body, its parameters, texts, purposes, cursors, ids.

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::civil::Date;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::auth::Staff;
use super::body::{Body, Media};
use super::problem::{Kind, Problem};
use super::{NO_STORE, idempotency};
use crate::app::App;
use crate::language::Said;
use crate::registration::bounded;

/// The longest JSON body but a registration's: a text of a thousand characters, each written as `\uXXXX\uXXXX`, and the rest.
const MAX_BODY_BYTES: usize = 20 * 1024;

/// Who asks, the JSON that they sent, and its bytes.
pub async fn json<T: DeserializeOwned>(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(Staff, T, Bytes), Problem> {
    let (staff, bytes) = body(app, request, payload, MAX_BODY_BYTES).await?;
    Ok((staff, serde_json::from_slice(&bytes)?, bytes))
}

/// Who asks, and the JSON that they sent, not read yet: `limit` bytes at most.
pub async fn body(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
) -> Result<(Staff, Bytes), Problem> {
    let body = Body::of(request, payload);
    let begun = Staff::of(request, app.clock().now()).and_then(|staff| {
        Body::media(request, &[Media::Json])?;
        Ok(staff)
    });
    let staff = match begun {
        Ok(staff) => staff,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    Ok((staff, body.whole(limit).await?))
}

/// The parameters of a request.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    let said = Said {
        en: "a parameter is missing, unknown, there twice or of the wrong form",
        vi: "có tham số thiếu, không biết, lặp lại hoặc sai dạng",
    };
    let query = web::Query::<T>::from_query(request.query_string());
    query.map(web::Query::into_inner).map_err(|_| Problem::new(Kind::BAD_PARAMETER).said(said))
}

/// A parameter that is not what it should be.
pub fn bad(field: &'static str, en: &'static str, vi: &'static str) -> Problem {
    Problem::new(Kind::BAD_PARAMETER).field(field).said(Said { en, vi })
}

/// A member of the body that is not what it should be.
pub fn refused(field: &'static str, en: &'static str, vi: &'static str) -> Problem {
    Problem::new(Kind::UNPROCESSABLE).field(field).said(Said { en, vi })
}

/// How long a note, a purpose or a description may be, in characters.
pub const MAX_TEXT_CHARS: usize = 500;

/// Why staff look at people, as they say it; required wherever people are shown.
pub fn purpose(text: Option<String>) -> Result<String, Problem> {
    text.and_then(|text| bounded(text, 200)).ok_or_else(|| {
        bad(
            "purpose",
            "say why, in 1 to 200 characters, without personal data: it is written to the audit trail",
            "nêu lý do, 1 đến 200 ký tự, không kèm dữ liệu cá nhân: lý do được ghi vào nhật ký",
        )
    })
}

/// A member of the body that is a text of at most [`MAX_TEXT_CHARS`] characters; empty if it is not there.
pub fn note(field: &'static str, text: Option<String>) -> Result<String, Problem> {
    match text.filter(|text| !text.trim().is_empty()) {
        None => Ok(String::new()),
        Some(text) => said(field, text),
    }
}

/// A member of the body that is a text of 1 to [`MAX_TEXT_CHARS`] characters.
pub fn said(field: &'static str, text: String) -> Result<String, Problem> {
    bounded(text, MAX_TEXT_CHARS).ok_or_else(|| {
        refused(
            field,
            "expected 1 to 500 characters without control characters",
            "cần 1 đến 500 ký tự, không có ký tự điều khiển",
        )
    })
}

/// The most rows on a page of JSON.
pub const MAX_LIMIT: i64 = 500;

/// How many rows a page has: 100 unless 1 to [`MAX_LIMIT`] are asked for.
pub fn limit(limit: Option<i64>) -> Result<i64, Problem> {
    let limit = limit.unwrap_or(100);
    match (1..=MAX_LIMIT).contains(&limit) {
        true => Ok(limit),
        false => Err(bad("limit", "expected 1 to 500", "cần 1 đến 500")),
    }
}

/// A day `YYYY-MM-DD` of a parameter.
pub fn day(field: &'static str, text: &str) -> Result<Date, Problem> {
    let day = Some(text).filter(|text| text.len() == 10).and_then(|text| text.parse().ok());
    day.ok_or_else(|| bad(field, "expected YYYY-MM-DD, a day of the calendar", "cần YYYY-MM-DD, một ngày có thật"))
}

/// A person's id in an address or a parameter.
pub fn person(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| bad("person", "expected a person's id", "cần mã của một người"))
}

/// Where a page ended, for the next to begin: its parts, which hold no commas, in base64url.
pub fn cursor(parts: &[&str]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(parts.join(","))
}

/// The parts of a cursor of ours. Errors: [`Kind::BAD_PARAMETER`], field `after`.
pub fn parse_cursor<T>(after: Option<&str>, read: impl FnOnce(&[&str]) -> Option<T>) -> Result<Option<T>, Problem> {
    let Some(after) = after else { return Ok(None) };
    let bytes =
        Some(after).filter(|after| after.len() <= 200).and_then(|after| BASE64_URL_SAFE_NO_PAD.decode(after).ok());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let parts: Vec<&str> = text.as_deref().map(|text| text.split(',').collect()).unwrap_or_default();
    let read = read(&parts);
    read.map(Some).ok_or_else(|| {
        bad("after", "expected what the page before gave as `next`", "cần giá trị `next` của trang trước")
    })
}

/// The id of what a request makes: with an `Idempotency-Key` the same for the same request, so that it is made once.
pub async fn new_id(
    app: &App,
    staff: &Staff,
    request: &HttpRequest,
    route: &'static str,
    body: &[u8],
) -> Result<Uuid, Problem> {
    let Some(key) = idempotency::key(request)? else { return Ok(Uuid::new_v4()) };
    idempotency::claim(app, staff, route, &key, body).await?;
    let caller = &staff.caller;
    let place = caller.facility.as_deref().or(caller.province.as_deref()).unwrap_or("");
    let mut context = Context::new(&SHA256);
    for part in [route, caller.role.as_str(), place, &caller.subject, &key] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    Ok(id_of(context.finish().as_ref()))
}

/// The id that the first sixteen bytes of a hash make.
pub fn id_of(hash: &[u8]) -> Uuid {
    let bytes = hash.first_chunk::<16>().copied().unwrap_or_default();
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// An answer that is nobody's to keep.
pub fn answer<T: Serialize>(document: &T) -> HttpResponse {
    HttpResponse::Ok().insert_header(NO_STORE).json(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is() {
        let read = |parts: &[&str]| match parts {
            [a, b] => Some((a.parse::<i64>().ok()?, (*b).to_owned())),
            _ => None,
        };
        let written = cursor(&["7", "760"]);
        assert_eq!(parse_cursor(Some(&written), read).expect("ours"), Some((7, "760".to_owned())));
        assert_eq!(parse_cursor(None, read).expect("none"), None);
        for other in ["", "x", "Nyw3NjA=", &cursor(&["7"]), &cursor(&["x", "7"]), &"A".repeat(201)] {
            assert_eq!(parse_cursor(Some(other), read).expect_err(other).code(), "bad_parameter");
        }
    }

    #[test]
    fn a_purpose_is_said_and_short() {
        for (chars, good) in [(0, false), (1, true), (199, true), (200, true), (201, false)] {
            assert_eq!(purpose(Some("x".repeat(chars))).is_ok(), good, "{chars}");
        }
        assert!(purpose(None).is_err() && purpose(Some("a\u{202e}b".to_owned())).is_err());
        assert_eq!(purpose(Some(" calls ".to_owned())).expect("said"), "calls");
    }

    #[test]
    fn a_page_has_one_to_five_hundred_rows() {
        for (asked, rows) in [(0, None), (1, Some(1)), (499, Some(499)), (500, Some(500)), (501, None)] {
            assert_eq!(limit(Some(asked)).ok(), rows, "{asked}");
        }
        assert_eq!(limit(None).ok(), Some(100));
    }
}
