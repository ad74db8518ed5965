//! The only room that knows actix: one file per resource, `problem.rs` for errors, `access.rs` for who may do what.
//! [`routes`] mounts everything; the binary and the tests mount the same.

pub mod access;
pub mod appointments;
mod asked;
pub mod audit;
pub mod auth;
mod body;
pub mod certificates;
pub mod changes;
pub mod corrections;
mod docs;
pub mod dose_changes;
pub mod dose_lists;
pub mod doses;
mod envelope;
pub mod health;
mod idempotency;
pub mod imports;
mod lines;
mod locality;
pub mod log;
pub mod login;
pub mod openid;
mod origin;
mod pages;
pub mod people;
pub mod people_me;
pub mod photos;
pub mod problem;
mod published;
mod quota;
pub mod reactions;
mod reading;
pub mod reference;
mod refusals;
mod registration_lists;
pub mod registrations;
pub mod relay;
pub mod revocation_index;
mod revocation_lists;
pub mod revocations;
pub mod rules;
mod server;
pub mod session;
pub mod sessions;
mod sheet;
pub mod stats;
pub mod stats_places;
pub mod stats_stream;
mod status_lists;
pub mod tickets;
pub mod trust_list;
pub mod verify;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::guard;
use actix_web::http::{Method, header};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};

use access::{ROUTES, Who};
use auth::{Rows, TokenKey};
use body::{Body, BodyTimeout};
use envelope::{Envelope, Openness, allow_every_origin};
use login::{DemoLogin, Logins};
use openid::OpenIdError;
use problem::{Kind, Problem};

pub use docs::openapi;
pub use server::{ServeError, Serving, listen, serve};

use crate::app::App;
use crate::config::Config;

/// For answers with personal data, and those that are true for their second only.
const NO_STORE: (&str, &str) = ("Cache-Control", "no-store");

/// What the routes share: the service and the key of the bearer tokens.
#[derive(Clone)]
pub struct Shared {
    /// The service.
    pub app: Arc<App>,
    /// Makes and checks bearer tokens.
    pub tokens: Arc<TokenKey>,
    /// The trust list in its forms.
    pub forms: Arc<trust_list::Forms>,
    /// The index of revocations in its forms.
    index: Arc<revocation_index::Forms>,
    /// The rules in their forms.
    rules: Arc<rules::Forms>,
    /// What followers were told last.
    told: Arc<changes::Told>,
    /// How often one address asked for a code.
    quota: Arc<quota::Quota>,
    /// How staff log in.
    logins: Arc<Logins>,
}

impl Shared {
    /// What the routes of `app` share.
    pub fn new(app: Arc<App>, tokens: Arc<TokenKey>) -> Shared {
        let config = app.config();
        let (per_minute, trusted) = (config.citizens.codes_per_address_per_minute, &config.http.trusted_proxies);
        let quota = Arc::new(quota::Quota::new(per_minute, trusted.clone()));
        Shared {
            app,
            tokens,
            forms: Arc::default(),
            index: Arc::default(),
            rules: Arc::default(),
            told: Arc::default(),
            quota,
            logins: Arc::default(),
        }
    }

    /// The same for the demo, where anybody may be one of `staff`, and a citizen's code comes with the answer.
    pub fn for_demo(self, staff: Vec<DemoLogin>) -> Shared {
        let openid = self.logins.openid.clone();
        Shared { logins: Arc::new(Logins { demo: staff, openid }), ..self }
    }

    /// The same with the provider of the settings, if they name one; it is asked for its keys, and not waited for.
    ///
    /// Must be called within a tokio runtime. Errors: [`OpenIdError`].
    pub fn with_openid(self) -> Result<Shared, OpenIdError> {
        let openid = openid::Provider::new(self.app.config())?.map(Arc::new);
        openid.iter().for_each(openid::Provider::ask_in_the_background);
        let demo = self.logins.demo.clone();
        Ok(Shared { logins: Arc::new(Logins { demo, openid }), ..self })
    }
}

/// Mounts every route, with what they share.
pub fn routes(shared: &Shared, cfg: &mut ServiceConfig) {
    let config = shared.app.config();
    envelope::count_errors(shared.app.tallies().meters());
    cfg.app_data(web::Data::from(Arc::clone(&shared.app)));
    cfg.app_data(web::Data::from(Arc::clone(&shared.tokens)));
    cfg.app_data(web::Data::from(Arc::clone(&shared.forms)));
    cfg.app_data(web::Data::from(Arc::clone(&shared.index)));
    cfg.app_data(web::Data::from(Arc::clone(&shared.rules)));
    cfg.app_data(web::Data::from(Arc::clone(&shared.told)));
    cfg.app_data(web::Data::from(Arc::clone(shared.app.engine())));
    cfg.app_data(web::Data::from(Arc::clone(shared.app.registry())));
    cfg.app_data(web::Data::from(Arc::clone(&shared.quota)));
    cfg.app_data(web::Data::from(Arc::clone(&shared.logins)));
    cfg.app_data(BodyTimeout(Duration::from_secs(config.http.request_timeout_s)));
    for rows in ROUTES.chunk_by(|a, b| a.path == b.path) {
        let Some(first) = rows.first() else { continue };
        let mut resource = web::resource(pattern(first.path)).app_data(Rows(rows));
        for row in rows {
            resource = resource.route(handler(row.method, row.path).expect("every row of the table has a handler"));
        }
        mount(config, cfg, first.path, resource, rows.iter().map(|row| (row.method, row.who == Who::Anyone)));
    }
    for (path, route) in [
        ("/openapi.json", get().to(docs::get_openapi)),
        ("/docs", get().to(docs::to_docs)),
        ("/docs/{file:.*}", get().to(docs::get_docs)),
    ] {
        mount(config, cfg, path, web::resource(path).route(route), [("GET", true)].into_iter());
    }
    for (path, route) in
        [(openid::START, get().to(openid::get_start)), (openid::CALLBACK, get().to(openid::get_callback))]
    {
        mount(config, cfg, path, web::resource(path).route(route), [("GET", false)].into_iter());
    }
    mount_pages(config, cfg);
    cfg.default_service(web::to(docs::unknown_route));
}

/// Mounts the pages for people.
fn mount_pages(config: &Config, cfg: &mut ServiceConfig) {
    for (path, _) in pages::PAGES {
        mount(config, cfg, path, web::resource(path).route(get().to(pages::get_page)), [("GET", false)].into_iter());
    }
    for path in pages::FILES {
        mount(config, cfg, path, web::resource(path).route(get().to(pages::get_file)), [("GET", false)].into_iter());
    }
}

/// Which handler answers which row of the table.
fn handler(method: &str, path: &str) -> Option<actix_web::Route> {
    Some(match (method, path) {
        ("POST", "/v1/verify") => web::post().to(verify::post_verify),
        ("POST", "/v1/verify/batch") => web::post().to(verify::post_verify_batch),
        ("GET", "/v1/trust-list") => get().to(trust_list::get_trust_list),
        ("GET", "/v1/changes") => get().to(changes::get_changes),
        ("GET", "/v1/trust-list/did.json") => get().to(trust_list::get_trust_list_did),
        ("GET", "/v1/rules") => get().to(rules::get_rules),
        ("GET", "/v1/log/checkpoint") => get().to(log::get_checkpoint),
        ("GET", "/v1/log/tile/{tile}") => get().to(log::get_tile),
        ("GET", "/v1/log/by-prefix/{prefix}") => get().to(log::get_by_prefix),
        ("GET", "/v1/status-lists") => get().to(status_lists::get_status_lists),
        ("GET", "/v1/status-lists/{n}") => get().to(status_lists::get_status_list),
        ("POST", "/v1/doses") => web::post().to(doses::post_doses),
        ("GET", "/v1/doses") => get().to(dose_lists::get_doses),
        ("GET", "/v1/dose-changes") => get().to(dose_lists::get_dose_changes),
        ("PATCH", "/v1/doses/{id}") => web::patch().to(dose_changes::patch_dose),
        ("POST", "/v1/certificates/{uvci}/renew") => web::post().to(dose_changes::post_renewal),
        ("POST", "/v1/corrections") => web::post().to(corrections::post_correction),
        ("GET", "/v1/corrections") => get().to(corrections::get_corrections),
        ("GET", "/v1/corrections/{id}") => get().to(corrections::get_correction),
        ("PATCH", "/v1/corrections/{id}") => web::patch().to(corrections::patch_correction),
        ("PUT", "/v1/corrections/{id}/photo") => web::put().to(photos::put_photo),
        ("GET", "/v1/corrections/{id}/photo") => get().to(photos::get_photo),
        ("GET", "/v1/certificates/{uvci}") => get().to(certificates::get_certificate),
        ("GET", "/v1/certificates/{uvci}.{format}") => get().to(certificates::get_picture),
        ("GET", "/v1/certificates") => get().to(certificates::get_certificates),
        ("POST", "/v1/sessions") => web::post().to(sessions::post_code),
        ("POST", "/v1/sessions/{id}/confirm") => web::post().to(sessions::post_confirmation),
        ("GET", "/v1/session") => get().to(session::get_logged_in),
        ("DELETE", "/v1/session") => web::delete().to(session::delete_logged_in),
        ("GET", "/v1/login") => get().to(login::get_login),
        ("POST", "/v1/login/demo") => web::post().to(login::post_demo_login),
        ("POST", "/v1/registrations") => web::post().to(registrations::post_registration),
        ("GET", "/v1/registrations") => get().to(registrations::get_registrations),
        ("GET", "/v1/registrations/{id}") => get().to(registrations::get_registration),
        ("PATCH", "/v1/registrations/{id}") => web::patch().to(registrations::patch_registration),
        ("DELETE", "/v1/registrations/{id}") => web::delete().to(registrations::delete_registration),
        ("POST", "/v1/registrations/{id}/declarations") => web::post().to(registrations::post_declaration),
        ("GET", "/v1/people/me") => get().to(people_me::get_people_me),
        ("POST", "/v1/people/me/phone") => web::post().to(people_me::post_phone),
        ("POST", "/v1/people/claims") => web::post().to(people_me::post_claim),
        ("GET", "/v1/reference/priority-groups") => get().to(reference::get_priority_groups),
        ("GET", "/v1/reference/declaration") => get().to(reference::get_declaration),
        ("POST", "/v1/imports") => web::post().to(imports::post_import),
        ("GET", "/v1/imports/{id}") => get().to(imports::get_import),
        ("GET", "/v1/imports/{id}/rejects.csv") => get().to(imports::get_rejects),
        ("GET", "/v1/revocations") => get().to(revocation_index::get_revocations),
        ("GET", "/v1/revocations/{slice}") => get().to(revocation_index::get_slice),
        ("POST", "/v1/revocations") => web::post().to(revocations::post_revocation),
        ("POST", "/v1/revocations/{id}/undo") => web::post().to(revocations::post_undo),
        ("GET", "/v1/reference/provinces") => get().to(reference::get_provinces),
        ("GET", "/v1/reference/facilities") => get().to(reference::get_facilities),
        ("GET", "/v1/reference/products") => get().to(reference::get_products),
        ("GET", "/v1/reference/districts") => get().to(reference::get_districts),
        ("GET", "/v1/reference/wards") => get().to(reference::get_wards),
        ("GET", "/v1/reference/symptoms") => get().to(reactions::get_symptoms),
        ("GET", "/v1/stats") => get().to(stats::get_stats),
        ("GET", "/v1/stats/places") => get().to(stats_places::get_places),
        ("GET", "/v1/stats/days") => get().to(stats_places::get_days),
        ("GET", "/v1/stats/facilities") => get().to(stats_places::get_facility_counts),
        ("GET", "/v1/stats/stream") => get().to(stats_stream::get_stream),
        ("GET", "/v1/appointments/sessions") => get().to(appointments::get_sessions),
        ("POST", "/v1/appointments/sessions") => web::post().to(appointments::post_session),
        ("GET", "/v1/appointments/sessions/{session}") => get().to(appointments::get_session),
        ("POST", "/v1/appointments/sessions/{session}/places") => web::post().to(appointments::post_place),
        ("DELETE", "/v1/appointments/sessions/{session}/places/{person}") => {
            web::delete().to(appointments::delete_place)
        }
        ("GET", "/v1/people") => get().to(people::get_people),
        ("GET", "/v1/people/{person}") => get().to(people::get_person),
        ("GET", "/v1/audit") => get().to(audit::get_audit),
        ("POST", "/v1/reactions") => web::post().to(reactions::post_reaction),
        ("GET", "/v1/tickets") => get().to(tickets::get_tickets),
        ("POST", "/v1/tickets") => web::post().to(tickets::post_ticket),
        ("PATCH", "/v1/tickets/{ticket}") => web::patch().to(tickets::patch_ticket),
        ("GET", "/healthz") => get().to(health::get_healthz),
        ("GET", "/readyz") => get().to(health::get_readyz),
        ("GET", "/metrics") => get().to(health::get_metrics),
        _ => return None,
    })
}

/// A route for `GET`, which answers `HEAD` as well.
fn get() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// The table's path as the router writes it: a UVCI holds neither slash nor dot, so that the dot begins the format; a tile's
/// name holds slashes.
fn pattern(path: &str) -> String {
    path.replace("{uvci}", "{uvci:[^/.]+}").replace("{format}", "{format:[^/]+}").replace("{tile}", "{tile:.+}")
}

/// Mounts one resource as every route is: answers sealed, other methods refused, CORS where it is public.
///
/// `path`: as the metrics name it. `methods`: those that `resource` takes, and whether each is public. The load test mounts its
/// yardstick with it.
pub fn mount(
    config: &Config,
    cfg: &mut ServiceConfig,
    path: &'static str,
    resource: Resource,
    methods: impl Iterator<Item = (&'static str, bool)>,
) {
    let methods: Vec<(&str, bool)> = methods
        .flat_map(
            |(name, public)| if name == "GET" { vec![(name, public), ("HEAD", public)] } else { vec![(name, public)] },
        )
        .collect();
    let list = |public_only: bool| {
        let names = methods.iter().filter(|(_, public)| *public || !public_only).map(|(name, _)| *name);
        names.chain(["OPTIONS"]).collect::<Vec<_>>().join(", ")
    };
    let public = methods.iter().any(|(_, public)| *public);
    let allowed: Rc<Allowed> = Rc::new(Allowed { all: list(false), public: public.then(|| list(true)) });
    let otherwise =
        move |request: HttpRequest, payload: web::Payload| other_method(Rc::clone(&allowed), request, payload);
    let private = methods.iter().filter(|(_, public)| !public).map(|(name, _)| *name).collect();
    // A node that is busy is not ill: whoever asks after its health is answered.
    // Nor is one that many wait at for what is new.
    let counts = path.starts_with("/v1/") && path != changes::PATH;
    let max_in_flight = if counts { config.http.max_in_flight } else { usize::MAX };
    let openness = if public { Openness::But(private) } else { Openness::Closed };
    let envelope = Envelope::new(path, openness, config.log.access, max_in_flight);
    let seal = move |request, next| Rc::clone(&envelope).seal(request, next);
    cfg.service(resource.default_service(web::to(otherwise)).wrap(from_fn(seal)));
}

/// The methods of a resource, as headers list them.
struct Allowed {
    all: String,
    /// Those that a page of another origin may use; `None` if there is none.
    public: Option<String>,
}

/// Answers a method that the route does not take: `OPTIONS`, with what a page of another origin may send, or 405.
async fn other_method(allowed: Rc<Allowed>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let problem = Body::of(&request, payload).refuse(Problem::new(Kind::METHOD_NOT_ALLOWED)).await;
    let mut response = match *request.method() {
        Method::OPTIONS => HttpResponse::NoContent().finish(),
        _ => actix_web::ResponseError::error_response(&problem),
    };
    let headers = response.headers_mut();
    let mut insert = |name: header::HeaderName, value: &str| {
        if let Ok(value) = header::HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    insert(header::ALLOW, &allowed.all);
    if let (Some(public), &Method::OPTIONS) = (&allowed.public, request.method()) {
        insert(header::ACCESS_CONTROL_ALLOW_METHODS, public);
        insert(header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type, If-None-Match, X-Request-Id");
        insert(header::ACCESS_CONTROL_MAX_AGE, "86400");
        allow_every_origin(response.headers_mut());
    }
    response
}
