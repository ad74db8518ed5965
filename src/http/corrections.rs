//! `/v1/corrections`: what is missing or wrong, said by those whom it concerns, answered by those who know.

mod documents;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::access::{Reach, Role};
use super::auth::Staff;
use super::dose_changes::CertificateAnswer;
use super::problem::{Kind, Problem, ProblemDocument};
use super::refusals::{ReadRefusals, WriteRefusals};
use super::{NO_STORE, asked};
use crate::app::App;
use crate::certificate::UnixSeconds;
use crate::registration::DoseError;
use crate::registration::amend::AmendError;
use crate::registration::corrections::{Actor, Answer, CorrectionError, CorrectionId, NewCorrection};
use crate::store::{CorrectionRow, QueueKey, QueueOf};

pub use documents::{CorrectionAnswer, CorrectionPatch, CorrectionRequest, Corrections, Step};

/// Where a page begins.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// How many, 1 to 200; 50 if it is not said.
    limit: Option<i64>,
}

const MAX_PAGE: i64 = 200;
const ROUTE: &str = "POST /v1/corrections";

pub(super) fn actor(staff: &Staff) -> Actor {
    Actor {
        subject: staff.caller.subject.clone(),
        role: staff.caller.role.as_str(),
        place: staff.caller.facility.clone().unwrap_or_default(),
    }
}

/// Says what is missing or wrong. The facility that gave the dose is to answer before the deadline.
///
/// A citizen for their own people, the response centre for them. With an `Idempotency-Key` the same again is the same correction.
#[utoipa::path(
    post, path = "/v1/corrections", tag = "corrections", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Kept 24 hours for the caller: the same key with another body is refused")),
    request_body = CorrectionRequest,
    responses(
        (status = 201, description = "Taken down", body = CorrectionAnswer),
        (status = 200, description = "Taken down before", body = CorrectionAnswer),
        WriteRefusals,
        (status = 404, description = "`unknown_person`, `unknown_dose`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`too_many_corrections`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`unprocessable`, `idempotency_key_reused`, or why a dose or a person cannot be so, with the `field`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_correction(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, asked, bytes) = asked::json::<CorrectionRequest>(&app, &request, payload).await?;
    let now = app.clock().now();
    let (exists, theirs) = app.store().knows_person(asked.person, staff.account()).await?;
    match staff.reach {
        Reach::Own if !theirs => return Err(Problem::new(Kind::NOT_YOURS)),
        _ if !exists => return Err(Problem::new(Kind::UNKNOWN_PERSON)),
        _ => {}
    }
    let (claim, said) = (asked.claim()?, asked.words()?);
    let facility = asked.facility(&app, &claim).await?;
    let id = asked::new_id(&app, &staff, &request, ROUTE, &bytes).await?;
    if staff.account().is_none() {
        app.store().audit(&staff.audited("correction.make", Some(asked.person), "a call", now)).await?;
    }
    let new = NewCorrection { id, person: asked.person, facility, claim, said };
    let (row, is_new) = app.desk().correct(&new, &actor(&staff), now).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.insert_header(NO_STORE).json(CorrectionAnswer::whole(&app, &staff, row)?))
}

/// A citizen's own corrections, or those that a facility, a province's facilities or all of them are to answer.
#[utoipa::path(
    get, path = "/v1/corrections", tag = "corrections", security(("bearer" = [])), params(PageQuery),
    responses(
        (status = 200, description = "A page", body = Corrections),
        ReadRefusals,
    )
)]
pub async fn get_corrections(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let staff = Staff::of(&request, app.clock().now())?;
    let wrong = |field: &'static str| Problem::new(Kind::BAD_PARAMETER).field(field);
    let query = web::Query::<PageQuery>::from_query(request.query_string()).map_err(|_| wrong("limit"))?;
    let limit = query.limit.unwrap_or(50);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(wrong("limit").detail(format!("expected 1 to {MAX_PAGE}")));
    }
    let after = query.after.as_deref().map(|after| place_of(after).ok_or_else(|| wrong("after"))).transpose()?;
    if let Some(account) = staff.account() {
        let rows = staff.lookups(&request, &app).corrections_of_account(account, limit).await?;
        let corrections = rows.iter().map(CorrectionAnswer::brief).collect();
        return Ok(HttpResponse::Ok().insert_header(NO_STORE).json(Corrections { corrections, next: None }));
    }
    let of = match (staff.caller.role, staff.caller.facility.clone(), staff.caller.province.clone()) {
        (Role::Facility, Some(facility), _) => QueueOf::Facility(facility),
        (Role::Province, _, Some(province)) => QueueOf::Province(province),
        _ if staff.reach == Reach::All => QueueOf::All,
        _ => return Err(Problem::new(Kind::NOT_YOURS)),
    };
    let mut rows = staff.lookups(&request, &app).correction_queue(&of, after.as_ref(), limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| format!("{}.{}.{}", row.due_at.0, row.id.simple(), row.facility));
    let corrections = rows.iter().map(CorrectionAnswer::brief).collect();
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(Corrections { corrections, next }))
}

/// The place that `next` names: deadline, id, facility.
fn place_of(text: &str) -> Option<QueueKey> {
    let mut parts = text.splitn(3, '.');
    let due_at = parts.next()?.parse().ok().filter(|at| (0..=1 << 40).contains(at)).map(UnixSeconds)?;
    let id = Uuid::try_parse(parts.next()?).ok()?;
    let facility = parts.next().filter(|code| code.len() <= 40 && !code.contains('\0'))?.to_owned();
    Some(QueueKey { facility, due_at, id })
}

/// The correction, if it is there and within the caller's reach.
pub(super) async fn of_theirs(app: &App, staff: &Staff, id: &str) -> Result<CorrectionId, Problem> {
    let unknown = || Problem::new(Kind::UNKNOWN_CORRECTION);
    let id: CorrectionId = id.parse().map_err(|()| unknown())?;
    let place = app.store().correction_place(id.person, id.correction, staff.account()).await?.ok_or_else(unknown)?;
    match staff.account() {
        Some(_) if place.of_account => Ok(id),
        Some(_) => Err(Problem::new(Kind::NOT_YOURS)),
        None => staff.may_touch(&place.facility, place.province.as_deref()).map(|()| id),
    }
}

pub(super) async fn read(app: &App, id: CorrectionId) -> Result<CorrectionRow, Problem> {
    let row = app.store().correction(id.person, id.correction).await?;
    row.ok_or_else(|| Problem::new(Kind::UNKNOWN_CORRECTION))
}

/// A correction with every step of it.
#[utoipa::path(
    get, path = "/v1/corrections/{id}", tag = "corrections", security(("bearer" = [])),
    params(("id" = String, Path, description = "The correction")),
    responses(
        (status = 200, description = "As it stands", body = CorrectionAnswer),
        ReadRefusals,
        (status = 404, description = "`unknown_correction`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_correction(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let id = of_theirs(&app, &staff, &path).await?;
    if staff.account().is_none() {
        app.store().audit(&staff.audited("correction.read", Some(id.person), "a correction", now)).await?;
    }
    let row = read(&app, id).await?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(CorrectionAnswer::whole(&app, &staff, row)?))
}

/// Answers a correction. What follows from an acceptance is so when this is answered: certificates that are no longer true are rejected.
///
/// A changed name, birth date or identity number, and a dose recorded more than a day ago, take a second person of the facility, who
/// accepts as well; the first answer is 202.
#[utoipa::path(
    patch, path = "/v1/corrections/{id}", tag = "corrections", security(("bearer" = [])),
    params(("id" = String, Path, description = "The correction")),
    request_body = CorrectionPatch,
    responses(
        (status = 200, description = "Answered", body = CorrectionAnswer),
        (status = 202, description = "Waits for a second person", body = CorrectionAnswer),
        WriteRefusals,
        (status = 403, description = "`role_not_allowed`, `not_yours`, `second_person_needed`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_correction`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`correction_changed`, `correction_closed`, `dose_voided`, `dose_duplicate`, `record_conflict`, `record_voided`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`unprocessable`, or why it cannot be so, with the `field`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn patch_correction(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, asked, _) = asked::json::<CorrectionPatch>(&app, &request, payload).await?;
    let (now, id) = (app.clock().now(), of_theirs(&app, &staff, &path).await?);
    let version = asked.version;
    let answer = asked.answer(&app).await?;
    app.store().audit(&staff.audited("correction.answer", Some(id.person), "a correction", now)).await?;
    let answered = app.answer_correction(id, version, &answer, &actor(&staff)).await?;
    let waits = answered.row.pending.is_some();
    let mut whole = CorrectionAnswer::whole(&app, &staff, answered.row)?;
    if matches!(answer, Answer::Accept(_)) && !waits {
        whole.revoked = Some(answered.revoked.iter().map(ToString::to_string).collect());
        whole.certificate = answered.certificate.as_ref().map(|row| CertificateAnswer::of(&app, row)).transpose()?;
    }
    let mut response = if waits { HttpResponse::Accepted() } else { HttpResponse::Ok() };
    Ok(response.insert_header(NO_STORE).json(whole))
}

impl From<CorrectionError> for Problem {
    fn from(error: CorrectionError) -> Problem {
        match error {
            CorrectionError::Unknown => Problem::new(Kind::UNKNOWN_CORRECTION),
            CorrectionError::UnknownPerson => Problem::new(Kind::UNKNOWN_PERSON),
            CorrectionError::Field(field, said) => Problem::new(Kind::UNPROCESSABLE).field(field).said(said),
            CorrectionError::NotYours => Problem::new(Kind::NOT_YOURS),
            CorrectionError::TooMany => Problem::new(Kind::TOO_MANY_CORRECTIONS),
            CorrectionError::Changed => Problem::new(Kind::CORRECTION_CHANGED),
            CorrectionError::Closed => Problem::new(Kind::CORRECTION_CLOSED),
            // Where the members stand in a correction.
            CorrectionError::Amend(AmendError::Dose(error @ DoseError::Invalid(_))) => {
                let field = error.field().unwrap_or_default();
                let field = match field.strip_prefix("person.") {
                    Some(member) => format!("data.{member}"),
                    None if field == "record_no" => field.to_owned(),
                    None => format!("given.{field}"),
                };
                Problem::from(error).field(field)
            }
            CorrectionError::Amend(error) => Problem::from(error),
            CorrectionError::Unreadable => Problem::internal(error),
        }
    }
}
