//! A certificate made anew for the same course, with a new expiry: the old one stays true and is superseded.

use uuid::Uuid;

use super::certificates::{CertificateError, decode};
use super::doses::Desk;
use crate::certificate::{Dose, Profile, Statement, UnixSeconds, Uvci};
use crate::issue::{self, Issued, Subject};
use crate::keys::IssuerKey;
use crate::name::PersonName;
use crate::policy;
use crate::store::{CertificateRow, StoreError, Tx, Work};

/// What came of a renewal.
pub struct Renewed {
    /// The certificate in force.
    pub certificate: CertificateRow,
    /// False if the one asked for had been renewed before.
    pub new: bool,
}

impl Desk {
    /// Makes a certificate anew for the same course. Asked again, it gives the one that was made.
    ///
    /// `person`: whose certificate it is. Errors: [`CertificateError::Unknown`], [`CertificateError::Revoked`],
    /// [`CertificateError::Superseded`] by one that says something else.
    pub async fn renew(&self, person: Uuid, uvci: &Uvci, now: UnixSeconds) -> Result<Renewed, CertificateError> {
        let trust = self.trust.load_full();
        let key = self.keyring.signing_key(Profile::Compact, &trust, now)?;
        self.store.transact(&Renew { person, uvci, key: &key, now }).await?
    }
}

struct Renew<'a> {
    person: Uuid,
    uvci: &'a Uvci,
    key: &'a IssuerKey,
    now: UnixSeconds,
}

impl Work for Renew<'_> {
    type Output = Result<Renewed, CertificateError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        tx.lock_people(&[self.person]).await?;
        let certificates = tx.certificates_of(&[self.person]).await?;
        let Some(asked) = certificates.iter().find(|row| row.uvci == *self.uvci) else {
            return Ok(Err(CertificateError::Unknown));
        };
        if asked.revoked_at.is_some() {
            return Ok(Err(CertificateError::Revoked));
        }
        if asked.superseded_at.is_some() {
            return Ok(renewed_before(asked, &certificates));
        }
        match self.sign(asked) {
            Err(error) => Ok(Err(error)),
            Ok(certificate) => {
                tx.supersede(&[self.person], self.now).await?;
                tx.insert_certificates(std::slice::from_ref(&certificate)).await?;
                Ok(Ok(Renewed { certificate, new: true }))
            }
        }
    }
}

/// The one in force, if it says what `asked` says.
fn renewed_before(asked: &CertificateRow, certificates: &[CertificateRow]) -> Result<Renewed, CertificateError> {
    let in_force = certificates.iter().find(|row| row.superseded_at.is_none() && row.revoked_at.is_none());
    let in_force = in_force.ok_or(CertificateError::Superseded)?;
    match stated(in_force)? == stated(asked)? {
        true => Ok(Renewed { certificate: in_force.clone(), new: false }),
        false => Err(CertificateError::Superseded),
    }
}

fn stated(row: &CertificateRow) -> Result<Dose, CertificateError> {
    let said = decode(Profile::Compact, &row.compact).map_err(|_| CertificateError::Unreadable)?;
    match said.statement {
        Statement::Vaccination(dose) => Ok(dose),
        Statement::Test(_) | Statement::Recovery(_) => Err(CertificateError::Unreadable),
    }
}

impl Renew<'_> {
    fn sign(&self, asked: &CertificateRow) -> Result<CertificateRow, CertificateError> {
        let said = decode(Profile::Compact, &asked.compact).map_err(|_| CertificateError::Unreadable)?;
        let name = PersonName::parse(&said.name).map_err(|_| CertificateError::Unreadable)?;
        let dose = stated(asked)?;
        let uvci = Uvci(*Uuid::new_v4().as_bytes());
        let subject = Subject { uvci, name: &name, birth: said.birth, dose: &dose };
        let Issued { card, kid, issued_at, expires_at, cose, .. } =
            issue::issue(&subject, Profile::Compact, self.key, self.now, policy::expires_at(self.now))?;
        Ok(CertificateRow {
            uvci,
            card,
            issued_at,
            expires_at,
            kid,
            compact: cose,
            hc1: None,
            superseded_at: None,
            revoked_at: None,
            ..asked.clone()
        })
    }
}
