//! `/login/openid`: staff log in by the OpenID Connect provider of the settings. Authorization code with PKCE; no script takes part.
//!
//! Between leaving and coming back the browser keeps one cookie: random bytes, an instant and the page to go on to, under our MAC.
//! State is those bytes; nonce and PKCE's verifier are derived from them by our key, so that neither stands in the cookie, and any
//! node can take up what another began. A log-in that fails leads to `/login?failed=..`, which says why.
//! Source: OpenID Connect Core 1.0 §3.1; RFC 7636; RFC 9207; RFC 9700.

mod jwt;
mod provider;
mod standing;

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::auth::{AuthError, Caller, Grant, TokenKey};
use super::login::Logins;
use super::problem::{Kind, Problem};
use super::session::{self, Session};
use super::{NO_STORE, pages};
use crate::app::App;
use crate::certificate::UnixSeconds;

use jwt::JwtError;
use provider::LoginError;
pub use provider::{OpenIdError, Provider};
use standing::{NoStanding, Standing};

/// Where a log-in begins.
pub(super) const START: &str = "/login/openid";
/// Where people come back to.
pub(super) const CALLBACK: &str = "/login/openid/callback";
/// Where people choose how to log in.
const LOGIN_PAGE: &str = "/login";

/// How long a log-in may take, in seconds: whoever looks for their second factor has some minutes.
const PATIENCE_S: i64 = 600;
/// The longest code that is taken on to the provider.
const MAX_CODE_LEN: usize = 2048;

/// What the browser keeps of a log-in that has begun.
struct Begun {
    /// Random.
    seed: [u8; 32],
    until: UnixSeconds,
    /// One of our pages.
    next: &'static str,
}

impl Begun {
    fn state(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.seed)
    }

    fn nonce(&self, key: &hmac::Key) -> String {
        self.derived(key, b"nonce")
    }

    /// PKCE's secret: 43 characters, which nobody but us knows before the code is exchanged.
    fn verifier(&self, key: &hmac::Key) -> String {
        self.derived(key, b"verifier")
    }

    fn derived(&self, key: &hmac::Key, label: &[u8]) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(key, &[label, &self.seed].concat()))
    }

    /// The seed, the instant (8 bytes, big-endian), the page, and the HMAC-SHA256 of these (32 bytes), in base64url.
    fn seal(&self, key: &hmac::Key) -> String {
        let mut bytes = [&self.seed[..], &self.until.0.to_be_bytes(), self.next.as_bytes()].concat();
        let tag = hmac::sign(key, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(sealed: &str, key: &hmac::Key, now: UnixSeconds) -> Option<Begun> {
        let bytes = Some(sealed).filter(|sealed| sealed.len() < 256)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(bytes).ok()?;
        let (signed, tag) = bytes.split_last_chunk::<32>()?;
        hmac::verify(key, signed, tag).ok()?;
        let (seed, rest) = signed.split_first_chunk::<32>()?;
        let (until, next) = rest.split_first_chunk::<8>()?;
        let until = UnixSeconds(i64::from_be_bytes(*until));
        let next = own_page(std::str::from_utf8(next).ok()?);
        (now < until).then_some(Begun { seed: *seed, until, next })
    }
}

/// The page of ours at this path, else the one where people log in: nobody is sent anywhere else.
fn own_page(path: &str) -> &'static str {
    pages::PAGES.iter().map(|(page, _)| *page).find(|page| *page == path).unwrap_or(LOGIN_PAGE)
}

#[derive(Deserialize)]
struct StartQuery {
    next: Option<String>,
}

/// Sends the browser to the provider.
pub(super) async fn get_start(
    app: web::Data<App>,
    tokens: web::Data<TokenKey>,
    logins: web::Data<Logins>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let provider = logins.openid.as_ref().ok_or_else(|| Problem::new(Kind::UNKNOWN_ROUTE))?;
    let query = web::Query::<StartQuery>::from_query(request.query_string()).ok();
    let next = own_page(query.and_then(|query| query.into_inner().next).as_deref().unwrap_or_default());
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).map_err(Problem::internal)?;
    let begun = Begun { seed, until: UnixSeconds(app.clock().now().0 + PATIENCE_S), next };
    let key = tokens.logins();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, begun.verifier(key).as_bytes());
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(hash);
    Ok(match provider.authorization_url(&begun.state(), &begun.nonce(key), &challenge).await {
        Ok(url) => to(&url).insert_header(keep(&request, &begun.seal(key), PATIENCE_S)).finish(),
        Err(error) => failed(&request, error, next),
    })
}

#[derive(Deserialize)]
struct Answer {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// Takes the browser that comes back from the provider, and logs it in.
pub(super) async fn get_callback(
    app: web::Data<App>,
    tokens: web::Data<TokenKey>,
    logins: web::Data<Logins>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let provider = logins.openid.as_ref().ok_or_else(|| Problem::new(Kind::UNKNOWN_ROUTE))?;
    let now = app.clock().now();
    let key = tokens.logins();
    let kept = session::cookie(&request, cookie(&request));
    let Some(begun) = kept.and_then(|sealed| Begun::open(sealed, key, now)) else {
        return Ok(failed(&request, LoginError::State, LOGIN_PAGE));
    };
    let next = begun.next;
    let grant = match come_back(provider, &begun, key, &request, now).await {
        Ok(grant) => grant,
        Err(error) => return Ok(failed(&request, error, next)),
    };
    // A code that nobody has here is a slip of the provider's administrator, best said at once.
    let known = match &grant.facility {
        Some(code) => app.store().facility(code).await.map(|facility| facility.is_some()),
        None => Ok(true),
    };
    match known {
        Ok(true) => {}
        Ok(false) => return Ok(failed(&request, NoStanding::Place.into(), next)),
        Err(error) => return Ok(failed(&request, LoginError::Database(error.code()), next)),
    }
    let lifetime_s = app.config().tokens.session_s;
    let token = tokens.mint(&Grant { lifetime_s, ..grant }, now)?;
    let mut response = to(next);
    response.insert_header(Session::Staff.keep(&request, &token, lifetime_s));
    Ok(response.append_header(keep(&request, "", 0)).finish())
}

/// Who logged in, by what the provider sent the browser back with.
async fn come_back(
    provider: &Provider,
    begun: &Begun,
    key: &hmac::Key,
    request: &HttpRequest,
    now: UnixSeconds,
) -> Result<Grant, LoginError> {
    let answer = web::Query::<Answer>::from_query(request.query_string()).map_err(|_| LoginError::State)?.into_inner();
    let state = answer.state.unwrap_or_default();
    if aws_lc_rs::constant_time::verify_slices_are_equal(state.as_bytes(), begun.state().as_bytes()).is_err() {
        return Err(LoginError::State);
    }
    if answer.iss.is_some_and(|iss| !provider.is(&iss)) {
        return Err(LoginError::Provider("is not the one that answered"));
    }
    match answer.error.as_deref() {
        None => {}
        Some("access_denied") => return Err(LoginError::Denied),
        Some(_) => return Err(LoginError::Provider("sent the browser back with an error")),
    }
    let code = answer.code.filter(|code| !code.is_empty() && code.len() <= MAX_CODE_LEN);
    let code = code.ok_or(LoginError::Provider("sent the browser back without a code"))?;
    let found = provider.exchange(&code, &begun.verifier(key), &begun.nonce(key), now).await?;
    let Standing { subject, role, facility, province } = found;
    Ok(Grant { role, subject, facility, province, lifetime_s: 0 })
}

/// Who holds a bearer token of the provider's for `audience`.
pub(super) fn bearer(
    provider: &Arc<Provider>,
    token: &str,
    audience: &str,
    now: UnixSeconds,
) -> Result<Caller, AuthError> {
    let (standing, expires_at) = provider.bearer(token, audience, now).map_err(|error| match error {
        LoginError::Token(JwtError::Expired) => AuthError::Expired,
        LoginError::Token(JwtError::Early) => AuthError::NotYetValid,
        LoginError::Standing(_) => AuthError::Incomplete,
        _ => AuthError::Invalid,
    })?;
    let Standing { subject, role, facility, province } = standing;
    Ok(Caller { role, subject, facility, province, epoch: 0, expires_at })
}

/// Back to where people log in, with the reason.
fn failed(request: &HttpRequest, error: LoginError, next: &str) -> HttpResponse {
    let code = error.code();
    metrics::counter!("thexanh_login_failures_total", "code" => code).increment(1);
    let mut response = to(&format!("{LOGIN_PAGE}?failed={code}&next={next}"));
    match error {
        // Anybody can send a browser here without one, again and again: that fills no log, and ends no log-in that is under way.
        LoginError::State => tracing::debug!(code, cause = %error, "somebody could not log in"),
        _ => {
            tracing::warn!(code, cause = %error, "somebody could not log in");
            response.insert_header(keep(request, "", 0));
        }
    }
    response.finish()
}

fn to(url: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header(NO_STORE).insert_header((header::LOCATION, url));
    response.insert_header((header::REFERRER_POLICY, "no-referrer"));
    response
}

fn cookie(request: &HttpRequest) -> &'static str {
    if session::is_https(request) { "__Host-thexanh-login" } else { "thexanh-login" }
}

/// The cookie of a log-in that has begun. It must come along when the provider sends the browser back: `Lax`, not `Strict`.
fn keep(request: &HttpRequest, sealed: &str, seconds: i64) -> (header::HeaderName, String) {
    session::set_cookie(cookie(request), sealed, seconds, "Lax", session::is_https(request))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_660_000_000);

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    fn begun() -> Begun {
        Begun { seed: [7; 32], until: UnixSeconds(NOW.0 + PATIENCE_S), next: "/desk" }
    }

    #[test]
    fn what_a_browser_keeps_is_opened_by_its_key_in_its_time_alone() {
        let sealed = begun().seal(&key(1));
        for (seconds, open) in [(0, true), (PATIENCE_S - 1, true), (PATIENCE_S, false), (PATIENCE_S + 1, false)] {
            let at = UnixSeconds(NOW.0 + seconds);
            assert_eq!(Begun::open(&sealed, &key(1), at).is_some(), open, "{seconds}");
        }
        let opened = Begun::open(&sealed, &key(1), NOW).expect("opens");
        assert_eq!((opened.seed, opened.until, opened.next), ([7; 32], UnixSeconds(NOW.0 + PATIENCE_S), "/desk"));
        assert!(Begun::open(&sealed, &key(2), NOW).is_none());
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&sealed).expect("base64url");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Begun::open(&BASE64_URL_SAFE_NO_PAD.encode(&changed), &key(1), NOW).is_none(), "{at}");
            assert!(Begun::open(&BASE64_URL_SAFE_NO_PAD.encode(&bytes[..at]), &key(1), NOW).is_none(), "{at}");
        }
    }

    #[test]
    fn what_the_browser_and_the_provider_see_does_not_tell_the_verifier() {
        let (begun, key) = (begun(), key(1));
        let (nonce, verifier) = (begun.nonce(&key), begun.verifier(&key));
        assert_eq!((nonce.len(), verifier.len()), (43, 43));
        assert_ne!(nonce, verifier);
        assert!(!begun.seal(&key).contains(&verifier) && begun.state() != verifier);
    }

    #[test]
    fn nobody_is_sent_on_to_anything_but_a_page_of_ours() {
        for page in ["/desk", "/board", "/centre", "/"] {
            assert_eq!(own_page(page), page);
        }
        for other in ["", "//evil.example", "https://evil.example", "/desk/..", "/\\evil.example", "/desk?x", "desk"] {
            assert_eq!(own_page(other), LOGIN_PAGE, "{other}");
        }
    }
}
