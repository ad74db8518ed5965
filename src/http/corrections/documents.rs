//! A correction as it is asked for, answered and shown.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::asked::{refused, said};
use super::super::auth::Staff;
use super::super::dose_changes::CertificateAnswer;
use super::super::problem::{Kind, Problem};
use crate::app::App;
use crate::registration::amend::DoseMembers;
use crate::registration::corrections::{Accept, Answer, Claim, CorrectionId, MISSING_DOSE, PersonMembers, WRONG_DATA};
use crate::registration::doses::DoseId;
use crate::store::CorrectionRow;

/// What is missing or wrong.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectionRequest {
    /// About whom.
    pub(super) person: Uuid,
    /// `missing_dose` or `wrong_data`.
    #[schema(example = "missing_dose")]
    pub(super) kind: String,
    /// In your own words, 1 to 1000 characters.
    pub(super) text: String,
    /// The code of the facility that gave the dose, which is to answer. For wrong data: the one that gave the latest dose, if none
    /// is named.
    pub(super) facility: Option<String>,
    /// The dose that is recorded wrongly.
    pub(super) dose: Option<String>,
    /// What is so of the dose: `product`, `given_at`, `number`, `lot`, `lot_expires_on`.
    #[schema(value_type = Option<Object>)]
    pub(super) given: Option<DoseMembers>,
    /// What is so of the person.
    pub(super) data: Option<PersonMembers>,
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
    pub(super) id: String,
    /// About whom.
    pub(super) person: Uuid,
    /// `missing_dose`, `wrong_data`, `unclear_person`.
    pub(super) kind: String,
    /// `open`, `checking` by a second person, `overdue`, `accepted`, `rejected`.
    pub(super) status: String,
    /// The facility that is to answer.
    pub(super) facility: String,
    /// In the words of the one who said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    /// The dose it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dose: Option<String>,
    /// What is so of the dose.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(super) given: Option<DoseMembers>,
    /// What is so of the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<PersonMembers>,
    /// Whose the dose may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) candidates: Option<Vec<Uuid>>,
    /// Whether there is a photo.
    pub(super) photo: bool,
    /// What was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) steps: Option<Vec<Step>>,
    /// To be sent with an answer: it changes with every step.
    pub(super) version: i64,
    /// In seconds since 1970.
    pub(super) made_at: i64,
    /// Until when the facility is to answer, in seconds since 1970.
    pub(super) due_at: i64,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) closed_at: Option<i64>,
    /// Certificates that are rejected from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revoked: Option<Vec<String>>,
    /// The certificate in force after an acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificate: Option<CertificateAnswer>,
}

/// A page of corrections.
#[derive(Serialize, ToSchema)]
pub struct Corrections {
    /// Those that are not closed, by facility and deadline; a citizen's own, the newest first.
    pub(super) corrections: Vec<CorrectionAnswer>,
    /// What the next page begins after; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// What the facility answers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectionPatch {
    /// The version that was read.
    pub(super) version: i64,
    /// `accept`, `reject` or `pass_on`.
    #[schema(example = "accept")]
    pub(super) answer: String,
    /// Why it is rejected or passed on.
    pub(super) why: Option<String>,
    /// To whom it is passed on.
    pub(super) facility: Option<String>,
    /// The facility's number of a missing dose; one of ours if none is given.
    pub(super) record_no: Option<String>,
    /// Members of the dose that the facility says otherwise or beside, such as its lot.
    #[schema(value_type = Option<Object>)]
    pub(super) given: Option<DoseMembers>,
    /// Whose an unclear dose is: one of the candidates.
    pub(super) person: Option<Uuid>,
}

const MAX_TEXT_CHARS: usize = 1000;

impl CorrectionRequest {
    pub(super) fn claim(&self) -> Result<Claim, Problem> {
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
            _ => {
                return Err(refused("kind", "expected missing_dose or wrong_data", "cần missing_dose hoặc wrong_data"));
            }
        };
        if !shape || none(&claim) {
            return Err(refused(
                "kind",
                "expected given for a missing dose; dose and given, or data, for wrong data",
                "cần given cho mũi bị thiếu; dose và given, hoặc data, cho dữ liệu sai",
            ));
        }
        Ok(claim)
    }

    pub(super) fn words(&self) -> Result<String, Problem> {
        let text = self.text.trim();
        let control = |c: char| c.is_control() && c != '\n';
        if text.is_empty() || text.chars().count() > MAX_TEXT_CHARS || text.chars().any(control) {
            return Err(refused(
                "text",
                "expected 1 to 1000 characters without control characters",
                "cần 1 đến 1000 ký tự, không có ký tự điều khiển",
            ));
        }
        Ok(text.to_owned())
    }

    /// The facility that is to answer, known to the reference data.
    pub(super) async fn facility(&self, app: &App, claim: &Claim) -> Result<String, Problem> {
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
            refused("facility", en, vi)
        };
        let facility = given_by.filter(|code| code.len() <= 40).ok_or_else(unknown)?;
        app.store().facility(&facility).await?.ok_or_else(unknown)?;
        Ok(facility)
    }
}

impl CorrectionAnswer {
    /// As a list has it: nothing of what is claimed.
    pub(super) fn brief(row: &CorrectionRow) -> CorrectionAnswer {
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

    pub(in super::super) fn whole(app: &App, staff: &Staff, row: CorrectionRow) -> Result<CorrectionAnswer, Problem> {
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

impl CorrectionPatch {
    pub(super) async fn answer(self, app: &App) -> Result<Answer, Problem> {
        let accepting = self.record_no.is_some() || self.given.is_some() || self.person.is_some();
        match self.answer.as_str() {
            "accept" if self.why.is_none() && self.facility.is_none() => Ok(Answer::Accept(Accept {
                record_no: self.record_no,
                given: self.given.unwrap_or_default(),
                person: self.person,
            })),
            "reject" if self.facility.is_none() && !accepting => {
                Ok(Answer::Reject(said("why", self.why.unwrap_or_default())?))
            }
            "pass_on" if !accepting => {
                let why = said("why", self.why.unwrap_or_default())?;
                let facility = self.facility.filter(|code| code.len() <= 40).unwrap_or_default();
                let known = app.store().facility(&facility).await?;
                let (en, vi) =
                    ("see /v1/reference/facilities for the codes", "xem mã cơ sở ở /v1/reference/facilities");
                known.map(|_| Answer::PassOn(facility, why)).ok_or_else(|| refused("facility", en, vi))
            }
            "accept" | "reject" | "pass_on" => Err(refused(
                "answer",
                "accept comes with record_no, given or person; reject with why; pass_on with why and facility",
                "accept đi với record_no, given hoặc person; reject với why; pass_on với why và facility",
            )),
            _ => Err(refused("answer", "expected accept, reject or pass_on", "cần accept, reject hoặc pass_on")),
        }
    }
}
