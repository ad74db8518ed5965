//! Verifying: a QR text and the trust list -> [`Signed`] -> [`Verified`], or a [`Rejection`].
//!
//! [`check_signature`] proves what no clock can change, and so may be cached under (trust version, SHA-256 of the text).
//! [`Signed::accept`] asks what changes: periods, expiry, revocation, rules. Only it makes a [`Verified`].
//!
//! The known ways such verifiers fail, and the test here that shows ours does not:
//! - the header picks the check: `the_key_decides_the_algorithm`
//! - the kid picks the key, and only the first of several is tried: `every_key_with_the_kid_is_tried`
//! - the signed header is encoded again before it is checked: `cose::tests`, and the public corpora
//! - one in an unprotected header overrules the signed one: `cose::tests::the_protected_header_wins_and_may_be_empty`
//! - a national form is accepted under a foreign key: `compact_certificates_need_a_national_key`
//! - a small text inflates to a large one: `zlib::tests::inflates_to_the_limit_and_not_one_byte_over`
//! - a cached yes outlives expiry or revocation: `a_proof_does_not_outlive_its_certificate`
//! - a rejected certificate's facts are shown: a [`Rejection`] holds none

use std::sync::Arc;

use crate::certificate::{CardColour, Certificate, Profile, UnixSeconds};
use crate::codec::{self, CodecError, cose};
use crate::ed25519::Batch;
use crate::keys::Kid;
use crate::policy::{self, CLOCK_SKEW_S, Rules};
use crate::revocation::{self, RevocationSet};
use crate::trust::{TrustList, TrustedKey};

/// Why a verifier says no: an answer, not a failure. In the order in which things are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// Longer than a certificate can be, as text or inflated.
    TooLarge,
    /// No context identifier.
    NotACertificate,
    /// A context identifier of another scheme.
    UnknownPrefix,
    /// Not Base45.
    MalformedBase45,
    /// Not one whole zlib stream.
    MalformedZlib,
    /// Not a COSE_Sign1.
    MalformedCose,
    /// Not a CWT with a statement.
    MalformedClaims,
    /// No kid, or no key with it.
    UnknownKey,
    /// Every key with the kid signs with another algorithm.
    AlgorithmMismatch,
    /// No key with the kid made this signature.
    BadSignature,
    /// The key is no longer trusted.
    KeyWithdrawn,
    /// Before the key's signing or trust period.
    KeyNotYetValid,
    /// After the key's signing or trust period.
    KeyExpired,
    /// The key may not sign this kind of statement, or not this profile.
    KeyUsage,
    /// `iss` is not the key's country.
    IssuerMismatch,
    /// Issued in the future.
    NotYetValid,
    /// Past its `exp`.
    Expired,
    /// Revoked.
    Revoked,
    /// Signed and in force, but not accepted by this rule.
    NotAcceptable {
        /// The rule's name.
        rule: &'static str,
    },
}

impl Rejection {
    /// The word used in answers, logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Rejection::TooLarge => "too_large",
            Rejection::NotACertificate => "not_a_certificate",
            Rejection::UnknownPrefix => "unknown_prefix",
            Rejection::MalformedBase45 => "malformed_base45",
            Rejection::MalformedZlib => "malformed_zlib",
            Rejection::MalformedCose => "malformed_cose",
            Rejection::MalformedClaims => "malformed_claims",
            Rejection::UnknownKey => "unknown_key",
            Rejection::AlgorithmMismatch => "algorithm_mismatch",
            Rejection::BadSignature => "bad_signature",
            Rejection::KeyWithdrawn => "key_withdrawn",
            Rejection::KeyNotYetValid => "key_not_yet_valid",
            Rejection::KeyExpired => "key_expired",
            Rejection::KeyUsage => "key_usage",
            Rejection::IssuerMismatch => "issuer_mismatch",
            Rejection::NotYetValid => "not_yet_valid",
            Rejection::Expired => "expired",
            Rejection::Revoked => "revoked",
            Rejection::NotAcceptable { .. } => "not_acceptable",
        }
    }
}

impl From<CodecError> for Rejection {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::TooLong | CodecError::Qr => Rejection::TooLarge,
            CodecError::NotACertificate => Rejection::NotACertificate,
            CodecError::UnknownPrefix => Rejection::UnknownPrefix,
            CodecError::Base45 => Rejection::MalformedBase45,
            CodecError::Zlib => Rejection::MalformedZlib,
            CodecError::Cose => Rejection::MalformedCose,
            CodecError::Cbor | CodecError::Claims => Rejection::MalformedClaims,
        }
    }
}

/// Proof that a trusted key signed a certificate. Says nothing of now: ask [`Signed::accept`] each time.
#[derive(Clone, Debug)]
pub struct Signed {
    certificate: Certificate,
    key: Arc<TrustedKey>,
    revocation_entry: revocation::Entry,
}

/// Proof that a certificate is accepted at the instant that was asked for. Made by [`Signed::accept`] alone.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    signed: &'a Signed,
}

/// Proves the signature of a QR text, free of any clock.
///
/// `text`: as scanned; white space at its ends is dropped. Errors: [`Rejection`]s up to [`Rejection::BadSignature`].
pub fn check_signature(text: &str, trust: &TrustList) -> Result<Signed, Rejection> {
    codec::with_cose(text, |profile, bytes| {
        let sign1 = cose::parse(bytes)?;
        let certificate = codec::decode_claims(profile, sign1.payload)?;
        let candidates = candidates(&sign1, trust)?;
        let key = signing_key(&sign1, candidates, trust).ok_or(Rejection::BadSignature)?;
        Ok(Signed::new(certificate, key))
    })
}

/// Proves the signatures of several QR texts, each as [`check_signature`] does it, but the Ed25519 ones together.
///
/// `texts`: at most [`Batch::SIZE`]; of more, each has its answer all the same, one by one. Answers are in their order.
pub fn check_signatures(texts: &[&str], trust: &TrustList) -> Vec<Result<Signed, Rejection>> {
    let mut batch = trust.batch();
    // Where in the batch a text's signature is, for those that are in it.
    let mut places = Vec::with_capacity(texts.len());
    let check = |text: &&str| {
        places.push(None);
        codec::with_cose(text, |profile, bytes| {
            let sign1 = cose::parse(bytes)?;
            let certificate = codec::decode_claims(profile, sign1.payload)?;
            let mut candidates = candidates(&sign1, trust)?.peekable();
            let first = candidates.next().ok_or(Rejection::UnknownKey)?;
            let key = match first.key.ed25519() {
                Some(ed25519) if candidates.peek().is_none() && batch.len() < Batch::SIZE => {
                    if let Some(place) = places.last_mut() {
                        *place = Some(batch.len());
                    }
                    batch.push(ed25519, sign1.signature, |tbs| sign1.write_tbs(tbs));
                    first
                }
                _ => signing_key(&sign1, std::iter::once(first).chain(candidates), trust)
                    .ok_or(Rejection::BadSignature)?,
            };
            Ok(Signed::new(certificate, key))
        })
    };
    // Those in the batch are not proved before the next line: nobody sees them until then.
    let mut answers: Vec<Result<Signed, Rejection>> = texts.iter().map(check).collect();
    let good = batch.verify();
    for (answer, place) in answers.iter_mut().zip(places) {
        if place.is_some_and(|place| good >> place & 1 == 0) && answer.is_ok() {
            *answer = Err(Rejection::BadSignature);
        }
    }
    answers
}

/// The keys with the header's kid that sign as the header says; at least one.
fn candidates<'k>(
    sign1: &cose::CoseSign1<'_>,
    trust: &'k TrustList,
) -> Result<impl Iterator<Item = &'k Arc<TrustedKey>> + use<'k>, Rejection> {
    let kid = sign1.kid.and_then(|kid| kid.try_into().ok()).map(Kid).ok_or(Rejection::UnknownKey)?;
    let with_kid = trust.keys(&kid);
    if with_kid.is_empty() {
        return Err(Rejection::UnknownKey);
    }
    let alg = sign1.alg;
    let mut called_so = with_kid
        .iter()
        .filter(move |candidate| alg.is_some_and(|header| candidate.key.algorithm().is_called(header)))
        .peekable();
    if called_so.peek().is_none() { Err(Rejection::AlgorithmMismatch) } else { Ok(called_so) }
}

/// The key among `candidates` that made the signature, if one did.
fn signing_key<'k>(
    sign1: &cose::CoseSign1<'_>,
    mut candidates: impl Iterator<Item = &'k Arc<TrustedKey>>,
    trust: &TrustList,
) -> Option<&'k Arc<TrustedKey>> {
    candidates.find(|candidate| trust.verifies(candidate, sign1.signature, |tbs| sign1.write_tbs(tbs)))
}

impl Signed {
    fn new(certificate: Certificate, key: &Arc<TrustedKey>) -> Signed {
        let revocation_entry = revocation::entry(&certificate.uvci);
        Signed { certificate, key: Arc::clone(key), revocation_entry }
    }

    /// Proves that the certificate is accepted at `now`.
    ///
    /// Errors: [`Rejection`]s from [`Rejection::KeyWithdrawn`] on.
    pub fn accept(&self, revoked: &RevocationSet, rules: &Rules, now: UnixSeconds) -> Result<Verified<'_>, Rejection> {
        self.check_key(now)?;
        let certificate = &self.certificate;
        // Only a country can contradict a country: some issuers sign with their ministry's name.
        let is_country = |iss: &&String| iss.len() == 2 && iss.bytes().all(|byte| byte.is_ascii_alphabetic());
        if certificate
            .issuer
            .as_ref()
            .filter(is_country)
            .is_some_and(|iss| !iss.eq_ignore_ascii_case(&self.key.country))
        {
            return Err(Rejection::IssuerMismatch);
        }
        let soon = UnixSeconds(now.0 + CLOCK_SKEW_S);
        if certificate.issued_at.is_some_and(|iat| iat > soon) {
            return Err(Rejection::NotYetValid);
        }
        if certificate.expires_at.is_some_and(|exp| now > exp) {
            return Err(Rejection::Expired);
        }
        if revoked.contains(&self.revocation_entry) {
            return Err(Rejection::Revoked);
        }
        rules.check(certificate, now).map_err(|rule| Rejection::NotAcceptable { rule })?;
        Ok(Verified { signed: self })
    }

    fn check_key(&self, now: UnixSeconds) -> Result<(), Rejection> {
        let key = &self.key;
        if key.withdrawn_at.is_some() {
            return Err(Rejection::KeyWithdrawn);
        }
        // Own keys sign within their signing period; a foreign list says only when it trusts a key.
        let signed_at = self.certificate.issued_at.filter(|_| key.own);
        let soon = UnixSeconds(now.0 + CLOCK_SKEW_S);
        let before = |at: UnixSeconds, from: Option<UnixSeconds>| from.is_some_and(|from| at < from);
        let after = |at: UnixSeconds, until: Option<UnixSeconds>| until.is_some_and(|until| at > until);
        if before(soon, key.trusted_from) || signed_at.is_some_and(|iat| before(iat, key.signs_from)) {
            return Err(Rejection::KeyNotYetValid);
        }
        if after(now, key.trusted_until) || signed_at.is_some_and(|iat| after(iat, key.signs_until)) {
            return Err(Rejection::KeyExpired);
        }
        let may_sign_profile = self.certificate.profile == Profile::Hc1 || key.national;
        if !may_sign_profile || !key.usages.allow(&self.certificate.statement) {
            return Err(Rejection::KeyUsage);
        }
        Ok(())
    }

    /// About how many bytes this proof holds, for a cache to weigh.
    pub fn size_bytes(&self) -> usize {
        let certificate = &self.certificate;
        let issuer = certificate.issuer.as_ref().map_or(0, String::capacity);
        size_of::<Signed>() + certificate.uvci.capacity() + certificate.name.capacity() + issuer + 16
    }
}

impl<'a> Verified<'a> {
    /// The facts.
    pub fn certificate(&self) -> &'a Certificate {
        &self.signed.certificate
    }

    /// The colour to show.
    pub fn card(&self) -> CardColour {
        policy::card(&self.signed.certificate.statement)
    }

    /// The key that signed it.
    pub fn kid(&self) -> Kid {
        self.signed.key.kid
    }

    /// The issuer to show: the key's country, whatever `iss` says.
    pub fn country(&self) -> &'a str {
        &self.signed.key.country
    }
}

#[cfg(test)]
mod tests;
