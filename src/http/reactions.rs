//! `POST /v1/reactions`: what somebody felt after a dose; and the symptoms that can be named.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::NO_STORE;
use super::asked::{self, refused};
use super::locality::province_of;
use super::problem::{Kind, Problem, ProblemDocument};
use super::published::Published;
use super::refusals::WriteRefusals;
use crate::app::App;
use crate::certificate::UnixSeconds;
use crate::registration::doses::DoseId;
use crate::registration::reactions::{Reaction, SEVERITIES, SYMPTOMS};
use crate::store::ReportedReaction;

/// A symptom that can be named.
#[derive(Serialize, ToSchema)]
pub struct SymptomDocument {
    /// The word in `POST /v1/reactions`.
    #[schema(value_type = String, example = "fever")]
    code: &'static str,
    /// What it is called in English.
    #[schema(value_type = String)]
    en: &'static str,
    /// What it is called in Vietnamese.
    #[schema(value_type = String)]
    vi: &'static str,
}

/// The symptoms that a reaction may name, in both languages.
#[utoipa::path(
    get, path = "/v1/reference/symptoms", tag = "reference",
    responses(
        (status = 200, description = "All of them, the common ones first", body = [SymptomDocument]),
        (status = 304, description = "The caller has them"),
    )
)]
pub async fn get_symptoms(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let symptom = |symptom: &crate::registration::reactions::Symptom| SymptomDocument {
        code: symptom.code,
        en: symptom.name.en,
        vi: symptom.name.vi,
    };
    let json = serde_json::to_vec(&SYMPTOMS.iter().map(symptom).collect::<Vec<_>>()).map_err(Problem::internal)?;
    Ok(Published::new("application/json", "public, max-age=300", json).answer(&request))
}

/// What was felt.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReactionRequest {
    /// After which dose.
    #[schema(example = "0f3c5a7e1b2d4c6f8a9b0c1d2e3f4a5b.7d8e9f0a1b2c3d4e5f60718293a4b5c6")]
    dose: String,
    /// The symptoms' codes, at least one, as `/v1/reference/symptoms` lists them.
    symptoms: Vec<String>,
    /// `mild`, `moderate`, `severe`.
    severity: String,
    /// When it began: an instant with its offset, RFC 3339; not before the dose.
    #[schema(example = "2021-08-01T09:15:00+07:00")]
    onset_at: String,
    /// In the reporter's words, at most 500 characters.
    note: Option<String>,
}

/// A reaction that is written down.
#[derive(Serialize, ToSchema)]
pub struct ReactionAnswer {
    /// Which.
    reaction: Uuid,
    /// The response centre's case, if it is severe.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<Uuid>,
}

/// Codes in the order of the list, each once.
fn symptoms(asked: &[String]) -> Result<Vec<String>, Problem> {
    let known = |code: &String| SYMPTOMS.iter().any(|symptom| symptom.code == code);
    if asked.is_empty() || asked.len() > SYMPTOMS.len() || !asked.iter().all(known) {
        let en = "expected at least one code of /v1/reference/symptoms";
        return Err(refused("symptoms", en, "cần ít nhất một mã ở /v1/reference/symptoms"));
    }
    let named = SYMPTOMS.iter().filter(|symptom| asked.iter().any(|code| symptom.code == code));
    Ok(named.map(|symptom| symptom.code.to_owned()).collect())
}

/// An onset at or after the dose, and not after today.
fn onset(text: &str, given_at: UnixSeconds, now: UnixSeconds) -> Result<UnixSeconds, Problem> {
    let instant = Some(text).filter(|text| text.len() <= 40).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let instant = instant.map(|instant| UnixSeconds(instant.as_second())).ok_or_else(|| {
        refused(
            "onset_at",
            "expected an instant such as 2021-08-01T02:15:00Z",
            "cần thời điểm như 2021-08-01T02:15:00Z",
        )
    })?;
    match () {
        () if instant < given_at => Err(refused("onset_at", "it lies before the dose", "thời điểm này trước khi tiêm")),
        () if instant.vietnamese_date() > now.vietnamese_date() => {
            Err(refused("onset_at", "it lies in the future", "thời điểm này còn ở tương lai"))
        }
        () => Ok(instant),
    }
}

/// Writes down what somebody felt after a dose. A severe reaction is a case of the response centre at once.
///
/// A citizen reports for the people of the account, the response centre for whoever calls. Sent again, it is the same reaction.
#[utoipa::path(
    post, path = "/v1/reactions", tag = "reactions", security(("bearer" = [])),
    request_body = ReactionRequest,
    responses(
        (status = 201, description = "Written down", body = ReactionAnswer),
        (status = 200, description = "Written down before", body = ReactionAnswer),
        (status = 404, description = "`unknown_dose`", body = ProblemDocument, content_type = "application/problem+json"),
        WriteRefusals,
    )
)]
pub async fn post_reaction(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, asked, _) = asked::json::<ReactionRequest>(&app, &request, payload).await?;
    let now = app.clock().now();
    let dose: DoseId =
        asked.dose.parse().map_err(|()| refused("dose", "expected a dose's id", "cần mã của một mũi tiêm"))?;
    if let Some(account) = staff.account()
        && !app.store().is_member(account, dose.person).await?
    {
        return Err(Problem::new(Kind::NOT_YOURS));
    }
    let given = app.store().reacted_dose(dose.person, dose.dose).await?;
    let given = given.ok_or_else(|| Problem::new(Kind::UNKNOWN_DOSE))?;
    let severity = SEVERITIES.into_iter().find(|severity| *severity == asked.severity);
    let severity = severity
        .ok_or_else(|| refused("severity", "expected mild, moderate or severe", "cần mild, moderate hoặc severe"))?;
    let (symptoms, onset_at) = (symptoms(&asked.symptoms)?, onset(&asked.onset_at, given.given_at, now)?);
    let note = asked::note("note", asked.note)?;
    let same =
        serde_json::to_string(&(dose.to_string(), &symptoms, severity, onset_at.0)).map_err(Problem::internal)?;
    let reaction = asked::id_of(&app.desk().data_key.lookup_hash("reaction", &same));
    let home = given.ward.as_deref().map(province_of).filter(|code| !code.is_empty()).map(str::to_owned);
    let work = Reaction {
        row: ReportedReaction {
            person: dose.person,
            reaction,
            dose: dose.dose,
            symptoms,
            severity: severity.to_owned(),
            onset_at,
            note,
            made_by: format!("{} {}", staff.caller.role.as_str(), staff.caller.subject),
            made_at: now,
        },
        province: home.or(given.province).unwrap_or_default(),
        audited: staff.audited("reaction.add", Some(dose.person), severity, now),
    };
    let reacted = app.store().transact(&work).await?;
    let mut response = if reacted.new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.insert_header(NO_STORE).json(ReactionAnswer { reaction, ticket: reacted.ticket }))
}
