//! Certificates and bare public keys: PEM, one DER, or one in base64 as a verifier's backend sends it.

use super::{Claim, Refusal, decode, kid};
use crate::certificate::UnixSeconds;
use crate::codec::x509::{MAX_CERTIFICATE_LEN, X509Error};
use crate::trust::Usages;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One DER certificate.
pub(super) fn der(bytes: &[u8]) -> Vec<Result<Claim, Refusal>> {
    vec![certificate(bytes.to_vec())]
}

/// The keys of a text: PEM if it has a block, else one certificate in base64; `None` if it is neither.
pub(super) fn text(bytes: &[u8]) -> Option<Vec<Result<Claim, Refusal>>> {
    // What stands around the blocks may be in any encoding.
    let text = String::from_utf8_lossy(bytes);
    if text.contains(BEGIN) { Some(pem(&text)) } else { bare(&text).map(|claim| vec![claim]) }
}

fn certificate(der: Vec<u8>) -> Result<Claim, Refusal> {
    if der.len() > MAX_CERTIFICATE_LEN {
        return Err(X509Error::TooLong.into());
    }
    Ok(Claim { certificate: Some(der), ..Claim::default() })
}

/// Every block, with what the lines before it say. Strict parsers want lines of 64 and nothing around; the files that go
/// about have neither.
fn pem(text: &str) -> Vec<Result<Claim, Refusal>> {
    let mut claims = Vec::new();
    let mut parts = text.split(BEGIN);
    let mut before = parts.next().unwrap_or_default();
    for part in parts {
        let (block, after) = match part.split_once(END) {
            Some((block, end)) => (Some(block), end.split_once(DASHES).map_or("", |(_, after)| after)),
            None => (None, ""), // cut off, or the next one begins within it
        };
        let claim = block.ok_or(Refusal::Malformed).and_then(self::block);
        claims.push(claim.and_then(|claim| with_attributes(claim, before)));
        before = after;
    }
    claims
}

/// A block from its label on.
fn block(block: &str) -> Result<Claim, Refusal> {
    let (label, body) = block.split_once(DASHES).ok_or(Refusal::Malformed)?;
    if label.ends_with("PRIVATE KEY") {
        return Err(Refusal::PrivateKey);
    }
    if body.len() > MAX_CERTIFICATE_LEN * 2 {
        return Err(X509Error::TooLong.into());
    }
    let der = || decode(body.as_bytes()).ok_or(Refusal::Malformed);
    match label {
        "CERTIFICATE" | "X509 CERTIFICATE" => certificate(der()?),
        "PUBLIC KEY" => Ok(Claim { key: Some(der()?), ..Claim::default() }),
        _ => Err(Refusal::Malformed),
    }
}

/// The lines `name: value` that [`crate::trust::export`] writes before a block; all others are passed over.
fn with_attributes(mut claim: Claim, before: &str) -> Result<Claim, Refusal> {
    let instant = |value: &str| value.parse().map(UnixSeconds).map(Some).map_err(|_| Refusal::Malformed);
    for (name, value) in before.lines().filter_map(|line| line.split_once(": ")) {
        let value = value.trim();
        match name {
            "kid" => claim.kid = Some(kid(value).ok_or(crate::keys::KeyError::Kid)?),
            "country" => claim.country = Some(value.to_owned()),
            "usages" => claim.usages = Some(Usages::from_words(value.split(' '))),
            "trusted_from" => claim.trusted_from = instant(value)?,
            "trusted_until" => claim.trusted_until = instant(value)?,
            _ => {}
        }
    }
    Ok(claim)
}

/// One certificate in base64, as `signercertificateUpdate` answers; the answer's head may stand before it, as `curl -i`
/// keeps it, and its `X-KID` is then held against the certificate.
fn bare(text: &str) -> Option<Result<Claim, Refusal>> {
    let mut said = None;
    let mut body = String::new();
    for line in text.lines().map(str::trim) {
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("x-kid") => said = Some(value.trim().to_owned()),
            Some(_) => {}
            None if line.starts_with("HTTP/") => {}
            None => body.push_str(line),
        }
    }
    if body.len() > MAX_CERTIFICATE_LEN * 2 {
        return None;
    }
    // A SEQUENCE of two length bytes, as any certificate: other base64 is no certificate gone wrong.
    let der = decode(body.as_bytes()).filter(|der| der.starts_with(&[0x30, 0x82]))?;
    Some(certificate(der).and_then(|claim| {
        let kid = said.map(|said| kid(&said).ok_or(Refusal::KidMismatch)).transpose()?;
        Ok(Claim { kid, ..claim })
    }))
}
