//! `/v1/registrations`: a citizen's own registration and their family's: made, seen, changed, declared anew, withdrawn. What
//! staff do with registrations is in `registration_lists.rs`.

use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Staff;
use super::problem::{Kind, Problem, ProblemDocument};
use super::reference::WardDocument;
use super::refusals::{ReadRefusals, WriteRefusals};
use super::registration_lists::{self, ContactAnswer, ContactRequest, ListQuery, RegistrationPage};
use super::{NO_STORE, asked, idempotency};
use crate::app::App;
use crate::registration::application::{Application, Change, KeptConsent};
use crate::registration::declaration::Declaration;
use crate::registration::{health_number, priority, reference};
use crate::sealing::DataKey;
use crate::store::{Freshness, RegisteredPerson, RegistrationRow, Store};

/// Somebody is registered.
#[derive(Serialize, ToSchema)]
pub struct RegistrationMade {
    /// Names the person and their registration.
    id: Uuid,
    /// What people read to each other.
    #[schema(example = "4S9K-2M7A-0QWE-8RTZ-5")]
    health_number: String,
    /// `registered`.
    #[schema(value_type = String)]
    status: &'static str,
}

/// A registration with its person, as the account that holds them sees it.
#[derive(Serialize, ToSchema)]
pub struct RegistrationDocument {
    /// Names the person and their registration.
    id: Uuid,
    /// What people read to each other.
    health_number: String,
    /// `registered`, `withdrawn`, or what a facility made of it: `called`, `no_answer`, `scheduled`, `declined`, `vaccinated`.
    status: String,
    /// The name.
    name: String,
    /// The birth date, as precise as it is known.
    birth: String,
    /// `female`, `male`, `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sex: Option<String>,
    /// The phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// The identity number.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    /// The commune.
    #[serde(skip_serializing_if = "Option::is_none")]
    ward: Option<WardDocument>,
    /// House and street.
    address: String,
    /// The occupation.
    occupation: String,
    /// The priority group, 0 for none.
    priority: u8,
    /// The health declaration.
    declaration: Declaration,
    /// When that was given, in seconds since 1970.
    declared_at: i64,
    /// The consent.
    consent: KeptConsent,
    /// Who answers for a minor.
    #[serde(skip_serializing_if = "Option::is_none")]
    guardian: Option<GuardianDocument>,
    /// When it was made, in seconds since 1970.
    created_at: i64,
    /// When it was changed last, in seconds since 1970.
    updated_at: i64,
}

/// Who answers for a minor.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct GuardianDocument {
    /// The name.
    name: String,
    /// `mother`, `father` or `guardian`.
    relation: String,
    /// The phone number.
    phone: String,
}

impl RegistrationDocument {
    /// What is stored, opened for the one whose it is.
    pub fn of(
        key: &DataKey,
        person: &RegisteredPerson,
        row: &RegistrationRow,
    ) -> Result<RegistrationDocument, Problem> {
        let open = |kind: &str, sealed: &Option<Vec<u8>>| {
            sealed.as_ref().map(|sealed| key.open(kind, sealed)).transpose().map_err(Problem::internal)
        };
        let guardian = |text: &String| {
            let mut guardian: GuardianDocument = serde_json::from_str(text).map_err(Problem::internal)?;
            let sealed = BASE64_STANDARD.decode(&guardian.phone).map_err(Problem::internal)?;
            guardian.phone = key.open("guardian", &sealed).map_err(Problem::internal)?;
            Ok::<_, Problem>(guardian)
        };
        Ok(RegistrationDocument {
            id: row.person,
            health_number: health_number::of(row.person),
            status: row.status.clone(),
            name: person.row.name.clone(),
            birth: person.row.birth.to_string(),
            sex: person.sex.clone(),
            phone: open("phone", &person.phone_sealed)?,
            identity: open("identity", &person.identity_sealed)?,
            ward: reference::ward(&row.ward).as_ref().map(WardDocument::of),
            address: row.address.clone(),
            occupation: row.occupation.clone(),
            priority: priority::number(row.priority),
            declaration: Declaration::of_kept(&row.declaration)?,
            declared_at: row.declared_at.0,
            consent: serde_json::from_str(&row.consent).map_err(Problem::internal)?,
            guardian: row.guardian.as_ref().map(guardian).transpose()?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

/// The longest registration: every text as `\uXXXX\uXXXX`.
const MAX_BODY_BYTES: usize = 128 * 1024;
const ROUTE: &str = "POST /v1/registrations";

/// Registers somebody: oneself or family, twenty people in an account at most. Sent again, it gives the same person.
///
/// Somebody whose record is there already under the same identity number, name and birth date is claimed by it.
#[utoipa::path(
    post, path = "/v1/registrations", tag = "citizens", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Kept 24 hours for the caller: the same key with another body is refused")),
    request_body = Application,
    responses(
        (status = 201, description = "Registered", body = RegistrationMade),
        (status = 200, description = "Registered before by this account: the same person", body = RegistrationMade),
        WriteRefusals,
        (status = 409, description = "`person_held`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`too_many_people`, `idempotency_key_reused`, or why it cannot be taken, with its `field`: `name_empty`, `name_too_long`, `name_invalid`, `name_loses_a_letter`, `date_invalid`, `date_missing`, `date_in_the_future`, `word_unknown`, `phone_invalid`, `phone_missing`, `identity_invalid`, `ward_unknown`, `text_invalid`, `group_unknown`, `version_unknown`, `answers_incomplete`, `consent_missing`, `consent_invalid`, `guardian_missing`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_requests`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_registration(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, bytes) = asked::body(&app, &request, payload, MAX_BODY_BYTES).await?;
    let account = staff.citizen()?;
    let application: Application = serde_json::from_slice(&bytes)?;
    if let Some(key) = idempotency::key(&request)? {
        idempotency::claim(&app, &staff, ROUTE, &key, &bytes).await?;
    }
    let registered = app.registrar().register(account, application, app.clock().now()).await?;
    app.tallies().meters().registrations.add(u64::from(registered.new));
    let mut response = if registered.new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.insert_header(NO_STORE).json(RegistrationMade {
        id: registered.person,
        health_number: health_number::of(registered.person),
        status: crate::registration::contact::REGISTERED,
    }))
}

/// A citizen's own and family's registrations; for staff, those of a district or a province, priority groups first.
///
/// A facility and a province see their province, the ministry any: whose, how to call them, how each stands. Pages go by key:
/// what changes meanwhile makes no row come twice. As CSV (UTF-8, a byte order mark, cells that would be formulas led by an
/// apostrophe) all rows are streamed.
#[utoipa::path(
    get, path = "/v1/registrations", tag = "registrations", security(("bearer" = [])), params(ListQuery),
    responses(
        (status = 200, description = "A citizen's, oldest first; or a page, or a sheet", content(([RegistrationDocument] = "application/json"), (RegistrationPage = "application/vnd.thexanh.page+json"), (String = "text/csv"))),
        ReadRefusals,
    )
)]
pub async fn get_registrations(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let staff = Staff::of(&request, app.clock().now())?;
    let Some(account) = staff.account() else {
        return registration_lists::answer(app.into_inner(), &request, staff).await;
    };
    let rows = staff.lookups(&request, &app).registrations(account, None).await?;
    let key = &app.desk().data_key;
    let documents = rows.iter().map(|(person, row)| RegistrationDocument::of(key, person, row));
    let documents = documents.collect::<Result<Vec<_>, _>>()?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(documents))
}

/// One registration of the caller or their family.
#[utoipa::path(
    get, path = "/v1/registrations/{id}", tag = "citizens", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The person")),
    responses(
        (status = 200, description = "As it stands", body = RegistrationDocument),
        ReadRefusals,
    )
)]
pub async fn get_registration(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let staff = Staff::of(&request, app.clock().now())?;
    // By its name: the primary has it if anybody has.
    let store = staff.lookups(&request, &app).reading(Freshness::JustWritten);
    shown(&app, &store, staff.citizen()?, person(&path)?).await
}

/// What changes: as a citizen, or as staff who called.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum RegistrationChange {
    /// A citizen's change.
    Citizen(Change),
    /// What came of calling somebody who registered; with `scheduled` they have a place in the session as well.
    Staff(ContactRequest),
}

/// Changes a citizen's registration: what is there of the body; name, birth date and identity change by a correction. For
/// staff: writes down what came of calling.
#[utoipa::path(
    patch, path = "/v1/registrations/{id}", tag = "registrations", security(("bearer" = [])),
    request_body = RegistrationChange,
    params(("id" = Uuid, Path, description = "The person")),
    responses(
        (status = 200, description = "As it stands now; for staff, how it stands and how many contacts there were", content((RegistrationDocument = "application/json"), (ContactAnswer = "application/vnd.thexanh.contact+json"))),
        (status = 404, description = "`unknown_registration`, `unknown_session`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`registration_withdrawn`, `changed_meanwhile`, `session_full`", body = ProblemDocument, content_type = "application/problem+json"),
        WriteRefusals,
    )
)]
pub async fn patch_registration(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, bytes) = asked::body(&app, &request, payload, MAX_BODY_BYTES).await?;
    let Some(account) = staff.account() else {
        let person = asked::person(&path)?;
        return registration_lists::contact(&app, &staff, person, serde_json::from_slice(&bytes)?).await;
    };
    let (change, person): (Change, Uuid) = (serde_json::from_slice(&bytes)?, person(&path)?);
    let audited = staff.audited("registration.change", Some(person), "", app.clock().now());
    app.desk().change_registration(account, person, change, audited).await?;
    shown(&app, app.store(), account, person).await
}

/// Withdraws a registration. Its record stays; registering again opens it.
#[utoipa::path(
    delete, path = "/v1/registrations/{id}", tag = "citizens", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The person")),
    responses(
        (status = 200, description = "As it stands now", body = RegistrationDocument),
        ReadRefusals,
    )
)]
pub async fn delete_registration(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let (account, person) = (staff.citizen()?, person(&path)?);
    let audited = staff.audited("registration.withdraw", Some(person), "", now);
    app.desk().withdraw_registration(account, person, audited).await?;
    shown(&app, app.store(), account, person).await
}

/// Takes a new health declaration in place of the last.
#[utoipa::path(
    post, path = "/v1/registrations/{id}/declarations", tag = "citizens", security(("bearer" = [])), request_body = Declaration,
    params(("id" = Uuid, Path, description = "The person")),
    responses(
        (status = 200, description = "The registration with it", body = RegistrationDocument),
        WriteRefusals,
        (status = 409, description = "`registration_withdrawn`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`version_unknown`, `answers_incomplete`, `text_invalid`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_declaration(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, bytes) = asked::body(&app, &request, payload, MAX_BODY_BYTES).await?;
    let (account, person) = (staff.citizen()?, person(&path)?);
    let declaration: Declaration = serde_json::from_slice(&bytes)?;
    let audited = staff.audited("registration.declare", Some(person), "", app.clock().now());
    app.desk().declare_anew(account, person, declaration, audited).await?;
    shown(&app, app.store(), account, person).await
}

/// Who cannot be read is nobody of the caller's.
fn person(path: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(path).map_err(|_| Problem::new(Kind::NOT_YOURS))
}

async fn shown(app: &App, store: &Store, account: Uuid, person: Uuid) -> Result<HttpResponse, Problem> {
    let rows = store.registrations(account, Some(person)).await?;
    let (person, row) = rows.first().ok_or_else(|| Problem::new(Kind::NOT_YOURS))?;
    let document = RegistrationDocument::of(&app.desk().data_key, person, row)?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(document))
}
