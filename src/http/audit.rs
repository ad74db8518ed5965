//! `GET /v1/audit`: who read or changed what of whose, and why; for the ministry.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::NO_STORE;
use super::asked::{self, bad};
use super::auth::Staff;
use super::problem::Problem;
use super::refusals::ReadRefusals;
use crate::app::App;
use crate::certificate::UnixSeconds;
use crate::store::AuditRow;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// The day in Viet Nam, `YYYY-MM-DD`.
    #[param(example = "2021-08-01")]
    day: String,
    /// Only what is about this person.
    person: Option<Uuid>,
    /// What the page before gave as `next`.
    after: Option<String>,
    /// How many, 1 to 500; 100 unless said.
    limit: Option<i64>,
}

/// A page of the audit trail.
#[derive(Serialize, ToSchema)]
pub struct AuditPage {
    /// Oldest first.
    entries: Vec<AuditEntry>,
    /// What the next page is asked with as `after`; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What somebody did.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    /// Which entry.
    id: Uuid,
    /// In seconds since 1970.
    at: i64,
    /// What they are.
    role: String,
    /// Who.
    subject: String,
    /// For which facility or province; empty for none.
    place: String,
    /// What they did, such as `person.read`.
    action: String,
    /// To whom, if it is about one person.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<Uuid>,
    /// Why.
    why: String,
}

impl AuditEntry {
    fn of(row: AuditRow) -> AuditEntry {
        AuditEntry {
            id: row.id,
            at: row.at.0,
            role: row.role,
            subject: row.subject,
            place: row.place,
            action: row.action,
            about: row.about,
            why: row.why,
        }
    }
}

/// A place in an order by instant and id, read from a cursor.
pub(super) fn parse_instant(parts: &[&str]) -> Option<(UnixSeconds, Uuid)> {
    let [at, id] = parts else { return None };
    let at = at.parse().ok().filter(|at| (0..=253_402_300_799).contains(at))?; // the year 9999
    Some((UnixSeconds(at), Uuid::try_parse(id).ok()?))
}

/// The same, written.
pub(super) fn instant_text(at: i64, id: Uuid) -> String {
    asked::cursor(&[&at.to_string(), &id.simple().to_string()])
}

/// What was done on a day, of everybody or about one person, oldest first. With `Accept: application/x-ndjson` one entry a
/// line, and the next page's `after` in the header `Next-After`. Reading it is in the audit trail, too.
#[utoipa::path(
    get, path = "/v1/audit", tag = "audit", security(("bearer" = [])), params(AuditQuery),
    responses(
        (status = 200, description = "The entries", content((AuditPage = "application/json"), (AuditEntry = "application/x-ndjson"))),
        ReadRefusals,
    )
)]
pub async fn get_audit(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let query: AuditQuery = asked::query(&request)?;
    let (day, limit) = (asked::day("day", &query.day)?, asked::limit(query.limit)?);
    if !(2020..=2200).contains(&day.year()) {
        return Err(bad("day", "expected a day since 2020", "cần một ngày từ năm 2020"));
    }
    let after = asked::parse_cursor(query.after.as_deref(), parse_instant)?;
    let rows = staff.lookups(&request, &app).audited_after(day, query.person, after, limit).await?;
    app.store().audit(&staff.audited("audit.read", query.person, &day.to_string(), now)).await?;
    let more = i64::try_from(rows.len()).is_ok_and(|len| len >= limit);
    let next = rows.last().filter(|_| more).map(|row| instant_text(row.at.0, row.id));
    let entries: Vec<AuditEntry> = rows.into_iter().map(AuditEntry::of).collect();
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if !accept.contains("ndjson") {
        return Ok(asked::answer(&AuditPage { entries, next }));
    }
    let mut response = HttpResponse::Ok();
    response.insert_header(NO_STORE).content_type("application/x-ndjson");
    if let Some(next) = next {
        response.insert_header(("Next-After", next));
    }
    let line = |entry: &AuditEntry| serde_json::to_string(entry).unwrap_or_default() + "\n";
    Ok(response.body(entries.iter().map(line).collect::<String>()))
}
