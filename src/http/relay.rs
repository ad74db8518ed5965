//! What a verifier node serves: verdicts, and what it follows, byte for byte as its issuer signed it.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::body::BodyTimeout;
use super::problem::{Kind, Problem};
use super::published::{Published, wants_signed};
use super::{docs, get, health, mount, mount_pages, verify};
use crate::config::Config;
use crate::follower::{Follower, Resource};
use crate::revocation::SliceId;
use crate::signed;

const CACHE: &str = "public, max-age=30, stale-while-revalidate=30";
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Mounts the routes of a verifier node: those of [`super::routes`] that need no database.
pub fn routes(config: &Config, follower: &Arc<Follower>, cfg: &mut ServiceConfig) {
    cfg.app_data(web::Data::from(Arc::clone(follower)));
    cfg.app_data(web::Data::from(Arc::clone(follower.engine())));
    cfg.app_data(BodyTimeout(Duration::from_secs(config.http.request_timeout_s)));
    let rows = [
        ("POST", "/v1/verify", web::post().to(verify::post_verify)),
        ("POST", "/v1/verify/batch", web::post().to(verify::post_verify_batch)),
        ("GET", "/v1/trust-list", get().to(get_trust_list)),
        ("GET", "/v1/rules", get().to(get_rules)),
        ("GET", "/v1/revocations", get().to(get_revocations)),
        ("GET", "/v1/revocations/{slice}", get().to(get_slice)),
        ("GET", "/healthz", get().to(health::get_healthz)),
        ("GET", "/readyz", get().to(get_readyz)),
        ("GET", "/metrics", get().to(get_metrics)),
        ("GET", "/openapi.json", get().to(docs::get_openapi)),
    ];
    for (method, path, route) in rows {
        mount(config, cfg, path, web::resource(path).route(route), [(method, true)].into_iter());
    }
    mount_pages(config, cfg);
    cfg.default_service(web::to(docs::unknown_route));
}

async fn get_trust_list(node: web::Data<Follower>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    answer(node.trust_list(), &request)
}

async fn get_rules(node: web::Data<Follower>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    answer(node.rules(), &request)
}

async fn get_revocations(node: web::Data<Follower>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    answer(node.index(), &request)
}

fn answer(resource: Option<Resource>, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let Resource { signed, json, .. } = resource.ok_or_else(|| Problem::new(Kind::NOT_READY))?;
    let published = match wants_signed(request) {
        true => Published::new(signed::MEDIA_TYPE, CACHE, signed.to_vec()),
        false => Published::new("application/json", CACHE, json.to_vec()),
    };
    Ok(published.answer(request))
}

async fn get_slice(node: web::Data<Follower>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let slice: Option<Bytes> = path.parse::<SliceId>().ok().and_then(|id| node.slice(&id));
    let slice = slice.ok_or_else(|| Problem::new(Kind::UNKNOWN_SLICE).read_from_everywhere(true))?;
    let mut response = HttpResponse::Ok();
    response.insert_header(("ETag", format!("\"{path}\""))).insert_header(("Cache-Control", FOR_EVER));
    Ok(response.content_type("application/octet-stream").body(slice))
}

async fn get_readyz(node: web::Data<Follower>) -> Result<HttpResponse, Problem> {
    health::ready(&node.missing(), &node.remarks())
}

async fn get_metrics(node: web::Data<Follower>) -> HttpResponse {
    node.publish_gauges();
    health::metrics()
}
