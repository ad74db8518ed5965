//! `/v1/corrections/{id}/photo`: a photo of the paper slip. What it begins with and how many pixels it says it has are looked at
//! before it is kept; nothing is decoded.

use actix_web::{HttpRequest, HttpResponse, web};

use super::NO_STORE;
use super::asked::refused;
use super::auth::Staff;
use super::body::{Body, Media};
use super::corrections::{CorrectionAnswer, actor, of_theirs, read};
use super::problem::{Kind, Problem, ProblemDocument};
use super::refusals::{ReadRefusals, WriteRefusals};
use crate::app::App;

/// Keeps a photo of the paper slip with an open correction, in the place of the one before it.
#[utoipa::path(
    put, path = "/v1/corrections/{id}/photo", tag = "corrections", security(("bearer" = [])),
    params(("id" = String, Path, description = "The correction")),
    request_body(content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"))),
    responses(
        (status = 200, description = "Kept", body = CorrectionAnswer),
        WriteRefusals,
        (status = 404, description = "`unknown_correction`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`correction_closed`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`: 2 MiB at most", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`unprocessable`: not a picture of that kind, or of too many pixels", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn put_photo(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = Body::of(&request, payload);
    let now = app.clock().now();
    let begun =
        Staff::of(&request, now).and_then(|staff| Ok((staff, Body::media(&request, &[Media::Jpeg, Media::Png])?)));
    let (staff, media) = match begun {
        Ok(begun) => begun,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    let id = match of_theirs(&app, &staff, &path).await {
        Ok(id) => id,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    let photo = body.whole(MAX_BYTES).await?;
    check(media, &photo)?;
    let row = app.desk().attach(id, media.name(), &photo, &actor(&staff), now).await?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(CorrectionAnswer::whole(&app, &staff, row)?))
}

/// The photo of a correction.
#[utoipa::path(
    get, path = "/v1/corrections/{id}/photo", tag = "corrections", security(("bearer" = [])),
    params(("id" = String, Path, description = "The correction")),
    responses(
        (status = 200, description = "The photo", content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"))),
        ReadRefusals,
        (status = 404, description = "`unknown_correction`: or it has no photo", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_photo(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let id = of_theirs(&app, &staff, &path).await?;
    if staff.account().is_none() {
        app.store().audit(&staff.audited("correction.photo", Some(id.person), "a correction", now)).await?;
    }
    let photo = app.desk().photo(&read(&app, id).await?).await?;
    let (media, photo) = photo.ok_or_else(|| Problem::new(Kind::UNKNOWN_CORRECTION))?;
    let mut response = HttpResponse::Ok();
    // What somebody sent is shown as a picture, never as a page.
    response.insert_header(NO_STORE).insert_header(("X-Content-Type-Options", "nosniff"));
    response.insert_header(("Content-Security-Policy", "sandbox; default-src 'none'"));
    Ok(response.content_type(media).body(photo))
}

/// The largest photo.
const MAX_BYTES: usize = 2 << 20;
/// The longest side in pixels: whoever shows it decodes at most 64 million of them.
const MAX_SIDE: u32 = 8_000;

/// Refuses what is no picture of this kind, and one of too many pixels.
fn check(media: Media, bytes: &[u8]) -> Result<(), Problem> {
    let size = match media {
        Media::Png => png_size(bytes),
        Media::Jpeg => jpeg_size(bytes),
        Media::Text | Media::Json | Media::Ndjson | Media::FhirNdjson | Media::Csv => None,
    };
    let refuse = |en, vi| Err(refused("photo", en, vi));
    match size {
        None => refuse("it is no whole picture of the kind that it says", "không phải ảnh đúng loại đã khai"),
        Some((width, height)) if width == 0 || height == 0 || width.max(height) > MAX_SIDE => {
            refuse("expected 1 to 8000 pixels a side", "cần 1 đến 8000 điểm ảnh mỗi chiều")
        }
        Some(_) => Ok(()),
    }
}

/// Width and height of a PNG. Source: PNG (third edition) §5.2, §11.2.1: the signature, then IHDR.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")?;
    let (width, rest) = rest.split_first_chunk::<4>()?;
    let (height, rest) = rest.split_first_chunk::<4>()?;
    rest.ends_with(b"IEND\xaeB`\x82").then(|| (u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

/// Width and height of a JPEG: from the first frame header (SOFn). Source: ITU-T T.81 §B.2.2.
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        let (head, after) = rest.split_first_chunk::<4>()?;
        let [0xff, marker, high, low] = *head else { return None };
        let len = usize::from(u16::from_be_bytes([high, low])).checked_sub(2)?;
        let segment = after.get(..len)?;
        match marker {
            // A frame header, but for DHT, JPG and DAC, which lie among them.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let [_, h1, h2, w1, w2] = *segment.first_chunk::<5>()?;
                return Some((u16::from_be_bytes([w1, w2]).into(), u16::from_be_bytes([h1, h2]).into()));
            }
            // The scan begins, and no frame header came before.
            0xda => return None,
            0xc4 | 0xc8 | 0xcc | 0xdb..=0xfe => rest = after.get(len..)?,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend(b"\x08\x00\x00\x00\x00....");
        bytes.extend(b"\x00\x00\x00\x00IEND\xaeB`\x82");
        bytes
    }

    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08".to_vec();
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes.extend(b"\x01\x01\x11\x00");
        bytes
    }

    #[test]
    fn a_side_may_be_as_long_as_the_limit_and_no_pixel_longer() {
        for (side, good) in [(0, false), (1, true), (7_999, true), (8_000, true), (8_001, false)] {
            assert_eq!(check(Media::Png, &png(side, 1)).is_ok(), good, "{side}");
            assert_eq!(check(Media::Png, &png(1, side)).is_ok(), good, "{side}");
            assert_eq!(check(Media::Jpeg, &jpeg(side as u16, 1)).is_ok(), good, "{side}");
            assert_eq!(check(Media::Jpeg, &jpeg(1, side as u16)).is_ok(), good, "{side}");
        }
    }

    #[test]
    fn what_is_no_picture_of_its_kind_is_refused() {
        assert!(check(Media::Png, &jpeg(9, 9)).is_err());
        assert!(check(Media::Jpeg, &png(9, 9)).is_err());
        for whole in [png(9, 9), jpeg(9, 9)] {
            let media = if whole.starts_with(b"\x89") { Media::Png } else { Media::Jpeg };
            for len in 0..whole.len() {
                // The rest of a JPEG's frame header says nothing of its size.
                let cut = check(media, &whole[..len]);
                assert!(cut.is_err(), "cut at {len}");
            }
        }
        assert!(check(Media::Jpeg, b"\xff\xd8\xff\xda\x00\x02").is_err(), "a scan without a frame");
        assert!(check(Media::Jpeg, b"\xff\xd8\xff\xe0\x00\x01").is_err(), "a segment shorter than its length");
    }
}
