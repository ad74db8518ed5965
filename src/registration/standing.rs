//! The certificate that a person has; made if none is in force.

use uuid::Uuid;

use super::certificates::CertificateError;
use super::doses::{Desk, DoseError};
use super::plan::given;
use super::renew::Renewed;
use super::restate::{self, Locked};
use crate::certificate::{Profile, UnixSeconds};
use crate::keys::IssuerKey;
use crate::policy::{self, GivenDose};
use crate::store::{Audited, CertificateRow, StoreError, Tx, Work};

impl Desk {
    /// The certificate of a person that is in force; a new one, of their doses as they are known, if there is none.
    ///
    /// `by`: who asks, written down with a new one. Errors: [`CertificateError::Unknown`] for nobody,
    /// [`CertificateError::NoDose`].
    pub async fn issue_to(&self, person: Uuid, by: &Audited, now: UnixSeconds) -> Result<Renewed, CertificateError> {
        let trust = self.trust.load_full();
        let key = self.keyring.signing_key(Profile::Compact, &trust, now)?;
        self.store.transact(&IssueTo { person, by, key: &key, now }).await?
    }
}

struct IssueTo<'a> {
    person: Uuid,
    by: &'a Audited,
    key: &'a IssuerKey,
    now: UnixSeconds,
}

impl Work for IssueTo<'_> {
    type Output = Result<Renewed, CertificateError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        let Some(locked) = restate::lock(tx, self.person).await? else { return Ok(Err(CertificateError::Unknown)) };
        let is_in_force = |row: &&CertificateRow| {
            row.superseded_at.is_none() && row.revoked_at.is_none() && self.now <= row.expires_at
        };
        if let Some(certificate) = locked.certificates.iter().find(is_in_force) {
            return Ok(Ok(Renewed { certificate: certificate.clone(), new: false }));
        }
        match self.certify(&locked) {
            Err(error) => Ok(Err(error)),
            Ok(certificate) => {
                tx.supersede(&[self.person], self.now).await?;
                tx.insert_certificates(std::slice::from_ref(&certificate)).await?;
                tx.audit(self.by).await?;
                Ok(Ok(Renewed { certificate, new: true }))
            }
        }
    }
}

impl IssueTo<'_> {
    fn certify(&self, locked: &Locked) -> Result<CertificateRow, CertificateError> {
        let known: Vec<GivenDose> = locked.doses.iter().filter_map(given).collect();
        let course = policy::course(&known).ok_or(CertificateError::NoDose)?;
        restate::certify((self.key, self.now), &locked.person.row, &locked.doses, &course).map_err(
            |error| match error {
                DoseError::Issue(error) => error.into(),
                _ => CertificateError::Unreadable,
            },
        )
    }
}
