//! `GET /v1/login`: the ways in which staff can log in here; and the demo's own, a role chosen from a list.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Role;
use super::auth::{Grant, TokenKey};
use super::body::{Body, Media};
use super::openid::{self, Provider};
use super::problem::{Kind, Problem, ProblemDocument};
use super::refusals::BodyRefusals;
use super::session::{HEADER, Session};
use super::{NO_STORE, asked};
use crate::app::App;

/// The ways in which staff can log in.
#[derive(Debug, Default)]
pub struct Logins {
    /// Whom anybody may log in as: in the demo, which holds nobody's data, and there alone.
    pub(super) demo: Vec<DemoLogin>,
    /// The provider of the settings.
    pub(super) openid: Option<Arc<Provider>>,
}

impl Logins {
    /// Whether this is the demo.
    pub(super) fn is_demo(&self) -> bool {
        !self.demo.is_empty()
    }
}

/// A member of staff of the demo.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DemoLogin {
    /// What they are.
    pub role: Role,
    /// The facility's code; of role `facility` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facility: Option<String>,
    /// The province's code; of role `province` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// The name of the facility or the province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The ways in which staff can log in.
#[derive(Serialize, ToSchema)]
pub struct LoginDocument<'a> {
    /// The OpenID Connect provider, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    openid: Option<OpenIdLogin<'a>>,
    /// Whom one can log in as with `POST /v1/login/demo`; empty everywhere but in the demo.
    demo: &'a [DemoLogin],
}

/// Where staff log in by their provider.
#[derive(Serialize, ToSchema)]
pub struct OpenIdLogin<'a> {
    /// What people call it.
    name: &'a str,
    /// Where a browser is sent, with `next`, the page of ours to go on to.
    #[schema(example = "/login/openid")]
    url: &'static str,
}

/// Who of the demo's staff to be: one of those that `GET /v1/login` lists.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DemoRequest {
    /// What to be.
    role: Role,
    /// Of which facility.
    facility: Option<String>,
    /// Of which province.
    province: Option<String>,
}

/// The longest body of these routes.
const MAX_BODY_BYTES: usize = 1024;

/// The ways in which staff can log in here.
#[utoipa::path(
    get, path = "/v1/login", tag = "login",
    responses(
        (status = 200, description = "None, one or more", body = LoginDocument),
        (status = 503, description = "`overloaded`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_login(logins: web::Data<Logins>) -> HttpResponse {
    let openid = logins.openid.as_ref().map(|provider| OpenIdLogin { name: provider.name(), url: openid::START });
    asked::answer(&LoginDocument { openid, demo: &logins.demo })
}

/// Logs in as one of the demo's staff. Anywhere else there is no such route.
///
/// `X-Thexanh-Session: staff` is needed, as wherever a cookie is at stake.
#[utoipa::path(
    post, path = "/v1/login/demo", tag = "login", request_body = DemoRequest,
    responses(
        (status = 204, description = "Logged in: the cookie is set"),
        BodyRefusals,
        (status = 404, description = "`unknown_route`: this is no demo", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_demo_login(
    app: web::Data<App>,
    tokens: web::Data<TokenKey>,
    logins: web::Data<Logins>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = Body::of(&request, payload);
    if !logins.is_demo() {
        return Err(body.refuse(Problem::new(Kind::UNKNOWN_ROUTE)).await);
    }
    let session = match Body::media(&request, &[Media::Json]).and_then(|_| Session::named(&request)) {
        Ok(session) => session.filter(|session| *session == Session::Staff),
        Err(problem) => return Err(body.refuse(problem).await),
    };
    let wanted: DemoRequest = serde_json::from_slice(&body.whole(MAX_BODY_BYTES).await?)?;
    let session = session.ok_or_else(|| asked::bad(HEADER, "expected staff", "cần staff"))?;
    let found = logins.demo.iter().find(|login| {
        (login.role, &login.facility, &login.province) == (wanted.role, &wanted.facility, &wanted.province)
    });
    let DemoLogin { role, facility, province, .. } = found
        .cloned()
        .ok_or_else(|| asked::refused("role", "see /v1/login for the roles", "xem vai trò ở /v1/login"))?;
    let subject = format!("demo-{}", role.as_str());
    let lifetime_s = app.config().tokens.session_s;
    let token = tokens.mint(&Grant { role, subject, facility, province, lifetime_s }, app.clock().now())?;
    let cookie = session.keep(&request, &token, lifetime_s);
    Ok(HttpResponse::NoContent().insert_header(NO_STORE).insert_header(cookie).finish())
}
