//! Facts <-> bytes, one file per standard. This file is the pipeline, in order:
//! QR text -> context identifier -> Base45 -> (zlib) -> COSE_Sign1 -> CWT -> statement, and back.

pub mod base45;
pub mod cbor;
mod compact;
pub mod cose;
pub mod cwt;
mod dcc;

pub mod qr;
pub mod x509;
pub mod zlib;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

pub use base45::{MAX_DECODED_LEN, MAX_TEXT_LEN};

use crate::certificate::{BirthDate, Certificate, Dose, Product, Profile, Statement, UnixSeconds, Uvci};
use crate::name::PersonName;
use crate::policy::ProductRow;
use cwt::Hcert;

/// Why bytes are not what they should be, by the layer that found it. Never says what they held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// More than we read: a text over 4 KiB, or one that inflates past 16 KiB.
    #[error("longer than a certificate can be")]
    TooLong,
    /// No context identifier at all.
    #[error("no context identifier: not a certificate")]
    NotACertificate,
    /// A context identifier of a scheme that is not ours.
    #[error("unknown context identifier")]
    UnknownPrefix,
    /// Not Base45.
    #[error("malformed Base45")]
    Base45,
    /// Not one whole zlib stream.
    #[error("malformed zlib stream")]
    Zlib,
    /// Not one well-formed CBOR item of definite lengths.
    #[error("malformed CBOR")]
    Cbor,
    /// Not a COSE_Sign1 with a payload.
    #[error("malformed COSE_Sign1")]
    Cose,
    /// Not a CWT with a health certificate of one of the two forms.
    #[error("malformed claims")]
    Claims,
    /// A text that no alphanumeric QR code can carry, or too long for any.
    #[error("does not fit a QR code")]
    Qr,
}

impl CodecError {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            CodecError::TooLong => "too_large",
            CodecError::NotACertificate => "not_a_certificate",
            CodecError::UnknownPrefix => "unknown_prefix",
            CodecError::Base45 => "malformed_base45",
            CodecError::Zlib => "malformed_zlib",
            CodecError::Cbor | CodecError::Claims => "malformed_claims",
            CodecError::Cose => "malformed_cose",
            CodecError::Qr => "qr_too_large",
        }
    }
}

impl Profile {
    /// What the QR text begins with. Source: HCERT §4.2.
    pub fn context_identifier(self) -> &'static str {
        match self {
            Profile::Compact => "VN1:",
            Profile::Hc1 => "HC1:",
        }
    }
}

/// Which profile `text` says it is of, and its Base45 part. White space around the text is dropped, inside it is data.
///
/// Errors: [`CodecError::TooLong`], [`CodecError::NotACertificate`], [`CodecError::UnknownPrefix`]. Source: HCERT §4.2.
pub fn split_context_identifier(text: &str) -> Result<(Profile, &str), CodecError> {
    if text.len() > MAX_TEXT_LEN {
        return Err(CodecError::TooLong);
    }
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    for profile in [Profile::Compact, Profile::Hc1] {
        if let Some(rest) = text.strip_prefix(profile.context_identifier()) {
            return Ok((profile, rest));
        }
    }
    match text.split_once(':') {
        // Two or three letters and a version digit: HC2, NL2, DK3, LT1.
        Some((id, _)) if looks_like_a_context_identifier(id.as_bytes()) => Err(CodecError::UnknownPrefix),
        _ => Err(CodecError::NotACertificate),
    }
}

fn looks_like_a_context_identifier(id: &[u8]) -> bool {
    let [letters @ .., version] = id else { return false };
    (2..=3).contains(&letters.len()) && letters.iter().all(u8::is_ascii_uppercase) && version.is_ascii_alphanumeric()
}

/// Room for what ordinary texts hold; clearing that for the longest costs as much as decoding an ordinary one.
const USUAL_DECODED_LEN: usize = 512;

/// Calls `next` with the profile and the COSE_Sign1's bytes of a QR text, without an allocation for the compact profile.
///
/// Errors: `E` of the layer that refuses, up to [`CodecError::Zlib`].
pub fn with_cose<T, E: From<CodecError>>(
    text: &str,
    next: impl FnOnce(Profile, &[u8]) -> Result<T, E>,
) -> Result<T, E> {
    let (profile, coded) = split_context_identifier(text)?;
    let (mut usual, mut longest);
    let buffer: &mut [u8] = if base45::decoded_len(coded) <= USUAL_DECODED_LEN {
        usual = [0; USUAL_DECODED_LEN];
        &mut usual
    } else {
        longest = [0; MAX_DECODED_LEN];
        &mut longest
    };
    let len = base45::decode_into(buffer, coded.as_bytes())?;
    let bytes = buffer.get(..len).unwrap_or_default();
    let cose = match profile {
        Profile::Compact => Cow::Borrowed(bytes),
        Profile::Hc1 => Cow::Owned(zlib::inflate(bytes)?),
    };
    next(profile, &cose)
}

/// True if `text` begins as a compact certificate that says EdDSA in the way we write it: tag 18, an array of 4, a header of 13
/// bytes that is a map of 2 with `alg` -8 first. What checking any other costs is not known before it is read.
pub fn begins_as_eddsa(text: &str) -> bool {
    static BEGINNING: LazyLock<String> = LazyLock::new(|| {
        let mut text = Profile::Compact.context_identifier().to_owned();
        base45::encode_onto(&mut text, &[0xD2, 0x84, 0x4D, 0xA2, 0x01, 0x27]);
        text
    });
    text.starts_with(BEGINNING.as_str())
}

/// Appends the COSE_Sign1's bytes of a QR text to `bytes`. Returns the profile, and where they stand.
///
/// Errors: as [`with_cose`].
pub fn push_cose(bytes: &mut Vec<u8>, text: &str) -> Result<(Profile, Range<usize>), CodecError> {
    let begin = bytes.len();
    let profile = with_cose(text, |profile, cose| {
        bytes.extend_from_slice(cose);
        Ok::<_, CodecError>(profile)
    })?;
    Ok((profile, begin..bytes.len()))
}

/// The facts in a CWT, unproved.
///
/// Errors: [`CodecError::Claims`], also when the form is not the profile's, or a compact one lacks a claim.
pub fn decode_claims(profile: Profile, payload: &[u8]) -> Result<Certificate<'_>, CodecError> {
    let claims = cwt::parse(payload)?;
    let (uvci, name, birth, statement) = match (profile, claims.hcert) {
        (Profile::Compact, Hcert::Compact(reader)) => {
            let says = compact::decode(reader).map_err(|_| CodecError::Claims)?;
            (says.uvci.text(), Cow::Borrowed(says.name), says.birth, says.statement)
        }
        (Profile::Hc1, Hcert::Dcc(reader)) => {
            let says = dcc::decode(reader).map_err(|_| CodecError::Claims)?;
            (says.uvci, Cow::Owned(says.name), says.birth, says.statement)
        }
        _ => return Err(CodecError::Claims),
    };
    let issuer = claims.iss.map(Cow::Borrowed);
    // HCERT §3.3.4 demands an expiry; without one a certificate would be for ever.
    let expires_at = Some(claims.exp.ok_or(CodecError::Claims)?);
    Ok(Certificate { profile, issuer, issued_at: claims.iat, expires_at, uvci, name, birth, statement })
}

/// The DCC in a CWT as JSON: the one that was signed, or what a compact statement is as one.
///
/// `row`: the product of a compact statement. Errors: [`CodecError::Claims`].
pub fn dcc_json(
    profile: Profile,
    payload: &[u8],
    row: impl FnOnce(&Product) -> Option<&'static ProductRow>,
) -> Result<serde_json::Value, CodecError> {
    match (profile, cwt::parse(payload)?.hcert) {
        (Profile::Hc1, Hcert::Dcc(mut reader)) => dcc::to_json(&mut reader).map_err(|_| CodecError::Claims),
        (Profile::Compact, Hcert::Compact(reader)) => {
            let says = compact::decode(reader).map_err(|_| CodecError::Claims)?;
            let Statement::Vaccination(dose) = &says.statement else { return Err(CodecError::Claims) };
            let name = PersonName::parse(says.name).map_err(|_| CodecError::Claims)?;
            let row = row(&dose.product).ok_or(CodecError::Claims)?;
            let dcc = dcc::encode(says.uvci, &name, says.birth, dose, row);
            serde_json::to_value(dcc).map_err(|_| CodecError::Claims)
        }
        _ => Err(CodecError::Claims),
    }
}

/// What both profiles are encoded from: one dose of one person under one name for ever.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Names the statement in both profiles.
    pub uvci: Uvci,
    /// The holder's name.
    pub name: &'a PersonName,
    /// The holder's birth date.
    pub birth: BirthDate,
    /// The course as known; its product is `product`'s code.
    pub dose: &'a Dose,
    /// The product's row, of which both profiles take their codes.
    pub product: &'a ProductRow,
    /// `iat`.
    pub issued_at: UnixSeconds,
    /// `exp`.
    pub expires_at: UnixSeconds,
}

/// The CWT that says `facts` in the form of `profile`.
pub fn encode_claims(profile: Profile, facts: &Facts<'_>) -> Vec<u8> {
    let hcert = match profile {
        Profile::Compact => cwt::compact(compact::encode(
            facts.uvci,
            facts.name.as_str(),
            facts.birth,
            facts.dose,
            facts.product.number,
        )),
        Profile::Hc1 => cwt::dcc(dcc::encode(facts.uvci, facts.name, facts.birth, facts.dose, facts.product)),
    };
    cwt::encode(crate::policy::COUNTRY, facts.issued_at, facts.expires_at, hcert)
}

/// The QR text of a COSE_Sign1.
///
/// Errors: [`CodecError::TooLong`] if it is longer than a verifier reads.
pub fn encode_text(profile: Profile, cose: &[u8]) -> Result<String, CodecError> {
    let mut text = String::from(profile.context_identifier());
    match profile {
        Profile::Compact => base45::encode_onto(&mut text, cose),
        Profile::Hc1 => base45::encode_onto(&mut text, &zlib::deflate(cose)?),
    }
    if text.len() > MAX_TEXT_LEN { Err(CodecError::TooLong) } else { Ok(text) }
}
