//! Claiming a record that is there already, imported or given to somebody unknown: with the identity number and the name or the
//! birth date, or with name, birth date and a fact from the paper slip. A phone alone opens nothing.
//!
//! By the slip a record is found under the account's own number, or by the slip's record number: other records are claimed at
//! the desk. Somebody whom another account holds is claimed with identity number and slip together: a lost phone.

use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::citizen::CitizenError;
use super::doses::Desk;
use super::record::{InvalidField, bounded, normalize_identity, optional, parse_name, refuse};
use super::registrations::{CLAIMS_PER_DAY, MAX_PEOPLE};
use crate::certificate::BirthDate;
use crate::name::PersonName;
use crate::store::{Audited, Hash, LookupKind, PersonRow, StoreError, Tx, Work};

/// What is said of a record to claim it.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// The identity number: nine digits, or twelve.
    pub identity: Option<String>,
    /// The whole name.
    pub name: Option<String>,
    /// The birth date.
    pub birth: Option<String>,
    /// What the paper slip of one dose says.
    pub slip: Option<Slip>,
}

/// What the paper slip of a dose says.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Slip {
    /// The facility's code.
    pub facility: String,
    /// The day of the dose, `YYYY-MM-DD`.
    pub given_on: String,
    /// The lot.
    pub lot: String,
    /// The facility's number of the dose, if the slip shows it.
    pub record_no: Option<String>,
}

struct CheckedSlip {
    facility: String,
    given_on: Date,
    lot: String,
    record_no: Option<String>,
}

struct CheckedClaim {
    identity: Option<String>,
    name: Option<PersonName>,
    birth: Option<BirthDate>,
    slip: Option<CheckedSlip>,
}

impl ClaimRequest {
    fn check(self) -> Result<CheckedClaim, InvalidField> {
        let short = |field: &'static str, text: String| {
            let said = ("expected 1 to 64 characters", "cần 1 đến 64 ký tự");
            bounded(text, 64).ok_or(refuse(field, "text_invalid", said.0, said.1))
        };
        let day = |text: String| Some(text).filter(|text| text.len() == 10)?.parse().ok();
        let date = || refuse("slip.given_on", "date_invalid", "expected YYYY-MM-DD", "cần YYYY-MM-DD");
        let slip = |slip: Slip| {
            Ok(CheckedSlip {
                facility: short("slip.facility", slip.facility)?,
                given_on: day(slip.given_on).ok_or(date())?,
                lot: short("slip.lot", slip.lot)?,
                record_no: slip.record_no.map(|number| short("slip.record_no", number)).transpose()?,
            })
        };
        let claim = CheckedClaim {
            identity: optional(self.identity, |identity| normalize_identity(&identity)).ok_or(refuse(
                "identity",
                "identity_invalid",
                "expected nine or twelve digits",
                "cần chín hoặc mười hai chữ số",
            ))?,
            name: self.name.map(|name| parse_name("name", &name)).transpose()?,
            birth: optional(self.birth, |birth| birth.parse().ok().filter(|birth| *birth != BirthDate::Unknown))
                .ok_or(refuse("birth", "date_invalid", "expected YYYY-MM-DD", "cần YYYY-MM-DD"))?,
            slip: self.slip.map(slip).transpose()?,
        };
        let by_identity = claim.identity.is_some() && (claim.name.is_some() || claim.birth.is_some());
        let by_slip = claim.slip.is_some() && claim.name.is_some() && claim.birth.is_some();
        match by_identity || by_slip {
            true => Ok(claim),
            false => Err(refuse(
                "identity",
                "claim_incomplete",
                "expected the identity number with name or birth, or name and birth with the slip",
                "cần số định danh cùng họ tên hoặc ngày sinh, hoặc họ tên, ngày sinh và phiếu tiêm",
            )),
        }
    }
}

impl CheckedClaim {
    /// Whether what is said of name and birth date is so: all of it for the slip, one of them beside an identity number.
    fn describes(&self, row: &PersonRow) -> bool {
        let named = self.name.as_ref().map(|name| name.matching_key() == row.name_key);
        let born = self.birth.map(|birth| birth.agrees_with(row.birth));
        match self.identity {
            Some(_) => named == Some(true) || born == Some(true),
            None => named == Some(true) && born == Some(true),
        }
    }
}

impl Desk {
    /// The person whose record `request` claims for `account`; it hangs on that account from now on.
    ///
    /// `audited`: the try, which is written down whatever comes of it. Errors: [`CitizenError::Invalid`],
    /// [`CitizenError::DaySpent`], [`CitizenError::ClaimRefused`] for all that may be wrong, [`CitizenError::TooManyPeople`],
    /// [`CitizenError::Store`].
    pub async fn claim(&self, account: Uuid, request: ClaimRequest, audited: Audited) -> Result<Uuid, CitizenError> {
        let claim = request.check()?;
        let identity = claim.identity.as_ref().map(|identity| self.data_key.lookup_hash("identity", identity));
        self.store.transact(&Claiming { desk: self, account, claim, identity, audited }).await?
    }
}

struct Claiming<'a> {
    desk: &'a Desk,
    account: Uuid,
    claim: CheckedClaim,
    identity: Option<Hash>,
    audited: Audited,
}

impl Work for Claiming<'_> {
    type Output = Result<Uuid, CitizenError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        let tries = tx.count_claims(self.account, self.audited.at.vietnamese_date(), 1).await?;
        if tries > CLAIMS_PER_DAY {
            tx.audit(&self.tried(None, "refused: too many tries")).await?;
            return Ok(Err(CitizenError::DaySpent));
        }
        let Some((person, slip_agrees)) = self.person(tx).await? else {
            tx.audit(&self.tried(None, "refused: nobody fits, or several")).await?;
            return Ok(Err(CitizenError::ClaimRefused));
        };
        tx.lock_people(&[person]).await?; // two who claim at once are told apart
        let holder = tx.holders(&[person]).await?.first().map(|(_, holder)| *holder);
        let others = holder.is_some_and(|holder| holder != self.account);
        if others && !(self.identity.is_some() && slip_agrees) {
            tx.audit(&self.tried(Some(person), "refused: another account holds the record")).await?;
            return Ok(Err(CitizenError::ClaimRefused));
        }
        let members = tx.members(&[self.account]).await?;
        if members.len() >= MAX_PEOPLE && !members.iter().any(|member| member.row.person == person) {
            tx.audit(&self.tried(Some(person), "refused: the account is full")).await?;
            return Ok(Err(CitizenError::TooManyPeople));
        }
        tx.hold(self.account, person, holder, self.audited.at).await?;
        tx.audit(&self.tried(Some(person), if others { "claimed from another account" } else { "claimed" })).await?;
        Ok(Ok(person))
    }
}

impl Claiming<'_> {
    fn tried(&self, about: Option<Uuid>, why: &str) -> Audited {
        Audited { about, why: why.to_owned(), ..self.audited.clone() }
    }

    /// The one person who fits what is said, and whether the slip is right; `None` for nobody, several, or a wrong slip.
    async fn person(&self, tx: &Tx<'_>) -> Result<Option<(Uuid, bool)>, StoreError> {
        let mut found: Vec<PersonRow> = match self.identity {
            Some(identity) => {
                tx.candidates(&[identity], &[]).await?.into_iter().map(|candidate| candidate.row).collect()
            }
            None => self.under_slip(tx).await?,
        };
        found.retain(|row| self.claim.describes(row));
        found.sort_by_key(|row| row.person);
        found.dedup_by_key(|row| row.person);
        let mut people: Vec<Uuid> = found.iter().map(|row| row.person).collect();
        let Some(slip) = &self.claim.slip else {
            return Ok(only(&people).map(|person| (person, false)));
        };
        let doses = tx.lock_people(&people).await?;
        people.retain(|person| {
            doses.iter().any(|dose| {
                dose.person == *person
                    && dose.facility == slip.facility
                    && dose.lot.eq_ignore_ascii_case(&slip.lot)
                    && dose.given_at.vietnamese_date() == slip.given_on
                    && slip.record_no.as_ref().is_none_or(|number| *number == dose.record_no)
            })
        });
        Ok(only(&people).map(|person| (person, true)))
    }

    /// Those whom the slip may mean: under the account's own number, and under the slip's record number.
    async fn under_slip(&self, tx: &Tx<'_>) -> Result<Vec<PersonRow>, StoreError> {
        let mut found = Vec::new();
        let key = &self.desk.data_key;
        if let Some((sealed, _)) = tx.lock_account(self.account).await? {
            let phone = key.open("phone", &sealed).map_err(|_| StoreError::Unreadable("account"))?;
            let candidates = tx.candidates(&[], &[key.lookup_hash("phone", &phone)]).await?;
            let under = candidates.into_iter().filter(|candidate| candidate.kind == LookupKind::Phone);
            found.extend(under.map(|candidate| candidate.row));
        }
        if let Some(slip) = &self.claim.slip
            && let Some(number) = &slip.record_no
        {
            let records = tx.records(&[(slip.facility.clone(), number.clone())]).await?;
            let people: Vec<Uuid> = records.iter().map(|known| known.dose.person).collect();
            found.extend(tx.people(&people).await?);
        }
        Ok(found)
    }
}

fn only(people: &[Uuid]) -> Option<Uuid> {
    match people {
        [person] => Some(*person),
        _ => None,
    }
}
