//! `GET /v1/reference/..`: provinces, facilities and products, as they are named in every other request and answer.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Problem, ProblemDocument};
use super::published::Published;
use crate::app::App;
use crate::policy;

const CACHE: &str = "public, max-age=300";

/// A province.
#[derive(Serialize, ToSchema)]
pub struct ProvinceDocument {
    /// The General Statistics Office's code.
    #[schema(example = "79")]
    code: String,
    /// Its name.
    #[schema(example = "Thành phố Hồ Chí Minh")]
    name: String,
}

/// A vaccination site.
#[derive(Serialize, ToSchema)]
pub struct FacilityDocument {
    /// Its code.
    code: String,
    /// Its name.
    name: String,
    /// The code of its province.
    province: String,
}

/// A product that is certified here.
#[derive(Serialize, ToSchema)]
pub struct ProductDocument {
    /// The code in `POST /v1/doses` and in certificates.
    #[schema(value_type = String, example = "EU/1/20/1528")]
    code: &'static str,
    /// Its number in the compact profile.
    number: u64,
    /// What people call it.
    #[schema(value_type = String)]
    name: &'static str,
    /// `ma`: the holder's code.
    #[schema(value_type = String)]
    holder: &'static str,
    /// `vp`: the prophylaxis' code.
    #[schema(value_type = String)]
    prophylaxis: &'static str,
    /// How many doses its course has.
    course: u8,
    /// The first day on which it can have been given.
    exists_since: String,
}

/// The provinces.
#[utoipa::path(
    get, path = "/v1/reference/provinces", tag = "reference",
    responses(
        (status = 200, description = "All of them, by code", body = [ProvinceDocument]),
        (status = 304, description = "The caller has them"),
        (status = 503, description = "`unavailable`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_provinces(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let rows = app.store().provinces().await?;
    answer(&request, rows.into_iter().map(|row| ProvinceDocument { code: row.code, name: row.name }).collect())
}

/// The vaccination sites.
#[utoipa::path(
    get, path = "/v1/reference/facilities", tag = "reference",
    responses(
        (status = 200, description = "All of them, by code", body = [FacilityDocument]),
        (status = 304, description = "The caller has them"),
        (status = 503, description = "`unavailable`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_facilities(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let rows = app.store().facilities().await?;
    let facility =
        |row: crate::store::Facility| FacilityDocument { code: row.code, name: row.name, province: row.province };
    answer(&request, rows.into_iter().map(facility).collect())
}

/// The products that are certified here.
#[utoipa::path(
    get, path = "/v1/reference/products", tag = "reference",
    responses(
        (status = 200, description = "All of them, by number", body = [ProductDocument]),
        (status = 304, description = "The caller has them"),
    )
)]
pub async fn get_products(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let products = policy::products().iter().map(|row| ProductDocument {
        code: row.code,
        number: row.number,
        name: row.name,
        holder: row.holder,
        prophylaxis: row.prophylaxis,
        course: row.course,
        exists_since: row.exists_since.to_string(),
    });
    answer(&request, products.collect())
}

fn answer<T: Serialize>(request: &HttpRequest, rows: Vec<T>) -> Result<HttpResponse, Problem> {
    let json = serde_json::to_vec(&rows).map_err(Problem::internal)?;
    Ok(Published::new("application/json", CACHE, json).answer(request))
}
