//! `GET /v1/stats`: how many registered and how they stand, how many doses were given; counts only, nobody's data.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Reach;
use super::asked;
use super::auth::Staff;
use super::locality::{self, Locality, province_of};
use super::problem::Problem;
use super::refusals::ReadRefusals;
use crate::app::App;
use crate::registration::priority;
use crate::store::{DemandRow, Store};

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
    /// When they were counted, in seconds since 1970. Counts of a province and of the country are up to a minute old, a
    /// district's demand is counted anew.
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
    let (stats, store) = (app.stats(), staff.lookups(&request, &app));
    let totals = stats.totals(&store, now).await?;
    let (as_of, demand) = match &locality {
        None => {
            let demand = stats.demand(&store, None, now).await?;
            (demand.as_of, by_province(&demand.rows))
        }
        Some(place) if district.is_some() => (now, by_ward(place, &store.demand(Some(&place.districts)).await?)),
        Some(place) => {
            let demand = stats.demand(&store, Some((&place.province, &place.districts)), now).await?;
            (demand.as_of, by_ward(place, &demand.rows))
        }
    };
    let only = locality.as_ref().map(|place| place.province.as_str());
    let provinces = provinces(&store, &totals.doses, &totals.people, only).await?;
    Ok(asked::answer(&StatsDocument { as_of: as_of.0.min(totals.as_of.0), demand, provinces }))
}

fn by_ward(place: &Locality, rows: &[DemandRow]) -> Vec<DemandCount> {
    let count = |row: &DemandRow| DemandCount {
        province: place.province.clone(),
        district: row.district.clone(),
        ward: row.ward.clone(),
        group: priority::number(row.rank),
        status: row.status.clone(),
        count: row.count,
    };
    rows.iter().map(count).collect()
}

fn by_province(rows: &[DemandRow]) -> Vec<DemandCount> {
    let mut counts: BTreeMap<(&str, i64, &str), i64> = BTreeMap::new();
    for row in rows {
        *counts.entry((province_of(&row.district), row.rank, &row.status)).or_default() += row.count;
    }
    let count = |((province, rank, status), count): ((&str, i64, &str), i64)| DemandCount {
        province: province.to_owned(),
        district: String::new(),
        ward: String::new(),
        group: priority::number(rank),
        status: status.to_owned(),
        count,
    };
    counts.into_iter().map(count).collect()
}

async fn provinces(
    store: &Store,
    doses: &[(String, i64)],
    people: &[(String, i64)],
    only: Option<&str>,
) -> Result<Vec<ProvinceCount>, Problem> {
    let facilities = store.facilities().await?;
    let home: BTreeMap<&str, &str> = facilities.iter().map(|row| (row.code.as_str(), row.province.as_str())).collect();
    let mut counts: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for (facility, count) in doses {
        counts.entry(home.get(facility.as_str()).copied().unwrap_or("")).or_default().0 += count;
    }
    for (ward, count) in people {
        counts.entry(province_of(ward)).or_default().1 += count;
    }
    if let Some(province) = only {
        counts.retain(|code, _| *code == province);
    }
    let count = |(province, (doses, people)): (&str, (i64, i64))| ProvinceCount {
        province: province.to_owned(),
        doses,
        people,
    };
    Ok(counts.into_iter().map(count).collect())
}
