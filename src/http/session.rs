//! Sessions of browsers: a token in a cookie that no script can read, and `/v1/session`, which says whose it is and ends it.
//!
//! A cookie counts only where the request names it with `X-Thexanh-Session`. A page of another origin can make a browser send
//! cookies, but that header only with our leave (CORS), which no route gives. There are two, so that one browser may be a citizen
//! in one tab and a nurse in another. The token in it is a bearer's, and good until its end whoever has it.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Role;
use super::auth::Staff;
use super::problem::Problem;
use super::refusals::ReadRefusals;
use super::{NO_STORE, asked, origin};
use crate::app::App;
use crate::registration::reference;

/// The header that names a session.
pub(super) const HEADER: &str = "X-Thexanh-Session";

/// Whose session a cookie holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// A member of staff's: a JWT.
    Staff,
    /// A citizen's.
    Citizen,
}

impl Session {
    /// The session that `request` names; `None` where it names none. Errors: a header that says something else.
    pub fn named(request: &HttpRequest) -> Result<Option<Session>, Problem> {
        match request.headers().get(HEADER).map(HeaderValue::as_bytes) {
            None => Ok(None),
            Some(b"staff") => Ok(Some(Session::Staff)),
            Some(b"citizen") => Ok(Some(Session::Citizen)),
            Some(_) => Err(asked::bad(HEADER, "expected staff or citizen", "cần staff hoặc citizen")),
        }
    }

    /// The name of its cookie. A browser takes one with this prefix from nobody but us, and by https alone.
    fn cookie(self, https: bool) -> &'static str {
        match (self, https) {
            (Session::Staff, false) => "thexanh-staff",
            (Session::Staff, true) => "__Host-thexanh-staff",
            (Session::Citizen, false) => "thexanh-citizen",
            (Session::Citizen, true) => "__Host-thexanh-citizen",
        }
    }

    /// The token in its cookie, if `request` has one.
    pub fn token(self, request: &HttpRequest) -> Option<&str> {
        cookie(request, self.cookie(is_https(request)))
    }

    /// A `Set-Cookie` header that keeps `token` for `seconds`, or ends the session with no token and no time.
    pub fn keep(self, request: &HttpRequest, token: &str, seconds: i64) -> (header::HeaderName, String) {
        let https = is_https(request);
        set_cookie(self.cookie(https), token, seconds, "Strict", https)
    }
}

/// Whether cookies are for https alone.
pub(super) fn is_https(request: &HttpRequest) -> bool {
    request.app_data::<web::Data<App>>().is_some_and(|app| origin::is_https(request, app.config()))
}

/// The value of a cookie, if `request` has one of this name.
pub(super) fn cookie<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let lines = request.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// A `Set-Cookie` header for all of our paths, that no script can read. `value`: base64url and full stops.
pub(super) fn set_cookie(
    name: &str,
    value: &str,
    seconds: i64,
    same_site: &str,
    https: bool,
) -> (header::HeaderName, String) {
    let secure = if https { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}");
    (header::SET_COOKIE, cookie)
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub struct LoggedIn {
    /// What they are.
    role: Role,
    /// Who they are, as the audit trail names them.
    subject: String,
    /// The facility's code; of role `facility` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    facility: Option<String>,
    /// Its name, if it is in the reference data.
    #[serde(skip_serializing_if = "Option::is_none")]
    facility_name: Option<String>,
    /// The code of their province, or of their facility's.
    #[serde(skip_serializing_if = "Option::is_none")]
    province: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    province_name: Option<String>,
    /// From when on they are logged out, in seconds since 1970.
    expires_at: i64,
}

/// Who is logged in, by a token or by the session that `X-Thexanh-Session` names.
#[utoipa::path(
    get, path = "/v1/session", tag = "login", security(("bearer" = []), ("session" = [])),
    responses((status = 200, description = "Somebody is", body = LoggedIn), ReadRefusals)
)]
pub async fn get_logged_in(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let caller = Staff::of(&request, app.clock().now())?.caller;
    let facility = match &caller.facility {
        Some(code) => app.store().facility(code).await?,
        None => None,
    };
    let province = caller.province.or_else(|| facility.as_ref().map(|facility| facility.province.clone()));
    Ok(asked::answer(&LoggedIn {
        role: caller.role,
        subject: caller.subject,
        facility: caller.facility,
        facility_name: facility.map(|facility| facility.name),
        province_name: province.as_deref().and_then(reference::unit).map(|unit| unit.name.to_owned()),
        province,
        expires_at: caller.expires_at.0,
    }))
}

/// Ends the session that `X-Thexanh-Session` names: its cookie is taken away. A bearer token is thrown away by whoever has it.
#[utoipa::path(
    delete, path = "/v1/session", tag = "login", security(("bearer" = []), ("session" = [])),
    responses((status = 204, description = "Logged out"), ReadRefusals)
)]
pub async fn delete_logged_in(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    Staff::of(&request, app.clock().now())?;
    let mut response = HttpResponse::NoContent();
    if let Some(session) = Session::named(&request)? {
        response.insert_header(session.keep(&request, "", 0));
    }
    Ok(response.insert_header(NO_STORE).finish())
}
