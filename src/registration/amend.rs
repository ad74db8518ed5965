//! A recorded dose put right or voided: what was before is kept, certificates follow in the same transaction, and after a day
//! it takes two people.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::doses::{Desk, DoseError, DoseId};
use super::record::{DoseRecord, PersonRecord};
use super::restate::{self, Because, Locked, Restated};
use crate::certificate::{Profile, UnixSeconds, Uvci};
use crate::keys::IssuerKey;
use crate::store::{CertificateRow, DoseChangeRow, DoseRow, StoreError, Tx, Work};

/// For how long after its recording one person alone changes a dose, in seconds.
pub const ALONE_S: i64 = 24 * 3600;

/// What is to be so of a dose; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoseMembers {
    /// The product's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The lot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// The last day on which the lot may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot_expires_on: Option<String>,
    /// When it was given, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_at: Option<String>,
    /// Which dose of the person's it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

/// What is asked of a dose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was given, but not so.
    Amend(DoseMembers),
    /// It was not given.
    Void,
}

impl Change {
    pub(super) fn members(&self) -> Value {
        match self {
            Change::Void => json!({"void": true}),
            Change::Amend(members) => serde_json::to_value(members).expect("texts and numbers are JSON"),
        }
    }

    fn of(members: &Value) -> Result<Change, AmendError> {
        match members.get("void") {
            Some(_) => Ok(Change::Void),
            None => serde_json::from_value(members.clone()).map(Change::Amend).map_err(|_| AmendError::Unreadable),
        }
    }
}

/// Why a dose is not changed. Nothing of it is stored then.
#[derive(Debug, thiserror::Error)]
pub enum AmendError {
    /// There is no such dose.
    #[error("there is no such dose")]
    Unknown,
    /// The dose was voided.
    #[error("the dose was voided")]
    Voided,
    /// No such change waits for a second person.
    #[error("there is no such change")]
    UnknownChange,
    /// Another change of the dose waits for a second person.
    #[error("another change of this dose waits for a second person")]
    Waiting,
    /// The one who asked for it cannot confirm it.
    #[error("it takes a second person")]
    SamePerson,
    /// The dose is no longer what it was when the change was asked for.
    #[error("the dose was changed since")]
    Outdated,
    /// The person has such a dose already: same product, same day.
    #[error("the person has this dose already")]
    Duplicate,
    /// It cannot be recorded or certified so.
    #[error(transparent)]
    Dose(#[from] DoseError),
    /// What the database holds cannot be read: a defect.
    #[error("a stored row cannot be read")]
    Unreadable,
}

impl AmendError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            AmendError::Unknown => "unknown_dose",
            AmendError::Voided => "dose_voided",
            AmendError::UnknownChange => "unknown_change",
            AmendError::Waiting => "change_waits",
            AmendError::SamePerson => "second_person_needed",
            AmendError::Outdated => "change_outdated",
            AmendError::Duplicate => "dose_duplicate",
            AmendError::Dose(error) => error.code(),
            AmendError::Unreadable => "row_unreadable",
        }
    }
}

impl From<StoreError> for AmendError {
    fn from(error: StoreError) -> AmendError {
        AmendError::Dose(DoseError::Store(Arc::new(error)))
    }
}

/// A dose after a change was applied.
#[derive(Clone, Debug)]
pub struct Amended {
    /// Which.
    pub dose: DoseId,
    /// Whether it is voided.
    pub voided: bool,
    /// Its flags.
    pub flags: Vec<String>,
    /// Certificates that are no longer true.
    pub revoked: Vec<Uvci>,
    /// The person's certificate in force; `None` if no dose is left.
    pub certificate: Option<CertificateRow>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is so.
    Applied(Box<Amended>),
    /// It waits for a second person, under this name.
    Waits(Uuid),
    /// It was refused: the dose is as it was.
    Refused,
}

impl Desk {
    /// Changes a dose, or notes the change for a second person if the dose was recorded longer ago than a day.
    ///
    /// Asked again, it is answered alike. `subject`: who asks; `why`: kept, never published. Errors: [`AmendError`].
    pub async fn amend(
        &self,
        id: DoseId,
        change: &Change,
        subject: &str,
        why: &str,
        now: UnixSeconds,
    ) -> Result<Outcome, AmendError> {
        let trust = self.trust.load_full();
        let key = self.compact_key(&trust, now)?;
        self.store.transact(&Amend { id, change, key: &key, because: Because { by: subject, why, now } }).await?
    }

    /// Confirms or refuses a change that waits. The one who asked for it may refuse it, not confirm it.
    ///
    /// Confirmed or refused again, it is answered alike. Errors: [`AmendError`].
    pub async fn confirm(
        &self,
        id: DoseId,
        change: Uuid,
        subject: &str,
        confirmed: bool,
        now: UnixSeconds,
    ) -> Result<Outcome, AmendError> {
        let trust = self.trust.load_full();
        let key = self.compact_key(&trust, now)?;
        self.store.transact(&Confirm { id, change, key: &key, subject, confirmed, now }).await?
    }

    /// The key that signs compact certificates at `now`.
    pub(super) fn compact_key(
        &self,
        trust: &crate::trust::TrustList,
        now: UnixSeconds,
    ) -> Result<IssuerKey, DoseError> {
        let key = self.keyring.signing_key(Profile::Compact, trust, now);
        key.map_err(|error| DoseError::Keyring(Arc::new(error)))
    }
}

struct Amend<'a> {
    id: DoseId,
    change: &'a Change,
    key: &'a IssuerKey,
    because: Because<'a>,
}

impl Work for Amend<'_> {
    type Output = Result<Outcome, AmendError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        let Some(locked) = restate::lock(tx, self.id.person).await? else { return Ok(Err(AmendError::Unknown)) };
        let found = tx.all_doses(self.id.person).await?.into_iter().find(|(dose, _)| dose.dose == self.id.dose);
        let Some((dose, voided)) = found else { return Ok(Err(AmendError::Unknown)) };
        if voided {
            return Ok(match self.change {
                Change::Void => Ok(as_it_is(&locked, &dose, true)),
                Change::Amend(_) => Err(AmendError::Voided),
            });
        }
        let now = self.because.now;
        let planned = match plan(&locked, &dose, self.change, self.key, now) {
            Ok(Some(planned)) => planned,
            Ok(None) => return Ok(Ok(as_it_is(&locked, &dose, false))),
            Err(error) => return Ok(Err(error)),
        };
        let waiting = tx.waiting_dose_changes(self.id.person, self.id.dose).await?;
        if let Some(other) = waiting.first() {
            let same = other.members == self.change.members() && other.made_by == self.because.by;
            return Ok(if same { Ok(Outcome::Waits(other.change)) } else { Err(AmendError::Waiting) });
        }
        let alone = now.0 - dose.recorded_at.0 <= ALONE_S;
        let row = DoseChangeRow {
            person: dose.person,
            change: Uuid::new_v4(),
            dose: dose.dose,
            members: self.change.members(),
            before: before(&dose),
            why: self.because.why.to_owned(),
            made_by: self.because.by.to_owned(),
            made_at: now,
            checked_by: None,
            applied_at: alone.then_some(now),
            refused_at: None,
        };
        tx.insert_dose_change(&row).await?;
        if !alone {
            tx.queue_dose_change(&dose.facility, &row).await?;
            return Ok(Ok(Outcome::Waits(row.change)));
        }
        planned.write(tx, &self.because).await?;
        Ok(Ok(Outcome::Applied(Box::new(planned.amended()))))
    }
}

struct Confirm<'a> {
    id: DoseId,
    change: Uuid,
    key: &'a IssuerKey,
    subject: &'a str,
    confirmed: bool,
    now: UnixSeconds,
}

impl Work for Confirm<'_> {
    type Output = Result<Outcome, AmendError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        let Some(locked) = restate::lock(tx, self.id.person).await? else { return Ok(Err(AmendError::Unknown)) };
        let found = tx.all_doses(self.id.person).await?.into_iter().find(|(dose, _)| dose.dose == self.id.dose);
        let Some((dose, voided)) = found else { return Ok(Err(AmendError::Unknown)) };
        let row = tx.dose_change(self.id.person, self.change).await?.filter(|row| row.dose == self.id.dose);
        let Some(mut row) = row else { return Ok(Err(AmendError::UnknownChange)) };
        match (row.applied_at, row.refused_at) {
            (Some(_), _) if self.confirmed => return Ok(Ok(as_it_is(&locked, &dose, voided))),
            (_, Some(_)) if !self.confirmed => return Ok(Ok(Outcome::Refused)),
            (Some(_), _) | (_, Some(_)) => return Ok(Err(AmendError::UnknownChange)),
            (None, None) if self.confirmed && row.made_by == self.subject => return Ok(Err(AmendError::SamePerson)),
            (None, None) => {}
        }
        row.checked_by = Some(self.subject.to_owned());
        if !self.confirmed {
            row.refused_at = Some(self.now);
            tx.close_dose_change(&dose.facility, &row).await?;
            return Ok(Ok(Outcome::Refused));
        }
        if voided || row.before != before(&dose) {
            return Ok(Err(AmendError::Outdated));
        }
        let planned = Change::of(&row.members).and_then(|change| plan(&locked, &dose, &change, self.key, self.now));
        let planned = match planned {
            Ok(Some(planned)) => planned,
            Ok(None) => return Ok(Err(AmendError::Outdated)),
            Err(error) => return Ok(Err(error)),
        };
        row.applied_at = Some(self.now);
        tx.close_dose_change(&dose.facility, &row).await?;
        planned.write(tx, &Because { by: self.subject, why: &row.why, now: self.now }).await?;
        Ok(Ok(Outcome::Applied(Box::new(planned.amended()))))
    }
}

/// The answer where nothing is to be changed.
fn as_it_is(locked: &Locked, dose: &DoseRow, voided: bool) -> Outcome {
    let in_force = |row: &&CertificateRow| row.superseded_at.is_none() && row.revoked_at.is_none();
    Outcome::Applied(Box::new(Amended {
        dose: DoseId { person: dose.person, dose: dose.dose },
        voided,
        flags: dose.flags.clone(),
        revoked: Vec::new(),
        certificate: locked.certificates.iter().find(in_force).cloned(),
    }))
}

/// The members of a dose that can be changed, as they are: what a history keeps.
pub(super) fn before(dose: &DoseRow) -> Value {
    json!({
        "product": dose.product,
        "lot": dose.lot,
        "lot_expires_on": dose.lot_expires_on.map(|day| day.to_string()),
        "given_at": dose.given_at.0,
        "number": dose.number,
    })
}

/// A change thought through: what is written if it is applied.
pub(super) struct Planned {
    dose: DoseRow,
    voided: bool,
    restated: Restated,
    now: UnixSeconds,
}

impl Planned {
    pub async fn write(&self, tx: &Tx<'_>, because: &Because<'_>) -> Result<(), StoreError> {
        tx.update_dose(&self.dose, self.voided.then_some(self.now)).await?;
        restate::write(tx, self.dose.person, &self.restated, because).await
    }

    pub fn amended(self) -> Amended {
        let reflagged = self.restated.reflagged.iter().find(|dose| dose.dose == self.dose.dose);
        Amended {
            dose: DoseId { person: self.dose.person, dose: self.dose.dose },
            voided: self.voided,
            flags: reflagged.unwrap_or(&self.dose).flags.clone(),
            revoked: self.restated.revoked,
            certificate: self.restated.current,
        }
    }
}

/// What `change` makes of a dose and of its person's certificates; `None` if the dose is so already.
pub(super) fn plan(
    locked: &Locked,
    dose: &DoseRow,
    change: &Change,
    key: &IssuerKey,
    now: UnixSeconds,
) -> Result<Option<Planned>, AmendError> {
    let others = locked.doses.iter().filter(|other| other.dose != dose.dose);
    let (dose, voided) = match change {
        Change::Void => (dose.clone(), true),
        Change::Amend(members) => {
            let amended = amended(locked, dose, members, now)?;
            if amended == *dose {
                return Ok(None);
            }
            (amended, false)
        }
    };
    let same = |other: &DoseRow| {
        other.product == dose.product && other.given_at.vietnamese_date() == dose.given_at.vietnamese_date()
    };
    if !voided && others.clone().any(same) {
        return Err(AmendError::Duplicate);
    }
    let mut doses: Vec<DoseRow> = others.cloned().collect();
    if !voided {
        doses.push(dose.clone());
    }
    let restated = restate::restate((key, now), &locked.person.row, &doses, &locked.certificates, false)?;
    Ok(Some(Planned { dose, voided, restated, now }))
}

/// The dose with these members changed, every one of them checked.
pub(super) fn amended(
    locked: &Locked,
    dose: &DoseRow,
    members: &DoseMembers,
    now: UnixSeconds,
) -> Result<DoseRow, AmendError> {
    let checked = merged(locked, dose, members).check(now).map_err(DoseError::Invalid)?;
    Ok(DoseRow {
        product: checked.product.code.to_owned(),
        lot: checked.lot,
        lot_expires_on: checked.lot_expires_on,
        given_at: checked.given_at,
        number: checked.number,
        ..dose.clone()
    })
}

fn merged(locked: &Locked, dose: &DoseRow, members: &DoseMembers) -> DoseRecord {
    let person = &locked.person.row;
    let given_at = || jiff::Timestamp::from_second(dose.given_at.0).unwrap_or_default().to_string();
    DoseRecord {
        record_no: dose.record_no.clone(),
        person: PersonRecord {
            id: None,
            name: person.name.clone(),
            birth: person.birth.to_string(),
            sex: None,
            phone: None,
            identity: None,
            ward: None,
        },
        product: members.product.clone().unwrap_or_else(|| dose.product.clone()),
        lot: members.lot.clone().unwrap_or_else(|| dose.lot.clone()),
        lot_expires_on: members.lot_expires_on.clone().or_else(|| dose.lot_expires_on.map(|day| day.to_string())),
        given_at: members.given_at.clone().unwrap_or_else(given_at),
        number: members.number.unwrap_or(dose.number.into()),
        vaccinator: dose.vaccinator.clone(),
    }
}
