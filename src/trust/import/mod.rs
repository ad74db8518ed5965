//! Other issuers' keys, in the formats that trust lists come in -> keys for our list, each refused by name if it cannot be.
//!
//! What signs such a list (the gateway's CMS around each certificate, the proof of a `did.json`) is not checked: whoever
//! imports a file answers for where it is from. A key that is read is foreign, and never one for the compact profile.

mod certificates;
mod cose;
mod json;

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine as _};

use super::{TrustedKey, Usages, country, parts};
use crate::certificate::UnixSeconds;
use crate::codec::x509::{self, X509Error};
use crate::keys::{Algorithm, KeyError, Kid, PublicKey};

/// The longest file that is read: the longest list of the field has 3 MiB.
pub const MAX_LIST_LEN: usize = 16 << 20;
/// The most keys of one file.
pub const MAX_KEYS: usize = 20_000;

/// The formats that are read. Which one a file is in, its content says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JWK Set. Source: RFC 7517, RFC 8037.
    Jwks,
    /// A COSE_KeySet. Source: RFC 9052 §7.
    CoseKeySet,
    /// X.509 certificates and bare public keys: PEM with any text around, one DER, or one in bare base64 as
    /// `signercertificateUpdate` answers, with the headers of that answer or without. Source: RFC 7468; dgca-verifier-service.
    Certificates,
    /// The gateway's list of signer certificates, as national backends publish it. Source: dgc-gateway, `TrustListDto`.
    Gateway,
    /// The WHO's `did.json`, version 2. Source: smart-trust, "GDHCN Trustlists".
    Did,
}

impl Format {
    /// The word for it in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Jwks => "jwks",
            Format::CoseKeySet => "cose",
            Format::Certificates => "certificates",
            Format::Gateway => "gateway",
            Format::Did => "did",
        }
    }
}

/// Why nothing of a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Over [`MAX_LIST_LEN`] bytes or [`MAX_KEYS`] keys.
    #[error("the list is longer than any that is read")]
    TooLarge,
    /// Begins like one of the formats and is none.
    #[error("the list is damaged: it begins like one of the formats and is none")]
    Malformed,
    /// In no format that we know.
    #[error(
        "this is no list of keys: a JWK set, a COSE key set, PEM or DER certificates, the gateway's list or a did.json is"
    )]
    UnknownFormat,
}

impl ListError {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            ListError::TooLarge => "list_too_large",
            ListError::Malformed => "list_malformed",
            ListError::UnknownFormat => "list_unknown_format",
        }
    }
}

/// Why a key of a list is not taken; the others are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not what the format says an entry is.
    #[error("not what an entry of this format is")]
    Malformed,
    /// Its certificate cannot be read.
    #[error(transparent)]
    Certificate(#[from] X509Error),
    /// Its key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The kid or the hash beside a certificate is another's.
    #[error("the kid is not its certificate's")]
    KidMismatch,
    /// The key beside a certificate is another's.
    #[error("the key is not its certificate's")]
    KeyMismatch,
    /// Nothing says whose it is.
    #[error("nothing says whose key this is; name the country with --country")]
    NoCountry,
    /// No code of a country.
    #[error("the issuer is no country of ISO 3166-1; name one with --country")]
    UnknownCountry,
    /// It is said to be another country's, by who imports it or by our list.
    #[error("it is another country's")]
    CountryMismatch,
    /// Listed for something else than signing certificates of people.
    #[error("not a key that signs certificates of people")]
    NotASigner,
    /// Listed for other certificates than ours.
    #[error("for another domain than certificates of vaccination, test and recovery")]
    OtherDomain,
    /// A secret key: it must not be where it was found.
    #[error("a secret key: whoever has this file can sign with it")]
    PrivateKey,
    /// A link to another document; nothing is fetched.
    #[error("a link to another document, which is not followed")]
    Reference,
    /// A key of this registry.
    #[error("a key of this registry: only `thexanh keys` changes it")]
    OwnKey,
    /// Withdrawn here.
    #[error("withdrawn here, which is for good")]
    Withdrawn,
    /// The certificate over a key of ours ends before it could be used.
    #[error("the certificate ends before the key could sign under it")]
    Expired,
    /// The same key stands in the list before, and otherwise.
    #[error("listed twice, and not alike")]
    Conflict,
}

impl Refusal {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Malformed => "malformed",
            Refusal::Certificate(error) => error.code(),
            Refusal::Key(error) => error.code(),
            Refusal::KidMismatch => "kid_mismatch",
            Refusal::KeyMismatch => "key_mismatch",
            Refusal::NoCountry => "no_country",
            Refusal::UnknownCountry => "unknown_country",
            Refusal::CountryMismatch => "country_mismatch",
            Refusal::NotASigner => "not_a_signer",
            Refusal::OtherDomain => "other_domain",
            Refusal::PrivateKey => "private_key",
            Refusal::Reference => "reference",
            Refusal::OwnKey => "own_key",
            Refusal::Withdrawn => "withdrawn",
            Refusal::Expired => "expired",
            Refusal::Conflict => "conflict",
        }
    }
}

/// One entry of a list.
#[derive(Debug)]
pub struct Entry {
    /// The kid, where one can be made out.
    pub kid: Option<Kid>,
    /// The key: foreign, not national, never withdrawn.
    pub key: Result<TrustedKey, Refusal>,
}

/// A list that was read.
#[derive(Debug)]
pub struct List {
    /// What it came in.
    pub format: Format,
    /// Its entries, in its order.
    pub entries: Vec<Entry>,
}

/// Reads a list of keys.
///
/// `bytes`: the file. `country`: alpha-2, whose keys they are where the list does not say; an entry that says another is
/// refused. Errors: [`ListError`] if there is nothing to be read at all; what is wrong with an entry, the entry says.
pub fn read(bytes: &[u8], country: Option<&str>) -> Result<List, ListError> {
    if bytes.len() > MAX_LIST_LEN {
        return Err(ListError::TooLarge);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let (format, claims) = match bytes.trim_ascii_start() {
        [0x30, 0x80..=0x84, ..] => (Format::Certificates, certificates::der(bytes)),
        [0x80..=0x9F, ..] => (Format::CoseKeySet, cose::key_set(bytes)?),
        [b'{' | b'[', ..] => json::list(bytes)?,
        text => match certificates::text(text) {
            Some(claims) => (Format::Certificates, claims),
            None => json::list(signed_by_first_line(text).ok_or(ListError::UnknownFormat)?)?,
        },
    };
    if claims.len() > MAX_KEYS {
        return Err(ListError::TooLarge);
    }
    let judge = |claim: Result<Claim, Refusal>| match claim {
        Ok(claim) => claim.judge(country),
        Err(refusal) => Entry { kid: None, key: Err(refusal) },
    };
    Ok(List { format, entries: claims.into_iter().map(judge).collect() })
}

/// What stands behind a first line of base64: the German backend puts its signature there.
fn signed_by_first_line(text: &[u8]) -> Option<&[u8]> {
    let at = text.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = text.split_at_checked(at)?;
    let rest = rest.trim_ascii_start();
    (decode(line.trim_ascii()).is_some() && rest.starts_with(b"{")).then_some(rest)
}

/// What an entry says of a key.
#[derive(Debug, Default)]
struct Claim {
    kid: Option<Kid>,
    /// DER.
    certificate: Option<Vec<u8>>,
    /// A DER SubjectPublicKeyInfo.
    key: Option<Vec<u8>>,
    algorithm: Option<Algorithm>,
    /// alpha-2 or alpha-3, or nothing of the kind.
    country: Option<String>,
    usages: Option<Usages>,
    trusted_from: Option<UnixSeconds>,
    trusted_until: Option<UnixSeconds>,
    /// Found while it was read: it is no entry to be taken, but its kid is known.
    refusal: Option<Refusal>,
}

impl Claim {
    fn judge(self, country: Option<&str>) -> Entry {
        let certificate = self.certificate.as_deref().map(Kid::of_der);
        let kid = certificate.or(self.kid).or_else(|| self.key.as_deref().map(Kid::of_der));
        Entry { kid, key: self.key(country) }
    }

    fn key(self, assumed: Option<&str>) -> Result<TrustedKey, Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let certificate = self.certificate.as_deref().map(x509::parse).transpose()?;
        let spki_der = certificate.as_ref().map(|certificate| &certificate.spki_der).or(self.key.as_ref());
        let key = PublicKey::from_spki_der(spki_der.ok_or(Refusal::Malformed)?)?;
        key.check_prime_order()?;
        if self.algorithm.is_some_and(|algorithm| algorithm != key.algorithm()) {
            return Err(KeyError::Algorithm.into());
        }
        let kid = match &certificate {
            None => self.kid.unwrap_or_else(|| key.kid()),
            Some(certificate) if self.kid.is_none_or(|kid| kid == certificate.kid) => certificate.kid,
            Some(_) => return Err(Refusal::KidMismatch),
        };
        if let (Some(_), Some(beside)) = (&certificate, &self.key)
            && PublicKey::from_spki_der(beside).ok().is_none_or(|beside| parts::of(&beside) != parts::of(&key))
        {
            return Err(Refusal::KeyMismatch);
        }
        let said = self.country.as_deref().map(|code| country::alpha2(code).ok_or(Refusal::UnknownCountry));
        let said = match (said, assumed) {
            (Some(Err(_)), Some(_)) => None, // an organisation, or a participant of tests: whoever imports it knows whose it is
            (said, _) => said.transpose()?,
        };
        let said = said.or_else(|| country::alpha2(certificate.as_ref()?.country.as_deref()?));
        let country = match (said, assumed) {
            (Some(said), Some(assumed)) if said != assumed => return Err(Refusal::CountryMismatch),
            (said, assumed) => said.or_else(|| assumed.map(str::to_owned)).ok_or(Refusal::NoCountry)?,
        };
        Ok(TrustedKey {
            key,
            kid,
            country,
            national: false,
            usages: self.usages.or(certificate.as_ref().map(|c| c.usages)).unwrap_or(Usages::ALL),
            own: false,
            signs_from: None,
            signs_until: None,
            trusted_from: self.trusted_from.or(certificate.as_ref().map(|c| c.valid_from)),
            trusted_until: self.trusted_until.or(certificate.as_ref().map(|c| c.valid_until)),
            withdrawn_at: None,
            certificate: self.certificate.map(Vec::into_boxed_slice),
        })
    }
}

/// The bytes that `text` is in base64, of either alphabet, padded or not, with white space anywhere.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    let mapped = text.iter().filter(|byte| !byte.is_ascii_whitespace()).map(|byte| match byte {
        b'+' => b'-',
        b'/' => b'_',
        byte => *byte,
    });
    ENGINE.decode(mapped.collect::<Vec<u8>>()).ok()
}

/// The kid that `text` is in base64, if it has eight bytes.
fn kid(text: &str) -> Option<Kid> {
    // Eight bytes have twelve characters; whatever is much longer is no kid.
    (text.len() <= 16).then(|| decode(text.as_bytes()))??.try_into().ok().map(Kid)
}

#[cfg(test)]
mod tests;
