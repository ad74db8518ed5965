//! `GET /v1/doses`: what a facility recorded, by its numbers; `GET /v1/dose-changes`: what of it waits for a second person.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::access::{Reach, Role};
use super::appointments::PurposeQuery;
use super::asked::{self, bad};
use super::auth::Staff;
use super::people::{ends_of, open_sealed};
use super::problem::{Kind, Problem};
use super::refusals::ReadRefusals;
use crate::app::App;
use crate::registration::amend::DoseMembers;
use crate::registration::bounded;
use crate::registration::doses::DoseId;
use crate::store::{MAX_WAITING, NumberedDose, QueueOf, WaitingChange};

/// Which doses are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DoseQuery {
    /// A record number of the facility's, or how it begins: `D211127` for those of a desk on one day. All of them unless said.
    record_no: Option<String>,
    /// What the page before gave as `next`.
    after: Option<String>,
    /// How many, 1 to 500; 100 unless said.
    limit: Option<i64>,
    /// Why the list is needed, 1 to 200 characters without personal data: written to the audit trail.
    #[param(required)]
    purpose: Option<String>,
}

/// A page of a facility's doses.
#[derive(Serialize, ToSchema)]
pub struct DosePage {
    /// The highest record number first.
    doses: Vec<ListedDose>,
    /// What the next page is asked with as `after`; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A dose in its facility's list.
#[derive(Serialize, ToSchema)]
pub struct ListedDose {
    /// Names it for ever.
    dose: String,
    /// The number that it is listed under.
    record_no: String,
    /// The facility that gave it: another one, if it was recorded there first.
    facility: String,
    /// Whose.
    person: Uuid,
    /// The name as written.
    name: String,
    /// As precise as it is known.
    birth: String,
    /// `female`, `male`, `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sex: Option<String>,
    /// The phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// The last four digits of the identity number.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_ends: Option<String>,
    /// The product's code.
    product: String,
    /// The lot.
    lot: String,
    /// The last day on which the lot may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    lot_expires_on: Option<String>,
    /// In seconds since 1970.
    given_at: i64,
    /// As the facility counted.
    number: u8,
    /// Who gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    vaccinator: Option<String>,
    /// What is remarkable about it.
    flags: Vec<String>,
    /// True if it was voided: it does not count.
    voided: bool,
    /// In seconds since 1970.
    recorded_at: i64,
}

impl ListedDose {
    fn of(app: &App, row: NumberedDose) -> ListedDose {
        let NumberedDose { record_no, dose, voided, person } = row;
        ListedDose {
            dose: DoseId { person: dose.person, dose: dose.dose }.to_string(),
            record_no,
            facility: dose.facility,
            person: dose.person,
            name: person.name,
            birth: person.birth,
            sex: person.sex,
            phone: open_sealed(app, "phone", person.phone_sealed.as_deref()),
            identity_ends: ends_of(app, person.identity_sealed.as_deref()),
            product: dose.product,
            lot: dose.lot,
            lot_expires_on: dose.lot_expires_on.map(|day| day.to_string()),
            given_at: dose.given_at.0,
            number: dose.number,
            vaccinator: dose.vaccinator,
            flags: dose.flags,
            voided,
            recorded_at: dose.recorded_at.0,
        }
    }
}

/// The doses that a facility recorded, with whose they are, the highest record number first. In the audit trail before it is answered.
#[utoipa::path(
    get, path = "/v1/doses", tag = "doses", security(("bearer" = [])), params(DoseQuery),
    responses((status = 200, description = "A page", body = DosePage), ReadRefusals)
)]
pub async fn get_doses(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let facility = staff.facility()?;
    let query: DoseQuery = asked::query(&request)?;
    let purpose = asked::purpose(query.purpose)?;
    let limit = asked::limit(query.limit)?;
    let number = |field, text: Option<String>| {
        let wrong = || bad(field, "expected a record number, or how it begins", "cần số hồ sơ, hoặc phần đầu của số");
        text.map(|text| bounded(text, 64).ok_or_else(wrong)).transpose()
    };
    let begins = number("record_no", query.record_no)?.unwrap_or_default();
    let after = number("after", query.after)?;
    let rows = app.store().numbered_doses(facility, &begins, after.as_deref(), limit).await?;
    let why = format!("{purpose} [{} doses]", rows.len());
    app.store().audit(&staff.audited("dose.list", None, &why, now)).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|len| len == limit);
    let next = rows.last().filter(|_| full).map(|row| row.record_no.clone());
    Ok(asked::answer(&DosePage { doses: rows.into_iter().map(|row| ListedDose::of(&app, row)).collect(), next }))
}

/// Changes that wait.
#[derive(Serialize, ToSchema)]
pub struct WaitingChanges {
    /// By facility, the oldest first; at most 200.
    changes: Vec<WaitingDocument>,
    /// True if there are more.
    more: bool,
}

/// A change of a dose that waits for a second person.
#[derive(Serialize, ToSchema)]
pub struct WaitingDocument {
    /// Names the change: answered at `PATCH /v1/doses/{dose}`.
    change: Uuid,
    /// The dose.
    dose: String,
    /// The facility that gave it.
    facility: String,
    /// The facility's number of it.
    record_no: String,
    /// Whose.
    person: Uuid,
    /// The name as written.
    name: String,
    /// As precise as it is known.
    birth: String,
    /// True if it is to be voided.
    void: bool,
    /// What is to be so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    to: Option<DoseMembers>,
    /// What is so: `product`, `lot`, `lot_expires_on`, `given_at` in seconds since 1970, `number`.
    #[schema(value_type = Object)]
    from: serde_json::Value,
    /// Why.
    why: String,
    /// Who asked for it: not the one to agree.
    made_by: String,
    /// Whether that was the caller.
    mine: bool,
    /// In seconds since 1970.
    made_at: i64,
}

impl WaitingDocument {
    fn of(staff: &Staff, row: WaitingChange) -> WaitingDocument {
        let WaitingChange { change, dose, name, birth } = row;
        let void = change.members.get("void").is_some();
        WaitingDocument {
            change: change.change,
            dose: DoseId { person: change.person, dose: change.dose }.to_string(),
            facility: dose.facility,
            record_no: dose.record_no,
            person: change.person,
            name,
            birth,
            void,
            to: if void { None } else { serde_json::from_value(change.members).ok() },
            from: change.before,
            why: change.why,
            mine: change.made_by == staff.caller.subject,
            made_by: change.made_by,
            made_at: change.made_at.0,
        }
    }
}

/// The changes of a facility's doses, or a province's facilities', that wait for a second person. In the audit trail before it is
/// answered.
#[utoipa::path(
    get, path = "/v1/dose-changes", tag = "doses", security(("bearer" = [])), params(PurposeQuery),
    responses((status = 200, description = "Those that wait", body = WaitingChanges), ReadRefusals)
)]
pub async fn get_dose_changes(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let purpose = asked::purpose(asked::query::<PurposeQuery>(&request)?.purpose)?;
    let of = match (staff.caller.role, staff.caller.facility.clone(), staff.caller.province.clone()) {
        (Role::Facility, Some(facility), _) => QueueOf::Facility(facility),
        (Role::Province, _, Some(province)) => QueueOf::Province(province),
        _ if staff.reach == Reach::All => QueueOf::All,
        _ => return Err(Problem::new(Kind::NOT_YOURS)),
    };
    let rows = app.store().waiting_changes(&of).await?;
    let why = format!("{purpose} [{} changes]", rows.len());
    app.store().audit(&staff.audited("dose.changes", None, &why, now)).await?;
    let more = i64::try_from(rows.len()).is_ok_and(|len| len >= MAX_WAITING);
    let changes = rows.into_iter().map(|row| WaitingDocument::of(&staff, row)).collect();
    Ok(asked::answer(&WaitingChanges { changes, more }))
}
