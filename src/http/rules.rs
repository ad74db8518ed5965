//! `GET /v1/rules`: what is green, what is yellow and what is accepted.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use arc_swap::ArcSwapOption;

use super::published::Published;
use crate::app::App;
use crate::policy::RulesDocument;

/// The rules ready to be sent, made once a version. Mounted with the routes.
#[derive(Default)]
pub struct Forms(ArcSwapOption<(u64, Published)>);

const CACHE: &str = "public, max-age=60, stale-while-revalidate=300";

/// The rules in force: products, when a card is green, what is accepted, and a country's own rules.
///
/// Ask again with `If-None-Match`. A verdict says in `as_of.rules` which version it was given by.
#[utoipa::path(
    get, path = "/v1/rules", tag = "trust",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the rules that the caller has")),
    responses(
        (status = 200, description = "The rules", body = RulesDocument, headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The caller has them"),
    )
)]
pub async fn get_rules(app: web::Data<App>, forms: web::Data<Forms>, request: HttpRequest) -> HttpResponse {
    let rules = app.engine().rules();
    let made = forms.0.load_full().filter(|made| made.0 == rules.version());
    let made = made.unwrap_or_else(|| {
        let json = rules.document().to_json().into_bytes();
        let made = Arc::new((rules.version(), Published::new("application/json", CACHE, json)));
        forms.0.store(Some(Arc::clone(&made)));
        made
    });
    made.1.answer(&request)
}
