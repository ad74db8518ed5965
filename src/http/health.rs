//! The service's own state: alive, ready, and in figures.

use actix_web::{HttpResponse, web};

use super::problem::{Kind, Problem, ProblemDocument};
use crate::app::App;

/// Says that the process answers.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub async fn get_healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("Cache-Control", "no-store"))
        .content_type("text/plain; charset=utf-8")
        .body("ok\n")
}

/// Says whether requests can be served in full, and what somebody should see to meanwhile.
///
/// The first line is `ready`; each line after it, beginning with `see to: `, names what is served all the same but not as it
/// should be, such as a trust list that the anchor has yet to sign.
#[utoipa::path(
    get, path = "/readyz", tag = "service",
    responses(
        (status = 200, description = "They can", body = String, content_type = "text/plain"),
        (status = 503, description = "`not_ready`: `detail` names what is missing", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_readyz(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let missing = app.missing();
    if missing.is_empty() {
        let mut ready = "ready\n".to_owned();
        app.remarks().iter().for_each(|remark| ready.push_str(&format!("see to: {remark}\n")));
        let mut response = HttpResponse::Ok();
        response.insert_header(("Cache-Control", "no-store"));
        return Ok(response.content_type("text/plain; charset=utf-8").body(ready));
    }
    Err(Problem::new(Kind::NOT_READY).detail(missing.join(", ")).because(missing.join(", ")))
}

/// The service in figures.
#[utoipa::path(get, path = "/metrics", tag = "service", responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain")))]
pub async fn get_metrics(app: web::Data<App>) -> HttpResponse {
    app.publish_gauges();
    let text = crate::telemetry::metrics().render();
    HttpResponse::Ok()
        .insert_header(("Cache-Control", "no-store"))
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text)
}
