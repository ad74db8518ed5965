//! Issuing: a dose, a key, the rules and the time -> a signed certificate. Nothing here is stored: the caller writes
//! down what was signed before it hands it out.

use crate::certificate::{BirthDate, CardColour, Dose, Product, Profile, Statement, UnixSeconds, Uvci};
use crate::codec::{self, CodecError, Facts, cose};
use crate::keys::{Algorithm, IssuerKey, KeyError, Kid};
use crate::name::PersonName;
use crate::policy;

/// Why a dose is not certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// Its product is not in our table.
    #[error("the product is not one that is certified here")]
    UnknownProduct,
    /// The profile is signed with another algorithm than this key's.
    #[error("the key signs with another algorithm than the profile")]
    KeyAlgorithm,
    /// The text would be longer than a verifier reads.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The key does not sign now.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl IssueError {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            IssueError::UnknownProduct => "product_unknown",
            IssueError::KeyAlgorithm => "issuer_key_algorithm",
            IssueError::Codec(error) => error.code(),
            IssueError::Key(error) => error.code(),
        }
    }
}

/// What is certified of a person: the course as known.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Names the statement, in both profiles, for ever.
    pub uvci: Uvci,
    /// The holder's name.
    pub name: &'a PersonName,
    /// The holder's birth date.
    pub birth: BirthDate,
    /// The latest dose and its place in the course, as [`policy::course`] has it.
    pub dose: &'a Dose,
}

/// A signed certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The form it is in.
    pub profile: Profile,
    /// Its colour.
    pub card: CardColour,
    /// The key that signed it.
    pub kid: Kid,
    /// `iat`.
    pub issued_at: UnixSeconds,
    /// `exp`.
    pub expires_at: UnixSeconds,
    /// The tagged COSE_Sign1: what is stored.
    pub cose: Vec<u8>,
    /// The QR text: what is shown.
    pub text: String,
}

/// How certificates of `profile` are signed here: compact for the smallest code, hc1 as every EU verifier can read it.
pub fn algorithm(profile: Profile) -> Algorithm {
    match profile {
        Profile::Compact => Algorithm::EdDsa,
        Profile::Hc1 => Algorithm::Es256,
    }
}

/// Signs `subject` in the form of `profile`.
///
/// `issued_at`: now, for a key's signing period is tested against it. `expires_at`: [`policy::expires_at`] of now for a new
/// statement; for the same statement in another profile the first one's, so that both expire together.
/// Errors: every [`IssueError`].
pub fn issue(
    subject: &Subject<'_>,
    profile: Profile,
    key: &IssuerKey,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
) -> Result<Issued, IssueError> {
    let signs_with = algorithm(profile);
    if key.algorithm() != signs_with {
        return Err(IssueError::KeyAlgorithm);
    }
    let Product::Code(code) = &subject.dose.product else { return Err(IssueError::UnknownProduct) };
    let product = policy::product_by_code(code).ok_or(IssueError::UnknownProduct)?;
    let facts = Facts {
        uvci: subject.uvci,
        name: subject.name,
        birth: subject.birth,
        dose: subject.dose,
        product,
        issued_at,
        expires_at,
    };
    let payload = codec::encode_claims(profile, &facts);
    let cose = cose::build(signs_with.cose(), key.kid().0, &payload, |tbs| key.sign(tbs))?;
    let text = codec::encode_text(profile, &cose)?;
    let card = policy::card(&Statement::Vaccination(subject.dose.clone()));
    Ok(Issued { profile, card, kid: key.kid(), issued_at, expires_at, cose, text })
}
