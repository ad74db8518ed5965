//! Registrations in: checked, gathered, and committed together; seen, changed and withdrawn one by one.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::application::{Application, Change, CheckedChange};
use super::citizen::CitizenError;
use super::contact::WITHDRAWN;
use super::declaration::Declaration;
use super::doses::Desk;
use super::enrol::{EnrolPlan, Enrolment};
use super::record::InvalidField;
use crate::certificate::UnixSeconds;
use crate::sealing::DataKey;
use crate::store::{
    self, Audited, GroupCommit, GroupCommitSettings, Hash, RegistrationRow, Store, StoreError, Tx, Work,
};

/// A registration that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Whose.
    pub person: Uuid,
    /// False if they were registered before, by this account.
    pub new: bool,
}

/// How many people an account holds at most. Two registrations at once, on two nodes, may make it one more.
pub const MAX_PEOPLE: usize = 20;
/// Claims of one account on a day.
pub const CLAIMS_PER_DAY: i64 = 5;

/// A guardian as it is kept: the phone sealed, in base64.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptGuardian {
    pub name: String,
    pub relation: String,
    pub phone: String,
}

/// Commits registrations in groups.
pub struct Registrar {
    data_key: Arc<DataKey>,
    commits: GroupCommit<Enrolment, Result<Registered, CitizenError>>,
}

impl Registrar {
    /// A registrar whose queue holds `settings.queue` registrations at most.
    pub fn new(store: Store, data_key: Arc<DataKey>, settings: GroupCommitSettings) -> Registrar {
        let commits = GroupCommit::new(settings, move |rows: Vec<Enrolment>| {
            let store = store.clone();
            async move { commit(&store, rows).await }
        });
        Registrar { data_key, commits }
    }

    /// Registers somebody in `account`, and returns once that is committed.
    ///
    /// The same person again gives the same person. Somebody who is known by identity number, name and birth date is claimed
    /// by it, unless another account holds them. Errors: every [`CitizenError`]; [`CitizenError::Busy`] at once.
    pub async fn register(
        &self,
        account: Uuid,
        application: Application,
        now: UnixSeconds,
    ) -> Result<Registered, CitizenError> {
        let enrolment = self.enrolment(account, application, now)?;
        self.commits.submit(enrolment).await.unwrap_or(Err(CitizenError::Busy))
    }

    /// Waits until everything that was accepted is committed; nothing more is accepted from then on.
    pub async fn drain(&self) {
        self.commits.drain().await;
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.commits.len()
    }

    fn enrolment(&self, account: Uuid, application: Application, now: UnixSeconds) -> Result<Enrolment, InvalidField> {
        let checked = application.check(now)?;
        let key = &self.data_key;
        let guardian = checked.guardian.as_ref().map(|guardian| {
            let phone = BASE64_STANDARD.encode(key.seal("guardian", &guardian.phone));
            let kept = KeptGuardian { name: guardian.name.clone(), relation: guardian.relation.clone(), phone };
            serde_json::to_string(&kept).expect("texts are JSON")
        });
        // A child without a number is found by doses under the guardian's.
        let found_under = checked.phone.as_ref().or(checked.guardian.as_ref().map(|guardian| &guardian.phone));
        Ok(Enrolment {
            account,
            identity_digits: checked.identity.as_ref().map(String::len),
            identity_hash: checked.identity.as_ref().map(|identity| key.lookup_hash("identity", identity)),
            identity_sealed: checked.identity.as_ref().map(|identity| key.seal("identity", identity)),
            phone_hash: found_under.map(|phone| key.lookup_hash("phone", phone)),
            phone_sealed: checked.phone.as_ref().map(|phone| key.seal("phone", phone)),
            declaration: checked.declaration.kept(),
            consent: serde_json::to_string(&checked.consent).expect("texts and numbers are JSON"),
            guardian,
            name: checked.name,
            birth: checked.birth,
            sex: checked.sex,
            place: checked.place,
            address: checked.address,
            occupation: checked.occupation,
            rank: checked.rank,
            now,
        })
    }
}

/// Commits a batch in one transaction and answers each; on a failure all of them hear the same.
async fn commit(store: &Store, rows: Vec<Enrolment>) -> Vec<Result<Registered, CitizenError>> {
    match store.transact(&Register { rows: &rows }).await {
        Ok(answers) => answers,
        Err(error) => {
            let error = CitizenError::from(error);
            rows.iter().map(|_| Err(error.clone())).collect()
        }
    }
}

/// A batch as one transaction: read what is known, plan, write.
struct Register<'a> {
    rows: &'a [Enrolment],
}

impl Work for Register<'_> {
    type Output = Vec<Result<Registered, CitizenError>>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        let rows = self.rows;
        let identities: Vec<Hash> = rows.iter().filter_map(|row| row.identity_hash).collect();
        let phones: Vec<Hash> = rows.iter().filter_map(|row| row.phone_hash).collect();
        let mut accounts: Vec<Uuid> = rows.iter().map(|row| row.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let (candidates, members) = store::together(tx.candidates(&identities, &phones), tx.members(&accounts)).await?;
        let mut plan = EnrolPlan::new(candidates, members);
        // Rare: somebody else knows the identity number already, so this may claim their record, and counts as a try.
        let mut claiming: Vec<(Uuid, &Enrolment)> =
            rows.iter().filter(|row| plan.may_claim(row)).map(|row| (row.account, row)).collect();
        claiming.sort_by_key(|(account, _)| *account);
        for (account, row) in &claiming {
            let tries = tx.count_claims(*account, row.now.vietnamese_date(), 1).await?;
            plan.claims_tried(*account, tries);
        }
        if !claiming.is_empty() {
            let known = plan.known_people();
            plan.held(tx.holders(&known).await?);
        }
        let answers: Vec<_> = rows.iter().map(|row| plan.take(row)).collect();
        let writes = plan.writes;
        let people = store::together(tx.insert_people(&writes.people), tx.insert_lookups(&writes.lookups));
        let registrations = tx.insert_registrations(&writes.registrations, &writes.members);
        // Sent last, so that what these count is in it; as a rule that is all, and the end of the transaction adds nothing.
        store::together(store::together(people, registrations), tx.put_tally()).await?;
        // Whoever was known before lives where they register from.
        let enrolled: HashSet<Uuid> = writes.people.iter().map(|new| new.row.person).collect();
        let known = writes.registrations.iter().filter(|row| !enrolled.contains(&row.person));
        tx.move_people(&known.map(|row| (row.person, row.ward.as_str())).collect::<Vec<_>>()).await?;
        for claim in &writes.claims {
            tx.hold(claim.account, claim.person, None, claim.at).await?;
            tx.audit(&claim.audited).await?;
        }
        for row in &writes.again {
            let Some((_, stored)) = tx.registration(row.person).await? else { continue };
            let row = RegistrationRow { created_at: stored.created_at, ..row.clone() };
            tx.put_registration(&row, (&stored.district, stored.priority)).await?;
        }
        Ok(answers)
    }
}

impl Desk {
    /// Changes what `change` names about the registration of a person of `account`'s, and writes down who did.
    ///
    /// Errors: [`CitizenError::Invalid`], [`CitizenError::NotYours`], [`CitizenError::Withdrawn`], [`CitizenError::Store`].
    pub async fn change_registration(
        &self,
        account: Uuid,
        person: Uuid,
        change: Change,
        audited: Audited,
    ) -> Result<(), CitizenError> {
        let change = change.check()?;
        self.rewrite(account, person, audited, Rewrite::Change(change)).await
    }

    /// Takes a new health declaration in place of the last.
    pub async fn declare_anew(
        &self,
        account: Uuid,
        person: Uuid,
        declaration: Declaration,
        audited: Audited,
    ) -> Result<(), CitizenError> {
        self.rewrite(account, person, audited, Rewrite::Declare(declaration.check()?.kept())).await
    }

    /// Withdraws a registration; its row stays. Once more changes nothing.
    pub async fn withdraw_registration(
        &self,
        account: Uuid,
        person: Uuid,
        audited: Audited,
    ) -> Result<(), CitizenError> {
        self.rewrite(account, person, audited, Rewrite::Withdraw).await
    }

    async fn rewrite(&self, account: Uuid, person: Uuid, audited: Audited, what: Rewrite) -> Result<(), CitizenError> {
        self.store.transact(&Rewriting { desk: self, account, person, audited, what }).await?
    }
}

enum Rewrite {
    Change(CheckedChange),
    Declare(String),
    Withdraw,
}

struct Rewriting<'a> {
    desk: &'a Desk,
    account: Uuid,
    person: Uuid,
    audited: Audited,
    what: Rewrite,
}

impl Work for Rewriting<'_> {
    type Output = Result<(), CitizenError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        if !tx.is_member(self.account, self.person).await? {
            return Ok(Err(CitizenError::NotYours));
        }
        let Some((_, mut row)) = tx.registration(self.person).await? else { return Ok(Err(CitizenError::NotYours)) };
        let (district, priority) = (row.district.clone(), row.priority);
        row.updated_at = self.audited.at;
        match (&self.what, row.status == WITHDRAWN) {
            (Rewrite::Withdraw, true) => return Ok(Ok(())),
            (_, true) => return Ok(Err(CitizenError::Withdrawn)),
            (Rewrite::Withdraw, false) => row.status = WITHDRAWN.to_owned(),
            (Rewrite::Declare(json), false) => {
                row.declaration.clone_from(json);
                row.declared_at = self.audited.at;
            }
            (Rewrite::Change(change), false) => {
                if let Some(place) = change.place {
                    (row.ward, row.district) = (place.ward.to_owned(), place.district.to_owned());
                }
                row.address = change.address.clone().unwrap_or(row.address);
                row.occupation = change.occupation.clone().unwrap_or(row.occupation);
                row.priority = change.rank.unwrap_or(row.priority);
                if let Some(phone) = &change.phone {
                    let key = &self.desk.data_key;
                    let hash = key.lookup_hash("phone", phone);
                    tx.put_phone(self.person, &hash, &key.seal("phone", phone)).await?;
                }
            }
        }
        tx.put_registration(&row, (&district, priority)).await?;
        tx.audit(&self.audited).await?;
        Ok(Ok(()))
    }
}
