//! `PATCH /v1/doses/{id}`: a recorded dose put right or voided, and its certificates with it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::NO_STORE;
use super::access::Role;
use super::asked::{self, said};
use super::auth::Staff;
use super::body::Body;
use super::certificates::Links;
use super::problem::{Kind, Problem, ProblemDocument};
use super::refusals::{ReadRefusals, WriteRefusals};
use crate::app::App;
use crate::certificate::Profile;
use crate::language::Said;
use crate::registration::amend::{AmendError, Amended, Change, DoseMembers, Outcome};
use crate::registration::doses::DoseId;
use crate::store::CertificateRow;

/// What is to be so of a dose: members that change, or `void`, with `why`; or the answer of the second person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DosePatch {
    /// Why, for the history: 1 to 500 characters, without personal data.
    #[schema(example = "the lot was mistyped")]
    why: Option<String>,
    /// True if it was never given.
    #[serde(default)]
    void: bool,
    /// The product's code.
    product: Option<String>,
    /// The lot.
    lot: Option<String>,
    /// The last day on which the lot may be used.
    lot_expires_on: Option<String>,
    /// When it was given, RFC 3339.
    given_at: Option<String>,
    /// Which dose of the person's it is, 1 to 9.
    number: Option<u64>,
    /// The change that waits for a second person.
    change: Option<Uuid>,
    /// Whether it is right.
    confirm: Option<bool>,
}

/// The dose as it is now, or the change that waits.
#[derive(Serialize, ToSchema)]
pub struct DosePatched {
    /// The dose.
    dose: String,
    /// `applied`, `waiting` for a second person, or `refused`.
    #[schema(value_type = String, example = "applied")]
    status: &'static str,
    /// The change, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Uuid>,
    /// Whether the dose is voided.
    #[serde(skip_serializing_if = "Option::is_none")]
    voided: Option<bool>,
    /// What is remarkable about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<Vec<String>>,
    /// Certificates that are rejected from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Vec<String>>,
    /// The person's certificate in force; absent if no dose is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateAnswer>,
}

/// A certificate as it is handed out.
#[derive(Serialize, ToSchema)]
pub struct CertificateAnswer {
    /// Names it for ever.
    uvci: String,
    /// `yellow` or `green`.
    #[schema(value_type = String, example = "green")]
    card: &'static str,
    /// In seconds since 1970.
    expires_at: i64,
    /// The QR text, in the compact profile.
    text: String,
    /// The pictures.
    links: Links,
}

impl CertificateAnswer {
    /// How `row` is handed out.
    pub(super) fn of(app: &App, row: &CertificateRow) -> Result<CertificateAnswer, Problem> {
        let text = crate::codec::encode_text(Profile::Compact, &row.compact).map_err(Problem::internal)?;
        Ok(CertificateAnswer {
            uvci: row.uvci.to_string(),
            card: row.card.as_str(),
            expires_at: row.expires_at.0,
            text,
            links: Links::of(app, &row.uvci),
        })
    }
}

/// The longest body of a renewal, which has nothing to say.
const MAX_BODY_BYTES: usize = 8 * 1024;
enum Asked {
    Change(Change, String),
    Confirm(Uuid, bool),
}

impl DosePatch {
    fn asked(self) -> Result<Asked, Problem> {
        let members = DoseMembers {
            product: self.product,
            lot: self.lot,
            lot_expires_on: self.lot_expires_on,
            given_at: self.given_at,
            number: self.number,
        };
        let none = members == DoseMembers::default();
        let mixed = |en, vi| Problem::new(Kind::UNPROCESSABLE).said(Said { en, vi });
        match (self.change, self.confirm, self.void) {
            (Some(change), Some(confirm), false) if none && self.why.is_none() => Ok(Asked::Confirm(change, confirm)),
            (None, None, true) if none => Ok(Asked::Change(Change::Void, said("why", self.why.unwrap_or_default())?)),
            (None, None, false) if !none => {
                Ok(Asked::Change(Change::Amend(members), said("why", self.why.unwrap_or_default())?))
            }
            _ => Err(mixed(
                "expected members to change, or void, each with why; or change with confirm",
                "cần các mục phải sửa, hoặc void, kèm why; hoặc change kèm confirm",
            )),
        }
    }
}

/// Puts a recorded dose right or voids it. Certificates that are no longer true are rejected from this answer on.
///
/// Within 24 hours of its recording one person of the giving facility does it alone. Later the answer is 202 with a `change`, which
/// another person of the facility or its province confirms or refuses: `{"change": "..", "confirm": true}`.
#[utoipa::path(
    patch, path = "/v1/doses/{id}", tag = "doses", security(("bearer" = [])),
    params(("id" = String, Path, description = "The dose, as its recording answered it")),
    request_body = DosePatch,
    responses(
        (status = 200, description = "Applied or refused", body = DosePatched),
        (status = 202, description = "Waits for a second person", body = DosePatched),
        WriteRefusals,
        (status = 403, description = "`role_not_allowed`, `not_yours`, `second_person_needed`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_dose`, `unknown_change`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`dose_voided`, `dose_duplicate`, `change_waits`, `change_outdated`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`unprocessable`, or why the dose cannot be certified so, with its `field`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn patch_dose(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, asked, _) = asked::json::<DosePatch>(&app, &request, payload).await?;
    let now = app.clock().now();
    let id: DoseId = path.parse().map_err(|()| Problem::new(Kind::UNKNOWN_DOSE))?;
    let place = app.store().dose_place(id.person, id.dose).await?;
    let (facility, province, _) = place.ok_or_else(|| Problem::new(Kind::UNKNOWN_DOSE))?;
    staff.may_touch(&facility, province.as_deref())?;
    let subject = &staff.caller.subject;
    let outcome = match asked.asked()? {
        // A province checks what its facilities change; it was not there when the dose was given.
        Asked::Change(..) if staff.caller.role != Role::Facility => return Err(Problem::new(Kind::ROLE_NOT_ALLOWED)),
        Asked::Change(change, why) => {
            app.store().audit(&staff.audited("dose.change", Some(id.person), &why, now)).await?;
            app.amend(id, &change, subject, &why).await?
        }
        Asked::Confirm(change, confirmed) => {
            let why = if confirmed { "confirmed" } else { "refused" };
            app.store().audit(&staff.audited("dose.check", Some(id.person), why, now)).await?;
            app.confirm(id, change, subject, confirmed).await?
        }
    };
    let blank = |status| DosePatched {
        dose: id.to_string(),
        status,
        change: None,
        voided: None,
        flags: None,
        revoked: None,
        certificate: None,
    };
    let (mut response, patched) = match outcome {
        Outcome::Applied(amended) => (HttpResponse::Ok(), DosePatched::of(&app, *amended)?),
        Outcome::Waits(change) => (HttpResponse::Accepted(), DosePatched { change: Some(change), ..blank("waiting") }),
        Outcome::Refused => (HttpResponse::Ok(), blank("refused")),
    };
    Ok(response.insert_header(NO_STORE).json(patched))
}

impl DosePatched {
    fn of(app: &App, amended: Amended) -> Result<DosePatched, Problem> {
        let certificate = amended.certificate.as_ref().map(|row| CertificateAnswer::of(app, row)).transpose()?;
        Ok(DosePatched {
            dose: amended.dose.to_string(),
            status: "applied",
            change: None,
            voided: Some(amended.voided),
            flags: Some(amended.flags),
            revoked: Some(amended.revoked.iter().map(ToString::to_string).collect()),
            certificate,
        })
    }
}

impl From<AmendError> for Problem {
    fn from(error: AmendError) -> Problem {
        match error {
            AmendError::Unknown => Problem::new(Kind::UNKNOWN_DOSE),
            AmendError::Voided => Problem::new(Kind::DOSE_VOIDED),
            AmendError::UnknownChange => Problem::new(Kind::UNKNOWN_CHANGE),
            AmendError::Waiting => Problem::new(Kind::CHANGE_WAITS),
            AmendError::SamePerson => Problem::new(Kind::SECOND_PERSON_NEEDED),
            AmendError::Outdated => Problem::new(Kind::CHANGE_OUTDATED),
            AmendError::Duplicate => Problem::new(Kind::DOSE_DUPLICATE),
            AmendError::Dose(error) => Problem::from(error),
            AmendError::Unreadable => Problem::internal(error),
        }
    }
}

/// Makes a certificate anew for the same course, valid from now for as long as a new one. The old one stays true.
#[utoipa::path(
    post, path = "/v1/certificates/{uvci}/renew", tag = "certificates", security(("bearer" = [])),
    params(("uvci" = String, Path, description = "The UVCI, with or without `URN:UVCI:`")),
    responses(
        (status = 201, description = "Made", body = CertificateAnswer),
        (status = 200, description = "Made before: the same answer", body = CertificateAnswer),
        ReadRefusals,
        (status = 404, description = "`unknown_certificate`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`certificate_superseded`: renew the later one", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 410, description = "`certificate_revoked`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_renewal(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = Body::of(&request, payload);
    let now = app.clock().now();
    let staff = match Staff::of(&request, now) {
        Ok(staff) => staff,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    body.whole(MAX_BODY_BYTES).await?;
    let unknown = || Problem::new(Kind::UNKNOWN_CERTIFICATE);
    let uvci = path.parse().map_err(|_| unknown())?;
    let detail = app.store().certificate(&uvci).await?.ok_or_else(unknown)?;
    match staff.account() {
        Some(account) => {
            let (_, theirs) = app.store().knows_person(detail.row.person, Some(account)).await?;
            if !theirs {
                return Err(Problem::new(Kind::NOT_YOURS));
            }
        }
        None => {
            staff.may_touch(&detail.facility, detail.province.as_deref())?;
            app.store().audit(&staff.audited("certificate.renew", Some(detail.row.person), "renewal", now)).await?;
        }
    }
    let renewed = app.desk().renew(detail.row.person, &uvci, now).await?;
    let mut response = if renewed.new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.insert_header(NO_STORE).json(CertificateAnswer::of(&app, &renewed.certificate)?))
}
