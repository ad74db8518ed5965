//! A resource that verifiers follow, in its two forms: JSON, and the same JSON signed by a publisher of ours.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use arc_swap::ArcSwapOption;

use super::problem::{Kind, Problem};
use super::published::Published;
use super::trust_list::{COSE, preferred};
use crate::app::App;
use crate::certificate::UnixSeconds;
use crate::signed::{self, Stamp};

/// For how long a verifier may rely on what was signed, in seconds: a day without us, and its shift is over.
const NEXT_UPDATE_S: i64 = 24 * 3600;
/// How old a signature may be before it is made anew, in seconds, although nothing else has changed.
const RENEW_S: i64 = 3600;

/// The forms of one resource, made once a version. Mounted with the routes.
pub struct Forms {
    kind: signed::Kind,
    cache: &'static str,
    made: ArcSwapOption<Made>,
}

struct Made {
    /// The versions of the trust list and of the resource.
    of: (u64, u64),
    signed_at: UnixSeconds,
    json: Published,
    /// `None` while no publisher here may sign.
    signed: Option<Published>,
}

impl Forms {
    /// Of a resource of this kind. `cache`: its `Cache-Control`.
    pub fn new(kind: signed::Kind, cache: &'static str) -> Forms {
        Forms { kind, cache, made: ArcSwapOption::empty() }
    }

    /// The answer to `request`, in the form that it asks for. `json`: makes the JSON of this `version`.
    ///
    /// Errors: [`Kind::NOT_SIGNED`] where the signed form is asked for and no publisher's key is here.
    pub async fn answer(
        &self,
        app: &web::Data<App>,
        request: &HttpRequest,
        version: u64,
        json: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Result<HttpResponse, Problem> {
        let now = app.clock().now();
        // Another list may name other publishers.
        let of = (app.trust().version(), version);
        let current = |made: &Arc<Made>| made.of == of && now.0 - made.signed_at.0 < RENEW_S;
        let made = match self.made.load_full().filter(current) {
            Some(made) if made.signed.is_some() || !wants_signed(request) => made,
            _ => {
                let (app, kind, cache) = (app.clone(), self.kind, self.cache);
                // An index with many removed is megabytes, and gzip takes its time.
                let made = web::block(move || Made::new(&app, kind, cache, of, now, json()));
                let made = Arc::new(made.await.map_err(Problem::internal)?);
                self.made.store(Some(Arc::clone(&made)));
                made
            }
        };
        if wants_signed(request) {
            let signed = made.signed.as_ref();
            return Ok(signed.ok_or_else(|| Problem::new(Kind::NOT_SIGNED))?.answer(request));
        }
        Ok(made.json.answer(request))
    }
}

impl Made {
    fn new(
        app: &App,
        kind: signed::Kind,
        cache: &'static str,
        of: (u64, u64),
        now: UnixSeconds,
        json: Vec<u8>,
    ) -> Made {
        let stamp = Stamp { version: of.1, issued_at: now, next_update: UnixSeconds(now.0 + NEXT_UPDATE_S) };
        let key = app.publisher_key().ok();
        let signed = key.and_then(|key| signed::sign(kind, stamp, &json, &key).ok());
        Made {
            of,
            signed_at: now,
            signed: signed.map(|bytes| Published::new(signed::MEDIA_TYPE, cache, bytes)),
            json: Published::new("application/json", cache, json),
        }
    }
}

/// True if `Accept` likes the signed form best.
pub fn wants_signed(request: &HttpRequest) -> bool {
    preferred(request) == Some(COSE)
}
