//! `GET /v1/stats/places`, `/days` and `/facilities`: the counters as dashboards draw them. Counts only, nobody's data.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Reach;
use super::asked::{self, bad};
use super::auth::Staff;
use super::locality;
use super::problem::{Kind, Problem};
use super::refusals::ReadRefusals;
use crate::app::App;
use crate::app::stats::{DayCount, FacilityCount, Level, PlaceCount, Within};
use crate::certificate::{date_from_day, day_from_date};

/// The most days that are told at once.
const MAX_DAYS: i64 = 400;
/// How many are told where nothing is said.
const DAYS: i64 = 60;

/// Which places.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PlacesQuery {
    /// `province`, `district` or `ward`.
    #[param(example = "district")]
    level: String,
    /// A province's or a district's code; a province has its own where nothing is said, others the whole country. Communes are
    /// told of one province or one district.
    #[param(example = "79")]
    within: Option<String>,
}

/// Which days.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DaysQuery {
    /// A province's or a district's code; a province has its own where nothing is said, others the whole country.
    within: Option<String>,
    /// The first day, `YYYY-MM-DD`; where nothing is said, so that there are 60.
    #[param(example = "2021-08-01")]
    from: Option<String>,
    /// The last day; where nothing is said, today. At most 400 days.
    #[param(example = "2021-08-30")]
    to: Option<String>,
}

/// Whose facilities.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FacilitiesQuery {
    /// A province's code; a province has its own where nothing is said, others the whole country.
    within: Option<String>,
}

/// Places as they stand.
#[derive(Serialize, ToSchema)]
pub struct PlacesDocument {
    /// When they were read, in seconds since 1970. What was committed a second or so before may be missing.
    as_of: i64,
    /// By code; of the whole country's provinces the last has no code if anything is counted of which the place is not known.
    places: Vec<PlaceCount>,
}

/// Days as they went.
#[derive(Serialize, ToSchema)]
pub struct DaysDocument {
    /// Every day, in order. Of a district the doses given to people who live there, else those that its facilities gave.
    days: Vec<DayCount>,
}

/// Facilities as they stand.
#[derive(Serialize, ToSchema)]
pub struct FacilitiesDocument {
    /// By code.
    facilities: Vec<FacilityCount>,
}

/// The part of the country that is asked for, and may be: a district, a province, the caller's own, or all of it.
pub(super) async fn within(app: &App, staff: &Staff, code: Option<&str>) -> Result<Within, Problem> {
    let (province, district) = match code {
        None if staff.reach == Reach::All => return Ok(Within::Country),
        None => (None, None),
        Some(code) if code.len() == 3 => (None, Some(code)),
        Some(code) if code.len() == 2 => (Some(code), None),
        Some(_) => {
            return Err(bad("within", "expected the code of a province or a district", "cần mã tỉnh hoặc mã huyện"));
        }
    };
    let place = locality::asked_for(app, staff, province, district).await;
    let place = place.map_err(|problem| {
        // The parameter's name is this route's own.
        if problem.kind() == Kind::BAD_PARAMETER { problem.field("within") } else { problem }
    })?;
    Ok(match district {
        Some(_) => Within::District(place.code().to_owned()),
        None => Within::Province(place.province),
    })
}

/// Registrations, people, doses and corrections by province, district or commune.
#[utoipa::path(
    get, path = "/v1/stats/places", tag = "stats", security(("bearer" = [])), params(PlacesQuery),
    responses((status = 200, description = "The places", body = PlacesDocument), ReadRefusals)
)]
pub async fn get_places(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let query: PlacesQuery = asked::query(&request)?;
    let level = match query.level.as_str() {
        "province" => Level::Province,
        "district" => Level::District,
        "ward" => Level::Ward,
        _ => return Err(bad("level", "expected province, district or ward", "cần province, district hoặc ward")),
    };
    let within = within(&app, &staff, query.within.as_deref()).await?;
    match (level, &within) {
        (Level::Ward, Within::Country) => {
            return Err(bad("within", "say which province or district", "nêu tỉnh hoặc quận, huyện"));
        }
        (Level::Province, Within::District(_)) => {
            return Err(bad("within", "a district has no provinces", "quận, huyện không có tỉnh"));
        }
        _ => {}
    }
    let places = app.stats().places(app.store(), level, &within, now.vietnamese_date()).await?;
    Ok(asked::answer(&PlacesDocument { as_of: now.0, places: places.to_vec() }))
}

/// Registrations made, doses given and doses recorded, day by day.
#[utoipa::path(
    get, path = "/v1/stats/days", tag = "stats", security(("bearer" = [])), params(DaysQuery),
    responses((status = 200, description = "The days", body = DaysDocument), ReadRefusals)
)]
pub async fn get_days(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let query: DaysQuery = asked::query(&request)?;
    let within = within(&app, &staff, query.within.as_deref()).await?;
    let days = span(&query, now.vietnamese_date())?;
    let days = app.stats().days(app.store(), &within, days).await?;
    Ok(asked::answer(&DaysDocument { days: days.to_vec() }))
}

/// The first and the last day that are asked for.
fn span(query: &DaysQuery, today: Date) -> Result<(Date, Date), Problem> {
    let day = |field, text: &Option<String>| text.as_deref().map(|text| asked::day(field, text)).transpose();
    let to = day("to", &query.to)?.unwrap_or(today);
    let from = day("from", &query.from)?.unwrap_or_else(|| date_from_day(day_from_date(to) - DAYS + 1));
    match day_from_date(to) - day_from_date(from) + 1 {
        1..=MAX_DAYS => Ok((from, to)),
        _ => Err(bad("from", "expected 1 to 400 days, the first one first", "cần 1 đến 400 ngày, ngày đầu trước")),
    }
}

/// Doses, lag and corrections by facility.
#[utoipa::path(
    get, path = "/v1/stats/facilities", operation_id = "get_facility_counts", tag = "stats", security(("bearer" = [])),
    params(FacilitiesQuery),
    responses((status = 200, description = "The facilities", body = FacilitiesDocument), ReadRefusals)
)]
pub async fn get_facility_counts(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let query: FacilitiesQuery = asked::query(&request)?;
    let within = within(&app, &staff, query.within.as_deref()).await?;
    if matches!(within, Within::District(_)) {
        return Err(bad(
            "within",
            "expected a province's code: facilities belong to provinces",
            "cần mã tỉnh: cơ sở thuộc về tỉnh",
        ));
    }
    let facilities = app.stats().facilities(app.store(), &within, now.vietnamese_date()).await?;
    Ok(asked::answer(&FacilitiesDocument { facilities: facilities.to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn days_are_one_to_four_hundred() {
        let today = date(2021, 8, 1);
        let query = |from: Option<&str>, to: Option<&str>| DaysQuery {
            within: None,
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        assert_eq!(span(&query(None, None), today).ok(), Some((date(2021, 6, 3), today)));
        assert_eq!(span(&query(Some("2021-08-01"), None), today).ok(), Some((today, today)));
        assert_eq!(span(&query(None, Some("2021-07-31")), today).ok(), Some((date(2021, 6, 2), date(2021, 7, 31))));
        for (from, good) in [("2020-06-28", true), ("2020-06-27", false), ("2021-08-02", false), ("1.8.2021", false)] {
            assert_eq!(span(&query(Some(from), Some("2021-08-01")), today).is_ok(), good, "{from}");
        }
    }
}
