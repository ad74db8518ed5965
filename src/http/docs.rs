//! The OpenAPI document, the pages that show it, and what is answered where there is no route.

use std::sync::{Arc, LazyLock};

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::Config;

use super::body::Body;
use super::problem::{Kind, Problem};
use super::published::Published;
use super::session;

/// Every route, body, answer and error of this service.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "thexanh",
        description = "Signs vaccination certificates as QR codes and verifies scanned ones.\n\nEvery error is an RFC 9457 problem document with a stable `code`. A certificate that is not accepted is no error: `/v1/verify` answers 200 with `result` and `reason`. Dates are Viet Nam's, instants UTC.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        super::verify::post_verify,
        super::verify::post_verify_batch,
        super::trust_list::get_trust_list,
        super::changes::get_changes,
        super::trust_list::get_trust_list_did,
        super::rules::get_rules,
        super::log::get_checkpoint,
        super::log::get_tile,
        super::log::get_by_prefix,
        super::status_lists::get_status_lists,
        super::status_lists::get_status_list,
        super::doses::post_doses,
        super::dose_changes::patch_dose,
        super::dose_lists::get_doses,
        super::dose_lists::get_dose_changes,
        super::dose_changes::post_renewal,
        super::corrections::post_correction,
        super::corrections::get_corrections,
        super::corrections::get_correction,
        super::corrections::patch_correction,
        super::photos::put_photo,
        super::photos::get_photo,
        super::certificates::get_certificate,
        super::certificates::get_picture,
        super::certificates::get_certificates,
        super::login::get_login,
        super::login::post_demo_login,
        super::session::get_logged_in,
        super::session::delete_logged_in,
        super::sessions::post_code,
        super::sessions::post_confirmation,
        super::registrations::post_registration,
        super::registrations::get_registrations,
        super::registrations::get_registration,
        super::registrations::patch_registration,
        super::registrations::delete_registration,
        super::registrations::post_declaration,
        super::people_me::get_people_me,
        super::people_me::post_phone,
        super::people_me::post_claim,
        super::reference::get_priority_groups,
        super::reference::get_declaration,
        super::imports::post_import,
        super::imports::get_import,
        super::imports::get_rejects,
        super::revocation_index::get_revocations,
        super::revocation_index::get_slice,
        super::revocations::post_revocation,
        super::revocations::post_undo,
        super::reference::get_provinces,
        super::reference::get_facilities,
        super::reference::get_products,
        super::reference::get_districts,
        super::reference::get_wards,
        super::reactions::get_symptoms,
        super::stats::get_stats,
        super::stats_places::get_places,
        super::stats_places::get_days,
        super::stats_places::get_facility_counts,
        super::stats_stream::get_stream,
        super::appointments::get_sessions,
        super::appointments::post_session,
        super::appointments::get_session,
        super::appointments::post_place,
        super::appointments::delete_place,
        super::people::get_people,
        super::people::get_person,
        super::audit::get_audit,
        super::reactions::post_reaction,
        super::tickets::get_tickets,
        super::tickets::post_ticket,
        super::tickets::patch_ticket,
        super::health::get_healthz,
        super::health::get_readyz,
        super::health::get_metrics,
    ),
    modifiers(&Security),
    tags(
        (name = "verify", description = "Is this certificate accepted now?"),
        (name = "trust", description = "What verifiers follow"),
        (name = "log", description = "The transparency log: everything that was signed, so that nothing is signed in secret"),
        (name = "doses", description = "A completed dose in, its certificate out"),
        (name = "login", description = "Sessions of browsers, and how staff log in"),
        (name = "citizens", description = "Logging in, registering, and one's own record"),
        (name = "corrections", description = "What is missing or wrong, and what came of it"),
        (name = "certificates", description = "Looking up, showing and revoking"),
        (name = "reference", description = "Reference data"),
        (name = "registrations", description = "Who registered, and what came of calling them"),
        (name = "appointments", description = "Vaccination sessions and places in them"),
        (name = "people", description = "One person's record, for a stated purpose"),
        (name = "reactions", description = "What people felt after a dose"),
        (name = "tickets", description = "The response centre's cases"),
        (name = "stats", description = "Counts"),
        (name = "audit", description = "Who did what, and why"),
        (name = "service", description = "The service's own state"),
    )
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A token of staff or of a machine; `thexanh token` makes one."))
            .build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let said =
            "Which of the browser's cookies to take: `staff` or `citizen`. Every route that takes a token takes it so.";
        let session = ApiKey::Header(ApiKeyValue::with_description(session::HEADER, said));
        components.add_security_scheme("session", SecurityScheme::ApiKey(session));
    }
}

/// The OpenAPI 3.1 document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

static PUBLISHED: LazyLock<Published> = LazyLock::new(|| {
    let json = openapi().to_json().unwrap_or_default();
    Published::new("application/json", "public, max-age=300", json.into_bytes())
});

static PAGES: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/openapi.json")));

/// `/openapi.json`.
pub(super) async fn get_openapi(request: HttpRequest) -> HttpResponse {
    PUBLISHED.answer(&request)
}

/// `/docs/..`: the pages that show the document, from the binary.
pub(super) async fn get_docs(path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let file = utoipa_swagger_ui::serve(&path, Arc::clone(&PAGES)).map_err(Problem::internal)?;
    let file = file.ok_or_else(|| Problem::new(Kind::UNKNOWN_ROUTE))?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "public, max-age=3600")).content_type(file.content_type);
    if file.gzpipped {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    Ok(response.body(file.bytes.into_owned()))
}

/// `/docs` leads to the pages that show the document.
pub(super) async fn to_docs() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// What is answered where there is no route.
pub(super) async fn unknown_route(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    Err(Body::of(&request, payload).refuse(Problem::new(Kind::UNKNOWN_ROUTE).read_from_everywhere(true)).await)
}
