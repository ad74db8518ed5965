//! `GET /v1/stats`: how many registered and how they stand, how many doses were given; counts only, nobody's data.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Reach;
use super::asked;
use super::auth::Staff;
use super::locality::{self, province_of};
use super::problem::Problem;
use super::refusals::ReadRefusals;
use crate::app::App;
use crate::app::stats::{Demand, Level, PlaceCount, Within, places_of};
use crate::registration::priority;

/// What is counted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatsQuery {
    /// The province's code; a province has its own where nothing is said, others the whole country.
    #[param(example = "79")]
    province: Option<String>,
    /// The district's code.
    district: Option<String>,
}

/// The counts.
#[derive(Serialize, ToSchema)]
pub struct StatsDocument {
    /// When they were read, in seconds since 1970. What was committed a second or so before may be missing.
    as_of: i64,
    /// How many registrations stand how: by commune where a province or a district is asked for, else by province.
    demand: Vec<DemandCount>,
    /// Doses and people by province: of the one asked for, or of all.
    provinces: Vec<ProvinceCount>,
}

/// How many registrations of a place and a priority group stand so.
#[derive(Serialize, ToSchema)]
pub struct DemandCount {
    /// The province's code.
    province: String,
    /// The district's code.
    #[serde(skip_serializing_if = "String::is_empty")]
    district: String,
    /// The commune's code.
    #[serde(skip_serializing_if = "String::is_empty")]
    ward: String,
    /// The priority group, 0 for none.
    group: u8,
    /// How they stand.
    status: String,
    /// How many.
    count: i64,
}

/// What is counted of a province.
#[derive(Serialize, ToSchema)]
pub struct ProvinceCount {
    /// Its code; empty for those of whom it is not known.
    province: String,
    /// Doses that its facilities gave, without those voided.
    doses: i64,
    /// People known who live there, registered or vaccinated.
    people: i64,
}

/// Demand by commune, priority group and status; doses and people by province. Counts only.
#[utoipa::path(
    get, path = "/v1/stats", tag = "stats", security(("bearer" = [])), params(StatsQuery),
    responses((status = 200, description = "The counts", body = StatsDocument), ReadRefusals)
)]
pub async fn get_stats(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let query: StatsQuery = asked::query(&request)?;
    let (province, district) = (query.province.as_deref(), query.district.as_deref());
    let whole = staff.reach == Reach::All && province.is_none() && district.is_none();
    let locality = match whole {
        true => None,
        false => Some(locality::asked_for(&app, &staff, province, district).await?),
    };
    let (stats, store, today) = (app.stats(), staff.lookups(&request, &app), now.vietnamese_date());
    let (level, within) = match &locality {
        None => (Level::Province, Within::Country),
        Some(place) if district.is_some() => (Level::Ward, Within::District(place.code().to_owned())),
        Some(place) => (Level::Ward, Within::Province(place.province.clone())),
    };
    let demand = stats.demand(&store, level, &within).await?;
    let province = locality.as_ref().map_or(Within::Country, |place| Within::Province(place.province.clone()));
    let provinces = stats.places(&store, Level::Province, &province, today).await?;
    let counted = |place: &&PlaceCount| place.doses > 0 || place.people > 0;
    let count =
        |place: &PlaceCount| ProvinceCount { province: place.code.clone(), doses: place.doses, people: place.people };
    Ok(asked::answer(&StatsDocument {
        as_of: now.0,
        demand: demand.iter().map(demand_of).collect(),
        provinces: provinces.iter().filter(counted).map(count).collect(),
    }))
}

fn demand_of(row: &Demand) -> DemandCount {
    let ward = if row.place.len() > 2 { row.place.clone() } else { String::new() };
    DemandCount {
        province: province_of(&row.place).to_owned(),
        district: places_of(&ward).map_or(String::new(), |(district, _)| district.to_owned()),
        ward,
        group: priority::number(row.rank),
        status: row.status.clone(),
        count: row.count,
    }
}
