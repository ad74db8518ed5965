//! `/v1/people/me` and `/v1/people/claims`: what a citizen sees of themselves and their family, how a record becomes theirs, and
//! under which number they are reached.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::Staff;
use super::certificates::HeldDocument;
use super::problem::{Kind, Problem, ProblemDocument};
use super::quota::Quota;
use super::refusals::{ReadRefusals, WriteRefusals};
use super::registrations::RegistrationDocument;
use super::{NO_STORE, asked};
use crate::app::App;
use crate::registration::claims::ClaimRequest;
use crate::registration::{fhir, health_number};
use crate::store::{HeldRecords, RegisteredPerson};

/// One person's record.
#[derive(Serialize, ToSchema)]
pub struct RecordDocument {
    /// The person.
    id: Uuid,
    /// What people read to each other.
    health_number: String,
    /// The name.
    name: String,
    /// The birth date, as precise as it is known.
    birth: String,
    /// Their registration, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<RegistrationDocument>,
    /// Their doses, oldest first.
    doses: Vec<DoseDocument>,
    /// Their certificates, oldest first.
    certificates: Vec<HeldDocument>,
    /// What they felt after a dose.
    reactions: Vec<ReactionDocument>,
    /// Where they are placed.
    sessions: Vec<PlacedDocument>,
}

/// A dose, as the person sees it.
#[derive(Serialize, ToSchema)]
pub struct DoseDocument {
    /// Names the dose.
    id: String,
    /// The facility's code.
    facility: String,
    /// The product's code.
    product: String,
    /// The lot.
    lot: String,
    /// When it was given, in seconds since 1970.
    given_at: i64,
    /// Which dose, as the facility counted.
    number: u8,
    /// What is remarkable.
    flags: Vec<String>,
}

/// What somebody felt after a dose.
#[derive(Serialize, ToSchema)]
pub struct ReactionDocument {
    /// Names it.
    id: Uuid,
    /// After which dose.
    dose: String,
    /// Words of the list.
    #[schema(value_type = Vec<String>)]
    symptoms: serde_json::Value,
    /// How bad.
    severity: String,
    /// Since when, in seconds since 1970.
    onset_at: i64,
    /// When it was told, in seconds since 1970.
    made_at: i64,
}

/// A vaccination session that somebody is placed in.
#[derive(Serialize, ToSchema)]
pub struct PlacedDocument {
    /// Which.
    id: Uuid,
    /// The facility's code.
    facility: String,
    /// The facility's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    facility_name: Option<String>,
    /// The day.
    date: String,
    /// `HH:MM`.
    begins: String,
    /// `HH:MM`.
    ends: String,
    /// The product's code, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
}

/// How the records are written.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecordQuery {
    /// `fhir` for a FHIR R4 bundle; so does `Accept: application/fhir+json`.
    format: Option<String>,
}

/// The records of the caller and their family: doses, certificates, reactions, sessions; or as a FHIR R4 bundle.
#[utoipa::path(
    get, path = "/v1/people/me", tag = "citizens", security(("bearer" = [])), params(RecordQuery),
    responses(
        (status = 200, description = "All of them", content(([RecordDocument] = "application/json"), (Object = "application/fhir+json"))),
        ReadRefusals,
    )
)]
pub async fn get_people_me(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let staff = Staff::of(&request, app.clock().now())?;
    let account = staff.citizen()?;
    let as_fhir = wants_fhir(&request)?;
    let held = staff.lookups(&request, &app).records_held(account).await?;
    if as_fhir {
        let bundle = bundle(&app, &held)?;
        return Ok(HttpResponse::Ok().insert_header(NO_STORE).content_type(fhir::MEDIA).body(bundle));
    }
    let records = held.people.iter().map(|(person, registration)| {
        let key = &app.desk().data_key;
        let registration = registration.as_ref().map(|row| RegistrationDocument::of(key, person, row)).transpose()?;
        Ok(record(&app, &held, person, registration))
    });
    let records = records.collect::<Result<Vec<_>, Problem>>()?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(records))
}

fn wants_fhir(request: &HttpRequest) -> Result<bool, Problem> {
    let wrong = || Problem::new(Kind::BAD_PARAMETER).field("format").detail("expected format=fhir, or none");
    let query = web::Query::<RecordQuery>::from_query(request.query_string()).map_err(|_| wrong())?;
    match query.format.as_deref() {
        Some("fhir") => Ok(true),
        Some(_) => Err(wrong()),
        None => {
            let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
            Ok(accept.split([',', ';']).any(|media| media.trim().eq_ignore_ascii_case(fhir::MEDIA)))
        }
    }
}

fn record(
    app: &App,
    held: &HeldRecords,
    person: &RegisteredPerson,
    registration: Option<RegistrationDocument>,
) -> RecordDocument {
    let id = person.row.person;
    let dose_id = |dose| crate::registration::doses::DoseId { person: id, dose }.to_string();
    let doses = held.doses.iter().filter(|dose| dose.person == id).map(|dose| DoseDocument {
        id: dose_id(dose.dose),
        facility: dose.facility.clone(),
        product: dose.product.clone(),
        lot: dose.lot.clone(),
        given_at: dose.given_at.0,
        number: dose.number,
        flags: dose.flags.clone(),
    });
    let reactions = held.reactions.iter().filter(|it| it.person == id).map(|it| ReactionDocument {
        id: it.reaction,
        dose: dose_id(it.dose),
        symptoms: it.symptoms.clone(),
        severity: it.severity.clone(),
        onset_at: it.onset_at.0,
        made_at: it.made_at.0,
    });
    let sessions = held.sessions.iter().filter(|it| it.person == id).map(|it| PlacedDocument {
        id: it.session,
        facility: it.facility.clone(),
        facility_name: it.facility_name.clone(),
        date: it.on_day.to_string(),
        begins: it.begins.clone(),
        ends: it.ends.clone(),
        product: it.product.clone(),
    });
    let certificates = held.certificates.iter().filter(|row| row.person == id);
    RecordDocument {
        id,
        health_number: health_number::of(id),
        name: person.row.name.clone(),
        birth: person.row.birth.to_string(),
        registration,
        doses: doses.collect(),
        certificates: certificates.map(|row| HeldDocument::of(app, row, &person.row.name)).collect(),
        reactions: reactions.collect(),
        sessions: sessions.collect(),
    }
}

fn bundle(app: &App, held: &HeldRecords) -> Result<String, Problem> {
    let key = &app.desk().data_key;
    let open = |kind: &str, sealed: &Option<Vec<u8>>| {
        sealed.as_ref().map(|sealed| key.open(kind, sealed)).transpose().map_err(Problem::internal)
    };
    let opened = held.people.iter().map(|(person, _)| {
        Ok((person, open("phone", &person.phone_sealed)?, open("identity", &person.identity_sealed)?))
    });
    let opened = opened.collect::<Result<Vec<_>, Problem>>()?;
    let subjects: Vec<fhir::Subject<'_>> = opened
        .iter()
        .map(|(person, phone, identity)| fhir::Subject {
            row: &person.row,
            sex: person.sex.as_deref(),
            phone: phone.as_deref(),
            identity: identity.as_deref(),
            doses: held.doses.iter().filter(|dose| dose.person == person.row.person).collect(),
        })
        .collect();
    Ok(fhir::bundle(&subjects, app.clock().now()).to_string())
}

/// A record that is the caller's from now on.
#[derive(Serialize, ToSchema)]
pub struct Claimed {
    /// The person.
    id: Uuid,
    /// What people read to each other.
    health_number: String,
}

/// Claims a record that is there already: with the identity number and the name or the birth date, or with name, birth date and
/// what the paper slip says. Somebody whom another account holds is claimed with both. Five tries a day, each written down.
#[utoipa::path(
    post, path = "/v1/people/claims", tag = "citizens", security(("bearer" = [])), request_body = ClaimRequest,
    responses(
        (status = 201, description = "It is the caller's", body = Claimed),
        WriteRefusals,
        (status = 422, description = "`claim_refused`, `claim_incomplete`, `too_many_people`, or what is wrong with a field", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_requests`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_claim(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, claim, _) = asked::json::<ClaimRequest>(&app, &request, payload).await?;
    let account = staff.citizen()?;
    let audited = staff.audited("person.claim", None, "", app.clock().now());
    let person = app.desk().claim(account, claim, audited).await?;
    app.held_lists().forget(account);
    let claimed = Claimed { id: person, health_number: health_number::of(person) };
    Ok(HttpResponse::Created().insert_header(NO_STORE).json(claimed))
}

/// The new number, confirmed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPhone {
    /// What `POST /v1/sessions` answered for the new number.
    session: Uuid,
    /// The code that was sent to it.
    code: String,
}

/// Lets the account answer to another number, whose code `POST /v1/sessions` sent. Its sessions so far are over, this one too.
#[utoipa::path(
    post, path = "/v1/people/me/phone", tag = "citizens", security(("bearer" = [])), request_body = NewPhone,
    responses(
        (status = 204, description = "The new number opens the account, the old one no longer does"),
        WriteRefusals,
        (status = 409, description = "`phone_in_use`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`code_wrong`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_requests`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_phone(
    app: web::Data<App>,
    quota: web::Data<Quota>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, new, _) = asked::json::<NewPhone>(&app, &request, payload).await?;
    let now = app.clock().now();
    quota.take(&request, now)?;
    let audited = staff.audited("account.phone", None, "the new number was confirmed", now);
    app.desk().change_phone(staff.citizen()?, new.session, &new.code, audited).await?;
    app.refresh_sessions().await?;
    Ok(HttpResponse::NoContent().insert_header(NO_STORE).finish())
}
