//! `GET /v1/people`: staff look one person up, for a stated purpose; in the audit trail before it is answered.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::appointments::PurposeQuery;
use super::asked::{self, bad};
use super::auth::Staff;
use super::certificates::state_of;
use super::problem::{Kind, Problem, ProblemDocument};
use super::refusals::ReadRefusals;
use crate::app::App;
use crate::certificate::BirthDate;
use crate::name::PersonName;
use crate::registration::doses::DoseId;
use crate::registration::{normalize_identity, normalize_phone, reference};
use crate::store::{CertificateRow, DoseRow, LookupKind, PersonDetail, Store};

/// Who is looked for: a number of theirs, and what makes it certain.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PersonQuery {
    /// The identity number. One of this and `phone` is needed.
    identity: Option<String>,
    /// The phone number.
    phone: Option<String>,
    /// The whole name, with marks or without: leaves those of this name.
    name: Option<String>,
    /// `YYYY-MM-DD`, `YYYY-MM` or `YYYY`: leaves those whose birth date agrees.
    birth: Option<String>,
    /// Why, 1 to 200 characters without personal data: written to the audit trail.
    #[param(required)]
    purpose: Option<String>,
}

/// Who was found.
#[derive(Serialize, ToSchema)]
pub struct FoundPeople {
    /// The record, if it is one person.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<PersonFile>,
    /// If it may be several: enough to ask further, and to open one.
    candidates: Vec<PersonCandidate>,
}

/// Somebody who may be meant.
#[derive(Serialize, ToSchema)]
pub struct PersonCandidate {
    /// Who: opened at `/v1/people/{person}`.
    person: Uuid,
    /// The year of birth, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    birth_year: Option<i16>,
    /// The commune's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    ward: Option<String>,
    /// The commune's name and its district's.
    #[serde(skip_serializing_if = "Option::is_none")]
    ward_name: Option<String>,
}

/// A person's record.
#[derive(Serialize, ToSchema)]
pub struct PersonFile {
    /// Who.
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
    /// The last four digits of the identity number: enough to compare with a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_ends: Option<String>,
    /// The commune's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    ward: Option<String>,
    /// How their registration stands, if they have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<String>,
    /// By the day they were given.
    doses: Vec<PersonDose>,
    /// Oldest first.
    certificates: Vec<PersonCertificate>,
    /// Reactions that were reported, oldest first.
    reactions: Vec<PersonReaction>,
}

/// A dose in a record.
#[derive(Serialize, ToSchema)]
pub struct PersonDose {
    /// Names it for ever.
    dose: String,
    /// The facility that gave it.
    facility: String,
    /// Its number there.
    record_no: String,
    /// The product's code.
    product: String,
    /// The lot.
    lot: String,
    /// In seconds since 1970.
    given_at: i64,
    /// As the facility counted.
    number: u8,
    /// The last day on which the lot may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    lot_expires_on: Option<String>,
    /// Who gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    vaccinator: Option<String>,
    /// In seconds since 1970.
    recorded_at: i64,
    /// What is remarkable about it.
    flags: Vec<String>,
    /// True if it was voided: it does not count.
    voided: bool,
}

/// A certificate in a record.
#[derive(Serialize, ToSchema)]
pub struct PersonCertificate {
    /// Names it for ever.
    uvci: String,
    /// `valid`, `superseded`, `expired`, `revoked`.
    #[schema(value_type = String)]
    state: &'static str,
    /// `yellow` or `green`.
    #[schema(value_type = String)]
    card: &'static str,
    /// How many doses it certifies.
    number: u8,
    /// Of how many.
    series: u8,
    /// In seconds since 1970.
    issued_at: i64,
    /// In seconds since 1970.
    expires_at: i64,
}

/// A reaction in a record.
#[derive(Serialize, ToSchema)]
pub struct PersonReaction {
    /// After which dose.
    dose: String,
    /// The symptoms' codes.
    symptoms: Vec<String>,
    /// `mild`, `moderate`, `severe`.
    severity: String,
    /// In seconds since 1970.
    onset_at: i64,
}

impl PersonDose {
    fn of((row, voided): (DoseRow, bool)) -> PersonDose {
        PersonDose {
            dose: DoseId { person: row.person, dose: row.dose }.to_string(),
            facility: row.facility,
            record_no: row.record_no,
            product: row.product,
            lot: row.lot,
            given_at: row.given_at.0,
            number: row.number,
            lot_expires_on: row.lot_expires_on.map(|day| day.to_string()),
            vaccinator: row.vaccinator,
            recorded_at: row.recorded_at.0,
            flags: row.flags,
            voided,
        }
    }
}

impl PersonCertificate {
    fn of(app: &App, row: &CertificateRow) -> PersonCertificate {
        PersonCertificate {
            uvci: row.uvci.to_string(),
            state: state_of(app, row),
            card: row.card.as_str(),
            number: row.number,
            series: row.series,
            issued_at: row.issued_at.0,
            expires_at: row.expires_at.0,
        }
    }
}

/// What is sealed in a person's column, opened for whoever may see it; `None` where there is nothing, or it does not open.
pub(super) fn open_sealed(app: &App, column: &str, sealed: Option<&[u8]>) -> Option<String> {
    app.desk().data_key.open(column, sealed?).ok()
}

/// The last four digits of a sealed identity number: enough to compare with a card.
pub(super) fn ends_of(app: &App, sealed: Option<&[u8]>) -> Option<String> {
    let number = open_sealed(app, "identity", sealed)?;
    number.get(number.len().saturating_sub(4)..).map(str::to_owned)
}

async fn file(app: &App, store: &Store, row: PersonDetail) -> Result<PersonFile, Problem> {
    let registration = store.registration_state(row.person).await?;
    let doses = store.doses_of(row.person).await?;
    let certificates = store.certificates_of(row.person).await?;
    let reactions = store.reactions_of(row.person).await?;
    Ok(PersonFile {
        person: row.person,
        name: row.name,
        birth: row.birth,
        sex: row.sex,
        phone: open_sealed(app, "phone", row.phone_sealed.as_deref()),
        identity_ends: ends_of(app, row.identity_sealed.as_deref()),
        ward: row.ward,
        registration: registration.map(|state| state.status),
        doses: doses.into_iter().map(PersonDose::of).collect(),
        certificates: certificates.iter().map(|row| PersonCertificate::of(app, row)).collect(),
        reactions: reactions
            .into_iter()
            .map(|row| PersonReaction {
                dose: DoseId { person: row.person, dose: row.dose }.to_string(),
                symptoms: row.symptoms,
                severity: row.severity,
                onset_at: row.onset_at.0,
            })
            .collect(),
    })
}

async fn candidates(app: &App, store: &Store, query: &PersonQuery) -> Result<Vec<PersonDetail>, Problem> {
    let hash = |kind: &str, number: &str| app.desk().data_key.lookup_hash(kind, number);
    let identity = query.identity.as_deref().map(|text| {
        normalize_identity(text)
            .ok_or_else(|| bad("identity", "expected nine or twelve digits", "cần chín hoặc mười hai chữ số"))
    });
    let phone = query.phone.as_deref().map(|text| {
        normalize_phone(text)
            .ok_or_else(|| bad("phone", "expected a Vietnamese phone number", "cần số điện thoại Việt Nam"))
    });
    let name = query
        .name
        .as_deref()
        .map(|text| PersonName::parse(text).map_err(|_| bad("name", "expected a whole name", "cần họ tên đầy đủ")));
    let birth = query.birth.as_deref().map(|text| {
        let birth = text.parse::<BirthDate>().ok().filter(|birth| *birth != BirthDate::Unknown);
        birth.ok_or_else(|| bad("birth", "expected YYYY-MM-DD, YYYY-MM or YYYY", "cần YYYY-MM-DD, YYYY-MM hoặc YYYY"))
    });
    let (identity, phone) = (identity.transpose()?, phone.transpose()?);
    let (name, birth) = (name.transpose()?, birth.transpose()?);
    let mut found = match (&identity, &phone) {
        (Some(number), _) => store.people_under(LookupKind::Identity, &hash("identity", number)).await?,
        (None, Some(number)) => store.people_under(LookupKind::Phone, &hash("phone", number)).await?,
        (None, None) => {
            let en = "a number is needed: identity or phone; people without one are found in their district's list";
            let vi = "cần số định danh hoặc số điện thoại; người không có số được tìm trong danh sách của quận, huyện";
            return Err(bad("identity", en, vi));
        }
    };
    if let (Some(_), Some(number)) = (&identity, &phone) {
        let also = store.people_under(LookupKind::Phone, &hash("phone", number)).await?;
        found.retain(|row| also.iter().any(|other| other.person == row.person));
    }
    found.retain(|row| name.as_ref().is_none_or(|name| row.name_key == name.matching_key()));
    let agrees = |row: &PersonDetail, birth: BirthDate| row.birth.parse().is_ok_and(|known| birth.agrees_with(known));
    found.retain(|row| birth.is_none_or(|birth| agrees(row, birth)));
    Ok(found)
}

/// Looks one person up by a number of theirs, narrowed by name and birth date: the record if it is one person, otherwise
/// candidates with the year of birth and the commune.
///
/// There is no search by name and birth date alone: names are no secret, and it would open everybody's record to anybody. Who
/// has no number is found in the list of their district. In the audit trail before it is answered, also if nobody is found.
#[utoipa::path(
    get, path = "/v1/people", tag = "people", security(("bearer" = [])), params(PersonQuery),
    responses((status = 200, description = "Who was found, perhaps nobody", body = FoundPeople), ReadRefusals)
)]
pub async fn get_people(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let query: PersonQuery = asked::query(&request)?;
    let purpose = asked::purpose(query.purpose.clone())?;
    let store = staff.lookups(&request, &app);
    let mut found = candidates(&app, &store, &query).await?;
    let only = if found.len() == 1 { found.pop() } else { None };
    let (action, about) = match &only {
        Some(row) => ("person.read", Some(row.person)),
        None => ("person.search", None),
    };
    app.store().audit(&staff.audited(action, about, &purpose, now)).await?;
    let record = match only {
        Some(row) => Some(file(&app, &store, row).await?),
        None => None,
    };
    let candidate = |row: PersonDetail| PersonCandidate {
        person: row.person,
        birth_year: row.birth.get(..4).and_then(|year| year.parse().ok()),
        ward_name: row
            .ward
            .as_deref()
            .and_then(reference::ward)
            .map(|it| format!("{}, {}", it.unit.name, it.district.name)),
        ward: row.ward,
    };
    Ok(asked::answer(&FoundPeople { record, candidates: found.into_iter().map(candidate).collect() }))
}

/// One person's record. In the audit trail before it is answered.
#[utoipa::path(
    get, path = "/v1/people/{person}", tag = "people", security(("bearer" = [])),
    params(("person" = Uuid, Path, description = "Who"), PurposeQuery),
    responses(
        (status = 200, description = "The record", body = PersonFile),
        (status = 404, description = "`unknown_person`", body = ProblemDocument, content_type = "application/problem+json"),
        ReadRefusals,
    )
)]
pub async fn get_person(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let person = asked::person(&path)?;
    let purpose = asked::purpose(asked::query::<PurposeQuery>(&request)?.purpose)?;
    let store = staff.lookups(&request, &app);
    let row = store.person(person).await?.ok_or_else(|| Problem::new(Kind::UNKNOWN_PERSON))?;
    app.store().audit(&staff.audited("person.read", Some(person), &purpose, now)).await?;
    Ok(asked::answer(&file(&app, &store, row).await?))
}
