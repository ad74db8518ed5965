//! What people say is missing or wrong about their records, and what facilities answer: whoever is told, until when, and what
//! follows in the record.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::amend::{AmendError, DoseMembers};
use super::doses::{Desk, DoseError, DoseId};
use super::record::{DoseRecord, PersonRecord};
use crate::certificate::UnixSeconds;
use crate::language::Said;
use crate::sealing::DataKey;
use crate::store::{Attachment, CorrectionRow, StoreError, Tx, Work};

mod answer;

pub use answer::{Accept, Answer, Answered};

/// What of a person's data should be otherwise; what is absent is right.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonMembers {
    /// The whole name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth: Option<String>,
    /// `female`, `male`, `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
    /// The identity number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl PersonMembers {
    /// True if it changes who the person is: that takes two people.
    fn is_identity(&self) -> bool {
        self.name.is_some() || self.birth.is_some() || self.identity.is_some()
    }
}

/// What a correction says should be so.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Which dose it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<Uuid>,
    /// What is so of the dose: of one that is missing, or of the one named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<DoseMembers>,
    /// What is so of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PersonMembers>,
    /// Whose the dose may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Uuid>,
}

impl Claim {
    /// As it is stored: numbers that name a person are sealed.
    fn stored(&self, key: &DataKey) -> Value {
        let seal = |column: &str, value: &Option<String>| {
            value.as_ref().map(|value| BASE64_STANDARD.encode(key.seal(column, value)))
        };
        let data = self.data.as_ref().map(|data| PersonMembers {
            identity: seal("identity", &data.identity),
            phone: seal("phone", &data.phone),
            ..data.clone()
        });
        serde_json::to_value(Claim { data, ..self.clone() }).expect("texts and numbers are JSON")
    }

    /// What was stored.
    pub fn read(stored: &Value, key: &DataKey) -> Result<Claim, CorrectionError> {
        let claim: Claim = serde_json::from_value(stored.clone()).map_err(|_| CorrectionError::Unreadable)?;
        let open = |column: &str, value: Option<String>| {
            let opened = value.map(|value| key.open(column, &BASE64_STANDARD.decode(value).ok()?).ok());
            opened.map(|opened| opened.ok_or(CorrectionError::Unreadable)).transpose()
        };
        let data = claim.data.map(|data| {
            Ok::<_, CorrectionError>(PersonMembers {
                identity: open("identity", data.identity)?,
                phone: open("phone", data.phone)?,
                name: data.name,
                birth: data.birth,
                sex: data.sex,
            })
        });
        Ok(Claim { data: data.transpose()?, ..claim })
    }
}

/// Why a correction is not taken or not answered so. Nothing of it is stored then.
#[derive(Debug, thiserror::Error)]
pub enum CorrectionError {
    /// There is no such correction.
    #[error("there is no such correction")]
    Unknown,
    /// There is no such person.
    #[error("there is no such person")]
    UnknownPerson,
    /// A field is missing or not what it should be.
    #[error("{0}: {text}", text = .1.en)]
    Field(&'static str, Said),
    /// Another facility is to answer.
    #[error("another facility is to answer")]
    NotYours,
    /// So many are open about the person already.
    #[error("too many corrections are open")]
    TooMany,
    /// Somebody answered since it was read.
    #[error("somebody was faster")]
    Changed,
    /// It was accepted or rejected before.
    #[error("it is closed")]
    Closed,
    /// What is claimed cannot be so.
    #[error(transparent)]
    Amend(#[from] AmendError),
    /// What the database holds cannot be read: a defect.
    #[error("a stored row cannot be read")]
    Unreadable,
}

impl CorrectionError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            CorrectionError::Unknown => "unknown_correction",
            CorrectionError::UnknownPerson => "unknown_person",
            CorrectionError::Field(..) => "unprocessable",
            CorrectionError::NotYours => "not_yours",
            CorrectionError::TooMany => "too_many_corrections",
            CorrectionError::Changed => "correction_changed",
            CorrectionError::Closed => "correction_closed",
            CorrectionError::Amend(error) => error.code(),
            CorrectionError::Unreadable => "row_unreadable",
        }
    }
}

impl From<DoseError> for CorrectionError {
    fn from(error: DoseError) -> CorrectionError {
        CorrectionError::Amend(AmendError::Dose(error))
    }
}

impl From<StoreError> for CorrectionError {
    fn from(error: StoreError) -> CorrectionError {
        CorrectionError::Amend(AmendError::from(error))
    }
}

fn field(name: &'static str, en: &'static str, vi: &'static str) -> CorrectionError {
    CorrectionError::Field(name, Said { en, vi })
}

/// Names a correction for ever; carries the person, by whom rows are distributed. Written `person.correction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CorrectionId {
    /// About whom.
    pub person: Uuid,
    /// Which.
    pub correction: Uuid,
}

impl fmt::Display for CorrectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DoseId { person: self.person, dose: self.correction }.fmt(f)
    }
}

impl FromStr for CorrectionId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let DoseId { person, dose } = text.parse()?;
        Ok(CorrectionId { person, correction: dose })
    }
}

/// Who takes a step.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The token's subject, or the account.
    pub subject: String,
    /// The role's word.
    pub role: &'static str,
    /// The facility's code, or nothing.
    pub place: String,
}

/// One step as it is stored.
fn step(actor: &Actor, what: &str, note: &str, at: UnixSeconds) -> Value {
    json!({"at": at.0, "by": actor.subject, "role": actor.role, "place": actor.place, "what": what, "note": note})
}

/// What somebody says is missing or wrong.
pub struct NewCorrection {
    /// Names it; the same again is the same correction.
    pub id: Uuid,
    /// About whom.
    pub person: Uuid,
    /// Who is to answer; known to be in the reference data.
    pub facility: String,
    /// What should be so.
    pub claim: Claim,
    /// In their words.
    pub said: String,
}

/// How many may be open about one person.
const MAX_OPEN: i64 = 20;

impl Desk {
    /// Takes down what somebody says and puts it into the facility's queue. Returns it, and whether it is new.
    pub async fn correct(
        &self,
        new: &NewCorrection,
        by: &Actor,
        now: UnixSeconds,
    ) -> Result<(CorrectionRow, bool), CorrectionError> {
        self.store.transact(&Create { desk: self, new, by, now }).await?
    }

    /// Keeps a photo with an open correction, in the place of the one before it. Returns the correction.
    pub async fn attach(
        &self,
        id: CorrectionId,
        media: &str,
        photo: &[u8],
        by: &Actor,
        now: UnixSeconds,
    ) -> Result<CorrectionRow, CorrectionError> {
        let sealed = self.data_key.seal_bytes("attachment", photo);
        let photo = Attachment { person: id.person, id: Uuid::new_v4(), media: media.to_owned(), sealed };
        self.store.transact(&Attach { id, photo: &photo, by, now }).await?
    }

    /// The photo of a correction with its media type; `None` if it has none.
    pub async fn photo(&self, row: &CorrectionRow) -> Result<Option<(String, Vec<u8>)>, CorrectionError> {
        let Some(id) = row.attachment else { return Ok(None) };
        let Some(photo) = self.store.attachment(row.person, id).await? else { return Ok(None) };
        let plain = self.data_key.open_bytes("attachment", &photo.sealed).map_err(|_| CorrectionError::Unreadable)?;
        Ok(Some((photo.media, plain)))
    }

    /// What a correction claims.
    pub fn claim_of(&self, row: &CorrectionRow) -> Result<Claim, CorrectionError> {
        Claim::read(&row.claim, &self.data_key)
    }
}

struct Create<'a> {
    desk: &'a Desk,
    new: &'a NewCorrection,
    by: &'a Actor,
    now: UnixSeconds,
}

impl Work for Create<'_> {
    type Output = Result<(CorrectionRow, bool), CorrectionError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        let new = self.new;
        if let Some(known) = tx.lock_correction(new.person, new.id).await? {
            return Ok(Ok((known, false)));
        }
        let Some(locked) = super::restate::lock(tx, new.person).await? else {
            return Ok(Err(CorrectionError::UnknownPerson));
        };
        if tx.open_corrections(new.person).await? >= MAX_OPEN {
            return Ok(Err(CorrectionError::TooMany));
        }
        if let Err(error) = answer::check(self.desk, &locked, &new.claim, self.now) {
            return Ok(Err(error));
        }
        let row = CorrectionRow {
            person: new.person,
            id: new.id,
            kind: if new.claim.dose.is_none() && new.claim.given.is_some() { MISSING_DOSE } else { WRONG_DATA }
                .to_owned(),
            facility: new.facility.clone(),
            status: "open".to_owned(),
            claim: new.claim.stored(&self.desk.data_key),
            said: new.said.clone(),
            attachment: None,
            steps: vec![step(self.by, "made", "", self.now)],
            pending: None,
            version: 1,
            made_at: self.now,
            due_at: UnixSeconds(self.now.0 + self.desk.correction_hours * 3600),
            closed_at: None,
        };
        tx.insert_corrections(std::slice::from_ref(&row)).await?;
        Ok(Ok((row, true)))
    }
}

/// A dose is not recorded.
pub const MISSING_DOSE: &str = "missing_dose";
/// A dose or the person is not recorded as it is.
pub const WRONG_DATA: &str = "wrong_data";
/// It cannot be said whose a dose is.
pub const UNCLEAR_PERSON: &str = "unclear_person";

struct Attach<'a> {
    id: CorrectionId,
    photo: &'a Attachment,
    by: &'a Actor,
    now: UnixSeconds,
}

impl Work for Attach<'_> {
    type Output = Result<CorrectionRow, CorrectionError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        let Some(before) = tx.lock_correction(self.id.person, self.id.correction).await? else {
            return Ok(Err(CorrectionError::Unknown));
        };
        if before.closed_at.is_some() {
            return Ok(Err(CorrectionError::Closed));
        }
        tx.put_attachment(self.photo, before.attachment, self.now).await?;
        let mut after = before.clone();
        after.attachment = Some(self.photo.id);
        after.version += 1;
        after.steps.push(step(self.by, "photo", "", self.now));
        tx.update_correction(&before, &after).await?;
        Ok(Ok(after))
    }
}

/// A dose of which it cannot be said for certain whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear {
    /// Under whom it was recorded.
    pub person: Uuid,
    /// Which dose.
    pub dose: Uuid,
    /// The facility that gave it, which is asked.
    pub facility: String,
    /// Whose it may be.
    pub candidates: Vec<Uuid>,
}

/// Asks the facilities whose these doses are, in the transaction that records them.
pub async fn queue_unclear(tx: &Tx<'_>, unclear: &[Unclear], hours: i64, now: UnixSeconds) -> Result<(), StoreError> {
    let service = Actor { subject: String::new(), role: "", place: String::new() };
    let row = |unclear: &Unclear| CorrectionRow {
        person: unclear.person,
        id: Uuid::new_v4(),
        kind: UNCLEAR_PERSON.to_owned(),
        facility: unclear.facility.clone(),
        status: "open".to_owned(),
        claim: json!({"dose": unclear.dose, "candidates": unclear.candidates}),
        said: String::new(),
        attachment: None,
        steps: vec![step(&service, "made", "", now)],
        pending: None,
        version: 1,
        made_at: now,
        due_at: UnixSeconds(now.0 + hours * 3600),
        closed_at: None,
    };
    tx.insert_corrections(&unclear.iter().map(row).collect::<Vec<_>>()).await
}

/// A record of a dose of a known person, as facilities send it.
fn record(person: &crate::store::PersonRow, record_no: String, given: &DoseMembers) -> DoseRecord {
    DoseRecord {
        record_no,
        person: PersonRecord {
            id: None,
            name: person.name.clone(),
            birth: person.birth.to_string(),
            sex: None,
            phone: None,
            identity: None,
            ward: None,
        },
        product: given.product.clone().unwrap_or_default(),
        lot: given.lot.clone().unwrap_or_default(),
        lot_expires_on: given.lot_expires_on.clone(),
        given_at: given.given_at.clone().unwrap_or_default(),
        number: given.number.unwrap_or_default(),
        vaccinator: None,
    }
}
