//! `GET /v1/rules`: what is green, what is yellow and what is accepted.

use actix_web::{HttpRequest, HttpResponse, web};

use super::forms;
use super::problem::{Problem, ProblemDocument};
use crate::app::App;
use crate::policy::RulesDocument;
use crate::signed::Kind;

/// The rules in their forms. Mounted with the routes.
pub struct Forms(forms::Forms);

impl Default for Forms {
    fn default() -> Forms {
        Forms(forms::Forms::new(Kind::Rules, "public, max-age=60, stale-while-revalidate=300"))
    }
}

/// The rules in force: products, when a card is green, what is accepted, and a country's own rules.
///
/// Ask again with `If-None-Match`. A verdict says in `as_of.rules` which version it was given by.
#[utoipa::path(
    get, path = "/v1/rules", tag = "trust",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the rules that the caller has")),
    responses(
        (status = 200, description = "The rules, in the form that `Accept` prefers, else JSON. `application/cose` is a COSE_Sign1 over the JSON, by a publisher that the trust list names",
            content((RulesDocument = "application/json"), (Vec<u8> = "application/cose")), headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The caller has them"),
        (status = 500, description = "`internal`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`not_signed`: no publisher's key is on this node", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_rules(
    app: web::Data<App>,
    forms: web::Data<Forms>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let rules = app.engine().rules();
    let version = rules.version();
    forms.0.answer(&app, &request, version, move || rules.document().to_json().into_bytes()).await
}
