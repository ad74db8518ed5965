//! Certificates handed out again, in either profile, and revoked.

use std::sync::Arc;

use super::doses::Desk;
use crate::certificate::{BirthDate, Certificate, Dose, Profile, Statement, UnixSeconds, Uvci};
use crate::codec::{self, CodecError, cose};
use crate::issue::{self, IssueError, Subject};
use crate::keyring::KeyringError;
use crate::name::PersonName;
use crate::store::{CertificateDetail, Store, StoreError};

/// Why a certificate cannot be handed out.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// There is none of this name.
    #[error("there is no certificate of this UVCI")]
    Unknown,
    /// It was revoked: its picture must not be handed out again.
    #[error("the certificate was revoked")]
    Revoked,
    /// A later one took its place, and says something else.
    #[error("a later certificate took its place")]
    Superseded,
    /// Nothing can be certified of the person.
    #[error("no dose is known of this person")]
    NoDose,
    /// What is stored cannot be read: a defect.
    #[error("a stored certificate cannot be read")]
    Unreadable,
    /// It cannot be signed in this profile.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// No key may sign now.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The database refused, or cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CertificateError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            CertificateError::Unknown => "certificate_unknown",
            CertificateError::Revoked => "certificate_revoked",
            CertificateError::Superseded => "certificate_superseded",
            CertificateError::NoDose => "no_dose",
            CertificateError::Unreadable => "row_unreadable",
            CertificateError::Issue(error) => error.code(),
            CertificateError::Keyring(error) => error.code(),
            CertificateError::Store(error) => error.code(),
        }
    }
}

/// The facts and the QR text of a certificate in one profile.
pub struct Shown {
    /// As decoded from what is stored.
    pub certificate: Certificate<'static>,
    /// The QR text.
    pub text: String,
    /// Its row, with the facility that caused it.
    pub detail: CertificateDetail,
}

impl Desk {
    /// The certificate `uvci` in `profile`, as `store` has it.
    ///
    /// hc1 is signed on the first request, stored, then handed out: two callers at once get one text. Errors:
    /// [`CertificateError`]; a revoked one is refused.
    pub async fn show(
        &self,
        store: &Store,
        uvci: &Uvci,
        profile: Profile,
        now: UnixSeconds,
    ) -> Result<Shown, CertificateError> {
        let detail = store.certificate(uvci).await?.ok_or(CertificateError::Unknown)?;
        if detail.row.revoked_at.is_some() {
            return Err(CertificateError::Revoked);
        }
        let compact = decode(Profile::Compact, &detail.row.compact).map_err(|_| CertificateError::Unreadable)?;
        let cose = match (profile, &detail.row.hc1) {
            (Profile::Compact, _) => detail.row.compact.clone(),
            (Profile::Hc1, Some(stored)) => stored.clone(),
            (Profile::Hc1, None) => {
                let signed = self.sign_hc1(&detail, &compact, now)?;
                let stored = self.store.put_hc1(detail.row.person, uvci, &signed, now).await?;
                stored.ok_or(CertificateError::Revoked)?
            }
        };
        let text = codec::encode_text(profile, &cose).map_err(|_| CertificateError::Unreadable)?;
        let certificate = match profile {
            Profile::Compact => compact,
            Profile::Hc1 => decode(profile, &cose).map_err(|_| CertificateError::Unreadable)?,
        };
        Ok(Shown { certificate, text, detail })
    }

    /// The same statement for travel: same UVCI, same expiry.
    fn sign_hc1(
        &self,
        detail: &CertificateDetail,
        compact: &Certificate<'_>,
        now: UnixSeconds,
    ) -> Result<Vec<u8>, CertificateError> {
        let Statement::Vaccination(dose) = &compact.statement else {
            return Err(CertificateError::Unreadable);
        };
        let name = PersonName::parse(&compact.name).map_err(|_| CertificateError::Unreadable)?;
        let (birth, dose): (BirthDate, &Dose) = (compact.birth, dose);
        let subject = Subject { uvci: detail.row.uvci, name: &name, birth, dose };
        let trust = Arc::clone(&self.trust.load());
        let key = self.keyring.signing_key(Profile::Hc1, &trust, now)?;
        Ok(issue::issue(&subject, Profile::Hc1, &key, now, detail.row.expires_at)?.cose)
    }
}

pub(super) fn decode(profile: Profile, stored: &[u8]) -> Result<Certificate<'static>, CodecError> {
    codec::decode_claims(profile, cose::parse(stored)?.payload).map(Certificate::into_owned)
}
