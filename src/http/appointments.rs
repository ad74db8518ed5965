//! `/v1/appointments/sessions`: vaccination sessions, who has a place in them, and a citizen's own appointments.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::NO_STORE;
use super::asked::{self, bad, refused};
use super::auth::Staff;
use super::people::{ends_of, open_sealed};
use super::problem::{Kind, Problem, ProblemDocument};
use super::refusals::{ReadRefusals, WriteRefusals};
use crate::app::App;
use crate::policy;
use crate::registration::sessions::{GiveBack, Place, Placed, parse_session_name, session_name};
use crate::store::{MAX_SESSIONS, SessionRow};

const ROUTE: &str = "POST /v1/appointments/sessions";
/// The most places that one session may have.
const MAX_CAPACITY: i64 = 2000;

/// A session to be held.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppointmentSessionRequest)] // there are sessions of browsers, too
pub struct SessionRequest {
    /// The facility's code.
    #[schema(example = "79001")]
    facility: String,
    /// The day in Viet Nam, `YYYY-MM-DD`, today or later.
    #[schema(example = "2021-08-03")]
    date: String,
    /// `HH:MM`.
    #[schema(example = "07:30")]
    begins: String,
    /// `HH:MM`, later than `begins`.
    #[schema(example = "11:00")]
    ends: String,
    /// The product's code, if it is known.
    product: Option<String>,
    /// How many places, 1 to 2000.
    capacity: i64,
}

/// A session.
#[derive(Serialize, ToSchema)]
#[schema(as = AppointmentSession)]
pub struct SessionDocument {
    /// Names it for ever.
    #[schema(example = "79001.0f3c5a7e1b2d4c6f8a9b0c1d2e3f4a5b")]
    session: String,
    /// The facility's code.
    facility: String,
    /// The day in Viet Nam.
    date: String,
    /// `HH:MM`.
    begins: String,
    /// `HH:MM`.
    ends: String,
    /// The product's code, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    /// How many places there are.
    capacity: i64,
    /// How many are taken.
    placed: i64,
}

impl SessionDocument {
    fn of(row: SessionRow) -> SessionDocument {
        SessionDocument {
            session: session_name(&row.facility, row.session),
            facility: row.facility,
            date: row.on_day.to_string(),
            begins: row.begins,
            ends: row.ends,
            product: row.product,
            capacity: row.capacity,
            placed: row.placed,
        }
    }
}

/// Whether a facility's sessions are within a caller's reach.
pub(super) async fn may_use(app: &App, staff: &Staff, facility: &str) -> Result<(), Problem> {
    let province = app.store().province_of_facility(facility).await?;
    staff.may_touch(facility, province.as_deref())
}

/// Why there is no place to be had.
pub(super) fn no_place(placed: Placed) -> Problem {
    match placed {
        Placed::Full => Problem::new(Kind::SESSION_FULL),
        Placed::Over => refused("session", "the session's day is past", "ngày của buổi tiêm đã qua"),
        Placed::UnknownSession => Problem::new(Kind::UNKNOWN_SESSION),
        Placed::UnknownRegistration => Problem::new(Kind::UNKNOWN_REGISTRATION),
        Placed::New | Placed::Already => Problem::internal("a place that was had is no refusal"),
    }
}

/// `HH:MM` of a day.
fn is_time(text: &str) -> bool {
    text.len() == 5 && text.as_bytes().get(2) == Some(&b':') && text.parse::<jiff::civil::Time>().is_ok()
}

fn checked(asked: SessionRequest, staff: &Staff, session: Uuid, app: &App) -> Result<SessionRow, Problem> {
    let now = app.clock().now();
    let on_day = Some(&asked.date).filter(|text| text.len() == 10).and_then(|text| text.parse().ok());
    let on_day = on_day.ok_or_else(|| {
        refused("date", "expected YYYY-MM-DD, a day of the calendar", "cần YYYY-MM-DD, một ngày có thật")
    })?;
    let product = asked.product.as_deref().map(|code| {
        let row = policy::product_by_code(code).map(|row| row.code.to_owned());
        row.ok_or_else(|| {
            refused("product", "see /v1/reference/products for the codes", "xem mã vắc xin ở /v1/reference/products")
        })
    });
    let product = product.transpose()?;
    match () {
        () if on_day < now.vietnamese_date() => Err(refused("date", "the day is past", "ngày này đã qua")),
        () if on_day > now.vietnamese_date().saturating_add(jiff::Span::new().days(366)) => {
            Err(refused("date", "expected a day within a year from now", "cần một ngày trong vòng một năm tới"))
        }
        () if !is_time(&asked.begins) => Err(refused("begins", "expected HH:MM", "cần HH:MM")),
        () if !is_time(&asked.ends) => Err(refused("ends", "expected HH:MM", "cần HH:MM")),
        () if asked.ends <= asked.begins => {
            Err(refused("ends", "it ends before it begins", "giờ kết thúc phải sau giờ bắt đầu"))
        }
        () if !(1..=MAX_CAPACITY).contains(&asked.capacity) => {
            Err(refused("capacity", "expected 1 to 2000", "cần 1 đến 2000"))
        }
        () => Ok(SessionRow {
            facility: asked.facility,
            session,
            on_day,
            begins: asked.begins,
            ends: asked.ends,
            product,
            capacity: asked.capacity,
            placed: 0,
            created_by: staff.caller.subject.clone(),
            created_at: now,
        }),
    }
}

/// Makes a session that people can be placed in. With an `Idempotency-Key`, sent again it makes no second one.
#[utoipa::path(
    post, path = "/v1/appointments/sessions", operation_id = "post_appointment_session", tag = "appointments", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Kept 24 hours for the caller: the same key with another body is refused")),
    request_body = SessionRequest,
    responses(
        (status = 201, description = "Made", body = SessionDocument),
        (status = 200, description = "Made before, under this key", body = SessionDocument),
        WriteRefusals,
    )
)]
pub async fn post_session(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, asked, bytes) = asked::json::<SessionRequest>(&app, &request, payload).await?;
    may_use(&app, &staff, &asked.facility).await?;
    let mut row = checked(asked, &staff, Uuid::nil(), &app)?;
    row.session = asked::new_id(&app, &staff, &request, ROUTE, &bytes).await?;
    let new = app.store().add_session(&row).await?;
    let row = app.store().session(&row.facility, row.session).await?.unwrap_or(row);
    let mut response = if new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.insert_header(NO_STORE).json(SessionDocument::of(row)))
}

/// Which sessions are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// Staff: whose; a facility has its own where nothing is said.
    facility: Option<String>,
    /// Staff: the first day, `YYYY-MM-DD`; today unless said.
    from: Option<String>,
    /// Staff: the last day, at most 366 after the first; 30 days after it unless said.
    to: Option<String>,
    /// Citizens: only this person's of the account's.
    person: Option<Uuid>,
}

/// Sessions, by day and time.
#[derive(Serialize, ToSchema)]
pub struct SessionList {
    /// At most 1000.
    sessions: Vec<ListedSession>,
    /// True if there are more: ask for fewer days.
    more: bool,
}

/// A session in a list.
#[derive(Serialize, ToSchema)]
pub struct ListedSession {
    /// The session.
    #[serde(flatten)]
    session: SessionDocument,
    /// Who of the account's has a place in it; for citizens.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<Uuid>,
}

/// The sessions of a facility by day; for a citizen, those in which the account's people have a place, the latest day first.
#[utoipa::path(
    get, path = "/v1/appointments/sessions", tag = "appointments", security(("bearer" = [])), params(SessionQuery),
    responses((status = 200, description = "The sessions", body = SessionList), ReadRefusals)
)]
pub async fn get_sessions(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let staff = Staff::of(&request, app.clock().now())?;
    let query: SessionQuery = asked::query(&request)?;
    let listed = match staff.account() {
        Some(account) => {
            if let Some(person) = query.person
                && !app.store().is_member(account, person).await?
            {
                return Err(Problem::new(Kind::NOT_YOURS));
            }
            let rows = app.store().sessions_of_account(account, query.person).await?;
            let own = |(row, person)| ListedSession { session: SessionDocument::of(row), person: Some(person) };
            rows.into_iter().map(own).collect()
        }
        None => of_facility(&app, &staff, &query).await?,
    };
    let more = i64::try_from(listed.len()).is_ok_and(|len| len >= MAX_SESSIONS);
    Ok(asked::answer(&SessionList { sessions: listed, more }))
}

async fn of_facility(app: &App, staff: &Staff, query: &SessionQuery) -> Result<Vec<ListedSession>, Problem> {
    let facility = query.facility.as_deref().or(staff.caller.facility.as_deref());
    let facility = facility.ok_or_else(|| bad("facility", "say whose sessions", "nêu cơ sở tiêm"))?;
    may_use(app, staff, facility).await?;
    let day = |field, text: &Option<String>| text.as_deref().map(|text| asked::day(field, text)).transpose();
    let from = day("from", &query.from)?.unwrap_or_else(|| app.clock().now().vietnamese_date());
    let to = day("to", &query.to)?.unwrap_or_else(|| from.saturating_add(jiff::Span::new().days(30)));
    if !(0..=366).contains(&(crate::certificate::day_from_date(to) - crate::certificate::day_from_date(from))) {
        return Err(bad("to", "expected a day at most 366 after `from`", "cần một ngày không quá 366 ngày sau `from`"));
    }
    let rows = app.store().sessions(facility, from, to).await?;
    Ok(rows.into_iter().map(|row| ListedSession { session: SessionDocument::of(row), person: None }).collect())
}

/// A session with the people who have a place in it.
#[derive(Serialize, ToSchema)]
pub struct SessionDetail {
    /// The session.
    #[serde(flatten)]
    session: SessionDocument,
    /// In the order of being placed.
    people: Vec<PlacedPerson>,
}

/// Somebody who has a place in a session.
#[derive(Serialize, ToSchema)]
pub struct PlacedPerson {
    /// Who.
    person: Uuid,
    /// The name as written.
    name: String,
    /// As precise as it is known.
    birth: String,
    /// `female`, `male`, `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sex: Option<String>,
    /// The last four digits of the identity number: enough to compare with a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_ends: Option<String>,
    /// The person's phone, or that of whoever registered them.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// How their registration stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// The doses that they have had, the first one first.
    doses: Vec<DoseBefore>,
    /// In seconds since 1970.
    placed_at: i64,
}

/// A dose that somebody has had: as much as the next one takes to know.
#[derive(Serialize, ToSchema)]
pub struct DoseBefore {
    /// The product's code.
    product: String,
    /// In seconds since 1970.
    given_at: i64,
    /// As its facility counted.
    number: u8,
}

/// Why people are looked at.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PurposeQuery {
    /// Why they are looked at, 1 to 200 characters without personal data: written to the audit trail.
    #[param(required)]
    pub purpose: Option<String>,
}

async fn session_of(app: &App, staff: &Staff, name: &str) -> Result<SessionRow, Problem> {
    let unknown = || Problem::new(Kind::UNKNOWN_SESSION);
    let (facility, session) = parse_session_name(name).ok_or_else(unknown)?;
    may_use(app, staff, &facility).await?;
    app.store().session(&facility, session).await?.ok_or_else(unknown)
}

/// A session and who has a place in it. In the audit trail before it is answered.
#[utoipa::path(
    get, path = "/v1/appointments/sessions/{session}", operation_id = "get_appointment_session", tag = "appointments", security(("bearer" = [])),
    params(("session" = String, Path, description = "Which"), PurposeQuery),
    responses(
        (status = 200, description = "The session", body = SessionDetail),
        (status = 404, description = "`unknown_session`", body = ProblemDocument, content_type = "application/problem+json"),
        ReadRefusals,
    )
)]
pub async fn get_session(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let row = session_of(&app, &staff, &path).await?;
    let purpose = asked::purpose(asked::query::<PurposeQuery>(&request)?.purpose)?;
    let rows = app.store().placed(row.session).await?;
    let why = format!("{purpose} [{}: {} people]", path.as_str(), rows.len());
    app.store().audit(&staff.audited("session.read", None, &why, now)).await?;
    let people = rows.into_iter().map(|placed| PlacedPerson {
        person: placed.person,
        name: placed.name,
        birth: placed.birth,
        sex: placed.sex,
        identity_ends: ends_of(&app, placed.identity_sealed.as_deref()),
        phone: open_sealed(&app, "phone", placed.phone_sealed.as_deref()),
        status: placed.status,
        doses: placed
            .doses
            .into_iter()
            .map(|dose| DoseBefore { product: dose.product, given_at: dose.given_at.0, number: dose.number })
            .collect(),
        placed_at: placed.placed_at.0,
    });
    Ok(asked::answer(&SessionDetail { people: people.collect(), session: SessionDocument::of(row) }))
}

/// Who is to have a place.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceRequest {
    /// Somebody who registered.
    person: Uuid,
}

/// The reach to a registration: of the caller's own province, whoever's session it is.
async fn may_place(app: &App, staff: &Staff, person: Uuid) -> Result<(), Problem> {
    let state = app.store().registration_state(person).await?;
    let state = state.ok_or_else(|| Problem::new(Kind::UNKNOWN_REGISTRATION))?;
    super::locality::within(app, staff, super::locality::province_of(&state.district)).await
}

/// Gives somebody who registered a place in a session. There are never more than there are places; sent again, it is the same.
#[utoipa::path(
    post, path = "/v1/appointments/sessions/{session}/places", tag = "appointments", security(("bearer" = [])),
    params(("session" = String, Path, description = "Which")),
    request_body = PlaceRequest,
    responses(
        (status = 201, description = "They have a place", body = SessionDocument),
        (status = 200, description = "They had it before", body = SessionDocument),
        (status = 404, description = "`unknown_session`, `unknown_registration`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`session_full`", body = ProblemDocument, content_type = "application/problem+json"),
        WriteRefusals,
    )
)]
pub async fn post_place(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, asked, _) = asked::json::<PlaceRequest>(&app, &request, payload).await?;
    let session = session_of(&app, &staff, &path).await?;
    may_place(&app, &staff, asked.person).await?;
    let place = Place {
        person: asked.person,
        audited: staff.audited("session.place", Some(asked.person), &path, app.clock().now()),
        facility: session.facility.clone(),
        session: session.session,
    };
    let mut response = match app.store().transact(&place).await? {
        Placed::New => HttpResponse::Created(),
        Placed::Already => HttpResponse::Ok(),
        refused => return Err(no_place(refused)),
    };
    let session = session_of(&app, &staff, &path).await?;
    Ok(response.insert_header(NO_STORE).json(SessionDocument::of(session)))
}

/// Gives a place back, for others to have.
#[utoipa::path(
    delete, path = "/v1/appointments/sessions/{session}/places/{person}", tag = "appointments", security(("bearer" = [])),
    params(("session" = String, Path, description = "Which"), ("person" = Uuid, Path, description = "Whose place")),
    responses(
        (status = 200, description = "The session as it is then", body = SessionDocument),
        (status = 404, description = "`unknown_session`, `unknown_registration`: they had no place there", body = ProblemDocument, content_type = "application/problem+json"),
        ReadRefusals,
    )
)]
pub async fn delete_place(
    app: web::Data<App>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let staff = Staff::of(&request, app.clock().now())?;
    let (name, person) = path.into_inner();
    let session = session_of(&app, &staff, &name).await?;
    let person = asked::person(&person)?;
    let place = Place {
        person,
        audited: staff.audited("session.place.back", Some(person), &name, app.clock().now()),
        facility: session.facility,
        session: session.session,
    };
    if !app.store().transact(&GiveBack(place)).await? {
        return Err(Problem::new(Kind::UNKNOWN_REGISTRATION));
    }
    Ok(asked::answer(&SessionDocument::of(session_of(&app, &staff, &name).await?)))
}
