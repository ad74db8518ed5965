//! What accepting a correction does, thought through under the person's lock before anything is written.

use uuid::Uuid;

use super::super::super::amend::{self, ALONE_S, AmendError, Change, DoseMembers};
use super::super::super::doses::{self, Desk, DoseError, Reporter};
use super::super::super::plan::{self, Plan};
use super::super::super::record::{CheckedDose, DoseRecord, InvalidField};
use super::super::super::restate::{self, Locked, Restated};
use super::super::{Claim, CorrectionError, MISSING_DOSE, PersonMembers, UNCLEAR_PERSON, field, record};
use super::{Accept, AnswerIt};
use crate::certificate::UnixSeconds;
use crate::policy::{self, Flag};
use crate::store::{
    CertificateRow, CorrectionRow, DoseChangeRow, DoseRow, Hash, KnownPerson, LookupKind, StoreError, Tx,
};

/// What an acceptance writes, thought through before anything is written.
pub(super) enum Effect {
    /// A dose that was missing.
    Record(Box<plan::Writes>, Restated),
    /// A dose that was wrong.
    Amend(Box<amend::Planned>, DoseChangeRow),
    /// A person's data.
    Person(Box<KnownPerson>, Vec<(LookupKind, Option<Hash>, Option<Hash>)>, Restated),
    /// A dose that is somebody else's.
    Move(Box<Moved>),
    /// It is so already.
    Nothing(Option<CertificateRow>),
}

pub(super) struct Moved {
    pub from: DoseRow,
    pub to: DoseRow,
    /// False if that person has the same dose already.
    pub new: bool,
    pub left: Restated,
    pub joined: Restated,
    /// Numbers under which the one who has no dose left is no longer found.
    pub forgotten: Vec<(LookupKind, Hash)>,
}

impl AnswerIt<'_> {
    /// What accepting does, and whether it takes a second person.
    pub(super) async fn effect(
        &self,
        tx: &Tx<'_>,
        row: &CorrectionRow,
        accept: &Accept,
    ) -> Result<Result<(Effect, bool), CorrectionError>, StoreError> {
        let claim = match self.desk.claim_of(row) {
            Ok(claim) => claim,
            Err(error) => return Ok(Err(error)),
        };
        let Some(locked) = restate::lock(tx, row.person).await? else { return Ok(Err(CorrectionError::UnknownPerson)) };
        if row.kind == MISSING_DOSE {
            return Ok(self.record(tx, row, &locked, &claim, accept).await?.map(|effect| (effect, false)));
        }
        if row.kind == UNCLEAR_PERSON {
            return Ok(self.whose(tx, &locked, &claim, accept).await?.map(|effect| (effect, false)));
        }
        Ok(match &claim.data {
            Some(data) => self.person(&locked, data).map(|effect| (effect, data.is_identity())),
            None => self.amend(&locked, row, &claim, accept),
        })
    }

    async fn record(
        &self,
        tx: &Tx<'_>,
        row: &CorrectionRow,
        locked: &Locked,
        claim: &Claim,
        accept: &Accept,
    ) -> Result<Result<Effect, CorrectionError>, StoreError> {
        let given = over(claim.given.clone().unwrap_or_default(), &accept.given);
        let record_no = accept.record_no.clone().unwrap_or_else(|| format!("correction-{}", row.id.simple()));
        let by = Reporter { facility: row.facility.clone(), subject: self.by.subject.clone() };
        let sent = match doses::row(&self.desk.data_key, &by, record(&locked.person.row, record_no, &given), self.now) {
            Ok(sent) => sent,
            Err(error) => return Ok(Err(DoseError::Invalid(error).into())),
        };
        let known = tx.records(&[(sent.facility.clone(), sent.dose.record_no.clone())]).await?;
        let mut plan = Plan::new(self.key, self.now, known, Vec::new(), locked.doses.clone());
        if let plan::Answer::Ready(Err(error)) = plan.take_known(&sent, locked.person.row.clone()) {
            return Ok(Err(error.into()));
        }
        let doses = [locked.doses.clone(), plan.writes.doses.clone()].concat();
        let certificates = [locked.certificates.clone(), plan.writes.certificates.clone()].concat();
        let restated = restate::restate((self.key, self.now), &locked.person.row, &doses, &certificates, true);
        Ok(restated.map(|restated| Effect::Record(Box::new(plan.writes), restated)).map_err(Into::into))
    }

    fn amend(
        &self,
        locked: &Locked,
        row: &CorrectionRow,
        claim: &Claim,
        accept: &Accept,
    ) -> Result<(Effect, bool), CorrectionError> {
        let dose = locked.doses.iter().find(|dose| Some(dose.dose) == claim.dose).ok_or(AmendError::Voided)?;
        let members = over(claim.given.clone().unwrap_or_default(), &accept.given);
        let change = Change::Amend(members);
        let Some(planned) = amend::plan(locked, dose, &change, self.key, self.now)? else {
            return Ok((Effect::Nothing(in_force(locked)), false));
        };
        let first = row.pending.as_ref().and_then(|pending| Some(pending.get("by")?.as_str()?.to_owned()));
        let history = DoseChangeRow {
            person: dose.person,
            change: Uuid::new_v4(),
            dose: dose.dose,
            members: change.members(),
            before: amend::before(dose),
            why: format!("correction {}", row.id),
            checked_by: first.as_ref().map(|_| self.by.subject.clone()),
            made_by: first.unwrap_or_else(|| self.by.subject.clone()),
            made_at: self.now,
            applied_at: Some(self.now),
            refused_at: None,
        };
        let second = self.now.0 - dose.recorded_at.0 > ALONE_S;
        Ok((Effect::Amend(Box::new(planned), history), second))
    }

    fn person(&self, locked: &Locked, data: &PersonMembers) -> Result<Effect, CorrectionError> {
        let checked = checked_person(locked, data, self.now)?;
        let (key, before) = (&self.desk.data_key, &locked.person);
        let mut after = before.clone();
        after.row.name = checked.name.as_str().to_owned();
        after.row.name_key = checked.name.matching_key().to_owned();
        after.row.birth = checked.birth;
        after.sex = checked.sex.or(after.sex);
        let mut lookups = Vec::new();
        if let Some(identity) = &checked.identity {
            after.identity_sealed = Some(key.seal("identity", identity));
            // The old number of nine digits and the new one of twelve may both be right.
            let mistyped = before.row.identity_digits == Some(identity.len());
            let old = before.identity_sealed.as_ref().filter(|_| mistyped);
            after.row.identity_digits = Some(identity.len());
            lookups.push((
                LookupKind::Identity,
                self.hashed("identity", old)?,
                Some(key.lookup_hash("identity", identity)),
            ));
        }
        if let Some(phone) = &checked.phone {
            after.phone_sealed = Some(key.seal("phone", phone));
            let old = self.hashed("phone", before.phone_sealed.as_ref())?;
            lookups.push((LookupKind::Phone, old, Some(key.lookup_hash("phone", phone))));
        }
        let restated = restate::restate((self.key, self.now), &after.row, &locked.doses, &locked.certificates, false)?;
        Ok(Effect::Person(Box::new(after), lookups, restated))
    }

    /// The hash of a sealed number.
    fn hashed(&self, kind: &str, sealed: Option<&Vec<u8>>) -> Result<Option<Hash>, CorrectionError> {
        let key = &self.desk.data_key;
        let opened = sealed.map(|sealed| key.open(kind, sealed)).transpose();
        Ok(opened.map_err(|_| CorrectionError::Unreadable)?.map(|plain| key.lookup_hash(kind, &plain)))
    }

    async fn whose(
        &self,
        tx: &Tx<'_>,
        locked: &Locked,
        claim: &Claim,
        accept: &Accept,
    ) -> Result<Result<Effect, CorrectionError>, StoreError> {
        let Some(person) = accept.person.filter(|person| claim.candidates.contains(person)) else {
            let (en, vi) = ("expected one of the candidates", "cần một trong những người được nêu");
            return Ok(Err(field("person", en, vi)));
        };
        let Some(from) = locked.doses.iter().find(|dose| Some(dose.dose) == claim.dose).cloned() else {
            return Ok(Err(AmendError::Voided.into()));
        };
        let clear = |dose: &DoseRow| {
            let kept = |flag: &&String| {
                ![Flag::PersonUnclear, Flag::PersonDiffers].iter().any(|unclear| unclear.as_str() == flag.as_str())
            };
            dose.flags.iter().filter(kept).cloned().collect::<Vec<_>>()
        };
        let target = restate::lock(tx, person).await?.filter(|_| person != from.person);
        let Some(target) = target else {
            // It is theirs, as it was recorded: nobody doubts it any more.
            let flags = clear(&from);
            tx.update_dose(&DoseRow { flags, ..from }, None).await?;
            return Ok(Ok(Effect::Nothing(in_force(locked))));
        };
        Ok(self.moved(locked, &target, &from, clear(&from)).map(|moved| Effect::Move(Box::new(moved))))
    }

    fn moved(
        &self,
        locked: &Locked,
        target: &Locked,
        from: &DoseRow,
        flags: Vec<String>,
    ) -> Result<Moved, CorrectionError> {
        let same = |dose: &&DoseRow| {
            dose.product == from.product && dose.given_at.vietnamese_date() == from.given_at.vietnamese_date()
        };
        let known = target.doses.iter().find(same).cloned();
        let new = known.is_none();
        let person = target.person.row.person;
        let to = known.unwrap_or_else(|| DoseRow { person, dose: Uuid::new_v4(), flags, ..from.clone() });
        let left: Vec<DoseRow> = locked.doses.iter().filter(|dose| dose.dose != from.dose).cloned().collect();
        let mut joined = target.doses.clone();
        joined.extend(new.then(|| to.clone()));
        let at = (self.key, self.now);
        let mut forgotten = Vec::new();
        if left.is_empty() {
            let person = &locked.person;
            let identity = self.hashed("identity", person.identity_sealed.as_ref())?;
            let phone = self.hashed("phone", person.phone_sealed.as_ref())?;
            forgotten.extend(identity.map(|hash| (LookupKind::Identity, hash)));
            forgotten.extend(phone.map(|hash| (LookupKind::Phone, hash)));
        }
        Ok(Moved {
            left: restate::restate(at, &locked.person.row, &left, &locked.certificates, false)?,
            joined: restate::restate(at, &target.person.row, &joined, &target.certificates, true)?,
            from: from.clone(),
            to,
            new,
            forgotten,
        })
    }
}

fn in_force(locked: &Locked) -> Option<CertificateRow> {
    locked.certificates.iter().find(|row| row.superseded_at.is_none() && row.revoked_at.is_none()).cloned()
}

/// `claimed` with what the facility says otherwise.
fn over(claimed: DoseMembers, said: &DoseMembers) -> DoseMembers {
    DoseMembers {
        product: said.product.clone().or(claimed.product),
        lot: said.lot.clone().or(claimed.lot),
        lot_expires_on: said.lot_expires_on.clone().or(claimed.lot_expires_on),
        given_at: said.given_at.clone().or(claimed.given_at),
        number: said.number.or(claimed.number),
    }
}

/// A person's data with these members changed, each checked as a facility's are.
fn checked_person(locked: &Locked, data: &PersonMembers, now: UnixSeconds) -> Result<CheckedDose, CorrectionError> {
    let today = jiff::Timestamp::from_second(now.0).unwrap_or_default().to_string();
    let product = policy::products().last().map(|product| product.code.to_owned());
    let given = DoseMembers {
        product,
        lot: Some("-".to_owned()),
        given_at: Some(today),
        number: Some(1),
        ..DoseMembers::default()
    };
    let mut sent: DoseRecord = record(&locked.person.row, "-".to_owned(), &given);
    sent.person.name = data.name.clone().unwrap_or(sent.person.name);
    sent.person.birth = data.birth.clone().unwrap_or(sent.person.birth);
    sent.person.sex.clone_from(&data.sex);
    sent.person.phone.clone_from(&data.phone);
    sent.person.identity.clone_from(&data.identity);
    let checked = sent.check(now).map_err(|error: InvalidField| DoseError::Invalid(error))?;
    // Doses before birth would stay.
    let born = checked.birth.earliest();
    if locked.doses.iter().any(|dose| born.is_some_and(|born| dose.given_at.vietnamese_date() < born)) {
        return Err(field("data.birth", "a dose was given before it", "có mũi tiêm trước ngày này"));
    }
    Ok(checked)
}

/// Refuses a claim that could not be accepted: every member is checked before a facility sees it.
pub(in super::super) fn check(
    desk: &Desk,
    locked: &Locked,
    claim: &Claim,
    now: UnixSeconds,
) -> Result<(), CorrectionError> {
    if let Some(data) = &claim.data {
        checked_person(locked, data, now)?;
    }
    let Some(given) = &claim.given else { return Ok(()) };
    match claim.dose {
        None => {
            // The holder may not know the lot: the facility does.
            let lot = given.lot.clone().or(Some("-".to_owned()));
            let number = given.number.or(Some(1));
            let sent = record(&locked.person.row, "-".to_owned(), &DoseMembers { lot, number, ..given.clone() });
            let by = Reporter { facility: String::new(), subject: String::new() };
            doses::row(&desk.data_key, &by, sent, now).map_err(DoseError::Invalid)?;
        }
        Some(dose) => {
            let dose = locked.doses.iter().find(|other| other.dose == dose).ok_or(AmendError::Unknown)?;
            amend::amended(locked, dose, given, now)?;
        }
    }
    Ok(())
}
