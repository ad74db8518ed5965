//! What a person's certificates say after what is known changed: which are no longer true and fall, and which is issued.
//! Pure but for the random ids.

use uuid::Uuid;

use super::certificates::decode;
use super::doses::DoseError;
use super::plan::given;
use crate::certificate::{Dose, Product, Profile, Statement, UnixSeconds, Uvci};
use crate::issue::{self, Issued, Subject};
use crate::keys::IssuerKey;
use crate::name::PersonName;
use crate::policy::{self, Flag, GivenDose};
use crate::store::{CertificateRow, DoseRow, KnownPerson, PersonRow, StoreError, Tx};

/// What is to be done about a person's certificates.
pub(super) struct Restated {
    /// Those that are no longer true.
    pub revoked: Vec<Uvci>,
    /// A new one, if none that stands says the course as it is now.
    pub issued: Option<CertificateRow>,
    /// The one in force afterwards; `None` if no dose is left.
    pub current: Option<CertificateRow>,
    /// Doses whose flags changed, as they are now.
    pub reflagged: Vec<DoseRow>,
}

/// Judges `certificates` against `doses`, those of `person` that stand, as they are now.
///
/// `corrected`: what the person has is not what they should have: there is a certificate afterwards, and the one in force falls even if it is still true of an earlier time: its holder said that it was wrong.
/// Errors: [`DoseError::Issue`], [`DoseError::Unreadable`].
pub(super) fn restate(
    (key, now): (&IssuerKey, UnixSeconds),
    person: &PersonRow,
    doses: &[DoseRow],
    certificates: &[CertificateRow],
    corrected: bool,
) -> Result<Restated, DoseError> {
    let known: Vec<GivenDose> = doses.iter().filter_map(given).collect();
    let course = policy::course(&known);
    let mut revoked = Vec::new();
    let mut current = None;
    for row in certificates.iter().filter(|row| row.revoked_at.is_none()) {
        let said = decode(Profile::Compact, &row.compact).map_err(|_| DoseError::Unreadable)?;
        let Statement::Vaccination(dose) = &said.statement else { return Err(DoseError::Unreadable) };
        let of_person = said.name == person.name && said.birth == person.birth;
        let says_all = of_person && course.as_ref() == Some(dose);
        let falls = !of_person || !holds(dose, &known) || (corrected && row.superseded_at.is_none() && !says_all);
        match falls {
            true => revoked.push(row.uvci),
            false if says_all && row.superseded_at.is_none() => current = Some(row.clone()),
            false => {}
        }
    }
    // What was revoked before for a reason of its own is not made good by a change that it says nothing of.
    let due = corrected || !revoked.is_empty();
    let issued = match (&current, &course) {
        (None, Some(course)) if due => Some(certify((key, now), person, doses, course)?),
        _ => None,
    };
    let current = current.or_else(|| issued.clone());
    Ok(Restated { revoked, issued, current, reflagged: reflag(doses) })
}

/// True if a certificate says nothing that is no longer so: it is of the person as they are known, and their doses make it.
///
/// `doses`: those of the person that stand. Errors: [`DoseError::Unreadable`].
pub(super) fn is_true(row: &CertificateRow, person: &PersonRow, doses: &[DoseRow]) -> Result<bool, DoseError> {
    let known: Vec<GivenDose> = doses.iter().filter_map(given).collect();
    let said = decode(Profile::Compact, &row.compact).map_err(|_| DoseError::Unreadable)?;
    let Statement::Vaccination(dose) = &said.statement else { return Err(DoseError::Unreadable) };
    Ok(said.name == person.name && said.birth == person.birth && holds(dose, &known))
}

/// True if the doses up to the one that is stated make exactly this course.
fn holds(stated: &Dose, doses: &[GivenDose]) -> bool {
    let is_stated = |dose: &&GivenDose| {
        dose.given_on == stated.given_on && stated.product == Product::Code(dose.product.code.into())
    };
    doses.iter().find(is_stated).is_some_and(|last| {
        let until = |dose: &&GivenDose| (dose.given_on, dose.number) <= (last.given_on, last.number);
        policy::course(&doses.iter().filter(until).copied().collect::<Vec<_>>()).as_ref() == Some(stated)
    })
}

/// Signs the course of a person's doses.
pub(super) fn certify(
    (key, now): (&IssuerKey, UnixSeconds),
    person: &PersonRow,
    doses: &[DoseRow],
    course: &Dose,
) -> Result<CertificateRow, DoseError> {
    let name = PersonName::parse(&person.name).map_err(|_| DoseError::Unreadable)?;
    let latest = doses.iter().max_by_key(|dose| (dose.given_at.vietnamese_date(), dose.number));
    let dose = latest.ok_or(DoseError::Unreadable)?.dose;
    let uvci = Uvci(*Uuid::new_v4().as_bytes());
    let subject = Subject { uvci, name: &name, birth: person.birth, dose: course };
    let Issued { card, kid, issued_at, expires_at, cose, .. } =
        issue::issue(&subject, Profile::Compact, key, now, policy::expires_at(now))?;
    Ok(CertificateRow {
        person: person.person,
        uvci,
        dose,
        number: course.number,
        series: course.series,
        card,
        issued_at,
        expires_at,
        kid,
        compact: cose,
        hc1: None,
        superseded_at: None,
        revoked_at: None,
    })
}

/// The doses whose flags are no longer right, with those that are. What is said about the person stays.
fn reflag(doses: &[DoseRow]) -> Vec<DoseRow> {
    let flagged = doses.iter().filter_map(|dose| {
        let others: Vec<GivenDose> = doses.iter().filter(|other| other.dose != dose.dose).filter_map(given).collect();
        let this = given(dose)?;
        let mut flags: Vec<String> =
            policy::flags(&this, &others).into_iter().map(|flag| flag.as_str().to_owned()).collect();
        if dose.lot_expires_on.is_some_and(|last_day| last_day < this.given_on) {
            flags.push(Flag::LotExpired.as_str().to_owned());
        }
        let kept = [Flag::PersonUnclear, Flag::PersonDiffers].map(Flag::as_str);
        flags.extend(dose.flags.iter().filter(|flag| kept.contains(&flag.as_str())).cloned());
        (flags != dose.flags).then(|| DoseRow { flags, ..dose.clone() })
    });
    flagged.collect()
}

/// Why and by whom something is changed.
pub(super) struct Because<'a> {
    pub by: &'a str,
    pub why: &'a str,
    pub now: UnixSeconds,
}

/// Writes what [`restate`] found, in the transaction in which the cause of it is written.
pub(super) async fn write(
    tx: &Tx<'_>,
    person: Uuid,
    restated: &Restated,
    because: &Because<'_>,
) -> Result<(), StoreError> {
    for dose in &restated.reflagged {
        tx.update_dose(dose, None).await?;
    }
    tx.revoke_all(person, &restated.revoked, because.by, because.why, because.now).await?;
    if let Some(issued) = &restated.issued {
        tx.supersede(&[person], because.now).await?;
        tx.insert_certificates(std::slice::from_ref(issued)).await?;
    }
    Ok(())
}

/// A person, locked, with their doses that stand and their certificates.
pub(super) struct Locked {
    pub person: KnownPerson,
    pub doses: Vec<DoseRow>,
    pub certificates: Vec<CertificateRow>,
}

/// Locks a person; `None` if there is none.
pub(super) async fn lock(tx: &Tx<'_>, person: Uuid) -> Result<Option<Locked>, StoreError> {
    let doses = tx.lock_people(&[person]).await?;
    let Some(known) = tx.known_person(person).await? else { return Ok(None) };
    let certificates = tx.certificates_of(&[person]).await?;
    Ok(Some(Locked { person: known, doses, certificates }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{Date, date};

    fn given(code: &str, given_on: Date, number: u8) -> GivenDose {
        GivenDose { product: policy::product_by_code(code).expect(code), given_on, number }
    }

    #[test]
    fn a_statement_holds_while_the_doses_up_to_its_own_make_it() {
        const PFIZER: &str = "EU/1/20/1528";
        const JANSSEN: &str = "EU/1/20/1525";
        let (june, july) = (date(2021, 6, 6), date(2021, 7, 4));
        let one = policy::course(&[given(PFIZER, june, 1)]).expect("a course");
        let both = [given(PFIZER, june, 1), given(PFIZER, july, 2)];
        let two = policy::course(&both).expect("a course");
        assert!(holds(&one, &both) && holds(&two, &both));
        assert!(!holds(&two, &both[..1]), "its dose is gone");
        assert!(!holds(&two, &both[1..]), "its first dose is gone");
        assert!(!holds(&one, &[given(JANSSEN, june, 1), both[1]]), "another product");
        assert!(!holds(&two, &[given(JANSSEN, june, 1), both[1]]), "a booster now");
        assert!(!holds(&one, &[given(PFIZER, date(2021, 5, 1), 1), both[0]]), "it was the second");
    }
}
