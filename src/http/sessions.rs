//! `POST /v1/sessions` and its confirmation: a phone number, then the code that was sent to it, then a session.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::TokenKey;
use super::body::{Body, Media};
use super::login::Logins;
use super::problem::{Kind, Problem, ProblemDocument};
use super::quota::Quota;
use super::refusals::BodyRefusals;
use super::session::{HEADER, Session};
use super::{NO_STORE, asked};
use crate::app::App;
use crate::app::sms::Message;
use crate::certificate::UnixSeconds;
use crate::language::Said;
use crate::registration::CitizenError;

/// Who wants to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// A Vietnamese phone number.
    #[schema(example = "0912345678")]
    phone: String,
}

/// A code was sent. Known and unknown numbers are answered alike.
#[derive(Serialize, ToSchema)]
pub struct SessionStarted {
    /// Names what is to be confirmed.
    id: Uuid,
    /// Until when the code is good, in seconds since 1970.
    expires_at: i64,
    /// From when another may be asked for.
    resend_after: i64,
    /// The code itself, in the demo alone: it sends no messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    demo_code: Option<String>,
}

/// The code that was sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Six digits.
    #[schema(example = "123456")]
    code: String,
}

/// A session.
#[derive(Serialize, ToSchema)]
pub struct SessionOpened {
    /// The bearer token; absent where it is kept in a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Until when it is good, in seconds since 1970.
    expires_at: i64,
}

/// The longest body of these routes.
const MAX_BODY_BYTES: usize = 1024;

/// Sends a one-time code to a phone number: six digits, good for five minutes and five tries, one a minute and five a day.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "citizens", request_body = SessionRequest,
    responses(
        (status = 201, description = "A code is on its way", body = SessionStarted),
        BodyRefusals,
        (status = 422, description = "`phone_invalid`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_requests`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_code(
    app: web::Data<App>,
    quota: web::Data<Quota>,
    logins: web::Data<Logins>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let asked: SessionRequest = read(&quota, &request, payload, now).await?;
    // A place first: a code that is committed is sent.
    let place = app.sms().place().ok_or_else(|| Problem::new(Kind::OVERLOADED))?;
    let sent = app.desk().send_code(&asked.phone, now).await?;
    let text =
        format!("The xanh: ma xac thuc cua ban la {}, dung trong 5 phut. Khong dua ma nay cho bat ky ai.", sent.code);
    place.send(Message { to: sent.phone, text });
    let started = SessionStarted {
        id: sent.id,
        expires_at: sent.expires_at.0,
        resend_after: sent.resend_after.0,
        demo_code: logins.is_demo().then_some(sent.code),
    };
    Ok(HttpResponse::Created().insert_header(NO_STORE).json(started))
}

/// Opens a session with the code that was sent; the first time for a number, with a new account.
///
/// With `X-Thexanh-Session: citizen` the token goes into a cookie that no script can read, and not into the answer.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/confirm", tag = "citizens", request_body = Confirmation,
    params(("id" = Uuid, Path, description = "What `POST /v1/sessions` answered")),
    responses(
        (status = 200, description = "Logged in", body = SessionOpened),
        BodyRefusals,
        (status = 422, description = "`code_wrong`: wrong, too old, used, tried too often, or never sent", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_requests`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_confirmation(
    app: web::Data<App>,
    quota: web::Data<Quota>,
    tokens: web::Data<TokenKey>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let said: Confirmation = read(&quota, &request, payload, now).await?;
    let session = Session::named(&request)?;
    if session == Some(Session::Staff) {
        return Err(asked::bad(HEADER, "expected citizen", "cần citizen"));
    }
    let id = Uuid::try_parse(&path).map_err(|_| Problem::new(Kind::CODE_WRONG))?;
    let (account, epoch) = app.desk().confirm_code(id, &said.code, now).await?;
    let seconds = app.config().citizens.session_s;
    let expires_at = UnixSeconds(now.0 + seconds);
    let token = tokens.mint_session(account, epoch, expires_at);
    let mut response = HttpResponse::Ok();
    response.insert_header(NO_STORE);
    if let Some(session) = session {
        response.insert_header(session.keep(&request, &token, seconds));
    }
    let token = session.is_none().then_some(token);
    Ok(response.json(SessionOpened { token, expires_at: expires_at.0 }))
}

async fn read<T: serde::de::DeserializeOwned>(
    quota: &Quota,
    request: &HttpRequest,
    payload: web::Payload,
    now: UnixSeconds,
) -> Result<T, Problem> {
    let body = Body::of(request, payload);
    if let Err(problem) = quota.take(request, now).and_then(|()| Body::media(request, &[Media::Json])) {
        return Err(body.refuse(problem).await);
    }
    Ok(serde_json::from_slice(&body.whole(MAX_BODY_BYTES).await?)?)
}

impl From<CitizenError> for Problem {
    fn from(error: CitizenError) -> Problem {
        match error {
            CitizenError::Invalid(invalid) => {
                let title = &Said { en: "This cannot be taken as it stands", vi: "Thông tin chưa hợp lệ" };
                Problem::new(Kind { status: 422, code: invalid.code, title }).said(invalid.reason).field(invalid.field)
            }
            CitizenError::TooSoon(seconds) => Problem::new(Kind::TOO_MANY_REQUESTS).retry_after(seconds),
            CitizenError::DaySpent => Problem::new(Kind::TOO_MANY_REQUESTS).retry_after(3600).said(Said {
                en: "too many tries today; try again tomorrow",
                vi: "đã thử quá nhiều lần trong ngày; vui lòng thử lại ngày mai",
            }),
            CitizenError::WrongCode => Problem::new(Kind::CODE_WRONG).field("code"),
            CitizenError::PhoneInUse => Problem::new(Kind::PHONE_IN_USE),
            CitizenError::ClaimRefused => Problem::new(Kind::CLAIM_REFUSED),
            CitizenError::Held => Problem::new(Kind::PERSON_HELD).said(Said {
                en: "claim the record with a fact from the paper slip",
                vi: "vui lòng nhận hồ sơ bằng thông tin trên phiếu tiêm",
            }),
            CitizenError::TooManyPeople => Problem::new(Kind::TOO_MANY_PEOPLE),
            CitizenError::NotYours => Problem::new(Kind::NOT_YOURS),
            CitizenError::Withdrawn => Problem::new(Kind::REGISTRATION_WITHDRAWN),
            CitizenError::Unreadable => Problem::internal(error),
            CitizenError::Store(cause) => Problem::from(cause.as_ref()),
            CitizenError::Busy => Problem::new(Kind::OVERLOADED),
        }
    }
}
