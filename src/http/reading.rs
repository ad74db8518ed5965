//! Which look-ups may be asked of a replica: those of callers who have not just written. Who has is told by this node's memory,
//! and to the other nodes by a cookie that lasts as long as a replica that is asked may be behind; who sends neither and speaks
//! to several nodes may say `Cache-Control: no-cache`.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest};

use super::auth::Caller;
use super::session;
use crate::app::{App, Wrote};
use crate::store::{Freshness, Store};

const COOKIE: &str = "thexanh-wrote";

/// How old an answer is that was given while the primary was away.
struct Aged(Duration);

/// For how long the caller, who wrote, is to read from the primary.
struct JustWrote(Duration);

/// Notes that `caller` is about to write if this request is one that may; `None` where no replica could be behind.
pub(super) fn note_write(request: &HttpRequest, app: &App, caller: &Caller) -> Option<Arc<Wrote>> {
    let lately = app.lately().filter(|_| !request.method().is_safe())?;
    request.extensions_mut().insert(JustWrote(lately.kept()));
    Some(Arc::new(lately.writes(name_of(caller))))
}

/// Whether `caller` is to see all that was written: they have just written, here or elsewhere, or ask for it.
pub(super) fn must_be_fresh(request: &HttpRequest, app: &App, caller: Option<&Caller>) -> bool {
    let wrote = || app.lately().zip(caller).is_some_and(|(lately, caller)| lately.wrote(&name_of(caller)));
    let asked = request.headers().get(header::CACHE_CONTROL).is_some_and(|value| value == "no-cache");
    asked || session::cookie(request, COOKIE).is_some() || wrote()
}

/// The database for a look-up of `caller`'s that may lag.
pub(super) fn lookups(request: &HttpRequest, app: &App, caller: Option<&Caller>) -> Store {
    if app.lately().is_none() {
        return app.store().clone();
    }
    let fresh = must_be_fresh(request, app, caller);
    if let Some(age) = app.store().age() {
        request.extensions_mut().insert(Aged(age));
    }
    app.store().reading(if fresh { Freshness::JustWritten } else { Freshness::MayLag })
}

/// Adds to an answer what it is to say of this: how old it is (RFC 9111 §5.1), or that its caller has just written.
pub(super) fn say(request: &HttpRequest, headers: &mut HeaderMap) {
    let extensions = request.extensions();
    if let Some(Aged(age)) = extensions.get() {
        headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
    }
    if let Some(JustWrote(kept)) = extensions.get() {
        let seconds = i64::try_from(kept.as_secs()).unwrap_or(i64::MAX).saturating_add(1);
        let (name, cookie) = session::set_cookie(COOKIE, "1", seconds, "Strict", session::is_https(request));
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            headers.append(name, cookie);
        }
    }
}

/// What names a caller.
pub(super) fn name_of(caller: &Caller) -> String {
    let place = caller.facility.as_deref().or(caller.province.as_deref()).unwrap_or_default();
    format!("{} {place} {}", caller.role.as_str(), caller.subject)
}
