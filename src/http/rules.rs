//! `GET /v1/rules`: what is green, what is yellow and what is accepted, as JSON, or signed by a publisher, by `Accept`.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use arc_swap::ArcSwapOption;

use super::problem::{Kind, Problem, ProblemDocument};
use super::published::{COSE, Published, preferred};
use crate::app::{App, SignedRules};
use crate::policy::RulesDocument;
use crate::signed;

/// The rules in both forms, made once a version and a signature. Mounted with the routes.
#[derive(Default)]
pub struct Forms(ArcSwapOption<Made>);

struct Made {
    /// Of the rules in force.
    version: u64,
    signed_rules: Option<Arc<SignedRules>>,
    json: Published,
    signed: Option<Published>,
}

const CACHE: &str = "public, max-age=60, stale-while-revalidate=300";

impl Forms {
    /// The forms of what is in force now.
    fn of(&self, app: &App) -> Arc<Made> {
        let (rules, signed_rules) = (app.engine().rules(), app.signed_rules());
        let stamp = |signed: &Option<Arc<SignedRules>>| signed.as_ref().map(|signed| signed.stamp());
        let is_it =
            |made: &Arc<Made>| made.version == rules.version() && stamp(&made.signed_rules) == stamp(&signed_rules);
        self.0.load_full().filter(is_it).unwrap_or_else(|| {
            let signed = |signed: &Arc<SignedRules>| Published::new(signed::MEDIA_TYPE, CACHE, signed.bytes().to_vec());
            let made = Arc::new(Made {
                version: rules.version(),
                json: Published::new("application/json", CACHE, rules.document().to_json().into_bytes()),
                signed: signed_rules.as_ref().map(signed),
                signed_rules,
            });
            self.0.store(Some(Arc::clone(&made)));
            made
        })
    }
}

/// The rules in force: products, when a card is green, what is accepted, and a country's own rules.
///
/// Ask again with `If-None-Match`. A verdict says in `as_of.rules` which version it was given by. The signed form is the same on
/// every node; for a moment after a change it may be older than the JSON.
#[utoipa::path(
    get, path = "/v1/rules", tag = "trust",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the rules that the caller has")),
    responses(
        (status = 200, description = "The rules, in the form that `Accept` prefers, else JSON. `application/cose` is a COSE_Sign1 over the JSON",
            content((RulesDocument = "application/json"), (Vec<u8> = "application/cose")),
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The caller has them"),
        (status = 503, description = "`not_signed`: no publisher has signed them yet", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_rules(
    app: web::Data<App>,
    forms: web::Data<Forms>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let made = forms.of(&app);
    let form = match preferred(&request, &["application/json", COSE]) {
        Some(COSE) => made.signed.as_ref().ok_or_else(|| Problem::new(Kind::NOT_SIGNED))?,
        _ => &made.json,
    };
    Ok(form.answer(&request))
}
