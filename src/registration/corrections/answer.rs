//! What a facility answers to a correction, and what follows: in one transaction with it.

mod effect;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::amend::{AmendError, DoseMembers};
use super::super::doses::{self, Desk};
use super::super::restate::{self, Because};
use super::{Actor, CorrectionError, CorrectionId, step};
use crate::certificate::{UnixSeconds, Uvci};
use crate::keys::IssuerKey;
use crate::store::{CertificateRow, CorrectionRow, Hash, Lookup, LookupKind, StoreError, Tx, Work};

use effect::Effect;
pub(super) use effect::check;

/// How a facility accepts: with what it knows better.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// Its number of a dose that was missing.
    #[serde(default)]
    pub record_no: Option<String>,
    /// Members of the dose that it says otherwise or beside.
    #[serde(default)]
    pub given: DoseMembers,
    /// Whose the dose is.
    #[serde(default)]
    pub person: Option<Uuid>,
}

/// What a facility answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is so.
    Accept(Accept),
    /// It is not so, and why.
    Reject(String),
    /// Another facility is to answer, and why.
    PassOn(String, String),
}

/// A correction after an answer.
#[derive(Clone)]
pub struct Answered {
    /// As it stands.
    pub row: CorrectionRow,
    /// Certificates that are rejected from now on.
    pub revoked: Vec<Uvci>,
    /// The certificate in force of the one whose data changed.
    pub certificate: Option<CertificateRow>,
}

impl Desk {
    /// Answers a correction that was read at `version`. Errors: every [`CorrectionError`]; who is second finds it changed.
    pub async fn answer(
        &self,
        id: CorrectionId,
        version: i64,
        answer: &Answer,
        by: &Actor,
        now: UnixSeconds,
    ) -> Result<Answered, CorrectionError> {
        let trust = self.trust.load_full();
        let key = self.compact_key(&trust, now)?;
        self.store.transact(&AnswerIt { desk: self, id, version, answer, by, key: &key, now }).await?
    }
}

struct AnswerIt<'a> {
    desk: &'a Desk,
    id: CorrectionId,
    version: i64,
    answer: &'a Answer,
    by: &'a Actor,
    key: &'a IssuerKey,
    now: UnixSeconds,
}

impl Work for AnswerIt<'_> {
    type Output = Result<Answered, CorrectionError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        let mut people = vec![self.id.person];
        if let Answer::Accept(Accept { person: Some(other), .. }) = self.answer {
            people.push(*other);
        }
        people.sort_unstable();
        people.dedup();
        tx.lock_people(&people).await?;
        let Some(before) = tx.lock_correction(self.id.person, self.id.correction).await? else {
            return Ok(Err(CorrectionError::Unknown));
        };
        if let Err(error) = self.may_answer(&before) {
            return Ok(Err(error));
        }
        let mut after = before.clone();
        after.version += 1;
        let (mut revoked, mut certificate) = (Vec::new(), None);
        match self.answer {
            Answer::Reject(why) => self.close(&mut after, "rejected", why),
            Answer::PassOn(facility, why) => self.pass_on(&mut after, facility, why),
            Answer::Accept(accept) => {
                let accept = match self.agreed(&before, accept) {
                    Ok(accept) => accept,
                    Err(error) => return Ok(Err(error)),
                };
                let (effect, second) = match self.effect(tx, &before, &accept).await? {
                    Ok(found) => found,
                    Err(error) => return Ok(Err(error)),
                };
                if second && before.pending.is_none() {
                    after.status = "checking".to_owned();
                    let proposed = serde_json::to_value(&accept).expect("texts and numbers are JSON");
                    after.pending = Some(serde_json::json!({"by": self.by.subject, "accept": proposed}));
                    after.steps.push(step(self.by, "proposed", "", self.now));
                } else {
                    (revoked, certificate) = self.apply(tx, effect).await?;
                    self.close(&mut after, "accepted", "");
                }
            }
        }
        tx.update_correction(&before, &after).await?;
        Ok(Ok(Answered { row: after, revoked, certificate }))
    }
}

impl AnswerIt<'_> {
    fn may_answer(&self, row: &CorrectionRow) -> Result<(), CorrectionError> {
        match () {
            () if row.facility != self.by.place => Err(CorrectionError::NotYours),
            () if row.closed_at.is_some() => Err(CorrectionError::Closed),
            () if row.version != self.version => Err(CorrectionError::Changed),
            () => Ok(()),
        }
    }

    fn close(&self, row: &mut CorrectionRow, status: &str, note: &str) {
        row.status = status.to_owned();
        row.closed_at = Some(self.now);
        row.pending = None;
        row.steps.push(step(self.by, status, note, self.now));
    }

    fn pass_on(&self, row: &mut CorrectionRow, facility: &str, note: &str) {
        let late = row.steps.iter().any(|step| step.get("what").is_some_and(|what| what == "overdue"));
        row.status = if late { "overdue" } else { "open" }.to_owned();
        row.facility = facility.to_owned();
        row.pending = None;
        row.steps.push(step(self.by, "passed_on", note, self.now));
    }

    /// What is accepted: what the first of two people said, if somebody did.
    fn agreed(&self, row: &CorrectionRow, accept: &Accept) -> Result<Accept, CorrectionError> {
        let Some(pending) = &row.pending else { return Ok(accept.clone()) };
        if pending.get("by").and_then(|by| by.as_str()) == Some(&self.by.subject) {
            return Err(AmendError::SamePerson.into());
        }
        let proposed = pending.get("accept").cloned().unwrap_or_default();
        serde_json::from_value(proposed).map_err(|_| CorrectionError::Unreadable)
    }

    /// Writes what was thought through. Returns what falls, and the certificate in force.
    async fn apply(&self, tx: &Tx<'_>, effect: Effect) -> Result<(Vec<Uvci>, Option<CertificateRow>), StoreError> {
        let why = format!("correction {}", self.id.correction);
        let because = Because { by: &self.by.subject, why: &why, now: self.now };
        match effect {
            Effect::Nothing(certificate) => Ok((Vec::new(), certificate)),
            Effect::Record(writes, restated) => {
                doses::write(tx, &writes, self.now).await?;
                restate::write(tx, self.id.person, &restated, &because).await?;
                Ok((restated.revoked, restated.current))
            }
            Effect::Amend(planned, history) => {
                tx.insert_dose_change(&history).await?;
                planned.write(tx, &because).await?;
                let amended = planned.amended();
                Ok((amended.revoked, amended.certificate))
            }
            Effect::Person(person, lookups, restated) => {
                tx.update_person(&person).await?;
                for (kind, old, new) in lookups {
                    self.relocate(tx, kind, old, new).await?;
                }
                restate::write(tx, self.id.person, &restated, &because).await?;
                Ok((restated.revoked, restated.current))
            }
            Effect::Move(moved) => {
                if moved.new {
                    tx.insert_doses(std::slice::from_ref(&moved.to)).await?;
                }
                tx.update_dose(&moved.from, Some(self.now)).await?;
                tx.move_records(&moved.from, &moved.to).await?;
                restate::write(tx, moved.from.person, &moved.left, &because).await?;
                restate::write(tx, moved.to.person, &moved.joined, &because).await?;
                for (kind, hash) in &moved.forgotten {
                    tx.forget_lookup(*kind, hash, moved.from.person).await?;
                }
                Ok(([moved.left.revoked, moved.joined.revoked].concat(), moved.joined.current))
            }
        }
    }

    /// Makes the person findable under `new` and no longer under `old`.
    async fn relocate(
        &self,
        tx: &Tx<'_>,
        kind: LookupKind,
        old: Option<Hash>,
        new: Option<Hash>,
    ) -> Result<(), StoreError> {
        let person = self.id.person;
        if let Some(old) = old.filter(|_| old != new) {
            tx.forget_lookup(kind, &old, person).await?;
        }
        let Some(hash) = new else { return Ok(()) };
        let known = match kind {
            LookupKind::Identity => tx.candidates(&[hash], &[]).await?,
            LookupKind::Phone => tx.candidates(&[], &[hash]).await?,
        };
        if known.iter().any(|known| known.row.person == person) {
            return Ok(());
        }
        let nth = known.iter().map(|known| known.nth).max().unwrap_or(0) + 1;
        tx.insert_lookups(&[Lookup { kind, hash, nth, person }]).await
    }
}
