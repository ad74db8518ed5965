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
//! - a revoked ECDSA signature is made into another good one: `a_signature_made_anew_from_a_revoked_one_is_revoked`
//! - a cached yes, or its colour, outlives a change of the rules: `tests/it/rules.rs`
//! - a rejected certificate's facts are shown: a [`Rejection`] holds none

use std::borrow::Cow;
use std::sync::Arc;

use crate::certificate::{CardColour, Certificate, Profile, Statement, UnixSeconds};
use crate::codec::{self, CodecError, cose};
use crate::ed25519::Batch;
use crate::keys::Kid;
use crate::policy::{Asked, CLOCK_SKEW_S, CountryRules, RuleName, Rules, Unmet};
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
        rule: RuleName,
        /// True if the rule could not be asked of it.
        open: bool,
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

impl From<Unmet> for Rejection {
    fn from(unmet: Unmet) -> Self {
        Rejection::NotAcceptable { rule: unmet.rule, open: unmet.open }
    }
}

/// Proof that a trusted key signed a certificate. Says nothing of now: ask [`Signed::accept`] each time.
#[derive(Clone, Debug)]
pub struct Signed<'a> {
    certificate: Certificate<'a>,
    /// The claims as they were signed, for rules that look at all of them.
    payload: Cow<'a, [u8]>,
    standing: Standing,
}

/// What acceptance depends on: all of a proof but whose it is.
#[derive(Clone, Debug)]
pub struct Standing {
    key: Arc<TrustedKey>,
    profile: Profile,
    /// `iss` is a country, and not the key's.
    contradicts_key: bool,
    issued_at: Option<UnixSeconds>,
    expires_at: Option<UnixSeconds>,
    statement: Statement,
    revocation_entry: revocation::Entry,
    /// By what else other countries name it; `None` for what an own key signed, which is asked for by one entry alone.
    foreign_entries: Option<Box<[revocation::Entry; 3]>>,
}

/// Proof that a certificate is accepted at the instant that was asked for. Made by [`Signed::accept`] alone.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    signed: &'a Signed<'a>,
    card: CardColour,
    product: Option<&'a str>,
}

/// Proves the signature of a QR text, free of any clock.
///
/// `text`: as scanned; white space at its ends is dropped. Errors: [`Rejection`]s up to [`Rejection::BadSignature`].
pub fn check_signature(text: &str, trust: &TrustList) -> Result<Signed<'static>, Rejection> {
    with_signature(text, trust, |signed| signed.map(Signed::into_owned))
}

/// Calls `then` with what [`check_signature`] gives, borrowed, so that nothing is allocated for a text that nobody keeps.
pub fn with_signature<T>(text: &str, trust: &TrustList, then: impl FnOnce(Result<Signed<'_>, Rejection>) -> T) -> T {
    let mut then = Some(then);
    let mut give = |signed: Result<Signed<'_>, Rejection>| then.take().map(|then| then(signed));
    let given = codec::with_cose(text, |profile, bytes| {
        let signed = read(profile, bytes, trust).and_then(|(sign1, certificate, candidates)| {
            let key = signing_key(&sign1, candidates, trust).ok_or(Rejection::BadSignature)?;
            Ok(Signed::new(certificate, &sign1, key))
        });
        Ok::<_, Rejection>(give(signed))
    });
    given.unwrap_or_else(|rejection| give(Err(rejection))).expect("given once, here or there")
}

/// Proves the signatures of several QR texts, each as [`check_signature`] does it, but the Ed25519 ones together.
///
/// Calls `each` with what came of each text, in their order.
pub fn check_signatures(texts: &[&str], trust: &TrustList, mut each: impl FnMut(Result<Signed<'_>, Rejection>)) {
    for texts in texts.chunks(Batch::SIZE) {
        let mut bytes = Vec::with_capacity(texts.iter().map(|text| text.len()).sum());
        let coses: Vec<_> = texts.iter().map(|text| codec::push_cose(&mut bytes, text)).collect();
        let mut batch = trust.batch();
        let claims: Vec<Result<Claimed<'_>, Rejection>> = coses
            .into_iter()
            .map(|cose| {
                let (profile, place) = cose?;
                let (sign1, certificate, mut candidates) = read(profile, bytes.get(place).unwrap_or_default(), trust)?;
                let first = candidates.next().ok_or(Rejection::UnknownKey)?;
                if let (Some(ed25519), None) = (first.key.ed25519(), candidates.clone().next()) {
                    batch.push(ed25519, sign1.signature, |tbs| sign1.write_tbs(tbs));
                    let place = Some(batch.len() - 1);
                    return Ok(Claimed { certificate, sign1, key: first, place });
                }
                let key = signing_key(&sign1, std::iter::once(first).chain(candidates), trust);
                Ok(Claimed { certificate, sign1, key: key.ok_or(Rejection::BadSignature)?, place: None })
            })
            .collect();
        let good = batch.verify();
        for claimed in claims {
            each(claimed.and_then(|claimed| match claimed.place {
                Some(place) if good >> place & 1 == 0 => Err(Rejection::BadSignature),
                _ => Ok(Signed::new(claimed.certificate, &claimed.sign1, claimed.key)),
            }));
        }
    }
}

/// A certificate and the key that it is said to be signed with.
struct Claimed<'a> {
    certificate: Certificate<'a>,
    sign1: cose::CoseSign1<'a>,
    key: &'a Arc<TrustedKey>,
    /// Where in the batch its signature is; `None` if it was checked already.
    place: Option<usize>,
}

/// What a COSE_Sign1 says, and the keys that may have signed it.
fn read<'a>(
    profile: Profile,
    bytes: &'a [u8],
    trust: &'a TrustList,
) -> Result<(cose::CoseSign1<'a>, Certificate<'a>, impl Iterator<Item = &'a Arc<TrustedKey>> + Clone), Rejection> {
    let sign1 = cose::parse(bytes)?;
    let certificate = codec::decode_claims(profile, sign1.payload)?;
    let candidates = candidates(&sign1, trust)?;
    Ok((sign1, certificate, candidates))
}

/// The keys with the header's kid that sign as the header says; at least one.
fn candidates<'k>(
    sign1: &cose::CoseSign1<'_>,
    trust: &'k TrustList,
) -> Result<impl Iterator<Item = &'k Arc<TrustedKey>> + Clone + use<'k>, Rejection> {
    let kid = sign1.kid.and_then(|kid| kid.try_into().ok()).map(Kid).ok_or(Rejection::UnknownKey)?;
    let with_kid = trust.keys(&kid);
    if with_kid.is_empty() {
        return Err(Rejection::UnknownKey);
    }
    let alg = sign1.alg;
    let called_so =
        with_kid.iter().filter(move |candidate| alg.is_some_and(|header| candidate.key.algorithm().is_called(header)));
    if called_so.clone().next().is_none() { Err(Rejection::AlgorithmMismatch) } else { Ok(called_so) }
}

/// The key among `candidates` that made the signature, if one did.
fn signing_key<'k>(
    sign1: &cose::CoseSign1<'_>,
    mut candidates: impl Iterator<Item = &'k Arc<TrustedKey>>,
    trust: &TrustList,
) -> Option<&'k Arc<TrustedKey>> {
    candidates.find(|candidate| trust.verifies(candidate, sign1.signature, |tbs| sign1.write_tbs(tbs)))
}

impl<'a> Signed<'a> {
    fn new(certificate: Certificate<'a>, sign1: &cose::CoseSign1<'a>, key: &Arc<TrustedKey>) -> Signed<'a> {
        // Only a country can contradict a country: some issuers sign with their ministry's name.
        let is_country = |iss: &&Cow<'_, str>| iss.len() == 2 && iss.bytes().all(|byte| byte.is_ascii_alphabetic());
        let country = certificate.issuer.as_ref().filter(is_country);
        let standing = Standing {
            key: Arc::clone(key),
            profile: certificate.profile,
            contradicts_key: country.is_some_and(|iss| !iss.eq_ignore_ascii_case(&key.country)),
            issued_at: certificate.issued_at,
            expires_at: certificate.expires_at,
            statement: certificate.statement.clone(),
            revocation_entry: revocation::entry(&certificate.uvci),
            foreign_entries: (!key.own).then(|| Box::new(foreign_entries(&certificate, key, sign1.signature))),
        };
        Signed { certificate, payload: Cow::Borrowed(sign1.payload), standing }
    }

    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Signed<'static> {
        let payload = Cow::Owned(self.payload.into_owned());
        Signed { certificate: self.certificate.into_owned(), payload, standing: self.standing }
    }

    /// Proves that the certificate is accepted at `now`.
    ///
    /// Errors: [`Rejection`]s from [`Rejection::KeyWithdrawn`] on.
    pub fn accept(&self, revoked: &RevocationSet, rules: &Rules, now: UnixSeconds) -> Result<Verified<'_>, Rejection> {
        self.standing.check_itself(revoked, rules, now)?;
        if let Some(country) = rules.country() {
            self.standing.ask(country, &self.payload, rules, now)?;
        }
        let statement = &self.certificate.statement;
        let product = match statement {
            Statement::Vaccination(dose) => rules.code(dose),
            Statement::Test(_) | Statement::Recovery(_) => None,
        };
        Ok(Verified { signed: self, card: rules.card(statement, now), product })
    }

    /// Whether one of our own keys signed it.
    pub fn is_own(&self) -> bool {
        self.standing.key.own
    }

    /// What it is called.
    pub fn uvci(&self) -> &str {
        &self.certificate.uvci
    }

    /// What its acceptance depends on, to be asked again later by who keeps it with the rest.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }
}

/// The entries by which other countries' batches name a certificate that `key` signed.
fn foreign_entries(certificate: &Certificate<'_>, key: &TrustedKey, signature: &[u8]) -> [revocation::Entry; 3] {
    let country = certificate.issuer.as_deref().unwrap_or(&key.country);
    revocation::foreign::entries(certificate.uvci.as_written(), country, key.key.algorithm(), signature)
}

impl Standing {
    /// The colour to show, if the certificate is accepted at `now`.
    ///
    /// `text`: the one that this was proved of; read again if there are rules that look at all that it says, so that nobody
    /// keeps that. Errors: [`Rejection`]s from [`Rejection::KeyWithdrawn`] on.
    pub fn check(
        &self,
        text: &str,
        revoked: &RevocationSet,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<CardColour, Rejection> {
        self.check_itself(revoked, rules, now)?;
        if let Some(country) = rules.country() {
            codec::with_cose(text, |_, bytes| self.ask(country, cose::parse(bytes)?.payload, rules, now))?;
        }
        Ok(rules.card(&self.statement, now))
    }

    /// Asks a country's rules. Out of line: hardly anybody has any.
    #[cold]
    #[inline(never)]
    fn ask(&self, country: &CountryRules, payload: &[u8], rules: &Rules, now: UnixSeconds) -> Result<(), Rejection> {
        let dcc = codec::dcc_json(self.profile, payload, |product| rules.product(product))?;
        let asked = Asked {
            dcc: &dcc,
            statement: &self.statement,
            issuer: &self.key.country,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            kid: self.key.kid,
        };
        Ok(country.check(&asked, now)?)
    }

    /// All that is asked of the facts kept here.
    fn check_itself(&self, revoked: &RevocationSet, rules: &Rules, now: UnixSeconds) -> Result<(), Rejection> {
        self.check_key(now)?;
        if self.contradicts_key {
            return Err(Rejection::IssuerMismatch);
        }
        let soon = UnixSeconds(now.0 + CLOCK_SKEW_S);
        if self.issued_at.is_some_and(|iat| iat > soon) {
            return Err(Rejection::NotYetValid);
        }
        if self.expires_at.is_some_and(|exp| now > exp) {
            return Err(Rejection::Expired);
        }
        let named = |entries: &[revocation::Entry; 3]| entries.iter().any(|entry| revoked.contains(entry));
        if revoked.contains(&self.revocation_entry) || self.foreign_entries.as_deref().is_some_and(named) {
            return Err(Rejection::Revoked);
        }
        Ok(rules.check(&self.statement, now)?)
    }

    fn check_key(&self, now: UnixSeconds) -> Result<(), Rejection> {
        let key = &self.key;
        if key.withdrawn_at.is_some() {
            return Err(Rejection::KeyWithdrawn);
        }
        // Own keys sign within their signing period; a foreign list says only when it trusts a key.
        let signed_at = self.issued_at.filter(|_| key.own);
        let soon = UnixSeconds(now.0 + CLOCK_SKEW_S);
        let before = |at: UnixSeconds, from: Option<UnixSeconds>| from.is_some_and(|from| at < from);
        let after = |at: UnixSeconds, until: Option<UnixSeconds>| until.is_some_and(|until| at > until);
        if before(soon, key.trusted_from) || signed_at.is_some_and(|iat| before(iat, key.signs_from)) {
            return Err(Rejection::KeyNotYetValid);
        }
        if after(now, key.trusted_until) || signed_at.is_some_and(|iat| after(iat, key.signs_until)) {
            return Err(Rejection::KeyExpired);
        }
        let may_sign_profile = self.profile == Profile::Hc1 || key.national;
        if !may_sign_profile || !key.usages.allow(&self.statement) {
            return Err(Rejection::KeyUsage);
        }
        Ok(())
    }
}

impl<'a> Verified<'a> {
    /// The facts.
    pub fn certificate(&self) -> &'a Certificate<'a> {
        &self.signed.certificate
    }

    /// The colour to show.
    pub fn card(&self) -> CardColour {
        self.card
    }

    /// The code of the product of a vaccination.
    pub fn product(&self) -> Option<&'a str> {
        self.product
    }

    /// The key that signed it.
    pub fn kid(&self) -> Kid {
        self.signed.standing.key.kid
    }

    /// The issuer to show: the key's country, whatever `iss` says.
    pub fn country(&self) -> &'a str {
        &self.signed.standing.key.country
    }
}

#[cfg(test)]
mod tests;
