//! `GET /v1/reference/..`: provinces, districts, communes, facilities and products, as they are named in every other request and answer.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Kind, Problem, ProblemDocument};
use super::published::Published;
use crate::app::App;
use crate::language::Said;
use crate::policy;
use crate::registration::reference::{self, Unit, Ward};
use crate::registration::{declaration, priority};

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

/// A district of a province.
#[derive(Serialize, ToSchema)]
pub struct DistrictDocument {
    /// The General Statistics Office's code, three digits.
    #[schema(value_type = String, example = "001")]
    code: &'static str,
    /// Its name.
    #[schema(value_type = String, example = "Quận Ba Đình")]
    name: &'static str,
}

/// A commune, with what it is part of.
#[derive(Serialize, ToSchema)]
pub struct WardDocument {
    /// The General Statistics Office's code, five digits.
    #[schema(value_type = String, example = "00001")]
    code: &'static str,
    /// Its name.
    #[schema(value_type = String, example = "Phường Phúc Xá")]
    name: &'static str,
    /// Its district.
    district: DistrictDocument,
    /// Its province.
    province: ProvinceDocument,
}

impl DistrictDocument {
    fn of(unit: &Unit) -> DistrictDocument {
        DistrictDocument { code: unit.code, name: unit.name }
    }
}

impl WardDocument {
    /// `ward` as it is answered.
    pub fn of(ward: &Ward) -> WardDocument {
        let province = ProvinceDocument { code: ward.province.code.to_owned(), name: ward.province.name.to_owned() };
        let district = DistrictDocument::of(&ward.district);
        WardDocument { code: ward.unit.code, name: ward.unit.name, district, province }
    }
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
    /// Days between two doses under which the interval is flagged as too short.
    min_interval_days: u16,
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
    answer(
        &request,
        rows.into_iter().map(|row| ProvinceDocument { code: row.code, name: row.name }).collect::<Vec<_>>(),
    )
}

/// Whose districts are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DistrictQuery {
    /// The province's code.
    #[param(example = "01")]
    province: String,
}

/// The districts of a province.
#[utoipa::path(
    get, path = "/v1/reference/districts", tag = "reference", params(DistrictQuery),
    responses(
        (status = 200, description = "All of them, by code; none if there is no such province", body = [DistrictDocument]),
        (status = 304, description = "The caller has them"),
        (status = 400, description = "`bad_parameter`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_districts(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: DistrictQuery = query(&request, "expected ?province= and a province's code")?;
    let districts = reference::parts_of(&query.province).filter(|unit| unit.code.len() == 3);
    answer(&request, districts.map(DistrictDocument::of).collect::<Vec<_>>())
}

/// Which communes are asked for: one of the two.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WardQuery {
    /// The district's code.
    #[param(example = "001")]
    district: Option<String>,
    /// Part of a commune's name, with marks or without.
    #[param(example = "phuc xa")]
    q: Option<String>,
}

/// How many communes are given to one who types a name.
const MAX_WARDS_NAMED: usize = 20;

/// The communes of a district, or those that a name may mean.
#[utoipa::path(
    get, path = "/v1/reference/wards", tag = "reference", params(WardQuery),
    responses(
        (status = 200, description = "All of the district's by code, or the likeliest 20", body = [WardDocument]),
        (status = 304, description = "The caller has them"),
        (status = 400, description = "`bad_parameter`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_wards(request: HttpRequest) -> Result<HttpResponse, Problem> {
    const EXPECTED: &str = "expected ?district= and a district's code, or ?q= and part of a commune's name";
    let wards = match query(&request, EXPECTED)? {
        WardQuery { district: Some(district), q: None } => {
            reference::parts_of(&district).filter_map(|unit| reference::ward(unit.code)).collect()
        }
        WardQuery { district: None, q: Some(text) } => reference::wards_named(&text, MAX_WARDS_NAMED),
        _ => return Err(Problem::new(Kind::BAD_PARAMETER).detail(EXPECTED)),
    };
    answer(&request, wards.iter().map(WardDocument::of).collect::<Vec<_>>())
}

/// The parameters of `request`. Errors: [`Kind::BAD_PARAMETER`], which says `expected`.
fn query<T: serde::de::DeserializeOwned>(request: &HttpRequest, expected: &'static str) -> Result<T, Problem> {
    let query = web::Query::<T>::from_query(request.query_string());
    query.map(web::Query::into_inner).map_err(|_| Problem::new(Kind::BAD_PARAMETER).detail(expected))
}

/// A sentence in both languages.
#[derive(Serialize, ToSchema)]
pub struct SaidDocument {
    /// English.
    #[schema(value_type = String)]
    en: &'static str,
    /// Vietnamese.
    #[schema(value_type = String)]
    vi: &'static str,
}

impl SaidDocument {
    fn of(said: Said) -> SaidDocument {
        SaidDocument { en: said.en, vi: said.vi }
    }
}

/// A priority group.
#[derive(Serialize, ToSchema)]
pub struct GroupDocument {
    /// Its number, 0 for none.
    number: u8,
    /// Who is in it.
    name: SaidDocument,
}

/// The priority groups of the campaign.
#[utoipa::path(
    get, path = "/v1/reference/priority-groups", tag = "reference",
    responses(
        (status = 200, description = "All of them, by number", body = [GroupDocument]),
        (status = 304, description = "The caller has them"),
    )
)]
pub async fn get_priority_groups(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let groups = priority::GROUPS.iter();
    let groups = groups.map(|group| GroupDocument { number: group.number, name: SaidDocument::of(group.name) });
    answer(&request, groups.collect::<Vec<_>>())
}

/// What is asked of those who register, and what they consent to.
#[derive(Serialize, ToSchema)]
pub struct DeclarationForm {
    /// The version of the questions.
    #[schema(value_type = String)]
    version: &'static str,
    /// The questions, each to be answered with yes or no, and details.
    questions: Vec<QuestionDocument>,
    /// What is consented to.
    consent: ConsentForm,
}

/// A question of the health declaration.
#[derive(Serialize, ToSchema)]
pub struct QuestionDocument {
    /// Its stable word.
    #[schema(value_type = String)]
    id: &'static str,
    /// What is asked.
    text: SaidDocument,
}

/// A text that is consented to.
#[derive(Serialize, ToSchema)]
pub struct ConsentForm {
    /// Its version.
    #[schema(value_type = String)]
    version: &'static str,
    /// The text.
    text: SaidDocument,
}

/// The questions of the health declaration and the text of the consent, in force now.
#[utoipa::path(
    get, path = "/v1/reference/declaration", tag = "reference",
    responses(
        (status = 200, description = "Questions and consent", body = DeclarationForm),
        (status = 304, description = "The caller has them"),
    )
)]
pub async fn get_declaration(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let question =
        |question: &declaration::Question| QuestionDocument { id: question.id, text: SaidDocument::of(question.text) };
    let consent = ConsentForm { version: declaration::CONSENT_VERSION, text: SaidDocument::of(declaration::CONSENT) };
    let questions = declaration::QUESTIONS.iter().map(question).collect();
    answer(&request, DeclarationForm { version: declaration::VERSION, questions, consent })
}

/// Which vaccination sites are asked for; all of them if nothing is said.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FacilityQuery {
    /// Those of the province with this code.
    #[param(example = "79")]
    province: Option<String>,
    /// Those with these codes: 100 at most, a comma between two.
    #[param(example = "79001,01001")]
    code: Option<String>,
}

/// How many facilities are named by their codes at once.
const MAX_FACILITIES_NAMED: usize = 100;

/// The vaccination sites.
#[utoipa::path(
    get, path = "/v1/reference/facilities", tag = "reference", params(FacilityQuery),
    responses(
        (status = 200, description = "Those that are asked for, by code", body = [FacilityDocument]),
        (status = 304, description = "The caller has them"),
        (status = 400, description = "`bad_parameter`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_facilities(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: FacilityQuery = query(&request, "expected ?province= and a province's code, ?code= and codes, or none")?;
    if [&query.province, &query.code].into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(Problem::new(Kind::BAD_PARAMETER)); // no text of the database holds one
    }
    let codes: Option<Vec<&str>> = query.code.as_deref().map(|codes| codes.split(',').collect());
    if codes.as_ref().is_some_and(|codes| codes.len() > MAX_FACILITIES_NAMED) {
        let detail = format!("expected {MAX_FACILITIES_NAMED} codes at most");
        return Err(Problem::new(Kind::BAD_PARAMETER).field("code").detail(detail));
    }
    let rows = app.store().facilities_of(query.province.as_deref(), codes.as_deref()).await?;
    let facility =
        |row: crate::store::Facility| FacilityDocument { code: row.code, name: row.name, province: row.province };
    answer(&request, rows.into_iter().map(facility).collect::<Vec<_>>())
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
        min_interval_days: row.min_interval_days,
        exists_since: row.exists_since.to_string(),
    });
    answer(&request, products.collect::<Vec<_>>())
}

fn answer<T: Serialize>(request: &HttpRequest, rows: T) -> Result<HttpResponse, Problem> {
    let json = serde_json::to_vec(&rows).map_err(Problem::internal)?;
    Ok(Published::new("application/json", CACHE, json).answer(request))
}
