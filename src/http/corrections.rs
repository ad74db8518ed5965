//! `/v1/corrections`: what is missing or wrong, said by those whom it concerns, answered by those who know.

use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::access::{Reach, Role};
use super::auth::Staff;
use super::body::{Body, Media};
use super::dose_changes::{CertificateAnswer, reason};
use super::photos;
use super::problem::{Kind, Problem, ProblemDocument};
use super::{NO_STORE, idempotency};
use crate::app::App;
use crate::certificate::UnixSeconds;
use crate::language::Said;
use crate::registration::DoseError;
use crate::registration::amend::{AmendError, DoseMembers};
use crate::registration::corrections::{
    Accept, Actor, Answer, Claim, CorrectionError, CorrectionId, MISSING_DOSE, NewCorrection, PersonMembers, WRONG_DATA,
};
use crate::registration::doses::DoseId;
use crate::store::{CorrectionRow, QueueKey, QueueOf};

/// What is missing or wrong.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectionRequest {
    /// About whom.
    person: Uuid,
    /// `missing_dose` or `wrong_data`.
    #[schema(example = "missing_dose")]
    kind: String,
    /// In your own words, 1 to 1000 characters.
    text: String,
    /// The code of the facility that gave the dose, which is to answer. For wrong data: the one that gave the latest dose, if none
    /// is named.
    facility: Option<String>,
    /// The dose that is recorded wrongly.
    dose: Option<String>,
    /// What is so of the dose: `product`, `given_at`, `number`, `lot`, `lot_expires_on`.
    #[schema(value_type = Option<Object>)]
    given: Option<DoseMembers>,
    /// What is so of the person.
    data: Option<PersonMembers>,
}

/// One thing that was done.
#[derive(Serialize, ToSchema)]
pub struct Step {
    /// In seconds since 1970.
    at: i64,
    /// By which role; empty for the service itself.
    role: String,
    /// The code of the facility, if it is one's.
    place: String,
    /// Who, for staff to see.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// `made`, `photo`, `passed_on`, `proposed`, `overdue`, `accepted`, `rejected`.
    what: String,
    /// Why.
    note: String,
}

/// A correction as it stands.
#[derive(Serialize, ToSchema)]
pub struct CorrectionAnswer {
    /// Names it for ever.
    id: String,
    /// About whom.
    person: Uuid,
    /// `missing_dose`, `wrong_data`, `unclear_person`.
    kind: String,
    /// `open`, `checking` by a second person, `overdue`, `accepted`, `rejected`.
    status: String,
    /// The facility that is to answer.
    facility: String,
    /// In the words of the one who said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The dose it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    dose: Option<String>,
    /// What is so of the dose.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    given: Option<DoseMembers>,
    /// What is so of the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PersonMembers>,
    /// Whose the dose may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates: Option<Vec<Uuid>>,
    /// Whether there is a photo.
    photo: bool,
    /// What was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<Step>>,
    /// To be sent with an answer: it changes with every step.
    version: i64,
    /// In seconds since 1970.
    made_at: i64,
    /// Until when the facility is to answer, in seconds since 1970.
    due_at: i64,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<i64>,
    /// Certificates that are rejected from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Vec<String>>,
    /// The certificate in force after an acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateAnswer>,
}

/// A page of corrections.
#[derive(Serialize, ToSchema)]
pub struct Corrections {
    /// Those that are not closed, by facility and deadline; a citizen's own, the newest first.
    corrections: Vec<CorrectionAnswer>,
    /// What the next page begins after; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What the facility answers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectionPatch {
    /// The version that was read.
    version: i64,
    /// `accept`, `reject` or `pass_on`.
    #[schema(example = "accept")]
    answer: String,
    /// Why it is rejected or passed on.
    why: Option<String>,
    /// To whom it is passed on.
    facility: Option<String>,
    /// The facility's number of a missing dose; one of ours if none is given.
    record_no: Option<String>,
    /// Members of the dose that the facility says otherwise or beside, such as its lot.
    #[schema(value_type = Option<Object>)]
    given: Option<DoseMembers>,
    /// Whose an unclear dose is: one of the candidates.
    person: Option<Uuid>,
}

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

/// The longest request: a text of 1000 characters, each written as `\uXXXX\uXXXX`, and the rest.
const MAX_BODY_BYTES: usize = 20 * 1024;
const MAX_TEXT_CHARS: usize = 1000;
const MAX_PAGE: i64 = 200;
const ROUTE: &str = "POST /v1/corrections";

fn refuse(field: &'static str, en: &'static str, vi: &'static str) -> Problem {
    Problem::new(Kind::UNPROCESSABLE).field(field).said(Said { en, vi })
}

fn actor(staff: &Staff) -> Actor {
    Actor {
        subject: staff.caller.subject.clone(),
        role: staff.caller.role.as_str(),
        place: staff.caller.facility.clone().unwrap_or_default(),
    }
}

impl CorrectionRequest {
    fn claim(&self) -> Result<Claim, Problem> {
        let dose = self.dose.as_deref().map(|dose| {
            let id: Option<DoseId> = dose.parse().ok();
            id.filter(|id| id.person == self.person).map(|id| id.dose).ok_or_else(|| Problem::new(Kind::UNKNOWN_DOSE))
        });
        let claim = Claim {
            dose: dose.transpose()?,
            given: self.given.clone(),
            data: self.data.clone(),
            candidates: Vec::new(),
        };
        let none = |claim: &Claim| {
            claim.given.as_ref().is_none_or(|given| *given == DoseMembers::default())
                && claim.data.as_ref().is_none_or(|data| *data == PersonMembers::default())
        };
        let shape = match self.kind.as_str() {
            MISSING_DOSE => claim.dose.is_none() && claim.given.is_some() && claim.data.is_none(),
            WRONG_DATA => {
                claim.dose.is_some() == claim.given.is_some() && claim.given.is_some() != claim.data.is_some()
            }
            _ => return Err(refuse("kind", "expected missing_dose or wrong_data", "cần missing_dose hoặc wrong_data")),
        };
        if !shape || none(&claim) {
            return Err(refuse(
                "kind",
                "expected given for a missing dose; dose and given, or data, for wrong data",
                "cần given cho mũi bị thiếu; dose và given, hoặc data, cho dữ liệu sai",
            ));
        }
        Ok(claim)
    }

    fn words(&self) -> Result<String, Problem> {
        let text = self.text.trim();
        let control = |c: char| c.is_control() && c != '\n';
        if text.is_empty() || text.chars().count() > MAX_TEXT_CHARS || text.chars().any(control) {
            return Err(refuse(
                "text",
                "expected 1 to 1000 characters without control characters",
                "cần 1 đến 1000 ký tự, không có ký tự điều khiển",
            ));
        }
        Ok(text.to_owned())
    }

    /// The facility that is to answer, known to the reference data.
    async fn facility(&self, app: &App, claim: &Claim) -> Result<String, Problem> {
        let given_by = match (&self.facility, claim.dose) {
            (_, Some(dose)) => {
                let place = app.store().dose_place(self.person, dose).await?;
                Some(place.ok_or_else(|| Problem::new(Kind::UNKNOWN_DOSE))?.0)
            }
            (Some(facility), None) => Some(facility.clone()),
            (None, None) if self.kind == WRONG_DATA => app.store().last_facility(self.person).await?,
            (None, None) => None,
        };
        let unknown = || {
            let (en, vi) = ("see /v1/reference/facilities for the codes", "xem mã cơ sở ở /v1/reference/facilities");
            refuse("facility", en, vi)
        };
        let facility = given_by.filter(|code| code.len() <= 40).ok_or_else(unknown)?;
        app.store().facility_province(&facility).await?.ok_or_else(unknown)?;
        Ok(facility)
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
        (status = 400, description = "`bad_json`, `wrong_shape`, `bad_parameter`, `body_broken`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`no_token`, `token_invalid`, `token_expired`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`role_not_allowed`, `not_yours`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_person`, `unknown_dose`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`too_many_corrections`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`unprocessable`, `idempotency_key_reused`, or why a dose or a person cannot be so, with the `field`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`, `overloaded`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_correction(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = Body::of(&request, payload);
    let now = app.clock().now();
    let begun = Staff::of(&request, now).and_then(|staff| {
        Body::media(&request, &[Media::Json])?;
        Ok((staff, idempotency::key(&request)?))
    });
    let (staff, key) = match begun {
        Ok(begun) => begun,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    let bytes = body.whole(MAX_BODY_BYTES).await?;
    let asked: CorrectionRequest = serde_json::from_slice(&bytes)?;
    let (exists, theirs) = app.store().knows_person(asked.person, staff.account()).await?;
    match staff.reach {
        Reach::Own if !theirs => return Err(Problem::new(Kind::NOT_YOURS)),
        _ if !exists => return Err(Problem::new(Kind::UNKNOWN_PERSON)),
        _ => {}
    }
    let (claim, said) = (asked.claim()?, asked.words()?);
    let facility = asked.facility(&app, &claim).await?;
    let mut id = Uuid::new_v4();
    if let Some(key) = key {
        idempotency::claim(&app, &staff, ROUTE, &key, &bytes).await?;
        let name = format!("{} {} {key}", staff.caller.role.as_str(), staff.caller.subject);
        let hash = digest(&SHA256, name.as_bytes());
        let head = hash.as_ref().first_chunk::<16>().ok_or_else(|| Problem::internal("SHA-256 is not 32 bytes"))?;
        id = Uuid::from_bytes(*head);
    }
    if staff.account().is_none() {
        app.store().audit(&staff.audited("correction.make", Some(asked.person), "a call", now)).await?;
    }
    let new = NewCorrection { id, person: asked.person, facility, claim, said };
    let (row, is_new) = app.desk().correct(&new, &actor(&staff), now).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.insert_header(NO_STORE).json(CorrectionAnswer::whole(&app, &staff, row)?))
}

impl CorrectionAnswer {
    /// As a list has it: nothing of what is claimed.
    fn brief(row: &CorrectionRow) -> CorrectionAnswer {
        CorrectionAnswer {
            id: CorrectionId { person: row.person, correction: row.id }.to_string(),
            person: row.person,
            kind: row.kind.clone(),
            status: row.status.clone(),
            facility: row.facility.clone(),
            text: None,
            dose: None,
            given: None,
            data: None,
            candidates: None,
            photo: row.attachment.is_some(),
            steps: None,
            version: row.version,
            made_at: row.made_at.0,
            due_at: row.due_at.0,
            closed_at: row.closed_at.map(|at| at.0),
            revoked: None,
            certificate: None,
        }
    }

    fn whole(app: &App, staff: &Staff, row: CorrectionRow) -> Result<CorrectionAnswer, Problem> {
        let claim = app.desk().claim_of(&row)?;
        let (brief, person) = (CorrectionAnswer::brief(&row), row.person);
        let of_staff = staff.account().is_none();
        Ok(CorrectionAnswer {
            text: (!row.said.is_empty()).then_some(row.said),
            dose: claim.dose.map(|dose| DoseId { person, dose }.to_string()),
            given: claim.given,
            data: claim.data,
            // Who else it may be is nobody's business but the facility's.
            candidates: (of_staff && !claim.candidates.is_empty()).then_some(claim.candidates),
            steps: Some(row.steps.iter().map(|step| Step::of(step, of_staff)).collect()),
            ..brief
        })
    }
}

impl Step {
    fn of(step: &Value, of_staff: bool) -> Step {
        let text = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Step {
            at: step.get("at").and_then(Value::as_i64).unwrap_or_default(),
            role: text("role"),
            place: text("place"),
            by: of_staff.then(|| text("by")),
            what: text("what"),
            note: text("note"),
        }
    }
}

/// A citizen's own corrections, or those that a facility, a province's facilities or all of them are to answer.
#[utoipa::path(
    get, path = "/v1/corrections", tag = "corrections", security(("bearer" = [])), params(PageQuery),
    responses(
        (status = 200, description = "A page", body = Corrections),
        (status = 400, description = "`bad_parameter`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`no_token`, `token_invalid`, `token_expired`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`role_not_allowed`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemDocument, content_type = "application/problem+json"),
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
        let rows = app.store().corrections_of_account(account, limit).await?;
        let corrections = rows.iter().map(CorrectionAnswer::brief).collect();
        return Ok(HttpResponse::Ok().insert_header(NO_STORE).json(Corrections { corrections, next: None }));
    }
    let of = match (staff.caller.role, staff.caller.facility.clone(), staff.caller.province.clone()) {
        (Role::Facility, Some(facility), _) => QueueOf::Facility(facility),
        (Role::Province, _, Some(province)) => QueueOf::Province(province),
        _ if staff.reach == Reach::All => QueueOf::All,
        _ => return Err(Problem::new(Kind::NOT_YOURS)),
    };
    let mut rows = app.store().correction_queue(&of, after.as_ref(), limit + 1).await?;
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
async fn of_theirs(app: &App, staff: &Staff, id: &str) -> Result<CorrectionId, Problem> {
    let unknown = || Problem::new(Kind::UNKNOWN_CORRECTION);
    let id: CorrectionId = id.parse().map_err(|()| unknown())?;
    let place = app.store().correction_place(id.person, id.correction, staff.account()).await?.ok_or_else(unknown)?;
    match staff.account() {
        Some(_) if place.of_account => Ok(id),
        Some(_) => Err(Problem::new(Kind::NOT_YOURS)),
        None => staff.may_touch(&place.facility, place.province.as_deref()).map(|()| id),
    }
}

async fn read(app: &App, id: CorrectionId) -> Result<CorrectionRow, Problem> {
    let row = app.store().correction(id.person, id.correction).await?;
    row.ok_or_else(|| Problem::new(Kind::UNKNOWN_CORRECTION))
}

/// A correction with every step of it.
#[utoipa::path(
    get, path = "/v1/corrections/{id}", tag = "corrections", security(("bearer" = [])),
    params(("id" = String, Path, description = "The correction")),
    responses(
        (status = 200, description = "As it stands", body = CorrectionAnswer),
        (status = 401, description = "`no_token`, `token_invalid`, `token_expired`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`role_not_allowed`, `not_yours`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_correction`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemDocument, content_type = "application/problem+json"),
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

impl CorrectionPatch {
    async fn answer(self, app: &App) -> Result<Answer, Problem> {
        let accepting = self.record_no.is_some() || self.given.is_some() || self.person.is_some();
        match self.answer.as_str() {
            "accept" if self.why.is_none() && self.facility.is_none() => Ok(Answer::Accept(Accept {
                record_no: self.record_no,
                given: self.given.unwrap_or_default(),
                person: self.person,
            })),
            "reject" if self.facility.is_none() && !accepting => {
                Ok(Answer::Reject(reason(self.why.as_deref(), "why")?))
            }
            "pass_on" if !accepting => {
                let why = reason(self.why.as_deref(), "why")?;
                let facility = self.facility.filter(|code| code.len() <= 40).unwrap_or_default();
                let known = app.store().facility_province(&facility).await?;
                let (en, vi) =
                    ("see /v1/reference/facilities for the codes", "xem mã cơ sở ở /v1/reference/facilities");
                known.map(|_| Answer::PassOn(facility, why)).ok_or_else(|| refuse("facility", en, vi))
            }
            "accept" | "reject" | "pass_on" => Err(refuse(
                "answer",
                "accept comes with record_no, given or person; reject with why; pass_on with why and facility",
                "accept đi với record_no, given hoặc person; reject với why; pass_on với why và facility",
            )),
            _ => Err(refuse("answer", "expected accept, reject or pass_on", "cần accept, reject hoặc pass_on")),
        }
    }
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
        (status = 400, description = "`bad_json`, `wrong_shape`, `body_broken`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`no_token`, `token_invalid`, `token_expired`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`role_not_allowed`, `not_yours`, `second_person_needed`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_correction`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`correction_changed`, `correction_closed`, `dose_voided`, `dose_duplicate`, `record_conflict`, `record_voided`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`unprocessable`, or why it cannot be so, with the `field`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`, `overloaded`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn patch_correction(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = Body::of(&request, payload);
    let now = app.clock().now();
    let begun = Staff::of(&request, now).and_then(|staff| {
        Body::media(&request, &[Media::Json])?;
        Ok(staff)
    });
    let staff = match begun {
        Ok(staff) => staff,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    let bytes = body.whole(MAX_BODY_BYTES).await?;
    let id = of_theirs(&app, &staff, &path).await?;
    let asked: CorrectionPatch = serde_json::from_slice(&bytes)?;
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

/// Keeps a photo of the paper slip with an open correction, in the place of the one before it.
#[utoipa::path(
    put, path = "/v1/corrections/{id}/photo", tag = "corrections", security(("bearer" = [])),
    params(("id" = String, Path, description = "The correction")),
    request_body(content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"))),
    responses(
        (status = 200, description = "Kept", body = CorrectionAnswer),
        (status = 400, description = "`body_broken`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`no_token`, `token_invalid`, `token_expired`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`role_not_allowed`, `not_yours`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_correction`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`correction_closed`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`: 2 MiB at most", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`unprocessable`: not a picture of that kind, or of too many pixels", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`, `overloaded`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn put_photo(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = Body::of(&request, payload);
    let now = app.clock().now();
    let begun =
        Staff::of(&request, now).and_then(|staff| Ok((staff, Body::media(&request, &[Media::Jpeg, Media::Png])?)));
    let (staff, media) = match begun {
        Ok(begun) => begun,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    let id = match of_theirs(&app, &staff, &path).await {
        Ok(id) => id,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    let photo = body.whole(photos::MAX_BYTES).await?;
    photos::check(media, &photo)?;
    let row = app.desk().attach(id, media.name(), &photo, &actor(&staff), now).await?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(CorrectionAnswer::whole(&app, &staff, row)?))
}

/// The photo of a correction.
#[utoipa::path(
    get, path = "/v1/corrections/{id}/photo", tag = "corrections", security(("bearer" = [])),
    params(("id" = String, Path, description = "The correction")),
    responses(
        (status = 200, description = "The photo", content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"))),
        (status = 401, description = "`no_token`, `token_invalid`, `token_expired`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`role_not_allowed`, `not_yours`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_correction`: or it has no photo", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_photo(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let id = of_theirs(&app, &staff, &path).await?;
    if staff.account().is_none() {
        app.store().audit(&staff.audited("correction.photo", Some(id.person), "a correction", now)).await?;
    }
    let photo = app.desk().photo(&read(&app, id).await?).await?;
    let (media, photo) = photo.ok_or_else(|| Problem::new(Kind::UNKNOWN_CORRECTION))?;
    let mut response = HttpResponse::Ok();
    // What somebody sent is shown as a picture, never as a page.
    response.insert_header(NO_STORE).insert_header(("X-Content-Type-Options", "nosniff"));
    response.insert_header(("Content-Security-Policy", "sandbox; default-src 'none'"));
    Ok(response.content_type(media).body(photo))
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
